//! `linux.seccomp`, understood: which system calls get which verdict, on which architectures.
//!
//! Everything a profile can get wrong is found here, so that `seccomp::compile` can only fail on size. The default
//! choices are runc's, which engines rely on: SPEC_ALLOW when `flags` is absent, rules that repeat the default
//! verdict are dropped, a rule that names one argument twice means either condition, not both.

mod syscalls;

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::Error;
use crate::spec;

pub use crate::spec::{Action, Arch, FilterFlag, Operator};
pub use syscalls::Syscall;

/// errno of a verdict that states none.
const EPERM: u16 = 1;

/// The largest errno that the kernel hands to a program.
const MAX_ERRNO: u32 = 4095;

/// Calls that the runtime makes after the filter is loaded, before the agent has its listener: notified, they would
/// wait for an agent that cannot answer yet. runc, too, refuses `write`.
const NEEDED_BEFORE_THE_AGENT: [&str; 2] = ["sendmsg", "write"];

/// A whole filter.
#[derive(Debug, Clone)]
pub struct SeccompPlan {
    /// Verdict of calls that no rule names.
    pub default: Verdict,
    /// Architectures that the profile lists; the native one is covered in any case.
    pub architectures: Vec<Arch>,
    /// Rules in the profile's order.
    pub rules: Vec<Rule>,
    /// seccomp(2) filter flags.
    pub flags: Vec<FilterFlag>,
    /// The agent that gets the listener; only with a rule that notifies.
    pub listener: Option<Listener>,
    /// Parts of the profile that have no effect.
    pub warnings: Vec<String>,
}

/// Some calls under some conditions, and what happens to them.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The calls.
    pub calls: Vec<Syscall>,
    /// What happens.
    pub verdict: Verdict,
    /// Ways to match; none means always. The conditions of one way must all hold.
    pub ways: Vec<Vec<Condition>>,
}

/// One comparison of an argument, unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// The comparison.
    pub op: Operator,
    /// Operand.
    pub value: u64,
    /// Bits of the argument that count.
    pub mask: u64,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// errno, or the message for a tracer; 0 with other actions.
    pub data: u16,
}

/// Who serves notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// A listening AF_UNIX stream socket.
    pub path: PathBuf,
    /// Opaque text passed on with the container's state.
    pub metadata: String,
}

impl SeccompPlan {
    /// Validates `profile`.
    pub fn compile(profile: &spec::Seccomp) -> Result<Self, Error> {
        let at = "linux.seccomp";
        if profile.default_action == Action::Notify {
            return Err(Error::new(
                format!("{at}.defaultAction"),
                "SCMP_ACT_NOTIFY would stop the runtime itself, before the agent has the listener",
            )
            .hint("name the calls to notify in rules"));
        }
        let default =
            verdict(profile.default_action, profile.default_errno_ret, || format!("{at}.defaultErrnoRet"))?;
        let path = profile.listener_path.clone().filter(|path| !path.as_os_str().is_empty());
        let metadata = profile.listener_metadata.clone().unwrap_or_default();
        if path.is_none() && !metadata.is_empty() {
            return Err(Error::new(format!("{at}.listenerMetadata"), "is set without listenerPath")
                .hint("name the agent's socket, or remove it"));
        }
        let mut plan = Self {
            default,
            architectures: Vec::new(),
            rules: Vec::with_capacity(profile.syscalls.len()),
            flags: profile.flags.clone().unwrap_or_else(|| vec![FilterFlag::SpecAllow]),
            listener: None,
            warnings: Vec::new(),
        };
        for &arch in &profile.architectures {
            if !plan.architectures.contains(&arch) {
                plan.architectures.push(arch);
            }
        }
        let mut notifies = false;
        for (i, rule) in profile.syscalls.iter().enumerate() {
            let at = format_args!("{at}.syscalls[{i}]");
            notifies |= check_notify(rule, path.is_some(), at)?;
            let rule = plan.rule(rule, at)?;
            plan.rules.push(rule);
        }
        plan.listener = path.filter(|_| notifies).map(|path| Listener { path, metadata });
        if plan.listener.is_none() && plan.flags.contains(&FilterFlag::WaitKillableRecv) {
            plan.flags.retain(|&flag| flag != FilterFlag::WaitKillableRecv);
            plan.warnings
                .push(format!("{at}.flags: WAIT_KILLABLE_RECV has no effect without SCMP_ACT_NOTIFY"));
        }
        Ok(plan)
    }

