//! Documents that cannot be honoured: each edit of a good one is refused at the place that is wrong, with a hint.

use std::path::Path;

use hull::plan::{self, Request};
use serde_json::{Value, json};

use crate::{agree, here, hosts};

/// The good document: every kind of namespace but `user`, and little else.
fn good() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"]},
        "linux": {"namespaces": [
            {"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
            {"type": "cgroup"}, {"type": "time"}
        ]},
    })
}

/// Host, where the refusal points, and what is merged into the good document (RFC 7396).
const CASES: &[(&str, &str, &str)] = &[
    ("v2", "ociVersion", r#"{"ociVersion": "banana"}"#),
    ("v2", "ociVersion", r#"{"ociVersion": "2.0.0"}"#),
    ("v2", "annotations", r#"{"annotations": {"": "x"}}"#),
    ("v2", "root", r#"{"root": null}"#),
    ("v2", "root.path", r#"{"root": {"path": ""}}"#),
    ("v2", "hostname", r#"{"hostname": "x", "linux": {"namespaces": [{"type": "mount"}]}}"#),
    (
        "v2",
        "hostname",
        r#"{"hostname": "a-name-of-more-than-sixty-four-characters-is-too-long-for-the-kernel"}"#,
    ),
    ("v2", "domainname", r#"{"domainname": "x", "linux": {"namespaces": [{"type": "mount"}]}}"#),
    ("v2", "hostname", r#"{"hostname": "a\u0000b"}"#),
    (
        "rootless",
        "mounts[0]",
        r#"{"mounts": [{"destination": "/m", "type": "bind", "source": "m", "options": ["bind", "idmap"]}]}"#,
    ),
    // a unit of systemd's
    ("systemd", "linux.cgroupsPath", r#"{"linux": {"cgroupsPath": "/a/b"}}"#),
    ("systemd", "linux.cgroupsPath", r#"{"linux": {"cgroupsPath": "system:docker:1"}}"#),
    ("systemd", "linux.cgroupsPath", r#"{"linux": {"cgroupsPath": "system.slice:docker:1.slice"}}"#),
    ("systemd-user-v1", "linux.cgroupsPath", "{}"),
    (
        "systemd",
        "annotations[\"org.systemd.property.KillSignal\"]",
        r#"{"annotations": {"org.systemd.property.KillSignal": "SIGINT"}}"#,
    ),
    (
        "systemd",
        "annotations[\"org.systemd.property.PIDs\"]",
        r#"{"annotations": {"org.systemd.property.PIDs": "[uint32 1]"}}"#,
    ),
    // process
    ("v2", "process.args", r#"{"process": {"args": []}}"#),
    ("v2", "process.args", r#"{"process": {"args": [""]}}"#),
    ("v2", "process.cwd", r#"{"process": {"cwd": "relative"}}"#),
    ("v2", "process.cwd", r#"{"process": {"cwd": ""}}"#),
    ("v2", "process.env[1]", r#"{"process": {"env": ["A=b", "novalue"]}}"#),
    ("v2", "process.env[0]", r#"{"process": {"env": ["=b"]}}"#),
    ("v2", "process.user.umask", r#"{"process": {"user": {"umask": 1000}}}"#),
    ("v2", "process.user.uid", r#"{"process": {"user": {"uid": 4294967295}}}"#),
    ("v2", "process.user.gid", r#"{"process": {"user": {"gid": 4294967295}}}"#),
    ("v2", "process.user.additionalGids[1]", r#"{"process": {"user": {"additionalGids": [1, 4294967295]}}}"#),
    ("v2", "process.apparmorProfile", r#"{"process": {"apparmorProfile": "docker-default"}}"#),
    ("v2", "process.selinuxLabel", r#"{"process": {"selinuxLabel": "system_u:system_r:x:s0"}}"#),
    ("v2", "process.oomScoreAdj", r#"{"process": {"oomScoreAdj": 1001}}"#),
    (
        "v2",
        "process.rlimits[0].soft",
        r#"{"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]}}"#,
    ),
    (
        "v2",
        "process.rlimits[1].type",
        r#"{"process": {"rlimits": [
            {"type": "RLIMIT_CPU", "soft": 1, "hard": 1}, {"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]}}"#,
    ),
    ("v2", "process.scheduler.nice", r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}}"#),
    (
        "v2",
        "process.scheduler.priority",
        r#"{"process": {"scheduler": {"policy": "SCHED_OTHER", "priority": 5}}}"#,
    ),
    (
        "v2",
        "process.scheduler.priority",
        r#"{"process": {"scheduler": {"policy": "SCHED_FIFO", "priority": -5}}}"#,
    ),
    (
        "v2",
        "process.scheduler.deadline",
        r#"{"process": {"scheduler": {"policy": "SCHED_IDLE", "period": 5}}}"#,
    ),
    (
        "v2",
        "process.ioPriority.priority",
        r#"{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}}"#,
    ),
    // mounts
    ("v2", "mounts[0].destination", r#"{"mounts": [{"destination": "", "type": "tmpfs"}]}"#),
    ("v2", "mounts[0].type", r#"{"mounts": [{"destination": "/x", "source": "/x"}]}"#),
    ("v2", "mounts[0].source", r#"{"mounts": [{"destination": "/x", "type": "bind"}]}"#),
    (
        "v2",
        "mounts[0].options",
        r#"{"mounts": [{"destination": "/x", "source": "/x", "options": ["bind", "sise"]}]}"#,
    ),
    (
        "v2",
        "mounts[0].options",
        r#"{"mounts": [{"destination": "/x", "source": "/x", "options": ["bind", "tmpcopyup"]}]}"#,
    ),
    (
        "v2",
        "mounts[0].options",
        r#"{"mounts": [{"destination": "/x", "type": "ramfs", "options": ["tmpcopyup"]}]}"#,
    ),
    (
        "v2",
        "mounts[0].options[0]",
        r#"{"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["size=\u00001"]}]}"#,
    ),
    ("v2", "mounts[0].destination", r#"{"mounts": [{"destination": "/proc/sys", "type": "tmpfs"}]}"#),
    (
        "v2",
        "mounts[0].destination",
        r#"{"mounts": [{"destination": "/x/../proc/self", "source": "/x", "options": ["bind"]}]}"#,
    ),
    ("v2", "mounts[0].type", r#"{"mounts": [{"destination": "//proc/", "type": "tmpfs"}]}"#),
    (
        "v2",
        "mounts[0].uidMappings",
        r#"{"mounts": [{"destination": "/x", "source": "/x", "options": ["bind", "idmap"]}]}"#,
    ),
    (
        "v2",
        "mounts[0].gidMappings",
        r#"{"mounts": [{"destination": "/x", "source": "/x", "options": ["bind", "idmap"],
            "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}]}"#,
    ),
    (
        "v2",
        "mounts[0].uidMappings",
        r#"{"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["idmap"]}], "linux": {
            "namespaces": [{"type": "mount"}, {"type": "user"}],
            "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}"#,
    ),
    (
        "v1",
        "mounts[0].type",
        r#"{"mounts": [{"destination": "/x", "type": "cgroup2"}], "linux": {"namespaces": [{"type": "mount"}]}}"#,
    ),
    (
        "v2",
        "linux.mountLabel",
        r#"{"mounts": [{"destination": "/x", "type": "tmpfs"}], "linux": {"mountLabel": "a:b:c:s0"}}"#,
    ),
    // hooks
    ("v2", "hooks.prestart[0].path", r#"{"hooks": {"prestart": [{"path": "true"}]}}"#),
    ("v2", "hooks.poststop[0].path", r#"{"hooks": {"poststop": [{"path": ""}]}}"#),
    (
        "v2",
        "hooks.createContainer[1].timeout",
        r#"{"hooks": {"createContainer": [{"path": "/a"}, {"path": "/b", "timeout": 0}]}}"#,
    ),
    ("v2", "hooks.poststart[0].timeout", r#"{"hooks": {"poststart": [{"path": "/a", "timeout": -1}]}}"#),
    (
        "v2",
        "hooks.startContainer[0].env[0]",
        r#"{"hooks": {"startContainer": [{"path": "/a", "env": ["A=\u0000"]}]}}"#,
    ),
    // namespaces
    ("v2", "linux.namespaces", r#"{"linux": {"namespaces": [{"type": "pid"}]}}"#),
    ("v2", "linux.namespaces", r#"{"linux": null}"#),
    (
        "v2",
        "linux.namespaces[1].type",
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "mount"}]}}"#,
    ),
    (
        "v2",
        "linux.namespaces[1].path",
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "pid", "path": "ns"}]}}"#,
    ),
    (
        "v2",
        "linux.uidMappings",
        r#"{"linux": {"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}"#,
    ),
    ("v2", "linux.uidMappings", r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}]}}"#),
    (
        "v2",
        "linux.gidMappings[0].size",
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}],
            "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 0}]}}"#,
    ),
    (
        "v2",
        "linux.uidMappings[1]",
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}],
            "uidMappings": [{"containerID": 0, "hostID": 0, "size": 10}, {"containerID": 20, "hostID": 9, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}"#,
    ),
    (
        "v2",
        "linux.uidMappings[0]",
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}],
            "uidMappings": [{"containerID": 2, "hostID": 0, "size": 4294967295}],
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}"#,
    ),
    (
        "v2",
        "linux.timeOffsets",
        r#"{"linux": {"namespaces": [{"type": "mount"}], "timeOffsets": {"monotonic": {"secs": 1}}}}"#,
    ),
    ("v2", "linux.timeOffsets.realtime", r#"{"linux": {"timeOffsets": {"realtime": {"secs": 1}}}}"#),
    (
        "v2",
        "linux.timeOffsets.boottime.nanosecs",
        r#"{"linux": {"timeOffsets": {"boottime": {"nanosecs": 1000000000}}}}"#,
    ),
    (
        "v2",
        "linux.netDevices",
        r#"{"linux": {"namespaces": [{"type": "mount"}], "netDevices": {"eth0": {}}}}"#,
    ),
    ("v2", "linux.netDevices.a-name-too-long0", r#"{"linux": {"netDevices": {"a-name-too-long0": {}}}}"#),
    ("v2", "linux.netDevices.eth0", r#"{"linux": {"netDevices": {"eth0": {"name": "a/b"}}}}"#),
    ("v2", "linux.netDevices.eth0", r#"{"linux": {"netDevices": {"eth0": {"name": "e%s"}}}}"#),
    (
        "v2",
        "linux.netDevices.eth1",
        r#"{"linux": {"netDevices": {"eth0": {"name": "x"}, "eth1": {"name": "x"}}}}"#,
    ),
    ("v2", "linux.netDevices.et:0", r#"{"linux": {"netDevices": {"et:0": {}}}}"#),
    ("v2", "linux.netDevices.e%d", r#"{"linux": {"netDevices": {"e%d": {}}}}"#),
    // the rest of linux
    ("v2", "linux.intelRdt", r#"{"linux": {"intelRdt": {"closID": "guaranteed"}}}"#),
    ("rdt", "linux.intelRdt.closID", r#"{"linux": {"intelRdt": {"closID": "a/b"}}}"#),
    ("rdt", "linux.intelRdt.memBwSchema", r#"{"linux": {"intelRdt": {"memBwSchema": "L3:0=f"}}}"#),
    (
        "rdt",
        "linux.intelRdt.schemata[1]",
        r#"{"linux": {"intelRdt": {"schemata": ["L3:0=f", "L2:0=f\nL2:1=f"]}}}"#,
    ),
    ("v2", "linux.personality.flags", r#"{"linux": {"personality": {"domain": "LINUX", "flags": ["x"]}}}"#),
    ("v2", "linux.memoryPolicy.nodes", r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND"}}}"#),
    (
        "v2",
        "linux.memoryPolicy.nodes",
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_DEFAULT", "nodes": "0"}}}"#,
    ),
    (
        "v2",
        "linux.memoryPolicy.nodes",
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "3-1"}}}"#,
    ),
    (
        "v2",
        "linux.memoryPolicy.flags",
        r#"{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0",
            "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}}"#,
    ),
    ("v2", "linux.rootfsPropagation", r#"{"linux": {"rootfsPropagation": "wild"}}"#),
    ("v2", "linux.maskedPaths[0]", r#"{"linux": {"maskedPaths": ["proc/kcore"]}}"#),
    ("v2", "linux.readonlyPaths[1]", r#"{"linux": {"readonlyPaths": ["/proc/sys", "x"]}}"#),
    ("v2", "linux.sysctl.kernel.panic", r#"{"linux": {"sysctl": {"kernel.panic": "1"}}}"#),
    ("v2", "linux.sysctl.kernel.hostname", r#"{"linux": {"sysctl": {"kernel.hostname": "x"}}}"#),
    (
        "v2",
        "linux.sysctl.kernel.domainname",
        r#"{"domainname": "y", "linux": {"sysctl": {"kernel.domainname": "x"}}}"#,
    ),
    ("v2", "linux.sysctl.net/../kernel/panic", r#"{"linux": {"sysctl": {"net/../kernel/panic": "1"}}}"#),
    (
        "v2",
        "linux.sysctl.net.core.somaxconn",
        r#"{"linux": {"namespaces": [{"type": "mount"}], "sysctl": {"net.core.somaxconn": "1"}}}"#,
    ),
    (
        "v2",
        "linux.sysctl.kernel.shmmax",
        r#"{"linux": {"namespaces": [{"type": "mount"}], "sysctl": {"kernel.shmmax": "1"}}}"#,
    ),
    ("v2", "linux.devices[0].type", r#"{"linux": {"devices": [{"type": "x", "path": "/dev/x"}]}}"#),
    (
        "v2",
        "linux.devices[0].path",
        r#"{"linux": {"devices": [{"type": "c", "path": "dev/x", "major": 1, "minor": 3}]}}"#,
    ),
    (
        "v2",
        "linux.devices[0].minor",
        r#"{"linux": {"devices": [{"type": "c", "path": "/dev/x", "major": 1}]}}"#,
    ),
    (
        "v2",
        "linux.devices[0].major",
        r#"{"linux": {"devices": [{"type": "c", "path": "/dev/x", "major": -1, "minor": 0}]}}"#,
    ),
    (
        "v2",
        "linux.devices[0].fileMode",
        r#"{"linux": {"devices": [{"type": "c", "path": "/dev/x", "major": 1, "minor": 3, "fileMode": 65536}]}}"#,
    ),
    // cgroups
    ("v2", "linux.cgroupsPath", r#"{"linux": {"cgroupsPath": "/"}}"#),
    ("v2", "linux.cgroupsPath", r#"{"linux": {"cgroupsPath": "a\nb"}}"#),
    (
        "none",
        "linux.resources.devices",
        r#"{"linux": {"resources": {"devices": [{"allow": true, "access": "r"}]}}}"#,
    ),
    ("none", "linux.resources.pids.limit", r#"{"linux": {"resources": {"pids": {"limit": 5}}}}"#),
    ("v2", "linux.resources.pids.limit", r#"{"linux": {"resources": {"pids": {"limit": -5}}}}"#),
    ("v2", "linux.resources.memory.limit", r#"{"linux": {"resources": {"memory": {"limit": -5}}}}"#),
    (
        "v2",
        "linux.resources.memory.swap",
        r#"{"linux": {"resources": {"memory": {"limit": 10000, "swap": 5000}}}}"#,
    ),
    ("v2", "linux.resources.memory.swap", r#"{"linux": {"resources": {"memory": {"swap": 5000}}}}"#),
    (
        "v1",
        "linux.resources.memory.swap",
        r#"{"linux": {"resources": {"memory": {"limit": 10000, "swap": 5000}}}}"#,
    ),
    ("v2", "linux.resources.memory.swappiness", r#"{"linux": {"resources": {"memory": {"swappiness": 5}}}}"#),
    (
        "v1",
        "linux.resources.memory.swappiness",
        r#"{"linux": {"resources": {"memory": {"swappiness": 101}}}}"#,
    ),
    (
        "v2",
        "linux.resources.cpu.realtimeRuntime",
        r#"{"linux": {"resources": {"cpu": {"realtimeRuntime": 5}}}}"#,
    ),
    ("v1", "linux.resources.cpu.shares", r#"{"linux": {"resources": {"cpu": {"shares": 1}}}}"#),
    ("v2", "linux.resources.cpu.idle", r#"{"linux": {"resources": {"cpu": {"idle": 2}}}}"#),
    ("v2", "linux.resources.network.classID", r#"{"linux": {"resources": {"network": {"classID": 5}}}}"#),
    ("v1", "linux.resources.network.classID", r#"{"linux": {"resources": {"network": {"classID": 5}}}}"#),
    ("v2", "linux.resources.blockIO.weight", r#"{"linux": {"resources": {"blockIO": {"weight": 5}}}}"#),
    (
        "v2",
        "linux.resources.blockIO.throttleReadBpsDevice",
        r#"{"linux": {"resources": {"blockIO": {"throttleReadBpsDevice": [{"major": -1, "minor": 0, "rate": 1}]}}}}"#,
    ),
    (
        "v2",
        "linux.resources.hugepageLimits[0].pageSize",
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "64kB", "limit": 1}]}}}"#,
    ),
    ("v2", "linux.resources.rdma", r#"{"linux": {"resources": {"rdma": {"a b": {"hcaHandles": 1}}}}}"#),
    (
        "v1",
        r#"linux.resources.unified["memory.high"]"#,
        r#"{"linux": {"resources": {"unified": {"memory.high": "1"}}}}"#,
    ),
    ("v2", r#"linux.resources.unified["a/b"]"#, r#"{"linux": {"resources": {"unified": {"a/b": "1"}}}}"#),
    (
        "v2",
        "linux.resources.devices[0].type",
        r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "q", "access": "r"}]}}}"#,
    ),
    (
        "v2",
        "linux.resources.devices[0].access",
        r#"{"linux": {"resources": {"devices": [{"allow": true, "access": "rx"}]}}}"#,
    ),
    (
        "v2",
        "linux.resources.devices[0].access",
        r#"{"linux": {"resources": {"devices": [{"allow": true}]}}}"#,
    ),
    (
        "v2",
        "linux.resources.devices[0].minor",
        r#"{"linux": {"resources": {"devices": [{"allow": true, "minor": -2, "access": "r"}]}}}"#,
    ),
    (
        "v1",
        "linux.resources.devices[1]",
        r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "c", "access": "rw"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}}}"#,
    ),
    // seccomp
    ("v2", "linux.seccomp.defaultAction", r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY"}}}"#),
    (
        "v2",
        "linux.seccomp.defaultErrnoRet",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.defaultErrnoRet",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.listenerMetadata",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.syscalls[0].names",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.syscalls[0].names[1]",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["umask", ""], "action": "SCMP_ACT_ERRNO"}]}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.syscalls[0].action",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["umask"], "action": "SCMP_ACT_NOTIFY"}]}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.syscalls[0].names[0]",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent",
            "syscalls": [{"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"}]}}}"#,
    ),
    (
        "v2",
        "linux.seccomp.syscalls[0].args[0].index",
        r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["umask"],
            "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}}}"#,
    ),
];

#[test]
fn the_good_document_is_good() {
    for host in ["none", "v1", "v2", "hybrid", "rootless", "nested"] {
        compile(host, good()).unwrap_or_else(|err| panic!("{host}: {err}"));
    }
}

/// The messages are golden too, in plans' neighbour refused.txt: they are what a user reads.
#[test]
fn a_refusal_says_where_why_and_what_to_do() {
    let mut messages = String::new();
    for (host, at, edit) in CASES {
        let mut document = good();
        merge(&mut document, serde_json::from_str(edit).unwrap_or_else(|err| panic!("{edit}: {err}")));
        let Err(refusal) = compile(host, document) else { panic!("{edit} is accepted on {host}") };
        assert_eq!(refusal.at, *at, "{edit} on {host}: {refusal}");
        assert!(!refusal.why.is_empty() && !refusal.hint.is_empty(), "{edit}: {refusal} has no hint");
        messages += &format!("{host}: {refusal} (hint: {})\n", refusal.hint);
    }
    agree(&here("refused.txt"), &messages);
}

fn compile(host: &str, document: Value) -> Result<plan::Plan, plan::Error> {
    let spec = serde_json::from_value(document).unwrap();
    let request = Request { wait_for_start: true, ..Request::new("web", Path::new("/bundle")) };
    plan::compile(&spec, &request, &hosts::named(host))
}

/// RFC 7396.
fn merge(document: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else { return *document = patch };
    if !document.is_object() {
        *document = json!({});
    }
    for (key, value) in patch {
        merge(&mut document[key.as_str()], value);
    }
}
