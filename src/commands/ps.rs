//! `ps`: the processes of a container, as the host's ps(1) shows them.

use std::io;
use std::process::Command;

use super::print;
use crate::cli::ListFormat;
use crate::error::Cause;
use crate::state::Store;

/// Prints the pids, or those lines of ps(1) that belong to the container.
pub fn ps(store: &Store, id: &str, format: ListFormat, options: &[String]) -> Result<(), Cause> {
    let container = store.load(id)?;
    let cgroup = container.cgroup();
    if cgroup.is_absent() {
        return Err(NO_CGROUP);
    }
    let pids = cgroup.pids()?;
    match format {
        ListFormat::Json => print(&format!("{pids:?}\n")),
        ListFormat::Table => print(&lines_of(&pids, &host_table(options)?).ok_or(Cause::NoPidColumn)?),
    }
}

/// Why the processes of a container are not known.
pub(super) const NO_CGROUP: Cause = Cause::Status("container has no cgroup to find its processes by");

fn host_table(options: &[String]) -> Result<String, Cause> {
    let everything = ["-ef".to_owned()];
    let options = if options.is_empty() { &everything } else { options };
    let output = Command::new("ps").args(options).output().map_err(Cause::io("ps"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Cause::Io { what: "ps".to_owned(), source: io::Error::other(said) })
    }
}

/// The header and the lines of these pids; `None` if no column is called PID.
fn lines_of(pids: &[i32], table: &str) -> Option<String> {
    let mut lines = table.lines();
    let header = lines.next()?;
    let column = header.split_ascii_whitespace().position(|title| title == "PID")?;
    let ours = |line: &&str| {
        let pid = line.split_ascii_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    Some(std::iter::once(header).chain(lines.filter(ours)).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_the_pid_column() {
        let table = "UID  PID PPID CMD\nroot   1    0 init\nroot  12    1 sleep 1\n7     21   12 x\n";
        assert_eq!(lines_of(&[12], table).unwrap(), "UID  PID PPID CMD\nroot  12    1 sleep 1\n");
        assert_eq!(lines_of(&[], table).unwrap(), "UID  PID PPID CMD\n");
        assert!(lines_of(&[12], "COMMAND\ninit\n").is_none());
    }
}
