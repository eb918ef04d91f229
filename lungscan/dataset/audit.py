"""Look at a data folder as a whole: what it holds, what is broken, and what stands there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from lungscan.dataset.listing import Listing
from lungscan.dataset.similar import Pair, SearchProgress, Similar, search


@dataclass(frozen=True, slots=True)
class Agreement:
    """How found groups compare with given ones, over pairs of pictures of one class."""

    found: int  # pairs that share a found group
    given: int  # pairs that share a given group
    both: int

    @property
    def precision(self) -> float | None:
        """Share of the found pairs that are given; None when nothing was found."""
        return self.both / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Share of the given pairs that were found; None when none are given."""
        return self.both / self.given if self.given else None


@dataclass(frozen=True, slots=True)
class MixedGroup:
    """A group whose pictures have different labels: at least one of them is wrong."""

    group: str
    rows: tuple[int, ...]  # of the listing


@dataclass(frozen=True)
class Audit:
    """Everything that an audit report says."""

    listing: Listing
    similar: Similar
    equal_files: tuple[tuple[int, ...], ...]  # rows of files with the same bytes
    mixed: tuple[MixedGroup, ...]  # found groups with several labels
    mixed_given: tuple[MixedGroup, ...]  # the same for given groups
    agreement: Agreement | None  # None when no groups were given

    @property
    def found_groups(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each found group of two pictures or more, the largest first."""
        groups = [rows for rows in rows_by(self.similar.groups).values() if len(rows) > 1]
        return tuple(sorted(groups, key=lambda rows: (-len(rows), rows)))

    @property
    def crossing(self) -> tuple[Pair, ...]:
        """Verified pairs of one tissue with two labels."""
        labels = self.listing.labels
        return tuple(p for p in self.similar.pairs if labels[p.first] != labels[p.second])

    @property
    def unexpected(self) -> tuple[Pair, ...]:
        """Verified pairs of one class that stand in two given groups: would leak all the same."""
        given, labels = self.listing.groups, self.listing.labels
        if given is None:
            return ()
        return tuple(
            pair
            for pair in self.similar.pairs
            if given[pair.first] != given[pair.second] and labels[pair.first] == labels[pair.second]
        )


def audit(listing: Listing) -> Generator[SearchProgress, None, Audit]:
    """Search a checked listing for near-duplicates; the generator's value is an ``Audit``."""
    similar = yield from search(listing.paths)
    labels = listing.labels.tolist()
    given = listing.groups
    return Audit(
        listing=listing,
        similar=similar,
        equal_files=tuple(
            rows for rows in rows_by(listing.digests or ()).values() if len(rows) > 1
        ),
        mixed=mixed_groups(similar.groups, labels),
        mixed_given=mixed_groups(given, labels) if given else (),
        agreement=agreement(similar.groups, given, labels) if given else None,
    )


def rows_by(keys: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The rows of each key, in order."""
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return {key: tuple(found) for key, found in rows.items()}


def mixed_groups(groups: Sequence[str], labels: Sequence[int]) -> tuple[MixedGroup, ...]:
    """The groups that hold several labels."""
    return tuple(
        MixedGroup(group, rows)
        for group, rows in rows_by(groups).items()
        if len({labels[row] for row in rows}) > 1
    )


def agreement(found: Sequence[str], given: Sequence[str], labels: Sequence[int]) -> Agreement:
    """Count the pairs of one class that share a found group, a given group, or both."""
    return Agreement(
        found=_pairs(zip(labels, found, strict=True)),
        given=_pairs(zip(labels, given, strict=True)),
        both=_pairs(zip(labels, found, given, strict=True)),
    )


def _pairs(keys: Iterable[tuple[object, ...]]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(keys).values())
