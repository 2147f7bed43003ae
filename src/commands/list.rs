//! `list`: the containers below `--root`.

use std::path::Path;

use super::print;
use crate::cli::ListFormat;
use crate::error::Cause;
use crate::log::Log;
use crate::state::{self, Record, Status, Store};
use crate::sys::file;

/// Prints every container, or just the ids.
pub fn list(store: &Store, format: ListFormat, quiet: bool, log: &Log) -> Result<(), Cause> {
    let ids = store.ids()?;
    if quiet {
        return print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>());
    }
    let mut found = Vec::with_capacity(ids.len());
    let users = Users::read();
    for id in &ids {
        match look(store, id) {
            Ok((record, status)) => found.push((id, users.name(record.owner), record, status)),
            // Deleted since the ids were read.
            Err(state::Error::Absent) => {}
            // One broken container must not hide the others.
            Err(err) => log.warn(&format!("list: {id}: {err}")),
        }
    }
    let views: Vec<_> =
        found.iter().map(|(id, owner, record, status)| record.view(id, *status, owner)).collect();
    match format {
        ListFormat::Json => {
            print(&format!("{}\n", serde_json::to_string(&views).map_err(Cause::json("list"))?))
        }
        ListFormat::Table => {
            let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
            let rows = views.iter().map(|view| {
                let bundle = view.bundle.display().to_string();
                let (pid, status) = (view.pid.to_string(), view.status.to_string());
                [view.id.to_owned(), pid, status, bundle, view.created.to_owned(), view.owner.to_owned()]
            });
            print(&table(&std::iter::once(header).chain(rows).collect::<Vec<_>>()))
        }
    }
}

/// Its folder is not kept open: there may be more containers than a process may have descriptors.
fn look(store: &Store, id: &str) -> Result<(Record, Status), state::Error> {
    let container = store.load(id)?;
    let status = container.status()?;
    Ok((container.into_record(), status))
}

/// Columns as wide as their widest cell and three spaces, at least twelve.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count() + 3).max().unwrap_or(0).max(12);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The users of /etc/passwd, as the host's administrator knows them.
///
/// Not getpwuid(3): in a static binary it would load the host's name service modules.
pub(super) struct Users(String);

impl Users {
    pub fn read() -> Self {
        let passwd = file::read(Path::new("/etc/passwd")).unwrap_or_default();
        Self(String::from_utf8(passwd).unwrap_or_default())
    }

    /// A user's name; one without has the number.
    pub fn name(&self, uid: u32) -> String {
        let uid = uid.to_string();
        let entry = self.0.lines().find(|line| line.split(':').nth(2) == Some(&uid));
        entry.and_then(|line| line.split(':').next()).map_or(uid, str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        assert_eq!(
            table(&[row(["ID", "PID", "OWNER"]), row(["a-long-container", "7", "root"])]),
            "ID                 PID         OWNER\na-long-container   7           root\n"
        );
    }

    #[test]
    fn users_have_names_or_numbers() {
        let users = Users::read();
        assert_eq!([users.name(0), users.name(3_999_999_999)], ["root", "3999999999"]);
    }
}
