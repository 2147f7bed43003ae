//! docs/engines.md shows the files of contrib/engines as they are, and all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Paths and texts of the blocks that follow a mark `<!-- contrib: PATH -->`.
fn shown() -> Vec<(String, String)> {
    let page = fs::read_to_string("docs/engines.md").unwrap();
    let blocks = page.split("<!-- contrib: ").skip(1).map(|rest| {
        let (path, rest) = rest.split_once(" -->\n```").expect("a block right below the mark");
        let (_language, rest) = rest.split_once('\n').unwrap();
        (path.to_owned(), rest.split_once("```\n").expect("the end of the block").0.to_owned())
    });
    blocks.collect()
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.display().to_string()] })
        .collect()
}

#[test]
fn the_page_shows_the_files() {
    for (path, text) in shown() {
        assert_eq!(fs::read_to_string(format!("contrib/engines/{path}")).unwrap(), text, "{path}");
    }
}

#[test]
fn no_file_is_left_out() {
    let shown: BTreeSet<String> =
        shown().into_iter().map(|(path, _)| format!("contrib/engines/{path}")).collect();
    assert_eq!(shown, files(Path::new("contrib/engines")).into_iter().collect());
}
