#!/usr/bin/env python3
"""`penstock echo`, `discard` and `chargen` over loopback."""

import hashlib
import os
import signal
import tempfile
import threading
import time

import support
from support import ToolTest, eventually, push_until_stalled, receive_all, receive_exactly, reset


def send_all_of(client, stream):
    """Sends the blocks of `stream` in a thread, then ends the sending side. Join it."""

    def work():
        for block in stream:
            client.sendall(block)
        client.shutdown(support.socket.SHUT_WR)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Echo(ToolTest):
    def test_64_mib_come_back_byte_exact_and_then_the_end(self):
        server = self.serve("echo")
        client = self.connect(server.address)
        stream = support.Keystream(64 << 20)

        sender = send_all_of(client, stream)

        for number, expected in enumerate(stream):
            if receive_exactly(client, len(expected)) != expected:
                self.fail(f"block {number} differs")
        self.assertEqual(client.recv(1), b"")
        sender.join(support.WAIT)

    def test_half_a_connection_closed_still_flushes_the_other_half(self):
        server = self.serve("echo")
        client = self.connect(server.address)
        data = os.urandom(200_000)

        client.sendall(data)
        client.shutdown(support.socket.SHUT_WR)

        self.assertEqual(receive_all(client), data)

    def test_a_client_that_does_not_read_is_not_read_from_and_gets_it_all_later(self):
        server = self.serve("echo")
        client = self.connect(server.address, receive_buffer=16384, send_buffer=65536)
        piece = os.urandom(1 << 20)
        limit = 256 << 20

        taken = push_until_stalled([client], piece, limit)[client]
        peak = server.status("VmHWM")
        client.shutdown(support.socket.SHUT_WR)
        echoed = receive_all(client)

        self.assertLess(taken, limit)
        expected = (piece * (taken // len(piece) + 1))[:taken]
        self.assertEqual(hashlib.sha256(echoed).digest(), hashlib.sha256(expected).digest())
        if not server.is_sanitized():
            self.assertLess(peak, 32 << 20)

    def test_many_clients_at_once_each_get_their_own(self):
        server = self.serve("echo")
        clients = [self.connect(server.address) for _ in range(200)]

        for number, client in enumerate(clients):
            client.sendall(b"client %d" % number)

        for number, client in enumerate(clients):
            expected = b"client %d" % number
            self.assertEqual(receive_exactly(client, len(expected)), expected)

    def test_a_limit_ends_the_connection_after_so_many_bytes(self):
        server = self.serve("echo", "--bytes-limit", "100000")
        data = os.urandom(300_000)

        for count in (100_000, 100_001, 300_000):
            client = self.connect(server.address)
            client.sendall(data[:count])
            self.assertEqual(receive_all(client), data[:100_000])

    def test_a_client_that_sends_on_after_its_limit_is_let_go(self):
        server = self.serve("echo", "-v", "--bytes-limit", "10")
        client = self.connect(server.address)
        client.sendall(b"0123456789ABCDEF")
        self.assertEqual(receive_all(client), b"0123456789")

        eventually(server.errors, "the server closes although the client does not")

        self.assertIn("16 bytes in, 10 bytes out, finished cleanly", server.errors())

    def test_it_serves_ipv6_names_and_socket_files(self):
        with tempfile.TemporaryDirectory() as directory:
            for listen in ("[::1]:0", "localhost:0", f"unix:{directory}/socket", "unix:@penstock-%d" % os.getpid()):
                server = self.serve("echo", listen=listen)
                client = self.connect(server.address)
                client.sendall(b"hello")
                self.assertEqual(receive_exactly(client, 5), b"hello")

    def test_one_line_tells_of_each_connection_that_ended(self):
        server = self.serve("echo", "-v")
        clean = self.connect(server.address)
        clean_name = "%s:%d" % clean.getsockname()
        clean.sendall(b"hello")
        clean.shutdown(support.socket.SHUT_WR)
        receive_all(clean)
        broken = self.connect(server.address)
        broken_name = "%s:%d" % broken.getsockname()
        broken.sendall(b"bye")
        receive_exactly(broken, 3)

        reset(broken)

        lines = eventually(lambda: server.error_lines()[1:] and server.error_lines(), "two lines come")
        self.assertEqual(
            lines[0], f"penstock: {clean_name} closed: 5 bytes in, 5 bytes out, finished cleanly"
        )
        self.assertEqual(
            lines[1],
            f"penstock: {broken_name} closed: 3 bytes in, 3 bytes out, Connection reset by peer",
        )
        self.assertEqual(len(lines), 2)

    def test_asked_twice_it_tells_of_the_beginning_too(self):
        server = self.serve("echo", "-vv")
        client = self.connect(server.address)

        lines = eventually(server.error_lines, "a line comes")

        self.assertEqual(lines, ["penstock: %s:%d opened" % client.getsockname()])

    def test_a_peer_cannot_write_lines_of_its_own_by_its_name(self):
        with tempfile.TemporaryDirectory() as directory, support.socket.socket(support.socket.AF_UNIX) as client:
            server = self.serve("echo", "-v", listen=f"unix:{directory}/socket")
            client.bind(f"{directory}/a\npenstock: 1.2.3.4:5 closed\x1b[2J")
            client.connect(server.address)
            client.close()

            lines = eventually(server.error_lines, "a line comes")

        self.assertEqual(len(lines), 1)
        self.assertIn(r"/a\npenstock: 1.2.3.4:5 closed\x1b[2J closed: 0 bytes in", lines[0])


class Discard(ToolTest):
    def test_it_counts_what_it_throws_away(self):
        server = self.serve("discard", "-v")
        client = self.connect(server.address)

        client.sendall(bytes(5_000_000))
        client.shutdown(support.socket.SHUT_WR)

        self.assertEqual(receive_all(client), b"")
        eventually(server.errors, "the line comes")
        self.assertIn("5000000 bytes in, 0 bytes out, finished cleanly", server.errors())

    def test_a_limit_ends_the_connection(self):
        server = self.serve("discard", "--bytes-limit", "1000")
        client = self.connect(server.address)

        client.sendall(bytes(1000))

        self.assertEqual(client.recv(1), b"")


def chargen_pattern(count):
    """RFC 864, said once more: 72 characters a line, each line one further on."""
    characters = bytes(range(32, 127)) * 2
    lines = [characters[start : start + 72] + b"\r\n" for start in range(95)]
    rotation = b"".join(lines)
    return (rotation * (count // len(rotation) + 1))[:count]


class Chargen(ToolTest):
    def test_it_sends_the_pattern_for_as_long_as_it_is_read(self):
        server = self.serve("chargen")
        client = self.connect(server.address)
        count = 3_000_000

        self.assertEqual(receive_exactly(client, count), chargen_pattern(count))

    def test_it_goes_on_after_the_client_has_ended_its_side(self):
        server = self.serve("chargen")
        client = self.connect(server.address)
        client.shutdown(support.socket.SHUT_WR)

        self.assertEqual(receive_exactly(client, 500_000), chargen_pattern(500_000))

    def test_a_limit_ends_it_at_the_byte(self):
        for limit in (1, 73, 56_240, 56_241, 200_000):
            server = self.serve("chargen", "--bytes-limit", str(limit))
            client = self.connect(server.address)
            self.assertEqual(receive_all(client), chargen_pattern(limit))

    def test_clients_that_do_not_read_cost_little(self):
        server = self.serve("chargen")
        clients = [self.connect(server.address, receive_buffer=4096) for _ in range(100)]
        for client in clients:
            receive_exactly(client, 1)  # So each is being sent to.
        server.settle()

        peak = server.status("VmHWM")

        if server.is_sanitized():
            self.skipTest("a sanitizer's memory is not the server's")
        self.assertLess(peak, 16 << 20)


class Ending(ToolTest):
    def test_both_signals_end_an_idle_server_with_status_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.serve("echo")
            server.signal(number)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.errors(), "")

    def test_idle_clients_see_a_clean_end(self):
        server = self.serve("echo")
        client = self.connect(server.address)
        client.sendall(b"hello")
        receive_exactly(client, 5)

        self.assertEqual(server.stop(), 0)

        self.assertEqual(client.recv(1), b"")

    def test_what_was_written_is_flushed_first(self):
        server = self.serve("chargen", "--drain-limit", "60")
        client = self.connect(server.address, receive_buffer=4096)
        receive_exactly(client, 10)
        server.settle()  # Its buffers are full, and a part of its pattern waits.
        server.signal()
        self.assertRefused(server.address)
        self.assertIsNone(server.process.poll())

        rest = receive_all(client)

        self.assertEqual(rest, chargen_pattern(10 + len(rest))[10:])
        self.assertEqual(server.wait(), 0)

    def test_a_client_that_has_sent_on_gets_back_what_was_accepted(self):
        server = self.serve("echo", "-v", "--drain-limit", "60")
        client = self.connect(server.address, receive_buffer=16384, send_buffer=65536)
        limit = 256 << 20
        taken = push_until_stalled([client], b"x" * 65536, limit)[client]
        self.assertLess(taken, limit)
        server.settle()  # It holds a part of the echo, and the kernel input that it has not read.
        server.signal()
        self.assertRefused(server.address)

        echoed = receive_all(client)

        client.close()
        self.assertEqual(server.wait(), 0)
        self.assertIn(f"{len(echoed)} bytes out, finished cleanly", server.errors())

    def test_a_second_signal_aborts(self):
        server = self.serve("chargen", "-v", "--drain-limit", "60")
        client = self.connect(server.address, receive_buffer=4096)
        receive_exactly(client, 10)
        server.settle()  # Its buffers are full, and a part of its pattern waits.
        server.signal()
        self.assertRefused(server.address)

        server.signal()

        self.assertEqual(server.wait(), 0)
        with self.assertRaises(ConnectionResetError):
            receive_all(client)
        self.assertIn("aborted, as it did not drain", server.errors())

    def test_the_drain_limit_aborts_too(self):
        server = self.serve("chargen", "--drain-limit", "0.2")
        client = self.connect(server.address, receive_buffer=4096)
        receive_exactly(client, 10)
        server.settle()

        started = time.monotonic()
        self.assertEqual(server.stop(), 0)

        self.assertGreaterEqual(time.monotonic() - started, 0.2)
        with self.assertRaises(ConnectionResetError):
            receive_all(client)


if __name__ == "__main__":
    support.main()
