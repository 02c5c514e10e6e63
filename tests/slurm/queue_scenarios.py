"""What SlurmQueue must do with any Slurm, scripted or real: each scenario is a test of both."""

import tempfile
import time
import unittest

from queue_driver import QueueDriver


class QueueCase(unittest.TestCase):
    """A test that has `slurm`."""

    def open_queue(self, run="", folder=None):
        if folder is None:
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="satdl-queue-"))
        queue = QueueDriver(folder, self.slurm.environment(), self._testMethodName + run)
        self.addCleanup(queue.close)
        self.addCleanup(queue.end_jobs)
        return queue

    def ids(self, results):
        """The ids of jobs that were all accepted."""
        self.assertTrue(all("id" in one for one in results), results)
        return [one["id"] for one in results]


class QueueScenarios:
    """Mixed into a QueueCase whose `slurm` has two nodes of 4 CPUs and 4000 MB, with kill_node() and node_back()."""

    def test_jobs_run_with_what_they_ask_for_and_their_ends_are_told(self):
        queue = self.open_queue()
        script = "echo cpus $SLURM_CPUS_PER_TASK; echo to stderr >&2"
        self.ids(queue.submit(queue.request("good", script, cpus=2, memory_mb=200, seconds=600)))
        self.ids(queue.submit(queue.request("bad", "echo failing; exit 3")))
        self.ids(queue.submit(queue.request("killed", "kill -KILL $$")))
        jobs = queue.until_all_ended()
        self.assertEqual({name: (job["end"], job["exit_code"]) for name, job in jobs.items()},
                         {"good": ("exited", 0), "bad": ("exited", 3), "killed": ("exited", 137)})
        self.assertEqual(queue.log("good"), "cpus 2\nto stderr\n")
        self.assertIn(jobs["good"]["machine"], ("n1", "n2"))

    def test_an_array_is_one_submission_and_each_task_has_its_own_name_and_log(self):
        queue = self.open_queue()
        names = [f"b{i}.a1" for i in range(5, 10)]
        ids = self.ids(queue.submit(*(queue.request(name, f"echo I am {name}; exit {i}") for i, name in enumerate(names))))
        self.assertEqual(len({one.split("_")[0] for one in ids}), 1)
        # Another process finds them by their names.
        after = self.open_queue(folder=queue.folder)
        jobs = after.until_all_ended()
        self.assertEqual({name: job["exit_code"] for name, job in jobs.items()}, {name: i for i, name in enumerate(names)})
        self.assertEqual([queue.log(name) for name in names], [f"I am {name}\n" for name in names])

    def test_only_this_runs_jobs_are_shown_and_cancelled(self):
        mine, other = self.open_queue(), self.open_queue(".2")
        self.ids(mine.submit(mine.request("m", "sleep 1000"), mine.request("m2", "sleep 1000")))
        self.ids(other.submit(other.request("o", "sleep 1000")))
        mine.until(lambda jobs: all(job["state"] == "running" for job in jobs.values()))
        self.assertEqual(set(mine.poll()), {"m", "m2"})
        mine.ask("cancel_all")
        self.assertEqual({job["end"] for job in mine.until_all_ended().values()}, {"cancelled"})
        self.assertEqual(other.until_state("o", "running")["state"], "running")
        other.ask("cancel", ids=[other.poll()["o"]["id"], "999999", "999999_3"])
        self.assertEqual(other.until_state("o", "ended")["end"], "cancelled")

    def test_a_job_that_is_asked_to_stop_gets_a_signal_and_ends_as_it_likes(self):
        queue = self.open_queue()
        script = "trap 'echo stopping; exit 7' TERM; echo begun; while :; do sleep 0.05; done"
        ids = self.ids(queue.submit(*(queue.request(name, script) for name in ("one", "two"))))
        ids += self.ids(queue.submit(queue.request("wide", "sleep 1000", cpus=4), queue.request("wide2", "sleep 1000", cpus=4)))
        self.slurm.wait_until(lambda: queue.log("one") + queue.log("two") == "begun\n" * 2, "the jobs")
        queue.ask("ask_to_stop", ids=ids[:2])
        jobs = queue.until(lambda jobs: all(jobs[name]["state"] == "ended" for name in ("one", "two")))
        self.assertEqual([(jobs[name]["end"], jobs[name]["exit_code"]) for name in ("one", "two")], [("exited", 7)] * 2)
        self.assertRegex(queue.log("one"), r"^begun\n(slurmstepd.*\n)?stopping\n$")  # of a task, Slurm says that it got a signal
        queue.ask("cancel_all")

    def test_what_no_machine_has_is_refused_with_slurms_words(self):
        queue = self.open_queue()
        for wrong, words in (({"partition": "nowhere"}, "partition"), ({"cpus": 64}, "configuration|processors"),
                             ({"memory_mb": 900000}, "configuration")):
            [refused] = queue.submit(queue.request("wrong", "true", **wrong))
            self.assertEqual(refused.get("failure"), "config", refused)
            self.assertRegex(refused["text"], words)
        self.assertEqual(queue.poll(), {})

    def test_a_job_whose_node_dies_is_restarted_by_slurm(self):
        queue = self.open_queue()
        self.ids(queue.submit(queue.request("job", "echo restart ${SLURM_RESTART_COUNT:-0} on $SLURMD_NODENAME; "
                                                   "[ -n \"$SLURM_RESTART_COUNT\" ] || exec sleep 1000")))
        node = queue.until_state("job", "running")["machine"]
        self.slurm.wait_until(lambda: queue.log("job"), "the job's log")
        self.kill_node(node)
        seen = set()

        def ended(jobs):
            seen.add(jobs["job"]["state"])
            return jobs["job"]["state"] == "ended"
        job = queue.until(ended, 120)["job"]
        self.assertEqual((job["end"], job["exit_code"]), ("exited", 0))
        self.assertEqual(seen - {"running", "ended"}, {"pending"})  # never an end in between
        other = "n2" if node == "n1" else "n1"
        self.assertEqual(queue.log("job"), f"restart 0 on {node}\nrestart 1 on {other}\n")
        self.node_back(node)

    def test_many_small_jobs_are_arrays_of_the_clusters_size(self):
        queue = self.open_queue()
        began = time.monotonic()
        size = queue.limits["array"]
        todo = [f"b{i}.a1" for i in range(40)]
        for first in range(0, len(todo), size):
            self.ids(queue.submit(*(queue.request(name, "true") for name in todo[first:first + size])))
        jobs = queue.until(lambda jobs: len(jobs) == len(todo) and all(job["state"] == "ended" for job in jobs.values()))
        self.assertTrue(all(job["exit_code"] == 0 for job in jobs.values()))
        print(f"\n40 jobs in {time.monotonic() - began:.1f} s")
