"""kill -9 at random, also close around checkpoints and publications; whatever was killed, the end has the bytes of a clean run."""

import os
import random
import shutil
import signal
import subprocess
import time

import satdl
from world import SLOW, World, Wrong, truth_of

MOST_IN_A_ROW = 25  # then a run is left alone


def entries(folder):
    """How many files of a store are there: it changes with each checkpoint and publication."""
    total = 0
    for name in ("checkpoints", "objects", "tmp"):
        for _, _, files in os.walk(folder / ".satdl" / name):
            total += len(files)
    return total


def kill_at_random(world, process, dice, expected):
    """Kills the run after a random time, or close after something was kept. Whether it was still alive."""
    if dice.random() < 0.5:
        wait = dice.uniform(0, 1.1 * expected)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            pass
    else:
        events, seen, end = dice.randint(1, 6), entries(world.folder), time.monotonic() + 2 * expected
        while events > 0 and process.poll() is None and time.monotonic() < end:
            now = entries(world.folder)
            events -= now != seen
            seen = now
        time.sleep(dice.uniform(0, 0.005))
    process.kill()
    return world.end(process)[0]


def rounds(world, truth, dice, kills, expected, *arguments):
    """Until so many were killed: runs, killed again and again, to their end. How many ends were reached."""
    killed = ends = 0
    while killed < kills:
        world.fresh()
        for _ in range(MOST_IN_A_ROW):
            code = kill_at_random(world, world.begin("-q", *arguments), dice, expected)
            if code == 0 or killed == kills:
                break
            if code != -signal.SIGKILL:
                raise Wrong(f"a run that was to be killed ended with {code}")
            killed += 1
        world.demand_clean(truth, *arguments)
        ends += 1
    return ends


def measured(world, *arguments):
    """Seconds of a run from nothing, the quickest of some."""
    seconds = []
    for _ in range(3):
        world.fresh()
        start = time.monotonic()
        world.run("-q", *arguments)
        seconds.append(time.monotonic() - start)
    return min(seconds)


def run(figures, kills, seed):
    dice = random.Random(seed)
    truth = truth_of(SLOW)
    with World(SLOW) as world:
        ends = rounds(world, truth, dice, kills, measured(world))
    figures.add(f"kill -9 at random times and close after something was kept (seed {seed})", kills,
                f"{ends} runs to their end, same bytes")


def run_training(figures, kills, seed):
    """The shipped DAG with tiny networks on a slice of the real data: LibTorch's trainings, with their checkpoints."""
    import study

    dice = random.Random(seed)
    small = ("--set", "limit=200", "--set", "epochs=3", "--set", "bn_momentum=0.5", "--checkpoint-every", "0")
    with World(study.tiny_dag()) as world:
        shutil.copytree(satdl.SOURCE / "dags/common", world.folder / "common")
        world.environment["SATDL_DATA"] = str(satdl.SOURCE / "data")
        del world.environment["SATDL_STAGES"]
        expected = measured(world, *small)
        truth = world.objects()
        ends = rounds(world, truth, dice, kills, expected, *small)
    figures.add(f"kill -9 of trainings with LibTorch (seed {seed})", kills, f"{ends} runs to their end, same bytes")
