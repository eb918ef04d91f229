"""What the classes of a model are called, how they are drawn, and which of them are tumour.

A recipe says it in its table ``[classes]``. What it leaves open is known of a few names; of any
other name nothing is guessed: it counts as no tumour, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lungscan.errors import UsageProblem
from lungscan.report.legend import OKABE_ITO

_ORANGE, _BLUE, _GREEN, _PINK, _AMBER, _SKY, _YELLOW = map(str.upper, OKABE_ITO)
# Those of the known classes last, so that an unknown one is not taken for them.
PALETTE = (_AMBER, _SKY, _PINK, _YELLOW, "#000000", _ORANGE, _GREEN, _BLUE)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ClassSettings:
    """What a recipe says of one class, ``[classes.FOLDER]``; "" and None leave it open."""

    folder: str  # the class's folder in the data
    name: str = ""  # for people
    color: str = ""  # "#rrggbb"
    tumour: bool | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what no card could hold."""
        name, color, tumour = self.values()
        if not (isinstance(name, str) and name.isprintable()):
            raise ValueError(f"the name of class {self.folder} must be text on one line")
        if color != "" and not (isinstance(color, str) and _COLOUR.fullmatch(color)):
            raise ValueError(f"the color of class {self.folder} must be written #rrggbb")
        if tumour is not None and tumour is not True and tumour is not False:
            raise ValueError(f"tumour of class {self.folder} must be true or false")

    def values(self) -> tuple[object, object, object]:
        """Name, colour and tumour, whatever a recipe put there."""
        return self.name, self.color, self.tumour


@dataclass(frozen=True, slots=True)
class ClassWords:
    """One class as the card says it."""

    name: str
    color: str
    tumour: bool
    stated: bool  # False: nobody said whether it is tumour


# By the folder's whole name, see _plain: LC25000, IQ-OTH/NCCD (with its own spelling), and names
# that say it in so many words.
_KNOWN = {
    "lung aca": ClassSettings("", "Adenocarcinoma", _ORANGE, tumour=True),
    "lung n": ClassSettings("", "Benign lung", _GREEN, tumour=False),
    "lung scc": ClassSettings("", "Squamous cell carcinoma", _BLUE, tumour=True),
    "colon aca": ClassSettings("", "Colon adenocarcinoma", tumour=True),
    "colon n": ClassSettings("", "Benign colon", tumour=False),
    "bengin cases": ClassSettings("", "Benign", tumour=False),
    "benign cases": ClassSettings("", "Benign", tumour=False),
    "malignant cases": ClassSettings("", "Malignant", tumour=True),
    "normal cases": ClassSettings("", "Normal", tumour=False),
    **{
        name: ClassSettings("", tumour=False)
        for name in (
            *("benign", "bengin", "normal", "healthy", "stroma"),
            *("non tumour", "non tumor", "no tumour", "no tumor", "nontumour", "nontumor"),
            *("non malignant", "non cancer", "not tumour", "not tumor"),
        )
    },
    **{
        name: ClassSettings("", tumour=True)
        for name in (
            *("tumour", "tumor", "cancer", "carcinoma", "malignant"),
            *("adenocarcinoma", "squamous cell carcinoma", "large cell carcinoma"),
            *("small cell carcinoma", "lung adenocarcinoma", "lung squamous cell carcinoma"),
        )
    },
}


def described(settings: Sequence[ClassSettings], folders: Sequence[str]) -> tuple[ClassWords, ...]:
    """Names, colours and tumour of the classes, in the order of ``folders``.

    Raises:
        UsageProblem: ``settings`` name a class that the data do not have.
    """
    stated_by = {item.folder: item for item in settings}
    strange = sorted(stated_by.keys() - set(folders))
    if strange:
        raise UsageProblem(
            f"The recipe describes the class {strange[0]!r}, but the data have the classes "
            f"{', '.join(folders)}: a class is named as its folder is."
        )
    merged = [_merged(stated_by.get(folder), _KNOWN.get(_plain(folder))) for folder in folders]
    taken = {item.color.upper() for item in merged}
    free = [color for color in PALETTE if color.upper() not in taken]
    found = []
    for index, (folder, item) in enumerate(zip(folders, merged, strict=True)):
        name = item.name or _spoken(folder)
        color = item.color or (free.pop(0) if free else PALETTE[index % len(PALETTE)])
        found.append(ClassWords(name, color, bool(item.tumour), item.tumour is not None))
    return tuple(found)


def unstated(words: Sequence[ClassWords]) -> str:
    """Which classes count as no tumour because nobody said; "" when all are stated."""
    names = [item.name for item in words if not item.stated]
    if not names:
        return ""
    text = f"It was not stated whether {_listed(names)} is tumour, so none of it counts as tumour"
    if any(item.tumour for item in words):
        return text + "."
    return text + ", and no answer looks for a small tumour in other tissue."


def cure(words: Sequence[ClassWords], folders: Sequence[str]) -> str:
    """How to say it, for the terminal."""
    first = next(f for f, item in zip(folders, words, strict=True) if not item.stated)
    key = first if re.fullmatch(r"[A-Za-z0-9_-]+", first) else f'"{first}"'
    return f"Say `[classes.{key}]` with `tumour = true` or `false` in the recipe, or by --set."


def settings_of(table: Mapping[str, Any]) -> tuple[ClassSettings, ...]:
    """The table ``[classes]`` of a recipe.

    Raises:
        ValueError, TypeError, AttributeError: it is no such table.
    """
    return tuple(ClassSettings(folder, **dict(values)) for folder, values in table.items())


def changed_settings(
    settings: tuple[ClassSettings, ...], path: Sequence[str], value: Any
) -> tuple[ClassSettings, ...]:
    """The settings with one more set: ``path`` is ``()``, ``(folder,)`` or ``(folder, key)``.

    Raises:
        ValueError, TypeError, AttributeError: there is no such setting.
    """
    if not path:
        return settings_of(value)
    folder, *keys = path
    earlier = {item.folder: item for item in settings}
    if not keys:
        (found,) = settings_of({folder: value})
    else:
        (key,) = keys
        found = replace(earlier.get(folder, ClassSettings(folder)), **{key: value})
    return tuple((earlier | {folder: found}).values())


def _spoken(folder: str) -> str:
    """A folder's name for people: capitals stay, as those of NSCLC."""
    name = folder.replace("_", " ")
    return name[:1].upper() + name[1:]


def _merged(stated_by: ClassSettings | None, known: ClassSettings | None) -> ClassSettings:
    stated_by, known = stated_by or ClassSettings(""), known or ClassSettings("")
    tumour = known.tumour if stated_by.tumour is None else stated_by.tumour
    return ClassSettings(
        stated_by.folder, stated_by.name or known.name, stated_by.color or known.color, tumour
    )


def _plain(folder: str) -> str:
    return " ".join(re.split(r"[\s_.\-]+", folder.strip().lower()))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
