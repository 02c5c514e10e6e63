"""satdl cache verify --repair, and satdl selftest."""

import json
import unittest

import satdl
from satdl import DAG, STAGES


class Repair(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")
        self.before = self.objects()
        self.keys = {one["stage"]: one["key"] for one in self.document("ls")["stages"]}

    def path(self, stage):
        key = self.keys[stage]
        return self.folder / f".satdl/objects/{key[:2]}/{key}.h5"

    def damage(self, stage, at=-1):
        data = bytearray(self.path(stage).read_bytes())
        data[at] ^= 1
        self.path(stage).chmod(0o644)
        self.path(stage).write_bytes(data)

    def test_what_is_damaged_is_named_made_again_and_compared(self):
        self.damage("b")
        self.damage("verdict", 200)  # in its header: nothing is left to compare with
        self.dag.unlink()
        self.call("cache", "verify", "--repair")
        self.assertIn("5 artifacts good", self.out)
        self.assertRegex(self.out, r"b +yes +the digests that were recorded")
        self.assertRegex(self.out, r"verdict +yes +its header is lost")
        self.assertIn("the tensor 'numbers'", self.err)
        self.assertEqual(self.objects(), self.before)
        self.assertEqual(self.document("cache", "verify", "--repair"), {
            "good": len(STAGES), "bytes": sum(map(len, self.before.values())), "damaged": [], "repairs": []})

    def test_what_was_put_aside_before_is_repaired_too_with_what_it_needs(self):
        self.damage("c")
        self.call("cache", "verify", code=3)
        self.assertIn("--repair", self.out)
        self.path("b").unlink()  # the repair of c needs it
        document = self.document("cache", "verify", "--repair")
        self.assertEqual([(one["stage"], one["repaired"]) for one in document["repairs"]], [("c", True)])
        self.assertEqual(self.objects(), self.before)

    def test_a_stage_of_a_sweep_and_of_foreach(self):
        dag = self.write("each.yaml", "name: each\nparams: {by: 1}\nstages:\n  a: {kind: count_up}\n  more:\n    foreach: [3, 4]\n"
                                      "    do: {kind: add, in: {x: a.numbers}, amount: \"${item}\"}\n"
                                      "  sum: {kind: add, in: {x: more@3.numbers, y: more@4.numbers}, amount: \"${by}\"}\n")
        self.call("run", dag, "--sweep", "by=1,2", "-q")
        before = self.objects()
        (self.folder / ".satdl/index.sqlite").unlink()
        for path in (self.folder / ".satdl/objects").rglob("*.h5"):
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
        document = json.loads(self.call("cache", "verify", "--repair", "--json"))
        stages = {one["stage"] for one in document["repairs"]}
        self.assertLessEqual({"more@3", "more@4", "sum[by=1]", "sum[by=2]"}, stages)
        self.assertEqual(self.objects(), before)

    def test_what_nobody_recorded_is_said_to_have_no_recipe(self):
        self.damage("b")
        for record in (self.folder / ".satdl/runs").rglob("events.jsonl"):
            record.write_text(record.read_text()[:50])  # torn
        self.call("cache", "verify", "--repair", code=3)
        self.assertRegex(self.out, r"\? +no +no record of a run")
        self.assertEqual(self.ran(self.dag), {"b"})
        self.call("cache", "verify", "--repair")

    def test_a_repair_leaves_links_and_history_alone(self):
        links = {path: path.readlink() for path in (self.folder / "results").rglob("*") if path.is_symlink()}
        self.damage("signs")
        self.call("cache", "verify", "--repair")
        self.assertEqual({path: path.readlink() for path in (self.folder / "results").rglob("*") if path.is_symlink()}, links)
        self.assertEqual(self.ran(self.dag), set())


class Selftest(satdl.Case):
    def test_where_a_store_would_be(self):
        out = self.call("selftest", "--store", "not/yet")
        self.assertIn("a store may be kept there", out)
        self.assertEqual(list(self.folder.iterdir()), [])
        document = self.document("selftest")
        self.assertTrue(document["usable"])
        self.assertEqual(document["folder"], str(self.folder.resolve()))

    def test_where_nothing_can_be_written(self):
        self.call("selftest", "--store", "/proc/satdl", code=3)
        self.assertIn("/proc", self.err)


if __name__ == "__main__":
    unittest.main()
