//! Every command's flags, as clap builds them.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, builder::ValueParser, value_parser};
use serde_json::Value;

use super::values;

const VERSION: &str =
    concat!("version ", env!("CARGO_PKG_VERSION"), "\ncommit: ", env!("HULL_COMMIT"), "\nspec: 1.3.0");

/// The program with the options that stand before the verb.
pub fn global() -> Command {
    Command::new("hull")
        .about("Runs OCI containers")
        .version(VERSION)
        .disable_version_flag(true)
        .args_override_self(true)
        .args([
            path("root", "Folder of the containers' state [default: /run/hull]"),
            path("log", "Append log lines to this file"),
            choice("log-format", "Form of log lines: text or json", values::LOG_FORMATS)
                .default_value("text"),
            choice("log-level", "Least level logged: error, warn, info or debug", values::LOG_LEVELS)
                .default_value("warn"),
            switch("debug", "Log what hull does"),
            path(
                "trace-timing",
                "Write where the time went to this file: a picture if it ends in .svg, else JSON",
            ),
            switch("systemd-cgroup", "Let systemd manage cgroups"),
            choice("rootless", "Forgive missing rights over cgroups: true, false or auto", values::ROOTLESS)
                .default_value("auto"),
            text("criu", "Ignored").hide(true),
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        ])
}

/// One verb, with its name as it is spelled here.
pub fn command(name: &str) -> Option<(&'static str, Command)> {
    let (name, about, flags) = COMMANDS.iter().find(|command| command.0 == name)?;
    Some((name, flags(Command::new(*name).about(*about).args_override_self(true))))
}

/// The program with all verbs.
pub fn tree() -> Command {
    let commands = COMMANDS.iter().filter_map(|(name, ..)| command(name)).map(|(_, command)| command);
    global().subcommand_value_name("command").subcommand_help_heading("Commands").subcommands(commands)
}

/// The usage line of one command, for mistakes that clap cannot see.
pub fn usage(name: &str) -> String {
    let usage = command(name).map(|(_, mut command)| command.render_usage().to_string());
    usage.unwrap_or_default() + "\n"
}

type Entry = (&'static str, &'static str, fn(Command) -> Command);

const COMMANDS: &[Entry] = &[
    ("create", "Create a container, ready to start", |c| c.args(create())),
    ("start", "Run the program of a created container", |c| c.arg(id())),
    ("run", "Create and start a container", |c| c.args(create()).args(run())),
    ("exec", "Run another program in a container", |c| {
        c.args(exec()).override_usage("hull exec [OPTIONS] <ID> <COMMAND> [ARGUMENT]...")
    }),
    ("kill", "Send a signal to a container", |c| c.args(kill())),
    ("delete", "Remove a stopped container", |c| {
        c.args([id(), switch("force", "Kill it first; an absent container is no error").short('f')])
    }),
    ("state", "Print the state of a container", |c| c.arg(id())),
    ("list", "List containers", |c| c.args([list_format(), switch("quiet", "Print ids only").short('q')])),
    ("ps", "List the processes of a container", |c| {
        c.args([list_format(), words()]).override_usage("hull ps [OPTIONS] <ID> [ps options]")
    }),
    ("pause", "Freeze all processes of a container", |c| c.arg(id())),
    ("resume", "Thaw a paused container", |c| c.arg(id())),
    ("update", "Change the limits of a container", |c| c.args(update())),
    ("events", "Print statistics and out-of-memory notices", |c| {
        let interval =
            value("interval", "Time between statistics, such as 500ms, 5s or 1m", values::duration);
        c.args([id(), interval.default_value("5s"), switch("stats", "Print statistics once")])
    }),
    ("spec", "Write a config.json to start from", |c| {
        c.args([bundle(), switch("rootless", "Make it fit for an unprivileged user")])
    }),
    ("features", "Print what this build can do, as the runtime-spec's features document", |c| c),
    ("plan", "Print what create would do, without doing it", |c| {
        let format = choice("format", "text or json", values::PLAN_FORMATS).short('f').default_value("text");
        c.args([id().required(false).default_value("plan"), bundle(), format])
    }),
    ("checkpoint", "Write a running container to files, by means of CRIU", |c| {
        c.arg(id()).args(images()).args(checkpoint())
    }),
    ("restore", "Run a container on from the files of a checkpoint", |c| {
        c.arg(id()).args(images()).args(restore())
    }),
];

