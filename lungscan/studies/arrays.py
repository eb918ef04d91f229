"""The pictures of a study, read once and kept in its folder: another machine can go on from there.

``material.npz`` holds the pixels, labels and groups, the counter-examples, and how each unit deals
the pictures. Reading it needs numpy alone.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from lungscan.errors import ModelError
from lungscan.results.atomic_files import into_place

MATERIAL_FILE = "material.npz"
TRAIN, VALIDATION, TEST = 0, 1, 2
# What numpy raises for an archive that is cut off, altered or of another kind.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Material:
    """All that the networks of a study see; row i of every field is picture i."""

    pixels: Bytes  # (n, s, s, 3)
    labels: NDArray[np.int64]  # (n,) index into class_names
    groups: tuple[str, ...]
    class_names: tuple[str, ...]
    parts: Mapping[str, Bytes]  # by a unit's name: (n,) TRAIN, VALIDATION or TEST
    others: Bytes  # (m, s, s, 3): counter-examples, of no class
    fingerprint: str  # of the pictures and the options

    def rows(self, unit: str, part: int) -> NDArray[np.int64]:
        """The pictures that a unit deals to a part."""
        return np.flatnonzero(self.parts[unit] == part).astype(np.int64)

    def continued_by(self, later: Material) -> bool:
        """Whether networks fitted on this may be judged on ``later``.

        So it is where pictures, options and groups are the same, and so is the deal of every unit
        that both have.
        """
        both = self.parts.keys() & later.parts.keys()
        return (
            self.fingerprint == later.fingerprint
            and self.groups == later.groups
            and all(np.array_equal(self.parts[unit], later.parts[unit]) for unit in both)
        )


def keep_material(path: Path, material: Material) -> None:
    """Write ``material`` so that ``kept_material`` reads the same."""
    facts = {
        "groups": material.groups,
        "class_names": material.class_names,
        "fingerprint": material.fingerprint,
    }
    arrays: dict[str, Any] = {f"part.{unit}": part for unit, part in material.parts.items()}
    arrays |= {"pixels": _slim(material.pixels), "labels": material.labels}
    arrays |= {"others": material.others, "told": np.array(json.dumps(facts))}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as handle:
        np.savez_compressed(handle, **arrays)
    into_place(part, path)


def kept_material(path: Path) -> Material | None:
    """What ``keep_material`` wrote; None where nothing was kept.

    Raises:
        ModelError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with archive(path) as found:
            facts = json.loads(str(found["told"]))
            return Material(
                pixels=_full(found["pixels"]),
                labels=found["labels"],
                groups=tuple(facts["groups"]),
                class_names=tuple(facts["class_names"]),
                parts={
                    name.removeprefix("part."): found[name]
                    for name in found.files
                    if name.startswith("part.")
                },
                others=found["others"],
                fingerprint=facts["fingerprint"],
            )
    except DAMAGED as error:
        raise ModelError(
            f"{path.name} of the study cannot be read ({error}). Remove it and run the same "
            "command again; it is made anew."
        ) from error


def archive(path: Path) -> NpzFile:
    """Open an archive of arrays. It is read first, so that a damaged one leaves nothing open.

    Raises:
        Exceptions of ``DAMAGED``: it is none.
    """
    found: NpzFile = np.load(io.BytesIO(path.read_bytes()))
    return found


def hash_of(pixels: Bytes, labels: NDArray[np.int64], others: Bytes) -> str:
    """SHA-256 over what the networks see."""
    digest = sha256()
    for array in (pixels, labels, others):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _slim(pixels: Bytes) -> Bytes:
    """Grey pictures ``(n, s, s)`` in one channel; coloured ones as they are."""
    grey = bool((pixels == pixels[..., :1]).all())
    return np.ascontiguousarray(pixels[..., 0]) if grey else pixels


def _full(pixels: Bytes) -> Bytes:
    return np.repeat(pixels[..., None], 3, axis=3) if pixels.ndim == 3 else pixels
