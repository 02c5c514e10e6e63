"""What the program says: events, documents, tables, errors, exit codes."""

import base64
import json
import os
import pty
import re
import select
import signal
import subprocess
import unittest

import satdl
from satdl import DAG, STAGES


class Documents(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def test_a_runs_events_say_what_happened(self):
        events = self.events(self.dag)
        self.assertEqual(events[0]["event"], "run_started")
        stages = {event["stage"]: event for event in events if event["event"] == "stage"}
        self.assertEqual(set(stages), set(STAGES))
        for event in stages.values():
            self.assertEqual(event["outcome"], "ran")
            self.assertRegex(event["key"], "^[0-9a-f]{64}$")
            self.assertGreaterEqual(event["seconds"], 0)
            self.assertTrue(event["because"])
        epochs = [event for event in events if event["event"] == "epoch" and event["stage"] == "trained_a"]
        self.assertEqual([(event["epoch"], event["step"]) for event in epochs], [(1, 10), (2, 20)])
        self.assertIn("train/loss", epochs[0]["metrics"])
        self.assertIn("red", [event for event in events if event["event"] == "log"][0]["message"])
        self.assertEqual([event["title"] for event in events if event["event"] == "table"], ["A against B"])
        finished = [event for event in events if event["event"] == "run_finished"][0]
        self.assertEqual((finished["ran"], finished["reused"], finished["failed"]), (len(STAGES), 0, 0))
        self.assertTrue(all("wall_time" in event for event in events if event["event"] != "table"))
        run = self.folder / ".satdl/runs" / finished["run"]
        kept = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        told = [event["event"] for event in events if event["event"] != "table"]
        self.assertEqual([event["event"] for event in kept if event["event"] != "git"],
                         [told[0], "environment", *told[1:-1], "metrics", told[-1]])
        self.assertIsNone(satdl.CONTROL.search((run / "log.txt").read_bytes()))

    def test_status_has_every_stage_with_action_and_because(self):
        fresh = self.document("status", self.dag)["stages"]
        self.assertEqual({stage["stage"] for stage in fresh}, set(STAGES))
        self.assertEqual(fresh[0]["action"], "run")
        self.call("run", self.dag, "-q")
        self.assertEqual({stage["action"] for stage in self.document("status", self.dag)["stages"]}, {"reuse"})
        changed = {stage["stage"]: stage for stage in self.document("status", self.dag, "--set", "amount=2")["stages"]}
        self.assertEqual(changed["a"]["action"], "reuse")
        self.assertEqual(changed["b"]["action"], "run")
        self.assertEqual(changed["verdict"]["action"], "unknown")
        self.assertIn("amount: 10 -> 2", changed["b"]["because"])
        self.assertIn("amount: 10 -> 2", self.call("status", self.dag, "--set", "amount=2"))

    def test_every_command_of_a_dag_file_takes_parameters_as_arguments(self):
        self.call("run", self.dag)
        self.assertIn("amount: 10 -> 2", self.call("status", self.dag, "amount=2"))
        self.assertRegex(self.call("explain", self.dag, "b", "amount=2"), r"param amount +10 +2")
        self.assertRegex(self.call("explain", self.dag, "amount=2", "b"), r"param amount +10 +2")
        self.assertRegex(self.call("ls", self.dag, "amount=2"), r"b +stale")
        self.assertEqual(self.call("graph", self.dag, "amount=2", "--status"), self.call("graph", self.dag, "--set", "amount=2", "--status"))
        self.assertIn("run", self.call("graph", self.dag, "amount=2", "--status"))
        self.assertIn("amount: 10 -> 2", self.call("status", self.dag, "amount=2", "--set", "amount=3"))  # an argument wins
        self.assertIn("amount: 10 -> 3", self.call("status", self.dag, "--set", "amount=2", "--set", "amount=3"))
        self.assertIn("b is out of date: amount: 10 -> 2", self.document("report", self.dag, "amount=2")["runs"][0]["missing"])
        self.assertIn("1 stage: the same bytes each time", self.call("check-determinism", self.dag, "b", "amount=2"))
        for arguments, told in [(("explain", self.dag, "amount=2"), "explain takes one stage, not 0"),
                                (("explain", self.dag, "a", "b"), "explain takes one stage, not 2"),
                                (("graph", self.dag, "b"), "'b' is not name=value"),
                                (("ls", self.dag, "b"), "'b' is not name=value"),
                                (("ls", "amount=2"), "need a DAG file, but none is given"),
                                (("ls", "--profile", "long"), "need a DAG file, but none is given"),
                                (("report", "amount=2"), "need a DAG file, but none is given"),
                                (("explain", self.dag, "b", "amount=1,2"), "'amount' takes one value here"),
                                (("check-determinism", self.dag, "amount=1,2"), "'amount' takes one value here")]:
            self.call(*arguments, code=2)
            self.assertIn(told, self.err)

    def test_explain_names_the_part_that_differs_with_its_old_and_new_value(self):
        self.call("run", self.dag, "-q")
        explained = self.document("explain", self.dag, "b", "--set", "amount=2")
        differing = [part for part in explained["parts"] if part["differs"]]
        self.assertEqual(differing, [{"part": "param amount", "before": "10", "now": "2", "differs": True}])
        self.assertRegex(self.call("explain", self.dag, "b", "--set", "amount=2"), r"param amount +10 +2")
        self.assertIn("nothing changed since the last run", self.call("explain", self.dag, "b"))
        self.assertIn("waits for b", self.call("explain", self.dag, "c", "--set", "amount=2"))
        self.call("explain", self.dag, "bb", code=2)
        self.assertIn("did you mean 'b'?", self.err)

    def test_a_trainings_loss_is_drawn_over_its_epochs(self):
        out = self.call("run", self.dag, "--set", "epochs=4")
        self.assertRegex(out, r"(?m)^trained_a ran in .* - train/loss: [0-9.]+ █▆▃▁$")
        self.assertRegex(self.call("show", "trained_a"), r"(?m)^train/loss +█▆▃▁$")
        self.call("run", self.dag, "--set", "epochs=1")
        self.assertNotRegex(self.out + self.call("show", "trained_a"), "[▁█]")

    def test_ls_lists_what_each_stage_has(self):
        self.call("ls", code=2)
        self.call("run", self.dag, "-q")
        for arguments in ((), ("quick.yaml",), ("--dag", "quick")):
            document = self.document("ls", *arguments)
            self.assertEqual(document["dag"], "quick")
            rows = {stage["stage"]: stage for stage in document["stages"]}
            self.assertEqual(set(rows), set(STAGES))
            self.assertEqual(rows["a"]["tensors"], [{"tensor": "numbers", "dtype": "float64", "shape": [4]}])
        self.assertRegex(self.call("ls"), r"(?m)^a +kept +\S+ kB +numbers float64 \[4\]$")
        self.assertRegex(self.call("ls", self.dag, "--set", "amount=2"), r"b +stale")

    def test_show_gives_statistics_and_provenance(self):
        self.call("run", self.dag, "-q")
        shown = self.document("show", "b")
        self.assertEqual(shown["stage"], "b")
        tensor = shown["tensors"][0]
        self.assertEqual([tensor[name] for name in ("min", "max", "mean", "nan", "shape")], [11, 14, 12.5, 0, [4]])
        self.assertAlmostEqual(tensor["std"], 1.25 ** 0.5)
        origins = {part["part"]: part.get("from") for part in shown["recipe"]}
        self.assertEqual(origins["input x"], "a.numbers")
        self.assertGreater(shown["made"]["wall_time"], 1.6e9)
        self.assertEqual(len(self.document("show", "trained_a")["history"]["history"]["train/loss"]), 2)
        self.assertIn("A against B", self.call("show", "verdict"))
        self.assertIn("11  12  13  14", self.call("show", "b/numbers"))
        self.assertEqual(self.document("show", "results/quick/b.h5")["key"], shown["key"])
        self.assertEqual(self.document("show", shown["key"][:10])["key"], shown["key"])
        self.call("show", self.dag, code=3)
        self.assertIn("it does not begin like an artifact of satdl\n  if satdl did not write this HDF5 file", self.err)
        self.call("show", "verdit", code=2)
        self.assertIn("did you mean 'verdict'?", self.err)
        self.call("show", "b/number", code=2)
        self.assertIn("did you mean 'numbers'?", self.err)

    def test_graph_as_a_document(self):
        stages = self.document("graph", self.dag, "--status")["stages"]
        self.assertEqual([stage["stage"] for stage in stages], STAGES)
        self.assertEqual(stages[1], {"stage": "b", "kind": "add", "inputs": [{"port": "x", "from": "a", "from_port": "numbers"}], "action": "unknown"})

    def test_stages_prints_the_reference(self):
        self.assertIn("numbers that follow each other", self.call("stages"))
        self.assertRegex(self.call("stages", "count_up"), r"count +integer 1\.\.1000000 +4 +how many")
        self.assertEqual(self.document("stages", "add")["stages"][0]["inputs"][1]["optional"], True)
        self.assertIn("max_pool", self.call("stages", "--layers"))
        self.call("stages", "cuont_up", code=2)
        self.assertIn("did you mean 'count_up'?", self.err)


class Determinism(satdl.Case):
    def test_stages_that_give_the_same_bytes_again_pass(self):
        dag = self.write("quick.yaml", DAG)
        self.assertRegex(self.call("check-determinism", dag), r"(?s)trained_a ran in.*quick: 7 stages: the same bytes each time\n$")
        before = self.objects()
        document = self.document("check-determinism", dag, "b", "verdict")
        self.assertTrue(document["deterministic"])
        self.assertEqual([(one["stage"], one["round"]) for one in document["stages"]],
                         [(stage, round) for round in ("one at a time", "side by side") for stage in ("b", "verdict")])
        self.assertEqual(self.objects(), before)

    def test_a_nondeterministic_stage_is_named_with_its_tensor_and_stages_below_it_are_not_compared(self):
        dag = self.write("dice.yaml", "name: dice\nstages:\n  a: {kind: count_up}\n  thrown: {kind: dice, in: {x: a.numbers}}\n"
                                      "  after: {kind: add, in: {x: thrown.numbers}}\n")
        out = self.call("check-determinism", dag, code=1)
        self.assertRegex(out, r"thrown +one at a time +different +numbers: 4 of 4 elements differ by up to \S+\n")
        self.assertRegex(out, r"after +side by side +not compared +its inputs differ")
        self.assertRegex(out, r"a +side by side +same")

    def test_stages_run_with_each_number_of_threads_and_what_depends_on_it_is_named(self):
        dag = self.write("threads.yaml", "name: threads\nstages:\n  a: {kind: count_up}\n  honest: {kind: threads_seen}\n"
                                         "  liar: {kind: threads_seen, honest: false}\n")
        out = self.call("check-determinism", dag, "--threads", "1,3", code=1)
        self.assertRegex(out, r"honest +1 thread +same")
        self.assertRegex(out, r"honest +3 threads +same")
        self.assertRegex(out, r"liar +1 thread +same")
        self.assertRegex(out, r"liar +3 threads +different +numbers: 1 of 1 elements differ by up to 2\n")
        self.assertIn("threads: 3 stages: the bytes differ", out)
        self.assertRegex(out, r"not with other numbers of threads, which they do not take or which are in\s+their keys: a\n")
        document = self.document("check-determinism", dag, "honest", "--threads", "2", "--threads", "5")
        self.assertEqual([(one["round"], one["outcome"]) for one in document["stages"]], [("2 threads", "same"), ("5 threads", "same")])
        for wrong in ("0", "two", "257", "1,x"):
            self.call("check-determinism", dag, "--threads", wrong, code=2)
            self.assertIn("--threads takes numbers from 1 to 256, not '", self.err)

    def test_a_check_that_cannot_begin_says_why(self):
        dag = self.write("dice.yaml", "name: dice\nstages:\n  a: {kind: count_up}\n  thrown: {kind: dice, in: {x: a.numbers}}\n")
        self.call("check-determinism", self.write("bad.yaml", "name: bad\nstages:\n  no: {kind: fail}\n"), code=1)
        self.assertIn("there is nothing to compare with", self.err)
        self.call("check-determinism", dag, "thrwon", code=2)
        self.assertIn("did you mean 'thrown'?", self.err)


class Sweeps(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)

    def test_points_share_what_is_equal_and_a_larger_sweep_runs_only_what_is_new(self):
        events = self.events(self.dag, "--sweep", "amount=1,2", "--csv", "points.csv")
        ran = [event["stage"] for event in events if event["event"] == "stage" and event["outcome"] == "ran"]
        self.assertEqual(len([stage for stage in ran if stage.startswith("a")]), 1)
        self.assertEqual(len([stage for stage in ran if stage.startswith("b")]), 2)
        points = [event for event in events if event["event"] == "sweep"][0]["points"]
        self.assertEqual([point["settings"] for point in points], [{"amount": 1}, {"amount": 2}])
        lines = (self.folder / "points.csv").read_text().splitlines()
        self.assertEqual(lines[0], "amount,verdict.difference,error")
        self.assertEqual(float(lines[1].split(",")[1]), points[0]["metrics"]["verdict.difference"])
        outcomes = self.outcomes(self.dag, "--sweep", "amount=range(1,4)")
        self.assertEqual(list(outcomes.values()).count("ran"), 5)  # all of the third point but a and trained_a
        self.assertEqual(set(self.outcomes(self.dag, "--set", "amount=2").values()), {"reused"})

    def test_several_parameters_make_their_product_and_the_file_can_say_it(self):
        axes = ("--sweep", "amount=1,2", "--sweep", "epochs=1,2")
        self.call("run", self.dag, *axes, "--metric", "loss", "-q", "--csv", "points.csv")
        lines = (self.folder / "points.csv").read_text().splitlines()
        self.assertEqual(lines[0], "amount,epochs,trained_a.loss,trained_b.loss,error")
        self.assertEqual([line.split(",")[:2] for line in lines[1:]], [["1", "2"], ["2", "2"], ["1", "1"], ["2", "1"]])  # the best first
        out = self.call("run", self.dag, "--sweep")
        self.assertRegex(out, r"amount +verdict\.difference\n")
        self.call("run", self.dag, "--sweep", "amuont=1,2", code=2)
        self.assertIn("did you mean 'amount'?", self.err)


class Failures(satdl.Case):
    def test_a_failed_stage_gives_exit_code_1_with_its_message_and_the_other_results_are_stored(self):
        dag = self.write("bad.yaml", "name: bad\nstages:\n  a: {kind: count_up}\n"
                                     "  no: {kind: fail, message: the numbers do not add up}\n"
                                     "  after: {kind: add, in: {x: no.numbers}}\n  other: {kind: add, in: {x: a.numbers}}\n")
        outcomes = self.outcomes(dag, "-k", code=1)
        self.assertEqual(outcomes, {"a": "ran", "no": "failed", "after": "skipped", "other": "ran"})
        self.assertIn(f"satdl: stage no (fail, {dag}:4:3) failed: the numbers do not add up", self.err)
        self.call("run", dag, code=1)
        self.assertRegex(self.out, r"after +skipped")
        again = {"a": "reused", "no": "failed", "after": "skipped", "other": "reused"}
        self.assertEqual(self.outcomes(dag, "-k", code=1), again)

    def test_usage_errors_give_exit_code_2_with_their_place(self):
        bad = DAG.replace("kind: sign", "kind: sing").replace("amount: \"${amount}\"", "amuont: 3")
        dag = self.write("bad.yaml", bad)
        self.call("run", dag, code=2)
        self.assertIn(f"{dag}:7:", self.err)
        self.assertIn(f"{dag}:8:", self.err)
        self.assertIn("did you mean 'sign'?", self.err)
        self.assertIn("did you mean 'amount'?", self.err)
        self.assertEqual(self.out, "")
        self.call("run", self.write("quick.yaml", DAG), "verdit", code=2)
        self.assertIn("did you mean 'verdict'?", self.err)
        for arguments in (["run"], ["run", "none.yaml"], ["rnu"], ["run", "quick.yaml", "--no-such"],
                          ["run", "quick.yaml", "-j", "0"], []):
            self.call(*arguments, code=2)
            self.assertTrue(self.err)
        self.call("rnu", dag, code=2)
        self.assertIn("there is no command 'rnu'", self.err)
        self.assertIn("did you mean 'run'?", self.err)
        self.call(dag, code=2)
        self.assertIn("`satdl run FILE`", self.err)

    def test_help_and_version(self):
        self.assertIn("Examples", self.call("run", "--help"))
        for command in ("run", "status", "explain", "ls", "show", "stages", "data", "cache"):
            self.assertIn(command, self.call("--help"))
            self.call(command, "--help")
        self.assertRegex(self.call("--version"), r"satdl \d+\.\d+\.\d+\n.*SQLite \d.*\n.*foreign HDF5 files.*Landlock")
        self.assertEqual(self.call("--version", program="satdl-run"), self.call("--version"))

    def test_the_names_of_stages_stay_inside_the_results_folder(self):
        dag = self.write("odd.yaml", "name: \"../odd\"\nstages:\n  \"../../x\": {kind: count_up}\n")
        done = subprocess.run([satdl.BINARY / "satdl", "run", dag], cwd=self.folder, env=self.environment,
                              capture_output=True)
        self.assertIn(done.returncode, (0, 2))
        self.assertEqual([path for path in self.folder.parent.glob("odd*")], [])


class Lines(satdl.Case):
    def test_one_line_an_epoch_when_piped(self):
        dag = self.write("quick.yaml", DAG)
        out = self.call(dag, program="satdl-run")
        self.assertEqual(len(re.findall(r"^trained_a: epoch \d/2, ", out, re.M)), 2)
        self.assertRegex(out, r"(?m)^verdict +ran +\d+\.\d\d +\S")
        self.assertRegex(out, r"quick: 7 stages: 7 ran, in ")
        self.assertIn("A against B", out)
        self.assertIn("A against B", self.call(dag, program="satdl-run"))
        self.assertEqual(self.call("run", dag, "-q"), "")

    def test_no_table_is_wider_than_the_terminal(self):
        dag = self.write("quick.yaml", DAG)
        sweep = ["run", dag, "amount=range(1,4)", "first=1,2"]
        for columns in (80, 60, 40):
            for command in (["run", dag, "-f"], ["run", dag], ["run", dag, "-n", "amount=3"], ["status", dag, "amount=3"],
                            ["explain", dag, "trained_a"], ["explain", dag, "trained_a", "epochs=3"], ["ls"], ["ls", dag, "amount=3"],
                            ["show", "trained_a"], ["show", "verdict"], ["show", "trained_b", "--recipe"], ["show", "verdict", "--provenance"],
                            ["show", "b.numbers"], ["show", "b.numbers[1:]"], ["reproduce", "verdict"],
                            sweep, [*sweep, "-n"], ["ls"], ["stages"], ["stages", "--layers"],
                            ["stages", "pretend"], ["selftest"], ["check-determinism", dag, "b"]):
                with self.subTest(columns=columns, command=command):
                    self.assert_fits(columns, *command)

    def test_no_list_or_difference_of_runs_is_wider_than_80_columns(self):
        dag = self.write("quick.yaml", DAG)
        for arguments in ([], ["amount=11", "first=2"], ["amount=1,2"]):
            self.call("run", dag, "-q", *arguments)
        point = "trained_b[amount=1]"
        for command in (["log"], ["log", "--points"], ["show", point], ["show", "signs[amount=2].numbers"], ["ls"],
                        ["show", "verdict[amount=1]", "--provenance"], ["cache", "gc", "-n"], ["cache", "verify"]):
            self.assert_fits(80, *command)
        self.assert_fits(80, "diff", point, "trained_b[amount=2]", code=1)

    def test_no_help_is_wider_than_a_terminal_of_80_columns(self):
        commands = re.findall(r"^  (\S+)", self.call("--help").split("Subcommands:\n")[1], re.M)
        self.assertIn("check-determinism", commands)
        for command in ([], *([name] for name in commands), ["cache", "gc"], ["cache", "verify"], ["data", "fetch"]):
            self.assert_fits(80, *command, "--help")
            self.assertTrue(all(len(line) <= 80 for line in self.call(*command, "--help").splitlines()), command)

    def test_in_a_pipe_no_line_is_broken(self):
        dag = self.write("quick.yaml", DAG)
        self.call("run", dag, "-q")
        self.assertRegex(self.call("run", dag, "-n", "amount=3"), r"(?m)^unknown +verdict +depends on b, which runs: amount: 10 -> 3.*\)$")
        self.assertRegex(self.call("stages", "pretend"), r"(?m)^epochs .* \S+$")
        sweep = self.call("run", dag, "amount=range(1,4)", "first=1,2").split("\n\n")[-1].splitlines()
        self.assertEqual(len(sweep), 2 + 6)  # header, rule, rows

    def images(self, **params):
        """The DAG `pictures`, run: one stage, `x`."""
        self.call("run", self.write("pictures.yaml", f"name: pictures\nstages:\n  x: {{kind: images, {str(params)[1:-1]}}}\n".replace("'", "")), "-q")

    def test_images_are_drawn(self):
        self.images()
        self.assertEqual(self.call("show", "x", "--images", "5"),
                         "images  float64 [2, 1, 2, 3]: 2 of 2 images\n.:- *#%\n")
        self.assertEqual(self.call("show", "x/images", "--images", "1"), "images  float64 [2, 1, 2, 3]: 1 of 2 images\n.:-\n")
        self.images(channels=0, most=110)
        self.assertEqual(self.call("show", "x", "--images", "2"),
                         "images  float64 [2, 2, 3]: 2 of 2 images\nscaled: black is 0, white 110\n.:- *#%\n")
        self.images(channels=3, most=-1)
        self.assertIn("2 of 2 images\nscaled: black is -1, white 0\n", self.call("show", "x", "--images", "2"))
        self.images(channels=2)
        self.assertIn(": 3 of 4 images\n", self.call("show", "x", "--images", "3"))

    def test_images_on_a_terminal_are_drawn_as_it_can(self):
        self.images(channels=3)
        unset = {"COLORTERM": "", "KITTY_WINDOW_ID": "", "NO_COLOR": ""}

        def shown(**environment):
            return self.in_terminal("show", "x", "--images", "2", environment={**unset, **environment})

        self.assertIn("\x1b[38;2;0;44;87m", shown(COLORTERM="truecolor"))
        self.assertIn("\x1b[38;5;", shown(TERM="xterm-256color"))
        self.assertNotIn("\x1b", shown(TERM="vt100"))
        self.assertNotIn("\x1b", shown(TERM="xterm-kitty", NO_COLOR="1"))
        header, data = re.search("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", shown(TERM="xterm-kitty")).groups()
        self.assertEqual(header, "a=T,f=32,s=7,v=2,c=7,r=1,q=2,m=0")
        pixels = base64.b64decode(data)
        self.assertEqual(len(pixels), 7 * 2 * 4)
        self.assertEqual((list(pixels[:4]), list(pixels[12:16])), ([0, 44, 87, 255], [0, 0, 0, 0]))

    def test_tensors_that_are_no_images_are_not_drawn(self):
        self.images()
        self.call("show", "x/numbers", "--images", "2", code=2)
        self.assertIn("'numbers' is float64 [12], which does not hold images", self.err)
        self.assertIn("images are [N, H, W] or [N, C, H, W]", self.err)
        for options in (["--images", "0"], ["--images", "2", "--json"]):
            self.call("show", "x", *options, code=2)
        self.call("run", self.write("quick.yaml", DAG), "-q")
        self.call("show", "a", "--images", "2", code=2)
        self.assertIn("no tensor of a.h5 holds images", self.err)

    def test_bars_on_a_terminal(self):
        dag = self.write("quick.yaml", DAG.replace("epochs: \"${epochs}\"", "epochs: \"${epochs}\", milliseconds: 100"))
        written = self.in_terminal("run", dag)
        self.assertIn("━", written)
        self.assertIn("\x1b[J", written)
        self.assertIn("\x1b[32m", written)
        self.assertNotIn("\x1b[31mred", written)
        colour = r"\x1b\[[0-9;]*m"
        self.assertRegex(written, colour)
        self.assertNotRegex(self.in_terminal("run", dag, "-f", environment={"NO_COLOR": "1"}), colour)
        self.assertNotIn("\x1b", self.in_terminal("run", dag, "-f", environment={"TERM": "dumb"}))


class UnwritableOutput(satdl.Case):
    def setUp(self):
        super().setUp()
        self.dag = self.write("quick.yaml", DAG)
        self.call("run", self.dag, "-q")

    def failed(self, command):
        """The exit code and the message of a command line of the shell."""
        done = subprocess.run(["bash", "-c", f"'{satdl.BINARY}/satdl' {command}"], cwd=self.folder, env=self.environment,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        return done.returncode, done.stderr

    def test_output_that_cannot_be_written_is_an_error_of_every_command(self):
        for command in ("ls", "ls --json", "show a", f"status {self.dag}", f"graph {self.dag}", "stages", f"explain {self.dag} a",
                        "report --json", "cache gc -n", "cache verify", "--version", "--help", f"run {self.dag}", f"run {self.dag} --json",
                        f"run {self.dag} amount=3,4", f"run {self.dag} -n", f"run {self.dag} --smoke"):
            code, error = self.failed(command + " >/dev/full")
            self.assertEqual(code, 3, command)
            self.assertIn("satdl: cannot write the output", error)
            self.assertNotIn("unexpected", error)
            self.assertEqual(self.failed(command + " >/dev/full 2>/dev/full")[0], 3, command)
        self.assertEqual(self.failed("run none.yaml 2>/dev/full")[0], 2)
        self.assertEqual(self.ran(self.dag, "amount=3,4"), set())  # only the output was lost
        self.assertEqual(self.failed(f"run {self.dag} -q >/dev/full"), (0, ""))
        self.assertEqual(self.failed(f"run {self.folder}/none.yaml >/dev/full")[0], 2)

    def test_no_file_gets_the_output_of_a_closed_stdout(self):
        code, error = self.failed(f"run {self.dag} -f -v >&-")
        self.assertEqual(code, 3)
        self.assertIn("satdl: cannot write the output", error)
        self.call("cache", "verify")
        self.assertEqual((self.folder / ".satdl/in-use").read_bytes(), b"")

    def test_a_csv_file_that_cannot_be_written_is_refused_before_anything_runs(self):
        (self.folder / "folder").mkdir()
        for path, reason in (("nowhere/out.csv", "No such file or directory"), ("folder", "it is a folder")):
            self.call("run", self.dag, "amount=3,4", "--csv", path, code=2)
            self.assertIn(f"cannot write the sweep's points to {path}: {reason}", self.err)
        self.assertIn("b[amount=3]", self.ran(self.dag, "amount=3,4"))
        (self.folder / "real.csv").write_text("before")
        (self.folder / "link.csv").symlink_to("real.csv")
        self.call("run", self.dag, "amount=3,4", "-q", "--csv", "link.csv")
        self.assertTrue((self.folder / "link.csv").is_symlink())
        self.assertEqual((self.folder / "real.csv").read_text().count("\n"), 3)
        self.assertEqual(self.call("run", self.dag, "amount=3,4", "-q", "--csv", "/dev/stdout").count("\n"), 3)

    def test_an_output_file_named_by_a_dash_is_stdout(self):
        points = self.call("run", self.dag, "amount=3,4", "--csv", "-")
        self.call("run", self.dag, "amount=3,4", "-q", "--csv", "points.csv")
        self.assertEqual(points, (self.folder / "points.csv").read_text())
        (self.folder / "all.csv").write_text("before\n")
        subprocess.run(["bash", "-c", f"'{satdl.BINARY}/satdl' run quick.yaml amount=3,4 --csv - >>all.csv"], cwd=self.folder, env=self.environment,
                       check=True)
        self.assertEqual((self.folder / "all.csv").read_text(), "before\n" + points)
        self.assertTrue(self.call("report", "-o", "-").startswith("<!"))
        self.assertFalse((self.folder / "-").exists())
        self.call("run", self.dag, "amount=3,4", "--csv", "-", "--json", code=2)
        self.assertIn("--csv - cannot be combined with --json", self.err)

    def test_an_output_file_without_a_name_is_refused(self):
        for arguments in (["run", self.dag, "amount=3,4", "--csv", ""], ["report", "-o", ""]):
            self.call(*arguments, code=2)
            self.assertIn("the value must not be empty", self.err)
        self.assertEqual(list(self.folder.glob("*.partial")), [])

    def test_an_output_file_never_takes_the_place_of_what_a_run_reads_or_of_the_store(self):
        self.call("run", self.dag, "-q", "amount=3")
        before = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        for path, reason in ((self.dag, "this command reads that file"), (".satdl/in-use", "it lies in the store"),
                             ("results/quick/a.h5", "it lies in the store")):
            self.call("run", self.dag, "amount=3,4", "--csv", path, code=2)
            self.assertIn(f"cannot write the sweep's points to {path}: {reason}", self.err)
            self.call("report", self.dag, "-o", path, code=2)
            self.assertIn(f"cannot write the report to {path}: {reason}", self.err)
        self.assertEqual({path: path.read_bytes() for path in before}, before)

    def test_a_limit_of_the_size_of_files_is_an_error_of_the_store_and_no_crash(self):
        dag = self.write("large.yaml", "stages: {a: {kind: count_up, count: 100000}}\n")
        done = subprocess.run(["bash", "-c", f"ulimit -f 100; '{satdl.BINARY}/satdl' run {dag} -q -f --store limited"], cwd=self.folder,
                              env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("the output of a was not stored", done.stderr)
        self.assertFalse((self.folder / "limited/results/large/a.h5").is_symlink())  # it would lead nowhere


class Signals(satdl.Case):
    SLOW = ("name: slow\nstages:\n  a: {kind: count_up}\n"
            "  long: {kind: pretend, in: {x: a.numbers}, epochs: 1000, milliseconds: 20}\n"
            "  after: {kind: pretend, in: {x: a.numbers}, epochs: 1001, milliseconds: 20}\n")

    def interrupted(self, number):
        returned, events = self.signalled(number, self.write("slow.yaml", self.SLOW), "-j", "1")
        return returned, {event["stage"]: event["outcome"] for event in events if event["event"] == "stage"}, events

    def test_an_interrupted_run_ends_with_its_summary(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 143),
                             (signal.SIGXCPU, 143)):
            with self.subTest(number):
                returned, outcomes, events = self.interrupted(number)
                self.assertEqual(returned, code)
                self.assertIn("stopped", outcomes.values())
                self.assertEqual(events[-1]["event"], "run_finished")
                self.assertTrue(events[-1]["stopped"])
        self.assertEqual(self.outcomes(self.folder / "slow.yaml", "a"), {"a": "reused"})
        self.call("run", self.folder / "slow.yaml", "-n")
        self.assertRegex(self.out, r"resume +(long|after) +interrupted at epoch \d+, step \d+, \d+ %")

    def test_a_run_whose_terminal_is_closed_stores_checkpoints(self):
        dag = self.write("slow.yaml", self.SLOW)
        child, master = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(satdl.BINARY / "satdl", ["satdl", "run", str(dag), "-j", "1"], self.environment)
        said = b""
        while not re.search(rb"epoch +([3-9]|[0-9]{2,})/", said):  # not all are drawn
            self.assertTrue(select.select([master], [], [], 60)[0])
            said += os.read(master, 4096)
        os.close(master)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 129)
        actions = {stage["stage"]: stage["action"] for stage in self.document("status", dag)["stages"]}
        self.assertIn("resume", actions.values())

    def test_a_stopped_run_says_from_where_running_again_resumes(self):
        dag = self.write("slow.yaml", self.SLOW)
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", dag, "-j", "1"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.PIPE)
        for line in process.stdout:
            if b"epoch 3/" in line:
                break
        process.send_signal(signal.SIGUSR1)
        said = process.communicate(timeout=60)[0].decode()
        self.assertEqual(process.returncode, 143)
        stage, position = re.search(r"(?m)^running again resumes (\w+) from (epoch \d+, step \d+, \d+ %)$", said).groups()
        self.assertRegex(self.call("run", dag, "-n"), rf"resume +{stage} +interrupted at {position}")

    def test_an_isolated_stage_leaves_the_signal_of_slurm_to_satdl(self):
        dag = self.write("slow.yaml", self.SLOW)
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", dag, "-j", "1", "--isolate", "--json"], cwd=self.folder,
                                   env=self.environment, stdout=subprocess.PIPE)
        for line in process.stdout:
            if b'"epoch"' in line:
                break
        children = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        of = [tuple(map(int, line.split())) for line in children.splitlines()]
        workers = [pid for pid, parent in of if parent == process.pid]
        workers += [pid for pid, parent in of if parent in workers]
        self.assertGreaterEqual(len(workers), 2)  # the reaper and the worker
        for pid in (*workers, process.pid):
            os.kill(pid, signal.SIGUSR1)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.assertIn("resume", {stage["action"] for stage in self.document("status", dag)["stages"]})

    def test_a_run_with_a_closed_pipe_continues_without_output(self):
        dag = self.write("quick.yaml", DAG.replace("epochs: \"${epochs}\"", "epochs: \"${epochs}\", milliseconds: 50"))
        for options in ([], ["--json", "epochs=3"], ["epochs=4", "2>&1"]):
            command = " ".join([f"'{satdl.BINARY}/satdl' run {dag} -v", *options])
            code = subprocess.run(["bash", "-c", f"{command} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"], cwd=self.folder,
                                  env=self.environment, timeout=60).returncode
            self.assertEqual(code, 0, options)
            self.assertEqual(self.ran(dag, *[option for option in options if option.startswith("epochs")]), set())

    def test_a_run_under_nohup_continues(self):
        dag = self.write("slow.yaml", self.SLOW.replace("100", "10"))
        process = subprocess.Popen(["nohup", satdl.BINARY / "satdl", "run", dag, "--json"], cwd=self.folder, env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_a_second_signal_does_not_wait_for_a_stage_that_does_not_listen(self):
        dag = self.write("deaf.yaml", "name: deaf\nstages:\n  a: {kind: count_up}\n"
                                      "  deaf: {kind: deaf, in: {x: a.numbers}}\n")
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", dag, "--json"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.PIPE)
        line = b""
        while b'"log"' not in line:
            line = process.stdout.readline()
            self.assertTrue(line, "the run ended before its stage did anything")
        process.send_signal(signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.ran(dag, "a"), set())


if __name__ == "__main__":
    unittest.main()
