//! `linux.namespaces` and what depends on them: id maps, clock offsets, names.

use caps::Capability;

use super::{Builder, CgroupPlan, Error, HostFacts, IdMaps, Op, Open, Request, Slot, Text, process, sysctl};
use crate::spec::{NamespaceKind, Process, Spec};

/// What the parent must know about the namespaces.
pub(super) struct Namespaces {
    /// Made by clone3.
    pub created: Vec<NamespaceKind>,
    pub join_pid: Option<Slot>,
    pub id_maps: Option<IdMaps>,
    /// How many steps it takes until init is in all of them, but still is who the caller is.
    pub steps: usize,
}

/// Kinds made by clone3; a cgroup namespace must be rooted where the process ends up, and a time namespace is
/// entered only after its offsets are written, so init makes those two itself. Of an IPC namespace in a user namespace
/// see [`compile`].
const BY_CLONE: [NamespaceKind; 6] = [
    NamespaceKind::User,
    NamespaceKind::Pid,
    NamespaceKind::Network,
    NamespaceKind::Mount,
    NamespaceKind::Ipc,
    NamespaceKind::Uts,
];

/// Checks the list and plans the joins; new cgroup namespaces come later.
///
/// The root of /dev/mqueue belongs to whoever made the IPC namespace, for which clone3 takes the caller. So in a user
/// namespace init makes it, once it is root there.
pub(super) fn compile(
    spec: &Spec,
    cgroup: &CgroupPlan,
    facts: &HostFacts,
    out: &mut Builder,
) -> Result<Namespaces, Error> {
    check(spec)?;
    let linux = &spec.linux;
    let joined = |kind| linux.namespaces.iter().position(|ns| ns.kind == kind && ns.path.is_some());
    let is_new = |kind| linux.namespaces.iter().any(|ns| ns.kind == kind && ns.path.is_none());
    let id_maps = if is_new(NamespaceKind::User) {
        Some(IdMaps::new("linux", &linux.uid_mappings, &linux.gid_mappings)?.written_by(facts))
    } else {
        None
    };
    // A user may have no right to be born in the scope; then systemd moves init there, while it waits.
    let moved = cgroup.unit.as_ref().is_some_and(|unit| unit.user);
    // Without privilege, the files of our process are ours to write only until it becomes undumpable.
    let may_fork = joined(NamespaceKind::User).or(joined(NamespaceKind::Pid)).is_some();
    if id_maps.is_some() || moved || awaits_oom_score(spec.process.as_ref(), facts, may_fork) {
        out.step("", Op::AwaitGo);
    }
    if id_maps.is_none() {
        out.step("", Op::Undumpable);
    }
    let (mut join_pid, mut forks) = (None, false);
    for kind in NamespaceKind::ALL {
        let Some(index) = joined(kind) else { continue };
        let Some(path) = linux.namespaces[index].path.clone() else { continue };
        let at = format!("linux.namespaces[{index}].path");
        let foreign = sysctl::changes(spec, kind);
        let slot = out.open(Open::Namespace { kind, path, foreign, at: at.clone() });
        if kind == NamespaceKind::Pid && facts.may(Capability::CAP_SYS_ADMIN) {
            join_pid = Some(slot);
        } else {
            out.step(&at, Op::JoinNamespace { kind, slot });
            forks |= kind == NamespaceKind::Pid;
        }
    }
    let in_user_ns = id_maps.is_some() || joined(NamespaceKind::User).is_some();
    let becomes_root = in_user_ns && id_maps.as_ref().is_none_or(IdMaps::maps_root);
    let ipc_later = becomes_root && is_new(NamespaceKind::Ipc);
    let by_clone = |kind: &NamespaceKind| is_new(*kind) && !(ipc_later && *kind == NamespaceKind::Ipc);
    let mut created: Vec<_> = BY_CLONE.into_iter().filter(by_clone).collect();
    let mut forked = Vec::new();
    if joined(NamespaceKind::User).is_some() {
        // They must belong to the joined user namespace, so they cannot be made before it is joined.
        forked = std::mem::take(&mut created);
    }
    if forks || !forked.is_empty() {
        let flags = forked.iter().fold(0, |flags, kind| flags | u64::from(kind.clone_flag().cast_unsigned()));
        out.step("linux.namespaces", Op::Fork { flags });
    }
    let steps = out.steps.len();
    if is_new(NamespaceKind::Time) {
        out.step("linux.timeOffsets", Op::NewTimeNamespace { offsets: time_offsets(spec)? });
    }
    // Without privilege, only a process of the caller's own may be moved on v1.
    out.step("", Op::JoinCgroups);
    out.step("", Op::AllCpus);
    if becomes_root {
        out.step("linux.uidMappings", Op::BecomeRoot { drop_groups: true });
    }
    if ipc_later {
        out.step("linux.namespaces", Op::NewIpcNamespace);
    }
    if id_maps.is_some() {
        // Only now: until its ids are mapped, the files of our process belong to whoever maps them.
        out.step("", Op::Undumpable);
    }
    Ok(Namespaces { created, join_pid, id_maps, steps })
}

