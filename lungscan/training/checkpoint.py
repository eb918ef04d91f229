"""Checkpoints of one stage: written whole or not at all, read without running code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from lungscan.errors import ModelError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path``, flush it to the disk, then put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as handle:
        torch.save(state, handle)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


def load(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read a checkpoint, or None when there is none.

    Raises:
        ModelError: the file is damaged, or belongs to another recipe.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ModelError(f"The checkpoint {path.name} cannot be read ({error}).") from error
    if state.get("fingerprint") != fingerprint:
        raise ModelError(
            f"The checkpoint {path.name} was made with other options. "
            "Use another output folder, or remove the checkpoint to start over."
        )
    return state
