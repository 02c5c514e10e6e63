"""Sweeps as experiments: repetitions, failing points, resuming, what the record keeps."""

import csv
import json
import unittest

import satdl

# Two trainings on what an amount and a seed make of some numbers; the amount 3 fails.
DAG = """\
name: study
params: {amount: 10, seed: 1, of: 0, file: null}
stages:
  a: {kind: count_up, first: "${seed}"}
  b: {kind: add, in: {x: a.numbers}, amount: "${amount}"}
  signs: {kind: sign, in: {x: a.numbers}}
  m2: {kind: pretend, in: {x: signs.numbers}, milliseconds: 0}
  m3: {kind: pretend, in: {x: b.numbers}, milliseconds: 0}
  verdict: {kind: against, in: {a: m3.metrics, b: m2.metrics}}
"""
FAILING = """\
name: failing
params: {kind_of: 1, message: no luck}
stages:
  a: {kind: count_up}
  b: {kind: fail, in: {y: a.numbers}, message: "${message}"}
  m: {kind: pretend, in: {x: b.numbers}, milliseconds: 0}
"""


class Repetitions(satdl.Case):
    SWEEP = ("--sweep", "amount=1,2", "--sweep", "seed=range(1,4)")

    def setUp(self):
        super().setUp()
        self.dag = self.write("study.yaml", DAG)

    def sweep_of(self, *arguments, code=0):
        return [event for event in self.events(self.dag, *arguments, code=code) if event["event"] == "sweep"][0]

    def test_a_seed_is_no_setting(self):
        sweep = self.sweep_of(*self.SWEEP, "--csv", "points.csv")
        self.assertEqual([(axis["param"], axis["repeats"]) for axis in sweep["axes"]], [("amount", False), ("seed", True)])
        self.assertEqual([row["settings"] for row in sweep["rows"]], [{"amount": 1}, {"amount": 2}])
        self.assertEqual([row["points"] for row in sweep["rows"]], [[0, 1, 2], [3, 4, 5]])
        for row in sweep["rows"]:
            cell = row["metrics"]["verdict.difference"]
            values = [sweep["points"][point]["metrics"]["verdict.difference"] for point in row["points"]]
            self.assertEqual((cell["n"], cell["values"]), (3, values))
            self.assertAlmostEqual(cell["mean"], sum(values) / 3)
            self.assertAlmostEqual(cell["sd"] ** 2, sum((value - cell["mean"]) ** 2 for value in values) / 2)
        with open(self.folder / "points.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(row["amount"], row["seed"]) for row in rows[:3]], [("1", "1"), ("1", "2"), ("1", "3")])
        self.assertEqual(float(rows[0]["verdict.difference.mean"]), sweep["rows"][0]["metrics"]["verdict.difference"]["mean"])
        self.assertRegex(self.call("run", self.dag, *self.SWEEP), r"(?m)^ +1  3  -?\d\.\d+ ± \d")
        self.assertEqual(len(self.sweep_of(*self.SWEEP, "--repeat", "none")["rows"]), 6)

    def test_two_metrics_are_compared_over_the_seeds(self):
        sweep = self.sweep_of(*self.SWEEP, "--paired", "m2.loss,m3.loss")
        paired = sweep["rows"][0]["paired"][0]
        self.assertEqual((paired["a"], paired["b"], paired["n"]), ("m2.loss", "m3.loss", 3))
        self.assertLess(paired["low"], paired["mean"])
        self.assertEqual(paired["told_from_zero"], paired["low"] > 0)
        out = self.call("run", self.dag, "--sweep", "amount=1", "--sweep", "seed=1", "--paired", "m2.loss,m3.loss")
        self.assertIn("n = 1: there is no interval from one value", out)

    def test_a_seed_that_reaches_nothing_gives_one_artifact_and_no_interval(self):
        dag = self.write("deaf.yaml", DAG.replace('first: "${seed}"', "first: 1"))
        events = self.events(dag, "seed=range(1,6)", "--paired", "m2.loss,m3.loss", "--csv", "points.csv")
        sweep, = [event for event in events if event["event"] == "sweep"]
        self.assertTrue(sweep["axes"][0]["unused"])
        row, = sweep["rows"]
        self.assertEqual({name: (metric["n"], metric["sd"]) for name, metric in row["metrics"].items()},
                         {"m2.loss": (1, None), "m3.loss": (1, None)})
        paired, = row["paired"]
        self.assertEqual((paired["n"], paired["low"], paired["told_from_zero"], paired["same"]), (1, None, None, ["m2", "m3"]))
        with open(self.folder / "points.csv", newline="") as file:
            self.assertEqual([(line["m2.loss.n"], line["m2.loss.sd"]) for line in csv.DictReader(file)], [("1", "")] * 5)
        out = self.call("run", dag, "seed=range(1,6)", "--paired", "m2.loss,m3.loss")
        self.assertIn("warning: seed reaches no stage of this run: its 5 values give the same results", self.err)
        self.assertRegex(out, r"(?m)^1 of 5  ")
        self.assertIn("n = 1: m2, m3 are each the same artifact in all 5 points, so there is no interval", out)
        self.assertNotIn("greater", out)

    def test_a_seed_that_reaches_one_side_says_which(self):
        dag = self.write("half.yaml", DAG.replace("signs: {kind: sign, in: {x: a.numbers}}",
                                                  "one: {kind: count_up}\n  signs: {kind: sign, in: {x: one.numbers}}"))
        out = self.call("run", dag, "seed=range(1,4)", "--paired", "m2.loss,m3.loss")
        self.assertIn("n = 3 (only m3 varies, m2 is the same artifact in all 3 points): ", out)
        self.assertRegex(out, r"\(n=1\)")

    def test_the_columns_of_selected_targets_are_their_metrics(self):
        sweep = self.sweep_of("amount=1,2", "m2", "m3")
        self.assertIn("m3.loss", sweep["metrics"])
        self.assertIn("m2.loss", sweep["metrics"])
        self.assertIn("m3.loss", self.sweep_of("amount=1,2", "m3", "verdict")["metrics"])
        self.call("run", self.dag, "m2", "amount=1,2")
        self.assertIn("warning: amount reaches no stage of this run", self.err)

    def test_the_best_comes_first(self):
        sweep = self.sweep_of("--sweep", "amount=2,1", "--metric", "m3.loss")
        self.assertEqual((sweep["sorted_by"], sweep["best"]), ("m3.loss", "min"))
        self.assertEqual([(row["settings"]["amount"], row["best"]) for row in sweep["rows"]], [(1, True), (2, False)])
        worst = self.sweep_of("--sweep", "amount=2,1", "--metric", "m3.loss", "--best", "max")
        self.assertEqual(worst["rows"][0]["settings"], {"amount": 2})

    def test_a_metric_that_no_stage_reports_is_an_error_as_early_as_possible(self):
        self.call("run", self.dag, "--sweep", "amount=1,2", "--metric", "m4.loss", code=2)
        self.assertIn("did you mean", self.err)
        self.assertFalse((self.folder / ".satdl/runs").exists())
        self.call("run", self.dag, "--sweep", "amount=1,2", "--metric", "verdict.diffrence", code=2)
        self.assertIn("verdict reports no metric 'diffrence'\n  did you mean 'verdict.difference'?", self.err)
        self.call("run", self.dag, "verdict", "amount=1,2", "--paired", "m2.loss,verdict.a", code=2)
        self.assertIn("verdict reports no metric 'a'", self.err)
        self.call("run", self.dag, "m3", "amount=1,2", "--metric", "verdict.difference", code=2)
        self.assertIn("no stage 'verdict' of this run reports metrics", self.err)
        self.assertFalse((self.folder / ".satdl/runs").exists())
        out = self.call("run", self.dag, "--sweep", "amount=1,2", "--metric", "m3.lsos", code=2)
        self.assertIn("did you mean 'm3.loss'?", self.err)
        self.assertIn("m3.loss", out)  # the table has what there is
        self.call("run", self.dag, "--sweep", "amount=1,2", "--metric", "lsos", code=2)
        self.assertNotIn("sorted", self.out)
        for arguments in (["--metric", "loss"], ["--best", "max"], ["--sweep", "amount=1", "--best", "max"],
                          ["--sweep", "amount=1", "--paired", "p"], ["--sweep", "amount=1", "--repeat", "seed"],
                          ["--sweep", "amount=range(0,1000000000)"], ["--sweep", "amount=range(1,1)"],
                          ["--sweep", "amount=range(1,2,0)"], ["--sweep", "amuont=1"],
                          ["--sweep", "amount=range(9000)", "--sweep", "seed=range(9000)"]):
            self.call("run", self.dag, *arguments, code=2)
            self.assertTrue(self.err)

    def test_the_section_of_the_file_has_its_matrix_its_exceptions_and_its_repetitions(self):
        self.dag = self.write("study.yaml", DAG + """\
sweep:
  matrix: {amount: [1, 2], seed: [1, 2]}
  exclude: [{amount: 2, seed: 2}]
  include: [{amount: 5}, {amount: 7, of: 1}]
""")
        points = lambda sweep: [tuple(point["settings"].values()) for point in sweep["points"]]
        sweep = self.sweep_of("--sweep")
        self.assertEqual(points(sweep), [(1, 1, 0), (1, 2, 0), (2, 1, 0), (5, 1, 0), (7, 1, 1)])
        self.assertEqual([axis["values"] for axis in sweep["axes"]], [[1, 2, 5, 7], [1, 2], [1, 0]])
        self.assertEqual([row["points"] for row in sweep["rows"]], [[0, 1], [2], [3], [4]])
        self.assertEqual(len(self.sweep_of("--sweep", "--repeat", "none")["rows"]), 5)
        self.call("run", self.dag, "--sweep", "--sweep", "amount=1", code=2)
        self.assertIn("'amount' is swept twice", self.err)
        self.write("study.yaml", DAG + "sweep: {matrix: {amount: [1, 2]}, exclude: [{amount: 3}]}\n")
        self.call("run", self.dag, "--sweep", code=2)
        self.assertIn("study.yaml:10:54: error: this excludes no point: 'amount' is never the number 3", self.err)

    def test_an_argument_with_an_equals_sign_is_a_parameter(self):
        def settings(*arguments):
            return [tuple(point["settings"].items()) for point in self.sweep_of(*arguments)["points"]]

        self.assertEqual(settings("amount=1,2", "of=3", "m3"), [(("amount", 1),), (("amount", 2),)])
        self.assertEqual(settings("seed=range(1,3)", "--sweep", "amount=4"), [(("amount", 4), ("seed", 1)), (("amount", 4), ("seed", 2))])
        self.assertEqual(set(self.outcomes(self.dag, "amount=1,2", "m3[amount=2]")), {"a", "b[amount=2]", "m3[amount=2]"})
        self.assertNotIn("sweep", [event["event"] for event in self.events(self.dag, "amount=2", "--set", "amount=1")])
        self.assertEqual(set(self.outcomes(self.dag, "amount=2").values()), {"reused"})
        self.assertIn("amount: 2 -> 3", self.call("status", self.dag, "b", "amount=3"))
        for arguments, words in ((["amuont=1"], "override:1:1: error: there is no parameter 'amuont'\n    1 | amuont=1"),
                                 (["amuont=1,2"], "override:1:1: error: there is no parameter 'amuont' to sweep"),
                                 (["amount="], "override:1:8: error: a value is missing here"),
                                 (["=1"], "this is not 'parameter=value'"),
                                 (["amount=range(1,2,0)"], "override:1:8: error: the step of this range is zero"),
                                 (["amount=range(2,1)"], "override:1:8: error: this range is empty"),
                                 (["amount=1,2", "amount=3,4"], "'amount' is swept twice"),
                                 (["--set", "amount=1,2"], "--set:1:10: error: 'amount' takes one value here")):
            self.call("run", self.dag, *arguments, code=2)
            self.assertIn(words, self.err)
        self.call("run", self.dag, "amuont=1", code=2)
        self.assertIn("did you mean 'amount'?", self.err)
        self.call("status", self.dag, "amount=1,2", code=2)
        self.assertIn("override:1:10: error: 'amount' takes one value here", self.err)

    def test_points_can_go_one_after_the_other(self):
        events = self.events(self.dag, "amount=1,2,3", "--max-parallel", "1", "m3", "-j", "8")
        self.assertEqual([event["stage"] for event in events if event["event"] == "stage_started"],
                         ["a"] + [f"{stage}[amount={amount}]" for amount in (1, 2, 3) for stage in ("b", "m3")])
        self.call("run", self.dag, "--max-parallel", "1", code=2)
        self.assertIn("--max-parallel needs a sweep", self.err)
        self.call("run", self.dag, "amount=1,2", "--max-parallel", "0", code=2)

    def test_a_sweep_prints_its_amount_of_work_before_it_starts(self):
        out = self.call("run", self.dag, "--sweep", "amount=1,2", "-n")
        self.assertTrue(out.startswith("2 points: 9 stages, 3 shared by all, 0 reused, 1 to run, 8 that may run\n"), out)
        events = self.events(self.dag, "--sweep", "amount=1,2")
        self.assertEqual([event["event"] for event in events[:2]], ["run_started", "sweep_started"])
        self.assertEqual((events[1]["stages"], events[1]["shared"], events[1]["reused"]), (9, 3, 0))
        self.assertEqual(events[1]["points"][1]["stages"]["m3"], {"stage": "m3[amount=2]"})
        out = self.call("run", self.dag, "--sweep", "amount=1,2")
        self.assertTrue(out.startswith("2 points: 9 stages, 3 shared by all, 9 reused, 0 to run\n"), out)
        self.assertRegex(self.call("run", self.dag, "--sweep", "amount=1,2", "-f"), r"to run.*, about .* cores? \(estimated from earlier runs\)")
        self.assertRegex(self.call("run", self.dag, "--sweep", "amount=1,2", "-f", "-n", "--max-parallel", "1"),
                         r", about .* cores?, 1 point at a time \(estimated from earlier runs\)")

    def test_the_record_keeps_the_sweep_even_where_nothing_ran(self):
        for _ in range(2):
            events = self.events(self.dag, "--sweep", "amount=1,2")
            run = events[0]["run"]
            kept = [json.loads(line) for line in (self.folder / ".satdl/runs" / run / "events.jsonl").read_text().splitlines()]
            kept_alone = ("environment", "git")
            self.assertEqual([event["event"] for event in kept if event["event"] not in kept_alone], [event["event"] for event in events])
            def content(event):  # the record and the output each write the event at a time of their own
                return {name: value for name, value in event.items() if name not in ("check", "wall_time")}

            self.assertEqual(content(kept[-1]), content(events[-1]))
            keys = {event["stage"]: event["key"] for event in kept if event["event"] == "stage"}
            for stage in kept[-1]["points"][1]["stages"].values():
                self.assertEqual(stage["key"], keys[stage["stage"]])

    def test_a_stage_that_was_added_runs_over_all_points_of_an_old_sweep(self):
        before = self.sweep_of("amount=1,2", "seed=1,2", "of=2")
        # Since then another value has become the default, and a parameter and a stage were added.
        dag = self.write("study.yaml", DAG.replace("of: 0,", "of: 77, fresh: 3,")
                         + '  measured: {kind: add, in: {x: b.numbers}, amount: "${fresh}"}\n')
        after = [event for event in self.events(dag, "--like", before["run"]) if event["event"] in ("stage", "sweep")]
        self.assertEqual(after[-1]["points"][0]["settings"], before["points"][0]["settings"])
        self.assertEqual([row["settings"] for row in after[-1]["rows"]], [row["settings"] for row in before["rows"]])
        self.assertEqual({event["stage"].split("[")[0] for event in after if event.get("outcome") == "ran"}, {"measured"})
        self.assertEqual(after[-1]["points"][3]["metrics"], before["points"][3]["metrics"])
        # The command line gives more.
        self.assertEqual({stage.split("[")[0] for stage in self.ran(dag, "--like", before["run"], "fresh=4")}, {"measured"})

    def test_a_run_is_repeated_with_its_settings(self):
        self.call("run", self.dag, "amount=5", "-q")
        run = json.loads(self.call("log", "--json", "-n", "1"))["runs"][0]["run"]
        self.write("study.yaml", DAG.replace("amount: 10,", "amount: 77,").replace("seed: 1", "first: 1").replace("${seed}", "${first}"))
        self.assertEqual(self.ran(self.dag, "--like", run), set())
        self.assertEqual(self.err, f"satdl: warning: run {run} had parameters that {self.dag} does not have: seed\n")
        for arguments, message in [
                (["--like", run, "amount=1,2"], "satdl: --like cannot be combined with a sweep\n  --like RUN has the points of that run\n"),
                (["--like", "1999"], f"satdl: '1999' is no run in .satdl\n  the newest run is "),
                (["--like", run, "--store", "nowhere"], "satdl: there is no store in 'nowhere'\n")]:
            self.call("run", self.dag, *arguments, code=2)
            self.assertTrue(self.err.startswith(message), self.err)
        self.call("run", self.dag, "amount=1,2", "-q")
        sweep = json.loads(self.call("sweep", "list", "--json"))["runs"][0]["run"]
        self.call("run", self.dag, "--like", sweep, "amount=3", code=2)
        self.assertIn(f"run {sweep} swept 'amount'", self.err)


class Failures(satdl.Case):
    def test_a_failed_point_does_not_stop_the_others_and_the_same_command_continues_the_sweep(self):
        dag = self.write("study.yaml", DAG.replace('kind: add, in: {x: a.numbers}, amount: "${amount}"',
                                                   'kind: bytes_of, file: "in-${amount}"'))
        self.write("in-1", "abcd")
        self.write("in-2", "")  # no numbers at all
        self.write("in-3", "bcde")
        arguments = (dag, "--sweep", "amount=1,2,3", "--csv", "points.csv", "--metric", "m3.loss")
        events = self.events(*arguments, code=1)
        outcomes = {event["stage"]: event["outcome"] for event in events if event["event"] == "stage"}
        self.assertEqual([outcomes[f"m3[amount={amount}]"] for amount in (1, 2, 3)], ["ran", "skipped", "ran"])
        self.assertEqual(outcomes["b[amount=2]"], "failed")
        self.assertEqual(outcomes["verdict[amount=2]"], "skipped")
        points = events[-1]["points"]
        self.assertEqual([len(point["failures"]) for point in points], [0, 1, 0])
        self.assertEqual(points[1]["failures"], [{"stage": "b[amount=2]", "error": "the file has no bytes"}])
        self.assertIsNone(points[1]["metrics"]["m3.loss"])
        self.assertEqual([row["failed"] for row in events[-1]["rows"]], [0, 0, 1])
        with open(self.folder / "points.csv", newline="") as file:
            errors = {row["amount"]: row["error"] for row in csv.DictReader(file)}
        self.assertEqual([bool(errors[amount]) for amount in "123"], [False, True, False])
        self.assertRegex(self.call("run", *arguments, code=1), r"(?m)^ +2 +- .*the file has no bytes$")
        self.write("in-2", "cdef")
        self.assertEqual(self.ran(*arguments), {"b[amount=2]", "m3[amount=2]", "verdict[amount=2]"})

    def test_fail_fast_stops_at_the_first_failure(self):
        dag = self.write("failing.yaml", FAILING)
        sweep = (dag, "--sweep", "message=one,two,three", "-j", "1")
        failed = list(self.outcomes(*sweep, code=1).values()).count("failed")
        self.assertEqual(failed, 3)
        failed = list(self.outcomes(*sweep, "--fail-fast", code=1).values()).count("failed")
        self.assertEqual(failed, 1)


if __name__ == "__main__":
    unittest.main()
