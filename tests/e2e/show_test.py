"""satdl show and reproduce: artifacts, tensors, slices, provenance, wrong answers, results computed again."""

import hashlib
import json
import re
import resource
import subprocess
import unittest

import satdl
from satdl import DAG

GUESSES = """\
name: guesses
params: {by: 0.5}
stages:
  lines: {kind: lines}
  faded: {kind: fade, in: {pictures: lines.pictures}, by: "${by}"}
  guesses: {kind: guess, in: {seen: faded.faded, truth: lines.classes}, every: 4}
"""

DICE = """\
name: dice
stages:
  a: {kind: count_up}
  d: {kind: dice, in: {x: a.numbers}}
  e: {kind: add, in: {x: d.numbers}, amount: 1}
"""


def without_run(text):
    """What is the same in every run: all but when, where and by which library, and the file's size."""
    return re.sub(r"(?m)^(key|file|made|code) .*\n", "", text)


class Show(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("guesses.yaml", GUESSES)
        self.call("run", self.dag, "-q")

    def assert_shown(self, expected, *arguments):
        self.assertEqual(without_run(self.call("show", *arguments)), expected)

    def test_what_it_is_its_metrics_from_what(self):
        self.assert_shown("""\
guesses: guess

Metrics (score)
name   value
────────────
hits  0.7000

from  seen: faded.faded, truth: lines.classes
set   every=4, seed=0

tensor   type             min  max   mean   std  nan
────────────────────────────────────────────────────
beliefs  float32 [10, 3]  0.1  0.8  0.333  0.33    0

""", "guesses")
        self.assertRegex(self.out, r"(?m)^file  results/guesses/guesses.h5 \(\S+ kB\)$")

    def test_a_tensor_by_a_path_and_as_yaml_names_it(self):
        expected = """\
lines/classes: int64 [10], 80 B

min  max  mean       std  zeros  nan  inf
─────────────────────────────────────────
  0    2   0.9  0.830662      4    0    0

0  1  2  0  1  2  0  1  2  0
"""
        self.assert_shown(expected, "lines/classes")
        self.assert_shown(expected, "lines.classes")
        shown, = self.document("show", "lines.classes")["tensors"]
        self.assertEqual((shown["values"], shown["zeros"], shown["inf"]), ([0, 1, 2] * 3 + [0], 4, 0))
        self.assertEqual(shown["histogram"], {"edges": [0, 1, 2], "counts": [4, 3, 3]})

    def test_a_metric_and_a_port_of_metrics(self):
        self.assert_shown("guesses/score/hits: float64 [1], 8 B\n\n0.7\n", "guesses.hits")
        self.assert_shown("guesses/score\n\nMetrics (score)\nname   value\n────────────\nhits  0.7000\n", "guesses.score")

    def test_slices_as_numpy_writes_them(self):
        self.assert_shown("""\
lines/pictures[0, 1:, ::-1]: float64 [2, 3], 48 B

min  max  mean  std  zeros  nan  inf
────────────────────────────────────
  0    0     0    0      6    0    0

   0  1  2
──────────
0  0  0  0
1  0  0  0
""", "lines.pictures[0, 1:, ::-1]")
        self.assert_shown("""\
lines/pictures[-1:, ..., 0]: float64 [1, 3], 24 B

min  max      mean       std  zeros  nan  inf
─────────────────────────────────────────────
  0    1  0.333333  0.471405      2    0    0

   0  1  2
──────────
0  1  0  0
""", "lines/pictures[-1:, ..., 0]")
        self.assertEqual(self.document("show", "lines.pictures[1, :, 0]")["tensors"][0]["values"], [0, 1, 0])
        self.assertEqual(self.call("show", "lines.pictures[2]", "--images", "1"),
                         "pictures  float64 [1, 3, 3]: 1 of 1 image\n\n@@@\n")

    def test_many_numbers_as_a_histogram(self):
        self.call("run", self.write("many.yaml", "name: many\nstages:\n  a: {kind: count_up, first: 0, count: 1000}\n"), "-q")
        self.assertEqual(without_run(self.call("show", "a.numbers")), """\
a/numbers: float64 [1000], 8.0 kB

min  max   mean      std  zeros  nan  inf
─────────────────────────────────────────
  0  999  499.5  288.675      1    0    0

     0 to 99.9  100  ████████████████████████████████████████
 99.9 to 199.8  100  ████████████████████████████████████████
199.8 to 299.7  100  ████████████████████████████████████████
299.7 to 399.6  100  ████████████████████████████████████████
399.6 to 499.5  100  ████████████████████████████████████████
499.5 to 599.4  100  ████████████████████████████████████████
599.4 to 699.3  100  ████████████████████████████████████████
699.3 to 799.2  100  ████████████████████████████████████████
799.2 to 899.1  100  ████████████████████████████████████████
  899.1 to 999  100  ████████████████████████████████████████
""")

    def test_provenance_is_a_tree_in_which_nothing_stands_twice(self):
        self.assertEqual(self.call("show", "guesses", "--provenance"), """\
guesses  guess: every=4, seed=0
├─ seen: faded.faded  fade: by=0.5
│  └─ pictures: lines.pictures  lines
└─ truth: lines.classes, as above
""")
        nodes = self.document("show", "guesses", "--provenance")
        self.assertEqual([node["stage"] for node in nodes], ["guesses", "faded", "lines"])
        self.assertEqual([entry["from"] for entry in nodes[0]["inputs"]], ["faded.faded", "lines.classes"])
        self.assertEqual(nodes[0]["inputs"][1]["key"], nodes[2]["key"])
        lines = self.document("show", "lines")
        (self.folder / lines["path"]).resolve().unlink()
        self.call("show", nodes[0]["key"], "--provenance")
        self.assertRegex(self.out, r"└─ pictures: content [0-9a-f]{12}…, in no artifact of the store\n")

    def test_provenance_of_an_earlier_run_is_the_earlier_one(self):
        self.call("run", self.dag, "-q", "by=0.25")
        run = self.document("log")["runs"][1]["run"]
        self.assertIn("fade: by=0.5\n", self.call("show", f"{run}:guesses", "--provenance"))
        self.assertIn("fade: by=0.25\n", self.call("show", "guesses", "--provenance"))
        self.assertIn("from  seen: faded.faded, truth: lines.classes\n", self.call("show", f"{run}:guesses"))
        self.assertIn("guesses/score/hits", self.call("show", f"{run}:guesses.hits"))

    def test_diff_draws_the_samples_that_two_take_for_different_classes(self):
        self.call("run", self.dag, "-q", "guesses.every=5")
        shown = self.call("diff", "guesses", "--images", "2", code=1)
        self.assertIn("3 of 10 samples have another class: 4, 5, 8\n", shown)
        self.assertTrue(shown.endswith("""
below each picture: its number, a's class -> b's class
+++       :::
:::       ###
4: 2 -> 1 5: 2 -> 0
"""), shown)
        self.call("diff", "lines", "faded", "--images", "2", code=2)
        self.assertIn("these are no predictions of the same samples", self.err)
        self.call("diff", "guesses", "--images", "2", "--json", code=2)

    def test_wrong_answers_are_drawn(self):
        self.assertEqual(self.call("show", "guesses", "--wrong", "2"), """\
2 of 3 wrong answers on 10 samples, the surest first; below each picture: its number, true class -> predicted class
+++       +++
:::       :::
0: 0 -> 1 4: 1 -> 2
""")
        wrong = self.document("show", "guesses", "--wrong", "20")
        self.assertEqual([(one["sample"], one["label"], one["answer"]) for one in wrong["answers"]], [(0, 0, 1), (4, 1, 2), (8, 2, 0)])
        self.assertEqual((wrong["samples"], wrong["wrong"]), (10, 3))
        self.call("show", "faded", "--wrong", "2", code=2)
        self.assertIn("a stage of kind 'fade' does not compare predictions with right classes", self.err)

    def test_a_mistake_in_a_slice_is_an_error_at_its_place(self):
        for what, message in [("lines.pictures[10]", "WHAT:1:16: error: index 10 is out of range: axis 0 has 10 elements"),
                              ("lines.pictures[0, 3:4]", "WHAT:1:19: error: 3:4 selects nothing: axis 1 has 3 elements"),
                              ("lines.pictures[0, a]", "WHAT:1:19: error: 'a' is no index"),
                              ("lines.pictures[0", "WHAT:1:17: error: the slice has no ']' at its end"),
                              ("lines.pictures[0, 0, 0, 0]", "WHAT:1:25: error: 4 indices, but the tensor has 3 axes: float64 [10, 3, 3]")]:
            self.call("show", what, code=2)
            self.assertEqual(self.err.splitlines()[:2], [message, f"    1 | {what}"])
        self.call("show", "lines[0]", code=2)
        self.assertIn("a slice is of one tensor, but this is 2\n  one of classes, pictures", self.err)
        self.call("show", "guesses[0]", "--wrong", "1", code=2)
        self.call("show", "guesses", "--wrong", "1", "--provenance", code=2)

    def test_an_ambiguous_name_gives_the_candidates_and_a_stage_that_has_not_run_what_would_run_it(self):
        self.call("run", self.dag, "-q", "by=0.1,0.2")
        self.call("show", "faded.faded[0]", code=0)
        sweep = self.write("only.yaml", GUESSES.replace("name: guesses", "name: only"))
        self.call("run", sweep, "-q", "by=0.1,0.2")
        self.call("show", "faded.faded", code=2)
        self.assertIn("'faded' is 2 stages of only\n  one of faded[by=0.1].faded, faded[by=0.2].faded", self.err)
        self.assertIn("faded/faded", self.call("show", "faded[by=0.1].faded", "--dag", "only").replace("[by=0.1]", ""))
        self.call("show", "guesses[by=0.1].faded", code=2)
        self.call("show", "faded[by=0.3]", code=2)
        self.assertIn("the last run of only has no artifact of a stage 'faded[by=0.3]'\n  `satdl run only.yaml faded by=0.3` runs it", self.err)
        broken = self.write("broken.yaml", "name: broken\nparams: {first: 1}\nstages:\n  a: {kind: count_up, first: \"${first}\"}\n"
                                           "  f: {kind: fail, in: {y: a.numbers}}\n")
        self.call("run", broken, "-q", "first=3", code=1)
        self.call("show", "f", code=2)
        self.assertIn("f of broken has no artifact: it has not run, or not to its end\n  `satdl run broken.yaml f first=3` runs it", self.err)
        self.call("export", "f", "f.npy", code=2)
        self.assertIn("`satdl run broken.yaml f first=3` runs it", self.err)

    def make_large(self, stage, elements):
        """The stage's artifact with so many elements in its tensor, in a file of holes."""
        path = (self.folder / f"results/guesses/{stage}.h5").resolve()
        _, _, header, _ = path.read_bytes().split(b"\n", 3)
        header = json.loads(header)
        header["tensors"][0]["shape"] = [elements, 1]
        header["file_bytes"] = header["tensors"][0]["offset"] + elements * 8
        rest = json.dumps(header, separators=(",", ":")).encode() + b"\n"
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.write(b"satdl-object-1\n" + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
            file.truncate(header["file_bytes"])

    def test_of_ten_gigabytes_one_row_is_read(self):
        self.make_large("faded", 1_250_000_000)

        def limited():  # to read all of it takes longer
            resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

        def shown(*arguments):
            done = subprocess.run([satdl.BINARY / "satdl", "show", *arguments], cwd=self.folder, env=self.environment, preexec_fn=limited,
                                  capture_output=True, text=True, check=True)
            self.assertEqual(done.stderr, "")
            return done.stdout

        self.assertEqual(shown("faded.faded[1249999999]"), """\
faded/faded[1249999999]: float64 [1], 8 B
its 10 GB are too large to be checked against their digests unasked: --stats does it

0
""")
        self.assertRegex(shown("faded"), r"(?m)^faded +float64 \[1250000000, 1\] +- +- +- +- +-$")
        self.assertIn("10 GB are read for their statistics only with --stats", shown("faded"))
        self.assertEqual(json.loads(shown("faded", "--json"))["tensors"][0]["min"], None)

    def test_statistics_of_a_large_tensor_are_computed_on_demand(self):
        self.make_large("faded", 33_000_000)
        self.call("show", "faded.faded", "--stats", code=3)
        self.assertIn("checking 264 MB against their digests", self.err)
        self.assertIn("the tensor 'faded' does not match its digest", self.err)


class Reproduce(satdl.Case):
    def test_what_is_deterministic_is_reproduced_from_nothing(self):
        self.call("run", self.write("quick.yaml", DAG), "-q", "amount=11")
        before = self.objects()
        text = self.call("reproduce", "verdict.difference")
        self.assertRegex(text, r"(?m)^metrics/difference +(-?\d+\.\d+) +\1 +([0-9a-f]{12}) +\2 +same$")
        self.assertRegex(text, r"\nreproduced: 7 stages from nothing in .*, as in run \S+\n$")
        document = self.document("reproduce", "trained_a")
        self.assertEqual((document["equal"], document["key"], document["stages"]), (True, document["reproduced_key"], 4))
        self.assertEqual([part["name"] for part in document["parts"]], ["history", "metrics"])
        self.assertEqual(self.objects(), before)
        self.assertEqual(len(self.document("log")["runs"]), 1)

    def test_the_yaml_file_may_be_gone_and_an_earlier_run_named(self):
        dag = self.write("quick.yaml", DAG)
        self.call("run", dag, "-q")
        self.call("run", dag, "-q", "amount=11")
        run = self.document("log")["runs"][1]["run"]
        self.call("run", dag, "-q", "amount=1,2")
        dag.unlink()
        self.assertTrue(self.document("reproduce", f"{run}:b")["equal"])
        self.assertEqual(self.document("reproduce", "verdict[amount=2].difference")["stage"], "verdict[amount=2]")

    def test_what_differs_is_said_with_the_first_stage_that_differs(self):
        self.call("run", self.write("dice.yaml", DICE), "-q")
        text = self.call("reproduce", "e", code=1)
        self.assertRegex(text, r"(?m)^numbers +([0-9a-f]{12}) +(?!\1)[0-9a-f]{12} +different$")
        self.assertIn("its key is another one here: input x changed\n", text)
        self.assertIn("the first stage whose result differs is d\n", text)
        self.assertIn("\nnot reproduced: 3 stages from nothing in ", text)
        self.assertEqual(self.document("reproduce", "d", code=1)["first_different"], "d")
        self.assertTrue(self.document("reproduce", "a")["equal"])

    def test_what_cannot_be_reproduced(self):
        self.call("run", self.write("quick.yaml", DAG), "-q")
        self.call("reproduce", "verdict.differences", code=2)
        self.assertIn("the artifact has no tensor 'differences'\n  known: metrics/difference", self.err)
        self.call("reproduce", "verdict", "--scratch", "nowhere", code=3)
        self.assertIn("nowhere", self.err)
        self.call("rm", self.document("log")["runs"][0]["run"])
        self.call("reproduce", "verdict", code=2)
        self.assertIn("no run's record says how 'verdict' was made", self.err)


if __name__ == "__main__":
    unittest.main()
