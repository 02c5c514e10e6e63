"""satdl export: artifacts as files of other programs, read back by those."""

import csv
import json
import struct
import unittest

import h5py
import numpy as np

import satdl
from satdl import DAG


def safetensors(path):
    """Tensors and metadata, as github.com/huggingface/safetensors describes the format."""
    data = path.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    types = {"F32": "<f4", "F64": "<f8", "U8": "u1", "I64": "<i8"}
    read = {name: np.frombuffer(data, types[one["dtype"]], offset=8 + size + one["data_offsets"][0],
                                count=int(np.prod(one["shape"], dtype=int))).reshape(one["shape"]) for name, one in header.items()}
    return read, metadata


class Export(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")

    def array(self, stage, name):
        with h5py.File(self.folder / f"results/quick/{stage}.h5") as file:
            return file[name][()]

    def test_one_array(self):
        expected = self.array("b", "numbers")
        self.assertIn("one array of b", self.call("export", "b", "b.npy"))
        np.testing.assert_array_equal(np.load(self.folder / "b.npy"), expected)
        self.call("export", "b/numbers", "b.csv")
        np.testing.assert_array_equal(np.loadtxt(self.folder / "b.csv", delimiter=","), expected)
        self.call("export", "b", "b.safetensors")
        np.testing.assert_array_equal(safetensors(self.folder / "b.safetensors")[0]["numbers"], expected)

    def test_several_arrays(self):
        self.call("export", "trained_a", "all.npz")
        with np.load(self.folder / "all.npz") as file:
            np.testing.assert_array_equal(file["history/train/loss"], self.array("trained_a", "history/train/loss"))
        self.call("export", "trained_a/history", "history.csv")
        with open(self.folder / "history.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([float(row["train/loss"]) for row in rows], list(self.array("trained_a", "history/train/loss")))

    def test_nothing_is_replaced_unasked_and_nothing_is_left_behind(self):
        self.write("b.npy", "mine")
        self.call("export", "b", "b.npy", code=2)
        self.assertIn("'b.npy' exists already", self.err)
        self.assertEqual((self.folder / "b.npy").read_text(), "mine")
        self.call("export", "b", "b.npy", "-f")
        np.load(self.folder / "b.npy")
        for arguments, words in [(["trained_a", "x.npy"], "arrays, and npy holds one"), (["b", "x.txt"], "'x.txt' has no ending of a format"),
                                 (["q", "x.npy"], "has no artifact of a stage 'q'"), (["b/q", "x.npy"], "has no tensor 'q'"),
                                 (["b", ".satdl/x.npy"], "lies in the store"), (["b", "x.png"], "does not hold images"),
                                 (["b", "x.onnx"], "'b' is not a model, and ONNX holds networks")]:
            self.call("export", *arguments, code=2)
            self.assertIn(words, self.err)
        self.call("export", "b", "nowhere/x.npy", code=3)
        self.assertIn("cannot write 'nowhere/x.npy': No such file or directory", self.err)
        self.assertEqual([path.name for path in self.folder.iterdir() if "x." in path.name or "partial" in path.name], [])


if __name__ == "__main__":
    unittest.main()
