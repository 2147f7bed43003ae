//! `restore`: a container runs on from the files of a checkpoint, by means of CRIU.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checkpoint::{Folders, criu_config};
use super::console::Console;
use super::launch::{self, Birth, Compiled};
use super::{Driver, delete, start};
use crate::checkpoint::external::{self, Joined};
use crate::checkpoint::stdio::{Inherited, Streams};
use crate::checkpoint::{
    Criu, Notice, Options, Task, cgroups_of, in_private_mounts, mount_root, prepare_mount_points,
};
use crate::cli::Restore;
use crate::error::Cause;
use crate::log::Log;
use crate::plan::NOTIFY_DIR;
use crate::process::{self, Foreground, Moment};
use crate::spec::{self, Namespace, NamespaceKind};
use crate::state::{self, Container, Store};
use crate::sys::{Context, clone, net, socket};

/// Returns the program's exit code, or 0 with `--detach`.
pub(super) fn restore(store: &Store, request: &Restore, driver: Driver, log: &Log) -> Result<u8, Cause> {
    let create = &request.create;
    state::check_id(&create.id)?;
    let compiled = launch::compile(store, create, false, driver, log)?;
    let terminal = compiled.spec.process.as_ref().is_some_and(|process| process.terminal);
    let mut console = Console::open(terminal, create.console_socket.as_deref(), !request.detach)?;
    let folders = Folders::make(&request.images)?;
    folders.refuse_links()?;
    let mut inherited = Streams::load(&folders.images)?.inherit()?;
    let mut options = Options {
        flags: request.images.flags,
        mounts: external::sources(&external::mounts(&compiled.plan)?),
        join: join_namespaces(&compiled.spec.linux.namespaces, &mut inherited)?,
        lsm_profile: request.lsm_profile.clone(),
        lsm_mount_context: request.lsm_mount_context.clone(),
        ..Options::default()
    };
    let mut birth = Birth::begin(store, create, &compiled, log)?;
    options.root = birth.container()?.make_folder("criu-root")?;
    options.config = criu_config(birth.container()?);
    if options.mounts.iter().all(|(name, _)| name != Path::new(NOTIFY_DIR)) {
        // The container may have been created for a supervisor that nobody has now.
        options.mounts.push((NOTIFY_DIR.into(), birth.container()?.make_folder("notify")?));
    }
    in_private_mounts(|| prepare_mount_points(&compiled.plan))?;
    let (opened, criu) = in_private_mounts(|| {
        mount_root(&compiled.plan, &options.root)?;
        let mut opened = folders.open()?;
        compiled.plan.parent.id_maps.iter().try_for_each(|maps| opened.show_to_root_of(maps))?;
        Ok::<_, Cause>((opened, Criu::spawn()?))
    })?;
    // Later than CRIU, which would inherit that all signals are blocked.
    let foreground = if request.detach { None } else { Some(Foreground::new(!request.no_subreaper)?) };
    birth.adopt(criu.pid())?;
    opened.tell(&mut options);
    options.cgroup_roots = cgroups_of(criu.pid())?;
    options.inherit.clone_from(&inherited.names);
    let mut restored = None;
    criu.carry_out(Task::Restore, &options, folders.logs(), |notice| {
        restored = receive(notice, &mut birth, &compiled, console.sender.as_ref())?.or(restored.take());
        Ok::<_, Cause>(())
    })?;
    let (pid, pidfd) = restored.ok_or(crate::checkpoint::Error::Protocol)?;
    if let Some(path) = &create.pid_file {
        launch::write_pid_file(path, pid)?;
    }
    // A checkpoint without a terminal sends none, and nobody else can.
    drop(console.sender.take());
    let terminal = console.receive()?;
    let mut container = birth.keep()?;
    let Some(foreground) = foreground else { return Ok(0) };
    container.unlock();
    let exit = foreground.wait(pid, pidfd.as_fd(), terminal, None)?;
    delete::destroy_ended(container, log)?;
    Ok(exit.shell_code())
}

/// What CRIU cannot do alone; returns the first process, which does not run yet, when it has told who that is.
fn receive(
    notice: Notice,
    birth: &mut Birth,
    compiled: &Compiled,
    terminal: Option<&OwnedFd>,
) -> Result<Option<(i32, OwnedFd)>, Cause> {
    match (notice.script.as_str(), notice.fd) {
        ("setup-namespaces", _) => {
            // CRIU leaves the interfaces of a namespace of the container's own to us.
            if has_own_network(&compiled.spec.linux.namespaces) {
                let path = format!("/proc/{}/ns/net", notice.pid);
                let netns = File::open(&path).map_err(Cause::io(path))?;
                net::loopback_up_in(netns.as_fd()).during("ioctl", "SIOCSIFFLAGS, lo")?;
            }
            let hooks = compiled.plan.parent.create_hooks.iter().map(|(_, hook)| hook);
            let state = launch::state_document(birth.container()?, Moment::Creating, notice.pid);
            process::run_hooks(hooks, &state, &launch::c_path(&compiled.bundle)?)?;
        }
        ("orphan-pts-master", Some(master)) => {
            let receiver = terminal.ok_or(process::Error::NoConsole)?;
            socket::send_with_fd(receiver.as_fd(), b"/dev/ptmx", master.as_fd())
                .during("sendmsg", "console socket")?;
        }
        ("post-restore", _) => {
            let pidfd = clone::pidfd_open(notice.pid).during("pidfd_open", notice.pid)?;
            birth.record(notice.pid)?;
            remember_time_namespace(birth.container()?)?;
            return Ok(Some((notice.pid, pidfd)));
        }
        _ => {}
    }
    Ok(None)
}

fn has_own_network(listed: &[Namespace]) -> bool {
    listed.iter().any(|namespace| namespace.kind == NamespaceKind::Network && namespace.path.is_none())
}

/// Opens the namespaces that the checkpoint has by name, for CRIU to inherit; returns those that it joins by path.
fn join_namespaces(
    listed: &[Namespace],
    inherited: &mut Inherited,
) -> Result<Vec<(&'static str, PathBuf)>, Cause> {
    let mut by_path = Vec::new();
    for namespace in external::namespaces(listed)? {
        match namespace {
            Joined::ByName { kind, name, path } => {
                let file = File::open(path);
                let file = file.map_err(Cause::io(format!("{kind} namespace {}", path.display())))?;
                inherited.add(name.to_owned(), file.into())?;
            }
            Joined::ByPath { kind, path } => by_path.push((kind, path.to_owned())),
        }
    }
    Ok(by_path)
}

/// CRIU keeps the container's clocks by a time namespace, which the document may not have; `exec` must join it too.
fn remember_time_namespace(container: &Container) -> Result<(), Cause> {
    let inode = |path: String| std::fs::metadata(path).map(|found| found.ino()).ok();
    let listed = start::saved_spec(container)?.linux.namespaces;
    let known = listed.iter().any(|namespace| namespace.kind == NamespaceKind::Time);
    let own = inode("/proc/self/ns/time".to_owned());
    if known || inode(format!("/proc/{}/ns/time", container.record.pid)) == own {
        return Ok(());
    }
    let (path, text) = container.config()?;
    let mut config: Value = spec::parse(&path, &text)?;
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.push(json!({ "type": "time" }));
    }
    Ok(container.save_config(&serde_json::to_vec(&config).map_err(Cause::json("config.json"))?)?)
}
