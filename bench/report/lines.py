"""A figure of each engine over a row of sizes, connections or percentiles."""

import dataclasses
from typing import Optional

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

import figures
from drawing import PALETTE, STYLE, canvas, colour_of, inline
from result import Estimate

WIDTH, PLOT, LEFT, TOP, RIGHT, AXIS, ENTRY = 380, 190, 52, 26, 14, 42, 18

# By its place in the legend: told apart also where there is no colour.
MARKERS = "os^Dv<>PX*"
DASHES = ("-", (0, (5, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2)), (0, (3, 1)))


@dataclasses.dataclass
class Line:
    engine: str
    points: list[Optional[Estimate]]  # One for each label; None: there is none.
    valid: list[bool]


def draw(lines: list[Line], labels: list[str], x: str, y: str, name: str, logarithmic: bool) -> Markup:
    legend = ENTRY * ((len(lines) + 1) // 2)
    with matplotlib.rc_context(STYLE):
        axes = canvas(WIDTH, TOP + PLOT + AXIS + legend, LEFT, TOP, RIGHT, AXIS + legend)
        for at, line in enumerate(lines):
            _draw_line(axes, line, at)
        _axes(axes, labels, x, y, logarithmic)
        axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -AXIS / PLOT), ncol=2, borderaxespad=0,
                    handlelength=2.6, columnspacing=1.4, labelspacing=0.35)
        return inline(axes, name)


def _draw_line(axes: Axes, line: Line, at: int) -> None:
    known = [(x, point) for x, point in enumerate(line.points) if point and point.median > 0]
    style = {"color": colour_of(line.engine), "marker": MARKERS[at % len(MARKERS)], "ms": 5.5}
    axes.plot([x for x, _ in known], [point.median for _, point in known], label=line.engine, lw=1.8,
              ls=DASHES[at % len(DASHES)], **style)
    for x, point in known:
        axes.plot([x, x], [max(point.low, point.median / 1e3), point.high], color=style["color"], lw=4,
                  alpha=0.3)
        if not line.valid[x]:
            axes.plot([x], [point.median], mfc=PALETTE["card"], **style)


def _axes(axes: Axes, labels: list[str], x: str, y: str, logarithmic: bool) -> None:
    axes.set_xlim(-0.25, len(labels) - 0.75)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlabel(x, loc="right")
    axes.text(-LEFT / (WIDTH - LEFT - RIGHT), 1 + 16 / PLOT, y, transform=axes.transAxes,
              color=PALETTE["soft"], fontsize=11, va="center")
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:  # From 0, so that a line twice as high is twice as much.
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: figures.figure(value)))
    axes.grid(axis="y", color=PALETTE["hair"], lw=1)
