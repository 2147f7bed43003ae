//! The guest of hull's tests: prints the world that it sees, or does one small thing, and answers in JSON.
//!
//! `probe [print [SYSCTL...]]` prints everything; the other words are in [`run`]. It is static and needs nothing
//! of its root filesystem: what is missing or forbidden comes out as `null` or `{"errno": NAME}`, never as a
//! crash, because a crash could not be told from a broken container.
#![no_main]

mod devices;
mod errno;
mod files;
mod hide;
mod identity;
mod life;
mod limits;
mod mounts;
mod network;
mod process;
mod status;
mod sys;
mod syscalls;
mod terminal;
mod world;

use std::ffi::OsString;
use std::io::Write;

use serde_json::Value;

/// Does what `argv` says and returns the exit code.
fn run(argv: Vec<OsString>) -> i32 {
    let argv: Vec<String> = argv.into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = argv.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        [] => print(&world::see(&argv, &[])),
        ["print", sysctls @ ..] => print(&world::see(&argv, sysctls)),
        ["record", path] => life::record(path, &argv),
        ["read", paths @ ..] => print(&files::each(paths, files::read)),
        ["stat", paths @ ..] => print(&files::each(paths, files::stat)),
        ["list", paths @ ..] => print(&files::each(paths, files::list)),
        ["leave-chroot", path] => print(&files::leave_chroot(path)),
        ["write", path, text] => print(&files::write(path, text)),
        ["fill", path, bytes] => print(&files::fill(path, bytes)),
        ["label", paths @ ..] => print(&files::each(paths, files::label)),
        ["mkdir", paths @ ..] => print(&files::each(paths, files::mkdir)),
        ["open-device", path, mode] => print(&files::open_device(path, mode)),
        ["mknod", path, kind, major, minor] => print(&syscalls::mknod(path, kind, major, minor)),
        ["syscall", name, args @ ..] => print(&syscalls::call(name, args)),
        ["syscall32", number, args @ ..] => print(&syscalls::call32(number, args)),
        ["syscall-in-thread", name] => print(&syscalls::in_thread(name)),
        ["trap", name] => print(&syscalls::trap(name)),
        ["hide", words @ ..] => hide::run(words),
        ["exit", code] => code.parse().unwrap_or(2),
        ["echo", words @ ..] => life::echo(words),
        ["cat"] => life::cat(),
        ["notify", text] => print(&life::notify(text)),
        ["watch-births", found] => life::watch_births(found),
        ["kill-self", signal] => print(&life::kill_self(signal)),
        ["wait", ready] => life::wait(ready),
        ["hold", fifo] => life::hold(fifo),
        ["tally", fifo] => life::tally(fifo),
        ["tally-by-tcp", fifo] => life::tally_by_tcp(fifo),
        ["echo-tcp", address, fifo] => life::echo_tcp(address, fifo),
        ["locked", path, "tally", fifo] => life::locked(path, || life::tally(fifo)),
        ["pause"] => sys::pause(),
        ["alloc", bytes] => print(&life::alloc(bytes)),
        ["fork", count] => print(&life::fork(count)),
        _ => {
            eprintln!("probe: unknown words {words:?}");
            2
        }
    }
}

/// One document on stdout; a closed stdout makes the exit code 3.
fn print(document: &Value) -> i32 {
    let text = format!("{document}\n");
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(_) => 3,
    }
}
