//! What a command line asks for, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use crate::checkpoint::Flags;
use crate::log;

/// One command line.
#[derive(Debug, Clone)]
pub struct Request {
    /// What stands before the verb.
    pub global: Global,
    /// What to do.
    pub verb: Verb,
}

/// Options that every verb shares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Global {
    /// Folder of the containers' state; absent means the caller's default.
    pub root: Option<PathBuf>,
    /// File that gets the log.
    pub log: Option<PathBuf>,
    /// How its lines look.
    pub log_format: log::Format,
    /// What is worth a line.
    pub log_level: log::Level,
    /// File that gets a report on where the time went.
    pub trace_timing: Option<PathBuf>,
    /// Whether systemd manages the cgroups.
    pub systemd_cgroup: bool,
    /// Whether missing rights over cgroups are forgiven.
    pub rootless: Rootless,
}

/// `--rootless`: whether the caller is taken for an unprivileged one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rootless {
    /// Found out from the caller's user and namespace.
    #[default]
    Auto,
    /// Yes.
    True,
    /// No.
    False,
}

/// The verbs.
#[derive(Debug, Clone)]
pub enum Verb {
    /// `create`
    Create(Create),
    /// `run`
    Run(Run),
    /// `start`
    Start {
        /// Container.
        id: String,
    },
    /// `exec`
    Exec(Box<Exec>),
    /// `kill`
    Kill {
        /// Container.
        id: String,
        /// What to send.
        signal: Signal,
        /// Whether to send it to every process of the container.
        all: bool,
    },
    /// `delete`
    Delete {
        /// Container.
        id: String,
        /// Whether to kill it first, and not to mind if it is absent.
        force: bool,
    },
    /// `state`
    State {
        /// Container.
        id: String,
    },
    /// `list`
    List {
        /// How.
        format: ListFormat,
        /// Whether to print nothing but ids.
        quiet: bool,
    },
    /// `ps`
    Ps {
        /// Container.
        id: String,
        /// How.
        format: ListFormat,
        /// Handed on to ps(1).
        options: Vec<String>,
    },
    /// `pause`
    Pause {
        /// Container.
        id: String,
    },
    /// `resume`
    Resume {
        /// Container.
        id: String,
    },
    /// `update`
    Update(Box<Update>),
    /// `events`
    Events {
        /// Container.
        id: String,
        /// Time between two lines of statistics.
        interval: Duration,
        /// Whether to print the statistics once and leave.
        stats: bool,
    },
    /// `spec`
    Spec {
        /// Where to write config.json.
        bundle: PathBuf,
        /// Whether it is for an unprivileged caller.
        rootless: bool,
    },
    /// `features`
    Features,
    /// `plan`: print what `create` would do.
    Plan {
        /// Id the container would have.
        id: String,
        /// Its bundle.
        bundle: PathBuf,
        /// How.
        format: PlanFormat,
    },
    /// `checkpoint`
    Checkpoint(Box<Checkpoint>),
    /// `restore`
    Restore(Box<Restore>),
}

impl Verb {
    /// What the command line says in short, as `create web`: the beginning of an error line.
    #[must_use]
    pub fn title(&self) -> String {
        let (name, id) = match self {
            Self::Create(create) => ("create", create.id.as_str()),
            Self::Run(run) => ("run", run.create.id.as_str()),
            Self::Start { id } => ("start", id.as_str()),
            Self::Exec(exec) => ("exec", exec.id.as_str()),
            Self::Kill { id, .. } => ("kill", id.as_str()),
            Self::Delete { id, .. } => ("delete", id.as_str()),
            Self::State { id } => ("state", id.as_str()),
            Self::Ps { id, .. } => ("ps", id.as_str()),
            Self::Pause { id } => ("pause", id.as_str()),
            Self::Resume { id } => ("resume", id.as_str()),
            Self::Update(update) => ("update", update.id.as_str()),
            Self::Events { id, .. } => ("events", id.as_str()),
            Self::Plan { id, .. } => ("plan", id.as_str()),
            Self::List { .. } => ("list", ""),
            Self::Spec { .. } => ("spec", ""),
            Self::Features => ("features", ""),
            Self::Checkpoint(checkpoint) => ("checkpoint", checkpoint.id.as_str()),
            Self::Restore(restore) => ("restore", restore.create.id.as_str()),
        };
        format!("{name} {id}").trim_end().to_owned()
    }

