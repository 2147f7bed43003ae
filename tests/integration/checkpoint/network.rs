//! Connections and interfaces across a checkpoint.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::{Tally, checkpoint, restore};
use crate::harness::*;
use crate::needs;

/// This thread's network namespace, as a path for others.
fn own_network() -> String {
    format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid())
}

/// In the network namespace of the caller, without a sysfs, which only the namespace's owner could mount.
fn beside_us(container: Container) -> Container {
    container.without_namespace("network").edit(|config| {
        let network = json!({ "type": "network", "path": own_network() });
        config["linux"]["namespaces"].as_array_mut().unwrap().push(network);
    })
}

/// A connection from outside outlives the container: what is said meanwhile waits for it.
#[test]
fn a_connection_from_outside() {
    needs!(root, criu, iproute2);
    in_private_network(|| {
        ip("link set lo up");
        let container = beside_us(Container::new());
        let mut ready = Fifo::new(&container.bundle.rootfs().join("ready"));
        let container = container.args(&["/probe", "echo-tcp", "127.0.0.1:7000", "/ready"]).running();
        assert_eq!(ready.word(), "listening\n");
        let mut client = TcpStream::connect("127.0.0.1:7000").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.write_all(b"before").unwrap();
        assert_hears(&mut client, "before");
        checkpoint(&container, &[]).refuses(&["criu failed"]).exits(1);
        checkpoint(&container, &["--tcp-established"]).ok();
        client.write_all(b"meanwhile").unwrap();
        restore(&container, &["--detach", "--tcp-established"]).run().ok();
        assert_hears(&mut client, "meanwhile");
        client.write_all(b"after").unwrap();
        assert_hears(&mut client, "after");
        drop(client);
        container.await_stop();
    });
}

#[track_caller]
fn assert_hears(connection: &mut TcpStream, text: &str) {
    let mut answer = vec![0; text.len()];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(answer, text.as_bytes());
}

/// A connection within the container is there again in its new network namespace.
#[test]
fn a_connection_inside() {
    needs!(root, criu);
    let container = Container::new();
    let numbers = Fifo::new(&container.bundle.rootfs().join("numbers"));
    let container = container.args(&["/probe", "tally-by-tcp", "/numbers"]);
    let mut tally = Tally { container, numbers }.at_two();
    tally.checkpoint(&["--tcp-established"]).ok();
    tally.restore(&["--detach", "--tcp-established"]).ok();
    assert_eq!(tally.next(), 3);
}

/// An interface that was moved into a joined namespace stays there, and is not looked for again.
#[test]
fn moved_interfaces() {
    needs!(root, criu, iproute2);
    in_private_network(|| {
        // CRIU tries out what the kernel can do.
        ip("link set lo up");
        let owner = Container::new().sleeping();
        ip("link add veth7 type veth peer name of-veth7");
        ip("addr add 192.0.2.7/24 dev veth7");
        let container = Container::new().without_namespace("network").edit(|config| {
            let network = json!({ "type": "network", "path": format!("/proc/{}/ns/net", owner.pid()) });
            config["linux"]["namespaces"].as_array_mut().unwrap().push(network);
            config["linux"]["netDevices"] = json!({ "veth7": { "name": "data0" } });
        });
        let mut tally = Tally::new(container).at_two();
        tally.checkpoint(&[]).ok();
        tally.restore(&["--detach"]).ok();
        assert_eq!(tally.next(), 3);
        let interfaces = tally.container.exec_world(&[])["interfaces"].clone();
        assert_eq!(interfaces["data0"]["up"], true, "{interfaces}");
    });
}
