//! The operations that the container's init walks, one after the other, between clone and execve.
//!
//! Each is total: nothing is looked up, decided or formatted when it runs. A failing step is reported by its index,
//! and the runtime, which owns the plan, prints it.

use serde::Serialize;

use super::mount::{Attach, NewFs, PropagationChange, Remount, Target, Tree};
use super::{HookPlan, Text};
use crate::spec::NamespaceKind;
use crate::sys::cred::CapSets;
use crate::sys::sched::SchedAttr;

/// Index of a descriptor that the parent opens before clone: see [`super::Open`].
pub type Slot = usize;

/// One operation and the property of config.json that asked for it.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// JSON path such as `mounts[3]`; empty for what every container gets.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// What to do.
    #[serde(flatten)]
    pub op: Op,
}

/// One operation.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Hides our memory and descriptors from processes inside (PR_SET_DUMPABLE, CVE-2016-9962).
    Undumpable,
    /// Joins all namespaces of a running container at once, by its init's pidfd.
    JoinContainer {
        /// CLONE_NEW* bits of the namespaces that differ from ours.
        flags: i32,
    },
    /// Waits until the parent has done what only it can do from outside: id maps, idmapped mounts.
    AwaitGo,
    /// Joins an existing namespace.
    JoinNamespace {
        /// Which kind.
        kind: NamespaceKind,
        /// Its descriptor.
        slot: Slot,
    },
    /// Enters a new time namespace with these offsets (time_namespaces(7)).
    NewTimeNamespace {
        /// Lines for /proc/self/timens_offsets.
        offsets: Text,
    },
    /// Goes on in a sibling: in new namespaces that must belong to a joined user namespace, or in a joined pid
    /// namespace, which only children enter.
    Fork {
        /// CLONE_NEW* bits.
        flags: u64,
    },
    /// Becomes uid and gid 0 of the user namespace.
    BecomeRoot {
        /// Whether setgroups(2) is allowed there.
        drop_groups: bool,
    },
    /// Makes an IPC namespace that belongs to who we are now.
    NewIpcNamespace,
    /// Clones a host tree, where the parent may not.
    CloneTree {
        /// Where it goes.
        slot: Slot,
        /// What.
        tree: Tree,
    },
    /// Joins the v1 cgroups by writing to their `tasks` files, which is cheap only while we are single-threaded.
    JoinCgroups,
    /// Makes a cgroup namespace rooted where we are now.
    NewCgroupNamespace,
    /// setsid(2).
    NewSession,
    /// Joins a fresh session keyring.
    NewKeyring {
        /// Its name.
        name: Text,
    },
    /// Brings the loopback interface up.
    LoopbackUp,
    /// Hands out our network namespace, and waits until the parent has moved interfaces into it.
    AwaitNetDevices,
    /// Takes the mounts we inherited out of the host's propagation.
    IsolateMounts,
    /// Attaches the root filesystem and makes it the working directory.
    EnterRoot {
        /// Its detached tree.
        slot: Slot,
        /// Where it is attached, for hooks that look there; on top of `/` otherwise, which needs no search.
        path: Option<Text>,
    },
    /// Makes a filesystem and attaches it.
    NewFs(NewFs),
    /// Attaches a host directory or file.
    Attach(Attach),
    /// Changes a mount that is there already.
    Remount(Remount),
    /// Makes a symbolic link.
    Symlink {
        /// Where.
        path: Target,
        /// Content of the link.
        to: Text,
        /// Whether something else at that place is removed first.
        replace: bool,
    },
    /// Makes a device node, or binds the host's when nodes cannot be made.
    Device(DeviceNode),
    /// Waits while the parent runs prestart and createRuntime hooks.
    AwaitHooks,
    /// Runs hooks inside.
    RunHooks {
        /// Property name, as `createContainer`.
        kind: &'static str,
        /// In order.
        hooks: Vec<HookPlan>,
        /// Capabilities that they run with; `None` for ours.
        caps: Option<CapSets>,
        /// Whether they load the container's seccomp filter, which init has not loaded yet.
        filter: bool,
    },
    /// pivot_root(2); the host's tree is gone afterwards.
    PivotRoot,
    /// chroot(2), for `--no-pivot`.
    Chroot {
        /// Whether the root filesystem is somewhere else than on top of `/`, and moves there.
        moves: bool,
        /// Mounts of the host that are taken away.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        without: Vec<Text>,
    },
    /// Makes a pseudoterminal our stdio and /dev/console, and hands the master out.
    Console(Console),
    /// Changes the propagation of `/`.
    RootPropagation {
        /// The changes, in order.
        changes: Vec<PropagationChange>,
    },
    /// Makes `/` read-only.
    ReadonlyRoot,
    /// sethostname(2).
    Hostname {
        /// The name.
        name: Text,
    },
    /// setdomainname(2).
    Domainname {
        /// The name.
        name: Text,
    },
    /// Writes a kernel parameter.
    Sysctl {
        /// Path below /proc/sys.
        path: Text,
        /// Value.
        value: Text,
    },
    /// Labels the root of a filesystem, in an extended attribute.
    LabelRoot {
        /// Where it is mounted.
        target: Target,
        /// The label.
        label: Text,
    },
    /// Makes a path read-only, with everything below.
    Readonly {
        /// The path; a missing one is skipped.
        path: Target,
    },
    /// Makes a path unreadable.
    Mask {
        /// The path; a missing one is skipped.
        path: Target,
        /// The host's /dev/null.
        null: Slot,
    },
    /// Labels what this process makes or executes from now on.
    Label {
        /// File below /proc/self, as `attr/apparmor/exec`.
        file: Text,
        /// The label.
        label: Text,
    },
    /// sched_setattr(2).
    Scheduler(SchedAttr),
    /// ioprio_set(2).
    IoPriority {
        /// Class and level.
        value: i32,
    },
    /// Undoes sched_setaffinity(2) of whoever called the runtime: all CPUs of the cgroup.
    AllCpus,
    /// sched_setaffinity(2).
    Affinity {
        /// CPUs as bits.
        mask: Vec<u64>,
    },
    /// set_mempolicy(2).
    MemoryPolicy {
        /// Mode and flags.
        mode: i32,
        /// Nodes as bits.
        nodes: Vec<u64>,
    },
    /// personality(2).
    Personality {
        /// Execution domain.
        domain: u64,
    },
    /// umask(2).
    Umask {
        /// Mode bits.
        mask: u32,
    },
    /// chdir(2), then proof that we are still inside.
    Cwd {
        /// The directory.
        path: Target,
    },
    /// Makes a directory, with its parents.
    MakeDir {
        /// Where.
        path: Target,
    },
    /// Gives stdio to the container's user.
    OwnStdio {
        /// The user.
        uid: u32,
    },
    /// Drops what is not in the set from the bounding set.
    BoundingSet {
        /// Capabilities to drop.
        drop: Vec<u8>,
    },
    /// setgroups(2), setresgid(2), setresuid(2), keeping permitted capabilities.
    Identity(Identity),
    /// capset(2).
    CapSet(CapSets),
    /// Raises ambient capabilities.
    Ambient {
        /// Capabilities to raise.
        raise: Vec<u8>,
    },
    /// PR_SET_NO_NEW_PRIVS.
    NoNewPrivileges,
    /// Sets HOME from the container's passwd file.
    Home {
        /// Whose.
        uid: u32,
    },
    /// Finds the program, so that a missing one fails `create`.
    FindProgram,
    /// Tells the parent that all is set up, and waits until it has recorded us.
    Ready,
    /// Waits for `start`.
    AwaitStart {
        /// The listening socket.
        slot: Slot,
    },
    /// Takes the runtime's last packet: whoever closes the socket from here on has executed the program.
    Farewell,
    /// Loads the seccomp filter.
    Seccomp,
    /// setrlimit(2).
    Rlimit(RlimitPlan),
    /// Undoes what the runtime did to its own signals.
    DefaultSignals,
    /// Marks every descriptor from `first` on to be closed at exec.
    CloseDescriptors {
        /// First descriptor that the program does not get.
        first: u32,
    },
    /// execve(2).
    Exec,
}

