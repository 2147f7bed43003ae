//! Moving interfaces into the container's network namespace (`linux.netDevices`), and back again if the container does
//! not come to be.

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::stat::fstat;

use super::Error;
use crate::plan::NetDevicePlan;
use crate::sys::netlink::{Address, Link, Netlink, own_netns};
use crate::sys::{self, Context, Errno};

/// A network namespace that we can speak to.
struct Side {
    netns: OwnedFd,
    netlink: Netlink,
}

/// An interface on its way.
struct Device {
    /// What it was in the runtime's namespace.
    host: Link,
    /// What it has to keep.
    addresses: Vec<Address>,
    /// Its number in the container's namespace.
    index: i32,
}

/// Interfaces that were moved. Dropped before [`Moved::keep`], they go back.
pub(super) struct Moved {
    host: Side,
    container: Side,
    devices: Vec<Device>,
}

impl Moved {
    /// Moves all of them into `netns`, or none.
    pub fn into(netns: OwnedFd, plans: &[NetDevicePlan]) -> Result<Self, Error> {
        let failed = |at: &str| {
            let at = at.to_owned();
            move |cause| Error::NetDevice { at, cause }
        };
        let mut moved = Self::between(netns).map_err(failed("linux.netDevices"))?;
        for plan in plans {
            moved.add(plan).map_err(failed(&plan.at))?;
        }
        Ok(moved)
    }

    fn between(netns: OwnedFd) -> Result<Self, sys::Error> {
        let own = own_netns().during("open", "/proc/thread-self/ns/net")?;
        let inode = |fd: &OwnedFd| fstat(fd).map(|stat| stat.st_ino).during("fstat", "network namespace");
        if inode(&own)? == inode(&netns)? {
            let what = "the container's network namespace is the runtime's own";
            return Err(Errno::EBUSY).during("RTM_SETLINK", what);
        }
        let netlink = Netlink::open().during("socket", "AF_NETLINK")?;
        let host = Side { netns: own, netlink };
        let netlink = Netlink::open_in(netns.as_fd()).during("setns", "the container's network namespace")?;
        Ok(Self { host, container: Side { netns, netlink }, devices: Vec::new() })
    }

    fn add(&mut self, plan: &NetDevicePlan) -> Result<(), sys::Error> {
        let NetDevicePlan { host: name, inside, .. } = plan;
        let host = self.host.netlink.link_named(name).during("RTM_GETLINK", name)?;
        // The kernel would find out too late: the name is changed when the interface has moved already.
        if !plan.is_template() && self.container.netlink.link_named(inside).is_ok() {
            return Err(Errno::EEXIST).during("RTM_SETLINK", format_args!("{name}, {inside}"));
        }
        let addresses = self.host.netlink.addresses(host.index).during("RTM_GETADDR", name)?;
        let addresses = addresses.into_iter().filter(|address| address.is_permanent() && address.is_global());
        let mut index = host.index;
        while self.container.netlink.link_at(index).is_ok() {
            index += 1;
        }
        let device = Device { host, addresses: addresses.collect(), index };
        let Side { netns, netlink } = &mut self.container;
        let sent = self.host.netlink.move_link(device.host.index, netns.as_fd(), index, inside);
        // Also when that was refused, for it may have been refused half-way.
        let device = self.devices.push_mut(device);
        sent.during("RTM_SETLINK", format_args!("{name}, {inside}"))?;
        for address in &device.addresses {
            netlink.add_address(index, address).during("RTM_NEWADDR", inside)?;
        }
        // Moving brought it down.
        netlink.set_up(index).during("RTM_SETLINK", format_args!("{inside}, IFF_UP"))
    }

    /// The container exists now, and they are its own.
    pub fn keep(mut self) {
        self.devices.clear();
    }

    fn put_back(&mut self, device: &Device) -> Result<(), Errno> {
        let Side { netns, netlink } = &mut self.host;
        let Link { index, name, up } = &device.host;
        self.container.netlink.move_link(device.index, netns.as_fd(), *index, name)?;
        device.addresses.iter().try_for_each(|address| netlink.add_address(*index, address))?;
        if *up { netlink.set_up(*index) } else { Ok(()) }
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        while let Some(device) = self.devices.pop() {
            // As well as it goes: why the container did not come to be is what the user must hear.
            let _ = self.put_back(&device);
        }
    }
}
