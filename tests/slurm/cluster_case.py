"""satdl run on a real Slurm: what its tests share."""

import json
import os
import shutil
import signal
import stat
import subprocess
import threading

import satdl
from real_slurm import COMMANDS, RealSlurm

# A training of some seconds, with a checkpoint after every epoch.
LONG = """\
name: long
params: {{epochs: {epochs}}}
stages:
  a: {{kind: count_up}}
  long: {{kind: pretend, in: {{x: a.numbers}}, epochs: "${{epochs}}", milliseconds: {milliseconds}}}
"""


class Run:
    """A `satdl run --executor slurm` whose events come as it writes them."""

    def __init__(self, case, *arguments):
        self.case, self.events, self.changed = case, [], threading.Condition()
        with open(case.folder / "stderr", "ab") as errors:
            self.process = subprocess.Popen([satdl.BINARY / "satdl", "run", *map(str, arguments), "--executor", "slurm", "--json"],
                                            cwd=case.folder, env=case.environment, stdout=subprocess.PIPE, stderr=errors)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        case.addCleanup(self.end)

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def until(self, name, stage, count=1, seconds=90):
        """The events of this name and stage, once there are so many."""
        def found():
            return [event for event in self.events if event["event"] == name and event.get("stage") == stage]
        with self.changed:
            done = self.changed.wait_for(lambda: len(found()) >= count, seconds)
        self.case.assertTrue(done, f"no {name} of {stage}: {self.events} {(self.case.folder / 'stderr').read_text()}")
        return found()

    def finish(self, code=0, seconds=150):
        """Its events to the end."""
        self.process.wait(seconds)
        self.reader.join()
        self.case.assertEqual(self.process.returncode, code, f"{self.events[-20:]}\n{(self.case.folder / 'stderr').read_text()}")
        return self.events

    def outcomes(self, code=0):
        return {event["stage"]: event for event in self.finish(code) if event["event"] == "stage"}


class ClusterCase(satdl.Case):
    """A test with the class's Slurm, whose calls are counted."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.slurm = cls.enterClassContext(RealSlurm(**cls.options))
        cls.calls = cls.slurm.root / "calls"
        counting = cls.slurm.root / "bin"
        counting.mkdir()
        for name in COMMANDS:
            program = counting / name
            program.write_text(f'#!/bin/sh\necho {name} >>{cls.calls}\nexec {shutil.which(name)} "$@"\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def setUp(self):
        super().setUp()
        self.environment = self.slurm.environment(self.environment)
        self.environment["PATH"] = f"{self.slurm.root / 'bin'}:{self.environment['PATH']}"
        self.addCleanup(self.end_jobs)
        self.slurm.wait_for_nodes()

    def end_jobs(self):
        self.slurm.call("scancel", "-u", str(os.getuid()))
        self.slurm.wait_until(lambda: not self.slurm.call("squeue", "-h", "-t", "running,completing"), "the end of all jobs")

    def artifacts(self, store=".satdl"):
        return {path.name: path.read_bytes() for path in (self.folder / store).glob("objects/*/*.h5")}

    def assert_as_locally(self, dag, *arguments):
        """The store has what a run without jobs computes, byte for byte."""
        self.call("run", dag, *arguments, "--executor", "local", "--store", "alone", "-q")
        self.assertEqual(self.artifacts().keys(), self.artifacts("alone").keys())
        self.assertEqual(self.artifacts(), self.artifacts("alone"))

    def job_of(self, event):
        """The id of the job in "job 4711 on n2"."""
        return event["where"].split()[1]

    def jobs(self):
        """How many jobs there have been."""
        return len(self.slurm.call("squeue", "-h", "-r", "-t", "all").splitlines())

    def long_dag(self, epochs=20, milliseconds=300):
        return self.write("long.yaml", LONG.format(epochs=epochs, milliseconds=milliseconds))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
