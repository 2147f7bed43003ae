//! Values of systemd's unit properties: the types that D-Bus gives them, and their text form, which is that of GVariant
//! (`uint64 5`, `'text'`, `['a', 'b']`), as annotations and `busctl` write it.

use std::fmt;
use std::iter::Peekable;
use std::str::CharIndices;

use serde::{Serialize, Serializer};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variant {
    /// `b`
    Bool(bool),
    /// A whole number of one of D-Bus's types.
    Number(Integer, i128),
    /// `s`
    Text(String),
    /// `a` and the signature of every item.
    List(String, Vec<Self>),
    /// Values of different types in parentheses.
    Tuple(Vec<Self>),
}

/// A type of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    /// Its letter in a signature.
    pub letter: char,
    /// How many bytes it has.
    pub size: usize,
    name: &'static str,
    signed: bool,
}

impl Integer {
    const fn new(letter: char, name: &'static str, size: usize, signed: bool) -> Self {
        Self { letter, size, name, signed }
    }

    const BYTE: Self = Self::new('y', "byte", 1, false);
    const INT32: Self = Self::new('i', "int32", 4, true);
    const UINT32: Self = Self::new('u', "uint32", 4, false);
    const UINT64: Self = Self::new('t', "uint64", 8, false);

    const ALL: [Self; 7] = [
        Self::BYTE,
        Self::new('n', "int16", 2, true),
        Self::new('q', "uint16", 2, false),
        Self::INT32,
        Self::UINT32,
        Self::new('x', "int64", 8, true),
        Self::UINT64,
    ];

    fn holds(self, number: i128) -> bool {
        let bits = self.size * 8 - usize::from(self.signed);
        let least = if self.signed { -(1 << bits) } else { 0 };
        (least..1 << bits).contains(&number)
    }
}

impl Variant {
    /// A `t`.
    #[must_use]
    pub fn u64(number: u64) -> Self {
        Self::Number(Integer::UINT64, number.into())
    }

    /// A `u`.
    #[must_use]
    pub fn u32(number: u32) -> Self {
        Self::Number(Integer::UINT32, number.into())
    }

    /// An `s`.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An `ay`.
    #[must_use]
    pub fn bytes(bytes: impl IntoIterator<Item = u8>) -> Self {
        let items = bytes.into_iter().map(|byte| Self::Number(Integer::BYTE, byte.into()));
        Self::List("y".to_owned(), items.collect())
    }

    /// The type, as D-Bus writes it.
    #[must_use]
    pub fn signature(&self) -> String {
        match self {
            Self::Bool(_) => "b".to_owned(),
            Self::Number(integer, _) => integer.letter.to_string(),
            Self::Text(_) => "s".to_owned(),
            Self::List(item, _) => format!("a{item}"),
            Self::Tuple(fields) => format!("({})", fields.iter().map(Self::signature).collect::<String>()),
        }
    }

    /// Reads the text form; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parser = Parser { text, rest: text.char_indices().peekable() };
        let value = parser.value()?;
        parser.skip_blanks();
        if parser.rest.next().is_some() { Err("nothing more after the value") } else { Ok(value) }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined =
            |values: &[Self]| values.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ");
        match self {
            Self::Bool(truth) => write!(f, "{truth}"),
            // As GVariant has it, what bears no type is an int32.
            Self::Number(integer, number) if *integer == Integer::INT32 => write!(f, "{number}"),
            Self::Number(integer, number) => write!(f, "{} {number}", integer.name),
            Self::Text(text) => write!(f, "'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
            Self::List(item, values) if values.is_empty() => write!(f, "@a{item} []"),
            Self::List(_, values) => write!(f, "[{}]", joined(values)),
            Self::Tuple(fields) => write!(f, "({})", joined(fields)),
        }
    }
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl<'a> Parser<'a> {
    fn skip_blanks(&mut self) {
        while self.rest.next_if(|(_, c)| c.is_ascii_whitespace()).is_some() {}
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        self.rest.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn word(&mut self, belongs: fn(char) -> bool) -> &'a str {
        self.skip_blanks();
        let start = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        while self.rest.next_if(|(_, c)| belongs(*c)).is_some() {}
        let end = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        &self.text[start..end]
    }

    fn value(&mut self) -> Result<Variant, &'static str> {
        self.skip_blanks();
        match self.rest.peek().map(|(_, c)| *c) {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            Some('[') => self.list(),
            Some('(') => self.tuple(),
            Some('@') => self.empty_list(),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+') => self.number(Integer::INT32),
            _ => match self.word(|c| c.is_ascii_alphanumeric()) {
                "true" => Ok(Variant::Bool(true)),
                "false" => Ok(Variant::Bool(false)),
                name => match Integer::ALL.iter().find(|integer| integer.name == name) {
                    Some(integer) => self.number(*integer),
                    None => Err("a value such as true, 'text', uint64 5 or ['a', 'b']"),
                },
            },
        }
    }

