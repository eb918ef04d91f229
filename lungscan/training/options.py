"""The options of a training run. A TOML file's keys and the flags bear the fields' names."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.model.modality_names import DEFAULT
from lungscan.training.classes import ClassSettings, changed_settings, settings_of
from lungscan.training.ranges import fault
from lungscan.training.sources import DataSource, sources_of
from lungscan.training.stage_names import MORE, SHARED_OPTIONS, STAGE_OPTIONS, STAGES, Stage


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training at one crop size. Crops keep the scale near 1, so that detail stays."""

    epochs: int
    crop_px: int  # side of the network's input while training
    span_px: tuple[int, int]  # side of the square cut from the cached field, least and most


@dataclass(frozen=True, slots=True)
class Fit:
    """How one network is fitted."""

    phases: tuple[Phase, ...]
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup_epochs: float = 3.0
    label_smoothing: float = 0.05
    drop_path: float = 0.0
    ema_decay: float = 0.99
    mixup: float = 0.2  # Beta(a, a) parameter; 0 is off
    balance: float = 0.0  # a class of n pictures weighs n ** -balance: 0 each picture alike
    frozen_stages: int = 0  # of a pretrained network: its stem and so many stages stay as they are
    bf16: bool = False
    compile: bool = False

    @property
    def epochs(self) -> int:
        """Epochs over all phases."""
        return sum(phase.epochs for phase in self.phases)


@dataclass(frozen=True, slots=True)
class Head:
    """The last layer alone, by logistic regression on what the network before it says."""

    on: Literal["start", "fitted"] = "start"  # the network as it begins, or as the labels made it
    views: int = 4  # of each square, changed as in training, beside the square as it is
    span_px: tuple[int, int] = (180, 224)  # side of a view's crop, in the cached field's pixels
    penalties: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # of which one is chosen
    inner_folds: int = 5  # of the training groups, to choose it by
    balance: float = 0.0  # as in a fit


