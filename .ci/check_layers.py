#!/usr/bin/env python3
"""Fails when an #include crosses a layer the wrong way.

    examples, tests, bench, tools -> transports -> runtime/*.h
                            tests -> sim        -> runtime/*.h, the seams runtime/system/, uring/ring_calls.h
                                   runtime/backends.cpp -> epoll/, uring/ -> core/ -> system/ -> parts/

Usage: check_layers.py [--self-test]
"""

import pathlib
import re
import sys

EPOLL = r"penstock/runtime/epoll/"
URING = r"penstock/runtime/uring/"
TRANSPORTS = r"penstock/transports/"
ABOVE = r"penstock/(tests|bench|tools|examples|sim)/"
FAMILY_CALLS = r"sys/epoll\.h|liburing|linux/io_uring\.h"

# (files, includes they must not have, files excepted)
RULES = [
    # What users include is contracts, and the parts that are in their values.
    (r"runtime/[^/]+\.h", f"{EPOLL}|{URING}|penstock/runtime/(core|system)/", r""),
    (r"runtime/[^/]+\.cpp", f"{EPOLL}|{URING}", r"runtime/backends\.cpp"),
    (r"runtime/(core|parts|system)/.*", f"{EPOLL}|{URING}", r""),
    (r"runtime/parts/.*", r"penstock/runtime/(core|system)/|penstock/runtime/(reactor|transport)\.h", r""),
    (r"runtime/system/.*", r"penstock/runtime/core/", r""),
    (r"runtime/.*", f"{TRANSPORTS}|{ABOVE}", r""),
    (r"runtime/epoll/.*", URING, r""),
    (r"runtime/uring/.*", EPOLL, r""),
    (r"transports/.*", f"{EPOLL}|{URING}|{ABOVE}|{FAMILY_CALLS}", r""),
    # The simulated kernel knows the seams, and nothing of what runs on it.
    (r"sim/.*", f"{EPOLL}|penstock/runtime/uring/(?!ring_calls)|{TRANSPORTS}|penstock/runtime/core/", r""),
    (r"sim/.*", r"penstock/(tests|bench|tools|examples)/", r""),
    # The machine does no I/O.
    (r"runtime/(core/consumer_mixin|parts/write_buffer|parts/timer_queue)\..*", r"sys/(?!uio\.h)|unistd\.h|fcntl\.h", r""),
    # io_uring stays in its folder, what simulates it, the hand-written loops, and the load
    # generator, which uses nothing of the library.
    (
        r".*",
        r"liburing",
        r"(runtime/uring|sim|tests/traces|tests/install|bench/peers)/.*|bench/compare/load/uring_sockets\..*",
    ),
]

