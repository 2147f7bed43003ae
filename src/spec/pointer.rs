//! Where in a document a fault lies, as `linux.resources.memory.limit`: found out from the fault's line and column, so
//! that reading a good document costs nothing for it.

/// The path of the value that was read last, or was being read, when `fault` was met in `text`.
pub(super) fn pointer(text: &[u8], fault: &serde_json::Error) -> String {
    let lines = text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::len);
    let before: usize = lines.take(fault.line().saturating_sub(1)).sum();
    // A byte that should not be there is counted in.
    let end = (before + fault.column()).saturating_sub(usize::from(fault.is_syntax()));
    path_at(&text[..end.min(text.len())])
}

/// The path of the value that ends with `read`, or is open there; `.` is the whole document.
fn path_at(read: &[u8]) -> String {
    // A list of which nothing was read stands for itself, and not for its first element.
    let read = read.strip_suffix(b"[").unwrap_or(read);
    let mut path = String::new();
    for step in steps(read) {
        match step {
            Step::Element(index) => path.push_str(&format!("[{index}]")),
            Step::Property(Some(name)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(name));
            }
            Step::Property(None) => {}
        }
    }
    if path.is_empty() { ".".to_owned() } else { path }
}

/// One level of nesting.
enum Step<'t> {
    /// In an array, at this index.
    Element(usize),
    /// In an object, at the property of this name, if one was begun.
    Property(Option<&'t [u8]>),
}

/// The arrays and objects that are open at the end of `read`.
fn steps(read: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(&byte) = read.get(at) {
        match byte {
            b'[' => steps.push(Step::Element(0)),
            b'{' => steps.push(Step::Property(None)),
            b']' | b'}' => _ = steps.pop(),
            b',' => match steps.last_mut() {
                Some(Step::Element(index)) => *index += 1,
                Some(Step::Property(name)) => *name = None,
                None => {}
            },
            b'"' => {
                let length = string_length(&read[at + 1..]);
                if let Some(Step::Property(name @ None)) = steps.last_mut() {
                    *name = Some(&read[at + 1..at + 1 + length]);
                }
                at += length + 1;
            }
            _ => {}
        }
        at += 1;
    }
    steps
}

/// How long a string is, up to its closing quote or the end.
fn string_length(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn each_level_is_named() {
        let text = br#"{"a": [1, {"b\"": {}, "c": "}]"}]}"#;
        let at = |end| path_at(text.split_at(end).0);
        assert_eq!([0, 3, 7, 8, 9].map(at), [".", "a", "a", "a[0]", "a[1]"]);
        assert_eq!([19, 30].map(at), ["a[1].b\\\"", "a[1].c"]);
        assert_eq!([32, 33, 34].map(at), ["a[1]", "a", "."], "what has ended");
    }

    #[test]
    fn it_is_the_place_of_the_fault() {
        let fault = |text: &str| match serde_json::from_str::<Spec>(text) {
            Ok(_) => panic!("{text} is good"),
            Err(fault) => pointer(text.as_bytes(), &fault),
        };
        let document = |rest: &str| fault(&format!("{{\"ociVersion\": \"1.0.0\",\n{rest}}}"));
        assert_eq!(fault("{}"), ".");
        assert_eq!(fault("[\"\u{e4}\", 1]"), ".");
        assert_eq!(document("\"process\": {\"user\": [0, 0]}"), "process.user");
        assert_eq!(fault("{\"hostname\": nul}"), "hostname");
        assert_eq!(document("\"root\": {}"), "root");
        assert_eq!(document("\"root\": {\"path\": {}}"), "root.path");
        assert_eq!(document("\"mounts\": [{\"destination\":\n\"\u{e4}\"}, {\"type\": 1}]"), "mounts[1].type");
        assert_eq!(
            document("\"mounts\": [{\"destination\": \"/\", \"options\": [\"a\" 1]}]"),
            "mounts[0].options[0]"
        );
        assert_eq!(
            document("\"linux\": {\"namespaces\": [{\"type\": \"none\"}]}"),
            "linux.namespaces[0].type"
        );
    }
}
