//! Names of units and slices, and the cgroups that they stand for (systemd.unit(5), systemd.slice(5)).

use super::super::Error;

/// The kernel takes 255 bytes for the name of a directory, and systemd no more for a unit.
const LONGEST: usize = 255;

/// The unit that `linux.cgroupsPath` names.
pub(super) struct Scope {
    pub name: String,
    pub slice: String,
}

impl Scope {
    /// `SLICE:PREFIX:NAME`; what is left out is systemd's or the user's first slice, no prefix, and the id.
    pub fn of(id: &str, path: &str, user: bool) -> Result<Self, Error> {
        let at = "linux.cgroupsPath";
        let default = if user { "user.slice" } else { "system.slice" };
        let (slice, prefix, name) = match path.split(':').collect::<Vec<_>>()[..] {
            [""] => (default, "hull", id),
            [slice, prefix, name] => (slice, prefix, if name.is_empty() { id } else { name }),
            _ => {
                return Err(Error::new(at, format!("{path:?} is not of the form SLICE:PREFIX:NAME"))
                    .hint("write system.slice:hull:ID, or leave out --systemd-cgroup"));
            }
        };
        let slice = if slice.is_empty() { default } else { slice };
        if !is_slice(slice) {
            return Err(Error::new(at, format!("{slice:?} is no name of a slice"))
                .hint("write names with single dashes between them and .slice at the end, such as machine-web.slice"));
        }
        if name.ends_with(".slice") {
            return Err(Error::new(at, format!("{name:?} is a slice, in which no process may live"))
                .hint("name the slice in front of the first colon"));
        }
        let name = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
        let name = escape(&name);
        if name.len() > LONGEST {
            return Err(Error::new(at, format!("makes a unit name of {} bytes", name.len()))
                .hint("systemd allows 255, with .scope at the end"));
        }
        Ok(Self { name, slice: slice.to_owned() })
    }

    /// Its cgroup: every dash in a slice's name is one level.
    pub fn path(&self) -> String {
        // `-.slice` is the root of all.
        let stem = self.slice.strip_suffix(".slice").filter(|stem| *stem != "-").unwrap_or_default();
        let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
        let slices = ends.map(|end| &stem[..end]).filter(|slice| !slice.is_empty());
        let slices: String =
            slices.map(|slice| format!("/{}", directory(&format!("{slice}.slice")))).collect();
        format!("{slices}/{}", directory(&self.name))
    }
}

/// Whether systemd can make a path of it; `-.slice` is the root.
fn is_slice(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".slice") else { return false };
    stem == "-"
        || (name.len() <= LONGEST
            && stem.split('-').all(|part| !part.is_empty() && part.chars().all(is_plain)))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\')
}

/// As systemd-escape(1) writes what a unit name may not hold; dashes stay, since the prefix is joined by one.
fn escape(name: &str) -> String {
    let byte = |byte: u8| match char::from(byte) {
        '/' => "-".to_owned(),
        c if is_plain(c) => c.to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    name.bytes().map(byte).collect()
}

/// A unit's directory: systemd puts `_` before a name that the kernel might take for a file of its own.
fn directory(unit: &str) -> String {
    const CONTROLLERS: [&str; 14] = [
        "cgroup",
        "cpu",
        "cpuacct",
        "cpuset",
        "io",
        "blkio",
        "memory",
        "devices",
        "pids",
        "bpf-firewall",
        "bpf-devices",
        "bpf-foreign",
        "bpf-socket-bind",
        "bpf-restrict-network-interfaces",
    ];
    let taken = unit.split_once('.').is_some_and(|(first, _)| CONTROLLERS.contains(&first));
    if taken || unit.starts_with(['_', '.']) { format!("_{unit}") } else { unit.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Result<String, Error> {
        Scope::of("web", path, false).map(|scope| scope.path())
    }

    #[test]
    fn a_dash_in_a_slice_is_a_level() {
        assert_eq!(path("").unwrap(), "/system.slice/hull-web.scope");
        assert_eq!(path("machine.slice:libpod:1").unwrap(), "/machine.slice/libpod-1.scope");
        assert_eq!(path("a-b-c.slice:cri:1").unwrap(), "/a.slice/a-b.slice/a-b-c.slice/cri-1.scope");
        assert_eq!(path("-.slice:p:n").unwrap(), "/p-n.scope");
        assert_eq!(path("::").unwrap(), "/system.slice/web.scope");
        assert_eq!(path(":docker:").unwrap(), "/system.slice/docker-web.scope");
        assert_eq!(Scope::of("web", "", true).unwrap().path(), "/user.slice/hull-web.scope");
    }

    #[test]
    fn names_are_escaped_as_systemd_does() {
        assert_eq!(path("::a+b/c").unwrap(), r"/system.slice/a\x2bb-c.scope");
        assert_eq!(path("::ü").unwrap(), r"/system.slice/\xc3\xbc.scope");
        assert_eq!(path("cpu.slice::memory").unwrap(), "/_cpu.slice/_memory.scope");
        assert_eq!(path("::_x").unwrap(), "/system.slice/__x.scope");
        assert_eq!(path("::cpux").unwrap(), "/system.slice/cpux.scope");
    }

    #[test]
    fn what_names_no_scope_is_refused() {
        let long = format!("::{}", "x".repeat(250));
        for bad in [
            "/a/b",
            "a",
            "a:b",
            "a:b:c:d",
            "system:p:n",
            "a--b.slice:p:n",
            "-a.slice:p:n",
            "a-.slice:p:n",
            ".slice:p:n",
            "a/b.slice:p:n",
            "../a.slice:p:n",
            "system.slice:p:n.slice",
            &long,
        ] {
            assert_eq!(path(bad).expect_err(bad).at, "linux.cgroupsPath");
        }
    }
}
