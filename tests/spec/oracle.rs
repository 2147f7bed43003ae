//! oci-spec as the oracle: what it reads in real documents, we read too, value for value.
//!
//! Its types can be written again as JSON; ours cannot, so `ours` spells them out property by property. A property
//! that one side leaves out counts as equal to null, false or an empty list on the other.

use std::path::Path;

use hull::spec::{self, Hook, IdMapping, Linux, Process, Resources, Seccomp, Spec, ThrottleDevice};
use oci_spec::runtime as theirs;
use serde_json::{Map, Value, json};

use crate::json;

const DOCUMENTS: [&str; 26] = [
    "benches/docker-like.json",
    "tests/fixtures/configs/podman-like.json",
    "tests/fixtures/configs/runc.json",
    "tests/fixtures/configs/runc-rootless.json",
    "tests/fixtures/engines/buildah.json",
    "tests/fixtures/engines/containerd.json",
    "tests/fixtures/engines/cri.json",
    "tests/fixtures/engines/cri-sandbox.json",
    "tests/fixtures/engines/docker.json",
    "tests/fixtures/engines/docker-userns.json",
    "tests/fixtures/engines/podman.json",
    "tests/fixtures/engines/podman-pod.json",
    "tests/fixtures/engines/podman-rootless.json",
    "tests/fixtures/schema/good/spec-example.json",
    "tests/plan/documents/devices.json",
    "tests/plan/documents/given.json",
    "tests/plan/documents/hooks.json",
    "tests/plan/documents/idmap.json",
    "tests/plan/documents/joined-namespaces.json",
    "tests/plan/documents/limits.json",
    "tests/plan/documents/listener.json",
    "tests/plan/documents/minimal.json",
    "tests/plan/documents/mounts.json",
    "tests/plan/documents/no-process.json",
    "tests/plan/documents/process.json",
    "tests/plan/documents/user-namespace.json",
];

