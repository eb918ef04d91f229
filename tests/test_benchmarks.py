"""The benchmark's drawing and table; nothing here is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lungscan.inputs import discover
from lungscan.reading import open_source
from lungscan.tiles.grid import plan_grid
from lungscan.tiles.tissue import find_tissue

HERE = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)  # the scripts import each other by name


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_drawn_slide_has_tissue_on_part_of_it(tmp_path: Path) -> None:
    import drawing

    path = drawing.draw_slide(tmp_path / "drawn.svs", 2240)
    source = open_source(discover((path,)).cases[0].files[0])
    try:
        assert (source.info.vendor, source.info.scale.mpp_um) == ("aperio", 0.5)
        mask = find_tissue(source.overview(), source.info.scale)
        grid = plan_grid(mask, 2240, 2240, source.info.scale, 224, 0.5)
        pixels = source.read_tiles(grid.boxes[:4], 224)
    finally:
        source.close()
    expected = np.concatenate([drawing.is_tissue(row, 1, 2240) for row in range(2240)])
    assert mask.tissue.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert 45 <= len(grid.boxes) <= 75  # of 100
    assert not pixels.failed.any()
    assert pixels.rgb.std() > 10


def test_a_drawn_slide_is_a_tiled_jpeg_pyramid(tmp_path: Path) -> None:
    import drawing

    path = drawing.draw_slide(tmp_path / "drawn.svs", 1600)  # neither whole tiles nor whole strips
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert [page.shape for page in tiff.pages] == [
            (1600, 1600, 3),
            (400, 400, 3),
            (100, 100, 3),
        ]
        assert {page.tile for page in tiff.pages} == {(256, 256)}
        whole, quarter = (tiff.pages[i].asarray().astype(np.float32) for i in (0, 1))
    means = whole.reshape(400, 4, 400, 4, 3).mean((1, 3))
    assert np.abs(means - quarter).mean() < 4.5  # grey levels for JPEG; a pixel off costs 7
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("side", [128, 1000])
def test_a_side_that_no_pyramid_has_is_refused(tmp_path: Path, side: int) -> None:
    import drawing

    with pytest.raises(ValueError, match="divide by 16"):
        drawing.draw_slide(tmp_path / "drawn.svs", side)
    assert not list(tmp_path.iterdir())


def test_a_drawing_is_made_once(tmp_path: Path) -> None:
    path = Path(run("drawing.py", str(tmp_path), "64", "--field").strip())
    path.write_bytes(b"kept")
    assert Path(run("drawing.py", str(tmp_path), "64", "--field").strip()) == path
    assert path.read_bytes() == b"kept"


def test_a_command_is_timed_with_its_own_memory() -> None:
    small = json.loads(run("timed.py", sys.executable, "-c", "print('here')"))
    code = "kept = bytearray(b'x' * 200_000_000); raise SystemExit(3)"
    large = json.loads(run("timed.py", sys.executable, "-c", code))
    assert (small["text"], small["exit_code"], large["exit_code"]) == ("here\n", 0, 3)
    assert large["peak_bytes"] - small["peak_bytes"] > 150_000_000
    assert small["seconds"] > 0


def test_the_table_shows_every_figure_and_whether_its_goal_is_met() -> None:
    from runs import Scan, Timed
    from table import Figure, show

    runs = tuple(Timed(seconds, 3.0, peak, "") for seconds, peak in ((2.0, 5), (4.0, 9), (9.0, 7)))
    scan = Scan(runs, cases=1, tiles=1200, tiles_used=900)
    assert (scan.seconds, scan.rate, scan.peak_gb) == (4.0, 300.0, 9e-9)
    figures = [
        Figure("slide", scan.rate, "tiles/s", (">=", 100), scan.detail),
        Figure("one field", 2.125, "s", ("<=", 2)),
        Figure("network alone", 1234.4, "tiles/s"),
    ]
    first, _, head, rule, *rows = show({"Machine": "two cores"}, figures).splitlines()
    assert first.rstrip() == "Machine: two cores"
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in (head, *rows)]
    assert cells[0] == ["what", "measured", "goal", "met", "how"]
    assert cells[1][:4] == ["slide", "300 tiles/s", ">= 100", "yes"]
    assert cells[1][4] == "tiles: 1,200, used: 900; 2.0, 4.0, 9.0 s; CPU 3.0 s"
    assert cells[2] == ["one field", "2.12 s", "<= 2", "NO", ""]
    assert cells[3] == ["network alone", "1,234 tiles/s", "", "", ""]
    assert len({len(row) for row in (head, rule, *rows)}) == 1
