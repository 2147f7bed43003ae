//! `process`: the program and the world it wakes up in (config.md, "Process"). Also the whole of process.json.

use std::path::PathBuf;

use serde::Deserialize;

use super::{null_is_default, object::objects};

objects!(Process, ConsoleSize, User, Capabilities, Rlimit, Scheduler, IoPriority, ExecCpuAffinity);

/// `process`.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Process {
    /// Whether stdio is a pseudoterminal.
    #[serde(default, deserialize_with = "null_is_default")]
    pub terminal: bool,
    /// Size of that terminal in characters.
    pub console_size: Option<ConsoleSize>,
    /// Identity; absent means 0:0.
    #[serde(default, deserialize_with = "null_is_default")]
    pub user: User,
    /// argv, at least one entry.
    #[serde(default, deserialize_with = "null_is_default")]
    pub args: Vec<String>,
    /// The whole environment.
    #[serde(default, deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// Absolute working directory.
    pub cwd: PathBuf,
    /// The five sets; absent means none at all.
    pub capabilities: Option<Capabilities>,
    /// setrlimit(2), applied last.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rlimits: Vec<Rlimit>,
    /// PR_SET_NO_NEW_PRIVS.
    #[serde(default, deserialize_with = "null_is_default")]
    pub no_new_privileges: bool,
    /// AppArmor profile.
    pub apparmor_profile: Option<String>,
    /// SELinux process label.
    pub selinux_label: Option<String>,
    /// /proc/self/oom_score_adj.
    pub oom_score_adj: Option<i64>,
    /// sched_setattr(2).
    pub scheduler: Option<Scheduler>,
    /// ioprio_set(2).
    #[serde(rename = "ioPriority")]
    pub io_priority: Option<IoPriority>,
    /// CPU affinity of processes that `exec` adds.
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<ExecCpuAffinity>,
}

impl Process {
    /// Whether it has the label of a security module.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.apparmor_profile.is_some() || self.selinux_label.is_some()
    }
}

/// `process.consoleSize`, in characters.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(remote = "Self")]
pub struct ConsoleSize {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// `process.user`, as seen inside the container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct User {
    /// User id.
    #[serde(default, deserialize_with = "null_is_default")]
    pub uid: u32,
    /// Group id.
    #[serde(default, deserialize_with = "null_is_default")]
    pub gid: u32,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Exactly these supplementary groups.
    #[serde(default, deserialize_with = "null_is_default")]
    pub additional_gids: Vec<u32>,
}

/// `process.capabilities`: names such as `CAP_CHOWN`. Unknown names are data here and a warning later.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Capabilities {
    /// Ambient set.
    #[serde(default, deserialize_with = "null_is_default")]
    pub ambient: Vec<String>,
    /// Bounding set.
    #[serde(default, deserialize_with = "null_is_default")]
    pub bounding: Vec<String>,
    /// Effective set.
    #[serde(default, deserialize_with = "null_is_default")]
    pub effective: Vec<String>,
    /// Inheritable set.
    #[serde(default, deserialize_with = "null_is_default")]
    pub inheritable: Vec<String>,
    /// Permitted set.
    #[serde(default, deserialize_with = "null_is_default")]
    pub permitted: Vec<String>,
}

/// One entry of `process.rlimits`; the largest u64 is infinity.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Rlimit {
    /// Which resource.
    #[serde(rename = "type")]
    pub kind: RlimitKind,
    /// Ceiling.
    pub hard: u64,
    /// Value in force.
    pub soft: u64,
}

