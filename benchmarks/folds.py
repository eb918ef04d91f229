"""Networks beside each other on the same folds, from their out-of-fold tables.

    python benchmarks/folds.py ghostnet=runs/ghostnet alone=runs/ghostnet:alone lite0=runs/lite0
                    [--pair ghostnet,alone] [--rejectors ghostnet] [--cascade fast,ghostnet]
                    [--some] [--write FILE]

NAME=FOLDER takes the folder of a model that `lungscan train --folds` made, or one with the folders
1 to 5 of single folds; ``:alone``, ``:teacher`` and ``:student`` choose another table than the
model's own. Every picture is judged by the network that never saw its group, and under the
temperature of the other folds; intervals are 95 %, by bootstrap over groups. ``--pair A,B``
subtracts B from A picture by picture, and may be given several times; without it each network is
compared with the first. ``--rejectors NAME`` asks which measure of doubt would have kept the most
wrong answers back, ``--cascade FAST,FULL`` what both together answer when FULL is asked only
where FAST is unsure. ``--some`` takes the folds that are there, for a first look.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from cascade import cascade_table
from rejectors import rejector_table

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.errors import LungScanError, UsageProblem
from lungscan.evaluation.curves import Ranking, reliability
from lungscan.evaluation.figures import ACCURACY_AT_95, CALIBRATION, basic_figures
from lungscan.evaluation.judged import Judged
from lungscan.evaluation.wording import points, with_interval
from lungscan.model.card import Metric
from lungscan.training.nested import judged_of
from lungscan.training.out_of_fold import ANSWERS_FILE, Answers, read_answers

TABLES = (ANSWERS_FILE, "out-of-fold-student.csv", "out-of-fold-alone.csv")
Rows = Iterable[Sequence[str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER[:TABLE]")
    parser.add_argument("--pair", action="append", default=[], metavar="A,B")
    parser.add_argument("--rejectors", metavar="NAME")
    parser.add_argument("--cascade", metavar="FAST,FULL")
    parser.add_argument("--some", action="store_true", help="not all folds are there")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(argv)
    try:
        named = (given.partition("=")[::2] for given in options.sets)
        sets = {name: load(place, every=not options.some) for name, place in named}
        text = document(sets, [tuple(pair.split(",")) for pair in options.pair])
        if options.rejectors:
            others = [answers for name, answers in sets.items() if name != options.rejectors]
            text += "\n" + rejector_table(options.rejectors, sets[options.rejectors], others)
        if options.cascade:
            fast, full = _two(options.cascade.split(","), sets, "--cascade")
            text += "\n" + cascade_table((fast, full), *(judged_of(sets[n]) for n in (fast, full)))
    except LungScanError as error:
        print(error, file=sys.stderr)
        return 2
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


def load(place: str, *, every: bool = True) -> Answers:
    """The joined answers of ``FOLDER`` or ``FOLDER:TABLE``, of ``every`` fold or of some.

    Raises:
        UsageProblem: there are none, or they are no whole deal.
    """
    folder, _, table = place.partition(":")
    names = (f"out-of-fold-{table}.csv",) if table else TABLES
    for name in names:
        for below in ("folds/*", "*"):
            paths = sorted(Path(folder).glob(f"{below}/training/{name}"))
            if paths:
                return read_answers(paths, every=every)
    raise UsageProblem(f"{folder} holds no fold with {' or '.join(names)}.")


def document(sets: Mapping[str, Answers], pairs: Sequence[tuple[str, ...]]) -> str:
    """Both tables.

    Raises:
        UsageProblem: two sets are of different deals, or a pair names none.
    """
    first, *rest = sets
    pairs = pairs or [(first, name) for name in rest]
    judged = {name: judged_of(answers) for name, answers in sets.items()}
    for name in rest:
        _require_same(first, sets[first], name, sets[name])
    answers = sets[first]
    bootstrap = GroupBootstrap(answers.groups)
    there = sorted({fold.number for fold in answers.folds})
    count = answers.folds[0].count
    some = f"folds {' and '.join(map(str, there))} of {count}"
    folds = f"{count} folds" if len(there) == count else some
    head = (
        f"{len(answers.files):,} fields in {bootstrap.groups:,} groups, {folds}: each field "
        "is judged by the network that never saw its group, under temperature and least "
        "confidence of the other folds. Network alone, without the checks of classification."
    )
    header = ("network", *COLUMNS, *(f"recall {name}" for name in answers.class_names))
    rows = [(name, *map(with_interval, figures(one, bootstrap))) for name, one in judged.items()]
    parts = [head, table(header, rows)]
    if pairs:
        parts += [PAIRED, table(PAIR_HEADER, [_pair(pair, judged, bootstrap) for pair in pairs])]
    return "\n\n".join(parts) + "\n"


COLUMNS = (
    "all fields",
    "answered",
    "right of the answered",
    "the most certain 95 %",
    "calibration error",
)
PAIRED = "The same fields, paired; points, A minus B. An interval that excludes 0 is no chance."
PAIR_HEADER = ("A", "B", "all fields", "the most certain 95 %", "only A right", "only B right")


def figures(judged: Judged, bootstrap: GroupBootstrap) -> tuple[Metric, ...]:
    """The figures of one network, in the order of the table."""
    classes = range(judged.probs.shape[1])
    return (
        *basic_figures(judged, bootstrap),
        Ranking(judged, bootstrap).at(0.95, ACCURACY_AT_95, ""),
        reliability(judged, bootstrap, CALIBRATION)[1],
        *(
            bootstrap.ratio(f"share {k}", judged.right & (judged.truth == k), judged.truth == k)
            for k in classes
        ),
    )


def _pair(
    pair: tuple[str, ...], judged: Mapping[str, Judged], bootstrap: GroupBootstrap
) -> tuple[str, ...]:
    a, b = (judged[name] for name in _two(pair, judged, "--pair"))
    gain = bootstrap.mean("gain", a.right.astype(np.float64) - b.right)
    certain = Ranking(a, bootstrap).minus(Ranking(b, bootstrap), 0.95, "gain at 95 %")
    only_a, only_b = int((a.right & ~b.right).sum()), int((b.right & ~a.right).sum())
    return (*pair, points(gain), points(certain), str(only_a), str(only_b))


def _two(names: Sequence[str], known: Iterable[str], option: str) -> tuple[str, str]:
    known = tuple(known)
    if len(names) != 2 or not set(names) <= set(known):
        raise UsageProblem(f"{option} takes two of {', '.join(known)}, such as A,B.")
    return names[0], names[1]


def _require_same(name_a: str, a: Answers, name_b: str, b: Answers) -> None:
    if (a.files, a.labels, a.groups, a.folds) != (b.files, b.labels, b.groups, b.folds):
        raise UsageProblem(
            f"{name_a} and {name_b} were not judged on the same folds of the same pictures, so "
            "they cannot be paired. Train both with the same data, --folds and seed."
        )


def table(header: Sequence[str], rows: Rows) -> str:
    """A Markdown table."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
