"""How often LungScan answers, and how often it refuses what it cannot know.

    python benchmarks/answers.py [--data DIR] [--slides DIR] [--model NAME] [--json FILE]

Runs the front door (``lungscan.scan``) over lung fields of the test groups and over pictures that
are no lung H&E, none of them seen in training, and prints a table. The drawings here are made by
another generator than the counter-examples of training. Needs the shared data and scikit-image
(extra ``dev``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lungscan.cards import ModelCard, find_model
from lungscan.dataset.listing import read_listing
from lungscan.dataset.splits import split_by_group
from lungscan.events import CaseFinished
from lungscan.options import ScanOptions
from lungscan.scan import scan
from lungscan.types import CaseResult, NoResult

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = (
    *("astronaut", "brick", "camera", "cat", "cell", "checkerboard", "chelsea", "clock", "coffee"),
    *("coins", "colorwheel", "grass", "gravel", "horse", "hubble_deep_field"),
    *("immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket"),
    *("shepp_logan_phantom", "text"),
)


@dataclass(frozen=True)
class Row:
    """One kind of input and how its cases ended."""

    kind: str
    cases: int
    answered: int
    right: int | None  # None where there is no right answer
    reasons: dict[str, int]

    @property
    def refused(self) -> int:
        """Cases without a label."""
        return self.cases - self.answered


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if total == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * ((share * (1 - share) + z * z / (4 * total)) / total) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def classify(paths: list[Path], model: str, out: Path) -> list[CaseResult]:
    """Every finished case of one run."""
    options = ScanOptions(tuple(paths), out, model=model, pdf="none", fresh=True)
    return [event.result for event in scan(options) if isinstance(event, CaseFinished)]


def row(kind: str, results: list[CaseResult], truth: dict[str, str] | None) -> Row:
    """Count how the cases of one kind ended; ``truth`` gives the label of each file name."""
    reasons: Counter[str] = Counter()
    answered = right = 0
    for result in results:
        prediction = result.prediction
        if prediction is None:
            reasons[result.error_code] += 1
        elif prediction.label is None:
            reasons[(prediction.reason or NoResult.UNCERTAIN).value] += 1
        else:
            answered += 1
            name = Path(result.relative_paths[0]).name
            right += truth is not None and prediction.label == truth[name]
    return Row(kind, len(results), answered, None if truth is None else right, dict(reasons))


def unseen(folder: Path, card: ModelCard) -> list[Path]:
    """Pictures of a data folder's test groups, dealt by the card's seed and shares.

    Neither the weights nor any limit was fitted on them.
    """
    samples = read_listing(folder, check=False).samples()
    split = split_by_group(samples, tuple(card.recipe["split"]), card.seed)
    return [samples.paths[i] for i in np.sort(split.test)]


def sample_pictures(folder: Path) -> list[Path]:
    """scikit-image's sample pictures, those that come with it."""
    from skimage import data

    for name in SAMPLES:
        try:
            picture = np.asarray(getattr(data, name)())
        except (OSError, AttributeError, ModuleNotFoundError, ValueError):
            continue  # kept on a server, not in the package
        if picture.dtype != np.uint8:
            picture = (255 * (picture / max(float(picture.max()), 1e-9))).astype(np.uint8)
        if picture.ndim == 2 or picture.shape[2] in (3, 4):
            Image.fromarray(picture).save(folder / f"{name}.png")
    return sorted(folder.glob("*.png"))


