//! The command line: argv becomes a [`Request`], plain typed data that has not yet looked at the host.
//!
//! Names, defaults and exit codes are runc's, because engines know them. Only the verb that was asked for is built,
//! which keeps parsing below a tenth of a millisecond; a mistake is parsed again by the whole tree of commands, which
//! has the words for it.

mod dashes;
mod flags;
mod request;
mod values;

use std::ffi::{CStr, OsString};

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgMatches, Command};
use serde_json::Value;

pub use flags::tree;
pub use request::*;

use crate::checkpoint::Flags;

/// Nothing to run: a text for the user, and the exit code.
#[derive(Debug)]
pub struct Stop {
    /// Help, version, or what is wrong with the command line.
    pub text: String,
    /// 0 for help and version, which belong on stdout; runc's codes for mistakes.
    pub code: u8,
}

/// Whether a command line with this word may ask for a verb that [starts a process](Verb::starts_a_process). Wrong for
/// a container by that name, and quicker to find out than the truth.
#[must_use]
pub fn may_start_a_process(word: &CStr) -> bool {
    [c"create", c"run", c"exec"].contains(&word)
}

/// Reads the command line, whose first word is the program's name.
pub fn parse(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Request, Stop> {
    let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    let Some((global, name, args)) = matches(&argv) else { return Err(explain(&argv)) };
    Ok(Request { global: self::global(&global), verb: verb(name, &args)? })
}

/// Matches what stands before the verb, and then the verb's own words; `None` for help, version and mistakes.
fn matches(argv: &[OsString]) -> Option<(ArgMatches, &'static str, ArgMatches)> {
    let (_program, words) = argv.split_first()?;
    let global = match_words(flags::global().allow_external_subcommands(true), words)?;
    let (name, words) = global.subcommand()?;
    let (name, command) = flags::command(name)?;
    let words: Vec<OsString> = words.get_many::<OsString>("").into_iter().flatten().cloned().collect();
    let args = match_words(command, &words)?;
    Some((global, name, args))
}

fn match_words(command: Command, words: &[OsString]) -> Option<ArgMatches> {
    let words = dashes::doubled(&command, words);
    command.no_binary_name(true).try_get_matches_from(words).ok()
}

/// What to tell a user whose words are no request.
fn explain(argv: &[OsString]) -> Stop {
    let mut tree = flags::tree();
    match tree.try_get_matches_from_mut(argv) {
        Ok(_) => Stop { text: tree.render_help().to_string(), code: 0 },
        Err(err) => {
            let code = match err.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                ErrorKind::InvalidSubcommand => 3,
                _ => 1,
            };
            let topic = err.get(ContextKind::InvalidSubcommand);
            let topic = topic.map_or_else(String::new, |name| format!("No help topic for '{name}'\n"));
            Stop { text: topic + &err.to_string(), code }
        }
    }
}

fn global(m: &ArgMatches) -> Global {
    Global {
        root: get(m, "root"),
        log: get(m, "log"),
        log_format: required(m, "log-format"),
        log_level: if m.get_flag("debug") { crate::log::Level::Debug } else { required(m, "log-level") },
        trace_timing: get(m, "trace-timing"),
        systemd_cgroup: m.get_flag("systemd-cgroup"),
        rootless: required(m, "rootless"),
    }
}

fn verb(name: &str, m: &ArgMatches) -> Result<Verb, Stop> {
    Ok(match name {
        "create" => Verb::Create(create(m)),
        "run" => Verb::Run(Run {
            create: create(m),
            detach: m.get_flag("detach"),
            keep: m.get_flag("keep"),
            no_subreaper: m.get_flag("no-subreaper"),
        }),
        "start" => Verb::Start { id: id(m) },
        "exec" => Verb::Exec(Box::new(exec(m)?)),
        "kill" => Verb::Kill { id: id(m), signal: required(m, "signal"), all: m.get_flag("all") },
        "delete" => Verb::Delete { id: id(m), force: m.get_flag("force") },
        "state" => Verb::State { id: id(m) },
        "list" => Verb::List { format: required(m, "format"), quiet: m.get_flag("quiet") },
        "ps" => ps(m)?,
        "pause" => Verb::Pause { id: id(m) },
        "resume" => Verb::Resume { id: id(m) },
        "update" => Verb::Update(Box::new(update(m))),
        "events" => Verb::Events { id: id(m), interval: required(m, "interval"), stats: m.get_flag("stats") },
        "spec" => Verb::Spec { bundle: bundle(m), rootless: m.get_flag("rootless") },
        "features" => Verb::Features,
        "plan" => Verb::Plan { id: id(m), bundle: bundle(m), format: required(m, "format") },
        "checkpoint" => Verb::Checkpoint(Box::new(checkpoint(m))),
        _ => Verb::Restore(Box::new(restore(m))),
    })
}

fn create(m: &ArgMatches) -> Create {
    Create {
        id: id(m),
        bundle: bundle(m),
        pid_file: get(m, "pid-file"),
        console_socket: get(m, "console-socket"),
        pidfd_socket: get(m, "pidfd-socket"),
        no_pivot: m.get_flag("no-pivot"),
        no_new_keyring: m.get_flag("no-new-keyring"),
        preserve_fds: required(m, "preserve-fds"),
    }
}

