#!/usr/bin/env python3
"""Tests of run_tests and sum_up.py with the Meson of this machine: what goes wrong counts as such."""

import pathlib
import subprocess
import tempfile
import unittest

RUN_TESTS = pathlib.Path(__file__).resolve().parent / "run_tests"
GOOD = "echo 1..2; echo ok 1 - a; echo ok 2 - b"
NAMES = ["penstock:one / x", "penstock:two / x"]


class SumUp(unittest.TestCase):
    def run_them(self, *scripts, protocol="tap"):
        """The exit status, the last line and the lines of failures and skips before it, when tests
        that print what these scripts do have run."""
        with tempfile.TemporaryDirectory() as source:
            lines = ["project('penstock')", "sh = find_program('sh')"]
            for script, suite in zip(scripts, ["one", "two"]):
                lines.append(f"test('x', sh, args: ['-c', '{script}'], suite: '{suite}', "
                             f"protocol: '{protocol}', timeout: 2)")
            pathlib.Path(source, "meson.build").write_text("\n".join(lines), encoding="utf-8")
            build = str(pathlib.Path(source, "build"))
            subprocess.run(["meson", "setup", build, source], check=True, capture_output=True)
            done = subprocess.run([RUN_TESTS, build], capture_output=True, text=True, check=False)
        said = done.stdout.splitlines()
        rest = [line for line in said[:-1] if line.startswith("FAILED  ") or line.endswith(" skipped")]
        return done.returncode, said[-1], rest

    def test_cases_of_all_tests_are_summed(self):
        self.assertEqual(self.run_them(GOOD, GOOD), (0, "4 passed, 0 failed", []))

    def test_a_test_without_cases_is_one(self):
        self.assertEqual(self.run_them("true", "true", protocol="exitcode"),
                         (0, "2 passed, 0 failed", []))

    def test_a_failed_case_is_named(self):
        self.assertEqual(
            self.run_them("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1", GOOD),
            (1, "3 passed, 1 failed", [f"FAILED  {NAMES[0]}: b"]))

    def test_what_is_skipped_is_neither(self):
        self.assertEqual(
            self.run_them("echo 1..2; echo ok 1 - a; echo ok 2 - b \\# SKIP why", "echo 1..0 \\# SKIP why"),
            (0, "1 passed, 0 failed", ["2 skipped"]))

    def test_a_crash_after_good_cases_is_a_failure(self):
        self.assertEqual(self.run_them(GOOD + "; kill -SEGV $$", GOOD),
                         (1, "4 passed, 1 failed", [f"FAILED  {NAMES[0]}: (error, exit -11)"]))

    def test_a_crash_before_any_case_is_a_failure(self):
        self.assertEqual(self.run_them("echo 1..2; exit 3", GOOD),
                         (1, "2 passed, 1 failed", [f"FAILED  {NAMES[0]}: (error, exit 3)"]))

    def test_cases_that_did_not_run_are_a_failure(self):
        self.assertEqual(self.run_them("echo 1..2; echo ok 1 - a", GOOD),
                         (1, "3 passed, 1 failed", [f"FAILED  {NAMES[0]}: (error, exit 0)"]))

    def test_what_takes_too_long_is_a_failure(self):
        for protocol in ["tap", "exitcode"]:
            status, last, lines = self.run_them("sleep 100", protocol=protocol)
            self.assertEqual((status, last), (1, "0 passed, 1 failed"))
            self.assertIn("(timeout, exit ", lines[0])

    def test_a_process_that_outlives_the_tests_is_a_failure(self):
        self.assertEqual(
            self.run_them("sleep 77 > /dev/null 2>&1 & " + GOOD),
            (1, "2 passed, 1 failed", ["FAILED  left running: sleep 77 "]))

    def test_nothing_at_all_is_a_failure(self):
        self.assertEqual(self.run_them()[0], 1)


if __name__ == "__main__":
    unittest.main()
