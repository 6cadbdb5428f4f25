#!/usr/bin/env python3
"""`penstock compare` from outside: what it writes, what it refuses, and how it ends."""

import getpass
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import rendering  # noqa: E402
import support  # noqa: E402

COMMAND = support.PENSTOCK
SMALL = ["--only", "echo/c1/64", "--rounds", "6"]
CORES = len(os.sched_getaffinity(0))


def works(backend):
    environment = {**os.environ, "PENSTOCK_BACKEND": backend}
    run = subprocess.run(
        [COMMAND, "doctor", "--json"], capture_output=True, text=True, env=environment, timeout=60)
    return json.loads(run.stdout)["backend"]["chosen"] == backend


CAN_MEASURE = CORES >= 2 and works("uring")
WHY = "this needs io_uring, and a core each for server and client"


# A sanitized server that strace traces cannot look for leaks: that takes tracing it as well.
NO_LEAK_CHECK = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def compare(*arguments, env=None, timeout=120):
    return subprocess.run(
        [COMMAND, "compare", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **NO_LEAK_CHECK, **(env or {})},
    )


# With a sanitizer, or without optimisation, nothing is claimed.
def is_valid(result):
    cells = result["summary"]["cells"]
    return all(series["valid"] for cell in cells for series in cell["series"])


@unittest.skipUnless(CAN_MEASURE, WHY)
class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp()
        cls.out = os.path.join(cls.directory, "made", "for it")
        cls.run_ = compare(*SMALL, "--out", cls.out)
        path = os.path.join(cls.out, "result.json")
        cls.text = pathlib.Path(path).read_text() if os.path.exists(path) else "{}"
        cls.result = json.loads(cls.text)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def test_ends_well_and_writes_three_files(self):
        self.assertEqual(self.run_.returncode, 0, self.run_.stderr)
        files = ["report.html", "report.md"] if rendering.CAN_RENDER else []
        self.assertEqual(sorted(os.listdir(self.out)), [*files, "result.json"])

    def test_the_terminal_has_a_line_for_the_cell_then_a_summary_then_warnings(self):
        table, summary, warnings = self.run_.stdout.split("\n\n")
        heads, row = table.split("\n")
        for words in ["io_uring / epoll", "p50 us", "p99 us", "verdict"]:
            self.assertIn(words, heads)
        verdict = r"(less|more|the same within \d %|not told apart: between [\d.]+ and [\d.]+)$"
        if not is_valid(self.result):
            verdict = "not valid$"
        self.assertRegex(row, r"^echo, 64 B at 1 connection +[\d.]+ \[[\d.]+, [\d.]+\].* " + verdict)
        self.assertLessEqual(summary.count("\n"), 7)
        self.assertLessEqual(warnings.replace("Written to", "").count("\n"), 6)

    def test_each_cell_says_what_it_could_have_told_apart(self):
        self.assertGreater(self.result["summary"]["cells"][0]["sees"], 0.009)

    def test_the_result_has_a_version_and_slices_and_raw_histograms(self):
        self.assertEqual(self.result["version"], 2)
        for series in self.result["cells"][0]["series"]:
            sample = series["sample"]
            self.assertEqual(sample["fault"], "")
            self.assertEqual(len(sample["load"]["slices"]), 6)
            latency = sample["load"]["latency"]
            self.assertEqual(sum(times for _, times in latency["buckets"]), latency["count"])
            self.assertEqual(
                sum(each["units"] for each in sample["load"]["slices"]), latency["count"])

    def test_each_server_ran_on_the_backend_that_it_claims(self):
        for series in self.result["cells"][0]["series"]:
            claimed = {"penstock-uring": "io_uring", "penstock-epoll": "epoll"}[series["engine"]]
            self.assertEqual(series["sample"]["load"]["kernel_backend"], claimed)
            self.assertEqual(series["sample"]["printed_backend"], claimed)

    def test_every_byte_was_checked(self):
        for series in self.result["cells"][0]["series"]:
            load = series["sample"]["load"]
            self.assertEqual(load["checked_bytes"], load["total_units"] * 64)

    def test_the_servers_have_counted_their_batches_and_writes(self):
        for series in self.result["cells"][0]["series"]:
            if series["again"]:
                continue
            calls = series["system_calls"]
            counts = calls["counts"]
            self.assertGreater(counts["waits"], 0)
            # Both ends of the window may be some messages out.
            self.assertGreater(counts["writes"], calls["units"] * 0.9)
            self.assertLess(counts["writes"], calls["units"] * 1.1)
            self.assertLess(counts["short_writes"], counts["writes"])

    def test_the_client_is_named(self):
        self.assertEqual(self.result["cells"][0]["cell"]["client"], "epoll")

    def test_the_ring_is_described(self):
        ring = self.result["environment"]["io_uring"]["ring"]
        self.assertGreater(ring["completion_entries"], 0)
        self.assertIn("CQSIZE", ring["setup_flags"])

    def test_six_rounds_are_told_to_be_few(self):
        self.assertIn("only 6 rounds", self.run_.stdout)

    def test_no_name_of_host_user_or_path(self):
        for name in [socket.gethostname(), self.directory, os.path.dirname(COMMAND)]:
            if len(name) > 3 and name != "localhost":
                self.assertNotIn(name, self.text)
        if len(getpass.getuser()) > 4:
            self.assertNotIn(getpass.getuser(), self.text)

    def test_the_environment_is_there(self):
        environment = self.result["environment"]
        for part in ["kernel", "mitigations", "cpu", "virtualisation", "container", "sysctls",
                     "limits", "clock", "build", "io_uring"]:
            self.assertIn(part, environment)

    def test_a_replay_measures_the_same_matrix(self):
        out = os.path.join(self.directory, "replayed")
        run = compare("--replay", os.path.join(self.out, "result.json"), "--out", out)

        self.assertEqual(run.returncode, 0, run.stderr)
        again = json.loads(pathlib.Path(out, "result.json").read_text())
        self.assertEqual(again["plan"], self.result["plan"])

    def test_a_result_compared_with_itself_has_not_changed(self):
        path = os.path.join(self.out, "result.json")
        run = compare(path, path)

        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Not told apart: 4 of 4.", run.stdout)

    @unittest.skipUnless(rendering.CAN_RENDER, rendering.WHY)
    def test_reports_can_be_written_anew(self):
        out = os.path.join(self.directory, "anew")
        run = compare(os.path.join(self.out, "result.json"), "--out", out)

        self.assertEqual(run.returncode, 0, run.stderr)
        for name in ["report.md", "report.html", "result.json"]:
            self.assertEqual(
                pathlib.Path(out, name).read_bytes(), pathlib.Path(self.out, name).read_bytes())


