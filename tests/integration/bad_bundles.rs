//! Bad bundles, by area: each is refused in one line that names the JSON path and the reason, and leaves nothing.

use serde_json::json;

use crate::harness::{Container, bad, check, is_v2, without};
use crate::needs;

/// The document itself: version, root, annotations, names.
#[test]
fn document() {
    needs!(root);
    check(&[
        without("/ociVersion", "ociVersion", "missing"),
        bad("/ociVersion", json!(""), "ociVersion", "version"),
        bad("/ociVersion", json!("banana"), "ociVersion", "banana"),
        bad("/ociVersion", json!("2.0.0"), "ociVersion", "not supported"),
        bad("/ociVersion", json!(1), "ociVersion", "string"),
        without("/root", "root", "missing"),
        without("/root/path", "root", "path"),
        bad("/root/path", json!(""), "root.path", "empty"),
        bad("/root/path", json!("no-such-rootfs"), "root.path", "no-such-rootfs"),
        bad("/root/path", json!("config.json"), "root.path", "irectory"),
        bad("/root/readonly", json!("yes"), "root.readonly", "boolean"),
        bad("/annotations", json!({ "": "x" }), "annotations", "empty"),
        bad("/annotations", json!({ "key": 1 }), "annotations.key", "string"),
        bad("/hostname", json!(5), "hostname", "string"),
        bad("/hostname", json!("x".repeat(65)), "hostname", "64"),
        bad("/hostname", json!("a\0b"), "hostname", "NUL"),
        bad("/linux/namespaces", json!([{ "type": "mount" }]), "hostname", "UTS"),
        bad("/domainname", json!("x".repeat(65)), "domainname", "64"),
        bad("/linux", json!("x"), "linux", "expected an object"),
        bad("/process/user", json!([1000, 1000]), "process.user", "expected an object"),
    ]);
}

/// `process`.
#[test]
fn process() {
    needs!(root_or_ranges);
    check(&[
        without("/process/args", "process.args", ""),
        bad("/process/args", json!([]), "process.args", ""),
        bad("/process/args", json!([1]), "process.args[0]", "string"),
        bad("/process/args", json!(["/probe", "a\0b"]), "process.args[1]", "NUL"),
        bad("/process/args", json!(["/no/such/program"]), "process.args", "/no/such/program"),
        bad("/process/args", json!(["/etc/passwd"]), "process.args", "/etc/passwd"),
        without("/process/cwd", "process", "cwd"),
        bad("/process/cwd", json!("tmp"), "process.cwd", "absolute"),
        bad("/process/cwd", json!(""), "process.cwd", ""),
        bad("/process/env", json!(["NOVALUE"]), "process.env[0]", "NOVALUE"),
        bad("/process/env", json!("A=1"), "process.env", "sequence"),
        bad("/process/user/uid", json!(-1), "process.user.uid", "u32"),
        bad("/process/user/uid", json!(4_294_967_295u32), "process.user.uid", "4294967295"),
        bad("/process/user/uid", json!("root"), "process.user.uid", "u32"),
        bad("/process/user/umask", json!(0o10000), "process.user.umask", "4096"),
        bad("/process/user/additionalGids", json!([-1]), "process.user.additionalGids[0]", "u32"),
        bad("/process/capabilities/bounding", json!("CAP_KILL"), "process.capabilities.bounding", "sequence"),
        bad("/process/noNewPrivileges", json!("yes"), "process.noNewPrivileges", "boolean"),
        bad("/process/terminal", json!(true), "process.terminal", "console"),
        bad("/process/consoleSize", json!({ "height": -1, "width": 5 }), "process.consoleSize.height", "u16"),
        bad("/process/oomScoreAdj", json!(5000), "process.oomScoreAdj", "5000"),
        bad("/process/oomScoreAdj", json!(-2000), "process.oomScoreAdj", "-2000"),
    ]);
}

/// `process.rlimits`.
#[test]
fn rlimits() {
    needs!(root_or_ranges);
    let limit = |kind: &str, soft: u64, hard: u64| json!({ "type": kind, "soft": soft, "hard": hard });
    check(&[
        bad("/process/rlimits/0/type", json!("RLIMIT_BOGUS"), "process.rlimits[0].type", "RLIMIT_BOGUS"),
        bad("/process/rlimits/0/type", json!("nofile"), "process.rlimits[0].type", "nofile"),
        bad("/process/rlimits/-", limit("RLIMIT_NOFILE", 5, 5), "process.rlimits[1].type", "twice"),
        bad("/process/rlimits/0", limit("RLIMIT_NOFILE", 6, 5), "process.rlimits[0].soft", "above hard"),
        bad("/process/rlimits/0/soft", json!(-1), "process.rlimits[0].soft", "u64"),
        without("/process/rlimits/0/hard", "process.rlimits[0]", "hard"),
    ]);
}

