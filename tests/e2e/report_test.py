"""satdl report: what it says of whole, broken and missing runs; and its page in a browser: drawn, answering, silent, offline."""

import re
import shutil
import time
import unittest

import browser
import satdl

from selenium.webdriver.common.action_chains import ActionChains
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

EVIL = "</script><script>document.title='broken'</script><!--"
DAG = f"""\
name: "quick"
params: {{amount: 10, other: 1}}
stages:
  a: {{kind: count_up, about: "{EVIL}"}}
  b: {{kind: add, in: {{x: a.numbers}}, amount: "${{amount}}"}}
  c: {{kind: add, in: {{x: a.numbers}}, amount: "${{other}}"}}
  trained_a: {{kind: pretend, in: {{x: b.numbers}}, epochs: 4, milliseconds: 0}}
  trained_b: {{kind: pretend, in: {{x: c.numbers}}, epochs: 4, milliseconds: 0}}
  verdict: {{kind: against, in: {{a: trained_a.metrics, b: trained_b.metrics}}}}
"""


# Classifiers whose kinds and ports satdl has never heard of: what the report knows of them is the roles in their descriptions.
GUESSES = """\
name: guesses
params: {seed: 1}
stages:
  lines: {kind: lines}
  pale: {kind: fade, in: {pictures: lines.pictures}}
  sharp: {kind: sharpen, in: {pictures: pale.faded}, by: -1}
  old: {kind: guess, in: {seen: lines.pictures, truth: lines.classes}, every: 2, seed: "${seed}"}
  young: {kind: guess, in: {seen: lines.pictures, truth: lines.classes}, every: 4, seed: "${seed}"}
  duel: {kind: duel, in: {old: old.score, young: young.score}, young_name: the young}
"""


def answers(every, seed=1):
    """What a stage `guess` says of its ten pictures, whose classes are 0, 1, 2, 0, ..."""
    return [(i % 3 + ((i + seed) % every == 0)) % 3 for i in range(10)]


