//! systemd as manager of cgroups: scopes started, changed and stopped over D-Bus (org.freedesktop.systemd1(5)).
//!
//! One short conversation on one connection, each call answered before the next. What it takes of D-Bus is little (one
//! way to authenticate, a handful of types), so it is written here: `wire` are the bytes, `bus` is the connection.

mod bus;
mod error;
pub mod wire;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use error::Error;

use crate::plan::{Property, SystemdFacts, UnitPlan, Variant};
use bus::{Address, Bus};
use wire::{Encoder, Message, Method};

const MANAGER: Method = Method {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "",
};

/// The end of a job, which is where a unit has been started or stopped.
const JOB_REMOVED: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
    interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// A connection to the machine's systemd, or to the caller's own.
#[derive(Debug)]
pub struct Systemd {
    bus: Bus,
    user: bool,
}

impl Systemd {
    /// Connects by the bus, or where there is none by systemd's own socket.
    pub fn connect(user: bool) -> Result<Self, Error> {
        let mut tried = Vec::new();
        for address in if user { of_user() } else { of_machine() } {
            match Bus::connect(&address, JOB_REMOVED) {
                Ok(bus) => return Ok(Self { bus, user }),
                Err(err) => tried.push(err),
            }
        }
        Err(unreachable(user, tried))
    }

    /// What the planner has to know.
    pub fn facts(&self) -> Result<SystemdFacts, Error> {
        let version = self.get("Version")?;
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        let version = digits.parse().map_err(|_| Error::Protocol("a version without a number"))?;
        let root = self.get("ControlGroup")?.trim_end_matches('/').to_owned();
        Ok(SystemdFacts { user: self.user, root, version })
    }

    fn get(&self, property: &str) -> Result<String, Error> {
        let method = Method { interface: "org.freedesktop.DBus.Properties", member: "Get", ..MANAGER };
        let answer = self.bus.call(method, "ss", |body| {
            body.text(MANAGER.interface);
            body.text(property);
        })?;
        let texts = answer.texts()?;
        texts.first().map(|text| (*text).to_owned()).ok_or(Error::Protocol("a property of another type"))
    }

    /// Starts the scope with a process in it; returns when its cgroup is there, with all the unit's limits.
    pub fn start(&self, unit: &UnitPlan, pid: i32) -> Result<(), Error> {
        match self.start_as_told(unit, pid) {
            Err(Error::Property { optional: true, .. }) => {
                let known = unit.properties.iter().filter(|property| !property.optional).cloned();
                self.start_as_told(&UnitPlan { properties: known.collect(), ..unit.clone() }, pid)
            }
            started => started,
        }
    }

    fn start_as_told(&self, unit: &UnitPlan, pid: i32) -> Result<(), Error> {
        match self.try_start(unit, pid) {
            // What is left of a scope that failed keeps its name until somebody has taken note.
            Err(err) if err.is("UnitExists") && self.forget_failure(&unit.name).is_ok() => {
                self.try_start(unit, pid)
            }
            // It may have come about in part, or still come about.
            Err(err @ (Error::Job { .. } | Error::Silent(_))) => {
                self.stop(&unit.name).ok();
                Err(err)
            }
            started => started,
        }
    }

    fn try_start(&self, unit: &UnitPlan, pid: i32) -> Result<(), Error> {
        let pid = Variant::u32(pid.cast_unsigned());
        let result = self.job("StartTransientUnit", "ssa(sv)a(sa(sv))", |body| {
            body.text(&unit.name);
            body.text("fail");
            body.array("(", |list| {
                unit.properties.iter().for_each(|property| entry(list, &property.name, &property.value));
                entry(list, "PIDs", &Variant::List("u".to_owned(), vec![pid]));
            });
            body.array("(", |_| {});
        });
        done("start", &unit.name, result.map_err(|err| blame(err, &unit.properties))?)
    }

    /// Changes a unit's properties until it is stopped; returns when they are in force.
    pub fn set_properties(&self, unit: &str, properties: &[Property]) -> Result<(), Error> {
        let set = self.bus.call(Method { member: "SetUnitProperties", ..MANAGER }, "sba(sv)", |body| {
            body.text(unit);
            // At runtime only: the unit is transient, and leaves no file behind.
            body.u32(1);
            body.array("(", |list| {
                properties.iter().for_each(|property| entry(list, &property.name, &property.value));
            });
        });
        set.map_err(|err| blame(err, properties))?;
        // systemd answers first and writes to the cgroup before it looks at the next message.
        let ping = Method { interface: "org.freedesktop.DBus.Peer", member: "Ping", ..MANAGER };
        self.bus.call(ping, "", |_| {}).map(drop)
    }

