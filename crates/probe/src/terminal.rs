//! Terminals: which standard descriptors are one, their size, and the controlling one.

use std::os::unix::fs::MetadataExt;

use serde_json::{Map, Value, json};

use crate::sys;

/// The terminal part of the world.
pub fn see() -> Map<String, Value> {
    let size = |fd| sys::window_size(fd).map(|[rows, columns]| json!({ "rows": rows, "columns": columns }));
    let console = std::fs::metadata("/dev/console").map(|meta| meta.rdev()).ok();
    let stdin = std::fs::metadata("/proc/self/fd/0").map(|meta| meta.rdev()).ok();
    let mut part = Map::new();
    part.insert(
        "tty".into(),
        json!({
            "stdin": size(0),
            "stdout": size(1),
            "stderr": size(2),
            "controlling": std::fs::File::open("/dev/tty").is_ok(),
            "console_is_stdin": console.is_some() && console == stdin,
        }),
    );
    part
}
