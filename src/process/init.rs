//! Init of a container (and what `exec` adds): walks the steps of the plan, then executes the program.
//!
//! It runs in a copy-on-write copy of the runtime, where everything it needs was made before: it does not allocate,
//! format or decide. A failing step ends it; the runtime is told which step and why.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::stat::Mode;

use super::hooks::{self, Dir, Prepared, Setting};
use super::image::Image;
use super::sync::{self, Kind, Text};
use super::{console, credentials};
use crate::plan::{Op, Step, Tree};
use crate::rootfs::{Root, capture};
use crate::seccomp::Filter;
use crate::sys::clone::{Clone, clone3, exit_now, setns, unshare};
use crate::sys::exec::{close_from_on_exec, close_range};
use crate::sys::{self, Errno, closing, cred, fd, net, netlink, sched, seccomp, signal, socket};
use crate::timing;

/// Everything init may touch.
pub(super) struct Init<'p> {
    pub steps: &'p [Step],
    /// Our end of the conversation.
    pub socket: OwnedFd,
    /// What the parent opened, by slot.
    pub slots: Vec<Option<OwnedFd>>,
    /// `tasks` files of the v1 cgroups.
    pub tasks: Vec<OwnedFd>,
    /// The container to join, for `exec`.
    pub container: Option<OwnedFd>,
    pub filter: Option<&'p Filter>,
    pub image: Option<Image<'p>>,
    /// Hooks of the RunHooks steps, in order.
    pub hooks: Vec<Vec<Prepared>>,
    /// State for those hooks.
    pub hook_state: HookState,
    pub root: Root,
    /// Signals that we ignore and the program shall not, as bits.
    pub ignored_signals: u32,
}

/// State documents for hooks inside. The pid is known only there, so its place is filled in then.
#[derive(Default)]
pub(super) struct HookState {
    /// For createContainer.
    pub creating: Vec<u8>,
    /// For startContainer.
    pub created: Vec<u8>,
}

/// Stands for the pid in those documents: the longest number that it can be.
pub(super) const ANY_PID: i32 = i32::MAX;

/// Writes `pid` where [`ANY_PID`] stands, with spaces before it, which JSON allows.
fn fill_in_pid(document: &mut [u8], pid: i32) {
    const KEY: &[u8] = b"\"pid\":";
    const PLACE: &[u8] = b"\"pid\":2147483647";
    let Some(at) = document.windows(PLACE.len()).position(|window| window == PLACE) else { return };
    let (place, mut rest) = (&mut document[at + KEY.len()..at + PLACE.len()], pid.unsigned_abs());
    place.fill(b' ');
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
}

/// Why a step failed, beyond its errno.
#[derive(Default)]
struct Why {
    said: Text,
    detail: i32,
}

impl<'p> Init<'p> {
    /// Walks the steps. The last one is `Exec`, so coming back means failure.
    pub fn run(mut self) -> ! {
        let mut why = Why::default();
        if let Err(errno) = self.close_inherited() {
            self.fail(self.steps.len() + 1, errno, &why);
        }
        // Modes of device nodes are meant as they are; the program's own mask comes later.
        nix::sys::stat::umask(Mode::empty());
        for (index, step) in self.steps.iter().enumerate() {
            timing::step(index);
            if let Err(errno) = self.apply(&step.op, &mut why) {
                self.fail(self.steps.len() - index, errno, &why);
            }
        }
        exit_now(1)
    }

    /// Tells the clock, if one runs, what the steps are. A filter may forbid the clock, so it ends there.
    pub fn be_timed(&self) -> Result<(), Errno> {
        let filter = self.steps.iter().position(|step| matches!(step.op, Op::Seccomp));
        let seen = filter.map_or(self.steps.len(), |filter| filter + 1);
        timing::expect_init(seen, || {
            let named = |Step { op, at }: &Step| timing::Step {
                name: op.to_string(),
                at: at.clone(),
                waits: op.waits(),
            };
            self.steps.iter().map(named).collect()
        })
    }

    /// Ends with `left` steps to go, the failed one included.
    fn fail(&self, left: usize, errno: Errno, why: &Why) -> ! {
        let left = u16::try_from(left).unwrap_or(u16::MAX);
        let _ = sync::send_failure(self.socket.as_fd(), left, errno, why.detail, &why.said);
        exit_now(1)
    }

