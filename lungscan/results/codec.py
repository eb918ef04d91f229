"""Frozen records to JSON values and back, led by the records' own type hints.

A field added to a record with a default is written from then on, unless it is None and marked
``LEFT_OUT_WHILE_NONE``, and files that lack it still read. Arrays become lists; what is not a
number (NaN, infinity) becomes null and reads as NaN.
"""

from __future__ import annotations

import dataclasses
import math
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from struct import Struct
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from lungscan.types import LEFT_OUT_WHILE_NONE

Convert = Callable[[Any], Any]
T = TypeVar("T")

_FEW = 8  # numbers for which a loop takes less time than a dozen calls of numpy
_SCALE = 1e9  # nine decimals
_FLOAT32 = Struct("f")


class Fault(ValueError):
    """A value that does not fit its field; the message starts with the field's name."""


def encode(record: Any) -> dict[str, Any]:
    """The record as a dict of JSON values, fields in the order of their declaration."""
    kind: Any = type(record)
    values: dict[str, Any] = _encoder(kind)(record)
    return values


def encoded_fields(record: Any) -> Iterator[tuple[str, Convert, Any]]:
    """Of each field in turn its name, the function that makes JSON values of it, and its value."""
    kind: Any = type(record)
    for name, convert, optional in _field_encoders(kind):
        value = getattr(record, name)
        if not (optional and value is None):
            yield name, convert, value


def decode(cls: type[T], value: object) -> T:
    """A record of type ``cls`` from JSON values; raises Fault, naming the field."""
    kind: Any = cls
    record: T = _decoder(kind)(value)
    return record


def meant(hint: Any) -> Any:
    """The type that an alias stands for: from numpy 2.5 on, ``NDArray`` is one."""
    alias, args = get_origin(hint) or hint, get_args(hint)
    value = getattr(alias, "__value__", None)
    if value is None:
        return hint
    return meant(value[args] if args else value)


# Encoding ------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


@cache
def _encoder(hint: Any) -> Convert:  # noqa: PLR0911  # one line per kind of type
    """The function that turns a value of type ``hint`` into JSON values."""
    hint = meant(hint)
    origin, args = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _record_encoder(hint)
    if hint in (int, bool):
        return hint  # type: ignore[no-any-return]  # also for numpy's scalars
    if hint is float:
        return lambda value: float(value) if math.isfinite(value) else None
    if hint is bytes:
        return lambda value: b2a_base64(value, newline=False).decode("ascii")
    if origin is np.ndarray:
        return _encode_array
    if origin in (Union, UnionType):
        inner = _encoder(_without_none(args))
        return lambda value: None if value is None else inner(value)
    if origin is tuple and args[-1] is Ellipsis:
        each = _encoder(args[0])
        return list if each is _same else lambda value: [each(item) for item in value]
    if origin is tuple:
        parts = [_encoder(arg) for arg in args]
        return lambda value: [part(item) for part, item in zip(parts, value, strict=True)]
    return _same  # str, StrEnum, Literal


def _record_encoder(cls: Any) -> Convert:
    fields = _field_encoders(cls)
    always = [(name, convert) for name, convert, optional in fields if not optional]
    if len(always) == len(fields):
        return lambda record: {name: convert(getattr(record, name)) for name, convert in always}
    return lambda record: {name: turn(value) for name, turn, value in encoded_fields(record)}


@cache
def _field_encoders(cls: Any) -> tuple[tuple[str, Convert, bool], ...]:
    """Of each field its name, its encoder, and whether it is left out while it is None."""
    hints = get_type_hints(cls)
    return tuple(
        (field.name, _encoder(hints[field.name]), field.metadata == LEFT_OUT_WHILE_NONE)
        for field in dataclasses.fields(cls)
    )


