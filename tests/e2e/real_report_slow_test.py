"""The report of a real sweep: five noise factors, three seeds, the quick profile's networks on fewer images."""

import unittest

import browser
import satdl

DAG = satdl.SOURCE / "dags/full.yaml"
SMALL = ("--profile", "quick", "--set", "limit=200", "--set", "epochs=1")
SWEEP = ("--sweep", "noise_factor=0.1,0.2,0.4,0.6,0.8", "--sweep", "seed=range(1,4)")


class RealReport(browser.Case):
    def setUp(self):
        super().setUp()
        self.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")

    def test_a_sweep_of_five_noise_factors_and_three_seeds_is_drawn_whole(self):
        self.call("run", DAG, *SMALL, *SWEEP, "-q")
        run, = self.document("report")["runs"]
        # Two thirds of the 45 evaluations have their pictures: as many as one page takes, and it says so.
        self.assertEqual([what for what in run["missing"] if "the first 24" not in what], [])
        self.assertEqual(len(run["points"]), 15)
        self.call("report")
        for width, dark in ((1280, False), (1280, True), (390, False)):
            with self.subTest(width=width, dark=dark):
                self.open(self.folder / "report.html", width, dark)
                self.check()
        self.assertIn("15 points", self.js("return document.body.textContent"))
        self.assertIn("±", self.js("return document.body.textContent"))
        self.assertGreater(self.js("return document.querySelectorAll('img').length"), 0)


if __name__ == "__main__":
    unittest.main()
