"""What the attacks count with must itself see what it looks for."""

from __future__ import annotations

import base64
import errno
import io
import json
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from attacks import faults, kills, malformed, names, packages, page, privacy, single
from attacks.base import (
    Bench,
    Done,
    Line,
    environment,
    execute,
    kill_session,
    missing_and_doubled,
    session,
    start,
    watch,
)
from attacks.recipes import DAMAGES, make
from PIL import Image, PngImagePlugin
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from lungscan.report.lettering import REGULAR

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def test_a_line_is_met_only_when_it_was_run_and_all_counts_are_zero() -> None:
    assert Line("x", 3, {"lost": 0}).met
    assert not Line("x", 3, {"lost": 1}).met
    assert not Line("x", 0, {"lost": 0}).met
    assert not Line("x", 3, {}, not_run="no such system").met


def test_what_counts_as_a_crash() -> None:
    assert not Done(1, "", "3 cases failed").crashed
    for code, err in ((-9, ""), (None, ""), (70, ""), (1, "Traceback (most recent call last)")):
        assert Done(code, "", err).crashed


def test_missing_and_doubled_rows_are_counted() -> None:
    expected = [{"relative_path": name} for name in "abc"]
    assert missing_and_doubled(expected, expected) == (0, 0)
    assert missing_and_doubled([*expected[:2], expected[0]], expected) == (1, 1)


# Processes ----------------------------------------------------------------------------------------


@linux
def test_memory_of_children_counts() -> None:
    child = "kept = bytearray(b'x' * 150_000_000); import time; time.sleep(0.5)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    done = watch([sys.executable, "-c", code])
    assert done.code == 0
    assert done.peak_bytes > 150_000_000


@linux
def test_a_run_that_hangs_is_ended_with_all_its_children() -> None:
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    assert execute([sys.executable, "-c", code], timeout=1).code is None
    process = start([sys.executable, "-c", code])
    kills.until(lambda: len(session(process.pid)) == 2, 20)
    assert len(session(process.pid)) == 2
    process.kill()
    process.wait()
    assert len(session(process.pid)) == 1  # the orphan is seen
    kill_session(process.pid)
    kills.until(lambda: not session(process.pid), 20)
    assert not session(process.pid)
    process.communicate()


def test_debug_settings_of_this_shell_do_not_reach_the_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LUNGSCAN_DEVICE", "cuda")
    assert "LUNGSCAN_DEVICE" not in environment()


# Damaged files ------------------------------------------------------------------------------------


def test_a_number_brings_a_damaged_file_back() -> None:
    made = [make(number) for number in range(200)]
    assert [recipe.data for recipe in made] == [make(number).data for number in range(200)]
    assert len({recipe.data for recipe in made}) > 190
    assert make(1, seed=1).data != made[1].data
    assert {name for recipe in made for name in recipe.damage.split("+")} == set(DAMAGES)


@pytest.mark.parametrize(
    ("status", "code", "message", "proper"),
    [
        ("ok", "", "", True),
        ("failed", "E_FORMAT", "It is damaged.", True),
        ("failed", "", "It is damaged.", False),
        ("failed", "E_FORMAT", "", False),
        ("failed", "E_FORMAT", "Traceback (most recent call last)", False),
        ("crashed", "", "", False),
    ],
)
def test_a_row_without_a_proper_end_is_seen(
    status: str, code: str, message: str, proper: bool
) -> None:
    row = {"status": status, "error_code": code, "error_message": message}
    assert malformed.is_proper(row) == proper


def test_the_file_that_crashes_a_run_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(Bench):
        def classify(self, out: Path, *more: object, timeout: float = 600, **env: str) -> Done:
            folder = Path(str(more[0]))
            crashes = any(path.name.startswith("0-000005") for path in folder.iterdir())
            return Done(-6 if crashes else 3, "", "")

    (line,) = malformed.attack(Crashing(bench.work, bench.model), count=12, chunk=12)
    assert line.bad["parent crashes"] == 1
    assert "at fault: 0:5" in line.detail


