"""Arrays that a stage does not accept, where no plan knows what they are: an error with its place, before the stage runs."""

import unittest

import h5py
import numpy

import satdl

DAG = """\
name: t
params: {x: x.h5, y: y.h5, batch_size: 16, validation_fraction: 0}
networks: {n: [flatten, {dense: 4, activation: softmax}]}
stages:
  x: {kind: read, file: x.h5}
  y: {kind: read, file: y.h5}
  read_x: {kind: read, file: "${x}"}
  read_y: {kind: read, file: "${y}"}
  my_x: {kind: unforeseen, in: {x: read_x.data}}
  my_y: {kind: unforeseen, in: {x: read_y.data}}
  m:
    {kind: train, in: {x: x.data, target: y.data}, net: n, loss: cross_entropy, epochs: 2, batch_size: "${batch_size}", threads: 1,
     validation_fraction: "${validation_fraction}"}
  u: {kind: normalise, in: {images: my_x.data}}
  n: {kind: add_noise, in: {images: my_x.data}}
  f: {kind: features, in: {model: m.model, x: my_x.data}, threads: 1}
  e: {kind: evaluate, in: {model: m.model, x: my_x.data, target: my_y.data}, loss: cross_entropy, threads: 1}
  t: {kind: fine_tune, in: {base: m.model, x: my_x.data, target: my_y.data}, net: [{dense: 4, activation: softmax}],
      loss: cross_entropy, epochs: 1, threads: 1}
"""


class Types(satdl.Case):
    def setUp(self):
        super().setUp()
        self.write("t.yaml", DAG)
        numbers = numpy.random.default_rng(0)
        self.save("x", numbers.random((40, 2, 4), numpy.float32))
        self.save("y", numpy.arange(40) // 10)

    def save(self, name, array):
        with h5py.File(self.folder / f"{name}.h5", "w") as file:
            file["data"] = array

    def failure(self, *arguments):
        self.call("run", "t.yaml", "-q", *arguments, code=1)
        for never in ("internal error", "frame #", "must match", "index_select"):
            self.assertNotIn(never, self.err)
        return self.err

    def test_an_element_type_that_is_not_accepted_ends_that_stage_alone(self):
        self.save("f8", numpy.ones((40, 2, 4)))
        expected = "{} wants {} [N, ...], my_x.data is float64 [40, 2, 4]"
        for options in (), ("--isolate",):
            store = f"store{len(options)}"
            outcomes = self.outcomes("t.yaml", "m", "u", "n", "f", "e", "x=f8.h5", "-k", "--store", store, *options, code=1)
            self.assertEqual({stage for stage, outcome in outcomes.items() if outcome == "failed"}, {"u", "n", "f", "e"})
            self.assertEqual(outcomes["m"], "ran")
        for stage, port, wanted in (("u", "u.images", "uint8 or float32"), ("n", "n.images", "float32"), ("f", "f.x", "float32")):
            text = self.failure(stage, "x=f8.h5")
            self.assertIn(expected.format(port, wanted), text)
            self.assertRegex(text, rf"t\.yaml:\d+:\d+: error: {port}")
            self.assertIn("satdl never converts by itself", text)

    def test_samples_of_another_shape_than_the_models_are_never_broadcast(self):
        self.save("wide", numpy.ones((40, 2, 5), numpy.float32))
        self.save("narrow", numpy.ones((40, 1, 1), numpy.float32))
        for shape, name in (("[40, 2, 5]", "wide"), ("[40, 1, 1]", "narrow")):
            for stage in "f", "e", "t":
                text = self.failure(stage, f"x={name}.h5")
                self.assertIn(f"my_x.data is float32 {shape}, which the network of m.model cannot read", text)
                self.assertIn("it was trained on samples of shape [2, 4]", text)

    def test_samples_and_targets_of_different_numbers(self):
        self.save("y35", numpy.zeros(35, numpy.int64))
        self.assertIn("e.target has 35 rows, e.x has 40: N differs", self.failure("e", "y=y35.h5"))

    def test_targets_that_are_no_class_numbers(self):
        self.save("column", numpy.zeros((40, 1), numpy.int64))
        self.save("one_hot", numpy.eye(4, dtype=numpy.float32)[numpy.arange(40) % 4])
        self.save("floats", numpy.zeros(40, numpy.float32))
        for name, hint in (("column", "y.reshape(-1)"), ("one_hot", "y.argmax(axis=1)"), ("floats", "y.astype('int64')")):
            text = self.failure("e", f"y={name}.h5")
            self.assertIn("e.target wants class numbers [N] of an integer type for cross_entropy, my_y.data is", text)
            self.assertIn(hint, text)

    def test_losses_and_weights_that_fit_no_network_are_refused_when_the_file_has_shown_what_it_holds(self):
        for old, new, text in (
            ("loss: cross_entropy, epochs: 2", "loss: mse, epochs: 2", "m.target wants the shape of the network's output, [N, 4], my_y.data is int64"),
            ("loss: cross_entropy, epochs: 2", "loss: cross_entropy, class_weights: [1, 2], epochs: 2", "class_weights has 2 weights, but the"),
            ("{dense: 4, activation: softmax}]}", "{dense: 4, activation: softmax}, dropout]}", "cross_entropy needs the softmax last"),
        ):
            self.write("t.yaml", DAG.replace(old, new).replace("x: x.data, target: y.data", "x: my_x.data, target: my_y.data"))
            text_of_run = self.failure("m")
            self.assertIn(text, text_of_run)
            self.assertRegex(text_of_run, r"t\.yaml:\d+:\d+: error: ")

    def test_a_batch_is_never_larger_than_the_data(self):
        self.save("x", numpy.ones((40, 64, 64), numpy.float32))
        self.call("run", "t.yaml", "m", "-q", "batch_size=1000000")
        huge = self.document("show", "m")["metrics"]
        self.call("run", "t.yaml", "m", "-q", "batch_size=40")
        self.assertEqual(self.document("show", "m")["metrics"], huge)

    def test_a_warning_where_validation_has_classes_that_the_training_lacks(self):
        out = self.call("run", "t.yaml", "m", "validation_fraction=0.3")
        warning = "m: warning: class 3 is only in the last 12 samples, which validation_fraction holds out"
        self.assertEqual(out.count(warning), 1, out)
        self.assertEqual(self.call("run", "t.yaml", "m", "validation_fraction=0.3").count(warning), 1)  # reused
        self.assertEqual(self.call("run", "t.yaml", "m", "validation_fraction=0.3", "--store", "alone", "--isolate").count(warning), 1)
        self.assertEqual(self.call("run", "t.yaml", "m", "validation_fraction=0.3", "--store", "alone").count(warning), 1)
        self.assertIn(warning.removeprefix("m: "), self.call("show", "m"))
        self.assertEqual(len(self.document("show", "m")["warnings"]), 1)
        self.save("y", numpy.arange(40) % 4)
        self.assertNotIn("warning", self.call("run", "t.yaml", "m", "validation_fraction=0.3"))


if __name__ == "__main__":
    unittest.main()
