"""Arrays that are larger than memory lets them be lie in files: the same artifacts, and memory that does not grow with the data."""

import os
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


def write_images(path, mebibytes):
    """An .npy file of uint8 [N, 1024]."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({mebibytes << 10}, 1024), }}"
    header = header.ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        for i in range(mebibytes):
            file.write(bytes((i + j) % 251 for j in range(1024)) * 1024)


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
        write_images(self.folder / "x.npy", 5)
        self.call("run", self.dag, "--memory", "64MB")
        self.call("run", self.dag, "--memory", "64GB", "--store", "in_memory")
        self.assertEqual(len(self.objects()), 4)
        self.assertEqual(self.objects(), self.objects("in_memory"))
        self.assertEqual(self.left_in_tmp(), [])
        self.call("cache", "verify")
        # the array that was mapped in the run, mapped from the store
        self.call("run", self.dag, "-f", "-s", "more", "--memory", "64MB")
        self.assertEqual(self.objects(), self.objects("in_memory"))

    @unittest.skipIf("ASAN_OPTIONS" in os.environ, "a sanitizer has memory of its own for each byte")
    def test_memory_does_not_grow_with_the_data(self):
        peaks = {}
        for mebibytes in (6, 30):
            write_images(self.folder / "x.npy", mebibytes)
            peaks[mebibytes] = self.peak_of("--memory", "64MB")
        # 24 MiB more are 288 MiB more in arrays: 24 + 96 + 96 + 72 or so at a time would be seen.
        self.assertLess(peaks[30] - peaks[6], 48 * MIB, peaks)

    def test_a_killed_run_leaves_nothing_and_the_next_one_is_whole(self):
        write_images(self.folder / "x.npy", 20)
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", "-q", self.dag, "--memory", "64MB"], cwd=self.folder,
                                   env=self.environment)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.call("run", self.dag, "--memory", "64MB")
        self.assertEqual(self.left_in_tmp(), [])
        self.call("run", self.dag, "--memory", "64GB", "--store", "in_memory")
        self.assertEqual(self.objects(), self.objects("in_memory"))


if __name__ == "__main__":
    unittest.main()
