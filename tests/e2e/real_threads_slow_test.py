"""The study's own networks, M1 and M3, have the same bytes with every number of threads; and those numbers are in no key."""

import subprocess
import unittest

import satdl

QUICK = (satdl.SOURCE / "dags/full.yaml", "--profile", "quick", "limit=64", "epochs=1", "m1", "m3", "features", "evaluate_m3@test")


class Threads(satdl.Case):
    @classmethod
    def setUpClass(cls):
        subprocess.run([satdl.BINARY / "satdl", "data", "fetch"], cwd=satdl.SOURCE, check=True, stdout=subprocess.DEVNULL)

    def setUp(self):
        super().setUp()
        self.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")
        del self.environment["SATDL_STAGES"]

    def test_m1_and_m3_of_the_quick_profile_have_the_same_bytes_with_1_2_3_5_and_8_threads(self):
        document = self.document("check-determinism", *QUICK, "--threads", "1,2,3,5,8")
        self.assertEqual([one for one in document["stages"] if one["outcome"] != "same"], [])
        self.assertEqual({(one["stage"], one["round"]) for one in document["stages"]},
                         {(stage, f"{n} thread{'s' if n > 1 else ''}") for stage in QUICK[5:] for n in (1, 2, 3, 5, 8)})
        again = self.call("run", *QUICK, "threads=3")
        self.assertNotIn(" ran ", again)  # what `auto` made is what three threads make


if __name__ == "__main__":
    unittest.main()
