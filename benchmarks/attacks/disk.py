"""A disk that is really full: a file system of 1 MB in a name space of its own (Linux)."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from attacks import pictures
from attacks.base import ROOT, Bench, Line, execute

NAME = "a disk really full"
_BAD = (
    "exit code not 5",
    "finished cases lost",
    "runs that could not go on",
    "rows missing",
)


def attack(bench: Bench, fields: int = 12) -> list[Line]:
    """Fill a file system of 1 MB, then give it room and go on."""
    if not may_unshare("-rm"):
        return [Line(NAME, 0, {}, not_run="this system allows no mounts in a name space")]
    with bench.folder("disk") as folder:
        for number in range(fields):
            pictures.field(folder / "in" / f"{number:02}.png", 480, number)
        (folder / "out").mkdir()
        (folder / "seen").mkdir()
        classify = shlex.join(
            bench.command(folder / "out", folder / "in", "--pdf", "cases", "--threads", 1)
        )
        seen = shlex.quote(str(folder / "seen"))
        script = f"""
            set -u
            mount -t tmpfs -o size=1m none {shlex.quote(str(folder / "out"))} || exit 99
            cd {shlex.quote(str(folder))}
            {classify} 2> {seen}/error; echo $? > {seen}/full
            cp -r out/cases {seen}/before
            mount -o remount,size=256m out || exit 98
            {classify}; echo $? > {seen}/again
            cp -r out/cases {seen}/after; cp out/cases.csv {seen}/
        """
        done = execute(["unshare", "-rm", "bash", "-c", script])
        if done.code in (98, 99):
            return [Line(NAME, 0, {}, not_run="this system mounts no tmpfs in a name space")]
        return [_judge(folder / "seen", fields)]


def _judge(seen: Path, fields: int) -> Line:
    before = {path.parent.name: path.read_bytes() for path in seen.glob("before/*/case.json")}
    after = {path.parent.name: path.read_bytes() for path in seen.glob("after/*/case.json")}
    lines = _text(seen / "cases.csv").splitlines()
    bad = dict.fromkeys(_BAD, 0)
    bad["exit code not 5"] += _text(seen / "full").strip() != "5"
    bad["finished cases lost"] += sum(after.get(key) != data for key, data in before.items())
    bad["runs that could not go on"] += _text(seen / "again").strip() != "0"
    bad["rows missing"] += max(0, fields + 1 - len(lines))
    message = " ".join(_text(seen / "error").split())
    detail = f"{len(before)} of {fields} cases were finished when 1 MB was full, and were kept"
    if "disk is full" not in message:
        bad["exit code not 5"] += 1
        detail += f"; it said: {message[:200]}"
    return Line(NAME, 1, bad, detail)


def may_unshare(*flags: str) -> bool:
    """Whether this system gives out name spaces."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    command = ["unshare", *flags, "true"]
    return subprocess.run(command, check=False, capture_output=True, cwd=ROOT).returncode == 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
