"""Runs that nobody looks at: in the background, and with jobs that have lost their controller; `satdl attach` and `satdl cancel`."""

import json
import os
import re
import signal
import time
import unittest

import satdl

DAG = ("name: long\nparams: {milliseconds: 1, epochs: 3}\nstages:\n  a: {kind: count_up}\n"
       "  long: {kind: pretend, in: {x: a.numbers}, epochs: \"${epochs}\", milliseconds: \"${milliseconds}\"}\n")
RUN_ID = r"\d{8}T\d{6}\.\d{6}-\d+"


class Background(satdl.Case):
    def setUp(self):
        super().setUp()
        self.write("long.yaml", DAG)

    def process_of(self, run):
        """Its number, from its record."""
        record = (self.folder / ".satdl/runs" / run / "events.jsonl").read_text()
        started = next(json.loads(line) for line in record.splitlines() if '"run_started"' in line)
        return int(started["process"].split(".")[2])

    def detached(self, *arguments):
        return re.search(RUN_ID, self.call("run", "long.yaml", *arguments, "--detach"))[0]

    def test_a_detached_run_goes_on_and_attach_shows_it_until_it_ends(self):
        run = self.detached()
        shown = self.call("attach", run[:20])
        self.assertIn("long: epoch 3/3", shown)
        self.assertIn("2 stages: 2 ran", shown)
        self.assertEqual(self.document("log")["runs"][0]["outcome"], "done")
        self.assertEqual((self.folder / ".satdl/runs" / run / "output.txt").read_text(), shown)
        self.assertEqual(self.call("attach", run), shown, "it was too short to be seen alive")
        self.assertIn("no run in .satdl has jobs", self.fails("attach"))

    def fails(self, *arguments):
        self.call(*arguments, code=2)
        return self.err

    def test_mistakes_come_before_a_run_is_detached_and_leave_nothing(self):
        self.assertIn("nope.yaml", self.fails("run", "nope.yaml", "--detach"))
        self.assertIn("no parameter 'epoch'", self.fails("run", "long.yaml", "epoch=2", "--detach"))
        self.assertIn("--detach cannot be combined with --smoke", self.fails("run", "long.yaml", "--smoke", "--detach"))
        self.assertEqual(list((self.folder / ".satdl/runs").glob("*")), [])

    def test_a_detached_run_that_is_stopped_says_so_to_whom_is_attached(self):
        run = self.detached("milliseconds=200", "epochs=1000")
        output = self.folder / ".satdl/runs" / run / "output.txt"
        while "epoch 1/" not in output.read_text():
            time.sleep(0.05)
        os.kill(self.process_of(run), signal.SIGTERM)
        self.assertIn("running again resumes long from epoch", self.call("attach", run, code=1))

    # ---- jobs without a controller, as one that was killed leaves them

    def leave_jobs(self, run, arguments, queue="slurm"):
        jobs = self.folder / ".satdl/runs" / run / "jobs"
        jobs.mkdir(parents=True)
        machine = {"cores": 1, "cpu": "", "processor": "", "memory_bytes": 0, "bf16": ""}
        (jobs / "run-1.json").write_text(json.dumps({
            "format": 1, "build": "", "run": run, "folder": str(self.folder), "store": str(self.folder / ".satdl"), "results": "",
            "dag": "long.yaml", "profile": "", "overrides": [], "sweep": None, "stage_libraries": [], "trust": False,
            "accept_undeclared_files": False, "isolate": False, "checkpoint_every_seconds": 60, "final_checkpoints": True,
            "machine": machine, "executor": "", "queue": queue, "arguments": ["run", *arguments]}))
        (jobs / "journal.jsonl").write_text('{"event":"intent","jobs":["b1.a1"]}\n')
        (jobs / "open").write_text("run-1.json\n")

    def test_attach_runs_again_as_it_was_where_it_was(self):
        run = self.events("long.yaml")[-1]["run"]
        self.leave_jobs(run, ["long.yaml", "epochs=4", "--detach"])
        shown = self.call("attach", "--store", self.folder / ".satdl")
        self.assertIn("long: epoch 4/4", shown)

    def test_a_run_with_jobs_is_detached_in_the_log_and_cannot_be_removed(self):
        self.call("run", "long.yaml")
        run = self.document("log")["runs"][0]["run"]
        self.leave_jobs(run, ["long.yaml"])
        self.assertIn("may have jobs: nothing was removed", self.fails("rm", run))
        self.assertEqual(self.document("log")["runs"][0]["outcome"], "done")  # its record is whole: its stages ran
        record = self.folder / ".satdl/runs" / run / "events.jsonl"
        record.write_text("".join(line for line in record.read_text().splitlines(True) if '"run_finished"' not in line))
        self.assertEqual(self.document("log")["runs"][0]["outcome"], "detached")

    def test_cancel_needs_a_run_with_jobs_and_a_batch_system_that_satdl_knows(self):
        self.call("run", "long.yaml")
        self.assertIn("no run in .satdl has jobs", self.fails("cancel"))
        self.leave_jobs("20260101T000000.000000-1", [], queue="nothing")
        self.assertIn("no run with jobs begins with '2025'", self.fails("cancel", "2025"))
        self.assertIn("satdl knows no batch system 'nothing'", self.fails("cancel"))

    def test_damaged_files_of_jobs_are_errors(self):
        self.call("run", "long.yaml")
        self.leave_jobs("20260101T000000.000000-1", [])
        file = self.folder / ".satdl/runs/20260101T000000.000000-1/jobs/run-1.json"
        for text in ("", "[]", '{"format":2}', "x" * 1000):
            file.write_text(text)
            self.call("attach", code=3)
            self.assertIn("run-1.json' is not as satdl writes it", self.err)


if __name__ == "__main__":
    unittest.main()
