//! The container's cgroup as data: where it lies in each hierarchy, what is written there, which devices it may use.

use std::path::{Path, PathBuf};

use caps::Capability;
use serde::Serialize;

use super::devices::{self, DeviceList, DeviceRule};
use super::limits::{self, Write};
use super::unit::{self, Property, UnitPlan};
use super::{Error, Hierarchy, HostFacts};
use crate::spec::{IdMapping, NamespaceKind, Resources, Spec};

/// What to make before the container's first process exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CgroupPlan {
    /// One directory for each hierarchy.
    pub dirs: Vec<CgroupDir>,
    /// Limits, in order.
    pub writes: Vec<Write>,
    /// Device rules; `None` where they cannot be set (rootless) or nothing can enforce them.
    pub devices: Option<DevicePolicy>,
    /// Host user that the v2 cgroup is handed over to, when the container may manage it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// The scope that it is, where systemd manages cgroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitPlan>,
}

/// Where the container's cgroup lies in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CgroupDir {
    /// Which interface the hierarchy has.
    pub version: Version,
    /// v1: what is mounted here. v2: what the hierarchy's root offers.
    pub controllers: Vec<String>,
    /// Where the hierarchy is mounted.
    pub mount: PathBuf,
    /// The cgroup's directory.
    pub path: PathBuf,
    /// Whether the hierarchy is this host's only one, so that its controllers are ours to hand down.
    pub whole: bool,
    /// Whether the container can do without: the caller may lack the right to make it, and nothing asks for it.
    pub dispensable: bool,
}

impl CgroupDir {
    /// Whether a limit is written here.
    #[must_use]
    pub fn takes(&self, write: &Write) -> bool {
        let controller = write.controller();
        self.controllers.iter().any(|own| own == controller)
            || controller == "cgroup" && self.version == Version::V2
    }

    /// Whether systemd has a directory here for each of its units, whatever controllers they use.
    #[must_use]
    pub fn is_systemds(&self) -> bool {
        self.version == Version::V2 || self.controllers.iter().any(|controller| controller == "name=systemd")
    }
}

impl CgroupPlan {
    /// The directory in the v2 hierarchy.
    #[must_use]
    pub fn v2(&self) -> Option<&CgroupDir> {
        self.dirs.iter().find(|dir| dir.version == Version::V2)
    }

    /// The directory in the v1 hierarchy of that number in [`CgroupLayout::v1`].
    #[must_use]
    pub fn v1(&self, index: usize) -> Option<&CgroupDir> {
        self.dirs.get(index).filter(|dir| dir.version == Version::V1)
    }
}

/// The kernel's two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Version {
    /// A hierarchy for each controller or group of them.
    V1,
    /// The unified hierarchy.
    V2,
}

/// Device rules in the form that this host enforces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum DevicePolicy {
    /// The v1 controller.
    List(DeviceList),
    /// A v2 device program: ordered rules, the last match wins, no match denies.
    Program(Vec<DeviceRule>),
}

/// What `update` changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CgroupUpdate {
    /// Limits, in order.
    pub writes: Vec<Write>,
    /// Device rules, when the document has any.
    pub devices: Option<DevicePolicy>,
    /// What systemd is told, if it manages the cgroup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// `memory.checkBeforeUpdate`: the update is refused unless present usage is below this many bytes.
    pub usage_below: Option<u64>,
}

/// Compiles `linux.cgroupsPath` and `linux.resources` of container `id`.
pub fn compile(id: &str, spec: &Spec, facts: &HostFacts) -> Result<CgroupPlan, Error> {
    let (linux, layout) = (&spec.linux, &facts.cgroups);
    let path = linux.cgroups_path.as_deref().unwrap_or_default();
    let dirs = dirs(id, path, facts)?;
    let mut plan = CgroupPlan { dirs, ..CgroupPlan::default() };
    let none = Resources::default();
    let resources = linux.resources.as_ref().unwrap_or(&none);
    plan.writes = limits::writes(resources, layout, "linux.resources")?;
    plan.devices = policy(resources, facts, "linux.resources")?;
    plan.owner = owner(spec)
        .filter(|owner| layout.is_v2() && *owner != facts.euid && facts.may(Capability::CAP_CHOWN));
    if facts.rootless && facts.systemd.is_none() && path.is_empty() {
        for dir in &mut plan.dirs {
            dir.dispensable = !plan.writes.iter().any(|write| !write.fresh && dir.takes(write));
        }
    }
    if let Some(systemd) = &facts.systemd {
        plan.unit = Some(unit::compile(id, path, &spec.annotations, &plan, facts, systemd)?);
    }
    Ok(plan)
}

