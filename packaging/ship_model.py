"""Ship a trained model: copy its folder into the package and enter it as official.

    python packaging/ship_model.py MODEL_DIR

Leaves out the checkpoints (``training/``), checks every file against the card, and writes the
card's SHA-256 into ``official.json``, by which reports tell a shipped model from any other.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from lungscan.model.checked import read_card
from lungscan_models import shipped_models

CURVE = "coverage.svg"  # shown by README.md


def ship(folder: Path, target: Path) -> str:
    """Copy the model in ``folder`` below ``target``; returns its SHA-256."""
    card = read_card(folder)
    home = target / card.name
    if home.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True)
    for name in ("card.json", "README.md", *card.files):
        shutil.copyfile(folder / name, home / name)
    if (folder / CURVE).exists():
        shutil.copyfile(folder / CURVE, home / CURVE)
    table_path = target / "official.json"
    table = json.loads(table_path.read_text(encoding="utf-8")) if table_path.exists() else {}
    table[card.name] = card.sha256
    text = json.dumps(dict(sorted(table.items())), indent=2)
    table_path.write_text(text + "\n", encoding="utf-8")
    return card.sha256


def main() -> None:
    """Ship the model named on the command line."""
    parser = argparse.ArgumentParser(description="Ship a trained model with the package.")
    parser.add_argument("folder", type=Path, help="a folder that `lungscan train` wrote")
    digest = ship(parser.parse_args().folder, shipped_models())
    print(f"shipped, SHA-256 of the card {digest}")


if __name__ == "__main__":
    main()
