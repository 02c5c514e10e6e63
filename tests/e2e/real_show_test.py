"""satdl show of trained models: layers, tensors, a confusion matrix, the way back to the source files; reproduce of a training."""

import hashlib
import unittest

import numpy as np

import satdl

DAG = """\
name: digits
params: {epochs: 1}
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  base:
    kind: train
    in: {x: x.data, target: x.data}
    net: [{conv: 2, activation: relu}, batch_norm, {conv: 1, name: denoised}]
    loss: mse
    epochs: "${epochs}"
    threads: 1
  model:
    kind: fine_tune
    in: {base: base.model, x: x.data, target: y.data}
    net: [flatten, {dense: 3, activation: softmax}]
    loss: cross_entropy
    freeze: true
    epochs: "${epochs}"
    threads: 1
  test: {kind: evaluate, in: {model: model.model, x: x.data, target: y.data}, loss: cross_entropy, threads: 1}
"""


class Models(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        np.save(self.folder / "x.npy", np.random.default_rng(0).random((30, 1, 4, 4), np.float32))
        np.save(self.folder / "y.npy", np.arange(30) % 3)
        self.call("run", self.write("digits.yaml", DAG), "-q")

    def test_a_models_layers_and_its_way_back_to_the_source_files(self):
        text = self.call("show", "model")
        self.assertEqual(text.split("\n\n")[0], "model: fine_tune")
        self.assertTrue(text.split("\n\n")[1].startswith("Metrics (metrics)\nname "))
        self.assertIn("""
Layers (model)
layer                    output        parameters  FLOPs  memory
────────────────────────────────────────────────────────────────
input                    [N, 1, 4, 4]                       64 B
conv_1, frozen           [N, 2, 4, 4]          20    576   128 B
batch_norm_1, frozen     [N, 2, 4, 4]           8     64   128 B
denoised (conv), frozen  [N, 1, 4, 4]          19    576    64 B
flatten_1                [N, 16]                0      0    64 B
dense_1                  [N, 3]                51     96    12 B
98 parameters (392 B): 51 trainable, 47 not
1.3 k FLOPs for one sample; the layers' memory is of one sample, too
""", text)
        self.assertNotIn("conv_1.weight", text)
        layers = self.document("show", "model.model")["networks"]["model"]["layers"]
        self.assertEqual([(one["layer"], one["trainable"], one["non_trainable"]) for one in layers],
                         [("conv_1", 0, 20), ("batch_norm_1", 0, 8), ("denoised", 0, 19), ("flatten_1", 0, 0), ("dense_1", 51, 0)])

        def digest(name):
            return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()[:12]

        self.assertEqual(self.call("show", "test", "--provenance"), f"""\
test  evaluate: batch_size=128, convolution=auto, loss=cross_entropy
├─ model: model.model  fine_tune: epochs=1, freeze=true, loss=cross_entropy, net=2 layers
│  ├─ base: base.model  train: epochs=1, loss=mse, net=3 layers
│  │  ├─ target: x.data  read: file=x.npy
│  │  │  └─ file file  sha256 {digest("x.npy")}…
│  │  └─ x: x.data, as above
│  ├─ target: y.data  read: file=y.npy
│  │  └─ file file  sha256 {digest("y.npy")}…
│  └─ x: x.data, as above
├─ target: y.data, as above
└─ x: x.data, as above
""")
        for arguments in (["show", "model"], ["show", "base.model", "--tensors"], ["show", "test"], ["show", "test", "--provenance"],
                          ["show", "model/conv_1.weight"], ["show", "model/conv_1.weight[..., 0]"], ["show", "model/architecture"], ["ls"],
                          ["show", "model", "--recipe"], ["show", "test", "--wrong", "5"]):
            self.assert_fits(80, *arguments)
        counts = self.document("show", "test.confusion")["tensors"][0]["values"]
        self.assertEqual(np.sum(counts, axis=1).tolist(), [10, 10, 10])
        lines = self.call("show", "test.confusion").splitlines()
        self.assertEqual(lines[:3], ["test/confusion: int64 [3, 3], 72 B", "", "true class (rows), predicted class (columns)"])
        self.assertEqual([[int(cell) for cell in line.split()[1:]] for line in lines[5:]], counts)

    def test_tensors_on_request_in_natural_order_and_a_training_again(self):
        net = ", ".join(["{dense: 3}"] * 10)
        self.call("run", self.write("deep.yaml", f"name: deep\nstages:\n  y: {{kind: read, file: y.npy}}\n"
                                    f"  m: {{kind: train, in: {{x: rows.data, target: y.data}}, net: [{net}, softmax], loss: cross_entropy, "
                                    "epochs: 1, threads: 1}\n  rows: {kind: read, file: x.npy, reshape: [16]}\n"
                                    "  t: {kind: evaluate, in: {model: m.model, x: rows.data, target: y.data}, loss: cross_entropy, threads: 1}\n"), "-q")
        lines = self.call("show", "t", "--wrong", "2").splitlines()
        self.assertEqual(lines[1].split(), ["sample", "true", "predicted", "output", "x[0]", "x[1]", "x[2]", "x[3]", "x[4]", "x[5]"])
        sample, true, predicted, _, first, *_ = lines[3].split()
        self.assertEqual((int(true), int(true) == int(predicted)), (int(sample) % 3, False))
        self.assertAlmostEqual(float(first), np.load(self.folder / "x.npy")[int(sample), 0, 0, 0], places=5)
        self.assertEqual(lines[5], "the first 6 of 16 features")
        names = [line.split()[0] for line in self.call("show", "m.model", "--tensors").splitlines() if line.startswith("model/")]
        self.assertEqual(names, [f"model/dense_{i}.{name}" for i in range(1, 11) for name in ("bias", "weight")])
        self.assertIn("m/model/dense_1.weight: float32 [3, 16], 192 B\n", self.call("show", "m/dense_1.weight"))
        self.assertTrue(self.document("reproduce", "m.train/loss")["equal"])


if __name__ == "__main__":
    unittest.main()
