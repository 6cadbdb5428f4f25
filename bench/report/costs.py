"""What engines need, as bars in a group for each cell, with intervals."""

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes

import figures
from drawing import PALETTE, SMALL, STYLE, canvas, colour_of, inline, wrapped
from result import Cell, Series

WIDTH, LEFT, RIGHT = 380, 112, 74
BAR, HEAD, SECOND_LINE, GAP = 17, 19, 13, 9
MOST_BARS = 64


def drawable(cells: list[Cell], metric: str) -> list[Cell]:
    """Those of which there is a figure; none if that would be too many bars."""
    found = [cell for cell in cells if any(metric in series.metrics for series in _shown(cell))]
    return found if sum(len(_shown(cell)) for cell in found) <= MOST_BARS else []


def draw(cells: list[Cell], metric: str, name: str) -> Markup:
    height = sum(_head(cell) + BAR * len(_shown(cell)) + GAP for cell in cells)
    with matplotlib.rc_context(STYLE):
        axes = canvas(WIDTH, height, LEFT, 0, RIGHT, 0)
        axes.set_axis_off()
        axes.set_ylim(height, 0)
        axes.set_xlim(0, _largest(cells, metric))
        top = 0.0
        for cell in cells:
            top = _group(axes, cell, metric, top) + GAP
        return inline(axes, name)


def _title(cell: Cell) -> str:
    return wrapped(cell.description, 58)


def _head(cell: Cell) -> float:
    return HEAD + SECOND_LINE * _title(cell).count("\n")


def _group(axes: Axes, cell: Cell, metric: str, top: float) -> float:
    """Its bars below its title; returns where it ends."""
    axes.text(-LEFT / (WIDTH - LEFT - RIGHT), top + _head(cell) / 2 + 1, _title(cell), va="center",
              transform=axes.get_yaxis_transform(), fontweight="bold", fontsize=SMALL, linespacing=1.15)
    top += _head(cell)
    for series in _shown(cell):
        _bar(axes, series, metric, top + BAR / 2)
        top += BAR
    return top


def _shown(cell: Cell) -> list[Series]:
    return [series for series in cell.series if not series.again]


def _largest(cells: list[Cell], metric: str) -> float:
    highs = [series.metrics[metric].high for cell in cells for series in _shown(cell)
             if metric in series.metrics]
    return max([*highs, 1e-9])


def _bar(axes: Axes, series: Series, metric: str, y: float) -> None:
    across = axes.get_yaxis_transform()
    style = {"va": "center", "fontsize": SMALL, "color": PALETTE["soft"]}
    axes.text(-6 / (WIDTH - LEFT - RIGHT), y, wrapped(series.engine, 18), transform=across, ha="right", **style)
    estimate = series.metrics.get(metric)
    if estimate is None:
        axes.text(0.01, y, "no figure" if series.served else "does not do this", transform=across, **style)
        return
    colour = colour_of(series.engine)
    axes.barh(y, estimate.median, height=12, color=colour if series.valid else PALETTE["card"],
              edgecolor=colour, linestyle="-" if series.valid else "--", lw=1)
    if estimate.high > estimate.low:
        axes.errorbar(estimate.median, y, xerr=[[max(0, estimate.median - estimate.low)],
                                                [max(0, estimate.high - estimate.median)]],
                      color=PALETTE["ink"], lw=1.2, capsize=2.5)
    end = max(estimate.high, estimate.median)
    axes.annotate(figures.figure(estimate.median), (end, y), xytext=(6, 0), textcoords="offset points",
                  va="center", fontsize=SMALL, annotation_clip=False)