fn create() -> [Arg; 8] {
    [
        id(),
        bundle(),
        path("pid-file", "Write the first process's pid here"),
        path("console-socket", "Unix socket that receives the terminal"),
        path("pidfd-socket", "Unix socket that receives a pidfd of the first process"),
        switch("no-pivot", "Do not use pivot_root, for a root filesystem on a ramdisk"),
        switch("no-new-keyring", "Stay in the caller's session keyring"),
        preserve_fds(),
    ]
}

fn run() -> [Arg; 3] {
    [
        switch("detach", "Return once the program runs").short('d'),
        switch("keep", "Keep the container after it stopped"),
        switch("no-subreaper", "Do not adopt orphaned processes"),
    ]
}

fn exec() -> [Arg; 19] {
    [
        words(),
        path("process", "Take everything from this process.json").short('p'),
        path("cwd", "Working directory"),
        list("env", "NAME=value to add to the environment").short('e'),
        switch("tty", "Give it a terminal").short('t'),
        value("user", "uid or uid:gid", values::exec_user).short('u'),
        list("additional-gids", "Group to add").short('g').value_parser(value_parser!(u32)),
        list("cap", "Capability to add").short('c'),
        switch("no-new-privs", "Set no_new_privs"),
        text("apparmor", "AppArmor profile"),
        text("process-label", "SELinux label"),
        switch("detach", "Return once the program runs").short('d'),
        path("pid-file", "Write the pid here"),
        path("console-socket", "Unix socket that receives the terminal"),
        path("pidfd-socket", "Unix socket that receives a pidfd"),
        preserve_fds(),
        list("cgroup", "[controller:]path below the container's cgroup"),
        switch("ignore-paused", "Also in a paused container"),
        // runc 1.1 accepted it; no engine depends on it.
        switch("no-subreaper", "Ignored").hide(true),
    ]
}

fn kill() -> [Arg; 3] {
    [
        id(),
        Arg::new("signal").help("Name or number").value_parser(values::signal).default_value("TERM"),
        switch("all", "Every process of the container").short('a'),
    ]
}

/// A flag of `update`: short for one field of the document that `--resources` reads.
pub struct Limit {
    pub flag: &'static str,
    pub section: &'static str,
    pub field: &'static str,
    parse: fn(&str) -> Result<Value, String>,
    help: &'static str,
}

#[rustfmt::skip]
pub const LIMITS: &[Limit] = {
    use values::{bytes, number, word};
    &[
        Limit { flag: "blkio-weight", section: "blockIO", field: "weight", parse: number, help: "Weight of block I/O, 10 to 1000" },
        Limit { flag: "cpu-period", section: "cpu", field: "period", parse: number, help: "Microseconds" },
        Limit { flag: "cpu-quota", section: "cpu", field: "quota", parse: number, help: "Microseconds of CPU time in a period, -1 for no limit" },
        Limit { flag: "cpu-burst", section: "cpu", field: "burst", parse: number, help: "Microseconds that may be saved up" },
        Limit { flag: "cpu-share", section: "cpu", field: "shares", parse: number, help: "Relative weight" },
        Limit { flag: "cpu-rt-period", section: "cpu", field: "realtimePeriod", parse: number, help: "Real-time period in microseconds" },
        Limit { flag: "cpu-rt-runtime", section: "cpu", field: "realtimeRuntime", parse: number, help: "Real-time microseconds in a period" },
        Limit { flag: "cpu-idle", section: "cpu", field: "idle", parse: number, help: "1 treats everything as SCHED_IDLE" },
        Limit { flag: "cpuset-cpus", section: "cpu", field: "cpus", parse: word, help: "CPUs, such as 0-2,7" },
        Limit { flag: "cpuset-mems", section: "cpu", field: "mems", parse: word, help: "Memory nodes" },
        Limit { flag: "memory", section: "memory", field: "limit", parse: bytes, help: "Bytes, or such as 512m; -1 for no limit" },
        Limit { flag: "memory-reservation", section: "memory", field: "reservation", parse: bytes, help: "Soft limit" },
        Limit { flag: "memory-swap", section: "memory", field: "swap", parse: bytes, help: "Memory and swap together" },
        Limit { flag: "pids-limit", section: "pids", field: "limit", parse: number, help: "Number of tasks, -1 for no limit" },
    ]
};

