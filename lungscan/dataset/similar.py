"""Pictures of the same tissue, found without being told: turned, mirrored, cropped, recompressed.

Three steps, each more exact and dearer than the one before: views of every picture
(``looks``), pairs worth a comparison (``candidates``), and for each such pair a guess at how one
lies over the other (``turning``) that is then fitted (``aligning``). Pairs that correlate well
enough are joined to groups. Why so, and how well it does: docs/decisions/0006-near-duplicates.md.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.candidates import candidate_pairs
from lungscan.dataset.descriptors import HalfArray, Looks, empty_looks, look
from lungscan.dataset.pixels import read_rgb
from lungscan.dataset.registration import alikeness
from lungscan.dataset.rotation import Guess, guess_turns
from lungscan.dataset.shared_layout import without_layout
from lungscan.dataset.significance import details, proof
from lungscan.dataset.union_find import Unions
from lungscan.types import FloatArray
from lungscan.workers import Workers, available_threads

SAME_TISSUE = 0.75  # the least correlation of two fitted pictures that show the same tissue

# Where the common layout of a set was taken away: enough with the layout, too. It finds copies in
# a set so poor that its few pictures are the layout.
_NEARLY_EQUAL = 0.985

_WORTH_FITTING = 0.28  # correlation of a first guess
_CHUNK = 128  # pairs
_AHEAD = 4  # chunks in flight; fixed, so that the pairs found do not depend on the cores

PairIndex = NDArray[np.int64]  # (m, 2)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, by row, that show the same tissue."""

    first: int
    second: int
    correlation: float  # after fitting; 1 for equal pictures


@dataclass(frozen=True, slots=True)
class Similar:
    """Near-duplicates among n pictures."""

    groups: tuple[str, ...]  # (n,) every picture has one, alone in it or not
    pairs: tuple[Pair, ...]  # enough to connect each group, not all that exist


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """``done`` of ``total`` pictures are read, or pairs tried roughly, or compared exactly."""

    step: Literal["reading", "trying", "comparing"]
    done: int
    total: int


Search = Generator[SearchProgress, None, Similar]


def find_similar(paths: Sequence[Path]) -> Similar:
    """Search as ``search`` does, without telling how far it is."""
    steps = search(paths)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Similar = end.value
            return found


def search(paths: Sequence[Path], limit: float = SAME_TISSUE) -> Search:
    """Find near-duplicates among pictures; the generator's value is a ``Similar``.

    ``limit`` is the least correlation of two fitted pictures that count as the same tissue; those
    with few details must reach more.
    Memory is some 21 kB a picture and does not grow with their size.

    Raises:
        UsageProblem: a picture cannot be decoded.
    """
    looks = empty_looks(len(paths))
    with Workers(available_threads()) as workers:
        yield from _read(paths, looks, workers)
        unions = Unions(len(paths))
        unions.join_equal(_fingerprints(looks))
        pairs = [Pair(*pair, 1.0) for pair in _joined_pairs(unions, len(paths))]
        candidates, guess = yield from _guess(looks, unions, workers)
        pairs += yield from _compare(looks, candidates, guess, unions, workers, limit)
    names = tuple(f"found-{number:05d}" for number in unions.numbers())
    return Similar(names, tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second))))


def _read(
    paths: Sequence[Path], looks: Looks, workers: Workers
) -> Generator[SearchProgress, None, None]:
    def read(row: int) -> None:
        look(read_rgb(paths[row]), looks, row)

    with workers.in_order(read, range(len(paths))) as done:
        for count, _ in enumerate(done, 1):
            if count % 64 == 0 or count == len(paths):
                yield SearchProgress("reading", count, len(paths))


def _fingerprints(looks: Looks) -> Iterator[bytes]:
    """Equal for equal pixels: a picture without structure has nothing to correlate."""
    for colour, polar in zip(looks.colour, looks.polar, strict=True):
        yield colour.tobytes() + polar.tobytes()


def _joined_pairs(unions: Unions, count: int) -> Iterator[tuple[int, int]]:
    return ((unions.find(row), row) for row in range(count) if unions.find(row) != row)


