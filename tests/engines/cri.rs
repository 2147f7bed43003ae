//! Kubernetes' side: pods over the gRPC socket of containerd's CRI plugin, with the runtime handler of
//! contrib/engines/kubernetes/runtimeclass.yaml.
//!
//! The client is curl, which speaks HTTP/2, and protoc, which turns text into messages of Debian's copy of the protocol.

use crate::containerd::CONTAINERD;
use crate::engine::Hold;
use crate::sh;
use crate::shell::{run, until};

/// Calls a method of the runtime service; request and answer are in protobuf's text format.
fn call(method: &str, request: &str) -> Result<String, String> {
    let file = format!("/tmp/cri-{method}-{:?}", std::thread::current().id()).replace(['(', ')'], "");
    std::fs::write(format!("{file}.text"), request).unwrap();
    let protoc = "protoc -I/engines/cri /engines/cri/api.proto";
    // A gRPC message is a byte for compression, four of length, and the message; the status comes in the trailer.
    let done = sh!(
        "{protoc} --encode=runtime.v1.{method}Request <{file}.text >{file}.message
         length=$(stat -c %s {file}.message)
         printf \"\\\\000$(printf '\\\\%03o\\\\%03o\\\\%03o\\\\%03o' $((length >> 24)) $((length >> 16 & 255)) $((length >> 8 & 255)) $((length & 255)))\" >{file}.request
         cat {file}.message >>{file}.request
         curl --silent --show-error --max-time 60 --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock \
           --header 'content-type: application/grpc' --header 'te: trailers' --data-binary @{file}.request \
           --dump-header {file}.header --output {file}.answer http://localhost/runtime.v1.RuntimeService/{method}
         grep -i '^grpc-status: 0' {file}.header >&2 || {{ grep -i '^grpc-message' {file}.header >&2; exit 9; }}
         tail -c +6 {file}.answer | {protoc} --decode=runtime.v1.{method}Response; rm -f {file}.*"
    );
    if done.code == 0 { Ok(done.stdout) } else { Err(format!("{done:?}")) }
}

/// The value of the first such field in text format.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim_matches('"')
}

/// The name that a pod's runtimeClassName leads to.
fn handler() -> String {
    run("sed -n 's/^handler: //p' /engines/contrib/kubernetes/runtimeclass.yaml")
        .ok()
        .stdout
        .trim()
        .to_owned()
}

/// Whether the plugin is configured for cgroups of systemd, as tests/engines/furnish does where there is one.
fn systemd() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// A pod, removed at the end with its containers.
struct Pod {
    id: String,
    name: String,
    config: String,
    _engine: Hold,
}

impl Pod {
    /// `linux` is said inside of the property of that name, `more` beside it.
    fn run(name: &str, linux: &str, more: &str) -> Self {
        let engine = CONTAINERD.hold();
        until("ctr plugins list | awk '$2 == \"cri\" { print $4 }'", "ok");
        // A kubelet names only pods that have a name of their own.
        let hostname = if linux.contains("NODE") { String::new() } else { format!("hostname: '{name}'") };
        let parent = if systemd() { format!("kubepods-{name}.slice") } else { format!("/kubepods/{name}") };
        let config = format!(
            "metadata {{ name: '{name}' uid: '{name}' namespace: 'tests' }} log_directory: '/tmp/{name}' \
             {hostname} linux {{ cgroup_parent: '{parent}' {linux} }} {more}"
        );
        let answer =
            call("RunPodSandbox", &format!("config {{ {config} }} runtime_handler: '{}'", handler()))
                .unwrap();
        Self {
            id: field(&answer, "pod_sandbox_id").to_owned(),
            name: name.to_owned(),
            config,
            _engine: engine,
        }
    }

    /// A container in it, created and started.
    fn container(&self, name: &str, more: &str) -> String {
        let config = format!(
            "metadata {{ name: '{name}' }} image {{ image: 'docker.io/library/world:1' }} log_path: '{name}.log' {more}"
        );
        let (id, pod) = (&self.id, &self.config);
        let request = format!("pod_sandbox_id: '{id}' config {{ {config} }} sandbox_config {{ {pod} }}");
        let answer = call("CreateContainer", &request).unwrap();
        let id = field(&answer, "container_id").to_owned();
        call("StartContainer", &format!("container_id: '{id}'")).unwrap();
        id
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let id = format!("pod_sandbox_id: '{}'", self.id);
        let _ = call("StopPodSandbox", &id).and_then(|_| call("RemovePodSandbox", &id));
        // The kubelet's part: the parent is its own.
        if systemd() {
            sh!("systemctl stop kubepods-{}.slice", self.name);
        }
        sh!("find /sys/fs/cgroup -depth -path '*/kubepods/{}' -exec rmdir {{}} \\;", self.name);
    }
}

