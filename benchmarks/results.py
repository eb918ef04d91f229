"""The tables of docs/results.md, from model folders that `lungscan train` has made.

    python benchmarks/results.py runs/grouped-0 runs/random-0 [--int8 FILE] [--speed FILE]
                                               [--folds FILE] [--study FILE ...] [--write FILE]

Each folder holds ``card.json`` and ``evaluation/evaluation.json``; one that `--folds` made leads
the page, those of one split follow. ``--folds`` takes the tables that ``folds.py --write``
wrote: networks on the same folds, paired. ``--int8`` takes the JSON that
`lungscan compare MODEL ITS-INT8-FORM DATA --split FILE --json` printed, ``--speed`` the Markdown
that `lungscan benchmark --out` wrote, ``--study`` (once or more) the table that `lungscan study`
wrote; where none is given, studies that already stand in the page to be written stay, as do the
folds of models of other names, and where no model folder is given, all else of the page. Several
grouped runs (seeds) are listed with their mean.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungscan.options import DEFAULT_MODEL

# What the seed project reports for its student on a random split of LC25000.
SEED_F1 = {"lung_aca": 0.98, "lung_n": 1.00, "lung_scc": 0.98}
NETWORKS = (
    ("teacher", "accuracy teacher"),
    ("the model", "accuracy"),
    ("student, alone", "accuracy student alone"),
    ("gain by distillation, points", "gain by distillation"),
)
EARLIER = {"accuracy": "accuracy student"}
HEADLINES = (
    "accuracy",
    "answered",
    "accuracy of the answered",
    "accuracy at 95 % answered",
    "macro F1",
    "macro AUC",
    "expected calibration error",
)
IN_PERCENT = {"macro F1", "macro AUC"}  # these stay numbers between 0 and 1


@dataclass(frozen=True)
class Run:
    """One trained and judged model folder."""

    name: str
    card: dict[str, Any]
    evaluation: dict[str, Any]

    @property
    def protocol(self) -> str:
        """``grouped`` or ``random``."""
        return str(self.card["data"]["protocol"])

    @property
    def seed(self) -> int:
        """Of the split and of the training."""
        return int(self.card["seed"])

    @property
    def folds(self) -> int:
        """How many folds judged it; 0: one test part did."""
        return len(self.card["data"].get("folds", ()))

    def figure(self, name: str, *, of_card: bool = False) -> dict[str, Any] | None:
        """A metric by its name, from the evaluation or from the card."""
        metrics = self.card["metrics"] if of_card else self.evaluation["metrics"]
        found = {metric["name"]: metric for metric in metrics}
        # Earlier cards held figures of the network alone.
        return found.get(name) or found.get(EARLIER.get(name, ""))


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--speed", type=Path)
    parser.add_argument("--study", type=Path, action="append", default=[])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(argv)
    if not options.runs:
        if not (options.study and options.write and options.write.exists()):
            parser.error("give model folders, or --study and a page of results to --write it into")
        text = before_study(options.write) + study(options.study, None)
        options.write.write_text(text, encoding="utf-8")
        return
    text = document(
        [load(path) for path in options.runs],
        options.folds.read_text(encoding="utf-8") if options.folds else "",
        cross_validated(options.write),
    )
    if options.int8:
        text += "\n" + int8(json.loads(options.int8.read_text(encoding="utf-8")))
    if options.speed:
        text += "\n#" + options.speed.read_text(encoding="utf-8") + SPEED_NOTE
    text += study(options.study, options.write)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)


def load(folder: Path) -> Run:
    """Read a model folder's card and evaluation."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    path = folder / "evaluation" / "evaluation.json"
    return Run(folder.name, card, json.loads(path.read_text(encoding="utf-8")))


