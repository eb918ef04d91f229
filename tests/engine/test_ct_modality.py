"""Chest CT as a modality: what is judged, what is refused, the rule, tables and reports."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pydicom", reason="CT series need the extra dicom")

from lungscan.classification.aggregate import gather, rule_named
from lungscan.errors import ModelError
from lungscan.events import Notice
from lungscan.modalities.ct.lungs import BOUNDS, judge, measure, shape_of, unlike
from lungscan.modalities.table import MODALITIES, modality_of
from lungscan.model.card import ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.opening.viewing import VIEW_PX, ViewedImage
from lungscan.report.wording import answer_line, explanation
from lungscan.training.model_card import recipe_of
from lungscan.training.options import TrainOptions
from lungscan.types import (
    CaseResult,
    CaseStatus,
    NoResult,
    RgbArray,
    TileQuality,
    TileScores,
    TileState,
)
from tests.ct_slices import CORONAL, SECRET, dataset, draw_chest, write, write_series
from tests.drawing import draw_he
from tests.engine.scanning import make_field, make_slide, options, results, rows, run
from tests.models import CARD, FakeRuntime, tiny_model

CT_CARD = dataclasses.replace(
    CARD,
    name="tiny-ct",
    class_names=("malignant", "benign", "normal"),
    display_names=("Malignant", "Benign", "Normal"),
    tumour=(True, False, False),
    modality="chest-ct",
    window=(-500.0, 1500.0),
    spacing_um_px=1800.0,
)
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def ct_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "ct", CT_CARD).folder


def in_window(hounsfield: np.ndarray, level: float = -500, width: float = 1500) -> RgbArray:
    grey = np.clip((hounsfield - level + width / 2) / width * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def trunk(plane: str, side: int = 128) -> RgbArray:
    """A drawn trunk cut lengthwise: shoulders above, lungs, belly below, cut off at both ends."""
    y, x = np.mgrid[0:side, 0:side] / side
    half = {"coronal": 0.36, "sagittal": 0.22}[plane]
    hounsfield = np.full((side, side), -1000.0)
    hounsfield[(np.abs(x - 0.5) < half) & (y > 0.1) & (y < 0.9)] = 40
    for centre in {"coronal": (0.33, 0.67), "sagittal": (0.5,)}[plane]:
        hounsfield[((x - centre) / 0.11) ** 2 + ((y - 0.4) / 0.22) ** 2 < 1] = -860
    return in_window(hounsfield)


def radiograph(side: int = 128) -> RgbArray:
    """A drawn chest radiograph: bright to every edge, darker lungs."""
    y, x = np.mgrid[0:side, 0:side] / side
    grey = np.full((side, side), 170.0)
    for centre in (0.3, 0.7):
        grey[((x - centre) / 0.17) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1] = 60
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def without_lungs(side: int = 128) -> RgbArray:
    """A drawn belly."""
    hounsfield = draw_chest(side=side).astype(float)
    y, x = np.mgrid[0:side, 0:side] / side
    hounsfield[(hounsfield < -500) & (((x - 0.5) / 0.4) ** 2 + ((y - 0.5) / 0.27) ** 2 < 1)] = 45
    return in_window(hounsfield)


@pytest.mark.parametrize("window", [(-500, 1500), (-600, 1200), (40, 400), (-400, 2000)])
def test_a_chest_is_known_in_any_usual_window(window: tuple[float, float]) -> None:
    tile = in_window(draw_chest(1).astype(float), *window)
    assert unlike(tile[None])[0] <= 1
    assert 0.15 < shape_of(tile).lung < 0.45
    assert judge(measure(tile[None], np.ones(1, np.float32)), np.ones(1)) == (TileState.USED,)


@pytest.mark.parametrize(
    "tile",
    [
        trunk("coronal"),
        trunk("sagittal"),
        radiograph(),
        draw_he(128, 128, 3),
        np.rot90(trunk("coronal")),
        np.full((128, 128, 3), 7, np.uint8),
        np.random.default_rng(0).integers(0, 256, (128, 128, 1), np.uint8).repeat(3, 2),
    ],
    ids=["coronal", "sagittal", "radiograph", "H&E", "turned", "plain", "noise"],
)
def test_what_is_no_axial_chest_is_unlike_one(tile: RgbArray) -> None:
    state = judge(measure(tile[None], np.ones(1, np.float32)), np.ones(1))[0]
    assert unlike(tile[None])[0] > 1 or state is TileState.BLANK


def test_without_lung_there_is_nothing_to_judge() -> None:
    quality = measure(without_lungs()[None], np.ones(1, np.float32))
    assert quality.blank[0] > 0.95
    assert judge(quality, np.ones(1)) == (TileState.BLANK,)


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared pictures are not here")
def test_real_slices_lie_within_the_bounds_and_real_tissue_does_not() -> None:
    def tiles(folder: str) -> np.ndarray:
        found = sorted((DATA / folder).glob("*/*.jp*g"))[::25]
        return np.stack(
            [np.asarray(Image.open(p).convert("RGB").resize((128, 128))) for p in found]
        )

    slices = tiles("iq-oth-nccd")
    assert (unlike(slices) <= 1).all()
    assert min(shape_of(tile).lung for tile in slices) > 0.06
    assert (unlike(tiles("lc25000-lung")) > 1).all()


def test_every_bound_is_a_measure() -> None:
    assert set(BOUNDS) < set(shape_of(radiograph()).__dataclass_fields__)


def probabilities(*malignant: float) -> np.ndarray:
    return np.array([[m, (1 - m) * 0.3, (1 - m) * 0.7] for m in malignant], np.float32)


def test_three_neighbours_must_name_tumour_together() -> None:
    rule = rule_named("tumour-aware", "chest-ct")
    weight = np.ones(8, np.float32)
    lone = rule(probabilities(0.1, 0.1, 0.95, 0.1, 0.1, 0.1, 0.1, 0.1), weight, CT_CARD)
    assert (lone.index, lone.flags) == (2, ("lone_suspicious_slice",))
    together = rule(probabilities(0.1, 0.1, 0.9, 0.8, 0.7, 0.1, 0.1, 0.1), weight, CT_CARD)
    assert together.index == 0
    assert together.confidence == pytest.approx(0.8)
    apart = rule(probabilities(0.1, 0.9, 0.1, 0.1, 0.8, 0.1, 0.1, 0.7), weight, CT_CARD)
    assert apart.index == 2
    single = rule(probabilities(0.9), weight[:1], CT_CARD)
    assert (single.index, single.confidence) == (0, pytest.approx(0.9))


def test_slices_are_neighbours_only_where_they_lie_beside_each_other() -> None:
    rule = rule_named("tumour-aware", "chest-ct")
    probs = probabilities(0.1, 0.1, 0.95, 0.95, 0.1, 0.1, 0.1, 0.1)
    weight = np.ones(8, np.float32)
    assert rule(probs, weight, CT_CARD, np.arange(8)).index == 0
    unused_between = np.array([0, 1, 2, 12, 13, 14, 15, 16])  # slices 3 to 11 do not count
    apart = rule(probs, weight, CT_CARD, unused_between)
    assert (apart.index, apart.flags) == (2, ("lone_suspicious_slice",))
    backwards = rule(probs[::-1], weight, CT_CARD, np.arange(8)[::-1])
    assert backwards.index == 0, "the order of rows says nothing"
    none_beside = rule(probs, weight, CT_CARD, 2 * np.arange(8))
    assert none_beside.index == 2, "where no three lie beside each other all count together"


def slices(*malignant: float) -> TileScores:
    count = len(malignant)
    full = np.ones(count, np.float32)
    boxes = np.array([[512 * i, 0, 512, 512] for i in range(count)], np.int32).reshape(-1, 4)
    quality = TileQuality(full, full * 0, full * 0, full)
    probs = probabilities(*malignant)
    return TileScores(0, boxes, full, probs, full * 0, quality, (TileState.USED,) * count)


def test_the_end_of_a_series_is_no_neighbour_of_the_next_ones_beginning() -> None:
    first, second = slices(0.1, 0.1, 0.95), slices(0.95, 0.95, 0.1)
    joined = gather([first, second], [None, None], 3)
    assert joined.place is not None
    assert joined.place.tolist() == [0, 1, 2, 4, 5, 6]
    singles = gather([slices(0.1), slices(0.2), slices(0.3)], [None] * 3, 3)
    assert singles.place is not None
    assert singles.place.tolist() == [0, 1, 2], "pictures of one slice each are a series"


def test_of_histology_the_rules_stay_what_they_are() -> None:
    assert rule_named("tumour-aware") is rule_named("tumour-aware", "he-histology")
    assert rule_named("tumour-aware") is not rule_named("tumour-aware", "chest-ct")
    assert rule_named("mean") is rule_named("mean", "chest-ct")


def test_a_series_is_a_case_with_a_table_of_its_slices(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    write_series(tmp_path / "in" / "thorax", count=7, step=3.0)
    out = tmp_path / "out"
    found = results(run(options(ct_model, out, tmp_path / "in", pdf="auto", heatmap=True,
                                geojson=True)))  # fmt: skip
    (case,) = found.values()
    assert (case.case_id, case.status, case.counts.total) == ("thorax", CaseStatus.OK, 7)
    assert case.prediction is not None
    assert (case.prediction.label, case.prediction.area_mm2) == ("malignant", None)
    assert case.model.modality == "chest-ct"
    folder = out / "cases" / case.key
    assert {p.name for p in folder.iterdir()} == {
        "case.json", "slices.csv", "report.pdf", "lungscan.sha256",
    }  # fmt: skip
    with (folder / "slices.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["slice"] for row in table] == [str(n) for n in range(1, 8)]
    assert [float(row["position_mm"]) for row in table] == [3.0 * n for n in range(7)]
    assert {row["state"] for row in table} == {"used"}
    assert all(0.1 < float(row["lung_share"]) < 0.5 for row in table)
    assert [p.role for p in case.pictures] == ["top"] * 6 + ["uncertain"]
    assert SECRET.split("^")[0].encode() not in b"".join(p.read_bytes() for p in out.rglob("*.*"))


def test_the_report_says_ct_and_where_the_slices_lie(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    import pypdf

    write_series(tmp_path / "in" / "thorax", count=7, step=3.0)
    run(options(ct_model, tmp_path / "out", tmp_path / "in", pdf="auto"))
    (path,) = (tmp_path / "out").glob("cases/*/report.pdf")
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    words = " ".join(text.split())
    for expected in (
        *("CHEST CT CLASSIFICATION", "7, 3 mm apart", "level -500, width 1500 HU"),
        *("Most suspicious slices", "7 of 7, 18.0 mm", "three neighbouring slices"),
    ):
        assert expected in words
    unexpected = ("H&E", "TISSUE", "mm²", "Scale unknown", "Zaphod")
    assert [one for one in unexpected if one in words] == []
    summary = pypdf.PdfReader(tmp_path / "out" / "summary.pdf")
    words = " ".join(" ".join(page.extract_text() for page in summary.pages).split())
    for expected in ("CHEST CT CLASSIFICATION", "Slices 7 (", "Slices used"):
        assert expected in words
    assert [one for one in (*unexpected, "Tiles", "Tissue") if one in words] == []
    assert summary.metadata is not None
    assert summary.metadata.subject == "Chest CT classification, research use only"


def refusal(case: CaseResult) -> str:
    assert case.prediction is None or case.prediction.label is None
    if case.error_code:
        return case.error_code
    assert case.prediction is not None
    assert case.prediction.reason is not None
    return case.prediction.reason.value


def test_pictures_are_slices_and_what_is_none_gets_no_result(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    folder = tmp_path / "in"
    make_slide(folder / "slide.svs")
    make_field(folder / "field.png")
    shown = {"chest": in_window(draw_chest(2).astype(float)), "coronal": trunk("coronal"),
             "radiograph": radiograph(), "belly": without_lungs()}  # fmt: skip
    for name, rgb in shown.items():
        Image.fromarray(np.ascontiguousarray(rgb)).save(folder / f"{name}.png")
    wide = np.pad(shown["chest"], ((0, 0), (40, 40), (0, 0)), constant_values=43)
    Image.fromarray(wide).save(folder / "wide.png")
    write(folder / "scan" / "a.dcm", dataset(draw_chest(), ImageOrientationPatient=CORONAL))
    found = results(run(options(ct_model, tmp_path / "out", folder)))
    assert found["chest"].prediction is not None
    assert found["chest"].prediction.label == "malignant"
    assert found["wide"].prediction is not None
    assert found["wide"].prediction.label == "malignant"
    assert found["wide"].scores[0].boxes.tolist() == [[0, -40, 208, 208]]
    assert found["chest"].flags == ()
    assert {name: refusal(found[name]) for name in found if name not in {"chest", "wide"}} == {
        "slide": "E_MODALITY",
        "field": NoResult.NO_LUNG.value,
        "coronal": NoResult.NOT_CHEST_CT.value,
        "radiograph": NoResult.NOT_CHEST_CT.value,
        "belly": NoResult.NO_LUNG.value,
        "a": "E_PLANE",
    }
    messages = {row["case_id"]: row["error_message"] for row in rows(tmp_path / "out")}
    assert "axial slices of chest CT" in messages["slide"]


def test_a_histology_model_refuses_a_series_and_says_which_model_to_choose(
    tmp_path: Path, model: Path, fake: FakeRuntime
) -> None:
    write_series(tmp_path / "in" / "thorax", count=2)
    magnetic = dataset(draw_chest(), SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR")
    write(tmp_path / "in" / "mr.dcm", magnetic)
    make_field(tmp_path / "in" / "field.png")
    found = results(run(options(model, tmp_path / "out", tmp_path / "in")))
    assert refusal(found["thorax"]) == "E_MODALITY"
    assert "Choose another among the options (--model; " in found["thorax"].error_message
    assert refusal(found["mr"]) == "E_MODALITY"
    assert found["field"].status is CaseStatus.OK
    assert found["field"].model.modality is None


def test_bad_files_cost_only_themselves_in_the_reader_process_too(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    write_series(tmp_path / "in" / "good", count=3)
    paths = write_series(tmp_path / "in" / "cut", count=3, SeriesInstanceUID="9")
    for path in paths:
        path.write_bytes(path.read_bytes()[:-20_000])
    write(tmp_path / "in" / "none" / "a.dcm", dataset(draw_chest(), PixelData=None))
    many = dataset(draw_chest(), SeriesInstanceUID="7")
    many.Rows, many.Columns = 4000, 4000
    write(tmp_path / "in" / "lies" / "a.dcm", many)
    found = results(run(options(ct_model, tmp_path / "out", tmp_path / "in", isolate=True)))
    codes = {name: case.error_code for name, case in found.items()}
    assert codes["good"] == ""
    assert sorted(codes.values()) == ["", "E_FORMAT", "E_TILE", "E_TILE"]


def test_a_slice_cut_short_costs_only_itself_with_pictures_and_without(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    paths = write_series(tmp_path / "in", count=24)
    paths[5].write_bytes(paths[5].read_bytes()[:-20_000])
    for pdf in ("auto", "none"):
        found = results(run(options(ct_model, tmp_path / pdf, tmp_path / "in", pdf=pdf)))
        (case,) = found.values()
        assert (case.status, case.counts.used) == (CaseStatus.PARTIAL, 23)
        assert case.error_message == "1 of 24 slices could not be read."
        assert "slices_unreadable" in case.flags
        assert "tiles_unreadable" not in case.flags


def test_what_a_series_lacks_is_said_in_slices_and_files(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    paths = write_series(tmp_path / "in" / "cut", count=4)
    paths[1].write_bytes(paths[1].read_bytes()[:-20_000])
    for index in range(4):
        made = dataset(draw_chest(index), 2.0 * index, SeriesInstanceUID="9")
        write(tmp_path / "in" / "bare" / f"{index}.dcm", made)
    write(tmp_path / "in" / "bare" / "x.dcm", dataset(draw_chest(), PixelData=None,
                                                      SeriesInstanceUID="9"))  # fmt: skip
    found = results(run(options(ct_model, tmp_path / "out", tmp_path / "in", pdf="auto")))
    assert found["cut"].error_message.startswith("1 of 4 slices could not be read. An answer")
    assert found["bare"].error_message.startswith(
        "20.0 % of the files could not be read. An answer"
    )
    assert {case.error_code for case in found.values()} == {"E_TILE"}


def test_a_series_in_several_folders_is_told(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    for index, name in enumerate(("upper", "lower", "lower")):
        write(tmp_path / "in" / name / f"{index}.dcm", dataset(draw_chest(index), 3.0 * index))
    write(tmp_path / "in" / "other" / "0.dcm", dataset(draw_chest(), SeriesInstanceUID="9"))
    events = run(options(ct_model, tmp_path / "out", tmp_path / "in"))
    (told,) = (event.text for event in events if isinstance(event, Notice))
    assert told.startswith("Slices of one series lie in several folders: lower, in/upper/0.dcm.")
    table = "file,case\nin/upper/0.dcm,a\nin/lower/1.dcm,a\n"
    (tmp_path / "cases.csv").write_text(table, encoding="utf-8")
    joined = options(ct_model, tmp_path / "out", tmp_path / "in", cases=tmp_path / "cases.csv")
    assert not any(isinstance(event, Notice) for event in run(joined))


def test_what_is_no_dicom_is_not_called_a_slide(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "noise.dcm").write_bytes(bytes(range(256)) * 20)
    (case,) = results(run(options(ct_model, tmp_path / "out", tmp_path / "in"))).values()
    assert case.error_code == "E_FORMAT"
    assert case.error_message.startswith("noise.dcm is not a DICOM file")


def test_a_long_series_is_answered_slice_by_slice(
    tmp_path: Path, ct_model: Path, fake: FakeRuntime
) -> None:
    small = draw_chest(side=64)
    for index in range(150):
        write(tmp_path / "in" / f"{index:04}", dataset(small, index * 0.5, PixelSpacing=[5.0, 5.0]))
    (case,) = results(run(options(ct_model, tmp_path / "out", tmp_path / "in"))).values()
    assert (case.status, case.counts.used) == (CaseStatus.OK, 150)
    assert case.flags == ("series_not_validated",)
    assert answer_line(case).endswith(" (not measured on series)")  # wherever the answer stands
    assert "never measured" in explanation(case)
    (alone,) = results(run(options(ct_model, tmp_path / "one", tmp_path / "in" / "0075"))).values()
    assert (alone.status, alone.counts.used, alone.flags) == (CaseStatus.OK, 1, ())


def test_a_viewed_series_hands_out_its_slices(tmp_path: Path) -> None:
    paths = write_series(tmp_path, count=4)
    with ViewedImage(paths[2]) as viewed:
        assert viewed.slices == 4
        shown = viewed.slice_picture(3)
        assert shown.shape == (VIEW_PX, VIEW_PX, 3)
        small = np.asarray(Image.fromarray(shown).resize((128, 128), Image.Resampling.BOX))
        expected = in_window(draw_chest(3).astype(float))
        assert abs(small.astype(int) - expected).mean() < 8
        with pytest.raises(IndexError):
            viewed.slice_picture(4)


# Cards and recipes --------------------------------------------------------------------------------


def test_a_card_names_its_modality_and_window(ct_model: Path) -> None:
    card = read_card(ct_model)
    assert (card.modality, card.window) == ("chest-ct", (-500.0, 1500.0))
    assert card.stamp().modality == "chest-ct"


def test_a_histology_card_is_what_it_was(model: Path) -> None:
    values = json.loads((model / "card.json").read_text(encoding="utf-8"))
    assert not {"modality", "window"} & values.keys()
    assert read_card(model).modality == "he-histology"
    assert read_card(model).stamp().modality is None


@pytest.mark.parametrize("change", [{"modality": "sonography"}, {"window": [0, 0]}, {"window": 5}])
def test_an_unknown_modality_or_window_is_no_model(
    tmp_path: Path, change: dict[str, object]
) -> None:
    card: ModelCard = tiny_model(tmp_path / "m", CT_CARD)
    write_card(card, card.folder)
    path = card.folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change))
    with pytest.raises(ModelError, match="damaged"):
        read_card(card.folder)


def test_every_modality_is_found_by_its_name() -> None:
    assert {name: modality_of(name).name for name in MODALITIES} == {n: n for n in MODALITIES}
    assert modality_of(None).name == "he-histology"
    with pytest.raises(ValueError, match="sonography"):
        modality_of("sonography")


def test_recipes_of_histology_are_recorded_as_before() -> None:
    plain = recipe_of(TrainOptions("a"))
    assert not {"modality", "window"} & plain.keys()
    assert "turn_degrees" not in plain["augment"]
    assert "balance" not in plain["student_fit"]
    assert recipe_of(TrainOptions("a", modality="chest-ct"))["modality"] == "chest-ct"
