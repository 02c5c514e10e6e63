#!/usr/bin/env python3
"""Measures satdl against a baseline in the same run, pair by pair. See README.md beside this file."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ.get("SATDL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("SATDL_BINARY_DIR", SOURCE / "build"))
rows = []


def report(name, ours, baseline, against, unit="ms", scale=1e3):
    """One row: medians of both, and the median of the pairwise ratios with its quartiles."""
    ratios = sorted(a / b for a, b in zip(ours, baseline))
    quarter = len(ratios) // 4
    row = {
        "figure": name, "against": against, "unit": unit, "pairs": len(ratios),
        "ours": statistics.median(ours) * scale, "baseline": statistics.median(baseline) * scale,
        "ratio": statistics.median(ratios), "ratio_quartiles": [ratios[quarter], ratios[-1 - quarter]],
        "all_ours": [x * scale for x in ours], "all_baseline": [x * scale for x in baseline],
    }
    rows.append(row)
    print(f"{name:<44} {row['ours']:10.3f} {unit:<3} {row['baseline']:10.3f} {unit:<3} {row['ratio']:8.3f}x "
          f"[{ratios[quarter]:.3f}, {ratios[-1 - quarter]:.3f}]  against {against}", flush=True)


def timed(command, folder, environment=None):
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout.decode()[-2000:]}")
    return seconds


def in_turn(ours, baseline, pairs):
    """(seconds of ours, seconds of the baseline), after one uncounted run of each; both are (command, folder)."""
    for command, folder in (ours, baseline):
        timed(command, folder)
    taken = [(timed(*ours), timed(*baseline)) for _ in range(pairs)]
    return [a for a, _ in taken], [b for _, b in taken]


def ninja_rules(folder, count):
    """`count` rules, each making one small file of the one before it, built once so that nothing is left to do."""
    lines = ["rule touch", "  command = cp $in $out"]
    lines += [f"build out{i}: touch {'seed' if i == 0 else f'out{i - 1}' if i % 10 else f'out{i - 10}'}" for i in range(count)]
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    (folder / "seed").write_text("seed\n")
    timed(["ninja"], folder)
    return ["ninja"], folder


def generated_dag(folder, count):
    """A DAG of `count` trivial nodes in chains of ten, as the rules above."""
    lines = ["name: generated", "stages:"]
    for i in range(count):
        read = "" if i == 0 else f"in: {{x: n{i - 1 if i % 10 else i - 10}.y}}, "
        lines.append(f"  n{i}: {{kind: {'tiny_source' if i == 0 else 'tiny'}, {read}value: {i}}}")
    (folder / "generated.yaml").write_text("\n".join(lines) + "\n")
    return folder / "generated.yaml"


def bench_noop(scratch):
    folder = scratch / "full"
    folder.mkdir()
    # The data of the quick profile, one epoch of narrow networks: what a no-op costs does not depend on what was trained.
    run = [BUILD / "satdl-run", SOURCE / "dags/full.yaml", "--profile", "quick", "--set", "limit=200", "--set", "epochs=1"]
    timed(run, folder)
    rules = scratch / "ninja10"
    rules.mkdir()
    ours, baseline = in_turn((run, folder), ninja_rules(rules, 10), 40)
    report("no-op of dags/full.yaml", ours, baseline, "ninja, 10 rules")

    for count, pairs in ((1000, 15), (10000, 7)):
        folder = scratch / f"nodes{count}"
        folder.mkdir()
        run = [BUILD / "satdl-run", generated_dag(folder, count), "--stages", BUILD / "libbench_stages.so", "--quiet"]
        timed(run, folder)
        rules = scratch / f"ninja{count}"
        rules.mkdir()
        ours, baseline = in_turn((run, folder), ninja_rules(rules, count), pairs)
        report(f"no-op of {count:,} nodes", ours, baseline, f"ninja, {count:,} rules")


def bench_first(scratch):
    """1,000 trivial stages from nothing, each time in a folder of its own: satdl makes durable what each gives; ninja does not."""
    folder, rules = scratch / "first", scratch / "first_ninja"
    for one in (folder, rules):
        one.mkdir()
    generated_dag(folder, 1000)
    ninja_rules(rules, 1000)
    for pattern in ("out*", ".ninja*"):
        for left in rules.glob(pattern):
            left.unlink()

    def fresh(program):
        return ["sh", "-c", f"new=$(mktemp -d -p ..) && cp -r . $new && cd $new && {program}"]

    run = f"{BUILD / 'satdl-run'} generated.yaml --stages {BUILD / 'libbench_stages.so'} --quiet"
    ours, baseline = in_turn((fresh(run), folder), (fresh("ninja"), rules), 7)
    report("first run of 1,000 nodes", ours, baseline, "ninja, 1,000 rules", unit="s", scale=1)


COMMANDS = 100


def command_stages(folder):
    """As many programs that copy a byte: for satdl, for make and for DVC."""
    copies = range(COMMANDS)
    (folder / "seed").write_text("x")
    stages = [f"  s{i}: {{kind: command, run: [cp, '{{files.seed}}', '{{out.copy}}'], files: {{seed: seed}}, with: {{i: {i}}}, out: {{copy: file}}}}"
              for i in copies]
    (folder / "dag.yaml").write_text("\n".join(["stages:", *stages]) + "\n")
    (folder / "Makefile").write_text("all: " + " ".join(f"out{i}" for i in copies) + "\n" + "".join(f"out{i}: seed\n\tcp seed out{i}\n" for i in copies))
    stages = [f"  s{i}: {{cmd: cp seed out{i}, deps: [seed], outs: [out{i}]}}" for i in copies]
    (folder / "dvc.yaml").write_text("\n".join(["stages:", *stages]) + "\n")


def command_run(folder, *, sync=True):
    """Its seconds from nothing, in a store of its own, which is removed untimed."""
    with tempfile.TemporaryDirectory(dir=folder) as store:
        environment = {} if sync else {"LD_PRELOAD": str(no_sync(folder))}
        return timed([BUILD / "satdl-run", "dag.yaml", "-j", "1", "--quiet", "--store", f"{store}/store"], folder, environment)


def no_sync(folder):
    """A library whose fsync does nothing: what is left is not the disk's."""
    library = folder / "no_sync.so"
    if not library.exists():
        source = "int fsync(int f){(void)f;return 0;} int fdatasync(int f){(void)f;return 0;} int syncfs(int f){(void)f;return 0;}"
        subprocess.run(["cc", "-x", "c", "-", "-shared", "-fPIC", "-o", library], input=source.encode(), check=True)
    return library


