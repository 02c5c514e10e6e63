"""Files and names of others: whose DAG runs, and what a name can do in paths, arguments, logs, pictures and pages."""

import html.parser
import json
import os
import unittest
import xml.etree.ElementTree

import satdl

STRANGER = 4242
DAG = "stages: {a: {kind: count_up}}\n"

# As parameter, item of a foreach, text, message and file name.
NAMES = ["../x", "/etc/passwd", "<script>alert(1)</script>", "</script>", "<!--", "a\nb", "\x1b[31mred\x1b]0;title\x07", "\x9b31m",
         "-rf", "--help", "$(touch pwned)", "`touch pwned`", ";touch pwned", "%s%n", "..", ".", "a/../../b", "'\"&", "\u202egnp.exe", "é" * 130,
         "x" * 300, "~", "*", "C:\\x", "%2e%2e"]


if os.geteuid() == 0:   # only root can give files away; for all others, tests/unit/ownership_test.cpp
    class Owners(satdl.Case):
        def given_away(self, name, text):
            path = self.write(name, text)
            os.chown(path, STRANGER, STRANGER)
            return path

        def test_a_dag_file_of_another_user_needs_trust(self):
            dag = self.given_away("strange.yaml", DAG)
            for arguments in (["run", dag], ["run", dag, "--smoke"], ["check-determinism", dag]):
                self.call(*arguments, code=2)
                self.assertIn(f"belongs to uid {STRANGER}", self.err)
                self.assertIn("--trust", self.err)
            self.assertEqual(self.objects(), {})
            for arguments in (["run", dag, "-n"], ["status", dag], ["graph", dag]):
                self.call(*arguments)
            self.assertEqual(self.ran(dag, "--trust"), {"a"})
            self.call("check-determinism", dag, "--trust")
            self.environment["SATDL_TRUST"] = "1"
            self.assertEqual(self.ran(dag, "-f"), {"a"})

        def test_records_of_another_user_are_run_only_on_trust(self):
            self.call("run", self.write("mine.yaml", DAG), "-q")
            os.chown(self.folder / ".satdl/runs", STRANGER, STRANGER)
            self.call("reproduce", "a", code=2)
            self.assertIn(f"belongs to uid {STRANGER}", self.err)
            self.assertTrue(self.document("reproduce", "a", "--trust")["equal"])

        def test_a_dag_file_that_includes_such_a_file_or_is_in_such_a_folder_needs_trust(self):
            self.given_away("common.yaml", DAG)
            self.call("run", self.write("mine.yaml", "include: common.yaml\n"), code=2)
            self.assertIn("common.yaml: this file belongs to", self.err)
            dag = self.write("theirs/mine.yaml", DAG)
            os.chown(dag.parent, STRANGER, STRANGER)
            self.call("run", dag, code=2)
            self.assertIn("its folder belongs to", self.err)


class Elements(html.parser.HTMLParser):
    """How many elements a page has, by name: what became of a name as markup would show."""

    def __init__(self, page):
        super().__init__()
        self.counts = {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1


def quoted(text):
    """As YAML's double quotes have it."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


class Names(satdl.Case):
    def setUp(self):
        super().setUp()
        self.folder = self.folder / "inner"     # so that what leaves it is seen
        self.folder.mkdir()

    def dag(self, name):
        text = quoted(name).replace("\\U00000024", "$$")
        return (f"params: {{x: {text}}}\n"
                f"stages:\n"
                f"  a: {{kind: count_up, about: {text}}}\n"
                f"  b: {{kind: add, in: {{x: a.numbers}}, about: \"${{x}}\"}}\n"
                f"  each: {{foreach: [{text}], do: {{kind: sign, in: {{x: b.numbers}}}}}}\n"
                f"  f: {{kind: fail, in: {{y: b.numbers}}, message: {text}}}\n")

    def test_names_are_refused_or_inert_wherever_they_are_shown(self):
        plain = None
        for name in ["plain", *NAMES]:
            with self.subTest(name=name[:20]):
                dag = self.write("names.yaml", self.dag(name))
                # call() demands that no control character comes out
                if self.call_any("run", dag, "-k") == 2:
                    self.assertIn("names.yaml:", self.err)
                    continue
                for command in (["run", dag, "-k", "-n"], ["status", dag], ["explain", dag, "a"], ["ls"], ["stages"]):
                    self.call_any(*command)
                self.call_any("run", dag, "-k", "--json")
                for line in self.out.splitlines():
                    self.assertIn("event", json.loads(line))
                self.call_any("graph", dag, "--format", "svg")
                xml.etree.ElementTree.fromstring(self.out)
                self.assertNotIn("<script", self.out)
                for form in ("dot", "mermaid"):
                    self.call_any("graph", dag, "--format", form)
                self.call("report", "-o", "page.html")
                counts = Elements((self.folder / "page.html").read_text()).counts
                plain = plain or counts
                self.assertEqual(counts, plain)
        self.assertEqual(list(self.folder.parent.iterdir()), [self.folder])
        self.assertEqual(list(self.folder.rglob("pwned")), [])
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"names.yaml", "page.html", ".satdl", "results"})

    def test_files_and_arguments_of_any_name_are_files_and_arguments(self):
        for name in NAMES:
            with self.subTest(name=name[:20]):
                if "/" not in name and name not in (".", "..") and len(name.encode()) < 256:
                    (self.folder / name).write_text("12")
                text = quoted(name).replace("\\U00000024", "$$")
                dag = self.write("file.yaml", f"stages: {{a: {{kind: bytes_of, file: {text}}}}}\n")
                self.call_any("run", dag)
                for arguments in (["run", "./" + name], ["run", dag, "--", name], ["show", name], ["show", "--dag", name, "a"],
                                  ["explain", dag, name], ["run", dag, "--set", name], ["run", dag, f"--set=x={name}"],
                                  ["run", dag, f"--profile={name}"], ["report", name], ["data", "fetch", name],
                                  ["cache", "verify", name], ["run", dag, f"--stages={name}"]):
                    self.call_any(*arguments)
        self.assertEqual(list(self.folder.parent.iterdir()), [self.folder])
        self.assertEqual(list(self.folder.rglob("pwned")), [])


if __name__ == "__main__":
    unittest.main()
