//! Interfaces that move into the container (config-linux.md, "Network Devices"), in a private network namespace so
//! that the host's stay where they are.

use serde_json::{Value, json};

use crate::harness::*;
use crate::needs;
use crate::refused::{each_refused, refused};

/// An interface, as one end of a veth pair.
fn add(name: &str) {
    ip(&format!("link add {name} mtu 1400 address 02:00:00:00:00:07 type veth peer name of-{name}"));
}

/// An interface with addresses of every kind: those to keep, and those to lose.
fn add_with_addresses(name: &str) {
    add(name);
    ip(&format!("addr add 192.0.2.7/24 brd 192.0.2.255 dev {name}"));
    ip(&format!("addr add 198.51.100.1 peer 198.51.100.2/32 dev {name}"));
    ip(&format!("addr add 2001:db8::7/64 dev {name} nodad noprefixroute"));
    ip(&format!("addr add 203.0.113.9/24 dev {name} valid_lft 3000 preferred_lft 3000"));
    ip(&format!("addr add 100.64.0.7/24 dev {name} scope link"));
    ip(&format!("link set {name} up"));
}

/// The interface of this name in the network namespace of a process.
#[track_caller]
fn link_in(pid: i32, name: &str) -> Value {
    ip_in(pid, "addr").as_array().unwrap().iter().find(|link| link["ifname"] == name).unwrap().clone()
}

/// Its addresses, but those that the kernel makes by itself, as sorted `local/prefix`.
fn addresses(link: &Value) -> Vec<String> {
    let infos = link["addr_info"].as_array().unwrap().iter();
    let text = |info: &Value| format!("{}/{}", info["local"].as_str().unwrap(), info["prefixlen"]);
    let mut all: Vec<String> = infos.map(text).filter(|address| !address.starts_with("fe80:")).collect();
    all.sort();
    all
}

/// An interface is up inside, with its new name, its mtu and hardware address, and gone from the host.
/// config-linux.md, "Network Devices"
#[test]
fn nd1_moved_and_renamed() {
    needs!(root, iproute2);
    in_private_network(|| {
        add("veth7");
        let container =
            Container::new().set("/linux/netDevices", json!({ "veth7": { "name": "data0" } })).sleeping();
        let link = link_in(container.pid(), "data0");
        assert_eq!((&link["mtu"], &link["address"]), (&json!(1400), &json!("02:00:00:00:00:07")));
        assert!(link["flags"].as_array().unwrap().contains(&json!("UP")), "{link}");
        let host = ip("link");
        let names: Vec<_> = host.as_array().unwrap().iter().map(|link| &link["ifname"]).collect();
        assert_eq!(names, ["lo", "of-veth7"]);
    });
}

/// Lasting global addresses are kept with their properties; those with an end and those of the link are not.
/// config-linux.md, "Network Devices"
#[test]
fn nd2_lasting_addresses() {
    needs!(root, iproute2);
    in_private_network(|| {
        add_with_addresses("veth7");
        let container = Container::new().set("/linux/netDevices", json!({ "veth7": {} })).sleeping();
        let link = link_in(container.pid(), "veth7");
        assert_eq!(addresses(&link), ["192.0.2.7/24", "198.51.100.1/32", "2001:db8::7/64"]);
        let info = |local: &str| {
            link["addr_info"].as_array().unwrap().iter().find(|info| info["local"] == local).unwrap()
        };
        assert_eq!(info("192.0.2.7")["broadcast"], "192.0.2.255");
        assert_eq!(info("198.51.100.1")["address"], "198.51.100.2");
        assert_eq!(info("2001:db8::7")["noprefixroute"], true);
    });
}

/// A template is filled in by the kernel; without a name the interface keeps its own.
/// config-linux.md, "Network Devices"
#[test]
fn nd3_names() {
    needs!(root, iproute2);
    in_private_network(|| {
        for name in ["veth7", "veth8", "eth0"] {
            add(name);
        }
        let devices = json!({ "veth7": { "name": "eth%d" }, "veth8": {}, "eth0": { "name": "eth%d" } });
        let world = Container::new().set("/linux/netDevices", devices).world();
        let interfaces = world["interfaces"].as_object().unwrap();
        let names: Vec<&str> = interfaces.keys().map(String::as_str).collect();
        assert_eq!(names.iter().filter(|name| name.starts_with("eth")).count(), 2, "{names:?}");
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(interfaces["lo"]["up"] == true && interfaces["veth8"]["up"] == true);
    });
}

/// A new user namespace does not stand in the way.
/// config-linux.md, "Network Devices"
#[test]
fn nd1_user_namespaces() {
    needs!(root, iproute2, user_ns);
    in_private_network(|| {
        add_with_addresses("veth7");
        let devices = json!({ "veth7": {} });
        let world = Container::new().user_namespace().set("/linux/netDevices", devices).world();
        let addresses = world["interfaces"]["veth7"]["addresses"].as_array().unwrap();
        assert!(addresses.contains(&json!("2001:db8::7")), "{addresses:?}");
    });
}

