"""dags/python.yaml and dags/sklearn.yaml on little data: right numbers, kill -9, determinism, a changed environment; and python/satdl.py with
NumPy and h5py of PyPI.

The environments are made once for each build folder.
"""

import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

import numpy as np

import satdl

DAGS = satdl.SOURCE / "dags"
PYTHON_DAG, SKLEARN_DAG = DAGS / "python.yaml", DAGS / "sklearn.yaml"
SMALL = ("--profile", "quick", "limit=100", "epochs=2")
# Threads that wait for each other spin: on a busy machine one is faster.
ONE_THREAD = (*SMALL, "program_threads=1")
CACHE = satdl.BINARY / "python-environments"

spec = importlib.util.spec_from_file_location("environment", DAGS / "programs/environment.py")
environment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environment)

# What M1 makes of images, in PyTorch.
DENOISE = """\
import sys
import numpy as np, torch
import satdl, train
stages = satdl.Store()
m1 = {name.removeprefix("model/"): array for name, array in stages["sklearn/m1"].items() if name.startswith("model/")}
with torch.no_grad():
    np.save(sys.argv[1], train.model_from(m1).eval()(torch.from_numpy(np.array(stages["sklearn/fashion_unit@test"]["images"]))))
"""

EXPORTED_DAG = """\
name: exported
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  m:
    kind: train
    in: {x: x.data, target: y.data}
    loss: cross_entropy
    epochs: 2
    net: [{conv: 4, kernel: 3, activation: relu, name: first}, batch_norm, {conv: {filters: 2, padding: valid, bias: false}}, flatten,
          {dense: 5, activation: relu}, {layer_norm: {}, name: norm}, {dense: {units: 6, bias: false}}, batch_norm, {dense: 3, activation: softmax}]
  f: {kind: features, in: {model: m.model, x: x.data}}
"""
# The same network in PyTorch, with the weights that `satdl export` wrote.
EXPORTED = """\
import json, struct
import numpy as np, torch
from torch import nn

data = open("m.safetensors", "rb").read()
size, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + size])
assert "first" in header.pop("__metadata__")["architecture"]
weights = {name: torch.from_numpy(np.frombuffer(data, "<f4", int(np.prod(one["shape"])), 8 + size + one["data_offsets"][0]).reshape(one["shape"]).copy())
           for name, one in header.items()}

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.batch_norm_1 = nn.Conv2d(1, 4, 3, padding="same"), nn.BatchNorm2d(4, eps=1e-3)
        self.conv_2, self.dense_1, self.norm = nn.Conv2d(4, 2, 3, bias=False), nn.Linear(24, 5), nn.LayerNorm(5, eps=1e-3)
        self.dense_2, self.batch_norm_2, self.dense_3 = nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6, eps=1e-3), nn.Linear(6, 3)

    def forward(self, x):
        x = self.dense_1(self.conv_2(self.batch_norm_1(self.first(x).relu())).flatten(1)).relu()
        return self.dense_3(self.batch_norm_2(self.dense_2(self.norm(x)))).softmax(1)

network = Network()
network.load_state_dict(weights)
with torch.no_grad():
    np.testing.assert_allclose(network.eval()(torch.from_numpy(np.load("x.npy"))), np.load("f.npy"), atol=1e-5)
"""


