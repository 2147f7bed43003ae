//! The verbs, one file each.

mod checkpoint;
mod console;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod launch;
mod list;
mod pause;
mod plan;
mod ps;
mod restore;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;

use std::io::Write;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::cli::{Global, Request, Rootless, Verb};
use crate::error::{Cause, Error};
use crate::log::Log;
use crate::state::Store;
use crate::systemd::{self, Systemd};
use crate::{host, process, timing};

/// Carries out a request; the number is the exit code. `sealed` says whether containers cannot write our binary.
pub fn dispatch(request: &Request, sealed: Result<(), process::Error>, log: &Log) -> Result<u8, Error> {
    let Request { global, verb } = request;
    let sealed = if verb.starts_a_process() { sealed.map_err(Cause::from) } else { Ok(()) };
    sealed.and_then(|()| timed(global, verb, log)).map_err(|cause| {
        // A program's own exit code 1 must not be taken for a failure of `exec`.
        let code = if matches!(verb, Verb::Exec(_)) { 255 } else { 1 };
        Error { doing: verb.title(), cause: Box::new(cause), code }
    })
}

/// Carries it out, and writes down where the time went if somebody wants to know.
fn timed(global: &Global, verb: &Verb, log: &Log) -> Result<u8, Cause> {
    let Some(path) = &global.trace_timing else { return carry_out(global, verb, log) };
    let what = || format!("--trace-timing {}", path.display());
    let output = timing::start(path).map_err(Cause::io(what()))?;
    let done = carry_out(global, verb, log);
    if let Err(err) = output.write(&verb.title()) {
        log.warn(&format!("{}: {err}", what()));
    }
    done
}

fn carry_out(global: &Global, verb: &Verb, log: &Log) -> Result<u8, Cause> {
    let (store, driver) = (store(global), Driver::of(global));
    let done = match verb {
        Verb::Create(request) => create::create(&store, request, driver, log),
        Verb::Run(request) => return run::run(&store, request, driver, log),
        Verb::Start { id } => start::start(&store, id, log),
        Verb::Exec(request) => return exec::exec(&store, request, log),
        Verb::Plan { id, bundle, format } => plan::plan(&store, id, bundle, *format, driver, log),
        Verb::Kill { id, signal, all } => kill::kill(&store, id, *signal, *all),
        Verb::Delete { id, force } => delete::delete(&store, id, *force, log),
        Verb::State { id } => state::state(&store, id),
        Verb::List { format, quiet } => list::list(&store, *format, *quiet, log),
        Verb::Pause { id } => pause::pause(&store, id),
        Verb::Resume { id } => resume::resume(&store, id),
        Verb::Ps { id, format, options } => ps::ps(&store, id, *format, options),
        Verb::Update(request) => update::update(&store, request),
        Verb::Events { id, interval, stats } => events::events(&store, id, *interval, *stats),
        Verb::Spec { bundle, rootless } => spec::spec(bundle, *rootless),
        Verb::Features => features::features(),
        Verb::Checkpoint(request) => checkpoint::checkpoint(&store, request, log),
        Verb::Restore(request) => return restore::restore(&store, request, driver, log),
    };
    done.map(|()| 0)
}

/// Who makes cgroups for new containers.
#[derive(Debug, Clone, Copy)]
enum Driver {
    /// We do, through the kernel's files. Whether the caller can do without them is found out unless it is said.
    Cgroupfs { rootless: Option<bool> },
    /// systemd does, the machine's or the user's.
    Systemd { user: bool },
}

impl Driver {
    fn of(global: &Global) -> Self {
        let rootless = match global.rootless {
            Rootless::True => Some(true),
            Rootless::False => Some(false),
            Rootless::Auto => None,
        };
        if global.systemd_cgroup {
            // Root of a user namespace may be the root of a whole system there, or an engine's disguise of a user.
            Self::Systemd { user: rootless.unwrap_or_else(|| !host::owns_first_process()) }
        } else {
            Self::Cgroupfs { rootless }
        }
    }

    fn rootless(self) -> Option<bool> {
        match self {
            Self::Cgroupfs { rootless } => rootless,
            Self::Systemd { .. } => None,
        }
    }

    fn connect(self) -> Result<Option<Systemd>, systemd::Error> {
        match self {
            Self::Cgroupfs { .. } => Ok(None),
            Self::Systemd { user } => Systemd::connect(user).map(Some),
        }
    }
}

/// The folder that `--root` names, else the caller's own.
fn store(global: &Global) -> Store {
    let runtime_dir = || std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match (&global.root, runtime_dir()) {
        (Some(root), _) => Store::at(root.clone()),
        (None, Some(dir)) if owns_runtime_dir() => Store::of_user(Path::new(&dir)),
        _ => Store::at(PathBuf::from("/run/hull")),
    }
}

/// Whether XDG_RUNTIME_DIR is the caller's to use: an ordinary user's, or that of one who is root in a user namespace
/// only by name. The rules are runc's, as engines look where they are told that they will find it.
fn owns_runtime_dir() -> bool {
    !geteuid().is_root() || host::in_user_ns() && std::env::var_os("USER").is_none_or(|user| user != "root")
}

/// Writes to stdout; a reader that went away is an error like any other.
fn print(text: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), Cause> {
    std::io::stdout().write_all(text.as_ref()).map_err(Cause::io("stdout"))
}
