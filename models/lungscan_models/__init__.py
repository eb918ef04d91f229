"""The models shipped with LungScan: data, with one function to find them.

Each model is a folder with ``card.json``, its weights and a ``README.md`` for people.
"""

from __future__ import annotations

from pathlib import Path


def shipped_models() -> Path:
    """Return the folder that holds one folder per shipped model."""
    return Path(__file__).resolve().parent
