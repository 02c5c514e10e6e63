"""What `satdl run` must do with any Slurm, scripted or real: each scenario is a test of both."""

import json
import signal
import subprocess
import time

import satdl

LONG = """\
name: long
stages:
  a: {kind: count_up, executor: local}
  long: {kind: pretend, in: {x: a.numbers}, epochs: 20, milliseconds: 150, executor: slurm}
  after: {kind: against, in: {a: long.metrics, b: long.metrics}, executor: slurm}
"""


class RunScenarios:
    """Mixed into a satdl.Case whose environment leads to a Slurm of two nodes, n1 and n2."""

    def artifacts(self, store=".satdl"):
        return {path.name: path.read_bytes() for path in (self.folder / store).glob("objects/*/*.h5")}

    def jobs(self):
        """The folders of jobs, by their names."""
        return {path.name: path for path in self.folder.glob(".satdl/runs/*/jobs/b*")}

    def begin(self, *arguments):
        """A run that goes on until the stage `long` is under way in its job."""
        run = subprocess.Popen([satdl.BINARY / "satdl", "run", *map(str, arguments)], cwd=self.folder, env=self.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(run.communicate, timeout=60)
        self.addCleanup(run.kill)
        end = time.monotonic() + 60
        while not any('"progress"' in path.read_text() for path in self.folder.glob(".satdl/runs/*/jobs/*/events.jsonl")):
            self.assertTrue(time.monotonic() < end and run.poll() is None, "no job has begun")
            time.sleep(0.02)
        return run

    def test_the_whole_dag_as_jobs_has_the_same_bytes(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "--store", "local")
        events = self.events(dag, "--executor", "slurm")
        ends = {event["stage"]: event for event in events if event["event"] == "stage"}
        self.assertEqual({name: end["outcome"] for name, end in ends.items()}, dict.fromkeys(satdl.STAGES, "ran"))
        self.assertRegex(ends["a"]["where"], r"^job \d+(_\d+)? on n[12]$")
        self.assertEqual(ends["a"]["jobs"], 1)
        self.assertGreaterEqual(ends["a"]["queued_seconds"], 0)
        started = {event["stage"]: event for event in events if event["event"] == "stage_started"}
        self.assertEqual(started["a"]["where"], ends["a"]["where"])
        self.assertIn("stage_queued", {event["event"] for event in events})
        self.assertEqual(self.artifacts(), self.artifacts("local"))
        self.assertEqual(set(self.outcomes(dag).values()), {"reused"})
        self.call("report", "-o", "report.html")
        self.assertIn(ends["a"]["where"], (self.folder / "report.html").read_text())

    def test_a_run_takes_over_the_jobs_of_one_that_was_killed(self):
        dag = self.write("long.yaml", LONG)
        first = self.begin(dag)
        first.kill()
        first.wait(60)
        outcomes = self.outcomes(dag)
        self.assertEqual(outcomes, {"a": "reused", "long": "ran", "after": "ran"})
        self.assertEqual(len(self.jobs()), 2, "the job of `long` was submitted again")

    def test_a_run_that_is_interrupted_leaves_checkpoints_and_the_next_one_ends_with_the_same_bytes(self):
        dag = self.write("long.yaml", LONG)
        first = self.begin(dag)
        first.send_signal(signal.SIGINT)
        self.assertEqual(first.wait(120), 130)
        [end] = [json.loads((job / "end.json").read_text()) for job in self.jobs().values()]
        self.assertEqual([node["outcome"] for node in end["nodes"]], ["continued"])
        self.assertEqual(self.outcomes(dag)["after"], "ran")
        self.call("run", dag, "--executor", "local", "--store", "local")
        self.assertEqual(self.artifacts(), self.artifacts("local"))

    def test_a_forced_stage_is_computed_again_in_a_job(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "b", "--executor", "slurm")
        before = self.artifacts()
        self.assertEqual(self.outcomes(dag, "b", "-f", "--executor", "slurm"), {"a": "reused", "b": "ran"})
        self.assertEqual(self.artifacts(), before)
