"""A real training as a job of a scripted Slurm: the same bytes, and only on a machine of the plan."""

import unittest

from scripted_slurm import ScriptedSlurm
import satdl

DAG = """\
name: tiny
executors:
  other: {type: slurm, machine: {cpu: DEFAULT}}
stages:
  x: {kind: read, file: x.npy, executor: local}
  m:
    kind: train
    in: {x: x.data, target: x.data}
    net: [{dense: 4, activation: relu}, {dense: 6}]
    loss: mse
    epochs: 2
    batch_size: 16
    threads: 2
"""


class RealJobs(satdl.Case):
    def setUp(self):
        super().setUp()
        import numpy
        numpy.save(self.folder / "x.npy", numpy.random.default_rng(1).random((64, 6), dtype=numpy.float32))
        self.dag = self.write("tiny.yaml", DAG)
        slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder())))
        self.environment = slurm.environment(self.environment)

    def test_a_training_gives_the_same_bytes(self):
        self.call("run", self.dag, "-q", "--store", "here")
        self.call("run", self.dag, "-q", "--executor", "slurm")
        here = self.objects("here")
        self.assertEqual(len(here), 2)
        self.assertEqual(self.objects(), here)

    def test_a_machine_that_would_compute_other_bits_refuses(self):
        self.call("run", self.dag, "-q", "--executor", "other", code=2)
        self.assertIn("would compute other bits of stage m than the plan says: its cpu is", self.err)
        self.assertIn("not DEFAULT", self.err)
        self.assertIn("slurm has no other machine for it", self.err)
        self.assertEqual(len(self.objects()), 1)  # x alone


if __name__ == "__main__":
    unittest.main()
