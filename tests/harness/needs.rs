//! What a test needs of its host. A lack is a skip said aloud and counted, never a silent pass.
//!
//! Each skip is printed and, with `HULL_SKIPS=FILE`, appended to that file; scripts/test compares it with
//! tests/skips.txt, so that a skip which nobody expected fails the build.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use super::caller;
use super::driver::Driver;
use super::runtime::Runtime;

/// What is missing, or nothing.
pub type Need = Result<(), String>;

/// Returns from the test, with a recorded skip, unless the host offers everything named:
/// `needs!(root, cgroup_v1("memory"))`.
#[macro_export]
macro_rules! needs {
    ($($need:ident $(($argument:expr))?),+ $(,)?) => {
        $(if let Err(reason) = $crate::harness::$need($($argument)?) {
            fn here() {}
            $crate::harness::skip(std::any::type_name_of_val(&here), &reason);
            return;
        })+
    };
}

/// Records a skip; `place` is the path of a function inside the test.
pub fn skip(place: &str, reason: &str) {
    let line = format!("SKIP {}: {reason}\n", place.trim_end_matches("::here").replace("::", "/"));
    eprint!("{line}");
    if let Some(path) = std::env::var_os("HULL_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

fn when(holds: bool, reason: &str) -> Need {
    if holds { Ok(()) } else { Err(reason.to_owned()) }
}

/// Effective user 0.
pub fn root() -> Need {
    when(caller::is_root(), "needs root")
}

/// Root, or a user who has enough for a container of root's kind: user namespaces and a range of further ids.
pub fn root_or_ranges() -> Need {
    let granted = user_ns().is_ok() && caller::mappings().is_some();
    when(caller::is_root() || granted, "needs root, or a range of ids in /etc/subuid and /etc/subgid")
}

/// A cgroup for each container, which a user may not have.
pub fn cgroup() -> Need {
    let there = caller::cgroup_above(Driver::chosen()).is_some();
    when(there, "needs a cgroup that is delegated to the user")
}

/// CAP_SYS_RESOURCE, to raise a hard limit.
pub fn sys_resource() -> Need {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    when(bits & (1 << 24) != 0, "needs CAP_SYS_RESOURCE")
}

/// New user namespaces.
pub fn user_ns() -> Need {
    let limit = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    when(limit.trim().parse::<u64>().is_ok_and(|limit| limit > 0), "needs user namespaces")
}

/// A kernel of that version or a newer one.
pub fn kernel(version: &str) -> Need {
    let numbers = |text: &str| -> Vec<u32> {
        text.split(['.', '-']).map_while(|number| number.parse().ok()).take(2).collect()
    };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    when(numbers(&release) >= numbers(version), &format!("needs Linux {version}"))
}

/// New time namespaces (kernel 5.6).
pub fn time_ns() -> Need {
    when(fs::metadata("/proc/self/ns/time").is_ok(), "needs time namespaces (kernel 5.6)")
}

/// Whose it has to be: the host may have what it has not given to the user.
fn of_the_user() -> &'static str {
    if caller::is_root() { "" } else { ", delegated to the user" }
}

/// A controller of either version, below /sys/fs/cgroup.
pub fn controller(name: &str) -> Need {
    cgroup()?;
    let there = cgroup_v1(name).is_ok() || cgroup2(name).is_ok();
    when(there, &format!("needs the controller {name}{}", of_the_user()))
}

/// Controllers of cgroup2 that no cgroup with processes of its own can hand down.
pub const DOMAIN_CONTROLLERS: &[&str] = &["memory", "io", "hugetlb", "rdma", "misc"];

/// One of them, on a host with cgroup2 alone.
pub fn domain_controller() -> Need {
    cgroup()?;
    let there = DOMAIN_CONTROLLERS.iter().any(|name| cgroup2(name).is_ok());
    when(there, "needs a domain controller of a pure cgroup2 host")
}

/// A freezer of either version.
pub fn freezer() -> Need {
    cgroup_v1("freezer").or_else(|_| pure_cgroup2())
}

/// A v1 controller mounted below /sys/fs/cgroup.
pub fn cgroup_v1(controller: &str) -> Need {
    let marker = format!("/sys/fs/cgroup/{controller}/cgroup.procs");
    when(caller::is_root() && fs::metadata(marker).is_ok(), &format!("needs the v1 controller {controller}"))
}

/// An absence of a v1 controller.
pub fn no_cgroup_v1(controller: &str) -> Need {
    when(cgroup_v1(controller).is_err(), &format!("needs a host without the v1 controller {controller}"))
}

/// A controller of a cgroup2 mounted at /sys/fs/cgroup.
pub fn cgroup2(controller: &str) -> Need {
    let offered = caller::v2_controllers().iter().any(|offered| offered == controller);
    when(offered, &format!("needs the controller {controller} of a pure cgroup2 host{}", of_the_user()))
}

/// Real-time budgets of cgroups.
pub fn real_time_groups() -> Need {
    let there = fs::metadata("/sys/fs/cgroup/cpu/cpu.rt_period_us").is_ok();
    when(there, "needs real-time budgets of v1 cgroups (CONFIG_RT_GROUP_SCHED)")
}

/// An I/O scheduler with weights for v1 cgroups.
pub fn block_io_weight() -> Need {
    let known = |name: &str| fs::metadata(format!("/sys/fs/cgroup/blkio/{name}")).is_ok();
    // The root has statistics of the scheduler, but no weight.
    let there = known("blkio.bfq.io_serviced") || known("blkio.weight");
    when(there, "needs an I/O scheduler with weights (CONFIG_BFQ_GROUP_IOSCHED)")
}

/// Cgroups made by the runtime: `HULL_DRIVER` does not say otherwise.
pub fn cgroupfs() -> Need {
    let other = std::env::var("HULL_DRIVER").is_ok_and(|driver| driver == "systemd");
    when(!other, "needs the cgroupfs driver")
}

/// ip(8), with JSON.
pub fn iproute2() -> Need {
    let there = std::process::Command::new("ip").args(["-json", "link"]).output();
    when(there.is_ok_and(|done| done.status.success()), "needs iproute2")
}

/// A cgroup2 at /sys/fs/cgroup and nothing else, whatever its controllers.
pub fn pure_cgroup2() -> Need {
    let there = fs::metadata("/sys/fs/cgroup/cgroup.controllers").is_ok();
    when(there, "needs a host with cgroup2 alone")?;
    cgroup()
}

/// Pressure stall information.
pub fn pressure() -> Need {
    when(fs::read_to_string("/proc/pressure/memory").is_ok(), "needs pressure stall information")
}

/// Weights of block devices, by BFQ or the kernel's own cost model.
pub fn io_weight() -> Need {
    let mine = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mine = mine.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let there = ["io.bfq.weight", "io.weight"]
        .iter()
        .any(|file| fs::metadata(format!("/sys/fs/cgroup/{mine}/{file}")).is_ok());
    when(there, "needs io.weight or io.bfq.weight")
}

/// A disk whose I/O scheduler is BFQ, below /sys/block.
pub fn bfq_disk() -> Option<PathBuf> {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten().map(|disk| disk.path());
    let scheduler = |disk: &PathBuf| fs::read_to_string(disk.join("queue/scheduler")).unwrap_or_default();
    disks.into_iter().find(|disk| scheduler(disk).contains("[bfq]"))
}

/// Such a disk.
pub fn bfq() -> Need {
    when(bfq_disk().is_some(), "needs a disk with the I/O scheduler BFQ")
}

/// Controllers of cgroup2 that the host has and the caller's containers have not.
pub fn withheld_controllers() -> Vec<String> {
    let own = caller::v2_controllers();
    let all = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let limits = |name: &&str| ["hugetlb", "rdma", "misc"].contains(name);
    all.split_whitespace()
        .filter(limits)
        .filter(|name| !own.iter().any(|o| o == name))
        .map(str::to_owned)
        .collect()
}

/// One of them.
pub fn withheld_controller() -> Need {
    when(!withheld_controllers().is_empty(), "needs a controller that is not delegated to the user")
}

/// v1 controllers and a cgroup2 side by side.
pub fn hybrid() -> Need {
    let there = fs::metadata("/sys/fs/cgroup/unified/cgroup.procs").is_ok();
    when(there, "needs a host with cgroup v1 and cgroup2")
}

/// Names of RDMA devices.
pub fn rdma_devices() -> Vec<String> {
    let devices = fs::read_dir("/sys/class/infiniband").into_iter().flatten().flatten();
    devices.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// An RDMA device, real or of software.
pub fn rdma_device() -> Need {
    when(!rdma_devices().is_empty(), "needs an RDMA device")
}

/// A disk of any kind.
pub fn block_device() -> Need {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().count();
    when(disks > 0, "needs a block device")
}

/// Loop devices, by which a file is a disk.
pub fn loop_device() -> Need {
    let free = Command::new("losetup").arg("--find").output();
    when(free.is_ok_and(|free| free.status.success()), "needs a free loop device")
}

/// A static busybox, for a shell in the container.
pub fn busybox() -> Need {
    when(fs::metadata("/bin/busybox").is_ok(), "needs busybox-static")
}

/// AppArmor in the kernel.
pub fn apparmor() -> Need {
    when(fs::metadata("/sys/kernel/security/apparmor").is_ok(), "needs AppArmor")
}

/// AppArmor, and the program that loads profiles.
pub fn apparmor_parser() -> Need {
    apparmor()?;
    when(Command::new("apparmor_parser").arg("--version").output().is_ok(), "needs apparmor_parser")
}

/// SELinux, with a policy that has the types of tests/vm/selinux.cil.
pub fn selinux() -> Need {
    let label = "system_u:system_r:container_t:s0:c1,c2";
    when(fs::write("/sys/fs/selinux/context", label).is_ok(), "needs SELinux and its test policy")
}

/// An absence of AppArmor, for the refusal that it causes.
pub fn no_apparmor() -> Need {
    when(apparmor().is_err(), "needs a host without AppArmor")
}

/// An absence of SELinux.
pub fn no_selinux() -> Need {
    when(fs::metadata("/sys/fs/selinux/status").is_err(), "needs a host without SELinux")
}

/// A mounted resctrl.
pub fn resctrl() -> Need {
    when(fs::metadata("/sys/fs/resctrl/schemata").is_ok(), "needs a mounted resctrl")
}

/// Monitoring groups in it.
pub fn resctrl_monitoring() -> Need {
    let there = fs::metadata("/sys/fs/resctrl/mon_groups").is_ok();
    when(there, "needs a processor that can monitor (resctrl's mon_groups)")
}

/// An absence of resctrl.
pub fn no_resctrl() -> Need {
    when(fs::metadata("/sys/fs/resctrl/schemata").is_err(), "needs a host without resctrl")
}

/// A systemd that manages this host, and for a user one of their own.
pub fn systemd() -> Need {
    when(fs::metadata("/run/systemd/system").is_ok(), "needs systemd as the first process")?;
    let there = caller::is_root() || std::env::var_os("XDG_RUNTIME_DIR").is_some();
    when(there, "needs a systemd of the user's own")
}

/// A user of this host who can have a systemd of their own.
pub fn user_manager() -> Need {
    let there = Command::new("id").args(["-u", "user"]).output().is_ok_and(|said| said.stdout == b"1000\n");
    when(there && systemd().is_ok(), "needs systemd, and the user of a test host")
}

/// An absence of systemd.
pub fn no_systemd() -> Need {
    when(systemd().is_err(), "needs a host without systemd")
}

/// NUMA in the kernel.
pub fn numa() -> Need {
    when(fs::metadata("/sys/devices/system/node/node0").is_ok(), "needs NUMA in the kernel")
}

/// The release binary, where it matters what the compiler made of it.
pub fn release() -> Need {
    let runtime = Runtime::new(Driver::chosen());
    when(runtime.binary().iter().all(|part| part != "debug"), "needs the release binary")
}

/// valgrind, which counts instructions.
pub fn valgrind() -> Need {
    when(Command::new("valgrind").arg("--version").output().is_ok(), "needs valgrind")
}

/// A CRIU that works on this kernel.
pub fn criu() -> Need {
    static CHECKED: LazyLock<bool> = LazyLock::new(|| criu_says(&["check"]));
    when(*CHECKED, "needs a CRIU that works on this kernel")
}

/// Memory that remembers what was written to it, for dumps in several steps.
pub fn dirty_memory_tracking() -> Need {
    let tracked = criu_says(&["check", "--feature", "mem_dirty_track"]);
    when(tracked, "needs a kernel that tracks dirty memory (CONFIG_MEM_SOFT_DIRTY)")
}

/// Memory that is fetched when it is needed (userfaultfd(2)).
pub fn lazy_pages() -> Need {
    let there = criu_says(&["check", "--feature", "uffd-noncoop"]);
    when(there, "needs a kernel that fetches memory lazily (CONFIG_USERFAULTFD)")
}

/// `$HULL_CRIU`, else the one on the path.
pub fn criu_program() -> PathBuf {
    let named = std::env::var_os("HULL_CRIU").filter(|path| !path.is_empty());
    named.map_or_else(|| "/usr/sbin/criu".into(), PathBuf::from)
}

fn criu_says(words: &[&str]) -> bool {
    Command::new(criu_program()).args(words).output().is_ok_and(|said| said.status.success())
}
