"""Programs as stages: what they get, what becomes of what they write, when they run again, and every way in which they misbehave."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import h5py
import numpy as np

import satdl

PYTHON = sys.executable

# prep reads a file and its own module; train reads prep's array.
PREP = """\
import sys
import numpy as np
from lib import scale
print("prep has begun")
np.save(sys.argv[2], scale.FACTOR * np.loadtxt(sys.argv[1], delimiter=",").astype("float32"))
"""
TRAIN = """\
import argparse, json, os
import h5py
parser = argparse.ArgumentParser()
for name in ("--x", "--model", "--metrics"):
    parser.add_argument(name)
parser.add_argument("--epochs", type=int)
parser.add_argument("--lr", type=float)
given = parser.parse_args()
total = float(h5py.File(given.x)["x"][()].sum())
with open(os.environ["SATDL_PROGRESS"], "a") as progress:
    for epoch in range(1, given.epochs + 1):
        progress.write(json.dumps({"epoch": epoch, "epochs": given.epochs, "metrics": {"loss": 1 / epoch}}) + "\\n")
with open(given.model, "w") as model:
    model.write(f"{total} {given.epochs}")
with open(given.metrics, "w") as metrics:
    json.dump({"total": total, "top": {"one": given.lr}}, metrics)
os.makedirs("plots/deep")
open("plots/a.txt", "w").write("a")
open("plots/deep/run.sh", "w").write("true")
os.chmod("plots/deep/run.sh", 0o755)
"""
DAG = f"""\
name: programs
params: {{epochs: 3, lr: 0.5}}
stages:
  prep:
    kind: command
    run: [{PYTHON}, prep.py, "{{files.raw}}", "{{out.data}}"]
    files: {{raw: raw/data.csv}}
    sources: [prep.py, "lib/**/*.py"]
    out: {{data: array}}
  train:
    kind: command
    run: {PYTHON} train.py --x {{in.x}} --epochs {{epochs}} --lr {{lr}} --model {{out.model:pt}} --metrics {{out.metrics}}
    in: {{x: prep.data}}
    with: {{epochs: "${{epochs}}", lr: "${{lr}}"}}
    sources: train.py
    out: {{model: file, metrics: metrics, history: history, plots: folder}}
    paths: {{plots: plots}}
"""


class Programs(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")
        self.write("prep.py", PREP)
        self.write("train.py", TRAIN)
        self.write("lib/scale.py", "FACTOR = 2\n")
        self.write("lib/__init__.py", "")
        self.write("raw/data.csv", "1,2\n3,4\n")
        self.dag = self.write("dag.yaml", DAG)

    def artifact(self, stage):
        return h5py.File((self.folder / "results/programs" / f"{stage}.h5").resolve())

    def reason(self, stage, *arguments):
        """Why the stage would run."""
        plan = self.document("run", "dag.yaml", "-n", *arguments)
        return next(one["because"] for one in plan["stages"] if one["stage"] == stage)

    def wait_until(self, is_true):
        for _ in range(6000):
            if is_true():
                return
            time.sleep(0.01)
        self.fail("nothing happened for a minute")

    def failure(self, dag):
        """What a run of it reports on stderr."""
        self.write("bad.yaml", dag)
        self.call("run", "bad.yaml", code=1)
        return self.err


class Results(Programs):
    def test_what_a_program_writes_is_kept_as_declared(self):
        self.assertEqual(self.ran("dag.yaml"), {"prep", "train"})
        with self.artifact("prep") as prep:
            np.testing.assert_array_equal(prep["data"], np.array([[2, 4], [6, 8]], "float32"))
            self.assertEqual(prep["data"].dtype, np.float32)
        with self.artifact("train") as train:
            self.assertEqual(bytes(train["model/files/model.pt"][()]), b"20.0 3")
            self.assertEqual(train["metrics/total"][()], [20])
            self.assertEqual(train["metrics/top/one"][()], [0.5])
            np.testing.assert_array_equal(train["history/epoch"], [1, 2, 3])
            np.testing.assert_array_equal(train["history/loss"], [1, 1 / 2, 1 / 3])
            self.assertEqual(bytes(train["plots/files/a.txt"][()]), b"a")
            self.assertEqual(bytes(train["plots/executables/deep/run.sh"][()]), b"true")
        self.assertEqual(self.ran("dag.yaml"), set())
        self.assertEqual(list((self.folder / ".satdl/work").iterdir()), [])

    def test_the_files_that_it_wrote_are_in_its_folder_of_results(self):
        self.call("run", "dag.yaml")
        train = self.folder / "results/programs/train"
        self.assertEqual((train / "model.pt").read_text(), "20.0 3")
        self.assertEqual((train / "plots/a.txt").read_text(), "a")
        self.assertTrue(os.access(train / "plots/deep/run.sh", os.X_OK))
        self.call("run", "dag.yaml", "epochs=4")
        self.assertEqual((train / "model.pt").read_text(), "20.0 4")
        train.unlink()
        self.call("run", "dag.yaml")
        self.assertEqual((train / "model.pt").read_text(), "20.0 3")
        train.unlink()
        self.write("results/programs/train/mine.txt", "mine")
        self.call("run", "dag.yaml")
        self.assertIn("is not a link that satdl made", self.err)
        self.assertEqual((train / "mine.txt").read_text(), "mine")
        # Garbage collection takes them with their artifacts; a stage that is gone loses its folder.
        (train / "mine.txt").unlink()
        train.rmdir()
        self.call("run", "dag.yaml", "epochs=2")
        self.assertEqual(len(list((self.folder / ".satdl/files").iterdir())), 3)
        self.call("cache", "gc", "--older", "0", "--keep-runs", "1")
        self.assertEqual(len(list((self.folder / ".satdl/files").iterdir())), 1)
        self.write("dag.yaml", DAG[:DAG.index("  train:")])
        self.call("run", "dag.yaml")
        self.assertFalse(train.is_symlink())

    def test_hdf5_is_an_output_and_its_groups_become_parts_of_names(self):
        code = "import h5py, sys, numpy; f = h5py.File(sys.argv[1], 'w'); f['conv/w'] = numpy.arange(6.0).reshape(2, 3); f['bias'] = numpy.int32(4)"
        self.write("h5.yaml", f"""\
