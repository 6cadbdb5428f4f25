"""Driving the `penstock` command from outside: a process, its lines, and sockets to it.

Every wait has a limit, and every test one more as a whole: a hang fails by the test's name.
"""

import contextlib
import json
import os
import pathlib
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PENSTOCK = os.environ.get("PENSTOCK_COMMAND", "penstock")
WAIT = 20.0  # Seconds that any one answer may take.
TEST_LIMIT = 120  # Seconds for a whole test.
STALL = 0.7  # Seconds without progress after which a stream counts as stopped.
SANITIZER_MEMORY = 1 << 40  # Address space that only a sanitizer's shadow takes.


def eventually(condition, what):
    """Waits until `condition()` is true, and returns what it gave."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.005)
    raise AssertionError(f"within {WAIT:.0f} s it did not happen that {what}")


def run(*arguments, environment=None):
    """Runs the command to its end."""
    return subprocess.run(
        [PENSTOCK, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT,
        env={**os.environ, **(environment or {})},
        check=False,
    )


class Server:
    """A serving subcommand, ready once it is made. `address` is where it listens."""

    def __init__(self, *arguments, listen="127.0.0.1:0", wrapper=(), environment=None,
                 prepare=None):
        self._errors = tempfile.TemporaryFile()  # A pipe could fill up and stop it.
        self.process = subprocess.Popen(
            [*wrapper, PENSTOCK, *arguments, "--listen", listen],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            preexec_fn=prepare,
        )
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on (.+) \((uring|epoll)\)\n", line)
        if not match:
            self.process.kill()
            self.process.wait()
            said = self.errors()
            self.close()
            raise AssertionError(f"no ready line, but {line!r} and {said!r}")
        self.text, self.backend = match.groups()
        self.address = address_of(self.text)
        self.pid = self.process.pid if not wrapper else child_of(self.process.pid)

    def errors(self):
        self._errors.seek(0)
        return self._errors.read().decode()

    def error_lines(self):
        return self.errors().splitlines()

    def status(self, key):
        """A figure of /proc/PID/status, in bytes."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+) kB$", text, re.M)[1]) * 1024

    def settle(self):
        """Waits until it sleeps and nothing wakes it: all that it could do is done."""
        seen = None

        def unchanged():
            nonlocal seen
            before, seen = seen, self._switches()
            time.sleep(0.05)
            return seen is not None and seen == before

        eventually(unchanged, "the server has nothing left to do")

    def _switches(self):
        """How often it went to sleep; None while it does not."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        if not re.search(r"^State:\s+S", text, re.M):
            return None
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", text, re.M)[1])

    def is_sanitized(self):
        return self.status("VmSize") > SANITIZER_MEMORY

    def signal(self, number=signal.SIGTERM):
        os.kill(self.pid, number)

    def wait(self):
        return self.process.wait(WAIT)

    def stop(self):
        """Ends it as an operator would, and gives its exit status."""
        self.signal()
        return self.wait()

    def finish(self):
        """Ends it if it still runs, and checks that it ends well: a crash or, under a sanitizer, a
        leak shows here."""
        try:
            if self.process.poll() is None:
                self.signal()
            status = self.wait()
            if status != 0:
                raise AssertionError(f"the server ended with {status}: {self.errors()}")
        finally:
            self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._errors.close()


def child_of(pid):
    return int(eventually(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text, "it started"))


def address_of(text):
    if text.startswith("unix:@"):
        return "\0" + text[len("unix:@") :]
    if text.startswith("unix:"):
        return text[len("unix:") :]
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def stream_socket(address):
    if isinstance(address, str):
        return socket.socket(socket.AF_UNIX)
    return socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)


class ToolTest(unittest.TestCase):
    """Closes what it opened, and does not hang."""

    def setUp(self):
        def expired(*_):
            raise AssertionError(f"the test took more than {TEST_LIMIT} s")

        signal.signal(signal.SIGALRM, expired)
        signal.alarm(TEST_LIMIT)
        self.addCleanup(signal.alarm, 0)

    def serve(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(server.finish)
        return server

    def connect(self, address, receive_buffer=0, send_buffer=0):
        client = stream_socket(address)
        self.addCleanup(client.close)
        client.settimeout(WAIT)
        if receive_buffer:  # Before connecting: it decides the window.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        client.connect(address)
        return client

    def listen(self, receive_buffer=0, backlog=256):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.settimeout(WAIT)
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        return listener

    def accept(self, listener):
        accepted, _ = listener.accept()
        self.addCleanup(accepted.close)
        accepted.settimeout(WAIT)
        return accepted

    def assertRefused(self, address):
        """Waits until nobody listens there any more."""

        def refused():
            with stream_socket(address) as probe:
                probe.settimeout(WAIT)
                try:
                    probe.connect(address)
                except (ConnectionRefusedError, FileNotFoundError):
                    return True
                except ConnectionResetError:  # It was in the queue when the listener closed.
                    return False
            return False

        eventually(refused, f"{address} refuses connections")


def reset(client):
    """Closes with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def receive_exactly(client, count):
    data = bytearray()
    while len(data) < count:
        piece = client.recv(min(count - len(data), 1 << 20))
        if not piece:
            raise AssertionError(f"the stream ended after {len(data)} of {count} bytes")
        data += piece
    return bytes(data)