    /// Closes the runtime's copies of what init has now.
    pub fn release(self, born_in: Option<OwnedFd>) {
        let slots = self.slots.into_iter().chain([self.container, born_in]).flatten();
        slots.chain(self.tasks).for_each(closing::later);
        closing::now();
    }

    /// Closes what the runtime had open for itself, such as the state folder with its lock and host directories: none
    /// of it may be within reach of a process that is half-way inside (CVE-2016-9962, CVE-2024-21626).
    fn close_inherited(&self) -> Result<(), Errno> {
        let kept_for_program = self.steps.iter().find_map(|step| match step.op {
            Op::CloseDescriptors { first } => Some(first),
            _ => None,
        });
        let mut next = kept_for_program.unwrap_or(3);
        let ours = || {
            let slots = self.slots.iter().chain([&self.container]).flatten();
            slots.chain(&self.tasks).chain([&self.socket]).map(|fd| fd.as_raw_fd().unsigned_abs())
        };
        while let Some(keep) = ours().filter(|&fd| fd >= next).min() {
            close_range(next, keep)?;
            next = keep + 1;
        }
        close_range(next, u32::MAX)?;
        closing::forget();
        Ok(())
    }

    fn apply(&mut self, op: &Op, why: &mut Why) -> Result<(), Errno> {
        match op {
            Op::AwaitGo => self.expect(Kind::Go),
            Op::AwaitNetDevices => {
                let netns = netlink::own_netns()?;
                sync::send_fd(self.socket.as_fd(), Kind::NetNs, 0, netns.as_fd())?;
                self.expect(Kind::Go)
            }
            Op::AwaitHooks => {
                sync::send(self.socket.as_fd(), Kind::Hooks)?;
                self.expect(Kind::HooksDone)
            }
            Op::Ready => {
                // Until `start` comes, nothing of the host is to be held: the v1 cgroups' files, above all.
                if self.steps.iter().any(|step| matches!(step.op, Op::AwaitStart { .. })) {
                    closing::now();
                }
                sync::send(self.socket.as_fd(), Kind::Ready)?;
                let signals = sync::look_for(self.socket.as_fd(), Kind::Commit)?;
                self.ignored_signals = signals.cast_unsigned();
                Ok(())
            }
            Op::AwaitStart { slot } => self.await_start(*slot),
            Op::Farewell => sync::receive(self.socket.as_fd()).map(drop),
            Op::RunHooks { kind, caps, filter, .. } => self.run_hooks(kind, *caps, *filter, why),
            Op::Fork { flags } => self.fork(*flags),
            Op::Console(console) => self.console(console),
            Op::DefaultSignals => signal::reset(self.ignored_signals),
            Op::Seccomp => self.load_filter(),
            Op::FindProgram => self.image()?.find(),
            Op::Home { uid } => {
                self.image()?.set_home(*uid);
                Ok(())
            }
            Op::Exec => Err(self.image()?.execute()),
            other => match self.apply_surroundings(other, why) {
                Some(done) => done,
                None => apply_to_self(other),
            },
        }
    }

