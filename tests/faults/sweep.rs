//! Which faults are tried, and the table of what came of them.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use nix::errno::Errno;

use super::call::Call;
use super::harness;
use super::scenario::{SCENARIOS, Scenario, Stage, Verdict};
use super::trace::{Blow, Fault};

/// What the command line asks for.
pub struct Selection {
    every: usize,
    begin: usize,
    errors: Vec<Errno>,
    /// Death alone.
    kill: bool,
    /// Only this call, `PROCESS:NUMBER`.
    at: Option<String>,
    verbose: bool,
    /// Only print what init and the others beside the command call.
    calls: bool,
    verbs: Vec<String>,
}

impl Selection {
    pub fn parse(words: &[String]) -> Self {
        let runtime = std::env::var_os("RUNTIME").or_else(|| std::env::var_os("HULL"));
        let size = runtime.and_then(|path| Some(std::fs::metadata(path).ok()?.len())).unwrap_or(0);
        let mut selection = Self {
            every: 10,
            begin: 0,
            errors: Vec::new(),
            kill: false,
            at: None,
            verbose: false,
            calls: false,
            verbs: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--all" => selection.every = 1,
                "--every" => selection.every = words.next().and_then(|n| n.parse().ok()).expect("--every N"),
                "--errno" => {
                    let name = words.next().expect("--errno NAME");
                    selection.errors.push(errno(name).expect(name));
                }
                "--at" => (selection.every, selection.at) = (1, words.next().cloned()),
                "--kill" => selection.kill = true,
                "--verbose" => selection.verbose = true,
                "--calls" => selection.calls = true,
                // Flags of the usual test programs mean nothing here.
                flag if flag.starts_with('-') => {}
                verb => selection.verbs.push(verb.to_owned()),
            }
        }
        // So that in time every point is tried, and the same build tries the same ones.
        selection.begin = usize::try_from(size).unwrap_or(0) / 8 % selection.every;
        selection
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        self.verbs.is_empty() || self.verbs.iter().any(|verb| verb == scenario.name)
    }

    /// The blows at one point: all errors of such a call, or in a selection one, in turn; and death.
    fn blows(&self, call: &Call, number: usize) -> Vec<Blow> {
        let errors = call.errors();
        let mut blows: Vec<Blow> = match (errors, &self.errors[..]) {
            _ if self.kill => Vec::new(),
            ([], _) => Vec::new(),
            (errors, []) if self.every == 1 => errors.iter().map(|errno| Blow::Fail(*errno)).collect(),
            (errors, []) => vec![Blow::Fail(errors[number % errors.len()])],
            (_, asked) => asked.iter().map(|errno| Blow::Fail(*errno)).collect(),
        };
        blows.push(Blow::Kill);
        blows
    }
}

/// An error by its name.
fn errno(name: &str) -> Option<Errno> {
    (1..134).map(Errno::from_raw).find(|errno| format!("{errno:?}") == name)
}

/// One row of the table.
#[derive(Default)]
struct Row {
    points: usize,
    tried: usize,
    reported: usize,
    ignored: usize,
    died: usize,
    survived: usize,
    missed: usize,
    wrong: usize,
}

impl Row {
    const HEAD: &str = "verb             points faults reported ignored killed outlived missed wrong";

    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.tried += other.tried;
        self.reported += other.reported;
        self.ignored += other.ignored;
        self.died += other.died;
        self.survived += other.survived;
        self.missed += other.missed;
        self.wrong += other.wrong;
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, tried, reported, ignored, died, survived, missed, wrong } = self;
        write!(
            f,
            "{points:>6} {tried:>6} {reported:>8} {ignored:>7} {died:>6} {survived:>8} {missed:>6} {wrong:>5}"
        )
    }
}