class Report(unittest.TestCase):
    """Of a result that is there already; nothing is measured."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.result = pathlib.Path(self.directory.name, "old.json")
        self.result.write_text(json.dumps(rendering.sample("default")))
        self.out = pathlib.Path(self.directory.name, "out")

    def files(self):
        return sorted(each.name for each in self.out.iterdir())

    @unittest.skipUnless(rendering.CAN_RENDER, rendering.WHY)
    def test_it_is_rendered_from_the_result_and_its_table_is_shown(self):
        run = compare(self.result, "--out", self.out)

        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.files(), ["report.html", "report.md", "result.json"])
        self.assertIn("io_uring / epoll", run.stdout.splitlines()[0])
        self.assertTrue(run.stdout.endswith(f"Written to {self.out}: result.json, report.html, report.md\n"))

    def test_without_the_packages_the_table_and_the_result_are_there_and_one_line_names_them(self):
        pathlib.Path(self.directory.name, "jinja2.py").write_text("raise ImportError('hidden', name='jinja2')\n")
        run = compare(self.result, "--out", self.out, env={"PYTHONPATH": self.directory.name})

        self.assertEqual((run.returncode, run.stderr), (1, ""))
        self.assertEqual(self.files(), ["result.json"])
        self.assertIn("io_uring / epoll", run.stdout.splitlines()[0])
        last = run.stdout.splitlines()[-1]
        self.assertRegex(last, "result.json; no report: .*apt-get install python3-jinja2 python3-matplotlib")

    def test_two_results_are_compared_on_the_terminal(self):
        run = compare(self.result, self.result)

        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"Not told apart: (\d+) of \1\.")
        self.assertFalse(self.out.exists())


@unittest.skipUnless(CAN_MEASURE, WHY)
class Client(unittest.TestCase):
    def test_the_load_generator_can_be_put_on_io_uring(self):
        with tempfile.TemporaryDirectory() as out:
            run = compare(*SMALL, "--client", "io_uring", "--out", out)

            self.assertEqual(run.returncode, 0, run.stderr)
            result = json.loads(pathlib.Path(out, "result.json").read_text())
            self.assertEqual(result["cells"][0]["cell"]["client"], "io_uring")
            self.assertIn("client on io_uring", run.stdout)
            for series in result["cells"][0]["series"]:
                self.assertEqual(series["sample"]["fault"], "")

    def test_small_messages_meet_both_clients_if_nothing_else_is_said(self):
        with tempfile.TemporaryDirectory() as out:
            run = compare("--only", "echo/c50/64/d1", "--quick", "--rounds", "6", "--out", out)

            self.assertEqual(run.returncode, 0, run.stderr)
            result = json.loads(pathlib.Path(out, "result.json").read_text())
            clients = {cell["cell"]["client"] for cell in result["cells"]}
            self.assertEqual(clients, {"epoll", "io_uring"})
            told = "io_uring's gain depends on the client" in run.stdout
            self.assertEqual(told, is_valid(result))


@unittest.skipUnless(CAN_MEASURE, WHY)
class SelfTest(unittest.TestCase):
    def test_what_is_slowed_much_is_found_and_what_is_equal_is_not(self):
        run = compare("--self-test", "--only", "echo/c1/64", "--rounds", "12")

        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"3 % was found in [01] of 1 cells")
        self.assertRegex(run.stdout, r"10 % was found in [01] of 1")
        self.assertIn("equal servers were told apart in 0 of 1", run.stdout)

    def test_where_no_server_can_be_slowed_it_says_so(self):
        run = compare("--self-test", "--only", "relay/splice")

        self.assertEqual(run.returncode, 2)
        self.assertIn("no cell is left", run.stderr)


@unittest.skipUnless(CAN_MEASURE, WHY)
class WithoutPackages(unittest.TestCase):
    def test_what_was_measured_is_kept_and_the_run_has_not_failed(self):
        with tempfile.TemporaryDirectory() as out:
            pathlib.Path(out, "jinja2.py").write_text("raise ImportError('hidden', name='jinja2')\n")
            run = compare(*SMALL, "--out", out, env={"PYTHONPATH": out})

            self.assertEqual((run.returncode, sorted(os.listdir(out))), (0, ["jinja2.py", "result.json"]))
            self.assertIn("python3-jinja2", run.stdout.splitlines()[-1])


@unittest.skipUnless(CAN_MEASURE, WHY)
class Swapped(unittest.TestCase):
    def test_a_backend_swapped_behind_its_back_is_invalid(self):
        with tempfile.TemporaryDirectory() as out:
            run = compare(*SMALL, "--out", out, env={"PENSTOCK_BACKEND": "epoll"})

            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("results: backend is epoll by its descriptors", run.stdout)
            self.assertIn("not valid", run.stdout)


@unittest.skipUnless(CAN_MEASURE, WHY)
class Interrupted(unittest.TestCase):
    def test_ctrl_c_ends_with_what_is_finished_and_leaves_no_process(self):
        with tempfile.TemporaryDirectory() as out:
            process = subprocess.Popen(
                [COMMAND, "compare", "--only", "echo/c1/64", "--rounds", "500", "--out", out],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 60
            while int(process.stderr.readline().split("/")[0]) < 20:
                self.assertLess(time.monotonic(), deadline)
            children = self.children_of(process.pid)

            process.send_signal(signal.SIGINT)
            stdout, _ = process.communicate(timeout=30)

            self.assertEqual(process.returncode, 0)
            self.assertIn("interrupted", stdout)
            result = json.loads(pathlib.Path(out, "result.json").read_text())
            self.assertFalse(result["complete"])
            counts = [
                len(series["sample"]["load"]["slices"]) for series in result["cells"][0]["series"]]
            self.assertGreater(counts[0], 0)
            self.assertEqual(set(counts), {counts[0]}, "rounds are complete")
            for child in children:
                self.assertFalse(os.path.exists(f"/proc/{child}"), "a server was left behind")

    @staticmethod
    def children_of(pid):
        path = f"/proc/{pid}/task/{pid}/children"
        return pathlib.Path(path).read_text().split() if os.path.exists(path) else []


class BadInput(unittest.TestCase):
    def refused(self, words, *arguments, prefix=()):
        run = subprocess.run([*prefix, COMMAND, "compare", *arguments],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn(words, run.stderr)

    def test_an_unknown_engine(self):
        self.refused("there is no engine 'nonesuch'", "--engines", "penstock-uring,nonesuch")

    def test_an_unknown_workload(self):
        self.refused("there is no workload 'nonesuch'", "--workloads", "nonesuch")

    def test_an_unknown_profile(self):
        self.refused("there is no profile 'nonesuch'", "--profile", "nonesuch")

    def test_an_unknown_load_generator(self):
        self.refused("the load generator cannot use 'nonesuch'", *SMALL, "--client", "nonesuch")

    def test_a_selection_of_nothing(self):
        self.refused("no cell", "--only", "nonesuch")

    def test_one_core(self):
        if not shutil.which("taskset"):
            self.skipTest("no taskset")
        core = str(min(os.sched_getaffinity(0)))
        self.refused("one core", prefix=["taskset", "-c", core])

    @unittest.skipUnless(CAN_MEASURE, WHY)
    def test_too_few_descriptors(self):
        self.refused("descriptors", prefix=["sh", "-c", 'ulimit -n 500; exec "$@"', "sh"])

    def test_an_engine_named_twice(self):
        self.refused("named twice", "--engines", "penstock-epoll,penstock-epoll")

    def test_a_replay_of_something_else(self):
        for selection in [["--engines", "penstock-epoll"], ["--quick"], ["--seed", "2"]]:
            self.refused("excludes", "--replay", "result.json", *selection)

    def test_a_result_that_is_not_there(self):
        self.refused("cannot read", "--replay", "/nonexistent/result.json")

    def test_three_results(self):
        self.refused("two results", "a.json", "b.json", "c.json")

    def test_a_result_of_another_version(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"format": "penstock-compare", "version": 77}')
            file.flush()
            self.refused("version 77", "--replay", file.name)
            self.refused("version 77", file.name, file.name)

    def test_a_result_that_is_damaged(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"format": "penstock-compare", "version": 2, "cells": 3}')
            file.flush()
            self.refused("is damaged", "--replay", file.name)
            self.refused("is damaged", file.name)

    @unittest.skipUnless(CAN_MEASURE, WHY)
    def test_a_directory_that_cannot_be_written(self):
        self.refused("--out", *SMALL, "--out", "/proc/nowhere")


if __name__ == "__main__":
    support.main()
