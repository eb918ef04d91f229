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

    def take(self, index: IndexArray) -> Samples:
        """The pictures at ``index``, in that order."""
        return Samples(
            tuple(self.paths[i] for i in index),
            self.labels[index],
            tuple(self.groups[i] for i in index),
            self.class_names,
        )


def data_hash(samples: Samples) -> str:
    """SHA-256 over names, labels, groups and the bytes of every picture."""
    digest = sha256()
    for path, label, group in zip(samples.paths, samples.labels, samples.groups, strict=True):
        digest.update(f"{path.name}\0{label}\0{group}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
