"""satdl log, note, rm: lists of runs."""

import csv
import hashlib
import io
import json
import os
import shutil
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
        self.assertEqual([run["metrics"]["more"] for run in runs],
                         [max(run["metrics"]["twice"], 0) + run["params"]["amount"] for run in runs])
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
        self.assertRegex(self.call("log", run["run"]), r"(?m)^outcome +interrupted$(.|\n)*^slow was interrupted at epoch \d+.*, resumable$")
        self.assertRegex(self.call("run", "slow.yaml", "-n"), r"resume +slow +interrupted at epoch \d+, step \d+, \d+ %\n")
        self.call("rm", run["run"])

    def details(self, run="20"):
        return json.loads(self.call("log", run, "--json"))["runs"][0]

    def git(self, *arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, stdout=subprocess.PIPE).stdout

    def test_a_run_has_its_command_line_machine_versions_and_variables(self):
        self.environment["SATDL_TRUST"] = "0"
        self.environment["MKL_CBWR"] = "COMPATIBLE"
        self.call("run", self.dag, "-q", "amount=11")
        environment = self.details()["environment"]
        self.assertEqual(environment["command"][1:], ["run", str(self.dag), "-q", "amount=11"])
        self.assertEqual(environment["folder"], str(self.folder.resolve()))
        self.assertEqual(environment["os"], f"{os.uname().sysname} {os.uname().release}")
        self.assertGreater(environment["memory_bytes"], 0)
        self.assertEqual(environment["gpus"], [])
        self.assertTrue({"oneTBB", "HDF5", "SQLite"} <= set(environment["libraries"]))
        self.assertEqual(environment["variables"]["SATDL_STAGES"], str(satdl.SIMPLE))
        self.assertEqual(environment["ignored_variables"], ["MKL_CBWR"])
        text = self.call("log", self.details()["run"])
        self.assertRegex(text, r"(?m)^command    \S*satdl run \S*quick.yaml -q amount=11$")
        self.assertRegex(text, r"(?m)^outcome    done in .*: 7 ran$")
        self.assertRegex(text, r"(?m)^set        amount=11$")
        self.assertRegex(text, r"(?m)^satdl      \S+, oneTBB ")
        self.assertRegex(text, r"(?m)^ignored    MKL_CBWR$")
        self.assertRegex(text, r"(?m)^verdict.difference +-")

    def test_a_run_has_what_each_stage_cost(self):
        self.call("run", self.dag, "-q", "-j", "1")
        stages = {stage["stage"]: stage for stage in self.details()["stages"]}
        self.assertEqual(set(stages), set(satdl.STAGES))
        for stage in stages.values():
            self.assertGreaterEqual(stage["cpu_seconds"], 0)
            self.assertGreater(stage["peak_bytes"], 1_000_000)
            self.assertNotIn("shared", stage)  # one at a time
        numbers = json.loads(self.call("show", "b", "--json"))["tensors"][0]["shape"][0] * 8
        self.assertEqual((stages["a"]["read_bytes"], stages["a"]["written_bytes"]), (0, numbers))
        self.assertEqual((stages["c"]["read_bytes"], stages["c"]["written_bytes"]), (2 * numbers, numbers))
        self.assertRegex(self.call("log", "20"), r"(?m)^stage +outcome +time +CPU +peak memory +read +written$")
        self.call("run", self.dag, "-q", "-f", "--isolate")
        newest = self.details(json.loads(self.call("log", "--json", "-n", "1"))["runs"][0]["run"])
        for stage in newest["stages"]:
            self.assertGreater(stage["peak_bytes"], 1_000_000)
            self.assertNotIn("shared", stage)

    @unittest.skipUnless(shutil.which("git"), "there is no git")
    def test_a_run_has_its_commit_and_the_digest_of_what_differs(self):
        self.call("run", self.dag, "-q")
        self.assertIsNone(self.details()["git"])  # no repository
        self.git("init", "-q")
        self.call("run", self.dag, "-q", "-f", "--save-diff")
        self.assertIsNone(self.details(self.newest())["git"])  # no commit
        self.git("add", "quick.yaml")
        self.git("commit", "-qm", "first")
        self.call("run", self.dag, "-q", "-f")
        git = self.details(self.newest())["git"]
        self.assertEqual((git["commit"], git["dirty"], git["diff_sha256"], git["diff_bytes"]),
                         (self.git("rev-parse", "HEAD").decode().strip(), False, None, 0))
        self.assertIn(f"commit     {git['commit']}\n", self.call("log", self.newest()))
        self.write("quick.yaml", DAG + "# more\n")
        self.call("run", self.dag, "-q", "-f", "--save-diff")
        run = self.newest()
        git = self.details(run)["git"]
        diff = self.git("diff", "--binary", "HEAD")
        self.assertEqual((git["dirty"], git["diff_bytes"], git["saved"]), (True, len(diff), True))
        self.assertEqual(git["diff_sha256"], hashlib.sha256(diff).hexdigest())
        self.assertEqual((self.folder / ".satdl/runs" / run / "diff.patch").read_bytes(), diff)
        self.assertIn(f"with changes: diff {git['diff_sha256'][:12]} ({len(diff)} B), .satdl/runs/{run}/diff.patch",
                      " ".join(self.call("log", run).split()))
        # A run in which nothing ran asks nobody.
        self.environment["PATH"] = ""
        self.call("run", self.dag, "-q")
        self.call("run", self.dag, "-q", "-f")  # there is no git
        self.assertIsNone(self.details(self.newest())["git"])

    def newest(self):
        return json.loads(self.call("log", "--json", "-n", "1"))["runs"][0]["run"]

    def test_what_one_run_is_asked_in_vain(self):
        self.run_three()
        self.call("log", "2026", code=2)
        self.assertIn("satdl: 3 runs begin with '2026'", self.err)
        self.call("log", "1999", code=2)
        self.assertIn("'1999' is no run in .satdl", self.err)
        run = self.newest()
        self.call("log", run, "--md", code=2)
        self.assertEqual(self.err, f"satdl: '{run}' is a run: only --json applies to it\n  `satdl compare RUN RUN` has --csv and --md\n")
        # A DAG may be called so, too.
        self.call("run", self.write("2026.yaml", DAG.replace("name: quick", "name: '2026'")), "-q", "-f")
        self.assertEqual([run["dag"] for run in self.log("2026")], ["2026"])

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
