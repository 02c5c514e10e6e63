"""satdl run with stages as jobs of a scripted Slurm: the same results as on this machine, and what is seen of it."""

import json
import unittest

from scripted_slurm import ScriptedSlurm
import satdl


class RunJobs(satdl.Case):
    def setUp(self):
        super().setUp()
        self.slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder())))
        self.environment = self.slurm.environment(self.environment)

    def artifacts(self, store):
        return {path.name: path.read_bytes() for path in (self.folder / store).glob("objects/*/*.h5")}

    def test_the_whole_dag_as_jobs_has_the_same_bytes(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "--store", "local")
        events = self.events(dag, "--executor", "slurm", "--store", "jobs")
        ends = {event["stage"]: event for event in events if event["event"] == "stage"}
        self.assertEqual({name: end["outcome"] for name, end in ends.items()}, dict.fromkeys(satdl.STAGES, "ran"))
        self.assertRegex(ends["a"]["where"], r"^job \d+(_\d+)? on n[12]$")
        self.assertEqual(ends["a"]["jobs"], 1)
        self.assertGreaterEqual(ends["a"]["queued_seconds"], 0)
        started = {event["stage"]: event for event in events if event["event"] == "stage_started"}
        self.assertEqual(started["a"]["where"], ends["a"]["where"])
        self.assertIn("stage_queued", {event["event"] for event in events})
        self.assertEqual(self.artifacts("jobs"), self.artifacts("local"))
        self.assertEqual(set(self.outcomes(dag, "--store", "jobs").values()), {"reused"})
        self.call("report", "--store", "jobs", "-o", "report.html")
        self.assertIn("on n", (self.folder / "report.html").read_text())

    def test_the_points_of_a_sweep_are_jobs_too(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "--sweep", "--store", "local")
        self.call("run", dag, "--sweep", "--executor", "slurm", "--store", "jobs")
        self.assertEqual(self.artifacts("jobs"), self.artifacts("local"))

    def test_a_stage_that_fails_fails_the_run_with_its_own_words(self):
        dag = self.write("quick.yaml", "stages:\n  a: {kind: count_up}\n  b: {kind: fail, in: {y: a.numbers}}\n")
        self.call("run", dag, "--executor", "slurm", code=1)
        self.assertIn("stage b (fail", self.err)

    def test_an_executor_of_the_settings_file_says_where(self):
        self.environment["XDG_CONFIG_HOME"] = str(self.folder / "config")
        self.write("config/satdl/settings.yaml", "executors: {lab: {type: slurm, cpus: 2, extra: [--exclusive]}}\n")
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "a", "--executor", "lab")
        argv = next(argv for _, name, argv in self.slurm.calls if name == "sbatch" and "--exclusive" in argv)
        self.assertTrue(any("cpus-per-task" in one or one == "-c" for one in argv), argv)
        self.call("run", dag, "a", "--executor", "lap", code=2)
        self.assertIn("there is no executor 'lap'", self.err)
        self.assertIn("did you mean 'lab'?", self.err)
        self.write("config/satdl/settings.yaml", "executor: {}\n")
        self.call("run", dag, "a", code=2)
        self.assertIn("settings.yaml:1:1: error: a settings file has no section 'executor'", self.err)


if __name__ == "__main__":
    unittest.main()
