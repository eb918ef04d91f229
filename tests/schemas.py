"""Files against their JSON Schemas, as another program would hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from lungscan.schemas import schema_of


def validator(file: str) -> Any:
    """The checker of one of ``schemas.FILES``; the schema itself is checked first."""
    schema = schema_of(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check_file(file: str, path: Path) -> Any:
    """Raise ``jsonschema.ValidationError`` unless ``path`` holds what ``file``'s schema says.

    Every field of the file must be described, too. Returns the file's values.
    """
    values, check = json.loads(path.read_bytes()), validator(file)
    check.validate(values)
    known = check.schema.get("properties")
    assert known is None or set(values) <= set(known), set(values) - set(known)
    return values
