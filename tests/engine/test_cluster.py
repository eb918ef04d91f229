"""A run on several worker processes: nothing lost, nothing doubled, the bytes of one machine."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")

import lungscan  # noqa: E402
from lungscan.cluster.address import Cluster, parse_cluster  # noqa: E402
from lungscan.cluster.connecting import connected  # noqa: E402
from lungscan.cluster.driver import scan_on_cluster  # noqa: E402
from lungscan.cluster.remote_tasks import slim  # noqa: E402
from lungscan.errors import MachineError, ModelError, OutputLocked, UsageProblem  # noqa: E402
from lungscan.events import (  # noqa: E402
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    ScanEvent,
)
from lungscan.layout import LIST, REVIEW, STAGES  # noqa: E402
from lungscan.options import ScanOptions  # noqa: E402
from lungscan.review.storing import save_review  # noqa: E402
from lungscan.scanning.scan import scan  # noqa: E402
from lungscan.types import CaseStatus  # noqa: E402
from lungscan.verification.verify import AMISS, verify  # noqa: E402
from tests.drawing import draw_slide  # noqa: E402
from tests.engine.cluster_faults import Faults  # noqa: E402
from tests.engine.scanning import (  # noqa: E402
    SLIDE_TISSUE,
    files_below,
    make_field,
    make_slide,
    options,
    rows,
    stored,
)
from tests.engine.test_sharding import contents  # noqa: E402
from tests.models import FakeRuntime  # noqa: E402
from tests.reviewing import review_of  # noqa: E402

ROOT = Path(__file__).parents[2]
pytestmark = [
    # dask leaves sockets and threads to the end of the process.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]


class Place:
    """A cluster of two workers, and the folder that says what goes wrong there."""

    def __init__(self, address: str, faults: Path, client: Any) -> None:
        self.address, self.faults, self.client = address, faults, client

    def __call__(self, name: str) -> Path:
        path = self.faults / name
        path.touch()
        return path

    def classified(self) -> list[str]:
        log = self.faults / "log"
        return log.read_text().split() if log.exists() else []


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two worker processes for all tests here."""
    import dask

    folder = tmp_path_factory.mktemp("faults")
    settings = {"distributed.worker.daemon": True, "distributed.scheduler.worker-ttl": "60s"}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(Faults(folder, ROOT))
        yield Place(cluster.scheduler_address, folder, client)


@pytest.fixture
def place(workers: Place) -> Place:
    """The workers, without a fault."""
    for path in workers.faults.iterdir():
        path.unlink()
    workers.client.wait_for_workers(2, timeout=30)
    return workers


@pytest.fixture
def chosen(model: Path, place: Place, tmp_path: Path) -> ScanOptions:
    """One slide, eight fields, a damaged picture and a file that is none."""
    make_slide(tmp_path / "in" / "s.svs", 768, 640)
    for index in range(8):
        make_field(tmp_path / "in" / f"f{index}.png", seed=index)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    return options(model, tmp_path / "out", tmp_path / "in", cluster=place.address)


def run(chosen: ScanOptions) -> list[ScanEvent]:
    """Every event of a run; several cases are under way at once, all else is in order."""
    events: list[ScanEvent] = []
    started: set[str] = set()
    for event in scan_on_cluster(chosen):
        assert isinstance(event, RunStarted) == (not events)
        if isinstance(event, CaseStarted):
            started.add(event.key)
            assert event.index == len(started) + 1  # one file is skipped
        if isinstance(event, CaseFinished):
            assert event.index == 1 + sum(isinstance(e, CaseFinished) for e in events)
            assert event.result.key in started or event.result.status is CaseStatus.SKIPPED
        events.append(event)
    assert isinstance(events[-1], RunFinished)
    return events


def one_machine(chosen: ScanOptions, fake: FakeRuntime) -> dict[str, bytes]:
    out = chosen.out.with_name("one")
    list(scan(replace(chosen, cluster=None, out=out)))
    return contents(out)


def ended(events: list[ScanEvent]) -> Counter[str]:
    return Counter(event.result.case_id for event in events if isinstance(event, CaseFinished))


def test_a_cluster_leaves_what_one_machine_leaves(
    chosen: ScanOptions, fake: FakeRuntime, place: Place
) -> None:
    chosen = replace(chosen, pdf="auto", heatmap=True, geojson=True)
    events = run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)
    assert set(ended(events).values()) == {1}
    assert len(ended(events)) == 11
    assert not any(check.state in AMISS for check in verify(chosen.out))
    assert not (chosen.out / STAGES).exists()
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any("dashboard: http://127.0.0.1:" in text for text in notices)


