#!/usr/bin/env python3
"""`penstock relay` over loopback, between sockets of this test."""

import os
import socket
import threading

import support
from support import ToolTest, eventually, push_until_stalled, receive_all, receive_exactly, reset


class Relay(ToolTest):
    """By the library's relay(), as nobody asks for counts."""

    options = ()

    def relay_to(self, listener, *arguments):
        address = "%s:%d" % listener.getsockname()
        return self.serve("relay", *self.options, *arguments, "--to", address)

    def joined(self, *arguments):
        """A client, what it is joined with at the target, and the relay between."""
        listener = self.listen()
        server = self.relay_to(listener, *arguments)
        client = self.connect(server.address)
        return client, self.accept(listener), server

    def test_bytes_pass_in_both_directions_at_once(self):
        client, target, _ = self.joined()
        up = support.Keystream(16 << 20, seed=1)
        down = support.Keystream(16 << 20, seed=2)

        def send(end, stream):
            for block in stream:
                end.sendall(block)
            end.shutdown(socket.SHUT_WR)

        wrong = []

        def check(end, stream):
            for number, block in enumerate(stream):
                if receive_exactly(end, len(block)) != block:
                    wrong.append(number)
                    return
            if end.recv(1) != b"":
                wrong.append("no end")
            done.append(end)

        done = []
        threads = [
            threading.Thread(target=act, args=arguments, daemon=True)
            for act, arguments in (
                (send, (client, up)),
                (send, (target, down)),
                (check, (target, up)),
                (check, (client, down)),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(support.TEST_LIMIT / 2)

        self.assertEqual(wrong, [])
        self.assertEqual(len(done), 2)

    def test_what_the_client_sends_before_the_target_is_there_is_not_lost(self):
        listener = self.listen()
        server = self.relay_to(listener)
        client = self.connect(server.address)
        data = os.urandom(100_000)

        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

        self.assertEqual(receive_all(self.accept(listener)), data)

    def test_a_half_close_of_the_client_is_passed_on_and_answers_still_come(self):
        client, target, _ = self.joined()
        client.sendall(b"question")

        client.shutdown(socket.SHUT_WR)

        self.assertEqual(receive_all(target), b"question")
        target.sendall(b"answer")
        target.close()
        self.assertEqual(receive_all(client), b"answer")

    def test_a_half_close_of_the_target_is_passed_on_and_the_client_may_go_on(self):
        client, target, _ = self.joined()
        target.sendall(b"greeting")

        target.shutdown(socket.SHUT_WR)

        self.assertEqual(receive_all(client), b"greeting")
        client.sendall(b"thanks")
        client.close()
        self.assertEqual(receive_all(target), b"thanks")

    def test_a_reset_of_the_client_resets_the_target(self):
        client, target, _ = self.joined()
        client.sendall(b"x")
        receive_exactly(target, 1)

        reset(client)

        with self.assertRaises(ConnectionResetError):
            target.recv(1)

    def test_a_reset_of_the_target_resets_the_client(self):
        client, target, _ = self.joined()
        client.sendall(b"x")
        receive_exactly(target, 1)

        reset(target)

        with self.assertRaises(ConnectionResetError):
            client.recv(1)

    def test_a_reset_after_a_half_close_is_passed_on_as_a_reset(self):
        client, target, _ = self.joined()
        client.sendall(b"request")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive_all(target), b"request")
        target.sendall(b"ans")
        receive_exactly(client, 3)

        reset(target)

        with self.assertRaises(ConnectionResetError):
            client.recv(1)

    def test_a_client_whose_target_refuses_is_reset(self):
        listener = self.listen()
        address = "%s:%d" % listener.getsockname()
        listener.close()
        server = self.serve("relay", *self.options, "--to", address)

        with self.assertRaises(ConnectionResetError):  # By then, or while it still connects.
            self.connect(server.address).recv(1)

    def test_clients_that_leave_while_their_targets_connect_are_forgotten(self):
        name = "penstock-relay-test-%d" % os.getpid()
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind("\0" + name)
        listener.listen(0)  # Room for one: the others wait.
        server = self.serve("relay", *self.options, "--to", "unix:@" + name)
        clients = [self.connect(server.address) for _ in range(8)]
        for client in clients[:-1]:
            reset(client)

        clients[-1].sendall(b"still here")
        received = b""
        while received != b"still here":
            target = self.accept(listener)
            received = target.recv(100)
        target.sendall(b"so am I")

        self.assertEqual(receive_exactly(clients[-1], 7), b"so am I")

    def test_a_slow_sink_stops_a_fast_source_and_gets_it_all_later(self):
        listener = self.listen(receive_buffer=16384)
        server = self.relay_to(listener)
        client = self.connect(server.address, send_buffer=65536)
        target = self.accept(listener)
        piece = os.urandom(1 << 20)
        limit = 256 << 20

        taken = push_until_stalled([client], piece, limit)[client]
        client.shutdown(socket.SHUT_WR)

        self.assertLess(taken, limit)
        self.assertEqual(receive_all(target), (piece * (taken // len(piece) + 1))[:taken])

    def test_200_sinks_that_do_not_read_keep_it_under_64_mib(self):
        listener = self.listen(receive_buffer=65536)
        server = self.relay_to(listener)
        pairs = []
        for _ in range(200):
            client = self.connect(server.address, send_buffer=65536)
            pairs.append((client, self.accept(listener)))
        for client, target in pairs:  # Makes bulk connections of them, with large windows.
            self.pass_through(client, target, 2 << 20)

        taken = push_until_stalled([client for client, _ in pairs], bytes(1 << 20), limit=2 << 20)

        self.assertGreater(min(taken.values()), 256 << 10)  # More than the relay may hold.
        if server.is_sanitized():
            self.skipTest("a sanitizer's memory is not the server's")
        self.assertLess(server.status("VmHWM"), 64 << 20)

    def pass_through(self, source, sink, count):
        sender = threading.Thread(target=source.sendall, args=(bytes(count),), daemon=True)
        sender.start()
        receive_exactly(sink, count)
        sender.join(support.WAIT)

    def test_it_joins_socket_files_too(self):
        echo = self.serve("echo", listen="unix:@penstock-relay-%d" % os.getpid())
        server = self.serve("relay", *self.options, "--to", echo.text)
        client = self.connect(server.address)

        client.sendall(b"hello")

        self.assertEqual(receive_exactly(client, 5), b"hello")

    def test_it_looks_names_up(self):
        listener = self.listen()
        server = self.serve("relay", *self.options, "--to", "localhost:%d" % listener.getsockname()[1])
        client = self.connect(server.address)

        client.sendall(b"hello")

        self.assertEqual(receive_exactly(self.accept(listener), 5), b"hello")

    def test_a_signal_ends_both_sides_cleanly(self):
        client, target, server = self.joined()
        client.sendall(b"x")
        receive_exactly(target, 1)

        self.assertEqual(server.stop(), 0)

        self.assertEqual(client.recv(1), b"")
        self.assertEqual(target.recv(1), b"")


class CountedRelay(Relay):
    """The same, as seen by `-v`, and what its line says."""

    options = ("-v",)

    def line_of(self, server):
        eventually(server.errors, "the line comes")
        self.assertEqual(len(server.error_lines()), 1)
        return server.errors()

    def test_the_line_tells_the_bytes_of_both_directions(self):
        client, target, server = self.joined()
        name = "%s:%d" % client.getsockname()
        client.sendall(b"question")
        receive_exactly(target, 8)
        target.sendall(b"answer")
        target.close()
        receive_all(client)

        client.close()

        self.assertEqual(
            self.line_of(server),
            f"penstock: {name} closed: 8 bytes in, 6 bytes out, finished cleanly\n",
        )

    def test_the_line_tells_which_side_broke(self):
        for broken, said in ((0, ", Connection reset"), (1, ", the target: Connection reset")):
            *ends, server = self.joined()
            ends[0].sendall(b"x")
            receive_exactly(ends[1], 1)
            reset(ends[broken])
            self.assertIn("1 bytes in, 0 bytes out" + said, self.line_of(server))

    def test_the_line_tells_that_the_target_could_not_be_had(self):
        listener = self.listen()
        address = "%s:%d" % listener.getsockname()
        listener.close()
        server = self.serve("relay", *self.options, "--to", address)

        with self.assertRaises(ConnectionResetError):  # By then, or while it still connects.
            self.connect(server.address).recv(1)

        self.assertIn(f"connecting to {address} failed: Connection refused", self.line_of(server))

    def test_a_limit_ends_both_sides_after_so_many_bytes_in_one_direction(self):
        client, target, _ = self.joined("--bytes-limit", "1000")
        target.sendall(b"hi")
        receive_exactly(client, 2)

        client.sendall(bytes(1500))

        self.assertEqual(receive_all(target), bytes(1000))
        self.assertEqual(client.recv(1), b"")


if __name__ == "__main__":
    support.main()