    /// Whether a process of the container starts as a copy of this one.
    #[must_use]
    pub fn starts_a_process(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Run(_) | Self::Exec(_))
    }
}

/// `create`, and the part of `run` that is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Create {
    /// Container.
    pub id: String,
    /// Folder with config.json; `.` unless given.
    pub bundle: PathBuf,
    /// Gets the pid of the container's first process.
    pub pid_file: Option<PathBuf>,
    /// AF_UNIX socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// AF_UNIX socket that gets a pidfd of the first process.
    pub pidfd_socket: Option<PathBuf>,
    /// Whether to keep out of pivot_root(2).
    pub no_pivot: bool,
    /// Whether to stay in the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many descriptors beyond stdio and `$LISTEN_FDS` are handed on.
    pub preserve_fds: u32,
}

/// `run`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// As for `create`.
    pub create: Create,
    /// Whether to return once the program runs.
    pub detach: bool,
    /// Whether to leave the stopped container there.
    pub keep: bool,
    /// Whether to leave orphans to somebody else.
    pub no_subreaper: bool,
}

/// `exec`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exec {
    /// Container.
    pub id: String,
    /// argv; may be empty only with `process`.
    pub args: Vec<String>,
    /// process.json to take everything else from.
    pub process: Option<PathBuf>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
    /// Additions to the environment.
    pub env: Vec<String>,
    /// Whether stdio is a pseudoterminal.
    pub tty: bool,
    /// Identity.
    pub user: Option<ExecUser>,
    /// Additions to the supplementary groups.
    pub additional_gids: Vec<u32>,
    /// Additions to the capability sets.
    pub capabilities: Vec<String>,
    /// Whether PR_SET_NO_NEW_PRIVS is set.
    pub no_new_privs: bool,
    /// AppArmor profile.
    pub apparmor: Option<String>,
    /// SELinux label.
    pub process_label: Option<String>,
    /// Whether to return once the program runs.
    pub detach: bool,
    /// Gets the pid.
    pub pid_file: Option<PathBuf>,
    /// AF_UNIX socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// AF_UNIX socket that gets a pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// How many descriptors beyond stdio and `$LISTEN_FDS` are handed on.
    pub preserve_fds: u32,
    /// `[controller:]path` below the container's cgroup.
    pub cgroups: Vec<String>,
    /// Whether a paused container will do.
    pub ignore_paused: bool,
}

/// `exec --user`, numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecUser {
    /// User id inside.
    pub uid: u32,
    /// Group id inside; absent keeps the container's.
    pub gid: Option<u32>,
}

/// `update`.
#[derive(Debug, Clone)]
pub struct Update {
    /// Container.
    pub id: String,
    /// Document with the limits, `-` for stdin; the flags are ignored beside it.
    pub resources: Option<PathBuf>,
    /// The document that the other flags stand for; null without any.
    pub limits: serde_json::Value,
    /// What other flags stand for in `linux.intelRdt`; null without any.
    pub intel_rdt: serde_json::Value,
}

/// Where `checkpoint` and `restore` find their files, and what CRIU is told besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// Folder of the checkpoint.
    pub path: Option<PathBuf>,
    /// Folder for logs.
    pub work: Option<PathBuf>,
    /// Handed through.
    pub flags: Flags,
}

/// `checkpoint`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Container.
    pub id: String,
    /// Its files.
    pub images: Images,
    /// Earlier checkpoint, relative to this one.
    pub parent: Option<PathBuf>,
    /// Whether only memory is written.
    pub pre_dump: bool,
    /// Address and port that memory goes to instead.
    pub page_server: Option<(String, u16)>,
    /// Gets a zero byte when lazy pages can be fetched.
    pub status_fd: Option<i32>,
}

/// `restore`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restore {
    /// As for `create`.
    pub create: Create,
    /// The checkpoint.
    pub images: Images,
    /// Whether to return once the container runs.
    pub detach: bool,
    /// Whether to leave orphans to somebody else.
    pub no_subreaper: bool,
    /// AppArmor or SELinux profile instead of the dumped one.
    pub lsm_profile: Option<String>,
    /// SELinux context of mounts instead of the dumped one.
    pub lsm_mount_context: Option<String>,
}

/// A signal by number, 0 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub i32);

impl Default for Signal {
    fn default() -> Self {
        Self(libc::SIGTERM)
    }
}

/// Form of `list` and `ps`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Form of `plan`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
