"""Artifacts that are cut or written to in place while a stage reads them: the stage fails naming the file, nothing wrong is kept."""

import shutil
import unittest

import satdl

DAG = """\
name: cut
stages:
  a: {{kind: count_up, count: 100000}}
  b: {{kind: count_up, count: 10}}
  wait: {{kind: pretend, in: {{x: b.numbers}}, epochs: 1, milliseconds: 300}}
  bad: {{kind: wild, how: {how}, note: "{path}", in: {{x: a.numbers}}}}
  after: {{kind: add, in: {{x: bad.numbers}}}}
  other: {{kind: add, in: {{x: b.numbers}}, amount: 1}}
  late: {{kind: wild, how: nothing, in: {{x: a.numbers, after: wait.metrics}}}}
"""


class Cut(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment["SATDL_STAGES"] = f"{satdl.SIMPLE}:{satdl.WILD}"

    def begin(self, how):
        """The DAG, with the artifact of `a` in the store, which `bad` will harm once, and the artifacts of a run without harm."""
        self.call("run", self.write("cut.yaml", DAG.format(how=how, path="")), "a", "-q")
        [self.artifact] = (self.folder / ".satdl/objects").rglob("*.h5")
        dag = self.write("cut.yaml", DAG.format(how=how, path=self.artifact))
        (self.folder / "harmed").touch()
        self.call("run", dag, "-q", "--store", "whole")
        (self.folder / "harmed").unlink()
        self.truth = self.objects("whole")
        return dag

    def failed(self, dag, *arguments):
        """A run in which `bad` alone fails; the events of all stages, by name."""
        events = self.events(dag, "-k", *arguments, code=1)
        stages = {event["stage"]: event for event in events if event["event"] == "stage"}
        outcomes = {name: stages[name]["outcome"] for name in ("bad", "after", "other", "late")}
        self.assertEqual(outcomes, {"bad": "failed", "after": "skipped", "other": "ran", "late": "ran"})
        for key, text in self.objects().items():
            if key != self.artifact.stem:
                self.assertEqual(text, self.truth[key])
        return stages

    def repaired(self, dag, *arguments):
        """The next run needs no hand, and gives what a run without harm gives."""
        self.assertEqual(set(self.outcomes(dag, *arguments).values()) - {"reused"}, {"ran"})
        self.assertEqual(self.objects(), self.truth)
        self.assertTrue([path for path in (self.folder / ".satdl/quarantine").iterdir() if self.artifact.stem in path.name])

    def test_the_stage_fails_naming_the_object_and_the_next_run_repairs(self):
        for isolate in ([], ["--isolate"]):
            for how, words in (("cut", "was truncated from [0-9]+ to [0-9]+ bytes"), ("cut_tail", "was truncated from [0-9]+ to [0-9]+ bytes"),
                               ("write_to", "was modified")):
                with self.subTest(how, isolate=isolate):
                    dag = self.begin(how)
                    stages = self.failed(dag, "-j2", *isolate)
                    self.assertRegex(stages["bad"]["error"], f"^'[^']*{self.artifact.name}' {words} while the stage read it, so its output is discarded")
                    self.repaired(dag, *isolate)
                    for name in (".satdl", "whole", "results"):
                        shutil.rmtree(self.folder / name)
                    (self.folder / "harmed").unlink()

    def test_later_consumers_in_the_same_run_get_the_recomputed_artifact(self):
        dag = self.begin("cut")
        stages = self.failed(dag, "-j2")
        if stages["a"]["outcome"] == "ran":  # `late` came after `bad`, as it does but on a very busy machine
            self.assertIn("its artifact was damaged", stages["a"]["because"])
            self.assertEqual(self.objects()[self.artifact.stem], self.truth[self.artifact.stem])

    def test_the_stage_is_not_retried(self):
        dag = self.begin("cut")
        dag.write_text(dag.read_text().replace("how: cut,", "how: cut, retries: 3,"))
        self.assertEqual(self.failed(dag)["bad"]["attempt"], 1)

    def test_no_checkpoint_is_stored_that_may_come_from_zeros(self):
        dag = self.begin("cut_then_keep")
        for isolate in ([], ["--isolate"]):
            self.assertIn(self.artifact.name, self.failed(dag, *isolate)["bad"]["error"])
            self.assertEqual(list((self.folder / ".satdl").glob("checkpoints/*")), [])
            self.repaired(dag, *isolate)
            shutil.rmtree(self.folder / ".satdl")
            (self.folder / "harmed").unlink()
            self.call("run", dag, "a", "-q")

    def test_a_truncated_checkpoint_fails_the_stage_that_resumes_from_it(self):
        dag = self.begin("cut_checkpoint")
        self.assertIn("not yet", self.failed(dag)["bad"]["error"])
        [kept] = (self.folder / ".satdl/checkpoints").iterdir()
        self.call("run", dag, "bad", "-q", code=1)
        self.assertRegex(self.err, f"'[^']*checkpoints/{kept.name}' was truncated from [0-9]+ to [0-9]+ bytes while the stage read it")
        self.assertIn("it starts over", "".join(event.get("message", "") for event in self.events(dag)))
        self.assertEqual(self.objects(), self.truth)

    def test_a_crash_of_a_stage_is_reported_as_a_crash(self):
        dag = self.write("crash.yaml", "name: crash\nstages:\n  bad: {kind: wild, how: bus}\n")
        self.let_sanitizers("handle_sigbus=0")
        error = [event for event in self.events(dag, "--isolate", code=1) if event["event"] == "stage"][0]["error"]
        self.assertIn("it crashed with SIGBUS", error)


if __name__ == "__main__":
    unittest.main()
