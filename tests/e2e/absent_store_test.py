"""Commands that look into a store do not take a misspelt one for an empty one, and create none."""

import unittest

import satdl
from satdl import DAG


class AbsentStore(satdl.Case):
    def test_a_store_that_is_named_must_be_there(self):
        dag = self.write("quick.yaml", DAG)
        (self.folder / "project/runs").mkdir(parents=True)  # not every folder is a store
        for store in ("typo", "project"):
            for command in (["cache", "verify"], ["cache", "verify", "--repair"], ["cache", "reindex"], ["cache", "gc"], ["cache", "gc", "-n"],
                            ["status", dag], ["explain", dag, "b"], ["graph", dag, "--status"], ["ls"], ["ls", dag], ["show", "b"], ["reproduce", "b"],
                            ["report"], ["report", dag]):
                self.call(*command, "--store", store, code=2)
                self.assertIn(f"satdl: there is no store in '{store}'\n", self.err, command)
        self.environment["SATDL_STORE"] = "typo"
        self.call("status", dag, code=2)
        self.assertEqual(sorted(path.name for path in self.folder.rglob("*")), ["project", "quick.yaml", "runs"])
        self.call("run", dag, "-n")  # what a run would do, which creates the store
        self.call("run", dag, "-q")
        self.call("status", dag)

    def test_the_default_one_may_be_absent_where_nothing_has_run_yet(self):
        dag = self.write("quick.yaml", DAG)
        self.assertIn("no result yet", self.call("status", dag))
        self.call("ls", dag)
        for command in ("verify", "reindex", "gc"):
            self.call("cache", command, code=2)
            self.assertIn("satdl: there is no store in '.satdl'\n", self.err)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["quick.yaml"])


if __name__ == "__main__":
    unittest.main()
