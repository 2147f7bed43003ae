//! `delete`: removes what is left of a container, or of a `create` that was killed half-way.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::error::Cause;
use crate::log::Log;
use crate::plan::{self, HookPlan};
use crate::process;
use crate::resctrl;
use crate::spec::{self, Spec};
use crate::state::{self, Container, Status, Store};
use crate::timing;

/// How long a killed process may take to die; one in uninterruptible sleep can take for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Removes a stopped or created container; with `force` any, even an absent one.
pub fn delete(store: &Store, id: &str, force: bool, log: &Log) -> Result<(), Cause> {
    let container = match store.lock(id) {
        Err(state::Error::Absent) if force => return Ok(()),
        result => result?,
    };
    if !force && let status @ (Status::Running | Status::Paused) = container.status()? {
        return Err(Cause::NotStopped { id: id.to_owned(), status });
    }
    destroy(container, log)
}

/// Removes a container of ours that has ended, unless somebody else was faster, which is just as well.
pub(super) fn destroy_ended(mut container: Container, log: &Log) -> Result<(), Cause> {
    if container.lock_again()? { remove(container, log) } else { Ok(()) }
}

/// The same for one that perhaps has not ended.
pub(super) fn destroy_if_there(mut container: Container, log: &Log) -> Result<(), Cause> {
    if container.lock_again()? { destroy(container, log) } else { Ok(()) }
}

/// Kills what lives, removes the cgroup and the class of service, frees the id, and runs the poststop hooks.
///
/// Each step finds nothing to do when it was done before, so that a failed `delete` can be repeated.
pub fn destroy(container: Container, log: &Log) -> Result<(), Cause> {
    if let Some(init) = container.init()? {
        timing::phase("kill it");
        init.signal(libc::SIGKILL)?;
        // All of it at once, frozen or not: others would keep a shared pid namespace, and the cgroup, alive.
        container.cgroup().kill()?;
        if !init.wait_death(PATIENCE)? {
            return Err(Cause::Status("container does not die: its process is in uninterruptible sleep"));
        }
    }
    remove(container, log)
}

/// Removes what is left when init is dead.
fn remove(container: Container, log: &Log) -> Result<(), Cause> {
    timing::phase("remove the container");
    let cgroup = container.cgroup();
    if !cgroup.remove_if_empty() {
        cgroup.kill()?;
        cgroup.stop_unit()?;
        cgroup.remove()?;
    }
    log.debug(|| format!("removed the cgroup {cgroup}"));
    container.record.intel_rdt.iter().try_for_each(resctrl::Group::remove)?;
    let hooks = poststop_hooks(&container).unwrap_or_else(|cause| {
        log.warn(&format!("delete {}: poststop hooks cannot be read: {cause}", container.id));
        Vec::new()
    });
    if hooks.is_empty() {
        return Ok(container.remove()?);
    }
    let state = serde_json::to_vec(&container.state(Status::Stopped, 0)).map_err(Cause::json("state"))?;
    let bundle = CString::new(container.record.bundle.as_os_str().as_bytes()).unwrap_or_default();
    container.remove()?;
    // The container is gone whatever the hooks do, so a failure is a warning and the others still run.
    for hook in &hooks {
        if let Err(err) = process::run_hooks([hook], &state, &bundle) {
            log.warn(&err.to_string());
        }
    }
    Ok(())
}

fn poststop_hooks(container: &Container) -> Result<Vec<HookPlan>, Cause> {
    if !container.record.has_poststop {
        return Ok(Vec::new());
    }
    let (path, text) = container.config()?;
    Ok(plan::poststop(&spec::parse::<Spec>(&path, &text)?.hooks)?)
}
