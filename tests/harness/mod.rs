//! What every integration test stands on: a private bundle around the static probe, any OCI runtime driven with
//! bounded time, and a check that nothing is left behind.
//!
//! A test reads as three sentences: `Container::new().edit(..)` describes, a verb (`world`, `run`, `create`..)
//! acts, and assertions look at the probe's JSON, never at an empty stderr. `RUNTIME=/path/to/runtime` drives
//! another runtime than the hull just built; tests/differences.txt lists where runc answers otherwise.
#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

mod bad;
mod bundle;
mod caller;
mod cgroup;
mod console;
mod container;
mod driver;
mod event;
mod guest;
mod host;
mod leaks;
mod needs;
mod network;
mod runtime;
mod user;

#[allow(unused_imports, reason = "each test binary uses its own part of the harness")]
pub use self::{
    bad::{Bad, bad, check, without},
    bundle::{Bundle, install},
    caller::cgroup_above,
    cgroup::{hierarchy, is_v2, membership},
    console::Console,
    container::Container,
    driver::{Driver, unit_property},
    event::{Fifo, await_exit, readable},
    guest::probe,
    host::{ROOT_ALL, host_namespace},
    leaks::cgroups,
    needs::*,
    network::{in_private_network, ip, ip_in},
    runtime::{Finished, Invocation, Running, Runtime},
    user::{USER, as_user, give_away, users_own},
};
