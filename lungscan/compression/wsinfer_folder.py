"""A model as QuPath's WSInfer extension takes it: ``config.json`` and a TorchScript file.

The extension (qupath-extension-wsinfer, ``WSInfer.java``, ``WSInferModelLocal.java``) offers every
folder below its model directory's ``user`` that holds ``config.json`` and ``torchscript_model.pt``.
It reads each tile at the scale that the configuration names, resizes it, turns it into 0 to 1, and
**always applies a softmax** to what the network returns. The fields of the configuration are those
of wsinfer-zoo's ``model-config.schema.json``.
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lungscan import RESEARCH_USE
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import INT8, ModelCard
from lungscan.model.folder import read_golden
from lungscan.results.atomic_files import write_atomic
from lungscan.types import FloatArray, RgbBatch

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-3  # of a probability, fp32 against fp32, on the same pixels
CONFIG, NETWORK, README = "config.json", "torchscript_model.pt", "README.txt"
FILES = frozenset({CONFIG, NETWORK, README})


@dataclass(frozen=True, slots=True)
class WsinferExport:
    """A written folder, and how far its answers lie from the model's own."""

    path: Path
    bytes: int
    worst_difference: float  # of a probability, over the golden fields


def export_wsinfer(card: ModelCard, folder: Path) -> WsinferExport:
    """Write the folder; files of an earlier export are replaced.

    The network takes ``(n, 3, s, s)`` of 0 to 1 and returns logarithms of calibrated probabilities,
    of which a softmax makes those probabilities. Refusing is no part of it.

    Raises:
        UsageProblem: the model is int8, or the folder holds other things.
        MachineError: torch or timm is not installed, or the folder cannot be written.
        ModelError: the network does not repeat the model's golden answers; nothing is written.
    """
    if card.precision == INT8:
        raise UsageProblem(
            f"{card.name} is an int8 model, which has no form in torch. Export the model that it "
            f"was made from ({card.compression.get('source', 'see its card')})."
        )
    if folder.exists() and not (folder.is_dir() and {p.name for p in folder.iterdir()} <= FILES):
        raise UsageProblem(f"{folder} holds other things. Name a new folder for the export.")
    data, worst = traced(card)
    if not worst <= TOLERANCE:  # NaN is a difference too
        raise ModelError(
            f"The exported network of {card.name} changes a golden answer by {worst:.4f}, so "
            "nothing was written."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{folder} cannot be made ({error.strerror}).") from error
    config = json.dumps(configuration(card), indent=2, ensure_ascii=False) + "\n"
    contents = {
        NETWORK: data,
        CONFIG: config.encode(),
        README: readme(card).encode(),
    }
    for name, content in contents.items():
        write_atomic(folder / name, content, durable=False)
    return WsinferExport(folder, sum(map(len, contents.values())), worst)


def configuration(card: ModelCard) -> dict[str, Any]:
    """What the extension needs to know; classes are named as in our own files for QuPath."""
    return {
        "spec_version": "1.0",
        "architecture": card.architecture,
        "num_classes": len(card.class_names),
        "class_names": list(card.display_names),
        "patch_size_pixels": card.patch_size_pixels,
        "spacing_um_px": card.spacing_um_px,
        "transform": [
            {"name": "Resize", "arguments": {"size": card.patch_size_pixels}},
            {"name": "ToTensor"},
        ],
    }


def readme(card: ModelCard) -> str:
    """What whoever finds the folder has to know."""
    return (
        f"{card.name} {card.version} ({card.sha256}) for QuPath's WSInfer extension.\n"
        f"{RESEARCH_USE}\nLicence: {card.licence}\n\n"
        "Put this folder into the folder `user` of the extension's model directory, and choose it "
        "in Extensions > WSInfer.\n\n"
        "On the same pixels probabilities equal LungScan's to "
        f"{TOLERANCE:g}. QuPath resizes tiles in another way than LungScan, which alone moves "
        "probabilities (LungScan's `benchmarks/qupath_resize.py` measures by how much). And what "
        "LungScan does around the network is not in here: finding tissue, and refusing what does "
        "not look like lung or is too uncertain. Every tile gets a class, whatever it shows.\n"
    )


def traced(card: ModelCard) -> tuple[bytes, float]:
    """The TorchScript file, and the largest change of a golden probability in it."""
    try:
        import torch
        from torch import nn

        from lungscan.runtimes.deploy import load_deployed
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
        raise MachineError(
            f"The export for QuPath needs torch and timm, which cannot be loaded here ({error}). "
            'Install them with `python -m pip install "lungscan-histology[train]"`.'
        ) from error

    class Logarithms(nn.Module):
        """The network as the extension calls it."""

        def __init__(self) -> None:
            super().__init__()
            self.deployed = load_deployed(card)

        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            probabilities, _ = self.deployed((tiles * 255).permute(0, 2, 3, 1))
            smallest = torch.finfo(torch.float32).tiny
            return torch.log(probabilities.clamp(min=smallest))

    side, held = card.patch_size_pixels, io.BytesIO()
    with warnings.catch_warnings():
        # torch announces the end of TorchScript; QuPath knows no other.
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace  # neither it nor load has types
        load: Any = torch.jit.load
        network = trace(Logarithms().eval(), torch.zeros(2, 3, side, side))
        torch.jit.save(network, held)
        read = load(io.BytesIO(held.getvalue()))
    golden = read_golden(card)
    found = _as_the_extension(read, golden.fields)
    alone = np.concatenate([_as_the_extension(read, field[None]) for field in golden.fields])
    worst = max(float(np.abs(each - golden.probs).max()) for each in (found, alone))
    return held.getvalue(), worst


def _as_the_extension(network: Any, fields: RgbBatch) -> FloatArray:
    """What it shows for tiles of the right size: 0 to 1, channels first, softmax behind."""
    import torch

    with torch.inference_mode():
        tiles = torch.from_numpy(fields).permute(0, 3, 1, 2).float() / 255
        found: FloatArray = torch.softmax(network(tiles), 1).numpy()
    return found
