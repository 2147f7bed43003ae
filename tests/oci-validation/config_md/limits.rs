//! config.md, "POSIX process" and "Linux Process": resource limits and the OOM score.

use std::fs;

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::each_refused;

/// Every rlimit is set to soft and hard.
/// config.md, "POSIX process"
#[test]
fn p12_every_rlimit() {
    needs!(root_or_ranges);
    let own = |name: &str| Container::new().world()["rlimits"][name].clone();
    let file = own("RLIMIT_FSIZE");
    let container = Container::new().set(
        "/process/rlimits",
        json!([
            { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 },
            { "type": "RLIMIT_CORE", "soft": 0, "hard": 1024 },
            { "type": "RLIMIT_NPROC", "soft": 50, "hard": 60 },
            { "type": "RLIMIT_STACK", "soft": 4_194_304, "hard": 8_388_608 },
            { "type": "RLIMIT_CPU", "soft": 100, "hard": 200 },
            { "type": "RLIMIT_AS", "soft": 1_073_741_824u64, "hard": 1_073_741_825u64 },
            { "type": "RLIMIT_DATA", "soft": 1_073_741_826u64, "hard": 1_073_741_827u64 },
            { "type": "RLIMIT_RSS", "soft": 1_073_741_828u64, "hard": 1_073_741_829u64 },
            { "type": "RLIMIT_LOCKS", "soft": 10, "hard": 11 },
            { "type": "RLIMIT_SIGPENDING", "soft": 12, "hard": 13 },
            { "type": "RLIMIT_MSGQUEUE", "soft": 14, "hard": 15 },
            { "type": "RLIMIT_MEMLOCK", "soft": 65536, "hard": 65537 },
            { "type": "RLIMIT_RTTIME", "soft": 10_000_000, "hard": 10_000_000 },
            { "type": "RLIMIT_NICE", "soft": 0, "hard": 0 },
            { "type": "RLIMIT_RTPRIO", "soft": 0, "hard": 0 }
        ]),
    );
    let asked = container.bundle.config["process"]["rlimits"].as_array().unwrap().clone();
    let limits = container.world()["rlimits"].clone();
    for limit in asked {
        let name = limit["type"].as_str().unwrap();
        assert_eq!(
            (&limits[name]["soft"], &limits[name]["hard"]),
            (&limit["soft"], &limit["hard"]),
            "{name}"
        );
    }
    assert_eq!(limits["RLIMIT_FSIZE"], file, "a limit that was not listed changed");
    let other = json!([{ "type": "RLIMIT_FSIZE", "soft": 123_456_789, "hard": 234_567_890 }]);
    let limits = Container::new().set("/process/rlimits", other).world()["rlimits"].clone();
    assert_eq!(limits["RLIMIT_FSIZE"], json!({ "soft": 123_456_789, "hard": 234_567_890 }));
}

/// The largest u64 means no limit.
/// config.md, "POSIX process"
#[test]
fn p12_unlimited_rlimits() {
    needs!(root_or_ranges);
    let container = Container::new()
        .set("/process/rlimits", json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": u64::MAX }]));
    assert_eq!(container.world()["rlimits"]["RLIMIT_CORE"]["hard"], json!(u64::MAX));
}

/// Limits that would choke the runtime itself only hit the program.
/// config.md, "POSIX process"
#[test]
fn p11_rlimits_apply_last() {
    needs!(root_or_ranges);
    for (name, value) in [("RLIMIT_NOFILE", 9), ("RLIMIT_NPROC", 1), ("RLIMIT_FSIZE", 0)] {
        let limit = json!([{ "type": name, "soft": value, "hard": value }]);
        // A regular file as stdout would meet FSIZE, so the exit code has to tell.
        let container = Container::new().set("/process/rlimits", limit).args(&["/probe", "exit", "5"]);
        container.run(&[]).exits(5);
    }
}

/// Raising a hard limit needs CAP_SYS_RESOURCE, and is done when it is there.
/// config.md, "POSIX process"
#[test]
fn p11_raised_rlimits() {
    needs!(root, sys_resource);
    let limit = json!([{ "type": "RLIMIT_MEMLOCK", "soft": u64::MAX, "hard": u64::MAX }]);
    let world = Container::new().set("/process/rlimits", limit).world();
    assert_eq!(world["rlimits"]["RLIMIT_MEMLOCK"]["hard"], json!(u64::MAX));
}

/// oom_score_adj is as asked, and the caller's when not asked.
/// config.md, "Linux Process"
#[test]
fn p10_oom_score_adj() {
    needs!(root_or_ranges);
    assert_eq!(Container::new().set("/process/oomScoreAdj", json!(123)).world()["oom_score_adj"], 123);
    let own: Value =
        fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i64>().unwrap().into();
    assert_eq!(Container::new().world()["oom_score_adj"], own);
}

/// A score beyond what the kernel knows is an error.
/// config.md, "Linux Process"
#[test]
fn p10_bad_scores() {
    needs!(root_or_ranges);
    each_refused("/process/oomScoreAdj", &[json!(5000), json!(-2000), json!("high")]);
}

/// The type is a name of getrlimit(2), and listed once.
/// config.md, "POSIX process"
#[test]
fn p12_bad_rlimits() {
    needs!(root_or_ranges);
    let limit = |kind: &str, soft: u64, hard: u64| json!({ "type": kind, "soft": soft, "hard": hard });
    let good = || limit("RLIMIT_CORE", 1, 1);
    each_refused(
        "/process/rlimits",
        &[
            json!([limit("RLIMIT_BOGUS", 1, 1)]),
            json!([limit("nofile", 1, 1)]),
            json!([good(), good()]),
            json!([limit("RLIMIT_CORE", 2, 1)]),
            json!([{ "type": "RLIMIT_CORE", "soft": -1, "hard": 1 }]),
        ],
    );
}

/// Nine descriptors are enough for the program, whatever the runtime needs on its way there.
/// config.md, "POSIX process"
#[test]
fn p11_nine_descriptors() {
    needs!(root_or_ranges);
    let limit = json!([{ "type": "RLIMIT_NOFILE", "soft": 9, "hard": 9 }]);
    let world = Container::new().set("/process/rlimits", limit.clone()).world();
    assert_eq!(world["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": 9, "hard": 9 }));
    let container = Container::new().set("/process/rlimits", limit).sleeping();
    assert_eq!(container.exec_world(&[])["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": 9, "hard": 9 }));
}
