#!/usr/bin/env python3
"""Which system calls the servers make on the data path, as strace sees them."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import support
from support import ToolTest, receive_all, receive_exactly

# What moves or awaits bytes by itself. The io_uring family makes none of these calls; epoll's has
# no use for io_uring's.
BYTE_CALLS = re.compile(
    r"(read|write|readv|writev|preadv2?|pwritev2?|recv|recvfrom|recvmsg|recvmmsg|send|sendto"
    r"|sendmsg|sendmmsg|splice|accept|accept4|connect|poll|ppoll|select|pselect6|epoll_\w+)"
)
RING_CALLS = re.compile(r"io_uring_\w+")


def strace_works():
    if not shutil.which("strace"):
        return False
    tried = subprocess.run(
        ["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


class DataPath(ToolTest):
    def setUp(self):
        super().setUp()
        if not strace_works():
            self.skipTest("strace is missing, or may not trace here")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.trace = pathlib.Path(directory.name) / "trace"

    def serve_traced(self, *arguments):
        wrapper = ("strace", "-f", "-qq", "-s", "64", "-o", str(self.trace))
        environment = "ASAN_OPTIONS=detect_leaks=0"  # Leak detection traces, too.
        return self.serve(*arguments, wrapper=("env", environment, *wrapper))

    def calls_while_serving(self, server):
        """Names of the calls between the ready line and the signal that ends it."""
        if server.is_sanitized():
            self.skipTest("a sanitizer makes calls of its own")  # UBSan writes to pipes.
        server.stop()
        text = self.trace.read_text()
        ready = text.index('write(1, "listening on ')
        while_serving = text[text.index("\n", ready) : text.index("--- SIGTERM")]
        return re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", while_serving, re.M)

    def assertFitsBackend(self, calls, backend):
        self.assertGreater(len(calls), 0)
        if backend == "uring":
            self.assertIn("io_uring_enter", calls)
            self.assertEqual([call for call in calls if BYTE_CALLS.fullmatch(call)], [])
        else:
            self.assertTrue(any(call.startswith("epoll_") for call in calls))
            self.assertEqual([call for call in calls if RING_CALLS.fullmatch(call)], [])

    def test_echo_moves_bytes_by_its_backend_alone(self):
        server = self.serve_traced("echo")
        data = os.urandom(300_000)

        for _ in range(3):
            client = self.connect(server.address)
            client.sendall(b"hello")
            receive_exactly(client, 5)
            client.sendall(data[:100_000])
            self.assertEqual(receive_exactly(client, 100_000), data[:100_000])
            client.shutdown(support.socket.SHUT_WR)
            self.assertEqual(receive_all(client), b"")

        self.assertFitsBackend(self.calls_while_serving(server), server.backend)

    def test_relay_moves_bytes_by_its_backend_alone(self):
        listener = self.listen()
        server = self.serve_traced("relay", "--to", "%s:%d" % listener.getsockname())

        for _ in range(3):
            client = self.connect(server.address)
            target = self.accept(listener)
            client.sendall(b"hello")
            receive_exactly(target, 5)
            target.sendall(b"goodbye")
            target.close()
            self.assertEqual(receive_all(client), b"goodbye")
            client.close()

        self.assertFitsBackend(self.calls_while_serving(server), server.backend)


if __name__ == "__main__":
    support.main()
