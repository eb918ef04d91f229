"""How far stains of other laboratories lie from ours, and whether augmentation reaches them.

    python benchmarks/stain_ranges.py [--data DIR] [--recipes FILE ...] [--pictures N] [--sheet PNG]

Of each source of the shared data: the colours of haematoxylin and eosin (Macenko et al. 2009),
their strengths, optical densities and sharpness, 5th, 50th and 95th percentile over pictures. Then,
for the ``[augment]`` of each recipe: which share of each source's pictures lies between the 1st and
the 99th percentile of augmented pictures of ours, in every statistic at once and in the one that it
misses most. The other laboratories' pictures are measured and never trained on. ``--sheet`` writes
augmented pictures in rows, one recipe each, to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lungscan.training.augment import augment
from lungscan.training.options import Augment, load_options

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("lung-histology-mild", "lung-histology-ghostnet")
OWN = "lc25000-lung"
FIELD_PX, UM_PX = 224, 0.5  # of our fields
VIEW_PX, SPAN_PX = 160, (120, 224)  # of the network while it trains
TISSUE = 0.15  # optical density from which a pixel is stained (Macenko's beta)
OUTER = 1.0  # percentile of angles taken for a stain's own colour (Macenko's alpha)
LEAST_TISSUE = 0.1  # share of pixels; with less no stain can be told
NAMES = (
    *("haematoxylin red", "haematoxylin blue", "eosin red", "eosin blue"),
    *("haematoxylin strength", "eosin strength"),
    *("density red", "density green", "density blue", "palest density", "sharpness"),
)
Floats = NDArray[np.float64]


def statistics(picture: NDArray[np.uint8]) -> Floats | None:
    """The numbers of ``NAMES`` for an H&E picture (height, width, 3); None: hardly any tissue."""
    density = -np.log((picture.astype(np.float64) + 1) / 256)
    flat = density.reshape(-1, 3)
    palest = np.percentile(flat.mean(1), 2)
    stained = flat[(flat > TISSUE).all(1)]
    if len(stained) < LEAST_TISSUE * len(flat):
        return None
    _, vectors = np.linalg.eigh(np.cov(stained.T))
    plane = vectors[:, 2:0:-1] * np.sign(vectors[:, 2:0:-1].sum(0))
    seen = stained @ plane
    angles = np.percentile(np.arctan2(seen[:, 1], seen[:, 0]), [OUTER, 100 - OUTER])
    ends = [plane @ (np.cos(angle), np.sin(angle)) for angle in angles]
    blue, pink = sorted(ends, key=lambda vector: vector[1] - vector[0])  # more red light absorbed
    amounts = np.linalg.lstsq(np.stack([blue, pink], 1), stained.T, rcond=None)[0]
    strength = np.percentile(amounts, 99, axis=1)
    return np.array(
        [
            blue[0],
            blue[2],
            pink[0],
            pink[2],
            *strength,
            *stained.mean(0),
            palest,
            _sharpness(density),
        ]
    )


def _sharpness(density: Floats) -> float:
    """Energy of the finest differences by that of differences four pixels apart, logarithm."""
    grey = density.mean(2)
    fine = np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2)
    coarse = np.mean((grey[4:] - grey[:-4]) ** 2) + np.mean((grey[:, 4:] - grey[:, :-4]) ** 2)
    return float(np.log((fine + 1e-6) / (coarse + 1e-6)))


def view(path: Path, um_px: float) -> Image.Image:
    """The middle of a picture at our scale, as large as one of our fields."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    side = min(FIELD_PX * UM_PX / um_px, *picture.size)
    left, top = ((length - side) / 2 for length in picture.size)
    box = (left, top, left + side, top + side)
    return picture.resize((FIELD_PX, FIELD_PX), Image.Resampling.BICUBIC, box)


