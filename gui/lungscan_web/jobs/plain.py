"""The engine's sentences for whoever sits before the page and has no command line.

The engine names options and commands, which a browser has not. What is said here instead can be
done on the page, or names who can do it.
"""

from __future__ import annotations

import re

_WHO = "tell whoever runs the page"
_SENTENCES = (
    (r"\(--mpp; usual", "(under Options; usual"),
    (r"given with --mpp\b", "given under Options"),
    (r"--mpp ([\d.,e+-]+) is outside", r"The given pixel size, \1, is outside"),
    (r"Choose another among the options \(--model\); `lungscan models list`.*?\.",
     "Choose another one under Options."),
    (r"among the options \(--model\)", "under Options"),
    (r"Run `lungscan doctor`[^.]*", f"Give the file again, or {_WHO}"),
    (r"run `lungscan doctor`", _WHO),
    (r"`lungscan adapt` fits the model to one's own",
     "whoever runs the page can fit the model to one's own (`lungscan adapt`)"),
    (r"adapt it to your own lung \(lungscan adapt\)",
     "whoever runs the page can adapt it to your own lung (`lungscan adapt`)"),
    (r"; --timeout grants more time", ""),
    (r"Close other programs or use fewer --threads, then run the same command again",
     f"Give fewer files at once, or {_WHO}"),
    (r"Try a smaller --batch-size or fewer --threads[^.]*",
     f"Give fewer files at once, or {_WHO}"),
    (r"Check the drive(?: or network connection)?, then run (?:the same command )?again",
     f"Give the file again, or {_WHO}"),
    (r"Run the same command again", "Give the file again"),
    (r"then run (?:the|the same) command again", "then give it again"),
)  # fmt: skip
_PATTERNS = [(re.compile(pattern), words) for pattern, words in _SENTENCES]


def for_page(text: str) -> str:
    """A sentence of the engine's, as the page says it."""
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return text