/// scheduler, ioPriority, execCPUAffinity.
#[test]
fn scheduling() {
    needs!(root_or_ranges);
    check(&[
        bad(
            "/process/scheduler",
            json!({ "policy": "SCHED_BOGUS" }),
            "process.scheduler.policy",
            "SCHED_BOGUS",
        ),
        without("/process/scheduler", "process.scheduler", "policy")
            .and("/process/scheduler", json!({ "nice": 1 })),
        bad(
            "/process/scheduler",
            json!({ "policy": "SCHED_OTHER", "nice": 20 }),
            "process.scheduler.nice",
            "20",
        ),
        bad(
            "/process/scheduler",
            json!({ "policy": "SCHED_OTHER", "priority": 5 }),
            "process.scheduler.priority",
            "",
        ),
        bad(
            "/process/scheduler",
            json!({ "policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BOGUS"] }),
            "process.scheduler.flags[0]",
            "SCHED_FLAG_BOGUS",
        ),
        bad(
            "/process/ioPriority",
            json!({ "class": "IOPRIO_CLASS_BE", "priority": 9 }),
            "process.ioPriority.priority",
            "9",
        ),
        bad(
            "/process/ioPriority",
            json!({ "class": "IOPRIO_CLASS_BE", "priority": -1 }),
            "process.ioPriority.priority",
            "-1",
        ),
        bad("/process/ioPriority", json!({ "class": "BOGUS" }), "process.ioPriority.class", "BOGUS"),
        bad("/process/execCPUAffinity", json!({ "final": "x-y" }), "process.execCPUAffinity.final", "x-y"),
    ]);
}

/// personality and memoryPolicy.
#[test]
fn memory_policy() {
    needs!(root_or_ranges);
    let policy = |mode: &str, nodes: &str| json!({ "mode": mode, "nodes": nodes });
    check(&[
        bad("/linux/personality", json!({ "domain": "BOGUS" }), "linux.personality.domain", "BOGUS"),
        bad(
            "/linux/personality",
            json!({ "domain": "LINUX", "flags": ["X"] }),
            "linux.personality.flags",
            "",
        ),
        bad("/linux/memoryPolicy", policy("MPOL_BOGUS", ""), "linux.memoryPolicy.mode", "MPOL_BOGUS"),
        bad("/linux/memoryPolicy", policy("MPOL_BIND", ""), "linux.memoryPolicy.nodes", "empty"),
        bad("/linux/memoryPolicy", policy("MPOL_DEFAULT", "0"), "linux.memoryPolicy.nodes", "empty"),
        bad(
            "/linux/memoryPolicy",
            policy("MPOL_BIND", "0-4294967295"),
            "linux.memoryPolicy.nodes",
            "4294967295",
        ),
        bad("/linux/memoryPolicy", policy("MPOL_BIND", "zero"), "linux.memoryPolicy.nodes", "zero"),
        bad("/linux/memoryPolicy", policy("MPOL_BIND", "900"), "linux.memoryPolicy", ""),
        bad(
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"] }),
            "linux.memoryPolicy.flags",
            "exclude",
        ),
        bad(
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["BOGUS"] }),
            "linux.memoryPolicy.flags[0]",
            "BOGUS",
        ),
    ]);
}

/// A file on a directory and a directory on a file: Docker looks for the words, and explains them.
#[test]
fn mounts_on_something_else() {
    needs!(root_or_ranges);
    check(&[
        bad(
            "/mounts/-",
            json!({ "destination": "/dev", "type": "bind", "source": "/dev/null", "options": ["bind"] }),
            "mounts[6]",
            "not a directory",
        ),
        bad(
            "/mounts/-",
            json!({ "destination": "/file", "type": "bind", "source": "/dev/null", "options": ["bind"] }),
            "mounts[7]",
            "not a directory",
        )
        .and("/mounts/-", json!({ "destination": "/file", "type": "tmpfs", "source": "tmpfs" })),
    ]);
}

