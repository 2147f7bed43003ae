//! `linux.netDevices`: interfaces of the host that become the container's.

use serde::Serialize;

use super::Error;
use crate::spec::{NamespaceKind, Spec};

/// The kernel's IFNAMSIZ, without the final NUL.
const LONGEST_NAME: usize = 15;

/// One interface to move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetDevicePlan {
    /// JSON path.
    pub at: String,
    /// Name in the runtime's network namespace.
    pub host: String,
    /// Name in the container's, or a template such as `eth%d` in which the kernel puts a free number.
    pub inside: String,
}

impl NetDevicePlan {
    /// Whether the kernel chooses the final name.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.inside.contains('%')
    }
}

/// Checks all names; whether the interfaces are there is seen when they are moved.
pub(super) fn compile(spec: &Spec) -> Result<Vec<NetDevicePlan>, Error> {
    let devices = &spec.linux.net_devices;
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    if !spec.linux.namespaces.iter().any(|namespace| namespace.kind == NamespaceKind::Network) {
        return Err(Error::new("linux.netDevices", "is set without a network namespace")
            .hint("add {\"type\": \"network\"} to linux.namespaces"));
    }
    let mut plans: Vec<NetDevicePlan> = Vec::with_capacity(devices.len());
    for (host, device) in devices {
        let at = format!("linux.netDevices.{host}");
        let inside = device.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(host);
        check(&at, host, false)?;
        check(&at, inside, true)?;
        let plan = NetDevicePlan { at, host: host.clone(), inside: inside.to_owned() };
        if let Some(other) = plans.iter().find(|other| other.inside == inside && !plan.is_template()) {
            return Err(Error::new(plan.at, format!("{} is to be named {inside:?} too", other.host))
                .hint("give each interface a name of its own"));
        }
        plans.push(plan);
    }
    Ok(plans)
}

/// What the kernel takes for a name (dev_valid_name, dev_alloc_name), found out before anything is moved.
fn check(at: &str, name: &str, template: bool) -> Result<(), Error> {
    let refuse = |why: &str| {
        Err(Error::new(at, format!("{name:?} is no name of an interface: {why}")).hint("see ip link"))
    };
    if name.len() > LONGEST_NAME {
        return refuse("it is longer than 15 bytes");
    }
    if matches!(name, "" | "." | "..") {
        return refuse("the kernel keeps it for itself");
    }
    if name.bytes().any(|byte| matches!(byte, b'/' | b':' | b'\0' | 0x0b) || byte.is_ascii_whitespace()) {
        return refuse("it holds a slash, a colon or a blank");
    }
    match name.split_once('%') {
        None => Ok(()),
        Some((_, rest)) if template && rest.starts_with('d') && !rest.contains('%') => Ok(()),
        Some(_) => refuse("the sign % may only be in a new name, once, as %d"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn compile(devices: &Value, namespaces: &Value) -> Result<Vec<NetDevicePlan>, Error> {
        let spec = json!({"ociVersion": "1.3.0",
            "linux": {"netDevices": devices, "namespaces": namespaces}});
        super::compile(&serde_json::from_value(spec).unwrap())
    }

    fn in_own_namespace(devices: &Value) -> Result<Vec<NetDevicePlan>, Error> {
        compile(devices, &json!([{"type": "network"}]))
    }

    #[test]
    fn an_interface_keeps_its_name_unless_it_gets_another() {
        let plans =
            in_own_namespace(&json!({"a0": {}, "b0": {"name": ""}, "c0": {"name": "eth%d"}})).unwrap();
        let names: Vec<_> = plans.iter().map(|plan| (plan.host.as_str(), plan.inside.as_str())).collect();
        assert_eq!(names, [("a0", "a0"), ("b0", "b0"), ("c0", "eth%d")]);
        assert_eq!(plans[2].at, "linux.netDevices.c0");
        assert!(plans[2].is_template() && !plans[0].is_template());
    }

    #[test]
    fn names_that_the_kernel_would_refuse_are_refused() {
        for name in
            ["a-name-of-16-byte", "a/b", "a:b", "a b", "a\tb", "a\u{b}b", ".", "..", "a%", "%s", "%d%d"]
        {
            let refused = in_own_namespace(&json!({"a0": {"name": name}})).expect_err(name);
            assert_eq!(refused.at, "linux.netDevices.a0");
            assert!(refused.why.contains(&format!("{name:?}")), "{}", refused.why);
        }
        for host in ["eth%d", "a/b", ""] {
            in_own_namespace(&json!({host: {"name": "eth0"}})).expect_err(host);
        }
        assert!(in_own_namespace(&json!({"a0": {"name": "exactly-15-byte"}})).is_ok());
    }

    #[test]
    fn no_two_interfaces_get_one_name_but_may_share_a_template() {
        let refused = in_own_namespace(&json!({"a0": {"name": "b0"}, "b0": {}})).unwrap_err();
        assert_eq!(refused.at, "linux.netDevices.b0");
        assert!(in_own_namespace(&json!({"a0": {"name": "e%d"}, "b0": {"name": "e%d"}})).is_ok());
        assert!(in_own_namespace(&json!({"a0": {"name": "b0"}, "b0": {"name": "a0"}})).is_ok());
    }

    #[test]
    fn there_must_be_a_network_namespace_to_move_to() {
        let refused = compile(&json!({"a0": {}}), &json!([{"type": "mount"}])).unwrap_err();
        assert_eq!((refused.at.as_str(), refused.hint.is_empty()), ("linux.netDevices", false));
        let joined = json!([{"type": "network", "path": "/run/netns/a"}]);
        assert_eq!(compile(&json!({"a0": {}}), &joined).unwrap().len(), 1);
        assert!(compile(&json!({}), &json!([])).unwrap().is_empty());
    }
}
