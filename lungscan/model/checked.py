"""Models found and proved: every file of a folder is compared with its SHA-256 in the card.

Nothing here can execute code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from hashlib import sha256
from pathlib import Path

from lungscan.errors import ModelError
from lungscan.model.card import (
    CARD,
    CARD_SCHEMA,
    FILES,
    FP16,
    INT8,
    OPTIONAL_FILES,
    Metric,
    ModelCard,
    hash_of,
)
from lungscan.model.modality_names import SCALED
from lungscan.options import DEFAULT_MODEL, MAX_MPP_UM, MIN_MPP_UM

# Shipped models that bear another name now.
RENAMED = {"lung-histology-ghostnet": "lung-histology"}
UNSAFE = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin", ".onnx", ".h5", ".zip"}

_KINDS = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "dict[str, Any]": (dict,),
    "dict[str, str]": (dict,),
}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_MAX_CARD_BYTES = 16 << 20  # cards have some ten kilobytes; a link may lead to something endless


def find_model(name_or_path: str) -> ModelCard:
    """Find a shipped model by name, or a model folder by path, and check every file.

    Raises:
        ModelError: no such model or one that was renamed, an incomplete or changed folder, or an
            unsafe kind of file.
    """
    shipped = _shipped_folder() / name_or_path
    if _is_plain_name(name_or_path) and (shipped / CARD).is_file():
        return read_card(shipped)
    path = Path(name_or_path)
    if path.is_dir():
        return read_card(path)
    if path.suffix.lower() in UNSAFE and path.exists():
        raise ModelError(
            f"{path.name} is a kind of file that can run code when it is loaded, or carries no "
            "card. LungScan loads only model folders with card.json and safetensors "
            "(`lungscan models list` names the shipped ones)."
        )
    if name_or_path in RENAMED:
        raise ModelError(
            f"The model {name_or_path} is called {RENAMED[name_or_path]} now: give that name."
        )
    known = ", ".join(card.name for card in list_models()) or "none"
    raise ModelError(
        f"There is no model {name_or_path!r}: neither a shipped model ({known}) nor a folder."
    )


def list_models() -> tuple[ModelCard, ...]:
    """The models shipped with this installation, checked, in the order of ``shipped_names``."""
    return tuple(read_card(_shipped_folder() / name) for name in shipped_names())


def shipped_names() -> tuple[str, ...]:
    """The shipped models, none of them read: the default, its kin, then all others by name."""
    names = (path.parent.name for path in _shipped_folder().glob(f"*/{CARD}"))
    return tuple(sorted(names, key=lambda name: (not name.startswith(DEFAULT_MODEL), name)))


def read_card(folder: Path) -> ModelCard:
    """Read a model folder and compare every file with its SHA-256 in the card.

    Raises:
        ModelError: see ``find_model``.
    """
    raw = _card_bytes(folder)
    card = _parse(raw, folder)
    for name in (*FILES, *(name for name in OPTIONAL_FILES if name in card.files)):
        _check(folder, name, card.files.get(name))
    digest = sha256(raw).hexdigest()
    official = _official().get(card.name) == digest
    return dataclasses.replace(card, folder=folder, sha256=digest, official=official)


def _card_bytes(folder: Path) -> bytes:
    """Read the card, unless it is a pipe that waits for ever or a device without an end."""
    path = folder / CARD
    reason = "it is not there, or no regular file"
    try:
        if path.is_file():
            with path.open("rb") as file:
                raw = file.read(_MAX_CARD_BYTES + 1)
            if len(raw) <= _MAX_CARD_BYTES:
                return raw
            reason = "it is larger than any card"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ModelError(
        f"The model folder {folder.name} has no readable card.json ({reason}). Choose the folder "
        "that a training wrote."
    )


def _parse(raw: bytes, folder: Path) -> ModelCard:
    try:
        values = json.loads(raw, parse_constant=_no_number)
        if values["schema"] != CARD_SCHEMA:
            raise ModelError(
                f"The card of {folder.name} has version {values['schema']}; this LungScan reads "
                f"version {CARD_SCHEMA}. Update LungScan, or train the model again."
            )
        values["metrics"] = tuple(Metric(**metric) for metric in values["metrics"])
        values.setdefault("coverage", ())  # older cards have none
        for name in ("reliability", "facts", "coverage"):
            values[name] = tuple(tuple(row) for row in values[name])
        if values.get("window") is not None:
            values["window"] = tuple(values["window"])
        for name in ("class_names", "display_names", "colors", "tumour", "limits"):
            values[name] = tuple(values[name])
        card = ModelCard(**values)
        _check_sense(card)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"card.json of {folder.name} is damaged or not a LungScan model card ({error}). "
            "Install the model again."
        ) from error
    return card


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _check_sense(card: ModelCard) -> None:
    """Raise ValueError or TypeError for a card that no run could work with."""
    for item in dataclasses.fields(card):
        kinds, value = _KINDS.get(str(item.type)), getattr(card, item.name)
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise TypeError(f"{item.name} must not be {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{item.name} is no number")
    _check_classes(card)
    _check_figures(card)
    if not 32 <= card.patch_size_pixels <= 2048:
        raise ValueError("patch_size_pixels is outside 32 to 2048")
    _check_window(card)
    if card.modality not in SCALED:
        raise ValueError(f"modality is one of {', '.join(SCALED)}, not {card.modality!r}")
    if SCALED[card.modality] and not MIN_MPP_UM <= card.spacing_um_px <= MAX_MPP_UM:
        raise ValueError("spacing_um_px is outside 0.05 to 10")
    positive = (
        *(card.temperature, card.confidence_threshold, card.novelty_threshold),
        *(card.appearance_threshold, card.appearance_limit),
    )
    if not all(0 < value < 1000 for value in positive):
        raise ValueError("temperature and thresholds must be positive numbers")
    if card.precision not in (FP16, INT8):
        raise ValueError(f"precision is {FP16} or {INT8}, not {card.precision}")
    if min(card.minimum_tissue_mm2, card.tumour_limit_mm2, card.tumour_limit_share) < 0:
        raise ValueError("areas and shares must not be negative")


def _check_window(card: ModelCard) -> None:
    if card.window is None:
        return
    level, width = card.window
    if not (abs(level) <= 4000 and 0 < width <= 8000):
        raise ValueError("window must be a level and a width in Hounsfield units")


def _check_classes(card: ModelCard) -> None:
    classes = len(card.class_names)
    if classes < 2 or len(set(card.class_names)) != classes:
        raise ValueError("a model needs two or more different class names")
    for name in ("display_names", "colors", "tumour"):
        if len(getattr(card, name)) != classes:
            raise ValueError(f"{name} must have one entry per class")
    texts: tuple[object, ...] = (*card.class_names, *card.display_names, *card.limits)
    if not all(isinstance(text, str) and text.isprintable() and text for text in texts):
        raise ValueError("names and limits must be text on one line")
    if not all(_COLOUR.fullmatch(colour) for colour in card.colors):
        raise ValueError("colours are written #rrggbb")
    if not all(isinstance(flag, bool) for flag in card.tumour):
        raise ValueError("tumour says true or false for each class")


def _check_figures(card: ModelCard) -> None:
    """What reports print must be what it says; a report may not break over a card."""
    facts: tuple[tuple[object, ...], ...] = card.facts
    if any([type(part) for part in fact] != [str, str] for fact in facts):
        raise ValueError("facts are pairs of texts")
    for confidence, accuracy, count in card.reliability:
        if not (0 <= confidence <= 1 and 0 <= accuracy <= 1 and count >= 0):
            raise ValueError("reliability is not a table of shares and counts")
    points: tuple[tuple[float, ...], ...] = card.coverage
    for point in points:
        if len(point) != 4 or not all(0 <= value <= 1 for value in point):
            raise ValueError("coverage is not a table of shares")
    for metric in card.metrics:
        names: tuple[object, ...] = (metric.name, metric.note)
        numbers: tuple[object, ...] = (metric.value, metric.n, metric.groups)
        numbers += tuple(limit for limit in (metric.low, metric.high) if limit is not None)
        if not all(isinstance(name, str) for name in names):
            raise TypeError("metrics have names")
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError(f"the metric {metric.name} is no number")
        counts: tuple[object, ...] = (metric.n, metric.groups)
        if not all(type(number) is int and number >= 0 for number in counts):
            raise ValueError(f"the metric {metric.name} has no counts of pictures and groups")


def _check(folder: Path, name: str, expected: str | None) -> None:
    path = folder / name
    if not path.is_file():
        raise ModelError(
            f"The model {folder.name} is incomplete: {name} is missing. Install it again."
        )
    if hash_of(path) != expected:
        raise ModelError(
            f"{name} of the model {folder.name} is not the file that its card names (SHA-256 "
            "differs): it is damaged or was changed, so it is not loaded. Install the model again."
        )


def _is_plain_name(name: str) -> bool:
    return bool(name) and "/" not in name and "\\" not in name and not name.startswith(".")


def _shipped_folder() -> Path:
    import lungscan_models

    return lungscan_models.shipped_models()


def _official() -> dict[str, str]:
    path = _shipped_folder() / "official.json"
    if not path.is_file():
        return {}
    table: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return table
