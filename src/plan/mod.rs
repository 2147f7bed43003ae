//! All policy, as data: a document, a request and the host's facts are compiled into a plan, without I/O.
//!
//! The parent acts on [`ParentPlan`], the container's init walks [`ChildPlan`]; neither looks at the document again.

pub mod cgroup;
mod cgroup_mounts;
mod devices;
mod error;
mod exec;
mod facts;
mod hooks;
mod ids;
pub mod intel_rdt;
mod limit_values;
mod limits;
mod mount;
mod mounts;
mod namespaces;
mod net_devices;
mod notify;
mod op;
mod options;
mod print;
mod process;
mod rights;
mod rootfs;
mod schedule;
pub mod seccomp;
mod sysctl;
mod text;
mod unit;
mod validate;

use std::path::Path;

use serde::Serialize;

pub use cgroup::{CgroupDir, CgroupPlan, CgroupUpdate, DevicePolicy};
pub use devices::{Access, DeviceKind, DeviceList, DeviceRule};
pub use error::Error;
pub use exec::{ExecPlan, compile as compile_exec};
pub use facts::{CgroupLayout, Hierarchy, HostFacts, Wanted};
pub use hooks::{HookPlan, poststart, poststop};
pub use ids::{IdKind, IdMap, IdMaps, MapWriter};
pub use intel_rdt::IntelRdtPlan;
pub use limits::{Absent, Write};
pub use mount::{Attach, Attrs, Idmap, NewFs, Open, Param, PropagationChange, Remount, Target, Tree};
pub use net_devices::NetDevicePlan;
pub use notify::NOTIFY_DIR;
pub use op::{Console, DeviceNode, Identity, Op, RlimitPlan, Slot, Step};
pub use options::names as mount_option_names;
pub use process::Program;
pub use seccomp::SeccompPlan;
pub use text::Text;
pub use unit::{Property, SystemdFacts, UnitPlan, Variant};

use crate::spec::{NamespaceKind, Spec};

/// What the caller asked for, beside the document.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Container id.
    pub id: &'a str,
    /// The bundle, absolute.
    pub bundle: &'a Path,
    /// Whether init waits for `start` (`create`) or goes on at once (`run`).
    pub wait_for_start: bool,
    /// Descriptors from 3 on that the program keeps (`--preserve-fds`, and those of LISTEN_FDS).
    pub preserve_fds: u32,
    /// Variables added to the program's environment (LISTEN_FDS).
    pub extra_env: Vec<String>,
    /// Directory for the socket of the program's sd_notify(3) messages, if they are wanted.
    pub notify_dir: Option<&'a Path>,
    /// Whether a process of `exec` waits until systemd may have moved it into its cgroup.
    pub moved: bool,
    /// `--no-pivot`.
    pub no_pivot: bool,
    /// `--no-new-keyring`.
    pub no_new_keyring: bool,
}

impl<'a> Request<'a> {
    /// A container of this id from this bundle, without any option.
    #[must_use]
    pub fn new(id: &'a str, bundle: &'a Path) -> Self {
        Self {
            id,
            bundle,
            wait_for_start: false,
            preserve_fds: 0,
            extra_env: Vec::new(),
            notify_dir: None,
            moved: false,
            no_pivot: false,
            no_new_keyring: false,
        }
    }
}

/// Everything that is done for one container.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// What the runtime's process does.
    pub parent: ParentPlan,
    /// What the container's init does.
    pub child: ChildPlan,
    /// What was accepted, but not as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What the runtime's process does.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ParentPlan {
    /// The cgroup, made before clone.
    pub cgroup: CgroupPlan,
    /// The class of service and the monitoring group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdtPlan>,
    /// What is opened before clone.
    pub open: Vec<Open>,
    /// Namespaces that clone3 makes.
    pub namespaces: Vec<NamespaceKind>,
    /// A pid namespace that the parent joins around clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join_pid: Option<Slot>,
    /// Maps of the new user namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_maps: Option<IdMaps>,
    /// Interfaces that are moved into the container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub net_devices: Vec<NetDevicePlan>,
    /// Value for /proc/PID/oom_score_adj.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// prestart and createRuntime hooks, by property name.
    pub create_hooks: Vec<(&'static str, HookPlan)>,
    /// poststart hooks.
    pub poststart: Vec<HookPlan>,
    /// The filter, compiled before clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompPlan>,
}

/// What the container's init does.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ChildPlan {
    /// Operations, in order.
    pub steps: Vec<Step>,
    /// The program; absent when config.json has no process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
}

