"""What an audit report says, in words and in an order that HTML and PDF share."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lungscan.dataset.audit import Agreement, Audit
from lungscan.dataset.pixels import read_rgb
from lungscan.dataset.similar import SAME_TISSUE, Pair
from lungscan.inputs import show
from lungscan.model.shares import percent

THUMBNAIL_PX = 160
MOST_PAIRS = 24  # pictures of so many in each gallery; the text gives all counts
MOST_NAMES = 50

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pairs to be looked at, and why."""

    title: str
    about: str
    pairs: tuple[Pair, ...]


def headline_facts(audit: Audit) -> Facts:
    """The audit in a few lines: what, how much, and what to worry about."""
    listing, groups = audit.listing, audit.found_groups
    broken = sum(item.broken for item in listing.skipped)
    facts = [
        ("Pictures", f"{len(listing.names):,} in {len(listing.class_names)} classes"),
        ("Sizes", sizes(listing.sizes or ())),
        ("Broken pictures", f"{broken:,}"),
        ("Other files left out", f"{len(listing.skipped) - broken:,}"),
        ("Equal files", _equal(audit.equal_files)),
        ("Near-duplicates", _duplicates(groups, len(listing.names))),
        ("Labels differ between duplicates", _mixed(len(audit.mixed), "found")),
    ]
    if audit.agreement and listing.groups is not None:
        facts += [
            ("Groups given", f"{len(set(listing.groups)):,}"),
            ("Given groups with several labels", _mixed(len(audit.mixed_given), "given")),
            ("Found against given", agreement_line(audit.agreement)),
        ]
    return facts


def class_rows(audit: Audit) -> list[tuple[str, str, str]]:
    """Class, pictures, and how many tissues they show (found groups, singles included)."""
    listing = audit.listing
    pictures = Counter(listing.label_names)
    tissues = Counter(
        label for label, _ in set(zip(listing.label_names, audit.similar.groups, strict=True))
    )
    return [
        (show(name), f"{pictures[name]:,}", f"{tissues[name]:,}") for name in listing.class_names
    ]


def galleries(audit: Audit) -> list[Gallery]:
    """The pairs worth looking at, the gravest first; empty galleries are left out."""
    ordered = sorted(audit.similar.pairs, key=lambda pair: pair.correlation)
    candidates = (
        Gallery(
            "Labels differ between duplicates",
            "The same tissue with two labels: at least one is wrong.",
            audit.crossing,
        ),
        Gallery(
            "Found, but in two given groups",
            "The same tissue in two groups of groups.csv: a split by those groups leaks here.",
            audit.unexpected,
        ),
        Gallery(
            "Least alike",
            "The pairs nearest to the limit, for a judgement whether the limit suits these data. "
            f"Above a correlation of {SAME_TISSUE:.2f} two pictures count as the same tissue; "
            "pictures with few details must reach more.",
            tuple(ordered[: MOST_PAIRS // 2]),
        ),
        Gallery(
            "Most alike",
            "Nearly or exactly the same picture.",
            tuple(ordered[::-1][: MOST_PAIRS // 2]),
        ),
    )
    return [gallery for gallery in candidates if gallery.pairs]


def agreement_line(agreement: Agreement) -> str:
    """Precision and recall in a sentence."""
    precision = f"{_percent(agreement.precision)} of {_count(agreement.found, 'found pair')} given"
    recall = f"{_percent(agreement.recall)} of {_count(agreement.given, 'given pair')} found"
    return f"precision: {precision}; recall: {recall} (pairs within a class)"


def sizes(found: Sequence[tuple[int, int]]) -> str:
    """The commonest sizes in pixels."""
    counts = Counter(found).most_common()
    sizes = [f"{width} × {height} px ({count:,})" for (width, height), count in counts[:3]]
    if len(counts) > 3:
        sizes.append(f"{len(counts) - 3:,} other sizes")
    return ", ".join(sizes)


def thumbnail(path: Path) -> bytes:
    """A small JPEG of a picture."""
    picture = Image.fromarray(read_rgb(path))
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _percent(share: float | None) -> str:
    return "not defined" if share is None else percent(share)


def _equal(files: Sequence[Sequence[int]]) -> str:
    if not files:
        return "none"
    return f"{sum(map(len, files)):,} files with {_count(len(files), 'content')}"


def _duplicates(groups: Sequence[Sequence[int]], pictures: int) -> str:
    if not groups:
        return "none found"
    inside = sum(map(len, groups))
    single = pictures - inside
    return (
        f"{_count(inside, 'picture')} in {_count(len(groups), 'group')}, the largest of "
        f"{len(groups[0]):,}; {_count(single, 'picture')} alone"
    )


def _mixed(count: int, kind: str) -> str:
    return "none" if count == 0 else _count(count, f"{kind} group")


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"
