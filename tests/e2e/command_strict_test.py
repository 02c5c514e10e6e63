"""Strict programs: they read what the stage declares and what is installed, write into their own folder, and what is refused is named."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import h5py

import satdl

PYTHON = sys.executable
VERSION = subprocess.run([satdl.BINARY / "satdl", "--version"], stdout=subprocess.PIPE, text=True).stdout
HAS_LANDLOCK = "Landlock (version" in VERSION and "Landlock (version 1)" not in VERSION


class Strict(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")
        self.write("raw/data.csv", "1,2\n")
        self.write("raw/other.csv", "3,4\n")

    def stage(self, code, **keys):
        """A DAG of one strict stage with a program in Python, whose argument is the path of its output."""
        self.write("program.py", code)
        keys = {"sources": "program.py", "run": f'[{PYTHON}, program.py, "{{out.a}}"]', "strict": "true", **keys}
        lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
        return self.write("dag.yaml", f"name: strict\nstages:\n  stage:\n    kind: command\n    out: {{a: file}}\n{lines}")

    def output(self):
        with h5py.File((self.folder / "results/strict/stage.h5").resolve()) as made:
            return bytes(made["a/files/a"][()]).decode()

    def failure(self, code, **keys):
        self.call("run", self.stage(code, **keys).name, code=1)
        return self.err


def copies(path):
    """A program that writes what it reads from there."""
    return f"import sys\nopen(sys.argv[1], 'w').write(open({str(path)!r}).read())\n"


@unittest.skipUnless(HAS_LANDLOCK, "this kernel has no Landlock that could enforce it")
class Refused(Strict):
    def test_an_undeclared_file_of_the_project_is_refused_and_named(self):
        err = self.failure(copies(self.folder / "raw/other.csv"), files="{raw: raw/data.csv}")
        self.assertRegex(err, r"it exited with code 1: python[\d.]* read raw/other.csv, which the stage does not declare")
        self.assertIn("files: {other: raw/other.csv}", err)
        self.assertIn("dag.yaml:3:3", err)
        self.assertIn("Permission denied", err)

    def test_whatever_way_leads_to_it(self):
        other = self.folder / "raw/other.csv"
        for way in (f"import os, sys; os.symlink({str(other)!r}, 'link'); open(sys.argv[1], 'w').write(open('link').read())",
                    f"import os; os.open('other.csv', os.O_RDONLY, dir_fd=os.open({str(other.parent)!r}, os.O_PATH))",
                    f"import os, sys; os.link({str(other)!r}, 'link'); open(sys.argv[1], 'w').write(open('link').read())",
                    f"import os; os.chdir({str(other.parent)!r}); open('other.csv')"):
            err = self.failure(way, files="{raw: raw/data.csv}")
            self.assertRegex(err, "read raw/other.csv, which the stage does not declare|changed raw/other.csv, which is outside of its folder", way)

    def test_a_child_process_is_refused_too_and_named_itself(self):
        err = self.failure(f"import subprocess\nsubprocess.run(['cat', {str(self.folder / 'raw/other.csv')!r}], check=True)")
        self.assertIn("cat read raw/other.csv, which the stage does not declare", err)

    def test_a_folder_of_the_project_cannot_be_listed(self):
        err = self.failure(f"import os\nos.listdir({str(self.folder / 'raw')!r})", files="{raw: raw/data.csv}")
        self.assertRegex(err, "python[0-9.]* read raw, which the stage does not declare")

    def test_what_lies_outside_of_the_project_is_refused_with_what_can_be_done(self):
        elsewhere = pathlib.Path(self.enterContext(satdl.temporary_folder()))
        (elsewhere / "set.csv").write_text("5")
        err = self.failure(copies(elsewhere / "set.csv"))
        self.assertIn(f"read {elsewhere}/set.csv, which the stage does not declare", err)
        self.assertIn(f"files: {{set: {elsewhere}/set.csv}}, or allow: [{elsewhere}] if it does not count", err)

    def test_writing_outside_of_its_folder_is_refused(self):
        for code in (f"open({str(self.folder / 'written')!r}, 'w')", f"import os; os.mkdir({str(self.folder / 'written')!r})",
                     f"import os; open('x', 'w'); os.rename('x', {str(self.folder / 'written')!r})"):
            err = self.failure(code)
            self.assertRegex(err, "(wrote|made|changed) written, which is outside of its folder", code)
            self.assertFalse((self.folder / "written").exists())
        err = self.failure("open('raw/data.csv', 'a').write('6')", files="{raw: raw/data.csv}")
        self.assertIn("wrote raw/data.csv, which is outside of its folder", err)
        self.assertEqual((self.folder / "raw/data.csv").read_text(), "1,2\n")

    def test_others_that_were_refused_are_listed(self):
        err = self.failure(f"""\