/// `mounts`.
#[test]
fn mounts() {
    needs!(root);
    let bind = |options: &[&str]| json!({ "destination": "/host", "type": "bind", "source": "/etc", "options": options });
    let tmpfs = |option: &str| json!({ "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": [option] });
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    check(&[
        bad("/mounts/-", json!({ "type": "tmpfs" }), "mounts[6]", "destination"),
        bad("/mounts/0/destination", json!(""), "mounts[0].destination", "empty"),
        bad("/mounts/0/destination", json!("/a\0b"), "mounts[0].destination", "NUL"),
        bad("/mounts/0/options", json!("ro"), "mounts[0].options", "sequence"),
        bad("/mounts/-", json!({ "destination": "/x", "source": "none" }), "mounts[6].type", "missing"),
        bad(
            "/mounts/-",
            json!({ "destination": "/x", "type": "bogusfs", "source": "none" }),
            "mounts[6]",
            "bogusfs",
        ),
        bad("/mounts/-", json!({ "destination": "/x", "type": "bind" }), "mounts[6].source", "missing"),
        bad(
            "/mounts/-",
            json!({ "destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"] }),
            "mounts[6]",
            "/no/such",
        ),
        bad("/mounts/-", bind(&["bind", "bogusoption"]), "mounts[6].options", "bogusoption"),
        bad("/mounts/-", bind(&["bind", "tmpcopyup"]), "mounts[6].options", "tmpcopyup"),
        bad("/mounts/-", tmpfs("bogusoption=1"), "mounts[6]", "bogusoption"),
        bad("/mounts/-", tmpfs("size=plenty"), "mounts[6]", "size"),
        bad("/mounts/-", bind(&["bind", "idmap"]), "mounts[6]", "Mappings"),
        bad("/mounts/-", bind(&["bind", "idmap"]), "mounts[6].gidMappings", "missing")
            .and("/mounts/6/uidMappings", map.clone()),
        bad("/mounts/-", bind(&["bind"]), "mounts[6].uidMappings", "missing")
            .and("/mounts/6/gidMappings", map),
        bad(
            "/mounts/-",
            json!({ "destination": "/proc/sys", "type": "tmpfs", "source": "x" }),
            "mounts[6].destination",
            "/proc",
        ),
        bad(
            "/mounts/0",
            json!({ "destination": "/proc", "type": "tmpfs", "source": "x" }),
            "mounts[0].type",
            "procfs",
        ),
        bad(
            "/linux/mountLabel",
            json!("system_u:object_r:container_file_t:s0"),
            "linux.mountLabel",
            "SELinux",
        ),
        bad("/linux/rootfsPropagation", json!("bogus"), "linux.rootfsPropagation", "bogus"),
        bad("/linux/maskedPaths", json!(["etc"]), "linux.maskedPaths[0]", "absolute"),
        bad("/linux/readonlyPaths", json!(["etc"]), "linux.readonlyPaths[0]", "absolute"),
    ]);
}

