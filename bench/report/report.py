#!/usr/bin/python3
"""Renders report.html and report.md from a result.json of `penstock compare`.

Nothing is worked out here: verdicts, intervals and sentences come from the file. The interpreter is
the one that Debian's python3-jinja2 and python3-matplotlib belong to.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True  # Wherever this is installed, it leaves nothing.

from loading import Malformed  # noqa: E402
from result import read  # noqa: E402

DONE, FAILED, BAD_INPUT = 0, 1, 2
PACKAGES = {"jinja2": "python3-jinja2", "matplotlib": "python3-matplotlib"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="penstock-report", description=__doc__.splitlines()[0])
    parser.add_argument("result", type=pathlib.Path, help="a result.json, also an older one")
    parser.add_argument("-o", "--out", type=pathlib.Path, metavar="DIR",
                        help="where the two files go; made if it is not there (default: beside RESULT)")
    return parser.parse_args()


def complain(message: str, status: int) -> int:
    print(f"penstock-report: {message}", file=sys.stderr)
    return status


def render(path: pathlib.Path, directory: pathlib.Path) -> None:
    result = read(path)
    from pages import html_page, markdown_page  # Here, as it takes the packages, and a second.

    pages = {"report.html": html_page(result), "report.md": markdown_page(result)}
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (directory / name).write_text(text, encoding="utf-8")


def main() -> int:
    options = arguments()
    try:
        render(options.result, options.out or options.result.parent)
    except ImportError as missing:
        name = (missing.name or "").partition(".")[0]
        return complain(f"it takes {PACKAGES.get(name, name)}: apt-get install "
                        f"{' '.join(PACKAGES.values())}", FAILED)
    except Malformed as why:
        return complain(f"{options.result}: {why}", BAD_INPUT)
    except OSError as why:
        return complain(f"{why.filename}: {why.strerror}", BAD_INPUT)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