for name in {str(self.folder / 'raw/data.csv')!r}, {str(self.folder / 'raw/other.csv')!r}:
    try:
        open(name)
    except PermissionError:
        pass
raise SystemExit(3)
""")
        self.assertIn("it exited with code 3", err)
        self.assertIn("read raw/other.csv, which the stage does not declare", err)
        self.assertIn("refused as well: raw/data.csv", err)

    def test_a_program_that_goes_on_without_it_succeeds_with_a_warning(self):
        code = f"import sys\ntry:\n    open({str(self.folder / 'raw/other.csv')!r})\nexcept PermissionError:\n    open(sys.argv[1], 'w').write('without')\n"
        events = self.events(self.stage(code).name)
        warnings = [event["message"] for event in events if event["event"] == "log" and event["level"] == "warning"]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertRegex(warnings[0], "refused, and it went on without: python[0-9.]* read raw/other.csv, which the stage does not declare")
        self.assertEqual(self.output(), "without")

    def test_a_missing_file_is_not_called_refused(self):
        err = self.failure(copies(self.folder / "raw/missing.csv"))
        self.assertNotIn("which the stage does not declare", err)
        self.assertIn("No such file", err)

    def test_a_project_in_a_folder_of_the_system_is_protected_as_well(self):
        try:
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="satdl-e2e-", dir="/opt"))
        except OSError as error:
            self.skipTest(str(error))
        self.folder = pathlib.Path(folder)
        self.write("raw/other.csv", "3,4\n")
        err = self.failure(copies(self.folder / "raw/other.csv"))
        self.assertIn("read raw/other.csv, which the stage does not declare", err)


@unittest.skipUnless(HAS_LANDLOCK, "this kernel has no Landlock that could enforce it")
class Allowed(Strict):
    def succeeds(self, code, **keys):
        self.call("run", self.stage(code, **keys).name)
        return self.output()

    def test_what_is_declared_can_be_read_at_every_path(self):
        self.assertEqual(self.succeeds(copies("raw/data.csv"), files="{raw: raw/data.csv}"), "1,2\n")
        self.assertEqual(self.succeeds(copies(self.folder / "raw/data.csv"), files="{raw: raw}"), "1,2\n")
        elsewhere = pathlib.Path(self.enterContext(satdl.temporary_folder()))
        (elsewhere / "set.csv").write_text("5")
        self.assertEqual(self.succeeds(copies(elsewhere / "set.csv"), files=f"{{set: {elsewhere}/set.csv}}"), "5")
        self.assertEqual(self.succeeds(f"import os\nos.listdir({str(elsewhere)!r})\n" + copies(elsewhere / "set.csv"), files=f"{{set: {elsewhere}}}"), "5")

    def test_a_file_behind_a_link_can_be_read(self):
        elsewhere = pathlib.Path(self.enterContext(satdl.temporary_folder()))
        (elsewhere / "set.csv").write_text("5")
        (self.folder / "raw/link.csv").symlink_to(elsewhere / "set.csv")
        self.assertEqual(self.succeeds(copies("raw/link.csv"), files="{raw: raw/link.csv}"), "5")

    def test_allowed_folders_can_be_read_and_are_no_part_of_the_key(self):
        code = copies(self.folder / "raw/other.csv")
        self.assertEqual(self.succeeds(code, allow="[raw]"), "3,4\n")
        self.write("raw/other.csv", "7\n")
        self.stage(code, allow="[raw, /usr]")
        self.assertEqual(self.ran("dag.yaml"), set())
        self.stage(code, strict="false")
        self.assertEqual(self.ran("dag.yaml"), set())
        self.stage(code, allow="[nowhere]")
        self.call("run", "dag.yaml", code=2)
        self.assertIn("there is no folder nowhere", self.err)
        self.stage(code, strict="perhaps")
        self.call("run", "dag.yaml", code=2)
        self.assertIn("'strict' must be true or false", self.err)

    def test_its_own_folder_temporary_files_and_devices_can_be_written(self):
        self.succeeds("""\
