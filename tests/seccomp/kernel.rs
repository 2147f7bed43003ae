//! Filters that the kernel runs. A thread without TSYNC is filtered alone, so most need no process of their own.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;

use hull::seccomp::compile;
use hull::spec::{Action, Seccomp};
use hull::sys::Errno;
use hull::sys::cred::prctl;
use hull::sys::exec::may_execute;
use hull::sys::seccomp::load;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use serde_json::json;

use crate::{docker, plan};

/// An errno that none of the calls below fails with by itself.
const FILTERED: Errno = Errno::EBADFD;

/// Runs `then` in a thread under the filter.
fn filtered<T: Send + 'static>(profile: &Seccomp, then: impl FnOnce() -> T + Send + 'static) -> T {
    let filter = compile(&plan(profile)).unwrap();
    thread::spawn(move || {
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).unwrap();
        assert!(load(&filter.program, filter.flags).unwrap().is_none());
        then()
    })
    .join()
    .unwrap()
}

fn errno(result: Result<impl Sized, Errno>) -> Errno {
    result.err().unwrap_or(Errno::UnknownErrno)
}

#[test]
fn dockers_profile_forbids_and_allows() {
    let mut docker = docker();
    docker.default_errno_ret = Some((FILTERED as i32).cast_unsigned());
    let (status, forbidden, allowed) = filtered(&docker, || {
        let open = |family| socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
        (
            std::fs::read_to_string("/proc/thread-self/status").unwrap(),
            [
                errno(unshare(CloneFlags::CLONE_NEWNS)),
                errno(open(AddressFamily::Alg)),
                errno(open(AddressFamily::Vsock)),
            ],
            [open(AddressFamily::Unix).map(drop), may_execute(c"/bin/sh")],
        )
    });
    assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    assert_eq!(forbidden, [FILTERED; 3]);
    assert_eq!(allowed, [Ok(()); 2]);
}

#[test]
fn a_call_newer_than_the_profile_does_not_exist() {
    let mut docker = docker();
    let too_new = |name: &str| {
        let call = hull::plan::seccomp::Syscall::named(name);
        call.and_then(|call| call.number(hull::seccomp::NATIVE)).is_some_and(|number| number > 438)
    };
    for rule in &mut docker.syscalls {
        rule.names = rule.names.iter().filter(|name| !too_new(name)).collect();
    }
    // faccessat2 is number 439.
    assert_eq!(filtered(&docker, || may_execute(c"/bin/sh")), Err(Errno::ENOSYS));
}

#[test]
fn a_rule_that_notifies_yields_a_listener() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/agent",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_NOTIFY"}],
    });
    let filter = compile(&plan(&serde_json::from_value(profile).unwrap())).unwrap();
    assert!(filter.wants_listener);
    // Without TSYNC's reach: it would filter the other tests.
    let flags = filter.flags & !libc::SECCOMP_FILTER_FLAG_TSYNC;
    let listener = thread::spawn(move || {
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).unwrap();
        load(&filter.program, flags)
    });
    assert!(listener.join().unwrap().unwrap().is_some());
}

#[test]
fn the_kernel_refuses_what_it_does_not_know() {
    assert_eq!(load(&[], 0).unwrap_err(), Errno::EINVAL);
}

/// Loads a filter into this whole process and steps over its line; started by the test below.
#[test]
#[ignore = "a part of `a_forbidden_call_kills_the_process`"]
fn step_over_the_line() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC"],
        "syscalls": [{"names": ["unshare"], "action": "SCMP_ACT_KILL_PROCESS",
            "args": [{"index": 0, "value": libc::CLONE_NEWUTS, "op": "SCMP_CMP_EQ"}]}],
    });
    let profile: Seccomp = serde_json::from_value(profile).unwrap();
    assert_eq!(profile.syscalls[0].action, Action::KillProcess);
    filtered(&profile, || unshare(CloneFlags::CLONE_FS)).unwrap();
    println!("not yet");
    let _ = unshare(CloneFlags::CLONE_NEWUTS);
    println!("still alive");
}

#[test]
fn a_forbidden_call_kills_the_process() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kernel::step_over_the_line", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("not yet") && !said.contains("still alive"), "{said}");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS));
}
