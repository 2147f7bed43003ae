//! Where the time goes (`--trace-timing`): when each phase of the runtime and each step of init began.
//!
//! A phase is one call, [`phase`] or [`wait`], and lasts until the next one. Unless somebody asked, that call is a load
//! and a branch. Init does not allocate and its memory is a copy, so it stamps a page that it shares with the runtime,
//! which has the names and writes the report when the verb is done.

mod report;
mod svg;

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::{Errno, clock, shared};

use report::{Report, Span};

static RECORDING: OnceLock<Recording> = OnceLock::new();

struct Recording {
    begin: Instant,
    /// CPU time used until then: to be executed, sealed, and told what to do.
    before: Duration,
    phases: Mutex<Vec<Phase>>,
    init: OnceLock<Init>,
}

struct Phase {
    name: &'static str,
    waits: bool,
    begin: Duration,
}

/// A step of init, as the report calls it.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it does.
    pub name: String,
    /// The property of config.json that asked for it.
    pub at: String,
    /// Whether it waits for somebody else.
    pub waits: bool,
}

struct Init {
    /// Of the first steps; of the others nothing is known.
    steps: Vec<Step>,
    unseen: usize,
    /// When they began, in nanoseconds; 0 for never.
    begun: &'static [AtomicU64],
}

/// The file that will get the report.
#[derive(Debug)]
pub struct Output {
    file: File,
    svg: bool,
}

/// Starts the clock. The file is made now, so that one that cannot be is known before anything is done.
pub fn start(path: &Path) -> io::Result<Output> {
    let file = File::options().write(true).create(true).truncate(true).open(path)?;
    let output = Output { file, svg: path.extension().is_some_and(|end| end == "svg") };
    let recording = Recording {
        begin: Instant::now(),
        before: clock::cpu_time()?,
        phases: Mutex::default(),
        init: OnceLock::new(),
    };
    RECORDING.get_or_init(|| recording);
    Ok(output)
}

/// The runtime begins to do this.
#[inline]
pub fn phase(name: &'static str) {
    if let Some(recording) = RECORDING.get() {
        recording.note(name, false);
    }
}

/// The runtime begins to wait for this.
#[inline]
pub fn wait(name: &'static str) {
    if let Some(recording) = RECORDING.get() {
        recording.note(name, true);
    }
}

/// Init will walk these steps. It has no clock after the first `seen`: a filter may forbid it.
pub fn expect_init(seen: usize, steps: impl FnOnce() -> Vec<Step>) -> Result<(), Errno> {
    let (Some(recording), Some(count)) = (RECORDING.get(), NonZeroUsize::new(seen)) else { return Ok(()) };
    let begun = shared::numbers(count)?;
    let mut steps = steps();
    let unseen = steps.len().saturating_sub(seen);
    steps.truncate(seen);
    recording.init.get_or_init(|| Init { steps, unseen, begun });
    Ok(())
}

/// Init begins with this step.
#[inline]
pub fn step(index: usize) {
    if let Some(recording) = RECORDING.get() {
        recording.stamp(index);
    }
}

impl Recording {
    #[cold]
    fn note(&self, name: &'static str, waits: bool) {
        let begin = self.begin.elapsed();
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).push(Phase { name, waits, begin });
    }

    #[cold]
    fn stamp(&self, index: usize) {
        if let Some(begun) = self.init.get().and_then(|init| init.begun.get(index)) {
            let nanoseconds = self.begin.elapsed().as_nanos();
            begun.store(u64::try_from(nanoseconds).unwrap_or(u64::MAX), Relaxed);
        }
    }

    fn report<'a>(&'a self, command: &'a str) -> Report<'a> {
        let end = self.begin.elapsed();
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = phases.iter().skip(1).map(|phase| phase.begin).chain([end]);
        let spans = phases.iter().zip(ends).map(|(phase, end)| Span::of_runtime(phase, end));
        let runtime: Vec<Span> = spans.collect();
        // Init's last sign of life is that its program runs, which the runtime sees.
        let executed =
            phases.iter().find(|phase| phase.name == PROGRAM_RUNS).map_or(end, |phase| phase.begin);
        let init = self.init.get().map(|init| init.spans(executed)).unwrap_or_default();
        Report { command, before: self.before, total: end, runtime, init }
    }
}

impl Init {
    fn spans(&self, executed: Duration) -> Vec<Span<'_>> {
        let begun = self.begun.iter().map(|begun| begun.load(Relaxed)).take_while(|begun| *begun != 0);
        let begun: Vec<Duration> = begun.map(Duration::from_nanos).collect();
        let ends = begun.iter().skip(1).copied().chain([executed]);
        let spans = self.steps.iter().zip(&begun).zip(ends);
        let mut spans: Vec<Span> =
            spans.map(|((step, begin), end)| Span::of_init(step, *begin, end)).collect();
        if let (Some(last), true) = (spans.last_mut(), begun.len() == self.steps.len()) {
            last.further_steps = self.unseen;
        }
        spans
    }
}

/// The phase in which the container's program is all that happens.
pub const PROGRAM_RUNS: &str = "the program runs";

impl Output {
    /// Writes the report on `command`.
    pub fn write(mut self, command: &str) -> io::Result<()> {
        let Some(recording) = RECORDING.get() else { return Ok(()) };
        let report = recording.report(command);
        let text = if self.svg { svg::draw(&report) } else { report.json() };
        self.file.write_all(text.as_bytes())
    }
}
