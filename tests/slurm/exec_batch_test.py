"""satdl exec-batch, called by hand on what a run gave to a scripted Slurm that never starts a job."""

import json
import signal
import subprocess
import time
import unittest

from scripted_slurm import ScriptedSlurm
import satdl

DAG = """\
name: jobs
params: {amount: 10}
defaults: {"*": {executor: slurm}}
stages:
  a: {kind: count_up, executor: local}
  b: {kind: add, in: {x: a.numbers}, amount: "${amount}"}
"""
LONG = """\
name: long
stages:
  a: {kind: count_up, executor: local}
  long: {kind: pretend, in: {x: a.numbers}, epochs: 20, milliseconds: 150, executor: slurm}
"""


class ExecBatch(satdl.Case):
    def setUp(self):
        super().setUp()
        slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder()), run_jobs=False, duration=lambda job: 1e9))
        self.environment = slurm.environment(self.environment)

    def spec_of(self, dag, *arguments):
        """Submits the DAG's stages, kills the run, and returns the first job's spec.json."""
        run = subprocess.Popen([satdl.BINARY / "satdl", "run", dag, *arguments], cwd=self.folder, env=self.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            while not (found := [path for path in self.folder.glob(".satdl/runs/*/jobs/*/spec.json") if path.read_text().endswith("\n")]):
                self.assertTrue(time.monotonic() < end and run.poll() is None, "no job was submitted")
                time.sleep(0.02)
        finally:
            run.kill()
            run.wait(60)
        return found[0]

    def end(self, spec):
        return json.loads((spec.parent / "end.json").read_text())

    def test_a_job_runs_its_stages_and_a_second_one_has_nothing_to_do(self):
        dag = self.write("jobs.yaml", DAG)
        spec = self.spec_of(dag)
        self.call("exec-batch", spec.parent)
        self.assertEqual(self.end(spec)["refusal"], "none")
        self.assertEqual([node["outcome"] for node in self.end(spec)["nodes"]], ["ran"])
        events = [json.loads(line)["event"] for line in (spec.parent / "events.jsonl").read_text().splitlines()]
        self.assertEqual([events[0], events[-1]], ["started", "ended"])
        self.assertEqual(json.loads((spec.parent / "begin.json").read_text())["restart"], 0)
        self.assertEqual(len(list(self.folder.glob(".satdl/runs/*/events.jsonl"))), 1)  # the controller's
        self.call("exec-batch", spec.parent)
        self.assertEqual([node["seconds"] for node in self.end(spec)["nodes"]], [0])
        self.assertEqual(self.outcomes(dag, "--executor", "local"), {"a": "reused", "b": "reused"})

    def test_a_dag_file_that_has_changed_is_refused(self):
        dag = self.write("jobs.yaml", DAG)
        spec = self.spec_of(dag)
        self.write("jobs.yaml", DAG.replace("amount: 10", "amount: 11"))
        self.call("exec-batch", spec.parent, code=2)
        self.assertIn("the key of stage b is not the one of the run", self.err)
        self.assertEqual(self.end(spec)["refusal"], "run")
        self.write("jobs.yaml", DAG.replace("  b:", "  bb:"))
        self.call("exec-batch", spec.parent, code=2)
        self.assertIn("there is no stage b", self.err)

    def test_a_machine_without_the_gpu_of_the_plan_is_refused(self):
        dag = self.write("gpu.yaml", "executors: {gpu: {type: slurm, gpus: 1, machine: {gpu: {name: H1, numerics: \"9.0\", bf16: true}}}}\n" +
                         LONG.replace("executor: slurm", "executor: gpu, device: cuda"))
        spec = self.spec_of(dag)
        self.call("exec-batch", spec.parent, code=2)
        self.assertIn("has no GPU for stage long", self.err)
        self.assertEqual(self.end(spec)["refusal"], "machine")

    def test_a_signal_stops_a_job_with_a_checkpoint_and_the_next_one_ends_with_the_same_bytes(self):
        dag = self.write("long.yaml", LONG)
        spec = self.spec_of(dag)
        job = subprocess.Popen([satdl.BINARY / "satdl", "exec-batch", spec.parent], cwd=self.folder, env=self.environment)
        self.addCleanup(job.wait, 60)
        self.addCleanup(job.kill)
        end = time.monotonic() + 60
        while "progress" not in (spec.parent / "events.jsonl").read_text() if (spec.parent / "events.jsonl").exists() else True:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        job.send_signal(signal.SIGUSR1)
        job.send_signal(signal.SIGTERM)  # as Slurm does at the limit
        self.assertEqual(job.wait(60), 0)
        [stopped] = self.end(spec)["nodes"]
        self.assertEqual(stopped["outcome"], "continued")
        self.assertIn("epoch", stopped["position"])
        self.call("exec-batch", spec.parent)
        self.assertEqual([node["outcome"] for node in self.end(spec)["nodes"]], ["ran"])
        self.call("run", dag, "--executor", "local", "--store", "alone")
        for here in self.folder.glob(".satdl/objects/*/*.h5"):
            self.assertEqual(here.read_bytes(), (self.folder / "alone" / here.relative_to(self.folder / ".satdl")).read_bytes())

    def test_without_its_files_it_says_what_is_missing(self):
        self.call("exec-batch", "nowhere", code=3)
        self.assertIn("nowhere/spec.json", self.err)


if __name__ == "__main__":
    unittest.main()
