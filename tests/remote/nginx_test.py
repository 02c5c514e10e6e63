"""Debian's nginx as the cache of several stores, with the configuration of docs/nginx-cache.conf: what they share, kill -9, cleaning."""

import hashlib
import os
import random
import subprocess
import threading
import time
import unittest

import nginx
import remote
from nginx import Nginx

# Artifacts of megabytes, so that an upload and a download take a while.
LARGE = """\
name: quick
params: {count: 400000, epochs: 1}
stages:
  a: {kind: count_up, count: "${count}"}
  b: {kind: add, in: {x: a.numbers}, amount: 1}
  signs: {kind: add, in: {x: b.numbers}, amount: 2}
  c: {kind: add, in: {x: b.numbers, y: a.numbers}}
  trained_a: {kind: add, in: {x: signs.numbers}, amount: 3}
  trained_b: {kind: add, in: {x: c.numbers}, amount: 4}
  verdict: {kind: add, in: {x: trained_a.numbers, y: trained_b.numbers}}
"""
LONG_AGO = (1_000_000_000, 1_000_000_000)


class WithNginx(remote.RemoteCase):
    def setUp(self):
        super().setUp()
        self.assertIsNotNone(nginx.program(), "there is no nginx: python3 tests/remote/nginx.py install")
        self.nginx = self.enterContext(Nginx())
        self.environment |= {"SATDL_REMOTE_USER": nginx.USER, "SATDL_REMOTE_PASSWORD": nginx.PASSWORD}
        self.make_user("reader", "ci", has_key=False)
        self.truth()

    def check_server(self):
        """Whatever has happened: each blob has the bytes of its name, is a local run's artifact, and has its user's mode."""
        truth = {hashlib.sha256(data).hexdigest() for data in self.truth().values()}
        for name, data in self.nginx.stored("cas").items():
            self.assertEqual(hashlib.sha256(data).hexdigest(), name)
            self.assertIn(name, truth)
        self.assertLessEqual(set(self.nginx.stored("ac")), set(self.truth()))


class Shared(WithNginx):
    def test_two_stores_share_results_and_an_empty_one_downloads_only_the_target(self):
        first = self.run_with(self.nginx.url)
        self.check(first)
        self.assertIn("7 uploaded", first.out)
        self.check_server()
        self.assertEqual(len(self.nginx.stored("cas")), 7)
        second = self.run_with(self.nginx.url, "-v", user="reader")
        self.check(second)
        self.assertIn("7 reused", second.out)
        self.assertIn("7 found, 1 downloaded", second.out)
        self.assertEqual(set(second.objects), {self.keys["verdict"]})
        self.assertEqual(second.err, "")

    def test_both_halves_of_the_work_meet(self):
        for target in ("trained_a", "trained_b"):
            run = self.run_with(self.nginx.url, target)
            self.assertEqual(run.code, 0)
        third = self.run_with(self.nginx.url, "-v")
        self.check(third)
        self.assertIn("1 ran", third.out)

    def test_who_may_not_write_is_told_once_and_loses_nothing(self):
        for user, password in ((nginx.USER, "wrong"), ("nobody", nginx.PASSWORD), (None, None)):
            environment = {key: value for key, value in self.environment.items() if not key.startswith("SATDL_REMOTE")}
            if user:
                environment |= {"SATDL_REMOTE_USER": user, "SATDL_REMOTE_PASSWORD": password}
            self.environment = environment
            run = self.run_with(self.nginx.url)
            self.check(run)
            self.assertEqual(run.err.count("does not let you write"), 1, run.text())
            self.assertEqual(self.nginx.stored("ac") | self.nginx.stored("cas"), {})

    def test_no_secret_is_in_any_file_or_output(self):
        self.environment["SATDL_SIGNING_KEY"] = secret = self.private_key("ci")
        (self.folder / "users/ci/satdl/signing-key").unlink()
        run = self.run_with(self.nginx.url, "-v", "--json")
        self.check(run)
        self.assertIn('"uploads":7', run.out)
        self.as_user("ci", "report", "-o", "report.html", "--store", run.store)
        files = [path for folder in (self.folder, self.nginx.folder) for path in folder.rglob("*")
                 if path.is_file() and path.name != "passwords"]
        self.assertGreater(len(files), 20)
        texts = [(str(path), path.read_bytes()) for path in files] + [("output", (run.out + run.err).encode())]
        for where, text in texts:
            for one in (nginx.PASSWORD, secret, secret.split(":")[2]):
                self.assertNotIn(one.encode(), text, where)


