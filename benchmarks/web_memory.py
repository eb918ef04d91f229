"""Memory of the page's process over hundreds of jobs that nobody has to compute.

    python benchmarks/web_memory.py [--jobs N]

Opens the page in a process of its own. One field is answered by the engine; every further job gets
a stand-in for its process, which tells and files what that one told and filed, so that all else of
a job is real: upload, turns, events, answers, files, deletion. The page's process is what could
grow; the engine runs in one that ends with its job (``benchmarks/web.py memory`` measures some).
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from web import FIELDS, Visitor, resident_mb

from lungscan.layout import case_folder
from lungscan_web.jobs.messages import Began, Ended, Filed, Found, Message, Task
from lungscan_web.jobs.ready import Process, start_process

KEPT_S = 2.0  # results are deleted soon, as hundreds would be over a day


class StandIn:
    """In the place of the process of a job."""

    alive = True
    first: tuple[Task, list[Message]] | None = None  # what the engine did, for all others

    def __init__(self) -> None:
        self._task: Task | None = None

    def begin(self, task: object) -> None:
        """Its task."""
        if not isinstance(task, Task):
            raise TypeError(task)
        self._task = task

    def events(self) -> Iterator[Message]:
        """What the first job told, or what the engine tells."""
        task = self._task
        if task is None:
            raise RuntimeError("it has no task")
        if StandIn.first is None:
            engine = start_process()
            engine.begin(task)
            messages = list(engine.events())
            StandIn.first = (_kept(task), messages)
            yield from messages
            return
        known, messages = StandIn.first
        for ours, theirs in ((known.out, task.out), (known.view, task.view)):
            shutil.copytree(ours, theirs, dirs_exist_ok=True)
        for message in messages:
            yield _of(message, task)

    def stop(self) -> None:
        """It has ended."""

    kill = close = stop


def _kept(task: Task) -> Task:
    """The first job's files, where they outlive it."""
    folder = Path(tempfile.mkdtemp())
    for name in ("out", "view"):
        shutil.copytree(getattr(task, name), folder / name)
    return Task((), folder / "out", folder / "view", task.model, task.mpp, task.pixels)


def _of(message: Message, task: Task) -> Message:
    """What was told of the first job, told of another."""

    def filed(there: Filed) -> Filed:
        return replace(there, folder=case_folder(task.out, there.folder.name))

    if isinstance(message, Found):
        (case,) = message.cases
        files = tuple(replace(file, path=task.paths[0]) for file in case.files)
        return Found((replace(case, files=files, filed=filed(case.filed)),))
    if isinstance(message, Began):
        return replace(message, out=task.out)
    return replace(message, filed=filed(message.filed)) if isinstance(message, Ended) else message


def start() -> Process:
    """For the desk."""
    return StandIn()


def serve() -> None:
    """A page whose jobs are stood in for; says its port."""
    import asyncio

    from lungscan_web.jobs.limits import Limits
    from lungscan_web.main import make_server
    from lungscan_web.server.services import open_services
    from lungscan_web.server.settings import WebSettings

    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        settings = WebSettings(port=port, limits=Limits(kept_seconds=KEPT_S, free_bytes=1))
        server = make_server(settings, port, open_services(settings, start))
        print(port, flush=True)
        asyncio.run(server.serve(sockets=[bound]))


def follow(port: int, process: int, jobs: int) -> list[tuple[int, float]]:
    """MB of the page's process after so many jobs, ten visitors by turns."""
    visitors = [Visitor(port) for _ in range(10)]
    field = next((FIELDS / "single").rglob("*.jpeg")).read_bytes()
    seen = []
    for number in range(1, jobs + 1):
        visitor = visitors[number % len(visitors)]
        job = visitor.give({"field.jpeg": field})
        state: dict[str, Any] = visitor.wait(job)
        if state["state"] != "finished" or not state["cases"][0]["headline"]:
            raise SystemExit(f"job {number}: {state}")
        visitor.get(f"/api/jobs/{job}/cases/1")
        visitor.ask("GET", f"/api/jobs/{job}/cases/1/files/report.pdf")
        zoom = visitor.get(f"/api/jobs/{job}/cases/1/zoom/0") if number % 50 == 0 else None
        if zoom:
            visitor.ask("GET", f"{zoom['tiles']}{zoom['min_level']}/0_0.jpg")
        if number in {1, 10, 50} or number % max(1, jobs // 10) == 0:
            seen.append((number, round(resident_mb(process), 1)))
    return seen


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description="The page's memory over many jobs.")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        serve()
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
        if page.stdout is None:
            raise RuntimeError("no pipe")
        try:
            port = int(page.stdout.readline())
            print(json.dumps({"jobs and MB": follow(port, page.pid, wanted.jobs)}))
        finally:
            page.terminate()


if __name__ == "__main__":
    main()
