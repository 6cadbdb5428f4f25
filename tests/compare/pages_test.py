#!/usr/bin/env python3
"""report.py: what a result.json becomes, and what it makes of one that is not as it ought to be."""

import copy
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / "tools")]
import rendering  # noqa: E402
import support  # noqa: E402

sys.dont_write_bytecode = True
sys.path.insert(0, str(rendering.REPORT.parent))
import figures  # noqa: E402

HOSTILE = "</style></svg></pre><script>alert(1)</script> \"' onload=\"x\" $\\frac{a}$ {{7*7}} |[x](http://y)|\u202e"
NEW_IN_CELLS = ("title", "metric", "main")
VOID = {"meta", "br", "use"}


def place_of(value, path):
    """What holds the last key of `path`."""
    for key in path[:-1]:
        value = value[key]
    return value


def texts_in(value, path=()):
    """Where each text of a result is, but for those that say what kind of file it is."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        if isinstance(each, str) and key not in ("format", "grade"):
            yield (*path, key)
        yield from texts_in(each, (*path, key))


def older(result):
    """As files were before the summary had words for everything."""
    result = copy.deepcopy(result)
    for key in ("metrics", "workloads"):
        del result["summary"][key]
    for cell in result["summary"]["cells"]:
        for key in NEW_IN_CELLS:
            del cell[key]
        for series in cell["series"]:
            del series["label"], series["status"]
    return result


class Structure(html.parser.HTMLParser):
    """Which elements a page has, whether they nest, and their attributes that act."""

    def __init__(self, page):
        super().__init__()
        self.open, self.counts, self.acting, self.badly_nested = [], {}, [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.acting += [name for name, _ in attributes if name.startswith("on") or name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.badly_nested.append(tag)


class Figures(unittest.TestCase):
    def test_they_have_three_digits_as_on_the_terminal(self):
        for value, text in {3.14159: "3.14", 31.4159: "31.4", 314.159: "314", 245678: "246 k",
                            1975000: "1.98 M", 0.4567: "0.457", 0.01834: "0.0183", 0.0042: "0.0042",
                            0: "0.00", -31.4159: "-31.4"}.items():
            self.assertEqual(figures.figure(value), text)


@unittest.skipUnless(rendering.CAN_RENDER, rendering.WHY)
class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result = rendering.sample("default")
        cls.small = rendering.sample("quick")
        cls.pages = rendering.pages_of(cls.result)

    def changed(self, path, value):
        result = copy.deepcopy(self.small)
        place_of(result, path)[path[-1]] = value
        return result

    def test_both_have_the_sentences_the_verdicts_and_the_figures(self):
        summary = self.result["summary"]
        for page in self.pages.values():
            for sentence in summary["sentences"]:
                self.assertIn(sentence, page.replace("&#39;", "'"))
            for cell in summary["cells"]:
                self.assertIn(cell["title"], page)
                self.assertIn(cell["verdict"], page)
                self.assertIn(f"{cell['main']['ratio']['median']:.3f} [", page)
            self.assertIn("penstock-epoll (again)", page)
            self.assertIn("this is a sample: nothing here was measured", page)

    def test_the_page_begins_with_the_cells_as_a_chart_with_each_verdict_as_a_word(self):
        page = self.pages["report.html"]
        chart = page[page.index("<svg"):page.index("</svg>")]
        self.assertLess(page.index("<svg"), page.index('class="verdict"'))
        for cell in self.result["summary"]["cells"]:
            self.assertIn(f">{cell['title']}<", chart)
        words = re.findall(r">(less|more|same within \d %|not told apart)</text>", chart)
        self.assertEqual(len(words), len(self.result["summary"]["cells"]))

    def test_the_page_needs_no_network_and_runs_no_script(self):
        page = self.pages["report.html"]
        for word in ("http:", "https:", "src=", "<script", "<link", "@import", "url(http"):
            self.assertNotIn(word, page)
        self.assertIn("prefers-color-scheme:dark", page)
        self.assertIn("@media print", page)

    def test_the_page_is_well_formed(self):
        structure = Structure(self.pages["report.html"])
        self.assertEqual((structure.badly_nested, structure.open), ([], []))

    def test_charts_take_every_colour_from_the_page(self):
        page = self.pages["report.html"]
        charts = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
        self.assertEqual(set(re.findall(r"#[0-9a-f]{6}\b", charts)), set())
        for colour in set(re.findall(r"var\(--([a-z-]+)\)", charts)):
            self.assertEqual(page.count(f"--{colour}:#"), 2, colour)  # Light and dark.

    def test_marks_stand_in_both(self):
        result = self.changed(("summary", "marks"), [{"grade": "INVALID", "reason": "the machine is odd"}])
        series = result["summary"]["cells"][0]["series"][0]
        series["marks"] = [{"grade": "INVALID", "reason": "wrong bytes: 3 differ"}]
        for page in rendering.pages_of(result).values():
            for words in ("the machine is odd", "wrong bytes: 3 differ", "INVALID"):
                self.assertIn(words, page)

    def test_what_is_not_valid_is_no_mark_in_the_chart(self):
        result = self.changed(("summary", "cells", 0, "main", "verdict"), "not valid")
        page = rendering.pages_of(result)["report.html"]
        self.assertIn(">not valid</text>", page)

    def test_what_was_not_measured_says_so(self):
        result = copy.deepcopy(self.small)
        cell = result["summary"]["cells"][0]
        cell.update(main=None, verdict=None, sees=None, comparisons=[])
        for series in cell["series"]:
            series.update(metrics={}, marks=[])
        page = rendering.pages_of(result)["report.html"]
        self.assertIn(">not measured</text>", page)

    def test_rendering_again_gives_the_same_bytes(self):
        self.assertEqual(rendering.pages_of(self.result), self.pages)

    def test_every_profile_has_only_finite_coordinates(self):
        for profile in ("full", "speed"):
            with self.subTest(profile):
                page = rendering.pages_of(rendering.sample(profile))["report.html"]
                charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
                self.assertGreater(len(charts), 5)
                for chart in charts:
                    self.assertNotRegex(chart, r"\b(nan|inf)\b")

    def test_extreme_ratios_are_drawn_at_the_edge(self):
        result = copy.deepcopy(self.small)
        for cell, (low, median, high) in zip(
                result["summary"]["cells"], ((0, 0, 0), (1e-9, 1e-6, 1e9), (-1, 1, 1e17))):
            cell["main"]["ratio"] = {"low": low, "median": median, "high": high}
        page = rendering.pages_of(result)["report.html"]
        self.assertNotRegex("".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL)), r"\b(nan|inf)\b")

    def test_a_run_without_a_cell_has_a_report(self):
        result = copy.deepcopy(self.result)
        result["cells"] = result["summary"]["cells"] = []
        self.assertIn("measured here", rendering.pages_of(result)["report.html"])

    def test_an_older_result_has_the_same_verdicts(self):
        pages = rendering.pages_of(older(self.result))
        for name, page in pages.items():
            for cell in self.result["summary"]["cells"]:
                for words in (cell["title"], cell["verdict"], f"{cell['main']['ratio']['median']:.3f} ["):
                    self.assertEqual(page.count(words) > 0, True, f"{name}: {words}")


@unittest.skipUnless(rendering.CAN_RENDER, rendering.WHY)
class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result = rendering.sample("quick")

    def test_no_text_of_a_result_becomes_markup(self):
        result = copy.deepcopy(self.result)
        for path in list(texts_in(result)):
            if not {"workload", "metric", "slices", "latency", "engine", "label", "of", "against"} & set(path):
                place_of(result, path)[path[-1]] = HOSTILE
        self.check(rendering.pages_of(result))

    def test_nor_a_name(self):
        """Of engines, workloads and metrics, by which things are found."""
        text = json.dumps(self.result)
        for name in ("penstock-uring", "echo", "cpu_us", "penstock-epoll"):
            text = text.replace(f'"{name}"', json.dumps(HOSTILE + name))
        self.check(rendering.pages_of(json.loads(text)))

    def check(self, pages):
        structure = Structure(pages["report.html"])
        self.assertNotIn("script", structure.counts)
        self.assertEqual((structure.badly_nested, structure.open), ([], []))
        self.assertEqual(structure.acting, [])
        self.assertEqual(structure.counts["style"], 1)
        self.assertIn("&lt;script&gt;", pages["report.html"])
        self.assertIn("{{7*7}}", pages["report.html"])
        self.assertNotIn("<script", pages["report.md"])
        self.assertNotIn("[x](", pages["report.md"])
        self.assertNotIn("\u202e", pages["report.html"] + pages["report.md"])

    def test_a_text_keeps_to_its_field_of_a_table(self):
        self.result["summary"]["cells"][0]["title"] = "a | b\n| c |"
        page = rendering.pages_of(self.result)["report.md"]
        row = next(line for line in page.splitlines() if line.startswith("| a "))
        self.assertEqual(len(re.findall(r"(?<!\\)\|", row)), 7)

    def test_halves_of_characters_do_not_stop_it(self):
        self.result["notes"] = ["half \ud800 of one"]
        self.assertIn("half of one", rendering.pages_of(self.result)["report.md"])


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.result = rendering.sample("quick")

    def refused(self, words, text):
        run, files = rendering.render(text)
        self.assertEqual((run.returncode, files), (2, {}), run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn(words, run.stderr)

    def test_what_is_no_result(self):
        for text in ("[1, 2]", '"text"', "null", '{"format": "something else"}'):
            self.refused("is not a result of penstock compare", text)
        for text in ("", "{", "NaN", "[" * 100_000, "1" * 10_000):
            self.refused("is not JSON", text)

    def test_another_version_is_refused_by_its_number(self):
        self.refused("has version 77; this program reads version 2",
                     '{"format": "penstock-compare", "version": 77}')

    def test_a_damaged_one_is_refused_with_the_place(self):
        for path, value, words in (
                (("summary", "cells", 1, "main", "ratio", "low"), "low", "summary.cells[1].main.ratio.low is not a number"),
                (("summary", "cells", 0, "main", "ratio"), 3, "summary.cells[0].main.ratio is not an object"),
                (("summary", "sentences"), "one", "summary.sentences is not a list"),
                (("summary", "sentences", 0), None, "summary.sentences[0] is not a text"),
                (("summary", "cells", 0, "series", 0, "valid"), "yes", "valid is not true or false"),
                (("summary", "cells", 0, "series", 0, "metrics", "cpu_us", "high"), 10**400, "is out of range"),
                (("summary", "cells", 0, "main", "sees"), True, "sees is not a number"),
                (("cells",), [], "summary.cells and cells differ in length")):
            with self.subTest(words):
                result = copy.deepcopy(self.result)
                place_of(result, path)[path[-1]] = value
                self.refused(words, json.dumps(result))

    def test_what_is_missing_is_named(self):
        for path in (("plan",), ("plan", "seed"), ("summary", "reference"), ("cells", 0, "cell", "size"),
                     ("summary", "cells", 0, "series", 0, "marks")):
            with self.subTest(path):
                result = copy.deepcopy(self.result)
                del place_of(result, path)[path[-1]]
                self.refused(f"{path[-1]} is missing", json.dumps(result))

    def test_figures_that_are_none_are_refused(self):
        text = json.dumps(self.result).replace('"seconds": 0.025', '"seconds": Infinity')
        self.refused("is not JSON", text)

    def test_a_file_that_is_not_there_and_a_place_that_cannot_be_written(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.result, file)
            file.flush()
            for arguments, words in ((["/nonexistent/result.json"], "/nonexistent/result.json: No such file"),
                                     ([file.name, "-o", "/proc/nowhere"], "/proc/nowhere: No such file")):
                run = subprocess.run([rendering.REPORT, *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual(run.returncode, 2)
                self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
                self.assertIn(words, run.stderr)


class Alone(unittest.TestCase):
    def test_it_has_help_also_without_the_packages(self):
        run = subprocess.run([sys.executable, rendering.REPORT, "--help"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0)
        self.assertIn("-o DIR", run.stdout)

    def test_without_the_packages_it_names_them_in_one_line(self):
        with tempfile.TemporaryDirectory() as hiding:
            pathlib.Path(hiding, "matplotlib.py").write_text("raise ImportError('hidden', name='matplotlib')\n")
            run, files = rendering.render(json.dumps(rendering.sample("quick")), env={"PYTHONPATH": hiding})
        self.assertEqual((run.returncode, files), (1, {}))
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn("apt-get install python3-jinja2 python3-matplotlib", run.stderr)

    def test_it_leaves_nothing_behind_where_it_lies(self):
        self.assertEqual(list(rendering.REPORT.parent.rglob("__pycache__")), [])


if __name__ == "__main__":
    support.main()
