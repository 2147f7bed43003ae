//! Hands the listener to the agent that serves notifications (config-linux.md, "Container Process State").

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::sys::{Context, Error, errno_of, file, socket};

/// Connects to the agent at `path`, sends it one container process state, and hangs up. The descriptor rides on the
/// first message alone, whatever the length of the state.
pub fn hand_over(path: &Path, state: &[u8], listener: BorrowedFd) -> Result<(), Error> {
    let agent = UnixStream::connect(path).map_err(|err| errno_of(&err)).during("connect", path.display())?;
    let sent = socket::send_with_fd(agent.as_fd(), state, listener).during("sendmsg", path.display())?;
    file::write_all(&agent, &state[sent..]).during("write", path.display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::sys::socket::receive;

    #[test]
    fn the_agent_gets_one_state_and_the_descriptor_with_its_first_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let agent = UnixListener::bind(&path).unwrap();
        // Longer than a socket buffer, so that it cannot go in one message.
        let state = vec![b'x'; 1 << 20];
        let (pipe, end) = std::io::pipe().unwrap();
        let sender = std::thread::spawn({
            let state = state.clone();
            move || hand_over(&path, &state, end.as_fd())
        });
        let (mut connection, _) = agent.accept().unwrap();
        let mut received = vec![0; 1];
        let (length, listener) = receive(connection.as_fd(), &mut received).unwrap();
        assert_eq!(length, 1);
        connection.read_to_end(&mut received).unwrap();
        assert!(received == state);
        sender.join().unwrap().unwrap();
        nix::unistd::write(listener.unwrap(), b"!").unwrap();
        let mut byte = [0];
        (&pipe).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"!");
    }

    #[test]
    fn an_absent_agent_is_named() {
        let (_, end) = std::io::pipe().unwrap();
        let error = hand_over(Path::new("/nonexistent/agent"), b"{}", end.as_fd()).unwrap_err();
        assert_eq!(error.to_string(), "connect(/nonexistent/agent): no such file or directory");
    }
}