@dataclass(frozen=True, slots=True)
class Distil:
    """Soft targets from the teacher beside the hard labels (Hinton et al. 2015)."""

    temperature: float = 3.0
    soft_share: float = 0.7  # weight of the soft loss; the hard loss gets the rest


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a network that saw other pictures, as a first target (Romero et al. 2015)."""

    feature_weight: float = 2.0  # of the smooth L1 distance to the standardised features
    label_weight: float = 1.0  # of the cross-entropy with the labels; 0: no label is used


@dataclass(frozen=True, slots=True)
class Augment:
    """How strongly pictures are changed while training; crops are part of a phase."""

    stain_sigma: float = 0.15  # standard deviation of each stain's log strength
    blur_share: float = 0.2
    jpeg_share: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 90)
    restain_share: float = 0.0  # with stains of another laboratory's colours
    coarsen_share: float = (
        0.0  # with less resolution: pixels of up to `coarsen_most` times the side
    )
    coarsen_most: float = 2.4
    sharpen_share: float = 0.0  # sharpened, as scanners do
    grain_share: float = 0.0  # with a sensor's noise
    turn_degrees: float = 180.0  # at most turned so far to either side; 180: tissue has no up
    grey_share: float = 0.0  # shown without colour, so that colour alone never tells
    window_sigma: float = 0.0  # of a grey picture's brightness and contrast, see `augment.window`


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """All that a training run can be set to."""

    name: str
    data: str = "."  # folder of one folder per class, below the data root
    sources: tuple[DataSource, ...] = ()  # several such folders in the place of `data`, balanced
    leave_out: str = ""  # the source that is the test part; "": split by group
    counter_examples: tuple[str, ...] = ()  # folders whose pictures are not lung H&E
    counter_limit: int = 0  # at most so many training pictures per such folder; 0: all
    drawn_examples: int = 64  # drawn counter-examples (noise, shapes, ramps) per epoch
    teacher: str = "tf_efficientnet_lite2"  # "": none; the model is the student alone
    # Checkpoints of other runs to learn from, of several the mean; "": fit one. {fold} in a path is
    # this run's fold ("all" without one). `teacher` then only names them on the card.
    teacher_from: str | tuple[str, ...] = ""
    student: str = "tf_efficientnet_lite0"
    start_from: str = ""  # a model, shipped or a folder, to fine-tune; "": begin anew
    start_sha256: str = ""  # its SHA-256, found out when the run begins
    alone: bool = False  # also fit the student without its teacher, for comparison
    field_px: int = 224  # side of the cached fields that crops are cut from
    input_px: int = 0  # side of the network's input when classifying; 0: field_px
    spacing_um_px: float = 0.5  # of the cached fields
    spacing_note: str = ""
    summary: str = ""  # of the model card; "": made from the class names
    limits: tuple[str, ...] = ()  # what this data set did not teach, for the card
    classes: tuple[ClassSettings, ...] = ()  # names, colours, tumour: table [classes.FOLDER]
    intended_use: str = ""  # of the model card; "": a general sentence
    exact: bool = False  # the model answers otherwise in less than fp32: say so in its card
    modality: str = DEFAULT  # what kind of picture, see lungscan.modalities.table
    window: tuple[float, float] | tuple[()] = ()  # of CT: level and width, Hounsfield units
    minimum_tissue_mm2: float = 0.002  # less tissue cannot be judged: of 0.0125 mm² in a field
    # Tumour area from which a slide is not called benign: eight fields, or 2 % of the tissue,
    # whichever is more; single false alarms among a thousand benign tiles stay below it.
    tumour_limit_mm2: float = 0.1
    tumour_limit_share: float = 0.02
    split: tuple[float, float, float] = (0.70, 0.15, 0.15)
    figures_from: str = ""  # without a test share: a model of the same recipe that has one
    fold: str = ""  # such as 2/5: this fold is the test part; "": split by the shares alone
    folds: int = 0  # judge by so many folds and fit the model on all groups; 0: one split
    split_file: str = ""  # made by `lungscan data split`; "": split by the two options around it
    protocol: str = "grouped"  # or "random", which leaks
    allow_leakage: bool = False
    seed: int = 0
    threads: int = 0  # 0: torch's own choice
    device: str = "auto"
    pretrained: bool = False
    tensorboard: bool = False
    teacher_fit: Fit = Fit((Phase(8, 192, (150, 224)),), 32, 4e-4)
    student_fit: Fit = Fit((Phase(12, 192, (150, 224)),), 32, 4e-4)
    features_fit: Fit | None = None  # the student before the labels; None: from nothing
    feature_teacher: str = "tf_efficientnet_lite2"  # with ImageNet weights: its features are learnt
    features: Features = Features()
    more_pictures: tuple[str, ...] = ()  # folders of further pictures, for the stages `more_in`
    more_in: tuple[Stage, ...] = ("features",)
    features_of_fold: int = 0  # the model on all groups begins from this fold's; 0: from its own
    final_fit: Fit | None = None  # as student_fit, of the model on all groups; None: as of a fold
    finetune_fit: Fit | None = None  # the distilled student once more, with the labels alone
    head_fit: Head | None = None  # the last layer of the model, by logistic regression
    distil: Distil = Distil()
    augment: Augment = Augment()
    robustness: bool = False  # judge changed copies of the test fields too
    int8: bool = False  # also make an int8 model, in the folder int8
    int8_bound: float = 0.005  # accuracy that it may lose on the validation groups

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The networks that this run fits."""
        skipped: set[Stage] = set()
        if self.features_fit is None or self.features_of_fold:
            skipped.add("features")
        if not self.teacher:
            skipped |= {"teacher", "student", "finetune"}
        if self.teacher_from:
            skipped.add("teacher")
        if self.finetune_fit is None:
            skipped.add("finetune")
        if not self.alone and self.fitted_stage != "alone":
            skipped.add("alone")
        if self.head_fit is None:
            skipped.add("head")
        elif self.head_fit.on == "start":
            skipped |= {"teacher", "student", "finetune", "alone"}
        return tuple(stage for stage in STAGES if stage not in skipped)

    @property
    def teachers(self) -> tuple[str, ...]:
        """Paths of the other runs' checkpoints that the student learns from; none: its own's."""
        paths = (self.teacher_from,) if isinstance(self.teacher_from, str) else self.teacher_from
        number = self.fold.partition("/")[0] or "all"
        return tuple(path.replace("{fold}", number) for path in paths if path)

    @property
    def model_stage(self) -> Stage:
        """The stage whose network becomes the model."""
        return self.fitted_stage if self.head_fit is None else "head"

    @property
    def fitted_stage(self) -> Stage:
        """The last stage that fits more than a last layer."""
        if not self.teacher:
            return "alone"
        return "student" if self.finetune_fit is None else "finetune"

    @property
    def taught_by(self) -> str:
        """The networks that the model learnt from, as the card names them; "": none."""
        features = self.feature_teacher if self.features_fit else ""
        frozen = self.head_fit is not None and self.head_fit.on == "start"
        return features if frozen else self.teacher or features

    @property
    def data_names(self) -> str:
        """The data folder or folders, for people."""
        return " + ".join(source.data for source in self.sources) or self.data

    @property
    def classify_px(self) -> int:
        """Side of the network's input when classifying."""
        return self.input_px or self.field_px

    @property
    def classify_spacing(self) -> float:
        """Scale at the network's input when classifying, µm per pixel."""
        return self.spacing_um_px * self.field_px / self.classify_px

    def fingerprint(self, stage: Stage, data_sha256: str = "") -> str:
        """SHA-256 over the data and all options that shape a stage's weights.

        A checkpoint belongs to these. Options at their default do not count, so that a new option
        leaves old checkpoints valid; a default that shapes weights must therefore never change.
        """
        names = SHARED_OPTIONS + STAGE_OPTIONS[stage]
        if stage == "head" and self.head_fit is not None and self.head_fit.on == "fitted":
            names += STAGE_OPTIONS[self.fitted_stage]
        if stage in self.more_in and stage == "teacher":  # the others name them always
            names += MORE
        default = {field.name: field.default for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in names}
        options = {k: _changed(v) for k, v in values.items() if v != default[k]}
        if stage == "head" and self.classify_px != self.field_px:  # it sees the fields at that size
            options["input_px"] = self.input_px
        text = json.dumps([data_sha256, options], sort_keys=True)
        return sha256(text.encode()).hexdigest()


