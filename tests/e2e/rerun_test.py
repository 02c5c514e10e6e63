"""What runs again after which change: exactly what depends on it."""

import subprocess
import unittest

import satdl
from satdl import DAG, STAGES


class Rerun(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")

    def test_a_first_run_runs_every_stage_and_a_second_one_none(self):
        self.assertEqual(self.ran(self.dag, "--store", "other"), set(STAGES))
        before = self.objects()
        self.assertEqual(self.ran(self.dag), set())
        self.assertEqual(self.objects(), before)

    def test_a_run_without_changes_says_so_and_writes_one_line(self):
        runs = self.folder / ".satdl/runs"
        index = (self.folder / ".satdl/index.sqlite").read_bytes()
        folders = sorted(path.name for path in runs.iterdir() if path.is_dir())
        out = self.call("run", self.dag)
        self.assertIn("7 reused", out)
        self.assertEqual(sorted(path.name for path in runs.iterdir() if path.is_dir()), folders)
        self.assertEqual((self.folder / ".satdl/index.sqlite").read_bytes(), index)
        self.assertEqual(len((runs / "reused.jsonl").read_text().splitlines()), 1)

    def test_a_parameter_reruns_its_stage_and_what_depends_on_it(self):
        # The signs are the same: trained_a is reused.
        self.assertEqual(self.ran(self.dag, "--set", "amount=11"), {"b", "signs", "c", "trained_b", "verdict"})
        self.assertEqual(self.ran(self.dag), set())  # the old results are still there
        self.assertEqual(self.ran(self.dag, "--set", "amount=-20"), set(STAGES) - {"a"})
        self.assertEqual(self.ran(self.dag, "--profile", "long"), {"trained_a", "trained_b", "verdict"})

    def test_the_reasons_to_reuse_say_what_the_last_run_was(self):
        def reasons():
            lines = [line.split(maxsplit=2) for line in self.call("run", self.dag, "-n").splitlines()]
            self.assertEqual({action for action, _, _ in lines}, {"reuse"})
            return {stage: reason for _, stage, reason in lines}

        nothing, another = "nothing changed", "found in the store, made by another run"
        self.assertEqual(reasons(), dict.fromkeys(STAGES, nothing))
        self.call("run", self.dag, "--set", "amount=11", "-q")
        changed = dict.fromkeys(["b", "c", "trained_b", "verdict"], another)  # of signs the inputs, of trained_a not even those
        self.assertEqual(reasons(), {**dict.fromkeys(STAGES, nothing), **changed, "signs": another})
        self.call("run", self.dag, "-q")
        self.assertEqual(reasons(), dict.fromkeys(STAGES, nothing))
        self.call("run", self.dag, "b", "--set", "amount=11", "-q")
        self.assertEqual(reasons(), {**dict.fromkeys(STAGES, nothing), "b": another})
        self.call("run", self.dag, "-q")
        self.assertEqual(reasons(), dict.fromkeys(STAGES, nothing))

    def test_one_stages_own_parameter(self):
        self.write("quick.yaml", DAG.replace("c: {kind: add, ", "c: {kind: add, amount: 3, "))
        self.assertEqual(self.ran(self.dag), {"c", "trained_b", "verdict"})

    def test_another_spelling_of_the_same_changes_nothing(self):
        respelled = DAG.replace("first: 1,", "first: 1.0,").replace("amount: 10", "amount: 1e1")
        self.write("quick.yaml", f"# a comment\n{respelled}")
        self.assertEqual(self.ran(self.dag), set())

    def test_a_rerun_that_gives_the_same_bytes_is_cut_off_there(self):
        events = self.events(self.dag, "--set", "first=2", "--until", "signs")
        because = {event["stage"]: event for event in events if event["event"] == "stage"}
        self.assertEqual(because["signs"]["outcome"], "ran")
        self.assertEqual(self.outcomes(self.dag, "--set", "first=2", "trained_a")["trained_a"], "reused")

    def test_one_byte_of_a_source_file(self):
        self.write("words.txt", "hello")
        dag = self.write("files.yaml", "name: files\nstages:\n  words: {kind: bytes_of, file: words.txt}\n"
                                       "  more: {kind: add, in: {x: words.numbers}, amount: 1}\n  other: {kind: count_up, first: 100}\n")
        self.assertEqual(self.ran(dag), {"words", "more", "other"})
        self.write("words.txt", "hello")  # touched, not changed
        self.assertEqual(self.ran(dag), set())
        self.write("words.txt", "jello")
        self.assertEqual(self.ran(dag), {"words", "more"})

    def test_a_lost_artifact_is_recomputed_with_the_same_bytes(self):
        before = self.objects()
        victim = max(before)
        for path in (self.folder / ".satdl/objects").rglob(f"{victim}.h5"):
            path.unlink()
        self.assertEqual(len(self.ran(self.dag)), 1)
        self.assertEqual(self.objects(), before)

    def test_a_lost_index_costs_no_stage(self):
        (self.folder / ".satdl/index.sqlite").unlink()
        self.assertEqual(self.ran(self.dag), set())
        (self.folder / ".satdl/index.sqlite").write_bytes(b"garbage" * 1000)
        self.assertEqual(self.ran(self.dag), set())

    def test_a_damaged_artifact_is_never_used(self):
        before = self.objects()
        for path in (self.folder / ".satdl/objects").rglob("*.h5"):
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
        self.call("cache", "verify", code=3)
        self.assertIn("quarantine", self.out)
        self.assertEqual(self.ran(self.dag), set(STAGES))
        self.assertEqual(self.objects(), before)
        self.call("cache", "verify")
        self.assertIn(f"{len(STAGES)} artifacts good", self.out)
        self.call("cache", "reindex")
        self.assertIn(f"{len(STAGES)} artifacts", self.out)


class Choice(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def test_a_target_brings_what_it_needs_and_nothing_else(self):
        self.assertEqual(self.ran(self.dag, "c"), {"a", "b", "c"})
        self.assertEqual(self.ran(self.dag, "--until", "signs"), {"signs"})

    def test_a_single_stage_takes_its_inputs_from_the_store(self):
        self.call("run", self.dag, "-s", "c", code=2)
        self.assertIn("satdl: c: ", self.err)
        self.call("run", self.dag, "b", "-q")
        self.assertEqual(self.ran(self.dag, "-s", "c"), {"c"})

    def test_force_runs_what_is_up_to_date(self):
        self.call("run", self.dag, "-q")
        before = self.objects()
        self.assertEqual(self.ran(self.dag, "-f", "-s", "c"), {"c"})
        self.assertEqual(self.ran(self.dag, "-f"), set(STAGES))
        self.assertEqual(self.objects(), before)

    def test_downstream(self):
        self.call("run", self.dag, "-q")
        self.assertEqual(self.ran(self.dag, "--downstream", "trained_a", "--profile", "long"),
                         {"trained_a", "trained_b", "verdict"})  # the verdict needs both
        self.assertEqual(self.ran(self.dag, "-f", "--downstream", "c"), {"c"})  # its bytes are the same: cut off there
        self.write("two.yaml", DAG.replace("name: quick", "name: two") + "  aside: {kind: add, in: {x: a.numbers}}\n")
        self.assertNotIn("aside", self.outcomes("two.yaml", "--downstream", "c"))

    def test_a_dry_run_prints_the_plan_of_the_next_run_and_writes_nothing(self):
        choices = ([], ["--set", "amount=4"], ["c"], ["-f", "-s", "c"], ["--downstream", "signs"], ["--set", "first=3"])
        may_be = {"run": ["ran"], "reuse": ["reused"], "unknown": ["ran", "reused"]}
        for arguments in choices:
            with self.subTest(arguments):
                stages = self.document("run", self.dag, *arguments, "-n")["stages"]
                plan = {stage["stage"]: stage["action"] for stage in stages}
                text = self.call("run", self.dag, *arguments, "-n")
                self.assertTrue(all(stage in text for stage in plan))
                outcomes = self.outcomes(self.dag, *arguments)
                self.assertEqual(set(plan), set(outcomes))
                for stage, action in plan.items():
                    self.assertIn(outcomes[stage], may_be[action])

    def test_a_dry_run_in_an_empty_folder_creates_no_file(self):
        before = sorted(self.folder.iterdir())
        self.call("run", self.dag, "-n")
        self.call("status", self.dag)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_git_sees_nothing_of_a_store_whatever_became_of_the_run(self):
        self.environment["GIT_CONFIG_GLOBAL"] = "/dev/null"
        git = ["git", "-c", "safe.directory=*", "-C", str(self.folder)]
        subprocess.run([*git, "init", "-q"], check=True, env=self.environment)
        self.call("run", self.write("bad.yaml", "stages: {f: {kind: fail}}\n"), "--store", "failed", code=1)
        self.call("run", self.dag, "-q")
        for store in (".satdl", "failed"):
            self.assertEqual((self.folder / store / ".gitignore").read_text(), "*\n")
        status = subprocess.run([*git, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True, env=self.environment).stdout
        self.assertIn("bad.yaml", status)
        self.assertNotIn(" .satdl", status)
        self.assertNotIn(" failed", status)

    def test_only_a_command_that_runs_a_stage_warns_of_variables_that_stages_do_not_get(self):
        self.environment |= {"OMP_THREAD_LIMIT": "1", "OMP_DYNAMIC": "false"}
        warning = ("satdl: warning: the environment's OMP_THREAD_LIMIT is ignored: it would change results or take threads from stages "
                   "(docs/engine.md)\n")
        for command in (["run", self.dag, "-n"], ["status", self.dag], ["stages"], ["ls", self.dag]):
            self.call(*command)
            self.assertEqual(self.err, "")
        for command in (["run", self.dag, "--smoke"], ["run", self.dag, "-q"], ["check-determinism", self.dag, "b"]):
            self.call(*command)
            self.assertEqual(self.err, warning, command)
        self.call("run", self.dag, "-q")  # all is reused
        self.assertEqual(self.err, "")


if __name__ == "__main__":
    unittest.main()
