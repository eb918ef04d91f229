"""WSInfer, in its own environment: make its model from the shared network, or run its command.

    python benchmarks/peer_wsinfer.py prepare NETWORK OUT
    python benchmarks/peer_wsinfer.py run ARGUMENT ...

``run`` is ``wsinfer --backend openslide run``, less one thing: WSInfer fetches a list of models
from the network to build its own ``--help``. That list is left empty here, which saves it the time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import peer_torch

CONFIG, MODEL = "config.json", "torchscript_model.pt"


def prepare(network: Path, out: Path) -> None:
    """Write the network as TorchScript with WSInfer's configuration beside it."""
    import torch

    facts = json.loads((network / "network.json").read_text(encoding="utf-8"))
    size = facts["patch_size_pixels"]
    with torch.no_grad():
        traced = torch.jit.trace(peer_torch.load_network(network), torch.zeros(1, 3, size, size))
    peer_torch.check(traced, network)
    normal = {"mean": facts["mean"], "std": facts["std"]}
    config = {
        "spec_version": "1.0",
        "architecture": facts["architecture"],
        "num_classes": len(facts["class_names"]),
        "class_names": facts["class_names"],
        "patch_size_pixels": size,
        "spacing_um_px": facts["spacing_um_px"],
        "transform": [{"name": "ToTensor"}, {"name": "Normalize", "arguments": normal}],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    traced.save(str(out / MODEL))


def run(arguments: list[str]) -> None:
    """WSInfer's own command line."""
    import wsinfer_zoo.client as zoo

    zoo.load_registry = lambda: zoo.ModelRegistry({})
    from wsinfer.cli.cli import cli

    cli(["--backend", "openslide", "--log-level", "warning", "run", *arguments])


def main() -> None:
    """Do what the first argument says."""
    peer_torch.declare_missing_operators()
    if sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        run(sys.argv[2:])


if __name__ == "__main__":
    main()