    fn rule(&mut self, rule: &spec::SyscallRule, at: fmt::Arguments) -> Result<Rule, Error> {
        if rule.names.is_empty() {
            return Err(Error::new(format!("{at}.names"), "names no system call").hint("remove the rule"));
        }
        let mut calls = Vec::with_capacity(rule.names.len());
        for (i, name) in rule.names.iter().enumerate() {
            if name.is_empty() {
                return Err(Error::new(format!("{at}.names[{i}]"), "is empty").hint("remove the entry"));
            }
            match Syscall::named(name) {
                Some(call) => calls.push(call),
                None => {
                    self.warnings.push(format!("{at}.names[{i}]: unknown system call {name:?} is skipped"));
                }
            }
        }
        let verdict = verdict(rule.action, rule.errno_ret, || format!("{at}.errnoRet"))?;
        let conditions = (rule.args.iter().enumerate())
            .map(|(i, arg)| condition(arg).ok_or_else(|| format!("{at}.args[{i}].index")))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|at| Error::new(at, "is above 5").hint("a system call has arguments 0 to 5"))?;
        Ok(Rule { calls, verdict, ways: ways(conditions) })
    }
}

/// Refuses a notification that could never be answered; says whether the rule notifies.
fn check_notify(rule: &spec::SyscallRule, has_listener: bool, at: fmt::Arguments) -> Result<bool, Error> {
    if rule.action != Action::Notify {
        return Ok(false);
    }
    if !has_listener {
        return Err(Error::new(format!("{at}.action"), "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath")
            .hint("name the agent's socket, or change the action"));
    }
    match rule.names.iter().enumerate().find(|(_, name)| NEEDED_BEFORE_THE_AGENT.contains(name)) {
        Some((i, name)) => Err(Error::new(
            format!("{at}.names[{i}]"),
            format!("SCMP_ACT_NOTIFY cannot be used for the {name} syscall"),
        )
        .hint("the runtime needs it to hand the listener over: leave it out of the rule")),
        None => Ok(true),
    }
}

fn verdict(action: Action, errno: Option<u32>, at: impl Fn() -> String) -> Result<Verdict, Error> {
    let (largest, what) = match action {
        Action::Errno => (MAX_ERRNO, "an errno is at most 4095"),
        Action::Trace => (u32::from(u16::MAX), "a tracer's message is at most 65535"),
        _ if errno.is_some() => {
            return Err(Error::new(at(), "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take an errno")
                .hint("remove it, or change the action"));
        }
        _ => return Ok(Verdict { action, data: 0 }),
    };
    let data = match errno {
        None => EPERM,
        Some(errno) if errno <= largest => u16::try_from(errno).unwrap_or(u16::MAX),
        Some(errno) => return Err(Error::new(at(), format!("is {errno}")).hint(what)),
    };
    Ok(Verdict { action, data })
}

fn condition(arg: &spec::Arg) -> Option<Condition> {
    let index = u8::try_from(arg.index).ok().filter(|&index| index < 6)?;
    let (mask, value) = match arg.op {
        Operator::MaskedEq => (arg.value, arg.value_two & arg.value),
        _ => (u64::MAX, arg.value),
    };
    Some(Condition { index, op: arg.op, value, mask })
}

/// All conditions together, or each alone when they name an argument twice.
fn ways(conditions: Vec<Condition>) -> Vec<Vec<Condition>> {
    let repeats = (conditions.iter().enumerate())
        .any(|(i, one)| conditions[..i].iter().any(|other| other.index == one.index));
    match (conditions.is_empty(), repeats) {
        (true, _) => Vec::new(),
        (_, true) => conditions.into_iter().map(|condition| vec![condition]).collect(),
        (_, false) => vec![conditions],
    }
}

impl fmt::Display for SeccompPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.rules.iter().map(|rule| rule.calls.len()).sum();
        write!(f, "{} by default, {} rules over {calls} calls", self.default, self.rules.len())?;
        write!(f, ", architectures {:?}, flags {:?}", self.architectures, self.flags)?;
        match &self.listener {
            Some(listener) => write!(f, ", listener {}", listener.path.display()),
            None => Ok(()),
        }
    }
}

