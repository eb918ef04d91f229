"""Opening a slide while it is hashed: a refusal is told at once, and nothing stays open."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from lungscan.errors import NoScale, UnreadableFile
from lungscan.inputs import sha256_of
from lungscan.model.checked import read_card
from lungscan.opening import plan as prepare
from lungscan.opening.plan import plan_file
from lungscan.types import InputFile
from tests.drawing import draw_he
from tests.engine.scanning import make_slide, options

MANY = 5_000


class SlowDisk(type(Path())):  # type: ignore[misc]
    """A path to a file that takes many blocks to read, a millisecond each."""

    begun = Event()
    reads = 0

    def open(self, *_: object, **__: object) -> SlowDisk:
        return self

    def __enter__(self) -> SlowDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, _: int) -> bytes:
        SlowDisk.reads += 1
        SlowDisk.begun.set()
        time.sleep(0.001)
        return b"x" * (SlowDisk.reads < MANY)


@pytest.fixture
def slow(tmp_path: Path) -> InputFile:
    """A slide that opens at once and hashes slowly."""
    SlowDisk.begun, SlowDisk.reads = Event(), 0
    path = make_slide(tmp_path / "s.svs")
    return InputFile(path, "s.svs", "slide", (SlowDisk(path),))


def test_a_refused_slide_is_not_read_to_its_end(
    slow: InputFile, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        assert SlowDisk.begun.wait(60)
        raise NoScale("no scale")

    monkeypatch.setattr(prepare, "open_source", refuse)
    with pytest.raises(NoScale):
        plan_file(slow, options(model, Path()), read_card(model), picture=False)
    reads = SlowDisk.reads
    assert 0 < reads < MANY
    time.sleep(0.02)
    assert SlowDisk.reads == reads  # nobody reads on


def test_a_slide_without_tiles_to_plan_is_closed_and_not_read_on(
    slow: InputFile, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Event()
    honest = prepare.open_source

    def opened(file: InputFile, mpp: float | None) -> object:
        source = honest(InputFile(file.path, file.relative_path, file.kind), mpp)
        monkeypatch.setattr(type(source), "close", lambda _: closed.set())
        return source

    def damaged(*_: object, **__: object) -> None:
        assert SlowDisk.begun.wait(60)
        raise UnreadableFile("damaged")

    monkeypatch.setattr(prepare, "open_source", opened)
    monkeypatch.setattr(prepare, "survey", damaged)
    with pytest.raises(UnreadableFile, match="damaged"):
        plan_file(slow, options(model, Path()), read_card(model), picture=False)
    assert closed.is_set()
    assert SlowDisk.reads < MANY


def test_a_slide_that_is_taken_is_hashed_whole_and_stays_open(tmp_path: Path, model: Path) -> None:
    path = make_slide(tmp_path / "s.svs")
    file = InputFile(path, "s.svs", "slide")
    plan = plan_file(file, options(model, Path()), read_card(model), picture=False)
    assert plan.result.sha256 == sha256_of(file)
    assert plan.source.read_tiles(plan.grid.boxes[:1], plan.grid.size_px).valid[0] == 1
    plan.source.close()


def test_a_hash_that_cannot_be_taken_closes_the_slide(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> str:
        raise UnreadableFile("the drive is away", code="E_IO")

    closed = Event()
    honest = prepare.open_source

    def opened(file: InputFile, mpp: float | None) -> object:
        source = honest(file, mpp)
        monkeypatch.setattr(type(source), "close", lambda _: closed.set())
        return source

    monkeypatch.setattr(prepare, "sha256_of", away)
    monkeypatch.setattr(prepare, "open_source", opened)
    file = InputFile(make_slide(tmp_path / "s.svs"), "s.svs", "slide")
    with pytest.raises(UnreadableFile, match="drive is away"):
        plan_file(file, options(model, Path()), read_card(model), picture=False)
    assert closed.is_set()


def test_an_unwanted_hash_ends_early(slow: InputFile) -> None:
    unwanted = Event()
    unwanted.set()
    with pytest.raises(CancelledError):
        sha256_of(slow, unwanted)
    assert SlowDisk.reads == 1


@pytest.mark.parametrize("size", [(300, 300), (448, 224), (1000, 260)])
@pytest.mark.parametrize("mpp", [None, 0.25, 0.5])
def test_no_field_is_squeezed(
    tmp_path: Path, model: Path, size: tuple[int, int], mpp: float | None
) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(draw_he(*size, 3)).save(path)
    file, card = InputFile(path, "x.png", "field"), read_card(model)
    grid = plan_file(file, options(model, Path(), mpp=mpp), card, picture=False).grid
    assert len(grid.boxes) > 0
    assert (grid.boxes[:, 2] == grid.boxes[:, 3]).all()
    assert grid.mode == ("whole" if mpp is None else "tiled")


@pytest.mark.parametrize(
    ("pages", "cure"), [(1, "higher magnification"), (2, "first of the file's pictures")]
)
def test_what_is_too_coarse_may_lie_before_a_finer_picture(
    tmp_path: Path, model: Path, pages: int, cure: str
) -> None:
    path, pictures = tmp_path / "x.tif", [Image.fromarray(draw_he(300, 300, 3))] * pages
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(UnreadableFile, match=cure) as caught:
        plan_file(
            InputFile(path, "x.tif", "field"),
            options(model, Path(), mpp=8.0),
            read_card(model),
            picture=False,
        )
    assert caught.value.code == "E_TOO_COARSE"
