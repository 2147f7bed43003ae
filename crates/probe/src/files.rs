//! Small acts on paths: read, write, stat, list, mkdir, open a device. Each answers with its result or errno.

use std::env::set_current_dir;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, chroot};

use serde_json::{Map, Value, json};

use crate::{errno, sys};

/// Enough of a file for any test; masked or endless files (/dev/zero, /proc/kcore) end here.
const READ_LIMIT: u64 = 64 * 1024;

/// Applies `act` to each path.
pub fn each(paths: &[&str], act: impl Fn(&str) -> Value) -> Value {
    Value::Object(paths.iter().map(|path| ((*path).to_owned(), act(path))).collect())
}

/// The text of a file.
pub fn read(path: &str) -> Value {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(READ_LIMIT).read_to_end(&mut bytes)) {
        Ok(_) => json!(String::from_utf8_lossy(&bytes)),
        Err(err) => errno::of_io(&err),
    }
}

/// Names in a directory, sorted.
pub fn list(path: &str) -> Value {
    match fs::read_dir(path) {
        Ok(listing) => {
            let names = listing.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
            let mut names: Vec<String> = names.collect();
            names.sort();
            json!(names)
        }
        Err(err) => errno::of_io(&err),
    }
}

/// The way out of a chroot, which every process with CAP_SYS_CHROOT knows: into another one, while the working directory
/// stays above it. What is in the directory in which that ends.
pub fn leave_chroot(path: &str) -> Value {
    let steps = || {
        set_current_dir("/")?;
        chroot(path)?;
        (0..100).try_for_each(|_| set_current_dir(".."))?;
        chroot(".")
    };
    steps().map_or_else(|err| errno::of_io(&err), |()| list("/"))
}

/// Writes a text to a file, which is made when absent.
pub fn write(path: &str, text: &str) -> Value {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
    match opened.and_then(|mut file| file.write(text.as_bytes())) {
        Ok(bytes) => json!({ "written": bytes }),
        Err(err) => errno::of_io(&err),
    }
}

/// Writes that many bytes to a new file, so that they are in memory on a tmpfs.
pub fn fill(path: &str, bytes: &str) -> Value {
    let zeroes = vec![0; bytes.parse().unwrap_or(0)];
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| std::io::Write::write_all(&mut file, &zeroes)) {
        Ok(()) => json!({ "filled": zeroes.len() }),
        Err(err) => errno::of_io(&err),
    }
}

/// The SELinux label.
pub fn label(path: &str) -> Value {
    sys::label(&sys::c_path(path)).map_or_else(errno::report, |label| json!(label))
}

/// mkdir(2).
pub fn mkdir(path: &str) -> Value {
    fs::create_dir(path).map_or_else(|err| errno::of_io(&err), |()| json!({}))
}

/// lstat(2): type, mode, owner, device numbers, size, and where a link leads.
pub fn stat(path: &str) -> Value {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(err) => return errno::of_io(&err),
    };
    let kind = match meta.file_type() {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "link",
        kind if kind.is_char_device() => "char",
        kind if kind.is_block_device() => "block",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_socket() => "socket",
        _ => "file",
    };
    let mut facts = Map::new();
    facts.insert("type".into(), json!(kind));
    facts.insert("mode".into(), json!(meta.mode() & 0o7777));
    facts.insert("uid".into(), json!(meta.uid()));
    facts.insert("gid".into(), json!(meta.gid()));
    facts.insert("size".into(), json!(meta.size()));
    if matches!(kind, "char" | "block") {
        facts.insert("major".into(), json!(libc::major(meta.rdev())));
        facts.insert("minor".into(), json!(libc::minor(meta.rdev())));
    }
    if kind == "link" {
        facts.insert("target".into(), json!(fs::read_link(path).ok()));
    }
    Value::Object(facts)
}

/// Opens for `r`, `w` or `rw`, without waiting.
pub fn open_device(path: &str, mode: &str) -> Value {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = OpenOptions::new()
        .read(mode.contains('r'))
        .write(mode.contains('w'))
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened.map_or_else(|err| errno::of_io(&err), |_| json!({ "opened": mode }))
}
