//! What `create` and `run` share: a claimed id, a journal, a cgroup, an init that is ready; all of it undone, in
//! reverse order, unless the container is recorded in the end.

use std::ffi::{CString, OsString};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Driver, delete};
use crate::cgroups::{Cgroup, Parents, Placeholder};
use crate::cli::Create;
use crate::error::Cause;
use crate::log::Log;
use crate::plan::{self, CgroupPlan, ChildPlan, HostFacts, Plan};
use crate::process::{self, Launch, Moment, NotifySocket, Sockets, Spawned};
use crate::spec::{self, NamespaceKind, Spec};
use crate::state::{self, Container, Record, Status, Store};
use crate::sys::{Context, Errno, closing, fd, file, socket};
use crate::systemd::Systemd;
use crate::{host, resctrl, timestamp, timing};

/// A document and what it means here.
pub(super) struct Compiled {
    /// Whether the program's sd_notify(3) messages are wanted.
    notify: bool,
    pub bundle: PathBuf,
    pub text: Vec<u8>,
    pub spec: Spec,
    pub plan: Plan,
    /// Who makes the cgroup, if not we.
    systemd: Option<Systemd>,
}

/// Reads and compiles the bundle's config.json; nothing is touched.
pub(super) fn compile(
    store: &Store,
    create: &Create,
    wait_for_start: bool,
    driver: Driver,
    log: &Log,
) -> Result<Compiled, Cause> {
    let bundle = absolute(&create.bundle)?;
    let path = bundle.join("config.json");
    timing::phase("read config.json");
    let text = read(&path)?;
    timing::phase("parse it");
    let spec: Spec = spec::parse(&path, &text)?;
    timing::phase("look at the host");
    let (listen_fds, extra_env) = listen_fds();
    let notify_dir = supervisor().map(|_| store.notify_dir(&create.id)).transpose()?;
    let request = plan::Request {
        wait_for_start,
        preserve_fds: check_preserved(create.preserve_fds + listen_fds)?,
        extra_env,
        notify_dir: notify_dir.as_deref(),
        no_pivot: create.no_pivot,
        no_new_keyring: create.no_new_keyring,
        ..plan::Request::new(&create.id, &bundle)
    };
    let systemd = driver.connect()?;
    let known = systemd.as_ref().map(Systemd::facts).transpose()?;
    let facts = host::facts(plan::Wanted { kernel_views: create.no_pivot, ..plan::Wanted::by(&spec) });
    let rootless = driver.rootless().unwrap_or(facts.rootless);
    timing::phase("compile the plan");
    let plan = plan::compile(&spec, &request, &HostFacts { systemd: known, rootless, ..facts })?;
    plan.warnings.iter().for_each(|warning| log.warn(warning));
    log.debug(|| format!("{}: {} bytes, compiled", path.display(), text.len()));
    Ok(Compiled { notify: notify_dir.is_some(), bundle, text, spec, plan, systemd })
}

/// Keeps what is used to the end of the process, which gives back its memory faster than we could: what is dropped is
/// written to, in pages that have to be copied first, as init has them too.
pub(super) fn kept<T>(value: T) -> ManuallyDrop<T> {
    ManuallyDrop::new(value)
}

/// Where a bundle is, without links.
fn absolute(bundle: &Path) -> Result<PathBuf, Cause> {
    let opened = fd::open(bundle, libc::O_PATH | libc::O_DIRECTORY);
    let path = opened.and_then(|dir| {
        let path = file::path_of(dir.as_fd());
        closing::later(dir);
        path
    });
    path.map_err(|errno| Cause::io(format!("bundle {}", bundle.display()))(errno.into()))
}

/// Reads a whole document.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, spec::Error> {
    file::read(path).map_err(|errno| spec::Error::Read { path: path.to_owned(), source: errno.into() })
}

/// The socket of a caller that waits for the program to be ready (sd_notify(3)).
fn supervisor() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
}

