"""Fixtures of the window's tests: settings of their own, pictures, and a run without a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from lungscan.demo.making import FIELDS, TISSUES, pictures_in
from lungscan.demo.stitching import stitch_slide
from lungscan.errors import LungScanError
from lungscan.opening.local import open_to_look
from lungscan.opening.profiled import Profiled, profile_of
from lungscan.opening.viewing import input_file
from lungscan.options import ScanOptions
from lungscan.reading import TilePixels
from lungscan.scanning.scan import scan
from lungscan.types import BoxArray, Overview
from lungscan_gui.scanning.job import Failure, JobEvent, Stopped
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow

WAIT_MS = 60_000  # the machine may be busy


@pytest.fixture(scope="session")
def demo_slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's slide, put together from training fields."""
    path = tmp_path_factory.mktemp("demo") / "stitched-slide.svs"
    pieces = {tissue: pictures_in(FIELDS / "slide" / tissue) for tissue in TISSUES}
    if not all(pieces.values()):
        pytest.skip("the training fields are not installed")
    stitch_slide(path, pieces)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that touch nothing of the user's."""
    made = Settings(tmp_path / "settings.ini")
    made.results = tmp_path / "results"
    made.folder = str(tmp_path)
    return made


class LocalImage:
    """A ``ViewedImage`` in this process, which starts none."""

    def __init__(self, path: Path, mpp: float | None, threads: int, launched: object) -> None:
        source, self.info = open_to_look(input_file(path), mpp)
        self.path, self.kind, self.overview = path, source.kind, source.overview(1024)
        self._source: Any = source
        self._plain, self._profile = source, profile_of(input_file(path), source)
        self.profile = self._profile.name if self._profile else ""

    def use_profile(self, on: bool) -> Overview:
        """See ``ViewedImage.use_profile``."""
        self._source = Profiled(self._plain, self._profile) if on else self._plain
        return self._source.overview(1024)

    def read(self, boxes: BoxArray) -> TilePixels:
        """See ``ViewedImage.read``."""
        return self._source.read_tiles(boxes, 512)

    def close(self) -> None:
        """Nothing: a thread may still be reading, and the file is small."""


@pytest.fixture
def no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let images be opened in this process: to start one for every test takes minutes."""
    monkeypatch.setattr("lungscan_gui.viewer.opener.ViewedImage", LocalImage)
    monkeypatch.setattr("lungscan_gui.viewer.opener.Launched", lambda: None)
    monkeypatch.setattr("lungscan_gui.scanning.job.Jobs.prepare", lambda _: None)


@pytest.fixture
def window(qtbot: QtBot, settings: Settings) -> Iterator[MainWindow]:
    """The window, shown."""
    made = MainWindow(settings)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


class LocalJob:
    """A run in this process, where tests can put a fake network."""

    def __init__(self, options: ScanOptions) -> None:
        self.options = options
        self._stop = threading.Event()
        self.let_on = threading.Event()  # until it is set, the run waits after its first tiles
        self.let_on.set()

    def events(self) -> Iterator[JobEvent]:
        """See ``ScanJob.events``."""
        from lungscan.events import TilesScored

        try:
            for event in scan(self.options, None, self._stop):
                yield event
                if isinstance(event, TilesScored):
                    self.let_on.wait(30)
        except LungScanError as error:
            yield Failure(str(error), error.code)
        if self._stop.is_set():
            yield Stopped()

    def stop(self) -> None:
        """See ``ScanJob.stop``."""
        self._stop.set()
        self.let_on.set()

    def kill(self) -> None:
        """Nothing to end."""


Jobs = list[LocalJob]


@pytest.fixture
def with_reports() -> None:
    """Let the runs of ``quick`` write all files."""


@pytest.fixture
def quick(window: MainWindow, model: Path, fake: object, request: pytest.FixtureRequest) -> Jobs:
    """Let the window's runs happen here, with the tiny model and the fake network.

    They write no reports but in tests that ask for them.
    """
    made: Jobs = []
    reports = "with_reports" in request.fixturenames

    def make(options: ScanOptions) -> LocalJob:
        options = replace(options, isolate=False)
        if not reports:
            options = replace(options, pdf="none", heatmap=False, geojson=False)
        made.append(LocalJob(options))
        return made[-1]

    window.analysis.runner.make_job = make
    box = window.options.boxes["model"]
    box.addItem(str(model))
    box.setCurrentText(str(model))
    return made


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], bool]], None]:
    """Wait until something is true."""
    return lambda true: qtbot.waitUntil(true, timeout=WAIT_MS)