def document(runs: Sequence[Run], folds: str = "", others: Mapping[str, str] | None = None) -> str:
    """All sections, those of folds first, then grouped runs: they are the honest ones.

    Args:
        runs: the model folders.
        folds: tables of networks on the same folds; "": none.
        others: sections of folds, by the model's name, that stay where ``runs`` has none of it.
    """
    judged = dict(others or {}) | {run.card["name"]: _folded(run) for run in runs if run.folds}
    ordered = sorted(judged, key=lambda name: (name != DEFAULT_MODEL, name))
    parts = ["# Results", HEAD, *(judged[name] for name in ordered)]
    if folds:
        parts += ["## Networks on the same folds", folds.strip()]
    for protocol, title in (("grouped", GROUPED), ("random", RANDOM)):
        chosen = [run for run in runs if run.protocol == protocol and not run.folds]
        if not chosen:
            continue
        parts += [title, _commands(chosen), "### Networks", _networks(chosen)]
        parts += ["### The model as it classifies", _headlines(chosen)]
        parts += ["### Classes", _classes(chosen)]
        robust = [run for run in chosen if run.evaluation["robustness"]]
        if robust:
            parts += [f"### Robustness (seed {robust[0].seed})", _robustness(robust[0])]
    return "\n\n".join(parts) + "\n"


def _folded(run: Run) -> str:
    """A model that folds judged."""
    parts = [f"## {run.card['name']}: {run.folds}{CROSS_VALIDATED}", FOLDED, _commands([run])]
    parts += [_headlines([run]), "### Networks of the folds", _networks([run])]
    parts += ["### Accuracy against coverage", _coverage(run), "### Classes", _classes([run])]
    if run.evaluation["robustness"]:
        parts += ["### Robustness", _robustness(run)]
    return "\n\n".join(parts)


def cross_validated(page: Path | None) -> dict[str, str]:
    """The sections of folds that stand in a page, by the model's name."""
    if page is None or not page.exists():
        return {}
    sections = re.split(r"^(?=## )", before_study(page), flags=re.MULTILINE)
    heading = re.compile(rf"## (\S+): \d+{CROSS_VALIDATED}\n")
    return {found[1]: section.strip() for section in sections if (found := heading.match(section))}


def int8(compared: dict[str, Any]) -> str:
    """The int8 form beside its source, on fields that neither saw."""
    data = compared["data"]
    if data["seen"] != "held out":
        raise SystemExit("the int8 comparison was not made on held-out groups")
    rows = [
        ("accuracy", *(_shown(compared[f"accuracy_{side}"]) for side in "ab")),
        ("answered", *(_shown(compared[f"answered_{side}"]) for side in "ab")),
        ("right where the other is wrong", *(str(compared[f"only_{side}_right"]) for side in "ab")),
    ]
    difference = _shown(compared["difference"])
    where = f"{data['fields']} held-out fields in {data['groups']} groups"
    return (
        "## int8 beside its source\n\n"
        f"By `lungscan compress` and `lungscan compare` on the {data['part']} part of the grouped "
        f"split: {where}. int8 minus source: {difference}.\n\n"
        + _table((where, "source", "int8"), rows)
        + "\n"
    )


def study(tables: Sequence[Path], page: Path | None) -> str:
    """The sections of studies, a level below their own titles; "": there are none.

    Args:
        tables: what `lungscan study` wrote.
        page: without a table, the page whose sections stay.
    """
    if tables:
        lines = [line for at in tables for line in (*at.read_text("utf-8").splitlines(), "")]
        text = "\n".join(f"#{line}" if line.startswith("#") else line for line in lines[:-1])
        return f"\n{STUDY}\n\n{text}\n"
    if page is None or not page.exists():
        return ""
    _, mark, text = page.read_text(encoding="utf-8").partition(STUDY)
    return f"\n{mark}{text}" if mark else ""


def before_study(page: Path) -> str:
    """All of a page that is no study."""
    return page.read_text(encoding="utf-8").partition(STUDY)[0].rstrip("\n") + "\n"