/// Listens to the program for that caller. One that cannot be reached is no reason not to start the program.
pub(super) fn notify_socket(container: &Container, log: &Log) -> Result<Option<NotifySocket>, Cause> {
    let Some(supervisor) = supervisor() else { return Ok(None) };
    let Some(socket) = container.listen_for_notifications()? else { return Ok(None) };
    let connected = NotifySocket::connect(socket, &supervisor);
    Ok(connected.inspect_err(|err| log.warn(&format!("nobody will know when it is ready: {err}"))).ok())
}

/// Stays until the program is ready, or dead.
pub(super) fn await_ready(notify: Option<NotifySocket>, pidfd: BorrowedFd, pid: i32, log: &Log) {
    if let Some(Err(err)) = notify.map(|notify| notify.wait(pidfd, pid)) {
        log.warn(&format!("nobody knows whether it is ready: {err}"));
    }
}

/// Descriptors that a socket-activating caller hands on (sd_listen_fds(3)); the program is pid 1 to itself.
fn listen_fds() -> (u32, Vec<String>) {
    let count = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    if count == 0 {
        return (0, Vec::new());
    }
    let mut env = vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()];
    env.extend(std::env::var("LISTEN_FDNAMES").ok().map(|names| format!("LISTEN_FDNAMES={names}")));
    (count, env)
}

/// All descriptors that are to be handed on must be open now: later ones could be our own.
pub(super) fn check_preserved(count: u32) -> Result<u32, Cause> {
    for fd in 3..count.saturating_add(3) {
        let open = i32::try_from(fd).ok().is_some_and(crate::sys::fd::is_open);
        if !open {
            return Err(Cause::NotPreserved(fd));
        }
    }
    Ok(count)
}

/// A container in the making. Dropped before [`Birth::complete`], it never was.
pub(super) struct Birth<'a> {
    compiled: &'a Compiled,
    container: Option<Container>,
    cgroup: Cgroup,
    placeholder: Option<Placeholder>,
    intel_rdt: Option<resctrl::Group>,
    log: &'a Log,
}

impl<'a> Birth<'a> {
    /// Claims the id and writes the journal, then makes the cgroup and the class of service.
    pub fn begin(
        store: &Store,
        create: &Create,
        compiled: &'a Compiled,
        log: &'a Log,
    ) -> Result<Self, Cause> {
        timing::phase("claim the id, begin its record");
        let container = store.claim(&create.id)?;
        let mut birth = Self {
            compiled,
            container: Some(container),
            cgroup: Cgroup::default(),
            placeholder: None,
            intel_rdt: None,
            log,
        };
        let record = birth.journal();
        let container = birth.container()?;
        container.record = record;
        let begun = container.begin(&compiled.text);
        if matches!(begun, Err(state::Error::Exists(_))) {
            // The folder that we made was removed before we had locked it, and this is the one that came next: with a
            // container that is not ours to undo.
            birth.container = None;
        }
        begun?;
        if compiled.notify {
            birth.container()?.make_notify_dir()?;
        }
        timing::phase("make and limit the cgroup");
        let plan = &compiled.plan.parent.cgroup;
        match (&plan.unit, &compiled.systemd) {
            (Some(unit), Some(systemd)) => {
                let (cgroup, placeholder) = Cgroup::start(plan, unit, systemd)?;
                (birth.cgroup, birth.placeholder) = (cgroup, Some(placeholder));
            }
            _ => birth.cgroup = birth.make_cgroup(plan)?,
        }
        log.debug(|| format!("made the cgroup {}", birth.cgroup));
        let cgroup = birth.cgroup.clone();
        birth.container()?.record.cgroup = cgroup;
        birth.intel_rdt = compiled.plan.parent.intel_rdt.as_ref().map(resctrl::Group::create).transpose()?;
        Ok(birth)
    }

