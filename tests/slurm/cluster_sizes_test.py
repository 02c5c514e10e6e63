"""Runs on Debian's Slurm of more stages than it takes jobs, or than anybody would wait for one by one."""

import time
import unittest

from cluster_case import ClusterCase, Run


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
        print(f"\n1000 stages: {self.jobs()} jobs, {seconds:.1f} s, {seconds:.1f} ms a stage, "
              f"{60 * len(calls) / seconds:.0f} calls a minute ({counts})")
        self.assert_as_locally("many.yaml")


if __name__ == "__main__":
    unittest.main()
