"""satdl compare, sweep list, sweep show: runs and settings of sweeps beside each other."""

import csv
import io
import json
import unittest

import satdl

DAG = """\
name: quick
params: {first: 1, amount: 10, epochs: 2, seed: 1}
stages:
  a: {kind: count_up, first: "${first}"}
  b: {kind: add, in: {x: a.numbers}, amount: "${amount}"}
  c: {kind: add, in: {x: b.numbers}, amount: "${seed}"}
  trained_a: {kind: pretend, in: {x: b.numbers}, epochs: "${epochs}"}
  trained_b: {kind: pretend, in: {x: c.numbers}, epochs: "${epochs}"}
  verdict: {kind: against, in: {a: trained_a.metrics, b: trained_b.metrics}}
"""


class Compare(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def run_dag(self, *arguments):
        """The id of the run."""
        self.table = self.call("run", self.dag, *arguments)
        return json.loads(self.call("log", "--json", "-n", "1"))["runs"][0]["run"]

    def compare(self, *arguments):
        return json.loads(self.call("compare", "--json", *arguments))

    def refused(self, *arguments):
        """The message."""
        self.call(*arguments, code=2)
        return self.err

    def test_two_runs_by_what_was_set_differently_and_what_they_came_to(self):
        one, other = self.run_dag(), self.run_dag("amount=11", "epochs=4")
        self.assertEqual(self.call("compare", one, other[:22]), f"""\
a: {one}
b: {other}

Parameters that differ
parameter   a   b
─────────────────
amount     10  11
epochs      2   4

Metrics
metric                    a        b    b - a
─────────────────────────────────────────────
verdict.difference  -0.8179  -0.6690  +0.1489
""")
        self.assertEqual(self.call("compare", one, other, "--md", "--metrics", "trained_b.loss").splitlines()[:5],
                         ["| parameter | a | b |", "| --- | --- | --- |", "| amount | 10 | 11 |", "| epochs | 2 | 4 |", ""])
        rows = list(csv.DictReader(io.StringIO(self.call("compare", one, other, "--csv", "-", "--all"))))
        self.assertEqual([row["name"] for row in rows][:2], ["amount", "epochs"])
        loss = next(row for row in rows if row["name"] == "trained_b.loss")
        document = json.loads(self.call("log", "--json"))["runs"]
        self.assertEqual([float(loss["a"]), float(loss["b"])], [run["metrics"]["trained_b.loss"] for run in reversed(document)])

    def test_the_settings_of_a_sweep_over_their_seeds(self):
        sweep = self.run_dag("amount=1,2", "seed=1,2,3")
        self.assertEqual(self.call("compare", sweep, "--metrics", "difference"), f"""\
a: {sweep}[amount=1], 3 repetitions (seed)
b: {sweep}[amount=2], 3 repetitions (seed)

Parameters that differ
parameter  a  b
───────────────
amount     1  2

Metrics
metric              a                 b                 b - a
─────────────────────────────────────────────────────────────
verdict.difference  -1.6358 ± 0.8179  -1.6358 ± 0.8179      0
mean ± standard deviation; differences are means over the repetitions that both have
""")
        sides = self.compare("[amount=2]", "[amount=1,seed=3]")["sides"]
        self.assertEqual([(side["settings"], side["points"]) for side in sides], [({"amount": "2"}, 3), ({"amount": "1"}, 1)])
        # A stage's own metrics, which the sweep's table did not have.
        metric, = self.compare("trained_b[amount=1]", "trained_b[amount=2]")["metrics"][:1]
        self.assertEqual([metric["metric"], *(side["n"] for side in metric["sides"])], ["trained_b.loss", 3, 3])
        # What does not depend on the seed counts once, whatever the seeds were.
        metric, = self.compare("trained_a[amount=1]", "trained_a[amount=2]")["metrics"][:1]
        self.assertEqual([side["n"] for side in metric["sides"]], [1, 1])
        self.assertEqual(metric["differences"][0]["n"], 1)

    def test_differences_are_paired_by_seed(self):
        self.run_dag("epochs=2,3", "seed=1,2,3")
        document = self.compare("[epochs=2]", "[epochs=3]")
        difference = document["metrics"][0]["differences"][0]
        points = {(point["settings"]["epochs"], point["settings"]["seed"]): point["metrics"]["verdict.difference"]
                  for point in json.loads(self.call("sweep", "show", "--json"))["points"]}
        expected = [points[3, seed] - points[2, seed] for seed in (1, 2, 3)]
        mean = sum(expected) / 3
        sd = (sum((value - mean) ** 2 for value in expected) / 2) ** 0.5
        reach = 4.302652729749464 * sd / 3 ** 0.5  # Student's t, 2 degrees of freedom
        for name, value in (("mean", mean), ("sd", sd), ("low", mean - reach), ("high", mean + reach)):
            self.assertAlmostEqual(difference[name], value, places=12)
        self.assertEqual(difference["told_from_zero"], mean + reach < 0 or mean - reach > 0)

    def test_runs_with_other_seeds_are_repetitions(self):
        runs = [self.run_dag(f"epochs={epochs}", f"seed={seed}") for epochs in (2, 3) for seed in (1, 2)]
        document = self.compare(*runs)
        self.assertEqual([side["runs"] for side in document["sides"]], [runs[:2], runs[2:]])
        self.assertEqual(document["metrics"][0]["differences"][0]["n"], 2)
        # Only the seed differs: the seeds are what is compared.
        document = self.compare(*runs[:2])
        self.assertEqual([param["param"] for param in document["params"]], ["seed"])
        self.assertEqual([side["points"] for side in document["sides"]], [1, 1])
        # The same settings then and now are two sides.
        again = self.run_dag("-f", "epochs=2", "seed=1")
        self.assertIn("\nNo parameter differs\n", self.call("compare", runs[0], again))

    def test_the_page_has_just_these(self):
        self.run_dag("amount=1,2", "seed=1,2,3")
        self.assertRegex(self.call("compare", "[amount=1,seed=1]", "[amount=2,seed=1]", "--html", "page.html"), r"^page.html: quick, ")
        page = (self.folder / "page.html").read_text()
        document = json.loads(page.split('type="application/json" id="data">')[1].split("</script>")[0])
        run, = document["runs"]
        self.assertEqual([point["settings"] for point in run["points"]], [{"amount": 1, "seed": 1}, {"amount": 2, "seed": 1}])
        self.assertNotIn("verdict[amount=1,seed=2]", [stage["name"] for stage in run["stages"]])
        self.assertEqual([param["param"] for param in document["compared"]["params"]], ["amount"])

    def test_what_cannot_be_compared(self):
        one = self.run_dag()
        sweep = self.run_dag("amount=1,2", "seed=1,2")
        for arguments, message in [
                ([one], "satdl: compare needs two runs or more, or a sweep\n  `satdl log` lists the runs, `satdl sweep list` the sweeps\n"),
                ([one, "2"], f"satdl: 2 runs begin with '2'\n  give more characters of the id: {sweep}, {one}\n"),
                ([one[:-1] + "x", sweep], f"satdl: '{one[:-1]}x' is no run in .satdl\n  did you mean '{one}'?\n"),
                ([f"{one}[amount=1]", sweep],
                 f"satdl: run {one} is no sweep: it has no point '{one}[amount=1]'\n  name the run alone: {one}\n"),
                (["[amuont=1]", one], f"satdl: the sweep {sweep} does not vary 'amuont'\n  did you mean 'amount'?\n"),
                (["[amount=3]", one], f"satdl: no point of the sweep {sweep} has amount=3\n  its values: 1, 2\n"),
                (["[amount]", one], "satdl: 'amount' in '[amount]' is not name=value\n  for example: '[noise=0.2,seed=1]'\n"),
                (["[amount=1", one], "satdl: in '[amount=1' the bracket is not closed\n  for example: '[noise=0.2,seed=1]'\n"),
                (["tained_a[amount=1]", one], f"satdl: the newest sweep {sweep} has no stage 'tained_a'\n  did you mean 'trained_a'?\n"),
                (["a[amount=1]", one], "satdl: a has no metrics\n  name a stage that reports some, or the point alone\n"),
                ([one, sweep, "--metrics", "diference"],
                 "satdl: none of these runs has a metric 'diference'\n  did you mean 'difference'?\n"),
                ([one, sweep, "--json", "--md"], "satdl: --json, --md, --csv and --html cannot be combined\n  choose one of them\n")]:
            self.assertEqual(self.refused("compare", *arguments), message)
        self.assertIn("there is no store in 'nowhere'", self.refused("compare", one, sweep, "--store", "nowhere"))

    def test_a_sweeps_table_again(self):
        sweep = self.run_dag("amount=1,2", "seed=1,2,3", "--metric", "trained_b.loss", "--csv", "points.csv")
        shown = self.call("sweep", "show", sweep)
        self.assertTrue(self.table.endswith("\n\n" + shown), shown)
        self.assertIn("sorted by trained_b.loss, lowest first", shown)
        self.assertEqual(self.call("sweep", "show", "--csv", "-"), (self.folder / "points.csv").read_text())
        self.assertEqual(json.loads(self.call("sweep", "show", "--json"))["metrics"], ["trained_b.loss"])
        self.assertTrue(self.call("sweep", "show", "--md").startswith("| amount | n | trained_b.loss |"))

    def test_a_failed_point_is_in_the_table_again(self):
        dag = self.write("failing.yaml", DAG.replace('kind: add, in: {x: a.numbers}, amount: "${amount}"',
                                                     'kind: bytes_of, file: "in-${amount}"'))
        self.write("in-1", "abcd")
        self.write("in-2", "")  # no numbers at all
        table = self.call("run", dag, "amount=1,2", "--csv", "points.csv", code=1)
        shown = self.call("sweep", "show")
        self.assertIn("the file has no bytes", shown)
        self.assertTrue(table.endswith("\n\n" + shown), shown)
        self.assertEqual(self.call("sweep", "show", "--csv", "-"), (self.folder / "points.csv").read_text())
        self.assertRegex(self.call("sweep", "list").splitlines()[2], r"failed +2 +1  amount$")

    def test_lists_of_sweeps(self):
        self.assertEqual(self.call("sweep", "list"), "no sweep has run here yet\n")
        one = self.run_dag()
        self.assertEqual(self.refused("sweep", "show"), "satdl: no sweep has run here yet\n  `satdl run DAG NAME=1,2` runs one\n")
        self.assertEqual(self.refused("sweep", "show", one), f"satdl: run {one} is no sweep\n  `satdl sweep list` lists those that are\n")
        sweep = self.run_dag("amount=1,2", "seed=1,2")
        run, = json.loads(self.call("sweep", "list", "--json"))["runs"]
        self.assertEqual((run["run"], run["outcome"], len(run["points"])), (sweep, "done", 4))
        self.assertRegex(self.call("sweep", "list", "quick").splitlines()[2],
                         rf"^{sweep[:15]}\S*  now   quick  done          4  amount, seed$")
        self.assertEqual(json.loads(self.call("sweep", "list", "other", "--json"))["runs"], [])


if __name__ == "__main__":
    unittest.main()
