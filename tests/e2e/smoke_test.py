"""run --smoke: does it all fit together? A few samples, one step, nothing kept."""

import re
import unittest

import satdl
from satdl import DAG, STAGES


class Smoke(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def smoke(self, *arguments, code=0):
        """The lines of a smoke run, seconds as S."""
        out = self.call("run", self.dag, "--smoke", *arguments, code=code)
        return re.sub(r"\b[0-9.]+ (us|ms|s)\b", "S", out).splitlines()

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_every_stage_has_a_line_and_nothing_is_stored(self):
        *lines, last = self.smoke()
        self.assertEqual(sorted(lines), sorted(f"ok       {stage:<9}  S" for stage in STAGES))
        self.assertEqual(last, "quick: 7 stages fit together, in S; nothing was stored")
        self.assertEqual(self.err, "")
        self.assertEqual(self.files(), ["quick.yaml"])

    def test_an_existing_store_is_neither_read_nor_changed(self):
        self.call("run", self.dag, "-q")
        kept = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        self.assertEqual({line.split()[0] for line in self.smoke()[:-1]}, {"ok"})
        self.assertEqual({path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}, kept)
        (self.folder / ".satdl/index.sqlite").write_bytes(b"damaged")
        self.smoke()
        self.assertEqual(self.err, "")
        self.assertEqual((self.folder / ".satdl/index.sqlite").read_bytes(), b"damaged")

    def test_numbers_that_make_a_stage_long_are_cut(self):
        events = self.events(self.dag, "--smoke", "--set", "epochs=9")
        self.assertEqual({(event["stage"], event["epoch"], event["epochs"]) for event in events if event["event"] == "epoch"},
                         {("trained_a", 1, 1), ("trained_b", 1, 1)})
        self.assertEqual([event["event"] for event in (events[0], events[1], events[-1])], ["run_started", "dag", "run_finished"])
        cut = next(event for event in events if event["event"] == "dag")["stages"][0]
        self.assertEqual((cut["stage"], cut["params"]["count"]), ("a", 3))
        finished = events[-1]
        self.assertEqual((finished["ran"], finished["reused"], finished["failed"]), (len(STAGES), 0, 0))
        self.assertEqual(self.files(), ["quick.yaml"])

    def test_a_failure_has_its_line_and_independent_stages_still_run(self):
        self.write("quick.yaml", DAG.replace("c: {kind: add, in: {x: b.numbers, y: a.numbers}}", "c: {kind: fail, in: {y: a.numbers}}"))
        *lines, last = self.smoke(code=1)
        self.assertIn(f"failed   c          {self.dag}:9:3: no luck", lines)
        self.assertIn("ok       trained_a  S", lines)
        self.assertIn("skipped  verdict    needs c, which failed", lines)
        self.assertEqual(last, "quick: 7 stages: 4 ok, 1 failed, 2 skipped, in S; nothing was stored")
        self.assertEqual(self.err, "")
        for flag in ("-q", "--json"):
            self.call("run", self.dag, "--smoke", flag, code=1)
            self.assertIn("no luck", self.err)

    def test_targets_are_those_of_a_run(self):
        self.assertEqual(self.smoke("signs")[-1], "quick: 3 stages fit together, in S; nothing was stored")
        self.assertEqual(self.smoke("a")[-1], "quick: 1 stage runs, in S; nothing was stored")
        self.call("run", self.dag, "--smoke", "sings", code=2)
        self.assertIn("did you mean 'signs'?", self.err)

    def test_a_sweep_is_smoked_at_every_point(self):
        *lines, last = self.smoke("--sweep", "amount=1,2")
        self.assertIn("ok       trained_b[amount=2]  S", lines)
        self.assertRegex(last, r"quick: \d+ stages fit together, in S; nothing was stored")
        self.assertEqual(self.smoke("--sweep", "epochs=1,2")[-1], "quick: 10 stages fit together, in S; nothing was stored")

    def test_options_about_the_store_or_about_metrics_are_refused(self):
        for option in (["-n"], ["-f"], ["-s", "a"]):
            self.call("run", self.dag, "--smoke", *option, code=2)
            self.assertIn("cannot be combined with --smoke", self.err)
        for option in (["--csv", "points.csv"], ["--metric", "loss"], ["--paired", "a,b"], ["--repeat", "amount"]):
            self.call("run", self.dag, "--smoke", "--sweep", "amount=1,2", *option, code=2)
            self.assertIn(f"{option[0]} cannot be combined with --smoke", self.err)
        self.assertEqual(self.files(), ["quick.yaml"])


if __name__ == "__main__":
    unittest.main()
