#!/usr/bin/env python3
"""Tests of the library as others get it: installed, or as a Meson subproject.

Usage: install_test.py WHAT --source DIR --build DIR --compiler COMMAND...

WHAT is one of: plain missing shared static headers symbols sim cmake subproject report. Everything happens in a
temporary directory. Exits with 1 and says why when something is not as it must be, and with 77 when
the machine lacks what it takes.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("consumer", "own_stream")
STRICT = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Headers that only the library itself includes.
PRIVATE_HEADERS = {"accept_backoff.h", "connection_group.h", "fork_gate.h", "listener_base.h",
                   "lookup_queue.h", "relay_end.h", "relay_state.h", "signal_watch.h",
                   "sigpipe_block.h", "socket_file.h", "splice_pipe.h", "system_calls.h",
                   "unix_connects.h"}

# One function of each part, so that an export lost by mistake is noticed.
EXPECTED_SYMBOLS = (
    "penstock::Reactor::create(",
    "penstock::Reactor::create(",
    "penstock::capabilities()",
    "penstock::ConsumerMixin::registerProducer(",
    "penstock::epoll::FileDescriptor::FileDescriptor(",
    "penstock::listenTcp(",
    "typeinfo for penstock::Connection",
)


SKIPPED = 77  # Meson's exit status for a test that cannot run here.


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def run(command, *, timeout=240, **options):
    """Runs `command` and returns what it printed; a failure carries it."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=timeout, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


class Installation:
    """The library installed below a directory, as seen through pkg-config."""

    def __init__(self, build, root):
        run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root])
        file = self._only(root, "penstock.pc")
        prefix = next(parent for parent in file.parents if (parent / "include").is_dir())
        self.include = prefix / "include"
        self.libdir = self._only(root, "libpenstock.a").parent
        self.environment = dict(os.environ, PKG_CONFIG_PATH=str(file.parent),
                                 LD_LIBRARY_PATH=str(self.libdir))
        self.prefix = f"--define-variable=prefix={prefix}"

    @staticmethod
    def _only(root, name):
        found = list(root.rglob(name))
        if len(found) != 1:
            raise Failure(f"{len(found)} files {name} were installed")
        return found[0]

    def flags(self, *options, of=("penstock",)):
        return run(["pkg-config", self.prefix, *options, *of], env=self.environment).split()

    def execute(self, program):
        return run([program], env=self.environment, timeout=60)


def introspect(build, what):
    return json.loads(run(["meson", "introspect", build, f"--{what}"]))


def set_up(options, scratch, *arguments):
    """A build directory, configured as a newcomer would, and what Meson said."""
    environment = dict(os.environ, CXX=" ".join(options.compiler))
    build = scratch / "build"
    said = subprocess.run(["meson", "setup", build, options.source, *arguments], env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)
    return build, said.stdout


def test_plain(options, scratch):
    """Nothing but the library is built, and it goes where Debian looks for it."""
    build, said = set_up(options, scratch)
    targets = introspect(build, "targets")
    names = {target["name"] for target in targets}
    places = {name for target in targets for name in target["install_filename"]}
    if names != {"penstock"} or introspect(build, "tests"):
        raise Failure(f"more than the library would be built: {names}\n{said}")
    if not {"/usr/local/lib/libpenstock.a", "/usr/local/lib/libpenstock.so"} <= places:
        raise Failure(f"the library would be installed as {places}")
    # However many sources are compiled together, and none left over: Meson 1.0 can miscount them.
    count = sum(1 for room in ("runtime", "transports") for _ in (options.source / room).rglob("*.cpp"))
    run(["meson", "configure", build, f"-Dunity_size={count}"])
    run(["ninja", "-C", build, "build.ninja"])
    run(["ninja", "-C", build, "-n"])


