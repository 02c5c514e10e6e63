"""What an environment of MKL's, oneDNN's or OpenMP's variables does to a training: nothing but a warning.

Without satdl's care each of IGNORED gave other weights under the same key, or a training that waits for ever, or a crash.
"""

import array
import os
import unittest

import satdl

DAG = """\
name: small
networks:
  conv: [{conv: 24, activation: relu}, batch_norm, {conv: 24, activation: relu}, max_pool, flatten, {dense: 4, activation: softmax}]
  dense: [flatten, {dense: 300, activation: relu}, {dense: 300, activation: relu}, {dense: 4, activation: softmax}]
defaults: {train: {loss: cross_entropy, epochs: 1, batch_size: 64, threads: 2}}
stages:
  x: {kind: read, file: x.npy}
  y: {kind: read, file: y.npy}
  conv: {kind: train, in: {x: x.data, target: y.data}, net: conv}
  dense: {kind: train, in: {x: x.data, target: y.data}, net: dense}
  bf16: {kind: train, in: {x: x.data, target: y.data}, net: conv, precision: bf16}
"""
IGNORED = [{"MKL_CBWR": "COMPATIBLE"}, {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}, {"MKL_NUM_STRIPES": "2"},
           {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"DNNL_MAX_CPU_ISA": "SSE41"}, {"OMP_THREAD_LIMIT": "1"}, {"OMP_DYNAMIC": "true"},
           {"OMP_MAX_ACTIVE_LEVELS": "0"}, {"OMP_STACKSIZE": "999999G"}]
HARMLESS = {"OMP_NUM_THREADS": "1", "OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "OMP_SCHEDULE": "dynamic,1",
            "OMP_CANCELLATION": "true", "OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0",
            "MKL_NUM_THREADS": "1", "MKL_DYNAMIC": "TRUE", "MKL_DOMAIN_NUM_THREADS": "MKL_ALL=1", "MALLOC_PERTURB_": "165",
            "OMP_DYNAMIC": "FALSE", "OMP_STACKSIZE": "", "CUBLAS_WORKSPACE_CONFIG": ":16:8"}


def npy(dtype, shape, values):
    header = str({"descr": dtype, "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes()


class Environment(satdl.Case):
    def setUp(self):
        super().setUp()
        del self.environment["SATDL_STAGES"]
        pixels = array.array("f", ((i * i * 31 + i * 7) % 1009 / 1009 for i in range(128 * 3 * 20 * 20)))
        (self.folder / "x.npy").write_bytes(npy("<f4", (128, 3, 20, 20), pixels))
        (self.folder / "y.npy").write_bytes(npy("<i8", (128,), array.array("q", (i % 4 for i in range(128)))))
        self.dag = self.write("small.yaml", DAG)
        self.usual = dict(self.environment)

    def run_under(self, variables, *arguments):
        """Every artifact's bytes by key, of a run in a store of its own."""
        self.environment = {**self.usual, **variables}
        store = self.folder / f"store{len(list(self.folder.glob('store*')))}"
        self.call("run", self.dag, "-q", "--store", store, "--results", store / "results", *arguments)
        return {path.name: path.read_bytes() for path in store.glob("objects/**/*.h5")}

    def ignored(self):
        """The warnings of ignored variables; where the processor has no bf16, there is one of that, too."""
        return [line for line in self.err.splitlines() if "the environment's" in line]

    def test_the_keys_and_bytes_are_those_of_a_plain_environment(self):
        plain = self.run_under({})
        self.assertEqual(len(plain), 5)
        self.assertEqual(self.ignored(), [])
        for variables in IGNORED:
            with self.subTest(variables):
                self.assertTrue(self.run_under(variables) == plain)
                name = next(iter(variables))
                self.assertEqual(self.ignored(), [f"satdl: warning: the environment's {name} is ignored: it would change results or "
                                                  "take threads from stages (docs/engine.md)"])
        with self.subTest("harmless"):
            self.assertTrue(self.run_under(HARMLESS) == plain)
            self.assertEqual(self.ignored(), [])
        with self.subTest("--isolate"):
            self.assertTrue(self.run_under({"MKL_CBWR": "COMPATIBLE", "OMP_THREAD_LIMIT": "1"}, "--isolate") == plain)
            self.assertEqual(len(self.ignored()), 1)

    def test_two_threads_on_one_core_give_the_same_bytes(self):
        plain = self.run_under({})
        cores = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(cores)})
            self.assertTrue(self.run_under({}) == plain)
        finally:
            os.sched_setaffinity(0, cores)

    def test_a_lower_level_for_libtorch_has_a_key_of_its_own(self):
        plain = self.run_under({})
        lower = self.run_under({"ATEN_CPU_CAPABILITY": "default"})
        self.assertEqual(len(plain.keys() & lower.keys()), 2)  # the files'
        self.assertEqual(self.ignored(), [])


if __name__ == "__main__":
    unittest.main()
