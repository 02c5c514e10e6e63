"""A pipe, a socket, a device or a folder in the place of a file that satdl reads is refused at once, by its name."""

import os
import shutil
import socket
import unittest

import satdl

# What a DAG file, an include, a file of data, a manifest or a library may turn out to be, and what it is called.
KINDS = {"pipe": "a named pipe", "socket": "a socket", "/dev/zero": "a device", "folder": "a folder"}


class SpecialFiles(satdl.Case):
    def setUp(self):
        super().setUp()
        os.mkfifo(self.folder / "pipe")
        (self.folder / "folder").mkdir()
        here = os.getcwd()
        os.chdir(self.folder)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("socket")
        os.chdir(here)

    def test_as_the_dag_file(self):
        for path, kind in KINDS.items():
            self.call("run", path, code=2)
            self.assertEqual(self.err, f"satdl: cannot read {path}: it is {kind}, not a file\n")

    def test_as_an_included_file(self):
        for path, kind in KINDS.items():
            self.write("dag.yaml", f"include: {path}\nstages: {{}}\n")
            self.call("run", "dag.yaml", code=2)
            self.assertIn(f"dag.yaml:1:10: error: cannot read {path}: it is {kind}, not a file\n", self.err)

    def test_as_a_file_of_data(self):
        for path, kind in KINDS.items():
            self.write("dag.yaml", f"stages:\n  s: {{kind: bytes_of, file: {path}}}\n")
            self.call("run", "dag.yaml", code=2)
            self.assertIn(f"dag.yaml:2:29: error: this is {kind}, not a file: {path}\n", self.err)

    def test_as_the_manifest_of_a_dataset(self):
        (self.folder / "data").mkdir()
        for path, kind in KINDS.items():
            place = self.folder / "data/mine.yaml"
            place.unlink(missing_ok=True)
            place.symlink_to(self.folder / path)
            self.call("data", "verify", code=2)
            self.assertRegex(self.err, f"cannot read .*mine.yaml: it is {kind}, not a file\n")

    def test_as_a_stage_library_or_its_manifest(self):
        dag = self.write("quick.yaml", satdl.DAG)
        library, manifest = self.folder / "libsimple_stages.so", self.folder / "libsimple_stages.json"
        self.environment["SATDL_STAGES"] = str(library)
        for path, kind in KINDS.items():
            for special in (library, manifest):
                for place in (library, manifest):
                    place.unlink(missing_ok=True)
                    if place != special:
                        shutil.copy(satdl.SIMPLE.with_suffix(place.suffix), place)
                special.symlink_to(self.folder / path)
                self.call_any("run", dag, codes=[1, 3])
                self.assertIn(f"cannot read '{special}': it is {kind}, not a file\n", self.err)


if __name__ == "__main__":
    unittest.main()