def test_missing(options, scratch):
    """What is missing is named as Debian calls it, with what it costs."""
    tools = scratch / "nothing.ini"
    tools.write_text("[binaries]\npkgconfig = 'false'\npkg-config = 'false'\ncmake = 'false'\n")
    native = ["--native-file", tools]
    said = {}
    for name, arguments in {"auto": [], "uring": ["-During=enabled"],
                            "tools": ["-Dtools=true", "-Dtests=true"]}.items():
        (scratch / name).mkdir()
        said[name] = set_up(options, scratch / name, *native, *arguments)[1]
    if "liburing-dev" not in said["uring"] or "ERROR" not in said["uring"]:
        raise Failure(said["uring"])
    if not re.search(r"io_uring +: no.*liburing-dev", said["auto"]) or "ERROR" in said["auto"]:
        raise Failure(said["auto"])
    if not re.search("ERROR: .*libcli11-dev nlohmann-json3-dev", said["tools"]):
        raise Failure(said["tools"])


def build_and_run(installation, compiler, scratch, *static):
    for name in PROGRAMS:
        program = scratch / name
        run([*compiler, *STRICT, HERE / f"{name}.cpp", "-o", program,
             *installation.flags(*static, "--cflags", "--libs")])
        print(installation.execute(program), end="")
        linked = "libpenstock" in run(["readelf", "-d", program])
        if linked == bool(static):
            raise Failure(f"{name} {'needs' if linked else 'does not need'} the shared library")


def test_shared(options, scratch):
    build_and_run(Installation(options.build, scratch / "root"), options.compiler, scratch)


def test_static(options, scratch):
    installation = Installation(options.build, scratch / "root")
    for shared in installation.libdir.glob("libpenstock.so*"):
        shared.unlink()
    build_and_run(installation, options.compiler, scratch, "--static")


