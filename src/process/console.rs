//! The terminal, seen from inside: a pseudoterminal of the container's own devpts becomes stdio.

use std::os::fd::{AsFd, BorrowedFd};

use crate::plan::Console;
use crate::rootfs::Root;
use crate::sys::{Errno, socket, tty};

/// Opens a pair, hands the master out over `receiver`, and makes the slave our stdio and controlling terminal.
pub(super) fn set_up(root: &Root, plan: &Console, receiver: BorrowedFd) -> Result<(), Errno> {
    let master = root.open_ptmx()?;
    tty::unlock(master.as_fd())?;
    if let Some((rows, columns)) = plan.size {
        tty::set_size(master.as_fd(), rows, columns)?;
    }
    let slave = tty::slave_of(master.as_fd())?;
    let mut name = *b"/dev/pts/          ";
    let length = write_number(&mut name, 9, tty::slave_number(master.as_fd())?);
    // The text is what runc sends too: receivers take it for the terminal's name.
    socket::send_with_fd(receiver, &name[..length], master.as_fd())?;
    if plan.mount {
        root.bind_console(slave.as_fd())?;
    }
    nix::unistd::dup2_stdin(&slave)?;
    nix::unistd::dup2_stdout(&slave)?;
    nix::unistd::dup2_stderr(&slave)?;
    tty::make_controlling(slave.as_fd())
}

/// Decimal digits at `start`; returns where they end.
fn write_number(text: &mut [u8], start: usize, number: u32) -> usize {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let mut rest = number;
    for place in text[start..start + digits].iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    start + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 12345, u32::MAX] {
            let mut text = [0; 16];
            let end = write_number(&mut text, 0, number);
            assert_eq!(std::str::from_utf8(&text[..end]).unwrap(), number.to_string());
        }
    }
}
