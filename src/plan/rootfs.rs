//! The root filesystem around the mounts: entering it, device nodes, pivot, read-only and masked paths.

use std::path::Path;

use super::mount::{Open, PropagationChange, Tree};
use super::mounts::{Context, target};
use super::op::{DeviceNode, Op};
use super::{Builder, Error, Request, Target, Text};
use crate::spec::{Device, NamespaceKind, Spec};

/// Character devices that every container gets (config-linux.md, "Default Devices").
const DEFAULT_DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links in /dev (runtime-linux.md, "Dev symbolic links").
const DEV_LINKS: [(&str, &str); 4] = [
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
];

/// Clones the root filesystem and enters it.
pub(super) fn enter(cx: &Context, out: &mut Builder) -> Result<(), Error> {
    let Some(root) = &cx.spec.root else {
        return Err(Error::new("root", "is missing").hint("name the root filesystem in root.path"));
    };
    if root.path.as_os_str().is_empty() {
        return Err(Error::new("root.path", "is empty").hint("name the root filesystem"));
    }
    out.step("", Op::IsolateMounts);
    let tree = Tree::new("root.path", &cx.bundle.join(&root.path))?;
    let path = seen_by_hooks(cx.spec).then(|| tree.source.clone());
    let slot = out.open(Open::Tree(Tree { recursive: true, must_be_dir: true, ..tree }));
    out.step("root.path", Op::EnterRoot { slot, path });
    Ok(())
}

/// Default and listed devices, and the links in /dev. A /dev bound from the host is left alone.
pub(super) fn devices(cx: &Context, out: &mut Builder) -> Result<(), Error> {
    let is_bind = |mount: &crate::spec::Mount| {
        mount.kind.as_deref() == Some("bind")
            || mount.options.iter().any(|word| word == "bind" || word == "rbind")
    };
    if cx.spec.mounts.iter().any(|mount| is_bind(mount) && mount.destination == Path::new("/dev")) {
        return Ok(());
    }
    let listed = &cx.spec.linux.devices;
    let own_user_ns =
        cx.facts.in_user_ns || cx.spec.linux.namespaces.iter().any(|ns| ns.kind == NamespaceKind::User);
    for (name, major, minor) in DEFAULT_DEVICES {
        let path = format!("dev/{name}");
        if listed
            .iter()
            .any(|device| device.path.strip_prefix("/").is_ok_and(|rest| rest == Path::new(&path)))
        {
            continue;
        }
        let bind = own_user_ns.then(|| Text::new("", format!("/{path}"))).transpose()?;
        let path = target("linux.devices", Path::new(&path))?;
        out.step(
            "",
            Op::Device(DeviceNode { path, mode: libc::S_IFCHR | 0o666, major, minor, uid: 0, gid: 0, bind }),
        );
    }
    for (index, device) in listed.iter().enumerate() {
        let at = format!("linux.devices[{index}]");
        let node = node(&at, device, own_user_ns)?;
        let twin = |other: &Device| {
            (&other.kind, other.major, other.minor) == (&device.kind, device.major, device.minor)
        };
        if device.kind != "p" && listed[..index].iter().any(twin) {
            out.warn(format!("{at}: the same device is listed twice"));
        }
        out.step(&at, Op::Device(node));
    }
    for (path, to) in DEV_LINKS {
        let (path, to) = (target("", Path::new(path))?, Text::new("", to)?);
        out.step("", Op::Symlink { path, to, replace: false });
    }
    let path = target("", Path::new("dev/ptmx"))?;
    out.step("", Op::Symlink { path, to: Text::from(c"pts/ptmx"), replace: true });
    Ok(())
}

fn node(at: &str, device: &Device, bind: bool) -> Result<DeviceNode, Error> {
    if !device.path.is_absolute() {
        return Err(Error::new(format!("{at}.path"), "is not an absolute path").hint("begin it with /"));
    }
    let kind = match device.kind.as_str() {
        "c" | "u" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        "p" => libc::S_IFIFO,
        other => {
            return Err(Error::new(format!("{at}.type"), format!("{other:?} is no device type"))
                .hint("use \"c\", \"u\", \"b\" or \"p\""));
        }
    };
    let number = |name: &str, value: Option<i64>| match value {
        None if kind == libc::S_IFIFO => Ok(0),
        None => Err(Error::new(format!("{at}.{name}"), "is missing").hint("ls -l shows both numbers")),
        Some(value) => u32::try_from(value).map_err(|_| {
            Error::new(format!("{at}.{name}"), format!("{value} is no device number"))
                .hint("ls -l shows both numbers")
        }),
    };
    let mode = device.file_mode.unwrap_or(0o666);
    if mode & !(0o7777 | libc::S_IFMT) != 0 {
        return Err(Error::new(format!("{at}.fileMode"), format!("{mode} is no file mode"))
            .hint("JSON has no octal numbers: write 0666 as 438"));
    }
    Ok(DeviceNode {
        path: target(format_args!("{at}.path"), &device.path)?,
        mode: kind | (mode & 0o7777),
        major: number("major", device.major)?,
        minor: number("minor", device.minor)?,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
        bind: if bind && kind != libc::S_IFIFO {
            Some(Text::new(at, device.path.as_os_str().as_encoded_bytes())?)
        } else {
            None
        },
    })
}

