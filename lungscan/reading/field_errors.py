"""Why a picture does not open as a field: what it holds instead, or that it is damaged."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import tifffile

from lungscan.errors import Code, UnreadableFile


def unknown(name: str, stream: BinaryIO) -> UnreadableFile:
    """What to say of a file in which Pillow sees no picture."""
    numbers = _tiff_numbers(stream)
    if numbers is not None:
        return UnreadableFile(
            f"{name} is a TIFF of {numbers}, which LungScan does not read; save it with 8 bits per "
            "channel.",
            code=Code.FORMAT,
        )
    return UnreadableFile(
        f"{name} is not an image LungScan reads, whatever its name says; save it as JPEG, "
        "PNG, TIFF, BMP or WebP.",
        code=Code.FORMAT,
    )


def _tiff_numbers(stream: BinaryIO) -> str | None:
    """Name the kind of numbers in a TIFF, when they are not plain bytes."""
    try:
        stream.seek(0)
        with tifffile.TiffFile(stream) as tiff:
            page = tiff.pages.first
            kind = None if page.dtype is None else np.dtype(page.dtype)
    except Exception:  # noqa: BLE001  no TIFF at all, or one that tifffile cannot read either
        return None
    if kind is None or kind == np.uint8:
        return None
    what = {"f": "floating-point", "i": "signed whole"}.get(kind.kind, "whole")
    return f"{what} numbers with {8 * kind.itemsize} bits"


def damaged(name: str, error: Exception) -> UnreadableFile:
    """What to say of a picture that cannot be decoded."""
    if "truncated" in str(error).lower():
        what = "ends early: part of the picture is missing"
    else:
        what = "is damaged or of a rare kind: its picture cannot be decoded"
    return UnreadableFile(
        f"{name} {what}. Copy it again from its source, or save it as PNG.", code=Code.FORMAT
    )
