"""Many processes on one store, the same DAG and others, one of them killed, gc beside them: also where flock lies."""

import random
import signal
import subprocess
import time

from world import SLOW, World, Wrong, demand_objects, truth_of

OTHER = SLOW.replace("name: slow", "name: other").replace("amount: 10", "amount: 3")
DAGS = "dag.yaml", "other.yaml"
SOME_SECONDS = 0.25  # in which the processes start, and one is killed


def one_round(world, truths, dice, number, flock_lies):
    """`number` processes, half of them with the other DAG, on one cold store."""
    shim = {"FLOCK": "lie"} if flock_lies else None
    world.fresh()
    processes = []
    with_gc = dice.random() < 0.3
    for index in range(number):
        time.sleep(dice.uniform(0, SOME_SECONDS / number))
        processes.append(world.begin("-q", shim=shim, dag=DAGS[index % 2]))
    gc = None
    if with_gc:
        gc = subprocess.Popen(world.command("cache", "gc", "--keep-runs", "0", "--older", "0"), cwd=world.folder, env=world.environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(dice.uniform(0, SOME_SECONDS))
    victim = dice.randrange(number)
    processes[victim].kill()
    for index, process in enumerate(processes):
        code, _, err = world.end(process)
        if code != 0 and not (index == victim and code == -signal.SIGKILL):
            raise Wrong(f"process {index} of {number} ended with {code}: {err}")
    if gc is not None and gc.wait(60) not in (0, 2, 3):  # 2: there are no links yet; 3: a run uses the store
        raise Wrong(f"gc ended with {gc.returncode}")
    both = truths[0] | truths[1]
    for key, bytes_there in world.objects().items():
        if bytes_there != both.get(key):
            raise Wrong(f"the artifact {key[:12]} has other bytes than a clean run's")
    for dag in DAGS:
        code, _, err = world.end(world.begin("-q", shim=shim, dag=dag))
        if code != 0:
            raise Wrong(f"the run after it fails with {code}: {err}")
    demand_objects(world.objects(), both)


def run(figures, rounds, seed):
    dice = random.Random(seed)
    truths = truth_of(SLOW), truth_of(OTHER)
    for number in (2, 8):
        for flock_lies in (False, True):
            here = (rounds + 1) // 2
            with World(SLOW) as world:
                world.write(DAGS[1], OTHER)
                for _ in range(here):
                    one_round(world, truths, dice, number, flock_lies)
            lies = ", flock lies" if flock_lies else ""
            figures.add(f"rounds of {number} processes on one store, one killed, gc beside some{lies} (seed {seed})", here,
                        "each key's bytes those of a clean run, no process waited for a dead one")
