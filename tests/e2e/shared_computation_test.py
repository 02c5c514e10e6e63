"""Runs that share a store compute each key once: who comes later waits, and takes over from one that ends without a result."""

import collections
import json
import select
import signal
import subprocess
import time
import unittest

import satdl

DAG = ("name: long\nparams: {milliseconds: 150}\nstages:\n  a: {kind: count_up}\n"
       "  long: {kind: pretend, in: {x: a.numbers}, epochs: 20, milliseconds: \"${milliseconds}\"}\n")


class Run:
    """A run of its own, whose events are read as they come."""

    def __init__(self, case, *arguments):
        self.case, self.events = case, []
        self.process = subprocess.Popen([satdl.BINARY / "satdl", "run", *map(str, arguments), "--json"], cwd=case.folder,
                                        env=case.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        case.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=60)

    def until(self, event, stage="long"):
        """Reads up to an event of this name, and returns it."""
        while not self.events or self.events[-1]["event"] != event or self.events[-1].get("stage", stage) != stage:
            self.case.assertTrue(select.select([self.process.stdout], [], [], 60)[0], f"no {event}: {self.events}")
            line = self.process.stdout.readline().decode()
            self.case.assertTrue(line, f"ended without {event}: {self.events}")
            self.events.append(json.loads(line))
        return self.events[-1]

    def finish(self, code=0):
        """The events to the end."""
        out, err = self.process.communicate(timeout=120)
        self.case.assertEqual(self.process.returncode, code, err.decode())
        self.events += [json.loads(line) for line in out.decode().splitlines()]
        return self.events

    def outcomes(self, code=0):
        return {event["stage"]: event["outcome"] for event in self.finish(code) if event["event"] == "stage"}


class SharedComputation(satdl.Case):
    whole = {}  # the artifacts of a run alone

    def setUp(self):
        super().setUp()
        self.dag = self.write("long.yaml", DAG)

    def two(self, *arguments):
        """A run that trains and has a checkpoint, and one that waits for it."""
        first = Run(self, self.dag, "--checkpoint-every", "0", *arguments)
        first.until("epoch")
        while not any((self.folder / ".satdl").glob("checkpoints/*.h5")):
            time.sleep(0.05)
        second = Run(self, self.dag, *arguments)
        return first, second, second.until("stage_waiting")

    def check_nothing_is_locked(self):
        if not self.whole:
            self.call("run", self.dag, "-q", "--store", "whole")
            self.whole.update(self.objects("whole"))
        self.assertEqual(self.objects(), self.whole)
        self.assertEqual(list((self.folder / ".satdl/claims").iterdir()), [])
        self.assertEqual(self.ran(self.dag), set())

    def test_the_second_waits_for_the_first_and_reuses_its_artifact(self):
        first, second, waiting = self.two()
        started = next(event for event in first.events if event["event"] == "run_started")
        self.assertEqual(waiting["holder"], f"run {started['run']} on host {started['host']}")
        self.assertEqual(first.outcomes(), {"a": "ran", "long": "ran"})
        self.assertEqual(second.outcomes(), {"a": "reused", "long": "reused"})
        long = [event for event in second.events if event["event"] == "stage"][-1]
        self.assertEqual(long["because"], f"{waiting['holder']} computed it")
        self.assertFalse([event for event in second.events if event["event"] == "stage_started"])
        self.check_nothing_is_locked()

    def test_when_the_first_is_killed_the_second_takes_over_from_its_checkpoint(self):
        first, second, _ = self.two()
        first.process.kill()
        self.assertEqual(second.outcomes()["long"], "resumed")
        self.check_nothing_is_locked()

    def test_when_the_first_is_interrupted_the_second_takes_over(self):
        first, second, _ = self.two()
        first.process.send_signal(signal.SIGINT)
        first.finish(130)
        self.assertEqual(second.outcomes()["long"], "resumed")
        self.check_nothing_is_locked()

    def test_a_run_that_waits_ends_when_its_own_user_says_so(self):
        first, second, _ = self.two()
        second.process.send_signal(signal.SIGINT)
        self.assertEqual(second.outcomes(130)["long"], "skipped")
        self.assertEqual(first.outcomes()["long"], "ran")
        self.check_nothing_is_locked()

    def test_what_fails_in_the_first_is_tried_by_the_second(self):
        go = self.folder / "go"
        self.dag = self.write("fails.yaml", "name: fails\nstages:\n  long: {kind: command, out: {x: file},\n    run: [sh, -c, "
                              f"'until [ -e {go} ]; do sleep 0.1; done; exit 3']}}\n")
        first = Run(self, self.dag)
        first.until("stage_started")
        second = Run(self, self.dag)
        second.until("stage_waiting")
        go.touch()
        self.assertEqual(first.outcomes(1)["long"], "failed")
        self.assertEqual(second.outcomes(1)["long"], "failed")
        self.assertEqual([event["stage"] for event in second.events if event["event"] == "stage_started"], ["long"])

    def test_forced_runs_compute_one_after_the_other(self):
        first = Run(self, self.dag, "-f", "long")
        first.until("epoch")
        second = Run(self, self.dag, "-f", "long")
        second.until("stage_waiting")
        self.assertEqual(first.outcomes()["long"], "ran")
        self.assertEqual(second.outcomes()["long"], "ran")
        self.check_nothing_is_locked()

    def test_eight_runs_compute_each_stage_once(self):
        dag = self.write("quick.yaml", satdl.DAG)
        runs = [Run(self, dag, "epochs=5") for _ in range(8)]
        ran = collections.Counter()
        for run in runs:
            ran.update(stage for stage, outcome in run.outcomes().items() if outcome == "ran")
        self.assertEqual(ran, collections.Counter(satdl.STAGES))
        self.assertEqual(list((self.folder / ".satdl/claims").iterdir()), [])

    def test_a_person_sees_whom_a_stage_waits_for(self):
        first = Run(self, self.dag)
        first.until("epoch")
        self.call("run", self.dag)
        self.assertRegex(self.out, r"(?m)^long: waits for run \S+ on host \S+, which computes the same$")
        self.assertRegex(self.out, r"long.*run \S+ on host \S+ computed it")
        first.finish()

    def test_a_store_that_cannot_keep_claims_computes_all_the_same(self):
        (self.folder / ".satdl").mkdir()
        (self.folder / ".satdl/claims").write_text("not a folder")
        self.assertEqual(self.outcomes(self.dag)["long"], "ran")

    def test_garbage_collection_removes_the_claims_of_killed_runs(self):
        self.call("run", self.dag, "a", "-q")
        first = Run(self, self.dag)
        first.until("epoch")
        first.process.kill()
        first.process.wait(timeout=60)
        self.assertEqual(len(list((self.folder / ".satdl/claims").iterdir())), 1)
        self.call("cache", "gc", "--older", "0")
        self.assertEqual(list((self.folder / ".satdl/claims").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