/// getrlimit(2) resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are those of getrlimit(2)")]
pub enum RlimitKind {
    #[serde(rename = "RLIMIT_AS")]
    As,
    #[serde(rename = "RLIMIT_CORE")]
    Core,
    #[serde(rename = "RLIMIT_CPU")]
    Cpu,
    #[serde(rename = "RLIMIT_DATA")]
    Data,
    #[serde(rename = "RLIMIT_FSIZE")]
    Fsize,
    #[serde(rename = "RLIMIT_LOCKS")]
    Locks,
    #[serde(rename = "RLIMIT_MEMLOCK")]
    Memlock,
    #[serde(rename = "RLIMIT_MSGQUEUE")]
    Msgqueue,
    #[serde(rename = "RLIMIT_NICE")]
    Nice,
    #[serde(rename = "RLIMIT_NOFILE")]
    Nofile,
    #[serde(rename = "RLIMIT_NPROC")]
    Nproc,
    #[serde(rename = "RLIMIT_RSS")]
    Rss,
    #[serde(rename = "RLIMIT_RTPRIO")]
    Rtprio,
    #[serde(rename = "RLIMIT_RTTIME")]
    Rttime,
    #[serde(rename = "RLIMIT_SIGPENDING")]
    Sigpending,
    #[serde(rename = "RLIMIT_STACK")]
    Stack,
}

/// `process.scheduler` (sched_setattr(2)).
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Scheduler {
    /// Scheduling policy.
    pub policy: SchedulerPolicy,
    /// -20 to 19.
    #[serde(default, deserialize_with = "null_is_default")]
    pub nice: i32,
    /// Static priority of FIFO and RR.
    #[serde(default, deserialize_with = "null_is_default")]
    pub priority: i32,
    /// Flags.
    #[serde(default, deserialize_with = "null_is_default")]
    pub flags: Vec<SchedulerFlag>,
    /// Nanoseconds, DEADLINE only.
    #[serde(default, deserialize_with = "null_is_default")]
    pub runtime: u64,
    /// Nanoseconds, DEADLINE only.
    #[serde(default, deserialize_with = "null_is_default")]
    pub deadline: u64,
    /// Nanoseconds, DEADLINE only.
    #[serde(default, deserialize_with = "null_is_default")]
    pub period: u64,
}

/// sched(7) policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of sched(7)")]
pub enum SchedulerPolicy {
    #[serde(rename = "SCHED_OTHER")]
    Other,
    #[serde(rename = "SCHED_FIFO")]
    Fifo,
    #[serde(rename = "SCHED_RR")]
    Rr,
    #[serde(rename = "SCHED_BATCH")]
    Batch,
    #[serde(rename = "SCHED_ISO")]
    Iso,
    #[serde(rename = "SCHED_IDLE")]
    Idle,
    #[serde(rename = "SCHED_DEADLINE")]
    Deadline,
}

/// sched_setattr(2) flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of sched_setattr(2)")]
pub enum SchedulerFlag {
    #[serde(rename = "SCHED_FLAG_RESET_ON_FORK")]
    ResetOnFork,
    #[serde(rename = "SCHED_FLAG_RECLAIM")]
    Reclaim,
    #[serde(rename = "SCHED_FLAG_DL_OVERRUN")]
    DlOverrun,
    #[serde(rename = "SCHED_FLAG_KEEP_POLICY")]
    KeepPolicy,
    #[serde(rename = "SCHED_FLAG_KEEP_PARAMS")]
    KeepParams,
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MIN")]
    UtilClampMin,
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MAX")]
    UtilClampMax,
}

/// `process.ioPriority` (ioprio_set(2)).
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct IoPriority {
    /// Class.
    pub class: IoPriorityClass,
    /// 0 (highest) to 7.
    #[serde(default, deserialize_with = "null_is_default")]
    pub priority: i64,
}

/// ioprio_set(2) classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of ioprio_set(2)")]
pub enum IoPriorityClass {
    #[serde(rename = "IOPRIO_CLASS_RT")]
    Rt,
    #[serde(rename = "IOPRIO_CLASS_BE")]
    Be,
    #[serde(rename = "IOPRIO_CLASS_IDLE")]
    Idle,
}

/// `process.execCPUAffinity`: CPU lists such as `0-3,7`; empty means unset.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct ExecCpuAffinity {
    /// Before the process joins the container's cgroup.
    #[serde(default, deserialize_with = "null_is_default")]
    pub initial: String,
    /// After it joined.
    #[serde(rename = "final", default, deserialize_with = "null_is_default")]
    pub after: String,
}
