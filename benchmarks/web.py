"""The page in figures: start, click to answer, twenty visitors, memory, first picture of a slide.

    python benchmarks/web.py [PART...] [--slide SLIDE] [--visitors N] [--fields N] [--jobs N]

Starts ``lungscan web`` at a free port, speaks to it as browsers do, and prints what each figure
came to. PART is start, click, slide, cancel, crowd or memory; all of them without one. SLIDE is
best one of 40,000 px, such as ``benchmarks/drawing.py`` draws. What the engine itself takes is
measured in a process of its own that has its libraries loaded, as the page's spare process has.
``benchmarks/web_memory.py`` follows the page's memory over many more jobs than can be computed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lungscan.demo import making

FIELDS = Path(making.__file__).parent / "fields"
ENGINE = """
import sys, tempfile, time
from pathlib import Path
from lungscan.scanning import scan
from lungscan.options import ScanOptions
import openvino, lungscan.scanning.scan
begin = time.perf_counter()
with tempfile.TemporaryDirectory() as out:
    list(scan(ScanOptions((Path(sys.argv[1]),), out=Path(out))))
print(time.perf_counter() - begin)
"""
ENDED = ("finished", "failed", "cancelled", "deleted")


class Visitor:
    """A browser with a cookie of its own."""

    def __init__(self, port: int) -> None:
        self._port, self._cookie, self._csrf = port, "", ""
        page = self.ask("GET", "/")
        self._csrf = re.findall(r'name="csrf" content="([^"]+)"', page.decode())[0]

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        """What comes back; ends the program when that is a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        headers = {"Cookie": self._cookie, "X-CSRF-Token": self._csrf, "Content-Type": kind}
        connection.request(method, path, body, {k: v for k, v in headers.items() if v})
        answer = connection.getresponse()
        data = answer.read()
        if cookie := answer.headers.get("set-cookie"):
            self._cookie = cookie.partition(";")[0]
        connection.close()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]!r}")
        return data

    def get(self, path: str) -> Any:
        """JSON."""
        return json.loads(self.ask("GET", path))

    def give(self, files: dict[str, bytes]) -> str:
        """Upload; the job."""
        mark = secrets.token_hex(8)
        body = b"".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            .encode() + data + b"\r\n" for name, data in files.items()
        )  # fmt: skip
        kind = f"multipart/form-data; boundary={mark}"
        job: str = json.loads(
            self.ask("POST", "/api/jobs", body + f"--{mark}--\r\n".encode(), kind)
        )["job"]
        return job

    def wait(self, job: str, every: float = 0.05) -> dict[str, Any]:
        """Its last state."""
        while (state := self.get(f"/api/jobs/{job}"))["state"] not in ENDED:
            time.sleep(every)
        last: dict[str, Any] = state
        return last


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int, float]]:
    """Port, process number, and the seconds to the first answer."""
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "lungscan_cli", "web", "--port", "0"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)},
    ) as server:  # fmt: skip
        if server.stderr is None:
            raise RuntimeError("no pipe")
        port = int(re.findall(r":(\d+)/", server.stderr.readline())[0])
        while True:
            try:
                Visitor(port)
                break
            except OSError:
                time.sleep(0.01)
        seconds = time.perf_counter() - begin
        reader = threading.Thread(target=server.stderr.read, daemon=True)
        reader.start()
        try:
            yield port, server.pid, seconds
        finally:
            server.terminate()
            reader.join(20)


def resident_mb(process: int) -> float:
    """Memory of the page's process (Linux)."""
    found = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[0]) / 1024


