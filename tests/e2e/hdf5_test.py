"""Every artifact is plain HDF5: h5py, h5ls and h5dump read it."""

import subprocess
import unittest

import h5py
import numpy

import satdl
from satdl import DAG, STAGES


class Hdf5(satdl.Case):
    def setUp(self):
        super().setUp()
        self.call("run", self.write("quick.yaml", DAG), "-q")
        self.links = self.folder / "results/quick"

    def test_every_stage_is_linked_and_its_tensors_are_what_show_says(self):
        self.assertEqual({path.stem for path in self.links.glob("*.h5")}, set(STAGES))
        for stage in STAGES:
            shown = self.document("show", stage)
            with h5py.File(self.links / f"{stage}.h5", "r") as file:
                for tensor in shown["tensors"]:
                    data = file[tensor["tensor"]][()]
                    self.assertEqual(list(data.shape), tensor["shape"])
                    self.assertEqual(str(data.dtype), tensor["dtype"])
                    self.assertEqual(float(numpy.min(data)), tensor["min"])
        with h5py.File(self.links / "b.h5", "r") as file:
            self.assertEqual(list(file["numbers"][()]), [11, 12, 13, 14])

    def test_hdf5s_own_tools_read_every_artifact(self):
        for path in self.links.glob("*.h5"):
            for tool in (["h5ls", "-r"], ["h5dump"]):
                done = subprocess.run([*tool, path], capture_output=True)
                self.assertEqual(done.returncode, 0, f"{tool} {path}: {done.stderr.decode()}")

    def test_artifacts_are_read_only_and_links_are_relative(self):
        for path in self.links.glob("*.h5"):
            self.assertEqual(path.stat().st_mode & 0o777, 0o444)
            self.assertFalse(path.readlink().is_absolute())


if __name__ == "__main__":
    unittest.main()
