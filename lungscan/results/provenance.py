"""What a record says of how it was made: settings, versions, times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version

from lungscan.model.card import ModelCard
from lungscan.options import AnswerOptions

SETTINGS_SCHEMA = 2  # raise it when tiling, quality limits or rules change their meaning
SCHEMA_NAME = "settings_schema"  # among the settings that a record keeps
LIBRARIES = (
    "numpy", "pillow", "openslide-python", "openslide-bin", "tifffile", "imagecodecs", "pydicom",
    "openvino", "torch",
)  # fmt: skip


def settings_of(options: AnswerOptions, card: ModelCard) -> tuple[tuple[tuple[str, str], ...], str]:
    """What can change an answer besides input and model: as shown in reports, and as a hash.

    Device, threads and batch size are left out, because they must not change an answer.
    """
    shown: tuple[tuple[str, str], ...] = (
        ("rule", options.rule),
        ("abstain", options.abstain),
        ("overlap", f"{options.overlap:g}"),
        ("mpp", "from the file" if options.mpp is None else f"{options.mpp:g} given"),
        ("tile", f"{card.patch_size_pixels} px at {card.spacing_um_px:g} µm/px"),
        (SCHEMA_NAME, str(SETTINGS_SCHEMA)),
    )
    if options.explain != "off":  # else the hash stays what it was before there was a choice
        shown += (("explain", options.explain),)
    return shown, sha256(json.dumps(shown).encode()).hexdigest()


def library_versions() -> tuple[tuple[str, str], ...]:
    """Versions of the libraries that can change an answer."""
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def utc_now() -> str:
    """The time, ISO 8601 to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