name: h5
stages:
  make: {{kind: command, run: [{PYTHON}, -c, {json.dumps(code)}, "{{out.w:h5}}"], out: {{w: arrays}}}}
  take: {{kind: command, run: [{PYTHON}, -c, "import satdl; w = satdl.input('w'); satdl.metrics(sum=float(w['conv/w'].sum() + w['bias']))"], in: {{w: make.w}}, out: {{m: metrics}}}}
""")
        self.call("run", "h5.yaml")
        with h5py.File((self.folder / "results/h5/make.h5").resolve()) as made:
            np.testing.assert_array_equal(made["w/conv/w"], [[0, 1, 2], [3, 4, 5]])
            self.assertEqual(made["w/bias"][()], 4)
        self.assertEqual(self.document("show", "take")["metrics"]["m"]["sum"], 19)

    def test_its_output_is_logged(self):
        messages = [event["message"] for event in self.events("dag.yaml") if event["event"] == "log"]
        self.assertIn("prep has begun", messages)

    def test_it_runs_again_when_something_that_it_depends_on_has_changed_and_the_reason_names_it(self):
        self.call("run", "dag.yaml")
        self.write("lib/scale.py", "FACTOR = 3\n")
        self.assertIn("lib/scale.py", self.reason("prep"))
        self.assertEqual(self.ran("dag.yaml"), {"prep", "train"})
        self.assertIn("epochs", self.reason("train", "epochs=4"))
        self.assertIn("epochs", self.reason("train", "train.epochs=4"))
        self.write("raw/data.csv", "1,2\n3,5\n")
        self.assertIn("raw", self.reason("prep"))
        self.write("lib/new.py", "")
        self.assertEqual(self.ran("dag.yaml"), {"prep", "train"})
        for executable in "prep.py", "raw/data.csv":
            (self.folder / executable).chmod(0o755)
            self.assertEqual(self.ran("dag.yaml"), {"prep"})
        # The same bytes as before stop there.
        self.write("prep.py", PREP.replace("has begun", "begins"))
        self.assertEqual(self.ran("dag.yaml"), {"prep"})

    def test_what_does_not_count_reruns_nothing(self):
        self.call("run", "dag.yaml")
        os.utime(self.folder / "prep.py")
        self.write("other.py", "")
        self.write("dag.yaml", DAG.replace("name: programs", "name: programs\nabout: x").replace("    out: {data", "    about: y\n    timeout: 1h\n    out: {data"))
        self.assertEqual(self.ran("dag.yaml"), set())

    def test_only_what_is_declared_is_in_its_folder(self):
        self.write("secret.py", "")
        self.write("ls.yaml", f"""\
name: ls
stages:
  ls:
    kind: command
    run: [{PYTHON}, -c, "import os; open('{{out.list}}', 'w').write(' '.join(sorted(os.listdir())))"]
    files: {{raw: raw}}
    sources: prep.py
    out: {{list: file}}
