//! Finds the static probe that every bundle is built around.

use std::path::{Path, PathBuf};

/// `$HULL_PROBE`, or the newest probe that cargo built for musl beside the binary under test.
pub fn probe() -> PathBuf {
    if let Some(path) = std::env::var_os("HULL_PROBE") {
        return path.into();
    }
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    // target/PROFILE/hull, or target/TRIPLE/PROFILE/hull when cargo was given --target.
    let above = Path::new(env!("CARGO_BIN_EXE_hull")).ancestors().skip(2).take(2);
    let built = above.flat_map(|dir| ["release", "debug"].map(|profile| dir.join(&triple).join(profile)));
    let beside = Path::new(env!("CARGO_BIN_EXE_hull")).ancestors().skip(1).take(1).map(Path::to_owned);
    let newest = built
        .chain(beside)
        .map(|dir| dir.join("probe"))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max();
    match newest {
        Some((_, path)) => path,
        None => panic!("no probe: build it with `cargo build -p probe --target {triple}`, or set HULL_PROBE"),
    }
}