import multiprocessing, os, sys, tempfile
os.makedirs("deep/er")
open("deep/er/x", "w").write("x")
os.rename("deep/er/x", "deep/x")
os.remove("deep/x")
with tempfile.NamedTemporaryFile() as file:
    assert file.name.startswith(os.environ["TMPDIR"])
open("/dev/null", "w").write("x")
open("/dev/urandom", "rb").read(1)
with multiprocessing.Pool(2) as pool:       # semaphores in /dev/shm
    assert pool.map(abs, [-1, -2]) == [1, 2]
open(sys.argv[1], "w").write("a")
""")

    def test_the_network_is_not_restricted(self):
        self.succeeds("""\
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as client:
        client.sendall(b"a")
socket.getaddrinfo("localhost", 80)
open(sys.argv[1], "w").write("a")
""")

    def test_the_module_satdl_and_inputs_of_other_stages(self):
        self.write("dag.yaml", f"""\
name: strict
stages:
  first: {{kind: command, strict: true, run: [{PYTHON}, -c, "import satdl, numpy; satdl.output('x', numpy.arange(3.0))"], out: {{x: array}}}}
  second: {{kind: command, strict: true, run: [{PYTHON}, -c, "import satdl; satdl.metrics(sum=float(satdl.input('x').sum()))"], in: {{x: first.x}}, out: {{m: metrics}}}}
