"""Runs on Debian's Slurm with a site's limits: on time, on arrays, on jobs; and jobs that others push aside."""

import time
import unittest

from cluster_case import LONG, ClusterCase, Run

DAYS = "MaxTime=INFINITE State=UP OverSubscribe=NO"


class TimeAndPreemption(ClusterCase):
    options = {"nodes": 1, "cpus": 4, "memory_mb": 16000, "extra": {"PreemptType": "preempt/partition_prio", "PreemptMode": "REQUEUE"},
               "partitions": {"low": f"Nodes=ALL Default=YES PriorityTier=1 {DAYS}", "high": f"Nodes=ALL PriorityTier=9 PreemptMode=OFF {DAYS}",
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


class Sizes(ClusterCase):
    options = {"nodes": 2, "cpus": 32, "memory_mb": 32000, "extra": {"MaxArraySize": 11, "MaxJobCount": 50, "MinJobAge": 2}}

    def test_more_stages_than_the_cluster_takes_jobs(self):
        many = "stages:\n" + "".join(f"  s{i}: {{kind: count_up, first: {i}}}\n" for i in range(120))
        self.write("many.yaml", "name: many\n" + many)
        ends = Run(self, "many.yaml").outcomes()
        self.assertEqual({end["outcome"] for end in ends.values()}, {"ran"})
        self.assert_as_locally("many.yaml")


class Thousand(ClusterCase):
    options = {"nodes": 2, "cpus": 64, "memory_mb": 64000}

    def test_a_thousand_trivial_stages(self):
        self.write("many.yaml", "name: many\nstages:\n" + "".join(f"  s{i}: {{kind: count_up, first: {i}}}\n" for i in range(1000)))
        began = time.monotonic()
        ends = Run(self, "many.yaml").outcomes()
        seconds = time.monotonic() - began
        self.assertEqual({end["outcome"] for end in ends.values()}, {"ran"})
        calls = self.calls.read_text().split()
        counts = ", ".join(f"{calls.count(name)} {name}" for name in sorted(set(calls) & {"sbatch", "squeue", "scancel", "scontrol"}))
        print(f"\n1000 stages: {self.jobs()} jobs, {seconds:.1f} s, {seconds:.1f} ms a stage, {60 * len(calls) / seconds:.0f} calls a minute ({counts})")
        self.assert_as_locally("many.yaml")


if __name__ == "__main__":
    unittest.main()
