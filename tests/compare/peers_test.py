"""Checks that a peer server moves every byte, and ends when told to.

Usage: peers_test.py PROGRAM [OPTION...]   (the options go to the program each time)
"""

import contextlib
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

PROGRAM = sys.argv[1:]
PATIENCE = 20
MIB = 1 << 20
READY = re.compile(r"^ready port=(\d+) engine=([a-z-]+) version=(\S+) backend=(epoll|io_uring)\n$")
NOISE = random.Random(20).randbytes(2 * MIB)


class Server:
    """A running server; leaving the context ends it and checks how it went."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen([*PROGRAM, "--port", "0", *self.options],
                                        stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        found = READY.match(line)
        if not found:
            self.process.kill()
            raise AssertionError(f"not a ready line: {line!r}")
        self.port, self.backend = int(found[1]), found[4]
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "none: it did not end"
        self.process.stdout.close()
        if not failure[0] and status != 0:
            raise AssertionError(f"exit status {status}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self, **options):
        return connect(self.port, **options)


def connect(port, receive_buffer=0):
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


def receive_exactly(client, count):
    received = bytearray()
    while len(received) < count:
        some = client.recv(min(MIB, count - len(received)))
        if not some:
            raise AssertionError(f"the stream ended after {len(received)} of {count} bytes")
        received += some
    return bytes(received)


class Exchange:
    """One client that sends its bytes and the end, and keeps what it receives until the end."""

    def __init__(self, client, data):
        self.client, self.data = client, data
        self.sent, self.received, self.ended = 0, bytearray(), False
        client.setblocking(False)

    def sending(self):
        return self.sent <= len(self.data)

    def send(self):
        if self.sent < len(self.data):
            self.sent += self.client.send(self.data[self.sent:self.sent + MIB])
        if self.sent == len(self.data):
            self.client.shutdown(socket.SHUT_WR)
            self.sent += 1

    def receive(self):
        some = self.client.recv(MIB)
        self.received += some
        self.ended = not some


def run(exchanges):
    deadline = time.monotonic() + PATIENCE
    while open_ones := {e.client: e for e in exchanges if not e.ended}:
        writers = [e.client for e in open_ones.values() if e.sending()]
        readable, writable, _ = select.select(list(open_ones), writers, [], 1)
        for client in writable:
            open_ones[client].send()
        for client in readable:
            open_ones[client].receive()
        if time.monotonic() > deadline:
            raise AssertionError("the exchange stands still: "
                                 + str([(e.sent, len(e.received)) for e in exchanges]))


class PeerTest(unittest.TestCase):
    def exchange_all(self, clients, data):
        exchanges = [Exchange(client, data[i:]) for i, client in enumerate(clients)]
        run(exchanges)
        for exchange in exchanges:
            self.assertTrue(bytes(exchange.received) == exchange.data, "other bytes came back")
            exchange.client.close()

    def wait_for_descriptors(self, server, count):
        deadline = time.monotonic() + PATIENCE
        while server.descriptors() > count and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertLessEqual(server.descriptors(), count, "connections are left open")

    def test_messages_of_many_sizes_come_back_one_by_one(self):
        with Server("--workload", "echo") as server, server.connect() as client:
            for size in (1, 2, 64, 1000, 4096, 16384, 65536, 200_000):
                message = NOISE[size:2 * size]
                client.sendall(message)
                self.assertTrue(receive_exactly(client, size) == message, f"{size} bytes differ")

    def test_a_stream_comes_back_whole_and_then_ends(self):
        with Server("--workload", "echo") as server:
            self.exchange_all([server.connect() for _ in range(6)], NOISE)

    def test_connections_that_come_and_go_are_all_served(self):
        with Server("--workload", "churn") as server:
            before = server.descriptors()
            for i in range(300):
                with server.connect() as client:
                    client.sendall(NOISE[i:i + 64])
                    self.assertEqual(receive_exactly(client, 64), NOISE[i:i + 64])
            self.wait_for_descriptors(server, before)

    def test_a_client_that_does_not_read_is_held_back_and_loses_nothing(self):
        repeated = memoryview(NOISE[:MIB] * 2)
        with Server("--workload", "echo") as server, server.connect(receive_buffer=4096) as client:
            client.setblocking(False)
            sent = 0
            while sent < 64 * MIB and select.select([], [client], [], 0.3)[1]:
                with contextlib.suppress(BlockingIOError):
                    start = sent % MIB
                    sent += client.send(NOISE[start:MIB])
            self.assertLess(sent, 64 * MIB)
            client.settimeout(PATIENCE)
            received = 0
            while received < sent:
                some = client.recv(MIB)
                at = received % MIB
                self.assertTrue(some and some == repeated[at:at + len(some)],
                                f"other bytes from {received} on")
                received += len(some)

    def test_a_reset_by_one_client_leaves_the_others_served(self):
        with Server("--workload", "echo") as server, server.connect() as other:
            for _ in range(20):
                client = server.connect()
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.send(NOISE)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            other.sendall(NOISE[:100_000])
            self.assertTrue(receive_exactly(other, 100_000) == NOISE[:100_000])

    def test_a_sink_takes_everything_and_answers_nothing(self):
        with Server("--workload", "sink") as server, server.connect() as client:
            client.sendall(NOISE)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"")

    def test_a_source_sends_the_pattern(self):
        pattern = bytes(range(251)) * (3 * MIB // 251 + 1)
        with Server("--workload", "source") as server:
            clients = [server.connect() for _ in range(3)]
            for client in clients:
                self.assertTrue(receive_exactly(client, 3 * MIB) == pattern[:3 * MIB])
                client.close()

    def test_a_relay_passes_both_ways_and_the_end(self):
        with Server("--workload", "echo") as echo:
            with Server("--workload", "relay", "--to", f"127.0.0.1:{echo.port}") as relay:
                self.exchange_all([relay.connect() for _ in range(3)], NOISE)

    def test_a_relay_passes_the_end_of_one_side_while_the_other_goes_on(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            to = f"127.0.0.1:{listener.getsockname()[1]}"
            with Server("--workload", "relay", "--to", to) as relay:
                before = relay.descriptors()
                client = relay.connect()
                upstream, _ = listener.accept()
                upstream.settimeout(PATIENCE)
                client.sendall(b"the question")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(receive_exactly(upstream, 12), b"the question")
                self.assertEqual(upstream.recv(1), b"")
                upstream.sendall(NOISE[:300_000])
                upstream.close()
                self.assertTrue(receive_exactly(client, 300_000) == NOISE[:300_000])
                self.assertEqual(client.recv(1), b"")
                self.wait_for_descriptors(relay, before)
                client.close()

    def test_a_relay_with_a_slow_sink_holds_the_sender_back(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            to = f"127.0.0.1:{listener.getsockname()[1]}"
            with Server("--workload", "relay", "--to", to) as relay, relay.connect() as client:
                upstream, _ = listener.accept()
                upstream.settimeout(PATIENCE)
                client.setblocking(False)
                sent = 0
                while sent < 96 * MIB and select.select([], [client], [], 0.3)[1]:
                    with contextlib.suppress(BlockingIOError):
                        sent += client.send(bytes(MIB))
                self.assertLess(sent, 96 * MIB)
                self.assertEqual(receive_exactly(upstream, sent), bytes(sent))
                upstream.close()

    def test_a_relay_to_nowhere_closes_its_client(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            to = f"127.0.0.1:{listener.getsockname()[1]}"
        with Server("--workload", "relay", "--to", to) as relay, relay.connect() as client:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.recv(1), b"")

    def test_compute_spends_its_time_for_each_message(self):
        options = ("--workload", "compute", "--size", "100", "--work-us", "500")
        with Server(*options) as server, server.connect() as client:
            start = time.monotonic()
            client.sendall(NOISE[:5000])
            self.assertEqual(receive_exactly(client, 5000), NOISE[:5000])
            self.assertGreaterEqual(time.monotonic() - start, 50 * 500e-6)

    def test_timers_round_each_message_change_nothing(self):
        with Server("--workload", "timers") as server:
            self.exchange_all([server.connect() for _ in range(4)], NOISE[:MIB])

    def test_nonsense_is_refused_with_one_line(self):
        for options in (["--workload", "nonsense"], ["--nonsense"], ["--port", "70000"],
                        ["--workload", "relay"], ["--port"], ["--size", "0"],
                        ["--workload", "relay", "--to", "nowhere"]):
            done = subprocess.run([*PROGRAM, *options], capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, options)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_a_port_in_use_is_refused_with_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = str(listener.getsockname()[1])
            done = subprocess.run([*PROGRAM, "--workload", "echo", "--port", port],
                                  capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(port, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
