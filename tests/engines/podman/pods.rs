//! Pods, and Kubernetes' YAML.

use super::podman;
use crate::sh;
use crate::shell::until;

#[test]
fn a_pod_shares_namespaces() {
    let _machine = podman();
    sh!("podman pod create --name shared --share net,ipc,uts --hostname shared").ok();
    sh!("podman run --detach --pod shared --name pod-first pause:1").ok();
    sh!("podman run --detach --pod shared --name pod-second pause:1").ok();
    for name in ["net", "ipc", "uts"] {
        let first = sh!("podman exec pod-first readlink /proc/self/ns/{name}").ok().stdout;
        sh!("podman exec pod-second readlink /proc/self/ns/{name}").ok().prints(first.trim());
    }
    sh!("podman exec pod-first hostname").ok().prints("shared");
    sh!("podman exec pod-first sh -c 'mkdir /www; echo found >/www/index.html; httpd -p 8000 -h /www'").ok();
    sh!("podman exec pod-second wget -qO- http://127.0.0.1:8000/").ok().prints("found");
    sh!("podman pod pause shared && podman pod unpause shared && podman pod restart shared").ok();
    sh!("podman pod stats --no-stream shared && podman pod top shared").ok();
    sh!("podman pod stop --time 5 shared && podman pod rm --force shared").ok();
}

#[test]
fn a_pod_with_one_pid_namespace() {
    let _machine = podman();
    sh!("podman pod create --name onepid --share pid,net").ok();
    sh!("podman run --rm --pod onepid world:1 cat /proc/1/comm").ok();
    sh!("podman pod rm --force --time 2 onepid").ok();
}

const YAML: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { word: configured }
---
apiVersion: v1
kind: Pod
metadata: { name: played, annotations: { io.podman.annotations.init.container.type: always } }
spec:
  volumes:
  - name: shared
    emptyDir: {}
  - name: host
    hostPath: { path: /srv/played, type: Directory }
  initContainers:
  - name: before
    image: docker.io/library/world:1
    imagePullPolicy: Never
    command: [sh, -c, "echo initialised >/shared/word"]
    volumeMounts: [{ name: shared, mountPath: /shared }]
  containers:
  - name: main
    image: docker.io/library/world:1
    imagePullPolicy: Never
    command: [sh, -c, "trap exit TERM; sleep 1000 & wait"]
    env: [{ name: WORD, valueFrom: { configMapKeyRef: { name: words, key: word } } }]
    resources: { limits: { memory: 32Mi, cpu: 500m } }
    securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
    volumeMounts:
    - { name: shared, mountPath: /shared }
    - { name: host, mountPath: /host, readOnly: true }
    livenessProbe: { exec: { command: ["true"] }, periodSeconds: 100 }
"#;

#[test]
fn kubernetes_yaml_is_played() {
    let _machine = podman();
    sh!("mkdir -p /srv/played && echo host >/srv/played/file").ok();
    std::fs::write("/tmp/played.yaml", YAML).unwrap();
    sh!("podman play kube /tmp/played.yaml").ok();
    sh!("podman exec played-main sh -c 'id -u; cat /shared/word /host/file; echo $WORD; touch /x 2>/dev/null || echo read-only'")
        .ok()
        .prints("1000\ninitialised\nhost\nconfigured\nread-only");
    sh!("podman exec played-main grep CapEff /proc/self/status").ok().prints("CapEff:\t0000000000000000");
    assert!(sh!("podman generate kube played").ok().stdout.contains("kind: Pod"));
    sh!("podman play kube --down /tmp/played.yaml").ok();
    until("podman pod ps --quiet --filter name=played | wc -l", "0");
}
