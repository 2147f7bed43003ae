//! argv in, exit code out.
#![no_main]

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use hull::cli::{self, Stop};
use hull::log::Log;
use hull::process::seal;
use hull::sys::start::{Arguments, ignore_broken_pipes};

#[global_allocator]
static HEAP: hull::sys::heap::Heap = hull::sys::heap::Heap::new();

hull::start!(run);

fn run(arguments: Arguments) -> u8 {
    let may_start = { arguments }.any(cli::may_start_a_process);
    let sealed = if may_start { seal::ensure(arguments) } else { Ok(()) };
    ignore_broken_pipes();
    let request = match cli::parse(arguments.map(|word| OsStr::from_bytes(word.to_bytes()))) {
        Ok(request) => request,
        Err(stop) => return stopped(&stop),
    };
    let global = &request.global;
    let log = Log::new(global.log.clone(), global.log_format, global.log_level);
    match hull::commands::dispatch(&request, sealed, &log) {
        Ok(code) => code,
        Err(error) => {
            log.error(&error.to_string());
            error.code
        }
    }
}

fn stopped(stop: &Stop) -> u8 {
    // Nobody is left to hear that the help text could not be printed.
    let _ = match stop.code {
        0 => std::io::stdout().write_all(stop.text.as_bytes()),
        _ => std::io::stderr().write_all(stop.text.as_bytes()),
    };
    stop.code
}
