//! config.md, "Linux mount options": every word on every kind of mount that can take it.

use std::fs;

use serde_json::Value;

use crate::harness::*;
use crate::needs;
use crate::seen::{mount_flags, mount_on};

/// A word, and flags that mountinfo shows with it; `-` before one that it must not show.
const WORDS: &[(&str, &[&str])] = &[
    ("async", &["rw"]),
    ("atime", &["-noatime"]),
    ("defaults", &["rw", "-nosuid", "-nodev", "-noexec"]),
    ("dev", &["-nodev"]),
    ("diratime", &["-nodiratime"]),
    ("dirsync", &["rw"]),
    ("exec", &["-noexec"]),
    ("iversion", &["rw"]),
    ("lazytime", &["rw"]),
    ("loud", &["rw"]),
    ("noatime", &["noatime", "-relatime"]),
    ("nodev", &["nodev", "-nosuid", "-noexec"]),
    ("nodiratime", &["nodiratime"]),
    ("noexec", &["noexec", "-nosuid", "-nodev"]),
    ("noiversion", &["rw"]),
    ("nolazytime", &["rw"]),
    ("nomand", &["rw"]),
    ("norelatime", &["rw"]),
    ("nostrictatime", &["rw"]),
    ("nosuid", &["nosuid", "-nodev", "-noexec"]),
    ("nosymfollow", &["nosymfollow"]),
    ("relatime", &["relatime"]),
    ("ro", &["ro"]),
    ("rw", &["rw"]),
    ("silent", &["rw"]),
    ("strictatime", &["-relatime", "-noatime"]),
    ("suid", &["-nosuid"]),
    ("symfollow", &["-nosymfollow"]),
    ("sync", &["rw"]),
    ("ratime", &["-noatime"]),
    ("rdev", &["-nodev"]),
    ("rdiratime", &["-nodiratime"]),
    ("rexec", &["-noexec"]),
    ("rnoatime", &["noatime", "-relatime"]),
    ("rnodev", &["nodev", "-nosuid"]),
    ("rnodiratime", &["nodiratime"]),
    ("rnoexec", &["noexec", "-nosuid"]),
    ("rnorelatime", &["rw"]),
    ("rnostrictatime", &["rw"]),
    ("rnosuid", &["nosuid", "-nodev"]),
    ("rnosymfollow", &["nosymfollow"]),
    ("rrelatime", &["relatime"]),
    ("rro", &["ro"]),
    ("rrw", &["rw"]),
    ("rstrictatime", &["-relatime", "-noatime"]),
    ("rsuid", &["-nosuid"]),
    ("rsymfollow", &["-nosymfollow"]),
];

/// Words of propagation, and what mountinfo's optional fields contain with it.
const PROPAGATION: &[(&str, &str)] = &[
    ("private", "[]"),
    ("rprivate", "[]"),
    ("shared", "shared:"),
    ("rshared", "shared:"),
    ("unbindable", "unbindable"),
    ("runbindable", "unbindable"),
];

/// Type and source of a mount of each kind, and a first option; of `files` the target is a file.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("tmpfs", "tmpfs", "tmpfs", ""),
    ("ramfs", "ramfs", "ramfs", ""),
    ("proc", "proc", "proc", ""),
    ("sysfs", "sysfs", "sysfs", ""),
    ("devpts", "devpts", "devpts", "newinstance"),
    ("mqueue", "mqueue", "mqueue", ""),
    ("overlay", "overlay", "overlay", "LAYERS"),
    ("directories", "bind", "shared", "bind"),
    ("trees", "bind", "shared", "rbind"),
    ("files", "bind", "file", "bind"),
];

/// A container with a mount of this kind for each word, below /o, and what it says of them.
fn mounts_of(kind: &(&str, &str, &str, &str), words: &[&str]) -> Value {
    let (_, fs_type, source, first) = kind;
    let mut container = Container::new();
    fs::create_dir(container.bundle.join("shared")).unwrap();
    fs::write(container.bundle.join("file"), "").unwrap();
    for layer in ["lower1", "lower2"] {
        fs::create_dir(container.bundle.join(layer)).unwrap();
    }
    let below = container.bundle.path().to_str().unwrap();
    let layers = format!("lowerdir={below}/lower1:{below}/lower2");
    for word in words {
        let first = if *first == "LAYERS" { layers.as_str() } else { first };
        let options: Vec<&str> = [first, word].into_iter().filter(|option| !option.is_empty()).collect();
        container = container.mount(&format!("/o/{word}"), fs_type, source, &options);
    }
    container.world()
}

/// Each word that concerns one mount, alone on each kind of mount: what mountinfo says.
/// config.md, "Linux mount options"
#[test]
fn m6_every_word_on_every_kind() {
    needs!(root);
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    for kind in KINDS {
        let world = mounts_of(kind, &words);
        for (word, expected) in WORDS {
            let found = mount_flags(mount_on(&world, &format!("/o/{word}")));
            for flag in *expected {
                let there = found.contains(&flag.trim_start_matches('-'));
                // An overlay of nothing but lower layers cannot be written.
                let rw_overlay = kind.0 == "overlay" && *flag == "rw";
                assert!(rw_overlay || there != flag.starts_with('-'), "{word} on {}: {found:?}", kind.0);
            }
        }
    }
}

/// Each word of propagation, alone on each kind of mount, binds included.
/// config.md, "Linux mount options"
#[test]
fn m6_propagation_on_every_kind() {
    needs!(root_or_ranges);
    let words: Vec<&str> = PROPAGATION.iter().map(|(word, _)| *word).collect();
    for kind in KINDS {
        let world = mounts_of(kind, &words);
        for (word, expected) in PROPAGATION {
            let found = mount_on(&world, &format!("/o/{word}"))["propagation"].to_string();
            assert!(found.contains(expected), "{word} on {}: {found}", kind.0);
        }
    }
}
