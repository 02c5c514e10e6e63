"""The shipped DAGs ask for what they asked for before they had `defaults:`, so stores that older versions filled are still reused.

shipped_recipes.txt was written by satdl 6f50e30 from its DAG files, which said everything in each stage.
It holds, under several settings, each stage's kind, inputs, and parameters that differ from the kind's own defaults. LibTorch and
the CPU, which are part of a key too, are left out.
Since then three things were changed on purpose: trainings validate on held-out images unless `validation=test`, compare reads
predictions, and normalise, add_noise and concat have `threads`. By now that is no part of the key of any kind here.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import unittest

import satdl

EXPECTED = pathlib.Path(__file__).with_name("shipped_recipes.txt")
OTHER = ("limit=100", "noise_factor=0.3", "seed=11", "epochs=9", "batch_size=7", "learning_rate=0.02", "threads=3", "precision=auto", "device=auto")
SETTINGS = [
    ("full", ()),
    ("full", ("validation=test",)),  # as until `validation` came
    ("full", ("validation=none", "keep=last")),
    ("full", ("--profile", "quick")),
    ("full", (*OTHER, "bn_momentum=0.8", "freeze=true", "autoencoder_images=train_and_test")),
    ("dense", ()),
    ("dense", ("validation=test", "feature_layer=hidden_2")),
    ("dense", ("--profile", "quick")),
    ("dense", (*OTHER, "feature_layer=hidden_2")),
]


class Recipes(satdl.Case):
    def setUp(self):
        super().setUp()
        subprocess.run([satdl.BINARY / "satdl", "data", "fetch"], cwd=satdl.SOURCE, check=True, stdout=subprocess.DEVNULL)
        self.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")
        del self.environment["SATDL_STAGES"]
        self.defaults = {(kind["kind"], param["name"]): param["default"] for kind in self.document("stages")["stages"]
                         for param in kind["params"]}

    def dag_event(self, *arguments):
        """What a run says of its DAG before its first stage starts; the run ends there."""
        with subprocess.Popen([satdl.BINARY / "satdl", "run", *arguments, "--json"], cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            for line in run.stdout:
                event = json.loads(line)
                if event["event"] == "dag":
                    run.kill()
                    return event
            self.fail(run.stderr.read())

    def is_default(self, kind, name, value):
        default = self.defaults[kind, name]
        try:
            return value == json.loads(default if default is not None else "null")
        except ValueError:
            return value == default

    def described(self, stage):
        """m1 train x=noisy@train.images ... epochs=3 net=sha256:..."""
        words = [stage["stage"], stage["kind"]]
        words += [f"{i['port']}={i['from']}.{i['from_port']}" for i in stage["inputs"]]
        for name, value in sorted(stage["params"].items()):
            if self.is_default(stage["kind"], name, value):
                continue
            text = json.dumps(value, sort_keys=True)
            if len(text) > 60:  # a network
                text = "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]
            words.append(f"{name}={text}")
        return " ".join(words)

    def test_the_recipe_of_every_stage_is_what_it_was(self):
        lines = []
        for dag, settings in SETTINGS:
            lines.append(f"# {' '.join((dag, *settings))}")
            lines += map(self.described, self.dag_event(satdl.SOURCE / f"dags/{dag}.yaml", *settings)["stages"])
        if os.environ.get("SATDL_UPDATE_GOLDEN"):
            EXPECTED.write_text("\n".join(lines) + "\n")
        self.assertEqual(lines, EXPECTED.read_text().splitlines())


if __name__ == "__main__":
    unittest.main()
