//! Checks documents against the JSON schemas that the specification ships (tests/fixtures/schema): the part of draft 4
//! that those use. A keyword that is not known here is a failure, so that none is passed over in silence.

use std::path::Path;

use serde_json::Value;

/// Asserts that a document is one of the schema in this file.
#[track_caller]
pub fn check(schema: &str, document: &Value) {
    let faults = faults(schema, document);
    assert!(faults.is_empty(), "not of {schema}:\n{}\nin {document}", faults.join("\n"));
}

/// Where a document is not of a schema, and why.
pub fn faults(schema: &str, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let file = read(schema);
    walk(&file, &file, document, "", &mut found);
    found
}

/// A file of the specification's schemas or examples.
pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|err| panic!("{name}: {err}"))
}

/// `file` is the document that references without a file name lead into.
fn walk(file: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let mut fault = |text: String| found.push(format!("{at}: {text}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "description" => {}
            "$ref" => {
                let (name, pointer) = rule.as_str().unwrap().split_once('#').unwrap();
                let other = if name.is_empty() { file.clone() } else { read(name) };
                walk(&other, other.pointer(pointer).unwrap(), value, at, found);
                return;
            }
            "type" if !is_a(value, rule.as_str().unwrap()) => fault(format!("{value} is no {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                fault(format!("{value} is none of {rule}"));
            }
            "minimum" if value.as_f64() < rule.as_f64() => fault(format!("{value} is less than {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => fault(format!("{value} is more than {rule}")),
            "pattern" if !capability(value, rule) => fault(format!("{value} does not match {rule}")),
            "required" => {
                let names =
                    rule.as_array().unwrap().iter().filter(|name| value[name.as_str().unwrap()].is_null());
                names.for_each(|name| fault(format!("{name} is missing")));
            }
            "type" | "enum" | "minimum" | "maximum" | "pattern" | "properties" | "items"
            | "patternProperties" => {}
            _ => panic!("the schema says {keyword}, which is not known here"),
        }
    }
    below(file, schema, value, at, found);
}

/// Members and items.
fn below(file: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        if let Some(rule) = schema["properties"].get(name) {
            walk(file, rule, member, &at, found);
        }
        for (pattern, rule) in schema["patternProperties"].as_object().into_iter().flatten() {
            assert_eq!(pattern, ".{1,}", "the one pattern that is known here");
            if name.is_empty() {
                found.push(format!("{at}: an empty name"));
            }
            walk(file, rule, member, &at, found);
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(rule) = schema.get("items") {
            walk(file, rule, item, &format!("{at}/{index}"), found);
        }
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => panic!("the schema says type {kind}, which is not known here"),
    }
}

/// The one pattern of the schemas: `^CAP_[A-Z_]+$`.
fn capability(value: &Value, pattern: &Value) -> bool {
    assert_eq!(pattern, "^CAP_[A-Z_]+$", "the one pattern that is known here");
    let name = value.as_str().and_then(|text| text.strip_prefix("CAP_"));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The examples beside the schemas are judged as their folders say.
/// features.md, "Features Structure"
#[test]
fn f1_examples_of_the_schemas() {
    for name in ["features/good/minimal.json", "features/good/runc.json"] {
        check("features-schema.json", &read(name));
    }
    check("state-schema.json", &read("state/good/spec-example.json"));
    assert_ne!(faults("features-schema.json", &read("features/bad/missing-ociVersionMax.json")), [""; 0]);
}
