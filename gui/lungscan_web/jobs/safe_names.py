"""Names that strangers give to files, made into names that lie in one folder and nowhere else."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

LONGEST_BYTES = 150  # of 255 that a name may have: the engine's own names grow from it

# Control characters, those that reorder text, and halves of characters.
_HARMFUL = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def file_name(given: str) -> str:
    """The last part of a name that a browser sent, fit for every disk; an ordinary one unchanged.

    Browsers may send a whole path, with the slashes of either system.
    """
    last = re.split(r"[/\\]", given)[-1]
    name = _NOT_ON_WINDOWS.sub("_", _HARMFUL.sub("", last))
    name = _shortened(name.strip().rstrip(". "))
    if name.strip(".") == "":
        return "unnamed"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def folder_of(given: str) -> str:
    """What stands before the last part of a name that a browser sent; "" where nothing does."""
    return "/".join(part for part in re.split(r"[/\\]", given)[:-1] if part)


def _shortened(name: str) -> str:
    """At most ``LONGEST_BYTES`` of UTF-8, with its suffix kept."""
    data = name.encode()
    if len(data) <= LONGEST_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= 16 else ""
    return data[: LONGEST_BYTES - len(suffix.encode())].decode("utf-8", "ignore") + suffix