fn images(m: &ArgMatches) -> Images {
    Images {
        path: get(m, "image-path"),
        work: get(m, "work-path"),
        flags: Flags {
            tcp_established: m.get_flag("tcp-established"),
            ext_unix_sk: m.get_flag("ext-unix-sk"),
            shell_job: m.get_flag("shell-job"),
            file_locks: m.get_flag("file-locks"),
            auto_dedup: m.get_flag("auto-dedup"),
            lazy_pages: m.get_flag("lazy-pages"),
            cgroups: required(m, "manage-cgroups-mode"),
            ..Flags::default()
        },
    }
}

fn checkpoint(m: &ArgMatches) -> Checkpoint {
    let mut images = images(m);
    images.flags.leave_running = m.get_flag("leave-running");
    images.flags.tcp_skip_in_flight = m.get_flag("tcp-skip-in-flight");
    Checkpoint {
        id: id(m),
        images,
        parent: get(m, "parent-path"),
        pre_dump: m.get_flag("pre-dump"),
        page_server: get(m, "page-server"),
        status_fd: get(m, "status-fd").filter(|fd| *fd >= 0),
    }
}

fn restore(m: &ArgMatches) -> Restore {
    Restore {
        create: Create {
            id: id(m),
            bundle: bundle(m),
            pid_file: get(m, "pid-file"),
            console_socket: get(m, "console-socket"),
            no_pivot: m.get_flag("no-pivot"),
            ..Create::default()
        },
        images: images(m),
        detach: m.get_flag("detach"),
        no_subreaper: m.get_flag("no-subreaper"),
        lsm_profile: get(m, "lsm-profile"),
        lsm_mount_context: get(m, "lsm-mount-context"),
    }
}

fn exec(m: &ArgMatches) -> Result<Exec, Stop> {
    let usage = |why: &str| Stop { text: format!("{why}\n\n{}", flags::usage("exec")), code: 255 };
    let mut words = many(m, "words").into_iter();
    let id = words.next().ok_or_else(|| usage("exec needs a container id"))?;
    let args: Vec<String> = words.collect();
    let process = get(m, "process");
    if args.is_empty() && process.is_none() {
        return Err(usage("exec needs a command, or --process FILE"));
    }
    Ok(Exec {
        id,
        args,
        process,
        cwd: get(m, "cwd"),
        env: many(m, "env"),
        tty: m.get_flag("tty"),
        user: get(m, "user"),
        additional_gids: many(m, "additional-gids"),
        capabilities: many(m, "cap"),
        no_new_privs: m.get_flag("no-new-privs"),
        apparmor: get(m, "apparmor"),
        process_label: get(m, "process-label"),
        detach: m.get_flag("detach"),
        pid_file: get(m, "pid-file"),
        console_socket: get(m, "console-socket"),
        pidfd_socket: get(m, "pidfd-socket"),
        preserve_fds: required(m, "preserve-fds"),
        cgroups: many(m, "cgroup"),
        ignore_paused: m.get_flag("ignore-paused"),
    })
}

fn ps(m: &ArgMatches) -> Result<Verb, Stop> {
    let mut words = many(m, "words").into_iter();
    let id = words.next().ok_or_else(|| Stop {
        text: format!("ps needs a container id\n\n{}", flags::usage("ps")),
        code: 1,
    })?;
    Ok(Verb::Ps { id, format: required(m, "format"), options: words.collect() })
}

fn update(m: &ArgMatches) -> Update {
    let mut limits = Value::Null;
    for limit in flags::LIMITS {
        if let Some(value) = get::<Value>(m, limit.flag) {
            limits[limit.section][limit.field] = value;
        }
    }
    let mut intel_rdt = Value::Null;
    for (flag, field) in [("l3-cache-schema", "l3CacheSchema"), ("mem-bw-schema", "memBwSchema")] {
        if let Some(schema) = get::<String>(m, flag) {
            intel_rdt[field] = schema.into();
        }
    }
    Update { id: id(m), resources: get(m, "resources"), limits, intel_rdt }
}

fn id(m: &ArgMatches) -> String {
    required(m, "id")
}

fn bundle(m: &ArgMatches) -> std::path::PathBuf {
    required(m, "bundle")
}

/// An option's value, if it was given.
fn get<T: Clone + Send + Sync + 'static>(m: &ArgMatches, name: &str) -> Option<T> {
    m.get_one(name).cloned()
}

/// The value of an argument that clap always has: it is required there, or has a default.
fn required<T: Clone + Default + Send + Sync + 'static>(m: &ArgMatches, name: &str) -> T {
    get(m, name).unwrap_or_default()
}

/// The values of an argument that may be given more than once.
fn many<T: Clone + Send + Sync + 'static>(m: &ArgMatches, name: &str) -> Vec<T> {
    m.get_many(name).map(|values| values.cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