impl Serialize for SeccompPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Errno | Action::Trace => write!(f, "{:?}({})", self.action, self.data),
            action => write!(f, "{action:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn compile(profile: Value) -> Result<SeccompPlan, Error> {
        SeccompPlan::compile(&serde_json::from_value(profile).unwrap())
    }

    fn rule(rule: Value) -> Result<SeccompPlan, Error> {
        let rules = vec![rule];
        compile(json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/agent", "syscalls": rules}))
    }

    #[test]
    fn refuses_with_a_path() {
        let allow = |more: Value| {
            let mut rule = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW"});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let cases = [
            (compile(json!({"defaultAction": "SCMP_ACT_NOTIFY"})), "defaultAction"),
            (compile(json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})), "defaultErrnoRet"),
            (compile(json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})), "defaultErrnoRet"),
            (
                compile(json!({"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65536})),
                "defaultErrnoRet",
            ),
            (
                compile(json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"})),
                "listenerMetadata",
            ),
            (
                compile(json!({"defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]})),
                "syscalls[0].action",
            ),
            (rule(allow(json!({"names": []}))), "syscalls[0].names"),
            (rule(allow(json!({"names": ["read", ""]}))), "syscalls[0].names[1]"),
            (rule(allow(json!({"errnoRet": 0}))), "syscalls[0].errnoRet"),
            (
                rule(allow(json!({"names": ["read", "write"], "action": "SCMP_ACT_NOTIFY"}))),
                "syscalls[0].names[1]",
            ),
            (rule(allow(json!({"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"}))), "syscalls[0].names[0]"),
            (
                rule(allow(json!({"args": [{"index": 5, "value": 1, "op": "SCMP_CMP_EQ"},
                    {"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}))),
                "syscalls[0].args[1].index",
            ),
        ];
        for (result, at) in cases {
            assert_eq!(result.unwrap_err().at, format!("linux.seccomp.{at}"));
        }
    }

    #[test]
    fn defaults_are_runcs() {
        let plan = compile(json!({"defaultAction": "SCMP_ACT_ERRNO"})).unwrap();
        assert_eq!(plan.default, Verdict { action: Action::Errno, data: 1 });
        assert_eq!(plan.flags, [FilterFlag::SpecAllow]);
        let plan = compile(json!({"defaultAction": "SCMP_ACT_KILL", "flags": []})).unwrap();
        assert_eq!((plan.default.data, plan.flags.len()), (0, 0));
    }

    #[test]
    fn unknown_names_are_skipped_and_told() {
        let plan = rule(json!({"names": ["read", "fly"], "action": "SCMP_ACT_ALLOW"})).unwrap();
        assert_eq!(plan.rules[0].calls.len(), 1);
        assert_eq!(
            plan.warnings,
            ["linux.seccomp.syscalls[0].names[1]: unknown system call \"fly\" is skipped"]
        );
    }

    #[test]
    fn a_repeated_argument_means_either() {
        let arg = |index| json!({"index": index, "value": 6, "valueTwo": 5, "op": "SCMP_CMP_MASKED_EQ"});
        let ways = |args: Value| {
            let plan = rule(json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args})).unwrap();
            plan.rules[0].ways.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(ways(json!([])), [0usize; 0]);
        assert_eq!(ways(json!([arg(0), arg(1)])), [2]);
        assert_eq!(ways(json!([arg(0), arg(1), arg(0)])), [1, 1, 1]);
    }

    #[test]
    fn the_listener_is_kept_only_where_something_notifies() {
        let plan = rule(json!({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})).unwrap();
        assert_eq!(plan.listener.unwrap().path, PathBuf::from("/agent"));
        let plan = rule(json!({"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"})).unwrap();
        assert_eq!(plan.listener, None);
        let plan = compile(
            json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}),
        );
        let plan = plan.unwrap();
        assert_eq!((plan.flags.len(), plan.warnings.len()), (0, 1));
    }

    #[test]
    fn reads_as_one_line() {
        let plan = rule(json!({"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"})).unwrap();
        assert_eq!(
            plan.to_string(),
            "Errno(1) by default, 1 rules over 2 calls, architectures [], flags [SpecAllow]"
        );
    }
}
