//! config-linux.md, "Seccomp": what a filtered call answers, and the listener.

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// The same filter is loaded for exec as for the first process.
/// config-linux.md, "Seccomp"
#[test]
fn e10_exec_has_the_filter() {
    needs!(root_or_ranges);
    let filter = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }]
    });
    let container = Container::new().set("/linux/seccomp", filter).sleeping();
    assert_eq!(container.exec_world(&[])["seccomp"]["mode"], 2);
    let answer = container.exec(&[], &["/probe", "syscall", "getcwd"]).ok().json();
    assert_eq!(answer, json!({ "errno": "ENOSYS" }));
}

fn filtered(syscalls: &Value) -> Container {
    Container::new().set("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": syscalls }))
}

/// KILL_PROCESS and TRAP end the program with SIGSYS.
/// config-linux.md, "Seccomp"
#[test]
fn e1_killing_actions() {
    needs!(root_or_ranges);
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"] {
        let rule = json!([{ "names": ["getcwd"], "action": action }]);
        filtered(&rule).args(&["/probe", "syscall", "getcwd"]).run(&[]).exits(128 + 31);
    }
}

/// TRAP is a signal that the program may handle, where KILL_PROCESS leaves it no time; KILL_THREAD, which is KILL too,
/// ends no other thread.
/// config-linux.md, "Seccomp"
#[test]
fn e1_signals_and_threads() {
    needs!(root_or_ranges);
    let rule = |action: &str| json!([{ "names": ["getcwd"], "action": action }]);
    assert_eq!(filtered(&rule("SCMP_ACT_TRAP")).probe(&["trap", "getcwd"]), json!({ "trapped": true }));
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"] {
        let answer = filtered(&rule(action)).probe(&["syscall-in-thread", "getcwd"]);
        assert_eq!(answer, json!({ "survived": "the first" }), "{action}");
    }
    let process = filtered(&rule("SCMP_ACT_KILL_PROCESS")).args(&["/probe", "syscall-in-thread", "getcwd"]);
    process.run(&[]).exits(128 + 31);
}

/// TRACE is for a tracer, without which there is no such call.
/// config-linux.md, "Seccomp"
#[test]
fn e1_trace() {
    needs!(root_or_ranges);
    let rule = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_TRACE" }]);
    assert_eq!(filtered(&rule).probe(&["syscall", "getcwd"]), json!({ "errno": "ENOSYS" }));
}

/// LOG lets the call through.
/// config-linux.md, "Seccomp"
#[test]
fn e1_log() {
    needs!(root_or_ranges);
    let rule = json!([{ "names": ["getpid"], "action": "SCMP_ACT_LOG" }]);
    assert_eq!(filtered(&rule).probe(&["syscall", "getpid"]), json!({ "result": 1 }));
}

/// ERRNO answers EPERM, or what errnoRet says; other calls go on.
/// config-linux.md, "Seccomp"
#[test]
fn e2_errno() {
    needs!(root_or_ranges);
    let rule = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" }]);
    assert_eq!(filtered(&rule).world()["seccomp"]["mode"], 2);
    assert_eq!(filtered(&rule).probe(&["syscall", "getcwd"]), json!({ "errno": "EPERM" }));
    assert_eq!(filtered(&rule).probe(&["syscall", "getpid"]), json!({ "result": 1 }));
    let rule = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }]);
    assert_eq!(filtered(&rule).probe(&["syscall", "getcwd"]), json!({ "errno": "ENOSPC" }));
}

/// An allow-list: what is not listed gets the default with its errno.
/// config-linux.md, "Seccomp"
#[test]
fn e2_default_errno() {
    needs!(root_or_ranges);
    let profile: Value =
        serde_json::from_str(include_str!("../../fixtures/seccomp-allow-list.json")).unwrap();
    let container = Container::new().set("/linux/seccomp", profile.clone());
    assert_eq!(container.world()["seccomp"]["mode"], 2);
    let container = Container::new().set("/linux/seccomp", profile);
    assert_eq!(container.probe(&["syscall", "swapoff"]), json!({ "errno": "ENOSPC" }));
}

