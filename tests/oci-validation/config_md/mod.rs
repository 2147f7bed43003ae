//! config.md: the configuration that all platforms share, and the bundle it lies in.

mod credentials;
mod document;
mod exec;
mod hooks;
mod limits;
mod mount_kinds;
mod mount_options;
mod mounts;
mod process;
mod root;
mod scheduling;
