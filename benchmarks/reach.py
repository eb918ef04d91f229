"""How far from its training's look a model may judge, and what it makes of fields out there.

    python benchmarks/reach.py [MODEL] [--data DIR] [--out DIR] [--views 4] [--json FILE]

Own fields that neither weights nor limits were fitted on are stained and scanned anew as the recipe
augments. By their distance in colours and sharpness (in units of the limit beyond which a case is
flagged): how many there are, how many are sure enough to be answered, and how many of these answers
are right. ``--out`` writes the model with its reach drawn in to where 95 % of the answers beyond
the first limit are right, as `lungscan train` does; `packaging/ship_model.py DIR` then ships it.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from answers import OWN, folder_kind
from numpy.typing import NDArray

from lungscan.dataset.pixels import load_squares
from lungscan.model.appearance import Appearance, statistics
from lungscan.model.card import CARD, NOVELTY, README, ModelCard, write_card
from lungscan.model.checked import find_model, read_card
from lungscan.model.folder import write_novelty
from lungscan.model.novelty import Novelty, load_novelty
from lungscan.runtimes import load_runtime
from lungscan.training.augment import views
from lungscan.training.calibrate import LUNG_SHARE, trusted_reach
from lungscan.training.options import Augment
from lungscan.workers import available_threads

ROOT = Path(__file__).resolve().parents[1]
EDGES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, np.inf)


@dataclass(frozen=True)
class Seen:
    """Changed fields and what the model says of them."""

    distances: NDArray[np.float64]  # (n,) in deviations
    given: NDArray[np.bool_]  # (n,) sure enough, and no more novel than the model allows
    right: NDArray[np.bool_]  # (n,)


def changed_fields(card: ModelCard, data: Path, count: int) -> Seen:
    """Ask the model of its own unseen fields, each changed ``count`` times."""
    kind = folder_kind(data / card.recipe["data"], "own", OWN, card)
    side = card.patch_size_pixels
    squares, left_out = load_squares([field.path for field in kind.fields], card, side)
    kept = [field for row, field in enumerate(kind.fields) if row not in left_out]
    names = [card.class_names.index(field.label) for field in kept]
    labels = np.repeat(np.repeat(names, squares.counts), count)
    pixels = views(np.repeat(squares.pixels, count, 0), augment_of(card), seed=3)
    runtime = load_runtime(card, "cpu-fp32", available_threads())
    size = runtime.batch_size
    outputs = [runtime.predict(pixels[at : at + size]) for at in range(0, len(pixels), size)]
    probs = np.concatenate([one for one, _ in outputs])
    novelty = load_novelty(card.folder / NOVELTY)
    novel = novelty.score(np.concatenate([features for _, features in outputs])) > 1
    return Seen(
        appearance_of(novelty, card).distance(statistics(pixels)),
        (probs.max(1) >= card.confidence_threshold) & ~novel,
        probs.argmax(1) == labels,
    )


def augment_of(card: ModelCard) -> Augment:
    """How the recipe changes pictures."""
    told = {
        key: tuple(v) if isinstance(v, list) else v for key, v in card.recipe["augment"].items()
    }
    return Augment(**told)


def appearance_of(novelty: Novelty, card: ModelCard) -> Appearance:
    """What tells stains apart. Raises SystemExit for a model that does not."""
    if novelty.appearance is None:
        raise SystemExit(f"{card.name} does not tell other stains from other tissue.")
    return novelty.appearance


def refitted(appearance: Appearance, seen: Seen) -> Appearance:
    """The reach anew: first as far as the training went, then as far as the answers hold."""
    far = max(float(appearance.limits[0]), float(np.quantile(seen.distances, LUNG_SHARE)))
    wide = dataclasses.replace(appearance, limits=np.array([appearance.limits[0], far], np.float32))
    return trusted_reach(seen.distances[seen.given], seen.right[seen.given], wide)


def table(seen: Seen, near: float) -> str:
    """Fields by distance."""
    lines = ["| distance | fields | answered | right of the answered |", "|---|---:|---:|---:|"]
    for low, high in itertools.pairwise(EDGES):
        rows = (seen.distances >= low * near) & (seen.distances < high * near)
        given = rows & seen.given
        told = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
        cells = [told, str(rows.sum()), share(given.sum(), rows.sum())]
        lines.append(f"| {' | '.join([*cells, share((given & seen.right).sum(), given.sum())])} |")
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    """A share in per cent; nothing of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def write(card: ModelCard, appearance: Appearance, out: Path) -> ModelCard:
    """Write the model to ``out`` with another reach; everything else stays."""
    out.mkdir(parents=True)
    for path in card.folder.iterdir():
        if path.is_file():
            shutil.copyfile(path, out / path.name)
    novelty = load_novelty(card.folder / NOVELTY)
    write_novelty(out, dataclasses.replace(novelty, appearance=appearance))
    write_card(dataclasses.replace(card, appearance_limit=appearance.reach), out)
    return read_card(out)


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="lung-histology")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, help="a folder that is made")
    parser.add_argument("--views", type=int, default=4, help="of each field")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    card = find_model(given.model)
    known = appearance_of(load_novelty(card.folder / NOVELTY), card)
    seen = changed_fields(card, given.data, given.views)
    found = refitted(known, seen)
    print(f"Model {card.name} {card.version}, SHA-256 {card.sha256[:12]}\n")
    print(table(seen, float(known.limits[0])))
    print(f"\nReach: {known.reach:.2f} as it is, {found.reach:.2f} by these fields.")
    if given.json:
        values = {"before": known.reach, "after": found.reach, "fields": len(seen.distances)}
        given.json.write_text(json.dumps(values) + "\n")
    if given.out:
        made = write(card, found, given.out)
        print(f"Written to {given.out.name}, {CARD} and {README}: SHA-256 {made.sha256[:12]}.")


if __name__ == "__main__":
    main()
