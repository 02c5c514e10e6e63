"""What the sections share: a working folder with a DAG of quick stages, the program in it, and the bytes that must come out."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import satdl  # noqa: E402  (what the end-to-end tests share)

SHIM = satdl.BINARY / "libsatdl_shim.so"
MEMORY_SHIM = satdl.BINARY / "libsatdl_memory_shim.so"

# All kinds of calls in few milliseconds: artifacts, a table, checkpoints after each epoch.
SMALL = """\
name: small
params: {amount: 10}
stages:
  a: {kind: count_up, count: 600}
  b: {kind: add, in: {x: a.numbers}, amount: "${amount}"}
  trained: {kind: pretend, in: {x: b.numbers}, epochs: 4, milliseconds: 0, keep_all: true}
  other: {kind: pretend, in: {x: a.numbers}, epochs: 2, milliseconds: 0}
  verdict: {kind: against, in: {a: trained.metrics, b: other.metrics}}
"""
# The same with some time in it, to be killed in.
SLOW = SMALL.replace("name: small", "name: slow").replace("milliseconds: 0", "milliseconds: 20")


class Wrong(Exception):
    """A promise that was broken."""


class World:
    """A working folder, in memory where there is room: thousands of runs need wait for no disk."""

    def __init__(self, dag=SMALL, folder=None):
        memory = pathlib.Path("/dev/shm")
        above = memory if os.access(memory, os.W_OK) else None
        self._own = tempfile.TemporaryDirectory(prefix="satdl-reliability-", dir=above) if folder is None else None
        self.folder = pathlib.Path(self._own.name if folder is None else folder).resolve()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("SATDL_")}
        self.environment["SATDL_STAGES"] = str(satdl.SIMPLE)
        self.dag = self.write("dag.yaml", dag)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._own is not None:
            self._own.cleanup()

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def command(self, *arguments):
        return [str(satdl.BINARY / "satdl"), *map(str, arguments)]

    def begin(self, *arguments, shim=None, memory=None, dag=None):
        """Starts a run. `shim`, `memory`: the settings of the preloaded shim, SATDL_SHIM_ or SATDL_MEMORY_ left out; `dag`: another
        than the folder's own."""
        environment = dict(self.environment)
        if shim is not None:
            environment["LD_PRELOAD"] = str(SHIM)
            environment["SATDL_SHIM_ROOT"] = str(self.folder)
            environment.update({"SATDL_SHIM_" + name: str(value) for name, value in shim.items()})
        if memory is not None:
            environment["LD_PRELOAD"] = str(MEMORY_SHIM)
            environment.update({"SATDL_MEMORY_" + name: str(value) for name, value in memory.items()})
        return subprocess.Popen(self.command("run", dag or self.dag, *arguments), cwd=self.folder, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    def end(self, process, seconds=120):
        """Waits for a run: its exit code, and what it said."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Wrong("a run does not end")
        return process.returncode, out, err

    def run(self, *arguments, shim=None, memory=None):
        return self.end(self.begin(*arguments, shim=shim, memory=memory))

    def call(self, *arguments):
        """Another command: exit code, stdout, stderr."""
        done = subprocess.run(self.command(*arguments), cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              errors="replace", timeout=120)
        return done.returncode, done.stdout, done.stderr

    def objects(self, store=".satdl"):
        return {path.stem: path.read_bytes() for path in (self.folder / store / "objects").rglob("*.h5")}

    def files_in(self, name):
        folder = self.folder / ".satdl" / name
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def fresh(self):
        """Nothing but the DAG."""
        for name in (".satdl", "results"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def demand_clean(self, truth, *arguments):
        """Runs once more, without a fault: every result exists with the right bytes, without any repair by hand."""
        code, _, err = self.run("-q", *arguments)
        if code != 0:
            raise Wrong(f"the run after it fails with {code}: {err}")
        demand_objects(self.objects(), truth)
        if self.files_in("quarantine"):
            raise Wrong(f"something was damaged: {self.files_in('quarantine')}")
        for link in (self.folder / "results").rglob("*.h5"):
            if not link.exists():
                raise Wrong(f"a link leads nowhere: {link}")


def demand_objects(objects, truth):
    if objects != truth:
        missing, more = truth.keys() - objects.keys(), objects.keys() - truth.keys()
        other = [key[:12] for key in objects.keys() & truth.keys() if objects[key] != truth[key]]
        raise Wrong(f"the artifacts are not those of a clean run: {len(missing)} missing, {len(more)} more, other bytes: {other}")


def truth_of(dag, *arguments):
    """The artifacts of a clean run from nothing."""
    with World(dag) as world:
        code, _, err = world.run("-q", *arguments)
        if code != 0:
            raise Wrong(f"a clean run fails: {err}")
        return world.objects()


class Figures:
    """What was done, a row each: what, how often, outcome."""

    def __init__(self):
        self.rows = []

    def add(self, what, count, outcome):
        self.rows.append((what, count, outcome))
        print(f"{count:>8}  {what}: {outcome}", flush=True)
