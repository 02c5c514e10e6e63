"""A scripted Slurm: sbatch, squeue, sacct, scancel and scontrol as far as satdl uses them, with faults on command.

    with ScriptedSlurm(folder, nodes=2, cpus=4) as slurm:
        environment = slurm.environment()            # PATH begins with the commands
        slurm.fail("sbatch", SOCKET_TIMED_OUT, accepted=True)
        ...
        slurm.node_down("n1")

The commands are clients of a socket in `folder`; everything else happens in this process, so that a test sees and changes it. Jobs are
real processes (run_jobs=True), or pass after `duration(job)` seconds. The clock is the machine's, `speed` times as fast, or stands still
until advance(). What Slurm's own words are was read off Slurm 22.05; an option that this does not know is an error, as it is there.

By hand:  python3 scripted_slurm.py FOLDER  serves until it is interrupted.
"""

import contextlib
import dataclasses
import getopt
import json
import os
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

SOCKET_TIMED_OUT = "Batch job submission failed: Socket timed out on send/recv operation"
NO_CONTROLLER = "Unable to contact slurm controller (connect failure)"
BUSY = "Slurm temporarily unable to accept job, sleeping and retrying"
SUBMIT_LIMIT = ("QOSMaxSubmitJobPerUserLimit\nBatch job submission failed: Job violates accounting/QOS policy "
                "(job submit limit, user's size and/or time limits)")

COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")
LAUNCH_FAILED = 4021  # in the place of an exit status: slurmd could not start the program
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"}

CLIENT = """\
#!{python} -ISs
import json, os, socket, sys
name = os.path.basename(sys.argv[0])
request = dict(name=name, argv=sys.argv[1:], cwd=os.getcwd(), environment=dict(os.environ), input="")
if name == "sbatch" and not sys.stdin.isatty():
    request["input"] = sys.stdin.read()
try:
    server = socket.socket(socket.AF_UNIX)
    server.connect({path!r})
except OSError:
    sys.exit("slurm_load_jobs error: {no_controller}" if name == "squeue" else name + ": error: {no_controller}")
server.sendall(json.dumps(request).encode() + b"\\n")
for line in server.makefile("rb"):
    reply = json.loads(line)
    sys.stdout.write(reply.get("out", ""))
    sys.stdout.flush()
    sys.stderr.write(reply.get("err", ""))
    sys.stderr.flush()
    if "code" in reply:
        os._exit(reply["code"])
sys.exit(name + ": error: Zero Bytes were transmitted or received")
"""


class Refused(Exception):
    """What a command says on stderr, each line behind its name, before it exits with 1."""


@dataclasses.dataclass
class Node:
    name: str
    cpus: int
    memory_mb: int
    gpus: int = 0
    features: tuple = ()
    up: bool = True


@dataclasses.dataclass
class Partition:
    nodes: list = None  # names; None: all
    seconds: float = None  # the longest time limit
    available: bool = True  # False: refuses jobs


@dataclasses.dataclass
class Job:
    number: int
    array: int  # the number of its array; its own if it is in none
    index: int  # in its array; None if it is in none
    name: str
    comment: str
    options: dict
    script: str
    folder: str
    environment: dict
    submitted: float
    visible: float  # from then on in squeue
    cpus: int = 1
    memory_mb: int = 0
    gpus: int = 0
    seconds: float = None
    partition: str = "main"
    requeue: bool = True
    state: str = "PENDING"
    reason: str = "Priority"
    begin: float = 0  # not started before
    held: bool = False
    node: str = ""
    started: float = None
    ended: float = None
    exit_code: int = 0
    signal: int = 0
    restarts: int = 0
    by: str = ""  # of CANCELLED, for sacct
    process: subprocess.Popen = None
    warned: bool = False  # the signal before the time limit was sent
    killing: tuple = None  # (state, when SIGKILL follows): it is being ended
    history: list = dataclasses.field(default_factory=list)  # earlier incarnations, as rows of sacct

    @property
    def id(self):
        return str(self.number) if self.index is None else f"{self.array}_{self.index}"

    @property
    def over(self):
        return self.state in ENDED


