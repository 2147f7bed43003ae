//! A refused document: where, why, and what to write instead.

use std::fmt;

/// One property of the document cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// JSON path such as `linux.resources.memory.swap` or `mounts[3].options[0]`.
    pub at: String,
    /// What is wrong with it, without a full stop.
    pub why: String,
    /// What to do about it; empty when the reason says it all.
    pub hint: String,
}

impl Error {
    /// A refusal whose reason says what to do.
    pub fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into(), hint: String::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why)
    }
}

impl std::error::Error for Error {}