""")
        self.call("run", "ls.yaml")
        with h5py.File((self.folder / "results/ls/ls.h5").resolve()) as ls:
            self.assertEqual(bytes(ls["list/files/list"][()]), b".satdl prep.py raw")

    def test_inputs_come_in_the_format_that_the_placeholder_names(self):
        self.write("formats.yaml", DAG + f"""\
  formats:
    kind: command
    run: [{PYTHON}, formats.py, "{{in.x:npy}}", "{{in.x:csv}}", "{{in.x}}", "{{in.m:json}}", "{{in.h:csv}}", "{{in.model}}", "{{in.plots}}", "{{out.seen}}"]
    in: {{x: prep.data, m: train.metrics, h: train.history, model: train.model, plots: train.plots}}
    sources: formats.py
    out: {{seen: metrics}}
""")
        self.write("formats.py", """\
import json, os, sys
import h5py
import numpy as np
npy, csv, h5, metrics, history, model, plots, out = sys.argv[1:]
x = np.load(npy)
assert (x == np.loadtxt(csv, delimiter=",")).all() and (x == h5py.File(h5)["x"][()]).all()
assert json.load(open(metrics)) == {"top/one": 0.5, "total": 20}
assert open(history).read().splitlines()[0] == "epoch,loss"
assert open(model + "/model.pt").read() == "20.0 3", os.listdir(model)
assert os.access(plots + "/deep/run.sh", os.X_OK) and not os.access(plots + "/a.txt", os.X_OK)
json.dump({"good": 1}, open(out, "w"))
""")
        self.call("run", "formats.yaml")

    def test_versions_count_and_only_a_run_asks_for_them(self):
        self.write("version.txt", "1\n")
        versioned = DAG.replace("    files: {raw", "    versions: [[cat, version.txt]]\n    files: {raw")
        self.write("dag.yaml", versioned)
        self.call("run", "dag.yaml")
        self.assertEqual(self.ran("dag.yaml"), set())
        self.write("version.txt", "2\n")
        self.assertIn("nothing changed", self.reason("prep"))
        self.assertEqual(self.ran("dag.yaml"), {"prep"})
        self.call("run", "dag.yaml", "prep")
        self.write("dag.yaml", versioned.replace("version.txt", "missing.txt"))
        self.call("run", "dag.yaml", code=2)
        self.assertIn("no output of cat missing.txt: exit code 1", self.err)

    def test_the_environment_is_what_the_stage_says(self):
        self.environment.update(SECRET="x", PASSED="y")
        self.write("environment.yaml", f"""\
name: environment
stages:
  environment:
    kind: command
    run: [{PYTHON}, -c, "import json, os; json.dump(dict(given=int(os.environ['GIVEN']), passed=os.environ['PASSED'] == 'y', secret='SECRET' in os.environ), open('{{out.m}}', 'w'), default=int)"]
    env: {{GIVEN: "3"}}
    pass: [PASSED]
    out: {{m: file}}
""")
        self.call("run", "environment.yaml")
        with h5py.File((self.folder / "results/environment/environment.h5").resolve()) as made:
            self.assertEqual(json.loads(bytes(made["m/files/m"][()])), {"given": 3, "passed": True, "secret": False})
        self.environment["PASSED"] = "z"
        self.assertEqual(self.ran("environment.yaml"), set())

    def test_config_files_hold_their_values_and_each_counts(self):
        self.write("config.json", '{"lr": 9, "other": 9}')
        dag = """\
name: config
params: {lr: 0.1, small: 1e-7, whole: 5.0, deep: {list: [1, two, null], flag: true}, other: 1}
stages:
  config:
    kind: command
    run: cp config.json {out.seen}
    config_files: {config.json: {lr: "${lr}", small: "${small}", whole: "${whole}", deep: "${deep}", text: "1\\n\\u00e9"}}
    out: {seen: file}
"""
        self.write("config.yaml", dag)
        self.call("run", "config.yaml")
        with h5py.File((self.folder / "results/config/config.h5").resolve()) as made:
            self.assertEqual(bytes(made["seen/files/seen"][()]).decode(),
                             '{"lr": 0.1, "small": 1.0e-07, "whole": 5.0, "deep": {"list": [1, "two", null], "flag": true}, "text": "1\\u000aé"}\n')
        self.assertEqual(self.ran("config.yaml", "other=2"), set())
        plan = self.document("run", "config.yaml", "-n", "deep.flag=false")
        self.assertIn("config_files config.json changed", plan["stages"][0]["because"])
        self.assertEqual(self.ran("config.yaml", "whole=5"), {"config"})
        for before, after, expected in [("config.json: {lr", "config.toml: {lr", "config.toml cannot hold a map"), ("config.json: {lr", "../config.json: {lr", "must be a path in the program's folder"),
                                        ("    out:", "    sources: config.json\n    out:", "config.json is declared twice"),
                                        ("    out:", "    files: {c: config.json}\n    out:", "config.json is declared twice"), ('{lr: "${lr}"', '3 #', "must be a map of values or a text")]:
            self.write("bad.yaml", dag.replace(before, after).replace('3 #', '3}\n    # '))
            self.call("run", "bad.yaml", code=2)
            self.assertIn(expected, self.err)

    def test_threads_are_in_its_environment_and_auto_as_a_default_for_all_stages_leaves_them_to_the_program(self):
        threads = [PYTHON, "-c", "import json, os, sys; json.dump(dict(n=int(os.environ.get('OMP_NUM_THREADS', 0))), open(sys.argv[1], 'w'))", "{out.m}"]
        self.write("threads.yaml", f"""\
