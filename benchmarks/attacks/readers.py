"""A reading process that hangs, dies or runs out of memory: a row with its code, and on it goes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from attacks import pictures
from attacks.base import PLAIN, Bench, Line, execute, kill_session, rows, session, start

PATIENCE_S = 3  # --timeout of the runs; the least that a busy machine needs for good files
SLACK_S = 60.0  # more for start, the other files and a busy machine
_CHILD = b"lungscan.opening"
_BAD = ("victims without their code", "other cases lost", "runs that crashed or hung")


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _abort(pid: int) -> None:
    os.kill(pid, signal.SIGABRT)


def _use_up_memory(pid: int) -> None:
    """Let it have no more address space than it holds."""
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))


TROUBLES: dict[str, tuple[Callable[[int], None], set[str]]] = {
    "stopped": (_stop, {"E_TIMEOUT"}),
    "killed": (_kill, {"E_CRASH"}),
    "aborted": (_abort, {"E_CRASH"}),
    "starved": (_use_up_memory, {"E_MEMORY", "E_CRASH"}),
}


def attack(bench: Bench, troubles: Sequence[str] = tuple(TROUBLES)) -> list[Line]:
    """Harm the process that reads one slide of three in each way; then a pipe named as a slide."""
    bad = dict.fromkeys(_BAD, 0)
    found: list[str] = []
    with bench.folder("readers") as folder:
        for name in ("a", "c"):
            pictures.slide(folder / "in" / f"{name}.svs", 256)
        victim = pictures.slide(folder / "in" / "b.svs", 4096)
        for name in troubles:
            harm, codes = TROUBLES[name]
            # A starved process may live on for the next file, which would then starve as well.
            order = ("a", "c", "b") if harm is _use_up_memory else ("a", "b", "c")
            paths = [folder / "in" / f"{each}.svs" for each in order]
            code = _one(bench, paths, victim, harm, codes, bad)
            found.append(f"{name} {code or '?'}")
        found.append(f"pipe {_pipe(bench, folder, bad)}")
    return [Line("readers that hang or die", len(troubles) + 1, bad, ", ".join(found))]


def _one(
    bench: Bench,
    paths: list[Path],
    victim: Path,
    harm: Callable[[int], None],
    codes: set[str],
    bad: dict[str, int],
) -> str:
    """One run; returns the victim's code."""
    with bench.folder("readers/out") as out:
        command = bench.command(out, *paths, *PLAIN, "--timeout", PATIENCE_S)
        process = start(command)
        threading.Thread(target=_harm_all, args=(process, victim, harm), daemon=True).start()
        try:
            _, err = process.communicate(timeout=PATIENCE_S + SLACK_S)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            process.communicate()
            bad["runs that crashed or hung"] += 1
            return "hung"
        found = {row["relative_path"]: row for row in rows(out)}
    bad["runs that crashed or hung"] += process.returncode != 1 or "Traceback" in err
    code = found.get("b.svs", {}).get("error_code", "")
    bad["victims without their code"] += code not in codes
    others = [found.get(name, {}).get("status") for name in ("a.svs", "c.svs")]
    bad["other cases lost"] += sum(status != "ok" for status in others)
    return code


def _pipe(bench: Bench, folder: Path, bad: dict[str, int]) -> str:
    """Opening a named pipe would wait for ever; it must not even be tried."""
    os.mkfifo(folder / "in" / "pipe.svs")
    with bench.folder("readers/out") as out:
        small = [folder / "in" / name for name in ("a.svs", "pipe.svs")]
        done = execute(bench.command(out, *small, *PLAIN), timeout=SLACK_S)
        found = {row["relative_path"]: row["status"] for row in rows(out)}
    bad["runs that crashed or hung"] += done.crashed
    bad["victims without their code"] += found.get("pipe.svs") not in ("skipped", "failed")
    bad["other cases lost"] += found.get("a.svs") != "ok"
    return found.get("pipe.svs", "?")


def _harm_all(process: subprocess.Popen[str], victim: Path, harm: Callable[[int], None]) -> None:
    """Harm each reading process once it has the victim open: after one death it is tried again."""
    harmed: set[int] = set()
    deadline = time.monotonic() + SLACK_S
    while process.returncode is None and time.monotonic() < deadline:
        for pid in session(process.pid):
            if pid not in harmed and _is_reader(pid) and _has_open(pid, victim):
                harmed.add(pid)
                with suppress(ProcessLookupError):
                    harm(pid)
        time.sleep(0.002)


def _is_reader(pid: int) -> bool:
    try:
        return _CHILD in (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _has_open(pid: int, path: Path) -> bool:
    try:
        return any(
            entry.readlink() == path for entry in (Path("/proc") / str(pid) / "fd").iterdir()
        )
    except OSError:
        return False
