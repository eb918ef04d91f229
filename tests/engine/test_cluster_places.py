"""Clusters of other kinds: behind TLS, with a GPU on some workers, on a disk that fills up.

Each test starts worker processes of its own, so these run only with LUNGSCAN_NIGHTLY=1.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
if os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"}:
    pytest.skip("starts many processes: set LUNGSCAN_NIGHTLY=1", allow_module_level=True)

from distributed.security import Security  # noqa: E402

from lungscan.cluster.driver import scan_on_cluster  # noqa: E402
from lungscan.errors import MachineError  # noqa: E402
from lungscan.events import CaseFinished, RunFinished, ScanEvent  # noqa: E402
from lungscan.options import ScanOptions  # noqa: E402
from tests.engine.cluster_faults import Faults  # noqa: E402
from tests.engine.scanning import make_field, options, rows, stored  # noqa: E402
from tests.engine.test_cluster import ROOT, one_machine, pytestmark  # noqa: E402, F401
from tests.engine.test_sharding import contents  # noqa: E402
from tests.models import FakeRuntime  # noqa: E402

FIELDS = 6


@contextmanager
def cluster(
    faults: Path,
    *workers: dict[str, Any],
    security: Security | None = None,
) -> Iterator[tuple[Any, Any]]:
    """A cluster of worker processes with these options, and a client; the network is a fake."""
    common: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    host = {"host": "127.0.0.1", "security": security}
    if security is not None:
        host |= {"protocol": "tls"}
    faults.mkdir(exist_ok=True)
    with (
        distributed.SpecCluster(
            workers={
                number: {"cls": distributed.Nanny, "options": {**common, **host, **more}}
                for number, more in enumerate(workers)
            },
            scheduler={
                "cls": distributed.Scheduler,
                "options": {**host, "port": 0, "dashboard_address": "127.0.0.1:0"},
            },
            security=security,
            silence_logs=logging.CRITICAL,
        ) as place,
        distributed.Client(place, security=security) as client,
    ):
        client.register_plugin(Faults(faults, ROOT))
        client.wait_for_workers(len(workers), timeout=60)
        yield place, client


@pytest.fixture
def chosen(model: Path, tmp_path: Path) -> ScanOptions:
    """A few fields; the cluster's address is still to be filled in."""
    for index in range(FIELDS):
        make_field(tmp_path / "in" / f"f{index}.png", seed=index)
    return options(model, tmp_path / "out", tmp_path / "in")


def run(chosen: ScanOptions) -> list[ScanEvent]:
    """Every event of a run, which came to its end."""
    events = list(scan_on_cluster(chosen))
    assert isinstance(events[-1], RunFinished)
    return events


def write_toml(folder: Path, address: str, security: Security) -> str:
    """``cluster.toml`` and the certificates that it names, as a user would hold them."""
    folder.mkdir()
    files = {
        "ca.pem": security.tls_ca_file,
        "me.pem": security.tls_client_cert,
        "me.key": security.tls_client_key,
    }
    for name, text in files.items():
        (folder / name).write_text(text or "", encoding="ascii")
    tls = 'ca_file = "ca.pem"\ncert = "me.pem"\nkey = "me.key"\n'
    (folder / "cluster.toml").write_text(f'address = "{address}"\n[tls]\n{tls}', encoding="utf-8")
    return str(folder / "cluster.toml")


def test_a_scheduler_behind_tls_is_reached_by_a_file_and_by_nobody_else(
    chosen: ScanOptions, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = Security.temporary()
    with cluster(tmp_path / "faults", {}, security=security) as (place, _):
        address = place.scheduler_address
        assert address.startswith("tls://")
        right = write_toml(tmp_path / "mine", address, security)
        run(replace(chosen, cluster=right))
        assert contents(chosen.out) == one_machine(chosen, fake)
        monkeypatch.setattr("lungscan.cluster.connecting.CONNECT_S", 2.0)
        stranger = write_toml(tmp_path / "other", address, Security.temporary())
        for way in (stranger, address.replace("tls", "tcp")):
            with pytest.raises(MachineError, match="cannot be reached"):
                run(replace(chosen, cluster=way, out=tmp_path / "no"))


def test_cases_that_ask_for_a_gpu_go_to_workers_that_have_one(
    chosen: ScanOptions, fake: FakeRuntime, tmp_path: Path
) -> None:
    def loaded() -> int:
        import lungscan.cluster.worker as worker

        return len(worker._loaded)

    with cluster(tmp_path / "faults", {}, {"resources": {"GPU": 1}}) as (place, client):
        workers = client.scheduler_info(n_workers=-1)["workers"]
        run(replace(chosen, cluster=place.scheduler_address, device="cuda"))
        has = {address: bool(worker["resources"]) for address, worker in workers.items()}
        assert {address: n == 1 for address, n in client.run(loaded).items()} == has
    assert len(stored(chosen.out)) == FIELDS


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounting a small disk asks for root",
)
def test_a_disk_that_fills_up_under_the_workers_ends_the_run_and_the_next_one_goes_on(
    chosen: ScanOptions, fake: FakeRuntime, tmp_path: Path
) -> None:
    chosen.out.mkdir()
    disk = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*disk, "size=160k", "tmpfs", chosen.out], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with cluster(tmp_path / "faults", {}, {}) as (place, _):
            filled = replace(chosen, cluster=place.scheduler_address, pdf="auto", heatmap=True)
            with pytest.raises(MachineError, match="disk is full"):
                run(filled)
            assert len(stored(chosen.out)) < FIELDS
            assert not (chosen.out / ".lungscan-lock").exists()
            subprocess.run([*disk, "remount,size=64m", chosen.out], check=True)
            run(filled)
        assert contents(chosen.out) == one_machine(filled, fake)
        assert len(rows(chosen.out)) == FIELDS
    finally:
        subprocess.run(["umount", chosen.out], check=True)


def test_a_worker_of_one_kind_takes_over_from_another(
    chosen: ScanOptions, fake: FakeRuntime, tmp_path: Path
) -> None:
    """A run that was left begins on one cluster and ends on another, with other workers."""
    with cluster(tmp_path / "first", {}) as (place, _):
        events = scan_on_cluster(replace(chosen, cluster=place.scheduler_address))
        while not isinstance(next(events), CaseFinished):
            pass
        events.close()
    begun = len(stored(chosen.out))
    assert 1 <= begun <= FIELDS
    with cluster(tmp_path / "second", {}, {}) as (place, _):
        run(replace(chosen, cluster=place.scheduler_address))
    assert contents(chosen.out) == one_machine(chosen, fake)
