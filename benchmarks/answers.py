"""How often LungScan answers, and how often it refuses what it cannot know.

    python benchmarks/answers.py [--model NAME] [--folds DIR] [--data DIR] [--slides DIR]
                                 [--json FILE]

Three kinds of input at once, each set by itself: own lung (test groups; with ``--folds`` every
group, by the fold's model that never saw it), lung of other laboratories, and what is not lung:
other organs, other stains, no tissue at all. Pictures are judged as ``lungscan classify`` does, at
the scale that the data state. Of what the model was trained on, only pictures that it has not seen
count. Needs the shared data and scikit-image (extra ``dev``).
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from not_tissue import blanks, drawings, noises, sample_pictures

from lungscan.dataset.folds import read_fold, split_fold
from lungscan.dataset.listing import read_listing
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import Split, split_by_group
from lungscan.evaluation.judging import Judge, load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.events import CaseFinished
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model, read_card
from lungscan.options import ScanOptions
from lungscan.report.wording import REASONS
from lungscan.scanning.scan import scan
from lungscan.types import NoResult

ROOT = Path(__file__).resolve().parents[1]
OWN, OTHER_LAB, FOREIGN, NO_TISSUE = "own lung", "other laboratories' lung", "not lung", "no tissue"
TRUTH = {"luad_tumour": "lung_aca", "normal_lung": "lung_n"}  # of external-lung; the rest is mixed
ALLOWED = "training allowed"


@dataclass(frozen=True)
class Kind:
    """One kind of input."""

    name: str
    sort: str
    fields: tuple[LabelledField, ...]  # label "" where there is no right answer
    mpp: float | None = None
    seen: str = "never"  # what training had of this kind


@dataclass(frozen=True)
class Row:
    """One kind of input and how its cases ended."""

    kind: str
    sort: str
    seen: str
    cases: int
    answered: int
    flagged: int  # of the answered, as of another stain or scanner
    right: int | None  # of the answered; None where there is no right answer
    forced_right: int | None  # of all
    forced: dict[str, int]  # the class named when one must be
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


def row(kind: Kind, answers: Sequence[FieldAnswer]) -> Row:
    """Count how the cases of one kind ended."""
    answered = [answer for answer in answers if answer.answer is not None]
    known = any(field.label for field in kind.fields)
    return Row(
        kind=kind.name,
        sort=kind.sort,
        seen=kind.seen,
        cases=len(answers),
        answered=len(answered),
        flagged=sum(NoResult.OTHER_STAIN.value in answer.flags for answer in answered),
        right=sum(a.answer == a.label for a in answered) if known else None,
        forced_right=sum(a.forced == a.label for a in answers) if known else None,
        forced=dict(Counter(a.forced or "none" for a in answers)),
        reasons=dict(Counter(a.reason for a in answers if a.answer is None)),
    )


def added(name: str, rows: Sequence[Row]) -> Row:
    """The sum of several rows."""
    right = [r.right for r in rows if r.right is not None]
    forced_right = [r.forced_right for r in rows if r.forced_right is not None]
    forced: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in rows:
        forced.update(one.forced)
        reasons.update(one.reasons)
    return Row(
        kind=f"**{name}**",
        sort=rows[0].sort if rows else "",
        seen="",
        cases=sum(r.cases for r in rows),
        answered=sum(r.answered for r in rows),
        flagged=sum(r.flagged for r in rows),
        right=sum(right) if len(right) == len(rows) else None,
        forced_right=sum(forced_right) if len(forced_right) == len(rows) else None,
        forced=dict(forced),
        reasons=dict(reasons),
    )


def unseen(samples: Samples, card: ModelCard) -> tuple[list[int], str]:
    """Rows of a trained-on folder that neither weights nor limits were fitted on; else validation.

    Dealt by the card's seed and shares, as training did.
    """
    split = _deal(samples, card)
    if len(split.test):
        return np.sort(split.test).tolist(), "other groups"
    return np.sort(split.validation).tolist(), "other groups (limits were fitted on these)"


def _deal(samples: Samples, card: ModelCard) -> Split:
    shares, fold = tuple(card.recipe["split"]), card.recipe.get("fold", "")
    if fold:
        return split_fold(samples, read_fold(fold), shares, card.seed)
    return split_by_group(samples, shares, card.seed)


def folder_kind(folder: Path, name: str, sort: str, card: ModelCard) -> Kind:
    """What the model has not seen of a data folder that it was trained on."""
    samples = read_listing(folder, check=False).samples()
    rows, seen = unseen(samples, card)
    labels = samples.class_names if sort == OWN else ("",) * len(samples.class_names)
    fields = [
        LabelledField(
            samples.paths[i].name, samples.paths[i], labels[samples.labels[i]], samples.groups[i]
        )
        for i in rows
    ]
    return Kind(name, sort, tuple(fields), seen=seen)


def table_kinds(folder: Path, sort: str, card: ModelCard) -> Iterator[Kind]:
    """The kinds of a folder with ``files.csv``, each label and scale by itself.

    Of the pictures that training may take, those that this model's training took are left out.
    """
    with (folder / "files.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    learnt, seen = set[str](), "never"
    if folder.name in card.recipe.get("counter_examples", ()):
        names = [line["file"] for line in table if line["use"].lower() == ALLOWED]
        groups = {line["file"]: line["group"] or line["file"] for line in table}
        samples = Samples(
            tuple(folder / name for name in names),
            np.zeros(len(names), np.int64),
            tuple(groups[name] for name in names),
            (folder.name,),
        )
        rows, seen = unseen(samples, card)
        learnt = set(names) - {names[i] for i in rows}
        trained = set(names)
    else:
        trained = set()
    for label, scale in dict.fromkeys((line["label"], line["um_px"]) for line in table):
        lines = [line for line in table if (line["label"], line["um_px"]) == (label, scale)]
        kept = [line for line in lines if line["file"] not in learnt]
        truth = TRUTH.get(label, "") if sort == OTHER_LAB else ""
        fields = [
            LabelledField(line["file"], folder / line["file"], truth, line["group"] or line["file"])
            for line in kept
        ]
        held_out = seen if any(line["file"] in trained for line in lines) else "never"
        yield Kind(
            label.replace("_", " "), sort, tuple(fields), float(scale) if scale else None, held_out
        )


def kinds(data: Path, card: ModelCard, scratch: Path) -> Iterator[Kind]:
    """Every kind of input with its pictures."""
    yield folder_kind(data / "lc25000-lung", "LC25000 lung", OWN, card)
    folders = (
        ("lc25000-colon", "colon (LC25000)", FOREIGN),
        ("iq-oth-nccd", "chest CT", NO_TISSUE),
    )
    for folder, name, sort in folders:
        if (data / folder).is_dir():
            yield folder_kind(data / folder, name, sort, card)
    for folder, sort in (("external-lung", OTHER_LAB), ("foreign", FOREIGN)):
        if (data / folder / "files.csv").is_file():
            yield from table_kinds(data / folder, sort, card)
    makers = {
        "scikit-image samples": sample_pictures,
        "drawings": drawings,
        "noise": noises,
        "blank": blanks,
    }
    for name, make in makers.items():
        folder_ = scratch / name.replace(" ", "-")
        folder_.mkdir(exist_ok=True)
        paths = make(folder_)
        yield Kind(
            name, NO_TISSUE, tuple(LabelledField(path.name, path, "", path.name) for path in paths)
        )


def ask(judge: Judge, kind: Kind) -> list[FieldAnswer]:
    """What the model says of a kind, at the kind's scale."""
    fields = (
        tuple(replace(field, um_px=kind.mpp) for field in kind.fields) if kind.mpp else kind.fields
    )
    return list(judge.answers(fields))


