"""What verifying needs of a ``case.json``: a few texts, none of which is ever used as a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.results.case_json import DamagedRecord, load_record

MAX_BYTES = 1 << 30  # ten times the record of the largest slides


@dataclass(frozen=True, slots=True)
class FileFacts:
    """An input that could be read."""

    relative_path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model that answered."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case. The record's other fields, scores above all, are not looked at."""

    key: str
    model: ModelFacts
    files: tuple[FileFacts, ...]
    error_code: str = ""


def read_facts(path: Path) -> CaseFacts:
    """The facts of the case in whose folder ``path`` lies. Raises DamagedRecord, OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise DamagedRecord("This case.json is too large to be one.")
    facts = load_record(CaseFacts, path.read_bytes(), path.name)
    if facts.key != path.parent.name:
        raise DamagedRecord("This case.json belongs to another case.")
    return facts
