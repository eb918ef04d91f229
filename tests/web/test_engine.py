"""The page with the engine behind it: same numbers as the shell, deep zoom, what is no picture."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lungscan.demo.making import FIELDS
from lungscan.model.modality_names import DEFAULT
from lungscan_web.jobs import models
from lungscan_web.jobs.ladder import Ladder
from lungscan_web.jobs.limits import Limits
from tests.drawing import draw_he, write_svs
from tests.web.serving import Browser, Page, wait
from tests.web.test_jobs_archives import zipped

MPP_UM = 0.5
FIELD = FIELDS / "single" / "squamous" / "lungscc2365.jpeg"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests here: the engine takes seconds to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("page")))
        with Page(limits=Limits(free_bytes=1, at_once=1)) as opened:
            yield opened


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of 1,600 × 1,200 px, drawn."""
    path = tmp_path_factory.mktemp("slide") / "drawn.svs"
    return write_svs(path, draw_he(1600, 1200, seed=3), MPP_UM)


def shell(out: Path, *paths: Path) -> None:
    """``lungscan classify`` as people run it."""
    command = [
        sys.executable,
        "-m",
        "lungscan_cli",
        "classify",
        *map(str, paths),
        "--out",
        str(out),
    ]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": path})


def record(path: Path) -> bytes:
    """``case.json`` without its times."""
    data = json.loads(path.read_bytes())
    for name in ("seconds", "started_utc", "finished_utc"):
        del data[name]
    return json.dumps(data).encode()


def test_the_answers_are_the_shell_s_byte_for_byte(page: Page, slide: Path, tmp_path: Path) -> None:
    browser = page.browser()
    number = browser.job(*((p.name, p.read_bytes()) for p in (FIELD, slide)))
    assert browser.until(number, "finished", "failed")["state"] == "finished"
    shell(tmp_path / "out", FIELD, slide)
    ours = page.services.desk.look(number).out / "cases"
    theirs = tmp_path / "out" / "cases"
    keys = sorted(folder.name for folder in theirs.iterdir())
    assert len(keys) == 2
    assert sorted(folder.name for folder in ours.iterdir()) == keys
    for key in keys:
        assert record(ours / key / "case.json") == record(theirs / key / "case.json")
        for name in ("tiles.csv", "tiles.geojson"):
            assert (ours / key / name).read_bytes() == (theirs / key / name).read_bytes()


def test_an_archive_of_pictures_is_answered_picture_by_picture(page: Page) -> None:
    browser = page.browser()
    data = zipped(("a/one.jpg", FIELD.read_bytes()), ("readme.xyz", b"text"), ("b.png", b"no"))
    state = browser.until(browser.job(("study.zip", data)), "finished")
    ends = {case["name"]: case["status"] for case in state["cases"]}
    assert ends["one"] == "ok"
    assert ends["b"] == "failed"
    answer = browser.get(f"/api/jobs/{state['job']}/cases/1").data
    assert sum(c["probability"] for c in answer["classes"]) == pytest.approx(1, abs=1e-3)
    assert answer["confidence_text"]
    assert answer["headline"] in {c["display"] for c in answer["classes"]}
    assert answer["research_use"].startswith("RESEARCH USE")
    report = next(d for d in answer["downloads"] if d["name"] == "report.pdf")
    assert browser.get(report["url"]).body.startswith(b"%PDF-")
    assert len(browser.get(report["url"]).body) == report["bytes"]


def test_what_is_no_picture_fails_in_words(page: Page) -> None:
    browser = page.browser()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    state = browser.until(browser.job(("x.png", svg), ("y.svs", b"\0" * 5000)), "finished")
    assert [case["status"] for case in state["cases"]] == ["failed", "failed"]
    for number in (1, 2):
        answer = browser.get(f"/api/jobs/{state['job']}/cases/{number}").data
        assert len(answer["why"]) > 20
        assert any(advice in answer["why"] for advice in ("save it as", "opy it again"))
        assert "cure" not in answer, "the message has it"
        assert answer["files"] == []


# Deep zoom --------------------------------------------------------------------------------------


def tile(browser: Browser, described: dict[str, Any], level: int, x: int, y: int) -> Any:
    """A tile as an array."""
    reply = browser.get(f"{described['tiles']}{level}/{x}_{y}.jpg")
    assert reply.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(reply.body)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def test_a_slide_can_be_looked_at_level_by_level(page: Page, slide: Path) -> None:
    browser = page.browser()
    number = browser.job((slide.name, slide.read_bytes()))
    state = browser.until(number, "finished")
    answer = browser.get(f"/api/jobs/{number}/cases/1").data
    assert answer["kind"] == "slide"
    described = browser.get(answer["files"][0]["zoom"]).data
    assert (described["width"], described["height"], described["tile_size"]) == (1600, 1200, 512)
    assert (described["min_level"], described["max_level"], described["mpp_um"]) == (9, 11, MPP_UM)
    drawn = draw_he(1600, 1200, seed=3).astype(int)
    full = tile(browser, described, 11, 1, 1)
    assert full.shape == (512, 512, 3)
    assert np.abs(full - drawn[512:1024, 512:1024]).mean() < 6  # JPEG twice
    edge = tile(browser, described, 11, 3, 2)
    assert edge.shape == (1200 - 1024, 1600 - 1536, 3)
    assert np.abs(edge - drawn[1024:, 1536:]).mean() < 6
    half = tile(browser, described, 10, 1, 0)
    assert half.shape == (512, 800 - 512, 3)
    low = drawn.reshape(600, 2, 800, 2, 3).mean((1, 3))[:512, 512:800]
    assert np.abs(half - low).mean() < 6
    whole = tile(browser, described, 9, 0, 0)  # from the overview
    assert whole.shape == (300, 400, 3)
    small = drawn.reshape(300, 4, 400, 4, 3).mean((1, 3))
    assert np.abs(whole - small).mean() < 6
    for place in ("12/0_0", "11/4_0", "11/0_3", "9/1_0"):
        assert browser.get(f"{described['tiles']}{place}.jpg").status == 404
    overlay = browser.get(answer["files"][0]["overlay"])
    with Image.open(io.BytesIO(overlay.body)) as opened:
        assert opened.mode == "RGBA"
        assert opened.width / opened.height == pytest.approx(1600 / 1200, rel=0.01)
    assert len(page.services.zooms) == 1
    assert browser.ask("DELETE", f"/api/jobs/{number}", X_CSRF_Token=browser.csrf).status == 204
    assert len(page.services.zooms) == 0  # its file is closed before it is deleted
    assert state["cases"][0]["kind"] == "slide"