impl Op {
    /// Whether all that it does is to wait for the runtime.
    #[must_use]
    pub fn waits(&self) -> bool {
        use Op::{AwaitGo, AwaitHooks, AwaitNetDevices, AwaitStart, Ready};
        matches!(self, AwaitGo | AwaitHooks | AwaitNetDevices | AwaitStart { .. } | Ready)
    }
}

/// A device that must exist.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceNode {
    /// Where.
    pub path: Target,
    /// S_IFCHR, S_IFBLK or S_IFIFO with the mode bits.
    pub mode: u32,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The host's node, bound when nodes cannot be made (user namespaces).
    pub bind: Option<Text>,
}

/// A pseudoterminal.
#[derive(Debug, Clone, Serialize)]
pub struct Console {
    /// Socket that takes the master.
    pub slot: Slot,
    /// Rows and columns.
    pub size: Option<(u16, u16)>,
    /// Whether /dev/console is bound to it.
    pub mount: bool,
}

/// Ids of the program.
#[derive(Debug, Clone, Serialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; `None` where setgroups(2) is denied.
    pub groups: Option<Vec<u32>>,
}

/// One resource limit.
#[derive(Debug, Clone, Serialize)]
pub struct RlimitPlan {
    /// Name, for messages.
    pub name: &'static str,
    /// RLIMIT_* number.
    pub resource: u32,
    /// Value in force.
    pub soft: u64,
    /// Ceiling.
    pub hard: u64,
}
