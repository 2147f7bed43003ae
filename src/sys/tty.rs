//! Terminals: pseudoterminal pairs, window sizes, controlling terminal.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Errno, fd::owned};

/// TIOCGPTPEER (kernel 4.13): the slave of a pty master, without a path that could be swapped under us.
pub fn slave_of(master: BorrowedFd) -> Result<OwnedFd, Errno> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: takes a descriptor and an integer.
    let fd = unsafe {
        libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER.try_into().map_err(|_| Errno::EINVAL)?, flags)
    };
    owned(fd.into())
}

/// TIOCSPTLCK: lets the slave be opened.
pub fn unlock(master: BorrowedFd) -> Result<(), Errno> {
    let unlocked: i32 = 0;
    let request = libc::TIOCSPTLCK.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the argument points to a live int.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), request, &raw const unlocked) }).map(drop)
}

/// TIOCGPTN: the number of the slave, as in /dev/pts/N.
pub fn slave_number(master: BorrowedFd) -> Result<u32, Errno> {
    let mut number: u32 = 0;
    let request = libc::TIOCGPTN.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the argument points to a live unsigned int.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), request, &raw mut number) })?;
    Ok(number)
}

/// TIOCSCTTY: makes the terminal the controlling one of our session.
pub fn make_controlling(terminal: BorrowedFd) -> Result<(), Errno> {
    let request = libc::TIOCSCTTY.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: takes a descriptor and an integer.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), request, 0) }).map(drop)
}

/// TIOCSWINSZ.
pub fn set_size(terminal: BorrowedFd, rows: u16, columns: u16) -> Result<(), Errno> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let request = libc::TIOCSWINSZ.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the argument points to a live winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), request, &raw const size) }).map(drop)
}

/// TIOCGWINSZ: rows and columns.
pub fn size(terminal: BorrowedFd) -> Result<(u16, u16), Errno> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let request = libc::TIOCGWINSZ.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: the argument points to a live winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), request, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}
