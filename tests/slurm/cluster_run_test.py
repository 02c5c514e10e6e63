"""satdl run with stages as jobs of Debian's Slurm, on this machine: .ci/run cluster installs it."""

import unittest

from real_slurm import RealSlurm
from run_scenarios import RunScenarios
import satdl


class RealRun(RunScenarios, satdl.Case):
    @classmethod
    def setUpClass(cls):
        cls.slurm = cls.enterClassContext(RealSlurm(nodes=2, cpus=4, memory_mb=4000))

    def setUp(self):
        super().setUp()
        self.slurm.wait_for_nodes()
        self.environment = self.slurm.environment(self.environment)


if __name__ == "__main__":
    unittest.main()