# Writes -------------------------------------------------------------------------------------------


@linux
def test_each_kind_of_write_can_fail(tmp_path: Path) -> None:
    def write() -> None:
        (tmp_path / "deep").mkdir()
        with (tmp_path / "deep" / "a").open("w", encoding="utf-8") as file:
            file.write("text")
        (tmp_path / "deep" / "a").replace(tmp_path / "deep" / "b")
        (tmp_path / "deep" / "b").unlink()
        (tmp_path / "deep").rmdir()

    met = []
    for fail_at in range(1, 10):
        disk = faults.FaultyDisk(tmp_path, fail_at, errno.ENOSPC)
        with suppress(OSError), faults.faulty(disk):
            write()
        met.append(disk.failed.split(" ")[0])
        for path in (tmp_path / "deep" / "a", tmp_path / "deep" / "b"):
            path.unlink(missing_ok=True)
        if (tmp_path / "deep").exists():
            (tmp_path / "deep").rmdir()
    assert met == ["mkdir", "open", "write", "replace", "unlink", "rmdir", "", "", ""]


@linux
def test_files_elsewhere_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    disk = faults.FaultyDisk(tmp_path / "in", 1, errno.EIO)
    with faults.faulty(disk):
        (tmp_path / "out").write_text("x", encoding="utf-8")
    assert disk.operations == 0


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["=1+1,ok", "a,=1+1", "a,-1+1", 'a,"=1+1"', "x;=1+1;y,ok", "a\t@A1", "a,\uff1d1+1", "+x"],
)
def test_a_formula_is_seen_with_any_separator(line: str) -> None:
    assert names.formulas(f"head\n{line}\n")


def test_numbers_and_quoted_formulas_are_none() -> None:
    assert not names.formulas("a,b\n-0.5,'=1+1\n+3,x;'=1\n")
    assert names.formulas("a,b\n-0.5+1,x\n")


def test_the_names_are_many_and_different() -> None:
    made = names.names(200)
    assert len(set(made)) == 200 == len(made)
    assert made == names.names(200)
    assert any(name.startswith(b"=") for name in names.names(24))


def test_a_broken_pdf_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path))
    canvas.drawString(100, 100, "text")
    canvas.save()
    assert names.readable(path)
    assert names.pictures_in(path) == 0
    path.write_bytes(path.read_bytes()[:200])
    assert not names.readable(path)


def test_geojson_that_is_none_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text('{"type":"FeatureCollection","features":[]}', encoding="utf-8")
    assert names.is_geojson(path)
    path.write_text('{"type":"FeatureCollection"', encoding="utf-8")
    assert not names.is_geojson(path)


# Identifiers --------------------------------------------------------------------------------------


def places(tmp_path: Path, word: str) -> dict[str, bytes]:
    """Ways in which a word can hide in an output."""
    canvas = Canvas(str(tmp_path / "a.pdf"), pageCompression=1)
    canvas.drawString(100, 100, word)
    canvas.save()
    embedded = Canvas(str(tmp_path / "b.pdf"))
    pdfmetrics.registerFont(TTFont("embedded", str(REGULAR)))
    embedded.setFont("embedded", 12)
    embedded.drawString(100, 100, word)
    embedded.save()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("x", word, zip=True)
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG", pnginfo=texts)
    return {
        "plain": word.encode(),
        "other case": word.upper().encode(),
        "utf-16": word.encode("utf-16-le"),
        "pdf": (tmp_path / "a.pdf").read_bytes(),
        "pdf with its own font": (tmp_path / "b.pdf").read_bytes(),
        "png": picture.getvalue(),
        "base64": json.dumps({"x": base64.b64encode(picture.getvalue()).decode()}).encode(),
        "escaped": b'["' + "".join(f"\\u{ord(c):04x}" for c in word).encode() + b'"]',
    }


def test_an_identifier_is_found_wherever_it_hides(tmp_path: Path) -> None:
    planted = privacy.Planted()
    hidden = places(tmp_path, planted.word("here"))
    for place, content in hidden.items():
        path = tmp_path / "output"
        path.write_bytes(content)
        found, _, _ = privacy.search([path], planted)
        assert found, place
    path.write_bytes(b"nothing of it")
    assert privacy.search([path], planted)[0] == set()


