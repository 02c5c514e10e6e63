"""Runs that nobody looks at, and what ends them, with a scripted Slurm."""

import unittest

from attach_scenarios import AttachScenarios
from scripted_slurm import ScriptedSlurm
import satdl


class Attach(AttachScenarios, satdl.Case):
    def setUp(self):
        super().setUp()
        self.slurm = self.enterContext(ScriptedSlurm(self.enterContext(satdl.temporary_folder())))
        self.environment = self.slurm.environment(self.environment)


if __name__ == "__main__":
    unittest.main()
