//! A person at a terminal: types, reads, makes the window larger.

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{Finished, Running, readable};
use crate::shell::command;

/// A terminal with a command in its foreground.
pub struct Terminal {
    keyboard: File,
    running: Running,
    seen: String,
}

impl Terminal {
    /// Starts a line of shell in a new session whose terminal this is.
    pub fn new(line: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        size(&master, 24, 80);
        let slave =
            open(ptsname(&master, vec![]).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut shell = command(&["setsid", "--ctty", "--wait", "sh", "-ec", line]);
        shell.command.env("TERM", "dumb").stdin(slave.try_clone().unwrap());
        let running = shell.spawn_on(slave);
        Self { keyboard: File::from(master), running, seen: String::new() }
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Gives the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        size(&self.keyboard, rows, columns);
    }

    /// Reads until this was shown since the last call.
    #[track_caller]
    pub fn shows(&mut self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(place) = self.seen.find(wanted) {
                self.seen.drain(..place + wanted.len());
                return;
            }
            assert!(
                Instant::now() < deadline && self.read(),
                "never shown: {wanted:?}; only: {:?}",
                self.seen
            );
        }
    }

    /// Reads a part; false when there is nothing more to come.
    fn read(&mut self) -> bool {
        let mut part = [0; 4096];
        if !readable(&self.keyboard, Duration::from_secs(30)) {
            return false;
        }
        // EIO is how a master sees that nobody has the terminal open.
        let Ok(length @ 1..) = self.keyboard.read(&mut part) else { return false };
        self.seen.push_str(&String::from_utf8_lossy(&part[..length]));
        true
    }

    /// How the command ended.
    pub fn ends(mut self) -> Finished {
        while self.read() {}
        self.running.finish()
    }
}

fn size(terminal: &impl std::os::fd::AsFd, rows: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}
