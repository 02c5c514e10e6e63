"""kind: model: weights that satdl exported, or others, as a model; and satdl import of weights."""

import json
import struct
import unittest

import numpy as np

import satdl

DAG = """\
name: there
networks:
  small: [{conv: 4, activation: relu, name: first}, batch_norm, flatten, {dense: 5, activation: relu}, layer_norm,
          {dense: 3, activation: softmax}]
  last: [{dense: 3, activation: softmax}]
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  m: {kind: train, in: {x: x.data, target: y.data}, loss: cross_entropy, epochs: 2, net: small}
  test: {kind: evaluate, in: {model: m.model, x: x.data, target: y.data}, loss: cross_entropy}
  tuned: {kind: fine_tune, in: {base: m.model, x: x.data, target: y.data}, loss: cross_entropy, epochs: 1, until: layer_norm_1, net: last}
"""
TAKES = """\
stages:
  x: {{kind: read, file: x.npy}}
  y: {{kind: read, file: y.npy}}
  m: {{kind: model, file: {file}, sample: [1, 6, 5], net: [{net}]{more}}}
  test: {{kind: evaluate, in: {{model: m.model, x: x.data, target: y.data}}, loss: cross_entropy}}
"""
# Channels that flatten and unflatten mix, and norms of vectors whose order that changes.
FOR_KERAS = """\
name: keras
networks:
  mixed: [{conv: 4, activation: relu}, batch_norm, flatten, layer_norm, {dense: 24, activation: relu}, batch_norm,
          {unflatten: {channels: 2, height: 3, width: 4}}, {conv: 3}, flatten, {dense: 3, activation: softmax}]
  unflattened: [{unflatten: {channels: 2, height: 3, width: 5}}, {conv: 1}, flatten, {dense: 3, activation: softmax}]
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  m: {kind: train, in: {x: x.data, target: y.data}, loss: cross_entropy, epochs: 2, net: mixed}
  test: {kind: evaluate, in: {model: m.model, x: x.data, target: y.data}, loss: cross_entropy}
  flat: {kind: read, file: x.npy, reshape: [30]}
  n: {kind: train, in: {x: flat.data, target: y.data}, loss: cross_entropy, epochs: 1, net: unflattened}
"""
NET = "{conv: 2, name: c}, flatten, {dense: 3, activation: softmax, name: d}"
WEIGHTS = {"c.weight": (2, 1, 3, 3), "c.bias": (2,), "d.weight": (3, 60), "d.bias": (3,)}


