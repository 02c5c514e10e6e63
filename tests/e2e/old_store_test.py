"""A store that satdl made before its redesign is used by this one: no key, no byte of an artifact, no record has changed.

fixtures/old_store.tar.gz was made by satdl at 6f50e30: a run of its old.yaml that was stopped (SIGTERM) in the stage `long`, then one of
`verdict`, in which everything was reused. It has artifacts, a checkpoint, a final checkpoint, an index, and two records. Never make it again
with another version: what a version must be able to read is what this one wrote.
"""

import pathlib
import shutil
import tarfile
import unittest

import satdl

FIXTURE = pathlib.Path(__file__).resolve().parent / "fixtures/old_store.tar.gz"
DONE = {"a", "file", "b", "signs", "c", "pictures", "trained_a", "trained_b", "verdict"}


class OldStore(satdl.Case):
    def setUp(self):
        super().setUp()
        with tarfile.open(FIXTURE) as archive:
            archive.extractall(self.folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(self.folder)
        self.dag = self.folder / "old.yaml"

    def actions(self, *arguments):
        return {stage["stage"]: stage for stage in self.document("status", self.dag, *arguments)["stages"]}

    def test_every_stage_is_reused_and_what_was_interrupted_resumes(self):
        stages = self.actions()
        self.assertEqual({name for name, stage in stages.items() if stage["action"] == "reuse"}, DONE)
        self.assertEqual({stages[name]["because"] for name in DONE}, {"nothing changed"})
        self.assertEqual(stages["long"]["action"], "resume")
        self.assertEqual(stages["long"]["because"], "interrupted at epoch 5, step 1, 20 %")
        events = {event["stage"]: event for event in self.events(self.dag) if event["event"] == "stage"}
        self.assertEqual({name for name, event in events.items() if event["outcome"] == "reused"}, DONE)
        self.assertEqual(events["long"]["outcome"], "resumed")
        self.assertEqual(events["long"]["resumed_from"], "epoch 5, step 1, 20 %")

    def test_without_its_index_every_stage_is_reused_as_well(self):
        (self.folder / ".satdl/index.sqlite").unlink()
        self.assertEqual({name for name, stage in self.actions().items() if stage["action"] == "reuse"}, DONE)

    def test_its_final_checkpoint_is_where_a_longer_training_starts(self):
        stage = self.actions("epochs=4")["trained_b"]
        self.assertEqual(stage["action"], "continue")
        self.assertEqual(stage["because"], "from epoch 2 of 4 (final checkpoint of a shorter training)")
        event = next(event for event in self.events(self.dag, "epochs=4", "trained_b")
                     if event["event"] == "stage" and event["stage"] == "trained_b")
        self.assertEqual(event["outcome"], "resumed")

    def test_verify_finds_no_damage(self):
        found = self.document("cache", "verify")
        for name, good in (("artifacts", found), ("checkpoints", found["checkpoints"]), ("ends", found["ends"])):
            self.assertEqual((good["good"], good["damaged"]), (len(DONE) if name == "artifacts" else 1, []), name)
        self.assertEqual((found["records"]["good"], found["records"]["unchecked"], found["records"]["damaged"]), (2, 0, []))

    def test_this_version_writes_the_same_bytes(self):
        old = self.objects()
        final = next((self.folder / ".satdl/ends").iterdir())
        self.call("run", self.dag, "-q", "--store", "new")
        new = self.objects("new")
        self.assertEqual(len(new), len(old) + 1)  # `long`
        self.assertEqual({key: new[key] for key in old}, old)
        self.assertEqual((self.folder / "new/ends" / final.name).read_bytes(), final.read_bytes())

    def test_it_gets_the_gitignore_that_it_lacked_and_is_collected(self):
        self.assertFalse((self.folder / ".satdl/.gitignore").exists())
        self.call("run", self.dag, "-q", "verdict")
        self.assertEqual((self.folder / ".satdl/.gitignore").read_text(), "*\n")
        shutil.rmtree(self.folder / "results")
        (self.folder / "results").mkdir()
        self.call("cache", "gc", "--keep-runs", "0", "--older", "0")
        self.assertEqual(self.objects(), {})
        self.assertEqual(list((self.folder / ".satdl/ends").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