/// Namespaces and id mappings.
#[test]
fn namespaces() {
    needs!(root);
    let maps =
        |container: u32, size: u32| json!([{ "containerID": container, "hostID": 100_000, "size": size }]);
    let user = || json!({ "type": "user" });
    check(&[
        bad("/linux/namespaces/0/type", json!("bogus"), "linux.namespaces[0].type", "bogus"),
        bad("/linux/namespaces/-", json!({ "type": "pid" }), "linux.namespaces[6].type", "twice"),
        bad("/linux/namespaces/-", json!({ "path": "/x" }), "linux.namespaces[6]", "type"),
        bad("/linux/namespaces/1/path", json!("proc/self/ns/net"), "linux.namespaces[1].path", "absolute"),
        bad("/linux/namespaces/1/path", json!("/no/such"), "linux.namespaces[1].path", "/no/such"),
        bad("/linux/namespaces/1/path", json!("/proc/self/ns/uts"), "linux.namespaces[1].path", "/proc/self/ns/uts"),
        bad("/linux/namespaces/1/path", json!("/etc/hostname"), "linux.namespaces[1].path", "/etc/hostname"),
        bad("/linux/namespaces", json!([{ "type": "uts" }]), "linux.namespaces", "mount namespace"),
        bad("/linux/uidMappings", maps(0, 10), "linux.uidMappings", "user namespace"),
        bad("/linux/namespaces/-", user(), "linux.uidMappings", "missing"),
        bad("/linux/namespaces/-", user(), "linux.gidMappings", "missing").and("/linux/uidMappings", maps(0, 10)),
        bad("/linux/namespaces/-", user(), "linux.uidMappings[0].size", "0")
            .and("/linux/uidMappings", maps(0, 0))
            .and("/linux/gidMappings", maps(0, 10)),
        bad("/linux/namespaces/-", user(), "linux.uidMappings[1]", "overlaps")
            .and("/linux/uidMappings", json!([
                { "containerID": 0, "hostID": 1000, "size": 10 }, { "containerID": 5, "hostID": 5000, "size": 10 }
            ]))
            .and("/linux/gidMappings", maps(0, 10)),
        bad("/linux/namespaces/-", user(), "linux.gidMappings[0]", "largest")
            .and("/linux/uidMappings", maps(0, 10))
            .and("/linux/gidMappings", maps(4_294_967_290, 10)),
        bad("/linux/timeOffsets", json!({ "monotonic": { "secs": 1 } }), "linux.timeOffsets", "time namespace"),
        bad("/linux/namespaces/-", json!({ "type": "time" }), "linux.timeOffsets.realtime", "clock")
            .and("/linux/timeOffsets", json!({ "realtime": { "secs": 1 } })),
        bad("/linux/namespaces/-", json!({ "type": "time" }), "linux.timeOffsets.boottime.nanosecs", "999999999")
            .and("/linux/timeOffsets", json!({ "boottime": { "secs": 1, "nanosecs": 1_000_000_000 } })),
    ]);
}