def _encode_array(array: Any) -> Any:
    """Nested lists. An array without elements keeps its shape as ``{"shape": [0, 4]}``."""
    if array.size == 0:
        return {"shape": list(array.shape)}
    if array.dtype.kind != "f":
        return array.tolist()
    if array.dtype == np.float32 and array.size <= _FEW:
        return _encode_few(array.tolist())
    exact = array.astype(np.float64)
    # Nine decimals instead of seventeen digits, wherever they read back as the same float32.
    short = exact.round(9)
    values = np.where(short.astype(np.float32) == array, short, exact)
    finite = np.isfinite(values)
    if finite.all():
        return values.tolist()
    spaced = values.astype(object)
    spaced[~finite] = None
    return spaced.tolist()


def _as_float32(value: float) -> float:
    number: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    return number


def _encode_few(value: Any) -> Any:
    """As ``_encode_array``, number by number: sooner done for a field's one tile."""
    if isinstance(value, list):
        return [_encode_few(item) for item in value]
    if not math.isfinite(value):
        return None
    short = round(value * _SCALE) / _SCALE
    return short if short != 0 and _as_float32(short) == value else value


# Decoding ------------------------------------------------------------------------------------


@cache
def _decoder(hint: Any) -> Convert:  # noqa: PLR0911  # one line per kind of type
    """The function that turns JSON values into a value of type ``hint``, or raises Fault."""
    hint = meant(hint)
    origin, args = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _record_decoder(hint)
    if hint is float:
        return _decode_float
    if hint is bytes:
        return _decode_bytes
    if origin is np.ndarray:
        return _array_decoder(get_args(args[1])[0])
    if origin in (Union, UnionType):
        inner = _decoder(_without_none(args))
        return lambda value: None if value is None else inner(value)
    if origin is tuple and args[-1] is Ellipsis:
        each = _decoder(args[0])
        return lambda value: tuple([each(item) for item in _list(value)])
    if origin is tuple:
        return _fixed_tuple_decoder(args)
    if origin is Literal:
        return _choice_decoder({choice: choice for choice in args})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice_decoder({member.value: member for member in hint})
    return _plain_decoder(hint)


def _record_decoder(cls: Any) -> Convert:
    hints = get_type_hints(cls)
    fields = [
        (field.name, _decoder(hints[field.name]), field.default is dataclasses.MISSING)
        for field in dataclasses.fields(cls)
    ]

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Fault(" is not an object")
        known = {}
        for name, decode_field, required in fields:
            if name in value:
                try:
                    known[name] = decode_field(value[name])
                except Fault as fault:
                    raise Fault(f".{name}{fault}") from None
            elif required:
                raise Fault(f".{name} is missing")
        return cls(**known)

    return convert


def _plain_decoder(kind: type) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise Fault(f" should be {kind.__name__}, not {type(value).__name__}")
        return value

    return convert


def _choice_decoder(choices: dict[Any, Any]) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise Fault(f" has the unknown value {value!r:.60}")
        return choices[value]

    return convert


def _fixed_tuple_decoder(hints: tuple[Any, ...]) -> Convert:
    parts = [_decoder(hint) for hint in hints]

    def convert(value: Any) -> Any:
        if len(_list(value)) != len(parts):
            raise Fault(f" should have {len(parts)} values, not {len(value)}")
        return tuple([part(item) for part, item in zip(parts, value, strict=True)])

    return convert


def _array_decoder(dtype: Any) -> Convert:
    def convert(value: Any) -> Any:
        try:
            if isinstance(value, dict):
                if 0 not in value["shape"]:
                    raise Fault(" has a shape, but no numbers")
                return np.zeros(value["shape"], dtype=dtype)
            return np.array(_list(value), dtype=dtype)  # None becomes NaN
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Fault(f" is not an array of numbers ({error})") from None

    return convert


def _decode_float(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault(f" should be a number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise Fault(" is too large a number") from None


def _decode_bytes(value: Any) -> bytes:
    try:
        return a2b_base64(value, strict_mode=True)
    except (Base64Error, TypeError, ValueError):
        raise Fault(" is not base64") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Fault(f" should be a list, not {type(value).__name__}")
    return value


def _without_none(args: tuple[Any, ...]) -> Any:
    (hint,) = [arg for arg in args if arg is not NoneType]
    return hint
