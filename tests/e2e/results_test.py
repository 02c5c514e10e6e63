"""results/: links come back, are renewed, and leave the user's files alone; what is stale or gone says so; gc knows every such folder."""

import os
import shutil
import unittest

import satdl
from satdl import DAG, STAGES


class Results(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.links = self.folder / "results/quick"

    def states(self, *arguments):
        return {stage["stage"]: stage["state"] for stage in self.document("ls", *arguments)["stages"]}

    def test_a_deleted_link_comes_back_though_all_is_reused(self):
        self.call("run", self.dag, "-q")
        (self.links / "b.h5").unlink()
        self.assertEqual(self.ran(self.dag), set())
        self.call("show", "b")

    def test_links_into_another_store_are_renewed(self):
        for store in ("a", "b", "a"):
            self.call("run", self.dag, "-q", "--store", store, "--results", "results")
            self.assertTrue(all(f"/{store}/objects/" in os.readlink(link) for link in self.links.iterdir()))
        shutil.rmtree(self.folder / "b")
        self.call("show", "b", "--store", "a", "--results", "results")

    def test_a_named_store_has_its_own_results_unless_they_are_named_too(self):
        self.call("run", self.dag, "-q")
        before = {link.name: os.readlink(link) for link in self.links.iterdir()}
        self.call("run", self.dag, "amount=5", "-q", "--store", "other")
        self.assertEqual({link.name: os.readlink(link) for link in self.links.iterdir()}, before)
        self.assertEqual(self.document("show", "b", "--store", "other")["tensors"][0]["min"], 6)
        self.assertEqual(self.document("show", "b", "--store", "./.satdl")["tensors"][0]["min"], 11)

    def test_a_file_of_the_users_is_kept_and_named_and_the_other_links_are_made(self):
        self.call("run", self.dag, "-q")
        (self.links / "b.h5").unlink()
        (self.links / "b.h5").write_text("my only copy of the best model")
        (self.links / "c.h5").unlink()
        (self.links / "c.h5").mkdir()
        self.call("run", self.dag, "amount=5", "-q")
        for name in "bc":
            self.assertIn(f"warning: 'results/quick/{name}.h5' is not a link that satdl made: it stays", self.err)
        self.assertEqual((self.links / "b.h5").read_text(), "my only copy of the best model")
        self.assertTrue((self.links / "c.h5").is_dir())
        self.call("show", "verdict")
        states = self.states()
        self.assertEqual(states, {"a": "kept", "b": "other file", "c": "other file", "signs": "maybe stale", "trained_a": "maybe stale",
                                  "trained_b": "maybe stale", "verdict": "maybe stale"})
        (self.links / "b.h5").unlink()
        self.call("run", self.dag, "amount=5", "-q")
        self.assertNotIn("b.h5", self.err)
        self.assertEqual(self.document("show", "b")["tensors"][0]["min"], 6)

    def test_artifacts_of_changed_inputs_are_stale(self):
        self.call("run", self.dag, "-q")
        self.call("run", self.dag, "b", "c", "amount=5", "-q")
        self.assertEqual(self.states(), {"a": "kept", "b": "kept", "c": "kept", "signs": "stale", "trained_a": "maybe stale",
                                         "trained_b": "stale", "verdict": "maybe stale"})
        self.assertEqual(set(self.document("show", "verdict")["stale_inputs"]), {"a", "b"})
        self.assertRegex(self.call("show", "trained_b"), r"(?m)^stale its input x has changed since")
        self.call("run", self.dag, "amount=5", "-q")
        self.assertEqual(set(self.states().values()), {"kept"})
        self.assertNotIn("stale", self.call("show", "trained_b"))

    def test_links_of_stages_that_are_gone_are_listed_and_the_next_run_removes_them(self):
        self.call("run", self.dag, "-q")
        self.call("run", self.dag, "amount=1,2", "-q")
        (self.links / "mine.h5").write_text("mine")
        smaller = self.write("quick.yaml", "".join(line for line in DAG.splitlines(True) if "verdict" not in line and "c:" not in line
                                                   and "trained_b" not in line))
        states = self.states(smaller)
        self.assertEqual({stage for stage, state in states.items() if state == "not in the DAG"},
                         {stage + point for stage in ("c", "trained_b", "verdict") for point in ("", "[amount=1]", "[amount=2]")})
        self.call("run", smaller, "-q")
        self.assertEqual({link.name for link in self.links.iterdir()},
                         {"mine.h5", "a.h5", *(f"{stage}{point}.h5" for stage in ("b", "signs", "trained_a")
                                               for point in ("", "[amount=1]", "[amount=2]"))})
        self.assertNotIn("not in the DAG", self.states(smaller).values())

    def test_the_same_value_has_the_same_name_in_every_sweep(self):
        dag = self.write("files.yaml", "name: files\nparams: {f: a/x}\nstages:\n  s: {kind: bytes_of, file: \"${f}\"}\n")
        for folder in "abc":
            self.write(f"{folder}/x", folder)
        self.call("run", dag, "f=a/x,b/x", "-q")
        before = {link.name: os.path.realpath(link) for link in (self.folder / "results/files").iterdir()}
        self.assertEqual(len(before), 2)
        self.call("run", dag, "f=c/x,b/x,a/x", "-q")
        after = {link.name: os.path.realpath(link) for link in (self.folder / "results/files").iterdir()}
        self.assertEqual(len(after), 3)
        self.assertEqual({name: after[name] for name in before}, before)

    def test_gc_keeps_what_any_results_folder_links_to(self):
        self.call("run", self.dag, "-q", "--results", "one")
        self.call("run", self.dag, "-q", "amount=5", "--results", "two")
        self.call("run", self.dag, "-q", "amount=6", "--results", "two")
        everything = ("--keep-runs", "0", "--older", "0")
        self.assertEqual(len(self.document("cache", "gc", *everything)["artifacts"]), 5)
        self.assertEqual(self.ran(self.dag, "--results", "one"), set())
        self.assertEqual(self.ran(self.dag, "amount=6", "--results", "two"), set())
        (self.folder / "two").rename(self.folder / "moved")
        self.assertEqual(self.document("cache", "gc", "-n", *everything, "--results", "moved")["artifacts"], [])
        self.assertNotEqual(self.document("cache", "gc", "-n", *everything)["artifacts"], [])
        self.assertRegex(self.err, r"warning: the results folder 'two' is gone: artifacts referenced only there may be removed")

    def test_a_failed_stage_is_not_listed_as_never_run(self):
        dag = self.write("bad.yaml", "name: bad\nstages:\n  f: {kind: fail}\n")
        self.call("run", dag, code=1)
        self.assertRegex(self.call("run", dag, "-n"), r"run +f +no result yet")

    def test_gc_keeps_artifacts_of_the_last_minutes_whatever_the_clock_says(self):
        self.call("run", self.dag, "-q", "amount=5")
        self.call("run", self.dag, "-q")
        old = ("cache", "gc", "-n", "--keep-runs", "0")
        self.assertEqual(self.document(*old)["artifacts"], [])
        for hours in (-1, 1):
            for artifact in (self.folder / ".satdl/objects").glob("*/*.h5"):
                os.utime(artifact, (artifact.stat().st_atime, artifact.stat().st_ctime + 3600 * hours))
            self.assertNotEqual(self.document(*old)["artifacts"], [])


if __name__ == "__main__":
    unittest.main()
