//! Messages as D-Bus writes them (D-Bus specification, "Marshaling"): what is needed to call methods of systemd and to
//! read what it answers.
//!
//! ```text
//! order 'l'/'B'  kind u8  flags u8  version u8  length of body u32  serial u32  fields a(yv)  pad to 8  body
//! ```

use super::Error;
use crate::plan::Variant;

/// The byte that says in which order the others are: this machine's.
const ORDER: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };

/// Bytes before the header's fields end: the part whose length is known in advance.
pub const FIXED: usize = 16;

/// Far above what anybody answers here; the specification's own limit is 128 MiB.
const LONGEST: usize = 1 << 20;

/// Kinds of messages.
pub(super) mod kind {
    pub const CALL: u8 = 1;
    pub const RETURN: u8 = 2;
    pub const ERROR: u8 = 3;
    pub const SIGNAL: u8 = 4;
}

/// Fields of the header.
mod field {
    pub const PATH: u8 = 1;
    pub const INTERFACE: u8 = 2;
    pub const MEMBER: u8 = 3;
    pub const ERROR_NAME: u8 = 4;
    pub const REPLY_SERIAL: u8 = 5;
    pub const DESTINATION: u8 = 6;
    pub const SIGNATURE: u8 = 8;
}

/// Who is called, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    pub destination: &'static str,
    pub path: &'static str,
    pub interface: &'static str,
    pub member: &'static str,
}

/// Values in the making.
#[derive(Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_ne_bytes());
    }

    fn length(&mut self, length: usize) {
        // Longer messages are refused before they are sent.
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// A text, or a path: both look the same.
    pub fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend(text.bytes());
        self.bytes.push(0);
    }

    pub fn signature(&mut self, signature: &str) {
        self.bytes.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.bytes.extend(signature.bytes());
        self.bytes.push(0);
    }

    /// A struct begins here.
    pub fn structure(&mut self) {
        self.align(8);
    }

    /// Items of the type that `item` begins with.
    pub fn array(&mut self, item: &str, fill: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length = self.bytes.len() - 4;
        self.align(alignment(item));
        let start = self.bytes.len();
        fill(self);
        let filled = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[length..length + 4].copy_from_slice(&filled.to_ne_bytes());
    }

    /// A value with its type in front.
    pub fn variant(&mut self, value: &Variant) {
        self.signature(&value.signature());
        self.value(value);
    }

    fn value(&mut self, value: &Variant) {
        match value {
            Variant::Bool(truth) => self.u32((*truth).into()),
            Variant::Number(integer, number) => {
                self.align(integer.size);
                let bytes = number.to_ne_bytes();
                let from = if ORDER == b'l' { 0 } else { bytes.len() - integer.size };
                self.bytes.extend(&bytes[from..from + integer.size]);
            }
            Variant::Text(text) => self.text(text),
            Variant::List(item, values) => {
                self.array(item, |list| values.iter().for_each(|value| list.value(value)));
            }
            Variant::Tuple(fields) => {
                self.structure();
                fields.iter().for_each(|field| self.value(field));
            }
        }
    }
}

/// Where a value of the type may begin.
fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'y' | b'g' | b'v') => 1,
        Some(b'n' | b'q') => 2,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => 4,
    }
}

/// A whole call; `fill` writes its arguments, which have the types of `signature`.
pub(super) fn call(serial: u32, method: Method, signature: &str, fill: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut body = Encoder::default();
    fill(&mut body);
    let mut message = Encoder::default();
    message.bytes.extend([ORDER, kind::CALL, 0, 1]);
    message.length(body.bytes.len());
    message.u32(serial);
    message.array("(", |fields| {
        let mut field = |code, kind, text: &str| {
            fields.structure();
            fields.u8(code);
            fields.signature(kind);
            if kind == "g" { fields.signature(text) } else { fields.text(text) }
        };
        field(field::PATH, "o", method.path);
        field(field::INTERFACE, "s", method.interface);
        field(field::MEMBER, "s", method.member);
        field(field::DESTINATION, "s", method.destination);
        if !signature.is_empty() {
            field(field::SIGNATURE, "g", signature);
        }
    });
    message.align(8);
    message.bytes.extend(body.bytes);
    message.bytes
}

/// Something that came in.
#[derive(Debug, Default)]
pub struct Message {
    /// What it is: a call, an answer, an error or a signal.
    pub kind: u8,
    /// Serial of the call that it answers.
    pub answers: u32,
    /// Name of the signal.
    pub member: String,
    /// Name of the error.
    pub error: String,
    signature: String,
    body: Vec<u8>,
}

