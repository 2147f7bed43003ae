//! Text that a system call can take as it is.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

use super::Error;

/// A NUL-terminated text, made before clone so that nobody has to convert anything afterwards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Text(CString);

impl Text {
    /// Takes a text from the document at the JSON path `at`, which must not hold NUL.
    pub fn new(at: impl fmt::Display, text: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let nul = |_| {
            Error::new(at.to_string(), "contains a NUL character").hint("the kernel would stop reading there")
        };
        CString::new(text).map(Self).map_err(nul)
    }
}

impl From<&CStr> for Text {
    fn from(text: &CStr) -> Self {
        Self(text.to_owned())
    }
}

impl Deref for Text {
    type Target = CStr;
    fn deref(&self) -> &CStr {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string_lossy())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string_lossy())
    }
}
