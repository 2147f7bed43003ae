//! `list`: the containers below `--root`.

use super::print;
use crate::cli::ListFormat;
use crate::error::Cause;
use crate::log::Log;
use crate::state::{self, Container, Status, Store};

/// Prints every container, or just the ids.
pub fn list(store: &Store, format: ListFormat, quiet: bool, log: &Log) -> Result<(), Cause> {
    let ids = store.ids()?;
    if quiet {
        return print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>());
    }
    let mut found = Vec::new();
    for id in &ids {
        match look(store, id) {
            Ok(row) => found.push(row),
            // Deleted since the ids were read.
            Err(state::Error::Absent) => {}
            // One broken container must not hide the others.
            Err(err) => log.warn(&format!("list: {id}: {err}")),
        }
    }
    let views: Vec<_> =
        found.iter().map(|(container, status, owner)| container.view(*status, owner)).collect();
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

fn look(store: &Store, id: &str) -> Result<(Container, Status, String), state::Error> {
    let container = store.load(id)?;
    let (status, owner) = (container.status()?, user_name(container.record.owner));
    Ok((container, status, owner))
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

/// A user's name from /etc/passwd, as the host's administrator knows it; a user without one has the number.
///
/// Not getpwuid(3): in a static binary it would load the host's name service modules.
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = uid.to_string();
    let entry = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    entry.and_then(|line| line.split(':').next()).map_or(uid, str::to_owned)
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
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999_999), "3999999999");
    }
}
