"""Runs against servers that take uploads as they should not: nothing is lost but an upload, and who comes later has the right bytes.

One of the faults waits for a minute, so they run side by side."""

import unittest

import hostile_server as server
import remote
from hostile_server import Server

FAULTS = {
    "forgotten": server.forgotten, "kept torn": server.kept_torn, "refused before the end": server.refused_before_the_end,
    "reset in the middle": server.reset_in_the_middle_of_an_upload, "hung up": server.hung_up, "413": server.status(413),
    "500": server.status(500), "507": server.status(507), "401": server.status(401), "405": server.status(405), "204": server.status(204),
    "a redirect": server.redirect("/cas/" + "0" * 64, 308), "unread": server.unread, "garbage": server.garbage,
}


class HostileUploads(remote.RemoteCase):
    def setUp(self):
        super().setUp()
        self.truth()
        self.stored = self.published()

    def upload(self, beginning, fault):
        """Whatever the server has then, another store has the right bytes, and in the end the server too."""
        with Server() as hostile:
            hostile.fault("PUT", beginning, fault)
            self.check(self.run_with(hostile.url))
            hostile.faults.clear()
            other = self.run_with(hostile.url, "--remote-refresh")
            self.check(other)
            for path, data in hostile.stored.items():
                self.assertEqual(data, self.stored[path], path)

    def test_whatever_becomes_of_an_upload(self):
        remote.side_by_side(self, ((f"{name} for {kind}", lambda kind=kind, fault=fault: self.upload(kind, fault))
                                   for name, fault in FAULTS.items() for kind in ("ac/", "cas/")))

    def test_what_a_killed_run_did_not_upload_the_next_one_does(self):
        with Server() as hostile:
            hostile.fault("PUT", "", server.unread)
            store = self.folder / "killed"
            run = self.begin(hostile.url, store, "-q")
            self.wait_for(lambda: len(list(store.glob("objects/*/*.h5"))) == len(self.keys) and hostile.asked("PUT", ""))
            run.kill()
            run.communicate()
            hostile.faults.clear()
            self.check(self.run_with(hostile.url, store=store))
            self.assertEqual(hostile.stored, self.stored)


if __name__ == "__main__":
    unittest.main()
