"""How well near-duplicates are found without being told, against the tables of groups.

    python benchmarks/duplicates.py [--data DIR] [--sets NAME ...] [--limits 0.6 0.75 ...]
                                    [--changed N]

For each data folder below DIR that has a ``groups.csv``: precision and recall over pairs of
pictures of one class. The limit was chosen on one half of the groups ("fit"); "held out" is the
other half, and "all" counts the pairs between the halves, too. Then N pictures of the colon set are
turned, mirrored, cropped and recompressed, and counted is how many join their original.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageOps

from lungscan.dataset.audit import Agreement, agreement
from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.similar import SAME_TISSUE, Similar, search

ROOT = Path(__file__).resolve().parents[1]
SETS = ("lc25000-lung", "lc25000-colon", "iq-oth-nccd")


@dataclass(frozen=True)
class Timed:
    """A search and what it took."""

    similar: Similar
    wall_s: float
    cpu_s: float


def timed_search(paths: Sequence[Path], limit: float) -> Timed:
    """Search without showing how far it is."""
    wall, cpu = time.perf_counter(), time.process_time()
    steps = search(paths, limit)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return Timed(end.value, time.perf_counter() - wall, time.process_time() - cpu)


def half_of(group: str) -> str:
    """Whether a given group was used to choose the limit."""
    return "held out" if sha256(group.encode()).digest()[-1] % 2 else "fit"


def agreements(listing: Listing, found: Sequence[str]) -> Iterator[tuple[str, Agreement]]:
    """Agreement in each half, and over all."""
    given, labels = listing.groups or (), listing.labels.tolist()
    for part in ("fit", "held out", "all"):
        rows = [row for row, group in enumerate(given) if part in {"all", half_of(group)}]
        yield part, agreement(*([column[row] for row in rows] for column in (found, given, labels)))


def percent(share: float | None) -> str:
    """A share, where there is one."""
    return "–" if share is None else f"{share:.2%}"


def report_set(folder: Path, limits: Sequence[float]) -> None:
    """Print the lines of one data folder."""
    listing = read_listing(folder, check=False)
    for limit in limits:
        done = timed_search(listing.paths, limit)
        groups = done.similar.groups
        largest = max(groups.count(group) for group in set(groups))
        for part, result in agreements(listing, groups):
            print(
                f"| {folder.name} | {limit:.2f} | {part} | {result.given:,} | {result.found:,} "
                f"| {percent(result.precision)} | {percent(result.recall)} |",
                flush=True,
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\n{len(groups):,} pictures: {len(set(groups)):,} found groups for "
            f"{len(set(listing.groups or ())):,} given ones, the largest of {largest}; "
            f"{done.wall_s:.0f} s on the clock, {done.cpu_s:.0f} s of CPU, peak memory so far "
            f"{peak:.0f} MB.\n",
            flush=True,
        )


Change = Callable[[Image.Image], Image.Image]


def turned(angle: float) -> Change:
    """Turn about the centre; the corners that come from outside are black."""
    return lambda picture: picture.rotate(angle, Image.Resampling.BICUBIC)


def cropped(picture: Image.Image) -> Image.Image:
    """Nine tenths of each side, from the upper left corner, in the old size again."""
    width, height = picture.size
    part = picture.crop((0, 0, width * 9 // 10, height * 9 // 10))
    return part.resize(picture.size, Image.Resampling.BICUBIC)


def recompressed(picture: Image.Image) -> Image.Image:
    """JPEG of quality 50."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=50)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


CHANGES: dict[str, Change] = {
    "turned by 37 degrees": turned(37),
    "turned by 90 degrees": turned(90),
    "turned by 141 degrees": turned(141),
    "mirrored and turned by 200": lambda picture: turned(200)(ImageOps.mirror(picture)),
    "cropped to 90 % at a corner": cropped,
    "cropped so and turned by 75": lambda picture: turned(75)(cropped(picture)),
    "JPEG of quality 50": recompressed,
}


def report_changes(folder: Path, count: int, limit: float) -> None:
    """Print how many changed pictures join their original."""
    listing = read_listing(folder, check=False)
    step = max(1, len(listing.names) // count)
    originals = list(range(0, len(listing.names), step))[:count]
    with tempfile.TemporaryDirectory() as place:
        paths = list(listing.paths)
        for number, change in enumerate(CHANGES.values()):
            for row in originals:
                with Image.open(listing.paths[row]) as picture:
                    changed = change(picture.convert("RGB"))
                paths.append(Path(place) / f"{number}-{row}.png")
                changed.save(paths[-1])
        groups = timed_search(paths, limit).similar.groups
    print(f"| change, {len(originals)} pictures among {len(paths)} | join their original |")
    print("|---|---:|")
    begin = len(listing.names)
    for number, name in enumerate(CHANGES):
        after = groups[begin + number * len(originals) :]
        hits = sum(groups[row] == after[k] for k, row in enumerate(originals))
        print(f"| {name} | {hits / len(originals):.1%} |")
    mixed = len(originals) - len({groups[row] for row in originals})
    print(f"\nOriginals that were joined with another one: {mixed}.\n", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--limits", nargs="+", type=float, default=[SAME_TISSUE])
    parser.add_argument("--changed", type=int, default=40)
    chosen = parser.parse_args()
    head = "| data | limit | groups | given pairs | found pairs | precision | recall |"
    print(head + "\n|---|---:|---|---:|---:|---:|---:|")
    for name in chosen.sets:
        report_set(chosen.data / name, chosen.limits)
    if chosen.changed and (chosen.data / "lc25000-colon").is_dir():
        report_changes(chosen.data / "lc25000-colon", chosen.changed, chosen.limits[0])


if __name__ == "__main__":
    main()
