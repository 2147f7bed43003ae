//! Device rules: from `linux.resources.devices` to an ordered list in which the last match wins, and from there
//! to what the v1 controller can express.

use std::fmt;

use serde::Serialize;

use super::Error;
use crate::spec;

/// One rule about device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// Which nodes.
    pub kind: DeviceKind,
    /// `None` means all.
    pub major: Option<u32>,
    /// `None` means all.
    pub minor: Option<u32>,
    /// Which ways of using them.
    pub access: Access,
}

/// Which nodes a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DeviceKind {
    /// Character and block devices.
    All,
    /// Character devices.
    Char,
    /// Block devices.
    Block,
}

/// A set of `rwm`, as the bits of the kernel's `BPF_DEVCG_ACC_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Access(pub u8);

impl Access {
    /// mknod(2).
    pub const MKNOD: Self = Self(1);
    /// Opening for reading.
    pub const READ: Self = Self(2);
    /// Opening for writing.
    pub const WRITE: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Reads a subset of `rwm`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.chars().try_fold(Self(0), |set, c| match c {
            'r' => Some(Self(set.0 | Self::READ.0)),
            'w' => Some(Self(set.0 | Self::WRITE.0)),
            'm' => Some(Self(set.0 | Self::MKNOD.0)),
            _ => None,
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(Self::READ, "r"), (Self::WRITE, "w"), (Self::MKNOD, "m")];
        letters.iter().filter(|(bit, _)| self.0 & bit.0 != 0).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl fmt::Display for DeviceRule {
    /// As a line of the v1 files: `c 1:3 rwm`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::All => 'a',
            DeviceKind::Char => 'c',
            DeviceKind::Block => 'b',
        };
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.access)
    }
}

/// What no container can do without; appended to every list, so no rule takes it away.
const DEFAULTS: [DeviceRule; 11] = {
    const fn char(major: u32, minor: Option<u32>) -> DeviceRule {
        DeviceRule { allow: true, kind: DeviceKind::Char, major: Some(major), minor, access: Access::ALL }
    }
    const fn mknod(kind: DeviceKind) -> DeviceRule {
        DeviceRule { allow: true, kind, major: None, minor: None, access: Access::MKNOD }
    }
    [
        mknod(DeviceKind::Char),
        mknod(DeviceKind::Block),
        char(1, Some(3)), // null
        char(1, Some(5)), // zero
        char(1, Some(7)), // full
        char(1, Some(8)), // random
        char(1, Some(9)), // urandom
        char(5, Some(0)), // tty
        char(5, Some(1)), // console
        char(5, Some(2)), // ptmx
        char(136, None),  // pts
    ]
};

/// Everything is denied first; then come the document's rules, then the defaults.
pub(super) fn rules(rules: &[spec::DeviceRule], at: &str) -> Result<Vec<DeviceRule>, Error> {
    let mut list = Vec::with_capacity(rules.len() + DEFAULTS.len());
    for (i, rule) in rules.iter().enumerate() {
        list.push(understand(rule, &format!("{at}.devices[{i}]"))?);
    }
    list.extend(DEFAULTS);
    Ok(list)
}

fn understand(rule: &spec::DeviceRule, at: &str) -> Result<DeviceRule, Error> {
    let kind = match rule.kind.as_deref() {
        None | Some("" | "a") => DeviceKind::All,
        Some("c") => DeviceKind::Char,
        Some("b") => DeviceKind::Block,
        Some(other) => {
            return Err(Error::new(format!("{at}.type"), format!("{other:?} is no type of device"))
                .hint("write a (all), c (character) or b (block)"));
        }
    };
    let number = |name: &str, number: Option<i64>| match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| {
            Error::new(format!("{at}.{name}"), format!("{number} is no device number"))
                .hint("write -1 for all")
        }),
    };
    let access = rule.access.as_deref().and_then(Access::parse).filter(|access| access.0 != 0);
    let access = access.ok_or_else(|| {
        let given = rule.access.as_deref().unwrap_or_default();
        Error::new(format!("{at}.access"), format!("{given:?} is no access"))
            .hint("write one or more of r (read), w (write) and m (mknod)")
    })?;
    let (major, minor) = (number("major", rule.major)?, number("minor", rule.minor)?);
    Ok(DeviceRule { allow: rule.allow, kind, major, minor, access })
}

/// A list of rules as the v1 controller keeps it: a default and the exceptions from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceList {
    /// What holds for a device that no exception names.
    pub allow: bool,
    /// Rules with the opposite verdict.
    pub exceptions: Vec<DeviceRule>,
}

impl DeviceList {
    /// Folds ordered rules into a list.
    ///
    /// The kernel removes an exception only if it is named exactly, and silently ignores a rule that would cut a
    /// hole into a wider one; such a rule is refused here, since the device would stay open.
    pub(super) fn fold(rules: &[DeviceRule], at: &str) -> Result<Self, Error> {
        let mut list = Self { allow: false, exceptions: Vec::new() };
        for (i, rule) in rules.iter().enumerate() {
            if rule.is_total() {
                list = Self { allow: rule.allow, exceptions: Vec::new() };
                continue;
            }
            for rule in rule.by_kind() {
                list.add(rule).map_err(|wider| {
                    Error::new(
                        format!("{at}.devices[{i}]"),
                        format!("cgroup v1 cannot take `{rule}` out of the wider rule `{wider}` before it"),
                    )
                    .hint("list the wanted devices one by one, or use a host with cgroup v2")
                })?;
            }
        }
        Ok(list)
    }

