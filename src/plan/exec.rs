//! The plan of `exec`: one more process in a container that runs already.

use caps::Capability;
use serde::Serialize;

use super::op::Op;
use super::process::{self, Filter};
use super::rights::Rights;
use super::{Builder, ChildPlan, Error, HostFacts, Open, Request, SeccompPlan, namespaces, schedule};
use crate::spec::{Capabilities, NamespaceKind, Process, Spec};

/// Everything that is done for one further process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExecPlan {
    /// What is opened before clone.
    pub open: Vec<Open>,
    /// Whether the parent joins the container's pid namespace around clone.
    pub join_pid: bool,
    /// The filter, compiled before clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompPlan>,
    /// Value for /proc/PID/oom_score_adj.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// What the new process does.
    pub child: ChildPlan,
    /// What was accepted, but not as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Compiles `process` for the container that `spec` made; `spec` is the copy that `create` saved.
pub fn compile(
    spec: &Spec,
    process: &Process,
    request: &Request,
    facts: &HostFacts,
) -> Result<ExecPlan, Error> {
    let mut out = Builder::default();
    let seccomp = super::seccomp_of(spec, &mut out)?;
    let flags = spec.linux.namespaces.iter().fold(0, |flags, ns| flags | ns.kind.clone_flag());
    // Joining a pid namespace takes effect only for children, and CAP_SYS_ADMIN in one's own user namespace.
    let join_pid =
        facts.may(Capability::CAP_SYS_ADMIN) && flags & libc::CLONE_NEWPID != 0 && !may_be_looked_into(spec);
    let flags = if join_pid { flags & !libc::CLONE_NEWPID } else { flags };
    let forks = flags & libc::CLONE_NEWPID != 0;
    if request.moved || namespaces::awaits_oom_score(Some(process), facts, forks) {
        out.step("", Op::AwaitGo);
    }
    out.step("", Op::Undumpable);
    let affinity = process.exec_cpu_affinity.clone().unwrap_or_default();
    cpus("process.execCPUAffinity.initial", &affinity.initial, &mut out)?;
    out.step("", Op::JoinCgroups);
    if affinity.initial.is_empty() && affinity.after.is_empty() {
        out.step("", Op::AllCpus);
    }
    cpus("process.execCPUAffinity.final", &affinity.after, &mut out)?;
    out.step("", Op::JoinContainer { flags });
    if forks {
        out.step("", Op::Fork { flags: 0 });
    }
    out.step("", Op::NewSession);
    process::keyring(Some(process), request, facts, &mut out)?;
    if process.terminal {
        let slot = out.open(Open::ConsoleSocket);
        let size = process.console_size.map(|size| (size.height, size.width));
        out.step("process.terminal", Op::Console(super::Console { slot, size, mount: false }));
    }
    process::labels(process, facts, &mut out)?;
    schedule::compile(spec, process, &mut out)?;
    let own_user_ns = spec.linux.namespaces.iter().any(|ns| ns.kind == NamespaceKind::User);
    let rights = Rights::new(process, facts, own_user_ns, &mut out);
    let filter = Filter::place(seccomp.as_ref(), process.no_new_privileges);
    let program = process::program(process, &request.extra_env)?;
    process::become_user(process, facts, &rights, filter, &program, &mut out)?;
    out.step("", Op::Ready);
    process::last_steps(process, &rights, filter, request.preserve_fds, &mut out)?;
    let child = ChildPlan { steps: out.steps, program: Some(program) };
    let oom_score_adj = process::oom_score_adj(process)?;
    Ok(ExecPlan { open: out.open, join_pid, seccomp, oom_score_adj, child, warnings: out.warnings })
}

/// Whether a process of the container may look into one that comes to it, although that is undumpable: with CAP_SYS_PTRACE
/// over the user namespace that the runtime was executed in (ptrace(2), "Ptrace access mode checking").
///
/// Born into the pid namespace, a process has the host's root directory until it has joined the others, and whoever looks
/// at /proc/PID/root then is out (CVE-2016-9962 and its like). So the first process joins all of them before it has a child
/// there, which goes on: one clone more.
fn may_be_looked_into(spec: &Spec) -> bool {
    let listed = |kind| spec.linux.namespaces.iter().find(move |namespace| namespace.kind == kind);
    let shared = listed(NamespaceKind::Pid).is_some_and(|namespace| namespace.path.is_some());
    let granted = spec.process.iter().filter_map(|process| process.capabilities.as_ref());
    let mut granted = granted.flat_map(|sets| {
        let Capabilities { ambient, bounding, effective, inheritable, permitted } = sets;
        [ambient, bounding, effective, inheritable, permitted].into_iter().flatten()
    });
    let may_trace = granted.any(|name| matches!(name.parse(), Ok(Capability::CAP_SYS_PTRACE)));
    listed(NamespaceKind::User).is_none() && (shared || may_trace)
}

fn cpus(at: &str, list: &str, out: &mut Builder) -> Result<(), Error> {
    let mask = schedule::cpu_list(at, list)?;
    if !mask.is_empty() {
        out.step(at, Op::Affinity { mask });
    }
    Ok(())
}