fn update() -> impl Iterator<Item = Arg> {
    let others = [
        id(),
        path("resources", "Document with the limits, - for stdin; other flags are then ignored").short('r'),
        text("l3-cache-schema", "Intel RDT cache schema"),
        text("mem-bw-schema", "Intel RDT memory bandwidth schema"),
        // runc has them for old scripts; the kernel has dropped what they set.
        text("kernel-memory", "Ignored").hide(true),
        text("kernel-memory-tcp", "Ignored").hide(true),
    ];
    others.into_iter().chain(LIMITS.iter().map(|limit| value(limit.flag, limit.help, limit.parse)))
}

/// What `checkpoint` and `restore` share.
fn images() -> [Arg; 9] {
    [
        path("image-path", "Folder of the checkpoint [default: ./checkpoint]"),
        path("work-path", "Folder for logs, if not the checkpoint's"),
        switch("tcp-established", "Keep open TCP connections"),
        switch("ext-unix-sk", "Keep Unix sockets that are connected to the outside"),
        switch("shell-job", "Keep the caller's terminal and session"),
        switch("file-locks", "Keep file locks"),
        switch("auto-dedup", "Keep no page twice in a chain of checkpoints"),
        switch("lazy-pages", "Move memory when it is needed, by userfaultfd"),
        choice(
            "manage-cgroups-mode",
            "Properties of cgroups: soft, full, strict or ignore",
            values::CGROUP_MODES,
        ),
    ]
}

fn checkpoint() -> [Arg; 7] {
    [
        path("parent-path", "Earlier checkpoint to add to, relative to --image-path"),
        switch("leave-running", "Let the container run on"),
        switch("pre-dump", "Write memory only, and let the container run on"),
        switch("tcp-skip-in-flight", "Leave out connections that are only being made"),
        value("page-server", "ADDRESS:PORT that takes the memory", values::page_server),
        text("status-fd", "Descriptor that gets a zero byte once lazy pages can be fetched")
            .value_parser(value_parser!(i32)),
        empty_ns(),
    ]
}

fn restore() -> [Arg; 9] {
    [
        bundle(),
        path("pid-file", "Write the first process's pid here"),
        path("console-socket", "Unix socket that receives the terminal"),
        switch("detach", "Return once the container runs").short('d'),
        switch("no-subreaper", "Do not adopt orphaned processes"),
        switch("no-pivot", "Accepted; CRIU mounts in its own way"),
        text("lsm-profile", "TYPE:NAME of the profile to use instead"),
        text("lsm-mount-context", "SELinux context of mounts to use instead"),
        empty_ns(),
    ]
}

/// Network namespaces always come back empty, so that this option has nothing left to say.
fn empty_ns() -> Arg {
    choice("empty-ns", "Accepted: network, which always comes back empty", values::EMPTY_NAMESPACES)
        .action(ArgAction::Append)
}

fn id() -> Arg {
    Arg::new("id").value_name("ID").required(true).help("Container")
}

fn bundle() -> Arg {
    path("bundle", "Folder with config.json").short('b').default_value(".")
}

fn preserve_fds() -> Arg {
    text("preserve-fds", "Descriptors to hand on beyond stdio and $LISTEN_FDS")
        .value_parser(value_parser!(u32))
        .default_value("0")
}

fn list_format() -> Arg {
    choice("format", "table or json", values::LIST_FORMATS).short('f').default_value("table")
}

/// The id, and after it words that belong to another program, whatever they look like.
fn words() -> Arg {
    Arg::new("words").num_args(0..).trailing_var_arg(true).hide(true)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

/// An option whose value is whatever word follows, even one that looks like a flag (`--memory-swap -1`).
fn text(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).allow_hyphen_values(true)
}

fn path(name: &'static str, help: &'static str) -> Arg {
    text(name, help).value_parser(value_parser!(PathBuf)).value_name("path")
}

fn list(name: &'static str, help: &'static str) -> Arg {
    text(name, help).action(ArgAction::Append)
}

fn value<T: Clone + Send + Sync + 'static>(
    name: &'static str,
    help: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Arg {
    text(name, help).value_parser(ValueParser::new(parse))
}

/// An option that takes one of a few words. Its help names them.
fn choice<T: Copy + Send + Sync + 'static>(
    name: &'static str,
    help: &'static str,
    choices: &'static [(&'static str, T)],
) -> Arg {
    text(name, help).value_parser(ValueParser::new(values::OneOf(choices))).hide_possible_values(true)
}
