//! A configuration that must be refused: an error of `create`, and a host that never saw it.

use serde_json::Value;

use crate::harness::Container;

/// `create` fails with a reason, and neither state, cgroup nor mount is left.
#[track_caller]
pub fn refused(container: &Container) {
    if let Some(fault) = fault(container) {
        panic!("{fault}");
    }
}

/// Each value at a JSON pointer, alone in a good document, is refused.
#[track_caller]
pub fn each_refused(pointer: &str, values: &[Value]) {
    let try_one = |value: &Value| {
        let fault = fault(&Container::new().set(pointer, value.clone()))?;
        Some(format!("{pointer} = {value}: {fault}"))
    };
    let faults: Vec<String> = values.iter().filter_map(try_one).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A good document without the property `name` of the object at `pointer`.
pub fn lacking(pointer: &str, name: &str) -> Container {
    Container::new().edit(|config| {
        config.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    })
}

fn fault(container: &Container) -> Option<String> {
    let finished = container.create(&[]);
    if finished.code == 0 {
        return Some("accepted".to_owned());
    }
    let left = container.leftovers();
    let known = container.verb("state", &[], &[]).code == 0;
    match (finished.stderr.trim().is_empty(), left.is_empty() && !known) {
        (true, _) => Some("refused without a word".to_owned()),
        (_, false) => Some(format!("refused, but state is {known} and these are left: {left:?}")),
        _ => None,
    }
}
