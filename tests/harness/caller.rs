//! Who runs the tests: root, or an ordinary user, whose containers are in user namespaces.
//!
//! The containers of a user are those of root otherwise, as far as the user has what they need: further ids, which
//! subuid(5) grants, and a cgroup, which a systemd of the user's own has or which the tests were started beside.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::driver::Driver;

/// Whether it is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user's name, after passwd(5).
fn name() -> Option<String> {
    let own = rustix::process::getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mine = users.lines().find(|line| line.split(':').nth(2) == Some(&own))?;
    mine.split(':').next().map(str::to_owned)
}

/// The first range that subuid(5) or subgid(5) grants the user.
fn range(list: &str) -> Option<(u32, u32)> {
    let (name, granted) = (name()?, fs::read_to_string(list).ok()?);
    granted.lines().find_map(|line| {
        let (first, count) = line.strip_prefix(&name)?.strip_prefix(':')?.split_once(':')?;
        Some((first.parse().ok()?, count.parse().ok()?))
    })
}

/// Mappings of user and group ids: the user is root, and all others are those of the user's range.
pub fn mappings() -> Option<(Value, Value)> {
    let map = |own: u32, (first, count): (u32, u32)| {
        json!([
            { "containerID": 0, "hostID": own, "size": 1 },
            { "containerID": 1, "hostID": first, "size": count },
        ])
    };
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    Some((map(uid, range("/etc/subuid")?), map(gid, range("/etc/subgid")?)))
}

/// The cgroup below which the caller's containers are, as the document names it; a user may have none.
pub fn cgroup_above(driver: Driver) -> Option<String> {
    if is_root() {
        return Some(String::new());
    }
    if driver == Driver::Systemd {
        let uid = rustix::process::getuid().as_raw();
        return Some(format!("/user.slice/user-{uid}.slice/user@{uid}.service/user.slice"));
    }
    // tests/vm/beside has gone into a cgroup of this name.
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    own.strip_suffix("/callers").map(str::to_owned)
}

/// What the default document says otherwise for a user: ids are mapped, and there may be no cgroup to name.
pub fn adapt(config: &mut Value) {
    if is_root() {
        return;
    }
    let linux = config["linux"].as_object_mut().unwrap();
    linux["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    if let Some((uids, gids)) = mappings() {
        linux.insert("uidMappings".to_owned(), uids);
        linux.insert("gidMappings".to_owned(), gids);
    }
    if linux["cgroupsPath"] == "" {
        linux.remove("cgroupsPath");
        linux.remove("resources");
    }
}

/// The controllers that the caller's containers can have on a host with cgroup2 alone.
pub fn v2_controllers() -> Vec<String> {
    let Some(above) = cgroup_above(Driver::chosen()) else { return Vec::new() };
    let dir = Path::new("/sys/fs/cgroup").join(above.trim_start_matches('/'));
    // A slice of systemd's has no controllers before a unit in it needs some.
    let dir = if is_root() || Driver::chosen() == Driver::Cgroupfs {
        dir
    } else {
        dir.parent().unwrap().to_owned()
    };
    let controllers = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    controllers.split_whitespace().map(str::to_owned).collect()
}