    fn number(&mut self, integer: Integer) -> Result<Variant, &'static str> {
        let word = self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+'));
        let number: i128 = match word.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16),
            None => word.parse(),
        }
        .map_err(|_| "a whole number")?;
        if integer.holds(number) {
            Ok(Variant::Number(integer, number))
        } else {
            Err("a number that its type can hold")
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Variant, &'static str> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next().map(|(_, c)| c) {
                Some('\\') => text.push(match self.rest.next().map(|(_, c)| c) {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => return Err("the end of the text in quotes"),
                }),
                Some('\0') => return Err("a text without NUL"),
                Some(c) if c == quote => return Ok(Variant::Text(text)),
                Some(c) => text.push(c),
                None => return Err("the end of the text in quotes"),
            }
        }
    }

    fn list(&mut self) -> Result<Variant, &'static str> {
        let values = self.enclosed('[', ']')?;
        let item =
            values.first().map(Variant::signature).ok_or("a type in front of an empty list: @as []")?;
        if values.iter().any(|value| value.signature() != item) {
            return Err("a list whose items are of one type");
        }
        Ok(Variant::List(item, values))
    }

    fn tuple(&mut self) -> Result<Variant, &'static str> {
        match self.enclosed('(', ')')? {
            none if none.is_empty() => Err("something between the parentheses"),
            fields => Ok(Variant::Tuple(fields)),
        }
    }

    fn enclosed(&mut self, open: char, close: char) -> Result<Vec<Variant>, &'static str> {
        let mut values = Vec::new();
        if !self.next_is(open) {
            return Err("a list");
        }
        while !self.next_is(close) {
            values.push(self.value()?);
            if !self.next_is(',') && self.rest.peek().is_none_or(|(_, c)| *c != close) {
                return Err("a comma or the end of the list");
            }
        }
        Ok(values)
    }

    fn empty_list(&mut self) -> Result<Variant, &'static str> {
        let known = "@as [], @ay [], @a(ss) [] or @a(st) []";
        let signature = self.word(|c| c.is_ascii_alphabetic() || matches!(c, '@' | '(' | ')'));
        let item = ["s", "y", "(ss)", "(st)"].into_iter().find(|item| signature == format!("@a{item}"));
        match (item, self.enclosed('[', ']')) {
            (Some(item), Ok(values)) if values.is_empty() => Ok(Variant::List(item.to_owned(), values)),
            _ => Err(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_read() {
        let cases = [
            ("true", "b"),
            ("5", "i"),
            ("-5", "i"),
            ("uint64 18446744073709551615", "t"),
            ("byte 255", "y"),
            ("int64 -9223372036854775808", "x"),
            (r"'it\'s \\ so'", "s"),
            ("['a.service', 'b.service']", "as"),
            ("@as []", "as"),
            ("[('/dev/char/1:3', 'rw')]", "a(ss)"),
            ("[('/dev/block/8:0', uint64 5)]", "a(st)"),
            ("[byte 1, byte 2]", "ay"),
        ];
        for (text, signature) in cases {
            let value = Variant::parse(text).expect(text);
            assert_eq!((value.to_string().as_str(), value.signature().as_str()), (text, signature));
        }
    }

    #[test]
    fn other_spellings_are_understood() {
        let same = |a: &str, b: &str| assert_eq!(Variant::parse(a), Variant::parse(b), "{a}");
        same(" \"a'b\" ", r"'a\'b'");
        same("uint32 0xff", "uint32 255");
        same("[ 1 ,2, ]", "[1, 2]");
        same("['a','b']", "['a', 'b']");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in [
            "",
            "maybe",
            "'open",
            "[]",
            "[1, 'a']",
            "[1 2]",
            "uint64 -1",
            "byte 256",
            "1 2",
            "()",
            "@ax []",
            "uint64",
            "2147483648",
            "1.5",
            "(",
            "[",
            "'a\0'",
        ] {
            assert!(Variant::parse(text).is_err(), "{text}");
        }
    }
}
