//! CRIU as a child process: asked once, listened to until it is done.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::protobuf::{self, Message};
use super::{Error, Options, Task};
use crate::sys::{self, Context, socket};

/// A `criu_req_type` beside those of [`Task`].
const NOTIFY: u32 = 6;

/// How many lines of a log are worth showing.
const QUOTED: usize = 5;

/// A CRIU that waits for its task. Dropped before it is done, it is killed.
pub struct Criu {
    child: Child,
    socket: OwnedFd,
}

/// What CRIU says on its way.
#[derive(Debug)]
pub struct Notice {
    /// Which point it has come to, as `post-restore`.
    pub script: String,
    /// The container's first process, where it matters.
    pub pid: i32,
    /// What came along.
    pub fd: Option<OwnedFd>,
}

impl Criu {
    /// Starts CRIU with our own streams, which are those of a restored container.
    pub fn spawn() -> Result<Self, Error> {
        let (socket, theirs) = socket::pair().during("socketpair", "AF_UNIX")?;
        keep_on_exec(&theirs)?;
        let child = Command::new("criu").arg("swrk").arg(theirs.as_raw_fd().to_string()).spawn();
        match child {
            Ok(child) => Ok(Self { child, socket }),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing),
            Err(err) => Err(Error::Spawn(err)),
        }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Hands over the task and answers until it is done; `logs` is where the log goes.
    pub fn carry_out<E: From<Error>>(
        mut self,
        task: Task,
        options: &Options,
        logs: &Path,
        mut notice: impl FnMut(Notice) -> Result<(), E>,
    ) -> Result<(), E> {
        self.send(&options.encode(task))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (length, fd) = socket::receive(self.socket.as_fd(), &mut buffer)
                .during("recvmsg", "criu")
                .map_err(Error::from)?;
            let log = logs.join(task.log());
            if length == 0 {
                let lines = errors_in(&log);
                return Err(Error::Ended { log, lines }.into());
            }
            let answer = Answer::decode(&buffer[..length]).ok_or(Error::Protocol)?;
            if !answer.success {
                let lines = errors_in(&log);
                return Err(Error::Failed { task, errno: answer.errno, log, lines }.into());
            }
            if answer.kind != u64::from(NOTIFY) {
                break;
            }
            notice(Notice { script: answer.script, pid: answer.pid, fd })?;
            self.send(Message::default().number(1, NOTIFY).switch(3, true))?;
        }
        if task != Task::PreDump {
            // After a pre-dump it would wait for the next; otherwise it ends by itself.
            drop(std::mem::replace(
                &mut self.socket,
                socket::pair().during("socketpair", "AF_UNIX").map_err(Error::from)?.0,
            ));
            self.child.wait().map_err(Error::Spawn)?;
        }
        Ok(())
    }

    fn send(&self, message: &Message) -> Result<(), Error> {
        Ok(socket::send_packet(self.socket.as_fd(), message.as_bytes()).during("send", "criu")?)
    }
}

impl Drop for Criu {
    fn drop(&mut self) {
        // One that has ended was reaped already, and neither call does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets a child that we execute have a descriptor.
pub(super) fn keep_on_exec(fd: impl AsFd) -> Result<(), sys::Error> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop).during("fcntl", "F_SETFD")
}

/// A `criu_resp`, as far as it is read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    kind: u64,
    success: bool,
    errno: u64,
    script: String,
    pid: i32,
}

impl Answer {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut answer = Self::default();
        for field in protobuf::fields(bytes) {
            match field? {
                (1, value) => answer.kind = value.number(),
                (2, value) => answer.success = value.number() != 0,
                (5, value) => answer.decode_notify(value.bytes())?,
                (7, value) => answer.errno = value.number(),
                _ => {}
            }
        }
        Some(answer)
    }

    fn decode_notify(&mut self, bytes: &[u8]) -> Option<()> {
        for field in protobuf::fields(bytes) {
            match field? {
                (1, value) => self.script = String::from_utf8_lossy(value.bytes()).into_owned(),
                (2, value) => self.pid = i32::try_from(value.number()).ok()?,
                _ => {}
            }
        }
        Some(())
    }
}

/// The last errors in a log, without their time stamps.
fn errors_in(log: &Path) -> Vec<String> {
    let mut text = Vec::new();
    // A log that cannot be read says nothing; its path is printed all the same.
    let _ = File::open(log).and_then(|mut file| file.read_to_end(&mut text));
    last_errors(&String::from_utf8_lossy(&text))
}

fn last_errors(text: &str) -> Vec<String> {
    let errors: Vec<&str> = text.lines().filter_map(|line| Some(&line[line.find("Error ")?..])).collect();
    errors[errors.len().saturating_sub(QUOTED)..].iter().map(|line| (*line).to_owned()).collect()
}

/// The cgroups of a process, as controllers and path.
pub fn cgroups_of(pid: i32) -> Result<Vec<(String, String)>, Error> {
    let path = format!("/proc/{pid}/cgroup");
    let text =
        std::fs::read_to_string(&path).map_err(|source| Error::Streams { path: path.into(), source })?;
    let lines = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let each = lines.flat_map(|(controllers, path)| {
        controllers.split(',').map(move |controller| (controller.to_owned(), path.to_owned()))
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_notice() {
        let mut notify = Message::default();
        notify.text(1, "post-restore").number(2, 4242u32);
        let mut answer = Message::default();
        answer.number(1, NOTIFY).switch(2, true).message(5, &notify);
        let read = Answer::decode(answer.as_bytes()).unwrap();
        let expected = Answer { kind: 6, success: true, errno: 0, script: "post-restore".into(), pid: 4242 };
        assert_eq!(read, expected);
        assert_eq!(Answer::decode(b"\x0b"), None);
    }

    #[test]
    fn logs_are_quoted_from_their_end() {
        let lines: String =
            (0..9).map(|n| format!("(00.0{n}) Error (criu/x.c:{n}): no\n(00.1) fine\n")).collect();
        let quoted = last_errors(&lines);
        assert_eq!((quoted.len(), quoted[0].as_str()), (5, "Error (criu/x.c:4): no"));
        assert!(errors_in(Path::new("/nowhere/at/all")).is_empty());
    }
}