def _letters(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    for line in range(0, side, 14):
        word = "".join(chr(int(c)) for c in rng.integers(33, 126, side // 7))
        pen.text((4, line), word, fill=(20, 20, 20))


def _houses(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    pen.rectangle((0, side * 2 // 3, side, side), fill=(70, 140, 60))
    for x in range(10, side - 40, 60):
        top = int(rng.integers(side // 4, side // 2))
        pen.rectangle((x, top, x + 40, side * 3 // 4), fill=(180, 90, 70), outline=(40, 20, 20))
        pen.polygon([(x - 6, top), (x + 20, top - 25), (x + 46, top)], fill=(120, 40, 40))


def _rings(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    color = tuple(int(v) for v in rng.integers(40, 220, 3))
    for radius in range(int(rng.integers(4, 12)), side, int(rng.integers(8, 24))):
        c = side // 2
        pen.ellipse((c - radius, c - radius, c + radius, c + radius), outline=color, width=3)


def _pie(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    start = 0.0
    for share in rng.dirichlet(np.ones(6)) * 360:
        color = tuple(int(v) for v in rng.integers(0, 255, 3))
        pen.pieslice((20, 20, side - 20, side - 20), start, start + share, fill=color)
        start += float(share)


def drawings(folder: Path, count: int = 60, side: int = 224) -> list[Path]:
    """Letters, houses, rings and pies in changing colours."""
    rng = np.random.default_rng(2026)
    for index in range(count):
        ground = tuple(int(v) for v in rng.integers(150, 256, 3))
        picture = Image.new("RGB", (side, side), ground)
        (_letters, _houses, _rings, _pie)[index % 4](rng, ImageDraw.Draw(picture), side)
        picture.save(folder / f"drawing-{index:03}.png")
    return sorted(folder.glob("*.png"))


def noises(folder: Path, count: int = 60, side: int = 224) -> list[Path]:
    """White, coarse, coloured, grey and salt-and-pepper noise."""
    rng = np.random.default_rng(2027)
    for index in range(count):
        grain = (1, 2, 7, 28, 56)[index % 5]
        mean, spread = rng.uniform(60, 200), rng.uniform(20, 80)
        cells = rng.normal(mean, spread, (side // grain, side // grain, 3))
        if index % 3 == 0:
            cells[:] = cells[..., :1]
        cells = np.kron(np.clip(cells, 0, 255), np.ones((grain, grain, 1)))
        Image.fromarray(cells.astype(np.uint8)).save(folder / f"noise-{index:03}.png")
    return sorted(folder.glob("*.png"))


def blanks(folder: Path, side: int = 224) -> list[Path]:
    """Plain pictures with a little camera noise: glass, black, grey, eosin pink, blue."""
    rng = np.random.default_rng(2028)
    colors = [(255,) * 3, (244, 243, 245), (0,) * 3, (128,) * 3, (235, 180, 205), (150, 110, 180)]
    colors += [(60, 90, 200), (230, 225, 200)]
    for index, color in enumerate(color for color in colors for _ in range(5)):
        noise = rng.normal(0, (index % 5) * 1.5, (side, side, 3))
        Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(
            folder / f"blank-{index:03}.png"
        )
    return sorted(folder.glob("*.png"))


def kinds(
    data: Path, slides: Path, card: ModelCard, scratch: Path
) -> Iterator[tuple[str, list[Path]]]:
    """Every kind of input with its pictures."""
    yield "lung, test groups", unseen(data / "lc25000-lung", card)
    if (data / "iq-oth-nccd").is_dir():
        yield "chest CT, test groups", unseen(data / "iq-oth-nccd", card)
    makers = {
        "scikit-image samples": sample_pictures,
        "drawings": drawings,
        "noise": noises,
        "blank": blanks,
    }
    for name, make in makers.items():
        folder = scratch / name.replace(" ", "-")
        folder.mkdir()
        yield name, make(folder)
    if (data / "lc25000-colon").is_dir():
        yield "colon, test groups", unseen(data / "lc25000-colon", card)
    skin = slides / "cmu-1-small-region.svs"
    if skin.is_file():
        yield "skin slide (CMU), never trained on", [skin]
    lung = slides / "luna-1065626-jp2k.svs"
    if lung.is_file():
        yield "pale lung slide (luna)", [lung]


def show(rows: list[Row], foreign: tuple[str, ...]) -> str:
    """The table, and the sum over all that is not lung H&E and no other organ."""
    lines = ["| input | cases | answered | refused (95 % CI) | right of answered | why refused |"]
    lines.append("|---|---:|---:|---|---:|---|")
    chosen = [r for r in rows if r.kind in foreign]
    reasons: Counter[str] = Counter()
    for r in chosen:
        reasons.update(r.reasons)
    total = Row(
        "**all that is no tissue**",
        sum(r.cases for r in chosen),
        sum(r.answered for r in chosen),
        None,
        dict(reasons),
    )
    for r in [*rows, total]:
        low, high = wilson(r.refused, r.cases)
        share = f"{r.refused / max(1, r.cases):.1%} ({low:.1%} to {high:.1%})"
        right = "" if r.right is None else f"{r.right / max(1, r.answered):.1%}"
        why = ", ".join(f"{name} {n}" for name, n in sorted(r.reasons.items(), key=lambda i: -i[1]))
        lines.append(f"| {r.kind} | {r.cases} | {r.answered} | {share} | {right} | {why} |")
    return "\n".join(lines)


def main() -> None:
    """Run every kind and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--slides", type=Path, default=ROOT.parent / "shared" / "slides")
    parser.add_argument("--model", default="lung-histology")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not (given.data / "lc25000-lung").is_dir():
        raise SystemExit(f"{given.data} has no folder lc25000-lung; name the data with --data.")
    card = find_model(given.model)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind, paths in kinds(given.data, given.slides, card, Path(scratch)):
            results = classify(paths, given.model, Path(scratch) / "out")
            labels = {path.name: path.parent.name for path in paths}
            known = kind.startswith("lung, ")
            rows.append(row(kind, results, labels if known else None))
    no_tissue = ("chest CT, test groups", "scikit-image samples", "drawings", "noise", "blank")
    print(f"Model {card.name} {card.version}, SHA-256 {card.sha256[:12]}\n")
    print(show(rows, no_tissue))
    if given.json:
        given.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
