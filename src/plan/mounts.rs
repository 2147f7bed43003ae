//! `mounts`: each entry becomes steps of the child and trees that the parent clones.

use std::fmt;
use std::path::Path;

use super::mount::{Attach, Attrs, Idmap, NewFs, Open, Param, Remount, Target, Tree};
use super::op::Op;
use super::options::Options;
use super::{Builder, Error, HostFacts, IdMaps, Step, Text, cgroup_mounts};
use crate::spec::{Linux, Mount, NamespaceKind, Spec};

/// Files of a container's /proc that may be covered, as lxcfs does; covering others would hide the truth from
/// whoever relies on /proc.
const COVERABLE_PROC: &[&str] = &[
    "cpuinfo",
    "diskstats",
    "loadavg",
    "meminfo",
    "net/dev",
    "slabinfo",
    "stat",
    "swaps",
    "sys/crypto/fips_enabled",
    "sys/kernel/ns_last_pid",
    "uptime",
];

/// What a mount's meaning depends on beside itself.
pub(super) struct Context<'a> {
    pub spec: &'a Spec,
    pub bundle: &'a Path,
    pub facts: &'a HostFacts,
    /// Maps of the new user namespace.
    pub id_maps: Option<&'a IdMaps>,
    /// Directories of the container's own v1 cgroups, by hierarchy, for mounts of type cgroup without a namespace.
    pub cgroup: &'a super::CgroupPlan,
}

impl Context<'_> {
    fn linux(&self) -> &Linux {
        &self.spec.linux
    }

    pub fn has_namespace(&self, kind: NamespaceKind) -> bool {
        self.linux().namespaces.iter().any(|ns| ns.kind == kind)
    }
}

/// All of `mounts`, in order.
pub(super) fn compile(cx: &Context, out: &mut Builder) -> Result<(), Error> {
    for (index, mount) in cx.spec.mounts.iter().enumerate() {
        one(cx, &format!("mounts[{index}]"), mount, out)?;
    }
    Ok(())
}

fn one(cx: &Context, at: &str, mount: &Mount, out: &mut Builder) -> Result<(), Error> {
    let target = target(format_args!("{at}.destination"), &mount.destination)?;
    let options = Options::parse(format_args!("{at}.options"), &mount.options)?;
    check_proc(at, mount, &target)?;
    let kind = mount.kind.as_deref().filter(|kind| !kind.is_empty());
    if options.remount && options.bind.is_none() && kind != Some("bind") {
        let params = superblock(&options);
        let remount = Remount { target, attrs: options.attrs, params, propagation: options.propagation };
        out.step(at, Op::Remount(remount));
        return Ok(());
    }
    match (kind, options.bind) {
        (Some("bind"), _) | (_, Some(_)) => bind(cx, at, mount, target, options, out),
        (Some("cgroup" | "cgroup2"), _) => cgroup_mounts::compile(cx, at, mount, target, options, out),
        (Some(fs), _) => new_fs(cx, at, fs, mount, target, options, out),
        (None, _) => Err(Error::new(format!("{at}.type"), "is missing")
            .hint("name a filesystem type, or add the option \"bind\" or \"rbind\"")),
    }
}

/// Where in the container a mount goes. Relative destinations count from `/`; `..` cannot leave it.
pub(super) fn target(at: impl fmt::Display, destination: &Path) -> Result<Target, Error> {
    let destination = destination.as_os_str().as_encoded_bytes();
    if destination.is_empty() {
        return Err(Error::new(at.to_string(), "is empty").hint("write an absolute path"));
    }
    let mut clean = Vec::with_capacity(destination.len() + 1);
    for part in destination.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => clean.truncate(clean.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
            name => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(name);
            }
        }
    }
    let links = !matches!(&clean[..], b"proc" | b"sys");
    let on_proc = clean
        .strip_prefix(b"proc/")
        .is_some_and(|rest| COVERABLE_PROC.iter().any(|file| rest == file.as_bytes()));
    Ok(Target { path: Text::new(at, clean)?, links, on_proc })
}

/// /proc must be a procfs, and only a few files in it may be covered.
fn check_proc(at: &str, mount: &Mount, target: &Target) -> Result<(), Error> {
    let path = target.path.to_string_lossy();
    if path.starts_with("proc/") && !target.on_proc {
        return Err(Error::new(format!("{at}.destination"), format!("/{path} lies inside /proc"))
            .hint(format!("only these may be covered there: {}", COVERABLE_PROC.join(", "))));
    }
    let own_type = matches!(mount.kind.as_deref(), Some("proc" | "bind" | "none") | None);
    if path == "proc" && !own_type {
        return Err(Error::new(format!("{at}.type"), "only a procfs may be mounted on /proc")
            .hint("write \"proc\", or bind a procfs"));
    }
    Ok(())
}

