//! Writes hull's man pages and shell completions into a folder, laid out as below /usr/share.
//!
//! A program of its own because what it links has no business in a runtime: `make docs` runs it at build time.
//! Options, defaults and usage come from the same clap definition that hull parses with, so they cannot differ from
//! it; what only a person can tell stands in `pages/`, one text for each verb.

mod completion;
mod page;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;

/// Why there is no manual.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("usage: manual FOLDER YYYY-MM-DD")]
    Usage,
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("pages/{name}.man: {source}")]
    Page { name: String, source: page::Error },
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match manual(words.next(), words.next()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {error}");
            ExitCode::FAILURE
        }
    }
}

fn manual(folder: Option<OsString>, date: Option<OsString>) -> Result<(), Error> {
    let folder = PathBuf::from(folder.ok_or(Error::Usage)?);
    let date = date.and_then(|date| date.into_string().ok()).ok_or(Error::Usage)?;
    for page in pages(&date)? {
        write(&folder.join("man/man8").join(page.0), &page.1)?;
    }
    for (path, script) in completion::scripts() {
        write(&folder.join(path), &script)?;
    }
    Ok(())
}

/// Every page's file name and content: the program's own and one for each verb.
fn pages(date: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut tree = hull::cli::tree().disable_help_subcommand(true);
    tree.build();
    let common = text("common")?;
    let commands = std::iter::once(&tree).chain(tree.get_subcommands());
    commands
        .map(|command| {
            let name = page_name(command);
            let rendered = page::render(command, &text(&name)?, &common, date);
            let content = rendered.map_err(|source| Error::Page { name: name.clone(), source })?;
            Ok((format!("{name}.8"), content))
        })
        .collect()
}

/// `hull` or `hull-create`.
fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn text(name: &str) -> Result<String, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages").join(format!("{name}.man"));
    fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

/// Writes a file of the manual; the folder is a fresh one, so nothing is in the way.
fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| File::options().write(true).create_new(true).open(path))
        .and_then(|mut file| file.write_all(content));
    written.map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_every_text_has_a_verb() {
        let mut written: Vec<_> = pages("2026-01-31").unwrap().into_iter().map(|page| page.0).collect();
        written.push("common.8".to_owned());
        written.sort();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
        let mut texts: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".man", ".8"))
            .collect();
        texts.sort();
        assert_eq!(written, texts);
    }

    #[test]
    fn no_page_refers_to_a_page_of_hull_that_is_not_there() {
        let pages = pages("2026-01-31").unwrap();
        let names: Vec<_> = pages.iter().map(|(file, _)| file.trim_end_matches(".8")).collect();
        for (file, content) in &pages {
            let content = String::from_utf8_lossy(content).replace("\\-", "-");
            let references = content.lines().filter_map(|line| line.strip_prefix(".BR hull"));
            for reference in references.filter_map(|line| line.split_once(" (8)")) {
                let name = format!("hull{}", reference.0);
                assert!(names.contains(&name.as_str()), "{file} refers to {name}");
            }
        }
    }
}
