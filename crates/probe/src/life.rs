//! Acts of a process on itself: waiting, holding, dying, growing, multiplying, and being a hook.

use std::fs::{File, OpenOptions, metadata, read_to_string};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;

use serde_json::{Value, json};

use crate::{errno, sys, world};

/// Tells `ready` (a FIFO or file) that signals are blocked, prints the first signal that comes, and exits 0.
pub fn wait(ready: &str) -> i32 {
    sys::block_signals();
    if let Err(err) =
        OpenOptions::new().write(true).open(ready).and_then(|mut fifo| fifo.write_all(b"ready\n"))
    {
        return crate::print(&errno::of_io(&err));
    }
    crate::print(&json!({ "signal": sys::wait_for_signal() }))
}

/// Counts signals in its memory and tells the FIFO each new number, until SIGTERM comes; exits 7. Its streams are
/// closed, so that nothing but the FIFO leads outside, and that only for as long as a number takes.
pub fn tally(fifo: &str) -> i32 {
    count(fifo, |text| Ok(text.to_owned()))
}

/// The same, with every number sent over a connection to itself.
pub fn tally_by_tcp(fifo: &str) -> i32 {
    let connection = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        let near = TcpStream::connect(listener.local_addr()?)?;
        Ok((near, listener.accept()?.0))
    });
    let Ok((mut near, mut far)) = connection else { return 1 };
    count(fifo, |text| {
        near.write_all(text.as_bytes())?;
        let mut heard = vec![0; text.len()];
        far.read_exact(&mut heard)?;
        Ok(String::from_utf8_lossy(&heard).into_owned())
    })
}

fn count(fifo: &str, mut relay: impl FnMut(&str) -> std::io::Result<String>) -> i32 {
    sys::block_signals();
    (0..3).for_each(sys::close);
    let mut count = 0;
    loop {
        let number = relay(&format!("{count}\n"));
        let told = OpenOptions::new().write(true).open(fifo);
        if number.and_then(|number| told?.write_all(number.as_bytes())).is_err() {
            return 1;
        }
        if sys::wait_for_signal() == libc::SIGTERM {
            return 7;
        }
        count += 1;
    }
}

/// Holds an exclusive lock on a file (flock(2)) for as long as `act` takes.
pub fn locked(path: &str, act: impl FnOnce() -> i32) -> i32 {
    match OpenOptions::new().write(true).create(true).truncate(false).open(path).and_then(|file| {
        file.lock()?;
        Ok(file)
    }) {
        Ok(_lock) => act(),
        Err(err) => crate::print(&errno::of_io(&err)),
    }
}

/// Answers one connection with what it says, from the moment that the FIFO is told; exits 0 when that is over.
pub fn echo_tcp(address: &str, fifo: &str) -> i32 {
    (0..3).for_each(sys::close);
    let served = TcpListener::bind(address).and_then(|listener| {
        OpenOptions::new().write(true).open(fifo)?.write_all(b"listening\n")?;
        let (mut connection, _) = listener.accept()?;
        drop(listener);
        std::io::copy(&mut connection.try_clone()?, &mut connection)
    });
    i32::from(served.is_err())
}

/// Blocks until somebody opens the FIFO for writing and closes it; exits 0.
pub fn hold(fifo: &str) -> i32 {
    let mut text = String::new();
    match File::open(fifo).and_then(|mut fifo| fifo.read_to_string(&mut text)) {
        Ok(_) => 0,
        Err(err) => crate::print(&errno::of_io(&err)),
    }
}

/// As a hook: appends one line with stdin (the state) and the world as seen from here.
pub fn record(path: &str, argv: &[String]) -> i32 {
    let mut stdin = String::new();
    let read = std::io::stdin().read_to_string(&mut stdin);
    let line = json!({
        "stdin": serde_json::from_str::<Value>(&stdin).unwrap_or(Value::String(stdin)),
        "stdin_ended": read.is_ok(),
        "world": world::see(argv, &[]),
    });
    let opened = OpenOptions::new().create(true).append(true).open(path);
    match opened.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())) {
        Ok(()) => 0,
        Err(err) => {
            eprintln!("probe: {path}: {err}");
            1
        }
    }
}

/// The words on stdout, as they are.
pub fn echo(words: &[&str]) -> i32 {
    let written = std::io::stdout().write_all(format!("{}\n", words.join(" ")).as_bytes());
    i32::from(written.is_err())
}

/// stdin to stdout.
pub fn cat() -> i32 {
    i32::from(std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).is_err())
}

/// sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names.
pub fn notify(text: &str) -> Value {
    let path = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(text.as_bytes(), path));
    sent.map_or_else(|err| errno::of_io(&err), |bytes| json!({ "sent": bytes }))
}

/// As pid 1: looks at the root and the working directory of each process that comes, from its first moment on; appends to
/// `found` the first that is not our own root directory, and ends.
pub fn watch_births(found: &str) -> i32 {
    let place = |path: &str| metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let own = place("/");
    let Ok(mut found) = OpenOptions::new().append(true).open(found) else { return 1 };
    let mut next = 2;
    loop {
        for link in (0..1000).flat_map(|_| ["root", "cwd"]) {
            let path = format!("/proc/{next}/{link}");
            if place(&path).is_some_and(|place| Some(place) != own) {
                return i32::from(writeln!(found, "{path}").is_err());
            }
        }
        // The newest of our pid namespace comes last.
        let newest = read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| text.trim().rsplit(' ').next()?.parse().ok());
        next = newest.map_or(next, |newest: i32| next.max(newest + 1));
    }
}

/// Only returns when the signal did not end the process, as for a pid 1.
pub fn kill_self(signal: &str) -> Value {
    let number = signal.parse().unwrap_or(libc::SIGTERM);
    let _ = sys::raise(number);
    json!({ "survived": number })
}

/// Touches that many bytes; the OOM killer may have a word.
pub fn alloc(bytes: &str) -> Value {
    let size: usize = bytes.parse().unwrap_or(0);
    let mut memory = Vec::new();
    if memory.try_reserve_exact(size).is_err() {
        return json!({ "errno": "ENOMEM" });
    }
    memory.resize(size, 1u8);
    json!({ "allocated": std::hint::black_box(&memory).len() })
}

/// Keeps that many children alive at once, then ends them; says how many there could be.
pub fn fork(count: &str) -> Value {
    let wanted: usize = count.parse().unwrap_or(0);
    let mut children = Vec::new();
    let mut refusal = Value::Null;
    while children.len() < wanted {
        match sys::fork(|| sys::pause()) {
            Ok(pid) => children.push(pid),
            Err(number) => {
                refusal = errno::report(number);
                break;
            }
        }
    }
    for pid in &children {
        let pid_argument = usize::try_from(*pid).unwrap_or(0);
        let _ = sys::raw(libc::SYS_kill, [pid_argument, 9, 0, 0, 0, 0]);
        let _ = sys::wait(*pid);
    }
    json!({ "children": children.len(), "refusal": refusal })
}
