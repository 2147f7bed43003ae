//! `list`: the containers below `--root`.

use std::path::Path;

use serde::Serialize;

use super::print;
use crate::cli::ListFormat;
use crate::error::Cause;
use crate::log::Log;
use crate::state::{self, Glances, Store, View};
use crate::sys::file;

/// Prints every container, or just the ids.
pub fn list(store: &Store, format: ListFormat, quiet: bool, log: &Log) -> Result<(), Cause> {
    let ids = store.ids()?;
    if quiet {
        return print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>());
    }
    let mut list = match format {
        ListFormat::Json => List::Json(Vec::new()),
        ListFormat::Table => List::Table(Table::new(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])),
    };
    if !ids.is_empty() {
        fill(&mut list, store, &ids, log)?;
    }
    match list {
        List::Json(views) => print(&[b"[", &*views, b"]\n"].concat()),
        List::Table(table) => print(&table.text()),
    }
}

/// Each container is written out right after it was looked at, and nothing of it is kept: there may be more of them than
/// a process may have descriptors, and memory costs time.
fn fill(list: &mut List, store: &Store, ids: &[String], log: &Log) -> Result<(), Cause> {
    let (mut glances, mut users) = (store.glances()?, Users::read());
    for id in ids {
        match look(store, &mut glances, &mut users, id, list) {
            Ok(added) => added.map_err(Cause::json("list"))?,
            // Deleted since the ids were read.
            Err(state::Error::Absent) => {}
            // One broken container must not hide the others.
            Err(err) => log.warn(&format!("list: {id}: {err}")),
        }
    }
    Ok(())
}

fn look(
    store: &Store,
    glances: &mut Glances,
    users: &mut Users,
    id: &str,
    list: &mut List,
) -> Result<serde_json::Result<()>, state::Error> {
    if let Some((glance, status)) = glances.at(id)? {
        return Ok(list.add(&glance.view(id, status, users.name(glance.owner))));
    }
    let container = store.load(id)?;
    let status = container.status()?;
    Ok(list.add(&container.record.view(id, status, users.name(container.record.owner))))
}

/// What is printed.
enum List {
    /// State documents with commas between them.
    Json(Vec<u8>),
    Table(Table<6>),
}

impl List {
    fn add<A: Serialize>(&mut self, view: &View<A>) -> serde_json::Result<()> {
        match self {
            Self::Json(views) => {
                if !views.is_empty() {
                    views.push(b',');
                }
                serde_json::to_writer(views, view)
            }
            Self::Table(table) => {
                let (pid, bundle) = (view.pid.to_string(), view.bundle.to_string_lossy());
                table.add([view.id, &pid, view.status.name(), &bundle, view.created, view.owner]);
                Ok(())
            }
        }
    }
}

/// Columns as wide as their widest cell and three spaces, at least twelve.
struct Table<const N: usize> {
    /// All cells, one after another, and where they end.
    cells: String,
    ends: Vec<usize>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    fn new(titles: [&str; N]) -> Self {
        let mut table = Self { cells: String::new(), ends: Vec::new(), widths: [12; N] };
        table.add(titles);
        table
    }

    fn add(&mut self, row: [&str; N]) {
        for (cell, width) in row.iter().zip(&mut self.widths) {
            self.cells += cell;
            self.ends.push(self.cells.len());
            *width = (cell.chars().count() + 3).max(*width);
        }
    }

    fn text(&self) -> String {
        let rows = self.ends.len() / N;
        let mut text = String::with_capacity(rows * (self.widths.iter().sum::<usize>() + 1));
        let (mut start, mut line) = (0, 0);
        for (column, end) in (0..N).cycle().zip(&self.ends) {
            let cell = &self.cells[start..*end];
            text += cell;
            if column < N - 1 {
                text.extend(std::iter::repeat_n(' ', self.widths[column] - cell.chars().count()));
            } else {
                text.truncate(line + text[line..].trim_end().len());
                text.push('\n');
                line = text.len();
            }
            start = *end;
        }
        text
    }
}

/// The users of /etc/passwd, as the host's administrator knows them.
///
/// Not getpwuid(3): in a static binary it would load the host's name service modules.
pub(super) struct Users {
    passwd: String,
    /// Who was asked for last: most containers have one owner.
    last: Option<(u32, String)>,
}

impl Users {
    pub fn read() -> Self {
        let passwd = file::read(Path::new("/etc/passwd")).unwrap_or_default();
        Self { passwd: String::from_utf8(passwd).unwrap_or_default(), last: None }
    }

    /// A user's name; one without has the number.
    pub fn name(&mut self, uid: u32) -> &str {
        let last = self.last.take().filter(|(last, _)| *last == uid);
        &self.last.insert(last.unwrap_or_else(|| (uid, find(&self.passwd, uid)))).1
    }
}

fn find(passwd: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    entry.and_then(|line| line.split(':').next()).map_or(uid, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["ID", "PID", "OWNER"]);
        table.add(["a-long-container", "7", "root"]);
        table.add(["b", "", " "]);
        assert_eq!(
            table.text(),
            "ID                 PID         OWNER\na-long-container   7           root\nb\n"
        );
    }

    #[test]
    fn users_have_names_or_numbers() {
        let mut users = Users::read();
        for (uid, name) in [(0, "root"), (3_999_999_999, "3999999999"), (0, "root")] {
            assert_eq!(users.name(uid), name);
        }
    }
}
