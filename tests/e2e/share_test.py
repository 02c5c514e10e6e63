"""satdl export x.tar and satdl import x.tar: a stage, a DAG or a run to another store, and tar files that mean harm."""

import io
import json
import shutil
import tarfile
import unittest

import satdl
from satdl import DAG, STAGES


class Share(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("here/quick.yaml", DAG)
        self.top, self.folder = self.folder, self.folder / "here"
        self.call("run", self.dag, "-q")

    def there(self):
        """From now on in another folder, with the same DAG file and without a store."""
        self.folder = self.top / "there"
        self.folder.mkdir()
        shutil.copy(self.dag, self.folder)

    def members(self, name="x.tar"):
        with tarfile.open(self.top / "here" / name) as tar:
            return [(member, tar.extractfile(member).read()) for member in tar]

    def write_tar(self, members):
        """Of pairs of TarInfo, or a name, and bytes."""
        with tarfile.open(self.folder / "bad.tar", "w") as tar:
            for member, data in members:
                if isinstance(member, str):
                    member = tarfile.TarInfo(member)
                    member.size = len(data)
                tar.addfile(member, io.BytesIO(data))

    def test_a_dag_is_reused_on_another_machine(self):
        self.assertRegex(self.call("export", "quick", "x.tar"), r"^x\.tar: 7 artifacts and 1 run record, [\d.]+ kB\n$")
        log = self.call("log")
        self.there()
        out = self.call("import", "../here/x.tar")
        self.assertIn("../here/x.tar: 7 of 7 artifacts (", out)
        self.assertIn("1 of 1 run records were new, every byte was checked\n`satdl log` lists the runs; a run of quick with", out)
        self.assertEqual(self.call("log"), log)
        self.call("cache", "verify")
        self.assertEqual(self.outcomes("quick.yaml"), dict.fromkeys(STAGES, "reused"))
        self.assertIn("trained_a", self.call("ls"))
        self.assertEqual(sorted(path.name for path in (self.folder / ".satdl/tmp").iterdir()), [])
        self.assertIn("0 of 7 artifacts", self.call("import", "../here/x.tar"))  # again

    def test_a_stage_comes_with_what_it_was_made_of(self):
        self.call("export", "signs", "x.tar")
        self.there()
        self.call("import", "../here/x.tar")
        self.assertEqual(self.ran("quick.yaml"), {"c", "trained_a", "trained_b", "verdict"})

    def test_a_run_is_that_run_and_the_same_bytes_each_time(self):
        [run] = (path.name for path in self.folder.glob(".satdl/runs/2*"))
        self.call("run", self.dag, "amount=11", "-q")
        self.call("export", run, "x.tar")
        self.call("export", run, "y.tar")
        self.assertEqual((self.folder / "x.tar").read_bytes(), (self.folder / "y.tar").read_bytes())
        self.there()
        self.call("import", "../here/x.tar")
        self.assertEqual(self.ran("quick.yaml"), set())
        self.assertNotEqual(self.ran("quick.yaml", "amount=11"), set())

    def test_nothing_is_replaced(self):
        self.call("export", "quick", "x.tar")
        self.call("export", "quick", "x.tar", code=2)
        self.assertIn("'x.tar' exists already", self.err)
        [record] = self.folder.glob(".satdl/runs/2*/events.jsonl")
        run = record.parent.name
        self.call("note", run, "mine")
        noted = record.read_bytes()
        self.call("import", "x.tar")
        self.assertEqual(record.read_bytes(), noted)
        self.call("note", run, "another")  # the store's own goes on where the other does not
        self.call("export", "quick", "x.tar", "-f")
        record.chmod(0o644)
        record.write_bytes(noted)
        self.call("note", run, "a third")
        self.call("import", "x.tar", code=3)
        self.assertIn(f"its record of run {run} differs from the store's own; nothing was imported", self.err)

    def test_what_cannot_be_exported(self):
        self.write("m.yaml", DAG.replace("name: quick", "name: b"))
        self.call("run", "m.yaml", "-q", "amount=3")
        for what, words in [("q", "has no artifact of a stage 'q'"), ("b/numbers", "'b/numbers' is a part of an artifact"),
                            ("b", "'b' is a DAG, and a stage of b"), ("20991231", "'20991231' is no run in .satdl"),
                            ("2", "2 runs begin with '2'")]:
            self.call("export", what, "x.tar", code=2)
            self.assertIn(words, self.err)
        self.call("export", "b", ".satdl/x.tar", code=2)
        self.assertIn("lies in the store", self.err)
        self.call("export", "b", "x.tar", "--dag", "b")
        self.call("export", "b", "y.tar", "--store", "nowhere", code=2)
        self.assertIn("there is no store in 'nowhere'", self.err)

    def test_a_damaged_artifact_is_not_shared(self):
        path = (self.folder / "results/quick/b.h5").resolve()
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        self.call("export", "quick", "x.tar", code=3)
        self.assertIn("damaged", self.err)
        self.assertFalse((self.folder / "x.tar").exists())

    def test_hostile_tar_files_are_refused_and_leave_nothing(self):
        self.call("export", "signs", "x.tar")
        whole = (self.folder / "x.tar").read_bytes()
        members = self.members()
        contents, first, second = json.loads(members[0][1]), members[1], members[2]
        name = first[0].name
        self.there()

        def with_contents(change):
            changed = json.loads(json.dumps(contents))
            change(changed)
            return [("share.json", json.dumps(changed).encode()), *members[1:]]

        def special(kind, target):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            return [members[0], (entry, b"")]

        def tampered(index, position):
            data = bytearray(members[index][1])
            data[position] ^= 1
            return [*members[:index], (members[index][0], bytes(data)), *members[index + 1:]]

        record = len(members) - 1
        cases = [
            ([members[0], ("../evil", b"x"), *members[1:]], "its entry '../evil' is not one that its share.json lists"),
            ([members[0], ("/tmp/evil", b"x")], "its entry '/tmp/evil' is not one"),
            ([members[0], ("objects/../../evil", b"x")], "is not one that its share.json lists"),
            (special(tarfile.SYMTYPE, "/etc/passwd"), f"{name} is not a plain file"),
            (special(tarfile.LNKTYPE, "share.json"), f"{name} is not a plain file"),
            (special(tarfile.DIRTYPE, ""), "is not"),
            (special(tarfile.FIFOTYPE, ""), f"{name} is not a plain file"),
            ([*members[:2], *members[1:]], f"it has {name} twice"),
            (members[:-1], "1 of its 4 entries are missing: it was cut off"),
            (members[1:], "does not begin with share.json"),
            ([], "does not begin with share.json"),
            ([("share.json", b"{")], "its share.json is not a list of what is in it"),
            ([("share.json", b'{"satdl_share": 2}')], "is of format 2, and this satdl reads 1"),
            (with_contents(lambda one: one["runs"].append({"run": "../../x", "bytes": 1})), "'../../x' is not the id of a run"),
            (with_contents(lambda one: one["runs"].append({"run": "..", "bytes": 1})), "'..' is not the id of a run"),
            (with_contents(lambda one: one["artifacts"][0].update(key="../../../../etc/passwd")), "it names what is no key"),
            (with_contents(lambda one: one["artifacts"][0].update(bytes=2**62)), "is larger than the whole file"),
            (with_contents(lambda one: one["artifacts"][0].update(bytes=-1)), "nothing was imported"),
            (with_contents(lambda one: one["artifacts"][0].update(bytes=7)), "bytes instead of 7"),
            (tampered(1, -1), "does not match its digests"),
            (tampered(1, 100), "does not match its digests"),
            (tampered(record, 20), "of the record"),
            ([members[0], (name, second[1]), *members[2:]], "bytes instead of" if len(first[1]) != len(second[1]) else "another key"),
        ]
        for entries, words in cases:
            self.write_tar(entries)
            self.call("import", "bad.tar", code=3)
            self.assertIn(words, self.err)
            self.assertTrue(self.err.startswith("satdl: bad.tar: "), self.err)
        for end in (3, 700, 2000, len(whole) // 2, len(whole) - len(members[-1][1]) - 10240):
            (self.folder / "bad.tar").write_bytes(whole[:end])
            self.call_any("import", "bad.tar", codes=[2, 3])
        left = [str(path.relative_to(self.folder / ".satdl")) for path in (self.folder / ".satdl").rglob("*") if path.is_file()]
        self.assertEqual([path for path in left if path.startswith(("objects", "runs", "tmp"))], [])
        self.assertEqual(sorted(path.name for path in self.top.iterdir()), ["here", "there"])
        self.call("import", "../here/x.tar")

    def test_another_result_of_the_same_key_is_refused_by_name(self):
        text = "stages:\n  a: {kind: count_up, first: 1}\n  d: {kind: dice, in: {x: a.numbers}}\n"
        self.call("run", self.write("dice.yaml", text), "-q")
        self.call("export", "d", "x.tar")
        self.there()
        self.call("run", self.write("dice.yaml", text), "-q")
        before = sorted((path, path.read_bytes()) for path in self.folder.rglob("*.h5"))
        self.call("import", "../here/x.tar", code=3)
        self.assertRegex(self.err, r"objects/\w\w/\w+\.h5 differs from the store's own artifact of this key")
        self.assertEqual(sorted((path, path.read_bytes()) for path in self.folder.rglob("*.h5")), before)

    def test_files_that_are_none_of_it(self):
        for path, data, words in [("x.txt", b"hello", "x.txt: is not a .safetensors or .npz file: it is a text"), ("empty", b"", "empty: ")]:
            (self.folder / path).write_bytes(data)
            self.call("import", path, code=3)
            self.assertIn(words, self.err)
        self.call("import", "nothing", code=2)
        self.assertIn("there is no file 'nothing'", self.err)
        self.call("import", ".", code=2)
        self.assertIn("'.' is not a file", self.err)
        self.write("dvc.yaml", "stages: {}\n")
        self.call("import", "dvc.yaml", code=2)
        self.assertIn("satdl import dvc dvc.yaml", self.err)

    def test_results_that_were_copied_without_their_store(self):
        self.there()
        shutil.copytree(self.top / "here/results", self.folder / "results", symlinks=True)
        for command in (["ls"], ["show", "b"], ["export", "b", "b.npy"]):
            self.call(*command, code=2)
            self.assertRegex(self.err, r"there is no store here: 'results/quick/\w+\.h5' leads into \.satdl, which does not exist\n")
            self.assertIn("satdl export quick quick.tar; here: satdl import quick.tar, and a run of the DAG", self.err)


if __name__ == "__main__":
    unittest.main()
