//! `events`: a container's statistics and out-of-memory notices, one JSON object a line.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use super::print;
use crate::cgroups::{Cgroup, Oom, OomWatch, stats::Stats};
use crate::error::Cause;
use crate::state::{Init, Store};
use crate::sys::{Context, Errno, closing};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event<'a> {
    Stats { id: &'a str, data: Box<Stats> },
    Oom { id: &'a str },
}

/// Prints statistics once, or all events until the container stops.
pub fn events(store: &Store, id: &str, interval: Duration, once: bool) -> Result<(), Cause> {
    let container = store.load(id)?;
    let init = container.init()?.ok_or(Cause::Status("container is not running"))?;
    let cgroup = container.cgroup();
    if once { emit_stats(id, cgroup) } else { follow(id, &init, cgroup, interval) }
}

fn follow(id: &str, init: &Init, cgroup: &Cgroup, interval: Duration) -> Result<(), Cause> {
    let mut told = cgroup.oom_killed()?;
    let mut oom = cgroup.watch_oom()?;
    let mut next_stats = Instant::now() + interval;
    loop {
        let happened = wait(init, oom.as_ref(), next_stats)?;
        if happened.oom {
            match oom.as_mut().map(OomWatch::read).transpose()? {
                Some(Oom::Out) => {
                    emit(&Event::Oom { id })?;
                    // cgroup v1 gives notice before it kills and counts.
                    told = cgroup.oom_killed()?.max(told + 1);
                }
                Some(Oom::Gone) => oom = None,
                Some(Oom::Nothing) | None => {}
            }
        }
        let tick = Instant::now() >= next_stats;
        if happened.end || tick {
            // The kernel holds notices back for some milliseconds, which is longer than a process takes to die, and
            // cgroup v1 may give none.
            let killed = cgroup.oom_killed()?;
            if killed > told {
                emit(&Event::Oom { id })?;
                told = killed;
            }
        }
        if happened.end {
            return Ok(());
        }
        if tick {
            emit_stats(id, cgroup)?;
            next_stats += interval;
        }
    }
}

struct Happened {
    end: bool,
    oom: bool,
}

/// Waits for the end of the container, a notice, or the time of the next statistics.
fn wait(init: &Init, oom: Option<&OomWatch>, until: Instant) -> Result<Happened, Cause> {
    let mut fds = vec![PollFd::new(init.as_fd(), PollFlags::POLLIN)];
    fds.extend(oom.map(|oom| PollFd::new(oom.poll().0, oom.poll().1)));
    let left = until.saturating_duration_since(Instant::now());
    // Rounded up, or the last millisecond would be spent turning round.
    let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    closing::now();
    match poll(&mut fds, left) {
        Err(Errno::EINTR) => return Ok(Happened { end: false, oom: false }),
        result => result.during("poll", "pidfd, memory events")?,
    };
    let ready = |fd: &PollFd| fd.any().unwrap_or(true);
    Ok(Happened { end: ready(&fds[0]), oom: fds.get(1).is_some_and(ready) })
}

fn emit_stats(id: &str, cgroup: &Cgroup) -> Result<(), Cause> {
    emit(&Event::Stats { id, data: Box::new(cgroup.stats()?) })
}

fn emit(event: &Event) -> Result<(), Cause> {
    print(&format!("{}\n", serde_json::to_string(event).map_err(Cause::json("events"))?))
}
