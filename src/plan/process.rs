//! `process`: identity, rights and limits of the program, and the order in which init gives them to itself.

use serde::Serialize;

use std::ffi::CStr;

use super::hooks::HookPlans;
use super::mounts::{Context, target};
use super::op::{Console, Identity, Op, RlimitPlan};
use super::rights::Rights;
use super::{Builder, Error, HostFacts, IdMaps, MapWriter, Open, Request, SeccompPlan, Target, Text};
use super::{notify, schedule};
use crate::spec::{NamespaceKind, Process, Rlimit, RlimitKind, User};

/// The program to execute.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    /// argv.
    pub args: Vec<Text>,
    /// The whole environment.
    pub env: Vec<Text>,
    /// Paths to try, in order (execvp(3)).
    pub candidates: Vec<Text>,
    /// Whether HOME must be looked up inside.
    pub needs_home: bool,
}

/// PATH when the environment has none (execvp(3)).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Files are created without write permission for others, as every engine expects.
const DEFAULT_UMASK: u32 = 0o022;

/// (uid_t) -1 means "no change" to the kernel, so it can be nobody's id.
const NO_ID: u32 = u32::MAX;

/// The terminal, which needs the container's devpts but must come before paths are masked.
pub(super) fn terminal(process: Option<&Process>, out: &mut Builder) {
    let Some(process) = process.filter(|process| process.terminal) else { return };
    let slot = out.open(Open::ConsoleSocket);
    let size = process.console_size.map(|size| (size.height, size.width));
    out.step("process.terminal", Op::Console(Console { slot, size, mount: true }));
}

/// Everything from the labels to execve.
pub(super) fn compile(
    cx: &Context,
    request: &Request,
    seccomp: Option<&SeccompPlan>,
    hooks: &HookPlans,
    out: &mut Builder,
) -> Result<Option<Program>, Error> {
    let Some(process) = &cx.spec.process else {
        out.step("", Op::Ready);
        if request.wait_for_start {
            let slot = out.open(Open::StartSocket);
            out.step("", Op::AwaitStart { slot });
        }
        out.step("process", Op::Exec);
        return Ok(None);
    };
    let mut extra_env = request.extra_env.clone();
    extra_env.extend(request.notify_dir.map(|_| notify::VARIABLE.to_owned()));
    let program = program(process, &extra_env)?;
    cx.id_maps.map_or(Ok(()), |maps| check_mapped(&process.user, maps))?;
    labels(process, cx.facts, out)?;
    schedule::compile(cx.spec, process, out)?;
    let own_user_ns = cx.spec.linux.namespaces.iter().any(|ns| ns.kind == NamespaceKind::User);
    let capabilities = Rights::new(process, cx.facts, own_user_ns, out);
    let filter = Filter::place(seccomp, process.no_new_privileges);
    become_user(process, cx.facts, &capabilities, filter, &program, out)?;
    out.step("", Op::Ready);
    if request.wait_for_start {
        let slot = out.open(Open::StartSocket);
        out.step("", Op::AwaitStart { slot });
    }
    if !hooks.start_container.is_empty() {
        // Programs of the container, with no more rights than its own has.
        let (kind, hooks) = ("startContainer", hooks.start_container.clone());
        let caps =
            (capabilities.until_exec(process, filter) != capabilities.sets).then_some(capabilities.sets);
        let filter = matches!(filter, Filter::BeforeCaps | Filter::Last);
        out.step("hooks.startContainer", Op::RunHooks { kind, hooks, caps, filter });
    }
    last_steps(process, &capabilities, filter, request.preserve_fds, out)?;
    Ok(Some(program))
}

/// Where in the order the seccomp filter is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    None,
    /// Before `Ready`: the parent must still be there to hand the listener to the agent.
    Early,
    /// Before capabilities are dropped, as loading needs CAP_SYS_ADMIN without no_new_privs.
    BeforeCaps,
    /// Right before execve.
    Last,
}

impl Filter {
    pub fn place(seccomp: Option<&SeccompPlan>, no_new_privileges: bool) -> Self {
        match seccomp {
            None => Self::None,
            Some(plan) if plan.listener.is_some() => Self::Early,
            Some(_) if no_new_privileges => Self::Last,
            Some(_) => Self::BeforeCaps,
        }
    }
}