class Command(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def runs(self):
        return sorted(path.parent.name for path in self.folder.glob(".satdl/runs/*/events.jsonl"))

    def test_the_newest_run_a_run_by_its_id_and_a_dag_file_give_one_page(self):
        self.call("run", self.dag, "-q")
        run, = self.runs()
        for what in ([], [run], [run[:15]], [self.dag]):
            document = self.document("report", *what)
            self.assertEqual([one["id"] for one in document["runs"]], [run])
        self.call("report")
        page = (self.folder / "report.html").read_text()
        self.assertNotIn(EVIL, page)
        self.assertIn("Content-Security-Policy", page)
        self.assertIn("Redistribution and use in source and binary forms", page)
        self.assertEqual(list(self.folder.glob("*.partial")), [])

    def test_every_number_names_its_artifact_and_no_epoch_is_left_out(self):
        self.call("run", self.dag, "-q")
        run, = self.document("report")["runs"]
        objects = self.objects()
        stages = {stage["name"]: stage for stage in run["stages"]}
        for stage in stages.values():
            self.assertIn(stage["key"], objects)
            self.assertTrue(all(re.fullmatch("[0-9a-f]{64}", port["digest"]) for port in stage["ports"]))
        self.assertEqual([len(curve["columns"]["train/loss"]) for curve in run["curves"]], [4, 4])
        self.assertEqual(stages["verdict"]["inputs"][0], {"port": "a", "from": "trained_a", "from_port": "metrics"})
        self.assertEqual(stages["b"]["params"]["amount"], 10)
        self.assertEqual(run["missing"], [])

    def test_a_sweep_of_which_nothing_ran_is_reported_as_whole(self):
        for _ in range(2):
            self.call("run", self.dag, "--sweep", "amount=1,2", "-q")
        run, = self.document("report")["runs"]
        self.assertEqual({stage["outcome"] for stage in run["stages"]}, {"reused"})
        self.assertEqual(run["missing"], [])

    def test_impossible_reports_are_refused_with_a_message(self):
        self.call("report", code=2)
        self.assertIn("there are no run records", self.err)
        self.call("run", self.dag, "-q")
        self.call("report", "no-such-run", code=2)
        self.assertIn("'no-such-run' is no run", self.err)
        self.assertIn(self.runs()[0], self.err)
        self.call("report", "-o", "nowhere/report.html", code=2)
        self.assertIn("cannot write the report to nowhere/report.html: No such file or directory", self.err)
        self.call("report", "-o", ".", code=2)
        self.assertIn("it is a folder", self.err)

    def test_an_unfinished_run_and_missing_artifacts_are_reported_as_such(self):
        self.call("run", self.dag, "-q")
        record = next(self.folder.glob(".satdl/runs/*/events.jsonl"))
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(lines[:-1])[:-20])
        run, = self.document("report")["runs"]
        self.assertIsNone(run["seconds"])
        self.assertTrue(any("has no end" in text for text in run["missing"]))
        self.assertTrue(any("torn" in text for text in run["missing"]))
        shutil.rmtree(self.folder / ".satdl/objects")
        run, = self.document("report")["runs"]
        self.assertTrue(any("trained_a: its artifact is no longer in the store" in text for text in run["missing"]))
        self.assertEqual([curve["source"] for curve in run["curves"]], [None, None])
        self.assertEqual(len(run["curves"][0]["columns"]["train/loss"]), 4)
        self.assertIn("missing: the run's record has no end", self.call("report"))

    def test_a_damaged_line_of_the_record_is_reported_and_not_shown(self):
        self.call("run", self.dag, "-q")
        record = next(self.folder.glob(".satdl/runs/*/events.jsonl"))
        whole = record.read_text()
        run = record.parent.name
        number = next(i for i, line in enumerate(whole.splitlines(), 1) if '"event":"stage"' in line and '"trained_a"' in line)
        digit = whole.index('"seconds":', sum(map(len, whole.splitlines(keepends=True)[:number - 1]))) + len('"seconds":')
        record.write_text(whole[:digit] + ("8" if whole[digit] == "9" else "9") + whole[digit + 1:])
        shown, = self.document("report")["runs"]
        told = f"line {number} of the record '{run}' is damaged"
        self.assertEqual(shown["missing"], [told + ", and left out"])
        self.assertEqual({stage["name"]: stage["outcome"] for stage in shown["stages"]}["trained_a"], "unfinished")
        self.assertIn(f"missing: {told}", self.call("report"))
        self.assertIsNone(self.document("show", "trained_a")["made"])
        self.assertIn(f"{told}; ignored", self.err)
        self.assertIn("removed 0 artifacts", self.call("cache", "gc"))
        self.assertIn(f"{told}: artifacts referenced only there may be removed", self.err)

        record.write_text(whole.replace('"event":"run_finished"', '"event":"run_finishes"'))
        shown, = self.document("report")["runs"]
        self.assertIn("the run's record has no end: it is among the damaged lines, or the run never finished", shown["missing"])
        self.assertNotIn("the run was interrupted", " ".join(shown["missing"]))

    def test_a_failed_stage_has_its_message_in_the_report(self):
        dag = self.write("bad.yaml", "name: bad\nstages:\n  no: {kind: fail, message: \"<b>no</b>\"}\n")
        self.call("run", dag, code=1)
        run, = self.document("report")["runs"]
        self.assertEqual(run["stages"][0]["outcome"], "failed")
        self.assertIn("<b>no</b>", run["stages"][0]["error"])


