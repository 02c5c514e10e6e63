"""The shipped DAGs from the store's memory of their files: the plans are those of the parsed files."""

import shutil
import unittest

import satdl


class ShippedDags(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]

    def test_plans_from_memory_are_those_of_the_parsed_files(self):
        for name in ("full", "dense"):
            dag = satdl.SOURCE / f"dags/{name}.yaml"
            memory = self.folder / ".satdl/documents"
            for settings in ([], ["--profile", "quick"], ["--set", "noise_factor=0.3"], ["noise_factor=0.1,0.2", "seed=1,2"]):
                self.call("run", dag, "-q", "no_such_stage", code=2)  # remembers the files, and runs nothing
                self.assertGreater(len(list(memory.iterdir())), 1)  # it and what it includes
                from_memory = self.call("run", dag, "-n", "--json", *settings)
                shutil.rmtree(memory)
                self.assertEqual(self.call("run", dag, "-n", "--json", *settings), from_memory)


if __name__ == "__main__":
    unittest.main()
