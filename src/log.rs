//! Log lines in the two forms that engines read: logrus text and JSON.
//!
//! containerd and Podman pass `--log FILE --log-format json` and show the last line of the file when a verb
//! fails. The file is opened for each line, so a run without lines costs nothing.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::timestamp;

/// Form of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// `time="…" level=error msg="…"`
    #[default]
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`
    Json,
}

/// Weight of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The verb failed.
    Error,
    /// Something was ignored or given up.
    #[default]
    Warning,
    /// Worth knowing.
    Info,
    /// What hull does.
    Debug,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Where lines go and which.
#[derive(Debug, Clone, Default)]
pub struct Log {
    file: Option<PathBuf>,
    format: Format,
    level: Level,
}

impl Log {
    /// A log that appends to `file`, or writes to stderr without one.
    #[must_use]
    pub fn new(file: Option<PathBuf>, format: Format, level: Level) -> Self {
        Self { file, format, level }
    }

    /// Says why the verb failed: in the file, and on stderr too, as runc does.
    pub fn error(&self, message: &str) {
        self.line(Level::Error, message);
        if self.file.is_some() {
            to_stderr(&for_people(Level::Error, message));
        }
    }

    /// Says that something was ignored or given up.
    pub fn warn(&self, message: &str) {
        self.line(Level::Warning, message);
    }

    /// Says what hull does, built only when somebody listens.
    pub fn debug(&self, message: impl FnOnce() -> String) {
        if self.level >= Level::Debug {
            self.line(Level::Debug, &message());
        }
    }

    fn line(&self, level: Level, message: &str) {
        if level > self.level {
            return;
        }
        match (&self.file, self.format) {
            (None, Format::Text) if level <= Level::Warning => to_stderr(&for_people(level, message)),
            (None, format) => to_stderr(&render(format, level, message, SystemTime::now())),
            (Some(path), format) => {
                let line = render(format, level, message, SystemTime::now());
                // One write for one line: O_APPEND keeps the lines of parallel verbs apart.
                let written = append(path).and_then(|mut file| file.write_all(line.as_bytes()));
                if let Err(err) = written {
                    to_stderr(&format!("hull: cannot log to {}: {err}\n{line}", path.display()));
                }
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o644).open(path)
}

/// A closed stderr is nothing to report anywhere.
fn to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A line for a terminal, which needs no time.
fn for_people(level: Level, message: &str) -> String {
    match level {
        Level::Error => format!("hull: {message}\n"),
        _ => format!("hull: {}: {message}\n", level.name()),
    }
}

fn render(format: Format, level: Level, message: &str, time: SystemTime) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        level: &'a str,
        msg: &'a str,
        time: &'a str,
    }
    let (level, time) = (level.name(), &timestamp::seconds(time));
    match format {
        Format::Json => format!("{}\n", json(&Line { level, msg: message, time })),
        // A JSON string is a valid Go string too, which is what readers of logrus text expect.
        Format::Text => format!("time=\"{time}\" level={level} msg={}\n", json(&message)),
    }
}

/// Strings always serialise.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn line(format: Format, level: Level, message: &str) -> String {
        render(format, level, message, UNIX_EPOCH + Duration::from_secs(1_136_214_245))
    }

    #[test]
    fn text_lines_are_logrus_lines() {
        assert_eq!(
            line(Format::Text, Level::Error, "no \"x\"\nin\tit"),
            "time=\"2006-01-02T15:04:05Z\" level=error msg=\"no \\\"x\\\"\\nin\\tit\"\n"
        );
    }

    #[test]
    fn json_lines_have_the_three_fields() {
        assert_eq!(
            line(Format::Json, Level::Warning, "odd"),
            "{\"level\":\"warning\",\"msg\":\"odd\",\"time\":\"2006-01-02T15:04:05Z\"}\n"
        );
    }

    #[test]
    fn a_file_gets_whole_lines_of_its_level_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::new(Some(path.clone()), Format::Json, Level::Warning);
        log.warn("first");
        log.debug(|| unreachable!("nobody listens"));
        log.error("second");
        let text = std::fs::read_to_string(path).unwrap();
        let messages: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["msg"].take())
            .collect();
        assert_eq!(messages, ["first", "second"]);
    }
}
