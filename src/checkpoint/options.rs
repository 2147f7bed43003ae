//! What CRIU is asked for, as data, and its form on the wire (rpc.proto of CRIU).

use std::path::PathBuf;

use super::protobuf::Message;

/// What CRIU is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Write a container's state to images, and end it unless told otherwise.
    Dump,
    /// Write its memory only, while it runs on.
    PreDump,
    /// Make it anew from images.
    Restore,
}

impl Task {
    /// Its number as a `criu_req_type`.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Dump => 1,
            Self::Restore => 2,
            Self::PreDump => 4,
        }
    }

    /// Its name there, which messages give as runc's do.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dump => "DUMP",
            Self::PreDump => "PRE_DUMP",
            Self::Restore => "RESTORE",
        }
    }

    /// The log's name in the work directory.
    #[must_use]
    pub fn log(self) -> &'static str {
        match self {
            Self::Dump | Self::PreDump => "dump.log",
            Self::Restore => "restore.log",
        }
    }
}

/// Options that `checkpoint` and `restore` hand through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--tcp-established`
    pub tcp_established: bool,
    /// `--ext-unix-sk`
    pub ext_unix_sk: bool,
    /// `--shell-job`
    pub shell_job: bool,
    /// `--file-locks`
    pub file_locks: bool,
    /// `--auto-dedup`
    pub auto_dedup: bool,
    /// `--lazy-pages`
    pub lazy_pages: bool,
    /// `--leave-running`, of `checkpoint` only
    pub leave_running: bool,
    /// `--tcp-skip-in-flight`, of `checkpoint` only
    pub tcp_skip_in_flight: bool,
    /// `--manage-cgroups-mode`
    pub cgroups: CgroupMode,
}

/// `--manage-cgroups-mode`: what of the cgroups' own properties belongs to a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CgroupMode {
    /// CRIU's default, which is soft.
    #[default]
    Default,
    /// Properties are restored where the cgroup was made by the restore.
    Soft,
    /// Always.
    Full,
    /// Always, and a cgroup that is there already is an error.
    Strict,
    /// Cgroups are none of CRIU's business.
    Ignore,
}

/// All that CRIU is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Descriptor, of ours, of the directory with the images.
    pub images: i32,
    /// Descriptor of the directory for logs, if it is another.
    pub work: Option<i32>,
    /// What the command line says.
    pub flags: Flags,
    /// The container's first process.
    pub pid: Option<i32>,
    /// The root filesystem.
    pub root: PathBuf,
    /// Earlier images, relative to these.
    pub parent: Option<PathBuf>,
    /// Where memory is sent instead of the images: address and port.
    pub page_server: Option<(String, u16)>,
    /// The freezer cgroup, to stop all processes at once.
    pub freezer: Option<PathBuf>,
    /// Configuration file that outdoes these options.
    pub config: Option<PathBuf>,
    /// Mounts of things outside the container: on a dump from mount point to name, on a restore from name to source.
    pub mounts: Vec<(PathBuf, PathBuf)>,
    /// Other things outside the container that a dump names, as `net[INODE]:NAME`.
    pub external: Vec<String>,
    /// Descriptors that CRIU inherits from us for such things.
    pub inherit: Vec<(String, i32)>,
    /// Namespaces to join, by kind and path.
    pub join: Vec<(&'static str, PathBuf)>,
    /// Cgroups to restore into, by controllers.
    pub cgroup_roots: Vec<(String, String)>,
    /// AppArmor or SELinux profile in place of the dumped one.
    pub lsm_profile: Option<String>,
    /// SELinux context of mounts in place of the dumped one.
    pub lsm_mount_context: Option<String>,
}

/// Enough to find out from the log why CRIU gave up.
const LOG_LEVEL: u32 = 4;

impl Options {
    /// The `criu_req` message that asks for `task`.
    #[must_use]
    pub fn encode(&self, task: Task) -> Message {
        let mut options = Message::default();
        options.number(1, unsigned(self.images)).number(9, LOG_LEVEL).text(10, task.log());
        self.flags.encode(&mut options);
        self.encode_places(&mut options);
        self.encode_outside(&mut options);
        options.switch(12, true); // notify_scripts
        options.switch(24, true).number(34, self.flags.cgroups.number()); // manage_cgroups, manage_cgroups_mode
        // Interfaces and addresses of a new network namespace are the engine's, which makes them in a hook.
        options.number(38, unsigned(libc::CLONE_NEWNET)); // empty_ns
        options.switch(50, true); // orphan_pts_master
        // As children of ours, not of CRIU, processes are there to be waited for; and a device that is not found by
        // the old path is found by any other.
        options.switch(26, task == Task::Restore).switch(6, task == Task::Restore); // rst_sibling, evasive_devices
        let mut request = Message::default();
        request.number(1, task.number()).message(2, &options);
        request
    }

