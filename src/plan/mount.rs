//! What the planner says about one mount: data only.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::op::Slot;
use super::{Error, IdMaps, Text};

/// A place in the container's root filesystem.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Target {
    /// Path without a leading slash; empty for the root itself.
    pub path: Text,
    /// Whether the way there may hold symbolic links (never for /proc and /sys, CVE-2023-27561).
    #[serde(skip)]
    pub links: bool,
    /// Whether the place may lie on a procfs.
    #[serde(skip)]
    pub on_proc: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path)
    }
}

/// MOUNT_ATTR_* bits to set and to clear, on the mount itself and on the whole tree below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Attrs {
    /// Set on the mount.
    pub set: u64,
    /// Cleared on the mount.
    pub clear: u64,
    /// Set on the tree.
    pub tree_set: u64,
    /// Cleared on the tree.
    pub tree_clear: u64,
}

/// One change of propagation (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PropagationChange {
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE.
    pub kind: u64,
    /// Whether mounts below follow.
    pub recursive: bool,
}

/// An fsconfig(2) parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Param {
    /// Without a value.
    Flag(Text),
    /// With a value.
    Pair(Text, Text),
}

/// A filesystem to make.
#[derive(Debug, Clone, Serialize)]
pub struct NewFs {
    /// Filesystem type.
    pub fs: Text,
    /// Device or name.
    pub source: Text,
    /// Parameters, in order.
    pub params: Vec<Param>,
    /// Attributes.
    pub attrs: Attrs,
    /// Where.
    pub target: Target,
    /// Propagation after it is attached.
    pub propagation: Vec<PropagationChange>,
    /// Whether what lies under the target is copied into it first.
    pub copy_up: bool,
    /// Whether its root gets the mode of the directory that it covers, as a tmpfs without a mode of its own does.
    pub inherit_mode: bool,
    /// Whether this is the procfs that later writes go through.
    pub keep_proc: bool,
    /// User namespace whose mapping the mount shows.
    pub idmap: Option<Slot>,
}

/// A host tree to attach.
#[derive(Debug, Clone, Serialize)]
pub struct Attach {
    /// The detached tree.
    pub slot: Slot,
    /// Path on the host, for messages.
    pub source: String,
    /// Where.
    pub target: Target,
    /// Propagation after it is attached.
    pub propagation: Vec<PropagationChange>,
    /// Whether the tree must be a procfs, as for a bind on /proc.
    pub must_be_proc: bool,
    /// Whether the tree is a directory, as a cgroup is; init looks at any other.
    #[serde(skip)]
    pub is_dir: bool,
}

/// A mount to change in place.
#[derive(Debug, Clone, Serialize)]
pub struct Remount {
    /// Where.
    pub target: Target,
    /// Attributes.
    pub attrs: Attrs,
    /// Filesystem parameters.
    pub params: Vec<Param>,
    /// Propagation.
    pub propagation: Vec<PropagationChange>,
}

/// Something that the parent opens before clone, in the host's view; its position is its slot.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "open", rename_all = "kebab-case")]
pub enum Open {
    /// A detached copy of a host tree.
    Tree(Tree),
    /// Nothing: init clones a tree to it, by [`super::Op::CloneTree`].
    ByInit,
    /// A namespace file.
    Namespace {
        /// Which kind it must be.
        kind: crate::spec::NamespaceKind,
        /// Where.
        path: std::path::PathBuf,
        /// Whether it must not be the runtime's own, because kernel parameters are changed in it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        foreign: bool,
        /// JSON path, for messages.
        at: String,
    },
    /// A user namespace that exists only to carry this mapping.
    MappedUserNs {
        /// The mapping.
        maps: IdMaps,
        /// JSON path, for messages.
        at: String,
    },
    /// The socket that takes the terminal's master.
    ConsoleSocket,
    /// The socket on which init waits for `start`.
    StartSocket,
}

