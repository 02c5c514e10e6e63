"""A real training in a process of its own: the same bytes as without."""

import unittest

import satdl

DAG = """\
name: tiny
stages:
  x: {kind: read, file: x.npy}
  m:
    kind: train
    in: {x: x.data, target: x.data}
    net: [{dense: 4, activation: relu}, {dense: 6}]
    loss: mse
    epochs: 2
    batch_size: 16
    threads: 2
"""


class RealIsolate(satdl.Case):
    def test_a_training_gives_the_same_bytes(self):
        import numpy
        numpy.save(self.folder / "x.npy", numpy.random.default_rng(1).random((64, 6), dtype=numpy.float32))
        dag = self.write("tiny.yaml", DAG)
        self.call("run", dag, "-q", "--store", "inside")
        self.call("run", dag, "-q", "--isolate")
        inside = self.objects("inside")
        self.assertEqual(len(inside), 2)
        self.assertEqual(self.objects(), inside)


if __name__ == "__main__":
    unittest.main()
