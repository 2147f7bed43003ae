//! Who the process is: ids, groups, capabilities, labels, id mappings.

use serde_json::{Map, Value, json};

use crate::status::{Status, bits};
use crate::sys;

/// Capability names by number (capability.h).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The identity part of the world.
pub fn see(status: &Status) -> Map<String, Value> {
    let number = |name: &str| status.get(name).and_then(|text| text.parse::<u64>().ok());
    let groups: Option<Vec<u32>> =
        status.get("Groups").map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect());
    let mut part = Map::new();
    part.insert("uid".into(), ids(libc::SYS_getresuid));
    part.insert("gid".into(), ids(libc::SYS_getresgid));
    part.insert("groups".into(), json!(groups));
    part.insert("umask".into(), json!(sys::umask()));
    part.insert(
        "capabilities".into(),
        json!({
            "inheritable": names(status, "CapInh"),
            "permitted": names(status, "CapPrm"),
            "effective": names(status, "CapEff"),
            "bounding": names(status, "CapBnd"),
            "ambient": names(status, "CapAmb"),
        }),
    );
    part.insert("no_new_privs".into(), json!(number("NoNewPrivs")));
    part.insert(
        "seccomp".into(),
        json!({
            "mode": number("Seccomp"),
            "filters": number("Seccomp_filters"),
            "speculation": status.get("Speculation_Store_Bypass"),
        }),
    );
    part.insert("securebits".into(), json!(sys::prctl(libc::PR_GET_SECUREBITS)));
    part.insert("uid_map".into(), id_map("/proc/self/uid_map"));
    part.insert("gid_map".into(), id_map("/proc/self/gid_map"));
    part.insert("setgroups".into(), line("/proc/self/setgroups"));
    part.insert("label".into(), line("/proc/self/attr/current"));
    part.insert(
        "session_keyring".into(),
        match sys::session_keyring() {
            Ok(text) => json!(text.rsplit(';').next()),
            Err(errno) => crate::errno::report(errno),
        },
    );
    let keyring_label = sys::session_keyring_label().map_or_else(crate::errno::report, |label| json!(label));
    part.insert("session_keyring_label".into(), keyring_label);
    part
}

fn ids(number: libc::c_long) -> Value {
    let [real, effective, saved] = sys::ids(number);
    json!({ "real": real, "effective": effective, "saved": saved })
}

fn names(status: &Status, set: &str) -> Vec<String> {
    bits(status, set, 0)
        .into_iter()
        .map(|bit| {
            let known = usize::try_from(bit).ok().and_then(|bit| CAPABILITIES.get(bit));
            known.map_or_else(|| format!("CAP_{bit}"), |name| (*name).to_owned())
        })
        .collect()
}

fn id_map(path: &str) -> Value {
    let Ok(text) = std::fs::read_to_string(path) else { return Value::Null };
    let row = |line: &str| line.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u64>>();
    text.lines().map(row).collect::<Vec<_>>().into()
}

/// The first line of a file, or null.
fn line(path: &str) -> Value {
    std::fs::read_to_string(path).map_or(Value::Null, |text| json!(text.trim_end_matches(['\n', '\0'])))
}