/// stdout of a command in a container, which must succeed.
fn exec(container: &str, line: &str) -> String {
    let request = format!("container_id: '{container}' cmd: 'sh' cmd: '-c' cmd: \"{line}\" timeout: 20");
    let answer = call("ExecSync", &request).unwrap();
    assert!(!answer.contains("exit_code"), "{line}: {answer}");
    if answer.contains("stdout") {
        field(&answer, "stdout").trim_end_matches("\\n").to_owned()
    } else {
        String::new()
    }
}

const SLEEP: &str = "command: 'sh' args: '-c' args: 'trap exit TERM; sleep 1000 & wait'";

#[test]
fn the_plugin_answers() {
    let _engine = CONTAINERD.hold();
    let version = call("Version", "").unwrap();
    assert_eq!(field(&version, "runtime_name"), "containerd");
    assert!(
        call(
            "RunPodSandbox",
            "runtime_handler: 'unknown' config { metadata { name: 'x' uid: 'x' namespace: 'x' } }"
        )
        .is_err()
    );
}

/// What a pod is: containers with files and processes of their own, and one network, ipc namespace and hostname.
#[test]
fn two_containers_share_a_pod() {
    let pod = Pod::run("shared", "", "");
    let own = format!("{SLEEP} linux {{ security_context {{ namespace_options {{ pid: CONTAINER }} }} }}");
    let (first, second) = (pod.container("first", &own), pod.container("second", &own));
    for name in ["net", "ipc", "uts"] {
        let link = format!("readlink /proc/self/ns/{name}");
        assert_eq!(exec(&first, &link), exec(&second, &link), "{name}");
    }
    for name in ["mnt", "pid"] {
        let link = format!("readlink /proc/self/ns/{name}");
        assert_ne!(exec(&first, &link), exec(&second, &link), "{name}");
    }
    assert_eq!(exec(&first, "hostname"), "shared");
    exec(&first, "mkdir /www; echo found >/www/index.html; httpd -p 8000 -h /www");
    assert_eq!(exec(&second, "wget -qO- http://127.0.0.1:8000/"), "found");
    let status = call("PodSandboxStatus", &format!("pod_sandbox_id: '{}'", pod.id)).unwrap();
    assert!(field(&status, "ip").starts_with("10.233.0."), "{status}");
}

#[test]
fn one_pid_namespace_for_all() {
    let options = "namespace_options { pid: POD }";
    let pod = Pod::run("onepid", &format!("security_context {{ {options} }}"), "");
    let more = format!("{SLEEP} linux {{ security_context {{ {options} }} }}");
    let (first, second) = (pod.container("first", &more), pod.container("second", &more));
    let link = "readlink /proc/self/ns/pid";
    assert_eq!(exec(&first, link), exec(&second, link));
}

#[test]
fn the_nodes_namespaces() {
    let options = "namespace_options { network: NODE pid: NODE ipc: NODE }";
    let pod = Pod::run("node", &format!("security_context {{ {options} }}"), "");
    let first = pod.container("first", &format!("{SLEEP} linux {{ security_context {{ {options} }} }}"));
    for name in ["net", "pid", "ipc"] {
        let own = sh!("readlink /proc/self/ns/{name}").ok().stdout;
        assert_eq!(exec(&first, &format!("readlink /proc/self/ns/{name}")), own.trim(), "{name}");
    }
}

#[test]
fn exec_gives_both_streams_and_the_exit_code() {
    let pod = Pod::run("exec", "", "");
    let first = pod.container("first", SLEEP);
    let request = format!(
        "container_id: '{first}' cmd: 'sh' cmd: '-c' cmd: 'echo out; echo err >&2; exit 3' timeout: 20"
    );
    let answer = call("ExecSync", &request).unwrap();
    assert_eq!(
        (field(&answer, "stdout"), field(&answer, "stderr"), field(&answer, "exit_code")),
        ("out\\n", "err\\n", "3")
    );
    // A deadline ends the command, not the container.
    let late = call("ExecSync", &format!("container_id: '{first}' cmd: 'sleep' cmd: '100' timeout: 1"));
    assert!(late.unwrap_err().contains("timeout"));
    assert_eq!(exec(&first, "echo here"), "here");
}

#[test]
fn logs_are_written_as_the_kubelet_reads_them() {
    let pod = Pod::run("logs", "", "");
    pod.container("first", "command: 'sh' args: '-c' args: 'echo out; echo err >&2'");
    until("cut -d ' ' -f 2- /tmp/logs/first.log | sort", "stderr F err\nstdout F out");
}

#[test]
fn status_and_exit_code() {
    let pod = Pod::run("status", "", "");
    let first = pod.container("first", "command: 'sh' args: '-c' args: 'exit 4'");
    let status = || call("ContainerStatus", &format!("container_id: '{first}'")).unwrap();
    crate::shell::eventually("it has exited", || status().contains("CONTAINER_EXITED"));
    assert_eq!(field(&status(), "exit_code"), "4");
    let list = call("ListContainers", &format!("filter {{ pod_sandbox_id: '{}' }}", pod.id)).unwrap();
    assert!(list.contains(&first), "{list}");
}