/// Why the two differ, an edit (RFC 7396), and whether we accept it; oci-spec does the opposite.
const DIFFERENCES: [(&str, &str, bool); 10] = [
    ("the version is required", r#"{"ociVersion": null}"#, false),
    ("an absent user is 0:0, as engines expect", r#"{"process": {"user": null}}"#, true),
    (
        "an unknown capability is a warning",
        r#"{"process": {"capabilities": {"bounding": ["CAP_FLY"]}}}"#,
        true,
    ),
    (
        "the specification lists the flag",
        r#"{"process": {"scheduler": {"policy": "SCHED_RR", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}}}"#,
        true,
    ),
    (
        "the specification lists the flag",
        r#"{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_DL_OVERRUN"]}}}"#,
        true,
    ),
    ("an empty CPU list is unset", r#"{"process": {"execCPUAffinity": {"initial": ""}}}"#, true),
    (
        "the kernel's struct winsize has 16 bits",
        r#"{"process": {"consoleSize": {"height": 70000, "width": 1}}}"#,
        false,
    ),
    (
        "the limit is a uint64",
        r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 18446744073709551615}]}}}"#,
        true,
    ),
    ("containerID and hostID are required", r#"{"linux": {"uidMappings": [{"size": 5}]}}"#, false),
    ("allow is required", r#"{"linux": {"resources": {"devices": [{"access": "r"}]}}}"#, false),
];

#[test]
fn real_documents_are_read_alike() {
    for name in DOCUMENTS {
        let document = common_ground(json(name));
        let theirs: theirs::Spec = serde_json::from_value(document.clone())
            .unwrap_or_else(|err| panic!("oci-spec refuses {name}: {err}"));
        let ours: Spec = spec::parse(Path::new(name), document.to_string().as_bytes()).unwrap();
        let mut found = Vec::new();
        compare("", &whole(&ours), &serde_json::to_value(theirs).unwrap(), &mut found);
        assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
    }
}

#[test]
fn the_known_differences_are_all_there_still() {
    for (why, edit, accepted) in DIFFERENCES {
        let mut document = json!({"ociVersion": "1.3.0", "root": {"path": "rootfs"},
            "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}}});
        merge(&mut document, serde_json::from_str(edit).unwrap());
        let ours = serde_json::from_value::<Spec>(document.clone()).map(drop);
        let theirs = serde_json::from_value::<theirs::Spec>(document).map(drop);
        assert_eq!((ours.is_ok(), theirs.is_ok()), (accepted, !accepted), "{why}: {ours:?}, {theirs:?}");
    }
}

/// An absent limit is no limit; oci-spec makes it 0, with which no process can fork.
#[test]
fn absent_tasks_are_not_zero_tasks() {
    let document = json!({"ociVersion": "1.3.0", "linux": {"resources": {"pids": {}}}});
    let ours: Spec = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(ours.linux.resources.unwrap().pids.unwrap().limit, None);
    let theirs: theirs::Spec = serde_json::from_value(document).unwrap();
    let pids = theirs.linux().as_ref().unwrap().resources().as_ref().unwrap().pids().unwrap();
    assert_eq!(pids.limit(), 0);
}

/// Takes out of a document what DIFFERENCES lists.
#[test]
fn lists_are_no_objects() {
    let reads = |document: &Value| {
        spec::parse::<Spec>(Path::new("config.json"), document.to_string().as_bytes()).map(drop)
    };
    for name in DOCUMENTS {
        let document = json(name);
        for place in objects(&document, "") {
            let with = |value: Value| {
                let mut changed = document.clone();
                *changed.pointer_mut(&place).unwrap() = value;
                reads(&changed)
            };
            // What is not even refused as a text is no property that we know.
            if with(json!("text")).is_ok() {
                continue;
            }
            let members = document.pointer(&place).unwrap().as_object().unwrap().values().cloned().collect();
            for list in [Value::Array(Vec::new()), Value::Array(members)] {
                let refusal = with(list).expect_err(&format!("{name}{place}")).to_string();
                assert!(refusal.contains("invalid type: sequence"), "{name}{place}: {refusal}");
            }
        }
    }
}

/// JSON pointers to all objects.
fn objects(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        _ => return Vec::new(),
    };
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let deeper = below.iter().flat_map(|(name, value)| objects(value, &format!("{at}/{}", escaped(name))));
    value.is_object().then(|| at.to_owned()).into_iter().chain(deeper).collect()
}

fn common_ground(mut document: Value) -> Value {
    if let Some(process) = document.get_mut("process") {
        if process.get("user").is_none() {
            process["user"] = json!({"uid": 0, "gid": 0});
        }
        if let Some(scheduler) = process.get_mut("scheduler") {
            scheduler["flags"] = json!(["SCHED_FLAG_RECLAIM"]);
        }
        if let Some(Value::Object(sets)) = process.get_mut("capabilities") {
            for set in sets.values_mut() {
                set.as_array_mut().unwrap().retain(|name| name != "CAP_FLY");
            }
        }
    }
    document
}

fn merge(document: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else { return *document = patch };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut document[key.as_str()], value);
        }
    }
}

