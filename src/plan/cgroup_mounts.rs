//! Mounts of type cgroup: the container's part of this host's hierarchies.

use std::path::Path;

use super::mount::{Attach, Attrs, NewFs, Open, Param, Remount, Target, Tree};
use super::mounts::{self, Context};
use super::op::{Op, Slot};
use super::options::Options;
use super::{Builder, CgroupDir, Error, Hierarchy, Text};
use crate::spec::{Mount, Namespace, NamespaceKind};

/// On v2 one filesystem, on v1 a tmpfs with a mount for each hierarchy.
pub(super) fn compile(
    cx: &Context,
    at: &str,
    mount: &Mount,
    target: Target,
    options: Options,
    out: &mut Builder,
) -> Result<(), Error> {
    let namespaced = cx.has_namespace(NamespaceKind::Cgroup);
    if cx.facts.cgroups.is_v2() || mount.kind.as_deref() == Some("cgroup2") {
        if namespaced {
            return mounts::new_fs(
                cx,
                at,
                "cgroup2",
                &Mount { kind: None, ..mount.clone() },
                target,
                options,
                out,
            );
        }
        if let Some((dir, hierarchy)) = cx.cgroup.v2().zip(cx.facts.cgroups.v2.as_ref()) {
            let slot = tree(at, dir, hierarchy, options.attrs, out)?;
            let propagation = options.propagation;
            out.step(
                at,
                Op::Attach(Attach {
                    slot,
                    source: dir.path.display().to_string(),
                    target,
                    propagation,
                    must_be_proc: false,
                    is_dir: true,
                }),
            );
            return Ok(());
        }
        return Err(Error::new(format!("{at}.type"), "this host has no cgroup v2 hierarchy to mount")
            .hint("write the type \"cgroup\", which shows what the host has"));
    }
    // In a cgroup namespace that is made for us, a mount would show our cgroups: so it may as well be a copy of them,
    // which takes three system calls where the mount takes seven.
    let is_joined = |ns: &Namespace| ns.kind == NamespaceKind::Cgroup && ns.path.is_some();
    let mounted_inside = cx.spec.linux.namespaces.iter().any(is_joined);
    all_of_v1(cx, at, target, &options, mounted_inside, out)
}

fn all_of_v1(
    cx: &Context,
    at: &str,
    target: Target,
    options: &Options,
    mounted_inside: bool,
    out: &mut Builder,
) -> Result<(), Error> {
    let base = target.path.to_string_lossy().into_owned();
    let readonly = options.attrs.set & libc::MOUNT_ATTR_RDONLY;
    let tmpfs = NewFs {
        fs: Text::from(c"tmpfs"),
        source: Text::from(c"tmpfs"),
        params: vec![Param::Pair(Text::from(c"mode"), Text::from(c"755"))],
        attrs: Attrs { set: options.attrs.set & !libc::MOUNT_ATTR_RDONLY, ..options.attrs },
        target: target.clone(),
        propagation: Vec::new(),
        copy_up: false,
        inherit_mode: false,
        keep_proc: false,
        idmap: None,
    };
    out.step(at, Op::NewFs(tmpfs));
    for (index, hierarchy) in cx.facts.cgroups.v1.iter().enumerate() {
        let Some(name) = hierarchy.mount.file_name().and_then(|name| name.to_str()) else { continue };
        let place = mounts::target(at, Path::new(&format!("{base}/{name}")))?;
        if mounted_inside {
            out.step(at, Op::NewFs(v1_hierarchy(at, &hierarchy.controllers, place, options)?));
        } else if let Some(dir) = cx.cgroup.v1(index) {
            let slot = tree(at, dir, hierarchy, options.attrs, out)?;
            let source = dir.path.display().to_string();
            out.step(
                at,
                Op::Attach(Attach {
                    slot,
                    source,
                    target: place,
                    propagation: Vec::new(),
                    must_be_proc: false,
                    is_dir: true,
                }),
            );
        }
        for controller in
            hierarchy.controllers.iter().filter(|c| c.as_str() != name && !c.starts_with("name="))
        {
            let path = mounts::target(at, Path::new(&format!("{base}/{controller}")))?;
            out.step(at, Op::Symlink { path, to: Text::new(at, name)?, replace: false });
        }
    }
    if readonly != 0 || !options.propagation.is_empty() {
        let attrs = Attrs { set: readonly, ..Attrs::default() };
        out.step(
            at,
            Op::Remount(Remount {
                target,
                attrs,
                params: Vec::new(),
                propagation: options.propagation.clone(),
            }),
        );
    }
    Ok(())
}

fn v1_hierarchy(at: &str, controllers: &[String], target: Target, options: &Options) -> Result<NewFs, Error> {
    let mut params = Vec::new();
    for controller in controllers {
        let Some((key, name)) = controller.split_once('=') else {
            params.push(Param::Flag(Text::new(at, controller.as_str())?));
            continue;
        };
        params.push(Param::Flag(Text::from(c"none")));
        params.push(Param::Pair(Text::new(at, key)?, Text::new(at, name)?));
    }
    Ok(NewFs {
        fs: Text::from(c"cgroup"),
        source: Text::from(c"cgroup"),
        params,
        attrs: options.attrs,
        target,
        propagation: Vec::new(),
        copy_up: false,
        inherit_mode: false,
        keep_proc: false,
        idmap: None,
    })
}

/// A cgroup of ours. One that may not be made leaves the process in the caller's, which is shown instead.
fn tree(
    at: &str,
    dir: &CgroupDir,
    hierarchy: &Hierarchy,
    attrs: Attrs,
    out: &mut Builder,
) -> Result<Slot, Error> {
    let callers = || {
        let path = hierarchy.mount.join(hierarchy.own.trim_start_matches('/'));
        Text::new(at, path.as_os_str().as_encoded_bytes())
    };
    let otherwise = dir.dispensable.then(callers).transpose()?;
    Ok(out.open(Open::Tree(Tree {
        otherwise,
        attrs,
        propagation: libc::MS_PRIVATE,
        ..Tree::new(at, &dir.path)?
    })))
}