    /// Parents that have to be made are in the journal before they are, but looked for only if there are any.
    fn make_cgroup(&mut self, plan: &CgroupPlan) -> Result<Cgroup, Cause> {
        match Cgroup::create(plan, Parents::There) {
            Err(err) if err.is_no_parent() => {}
            made => return Ok(made?),
        }
        let container = self.container()?;
        container.record.cgroup = Cgroup::planned(plan, Parents::Made);
        container.save_record()?;
        Ok(Cgroup::create(plan, Parents::Made)?)
    }

    fn journal(&self) -> Record {
        let Compiled { bundle, spec, plan, .. } = self.compiled;
        let parents = if plan.parent.cgroup.unit.is_some() { Parents::Made } else { Parents::There };
        let rootfs = spec.root.as_ref().map(|root| bundle.join(&root.path)).unwrap_or_default();
        let own_pid_ns =
            spec.linux.namespaces.iter().any(|ns| ns.kind == NamespaceKind::Pid && ns.path.is_none());
        Record {
            oci_version: spec.oci_version.clone(),
            bundle: bundle.clone(),
            rootfs,
            created: timestamp::nanoseconds(SystemTime::now()),
            owner: nix::unistd::getuid().as_raw(),
            cgroup: Cgroup::planned(&plan.parent.cgroup, parents),
            intel_rdt: plan.parent.intel_rdt.as_ref().map(resctrl::Group::planned),
            private_pid_ns: own_pid_ns,
            has_poststart: !spec.hooks.poststart.is_empty(),
            has_poststop: !spec.hooks.poststop.is_empty(),
            annotations: spec.annotations.clone(),
            ..Record::default()
        }
    }

    /// The container, as far as it has come.
    pub fn container(&mut self) -> Result<&mut Container, Cause> {
        self.container.as_mut().ok_or(Cause::State(state::Error::Absent))
    }

    /// The socket that makes the container `created`.
    pub fn listen_for_start(&mut self) -> Result<OwnedFd, Cause> {
        Ok(self.container()?.listen_for_start()?)
    }

    /// See [`notify_socket`].
    pub fn notify_socket(&mut self) -> Result<Option<NotifySocket>, Cause> {
        let log = self.log;
        notify_socket(self.container()?, log)
    }

    /// Makes init, ready but for the record.
    pub fn spawn(&mut self, sockets: Sockets) -> Result<Spawned, Cause> {
        let (compiled, cgroup) = (self.compiled, self.cgroup.clone());
        let container = self.container()?;
        let bundle = c_path(&compiled.bundle)?;
        let state = |moment, pid| state_document(container, moment, pid);
        let hooks = &compiled.spec.hooks;
        let ours = [&hooks.prestart, &hooks.create_runtime, &hooks.poststart, &hooks.poststop];
        let spawned = process::create(Launch {
            plan: &compiled.plan,
            cgroup: &cgroup,
            bundle: &bundle,
            sockets,
            state: &state,
            hooks_follow: ours.iter().any(|hooks| !hooks.is_empty()),
        })?;
        debug_steps(self.log, &compiled.plan.child, &spawned);
        self.intel_rdt.iter().try_for_each(|group| group.add(spawned.pid()))?;
        self.settle()?;
        Ok(spawned)
    }

    /// The cgroup has a process of the container's, and can do without the one that kept it.
    fn settle(&mut self) -> Result<(), Cause> {
        let Some(placeholder) = self.placeholder.take() else { return Ok(()) };
        Ok(self.cgroup.settle(placeholder, &self.compiled.plan.parent.cgroup)?)
    }

    /// Records init and lets it go on: from here on the container exists.
    pub fn complete(mut self, spawned: &mut Spawned, pid_file: Option<&Path>) -> Result<Container, Cause> {
        timing::phase("record the first process");
        let ignored_signals = self.record(spawned.pid())?;
        if let Some(path) = pid_file {
            write_pid_file(path, spawned.pid())?;
        }
        spawned.commit(ignored_signals)?;
        self.log.debug(|| "init: closing the pipe to signal completion of create".to_owned());
        self.keep()
    }

