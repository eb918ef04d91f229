"""The window scrolls through the slices of a CT series, and says where each lies and what it is."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor, QImage, QWheelEvent
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

pytest.importorskip("pydicom", reason="CT series need the extra dicom")

from lungscan.model.checked import read_card
from lungscan.review.again import answer_again
from lungscan.types import SeriesInfo, TileState
from lungscan_gui import engine
from lungscan_gui.engine import probability, state_name
from lungscan_gui.panels.slices import CT_WORDS, place_text
from lungscan_gui.window import MainWindow
from tests.ct_slices import dataset, draw_chest, write, write_series
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs, LocalImage
from tests.models import CARD, tiny_model

Wait = Callable[[Callable[[], bool]], None]
Key = Qt.Key
pytestmark = pytest.mark.usefixtures("no_reader")
COUNT, STEP = 6, 2.5


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model for chest CT, in the place of the one for tissue."""
    names = ("malignant", "benign", "normal")
    card = replace(
        CARD,
        name="tiny-ct",
        class_names=names,
        display_names=("Malignant", "Benign", "Normal"),
        tumour=(True, False, False),
        modality="chest-ct",
        window=(-500.0, 1500.0),
        spacing_um_px=1800.0,
    )
    return tiny_model(tmp_path / "model", card).folder


@pytest.fixture
def series(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", COUNT, STEP)
    return tmp_path / "series"


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_svs(tmp_path / "slide.svs", draw_slide(1536, 1200))


def opened(window: MainWindow, wait: Wait, path: Path) -> None:
    def shown() -> bool:
        case = window.display.case
        return case is not None and case.path is not None and case.path.is_relative_to(path)

    window.add_paths([path])
    wait(lambda: shown() and window.viewer.picture is not None)


def answered(window: MainWindow, wait: Wait, path: Path) -> None:
    opened(window, wait, path)
    window.analysis.start()
    wait(lambda: window.display.case.result is not None and not window.analysis.running)


def seen(window: MainWindow) -> np.ndarray:
    """What the viewer shows, as grey values ``(h, w)``."""
    image = window.viewer.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    bits = image.constBits().asarray(image.sizeInBytes())
    rows = np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width()]


def announced_text(window: MainWindow) -> str:
    return window.slices.words.text()