def bench_command(scratch):
    """100 programs that copy a byte: satdl keeps, hashes and syncs what each writes; make does not."""
    command_stages(scratch)
    runs = [(command_run(scratch), command_run(scratch, sync=False), timed(["make", "-B"], scratch)) for _ in range(11)][1:]
    ours, unsynced, make = ([seconds / COMMANDS for seconds in column] for column in zip(*runs))
    report("a command stage that copies a byte, one at a time", ours, make, "make, a rule")
    report("... without waiting for the disk", unsynced, make, "make, a rule")


def dvc():
    """DVC and its environment, where the test of `satdl import dvc` installs it."""
    tests = {"SATDL_SOURCE_DIR": str(SOURCE), "SATDL_BINARY_DIR": str(BUILD)}
    subprocess.run(["/usr/bin/python3", SOURCE / "tests/e2e/import_dvc_slow_test.py", "install"], check=True, env={**os.environ, **tests})
    return BUILD / "dvc-3.67.1/bin/dvc"


def bench_dvc(scratch):
    """The same programs by DVC: from nothing, and with nothing to do."""
    command_stages(scratch)
    program, environment = dvc(), {"DVC_NO_ANALYTICS": "1", "HOME": str(scratch), "DVC_SITE_CACHE_DIR": str(scratch / "cache")}
    timed([program, "init", "--no-scm", "--quiet"], scratch, environment)
    runs = [(command_run(scratch), timed([program, "repro", "-f"], scratch, environment)) for _ in range(3)]
    report("a command stage that copies a byte, one at a time", *([one / COMMANDS for one in column] for column in zip(*runs)), "dvc repro -f, a stage")
    again = [BUILD / "satdl-run", "dag.yaml", "--quiet"]
    timed(again, scratch)
    runs = [(timed(again, scratch), timed([program, "repro"], scratch, environment)) for _ in range(5)]
    report(f"no-op of {COMMANDS} command stages", *map(list, zip(*runs)), "dvc repro")


REMOTE_POINTS = 8


