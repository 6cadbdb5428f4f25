#!/usr/bin/env python3
"""Prints which test cases failed in a run of `meson test`, and "N passed, N failed" as the last line.

Usage: sum_up.py BUILD/meson-logs/testlog [FILE with a line for each other failure]

Meson writes the cases of a test that prints TAP as a suite of testlog.junit.xml, and any other test
as one case. That a test ended badly although none of its cases failed (it crashed, leaked or took too
long) stands in testlog.json alone.
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

BAD = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}


def read(log):
    """The cases, and how each test ended that ended badly; nothing if nothing ran."""
    if not pathlib.Path(log + ".junit.xml").exists():
        return [], {}
    text = pathlib.Path(log + ".junit.xml").read_text(encoding="utf-8")
    text = re.sub("[\x00-\x08\x0b-\x1f]", "", text)  # What tests print is in it, and no XML.
    cases = list(ElementTree.fromstring(text.split("?>", 1)[1]).iter("testcase"))
    tests = [json.loads(line) for line in open(log + ".json", encoding="utf-8")]
    return cases, {test["name"]: f"({test['result'].lower()}, exit {test['returncode']})"
                   for test in tests if test["result"] in BAD}


def main():
    cases, ended_badly = read(sys.argv[1])
    failed = collections.defaultdict(list)
    passed = skipped = 0
    for case in cases:
        _, _, test = case.get("classname").partition(".")  # Empty: the case is the whole test.
        kinds = {child.tag for child in case}
        if test and kinds & {"failure", "error"}:
            failed[test].append(case.get("name").split(" - ", 1)[-1])  # Without its number.
        elif "skipped" in kinds:
            skipped += 1
        elif test or case.get("name") not in ended_badly:
            passed += 1
    for test, how in ended_badly.items():
        failed[test] = failed[test] or [how]
    lines = [f"{test}: {name}" for test, names in failed.items() for name in names]
    for file in sys.argv[2:]:
        lines += pathlib.Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        print(f"FAILED  {line}")
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {len(lines)} failed")
    return 1 if lines or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
