"""The report as one page that needs nothing else."""

from html import escape

from plots import amount, bars, lines, ordered

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d2024;--soft:#697077;--line:#e4e2dd;
--hull:#e4572e;--floor:#a7adb4;--newer-crun:#3aa6a0;--crun:#3d74c8;--youki:#9463b8;--runc:#56616d;--good:#2a8a4a;--bad:#b8860b}
@media(prefers-color-scheme:dark){:root{--paper:#15171a;--card:#1d2024;--ink:#e9e7e3;--soft:#98a0a8;--line:#32363b;
--floor:#70777f;--runc:#8b97a3;--crun:#6a9be6;--good:#59c17b;--bad:#e0b040}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,"DejaVu Sans",sans-serif}
main{max-width:1060px;margin:0 auto;padding:48px 28px 80px}h1{font-size:38px;line-height:1.15;margin:0 0 8px;letter-spacing:-.02em}
h2{margin:56px 0 4px;font-size:23px;letter-spacing:-.01em}h3{margin:0 0 12px;font-size:15px;font-weight:600}
p{margin:4px 0 18px;max-width:70ch}.soft,p.soft{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:14px;margin:28px 0}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px}
.tile b{display:block;font-size:31px;line-height:1.1;letter-spacing:-.02em;color:var(--hull)}.tile span{font-size:13.5px;color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(400px,1fr));gap:16px}svg{display:block;width:100%;height:auto}
svg text{font:13px ui-sans-serif,system-ui,"DejaVu Sans",sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}svg .end{text-anchor:end}
svg .middle{text-anchor:middle}svg .strong{font-weight:700}.whisker{stroke:var(--ink);stroke-width:1.2;fill:none;opacity:.45}
.grid{stroke:var(--line)}.line{fill:none;stroke-width:2.2}table{border-collapse:collapse;width:100%;font-size:14px}
td,th{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left;white-space:normal}
th{font-weight:600}.met{color:var(--good)}.missed{color:var(--bad)}.wide{overflow-x:auto}.timeline{background:#fff;border-radius:12px;border:1px solid var(--line);padding:8px;overflow-x:auto}
.timeline svg text{fill:#24292f;font-size:12px}.timeline svg .title{font-size:18px}.timeline svg .soft{fill:#6e7781}
""" + "".join(
    f".{name}{{fill:var(--{name})}}.line-{name} .line{{stroke:var(--{name})}}.line-{name} circle{{fill:var(--{name})}}"
    for name in ("hull", "floor", "newer-crun", "crun", "youki", "runc")
)


class Report:
    """Finds figures in what was measured."""

    def __init__(self, report):
        self.figures = report["figures"]

    def all(self, group, name, unit=None):
        found = [each for each in self.figures if (each["group"], each["figure"]) == (group, name)]
        return [each for each in found if each["values"] and (unit is None or each["unit"] == unit)]

    def values(self, group, name, unit="ms", at=None):
        found = [each["values"] for each in self.all(group, name, unit) if each.get("at") == at]
        return found[0] if found else {}

    def median(self, runtime, *where, **which):
        value = self.values(*where, **which).get(runtime)
        return value["median"] if value else None


def targets(report):
    """What was promised: (figure, of what, limit, what was found by time, by CPU time, and by the quickest samples)."""
    docker, view, together = "docker-like", "cgroup v2 alone", "create, start, kill and delete"

    def ratio(group, name, to, unit="ms", at=None):
        def of(unit, which):
            values = report.values(group, name, unit, at)
            ours, theirs = values.get("hull"), values.get(to)
            return ours[which] / theirs[which] if ours and theirs else None

        return of(unit, "median"), of("ms of CPU", "median"), of(unit, "min")

    def own(*where, **which):
        return report.median("hull", *where, **which), None, None

    def growth(few, many):
        def of(unit, which):
            before, after = (report.values("mounts on the host", "run", unit, at).get("hull") for at in (few, many))
            return after[which] / before[which] if before and after else None

        return of("ms", "median"), of("ms of CPU", "median"), of("ms", "min")

    return [
        ("run", "of the floor", 1.25, *ratio(docker, "run", "floor")),
        ("run", "of the newest crun", 0.40, *ratio(docker, "run", "newer crun")),
        ("run", "of Debian's crun", 0.20, *ratio(docker, "run", "crun")),
        ("run", "of runc", 0.10, *ratio(docker, "run", "runc")),
        ("run, cgroup v2 alone", "of the floor", 1.25, *ratio(view, "run", "floor")),
        ("run, cgroup v2 alone", "of the newest crun", 0.45, *ratio(view, "run", "newer crun")),
        (together, "of the newest crun", 0.40, *ratio(docker, together, "newer crun")),
        ("exec", "of its floor", 1.4, *ratio(docker, "exec", "floor")),
        ("exec", "of the newest crun", 0.30, *ratio(docker, "exec", "newer crun")),
        ("exec", "of runc", 0.06, *ratio(docker, "exec", "runc")),
        ("state", "of the newest crun", 0.35, *ratio(docker, "state", "newer crun")),
        ("--version", "of the newest crun", 0.35, *ratio(docker, "--version", "newer crun")),
        ("200 starts by 2 workers", "of the newest crun", 0.45, *ratio("throughput", "200 starts", "newer crun", "ms each", 2)),
        ("run with 2,000 mounts on the host", "of that with 20", 1.2, *growth(20, 2000)),
        ("list of 1,000 containers", "ms", 10, *own("running containers", "list", at=1000)),
        ("peak memory of any process, run", "KiB", 1536, *own(docker, "run", unit="KiB")),
        ("system calls of run", "calls", 350, *own(docker, "run", unit="system calls")),
        ("minor page faults of run", "faults", 150, *own(docker, "run", unit="faults")),
        ("binary", "KiB", 2048, *own("", "binary", unit="KiB")),
        ("smallest memory limit", "KiB", 243, *own(docker, "smallest memory limit", unit="KiB")),
    ]


def card(title, plot):
    return f'<div class="card"><h3>{escape(title)}</h3>{plot}</div>'


def bar_cards(report, wanted):
    cards = []
    for title, where, unit in wanted:
        if values := report.values(*where, unit=unit):
            short = {"system calls": "calls", "ms each": "ms", "ms of CPU": "ms"}.get(unit, unit)
            cards.append(card(title, bars(values, short)))
    return f'<div class="cards">{"".join(cards)}</div>'


def tile(number, words):
    return f'<div class="tile"><b>{number}</b><span>{escape(words)}</span></div>'


def tiles(report):
    run = report.values("docker-like", "run")
    hull = run["hull"]["median"]
    found = [tile(f"{amount(hull)} ms", "from run to the end of /bin/true, like Docker would start it")]
    for name in ("floor", "newer crun", "crun", "runc"):
        if name in run:
            times = run[name]["median"] / hull
            words = "of the bare system calls' time" if name == "floor" else f"as quick as {name}"
            found.append(tile(f"{1 / times:.2f} ×" if name == "floor" else f"{times:.1f} ×", words))
    memory = report.median("hull", "docker-like", "run", unit="KiB")
    calls = report.median("hull", "docker-like", "run", unit="system calls")
    found.append(tile(f"{memory / 1024:.1f} MiB", "peak memory of any process"))
    if calls:
        found.append(tile(f"{calls:,.0f}", "system calls, /bin/true's included"))
    return f'<div class="tiles">{"".join(found)}</div>'


def growth(report):
    cards = []
    for group, title in (
        ("mounts on the host", "CPU time of run, by mounts on the host"),
        ("running containers", "CPU time of run, by running containers"),
        ("mounts in config.json", "CPU time of run, by binds in config.json"),
    ):
        found = report.all(group, "run", "ms of CPU")
        if len(found) > 1:
            cards.append(card(title, lines(found, "ms")))
    for found in report.all("running containers", "list", "ms"):
        cards.append(card(f"list of {found['at']:,} containers", bars(found["values"], "ms")))
    return f'<div class="cards">{"".join(cards)}</div>'


def throughput(report):
    found = [each for each in report.figures if each["unit"] == "ms each" and each["values"]]
    workers = {1: "one after the other", 2: "by 2 workers", 8: "by 8 workers"}
    cards = [card(f"{each['figure']}, {workers.get(each['at'], each['at'])}", bars(each["values"], "ms")) for each in found]
    return f'<div class="cards">{"".join(cards)}</div>'


def engines(report):
    found = [each for each in report.figures if each["group"] == "engines"]
    if not found:
        return ""
    cards = "".join(card(each["figure"], bars(each["values"], "ms")) for each in found)
    return f"""<h2>Below an engine</h2><p class="soft">What the user of an engine waits for, from the command to the prompt:
        <code>run --rm</code> of true, without a network. Most of it is the engine's own.</p><div class="cards">{cards}</div>"""


def promises(report):
    rows = []
    for figure, of, limit, *found in targets(report):
        unit = "" if of.startswith("of ") else f" {of}"
        promise = f"at most {limit:g} × {of[3:]}" if not unit else f"at most {limit:,g}{unit}"
        cells = []
        for value in found:
            if value is None:
                cells.append('<td class="soft">-</td>')
                continue
            said = f"{value:.2f} ×" if not unit else f"{amount(value)}{unit}"
            cells.append(f'<td class="{"met" if value <= limit else "missed"}">{said}</td>')
        rows.append(f"<tr><td>{escape(figure)}</td><td>{escape(promise)}</td>{''.join(cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("figure", "target", "median", "by CPU time", "quickest samples"))
    return f'<div class="card wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def everything(report, names):
    rows = []
    for each in report.figures:
        cells, first = [], each["values"].get("hull", {}).get("median")
        for name in names:
            value = each["values"].get(name)
            if value is None:
                cells.append("<td></td>")
                continue
            times = f' <span class="soft">×{value["median"] / first:.2f}</span>' if first else ""
            spread = f'{amount(value["min"])} to {amount(value["max"])}' if value["samples"] > 1 else ""
            cells.append(f'<td>{amount(value["median"])}{times}<br><span class="soft">{spread}</span></td>')
        place = f" ({each['at']:,})" if "at" in each else ""
        title = f"{each['group']} {each['figure']}{place}, {each['unit']}".strip()
        rows.append(f"<tr><td>{escape(title)}</td>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f'<div class="card wide"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'


def draw(data):
    """The whole page."""
    report, machine = Report(data), data["machine"]
    seen = {name: None for each in data["figures"] for name in each["values"]}
    names = [name for name, _ in ordered(seen)]
    versions = ", ".join(f"{name} {version}" for name, version in data["runtimes"].items())
    docker = "docker-like"
    verbs = ["create", "start", "exec", "kill and delete", "state", "--version"]
    costs = [
        ("peak memory of any process, run", (docker, "run"), "KiB"),
        ("system calls, run", (docker, "run"), "system calls"),
        ("system calls, exec", (docker, "exec"), "system calls"),
        ("minor page faults, run", (docker, "run"), "faults"),
        ("size of the binary", ("", "binary"), "KiB"),
        ("smallest memory limit that starts", (docker, "smallest memory limit"), "KiB"),
    ]
    starts = [
        ("run, docker-like", (docker, "run"), "ms"),
        ("CPU time of run, docker-like", (docker, "run"), "ms of CPU"),
        ("run, minimal", ("minimal", "run"), "ms"),
        ("run, docker-like without limits, cgroup v2 alone", ("cgroup v2 alone", "run"), "ms"),
    ]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>How quick hull is</title>
<style>{STYLE}</style><main>
<h1>How quick hull is</h1>
<p class="soft">{escape(versions)}. Measured on {machine["date"]}: Linux {escape(machine["kernel"])}, {machine["processors"]}
processors ({escape(machine["processor"])}), {escape(machine["memory"])}, cgroup {escape(machine["cgroups"])}; load average
{machine["load"]}: above the number of processors, CPU time and the quickest samples say more than medians. Everything in one run,
in an order that changes with every round. Bars end at medians, whiskers at the extremes.</p>
{tiles(report)}
<h2>One start</h2>
<p>The docker-like bundle has Docker's default seccomp profile, 14 capabilities, masked paths, limits, binds and six new
namespaces; the minimal one has two namespaces and /proc. <b>floor</b> is a C program that makes the same system calls and
nothing else: what the kernel takes for such a container.</p>
{bar_cards(report, starts)}
<h2>Verb by verb</h2>
{bar_cards(report, [(verb, (docker, verb), "ms") for verb in verbs])}
<h2>What it takes</h2>
{bar_cards(report, costs)}
<h2>Many starts</h2>
<p>Milliseconds for each start.</p>
{throughput(report)}
<h2>On a busy host</h2>
{growth(report)}
{engines(report)}
<h2>Where the time goes</h2>
<p><code>hull --trace-timing start.svg run web</code> draws this for any container.</p>
<div class="timeline">{data.get("timeline", "")}</div>
<h2>Targets</h2>
<p>Ratios of medians, of CPU time, and of the quickest sample of each: what else the machine did is in the first most, in
the last least. Green is met.</p>
{promises(report)}
<h2>All figures</h2>
{everything(report, names)}
</main></html>
"""