def seconds_of(text):
    """Of Slurm's times: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""
    if text.upper() in ("UNLIMITED", "INFINITE"):
        return None
    days, rest = (int(part) if i == 0 else part for i, part in enumerate(text.split("-"))) if "-" in text else (0, text)
    parts = [int(part) for part in rest.split(":")]
    if days or "-" in text:
        parts += [0] * (3 - len(parts))
    elif len(parts) == 1:
        parts = [0, parts[0], 0]
    elif len(parts) == 2:
        parts = [0, *parts]
    return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]


def megabytes_of(text):
    number, unit = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper()).groups()
    return -(-int(number) // 1024) if unit == "K" else int(number) * {"": 1, "M": 1, "G": 1024, "T": 1024**2}[unit]


def duration_text(seconds):
    if seconds is None:
        return "UNLIMITED"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def options_of(argv, short, long):
    """Options by their long names, and the rest. `short`: letter -> long name; `long`: name -> whether it takes a value."""
    letters = "".join(letter + (":" if long[name] else "") for letter, name in short.items())
    try:
        found, rest = getopt.getopt(argv, letters, [name + ("=" if value else "") for name, value in long.items()])
    except getopt.GetoptError as error:
        raise Refused(f"{error}") from None
    return {(short[key[1:]] if not key.startswith("--") else key[2:]): value for key, value in found}, rest


def descendants(pid):
    """The process and all below it, as Slurm's proctrack/linuxproc finds them."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path("/proc", entry, "stat").read_text()
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class ScriptedSlurm(contextlib.AbstractContextManager):
    def __init__(self, folder, nodes=2, cpus=4, memory_mb=4000, gpus=0, speed=1.0, virtual=False, run_jobs=True, duration=lambda job: 1.0,
                 accounting=False, min_job_age=300, max_array_size=1001, max_job_count=10000, max_submit=None, kill_wait=2,
                 requeue_delay=0.5, preempt_mode="OFF", partitions=None, accounts=None, qos=("normal",), version="22.05.8"):
        self.folder = pathlib.Path(folder).resolve()
        self.nodes = {f"n{i}": Node(f"n{i}", cpus, memory_mb, gpus) for i in range(1, nodes + 1)}
        self.partitions = partitions or {"main": Partition()}
        self.accounts, self.qos = accounts, qos  # None: any
        self.accounting, self.min_job_age, self.preempt_mode, self.version = accounting, min_job_age, preempt_mode, version
        self.max_array_size, self.max_job_count, self.max_submit = max_array_size, max_job_count, max_submit
        self.kill_wait, self.requeue_delay = kill_wait, requeue_delay
        self.run_jobs, self.duration = run_jobs, duration
        self.speed, self.virtual = speed, virtual
        self.jobs = {}  # number -> Job, also those that squeue has forgotten
        self.calls = []  # (seconds, command, argv)
        self.faults = []  # dicts of fail()
        self.hidden_seconds = 0  # how long squeue does not show a new job
        self.next_number = 1
        self.lock = threading.RLock()
        self.virtual_now = 0.0
        self.began = time.monotonic()
        self.stopping = threading.Event()

    # --- life ---

    def __enter__(self):
        (self.folder / "bin").mkdir(parents=True, exist_ok=True)
        (self.folder / "spool").mkdir(exist_ok=True)
        path = self.folder / "socket"
        for name in COMMANDS:
            program = self.folder / "bin" / name
            program.write_text(CLIENT.format(python=sys.executable, path=str(path), no_controller=NO_CONTROLLER))
            program.chmod(0o755)
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError, json.JSONDecodeError):
                    outer.answer(json.loads(self.rfile.readline()), self.wfile)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 128

        path.unlink(missing_ok=True)
        self.server = Server(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.ticker = threading.Thread(target=self.keep_ticking, daemon=True)
        self.ticker.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.ticker.join()
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for job in self.jobs.values():
                if job.process:
                    self.kill(job)
                    job.process.wait()

    def environment(self, base=None):
        """The environment of a program that finds these commands."""
        base = dict(os.environ if base is None else base)
        return {**base, "PATH": f"{self.folder / 'bin'}:{base.get('PATH', '/usr/bin:/bin')}"}

    def now(self):
        return self.virtual_now if self.virtual else (time.monotonic() - self.began) * self.speed

    def advance(self, seconds):
        """Of a virtual clock: everything that happens until then, in its order."""
        with self.lock:
            end = self.virtual_now + seconds
            self.tick()
            while (event := min(self.events(), default=end)) < end:
                self.virtual_now = max(event, self.virtual_now)
                self.tick()
            self.virtual_now = end
            self.tick()

    def wait_until(self, condition, what="it", seconds=30):
        """Until condition() is true; a failure otherwise."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come within {seconds} s: {[(job.id, job.state) for job in self.jobs.values()]}")
            time.sleep(0.01)

    # --- faults ---

    def fail(self, command, text, times=1, accepted=False, code=1, seconds=0):
        """The next calls of a command fail with these words, after `seconds` of the machine's clock. `accepted`: they are carried out."""
        with self.lock:
            self.faults.append({"command": command, "text": text, "times": times, "accepted": accepted, "code": code, "seconds": seconds})

    def hide_new_jobs(self, seconds):
        self.hidden_seconds = seconds

    def job(self, number_or_id):
        return next(job for job in self.jobs.values() if number_or_id in (job.number, job.id))

    def running(self):
        with self.lock:
            return [job for job in self.jobs.values() if job.state == "RUNNING"]

    def node_down(self, name):
        """The node's jobs die; those that may are queued again."""
        with self.lock:
            self.nodes[name].up = False
            for job in self.running():
                if job.node == name:
                    self.kill(job)
                    self.finish(job, "NODE_FAIL", number=signal.SIGKILL)
                    if job.requeue:
                        self.queue_again(job)

    def node_up(self, name):
        with self.lock:
            self.nodes[name].up = True

    def preempt(self, job, requeue=True, grace=0):
        """Another job takes its node: SIGTERM, and SIGKILL after `grace` seconds (0: at once)."""
        with self.lock:
            job = self.job(job)
            self.end(job, "PREEMPTED", grace, again=requeue and job.requeue)

    def out_of_memory(self, job):
        with self.lock:
            job = self.job(job)
            self.kill(job)
            self.finish(job, "OUT_OF_MEMORY", code=0, number=9)

    def hold(self, job, reason="JobHeldAdmin"):
        with self.lock:
            job = self.job(job)
            job.held, job.reason = True, reason

    def release(self, job):
        with self.lock:
            self.job(job).held = False

    def cancel(self, job, by="0"):
        """By somebody else than satdl."""
        with self.lock:
            self.scancel_one(self.job(job), by)

    def forget(self, job):
        """squeue shows it no more, whatever its state."""
        with self.lock:
            self.job(job).visible = float("inf")

    # --- what happens by itself ---

    def keep_ticking(self):
        while not self.stopping.wait(0.01):
            if not self.virtual or self.run_jobs:
                with self.lock:
                    self.tick()

    def events(self):
        """When something is going to happen on a virtual clock."""
        for job in self.jobs.values():
            if job.state == "PENDING" and job.begin > self.virtual_now:
                yield job.begin
            if job.state == "RUNNING":
                if not self.run_jobs:
                    yield job.started + self.duration(job)
                if job.seconds is not None:
                    yield job.started + job.seconds
                if job.killing:
                    yield job.killing[1]

    def tick(self):
        for job in list(self.jobs.values()):
            if job.state == "RUNNING":
                self.watch(job)
        free = {node.name: [node.cpus, node.memory_mb, node.gpus] for node in self.nodes.values() if node.up}
        for job in self.jobs.values():
            if job.state == "RUNNING" and job.node in free:
                for i, used in enumerate((job.cpus, job.memory_mb, job.gpus)):
                    free[job.node][i] -= used
        for job in list(self.jobs.values()):
            if job.state != "PENDING" or job.held or job.begin > self.now():
                continue
            fitting = [name for name in self.allowed_nodes(job) if name in free and
                       all(have >= want for have, want in zip(free[name], (job.cpus, job.memory_mb, job.gpus)))]
            if not fitting:
                job.reason = "Resources"
                continue
            for i, used in enumerate((job.cpus, job.memory_mb, job.gpus)):
                free[fitting[0]][i] -= used
            self.start(job, fitting[0])

    def allowed_nodes(self, job):
        excluded = job.options.get("exclude", "").split(",")
        wanted = job.options.get("constraint")
        names = self.partitions[job.partition].nodes or list(self.nodes)
        return [name for name in names if name not in excluded and (not wanted or wanted in self.nodes[name].features)]

    def start(self, job, node):
        job.state, job.reason, job.node, job.started, job.warned, job.killing = "RUNNING", "None", node, self.now(), False, None
        if not self.run_jobs:
            return
        log = job.options.get("output", "slurm-%A_%a.out" if job.index is not None else "slurm-%j.out")
        values = {"j": str(job.number), "A": str(job.array), "a": str(job.index or 0), "x": job.name, "N": node, "%": "%"}
        log = pathlib.Path(job.folder, re.sub("%(.)", lambda found: values[found[1]], log))
        script = self.folder / "spool" / f"job{job.number}"
        script.write_text(job.script)
        script.chmod(0o700)
        environment = {**job.environment, "SLURM_JOB_ID": str(job.number), "SLURM_JOBID": str(job.number), "SLURM_JOB_NAME": job.name,
                       "SLURMD_NODENAME": node, "SLURM_JOB_NODELIST": node, "SLURM_CPUS_ON_NODE": str(job.cpus),
                       "SLURM_JOB_PARTITION": job.partition, "SLURM_RESTART_COUNT": str(job.restarts), "SLURM_SUBMIT_DIR": job.folder}
        if "cpus-per-task" in job.options:
            environment["SLURM_CPUS_PER_TASK"] = job.options["cpus-per-task"]
        if job.index is not None:
            environment |= {"SLURM_ARRAY_JOB_ID": str(job.array), "SLURM_ARRAY_TASK_ID": str(job.index)}
        if not job.restarts:
            environment.pop("SLURM_RESTART_COUNT")
        try:
            with open(log, "ab" if job.options.get("open-mode") == "append" else "wb") as out:
                job.process = subprocess.Popen([script], cwd=job.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                               start_new_session=True)
        except OSError:  # as slurmd, which can open neither the log nor enter the folder
            self.finish(job, "FAILED", number=1, code=LAUNCH_FAILED >> 8)
            job.signal = LAUNCH_FAILED & 0xFF

    def watch(self, job):
        ran = self.now() - job.started
        limit = job.seconds
        if self.run_jobs:
            status = job.process.poll()
        else:
            status = 0 if ran >= self.duration(job) and (limit is None or self.duration(job) <= limit) else None
        if status is not None:
            again = job.killing and job.killing[2]
            state = job.killing[0] if job.killing else "COMPLETED" if status == 0 else "FAILED"
            self.finish(job, state, code=max(status, 0), number=max(-status, 0))
            if again:
                self.queue_again(job)
        elif job.killing and self.now() >= job.killing[1]:
            self.kill(job)
            if not self.run_jobs:
                state, _, again = job.killing
                self.finish(job, state, number=9)
                if again:
                    self.queue_again(job)
        elif limit is not None and not job.killing:
            warning = re.fullmatch(r"(?:([BR]):)?(\w+)@(\d+)", job.options.get("signal", ""))
            if warning and not job.warned and ran >= limit - int(warning[3]):
                job.warned = True
                if self.run_jobs:
                    send(job.process.pid, getattr(signal, "SIG" + warning[2].removeprefix("SIG")))
            if ran >= limit:
                self.note(job, f"slurmstepd-{job.node}: error: *** JOB {job.number} ON {job.node} CANCELLED AT 2026-01-01T00:00:00 "
                               "DUE TO TIME LIMIT ***")
                self.end(job, "TIMEOUT", self.kill_wait)

    def note(self, job, text):
        if self.run_jobs and "output" in job.options:
            values = {"j": str(job.number), "A": str(job.array), "a": str(job.index or 0), "x": job.name, "N": job.node, "%": "%"}
            with open(pathlib.Path(job.folder, re.sub("%(.)", lambda found: values[found[1]], job.options["output"])), "a") as log:
                log.write(text + "\n")

    def end(self, job, state, grace, again=False):
        """SIGTERM to all its processes now, SIGKILL later."""
        if job.state != "RUNNING" or job.killing:
            return
        job.killing = (state, self.now() + grace, again)
        if self.run_jobs:
            for pid in descendants(job.process.pid):
                send(pid, signal.SIGCONT)
                send(pid, signal.SIGTERM)

    def kill(self, job):
        if job.process and job.process.poll() is None:
            for pid in descendants(job.process.pid):
                send(pid, signal.SIGKILL)

    def finish(self, job, state, code=0, number=0):
        job.state, job.reason, job.ended, job.exit_code, job.signal = state, "None", self.now(), code, int(number)
        if state == "FAILED":
            job.reason = "JobLaunchFailure" if number else "NonZeroExitCode"
        job.killing = None

    def queue_again(self, job):
        job.history.append(self.accounting_row(job))
        if job.process:
            job.process.wait()
        job.state, job.reason, job.begin, job.node, job.ended = "PENDING", "BeginTime", self.now() + self.requeue_delay, "", None
        job.process = None
        job.restarts += 1

    # --- the commands ---

    def answer(self, request, out):
        name, argv = request["name"], request["argv"]

        def reply(**what):
            out.write(json.dumps(what).encode() + b"\n")
            out.flush()

        with self.lock:
            self.calls.append((self.now(), name, argv))
            fault = next((one for one in self.faults if one["command"] == name and one["times"] > 0 and argv != ["--version"]), None)
            if fault:
                fault["times"] -= 1
        while True:
            try:
                with self.lock:
                    text = getattr(self, name)(request) if not fault or fault["accepted"] else ""
                if fault:
                    raise Refused(fault["text"])
                reply(out=text, code=0)
            except Refused as refused:
                words = "".join(f"{name}: error: {line}\n" for line in str(refused).splitlines())
                if fault and fault["seconds"]:
                    time.sleep(fault["seconds"])
                if BUSY in words and (not fault or fault["seconds"]):
                    reply(err=words)
                    if not self.stopping.wait(1.0):
                        fault = None
                        continue
                reply(err=words, code=fault["code"] if fault else 1)
            return

    def alive(self):
        """The jobs that Slurm has in its memory."""
        return [job for job in self.jobs.values() if job.ended is None or self.now() - job.ended <= self.min_job_age]

    def sbatch(self, request):
        argv = list(request["argv"])
        if argv == ["--version"]:
            return f"slurm-wlm {self.version}\n"
        long = {"parsable": 0, "requeue": 0, "no-requeue": 0, "hold": 0, "exclusive": 0, "oversubscribe": 0, "no-kill": 0,
                **dict.fromkeys(("job-name", "comment", "open-mode", "signal", "output", "error", "input", "time", "mem", "mem-per-cpu",
                                 "cpus-per-task", "nodes", "ntasks", "partition", "account", "qos", "constraint", "gres", "gpus", "exclude",
                                 "array", "chdir", "export", "nice", "dependency", "licenses", "nodelist", "begin", "reservation", "wckey",
                                 "mail-type"), 1)}
        short = {"J": "job-name", "o": "output", "e": "error", "i": "input", "t": "time", "c": "cpus-per-task", "N": "nodes", "n": "ntasks",
                 "p": "partition", "A": "account", "q": "qos", "C": "constraint", "G": "gpus", "x": "exclude", "a": "array", "D": "chdir",
                 "H": "hold", "d": "dependency", "w": "nodelist", "b": "begin", "L": "licenses"}
        options, rest = options_of(argv, short, long)
        cwd = pathlib.Path(request["cwd"])
        try:
            script = (cwd / rest[0]).read_text() if rest else request["input"]
        except OSError:
            raise Refused(f"Unable to open file {rest[0]}") from None
        if not script.startswith("#!"):
            raise Refused("This does not look like a batch script.  The first\n"
                          "line must start with #! followed by the path to an interpreter.")
        partition = options.get("partition", next(iter(self.partitions)))
        if partition not in self.partitions:
            raise Refused(f"invalid partition specified: {partition}\nBatch job submission failed: Invalid partition name specified")
        if not self.partitions[partition].available:
            raise Refused("Batch job submission failed: Required partition not available (inactive or drain)")
        if self.accounts is not None and options.get("account") not in (None, *self.accounts):
            raise Refused("Batch job submission failed: Invalid account or account/partition combination specified")
        if self.qos is not None and options.get("qos") not in (None, *self.qos):
            raise Refused("Batch job submission failed: Invalid qos specification")
        try:
            seconds = seconds_of(options["time"]) if "time" in options else self.partitions[partition].seconds
        except (ValueError, IndexError):
            raise Refused("Invalid --time specification") from None
        longest = self.partitions[partition].seconds
        if longest is not None and (seconds is None or seconds > longest):
            raise Refused("Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)")
        indices = [None]
        if "array" in options:
            indices = []
            for part in options["array"].partition("%")[0].split(","):
                first, _, last = part.partition("-")
                indices += range(int(first), int(last or first) + 1)
            if max(indices) >= self.max_array_size:
                raise Refused("Batch job submission failed: Invalid job array specification")
        waiting = [job for job in self.jobs.values() if not job.over]
        if self.max_submit is not None and len(waiting) + len(indices) > self.max_submit:
            raise Refused(SUBMIT_LIMIT)
        if len(self.alive()) + len(indices) > self.max_job_count:
            raise Refused(BUSY)
        of_gres = (part.split(":")[-1] for part in options.get("gres", "").split(",") if part.startswith("gpu"))
        gpus = options.get("gpus") or next(of_gres, 0)
        array = self.next_number
        self.next_number += len(indices)
        made = [Job(number=array + i, array=array, index=index, name=options.get("job-name", "sbatch"), comment=options.get("comment", ""),
                    options=options, script=script, folder=options.get("chdir", request["cwd"]), environment=request["environment"],
                    submitted=self.now(), visible=self.now() + self.hidden_seconds, cpus=int(options.get("cpus-per-task", 1)),
                    memory_mb=megabytes_of(options["mem"]) if "mem" in options else 0, gpus=int(gpus), seconds=seconds, partition=partition,
                    requeue="no-requeue" not in options, held="hold" in options, reason="JobHeldUser" if "hold" in options else "Priority")
                for i, index in enumerate(indices)]
        if not any(node.cpus >= made[0].cpus and node.memory_mb >= made[0].memory_mb and node.gpus >= made[0].gpus
                   for name, node in self.nodes.items() if name in self.allowed_nodes(made[0])):
            self.next_number = array
            raise Refused("Batch job submission failed: Requested node configuration is not available")
        self.jobs |= {job.number: job for job in made}
        return f"{array}\n" if "parsable" in options else f"Submitted batch job {array}\n"

    def chosen(self, options):
        """Jobs by -u, -n and -j, of those that squeue shows."""
        names = options["name"].split(",") if "name" in options else None
        ids = options["jobs"].split(",") if "jobs" in options else None
        users = options.get("user", str(os.getuid())).split(",")
        if str(os.getuid()) not in users and os.environ.get("USER") not in users:
            return []
        return [job for job in self.alive() if self.now() >= job.visible and (names is None or job.name in names) and
                (ids is None or job.id in ids or str(job.array) in ids)]

    def squeue(self, request):
        long = {"noheader": 0, "array": 0, "states": 1, "user": 1, "name": 1, "format": 1, "Format": 1, "jobs": 1}
        short = {"h": "noheader", "r": "array", "t": "states", "u": "user", "n": "name", "o": "format", "O": "Format", "j": "jobs"}
        options, rest = options_of(request["argv"], short, long)
        if rest:
            raise Refused(f"Unrecognized option: {rest[0]}")
        rows = self.chosen(options)
        if "states" not in options:
            rows = [job for job in rows if not job.over]
        elif options["states"] != "all":
            rows = [job for job in rows if job.state in options["states"].upper().split(",")]
        head = "" if "noheader" in options else "JOBID\n"
        return head + "".join(self.squeue_row(job, options) + "\n" for job in rows)

    def squeue_row(self, job, options):
        fields = {"i": job.id, "A": str(job.number), "T": job.state, "r": job.reason,
                  "R": job.reason if job.state == "PENDING" else job.node,
                  "k": job.comment or "(null)", "N": job.node, "j": job.name, "u": "root", "U": str(os.getuid()), "P": job.partition,
                  "l": duration_text(job.seconds), "M": duration_text((job.ended or self.now()) - job.started if job.started else 0)}
        if "Format" not in options:
            return re.sub(r"%(\w)", lambda found: fields[found[1]], options.get("format", "%i %T"))
        values = {"jobarrayid": "i", "state": "T", "reason": "r", "comment": "k", "nodelist": "N", "name": "j", "partition": "P"}
        fields = {name: fields[letter] for name, letter in values.items()} | {"exit_code": str(job.exit_code << 8 | job.signal)}
        text = ""
        for part in options["Format"].split(","):
            name, colon, rest = part.partition(":")
            size, suffix = re.fullmatch(r"\.?(\d*)(.*)", rest).groups()
            width = int(size) if size else None if colon else 20
            text += fields[name.lower()][:width].ljust(width or 0) + suffix
        return text

    def accounting_row(self, job):
        ran = int((job.ended or self.now()) - job.started) if job.started is not None else 0
        return {"jobid": job.id, "state": job.state + (f" by {job.by}" if job.by else ""), "exitcode": f"{job.exit_code}:{job.signal}",
                "nodelist": job.node or "None assigned", "elapsedraw": str(ran), "jobname": job.name, "comment": job.comment}

    def sacct(self, request):
        if not self.accounting:
            raise Refused("Slurm accounting storage is disabled")
        long = {"allocations": 0, "duplicates": 0, "parsable2": 0, "noheader": 0, "jobs": 1, "format": 1, "name": 1, "user": 1,
                "starttime": 1, "uid": 1}
        short = {"X": "allocations", "D": "duplicates", "P": "parsable2", "n": "noheader", "j": "jobs", "o": "format", "u": "user",
                 "S": "starttime"}
        options, _ = options_of(request["argv"], short, long)
        ids = options["jobs"].split(",") if "jobs" in options else None
        fields = options["format"].lower().split(",")
        rows = []
        for job in self.jobs.values():
            if ids is None or job.id in ids or str(job.array) in ids:
                rows += (job.history if "duplicates" in options else []) + [self.accounting_row(job)]
        head = [] if "noheader" in options else [options["format"].replace(",", "|")]
        return "".join(line + "\n" for line in head + ["|".join(row[field] for field in fields) for row in rows])

    def scancel_one(self, job, by):
        if job.over:
            return
        job.by = by
        if job.state == "PENDING":
            job.started = job.ended = self.now()
            self.finish(job, "CANCELLED")
        else:
            self.end(job, "CANCELLED", self.kill_wait)

    def scancel(self, request):
        long = {"quiet": 0, "batch": 0, "full": 0, "signal": 1, "user": 1, "name": 1, "state": 1, "verbose": 0}
        short = {"Q": "quiet", "b": "batch", "f": "full", "s": "signal", "u": "user", "n": "name", "t": "state", "v": "verbose"}
        options, ids = options_of(request["argv"], short, long)
        options = {**options, "user": options.get("user", str(os.getuid()))}
        if not ids and not {"name", "state"} & set(options) and "user" not in request["argv"] and "-u" not in request["argv"]:
            raise Refused("No job identification provided")
        known = [job for job in self.alive() if not ids or job.id in ids or str(job.array) in ids]
        if "name" in options:
            known = [job for job in known if job.name == options["name"]]
        if "state" in options:
            known = [job for job in known if job.state == options["state"].upper()]
        for job in known:
            if "signal" not in options:
                self.scancel_one(job, str(os.getuid()))
            elif job.state == "RUNNING" and self.run_jobs:
                number = getattr(signal, "SIG" + options["signal"].removeprefix("SIG"))
                for pid in [job.process.pid] if "batch" in options else descendants(job.process.pid):
                    send(pid, number)
        missing = [one for one in ids if not any(one in (job.id, str(job.array)) for job in self.alive())]
        if missing and "quiet" not in options:
            raise Refused("\n".join(f"Kill job error on job id {one}: Invalid job id specified" for one in missing))
        return ""

    def scontrol(self, request):
        argv = [one for one in request["argv"] if not one.startswith("-")]
        if argv[:2] == ["show", "config"]:
            storage = "accounting_storage/slurmdbd" if self.accounting else "accounting_storage/none"
            values = {"AccountingStorageType": storage, "ClusterName": "scripted", "JobRequeue": "1", "KillWait": f"{self.kill_wait} sec",
                      "MaxArraySize": self.max_array_size, "MaxJobCount": self.max_job_count, "MinJobAge": f"{self.min_job_age} sec",
                      "PreemptMode": self.preempt_mode, "SLURM_VERSION": self.version}
            return ("Configuration data as of 2026-01-01T00:00:00\n" + "".join(f"{key:<24}= {value}\n" for key, value in values.items()) +
                    "\nSlurmctld(primary) at scripted is UP\n")
        if argv[:1] == ["ping"]:
            return "Slurmctld(primary) at scripted is UP\n"
        if argv[:1] in (["requeue"], ["hold"], ["release"]):
            for one in argv[1].split(","):
                job = self.job(one)
                if argv[0] == "requeue":
                    self.end(job, "PREEMPTED", 0, again=True)
                else:
                    job.held, job.reason = argv[0] == "hold", "JobHeldUser"
            return ""
        raise Refused(f"invalid entity:{' '.join(argv)} for keyword")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with ScriptedSlurm(sys.argv[1]) as slurm:
        print(f"export PATH={slurm.folder / 'bin'}:$PATH", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
