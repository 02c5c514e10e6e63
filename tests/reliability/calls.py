"""Every call of a real run that touches the disk, of the engine and of every library below it, fails or kills in its turn."""

import collections
import errno
import shutil
import signal

from world import SMALL, World, Wrong, demand_objects, truth_of

# What is done at call n: name -> the shim's orders. EINTR only where POSIX has it, short writes where there are writes.
INTERRUPTIBLE = "open,read,pread,write,pwrite,fallocate,ftruncate,flock,close"
WAYS = {
    "SIGKILL before the call": {"KILL": 1},
    "SIGKILL after the call": {"KILL": 1, "AFTER": 1},
    "EIO once": {"ERRNO": errno.EIO},
    "EIO though its work is done": {"ERRNO": errno.EIO, "AFTER": 1},
    "ENOSPC from then on": {"ERRNO": errno.ENOSPC, "FOREVER": 1},
    "EDQUOT from then on": {"ERRNO": errno.EDQUOT, "FOREVER": 1},
    "EMFILE once": {"ERRNO": errno.EMFILE, "CALLS": "open,fopen,opendir"},
    "EINTR once": {"ERRNO": errno.EINTR, "CALLS": INTERRUPTIBLE},
    "a failed fsync, once": {"ERRNO": errno.EIO, "CALLS": "fsync,fdatasync"},
    "short writes from then on": {"SHORT": 1, "FOREVER": 1, "CALLS": "write,pwrite"},
}


def prepare(world):
    """A training that was killed lies in the store: its checkpoint is loaded, followed by others, and dropped."""
    for links in [*range(1, 20)] * 3:  # artifacts are published beside it, in any order
        world.fresh()
        world.run("-q", "trained", shim={"CALLS": "link", "AT": links, "KILL": 1, "AFTER": 1})
        if len(world.files_in("checkpoints")) == 2 and len(world.objects()) <= 2:  # it has not ended
            return
    raise Wrong("no interrupted training to begin with")


def trace(world, *arguments):
    """The counted calls of one run: (number, call, path)."""
    path = world.folder.parent / (world.folder.name + ".trace")
    path.unlink(missing_ok=True)
    code, _, err = world.run("-q", *arguments, shim={"TRACE": path})
    if code != 0:
        raise Wrong(f"a run under the shim fails: {err}")
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    path.unlink()
    return [(int(number), call, rest) for number, call, rest in lines]


def put_back(template, world):
    world.fresh()
    shutil.copytree(template, world.folder, symlinks=True, dirs_exist_ok=True)


def strike_each(world, template, truth, orders, count, first, stride):
    """Strikes the n-th call for each n; returns how many runs that was, and how they ended."""
    ends = collections.Counter()
    for n in range(first, count + 1, stride):
        put_back(template, world)
        code, _, err = world.run("-q", shim={"AT": n, **orders})
        ends[code] += 1
        try:
            if code not in (0, 1, 2, 3, -signal.SIGKILL) or (code == -signal.SIGKILL) != ("KILL" in orders):
                if not (code == 0 and "KILL" in orders):  # a run with a call less than the one that was counted
                    raise Wrong(f"it ended with {code}: {err}")
            if code > 0 and not err.strip():
                raise Wrong("it failed without a word")
            if code == 0:
                demand_objects(world.objects(), truth)
            world.demand_clean(truth)
        except Wrong as wrong:
            raise Wrong(f"at call {n} of {count}, {orders}: {wrong}") from None
    return ends


def check_syncs(lines):
    """Each name that is published was synced before, and its folder after: held on the calls of a real run."""
    published = [(number, path) for number, call, path in lines if call == "link"]
    if not published:
        raise Wrong("no publication in the trace")
    for number, path in published:
        name = path.rsplit("/", 1)[1].replace(".", "-")
        before = [call for at, call, other in lines if at < number and "/tmp/" + name in other and call == "fsync"]
        folder = path.rsplit("/", 1)[0]
        after = [call for at, call, other in lines if at > number and call == "fsync" and (other == folder or other.endswith("/" + folder))]
        if not before or not after:
            raise Wrong(f"'{path}' is published without {'its bytes' if not before else 'its name'} made durable")
    return len(published)


def run(figures, stride):
    truth = truth_of(SMALL)
    with World() as world, World() as template:
        prepare(template)
        put_back(template.folder, world)
        lines = trace(world)
        figures.add("publications of which bytes and name are synced in order (one run's calls)", check_syncs(lines), "all")
        kinds = collections.Counter(call for _, call, _ in lines)
        for number, (way, orders) in enumerate(WAYS.items()):
            counting = orders.get("CALLS", "").split(",") if "CALLS" in orders else kinds
            count = sum(kinds[call] for call in counting)
            ends = strike_each(world, template.folder, truth, orders, count, 1 + number % stride, stride)
            text = ", ".join(f"{times} ended with {code}" for code, times in sorted(ends.items()))
            figures.add(f"{way}, at each of a run's {count} calls" + ("" if stride == 1 else f", one in {stride}"), ends.total(),
                        f"next run: same bytes ({text})")
