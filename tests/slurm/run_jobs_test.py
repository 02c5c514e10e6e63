"""satdl run with stages as jobs of a scripted Slurm: the same results as on this machine, and what is seen of it."""

import unittest

from run_scenarios import RunScenarios
from scripted_slurm import ScriptedSlurm
import satdl


class RunJobs(RunScenarios, satdl.Case):
    def setUp(self):
        super().setUp()
        self.slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder())))
        self.environment = self.slurm.environment(self.environment)

    def test_the_points_of_a_sweep_are_jobs_too(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "--sweep", "--store", "local")
        self.call("run", dag, "--sweep", "--executor", "slurm")
        self.assertEqual(self.artifacts(), self.artifacts("local"))

    def test_a_stage_that_fails_fails_the_run_with_its_own_words(self):
        dag = self.write("quick.yaml", "stages:\n  a: {kind: count_up}\n  b: {kind: fail, in: {y: a.numbers}, message: the file is empty}\n")
        self.call("run", dag, "--executor", "slurm", code=1)
        self.assertIn("stage b (fail", self.err)
        self.assertIn("the file is empty", self.err)

    def test_jobs_read_what_only_a_remote_had_and_their_results_go_there(self):
        dag = self.write("chain.yaml", """stages:
  a: {kind: count_up}
  b: {kind: add, in: {x: a.numbers}, amount: 2}
  c: {kind: sign, in: {x: b.numbers}}
""")
        cache = self.folder / "cache"
        cache.mkdir(mode=0o700)
        self.call("run", dag, "b", "--store", "first", "--remote", cache)
        self.call("run", dag, "--executor", "slurm", "--remote", cache)
        self.assertIn("1 ran, 2 reused", self.out)
        self.call("run", dag, "--store", "third", "--remote", cache)
        self.assertIn("3 reused", self.out)
        self.call("run", dag, "--store", "local")
        self.assertEqual(self.artifacts(), self.artifacts("local"))

    def test_what_slurm_never_takes_ends_the_run_with_its_words(self):
        dag = self.write("quick.yaml", satdl.DAG.replace("stages:", "defaults: {\"*\": {executor: slurm, resources: {partition: nowhere}}}\nstages:"))
        self.call("run", dag, code=2)
        self.assertIn("nvalid partition", self.err)

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
