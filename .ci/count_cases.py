#!/usr/bin/env python3
"""Counts test cases over a run of `meson test`.

Usage: count_cases.py REPORTS TESTLOG.json

A program that left JUnit reports in its directory under REPORTS (see report_apart) counts with its
cases. One without counts as a single case. One that failed although no case of it did (it crashed,
hung or leaked) counts as one failed case more, by its name, and so does each line of the file
REPORTS/left_running: a process that outlived the tests. Prints the failed cases and, as the
last line, "N passed, N failed". Exits with 1 if any failed or nothing ran.
"""

import collections
import dataclasses
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Count:
    passed: int = 0
    skipped: int = 0
    failed: list = dataclasses.field(default_factory=list)


def cases_of(report, count):
    """Adds the cases of one JUnit file; False if it is none (cut short by a crash)."""
    try:
        root = ElementTree.parse(report).getroot()
    except ElementTree.ParseError:
        return False
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}".lstrip(".")
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed.append(name)
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    return True


def reports_by_command(directory):
    """The report directories, by the command that was given them."""
    found = collections.defaultdict(list)
    for command in sorted(pathlib.Path(directory).glob("*/command")):
        words = command.read_bytes().decode(errors="replace").split("\0")[:-1]
        found[tuple(words)].append(command.parent)
    return found


def take_reports(found, command):
    """The directory of `command`, which in the log stands behind its wrapper."""
    for start in range(len(command)):
        directories = found.get(tuple(command[start:]))
        if directories:
            return sorted(directories.pop(0).glob("*.xml"))
    return []


def count_test(test, reports, total):
    mine = Count()
    read = [cases_of(report, mine) for report in reports]
    result = test["result"]
    if result in ("SKIP", "EXPECTEDFAIL"):
        mine.skipped += 1
    elif result != "OK":
        if not mine.failed:
            mine.failed.append(f"({result.lower()}, exit {test.get('returncode')})")
    elif not any(read):
        mine.passed += 1
    total.passed += mine.passed
    total.skipped += mine.skipped
    total.failed += [f"{test['name']}: {name}" for name in mine.failed]


def count_run(reports, logs):
    total = Count()
    found = reports_by_command(reports)
    for log in logs:
        for line in pathlib.Path(log).read_text(errors="replace").splitlines():
            test = json.loads(line)
            count_test(test, take_reports(found, test["command"]), total)
    left = pathlib.Path(reports) / "left_running"
    if left.exists():
        total.failed += left.read_text(errors="replace").splitlines()
    return total


def main():
    total = count_run(sys.argv[1], [log for log in sys.argv[2:] if pathlib.Path(log).exists()])
    for name in total.failed:
        print(f"FAILED  {name}")
    if total.skipped:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {len(total.failed)} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
