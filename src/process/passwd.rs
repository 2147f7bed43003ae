//! HOME of a user, from the container's passwd file, read through a small buffer on the stack.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

/// Longest line that is looked at, in bytes.
const LINE: usize = 1024;

/// How many bytes of the file are looked at: a sparse one of an image would keep us reading for days.
const MOST: usize = 16 << 20;

/// Calls `found` with the home directory of `uid`; without an entry it is not called.
pub fn home(uid: u32, found: &mut dyn FnMut(&[u8])) {
    // Without O_NONBLOCK an image could make us wait for a writer of a FIFO.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let Ok(file) = open(c"/etc/passwd", flags, Mode::empty()) else { return };
    if !fstat(&file).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG) {
        return;
    }
    let (mut buffer, mut filled, mut seen) = ([0; LINE], 0, 0);
    while let Ok(length) = nix::unistd::read(&file, &mut buffer[filled..]) {
        filled += length;
        seen += length;
        let end = match buffer[..filled].iter().rposition(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            // The last line, or one too long to be true: either way there is nothing to wait for.
            None => filled,
        };
        let entry = buffer[..end].split(|&byte| byte == b'\n').find_map(|line| home_in(line, uid));
        if let Some(home) = entry {
            return found(home);
        }
        if length == 0 || seen > MOST {
            return;
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

/// Field 6 of a passwd(5) line whose field 3 is `uid`.
fn home_in(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|&byte| byte == b':');
    let id = fields.nth(2)?;
    let id: u32 = std::str::from_utf8(id).ok()?.parse().ok()?;
    fields.nth(2).filter(|home| id == uid && !home.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_field_of_the_right_line() {
        assert_eq!(home_in(b"www:x:33:33:www:/var/www:/bin/sh", 33), Some(&b"/var/www"[..]));
        assert_eq!(home_in(b"33:x:34:33::/fake:", 33), None);
        assert_eq!(home_in(b"www:x:33", 33), None);
    }
}
