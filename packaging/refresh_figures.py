"""Write anew each figure in README and docs that depends on the shipped model's weights.

    python packaging/refresh_figures.py                     what the card says: seconds
    python packaging/refresh_figures.py card results --run RUN
    python packaging/refresh_figures.py all --run RUN [--data DIR] [--slides DIR]
    python packaging/refresh_figures.py results answers adapted --model NAME --run RUN

Such figures stand between ``<!-- figures NAME -->`` and ``<!-- /figures -->``; nothing else of a
page is touched. RUN is the folder that ``lungscan train`` wrote, with its evaluation and its folds;
the shipped model holds neither. Of a model that is not the default only results, answers
and what adapting gains stand in the docs. The parts and what prints them:

    card       the models' cards                        README, models, figures
    results    benchmarks/results.py RUN                results (studies and other models stay)
    answers    benchmarks/answers.py [--folds RUN/folds]  answers
    adapted    benchmarks/adapting.py                   README, answers, own-slides, training
    explained  benchmarks/explaining.py                 explanation
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lungscan
from lungscan.model.card import Metric, ModelCard
from lungscan.options import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
PARTS = ("card", "results", "answers", "adapted", "explained")
QUALITY = (
    ("accuracy", "all fields, one class each"),
    ("accuracy at 95 % answered", "the most certain 95 %"),
    ("answered", "fields answered"),
    ("accuracy of the answered", "right of the answered"),
    ("expected calibration error", "calibration error"),
)
WSSS, STAS = "wsss4luad", "stas_luad_taiwan"


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between a page's marks ``name``.

    Raises:
        SystemExit: the page has no such marks.
    """
    whole = page.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- figures {name} -->\n).*?(\n<!-- /figures -->)", re.DOTALL)
    changed, found = mark.subn(lambda match: match[1] + text.strip() + match[2], whole)
    if found != 1:
        raise SystemExit(f"{page.name} has {found} places for the figures {name}, not one.")
    page.write_text(changed, encoding="utf-8")


def judged_by(card: ModelCard) -> str:
    """By what the figures of a card were measured: ``five folds``, or one of them."""
    folds, fold = card.recipe.get("folds", 0), card.recipe.get("fold", "")
    if folds:
        return f"{folds} folds by group, each field judged by a network that never saw its group"
    if fold:
        return f"fold {fold.replace('/', ' of ')} by group, which took no part in training"
    if card.recipe.get("figures_from"):
        return "a run of the same recipe that held these groups out"
    return "groups that took no part in training"


def quality(card: ModelCard) -> str:
    """The card's headlines as a table."""
    known = {metric.name: metric for metric in card.metrics}
    first = known["accuracy"]
    head = f"| {first.n:,} fields of {first.groups} groups; {judged_by(card)} | {card.name} |"
    rows = [f"| {words} | {_shown(known[name])} |" for name, words in QUALITY]
    return "\n".join((head, "|---|---:|", *rows))


def described(cards: Sequence[ModelCard]) -> str:
    """Models beside each other in a few lines, for the page of models."""
    known = [{metric.name: metric for metric in card.metrics} for card in cards]
    rows: dict[str, list[str]] = {
        "": [card.name for card in cards],
        "network": [f"{card.architecture}, taught by {card.teacher}" for card in cards],
        "weights": [f"{_weights(card) / 1e6:.1f} MB" for card in cards],
        "input": [f"{c.patch_size_pixels} px at {c.spacing_um_px:.3f} µm/px" for c in cards],
        "fields": [f"{figures['accuracy'].n:,}" for figures in known],
        **{words: [_shown(figures[name]) for figures in known] for name, words in QUALITY},
        "judged by": [judged_by(card) for card in cards],
    }
    first, *lines = (f"| {title} | {' | '.join(cells)} |" for title, cells in rows.items())
    return "\n".join((first, f"|{'---|' * (len(cards) + 1)}", *lines))


def _weights(card: ModelCard) -> int:
    return (card.folder / "weights.safetensors").stat().st_size


def _shown(metric: Metric) -> str:
    text = f"{100 * metric.value:.1f} %"
    if metric.low is None or metric.high is None:
        return text
    return f"{text} ({100 * metric.low:.1f} to {100 * metric.high:.1f})"


def shipped() -> tuple[ModelCard, ...]:
    """The default model, and the others of its modality."""
    default, *others = lungscan.models()
    return (default, *(card for card in others if card.modality == default.modality))


def write_cards(cards: Sequence[ModelCard], root: Path = ROOT) -> None:
    """What the cards alone say; the first is the default."""
    for page in ("README.md", "docs/figures.md"):
        put(root / page, "quality", quality(cards[0]))
    put(root / "docs/models.md", "model", described(cards))


