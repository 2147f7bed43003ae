//! The clock of what a process has used.

use std::time::Duration;

use super::Errno;

/// CPU time of this process, whatever it has executed since it was cloned (CLOCK_PROCESS_CPUTIME_ID).
pub fn cpu_time() -> Result<Duration, Errno> {
    // SAFETY: timespec is plain integers, for which all zeroes is a valid value.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: time is writable memory of the right type.
    Errno::result(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) })?;
    Ok(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)))
}
