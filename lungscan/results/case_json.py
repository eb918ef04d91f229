"""``case.json``: one case, whole. Every other file of a case is rebuilt from it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, TypeVar

from lungscan.errors import Code, LungScanError
from lungscan.results.codec import Convert, Fault, decode, encoded_fields
from lungscan.types import CaseResult, ModelStamp

SCHEMA_VERSION = 1
T = TypeVar("T")

# ASCII keeps any name safe, even one that is not valid Unicode. Not indented: that would leave
# the C encoder unused and cost ten times as much.
_dumps = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class DamagedRecord(LungScanError):
    """A ``case.json`` or ``run.json`` that cannot be read back; the message names the fault."""

    code = Code.RECORD


def to_json(result: CaseResult) -> bytes:
    """The record as ASCII JSON, one field per line; equal records give equal bytes."""
    return dump_record(result)


def from_json(data: bytes) -> CaseResult:
    """The record that ``to_json`` wrote.

    Raises DamagedRecord when the text is not JSON, was written by a newer LungScan, or a field is
    missing or of the wrong kind.
    """
    return load_record(CaseResult, data, "case.json")


def dump_record(record: Any) -> bytes:
    """A record with a ``schema_version`` as JSON, that field first, one field per line."""
    texts = {name: _text(convert, value) for name, convert, value in encoded_fields(record)}
    ordered = {"schema_version": texts.pop("schema_version"), **texts}
    lines = [f'"{name}":{text}' for name, text in ordered.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _text(convert: Convert, value: Any) -> str:
    """A value as JSON."""
    return _model(convert, value) if type(value) is ModelStamp else _dumps(convert(value))


@lru_cache(maxsize=4)
def _model(convert: Convert, stamp: ModelStamp) -> str:
    """A model as JSON: the same in all records of a run, and most of what a small one holds."""
    return _dumps(convert(stamp))


def load_record(cls: type[T], data: bytes, name: str) -> T:
    """Read back what ``dump_record`` wrote; ``name`` is the file's, for the messages."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedRecord(
            f"This {name} is cut off or is not JSON ({error}); classify the case again."
        ) from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DamagedRecord(
            f"This {name} was written by a newer LungScan (schema {version}, this one reads "
            f"{SCHEMA_VERSION}); update LungScan to read it."
        )
    try:
        return decode(cls, values)
    except Fault as fault:
        raise DamagedRecord(
            f"This {name} is damaged: {str(fault).strip(' .')}; classify the case again."
        ) from fault