""")
        self.call("run", "dag.yaml")
        with h5py.File((self.folder / "results/strict/second.h5").resolve()) as made:
            self.assertEqual(made["m/sum"][()], [3])

    def environment_with(self, folder, module):
        """A virtual environment with a module of its own."""
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True)
        packages = next(pathlib.Path(folder).glob("lib/python3*/site-packages"))
        (packages / f"{module}.py").write_text("VALUE = 'from the environment'\n")

    def test_a_virtual_environment_in_the_project_and_outside(self):
        code = "import sys, json, ctypes, only_there; open(sys.argv[1], 'w').write(only_there.VALUE)"
        elsewhere = self.enterContext(satdl.temporary_folder())
        for environment, program in ((self.folder / ".venv", ".venv/bin/python"), (f"{elsewhere}/env", f"{elsewhere}/env/bin/python3")):
            self.environment_with(environment, "only_there")
            self.assertEqual(self.succeeds(code, run=f'[{program}, program.py, "{{out.a}}"]'), "from the environment")
        self.environment["PATH"] = f"{elsewhere}/env/bin:{self.environment['PATH']}"
        self.assertEqual(self.succeeds(code, run='[env, X=1, python3, program.py, "{out.a}"]'), "from the environment")
        self.assertEqual(self.succeeds(code, run='"python3 program.py {out.a}"', shell="true"), "from the environment")
        self.write("script.py", f"#!/usr/bin/env python3\n{code}").chmod(0o755)
        self.assertEqual(self.succeeds(code, run='[./script.py, "{out.a}"]', sources="script.py"), "from the environment")

    def test_a_program_gives_away_only_its_own_installation(self):
        elsewhere = pathlib.Path(self.enterContext(satdl.temporary_folder()))
        (elsewhere / "home").mkdir()
        for program in ("tool", "bin/tool", "home/bin/tool"):
            path = elsewhere / program
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/bin/sh\ncat $2 > $1")
            path.chmod(0o755)
            (path.parent / "beside").write_text("beside")
            (path.parent.parent / "above").write_text("above")
        self.environment["HOME"] = f"{elsewhere}/home"

        def run(program, file):
            return f'[{program}, "{{out.a}}", {elsewhere}/{file}]'

        self.assertEqual(self.succeeds("", run=run(f"{elsewhere}/bin/tool", "bin/beside")), "beside")
        self.assertEqual(self.succeeds("", run=run(f"{elsewhere}/bin/tool", "above")), "above")
        self.assertEqual(self.succeeds("", run=run(f"{elsewhere}/home/bin/tool", "home/bin/beside")), "beside")
        self.assertIn("cat read", self.failure("", run=run(f"{elsewhere}/tool", "beside")))
        self.assertIn("cat read", self.failure("", run=run(f"{elsewhere}/home/bin/tool", "home/above")))
        self.environment["PATH"] += f":{elsewhere}"
        self.assertIn("cat read", self.failure("", run=run("tool", "home/above")))

    def test_a_script_names_its_interpreter(self):
        elsewhere = self.enterContext(satdl.temporary_folder())
        self.environment_with(f"{elsewhere}/env", "only_there")
        self.write("script.py", f"#!{elsewhere}/env/bin/python\nimport sys, only_there\nopen(sys.argv[1], 'w').write(only_there.VALUE)").chmod(0o755)
        self.assertEqual(self.succeeds("", run='[./script.py, "{out.a}"]', sources="script.py"), "from the environment")

    def test_checkpoints_progress_and_a_stop_work(self):
        self.stage("""\
import json, os, sys, time
folder = os.environ["SATDL_CHECKPOINT"]
begin = json.load(open(folder + "/state.json")) if os.path.exists(folder + "/state.json") else 0
for epoch in range(begin + 1, 31):
    time.sleep(0.02)
    json.dump(epoch, open(folder + "/state.json", "w"))
    with open(os.environ["SATDL_PROGRESS"], "a") as progress:
        for line in ({"checkpoint": True, "epoch": epoch, "epochs": 30}, {"epoch": epoch, "epochs": 30, "metrics": {}}):
            progress.write(json.dumps(line) + "\\n")
    while os.path.exists(folder + "/state.json"):
        time.sleep(0.001)
open(sys.argv[1], "w").write(str(begin > 0))
""")
        code, _ = self.signalled(signal.SIGINT, "dag.yaml")
        self.assertEqual(code, 130)
        self.call("run", "dag.yaml")
        self.assertEqual(self.output(), "True")


class Traced(Strict):
    def setUp(self):
        super().setUp()
        for number in range(6):
            self.write(f"raw/many/{number}.csv", "1\n")
        self.write("lib/scale.py", "FACTOR = 2\n")
        self.write("tool.sh", "#!/bin/sh\ncat raw/other.csv\n").chmod(0o755)
        self.write("unused.csv", "1\n")
        self.program = """\
