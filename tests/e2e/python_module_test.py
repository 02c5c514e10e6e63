"""python/satdl.py with Debian's Python: in stages, by hand, and reading a store."""

import json
import os
import signal
import subprocess
import sys
import unittest

import h5py
import numpy as np

import satdl as tests

MODULE = tests.SOURCE / "python"
PYTHON = sys.executable

# What the tests below write from a stage, and read in the next.
WRITE = """\
import numpy as np
import satdl

assert dict(satdl.params) == {"epochs": 2, "text": "train", "flag": True} and len(satdl.params) == 3
assert satdl.params.epochs == satdl.params["epochs"] == 2
assert satdl.params.get("rate", 7) == 7 and not hasattr(satdl.params, "rate")
assert satdl.file("raw").read_text() == "1,2\\n"
assert [path.name for path in satdl.files("all")] == ["a.csv", "b.csv"]
x = np.arange(6, dtype="float32").reshape(2, 3)
satdl.output("data", x.T)
satdl.output("group", {"file": x, "a/b": np.array([True, False]), "allow_pickle": np.arange(3)})
satdl.output("text", "hello")
satdl.output("bytes", b"\\0\\1")
(satdl.folder("plots") / "a.txt").write_text("a")
satdl.output("history", {"epoch": [1, 2], "val/loss": [0.1, 2]})
satdl.output("numbers", {"n": 1})
satdl.metrics(loss=np.float32(0.25), name=2, top={"one": 0.5})
"""
READ = """\
import numpy as np
import satdl

data = satdl.input("data")
assert isinstance(data, np.memmap) and data.dtype == np.float32 and data.tolist() == [[0, 3], [1, 4], [2, 5]]
for name in ("npy", "csv"):
    assert (satdl.input(name) == data).all(), name
for name in ("group", "npz", "safetensors"):
    group = satdl.input(name)
    assert sorted(group) == ["a/b", "allow_pickle", "file"] and group["a/b"].tolist() == [1, 0] and group["file"].shape == (2, 3), name
for name in ("m", "metrics_h5", "metrics_csv"):
    assert satdl.input(name) == {"loss": 0.25, "name": 2, "top/one": 0.5}, (name, satdl.input(name))
for name in ("h", "history_h5", "history_npz"):
    history = satdl.input(name)
    assert list(history["epoch"]) == [1, 2] and list(history["val/loss"]) == [0.1, 2], name
assert satdl.input("text").read_text() == satdl.file("text").read_text() == "hello"
assert (satdl.input("plots") / "a.txt").read_text() == "a"
satdl.metrics(ok=1)
"""
DAG = f"""\
name: module
stages:
  write:
    kind: command
    run: [{PYTHON}, write.py]
    sources: write.py
    files: {{raw: a.csv, all: "*.csv"}}
    with: {{epochs: 2, text: train, flag: true}}
    out: {{data: array, group: arrays, text: file, bytes: file, plots: folder, history: history, numbers: metrics, metrics: metrics}}
  read:
    kind: command
    run: [{PYTHON}, read.py, "{{in.npy:npy}}", "{{in.csv:csv}}", "{{in.npz:npz}}", "{{in.safetensors:safetensors}}", "{{in.metrics_h5:h5}}",
          "{{in.metrics_csv:csv}}", "{{in.history_h5:h5}}", "{{in.history_npz:npz}}"]
    sources: read.py
    in:
      {{data: write.data, npy: write.data, csv: write.data, group: write.group, npz: write.group, safetensors: write.group,
       m: write.metrics, metrics_h5: write.metrics, metrics_csv: write.metrics,
       h: write.history, history_h5: write.history, history_npz: write.history, text: write.text, plots: write.plots}}
    out: {{metrics: metrics}}
"""
TRAIN = """\
import time
import numpy as np
import satdl

state = satdl.checkpoint.load() or {"epoch": 0, "w": np.zeros(2)}
w = state["w"]
for epoch in range(int(state["epoch"]) + 1, satdl.params.epochs + 1):
    w = w * 0.5 + epoch
    time.sleep(0.02)
    satdl.progress(1, of=2, epoch=epoch, epochs=satdl.params.epochs, loss=float("nan"))
    satdl.epoch(epoch, of=satdl.params.epochs, loss=w[0])
    satdl.checkpoint.save({"epoch": epoch, "w": w}, epoch=epoch, of=satdl.params.epochs)
    if satdl.stop_requested():
        raise SystemExit(1)
satdl.output("w", w)
"""


