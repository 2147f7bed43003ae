//! The program that init becomes: its arrays built beforehand, HOME filled in and the file found inside.

use super::passwd;
use crate::plan::Program;
use crate::sys::Errno;
use crate::sys::exec::{CStrArray, execve, may_execute};

/// The program with its arrays built.
pub(super) struct Image<'p> {
    program: &'p Program,
    argv: CStrArray,
    envp: CStrArray,
    /// The candidate that was found.
    found: usize,
}

/// Room for `HOME=` and the longest path that is believed.
const HOME_ROOM: usize = 512;

impl<'p> Image<'p> {
    pub fn new(program: &'p Program) -> Self {
        // HOME comes last, so that its index is known.
        let home = std::ffi::CString::new([b'/'; HOME_ROOM]).unwrap_or_default();
        let extra = program.needs_home.then_some(home.as_c_str());
        let mut envp = CStrArray::new(program.env.iter().map(|text| &**text).chain(extra));
        if program.needs_home {
            envp.overwrite(program.env.len(), &[b"HOME=/"]);
        }
        Self { program, argv: CStrArray::new(program.args.iter().map(|text| &**text)), envp, found: 0 }
    }

    /// Sets HOME from the container's passwd file; `/` stands where it knows nothing.
    pub fn set_home(&mut self, uid: u32) {
        let (envp, index) = (&mut self.envp, self.program.env.len());
        passwd::home(uid, &mut |home| {
            if home.len() < HOME_ROOM - 5 {
                envp.overwrite(index, &[b"HOME=", home]);
            }
        });
    }

    /// execvp(3): the first candidate that may be executed; a refusal counts for more than an absence.
    pub fn find(&mut self) -> Result<(), Errno> {
        let mut failed = Errno::ENOENT;
        for (index, path) in self.program.candidates.iter().enumerate() {
            match executable(path) {
                Ok(()) => {
                    self.found = index;
                    return Ok(());
                }
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => failed = errno,
            }
        }
        Err(failed)
    }

    /// Executes what was found; returns only to report why it could not be.
    pub fn execute(&self) -> Errno {
        match self.program.candidates.get(self.found) {
            Some(path) => execve(path, &self.argv, &self.envp),
            None => Errno::ENOENT,
        }
    }
}

fn executable(path: &std::ffi::CStr) -> Result<(), Errno> {
    let stat = nix::sys::stat::stat(path)?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Errno::EISDIR);
    }
    may_execute(path)
}
