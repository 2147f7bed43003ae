"""What is measured. Each function yields figures: a group, a name, a unit, perhaps a place on an axis, and for each
runtime the median and the extremes of what was seen."""

import json
import os
import pathlib
import subprocess
import time

from lab import CGROUPS, HUNG_OR_FAILED, Failed, bounded, interleave, say, summary

UNITS = {"wall": "ms", "cpu": "ms of CPU", "peak": "KiB", "faults": "faults"}


def figure(group, name, unit, values, at=None):
    place = {} if at is None else {"at": at}
    return {"group": group, "figure": name, "unit": unit, **place, "values": values}


def summaries(samples, metric):
    return {name: summary([sample[metric] for sample in taken]) for name, taken in samples.items() if taken}


def times(group, name, samples, at=None):
    """Wall and CPU time."""
    for metric in ("wall", "cpu"):
        yield figure(group, name, UNITS[metric], summaries(samples, metric), at)


def runs(lab, rounds, kinds=("docker-like", "minimal"), group="", change=None):
    """`run /bin/true`, beside the floor."""
    for kind in kinds:
        sleeper = lab.bundle("sleeper", kind, change, args=["/bin/sleep", "1000"])
        bundle = lab.bundle("run", kind, change)
        seccomp = lab.filter_of(sleeper) if kind == "docker-like" else None
        cases = {"floor": lambda: lab.floor_run(kind, seccomp)}
        cases |= {name: lambda name=name: lab.run(name, bundle) for name in lab.runtimes}
        samples = interleave(rounds, cases)
        for metric, unit in UNITS.items():
            yield figure(group or kind, "run", unit, summaries(samples, metric))


def life(lab, rounds):
    """The verbs of one container after the other, that of `exec` beside its floor."""
    bundle = lab.bundle("life", args=["/bin/sleep", "1000"])
    seccomp = lab.filter_of(bundle)
    floor = []

    def cycle(name):
        container, pid_file = lab.id(), lab.folder / "life.pid"
        verbs = {
            "create": ["create", "--bundle", bundle, "--pid-file", pid_file, container],
            "start": ["start", container],
            "exec": ["exec", container, "/bin/true"],
            "state": ["state", container],
            "kill and delete": ["delete", "--force", container],
        }
        taken = {}
        try:
            for verb, words in verbs.items():
                taken[verb] = lab.sample(lab.line(name, *words))
                if verb == "exec" and name == "hull":
                    floor.append(lab.floor_exec(pid_file.read_text(), bundle, seccomp))
        except HUNG_OR_FAILED:
            lab.forget(name, container)
            raise
        taken["create, start, kill and delete"] = {
            metric: sum(taken[verb][metric] for verb in ("create", "start", "kill and delete")) for metric in ("wall", "cpu")
        }
        return taken

    samples = interleave(rounds, {name: lambda name=name: cycle(name) for name in lab.runtimes})
    for verb in ("create", "start", "exec", "state", "kill and delete", "create, start, kill and delete"):
        of_verb = {name: [sample[verb] for sample in taken] for name, taken in samples.items()}
        if verb == "exec":
            of_verb = {"floor": floor, **of_verb}
        yield from times("docker-like", verb, of_verb)
    version = {name: lambda name=name: lab.sample([lab.runtimes[name], "--version"]) for name in lab.runtimes}
    yield from times("docker-like", "--version", interleave(rounds, version))


def system_calls(line):
    """How many system calls a command and its children make, the container's own included."""
    counts = pathlib.Path(line[2]).parent / "strace.counts"
    done = bounded(["strace", "-f", "-c", "-o", counts, *line], 60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"strace of {' '.join(line)}: exit code {done.returncode}")
    # The last line: percent, seconds, microseconds per call, calls, perhaps errors, `total`.
    return int(counts.read_text().splitlines()[-1].split()[3])


def constant(values):
    return {name: summary([value]) for name, value in values.items()}


