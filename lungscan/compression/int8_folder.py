"""The model folder of an int8 model: its source's card, with what int8 changed said in it."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lungscan.compression import wording
from lungscan.compression.records import Agreement, CompressionJob
from lungscan.model import folder
from lungscan.model.card import INT8, NOVELTY, Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.graph import count_parameters
from lungscan.runtimes import load_runtime


def require_room(out: Path) -> None:
    """Refuse to replace anything but an earlier int8 model. Raises UsageProblem."""
    folder.require_room(out, lambda card: card.precision == INT8, "int8")


def draft_card(source: ModelCard, out: Path) -> ModelCard:
    """The card of an int8 model that nobody has judged yet."""
    name = f"{source.name}-int8"
    return dataclasses.replace(
        source, name=name, precision=INT8, folder=out, sha256="", official=False
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
    out = card.folder
    shutil.copyfile(source.folder / NOVELTY, out / NOVELTY)
    fields = folder.read_golden(source).fields
    probs, _ = load_runtime(card, "cpu-fp32", threads).predict(fields)
    folder.write_golden(out, fields, probs)
    agreement, caution = Agreement(**card.compression["agreement"]), card.compression["caution"]
    card = dataclasses.replace(
        card,
        limits=(*((caution,) if caution else ()), *source.limits),
        metrics=(*(_noted(metric) for metric in source.metrics), *figures),
        facts=(*source.facts, ("int8", wording.fact(agreement, caution))),
    )
    write_card(card, out)
    card = read_card(out)
    sizes = folder.size_of(source.folder), folder.size_of(out)
    folder.write_readme(out, wording.readme(source, card, sizes, folder.readme_of(source)))
    return card


def _noted(metric: Metric) -> Metric:
    note = f"{metric.note}; {wording.NOT_NOW}" if metric.note else wording.NOT_NOW
    return dataclasses.replace(metric, note=note)
