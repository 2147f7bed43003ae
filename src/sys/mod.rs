//! System calls, typed: the only module that may be unsafe.
//!
//! Each wrapper is a few lines: C strings and borrowed descriptors in, owned descriptors or an errno out. A bare
//! [`Errno`] is what the container's side reports; the runtime's side adds the call and its arguments with
//! [`Context::during`], so that a failure can be printed long after the call.
#![expect(unsafe_code, reason = "the kernel's interface; every block states why it is sound")]
#![allow(clippy::useless_conversion, reason = "some integer types differ between C libraries")]

pub mod bpf;
pub mod clock;
pub mod clone;
pub mod closing;
pub mod cred;
mod error;
pub mod exec;
pub mod fd;
pub mod file;
pub mod heap;
pub mod host;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod memcpy;
pub mod memfd;
pub mod mount;
pub mod mountinfo;
pub mod net;
pub mod netlink;
pub mod sched;
pub mod seccomp;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod start;
pub mod tty;
pub mod xattr;

pub use error::{Context, Error, NO_SUCH_CALL, errno_of, reason};
pub use nix::errno::Errno;
