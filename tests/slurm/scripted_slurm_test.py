"""The queue with a scripted Slurm: what a real one does as well, and what a real one does only when something fails."""

import time
import unittest

from queue_scenarios import QueueCase, QueueScenarios
from scripted_slurm import BUSY, SOCKET_TIMED_OUT, ScriptedSlurm
import satdl


class ScriptedCase(QueueCase):
    options = {}

    def setUp(self):
        folder = self.enterContext(satdl.temporary_folder())
        self.slurm = self.enterContext(ScriptedSlurm(folder, kill_wait=0.5, **self.options))


class ScriptedQueue(QueueScenarios, ScriptedCase):
    def kill_node(self, name):
        self.slurm.node_down(name)

    def node_back(self, name):
        self.slurm.node_up(name)


class Faults(ScriptedCase):
    options = {"accounting": True}

    def started(self, queue, script="exec sleep 1000", **resources):
        self.ids(queue.submit(queue.request("job", script, **resources)))
        queue.until_state("job", "running")
        return self.slurm.job(queue.poll()["job"]["id"])

    def submissions(self):
        return sum(name == "sbatch" and argv != ["--version"] for _, name, argv in self.slurm.calls)

    def test_a_lost_reply_makes_no_second_job(self):
        queue = self.open_queue()
        self.slurm.fail("sbatch", SOCKET_TIMED_OUT, accepted=True)
        ids = self.ids(queue.submit(queue.request("a", "true"), queue.request("b", "true")))
        self.assertEqual(ids, ["1_0", "1_1"])
        self.assertEqual(self.submissions(), 1)

    def test_a_lost_reply_of_a_job_that_is_visible_late(self):
        queue = self.open_queue()
        self.slurm.hide_new_jobs(0.5)
        self.slurm.fail("sbatch", SOCKET_TIMED_OUT, accepted=True)
        self.assertEqual(queue.submit(queue.request("a", "true"))[0]["failure"], "throttled")
        time.sleep(0.6)
        self.assertEqual(self.ids(queue.submit(queue.request("a", "true"))), ["1"])
        self.assertEqual(self.submissions(), 1)

    def test_a_busy_controller_is_not_waited_for(self):
        queue = self.open_queue()
        self.slurm.fail("sbatch", BUSY, seconds=0.01)
        [refused] = queue.submit(queue.request("a", "true"))
        self.assertEqual(refused["failure"], "throttled")
        self.assertRegex(refused["text"], "temporarily unable to accept job")

    def test_a_limit_on_jobs_is_for_later(self):
        self.slurm.max_submit = 2
        queue = self.open_queue()
        results = queue.submit(*(queue.request(name, "true") for name in "abc"))
        self.assertEqual({one["failure"] for one in results}, {"throttled"})
        self.ids(queue.submit(*(queue.request(name, "true") for name in "ab")))

    def test_out_of_memory_time_limit_and_a_cancelled_job_are_told_apart(self):
        queue = self.open_queue()
        job = self.started(queue)
        self.slurm.out_of_memory(job.id)
        self.assertEqual(queue.until_state("job", "ended")["end"], "memory")
        script = "trap 'echo warned' USR1; while :; do sleep 0.05; done"
        self.ids(queue.submit(queue.request("late", script, extra=["--time=0:02", "--signal=B:USR1@1"])))
        self.assertEqual(queue.until_state("late", "ended")["end"], "time limit")
        self.assertRegex(queue.log("late"), r"warned\n.*DUE TO TIME LIMIT")
        script = "trap '' USR1; echo begun; exec sleep 1000"
        self.ids(queue.submit(*(queue.request(name, script, extra=["--time=0:01"]) for name in ("x", "y"))))
        queue.until(lambda jobs: {jobs[name].get("end") for name in "xy"} == {"time limit"})
        self.assertRegex(queue.log("y"), r"begun\n.*DUE TO TIME LIMIT")  # each task of an array has Slurm's words in its own log
        self.ids(queue.submit(queue.request("other", "exec sleep 1000")))
        self.slurm.cancel(queue.until_state("other", "running")["id"])
        self.assertEqual(queue.until_state("other", "ended")["end"], "cancelled")

    def test_a_preempted_job_that_is_queued_again_never_ends_and_one_that_is_not_ends(self):
        queue = self.open_queue()
        job = self.started(queue, "echo begun; exec sleep 1000")
        self.slurm.preempt(job.id)
        queue.until(lambda jobs: jobs["job"]["state"] == "running" and job.restarts == 1)
        self.slurm.preempt(job.id, requeue=False)
        self.slurm.wait_until(lambda: job.over)
        self.assertEqual((queue.poll()["job"]["state"], queue.poll()["job"]["reason"]), ("pending", "PREEMPTED"))

    def test_a_held_job_is_stuck(self):
        queue = self.open_queue()
        self.ids(queue.submit(queue.request("job", "true", extra=["--hold"])))
        job = queue.poll()["job"]
        self.assertEqual((job["state"], job["reason"], job["stuck"]), ("pending", "JobHeldUser", True))

    def test_accounting_knows_what_squeue_has_forgotten(self):
        self.slurm.min_job_age = 0.2
        queue = self.open_queue()
        ids = self.ids(queue.submit(queue.request("a", "exit 3"), queue.request("b", "true")))
        queue.until(lambda jobs: not jobs)
        found = queue.ask("look_up", ids=[*ids, "77"])
        self.assertEqual({one: (job["end"], job["exit_code"]) for one, job in found.items()},
                         {ids[0]: ("exited", 3), ids[1]: ("exited", 0)})

    def test_a_failed_query_is_no_answer(self):
        queue = self.open_queue()
        self.started(queue)
        self.slurm.fail("squeue", SOCKET_TIMED_OUT, times=2)
        self.assertIsNone(queue.poll())
        self.assertIsNone(queue.poll())
        self.assertEqual(queue.poll()["job"]["state"], "running")


if __name__ == "__main__":
    unittest.main()
