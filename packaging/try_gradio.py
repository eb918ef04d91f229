"""Try the Gradio page where docs/gradio.md's two lines were run: answers, and what must be closed.

    python packaging/try_gradio.py PICTURE[::WORDS]...

Starts the page, sends each picture as a browser does, prints the answers, and ends with an error
when a picture gets none, or one without its WORDS, or when anything is open that must not be.
Standard library alone.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORT_WAIT_S = 60
REFUSED = {  # what no one may have, and how it must end
    "/config": 404, "/openapi.json": 404, "/docs": 404, "/monitoring": 404,
    "/gradio_api/info": 404, "/gradio_api/openapi.json": 404, "/gradio_api/dev/reload": 404,
    "/gradio_api/file=/etc/passwd": 403, "/gradio_api/file=../../etc/passwd": 403,
    "/gradio_api/file=http://192.0.2.1/": 403, "/gradio_api/proxy=http://192.0.2.1/": 404,
}  # fmt: skip


def free_port() -> int:
    """One that is free now."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port


class Page:
    """The page, as a program sees it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One request: its status and what came."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + PORT_WAIT_S
        while time.monotonic() < end:
            try:
                if self.ask("GET", "/")[0] == 200:
                    return
            except OSError:
                time.sleep(0.2)
        raise SystemExit("The Gradio page did not start.")

    def upload(self, picture: Path) -> str:
        """Where Gradio keeps it."""
        mark = secrets.token_hex(8)
        head = f'Content-Disposition: form-data; name="files"; filename="{picture.name}"'
        body = f"--{mark}\r\n{head}\r\n\r\n".encode() + picture.read_bytes()
        body += f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        status, data = self.ask("POST", "/gradio_api/upload", body, Content_Type=kind)
        if status != 200:
            raise SystemExit(f"{picture.name} was not taken: {status}")
        kept: str = json.loads(data)[0]
        return kept

    def classify(self, picture: Path, scale: str = "") -> str:
        """The last thing that the page says of a picture, without its markup."""
        kept, visitor = self.upload(picture), secrets.token_hex(5)
        file = {"path": kept, "orig_name": picture.name, "meta": {"_type": "gradio.FileData"}}
        task = {"data": [[file], "auto", scale], "fn_index": 0, "session_hash": visitor}
        kind = "application/json"
        self.ask("POST", "/gradio_api/queue/join", json.dumps(task).encode(), Content_Type=kind)
        _, data = self.ask("GET", f"/gradio_api/queue/data?session_hash={visitor}")
        events = [json.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")]
        done: list[dict[str, Any]] = [e for e in events if e["msg"] == "process_completed"]
        if not done or not done[0]["success"]:
            raise SystemExit(f"{picture.name} got no answer: {events[-1:]}")
        return re.sub(r"<[^>]+>", " ", done[0]["output"]["data"][0]).strip()


def must_be_closed(page: Page) -> None:
    """Ends the program where something is open."""
    found = {path: page.ask("GET", path)[0] for path in REFUSED}
    found["forged Host"] = page.ask("GET", "/", Host="evil.example")[0]
    found["another site"] = page.ask("POST", "/gradio_api/upload", Origin="http://evil.example")[0]
    wanted = {**REFUSED, "forged Host": 400, "another site": 403}
    print(f"closed: {sum(found[name] == wanted[name] for name in wanted)} of {len(wanted)}")
    if found != wanted:
        raise SystemExit({name: code for name, code in found.items() if code != wanted[name]})


def main(pictures: list[tuple[Path, str]]) -> None:
    """See above."""
    port = free_port()
    command = [sys.executable, "-m", "lungscan_gradio", "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, env=environment)
    try:
        page = Page(port)
        page.wait()
        must_be_closed(page)
        if "must be a number" not in page.classify(pictures[0][0], "99"):
            raise SystemExit("A pixel size of 99 µm was taken.")
        for picture, words in pictures:
            answer = " ".join(page.classify(picture).split())
            print(f"{picture.name}: {answer[:160]}")
            if words not in answer:
                raise SystemExit(f"{picture.name} was not answered by {words!r}: {answer}")
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    given = (argument.partition("::") for argument in sys.argv[1:])
    main([(Path(name), words) for name, _, words in given])