fn compare(at: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.for_each(|key| {
                compare(&format!("{at}.{key}"), &ours[key.as_str()], &theirs[key.as_str()], found);
            });
        }
        // oci-spec keeps capabilities in a hash set.
        (Value::Array(a), Value::Array(b)) if at.starts_with(".process.capabilities.") => {
            if a.len() != b.len() || !a.iter().all(|name| b.contains(name)) {
                found.push(format!("{at}: {ours} and {theirs}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            (0..a.len()).for_each(|i| compare(&format!("{at}[{i}]"), &a[i], &b[i], found));
        }
        _ if ours == theirs || is_nothing(ours) && is_nothing(theirs) => {}
        _ => found.push(format!("{at}: {ours} and {theirs}")),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

/// The word that a unit variant is spelled with: `place` is the variant's position in its enum.
fn word<T: for<'de> serde::Deserialize<'de>>(place: usize) -> &'static str {
    spec::words::<T>()[place]
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    items.iter().map(one).collect()
}

fn whole(spec: &Spec) -> Value {
    let hooks = &spec.hooks;
    json!({
        "ociVersion": spec.oci_version,
        "process": spec.process.as_ref().map(process),
        "root": spec.root.as_ref().map(|root| json!({"path": root.path, "readonly": root.readonly})),
        "hostname": spec.hostname,
        "domainname": spec.domainname,
        "mounts": list(&spec.mounts, |mount| json!({
            "destination": mount.destination,
            "type": mount.kind,
            "source": mount.source,
            "options": mount.options,
            "uidMappings": list(&mount.uid_mappings, id_mapping),
            "gidMappings": list(&mount.gid_mappings, id_mapping),
        })),
        "hooks": {
            "prestart": list(&hooks.prestart, hook),
            "createRuntime": list(&hooks.create_runtime, hook),
            "createContainer": list(&hooks.create_container, hook),
            "startContainer": list(&hooks.start_container, hook),
            "poststart": list(&hooks.poststart, hook),
            "poststop": list(&hooks.poststop, hook),
        },
        "annotations": spec.annotations,
        "linux": linux(&spec.linux),
    })
}

fn id_mapping(line: &IdMapping) -> Value {
    json!({"containerID": line.container_id, "hostID": line.host_id, "size": line.size})
}

fn hook(hook: &Hook) -> Value {
    json!({"path": hook.path, "args": hook.args, "env": hook.env, "timeout": hook.timeout})
}

fn process(process: &Process) -> Value {
    let user = &process.user;
    json!({
        "terminal": process.terminal,
        "consoleSize": process.console_size.map(|size| json!({"height": size.height, "width": size.width})),
        "user": {
            "uid": user.uid, "gid": user.gid, "umask": user.umask, "additionalGids": user.additional_gids,
        },
        "args": process.args,
        "env": process.env,
        "cwd": process.cwd,
        "capabilities": process.capabilities.as_ref().map(|sets| json!({
            "ambient": sets.ambient, "bounding": sets.bounding, "effective": sets.effective,
            "inheritable": sets.inheritable, "permitted": sets.permitted,
        })),
        "rlimits": list(&process.rlimits, |limit| json!({
            "type": word::<spec::RlimitKind>(limit.kind as usize), "soft": limit.soft, "hard": limit.hard,
        })),
        "noNewPrivileges": process.no_new_privileges,
        "apparmorProfile": process.apparmor_profile,
        "selinuxLabel": process.selinux_label,
        "oomScoreAdj": process.oom_score_adj,
        "scheduler": process.scheduler.as_ref().map(|scheduler| json!({
            "policy": word::<spec::SchedulerPolicy>(scheduler.policy as usize),
            "nice": scheduler.nice,
            "priority": scheduler.priority,
            "flags": list(&scheduler.flags, |flag| json!(word::<spec::SchedulerFlag>(*flag as usize))),
        })),
        "ioPriority": process.io_priority.as_ref().map(|io| json!({
            "class": word::<spec::IoPriorityClass>(io.class as usize), "priority": io.priority,
        })),
        "execCPUAffinity": process.exec_cpu_affinity.as_ref().map(|affinity| json!({
            "initial": affinity.initial, "final": affinity.after,
        })),
    })
}

fn linux(linux: &Linux) -> Value {
    let offsets = linux
        .time_offsets
        .iter()
        .map(|(clock, offset)| (clock.clone(), json!({"secs": offset.secs, "nanosecs": offset.nanosecs})));
    let interfaces =
        linux.net_devices.iter().map(|(name, device)| (name.clone(), json!({"name": device.name})));
    json!({
        "namespaces": list(&linux.namespaces, |ns| json!({"type": ns.kind, "path": ns.path})),
        "uidMappings": list(&linux.uid_mappings, id_mapping),
        "gidMappings": list(&linux.gid_mappings, id_mapping),
        "timeOffsets": offsets.collect::<Map<_, _>>(),
        "devices": list(&linux.devices, |device| json!({
            "type": device.kind, "path": device.path, "fileMode": device.file_mode,
            "major": device.major.unwrap_or(0), "minor": device.minor.unwrap_or(0),
            "uid": device.uid, "gid": device.gid,
        })),
        "netDevices": interfaces.collect::<Map<_, _>>(),
        "cgroupsPath": linux.cgroups_path,
        "resources": linux.resources.as_ref().map(resources),
        "intelRdt": linux.intel_rdt.as_ref().map(|rdt| json!({
            "closID": rdt.clos_id, "l3CacheSchema": rdt.l3_cache_schema, "memBwSchema": rdt.mem_bw_schema,
            "schemata": rdt.schemata, "enableMonitoring": rdt.enable_monitoring,
        })),
        "sysctl": linux.sysctl,
        "seccomp": linux.seccomp.as_ref().map(seccomp),
        "rootfsPropagation": linux.rootfs_propagation,
        "maskedPaths": linux.masked_paths,
        "readonlyPaths": linux.readonly_paths,
        "mountLabel": linux.mount_label,
        "personality": linux.personality.as_ref().map(|personality| json!({
            "domain": word::<spec::PersonalityDomain>(personality.domain as usize), "flags": personality.flags,
        })),
        "memoryPolicy": linux.memory_policy.as_ref().map(|policy| json!({
            "mode": word::<spec::MemoryPolicyMode>(policy.mode as usize),
            "nodes": policy.nodes,
            "flags": list(&policy.flags, |flag| json!(word::<spec::MemoryPolicyFlag>(*flag as usize))),
        })),
    })
}

fn resources(resources: &Resources) -> Value {
    let rate =
        |device: &ThrottleDevice| json!({"major": device.major, "minor": device.minor, "rate": device.rate});
    let rdma = resources.rdma.iter().map(|(name, limit)| {
        (name.clone(), json!({"hcaHandles": limit.hca_handles, "hcaObjects": limit.hca_objects}))
    });
    json!({
        "unified": resources.unified,
        "devices": list(&resources.devices, |rule| json!({
            "allow": rule.allow, "type": rule.kind, "major": rule.major, "minor": rule.minor, "access": rule.access,
        })),
        "memory": resources.memory.as_ref().map(|memory| json!({
            "limit": memory.limit, "reservation": memory.reservation, "swap": memory.swap, "kernel": memory.kernel,
            "kernelTCP": memory.kernel_tcp, "swappiness": memory.swappiness,
            "disableOOMKiller": memory.disable_oom_killer, "useHierarchy": memory.use_hierarchy,
            "checkBeforeUpdate": memory.check_before_update,
        })),
        "cpu": resources.cpu.as_ref().map(|cpu| json!({
            "shares": cpu.shares, "quota": cpu.quota, "burst": cpu.burst, "period": cpu.period,
            "realtimeRuntime": cpu.realtime_runtime, "realtimePeriod": cpu.realtime_period, "cpus": cpu.cpus,
            "mems": cpu.mems, "idle": cpu.idle,
        })),
        "pids": resources.pids.as_ref().map(|pids| json!({"limit": pids.limit})),
        "blockIO": resources.block_io.as_ref().map(|io| json!({
            "weight": io.weight, "leafWeight": io.leaf_weight,
            "weightDevice": list(&io.weight_device, |device| json!({
                "major": device.major, "minor": device.minor, "weight": device.weight,
                "leafWeight": device.leaf_weight,
            })),
            "throttleReadBpsDevice": list(&io.throttle_read_bps_device, rate),
            "throttleWriteBpsDevice": list(&io.throttle_write_bps_device, rate),
            "throttleReadIOPSDevice": list(&io.throttle_read_iops_device, rate),
            "throttleWriteIOPSDevice": list(&io.throttle_write_iops_device, rate),
        })),
        "hugepageLimits": list(&resources.hugepage_limits, |page| json!({
            "pageSize": page.page_size, "limit": page.limit,
        })),
        "network": resources.network.as_ref().map(|network| json!({
            "classID": network.class_id,
            "priorities": list(&network.priorities, |entry| json!({"name": entry.name, "priority": entry.priority})),
        })),
        "rdma": rdma.collect::<Map<_, _>>(),
    })
}

fn seccomp(profile: &Seccomp) -> Value {
    let action = |action: spec::Action| word::<spec::Action>(action as usize);
    json!({
        "defaultAction": action(profile.default_action),
        "defaultErrnoRet": profile.default_errno_ret,
        "architectures": list(&profile.architectures, |arch| json!(word::<spec::Arch>(*arch as usize))),
        "flags": profile.flags.as_ref().map(|flags| {
            list(flags, |flag| json!(word::<spec::FilterFlag>(*flag as usize)))
        }),
        "listenerPath": profile.listener_path,
        "listenerMetadata": profile.listener_metadata,
        "syscalls": list(&profile.syscalls, |rule| json!({
            "names": rule.names.iter().collect::<Vec<_>>(),
            "action": action(rule.action),
            "errnoRet": rule.errno_ret,
            "args": list(&rule.args, |arg| json!({
                "index": arg.index,
                "value": arg.value,
                "valueTwo": (arg.value_two != 0).then_some(arg.value_two),
                "op": word::<spec::Operator>(arg.op as usize),
            })),
        })),
    })
}
