//! Calls newer than the profile answer ENOSYS, so that programs fall back to older ones.

use hull::plan::seccomp::{Arch, Syscall, Verdict};
use hull::seccomp::{Error, newer, program};
use hull::spec::{Action, Seccomp};
use serde_json::json;

use crate::interpreter::{Call, run};
use crate::{docker, plan};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;

/// The verdicts of calls without arguments.
fn verdicts<const N: usize>(profile: &Seccomp, native: Arch, audit: u32, numbers: [u32; N]) -> [u32; N] {
    let plan = plan(profile);
    let program = program(&plan, native, newer(plan.default)).unwrap();
    let big_endian = audit & 0x4000_0000 == 0;
    numbers.map(|number| run(&program, &Call { number, audit, args: [0; 6] }, big_endian))
}

fn profile(default: &str, names: &[&str]) -> Seccomp {
    let rule = json!({"names": names, "action": "SCMP_ACT_ALLOW"});
    let default = format!("SCMP_ACT_{default}");
    serde_json::from_value(json!({"defaultAction": default, "syscalls": [rule]})).unwrap()
}

#[test]
fn on_each_architecture_beyond_its_own_last_call() {
    let docker = docker();
    let named = docker.syscalls.iter().flat_map(|rule| rule.names.iter());
    let last = |arch| named.clone().filter_map(|name| Syscall::named(name)?.number(arch)).max().unwrap();
    for (arch, audit) in [(Arch::X86_64, 0xc000_003e), (Arch::X86, 0x4000_0003), (Arch::X32, 0xc000_003e)] {
        let last = last(arch);
        let verdicts = verdicts(&docker, Arch::X86_64, audit, [last, last + 1, last + 1000]);
        assert_eq!(verdicts, [ALLOW, ENOSYS, ENOSYS], "{arch:?}");
    }
    // Known, but not named: add_key, kexec_load, swapon.
    assert_eq!(verdicts(&docker, Arch::X86_64, 0xc000_003e, [248, 246, 167]), [EPERM; 3]);
    assert_eq!(verdicts(&docker, Arch::X86_64, 0xc000_003e, [0x3fff_ffff, u32::MAX]), [ENOSYS; 2]);
}

#[test]
fn x32_that_is_not_listed_is_killed_but_a_skipped_call_is_not() {
    let profile = profile("ERRNO", &["read", "write"]);
    let verdicts = verdicts(&profile, Arch::X86_64, 0xc000_003e, [1, 2, 0x4000_0000, 0xffff_fffe, u32::MAX]);
    assert_eq!(verdicts, [ALLOW, ENOSYS, 0, 0, EPERM]);
}

#[test]
fn only_where_the_default_forbids() {
    for (default, beyond) in
        [("ERRNO", ENOSYS), ("KILL", ENOSYS), ("KILL_PROCESS", ENOSYS), ("TRAP", ENOSYS), ("ALLOW", ALLOW)]
    {
        let profile = profile(default, &["read"]);
        assert_eq!(verdicts(&profile, Arch::X86_64, 0xc000_003e, [500]), [beyond], "{default}");
    }
    for action in [Action::Allow, Action::Log, Action::Trace] {
        let default = Verdict { action, data: 7 };
        assert_eq!(newer(default), default);
    }
}

#[test]
fn a_profile_that_names_nothing_is_no_measure() {
    let profile = profile("ERRNO", &["set_tls"]);
    assert_eq!(verdicts(&profile, Arch::X86_64, 0xc000_003e, [0, 500]), [EPERM; 2]);
    let empty = serde_json::from_value(json!({"defaultAction": "SCMP_ACT_KILL_PROCESS"})).unwrap();
    assert_eq!(verdicts(&empty, Arch::X86_64, 0xc000_003e, [0, 500]), [0x8000_0000; 2]);
}

#[test]
fn arms_private_calls_are_no_newer_than_its_others() {
    let profile = profile("ERRNO", &["read", "set_tls"]);
    let numbers = [3, 4, 0xe_ffff, 0xf_0001, 0xf_0005, 0xf_0006];
    let expected = [ALLOW, ENOSYS, ENOSYS, EPERM, ALLOW, ENOSYS];
    assert_eq!(verdicts(&profile, Arch::Arm, 0x4000_0028, numbers), expected);
}

#[test]
fn s390_hides_unknown_calls_behind_number_zero() {
    let profile = profile("ERRNO", &["read", "write"]);
    assert_eq!(verdicts(&profile, Arch::S390x, 0x8000_0016, [0, 1, 3, 5]), [ENOSYS, EPERM, ALLOW, ENOSYS]);
}

#[test]
fn a_filter_that_does_not_fit_is_refused() {
    let args: Vec<_> =
        (0..6).map(|i| json!({"index": i, "value": 1u64 << 40, "op": "SCMP_CMP_GT"})).collect();
    let names: Vec<_> = Syscall::all().map(Syscall::name).collect();
    let rule = json!({"names": names, "action": "SCMP_ACT_ALLOW", "args": args});
    let profile =
        serde_json::from_value(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]})).unwrap();
    let plan = plan(&profile);
    match program(&plan, Arch::X86_64, plan.default) {
        Err(Error::TooLong { instructions }) => assert!(instructions > 4096),
        Ok(program) => panic!("{} instructions", program.len()),
    }
}
