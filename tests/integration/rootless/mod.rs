//! Callers without privilege on the host: ordinary users, and those who are root in a user namespace alone.

mod cgroups;
mod container_in_a_container;
mod ordinary_user;
mod ranges;
mod root_of_a_namespace;

use crate::view::PURE_V2;

/// All of it again where cgroup2 is all there is.
#[test]
fn on_cgroup_v2() {
    crate::needs!(root_or_ranges, user_ns);
    let name = "rootless::on_cgroup_v2";
    PURE_V2.entered_by(name, &["rootless::", "--skip", name]);
}
