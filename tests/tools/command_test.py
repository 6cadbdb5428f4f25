#!/usr/bin/env python3
"""The command line itself: help, version, mistakes, and `penstock doctor`."""

import json
import os
import signal
import socket
import tempfile
import unittest

import support
from support import ToolTest, run


class CommandLine(ToolTest):
    def assertOneLine(self, result, *words):
        """One line on stderr, by name and with `words`, nothing on stdout, exit status 2."""
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("penstock: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, 2)

    def test_version_names_the_program_and_its_number(self):
        result = run("--version")

        self.assertRegex(result.stdout, r"\Apenstock \d+\.\d+\.\d+\n\Z")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_help_lists_every_subcommand(self):
        result = run("--help")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for name in ("echo", "discard", "chargen", "relay", "doctor"):
            self.assertRegex(result.stdout, rf"(?m)^  {name} ")

    def test_help_of_a_subcommand_lists_its_options(self):
        result = run("relay", "--help")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for option in ("--listen", "--to", "--backend", "--bytes-limit", "--drain-limit", "-v"):
            self.assertIn(option, result.stdout)

    def test_no_subcommand_is_a_mistake(self):
        self.assertOneLine(run(), "command is missing", "penstock --help")

    def test_an_unknown_subcommand_is_named(self):
        self.assertOneLine(run("ehco", "--listen", "127.0.0.1:0"), "ehco", "penstock --help")

    def test_an_option_in_place_of_a_command_is_named(self):
        self.assertOneLine(run("--listen", "127.0.0.1:0"), "'--listen'", "command", "--help")

    def test_an_unknown_option_is_named(self):
        self.assertOneLine(run("echo", "--listen", "127.0.0.1:0", "--lisen", "x"), "--lisen")

    def test_an_unknown_option_is_named_rather_than_the_one_that_was_meant(self):
        self.assertOneLine(run("echo", "--lisen", "127.0.0.1:0"), "--lisen", "penstock echo --help")

    def test_the_option_of_a_bad_place_is_named(self):
        for place in ("", "80", "unix:", "::1:80", "127.0.0.1:http", "192.0.2.1:0"):
            self.assertOneLine(run("echo", "--listen", place), "penstock: --listen: ", place)
        target = run("relay", "--listen", "127.0.0.1:0", "--to", "80")
        self.assertOneLine(target, "penstock: --to: ", "80")

    def test_a_long_mistake_is_not_repeated_whole(self):
        long = "x" * 100_000
        for arguments in (
            (long,),
            ("--" + long,),
            ("echo", "--" + long),
            ("echo", "--listen", long),
            ("echo", "--listen", "unix:" + long),
            ("echo", "--listen", "127.0.0.1:0", long),
            ("echo", "--listen", "127.0.0.1:0", "--bytes-limit", long),
            ("echo", "--listen", "127.0.0.1:0", "--backend", long),
            ("relay", "--listen", "127.0.0.1:0", "--to", long + ":80"),
        ):
            result = run(*arguments)
            self.assertOneLine(result, "xxx")
            self.assertLess(len(result.stderr), 700)

    def test_what_is_wrong_with_a_long_mistake_is_told(self):
        place = run("echo", "--listen", "x" * 100_000 + ":70000")
        limit = run("echo", "--listen", "127.0.0.1:0", "--bytes-limit", "9" * 100_000)

        self.assertOneLine(place, "--listen", "from 0 to 65535")
        self.assertOneLine(limit, "--bytes-limit", "is no number of bytes above 0")

    def test_characters_that_are_cut_are_left_whole(self):
        result = run("echo", "--listen", "€" * 1000)  # Three bytes each.

        self.assertOneLine(result, "€€€", "expected HOST:PORT")
        self.assertLess(len(result.stderr), 700)

    def test_control_characters_of_a_mistake_are_shown_not_sent(self):
        result = run("echo", "--listen", "a\nb\x1b[2J:80")

        self.assertOneLine(result, r"a\nb\x1b[2J:80", "expected HOST:PORT")

    def test_a_missing_option_is_named(self):
        self.assertOneLine(run("echo"), "--listen")
        self.assertOneLine(run("relay", "--listen", "127.0.0.1:0"), "--to")

    def test_an_address_in_use_is_named(self):
        listener = self.listen()
        address = "127.0.0.1:%d" % listener.getsockname()[1]

        self.assertOneLine(run("echo", "--listen", address), address, "in use")

    def test_a_socket_file_in_use_is_named(self):
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as other:
            path = os.path.join(directory, "socket")
            other.bind(path)
            other.listen()

            self.assertOneLine(run("echo", "--listen", "unix:" + path), path, "in use")

    def test_an_address_of_another_machine_is_named(self):
        self.assertOneLine(run("echo", "--listen", "192.0.2.1:0"), "192.0.2.1")

    def test_a_port_out_of_range_is_named(self):
        for port in ("65536", "99999999999999999999", "-1", "http", ""):
            self.assertOneLine(run("echo", "--listen", "127.0.0.1:" + port), "127.0.0.1:" + port)
            target = run("relay", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:" + port)
            self.assertOneLine(target, "127.0.0.1:" + port)

    def test_an_address_without_a_port_is_named(self):
        self.assertOneLine(run("echo", "--listen", "localhost"), "localhost")

    def test_a_target_without_a_host_or_port_number_is_named(self):
        for target in (":80", "127.0.0.1:0"):
            self.assertOneLine(run("relay", "--listen", "127.0.0.1:0", "--to", target), target)

    def test_an_unresolvable_name_is_named(self):
        self.assertOneLine(run("echo", "--listen", "no-such-host.invalid:80"), "no-such-host")
        target = run("relay", "--listen", "127.0.0.1:0", "--to", "no-such-host.invalid:80")
        self.assertOneLine(target, "no-such-host.invalid")

    def test_an_unknown_backend_is_named_with_those_there_are(self):
        result = run("echo", "--listen", "127.0.0.1:0", "--backend", "kqueue")

        self.assertOneLine(result, "--backend", "kqueue", "uring", "epoll", "auto")

    def test_an_unknown_backend_in_the_environment_is_named(self):
        result = run("echo", "--listen", "127.0.0.1:0", environment={"PENSTOCK_BACKEND": "poll"})

        self.assertOneLine(result, "'poll'")

    def test_limits_that_are_no_numbers_are_named(self):
        for limit in ("0", "-5", "many", "1.5", "1e3", "0x10", "", str(1 << 64)):
            result = run("echo", "--listen", "127.0.0.1:0", "--bytes-limit", limit)
            self.assertOneLine(result, "--bytes-limit", "'" + limit + "'")
            self.assertLess(len(result.stderr), 100)
        for limit in ("-1", "nan", "inf", "soon", "86401"):
            result = run("echo", "--listen", "127.0.0.1:0", "--drain-limit", limit)
            self.assertOneLine(result, "--drain-limit", "'" + limit + "'")
            self.assertLess(len(result.stderr), 100)


    def test_a_backend_that_is_named_wins_over_the_environment(self):
        for named in ("epoll", os.environ.get("PENSTOCK_BACKEND", "epoll")):
            for variable in ("epoll", "poll"):
                server = self.serve("echo", "--backend", named,
                                    environment={"PENSTOCK_BACKEND": variable})
                self.assertEqual(server.backend, named)

    def test_what_a_mistake_repeats_is_cut_and_escaped(self):
        for argument in ("x" * 100_000, "unix:" + "y" * 100_000, "a\nb\x1b[2Jc"):
            for arguments in (("echo", "--listen", argument), ("echo", argument), (argument,),
                              ("echo", "--listen", "127.0.0.1:0", "--backend", argument)):
                result = run(*arguments)
                self.assertOneLine(result)
                self.assertLess(len(result.stderr), 700)
                self.assertNotIn("\x1b", result.stderr)


class Signals(ToolTest):
    def test_an_interrupt_that_was_ignored_at_the_start_stays_ignored(self):
        server = self.serve("echo", prepare=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        with socket.create_connection(server.address) as client:
            server.process.send_signal(signal.SIGINT)
            for _ in range(3):  # Each round trip is a turn that could have heard of it.
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")

        self.assertIsNone(server.process.poll())


class Doctor(ToolTest):
    def test_it_tells_the_kernel_the_choice_and_each_capability(self):
        result = run("doctor")

        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for word in (os.uname().release, "backend", "locked memory limit", "io_uring_disabled"):
            self.assertIn(word, result.stdout)
        self.assertRegex(result.stdout, r"(?m)^  works +epoll ")

    def test_its_json_says_what_its_text_says(self):
        text = run("doctor").stdout
        found = json.loads(run("doctor", "--json").stdout)

        self.assertEqual(found["kernel"]["release"], os.uname().release)
        self.assertIn(f"{found['backend']['chosen']}: {found['backend']['why']}", text)
        self.assertGreater(len(found["capabilities"]), 1)
        for capability in found["capabilities"]:
            word = "works" if capability["works"] else "missing"
            self.assertRegex(text, rf"(?m)^  {word} +{capability['name']} +{capability['use']}$")

    def test_the_backend_asked_for_is_the_one_chosen_and_served(self):
        asked = os.environ.get("PENSTOCK_BACKEND", "auto")
        chosen = json.loads(run("doctor", "--json").stdout)["backend"]["chosen"]

        server = self.serve("echo")

        self.assertEqual(server.backend, chosen)
        if asked != "auto":
            self.assertEqual(chosen, asked)

    def test_a_bad_name_in_the_environment_is_one_line(self):
        result = run("doctor", environment={"PENSTOCK_BACKEND": "poll"})

        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"\Apenstock: [^\n]*'poll'[^\n]*\n\Z")


if __name__ == "__main__":
    support.main()
