"""Plots of what report.py has read: NAME.png and NAME.svg."""

import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import report

GROUPS = {
    "transfers": lambda work, delay: not delay
    and work in ("get", "put", "stream", "scp"),
    "calls": lambda work, delay: not delay
    and work in ("exec", "connect", "stat", "stats", "list", "tree_get",
                 "tree_put"),
    "at-20-ms": lambda work, delay: delay == 20,
    "at-100-ms": lambda work, delay: delay == 100,
    "memory": lambda work, delay: work in ("sessions", "big"),
}
INK, QUIET, CPU = "#0b6e8a", "#b9c2c7", "#1f2a30"


def values(samples, cell, who, memory):
    if not memory:
        return [*report.seconds(samples, cell, who, "wall").values()]
    key = "each_kib" if cell[0] == "sessions" else "added_kib"
    return [*samples.figures(cell, who, key).values()]


def draw(axes, samples, cell, memory):
    """One bar a program, the shortest on top; a line for its spread."""
    bars = {who: values(samples, cell, who, memory)
            for who in samples.cells[cell] if who[1] == "source"}
    bars = sorted(((statistics.median(v), who, v)
                   for who, v in bars.items() if v), reverse=True)
    names = [report.label(samples, who) for _, who, _ in bars]
    medians = [m for m, _, _ in bars]
    around = [[m - min(v) for m, _, v in bars],
              [max(v) - m for m, _, v in bars]]
    colours = [INK if report.is_ours(who[0]) else QUIET for _, who, _ in bars]
    axes.barh(names, medians, xerr=around, color=colours, ecolor=CPU)
    if not memory:
        used = [statistics.median(
            report.seconds(samples, cell, who, "cpu").values() or [0])
            for _, who, _ in bars]
        axes.plot(used, names, "|", color=CPU, markersize=9)
    for name, value in zip(names, medians, strict=True):
        axes.text(value, name, f" {value:.3g}", va="center", fontsize=7)
    axes.set_title(report.title(cell), fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.margins(x=0.15)
    axes.set_xlabel("KiB" if memory
                    else "s of wall; | client CPU", fontsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def write(samples, folder):
    for name, wanted in GROUPS.items():
        memory = name == "memory"
        cells = [c for c, those in samples.cells.items()
                 if wanted(c[0], c[2]) and any(
                     values(samples, c, who, memory) for who in those)]
        for end in ("png", "svg"):
            (folder / f"{name}.{end}").unlink(missing_ok=True)
        if not cells:
            continue
        rows = (len(cells) + 1) // 2
        high = max(len(samples.cells[c]) for c in cells) * 0.2 + 1
        figure, axes = plt.subplots(rows, 2, figsize=(13, rows * high),
                                    squeeze=False, layout="constrained")
        for place in axes.flat[len(cells):]:
            place.set_axis_off()
        for place, cell in zip(axes.flat, cells, strict=False):
            draw(place, samples, cell, memory)
        for end in ("png", "svg"):
            figure.savefig(folder / f"{name}.{end}", dpi=110)
        plt.close(figure)
