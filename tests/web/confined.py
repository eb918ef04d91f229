"""Run where nothing can be written but TMPDIR: start the page, log in, send a picture, close it."""

from __future__ import annotations

import errno
import fcntl
import http.client
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41


class Visitor:
    """A browser of few words."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie, self.csrf = port, "", ""

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> str:
        """One request; keeps the cookie and the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, "Content-Type": kind}
        connection.request(method, path, body, {k: v for k, v in headers.items() if v})
        answer = connection.getresponse()
        text = answer.read().decode()
        if cookie := answer.headers.get("set-cookie"):
            self.cookie = cookie.partition(";")[0]
        if found := re.search(r'name="csrf" (?:content|value)="([^"]+)"', text):
            self.csrf = found[1]
        connection.close()
        return text

    def log_in(self) -> None:
        """With the form."""
        self.ask("GET", "/login")
        form = urlencode({"name": "kim", "password": "one two three", "csrf": self.csrf})
        self.ask("POST", "/login", form.encode(), "application/x-www-form-urlencoded")
        self.ask("GET", "/")

    def classify(self, picture: Path) -> str:
        """Its headline."""
        mark = secrets.token_hex(8)
        head = f'Content-Disposition: form-data; name="file"; filename="{picture.name}"'
        body = f"--{mark}\r\n{head}\r\n\r\n".encode() + picture.read_bytes()
        body += f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        job = json.loads(self.ask("POST", "/api/jobs", body, kind))["job"]
        while True:
            state = json.loads(self.ask("GET", f"/api/jobs/{job}"))
            if state["state"] in ("finished", "failed", "cancelled"):
                headline: str = (
                    state["cases"][0]["headline"] if state["cases"] else state["message"]
                )
                return headline
            time.sleep(0.2)


def loopback_up() -> None:
    """A new namespace's loopback is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))


def root_is() -> str:
    """Whether anything can be written beside TMPDIR."""
    try:
        (Path(__file__).parent / "written").touch()
    except OSError as error:
        return "read-only" if error.errno == errno.EROFS else str(error)
    return "writable"


def capabilities(process: int) -> int:
    """The set that a process could ever gain."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"CapBnd:\s*(\w+)", status)
    return int(found[1], 16) if found else -1


def main(picture: Path, arguments: list[str]) -> None:
    """Print what happened as JSON."""
    with subprocess.Popen(
        [sys.executable, "-m", "lungscan_cli", *arguments, "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        first = server.stderr.readline()
        found = re.search(r":(\d+)/", first)
        if not found:
            raise SystemExit(first + server.stderr.read())
        visitor = Visitor(int(found[1]))
        healthy = visitor.ask("GET", "/healthz").strip()
        visitor.log_in()
        answer = visitor.classify(picture)
        report = {"healthy": healthy, "root": root_is(), "capabilities": capabilities(server.pid)}
        server.terminate()
        server.stderr.read()
    left = [path.name for path in Path(os.environ["TMPDIR"]).iterdir()]
    sys.stdout.write(json.dumps({**report, "answer": answer, "left": left}))


if __name__ == "__main__":
    # Setting the loopback up needs a right that the confined command no longer has: it comes first.
    if sys.argv[1:] == ["loopback"]:
        loopback_up()
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
