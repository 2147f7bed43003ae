//! The words that a document may contain, asked of the parser itself, so that `features` cannot disagree with it.

use serde::de::{Deserialize, Deserializer, Error as _, Visitor, value::Error};
use serde::forward_to_deserialize_any;

/// The variants of a unit enum or the fields of a struct, as they are spelled in JSON, in the order of the source.
#[must_use]
pub fn words<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut words: &'static [&'static str] = &[];
    // A derived `deserialize` tells the format what it knows before it reads anything; reading then fails.
    let _ = T::deserialize(Listen(&mut words));
    words
}

/// A format without data, which only notes what it is told.
struct Listen<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Listen<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(Error::custom("no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("no data"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("no data"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Hooks, NamespaceKind, SchedulerPolicy};
    use super::*;

    #[test]
    fn words_are_those_of_the_document() {
        assert_eq!(
            words::<NamespaceKind>(),
            ["user", "pid", "network", "mount", "ipc", "uts", "cgroup", "time"]
        );
        assert_eq!(
            words::<Hooks>(),
            ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
        );
        assert_eq!(words::<Action>().len(), 9);
        assert!(words::<SchedulerPolicy>().contains(&"SCHED_ISO"));
    }

    #[test]
    fn every_word_is_accepted() {
        for word in words::<Action>() {
            serde_json::from_str::<Action>(&format!("{word:?}")).unwrap();
        }
    }
}
