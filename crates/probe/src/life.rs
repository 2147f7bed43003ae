//! Acts of a process on itself: waiting, holding, dying, growing, multiplying, and being a hook.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
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
    sys::block_signals();
    (0..3).for_each(sys::close);
    let mut count = 0;
    loop {
        let told = OpenOptions::new().write(true).open(fifo);
        if told.and_then(|mut fifo| fifo.write_all(format!("{count}\n").as_bytes())).is_err() {
            return 1;
        }
        if sys::wait_for_signal() == libc::SIGTERM {
            return 7;
        }
        count += 1;
    }
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
