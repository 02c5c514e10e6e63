"""Runs against servers that answer as they should not: the results are a local run's, no run hangs, and each says once what was wrong.

Most of the faults wait for a time-out, so they run side by side."""

import signal
import unittest

import hostile_server as server
import remote
from hostile_server import Server

MISS, HARMLESS = "a miss, of which nothing is said", "it does no harm"

# What answers a GET of a record or of an artifact.
FAULTS = {
    "short": server.short, "long": server.long, "endless": server.endless, "slow": server.slow, "stalled": server.stalled,
    "stalled in the middle": server.stalled_in_the_middle, "slow headers": server.slow_headers, "endless headers": server.endless_headers,
    "garbage": server.garbage, "garbage headers": server.garbage_headers, "a body alone": server.body_alone,
    "a huge length": server.huge_length, "an impossible length": server.impossible_length, "a negative length": server.negative_length, "empty": server.empty,
    "a zip bomb": server.zip_bomb, "reset in the middle": server.reset_in_the_middle, "hung up": server.hung_up,
    "500": server.status(500), "503": server.status(503), "401": server.status(401, ("WWW-Authenticate", "Basic realm=x")),
    "403": server.status(403), "400": server.status(400), "206": server.status(206), "200 with an error page": server.status(200),
    "a loop": server.redirect(lambda path: path), "a redirect to the same host": server.redirect(lambda path: "/cas/" + "0" * 64, 307),
    "the first bit turned": server.changed(lambda data: server.flipped(data, 0)), "cut off": server.changed(lambda data: data[:-1]),
    "prolonged": server.changed(lambda data: data + b"\0"),
    "204": (server.status(204), MISS), "404": (server.status(404), MISS), "410": (server.status(410), MISS),
    "long behind its length": (server.long_behind_its_length, HARMLESS), "two lengths": (server.two_lengths, HARMLESS),
}


class HostileAnswers(remote.RemoteCase):
    def setUp(self):
        super().setUp()
        self.truth()
        self.stored = self.published()
        self.make_user("reader", "ci", has_key=False)

    def check_said_once(self, run, place):
        """In one warning, in the line about the remote at the end of the run, or in both."""
        warnings = [line for line in run.err.splitlines() if "warning" in line or "satdl" in line]
        self.assertLessEqual(len(warnings), 1, run.text())
        lines = [line for line in run.out.splitlines() if line.startswith("remote ")]
        self.assertEqual(len(lines), 1, run.text())
        self.assertIn(place, lines[0], run.text())
        self.assertTrue(warnings or "lost" in lines[0], f"nothing is said\n{run.text()}")

    def answer(self, beginning, fault, user="ci"):
        """A run from nothing against a server with this fault, then one against an honest server."""
        fault, kind = fault if isinstance(fault, tuple) else (fault, None)
        with Server() as hostile:
            hostile.stored = dict(self.stored)
            hostile.fault("GET", beginning, fault)
            run = self.run_with(hostile.url, user=user)
            self.check(run)
            if kind is not None:
                self.assertEqual(run.err, "", run.text())
            else:
                self.check_said_once(run, hostile.url)
            hostile.faults.clear()
            self.assertEqual(hostile.stored, self.stored, "what was replaced is something else")
            again = self.run_with(hostile.url, store=run.store, user=user)
            self.check(again)
            self.assertNotIn(" ran ", again.out, again.text())

    def test_whatever_is_sent_for_a_record_or_an_artifact(self):
        remote.side_by_side(self, ((f"{name} for {kind}", lambda kind=kind, fault=fault: self.answer(kind, fault))
                                   for name, fault in FAULTS.items() for kind in ("ac/", "cas/")))

    def test_a_redirect_to_another_host_gets_neither_a_request_nor_a_password(self):
        for kind in ("ac/", "cas/"):
            with Server() as hostile, Server() as other:
                hostile.stored, other.stored = dict(self.stored), dict(self.stored)
                hostile.fault("GET", kind, server.redirect(lambda path: other.url + path))
                hostile.fault("PUT", kind, server.redirect(lambda path: other.url + path, 307))
                run = self.run_with(hostile.url, environment={"SATDL_REMOTE_USER": "ci", "SATDL_REMOTE_PASSWORD": remote.PASSWORD})
                self.check(run)
                self.assertEqual(other.requests, [])

    def test_a_server_that_fails_now_and_then_costs_little(self):
        with Server() as hostile:
            hostile.stored = dict(self.stored)
            hostile.fault("GET", "ac/", server.hung_up, 1)
            hostile.fault("GET", "cas/", server.short, 1)
            run = self.run_with(hostile.url, user="reader")
            self.check(run)
            self.assertNotIn(" ran ", run.out, run.text())

    def test_a_required_remote_that_does_not_answer_ends_the_run(self):
        faults = {name: FAULTS[name] for name in ("stalled", "hung up", "500", "garbage", "401", "a loop")}
        def one(fault):
            with Server() as hostile:
                hostile.fault("GET", "ac/", fault)
                run = self.run_with(hostile.url, "--remote-required", code=None)
                self.assertEqual(run.code, 3, run.text())
                self.assertIn(hostile.url, run.err)
        remote.side_by_side(self, ((name, lambda fault=fault: one(fault)) for name, fault in faults.items()))
        with Server() as gone:
            url = gone.url
        self.assertEqual(self.run_with(url, "--remote-required", code=None).code, 3)
        self.check(self.run_with(url))

    def test_a_run_ends_at_once_when_its_user_says_so(self):
        for method, kind in (("GET", "ac/"), ("GET", "cas/"), ("PUT", "cas/")):
            with self.subTest(f"{method} {kind}"), Server() as hostile:
                hostile.stored = dict(self.stored) if method == "GET" else {}
                hostile.fault(method, kind, server.stalled)
                run = self.begin(hostile.url, self.folder / f"stopped-{method}-{kind[:-1]}")
                self.wait_for(lambda: hostile.asked(method, kind))
                run.send_signal(signal.SIGINT)
                run.communicate(timeout=20)
                self.assertIn(run.returncode, (0, 130, -signal.SIGINT))  # 0: all stages were done; the signal itself: while it was planned


if __name__ == "__main__":
    unittest.main()
