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
            self.assertTrue(all(f"/{store}/objects/" in os.readlink(link) for link in self.links.glob("*.h5")))
        shutil.rmtree(self.folder / "b")
        self.call("show", "b", "--store", "a", "--results", "results")

    def test_a_named_store_has_its_own_results_unless_they_are_named_too(self):
        self.call("run", self.dag, "-q")
        before = {link.name: os.readlink(link) for link in self.links.glob("*.h5")}
        self.call("run", self.dag, "amount=5", "-q", "--store", "other")
        self.assertEqual({link.name: os.readlink(link) for link in self.links.glob("*.h5")}, before)
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

    def test_an_input_is_judged_by_the_stage_that_is_read_and_not_by_what_has_the_same_content(self):
        self.call("run", self.dag, "amount=0", "-q")  # b adds nothing: its bytes are those of a
        self.assertEqual({row["part"]: row["from"] for row in self.document("show", "signs")["recipe"] if "from" in row},
                         {"input x": "b.numbers"})
        self.call("run", self.dag, "b", "amount=5", "-q")
        self.assertEqual(self.states(), {"a": "kept", "b": "kept", "signs": "stale", "c": "stale", "trained_a": "maybe stale",
                                         "trained_b": "maybe stale", "verdict": "maybe stale"})
        self.assertEqual(self.document("show", "c")["stale_inputs"], ["x"])
        self.call("run", self.dag, "amount=0", "-q")
        self.assertEqual(set(self.states().values()), {"kept"})

    def test_points_of_a_sweep_are_judged_by_their_own_inputs(self):
        self.call("run", self.dag, "-q")
        self.call("run", self.dag, "amount=1,2", "-q")
        self.call("run", self.dag, "b", "-q", "first=2")
        states = self.states()
        self.assertEqual({stage for stage, state in states.items() if state == "kept"}, {"a", "b"})
        self.assertEqual({stage for stage, state in states.items() if state == "stale"},
                         {"signs", "c", "c[amount=1]", "c[amount=2]", "b[amount=1]", "b[amount=2]"})

    def test_without_its_note_of_the_dag_nothing_is_called_kept_that_reads_something(self):
        self.call("run", self.dag, "-q")
        (self.links / ".dag.json").write_text("my notes")
        self.assertEqual({stage: state for stage, state in self.states().items() if state == "kept"}, {"a": "kept"})
        self.call("run", self.dag, "-q")
        self.assertIn("warning: 'results/quick/.dag.json' is not a file that satdl made: it stays", self.err)
        self.assertEqual((self.links / ".dag.json").read_text(), "my notes")
        (self.links / ".dag.json").unlink()
        self.call("run", self.dag, "-q")
        self.assertEqual(set(self.states().values()), {"kept"})

    def test_two_dags_of_one_name_do_not_take_each_others_links(self):
        other = self.write("other/quick.yaml", DAG)
        self.call("run", self.dag, "-q")
        before = {link.name: os.readlink(link) for link in self.links.glob("*.h5")}
        for arguments in (["amount=5"], ["amount=5", "-n"]):
            self.call("run", "other/quick.yaml", *arguments, code=2)
            self.assertEqual(self.err, "satdl: 'results/quick' has the results of 'quick.yaml', which has the same name as "
                                       "'other/quick.yaml': quick\n  give one of the two another `name:`, or its own folder of results with --results\n")
        smaller = "".join(line for line in DAG.splitlines(True) if "verdict" not in line)
        other.write_text(smaller)
        self.assertNotIn("not in the DAG", self.states(other).values())
        self.assertEqual({link.name: os.readlink(link) for link in self.links.glob("*.h5")}, before)
        self.call("run", other, "-q", "--results", "others")
        other.write_text(DAG.replace("name: quick", "name: other"))
        self.call("run", other, "-q")

    def test_a_dag_file_that_was_moved_renamed_or_linked_keeps_its_links(self):
        self.call("run", self.dag, "-q")
        (self.folder / "link.yaml").symlink_to("quick.yaml")
        self.call("run", "link.yaml", "-q")
        (self.folder / "link.yaml").unlink()
        self.dag.rename(self.folder / "moved.yaml")
        self.call("run", "moved.yaml", "-q")
        self.write("moved.yaml", DAG.replace("name: quick", "name: new"))
        self.call("run", self.write("quick.yaml", DAG), "-q")  # moved.yaml has another name now
        project = self.folder.with_name(self.folder.name + "-copy")
        shutil.copytree(self.folder, project, symlinks=True)
        self.addCleanup(shutil.rmtree, project)
        self.call("run", project / "quick.yaml", "-q", "--store", project / ".satdl", "--results", project / "results")

    def test_a_file_of_the_users_called_last_stays(self):
        for make in (lambda path: path.write_text("mine"), lambda path: path.mkdir(), lambda path: path.symlink_to("../elsewhere")):
            last = self.folder / "results/.last"
            last.parent.mkdir(exist_ok=True)
            make(last)
            self.call("run", self.dag, "-q")
            self.assertEqual(self.err, "satdl: warning: 'results/.last' is not a link that satdl made: it stays, and does not lead to the "
                                       "results of quick\n")
            self.call("ls", code=2)
            self.assertIn("satdl: 'results/.last' is not a link that satdl made", self.err)
            self.call("ls", "--dag", "quick")
            last.rmdir() if last.is_dir() and not last.is_symlink() else last.unlink()
            self.call("run", self.dag, "-q")
            self.assertEqual(self.err, "")
            self.call("ls")
            last.unlink()

    def test_show_says_of_a_link_what_ls_says(self):
        self.call("run", self.dag, "-q")
        artifact = (self.links / "b.h5").resolve()
        (self.links / "b.h5").unlink()
        shutil.copy(artifact, self.links / "b.h5")  # the user's own, though it is an artifact
        (self.links / "c.h5").resolve().unlink()
        self.assertEqual((self.states()["b"], self.states()["c"]), ("other file", "none"))
        self.call("show", "b", code=2)
        self.assertIn("satdl: 'results/quick/b.h5' is not a link that satdl made, so there is none to the artifact of b\n", self.err)
        self.call("show", "results/quick/b.h5")
        for what in ("c", "results/quick/c.h5"):
            self.call("show", what, code=2)
            self.assertIn("satdl: 'results/quick/c.h5' leads nowhere: its artifact is gone from the store\n", self.err)
        (self.links / "b.h5").unlink()
        (self.links / "b.h5").write_text("mine")
        self.call("show", "results/quick/b.h5", code=3)
        self.assertIn("'results/quick/b.h5'", self.err)

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
        self.assertEqual({link.name for link in self.links.glob("*.h5")},
                         {"mine.h5", "a.h5", *(f"{stage}{point}.h5" for stage in ("b", "signs", "trained_a")
                                               for point in ("", "[amount=1]", "[amount=2]"))})
        self.assertNotIn("not in the DAG", self.states(smaller).values())

    def test_the_same_value_has_the_same_name_in_every_sweep(self):
        dag = self.write("files.yaml", "name: files\nparams: {f: a/x}\nstages:\n  s: {kind: bytes_of, file: \"${f}\"}\n")
        for folder in "abc":
            self.write(f"{folder}/x", folder)
        self.call("run", dag, "f=a/x,b/x", "-q")
        before = {link.name: os.path.realpath(link) for link in (self.folder / "results/files").glob("*.h5")}
        self.assertEqual(len(before), 2)
        self.call("run", dag, "f=c/x,b/x,a/x", "-q")
        after = {link.name: os.path.realpath(link) for link in (self.folder / "results/files").glob("*.h5")}
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
