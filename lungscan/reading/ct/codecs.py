"""Compressed DICOM pixels by imagecodecs: a decoder plugin for pydicom.

pydicom with Pillow reads JPEG baseline and extended, JPEG 2000 and RLE; not JPEG Lossless, which
most compressed CT is packed with, nor JPEG-LS and HTJ2K. imagecodecs, which slides need anyway,
decodes all three without a library under the GPL. The names below are those that pydicom asks of a
plugin (its guide "Writing decoding plugins").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

LABEL = "imagecodecs"

_JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
SYNTAXES = (*_JPEG_LOSSLESS, *_JPEG_LS, *_HTJ2K)
DECODER_DEPENDENCIES = dict.fromkeys(SYNTAXES, ("numpy", "imagecodecs>=2025.3.30"))


def register() -> None:
    """Make the plugin known to pydicom; once is enough, more does no harm."""
    from pydicom.pixels.decoders.base import get_decoder

    for uid in SYNTAXES:
        decoder = get_decoder(uid)
        if LABEL not in decoder.available_plugins:
            decoder.add_plugin(LABEL, (__name__, "decode"))


def is_available(uid: str) -> bool:
    """Whether this installation decodes a transfer syntax."""
    return uid in SYNTAXES


def decode(src: bytes, runner: DecodeRunner) -> bytes:
    """The pixels of one frame, as pydicom wants them: little endian, one sample after the other."""
    import imagecodecs

    syntax = str(runner.transfer_syntax)
    if syntax in _JPEG_LOSSLESS:
        pixels = imagecodecs.ljpeg_decode(src)
    elif syntax in _JPEG_LS:
        pixels = imagecodecs.jpegls_decode(src)
    else:
        pixels = imagecodecs.htj2k_decode(src)
    found: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.asarray(pixels)
    if found.shape[:2] != (runner.rows, runner.columns):
        raise ValueError(f"the frame holds {found.shape} pixels, and its header says otherwise")
    runner.set_option("bits_allocated", 8 * found.dtype.itemsize)
    return found.astype(found.dtype.newbyteorder("<"), copy=False).tobytes()
