"""The shipped DAG on a slice of the real data, with tiny networks: all kinds of stages, through the command line."""

import pathlib
import re
import shutil
import subprocess
import unittest

import h5py
import numpy

import satdl
import study

SPLITS = ("train", "test")


def both(*stages):
    return {f"{stage}@{split}" for stage in stages for split in SPLITS}


AFTER_M1 = {"features", "m3", "compare"} | both("evaluate_m3")
ALL = AFTER_M1 | {"m1", "m2"} | both("mnist", "fashion", "mnist_unit", "fashion_unit", "noisy", "evaluate_m2")


class RealData(satdl.Case):
    """One store for all tests: each changes something else, and back."""

    @classmethod
    def setUpClass(cls):
        subprocess.run([satdl.BINARY / "satdl", "data", "fetch"], cwd=satdl.SOURCE, check=True, stdout=subprocess.DEVNULL)
        cls.text = study.tiny_dag()
        cls.shared = pathlib.Path(cls.enterClassContext(satdl.temporary_folder()))
        shutil.copytree(satdl.SOURCE / "dags/common", cls.shared / "common")

    def setUp(self):
        super().setUp()
        self.folder = self.shared
        self.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")
        del self.environment["SATDL_STAGES"]
        self.dag = self.write("full.yaml", self.text)
        self.small = (self.dag, "--set", "limit=200", "--set", "epochs=1", "--set", "bn_momentum=0.5")
        self.call("run", *self.small, "-q")

    def changed(self, before, after):
        """The stages that run after this change of the file."""
        self.assertIn(before, self.text)
        self.write("full.yaml", self.text.replace(before, after, 1))
        return self.ran(*self.small)

    def test_a_clean_run_runs_every_stage_and_the_next_run_none(self):
        self.assertEqual(self.ran(*self.small, "--store", "fresh", "--results", "fresh-results"), ALL)
        self.assertEqual(self.ran(*self.small), set())
        fresh = {path.name: path.read_bytes() for path in (self.folder / "fresh/objects").rglob("*.h5")}
        for path in (self.folder / "fresh-results/full").glob("*.h5"):
            self.assertEqual(path.read_bytes(), (self.folder / "results/full" / path.name).read_bytes(), path.name)
        self.assertEqual(len(fresh), len(ALL))

    def test_one_file_instead_of_two_reruns_nothing(self):
        common = (satdl.SOURCE / "dags/common/data.yaml").read_text()
        params, stages = re.search(r"(?ms)^params:\n(.*?)^stages:\n(.*)", common).groups()
        whole = self.text.replace("include: common/data.yaml\n", "").replace("params:\n", "params:\n" + params, 1)
        whole = whole.replace("stages:\n", "stages:\n" + stages, 1)
        self.assertNotIn("include", whole.replace("includes", ""))
        self.write("full.yaml", whole)
        self.assertEqual(self.ran(*self.small), set())

    def test_the_autoencoder_may_learn_from_training_and_test_images(self):
        ran = self.ran(*self.small, "--set", "autoencoder_images=train_and_test")
        self.assertEqual(ran, {"merged@noisy", "merged@mnist_unit", "m1"} | AFTER_M1)
        self.assertEqual(self.document("show", "merged@noisy")["tensors"][0]["shape"], [400, 1, 28, 28])

    def test_the_dense_approach_runs_with_every_layer_as_features(self):
        dense = (satdl.SOURCE / "dags/dense.yaml").read_text().replace("dense: 1024", "dense: 16")
        small = (self.write("dense.yaml", dense), "--set", "limit=200", "--set", "epochs=1")
        for layer in ("output", "hidden_1", "hidden_2", "hidden_3"):
            out = self.call("run", *small, "--set", f"feature_layer={layer}")
            for metric in ("test accuracy", "test binary_accuracy"):
                self.assertIn(metric, out, layer)
            metrics = self.document("show", "evaluate_m3@test")["metrics"]["metrics"]
            self.assertLessEqual({"loss", "accuracy", "binary_accuracy"}, set(metrics))
        self.call("run", *small, "--set", "feature_layer=hidden_4", code=2)
        self.assertIn("hidden_", self.err)

    def test_a_smoke_run_runs_every_stage_of_both_approaches_and_stores_nothing(self):
        dense = self.write("dense.yaml", (satdl.SOURCE / "dags/dense.yaml").read_text().replace("dense: 1024", "dense: 16"))
        folder = ("--store", "never", "--results", "never-results")
        for dag, count in ((self.dag, len(ALL)), (dense, 23)):
            out = self.call("run", dag, "--smoke", *folder)
            self.assertIn(f": {count} stages fit together, in ", out)
        both_images = [line.split(" ")[0] for line in
                       self.call("run", self.dag, "--smoke", *folder, "--set", "autoencoder_images=train_and_test").splitlines()]
        self.assertEqual(set(both_images[:-1]), {"ok"})
        started = {event["stage"]: event for event in self.events(self.dag, "--smoke", *folder) if event["event"] == "epoch"}
        self.assertEqual({stage: (event["epoch"], event["step"]) for stage, event in started.items()},
                         {stage: (1, 1) for stage in ("m1", "m2", "m3")})
        self.assertFalse((self.folder / "never").exists() or (self.folder / "never-results").exists())

    def test_a_network_that_cannot_take_its_data_fails_in_the_smoke_run_by_name(self):
        numpy.save(self.folder / "rows.npy", numpy.zeros((300, 5), dtype="float32"))
        numpy.save(self.folder / "classes.npy", numpy.zeros(300, dtype="uint8"))
        dag = self.write("wrong.yaml", """\
name: wrong
networks: {images: [{conv: 4}, flatten, {dense: 2, activation: softmax}]}
stages:
  rows: {kind: read, file: rows.npy}
  x: {kind: unforeseen, in: {x: rows.data}}
  y: {kind: read, file: classes.npy}
  model: {kind: train, in: {x: x.data, target: y.data}, net: images, loss: cross_entropy}
  test: {kind: evaluate, in: {model: model.model, x: x.data, target: y.data}, loss: cross_entropy}
""")
        self.environment["SATDL_STAGES"] = str(satdl.SIMPLE)
        out = self.call("run", dag, "--smoke", code=1)
        self.assertRegex(out, r"(?m)^failed   model  .*conv_1")
        self.assertRegex(out, r"(?m)^skipped  test   needs model, which failed$")
        self.write("wrong.yaml", dag.read_text().replace("{conv: 4}, ", ""))
        self.assertIn("5 stages fit together", self.call("run", dag, "--smoke"))

    def test_the_summary_ends_with_p_against_p0(self):
        out = self.call("run", *self.small)
        self.assertRegex(out, r"\bP\b.*\bP0\b")
        self.assertIn(f"{len(ALL)} reused", out)

    def test_noise_reruns_what_is_noisy_and_what_follows(self):
        more_noise = (*self.small, "--set", "noise_factor=0.3")
        plan = {stage["stage"]: stage["action"] for stage in self.document("status", *more_noise)["stages"]}
        self.assertEqual({stage for stage, action in plan.items() if action != "reuse"}, both("noisy") | {"m1"} | AFTER_M1)
        self.assertEqual(self.ran(*more_noise), both("noisy") | {"m1"} | AFTER_M1)

    def test_a_parameter_of_one_stage(self):
        before = "    net: classifier\n"
        after = {"m2", "compare"} | both("evaluate_m2")
        self.assertEqual(self.changed(before, before + "    optimiser: sgd\n"), after)

    def test_a_layer_of_one_network(self):
        after = {"m2", "m3", "compare"} | both("evaluate_m2", "evaluate_m3")
        self.assertEqual(self.changed("{dense: 8,", "{dense: 9,"), after)
        self.assertEqual(self.changed("{conv: 2,", "{conv: 3,"), {"m1"} | AFTER_M1)

    def test_a_sweep_shares_what_does_not_depend_on_it(self):
        ran = self.ran(*self.small, "--sweep", "noise_factor=0.4,0.1")
        self.assertTrue(all("[noise_factor=0.1]" in stage for stage in ran), ran)
        self.assertEqual({stage.partition("[")[0] for stage in ran}, both("noisy") | {"m1"} | AFTER_M1)
        out = self.call("run", *self.small, "--sweep", "noise_factor=0.4,0.1", "--csv", "points.csv")
        self.assertRegex(out, r"noise_factor +compare\.")
        self.assertEqual(len((self.folder / "points.csv").read_text().splitlines()), 3)

    def test_every_artifact_is_hdf5_with_the_numbers_that_show_gives(self):
        for stage in ALL:
            with h5py.File(self.folder / f"results/full/{stage}.h5", "r") as file:
                for tensor in self.document("show", stage)["tensors"]:
                    data = file[tensor["tensor"]][()]
                    self.assertEqual(list(data.shape), tensor["shape"])
                    self.assertAlmostEqual(float(numpy.mean(data, dtype="float64")), tensor["mean"], 5)
        with h5py.File(self.folder / "results/full/mnist_unit@test.h5", "r") as file:
            images = file["images"][()]
        idx = (satdl.SOURCE / "data/mnist/t10k-images-idx3-ubyte").read_bytes()
        bytes_of_200 = numpy.frombuffer(idx, numpy.uint8, 200 * 28 * 28, 16).reshape(200, 1, 28, 28)
        numpy.testing.assert_array_equal(images, bytes_of_200.astype("float32") / numpy.float32(255))
        with h5py.File(self.folder / "results/full/features.h5", "r") as file:
            self.assertEqual(file["features"].shape, (200, 1, 28, 28))

    def test_bf16_reruns_what_computes_networks_and_says_so(self):
        events = self.events(*self.small, "--set", "precision=bf16")
        ran = {event["stage"] for event in events if event["event"] == "stage" and event["outcome"] == "ran"}
        computing = {"m1", "m2", "features", "m3"} | both("evaluate_m2", "evaluate_m3")
        self.assertEqual(ran, computing | {"compare"})
        told = [event["stage"] for event in events if event["event"] == "log" and "computes in bf16" in event["message"]]
        self.assertEqual(sorted(told), sorted(computing))
        for stage in ("m1", "features"):
            self.assertEqual({tensor["dtype"] for tensor in self.document("show", stage)["tensors"]} - {"float64", "uint8"},
                             {"float32"})
        self.call("explain", *self.small[:1], "m1", *self.small[1:])
        self.assertIn("precision", self.out)

    def test_shapes_that_do_not_fit_are_refused_before_anything_runs(self):
        self.write("full.yaml", self.text.replace("x: noisy@train.images", "x: mnist@train.labels", 1))
        self.call("run", *self.small, code=2)
        self.assertRegex(self.err, r"full\.yaml:\d+:\d+: error: ")

    def test_a_users_own_array_goes_through_read_and_one_byte_of_it_reruns_what_reads_it(self):
        numpy.save(self.folder / "mine.npy", numpy.arange(10, dtype="uint8").reshape(5, 2))
        dag = self.write("mine.yaml", "name: mine\nstages:\n  mine: {kind: read, file: mine.npy}\n"
                                      "  unit: {kind: normalise, in: {images: mine.data}, scale: 10}\n")
        self.assertEqual(self.ran(dag), {"mine", "unit"})
        data = bytearray((self.folder / "mine.npy").read_bytes())
        data[-1] = 7
        (self.folder / "mine.npy").write_bytes(data)
        self.assertEqual(self.ran(dag), {"mine", "unit"})
        with h5py.File(self.folder / "results/mine/unit.h5", "r") as file:
            self.assertEqual(file["images"][4, 1], numpy.float32(7) / numpy.float32(10))

    def test_a_dataset_that_is_missing_or_wrong_is_refused_by_name(self):
        folder = self.folder / "own data"
        folder.mkdir()
        (folder / "mnist.yaml").write_text((satdl.SOURCE / "data/mnist.yaml").read_text())
        dag = self.write("load.yaml", "name: load\nstages:\n  x: {kind: load, dataset: mnist, split: test}\n")
        self.environment["SATDL_DATA"] = str(folder)
        self.call("run", dag, code=3)
        self.assertIn("satdl data fetch mnist", self.err)
        (folder / "mnist").mkdir()
        for path in (satdl.SOURCE / "data/mnist").glob("t10k-*"):
            data = bytearray(path.read_bytes())
            data[100] ^= 1
            (folder / "mnist" / path.name).write_bytes(data)
        self.call("run", dag, code=3)
        self.assertRegex(self.err, r"t10k-\w+-idx\d-ubyte")
        self.assertIn("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", self.err)


if __name__ == "__main__":
    unittest.main()