name: threads
defaults: {{"*": {{threads: auto}}}}
stages:
  two: {{kind: command, run: {json.dumps(threads)}, threads: 2, out: {{m: metrics}}}}
  auto: {{kind: command, run: {json.dumps(threads)}, out: {{m: metrics}}}}
  many: {{kind: command, run: {json.dumps(threads)}, threads: many, out: {{m: metrics}}}}
""")
        self.call("run", "threads.yaml", code=2)
        self.assertIn("'threads' must be a whole number from 1 to 256 or auto, not the text 'many'", self.err)
        self.write("threads.yaml", (self.folder / "threads.yaml").read_text().replace("threads: many, ", ""))
        self.call("run", "threads.yaml")
        for stage, number in ("two", 2), ("auto", 0):
            self.assertEqual(self.document("show", stage)["metrics"]["m"]["n"], number)

    def test_a_shell_runs_a_text_and_values_are_quoted_for_it(self):
        self.write("shell.yaml", """\
name: shell
stages:
  shell:
    kind: command
    shell: true
    run: "cat {files.raw} | tr , ';' > {out.text} && printf '%s' {odd} >> {out.text}"
    with: {odd: "it's $HOME; rm"}
    files: {raw: raw/data.csv}
    out: {text: file}
""")
        self.call("run", "shell.yaml")
        with h5py.File((self.folder / "results/shell/shell.h5").resolve()) as made:
            self.assertEqual(bytes(made["text/files/text"][()]), b"1;2\n3;4\nit's $HOME; rm")

    def test_a_sweep_shares_what_its_points_share_and_shows_the_metrics(self):
        out = self.call("run", "dag.yaml", "lr=0.1,0.2")
        self.assertRegex(out, "top/one")
        self.assertEqual(len(self.objects()), 3)

    def test_check_determinism_names_a_program_that_is_not_deterministic(self):
        self.write("random.yaml", f"""\
name: random
stages:
  fixed: {{kind: command, run: [{PYTHON}, -c, "open('{{out.a}}', 'w').write('1')"], out: {{a: file}}}}
  random: {{kind: command, run: [{PYTHON}, -c, "import os; open('{{out.a}}', 'wb').write(os.urandom(9))"], out: {{a: file}}}}
""")
        out = self.call("check-determinism", "random.yaml", code=1)
        self.assertRegex(out, r"random +one at a time +different +a/files/a: [0-9] of 9")
        self.assertRegex(out, r"fixed +one at a time +same")

    def test_the_record_of_a_run_repairs_what_a_program_made(self):
        self.call("run", "dag.yaml")
        self.repair("results/programs/prep.h5")
        self.assertEqual(self.ran("dag.yaml"), set())

    def test_the_record_holds_texts_as_they_were_resolved_and_config_files_as_they_were_written(self):
        self.write("texts.yaml", """\
name: texts
params: {w: 5.0}
stages:
  texts:
    kind: command
    shell: true
    run: "x=1; echo $${{x}} '$$$${{x}}' > {out.seen}; cat a.json b.ini >> {out.seen}"
    config_files: {a.json: {w: "${w}", e: 1}, b.ini: "w = ${w} $${x}"}
    out: {seen: file}
""")
        self.call("run", "texts.yaml")
        with h5py.File((self.folder / "results/texts/texts.h5").resolve()) as made:
            self.assertEqual(bytes(made["seen/files/seen"][()]), b'1 $$${x}\n{"w": 5.0, "e": 1}\nw = 5.0 ${x}\n')
        self.repair("results/texts/texts.h5")
        self.assertEqual(self.ran("texts.yaml"), set())

    def repair(self, result):
        """Damages it, and repairs it from the record."""
        path = (self.folder / result).resolve()
        path.chmod(0o644)
        damaged = bytearray(path.read_bytes())
        damaged[-1] ^= 1
        path.write_bytes(damaged)
        self.call("cache", "verify", "--repair")


LONG = """\
import json, os, signal, sys, time
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
folder, state = os.environ["SATDL_CHECKPOINT"], {"epoch": 0, "trace": []}
if os.path.exists(folder + "/state.json"):
    state = json.load(open(folder + "/state.json"))
    assert os.stat(folder + "/state.json").st_mode & 0o200, "it cannot write the next one over it"
def report(line):
    with open(os.environ["SATDL_PROGRESS"], "a") as progress:
        progress.write(json.dumps(line) + "\\n")