class Module(tests.Case):
    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")
        for name, text in (("write.py", WRITE), ("read.py", READ), ("dag.yaml", DAG), ("a.csv", "1,2\n"), ("b.csv", "3,4\n"), ("train.py", TRAIN)):
            self.write(name, text)
        self.write("train.yaml", f"""\
name: train
stages:
  train: {{kind: command, run: [{PYTHON}, train.py], sources: train.py, with: {{epochs: 30}}, out: {{w: array, history: history}}}}
""")

    def python(self, code, code_expected=0, arguments=(), folder=None):
        """Runs Python code, or a program, with the module on its path: stdout."""
        program = [code] if str(code).endswith(".py") else ["-c", code]
        done = subprocess.run([PYTHON, *program, *arguments], cwd=folder or self.folder, capture_output=True, text=True,
                              env={**self.environment, "PYTHONPATH": str(MODULE)})
        self.assertEqual(done.returncode, code_expected, done.stderr)
        self.err = done.stderr
        return done.stdout

    def stage(self, code, out="{metrics: metrics}"):
        self.write("stage.py", code)
        self.write("stage.yaml", f"name: stage\nstages:\n  s: {{kind: command, run: [{PYTHON}, stage.py], sources: stage.py, out: {out}}}\n")


class Stages(Module):
    def test_what_a_stage_writes_the_next_reads_in_each_format(self):
        self.assertEqual(self.ran("dag.yaml"), {"write", "read"})
        with h5py.File((self.folder / "results/module/write.h5").resolve()) as made:
            np.testing.assert_array_equal(made["group/file"], [[0, 1, 2], [3, 4, 5]])
            self.assertEqual(bytes(made["bytes/files/bytes"][()]), b"\0\1")
            self.assertEqual(made["metrics/top/one"][()], [0.5])
            self.assertEqual(made["numbers/n"][()], [1])

    def test_a_killed_training_goes_on_and_gives_the_bytes_of_an_unbroken_one(self):
        self.call("run", "train.yaml", "--store", "whole")
        code, _ = self.signalled(signal.SIGKILL, "train.yaml", epochs=2)  # then the checkpoint after the first is kept
        self.assertEqual(code, -signal.SIGKILL)
        started = next(event for event in self.events("train.yaml") if event["event"] == "stage_started")
        self.assertRegex(started["because"], "interrupted at the end of epoch [0-9]+")
        self.assertEqual(self.objects(), self.objects("whole"))

    def test_a_program_that_is_asked_to_stop_keeps_a_checkpoint_first(self):
        code, _ = self.signalled(signal.SIGINT, "train.yaml")
        self.assertEqual(code, 130)
        self.assertEqual(self.outcomes("train.yaml"), {"train": "resumed"})

    def test_mistakes_say_what_is_wrong(self):
        for code, out, expected in [
            ("satdl.params.rate", "{a: file}", "the stage has no value under 'with' that is called 'rate'; there is: none"),
            ("satdl.input('x')", "{a: file}", "the stage has no input 'x'; there is: none"),
            ("satdl.output('b', 'x')", "{a: file}", "the stage has no output 'b'; there is: a"),
            ("satdl.output('a', [1])", "{a: file}", "the output 'a' is declared as file, but the value is a list"),
            ("satdl.output('a', 'x')", "{a: folder}", "the value is a str: write files into satdl.folder('a')"),
            ("satdl.folder('a')", "{a: file}", "the output 'a' is declared as file, not as folder"),
            ("satdl.metrics(loss=float('nan'))", "{metrics: metrics}", "the metric 'loss' is nan: leave out what could not be measured"),
            ("satdl.output('a', {'loss': [1, float('inf')]})", "{a: history}", "the column 'loss' of the history is not finite"),
            ("satdl.metrics(loss=1)", "{a: metrics, b: metrics}", "the stage has no output 'metrics'; its outputs of kind metrics: a, b"),
            ("satdl.checkpoint.confirm()", "{a: file}", "there is nothing in satdl.checkpoint.folder to keep"),
        ]:
            self.stage(f"import satdl\n{code}\n", out)
            self.call("run", "stage.yaml", code=1)
            self.assertIn(expected, self.err)

    def test_the_only_output_of_kind_metrics_need_not_be_named(self):
        self.stage("import satdl\nsatdl.metrics(loss=1)\n", "{scores: metrics}")
        self.call("run", "stage.yaml")
        self.assertEqual(self.document("show", "s")["metrics"], {"scores": {"loss": 1}})


