"""What the tests of the remote cache share: users with keys, runs against a remote, and what must hold after each."""

import base64
import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import satdl  # noqa: E402
from hostile_server import EXECUTION_METADATA, OUTPUT_FILES, STDOUT_RAW, Server, encoded, fields  # noqa: E402

SECONDS = 150  # in which a run against whatever server must have ended
PASSWORD = "pass-5ecr3t-word"


class Run:
    """One that has ended: its exit code, output, and the artifacts of its store."""

    def __init__(self, code, out, err, store):
        self.code, self.out, self.err = code, out, err
        self.objects = {path.stem: path.read_bytes() for path in (store / "objects").rglob("*.h5")}

    def text(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class RemoteCase(satdl.Case):
    """Each user has a folder for settings and keys; `ci` publishes, and others trust her."""

    def setUp(self):
        super().setUp()
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
            self.environment.pop(name, None)
        self.dag = self.write("quick.yaml", satdl.DAG)
        self.public = {}
        self.make_user("ci")

    def make_user(self, name, *trusted, has_key=True):
        (self.folder / "users" / name).mkdir(parents=True)
        if has_key:
            self.public[name] = self.as_user(name, "cache", "keygen", name)[1].strip()
        for other in trusted:
            self.as_user(name, "cache", "trust", self.public[other])

    def environment_of(self, user, **more):
        return {**self.environment, "XDG_CONFIG_HOME": str(self.folder / "users" / user), "HOME": str(self.folder / "users" / user),
                **{key: str(value) for key, value in more.items()}}

    def as_user(self, user, *arguments, folder=None, environment=None, code=0):
        """(exit code, stdout, stderr)"""
        done = subprocess.run([satdl.BINARY / "satdl", *map(str, arguments)], cwd=folder or self.folder, timeout=SECONDS,
                              env=self.environment_of(user, **(environment or {})), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if code is not None:
            self.assertEqual(done.returncode, code, f"{arguments}\n{out}\n{err}")
        self.assertIsNone(satdl.CONTROL.search(done.stdout + done.stderr), f"{arguments}\n{out}\n{err}")
        return done.returncode, out, err

    def run_with(self, remote, *arguments, user="ci", store=None, environment=None, code=0):
        """A run of the DAG in a store, a new one by default."""
        store = pathlib.Path(store or tempfile.mkdtemp(dir=self.folder, prefix="store-"))
        place = ["--remote", remote] if remote else []
        done = self.as_user(user, "run", self.dag, *place, "--store", store, *arguments, environment=environment, code=code)
        run = Run(*done, store)
        run.store = store
        return run

    def begin(self, remote, store, *arguments, user="ci"):
        """The same, under way."""
        process = subprocess.Popen([satdl.BINARY / "satdl", "run", self.dag, "--remote", remote, "--store", store, *map(str, arguments)],
                                   cwd=self.folder, env=self.environment_of(user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def wait_for(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def truth(self):
        """The artifacts of a run without a remote, by key; and the key of each stage."""
        if not hasattr(self, "local"):
            self.local = self.run_with(None, "-q", store=self.folder / "local")
            links = (self.folder / "local/results/quick").glob("*.h5")
            self.keys = {link.stem: pathlib.Path(os.readlink(link)).stem for link in links}
            self.assertEqual(set(self.keys), set(satdl.STAGES))
            self.assertEqual(set(self.keys.values()), set(self.local.objects))
        return self.local.objects

    def published(self, user="ci", **how):
        """What a server has after a user's run: path -> bytes."""
        with Server(**how) as server:
            run = self.run_with(server.url, user=user)
            self.check(run)
            self.assertEqual(len(server.stored), 2 * len(satdl.STAGES), run.text())
            return dict(server.stored)

    def check(self, run, code=0):
        """No byte is another one than that of a local run, and the target is there."""
        truth = self.truth()
        self.assertEqual(run.code, code, run.text())
        for key, data in run.objects.items():
            self.assertEqual(data, truth.get(key), f"the artifact of {key} is not a local run's\n{run.text()}")
        if code == 0:
            self.assertIn(self.keys["verdict"], run.objects, run.text())
        self.assertEqual(list((run.store / "tmp").glob("*")) if (run.store / "tmp").exists() else [], [], run.text())

    def blob_of(self, stored, stage):
        """"cas/..." of a stage, from its record."""
        return "cas/" + line_of(text_of(stored[f"ac/{self.keys[stage]}"]), "Sha256")

    def private_key(self, user):
        return (self.folder / "users" / user / "satdl/signing-key").read_text().strip()

    def signature(self, user, text):
        """ed25519 by openssl: what satdl itself would write into a line `Sig`."""
        _, name, seed = self.private_key(user).split(":")
        with tempfile.TemporaryDirectory() as folder:
            key, message = pathlib.Path(folder, "key"), pathlib.Path(folder, "message")
            key.write_bytes(bytes.fromhex("302e020100300506032b657004220420") + base64.b64decode(seed))  # PKCS #8
            message.write_bytes(text)
            made = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-keyform", "DER", "-in", message],
                                  stdout=subprocess.PIPE, check=True).stdout
        return f"{name}:{base64.b64encode(made).decode()}"

    def record(self, user, lines, header):
        """An ActionResult as satdl writes it, of whatever lines; `user`: who signs it, or None."""
        text = "".join(f"{name}: {value}\n" for name, value in lines.items()).encode()
        if user:
            text += f"Sig: {self.signature(user, text)}\n".encode()
        return in_action_result(text + b"\n" + header)


def side_by_side(case, scenarios):
    """Calls each function of (name, function); reports all that failed."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        futures = {name: pool.submit(function) for name, function in scenarios}
    for name, future in futures.items():
        with case.subTest(name):
            future.result()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def in_action_result(text):
    return encoded([(OUTPUT_FILES, encoded([(1, b"outcome.h5"), (2, encoded([(1, b"0" * 64), (2, 1)]))])), (STDOUT_RAW, text),
                    (EXECUTION_METADATA, encoded([(1, b"satdl")]))])


def text_of(record):
    """The text in a record's ActionResult."""
    return dict(fields(record))[STDOUT_RAW]


def with_text(record, text):
    """Another one in its place."""
    return encoded([(number, text if number == STDOUT_RAW else value) for number, value in fields(record)])


def line_of(text, name):
    return next(line.split(": ", 1)[1] for line in text.decode().split("\n\n")[0].splitlines() if line.startswith(name + ": "))


def lines_of(text):
    """Name -> value, without the signatures; and what follows them."""
    lines, header = text.split(b"\n\n", 1)
    pairs = (line.split(": ", 1) for line in lines.decode().splitlines())
    return {name: value for name, value in pairs if name != "Sig"}, header