def judged(data: Path, card: ModelCard, folds: Sequence[ModelCard], scratch: Path) -> list[Row]:
    """A row for every kind; the folds answer for what the model was trained on."""
    judge, joined = load_judge(card, JudgeOptions()), dict[str, tuple[Kind, list[FieldAnswer]]]()
    for fold in folds:
        own = load_judge(fold, JudgeOptions())
        for kind in kinds(data, fold, scratch):
            if kind.seen != "never" and kind.fields:
                before = joined[kind.name][1] if kind.name in joined else []
                joined[kind.name] = (replace(kind, seen="folds"), before + ask(own, kind))
    rows = []
    for kind in kinds(data, card, scratch):
        if kind.name in joined and kind.seen != "never":
            rows.append(row(*joined[kind.name]))
        elif kind.fields:
            rows.append(row(kind, ask(judge, kind)))
    return rows


def slide_row(name: str, path: Path, model: str, scratch: Path) -> Row:
    """One slide through the front door."""
    options = ScanOptions((path,), scratch / "out", model=model, pdf="none", fresh=True)
    (result,) = [event.result for event in scan(options) if isinstance(event, CaseFinished)]
    prediction = result.prediction
    answered = prediction is not None and prediction.label is not None
    reason = prediction.reason if prediction else None
    return Row(
        kind=name,
        sort=FOREIGN,
        seen="never",
        cases=1,
        answered=int(answered),
        flagged=int(answered and NoResult.OTHER_STAIN.value in result.flags),
        right=None,
        forced_right=None,
        forced={(prediction.suggested if prediction else None) or "none": 1},
        reasons={} if answered else {REASONS[reason] if reason else result.error_code: 1},
    )