/// What init does to become the user, up to the point where it may wait for `start`.
pub(super) fn become_user(
    process: &Process,
    facts: &HostFacts,
    rights: &Rights,
    filter: Filter,
    program: &Program,
    out: &mut Builder,
) -> Result<(), Error> {
    out.step("process.user.umask", Op::Umask { mask: umask(&process.user)? });
    out.step("process.cwd", Op::Cwd { path: cwd(process)? });
    let mut identity = identity(&process.user)?;
    if facts.no_setgroups {
        if !process.user.additional_gids.is_empty() {
            out.warn("process.user.additionalGids: is ignored: setgroups(2) is denied in the user namespace around us");
        }
        identity.groups = None;
    }
    if identity.uid != 0 {
        out.step("process.user.uid", Op::OwnStdio { uid: identity.uid });
    }
    out.step("process.capabilities.bounding", Op::BoundingSet { drop: rights.dropped() });
    let uid = identity.uid;
    out.step("process.user", Op::Identity(identity));
    out.step("process.capabilities", Op::CapSet(rights.until_exec(process, filter)));
    if process.no_new_privileges {
        out.step("process.noNewPrivileges", Op::NoNewPrivileges);
    }
    if filter == Filter::Early {
        out.step("linux.seccomp", Op::Seccomp);
    }
    if program.needs_home {
        out.step("", Op::Home { uid });
    }
    out.step("process.args[0]", Op::FindProgram);
    Ok(())
}

/// What is left for the very end: limits, so that they cannot break our own work, and rights.
pub(super) fn last_steps(
    process: &Process,
    rights: &Rights,
    filter: Filter,
    preserve_fds: u32,
    out: &mut Builder,
) -> Result<(), Error> {
    out.step("", Op::CloseDescriptors { first: 3 + preserve_fds });
    // Before a filter that may not allow even this.
    out.step("", Op::DefaultSignals);
    rlimits(&process.rlimits, out)?;
    // As late as the filter lets us.
    out.step("", Op::Farewell);
    if filter == Filter::BeforeCaps {
        out.step("linux.seccomp", Op::Seccomp);
    }
    if rights.until_exec(process, filter) != rights.sets {
        out.step("process.capabilities", Op::CapSet(rights.sets));
    }
    if !rights.ambient.is_empty() {
        out.step("process.capabilities.ambient", Op::Ambient { raise: rights.ambient.clone() });
    }
    if filter == Filter::Last {
        out.step("linux.seccomp", Op::Seccomp);
    }
    out.step("process.args", Op::Exec);
    Ok(())
}

/// Value for /proc/PID/oom_score_adj (proc_pid_oom_score_adj(5)).
pub(super) fn oom_score_adj(process: &Process) -> Result<Option<i64>, Error> {
    match process.oom_score_adj {
        Some(score) if !(-1000..=1000).contains(&score) => {
            Err(Error::new("process.oomScoreAdj", format!("is {score}")).hint("write -1000 to 1000"))
        }
        score => Ok(score),
    }
}

/// The working directory.
pub(super) fn cwd(process: &Process) -> Result<Target, Error> {
    if process.cwd.is_absolute() {
        return target("process.cwd", &process.cwd);
    }
    Err(Error::new("process.cwd", format!("{:?} is not an absolute path", process.cwd.display()))
        .hint("begin it with /"))
}

