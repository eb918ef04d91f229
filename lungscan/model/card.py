"""Model cards: what a model is, and the names of its files; ``checked`` finds and proves them.

A model folder holds ``card.json``, ``weights.safetensors`` (all numbers, once), ``graph.xml`` (the
network as an OpenVINO IR whose constants lie in the data section of the weights),
``novelty.safetensors``, ``golden.npz`` (fields with stored answers) and ``README.md``; it may hold
``statistics.safetensors``, by which it can be adapted. The card holds the SHA-256 of each file;
the model's own SHA-256 is that of the card, which pins all the others.
Field names follow WSInfer's where they mean the same. Nothing here can execute code.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from lungscan.model.modality_names import DEFAULT
from lungscan.types import ModelStamp

CARD_SCHEMA = 1
CARD, README = "card.json", "README.md"
WEIGHTS, GRAPH = "weights.safetensors", "graph.xml"
NOVELTY, GOLDEN = "novelty.safetensors", "golden.npz"
FILES = (WEIGHTS, GRAPH, NOVELTY, GOLDEN)
STATISTICS_FILE = "statistics.safetensors"
OPTIONAL_FILES = (STATISTICS_FILE,)  # proved as the others are where the card names them
FP16, INT8 = "fp16", "int8"  # how a model's numbers are stored
NOT_IN_THE_FILE = ("folder", "sha256", "official")  # of a card, but found out when it is read


@dataclass(frozen=True)
class Metric:
    """One measured figure with its 95 % interval (bootstrap over groups)."""

    name: str
    value: float
    low: float | None
    high: float | None
    n: int  # pictures
    groups: int
    note: str = ""


@dataclass(frozen=True)
class ModelCard:
    """Everything a run needs to know of a model. ``folder`` and ``sha256`` are not in the file."""

    schema: int
    name: str
    version: str
    summary: str
    licence: str
    architecture: str  # timm's name of the student
    teacher: str  # timm's name, "" when there was none
    class_names: tuple[str, ...]
    display_names: tuple[str, ...]
    colors: tuple[str, ...]  # "#rrggbb"
    tumour: tuple[bool, ...]
    patch_size_pixels: int
    spacing_um_px: float
    spacing_note: str
    large_fields: str  # how a field larger than the input and without a scale is treated
    temperature: float
    confidence_threshold: float  # a case below it is "too uncertain"
    novelty_threshold: float  # a tile above it does not look like the training tissue
    minimum_tissue_mm2: float
    tumour_limit_mm2: float
    tumour_limit_share: float
    data: dict[str, Any]
    command: str
    seed: int
    recipe: dict[str, Any]
    metrics: tuple[Metric, ...]
    reliability: tuple[tuple[float, float, int], ...]
    facts: tuple[tuple[str, str], ...]
    intended_use: str
    limits: tuple[str, ...]
    files: dict[str, str]  # name -> SHA-256
    folder: Path = field(default=Path(), compare=False)
    sha256: str = ""
    official: bool = False
    precision: str = FP16  # fp16: computed in fp32, bf16 or fp16; int8: by OpenVINO alone
    compression: dict[str, Any] = field(default_factory=dict)  # how an int8 model was made
    adaptation: dict[str, Any] = field(default_factory=dict)  # to which fields, from which model
    # Of models that know both kinds of novelty, in units of ``Appearance.score``: a case above the
    # first is flagged as of another stain or scanner, a tile above the second is not judged.
    appearance_threshold: float = 1.0
    appearance_limit: float = 1.0
    # Accuracy when the most confident share is answered: share, accuracy, its interval.
    coverage: tuple[tuple[float, float, float, float], ...] = ()
    modality: str = DEFAULT  # what kind of picture it judges; left out of the file at the default
    window: tuple[float, float] | None = None  # of CT: level and width, Hounsfield units
    exact: bool = False  # in less than fp32 it answers otherwise: computed in fp32 alone

    def stamp(self) -> ModelStamp:
        """What results say of the model."""
        return ModelStamp(
            name=self.name,
            version=self.version,
            sha256=self.sha256,
            class_names=self.class_names,
            display_names=self.display_names,
            colors=self.colors,
            tumour=self.tumour,
            official=self.official,
            facts=self.facts,
            limits=self.limits,
            reliability=self.reliability,
            trained_on=str(self.data.get("summary", "")),
            scale_note=self.large_fields,
            modality=None if self.modality == DEFAULT else self.modality,
        )

    @property
    def held_out(self) -> frozenset[str]:
        """The groups of its data that the model never saw, as far as the card vouches for them.

        Test groups that leaked are none of them. Cards that name them list clean test groups alone;
        of an older one that leaks, or is of single pictures, nobody can say which were clean.
        """
        leaks = self.data.get("leaking_groups", 0) or self.data.get("protocol") == "random"
        if leaks and "leaking" not in self.data:
            return frozenset()
        return frozenset(self.data.get("test_groups", ()))


def write_card(card: ModelCard, folder: Path) -> None:
    """Write ``card.json`` with the SHA-256 of the files that lie beside it."""
    values = dataclasses.asdict(card)
    for name in NOT_IN_THE_FILE:
        del values[name]
    if not card.adaptation:  # most models are adapted to nothing
        del values["adaptation"]
    if card.modality == DEFAULT:
        del values["modality"]
    if card.window is None:
        del values["window"]
    if not card.exact:
        del values["exact"]
    found = [name for name in OPTIONAL_FILES if (folder / name).is_file()]
    values["files"] = {name: hash_of(folder / name) for name in (*FILES, *found)}
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8", newline="\n")


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with path.open("rb") as handle:
        digest = sha256()
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