def show(rows: list[Row]) -> str:
    """The table, with sums."""
    lines = [
        "| input | seen in training | cases | answered, of these flagged | right of answered "
        "| right when forced | named when forced | refused (95 % CI) | why refused |",
        "|---|---|---:|---:|---|---|---|---|---|",
    ]
    for sort in (OWN, OTHER_LAB, FOREIGN, NO_TISSUE):
        part = [r for r in rows if r.sort == sort]
        known = [r for r in part if r.right is not None]
        lines.append(f"| **{sort}** | | | | | | | | |")
        lines += [_line(one) for one in part]
        if len(part) > 1:
            lines.append(_line(added(f"all {sort}", part)))
        if 1 < len(known) < len(part):
            lines.append(_line(added(f"all {sort} with a label", known)))
    return "\n".join(lines)


def _line(one: Row) -> str:
    right = "" if one.right is None else share(one.right, one.answered)
    forced = "" if one.forced_right is None else share(one.forced_right, one.cases)
    cells = [one.kind, one.seen, str(one.cases), f"{one.answered}, {one.flagged}", right, forced]
    cells += [_counts(one.forced), share(one.refused, one.cases), _counts(one.reasons)]
    return f"| {' | '.join(cells)} |"


def share(hits: int, total: int) -> str:
    """A share with its interval; nothing of nothing."""
    if not total:
        return "0 of 0"
    low, high = wilson(hits, total)
    return f"{hits / total:.1%} ({low:.1%} to {high:.1%})"


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(numbers.items(), key=lambda i: -i[1]))


def main() -> None:
    """Run every kind and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--slides", type=Path, default=ROOT.parent / "shared" / "slides")
    parser.add_argument("--model", default="lung-histology")
    parser.add_argument("--folds", type=Path, help="folder of the model folders 1, 2, ...")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not (given.data / "lc25000-lung").is_dir():
        raise SystemExit(f"{given.data} has no folder lc25000-lung; name the data with --data.")
    card = find_model(given.model)
    found = sorted(given.folds.glob("*/card.json")) if given.folds else []
    folds = [read_card(path.parent) for path in found]
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        rows = judged(given.data, card, folds, scratch)
        slides = {
            "skin slide (CMU)": "cmu-1-small-region.svs",
            "pale lung slide (luna, seems IHC)": "luna-1065626-jp2k.svs",
        }
        for name, file in slides.items():
            if (given.slides / file).is_file():
                rows.append(slide_row(name, given.slides / file, given.model, scratch))
    print(f"Model {card.name} {card.version}, SHA-256 {card.sha256[:12]}, {len(folds)} folds\n")
    print(show(rows))
    if given.json:
        given.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