def printed(*words: str) -> str:
    """What a benchmark prints from its first table or heading on.

    Raises:
        SystemExit: it failed.
    """
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def write_results(run: Path) -> None:
    """The page of results, from the run's evaluation."""
    printed("benchmarks/results.py", str(run), "--write", "docs/results.md")


def write_answers(model: str, run: Path | None, data: Path, slides: Path) -> None:
    """Who gets an answer."""
    words = ["benchmarks/answers.py", "--model", model]
    words += ["--data", str(data), "--slides", str(slides)]
    if run is not None and (run / "folds").is_dir():
        words += ["--folds", str(run / "folds")]
    put(ROOT / "docs/answers.md", marked("answers", model), printed(*words))


def marked(name: str, model: str) -> str:
    """The mark of a table, of which each model has one."""
    return name if model == DEFAULT_MODEL else f"{name} {model}"


def write_adapted(model: str, data: Path) -> None:
    """What adapting gains on other laboratories' lung; of a further model in one page alone."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.json"
        words = ("benchmarks/adapting.py", model, "--data", str(data), "--json", str(path))
        text = printed(*words)
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    put(ROOT / "docs/answers.md", marked("adapted", model), text[text.index("Model ") :])
    if model != DEFAULT_MODEL:
        return
    put(ROOT / "docs/training.md", "adapted", adapted_table(rows))
    for page in ("README.md", "docs/own-slides.md"):
        put(ROOT / page, "adapted", adapted_words(rows))


def share(rows: Sequence[Mapping[str, Any]], source: str, mode: str, of: tuple[str, str]) -> str:
    """One share over all draws, in whole per cent; "–" of nothing."""
    mine = [row for row in rows if (row["source"], row["mode"]) == (source, mode)]
    hits, whole = (sum(row[name] for row in mine) for name in of)
    return f"{100 * hits / whole:.0f} %" if whole else "–"


ANSWERED, RIGHT = ("answered", "fields"), ("right_answered", "classed_answered")
MODES = ("as it is", "adapted without labels", "adapted with labels")


def adapted_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The short table of the page on training."""
    lines = [
        "| fields of another laboratory | as it is: answered | without labels: answered, right of "
        "these | up to 20 labels a class |",
        "|---|---:|---:|---:|",
    ]
    for source, title in (
        (WSSS, "WSSS4LUAD, 98 at 1 µm/px"),
        (STAS, "STAS, 40 at 0.5 µm/px, no classes"),
    ):
        pairs = [
            ", ".join(share(rows, source, mode, of) for of in (ANSWERED, RIGHT)) for mode in MODES
        ]
        cells = [share(rows, source, MODES[0], ANSWERED), *pairs[1:]]
        lines.append(f"| {title} | {' | '.join(cell.removesuffix(', –') for cell in cells)} |")
    return "\n".join(lines)


def adapted_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same as a sentence."""
    before, after, right = (
        share(rows, WSSS, MODES[0], ANSWERED),
        share(rows, WSSS, MODES[1], ANSWERED),
        share(rows, WSSS, MODES[1], RIGHT),
    )
    return (
        f"Of 98 fields of another laboratory (WSSS4LUAD) the model answers {before} as it is. "
        f"Adapted to half of them without a single label,\nit answers {after} of the other half, "
        f"{right} of those rightly (five draws)."
    )


def write_explained(data: Path) -> None:
    """What an explanation is worth."""
    words = ("--fields", "48", "--model", DEFAULT_MODEL)
    text = printed("benchmarks/explaining.py", str(data / "lc25000-lung"), *words)
    put(ROOT / "docs/explanation.md", "explained", text)


def main() -> None:
    """Write the parts that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", default=["card"], help=f"{', '.join(PARTS)} or all")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model")
    parser.add_argument("--run", type=Path, help="the folder that `lungscan train` wrote")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--slides", type=Path, default=ROOT.parent / "shared" / "slides")
    given = parser.parse_args()
    parts = PARTS if "all" in given.parts else tuple(given.parts)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if given.model != DEFAULT_MODEL and "explained" in parts:
        parser.error("the part explained is of the default model alone")
    if "results" in parts and given.run is None:
        parser.error("results need --run")
    run = given.run.resolve() if given.run else None
    data, slides = given.data.resolve(), given.slides.resolve()
    makers = {
        "card": lambda: write_cards(shipped()),
        "results": lambda: write_results(run),
        "answers": lambda: write_answers(given.model, run, data, slides),
        "adapted": lambda: write_adapted(given.model, data),
        "explained": lambda: write_explained(data),
    }
    for part in parts:
        makers[part]()
        print(f"{part}: written", flush=True)


if __name__ == "__main__":
    main()
