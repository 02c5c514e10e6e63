"""What `satdl attach`, `satdl cancel` and `satdl run --detach` must do with any Slurm, scripted or real: each scenario is a test of both."""

import json
import re
import signal
import time

import run_scenarios

RUN_ID = r"\d{8}T\d{6}\.\d{6}-\d+"


class AttachScenarios:
    """Mixed into a satdl.Case whose environment leads to a Slurm of two nodes, n1 and n2."""

    def setUp(self):
        super().setUp()
        self.dag = self.write("long.yaml", run_scenarios.LONG)

    artifacts, jobs, begin = (getattr(run_scenarios.RunScenarios, name) for name in ("artifacts", "jobs", "begin"))

    def outcome(self):
        return self.document("log")["runs"][0]["outcome"]

    def check_results(self, jobs):
        """The bytes are those of a run on this machine, and no more jobs were needed."""
        self.call("run", self.dag, "--executor", "local", "--store", "local")
        self.assertEqual(self.artifacts(), self.artifacts("local"))
        self.assertEqual(len(list(self.folder.glob(".satdl/runs/*/jobs/b*"))), jobs)

    def wait_for(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def end_of_first_job(self):
        end = self.jobs()["b1.a1"] / "end.json"
        self.wait_for(end.exists, "the job does not end")
        return [node["outcome"] for node in json.loads(end.read_text())["nodes"]]

    def test_a_run_whose_terminal_is_closed_leaves_its_jobs_and_attach_continues_it(self):
        run = self.begin(self.dag)
        run.send_signal(signal.SIGHUP)
        self.assertEqual(run.wait(60), 129)
        self.assertEqual(self.outcome(), "detached")
        self.assertIn("3 stages: 2 ran, 1 reused", self.call("attach"))
        self.assertIn("takes over the jobs of run", self.err)
        self.assertEqual(self.outcome(), "done")
        self.check_results(jobs=2)

    def test_a_detached_run_goes_on_and_attach_shows_it(self):
        run = re.search(RUN_ID, self.call("run", self.dag, "--detach"))[0]
        shown = self.call("attach", run)
        self.assertIn("epoch 20/20", shown)
        self.assertIn("3 stages: 3 ran", shown)
        self.check_results(jobs=2)

    def test_cancel_asks_a_controller_that_lives(self):
        self.call("run", self.dag, "--detach")
        self.wait_for(lambda: any('"progress"' in (job / "events.jsonl").read_text() for job in self.jobs().values()
                                  if (job / "events.jsonl").exists()), "no job has begun")
        self.assertIn("to cancel its jobs", self.call("cancel"))
        self.assertIn("`satdl cancel` cancelled its job", self.call("attach", code=1))
        self.assertEqual(self.end_of_first_job(), ["continued"])
        self.assertEqual(self.outcomes(self.dag), {"a": "reused", "long": "ran", "after": "ran"})
        self.check_results(jobs=3)

    def test_cancel_ends_jobs_that_have_no_controller(self):
        run = self.begin(self.dag)
        run.kill()
        run.wait(60)
        self.assertEqual(self.outcome(), "detached")
        self.assertIn("0 waiting jobs cancelled; 1 running ones asked", self.call("cancel"))
        self.assertEqual(self.end_of_first_job(), ["continued"])
        self.assertEqual(self.outcome(), "interrupted")
        self.call("cancel", code=2)
        self.assertEqual(self.outcomes(self.dag), {"a": "reused", "long": "ran", "after": "ran"})
        self.check_results(jobs=3)
