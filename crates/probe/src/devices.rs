//! What lies in /dev: nodes, links, directories.

use serde_json::{Map, Value};

use crate::files;

/// The devices part of the world: path below /dev → what `probe stat` says.
pub fn see() -> Map<String, Value> {
    let mut found = Map::new();
    let Ok(listing) = std::fs::read_dir("/dev") else {
        return Map::from_iter([("devices".to_owned(), Value::Null)]);
    };
    for entry in listing.flatten() {
        let path = entry.path().to_string_lossy().into_owned();
        found.insert(path.clone(), files::stat(&path));
    }
    Map::from_iter([("devices".to_owned(), Value::Object(found))])
}
