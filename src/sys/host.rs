//! Names of the UTS namespace.

use std::ffi::CStr;

use super::Errno;

/// setdomainname(2).
pub fn set_domainname(name: &CStr) -> Result<(), Errno> {
    // SAFETY: the pointer and length describe one text.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr(), name.to_bytes().len()) }).map(drop)
}
