"""The proof of the store under faults, from outside: figures on stdout, and with --docs in docs/reliability.md.

  python3 tests/reliability/reliability.py --build build --kills 1000 --corruptions 10000 --rounds 200 --seed 1
  python3 tests/reliability/reliability.py --build build kills processes      only these sections
  python3 tests/reliability/reliability.py --build build --share calls        the share that CI runs

Sections: seam, calls, memory, corruptions, kills, training, processes, places. Ends with 1 and the place where a promise was broken.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
DOCS = SOURCE / "docs/reliability.md"
BEGIN, END = "<!-- figures: tests/reliability/reliability.py --docs -->\n", "<!-- /figures -->\n"
SECTIONS = ["seam", "calls", "memory", "corruptions", "kills", "training", "processes", "places"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="default: all of them")
    parser.add_argument("--build", default=os.environ.get("SATDL_BINARY_DIR", SOURCE / "build"), type=pathlib.Path,
                        help="where satdl was built")
    parser.add_argument("--kills", type=int, default=1000, help="of runs of simple stages")
    parser.add_argument("--training-kills", type=int, default=30, help="of trainings with LibTorch")
    parser.add_argument("--corruptions", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=200, help="of 2 processes, and as many of 8")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stride", type=int, default=1, help="of the process's calls, only every so manieth is struck")
    parser.add_argument("--allocations", type=int, default=200, help="of a run, evenly spread, that fail in their turn: in each way and place")
    parser.add_argument("--share", action="store_true", help="few of everything, for CI")
    parser.add_argument("--docs", action="store_true", help="put the figures into docs/reliability.md")
    given = parser.parse_args()
    for section in given.sections:
        if section not in SECTIONS:
            parser.error(f"there is no section '{section}'; there are {', '.join(SECTIONS)}")
    if given.share:
        given.kills, given.training_kills, given.rounds, given.stride, given.corruptions = 25, 0, 4, 25, 1000
        given.allocations = 25
    given.sections = given.sections or SECTIONS
    return given


def in_process(figures, program, given):
    """A Catch2 program that notes its own figures."""
    with tempfile.NamedTemporaryFile("r") as noted:
        environment = dict(os.environ, SATDL_FIGURES=noted.name, SATDL_SEAM_STRIDE="3" if given.share else "1", SATDL_SEED=str(given.seed),
                           SATDL_CORRUPTIONS=str(given.corruptions), SATDL_POWER_SUBSETS="5" if given.share else "7")
        done = subprocess.run([given.build / program], env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{program}:\n{done.stdout}")
        for line in noted:
            figure = json.loads(line)
            figures.add(figure["what"], figure["count"], figure["outcome"])


def do(section, figures, given):
    if section == "seam":
        in_process(figures, "seam_test", given)
        in_process(figures, "power_loss_test", given)
    elif section == "corruptions":
        in_process(figures, "corruption_test", given)
    elif section == "calls":
        import calls
        calls.run(figures, given.stride)
    elif section == "memory":
        import memory
        memory.run(figures, given.allocations)
    elif section == "kills":
        import kills
        kills.run(figures, given.kills, given.seed)
    elif section == "training":
        import kills
        kills.run_training(figures, given.training_kills, given.seed)
    elif section == "processes":
        import processes
        processes.run(figures, given.rounds, given.seed)
    elif section == "places":
        import places
        places.run(figures, 8 if given.share else 40)


def commit():
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=SOURCE, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def page(figures, at_commit, seconds):
    """The figures as they stand in docs/reliability.md."""
    words = [word for before, word in zip(sys.argv, sys.argv[1:]) if word not in ("--docs", "--build") and before != "--build"]
    text = f"`{' '.join(['python3 tests/reliability/reliability.py', *words])}`"
    rows = "".join(f"| {what} | {count:,} | {outcome} |\n" for what, count, outcome in figures.rows)
    return (f"{text}, at commit {at_commit} on {datetime.date.today()}, on {os.cpu_count()} cores ({processor()}, Linux {platform.release()}), "
            f"{seconds / 60:.0f} minutes:\n\n| fault | count | outcome |\n|---|---:|---|\n{rows}")


def main():
    given = arguments()
    os.environ["SATDL_BINARY_DIR"], os.environ["SATDL_SOURCE_DIR"] = str(given.build.resolve()), str(SOURCE)
    import world

    figures, at_commit, start = world.Figures(), commit(), time.monotonic()
    for section in given.sections:
        try:
            do(section, figures, given)
        except world.Wrong as wrong:
            print(f"{section}: {wrong}", file=sys.stderr)
            return 1
    if given.docs:
        before, rest = DOCS.read_text().split(BEGIN)
        DOCS.write_text(before + BEGIN + page(figures, at_commit, time.monotonic() - start) + END + rest.split(END)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
