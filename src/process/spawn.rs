//! The runtime's side of a new process: opens, clones, talks to init until it is ready, and ends it if anything fails.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::birthplace::Birthplace;
use super::error::OOM_SCORE;
use super::failure::{failure, hook_error};
use super::hooks::{self, Dir, Prepared, Setting};
use super::image::Image;
use super::init::{ANY_PID, HookState, Init};
use super::net_devices::Moved;
use super::slots::{self, Sockets};
use super::sync::{self, Kind, Packet, Text};
use super::{Error, idmaps};
use crate::cgroups::Cgroup;
use crate::plan::{
    ChildPlan, ExecPlan, HookPlan, NetDevicePlan, Op, Open, ParentPlan, Plan, SeccompPlan, Step,
};
use crate::rootfs::{Root, capture};
use crate::seccomp::{self, notify};
use crate::spec::NamespaceKind;
use crate::sys::clone::{Clone, Exit, pidfd_send_signal, setns, wait_pidfd};
use crate::sys::{self, Context, Errno, signal, socket};
use crate::timing;

/// Where in its life a container is when somebody outside is told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// `create` is at work.
    Creating,
    /// Ready for `start`.
    Created,
    /// The program runs.
    Running,
}

/// Renders the state document for a moment and a pid.
pub type StateDocument<'a> = &'a dyn Fn(Moment, i32) -> Vec<u8>;

/// What `create` and `run` bring along.
pub struct Launch<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The container's cgroup, made and limited.
    pub cgroup: &'a Cgroup,
    /// Working directory of hooks.
    pub bundle: &'a std::ffi::CStr,
    /// Sockets that the plan opens.
    pub sockets: Sockets,
    /// State for hooks and for the seccomp agent.
    pub state: StateDocument<'a>,
    /// Whether we make more children later: hooks.
    pub hooks_follow: bool,
}

/// What `exec` brings along.
pub struct ExecLaunch<'a> {
    /// The plan.
    pub plan: &'a ExecPlan,
    /// The cgroup to join.
    pub cgroup: &'a Cgroup,
    /// pidfd of the container's init.
    pub container: OwnedFd,
    /// Its number, if the new process may go where it is.
    pub beside: Option<i32>,
    /// Sockets that the plan opens.
    pub sockets: Sockets,
    /// State for the seccomp agent.
    pub state: StateDocument<'a>,
}

/// A process that is set up but not let go yet. Dropped before [`Spawned::commit`], it is killed.
pub struct Spawned {
    pid: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
    interfaces: Option<Moved>,
    committed: bool,
}

/// Makes a container's init, up to the point where nothing but the record is missing.
pub fn create(launch: Launch) -> Result<Spawned, Error> {
    let Launch { plan, cgroup, bundle, sockets, state, hooks_follow } = launch;
    timing::phase("compile the seccomp filter");
    let filter = plan.parent.seccomp.as_ref().map(seccomp::compile).transpose()?;
    timing::phase("open what init needs");
    let (socket, theirs) = socket::pair().during("socketpair", "AF_UNIX")?;
    let init = Init {
        steps: &plan.child.steps,
        socket: theirs,
        slots: slots::open(&plan.parent.open, sockets)?,
        tasks: cgroup.task_fds()?,
        container: None,
        filter: filter.as_ref(),
        image: plan.child.program.as_ref().map(Image::new),
        hooks: inner_hooks(&plan.child.steps),
        hook_state: HookState {
            creating: state(Moment::Creating, ANY_PID),
            created: state(Moment::Created, ANY_PID),
        },
        root: Root::default(),
        ignored_signals: signal::ANY,
    };
    let flags = plan.parent.namespaces.iter().fold(0, |flags, kind| flags | kind.clone_flag());
    let join = plan.parent.join_pid.and_then(|slot| init.slots.get(slot)).and_then(|fd| fd.as_ref());
    init.be_timed().during("mmap", "--trace-timing")?;
    timing::phase("clone init");
    let mut birthplace = Birthplace::open(cgroup, None)?;
    let cloned = in_pid_namespace(join.map(AsFd::as_fd), hooks_follow, || {
        birthplace.clone3(flags.cast_unsigned().into())
    });
    let cloned = cloned.map_err(|cause| no_clone(&plan.parent.namespaces, cgroup, cause))?;
    let Clone::Parent { pid, pidfd } = cloned else { init.run() };
    let mut spawned = Spawned { pid, pidfd, socket, interfaces: None, committed: false };
    timing::phase("what only the runtime may do for init");
    birthplace.move_there(pid)?;
    adjust_oom_score(pid, plan.parent.oom_score_adj)?;
    prepare_from_outside(&plan.parent, &init.slots, pid)?;
    spawned.let_go(&plan.child)?;
    init.release(birthplace.dir);
    let asked = Asked {
        interfaces: &plan.parent.net_devices,
        hooks: &plan.parent.create_hooks,
        dir: bundle,
        seccomp: plan.parent.seccomp.as_ref(),
        state,
    };
    spawned.converse(&plan.child, &asked, cgroup)?;
    Ok(spawned)
}

