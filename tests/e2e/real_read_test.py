"""`read`: what a file is shows in its content alone, and what its array is like before anything runs."""

import shutil
import struct
import unittest

import h5py
import numpy

import satdl


class Read(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]

    def dag(self, *stages, **params):
        lines = "".join(f"  {stage}\n" for stage in stages)
        return self.write("read.yaml", f"name: read\n{f'params: {params}' if params else ''}\nstages:\n{lines}")

    def array(self, file, **params):
        """What `read` makes of the file."""
        options = "".join(f", {name}: {value}" for name, value in params.items())
        self.call("run", self.dag(f"x: {{kind: read, file: {file}{options}}}"), "-q")
        with h5py.File(self.folder / "results/read/x.h5") as result:
            return result["data"][()]

    def save(self, name, array):
        numpy.save(self.folder / name, array)
        return name

    def test_a_file_is_read_alike_whatever_its_name(self):
        array = numpy.arange(12, dtype="float32").reshape(3, 4)
        self.save("a.npy", array)
        with h5py.File(self.folder / "a.h5", "w") as file:
            file["data"] = array
        names = {"a.npy": ("a.dat", "npy", "b.h5"), "a.h5": ("a.H5", "a.hdf", "a.mat", "a.he5", "hdf5", "b.npy")}
        for source, copies in names.items():
            for name in copies:
                shutil.copy(self.folder / source, self.folder / name)
        stages = [f'"x{number}": {{kind: read, file: {name}}}' for number, name in enumerate(sum(names.values(), ()))]
        self.call("run", self.dag(*stages), "-q")
        self.assertEqual(len(list((self.folder / "results/read").glob("*.h5"))), 9)
        for path in (self.folder / "results/read").glob("*.h5"):
            with h5py.File(path) as file:
                numpy.testing.assert_array_equal(file["data"][()], array)

    def test_a_file_of_two_formats_is_one_array_warm_or_cold(self):
        with h5py.File(self.folder / "p.h5", "w", userblock_size=512) as file:
            file["x"] = numpy.arange(10, dtype="u1")
        size = (self.folder / "p.h5").stat().st_size
        with open(self.folder / "p.h5", "r+b") as file:
            file.write(b"\0\0\x08\x01" + struct.pack(">I", size - 8))
        shutil.copy(self.folder / "p.h5", self.folder / "p.idx")
        warm = self.array("p.h5")
        self.assertEqual(self.ran(self.dag("x: {kind: read, file: p.idx}")), set())
        self.assertEqual(self.ran(self.folder / "read.yaml", "--store", "cold", "--results", "cold-results"), {"x"})
        with h5py.File(self.folder / "cold-results/read/x.h5") as cold:
            numpy.testing.assert_array_equal(cold["data"][()], warm)
        numpy.testing.assert_array_equal(warm, numpy.arange(10))

    def test_element_types_and_orders_of_numpy(self):
        numbers = numpy.array([[0, 1, 1], [1, 0, 1]])
        kept = {"bool": "uint8", "int8": "int32", "uint8": "uint8", "int16": "int32", "uint16": "int32", "int32": "int32",
                "uint32": "int64", "int64": "int64", "uint64": "int64", "float16": "float32", "float32": "float32", "float64": "float64",
                ">i2": "int32", ">f2": "float32", ">f4": "float32", ">u8": "int64"}
        stages, wanted = [], {}
        for number, (dtype, result) in enumerate(kept.items()):
            for order in ("C", "F"):
                name = self.save(f"{order}{number}.npy", numpy.array(numbers, dtype=dtype, order=order))
                stages.append(f"{order}{number}: {{kind: read, file: {name}}}")
                wanted[f"{order}{number}"] = result
            with h5py.File(self.folder / f"h{number}.h5", "w") as file:
                file["x"] = numpy.array(numbers, dtype=dtype)
            stages.append(f"h{number}: {{kind: read, file: h{number}.h5}}")
            wanted[f"h{number}"] = result
        self.call("run", self.dag(*stages), "-q")
        for stage, result in wanted.items():
            with h5py.File(self.folder / f"results/read/{stage}.h5") as file:
                self.assertEqual(str(file["data"].dtype), result, stage)
                numpy.testing.assert_array_equal(file["data"][()], numbers, stage)
        self.save("large.npy", numpy.array([2**63], dtype="uint64"))
        self.call("run", self.dag("x: {kind: read, file: large.npy}"), code=1)
        self.assertIn("uint64 above 9223372036854775807", self.err)

    def test_arrays_of_an_npz_file_by_name(self):
        images, labels = numpy.random.default_rng(0).random((4, 3)), numpy.arange(4)
        for save in (numpy.savez, numpy.savez_compressed):
            save(self.folder / "a.npz", images=images, labels=labels)
            numpy.testing.assert_array_equal(self.array("a.npz", array="images"), images)
            numpy.testing.assert_array_equal(self.array("a.npz", array="labels", limit=2), labels[:2])
            for arguments, message in (("", "it contains 2 arrays: images, labels"), (", array: image", "a.npz: it has no array 'image'")):
                self.call("run", "-n", self.dag(f"x: {{kind: read, file: a.npz{arguments}}}"), code=2)
                self.assertIn(message, self.err)
            dag = self.dag("x: {kind: read, file: a.npz, array: images}", "u: {kind: normalise, in: {images: x.data}}")
            self.call("run", "-n", dag, code=2)
            self.assertIn("x.data is float64 [4, 3]", self.err)

    def test_columns_of_a_csv_file(self):
        (self.folder / "f.csv").write_text("length,width,kind\n5.1,3.5,0\n4.9,3.0,1\n")
        read = self.array("f.csv", columns="1-2", dtype="float32")
        numpy.testing.assert_array_equal(read, numpy.array([[5.1, 3.5], [4.9, 3.0]], "float32"))
        labels = self.array("f.csv", columns=3, dtype="int64")
        self.assertEqual((labels.shape, str(labels.dtype), list(labels)), ((2,), "int64", [0, 1]))
        (self.folder / "f.csv").write_text("length,width,kind\n5.1,3.5,rose\n")
        for arguments, message in (("", "f.csv: line 2, column 3: 'rose' is not a number"), (", columns: 3-4", "f.csv: has 3 columns, not 4"),
                                   (", columns: width", "'width' is not a range of columns")):
            self.call("run", "-n", self.dag(f"x: {{kind: read, file: f.csv{arguments}}}"), code=2)
            self.assertRegex(self.err, rf"read\.yaml:4:\d+: error: .*{message}")
        (self.folder / "f.csv").write_text("length;width\n5.1;3.5\n")
        numpy.testing.assert_array_equal(self.array("f.csv"), [[5.1, 3.5]])

    def test_mistakes_have_their_line_before_anything_runs(self):
        self.save("doubles.npy", numpy.random.default_rng(0).random((8, 64)))
        self.save("narrow.npy", numpy.zeros((8, 1), "float32"))
        self.save("rows.npy", numpy.zeros((8, 64), "float32"))
        self.save("labels.npy", numpy.arange(8) % 4)
        self.save("fewer.npy", numpy.arange(7) % 4)
        net = "net: [{dense: 4, activation: softmax}], loss: cross_entropy"
        self.dag("d: {kind: read, file: doubles.npy}",
                 "n: {kind: read, file: narrow.npy}",
                 "x: {kind: read, file: rows.npy}",
                 "y: {kind: read, file: labels.npy}",
                 "less: {kind: read, file: fewer.npy}",
                 "unit: {kind: normalise, in: {images: d.data}}",
                 f"m: {{kind: train, in: {{x: x.data, target: y.data}}, {net}}}",
                 "f: {kind: features, in: {model: m.model, x: n.data}}",
                 f"short: {{kind: train, in: {{x: x.data, target: less.data}}, {net}}}",
                 f"bad: {{kind: train, in: {{x: d.data, target: y.data}}, {net}}}")
        for command in (("run",), ("run", "-n"), ("status",)):
            self.call(*command, "read.yaml", code=2)
            for line, message in ((9, r"unit\.images wants .*float32.*, d\.data is float64 \[8, 64\]"),
                                  (11, r"n\.data is float32 \[8, 1\], which the network of m\.model cannot read"),
                                  (12, r"short\.target has 7 rows, short\.x has 8"),
                                  (13, r"bad\.x wants float32 .*d\.data is float64 \[8, 64\]")):
                self.assertRegex(self.err, rf"read\.yaml:{line}:\d+: error: {message}")
            self.assertIn("d can convert it: write dtype: float32 there", self.err)
            self.assertIn("it was trained on samples of shape [64]", self.err)
        self.assertEqual(self.objects(), {})

    def test_float64_becomes_float32_where_it_is_asked_for_and_keys_of_other_reads_stay(self):
        doubles = numpy.random.default_rng(0).random((4, 3))
        self.save("d.npy", doubles)
        numpy.testing.assert_array_equal(self.array("d.npy", dtype="float32"), doubles.astype("float32"))
        self.assertEqual(str(self.array("d.npy").dtype), "float64")
        self.assertEqual(self.ran(self.dag("x: {kind: read, file: d.npy, dtype: null, lossy: false}")), set())
        self.call("run", self.dag("x: {kind: read, file: d.npy, dtype: int32}"), code=1)
        self.assertIn("d.npy: element [0, 0] is 0.6369616873214543, which int32 does not have", self.err)
        self.assertIn("lossy: true takes the nearest value instead", self.err)

    def test_another_shape_for_each_entry(self):
        rows = numpy.random.default_rng(0).random((3, 12))
        self.save("r.npy", rows)
        numpy.testing.assert_array_equal(self.array("r.npy", reshape="[1, 4, 3]"), rows.reshape(3, 1, 4, 3))
        self.assertIn("1 stage runs", self.call("run", self.dag("x: {kind: read, file: r.npy, reshape: [2, 6]}"), "--smoke"))
        self.call("run", "-n", self.dag("x: {kind: read, file: r.npy, reshape: [3, 1, 4, 3]}"), code=2)
        self.assertRegex(self.err, r"read\.yaml:4:41: error: r\.npy cannot be reshaped: its entries have 12 elements \(shape \[12\]\), not 36")
        self.call("run", "-n", self.dag("x: {kind: read, file: r.npy, reshape: [-1, 4, 3]}"), code=2)
        self.assertIn("'reshape' is -1, but must be at least 1", self.err)

    def test_images_with_their_channels_last(self):
        images = numpy.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), "uint8")
        self.save("i.npy", images)
        numpy.testing.assert_array_equal(self.array("i.npy", layout="nhwc"), images.transpose(0, 3, 1, 2))
        self.call("run", self.dag("x: {kind: read, file: i.npy}"))
        self.assertIn("[2, 8, 9, 3] is read as 8 channels of 9 x 3", self.out + self.err)

    def test_the_type_of_an_array_in_an_hdf5_file_is_known_before_anything_runs(self):
        with h5py.File(self.folder / "a.h5", "w") as file:
            file["g/doubles"] = numpy.ones((8, 64))
            file["labels"] = numpy.arange(7)
        self.save("x.npy", numpy.zeros((8, 64), "float32"))
        train = "{kind: train, in: {x: %s.data, target: y.data}, net: [{dense: 7, activation: softmax}], loss: cross_entropy}"
        self.dag("d: {kind: read, file: a.h5, array: g/doubles}", "y: {kind: read, file: a.h5, array: labels}",
                 "x: {kind: read, file: x.npy}", f"m: {train % 'd'}", f"n: {train % 'x'}")
        self.call("run", "-n", "read.yaml", code=2)
        self.assertRegex(self.err, r"read\.yaml:7:\d+: error: m\.x wants float32 .*, d\.data is float64 \[8, 64\]")
        self.assertIn("n.target has 7 rows, n.x has 8", self.err)
        for selection, message in ("", "it contains 2 arrays: g/doubles, labels"), (", array: g/nix", "it has no 'g/nix'"):
            self.call("run", "-n", self.dag(f"x: {{kind: read, file: a.h5{selection}}}"), code=2)
            self.assertRegex(self.err, rf"read\.yaml:4:\d+: error: .*/a\.h5: {message}")
        (self.folder / "a.h5").write_bytes((self.folder / "a.h5").read_bytes()[:-100])
        self.call("run", "-n", self.dag("x: {kind: read, file: a.h5, array: labels}"), code=2)
        self.assertRegex(self.err, r"/a\.h5: HDF5 cannot open it: truncated file: eof = \d+, sblock")
        self.assertIn("is the file complete?", self.err)

    def test_what_is_no_array_is_named_before_anything_runs(self):
        for text, name in (("<!DOCTYPE html>", "an HTML page"), ("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
                           ("\x1f\x8b\x08", "compressed with gzip")):
            (self.folder / "x").write_bytes(text.encode("latin-1"))
            self.call("run", "-n", self.dag("x: {kind: read, file: x}"), code=2)
            self.assertRegex(self.err, rf"read\.yaml:4:\d+: error: .*/x: .*it is {name}")
        self.save("empty.npy", numpy.zeros((0, 3)))
        self.call("run", "-n", self.dag("x: {kind: read, file: empty.npy}"), code=2)
        self.assertIn("empty.npy: its array has no elements: its shape is [0, 3]", self.err)


if __name__ == "__main__":
    unittest.main()