class Roles(satdl.Case):
    """What a user's own stages get because of what their descriptions say."""

    def setUp(self):
        super().setUp()
        self.dag = self.write("guesses.yaml", GUESSES)

    def test_a_classifier_gets_its_confusion_matrix_and_its_errors_as_pictures(self):
        self.call("run", self.dag, "-q")
        run, = self.document("report")["runs"]
        self.assertEqual(run["missing"], [])
        self.assertEqual([matrix["stage"] for matrix in run["matrices"]], ["old", "young"])
        for matrix, every in zip(run["matrices"], (2, 4)):
            said = answers(every)
            self.assertEqual(matrix["counts"], [sum(i % 3 == label and said[i] == answer for i in range(10))
                                                for label in range(3) for answer in range(3)])
            self.assertEqual([source["stage"] for source in matrix["sources"]], [matrix["stage"], "lines", "lines"])
        wrong = {one["stage"]: one["pictures"] for one in run["wrong"]}
        self.assertEqual([(one["index"], one["label"], one["answer"]) for one in wrong["young"]], [(3, 0, 1), (7, 1, 2)])
        self.assertTrue(all(one["picture"].startswith("data:image/png;base64,") for one in wrong["young"]))

    def test_a_comparison_has_the_names_that_the_stage_gives_its_sides(self):
        self.call("run", self.dag, "-q")
        run, = self.document("report")["runs"]
        pair, = run["pairs"]
        old, young = answers(2), answers(4)
        self.assertEqual((pair["first"], pair["first_name"], pair["second"], pair["second_name"]), ("old", "the old one", "young", "the young"))
        self.assertEqual(pair["only_second"], sum(old[i] != i % 3 == young[i] for i in range(10)))
        comparison, = run["comparisons"]
        self.assertEqual((comparison["stage"], comparison["names"]), ("duel", ["before", "after"]))
        self.assertEqual([(row["side"], row["label"], row["data"], row["value"]) for row in comparison["rows"]],
                         [("before", "the old one", "test", 0.5), ("after", "the young", "test", 0.8)])

    def test_images_are_shown_before_and_after_noise_and_after_denoising(self):
        self.call("run", self.dag, "-q")
        gallery, = self.document("report")["runs"][0]["noise"]
        self.assertEqual([(column["title"], column["source"]["stage"]) for column in gallery["columns"]],
                         [("clean", "lines"), ("noisy", "pale"), ("denoised", "sharp")])
        for clean, noisy, denoised in gallery["rows"]:
            self.assertNotEqual(clean, noisy)
            self.assertEqual(clean, denoised)

    def test_a_sweep_compares_the_pairs_of_the_description_over_its_seeds(self):
        event, = [event for event in self.events(self.dag, "--sweep", "seed=1,2,3") if event["event"] == "sweep"]
        paired, = event["rows"][0]["paired"]
        self.assertEqual((paired["a"], paired["b"], paired["n"], paired["told_from_zero"]), ("duel.before", "duel.after", 3, True))
        self.assertAlmostEqual(paired["mean"], (0.3 + 0.3 + 0.2) / 3)
        self.assertAlmostEqual(paired["high"] - paired["mean"], 4.302653 * (1 / 300) ** 0.5 / 3 ** 0.5, 6)
        self.assertIn("n = 3: duel.after is greater than duel.before", self.call("run", self.dag, "--sweep", "seed=1,2,3"))
        run, = self.document("report")["runs"]
        self.assertEqual(run["paired"], [{"a": "duel.before", "b": "duel.after", "names": ["before", "after"], "metric": "", "best": None}])

    def test_without_the_library_of_its_stages_a_run_is_still_reported_and_the_report_says_what_it_lacks(self):
        self.call("run", self.dag, "-q")
        del self.environment["SATDL_STAGES"]
        run, = self.document("report")["runs"]
        self.assertEqual((run["matrices"], run["pairs"], run["comparisons"], run["noise"]), ([], [], [], []))
        missing, = run["missing"]
        self.assertTrue(missing.startswith("pictures, confusion matrices and comparisons"), missing)
        self.assertEqual({stage["name"]: stage["metrics"] for stage in run["stages"]}["old"], {"score": {"hits": 0.5}})
        self.environment["SATDL_STAGES"] = str(self.folder / "libgone_stages.so")
        run, = self.document("report")["runs"]
        self.assertIn("libgone_stages.json", run["missing"][0])
        self.assertEqual(len(run["missing"]), 1)