def bench_remote(scratch):
    """A sweep of M2 alone: what its points share (M1, M3, the data, their evaluation) is in an nginx on loopback, or must be computed."""
    sys.path.insert(0, str(SOURCE / "tests/remote"))
    os.environ.update(SATDL_SOURCE_DIR=str(SOURCE), SATDL_BINARY_DIR=str(BUILD))
    import nginx
    nginx.install()
    dag = [BUILD / "satdl-run", SOURCE / "dags/full.yaml", "--profile", "quick", "--set", "limit=1000", "--set", "epochs=1", "--quiet"]
    rates = ",".join(f"{0.001 * (1 + i):g}" for i in range(REMOTE_POINTS))
    user = {"HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch), "SATDL_REMOTE_USER": nginx.USER, "SATDL_REMOTE_PASSWORD": nginx.PASSWORD}

    def seconds(command):
        """From an empty store, which is removed untimed."""
        with tempfile.TemporaryDirectory(dir=scratch) as store:
            return timed([*command, "--store", f"{store}/store"], scratch, user)

    with nginx.Nginx() as server:
        keygen = [BUILD / "satdl", "cache", "keygen", "bench", "--file", "key"]
        public = subprocess.run(keygen, cwd=scratch, env={**os.environ, **user}, check=True, capture_output=True, text=True).stdout.strip()
        remote = ["--remote", server.url]
        timed([*dag, *remote, "--store", "first"], scratch, {**user, "SATDL_SIGNING_KEY": (scratch / "key").read_text()})
        # Without the private key nothing is uploaded: each run finds the same.
        subprocess.run([BUILD / "satdl", "cache", "trust", public], env={**os.environ, **user}, check=True, capture_output=True)
        pairs = [(seconds([*dag, f"m2.learning_rate={rates}", *remote]), seconds([*dag, f"m2.learning_rate={rates}"])) for _ in range(3)]
    report(f"a sweep of {REMOTE_POINTS} points, their shared stages remote", *map(list, zip(*pairs)), "the same without a remote", unit="s", scale=1)


def columns_from(program, *arguments):
    """Runs a C++ benchmark that prints lines `ours baseline`, in seconds; its columns."""
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
    return [list(column) for column in zip(*(map(float, line.split()) for line in done.stdout.splitlines()))]


def bench_engine(_):
    ours, baseline = columns_from(BUILD / "engine_bench")
    report("engine, a trivial stage", ours, baseline, "calling the stage", unit="us", scale=1e6)


def bench_tensor(scratch):
    ours, baseline = columns_from(BUILD / "tensor_bench", scratch)
    report("write and map back 188 MB", ours, baseline, "cp and sync of the same bytes")


def data_columns(kind, threads, *folder):
    """Of seven rounds, in each of which a process of satdl's and one of Python's prints the median seconds of several runs."""
    ours, baseline = [], []
    for _ in range(7):
        ours.append(float(subprocess.check_output([BUILD / "data_bench", kind, str(threads), *folder])))
        baseline.append(float(subprocess.check_output([sys.executable, SOURCE / "tests/bench/data_bench.py", kind, *folder])))
    return ours, baseline


def bench_data(scratch):
    cores = os.cpu_count()
    for kind in ("add_noise", "normalise", "concat"):
        for threads in (1, cores):
            report(f"{kind} of MNIST, {threads} thread{'s' * (threads > 1)}", *data_columns(kind, threads), "NumPy")
    report("digest of MNIST in float32, all cores", *data_columns("digest", cores), "hashlib, SHA-256")
    report("normalise of MNIST to the disk, durable", *data_columns("normalise_to_disk", cores, str(scratch)), "NumPy, memmap and fsync")


# What each peer is: the packages of its private Python.
PEERS = {"torch": ["torch==2.13.0+cpu", "numpy", "setuptools"], "jax": ["jax==0.10.2", "jaxlib==0.10.2", "numpy"],
         "tensorflow": ["tensorflow-cpu==2.21.0", "numpy"]}


def python_with(peer):
    """A private environment in the build folder, made by pip on first use; None if it cannot be made."""
    folder = BUILD / f"bench-{peer}"
    python = folder / "bin/python"
    if python.exists() and subprocess.run([python, "-c", f"import {peer}"], capture_output=True).returncode == 0:
        return python
    print(f"making a private Python with {PEERS[peer][0]} in {folder} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable if has_venv() else "python3", "-m", "venv", folder], check=True)
    if subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[peer]]).returncode == 0:
        return python
    shutil.rmtree(folder)
    return None


def has_venv():
    return subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode == 0