    /// Writes down who the first process is; returns the signals that it ignores.
    pub fn record(&mut self, pid: i32) -> Result<u32, Cause> {
        let stat = state::stat(pid)?.unwrap_or_default();
        let container = self.container()?;
        container.record.pid = pid;
        container.record.start_time = stat.start_time;
        container.save_record()?;
        Ok(stat.ignored_signals)
    }

    /// Takes a process that we did not make for this into the container's cgroup and class of service.
    pub fn adopt(&mut self, pid: i32) -> Result<(), Cause> {
        self.cgroup.adopt(pid)?;
        self.settle()?;
        Ok(self.intel_rdt.iter().try_for_each(|group| group.add(pid))?)
    }

    /// Nothing is undone any more.
    pub fn keep(mut self) -> Result<Container, Cause> {
        self.container.take().ok_or(Cause::State(state::Error::Absent))
    }
}

impl Drop for Birth<'_> {
    fn drop(&mut self) {
        // Undone in reverse. What fails here is said, and does not hide why we are here.
        if let Some(mut container) = self.container.take() {
            container.record.cgroup = self.cgroup.clone();
            container.record.intel_rdt = self.intel_rdt.take();
            if let Err(cause) = delete::destroy(container, self.log) {
                self.log.warn(&format!("could not undo everything: {cause}; run delete --force"));
            }
        }
    }
}

/// Says what the new process has done by now, and what it is about to do. Some words are those that runc's users look for.
pub(super) fn debug_steps(log: &Log, child: &ChildPlan, spawned: &Spawned) {
    log.debug(|| format!("nsexec container setup: process {}", spawned.pid()));
    for step in &child.steps {
        log.debug(|| format!("child process in init(): {}", step.op));
    }
}

/// A path as the kernel takes it.
pub(super) fn c_path(path: &Path) -> Result<CString, Cause> {
    let text = CString::new(path.as_os_str().as_bytes());
    Ok(text.map_err(|_| Errno::EINVAL).during("chdir", path.display())?)
}

/// The state document at a moment of the container's life.
pub(super) fn state_document(container: &Container, moment: Moment, pid: i32) -> Vec<u8> {
    let status = match moment {
        Moment::Creating => Status::Creating,
        Moment::Created => Status::Created,
        Moment::Running => Status::Running,
    };
    serde_json::to_vec(&container.state(status, pid)).unwrap_or_default()
}

/// Replaces the file as a whole: whoever waits for it must never read half a number.
///
/// The folder may be one where others make files too, as /tmp: what already has the name of the new file is nothing to
/// write through, nor to wait for.
pub(super) fn write_pid_file(path: &Path, pid: i32) -> Result<(), Cause> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}"));
    let write = || std::fs::OpenOptions::new().write(true).create_new(true).open(&new);
    let written = write()
        .or_else(|err| match err.kind() {
            // Most likely of an earlier one of us that was killed.
            io::ErrorKind::AlreadyExists => std::fs::remove_file(&new).and_then(|()| write()),
            _ => Err(err),
        })
        .and_then(|mut file| std::io::Write::write_all(&mut file, pid.to_string().as_bytes()))
        .and_then(|()| std::fs::rename(&new, path));
    let written = written.inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    });
    written.map_err(Cause::io(format!("--pid-file {}", path.display())))
}

/// Hands a pidfd of the new process to whoever listens at `--pidfd-socket`.
pub(super) fn send_pidfd(path: Option<&Path>, spawned: &Spawned) -> Result<(), Cause> {
    let Some(path) = path else { return Ok(()) };
    let what = || format!("--pidfd-socket {}", path.display());
    let stream = UnixStream::connect(path).map_err(Cause::io(what()))?;
    // A stream needs at least one byte to carry a descriptor.
    socket::send_with_fd(stream.as_fd(), b"pidfd", spawned.pidfd()).during("sendmsg", what())?;
    Ok(())
}
