//! Networks that a test may change: a private namespace, and ip(8) in it or in a container's.

use std::process::Command;

use serde_json::Value;

/// Runs a test on a thread with a network namespace of its own, which all its children share.
pub fn in_private_network(test: fn()) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// `ip -json ...`; an empty answer is null.
#[track_caller]
pub fn ip(args: &str) -> Value {
    output(Command::new("ip").arg("-json").args(args.split(' ')))
}

/// The same in the network namespace of a process.
#[track_caller]
pub fn ip_in(pid: i32, args: &str) -> Value {
    let netns = format!("--net=/proc/{pid}/ns/net");
    output(Command::new("nsenter").args([netns.as_str(), "ip", "-json"]).args(args.split(' ')))
}

#[track_caller]
fn output(command: &mut Command) -> Value {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap_or_default()
}
