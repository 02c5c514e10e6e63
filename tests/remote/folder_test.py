"""A shared folder as the remote: whatever lies where an artifact should, kill -9, and cleaning beside runs."""

import os
import random
import shutil
import subprocess
import time
import unittest

import remote


class SharedFolder(remote.RemoteCase):
    def setUp(self):
        super().setUp()
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        self.shared.chmod(0o775)  # so that keys are needed
        self.truth()

    def check_folder(self):
        for path in (self.shared / "cas").glob("*"):
            self.assertEqual(remote.sha256(path.read_bytes()), path.name)

    def test_what_is_no_file_is_no_artifact_and_no_link_is_followed(self):
        self.check(self.run_with(self.shared))
        stored = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in self.shared.rglob("*") if path.is_file()}
        target = [self.shared / f"ac/{self.keys['verdict']}", self.shared / self.blob_of(stored, "verdict")]
        outside = self.folder / "outside"
        for path in target:
            data = path.read_bytes()
            ways = {"a link": lambda: (outside.write_bytes(data), path.symlink_to(outside)),
                    "a link to nowhere": lambda: path.symlink_to("nowhere"),
                    "a loop": lambda: path.symlink_to(path.name), "a pipe": lambda: os.mkfifo(path), "a folder": path.mkdir,
                    "a device": lambda: path.symlink_to("/dev/zero"), "nothing in it": path.touch,
                    "half of it": lambda: path.write_bytes(data[:99]), "more": lambda: path.write_bytes(data + bytes(1 << 20))}
            for name, make in ways.items():
                with self.subTest(f"{path.parent.name}: {name}"):
                    path.unlink()
                    make()
                    self.check(self.run_with(self.shared))
                    if path.is_dir():
                        path.rmdir()
                    else:
                        path.unlink(missing_ok=True)
                    path.write_bytes(data)
        self.assertEqual(list((self.shared / "tmp").iterdir()), [])

    def test_kill_9_at_random_times(self):
        dice = random.Random(3)
        start = time.monotonic()
        self.check(self.run_with(self.shared, "-q"))
        longest = time.monotonic() - start
        for number in range(16):
            if number % 4 == 0:
                for name in ("ac", "cas"):
                    shutil.rmtree(self.shared / name, ignore_errors=True)
            run = self.begin(self.shared, self.folder / f"killed-{number // 4}", "-q")
            try:
                run.wait(dice.uniform(0, longest))
            except subprocess.TimeoutExpired:
                pass
            run.kill()
            run.communicate()
            self.check_folder()
        for number in range(4):
            self.check(self.run_with(self.shared, "-q", store=self.folder / f"killed-{number}"))
        self.check_folder()
        for path in (self.shared / "tmp").iterdir():
            os.utime(path, (1, 1))
        self.as_user("ci", "cache", "gc", "--layout", "bazel", "--max-size", "1GB", self.shared)
        self.assertEqual(list((self.shared / "tmp").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
