//! `hooks`: programs run at six points of the lifecycle (config.md, "POSIX-platform Hooks").

use serde::Serialize;

use super::{Builder, Error, Op, Text};
use crate::spec::{Hook, Hooks, Spec};

/// One hook, ready to be executed.
#[derive(Debug, Clone, Serialize)]
pub struct HookPlan {
    /// JSON path, for messages.
    pub at: String,
    /// Absolute path of the program.
    pub path: Text,
    /// argv; never empty.
    pub args: Vec<Text>,
    /// The whole environment.
    pub env: Vec<Text>,
    /// Seconds after which it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// All six kinds.
pub(super) struct HookPlans {
    pub create_runtime: Vec<(&'static str, HookPlan)>,
    pub create_container: Vec<HookPlan>,
    pub start_container: Vec<HookPlan>,
    pub poststart: Vec<HookPlan>,
}

pub(super) fn compile(spec: &Spec) -> Result<HookPlans, Error> {
    let hooks = &spec.hooks;
    let env = spec.process.as_ref().map_or(&[][..], |process| &process.env);
    let prestart = list("prestart", &hooks.prestart)?.into_iter().map(|hook| ("prestart", hook));
    let create_runtime =
        list("createRuntime", &hooks.create_runtime)?.into_iter().map(|hook| ("createRuntime", hook));
    poststop(hooks)?;
    Ok(HookPlans {
        create_runtime: prestart.chain(create_runtime).collect(),
        create_container: list("createContainer", &hooks.create_container)?,
        start_container: list_with("startContainer", &hooks.start_container, env)?,
        poststart: poststart(hooks)?,
    })
}

/// The hooks that `start` runs once the program was executed.
pub fn poststart(hooks: &Hooks) -> Result<Vec<HookPlan>, Error> {
    list("poststart", &hooks.poststart)
}

/// The hooks that `delete` runs at the very end.
pub fn poststop(hooks: &Hooks) -> Result<Vec<HookPlan>, Error> {
    list("poststop", &hooks.poststop)
}

impl HookPlans {
    /// Those that belong between the mounts and pivot_root.
    pub fn during_create(&self, out: &mut Builder) {
        if !self.create_runtime.is_empty() {
            out.step("hooks.createRuntime", Op::AwaitHooks);
        }
        if !self.create_container.is_empty() {
            let hooks = self.create_container.clone();
            let kind = "createContainer";
            out.step("hooks.createContainer", Op::RunHooks { kind, hooks, caps: None, filter: false });
        }
    }
}

fn list(kind: &str, hooks: &[Hook]) -> Result<Vec<HookPlan>, Error> {
    list_with(kind, hooks, &[])
}

/// `env` is what a hook gets that names none.
fn list_with(kind: &str, hooks: &[Hook], env: &[String]) -> Result<Vec<HookPlan>, Error> {
    let hooks = hooks.iter().enumerate();
    hooks.map(|(index, hook)| one(&format!("hooks.{kind}[{index}]"), hook, env)).collect()
}

fn one(at: &str, hook: &Hook, env: &[String]) -> Result<HookPlan, Error> {
    if !hook.path.is_absolute() {
        return Err(Error::new(format!("{at}.path"), "is not an absolute path").hint("begin it with /"));
    }
    let timeout = match hook.timeout {
        None => None,
        Some(seconds) => {
            Some(u32::try_from(seconds).ok().filter(|&seconds| seconds > 0).ok_or_else(|| {
                Error::new(format!("{at}.timeout"), format!("is {seconds}"))
                    .hint("write a number of seconds above 0")
            })?)
        }
    };
    let path = Text::new(format_args!("{at}.path"), hook.path.as_os_str().as_encoded_bytes())?;
    let texts = |name: &str, list: &[String]| -> Result<Vec<Text>, Error> {
        list.iter()
            .enumerate()
            .map(|(i, text)| Text::new(format_args!("{at}.{name}[{i}]"), text.as_str()))
            .collect()
    };
    let mut args = texts("args", &hook.args)?;
    if args.is_empty() {
        args.push(path.clone());
    }
    Ok(HookPlan {
        at: at.to_owned(),
        args,
        env: texts("env", hook.env.as_deref().unwrap_or(env))?,
        path,
        timeout,
    })
}