fn bind(
    cx: &Context,
    at: &str,
    mount: &Mount,
    target: Target,
    options: Options,
    out: &mut Builder,
) -> Result<(), Error> {
    let Some(source) = mount.source.as_deref().filter(|source| !source.is_empty()) else {
        return Err(
            Error::new(format!("{at}.source"), "is missing").hint("a bind mount needs a path on the host")
        );
    };
    for data in &options.data {
        let (Param::Flag(word) | Param::Pair(word, _)) = data;
        let what = format!("{:?} means nothing to a bind mount", word.to_string());
        // Documents copy these from a tmpfs to its neighbours, and peers never minded.
        if !matches!(word.to_bytes(), b"mode" | b"size") {
            return Err(Error::new(format!("{at}.options"), what)
                .hint("remove it, or give the mount a filesystem type"));
        }
        out.warn(format!("{at}.options: {what}, and is ignored"));
    }
    if options.copy_up {
        return Err(Error::new(format!("{at}.options"), "tmpcopyup is for tmpfs, not for bind mounts")
            .hint("remove it, or write the type \"tmpfs\""));
    }
    let idmap = idmap(cx, at, mount, options.idmap, out)?;
    let must_be_proc = target.path.to_bytes() == b"proc";
    let recursive = options.bind.unwrap_or(false);
    let first = first_propagation(cx, &options, recursive);
    let tree = Tree {
        recursive,
        attrs: options.attrs,
        propagation: first,
        idmap,
        ..Tree::new(at, &cx.bundle.join(source))?
    };
    let source = tree.source.to_string();
    let slot = out.open(Open::Tree(tree));
    let propagation = if first == libc::MS_PRIVATE { Vec::new() } else { options.propagation };
    out.step(at, Op::Attach(Attach { slot, source, target, propagation, must_be_proc, is_dir: false }));
    Ok(())
}

/// The propagation of a bind's copy from its making. Where it is private and nothing else, that is all there is to do.
fn first_propagation(cx: &Context, options: &Options, recursive: bool) -> u64 {
    match options.propagation[..] {
        _ if stays_shared(cx, options) => 0,
        [only] if only.kind == libc::MS_PRIVATE && only.recursive == recursive => libc::MS_PRIVATE,
        _ => libc::MS_SLAVE,
    }
}

/// Whether mounts that the container makes there shall be seen on the host: only when both the mount and the root say
/// so, as engines write it for `rshared` volumes.
fn stays_shared(cx: &Context, options: &Options) -> bool {
    let root = cx.linux().rootfs_propagation.as_deref().is_some_and(|word| word.ends_with("shared"));
    root && options.propagation.iter().any(|change| change.kind == libc::MS_SHARED)
}

/// Which mapping an idmapped mount shows: its own, or the container's.
fn idmap(
    cx: &Context,
    at: &str,
    mount: &Mount,
    asked: Option<bool>,
    out: &mut Builder,
) -> Result<Option<Idmap>, Error> {
    let (uids, gids) = (&mount.uid_mappings, &mount.gid_mappings);
    if uids.is_empty() != gids.is_empty() {
        let missing = if uids.is_empty() { "uidMappings" } else { "gidMappings" };
        return Err(Error::new(format!("{at}.{missing}"), "is missing")
            .hint("an idmapped mount needs both mappings, or none"));
    }
    if cx.facts.foreign_mounts && (asked.is_some() || !uids.is_empty()) {
        return Err(Error::new(at, "an idmapped mount needs rights over the filesystem that it shows")
            .hint("leave the mapping out, or let root make the container"));
    }
    let recursive = asked.unwrap_or(false);
    if uids.is_empty() {
        let Some(recursive) = asked else { return Ok(None) };
        if !cx.has_namespace(NamespaceKind::User) {
            return Err(Error::new(format!("{at}.uidMappings"), "is missing")
                .hint("without a user namespace an idmapped mount needs a mapping of its own"));
        }
        // A user namespace that is joined is open already; one that is made is not there yet.
        return Ok(Some(Idmap { user_ns: out.joined(NamespaceKind::User), recursive }));
    }
    let maps = IdMaps::new(at, uids, gids)?;
    let user_ns = Some(out.open(Open::MappedUserNs { maps, at: at.to_owned() }));
    Ok(Some(Idmap { user_ns, recursive }))
}

