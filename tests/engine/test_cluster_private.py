"""What a worker without the driver's disk keeps of patients: closed to others, and not for long."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from lungscan.cluster import private_folders
from lungscan.errors import MachineError
from lungscan.events import CaseFinished, RunFinished
from lungscan.options import ScanOptions
from tests.engine.scanning import make_field, options, stored


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The folders of this process, none at first."""
    folders: dict[str, Path] = {}
    monkeypatch.setattr(private_folders, "_folders", folders)
    monkeypatch.setattr(private_folders, "_ended", set())
    return folders


@pytest.mark.skipif(os.name == "nt", reason="rights are another matter there")
def test_a_folder_is_closed_to_others(kept: dict[str, Path], tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folders.folder_of("word", tmp_path)
    finally:
        os.umask(before)
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folders.folder_of("word", tmp_path) == folder
    assert private_folders.folder_of("other", tmp_path) != folder


def test_it_goes_with_its_run_and_does_not_come_back(kept: dict[str, Path], tmp_path: Path) -> None:
    mine, other = (private_folders.folder_of(word, tmp_path) for word in ("mine", "other"))
    (mine / "case.json").write_text("a patient's")
    private_folders.end("mine")
    assert (mine.exists(), other.exists()) == (False, True)
    assert private_folders.has_ended("mine")
    with pytest.raises(MachineError, match="has ended"):
        private_folders.folder_of("mine", tmp_path)
    private_folders.remove_all()
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_went_away_leaves_nothing_for_long(
    kept: dict[str, Path], tmp_path: Path
) -> None:
    old, new = (private_folders.folder_of(word, tmp_path) for word in ("old", "new"))
    os.utime(old, (0, time.time() - private_folders.STALE_S - 1))
    private_folders.remove_stale()  # another run is loaded; new may be that of a second driver
    assert (old.exists(), new.exists()) == (False, True)


def test_a_place_that_cannot_be_written_is_told(kept: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="could not be written"):
        private_folders.folder_of("word", tmp_path / "missing")


# On a cluster -------------------------------------------------------------------------------------


def records(tmp_path: Path) -> list[Path]:
    """Cases that lie on the worker's disk."""
    return [path for folder in ("tmp", "dask") for path in (tmp_path / folder).rglob("case.json")]


def until(true: bool, tmp_path: Path) -> None:
    end = time.monotonic() + 60
    while bool(records(tmp_path)) is not true:
        assert time.monotonic() < end, records(tmp_path)
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_stopped_run_leaves_no_patient_on_a_worker(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
    from lungscan.cluster.driver import scan_on_cluster
    from tests.engine.cluster_faults import Faults

    for name in ("tmp", "dask", "faults"):
        (tmp_path / name).mkdir()
    (tmp_path / "faults" / "unshared").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for index in range(10):
        make_field(tmp_path / "in" / f"Smith-John-{index}.png", seed=index)
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            local_directory=str(tmp_path / "dask"),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(Faults(tmp_path / "faults", Path(__file__).parents[2]))
        chosen = options(
            model, tmp_path / "out", tmp_path / "in", cluster=cluster.scheduler_address
        )
        _stop_in_the_middle(chosen, tmp_path)
        until(False, tmp_path)
        assert len(stored(chosen.out)) < 10
        assert isinstance(list(scan_on_cluster(chosen))[-1], RunFinished)
        assert records(tmp_path) == []
        assert len(stored(chosen.out)) == 10


def _stop_in_the_middle(chosen: ScanOptions, tmp_path: Path) -> None:
    """End a run as Ctrl+C does, with cases that were not fetched yet."""
    from lungscan.cluster.driver import scan_on_cluster

    events = scan_on_cluster(chosen)
    while not isinstance(next(events), CaseFinished):
        pass
    until(True, tmp_path)
    found = records(tmp_path)
    assert not [path for path in found if "smith" in str(path).lower()]
    if os.name != "nt":
        assert all(path.parents[1].stat().st_mode & 0o077 == 0 for path in found)
    events.close()
