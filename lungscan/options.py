"""Options of classification. Flag, TOML key and widget bear the field's name.

The choices stand here once: front ends take them from here, and a wrong value is refused whoever
gives it, because a run that goes on with it would answer otherwise than it was asked to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from lungscan.errors import UsageProblem

if TYPE_CHECKING:
    from lungscan.types import FoundFile

Abstain = Literal["strict", "flag", "never"]
Explain = Literal["off", "occlusion", "cam"]
PdfChoice = Literal["auto", "cases", "summary", "none"]
RuleName = Literal["tumour-aware", "mean", "majority"]

ABSTAIN: tuple[Abstain, ...] = get_args(Abstain)
EXPLAIN_CHOICES: tuple[Explain, ...] = get_args(Explain)
PDF_CHOICES: tuple[PdfChoice, ...] = get_args(PdfChoice)
RULE_NAMES: tuple[RuleName, ...] = get_args(RuleName)
ANY_CUDA = "cuda:N"
DEVICES = (
    "auto", "cpu", "cpu-fp32", "cpu-bf16", "openvino", "torch-cpu", "cuda", ANY_CUDA, "mps",
)  # fmt: skip

DEFAULT_MODEL = "lung-histology"
MIN_MPP_UM, MAX_MPP_UM = 0.05, 10.0  # µm per level-0 pixel under a microscope
MAX_OVERLAP = 0.75  # of a tile's side
MAX_BATCH, MAX_THREADS, MAX_TIMEOUT_S = 4096, 256, 86_400
MAX_SHARDS = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several processes that share a run: ``number`` ``of``, counted from 1.

    Raises:
        UsageProblem: there is no such shard.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        numbers: tuple[object, object] = (self.number, self.of)  # of whatever type a caller gave
        whole = all(isinstance(one, int) and not isinstance(one, bool) for one in numbers)
        if not (whole and 1 <= self.number <= self.of <= MAX_SHARDS):
            raise UsageProblem(
                f"There is no shard {self.number!r} of {self.of!r}: write --shard 1/8 to 8/8, for "
                f"up to {MAX_SHARDS:,} shards."
            )

    def __str__(self) -> str:
        """As it is typed: ``3/8``."""
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that ``3/8`` names. Raises UsageProblem."""
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip(), re.ASCII)
        if found is None:
            raise UsageProblem(f"--shard cannot be {text!r}: write --shard 1/8 to 8/8.")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """What an answer depends on besides the image and the model; the settings hash covers it.

    Raises:
        UsageProblem: which value makes no sense, and what it may be. So do all options here.
    """

    mpp: float | None = None  # µm per level-0 pixel, for images that do not say
    overlap: float = 0.0  # share of a tile's side, 0 to 0.75
    rule: RuleName = "tumour-aware"  # see lungscan.classification.aggregate
    abstain: Abstain = "strict"
    explain: Explain = "off"  # show what the answer of a field or of top tiles depends on, and how

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        require_choice("--rule", self.rule, RULE_NAMES)
        require_choice("--abstain", self.abstain, ABSTAIN)
        require_choice("--explain", self.explain, EXPLAIN_CHOICES)
        if self.mpp is not None:
            usual = "µm per pixel (usual: 0.25 at 40x, 0.5 at 20x)"
            _require_number("--mpp", self.mpp, MIN_MPP_UM, MAX_MPP_UM, usual)
        _require_number("--overlap", self.overlap, 0, MAX_OVERLAP, "of a tile's side")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierOptions(AnswerOptions):
    """Model and machine: with an answer's options, all that classifying one case takes."""

    model: str = DEFAULT_MODEL  # a shipped model's name, or a model folder
    unproven: bool = False  # True: take a model that was not found to be better than chance
    device: str = "auto"  # one of DEVICES, with a number for N
    batch_size: int | None = None  # None: chosen for the device
    threads: int | None = None  # None: every core this process may use
    timeout: float = 60.0  # seconds without progress before the file is given up
    isolate: bool = True  # read images in child processes; False: in this one, for debugging

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        AnswerOptions.__post_init__(self)
        model: object = self.model
        if not isinstance(model, str) or not model:
            raise UsageProblem("--model must be a model's name or its folder.")
        require_device(self.device)
        _require_number("--timeout", self.timeout, 0, MAX_TIMEOUT_S, "seconds")
        if self.timeout == 0:
            raise UsageProblem("--timeout must be more than 0 seconds.")
        if self.batch_size is not None:
            _require_number("--batch-size", self.batch_size, 1, MAX_BATCH, "tiles", whole=True)
        if self.threads is not None:
            _require_number("--threads", self.threads, 1, MAX_THREADS, "threads", whole=True)
        _require_switches(self, "isolate", "unproven")