    /// Steps that build namespaces and the root filesystem; `None` for any other.
    fn apply_surroundings(&mut self, op: &Op, why: &mut Why) -> Option<Result<(), Errno>> {
        Some(match op {
            Op::JoinNamespace { kind, slot } => self.slot(*slot).and_then(|fd| setns(fd, kind.clone_flag())),
            Op::JoinContainer { flags } => self.join_container(*flags),
            Op::NewTimeNamespace { offsets } => new_time_namespace(offsets),
            Op::JoinCgroups => self.join_cgroups(),
            Op::NewIpcNamespace => unshare(libc::CLONE_NEWIPC),
            Op::CloneTree { slot, tree } => self.clone_tree(*slot, tree),
            Op::NewCgroupNamespace => unshare(libc::CLONE_NEWCGROUP),
            Op::LoopbackUp => net::loopback_up(),
            Op::IsolateMounts => self.root.isolate(),
            Op::EnterRoot { slot, path } => {
                self.take(*slot).and_then(|tree| self.root.enter(tree, path.as_deref()))
            }
            Op::NewFs(new) => {
                let user_ns = new.idmap.and_then(|slot| self.slots.get(slot)).and_then(|fd| fd.as_ref());
                self.root.new_fs(new, user_ns.map(AsFd::as_fd), &mut |text| why.said.push(text))
            }
            Op::Attach(attach) => self.take(attach.slot).and_then(|tree| self.root.attach(attach, tree)),
            Op::Remount(remount) => self.root.remount(remount),
            Op::Symlink { path, to, replace } => self.root.symlink(path, to, *replace),
            Op::Device(node) => self.root.device(node),
            Op::PivotRoot => self.root.pivot(),
            Op::Chroot { moves, without } => self.root.chroot(*moves, without),
            Op::RootPropagation { changes } => self.root.propagate(changes),
            Op::ReadonlyRoot => self.root.make_readonly(),
            Op::Hostname { name } => {
                nix::unistd::sethostname(std::ffi::OsStr::new(name.to_str().unwrap_or_default()))
            }
            Op::Domainname { name } => sys::host::set_domainname(name),
            Op::Sysctl { path, value } => self.root.write_sysctl(path, value),
            Op::Label { file, label } => self.root.write_self(file, label),
            Op::LabelRoot { target, label } => self.root.label(target, label),
            Op::Readonly { path } => self.root.hide_from_writers(path),
            Op::Mask { path, null } => match self.slots.get_mut(*null) {
                Some(null) => self.root.mask(path, null),
                None => Err(Errno::EBADF),
            },
            Op::MakeDir { path } => self.root.make_dir(path),
            Op::Cwd { path } => self.root.change_dir(path),
            _ => return None,
        })
    }

    /// Waits for the runtime to say so.
    fn expect(&self, kind: Kind) -> Result<(), Errno> {
        sync::expect(self.socket.as_fd(), kind)
    }

    fn slot(&self, slot: usize) -> Result<BorrowedFd<'_>, Errno> {
        self.slots.get(slot).and_then(|fd| fd.as_ref()).map(AsFd::as_fd).ok_or(Errno::EBADF)
    }

    fn take(&mut self, slot: usize) -> Result<OwnedFd, Errno> {
        self.slots.get_mut(slot).and_then(Option::take).ok_or(Errno::EBADF)
    }

    fn join_cgroups(&mut self) -> Result<(), Errno> {
        std::mem::take(&mut self.tasks).into_iter().try_for_each(|tasks| {
            nix::unistd::write(&tasks, b"0")?;
            closing::later(tasks);
            Ok(())
        })
    }

    fn clone_tree(&mut self, slot: usize, tree: &Tree) -> Result<(), Errno> {
        let cloned = capture::clone_silently(tree).map_err(|(_, errno)| errno)?;
        *self.slots.get_mut(slot).ok_or(Errno::EBADF)? = Some(cloned);
        Ok(())
    }

    fn image(&mut self) -> Result<&mut Image<'p>, Errno> {
        self.image.as_mut().ok_or(Errno::ENOEXEC)
    }

    /// Waits for the `start` that means it: one that dies before it has said so does not count.
    fn await_start(&mut self, slot: usize) -> Result<(), Errno> {
        loop {
            let connection = socket::accept(self.slot(slot)?)?;
            if sync::look_for(connection.as_fd(), Kind::Start).is_ok() {
                self.socket = connection;
                drop(self.take(slot)?);
                return Ok(());
            }
        }
    }

    fn run_hooks(
        &mut self,
        kind: &str,
        caps: Option<cred::CapSets>,
        filter: bool,
        why: &mut Why,
    ) -> Result<(), Errno> {
        let (state, dir) = if kind == "startContainer" {
            (&mut self.hook_state.created, Dir::Same)
        } else {
            (&mut self.hook_state.creating, Dir::Open(self.root.dir()?))
        };
        fill_in_pid(state, nix::unistd::getpid().as_raw());
        let setting = Setting { dir, caps, filter: self.filter.filter(|_| filter) };
        for (index, hook) in self.hooks.remove(0).iter().enumerate() {
            why.said = Text::default();
            if let Err(outcome) = hooks::run(hook, state, &setting, &mut why.said) {
                let (errno, detail) = outcome.encode();
                why.detail = detail | i32::try_from(index).unwrap_or(0) << 20;
                return Err(errno);
            }
        }
        Ok(())
    }

    /// Continues in a sibling that is born into the new namespaces, once the runtime knows it.
    fn fork(&self, flags: u64) -> Result<(), Errno> {
        match clone3(flags | u64::from(libc::CLONE_PARENT.cast_unsigned()), None)? {
            Clone::Child => self.expect(Kind::Go),
            Clone::Parent { pid, pidfd } => {
                sync::send_fd(self.socket.as_fd(), Kind::Forked, pid, pidfd.as_fd())?;
                exit_now(0)
            }
        }
    }

    fn console(&mut self, plan: &crate::plan::Console) -> Result<(), Errno> {
        let socket = self.take(plan.slot)?;
        console::set_up(&self.root, plan, socket.as_fd())
    }

    fn join_container(&mut self, flags: i32) -> Result<(), Errno> {
        let container = self.container.take().ok_or(Errno::EBADF)?;
        setns(container.as_fd(), flags)?;
        self.root = Root::current()?;
        Ok(())
    }

    fn load_filter(&self) -> Result<(), Errno> {
        let filter = self.filter.ok_or(Errno::EINVAL)?;
        match seccomp::load(&filter.program, filter.flags)? {
            Some(listener) => sync::send_fd(self.socket.as_fd(), Kind::Listener, 0, listener.as_fd()),
            None => Ok(()),
        }
    }
}

