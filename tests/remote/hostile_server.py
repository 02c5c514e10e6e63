"""A cache server on loopback, for as long as no fault is set an honest one; a fault is what it does instead, to some requests.

    with Server() as server:
        server.fault("GET", "cas/", short)             to all of these requests
        server.fault("PUT", "ac/", status(500), 2)     to the first two

An honest server keeps bytes by path, knows no user, and checks nothing. With `like_bazel_remote` it checks what bazel-remote does."""

import gzip
import hashlib
import http.server
import re
import socket
import struct
import threading
import time

MOST_SECONDS = 90  # of a fault that never ends by itself: a client that waits longer has failed its test
NAME = re.compile(r"/(?:ac|cas)/[0-9a-f]{64}")


class Missing(Exception):
    """There is nothing that a fault could spoil: 404, as by an honest server."""


class Exchange:
    """A request, and the means to answer it in any way."""

    def __init__(self, server, handler):
        self.server, self.handler = server, handler
        self.method, self.path = handler.command, handler.path
        self.length = int(handler.headers.get("Content-Length", 0))
        self.stored = server.stored.get(self.path.lstrip("/"))

    @property
    def honest(self):
        """What an honest server would send."""
        if self.stored is None:
            raise Missing
        return self.stored

    def body(self):
        return self.handler.rfile.read(self.length)

    def answer(self, status, body=b"", headers=(), length=None):
        """`length`: another one than the body's."""
        length = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {length}"]
        self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if self.method == "HEAD" else body))

    def raw(self, data):
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def close(self):
        self.handler.close_connection = True

    def reset(self):
        """The client's next call fails with ECONNRESET."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def drip(self, data, seconds):
        """Byte by byte, until the client leaves or the server ends."""
        end = time.monotonic() + MOST_SECONDS
        for byte in data:
            self.raw(bytes([byte]))
            if self.server.ended.wait(seconds) or time.monotonic() > end:
                break
        self.close()

    def stall(self):
        self.server.ended.wait(MOST_SECONDS)
        self.close()


# --- faults of answers ---

def short(exchange):
    exchange.answer(200, exchange.honest[:len(exchange.honest) // 2], length=len(exchange.honest))
    exchange.close()


def long(exchange):
    exchange.answer(200, exchange.honest + b"and more", length=len(exchange.honest) + 8)


def long_behind_its_length(exchange):
    """What follows the body would be the answer to the next request on this connection."""
    exchange.answer(200, exchange.honest + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", length=len(exchange.honest))


def endless(exchange):
    exchange.raw(b"HTTP/1.1 200 OK\r\n\r\n")
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end and not exchange.server.ended.is_set():
        exchange.raw(bytes(1 << 16))
    exchange.close()


def slow(exchange):
    exchange.answer(200, length=len(exchange.honest))
    exchange.drip(exchange.honest, 1)


def stalled(exchange):
    exchange.stall()


def stalled_in_the_middle(exchange):
    exchange.answer(200, exchange.honest[:len(exchange.honest) // 2], length=len(exchange.honest))
    exchange.stall()


def slow_headers(exchange):
    exchange.drip(b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 10000, 1)


def endless_headers(exchange):
    exchange.raw(b"HTTP/1.1 200 OK\r\n")
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end and not exchange.server.ended.is_set():
        exchange.raw(b"X-More: and more\r\n" * 1000)
    exchange.close()


def garbage(exchange):
    exchange.raw(b"\x16\x03\x01\x00\xff\x00 not HTTP \x1b[31m\r\n\r\n")
    exchange.close()


def garbage_headers(exchange):
    exchange.raw(b"HTTP/1.1 200 OK\r\n: \x00\xff\r\nno colon\r\nContent-Length: many\r\n\r\n" + exchange.honest)
    exchange.close()


def body_alone(exchange):
    """As HTTP 0.9 would."""
    exchange.raw(exchange.honest)
    exchange.close()


def two_lengths(exchange):
    exchange.answer(200, exchange.honest, [("Content-Length", 1)])
    exchange.close()


def huge_length(exchange):
    exchange.answer(200, exchange.honest, length=1 << 50)
    exchange.close()


def impossible_length(exchange):
    exchange.answer(200, exchange.honest, length="99999999999999999999999")
    exchange.close()


def negative_length(exchange):
    exchange.answer(200, exchange.honest, length=-1)
    exchange.close()


def empty(exchange):
    exchange.answer(200)


def zip_bomb(exchange):
    """64 MiB of zeros, in 64 KiB."""
    exchange.answer(200, gzip.compress(bytes(1 << 26)), [("Content-Encoding", "gzip")])


def reset_in_the_middle(exchange):
    exchange.answer(200, exchange.honest[:len(exchange.honest) // 2], length=len(exchange.honest))
    exchange.reset()


def status(code, *headers):
    def fault(exchange):
        if exchange.method == "PUT":
            exchange.body()
        exchange.answer(code, b"" if code == 204 else b"<html>an error page \x1b[31m of the server</html>", headers)
    return fault


def redirect(to, code=302):
    """`to`: an address, or a function of the path that gives one."""
    return lambda exchange: status(code, ("Location", to(exchange.path) if callable(to) else to))(exchange)


def changed(change):
    """The honest bytes, changed."""
    return lambda exchange: exchange.answer(200, change(exchange.honest))


def flipped(data, at=-1):
    """With one bit of one byte turned."""
    copy = bytearray(data)
    copy[at] ^= 1
    return bytes(copy)


def hung_up(exchange):
    """Without a word."""
    exchange.reset()


# --- faults of uploads ---

def forgotten(exchange):
    exchange.body()
    exchange.answer(201)


def kept_torn(exchange):
    """As after a power cut: half of it, of the right name."""
    body = exchange.body()
    exchange.server.stored[exchange.path.lstrip("/")] = body[:len(body) // 2]
    exchange.answer(201)


def unread(exchange):
    """The client's send buffer fills up."""
    exchange.stall()


