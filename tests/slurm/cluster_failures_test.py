"""Runs on Debian's Slurm in which something dies: the results are those of a run on this machine, to the byte."""

import os
import signal
import time
import unittest

from cluster_case import ClusterCase, Run, kill


class Failures(ClusterCase):
    options = {"nodes": 2, "cpus": 16, "memory_mb": 16000}
    checkpoints = ("--checkpoint-every", "0")

    def test_a_node_dies_and_slurm_restarts_the_job_which_resumes(self):
        dag = self.long_dag(epochs=20)
        run = Run(self, dag, *self.checkpoints)
        run.until("epoch", "long", count=3)
        [started] = run.until("stage_started", "long")
        node = started["where"].split()[-1]
        self.slurm.kill(node)
        ends = run.outcomes()
        self.slurm.start(node)
        self.assertEqual((ends["long"]["outcome"], ends["long"]["jobs"]), ("ran", 1))
        self.assertEqual(ends["long"]["where"].split()[-1], "n2" if node == "n1" else "n1")
        self.assert_as_locally(dag)

    def test_a_jobs_processes_are_killed_and_another_job_resumes(self):
        dag = self.long_dag()
        run = Run(self, dag, *self.checkpoints)
        [first] = run.until("stage_started", "long")
        run.until("epoch", "long", count=3)
        for pid in self.slurm.job_processes(self.job_of(first)):
            kill(pid)
        again = run.until("stage_started", "long", count=2)[1]
        self.assertNotEqual(again["where"], first["where"])
        self.assertEqual(run.outcomes()["long"]["jobs"], 2)
        self.assert_as_locally(dag)

    def test_the_run_is_killed_and_the_next_one_takes_its_job_over(self):
        dag = self.long_dag()
        run = Run(self, dag, *self.checkpoints)
        [first] = run.until("stage_started", "long")
        run.until("epoch", "long", count=2)
        before = self.jobs()
        run.end()
        after = Run(self, dag, *self.checkpoints)
        ends = after.outcomes()
        self.assertEqual(ends["long"]["where"], first["where"])
        self.assertEqual(self.jobs(), before)
        self.assert_as_locally(dag)

    def test_ctrl_c_lets_a_job_write_a_checkpoint_and_the_next_run_resumes(self):
        dag = self.long_dag()
        run = Run(self, dag, "--checkpoint-every", "1000")
        run.until("epoch", "long", count=3)
        run.process.send_signal(signal.SIGINT)
        run.finish(code=130)
        self.assertEqual(self.slurm.call("squeue", "-h", "-t", "pending,running"), "")
        self.assertRegex(self.call("status", dag, "--executor", "slurm"), "resume")
        self.assertEqual(Run(self, dag).outcomes()["long"]["outcome"], "ran")
        self.assert_as_locally(dag)

    def test_a_job_that_somebody_cancels_is_not_submitted_again(self):
        dag = self.long_dag(epochs=200)
        run = Run(self, dag)
        run.until("epoch", "long")
        self.slurm.call("scancel", "-u", str(os.getuid()))
        ends = run.outcomes(code=1)
        self.assertEqual(ends["long"]["outcome"], "failed")
        self.assertRegex((self.folder / "stderr").read_text(), "cancelled")

    def test_jobs_in_the_background_are_attached_to(self):
        dag = self.long_dag(epochs=10)
        self.call("run", dag, "--executor", "slurm", "--detach")
        self.call("attach")
        self.assert_as_locally(dag)


class ControllerOfSlurm(ClusterCase):
    """With a Slurm of its own: one that is killed forgets its latest jobs, gives their ids again, and nodes refuse those."""

    options = {"nodes": 2, "cpus": 16, "memory_mb": 16000}

    def test_the_controller_of_slurm_dies_and_comes_back(self):
        dag = self.long_dag(epochs=10)
        run = Run(self, dag, "--checkpoint-every", "0")
        run.until("epoch", "long")
        self.slurm.kill("slurmctld")
        run.until("epoch", "long", count=10)
        time.sleep(1)
        self.slurm.start("slurmctld")
        ends = run.outcomes()
        self.assertEqual((ends["long"]["outcome"], ends["long"]["jobs"]), ("ran", 1))
        self.assert_as_locally(dag)


if __name__ == "__main__":
    unittest.main()
