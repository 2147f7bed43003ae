//! `process.capabilities`: the sets of the program, and what init keeps until it has no use for it any more.

use std::str::FromStr;

use super::process::Filter;
use super::{Builder, HostFacts};
use crate::spec::{Capabilities, Process};
use crate::sys::cred::CapSets;

/// The five capability sets, as bits.
pub(super) struct Rights {
    grantable: u64,
    bounding: u64,
    pub sets: CapSets,
    pub ambient: Vec<u8>,
}

impl Rights {
    /// Unknown and ungrantable names are warnings (config.md, "Capabilities").
    pub fn new(process: &Process, facts: &HostFacts, own_user_ns: bool, out: &mut Builder) -> Self {
        let absent = Capabilities::default();
        let wanted = process.capabilities.as_ref().unwrap_or(&absent);
        let grantable = if own_user_ns { u64::MAX } else { facts.capabilities };
        let mut set = |name: &str, list: &[String]| {
            let mut bits = 0;
            for (index, word) in list.iter().enumerate() {
                let at = format_args!("process.capabilities.{name}[{index}]");
                match caps::Capability::from_str(word) {
                    Err(_) => out.warn(format!("{at}: unknown capability {word:?} is ignored")),
                    Ok(cap) if cap.bitmask() & grantable == 0 => {
                        out.warn(format!("{at}: {word} is ignored: the runtime does not have it itself"));
                    }
                    Ok(cap) => bits |= cap.bitmask(),
                }
            }
            bits
        };
        let bounding = set("bounding", &wanted.bounding);
        let permitted = set("permitted", &wanted.permitted);
        let effective = set("effective", &wanted.effective);
        let inheritable = set("inheritable", &wanted.inheritable);
        let ambient = set("ambient", &wanted.ambient);
        if effective & !permitted != 0 {
            out.warn("process.capabilities.effective: what is not permitted is ignored");
        }
        let lost = ambient & !(permitted & inheritable);
        if lost != 0 {
            let mut names: Vec<String> =
                caps::all().iter().filter(|cap| cap.bitmask() & lost != 0).map(ToString::to_string).collect();
            names.sort();
            let names = names.join(", ");
            out.warn(format!(
                "process.capabilities.ambient: can't raise ambient capability {names}: not both permitted and inheritable"
            ));
        }
        Self {
            grantable,
            bounding,
            sets: CapSets { effective: effective & permitted, permitted, inheritable },
            ambient: bits(ambient & permitted & inheritable).collect(),
        }
    }

    pub fn dropped(&self) -> Vec<u8> {
        bits(!self.bounding & ((1 << LAST_CAPABILITY) | ((1 << LAST_CAPABILITY) - 1))).collect()
    }

    /// The final sets plus what the last steps need: loading a filter without no_new_privs takes CAP_SYS_ADMIN,
    /// raising a limit takes CAP_SYS_RESOURCE.
    pub fn until_exec(&self, process: &Process, filter: Filter) -> CapSets {
        let mut keep = 0;
        if matches!(filter, Filter::BeforeCaps) || (filter == Filter::Early && !process.no_new_privileges) {
            keep |= caps::Capability::CAP_SYS_ADMIN.bitmask();
        }
        if !process.rlimits.is_empty() {
            keep |= caps::Capability::CAP_SYS_RESOURCE.bitmask();
        }
        keep &= self.grantable;
        let CapSets { effective, permitted, inheritable } = self.sets;
        CapSets { effective: effective | keep, permitted: permitted | keep, inheritable }
    }
}

/// CAP_CHECKPOINT_RESTORE (kernel 5.9).
const LAST_CAPABILITY: u32 = 40;

fn bits(set: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |bit| set & (1 << bit) != 0)
}
