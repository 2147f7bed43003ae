//! argv in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use hull::cli::{self, Stop};
use hull::log::Log;

#[global_allocator]
static HEAP: hull::sys::heap::Heap = hull::sys::heap::Heap::new();

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os()) {
        Ok(request) => request,
        Err(stop) => return stopped(&stop),
    };
    let global = &request.global;
    let log = Log::new(global.log.clone(), global.log_format, global.log_level);
    match hull::commands::dispatch(&request, &log) {
        Ok(code) => code.into(),
        Err(error) => {
            log.error(&error.to_string());
            error.code.into()
        }
    }
}

fn stopped(stop: &Stop) -> ExitCode {
    // Nobody is left to hear that the help text could not be printed.
    let _ = match stop.code {
        0 => std::io::stdout().write_all(stop.text.as_bytes()),
        _ => std::io::stderr().write_all(stop.text.as_bytes()),
    };
    stop.code.into()
}