# (files, what they must not include, not even by way of headers of this tree): a transport that could
# see these would end up with a loop of its own.
OUT_OF_REACH = [
    (r"(transports|tools|examples)/.*", FAMILY_CALLS),
    (r"runtime/[^/]+\.h|sim/(faults|kernel|peer)\.h", FAMILY_CALLS),
    (r"runtime/(core|parts)/.*|runtime/system/(?!poll_calls|system_calls\.cpp).*", FAMILY_CALLS),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def crossings(path, text):
    """What `text`, as the file `path`, includes across a layer: (line number, include) pairs."""
    rules = [
        forbidden
        for files, forbidden, excepted in RULES
        if re.fullmatch(files, path) and not (excepted and re.fullmatch(excepted, path))
    ]
    for number, include in includes(text):
        if any(re.match(forbidden, include) for forbidden in rules):
            yield number, include


def includes(text):
    """(line number, include) pairs."""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match[1]


def reached(path, read, forbidden, seen):
    """How `path` comes to include what is `forbidden`: the headers on the way; none if it does not."""
    for _, include in includes(read(path)):
        if re.match(forbidden, include):
            return [path, include]
        header = include.removeprefix("penstock/")
        if header == include or header in seen:
            continue
        seen.add(header)
        if way := reached(header, read, forbidden, seen):
            return [path, *way]
    return []


def reaches(path, read):
    """The ways by which the file `path` includes what is out of its reach; read(path) is its text."""
    for files, forbidden in OUT_OF_REACH:
        if re.fullmatch(files, path) and (way := reached(path, read, forbidden, set())):
            yield way


def check_tree(root):
    def read(name):
        try:
            return (root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""  # Made by the build.

    files = [
        path
        for folder in ("runtime", "transports", "sim", "tests", "bench", "tools", "examples")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in (".h", ".cpp")
    ]
    bad = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        wrong = list(crossings(name, read(name)))
        ways = list(reaches(name, read))
        for number, include in wrong:
            print(f"{name}:{number}: must not include <{include}>")
        for way in ways:
            print(f"{name}: must not reach <{way[-1]}>, but does by {' -> '.join(way)}")
        bad += bool(wrong or ways)
    return len(files) - bad, bad


# (file, include, whether it is allowed): shows that each rule can fail, and need not.
FIXTURES = [
    ("runtime/reactor.h", "penstock/runtime/epoll/reactor.h", False),
    ("runtime/reactor.h", "penstock/runtime/core/reactor_base.h", False),
    ("runtime/timer.h", "penstock/runtime/parts/timer_queue.h", True),
    ("runtime/core/reactor_base.cpp", "penstock/runtime/uring/reactor.h", False),
    ("runtime/backends.cpp", "penstock/runtime/uring/reactor.h", True),
    ("runtime/backends.cpp", "penstock/runtime/epoll/reactor.h", True),
    ("runtime/core/reactor_base.cpp", "penstock/transports/tcp.h", False),
    ("runtime/uring/stream.cpp", "penstock/transports/tcp.h", False),
    ("runtime/epoll/stream.cpp", "penstock/runtime/uring/ring.h", False),
    ("runtime/parts/write_buffer.h", "penstock/runtime/core/connection.h", False),
    ("runtime/parts/call_queue.h", "penstock/runtime/reactor.h", False),
    ("runtime/system/pipe_pool.h", "penstock/runtime/core/connection.h", False),
    ("runtime/core/connection.h", "penstock/runtime/parts/write_buffer.h", True),
    ("runtime/uring/stream.cpp", "penstock/runtime/epoll/reactor.h", False),
    ("runtime/uring/stream.cpp", "penstock/runtime/reactor.h", True),
    ("runtime/uring/ring.h", "liburing.h", True),
    ("runtime/probe.cpp", "liburing.h", False),
    ("transports/tcp.cpp", "penstock/runtime/reactor.h", True),
    ("transports/tcp.cpp", "penstock/runtime/epoll/reactor.h", False),
    ("transports/tcp.h", "penstock/runtime/uring/file_handle.h", False),
    ("transports/tcp.cpp", "sys/epoll.h", False),
    ("transports/tcp.cpp", "liburing.h", False),
    ("transports/tcp.cpp", "penstock/tests/support/backend.h", False),
    ("runtime/core/consumer_mixin.cpp", "sys/socket.h", False),
    ("runtime/core/consumer_mixin.cpp", "unistd.h", False),
    ("runtime/parts/write_buffer.h", "sys/uio.h", True),
    ("sim/ring_calls.h", "penstock/runtime/uring/ring_calls.h", True),
    ("sim/ring.cpp", "penstock/runtime/uring/ring.h", False),
    ("sim/peer.cpp", "penstock/transports/tcp.h", False),
    ("sim/machine.cpp", "penstock/tests/support/hang_guard.h", False),
    ("transports/tcp.cpp", "penstock/sim/kernel.h", False),
    ("tools/doctor.cpp", "liburing.h", False),
    ("sim/ring.cpp", "liburing.h", True),
    ("bench/peers/raw_uring.cpp", "liburing.h", True),
    ("bench/compare/load/uring_sockets.h", "liburing.h", True),
    ("bench/compare/load/echo_load.h", "liburing.h", False),
    ("tests/unit/stream_test.cpp", "penstock/runtime/uring/reactor.h", True),
]


# (file, what it includes by way of another header, whether it is allowed).
WAYS = [
    ("transports/tcp.cpp", "sys/epoll.h", False),
    ("transports/tcp.h", "liburing.h", False),
    ("transports/tcp.cpp", "sys/socket.h", True),
    ("tools/echo.cpp", "sys/epoll.h", False),
    ("runtime/reactor.h", "sys/epoll.h", False),
    ("sim/kernel.h", "sys/epoll.h", False),
    ("sim/epoll.h", "sys/epoll.h", True),
    ("runtime/core/connection.cpp", "sys/epoll.h", False),
    ("runtime/system/socket_calls.cpp", "sys/epoll.h", False),
    ("runtime/system/poll_calls.cpp", "sys/epoll.h", True),
    ("runtime/epoll/stream.cpp", "sys/epoll.h", True),
    ("runtime/backends.cpp", "sys/epoll.h", True),
]


def self_test():
    wrong = 0
    for path, include, allowed in WAYS:
        tree = {
            path: "#include <penstock/between.h>\n",
            "between.h": "#include <penstock/beyond.h>\n",
            "beyond.h": f"#include <penstock/between.h>\n#include <{include}>\n",
        }
        if bool(list(reaches(path, tree.__getitem__))) == allowed:
            print(f"self-test: {path} reaching {include} should be {'allowed' if allowed else 'found'}")
            wrong += 1
    for path, include, allowed in FIXTURES:
        for line in (f"#include <{include}>", f'  #  include "{include}"  // why'):
            if bool(list(crossings(path, f"#pragma once\n{line}\n"))) == allowed:
                print(f"self-test: {path} including {include} should be {'allowed' if allowed else 'found'}")
                wrong += 1
    return len(WAYS) + 2 * len(FIXTURES) - wrong, wrong


def main():
    if "--self-test" in sys.argv[1:]:
        good, bad = self_test()
        print(f"layers self-test: {good} of {good + bad} fixtures judged rightly")
    else:
        good, bad = check_tree(pathlib.Path(__file__).resolve().parents[1])
        print(f"layers: {good} of {good + bad} files keep to theirs")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
