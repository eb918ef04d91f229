"""Why a slide does not open, in words that name the true cause: damage, its kind, or its name."""

from __future__ import annotations

import os
import re
from pathlib import Path

from openslide import OpenSlideError

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import show
from lungscan.inputs.dicom import DICOM_DIRECTORY, is_dicom, media_class
from lungscan.inputs.kinds import TIFF_MAGIC
from lungscan.inputs.names import same_name

_EXPORT = "Export it again from the scanner's program or another viewer as"
_ORDINARY = f"{_EXPORT} an ordinary slide: one scan, one focal plane, 8-bit colours."

# What OpenSlide 4.0.1 says of slides that are whole, but of a kind that it does not read: what
# that means, and the cure. The first that fits counts.
_UNSUPPORTED = tuple(
    (re.compile(pattern), means, cure)
    for pattern, means, cure in (
        (
            r"FocalPlanes value|focal plane|NoLayers|z.?stack",
            "it holds several focal planes",
            f"{_EXPORT} a slide of one focal plane.",
        ),
        (
            r"contains unexpected (associated )?image|multiple macro|more than one scan",
            "its series holds two pictures of the same size, such as clone levels, focal planes or "
            "a second scan",
            "Take the files that do not belong to this scan out of the folder, or export it again.",
        ),
        (
            r"(Bits|SamplesPerPixel|PixelRepresentation|HighBit)\w* value|JPEG color components",
            "its pixels are not 8-bit colours",
            f"{_EXPORT} a slide with 8 bits a colour.",
        ),
        (
            r"[Uu]nsupported (TIFF )?compression|[Uu]nsupported transfer syntax"
            r"|[Cc]ompression .*not supported",
            "its pixels are packed in a way that OpenSlide does not unpack",
            f"{_EXPORT} a tiled TIFF or SVS with JPEG or Deflate compression.",
        ),
        (
            r"dissimilar main images",
            "it holds several scans that differ",
            f"{_EXPORT} one slide per scan.",
        ),
        (
            r"[Uu]nsupported|not supported|[Cc]an(no|')t handle|Unrecognized (image|subblock)"
            r"|value -?\d+ != -?\d+",
            "it is of a kind that OpenSlide does not read",
            _ORDINARY,
        ),
    )
)


def require_mirax(path: Path) -> None:
    """See to it that OpenSlide can find the data of a MIRAX slide by its name.

    Raises:
        UnreadableFile: the folder of its data is missing, or a name is spelt otherwise (E_NAME).
    """
    name, folder = show(path.name), path.with_suffix("")
    if not folder.is_dir():
        if other := _similar_name(folder):
            raise UnreadableFile(
                f"{name} and the folder '{show(other)}' that holds its pixels are spelt "
                f"differently{_how(folder.name, other)}; rename the folder so that it has exactly "
                "the slide's name without the suffix.",
                code=Code.NAME,
            )
        raise UnreadableFile(
            f"{name} lacks the folder '{show(path.stem)}' that holds its pixels; "
            "copy that folder beside it."
        )
    if path.suffix != ".mrxs":
        raise UnreadableFile(
            f"{name} is a MIRAX slide, but OpenSlide takes the suffix in small letters only; "
            f"rename it to '{show(path.stem)}.mrxs'.",
            code=Code.NAME,
        )


def why_not_a_slide(path: Path) -> UnreadableFile:
    """What is wrong with a file in which OpenSlide sees no slide; the disk must be there."""
    name = show(path.name)
    with path.open("rb") as stream:
        head = stream.read(132)
    if media_class(path) == DICOM_DIRECTORY:
        return UnreadableFile(
            f"{name} is the index of a DICOM file set, not a picture; give the folder instead.",
            code=Code.FORMAT,
        )
    return UnreadableFile(_no_slide(name, path.suffix.lower(), head), code=Code.FORMAT)


def why_not_open(path: Path, error: OpenSlideError) -> UnreadableFile:
    """What is wrong with a slide that OpenSlide knows and does not open."""
    name, detail = show(path.name), _detail(error, path)
    for pattern, means, cure in _UNSUPPORTED:
        if pattern.search(str(error)):
            return UnreadableFile(
                f"{name} is not supported: {means} ({detail}). {cure}", code=Code.UNSUPPORTED
            )
    return UnreadableFile(
        f"{name} is damaged or incomplete: {detail}. Copy it again from its source; if it opens in "
        "other programs, export it as a tiled TIFF.",
        code=Code.FORMAT,
    )


def _similar_name(folder: Path) -> str | None:
    """The name of a folder that differs from ``folder`` in Unicode form or case only."""
    wanted = same_name(folder.name).casefold()
    try:
        with os.scandir(folder.parent) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return None
    return next((name for name in names if same_name(name).casefold() == wanted), None)


def _how(first: str, second: str) -> str:
    if same_name(first) == same_name(second):
        return ", though they look alike (Unicode forms NFC and NFD, as copies by macOS mix them)"
    return " (small and capital letters)"


def _no_slide(name: str, suffix: str, head: bytes) -> str:
    if is_dicom(head):
        return f"{name} is DICOM, but not a whole-slide image; leave it out."
    if suffix == ".dcm":
        return f"{name} is not a DICOM file; leave it out or copy it again from its source."
    if head.startswith(TIFF_MAGIC):
        return (
            f"{name} begins like a slide, but no whole picture is found in it: it ends early or "
            "is of an unknown kind. Copy it again from its source."
        )
    return (
        f"{name} is not a slide, whatever its name says: its content is of no format that "
        "OpenSlide reads. Leave it out or copy it again from its source."
    )


def _detail(error: OpenSlideError, path: Path) -> str:
    """Return OpenSlide's own words without the machine's folders in them."""
    folder, text = str(path.parent), str(error).replace(f"{path.parent}{os.sep}", "")
    if path.parent.is_absolute() and folder != path.anchor:
        text = text.replace(folder, "")
    return show(text)
