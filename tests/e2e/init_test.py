"""satdl init: what it writes runs as it is, and it replaces nothing."""

import unittest

import satdl


class Init(satdl.Case):
    def setUp(self):
        super().setUp()
        self.environment.pop("SATDL_STAGES")

    def test_a_new_project_runs_and_every_command_that_it_names_works(self):
        out = self.call("init", "new/one")
        self.assertIn("wrote new/one/dag.yaml\nwrote new/one/train.py\n", out)
        self.assertIn("cd new/one", out)
        self.folder /= "new/one"
        commands = [line.split("#")[0].split()[1:] for line in out.splitlines() if line.startswith("  satdl ")]
        self.assertEqual(self.ran(*commands[0][1:]), {"train"})
        self.assertEqual(self.ran(*commands[1][1:]), set())
        self.assertIn("train.loss", self.call(*commands[2]))
        self.assertEqual(self.call("trace", "dag.yaml", "train"), "sources: [train.py]\n")

    def test_it_replaces_no_file(self):
        self.write("train.py", "mine")
        self.call("init", code=2)
        self.assertIn("train.py exists already, and is not replaced", self.err)
        self.assertEqual((self.folder / "train.py").read_text(), "mine")
        self.assertFalse((self.folder / "dag.yaml").exists())
        self.call("init", "train.py/new", code=2)
        self.assertIn("cannot write train.py/new", self.err)
        (self.folder / "link").symlink_to("nowhere")
        for folder in "link", "link/new":
            self.call("init", folder, code=2)
            self.assertIn(f"cannot write {folder}: a link on its way leads nowhere", self.err)
        (self.folder / "other").mkdir()
        (self.folder / "other/dag.yaml").symlink_to("nowhere")
        self.call("init", "other", code=2)
        self.assertIn("other/dag.yaml exists already", self.err)
        self.assertFalse((self.folder / "nowhere").exists() or (self.folder / "other/nowhere").exists())


if __name__ == "__main__":
    unittest.main()
