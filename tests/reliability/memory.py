"""One allocation of a real run fails, or all from one on, in satdl itself and in the processes of its stages."""

import collections
import signal
import struct

from calls import prepare, put_back
from world import SMALL, World, Wrong, demand_objects, truth_of

# In which process -> the run's arguments, the shim's orders.
PLACES = {"in satdl": ([], {}), "in satdl with --isolate": (["--isolate"], {}),
          "in the stages' processes": (["--isolate"], {"IN": "worker"})}
# 127: the loader's own way to say that there is no memory for thread-local data; 255: HDF5's, which calls exit().
ENDS = (0, 1, 2, 3, 127, 255, -signal.SIGABRT, -signal.SIGSEGV)
WAYS = {"once": {}, "from then on": {"FOREVER": 1}}


def named(code):
    return f"ended with {code}" if code >= 0 else f"died of {signal.Signals(-code).name}"


def run_counted(world, arguments, orders):
    """A run under the shim: how it ended, what it said on stderr, and how many allocations there were."""
    counter = world.folder.parent / (world.folder.name + ".counter")
    counter.write_bytes(bytes(8))
    try:
        code, _, err = world.run("-q", *arguments, memory={"COUNTER": counter, **orders})
        return code, err, struct.unpack("q", counter.read_bytes())[0]
    finally:
        counter.unlink()


def strike(world, truth, arguments, orders):
    """One run of which allocations fail, and the run after it; how the first ended."""
    code, err, _ = run_counted(world, arguments, orders)
    if code not in ENDS:
        raise Wrong(f"it {named(code)}: {err}")
    if 0 < code <= 3 and not err.strip():
        raise Wrong("it failed without a word")
    if code == 0:
        demand_objects(world.objects(), truth)
    world.demand_clean(truth)
    return code


def run(figures, points):
    truth = truth_of(SMALL)
    with World() as world, World() as template:
        prepare(template)
        for place, (arguments, where) in PLACES.items():
            put_back(template.folder, world)
            code, err, count = run_counted(world, arguments, where)
            if code != 0 or count < points:
                raise Wrong(f"a run under the shim {named(code)} after {count} allocations: {err}")
            for way, orders in WAYS.items():
                ends = collections.Counter()
                for n in range(points):
                    at = 1 + n * count // points
                    put_back(template.folder, world)
                    try:
                        ends[strike(world, truth, arguments, {"AT": at, **where, **orders})] += 1
                    except Wrong as wrong:
                        raise Wrong(f"allocation {at} of {count} {place} fails {way}: {wrong}") from None
                text = ", ".join(f"{times} {named(code)}" for code, times in sorted(ends.items(), key=lambda end: -end[0]))
                figures.add(f"malloc fails {way} {place}, at places spread over a run's {count:,} allocations", ends.total(),
                            f"none hangs; next run: same bytes ({text})")