def refused_before_the_end(exchange):
    exchange.handler.rfile.read(min(exchange.length, 100))
    exchange.answer(413)
    exchange.reset()


def reset_in_the_middle_of_an_upload(exchange):
    exchange.handler.rfile.read(exchange.length // 2)
    exchange.reset()


# --- bazel-remote ---

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7f) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a varint of more than ten bytes")


def fields(data):
    """[(number, value)] of a protobuf message; a value is an int or bytes. Raises ValueError or IndexError."""
    found, at = [], 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            if at + size > len(data):
                raise ValueError("a field beyond the end")
            value, at = data[at:at + size], at + size
        if number == 0:
            raise ValueError("field 0")
        found.append((number, value))
    return found


def encoded(message):
    """The opposite of fields()."""
    def number(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7f | 0x80)
            value >>= 7
        return bytes([*out, value])
    return b"".join(number(field << 3) + number(value) if isinstance(value, int) else number(field << 3 | 2) + number(len(value)) + value
                    for field, value in message)


# Numbers of fields in build.bazel.remote.execution.v2, as its .proto file has them.
OUTPUT_FILES, STDOUT_RAW, EXECUTION_METADATA = 2, 5, 9  # of ActionResult
FILE_PATH, FILE_DIGEST = 1, 2                           # of OutputFile
WORKER = 1                                              # of ExecutedActionMetadata


def named_blobs(record):
    """[(sha256, bytes)] of the files of an ActionResult."""
    blobs = []
    for number, value in fields(record):
        if number == OUTPUT_FILES:
            digest = dict(fields(dict(fields(value))[FILE_DIGEST]))
            blobs.append((digest[1].decode("ascii"), digest.get(2, 0)))
    return blobs


def with_worker(record):
    """As bazel-remote stores it: with the field `worker` if that was empty."""
    message = fields(record)
    for at, (number, value) in enumerate(message):
        if number == EXECUTION_METADATA and dict(fields(value)).get(WORKER):
            return record
        if number == EXECUTION_METADATA:
            message[at] = (number, encoded([*fields(value), (WORKER, b"127.0.0.1")]))
            return encoded(message)
    return encoded([*message, (EXECUTION_METADATA, encoded([(WORKER, b"127.0.0.1")]))])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, like_bazel_remote=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.like_bazel_remote = like_bazel_remote
        self.stored = {}     # "ac/KEY", "cas/SHA256" -> bytes
        self.requests = []   # (method, path, headers)
        self.faults = []     # [method, beginning of the path, fault, how often]
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that leaves is no error here."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, method, beginning, fault, times=None):
        self.faults.append([method, f"/{beginning}", fault, times])

    def taken_fault(self, method, path):
        with self.lock:
            for one in self.faults:
                if one[0] == method and path.startswith(one[1]) and one[3] != 0:
                    one[3] = one[3] and one[3] - 1
                    return one[2]
        return None

    def asked(self, method, beginning):
        """The paths of such requests, in their order."""
        return [path for one, path, _ in self.requests if one == method and path.startswith(f"/{beginning}")]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def begin(self):
        """None: a fault has answered."""
        self.server.requests.append((self.command, self.path, list(self.headers.items())))
        exchange = Exchange(self.server, self)
        fault = self.server.taken_fault(self.command, self.path)
        if fault is None:
            return exchange
        try:
            fault(exchange)
        except Missing:
            exchange.answer(404)
        return None

    def do_GET(self):
        exchange = self.begin()
        if exchange is None:
            return
        data = exchange.stored
        if data is not None and self.server.like_bazel_remote and self.path.startswith("/ac/"):
            if any(f"cas/{blob}" not in self.server.stored for blob, _ in named_blobs(data)):
                data = None
        exchange.answer(404 if data is None else 200, data or b"")

    do_HEAD = do_GET

    def do_PUT(self):
        exchange = self.begin()
        if exchange is None:
            return
        data = exchange.body()
        if len(data) < exchange.length:
            return
        if not NAME.fullmatch(self.path) or "Transfer-Encoding" in self.headers:
            exchange.answer(400)
            return
        if self.server.like_bazel_remote:
            data = self.checked_as_by_bazel_remote(data)
        if data is not None:
            self.server.stored[self.path[1:]] = data
        exchange.answer(400 if data is None else 200)

    def checked_as_by_bazel_remote(self, data):
        if self.path.startswith("/cas/"):
            return data if hashlib.sha256(data).hexdigest() == self.path[5:] else None
        try:
            named_blobs(data)
            return with_worker(data)
        except (ValueError, IndexError, KeyError, TypeError):
            return None