class ByHand(Module):
    def test_values_and_inputs_come_from_the_command_line(self):
        self.write("hand.py", """\
import sys
import satdl
assert sys.argv[1:] == ["--own"], sys.argv
assert satdl.params.epochs == 2 and satdl.params.text == "train" and satdl.params.flag is True
assert satdl.input("x").tolist() == [1, 2]
assert satdl.file("x").name == "x.npy"
satdl.epoch(1, of=2, loss=0.5)
assert not satdl.stop_requested()
assert satdl.checkpoint.load() is None
satdl.checkpoint.save({"w": [1]}, epoch=1)
assert satdl.checkpoint.load()["w"].tolist() == [1]
satdl.output("y", satdl.input("x") * 2)
satdl.output("group", {"a": [1]})
satdl.output("text", "hello")
(satdl.folder("plots") / "a.txt").write_text("a")
satdl.metrics(loss=1)
""")
        np.save(self.folder / "x.npy", [1, 2])
        self.python("hand.py", arguments=["--own", "--satdl", "epochs=2", "text=train", "flag=true", "x=x.npy"])
        self.assertEqual(self.err, "epoch 1 loss 0.5\n")
        self.assertEqual(np.load(self.folder / "y.npy").tolist(), [2, 4])
        self.assertEqual((self.folder / "text").read_text(), "hello")
        self.assertEqual(json.loads((self.folder / "metrics.json").read_text()), {"loss": 1})
        self.python("import satdl\nassert satdl.input('y').tolist() == [2, 4] and satdl.input('g')['a'].tolist() == [1] and satdl.input('m') == {'loss': 1}",
                    arguments=["--satdl", "y=y.npy", "g=group.npz", "m=metrics.json"])

    def test_an_artifact_is_an_input_by_the_name_of_its_array_or_group(self):
        self.call("run", "dag.yaml")
        artifact = "results/module/write.h5"
        self.python("import satdl\nassert satdl.input('x').tolist() == [[0, 3], [1, 4], [2, 5]]\nassert sorted(satdl.input('g')) == ['a/b', 'allow_pickle', 'file']\n"
                    "assert 'group/a/b' in satdl.input('all')", arguments=["--satdl", f"x={artifact}:data", f"g={artifact}:group", f"all={artifact}"])
        self.python("import satdl\nsatdl.input('x')", 1, ["--satdl", f"x={artifact}:dat"])
        self.assertIn("has no 'dat'; there is: ", self.err)

    def test_without_satdl_and_without_arguments_it_says_so(self):
        self.python("import satdl\nsatdl.params.epochs", 1)
        self.assertIn("this program runs neither as a stage of satdl nor with --satdl name=value", self.err)
        self.python("import satdl", 1, ["--satdl", "epochs"])
        self.assertIn("'epochs' after --satdl is not name=value or name=FILE", self.err)


