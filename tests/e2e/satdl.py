"""What the end-to-end tests share: a folder of their own, the program, a DAG of quick stages."""

import json
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import termios
import unittest

BINARY = pathlib.Path(os.environ["SATDL_BINARY_DIR"])
SOURCE = pathlib.Path(os.environ["SATDL_SOURCE_DIR"])
SIMPLE = BINARY / "libsimple_stages.so"
WILD = BINARY / "libwild_stages.so"

# a -> b -> signs -> trained_a ┐
#      └─> c ──────> trained_b ┴> verdict
DAG = """\
name: quick
params: {first: 1, amount: 10, epochs: 2}
profiles: {long: {epochs: 5}}
sweep: {amount: [1, 2]}
stages:
  a: {kind: count_up, first: "${first}"}
  b: {kind: add, in: {x: a.numbers}, amount: "${amount}"}
  signs: {kind: sign, in: {x: b.numbers}}
  c: {kind: add, in: {x: b.numbers, y: a.numbers}}
  trained_a: {kind: pretend, in: {x: signs.numbers}, epochs: "${epochs}"}
  trained_b: {kind: pretend, in: {x: c.numbers}, epochs: "${epochs}"}
  verdict: {kind: against, in: {a: trained_a.metrics, b: trained_b.metrics}}
"""
STAGES = ["a", "b", "signs", "c", "trained_a", "trained_b", "verdict"]

def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="satdl-e2e-")


CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")


class Case(unittest.TestCase):
    """A test with a folder of its own, in which the program runs."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(temporary_folder()))
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("SATDL_")}
        self.environment["SATDL_STAGES"] = str(SIMPLE)
        self.environment["XDG_CONFIG_HOME"] = str(self.folder / "config")  # without the settings and keys of whoever runs the tests

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *arguments, program="satdl", code=0):
        """Runs the program, demands its exit code, and that nothing it prints could harm a terminal."""
        self.call_any(*arguments, program=program, codes=[code])
        return self.out

    def call_any(self, *arguments, program="satdl", codes=range(4)):
        """As call(), if the program ends with one of these: its exit code. By default: in whatever way, but by itself."""
        done = subprocess.run([BINARY / program, *map(str, arguments)], cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        text = f"{arguments}\n{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
        self.assertIn(done.returncode, codes, text)
        self.assertIsNone(CONTROL.search(done.stdout + done.stderr), text)
        self.out, self.err = done.stdout.decode(), done.stderr.decode()
        return done.returncode

    def events(self, *arguments, code=0):
        """The events of a run with --json."""
        return [json.loads(line) for line in self.call("run", *arguments, "--json", code=code).splitlines()]

    def outcomes(self, *arguments, code=0):
        """Stage -> outcome of a run."""
        events = self.events(*arguments, code=code)
        return {event["stage"]: event["outcome"] for event in events if event["event"] == "stage"}

    def ran(self, *arguments, code=0):
        """The stages that ran; all others of the run were reused."""
        outcomes = self.outcomes(*arguments, code=code)
        self.assertLessEqual(set(outcomes.values()), {"ran", "reused"}, outcomes)
        return {stage for stage, outcome in outcomes.items() if outcome == "ran"}

    def signalled(self, number, *arguments, epochs=1):
        """A run that is sent a signal once its stages have reported so many epochs: its exit code and its events."""
        process = subprocess.Popen([BINARY / "satdl", "run", *map(str, arguments), "--json"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = []
        while sum('"event":"epoch"' in line for line in lines) < epochs:
            self.assertTrue(select.select([process.stdout], [], [], 60)[0])
            lines.append(process.stdout.readline().decode())
            self.assertTrue(lines[-1], "the run ended before its first epoch did")
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        return process.returncode, [json.loads(line) for line in (*lines, *out.decode().splitlines())]

    def document(self, *arguments, code=0):
        """What a command prints with --json."""
        return json.loads(self.call(*arguments, "--json", code=code))

    def in_terminal(self, *arguments, environment=None, columns=80, code=0):
        """What the program writes on a terminal."""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        process = subprocess.Popen([BINARY / "satdl", *map(str, arguments)], cwd=self.folder, stdout=slave,
                                   stderr=slave, env={**self.environment, "TERM": "xterm", **(environment or {})})
        os.close(slave)
        written = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux says EIO where the other end is closed
                break
            if not piece:
                break
            written += piece
        os.close(master)
        self.assertEqual(process.wait(), code, written.decode(errors="replace"))
        return written.decode()

    def assert_fits(self, columns, *arguments, code=0):
        """On a terminal of this width no line is longer, save for a digest, which stays whole to be copied."""
        written = self.in_terminal(*arguments, columns=columns, environment={"NO_COLOR": "1"}, code=code)
        lines = re.sub(r"\x1b\[\d*[A-Za-z]|\r", "", written).split("\n")
        self.assertGreater(len(lines), 1)
        self.assertEqual([line for line in lines if len(line) > columns and not re.search("[0-9a-f]{64}", line)], [], arguments)

    def objects(self, store=".satdl"):
        """Key -> bytes of every artifact."""
        return {path.stem: path.read_bytes() for path in (self.folder / store / "objects").rglob("*.h5")}

    def let_sanitizers(self, *options):
        """Where the program is built with AddressSanitizer: in addition to what the caller has set."""
        given = self.environment.get("ASAN_OPTIONS")
        self.environment["ASAN_OPTIONS"] = ":".join([*([given] if given else []), *options])