import glob, subprocess, sys, json
import lib.scale
total = sum(float(open(name).read()) for name in glob.glob("raw/many/*.csv"))
subprocess.run(["./tool.sh"], check=True)
open("raw/data.csv").read()
open("mine.txt", "w").write("x")
open("mine.txt").read()
open(sys.argv[1], "w").write(str(total))
"""

    def test_what_a_program_reads_becomes_files_and_sources_and_nothing_is_stored(self):
        dag = self.stage(self.program, sources="[]", files="{numbers: raw/data.csv}").name
        self.call("run", dag, code=2)
        out = self.call("trace", dag, "stage")
        self.assertEqual(out, 'files: {many: "raw/many/*.csv", numbers: raw/data.csv, other: raw/other.csv}\n'
                              "sources: [lib/scale.py, program.py, tool.sh]\n")
        self.assertEqual(self.objects(), {})
        self.assertEqual(list((self.folder / ".satdl/work").iterdir()), [])
        self.assertFalse((self.folder / "mine.txt").exists())
        self.assertEqual(list(self.folder.rglob("__pycache__")), [])
        proposed = dict(line.split(": ", 1) for line in out.splitlines())
        self.call("run", self.stage(self.program, **proposed).name)
        self.assertEqual(self.output(), "6.0")

    def test_a_program_that_fails_is_traced_until_then(self):
        dag = self.stage("open('raw/data.csv')\nraise SystemExit(4)", sources="[]").name
        self.assertEqual(self.call("trace", dag, "stage", code=1), "files: {data: raw/data.csv}\nsources: [program.py]\n")
        self.assertIn("this is what stage read until it failed: it exited with code 4", self.err)

    def test_files_elsewhere_are_a_comment_but_a_link_of_the_project_is_a_file(self):
        elsewhere = pathlib.Path(self.enterContext(satdl.temporary_folder()))
        for name in "ab":
            (elsewhere / f"{name}.csv").write_text("5")
        (self.folder / "link.csv").symlink_to(elsewhere / "a.csv")
        out = self.call("trace", self.stage(f"open('link.csv')\nopen('{elsewhere}/b.csv')").name, "stage")
        self.assertEqual(out, f"# outside of the project: {elsewhere}/b.csv; files: {{b: {elsewhere}/b.csv}}, or allow: [{elsewhere}] if it does not count\n"
                              "files: {link: link.csv}\nsources: [program.py]\n")

    def test_inputs_come_from_the_store(self):
        self.write("dag.yaml", f"""\
name: strict
stages:
  first: {{kind: command, run: [{PYTHON}, -c, "import json; json.dump(dict(x=1), open('{{out.m}}', 'w'))"], out: {{m: metrics}}}}
  second: {{kind: command, run: [{PYTHON}, program.py, "{{in.m}}", "{{out.a}}"], in: {{m: first.m}}, out: {{a: file}}}}
""")
        self.write("program.py", "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())")
        self.call("trace", "dag.yaml", "second", code=2)
        self.assertIn("second reads first, which has no result yet\n  run it first: satdl run dag.yaml first", self.err)
        self.write("dag.yaml", (self.folder / "dag.yaml").read_text().replace("in: {m:", "sources: program.py, in: {m:"))
        self.call("run", "dag.yaml", "first")
        self.assertEqual(self.call("trace", "dag.yaml", "second"), "sources: [program.py]\n")

    @unittest.skipUnless(HAS_LANDLOCK, "this kernel has no Landlock that could enforce it")
    def test_it_cannot_change_the_project(self):
        self.call("trace", self.stage("open('raw/data.csv', 'w').write('spoilt')").name, "stage", code=1)
        self.assertEqual((self.folder / "raw/data.csv").read_text(), "1,2\n")

    def test_wrong_stages(self):
        dag = self.stage(self.program).name
        self.call("trace", dag, "stge", code=2)
        self.assertIn("did you mean 'stage'?", self.err)
        self.call("trace", dag, "stage", "other", code=2)
        self.assertIn("trace takes one stage, not 2", self.err)


class NotStrict(Strict):
    def test_without_strict_everything_can_be_read(self):
        self.call("run", self.stage(copies(self.folder / "raw/other.csv"), strict="false").name)
        self.assertEqual(self.output(), "3,4\n")


if __name__ == "__main__":
    unittest.main()
