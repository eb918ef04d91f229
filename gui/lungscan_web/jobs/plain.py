"""The engine's sentences for whoever sits before the page, and has neither its machine nor a shell.

What is said here instead can be done on the page, or names who can do it.
"""

from __future__ import annotations

import re

from lungscan.errors import without_flags

_WHO = "tell whoever runs the page"
_SENTENCES = (
    (r"`lungscan adapt` fits the model to one's own",
     "whoever runs the page can fit the model to one's own (`lungscan adapt`)"),
    (r"which can be adapted",
     "which whoever runs the page can adapt (`lungscan adapt`)"),
    (r"adapt it to your own lung",
     "whoever runs the page can adapt it to your own lung (`lungscan adapt`)"),
    (r"Choose another among the options", "Choose another one under Options"),
    (r"among the options", "under Options"),
    (r"Check the drive(?: or network connection)?, then (?:classify|start) it again",
     f"Give the file again, or {_WHO}"),
    (r"Close other programs,? or (?:try a smaller batch or fewer threads|use fewer threads, then "
     r"classify it again)", f"Give fewer files at once, or {_WHO}"),
    (r"have the installation checked", _WHO),
    (r"(?:Classify|Start) it again", "Give it again"),
    (r"(?:classify|start) it again", "give it again"),
)  # fmt: skip
_PATTERNS = [(re.compile(pattern), words) for pattern, words in _SENTENCES]


def for_page(text: str) -> str:
    """A sentence of the engine's, as the page says it."""
    text = without_flags(text.replace("(--mpp; ", "(under Options; "))
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return text
