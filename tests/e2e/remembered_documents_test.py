"""A DAG file is parsed once and then comes from the store: plans and errors are those of the file as it is now, whatever is remembered."""

import os
import shutil
import struct
import unittest

import satdl
from satdl import BINARY, DAG, STAGES

COMMON = "stages:\n  base: {kind: count_up, first: 1}\n"
MINE = "include: common.yaml\nname: mine\nparams: {amount: 2}\nprofiles: {big: {amount: 9}}\nstages:\n" \
       "  more: {kind: add, in: {x: base.numbers}, amount: \"${amount}\"}\n"


class RememberedDocuments(satdl.Case):
    def memory(self):
        """Name -> bytes of what is remembered."""
        return {path.name: path.read_bytes() for path in (self.folder / ".satdl/documents").glob("*")}

    def forget(self):
        shutil.rmtree(self.folder / ".satdl/documents", ignore_errors=True)

    def check_same(self, *arguments, code=0):
        """A command says the same with what is remembered as without it."""
        known = self.memory()
        self.call(*arguments, code=code)
        with_memory = self.out, self.err
        self.forget()
        self.call(*arguments, code=code)
        self.assertEqual((self.out, self.err), with_memory, arguments)
        (self.folder / ".satdl/documents").mkdir(exist_ok=True)
        for name, text in known.items():
            (self.folder / ".satdl/documents" / name).write_bytes(text)

    def test_settings_profiles_and_stage_libraries_count_as_ever(self):
        dag = self.write("quick.yaml", DAG)
        self.assertEqual(self.ran(dag), set(STAGES))
        self.assertEqual(len(self.memory()), 1)
        kept = self.memory()
        self.assertEqual(self.ran(dag), set())
        self.assertEqual(self.ran(dag, "--set", "amount=11"), {"b", "signs", "c", "trained_b", "verdict"})
        self.assertEqual(self.ran(dag, "--profile", "long"), {"trained_a", "trained_b", "verdict"})
        self.assertEqual(self.memory(), kept)
        del self.environment["SATDL_STAGES"]
        self.check_same("run", dag, code=2)
        self.assertIn("quick.yaml:6:13: error: there is no stage kind 'count_up'", self.err)

    def test_an_edit_within_the_same_size_and_second_counts_in_the_file_and_in_what_it_includes(self):
        common, mine = self.write("common.yaml", COMMON), self.write("mine.yaml", MINE)
        self.assertEqual(self.ran(mine), {"base", "more"})
        self.assertEqual(self.ran(mine), set())
        self.assertEqual(len(self.memory()), 2)
        for path, before, after, ran in ((mine, "amount: 2", "amount: 3", {"more"}), (common, "first: 1", "first: 7", {"base", "more"})):
            stat = path.stat()
            with path.open("r+") as file:
                text = file.read().replace(before, after)
                file.seek(0)
                file.write(text)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            self.assertEqual(self.ran(mine), ran)
            self.assertEqual(self.ran(mine), set())
        self.assertEqual(self.ran(mine, "--profile", "big"), {"more"})

    def test_mistakes_have_their_place_although_nothing_is_parsed(self):
        dag = self.write("wrong.yaml", "stages:\n  a: {kind: count_up}\n  b: {kind: add,\n      in: {x: a.nombers}, amount: lots}\n")
        self.call("run", dag, code=2)
        self.assertEqual(len(self.memory()), 1)
        first = self.err
        self.assertIn("wrong.yaml:4:15: error: ", first)
        self.assertIn("      in: {x: a.nombers}, amount: lots}\n", first)
        self.call("run", dag, code=2)
        self.assertEqual(self.err, first)
        self.check_same("run", dag, "--set", "b.amount=1", code=2)

    def test_what_is_no_yaml_creates_no_store(self):
        self.call("run", self.write("wrong.yaml", "stages: {\n"), code=2)
        self.assertFalse((self.folder / ".satdl").exists())

    def test_a_damaged_memory_is_mended_and_one_that_cannot_be_written_is_done_without(self):
        dag = self.write("quick.yaml", DAG)
        self.call("run", dag, "-q")
        [(name, good)] = self.memory().items()
        path = self.folder / ".satdl/documents" / name
        for at in range(0, len(good), 97):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            self.call("run", dag, "-q")
            self.assertEqual(self.err, "")
            self.assertEqual(path.read_bytes(), good)
        self.forget()
        (self.folder / ".satdl/documents").write_text("no folder")
        self.assertEqual(self.ran(dag), set())
        self.assertEqual(self.err, "")

    def test_what_another_build_of_satdl_remembered_is_not_used(self):
        dag = self.write("quick.yaml", DAG)
        self.call("run", dag, "-q")
        kept = self.memory()
        other = self.folder / "other"
        other.mkdir()
        for path in (*BINARY.glob("*.so"), *BINARY.glob("lib*.json"), *BINARY.glob("satdl-*")):
            (other / path.name).symlink_to(path)
        program = (BINARY / "satdl").read_bytes()
        note = struct.pack("<III", 4, 20, 3) + b"GNU\0"   # of the build ID, which follows
        self.assertEqual(program.count(note), 1)
        at = program.index(note) + len(note)
        (other / "satdl").write_bytes(program[:at] + bytes(20) + program[at + 20:])
        (other / "satdl").chmod(0o755)
        self.assertIn("7 reused", self.call("run", dag, program=other / "satdl"))
        self.assertEqual(self.memory().keys(), kept.keys())
        self.assertNotEqual(self.memory(), kept)
        self.call("run", dag, "-q")
        self.assertEqual(self.memory(), kept)


if __name__ == "__main__":
    unittest.main()
