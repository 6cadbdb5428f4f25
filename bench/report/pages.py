"""The two pages, from their templates."""

import inspect
import json
import pathlib
import re
import types

import jinja2

import figures
import gallery
from loading import clean
from result import Cell, Comparison, Result, Series

TEMPLATES = pathlib.Path(__file__).resolve().parent / "templates"

# What Markdown would take for its own, and what HTML would that may stand in it.
MARKDOWN = re.compile(r"[\\`*\[\]|]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def html_page(result: Result) -> str:
    workloads = [(each, gallery.pictures_of(result, each.name)) for each in result.summary.workloads]
    return _environment(autoescape=True).get_template("report.html").render(
        _shared(result),
        overview=gallery.overview(result),
        workloads=[(each, pictures) for each, pictures in workloads if pictures],
        environment=_lines(result.environment))


def markdown_page(result: Result) -> str:
    environment = _environment(autoescape=False)
    environment.finalize = lambda value: value if isinstance(value, Verbatim) else escaped(str(value))
    return environment.get_template("report.md").render(_shared(result), figures=_verbatim(figures))


class Verbatim(str):
    """What is Markdown already."""


def _verbatim(module: types.ModuleType) -> types.SimpleNamespace:
    """Its functions, whose brackets are to be read as such: there is nothing of a file in them."""
    functions = inspect.getmembers(module, inspect.isfunction)
    return types.SimpleNamespace(**{name: lambda *given, function=function: Verbatim(function(*given))
                                    for name, function in functions})


def escaped(text: str) -> str:
    """As Markdown shows it, also within a table."""
    text = "".join(ENTITIES.get(each, each) for each in text)
    return MARKDOWN.sub(lambda found: "\\" + found[0], text)


def _environment(autoescape: bool) -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=autoescape,
                              undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              keep_trailing_newline=True)


def _shared(result: Result) -> dict:
    return {"result": result, "summary": result.summary, "figures": figures,
            "metrics": _columns(result), "groups": _groups(result),
            "against": lambda series, cell: _against(series, cell, result.summary.reference),
            "both": _both, "validity": _validity(result),
            "sides": "io_uring / epoll" if _has_backends(result) else "engine / reference"}


def _columns(result: Result) -> list[tuple[str, str]]:
    """Of the table of all figures: what each is called, over workloads of several units."""
    return [(metric.name, f"{metric.title} {metric.unit.replace('{}', 'unit')}".strip())
            for metric in result.summary.metrics]


def _has_backends(result: Result) -> bool:
    return any(cell.find(gallery.URING) and cell.find(gallery.EPOLL) for cell in result.summary.cells)


def _both(cell: Cell, metric: str) -> str:
    """The medians of the two that a cell compares."""
    sides = [cell.find(name) for name in (cell.main.of, cell.main.against)] if cell.main else [None]
    if not all(side and metric in side.metrics for side in sides):
        return ""
    return " / ".join(figures.figure(side.metrics[metric].median) for side in sides)


def _against(series: Series, cell: Cell, reference: str) -> Comparison | None:
    """What is said of an engine beside the reference; of the second of the A/A pair beside the first."""
    return cell.compare(series.label, series.engine if series.again else reference, cell.metric)


def _groups(result: Result) -> list[tuple[str, list[str]]]:
    """A row for each, with a field for each engine that has any."""
    engines = list({group.engine: None for group in result.summary.groups})
    found = {(group.group, group.engine): figures.group_ratio(group) for group in result.summary.groups}
    rows = [("group", engines)] if engines else []
    for name in {group.group: None for group in result.summary.groups}:
        rows.append((name, [found.get((name, engine), "") for engine in engines]))
    return rows


def _validity(result: Result) -> str:
    grades = [series.status for cell in result.summary.cells for series in cell.series if series.served]
    return (f"Results without a remark: {grades.count('')}, with a warning: {grades.count('WARN')}, "
            f"invalid: {grades.count('INVALID')}.")


def _lines(environment: object) -> list[str]:
    return [_clean_but_indented(line) for line in json.dumps(environment, indent=2).splitlines()]


def _clean_but_indented(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))] + clean(line)