/// Without flags the filter brings no speculation penalty.
/// config-linux.md, "Seccomp"
#[test]
fn e4_no_speculation_penalty() {
    needs!(root_or_ranges);
    let plain = Container::new().world()["seccomp"]["speculation"].clone();
    let rule = json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" }]);
    assert_eq!(filtered(&rule).world()["seccomp"]["speculation"], plain);
}

/// Arguments are compared as 64-bit numbers, and conditions of one rule must all hold.
/// config-linux.md, "Seccomp"
#[test]
fn e5_argument_conditions() {
    needs!(root_or_ranges);
    let answer = |op: &str, value: u64, two: u64, asked: &str| {
        let condition = json!({ "index": 0, "value": value, "valueTwo": two, "op": op });
        let rule = json!([{ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [condition] }]);
        filtered(&rule).probe(&["syscall", "umask", asked]).get("errno").is_some()
    };
    assert!(answer("SCMP_CMP_EQ", 7, 0, "7") && !answer("SCMP_CMP_EQ", 7, 0, "8"));
    assert!(answer("SCMP_CMP_NE", 7, 0, "8") && !answer("SCMP_CMP_NE", 7, 0, "7"));
    assert!(answer("SCMP_CMP_LT", 7, 0, "6") && !answer("SCMP_CMP_LT", 7, 0, "7"));
    assert!(answer("SCMP_CMP_LE", 7, 0, "7") && !answer("SCMP_CMP_LE", 7, 0, "8"));
    assert!(answer("SCMP_CMP_GT", 7, 0, "8") && !answer("SCMP_CMP_GT", 7, 0, "7"));
    assert!(answer("SCMP_CMP_GE", 7, 0, "7") && !answer("SCMP_CMP_GE", 7, 0, "6"));
    assert!(answer("SCMP_CMP_MASKED_EQ", 6, 2, "3") && !answer("SCMP_CMP_MASKED_EQ", 6, 2, "7"));
    assert!(answer("SCMP_CMP_EQ", 0x1_0000_0007, 0, "0x100000007"));
    assert!(!answer("SCMP_CMP_EQ", 0x1_0000_0007, 0, "7"), "the upper half was forgotten");
    assert!(answer("SCMP_CMP_GT", 0x1_0000_0007, 0, "0x200000000"));
    assert!(!answer("SCMP_CMP_GT", 0x1_0000_0007, 0, "8") && !answer("SCMP_CMP_GE", 0x1_0000_0007, 0, "9"));
    assert!(answer("SCMP_CMP_LT", 0x2_0000_0007, 0, "0x100000008"));

    let both = json!([{ "names": ["lseek"], "action": "SCMP_ACT_ERRNO", "args": [
        { "index": 0, "value": 99, "op": "SCMP_CMP_EQ" }, { "index": 1, "value": 5, "op": "SCMP_CMP_EQ" }
    ] }]);
    assert_eq!(filtered(&both).probe(&["syscall", "lseek", "99", "5"]), json!({ "errno": "EPERM" }));
    assert_eq!(filtered(&both).probe(&["syscall", "lseek", "99", "6"]), json!({ "errno": "EBADF" }));
}

/// Calls that nobody has a name for are skipped, the rest of the rule holds.
/// config-linux.md, "Seccomp"
#[test]
fn e5_unknown_names() {
    needs!(root_or_ranges);
    let rule = json!([{ "names": ["call_from_the_future", "getcwd"], "action": "SCMP_ACT_ERRNO" }]);
    assert_eq!(filtered(&rule).probe(&["syscall", "getcwd"]), json!({ "errno": "EPERM" }));
}

