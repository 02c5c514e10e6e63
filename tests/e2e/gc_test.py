"""satdl cache gc: what is kept, what goes, and that it comes back."""

import subprocess
import unittest

import satdl
from satdl import DAG


class Gc(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")
        self.current = set(self.objects())
        self.call("run", self.dag, "--set", "amount=5", "-q")
        self.call("run", self.dag, "-q", "-f")  # the last run, and what results/ links to
        self.before = self.objects()
        self.unused = self.before.keys() - self.current
        self.assertEqual(len(self.unused), 5)  # b, signs, c, trained_b, verdict: trained_a reads the same signs

    def test_artifacts_of_results_and_of_the_last_runs_are_kept_and_removed_ones_are_recomputed_with_the_same_bytes(self):
        out = self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "0")
        self.assertRegex(out, r"would remove 5 artifacts \(\S+ kB\), 7 remain")
        self.assertEqual(self.objects(), self.before)
        self.assertIn("removed 0 artifacts", self.call("cache", "gc"))  # ten runs are kept
        document = self.document("cache", "gc", "--keep-runs", "1", "--older", "0")
        self.assertEqual({one["key"] for one in document["artifacts"]}, self.unused)
        self.assertTrue(all(one["seconds"] is not None for one in document["artifacts"]))
        self.assertEqual(set(self.objects()), self.current)
        self.assertEqual(self.ran(self.dag), set())
        self.assertEqual(self.ran(self.dag, "--set", "amount=5"), {"b", "signs", "c", "trained_b", "verdict"})
        self.assertEqual(self.objects(), self.before)

    def test_a_dag_file_may_be_named(self):
        out = self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "0", "--dag", self.dag, "--set", "amount=5")
        self.assertIn("would remove 0 artifacts", out)

    def test_by_age_and_by_size(self):
        self.assertIn("would remove 0 ", self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "1"))
        self.assertIn("would remove 0 ", self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "0", "--to", "1GB"))
        almost = sum(map(len, self.before.values())) - 1
        self.assertIn("would remove 1 ", self.call("cache", "gc", "-n", "--keep-runs", "0", "--older", "0", "--to", str(almost)))
        self.call("cache", "gc", "--to", "many", code=2)
        self.call("cache", "gc", "-n", "--set", "amount=5", code=2)
        self.assertIn("need a DAG file, but none is given", self.err)

    def test_collection_is_refused_while_a_run_uses_the_store(self):
        dag = self.write("slow.yaml", "name: slow\nstages:\n  a: {kind: count_up}\n  deaf: {kind: deaf, in: {x: a.numbers}}\n")
        run = subprocess.Popen([satdl.BINARY / "satdl", "run", dag, "--json"], cwd=self.folder, env=self.environment,
                               stdout=subprocess.PIPE)
        line = b""
        while b'"log"' not in line:
            line = run.stdout.readline()
            self.assertTrue(line)
        self.call("cache", "gc", code=3)
        self.assertIn("is in use by a run", self.err)
        self.call("cache", "gc", "-n")
        run.kill()
        run.communicate()
        self.call("cache", "gc")

    def test_leftovers_are_removed_unless_they_are_needed(self):
        store = self.folder / ".satdl"
        used, unused = sorted(self.current)[0], sorted(self.unused)[0]
        for name in (f"checkpoints/{used}.1.h5", f"checkpoints/{unused}.3.h5", f"quarantine/{used}.1.h5", "index.sqlite.damaged-1"):
            (store / name).parent.mkdir(exist_ok=True)
            (store / name).write_bytes(b"0123456789")
        lost = sorted(self.current)[1]
        (store / f"objects/{lost[:2]}/{lost}.h5").rename(store / f"quarantine/{lost}.1.h5")
        self.assertIn("and 3 leftovers (30 B)", self.call("cache", "gc", "-n", "--keep-runs", "1", "--older", "0"))
        self.assertNotIn("leftover", self.call("cache", "gc", "-n", "--keep-runs", "1", "--older", "1"))
        self.assertEqual(self.document("cache", "gc", "--keep-runs", "1", "--older", "0")["leftovers"], 3)
        left = {str(path.relative_to(store)) for folder in ("checkpoints", "quarantine") for path in (store / folder).iterdir()}
        self.assertEqual(left, {f"checkpoints/{used}.1.h5", f"quarantine/{lost}.1.h5"})

    def test_without_the_links_no_artifact_is_removed(self):
        self.call("cache", "gc", "--keep-runs", "0", "--older", "0", "--results", "elsewhere", code=2)
        self.assertIn("cannot read 'elsewhere'", self.err)
        self.assertEqual(self.objects(), self.before)


if __name__ == "__main__":
    unittest.main()
