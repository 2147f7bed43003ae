//! A plan as text: what `hull plan` prints, and what the golden tests compare.
//!
//! First what the runtime's process does, with its slots, then the steps of init, numbered from 1. Each step names
//! the property of config.json that asked for it.

use std::fmt;

use super::{ChildPlan, DeviceNode, DevicePolicy, ExecPlan, IdMaps, MapWriter, Op, Open, ParentPlan, Plan};
use crate::spec::NamespaceKind;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "runtime:")?;
        self.parent.fmt(f)?;
        writeln!(f, "init:")?;
        self.child.fmt(f)
    }
}

impl fmt::Display for ExecPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "runtime:")?;
        slots(&self.open, f)?;
        if let Some(seccomp) = &self.seccomp {
            writeln!(f, "  seccomp: {seccomp}")?;
        }
        f.write_str(if self.join_pid {
            "  clone into the container's pid namespace\n"
        } else {
            "  clone\n"
        })?;
        oom_score_adj(self.oom_score_adj, f)?;
        writeln!(f, "process:")?;
        self.child.fmt(f)
    }
}

impl fmt::Display for ParentPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(unit) = &self.cgroup.unit {
            let systemd = if unit.user { "the user's systemd" } else { "systemd" };
            writeln!(f, "  scope {} of {systemd}", unit.name)?;
            for property in &unit.properties {
                writeln!(f, "  property {} = {}", property.name, property.value)?;
            }
        }
        for dir in &self.cgroup.dirs {
            writeln!(f, "  cgroup {}", dir.path.display())?;
        }
        for write in &self.cgroup.writes {
            writeln!(f, "  write {} = {:?}", write.file, write.value)?;
        }
        if let Some(rdt) = &self.intel_rdt {
            writeln!(f, "  class of service {}", rdt.clos.display())?;
            rdt.schemata.iter().try_for_each(|schema| writeln!(f, "  write schemata = {schema:?}"))?;
            if let Some(group) = &rdt.mon_group {
                writeln!(f, "  monitoring group {}", group.display())?;
            }
        }
        if let Some(devices) = &self.cgroup.devices {
            writeln!(f, "  devices: {devices}")?;
        }
        if let Some(owner) = self.cgroup.owner {
            writeln!(f, "  give the cgroup to uid {owner}")?;
        }
        slots(&self.open, f)?;
        if let Some(seccomp) = &self.seccomp {
            writeln!(f, "  seccomp: {seccomp}")?;
        }
        if let Some(slot) = self.join_pid {
            writeln!(f, "  join the pid namespace around clone (slot {slot})")?;
        }
        match self.namespaces.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" ") {
            none if none.is_empty() => writeln!(f, "  clone")?,
            kinds => writeln!(f, "  clone into new namespaces: {kinds}")?,
        }
        oom_score_adj(self.oom_score_adj, f)?;
        if let Some(maps) = &self.id_maps {
            maps.fmt(f)?;
        }
        for device in &self.net_devices {
            writeln!(f, "  move interface {} in as {}", device.host, device.inside)?;
        }
        for (kind, hook) in &self.create_hooks {
            writeln!(f, "  {kind} hook {}", hook.path)?;
        }
        for hook in &self.poststart {
            writeln!(f, "  poststart hook {}", hook.path)?;
        }
        Ok(())
    }
}

impl fmt::Display for IdMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for map in [&self.uids, &self.gids] {
            match map.writer {
                MapWriter::Runtime => writeln!(f, "  write {} {:?}", map.kind.file(), map.text())?,
                MapWriter::WithoutGroups => {
                    writeln!(f, "  deny setgroups, write {} {:?}", map.kind.file(), map.text())?;
                }
                MapWriter::Tool => writeln!(f, "  {} {:?}", map.kind.tool(), map.text())?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ChildPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            write!(f, "  {number:3} {}", step.op)?;
            match step.at.as_str() {
                "" => writeln!(f)?,
                at => writeln!(f, "  [{at}]")?,
            }
        }
        Ok(())
    }
}

fn slots(open: &[Open], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    open.iter().enumerate().try_for_each(|(slot, open)| writeln!(f, "  slot {slot}: {open}"))
}

fn oom_score_adj(score: Option<i64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    score.map_or(Ok(()), |score| writeln!(f, "  write oom_score_adj {score}"))
}

