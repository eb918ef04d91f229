"""Every recipe takes its first step: on drawn pictures, with the smallest network."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.dataset.archive import unpack
from lungscan.dataset.public_sets import LUNGHIST700
from lungscan.errors import ModelError
from lungscan.model.modality_names import DEFAULT
from lungscan.training.data import gather
from lungscan.training.events import EpochFinished
from lungscan.training.networks import create
from lungscan.training.options import Fit, Phase, TrainOptions, load_options
from lungscan.training.train import train
from tests.drawing import draw_he
from tests.lunghist import members
from tests.training_data import SIDE, draw_data

RECIPES = Path(__file__).parents[2] / "models" / "recipes"


def small(fit: Fit) -> Fit:
    """The same with one epoch of few steps, at a size that costs nothing."""
    fit = dataclasses.replace(fit, compile=False)
    return dataclasses.replace(
        fit, phases=(Phase(1, 32, (40, 64)),), batch_size=16, drop_path=0.0, bf16=False
    )


def shrunk(options: TrainOptions) -> TrainOptions:
    """The recipe on drawings: what it does stays, its networks, sizes and folders are small."""
    return dataclasses.replace(
        options,
        data="." if options.sources else "drawn",
        counter_examples=(),
        more_pictures=(),
        drawn_examples=4,
        teacher=options.teacher and "test_efficientnet",
        teacher_from="",
        student="test_efficientnet",
        pretrained=False,
        features_fit=None,
        features_of_fold=0,
        final_fit=None,
        field_px=SIDE,
        input_px=0,
        spacing_um_px=options.spacing_um_px * options.field_px / SIDE,
        teacher_fit=small(options.teacher_fit),
        student_fit=small(options.student_fit),
        finetune_fit=options.finetune_fit and small(options.finetune_fit),
        head_fit=options.head_fit
        and dataclasses.replace(options.head_fit, views=1, span_px=(40, 64), penalties=(0.1,)),
        split=(0.7, 0.15, 0.15),
        folds=0,
        classes=options.classes if options.modality == DEFAULT else (),  # drawn is H&E
        threads=1,
        device="cpu",
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw_data(folder / "drawn", 4, clear=True)
    return folder


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(RECIPES.glob("*.toml")) if not load_options(path).sources],
    ids=lambda path: path.stem,
)
def test_every_recipe_takes_its_first_step(root: Path, tmp_path: Path, path: Path) -> None:
    options = shrunk(load_options(path))
    events = train(options, root, tmp_path / "out", options.stages[:1])
    (first,) = [event for event in events if isinstance(event, EpochFinished)]
    assert first.stage == options.stages[0]
    assert 0 < first.loss < 20


def test_the_first_project_is_as_it_was() -> None:
    options = load_options(RECIPES / "seed-project.toml")
    assert options.stages == ("teacher", "student", "finetune", "alone")
    assert options.model_stage == "finetune"
    assert (options.teacher, options.student) == ("edgenext_small", "ghostnet_100")
    assert options.split == (0.7, 0.15, 0.15)
    assert (options.protocol, options.allow_leakage, options.pretrained) == ("random", True, True)


def test_the_recipe_of_two_sources_learns_from_both(tmp_path: Path) -> None:
    options = load_options(RECIPES / "lung-histology-two-sources.toml")
    assert options.stages == ("features", "alone")
    assert options.student == "ghostnet_100"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in members(size=(480, 360), patients=3).items():
            archive.writestr(name, data)
    unpack(tmp_path / "a.zip", LUNGHIST700, tmp_path)
    rows: list[str] = []
    for label in ("lung_aca", "lung_n", "lung_scc"):
        (tmp_path / "lc25000-lung" / label).mkdir(parents=True)
        for number in range(4):
            path = tmp_path / "lc25000-lung" / label / f"{number}.png"
            Image.fromarray(draw_he(224, 224, 100 * len(rows) + 7)).save(path)
            rows.append(f"{label}/{number}.png,{label}-{number}\n")
    (tmp_path / "lc25000-lung" / "groups.csv").write_text("file,group\n" + "".join(rows), "utf-8")

    material = gather(shrunk(options), tmp_path, tmp_path / "work")
    assert material.skipped == ()
    assert material.samples.class_names == ("lung_aca", "lung_n", "lung_scc")
    of = {row.file.split("/")[0] for row in material.rows if row.part == "train"}
    assert of == {"lc25000-lung", "lunghist700"}
    squares = dict(zip((row.file for row in material.rows), material.squares.counts, strict=True))
    # A square is 112 µm: 480 × 360 px are 240 × 180 µm at 20x, a quarter of that at 40x.
    assert squares["lc25000-lung/lung_n/0.png"] == 1
    assert squares["lunghist700/lung_n/nor_40x_4.jpg"] <= 2
    assert squares["lunghist700/lung_n/nor_20x_4.jpg"] >= 4
    left = dataclasses.replace(shrunk(options), leave_out="lunghist700")
    events = train(left, tmp_path, tmp_path / "out", left.stages[-1:])
    (first,) = [event for event in events if isinstance(event, EpochFinished)]
    assert first.stage == "alone"
    assert 0 < first.loss < 20


def test_without_a_hub_the_first_project_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("lungscan.training.pretrained.timm.create_model", unreachable)
    with pytest.raises(ModelError, match="edgenext_small cannot be fetched: no model hub is reach"):
        create("edgenext_small", 4, pretrained=True)
