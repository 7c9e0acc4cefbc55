"""What the stack must never do, and what it must say."""

import os
import signal
import socket
import subprocess
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from stackctl import pieces, process, steps
from stackctl.layout import Stack, Trouble, chosen_base, remembered


def program(name="sleeper", ports=()):
    return process.Program(name, ["sleep", "60"], "/", list(ports), "http://127.0.0.1:1/", "nowhere")


class StackTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.stack = Stack(Path(directory.name), 20000)
        self.stack.write()

    def launch(self):
        record, child = process.launch(self.stack, program())
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return record

    def test_what_was_started_is_recorded_and_ended(self):
        record = self.launch()
        self.assertEqual((self.stack.run / "sleeper.pid").read_text(), f"{record.pid}\n")
        self.assertTrue(process.read(self.stack, "sleeper").alive())
        steps.down(self.stack, quiet=True)
        self.assertFalse(record.alive())
        self.assertEqual(process.records(self.stack), [])

    def test_a_pid_that_went_to_another_program_is_left_alone(self):
        record = self.launch()
        boot, ticks = record.started.split()
        for started in (f"{boot} {int(ticks) - 1}", f"another-boot {ticks}", None):
            other = replace(record, started=started)
            self.assertFalse(other.alive())
            self.assertEqual(process.stop(other), "was not running")
        self.assertTrue(record.alive())

    def test_a_killed_program_is_seen_as_dead_even_before_it_is_collected(self):
        record = self.launch()
        os.kill(record.pid, signal.SIGKILL)
        self.assertTrue(process._gone(record, 5.0))

    def test_a_taken_port_names_its_holder_and_the_way_out(self):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            with self.assertRaises(Trouble) as trouble:
                process.require_ports(program(ports=[port]))
        self.assertIn(f"port {port} is taken by pid {os.getpid()}", str(trouble.exception))
        self.assertIn("WEFT_PORT_BASE=", str(trouble.exception))

    def test_the_env_file_can_be_read_by_a_shell_and_the_base_is_remembered(self):
        command = ["bash", "-c", f"set -eu; . {self.stack.env_file}; echo $WEFT_KAFKA__BOOTSTRAP"]
        environment = {"PATH": os.environ["PATH"]}
        read = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        self.assertEqual(read.stdout.strip(), self.stack.environment()["WEFT_KAFKA__BOOTSTRAP"])
        self.assertEqual(remembered(self.stack.directory), self.stack)

    def test_secrets_stay_as_long_as_the_directory(self):
        first = self.stack.environment()["WEFT_KEY_SECRET"]
        self.assertEqual(self.stack.environment()["WEFT_KEY_SECRET"], first)
        self.assertEqual((self.stack.directory / "key.secret").stat().st_mode & 0o777, 0o600)

    def test_what_services_keep_on_disk_lies_with_the_rest_of_the_stack(self):
        environment = self.stack.environment()
        for name in ("WEFT_INGEST__SPOOL_DIRECTORY", "WEFT_KAFKA__STATE_DIR"):
            self.assertTrue(environment[name].startswith(str(self.stack.directory.absolute())))

    def test_no_cluster_id_looks_like_an_option(self):
        throws = iter([b"\xf8" + bytes(15), b"\x04" + bytes(15)])
        self.assertEqual(pieces.random_uuid(lambda: next(throws)), "BA" + "A" * 20)

    def test_a_base_without_room_for_the_ports_is_refused(self):
        for base in ("80", "65500", "many"):
            with self.assertRaises(Trouble):
                chosen_base(base)
        self.assertEqual(chosen_base("21000"), 21000)


if __name__ == "__main__":
    unittest.main()
