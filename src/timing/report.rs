//! What was recorded, as data: the JSON report.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Phase, Step};

/// All of it. Times count from the moment when the command line was understood.
#[derive(Serialize)]
pub struct Report<'a> {
    /// What was asked for, as `run web`.
    pub command: &'a str,
    /// CPU time that was used before: nobody looked at the clock yet.
    #[serde(rename = "cpuBefore_us", serialize_with = "microseconds")]
    pub before: Duration,
    /// The whole verb.
    #[serde(rename = "total_us", serialize_with = "microseconds")]
    pub total: Duration,
    /// The process that was called.
    pub runtime: Vec<Span<'a>>,
    /// The one that becomes the program.
    pub init: Vec<Span<'a>>,
}

/// One thing after another.
#[derive(Serialize)]
pub struct Span<'a> {
    /// What was done.
    pub name: Cow<'a, str>,
    /// The property of config.json that asked for it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub at: &'a str,
    /// Whether it was waiting for somebody else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// When it began.
    #[serde(rename = "begin_us", serialize_with = "microseconds")]
    pub begin: Duration,
    /// How long it took.
    #[serde(rename = "took_us", serialize_with = "microseconds")]
    pub took: Duration,
    /// Steps that belong to this time as well, as init has no clock any more.
    #[serde(rename = "furtherSteps", skip_serializing_if = "is_zero")]
    pub further_steps: usize,
}

fn microseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1e7).round() / 10.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl<'a> Span<'a> {
    pub(super) fn of_runtime(phase: &Phase, end: Duration) -> Self {
        let Phase { name, waits, begin } = *phase;
        Self {
            name: Cow::Borrowed(name),
            at: "",
            waits,
            begin,
            took: end.saturating_sub(begin),
            further_steps: 0,
        }
    }

    pub(super) fn of_init(step: &'a Step, begin: Duration, end: Duration) -> Self {
        Self {
            name: Cow::Borrowed(&step.name),
            at: &step.at,
            waits: step.waits,
            begin,
            took: end.saturating_sub(begin),
            further_steps: 0,
        }
    }
}

impl Report<'_> {
    /// The JSON report.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
