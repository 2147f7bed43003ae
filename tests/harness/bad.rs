//! A table of bad bundles: a small edit of a good config, where the message must point, and a word of the reason.

use serde_json::Value;

use super::Container;

/// One way to spoil a good document.
pub struct Bad {
    edits: Vec<(&'static str, Option<Value>)>,
    at: &'static str,
    why: &'static str,
}

/// Sets the value at a JSON pointer (RFC 6901, `-` appends to a list); the message must contain `at` and `why`.
pub fn bad(pointer: &'static str, value: Value, at: &'static str, why: &'static str) -> Bad {
    Bad { edits: vec![(pointer, Some(value))], at, why }
}

/// Removes the property at a JSON pointer.
pub fn without(pointer: &'static str, at: &'static str, why: &'static str) -> Bad {
    Bad { edits: vec![(pointer, None)], at, why }
}

impl Bad {
    /// A further edit of the same document.
    pub fn and(mut self, pointer: &'static str, value: Value) -> Self {
        self.edits.push((pointer, Some(value)));
        self
    }

    /// `create` refuses it with exit code 1 and one line that names place and reason, and leaves nothing.
    fn fault(&self) -> Option<String> {
        let container = Container::new().edit(|config| {
            for (pointer, value) in &self.edits {
                edit(config, pointer, value.clone());
            }
        });
        let finished = container.create(&[]);
        let line = finished.stderr.trim_end();
        let faults = [
            (finished.code != 1, format!("exit code {}", finished.code)),
            (line.lines().count() != 1, "not one line".to_owned()),
            (!line.contains(self.at), format!("does not point at {}", self.at)),
            (!line.contains(self.why), format!("does not say {:?}", self.why)),
            (!finished.stdout.is_empty(), format!("stdout: {}", finished.stdout)),
            (!container.leftovers().is_empty(), format!("leaves {:?}", container.leftovers())),
        ];
        let found: Vec<String> = faults.into_iter().filter(|(is, _)| *is).map(|(_, fault)| fault).collect();
        let (pointer, value) = &self.edits[0];
        (!found.is_empty()).then(|| format!("{pointer} = {value:?}: {}\n    {line}", found.join(", ")))
    }
}

/// Checks a whole table and reports all its faults together.
#[track_caller]
pub fn check(table: &[Bad]) {
    let faults: Vec<String> = table.iter().filter_map(Bad::fault).collect();
    assert!(faults.is_empty(), "{} of {} bad bundles:\n{}", faults.len(), table.len(), faults.join("\n"));
}

fn edit(config: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let place = parent.split('/').skip(1).fold(config, |place, key| match key.parse::<usize>() {
        Ok(index) if place.is_array() => &mut place[index],
        _ => &mut place[key],
    });
    match value {
        None => {
            place.as_object_mut().unwrap().remove(name);
        }
        Some(value) if name == "-" => match place.as_array_mut() {
            Some(list) => list.push(value),
            None => *place = Value::from(vec![value]),
        },
        Some(value) => match name.parse::<usize>() {
            Ok(index) if place.is_array() => place[index] = value,
            _ => place[name] = value,
        },
    }
}
