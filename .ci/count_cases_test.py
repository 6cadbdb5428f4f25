#!/usr/bin/env python3
"""Tests of count_cases.py: above all that what goes wrong is counted as such."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import count_cases  # noqa: E402

GOOD = '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>'
BAD = '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>'
SKIPPING = '<testsuite><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite>'


class CountCases(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.reports = pathlib.Path(directory.name)
        self.log = self.reports / "testlog.json"
        self.log.touch()

    def ran(self, result, *reports, name="stream", command=("stream_test", "--", "epoll")):
        """A test program ended with `result` and left `reports`."""
        test = {"name": name, "result": result, "returncode": 1, "command": ["wrapper", *command]}
        with self.log.open("a") as log:
            log.write(json.dumps(test) + "\n")
        mine = pathlib.Path(tempfile.mkdtemp(dir=self.reports))
        (mine / "command").write_text("".join(word + "\0" for word in command))
        for number, report in enumerate(reports):
            (mine / f"{number}.xml").write_text(report)

    def count(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            sys.argv = ["count_cases.py", str(self.reports), str(self.log)]
            status = count_cases.main()
        lines = output.getvalue().splitlines()
        return status, lines[-1], lines[:-1]

    def test_cases_of_all_programs_are_summed(self):
        self.ran("OK", GOOD)
        self.ran("OK", GOOD, command=("stream_test", "--", "uring"))

        self.assertEqual(self.count(), (0, "4 passed, 0 failed", []))

    def test_two_runs_of_one_command_both_count(self):
        self.ran("OK", GOOD)
        self.ran("OK", GOOD)

        self.assertEqual(self.count()[1], "4 passed, 0 failed")

    def test_a_program_without_report_is_one_case(self):
        self.ran("OK", name="install")

        self.assertEqual(self.count()[:2], (0, "1 passed, 0 failed"))

    def test_a_failed_case_is_named(self):
        self.ran("FAIL", BAD)

        self.assertEqual(self.count(), (1, "1 passed, 1 failed", ["FAILED  stream: b"]))

    def test_a_crash_without_report_is_a_failed_case(self):
        self.ran("FAIL")

        self.assertEqual(self.count(), (1, "0 passed, 1 failed", ["FAILED  stream: (fail, exit 1)"]))

    def test_a_report_cut_short_is_none(self):
        self.ran("TIMEOUT", GOOD[:20])

        self.assertEqual(self.count()[:2], (1, "0 passed, 1 failed"))

    def test_a_program_that_fails_after_good_cases_fails(self):
        self.ran("FAIL", GOOD)

        self.assertEqual(self.count()[:2], (1, "2 passed, 1 failed"))

    def test_a_process_that_outlives_the_tests_is_a_failure(self):
        self.ran("OK", GOOD)
        (self.reports / "left_running").write_text("left running: penstock echo\n")

        self.assertEqual(self.count(), (1, "2 passed, 1 failed", ["FAILED  left running: penstock echo"]))

    def test_skipped_is_neither(self):
        self.ran("OK", SKIPPING)
        self.ran("SKIP", command=("stream_test", "--", "uring"))

        self.assertEqual(self.count(), (0, "1 passed, 0 failed", ["2 skipped"]))

    def test_nothing_at_all_is_a_failure(self):
        self.assertEqual(self.count()[:2], (1, "0 passed, 0 failed"))


if __name__ == "__main__":
    unittest.main()
