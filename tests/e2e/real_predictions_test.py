"""Predictions that were made elsewhere, evaluated, compared and reported as those of a built-in network."""

import sys
import unittest

import numpy as np

import satdl

DAG = f"""\
name: elsewhere
params: {{metric: accuracy}}
stages:
  x: {{kind: read, file: x.npy}}
  y: {{kind: read, file: y.npy}}
  net: {{kind: train, in: {{x: x.data, target: y.data}}, net: [flatten, {{dense: 3, activation: softmax}}], loss: cross_entropy, epochs: 3, threads: 1}}
  built_in: {{kind: evaluate, in: {{model: net.model, x: x.data, target: y.data}}, loss: cross_entropy, threads: 1}}
  program:
    kind: command
    run: [{sys.executable}, predict.py, "{{in.x:npy}}", "{{out.predictions}}"]
    sources: predict.py
    in: {{x: x.data}}
    out: {{predictions: array}}
  judged: {{kind: evaluate_predictions, in: {{predictions: program.predictions, target: y.data, x: x.data}}, loss: cross_entropy}}
  file: {{kind: read, file: p.npy}}
  read_and_judged: {{kind: evaluate_predictions, in: {{predictions: file.data, target: y.data}}, loss: cross_entropy}}
  compare:
    kind: compare
    in: {{baseline: built_in.metrics, candidate: judged.metrics, baseline_predictions: built_in.predictions, candidate_predictions: judged.predictions,
         labels: y.data}}
  compare_read: {{kind: compare, in: {{baseline: read_and_judged.metrics, candidate: built_in.metrics}}, metric: "${{metric}}"}}
"""
# The right class for the first 24 of 30 samples, the next one for the others; surer of itself than right.
PREDICT = """\
import sys
import numpy as np
n = len(np.load(sys.argv[1]))
classes = (np.arange(n) + (np.arange(n) >= 24)) % 3
np.save(sys.argv[2], np.where(np.eye(3)[classes] == 1, 0.8, 0.1))
"""


class Elsewhere(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        self.write("dag.yaml", DAG)
        self.write("predict.py", PREDICT)
        np.save(self.folder / "x.npy", np.random.default_rng(0).random((30, 1, 4, 4), np.float32))
        np.save(self.folder / "y.npy", np.arange(30) % 3)
        np.save(self.folder / "p.npy", np.eye(3, dtype=np.float32)[np.arange(30) % 3])

    def test_a_programs_predictions_get_metrics_a_comparison_and_a_report(self):
        self.call("run", "dag.yaml")
        metrics = self.document("show", "judged")["metrics"]["metrics"]
        self.assertEqual((metrics["accuracy"], metrics["samples"]), (0.8, 30))
        self.assertAlmostEqual(metrics["loss"], -(24 * np.log(0.8) + 6 * np.log(0.1)) / 30, places=6)
        self.assertAlmostEqual(metrics["recall/0"], 0.8)
        self.assertEqual(self.document("show", "read_and_judged")["metrics"]["metrics"]["accuracy"], 1)
        # Six samples have another class there, all of them right only there: a fair coin gives 2 / 2^6.
        differ = self.document("diff", "judged", "read_and_judged", code=1)["predictions"]
        self.assertEqual((differ["samples"], differ["flipped"]), (30, list(range(24, 30))))
        self.assertEqual((differ["right_only_in_a"], differ["right_only_in_b"]), (0, 6))
        self.assertAlmostEqual(differ["p_value"], 2 / 2 ** 6)
        compared = self.document("show", "compare")["metrics"]["metrics"]
        self.assertEqual(compared["p0"], 0.8)
        run, = self.document("report")["runs"]
        counts = {matrix["stage"]: matrix["counts"] for matrix in run["matrices"]}
        self.assertEqual(counts["judged"], [8, 2, 0, 0, 8, 2, 2, 0, 8])
        self.assertEqual(counts["read_and_judged"], [10, 0, 0, 0, 10, 0, 0, 0, 10])
        wrong = {one["stage"]: one["pictures"] for one in run["wrong"]}
        self.assertEqual({(one["index"], one["label"], one["answer"]) for one in wrong["judged"]}, {(i, i % 3, (i + 1) % 3) for i in range(24, 30)})
        self.assertIn(("built_in", "judged"), [(pair["first"], pair["second"]) for pair in run["pairs"]])

    def test_metrics_are_known_before_anything_runs_if_the_shape_is(self):
        self.call("run", "dag.yaml", "-n", "metric=f1", code=2)
        self.assertIn("no metric 'f1'; read_and_judged reports samples, loss, accuracy, binary_accuracy, precision/0", self.err)

    def test_one_way_or_the_other(self):
        self.write("dag.yaml", DAG.replace("{predictions: file.data, target", "{predictions: file.data, model: net.model, target"))
        self.call("run", "dag.yaml", "-n", code=2)
        self.assertIn("stage kind 'evaluate_predictions' has no input 'model'", self.err)
        self.write("dag.yaml", DAG.replace("evaluate_predictions, in: {predictions: file.data", "evaluate, in: {predictions: file.data"))
        self.call("run", "dag.yaml", "-n", code=2)
        self.assertIn("stage kind 'evaluate' has no input 'predictions'", self.err)

    def test_logits_are_refused_unless_they_are_said_to_be_logits(self):
        np.save(self.folder / "p.npy", 10 * np.eye(3, dtype=np.float32)[np.arange(30) % 3])
        self.call("run", "dag.yaml", "read_and_judged", code=1)
        self.assertIn("cross_entropy needs probabilities, but the predictions are 0 to 10", self.err)
        self.write("dag.yaml", DAG.replace("target: y.data}, loss: cross_entropy}\n  compare:", "target: y.data}, loss: cross_entropy, from_logits: true}\n  compare:"))
        self.call("run", "dag.yaml", "read_and_judged")


if __name__ == "__main__":
    unittest.main()
