//! `checkpoint`: a running container becomes files, by means of CRIU.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

use super::{delete, start};
use crate::checkpoint::external::{self, Joined};
use crate::checkpoint::stdio::Streams;
use crate::checkpoint::{Criu, Options, Task, mount_points};
use crate::cli::{Checkpoint, Images};
use crate::error::Cause;
use crate::log::Log;
use crate::plan::IdMaps;
use crate::process;
use crate::state::{Container, Status, Store};
use crate::sys::{Context, mount};

/// As runc does, removes the container unless it is to run on: what is left of it is in the files.
pub(super) fn checkpoint(store: &Store, request: &Checkpoint, log: &Log) -> Result<(), Cause> {
    let container = store.lock(&request.id)?;
    let status = container.status()?;
    if !matches!(status, Status::Running | Status::Paused) {
        return Err(Cause::NothingToCheckpoint(status));
    }
    if let Some(fd) = request.status_fd.filter(|fd| !crate::sys::fd::is_open(*fd)) {
        return Err(Cause::NoStatusFd(fd));
    }
    let folders = Folders::make(&request.images)?;
    folders.refuse_links()?;
    check_parent(&folders.images, request.parent.as_deref())?;
    let opened = folders.open()?;
    let mut options = Options {
        pid: Some(container.record.pid),
        root: container.record.rootfs.clone(),
        flags: request.images.flags,
        parent: request.parent.clone(),
        page_server: request.page_server.clone(),
        freezer: freezer(&container),
        config: criu_config(&container),
        ..Options::default()
    };
    opened.tell(&mut options);
    let spec = start::saved_spec(&container)?;
    name_namespaces(&external::namespaces(&spec.linux.namespaces)?, &mut options)?;
    let task = if request.pre_dump { Task::PreDump } else { Task::Dump };
    if task == Task::Dump {
        let plan = start::recompile(store, &container)?;
        options.mounts = mount_points(container.record.pid, &external::mounts(&plan)?)?;
    }
    // Also for a pre-dump, which would stumble over a stream that it does not know.
    let streams = Streams::of(container.record.pid)?;
    options.external.extend(streams.external());
    streams.save(&folders.images)?;
    Criu::spawn()?.carry_out(task, &options, folders.logs(), |notice| {
        match (notice.script.as_str(), request.status_fd) {
            ("status-ready", Some(fd)) => tell_ready(fd),
            _ => Ok(()),
        }
    })?;
    if request.pre_dump || request.images.flags.leave_running {
        return Ok(());
    }
    delete::destroy(container, log)
}

/// Where the checkpoint and the logs are.
pub(super) struct Folders {
    /// The checkpoint.
    pub images: PathBuf,
    work: Option<PathBuf>,
}

/// Both, open for CRIU to find behind our descriptors.
pub(super) struct Opened {
    images: OwnedFd,
    work: Option<File>,
}

impl Folders {
    /// Finds them, and makes what is missing.
    pub fn make(request: &Images) -> Result<Self, Cause> {
        let images = request.path.as_deref().unwrap_or(Path::new("checkpoint"));
        let work = request.work.as_deref().map(|path| make_folder("--work-path", path)).transpose()?;
        Ok(Self { images: make_folder("--image-path", images)?, work })
    }

    /// Where the logs go.
    pub fn logs(&self) -> &Path {
        self.work.as_ref().unwrap_or(&self.images)
    }

    /// A checkpoint may come from somebody else, or go where others make files too, and CRIU opens and writes files by name:
    /// a link in their place would lead it elsewhere, and a FIFO keep it waiting.
    pub fn refuse_links(&self) -> Result<(), Cause> {
        // The one to earlier images has to be a link.
        refuse_links(&self.images, |name| name != "parent")?;
        // An engine may keep FIFOs of its own beside the logs, as podman does.
        let logs = |name: &str| name.ends_with(".log") || name.starts_with("stats-") || name == "irmap-cache";
        self.work.as_ref().map_or(Ok(()), |work| refuse_links(work, logs))
    }

