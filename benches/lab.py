"""Where everything is measured: the runtimes that are here, bundles, cgroups, and one way to take a sample."""

import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parent.parent
WORK = REPO / ".work/bench"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Debian keeps runc in /usr/sbin, which is not on everybody's path.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin"
# What `measure` prints about a command.
METRICS = "wall", "cpu", "peak", "faults"


class Failed(Exception):
    """A command that should have been measured did not work."""


HUNG_OR_FAILED = Failed, subprocess.TimeoutExpired


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(name):
    """A small static program from benches/."""
    source, made = REPO / f"benches/{name}.c", WORK / name
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        WORK.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-O2", "-static", "-o", made, source], check=True)
    return made


def bounded(line, limit, **how):
    """Runs a command that may hang: then it ends with all that it has started."""
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=True, text=True, **how)
    try:
        out, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return subprocess.CompletedProcess(line, process.returncode, out, said)


def youki():
    """$YOUKI, or what cargo can make of the registry's; None where it cannot."""
    made = WORK / "youki/bin/youki"
    if not made.exists():
        say("youki: cargo builds it once, which takes minutes (YOUKI= skips it, YOUKI=path takes another)")
        features = ["--no-default-features", "--features", "v1,v2,systemd,seccomp"]
        line = ["cargo", "install", "--quiet", "--locked", "youki", *features, "--root", WORK / "youki"]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode:
            say(f"youki is left out: cargo install failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
            return None
    return str(made)


def installed(quick):
    """Name and path of each runtime that is here, hull first."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
    newer = os.environ.get("CRUN")
    wanted = {
        "hull": os.environ.get("HULL", str(target / "hull")),
        "newer crun": newer,
        "crun": shutil.which("crun", path=PATH),
        "youki": os.environ.get("YOUKI") if quick or "YOUKI" in os.environ else youki(),
        "runc": shutil.which("runc", path=PATH),
    }
    if not os.access(wanted["hull"], os.X_OK):
        sys.exit(f"{wanted['hull']} is not built: make build")
    for name, why in (("newer crun", "CRUN=path names it"), ("youki", "YOUKI=path names it")):
        if not wanted[name]:
            say(f"{name} is left out: {why}")
    return {name: str(pathlib.Path(path).resolve()) for name, path in wanted.items() if path}


def version(path):
    """The version that a runtime tells."""
    lines = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.splitlines()
    return lines[0].split()[-1] if lines else "unknown"


class Lab:
    """A folder with bundles, a cgroup, and the programs that measure."""

    def __init__(self, folder, runtimes, gap, change=None):
        self.folder, self.gap = folder, gap
        # In memory, as /run is.
        self.states = tempfile.TemporaryDirectory(prefix="hull-bench-", dir="/dev/shm")
        self.cgroup = f"hull-bench-{os.getpid()}"
        self.measure, self.crowd, self.floor = program("measure"), program("crowd"), program("floor")
        self.number = 0
        tree = subprocess.check_output([REPO / "scripts/rootfs", "busybox"], text=True).strip()
        shutil.copytree(tree, folder / "rootfs", symlinks=True)
        (folder / "binds/data").mkdir(parents=True)
        for name in ("hostname", "hosts", "resolv.conf"):
            (folder / "binds" / name).write_text("docker-like\n")
        self.runtimes = self.usable(runtimes, change)

    # Bundles

    def document(self, kind):
        """config.json of a kind: docker-like, or minimal."""
        text = (REPO / "benches/docker-like.json").read_text().replace("@BUNDLE@", str(self.folder))
        config = json.loads(text)
        if kind == "minimal":
            process = config["process"]
            config["process"] = {key: process[key] for key in ("user", "args", "env", "cwd", "capabilities")}
            config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] == "/proc"]
            config["linux"] = {"namespaces": [{"type": "mount"}, {"type": "pid"}]}
            del config["hostname"]
        return config

    def bundle(self, name, kind="docker-like", change=None, args=("/bin/true",)):
        """A bundle with a cgroup of its own."""
        config = self.document(kind)
        config["process"]["args"] = list(args)
        config["linux"]["cgroupsPath"] = f"/{self.cgroup}/{name}"
        if change:
            change(config)
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "config.json").write_text(json.dumps(config))
        return self.folder / name

    # Commands

    def line(self, runtime, *words):
        """A command line of a runtime, with a state folder of its own."""
        return [self.runtimes[runtime], "--root", f"{self.states.name}/{runtime.replace(' ', '-')}", *map(str, words)]

    def id(self):
        self.number += 1
        return f"bench-{os.getpid()}-{self.number}"

    def sample(self, line, options=(), around=(), limit=10):
        """One measurement: wall and CPU ms, peak KiB, page faults."""
        time.sleep(self.gap)
        command = [*around, self.measure, *options, *line]
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        done = bounded([str(word) for word in command], limit, **out)
        numbers = done.stdout.split()
        if done.returncode or len(numbers) != 5 or numbers[4] != "0":
            raise Failed(f"{' '.join(map(str, line))}: {done.stderr.strip() or 'wait status ' + ''.join(numbers[4:])}")
        wall, cpu, peak, faults, _ = map(int, numbers)
        return dict(zip(METRICS, (wall / 1e6, cpu / 1e3, peak, faults)))

    def quiet(self, line, limit=20):
        """Runs a command whose output and time are of no interest."""
        # A file, for the container keeps its stderr open.
        with tempfile.TemporaryFile() as said:
            done = bounded(line, limit, stdout=subprocess.DEVNULL, stderr=said)
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        if done.returncode:
            raise Failed(f"{' '.join(map(str, line))}: exit code {done.returncode}: {last[0]}")

    def forget(self, runtime, container):
        """Deletes what may be left of a container."""
        try:
            self.quiet(self.line(runtime, "delete", "--force", container))
        except HUNG_OR_FAILED:
            pass

    def run(self, runtime, bundle, **how):
        """A sample of `run`."""
        return self.sample(self.line(runtime, "run", "--bundle", bundle, self.id()), **how)

    def usable(self, runtimes, change):
        """The runtimes that can run the bundle here; says why another cannot."""
        self.runtimes, good = runtimes, {}
        bundle = self.bundle("docker-like", change=change)
        for name, path in runtimes.items():
            try:
                self.quiet(self.line(name, "run", "--bundle", bundle, self.id()))
                good[name] = path
            except HUNG_OR_FAILED as failed:
                if "crun" in name and "cgroup" in str(failed):
                    self.hide_controllers_from_crun()
                say(f"{name} is left out: {failed}")
        if "hull" not in good:
            sys.exit("nothing to compare with")
        return good

    def timeline(self):
        """Where the time of one start went, as a picture."""
        drawn, bundle = self.folder / "timeline.svg", self.bundle("run")
        hull, root, state, *words = self.line("hull", "run", "--bundle", bundle, "web")
        for _ in range(3):
            self.quiet([hull, root, state, "--trace-timing", drawn, *words])
        return drawn.read_text().replace(str(self.folder), "")

    # The floor

    def hierarchies(self):
        """Where cgroup2 is mounted, and the folders of the v1 hierarchies."""
        unified = CGROUPS if (CGROUPS / "cgroup.procs").exists() else CGROUPS / "unified"
        v1 = [each.name for each in CGROUPS.iterdir() if (each / "tasks").exists() and not each.is_symlink()]
        return [str(unified), *sorted(v1)] if unified != CGROUPS else [str(unified)]

    def floor_run(self, kind, filter_file=None):
        options = (["-m"] if kind == "minimal" else []) + (["-f", filter_file] if filter_file else [])
        return self.sample([self.floor, *options, "run", self.folder, f"{self.cgroup}/floor", *self.hierarchies()])

    def floor_exec(self, pid, bundle, filter_file=None):
        options = ["-f", filter_file] if filter_file else []
        cgroup = f"{self.cgroup}/{bundle.name}"
        return self.sample([self.floor, *options, "exec", pid, cgroup, *self.hierarchies()])

    def filter_of(self, bundle):
        """The seccomp filter that hull makes for a bundle, out of a container that has it."""
        container, pid_file, made = self.id(), self.folder / "filter.pid", self.folder / "filter"
        self.quiet(self.line("hull", "run", "--detach", "--pid-file", pid_file, "--bundle", bundle, container))
        with open(made, "wb") as out:
            read = subprocess.run([self.floor, "filter", pid_file.read_text()], stdout=out)
        self.quiet(self.line("hull", "delete", "--force", container))
        if read.returncode:
            say("the floor has no seccomp filter: this kernel does not give one out")
        return None if read.returncode else made

    # Cgroups

    def remove_cgroups(self):
        """Each runtime removes its own cgroup, none the parent that the bundle names; a refused start may leave both."""
        for parent in [CGROUPS / self.cgroup, *CGROUPS.glob(f"*/{self.cgroup}")]:
            for directory, _, _ in os.walk(parent, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError as why:
                    say(f"{directory} stays: {why.strerror}")

    def hide_controllers_from_crun(self):
        """crun refuses a hybrid host whose cgroup2 has controllers: start over, for all, where that list is empty."""
        controllers = CGROUPS / "unified/cgroup.controllers"
        if not controllers.is_file() or not controllers.read_text():
            return
        say(f"crun refuses this hybrid host: all run with an empty file over {controllers}")
        self.remove_cgroups()
        self.states.cleanup()
        shutil.rmtree(self.folder)
        again = f'mount --bind /dev/null {controllers} && exec "$@"'
        os.execvp("unshare", ["unshare", "-m", "--propagation", "slave", "sh", "-c", again, "sh", *sys.argv])


def interleave(rounds, cases):
    """Samples of cases, each a name and what takes one sample, in an order that changes with every round. A case that
    fails is left out from then on; one that hangs, the second time, or the first of few rounds."""
    patience = 1 if rounds < 8 else 2
    samples, hangs, cases = {name: [] for name in cases}, dict.fromkeys(cases, 0), dict(cases)
    for _ in range(rounds):
        for name in random.sample(list(cases), len(cases)):
            try:
                samples[name].append(cases[name]())
            except HUNG_OR_FAILED as failed:
                hung = isinstance(failed, subprocess.TimeoutExpired)
                hangs[name] += hung
                say(f"{name} hangs" if hung else f"{name} is left out: {failed}")
                if not hung or hangs[name] == patience:
                    del cases[name]
    return samples


def summary(values):
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "samples": len(values)}