def test_a_label_is_found_in_an_output(tmp_path: Path) -> None:
    for name, colour in (("label.jpg", privacy.NEON), ("tissue.jpg", (200, 150, 180))):
        Image.fromarray(np.full((32, 32, 3), colour, np.uint8)).save(tmp_path / name)
    planted = privacy.Planted()
    assert privacy.search([tmp_path / "label.jpg"], planted)[1] == 1
    assert privacy.search([tmp_path / "tissue.jpg"], planted)[1] == 0


@linux
def test_names_are_found_where_nothing_hides_them(bench: Bench) -> None:
    line = privacy.in_names(bench)
    assert line.bad["found in an output or log"] > 20
    assert "case of fields in cases.csv" in line.detail
    assert line.bad["runs that failed"] == 0


# Network and packages -----------------------------------------------------------------------------


def test_a_connection_is_told_from_talk_inside_the_machine() -> None:
    outside = "12 connect(3, {sa_family=AF_INET, sin_port=htons(443)}, 16) = -1"
    inside = '12 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0'
    assert single.CONNECTS.search(outside)
    assert not single.CONNECTS.search(inside)


def test_a_connection_is_seen_by_python_itself() -> None:
    code = single.WATCHED.partition("from lungscan_cli")[0]
    code += "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass"
    assert execute([sys.executable, "-c", code]).err.count("NETWORK socket.connect") == 1


def test_vulnerabilities_are_counted_and_never_assumed_to_be_none() -> None:
    hole = {"name": "pillow", "version": "9", "vulns": [{"id": "CVE-1"}]}
    clean = {"name": "numpy", "version": "2", "vulns": []}
    skipped = {"name": "numpy", "skip_reason": "not found"}
    judged = packages.judge(json.dumps({"dependencies": [hole, clean]}))
    assert (judged.tried, judged.bad, judged.met) == (2, {"open": 1}, False)
    assert packages.judge(json.dumps({"dependencies": [clean]})).met
    for unknown in ("", json.dumps({"dependencies": [skipped]})):
        assert "not checked" in packages.judge(unknown).not_run


def test_what_is_installed_is_asked_about() -> None:
    found = packages.installed()
    assert any(name.startswith("numpy==") for name in found)
    assert not any(name.startswith("torch==") for name in found)


def test_what_a_page_lets_through_or_leaks_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attacks.page_client import CLOSED, Answer, Site
    from attacks.page_requests import plain, refused

    words = b'{"error": {"message": "This page is not reached by that name."}}'
    health = [200]
    monkeypatch.setattr(Site, "ask", lambda *_: Answer(health[0], {}, b"ok"))
    site = Site(1)

    def seen(answer: Answer, why: str = "") -> list[str]:
        return page.judged(site, answer, why, [page.CANARY])

    assert seen(Answer(403, {}, words)) == []
    assert seen(Answer(403, {}, words), "status 200") == ["not as it must be"]
    assert seen(Answer(403, {}, b"")) == ["without words"]
    assert seen(Answer(200, {"x": page.CANARY.decode()}, b"")) == ["something leaked"]
    health[0] = 0
    assert seen(CLOSED) == ["page stopped"]
    assert [refused(403)(a) for a in (Answer(403, {}, b""), Answer(200, {}, b""), CLOSED)] == [
        True, False, False,
    ]  # fmt: skip
    assert refused()(CLOSED)
    assert not refused()(Answer(500, {}, b""))
    assert not plain(CLOSED)
    for name in ("open-tmp", "open-cwd", "locked-tmp", "locked-cwd"):
        (tmp_path / name).mkdir()
    assert page.written(tmp_path) == []
    (tmp_path / "open-cwd" / "x").touch()
    (tmp_path / "open-tmp" / "x").touch()
    (tmp_path / "out.jpg").touch()
    assert len(page.written(tmp_path)) == 3