    /// Opens them: in the mount namespace that CRIU works in, for it mounts things there.
    pub fn open(&self) -> Result<Opened, Cause> {
        let open = |path: &PathBuf| File::open(path).map_err(Cause::io(path.display().to_string()));
        Ok(Opened { images: open(&self.images)?.into(), work: self.work.as_ref().map(open).transpose()? })
    }
}

/// Refuses links and FIFOs of names that CRIU uses in a folder.
fn refuse_links(dir: &Path, is_used: fn(&str) -> bool) -> Result<(), Cause> {
    let found = || -> std::io::Result<Option<PathBuf>> {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if (kind.is_fifo() || kind.is_symlink()) && is_used(&entry.file_name().to_string_lossy()) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    };
    match found().map_err(Cause::io(dir.display().to_string()))? {
        Some(path) => Err(crate::checkpoint::Error::Link { path }.into()),
        None => Ok(()),
    }
}

impl Opened {
    /// Shows the checkpoint as if root of the container's user namespace owned it: as that user CRIU reads on. Logs are
    /// written as before. Where the filesystem knows no idmapped mounts, the checkpoint is left as it is.
    pub fn show_to_root_of(&mut self, maps: &IdMaps) -> Result<(), Cause> {
        let user_ns = process::mapped_user_ns(maps)?;
        let tree = mount::clone_tree(self.images.as_fd(), c"", false).during("open_tree", "--image-path")?;
        if mount::set_idmap(tree.as_fd(), false, user_ns.as_fd()).is_ok() {
            let plain = std::mem::replace(&mut self.images, tree);
            self.work.get_or_insert(plain.into());
        }
        Ok(())
    }

    /// Tells CRIU.
    pub fn tell(&self, options: &mut Options) {
        options.images = self.images.as_raw_fd();
        options.work = self.work.as_ref().map(AsRawFd::as_raw_fd);
    }
}

fn make_folder(option: &str, path: &Path) -> Result<PathBuf, Cause> {
    // To be searched, not listed: CRIU looks for images from inside a user namespace, and takes EACCES for an error
    // where ENOENT says that there is none.
    let made = DirBuilder::new().recursive(true).mode(0o711).create(path).and_then(|()| path.canonicalize());
    made.map_err(Cause::io(format!("{option} {}", path.display())))
}

fn check_parent(images: &Path, parent: Option<&Path>) -> Result<(), Cause> {
    let Some(parent) = parent else { return Ok(()) };
    if parent.is_absolute() {
        return Err(Cause::ParentPath("it must be relative".to_owned()));
    }
    match std::fs::metadata(images.join(parent)) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Cause::ParentPath(format!("{}: not a directory", parent.display()))),
        Err(err) => Err(Cause::ParentPath(format!("{}: {err}", parent.display()))),
    }
}

/// Stops all processes at once; without it CRIU stops them one by one.
fn freezer(container: &Container) -> Option<PathBuf> {
    let cgroup = container.cgroup();
    cgroup.path_of("freezer").or(cgroup.v2_path()).map(Path::to_owned)
}

/// The file whose settings outdo ours: that of the annotation, none if it is empty, else the one that runc reads too.
pub(super) fn criu_config(container: &Container) -> Option<PathBuf> {
    match container.record.annotations.get("org.criu.config").map(String::as_str) {
        Some("") => None,
        Some(path) => Some(path.into()),
        None => Some("/etc/criu/runc.conf".into()),
    }
}

fn name_namespaces(joined: &[Joined], options: &mut Options) -> Result<(), Cause> {
    for namespace in joined {
        if let Joined::ByName { kind, name, path } = namespace {
            let found =
                std::fs::metadata(path).map_err(Cause::io(format!("{kind} namespace {}", path.display())))?;
            let inode = std::os::unix::fs::MetadataExt::ino(&found);
            options.external.push(format!("{kind}[{inode}]:{name}"));
        }
    }
    Ok(())
}

/// Says that lazy pages can be fetched, by one zero byte.
fn tell_ready(fd: i32) -> Result<(), Cause> {
    let written = File::options().write(true).open(format!("/proc/self/fd/{fd}"));
    written.and_then(|mut file| file.write_all(&[0])).map_err(Cause::io(format!("--status-fd {fd}")))
}