pub(super) fn new_fs(
    cx: &Context,
    at: &str,
    fs: &str,
    mount: &Mount,
    target: Target,
    mut options: Options,
    out: &mut Builder,
) -> Result<(), Error> {
    if fs == "tmpfs" && options.attrs.set & libc::MOUNT_ATTR_RDONLY != 0 && holds_more(cx, mount) {
        options.attrs.set &= !libc::MOUNT_ATTR_RDONLY;
        let attrs = Attrs { set: libc::MOUNT_ATTR_RDONLY, ..Attrs::default() };
        let remount = Remount { target: target.clone(), attrs, params: Vec::new(), propagation: Vec::new() };
        out.late.push(Step { at: at.to_owned(), op: Op::Remount(remount) });
    }
    let idmap = idmap(cx, at, mount, options.idmap, out)?;
    if idmap.is_some() && mount.uid_mappings.is_empty() {
        return Err(Error::new(format!("{at}.uidMappings"), "is missing")
            .hint("a filesystem made inside the container's user namespace shows its ids already"));
    }
    let keep_proc =
        fs == "proc" && target.path.to_bytes() == b"proc" && options.attrs.set & libc::MOUNT_ATTR_RDONLY == 0;
    let has_mode = |param: &Param| matches!(param, Param::Pair(key, _) if key.to_bytes() == b"mode");
    let inherit_mode = fs == "tmpfs" && !options.copy_up && !options.data.iter().any(has_mode);
    if options.copy_up && fs != "tmpfs" {
        return Err(Error::new(format!("{at}.options"), "tmpcopyup is for tmpfs only")
            .hint("remove it, or write the type \"tmpfs\""));
    }
    check_ids(cx, at, &options.data)?;
    let mut params = superblock(&options);
    // One superblock serves all mounts of these types in a namespace, so read-only belongs to the mount alone there.
    let shared_superblock = matches!(fs, "sysfs" | "proc" | "mqueue");
    if options.attrs.set & libc::MOUNT_ATTR_RDONLY != 0 && !shared_superblock && !options.copy_up {
        params.insert(0, Param::Flag(Text::from(c"ro")));
    }
    let root_label = add_label(cx, fs, &mut params)?;
    let labelled = target.clone();
    out.step(
        at,
        Op::NewFs(NewFs {
            fs: Text::new(format_args!("{at}.type"), fs)?,
            source: Text::new(format_args!("{at}.source"), mount.source.as_deref().unwrap_or(fs))?,
            params,
            attrs: options.attrs,
            target,
            propagation: options.propagation,
            copy_up: options.copy_up,
            inherit_mode,
            keep_proc,
            idmap: idmap.and_then(|idmap| idmap.user_ns),
        }),
    );
    if let Some(label) = root_label {
        out.step("linux.mountLabel", Op::LabelRoot { target: labelled, label });
    }
    Ok(())
}

/// Whether more is made on an empty filesystem once it is mounted: /dev gets its devices, others may get mount points.
/// Podman asks for a read-only /dev, with /dev/pts in it.
fn holds_more(cx: &Context, mount: &Mount) -> bool {
    let below = |path: &Path| path != mount.destination && path.starts_with(&mount.destination);
    mount.destination == Path::new("/dev")
        || cx.spec.mounts.iter().any(|other| below(&other.destination))
        || cx.linux().devices.iter().any(|device| below(&device.path))
}

/// `uid` and `gid` are ids of the container's user namespace, and exist there only if they are mapped.
fn check_ids(cx: &Context, at: &str, data: &[Param]) -> Result<(), Error> {
    let Some(maps) = cx.id_maps else { return Ok(()) };
    for param in data {
        let Param::Pair(key, value) = param else { continue };
        let map = match key.to_bytes() {
            b"uid" => &maps.uids,
            b"gid" => &maps.gids,
            _ => continue,
        };
        if value.to_string().parse().is_ok_and(|id| !map.contains(id)) {
            let property = map.kind.property();
            return Err(Error::new(
                format!("{at}.options"),
                format!("{param} is not mapped in linux.{property}"),
            )
            .hint("map the id, or remove the option"));
        }
    }
    Ok(())
}

/// The parameters of a new filesystem, common ones first.
fn superblock(options: &Options) -> Vec<Param> {
    let common = options.superblock.iter().filter_map(|name| Text::new("", *name).ok()).map(Param::Flag);
    common.chain(options.data.iter().cloned()).collect()
}

/// `linux.mountLabel` goes to the filesystems that can carry a label of their own: as a parameter, or, returned, onto
/// their root.
fn add_label(cx: &Context, fs: &str, params: &mut Vec<Param>) -> Result<Option<Text>, Error> {
    let Some(label) = cx.linux().mount_label.as_deref().filter(|label| !label.is_empty()) else {
        return Ok(None);
    };
    if !cx.facts.selinux {
        return Err(Error::new("linux.mountLabel", "this host has no SELinux").hint("remove the label"));
    }
    let label = Text::new("linux.mountLabel", label)?;
    match fs {
        // The kernel's own, of which the policy knows what is what; and one superblock cannot have two labels.
        "proc" | "sysfs" | "cgroup" | "cgroup2" | "debugfs" | "tracefs" | "securityfs" => Ok(None),
        // An IPC namespace has one queue filesystem, which it has mounted for itself without a label.
        "mqueue" => Ok(Some(label)),
        _ => {
            params.push(Param::Pair(Text::from(c"context"), label));
            Ok(None)
        }
    }
}