def test_the_largest_case_is_handed_out_first(
    chosen: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[str] = []
    honest = distributed.Client.submit

    def submit(self: Any, function: Any, *args: Any, **more: Any) -> Any:
        handed.append(more.get("key", ""))
        return honest(self, function, *args, **more)

    monkeypatch.setattr(distributed.Client, "submit", submit)
    run(chosen)
    sizes = {path.stem: path.stat().st_size for path in chosen.paths[0].glob("*.*")}
    order = [sizes[key.split("-")[1]] for key in handed if key]
    assert len(order) == 10
    assert order == sorted(order, reverse=True)


def test_files_come_over_the_wire_where_no_disk_is_shared(
    chosen: ScanOptions, fake: FakeRuntime, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place("unshared")
    monkeypatch.setattr("lungscan.cluster.fetching.PIECE", 20_000)
    chosen = replace(chosen, pdf="auto", heatmap=True, geojson=True)
    run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)


def test_what_comes_back_is_about_a_kilobyte(chosen: ScanOptions, fake: FakeRuntime) -> None:
    list(scan(replace(chosen, cluster=None)))
    for result in stored(chosen.out).values():
        assert len(pickle.dumps(slim(result))) < 2500


def test_pseudonyms_are_those_of_one_machine(chosen: ScanOptions, fake: FakeRuntime) -> None:
    chosen = replace(chosen, deidentify=True)
    run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)


def test_dicom_files_are_those_of_one_machine(
    chosen: ScanOptions, fake: FakeRuntime, tmp_path: Path
) -> None:
    pytest.importorskip("highdicom", reason="the extra dicom is not installed")
    from tests.dicom_sources import write_slide

    (tmp_path / "dicom").mkdir()
    drawn = draw_slide(1500, 1100, tissue=SLIDE_TISSUE)
    write_slide(tmp_path / "dicom" / "slide.dcm", drawn, 0.5)
    chosen = replace(chosen, paths=(tmp_path / "dicom",), dicom_sr=True)
    list(scan_on_cluster(chosen))
    one_machine(chosen, fake)
    names = {path.name for path in chosen.out.glob("cases/*/*.dcm")}
    assert names == {path.name for path in (tmp_path / "one").glob("cases/*/*.dcm")}
    assert names == {"report.dcm", "classes.dcm"}


def test_finished_cases_are_taken_over(
    chosen: ScanOptions, fake: FakeRuntime, place: Place
) -> None:
    run(chosen)
    before = place.classified()
    make_field(chosen.paths[0] / "f3.png", seed=77)
    events = run(chosen)
    resumed = {e.result.case_id for e in events if isinstance(e, CaseFinished) and e.resumed}
    assert resumed == {"s", *(f"f{n}" for n in range(8) if n != 3)}
    assert sorted(place.classified()[len(before) :]) == ["bad", "f3"]
    assert contents(chosen.out)["cases.csv"] == one_machine(chosen, fake)["cases.csv"]


@pytest.mark.parametrize("shared", [True, False])
def test_a_reviewed_case_that_is_classified_again_keeps_its_review(
    chosen: ScanOptions, fake: FakeRuntime, place: Place, shared: bool
) -> None:
    if not shared:
        place("unshared")
    chosen = replace(chosen, pdf="auto", heatmap=True, geojson=True, fresh=True)
    run(chosen)
    one_machine(chosen, fake)
    for out in (chosen.out, chosen.out.with_name("one")):
        for name in ("s", "f3"):
            result = stored(out)[name]
            save_review(out, result, review_of(result))
    run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)
    assert sum(REVIEW in path.read_text() for path in chosen.out.glob(f"cases/*/{LIST}")) == 2
    assert not any(check.state in AMISS for check in verify(chosen.out))


# Faults ------------------------------------------------------------------------------------------