/// The user whose processes may manage the cgroup from inside (config-linux.md, "Cgroup ownership"): that of the
/// container's process, if it sees its own cgroup as the root and has it mounted writable.
fn owner(spec: &Spec) -> Option<u32> {
    let of_kind = |kind| spec.linux.namespaces.iter().find(move |namespace| namespace.kind == kind);
    let managed = spec.mounts.iter().any(|mount| {
        matches!(mount.kind.as_deref(), Some("cgroup" | "cgroup2"))
            && mount.destination.components().eq(Path::new("/sys/fs/cgroup").components())
            && !mount.options.iter().any(|option| option == "ro")
    });
    if !managed || of_kind(NamespaceKind::Cgroup)?.path.is_some() {
        return None;
    }
    let uid = spec.process.as_ref().map_or(0, |process| process.user.uid);
    if of_kind(NamespaceKind::User).is_none() {
        return Some(uid);
    }
    let host = |map: &IdMapping| {
        let offset = uid.checked_sub(map.container_id).filter(|offset| *offset < map.size)?;
        map.host_id.checked_add(offset)
    };
    spec.linux.uid_mappings.iter().find_map(host)
}

/// Compiles the document of `update --resources`, merged by the caller with what the container was created with.
pub fn update(resources: &Resources, facts: &HostFacts) -> Result<CgroupUpdate, Error> {
    let writes = limits::writes(resources, &facts.cgroups, "resources")?;
    let devices = if resources.devices.is_empty() { None } else { policy(resources, facts, "resources")? };
    let memory = resources.memory.as_ref().filter(|memory| memory.check_before_update == Some(true));
    let limits = memory.map(|memory| [memory.limit, memory.swap]).unwrap_or_default();
    let limits = limits.into_iter().flatten().filter_map(|limit| u64::try_from(limit).ok());
    let mut properties = Vec::new();
    if let Some(systemd) = &facts.systemd {
        let changes = unit::of_writes(&writes, systemd.version);
        properties.extend(changes.into_iter().filter(|property| !property.optional));
        properties.extend(devices.iter().flat_map(|policy| unit::of_devices(policy, "resources.devices")));
    }
    let usage_below = limits.filter(|limit| *limit > 0).min();
    Ok(CgroupUpdate { writes, devices, properties, usage_below })
}

/// Devices are denied unless listed, also when the document lists none.
fn policy(resources: &Resources, facts: &HostFacts, at: &str) -> Result<Option<DevicePolicy>, Error> {
    let rules = devices::rules(&resources.devices, at)?;
    let layout = &facts.cgroups;
    // Neither the v1 files nor the program load are open to a user namespace, whose devices are the kernel's affair:
    // it lets nobody make a device node there.
    if facts.euid != 0 || facts.in_user_ns {
        return Ok(None);
    }
    if layout.offers("devices") {
        return DeviceList::fold(&rules, at).map(|list| Some(DevicePolicy::List(list)));
    }
    if layout.v2.is_some() {
        return Ok(Some(DevicePolicy::Program(rules)));
    }
    if resources.devices.is_empty() {
        return Ok(None);
    }
    Err(Error::new(
        format!("{at}.devices"),
        "nothing on this host can enforce device rules: no cgroup hierarchy is mounted",
    )
    .hint("mount cgroup2 at /sys/fs/cgroup or remove the rules"))
}

fn dirs(id: &str, path: &str, facts: &HostFacts) -> Result<Vec<CgroupDir>, Error> {
    let layout = &facts.cgroups;
    let whole = layout.is_v2();
    let v1 = layout.v1.iter().map(|hierarchy| (Version::V1, hierarchy));
    let v2 = layout.v2.iter().map(|hierarchy| (Version::V2, hierarchy));
    let dir = |(version, hierarchy): (Version, &Hierarchy)| {
        Ok(CgroupDir {
            version,
            controllers: hierarchy.controllers.clone(),
            mount: hierarchy.mount.clone(),
            path: hierarchy.mount.join(match &facts.systemd {
                Some(systemd) => unit::locate(id, path, systemd)?,
                None => locate(id, path, &hierarchy.own, whole)?,
            }),
            whole: whole && version == Version::V2,
            dispensable: false,
        })
    };
    v1.chain(v2).map(dir).collect()
}

