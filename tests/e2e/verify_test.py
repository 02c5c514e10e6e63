"""satdl cache verify, with --repair and without, and satdl selftest."""

import json
import shutil
import signal
import subprocess
import unittest

import satdl
from satdl import DAG, STAGES


def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


class Repair(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")
        self.before = self.objects()
        self.keys = {one["stage"]: one["key"] for one in self.document("ls")["stages"]}

    def test_it_repairs_what_ran_under_any_name_of_a_file(self):
        for name in ("n" * 79, ".hidden", "Größe"):
            with self.subTest(name):
                dag = self.write(f"{name}.yaml", DAG.replace("name: quick\n", ""))
                self.call("run", dag, "-q", "--store", name)
                artifact = next((self.folder / name / "objects").glob("*/*.h5"))
                sound = artifact.read_bytes()
                flip(artifact)
                self.call("cache", "verify", "--repair", "--store", name)
                self.assertEqual(artifact.read_bytes(), sound)

    def path(self, stage):
        key = self.keys[stage]
        return self.folder / f".satdl/objects/{key[:2]}/{key}.h5"

    def damage(self, stage, at=-1):
        flip(self.path(stage), at)

    def test_damaged_artifacts_are_named_recomputed_and_compared(self):
        self.damage("b")
        self.damage("verdict", 200)  # in its header: nothing is left to compare with
        self.dag.unlink()
        self.call("cache", "verify", "--repair")
        self.assertIn("5 artifacts good", self.out)
        self.assertRegex(self.out, r"b +yes +digests as recorded")
        self.assertRegex(self.out, r"verdict +yes +its header is lost")
        self.assertIn("the tensor 'numbers'", self.err)
        self.assertEqual(self.objects(), self.before)
        document = self.document("cache", "verify", "--repair")
        self.assertEqual({name: document[name] for name in ("good", "bytes", "damaged", "repairs")}, {
            "good": len(STAGES), "bytes": sum(map(len, self.before.values())), "damaged": [], "repairs": []})

    def test_artifacts_that_were_in_quarantine_before_are_repaired_with_their_inputs(self):
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
            flip(path)
        document = json.loads(self.call("cache", "verify", "--repair", "--json"))
        stages = {one["stage"] for one in document["repairs"]}
        self.assertLessEqual({"more@3", "more@4", "sum[by=1]", "sum[by=2]"}, stages)
        self.assertEqual(self.objects(), before)

    def test_an_artifact_without_a_record_is_reported_as_having_no_recipe(self):
        self.damage("b")
        for record in (self.folder / ".satdl/runs").rglob("events.jsonl"):
            record.write_text(record.read_text()[:50])  # torn, as by a crash: no damage
        self.call("cache", "verify", "--repair", code=3)
        self.assertNotIn("of the record", self.err)
        self.assertRegex(self.out, r"\? +no +no run record says")
        self.assertEqual(self.ran(self.dag), {"b"})
        self.call("cache", "verify", "--repair")

    def test_a_repair_leaves_links_and_history_alone(self):
        links = {path: path.readlink() for path in (self.folder / "results").rglob("*") if path.is_symlink()}
        self.damage("signs")
        self.call("cache", "verify", "--repair")
        self.assertEqual({path: path.readlink() for path in (self.folder / "results").rglob("*") if path.is_symlink()}, links)
        self.assertEqual(self.ran(self.dag), set())


class Checkpoints(satdl.Case):
    """A store with the two checkpoints of an interrupted training, and two ends of others."""

    def setUp(self):
        super().setUp()
        self.short = self.write("short.yaml", "name: short\nparams: {epochs: 2}\nstages:\n  a: {kind: count_up}\n"
                                              "  t: {kind: pretend_on, in: {x: a.numbers}, epochs: \"${epochs}\", milliseconds: 0}\n")
        self.call("run", self.short, "-q")
        self.call("run", self.short, "-q", "epochs=3")
        self.dag = self.write("long.yaml", "name: long\nstages:\n  a: {kind: count_up}\n"
                                           "  long: {kind: pretend, in: {x: a.numbers}, epochs: 60, milliseconds: 20, keep_all: true}\n")
        run = subprocess.Popen([satdl.BINARY / "satdl", "run", self.dag, "--json"], cwd=self.folder, env=self.environment,
                               stdout=subprocess.PIPE)
        while b'"epoch":4' not in run.stdout.readline():
            self.assertIsNone(run.poll())
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
        self.store = self.folder / ".satdl"
        number = lambda path: int(path.name.split(".")[1])
        self.checkpoints = sorted((self.store / "checkpoints").iterdir(), key=number)
        self.ends = sorted((self.store / "ends").iterdir(), key=number)
        self.assertEqual((len(self.checkpoints), len(self.ends)), (2, 2))

    def test_a_sound_store_is_counted(self):
        self.call("cache", "verify")
        self.assertRegex(self.out, r"^\d artifacts good \(.*\), 0 damaged\n2 checkpoints good \(.*\), 0 damaged\n"
                                   r"2 final checkpoints good \(.*\), 0 damaged\n3 run records good, 0 damaged \(\d+ good lines in all\)\n$")
        document = self.document("cache", "verify")
        bytes_of = lambda paths: sum(path.stat().st_size for path in paths)
        self.assertEqual(document["checkpoints"], {"good": 2, "bytes": bytes_of(self.checkpoints), "damaged": []})
        self.assertEqual(document["ends"], {"good": 2, "bytes": bytes_of(self.ends), "damaged": []})

    def test_damaged_checkpoints_are_named_and_moved_to_quarantine_and_need_no_repair(self):
        shutil.copytree(self.store, self.folder / "sound")
        flip(self.checkpoints[1])
        flip(self.ends[1], 100)
        self.call("cache", "verify", code=3)
        self.assertRegex(self.out, r"1 checkpoint good \(.*\), 1 damaged: moved to quarantine; no repair needed: a stage resumes from")
        self.assertRegex(self.out, r"1 final checkpoint good \(.*\), 1 damaged: moved to quarantine; no repair needed")
        for path in (self.checkpoints[1], self.ends[1]):
            self.assertIn(f"{path.parent.name}/{path.name}' is damaged", self.err)
            self.assertTrue((self.store / "quarantine" / f"{path.parent.name}-{path.stem}.1.h5").exists())
            self.assertFalse(path.exists())
        self.assertIn("the tensor 'state/", self.err)
        self.call("cache", "verify")
        event, = [one for one in self.events(self.dag) if one["event"] == "stage" and one["stage"] == "long"]
        self.assertEqual(event["outcome"], "resumed")
        again, = [one for one in self.events(self.dag, "--store", "sound") if one["event"] == "stage" and one["stage"] == "long"]
        self.assertEqual((self.store / "objects" / event["key"][:2] / f"{event['key']}.h5").read_bytes(),
                         (self.folder / "sound/objects" / again["key"][:2] / f"{again['key']}.h5").read_bytes())

    def test_with_repair_it_is_no_failure(self):
        for path in self.checkpoints:
            flip(path)
        document = json.loads(self.call("cache", "verify", "--repair", "--json"))
        self.assertEqual((document["checkpoints"]["good"], len(document["checkpoints"]["damaged"]), document["repairs"]), (0, 2, []))
        self.assertIn(self.checkpoints[0].name, " ".join(document["checkpoints"]["damaged"]))


class Records(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        for _ in range(3):
            self.call("run", self.dag, "-q")
        self.record = next(self.folder.glob(".satdl/runs/*/events.jsonl"))
        self.reused = self.folder / ".satdl/runs/reused.jsonl"
        self.lines = len(self.record.read_text().splitlines()) + 2

    def test_damaged_lines_are_named_by_run_and_number_and_cannot_be_repaired(self):
        sound = self.document("cache", "verify")["records"]
        self.assertEqual(sound, {"good": 2, "lines": self.lines, "unchecked": 0, "damaged": []})
        flip(self.record, self.record.read_bytes().index(b"seconds") + 20)
        flip(self.reused, 40)
        number = self.record.read_bytes()[:self.record.read_bytes().index(b"seconds") + 20].count(b"\n") + 1
        for repair in ((), ("--repair",)):
            self.call("cache", "verify", *repair, code=3)
            self.assertIn(f"satdl: line {number} of the record '{self.record.parent.name}' is damaged\n", self.err)
            self.assertIn("satdl: line 1 of the record 'reused' is damaged\n", self.err)
            self.assertIn("0 run records good, 2 damaged; damaged lines are ignored and cannot be recovered", self.out)
        found = json.loads(self.call("cache", "verify", "--json", code=3))["records"]
        self.assertEqual(found, {"good": 0, "lines": self.lines - 2, "unchecked": 0, "damaged": [
            {"record": self.record.parent.name, "lines": [number]}, {"record": "reused", "lines": [1]}]})

    def test_leftovers_of_a_crash_are_no_damage(self):
        self.record.write_text(self.record.read_text()[:-30])
        self.reused.write_text(self.reused.read_text()[:100])
        self.call("run", self.dag, "-q")  # appends to what is torn
        self.assertEqual(self.document("cache", "verify")["records"],
                         {"good": 2, "lines": self.lines - 2, "unchecked": 0, "damaged": []})

    def test_records_of_an_older_satdl_are_counted_apart(self):
        events = [json.loads(line) for line in self.record.read_text().splitlines()]
        self.record.write_text("".join(json.dumps({name: event[name] for name in event if name != "check"}) + "\n" for event in events))
        self.reused.write_text('{"event":"run_finished","wall_time":1}\n' + self.reused.read_text())
        self.call("cache", "verify")
        self.assertIn("2 run records good, 2 of them with lines from an older satdl, which have no checks, 0 damaged", self.out)
        self.assertEqual(self.document("report")["runs"][0]["missing"], [])


class Selftest(satdl.Case):
    def test_the_folder_in_which_a_store_would_be_is_checked(self):
        out = self.call("selftest", "--store", "not/yet")
        self.assertIn("fit for a store", out)
        self.assertEqual(list(self.folder.iterdir()), [])
        document = self.document("selftest")
        self.assertTrue(document["usable"])
        self.assertEqual(document["folder"], str(self.folder.resolve()))

    def test_a_folder_that_is_not_writable_is_an_error(self):
        self.call("selftest", "--store", "/proc/satdl", code=3)
        self.assertIn("/proc", self.err)


if __name__ == "__main__":
    unittest.main()
