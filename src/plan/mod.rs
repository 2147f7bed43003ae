//! All policy, as data: a document, a request and the host's facts are compiled into a plan, without I/O.

mod error;
mod facts;

pub use error::Error;
pub use facts::{CgroupLayout, Hierarchy, HostFacts};
