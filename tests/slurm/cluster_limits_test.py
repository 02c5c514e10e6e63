"""Runs on Debian's Slurm whose jobs are ended early: by their time limit, or by jobs with priority."""

import unittest

from cluster_case import LONG, ClusterCase, Run

DAYS = "MaxTime=INFINITE State=UP OverSubscribe=NO"


class EndedEarly(ClusterCase):
    options = {"nodes": 1, "cpus": 4, "memory_mb": 16000, "extra": {"PreemptType": "preempt/partition_prio", "PreemptMode": "REQUEUE"},
               "partitions": {"low": f"Nodes=ALL Default=YES PriorityTier=1 {DAYS}",
                              "high": f"Nodes=ALL PriorityTier=9 PreemptMode=OFF {DAYS}",
                              "cancel": f"Nodes=ALL PriorityTier=1 PreemptMode=CANCEL {DAYS}",
                              "short": "Nodes=ALL PriorityTier=5 PreemptMode=OFF MaxTime=1 DefaultTime=1 State=UP"}}

    def push_aside(self, run):
        """A job of somebody with priority takes the whole node, for a moment."""
        run.until("epoch", "long", count=3)
        script = self.write("other.sh", "#!/bin/sh\nsleep 1\n")
        self.slurm.call("sbatch", "-p", "high", "-c", "4", "-o", "/dev/null", str(script))

    def test_a_preempted_job_that_slurm_restarts_resumes(self):
        dag = self.long_dag()
        run = Run(self, dag, "--checkpoint-every", "0")
        self.push_aside(run)
        end = run.outcomes()["long"]
        self.assertEqual((end["outcome"], end["jobs"]), ("ran", 1))
        self.assert_as_locally(dag)

    def test_a_preempted_job_that_slurm_cancels_is_submitted_again(self):
        self.write("long.yaml", self.long_dag().read_text() + "executors: {slurm: {type: slurm, partition: cancel}}\n")
        run = Run(self, "long.yaml", "--checkpoint-every", "0")
        self.push_aside(run)
        end = run.outcomes()["long"]
        self.assertEqual((end["outcome"], end["jobs"]), ("ran", 2))
        self.assert_as_locally("long.yaml")

    def test_a_training_that_is_longer_than_the_limit_ends_in_several_jobs(self):
        self.write("long.yaml", self.long_dag(epochs=70, milliseconds=1000).read_text() +
                   "executors: {slurm: {type: slurm, partition: short, time: 1m}}\n")
        end = Run(self, "long.yaml", "--checkpoint-every", "1000").outcomes()["long"]
        self.assertEqual(end["outcome"], "ran")
        self.assertGreaterEqual(end["jobs"], 2)
        self.assertEqual(self.document("show", "long")["metrics"], self.metrics_of_a_quick_one())

    def metrics_of_a_quick_one(self):
        """The same training, but for the time that it takes."""
        self.write("quick/long.yaml", LONG.format(epochs=70, milliseconds=1))
        self.call("run", "quick/long.yaml", "--store", "quick/store", "-q")
        return self.document("show", "long", "--store", "quick/store")["metrics"]


if __name__ == "__main__":
    unittest.main()