/// Devices and sysctls.
#[test]
fn devices_and_sysctls() {
    needs!(root);
    let device = |kind: &str, path: &str| json!({ "type": kind, "path": path, "major": 1, "minor": 3 });
    check(&[
        bad("/linux/devices/-", device("x", "/dev/x"), "linux.devices[0].type", "x"),
        bad("/linux/devices/-", device("", "/dev/x"), "linux.devices[0].type", ""),
        bad("/linux/devices/-", device("c", "dev/x"), "linux.devices[0].path", "absolute"),
        bad(
            "/linux/devices/-",
            json!({ "type": "c", "path": "/dev/x" }),
            "linux.devices[0].major",
            "missing",
        ),
        bad(
            "/linux/devices/-",
            json!({ "type": "c", "path": "/dev/x", "major": -1, "minor": 0 }),
            "linux.devices[0].major",
            "-1",
        ),
        bad(
            "/linux/devices/-",
            json!({ "type": "c", "path": "/dev/x", "major": 1, "minor": 3, "fileMode": 65_536 }),
            "linux.devices[0].fileMode",
            "65536",
        ),
        bad("/linux/devices/-", device("c", "/etc/passwd"), "linux.devices[0]", "/etc/passwd"),
        bad("/linux/sysctl", json!({ "kernel.panic": "1" }), "linux.sysctl", "kernel.panic"),
        bad("/linux/sysctl", json!({ "vm.swappiness": "1" }), "linux.sysctl", "vm.swappiness"),
        bad("/linux/sysctl", json!({ "kernel.hostname": "x" }), "linux.sysctl", "hostname"),
        bad("/linux/sysctl", json!({ "net/../kernel/panic": "1" }), "linux.sysctl", ""),
        bad("/linux/sysctl", json!({ "": "1" }), "linux.sysctl", ""),
        bad("/linux/sysctl", json!({ "kernel.msgmax": 1 }), "linux.sysctl", "string"),
        bad("/linux/sysctl", json!({ "kernel.msgmax": "many" }), "linux.sysctl", "kernel.msgmax"),
        bad(
            "/linux/sysctl",
            json!({ "net.ipv4.no_such_parameter": "1" }),
            "linux.sysctl",
            "no_such_parameter",
        ),
        bad("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }), "linux.sysctl", "network")
            .and("/linux/namespaces", json!([{ "type": "mount" }, { "type": "uts" }])),
        bad("/linux/sysctl", json!({ "kernel.msgmax": "1" }), "linux.sysctl", "ipc")
            .and("/linux/namespaces", json!([{ "type": "mount" }, { "type": "uts" }])),
    ]);
}

/// Hooks.
#[test]
fn hooks() {
    needs!(root_or_ranges);
    check(&[
        bad("/hooks", json!({ "prestart": [{ "path": "true" }] }), "hooks.prestart[0].path", "absolute"),
        bad("/hooks", json!({ "poststop": [{ "args": ["x"] }] }), "hooks.poststop[0]", "path"),
        bad(
            "/hooks",
            json!({ "createRuntime": [{ "path": "/bin/true", "timeout": 0 }] }),
            "hooks.createRuntime[0].timeout",
            "0",
        ),
        bad(
            "/hooks",
            json!({ "poststart": [{ "path": "/bin/true", "timeout": -1 }] }),
            "hooks.poststart[0].timeout",
            "-1",
        ),
        bad("/hooks", json!({ "prestart": { "path": "/bin/true" } }), "hooks.prestart", "sequence"),
        bad(
            "/hooks",
            json!({ "createRuntime": [{ "path": "/no/such" }] }),
            "hooks.createRuntime[0]",
            "/no/such",
        ),
        bad(
            "/hooks",
            json!({ "createContainer": [{ "path": "/bin/false" }] }),
            "hooks.createContainer[0]",
            "",
        ),
    ]);
}

/// Limits.
#[test]
fn resources() {
    needs!(root_or_ranges, cgroup);
    check(&[
        bad("/linux/resources/devices/0/access", json!("rx"), "linux.resources.devices[0].access", "rx"),
        bad("/linux/resources/devices/0/type", json!("q"), "linux.resources.devices[0].type", "q"),
        bad("/linux/resources/devices/0/major", json!(-5), "linux.resources.devices[0].major", "-5"),
        bad("/linux/resources/memory", json!({ "limit": "64M" }), "linux.resources.memory.limit", "i64"),
        bad(
            "/linux/resources/memory",
            json!({ "swappiness": 500 }),
            "linux.resources.memory.swappiness",
            if is_v2() { "cgroup v1 only" } else { "500" },
        ),
        bad(
            "/linux/resources/memory",
            json!({ "limit": 67_108_864, "swap": 1_048_576 }),
            "linux.resources.memory.swap",
            "",
        ),
        bad("/linux/resources/cpu", json!({ "cpus": "lots" }), "linux.resources.cpu.cpus", "lots"),
        bad("/linux/resources/cpu", json!({ "cpus": "4000" }), "linux.resources.cpu.cpus", "4000"),
        bad("/linux/resources/cpu", json!({ "mems": "77" }), "linux.resources.cpu.mems", "77"),
        bad(
            "/linux/resources/hugepageLimits",
            json!([{ "pageSize": "../x", "limit": 1 }]),
            "linux.resources.hugepageLimits[0].pageSize",
            "../x",
        ),
        bad("/linux/resources/unified", json!({ "a/b": "1" }), "linux.resources.unified", ""),
        bad("/linux/resources/pids", json!({ "limit": "many" }), "linux.resources.pids.limit", "i64"),
        bad("/linux/cgroupsPath", json!("/"), "linux.cgroupsPath", "\"/\""),
        bad("/linux/cgroupsPath", json!("/a\nb"), "linux.cgroupsPath", ""),
    ]);
}

/// Seccomp.
#[test]
fn seccomp() {
    needs!(root_or_ranges);
    check(&[
        bad("/linux/seccomp", json!({ "syscalls": [] }), "linux.seccomp", "defaultAction"),
        bad(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_BOGUS" }),
            "linux.seccomp.defaultAction",
            "SCMP_ACT_BOGUS",
        ),
        bad(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1 }),
            "linux.seccomp.defaultErrnoRet",
            "errno",
        ),
        bad(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"] }),
            "linux.seccomp.architectures[0]",
            "SCMP_ARCH_VAX",
        ),
        bad(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["BOGUS"] }),
            "linux.seccomp.flags[0]",
            "BOGUS",
        ),
        bad(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }),
            "linux.seccomp.listenerMetadata",
            "listenerPath",
        ),
    ]);
}

