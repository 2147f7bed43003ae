//! The small languages inside option values: sizes, durations, signals.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use serde_json::Value;

use super::request::{ExecUser, ListFormat, PlanFormat, Rootless, Signal};
use crate::checkpoint::CgroupMode;
use crate::log;

pub const LOG_FORMATS: &[(&str, log::Format)] = &[("text", log::Format::Text), ("json", log::Format::Json)];

pub const LOG_LEVELS: &[(&str, log::Level)] = {
    use log::Level::{Debug, Error, Info, Warning};
    &[("error", Error), ("warn", Warning), ("warning", Warning), ("info", Info), ("debug", Debug)]
};

pub const ROOTLESS: &[(&str, Rootless)] =
    &[("auto", Rootless::Auto), ("true", Rootless::True), ("false", Rootless::False)];

pub const LIST_FORMATS: &[(&str, ListFormat)] = &[("table", ListFormat::Table), ("json", ListFormat::Json)];

pub const PLAN_FORMATS: &[(&str, PlanFormat)] = &[("text", PlanFormat::Text), ("json", PlanFormat::Json)];

pub const CGROUP_MODES: &[(&str, CgroupMode)] = {
    use CgroupMode::{Full, Ignore, Soft, Strict};
    &[("soft", Soft), ("full", Full), ("strict", Strict), ("ignore", Ignore)]
};

pub const EMPTY_NAMESPACES: &[(&str, ())] = &[("network", ())];

/// One of a few words, which shell completion can offer.
#[derive(Clone, Copy)]
pub struct OneOf<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> OneOf<T> {
    fn parse(self, text: &str) -> Result<T, String> {
        let found = self.0.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| {
            format!("choose one of {}", self.0.iter().map(|c| c.0).collect::<Vec<_>>().join(", "))
        })
    }
}

impl<T: Copy + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let choices = *self;
        (move |text: &str| choices.parse(text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|(name, _)| PossibleValue::new(*name))))
    }
}

/// `10.0.0.1:27` or `[::1]:27`.
pub fn page_server(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(address, port)| Some((address, port.parse().ok()?)));
    match parts {
        Some((address, port)) if !address.is_empty() => {
            Ok((address.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
        }
        _ => Err(format!("`{text}` is no ADDRESS:PORT")),
    }
}

/// `uid` or `uid:gid`.
pub fn exec_user(text: &str) -> Result<ExecUser, String> {
    // Digits alone: what else a parser takes for a number is somebody's trick (CVE-2026-30892).
    let number = |part: &str| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| part.parse().ok())
            .flatten()
            .ok_or_else(|| format!("`{part}` is no user or group number"))
    };
    match text.split_once(':') {
        Some((uid, gid)) => Ok(ExecUser { uid: number(uid)?, gid: Some(number(gid)?) }),
        None => Ok(ExecUser { uid: number(text)?, gid: None }),
    }
}

/// A whole number.
pub fn number(text: &str) -> Result<Value, String> {
    text.parse::<i64>().map(Value::from).map_err(|_| format!("`{text}` is no number"))
}

/// A text.
#[expect(clippy::unnecessary_wraps, reason = "parsers of values are of one type")]
pub fn word(text: &str) -> Result<Value, String> {
    Ok(text.into())
}

/// `1048576`, `512m`, `1.5GiB` or `-1`: powers of 1024.
pub fn bytes(text: &str) -> Result<Value, String> {
    if text == "-1" {
        return Ok((-1).into());
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let suffix = text[digits.len()..].trim_start().to_ascii_lowercase();
    let exponent = ["", "k", "m", "g", "t", "p"].iter().position(|unit| {
        suffix
            .strip_prefix(unit)
            .is_some_and(|rest| matches!(rest, "" | "b") || (rest == "ib" && !unit.is_empty()))
    });
    exponent
        .and_then(|exponent| scaled(digits, 1 << (10 * exponent)))
        .map(Value::from)
        .ok_or_else(|| format!("`{text}` is no size such as 1048576, 512m or -1"))
}

/// A decimal number, maybe with a fraction, times `unit`, rounded down.
fn scaled(digits: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number =
        |part: &str| part.bytes().all(|c| c.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten();
    let tenths = i128::from(number(fraction)?) * i128::from(unit)
        / 10_i128.checked_pow(fraction.len().try_into().ok()?)?;
    number(whole)?.checked_mul(unit)?.checked_add(i64::try_from(tenths).ok()?)
}

/// What a Go program's duration holds, 292 years; no clock is that near to its end.
const LONGEST: Duration = Duration::from_nanos(i64::MAX.cast_unsigned());

/// `500ms`, `5s`, `1m30s` or `1h`: what Go programs write for a duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time such as 500ms, 5s or 1m30s");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let seconds = match &rest[digits..unit] {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).filter(|total| *total <= LONGEST).ok_or_else(wrong)?;
        rest = &rest[unit..];
    }
    if total.is_zero() { Err(wrong()) } else { Ok(total) }
}

/// A signal's number, or its name with or without `SIG`, in any case; `RTMIN+n` and `RTMAX-n` too.
pub fn signal(text: &str) -> Result<Signal, String> {
    let wrong = || format!("unknown signal `{text}`");
    if let Ok(number) = text.parse::<i32>() {
        return if (0..=SIGRTMAX).contains(&number) { Ok(Signal(number)) } else { Err(wrong()) };
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let number = match name.get(..5) {
        Some("RTMIN") => realtime(&name[5..], '+').map(|offset| SIGRTMIN + offset),
        Some("RTMAX") => realtime(&name[5..], '-').map(|offset| SIGRTMAX - offset),
        _ => SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number),
    };
    number.map(Signal).ok_or_else(wrong)
}

/// The distance in `RTMIN+3`; no more than there are real-time signals.
fn realtime(text: &str, sign: char) -> Option<i32> {
    let offset = if text.is_empty() { Some(0) } else { text.strip_prefix(sign)?.parse().ok() };
    offset.filter(|offset| (0..=SIGRTMAX - SIGRTMIN).contains(offset))
}

// The numbers of glibc, which containers and engines mean: the C library of this build may keep more for itself.
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

const SIGNALS: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGIOT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGPOLL),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];
