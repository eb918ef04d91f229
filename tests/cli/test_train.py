"""`lungscan train`, over a training that yields what it is told to."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from lungscan.errors import ModelError
from lungscan.training.events import (
    EpochFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TrainEvent,
)
from lungscan.training.options import TrainOptions
from lungscan_cli.commands.train import STAGES
from lungscan_cli.main import main
from lungscan_cli.views.training import TrainBarView, TrainView
from tests.models import tiny_model

Captured = pytest.CaptureFixture[str]

EVENTS = (
    StageStarted("data", "reading and splitting by group"),
    StageFinished("data", "90 fields to train on"),
    StageStarted("student", "ghostnet_100", epochs=3),
    EpochFinished("student", 1, 3, 0.9, None, 61.2, 30.0),
    EpochFinished("student", 2, 3, 0.5, 0.912, 60.0, 30.0),
    EpochFinished("student", 3, 3, 0.4, None, 60.0, 30.0),
    StageFinished("student", "3 epochs done"),
)


class FakeTraining:
    """Stands in for ``lungscan.training.train``; keeps what it was called with."""

    def __init__(self) -> None:
        self.events: Sequence[TrainEvent] = EVENTS
        self.raises: BaseException | None = None
        self.options: TrainOptions | None = None
        self.places: tuple[Path, Path] | None = None
        self.stages: tuple[str, ...] = ()
        self.command = ""
        self.closed = False

    def train(
        self, options: TrainOptions, root: Path, out: Path, stages: tuple[str, ...], command: str
    ) -> Generator[TrainEvent, None, None]:
        self.options, self.places = options, (root, out)
        self.stages, self.command = stages, command
        try:
            yield from self.events
            if self.raises is not None:
                raise self.raises
            tiny_model(out)
        finally:
            self.closed = True


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    """Put a fake in the place of the engine's training."""
    fake = FakeTraining()
    module = ModuleType("lungscan.training.train")
    module.train = fake.train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lungscan.training.train", module)
    return fake


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data and a recipe."""
    (tmp_path / "data").mkdir()
    text = 'name = "tiny"\ndata = "fields"\nseed = 3\nthreads = 2\n'
    (tmp_path / "lung.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


LINE = "train data --out models/new --recipe lung.toml"


@pytest.mark.usefixtures("here")
def test_the_recipe_is_trained_in_all_stages(training: FakeTraining, capsys: Captured) -> None:
    assert main(LINE.split()) == 0
    assert training.options == TrainOptions(name="tiny", data="fields", seed=3, threads=2)
    assert training.places == (Path("data"), Path("models/new"))
    assert training.stages == ()
    assert training.command == f"lungscan {LINE}"
    assert training.closed
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "  epoch 2 of 3: loss 0.500, validation 91.2 %, 60 images/s" in shown.err
    assert "The model lies in models/new" in shown.err
    assert "Use it with `lungscan classify --model models/new`." in shown.err
    assert "Research use only" in shown.err


@pytest.mark.usefixtures("here")
def test_flags_replace_what_the_recipe_says(training: FakeTraining, capsys: Captured) -> None:
    flags = "--pretrained --seed 5 --threads 1"
    assert main(f"{LINE} --stage teacher --stage student {flags}".split()) == 0
    assert training.options == TrainOptions(
        name="tiny", data="fields", seed=5, threads=1, pretrained=True
    )
    assert training.stages == ("teacher", "student")
    assert training.command == f"lungscan {LINE} {flags}"  # as if made in one go
    assert "The model lies in" not in capsys.readouterr().err  # there is none without a bundle


@pytest.mark.usefixtures("here")
def test_a_fold_and_whose_features_are_learnt_are_flags(training: FakeTraining) -> None:
    flags = "--feature-teacher tf_efficientnet_lite0 --fold 2/5"
    assert main(f"{LINE} --stage features {flags}".split()) == 0
    options = training.options
    assert options is not None
    assert (options.fold, options.feature_teacher) == ("2/5", "tf_efficientnet_lite0")
    assert training.stages == ("features",)
    assert training.command == f"lungscan {LINE} {flags}"


@pytest.mark.usefixtures("here")
def test_folds_are_a_flag_and_each_is_announced(training: FakeTraining, capsys: Captured) -> None:
    training.events = (RunStarted("fold 1 of 5", 1, 6), *EVENTS)
    assert main(f"{LINE} --folds 5".split()) == 0
    assert training.options is not None
    assert training.options.folds == 5
    assert training.command == f"lungscan {LINE} --folds 5"
    assert "Fold 1 of 5 (training 1 of 6)\n" in capsys.readouterr().err
    training.raises = KeyboardInterrupt()
    assert main(f"{LINE} --folds 5".split()) == 130
    assert f"is safe in {Path('models/new')}; run" in capsys.readouterr().err.replace("\n", " ")


def test_a_bar_says_which_fold_it_is_of() -> None:
    console = Console(force_terminal=True, width=100, record=True, color_system=None)
    with TrainBarView(console, clock=lambda: 0.0) as view:
        view.run_started(RunStarted("fold 2 of 5", 2, 6))
        view.stage_started(StageStarted("student", "ghostnet_100", epochs=30))
        view.progress.refresh()
        shown = console.export_text(clear=False)
        view.run_started(RunStarted("fold 3 of 5", 3, 6))
        assert view.task is None
    assert "Fold 2 of 5 (training 2 of 6)" in shown
    assert "fold 2 of 5, student" in shown


def test_the_card_s_command_names_no_folder_of_this_machine(
    training: FakeTraining, here: Path
) -> None:
    spaced = here / "my recipe.toml"
    (here / "lung.toml").rename(spaced)
    assert main(["train", str(here / "data"), "--recipe", str(spaced), "--out", "../new"]) == 0
    assert training.command == "lungscan train data --out ../new --recipe 'my recipe.toml'"


@pytest.mark.usefixtures("here")
def test_a_folder_of_classes_needs_no_recipe(training: FakeTraining) -> None:
    line = "train data --out new --split parts.csv --allow-leakage --set student_fit.batch_size=16"
    assert main(line.split()) == 0
    options = training.options
    assert options is not None
    assert (options.name, options.data, options.pretrained) == ("data", ".", True)
    assert (options.split_file, options.allow_leakage) == ("parts.csv", True)
    assert options.student_fit.batch_size == 16
    assert training.command == f"lungscan {line}"


@pytest.mark.usefixtures("here")
def test_only_the_first_of_several_processes_speaks(
    training: FakeTraining, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert main(LINE.split()) == 0
    assert training.closed
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("here")
def test_stopping_closes_the_training_and_says_how_to_go_on(
    training: FakeTraining, capsys: Captured
) -> None:
    training.raises = KeyboardInterrupt()
    assert main(LINE.split()) == 130
    assert training.closed
    err = capsys.readouterr().err
    assert f"last finished epoch is safe in {Path('models/new/training')}" in err
    assert "run the same command again" in err


@pytest.mark.usefixtures("here")
def test_an_error_of_the_engine_is_one_sentence(training: FakeTraining, capsys: Captured) -> None:
    training.events, training.raises = (), ModelError("The checkpoint was made otherwise.")
    assert main(LINE.split()) == 4
    assert capsys.readouterr().err.endswith("Error: The checkpoint was made otherwise.\n")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("missing", ["torch", "timm"])
def test_without_the_extra_the_cure_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in list(sys.modules):
        if name.startswith(("lungscan.training.", "lungscan.runtimes.deploy")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(LINE.split()) == 5
    err = capsys.readouterr().err
    assert "Training needs torch and timm" in err
    assert 'pip install "lungscan-histology[train]"' in err


@pytest.mark.parametrize(
    ("recipe", "hint"),
    [
        ("name = ", "lung.toml cannot be used"),
        ('name = "x"\ndata = "y"\nlerning_rate = 1\n', "lerning_rate"),
        (
            'name = "x"\ndata = "y"\nteacher_fit = { batch_size = 8 }\n',
            "lacks or does not know 'phases'",
        ),
        ('name = "x"\ndata = "y"\nteacher_fit = { phases = [1] }\n', "cannot be used"),
    ],
)
def test_a_wrong_recipe_is_a_usage_error(
    training: FakeTraining, here: Path, capsys: Captured, recipe: str, hint: str
) -> None:
    (here / "lung.toml").write_text(recipe, encoding="utf-8")
    assert main(LINE.split()) == 2
    assert hint in capsys.readouterr().err
    assert training.options is None


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "line",
    [
        "train data --recipe lung.toml",
        f"{LINE} --set sed=3",
        f"{LINE} --protocol literature",
        "train no-such-folder --recipe lung.toml --out x",
        "train data --recipe no-such-file.toml --out x",
        f"{LINE} --stage pupil",
        f"{LINE} --threads -1",
        f"{LINE} --folds 1",
    ],
)
def test_wrong_usage_ends_with_2(training: FakeTraining, line: str) -> None:
    assert main(line.split()) == 2
    assert training.options is None


def test_the_stages_are_those_of_the_engine() -> None:
    pytest.importorskip("timm", reason="training needs the extra train")
    from lungscan.training.train import STAGE_NAMES

    assert STAGES == STAGE_NAMES


def test_lines_tell_the_time_that_is_left(capsys: Captured) -> None:
    now = [0.0]
    with TrainView(Console(stderr=True, width=200), clock=lambda: now[0]) as view:
        view.stage_started(StageStarted("student", "ghostnet_100", epochs=45))
        for epoch, at in ((10, 40.0), (11, 80.0), (45, 120.0)):  # nine were done by an earlier run
            now[0] = at
            view.epoch_finished(EpochFinished("student", epoch, 45, 0.25, None, 60.4, 36.0))
        view.stage_finished(StageFinished("student", "45 epochs done"))
    assert capsys.readouterr().err.splitlines() == [
        "Student: ghostnet_100, 45 epochs",
        "  epoch 10 of 45: loss 0.250, 60 images/s, about 23 min 20 s left",
        "  epoch 11 of 45: loss 0.250, 60 images/s, about 22 min 40 s left",
        "  epoch 45 of 45: loss 0.250, 60 images/s",
        "  45 epochs done",
    ]


def test_a_terminal_gets_a_bar_that_keeps_the_last_accuracy() -> None:
    now = [0.0]
    console = Console(force_terminal=True, width=100, record=True, color_system=None)
    with TrainBarView(console, clock=lambda: now[0]) as view:
        for event in EVENTS[:2]:
            assert not isinstance(event, EpochFinished)
            (view.stage_started if isinstance(event, StageStarted) else view.stage_finished)(event)
        view.stage_started(StageStarted("student", "ghostnet_100", epochs=30))
        now[0] = 30.0
        view.epoch_finished(EpochFinished("student", 5, 30, 0.5, 0.912, 61.0, 30.0))
        now[0] = 60.0
        view.epoch_finished(EpochFinished("student", 6, 30, 0.4, None, 61.0, 30.0))
        view.progress.refresh()  # its own thread would do so 0.1 s later
        shown = console.export_text(clear=False)
        view.stage_finished(StageFinished("student", "30 epochs done"))
    assert "90 fields to train on" in shown
    assert "6/30" in shown
    assert "loss 0.400, validation 91.2 %, 61 images/s, 12 min 0 s left" in shown
    assert "30 epochs done" in console.export_text()
