//! What can go wrong between us and systemd, and what to do about it.

use std::io;

/// A failure, with all that a reader needs to find the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nobody to talk to.
    #[error("cannot reach {who}: {}", reasons(tried))]
    Unreachable {
        /// Which systemd.
        who: &'static str,
        /// What to do.
        hint: &'static str,
        /// Every place that was tried, and why in vain.
        tried: Vec<Error>,
    },
    /// The connection broke, or was not made.
    #[error("{address}: {}", source.to_string().to_lowercase())]
    Connection {
        /// Where to.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// No answer in time.
    #[error("systemd did not answer within {0} s")]
    Silent(u64),
    /// An answer that makes no sense.
    #[error("systemd answered with {0}")]
    Protocol(&'static str),
    /// systemd does not want to.
    #[error("systemd refused {method}: {said} ({name})")]
    Refused {
        /// What was asked for.
        method: &'static str,
        /// The error by its D-Bus name.
        name: String,
        /// systemd's words.
        said: String,
    },
    /// A property of the document is one that systemd does not want.
    #[error("{at}: {cause}")]
    Property {
        /// JSON path.
        at: String,
        /// Whether the unit can do without it.
        optional: bool,
        /// The refusal.
        cause: Box<Self>,
    },
    /// systemd tried, and failed.
    #[error("systemd could not {doing} {unit}: its job ended as {result:?}")]
    Job {
        /// `start` or `stop`.
        doing: &'static str,
        /// The unit.
        unit: String,
        /// As JobRemoved says it.
        result: String,
    },
}

fn reasons(tried: &[Error]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// The connection is no more.
    pub(super) fn lost(source: io::Error) -> Self {
        Self::Connection { address: "the connection to systemd".to_owned(), source }
    }

    /// Whether systemd said so, by its D-Bus name without what all of them begin with.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name.strip_prefix("org.freedesktop.systemd1.") == Some(wanted))
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { hint, .. } => hint,
            Self::Property { cause, .. } => match cause.hint() {
                "" => "systemctl show lists a unit's properties; this systemd may be older than the property",
                hint => hint,
            },
            Self::Silent(_) => "see whether it is reloading, or stopped: systemctl is-system-running",
            Self::Job { .. } => "journalctl -u UNIT tells why",
            Self::Refused { name, .. } => match name.rsplit('.').next().unwrap_or_default() {
                "UnixProcessIdUnknown" => {
                    "hull must see processes by the same numbers as systemd: the same pid namespace"
                }
                "UnitExists" => "another container has this unit: choose another name in linux.cgroupsPath",
                "AccessDenied" | "InteractiveAuthorizationRequired" => {
                    "run as root, or in a session of your own with XDG_RUNTIME_DIR set"
                }
                _ => "",
            },
            Self::Connection { .. } | Self::Protocol(_) => "",
        }
    }
}
