"""The shipped experiment, in small, as jobs of Debian's Slurm on two nodes."""

import shutil
import subprocess
import unittest

import satdl
import study
from cluster_case import ClusterCase, Run

SMALL = ("--set", "limit=200", "--set", "epochs=2", "--set", "bn_momentum=0.5", "--set", "threads=1")


class Study(ClusterCase):
    options = {"nodes": 2, "cpus": 2, "memory_mb": 8000}

    def test_as_jobs_it_has_the_same_bytes(self):
        subprocess.run([satdl.BINARY / "satdl", "data", "fetch"], cwd=satdl.SOURCE, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(satdl.SOURCE / "dags/common", self.folder / "common")
        self.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")
        del self.environment["SATDL_STAGES"]
        dag = self.write("full.yaml", study.tiny_dag())
        ends = Run(self, dag, *SMALL).outcomes()
        self.assertEqual({end["outcome"] for end in ends.values()}, {"ran"})
        self.assertEqual({end["where"].split()[-1] for end in ends.values()}, {"n1", "n2"})
        self.assert_as_locally(dag, *SMALL)


if __name__ == "__main__":
    unittest.main()
