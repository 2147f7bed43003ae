//! config.json and process.json as the runtime-spec writes them: the first of two readings of the input.
//!
//! These types mirror the document and know nothing of the host; `plan` understands them afterwards. They are
//! our own, not oci-spec's, because that crate is laxer or stricter than the text in places that matter (a
//! missing `ociVersion`, `pids: {}`, unknown capabilities); a test keeps the two in step where oci-spec is right.
//!
//! Unknown properties are ignored and `null` means absent (config.md, "Extensibility").

mod linux;
mod names;
mod object;
mod pointer;
mod process;
mod resources;
mod seccomp;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

pub use linux::*;
pub use names::Names;
pub use process::*;
pub use resources::*;
pub use seccomp::*;
pub use words::words;

use object::objects;

/// The newest runtime-spec this build implements, reported by `--version`, `spec` and `features`.
pub const OCI_VERSION: &str = "1.3.0";

/// The oldest runtime-spec whose documents are accepted.
pub const OCI_VERSION_MIN: &str = "1.0.0";

objects!(Spec, Root, Mount, Hooks, Hook);

/// A whole config.json (config.md).
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Spec {
    /// SemVer of the specification the bundle was written for.
    pub oci_version: String,
    /// The container's first process; absent is legal for `create`, an error for `start`.
    pub process: Option<Process>,
    /// The root filesystem.
    pub root: Option<Root>,
    /// Host name inside a new or joined UTS namespace.
    pub hostname: Option<String>,
    /// NIS domain name inside a new or joined UTS namespace.
    pub domainname: Option<String>,
    /// Mounts, in order.
    #[serde(default, deserialize_with = "null_is_default")]
    pub mounts: Vec<Mount>,
    /// Programs run at the points of the lifecycle.
    #[serde(default, deserialize_with = "null_is_default")]
    pub hooks: Hooks,
    /// Free text for the layers above, passed on in the state.
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Everything particular to Linux.
    #[serde(default, deserialize_with = "null_is_default")]
    pub linux: Linux,
}

/// `root`: where the root filesystem lies.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Root {
    /// Absolute, or relative to the bundle.
    pub path: PathBuf,
    /// Whether `/` is read-only inside.
    #[serde(default, deserialize_with = "null_is_default")]
    pub readonly: bool,
}

/// One entry of `mounts`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Mount {
    /// Where inside the container; relative means relative to `/`.
    pub destination: PathBuf,
    /// Filesystem type; `bind` or absent with a bind option.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Device, or path on the host for binds.
    pub source: Option<String>,
    /// mount(8)-style words; what is no flag goes to the filesystem.
    #[serde(default, deserialize_with = "null_is_default")]
    pub options: Vec<String>,
    /// Mapping of an idmapped mount.
    #[serde(default, deserialize_with = "null_is_default")]
    pub uid_mappings: Vec<IdMapping>,
    /// Mapping of an idmapped mount.
    #[serde(default, deserialize_with = "null_is_default")]
    pub gid_mappings: Vec<IdMapping>,
}

/// `hooks` (config.md, "POSIX-platform Hooks").
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Hooks {
    /// Deprecated twin of `createRuntime`, run before it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub prestart: Vec<Hook>,
    /// During create, in the runtime's namespaces, before pivot_root.
    #[serde(default, deserialize_with = "null_is_default")]
    pub create_runtime: Vec<Hook>,
    /// During create, in the container's namespaces, before pivot_root.
    #[serde(default, deserialize_with = "null_is_default")]
    pub create_container: Vec<Hook>,
    /// During start, in the container, before the program.
    #[serde(default, deserialize_with = "null_is_default")]
    pub start_container: Vec<Hook>,
    /// After the program was executed, in the runtime's namespaces.
    #[serde(default, deserialize_with = "null_is_default")]
    pub poststart: Vec<Hook>,
    /// After delete, in the runtime's namespaces.
    #[serde(default, deserialize_with = "null_is_default")]
    pub poststop: Vec<Hook>,
}

/// One hook.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Hook {
    /// Absolute path of the program.
    pub path: PathBuf,
    /// argv, including argv[0]; absent means just the path.
    #[serde(default, deserialize_with = "null_is_default")]
    pub args: Vec<String>,
    /// The whole environment; absent means that of the program for `startContainer`, and an empty one for all others.
    pub env: Option<Vec<String>>,
    /// Seconds, above zero, after which the hook is killed.
    pub timeout: Option<i64>,
}

/// What can be wrong with the text of a document, before anything is understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not the JSON that the specification describes.
    #[error("{}: {pointer}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where in the document, as `mounts[3].options`.
        pointer: String,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
}

/// Parses `text`, which was read from `path`.
pub fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &[u8]) -> Result<T, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    from_json(text).map_err(|source| {
        let pointer = pointer::pointer(text, &source);
        Error::Json { path: path.to_owned(), pointer, source }
    })
}

/// Reads JSON. That it is UTF-8 is seen for all of it at once, which takes a fraction of the time that looking at each
/// string takes.
pub fn from_json<'de, T: Deserialize<'de>>(text: &'de [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(text) {
        Ok(text) => serde_json::from_str(text),
        // This one says where.
        Err(err) => Err(serde_json::from_slice::<serde_json::Value>(text)
            .err()
            .unwrap_or_else(|| serde::de::Error::custom(err))),
    }
}

/// `null` is the same as an absent property.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(json: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(json)?.unwrap_or_default())
}