    /// Moves a process into the cgroup at `below` of a unit that is delegated to us, from where we have no right to.
    pub fn attach(&self, unit: &str, below: &Path, pid: i32) -> Result<(), Error> {
        let attach = Method { member: "AttachProcessesToUnit", ..MANAGER };
        let attached = self.bus.call(attach, "ssau", |body| {
            body.text(unit);
            body.text(&below.to_string_lossy());
            body.array("u", |pids| pids.u32(pid.cast_unsigned()));
        });
        attached.map(drop)
    }

    /// Stops a unit, whether or not it is there, and lets it be forgotten.
    pub fn stop(&self, unit: &str) -> Result<(), Error> {
        let stopped = self.job("StopUnit", "ss", |body| {
            body.text(unit);
            body.text("replace");
        });
        match stopped {
            Err(err) if err.is("NoSuchUnit") => return Ok(()),
            stopped => done("stop", unit, stopped?)?,
        }
        match self.forget_failure(unit) {
            Err(err) if err.is("NoSuchUnit") => Ok(()),
            forgotten => forgotten,
        }
    }

    fn forget_failure(&self, unit: &str) -> Result<(), Error> {
        self.bus.call(Method { member: "ResetFailedUnit", ..MANAGER }, "s", |body| body.text(unit)).map(drop)
    }

    /// Has something done that takes time; returns how it ended.
    fn job(
        &self,
        member: &'static str,
        signature: &str,
        arguments: impl FnOnce(&mut Encoder),
    ) -> Result<String, Error> {
        // The end may be told before the beginning.
        let mut ended = Vec::new();
        let answer = self.bus.converse(Method { member, ..MANAGER }, signature, arguments, |signal| {
            ended.extend(end_of_job(&signal));
        })?;
        let job = answer.texts()?.first().copied().unwrap_or_default().to_owned();
        match ended.into_iter().find(|(ended, _)| *ended == job) {
            Some((_, result)) => Ok(result),
            None => self
                .bus
                .await_signal(|signal| end_of_job(signal).filter(|(ended, _)| *ended == job))
                .map(|(_, result)| result),
        }
    }
}

/// Job and result of a JobRemoved, whose body is (number, job, unit, result).
fn end_of_job(signal: &Message) -> Option<(String, String)> {
    let texts = signal.texts().ok().filter(|_| signal.member == "JobRemoved")?;
    let [job, _, result] = texts[..] else { return None };
    Some((job.to_owned(), result.to_owned()))
}

fn done(doing: &'static str, unit: &str, result: String) -> Result<(), Error> {
    if result == "done" { Ok(()) } else { Err(Error::Job { doing, unit: unit.to_owned(), result }) }
}

/// One `(sv)`.
fn entry(list: &mut Encoder, name: &str, value: &Variant) {
    list.structure();
    list.text(name);
    list.variant(value);
}

/// A refusal that names a property is one of what asked for it.
fn blame(err: Error, properties: &[Property]) -> Error {
    let Error::Refused { said, .. } = &err else { return err };
    let words: Vec<&str> = said.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    match properties
        .iter()
        .find(|property| !property.at.is_empty() && words.contains(&property.name.as_str()))
    {
        Some(property) => {
            Error::Property { at: property.at.clone(), optional: property.optional, cause: Box::new(err) }
        }
        None => err,
    }
}

fn of_machine() -> Vec<Address> {
    let bus =
        variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".into());
    let mut addresses = Address::daemon(&bus);
    addresses.push(Address::private(Path::new("/run/systemd/private")));
    addresses
}

fn of_user() -> Vec<Address> {
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = runtime.as_ref().map(|dir| format!("unix:path={}/bus", dir.display()).into());
    let bus = variable("DBUS_SESSION_BUS_ADDRESS").or(usual);
    let mut addresses = bus.as_ref().map(Address::daemon).unwrap_or_default();
    addresses.extend(runtime.map(|dir| Address::private(&dir.join("systemd/private"))));
    addresses
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What to say where there is nobody.
fn unreachable(user: bool, tried: Vec<Error>) -> Error {
    let booted = nix::unistd::access("/run/systemd/system", nix::unistd::AccessFlags::F_OK).is_ok();
    let (who, hint) = match (booted, user) {
        (false, _) => (
            "systemd, which does not run here",
            "leave out --systemd-cgroup, and let the engine use cgroupfs",
        ),
        (true, true) if tried.is_empty() => (
            "the user's systemd",
            "set XDG_RUNTIME_DIR, as a login session does, or leave out --systemd-cgroup",
        ),
        (true, true) => (
            "the user's systemd",
            "log in as this user, or let `loginctl enable-linger` start its systemd without a login",
        ),
        (true, false) => ("systemd", "start dbus, or let the container see its socket"),
    };
    Error::Unreachable { who, hint, tried }
}