FITS = ("features_fit", "teacher_fit", "student_fit", "final_fit", "finetune_fit")
RECORDS: dict[str, type[Any]] = {
    "distil": Distil,
    "augment": Augment,
    "features": Features,
    "head_fit": Head,
}


def _changed(value: object) -> object:
    """A record as plain values, without the fields that stand at their default."""
    if isinstance(value, tuple):
        return [_changed(part) for part in value]
    if not dataclasses.is_dataclass(value):
        return value
    options = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {
        field.name: _changed(options[field.name])
        for field in dataclasses.fields(value)
        if options[field.name] != field.default
    }


def load_options(path: Path) -> TrainOptions:
    """Read a recipe (TOML). With ``base``, another recipe beside it, it holds the differences.

    A base may have a base itself. ``without`` lists keys of the base that it does not take over.

    Raises:
        UsageProblem: the file is not TOML or names an option that does not exist.
    """
    try:
        return _options(_table(path))
    except KeyError as error:
        raise UsageProblem(f"The recipe {path.name} lacks or does not know {error}.") from error
    except (ValueError, TypeError, AttributeError) as error:  # TOML's and Unicode's are ValueErrors
        raise UsageProblem(f"The recipe {path.name} cannot be used: {fault(error)}.") from error


def _table(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a recipe, and those of its base and of all ``above`` that it does not have."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    base, without = table.pop("base", ""), table.pop("without", ())
    if not base:
        return table
    chain, below = (*above, path.resolve()), path.parent / base
    if below.resolve() in chain:
        raise UsageProblem(
            f"The recipe {path.name} builds on {show(base)}, which builds on it. Take base out of "
            "one of them."
        )
    try:
        under = _table(below, chain)
    except OSError as error:
        raise UsageProblem(
            f"The recipe {path.name} builds on {show(base)}, which cannot be read "
            f"({error.strerror}). Put it beside it."
        ) from error
    return {key: value for key, value in under.items() if key not in without} | table


def changed(options: TrainOptions, pairs: tuple[str, ...]) -> TrainOptions:
    """The options with further ones set: ``seed=3`` or ``student_fit.batch_size=16``, in TOML.

    Raises:
        UsageProblem: there is no such option, or its value is not TOML.
    """
    for pair in pairs:
        key, _, text = pair.partition("=")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
            options = _with(options, _path(key), value)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UsageProblem(
                f"{pair!r} sets no option ({fault(error)}). Write KEY=VALUE with a key of a "
                'recipe and TOML\'s values, such as seed=3 or name="lung".'
            ) from error
    return options


def _path(key: str) -> list[str]:
    """The parts of a TOML key; a part in quotes may hold dots and blanks."""
    path: list[str] = []
    table: Any = tomllib.loads(f"{key} = 0")
    while isinstance(table, dict):
        ((name, table),) = table.items()
        path.append(name)
    return path


def _with(record: Any, path: list[str], value: object) -> Any:
    name, *rest = path
    if name == "classes":
        value = changed_settings(record.classes, rest, value)
    elif name == "sources":
        value = sources_of(value)  # type: ignore[arg-type]  # it says itself what is wrong
    elif rest:
        value = _with(getattr(record, name), rest, value)
    elif name == "phases":
        if not isinstance(value, list):
            raise ValueError("phases are a list of tables")
        value = tuple(_phase(part) for part in value)
    elif isinstance(value, dict):
        value = _record(name, value)
    elif isinstance(value, list):
        value = tuple(value)
    return dataclasses.replace(record, **{name: value})


def _record(key: str, table: Any) -> object:
    """A nested table of a recipe, or a list of tables, as its record."""
    if key == "sources":
        return sources_of(table)
    if key == "classes":
        return settings_of(table)
    if key in FITS:
        phases = tuple(_phase(dict(part)) for part in table["phases"])
        return Fit(**{**table, "phases": phases})
    return RECORDS[key](**_tuples(table))


def _options(table: dict[str, object]) -> TrainOptions:
    values = {
        key: _record(key, value) if isinstance(value, dict) or key == "sources" else value
        for key, value in table.items()
    }
    return TrainOptions(**_tuples(values))


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}


def _phase(table: dict[str, Any]) -> Phase:
    low, high = table["span_px"]
    return Phase(**{**table, "span_px": (low, high)})
