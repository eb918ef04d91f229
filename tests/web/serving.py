"""A page on a real port, a browser of few words, and a process that answers without an engine."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lungscan.errors import Code, MachineError
from lungscan.layout import case_folder
from lungscan.opening.apart import Failure, Stopped
from lungscan.types import InputFile
from lungscan_web.jobs.limits import Limits
from lungscan_web.jobs.messages import (
    Began,
    Ended,
    Filed,
    Finished,
    Found,
    FoundCase,
    Message,
    Scored,
    Taken,
    Task,
)
from lungscan_web.main import make_server
from lungscan_web.server.services import open_services
from lungscan_web.server.settings import WebSettings

WAIT_S = 30.0
SMALL = Limits(
    upload_bytes=2_000_000, files=5, members=50, jobs_in_hand=3, jobs_kept=5, jobs_waiting=8,
    at_once=1, free_bytes=1, stall_seconds=1, head_seconds=1, absent_seconds=60,
)  # fmt: skip
ANSWER = {
    "name": "x", "file": "x", "kind": "field", "status": "ok", "headline": "Benign lung",
    "files": [{"kind": "field", "thumbnail": "thumbnail-0.jpg", "overlay": None}],
    "evidence": [], "classes": [],
}  # fmt: skip


@dataclass
class Rehearsal:
    """How fake processes behave."""

    hold: threading.Event = field(default_factory=threading.Event)  # jobs wait for it
    fail: str = ""  # or they fail with these words
    deaf: bool = False  # they do not stop when asked
    none: bool = False  # or there are none
    made: list[FakeProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hold.set()

    def start(self) -> FakeProcess:
        """A process, as the desk starts one."""
        if self.none:
            raise MachineError("No process can be started.")
        self.made.append(FakeProcess(self))
        return self.made[-1]


class FakeProcess:
    """Answers each file of a task as one case."""

    def __init__(self, plan: Rehearsal) -> None:
        self._plan, self._ended = plan, threading.Event()
        self.task: Task | None = None
        self.alive = True

    def begin(self, task: Task) -> None:
        """See ``Apart.begin``."""
        self.task = task

    def stop(self) -> None:
        """See ``Apart.stop``."""
        if self._plan.deaf:
            threading.Timer(0.3, self.kill).start()
        else:
            self.kill()

    def kill(self) -> None:
        """See ``Apart.kill``."""
        self.alive = False
        self._ended.set()

    def close(self) -> None:
        """See ``Apart.close``."""
        self.kill()

    def events(self) -> Iterator[Message]:
        """See ``Apart.events``."""
        assert self.task is not None
        files = [p for path in self.task.paths for p in _files(path)]
        out = self.task.out
        cases = [
            FoundCase(
                f"key-{n}", path.stem, "field", (InputFile(path, path.name, "field"),),
                Filed(case_folder(out, f"key-{n}"), "tiny"),
            )
            for n, path in enumerate(files)
        ]  # fmt: skip
        yield Found(tuple(cases))
        yield Began("tiny", out)
        for case in cases:
            yield Taken(case.key)
            yield Scored(case.key, 1, 4)
            while not self._plan.hold.is_set() and not self._ended.is_set():
                time.sleep(0.01)
            if self._ended.is_set():
                yield Stopped()
                return
            if self._plan.fail:
                yield Failure(self._plan.fail.format(folder=self.task.out.parent), Code.IO)
                return
            self._file(case)
            yield Ended(
                case.key, case.name, "field", "ok", "Benign lung", "0.98", "#009e73", True,
                case.filed,
            )  # fmt: skip
        yield Finished(0.1)
        self.alive = False

    def _file(self, case: FoundCase) -> None:
        assert self.task is not None
        view = self.task.view / case.key
        view.mkdir(parents=True)
        (view / "answer.json").write_text(json.dumps(ANSWER | {"name": case.name}))
        (view / "thumbnail-0.jpg").write_bytes(b"\xff\xd8\xff")
        out = self.task.out / "cases" / case.key
        out.mkdir(parents=True)
        for name in ("case.json", "report.pdf", "tiles.csv"):
            (out / name).write_bytes(name.encode() * 100)
        (self.task.out / "cases.csv").write_bytes(b"case_id\r\n")


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


@dataclass
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON in it."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The text in it."""
        return self.body.decode("utf-8", "replace")

    @property
    def why(self) -> tuple[str, str]:
        """Code and words of a refusal."""
        error = self.data["error"]
        return error["code"], error["message"]


