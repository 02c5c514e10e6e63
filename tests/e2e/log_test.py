"""satdl log, note, rm: lists of runs."""

import csv
import io
import json
import signal
import subprocess
import time
import unittest

import satdl
from satdl import DAG


class Log(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def run_three(self):
        for arguments in (["amount=10"], ["amount=11", "--profile", "long"], ["amount=1,2"]):
            self.call("run", self.dag, "-q", *arguments)

    def log(self, *arguments):
        return json.loads(self.call("log", "--json", *arguments))["runs"]

    def test_runs_are_listed_with_what_was_asked_of_them_and_what_they_came_to(self):
        self.run_three()
        sweep, long, first = self.log()
        self.assertEqual([run["outcome"] for run in (sweep, long, first)], ["done"] * 3)
        self.assertEqual(first["set"], {"amount": 10})
        self.assertEqual(first["params"], {"first": 1, "amount": 10, "epochs": 2})
        self.assertEqual((long["profile"], long["params"]["epochs"]), ("long", 5))
        header, = [json.loads(line) for line in self.call("show", "verdict", "--json").splitlines()]
        self.assertEqual(set(first["main"]), {f"verdict.{name}" for name in header["metrics"]["metrics"]})
        self.assertTrue(set(first["metrics"]) > set(first["main"]))
        self.assertEqual([point["settings"] for point in sweep["points"]], [{"amount": 1}, {"amount": 2}])

    def test_a_list_is_filtered_sorted_and_cut(self):
        self.run_three()
        self.assertEqual([run["params"]["amount"] for run in self.log("-w", "amount >= 10 and not profile = long")], [10])
        self.assertEqual([run["params"]["amount"] for run in self.log("--points", "--sort", "amount")], [11, 10, 2, 1])
        self.assertEqual([run["params"]["amount"] for run in self.log("--points", "--sort", "amount", "--reverse", "-n", "1")], [1])
        self.assertEqual(len(self.log("-n", "2")), 2)
        self.assertEqual(self.log("another"), [])
        self.assertEqual(len(self.log("quick")), 3)
        self.assertIn("1 more: --all, or -n", self.call("log", "-n", "2"))
        self.call("log", "-w", "amout > 1", code=2)
        self.assertIn("--where:1:1: error: none of the runs has a value for 'amout'", self.err)
        self.assertIn("did you mean 'amount'?", self.err)
        self.call("log", "--sort", "amout", code=2)
        self.call("log", "--metrics", "amout", code=2)
        self.call("log", "--json", "--md", code=2)

    def test_a_list_as_a_table_as_csv_and_as_markdown(self):
        self.run_three()
        self.assertIn("2 points of amount", self.call("log"))
        rows = list(csv.DictReader(io.StringIO(self.call("log", "--csv", "-", "--points"))))
        self.assertEqual([row["params.amount"] for row in rows], ["1", "2", "11", "10"])
        name = next(name for name in rows[0] if name.startswith("metrics.verdict."))
        self.assertEqual(float(rows[3][name]), self.log()[2]["metrics"][name.removeprefix("metrics.")])
        lines = self.call("log", "--md", "--metrics", name).splitlines()
        self.assertEqual((len(lines), lines[1][:6]), (5, "| --- "))

    def test_runs_in_which_nothing_ran_are_listed_on_demand(self):
        self.call("run", self.dag, "-q")
        self.call("run", self.dag, "-q")
        self.assertEqual([run["ran"] for run in self.log()], [7])
        self.assertEqual([(run["ran"], run["reused"]) for run in self.log("--all")], [(0, 7), (7, 0)])

    def test_the_index_is_not_needed(self):
        self.run_three()
        before = self.log()
        self.assertEqual(self.log(), before)
        (self.folder / ".satdl/index.sqlite").unlink()
        self.assertEqual(self.log(), before)

    def test_notes_and_tags(self):
        self.run_three()
        first = self.log()[2]["run"]
        self.call("note", first, "the", "first", "--tag", "base")
        self.call("note", first, "--tag", "seven")
        run, = self.log("-w", "tags contains base and note contains first")
        self.assertEqual((run["run"], run["note"], run["tags"]), (first, "the first", ["base", "seven"]))
        self.assertEqual(self.call("note", first), f"{first}: [base] [seven] the first\n")
        self.assertIn("[base] [seven] the first", self.call("log"))
        self.call("note", first, "--untag", "base")
        self.assertEqual(self.log()[2]["tags"], ["seven"])
        self.assertEqual(self.call("note", first, "--clear"), f"{first}: (no note)\n")
        self.call("note", first, "--untag", "base", code=2)
        self.call("note", first, "--tag", "two words", code=2)
        self.call("note", "2026", "x", code=2)
        self.assertIn("3 runs begin with '2026'", self.err)
        self.call("note", "nope", code=2)
        self.assertIn("'nope' is no run in .satdl", self.err)
        self.assertEqual(json.loads(self.call("cache", "verify", "--json"))["records"]["damaged"], [])

    def test_tags_by_themselves(self):
        self.run_three()
        first = self.log()[2]["run"]
        self.assertEqual(self.call("tag", first, "base", "seven"), f"{first}: [base] [seven]\n")
        self.assertEqual([run["run"] for run in self.log("-w", "tags contains seven")], [first])
        self.assertEqual(self.call("tag", first, "seven", "-d"), f"{first}: [base]\n")
        self.assertEqual(self.call("tag", first), f"{first}: [base]\n")
        self.call("tag", first, "sven", "-d", code=2)
        self.assertEqual(self.err, f"satdl: run {first} has no tag 'sven'\n  known: base\n")
        self.call("tag", first, "two words", code=2)
        self.assertEqual(self.err, "satdl: 'two words' is no tag: it has a space, a comma or a bracket\n  a tag is one word\n")

    def test_a_number_is_computed_from_those_that_runs_have(self):
        self.run_three()
        runs = self.log("--points", "--add", "twice=2 * verdict.difference", "--add", "more=max(twice, 0) + amount")
        self.assertEqual([run["metrics"]["twice"] for run in runs], [2 * run["metrics"]["verdict.difference"] for run in runs])
        self.assertEqual([run["metrics"]["more"] for run in runs], [max(run["metrics"]["twice"], 0) + run["params"]["amount"] for run in runs])
        sweep = self.log("--add", "twice=2 * verdict.difference")[0]
        self.assertEqual([point["metrics"]["twice"] for point in sweep["points"]],
                         [2 * point["metrics"]["verdict.difference"] for point in sweep["points"]])
        best = self.log("--points", "--add", "cost=amount * epochs", "-w", "cost > 2", "--sort", "cost", "-n", "1")
        self.assertEqual(best[0]["metrics"]["cost"], 55)
        self.assertIn("  cost  ", self.call("log", "--points", "--add", "cost=amount * epochs").splitlines()[1])
        self.assertIn(",cost\n", self.call("log", "--csv", "-", "--metrics", "cost", "--add", "cost=amount / 2"))
        self.call("log", "--add", "cost=amuont * 2", code=2)
        self.assertEqual(self.err, "--add:1:6: error: none of the runs has a value for 'amuont'\n"
                                   "    1 | cost=amuont * 2\n      |      ^\n      = did you mean 'amount'?\n")
        self.call("log", "--add", "verdict.difference=1", code=2)
        self.assertIn("has a value for 'verdict.difference' already", self.err)

    def test_a_record_is_removed_and_its_artifacts_stay(self):
        self.run_three()
        before = self.objects()
        runs = [run["run"] for run in self.log()]
        self.call("rm", runs[0], runs[2])
        self.assertEqual([run["run"] for run in self.log()], [runs[1]])
        self.assertEqual(self.objects(), before)
        self.call("rm", runs[1], "nope", code=2)
        self.assertEqual(len(self.log()), 1)

    def test_a_run_that_was_killed_is_interrupted_and_says_where_it_resumes(self):
        self.write("slow.yaml", "name: slow\nstages:\n  a: {kind: count_up, first: 1}\n"
                                "  slow: {kind: pretend, in: {x: a.numbers}, epochs: 10000, keep_all: true}\n")
        running = subprocess.Popen([satdl.BINARY / "satdl", "run", "slow.yaml", "-q", "--checkpoint-every", "0.1"], cwd=self.folder,
                                   env=self.environment)
        try:
            deadline = time.monotonic() + 60
            while not list(self.folder.glob(".satdl/checkpoints/*")) and time.monotonic() < deadline:
                time.sleep(0.02)
            run, = self.log()
            self.assertEqual(run["outcome"], "running")
            self.call("rm", run["run"], code=2)
            self.assertIn("it may be running", self.err)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        run, = self.log()
        self.assertEqual((run["outcome"], [stage["stage"] for stage in run["unfinished"]]), ("interrupted", ["slow"]))
        self.assertRegex(self.call("log"), r"slow was interrupted at epoch \d+.*, resumable")
        self.call("rm", run["run"])

    def test_an_empty_store_and_none(self):
        self.assertIn("nothing has run in this store yet", self.call("log"))
        self.call("log", "--store", "nowhere", code=2)
        self.call("note", "x", code=2)
        self.call("rm", "x", code=2)

    def test_a_damaged_record_is_said(self):
        self.call("run", self.dag, "-q")
        record = next(self.folder.glob(".satdl/runs/*/events.jsonl"))
        record.write_bytes(record.read_bytes().replace(b'"outcome":"ran"', b'"outcome":"rAn"', 1))
        self.call("log")
        self.assertIn("is damaged: its row may lack something", self.err)


if __name__ == "__main__":
    unittest.main()