while state["epoch"] < 30 and not stop:
    state["epoch"] += 1
    state["trace"].append(state["epoch"] ** 2)
    time.sleep(0.02)
    json.dump(state, open(folder + "/state.json", "w"))
    report({"epoch": state["epoch"], "epochs": 30, "metrics": {"loss": 1 / state["epoch"]}})
    report({"checkpoint": True, "epoch": state["epoch"], "epochs": 30})
    while os.path.exists(folder + "/state.json"):
        time.sleep(0.001)
if stop:
    sys.exit(1)
json.dump({"sum": sum(state["trace"])}, open(sys.argv[1], "w"))
"""


class Interrupted(Programs):
    def setUp(self):
        super().setUp()
        self.write("long.py", LONG)
        self.write("long.yaml", f"name: long\nstages:\n  long: {{kind: command, run: [{PYTHON}, long.py, \"{{out.m}}\"], sources: long.py, out: {{m: metrics, history: history}}}}\n")

    def resumed(self):
        events = self.events("long.yaml")
        started = next(event for event in events if event["event"] == "stage_started")
        self.assertRegex(started["because"], "interrupted at the end of epoch [0-9]+, [0-9]+ %")
        with h5py.File((self.folder / "results/long/long.h5").resolve()) as made:
            self.assertEqual(made["m/sum"][()], [sum(i * i for i in range(31))])
            np.testing.assert_array_equal(made["history/epoch"], range(1, 31))  # also those of the first attempt
            np.testing.assert_array_equal(made["history/loss"], [1 / epoch for epoch in range(1, 31)])

    def test_ctrl_c_asks_it_to_stop_and_the_next_run_resumes(self):
        code, _ = self.signalled(signal.SIGINT, "long.yaml")
        self.assertEqual(code, 130)
        self.resumed()

    def test_a_killed_run_resumes_from_what_was_confirmed(self):
        code, _ = self.signalled(signal.SIGKILL, "long.yaml", epochs=2)  # then the checkpoint after the first is kept
        self.assertEqual(code, -signal.SIGKILL)
        self.resumed()
        self.assertEqual(list((self.folder / ".satdl/work").iterdir()), [])


class Misbehaving(Programs):
    def program(self, code, out="{a: file}", **keys):
        more = "".join(f", {key}: {value}" for key, value in keys.items())
        self.write("bad.py", code)
        return f"name: bad\nstages:\n  bad: {{kind: command, run: [{PYTHON}, bad.py, \"{{out.a}}\"], sources: bad.py, out: {out}{more}}}\n"

    def test_a_program_that_is_not_there_or_not_executable(self):
        missing = "name: bad\nstages:\n  bad: {kind: command, run: [no-such-program], out: {a: file}}\n"
        self.assertIn("cannot run no-such-program: there is no such program", self.failure(missing))
        self.write("tool", "x")
        plain = "name: bad\nstages:\n  bad: {kind: command, run: [./tool], sources: tool, out: {a: file}}\n"
        self.assertRegex(self.failure(plain), "cannot run .*/tool: Permission denied")

    def test_an_exit_code_and_a_signal_with_the_last_lines(self):
        err = self.failure(self.program("print('one'); print('two'); raise SystemExit(7)"))
        self.assertIn("it exited with code 7", err)
        self.assertRegex(err, r"last output:\s+one\s+two")
        self.assertIn("bad.yaml:3:3", err)
        self.assertIn("it crashed with SIGSEGV", self.failure(self.program("import os; os.kill(os.getpid(), 11)")))

    def test_outputs_that_are_missing_or_of_another_kind(self):
        self.assertIn("its output 'a' (file) was not written", self.failure(self.program("")))
        self.assertIn("its output 'a' (file) is a folder", self.failure(self.program("import os, sys; os.mkdir(sys.argv[1])")))
        for out, text, expected in [("{a: metrics}", '{"x": NaN}', "it has NaN or Infinity"), ("{a: metrics}", "[1]", "it is not a JSON object"),
                                    ("{a: metrics}", '{"x": "y"}', "'x' is not a number"), ("{a: metrics}", "{}", "it has no numbers"),
                                    ("{a: history}", "loss\nabc\n", "line 2: 'abc' is not a number"),
                                    ("{a: history}", "loss\n1,2\n", "line 2: it has 2 fields, the first line 1"),
                                    ("{a: array}", "PK", "cannot be read"), ("{a: arrays}", "text", "cannot be read"), ("{a: arrays}", "\\0" * 20, "cannot be read")]:
            err = self.failure(self.program(f"import sys; open(sys.argv[1], 'w').write('''{text}''')", out))
            self.assertIn("its output 'a'", err)
            self.assertIn(expected, err)
        for code, expected in [("f['b'] = h5py.SoftLink('/c')", "'b' is a soft link"), ("f['b'] = h5py.ExternalLink('/etc/passwd', 'c')", "'b' is an external link"),
                               ("f['b/c'] = 'text'", "'b/c': its elements are text"), ("f.create_group('b')", "it contains no array")]:
            self.assertIn(expected, self.failure(self.program(f"import h5py, sys; f = h5py.File(sys.argv[1], 'w'); {code}", "{a: arrays}")))

    def test_a_folder_with_links_pipes_odd_names_or_too_many_files(self):
        begin = "import os, sys; os.makedirs(sys.argv[1]); os.chdir(sys.argv[1])\n"
        for code, expected in [("os.symlink('/etc/passwd', 'a')", "'a' is a link"), ("os.mkfifo('a')", "'a' is a special file"),
                               ("open(b'a\\xff', 'w')", "not printable UTF-8"), ("", "the folder is empty"),
                               ("[open(str(i), 'w') for i in range(20001)]", "more than 20000 files")]:
            if "range" in code:
                code = "for i in range(20001): open(str(i), 'w').close()"
            self.assertIn(expected, self.failure(self.program(begin + code, "{a: folder}")))

    def test_a_program_that_replaces_its_progress_file_keeps_nobody_waiting(self):
        for code in "os.mkfifo(p)", "os.symlink('/dev/zero', p)", "os.mkdir(p)":
            text = f"import os, sys; p = os.environ['SATDL_PROGRESS']; os.remove(p); {code}; open(sys.argv[1], 'w').write('{code[3]}')"
            self.write("bad.yaml", self.program(text))
            self.assertEqual(self.ran("bad.yaml"), {"bad"})

    def test_outputs_that_no_disk_or_reader_could_hold_are_refused_by_their_size(self):
        huge = "import sys; open(sys.argv[1], 'w').truncate(1 << 43)"
        self.assertRegex(self.failure(self.program(huge)), r"its output 'a' \(file\) has 8796093022208 bytes, and the store's disk has \d+ left")
        self.assertIn("at most 67108864", self.failure(self.program(huge, "{a: metrics}")))

    def test_a_daemon_does_not_survive_and_does_not_delay(self):
        code = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + ".pid", "w").write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
while not os.path.exists(sys.argv[1] + ".pid") or not open(sys.argv[1] + ".pid").read():
    time.sleep(0.01)
open(sys.argv[1], "w").write(open(sys.argv[1] + ".pid").read())
"""
        self.write("daemon.yaml", self.program(code).replace("name: bad", "name: daemon"))
        self.call("run", "daemon.yaml")
        with h5py.File((self.folder / "results/daemon/bad.h5").resolve()) as made:
            pid = int(bytes(made["a/files/a"][()]))
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_a_program_that_prints_without_end_or_closes_stdout(self):
        err = self.failure(self.program("import sys\nfor i in range(100000): print('x' * 1000)\nprint('the end')\nsys.exit(3)"))
        self.assertIn("it exited with code 3", err)
        self.assertIn("the end", err)
        logs = [path.read_text() for path in (self.folder / ".satdl/runs").glob("*/log.txt")]
        self.assertTrue(any("it has printed 16 MiB: the rest is not in the log" in log for log in logs))
        self.assertLess(max(map(len, logs)), 20 << 20)
        self.write("closed.yaml", self.program("import os, sys; os.close(1); os.close(2); open(sys.argv[1], 'w').write('a')").replace("name: bad", "name: closed"))
        self.call("run", "closed.yaml")

    def test_a_program_that_ignores_sigterm_is_killed(self):
        err = self.failure(self.program("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)", timeout="1s"))
        self.assertIn("it exceeded its timeout of 1 s, did not stop when asked, and was killed 1 s later", err)

    def test_a_program_that_stops_at_its_timeout(self):
        err = self.failure(self.program("import time; time.sleep(1000)", timeout="1s"))
        self.assertIn("it exceeded its timeout of 1 s and was stopped", err)

    def test_a_source_or_an_input_that_changes_meanwhile_spoils_the_result(self):
        change = f"import sys; open('{self.folder}/bad.py', 'a').write('#'); open(sys.argv[1], 'w').write('a')"
        self.assertIn("bad.py changed while the stage read it", self.failure(self.program(change)))
        change = f"import sys; open('{self.folder}/raw/data.csv', 'a').write('9,9'); open(sys.argv[1], 'w').write('a')"
        self.assertIn("data.csv changed while the stage read it", self.failure(self.program(change, files="{raw: raw/data.csv}")))


    def test_a_declared_file_that_its_program_changes_spoils_the_result(self):
        raw = self.folder / "raw/data.csv"
        for change in "open('raw/data.csv', 'a').write('9,9')", "os.chmod('raw/data.csv', 0o600)", "os.utime('raw/data.csv', (1, 1))":
            for how in [], ["--smoke"]:
                dag = self.program(f"import os, sys; {change}; open(sys.argv[1], 'w').write('a')", files="{raw: raw/data.csv}")
                self.write("bad.yaml", dag)
                self.assertIn("raw/data.csv changed while the stage read it", self.call("run", "bad.yaml", *how, code=1) + self.err, (change, how))
                self.assertEqual(self.objects(), {})
                raw.write_text("1,2\n3,4\n")
                raw.chmod(0o644)

    def test_versions_that_fail_or_print_too_much_and_ctrl_c_leaves_none_behind(self):
        for command, expected in [("no-such-program", "no output of no-such-program: is not installed"), ("false", "no output of false: exit code 1"),
                                  ("true", "no output of true: it printed nothing"), ("yes", "no output of yes: it prints too much"),
                                  ("sh, -c, 'kill -9 $$'", "killed from outside with SIGKILL"), ("sh, -c, 'echo why >&2; exit 3'", "exit code 3")]:
            self.write("bad.yaml", self.program("", versions=f"[[{command}]]"))
            self.call("run", "bad.yaml", code=2)
            self.assertIn("bad.yaml:3:", self.err)
            self.assertIn(expected, self.err)
        self.assertIn("why", self.err)
        self.write("bad.yaml", self.program("", versions=f"[[sh, -c, 'sleep 1000 & echo $! > {self.folder}/pid; sleep 1000']]"))
        run = subprocess.Popen([satdl.BINARY / "satdl", "run", "bad.yaml"], cwd=self.folder, env=self.environment)
        pid = self.folder / "pid"
        self.wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(60), -signal.SIGINT)
        self.wait_until(lambda: not pathlib.Path(f"/proc/{pid.read_text().strip()}").exists())


