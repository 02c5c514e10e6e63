"""Parts of the data by `split`, from outside: cross-validation as a sweep, and outputs that are not there."""

import json
import unittest

import numpy

import satdl

DAG = """\
name: cv
params: {fold: 0}
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  s: {kind: split, in: {data: x.data, labels: y.data}, folds: 5, fold: "${fold}", validation_fraction: 0.25}
  m:
    {kind: train, net: [flatten, {dense: 3, activation: softmax}], loss: cross_entropy, epochs: 2, threads: 1,
     in: {x: s.train_data, target: s.train_labels, val_x: s.validation_data, val_target: s.validation_labels}}
  e: {kind: evaluate, in: {model: m.model, x: s.test_data, target: s.test_labels}, loss: cross_entropy, threads: 1}
"""


class Split(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        numbers = numpy.random.default_rng(0)
        numpy.save(self.folder / "x.npy", numbers.random((60, 2, 2), numpy.float32))
        numpy.save(self.folder / "y.npy", numpy.arange(60) // 20)

    def test_a_sweep_over_the_folds_is_a_cross_validation(self):
        self.write("cv.yaml", DAG)
        events = self.events("cv.yaml", "fold=range(5)")
        ran = {event["stage"] for event in events if event["event"] == "stage" and event["outcome"] == "ran"}
        self.assertEqual(ran, {"x", "y", *(f"{stage}[fold={fold}]" for stage in "sme" for fold in range(5))})
        self.assertNotIn("warning", json.dumps(events))
        samples = [self.document("show", f"e[fold={fold}]")["metrics"]["metrics"]["samples"] for fold in range(5)]
        self.assertEqual(samples, [12] * 5)

    def test_labels_that_are_not_connected_give_no_outputs(self):
        self.write("cv.yaml", DAG.replace(", labels: y.data", ""))
        self.call("run", "cv.yaml", code=2)
        self.assertIn("s.train_labels does not exist: the input 'labels' of s is not connected", self.err)
        self.assertIn("in: {labels: stage.port} of s", self.err)

    def test_half_of_the_validation_data_is_a_mistake_of_the_plan(self):
        self.write("cv.yaml", DAG.replace(", val_target: s.validation_labels", ""))
        self.call("run", "cv.yaml", "-n", code=2)
        self.assertIn("m.val_x needs the input 'val_target' as well", self.err)


if __name__ == "__main__":
    unittest.main()
