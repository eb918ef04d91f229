"""The model folder of an int8 model: its source's card, with what int8 changed said in it."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lungscan.compression import wording
from lungscan.compression.records import Agreement, CompressionJob
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import FILES, INT8, Metric, ModelCard, read_card, write_card
from lungscan.model.graph import count_parameters
from lungscan.runtimes import load_runtime


def require_room(out: Path) -> None:
    """Refuse to replace anything but an earlier int8 model.

    Raises:
        UsageProblem: something else lies there.
    """
    if not out.exists():
        return
    try:
        earlier = read_card(out).precision == INT8
    except ModelError:
        earlier = False
    empty = out.is_dir() and not any(out.iterdir())
    if not earlier and not empty:
        raise UsageProblem(
            f"{out.name} exists and is no int8 model, so it is not replaced. Choose another --out."
        )


def draft_card(source: ModelCard, folder: Path) -> ModelCard:
    """The card of an int8 model that nobody has judged yet."""
    name = f"{source.name}-int8"
    return dataclasses.replace(
        source, name=name, precision=INT8, folder=folder, sha256="", official=False
    )


def how_it_was_made(
    job: CompressionJob, method: str, agreement: Agreement, caution: str
) -> dict[str, Any]:
    """For the card's ``compression``."""
    return {
        "source": job.source.name,
        "source_sha256": job.source.sha256,
        "parameters": count_parameters(job.source.folder),
        "method": method,
        "calibration_tiles": len(job.calibration),
        "bounds": dataclasses.asdict(job.bounds),
        "agreement": dataclasses.asdict(agreement),
        "caution": caution,
        "nncf": version("nncf"),
        "command": job.command,
    }


def write_rest(
    source: ModelCard, card: ModelCard, figures: tuple[Metric, ...], threads: int
) -> ModelCard:
    """Write all files but graph and weights, which lie in the card's folder already.

    Args:
        source: the model that was compressed.
        card: the draft, with ``compression`` filled in.
        figures: measured on the int8 model.
        threads: for the golden answers.
    """
    folder = card.folder
    shutil.copyfile(source.folder / "novelty.safetensors", folder / "novelty.safetensors")
    with np.load(source.folder / "golden.npz", allow_pickle=False) as golden:
        fields = golden["fields"]
    probs, _ = load_runtime(card, "cpu-fp32", threads).predict(fields)
    np.savez_compressed(folder / "golden.npz", fields=fields, probs=probs)
    agreement, caution = Agreement(**card.compression["agreement"]), card.compression["caution"]
    card = dataclasses.replace(
        card,
        limits=(*((caution,) if caution else ()), *source.limits),
        metrics=(*(_noted(metric) for metric in source.metrics), *figures),
        facts=(*source.facts, ("int8", wording.fact(agreement, caution))),
    )
    write_card(card, folder)
    card = read_card(folder)
    sizes = size_of(source.folder), size_of(folder)
    text = wording.readme(source, card, sizes, _readme_of(source))
    (folder / "README.md").write_text(text, encoding="utf-8")
    return card


def size_of(folder: Path) -> int:
    """Bytes of all files that a model needs."""
    return sum((folder / name).stat().st_size for name in ("card.json", *FILES))


def _noted(metric: Metric) -> Metric:
    note = f"{metric.note}; {wording.NOT_NOW}" if metric.note else wording.NOT_NOW
    return dataclasses.replace(metric, note=note)


def _readme_of(source: ModelCard) -> str:
    path = source.folder / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