/// argv, environment and the places to look for the program.
pub(super) fn program(process: &Process, extra_env: &[String]) -> Result<Program, Error> {
    let Some(name) = process.args.first().filter(|name| !name.is_empty()) else {
        return Err(Error::new("process.args", "names no program").hint("give at least one argument"));
    };
    let mut env: Vec<(&str, &String)> = Vec::with_capacity(process.env.len() + extra_env.len());
    for (index, entry) in process.env.iter().chain(extra_env).enumerate() {
        let Some((key, _)) = entry.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::new(format!("process.env[{index}]"), format!("{entry:?} is not NAME=value"))
                .hint("write NAME= for an empty value, or remove the entry"));
        };
        match env.iter_mut().find(|(earlier, _)| *earlier == key) {
            Some(earlier) => earlier.1 = entry,
            None => env.push((key, entry)),
        }
    }
    let value =
        |name: &str| env.iter().find(|(key, _)| *key == name).map(|(key, entry)| &entry[key.len() + 1..]);
    let texts = |at: &str, list: &mut dyn Iterator<Item = &String>| -> Result<Vec<Text>, Error> {
        list.enumerate().map(|(i, text)| Text::new(format_args!("{at}[{i}]"), text.as_str())).collect()
    };
    Ok(Program {
        args: texts("process.args", &mut process.args.iter())?,
        candidates: candidates(name, value("PATH").unwrap_or(DEFAULT_PATH))?,
        needs_home: value("HOME").is_none_or(str::is_empty),
        env: texts(
            "process.env",
            &mut env.iter().filter(|(key, entry)| *key != "HOME" || entry.len() > 5).map(|(_, entry)| *entry),
        )?,
    })
}

fn candidates(name: &str, path: &str) -> Result<Vec<Text>, Error> {
    let at = "process.args[0]";
    if name.contains('/') {
        return Ok(vec![Text::new(at, name)?]);
    }
    path.split(':')
        .map(|dir| Text::new(at, if dir.is_empty() { format!("./{name}") } else { format!("{dir}/{name}") }))
        .collect()
}

fn umask(user: &User) -> Result<u32, Error> {
    match user.umask {
        None => Ok(DEFAULT_UMASK),
        Some(mask) if mask <= 0o777 => Ok(mask),
        Some(mask) => Err(Error::new("process.user.umask", format!("{mask} is no file mode"))
            .hint("JSON has no octal numbers: write 022 as 18")),
    }
}

fn identity(user: &User) -> Result<Identity, Error> {
    let valid = |at: &str, id: u32| match id {
        NO_ID => Err(Error::new(at, format!("{id} is nobody's id")).hint("the largest id is 4294967294")),
        id => Ok(id),
    };
    for (index, &gid) in user.additional_gids.iter().enumerate() {
        valid(&format!("process.user.additionalGids[{index}]"), gid)?;
    }
    Ok(Identity {
        uid: valid("process.user.uid", user.uid)?,
        gid: valid("process.user.gid", user.gid)?,
        groups: Some(user.additional_gids.clone()),
    })
}

/// Ids of the program exist only if they are mapped, and groups can be set only where that was not given up.
fn check_mapped(user: &User, maps: &IdMaps) -> Result<(), Error> {
    if maps.gids.writer == MapWriter::WithoutGroups && !user.additional_gids.is_empty() {
        let why = "setgroups(2) is denied to a user who maps no group but their own";
        return Err(Error::new("process.user.additionalGids", why)
            .hint("remove the list, or map ranges of /etc/subgid in linux.gidMappings"));
    }
    let groups = user.additional_gids.iter().enumerate();
    let groups = groups.map(|(index, &gid)| (format!("additionalGids[{index}]"), gid, &maps.gids));
    let ids = [("uid".to_owned(), user.uid, &maps.uids), ("gid".to_owned(), user.gid, &maps.gids)];
    for (name, id, map) in ids.into_iter().chain(groups) {
        if !map.contains(id) {
            let why = format!("{id} is not mapped in linux.{}", map.kind.property());
            return Err(
                Error::new(format!("process.user.{name}"), why).hint("choose a mapped id, or map this one")
            );
        }
    }
    Ok(())
}

/// The session keyring, which has the program's label: else the program could not use it.
pub(super) fn keyring(
    process: Option<&Process>,
    request: &Request,
    facts: &HostFacts,
    out: &mut Builder,
) -> Result<(), Error> {
    if request.no_new_keyring {
        return Ok(());
    }
    // It holds until execve.
    process.map_or(Ok(()), |process| selinux(process, facts, c"attr/keycreate", out))?;
    out.step("", Op::NewKeyring { name: Text::new("id", format!("_ses.{}", request.id))? });
    Ok(())
}

/// What the security modules of the host know the program by.
pub(super) fn labels(process: &Process, facts: &HostFacts, out: &mut Builder) -> Result<(), Error> {
    apparmor(process, facts, out)?;
    selinux(process, facts, c"attr/exec", out)
}