pub fn sweep(selection: &Selection) -> ExitCode {
    if let Err(reason) = harness::root().and_then(|()| supported()) {
        harness::skip("faults::sweep::here", &reason);
        println!("test result: ok. 0 passed; 0 failed; 1 ignored");
        return ExitCode::SUCCESS;
    }
    let mut excuses = Excuses::read();
    let mut conduct = Conduct::read();
    let mut sum = Row::default();
    println!("{}", Row::HEAD);
    for scenario in SCENARIOS.iter().filter(|scenario| selection.wants(scenario)) {
        let row = play_all(scenario, selection, &mut excuses, &mut conduct);
        println!("{:16} {row}", scenario.name);
        sum.add(&row);
    }
    println!("{:16} {sum}", "all");
    let unexplained: usize = excuses
        .unexplained()
        .map(|(excuse, count)| {
            println!("ignored without a reason, {count} times: {excuse}");
            count
        })
        .sum();
    let unlisted = conduct.print(selection.calls);
    let failed = sum.wrong + unexplained + unlisted;
    // What cargo's own tests say, for those who count: a point is a test.
    println!(
        "test result: {}. {} passed; {failed} failed; 0 ignored",
        if failed == 0 { "ok" } else { "FAILED" },
        sum.tried.saturating_sub(failed)
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn supported() -> harness::Need {
    if cfg!(target_arch = "x86_64") { Ok(()) } else { Err("knows the registers of x86_64 only".to_owned()) }
}

fn play_all(scenario: &Scenario, selection: &Selection, excuses: &mut Excuses, conduct: &mut Conduct) -> Row {
    let mut stage = Stage::new();
    // The first run makes what later ones find in the root filesystem.
    stage.play(scenario, None);
    let plain = stage.play(scenario, None);
    let mut row = Row::default();
    if let Some(wrong) = plain.wrong {
        println!("{}: {wrong}", scenario.name);
        row.wrong = 1;
        return row;
    }
    // The runtime itself is process 0; of another runtime nobody knows what its others may do.
    for (process, calls) in plain.outcome.calls.iter().filter(|(process, _)| process != "0") {
        let said = calls.iter().map(|call| stage.anonymous(&call.to_string()));
        conduct.watch(scenario.name, process, said);
    }
    if selection.calls {
        return row;
    }
    let points = plain.outcome.calls.iter().flat_map(|(process, calls)| {
        calls.iter().enumerate().map(move |(number, call)| (process, number, call))
    });
    row.points = points.clone().count();
    for (place, (process, number, call)) in points.enumerate() {
        let elsewhere = selection.at.as_ref().is_some_and(|at| *at != format!("{process}:{number}"));
        if elsewhere || place % selection.every != selection.begin {
            continue;
        }
        for blow in selection.blows(call, place / selection.every) {
            let fault = Fault { process: process.clone(), call: number, blow };
            let verdict = stage.play(scenario, Some(&fault));
            note(&mut row, scenario, selection, &fault, &verdict, &stage, excuses);
        }
    }
    row
}

fn note(
    row: &mut Row,
    scenario: &Scenario,
    selection: &Selection,
    fault: &Fault,
    verdict: &Verdict,
    stage: &Stage,
    excuses: &mut Excuses,
) {
    row.tried += 1;
    let said = verdict.said.err.trim().lines().next().unwrap_or_default();
    let at = || {
        let call = verdict
            .outcome
            .struck
            .as_ref()
            .map_or_else(String::new, |call| stage.anonymous(&call.to_string()));
        format!("{} process {} call {} {call} {:?}", scenario.name, fault.process, fault.call, fault.blow)
    };
    if let Some(wrong) = &verdict.wrong {
        row.wrong += 1;
        println!("WRONG {}: {wrong}; code {}, said: {said}", at(), verdict.outcome.code);
        return;
    }
    let Some(call) = &verdict.outcome.struck else {
        row.missed += 1;
        return;
    };
    match fault.blow {
        Blow::Fail(errno) if verdict.outcome.code == 0 => {
            row.ignored += 1;
            excuses.ask(
                scenario.name,
                &fault.process,
                &stage.anonymous(&call.to_string()),
                errno,
                &verdict.said.err,
            );
        }
        Blow::Fail(_) => row.reported += 1,
        Blow::Kill if verdict.outcome.code == 0 => row.survived += 1,
        Blow::Kill => row.died += 1,
    }
    if selection.verbose {
        println!("{}: code {}: {said}", at(), verdict.outcome.code);
    }
}

/// Whether a warning names the error.
fn tells(said: &str, errno: Errno) -> bool {
    // The C library's words for it may be others than ours.
    said.to_lowercase().contains(&hull::sys::reason(errno))
        || said.contains(&format!("(os error {})", errno as i32))
}

/// Failures that may be without consequence, with the reason.
struct Excuses {
    known: Vec<Vec<&'static str>>,
    unknown: BTreeMap<String, usize>,
}

impl Excuses {
    /// Lines `call about ERRNO: reason`, in which `*` stands for anything.
    fn read() -> Self {
        let lines = include_str!("ignored.txt").lines().filter(|line| !line.starts_with('#'));
        let known = lines.filter_map(|line| line.split_once(": ")).map(|(call, _)| call.split('*').collect());
        Self { known: known.collect(), unknown: BTreeMap::new() }
    }

    fn ask(&mut self, verb: &str, process: &str, call: &str, errno: Errno, said: &str) {
        let text = format!("{call} {errno:?}");
        // Another runtime owes no reasons here; one that says so in a warning has ignored nothing.
        let told = std::env::var_os("RUNTIME").is_some() || tells(said, errno);
        if !told && !self.known.iter().any(|parts| fits(parts, &text)) {
            *self.unknown.entry(format!("{text} ({verb}, process {process})")).or_default() += 1;
        }
    }

    fn unexplained(&self) -> impl Iterator<Item = (&String, &usize)> {
        self.unknown.iter()
    }
}

/// What the processes beside the command may call until they execute something else: tests/faults/init.txt.
struct Conduct {
    allowed: Vec<Vec<&'static str>>,
    seen: BTreeMap<String, String>,
}

impl Conduct {
    /// Lines `call about: reason`, as [`Excuses::read`] has them.
    fn read() -> Self {
        let lines = include_str!("init.txt").lines().filter(|line| !line.starts_with('#'));
        let allowed =
            lines.filter_map(|line| line.split_once(": ")).map(|(call, _)| call.split('*').collect());
        Self { allowed: allowed.collect(), seen: BTreeMap::new() }
    }

    fn watch(&mut self, verb: &str, process: &str, calls: impl Iterator<Item = String>) {
        for call in calls {
            self.seen.entry(call).or_insert_with(|| format!("{verb}, process {process}"));
        }
    }

    /// Names what is not listed, or all that was seen; returns how many are not listed.
    fn print(&self, all: bool) -> usize {
        let strict = std::env::var_os("RUNTIME").is_none();
        let listed = |call: &str| !strict || self.allowed.iter().any(|parts| fits(parts, call));
        for (call, place) in self.seen.iter().filter(|(call, _)| all || !listed(call)) {
            println!(
                "{call} ({place}){}",
                if listed(call) { "" } else { " is not in tests/faults/init.txt" }
            );
        }
        self.seen.keys().filter(|call| !listed(call)).count()
    }
}

/// Whether a text is these parts with anything in between.
fn fits(parts: &[&str], text: &str) -> bool {
    let [first, between @ .., last] = parts else { return parts == [text] };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