/// Whether the runtime must write the OOM score before init goes on: to become undumpable, or in a child, which inherits
/// the score.
pub(super) fn awaits_oom_score(process: Option<&Process>, facts: &HostFacts, forks: bool) -> bool {
    let given = process.is_some_and(|process| process.oom_score_adj.is_some());
    given && (forks || !facts.may(Capability::CAP_SYS_ADMIN))
}

fn check(spec: &Spec) -> Result<(), Error> {
    let linux = &spec.linux;
    for (index, ns) in linux.namespaces.iter().enumerate() {
        let at = format!("linux.namespaces[{index}]");
        if linux.namespaces[..index].iter().any(|earlier| earlier.kind == ns.kind) {
            return Err(Error::new(format!("{at}.type"), format!("{} is listed twice", ns.kind.name()))
                .hint("a process is in one namespace of each kind: keep one of the two"));
        }
        if ns.path.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(Error::new(format!("{at}.path"), "is not an absolute path")
                .hint("write /proc/PID/ns/NAME or the file that the namespace is bound to"));
        }
    }
    let find = |kind| linux.namespaces.iter().find(|ns| ns.kind == kind);
    if find(NamespaceKind::Mount).is_none() {
        return Err(Error::new("linux.namespaces", "has no mount namespace")
            .hint("add {\"type\": \"mount\"}: without it the container's mounts would land on the host"));
    }
    let has_maps = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    if has_maps && find(NamespaceKind::User).is_none() {
        return Err(Error::new("linux.uidMappings", "is set without a user namespace")
            .hint("add {\"type\": \"user\"} to linux.namespaces"));
    }
    let new_time = find(NamespaceKind::Time).is_some_and(|ns| ns.path.is_none());
    if !linux.time_offsets.is_empty() && !new_time {
        return Err(Error::new("linux.timeOffsets", "is set without a new time namespace")
            .hint("add {\"type\": \"time\"} to linux.namespaces"));
    }
    Ok(())
}

fn time_offsets(spec: &Spec) -> Result<Text, Error> {
    let mut lines = String::new();
    for (clock, offset) in &spec.linux.time_offsets {
        let at = format!("linux.timeOffsets.{clock}");
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            return Err(
                Error::new(at, "is no clock that can be shifted").hint("use \"monotonic\" or \"boottime\"")
            );
        }
        if offset.nanosecs > 999_999_999 {
            return Err(Error::new(format!("{at}.nanosecs"), "is above 999999999")
                .hint("put whole seconds into secs"));
        }
        lines += &format!("{clock} {} {}\n", offset.secs, offset.nanosecs);
    }
    Text::new("linux.timeOffsets", lines)
}

/// What comes once init sits in its cgroups: the cgroup namespace, session, keyring and interfaces.
pub(super) fn after_cgroups(
    spec: &Spec,
    request: &Request,
    facts: &HostFacts,
    out: &mut Builder,
) -> Result<(), Error> {
    let is_new = |kind| spec.linux.namespaces.iter().any(|ns| ns.kind == kind && ns.path.is_none());
    if is_new(NamespaceKind::Cgroup) {
        out.step("linux.namespaces", Op::NewCgroupNamespace);
    }
    out.step("", Op::NewSession);
    process::keyring(spec.process.as_ref(), request, facts, out)?;
    if is_new(NamespaceKind::Network) {
        out.step("", Op::LoopbackUp);
    }
    if !spec.linux.net_devices.is_empty() {
        out.step("linux.netDevices", Op::AwaitNetDevices);
    }
    Ok(())
}

/// Host and domain name, which need a UTS namespace of the container's own.
pub(super) fn names(spec: &Spec, out: &mut Builder) -> Result<(), Error> {
    let own_uts = spec.linux.namespaces.iter().any(|ns| ns.kind == NamespaceKind::Uts);
    let named = |at: &str, name: &Option<String>| match name.as_deref() {
        None | Some("") => Ok(None),
        Some(_) if !own_uts => Err(Error::new(at, "is set without a UTS namespace")
            .hint("add {\"type\": \"uts\"} to linux.namespaces")),
        Some(name) if name.len() > 64 => {
            Err(Error::new(at, "is longer than 64 bytes").hint("the kernel takes no more"))
        }
        Some(name) => Text::new(at, name).map(Some),
    };
    if let Some(name) = named("hostname", &spec.hostname)? {
        out.step("hostname", Op::Hostname { name });
    }
    if let Some(name) = named("domainname", &spec.domainname)? {
        out.step("domainname", Op::Domainname { name });
    }
    Ok(())
}
