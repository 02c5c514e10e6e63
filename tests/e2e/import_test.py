"""satdl import dvc: what it writes and says for the pipelines in fixtures/dvc/, to the letter, and what it refuses. import_dvc_slow_test.py
runs the same pipelines with DVC itself."""

import os
import shutil
import unittest

import h5py

import satdl

SHAPES = satdl.SOURCE / "tests/e2e/fixtures/dvc"


class Import(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")

    def imported(self, shape, code=0):
        """The DAG file that is written for a pipeline of fixtures/dvc/."""
        shutil.copytree(SHAPES / shape, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.expected"))
        self.call("import", "dvc", code=code)
        return (self.folder / "dag.yaml").read_text()

    def check(self, shape, code=0):
        self.assertEqual(self.imported(shape, code), (SHAPES / shape / "dag.expected").read_text())
        self.assertEqual(self.err, (SHAPES / shape / "messages.expected").read_text())

    def test_single_stage(self):
        self.check("single")

    def test_parameters_that_programs_read_themselves(self):
        self.check("params")

    def test_foreach(self):
        self.check("foreach")

    def test_matrix(self):
        self.check("matrix")

    def test_stages_in_folders_of_their_own(self):
        self.check("wdir")

    def test_values_and_lines(self):
        self.check("values")

    def test_what_cannot_be_carried_over_is_named_line_by_line(self):
        self.check("odd", code=2)

    def test_outputs_are_folders_or_files_as_they_are_on_the_disk_or_in_dvc_lock(self):
        self.write("dvc.yaml", "stages:\n  a: {cmd: make, outs: [on_disk.d, locked.d, by_name.d]}\n")
        self.write("on_disk.d/x", "")
        self.write("dvc.lock", "schema: '2.0'\nstages:\n  a:\n    cmd: make\n    outs:\n    - path: locked.d\n      md5: 1f.dir\n")
        self.call("import", "dvc")
        self.assertIn("out: {on_disk: folder, locked: folder, by_name: file}", (self.folder / "dag.yaml").read_text())
        self.assertEqual(self.err, "dvc.yaml:2:46: warning: by_name.d is neither there yet nor in dvc.lock: it is taken for a file\n")

    def test_names_that_a_dag_file_cannot_refer_to_are_written_as_values(self):
        self.write("params.yaml", "net: {1: 16, lr: 0.1}\n2nd: x\n")
        self.write("dvc.yaml", "stages:\n  a: {cmd: 'cp params.yaml ${2nd}${net.1}.json', params: [net, 2nd], outs: ['${2nd}${net.1}.json']}\n")
        self.call("import", "dvc")
        self.assertIn("params.yaml:1:7: warning: '1' cannot be the name of a parameter here: where it is used, its present value is written\n", self.err)
        dag = (self.folder / "dag.yaml").read_text()
        self.assertIn("params: {net: {lr: 0.1}}\n", dag)
        self.assertIn('params.yaml: {net: {"1": 16, lr: "${net.lr}"}, "2nd": x}', dag)
        self.call("run", "dag.yaml")

    def test_what_is_written_runs_as_dvc_would(self):
        self.write("kept.txt", "kept")
        self.write("log.txt", "the user's")
        self.write("read.sh", "cat kept.txt data/*.txt\n")
        self.write("data/a.txt", "a")
        self.write("dvc.yaml", """\
stages:
  frozen: {cmd: exit 1, frozen: true, outs: [kept.txt]}
  reads: {cmd: sh read.sh > made.txt; echo written > log.txt, deps: [kept.txt, data], outs: [made.txt]}
  always: {cmd: "test -s made.txt && echo $NAME > name.txt", always_changed: true, deps: [made.txt], outs: [name.txt]}
  call: {cmd: ["mkdir x && cd x", "test -d x && test -e kept.txt"]}
  checks: {cmd: test -s name.txt, deps: [name.txt]}
""")
        self.call("import", "dvc")
        self.environment["NAME"] = "this"
        self.assertEqual(self.ran("dag.yaml"), {"reads", "always", "call", "checks"})
        with h5py.File((self.folder / "results/dag/reads.h5").resolve()) as made, h5py.File((self.folder / "results/dag/always.h5").resolve()) as name:
            self.assertEqual(bytes(made["made/files/made.txt"][()]), b"kepta")
            self.assertEqual(bytes(name["name/files/name.txt"][()]), b"this\n")
        self.assertEqual((self.folder / "log.txt").read_text(), "the user's")
        self.assertEqual(self.ran("dag.yaml"), {"always", "call"})

    def test_nothing_runs(self):
        self.write("dvc.yaml", "stages:\n  a: {cmd: touch ran, always_changed: true, outs: [ran]}\n")
        self.call("import", "dvc")
        self.assertEqual(sorted(os.listdir(self.folder)), ["dag.yaml", "dvc.yaml"])

    def test_a_file_is_not_overwritten_and_stands_beside_dvc_yaml(self):
        self.write("pipeline/dvc.yaml", "stages:\n  a: {cmd: touch a.txt, outs: [a.txt]}\n")
        self.call("import", "dvc", "pipeline/dvc.yaml", "-o", "dag.yaml", code=2)
        self.assertIn("dag.yaml is not in the folder of pipeline/dvc.yaml", self.err)
        self.call("import", "dvc", "pipeline/dvc.yaml", "-o", "pipeline/a.yaml")
        self.call("import", "dvc", "pipeline/dvc.yaml", "-o", "pipeline/a.yaml", code=2)
        self.assertIn("pipeline/a.yaml exists already", self.err)
        self.call("run", "pipeline/a.yaml")

    def test_an_output_that_is_its_own_dependency(self):
        self.write("dvc.yaml", "stages:\n  a: {cmd: make, deps: [x], outs: [x]}\n  b: {cmd: make, deps: [y/z], outs: [y]}\n")
        self.call("import", "dvc", code=2)
        self.assertIn("dvc.yaml:2:25: error: x is both a dependency and an output of this stage", self.err)
        self.assertIn("dvc.yaml:3:25: error: y/z is both a dependency and an output of this stage", self.err)

    def test_files_that_are_no_pipelines(self):
        for text, expected in [(None, "dvc.yaml"), ("a: [", "dvc.yaml:1:4"), ("plots: []\n", "dvc.yaml has no stages"), ("stages: {}\n", "dvc.yaml has no stages"),
                               ("stages: {a: &a {<<: *a}}\n", "dvc.yaml:1"), ("stages:\n  a: 3\n", "dvc.yaml:2:3"), ("stages:\n  a: {cmd: {x: 1}}\n", "dvc.yaml:2")]:
            if text is not None:
                self.write("dvc.yaml", text)
            self.call("import", "dvc", code=2)
            self.assertIn(expected, self.err)
            (self.folder / "dag.yaml").unlink(missing_ok=True)


if __name__ == "__main__":
    unittest.main()