class Browser:
    """Keeps a cookie and the page's token, as a browser and our scripts do."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie, self.csrf = port, "", ""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request, on a connection of its own."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie and "Cookie" not in sent:
            sent["Cookie"] = self.cookie
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            reply = Reply(
                answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            )
        finally:
            connection.close()
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        """GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: bytes = b"", **headers: str) -> Reply:
        """POST with our token."""
        return self.ask("POST", path, body, **{"X_CSRF_Token": self.csrf} | headers)

    def enter(self) -> Self:
        """Open the page."""
        assert self.get("/").status == 200
        self.csrf = self.get("/api/session").data["csrf"]
        return self

    def upload(self, *files: tuple[str, bytes], **texts: str) -> Reply:
        """Give files, as the page's form does."""
        body, kind = form(*files, **texts)
        return self.post("/api/jobs", body, Content_Type=kind)

    def job(self, *files: tuple[str, bytes]) -> str:
        """Give files; the job's number."""
        reply = self.upload(*(files or (("x.png", b"picture"),)))
        assert reply.status == 201, reply.text
        number: str = reply.data["job"]
        return number

    def state(self, job: str) -> Any:
        """How far a job is."""
        return self.get(f"/api/jobs/{job}").data

    def until(self, job: str, *states: str) -> Any:
        """Its state, once it is one of these."""
        return wait(lambda: found if (found := self.state(job))["state"] in states else None)


def form(*files: tuple[str, bytes], **texts: str) -> tuple[bytes, str]:
    """A multipart form and its content type."""
    parts = [_part(f'name="{name}"', value.encode()) for name, value in texts.items()]
    parts += [_part(f'name="file"; filename="{name}"', data) for name, data in files]
    return b"".join(parts) + b"--XX--\r\n", "multipart/form-data; boundary=XX"


def _part(disposition: str, data: bytes) -> bytes:
    head = f"--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def wait(look: Callable[[], Any]) -> Any:
    """What ``look`` finds, once it finds something."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


class Page:
    """A page that is open within the block."""

    def __init__(
        self, rehearsal: Rehearsal | None = None, limits: Limits = SMALL, **settings: Any
    ) -> None:
        """Without a rehearsal the engine answers."""
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.port: int = self._socket.getsockname()[1]
        self.settings = WebSettings(limits=limits, port=self.port, **settings)
        more = {"start": rehearsal.start} if rehearsal else {}
        self.services = open_services(self.settings, **more)
        self.server = make_server(self.settings, self.port, self.services)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        wait(lambda: self.server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        self._socket.close()

    def _serve(self) -> None:
        self.server.install_signal_handlers = lambda: None
        asyncio.run(self.server.serve(sockets=[self._socket]))

    def browser(self) -> Browser:
        """Another visitor, who has opened the page."""
        return Browser(self.port).enter()

    def raw(self, data: bytes, pause: float = 0.0) -> bytes:
        """What a connection gets for these bytes, to its end."""
        with socket.create_connection(("127.0.0.1", self.port), WAIT_S) as line:
            line.sendall(data)
            time.sleep(pause)
            line.shutdown(socket.SHUT_WR) if not pause else None
            found = b""
            try:
                while piece := line.recv(65536):
                    found += piece
            except (ConnectionResetError, BrokenPipeError):
                pass
        return found
