"""The pipelines of fixtures/dvc/ by DVC itself and, imported, by satdl: the same outputs, and after a change the same stages run again.

DVC comes from PyPI, into a virtual environment in the build folder that later runs find there, as does tests/bench/bench.py."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import h5py

import satdl

SHAPES = satdl.SOURCE / "tests/e2e/fixtures/dvc"
VENV = satdl.BINARY / "dvc-3.67.1"


def install_dvc():
    """The stamp is written last: an installation that was interrupted is made anew."""
    stamp = VENV / "complete"
    if stamp.exists():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin/python", "-m", "pip", "install", "--quiet", "dvc==3.67.1"], check=True)
    stamp.touch()


class WithDvc(satdl.Case):
    @classmethod
    def setUpClass(cls):
        install_dvc()

    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")
        self.environment.update(PATH=f"{VENV}/bin:{self.environment['PATH']}", SHELL="/bin/sh", HOME=str(self.folder / "home"),
                                DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(self.folder / "home/cache"))
        for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            self.environment.pop(name, None)

    def begin(self, shape):
        """Imports before DVC has run, so that it is the names of outputs that tell what they are."""
        shutil.copytree(SHAPES / shape, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.expected"))
        self.call("import", "dvc")
        (self.folder / "home").mkdir()
        self.dvc("init", "--no-scm", "--quiet")

    def dvc(self, *arguments):
        done = subprocess.run([VENV / "bin/dvc", *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def dvc_ran(self):
        return set(re.findall(r"^Running stage '(.*)':$", self.dvc("repro"), re.M))

    def file(self, stage, path, output):
        """The bytes of a file that satdl has: `output` is its port, `path` the file in the project."""
        with h5py.File((self.folder / "results/dag" / f"{stage}.h5").resolve()) as artifact:
            files = artifact[output]["files"]
            return bytes((files[os.path.basename(path)] if os.path.basename(path) in files else files[path])[()])

    def compare(self, outputs):
        for path, (stage, output) in outputs.items():
            self.assertEqual(self.file(stage, path, output), (self.folder / path).read_bytes(), path)

    def both(self, shape, outputs, metrics, change, reruns, stages, names=lambda stage: stage):
        """`change`: a file with a text in it and what takes its place, and the parameter that says the same to satdl; `names`: DVC's name
        of a stage to satdl's."""
        self.begin(shape)
        self.assertEqual({names(stage) for stage in self.dvc_ran()}, stages)
        self.assertEqual(self.ran("dag.yaml"), stages)
        self.compare(outputs)
        self.compare_metrics(metrics)
        self.assertEqual((self.dvc_ran(), self.ran("dag.yaml")), (set(), set()))
        file, before, after, setting = change
        text = (self.folder / file).read_text()
        self.assertIn(before, text)
        self.write(file, text.replace(before, after))
        self.assertEqual({names(stage) for stage in self.dvc_ran()}, reruns)
        self.assertEqual(self.ran("dag.yaml", setting), reruns)
        self.compare(outputs)
        self.compare_metrics(metrics)

    def compare_metrics(self, metrics):
        for path, (stage, output) in metrics.items():
            text = (self.folder / path).read_text()
            with h5py.File((self.folder / "results/dag" / f"{stage}.h5").resolve()) as artifact:
                values = []
                artifact[output].visititems(lambda _, one: values.append(one[0]) if isinstance(one, h5py.Dataset) else None)
            self.assertEqual([float(number) for number in re.findall(r": ([-0-9.e]+)", text)], values)


class SameAsDvc(WithDvc):
    def test_single_stage(self):
        self.both("single", {"counts.txt": ("count", "counts"), "letters.txt": ("count", "letters")}, {},
                  ("dvc.yaml", "top: 3", "top: 2", "top=2"), {"count"}, {"count"})

    def test_parameters_that_programs_read_themselves(self):
        files = {"data/prepared/train.txt": ("prepare", "prepared"), "data/prepared/test.txt": ("prepare", "prepared"), "model.json": ("train", "model"),
                 "history.csv": ("train", "history")}
        self.both("params", files, {"metrics.json": ("evaluate", "metrics")}, ("params.yaml", "lr: 1e-3", "lr: 0.25", "train.lr=0.25"),
                  {"train", "evaluate"}, {"prepare", "train", "evaluate"})
        # What no stage names reruns nothing; nor does a change of one that only others name.
        self.write("params.yaml", (self.folder / "params.yaml").read_text().replace("unused: yes", "unused: no"))
        self.assertEqual((self.dvc_ran(), self.ran("dag.yaml", "train.lr=0.25", "unused=no")), (set(), set()))

    def test_foreach(self):
        stages = {"clean@en", "clean@de", "size@en", "size@de", "report", "chapters-0", "chapters-1"}
        files = {"clean/en.txt": ("clean@en", "clean"), "sizes/de": ("size@de", "sizes"), "report.txt": ("report", "report"),
                 "chapter-One.txt": ("chapters-0", "chapter"), "chapter-Two.txt": ("chapters-1", "chapter")}
        self.both("foreach", files, {}, ("params.yaml", "de: {lines: 2}", "de: {lines: 3}", "languages.de.lines=3"),
                  {"clean@de", "size@de", "report", "chapters-1"}, stages, names=lambda stage: stage.replace("chapters@", "chapters-"))

    def test_matrix(self):
        products = {f"{stage}@{name},{seed}" for stage in ("train", "test") for name in ("small", "large") for seed in (1, 2)}
        files = {"data/small.txt": ("data@small", "data"), "models/large-2.txt": ("train@large,2", "models")}
        self.both("matrix", files, {"tested/large-1.json": ("test@large,1", "tested")},
                  ("sizes.json", '"hidden": 8', '"hidden": 9', "sizes.hidden=9"), products, products | {"data@small", "data@large"},
                  names=lambda stage: re.sub(r"-(\d)$", r",\1", stage))

    def test_stages_in_folders_of_their_own(self):
        files = {"parts/0.txt": ("split", "parts"), "parts/1.txt": ("split", "parts"), "steps/join/both.txt": ("join", "both")}
        self.both("wdir", files, {}, ("steps/split/settings.json", '"width": 1', '"width": 2', "settings.width=2"), {"split", "join"}, {"split", "join"})

    def test_values_and_lines(self):
        stages = {"numbers", "texts", "options", "lines", "whole"}
        self.both("values", {f"{stage}.txt": (stage, stage) for stage in stages}, {}, ("params.yaml", "d: true", "d: false", "text.d=false"), {"texts", "whole"}, stages)


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install_dvc()
    else:
        unittest.main()