def sources(data: Path) -> dict[str, list[tuple[Path, float]]]:
    """H&E pictures of other laboratories with their scale, by source."""
    found: dict[str, list[tuple[Path, float]]] = {}
    for folder in ("external-lung", "foreign"):
        with (data / folder / "files.csv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                if row["label"] in {"ihc", "cytology", "blood_smear"}:  # other stains
                    continue
                um_px = float(row["um_px"] or UM_PX)
                found.setdefault(row["source"], []).append((data / folder / row["file"], um_px))
    return found


def measured(pictures: Sequence[Image.Image]) -> Floats:
    """Statistics of the pictures with enough tissue, as the network would see them."""
    small = (np.asarray(picture.resize((VIEW_PX, VIEW_PX))) for picture in pictures)
    return np.array([found for found in map(statistics, small) if found is not None])


@dataclass(frozen=True)
class Cloud:
    """What an augmentation makes of our pictures."""

    values: Floats
    milliseconds: float  # of CPU time for one picture

    def inside(self, others: Floats) -> NDArray[np.bool_]:
        """Which statistics of other pictures lie between the 1st and the 99th percentile."""
        low, high = np.percentile(self.values, [1, 99], axis=0)
        return (others >= low) & (others <= high)


def augmented(fields: NDArray[np.uint8], how: Augment, rounds: int = 2) -> Iterator[torch.Tensor]:
    """Batches of augmented fields, uint8 (b, side, side, 3)."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(rounds):
        for part in torch.from_numpy(fields).split(128):
            made = augment(part, VIEW_PX, SPAN_PX, how, generator)
            yield made.permute(0, 2, 3, 1).round().to(torch.uint8)


def cloud(fields: NDArray[np.uint8], how: Augment) -> Cloud:
    """Augment our fields twice and measure them."""
    started = time.process_time()
    made = torch.cat(list(augmented(fields, how))).numpy()
    spent = time.process_time() - started
    found = [statistics(picture) for picture in made]
    values = np.array([item for item in found if item is not None])
    return Cloud(values, 1000 * spent / len(made))


def print_ranges(groups: Mapping[str, Floats]) -> None:
    """One line per source: 5th, 50th and 95th percentile of each statistic."""
    print("| source | pictures | " + " | ".join(NAMES) + " |")
    print("|---|---:|" + "---|" * len(NAMES))
    for name, values in groups.items():
        bounds = np.percentile(values, [5, 50, 95], axis=0).T
        cells = (" ".join(f"{number:.2f}" for number in row) for row in bounds)
        print(f"| {name} | {len(values)} | " + " | ".join(cells) + " |")


def print_reach(clouds: Mapping[str, Cloud], groups: Mapping[str, Floats]) -> None:
    """One line per source: the share inside each cloud, and what is missed most."""
    print("\n| source | pictures | " + " | ".join(clouds) + " |")
    print("|---|---:|" + "---|" * len(clouds))
    for name, values in groups.items():
        cells = []
        for made in clouds.values():
            inside = made.inside(values)
            worst = int(inside.mean(0).argmin())
            cells.append(
                f"{100 * inside.all(1).mean():.0f} % "
                f"({NAMES[worst]} {100 * inside[:, worst].mean():.0f} %)"
            )
        print(f"| {name} | {len(values)} | " + " | ".join(cells) + " |")
    times = ", ".join(f"{name} {made.milliseconds:.1f} ms" for name, made in clouds.items())
    print(f"\nCPU time of one picture of {VIEW_PX} px, batches of 128: {times}.")


def write_sheet(path: Path, fields: NDArray[np.uint8], settings: Mapping[str, Augment]) -> None:
    """Two rows of 12 augmented pictures per recipe, below one row of them as they are."""
    chosen = fields[:: max(1, len(fields) // 24)][:24]
    whole = [Image.fromarray(field).resize((VIEW_PX, VIEW_PX)) for field in chosen[:12]]
    rows = [np.hstack([np.asarray(picture) for picture in whole])]
    for how in settings.values():
        made = torch.cat(list(augmented(chosen, how, 1))).numpy()
        rows += [np.hstack(list(made[:12])), np.hstack(list(made[12:24]))]
    Image.fromarray(np.vstack(rows)).save(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="names or TOML files")
    parser.add_argument("--pictures", type=int, default=400, help="of ours to augment")
    parser.add_argument("--sheet", type=Path, help="also write augmented pictures (PNG)")
    given = parser.parse_args()
    files = (
        path if (path := Path(name)).exists() else ROOT / "models" / "recipes" / f"{name}.toml"
        for name in given.recipes
    )
    settings = {path.stem: load_options(path).augment for path in files}
    ours = sorted((given.data / OWN).rglob("*.jpeg"))
    own = [view(path, UM_PX) for path in ours[:: max(1, len(ours) // given.pictures)]]
    groups = {OWN: measured(own)}
    for name, files_of in sources(given.data).items():
        groups[name] = measured([view(*item) for item in files_of])
    print_ranges(groups)
    fields = np.stack([np.asarray(picture) for picture in own])
    print_reach({name: cloud(fields, how) for name, how in settings.items()}, groups)
    if given.sheet:
        write_sheet(given.sheet, fields, settings)


if __name__ == "__main__":
    main()
