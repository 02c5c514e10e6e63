"""Runs that nobody looks at, and what ends them, with Debian's Slurm on this machine: .ci/run cluster installs it."""

import unittest

from attach_scenarios import AttachScenarios
from real_slurm import RealSlurm
import satdl


class RealAttach(AttachScenarios, satdl.Case):
    @classmethod
    def setUpClass(cls):
        cls.slurm = cls.enterClassContext(RealSlurm(nodes=2, cpus=4, memory_mb=4000))

    def setUp(self):
        super().setUp()
        self.slurm.wait_for_nodes()
        self.environment = self.slurm.environment(self.environment)


if __name__ == "__main__":
    unittest.main()