def test_sim(options, scratch):
    """The example of docs/simulation.md does what it says, with either kind of the library."""
    installation = Installation(options.build, scratch / "root")
    page = (options.source / "docs" / "simulation.md").read_text(encoding="utf-8")
    source = scratch / "service_test.cpp"
    source.write_text(re.search(r"^```cpp\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)[1])
    for kind in ([], ["--static"]):
        if kind:
            for shared in installation.libdir.glob("libpenstock.so*"):
                shared.unlink()
        program = scratch / "service_test"
        run([*options.compiler, *STRICT, source, "-o", program,
             *installation.flags(*kind, "--cflags", "--libs", of=("penstock-sim", "penstock"))])
        print(installation.execute(program), end="")


def public_headers(source):
    folders = ("runtime", "transports")
    found = {header.relative_to(source) for folder in folders for header in (source / folder).glob("*.h")}
    return {header for header in found if header.name not in PRIVATE_HEADERS}


def test_headers(options, scratch):
    """Every public header is installed and compiles alone; what it includes is then there too, and no
    header of liburing is."""
    installation = Installation(options.build, scratch / "root")
    installed = {header.relative_to(installation.include / "penstock")
                 for header in installation.include.rglob("*.h")}
    missing = public_headers(options.source) - installed
    if missing:
        raise Failure("not installed (see meson.build beside them): " + " ".join(map(str, sorted(missing))))
    source = scratch / "alone.cpp"
    for header in sorted(installed):
        source.write_text(f"#include <penstock/{header}>\n#include <penstock/{header}>\n")
        included = run([*options.compiler, *STRICT, "-fsyntax-only", "-H", source,
                        *installation.flags("--cflags")])  # -H: and say what is included.
        if "uring.h" in included:
            raise Failure(f"{header} includes a header of io_uring")
    print(f"{len(installed)} headers compile alone")


def test_symbols(options, scratch):
    library = Installation(options.build, scratch / "root").libdir / "libpenstock.so"
    # Before 1.0 any 0.x may break, and has a name of its own.
    major, minor, _ = introspect(options.build, "projectinfo")["version"].split(".")
    name = f"libpenstock.so.0.{minor}" if major == "0" else f"libpenstock.so.{major}"
    if f"Library soname: [{name}]" not in run(["readelf", "-d", library]):
        raise Failure(f"the SONAME is not {name}")
    lines = run(["nm", "-D", "-C", "--defined-only", library]).splitlines()
    names = [line.split(maxsplit=2)[2] for line in lines]
    foreign = [name for name in names if "penstock::" not in name]
    lost = [name for name in EXPECTED_SYMBOLS if not any(shown.startswith(name) for shown in names)]
    if foreign or lost:
        raise Failure("\n".join(["shown, but not ours:", *foreign, "ours, but not shown:", *lost]))
    print(f"{len(names)} symbols, all ours")


def readme_shows(options, language):
    readme = (options.source / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^ *```{language}\n(.*?)^ *```$", readme, flags=re.DOTALL | re.MULTILINE)[1]


def test_report(options, scratch):
    """The installed command finds what renders its report, which is a command of its own as well."""
    if subprocess.run(["/usr/bin/python3", "-c", "import jinja2, matplotlib"], capture_output=True,
                      check=False).returncode:
        raise Skip("python3-jinja2 and python3-matplotlib are not both here")
    Installation(options.build, scratch / "root")
    [command] = (scratch / "root").rglob("bin/penstock")
    result = scratch / "result.json"
    run([options.build / "tests" / "compare" / "sample_result", "quick", result])
    run([command, "compare", result, "--out", scratch / "compared"])
    run([command.with_name("penstock-report"), result, "-o", scratch / "alone"])
    for name in ("report.html", "report.md"):
        if (scratch / "compared" / name).read_bytes() != (scratch / "alone" / name).read_bytes():
            raise Failure(f"{name} is not the same by both commands")
    left = list((scratch / "root").rglob("__pycache__"))
    if left:
        raise Failure(f"{left} was left where it is installed")


CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(consumer CXX)
set(CMAKE_CXX_STANDARD 20)
add_executable(program program.cpp)
"""


def test_cmake(options, scratch):
    if not shutil.which("cmake"):
        raise Skip("there is no cmake")
    installation = Installation(options.build, scratch / "root")
    shutil.copy(HERE / "consumer.cpp", scratch / "program.cpp")
    (scratch / "CMakeLists.txt").write_text(CMAKE + readme_shows(options, "cmake"))
    environment = dict(installation.environment, CXX=" ".join(options.compiler))
    run(["cmake", "-S", scratch, "-B", scratch / "build", "-G", "Ninja",
         f"-DPKG_CONFIG_ARGN={installation.prefix}"], env=environment)
    run(["cmake", "--build", scratch / "build"], env=environment)
    print(installation.execute(scratch / "build" / "program"), end="")


SUBPROJECT = """
project('consumer', 'cpp', default_options: ['cpp_std=c++20', 'werror=true', 'warning_level=3'])
README_SHOWS
foreach name : ['consumer', 'own_stream']
  test(name, executable(name, name + '.cpp', dependencies: [penstock, dependency('liburing', required: false)]))
endforeach
"""


def test_subproject(options, scratch):
    (scratch / "subprojects").mkdir()
    (scratch / "subprojects" / "penstock").symlink_to(options.source)
    lines = SUBPROJECT.replace("README_SHOWS", readme_shows(options, "meson"))
    (scratch / "meson.build").write_text(lines)
    shutil.copy(options.source / "examples" / "echo_server.cpp", scratch / "program.cpp")
    for name in PROGRAMS:
        shutil.copy(HERE / f"{name}.cpp", scratch)
    environment = dict(os.environ, CXX=" ".join(options.compiler))
    build = scratch / "build"
    run(["meson", "setup", build, scratch, "-Doptimization=0", "-Dunity=on", "-Dunity_size=8",
         "--force-fallback-for=penstock"], env=environment)
    run(["ninja", "-C", build], timeout=900)
    run(["meson", "test", "-C", build])
    linked = set(run(["ninja", "-C", build, "-t", "targets", "rule", "cpp_LINKER"]).split("\n"))
    extra = {target for target in linked if target.endswith("test") or "/tools/" in target}
    if not set(PROGRAMS) <= linked or extra:
        raise Failure("a subproject must build neither tests nor tools:\n" + "\n".join(linked))


TESTS = {name[5:]: function for name, function in globals().items() if name.startswith("test_")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=TESTS)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", nargs="+", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            TESTS[options.what](options, pathlib.Path(scratch))
        except Skip as why:
            print(f"skipped: {why}")
            sys.exit(SKIPPED)
        except (Failure, subprocess.TimeoutExpired) as failure:
            sys.exit(f"{options.what}: {failure}")


if __name__ == "__main__":
    main()