def counts(lab):
    """What can be counted."""
    bundle, sleeper = lab.bundle("run"), lab.bundle("sleeper", args=["/bin/sleep", "1000"])
    run, execs = {}, {}
    for name in lab.runtimes:
        try:
            run[name] = system_calls(lab.line(name, "run", "--bundle", bundle, lab.id()))
            container = lab.id()
            lab.quiet(lab.line(name, "run", "--detach", "--bundle", sleeper, container))
            try:
                execs[name] = system_calls(lab.line(name, "exec", container, "/bin/true"))
            finally:
                lab.quiet(lab.line(name, "delete", "--force", container))
        except HUNG_OR_FAILED as failed:
            say(f"{name} is not counted: {failed}")
    yield figure("docker-like", "run", "system calls", constant(run))
    yield figure("docker-like", "exec", "system calls", constant(execs))
    sizes = {name: os.path.getsize(path) / 1024 for name, path in lab.runtimes.items()}
    yield figure("", "binary", "KiB", constant(sizes))


def many(lab, name, count, workers):
    """One sample of that many starts."""
    line = lab.line(name, "run", "--bundle", lab.folder / "many-{}", lab.id() + "-{}")
    taken = lab.sample(line, options=["-n", str(count), "-j", str(workers)], limit=10 + count // 10)
    return {metric: taken[metric] / count for metric in ("wall", "cpu")}


def throughput(lab, rounds, starts):
    """Many starts, one after the other and at once."""
    for number in range(max(starts.values())):
        lab.bundle(f"many-{number}")
    for workers, count in starts.items():
        cases = {name: lambda name=name: many(lab, name, count, workers) for name in lab.runtimes}
        samples = interleave(rounds, cases)
        for metric, unit in (("wall", "ms each"), ("cpu", "ms of CPU")):
            yield figure("throughput", f"{count} starts", unit, summaries(samples, metric), at=workers)


def endurance(lab, rounds):
    """hull alone, 200 starts by 2 workers again and again: one that hangs or fails ends it, and is said."""
    for number in range(200):
        lab.bundle(f"many-{number}")
    samples = interleave(rounds, {"hull": lambda: many(lab, "hull", 200, 2)})
    yield figure("endurance", f"{200 * len(samples['hull']):,} starts", "ms each", summaries(samples, "wall"), at=2)


def smallest_limit(lab, rounds):
    """The smallest linux.resources.memory.limit under which /bin/true runs, to the page."""
    def starts(name, pages):
        def limit(config):
            config["linux"]["resources"]["memory"] = {"limit": pages * 4096}

        line = lab.line(name, "run", "--bundle", lab.bundle("limit", change=limit), lab.id())
        done = bounded(line, 20, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def search(name):
        low, high = 1, 8192
        if not starts(name, high):
            raise Failed(f"{name} does not start with 32 MiB")
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if starts(name, middle) else (middle, high)
        return {"limit": high * 4}

    samples = interleave(rounds, {name: lambda name=name: search(name) for name in lab.runtimes})
    yield figure("docker-like", "smallest memory limit", "KiB", summaries(samples, "limit"))


def resident(lab):
    """KiB of all processes on our side of the containers that belong to this bench."""
    total, own = 0, os.readlink("/proc/self/ns/pid")
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            ours = str(lab.folder).encode() in (process / "cmdline").read_bytes()
            if ours and int(process.name) != os.getpid() and os.readlink(process / "ns/pid") == own:
                status = (process / "status").read_text()
                total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        except OSError:
            pass
    return total


class Crowd:
    """Running containers, minimal ones."""

    def __init__(self, lab, runtime):
        self.lab, self.runtime, self.id = lab, runtime, lab.id()
        self.batches = []

    def grow(self, size):
        """Up to this many, eight at a time. `measure` counts from 0, so each batch has names of its own."""
        first, count = sum(count for _, count in self.batches), 0
        for count in range(1, size - first + 1):
            self.lab.bundle(f"crowd-{first}-{count - 1}", "minimal", args=["/bin/sleep", "100000"])
        self.batches.append((first, count))
        words = "run", "--detach", "--bundle", self.lab.folder / f"crowd-{first}-{{}}", f"{self.id}-{first}-{{}}"
        self.lab.sample(self.lab.line(self.runtime, *words), options=["-n", str(count), "-j", "8"], limit=300)

    def leave(self):
        for first, count in self.batches:
            line = self.lab.line(self.runtime, "delete", "--force", f"{self.id}-{first}-{{}}")
            try:
                self.lab.sample(line, options=["-n", str(count), "-j", "8"], limit=300)
            except HUNG_OR_FAILED as failed:
                say(f"containers may be left: {failed}")


def kept_memory(lab):
    """Resident memory of the runtime, for each container that runs."""
    values = {}
    for name in lab.runtimes:
        before, crowd = resident(lab), Crowd(lab, name)
        try:
            crowd.grow(10)
            time.sleep(0.2)
            values[name] = (resident(lab) - before) / 10
        except HUNG_OR_FAILED as failed:
            say(f"{name} is left out: {failed}")
        finally:
            crowd.leave()
    yield figure("", "kept for each running container", "KiB", constant(values))


def host_mounts(lab, rounds, sizes):
    """`run` on a host with more mounts."""
    bundle, place = lab.bundle("run"), lab.folder / "mounts"
    place.mkdir()
    for size in sizes:
        around = [lab.crowd, size, place]
        samples = interleave(rounds, {name: lambda name=name: lab.run(name, bundle, around=around) for name in lab.runtimes})
        yield from times("mounts on the host", "run", samples, at=size)


def config_mounts(lab, rounds, sizes):
    """`run` with more mounts in config.json."""
    for size in sizes:
        def more(config, size=size):
            options, source = ["rbind", "ro", "rprivate"], str(lab.folder / "binds/data")
            for number in range(size):
                (lab.folder / "rootfs/more" / str(number)).mkdir(parents=True, exist_ok=True)
                mount = {"destination": f"/more/{number}", "type": "bind", "source": source, "options": options}
                config["mounts"].append(mount)

        bundle = lab.bundle("mounts-in-config", change=more)
        samples = interleave(rounds, {name: lambda name=name: lab.run(name, bundle) for name in lab.runtimes})
        yield from times("mounts in config.json", "run", samples, at=size)


def containers(lab, rounds, sizes):
    """`run`, and `list`, beside other containers. Those beside `run` are hull's; who lists, lists its own."""
    bundle, crowd = lab.bundle("run"), Crowd(lab, "hull")
    try:
        for size in sizes:
            crowd.grow(size)
            samples = interleave(rounds, {name: lambda name=name: lab.run(name, bundle) for name in lab.runtimes})
            yield from times("running containers", "run", samples, at=size)
    finally:
        crowd.leave()
    lists = {}
    # The newest peer is enough: a thousand of runc's take minutes.
    for name in list(lab.runtimes)[:2]:
        crowd = Crowd(lab, name)
        try:
            crowd.grow(sizes[-1])
            lists |= interleave(rounds, {name: lambda name=name: lab.sample(lab.line(name, "list"))})
        except HUNG_OR_FAILED as failed:
            say(f"{name} does not list: {failed}")
        finally:
            crowd.leave()
    yield from times("running containers", "list", lists, at=sizes[-1])


def on_cgroup2(script, rounds):
    """`run` where nothing but cgroup2 can be seen. Without limits: the controllers of this host may be with v1."""
    if (CGROUPS / "cgroup.procs").exists():
        return []
    view = """mount -t cgroup2 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/hull-bench-caller &&
        echo $$ >/sys/fs/cgroup/hull-bench-caller/cgroup.procs && "$@"; code=$?
        echo 0 >/sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/hull-bench-caller; exit $code"""
    line = ["unshare", "--mount", "--cgroup", "--propagation", "slave", "sh", "-c", view, "sh", script, "--view", str(rounds)]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        say("no figures of a host with cgroup2 alone: it could not be played here")
        return []
    return json.loads(done.stdout)


def without_limits(config):
    """What is left of the docker-like bundle where no controller is to be had."""
    for name in ("memory", "cpu", "pids"):
        del config["linux"]["resources"][name]


def engines(path):
    """What benches/engines has measured before."""
    if not path.exists():
        say(f"no figures of engines: {path.name} is missing, benches/engines makes it")
        return
    report = json.loads(path.read_text())
    for engine in report["engines"]:
        values = {name: {**each, "samples": each.pop("starts")} for name, each in engine["runtimes"].items()}
        yield figure("engines", f"{engine['engine']} run --rm", "ms", values)
