//! A cgroup as state.json keeps it: a line for each directory, much like those of /proc/self/cgroup (cgroups(7)).
//!
//! ```text
//! v1:pids:1:/sys/fs/cgroup/pids/web
//! ```

use std::borrow::Cow;

use serde::de::{Deserializer, Unexpected};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::Dir;
use crate::plan::cgroup::Version;

/// What a line says.
pub(super) struct Line<'a> {
    pub version: Version,
    /// Names with commas between them.
    pub controllers: &'a str,
    pub made: usize,
    pub path: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (version, rest) = text.split_once(':')?;
        let (controllers, rest) = rest.split_once(':')?;
        let (made, path) = rest.split_once(':')?;
        let version = match version {
            "v1" => Version::V1,
            "v2" => Version::V2,
            _ => return None,
        };
        Some(Self { version, controllers, made: made.parse().ok()?, path })
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|own| own == controller)
    }
}

/// A line where it lies in the document.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Text<'_> {
    pub(super) fn line<E: serde::de::Error>(&self) -> Result<Line<'_>, E> {
        let wrong = || E::invalid_value(Unexpected::Str(&self.0), &"version:controllers:made:path");
        Line::parse(&self.0).ok_or_else(wrong)
    }
}

impl Serialize for Dir {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        let version = if self.version == Version::V1 { "v1" } else { "v2" };
        let path =
            self.path.to_str().ok_or_else(|| S::Error::custom("path contains invalid UTF-8 characters"))?;
        json.collect_str(&format_args!("{version}:{}:{}:{path}", self.controllers.join(","), self.made))
    }
}

impl<'de> Deserialize<'de> for Dir {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(json)?;
        let Line { version, controllers, made, path } = text.line()?;
        let controllers = controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Self { version, controllers, path: path.into(), made })
    }
}