/// Steps that change nothing but the process itself.
fn apply_to_self(op: &Op) -> Result<(), Errno> {
    match op {
        Op::Undumpable => cred::prctl(libc::PR_SET_DUMPABLE, 0, 0).map(drop),
        Op::BecomeRoot { drop_groups } => credentials::become_root(*drop_groups),
        // A session leader already, when `run` made us one.
        Op::NewSession => match nix::unistd::setsid() {
            Ok(_) | Err(Errno::EPERM) => Ok(()),
            Err(errno) => Err(errno),
        },
        // A kernel without keyrings, or a filter around us that hides them, is no reason to refuse.
        Op::NewKeyring { name } => match cred::join_session_keyring(name) {
            Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
            done => done,
        },
        Op::Scheduler(attr) => sched::sched_setattr(attr),
        Op::IoPriority { value } => sched::set_io_priority(*value),
        // As many as the kernel can be built for; it takes those that are there.
        Op::AllCpus => sched::set_affinity(&[u64::MAX; 8192 / 64]),
        Op::Affinity { mask } => sched::set_affinity(mask),
        Op::MemoryPolicy { mode, nodes } => sched::set_mempolicy(*mode, nodes),
        Op::Personality { domain } => sched::set_personality(*domain),
        Op::Umask { mask } => {
            nix::sys::stat::umask(Mode::from_bits_truncate(*mask));
            Ok(())
        }
        Op::OwnStdio { uid } => credentials::own_stdio(*uid),
        Op::BoundingSet { drop: caps } => credentials::drop_bounding(caps),
        Op::Identity(identity) => credentials::become_user(identity),
        Op::CapSet(sets) => cred::capset(*sets),
        Op::Ambient { raise } => raise.iter().try_for_each(|&cap| {
            let raise = libc::PR_CAP_AMBIENT_RAISE.cast_unsigned();
            cred::prctl(libc::PR_CAP_AMBIENT, raise.into(), cap.into()).map(drop)
        }),
        Op::NoNewPrivileges => cred::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop),
        Op::Rlimit(limit) => sched::set_rlimit(limit.resource, limit.soft, limit.hard),
        Op::CloseDescriptors { first } => close_from_on_exec(*first),
        _ => Err(Errno::ENOSYS),
    }
}

/// Offsets can be written only while nobody is inside yet, so the namespace is entered afterwards.
fn new_time_namespace(offsets: &std::ffi::CStr) -> Result<(), Errno> {
    unshare(libc::CLONE_NEWTIME)?;
    if !offsets.is_empty() {
        let file = fd::openat2(nix::fcntl::AT_FDCWD, c"/proc/self/timens_offsets", libc::O_WRONLY, 0, 0)?;
        nix::unistd::write(&file, offsets.to_bytes())?;
    }
    let entry = fd::openat2(nix::fcntl::AT_FDCWD, c"/proc/self/ns/time_for_children", libc::O_RDONLY, 0, 0)?;
    setns(entry.as_fd(), libc::CLONE_NEWTIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_filled_in() {
        let mut document = br#"{"id":"c","pid":2147483647,"bundle":"/b"}"#.to_vec();
        fill_in_pid(&mut document, 1);
        let state: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(state["pid"], 1);
    }
}
