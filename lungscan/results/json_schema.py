"""JSON Schemas (draft 2020-12), drawn from the records that files are written from.

``lungscan.schemas`` lists the files. A record's schema follows the same type hints as
``lungscan.results.codec``, which writes and reads it, so that a new field stands in both or in
neither. Readers must take fields that they do not know: later versions add some, and never change
what one means while ``schema_version`` stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from lungscan.layout import GEOJSON
from lungscan.results.codec import meant
from lungscan.types import LEFT_OUT_WHILE_NONE

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"], "description": "null: not a number"},
    str: {"type": "string"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    NoneType: {"type": "null"},
    Any: {},
}
_EMPTY = {  # an array without elements keeps its shape
    "type": "object",
    "required": ["shape"],
    "properties": {"shape": {"type": "array", "items": {"type": "integer", "minimum": 0}}},
}


def drawn_schema(
    title: str, hint: Any, without: Collection[str] = (), sometimes: Collection[str] = ()
) -> Schema:
    """The schema of a file that holds one value.

    Args:
        title: the file's name.
        hint: the value's type: a record, or a ``dict`` of them by a name.
        without: fields of the record that are not written.
        sometimes: fields that are left out at times, beside those marked ``LEFT_OUT_WHILE_NONE``.
    """
    definitions: dict[str, Schema] = {}
    if dataclasses.is_dataclass(hint):
        top = _record(hint, definitions, without)
        top["required"] = [name for name in top["required"] if name not in sometimes]
    else:
        top = _value(hint, definitions)
    return {"$schema": DRAFT, "title": title, **top, "$defs": dict(sorted(definitions.items()))}


def _record(cls: Any, definitions: dict[str, Schema], without: Collection[str] = ()) -> Schema:
    hints = get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.name not in without]
    return {
        "description": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
        "type": "object",
        "properties": {field.name: _value(hints[field.name], definitions) for field in fields},
        "required": [field.name for field in fields if field.metadata != LEFT_OUT_WHILE_NONE],
    }


def _value(hint: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: PLR0911  # one per kind
    hint = meant(hint)
    origin, args = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        name = getattr(hint, "__name__", str(hint))
        if name not in definitions:
            definitions[name] = {}  # taken, for records that hold their own kind
            definitions[name] = _record(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is np.ndarray:
        return {"anyOf": [{"type": "array"}, _EMPTY]}
    if origin in (Union, UnionType):
        return {"anyOf": [_value(arg, definitions) for arg in args]}
    if origin is tuple and args[-1:] == (Ellipsis,):
        return {"type": "array", "items": _value(args[0], definitions)}
    if origin is tuple and not args:
        return {"type": "array", "maxItems": 0}
    if origin is tuple:
        parts = [_value(arg, definitions) for arg in args]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "items": False}
    if origin is dict:
        names = {"propertyNames": _value(args[0], definitions)}
        return {"type": "object", **names, "additionalProperties": _value(args[1], definitions)}
    if origin is Literal:
        return {"enum": list(args)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    return dict(_PLAIN[hint])


def geojson_schema() -> Schema:
    """RFC 7946, as far as we use it, with what QuPath reads in ``properties``."""
    point = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    ring = {"type": "array", "items": point, "minItems": 4}
    colour = {"type": "integer", "minimum": 0, "maximum": 255}
    classification = {
        "type": "object",
        "required": ["name", "color"],
        "properties": {
            "name": {"type": "string"},
            "color": {"type": "array", "items": colour, "minItems": 3, "maxItems": 3},
        },
    }
    tile = {
        "type": "object",
        "required": ["type", "id", "geometry", "properties"],
        "properties": {
            "type": {"const": "Feature"},
            "id": {"type": "string", "format": "uuid"},
            "geometry": {
                "type": "object",
                "description": "pixels of level 0, from the origin of the slide's bounds",
                "required": ["type", "coordinates"],
                "properties": {
                    "type": {"const": "Polygon"},
                    "coordinates": {"type": "array", "items": ring, "minItems": 1},
                },
            },
            "properties": {
                "type": "object",
                "required": ["objectType", "measurements"],
                "properties": {
                    "objectType": {"const": "tile"},
                    "isLocked": {"type": "boolean"},
                    "classification": classification,
                    "measurements": {
                        "type": "object",
                        "description": "prob_CLASS, and what was measured of the tile",
                        "additionalProperties": {"type": ["number", "null"]},
                    },
                },
            },
        },
    }
    return {
        "$schema": DRAFT,
        "title": GEOJSON,
        "description": "The tiles of a slide for QuPath.",
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": tile},
        },
    }