/// Nor does a joined one, in which the network namespace is made last of all.
/// config-linux.md, "Network Devices"
#[test]
fn nd1_joined_user_namespaces() {
    needs!(root, iproute2, user_ns);
    in_private_network(|| {
        add_with_addresses("veth7");
        let owner = Container::new().user_namespace().sleeping();
        let container = Container::new().user_namespace().without_namespace("user").edit(|config| {
            let user = json!({ "type": "user", "path": format!("/proc/{}/ns/user", owner.pid()) });
            let linux = config["linux"].as_object_mut().unwrap();
            linux["namespaces"].as_array_mut().unwrap().push(user);
            linux.retain(|name, _| !name.ends_with("Mappings"));
            linux.insert("netDevices".to_owned(), json!({ "veth7": { "name": "data0" } }));
        });
        let world = container.world();
        let addresses = world["interfaces"]["data0"]["addresses"].as_array().unwrap();
        assert!(addresses.contains(&json!("192.0.2.7")), "{addresses:?}");
    });
}

/// Joined network namespaces get interfaces too, under names that are free there.
/// config-linux.md, "Network Devices"
#[test]
fn nd6_joined_namespaces() {
    needs!(root, iproute2);
    in_private_network(|| {
        let owner = Container::new().sleeping();
        add("veth7");
        ip_in(owner.pid(), "link add taken0 type veth peer name of-taken0");
        let join = |name: &str| {
            Container::new().without_namespace("network").edit(|config| {
                let path = format!("/proc/{}/ns/net", owner.pid());
                let network = json!({ "type": "network", "path": path });
                config["linux"]["namespaces"].as_array_mut().unwrap().push(network);
                config["linux"]["netDevices"] = json!({ "veth7": { "name": name } });
            })
        };
        let refused = join("taken0");
        refused.create(&[]).refuses(&["taken0"]).exits(1);
        refused.assert_clean();
        ip("link show veth7");
        assert_eq!(join("free0").world()["interfaces"]["free0"]["up"], true);
        ip_in(owner.pid(), "link show free0");
    });
}

/// The runtime's own network namespace, as a path, is nowhere to move to.
/// config-linux.md, "Network Devices"
#[test]
fn nd4_own_namespace() {
    needs!(root, iproute2);
    in_private_network(|| {
        add("veth7");
        let path = format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid());
        let container = Container::new().without_namespace("network").edit(|config| {
            let network = json!({ "type": "network", "path": path });
            config["linux"]["namespaces"].as_array_mut().unwrap().push(network);
            config["linux"]["netDevices"] = json!({ "veth7": { "name": "other0" } });
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "sysfs");
        });
        container.create(&[]).refuses(&[]).exits(1);
        ip("link show veth7");
    });
}

/// Whatever fails after an interface was moved, the host gets it back as it was.
/// config-linux.md, "Network Devices"
#[test]
fn nd5_failures_leave_the_interface_on_the_host() {
    needs!(root, iproute2);
    in_private_network(|| {
        add_with_addresses("veth7");
        let lasting = ["192.0.2.7/24", "198.51.100.1/32", "2001:db8::7/64"];
        let hook = json!({ "createRuntime": [{ "path": "/bin/false" }] });
        let program = json!(["/no/such/program"]);
        for (pointer, value, devices, word) in [
            ("/hooks", hook, json!({ "veth7": { "name": "data0" } }), "createRuntime"),
            ("/process/args", program, json!({ "veth7": {} }), "/no/such/program"),
            ("/hostname", json!("h"), json!({ "veth7": { "name": "x%d" }, "nodev0": {} }), "nodev0"),
            ("/hostname", json!("h"), json!({ "veth7": {}, "lo": { "name": "lo7" } }), "lo7"),
        ] {
            let container = Container::new().set("/linux/netDevices", devices).set(pointer, value);
            container.create(&[]).refuses(&[]).exits(1);
            container.assert_clean();
            let links = ip("addr show veth7");
            assert_eq!(addresses(&links[0]), lasting.map(str::to_owned), "{word}: {links}");
            assert!(links[0]["flags"].as_array().unwrap().contains(&json!("UP")), "{word}: {links}");
        }
    });
}

/// Interfaces that do not exist, names that cannot be, and a container that shares the host's network.
/// config-linux.md, "Network Devices"
#[test]
fn nd4_bad_devices() {
    needs!(root_or_ranges);
    each_refused(
        "/linux/netDevices",
        &[
            json!({ "no-such-dev0": {} }),
            json!({ "lo": { "name": "a-name-that-is-too-long" } }),
            json!({ "lo": { "name": "a/b" } }),
            json!({ "lo": { "name": "a b" } }),
            json!({ "lo": { "name": ".." } }),
        ],
    );
    refused(&Container::new().without_namespace("network").set("/linux/netDevices", json!({ "lo": {} })));
}