    fn add(&mut self, rule: DeviceRule) -> Result<(), DeviceRule> {
        if rule.allow != self.allow {
            match self.exceptions.iter_mut().find(|known| known.same_devices(&rule)) {
                Some(known) => known.access.0 |= rule.access.0,
                None => self.exceptions.push(rule),
            }
            return Ok(());
        }
        for known in &mut self.exceptions {
            let common = known.access.0 & rule.access.0;
            if common == 0 || !known.overlaps(&rule) {
                continue;
            }
            if !rule.covers(known) {
                return Err(*known);
            }
            known.access.0 &= !rule.access.0;
        }
        self.exceptions.retain(|known| known.access.0 != 0);
        Ok(())
    }
}

impl DeviceRule {
    /// The same rule, once for each kind of device.
    pub(super) fn by_kind(self) -> impl Iterator<Item = Self> {
        let kinds = match self.kind {
            DeviceKind::All => &[DeviceKind::Char, DeviceKind::Block][..],
            DeviceKind::Char => &[DeviceKind::Char],
            DeviceKind::Block => &[DeviceKind::Block],
        };
        kinds.iter().map(move |kind| Self { kind: *kind, ..self })
    }

    /// Whether the rule speaks of every use of every device.
    #[must_use]
    pub fn is_total(&self) -> bool {
        self.kind == DeviceKind::All
            && self.major.is_none()
            && self.minor.is_none()
            && self.access == Access::ALL
    }

    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor)
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        let holds = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
        self.kind == other.kind && holds(self.major, other.major) && holds(self.minor, other.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(json: &str) -> Result<Vec<DeviceRule>, Error> {
        rules(&serde_json::from_str::<Vec<spec::DeviceRule>>(json).unwrap(), "linux.resources")
    }

    /// The v1 list, without the defaults.
    fn folded(json: &str) -> Result<(bool, Vec<String>), Error> {
        let mut rules = compile(json).unwrap();
        rules.truncate(rules.len() - DEFAULTS.len());
        let list = DeviceList::fold(&rules, "linux.resources")?;
        Ok((list.allow, list.exceptions.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn rules_keep_their_order_and_the_defaults_come_last() {
        let rules = compile(
            r#"[{"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "wr"},
                {"allow": false, "type": "b", "major": -1, "access": "m"}]"#,
        );
        let lines: Vec<String> = rules.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(lines[..3], ["a *:* rwm", "c 10:229 rw", "b *:* m"]);
        assert_eq!(lines[3..6], ["c *:* m", "b *:* m", "c 1:3 rwm"]);
        assert_eq!(lines.last().unwrap(), "c 136:* rwm");
    }

    #[test]
    fn malformed_rules_are_refused_by_their_path() {
        let cases = [
            (r#"[{"allow": true, "type": "x", "access": "r"}]"#, "type"),
            (r#"[{"allow": true, "access": "rx"}]"#, "access"),
            (r#"[{"allow": true, "access": ""}]"#, "access"),
            (r#"[{"allow": true}]"#, "access"),
            (r#"[{"allow": true, "access": "r", "major": -2}]"#, "major"),
            (r#"[{"allow": true, "access": "r", "minor": 4294967296}]"#, "minor"),
        ];
        for (json, field) in cases {
            assert_eq!(compile(json).expect_err(json).at, format!("linux.resources.devices[0].{field}"));
        }
    }

    #[test]
    fn a_v1_list_is_a_default_and_its_exceptions() {
        let (allow, lines) = folded(
            r#"[{"allow": true, "type": "c", "major": 9, "access": "r"}, {"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "r"},
                {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "wm"},
                {"allow": true, "major": 7, "access": "r"},
                {"allow": false, "type": "b", "major": 7, "access": "rwm"}]"#,
        )
        .unwrap();
        assert_eq!((allow, lines), (false, vec!["c 1:3 rwm".to_owned(), "c 7:* r".to_owned()]));
        let (allow, lines) = folded(
            r#"[{"allow": true, "access": "rwm"}, {"allow": false, "type": "b", "major": 8, "access": "w"}]"#,
        )
        .unwrap();
        assert_eq!((allow, lines), (true, vec!["b 8:* w".to_owned()]));
    }

    #[test]
    fn a_hole_that_v1_would_ignore_is_refused() {
        let json = r#"[{"allow": true, "type": "c", "major": 10, "access": "rw"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "w"}]"#;
        let refused = folded(json).unwrap_err();
        assert_eq!(refused.at, "linux.resources.devices[1]");
        assert!(refused.why.contains("`c 10:229 w` out of the wider rule `c 10:* rw`"), "{}", refused.why);
    }
}
