"""The engine's sentences for who sits at the window: without flags and commands of a shell. No Qt.

They state a cure in words and add the flag in brackets; here is no shell to type it into.
"""

from __future__ import annotations

import re

ADAPTING = "Case > Adapt a model to your own slides"
WHOEVER = "ave whoever installed LungScan run `lungscan doctor`"

_SENTENCES = (
    ("(lungscan adapt)", f"({ADAPTING})"),
    (" `lungscan models list` names those that are here.", ""),
    (" `lungscan models list` names the shipped ones.", ""),
    (" See `lungscan models list`.", " Choose one of those in the options."),
    ("Run `lungscan doctor`, then classify the file again.", f"H{WHOEVER}."),
    ("Run `lungscan doctor`", f"H{WHOEVER}"),
    ("run `lungscan doctor`", f"h{WHOEVER}"),
    ("run the same command again", "analyse it again"),
    ("run the command again", "analyse it again"),
    ("Run the same command again", "Analyse it again"),
    ("by the same command", "by analysing it again"),
    ("; --timeout grants more time", ""),
    ("the one given with --mpp", "the one given here"),
    ("Use --device cpu", "Choose the device cpu"),
    ("use --device cpu", "choose the device cpu"),
    ("another --out folder", "another folder for results in the options"),
    ("another with --out", "another folder for results in the options"),
)
_BRACKETS = re.compile(r" \(--[a-z-]+\)")
_OPENED = re.compile(r"\(--[a-z-]+; ")
_FLAG = re.compile(r"--(abstain|device|explain|model|mpp|overlap|rule|threads|timeout)\b")


def at_the_window(text: str) -> str:
    """The same sentences, with what the window has in the place of flags and commands."""
    for theirs, ours in _SENTENCES:
        text = text.replace(theirs, ours)
    text = _OPENED.sub("(", _BRACKETS.sub("", text))
    return _FLAG.sub(r"\1", text)
