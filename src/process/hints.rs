//! What to do about a failure, by operation and errno.

use super::error::OOM_SCORE;
use crate::plan::Op;
use crate::sys::Errno;

/// Something that is opened before clone, or a tree that init clones.
pub(super) fn open(at: &str, errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT if at == "root.path" => {
            "the root filesystem must exist; a relative path counts from the bundle"
        }
        Errno::ENOENT if at.starts_with("mounts") => "create the source on the host, or remove the mount",
        Errno::ENOTDIR if at == "root.path" => "the root filesystem must be a directory",
        Errno::EACCES if at == OOM_SCORE => {
            "a score below the runtime's own needs CAP_SYS_RESOURCE on the host"
        }
        Errno::EPERM if at.starts_with("linux.namespaces") => {
            "set kernel parameters on the host, or leave the path out for a namespace of the container's own"
        }
        Errno::ENOTTY => "the file is no namespace: use one of /proc/PID/ns/",
        Errno::EINVAL if at.starts_with("mounts") => {
            "is the source's filesystem able to do this (unbindable, no idmapping)?"
        }
        _ => "",
    }
}

/// The first process.
pub(super) fn clone(errno: Errno, user_ns: bool) -> &'static str {
    match errno {
        Errno::EPERM if user_ns => {
            "user namespaces are denied here: by a sysctl (kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns), or by the seccomp filter of a container around us"
        }
        Errno::EPERM => {
            "without CAP_SYS_ADMIN the container needs a user namespace: see what `hull spec --rootless` writes"
        }
        Errno::ENOSPC | Errno::EUSERS => {
            "the limit of namespaces is reached: see /proc/sys/user/, and namespaces(7) on nesting"
        }
        Errno::EACCES => {
            "the cgroup is delegated to the caller, who is not in the delegated part of the tree: \
             call from a cgroup inside, as systemd-run --user --scope makes one"
        }
        Errno::EBUSY => {
            "the cgroup hands controllers down, so it takes no processes: choose another cgroupsPath"
        }
        _ => "",
    }
}

/// Interfaces of the host.
pub(super) fn net_device(errno: Errno) -> &'static str {
    match errno {
        Errno::ENODEV => "the runtime's network namespace has no interface of that name",
        Errno::EEXIST => "the container's network namespace has an interface of that name: choose another",
        Errno::EBUSY => "the interfaces are there already: leave them out, or join another namespace",
        Errno::EINVAL => "some interfaces, such as lo, cannot leave their network namespace",
        Errno::EPERM => "moving an interface needs CAP_NET_ADMIN in both network namespaces",
        _ => "",
    }
}

/// A step of init.
pub(super) fn step(op: &Op, errno: Errno) -> &'static str {
    match (op, errno) {
        (Op::JoinContainer { .. }, Errno::EPERM) => {
            "the container is another user's, or waits for start: until then it hides from unprivileged callers"
        }
        (Op::JoinContainer { .. }, Errno::EINVAL) => "all namespaces at once can be joined since Linux 5.8",
        (Op::CloneTree { tree, .. }, errno) => open(&tree.at, errno),
        (Op::NewFs(_), Errno::EINVAL) => {
            "an option that this filesystem does not know, or a value that it refuses"
        }
        (Op::NewFs(_), Errno::ENODEV) => "this kernel does not have that filesystem",
        (Op::NewFs(new), Errno::EPERM) => denied(new.fs.to_bytes()),
        (Op::Attach(_), Errno::EPERM) => OVER_PROC,
        (Op::NewFs(_) | Op::Attach(_), Errno::ELOOP) => {
            "procfs and sysfs must be mounted on ordinary directory, and the target is a symbolic link"
        }
        (Op::Attach(_) | Op::NewFs(_), Errno::ENOTDIR) => "a directory goes on a directory, a file on a file",
        (Op::Device(_), Errno::EEXIST) => "something else is at that place in the root filesystem: remove it",
        (Op::Device(_), Errno::EPERM) => "device nodes need CAP_MKNOD on the host",
        (Op::NewCgroupNamespace, Errno::EINVAL) => "this kernel has no cgroup namespaces",
        (Op::NewTimeNamespace { .. }, Errno::EINVAL) => {
            "this kernel has no time namespaces: they are an option since Linux 5.6"
        }
        (Op::NewTimeNamespace { .. }, Errno::ERANGE) => "with the offset the clock would leave its range",
        (Op::Rlimit(_), Errno::EPERM) => "raising a hard limit needs CAP_SYS_RESOURCE on the host",
        (Op::Sysctl { .. }, Errno::ENOENT) => "this kernel does not have that parameter",
        (Op::Sysctl { .. }, Errno::EINVAL) => "the kernel refuses the value",
        (Op::Cwd { .. }, Errno::EXDEV | Errno::ENOENT | Errno::ELOOP) => {
            "the working directory must be inside the root filesystem"
        }
        (Op::Identity(_), Errno::EINVAL) => "the id is not mapped in linux.uidMappings or linux.gidMappings",
        (Op::Identity(_), Errno::EPERM) => {
            "supplementary groups need setgroups(2), which this user namespace denies"
        }
        (Op::MemoryPolicy { .. }, Errno::EINVAL) => {
            "this kernel does not know the mode or a flag of it, or the machine has no such node"
        }
        (Op::Label { file, .. }, Errno::ENOENT) if file.to_bytes().starts_with(b"attr/apparmor") => {
            "the kernel has no profile of that name: load it with apparmor_parser -r"
        }
        (Op::Label { .. } | Op::LabelRoot { .. }, Errno::EINVAL) => "the policy has no such label",
        (Op::Label { .. }, Errno::EACCES | Errno::EPERM) => {
            "the policy or profile of the runtime does not allow it to use that one"
        }
        (Op::Seccomp, Errno::EINVAL) => "this kernel does not know one of the filter's flags",
        (Op::PivotRoot, Errno::EINVAL) => {
            "the host's root cannot be pivoted away from (an initramfs?): use --no-pivot"
        }
        _ => "",
    }
}

const OVER_PROC: &str = "a mount over /proc is refused unless it is one of the files that may be covered";

/// What a filesystem of this type must belong to, if the container is in a user namespace.
fn denied(fs: &[u8]) -> &'static str {
    match fs {
        b"sysfs" => {
            "in a user namespace sysfs needs a network namespace of the container's own, and a /sys around us \
             that nothing is mounted over: bind /sys instead"
        }
        b"proc" => {
            "in a user namespace procfs needs a pid namespace of the container's own, and a /proc around us \
             that nothing is mounted over, such as masks: bind /proc instead"
        }
        b"mqueue" => "in a user namespace mqueue needs an ipc namespace of the container's own",
        b"cgroup" | b"cgroup2" => {
            "in a user namespace cgroups need a cgroup namespace of the container's own"
        }
        _ => OVER_PROC,
    }
}
