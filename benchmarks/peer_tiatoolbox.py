"""TIAToolbox's PatchPredictor, in its own environment, with the shared network.

    python benchmarks/peer_tiatoolbox.py NETWORK SLIDE OUT --workers N --batch N [--check]

Prints, as JSON, the number of tiles in its own result. ``--check`` only compares the network's
answers with the stored ones. It finds the tissue itself, reads with OpenSlide and writes zarr; the
network normalises whole batches, which costs less than doing it tile by tile.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peer_torch
import torch

if TYPE_CHECKING:
    import numpy as np


def model_of(folder: Path, facts: dict[str, Any]) -> Any:
    """The network in the form that TIAToolbox takes."""
    from tiatoolbox.models.models_abc import ModelABC

    class Network(ModelABC):
        def __init__(self) -> None:
            super().__init__()
            self.network = peer_torch.load_network(folder)
            for name in ("mean", "std"):
                self.register_buffer(name, 255 * torch.tensor(facts[name]).view(1, 3, 1, 1))

        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.network((tiles - self.mean) / self.std), 1)

        @staticmethod
        def infer_batch(
            model: torch.nn.Module, batch_data: torch.Tensor, device: str = "cpu"
        ) -> np.ndarray[Any, Any]:
            tiles = batch_data.to(device).permute(0, 3, 1, 2).float()
            with torch.inference_mode():
                return model(tiles).cpu().numpy()

        @staticmethod
        def preproc(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return image

        @staticmethod
        def postproc(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return image.argmax(-1)

    return Network().eval()


def predict(network: Path, slide: Path, out: Path, workers: int, batch: int) -> int:
    """Classify a slide; returns the number of tiles."""
    import zarr
    from tiatoolbox.models.engine.io_config import IOPatchPredictorConfig
    from tiatoolbox.models.engine.patch_predictor import PatchPredictor

    facts = json.loads((network / "network.json").read_text(encoding="utf-8"))
    side = (facts["patch_size_pixels"],) * 2
    predictor = PatchPredictor(
        model_of(network, facts), batch_size=batch, num_workers=workers, device="cpu"
    )
    written = predictor.run(
        [slide],
        patch_mode=False,
        ioconfig=IOPatchPredictorConfig(
            input_resolutions=[{"units": "mpp", "resolution": facts["spacing_um_px"]}],
            patch_input_shape=side,
            stride_shape=side,
        ),
        save_dir=out,
        output_type="zarr",
        return_probabilities=True,
    )
    (result,) = written.values()
    return int(zarr.open(str(result), mode="r")["probabilities"].shape[0])


def main() -> None:
    """Predict, or check the network."""
    parser = argparse.ArgumentParser(description="TIAToolbox on one slide.")
    parser.add_argument("network", type=Path)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    peer_torch.declare_missing_operators()
    if given.check:
        peer_torch.check(peer_torch.load_network(given.network), given.network)
    else:
        tiles = predict(given.network, given.slide, given.out, given.workers, given.batch)
        print(json.dumps({"tiles": tiles}))


if __name__ == "__main__":
    main()
