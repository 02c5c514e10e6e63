"""satdl export x.onnx: every kind of layer, checked by onnx's checker, and computed by onnxruntime as by satdl, layer by layer."""

import json
import os
import pathlib
import struct
import subprocess
import unittest

import numpy as np

import satdl
from real_python_slow_test import CACHE, environment

REQUIREMENTS = pathlib.Path(__file__).with_name("onnx.txt")

# Sizes are odd where padding or windows are not the same on both sides.
NETWORKS = {
    "images": """{conv: {filters: 6, kernel: 3, stride: 2, activation: leaky_relu}}, {batch_norm: {epsilon: 0.01}},
        {random_flip: horizontal}, {random_crop: 1}, {conv: {filters: 8, kernel: 4, padding: same, bias: false}}, {leaky_relu: 0.1},
        layer_norm, gelu, {upsample: 3}, {max_pool: {size: 3, stride: 2}},
        {conv: {filters: 5, kernel: 2, padding: valid, activation: gelu}}, {average_pool: 2}, softmax, tanh, {dropout: 0.4},
        global_average_pool, batch_norm, {dense: {units: 7, bias: false}}, sigmoid, {layer_norm: {epsilon: 0.1}, name: norm},
        {dense: 3, activation: softmax, name: input}""",
    "rows": """flatten, {dense: 24, activation: tanh}, {unflatten: {channels: 2, height: 3, width: 4}},
        {conv: {filters: 3, activation: sigmoid}}, relu, flatten, {dense: 5, activation: relu, name: output},
        {dense: 3, activation: softmax}""",
    "denoiser": "{conv: 2}, relu, {dropout: 0.5}",
}
TRAINING_ALONE = {"dropout", "random_flip", "random_crop"}
TARGETS = [{"target": "y.data", "loss": "cross_entropy"}, {"target": "x.data", "loss": "mse"}]
HEAD = """\
name: onnx
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
"""
NETWORK = """\
  {name}:
    kind: train
    in: {{x: x.data, target: {target}}}
    loss: {loss}
    epochs: 2
    net: [{layers}]
"""
FEATURES = "  {network}_{layer}: {{kind: features, in: {{model: {network}.model, x: x.data}}, layer: {layer}}}\n"

# The value of each layer as an output, too: of its last node, whose name is the layer's or begins with it and a slash.
COMPUTE = """\
import numpy as np, onnx, onnxruntime
onnx.checker.check_model("m.onnx", full_check=True)
model = onnx.load("m.onnx")
assert (model.opset_import[0].version, model.producer_name) == (17, "satdl"), model
for value in (model.graph.input[0], model.graph.output[0]):
    assert value.type.tensor_type.shape.dim[0].dim_param == "N", value
inferred = {one.name: one for one in onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.value_info}
values = {node.name.split("/")[0]: node.output[0] for node in model.graph.node}
model.graph.output.extend(inferred[name] for name in values.values() if name != "output")
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
x = np.load("x.npy")
computed = session.run(list(values.values()), {"input": x})
np.savez("values.npz", **dict(zip(values, computed)))
np.testing.assert_allclose(session.run(["output"], {"input": x[:1]})[0], computed[-1][:1], atol=1e-6)
"""


class Onnx(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        os.environ["XDG_CACHE_HOME"] = str(CACHE)
        random = np.random.default_rng(0)
        np.save(self.folder / "x.npy", random.random((40, 2, 9, 6), "float32"))
        np.save(self.folder / "y.npy", random.integers(0, 3, 40))

    def layers(self, network):
        """The names of the layers of the model `network`, by kind."""
        self.call("export", f"{network}/model", "m.safetensors", "-f")
        data = (self.folder / "m.safetensors").read_bytes()
        header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
        layers = json.loads(header["__metadata__"]["architecture"])["layers"]
        return {layer["name"]: next(kind for kind in layer if kind != "name") for layer in layers}

    def test_every_kind_of_layer_gives_what_satdl_gives(self):
        dag = HEAD + "".join(NETWORK.format(name=name, layers=layers, **TARGETS[name == "denoiser"]) for name, layers in NETWORKS.items())
        self.call("run", self.write("onnx.yaml", dag), "-q")
        kinds = {}
        for network in NETWORKS:
            kinds[network] = self.layers(network)
            dag += "".join(FEATURES.format(network=network, layer=layer) for layer in kinds[network])
        self.call("run", self.write("onnx.yaml", dag), "-q")
        reference = {line.split(":")[0] for line in self.call("stages", "--layers").splitlines() if line and line[0] != " "}
        self.assertEqual({kind for found in kinds.values() for kind in found.values()}, reference)
        python = environment.made(REQUIREMENTS) / "bin/python"
        for network in NETWORKS:
            self.call("export", network, "m.onnx", "-f")
            done = subprocess.run([python, "-c", COMPUTE], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            with np.load(self.folder / "values.npz") as values:
                self.assertEqual(set(values), {name for name, kind in kinds[network].items() if kind not in TRAINING_ALONE})
                for layer in values:
                    self.call("export", f"{network}_{layer}", "features.npy", "-f")
                    np.testing.assert_allclose(values[layer], np.load(self.folder / "features.npy"), rtol=0, atol=1e-5, err_msg=layer)


if __name__ == "__main__":
    unittest.main()