CROSS_VALIDATED = "-fold cross-validation by group"  # ends the heading of a model's folds
STUDY = "<!-- a study's table, by results.py --study -->"
HEAD = (
    "Written by `python benchmarks/results.py`. Intervals are 95 %, by bootstrap over groups: "
    "pictures of one group show the same tissue. Research use only."
)
GROUPED = (
    "## Grouped split: no tissue stands on two sides\n\n"
    "The honest figure. For comparison, published on the same grouping (80/20, ten splits; "
    "Batchkala et al. 2024, Table 1): frozen ImageNet ResNet18 94.3 %, foundation model UNI 99.4 %."
)
FOLDED = (
    "The figures to believe: every field is judged once, by the model folder of the fold whose "
    "training held its group out, as classification would answer, with temperature and limits from "
    "the other folds' answers. The model that is shipped is fitted on all groups."
)
SPEED_NOTE = """
What int8 lost in the card was measured on the validation groups, by which its layers were chosen;
the section on int8 has it on held-out groups. `lungscan benchmark lung-histology
runs/grouped-0-int8 --network ...` made the table.
"""
RANDOM = (
    "## Random split, as the literature reports it\n\n"
    "**LEAKING**: the same tissue stands in training and in test, so this says how well a network "
    "remembers. It stands here only to be compared with others' figures of the same kind."
)


def _commands(runs: Iterable[Run]) -> str:
    lines = "\n".join(f"- `{run.card['command']}`" for run in runs)
    where = "Recipes lie in `models/recipes`; the head of one says what is trained before."
    return f"Made by\n\n{lines}\n\n{where}"


def _networks(runs: Sequence[Run]) -> str:
    rows = []
    for title, name in NETWORKS:
        figures = [run.figure(name, of_card=True) for run in runs]
        if any(figures):  # a recipe without a teacher has no more than the model
            rows.append((title, *map(_shown, figures), *_mean(figures)))
    return _table(("accuracy on the test part", *_seeds(runs)), rows)


def _headlines(runs: Sequence[Run]) -> str:
    rows = []
    for name in HEADLINES:
        plain = name in IN_PERCENT
        cells = [_shown(run.figure(name), plain=plain) for run in runs]
        rows.append((name, *cells, *_mean((run.figure(name) for run in runs), plain=plain)))
    size = [
        f"{run.evaluation['data']['fields']} / {run.evaluation['data']['groups']}" for run in runs
    ]
    rows.append(("fields / groups judged", *size, *([""] if len(runs) > 1 else [])))
    return _table(("figure", *_seeds(runs)), rows)


def _coverage(run: Run) -> str:
    rows = [
        (
            f"{100 * share:.0f} %",
            f"{100 * right:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
            f"{100 * (1 - right):.1f} %",
        )
        for share, right, low, high in reversed(run.card["coverage"])
        if round(100 * share) in (100, 99, 98, 95, 90, 80)
    ]
    return _table(("answered", "right", "wrong among the answered"), rows)


def _classes(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        for found in run.evaluation["classes"]:
            figures = [_shown(found[key], plain=True) for key in ("precision", "recall", "f1")]
            seed = f"{SEED_F1[found['name']]:.2f}" if found["name"] in SEED_F1 else "–"
            rows.append((str(run.seed), found["display_name"], *figures, seed))
    header = ("seed", "class", "precision", "recall", "F1", "F1 of the seed project (random split)")
    return _table(header, rows)


def _robustness(run: Run) -> str:
    rows = [
        (f"{shift['kind']} {shift['amount']}", _shown(shift["accuracy"]), _shown(shift["answered"]))
        for shift in run.evaluation["robustness"]
    ]
    clean = (run.figure("accuracy"), run.figure("answered"))
    rows.insert(0, ("as it is", *map(_shown, clean)))
    return _table(("fields changed", "accuracy, forced choice", "answered"), rows)


def _seeds(runs: Sequence[Run]) -> list[str]:
    return [f"seed {run.seed}" for run in runs] + (["mean"] if len(runs) > 1 else [])


def _mean(figures: Iterable[dict[str, Any] | None], *, plain: bool = False) -> list[str]:
    found = list(figures)
    values = [figure["value"] for figure in found if figure is not None]
    if len(found) < 2:
        return []
    if len(values) < len(found):
        return ["–"]
    return [_number(math.fsum(values) / len(values), plain=plain)]


def _shown(figure: dict[str, Any] | None, *, plain: bool = False) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    text = _number(value, plain=plain)
    if low is None or high is None:
        return text
    low, high = (_number(bound, plain=plain).removesuffix(" %") for bound in (low, high))
    return f"{text} ({low} to {high})"


def _number(value: float, *, plain: bool) -> str:
    return f"{value:.3f}" if plain else f"{100 * value:.1f} %"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
