"""What lies in a model folder, read and written in one place.

Training, compression and adaptation each make a folder beside its final place and then put it there
in one step, so that an earlier model stays whole until the new one is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import CARD, FILES, GOLDEN, NOVELTY, README, ModelCard
from lungscan.model.checked import read_card
from lungscan.model.novelty import Novelty
from lungscan.types import FloatArray, RgbBatch


@dataclass(frozen=True)
class Golden:
    """Drawn fields and the answers that a model gave when it was made."""

    fields: RgbBatch  # (n, s, s, 3)
    probs: FloatArray  # (n, classes)


def holds_model(folder: Path) -> bool:
    """Whether a card lies there."""
    return (folder / CARD).is_file()


def size_of(folder: Path) -> int:
    """Bytes of all files that a model needs."""
    return sum((folder / name).stat().st_size for name in (CARD, *FILES))


def readme_of(card: ModelCard) -> str:
    """The card for people; "" where there is none."""
    path = card.folder / README
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def write_readme(folder: Path, text: str) -> None:
    """Write the card for people."""
    (folder / README).write_text(text, encoding="utf-8", newline="\n")


def read_golden(card: ModelCard) -> Golden:
    """The golden fields of a model (their SHA-256 was checked with the card).

    Raises:
        ModelError: the file holds no such fields. Nothing in it is ever executed.
    """
    try:
        with np.load(card.folder / GOLDEN, allow_pickle=False) as stored:
            golden = Golden(stored["fields"], stored["probs"])
    except (OSError, ValueError, LookupError, EOFError, BadZipFile, TypeError) as error:
        raise ModelError(
            f"{GOLDEN} of {card.name} is damaged ({error}). Install the model again."
        ) from error
    if golden.fields.ndim != 4 or golden.fields.dtype != np.uint8:
        raise ModelError(f"{GOLDEN} of {card.name} holds no fields. Install the model again.")
    return golden


def write_golden(folder: Path, fields: RgbBatch, probs: FloatArray) -> None:
    """Keep a network's answers to the golden fields."""
    np.savez_compressed(folder / GOLDEN, fields=fields, probs=probs)


def write_novelty(folder: Path, novelty: Novelty) -> None:
    """Write the parameters of novelty."""
    from safetensors.numpy import save

    # Not `save_file`: that makes a file which only its owner may read.
    (folder / NOVELTY).write_bytes(save(novelty.tensors()))


def require_room(out: Path, is_ours: Callable[[ModelCard], bool], kind: str) -> None:
    """Refuse to replace anything but an earlier model of the same kind.

    Raises:
        UsageProblem: something else lies there.
    """
    if not out.exists():
        return
    try:
        earlier = is_ours(read_card(out))
    except ModelError:
        earlier = False
    if not earlier and not (out.is_dir() and not any(out.iterdir())):
        raise UsageProblem(
            f"{out.name} exists and is no {kind} model, so it is not replaced. Choose another "
            "folder (--out)."
        )
