"""Whatever is not what its name says ends in one clear sentence, and never in a hang."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from lungscan.errors import CaseError, NoScale, UnreadableFile
from lungscan.inputs import discover, files
from lungscan.reading import kind_of, open_source
from lungscan.types import InputFile
from tests.drawing import draw_he, truncate, write_generic_tiff, write_svs


def found(path: Path) -> InputFile:
    return discover((path,)).cases[0].files[0]


def failure(path: Path, mpp: float | None = None) -> CaseError:
    with pytest.raises(CaseError) as caught:
        open_source(InputFile(path, path.name, found(path).kind), mpp)
    text = str(caught.value)
    assert str(path.parent) not in text  # no folder of this machine
    assert "\n" not in text
    return caught.value


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("text.svs", b"This is text.", "is not a slide"),
        ("photo.ndpi", b"\xff\xd8\xff\xe0" + bytes(400), "is not a slide"),
        ("cut.svs", b"II*\0\x08\x00\x00\x00", "begins like a slide"),
        ("text.dcm", b"This is text.", "is not a DICOM file"),
        ("ct.dcm", bytes(128) + b"DICM" + bytes(50), "not a whole-slide image"),
        ("text.jpg", b"This is text.", "not an image LungScan reads"),
        ("text.tif", b"This is text.", "not an image LungScan reads"),
        ("text.xyz", b"This is text.", "not an image LungScan reads"),
        ("lone.mrxs", b"\xff\xd8\xff\xe0", "lacks the folder 'lone'"),
        ("lone.vms", b"[Virtual Microscope Specimen]\n", "."),
    ],
)
def test_wrong_content(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in str(failure(tmp_path / name))


def test_pipe_and_empty_file_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.svs")
    (tmp_path / "e.png").touch()
    for name in ("x.svs", "e.png"):
        for kind in ("slide", "field"):
            with pytest.raises(UnreadableFile):
                open_source(InputFile(tmp_path / name, name, kind))


def test_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(draw_he(8, 8)).save(path)
    file = found(path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match="may not be read") as caught:
        open_source(file)
    assert caught.value.code == "E_PERMISSION"


def test_windows_does_not_tell_a_file_in_use_from_one_that_may_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "os", SimpleNamespace(name="nt", fsencode=os.fsencode))
    failed = files.open_failure("x.svs", PermissionError(13, "Permission denied"))
    assert "open in another program" in str(failed)
    assert failed.code == "E_PERMISSION"


def test_slide_cut_before_its_directory(tmp_path: Path) -> None:
    path = truncate(write_svs(tmp_path / "x.svs", draw_he(600, 600)), 0.001)
    assert failure(path).code == "E_FORMAT"


@pytest.mark.parametrize("side", [16_384, 1 << 20])
def test_giant_tiles_are_refused_before_they_are_read(tmp_path: Path, side: int) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(300, 300), downsamples=())
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for tag in ("TileWidth", "TileLength"):
            tiff.pages[0].tags[tag].overwrite(side, dtype="I")
    assert failure(path).code in {"E_TOO_LARGE", "E_FORMAT"}
    if side == 16_384:
        assert failure(path).code == "E_TOO_LARGE"


def test_giant_pictures_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(300, 300), downsamples=())
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(60_000_000, dtype="I")
    assert failure(path).code == "E_TOO_LARGE"


def test_slide_without_scale_needs_the_option(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(300, 300), mpp=None, power=None)
    assert "--mpp" in str(failure(path))
    assert isinstance(failure(path), NoScale)
    assert open_source(found(path), 0.5).info.scale.mpp_um == 0.5


def test_decimal_comma(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(300, 300), mpp="0,2500", power=None)
    assert open_source(found(path)).info.scale.mpp_um == 0.25


def test_tiff_is_told_by_its_content(tmp_path: Path) -> None:
    svs = write_svs(tmp_path / "a.svs", draw_he(600, 600))
    scanned = tmp_path / "scanned.tif"
    shutil.copy(svs, scanned)
    pyramid = write_generic_tiff(tmp_path / "p.tif", draw_he(600, 600), downsamples=(2,))
    tiled = write_generic_tiff(tmp_path / "t.tif", draw_he(600, 600))
    large = write_generic_tiff(tmp_path / "l.tif", np.zeros((64, 8256, 3), np.uint8), tile=64)
    flat = tmp_path / "f.tif"
    Image.fromarray(draw_he(60, 60)).save(flat)
    kinds = [kind_of(found(path)) for path in (scanned, pyramid, tiled, large, flat)]
    assert kinds == ["slide", "slide", "field", "slide", "field"]
    assert open_source(found(scanned)).kind == "slide"
    assert open_source(found(tiled)).kind == "field"
    assert isinstance(failure(pyramid), NoScale)
