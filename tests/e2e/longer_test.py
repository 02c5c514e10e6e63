"""A longer training begins where a shorter one ended, says so beforehand, and ends with the bytes of one that began at the start."""

import json
import signal
import unittest

import satdl

DAG = """\
name: longer
params: {epochs: 2, milliseconds: 0, way: common}
stages:
  a: {kind: count_up}
  t: {kind: pretend_on, in: {x: a.numbers}, epochs: "${epochs}", milliseconds: "${milliseconds}", way: "${way}"}
"""


class Longer(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("longer.yaml", DAG)

    def run_of(self, epochs, *arguments, store=".satdl"):
        """The event of `t`."""
        events = self.events(self.dag, f"epochs={epochs}", "--store", store, *arguments)
        return next(event for event in events if event["event"] == "stage" and event["stage"] == "t")

    def ends(self):
        folder = self.folder / ".satdl/ends"
        return sorted(int(path.name.split(".")[1]) for path in folder.iterdir()) if folder.exists() else []

    def plan_of(self, epochs, *arguments):
        self.call("run", self.dag, f"epochs={epochs}", "-n", *arguments)
        return self.out.splitlines()[-1]

    def bytes_of(self, key, store=".satdl"):
        return (self.folder / store / "objects" / key[:2] / f"{key}.h5").read_bytes()

    def test_a_longer_training_continues_from_the_final_checkpoint_with_the_same_bytes(self):
        self.run_of(2)
        line = "continue  t  from epoch 2 of 4 (final checkpoint of a shorter training)"
        self.assertTrue(self.plan_of(4).startswith(line), self.out)
        self.call("explain", self.dag, "t", "--set", "epochs=4")
        self.assertIn("t: continue: from epoch 2 of 4 (final checkpoint of a shorter training)\n", self.out)
        self.assertRegex(self.out, r"param epochs +2 +4")
        status = {stage["stage"]: stage for stage in self.document("status", self.dag, "epochs=4")["stages"]}
        self.assertEqual(status["t"]["action"], "continue")
        event = self.run_of(4)
        self.assertEqual((event["outcome"], event["resumed_from"]), ("resumed", "the end of epoch 2, 50 %"))
        whole = self.run_of(4, store="fresh")
        self.assertEqual((whole["outcome"], whole["key"]), ("ran", event["key"]))
        self.assertEqual(self.bytes_of(event["key"]), self.bytes_of(event["key"], "fresh"))
        self.assertEqual(self.ends(), [2, 4])

    def test_a_shorter_one_after_it_begins_at_the_start(self):
        self.run_of(4)
        self.assertRegex(self.plan_of(2), "^run +t +epochs: 4 -> 2")
        self.assertEqual(self.run_of(2)["outcome"], "ran")
        self.assertRegex(self.plan_of(3), r"^continue +t +from epoch 2 of 3")

    def test_a_training_that_depends_on_its_length_starts_over_and_says_so(self):
        self.run_of(2, "way=own")
        self.assertRegex(self.plan_of(4, "way=own"), "^run +t +epochs: 2 -> 4; from the start: way own depends on epochs")
        self.assertEqual(self.run_of(4, "way=own")["outcome"], "ran")
        self.assertEqual(self.ends(), [])

    def test_without_final_checkpoints_none_is_stored_and_none_used(self):
        self.run_of(2, "--no-final-checkpoints")
        self.assertEqual(self.ends(), [])
        self.assertRegex(self.plan_of(4), "^run +t +epochs: 2 -> 4; from the start: there is no final checkpoint of the shorter training")
        self.run_of(2, "-f")
        self.assertEqual(self.ends(), [2])
        self.assertRegex(self.plan_of(4, "--no-final-checkpoints"), "^run +t")
        self.assertEqual(self.run_of(4, "--no-final-checkpoints")["outcome"], "ran")

    def test_a_damaged_final_checkpoint_is_reported_and_the_training_starts_over(self):
        self.run_of(2)
        end = next((self.folder / ".satdl/ends").iterdir())
        data = bytearray(end.read_bytes())
        data[-1] ^= 1
        end.chmod(0o644)
        end.write_bytes(data)
        events = self.events(self.dag, "epochs=4")
        said = " ".join(event["message"] for event in events if event["event"] == "log" and event["level"] == "warning")
        self.assertRegex(said, "damaged.*; it starts over")
        event = next(event for event in events if event["event"] == "stage" and event["stage"] == "t")
        self.assertEqual(event["outcome"], "ran")
        self.assertEqual(self.bytes_of(event["key"]), self.bytes_of(self.run_of(4, store="fresh")["key"], "fresh"))
        self.assertEqual(len(list((self.folder / ".satdl/quarantine").iterdir())), 1)
        self.assertEqual(self.ends(), [4])

    def test_a_missing_artifact_is_recomputed_from_its_own_final_checkpoint(self):
        event = self.run_of(2)
        before = self.bytes_of(event["key"])
        (self.folder / ".satdl/objects" / event["key"][:2] / f"{event['key']}.h5").unlink()
        again = self.run_of(2)
        self.assertEqual(again["because"], "from epoch 2 of 2 (its own final checkpoint)")
        self.assertEqual(self.bytes_of(event["key"]), before)

    def test_an_interrupted_longer_one_resumes_its_own_checkpoint(self):
        self.run_of(2, "milliseconds=50")
        self.assertEqual(self.signalled(signal.SIGTERM, self.dag, "epochs=400", "milliseconds=50")[0], 143)
        self.assertRegex(self.plan_of(400, "milliseconds=50"), r"^resume +t +interrupted at epoch \d+, step \d+, \d+ %")

    def test_garbage_collection_removes_the_final_checkpoints_of_removed_artifacts(self):
        self.run_of(2)
        self.run_of(4)
        self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "0")
        self.assertIn("would remove 1 artifacts", self.out)
        self.assertIn("and 1 final checkpoint", self.out)
        self.assertEqual(self.ends(), [2, 4])
        document = json.loads(self.call("cache", "gc", "--keep-runs", "0", "--older", "0", "--json"))
        self.assertEqual(document["ends"], 1)
        self.assertGreater(document["ends_bytes"], 0)
        self.assertEqual(self.ends(), [4])


if __name__ == "__main__":
    unittest.main()
