//! `exec`: one more process in a container.

use super::console::Console;
use super::launch;
use super::start::saved_spec;
use crate::cgroups::Cgroup;
use crate::cli::Exec;
use crate::error::Cause;
use crate::host;
use crate::log::Log;
use crate::plan;
use crate::process::{self, ExecLaunch, Foreground, Sockets};
use crate::spec::{self, Process, Spec};
use crate::state::{Container, Status, Store};
use crate::sys::signal;
use crate::timing;

/// Returns the program's exit code, or 0 with `--detach`.
pub(super) fn exec(store: &Store, request: &Exec, log: &Log) -> Result<u8, Cause> {
    timing::phase("read the container's record, look at it");
    let container = store.load_own(&request.id)?;
    let Some(init) = container.init()? else {
        return Err(Cause::Status("cannot exec in a stopped container"));
    };
    if container.status_alive()? == Status::Paused && !request.ignore_paused {
        return Err(Cause::Status("cannot exec in a paused container (use --ignore-paused to override)"));
    }
    timing::phase("read and parse config.json");
    let spec = launch::kept(saved_spec(&container)?);
    let process = launch::kept(process_of(&spec, request)?);
    timing::phase("compile the plan");
    let cgroup = cgroup(&container, &request.cgroups)?;
    let plan_request = plan::Request {
        moved: cgroup.is_users_unit(),
        preserve_fds: launch::check_preserved(request.preserve_fds)?,
        ..plan::Request::new(&container.id, &container.record.bundle)
    };
    let facts = host::facts(plan::Wanted::by_process(&process));
    let plan = launch::kept(plan::compile_exec(&spec, &process, &plan_request, &facts)?);
    plan.warnings.iter().for_each(|warning| log.warn(warning));

    let mut console = Console::open(process.terminal, request.console_socket.as_deref(), !request.detach)?;
    let foreground = if request.detach { None } else { Some(Foreground::new(false)?) };
    let state = |moment, _| launch::state_document(&container, moment, container.record.pid);
    let mut spawned = process::exec(ExecLaunch {
        plan: &plan,
        cgroup: &cgroup,
        container: init.into(),
        beside: request.cgroups.is_empty().then_some(container.record.pid),
        sockets: Sockets { console: console.sender.take(), start: None },
        state: &state,
    })?;
    timing::phase("let it go");
    launch::debug_steps(log, &plan.child, &spawned);
    container.record.intel_rdt.iter().try_for_each(|group| group.add(spawned.pid()))?;
    let terminal = console.receive()?;
    launch::send_pidfd(request.pidfd_socket.as_deref(), &spawned)?;
    if let Some(path) = &request.pid_file {
        launch::write_pid_file(path, spawned.pid())?;
    }
    spawned.commit(signal::ANY)?;
    log.debug(|| "setns_init: about to exec".to_owned());
    timing::wait("wait until the program is executed");
    spawned.await_exec(&plan.child)?;
    log.debug(|| "the program was executed".to_owned());
    match foreground {
        Some(foreground) => {
            timing::wait(timing::PROGRAM_RUNS);
            let exit = foreground.wait(spawned.pid(), spawned.pidfd(), terminal, None);
            // Where we cannot wait any more, the process has nobody.
            Ok(exit.inspect_err(|_| spawned.take_back())?.shell_code())
        }
        None => Ok(0),
    }
}

/// `--cgroup [controller,...:]path`: below the container's own cgroup.
fn cgroup(container: &Container, paths: &[String]) -> Result<Cgroup, Cause> {
    let mut cgroup = container.cgroup().clone();
    if paths.is_empty() {
        // There, as its processes are.
        return Ok(cgroup);
    }
    for argument in paths {
        let (controllers, path) = argument.split_once(':').unwrap_or(("", argument));
        if path.split('/').any(|part| part == "..") {
            return Err(Cause::Elsewhere(argument.clone()));
        }
        for controller in controllers.split(',') {
            let controller = Some(controller).filter(|name| !name.is_empty());
            cgroup = cgroup
                .below(controller, path)
                .ok_or_else(|| Cause::UnknownController(controller.unwrap_or_default().to_owned()))?;
        }
    }
    match cgroup.missing() {
        Some(dir) => Err(Cause::NoSubCgroup(dir.join("cgroup.procs"))),
        None => Ok(cgroup),
    }
}

/// What `--process` says, or the container's own process with what the flags change.
fn process_of(spec: &Spec, request: &Exec) -> Result<Process, Cause> {
    if let Some(path) = &request.process {
        return Ok(completed(spec::parse(path, &launch::read(path)?)?, spec.process.as_ref()));
    }
    let Some(mut process) = spec.process.clone() else { return Err(process::Error::NoProgram.into()) };
    process.args.clone_from(&request.args);
    process.terminal = request.tty;
    process.console_size = None;
    process.env.extend(request.env.iter().cloned());
    if let Some(cwd) = &request.cwd {
        process.cwd.clone_from(cwd);
    }
    if let Some(user) = request.user {
        process.user.uid = user.uid;
        process.user.gid = user.gid.unwrap_or(process.user.gid);
    }
    process.user.additional_gids.extend(&request.additional_gids);
    process.no_new_privileges |= request.no_new_privs;
    if request.apparmor.is_some() {
        process.apparmor_profile.clone_from(&request.apparmor);
    }
    if request.process_label.is_some() {
        process.selinux_label.clone_from(&request.process_label);
    }
    if !request.capabilities.is_empty() {
        let sets = process.capabilities.get_or_insert_default();
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.extend(request.capabilities.iter().cloned());
        }
    }
    Ok(process)
}

/// Capabilities and labels that the file does not name are the container's own, as with runc.
fn completed(mut process: Process, own: Option<&Process>) -> Process {
    let Some(own) = own else { return process };
    process.capabilities = process.capabilities.or_else(|| own.capabilities.clone());
    process.apparmor_profile = process.apparmor_profile.or_else(|| own.apparmor_profile.clone());
    process.selinux_label = process.selinux_label.or_else(|| own.selinux_label.clone());
    process
}
