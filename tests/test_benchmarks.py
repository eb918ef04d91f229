"""The benchmarks' drawings, measuring and tables; no figure is tested here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lungscan.inputs import discover
from lungscan.modalities.histology.tissue import find_tissue
from lungscan.reading import open_source
from lungscan.tiles.grid import plan_grid

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


def test_fields_are_drawn_as_a_folder_of_different_pictures(tmp_path: Path) -> None:
    folder = Path(run("drawing.py", str(tmp_path), "64", "--fields", "5").strip())
    pictures = [path.read_bytes() for path in folder.iterdir()]
    assert len(set(pictures)) == 5
    assert list(tmp_path.iterdir()) == [folder]


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FAMILY = """
import os, pathlib, subprocess, sys, time
kept = bytearray(os.urandom(1)) * 150_000_000
ready = pathlib.Path(__file__).with_name("ready")
if len(sys.argv) > 1:
    ready.touch()
    time.sleep(1.5)
else:
    with open(__file__, "rb") as handle:
        handle.read()
    child = subprocess.Popen([sys.executable, __file__, "child"])
    while not ready.exists():
        time.sleep(0.01)
    {end}
"""


@LINUX
@pytest.mark.parametrize("end", ["child.wait()", "time.sleep(0.8)"])  # waited for, left behind
def test_memory_and_reading_of_all_processes_count(tmp_path: Path, end: str) -> None:
    script, filling = tmp_path / "family.py", "#" * 3_000_000
    script.write_text(FAMILY.format(end=end) + filling)
    report = json.loads(run("timed.py", sys.executable, str(script)))
    assert report["processes"] == 2
    assert 300_000_000 < report["peak_bytes"] < 400_000_000
    assert report["read_bytes"] > 3 * len(filling)  # read by the parent twice, by the child once


@LINUX
def test_what_processes_share_counts_once(tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(
        "import os, time\n"
        "kept = bytearray(os.urandom(1)) * 150_000_000\n"
        "children = [os.fork() or (time.sleep(1), os._exit(0)) for _ in range(3)]\n"
        "[os.waitpid(child, 0) for child in children]\n"
    )
    report = json.loads(run("timed.py", sys.executable, str(script)))
    assert report["processes"] == 4
    assert 150_000_000 < report["peak_bytes"] < 250_000_000


@LINUX
def test_a_command_can_be_kept_to_one_core() -> None:
    code = "import os; print(len(os.sched_getaffinity(0)))"
    report = json.loads(run("timed.py", "--cores", "1", sys.executable, "-c", code))
    assert report["text"] == "1\n"


def test_requirements_of_a_peer_lose_extras_and_what_is_left_out() -> None:
    from peer_environments import needed

    declared = ["torch<2.13,>=2", "torch-geometric", "numpy>=2", 'black; extra == "dev"']
    assert needed(declared, ("torch",)) == ["torch-geometric", "numpy>=2"]


def measured(*seconds: float, tiles: int = 1000, peak_gb: float = 1.0) -> Any:
    from peer_programs import Measured, Turn
    from runs import Timed

    return Measured(
        tuple(Turn(Timed(s, 2 * s, int(peak_gb * 1e9), "", 500_000_000), tiles) for s in seconds)
    )


def test_goals_are_drawn_from_medians_and_differences() -> None:
    from peer_cases import LUNGSCAN, NETWORK, TIATOOLBOX, WSINFER
    from peer_tables import figures

    results = {
        (LUNGSCAN, "1x"): measured(4.0, 5.0, 9.0),
        (LUNGSCAN, "4x"): measured(15.0, tiles=4000, peak_gb=1.05),
        (LUNGSCAN, "16x"): measured(40.0, tiles=16000, peak_gb=1.2),
        (WSINFER, "1x"): measured(40.0),
        (WSINFER, "4x"): measured(130.0, tiles=4000),
        (TIATOOLBOX, "1x"): measured(50.0, tiles=1100),
        (TIATOOLBOX, "16x"): measured(800.0, tiles=16000),
        (NETWORK, "ready"): measured(1.0, tiles=400),
    }
    found = {figure.name: (round(figure.value, 3), figure.met) for figure in figures(results)}
    assert found == {
        "slide 1x, whole process: faster than WSInfer": (8.0, False),
        "slide 1x, whole process by tile: faster than WSInfer": (8.0, None),
        "slide 16x, whole process by tile: faster than WSInfer": (12.25, True),  # 490 s
        "slide 1x, whole process: faster than TIAToolbox": (10.0, True),
        "slide 1x, whole process by tile: faster than TIAToolbox": (9.091, None),
        "slide 16x, whole process by tile: faster than TIAToolbox": (20.0, True),
        "network alone": (400.0, None),
        "slide: while inferring, of the network alone": (75.0, False),
        "slide, 4x to 16x: while inferring, of the network alone": (120.0, None),
        "peak memory, largest : smallest of 3 slides": (1.2, False),
    }


def test_what_network_and_decoding_allow_together() -> None:
    from peer_cases import DECODING, LUNGSCAN, NETWORK
    from peer_tables import figures

    results = {
        (LUNGSCAN, "1x"): measured(4.0),
        (LUNGSCAN, "4x"): measured(19.0, tiles=4000),  # 200 tiles/s more
        (LUNGSCAN, "1x half"): measured(10.0, tiles=4000),
        (LUNGSCAN, "4x half"): measured(50.0, tiles=16000),  # 300
        (NETWORK, "ready"): measured(1.0, tiles=400),
        (DECODING, "1x"): measured(1.0, tiles=1200),
    }
    found = {figure.name: round(figure.value, 1) for figure in figures(results)}
    assert found["slide: network and decoding, of the network alone"] == 75.0  # 300 of 400
    assert found["slide: while inferring, of network and decoding"] == 66.7  # 200 of 300
    shared = "slide, overlap 50 %: "
    assert found[shared + "network and decoding, of the network alone"] == 92.3  # 4,800 decoded
    assert found[shared + "while inferring, of network and decoding"] == 81.2


@pytest.mark.parametrize("drawing", [("1120",), ("300", "--fields", "4")])
def test_decoding_alone_has_a_rate(tmp_path: Path, drawing: tuple[str, ...]) -> None:
    path = run("drawing.py", str(tmp_path), *drawing).strip()
    sizes = ("--size", "96", "--covers", "112", "--seconds", "0.2")
    report = json.loads(run("decoding.py", path, *sizes))
    assert report["tiles_per_second"] > 0


def test_folds_of_other_models_stay_in_the_page_of_results(tmp_path: Path) -> None:
    from results import cross_validated, document

    page, title = tmp_path / "results.md", "5-fold cross-validation by group"
    sections = {name: f"## {name}: {title}\n\n{name} 93 %" for name in ("a", "lung-histology")}
    page.write_text(document([], "### both", sections) + "\n## Random split\n", encoding="utf-8")
    assert cross_validated(page) == sections
    text = page.read_text(encoding="utf-8")
    assert text.index("lung-histology 93 %") < text.index("a 93 %") < text.index("### both")
    assert cross_validated(None) == cross_validated(tmp_path / "none.md") == {}


def test_a_study_stands_in_the_page_of_results_and_stays_there(tmp_path: Path) -> None:
    from results import main, study

    table, page = tmp_path / "study.md", tmp_path / "results.md"
    table.write_text("# Study lung-ct\n\nMade by x.\n\n## Random split\n", encoding="utf-8")
    section = study([table], page)
    assert section.endswith("## Study lung-ct\n\nMade by x.\n\n### Random split\n")
    page.write_text("# Results\n" + section, encoding="utf-8")
    assert study([], page) == section
    assert study([], tmp_path / "other.md") == study([], None) == ""
    assert study([table, table], None).count("## Study lung-ct\n\nMade by x.") == 2
    table.write_text("# Study two\n", encoding="utf-8")
    main(["--study", str(table), "--write", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n<!-- ")
    assert text.endswith(" -->\n\n## Study two\n")
    with pytest.raises(SystemExit):
        main(["--study", str(table)])


def test_int8_is_judged_on_held_out_fields_alone() -> None:
    from results import int8

    def figure(value: float) -> dict[str, float | None]:
        return {"value": value, "low": None, "high": None}

    compared: dict[str, Any] = {
        "data": {"seen": "held out", "part": "test", "fields": 40, "groups": 9},
        "accuracy_a": figure(0.975),
        "accuracy_b": figure(0.95),
        "answered_a": figure(1.0),
        "answered_b": figure(0.9),
        "only_a_right": 1,
        "only_b_right": 0,
        "difference": figure(-0.025),
    }
    page = int8(compared)
    assert "40 held-out fields in 9 groups" in page
    assert "| accuracy | 97.5 % | 95.0 % |" in page
    assert "int8 minus source: -2.5 %" in page
    compared["data"]["seen"] = "partly seen"
    with pytest.raises(SystemExit, match="held-out"):
        int8(compared)


def test_the_page_shows_every_case_and_who_was_left_out() -> None:
    from peer_cases import LUNGSCAN, NETWORK
    from peer_kind import Kind
    from peer_page import page
    from peer_tables import section

    results = {
        (LUNGSCAN, "1x half"): measured(4.0, 6.0, tiles=5200),
        (NETWORK, "ready"): measured(2.0, tiles=1000),
    }
    run_json = {
        "model": {"name": "m", "version": "1", "sha256": "0" * 64},
        "versions": {"numpy": "2", "pillow": "13", "openvino": "2026"},
        "lungscan_version": "1",
        "device": "CPU",
    }
    skipped = {"WSInfer": "could not be installed: no such wheel"}
    kind = Kind("tiny", 96, 0.5)
    text = page(section(results, skipped, run_json, 0.1, "python benchmarks/peers.py"), "", kind)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    cells = ["slide, 1x, overlap 50 %", "LungScan", "5.0", "5,200", "1,083", "10.0", "1.00", "0.50"]
    assert [*cells, "1", "4.0, 6.0 s"] in rows
    assert any(row[:2] == ["ready batches", "network alone"] and "500" in row for row in rows)
    assert "the newest is tiny, 96 px at\n  0.5 µm/px" in text
    assert "- WSInfer could not be installed: no such wheel." in text


def test_a_new_measuring_keeps_the_figures_of_other_processors(tmp_path: Path) -> None:
    from peer_kind import Kind
    from peer_page import write_page

    path, kind = tmp_path / "speed.md", Kind("tiny", 96, 0.5)
    write_page(path, "## On an Intel, 2 cores\n\n3.1 s\n\n### All runs\n\nforty runs", kind)
    write_page(path, "## On an AMD, 2 cores\n\n9.9 s", kind)
    write_page(path, "## On an Intel, 2 cores\n\n2.9 s\n\n### All runs\n\nfour runs", kind)
    text = path.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## On an Intel, 2 cores",
        "## On an AMD, 2 cores",
        "## What the figures mean",
    ]
    assert "2.9 s" in text
    assert "9.9 s" in text
    assert "four runs" in text
    assert "3.1 s" not in text
    assert "forty runs" not in text


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("fpu avx2 avx512f amx_bf16 amx_fp16", "AMX with fp16"),
        ("fpu avx2 avx512f avx512_fp16 amx_bf16", "AMX with bf16"),
        ("fpu avx2 fma", "AVX2"),
        ("fpu sse4_1", "older than AVX2"),
    ],
)
def test_processors_of_one_name_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, flags: str, found: str
) -> None:
    from table import instructions

    text = f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert instructions() == found


@pytest.mark.parametrize("name", ["speed.md", "speed-ghostnet.md"])
def test_the_pages_of_figures_name_two_processors(name: str) -> None:
    text = (Path(__file__).parents[1] / "docs" / name).read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## On ")]
    assert len(headings) == 2
    assert any("Intel" in line for line in headings)
    assert any("AMD" in line for line in headings)


def test_programs_take_turns_and_a_failing_peer_is_left_out(tmp_path: Path) -> None:
    from peer_cases import LUNGSCAN, TIATOOLBOX, WSINFER, Job
    from peer_kind import shipped
    from peer_programs import Program, Turn
    from peers import Session
    from runs import Bench

    class Drawer(Bench):
        def draw(self, *arguments: str, folder: Path | None = None) -> Path:
            assert folder
            (folder / "slide").write_text(" ".join(arguments))
            return folder / "slide"

    def program(name: str, code: str) -> Program:
        def read(_out: Path, done: Any) -> Turn:
            return Turn(done, int(done.text))

        return Program(
            name, lambda *given: [sys.executable, "-c", code, *map(str, given)], {}, read
        )

    count = "import sys; print(len(open(sys.argv[1]).read()) * 10 + int(sys.argv[3]))"
    fails = "import sys; sys.exit('a wheel\\nfell off')"
    made = [(LUNGSCAN, count), (WSINFER, fails), (TIATOOLBOX, count)]
    programs = {name: program(name, code) for name, code in made}
    session = Session(tmp_path, Drawer(tmp_path, "", 1), shipped(), programs, {})
    session.measure([Job(LUNGSCAN, "1x core", 2), *(Job(n, "1x core", 1) for n, _ in made[1:])])
    turns = {key: [turn.tiles for turn in turns] for key, turns in session.turns.items()}
    assert turns == {(LUNGSCAN, "1x core"): [51, 51], (TIATOOLBOX, "1x core"): [51]}
    assert session.skipped == {WSINFER: "failed on the case 1x core: fell off"}
    session.programs[LUNGSCAN] = program(LUNGSCAN, fails)
    with pytest.raises(SystemExit, match="LungScan failed"):
        session.measure([Job(LUNGSCAN, "1x core", 1)])


@pytest.mark.parametrize("kind", [None, ("ghostnet_100", 224)])
def test_all_programs_get_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, int] | None
) -> None:
    import peer_kind
    import peer_network
    import peer_torch
    import torch
    from safetensors.numpy import load_file

    from lungscan.model.checked import read_card
    from lungscan.model.novelty import load_novelty
    from lungscan.runtimes import load_runtime

    torch.set_num_threads(1)  # on a busy machine threads only wait for each other
    monkeypatch.setattr(peer_network, "SETTLING", 1)
    wanted = peer_kind.unscaled(*kind) if kind else peer_kind.shipped()
    fields = peer_network.draw_tiles(2, wanted.size_px, seed=1)
    network = peer_network.make_network(wanted)
    peer_network.write_peers(network, wanted, fields, tmp_path)
    peer_network.write_model(network, wanted, fields, tmp_path / "lungscan")
    card = read_card(tmp_path / "lungscan")
    probs, features = load_runtime(card, "cpu-fp32", threads=1).predict(fields)
    stored = load_file(tmp_path / "answers.safetensors")["probs"]
    assert np.abs(probs - stored).max() < 1e-3
    assert (load_novelty(card.folder / "novelty.safetensors").score(features) < 1).all()
    theirs = peer_torch.load_network(tmp_path)
    peer_torch.check(theirs, tmp_path)
    theirs.classifier.bias.data[0] += 1
    with pytest.raises(ValueError, match="answers otherwise"):
        peer_torch.check(theirs, tmp_path)


def test_the_plot_is_drawn_from_whatever_was_measured(tmp_path: Path) -> None:
    from peer_cases import LUNGSCAN, NETWORK
    from peer_plot import draw

    results = {(LUNGSCAN, "1x"): measured(4.0), (NETWORK, "ready"): measured(2.0)}
    draw(results, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.width > picture.height > 200
