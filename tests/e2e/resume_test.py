"""An interrupted training resumes where it was, and ends with the bytes of one that was not interrupted."""

import json
import random
import signal
import subprocess
import time
import unittest

import satdl

DAG = ("name: long\nstages:\n  a: {kind: count_up}\n"
       "  long: {kind: pretend, in: {x: a.numbers}, epochs: 40, milliseconds: 50}\n")


class Resume(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("long.yaml", DAG)
        self.call("run", self.dag, "-q", "--store", "whole")
        self.whole = self.objects("whole")

    def begin(self, *arguments):
        return subprocess.Popen([satdl.BINARY / "satdl", "run", self.dag, "-q", *arguments], cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self):
        """Runs to the end; the events of `long`."""
        events = [event for event in self.events(self.dag) if event.get("stage") == "long" and event["event"] == "stage"]
        self.assertEqual(len(events), 1)
        self.assertEqual(self.objects(), self.whole)
        self.assertEqual(list((self.folder / ".satdl/checkpoints").iterdir()), [])
        return events[0]

    def test_after_a_signal_a_training_resumes_from_the_same_step(self):
        self.assertEqual(self.signalled(signal.SIGTERM, self.dag)[0], 143)
        status = {stage["stage"]: stage for stage in self.document("status", self.dag)["stages"]}
        self.assertEqual(status["long"]["action"], "resume")
        self.call("ls", self.dag)
        self.assertRegex(self.out, r"long +interrupted at epoch \d+, step \d, \d+ %, resumable")
        event = self.finish()
        self.assertEqual(event["outcome"], "resumed")
        self.assertIn(event["resumed_from"], event["because"])

    def test_after_kill_9_at_any_time_the_last_checkpoint_counts(self):
        dice = random.Random(5)
        resumed = 0
        for _ in range(6):
            process = self.begin("--checkpoint-every", "0")
            time.sleep(dice.uniform(0.05, 1.9))
            process.kill()
            process.communicate(timeout=60)
            actions = {stage["stage"]: stage["action"] for stage in self.document("status", self.dag)["stages"]}
            resumed += actions["long"] == "resume"
            if actions["long"] == "reuse":
                break
        self.assertGreater(resumed, 0)
        self.finish()

    def test_a_killed_stage_is_listed_as_interrupted_everywhere(self):
        process = self.begin("--checkpoint-every", "0")
        while not any((self.folder / ".satdl").glob("checkpoints/*.h5")):
            time.sleep(0.05)
        alive, = self.document("report")["runs"]
        self.assertEqual({stage["name"]: stage["outcome"] for stage in alive["stages"]}["long"], "unfinished")
        process.kill()
        process.communicate(timeout=60)
        place = r"(the end of )?epoch \d+,"
        said = [self.call("run", self.dag, "-n"), self.call("status", self.dag), self.call("ls", self.dag)]
        for listing in said[:2]:
            self.assertRegex(listing, rf"long .*interrupted at {place}")
        self.assertRegex(said[2], rf"long +interrupted at {place}.*resumable")
        self.assertRegex(said[0], r"^resume +long|\nresume +long")
        run, = self.document("report")["runs"]
        stage = {stage["name"]: stage for stage in run["stages"]}["long"]
        self.assertEqual(stage["outcome"], "interrupted")
        self.assertRegex(stage["because"], rf"^interrupted at {place} .*, resumable$")
        self.assertIn(f"long was {stage['because']}", run["missing"])
        self.assertNotIn("running", " ".join((*said, json.dumps(run))))
        self.finish()

    def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_is_used(self):
        for _ in range(2):  # two checkpoints
            self.signalled(signal.SIGINT, self.dag)
        newest = sorted((self.folder / ".satdl/checkpoints").iterdir())[-1]
        data = bytearray(newest.read_bytes())
        data[-1] ^= 1
        newest.chmod(0o644)
        newest.write_bytes(data)
        said = [event["message"] for event in self.events(self.dag) if event["event"] == "log" and event["level"] == "warning"]
        self.assertRegex(" ".join(said), "damaged")
        self.assertEqual(self.objects(), self.whole)

    def test_a_forced_training_starts_over(self):
        self.signalled(signal.SIGINT, self.dag)
        outcomes = self.outcomes(self.dag, "-f")
        self.assertEqual(outcomes["long"], "ran")
        self.assertEqual(self.objects(), self.whole)


if __name__ == "__main__":
    unittest.main()