class Mistakes(Programs):
    def bad(self, keys):
        self.write("bad.yaml", f"stages:\n  bad: {{kind: command, run: [{PYTHON}, \"{{out.a}}\"], {keys}, out: {{a: file}}}}\n")
        self.call("run", "bad.yaml", "-n", code=2)
        self.assertIn("bad.yaml:2:", self.err)
        return self.err

    def test_files_that_hold_the_project_or_belong_to_the_store(self):
        self.call("run", "dag.yaml")
        for files in ".", "./", "raw/..", str(self.folder), str(self.folder.parent), "/":
            self.assertIn("holds the whole project, with what satdl itself writes there", self.bad(f"files: {{all: {files}}}"))
        for files in ".satdl", ".satdl/index.sqlite", str(self.folder / ".satdl"), ".satdl/**":
            self.assertIn("belongs to satdl's store, which changes with every run", self.bad(f'files: {{all: "{files}"}}'))

    def test_a_pattern_leaves_out_what_satdl_itself_wrote(self):
        read = "import sys; open(sys.argv[1], 'w').write(' '.join(sorted(sys.argv[2:])))"
        self.write("all.yaml", f"name: all\nstages:\n  all: {{kind: command, run: [{PYTHON}, -c, {json.dumps(read)}, '{{out.a}}', '{{files.all}}'], files: {{all: '**/*.[ch][s5]*'}}, out: {{a: file}}}}\n")
        self.call("run", "dag.yaml")
        self.assertTrue((self.folder / "results/programs/train").is_symlink())  # a folder, which a pattern would not follow
        self.write("other.h5", "mine")
        self.assertEqual(self.ran("all.yaml"), {"all"})
        self.assertRegex((self.folder / "results/all/all/a").read_text(), r"^\S*/other.h5 \S*/raw/data.csv$")
        self.assertEqual(self.ran("all.yaml"), set())

    def test_files_that_match_nothing_or_lie_outside_and_outputs_that_collide(self):
        for keys, expected in [("files: {a: 'raw/*.nothing'}", "no file matches raw/*.nothing"), ("sources: 'lib/*.nothing'", "no file matches lib/*.nothing"),
                               ("files: {a: nowhere.csv}", "there is no file nowhere.csv"), ("files: {a: ../other.csv}", "is outside the project"),
                               ("sources: ../other.py", "is outside the project"), ("sources: /etc/passwd", "is outside the project"),
                               ("paths: {a: ../a}", "must be a relative path"), ("files: {x: raw/data.csv}, paths: {a: raw/data.csv}", "is taken"),
                               ("files: {x: /dev/null}", "is neither a file nor a folder")]:
            self.assertIn(expected, self.bad(keys), keys)
        self.write("bad.yaml", "stages:\n  bad: {kind: command, run: [true], out: {a: file, b: file}, paths: {a: x, b: x}}\n")
        self.call("run", "bad.yaml", "-n", code=2)
        self.assertIn("'a' and 'b' have the same path", self.err)

    def test_two_stages_may_write_files_of_one_name(self):
        stages = "".join(f"  {name}: {{kind: command, shell: true, run: 'echo {name} > same.txt', out: {{a: file}}, paths: {{a: same.txt}}}}\n" for name in "ab")
        self.write("two.yaml", f"name: two\nstages:\n{stages}")
        self.call("run", "two.yaml")
        self.assertEqual([(self.folder / f"results/two/{name}/a.txt").read_text() for name in "ab"], ["a\n", "b\n"])

    def test_a_declared_folder_with_links_devices_and_odd_names(self):
        (self.folder / "raw/link").symlink_to("/etc")
        self.assertIn("raw/link is a link to a folder, which is not followed", self.bad("files: {a: raw}"))
        (self.folder / "raw/link").unlink()
        (self.folder / "raw/link").symlink_to("nowhere")
        self.assertIn("raw/link is a link that leads nowhere", self.bad("files: {a: raw}"))
        (self.folder / "raw/link").unlink()
        os.mkfifo(self.folder / "raw/pipe")
        self.assertIn("raw/pipe is neither a file nor a folder", self.bad("files: {a: raw}"))
        (self.folder / "raw/pipe").unlink()
        odd = [b"\xff\xfe", b"a b", b"new\nline", b"-rf", b"{x}", "\u00e4".encode()]
        for name in odd:
            (self.folder / "raw" / os.fsdecode(name)).write_bytes(name)
        read = "import os, sys; open(sys.argv[1], 'wb').write(b'|'.join(sorted(open(os.path.join(b'raw', name), 'rb').read() for name in os.listdir(b'raw'))))"
        self.write("odd.yaml", f"name: odd\nstages:\n  odd: {{kind: command, run: [{PYTHON}, -c, \"{read}\", '{{out.a}}'], files: {{all: raw}}, out: {{a: file}}}}\n")
        self.call("run", "odd.yaml")
        self.assertEqual((self.folder / "results/odd/odd/a").read_bytes(), b"|".join(sorted([*odd, b"1,2\n3,4\n"])))
        self.assertEqual(self.ran("odd.yaml"), set())

    def test_a_declared_folder_of_many_files(self):
        many = self.folder / "many"
        many.mkdir()
        for number in range(20_000):
            os.close(os.open(many / str(number), os.O_CREAT))
        count = "import os, sys; open(sys.argv[1], 'w').write(str(len(os.listdir('many'))))"
        self.write("many.yaml", f"name: many\nstages:\n  many: {{kind: command, run: [{PYTHON}, -c, {json.dumps(count)}, '{{out.a}}'], files: {{all: many}}, out: {{a: file}}}}\n")
        self.call("run", "many.yaml")
        self.assertEqual((self.folder / "results/many/many/a").read_text(), "20000")

    def test_a_brace_that_is_no_placeholder(self):
        for keys in ("shell: true, run: 'echo {x y} > {out.a}'", "run: ['{x y}']", "run: '{x y} b'"):
            self.write("bad.yaml", f"stages:\n  bad: {{kind: command, {keys}, out: {{a: file}}}}\n")
            self.call("run", "bad.yaml", "-n", code=2)
            self.assertIn("bad.yaml:2:", self.err)


