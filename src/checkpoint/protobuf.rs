//! The little of Protocol Buffers' wire format that CRIU's messages need: numbers, texts and messages in messages.
//!
//! A field is a key, `number << 3 | type`, and a value: type 0 a varint, type 2 a length and that many bytes. CRIU's
//! proto2 messages have no other types, and a reader skips fields that it does not know.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// A message being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// Appends a number.
    pub fn number(&mut self, field: u64, value: impl Into<u64>) -> &mut Self {
        self.varint(field << 3 | VARINT);
        self.varint(value.into());
        self
    }

    /// Appends a switch that is on; one that is off is left out.
    pub fn switch(&mut self, field: u64, on: bool) -> &mut Self {
        if on { self.number(field, true) } else { self }
    }

    /// Appends a text.
    pub fn text(&mut self, field: u64, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    /// Appends a path.
    pub fn path(&mut self, field: u64, path: &Path) -> &mut Self {
        self.bytes(field, path.as_os_str().as_bytes())
    }

    /// Appends a message.
    pub fn message(&mut self, field: u64, message: &Self) -> &mut Self {
        self.bytes(field, &message.0)
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | BYTES);
        self.varint(u64::try_from(bytes.len()).unwrap_or(0));
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or(0));
    }
}

/// One value of a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number, a switch or an enum.
    Number(u64),
    /// A text or a message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number; 0 for anything else.
    #[must_use]
    pub fn number(self) -> u64 {
        if let Self::Number(number) = self { number } else { 0 }
    }

    /// The bytes; none for a number.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }
}

/// The fields of a message in order; `None` in the place of what is no message.
pub fn fields(mut rest: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = take_field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field)
    })
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = take_varint(rest)?;
    let value = match key & 7 {
        VARINT => Value::Number(take_varint(rest)?),
        BYTES => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        _ => return None,
    };
    Some((key >> 3, value))
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of Protocol Buffers' own page on its encoding.
    #[test]
    fn known_examples() {
        let mut message = Message::default();
        message.number(1, 150u64);
        assert_eq!(message.as_bytes(), [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.message(3, &message);
        assert_eq!(outer.as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let mut text = Message::default();
        text.text(2, "testing").switch(4, false);
        assert_eq!(text.as_bytes(), b"\x12\x07testing");
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut message = Message::default();
        message.number(16, u64::MAX).text(2, "").switch(3, true);
        let read: Option<Vec<_>> = fields(message.as_bytes()).collect();
        assert_eq!(
            read.unwrap(),
            [(16, Value::Number(u64::MAX)), (2, Value::Bytes(b"")), (3, Value::Number(1))]
        );
    }

    #[test]
    fn nonsense_ends() {
        for wrong in [&b"\x12\x09short"[..], b"\x08", b"\x0b", &[0xff; 20]] {
            assert_eq!(fields(wrong).last(), Some(None), "{wrong:x?}");
        }
    }
}