/// Makes one more process in a running container.
pub fn exec(launch: ExecLaunch) -> Result<Spawned, Error> {
    let ExecLaunch { plan, cgroup, container, beside, sockets, state } = launch;
    timing::phase("compile the seccomp filter");
    let filter = plan.seccomp.as_ref().map(seccomp::compile).transpose()?;
    timing::phase("open what init needs");
    let (socket, theirs) = socket::pair().during("socketpair", "AF_UNIX")?;
    let init = Init {
        steps: &plan.child.steps,
        socket: theirs,
        slots: slots::open(&plan.open, sockets)?,
        tasks: cgroup.task_fds()?,
        container: Some(container),
        filter: filter.as_ref(),
        image: plan.child.program.as_ref().map(Image::new),
        hooks: Vec::new(),
        hook_state: HookState::default(),
        root: Root::default(),
        ignored_signals: signal::ANY,
    };
    init.be_timed().during("mmap", "--trace-timing")?;
    timing::phase("clone init");
    let mut birthplace = Birthplace::open(cgroup, beside)?;
    let join = init.container.as_ref().filter(|_| plan.join_pid);
    let cloned = in_pid_namespace(join.map(AsFd::as_fd), false, || birthplace.clone3(0));
    let cloned = cloned.map_err(|cause| no_clone(&[], cgroup, cause))?;
    let Clone::Parent { pid, pidfd } = cloned else { init.run() };
    let mut spawned = Spawned { pid, pidfd, socket, interfaces: None, committed: false };
    timing::phase("what only the runtime may do for init");
    birthplace.move_there(pid)?;
    init.release(birthplace.dir);
    adjust_oom_score(pid, plan.oom_score_adj)?;
    spawned.let_go(&plan.child)?;
    let asked = Asked { interfaces: &[], hooks: &[], dir: c"/", seccomp: plan.seccomp.as_ref(), state };
    spawned.converse(&plan.child, &asked, cgroup)?;
    Ok(spawned)
}

/// Clones after joining a pid namespace, which only children enter.
///
/// There is a way back only for those who have rights over our own one, which root of a user namespace has not. So it
/// is taken only for children that must not land inside.
fn in_pid_namespace(
    namespace: Option<BorrowedFd>,
    come_back: bool,
    clone: impl FnOnce() -> Result<Clone, Errno>,
) -> Result<Clone, sys::Error> {
    let Some(namespace) = namespace else { return clone().during("clone3", "") };
    let own = if come_back {
        let path = "/proc/self/ns/pid";
        Some(std::fs::File::open(path).map_err(|err| sys::errno_of(&err)).during("open", path)?)
    } else {
        None
    };
    setns(namespace, libc::CLONE_NEWPID).during("setns", "CLONE_NEWPID")?;
    let cloned = clone();
    if let (Some(own), false) = (own, matches!(cloned, Ok(Clone::Child))) {
        setns(own.as_fd(), libc::CLONE_NEWPID).during("setns", "CLONE_NEWPID, back to our own")?;
    }
    cloned.during("clone3", "")
}

