"""Images that are looked at: none stays open once its job is deleted, or its process has died."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lungscan.errors import UnreadableFile
from lungscan.types import InputFile
from lungscan_web.jobs.limits import NotHere
from lungscan_web.jobs.zooming import Place, Zooms
from tests.web.serving import WAIT_S, wait

PLACE = Place("job", 1, 0)
FILE = InputFile(Path("x.svs"), "x.svs", "slide")


class Images:
    """Stands for the engine's images; opening one waits for ``hold``, if reading does not."""

    def __init__(self) -> None:
        self.hold = threading.Event()
        self.hold.set()
        self.made: list[Image] = []
        self.broken = 0  # so many cannot be opened

    def open(self, *_: Any, **__: Any) -> Image:
        """In the place of ``ViewedImage``."""
        self.made.append(Image(self))
        assert self.hold.wait(WAIT_S)
        if self.broken:
            self.broken -= 1
            self.made[-1].closed = True
            raise UnreadableFile("It is no image.")
        return self.made[-1]


class Image:
    """An open image of one tile."""

    is_overview_made = True
    overview_downsample = 4.0
    info = SimpleNamespace(width=8, height=8, scale=SimpleNamespace(mpp_um=0.25))

    def __init__(self, images: Images) -> None:
        self._images, self.closed, self.reading = images, False, False

    def read(self, _: Any) -> Any:
        """See ``ViewedImage.read``; of one that is closed there is nothing to read."""
        self.reading = True
        assert self._images.hold.wait(WAIT_S)
        if self.closed:
            raise UnreadableFile("The reading process has been closed.")
        return SimpleNamespace(failed=[False], rgb=np.zeros((1, 512, 512, 3), np.uint8))

    def close(self) -> None:
        """See ``ViewedImage.close``."""
        self.closed = True


class Asker(threading.Thread):
    """Asks for something, and keeps what came of it."""

    def __init__(self, ask: Any) -> None:
        super().__init__(daemon=True)
        self._ask, self.found = ask, None
        self.start()

    def run(self) -> None:
        """Ask."""
        try:
            self.found = self._ask()
        except Exception as error:  # noqa: BLE001  it is what the test wants to see
            self.found = error

    def end(self) -> Any:
        """What came of it."""
        self.join(WAIT_S)
        return self.found


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Images:
    made = Images()
    monkeypatch.setattr("lungscan.opening.viewing.ViewedImage", made.open)
    return made


@pytest.mark.parametrize("how", ["forget", "close"])
def test_an_image_whose_job_is_deleted_while_it_is_opened_is_closed(
    images: Images, how: str
) -> None:
    zooms = Zooms()
    images.hold.clear()
    asker = Asker(lambda: zooms.describe(PLACE, FILE, None))
    wait(lambda: images.made)
    zooms.forget("job") if how == "forget" else zooms.close()
    images.hold.set()
    assert isinstance(asker.end(), NotHere)
    assert [image.closed for image in images.made] == [True]
    assert len(zooms) == 0


def test_a_tile_on_its_way_does_not_open_the_image_of_a_deleted_job_again(images: Images) -> None:
    zooms = Zooms()
    zooms.describe(PLACE, FILE, None)
    images.hold.clear()
    asker = Asker(lambda: zooms.tile(PLACE, FILE, None, (3, 0, 0)))
    wait(lambda: images.made[0].reading)
    zooms.forget("job")
    images.hold.set()
    assert isinstance(asker.end(), NotHere)
    assert [image.closed for image in images.made] == [True]
    assert len(zooms) == 0


def test_tiles_of_a_process_that_died_are_read_anew_and_one_image_is_open(images: Images) -> None:
    zooms = Zooms()
    zooms.describe(PLACE, FILE, None)
    images.hold.clear()
    askers = [Asker(lambda: zooms.tile(PLACE, FILE, None, (3, 0, 0))) for _ in range(6)]
    wait(lambda: images.made[0].reading)
    images.made[0].closed = True  # it died
    images.hold.set()
    assert {asker.end()[:2] for asker in askers} == {b"\xff\xd8"}
    assert [image.closed for image in images.made] == [True, False]
    zooms.close()
    assert images.made[1].closed


def test_an_image_that_cannot_be_opened_leaves_none_open_to_who_waited_for_it(
    images: Images,
) -> None:
    zooms = Zooms()
    images.hold.clear()
    images.broken = 1
    askers = [Asker(lambda: zooms.describe(PLACE, FILE, None)) for _ in range(6)]
    wait(lambda: images.made)
    time.sleep(0.1)  # most of them wait by now; what is asserted holds for any number
    images.hold.set()
    found = [asker.end() for asker in askers]
    assert "It is no image." in [str(each) for each in found]
    assert sum(not image.closed for image in images.made) == len(zooms)
    assert zooms.describe(PLACE, FILE, None)["width"] == 8  # it may be tried again
