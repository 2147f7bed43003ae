//! A look at many containers, one after another, as `list` takes it: no folder is opened for itself, nothing is kept, and
//! of state.json only what is shown is read.

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::container::is_there;
use super::identity::parse_stat;
use super::{Error, Status, Store, View};
use crate::cgroups::{Freezer, Freezers};
use crate::spec::from_json;
use crate::sys::fd;
use crate::sys::file::{BENEATH, Reader};
use crate::sys::{Context, Errno};

/// What is shown of a [`Record`](super::Record), as it lies in the text of state.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Glance<'a> {
    #[serde(borrow)]
    oci_version: Cow<'a, str>,
    pid: i32,
    start_time: u64,
    #[serde(borrow)]
    bundle: Cow<'a, str>,
    #[serde(borrow)]
    rootfs: Cow<'a, str>,
    #[serde(borrow)]
    created: Cow<'a, str>,
    /// User id that called `create`.
    pub owner: u32,
    #[serde(borrow)]
    cgroup: Freezer<'a>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

impl Glance<'_> {
    /// The state of container `id` as `list` prints it.
    #[must_use]
    pub fn view<'v>(&'v self, id: &'v str, status: Status, owner: &'v str) -> View<'v, &'v RawValue> {
        View {
            oci_version: &self.oci_version,
            id,
            pid: status.pid(self.pid),
            status,
            bundle: Path::new(&*self.bundle),
            rootfs: Path::new(&*self.rootfs),
            created: &self.created,
            annotations: self.annotations,
            owner,
        }
    }
}

/// Looks at the containers of a store.
#[derive(Debug)]
pub struct Glances<'s> {
    store: &'s Store,
    root: OwnedFd,
    proc: OwnedFd,
    state: Reader,
    stat: Reader,
    freezers: Freezers,
}

impl<'s> Glances<'s> {
    pub(super) fn new(store: &'s Store) -> Result<Self, Error> {
        let open =
            |path: &Path| fd::open(path, libc::O_PATH | libc::O_DIRECTORY).during("open", path.display());
        let (root, proc) = (open(&store.root)?, open(Path::new("/proc"))?);
        let (state, stat) = <(Reader, Reader)>::default();
        Ok(Self { store, root, proc, state, stat, freezers: Freezers::default() })
    }

    /// One container, and where it is in its life: see [`Container::status`](super::Container::status). `None` if that takes a closer look, as there
    /// is no process yet.
    ///
    /// A folder that is removed and made anew while we look may give the record of one and the socket of the other.
    pub fn at(&mut self, id: &str) -> Result<Option<(Glance<'_>, Status)>, Error> {
        let Self { store, root, proc, state, stat, freezers } = self;
        let root_path = store.root.display();
        let glance: Glance = match state.read(root.as_fd(), &[id, "state.json"], BENEATH) {
            Err(Errno::ENOENT) | Ok([]) => return Ok(None),
            text => {
                let text = text.during("read", format_args!("{root_path}/{id}/state.json"))?;
                let corrupt =
                    |source| Error::Corrupt { path: store.root.join(id).join("state.json"), source };
                from_json(text).map_err(corrupt)?
            }
        };
        if glance.pid == 0 {
            return Ok(None);
        }
        let lives = match stat.read(proc.as_fd(), &[&glance.pid.to_string(), "stat"], 0) {
            Err(Errno::ENOENT | Errno::ESRCH) => None,
            text => parse_stat(text.during("read", format_args!("/proc/{}/stat", glance.pid))?),
        };
        if lives.is_none_or(|stat| stat.start_time != glance.start_time) {
            return Ok(Some((glance, Status::Stopped)));
        }
        if freezers.is_frozen(&glance.cgroup)? {
            return Ok(Some((glance, Status::Paused)));
        }
        let socket = format!("{id}/start.sock");
        let waits = is_there(root.as_fd(), &socket).during("access", format_args!("{root_path}/{socket}"))?;
        Ok(Some((glance, if waits { Status::Created } else { Status::Running })))
    }
}
