"""Which charts a result deserves."""

import dataclasses
from typing import Callable, Iterator, Optional

from markupsafe import Markup

import costs
import figures
import lines
import verdicts
from result import Cell, Comparison, Parameters, Result, Series

URING, EPOLL = "penstock-uring", "penstock-epoll"
FEWEST_POINTS = 3
PERCENTILES = {"p50_us": "p50", "p90_us": "p90", "p99_us": "p99", "p999_us": "p99.9", "max_us": "max"}


@dataclasses.dataclass
class Picture:
    title: str
    caption: str
    drawing: Markup
    narrow: Markup = Markup("")  # The same for a phone, where it is another.


# --- Verdicts -------------------------------------------------------------------------------------


def overview(result: Result) -> list[Picture]:
    """What the report begins with: the table of cells as a chart."""
    return [_verdict_picture(result), *_latency_pictures(result)] if result.summary.cells else []


def _verdict_picture(result: Result) -> Picture:
    rows = [_row(cell, cell.main) for cell in result.summary.cells]
    backends = any(_is_of_backends(row) for row in rows)
    rows = [row if _is_of_backends(row) else _named(row) for row in rows]
    title = "What io_uring needs of what epoll needs" if backends else "What engines need of their reference"
    return _ratios(rows, "io_uring needs less" if backends else "needs less", "more", title)


def _latency_pictures(result: Result) -> list[Picture]:
    rows = [_row(cell, cell.compare(URING, EPOLL, "p99_us")) for cell in result.summary.cells
            if cell.parameters.load > 0 and cell.compare(URING, EPOLL, "p99_us")]
    title = "p99 latency at fixed rates: io_uring / epoll"
    return [_ratios(rows, "io_uring waits less", "more", title)] if rows else []


def _ratios(rows: list[verdicts.Row], less: str, more: str, title: str) -> Picture:
    wide, narrow = (verdicts.draw(rows, less, more, title, layout)
                    for layout in (verdicts.WIDE, verdicts.NARROW))
    return Picture(title, "", wide, narrow)


def _row(cell: Cell, comparison: Optional[Comparison]) -> verdicts.Row:
    valid = comparison and comparison.word != "not valid"
    measured = any(series.metrics or series.marks for series in cell.series)
    return verdicts.Row(cell.title, comparison if valid else None, "not valid" if measured else "not measured")


def _is_of_backends(row: verdicts.Row) -> bool:
    return row.comparison is not None and (row.comparison.of, row.comparison.against) == (URING, EPOLL)


def _named(row: verdicts.Row) -> verdicts.Row:
    if not row.comparison:
        return row
    return dataclasses.replace(row, label=f"{row.label}: {row.comparison.of} / {row.comparison.against}")


# --- A workload -----------------------------------------------------------------------------------


def pictures_of(result: Result, workload: str) -> list[Picture]:
    cells = [cell for cell in result.summary.cells if cell.parameters.workload == workload]
    saturated = [cell for cell in cells if cell.parameters.load == 0]
    words = Words(result, workload)
    pictures = list(_cost_pictures(saturated, words))
    for axis in AXES:
        for sweep in _sweeps([cell for cell in saturated if cell.metric == "cpu_us"], axis):
            pictures.append(_sweep_picture(sweep, axis, words))
    return pictures + [_percentile_picture(cell) for cell in cells
                       if cell.parameters.load > 0 and _drawn(cell, "p50_us")]


class Words:
    """What metrics of one workload are called."""

    def __init__(self, result: Result, workload: str) -> None:
        self._metrics = {metric.name: metric for metric in result.summary.metrics}
        self._unit = next((each.unit for each in result.summary.workloads if each.name == workload), "unit")

    def title(self, metric: str) -> str:
        return self._metrics[metric].title if metric in self._metrics else metric

    def unit(self, metric: str) -> str:
        return self._metrics[metric].unit.replace("{}", self._unit) if metric in self._metrics else ""

    def both(self, metric: str) -> str:
        return ", ".join(filter(None, (self.title(metric), self.unit(metric))))


def _cost_pictures(cells: list[Cell], words: Words) -> Iterator[Picture]:
    """One for each metric that cells are about."""
    for metric in {cell.metric: None for cell in cells}:
        about = costs.drawable([cell for cell in cells if cell.metric == metric], metric)
        if about:
            title = words.both(metric)
            yield Picture(title, "Less is better; dashed outlines are not valid.",
                          costs.draw(about, metric, title))


def _drawn(cell: Cell, metric: str) -> list[Series]:
    return [series for series in cell.series if not series.again and metric in series.metrics]


def _percentile_picture(cell: Cell) -> Picture:
    title = f"Latency, {cell.description}"
    drawn = [lines.Line(series.engine, [series.metrics.get(metric) for metric in PERCENTILES],
                        [series.valid] * len(PERCENTILES)) for series in _drawn(cell, "p50_us")]
    labels = list(PERCENTILES.values())
    return Picture(title, "From the moment each message was to start. " + _hollow(drawn),
                   lines.draw(drawn, labels, "percentile", "us, logarithmic", title, logarithmic=True))


def _hollow(drawn: list[lines.Line]) -> str:
    marks = [valid for line in drawn for point, valid in zip(line.points, line.valid) if point]
    return "" if all(marks) else "Hollow marks are not valid."


# --- Sweeps ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Axis:
    """One parameter of the cells, while the others stay as they are."""

    name: str
    title: str
    label: Callable[[int], str] = str


AXES = (Axis("connections", "connections"), Axis("size", "message size", figures.size),
        Axis("depth", "messages under way on each connection"),
        Axis("work_us", "work for each message, us"))


def _sweeps(cells: list[Cell], axis: Axis) -> list[list[Cell]]:
    """Cells that differ along `axis` alone, three or more, in its order."""
    by_rest: dict[tuple, list[Cell]] = {}
    for cell in cells:
        rest = dataclasses.astuple(dataclasses.replace(cell.parameters, **{axis.name: 0}))
        by_rest.setdefault(rest, []).append(cell)
    return [sorted(sweep, key=lambda cell: getattr(cell.parameters, axis.name))
            for sweep in by_rest.values() if len(sweep) >= FEWEST_POINTS]


def _held_still(axis: Axis, parameters: Parameters) -> str:
    parts = [parameters.variant] if parameters.variant else []
    if axis.name != "size":
        parts.append(figures.size(parameters.size))
    if axis.name != "connections":
        parts.append(f"{parameters.connections} connections")
    if axis.name != "depth" and parameters.depth > 1:
        parts.append(f"depth {parameters.depth}")
    return ", ".join(parts)


def _sweep_picture(sweep: list[Cell], axis: Axis, words: Words) -> Picture:
    title = f"{words.title('cpu_us')} by {axis.title} ({_held_still(axis, sweep[0].parameters)})"
    engines = {series.engine: None for cell in sweep for series in _drawn(cell, "cpu_us")}
    drawn = [_line(sweep, engine) for engine in engines]
    labels = [axis.label(getattr(cell.parameters, axis.name)) for cell in sweep]
    return Picture(title, _hollow(drawn),
                   lines.draw(drawn, labels, axis.title, words.unit("cpu_us"), title, logarithmic=False))


def _line(sweep: list[Cell], engine: str) -> lines.Line:
    found = [cell.find(engine) for cell in sweep]
    points = [series.metrics.get("cpu_us") if series else None for series in found]
    return lines.Line(engine, points, [series is not None and series.valid for series in found])
