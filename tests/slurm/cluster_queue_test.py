"""The queue with Debian's Slurm, on this machine: .ci/run cluster installs it."""

import unittest

from queue_scenarios import QueueCase, QueueScenarios
from real_slurm import RealSlurm


class RealQueue(QueueScenarios, QueueCase):
    @classmethod
    def setUpClass(cls):
        cls.slurm = cls.enterClassContext(RealSlurm(nodes=2, cpus=4, memory_mb=4000))

    def setUp(self):
        self.slurm.wait_for_nodes()

    def kill_node(self, name):
        self.slurm.kill(name)

    def node_back(self, name):
        self.slurm.start(name)


if __name__ == "__main__":
    unittest.main()