class Examples(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        # The stages' python3 is the one that runs this.
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment.update(SATDL_DATA=str(satdl.SOURCE / "data"), XDG_CACHE_HOME=str(CACHE), PATH=path)
        os.environ["XDG_CACHE_HOME"] = str(CACHE)

    def array(self, stage, name):
        """Of the last run's artifact."""
        code = f"import satdl, numpy, sys; numpy.save('array.npy', satdl.Store()['{stage}']['{name}'])"
        subprocess.run([sys.executable, "-c", code], cwd=self.folder, env={**self.environment, "PYTHONPATH": str(satdl.SOURCE / "python")}, check=True)
        return np.load(self.folder / "array.npy")

    def run_in(self, requirements, *arguments, **more):
        """Runs a program in the environment of these requirements: what it prints."""
        python = environment.made(requirements) / "bin/python"
        done = subprocess.run([python, *arguments], cwd=self.folder, env={**self.environment, **more}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class PyTorch(Examples):
    def test_the_study_in_pytorch_is_evaluated_and_compared_and_gives_the_same_bytes_each_time(self):
        self.call("run", PYTHON_DAG, *ONE_THREAD, "compare_python")
        labels = self.array("python/fashion@test", "labels")
        for network in "m2", "m3":
            predictions = self.array(f"python/python_{network}", "test")
            np.testing.assert_allclose(predictions.sum(axis=1), 1, rtol=1e-5)
            metrics = self.document("show", f"evaluate_python_{network}@test")["metrics"]["metrics"]
            self.assertAlmostEqual(metrics["accuracy"], (predictions.argmax(axis=1) == labels).mean())
            self.assertAlmostEqual(metrics["loss"], -np.log(predictions[range(100), labels]).mean(), places=5)
        compared = self.document("show", "compare_python")["metrics"]["metrics"]
        self.assertEqual(compared["p0"], metrics["accuracy"])
        self.assertEqual(self.ran(PYTHON_DAG, *ONE_THREAD, "compare_python"), set())
        self.assertIn("the same bytes each time", self.call("check-determinism", PYTHON_DAG, *ONE_THREAD, "python_m2", "python_m3"))

    def test_a_training_killed_by_minus_9_goes_on_and_gives_the_bytes_of_an_unbroken_one(self):
        settings = (*ONE_THREAD, "epochs=25", "python_m2")
        self.call("run", PYTHON_DAG, *settings, "--store", "whole")
        self.call("run", PYTHON_DAG, *ONE_THREAD, "environment", "fashion_unit", "fashion")
        code, _ = self.signalled(signal.SIGKILL, PYTHON_DAG, *settings, epochs=3)
        self.assertEqual(code, -signal.SIGKILL)
        self.assertEqual(self.outcomes(PYTHON_DAG, *settings)["python_m2"], "resumed")
        self.assertEqual(self.objects(), self.objects("whole"))

    def test_an_exported_model_is_a_state_dict_of_the_same_network(self):
        random = np.random.default_rng(0)
        np.save(self.folder / "x.npy", random.random((60, 1, 6, 5), "float32"))
        np.save(self.folder / "y.npy", random.integers(0, 3, 60))
        self.call("run", self.write("exported.yaml", EXPORTED_DAG))
        self.call("export", "m", "m.safetensors")
        self.call("export", "f", "f.npy")
        self.write("exported.py", EXPORTED)
        self.run_in(DAGS / "programs/pytorch.txt", "exported.py")


class ScikitLearn(Examples):
    def test_classifiers_on_the_features_of_a_built_in_network_are_swept(self):
        settings = (*SMALL, "evaluate_classifier")
        out = self.call("run", SKLEARN_DAG, *settings, "--sweep")
        labels = self.array("sklearn/fashion@test", "labels")
        for classifier in "logistic_regression", "k_nearest", "naive_bayes", "tree":
            self.assertIn(classifier, out)
            predictions = self.array(f"sklearn/classify[classifier={classifier}]", "predictions")
            metrics = self.document("show", f"evaluate_classifier[classifier={classifier}]")["metrics"]["metrics"]
            self.assertAlmostEqual(metrics["accuracy"], (predictions.argmax(axis=1) == labels).mean())
            self.assertGreater(metrics["accuracy"], 0.3)  # by chance 0.1
        self.assertEqual(self.ran(SKLEARN_DAG, *settings), set())
        self.assertIn("the same bytes each time", self.call("check-determinism", SKLEARN_DAG, *SMALL, "classify"))

        # The features are those that the network has in PyTorch.
        self.call("run", SKLEARN_DAG, *SMALL, "feature_layer=denoised", "fashion_features")
        self.write("denoise.py", DENOISE)
        self.run_in(DAGS / "programs/pytorch.txt", "denoise.py", "denoised.npy",
                    PYTHONPATH=os.pathsep.join([str(satdl.SOURCE / "python"), str(DAGS / "programs")]))
        np.testing.assert_allclose(np.load(self.folder / "denoised.npy"), self.array("sklearn/fashion_features@test", "features"), atol=1e-5)

    def test_an_environment_that_has_changed_is_not_used_and_one_that_is_gone_is_made_again(self):
        again = (*SMALL, "-f", "-s", "classify")
        self.call("run", SKLEARN_DAG, *SMALL, "classify")
        folder = environment.folder(DAGS / "programs/scikit_learn.txt")
        [packages] = folder.glob("lib/python*/site-packages")
        intruder = packages / "intruder-1.0.dist-info"
        intruder.mkdir()
        try:
            (intruder / "METADATA").write_text("Name: intruder\nVersion: 1.0\n")
            self.call("run", SKLEARN_DAG, *again, code=1)
            self.assertRegex(self.err, r"is not what it was when it was made:\s+\+ intruder 1.0\s+remove it")
        finally:
            shutil.rmtree(folder)
        self.call("run", SKLEARN_DAG, *again)


class Module(Examples):
    def test_it_works_with_numpy_and_h5py_of_pypi(self):
        self.run_in(DAGS / "programs/scikit_learn.txt", satdl.SOURCE / "tests/e2e/python_module_test.py",
                    SATDL_BINARY_DIR=str(satdl.BINARY), SATDL_SOURCE_DIR=str(satdl.SOURCE))

    def test_its_types_and_style_are_checked(self):
        requirements = pathlib.Path(__file__).with_name("python_checks.txt")
        self.run_in(requirements, "-m", "mypy", "--strict", "--cache-dir", self.folder / "mypy", satdl.SOURCE / "python/satdl.py")
        self.run_in(requirements, "-m", "ruff", "check", "--no-cache", "--line-length", "140", "--select", "E,F,W,I,UP,B,SIM,RUF",
                    satdl.SOURCE / "python", DAGS / "programs")


if __name__ == "__main__":
    unittest.main()