class Tls(remote.RemoteCase):
    def test_a_server_is_believed_to_be_itself_only_with_a_certificate_that_somebody_trusted_vouches_for(self):
        with Nginx(tls=True) as server:
            environment = {"SATDL_REMOTE_USER": nginx.USER, "SATDL_REMOTE_PASSWORD": nginx.PASSWORD}
            run = self.run_with(server.url, environment=environment)
            self.check(run)
            self.assertRegex(run.out, "lost .*certificate")
            self.assertEqual(server.log(), "")  # no request, and so no password
            settings = self.folder / "users/ci/satdl/settings.yaml"
            settings.write_text(f"remote: {{ca-file: {server.certificate}}}\n")
            run = self.run_with(server.url, environment=environment)
            self.check(run)
            self.assertIn("7 uploaded", run.out, run.text())
            self.assertEqual(len(server.stored("cas")), 7)


class Killed(WithNginx):
    def setUp(self):
        super().setUp()
        del self.local
        self.dag = self.write("quick.yaml", LARGE)
        self.folder.joinpath("local").rename(self.folder / "local-of-the-quick-dag")
        self.truth()

    def kill_at_random(self, dice, rounds, make_store, user, longest):
        """kill -9 of a run after a random time, again and again; how many were killed."""
        killed = 0
        for _ in range(rounds):
            run = self.begin(self.nginx.url, make_store(), "-q", user=user)
            try:
                run.wait(dice.uniform(0, longest))
            except subprocess.TimeoutExpired:
                killed += 1
            run.kill()
            run.communicate()
            self.check_server()
        return killed

    def seconds(self, user):
        start = time.monotonic()
        run = self.run_with(self.nginx.url, "-q", user=user)
        self.check(run)
        return time.monotonic() - start

    def test_kill_9_during_uploads(self):
        dice = random.Random(1)
        longest = self.seconds("ci")
        for folder in ("ac", "cas"):
            for path in (self.nginx.root / folder).iterdir():
                path.unlink()
        numbers = iter(range(1000))
        self.assertGreater(self.kill_at_random(dice, 12, lambda: self.folder / f"killed-{next(numbers) // 3}", "ci", longest), 0)
        for number in range(4):
            self.check(self.run_with(self.nginx.url, "-q", store=self.folder / f"killed-{number}"))
        self.check(self.run_with(self.nginx.url, "-q", user="reader"))
        self.check_server()

    def test_kill_9_during_downloads(self):
        dice = random.Random(2)
        self.check(self.run_with(self.nginx.url, "-q"))
        longest = self.seconds("reader")
        numbers = iter(range(1000))
        self.kill_at_random(dice, 12, lambda: self.folder / f"killed-{next(numbers) // 3}", "reader", longest)
        for number in range(4):
            run = self.run_with(self.nginx.url, store=self.folder / f"killed-{number}", user="reader")
            self.check(run)
            self.assertIn("7 reused", run.out, run.text())

    def test_cleaning_beside_runs(self):
        """The worst case: everything counts as old, and goes."""
        ended = threading.Event()
        cleaned = []

        def clean():
            while not ended.wait(0.02):
                for folder in ("ac", "cas"):
                    for path in (self.nginx.root / folder).glob("*"):
                        try:
                            os.utime(path, LONG_AGO)
                        except FileNotFoundError:
                            pass
                gc = ("cache", "gc", "--layout", "bazel", "--max-size", "1", "--grace", "0s", self.nginx.root)
                cleaned.append(self.as_user("ci", *gc, code=None))

        self.check(self.run_with(self.nginx.url, "-q"))
        cleaner = threading.Thread(target=clean)
        cleaner.start()
        try:
            for user in ("ci", "reader", "ci", "reader", "ci"):
                run = self.run_with(self.nginx.url, user=user)
                self.check(run)
                self.assertNotIn("damaged", run.err, run.text())
        finally:
            ended.set()
            cleaner.join()
        self.assertEqual({one[0] for one in cleaned}, {0}, cleaned[0])
        self.assertTrue(any("removed 0 records (0 B) and 0 artifacts" not in one[1] for one in cleaned))
        self.check_server()
        self.check(self.run_with(self.nginx.url, "--remote-refresh"))

    def test_an_nginx_that_ends_in_the_middle(self):
        run = self.begin(self.nginx.url, self.folder / "outage")
        end = time.monotonic() + 60
        while not self.nginx.log() and time.monotonic() < end:
            time.sleep(0.005)
        self.nginx.stop()
        run.communicate(timeout=remote.SECONDS)
        self.assertEqual(run.returncode, 0)
        self.nginx.start()
        self.check_server()
        self.check(self.run_with(self.nginx.url, store=self.folder / "outage"))


if __name__ == "__main__":
    unittest.main()
