"""The Python environment of the programs beside this file: made when it is needed, and the same as when its result was stored.

    python3 environment.py               makes it, and writes what is in it as the stage's output `versions`
    python3 environment.py PROGRAM.py    runs the program in it
    python3 environment.py --machine     prints this machine's Python and processor: a version of the stage

An environment belongs to its requirements (the stage's file `requirements`), this machine's Python and this file: its folder, below
~/.cache/satdl-python, is named by a digest of all three. It lies outside the store, so anybody may remove or change it. That is why its
contents are an input of each stage that runs in it: a removed environment is made again, and one that differs from what the key of the
stage says is an error.
"""

import difflib
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

# PyTorch's CPU wheels: they are not on PyPI, whose own bring several GB of CUDA.
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

PRINT_PACKAGES = """
import importlib.metadata
for line in sorted(f"{one.name} {one.version}".lower() for one in importlib.metadata.distributions()):
    print(line)
"""


def machine() -> str:
    """The last bits of a training depend on its processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"python {platform.python_version()}\n{processor}\n"


def folder(requirements: pathlib.Path) -> pathlib.Path:
    parts = [requirements.read_bytes(), pathlib.Path(__file__).read_bytes(), f"{sys.executable} {sys.version}".encode()]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return cache / "satdl-python" / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def make(environment: pathlib.Path, requirements: pathlib.Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    for index in ([], ["--extra-index-url", TORCH_INDEX]):
        if subprocess.run([*install, "--requirement", requirements, *index], check=False).returncode == 0:
            return
    raise SystemExit("pip cannot install the requirements: see above")


def made(requirements: pathlib.Path) -> pathlib.Path:
    """The environment. Whoever comes while another makes it waits."""
    environment = folder(requirements)
    environment.parent.mkdir(parents=True, exist_ok=True)
    complete = environment / "complete"
    with open(f"{environment}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(environment, ignore_errors=True)  # what a killed stage left
            make(environment, requirements)
            complete.touch()
    return environment


def main() -> None:
    if sys.argv[1:] == ["--machine"]:
        return print(machine())
    stage = json.loads(os.environ["SATDL_STAGE"])
    environment = made(pathlib.Path(stage["files"]["requirements"]))
    python = environment / "bin/python"
    versions = machine() + subprocess.run([python, "-c", PRINT_PACKAGES], check=True, capture_output=True, text=True).stdout
    if len(sys.argv) == 1:
        pathlib.Path(stage["out"]["versions"]["path"]).write_text(versions)
        return
    [expected] = pathlib.Path(stage["in"]["versions"]["path"]).iterdir()
    if versions != expected.read_text():
        lines = difflib.ndiff(expected.read_text().splitlines(), versions.splitlines())
        changed = "\n".join(line for line in lines if line[0] in "+-")
        raise SystemExit(f"{environment} is not what it was when it was made:\n{changed}\nremove it, to have it made again")
    os.execv(python, [python, *sys.argv[1:]])  # this process goes on as the program: satdl's signals reach it


if __name__ == "__main__":
    main()