    fn encode_places(&self, out: &mut Message) {
        if let Some(work) = self.work {
            out.number(17, unsigned(work));
        }
        if let Some(pid) = self.pid {
            out.number(2, unsigned(pid));
        }
        out.path(13, &self.root);
        if let Some(parent) = &self.parent {
            out.path(14, parent).switch(15, true); // parent_img, track_mem
        }
        if let Some((address, port)) = &self.page_server {
            out.message(11, Message::default().text(1, address).number(2, *port));
        }
        if let Some(freezer) = &self.freezer {
            out.path(44, freezer);
        }
        if let Some(config) = &self.config {
            out.path(51, config);
        }
        if let Some(profile) = &self.lsm_profile {
            out.text(53, profile);
        }
        if let Some(context) = &self.lsm_mount_context {
            out.text(63, context);
        }
    }

    fn encode_outside(&self, out: &mut Message) {
        for (key, value) in &self.mounts {
            out.message(23, Message::default().path(1, key).path(2, value)); // ext_mnt
        }
        for external in &self.external {
            out.text(37, external);
        }
        for (key, fd) in &self.inherit {
            out.message(27, Message::default().text(1, key).number(2, unsigned(*fd)));
        }
        for (kind, path) in &self.join {
            out.message(39, Message::default().text(1, kind).path(2, path));
        }
        for (controllers, path) in &self.cgroup_roots {
            out.message(25, Message::default().text(1, controllers).text(2, path));
        }
    }
}

impl Flags {
    fn encode(self, out: &mut Message) {
        out.switch(3, self.leave_running)
            .switch(4, self.ext_unix_sk)
            .switch(5, self.tcp_established)
            .switch(7, self.shell_job)
            .switch(8, self.file_locks)
            .switch(16, self.auto_dedup)
            .switch(46, self.tcp_skip_in_flight)
            .switch(48, self.lazy_pages);
    }
}

impl CgroupMode {
    fn number(self) -> u32 {
        match self {
            Self::Ignore => 0,
            Self::Soft => 3,
            Self::Full => 4,
            Self::Strict => 5,
            Self::Default => 6,
        }
    }
}

/// Descriptors, pids and flags are never negative here.
fn unsigned(number: i32) -> u32 {
    number.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::{Value, fields};
    use super::*;

    /// The fields of the options inside a request, by number.
    fn sent(options: &Options, task: Task) -> Vec<(u64, Vec<u8>)> {
        let message = options.encode(task);
        let (_, inner) = fields(message.as_bytes()).flatten().find(|(field, _)| *field == 2).unwrap();
        let text = |value: Value| match value {
            Value::Number(number) => number.to_string().into_bytes(),
            Value::Bytes(bytes) => bytes.to_vec(),
        };
        fields(inner.bytes()).flatten().map(|(field, value)| (field, text(value))).collect()
    }

    #[test]
    fn a_restore_is_a_sibling_and_a_dump_names_the_process() {
        let options = Options { pid: Some(300), images: 5, root: "/r".into(), ..Options::default() };
        let dump = sent(&options, Task::Dump);
        for expected in [(1, "5"), (2, "300"), (10, "dump.log"), (13, "/r"), (34, "6"), (38, "1073741824")] {
            assert!(dump.contains(&(expected.0, expected.1.into())), "{expected:?} in {dump:?}");
        }
        assert!(dump.iter().all(|(field, _)| *field != 26));
        let restore = sent(&options, Task::Restore);
        assert!(restore.contains(&(26, b"1".to_vec())) && restore.contains(&(10, b"restore.log".to_vec())));
    }

    #[test]
    fn pairs_are_messages_of_their_own() {
        let options = Options { mounts: vec![("/a".into(), "/b".into())], ..Options::default() };
        assert!(sent(&options, Task::Dump).contains(&(23, b"\x0a\x02/a\x12\x02/b".to_vec())));
    }
}
