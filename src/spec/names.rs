//! A list of short texts in one piece of memory.
//!
//! A usual seccomp profile names four hundred system calls: as strings they would be as many allocations, and half of
//! the heap that reading config.json takes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// Names, in order.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Each followed by [`END`].
    text: String,
    count: usize,
}

/// Is in no name.
const END: u8 = b'\0';

impl Names {
    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            let end = rest.bytes().position(|byte| byte == END)?;
            let name = &rest[..end];
            rest = &rest[end + 1..];
            Some(name)
        })
    }

    fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.text.push(char::from(END));
        self.count += 1;
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(list: I) -> Self {
        let mut names = Self::default();
        list.into_iter().for_each(|name| names.push(name));
        names
    }
}

impl<'de> serde::Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(format: D) -> Result<Self, D::Error> {
        format.deserialize_seq(List)
    }
}

/// Reads the list.
struct List;

impl<'de> Visitor<'de> for List {
    type Value = Names;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while list.next_element_seed(Next(&mut names))?.is_some() {}
        Ok(names)
    }
}

/// Reads one name, to the end of what was read before.
struct Next<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, format: D) -> Result<(), D::Error> {
        format.deserialize_str(self)
    }
}

impl Visitor<'_> for Next<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        if name.bytes().any(|byte| byte == END) {
            return Err(E::invalid_value(Unexpected::Str(name), &"a name"));
        }
        self.0.push(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_in_order() {
        let read = |text| {
            serde_json::from_str::<Names>(text)
                .map(|names| names.iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(read(r#"["read", "", "\u0077rite"]"#).unwrap(), ["read", "", "write"]);
        assert!(read("[]").unwrap().is_empty());
        assert!(serde_json::from_str::<Names>("[]").unwrap().is_empty());
        for wrong in [r#"["read\u0000write"]"#, "[1]", "[null]", "null", r#""read""#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
