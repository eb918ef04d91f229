"""CT series: which slices belong together, their order, Hounsfield units, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="CT series need the extra dicom")

from pydicom import dcmwrite
from pydicom.dataset import FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from lungscan.errors import UnreadableFile
from lungscan.inputs import discover
from lungscan.reading.ct.series import SeriesSource, open_series
from lungscan.types import InputFile
from tests.ct_slices import (
    CORONAL,
    SAGITTAL,
    dataset,
    draw_chest,
    multi_frame,
    write,
    write_series,
)

SHARED = Path(__file__).parents[3] / "shared" / "data" / "ct-dicom"


def opened(folder: Path) -> SeriesSource:
    (case,) = discover((folder,)).cases
    (file,) = case.files
    assert file.kind == "series"
    return open_series(file)


def grey(hounsfield: float) -> int:
    return round(float(np.clip((hounsfield + 1250) / 1500 * 255, 0, 255)))


def middle(source: SeriesSource, index: int = 0) -> tuple[int, int, int]:
    """Grey levels of air, tissue and lung."""
    picture = source.slice_picture(index)[..., 0]
    return tuple(
        round(float(np.median(picture[y - 3 : y + 3, x - 3 : x + 3])))
        for x, y in ((6, 6), (64, 40), (42, 62))
    )


def test_slices_lie_by_position_whatever_their_names(tmp_path: Path) -> None:
    write_series(tmp_path, count=8, step=2.5)
    source = opened(tmp_path)
    assert source.series.positions_mm == tuple(2.5 * index for index in range(8))
    assert source.series.spacing_mm == 2.5
    assert source.info.flags == ()
    for index in (0, 3, 7):
        shown = source.slice_picture(index)
        expected = (draw_chest(index).astype(np.float32) + 1250) / 1500 * 255
        np.testing.assert_allclose(shown[..., 1], np.rint(expected.clip(0, 255)), atol=1)


def test_grey_is_the_window_of_the_card(tmp_path: Path) -> None:
    write_series(tmp_path, count=1)
    (case,) = discover((tmp_path,)).cases
    narrow = open_series(case.files[0], (40.0, 400.0))
    assert middle(narrow) == pytest.approx((0, round(200 / 400 * 255), 0), abs=4)
    assert middle(open_series(case.files[0])) == pytest.approx(
        (grey(-1000), grey(40), grey(-860)), abs=2
    )


def test_each_slice_has_a_square_that_shows_it_alone(tmp_path: Path) -> None:
    write_series(tmp_path, count=5)
    source = opened(tmp_path)
    read = source.read_tiles(source.boxes, 128)
    assert not read.failed.any()
    for index in range(5):
        np.testing.assert_array_equal(read.rgb[index], source.slice_picture(index))
        x, y, _, _ = source.boxes[index].tolist()
        assert source.series.index_at(x + 5, y + 5) == index
    over = source.overview(384)
    x, y, side, _ = (np.array(source.boxes[4]) / over.downsample).astype(int).tolist()
    part = over.rgb[y : y + side, x : x + side, 0].astype(int)
    assert abs(part - source.slice_picture(4)[..., 0]).mean() < 3


def test_rescaling_may_differ_by_slice_and_by_frame(tmp_path: Path) -> None:
    plain = draw_chest(1)
    half = dataset(plain, 2.0, RescaleSlope=0.5, RescaleIntercept=-1024)
    half.PixelData = ((np.clip(plain, -1024, 1000) + 1024) * 2).astype("<u2").tobytes()
    write(tmp_path / "s" / "a.dcm", dataset(plain, 0.0))
    write(tmp_path / "s" / "b.dcm", half)
    source = opened(tmp_path / "s")
    np.testing.assert_allclose(source.slice_picture(0), source.slice_picture(1), atol=1)

    frames = multi_frame([draw_chest(i) for i in range(3)], [1.0, 1.0, 0.5])
    write(tmp_path / "m" / "all.dcm", frames)
    source = opened(tmp_path / "m")
    assert source.series.positions_mm == (24.0, 27.0, 30.0)  # the files go from above to below
    assert middle(source, 2)[1] == pytest.approx(grey(40), abs=2)
    stored = 40 + 1024
    assert middle(source, 0)[1] == pytest.approx(grey(0.5 * stored - 1024), abs=2)


@pytest.mark.parametrize("values", ["inverted", "as they are"])
def test_monochrome1_shows_air_dark_whether_or_not_its_values_are_inverted(
    tmp_path: Path, values: str
) -> None:
    made = dataset(draw_chest(), PhotometricInterpretation="MONOCHROME1")
    if values == "inverted":
        stored = np.frombuffer(made.PixelData, "<u2")
        made.PixelData = (4095 - stored).astype("<u2").tobytes()
    write(tmp_path / "a.dcm", made)
    assert middle(opened(tmp_path)) == pytest.approx((grey(-1000), grey(40), grey(-860)), abs=2)


def test_padding_and_what_lies_outside_count_as_air(tmp_path: Path) -> None:
    made = dataset(draw_chest(), PixelRepresentation=1, BitsStored=16, HighBit=15,
                   RescaleIntercept=0, PixelPaddingValue=-2000)  # fmt: skip
    values = draw_chest().astype("<i2")
    values[:20] = -2000
    made.PixelData = values.tobytes()
    write(tmp_path / "a.dcm", made)
    assert set(opened(tmp_path).slice_picture(0)[:20].ravel()) == {grey(-1024)}


@pytest.mark.parametrize(
    "codec", ["jpeg-lossless", "jpeg-ls", "jpeg-ls-near", "htj2k", "jpeg-2000", "rle"]
)
def test_compressed_slices_are_those_that_were_packed(tmp_path: Path, codec: str) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    values = (draw_chest(3) + 1024).astype(np.uint16)
    packers = {
        "jpeg-lossless": (
            "1.2.840.10008.1.2.4.70",
            lambda: imagecodecs.ljpeg_encode(values, bitspersample=12),
        ),
        "jpeg-ls": ("1.2.840.10008.1.2.4.80", lambda: imagecodecs.jpegls_encode(values)),
        "jpeg-ls-near": (
            "1.2.840.10008.1.2.4.81",
            lambda: imagecodecs.jpegls_encode(values, level=2),
        ),
        "htj2k": ("1.2.840.10008.1.2.4.201", lambda: imagecodecs.htj2k_encode(values)),
        "jpeg-2000": (
            "1.2.840.10008.1.2.4.90",
            lambda: imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0),
        ),
    }
    if codec == "rle":
        made = dataset(draw_chest(3))
        made.compress("1.2.840.10008.1.2.5")
    else:
        syntax, pack = packers[codec]
        made = dataset(draw_chest(3), syntax=syntax)
        made.PixelData = encapsulate([bytes(pack())])
        made["PixelData"].VR = "OB"
    write(tmp_path / "packed" / "a.dcm", made)
    write(tmp_path / "plain" / "a.dcm", dataset(draw_chest(3)))
    packed, plain = opened(tmp_path / "packed"), opened(tmp_path / "plain")
    np.testing.assert_allclose(
        packed.slice_picture(0), plain.slice_picture(0), atol=1 if codec == "jpeg-ls-near" else 0
    )


def test_localizers_other_planes_sizes_and_copies_are_left_out_and_counted(tmp_path: Path) -> None:
    write_series(tmp_path, count=6)
    write(tmp_path / "scout.dcm",
          dataset(draw_chest(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))  # fmt: skip
    write(tmp_path / "coronal.dcm", dataset(draw_chest(), ImageOrientationPatient=CORONAL))
    write(tmp_path / "small.dcm", dataset(draw_chest(side=64), 99.0))
    again = dataset(draw_chest(), 0.0, uid="1.2.3.9")
    write(tmp_path / "again.dcm", again)
    write(tmp_path / "twin.dcm", again)
    source = opened(tmp_path)
    assert source.series.slices == 6
    assert dict(source.series.left_out) == {
        "localizers_left_out": 1,
        "other_planes_left_out": 1,
        "other_sizes_left_out": 1,
        "duplicates_left_out": 2,  # one instance twice, and its slice in the place of another
    }
    assert set(source.info.flags) == set(dict(source.series.left_out))


def test_uneven_distances_and_missing_slices_are_flagged(tmp_path: Path) -> None:
    for index, z in enumerate((0, 2, 4, 8, 10)):
        write(tmp_path / "gap" / f"{index}.dcm", dataset(draw_chest(), z))
    assert set(opened(tmp_path / "gap").info.flags) == {"slices_missing", "spacing_uneven"}
    for index, z in enumerate((0, 2, 4, 6.6, 8.6)):
        write(tmp_path / "uneven" / f"{index}.dcm", dataset(draw_chest(), z))
    assert opened(tmp_path / "uneven").info.flags == ("spacing_uneven",)


def test_without_positions_the_scanners_numbers_count_and_that_is_reported(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        write(
            tmp_path / f"{9 - number}.dcm",
            dataset(draw_chest(number), InstanceNumber=number, ImagePositionPatient=None),
        )
    source = opened(tmp_path)
    assert source.info.flags == ("positions_unknown",)
    assert source.series.positions_mm is None
    expected = (draw_chest(1).astype(np.float32) + 1250) / 1500 * 255
    np.testing.assert_allclose(source.slice_picture(0)[..., 0], expected.clip(0, 255), atol=1)


def test_slices_that_all_claim_one_place_are_no_copies(tmp_path: Path) -> None:
    paths = write_series(tmp_path, count=5, step=0.0)
    source = opened(tmp_path)
    assert (source.series.slices, source.info.flags) == (5, ("positions_unknown",))
    shutil.copy(paths[0], tmp_path / "copy.dcm")
    source = opened(tmp_path)
    assert (source.series.slices, source.info.flags) == (
        5,
        ("duplicates_left_out", "positions_unknown"),
    )


def test_two_series_in_a_folder_are_two_cases(tmp_path: Path) -> None:
    write_series(tmp_path, count=3)
    for index in range(2):
        made = dataset(draw_chest(), index * 5.0, SeriesInstanceUID="9.9")
        write(tmp_path / f"other{index}", made)
    cases = discover((tmp_path,)).cases
    assert sorted(open_series(case.files[0]).series.slices for case in cases) == [2, 3]


def test_two_patients_whose_series_share_their_uids_are_two_cases(tmp_path: Path) -> None:
    """Hiding names did it: their slices lay in one stack, with one answer."""
    for index in range(6):
        made = dataset(draw_chest(index), index // 2 * 2.0, PatientID=f"Zoë {index % 2}")
        made.SpecificCharacterSet = "ISO_IR 192"
        write(tmp_path / f"{index}.dcm", made)
    cases = discover((tmp_path,)).cases
    sources = [open_series(case.files[0]) for case in cases]
    assert [(each.series.slices, each.info.flags) for each in sources] == [(3, ()), (3, ())]
    assert not any("Zo" in str(case) for case in cases)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_every_encoding_of_dicom_makes_one_series(tmp_path: Path, syntax: str) -> None:
    """Each slice was a case of its own; packed as a whole, none could be read."""
    write_series(tmp_path / "usual", 4)
    for index in range(4):
        plain = dataset(draw_chest(index), index * 2.0, syntax=syntax)
        made = FileDataset("", {}, file_meta=plain.file_meta, preamble=b"\0" * 128)
        made.update(plain)
        if syntax == ExplicitVRBigEndian:
            made.PixelData = np.frombuffer(plain.PixelData, "<u2").astype(">u2").tobytes()
            made["PixelData"].VR = "OW"
        (tmp_path / "other").mkdir(exist_ok=True)
        dcmwrite(tmp_path / "other" / f"{index}.dcm", made, enforce_file_format=True)
    usual, other = opened(tmp_path / "usual"), opened(tmp_path / "other")
    assert other.info == usual.info
    for index in range(4):
        np.testing.assert_array_equal(other.slice_picture(index), usual.slice_picture(index))


def test_a_slice_that_is_named_alone_is_taken_alone(tmp_path: Path) -> None:
    paths = write_series(tmp_path, count=4)
    (case,) = discover((paths[2],)).cases
    assert open_series(case.files[0]).series.slices == 1


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"PixelData": None}, "E_FORMAT", "no pixels: it was cut short"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"}, "E_MODALITY", "(MR)"),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "ZAPHOD"},
            "E_MODALITY",
            "another",
        ),
        ({"ImageOrientationPatient": CORONAL}, "E_PLANE", "coronal"),
        ({"ImageOrientationPatient": SAGITTAL}, "E_PLANE", "sagittal"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "E_PLANE", "localizers"),
        ({"Rows": 60_000}, "E_TOO_LARGE", "60,000"),
        ({"NumberOfFrames": 50_000}, "E_TOO_LARGE", "50,000"),
        ({"Rows": None}, "E_FORMAT", "damaged"),
        ({"SamplesPerPixel": 3}, "E_UNSUPPORTED", "colour"),
        ({"syntax": "1.2.840.10008.1.2.4.102"}, "E_UNSUPPORTED", "video"),
    ],
)
def test_what_is_no_axial_slice_is_refused_with_its_reason_and_no_name(
    tmp_path: Path, fields: dict[str, object], code: str, words: str
) -> None:
    video = "syntax" in fields
    made = dataset(draw_chest(), **fields)
    if video:
        from pydicom.encaps import encapsulate

        made.PixelData = encapsulate([b"\0" * 64])
        made["PixelData"].VR = "OB"
    path = write(tmp_path / "a.dcm", made)
    with pytest.raises(UnreadableFile) as caught:
        open_series(InputFile(path, "a.dcm", "series"))
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "zaphod" not in str(caught.value).lower()


def test_encrypted_parts_are_refused(tmp_path: Path) -> None:
    import pydicom

    made = dataset(draw_chest())
    item = pydicom.Dataset()
    item.EncryptedContent = b"\1\2\3\4"
    made.EncryptedAttributesSequence = pydicom.Sequence([item])
    path = write(tmp_path / "a.dcm", made)
    with pytest.raises(UnreadableFile, match="encrypted") as caught:
        open_series(InputFile(path, "a.dcm", "series"))
    assert caught.value.code == "E_UNSUPPORTED"


def test_a_file_cut_short_fails_alone(tmp_path: Path) -> None:
    paths = write_series(tmp_path, count=4)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    source = opened(tmp_path)
    failed = source.read_tiles(source.boxes, 64).failed
    assert failed.tolist() == [False, True, False, False]
    paths[1].write_bytes(whole[:300])
    cut, rest = sorted(discover((tmp_path,)).cases, key=lambda case: len(case.files[0].parts))
    assert cut.files[0].path == paths[1]  # too short to say what it belongs to
    assert open_series(rest.files[0]).series.slices == 3
    broken = replace(rest.files[0], parts=(*rest.files[0].parts, paths[1]))
    source = open_series(broken)
    assert (source.series.slices, source.unreadable) == (3, 0.25)
    assert source.info.flags[0] == "slices_unreadable"


def test_without_pydicom_the_message_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    path = write_series(tmp_path, count=1)[0]
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UnreadableFile, match=r"lungscan-histology\[dicom\]"):
        open_series(InputFile(path, path.name, "series"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared CT series are not here")
@pytest.mark.parametrize(
    ("name", "spacing", "flags"), [("ricord", 1.25, ()), ("lungfcp", 2.0, ("spacing_uneven",))]
)
def test_real_series_are_read(name: str, spacing: float, flags: tuple[str, ...]) -> None:
    source = opened(SHARED / name)
    assert (source.series.slices, source.series.spacing_mm) == (24, spacing)
    assert source.info.flags == flags
    for index in (0, 12, 23):  # the air around the body, near -1,000 Hounsfield units
        picture = source.slice_picture(index)[..., 0]
        assert abs(float(np.median(picture[:40, 200:300])) - grey(-1000)) <= 4
