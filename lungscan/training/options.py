"""The options of a training run. A TOML file's keys and the flags bear the fields' names."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lungscan.errors import UsageProblem

NOT_IN_WEIGHTS = (
    "name",
    "summary",
    "limits",
    "input_px",
    "spacing_um_px",
    "spacing_note",
    "threads",
)


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
    bf16: bool = False
    compile: bool = False

    @property
    def epochs(self) -> int:
        """Epochs over all phases."""
        return sum(phase.epochs for phase in self.phases)


@dataclass(frozen=True, slots=True)
class Distil:
    """Soft targets from the teacher beside the hard labels (Hinton et al. 2015)."""

    temperature: float = 3.0
    soft_share: float = 0.7  # weight of the soft loss; the hard loss gets the rest


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """All that a training run can be told."""

    name: str
    data: str  # folder of one folder per class, with groups.csv
    counter_examples: tuple[str, ...] = ()  # folders whose pictures are not lung H&E
    counter_limit: int = 0  # at most so many training pictures per such folder; 0: all
    drawn_examples: int = 64  # drawn counter-examples (noise, shapes, ramps) per epoch
    teacher: str = "edgenext_small"
    student: str = "ghostnet_100"
    field_px: int = 224  # side of the cached fields that crops are cut from
    input_px: int = 0  # side of the network's input when classifying; 0: field_px
    spacing_um_px: float = 0.5  # of the cached fields
    spacing_note: str = ""
    summary: str = ""  # of the model card; "": made from the class names
    limits: tuple[str, ...] = ()  # what this data set did not teach, for the card
    split: tuple[float, float, float] = (0.70, 0.15, 0.15)
    protocol: str = "grouped"
    seed: int = 0
    threads: int = 2
    pretrained: bool = False
    teacher_fit: Fit = Fit((Phase(30, 160, (130, 224)),), 32, 1e-3)
    student_fit: Fit = Fit((Phase(45, 160, (130, 224)),), 64, 2e-3)
    distil: Distil = Distil()
    stain_sigma: float = 0.15

    @property
    def classify_px(self) -> int:
        """Side of the network's input when classifying."""
        return self.input_px or self.field_px

    def fingerprint(self) -> str:
        """SHA-256 over all options that shape the weights: a checkpoint belongs to these."""
        values = dataclasses.asdict(self)
        for name in NOT_IN_WEIGHTS:
            del values[name]
        text = json.dumps(values, sort_keys=True)
        return sha256(text.encode()).hexdigest()


def load_options(path: Path) -> TrainOptions:
    """Read a recipe (TOML).

    Raises:
        UsageProblem: the file is not TOML or names an option that does not exist.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _options(table)
    except KeyError as error:
        raise UsageProblem(f"The recipe {path.name} lacks {error.args[0]} in a fit.") from error
    except (ValueError, TypeError, AttributeError) as error:  # TOML's and Unicode's are ValueErrors
        raise UsageProblem(f"The recipe {path.name} cannot be used: {error}.") from error


def _options(table: dict[str, object]) -> TrainOptions:
    values: dict[str, object] = {}
    for key, value in table.items():
        if key in ("teacher_fit", "student_fit") and isinstance(value, dict):
            phases = tuple(_phase(p) for p in value.pop("phases"))
            values[key] = Fit(phases=phases, **value)
        elif key == "distil" and isinstance(value, dict):
            values[key] = Distil(**value)
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
    return TrainOptions(**values)  # type: ignore[arg-type]  # names are checked by the constructor


def _phase(table: dict[str, object]) -> Phase:
    low, high = table.pop("span_px")  # type: ignore[misc]  # a wrong shape raises ValueError
    return Phase(span_px=(low, high), **table)  # type: ignore[arg-type,has-type]