/// Collects a plan in the making.
struct Builder {
    steps: Vec<Step>,
    open: Vec<Open>,
    warnings: Vec<String>,
    /// Steps for when nothing below these mounts is made any more.
    late: Vec<Step>,
}

impl Default for Builder {
    /// Room for a usual plan: a list that grows leaves the memory behind that it had, and room that is not used is
    /// never touched.
    fn default() -> Self {
        let (steps, open) = (Vec::with_capacity(128), Vec::with_capacity(32));
        Self { steps, open, warnings: Vec::new(), late: Vec::new() }
    }
}

impl Builder {
    fn step(&mut self, at: &str, op: Op) {
        self.steps.push(Step { at: at.to_owned(), op });
    }

    fn open(&mut self, open: Open) -> Slot {
        self.open.push(open);
        self.open.len() - 1
    }

    /// Has init clone the trees, after its first `steps` steps: in a mount namespace of its own it has the rights that
    /// the runtime lacks, and it still reads directories as the caller does.
    fn leave_trees_to_init(&mut self, steps: usize) {
        let slots = self.open.iter_mut().enumerate();
        let clones: Vec<Step> = slots
            .filter_map(|(slot, open)| match std::mem::replace(open, Open::ByInit) {
                Open::Tree(tree) => Some(Step { at: tree.at.clone(), op: Op::CloneTree { slot, tree } }),
                other => {
                    *open = other;
                    None
                }
            })
            .collect();
        self.steps.splice(steps..steps, clones);
    }

    /// The slot of a namespace that is joined.
    fn joined(&self, wanted: NamespaceKind) -> Option<Slot> {
        self.open.iter().position(|open| matches!(open, Open::Namespace { kind, .. } if *kind == wanted))
    }

    fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}

/// Compiles config.json into a plan for `create` or `run`, or says which property cannot be honoured.
pub fn compile(spec: &Spec, request: &Request, facts: &HostFacts) -> Result<Plan, Error> {
    let mut out = Builder::default();
    validate::document(spec, &mut out)?;
    let cgroup = cgroup::compile(request.id, spec, facts)?;
    let intel_rdt = intel_rdt::compile(request.id, spec, facts, &mut out)?;
    let net_devices = net_devices::compile(spec)?;
    let seccomp = seccomp_of(spec, &mut out)?;
    let hooks = hooks::compile(spec)?;
    let namespaces = namespaces::compile(spec, &cgroup, facts, &mut out)?;
    namespaces::after_cgroups(spec, request, facts, &mut out)?;
    let id_maps = namespaces.id_maps.as_ref();
    let cx = mounts::Context { spec, bundle: request.bundle, facts, id_maps, cgroup: &cgroup };
    rootfs::enter(&cx, &mut out)?;
    mounts::compile(&cx, &mut out)?;
    if let Some(dir) = request.notify_dir {
        notify::mount(dir, &mut out)?;
    }
    rootfs::devices(&cx, &mut out)?;
    hooks.during_create(&mut out);
    rootfs::pivot(&cx, request, &mut out)?;
    process::terminal(spec.process.as_ref(), &mut out);
    namespaces::names(spec, &mut out)?;
    sysctl::compile(spec, &mut out)?;
    rootfs::finish(spec, &mut out)?;
    let program = process::compile(&cx, request, seccomp.as_ref(), &hooks, &mut out)?;
    if facts.foreign_mounts {
        out.leave_trees_to_init(namespaces.steps);
    }
    let parent = ParentPlan {
        cgroup,
        intel_rdt,
        net_devices,
        namespaces: namespaces.created,
        join_pid: namespaces.join_pid,
        id_maps: namespaces.id_maps,
        oom_score_adj: spec.process.as_ref().map_or(Ok(None), process::oom_score_adj)?,
        create_hooks: hooks.create_runtime,
        poststart: hooks.poststart,
        seccomp,
        open: out.open,
    };
    Ok(Plan { parent, child: ChildPlan { steps: out.steps, program }, warnings: out.warnings })
}

/// The seccomp profile, if there is one.
fn seccomp_of(spec: &Spec, out: &mut Builder) -> Result<Option<SeccompPlan>, Error> {
    let Some(profile) = &spec.linux.seccomp else { return Ok(None) };
    let plan = SeccompPlan::compile(profile)?;
    plan.warnings.iter().for_each(|warning| out.warn(warning));
    Ok(Some(plan))
}