def test_only_a_series_has_a_slider(
    window: MainWindow, wait: Wait, series: Path, slide: Path
) -> None:
    assert not window.slices.isVisible()
    opened(window, wait, slide)
    assert not window.slices.isVisible()
    opened(window, wait, series)
    bar = window.slices
    assert bar.isVisible()
    assert (bar.slider.minimum(), bar.slider.maximum(), bar.index) == (0, COUNT - 1, COUNT // 2)
    assert announced_text(window) == "Slice 4 of 6, 7.5 mm: not yet scored"
    assert bar.slider.accessibleName() == "Slice"
    assert bar.slider.accessibleDescription() == announced_text(window)
    assert bar.words.accessibleName() == "Slice, its place and class"
    window.show_case(window.queue.model.cases[0])
    wait(lambda: window.viewer.picture is not None)
    assert not bar.isVisible()


def test_keys_wheel_and_slider_step_and_stop_at_the_ends(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path
) -> None:
    opened(window, wait, series)
    bar, pictures = window.slices, {}
    for index in (4, 5, 5):
        qtbot.keyClick(window.viewer, Key.Key_PageDown)
        assert bar.index == index
        pictures[index] = seen(window)
    for index in (4, 3, 2, 1, 0, 0):
        qtbot.keyClick(window.viewer, Key.Key_PageUp)
        assert bar.index == index
        pictures[index] = seen(window)
    for one in range(1, COUNT):
        assert (pictures[one] != pictures[one - 1]).mean() > 0.01
    assert announced_text(window).startswith("Slice 1 of 6, 0 mm:")
    bar.slider.setValue(3)
    assert announced_text(window).startswith("Slice 4 of 6, 7.5 mm:")
    assert np.array_equal(seen(window), pictures[3])
    for eighths, index in ((-60, 3), (-60, 4), (240, 2)):
        turn(window, eighths)
        assert bar.index == index


def turn(window: MainWindow, eighths: int) -> None:
    middle = QPointF(window.viewer.rect().center())
    event = QWheelEvent(
        middle, window.viewer.mapToGlobal(middle), QPoint(), QPoint(eighths, 0),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.AltModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(window.viewer, event)


def test_one_slice_is_seen_alone_and_whole_until_all_are_wanted(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path
) -> None:
    opened(window, wait, series)
    viewer = window.viewer
    viewer.backdrop = QColor(255, 0, 0)
    qtbot.waitUntil(lambda: viewer.camera.screen == (viewer.width(), viewer.height()))
    left, top, width, height = viewer.camera.visible
    assert min(width, height) == pytest.approx(128 / 0.97)
    assert (left + width / 2, top + height / 2) == (64, 192)  # the first of the second row
    viewer.zoom_by(0.8)  # neighbours would be seen above and beside it
    assert colours(window, (64, 120), (134, 192)) == [viewer.backdrop] * 2
    assert viewer.backdrop not in colours(window, (64, 192), (5, 133), (123, 251))
    qtbot.keyClick(viewer, Key.Key_F)
    assert announced_text(window).startswith("All 6 slices")
    assert viewer.picture.part is None
    assert viewer.backdrop not in colours(window, (64, 120), (134, 192), (64, 192))
    qtbot.keyClick(viewer, Key.Key_PageDown)
    assert announced_text(window).startswith("Slice 5 of 6, 10 mm:")
    assert viewer.picture.part == (128, 128, 128, 128)
    viewer.go_to(320, 64)  # as a click into the small overview does
    assert announced_text(window).startswith("Slice 3 of 6, 5 mm:")
    assert viewer.picture.part == (256, 0, 128, 128)


def colours(window: MainWindow, *places: tuple[float, float]) -> list[QColor | None]:
    """What is on the screen at positions of level 0; None beside the screen."""
    viewer = window.viewer
    image = viewer.grab().toImage()
    points = [QPointF(*viewer.camera.to_screen(*place)).toPoint() for place in places]
    return [image.pixelColor(at) if image.rect().contains(at) else None for at in points]


def test_zoom_and_place_stay_from_slice_to_slice(
    window: MainWindow, wait: Wait, series: Path
) -> None:
    opened(window, wait, series)
    viewer = window.viewer
    viewer.zoom_by(1.3)
    viewer.look(viewer.camera.moved_to(40, 128 + 70))
    zoom = viewer.camera.zoom
    window.page_down()
    assert (viewer.camera.zoom, viewer.camera.centre) == (zoom, (128 + 40, 128 + 70))
    window.page_up()
    window.page_up()
    assert (viewer.camera.zoom, viewer.camera.centre) == (zoom, (256 + 40, 70))


def test_a_slice_fills_a_viewer_of_another_size(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path
) -> None:
    opened(window, wait, series)
    before = window.viewer.camera.zoom
    window.resize(window.width(), window.height() - 120)
    qtbot.waitUntil(lambda: window.viewer.camera.zoom < before)
    assert window.viewer.camera.visible[3] == pytest.approx(128 / 0.97)
    assert window.slices.index == 3


def test_label_tells_place_and_class_as_the_table_has_them(
    window: MainWindow, wait: Wait, series: Path, quick: Jobs
) -> None:
    answered(window, wait, series)
    case = window.display.case
    (table,) = case.out.rglob("slices.csv")
    with table.open(encoding="utf-8-sig", newline="") as opened_table:
        rows = list(csv.DictReader(opened_table))
    assert len(rows) == COUNT
    names = {"malignant": "Malignant", "benign": "Benign", "normal": "Normal"}
    for index, row in enumerate(rows):
        window.slices.go(index)
        place = f"Slice {row['slice']} of 6, {float(row['position_mm']):g} mm: "
        probs = {name: float(row[f"prob_{name}"]) for name in names}
        best = max(probs, key=probs.get)
        judged = f"{names[best]} {probability(probs[best])}"
        if row["state"] != "used":
            judged = f"left out: {state_name(TileState(row['state']), CT_WORDS)}"
        assert announced_text(window) == place + judged
    assert any(row["state"] == "used" for row in rows)
    picture = case.result.pictures[0]
    window.evidence.visited.emit(picture)
    number = case.result.files[0].info.series.index_at(*picture.box[:2]) + 1
    assert announced_text(window).startswith(f"Slice {number} of 6,")


def test_what_was_left_out_is_reported_in_words_of_ct() -> None:
    assert state_name(TileState.NOVEL, CT_WORDS) == "unlike axial chest CT"
    assert state_name(TileState.BLANK, CT_WORDS) == "without lung"
    assert state_name(TileState.FAILED, CT_WORDS) == "not readable"


def test_a_series_is_reported_of_in_slices_and_never_in_tiles_or_areas(
    window: MainWindow, wait: Wait, series: Path, quick: Jobs, tmp_path: Path
) -> None:
    opened(window, wait, series)
    texts: list[str] = []
    window.analysis.runner.progressed.connect(texts.append)
    window.analysis.start()
    wait(lambda: window.display.case.result is not None and not window.analysis.running)
    case, panel = window.display.case, window.result
    assert any("of 6 slices" in words for words in texts)
    assert not any("tile" in words for words in texts)
    heads = [label.text() for label in panel.classes.findChildren(QLabel, "head")]
    assert heads == ["", "Slices", "Share of lung", "Prob."]
    text = panel.quality.text()
    assert text.startswith("Slices: ")
    assert "Series: 6, 2.5 mm apart; level -500, width 1500 HU" in text
    assert "mm²" not in text
    assert "Tissue" not in text
    legend = panel.map.legend.accessibleName()
    assert "Left out (without lung, unlike axial chest CT)" in legend
    assert "H&E" not in legend
    assert window.evidence.counter.text().startswith("Evidence: looked at 0 of")
    assert " slices (" in window.evidence.counter.text()
    tip = window.evidence.list.item(0).toolTip()
    assert "; slice " in tip
    assert " of 6, " in tip
    assert "slices" in tip  # "Most suspicious slices", as in the report
    assert not any(button.isVisible() for button in window.viewbar.powers.values())
    assert window.viewbar.power.text().endswith("%")
    titles = [export.title for export in engine.exports(case.result)]
    assert titles == ["Report (PDF)", "Slices (CSV)"]  # a series has no map to lay over a slide
    assert panel.explained.ask.text() == "Explain this slice"
    side = case.result.files[0].info.series.side_px
    columns = case.result.files[0].info.series.columns
    x, y = 4 % columns * side + 10.0, 4 // columns * side + 20.0
    window.viewer.pointed.emit(x, y)
    assert window.readout.text().startswith("slice 5  x 10  y 20 px  (")
    assert " mm)" in window.readout.text()
    window.viewer.pointed.emit(-5.0, 20.0)
    assert window.readout.text().startswith("beside the slices")


def test_a_slide_after_a_series_has_its_objectives_and_words_again(
    window: MainWindow, wait: Wait, series: Path, slide: Path
) -> None:
    opened(window, wait, series)
    assert not window.viewbar.powers[20].isVisible()
    camera = window.viewer.camera
    window.magnify_20()
    assert window.viewer.camera == camera
    opened(window, wait, slide)
    assert window.viewbar.powers[20].isVisible()
    assert "unlike lung H&E" in window.result.map.legend.accessibleName()
    window.viewer.pointed.emit(100.0, 200.0)
    assert window.readout.text().startswith("x 100  y 200 px  (")


def test_a_slice_is_left_out_and_counts_again_with_one_key(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path, quick: Jobs, model: Path
) -> None:
    answered(window, wait, series)
    result, reviewing = window.display.case.result, window.reviewing
    panel = window.result.review
    assert panel.draw.text() == "Leave out this slice"
    assert not panel.freehand.isVisible()
    window.slices.go(2)
    qtbot.keyClick(window.viewer, Key.Key_R)
    (region,) = reviewing.sheet.history.now.regions
    wait(lambda: reviewing.sheet.second is not None)
    again = answer_again(result, read_card(model), [region])
    assert again.counts.total == COUNT - 1
    assert reviewing.sheet.second.counts == again.counts
    rows = {row[0]: row[1:] for row in panel.second.texts}
    assert rows["Slices used"][1] == f"{again.counts.used} of {COUNT - 1}"
    assert "Tissue" not in rows
    assert panel.second.words.text() == "Left out: 1 region, 1 slice"
    qtbot.keyClick(window.viewer, Key.Key_R)
    assert reviewing.sheet.history.now.regions == ()
    window.fit()  # all slices are seen: which one is meant?
    qtbot.keyClick(window.viewer, Key.Key_R)
    assert reviewing.sheet.history.now.regions == ()
    assert "single slice first" in window.message.words.text()
    assert not reviewing.drawing.active
    window.undo_review()
    window.undo_review()
    assert not reviewing.unsaved


def test_places_have_as_many_decimals_as_they_need() -> None:
    info = SeriesInfo(4, 2, 512, (-1200.0, -0.0001, 0.625, 1234.5), None, (-500, 1500))
    texts = [place_text(info, index).removeprefix("Slice ") for index in range(4)]
    assert texts == ["1 of 4, -1200 mm", "2 of 4, 0 mm", "3 of 4, 0.625 mm", "4 of 4, 1234.5 mm"]
    assert place_text(replace(info, positions_mm=None), 1) == "Slice 2 of 4"


def test_only_the_slice_that_is_looked_at_is_read_and_not_by_the_window(
    window: MainWindow, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices as large as the tiles of the viewer: each is one tile."""
    for index in range(9):
        path = tmp_path / "large" / f"{index}.dcm"
        write(path, dataset(draw_chest(index, side=512), index * 1.0))
    asked: list[tuple[int, int]] = []
    threads: set[threading.Thread] = set()
    read = LocalImage.read

    def texts(self: LocalImage, boxes: np.ndarray) -> object:
        threads.add(threading.current_thread())
        asked.extend((x // 512, y // 512) for x, y, w, _ in boxes.tolist() if w == 512)
        return read(self, boxes)

    monkeypatch.setattr(LocalImage, "read", texts)
    opened(window, wait, tmp_path / "large")
    viewer = window.viewer
    wait(lambda: (1, 1) in asked and viewer.picture.settled)
    _, _, width, height = viewer.camera.visible
    assert max(width, height) > 512  # neighbours would be touched
    window.page_down()
    wait(lambda: (2, 1) in asked and viewer.picture.settled)
    assert set(asked) == {(1, 1), (2, 1)}
    assert threading.main_thread() not in threads


def test_without_a_series_the_same_keys_go_through_the_cases(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path, slide: Path
) -> None:
    window.add_paths([slide, series])
    wait(lambda: window.viewer.picture is not None)
    first, second = window.queue.model.cases
    assert window.display.case is first
    qtbot.keyClick(window.viewer, Key.Key_PageDown)
    assert window.display.case is second
    wait(window.slices.isVisible)
    qtbot.keyClick(window.viewer, Key.Key_PageUp)
    assert window.display.case is second
    qtbot.keyClick(window.viewer, Key.Key_PageUp, Qt.KeyboardModifier.ControlModifier)
    assert window.display.case is first


def test_a_series_opened_from_results_is_judged_whole_again(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path, quick: Jobs
) -> None:
    answered(window, wait, series)
    folder = window.display.case.out
    window.remove_case()
    window.add_paths([folder])
    wait(lambda: window.display.case is not None and window.slices.isVisible())
    case = window.display.case
    assert len(case.paths) == COUNT
    window.analysis.start()
    wait(lambda: not window.analysis.running and case.result is not None)
    assert case.result.files[0].info.series.slices == COUNT
    assert case.out == folder  # so it is the same question: nothing had to be computed


def test_a_series_that_was_moved_is_whole_when_its_folder_is_dropped(
    qtbot: QtBot, window: MainWindow, wait: Wait, series: Path, quick: Jobs, tmp_path: Path
) -> None:
    answered(window, wait, series)
    folder = window.display.case.out
    window.remove_case()
    (tmp_path / "away").mkdir()
    series.rename(tmp_path / "away" / "series")
    window.add_paths([folder])
    wait(lambda: window.display.case is not None and window.viewer.picture is not None)
    assert not window.slices.isVisible()
    qtbot.keyClick(window.viewer, Key.Key_R)  # the overview is no place to draw on
    assert "The slices of this series are not here" in window.message.words.text()
    assert not window.reviewing.drawing.active
    window.add_paths([tmp_path / "away" / "series"])
    wait(window.slices.isVisible)
    assert len(window.queue.model.cases) == 1
    assert len(window.display.case.paths) == COUNT
