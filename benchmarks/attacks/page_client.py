"""A client that sends what no browser would, and reads what comes back to the end."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from dataclasses import dataclass, field

PATIENCE_S = 30.0
KIND = "multipart/form-data; boundary=XX"


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, object]:
        """The JSON in it."""
        found: dict[str, object] = json.loads(self.body)
        return found


CLOSED = Answer(0, {}, b"")


@dataclass
class Site:
    """One server and one visitor of it."""

    port: int
    cookie: str = ""
    csrf: str = ""
    job: str = ""  # a finished one
    other: Site | None = None  # another visitor of the same server
    locked: Site | None = None  # a server that asks for passwords; nobody is logged in
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The Host header."""
        return f"127.0.0.1:{self.port}"

    def enter(self, page: str = "/") -> Site:
        """Open the page."""
        answer = self.ask("GET", page)
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        if page == "/":
            self.csrf = str(self.ask("GET", "/api/session").data["csrf"])
        else:
            self.csrf = answer.body.decode().partition('name="csrf" value="')[2].partition('"')[0]
        return self

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """A request with a right Host and our cookie; ``headers`` replace and add."""
        return self.raw(self.head(method, path, len(body), **headers) + body)

    def act(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Answer:
        """As ``ask``, with our token."""
        return self.ask(method, path, body, **{"X_CSRF_Token": self.csrf} | headers)

    def head(self, method: str, path: str, length: int | None, **headers: str) -> bytes:
        """The head of a request; a header that is "" is left out."""
        sent = {"Host": self.host, "Connection": "close", "Cookie": self.cookie}
        if length is not None and method != "GET":
            sent["Content-Length"] = str(length)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items() if v)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def raw(self, *pieces: bytes, pause: float = 0.0) -> Answer:
        """Send the pieces, waiting between them, and read to the end."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as line:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    for number, piece in enumerate(pieces):
                        if number:
                            time.sleep(pause)
                        line.sendall(piece)
                return parsed(_read(line))
        except (ConnectionResetError, BrokenPipeError):
            return CLOSED

    def upload(self, *files: tuple[str, bytes], **texts: str) -> Answer:
        """Give files."""
        return self.act("/api/jobs", form(*files, **texts), Content_Type=KIND)

    def until_ended(self, job: str) -> dict[str, object]:
        """A job's state at its end."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            state = self.ask("GET", f"/api/jobs/{job}").data
            if state.get("state") in ("finished", "failed", "cancelled"):
                return state
            time.sleep(0.05)
        return {"state": "never ended"}


def form(*files: tuple[str, bytes], **texts: str) -> bytes:
    """A multipart form."""
    parts = [part(f'name="{name}"', value.encode()) for name, value in texts.items()]
    parts += [part(f'name="file"; filename="{name}"', data) for name, data in files]
    return b"".join(parts) + b"--XX--\r\n"


def part(disposition: str, data: bytes) -> bytes:
    """A part of a form."""
    head = f"--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + data + b"\r\n"


def parsed(data: bytes) -> Answer:
    """An answer from its bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1."):
        return CLOSED
    pairs = (line.partition(": ") for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


def _read(line: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while not _whole(found) and (piece := line.recv(1 << 16)):
            found += piece
    return found


def _whole(data: bytes) -> bool:
    """Whether an answer that says how long it is has come."""
    head, gap, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(gap and length) and len(body) >= int(length[1] if length else 0)