/// With listenerPath, the agent gets the container's state and the descriptor in one message, then the end.
/// config-linux.md, "Seccomp"
#[test]
fn e7_listener() {
    needs!(root_or_ranges);
    let container = Container::new();
    let path = container.bundle.join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let container = container.set(
        "/linux/seccomp",
        json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": path,
            "listenerMetadata": "some metadata",
            "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_NOTIFY" }]
        }),
    );
    let container = container.args(&["/probe", "syscall", "getcwd"]);
    container.run(&["--detach"]).ok();
    assert!(readable(&listener, Duration::from_secs(20)), "nobody connected");
    let (mut connection, _) = listener.accept().unwrap();
    let mut text = vec![0; 65_536];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let length = {
        let mut parts = [IoSliceMut::new(&mut text)];
        recvmsg(&connection, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap().bytes
    };
    let fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds: Vec<OwnedFd> = fds.flatten().collect();
    assert_eq!(fds.len(), 1);
    assert!(readable(&fds[0], Duration::from_secs(20)), "the program's call is not for the agent to answer");
    text.truncate(length);
    connection.read_to_end(&mut text).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!(state["metadata"], "some metadata");
    assert_eq!(state["state"]["id"], container.id.as_str());
    assert_eq!(state["pid"], container.pid());
    assert!(state["ociVersion"].is_string());
}

/// An agent that is not there is an error at create.
/// config-linux.md, "Seccomp"
#[test]
fn e7_a_missing_agent() {
    needs!(root_or_ranges);
    let container = Container::new().set(
        "/linux/seccomp",
        json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/no/such/agent.sock",
            "syscalls": [{ "names": ["getcwd"], "action": "SCMP_ACT_NOTIFY" }]
        }),
    );
    container.run(&[]).refuses(&["/no/such/agent.sock"]);
    container.assert_clean();
}

/// A filter without no_new_privs, for a user without capabilities.
/// config-linux.md, "Seccomp"
#[test]
fn e9_without_capabilities() {
    needs!(root_or_ranges);
    for privileges in [true, false] {
        let container = filtered(&json!([{ "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }]))
            .set("/process/noNewPrivileges", json!(privileges))
            .set("/process/user", json!({ "uid": 1000, "gid": 1000 }));
        let world = container.world();
        assert_eq!(world["seccomp"]["mode"], 2);
        assert_eq!(world["no_new_privs"], i32::from(privileges));
    }
}

/// The default action is required, and one of those that are known.
/// config-linux.md, "Seccomp"
#[test]
fn e1_bad_actions() {
    needs!(root_or_ranges);
    let rule = |action: &str| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["umask"], "action": action }] });
    each_refused(
        "/linux/seccomp",
        &[
            json!({ "syscalls": [] }),
            json!({ "defaultAction": "SCMP_ACT_BOGUS" }),
            rule("SCMP_ACT_BOGUS"),
            rule(""),
        ],
    );
}

/// An errno has a meaning for ERRNO and TRACE only.
/// config-linux.md, "Seccomp"
#[test]
fn e2_errno_of_other_actions() {
    needs!(root_or_ranges);
    let rule = json!({ "names": ["umask"], "action": "SCMP_ACT_KILL", "errnoRet": 1 });
    each_refused(
        "/linux/seccomp",
        &[
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1 }),
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }),
        ],
    );
}

/// The native architecture is filtered whether it is listed or not.
/// config-linux.md, "Seccomp"
#[test]
fn e3_architectures() {
    needs!(root_or_ranges);
    for listed in
        [json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]), json!(["SCMP_ARCH_ARM"]), json!([])]
    {
        let container = filtered(&json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" }]));
        let container = container.set("/linux/seccomp/architectures", listed.clone());
        assert_eq!(container.probe(&["syscall", "getcwd"]), json!({ "errno": "EPERM" }), "{listed}");
    }
}