@dataclass(frozen=True, slots=True)
class ScanOptions(ClassifierOptions):
    """All that ``lungscan classify`` can be set to."""

    paths: tuple[Path, ...]
    out: Path
    cases: Path | None = None  # CSV with the columns file,case
    found: tuple[FoundFile, ...] = ()  # of ``paths``, those that keep names from another search
    pdf: PdfChoice = "auto"  # auto: per-case files for slides and for at most 12 fields
    heatmap: bool = True
    geojson: bool = True
    dicom_sr: bool = False  # write answers of DICOM images as DICOM objects, too
    fresh: bool = False  # True: forget what an earlier run left in ``out``
    deidentify: bool = False  # show pseudonyms instead of the names of files, folders and cases
    names: Path | None = None  # where to write whose pseudonyms these are; outside of ``out``
    shard: Shard | None = None  # which part of the run is this process's; see scanning.sharding
    cluster: str | None = None  # a scheduler's address, local:N or a TOML file; lungscan.cluster
    watch: bool = False  # True: wait for more images until stopped; see scanning.watching

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        self._require_paths()
        ClassifierOptions.__post_init__(self)
        require_choice("--pdf", self.pdf, PDF_CHOICES)
        _require_switches(self, "heatmap", "geojson", "fresh", "deidentify", "watch", "dicom_sr")
        self._require_one_way()
        if self.dicom_sr and self.deidentify:
            raise UsageProblem(
                "--dicom-sr puts an answer into its patient's study, --deidentify hides whose it "
                "is: choose one of them."
            )

    def _require_one_way(self) -> None:
        """Shards, a cluster and watching divide the work in ways that exclude each other."""
        shard: object = self.shard
        if shard is not None and not isinstance(shard, Shard):
            raise UsageProblem("--shard must be a lungscan.options.Shard.")
        cluster: object = self.cluster
        if cluster is not None and not (isinstance(cluster, str) and cluster):
            raise UsageProblem("--cluster must be an address, local:N, or the name of a TOML file.")
        chosen = [
            flag
            for flag, wanted in (
                ("--shard", self.shard is not None),
                ("--cluster", self.cluster is not None),
                ("--watch", self.watch),
            )
            if wanted
        ]
        if len(chosen) > 1:
            raise UsageProblem(f"{' and '.join(chosen)} exclude each other. Choose one of them.")
        if self.watch and self.cases is not None:
            raise UsageProblem(
                "--watch and --cases exclude each other, because a table cannot name images that "
                "are yet to come."
            )
        if self.shard is not None and self.fresh:
            raise UsageProblem(
                "--fresh and --shard exclude each other, because a shard must not forget what the "
                "others have finished. Choose a new --out folder."
            )

    def _require_paths(self) -> None:
        paths: object = self.paths  # of whatever type a caller gave
        if not isinstance(paths, tuple) or not all(isinstance(p, Path) for p in paths):
            raise UsageProblem("The paths must be a tuple of pathlib.Path.")
        for name in ("out", "cases", "names"):
            value = getattr(self, name)
            if not isinstance(value, Path) and (value is not None or name == "out"):
                raise UsageProblem(f"--{name} must be a pathlib.Path, not {value!r}.")


def is_device(name: object) -> bool:
    """Whether ``name`` is one of DEVICES; whether this machine has it, the runtimes find out."""
    return isinstance(name, str) and (
        (name in DEVICES and name != ANY_CUDA) or re.fullmatch(r"cuda:[0-9]{1,3}", name) is not None
    )


def require_device(name: object) -> None:
    """Raises UsageProblem unless there is such a device name."""
    if not is_device(name):
        raise UsageProblem(f"There is no device {name!r}. Choose one of {', '.join(DEVICES)}.")


def require_choice(flag: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises UsageProblem unless ``value`` is one of ``choices``, letter by letter."""
    if value not in choices:
        raise UsageProblem(f"{flag} cannot be {value!r}. Choose one of {', '.join(choices)}.")


def _require_switches(options: object, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(options, name), bool):
            raise UsageProblem(f"--{name} must be true or false.")


def _require_number(
    flag: str, value: Any, low: float, high: float, unit: str, *, whole: bool = False
) -> None:
    wanted = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageProblem(
            f"{flag} cannot be {value!r}: it must be {kind} from {low:g} to {high:g} {unit}."
        )
