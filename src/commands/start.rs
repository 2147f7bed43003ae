//! `start`: lets the program of a created container run.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use super::{delete, launch};
use crate::error::Cause;
use crate::log::Log;
use crate::plan::{self, HookPlan};
use crate::process::{self, Moment};
use crate::spec::{self, Spec};
use crate::state::{Container, Status, Store};
use crate::sys::{Context, Errno};
use crate::{host, timing};

pub(super) fn start(store: &Store, id: &str, log: &Log) -> Result<(), Cause> {
    timing::phase("lock the container, read its record");
    let mut container = store.lock(id)?;
    match container.status()? {
        Status::Created => {}
        Status::Stopped => return Err(Cause::Status("cannot start a container that has stopped")),
        Status::Creating => return Err(Cause::Status("cannot start a container that is being created")),
        Status::Running => return Err(Cause::Status("cannot start an already running container")),
        Status::Paused => return Err(Cause::Status("cannot start a paused container")),
    }
    let (notify, program) = (launch::notify_socket(&container, log)?, container.init()?);
    let init = container.connect_to_init()?;
    timing::wait("wait until the program is executed");
    let started = process::start(init.as_fd(), || Ok::<_, Cause>(recompile(store, &container)?.child));
    if let (Err(_), Some(program)) = (&started, &program) {
        // Engines delete what cannot start at once, and must find it stopped.
        program.wait_death(delete::PATIENCE)?;
    }
    started?;
    timing::phase("record that it runs");
    log.debug(|| format!("{id}: the program was executed"));
    container.remove_start_socket()?;
    if container.record.has_poststart {
        let spec = saved_spec(&container)?;
        if let Err(cause) = poststart(&container, &plan::poststart(&spec.hooks)?, container.record.pid) {
            if let Some(init) = container.init()? {
                init.signal(libc::SIGKILL)?;
                init.wait_death(delete::PATIENCE)?;
            }
            return Err(cause);
        }
    }
    container.unlock();
    if let Some(program) = program {
        launch::await_ready(notify, program.as_fd(), program.pid(), log);
    }
    Ok(())
}

/// Runs the poststart hooks, with the state of a running container.
pub(super) fn poststart(container: &Container, hooks: &[HookPlan], pid: i32) -> Result<(), Cause> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = launch::state_document(container, Moment::Running, pid);
    let bundle = container.record.bundle.as_os_str().as_bytes();
    let bundle = CString::new(bundle).map_err(|_| Errno::EINVAL).during("chdir", "bundle")?;
    Ok(process::run_hooks(hooks, &state, &bundle)?)
}

/// The document as it was at create.
pub(super) fn saved_spec(container: &Container) -> Result<Spec, Cause> {
    let (path, text) = container.config()?;
    Ok(spec::parse(&path, &text)?)
}

/// The plan anew. The mounts, with one that not every container has, and the end, where `start` is, depend on the
/// document alone.
pub(super) fn recompile(store: &Store, container: &Container) -> Result<plan::Plan, Cause> {
    let spec = saved_spec(container)?;
    let notify_dir = store.notify_dir(&container.id)?;
    let request = plan::Request {
        wait_for_start: true,
        notify_dir: Some(&notify_dir),
        ..plan::Request::new(&container.id, &container.record.bundle)
    };
    Ok(plan::compile(&spec, &request, &host::facts(plan::Wanted::by(&spec)))?)
}