/// Calls of another architecture are filtered where it is listed; where it is not, they end the program.
/// config-linux.md, "Seccomp"
#[test]
fn e3_other_architectures() {
    needs!(root_or_ranges);
    let rule = json!([{ "names": ["umask", "getcwd"], "action": "SCMP_ACT_ERRNO" }]);
    let listing = |archs: &[&str]| filtered(&rule).set("/linux/seccomp/architectures", json!(archs));
    let x86 = "SCMP_ARCH_X86";
    // umask(2) as the 32-bit entry counts, and getcwd(2) of x32.
    for (arch, call) in [(x86, ["syscall32", "60"]), ("SCMP_ARCH_X32", ["syscall", "1073741903"])] {
        if std::env::consts::ARCH != "x86_64" || arch == x86 && Container::new().run_probe(&call).code != 0 {
            continue; // nothing is there to be filtered
        }
        let answer = listing(&["SCMP_ARCH_X86_64", arch]).probe(&call);
        assert_eq!(answer, json!({ "errno": "EPERM" }), "{arch}");
        assert_eq!(listing(&["SCMP_ARCH_X86_64"]).run_probe(&call).code, 128 + 31, "{arch} is not listed");
    }
}

/// Architectures that nobody knows are errors.
/// config-linux.md, "Seccomp"
#[test]
fn e3_bad_architectures() {
    needs!(root_or_ranges);
    let archs = |archs: Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": archs });
    each_refused("/linux/seccomp", &[archs(json!(["SCMP_ARCH_VAX"])), archs(json!(["x86_64"]))]);
}

/// Flags are for the kernel, alone and together.
/// config-linux.md, "Seccomp"
#[test]
fn e4_flags() {
    needs!(root_or_ranges);
    for flags in [
        json!(["SECCOMP_FILTER_FLAG_TSYNC"]),
        json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
    ] {
        let container = filtered(&json!([{ "names": ["getcwd"], "action": "SCMP_ACT_ERRNO" }]));
        let world = container.set("/linux/seccomp/flags", flags.clone()).world();
        assert_eq!(world["seccomp"]["mode"], 2, "{flags}");
    }
}

/// A flag that nobody knows is an error.
/// config-linux.md, "Seccomp"
#[test]
fn e4_bad_flags() {
    needs!(root_or_ranges);
    let flags = |flags: Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": flags });
    each_refused("/linux/seccomp", &[flags(json!(["BOGUS"])), flags(json!("SECCOMP_FILTER_FLAG_LOG"))]);
}