def save(path, arrays):
    """As safetensors writes them."""
    header, data = {}, b""
    for name, array in arrays.items():
        kind = {"float32": "F32", "float64": "F64", "int64": "I64", "float16": "F16"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Model(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        self.random = np.random.default_rng(0)
        np.save(self.folder / "x.npy", self.random.random((40, 1, 6, 5), "float32"))
        np.save(self.folder / "y.npy", self.random.integers(0, 3, 40))

    def weights(self, **changes):
        """float32 arrays of these shapes under their names."""
        return {name: self.random.random(shape, "float32") for name, shape in {**WEIGHTS, **changes}.items() if shape is not None}

    def refused(self, arrays, *texts, net=NET, more=""):
        """What the plan says of a DAG whose model is of these arrays."""
        save(self.folder / "w.safetensors", arrays)
        self.call("run", self.write("takes.yaml", TAKES.format(file="w.safetensors", net=net, more=more)), "-n", code=2)
        for text in texts:
            self.assertIn(text, self.err)

    def test_an_exported_model_is_the_same_model_elsewhere(self):
        self.call("run", self.write("there.yaml", DAG), "-q")
        self.call("export", "m", "m.safetensors")
        self.call("export", "m/model", "m.npz")
        self.call("export", "test/predictions", "predictions.npy")
        self.call("export", "tuned/model", "tuned.npz")
        imported = self.call("import", "m.safetensors")
        for file in "m.safetensors", "m.npz":
            # The DAG that `import` wrote, with the stages that read the model.
            others = "".join(f"{line}\n" for line in DAG.split("stages:\n")[1].splitlines() if not line.startswith("  m:"))
            dag = imported.replace("networks:\n", "networks:\n  last: [{dense: 3, activation: softmax}]\n")
            dag = dag.replace("stages:\n", "stages:\n" + others).replace("file: m.safetensors", f"file: {file}")
            self.call("run", self.write("here.yaml", dag), "-q", "--store", file + ".store")
            for what, original in ("test/predictions", "predictions.npy"), ("tuned/model", "tuned.npz"):
                copy = "copy" + original[-4:]
                self.call("export", what, copy, "-f", "--store", file + ".store")
                self.assertEqual((self.folder / copy).read_bytes(), (self.folder / original).read_bytes(), what)
        # To the same store nothing is new: the weights are what counts.
        self.assertEqual(self.ran("here.yaml"), {"m"})

    def test_weights_under_keras_names_give_the_same_in_keras_layouts(self):
        self.write("keras.yaml", FOR_KERAS)
        self.call("run", "keras.yaml", "-q")
        self.call("export", "m", "m.npz", "--names", "keras")
        self.assertIn("m.npz: 18 arrays of m", self.out)
        weights = np.load(self.folder / "m.npz")

        def conv(x, name):
            kernel, height, width = weights[f"{name}/kernel"], x.shape[1], x.shape[2]
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            return weights[f"{name}/bias"] + sum(padded[:, i:i + height, j:j + width] @ kernel[i, j] for i in range(3) for j in range(3))

        def batch_norm(x, name):
            part = {one: weights[f"{name}/{one}"] for one in ("gamma", "beta", "moving_mean", "moving_variance")}
            return (x - part["moving_mean"]) / np.sqrt(part["moving_variance"] + 1e-3) * part["gamma"] + part["beta"]

        def layer_norm(x, name):
            mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
            return (x - mean) / np.sqrt(variance + 1e-3) * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

        def dense(x, name):
            return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

        x = np.load(self.folder / "x.npy").transpose(0, 2, 3, 1)
        x = batch_norm(np.maximum(conv(x, "conv_1"), 0), "batch_norm_1").reshape(len(x), -1)
        x = batch_norm(np.maximum(dense(layer_norm(x, "layer_norm_1"), "dense_1"), 0), "batch_norm_2").reshape(-1, 3, 4, 2)
        x = np.exp(dense(conv(x, "conv_2").reshape(len(x), -1), "dense_2"))
        self.call("export", "test/predictions", "predicted.npy")
        np.testing.assert_allclose(x / x.sum(1, keepdims=True), np.load(self.folder / "predicted.npy"), rtol=1e-4, atol=1e-6)

        self.call("export", "n", "n.npz", "--names", "keras", code=2)
        self.assertIn("Keras has pixels in another order than this network's samples", self.err)
        self.call("export", "m/history", "history.npz", "--names", "keras", code=2)
        self.assertIn("'m/history' is not a model, and Keras has names for the weights of one", self.err)
        self.call("export", "m", "m.onnx", "--names", "keras", code=2)
        self.assertIn("--names keras is for .npz and .safetensors, not for .onnx", self.err)

    def test_weights_of_others_have_their_names(self):
        arrays = {f"{prefix}.{part}": self.random.random(WEIGHTS[f"{layer}.{part}"], "float32")
                  for prefix, layer in (("features.2", "c"), ("features.10", "d")) for part in ("weight", "bias")}
        arrays["features.10.bias"] = arrays["features.10.bias"].astype("float16")
        arrays["features.2.num_batches_tracked"] = np.int64(7).reshape(())
        self.refused(arrays, "takes.yaml:4:26: error: the file has no c.weight, c.bias, d.weight, d.bias; it has features.10.bias, ",
                     "if they fit in this order: names: c=features.2, d=features.10\n")
        names = ', names: "c=features.2, d=features.10"'
        self.call("run", self.write("takes.yaml", TAKES.format(file="w.safetensors", net=NET, more=names)), "-q")
        self.refused(arrays, "error: the network has no layer 'e'", "known: c, flatten_1, d", more=", names: e=features.2")
        self.refused(arrays, "error: 'c' does not say what the file calls a layer", more=", names: c")
        imported = self.call("import", "w.safetensors")
        self.assertIn("names: \"conv_1=features.2, dense_1=features.10\"", imported)
        self.assertIn("sample: [1, HEIGHT, WIDTH]", imported)
        self.call("run", self.write("imported.yaml", imported), "-n", code=2)
        self.assertIn("error: 'sample' must be", self.err)

    def test_what_does_not_fit_is_refused_when_the_plan_is_made(self):
        at = "takes.yaml:4:26: error: "
        without = self.weights()
        without["d.bais"] = without.pop("d.bias")
        self.refused(without, at + "the file has no 'd.bias'\n", "did you mean 'd.bais'?")
        self.assertNotIn("the network has no tensor", self.err)
        self.refused(self.weights(**{"d.bias": None}), at + "the file has no 'd.bias'\n")
        self.refused(self.weights(**{"e.weight": (3, 3)}), at + "the network has no tensor for the file's 'e.weight'\n",
                     "if a layer is missing, add it")
        self.refused(self.weights(**{"d.weight": (60, 3)}), "Keras' are transposed",
                     at + "the file's 'd.weight' is float32 [60, 3], but the network's d.weight is float32 [3, 60]\n")
        double = self.weights()
        double["c.bias"] = double["c.bias"].astype("float64")
        self.refused(double, at + "the file's 'c.bias' is float64 [2], but the network's c.bias is float32 [2]\n", "convert it to float32")
        self.refused(self.weights(), "error: layer d needs", net="{conv: 2, name: c}, {dense: 3, name: d}")
        self.write("w.safetensors", "hello")
        self.call("run", "takes.yaml", "-n", code=2)
        self.assertIn("w.safetensors: is not a .safetensors or .npz file: it is a text", self.err)
        self.call("run", self.write("takes.yaml", TAKES.format(file="gone.npz", net=NET, more="")), "-n", code=2)
        self.assertIn("takes.yaml:4:26: error: there is no file gone.npz", self.err)
        np.savez(self.folder / "w.npz", **self.weights())
        for sample, words in ("[1, 6.5, 5]", "'sample' is the shape of one sample"), ("[1, 0, 5]", "must be at least 1"):
            text = TAKES.format(file="w.npz", net=NET, more="").replace("[1, 6, 5]", sample)
            self.call("run", self.write("takes.yaml", text), "-n", code=2)
            self.assertIn(words, self.err)

    def test_weights_that_change_are_another_model(self):
        np.savez(self.folder / "w.npz", **self.weights())
        dag = self.write("takes.yaml", TAKES.format(file="w.npz", net=NET, more=""))
        self.call("run", dag, "-q")
        self.assertEqual(self.ran(dag), set())
        np.savez(self.folder / "w.npz", **self.weights())
        self.assertEqual(self.ran(dag), {"m", "test"})

    def test_an_import_is_not_written_over_a_file(self):
        save(self.folder / "w.safetensors", self.weights())
        self.assertEqual(self.call("import", "w.safetensors", "-o", "w.yaml"), "w.yaml\n")
        self.call("import", "w.safetensors", "-o", "w.yaml", code=2)
        self.assertIn("w.yaml exists already", self.err)
        save(self.folder / "w.safetensors", {"lstm.weight_ih_l0": np.zeros((3, 2), "float32")})
        self.call("import", "w.safetensors", code=2)
        self.assertIn("w.safetensors: 'lstm' has weight_ih_l0 [3, 2], which no layer of satdl has", self.err)


if __name__ == "__main__":
    unittest.main()
