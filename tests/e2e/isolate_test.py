"""Stages that crash, exit, hang, eat memory or throw anything: what becomes of the run, with and without a process of their own."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import satdl

LONG = ("name: long\nstages:\n  a: {kind: count_up}\n"
        "  long: {kind: pretend, in: {x: a.numbers}, epochs: 40, milliseconds: 50%s}\n")


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Wild(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment["SATDL_STAGES"] = f"{satdl.SIMPLE}:{satdl.WILD}"
        # With sanitizers in the program: a crash is to stay a crash.
        self.let_sanitizers("handle_segv=0", "handle_abort=0", "allocator_may_return_null=1", "detect_leaks=0")

    def wild(self, how, **keys):
        """A DAG in which `bad` misbehaves, `after` needs it, and `other` needs `a` alone."""
        more = "".join(f", {key}: {value}" for key, value in keys.items())
        return self.write("wild.yaml", f"name: wild\nstages:\n  a: {{kind: count_up}}\n  bad: {{kind: wild, how: {how}{more}}}\n"
                                       "  after: {kind: add, in: {x: bad.numbers}}\n  other: {kind: add, in: {x: a.numbers}}\n")

    def failure(self, dag, *arguments):
        """The event of `bad`, which fails, while what does not need it runs."""
        events = self.events(dag, "-k", *arguments, code=1)
        self.log = [event["message"] for event in events if event["event"] == "log"]
        outcomes = {event["stage"]: event for event in events if event["event"] == "stage"}
        self.assertEqual({name: event["outcome"] for name, event in outcomes.items()},
                         {"a": "ran", "bad": "failed", "after": "skipped", "other": "ran"})
        self.assertEqual(outcomes["bad"]["place"], f"{dag}:4:3")
        self.assertIn(f"stage bad (wild, {dag}:4:3) failed", self.err)
        shutil.rmtree(self.folder / ".satdl")
        return outcomes["bad"]

    def test_a_limit_of_the_size_of_files_says_that_it_is_one_of_shared_memory_too(self):
        dag = self.write("large.yaml", "name: large\nstages: {a: {kind: count_up, count: 100000}}\n")
        for kilobytes, call in ((1, "ftruncate"), (100, "write")):
            done = subprocess.run(["bash", "-c", f"ulimit -f {kilobytes}; '{satdl.BINARY}/satdl' run {dag} -q --isolate"], cwd=self.folder,
                                  env=self.environment, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"failed: cannot share memory with another process: {call}: File too large\n  to the kernel this memory is a file: "
                          "raise `ulimit -f`, or do without --isolate, `isolate` and `memory`\n", done.stderr)

    def begin(self, *arguments):
        return subprocess.Popen([satdl.BINARY / "satdl", "run", *arguments], cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def until(self, what, say):
        """Waits for it, as long as it takes on a busy machine."""
        for _ in range(6000):
            if what():
                return
            time.sleep(0.01)
        self.fail(say)

    def note(self):
        return int((self.folder / "note").read_text())


class Crashes(Wild):
    def test_a_crash_is_reported_with_its_signal_and_last_output_and_the_other_stages_still_run(self):
        for how, words in (("segfault", r"it crashed with SIGSEGV \(Segmentation fault\)"), ("abort", r"it crashed with SIGABRT \(Aborted\)"),
                           ("exit", "its process exited with code 3 instead of returning")):
            with self.subTest(how):
                error = self.failure(self.wild(how), "--isolate")["error"]
                self.assertRegex(error, words)
                for said in (f"about to {how}", f"on stdout: {how}", f"on stderr: {how}"):
                    self.assertIn(f"\n    {said}", error)
                self.assertIn(f"on stdout: {how}", self.log)

    def test_isolation_implies_keep_going(self):
        dag = self.write("side.yaml", "name: side\nstages:\n  bad: {kind: wild, how: segfault}\n"
                                      "  a: {kind: count_up}\n  b: {kind: add, in: {x: a.numbers}}\n")
        self.call("run", dag, "--isolate", "-j1", code=1)
        stages = {stage["stage"]: stage["action"] for stage in self.document("status", dag)["stages"]}
        self.assertEqual(stages, {"bad": "run", "a": "reuse", "b": "reuse"})

    def test_a_single_stage_may_be_isolated(self):
        self.assertIn("SIGSEGV", self.failure(self.wild("segfault", isolate="true"))["error"])

    def test_a_stage_that_closes_what_is_not_its_own_fails_alone(self):
        self.failure(self.wild("close_all"), "--isolate")

    def test_any_exception_is_reported_alike_with_and_without_isolation(self):
        for how, words in (("throw_int", "it threw something that is not an exception"), ("throw_words", "index 7"),
                           ("usage", "the numbers do not fit"), ("stop_unasked", "it stopped without being asked to"),
                           ("undeclared", "'letters' was never declared"), ("wrong_type", "int64"), ("named", "one array without a name")):
            with self.subTest(how):
                inside = self.failure(self.wild(how))["error"]
                self.assertIn(words, inside)
                self.assertEqual(self.failure(self.wild(how), "--isolate")["error"], inside)

    def test_the_worker_refuses_to_run_by_itself(self):
        self.call("exec-node", code=2)
        self.assertIn("--isolate", self.err)


class SameBytes(Wild):
    def test_the_outcomes_are_the_same_to_the_last_byte_and_so_are_the_keys(self):
        dag = self.write("quick.yaml", satdl.DAG)
        self.call("run", dag, "-q", "--store", "inside")
        plain = self.call("run", dag, "--store", "inside")
        self.call("run", dag, "-q", "--isolate")
        inside = self.objects("inside")
        self.assertEqual(self.objects(), inside)
        self.assertEqual(set(self.outcomes(dag).values()), {"reused"})
        self.assertIn("A against B", plain)
        self.assertIn("A against B", self.call("run", dag, "--isolate", "-f"))

    def test_how_a_stage_is_watched_over_is_not_in_its_key(self):
        plain = self.wild("nothing")
        self.call("run", plain, "-q")
        watched = self.wild("nothing", isolate="true", memory="1GB", timeout="1h", retries=2, retry_delay="1s")
        self.assertEqual(set(self.outcomes(watched).values()), {"reused"})
        self.assertEqual(self.document("explain", watched, "bad")["action"], "reuse")

    def test_a_smoke_run_isolates_too(self):
        self.call("run", self.write("quick.yaml", satdl.DAG), "--smoke", "--isolate")
        self.assertIn("7 stages fit together", self.out)


class NothingSurvives(Wild):
    def test_of_a_stage_that_returns_and_of_one_that_crashes(self):
        self.call("run", self.wild("grandchild"), "--isolate", "-q")
        self.assertFalse(alive(self.note()))
        (self.folder / "note").unlink()
        self.assertIn("SIGSEGV", self.failure(self.wild("grandchild_then_segfault"), "--isolate", "-f")["error"])
        self.assertFalse(alive(self.note()))

    def end(self, number):
        process = self.begin(self.wild("grandchild_then_hang"), "--isolate", "-q")
        self.until((self.folder / "note").exists, "the stage never started its child")
        process.send_signal(number)
        if number == signal.SIGINT:
            time.sleep(0.2)
            self.assertIsNone(process.poll())  # it hears no request to stop
            process.send_signal(number)
        process.communicate(timeout=60)
        self.until(lambda: not alive(self.note()), "a grandchild is left")
        return process.returncode

    def test_when_satdl_is_killed(self):
        self.assertEqual(self.end(signal.SIGKILL), -signal.SIGKILL)

    def test_when_it_is_interrupted_twice(self):
        self.assertEqual(self.end(signal.SIGINT), 130)


class Stopping(Wild):
    def test_a_stopped_stage_stores_a_checkpoint_from_which_the_next_run_resumes(self):
        dag = self.write("long.yaml", LONG % "")
        self.call("run", dag, "-q", "--store", "whole")
        self.assertEqual(self.signalled(signal.SIGINT, dag, "--isolate")[0], 130)
        actions = {stage["stage"]: stage["action"] for stage in self.document("status", dag)["stages"]}
        self.assertEqual(actions["long"], "resume")
        self.assertEqual(self.outcomes(dag, "--isolate")["long"], "resumed")
        whole = self.objects("whole")
        self.assertEqual(self.objects(), whole)


class Limits(Wild):
    def test_past_its_timeout_a_stage_is_asked_to_stop(self):
        dag = self.write("long.yaml", LONG % ", timeout: 300ms")
        for isolate in ([], ["--isolate"]):
            self.call("run", dag, "-f", *isolate, code=1)
            self.assertIn("it exceeded its timeout of 0.3 s and was stopped", self.err)

    def test_a_retry_resumes_from_the_checkpoint_at_the_timeout(self):
        dag = self.write("long.yaml", LONG % ", timeout: 900ms, retries: 20")
        event = [event for event in self.events(dag) if event.get("stage") == "long"][-1]
        self.assertEqual(event["outcome"], "resumed")
        self.assertGreater(event["attempt"], 1)

    def test_a_stage_that_ignores_the_stop_request_is_killed_after_a_grace_period(self):
        error = self.failure(self.wild("hang", timeout="200ms"), "--isolate")["error"]
        self.assertIn("it exceeded its timeout of 0.2 s, did not stop when asked, and was killed 1 s later", error)
        self.assertIn("about to hang", error)

    def test_a_stage_that_logs_without_end_does_not_escape_its_timeout(self):
        self.assertIn("was killed 1 s later", self.failure(self.wild("flood", timeout="200ms"), "--isolate")["error"])

    def test_a_memory_limit_isolates_the_stage_and_kills_it_beyond_the_limit(self):
        error = self.failure(self.wild("allocate", memory="200MB"))["error"]
        self.assertRegex(error, r"memory.*its limit is 200 MB \((cgroup v[12]|RLIMIT_DATA)\)")

    def test_a_stage_within_its_memory_limit_runs_as_without_one(self):
        self.assertEqual(set(self.outcomes(self.wild("nothing", memory="1GB")).values()), {"ran"})


class Retries(Wild):
    def test_a_transient_failure_is_retried_and_every_attempt_is_reported(self):
        for how, words in (("third_time", "not this time"), ("third_time_crash", r"it crashed with SIGABRT \(Aborted\)")):
            dag = self.wild(how, retries=2, retry_delay="10ms", isolate="true")
            events = self.events(dag)
            log = [event["message"] for event in events if event["event"] == "log" and event["level"] == "warning"]
            self.assertEqual(len(log), 2)
            self.assertRegex(log[0], f"^attempt 1 of 3 failed: {words}; attempt 2 follows in 0.01 s$")
            self.assertRegex(log[1], f"^attempt 2 of 3 failed: {words}; attempt 3 follows in 0.01 s$")
            bad = [event for event in events if event["event"] == "stage" and event["stage"] == "bad"][0]
            self.assertEqual((bad["outcome"], bad["attempt"], bad["attempts"]), ("ran", 3, 3))
            (self.folder / "note").unlink()
            self.assertRegex(self.call("run", dag, "-f", "-s", "bad"), r"bad +ran .*; attempt 3 of 3")
            (self.folder / "note").unlink()

    def test_after_the_last_retry_the_last_error_is_reported(self):
        bad = self.failure(self.wild("third_time", retries=1))
        self.assertEqual((bad["attempt"], bad["attempts"]), (2, 2))
        self.assertRegex(self.err, r"failed, attempt 2 of 2: not this time")

    def test_a_usage_error_is_not_retried(self):
        for how in ("usage", "wrong_type"):
            self.assertEqual(self.failure(self.wild(how, retries=3))["attempt"], 1)


class Libraries(Wild):
    """A stage library is looked at before anything of it runs."""

    def setUp(self):
        super().setUp()
        self.library = self.folder / "mine/libwild_stages.so"
        self.library.parent.mkdir(mode=0o755)
        for name in ("libwild_stages.so", "libwild_stages.json"):
            shutil.copy(satdl.BINARY / name, self.library.parent / name)
        self.library.chmod(0o755)
        self.environment["SATDL_STAGES"] = f"{satdl.SIMPLE}:{self.library}"
        self.environment["SATDL_TEST_LOADED"] = str(self.folder / "loaded")

    def refused(self, *words):
        for isolate in ([], ["--isolate"]):
            error = self.failure(self.wild("nothing"), *isolate)["error"]
            for word in (str(self.library), *words):
                self.assertIn(word, error)
            self.assertFalse((self.folder / "loaded").exists())

    def test_one_that_others_may_write_to_is_refused_with_what_to_do(self):
        self.library.chmod(0o757)
        self.refused("others may write to its file", f"chmod go-w '{self.library}'")
        self.library.chmod(0o755)
        self.library.parent.chmod(0o757)
        self.refused("others may write to its folder", f"chmod go-w '{self.library.parent}'")

    @unittest.skipUnless(os.geteuid() == 0, "files of others are made by root alone")
    def test_one_of_another_user_is_refused(self):
        os.chown(self.library, 12345, 12345)
        self.refused("belongs to another user (uid 12345)")

    def test_one_that_its_manifest_does_not_describe_is_refused_before_its_constructors_run(self):
        shutil.copy(satdl.BINARY / "libwild_other_abi.so", self.library)
        self.refused("the manifest next to it describes a different build of libwild_stages.so")
        self.library.write_text("this is no library")
        self.refused("the manifest next to it describes a different build of libwild_stages.so")

    def test_a_manifest_of_another_abi_is_refused_before_anything_is_planned(self):
        manifest = self.library.with_suffix(".json")
        manifest.write_text(re.sub('"abi":[0-9]+', '"abi":3', manifest.read_text()))
        self.call("run", self.wild("nothing"), code=3)
        self.assertIn("it was built for stage ABI 3", self.err)
        self.assertFalse((self.folder / "loaded").exists())

    def test_one_that_is_replaced_during_the_run_is_not_loaded(self):
        self.replaced_during_the_run(self.library)

    def test_one_whose_manifest_is_replaced_is_not_loaded_in_a_process_of_its_own(self):
        self.replaced_during_the_run(self.library.with_suffix(".json"), "--isolate")

    def replaced_during_the_run(self, path, *arguments):
        dag = self.write("wild.yaml", "name: wild\nstages:\n  a: {kind: count_up}\n"
                                      "  slow: {kind: pretend, in: {x: a.numbers}, epochs: 10, milliseconds: 100}\n"
                                      "  bad: {kind: wild, in: {after: slow.metrics}, how: nothing}\n")
        process = self.begin(dag, "--json", *arguments)
        for line in process.stdout:
            if b'"epoch"' in line:
                break
        copy = path.with_suffix(".new")
        shutil.copy(path, copy)
        copy.rename(path)
        rest = process.communicate(timeout=60)[0].decode()
        self.assertEqual(process.returncode, 1)
        self.assertIn("was replaced after this run was planned", rest)
        self.assertFalse((self.folder / "loaded").exists())

    def test_its_digest_is_in_the_record_of_the_run(self):
        event = [event for event in self.events(self.wild("nothing")) if event.get("stage") == "bad" and event["event"] == "stage"][0]
        digest = subprocess.run(["sha256sum", self.library], capture_output=True, text=True, check=True).stdout.split()[0]
        self.assertEqual(event["library_sha256"], digest)
        self.assertEqual(self.document("show", "bad")["made"]["library_sha256"], digest)
        self.assertIn(digest, self.call("show", "bad"))


if __name__ == "__main__":
    unittest.main()
