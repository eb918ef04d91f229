"""Hostile requests and files for the page: each refused in words, and the page goes on."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from attacks import pictures
from attacks.base import ROOT, Bench, Line, kill_session, start
from attacks.page_client import Answer, Site
from attacks.page_files import files
from attacks.page_requests import requests

CANARY = b"canary-9f8a7c outside of the page"
_SERVER = ROOT / "benchmarks" / "attacks" / "page_server.py"
_TELL_TALE = (CANARY, b"Traceback", b"root:x:", b"site-packages")
_BAD = (
    "not as it must be",
    "without words",
    "something leaked",
    "written outside",
    "page stopped",
    "left on the disk",
)


def attack(bench: Bench, every: int = 1) -> list[Line]:
    """Send all hostile requests and files to two pages, one of them locked.

    Of the files that the engine is asked about, which take a second each, every ``every``-th.
    """
    bad = dict.fromkeys(_BAD, 0)
    caught: list[str] = []
    tried = 0
    with bench.folder("page") as folder:
        picture = pictures.field(folder / "a.png", 96).read_bytes()
        (folder / "outside").write_bytes(CANARY)
        users = folder / "users"
        _add_user(users)
        with (
            _page(folder, "open", bench.model) as port,
            _page(folder, "locked", bench.model, users) as locked,
        ):
            site = _prepared(port, locked, picture)
            secrets = [*_TELL_TALE, str(folder).encode()]
            for name, answer, why in _all(site, picture, every):
                tried += 1
                found = judged(site, answer, why, secrets)
                for kind in found:
                    bad[kind] += 1
                caught += [f"{name}: {why or found}"] if found else []
            bad["written outside"] += len(written(folder))
        bad["left on the disk"] += sum(1 for _ in folder.glob("*-tmp/*"))
    detail = "; ".join(caught[:4]) or "paths, hosts, forgery, sessions, broken HTTP, sizes, files"
    return [Line("hostile requests to the page", tried, bad, detail)]


def _all(site: Site, picture: bytes, every: int) -> Iterator[tuple[str, Answer, str]]:
    """Name, answer, and what was wrong with it."""
    for hostile in requests():
        answer = hostile.send(site)
        yield hostile.name, answer, "" if hostile.fits(answer) else f"status {answer.status}"
    hostile_files = list(files(picture))
    slow = [given for given in hostile_files if given.asks_the_engine]
    for given in hostile_files:
        if given in slow and slow.index(given) % every:
            continue
        answer = site.upload(*given.files)
        yield given.name, answer, given.judge(site, answer)


def judged(site: Site, answer: Answer, why: str, secrets: list[bytes]) -> list[str]:
    """What is wrong with an answer; ``why`` says whether it was not as it must be."""
    found = ["not as it must be"] if why else []
    if answer.status >= 400 and not re.search(rb"[A-Z][^{}<>]{12,}", answer.body):
        found.append("without words")
    everything = answer.body + repr(answer.headers).encode()
    if any(secret in everything for secret in secrets):
        found.append("something leaked")
    if any(Site(port).ask("GET", "/healthz").status != 200 for port in _ports(site)):
        found.append("page stopped")
    return found


def _ports(site: Site) -> Iterator[int]:
    yield site.port
    if site.locked:
        yield site.locked.port


def _prepared(port: int, locked: int, picture: bytes) -> Site:
    """A visitor with a finished job, and others."""
    site = Site(port).enter()
    site.other = Site(port).enter()
    site.locked = Site(locked).enter("/login")
    site.job = str(site.upload(("a.png", picture)).data["job"])
    state = site.until_ended(site.job)
    if state["state"] != "finished":
        raise RuntimeError(f"an honest picture was not answered: {state}")
    return site


@contextmanager
def _page(folder: Path, name: str, model: Path, *users: Path) -> Iterator[int]:
    """A page in a process of its own; the port."""
    temporary, working = folder / f"{name}-tmp", folder / f"{name}-cwd"
    temporary.mkdir()
    working.mkdir()
    command = [sys.executable, str(_SERVER), str(model), *map(str, users)]
    process = start(command, TMPDIR=str(temporary), HOME=str(working))
    try:
        first = cast(IO[str], process.stdout).readline()
        match = re.search(r":(\d+)/", first)
        if match is None:
            raise RuntimeError(f"the page did not open: {process.communicate()[1][-2000:]}")
        yield int(match[1])
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        kill_session(process.pid)


def _add_user(path: Path) -> None:
    from lungscan_web.access.passwords import add_user

    add_user(path, "kim", "correct horse battery")


def written(folder: Path) -> list[Path]:
    """What lies where nothing may."""
    known = {"a.png", "outside", "users", "open-tmp", "open-cwd", "locked-tmp", "locked-cwd"}
    found = [path for path in folder.iterdir() if path.name not in known]
    found += [path for name in ("open-cwd", "locked-cwd") for path in (folder / name).iterdir()]
    found += [
        path
        for path in folder.glob("*-tmp/*")
        if not path.name.startswith("lungscan-web-") or path.stat().st_mode & 0o077
    ]
    places = (Path("/etc/out.jpg"), Path("/tmp/x"), Path("/etc/cron.d/out.jpg"))  # noqa: S108
    return found + [path for path in places if path.exists()]