def receive_all(client):
    data = bytearray()
    while piece := client.recv(1 << 20):
        data += piece
    return bytes(data)


def push_until_stalled(clients, piece, limit):
    """Sends `piece` over and over to each of `clients`, at most `limit` bytes to each, until no
    more is taken from any. Returns how many bytes each took."""
    taken = {client: 0 for client in clients}
    view = memoryview(piece)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as undo:
        for client in clients:
            undo.callback(client.settimeout, client.gettimeout())
            client.setblocking(False)
            selector.register(client, selectors.EVENT_WRITE)
        while ready := selector.select(STALL):
            for key, _ in ready:
                client = key.fileobj
                with contextlib.suppress(BlockingIOError):
                    taken[client] += client.send(view[taken[client] % len(piece) :])
                if taken[client] >= limit:
                    selector.unregister(client)
    return taken


class Keystream:
    """Bytes that do not repeat in a way that a mistake would go unseen: each 64 KiB block has its
    number in front and differs by its rotation."""

    BLOCK = 1 << 16

    def __init__(self, total, seed=1):
        import random

        self.total = total
        self._noise = random.Random(seed).randbytes(2 * self.BLOCK)

    def block(self, number):
        shift = number * 7919 % self.BLOCK
        return struct.pack(">Q", number) + self._noise[shift : shift + self.BLOCK - 8]

    def __iter__(self):
        for number in range(self.total // self.BLOCK):
            yield self.block(number)


class Results(unittest.TextTestResult):
    """Writes the results as TAP to `tap`: a line for each test as it ends."""

    tap = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.written = 0

    def write(self, result, test, why=""):
        self.written += 1
        name = ".".join(test.id().split(".")[-2:])
        print(f"{result} {self.written} - {name}{why}", file=self.tap)

    def bad(self):
        return len(self.failures) + len(self.errors)

    def startTest(self, test):
        super().startTest(test)
        self.before = self.bad(), len(self.skipped)

    def stopTest(self, test):
        super().stopTest(test)
        bad, skipped = self.before
        if self.bad() > bad:
            self.write("not ok", test)
        elif len(self.skipped) > skipped:
            self.write("ok", test, f" # SKIP {self.skipped[-1][1]}")
        else:
            self.write("ok", test)

    def addError(self, test, error):
        super().addError(test, error)
        if not isinstance(test, unittest.TestCase):  # What sets a whole class up has failed.
            self.write("not ok", test)


def take_standard_output():
    """What was standard output; what is printed from now on, by children too, goes to standard error."""
    sys.stdout.flush()
    output = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    return output


def why_not():
    """Why the backend under test cannot work here, if so."""
    backend = json.loads(run("doctor", "--json").stdout)["backend"]
    return backend["why"] if backend["chosen"] is None else None


def main():
    Results.tap = take_standard_output()
    if why := why_not():
        print(f"1..0 # SKIP {why}", file=Results.tap)
        sys.exit()
    runner = unittest.TextTestRunner(resultclass=Results, verbosity=2)
    result = unittest.main(testRunner=runner, exit=False).result
    print(f"1..{result.written}", file=Results.tap)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
