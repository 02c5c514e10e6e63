"""The report of a run whose stages were jobs: when each waited and ran, and where."""

import unittest

import browser
from scripted_slurm import ScriptedSlurm
import satdl


class ReportJobs(browser.Case):
    def test_the_schedule_shows_queue_and_run(self):
        slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder())))
        self.environment = slurm.environment(self.environment)
        dag = self.write("quick.yaml", satdl.DAG.replace("a: {kind: count_up,", "a: {kind: count_up, executor: local,"))
        self.call("run", dag, "--executor", "slurm")
        self.call("report", "-o", "report.html")
        self.open(self.folder / "report.html")
        self.check()
        schedule = self.js("return [...document.querySelectorAll('section')].find(one => one.textContent.includes('The schedule')).textContent")
        self.assertIn("6 stages ran as jobs of a batch system", schedule)
        self.assertIn("1 stage used", schedule)
        self.assertIn("queued", schedule)  # in the legend


if __name__ == "__main__":
    unittest.main()
