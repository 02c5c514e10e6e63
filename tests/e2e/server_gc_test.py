"""satdl cache gc --layout bazel: the folder of a cache server, made smaller. In tests/remote/ it works beside runs."""

import hashlib
import os
import time
import unittest

import satdl

DAY = 86400
LONG_AGO = 40 * DAY


class ServerGc(satdl.Case):
    def setUp(self):
        super().setUp()
        self.server = self.folder / "server"
        for kind in ("ac", "cas"):
            (self.server / kind).mkdir(parents=True)

    def put(self, kind, name, data, seconds_ago):
        """Last read so long ago, and written on the day before."""
        path = self.server / kind / name
        path.write_bytes(data)
        used = time.time() - seconds_ago
        os.utime(path, (used, used - DAY))
        return path

    def entry(self, number, seconds_ago, size=1000):
        """A blob and its record: (record, blob)."""
        data = bytes([number]) * size
        blob = self.put("cas", hashlib.sha256(data).hexdigest(), data, seconds_ago)
        return self.put("ac", f"{number:064x}", b"\x12\x40" + blob.name.encode() + b"\x10", seconds_ago), blob

    def gc(self, *arguments, size="1kB", code=0):
        return self.call("cache", "gc", "--layout", "bazel", "--max-size", size, *arguments, self.server, code=code)

    def left(self):
        return {path.name for path in self.server.rglob("*") if path.is_file()}

    def test_what_was_used_last_stays_and_a_dry_run_removes_nothing(self):
        old, older, new = self.entry(1, LONG_AGO), self.entry(2, 2 * LONG_AGO), self.entry(3, 3 * DAY)
        everything = self.left()
        out = self.gc("-n", size="1500")
        self.assertEqual(out, "would remove 2 records (134 B) and 2 artifacts (2.0 kB); 1 record (67 B) and 1 artifact (1.0 kB) remain\n")
        self.assertEqual(self.left(), everything)
        self.assertIn("removed 1 record (67 B) and 1 artifact (1.0 kB); 2 records", self.gc(size="2500"))
        self.assertFalse(older[0].exists() or older[1].exists())
        self.gc(size="1500")
        self.assertEqual(self.left(), {new[0].name, new[1].name})
        self.assertFalse(old[1].exists())
        self.assertIn("removed 0 records (0 B) and 0 artifacts (0 B)", self.gc(size="1500"))

    def test_a_blob_whose_record_is_read_stays(self):
        record, blob = self.entry(1, LONG_AGO)
        os.utime(record)
        other = self.entry(2, LONG_AGO // 2)
        self.gc(size="1500")
        self.assertTrue(record.exists() and blob.exists())
        self.assertFalse(other[0].exists() or other[1].exists())

    def test_what_was_used_within_the_grace_stays_whatever_the_size(self):
        self.entry(1, 3 * DAY)
        everything = self.left()
        out = self.gc(size="1")
        self.assertIn("removed 0 records", out)
        self.assertRegex(self.err, r"warning: more than 1 B is left: all of it was used in the last \d+:00:00 h")
        self.assertEqual(self.left(), everything)
        self.gc("--grace", "12h", size="1")
        self.assertEqual(self.left(), set())

    def test_only_files_of_the_server_are_touched_and_no_link_is_followed(self):
        outside = self.folder / "outside"
        outside.mkdir()
        name = "ab" * 32
        for path in (outside / name, self.server / "notes.txt", self.server / "cas/notes.txt", self.server / f"cas/{name[:-1]}g",
                     self.server / name):
            path.write_bytes(bytes(5000))
            os.utime(path, (1, 1))
        (self.server / "cas" / name).symlink_to(outside / name)
        (self.server / f"cas/{'cd' * 32}").mkdir()
        os.mkfifo(self.server / f"ac/{'ef' * 32}")
        record, blob = self.entry(1, LONG_AGO)
        kept = self.left() - {record.name, blob.name}
        self.gc(size="1")
        self.assertEqual(self.left(), kept)
        self.assertTrue((outside / name).exists())
        for kind in ("ac", "cas"):
            (self.server / kind).rename(self.folder / kind)
            (self.server / kind).symlink_to(self.folder / kind)
        self.entry(1, LONG_AGO)
        self.gc(size="1", code=2)
        self.assertIn("has neither a folder 'ac' nor a folder 'cas'", self.err)

    def test_what_a_killed_run_left_in_a_shared_folder_goes(self):
        (self.server / "tmp").mkdir()
        name = f"{'ab' * 32}.0123456789abcdef.17.0"
        for other in ("notes.txt", "ab" * 32):
            self.put("tmp", other, b"somebody's", LONG_AGO)
        left = self.put("tmp", name, b"half", LONG_AGO)
        written = self.put("tmp", name + "1", b"half", 0)
        os.utime(written)
        self.assertIn("0 artifacts (0 B), 1 unfinished upload (4 B); ", self.gc("--grace", "0s", size="1GB"))
        self.assertFalse(left.exists())
        self.assertEqual(self.left(), {"notes.txt", "ab" * 32, written.name})

    def test_options_are_those_of_the_layout(self):
        self.gc("--older", "3", code=2)
        self.assertIn("are about a store, not about --layout bazel", self.err)
        self.call("cache", "gc", "--layout", "bazel", self.server, code=2)
        self.assertIn("--layout bazel needs a folder and --max-size", self.err)
        for option in (["--max-size", "1GB"], ["--grace", "3d"], [self.server]):
            self.call("cache", "gc", *option, code=2)
            self.assertIn("need --layout bazel", self.err)
        self.gc("--grace", "7", code=2)
        self.gc("--grace", "-7d", code=2)
        self.call("cache", "gc", "--layout", "bazel", "--max-size", "1GB", "absent", code=3)
        self.assertIn("cannot open the folder 'absent'", self.err)

    def test_as_json(self):
        self.entry(1, LONG_AGO)
        self.entry(2, DAY)
        document = self.document("cache", "gc", "--layout", "bazel", "--max-size", "1500", self.server)
        self.assertEqual(document, {"removed": True, "records": 1, "records_bytes": 67, "blobs": 1, "blobs_bytes": 1000, "unfinished": 0,
                                    "unfinished_bytes": 0, "kept_records": 1, "kept_records_bytes": 67, "kept_blobs": 1,
                                    "kept_blobs_bytes": 1000})


if __name__ == "__main__":
    unittest.main()
