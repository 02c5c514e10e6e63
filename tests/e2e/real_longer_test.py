"""Longer trainings with LibTorch, from outside: the digest of every output is that of a training that began at the start. And what a
training says that goes astray."""

import unittest

import numpy

import satdl

DAG = """\
name: longer
params: {epochs: 2, schedule: constant, learning_rate: 0.01, optimiser: adam}
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  model:
    kind: train
    in: {x: x.data, target: y.data}
    net: [{dense: 6, activation: relu}, {dropout: 0.2}, {dense: 1}]
    loss: mse
    epochs: ${epochs}
    schedule: ${schedule}
    optimiser: ${optimiser}
    learning_rate: ${learning_rate}
    validation_fraction: 0.25
    batch_size: 16
"""


class RealLonger(satdl.Case):
    def setUp(self):
        super().setUp()
        dice = numpy.random.default_rng(7)
        x = dice.normal(size=(80, 4)).astype("float32")
        numpy.save(self.folder / "x.npy", x)
        numpy.save(self.folder / "y.npy", (x @ dice.normal(size=(4, 1)).astype("float32")))
        self.dag = self.write("longer.yaml", DAG)

    def model(self, *arguments, code=0):
        events = self.events(self.dag, *arguments, code=code)
        return next(event for event in events if event["event"] == "stage" and event["stage"] == "model")

    def test_two_epochs_extended_to_four_give_the_bytes_of_four(self):
        self.model()
        longer = self.model("epochs=4")
        self.assertEqual(longer["because"], "from epoch 2 of 4 (final checkpoint of a shorter training)")
        self.assertEqual((longer["outcome"], longer["resumed_from"]), ("resumed", "the end of epoch 2, 50 %"))
        fresh = self.model("epochs=4", "--store", "fresh")
        self.assertEqual(fresh["outcome"], "ran")
        self.assertEqual(longer["key"], fresh["key"])
        self.assertEqual(*((self.folder / store / "objects" / longer["key"][:2] / f"{longer['key']}.h5").read_bytes()
                           for store in (".satdl", "fresh")))

    def test_a_cosine_begins_at_the_start_and_says_why(self):
        self.model("schedule=cosine")
        longer = self.model("epochs=4", "schedule=cosine")
        self.assertEqual(longer["outcome"], "ran")
        self.assertEqual(longer["because"], "epochs: 2 -> 4; from the start: schedule cosine depends on epochs")

    def test_a_loss_that_is_not_finite_is_reported_with_the_last_good_checkpoint(self):
        diverging = ("epochs=500", "optimiser=sgd", "learning_rate=30")
        error = self.model(*diverging, "--checkpoint-every", "0", code=1)["error"]
        self.assertRegex(error, r"the loss (of the validation data )?is (nan|inf) (in|after) epoch \d+")
        self.assertIn("try a smaller learning_rate", error)
        self.assertRegex(error, "it has no checkpoint: the next run starts over|its last good checkpoint is at ")
        self.assertEqual(self.model("epochs=3", "optimiser=sgd", "learning_rate=0.001")["outcome"], "ran")


if __name__ == "__main__":
    unittest.main()