fn no_clone(namespaces: &[NamespaceKind], cgroup: &Cgroup, cause: sys::Error) -> Error {
    if let (Errno::EOPNOTSUPP, Err(err)) = (cause.errno, cgroup.refuse_threaded()) {
        return err.into();
    }
    let names: Vec<&str> = namespaces.iter().map(|kind| kind.name()).collect();
    let user_ns = namespaces.contains(&NamespaceKind::User);
    Error::Clone { namespaces: names.join(", "), user_ns, cause }
}

/// Hooks that init runs, by RunHooks step.
fn inner_hooks(steps: &[Step]) -> Vec<Vec<Prepared>> {
    let hooks = steps.iter().filter_map(|step| match &step.op {
        Op::RunHooks { hooks, .. } => Some(hooks.iter().map(Prepared::new).collect()),
        _ => None,
    });
    hooks.collect()
}

fn adjust_oom_score(pid: i32, score: Option<i64>) -> Result<(), Error> {
    let Some(score) = score else { return Ok(()) };
    sys::file::write_existing(&format!("/proc/{pid}/oom_score_adj"), &score.to_string()).map_err(|cause| {
        Error::Open { at: OOM_SCORE.to_owned(), doing: "tell the OOM killer".to_owned(), cause }
    })
}

/// What init cannot do for itself: maps of its user namespace, mounts that show them.
fn prepare_from_outside(plan: &ParentPlan, slots: &[Option<OwnedFd>], pid: i32) -> Result<(), Error> {
    if let Some(maps) = &plan.id_maps {
        idmaps::write(pid, maps)?;
    }
    for (open, slot) in plan.open.iter().zip(slots) {
        let (Open::Tree(tree), Some(fd)) = (open, slot) else { continue };
        let Some(idmap) = tree.idmap.filter(|idmap| idmap.user_ns.is_none()) else { continue };
        let path = format!("/proc/{pid}/ns/user");
        let user_ns = std::fs::File::open(&path).map_err(|err| sys::errno_of(&err)).during("open", &path)?;
        let failed = |cause| Error::Open { at: tree.at.clone(), doing: open.to_string(), cause };
        capture::map_ids(fd.as_fd(), idmap, user_ns.as_fd(), tree).map_err(failed)?;
    }
    Ok(())
}

/// What init may ask of us on its way.
struct Asked<'a> {
    interfaces: &'a [NetDevicePlan],
    hooks: &'a [(&'static str, HookPlan)],
    dir: &'a std::ffi::CStr,
    seccomp: Option<&'a SeccompPlan>,
    state: StateDocument<'a>,
}

impl Spawned {
    /// Its pid here.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its pidfd.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Lets init begin, if it waits for us.
    fn let_go(&self, child: &ChildPlan) -> Result<(), Error> {
        match child.steps.first() {
            Some(Step { op: Op::AwaitGo, .. }) => self.say(Kind::Go),
            _ => Ok(()),
        }
    }

    /// Answers init until it is ready.
    fn converse(&mut self, child: &ChildPlan, asked: &Asked, cgroup: &Cgroup) -> Result<(), Error> {
        loop {
            timing::wait("wait for init");
            let Some(packet) = sync::receive(self.socket.as_fd()).during("recvmsg", "init")? else {
                return Err(self.died(cgroup));
            };
            timing::phase("answer init");
            match packet.kind {
                Kind::Ready => return Ok(()),
                Kind::Fail => return Err(failure(child, &packet)),
                Kind::NetNs => {
                    let netns = packet.fd.ok_or(Error::Protocol)?;
                    self.interfaces = Some(Moved::into(netns, asked.interfaces)?);
                    self.say(Kind::Go)?;
                }
                Kind::Hooks => {
                    run_hooks(
                        asked.hooks.iter().map(|(_, hook)| hook),
                        &(asked.state)(Moment::Creating, self.pid),
                        asked.dir,
                    )?;
                    self.say(Kind::HooksDone)?;
                }
                Kind::Listener => hand_over(asked, self.pid, packet.fd)?,
                Kind::Forked => self.replace(packet)?,
                _ => return Err(Error::Protocol),
            }
        }
    }