class Reading(Module):
    def read(self, expression, **environment):
        self.environment.update(environment)
        return json.loads(self.python(f"import json, satdl\nprint(json.dumps({expression}))"))

    def test_a_store_shows_its_current_artifacts(self):
        self.call("run", "dag.yaml")
        self.assertEqual(self.read("list(satdl.Store())"), ["module/read", "module/write"])
        self.assertEqual(self.read("satdl.Store()['module/write']['data'].tolist()"), [[0, 3], [1, 4], [2, 5]])
        self.assertEqual(self.read("satdl.Store()['module/write'].metrics"),
                         {"metrics/loss": 0.25, "metrics/name": 2, "metrics/top/one": 0.5, "numbers/n": 1})
        self.assertEqual(self.read("satdl.Store()['module/write'].recipe['kind']"), "command")
        key = self.document("show", "write")["key"]
        self.assertEqual(self.read("satdl.Store()['module/write'].key"), key)
        self.python("import satdl\nsatdl.Store()['module/writ']", 1)
        self.assertIn("has no 'module/writ'; there is: module/read, module/write", self.err)
        self.python("import satdl\nsatdl.Store('nowhere')", 1)
        self.assertIn("there is no store nowhere", self.err)

    def test_a_store_of_another_name_and_other_results_are_found(self):
        self.call("run", "dag.yaml", "--store", "other")
        self.assertEqual(self.read("list(satdl.Store('other'))"), ["module/read", "module/write"])
        self.call("run", "dag.yaml", "--store", "third", "--results", "links")
        self.assertEqual(self.read("list(satdl.Store())", SATDL_STORE="third"), ["module/read", "module/write"])
        self.assertEqual(self.read("list(satdl.Store('third', 'links'))"), ["module/read", "module/write"])

    def test_a_damaged_header_is_refused(self):
        self.call("run", "dag.yaml", "write")
        path = (self.folder / "results/module/write.h5").resolve()
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b'"recipe"', b'"recipf"', 1))
        self.python("import satdl\nsatdl.Store()['module/write']", 1)
        self.assertIn("is damaged: run `satdl cache verify --repair`", self.err)

    def test_runs_are_the_stages_of_the_records_with_the_metrics_of_their_artifacts(self):
        self.assertEqual([event["outcome"] for event in self.events("dag.yaml") if event["event"] == "stage"], ["ran", "ran"])
        self.write("write.py", WRITE.replace("loss=np.float32(0.25)", "loss=0.5"))
        self.write("read.py", READ.replace('"loss": 0.25', '"loss": 0.5'))
        self.call("run", "dag.yaml")
        self.call("run", "dag.yaml")  # nothing ran: no record of its own
        rows = self.read("satdl.runs()")
        self.assertEqual([(row["dag"], row["stage"], row["outcome"], row.get("metrics/loss"), row.get("metrics/ok")) for row in rows],
                         [("module", "write", "ran", 0.25, None), ("module", "read", "ran", None, 1),
                          ("module", "write", "ran", 0.5, None), ("module", "read", "ran", None, 1)])
        self.assertEqual(len({row["run"] for row in rows}), 2)
        self.assertTrue(all(row["seconds"] > 0 and row["time"] > 1.7e9 and len(row["key"]) == 64 for row in rows))
        self.assertEqual(rows[2]["key"], self.document("show", "write")["key"])

    def test_failed_stages_torn_lines_and_damaged_lines_of_records(self):
        self.stage("raise SystemExit(3)")
        self.call("run", "stage.yaml", code=1)
        [record] = (self.folder / ".satdl/runs").glob("*/events.jsonl")
        with open(record, "a") as opened:
            opened.write('{"event":"stage","sta')
        [row] = self.read("satdl.runs()")
        self.assertEqual((row["stage"], row["outcome"]), ("s", "failed"))
        record.write_text(record.read_text().replace('"outcome":"failed"', '"outcome":"ran"'))
        self.assertEqual(self.read("satdl.runs()"), [])


class Imports(Module):
    def test_it_needs_h5py_only_for_hdf5(self):
        self.write("no_h5py/h5py.py", "raise ImportError\n")
        code = "import satdl\nassert satdl.input('x').tolist() == [1]\nsatdl.input('y')"
        np.save(self.folder / "x.npy", [1])
        with h5py.File(self.folder / "y.h5", "w") as opened:
            opened["y"] = [1]
        done = subprocess.run([PYTHON, "-c", code, "--satdl", "x=x.npy", "y=y.h5"], cwd=self.folder, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join([str(self.folder / "no_h5py"), str(MODULE)])})
        self.assertIn("h5py is not installed, and an input is an HDF5 file", done.stderr)

    def test_the_documentation_names_all_that_it_offers(self):
        docs = (tests.SOURCE / "docs/programs.md").read_text()
        names = self.python("import satdl\nprint(*satdl.__all__)").split()
        self.assertEqual([name for name in names if f"satdl.{name}" not in docs and name not in ("Artifact", "Checkpoint")], [])


if __name__ == "__main__":
    unittest.main()
