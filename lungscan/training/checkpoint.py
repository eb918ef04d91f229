"""Checkpoints of one stage: written whole or not at all, read without running code."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from lungscan.errors import MachineError, ModelError
from lungscan.results.atomic_files import into_place


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path``, flush it to the disk, then put it in place.

    Raises:
        MachineError: it cannot be written; an earlier checkpoint stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as handle:
            torch.save(state, handle)
            handle.flush()
            os.fsync(handle.fileno())
        into_place(part, path)
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into the latter
        with suppress(OSError):
            part.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) and error.strerror else "disk full?"
        raise MachineError(
            f"The checkpoint {path.name} cannot be written ({why}). The last one stays; "
            "make room and run the same command again."
        ) from error


def load(path: Path, fingerprint: str | None) -> dict[str, Any] | None:
    """Read a checkpoint, or None when there is none. ``fingerprint`` None takes any recipe's.

    Raises:
        ModelError: the file is damaged, or belongs to another recipe, other data or another deal.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ModelError(f"The checkpoint {path.name} cannot be read ({error}).") from error
    if fingerprint is not None and state.get("fingerprint") != fingerprint:
        raise ModelError(
            f"The checkpoint {path.name} was made with other options or data. "
            "Use another output folder, or remove the checkpoint to start over."
        )
    return state