#[test]
fn stopping_asks_first() {
    let pod = Pod::run("stopping", "", "");
    let first =
        pod.container("first", "command: 'sh' args: '-c' args: 'trap \"exit 143\" TERM; sleep 1000 & wait'");
    call("StopContainer", &format!("container_id: '{first}' timeout: 20")).unwrap();
    let status = call("ContainerStatus", &format!("container_id: '{first}'")).unwrap();
    assert_eq!(field(&status, "exit_code"), "143");
    call("RemoveContainer", &format!("container_id: '{first}'")).unwrap();
    assert!(call("ContainerStatus", &format!("container_id: '{first}'")).is_err());
}

/// What a kubelet sends for requests and limits, and later for a resize in place.
#[test]
fn resources_are_set_and_updated() {
    let pod = Pod::run("resources", "", "");
    let limits = "linux { resources { memory_limit_in_bytes: 33554432 cpu_period: 100000 cpu_quota: 50000 cpu_shares: 512 } }";
    let first = pod.container("first", &format!("{SLEEP} {limits}"));
    let memory =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    assert_eq!(exec(&first, memory), "33554432");
    let more =
        "linux { memory_limit_in_bytes: 67108864 cpu_period: 100000 cpu_quota: 75000 cpuset_cpus: '0' }";
    call("UpdateContainerResources", &format!("container_id: '{first}' {more}")).unwrap();
    assert_eq!(exec(&first, memory), "67108864");
    assert_eq!(
        exec(
            &first,
            "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d \\\" \\\" -f 1 /sys/fs/cgroup/cpu.max"
        ),
        "75000"
    );
    assert_eq!(
        exec(&first, "cat /sys/fs/cgroup/cpuset/cpuset.cpus 2>/dev/null || cat /sys/fs/cgroup/cpuset.cpus"),
        "0"
    );
}

#[test]
fn stats() {
    let pod = Pod::run("stats", "", "");
    let first = pod.container("first", SLEEP);
    let stats = call("ContainerStats", &format!("container_id: '{first}'")).unwrap();
    assert!(stats.contains("usage_core_nano_seconds") && stats.contains("working_set_bytes"), "{stats}");
}

#[test]
fn security_context() {
    let pod = Pod::run("security", "", "");
    let context = "security_context { run_as_user { value: 1000 } run_as_group { value: 1000 } supplemental_groups: 2000 \
                   readonly_rootfs: true no_new_privs: true capabilities { drop_capabilities: 'ALL' add_capabilities: 'NET_BIND_SERVICE' } \
                   seccomp { profile_type: RuntimeDefault } masked_paths: '/proc/kcore' readonly_paths: '/proc/sys' }";
    let first = pod.container("first", &format!("{SLEEP} linux {{ {context} }}"));
    assert_eq!(
        exec(&first, "id -u; id -G; touch /x 2>/dev/null || echo read-only"),
        "1000\\n1000 2000\\nread-only"
    );
    assert_eq!(
        exec(&first, "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | cut -f 2 | xargs"),
        "0000000000000400 1 2"
    );
}

#[test]
fn a_privileged_container() {
    let pod = Pod::run("privileged", "security_context { privileged: true }", "");
    let first =
        pod.container("first", &format!("{SLEEP} linux {{ security_context {{ privileged: true }} }}"));
    assert_eq!(exec(&first, "mkdir /m && mount -t tmpfs none /m && echo mounted"), "mounted");
}

#[test]
fn mounts_devices_and_environment() {
    let pod = Pod::run("mounts", "", "dns_config { servers: '10.9.9.9' }");
    sh!("mkdir -p /srv/cri && echo host >/srv/cri/file").ok();
    let more = "mounts { container_path: '/data' host_path: '/srv/cri' readonly: true } devices { container_path: '/dev/made' host_path: '/dev/fuse' permissions: 'rw' } \
                envs { key: 'A' value: 'b' } working_dir: '/tmp'";
    let first = pod.container("first", &format!("{SLEEP} {more}"));
    assert_eq!(
        exec(&first, "cat /data/file; touch /data/x 2>/dev/null || echo read-only; stat -c %t:%T /dev/made"),
        "host\\nread-only\\na:e5"
    );
    assert_eq!(exec(&first, "echo $A; pwd; cat /etc/resolv.conf"), "b\\n/tmp\\nnameserver 10.9.9.9");
}

#[test]
fn sysctls_of_a_pod() {
    let pod = Pod::run(
        "sysctls",
        "sysctls { key: 'net.ipv4.ip_forward' value: '1' } sysctls { key: 'kernel.shm_rmid_forced' value: '1' }",
        "",
    );
    let first = pod.container("first", SLEEP);
    assert_eq!(exec(&first, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced"), "1\\n1");
}