def seconds_of_a_step(command, threads):
    """As `satdl run` sets its threads: they sleep where they wait. On as many cores as threads, so that no library uses more."""
    environment = {**os.environ, **({"OMP_WAIT_POLICY": "passive"} if command[0].name == "training_bench" else {})}
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    return float(subprocess.check_output([str(part) for part in command], env=environment, stderr=subprocess.DEVNULL,
                                         preexec_fn=lambda: os.sched_setaffinity(0, cores)))


def ways_to_train(network, threads, steps):
    """Name -> command, satdl's first: every peer as its users would set it for speed."""
    ways = {"satdl": [BUILD / "training_bench", network, threads, steps]}
    torch, jax, tensorflow = (python_with(peer) for peer in PEERS)
    if torch is None:
        sys.exit("the comparison needs PyTorch's Python: pip cannot install it")
    modes = ["eager", "channels_last", "channels_last+fused"] if network == "m1" else ["eager", "fused"]
    if network != "m1" and shutil.which("g++"):
        modes.append("compile+fused")
    for mode in modes:
        ways[f"PyTorch, {mode}"] = [torch, SOURCE / "tests/bench/training_bench.py", network, mode, threads, steps]
    if jax is None:
        print("pip cannot install JAX: it is left out")
    else:
        ways["JAX, jit"] = [jax, SOURCE / "tests/bench/training_bench_jax.py", network, threads, steps]
    if tensorflow is None:
        print("pip cannot install TensorFlow: it is left out")
    else:
        for mode in ("graph", "xla"):
            ways[f"TensorFlow, {mode}"] = [tensorflow, SOURCE / "tests/bench/training_bench_tf.py", network, mode, threads, steps]
    return ways


def compare_steps(network, name, steps, rounds):
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        ways = ways_to_train(network, threads, steps)
        taken = {way: [] for way in ways}
        for _ in range(rounds):
            for way, command in ways.items():
                taken[way].append(seconds_of_a_step(command, threads))
        ours = taken.pop("satdl")
        for way in sorted(taken, key=lambda way: statistics.median(taken[way])):  # the best peer first
            report(f"a step of {name}, {threads} thread{'s' * (threads > 1)}", ours, taken[way], way)


def bench_training(_):
    compare_steps("m1", "M1", 6, 3)


def bench_dense(_):
    compare_steps("dense", "a dense autoencoder", 40, 7)
    compare_steps("m2", "M2", 1000, 7)


def bench_precision(_):
    for network, steps in (("m1", 6), ("m2", 400)):
        step = [BUILD / "training_bench", network, "1", str(steps)]
        ours, baseline = [], []
        for _ in range(5):
            ours.append(float(subprocess.check_output([*step, "bf16"])))
            baseline.append(float(subprocess.check_output(step)))
        report(f"a step of {network.upper()} in bf16, 1 thread", ours, baseline, "the same in fp32")


def bench_checkpoints(scratch):
    ours, baseline, keeping = columns_from(BUILD / "checkpoint_bench", "m2", scratch / "m2")
    report("a training of M2 with checkpoints", ours, baseline, "without", unit="s", scale=1)
    report("... what of it goes into them", keeping, ours, "all of it", unit="s", scale=1)
    ours, baseline = columns_from(BUILD / "checkpoint_bench", "m1", scratch / "m1")
    report("a checkpoint of M1", ours, baseline, "what lies between two", unit="s", scale=1)


BENCHES = {"noop": bench_noop, "first": bench_first, "command": bench_command, "dvc": bench_dvc, "remote": bench_remote, "engine": bench_engine,
           "tensor": bench_tensor, "data": bench_data, "training": bench_training, "dense": bench_dense, "precision": bench_precision,
           "checkpoints": bench_checkpoints}


def main():
    wanted = [argument for argument in sys.argv[1:] if argument != "--built"]
    is_built = len(wanted) < len(sys.argv[1:])
    wanted = wanted or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    if not is_built:  # `cmake --build build` leaves the benchmarks out: what lies there may be old
        subprocess.run(["cmake", "--build", BUILD, "--target", "bench_programs"], check=True)
    print(f"{'figure':<44} {'ours':>14} {'baseline':>14} {'ratio':>9} [quartiles]")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="satdl-bench-") as scratch:
            BENCHES[name](Path(scratch))
    (BUILD / "bench.json").write_text(json.dumps(rows, indent=1))
    print(f"every figure: {BUILD / 'bench.json'}")


if __name__ == "__main__":
    main()