@pytest.mark.parametrize(
    ("width", "height", "lowest", "highest"),
    [(1, 1, 0, 0), (512, 512, 9, 9), (513, 1, 9, 10), (40_000, 40_000, 9, 16), (1024, 700, 9, 10)],
)
def test_levels_are_those_of_deep_zoom(width: int, height: int, lowest: int, highest: int) -> None:
    ladder = Ladder(width, height)
    assert (ladder.lowest, ladder.highest) == (lowest, highest)
    assert max(ladder.size(lowest)) <= 512
    assert ladder.size(highest) == (width, height)
    assert ladder.size(0) == (1, 1)


# Limits and cancel ------------------------------------------------------------------------------


def test_too_many_pixels_are_refused_by_what_the_file_holds(slide: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        with Page(limits=Limits(free_bytes=1, at_once=1, pixels=1_000_000)) as opened:
            browser = opened.browser()
            number = browser.job((slide.name, slide.read_bytes()))
            state = browser.until(number, "failed", "finished", "cancelled")
    assert (state["state"], state["code"]) == ("failed", "E_TOO_LARGE")
    assert "1,600 × 1,200 pixels" in state["message"]


def test_a_run_that_is_cancelled_leaves_no_process(page: Page, slide: Path) -> None:
    browser = page.browser()
    number = browser.job(*((f"{n}.svs", slide.read_bytes()) for n in range(6)))
    browser.until(number, "starting", "running")
    began = time.monotonic()
    assert browser.post(f"/api/jobs/{number}/cancel").data["state"] == "cancelled"
    assert time.monotonic() - began < 10  # benchmarks/web.py measures it
    wait(lambda: number not in page.services.desk.computing)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_page_that_is_killed_takes_its_processes_along(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lungscan_cli", "web", "--port", "0"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert "http://127.0.0.1:" in process.stderr.readline()
        deadline = time.monotonic() + 30
        while len(_session(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)  # until the process for the first job is there
        assert len(_session(process.pid)) >= 2
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 30
    while _session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _session(process.pid) == []
    assert len(list(tmp_path.glob("lungscan-web-*"))) == 1  # the next start deletes it


def _session(leader: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(folder.name))
    return found


# Series -----------------------------------------------------------------------------------------


def test_a_zip_of_a_series_is_one_case_to_scroll_through(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="series need the extra `dicom`")
    from tests.ct_slices import write_series

    paths = write_series(tmp_path / "series", count=5, step=2.5)
    browser = page.browser()
    data = zipped(*((f"study/{p.name}", p.read_bytes()) for p in paths))
    number = browser.job(("study.zip", data))
    state = browser.until(number, "finished", "failed")
    (case,) = state["cases"]
    assert case["kind"] == "series"
    described = browser.get(f"/api/jobs/{number}/cases/1/series/0").data
    assert (described["count"], described["spacing_mm"]) == (5, 2.5)
    assert described["positions_mm"] == sorted(described["positions_mm"])
    with Image.open(io.BytesIO(browser.get(described["slices"] + "2.png").body)) as opened:
        assert opened.size == (512, 512)
        shown = np.asarray(opened.convert("L"))
    assert shown.std() > 20  # a chest, not a grey square
    for name in ("5.png", "-1.png", "x.png", "0.jpg"):
        assert browser.get(described["slices"] + name).status == 404
    if case["status"] == "failed":  # no model for it is shipped
        answer = browser.get(f"/api/jobs/{number}/cases/1").data
        assert "series" in answer["why"]


def test_a_field_has_no_slices(page: Page) -> None:
    browser = page.browser()
    number = browser.job((FIELD.name, FIELD.read_bytes()))
    browser.until(number, "finished")
    assert browser.get(f"/api/jobs/{number}/cases/1/series/0").status == 404


def test_the_model_is_that_for_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [
        SimpleNamespace(name="lung-ct", modality="chest-ct"),
        SimpleNamespace(name="lung-histology", modality=DEFAULT),
    ]
    monkeypatch.setattr(models, "list_models", lambda: tuple(cards))
    described = {
        ("auto", ("series",)): "lung-ct",
        ("auto", ("slide", "field")): "lung-histology",
        ("auto", ("field",)): "lung-histology",
        ("auto", ("series", "slide")): "lung-histology",
        ("lung-ct", ("field",)): "lung-ct",
    }
    assert {given: models.resolved(*given) for given in described} == described
    cards.pop(0)
    assert models.resolved("auto", ("series",)) == "lung-histology"
