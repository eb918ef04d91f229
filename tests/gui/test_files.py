"""Cases of several images: each can be looked at, reviewed and exported; none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from lungscan.model.checked import read_card
from lungscan.options import ScanOptions
from lungscan.results.review_json import Region, read_review
from lungscan.review.again import answer_again
from lungscan.scanning.scan import scan
from lungscan_gui import engine
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs
from tests.results import two_file_result

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")
SIZES = {"a": (1536, 1024), "b": (1024, 1280)}


@pytest.fixture
def run(tmp_path: Path, model: Path, fake: object) -> Path:
    """A finished run of the command line: one case of two slides, which lie beside it."""
    for name, size in SIZES.items():
        write_svs(tmp_path / f"{name}.svs", draw_slide(*size, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    table = tmp_path / "cases.csv"
    table.write_text("file,case\na.svs,Patient 1\nb.svs,Patient 1\n", encoding="utf-8")
    paths = tuple(tmp_path / f"{name}.svs" for name in SIZES)
    options = ScanOptions(paths, tmp_path / "run", cases=table, model=str(model), isolate=False)
    list(scan(options))
    return tmp_path / "run"


@pytest.fixture
def opened(window: MainWindow, wait: Wait, run: Path, quick: Jobs) -> MainWindow:
    """The window that shows the first image of the case."""
    window.add_paths([run])
    wait(lambda: sees(window, "a"))
    return window


def sees(window: MainWindow, name: str) -> bool:
    """Whether the slide itself is shown, not its overview."""
    picture = window.viewer.picture
    return picture is not None and picture.loader is not None and picture.size == SIZES[name]


def test_each_image_of_a_case_is_shown_with_its_own_map(
    qtbot: QtBot, opened: MainWindow, wait: Wait
) -> None:
    case, files = opened.queue.current, opened.viewbar.files
    assert case.files == ("a.svs", "b.svs")
    assert files.isVisible()
    assert [files.itemText(row) for row in range(2)] == ["1 of 2: a.svs", "2 of 2: b.svs"]
    assert opened.display.overlay.tiles is case.maps[0]
    qtbot.keyClick(opened.viewer, Qt.Key.Key_PageDown, Qt.KeyboardModifier.AltModifier)
    wait(lambda: sees(opened, "b"))
    assert files.currentIndex() == 1
    assert opened.display.overlay.tiles is case.maps[1]
    assert opened.result.answer.answer.text() == engine.answer_line(case.result)
    opened.next_file()  # there are no more
    assert case.file == 1
    files.activated.emit(0)
    wait(lambda: sees(opened, "a"))


def test_evidence_leads_into_the_image_that_it_is_of(opened: MainWindow, wait: Wait) -> None:
    case = opened.queue.current
    row = next(i for i, picture in enumerate(case.result.pictures) if picture.file_index == 1)
    box = case.result.pictures[row].box
    opened.evidence.list.itemClicked.emit(opened.evidence.list.item(row))
    wait(lambda: sees(opened, "b"))
    assert opened.display.marker.box == box
    middle = (box[0] + box[2] / 2, box[1] + box[3] / 2)
    assert opened.viewer.camera.centre == pytest.approx(middle)
    assert opened.viewer.power == pytest.approx(20, rel=0.01)
    assert "b.svs" in opened.evidence.list.item(row).toolTip()


def test_regions_lie_in_the_image_on_which_they_were_drawn(
    opened: MainWindow, wait: Wait, model: Path
) -> None:
    case, result = opened.queue.current, opened.queue.current.result
    opened.next_file()
    wait(lambda: sees(opened, "b"))
    drawing, reviewing = opened.reviewing.drawing, opened.reviewing
    opened.leave_out_region()
    drawing.corners = [(-40.0, -40.0), (512.0, -40.0), (512.0, 1400.0), (-40.0, 1400.0)]
    drawing.close()
    (region,) = reviewing.sheet.history.now.regions
    assert region.file_index == 1
    wait(lambda: reviewing.sheet.second is not None)
    again = answer_again(result, read_card(model), [region])
    assert reviewing.sheet.second.prediction == again.prediction
    kept = {part.file_index: len(part.state) for part in again.scores}
    whole = {part.file_index: len(part.state) for part in result.scores}
    assert kept[0] == whole[0]
    assert kept[1] < whole[1]
    assert again.counts != answer_again(result, read_card(model), [_first(region)]).counts
    opened.save_review()
    wait(lambda: not reviewing.unsaved)
    assert read_review(case.out / "cases" / result.key).regions == (region,)
    opened.previous_file()  # a region that is begun there is no region here
    wait(lambda: sees(opened, "a"))
    opened.leave_out_region()
    opened.next_file()
    wait(lambda: sees(opened, "b"))
    assert not drawing.active


def _first(region: Region) -> Region:
    return replace(region, file_index=0)


def test_exports_are_those_of_the_image_that_is_shown(
    opened: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    case = opened.queue.current
    opened.next_file()
    wait(lambda: sees(opened, "b"))
    folder = case.out / "cases" / case.result.key
    made = {export.suffix: export for export in engine.exports(case.result, file=case.file)}
    for suffix, name in ((".geojson", "tiles-2.geojson"), (".png", "heatmap-2.png")):
        made[suffix].write(tmp_path / f"it{suffix}")
        assert (tmp_path / f"it{suffix}").read_bytes() == (folder / name).read_bytes()


def test_analysed_again_it_is_the_same_case_of_all_its_images(
    opened: MainWindow, wait: Wait, quick: Jobs
) -> None:
    case, before = opened.queue.current, opened.queue.current.result
    opened.next_file()
    wait(lambda: sees(opened, "b"))
    opened.analyse()
    wait(lambda: not opened.analysis.running)
    assert case.state is CaseState.FINISHED
    assert case.result is not before
    assert case.result.key == before.key
    assert case.result.counts == before.counts
    assert case.result.prediction == before.prediction
    assert quick[-1].options.cases.read_text(encoding="utf-8").count("Patient 1") == 2
    assert case.file == 1
    wait(lambda: opened.display.overlay is not None)
    assert opened.display.overlay.tiles is case.maps[1]


def test_with_an_image_missing_its_overview_is_shown_until_it_is_dropped(
    qtbot: QtBot, opened: MainWindow, wait: Wait, run: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "b.svs").rename(away / "b.svs")
    later = MainWindow(opened.settings)
    qtbot.addWidget(later)
    later.show()
    later.add_paths([run])
    wait(lambda: sees(later, "a"))
    assert not later.analysis.can_start(later.queue.current)  # without b it is another question
    later.next_file()
    wait(lambda: later.viewer.picture is not None and later.viewer.picture.size == SIZES["b"])
    assert later.viewer.picture.loader is None
    assert "was not found" in later.message.words.text()
    later.add_paths([away / "b.svs"])
    wait(lambda: sees(later, "b"))
    assert len(later.queue.model.cases) == 1
    assert later.analysis.can_start(later.queue.current)
    later.close()


def test_two_images_of_one_path_are_told_apart_by_their_number() -> None:
    result = two_file_result()
    alike = tuple(replace(file, relative_path="HE/s.svs") for file in result.files)
    result = replace(result, files=alike, relative_paths=("HE/s.svs",) * 2)
    paths = Path("p1/HE/s.svs"), Path("p2/HE/s.svs")
    case = Case(paths[0], "both", (paths[1],), result=result)
    assert [case.image_of(file) for file in (0, 1)] == list(paths)


def test_an_image_that_could_not_be_read_is_passed_over() -> None:
    result = two_file_result()
    result = replace(result, files=result.files[1:])
    paths = tuple(Path(path) for path in result.relative_paths)
    case = Case(paths[0], "one", paths[1:], result=result)
    assert case.image_of(0) == paths[1]
