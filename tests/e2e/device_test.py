"""`device`: checked before anything runs, refused with its place, reported, and part of the key. The GPU is made up by a library."""

import unittest

import satdl
from satdl import DAG


class Device(satdl.Case):
    def setUp(self):
        super().setUp()
        text = DAG.replace("epochs: 2}", "epochs: 2, device: cpu}").replace('epochs: "${epochs}"', 'epochs: "${epochs}", device: "${device}"')
        self.dag = self.write("quick.yaml", text)

    def told(self, *arguments):
        """Stage -> what a run says of its device."""
        events = self.events(self.dag, *arguments)
        return {event["stage"]: event["message"] for event in events if event["event"] == "log" and "computes on" in event["message"]}

    def test_cuda_without_a_gpu_is_refused_before_anything_runs_with_its_place_and_what_to_do(self):
        self.write("quick.yaml", self.dag.read_text().replace("device: cpu", "device: cuda"))
        for command in ("run", "status", "ls"):
            self.call(command, self.dag, code=2)
            self.assertRegex(self.err, r"quick\.yaml:\d+:\d+: error: 'device' is cuda, but no GPU was found: \$SIMPLE_GPU names none")
            self.assertIn("use cpu, or auto", self.err)
        self.call("run", self.dag, "--smoke", code=2)
        self.assertEqual(self.objects(), {})
        self.call("run", self.dag, "-q", "b")  # needs no GPU
        self.call("run", self.dag, "-q", "device=cpu")

    def test_auto_without_a_gpu_takes_the_cpu_says_why_and_shares_results_with_cpu(self):
        self.call("run", self.dag, "-q")
        self.assertEqual(self.ran(self.dag, "device=auto"), set())
        told = self.told("device=auto", "epochs=3")
        self.assertEqual(set(told), {"trained_a", "trained_b"})
        self.assertEqual(set(told.values()), {"computes on the CPU (auto: $SIMPLE_GPU names none)"})

    def test_a_gpu_is_used_reported_and_part_of_the_key(self):
        self.call("run", self.dag, "-q")
        self.environment["SIMPLE_GPU"] = "Imaginary"
        self.assertEqual(self.ran(self.dag), set())
        self.assertEqual(self.told("device=auto")["trained_a"], "computes on cuda (auto: Imaginary, compute capability 9.0)")
        self.assertEqual(self.ran(self.dag, "device=cuda"), set())
        parts = self.document("explain", self.dag, "trained_a", "--set", "device=cpu")["parts"]
        self.assertEqual([part for part in parts if part["differs"]],
                         [{"part": "device", "before": "cuda", "now": "cpu", "differs": True}])
        del self.environment["SIMPLE_GPU"]
        self.call("run", self.dag, "device=cuda", code=2)

    def test_a_smoke_run_computes_where_the_run_would(self):
        self.environment["SIMPLE_GPU"] = "Imaginary"
        events = self.events(self.dag, "--smoke", "device=cuda")
        self.assertIn("computes on cuda (Imaginary, compute capability 9.0)", [event.get("message") for event in events])

    def test_satdl_stages_lists_the_parameter_device(self):
        self.assertRegex(self.call("stages", "pretend"), r"device +cpu \| cuda \| auto +cpu")


if __name__ == "__main__":
    unittest.main()