    /// Init went on in a sibling; the first one ends by itself.
    fn replace(&mut self, packet: Packet) -> Result<(), Error> {
        let pidfd = packet.fd.ok_or(Error::Protocol)?;
        let first = std::mem::replace(&mut self.pidfd, pidfd);
        self.pid = packet.number;
        wait_pidfd(first.as_fd()).during("waitid", "init")?;
        self.say(Kind::Go)
    }

    fn died(&mut self, cgroup: &Cgroup) -> Error {
        self.committed = true;
        match wait_pidfd(self.pidfd.as_fd()).during("waitid", self.pid) {
            Ok(exit) => Error::Died { exit, oom: cgroup.oom_killed().is_ok_and(|kills| kills > 0) },
            Err(err) => err.into(),
        }
    }

    fn say(&self, kind: Kind) -> Result<(), Error> {
        Ok(sync::send(self.socket.as_fd(), kind).during("send", format_args!("{kind:?}"))?)
    }

    /// The container is recorded: init may go on, and lives on without us.
    /// `ignored_signals` are those that it ignores at most, as bits.
    pub fn commit(&mut self, ignored_signals: u32) -> Result<(), Error> {
        sync::send_number(self.socket.as_fd(), Kind::Commit, ignored_signals.cast_signed())
            .during("send", "Commit")?;
        self.committed = true;
        if let Some(interfaces) = self.interfaces.take() {
            interfaces.keep();
        }
        Ok(())
    }

    /// What was committed is not wanted after all: dropped, it is killed again.
    pub fn take_back(&mut self) {
        self.committed = false;
    }

    /// Waits until the program was executed, which closes init's end of the conversation.
    pub fn await_exec(&mut self, child: &ChildPlan) -> Result<(), Error> {
        let executed = match await_exec(self.socket.as_fd()) {
            Ok(None) => Ok(()),
            Ok(Some(packet)) => Err(failure(child, &packet)),
            Err(err) => Err(err),
        };
        executed.inspect_err(|_| self.take_back())
    }

    /// Waits for the process to end.
    pub fn wait(&self) -> Result<Exit, Error> {
        Ok(wait_pidfd(self.pidfd.as_fd()).during("waitid", self.pid)?)
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if !self.committed {
            // It may have died already; then there is only the zombie left to reap.
            let _ = pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
            let _ = wait_pidfd(self.pidfd.as_fd());
        }
    }
}

/// Waits until the program behind `socket` was executed; a packet says why it could not be.
pub(super) fn await_exec(socket: BorrowedFd) -> Result<Option<Packet>, Error> {
    match sync::await_exec(socket) {
        Err(Errno::ECONNRESET) => Err(Error::NeverExecuted),
        Ok(Some(packet)) if packet.kind != Kind::Fail => Err(Error::Protocol),
        said => Ok(said.during("recvmsg", "init")?),
    }
}

/// Runs hooks of the runtime's side, up to the first that fails.
pub fn run_hooks<'h>(
    hooks: impl IntoIterator<Item = &'h HookPlan>,
    state: &[u8],
    dir: &std::ffi::CStr,
) -> Result<(), Error> {
    let setting = Setting { dir: Dir::Path(dir), caps: None, filter: None };
    hooks.into_iter().try_for_each(|hook| {
        let mut said = Text::default();
        hooks::run(&Prepared::new(hook), state, &setting, &mut said)
            .map_err(|outcome| hook_error(hook, outcome, &said))
    })
}

/// Gives the seccomp listener to the agent that the profile names.
fn hand_over(asked: &Asked, pid: i32, listener: Option<OwnedFd>) -> Result<(), Error> {
    let agent = asked.seccomp.and_then(|plan| plan.listener.as_ref());
    let (Some(agent), Some(listener)) = (agent, listener) else { return Err(Error::Protocol) };
    let state: serde_json::Value =
        serde_json::from_slice(&(asked.state)(Moment::Creating, pid)).map_err(|_| Error::Protocol)?;
    let document = serde_json::json!({
        "ociVersion": crate::spec::OCI_VERSION,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": agent.metadata,
        "state": state,
    });
    notify::hand_over(&agent.path, document.to_string().as_bytes(), listener.as_fd()).map_err(Error::Agent)
}
