"""A cluster over a network that fails: three network namespaces, real links, real programs.

Takes minutes and needs the right to make namespaces, so it runs only with LUNGSCAN_NIGHTLY=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.scanning import make_field, make_slide, rows
from tests.engine.test_sharding import contents

pytest.importorskip("distributed", reason="the extra cluster is not installed")
if os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"}:
    pytest.skip("takes minutes: set LUNGSCAN_NIGHTLY=1", allow_module_level=True)

ROOT = Path(__file__).parents[2]
SCHEDULER = "10.77.0.1"
TTL_S = 6


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Namespace ``a`` with the scheduler, ``b`` and ``c`` with a worker each, linked to ``a``."""

    def __init__(self) -> None:
        self.mark = f"ls{os.getpid() % 10000}"
        self.running: list[subprocess.Popen[bytes]] = []
        for place in "abc":
            ip("netns", "add", self.name(place))
            ip("-n", self.name(place), "link", "set", "lo", "up")
        ip("-n", self.name("a"), "addr", "add", f"{SCHEDULER}/32", "dev", "lo")
        for number, place in enumerate("bc", 1):
            here, there = f"{self.mark}{place}0", f"{self.mark}{place}1"
            ip("link", "add", here, "type", "veth", "peer", "name", there)
            ip("link", "set", here, "netns", self.name("a"))
            ip("link", "set", there, "netns", self.name(place))
            for where, link, address in (
                (self.name("a"), here, f"10.77.{number}.1/24"),
                (self.name(place), there, f"10.77.{number}.2/24"),
            ):
                ip("-n", where, "addr", "add", address, "dev", link)
                ip("-n", where, "link", "set", link, "up")
            ip("-n", self.name(place), "route", "add", "default", "via", f"10.77.{number}.1")

    def name(self, place: str) -> str:
        return f"{self.mark}-{place}"

    def cut(self, place: str, state: str) -> None:
        """Pull the cable of a worker, or plug it in again: ``down``, ``up``."""
        ip("-n", self.name("a"), "link", "set", f"{self.mark}{place}0", state)

    def start(self, place: str, *words: str, log: Path) -> subprocess.Popen[bytes]:
        packages = os.pathsep.join(str(ROOT / part) for part in ("", "cli", "gui", "models"))
        env = os.environ | {
            "PYTHONPATH": packages,
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{TTL_S}s",
            "OMP_NUM_THREADS": "1",
        }
        with log.open("ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name(place), sys.executable, "-m", *words],
                stdout=out,
                stderr=out,
                env=env,
            )
        self.running.append(process)
        return process

    def close(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for place in "abc":
            subprocess.run(["ip", "netns", "del", self.name(place)], check=False)


@pytest.fixture
def network() -> Iterator[Network]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root and the program ip, for network namespaces")
    try:
        made = Network()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr!r}")
    yield made
    made.close()


def until(wanted: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def worker(network: Network, place: str, tmp_path: Path) -> subprocess.Popen[bytes]:
    number = "bc".index(place) + 1
    return network.start(
        place,
        *("distributed.cli.dask_worker", f"tcp://{SCHEDULER}:8786", "--nthreads", "1"),
        *("--host", f"10.77.{number}.2", "--no-dashboard", "--memory-limit", "0"),
        *("--local-directory", str(tmp_path / f"dask-{place}")),
        log=tmp_path / f"{place}.log",
    )


def test_workers_late_cut_off_and_killed_cost_nothing(network: Network, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for index in range(5):
        make_slide(folder / f"s{index}.svs", 1536, 1280)
    for index in range(30):
        make_field(folder / f"f{index}.png", 300, seed=index)
    network.start(
        "a",
        *("distributed.cli.dask_scheduler", "--host", SCHEDULER, "--port", "8786"),
        *("--no-dashboard",),
        log=tmp_path / "a.log",
    )
    worker(network, "b", tmp_path)
    words = ["lungscan_cli", "classify", str(folder), "--out", str(out), "--pdf", "none"]
    run = network.start(
        "a", *words, "--cluster", f"tcp://{SCHEDULER}:8786", log=tmp_path / "run.log"
    )

    def finished() -> int:
        return len(list(out.glob("cases/*/case.json")))

    until(lambda: finished() >= 3)
    late = worker(network, "c", tmp_path)
    until(lambda: finished() >= 8)
    network.cut("b", "down")  # nobody says goodbye
    at = finished()
    until(lambda: finished() >= at + 4)
    network.cut("b", "up")
    until(lambda: finished() >= at + 8)
    late.kill()  # the one that kept it going
    worker(network, "c", tmp_path)
    assert run.wait(240) == 0, (tmp_path / "run.log").read_text()
    one = tmp_path / "one"
    plain = [sys.executable, "-m", *words]
    plain[plain.index(str(out))] = str(one)
    subprocess.run(plain, check=True, capture_output=True)
    names = [row["case_id"] for row in rows(out)]
    assert len(names) == len(set(names)) == 35
    assert contents(out) == contents(one)