/// A host tree to clone, with everything set that can be set before anyone sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Tree {
    /// Path on the host.
    pub source: Text,
    /// Taken when there is nothing at `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Text>,
    /// Whether mounts below come along.
    pub recursive: bool,
    /// Attributes.
    pub attrs: Attrs,
    /// MS_SLAVE or MS_PRIVATE, as the whole copy is to be before anyone sees it; 0 leaves it in the host's peer group.
    pub propagation: u64,
    /// Mapping of an idmapped mount.
    pub idmap: Option<Idmap>,
    /// Whether a file is as good as a directory (the root must be a directory).
    pub must_be_dir: bool,
    /// JSON path, for messages.
    pub at: String,
}

impl Tree {
    /// One mount of the host, as it is.
    pub(super) fn new(at: &str, source: &Path) -> Result<Self, Error> {
        Ok(Self {
            source: Text::new(at, source.as_os_str().as_encoded_bytes())?,
            otherwise: None,
            recursive: false,
            attrs: Attrs::default(),
            propagation: libc::MS_SLAVE,
            idmap: None,
            must_be_dir: false,
            at: at.to_owned(),
        })
    }
}

/// An idmapped mount.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idmap {
    /// Slot of the user namespace; `None` for the container's own.
    pub user_ns: Option<Slot>,
    /// Whether mounts below are mapped too.
    pub recursive: bool,
}

impl fmt::Display for NewFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mount {} on {}{}", self.fs, self.target, self.attrs)?;
        self.params.iter().try_for_each(|param| write!(f, " {param}"))?;
        if self.inherit_mode {
            f.write_str(" (mode of what it covers)")?;
        }
        if self.copy_up {
            f.write_str(" with a copy of what it covers")?;
        }
        if let Some(slot) = self.idmap {
            write!(f, " idmapped (slot {slot})")?;
        }
        propagation(&self.propagation, f)
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(key) => write!(f, "{key}"),
            Self::Pair(key, value) => write!(f, "{key}={value}"),
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind {} on {} (slot {})", self.source, self.target, self.slot)?;
        propagation(&self.propagation, f)
    }
}

impl fmt::Display for Remount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remount {}{}", self.target, self.attrs)?;
        self.params.iter().try_for_each(|param| write!(f, " {param}"))?;
        propagation(&self.propagation, f)
    }
}

fn propagation(changes: &[PropagationChange], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    changes.iter().try_for_each(|change| write!(f, " {change}"))
}

impl fmt::Display for PropagationChange {
    /// As an option of mount(8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            libc::MS_SHARED => "shared",
            libc::MS_SLAVE => "slave",
            libc::MS_UNBINDABLE => "unbindable",
            _ => "private",
        };
        write!(f, "{}{kind}", if self.recursive { "r" } else { "" })
    }
}

impl fmt::Display for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, bits) in [
            ("set", self.set),
            ("clear", self.clear),
            ("tree-set", self.tree_set),
            ("tree-clear", self.tree_clear),
        ] {
            if bits != 0 {
                write!(f, " {name}={bits:#x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clone tree {}", self.source)?;
        if let Some(otherwise) = &self.otherwise {
            write!(f, " or {otherwise}")?;
        }
        write!(f, "{}{}", if self.recursive { " and below" } else { "" }, self.attrs)?;
        f.write_str(match self.propagation {
            0 => " shared",
            libc::MS_PRIVATE => " private",
            _ => "",
        })?;
        match self.idmap {
            None => Ok(()),
            Some(Idmap { user_ns: None, .. }) => f.write_str(" idmapped as the container"),
            Some(Idmap { user_ns: Some(slot), .. }) => write!(f, " idmapped (slot {slot})"),
        }
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(tree) => tree.fmt(f),
            Self::ByInit => f.write_str("left to init"),
            Self::Namespace { kind, path, .. } => {
                write!(f, "open {} namespace {}", kind.name(), path.display())
            }
            Self::MappedUserNs { .. } => f.write_str("make a user namespace for an idmapped mount"),
            Self::ConsoleSocket => f.write_str("connect the console socket"),
            Self::StartSocket => f.write_str("listen for start"),
        }
    }
}
