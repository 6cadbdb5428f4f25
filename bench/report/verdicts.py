"""The table of cells as a chart: ratios round 1 with their intervals, and each verdict as a word."""

import dataclasses
import math
from typing import Optional

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes

from drawing import FONT, PALETTE, SMALL, STYLE, canvas, inline, wrapped
from result import Comparison

TICKS = (0.1, 0.2, 0.33, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10)
FURTHEST = math.log(10)

# By the first word of a verdict: a shape, so that it needs no colour.
MARKERS = {"less": ("<", "less"), "more": (">", "more"), "the": ("s", "ink"), "not": ("o", "soft")}


@dataclasses.dataclass
class Row:
    label: str
    comparison: Optional[Comparison]  # None: there is none, and `instead` says why.
    instead: str = ""


@dataclasses.dataclass(frozen=True)
class Layout:
    """For a screen: labels beside the marks, or on a phone above them."""

    width: int
    row: int
    left: int
    right: int
    label: int  # Characters in a line of it.
    above: bool


WIDE = Layout(width=880, row=30, left=370, right=200, label=58, above=False)
NARROW = Layout(width=340, row=54, left=2, right=152, label=54, above=True)
TOP, BOTTOM = 44, 8


def draw(rows: list[Row], less: str, more: str, name: str, layout: Layout) -> Markup:
    with matplotlib.rc_context(STYLE):
        axes = canvas(layout.width, TOP + BOTTOM + layout.row * len(rows), layout.left, TOP,
                      layout.right, BOTTOM)
        _prepare(axes, rows, layout)
        _head(axes, less, more, layout)
        for at, row in enumerate(rows):
            _draw_row(axes, row, at, layout)
        return inline(axes, name)


def _reach(rows: list[Row]) -> float:
    """As far to the left as to the right: half is as far from 1 as double."""
    ends = [end for row in rows if row.comparison
            for end in (row.comparison.ratio.low, row.comparison.ratio.high) if end > 0]
    return min(FURTHEST, max([math.log(1.25), *(abs(math.log(end)) for end in ends)]) * 1.08)


def _prepare(axes: Axes, rows: list[Row], layout: Layout) -> None:
    reach = _reach(rows)
    axes.set_xscale("log")
    axes.set_xlim(math.exp(-reach), math.exp(reach))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    axes.set_yticks([])
    axes.minorticks_off()
    shown = [tick for tick in TICKS if abs(math.log(tick)) < reach and _has_room(tick, reach, layout)]
    axes.set_xticks(shown, [f"{tick:g}x" for tick in shown])
    for at in range(len(rows)):
        top = at if layout.above else at - 0.5  # Not across a label.
        axes.vlines([tick for tick in shown if tick != 1], top, at + 0.5, PALETTE["hair"], lw=1)
        axes.vlines(1, top, at + 0.5, PALETTE["soft"], lw=1)


def _has_room(tick: float, reach: float, layout: Layout) -> bool:
    """Whether its words meet neither those of ticks nearer to 1 nor the edge."""
    pixels = (layout.width - layout.left - layout.right) / (2 * reach)
    inner = [each for each in TICKS if abs(math.log(each)) < abs(math.log(tick))]
    nearest = min((abs(math.log(tick / each)) for each in inner), default=FURTHEST)
    in_middle = (reach - abs(math.log(tick))) * pixels > 17
    return in_middle and (tick == 1 or nearest * pixels > 34 or tick in (0.5, 2) and math.log(2) * pixels > 34)


def _head(axes: Axes, less: str, more: str, layout: Layout) -> None:
    height = axes.figure.get_size_inches()[1] * 72
    y = 1 - 12 / height
    right = layout.width - layout.right
    for x, words, side in ((layout.left, f"◂ {less}", "left"), (right, f"{more} ▸", "right")):
        axes.figure.text(x / layout.width, y, words, ha=side, va="center", color=PALETTE["soft"],
                         fontsize=SMALL)


def _draw_row(axes: Axes, row: Row, at: int, layout: Layout) -> None:
    middle = at + 0.24 if layout.above else at
    across = axes.get_yaxis_transform()
    width = layout.width - layout.left - layout.right
    if at > 0:
        axes.plot([-layout.left / width, 1 + layout.right / width], [at - 0.5, at - 0.5],
                  transform=across, color=PALETTE["hair"], lw=0.8, clip_on=False)
    label_at = 0 if layout.above else -layout.left / width
    axes.text(label_at, at - 0.36 if layout.above else at, wrapped(row.label, layout.label),
              transform=across, va="top" if layout.above else "center", linespacing=1.15)
    if row.comparison:
        _draw_mark(axes, row.comparison, middle)
    _words(axes, row, middle, 1 + 12 / width, across)


def _draw_mark(axes: Axes, comparison: Comparison, y: float) -> None:
    ratio, unseen = comparison.ratio, 1 + min(comparison.sees or 0, 100)
    axes.barh(y, unseen - 1 / unseen, left=1 / unseen, height=0.36, color=PALETTE["noise"])
    axes.plot([max(ratio.low, 1e-3), max(ratio.high, 1e-3)], [y, y], color=PALETTE["ink"], lw=2,
              solid_capstyle="butt")
    shape, colour = MARKERS.get(comparison.word.partition(" ")[0], ("o", "soft"))
    filled = comparison.differs or shape == "s"
    axes.plot([max(ratio.median, 1e-3)], [y], marker=shape, ms=8 if shape in "<>" else 7,
              color=PALETTE[colour], mfc=PALETTE[colour] if filled else PALETTE["card"], mew=1.6)


def _words(axes: Axes, row: Row, y: float, x: float, across) -> None:
    figure = f"{row.comparison.ratio.median:.2f}x" if row.comparison else ""
    word = row.comparison.word if row.comparison else row.instead
    bold = row.comparison is not None and row.comparison.differs
    style = {"transform": across, "va": "center", "fontweight": "bold" if bold else "normal",
             "color": PALETTE["ink" if bold else "soft"]}
    axes.text(x, y, figure, fontsize=FONT, **style)
    axes.text(x + _wide(axes, 44), y, word.replace("the same within", "same within"), fontsize=SMALL, **style)


def _wide(axes: Axes, pixels: float) -> float:
    return pixels / (axes.get_position().width * axes.figure.get_size_inches()[0] * 72)