def test_a_slide_that_kills_its_worker_costs_itself_alone(
    chosen: ScanOptions, fake: FakeRuntime, place: Place
) -> None:
    for index in range(8, 20):
        make_field(chosen.paths[0] / f"f{index}.png", seed=index)
    place("f5.kill")
    events = run(chosen)
    results = stored(chosen.out)
    assert results["f5"].status is CaseStatus.FAILED
    assert results["f5"].error_code == "E_CRASH"
    assert "ended 2 worker processes" in results["f5"].error_message
    assert Counter(r.status for r in results.values())[CaseStatus.FAILED] == 2  # with bad.png
    assert set(ended(events).values()) == {1}
    assert place.classified().count("f5") == 2
    expected = one_machine(chosen, fake)
    mine = contents(chosen.out)
    strange = {name for name in expected if "/f5-" in name} | {"cases.csv", "run.json"}
    assert {n: d for n, d in mine.items() if n not in strange} == {
        n: d for n, d in expected.items() if n not in strange
    }
    (place.faults / "f5.kill").unlink()
    place.client.wait_for_workers(2, timeout=30)
    run(chosen)  # a failed case is tried again
    assert contents(chosen.out)["cases.csv"] == expected["cases.csv"]


def test_a_worker_that_is_killed_costs_nothing(
    chosen: ScanOptions, fake: FakeRuntime, place: Place
) -> None:
    hold = place("s.wait")
    events = scan_on_cluster(chosen)
    seen: list[ScanEvent] = []
    killed = False
    for event in events:
        seen.append(event)
        if isinstance(event, CaseStarted) and event.case_id == "s" and not killed:
            killed = True
            while "s" not in place.classified():  # told of when handed out, a moment before
                time.sleep(0.02)
            busy = place.client.processing()
            (worker,) = [w for w, keys in busy.items() if any("-s-" in key for key in keys)]
            with pytest.raises(Exception):  # noqa: B017, PT011  it does not come back
                place.client.run(lambda: __import__("os")._exit(1), workers=[worker])
            hold.unlink()
    assert killed
    assert set(ended(seen).values()) == {1}
    assert place.classified().count("s") == 2
    assert contents(chosen.out) == one_machine(chosen, fake)


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(
    chosen: ScanOptions, fake: FakeRuntime, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.cluster.handing_out.LEAST_AHEAD", 2)
    honest, count = Path.replace, [0]

    def full(self: Path, target: Path) -> Path:
        count[0] += self.is_dir()  # a finished case; files are moved, too
        if count[0] > 4:
            raise OSError(28, "No space left on device")
        return honest(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(MachineError, match="disk is full"):
            run(chosen)
    assert 4 <= len(stored(chosen.out)) < 11
    assert not (chosen.out / ".lungscan-lock").exists()
    run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)


def test_a_stopped_run_goes_on(chosen: ScanOptions, fake: FakeRuntime, place: Place) -> None:
    hold = place("f7.wait")
    stop = threading.Event()
    seen = []
    for event in scan_on_cluster(chosen, stop=stop):
        seen.append(event)
        if sum(isinstance(e, CaseFinished) for e in seen) == 6:
            stop.set()
    assert not isinstance(seen[-1], RunFinished)
    assert not (chosen.out / "cases.csv").exists()
    # A worker that was at work may still leave what nobody files; the next run removes it.
    assert {name.split("/")[0] for name in files_below(chosen.out)} - {STAGES} == {"cases"}
    hold.unlink()
    run(chosen)
    assert contents(chosen.out) == one_machine(chosen, fake)


def test_two_drivers_do_not_share_a_folder(chosen: ScanOptions, place: Place) -> None:
    first = scan_on_cluster(chosen)
    next(first)
    with pytest.raises(OutputLocked):
        run(chosen)
    first.close()


def test_another_model_on_the_workers_is_refused(
    chosen: ScanOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lungscan.cluster import driver

    honest = driver.job_of
    monkeypatch.setattr(driver, "job_of", lambda *args: replace(honest(*args), model_sha256="0"))
    with pytest.raises(ModelError, match="another model"):
        run(chosen)
    monkeypatch.setattr(driver, "job_of", lambda *args: replace(honest(*args), version="0.0.1"))
    with pytest.raises(ModelError, match=r"the run 0\.0\.1"):
        run(chosen)


# The way there -----------------------------------------------------------------------------------


def test_a_gpu_that_nobody_has_is_an_error_not_a_wait(chosen: ScanOptions) -> None:
    with pytest.raises(MachineError, match="None of the 2 workers offers a GPU"):
        run(replace(chosen, device="cuda"))


def test_a_scheduler_that_does_not_answer_is_reported(
    chosen: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.cluster.connecting.CONNECT_S", 0.5)
    with pytest.raises(MachineError, match="cannot be reached"):
        run(replace(chosen, cluster="tcp://127.0.0.1:9"))
    assert not (chosen.out / ".lungscan-lock").exists()


def test_a_scheduler_open_to_everybody_is_refused() -> None:
    with distributed.LocalCluster(
        n_workers=0, host="0.0.0.0", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        address = f"tcp://127.0.0.1:{cluster.scheduler.port}"
        with (
            pytest.raises(UsageProblem, match="without TLS"),
            connected(Cluster(address=address), "cpu", threading.Event()),
        ):
            pytest.fail("it was taken")


def test_a_scheduler_without_workers_is_waited_for_so_long() -> None:
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        chosen = Cluster(address=cluster.scheduler_address, wait_s=0.5)
        with (
            pytest.raises(MachineError, match="none came within"),
            connected(chosen, "cpu", threading.Event()),
        ):
            pytest.fail("there is no worker")


def test_a_scheduler_that_dies_leaves_tables_and_a_folder_that_goes_on(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.cluster.handing_out.SILENT_S", 1.0)
    for index in range(6):
        make_field(tmp_path / "in" / f"f{index}.png", seed=index)
    (tmp_path / "faults").mkdir()
    hold = tmp_path / "faults" / "f5.wait"
    hold.touch()
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        with distributed.Client(cluster) as client:
            client.register_plugin(Faults(tmp_path / "faults", ROOT))
        out = tmp_path / "out"
        chosen = options(model, out, tmp_path / "in", cluster=cluster.scheduler_address)
        finished = 0
        with pytest.raises(MachineError, match="scheduler of the cluster"):  # noqa: PT012
            for event in scan_on_cluster(chosen):
                finished += isinstance(event, CaseFinished)
                if finished == 3:
                    cluster.close(timeout=10)
        hold.unlink()
    assert 3 <= len(rows(out)) < 6
    list(scan(replace(chosen, cluster=None)))  # goes on without a cluster
    assert contents(out) == one_machine(chosen, fake)


def test_processes_of_our_own_are_reached_by_nobody_else(real_model: Any, tmp_path: Path) -> None:
    make_field(tmp_path / "in" / "a.png")
    make_field(tmp_path / "in" / "b.png", seed=1)
    chosen = options(real_model.folder, tmp_path / "out", tmp_path / "in", cluster="local:2")
    kinds = Counter(type(event).__name__ for event in lungscan.scan(replace(chosen, isolate=True)))
    assert kinds["CaseFinished"] == 2
    assert [row["status"] for row in rows(tmp_path / "out")] == ["ok", "ok"]
    with connected(Cluster(local=1), "cpu", threading.Event()) as link:
        address = link.client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(OSError):  # noqa: PT011  of whatever kind
            distributed.Client(address.replace("tls", "tcp"), timeout=1)


# What --cluster may say --------------------------------------------------------------------------


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_ways_to_name_a_cluster(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    assert parse_cluster("local:4") == Cluster(local=4)
    assert parse_cluster("tcp://10.0.0.5:8786") == Cluster(address="tcp://10.0.0.5:8786")
    assert parse_cluster(write(tmp_path / "a.toml", "local = 3\nwait_s = 5\n")).local == 3
    text = 'address = "tls://node:8786"\n[tls]\nca_file="ca.pem"\ncert="cert.pem"\nkey="key.pem"\n'
    tls = parse_cluster(write(tmp_path / "b.toml", text)).tls
    assert tls is not None
    assert tls.cert == tmp_path / "cert.pem"


@pytest.mark.parametrize(
    "text",
    ["local:0", "local:1000", "local:", "nowhere", "http://x:1", "tls://x:8786", "tcp://x", ""],
)
def test_what_names_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_cluster(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "local = 'two'",
        "local = true",
        "local = 2\naddress = 'tcp://x:1'",
        "workers = 3",
        "local = 2\nwait_s = -1",
        "local = 2\nattempts = 0",
        "address = 'tls://x:1'\n[tls]\nca_file = 'no'\ncert = 'no'\nkey = 'no'",
        "address = 'tls://x:1'\ntls = 3",
        "not toml at all",
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_cluster(write(tmp_path / "c.toml", text))


def test_a_file_that_is_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        parse_cluster(str(tmp_path / "none.toml"))
