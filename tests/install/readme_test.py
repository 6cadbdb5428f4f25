#!/usr/bin/env python3
"""The echo server that the README shows is the one that is compiled, line by line.

Usage: readme_test.py README.md examples/echo_server.cpp
"""

import pathlib
import re
import sys


def main():
    readme, example = (pathlib.Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    shown = re.findall(r"^```cpp\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    if len(shown) != 1:
        sys.exit(f"the README shows {len(shown)} programs, not one")
    if shown[0] != example:
        sys.exit("the program in the README is not examples/echo_server.cpp")
    lines = sum(1 for line in shown[0].splitlines() if line.strip() and not line.startswith("//"))
    if lines > 20:
        sys.exit(f"{lines} lines are too many for a first look")


if __name__ == "__main__":
    main()
