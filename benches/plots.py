"""Plots as inline SVG. Colours are the page's, by class."""

import math
from html import escape

ORDER = "hull", "floor", "newer crun", "crun", "youki", "runc"


def ordered(values):
    return [(name, values[name]) for name in ORDER if name in values]


def css(name):
    return name.replace(" ", "-")


def amount(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def svg(width, height, parts):
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def bars(values, unit, width=460):
    """A bar for each runtime up to its median, a whisker from least to most."""
    left, right, row = 84, 92, 26
    rows = ordered(values)
    # One wild sample must not make everything small.
    most = max(min(value["max"], 1.6 * value["median"]) for _, value in rows) or 1
    scale = (width - left - right) / most
    parts = []
    for number, (name, value) in enumerate(rows):
        y, end = number * row, left + value["median"] * scale
        low, high = left + value["min"] * scale, left + min(value["max"], most) * scale
        parts.append(f'<g><title>{escape(name)}: {amount(value["median"])} {unit}, from {amount(value["min"])} to {amount(value["max"])}</title>')
        parts.append(text(left - 8, y + 16, name, "end" + (" strong" if name == "hull" else "")))
        parts.append(f'<rect class="{css(name)}" x="{left}" y="{y + 4}" width="{max(end - left, 1):.1f}" height="16" rx="3"/>')
        if value["samples"] > 1:
            parts.append(f'<path class="whisker" d="M{low:.1f} {y + 12}H{high:.1f}M{low:.1f} {y + 9}v6M{high:.1f} {y + 9}v6"/>')
        parts.append(text(max(end, high if value["samples"] > 1 else 0) + 7, y + 16, f'{amount(value["median"])} {unit}', "soft"))
        parts.append("</g>")
    return svg(width, len(rows) * row + 2, parts)


def nice(most):
    """A step of 1, 2 or 5 that goes a few times into `most`."""
    power = 10 ** math.floor(math.log10(most / 4))
    return next(of * power for of in (1, 2, 5, 10) if of * power >= most / 4)


def lines(figures, unit, width=460, height=240):
    """Medians over a place on a logarithmic axis, one line for each runtime."""
    left, right, top, bottom = 46, 84, 10, 28
    places = [figure["at"] for figure in figures]
    most = max(value["median"] for figure in figures for value in figure["values"].values()) * 1.05
    span = math.log(places[-1] / places[0]) or 1

    def x(place):
        return left + math.log(place / places[0]) / span * (width - left - right)

    def y(value):
        return height - bottom - value / most * (height - top - bottom)

    parts, step = [], nice(most)
    for number in range(int(most / step) + 1):
        tick = number * step
        parts.append(f'<path class="grid" d="M{left} {y(tick):.1f}H{width - right}"/>{text(left - 6, y(tick) + 4, amount(tick), "end soft")}')
    parts.append(text(left - 40, top + 2, unit, "soft"))
    parts += [text(x(place), height - 8, f"{place:,}", "middle soft") for place in places]
    ends = []
    for name in reversed(ORDER):
        points = [(figure["at"], figure["values"][name]["median"]) for figure in figures if name in figure["values"]]
        if not points:
            continue
        path = "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in points)
        parts.append(f'<g class="line-{css(name)}"><path class="line" d="M{path}"/>')
        parts += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3"><title>{escape(name)}: {amount(value)} {unit} with {at:,}</title></circle>' for at, value in points]
        parts.append("</g>")
        ends.append([y(points[-1][1]), name])
    # Names beside the ends, far enough from each other to be read.
    ends.sort()
    for before, after in zip(ends, ends[1:]):
        after[0] = max(after[0], before[0] + 14)
    over = max(0, ends[-1][0] - (height - bottom)) if ends else 0
    parts += [text(width - right + 8, at - over + 4, name, "strong" if name == "hull" else "") for at, name in ends]
    return svg(width, height, parts)
