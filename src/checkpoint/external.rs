//! What of a container lies outside it: mounts and namespaces that a checkpoint names instead of holding.
//!
//! Everything follows from the plan by which the container was made, so that a checkpoint and the restore from it,
//! which compile the same config.json, agree about the names.

use std::path::{Path, PathBuf};

use super::Error;
use crate::plan::{Op, Open, Plan, Target};
use crate::spec::{Namespace, NamespaceKind};

/// The name of whatever covers a masked file.
const NULL: &str = "/dev/null";

/// A mount whose source is not the container's.
#[derive(Debug, Clone)]
pub struct Mount<'p> {
    /// The mount point.
    pub target: &'p Target,
    /// Its name in the checkpoint.
    pub name: PathBuf,
    /// What is mounted there, on the host.
    pub source: PathBuf,
    /// Whether the mount exists only where a file was found, as a mask does.
    pub files_only: bool,
}

/// The mounts of a plan that CRIU must not look into.
pub fn mounts(plan: &Plan) -> Result<Vec<Mount<'_>>, Error> {
    let mut found = Vec::new();
    for step in &plan.child.steps {
        match &step.op {
            Op::Attach(attach) => {
                let Some(Open::Tree(tree)) = plan.parent.open.get(attach.slot) else { continue };
                if tree.idmap.is_some() {
                    return Err(Error::Idmapped { at: step.at.clone() });
                }
                found.push(external(&attach.target, Path::new(&tree.source.to_string())));
            }
            Op::Device(node) => {
                found.extend(
                    node.bind.as_ref().map(|host| external(&node.path, Path::new(&host.to_string()))),
                );
            }
            Op::Mask { path, .. } => {
                found.push(Mount { files_only: true, name: NULL.into(), ..external(path, Path::new(NULL)) });
            }
            _ => {}
        }
    }
    Ok(found)
}

fn external<'p>(target: &'p Target, source: &Path) -> Mount<'p> {
    Mount { target, name: target.to_string().into(), source: source.to_owned(), files_only: false }
}

/// The mounts as a restore needs them: from name to source, each name once.
#[must_use]
pub fn sources(mounts: &[Mount]) -> Vec<(PathBuf, PathBuf)> {
    let mut pairs: Vec<_> = mounts.iter().map(|mount| (mount.name.clone(), mount.source.clone())).collect();
    pairs.sort();
    pairs.dedup();
    pairs
}

/// How a namespace that the container joined comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined<'s> {
    /// Named in the checkpoint; a restore inherits it as a descriptor.
    ByName {
        /// CRIU's word for the kind.
        kind: &'static str,
        /// The name, which is runc's.
        name: &'static str,
        /// The namespace.
        path: &'s Path,
    },
    /// Joined by path.
    ByPath {
        /// CRIU's word for the kind.
        kind: &'static str,
        /// The namespace.
        path: &'s Path,
    },
}

/// The namespaces that config.json joins by path.
pub fn namespaces(listed: &[Namespace]) -> Result<Vec<Joined<'_>>, Error> {
    let joined = listed.iter().filter_map(|ns| Some((ns.kind, ns.path.as_deref()?)));
    joined
        .map(|(kind, path)| match kind {
            NamespaceKind::Network => Ok(Joined::ByName { kind: "net", name: "extRootNetNS", path }),
            NamespaceKind::Pid => Ok(Joined::ByName { kind: "pid", name: "extRootPidNS", path }),
            NamespaceKind::Ipc => Ok(Joined::ByPath { kind: "ipc", path }),
            NamespaceKind::Uts => Ok(Joined::ByPath { kind: "uts", path }),
            NamespaceKind::User => Ok(Joined::ByPath { kind: "user", path }),
            NamespaceKind::Time => Ok(Joined::ByPath { kind: "time", path }),
            NamespaceKind::Mount | NamespaceKind::Cgroup => Err(Error::Namespace(kind)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{self, HostFacts, Request};
    use crate::spec::Spec;

    fn plan(change: impl FnOnce(&mut Value)) -> Plan {
        let mut document = json!({
            "ociVersion": "1.3.0",
            "root": { "path": "rootfs" },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/data/../etc//hosts", "type": "bind", "source": "hosts" }
            ],
            "linux": {
                "namespaces": [{ "type": "mount" }],
                "maskedPaths": ["/proc/kcore", "/proc/keys"]
            }
        });
        change(&mut document);
        let spec: Spec = serde_json::from_value(document).unwrap();
        let request = Request { wait_for_start: true, ..Request::new("c", Path::new("/bundle")) };
        plan::compile(&spec, &request, &HostFacts::default()).unwrap()
    }

    #[test]
    fn binds_and_masks_are_outside() {
        let plan = plan(|_| {});
        let found = mounts(&plan).unwrap();
        let masks: Vec<_> = found.iter().map(|mount| mount.files_only).collect();
        assert_eq!(masks, [false, true, true]);
        let pair = |name: &str, source: &str| (name.into(), source.into());
        assert_eq!(sources(&found), [pair(NULL, NULL), pair("/etc/hosts", "/bundle/hosts")]);
    }

    #[test]
    fn devices_of_a_user_namespace_are_outside() {
        let plan = plan(|document| {
            document["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
            let map = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
            document["linux"]["uidMappings"] = map.clone();
            document["linux"]["gidMappings"] = map;
        });
        let found = sources(&mounts(&plan).unwrap());
        assert!(found.contains(&("/dev/zero".into(), "/dev/zero".into())), "{found:?}");
    }

    #[test]
    fn an_idmapped_mount_is_refused() {
        let plan = plan(|document| {
            let map = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
            document["mounts"][1]["uidMappings"] = map.clone();
            document["mounts"][1]["gidMappings"] = map;
        });
        assert_eq!(
            mounts(&plan).unwrap_err().to_string(),
            "mounts[1]: an idmapped mount cannot be checkpointed"
        );
    }

    #[test]
    fn joined_namespaces() {
        let namespace = |kind| Namespace { kind, path: Some("/n".into()) };
        let listed = [namespace(NamespaceKind::Network), namespace(NamespaceKind::Ipc)];
        let path = Path::new("/n");
        let expected = [
            Joined::ByName { kind: "net", name: "extRootNetNS", path },
            Joined::ByPath { kind: "ipc", path },
        ];
        assert_eq!(namespaces(&listed).unwrap(), expected);
        assert!(namespaces(&[Namespace { kind: NamespaceKind::Ipc, path: None }]).unwrap().is_empty());
        assert!(namespaces(&[namespace(NamespaceKind::Cgroup)]).is_err());
    }
}