def engine_s(field: Path) -> float:
    """What the engine takes for a field, model loaded and report written."""
    done = subprocess.run(
        [sys.executable, "-c", ENGINE, str(field)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def click_to_answer(port: int, field: Path, times: int = 3) -> float:
    """Median seconds from the upload to the answer in words, the spare process ready."""
    taken = []
    for _ in range(times):
        visitor = Visitor(port)
        time.sleep(4)  # a person looks about first; the spare process loads its libraries
        begin = time.perf_counter()
        job = visitor.give({field.name: field.read_bytes()})
        visitor.wait(job)
        visitor.get(f"/api/jobs/{job}/cases/1")
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def crowd(port: int, visitors: int, each: int) -> dict[str, float]:
    """All at once: whose answers came, and how fast the page was for a person beside them."""
    pictures = [path.read_bytes() for path in sorted(FIELDS.rglob("*.jpeg"))]
    waits: list[float] = []
    over = threading.Event()

    def watcher() -> None:
        visitor = Visitor(port)
        while not over.wait(0.2):
            for path in ("/static/page.css", "/api/jobs"):
                begin = time.perf_counter()
                visitor.ask("GET", path)
                waits.append(time.perf_counter() - begin)

    def one(number: int) -> tuple[int, int]:
        visitor = Visitor(port)
        files = {
            f"visitor-{number}-{i}.jpeg": pictures[(number + i) % len(pictures)]
            for i in range(each)
        }
        state = visitor.wait(visitor.give(files), every=0.5)
        mine = [case for case in state["cases"] if f"visitor-{number}-" in case["name"]]
        return sum(bool(case["headline"]) for case in mine), len(state["cases"]) - len(mine)

    beside = threading.Thread(target=watcher)
    beside.start()
    begin = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        results = list(pool.map(one, range(visitors)))
    seconds = time.perf_counter() - begin
    over.set()
    beside.join()
    return {
        "answered": sum(own for own, _ in results),
        "asked": visitors * each,
        "of others": sum(foreign for _, foreign in results),
        "seconds": seconds,
        "median request ms": 1000 * statistics.median(waits),
        "p95 request ms": 1000 * statistics.quantiles(waits, n=20)[-1],
    }


def memory(port: int, process: int, jobs: int) -> list[tuple[int, float]]:
    """MB of the page's process after so many jobs."""
    visitor, field = Visitor(port), next(FIELDS.rglob("*.jpeg"))
    seen = []
    for number in range(1, jobs + 1):
        visitor.wait(visitor.give({"field.jpeg": field.read_bytes()}))
        if number == 1 or number % max(1, jobs // 10) == 0:
            seen.append((number, resident_mb(process)))
            print(f"  job {number}: {seen[-1][1]:.1f} MB", file=sys.stderr)
    return seen


def first_picture(port: int, slide: Path) -> dict[str, float]:
    """Seconds from the upload's end until the slide is found, is open, and its first tile here."""
    visitor = Visitor(port)
    time.sleep(4)
    job = visitor.give({slide.name: slide.read_bytes()})
    begin = time.perf_counter()
    while not visitor.get(f"/api/jobs/{job}")["cases"]:
        time.sleep(0.02)
    found = time.perf_counter() - begin
    zoom = visitor.get(f"/api/jobs/{job}/cases/1/zoom/0")
    opened = time.perf_counter() - begin
    visitor.ask("GET", f"{zoom['tiles']}{zoom['min_level']}/0_0.jpg")
    seconds = time.perf_counter() - begin
    visitor.ask("POST", f"/api/jobs/{job}/cancel")
    return {"found": found, "opened": opened, "first tile": seconds}


def cancelled(port: int, times: int = 3) -> float:
    """Seconds from the press to the end of a job that computes: the most of some tries."""
    pictures = [path.read_bytes() for path in sorted(FIELDS.rglob("*.jpeg"))]
    taken = []
    for _ in range(times):
        visitor = Visitor(port)
        job = visitor.give({f"{n}.jpeg": pictures[n % len(pictures)] for n in range(40)})
        while (state := visitor.get(f"/api/jobs/{job}")["state"]) != "running":
            if state in ENDED:
                raise SystemExit("The job ended before it could be cancelled.")
            time.sleep(0.02)
        begin = time.perf_counter()
        visitor.ask("POST", f"/api/jobs/{job}/cancel")
        taken.append(time.perf_counter() - begin)
    return max(taken)


PARTS = ("start", "click", "slide", "cancel", "crowd", "memory")


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description="The page in figures.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--slide", type=Path)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=40)
    wanted = parser.parse_args()
    parts = wanted.parts or PARTS
    print(json.dumps({"load": os.getloadavg()}))
    with tempfile.TemporaryDirectory() as name:
        for part in parts:
            if part != "slide" or wanted.slide:
                print(json.dumps(figures(part, Path(name), wanted)), flush=True)


def figures(part: str, folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """One part, each with a page of its own."""
    if part == "start":
        starts = []
        for _ in range(5):
            with served(folder) as (_, _, seconds):
                starts.append(seconds)
        return {"start s": statistics.median(starts), "each": starts}
    with served(folder) as (port, process, _):
        if part == "click":
            field = next((FIELDS / "single").rglob("*.jpeg"))
            engine = statistics.median(engine_s(field) for _ in range(3))
            return {"click to answer s": click_to_answer(port, field), "engine s": engine}
        if part == "slide":
            return {"first picture s": [first_picture(port, wanted.slide) for _ in range(2)]}
        if part == "cancel":
            return {"cancel s, the most of three": cancelled(port)}
        if part == "crowd":
            return {"crowd": crowd(port, wanted.visitors, wanted.fields)}
        return {"memory MB": memory(port, process, wanted.jobs)}


if __name__ == "__main__":
    main()
