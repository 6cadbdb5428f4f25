#!/usr/bin/env python3
"""Fails when an #include crosses a layer the wrong way.

    examples, tests, bench, tools -> transports -> runtime/*.h
                                   runtime/backends.cpp -> epoll/, uring/ -> core/ -> system/ -> parts/

Usage: check_layers.py [--self-test]
"""

import pathlib
import re
import sys

EPOLL = r"penstock/runtime/epoll/"
URING = r"penstock/runtime/uring/"
TRANSPORTS = r"penstock/transports/"
ABOVE = r"penstock/(tests|bench|tools|examples)/"
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
    # The machine does no I/O.
    (r"runtime/(core/consumer_mixin|parts/write_buffer|parts/timer_queue)\..*", r"sys/(?!uio\.h)|unistd\.h|fcntl\.h", r""),
    # io_uring stays in its folder, the stand-ins for its calls, the hand-written loops, and the load
    # generator, which uses nothing of the library.
    (
        r".*",
        r"liburing",
        r"(runtime/uring|tests/support|tests/traces|tests/install|bench/peers)/.*|bench/compare/load/uring_sockets\..*",
    ),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def crossings(path, text):
    """What `text`, as the file `path`, includes across a layer: (line number, include) pairs."""
    rules = [
        forbidden
        for files, forbidden, excepted in RULES
        if re.fullmatch(files, path) and not (excepted and re.fullmatch(excepted, path))
    ]
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if match and any(re.match(forbidden, match[1]) for forbidden in rules):
            yield number, match[1]


def check_tree(root):
    files = [
        path
        for folder in ("runtime", "transports", "tests", "bench", "tools", "examples")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in (".h", ".cpp")
    ]
    bad = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        wrong = list(crossings(name, path.read_text(encoding="utf-8")))
        for number, include in wrong:
            print(f"{name}:{number}: must not include <{include}>")
        bad += bool(wrong)
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
    ("tools/doctor.cpp", "liburing.h", False),
    ("tests/support/simulated_ring.cpp", "liburing.h", True),
    ("bench/peers/raw_uring.cpp", "liburing.h", True),
    ("bench/compare/load/uring_sockets.h", "liburing.h", True),
    ("bench/compare/load/echo_load.h", "liburing.h", False),
    ("tests/unit/stream_test.cpp", "penstock/runtime/uring/reactor.h", True),
]


def self_test():
    wrong = 0
    for path, include, allowed in FIXTURES:
        for line in (f"#include <{include}>", f'  #  include "{include}"  // why'):
            if bool(list(crossings(path, f"#pragma once\n{line}\n"))) == allowed:
                print(f"self-test: {path} including {include} should be {'allowed' if allowed else 'found'}")
                wrong += 1
    return 2 * len(FIXTURES) - wrong, wrong


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
