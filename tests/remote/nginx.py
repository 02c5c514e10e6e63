"""A real nginx, Debian's, as an unprivileged user on loopback, with the server block of docs/nginx-cache.conf.

`nginx.py install` unpacks Debian's package into the build folder, unless the machine has nginx: installing it would start a server on
port 80."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SITE = pathlib.Path(os.environ["SATDL_SOURCE_DIR"]) / "docs/nginx-cache.conf"
UNPACKED = pathlib.Path(os.environ["SATDL_BINARY_DIR"]) / "nginx"
USER, PASSWORD = "ci", "the-password-of-ci"
PR_SET_PDEATHSIG = 1

MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    proxy_temp_path {folder}/unused;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    include {folder}/site.conf;
}}
"""


def program():
    """None: there is no nginx."""
    if (UNPACKED / "usr/sbin/nginx").exists():
        return UNPACKED / "usr/sbin/nginx"
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def install():
    """Needs no root. The rename is last: an installation that was interrupted is made anew."""
    if program():
        return
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent) as scratch:
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "nginx"]
        if subprocess.run(download, cwd=scratch).returncode != 0:
            subprocess.run([*([] if os.getuid() == 0 else ["sudo", "-n"]), "apt-get", "-q", "update"], check=True)
            subprocess.run(download, cwd=scratch, check=True)
        [package] = pathlib.Path(scratch).glob("nginx_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, f"{scratch}/root"], check=True)
        os.rename(f"{scratch}/root", UNPACKED)


def die_with_parent():
    """In the child: it gets SIGTERM when the test dies, in whatever way."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def with_values(text, **values):
    """The directives of these names with other values; each is there once."""
    for name, value in values.items():
        text, count = re.subn(rf"^( *){re.escape(name)} [^;]*;", rf"\g<1>{name} {value};", text, flags=re.M)
        assert count == 1, f"{SITE} has {count} lines with {name}"
    return text


class Nginx:
    """As a context: a server that is ended with it. `root`: where its ac/ and cas/ are. With `tls` its certificate vouches for itself."""

    def __init__(self, tls=False):
        self.tls = tls

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="satdl-nginx-"))
        self.root = self.folder / "cache"
        self.as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        for one in (self.root, self.folder / "uploads"):
            one.mkdir()
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True, stdout=subprocess.PIPE, check=True).stdout
        (self.folder / "passwords").write_text(f"{USER}:{hashed}")
        self.certificate = self.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / "key.pem",
                        "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        (self.folder / "main.conf").write_text(MAIN.format(folder=self.folder))
        if self.as_user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "nobody", "nogroup")
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        """On another port than before: the one that was free a moment ago may be another program's by now, which is tried again."""
        for _ in range(5):
            self.port = free_port()
            site = with_values(SITE.read_text(), **{"listen": f"127.0.0.1:{self.port}{' ssl' if self.tls else ''}", "root": self.root,
                                                    "ssl_certificate": self.certificate, "ssl_certificate_key": self.folder / "key.pem",
                                                    "client_body_temp_path": self.folder / "uploads",
                                                    "auth_basic_user_file": self.folder / "passwords"})
            (self.folder / "site.conf").write_text(site)
            self.process = subprocess.Popen([program(), "-p", self.folder, "-e", self.folder / "error.log",
                                             "-c", self.folder / "main.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            preexec_fn=die_with_parent, **self.as_user)
            if self.answers():
                return
            self.stop()
        raise RuntimeError(f"nginx does not start:\n{(self.folder / 'error.log').read_text()}")

    def answers(self):
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.01)
        return False

    def stop(self):
        """The master ends its worker."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def stored(self, kind):
        """Name -> bytes: of `ac` or of `cas`."""
        folder = self.root / kind
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    def log(self):
        return (self.folder / "access.log").read_text()


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit(__doc__)
    install()