class Page(browser.Case):
    def report(self, *arguments, dag=DAG):
        self.call("run", self.write("quick.yaml", dag), "-q", *arguments)
        self.call("report")
        return self.folder / "report.html"

    def test_the_page_of_a_comparison(self):
        self.call("run", self.write("quick.yaml", DAG), "-q", "amount=1,2", "other=1,2")
        self.call("compare", "[amount=1,other=1]", "[amount=2,other=1]", "--html", "compared.html")
        for width in (1280, 390):
            self.open(self.folder / "compared.html", width)
            self.check()
        cells = self.js("return [...document.querySelectorAll('#compared tr')].map(row => [...row.cells].map(cell => cell.textContent))")
        self.assertEqual([row[:3] for row in cells[:3]], [["parameter", "a", "b"], ["amount", "1", "2"], ["metric", "a", "b"]])
        self.assertEqual(cells[2][3], "b - a")
        self.assertEqual([row[0] for row in cells[3:]], ["verdict.difference"])
        self.assertEqual(self.js("return document.querySelectorAll('article').length"), 1)

    def test_one_run(self):
        page = self.report()
        for width, dark in ((1280, False), (1280, True), (390, False)):
            with self.subTest(width=width, dark=dark):
                self.open(page, width, dark)
                self.check()
        self.assertEqual(self.browser.title, "quick - satdl report")
        self.assertIn(EVIL, self.js("return document.querySelector('#r0-stage-0').textContent"))
        self.assertEqual(self.js("return document.querySelectorAll('.graph .box').length"), 6)
        self.assertEqual(self.js("return document.querySelectorAll('.tile, .source').length > 0"), True)

    def test_a_click_makes_the_axis_logarithmic_and_the_slider_smooths(self):
        self.open(self.report())
        drawn = "return document.querySelector('#r0-curves .plot svg').outerHTML"
        linear = self.js(drawn)
        self.browser.find_element(By.CSS_SELECTOR, "#r0-curves input.log").click()
        self.wait_for_plots()
        logarithmic = self.js(drawn)
        self.assertNotEqual(linear, logarithmic)
        self.assertIn("log scale", logarithmic)
        lines = "return document.querySelectorAll('#r0-curves .plot:first-of-type svg .mark-line path').length"
        before = self.js(lines)
        self.js("""const slider = document.querySelector('#r0-curves input.smoothing');
                   slider.value = 0.6; slider.dispatchEvent(new Event('input'));""")
        time.sleep(0.3)
        self.wait_for_plots()
        self.assertGreater(self.js(lines), before)
        self.check()

    def test_a_tooltip_shows_the_numbers(self):
        self.open(self.report())
        tip = self.browser.find_element(By.ID, "tip")

        def hovered(_):
            point = self.browser.find_element(By.CSS_SELECTOR, "#r0-curves .plot svg .mark-symbol path")
            self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", point)
            beside = self.browser.find_element(By.CSS_SELECTOR, "#r0-curves h2, #r0-curves h3, h1")
            ActionChains(self.browser).move_to_element(beside).move_to_element(point).perform()
            return tip.is_displayed()

        WebDriverWait(self.browser, 20, ignored_exceptions=[StaleElementReferenceException]).until(hovered)
        self.assertRegex(tip.text, r"(?s)curve.*trained_a train/loss.*epoch.*1.*loss")

    def test_sweeps_of_one_and_of_a_hundred_points_and_of_several_parameters(self):
        for axes in (["amount=1"], ["amount=range(0,100,1)"], ["amount=1,2,3", "other=1,2"]):
            page = self.report(*[word for axis in axes for word in ("--sweep", axis)])
            for width in (1280, 390):
                with self.subTest(axes=axes, width=width):
                    self.open(page, width)
                    self.check()

    def test_a_comparison_of_a_users_own_stage_has_its_own_names(self):
        page = self.report(dag=GUESSES)
        for width, dark in ((1280, False), (390, True)):
            with self.subTest(width=width, dark=dark):
                self.open(page, width, dark)
                self.check()
        self.assertEqual(self.js("return document.querySelector('#r0-verdict h2').textContent"), "Before against After")
        self.assertEqual(self.js("return document.querySelectorAll('#r0-matrices .plot').length"), 2)
        self.assertEqual(self.js("return document.querySelectorAll('#r0-noise tr').length"), 3)
        text = "return document.querySelector('#r0-differing').textContent"
        self.assertIn("Only the young is right", self.js(text))
        page = self.report("--sweep", "seed=1,2,3", dag=GUESSES)
        self.open(page)
        self.check()
        self.assertIn("duel.after - duel.before = +0.2667, 95 % interval +0.1232 to +0.4101, n = 3: duel.after is greater than duel.before",
                      self.js("return document.querySelector('#r0-sweep').textContent"))

    def test_the_dag_is_drawn_where_the_document_says_and_a_box_shows_its_edges(self):
        self.open(self.report())
        boxes = self.document("report")["runs"][0]["graph"]["boxes"]
        drawn = self.js("""return [...document.querySelectorAll('.graph .box')].map(box =>
            [box.querySelector('.name').textContent, box.getAttribute('transform')])""")
        self.assertEqual(drawn, [[box["label"], f"translate({box['x']:g},{box['y']:g})"] for box in boxes])
        overlaps = self.js("""const boxes = [...document.querySelectorAll('.graph .box')].map(box => box.getBoundingClientRect());
            return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom))""")
        self.assertFalse(overlaps)
        wide = self.js("""return [...document.querySelectorAll('.graph .box')].filter(box => [...box.querySelectorAll('text')].some(text =>
            text.getBBox().x + text.getBBox().width > Number(box.querySelector('rect').getAttribute('width')))).length""")
        self.assertEqual(wide, 0)
        box = self.browser.find_elements(By.CSS_SELECTOR, ".graph .box")[[one["label"] for one in boxes].index("a")]
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
        ActionChains(self.browser).move_to_element(box).perform()
        self.assertEqual(self.js("return document.querySelectorAll('.graph .edges path.lit').length"), 2)

    def test_the_average_of_the_curves_is_the_one_without_bias(self):
        source = (satdl.SOURCE / "report/page/curves.js").read_text()
        smoothed = re.search(r"function smoothed.*?\n}\n", source, re.S).group()
        self.browser.get("about:blank")
        script = "const isNumber = Number.isFinite;\n" + smoothed + "return smoothed(arguments[0], 0.5)"
        self.assertEqual(self.js(script, [1, 2, 4]), [1, 5 / 3, 3])    # (0.5)/(1/2), (0.25 + 1)/(3/4), (0.625 + 2)/(7/8)
        self.assertEqual(self.js(script, [3, 3, 3]), [3, 3, 3])
        self.assertEqual(self.js(script, [1, None, 2]), [1, None, 5 / 3])


if __name__ == "__main__":
    unittest.main()
