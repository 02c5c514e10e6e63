"""A real Slurm of Debian's packages (slurmctld, slurmd, slurm-client, munge), private and on 127.0.0.1, for as long as a test needs it.

    with RealSlurm(nodes=2, cpus=4) as slurm:
        environment = slurm.environment()   # SLURM_CONF
        slurm.kill("n1")                    # SIGKILL, as if the machine had died; its jobs' processes too
        slurm.start("n1")

Everything lies under one temporary folder. The daemons are children of a keeper, a process that becomes the parent of whatever they leave
behind (PR_SET_CHILD_SUBREAPER): when its input ends, because the test stops it or died, it kills all processes below itself, by their ids,
and removes the folder. So nothing is left, and nothing of others is touched. Several can be there at once, on ports that the kernel gives.

More CPUs may be declared than the machine has: jobs then start sooner than they compute.
"""

import contextlib
import ctypes
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PR_SET_CHILD_SUBREAPER = 36


def is_installed():
    return all(shutil.which(name, path=PATH) for name in DAEMONS + COMMANDS)


def below(pid):
    """All processes below one, the deepest last."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry))
    found = list(children.get(pid, []))
    for one in found:
        found += children.get(one, [])
    return found


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def configuration(root, nodes, cpus, memory_mb, partitions, extra, ports):
    """slurm.conf. The times are short, so that a test sees soon what takes minutes at a site."""
    me = getpass.getuser()
    values = {
        "ClusterName": "loopback", "SlurmctldHost": "localhost(127.0.0.1)", "SlurmctldPort": ports[0],
        "SlurmUser": me, "SlurmdUser": me,
        "AuthType": "auth/munge", "AuthInfo": f"socket={root}/munge/socket,cred_expire=5", "CredType": "cred/munge",
        "CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny",
        "StateSaveLocation": f"{root}/state", "SlurmdSpoolDir": f"{root}/spool/%n", "TmpFS": "/tmp",
        "SlurmctldPidFile": f"{root}/run/slurmctld.pid", "SlurmdPidFile": f"{root}/run/%n.pid",
        "SlurmctldLogFile": f"{root}/log/slurmctld.log", "SlurmdLogFile": f"{root}/log/%n.log",
        "PlugStackConfig": f"{root}/plugstack.conf", "MailProg": "/bin/true",
        "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "SwitchType": "switch/none", "MpiDefault": "none",
        "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core_Memory", "DefMemPerCPU": 100,
        "SlurmdParameters": "config_overrides", "EnforcePartLimits": "ALL",
        "SchedulerType": "sched/backfill", "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1",
        "JobAcctGatherType": "jobacct_gather/linux", "JobAcctGatherFrequency": "task=1", "JobAcctGatherParams": "OverMemoryKill",
        "AccountingStorageType": "accounting_storage/none",
        "ReturnToService": 2, "SlurmctldTimeout": 30, "SlurmdTimeout": 5, "MessageTimeout": 5, "InactiveLimit": 0, "KillWait": 2,
        "CompleteWait": 0, "MinJobAge": 300, "JobRequeue": 1,
    } | extra
    lines = [f"{name}={value}" for name, value in values.items()]
    lines += [f"NodeName=n{i} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[i]} CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN"
              for i in range(1, nodes + 1)]
    lines += [f"PartitionName={name} {options}" for name, options in partitions.items()]
    return "\n".join(lines) + "\n"


class RealSlurm(contextlib.AbstractContextManager):
    """`extra`: lines of slurm.conf, by their names. `partitions`: name -> its options; the first is the default one."""

    def __init__(self, nodes=2, cpus=8, memory_mb=8000, partitions=None, extra=None):
        self.given = {"nodes": nodes, "cpus": cpus, "memory_mb": memory_mb, "extra": extra or {},
                      "partitions": partitions or {"main": "Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO"}}

    def __enter__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="satdl-slurm-"))
        self.keeper = subprocess.Popen([sys.executable, __file__, "keep", str(self.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, start_new_session=True)
        try:
            self.ask(start="munged")
            for attempt in range(3):  # another program may have taken a port meanwhile
                conf = configuration(root=self.root, ports=free_ports(self.given["nodes"] + 1), **self.given)
                (self.root / "slurm.conf").write_text(conf)
                try:
                    self.start("slurmctld")
                    for i in range(self.given["nodes"]):
                        self.start(f"n{i + 1}")
                    self.wait_for_nodes()
                    break
                except RuntimeError:
                    if attempt == 2:
                        raise
                    for name in ["slurmctld", *(f"n{i + 1}" for i in range(self.given["nodes"]))]:
                        self.ask(kill=name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()

    def environment(self, base=None):
        return {**(os.environ if base is None else base), "SLURM_CONF": str(self.root / "slurm.conf")}

    def ask(self, **what):
        self.keeper.stdin.write(json.dumps(what) + "\n")
        self.keeper.stdin.flush()
        answer = json.loads(self.keeper.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def call(self, *argv, check=True):
        """One of Slurm's commands: what it prints."""
        done = subprocess.run(argv, env=self.environment(), capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"{argv}: {done.stderr}")
        return done.stdout

    def wait_until(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{what} did not come within {seconds} s\n{self.logs()}")
            time.sleep(0.05)

    def wait_for_nodes(self):
        want = self.given["nodes"]
        self.wait_until(lambda: len(set(self.call("sinfo", "-h", "-N", "-t", "idle,mixed,alloc", "-o", "%N", check=False).split())) == want,
                        "the nodes", 30)

    def start(self, daemon):
        """slurmctld, or a node's slurmd by the node's name."""
        self.ask(start=daemon)
        if daemon == "slurmctld":
            self.wait_until(lambda: "is UP" in self.call("scontrol", "ping", check=False), "the controller", 30)

    def kill(self, daemon, with_jobs=True):
        """SIGKILL. Of a node: with the processes of its jobs, unless they are to live on."""
        self.ask(kill=daemon, with_jobs=with_jobs)

    def job_processes(self, job):
        """Process ids of a job's program and all below it."""
        return self.ask(job=str(job))["pids"]

    def logs(self):
        return "\n".join(f"{path.name}: {line}" for path in sorted((self.root / "log").glob("*"))
                         for line in path.read_text(errors="replace").splitlines()[-8:])


# --- the keeper ---

class Keeper:
    def __init__(self, root):
        self.root, self.daemons = pathlib.Path(root), {}
        for name in ("munge", "state", "spool", "run", "log"):
            (self.root / name).mkdir()
        self.root.chmod(0o755)
        (self.root / "munge").chmod(0o711)
        (self.root / "plugstack.conf").write_text("")
        key = self.root / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))

    def command(self, name):
        if name == "munged":
            munge = self.root / "munge"
            return ["munged", "--foreground", f"--socket={munge}/socket", f"--key-file={munge}/key",
                    f"--log-file={self.root}/log/munged.log", f"--pid-file={self.root}/run/munged.pid",
                    f"--seed-file={munge}/seed", "--num-threads=2", "--force"]
        if name == "slurmctld":
            return ["slurmctld", "-D", "-f", f"{self.root}/slurm.conf"]
        (self.root / "spool" / name).mkdir(exist_ok=True)
        return ["slurmd", "-D", "-N", name, "-f", f"{self.root}/slurm.conf"]

    def start(self, name):
        with open(self.root / "log" / f"{name}.out", "ab") as log:
            environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH", "SATDL"))}
            self.daemons[name] = subprocess.Popen(self.command(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  start_new_session=True,
                                                  env={**environment, "PATH": PATH, "SLURM_CONF": f"{self.root}/slurm.conf"})
        if name == "munged":
            end = time.monotonic() + 10
            while not (self.root / "munge" / "socket").exists() and time.monotonic() < end and self.daemons[name].poll() is None:
                time.sleep(0.01)
            if not (self.root / "munge" / "socket").exists():
                raise RuntimeError("munged did not start: " + (self.root / "log" / f"{name}.out").read_text())
        return {}

    def steps(self, node):
        """The slurmstepd of a node's jobs: slurmd leaves them to the keeper."""
        found = []
        for pid in below(os.getpid()):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "slurmstepd" and self.spool_of(pid) == node:
                    found.append(pid)
        return found

    def spool_of(self, pid):
        """Of which node a step is: it stands in the environment of its job, and its sockets lie in the node's spool folder."""
        for child in [pid, *below(pid)]:
            with contextlib.suppress(OSError):
                for variable in pathlib.Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                    if variable.startswith(b"SLURMD_NODENAME="):
                        return variable.partition(b"=")[2].decode()
        return None

    def kill(self, name, with_jobs):
        steps = self.steps(name) if name in self.daemons and name.startswith("n") and with_jobs else []
        if (daemon := self.daemons.pop(name, None)) is not None:
            daemon.kill()
            daemon.wait()
        for step in steps:
            for pid in [step, *below(step)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return {}

    def job(self, number):
        wanted = f"SLURM_JOB_ID={number}".encode()
        pids = []
        for pid in below(os.getpid()):
            with contextlib.suppress(OSError):
                if wanted in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") and \
                        pathlib.Path(f"/proc/{pid}/comm").read_text().strip() != "slurmstepd":
                    pids.append(pid)
        return {"pids": pids}

    def answer(self, what):
        if "start" in what:
            return self.start(what["start"])
        if "kill" in what:
            return self.kill(what["kill"], what.get("with_jobs", True))
        return self.job(what["job"])

    def end(self):
        """Kills what is below until there is nothing: a process that dies leaves its children to the keeper."""
        while pids := below(os.getpid()):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0] != 0:
                    pass
            time.sleep(0.01)
        shutil.rmtree(self.root, ignore_errors=True)


def keep(root):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # its input's end is the one way to end it
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(root)
    try:
        for line in sys.stdin:
            try:
                answer = keeper.answer(json.loads(line))
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        pass
    finally:
        keeper.end()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "keep":
        sys.exit(__doc__)
    keep(sys.argv[2])