/// The rules of a filter.
#[test]
fn seccomp_rules() {
    needs!(root_or_ranges);
    let rule = |rule: serde_json::Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    let argument = |argument: serde_json::Value| {
        rule(json!({ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "args": [argument] }))
    };
    check(&[
        bad(
            "/linux/seccomp",
            rule(json!({ "names": [], "action": "SCMP_ACT_ERRNO" })),
            "linux.seccomp.syscalls[0].names",
            "",
        ),
        bad(
            "/linux/seccomp",
            rule(json!({ "names": ["umask"], "action": "BOGUS" })),
            "linux.seccomp.syscalls[0].action",
            "BOGUS",
        ),
        bad("/linux/seccomp", rule(json!({ "names": ["umask"] })), "linux.seccomp.syscalls[0]", "action"),
        bad(
            "/linux/seccomp",
            rule(json!({ "names": ["umask"], "action": "SCMP_ACT_NOTIFY" })),
            "linux.seccomp.syscalls[0].action",
            "listenerPath",
        ),
        bad(
            "/linux/seccomp",
            rule(json!({ "names": ["umask"], "action": "SCMP_ACT_KILL", "errnoRet": 1 })),
            "linux.seccomp.syscalls[0].errnoRet",
            "errno",
        ),
        bad(
            "/linux/seccomp",
            argument(json!({ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" })),
            "linux.seccomp.syscalls[0].args[0]",
            "0 to 5",
        ),
        bad(
            "/linux/seccomp",
            argument(json!({ "index": 0, "value": 1, "op": "BOGUS" })),
            "linux.seccomp.syscalls[0].args[0].op",
            "BOGUS",
        ),
        bad(
            "/linux/seccomp",
            argument(json!({ "index": 0, "op": "SCMP_CMP_EQ" })),
            "linux.seccomp.syscalls[0].args[0]",
            "value",
        ),
    ]);
}

/// Network devices.
#[test]
fn network_devices() {
    needs!(root);
    check(&[
        bad("/linux/netDevices", json!({ "no-such-dev0": {} }), "linux.netDevices", "no-such-dev0"),
        bad(
            "/linux/netDevices",
            json!({ "lo": { "name": "a-name-that-is-too-long" } }),
            "linux.netDevices",
            "a-name-that-is-too-long",
        ),
        bad("/linux/netDevices", json!({ "lo": { "name": "a/b" } }), "linux.netDevices", "a/b"),
        bad("/linux/netDevices", json!({ "lo": {} }), "linux.netDevices", "network")
            .and("/linux/namespaces", json!([{ "type": "mount" }, { "type": "uts" }])),
    ]);
}

/// What this host does not have is refused, never forgotten.
#[test]
fn absent_host_features() {
    needs!(root_or_ranges, no_apparmor, no_selinux, no_resctrl);
    check(&[
        bad("/process/apparmorProfile", json!("docker-default"), "process.apparmorProfile", "AppArmor"),
        bad("/process/selinuxLabel", json!("a:b:c:s0"), "process.selinuxLabel", "SELinux"),
        bad("/linux/intelRdt", json!({ "closID": "guaranteed" }), "linux.intelRdt", "resctrl"),
    ]);
}

/// Files that are no documents.
#[test]
fn no_documents() {
    needs!(root_or_ranges);
    let table: [(&[u8], &str); 7] = [
        (b"", "config.json"),
        (b"{", "config.json"),
        (b"[]", "config.json"),
        (b"null", "config.json"),
        (b"{\"ociVersion\": \"1.0.0\xff\"}", "config.json"),
        (b"{\"ociVersion\": \"1.0.0\"} trailing", "config.json"),
        (b"{\"ociVersion\": \"1.0.0\", \"ociVersion\": \"1.0.1\"}", "duplicate"),
    ];
    for (text, word) in table {
        let container = Container::new();
        std::fs::write(container.bundle.join("config.json"), text).unwrap();
        let bundle = container.bundle.path().to_str().unwrap();
        let finished = container.verb("create", &["--bundle", bundle], &[]).refuses(&[word]).exits(1);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        container.assert_clean();
    }
    let container = Container::new();
    let bundle = container.bundle.path().to_str().unwrap();
    container.verb("create", &["--bundle", bundle], &[]).refuses(&["config.json"]).exits(1);
    container.verb("create", &["--bundle", "/no/such/bundle"], &[]).refuses(&["/no/such/bundle"]).exits(1);
}

/// Documents nested very deeply are refused without a crash.
#[test]
fn deep_documents() {
    needs!(root_or_ranges);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for property in ["process", "annotations", "unknown"] {
        let container = Container::new();
        let text = format!("{{\"ociVersion\": \"1.0.0\", \"{property}\": {deep}}}");
        std::fs::write(container.bundle.join("config.json"), text).unwrap();
        let bundle = container.bundle.path().to_str().unwrap();
        let finished = container.verb("create", &["--bundle", bundle], &[]).refuses(&[]).exits(1);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }
}
