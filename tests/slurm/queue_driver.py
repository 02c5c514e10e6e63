"""SlurmQueue, driven by a test through slurm_queue_driver."""

import json
import os
import pathlib
import subprocess
import time


class QueueDriver:
    """A queue of one run in `folder`. Another one of the same folder is what comes after the first has died."""

    def __init__(self, folder, environment, run="run1"):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen([pathlib.Path(os.environ["SATDL_BINARY_DIR"]) / "slurm_queue_driver", run, self.folder / "slurm"],
                                        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.limits = self.ask("limits")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def end_jobs(self):
        """So that none writes into the folder while it is removed."""
        self.ask("cancel_all")
        self.until(lambda jobs: all(job["state"] != "running" for job in jobs.values()))

    def ask(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def request(self, name, script, **resources):
        """A job that runs a script of the shell in the queue's folder, with the log NAME.log."""
        return {"name": name, "command": ["/bin/sh", "-c", script], "folder": str(self.folder), "log": str(self.folder / f"{name}.log"),
                **resources}

    def submit(self, *requests):
        return self.ask("submit", jobs=list(requests))

    def poll(self):
        return self.ask("poll")

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def until(self, condition, seconds=60):
        """Polls until condition(jobs) is true for an answer: that answer."""
        end = time.monotonic() + seconds
        while True:
            jobs = self.poll()
            if jobs is not None and condition(jobs):
                return jobs
            if time.monotonic() > end:
                raise AssertionError(f"did not come within {seconds} s: {jobs}")
            time.sleep(0.1)

    def until_state(self, name, state, seconds=60):
        return self.until(lambda jobs: jobs.get(name, {}).get("state") == state, seconds)[name]

    def until_all_ended(self, seconds=60):
        return self.until(lambda jobs: all(job["state"] == "ended" for job in jobs.values()), seconds)