/// Whether somebody looks for the root filesystem at its path while it is being built.
fn seen_by_hooks(spec: &Spec) -> bool {
    let hooks = &spec.hooks;
    [&hooks.prestart, &hooks.create_runtime, &hooks.create_container].iter().any(|list| !list.is_empty())
}

/// Leaves the host's tree behind.
pub(super) fn pivot(cx: &Context, request: &Request, out: &mut Builder) -> Result<(), Error> {
    if !request.no_pivot {
        out.step("", Op::PivotRoot);
        return Ok(());
    }
    let root = cx.spec.root.as_ref().map(|root| cx.bundle.join(&root.path)).unwrap_or_default();
    let outside = cx.facts.kernel_views.iter().filter(|view| !view.starts_with(&root));
    let without = outside.rev().map(|view| Text::new("", view.as_os_str().as_encoded_bytes()));
    out.step("", Op::Chroot { moves: seen_by_hooks(cx.spec), without: without.collect::<Result<_, _>>()? });
    Ok(())
}

/// What must come after everything that still writes to the root filesystem.
pub(super) fn finish(spec: &Spec, out: &mut Builder) -> Result<(), Error> {
    if let Some(process) = spec.process.as_ref().filter(|process| process.cwd != Path::new("/")) {
        // While it can still be made: a working directory that is missing is made, as peers do.
        out.step("process.cwd", Op::MakeDir { path: super::process::cwd(process)? });
    }
    out.steps.append(&mut out.late);
    if spec.root.as_ref().is_some_and(|root| root.readonly) {
        out.step("root.readonly", Op::ReadonlyRoot);
    }
    for (index, path) in spec.linux.readonly_paths.iter().enumerate() {
        let at = format!("linux.readonlyPaths[{index}]");
        out.step(&at, Op::Readonly { path: place(&at, path)? });
    }
    masks(spec, out)?;
    if let Some(word) = spec.linux.rootfs_propagation.as_deref().filter(|word| !word.is_empty()) {
        // Last: an unbindable tree cannot be copied for the paths above.
        let changes = vec![propagation(word)?];
        out.step("linux.rootfsPropagation", Op::RootPropagation { changes });
    }
    Ok(())
}

fn masks(spec: &Spec, out: &mut Builder) -> Result<(), Error> {
    if spec.linux.masked_paths.is_empty() {
        return Ok(());
    }
    // Taken on the host: an image's own could be anything (CVE-2025-31133).
    let null = out.open(Open::Tree(Tree::new("linux.maskedPaths", Path::new("/dev/null"))?));
    for (index, path) in spec.linux.masked_paths.iter().enumerate() {
        let at = format!("linux.maskedPaths[{index}]");
        out.step(&at, Op::Mask { path: place(&at, path)?, null });
    }
    Ok(())
}

/// An absolute path inside.
fn place(at: &str, path: &str) -> Result<Target, Error> {
    match Path::new(path).is_absolute() {
        true => target(at, Path::new(path)),
        false => Err(Error::new(at, format!("{path:?} is not an absolute path")).hint("begin it with /")),
    }
}

fn propagation(word: &str) -> Result<PropagationChange, Error> {
    let kind = match word.strip_prefix('r').unwrap_or(word) {
        "shared" => libc::MS_SHARED,
        "slave" => libc::MS_SLAVE,
        "private" => libc::MS_PRIVATE,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => {
            return Err(Error::new("linux.rootfsPropagation", format!("{word:?} is no kind of propagation"))
                .hint("use shared, slave, private or unbindable, with an r before it for the whole tree"));
        }
    };
    Ok(PropagationChange { kind, recursive: word.starts_with('r') })
}