def _guess(
    looks: Looks, unions: Unions, workers: Workers
) -> Generator[SearchProgress, None, tuple[PairIndex, Guess]]:
    """The pairs worth fitting, likeliest first, and how they may lie over each other."""
    named = np.unique(np.concatenate([*candidate_pairs(looks), np.empty((0, 2), np.int64)]), axis=0)
    apart = np.array([not unions.together(one, two) for one, two in named.tolist()], np.bool_)
    pairs = named[apart]

    def guess(chunk: PairIndex) -> Guess:
        one, two = chunk.T
        turns = guess_turns(looks.polar[one], looks.polar[two])
        waves = guess_turns(looks.spectral[one], looks.spectral[two], spectral=True)
        score, matrix = zip((turns.score, turns.matrix), (waves.score, waves.matrix), strict=True)
        return Guess(np.concatenate(score, axis=1), np.concatenate(matrix, axis=1))

    parts: list[Guess] = []
    with workers.in_order(guess, _chunks(pairs)) as guesses:
        for part in guesses:
            parts.append(part)
            yield SearchProgress("trying", min(len(parts) * _CHUNK, len(pairs)), len(pairs))
    if not parts:
        return pairs, Guess(np.empty((0, 1), np.float32), np.empty((0, 1, 2, 3), np.float32))
    score = np.concatenate([part.score for part in parts])
    matrix = np.concatenate([part.matrix for part in parts])
    best = score.max(1)
    order = np.argsort(-best, kind="stable")
    order = order[best[order] > _WORTH_FITTING]
    return pairs[order], Guess(score[order], matrix[order])


def _chunks(pairs: PairIndex) -> Iterator[PairIndex]:
    return (pairs[begin : begin + _CHUNK] for begin in range(0, len(pairs), _CHUNK))


def _compare(
    looks: Looks,
    pairs: PairIndex,
    guess: Guess,
    unions: Unions,
    workers: Workers,
    limit: float,
) -> Generator[SearchProgress, None, list[Pair]]:
    """Fit the pairs that no earlier pair has joined already, and join those that are proven."""
    bare = without_layout(looks.fine)
    compared = looks.fine if bare is None else bare
    known = details(compared)

    def work(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], FloatArray]:
        some, starts = pairs[rows], Guess(guess.score[rows], guess.matrix[rows])
        enough = proof(known[some[:, 0]], known[some[:, 1]], limit)
        proven = _fit(compared, some, starts, enough)
        if bare is not None:
            whole = _fit(looks.fine, some, starts, np.full_like(enough, _NEARLY_EQUAL))
            proven = np.maximum(proven, whole)
        return rows, proven

    found: list[Pair] = []
    with workers.in_order(work, _open_rows(pairs, unions), ahead=_AHEAD) as results:
        for rows, proven in results:
            for row, correlation in zip(rows.tolist(), proven.tolist(), strict=True):
                one, two = pairs[row].tolist()
                if correlation and not unions.together(one, two):
                    unions.join(one, two)
                    found.append(Pair(one, two, correlation))
            if len(rows):
                yield SearchProgress("comparing", int(rows[-1]) + 1, len(pairs))
    return found


def _open_rows(pairs: PairIndex, unions: Unions) -> Iterator[NDArray[np.int64]]:
    """Rows of pairs not yet in one group, asked when their turn comes."""
    for begin in range(0, len(pairs), _CHUNK):
        chunk = pairs[begin : begin + _CHUNK].tolist()
        rows = [begin + k for k, (one, two) in enumerate(chunk) if not unions.together(one, two)]
        yield np.array(rows, np.int64)


def _fit(fine: HalfArray, pairs: PairIndex, starts: Guess, enough: FloatArray) -> FloatArray:
    """The correlation (b,) from the first start that gives more than ``enough``; 0 from none."""
    proven = np.zeros(len(pairs), np.float32)
    for start in range(starts.score.shape[1]):
        rest = np.flatnonzero((proven == 0) & (starts.score[:, start] > _WORTH_FITTING))
        if len(rest):
            one, two = fine[pairs[rest, 0]], fine[pairs[rest, 1]]
            fitted = alikeness(one, two, starts.matrix[rest, start])
            proven[rest] = np.where(fitted > enough[rest], fitted, 0)
    return proven
