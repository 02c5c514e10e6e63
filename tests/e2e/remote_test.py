"""A cache that several stores share: an HTTP server, a folder. Who may be believed, what comes over the wire, what an outage costs."""

import base64
import collections
import http.server
import json
import os
import pathlib
import shutil
import threading
import unittest

import satdl

SECRET = "hunter2-is-secret"


class Server(http.server.ThreadingHTTPServer):
    """GET and PUT of files by path, in memory; `answer` may answer a request in place of that, with a status."""

    daemon_threads = True

    def __init__(self):
        self.files, self.requests, self.headers = {}, [], []
        self.answer = lambda method, path: None
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/team"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def counts(self):
        """Of the requests since the last call: "GET ac" -> how many."""
        requests, self.requests = self.requests, []
        return collections.Counter(f"{method} {path.split('/')[2]}" for method, path in requests)

    def end(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """The client cuts off what it no longer wants."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def begin(self):
        self.server.requests.append((self.command, self.path))
        self.server.headers.append(dict(self.headers))
        return self.server.answer(self.command, self.path)

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        status = self.begin()
        if status in (301, 302, 307, 308):
            return self.reply(status, Location="http://127.0.0.2:1/elsewhere")
        body = self.server.files.get(self.path)
        if status or body is None:
            return self.reply(status or 404, b"" if status == 204 else b"<html>an error page</html>")
        self.reply(200, body)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.begin()
        if not status:
            self.server.files[self.path] = body
        self.reply(status or 201)

    def log_message(self, *_):
        pass


class Remote(satdl.Case):
    truth = {}  # the artifacts of a run without a remote

    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", satdl.DAG)
        if not self.truth:
            self.call("run", self.dag, "-q", "--store", "whole", "--remote", "none")
            self.truth.update(self.objects("whole"))

    def serve(self):
        server = Server()
        self.addCleanup(server.end)
        return server

    def key(self, name="ci"):
        """Makes the user's key; the public one."""
        return self.call("cache", "keygen", name).strip()

    def run_with(self, remote, *arguments, store="here", code=0):
        """A run's outcomes by stage, and its event `remote`."""
        events = self.events(self.dag, "--remote", remote, "--store", store, *arguments, code=code)
        outcomes = {event["stage"]: event["outcome"] for event in events if event["event"] == "stage"}
        return outcomes, next(event for event in events if event["event"] == "remote")

    def check_store(self, store="here"):
        """No artifact has other bytes than it has without a remote."""
        for key, artifact in self.objects(store).items():
            self.assertEqual(artifact, self.truth[key])

    def nobody_has(self, secret):
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name not in ("signing-key", "secret"):
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
        self.assertNotIn(secret, self.out + self.err)


class Http(Remote):
    def setUp(self):
        super().setUp()
        self.server = self.serve()
        self.url = self.server.url

    def upload(self):
        outcomes, use = self.run_with(self.url, store="first")
        self.assertEqual(use["uploads"], 7)
        self.server.counts()
        return outcomes

    def test_an_empty_store_resolves_the_dag_and_downloads_only_the_target(self):
        self.key()
        self.assertEqual(set(self.upload().values()), {"ran"})
        self.assertEqual(len(self.server.files), 14)
        outcomes, use = self.run_with(self.url, store="second")
        self.assertEqual(set(outcomes.values()), {"reused"})
        self.assertEqual((use["found"], use["downloads"], use["uploads"], use["problem"]), (7, 1, 0, None))
        self.assertEqual(self.server.counts(), {"GET ac": 7, "GET cas": 1})
        self.check_store("second")
        self.assertEqual(len(self.objects("second")), 1)
        self.assertTrue((self.folder / "second/results/quick/verdict.h5").exists())
        # What the store was told it remembers: nothing is asked again, and the tables need no artifact.
        self.call("run", self.dag, "--remote", self.url, "--store", "second")
        self.assertIn("7 reused", self.out)
        self.assertEqual(self.server.counts(), {})
        # The first of the two runs has a record, though nothing ran: what it has is new here.
        self.assertEqual(len(self.document("log", "--store", "second")["runs"]), 1)
        self.call("report", "--store", "second", "-o", "report.html")

    def test_a_stage_that_runs_fetches_its_inputs_alone(self):
        self.key()
        self.upload()
        outcomes, use = self.run_with(self.url, "epochs=3", store="second")
        self.assertEqual({stage for stage, outcome in outcomes.items() if outcome == "ran"}, {"trained_a", "trained_b", "verdict"})
        self.assertEqual((use["found"], use["downloads"], use["uploads"]), (4, 2, 3))

    def test_status_and_a_dry_run_say_what_a_run_would_do_and_write_nothing(self):
        self.key()
        self.upload()
        plan = self.document("status", self.dag, "--remote", self.url)
        self.assertIn("found in the remote", json.dumps(plan))
        self.assertNotIn('"run"', json.dumps(plan))
        self.assertIn("found in the remote", self.call("run", self.dag, "-n", "--remote", self.url))
        self.assertFalse((self.folder / ".satdl").exists())
        self.assertEqual(set(self.server.counts()), {"GET ac"})

    def test_a_blob_that_is_gone_is_a_miss_also_of_the_target(self):
        self.key()
        self.upload()
        for path in [path for path in self.server.files if "/cas/" in path]:
            del self.server.files[path]
        outcomes, use = self.run_with(self.url, store="second")
        self.assertEqual(outcomes["verdict"], "ran")
        self.assertEqual(use["found"], 7)
        self.check_store("second")
        self.assertTrue((self.folder / "second/results/quick/verdict.h5").exists())
        self.assertEqual(len([path for path in self.server.files if "/cas/" in path]), use["uploads"])

    def test_damage_is_found_whatever_it_is(self):
        self.key()
        self.upload()
        good = dict(self.server.files)
        for damage in (lambda body: body[:-1], lambda body: body + b"x", lambda body: b"", lambda body: body[:100] + b"\0" + body[101:],
                       lambda body: b"<html>welcome</html>"):
            for kind in ("/ac/", "/cas/"):
                self.server.files = {path: damage(body) if kind in path else body for path, body in good.items()}
                _, use = self.run_with(self.url, store="second")
                self.check_store("second")
                self.assertTrue((self.folder / "second/results/quick/verdict.h5").exists())
                self.assertLessEqual(self.err.count("warning"), 4)
                shutil.rmtree(self.folder / "second")

    def test_records_of_strangers_are_not_believed_until_they_are_trusted(self):
        public = self.key("ci")
        self.upload()
        shutil.rmtree(self.folder / "config")
        self.call("run", self.dag, "--remote", self.url, "--store", "second", code=2)
        self.assertIn("no key is trusted", self.err)
        self.key("ada")
        outcomes, use = self.run_with(self.url, store="second")
        self.assertEqual(set(outcomes.values()), {"ran"})
        self.assertEqual(use["found"], 0)
        self.assertEqual(self.err.count("it is signed by ci"), 1)
        self.assertIn("ci is trusted from now on", self.call("cache", "trust", public))
        self.assertEqual(len(self.call("cache", "trust").splitlines()), 2)
        outcomes, use = self.run_with(self.url, store="third")
        self.assertEqual(set(outcomes.values()), {"reused"})
        self.assertEqual(self.err, "")

    def test_without_a_private_key_a_user_reads_only(self):
        public = self.key()
        self.upload()
        shutil.rmtree(self.folder / "config")
        self.call("cache", "trust", public)
        self.call("run", self.dag, "epochs=3", "--remote", self.url, "--store", "second")
        self.assertIn("read only, since there is no private key", self.out)
        self.assertEqual(set(self.server.counts()), {"GET ac", "GET cas"})

    def test_an_outage_costs_a_line_and_is_made_up_for_later(self):
        self.key()
        self.server.answer = lambda method, path: 503
        self.call("run", self.dag, "--remote", self.url, "--store", "here")
        self.assertRegex(self.out, r"remote http://127.0.0.1:\d+/team: 0 found; lost \d+ look-ups?, 7 uploads: HTTP 503\n")
        self.assertEqual(self.err, "")
        self.assertLess(sum(self.server.counts().values()), 10)
        self.server.answer = lambda method, path: None
        outcomes, use = self.run_with(self.url)
        self.assertEqual(set(outcomes.values()), {"reused"})
        self.assertEqual(use["uploads"], 7)

    def test_a_server_that_is_not_there(self):
        self.key()
        self.server.end()
        self.call("run", self.dag, "--remote", self.url, "--store", "here")
        self.assertIn("7 ran", self.out)
        self.assertIn("; lost ", self.out)
        self.check_store()
        self.call("run", self.dag, "--remote", self.url, "--remote-required", "--store", "new", code=3)
        self.assertIn("does not answer, and is required", self.err)

    def test_answers_that_are_misses_and_answers_that_are_not(self):
        self.key()
        for status in (204, 302, 307, 400, 401, 403, 404, 500, 502):
            self.server.answer = lambda method, path: status if method == "GET" else None
            outcomes, use = self.run_with(self.url, store=f"s{status}")
            self.assertEqual(set(outcomes.values()), {"ran"}, status)
            self.assertEqual(use["lost_lookups"] == 0, status in (204, 404), status)
            self.check_store(f"s{status}")
            self.assertEqual(self.err.count("does not let you read"), status in (401, 403), status)
            self.server.files.clear()

    def test_credentials_reach_the_server_and_nothing_else(self):
        self.key()
        self.write("config/satdl/secret", SECRET).chmod(0o600)
        self.write("config/satdl/settings.yaml",
                   f"remote: {{url: {self.url}, user: ada, password-file: {self.folder}/config/satdl/secret}}\n")
        self.call("run", self.dag, "--store", "here", "-v")
        sent = f"Basic {base64.b64encode(f'ada:{SECRET}'.encode()).decode()}"
        self.assertEqual({headers.get("Authorization") for headers in self.server.headers}, {sent})
        self.nobody_has(SECRET)
        self.server.headers.clear()
        self.environment["SATDL_REMOTE_TOKEN"] = SECRET + "-token"
        self.server.answer = lambda method, path: 401
        self.call("run", self.dag, "epochs=4", "--store", "here", "-v")
        self.assertEqual({headers.get("Authorization") for headers in self.server.headers}, {f"Bearer {SECRET}-token"})
        self.nobody_has(SECRET)
        self.assertNotIn("Expect", set().union(*self.server.headers))
        self.assertNotIn("Transfer-Encoding", set().union(*self.server.headers))

    def test_a_program_of_a_stage_does_not_get_the_secrets(self):
        self.key()
        self.environment |= {"SATDL_REMOTE_TOKEN": SECRET, "SATDL_REMOTE_PASSWORD": SECRET}
        dag = self.write("env.yaml", "stages:\n  x: {command: \"env > ${out.list}\", out: {list: {file: list.txt}}}\n")
        self.call_any("run", dag, "--remote", self.url, "--store", "here")
        self.nobody_has(SECRET)

    def test_secrets_that_others_could_read_are_refused(self):
        self.key()
        (self.folder / "config/satdl/signing-key").chmod(0o644)
        self.call("run", self.dag, "--remote", self.url, code=2)
        self.assertIn("is not secret", self.err)
        self.call("run", self.dag, "--remote", f"http://ada:{SECRET}@127.0.0.1/", code=2)
        self.nobody_has(SECRET)

    def test_a_key_is_never_overwritten(self):
        self.key("ci")
        before = (self.folder / "config/satdl/signing-key").read_bytes()
        self.call("cache", "keygen", "other", code=2)
        self.assertEqual((self.folder / "config/satdl/signing-key").read_bytes(), before)
        self.assertEqual(os.stat(self.folder / "config/satdl/signing-key").st_mode & 0o777, 0o600)

    def test_a_sweep_takes_what_its_points_share_from_the_remote(self):
        self.key()
        self.upload()
        events = self.events(self.dag, "epochs=3,4,5", "--remote", self.url, "--store", "second")
        outcomes = collections.Counter(event["outcome"] for event in events if event["event"] == "stage")
        self.assertEqual(outcomes, {"reused": 4, "ran": 9})
        points = next(event for event in events if event["event"] == "sweep")
        self.call("run", self.dag, "epochs=3,4,5", "--store", "third", "-q", "--remote", "none")
        self.assertEqual(len(points["points"]), 3)
        shared = self.objects("third")
        for key, artifact in self.objects("second").items():
            self.assertEqual(artifact, shared[key])


class Folder(Remote):
    def setUp(self):
        super().setUp()
        self.shared = self.folder / "shared"
        self.shared.mkdir(mode=0o755)

    def test_a_folder_of_the_users_own_needs_no_keys(self):
        outcomes, use = self.run_with("shared", store="first")
        self.assertEqual((set(outcomes.values()), use["uploads"]), ({"ran"}, 7))
        self.assertEqual({path.name for path in self.shared.iterdir()}, {"ac", "cas", "tmp"})
        self.assertEqual(list((self.shared / "tmp").iterdir()), [])
        outcomes, use = self.run_with("shared", store="second")
        self.assertEqual((set(outcomes.values()), use["found"], use["downloads"]), ({"reused"}, 7, 1))
        self.check_store("second")

    def test_a_folder_that_others_can_write_to_needs_keys(self):
        self.shared.chmod(0o775)
        self.call("run", self.dag, "--remote", "shared", code=2)
        self.assertIn("no key is trusted", self.err)
        self.key()
        self.run_with("shared", store="first")
        outcomes, use = self.run_with("shared", store="second")
        self.assertEqual((set(outcomes.values()), use["found"]), ({"reused"}, 7))

    def test_a_folder_that_is_absent_is_a_mistake(self):
        self.call("run", self.dag, "--remote", "typo", code=2)
        self.assertIn("is not a folder that exists", self.err)
        self.assertFalse((self.folder / "typo").exists())

    def test_what_only_the_remote_has_is_no_riddle_to_other_commands(self):
        self.run_with("shared", store="first")
        self.environment["SATDL_REMOTE"] = "shared"
        self.call("run", self.dag, "-q")
        self.assertEqual(len(self.objects()), 1)
        states = {stage["stage"]: stage["state"] for stage in self.document("ls")["stages"]}
        self.assertEqual(states, {stage: "kept" if stage == "verdict" else "remote" for stage in satdl.STAGES})
        for command in (["ls"], ["show", "verdict"], ["status", self.dag], ["explain", self.dag, "c"], ["log"], ["cache", "verify"],
                        ["cache", "gc", "-n"]):
            self.call(*command)
        for command in (["show", "b"], ["export", "b.numbers", "b.npy"], ["diff", "b", "c"]):
            self.call_any(*command, codes=[0, 2])
            self.assertNotIn("unexpected", self.err)
        self.call("cache", "gc", "--older", "0", "--keep-runs", "0")
        self.assertEqual(self.ran(self.dag), set())
        self.call("check-determinism", self.dag, "verdict")
        self.call("reproduce", "verdict", code=2)  # its record is where it was made
        self.assertIn("no run's record says how", self.err)
        self.call("run", self.dag, "--smoke")


if __name__ == "__main__":
    unittest.main()
