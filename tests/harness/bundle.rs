//! A private bundle: a root filesystem around the probe, and a config.json like that of `spec`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{caller, guest, leaks};

/// A bundle in a temporary directory of its own, removed at the end.
pub struct Bundle {
    /// The document, written to config.json by [`Bundle::write`].
    pub config: Value,
    dir: Option<tempfile::TempDir>,
    host_mounts: Vec<PathBuf>,
}

impl Bundle {
    /// `cgroup` becomes `linux.cgroupsPath`.
    pub fn new(cgroup: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("hull-test-").tempdir().unwrap();
        // A container root that is nobody on the host must be able to pass.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = config(cgroup);
        caller::adapt(&mut config);
        let bundle = Self { config, dir: Some(dir), host_mounts: Vec::new() };
        let rootfs = bundle.rootfs();
        for made in ["bin", "dev", "etc", "proc", "sys", "tmp", "run"] {
            fs::create_dir_all(rootfs.join(made)).unwrap();
        }
        install(&guest::probe(), &rootfs.join("probe"));
        fs::write(
            rootfs.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nguest:x:1000:1000::/home/guest:/bin/sh\n",
        )
        .unwrap();
        fs::write(rootfs.join("etc/group"), "root:x:0:\ntty:x:5:\nguest:x:1000:\nextra:x:2000:guest\n")
            .unwrap();
        bundle
    }

    /// The bundle directory.
    pub fn path(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// The root filesystem.
    pub fn rootfs(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// A path below the bundle.
    pub fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.path().join(below)
    }

    /// Puts a static busybox at /bin/busybox with a link for each applet asked for.
    pub fn busybox(&self, applets: &[&str]) {
        install(Path::new("/bin/busybox"), &self.rootfs().join("bin/busybox"));
        for applet in applets {
            symlink("busybox", self.rootfs().join("bin").join(applet)).unwrap();
        }
    }

    /// Writes config.json.
    pub fn write(&self) {
        fs::write(self.join("config.json"), serde_json::to_vec_pretty(&self.config).unwrap()).unwrap();
    }

    /// Mounts a tmpfs on the host, below the bundle, until the bundle goes.
    pub fn host_tmpfs(&mut self, below: &str, options: &str) -> PathBuf {
        let target = self.join(below);
        fs::create_dir_all(&target).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&target).status();
        assert!(mount.unwrap().success(), "mount tmpfs on {}", target.display());
        self.host_mounts.push(target.clone());
        target
    }

    /// The same, shared with whoever gets a copy of it.
    pub fn shared_tmpfs(&mut self, below: &str) -> PathBuf {
        let target = self.host_tmpfs(below, "mode=755");
        let shared = Command::new("mount").arg("--make-shared").arg(&target).status();
        assert!(shared.unwrap().success(), "mount --make-shared {}", target.display());
        target
    }

    /// Moves the root filesystem as it is to a disk of its own, until the bundle goes; the file that the disk is.
    pub fn rootfs_on_disk(&mut self) -> PathBuf {
        let (rootfs, image) = (self.rootfs(), self.join("disk"));
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-d"]).args([&rootfs, &image]).status();
        assert!(made.unwrap().success(), "mkfs.ext4 {}", image.display());
        // The loop device goes with the mount.
        let mount = Command::new("mount").args(["-o", "loop,noload,ro"]).args([&image, &rootfs]).status();
        assert!(mount.unwrap().success(), "mount {}", image.display());
        self.host_mounts.push(rootfs);
        image
    }

    /// Undoes the host mounts, last first.
    pub fn unmount(&mut self) {
        while let Some(target) = self.host_mounts.pop() {
            let _ = Command::new("umount").arg("-l").arg(&target).status();
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.unmount();
        // Removing the tree through a leaked bind mount would remove host files.
        if leaks::mounts_below(self.path()).is_empty() {
            return;
        }
        if let Some(dir) = self.dir.take() {
            eprintln!("{} is kept, for something is still mounted there", dir.keep().display());
        }
    }
}

/// Copies a program, by cp(1): a descriptor of ours, open for writing, would be inherited by whatever another test
/// forks at that moment, and make execve say "text file busy".
pub fn install(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "cp {} {}", from.display(), to.display());
}

/// What `spec` writes, with a program that ends by itself, a cgroup namespace and a writable root.
fn config(cgroup: &str) -> Value {
    let caps = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": ["/probe"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true
        },
        "root": { "path": "rootfs", "readonly": false },
        "hostname": "hull-test",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
              "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs",
              "options": ["nosuid", "noexec", "nodev", "ro"] }
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
                { "type": "mount" }, { "type": "cgroup" }
            ],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}