/// Rules name calls and say what to do; conditions have an argument, an operator and a value.
/// config-linux.md, "Seccomp"
#[test]
fn e5_bad_rules() {
    needs!(root_or_ranges);
    let rule = |rule: Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    let condition = |condition: Value| {
        rule(json!({ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [condition] }))
    };
    each_refused(
        "/linux/seccomp",
        &[
            rule(json!({ "names": [], "action": "SCMP_ACT_ERRNO" })),
            rule(json!({ "action": "SCMP_ACT_ERRNO" })),
            rule(json!({ "names": ["umask"] })),
            condition(json!({ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" })),
            condition(json!({ "index": 0, "value": 1, "op": "BOGUS" })),
            condition(json!({ "index": 0, "value": 1 })),
        ],
    );
}

/// Of several rules for one call each may match.
/// config-linux.md, "Seccomp"
#[test]
fn e5_several_rules() {
    needs!(root_or_ranges);
    let rule = |value: u64| {
        let condition = json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" });
        json!({ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": value, "args": [condition] })
    };
    let answer = |asked: &str| filtered(&json!([rule(1), rule(2)])).probe(&["syscall", "umask", asked]);
    assert_eq!(answer("1"), json!({ "errno": "EPERM" }));
    assert_eq!(answer("2"), json!({ "errno": "ENOENT" }));
    assert!(answer("3")["result"].is_u64());
}

/// Conditions of one rule that name an argument twice hold one at a time, as everywhere.
/// config-linux.md, "Seccomp"
#[test]
fn e5_one_argument_twice() {
    needs!(root_or_ranges);
    let condition = |value: u64| json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" });
    let rule =
        json!([{ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [condition(1), condition(2)] }]);
    for asked in ["1", "2"] {
        let answer = filtered(&rule).probe(&["syscall", "umask", asked]);
        assert_eq!(answer, json!({ "errno": "EPERM" }), "{asked}");
    }
    assert!(filtered(&rule).probe(&["syscall", "umask", "3"])["result"].is_u64());
}

/// A call that is newer than every one the profile names is not implemented, rather than forbidden.
/// config-linux.md, "Seccomp"
#[test]
fn e6_newer_calls() {
    needs!(root_or_ranges);
    let profile: Value =
        serde_json::from_str(include_str!("../../fixtures/seccomp-allow-list.json")).unwrap();
    let container = Container::new().set("/linux/seccomp", profile);
    assert_eq!(container.probe(&["syscall", "900"]), json!({ "errno": "ENOSYS" }));
}

/// Metadata and NOTIFY are for a listener.
/// config-linux.md, "Seccomp"
#[test]
fn e8_nobody_listens() {
    needs!(root_or_ranges);
    let rule = json!({ "names": ["umask"], "action": "SCMP_ACT_NOTIFY" });
    each_refused(
        "/linux/seccomp",
        &[
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }),
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }),
        ],
    );
}

/// A filter that allows what the program needs, and nothing that only the runtime needs on its way there.
/// config-linux.md, "Seccomp"
#[test]
fn e9_tight_filters() {
    needs!(root_or_ranges);
    let start = [
        "execve",
        "arch_prctl",
        "set_tid_address",
        "brk",
        "mmap",
        "munmap",
        "mprotect",
        "exit",
        "exit_group",
    ];
    let filter = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{ "names": start, "action": "SCMP_ACT_ALLOW" }]
    });
    let container = Container::new().set("/linux/seccomp", filter).args(&["/probe", "exit", "5"]);
    container.run(&[]).exits(5);
}

/// A filter of a thousand conditions is loaded whole.
/// config-linux.md, "Seccomp"
#[test]
fn e12_many_rules() {
    needs!(root_or_ranges);
    let rule = |value: u32| {
        let condition = json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" });
        json!({ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [condition] })
    };
    let rules = Value::from((1000..1300).map(rule).collect::<Vec<_>>());
    let answer = |asked: &str| filtered(&rules).probe(&["syscall", "umask", asked]);
    for asked in ["1000", "1150", "1299"] {
        assert_eq!(answer(asked), json!({ "errno": "EPERM" }), "{asked}");
    }
    assert!(answer("18")["result"].is_u64());
}

/// Metadata is for the agent, so there has to be one.
/// config-linux.md, "Seccomp"
#[test]
fn e8_metadata_without_a_listener() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/seccomp",
        &[json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "for nobody" })],
    );
}

/// Profiles that differ in a detail are different filters, also where a runtime keeps compiled ones.
/// config-linux.md, "Seccomp"
#[test]
fn e11_profiles_are_told_apart() {
    needs!(root_or_ranges);
    let mut container = Container::new();
    let rule = |errno: u32, value: u64| {
        let condition = json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" });
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": [condition] }
        ] })
    };
    // One state folder for all, so that one cache would serve them.
    for (errno, value, asked, answer) in [
        (28, 12, "12", json!({ "errno": "ENOSPC" })),
        (38, 12, "12", json!({ "errno": "ENOSYS" })),
        (38, 1, "12", json!({ "result": 0o22 })),
        (38, 1, "1", json!({ "errno": "ENOSYS" })),
        (28, 12, "12", json!({ "errno": "ENOSPC" })),
    ] {
        container =
            container.set("/linux/seccomp", rule(errno, value)).args(&["/probe", "syscall", "umask", asked]);
        assert_eq!(container.world(), answer, "errno {errno} for umask({value}), asked {asked}");
    }
}
