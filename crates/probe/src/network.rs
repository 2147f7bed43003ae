//! Network interfaces with their addresses.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use crate::sys::{self, Interface};

/// The network part of the world: name → up, mtu, addresses.
pub fn see() -> Map<String, Value> {
    let mut links: BTreeMap<String, (bool, Vec<String>)> = BTreeMap::new();
    for interface in sys::interfaces() {
        let up = interface.flags & libc::IFF_UP.cast_unsigned() != 0;
        let link = links.entry(interface.name.clone()).or_default();
        link.0 |= up;
        link.1.extend(address(&interface));
    }
    let interfaces: Map<String, Value> = links
        .into_iter()
        .map(|(name, (up, addresses))| {
            let mtu = std::fs::read_to_string(format!("/sys/class/net/{name}/mtu"));
            let mtu = mtu.ok().and_then(|text| text.trim().parse::<u32>().ok());
            (name, json!({ "up": up, "mtu": mtu, "addresses": addresses }))
        })
        .collect();
    Map::from_iter([("interfaces".to_owned(), Value::Object(interfaces))])
}

fn address(interface: &Interface) -> Option<String> {
    match interface.family {
        libc::AF_INET => {
            let octets: [u8; 4] = interface.address.as_slice().try_into().ok()?;
            Some(Ipv4Addr::from(octets).to_string())
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = interface.address.as_slice().try_into().ok()?;
            Some(Ipv6Addr::from(octets).to_string())
        }
        _ => None,
    }
}
