"""Having results rendered, for tests of what comes of it. The program that is run with this takes the
path of sample_result as its last argument."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
REPORT = SOURCE / "bench" / "report" / "report.py"
SAMPLE_RESULT = sys.argv.pop() if len(sys.argv) > 1 else os.environ["SAMPLE_RESULT"]

INTERPRETER = REPORT.read_text().splitlines()[0].removeprefix("#!")
CAN_RENDER = pathlib.Path(INTERPRETER).exists() and not subprocess.run(
    [INTERPRETER, "-c", "import jinja2, matplotlib"], capture_output=True, timeout=60).returncode
WHY = "this needs python3-jinja2 and python3-matplotlib"


def sample(profile):
    """A result of a run that never was."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "result.json")
        subprocess.run([SAMPLE_RESULT, profile, path], check=True, timeout=60)
        return json.loads(path.read_text())


def render(text, *arguments, env=None):
    """How report.py ended, and the files that it wrote."""
    with tempfile.TemporaryDirectory() as directory:
        path, out = pathlib.Path(directory, "result.json"), pathlib.Path(directory, "made", "for it")
        path.write_text(text)
        run = subprocess.run([REPORT, path, "-o", out, *arguments], capture_output=True, text=True,
                             timeout=120, env={**os.environ, **(env or {})})
        files = {each.name: each.read_text() for each in out.iterdir()} if out.exists() else {}
        return run, files


def pages_of(result):
    run, files = render(json.dumps(result))
    assert run.returncode == 0, run.stderr
    return files
