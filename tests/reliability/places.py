"""Bad places and bad times: a full disk, a read-only one, a store that vanishes, clocks that jump, inputs that change under a stage."""

import json
import os
import shlex
import shutil
import subprocess
import time

from world import SMALL, SLOW, World, Wrong, demand_objects, truth_of

BYTES = "name: bytes\nstages:\n  x: {kind: bytes_of, file: input.txt}\n"
SLOW_BYTES = BYTES.replace("input.txt", "input.txt, milliseconds: 300")


def namespace():
    """How to get a mount namespace here: as root, else in a user namespace; nothing where neither is allowed."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        if subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0:
            return command
    return None


def with_mounts(world, script):
    """A shell script in a mount namespace of its own; `run` in it runs the DAG with the store disk/store."""
    begin = f"run() {{ {shlex.join(world.command('run', world.dag, '--store', 'disk/store'))} \"$@\"; }}\nmkdir -p disk\n"
    return subprocess.run([*namespace(), "bash", "-c", begin + script], cwd=world.folder, env=world.environment,
                          capture_output=True, text=True, timeout=300)


def full_disks(figures):
    """On a disk too small, the run says what it could not keep, and its stages run all the same; with room, the next run ends well."""
    truth = truth_of(SMALL)
    sizes = list(range(12, 140, 8))
    full = 0
    for kilobytes in sizes:
        with World(SMALL) as world:
            done = with_mounts(world, f"""
                mount -t tmpfs -o size={kilobytes}k tmpfs disk
                run --json >events 2>errors; echo $? >code
                mount -o remount,size=100m disk
                run -q || exit 9
                cp -r disk/store .satdl""")
            if done.returncode != 0:
                raise Wrong(f"with {kilobytes} kB and then more: {done.stdout}{done.stderr}")
            code, errors = int((world.folder / "code").read_text()), (world.folder / "errors").read_text()
            events = [json.loads(line) for line in (world.folder / "events").read_text().splitlines()]
            stages = [event for event in events if event["event"] == "stage"]
            lost = [event for event in stages if "not_kept" in event]
            full += code != 0
            if code not in (0, 3) or (lost and code != 3):
                raise Wrong(f"with {kilobytes} kB it ended with {code}")
            if any(event["outcome"] != "ran" for event in stages):
                raise Wrong(f"with {kilobytes} kB a stage did not run though its inputs were in memory")
            if lost and "disk is full" not in errors:
                raise Wrong(f"with {kilobytes} kB no error says that the disk is full: {errors}")
            demand_objects(world.objects(), truth)
    if full < len(sizes) // 4:
        raise Wrong("the disks were not small enough to be full")
    figures.add("runs on disks of 12 to 132 kB (tmpfs)", len(sizes), f"{full} said what they could not keep; with room: same bytes")


def out_of_inodes(figures):
    truth = truth_of(SMALL)
    counts = range(8, 28, 2)
    for inodes in counts:
        with World(SMALL) as world:
            done = with_mounts(world, f"""
                mount -t tmpfs -o size=10m,nr_inodes={inodes} tmpfs disk
                run -q 2>errors; echo $? >code
                mount -o remount,nr_inodes=10000 disk
                run -q || exit 9
                cp -r disk/store .satdl""")
            if done.returncode != 0 or int((world.folder / "code").read_text()) not in (0, 3):
                raise Wrong(f"with {inodes} inodes: {done.stdout}{done.stderr}")
            demand_objects(world.objects(), truth)
    figures.add("runs on disks of 8 to 26 inodes", len(counts), "with more: same bytes")


def read_only(figures):
    """Stored results are reused, nothing is written; new ones are computed and reported as not stored."""
    truth = truth_of(SMALL)
    with World(SMALL) as world:
        done = with_mounts(world, """
            run -q || exit 8
            mount --bind disk disk && mount -o remount,ro,bind disk
            run --json >hits 2>/dev/null; echo $? >code
            run --json --set amount=4 >more 2>/dev/null; echo $? >more-code
            umount disk && cp -r disk/store .satdl""")
        if done.returncode != 0:
            raise Wrong(f"{done.stdout}{done.stderr}")
        hits = [json.loads(line) for line in (world.folder / "hits").read_text().splitlines()]
        more = [json.loads(line) for line in (world.folder / "more").read_text().splitlines()]
        if (world.folder / "code").read_text() != "0\n" or (world.folder / "more-code").read_text() != "3\n":
            raise Wrong("a read-only store does not serve what it has, or keeps what it cannot")
        if {event["outcome"] for event in hits if event["event"] == "stage"} != {"reused"}:
            raise Wrong("a hit of a read-only store was not served")
        if not any("not_kept" in event for event in more):
            raise Wrong("no error says what was not stored")
        demand_objects(world.objects(), truth)
    figures.add("runs on a store mounted read-only", 2, "stored results are reused; new ones are computed and reported as not stored")


def vanishing(figures, times):
    """The whole store is deleted during a run."""
    truth = truth_of(SLOW)
    with World(SLOW) as world:
        for number in range(times):
            world.fresh()
            process = world.begin("-q")
            time.sleep(0.25 * number / times)
            shutil.rmtree(world.folder / ".satdl", ignore_errors=True)
            code, _, err = world.end(process)
            if code not in (0, 1, 3) or (code and not err.strip()):
                raise Wrong(f"the store vanished, and the run ended with {code}: {err}")
            world.demand_clean(truth)
    figures.add("runs whose store is deleted meanwhile", times, "no crash; the next run creates it again, same bytes")


def clocks(figures):
    truth = truth_of(SMALL)
    day = 24 * 3600
    with World(SMALL) as world:
        for clock in (0, -day, day, "jumps", 400 * day):
            code, _, err = world.run("-q", shim={"CLOCK": clock})
            if code != 0:
                raise Wrong(f"with the clock {clock} off: {err}")
            demand_objects(world.objects(), truth)
            code, out, _ = world.run("--json", shim={"CLOCK": -day if clock == day else clock})
            if any(event.get("outcome") not in (None, "reused") for event in map(json.loads, out.splitlines())):
                raise Wrong("a clock made something run again")
        world.demand_clean(truth)
    figures.add("runs with the clock a day back, a day ahead, a year ahead, jumping", 10, "same bytes, nothing run again")


def demand_current(world):
    """What the last run has of x is what a store that knows nothing makes of the file as it is now."""
    shutil.rmtree(world.folder / "other", ignore_errors=True)
    code, _, err = world.run("-q", "--store", "other/store", "--results", "other/results")
    if code != 0:
        raise Wrong(err)
    if (world.folder / "results/bytes/x.h5").read_bytes() != (world.folder / "other/results/bytes/x.h5").read_bytes():
        raise Wrong("the result is that of another content")


def same_tick(figures, times):
    """An input is edited again and again as fast as it goes, its size and its mtime as they were: never a stale result."""
    with World(BYTES) as world:
        world.write("input.txt", "content 000")
        stat = os.stat(world.folder / "input.txt")
        for number in range(times):
            world.write("input.txt", f"content {number:03}")
            os.utime(world.folder / "input.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
            code, _, err = world.run("-q")
            if code != 0:
                raise Wrong(err)
            demand_current(world)
    figures.add("edits of an input that keep its size and its mtime", times, "each seen")


def edited_while_read(figures, times):
    """What a stage made of an input that changed meanwhile is not kept, and the file is named; also where it was put back."""
    with World(SLOW_BYTES) as world:
        for number in range(times):
            world.fresh()
            world.write("input.txt", "before")
            process = world.begin("--json")
            for line in process.stdout:
                if "has read it" in line:
                    break
            world.write("input.txt", "after!")
            if number % 2 == 1:
                world.write("input.txt", "before")
            code, _, err = world.end(process)
            if code != 1 or "input.txt changed while the stage read it" not in err or world.objects():
                raise Wrong(f"an input changed under its stage, and the run ended with {code}: {err}")
            code, _, err = world.run("-q")
            if code != 0:
                raise Wrong(f"the run after it fails: {err}")
            demand_current(world)
    figures.add("inputs edited while their stage reads them, half of them put back", times, "nothing kept, the file named")


def run(figures, times):
    if namespace():
        full_disks(figures)
        out_of_inodes(figures)
        read_only(figures)
    else:
        figures.add("full and read-only disks", 0, "not possible here: no mount namespace (run as root, or in a user namespace)")
    vanishing(figures, times)
    clocks(figures)
    same_tick(figures, 3 * times)
    edited_while_read(figures, max(2, times // 4))