/// The cgroup's path, relative to the mount: an absolute one lies right below it, a relative one (by default the id)
/// beside or below the caller's cgroup.
fn locate(id: &str, path: &str, own: &str, whole: bool) -> Result<String, Error> {
    let at = "linux.cgroupsPath";
    if path.contains(['\0', '\n']) {
        return Err(Error::new(at, format!("{path:?} holds a character that no cgroup name may hold"))
            .hint("leave out NUL and newline"));
    }
    let below = clean(if path.is_empty() { id } else { path });
    if below.is_empty() {
        return Err(Error::new(
            at,
            format!("{path:?} is the root of the hierarchy, which is not the container's"),
        )
        .hint("name a cgroup of its own, such as /containers/ID"));
    }
    if path.starts_with('/') {
        return Ok(below);
    }
    // The caller's own v2 cgroup has processes (the caller) and so cannot hand controllers to a child.
    let base = if whole { own.rsplit_once('/').map_or("", |(parent, _)| parent) } else { own };
    Ok(format!("{base}/{below}").trim_start_matches('/').to_owned())
}

/// Resolves `.` and `..` by the text, never above the root; no slash at either end.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::CgroupLayout;
    use super::*;

    fn hierarchy(mount: &str, controller: &str, own: &str) -> Hierarchy {
        Hierarchy { controllers: vec![controller.to_owned()], mount: mount.into(), own: own.to_owned() }
    }

    fn v2_facts(own: &str) -> HostFacts {
        let v2 = Some(hierarchy("/sys/fs/cgroup", "memory", own));
        HostFacts { cgroups: CgroupLayout { v1: vec![], v2 }, ..HostFacts::default() }
    }

    fn hybrid_facts() -> HostFacts {
        let v1 = vec![hierarchy("/c/memory", "memory", "/user"), hierarchy("/c/devices", "devices", "/")];
        let v2 = Some(hierarchy("/c/unified", "hugetlb", "/"));
        HostFacts { cgroups: CgroupLayout { v1, v2 }, ..HostFacts::default() }
    }

    fn compile_linux(linux: &serde_json::Value, facts: &HostFacts) -> Result<CgroupPlan, Error> {
        let spec = serde_json::json!({"ociVersion": "1.3.0", "linux": linux});
        compile("web", &serde_json::from_value(spec).unwrap(), facts)
    }

    fn paths(path: Option<&str>, facts: &HostFacts) -> Result<Vec<String>, Error> {
        let dir = |dir: CgroupDir| dir.path.display().to_string();
        Ok(compile_linux(&serde_json::json!({"cgroupsPath": path}), facts)?
            .dirs
            .into_iter()
            .map(dir)
            .collect())
    }

    #[test]
    fn an_absolute_path_lies_below_every_mount() {
        let expected = ["/c/memory/a/b", "/c/devices/a/b", "/c/unified/a/b"];
        assert_eq!(paths(Some("/a//./x/../b/"), &hybrid_facts()).unwrap(), expected);
        assert_eq!(paths(Some("/../../a/b"), &hybrid_facts()).unwrap(), expected);
        assert_eq!(paths(Some("/a/b"), &v2_facts("/user/me")).unwrap(), ["/sys/fs/cgroup/a/b"]);
    }

    #[test]
    fn a_relative_path_lies_below_the_caller_on_v1_and_beside_it_on_v2() {
        let expected = ["/c/memory/user/a", "/c/devices/a", "/c/unified/a"];
        assert_eq!(paths(Some("../a"), &hybrid_facts()).unwrap(), expected);
        assert_eq!(paths(None, &v2_facts("/user/me")).unwrap(), ["/sys/fs/cgroup/user/web"]);
        assert_eq!(paths(Some(""), &v2_facts("/")).unwrap(), ["/sys/fs/cgroup/web"]);
        assert_eq!(paths(Some("s:p:n"), &v2_facts("/me")).unwrap(), ["/sys/fs/cgroup/s:p:n"]);
    }

    #[test]
    fn a_path_that_is_the_root_or_no_name_is_refused() {
        for path in ["/", "/..", ".", "a\nb", "a\0b"] {
            assert_eq!(paths(Some(path), &v2_facts("/")).expect_err(path).at, "linux.cgroupsPath");
        }
    }

    #[test]
    fn devices_take_the_form_that_the_host_enforces() {
        let policy = |facts: &HostFacts| compile_linux(&serde_json::json!({}), facts).unwrap().devices;
        assert!(matches!(policy(&v2_facts("/")), Some(DevicePolicy::Program(rules)) if rules.len() == 11));
        assert!(matches!(policy(&hybrid_facts()), Some(DevicePolicy::List(list)) if !list.allow));
        assert_eq!(policy(&HostFacts { in_user_ns: true, ..v2_facts("/") }), None);
        assert_eq!(policy(&HostFacts::default()), None);
    }

    #[test]
    fn only_a_rootless_container_without_wishes_can_do_without_a_cgroup() {
        let user = HostFacts { rootless: true, ..v2_facts("/") };
        let dispensable = |linux: &str, facts: &HostFacts| -> Vec<bool> {
            let plan = compile_linux(&serde_json::from_str(linux).unwrap(), facts).unwrap();
            plan.dirs.iter().map(|dir| dir.dispensable).collect()
        };
        assert_eq!(dispensable("{}", &user), [true]);
        assert_eq!(dispensable("{}", &v2_facts("/")), [false]);
        assert_eq!(dispensable(r#"{"cgroupsPath": "/a"}"#, &user), [false]);
        assert_eq!(dispensable(r#"{"resources": {"memory": {"limit": 4096}}}"#, &user), [false]);
        assert_eq!(dispensable(r#"{"resources": {"memory": {"limit": -1}}}"#, &user), [true]);
        let hybrid = HostFacts { rootless: true, ..hybrid_facts() };
        let limited = r#"{"resources": {"memory": {"limit": 4096}}}"#;
        assert_eq!(dispensable(limited, &hybrid), [false, true, true]);
    }

    #[test]
    fn the_cgroup_is_handed_over_only_to_one_who_can_manage_it() {
        let owner = |namespaces: &str, option: &str, facts: &HostFacts| {
            let json = format!(
                r#"{{"ociVersion": "1.3.0", "process": {{"cwd": "/", "user": {{"uid": 7, "gid": 0}}}},
                "mounts": [{{"destination": "/sys/fs/cgroup/", "type": "cgroup", "options": ["{option}"]}}],
                "linux": {{"namespaces": [{namespaces}],
                    "uidMappings": [{{"containerID": 5, "hostID": 1000, "size": 10}}]}}}}"#
            );
            let root = HostFacts { capabilities: u64::MAX, ..facts.clone() };
            compile("web", &serde_json::from_str(&json).unwrap(), &root).unwrap().owner
        };
        let (cgroup, user) = (r#"{"type": "cgroup"}"#, r#"{"type": "cgroup"}, {"type": "user"}"#);
        assert_eq!(owner(cgroup, "rw", &v2_facts("/")), Some(7));
        assert_eq!(owner(user, "rw", &v2_facts("/")), Some(1002));
        assert_eq!(owner(user, "ro", &v2_facts("/")), None);
        assert_eq!(owner("", "rw", &v2_facts("/")), None);
        assert_eq!(owner(r#"{"type": "cgroup", "path": "/proc/1/ns/cgroup"}"#, "rw", &v2_facts("/")), None);
        assert_eq!(owner(user, "rw", &hybrid_facts()), None);
    }

    #[test]
    fn an_update_touches_devices_only_when_told_to_and_knows_its_lowest_limit() {
        let update = |json: &str| update(&serde_json::from_str(json).unwrap(), &v2_facts("/")).unwrap();
        let checked = update(r#"{"memory": {"limit": 500, "swap": 900, "checkBeforeUpdate": true}}"#);
        assert_eq!((checked.usage_below, checked.devices), (Some(500), None));
        assert_eq!(update(r#"{"memory": {"limit": -1, "checkBeforeUpdate": true}}"#).usage_below, None);
        assert!(update(r#"{"devices": [{"allow": true, "access": "r"}]}"#).devices.is_some());
    }
}
