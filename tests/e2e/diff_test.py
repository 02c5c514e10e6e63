"""satdl diff: why two artifacts differ, and how."""

import json
import unittest

import satdl
from satdl import DAG


class Diff(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")

    def diff(self, *arguments, code=1):
        return json.loads(self.call("diff", "--json", *arguments, code=code))

    def causes(self, *arguments, **more):
        return [(cause["stage"], cause["text"]) for cause in self.diff(*arguments, **more)["causes"]]

    def test_then_and_now_with_the_first_cause(self):
        self.call("run", self.dag, "-q", "amount=11")
        self.assertEqual(self.causes("trained_b"), [("b", "amount: 10 -> 11")])
        self.assertEqual(self.causes("b"), [("b", "amount: 10 -> 11")])
        b, = self.diff("b")["tensors"]
        self.assertEqual((b["tensor"], b["equal"], b["max"], b["mean"], b["differing"]), ("numbers", False, 1, 1, b["elements"]))
        self.assertEqual(self.call("diff", "b", code=1).splitlines()[3:5], ["Why", "  b: amount: 10 -> 11"])

    def test_two_causes_on_different_ways(self):
        self.call("run", self.dag, "-q", "amount=11", "first=2")
        self.assertEqual(sorted(self.causes("verdict")), [("a", "first: 1 -> 2"), ("b", "amount: 10 -> 11")])

    def test_equal_artifacts(self):
        self.assertTrue(self.diff("b", "b", code=0)["equal"])
        self.assertIn("the two are equal", self.call("diff", "results/quick/b.h5", "b"))
        # Other recipes, the same bytes: early cutoff's case.
        self.call("run", self.dag, "-q", "first=2", "--until", "signs")
        document = self.diff("signs", code=0)
        self.assertEqual([cause["text"] for cause in document["causes"]], ["first: 1 -> 2"])

    def test_stages_of_different_kinds_and_inputs_of_different_kinds(self):
        self.assertEqual(self.causes("a", "b"), [("b", "kind: count_up -> add")])
        self.assertIn(("trained_b", "input x: made by sign -> made by add"), self.causes("trained_a", "trained_b"))

    def test_histories_part_at_an_epoch_and_metrics_stand_side_by_side(self):
        self.call("run", self.dag, "-q", "epochs=5")
        document = self.diff("trained_b")
        self.assertEqual(document["history"]["history"]["epoch"], 3)
        self.assertEqual(document["history"]["history"]["epochs"], [2, 5])
        loss = next(metric for name, metric in document["metrics"].items() if "loss" in name)
        self.assertLess(loss["b"], loss["a"])
        text = self.call("diff", "trained_b", code=1)
        self.assertIn("history: equal up to epoch 2, then different: 2 and 5 epochs", text)

    def test_a_run_a_key_a_point_of_a_sweep_and_a_part(self):
        self.call("run", self.dag, "-q", "amount=11")
        run = json.loads(self.call("log", "--json"))["runs"][1]["run"]
        key = json.loads(self.call("show", "b", "--json"))["key"]
        self.assertEqual(self.causes(f"{run}:b", key[:12]), [("b", "amount: 10 -> 11")])
        self.assertEqual(self.causes(f"{run}:b/numbers", "b/numbers"), [("b", "amount: 10 -> 11")])
        self.call("run", self.dag, "-q", "amount=1,2")
        self.assertEqual(self.causes("b[amount=1]", "b[amount=2]"), [("b[amount=2]", "amount: 1 -> 2")])
        self.assertIn(f"(run {run})", self.call("show", f"{run}:b"))

    def test_what_is_not_there(self):
        run = json.loads(self.call("log", "--json"))["runs"][0]["run"]
        for arguments, words in [(["q", "b"], "has no artifact of a stage 'q'"), ([f"{run}:q", "b"], f"run {run} has no stage 'q'"),
                                 (["2020:b", "b"], "'2020' is no run in .satdl"), (["b"], "no run made another artifact of b"),
                                 (["b/x", "c/x"], "neither artifact has a tensor 'x'"), (["b/numbers", "c"], "name different parts"),
                                 (["a", "b", "c"], "diff compares two artifacts, not 3"),
                                 (["results/quick/b.h5"], "only a stage can be compared with what it was before")]:
            self.call("diff", *arguments, code=2)
            self.assertIn(words, self.err)


if __name__ == "__main__":
    unittest.main()