/// How many bytes follow the fixed part of a message.
pub fn length_of_rest(fixed: &[u8; FIXED]) -> Result<usize, Error> {
    if fixed[0] != ORDER {
        return Err(Error::Protocol("a message in the byte order of another machine"));
    }
    let mut lengths = Decoder { bytes: fixed, at: 4 };
    let body = lengths.u32()? as usize;
    lengths.at = 12;
    let fields = lengths.u32()? as usize;
    let rest = fields.saturating_add(FIXED).next_multiple_of(8) - FIXED;
    match rest.checked_add(body).filter(|rest| *rest <= LONGEST) {
        Some(rest) => Ok(rest),
        None => Err(Error::Protocol("a message that is too long")),
    }
}

impl Message {
    /// Reads a message; `bytes` are the fixed part and the rest.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut message = Self { kind: *bytes.get(1).ok_or(SHORT)?, ..Self::default() };
        let mut header = Decoder { bytes, at: 12 };
        let end = header.u32()? as usize + FIXED;
        while header.at < end {
            header.align(8);
            let code = header.u8()?;
            let kind = header.signature()?;
            match (code, kind) {
                (field::REPLY_SERIAL, "u") => message.answers = header.u32()?,
                (field::MEMBER, "s") => message.member = header.text()?.to_owned(),
                (field::ERROR_NAME, "s") => message.error = header.text()?.to_owned(),
                (field::SIGNATURE, "g") => message.signature = header.signature()?.to_owned(),
                (_, "s" | "o") => drop(header.text()?),
                (_, "u") => drop(header.u32()?),
                (_, "g") => drop(header.signature()?),
                _ => return Err(Error::Protocol("a header field of an unknown type")),
            }
        }
        header.at = end;
        header.align(8);
        message.body = bytes.get(header.at..).ok_or(SHORT)?.to_owned();
        Ok(message)
    }

    /// The texts and paths at the beginning of the body, without the numbers between them; a variant counts as what
    /// it holds.
    pub fn texts(&self) -> Result<Vec<&str>, Error> {
        let mut body = Decoder { bytes: &self.body, at: 0 };
        let mut texts = Vec::new();
        for kind in self.signature.chars() {
            match kind {
                'u' => drop(body.u32()?),
                's' | 'o' => texts.push(body.text()?),
                'v' if body.signature()? == "s" => texts.push(body.text()?),
                _ => break,
            }
        }
        Ok(texts)
    }
}

const SHORT: Error = Error::Protocol("a message that ends too early");

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(length).ok_or(SHORT)?;
        let taken = self.bytes.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(|_| SHORT)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.u32()? as usize;
        self.terminated(length)
    }

    fn signature(&mut self) -> Result<&'a str, Error> {
        let length = self.u8()?.into();
        self.terminated(length)
    }

    fn terminated(&mut self, length: usize) -> Result<&'a str, Error> {
        let text = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(text).map_err(|_| Error::Protocol("a text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Method = Method { destination: "a.b", path: "/a", interface: "c.d", member: "Get" };

    /// A call is a message like any other, so what was written must be what is read.
    #[test]
    fn a_call_is_read_as_it_was_written() {
        let bytes = call(7, GET, "so", |body| {
            body.text("first");
            body.text("/second");
        });
        let fixed: &[u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        assert_eq!(length_of_rest(fixed).unwrap() + FIXED, bytes.len());
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.kind, message.member.as_str()), (kind::CALL, "Get"));
        assert_eq!(message.texts().unwrap(), ["first", "/second"]);
    }

    #[test]
    fn values_are_aligned_by_their_type() {
        let mut encoder = Encoder::default();
        encoder.variant(&Variant::parse("uint64 5").unwrap());
        let mut expected = vec![1, b't', 0, 0, 0, 0, 0, 0];
        expected.extend(5u64.to_ne_bytes());
        assert_eq!(encoder.bytes, expected);

        let mut encoder = Encoder::default();
        encoder.variant(&Variant::parse("[('a', uint64 5)]").unwrap());
        let mut expected = vec![5, b'a', b'(', b's', b't', b')', 0, 0];
        expected.extend(16u32.to_ne_bytes());
        expected.extend([0; 4]);
        expected.extend(1u32.to_ne_bytes());
        expected.extend([b'a', 0, 0, 0]);
        expected.extend(5u64.to_ne_bytes());
        assert_eq!(encoder.bytes, expected);

        let mut encoder = Encoder::default();
        encoder.variant(&Variant::parse("[byte 1, byte 2]").unwrap());
        let mut expected = vec![2, b'a', b'y', 0];
        expected.extend(2u32.to_ne_bytes());
        expected.extend([1, 2]);
        assert_eq!(encoder.bytes, expected);
    }

    #[test]
    fn a_message_cut_off_or_made_up_is_an_error() {
        let bytes = call(7, GET, "s", |body| body.text("text"));
        for length in 0..bytes.len() {
            let cut = Message::parse(&bytes[..length]);
            assert!(cut.is_err() || cut.unwrap().texts().is_err(), "{length} bytes");
        }
        let mut huge: [u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        huge[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(length_of_rest(&huge).is_err());
        huge[0] = b'?';
        assert!(length_of_rest(&huge).is_err());
    }
}
