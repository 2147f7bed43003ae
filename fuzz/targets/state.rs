//! state.json and config.json as a folder of the state directory has them: whatever is there is read or refused, and
//! what is read is written as it was.
#![no_main]

use std::path::Path;

use hull::spec::{self, Process, Resources};
use hull::state::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("state.json");
    if let Ok(record) = spec::parse::<Record>(path, data) {
        let text = serde_json::to_vec(&record).expect("a record");
        let again: Record = spec::parse(path, &text).expect("what we wrote");
        assert!(again == record, "{record:?} became {again:?}");
    }
    // What `exec --process` and `update --resources` read.
    let _ = spec::parse::<Process>(Path::new("process.json"), data);
    let _ = spec::parse::<Resources>(Path::new("resources.json"), data);
});