impl fmt::Display for DevicePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (default, rules) = match self {
            Self::List(list) => (if list.allow { "allow" } else { "deny" }, &list.exceptions),
            Self::Program(rules) => ("deny", rules),
        };
        write!(f, "{default} all")?;
        rules.iter().try_for_each(|rule| write!(f, ", {} {rule}", if rule.allow { "allow" } else { "deny" }))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undumpable => f.write_str("become undumpable"),
            Self::JoinContainer { flags } => {
                write!(f, "join the container's namespaces:{}", kinds(u64::from(flags.cast_unsigned())))
            }
            Self::AwaitGo => f.write_str("wait for the runtime's go"),
            Self::JoinNamespace { kind, slot } => write!(f, "join {} namespace (slot {slot})", kind.name()),
            Self::NewTimeNamespace { offsets } => {
                write!(f, "new time namespace, offsets {:?}", offsets.to_string())
            }
            Self::Fork { flags: 0 } => f.write_str("fork"),
            Self::Fork { flags } => write!(f, "fork into new namespaces:{}", kinds(*flags)),
            Self::BecomeRoot { .. } => f.write_str("become root of the user namespace"),
            Self::NewIpcNamespace => f.write_str("new ipc namespace"),
            Self::CloneTree { slot, tree } => write!(f, "{tree} (slot {slot})"),
            Self::JoinCgroups => f.write_str("join v1 cgroups"),
            Self::NewCgroupNamespace => f.write_str("new cgroup namespace"),
            Self::NewSession => f.write_str("new session"),
            Self::NewKeyring { name } => write!(f, "new session keyring {name}"),
            Self::LoopbackUp => f.write_str("bring the loopback interface up"),
            Self::AwaitNetDevices => f.write_str("wait for the network interfaces"),
            Self::IsolateMounts => f.write_str("isolate the mounts from the host's"),
            Self::EnterRoot { slot, path: None } => write!(f, "enter the root filesystem (slot {slot})"),
            Self::EnterRoot { slot, path: Some(path) } => {
                write!(f, "enter the root filesystem at {path} (slot {slot})")
            }
            Self::NewFs(fs) => fs.fmt(f),
            Self::Attach(attach) => attach.fmt(f),
            Self::Remount(remount) => remount.fmt(f),
            Self::Symlink { path, to, .. } => write!(f, "symlink {path} -> {to}"),
            Self::Device(node) => node.fmt(f),
            Self::MakeDir { path } => write!(f, "make directory {path}"),
            Self::AwaitHooks => f.write_str("wait for the runtime's hooks"),
            Self::RunHooks { kind, hooks, filter, .. } => {
                let behind = if *filter { " behind the seccomp filter" } else { "" };
                write!(f, "run {} {kind} hooks{behind}", hooks.len())
            }
            Self::PivotRoot => f.write_str("pivot into the root filesystem"),
            Self::Chroot { without, .. } => {
                f.write_str("chroot into the root filesystem")?;
                without.iter().try_for_each(|path| write!(f, ", without {path}"))
            }
            Self::Console(_) => f.write_str("set up the terminal"),
            Self::RootPropagation { changes } => {
                f.write_str("set the propagation of / to")?;
                changes.iter().try_for_each(|change| write!(f, " {change}"))
            }
            Self::ReadonlyRoot => f.write_str("make / read-only"),
            Self::Hostname { name } => write!(f, "set hostname {name}"),
            Self::Domainname { name } => write!(f, "set domainname {name}"),
            Self::Sysctl { path, value } => write!(f, "set sysctl {path} = {value}"),
            Self::Readonly { path } => write!(f, "make {path} read-only"),
            Self::Mask { path, .. } => write!(f, "mask {path}"),
            _ => self.fmt_process(f),
        }
    }
}

impl Op {
    /// The second half of Display: what concerns the process rather than its surroundings.
    fn fmt_process(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label { file, label } => write!(f, "set {file} to {label}"),
            Self::LabelRoot { target, label } => write!(f, "label {target} {label}"),
            Self::Scheduler(attr) => write!(f, "set scheduler policy {}, nice {}", attr.policy, attr.nice),
            Self::IoPriority { value } => {
                write!(f, "set I/O priority class {} level {}", value >> 13, value & 7)
            }
            Self::AllCpus => f.write_str("use all CPUs of the cgroup"),
            Self::Affinity { mask } => write!(f, "set CPU affinity {mask:x?}"),
            Self::MemoryPolicy { mode, nodes } => write!(f, "set memory policy {mode:#x}, nodes {nodes:x?}"),
            Self::Personality { domain } => write!(f, "set personality {domain:#x}"),
            Self::Umask { mask } => write!(f, "set umask {mask:04o}"),
            Self::Cwd { path } => write!(f, "change to {path}"),
            Self::OwnStdio { uid } => write!(f, "give stdio to uid {uid}"),
            Self::BoundingSet { drop } => write!(f, "drop {} bounding capabilities", drop.len()),
            Self::Identity(id) => write!(f, "become uid {} gid {}", id.uid, id.gid),
            Self::CapSet(sets) => write!(
                f,
                "set capabilities effective {:#x} permitted {:#x} inheritable {:#x}",
                sets.effective, sets.permitted, sets.inheritable
            ),
            Self::Ambient { raise } => write!(f, "raise {} ambient capabilities", raise.len()),
            Self::NoNewPrivileges => f.write_str("set no_new_privs"),
            Self::Home { uid } => write!(f, "look up the home directory of uid {uid}"),
            Self::FindProgram => f.write_str("find the program"),
            Self::Ready => f.write_str("report ready"),
            Self::AwaitStart { .. } => f.write_str("wait for start"),
            Self::Farewell => f.write_str("take leave of the runtime"),
            Self::Seccomp => f.write_str("load the seccomp filter"),
            Self::Rlimit(limit) => write!(f, "set {} to {}:{}", limit.name, limit.soft, limit.hard),
            Self::DefaultSignals => f.write_str("restore default signals"),
            Self::CloseDescriptors { first } => write!(f, "close descriptors from {first} on at exec"),
            Self::Exec => f.write_str("execute the program"),
            _ => Ok(()),
        }
    }
}

/// The kinds of namespaces among CLONE_NEW* bits, each after a space.
fn kinds(flags: u64) -> String {
    let among = |kind: &NamespaceKind| flags & u64::from(kind.clone_flag().cast_unsigned()) != 0;
    NamespaceKind::ALL.into_iter().filter(among).map(|kind| format!(" {}", kind.name())).collect()
}

impl fmt::Display for DeviceNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.mode & libc::S_IFMT {
            libc::S_IFBLK => 'b',
            libc::S_IFIFO => 'p',
            _ => 'c',
        };
        let Self { path, major, minor, .. } = self;
        write!(f, "device {path} {kind} {major}:{minor} {:04o}", self.mode & 0o7777)?;
        match &self.bind {
            Some(source) => write!(f, " (bind {source})"),
            None => Ok(()),
        }
    }
}
