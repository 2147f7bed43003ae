//! `linux.sysctl`: only parameters that belong to a namespace of the container's own.

use super::{Builder, Error, Op, Text};
use crate::spec::{NamespaceKind, Spec};

/// Parameters of an IPC namespace; all of fs/mqueue is too.
const IPC: &[&str] = &[
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

pub(super) fn compile(spec: &Spec, out: &mut Builder) -> Result<(), Error> {
    for (name, value) in &spec.linux.sysctl {
        let at = format!("linux.sysctl.{name}");
        let path = path(&at, name)?;
        check_namespace(spec, &at, &path)?;
        if path == "kernel/domainname" && spec.domainname.as_ref().is_some_and(|name| !name.is_empty()) {
            return Err(Error::new(at, "contradicts domainname").hint("set one of the two"));
        }
        let (path, value) = (Text::new(&at, path)?, Text::new(&at, value.as_str())?);
        out.step(&at, Op::Sysctl { path, value });
    }
    Ok(())
}

/// `net.ipv4.ip_forward` or `net/ipv4/ip_forward`; sysctl(8): the first separator decides, so that the other sign
/// can stand in a name such as an interface's.
fn path(at: &str, name: &str) -> Result<String, Error> {
    let path = match name.find(['.', '/']) {
        Some(first) if name.as_bytes()[first] == b'/' => name.to_owned(),
        _ => name
            .chars()
            .map(|sign| match sign {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
    };
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@:".contains(&b))
            && part != "."
            && part != ".."
    };
    if path.split('/').all(plain) {
        Ok(path)
    } else {
        Err(Error::new(at, "is no name of a kernel parameter").hint("write it as in sysctl -a"))
    }
}

/// Whether the document changes parameters of its namespace of this kind.
pub(super) fn changes(spec: &Spec, kind: NamespaceKind) -> bool {
    let mut paths = spec.linux.sysctl.keys().filter_map(|name| path("", name).ok());
    paths.any(|path| owner(&path) == Some(kind))
}

fn owner(path: &str) -> Option<NamespaceKind> {
    match path {
        "kernel/domainname" => Some(NamespaceKind::Uts),
        _ if IPC.contains(&path) || path.starts_with("fs/mqueue/") => Some(NamespaceKind::Ipc),
        _ if path.starts_with("net/") => Some(NamespaceKind::Network),
        _ if path.starts_with("user/") => Some(NamespaceKind::User),
        _ => None,
    }
}

fn check_namespace(spec: &Spec, at: &str, path: &str) -> Result<(), Error> {
    if path == "kernel/hostname" {
        return Err(Error::new(at, "is set by the property \"hostname\"").hint("use that instead"));
    }
    let Some(owner) = owner(path) else {
        return Err(Error::new(at, "belongs to no namespace, so it would change the whole host")
            .hint("set it on the host, if you mean it"));
    };
    match spec.linux.namespaces.iter().any(|ns| ns.kind == owner) {
        true => Ok(()),
        false => Err(Error::new(
            at,
            format!("belongs to the {} namespace, and the container has none of its own", owner.name()),
        )
        .hint(format!("add {{\"type\": \"{}\"}} to linux.namespaces", owner.name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_separators_work() {
        assert_eq!(path("", "net.ipv4.ip_forward").unwrap(), "net/ipv4/ip_forward");
        assert_eq!(
            path("", "net/ipv4/conf/eno1.100/forwarding").unwrap(),
            "net/ipv4/conf/eno1.100/forwarding"
        );
        assert_eq!(
            path("", "net.ipv4.conf.eno1/100.forwarding").unwrap(),
            "net/ipv4/conf/eno1.100/forwarding"
        );
    }

    #[test]
    fn smuggling_is_refused() {
        for name in ["net.ipv4/../../kernel.core_pattern", "net.a+b", "net.ipv4.x\nkernel.y", "", "net..ipv4"]
        {
            assert!(path("linux.sysctl", name).is_err(), "{name:?}");
        }
    }
}
