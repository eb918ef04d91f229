"""Names: how a path is shown, sorted, and turned into a folder name that every disk accepts."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

_SLUG_LENGTH = 60

# Characters that hide, reorder or break the text around them: a name must never do that to a
# table or a report. Zero-width joiners stay, some scripts need them.
_HARMFUL = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]"
)


def show(name: str) -> str:
    r"""Write a file name as text that can be printed and stored anywhere.

    Bytes that are not UTF-8 appear as ``\xff``, control and bidirectional characters as
    ``\u202e``; everything else stays as it is.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def natural(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Make a sort key that puts ``slide2`` before ``slide10``, ties broken by the exact name."""
    pieces = re.split(r"([0-9]+)", name.casefold())
    return tuple((1, 0, p) if i % 2 == 0 else (0, int(p), p) for i, p in enumerate(pieces)), name


def same_name(name: str) -> str:
    """Spell a name in the one way that all its Unicode forms share, so that they compare alike."""
    return unicodedata.normalize("NFC", name)


def slug(text: str) -> str:
    """Lower-case ASCII letters, digits and hyphens only; never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "case"


class KeyMaker:
    """Hands out keys that are unique in a run, whatever the case rules of the disk.

    A key is a readable slug and eight hexadecimal digits of the SHA-256 of the relative path, so
    it does not depend on the machine. It holds no dot, hence is never a reserved Windows name.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def make(self, label: str, identity: str) -> str:
        """Make the key of ``identity``; ``label`` is the part that people recognise."""
        count = 1
        while True:
            seed = identity if count == 1 else f"{identity}#{count}"
            digest = hashlib.sha256(seed.encode()).hexdigest()[:8]
            key = f"{slug(label)}-{digest}"
            if key not in self._taken:
                self._taken.add(key)
                return key
            count += 1
