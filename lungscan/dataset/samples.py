"""The record that training reads: pictures with their labels and groups."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """Pictures with their labels and groups; row i of every field is picture i."""

    paths: tuple[Path, ...]
    labels: IndexArray  # index into class_names
    groups: tuple[str, ...]
    class_names: tuple[str, ...]
    um_px: tuple[float | None, ...] = ()  # scales that tables or recipes say; (): none does
    sources: IndexArray | None = None  # which of several sources each is of; None: there is one

    @property
    def scales(self) -> dict[Path, float | None]:
        """µm per pixel that tables or recipes say of each picture; empty where none does."""
        return dict(zip(self.paths, self.um_px, strict=True)) if self.um_px else {}

    def take(self, index: IndexArray) -> Samples:
        """The pictures at ``index``, in that order."""
        return Samples(
            tuple(self.paths[i] for i in index),
            self.labels[index],
            tuple(self.groups[i] for i in index),
            self.class_names,
            tuple(self.um_px[i] for i in index) if self.um_px else (),
            None if self.sources is None else self.sources[index],
        )


def data_hash(samples: Samples) -> str:
    """SHA-256 over names, labels, groups and the bytes of every picture."""
    digest = sha256()
    for path, label, group in zip(samples.paths, samples.labels, samples.groups, strict=True):
        digest.update(f"{path.name}\0{label}\0{group}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