fn apparmor(process: &Process, facts: &HostFacts, out: &mut Builder) -> Result<(), Error> {
    let at = "process.apparmorProfile";
    match process.apparmor_profile.as_deref() {
        None | Some("") => return Ok(()),
        // Without AppArmor everything is.
        Some("unconfined") if !facts.apparmor => return Ok(()),
        Some(_) if !facts.apparmor => {
            return Err(Error::new(at, "this host has no AppArmor").hint("remove the profile"));
        }
        Some(profile) => {
            let (file, label) =
                (Text::from(c"attr/apparmor/exec"), Text::new(at, format!("exec {profile}"))?);
            out.step(at, Op::Label { file, label });
        }
    }
    Ok(())
}

fn selinux(process: &Process, facts: &HostFacts, file: &CStr, out: &mut Builder) -> Result<(), Error> {
    let at = "process.selinuxLabel";
    let Some(label) = process.selinux_label.as_deref().filter(|label| !label.is_empty()) else {
        return Ok(());
    };
    if !facts.selinux {
        return Err(Error::new(at, "this host has no SELinux").hint("remove the label"));
    }
    out.step(at, Op::Label { file: Text::from(file), label: Text::new(at, label)? });
    Ok(())
}

fn rlimits(limits: &[Rlimit], out: &mut Builder) -> Result<(), Error> {
    for (index, limit) in limits.iter().enumerate() {
        let at = format!("process.rlimits[{index}]");
        let (name, resource) = limit.kind.resource();
        if limits[..index].iter().any(|earlier| earlier.kind == limit.kind) {
            return Err(Error::new(format!("{at}.type"), format!("{name} is listed twice"))
                .hint("keep one of the two"));
        }
        if limit.soft > limit.hard {
            return Err(Error::new(
                format!("{at}.soft"),
                format!("{} is above hard ({})", limit.soft, limit.hard),
            )
            .hint("lower soft or raise hard"));
        }
        out.step(&at, Op::Rlimit(RlimitPlan { name, resource, soft: limit.soft, hard: limit.hard }));
    }
    Ok(())
}

impl RlimitKind {
    /// The name in config.json and the kernel's number.
    fn resource(self) -> (&'static str, u32) {
        #[allow(
            clippy::cast_sign_loss,
            clippy::unnecessary_cast,
            reason = "the type differs between C libraries"
        )]
        let number = |resource| resource as u32;
        match self {
            Self::As => ("RLIMIT_AS", number(libc::RLIMIT_AS)),
            Self::Core => ("RLIMIT_CORE", number(libc::RLIMIT_CORE)),
            Self::Cpu => ("RLIMIT_CPU", number(libc::RLIMIT_CPU)),
            Self::Data => ("RLIMIT_DATA", number(libc::RLIMIT_DATA)),
            Self::Fsize => ("RLIMIT_FSIZE", number(libc::RLIMIT_FSIZE)),
            Self::Locks => ("RLIMIT_LOCKS", number(libc::RLIMIT_LOCKS)),
            Self::Memlock => ("RLIMIT_MEMLOCK", number(libc::RLIMIT_MEMLOCK)),
            Self::Msgqueue => ("RLIMIT_MSGQUEUE", number(libc::RLIMIT_MSGQUEUE)),
            Self::Nice => ("RLIMIT_NICE", number(libc::RLIMIT_NICE)),
            Self::Nofile => ("RLIMIT_NOFILE", number(libc::RLIMIT_NOFILE)),
            Self::Nproc => ("RLIMIT_NPROC", number(libc::RLIMIT_NPROC)),
            Self::Rss => ("RLIMIT_RSS", number(libc::RLIMIT_RSS)),
            Self::Rtprio => ("RLIMIT_RTPRIO", number(libc::RLIMIT_RTPRIO)),
            Self::Rttime => ("RLIMIT_RTTIME", number(libc::RLIMIT_RTTIME)),
            Self::Sigpending => ("RLIMIT_SIGPENDING", number(libc::RLIMIT_SIGPENDING)),
            Self::Stack => ("RLIMIT_STACK", number(libc::RLIMIT_STACK)),
        }
    }
}
