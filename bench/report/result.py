"""A result.json as the report needs it: read, checked, and complete where an older one is not."""

import dataclasses
import json
import pathlib
from typing import Any, Optional

from loading import Malformed, clean, load, parsed

FORMAT, VERSION = "penstock-compare", 2


@dataclasses.dataclass
class Estimate:
    median: float
    low: float
    high: float


@dataclasses.dataclass
class Mark:
    grade: str
    reason: str


@dataclasses.dataclass
class Comparison:
    of: str
    against: str
    metric: str
    ratio: Estimate
    verdict: str
    sees: Optional[float]

    @property
    def word(self) -> str:
        """"less", "more", "the same within 2 %", "not told apart" or "not valid"."""
        return self.verdict.partition(":")[0]

    @property
    def differs(self) -> bool:
        return self.word in ("less", "more")


@dataclasses.dataclass
class Series:
    engine: str
    again: bool
    served: bool
    valid: bool
    metrics: dict[str, Estimate]
    marks: list[Mark]
    label: str = ""
    status: str = ""


@dataclasses.dataclass
class Parameters:
    """Where in the space of its workload a cell lies."""

    workload: str
    variant: str
    client: str
    connections: int
    size: int
    depth: int
    work_us: int
    load: float


@dataclasses.dataclass
class Cell:
    description: str
    series: list[Series]
    comparisons: list[Comparison]
    marks: list[Mark]
    verdict: Optional[str]
    sees: Optional[float]
    title: str = ""
    metric: str = ""
    main: Optional[Comparison] = None
    parameters: Any = None

    def find(self, engine: str) -> Optional[Series]:
        return next((each for each in self.series if each.label == engine), None)

    def compare(self, of: str, against: str, metric: str) -> Optional[Comparison]:
        wanted = (of, against, metric)
        return next((each for each in self.comparisons
                     if (each.of, each.against, each.metric) == wanted), None)


@dataclasses.dataclass
class Group:
    group: str
    engine: str
    capacity: Estimate
    verdict: str
    cells: int
    all_cells: int


@dataclasses.dataclass
class Engine:
    name: str
    version: str
    backend: str


@dataclasses.dataclass
class Metric:
    name: str
    title: str
    unit: str  # "{}" stands for what the workload counts.


@dataclasses.dataclass
class Workload:
    name: str
    purpose: str
    unit: str


@dataclasses.dataclass
class Plan:
    profile: str
    rounds: int
    seconds: float
    seed: int


@dataclasses.dataclass
class Summary:
    reference: str
    engines: list[Engine]
    cells: list[Cell]
    groups: list[Group]
    marks: list[Mark]
    sentences: list[str]
    metrics: list[Metric] = dataclasses.field(default_factory=list)
    workloads: list[Workload] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Measured:
    """A cell with its slices, which are of no use here."""

    cell: Parameters


@dataclasses.dataclass
class Result:
    environment: Any
    plan: Plan
    notes: list[str]
    summary: Summary
    cells: list[Measured]

    def at(self, *place: str) -> str:
        """Something of the environment; "?" if it is not there."""
        value = self.environment
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return "?"
        return clean(value if isinstance(value, str) else json.dumps(value))


def read(path: pathlib.Path) -> Result:
    """Raises Malformed, or OSError if the file cannot be read."""
    value = parsed(path.read_text(encoding="utf-8", errors="replace"))
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise Malformed("is not a result of penstock compare")
    if value.get("version") != VERSION:
        version = clean(json.dumps(value.get("version")))
        raise Malformed(f"has version {version}; this program reads version {VERSION}")
    return _completed(load(Result, value))


# --- What older files do not say ------------------------------------------------------------------


def _completed(result: Result) -> Result:
    summary = result.summary
    if len(summary.cells) != len(result.cells):
        raise Malformed("summary.cells and cells differ in length")
    for cell, measured in zip(summary.cells, result.cells):
        cell.parameters = measured.cell
        _complete_cell(cell)
    names = {name: None for cell in summary.cells for each in cell.series for name in each.metrics}
    summary.metrics = summary.metrics or [Metric(name, name, "") for name in names]
    names = {cell.parameters.workload: None for cell in summary.cells}
    summary.workloads = summary.workloads or [Workload(name, "", "unit") for name in names]
    return result


def _complete_cell(cell: Cell) -> None:
    cell.title = cell.title or f"{cell.parameters.workload}, {cell.description}"
    cell.main = cell.main or next((each for each in cell.comparisons
                                   if (each.verdict, each.sees) == (cell.verdict, cell.sees)), None)
    cell.metric = cell.metric or (cell.main.metric if cell.main else "cpu_us")
    for series in cell.series:
        series.label = series.label or series.engine + (" (again)" if series.again else "")
        if not series.status:
            series.status = _status(series)


def _status(series: Series) -> str:
    if not series.served:
        return "not served"
    grades = [mark.grade for mark in series.marks]
    return next((grade for grade in ("INVALID", "WARN") if grade in grades), "")
