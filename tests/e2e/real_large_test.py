"""Arrays that are larger than memory lets them be lie in files: the same artifacts, and memory that does not grow with the data."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

import satdl

MIB = 1 << 20
# a -> 4 times as many bytes -> twice as many
DAG = """\
name: large
stages:
  x: {kind: read, file: x.npy}
  unit: {kind: normalise, in: {images: x.data}}
  noisy: {kind: add_noise, in: {images: unit.images}}
  more: {kind: concat, in: {first: noisy.images, second: unit.images}}
"""
# Of samples that count as too many for memory, and of the same as uint8.
TRAINING = """  y: {kind: read, file: y.npy}
  model: {kind: train, in: {x: unit.images, target: y.data}, net: [{dense: 4, activation: softmax}], loss: cross_entropy, epochs: 2}
  seen: {kind: features, in: {model: model.model, x: unit.images}}
  score: {kind: evaluate, in: {model: model.model, x: unit.images, target: y.data}, loss: cross_entropy}
  model8: {kind: train, in: {x: x.data, target: y.data}, net: [{dense: 4, activation: softmax}], loss: cross_entropy, epochs: 2,
           scale: 255}
"""


def write_npy(path, shape, blocks):
    """An .npy file of uint8."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        for block in blocks:
            file.write(block)


def write_images(path, mebibytes):
    """uint8 [N, 1024]."""
    write_npy(path, (mebibytes << 10, 1024), (bytes((i + j) % 251 for j in range(1024)) * 1024 for i in range(mebibytes)))


class Large(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("large.yaml", DAG)

    def peak_of(self, *arguments):
        """A run's greatest resident memory, in bytes."""
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", "-q", self.dag, *arguments], cwd=self.folder, env=self.environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss << 10

    def left_in_tmp(self):
        return list((self.folder / ".satdl/tmp").iterdir())

    def test_arrays_in_files_give_the_same_artifacts_as_arrays_in_memory(self):
        self.write("large.yaml", DAG + TRAINING)
        write_images(self.folder / "x.npy", 5)  # itself large, too
        write_npy(self.folder / "y.npy", (5 << 10,), [bytes(i % 4 for i in range(5 << 10))])
        self.call("run", self.dag, "--memory", "64MB")
        self.call("run", self.dag, "--memory", "64GB", "--store", "in_memory")
        self.assertEqual(len(self.objects()), 9)
        self.assertEqual(self.objects(), self.objects("in_memory"))
        self.assertEqual(self.left_in_tmp(), [])
        self.call("cache", "verify")
        # the array that was mapped in the run, mapped from the store
        self.call("run", self.dag, "-f", "-s", "more", "--memory", "64MB")
        self.assertEqual(self.objects(), self.objects("in_memory"))

    @unittest.skipIf("ASAN_OPTIONS" in os.environ, "a sanitizer has memory of its own for each byte")
    def test_memory_does_not_grow_with_the_data(self):
        peaks = {}
        for mebibytes in (4, 20):
            write_images(self.folder / "x.npy", mebibytes)
            peaks[mebibytes] = self.peak_of("--memory", "64MB")
        # Of 272 MiB more in arrays. How many pages of files are in memory at a time is a matter of milliseconds.
        self.assertLess(peaks[20] - peaks[4], 96 * MIB, peaks)

    def test_a_killed_run_leaves_nothing_and_the_next_one_is_whole(self):
        write_images(self.folder / "x.npy", 6)
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", "-q", self.dag, "--memory", "64MB"], cwd=self.folder,
                                   env=self.environment)
        maps = pathlib.Path(f"/proc/{process.pid}/maps")
        while process.poll() is None and ".satdl/tmp/#" not in maps.read_text():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.assertEqual(self.left_in_tmp(), [])
        self.call("run", self.dag, "--memory", "64MB")
        self.assertEqual(len(self.objects()), 4)
        self.call("cache", "verify")
        self.assertEqual(self.left_in_tmp(), [])


if __name__ == "__main__":
    unittest.main()