class Trust(Programs):
    def test_looking_runs_nothing(self):
        touch = DAG.replace("    files: {raw", f"    versions: [[touch, {self.folder}/ran]]\n    files: {{raw")
        self.write("dag.yaml", touch)
        for command in (["run", "dag.yaml", "-n"], ["status", "dag.yaml"], ["graph", "dag.yaml"], ["explain", "dag.yaml", "prep"]):
            self.call_any(*command)
            self.assertFalse((self.folder / "ran").exists(), command)

    @unittest.skipUnless(os.getuid() == 0, "only root can give files away")
    def test_a_source_of_another_user_is_not_run(self):
        os.chown(self.folder / "lib/scale.py", 12345, 12345)
        self.call("run", "dag.yaml", code=2)
        self.assertIn("lib/scale.py", self.err)
        self.call("run", "dag.yaml", "--trust")

    def test_undeclared_files_of_the_project_are_named_before_anything_runs(self):
        self.write("dag.yaml", DAG.replace("    sources: train.py\n", ""))
        self.call("run", "dag.yaml", "-n", code=2)
        self.assertIn("train.py is a file of the project that the stage does not declare", self.err)
        for argument in "--data=raw/data.csv", "data=raw/data.csv", "--data=./raw/data.csv":
            self.write("dag.yaml", DAG.replace("--epochs {epochs}", argument))
            self.call("run", "dag.yaml", "-n", code=2)
            self.assertIn("raw/data.csv is a file of the project that the stage does not declare", self.err)


if __name__ == "__main__":
    unittest.main()
