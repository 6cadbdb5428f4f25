#!/usr/bin/env python3
"""An echo server that is wrong in one way: broken_server.py FAULT, then a server's usual options.

    none      nothing is wrong
    flip      one bit of one byte, after 2,000 bytes
    lose      one byte is left out, after 2,000 bytes
    extra     one byte too many, at once
    die       ends with a signal after 2,000 bytes
    close     closes a connection after 2,000 bytes
    stall     answers nothing after 2,000 bytes
    forget    never answers one message, after 2,000 bytes, and all others
    lie       says that it is on io_uring
    silent    never says that it is ready
    refuse    ends at once with status 1 and a message
    unserved  knows no workload
    stubborn  does not end on SIGTERM
"""

import os
import select
import signal
import socket
import sys

LIMIT = 2000


def spoil(fault, data, seen):
    """What is sent for `data`, of which `seen` bytes came before."""
    at = LIMIT - seen
    if fault == "extra" and seen == 0:
        return data + b"x"
    if not 0 <= at < len(data):
        return data
    if fault == "forget":
        return b""
    if fault == "flip":
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    if fault == "lose":
        return data[:at] + data[at + 1 :]
    return data


def serve(fault, listener):
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    connections = {}
    seen = 0
    backend = "io_uring" if fault == "lie" else "epoll"
    port = listener.getsockname()[1]
    print(f"ready port={port} engine=broken version=1 backend={backend}", flush=True)
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                epoll.register(connection.fileno(), select.EPOLLIN)
                continue
            connection = connections[fd]
            try:
                data = connection.recv(65536)
                past = seen + len(data) > LIMIT
                if past and fault == "die":
                    os.kill(os.getpid(), signal.SIGSEGV)
                if data and not (past and fault in ("stall", "close")):
                    connection.sendall(spoil(fault, data, seen))
            except ConnectionError:  # The load generator closes with a reset when it has enough.
                data = b""
            if not data or (past and fault == "close"):
                epoll.unregister(fd)
                connections.pop(fd).close()
            seen += len(data)


def main():
    fault = sys.argv[1]
    signal.signal(signal.SIGTERM, signal.SIG_IGN if fault == "stubborn" else lambda *_: os._exit(0))
    if fault == "refuse":
        sys.exit("the cellar is flooded")
    if fault == "unserved":
        print("--workload: there is none of that name", file=sys.stderr)
        sys.exit(2)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    if fault == "silent":
        signal.pause()
    serve(fault, listener)


main()
