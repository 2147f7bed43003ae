//! hull: an OCI container runtime for Linux.
//!
//! The way of one container: `cli` turns argv into a request, `spec` reads config.json, `plan` compiles both into
//! plain data (what the parent must do, which operations the child must walk), `process` acts on it with
//! `rootfs`, `cgroups` and `seccomp`, and `sys` makes the system calls. Nothing imports upwards;
//! docs/architecture.md draws it.

pub mod cgroups;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod error;
pub mod host;
pub mod log;
pub mod plan;
pub mod process;
pub mod resctrl;
pub mod rootfs;
pub mod seccomp;
pub mod spec;
pub mod state;
pub mod sys;
pub mod systemd;
pub mod timestamp;
pub mod timing;
