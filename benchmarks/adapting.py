"""What `lungscan adapt` gains on lung of other laboratories.

    python benchmarks/adapting.py [MODEL] [--data DIR] [--draws 5] [--organs 1] [--json FILE]

Of each source in ``external-lung`` one half adapts the model and the other half judges it, in five
draws: once without labels, once with 20 labelled fields a class as far as there are so many.
Halves are dealt by file, as the data name no groups: fields of one patient may stand in both, so
an unseen patient's may do worse than the figures say.
Tumour fields (half of the tissue or more) count as adenocarcinoma, normal lung and stroma as
benign; mixed fields and those of the second source bear no class, so they count among the answered
alone. In the first ``--organs`` draws each model is asked of other organs too, each by itself, and
so is `adapt`: would it take 54 of their fields for lung? No adapted model is kept: the pictures'
licence allows evaluation only. MODEL must keep statistics, or --original names its data.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from answers import FOREIGN, Kind, folder_kind, table_kinds

from lungscan.adaptation.adapt import moments_of
from lungscan.adaptation.gains import answers_of
from lungscan.adaptation.own_fields import gather
from lungscan.adaptation.records import AdaptOptions
from lungscan.adaptation.refitting import Source, draft, resemblance, source_of
from lungscan.adaptation.requirements import LEAST_FILES, RESEMBLANCE, UNLIKE
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.workers import available_threads

ROOT = Path(__file__).resolve().parents[1]
CLASS_OF = {"luad_tumour": "lung_aca", "normal_lung": "lung_n", "stroma": "lung_n"}
LABELLED = 20  # fields a class
MOST_FIELDS = 54  # of an organ that adapt is asked to take
COLON = {"adi", "lym", "muc", "mus", "norm", "str", "tum"}  # NCT's kinds of tissue
MODES = ("as it is", "adapted without labels", "adapted with labels")


@dataclass(frozen=True)
class Row:
    """One mode in one draw, on the half that judges; ``told`` says why it was refused."""

    source: str
    mode: str
    fields: int
    answered: int
    classed: int  # of the fields those with a class
    right: int  # forced
    classed_answered: int
    right_answered: int
    novel: float = 0.0  # share of the adapting squares that still look foreign


@dataclass(frozen=True)
class Organ:
    """What one model makes of one organ."""

    source: str  # the laboratory that the model was adapted to
    mode: str
    organ: str
    fields: int
    answered: int


@dataclass(frozen=True)
class Sources:
    """The fields of one source."""

    name: str
    mpp: float
    fields: tuple[LabelledField, ...]  # the label is the model's class, or ""
    strata: tuple[str, ...]  # the table's own label of each


def read_sources(folder: Path) -> list[Sources]:
    """The sources of ``files.csv``."""
    with (folder / "files.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    found = []
    for name in sorted({row["source"] for row in rows}, reverse=True):
        mine = [row for row in rows if row["source"] == name]
        fields = tuple(
            LabelledField(r["file"], folder / r["file"], CLASS_OF.get(r["label"], ""), r["file"])
            for r in mine
        )
        strata = tuple(r["label"] for r in mine)
        found.append(Sources(name, float(mine[0]["um_px"]), fields, strata))
    return found


def halves(source: Sources, draw: int) -> tuple[list[LabelledField], list[LabelledField]]:
    """The half that adapts and the half that judges, each label dealt by itself."""
    rng = np.random.default_rng((2026, draw))
    parts: tuple[list[LabelledField], list[LabelledField]] = ([], [])
    for label in sorted(set(source.strata)):
        rows = [i for i, other in enumerate(source.strata) if other == label]
        for place, row in enumerate(rng.permutation(rows)):
            parts[place % 2].append(source.fields[row])
    return parts


def lay_out(fields: Sequence[LabelledField], folder: Path, *, labels: bool) -> None:
    """Put fields into a folder as a person would: by class, or all together."""
    taken: dict[str, int] = {}
    for number, field in enumerate(fields):
        label = field.label if labels else ""
        taken[label] = taken.get(label, 0) + 1
        if label and taken[label] > LABELLED:
            label = ""  # more than were asked for: without a label
        home = folder / (label or "fields")
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{number:03}{field.path.suffix}").write_bytes(field.path.read_bytes())


def counted(
    source: str,
    mode: str,
    fields: Sequence[LabelledField],
    answers: Sequence[FieldAnswer],
    novel: float = 0.0,
) -> Row:
    """Count answers."""
    classed = [answer for answer in answers if answer.label]
    given = [answer for answer in classed if answer.answer is not None]
    return Row(
        source,
        mode,
        len(fields),
        sum(answer.answer is not None for answer in answers),
        len(classed),
        sum(answer.forced == answer.label for answer in classed),
        len(given),
        sum(answer.answer == answer.label for answer in given),
        novel,
    )


def adapted(
    own: Sequence[LabelledField], mpp: float, source: Source, scratch: Path, *, labels: bool
) -> tuple[ModelCard, float]:
    """A model adapted to ``own``, and the share of its squares that still look foreign."""
    lay_out(own, scratch / "own", labels=labels)
    found = gather(AdaptOptions(scratch / "own", mpp), source.card)
    made = draft(found, source, scratch / "model", labels=labels)
    return made.card, made.novel


def organs_of(data: Path, card: ModelCard) -> list[Kind]:
    """Other organs, of what training took only what it has not seen; CT and drawings are not here.

    One organ's fields of one scale are one kind; the kinds of tissue of NCT's colon are one organ.
    """
    found = [folder_kind(data / "lc25000-colon", "colon (LC25000)", FOREIGN, card)]
    found += table_kinds(data / "foreign", FOREIGN, card)
    joined: dict[str, Kind] = {}
    for kind in found:
        organ, _, tissue = kind.name.partition(" ")
        name = "colon (NCT)" if tissue in COLON else organ if organ == "bone" else kind.name
        earlier = joined.get(name, replace(kind, name=name, fields=()))
        joined[name] = replace(earlier, fields=earlier.fields + kind.fields)
    return [kind for kind in joined.values() if kind.fields]


def asked_of(
    kinds: list[Kind], card: ModelCard, source: str, mode: str, threads: int
) -> list[Organ]:
    """How many fields of each organ a model answers."""
    found = []
    for kind in kinds:
        answers = answers_of(card, kind.fields, kind.mpp, threads)
        count = sum(answer.answer is not None for answer in answers)
        found.append(Organ(source, mode, kind.name, len(answers), count))
    return found


def taken(kinds: list[Kind], source: Source) -> list[str]:
    """Whether `lungscan adapt` would take each organ for lung, where there are fields enough."""
    lines = [
        "| fields of | resemblance to organs | still foreign when matched | |",
        "|---|---:|---:|---|",
    ]
    for kind in kinds:
        fields = kind.fields[:: max(1, len(kind.fields) // MOST_FIELDS)][:MOST_FIELDS]
        if len(fields) < LEAST_FILES:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            lay_out(fields, Path(scratch) / "own", labels=False)
            own = gather(AdaptOptions(Path(scratch) / "own", kind.mpp), source.card)
            like = resemblance(own, source)
            novel = draft(own, source, Path(scratch) / "model", labels=False).novel
        found = "refused" if like > RESEMBLANCE or novel > UNLIKE else "**taken**"
        lines.append(f"| {kind.name} ({len(own.files)}) | {like:.0%} | {novel:.0%} | {found} |")
    return lines


def measure(
    sources: list[Sources], source: Source, draws: int, kinds: list[Kind], asked: int
) -> tuple[list[Row], list[Organ]]:
    """Every source, draw and mode; other organs in the first ``asked`` draws."""
    rows = []
    organs = asked_of(kinds, source.card, "", MODES[0], source.threads) if asked else []
    for part in sources:
        before = {
            answer.file: answer
            for answer in answers_of(source.card, part.fields, part.mpp, source.threads)
        }
        for draw in range(draws):
            own, judged = halves(part, draw)
            known = [before[field.file] for field in judged if field.file in before]
            rows.append(counted(part.name, MODES[0], judged, known))
            for labels in (False, True):
                if labels and len({field.label for field in own if field.label}) < 2:
                    continue
                with tempfile.TemporaryDirectory() as scratch:
                    card, novel = adapted(own, part.mpp, source, Path(scratch), labels=labels)
                    answers = answers_of(card, judged, part.mpp, source.threads)
                    if draw < asked:
                        mode = MODES[1 + labels]
                        organs += asked_of(kinds, card, part.name, mode, source.threads)
                rows.append(counted(part.name, MODES[1 + labels], judged, answers, novel))
                print(rows[-1], flush=True)
    return rows, organs


def organ_table(organs: list[Organ]) -> str:
    """Fields answered, of all, by organ and model, the draws together."""
    models = list(dict.fromkeys((one.source, one.mode) for one in organs))
    heads = [f"{mode}, {source}" if source else mode for source, mode in models]
    lines = [f"| fields answered, of | {' | '.join(heads)} |", "|---|" + "---:|" * len(models)]
    for name in dict.fromkeys(one.organ for one in organs):
        cells = []
        for model in models:
            mine = [o for o in organs if o.organ == name and (o.source, o.mode) == model]
            cells.append(f"{sum(o.answered for o in mine)} of {sum(o.fields for o in mine)}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    """Shares over all draws; in brackets the lowest and the highest draw."""
    lines = [
        "| source | model | answered | right of the answered | right, forced | still foreign |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for source in dict.fromkeys(row.source for row in rows):
        for mode in MODES:
            mine = [row for row in rows if (row.source, row.mode) == (source, mode)]
            if not mine:
                continue
            cells = [
                share([r.answered for r in mine], [r.fields for r in mine]),
                share([r.right_answered for r in mine], [r.classed_answered for r in mine]),
                share([r.right for r in mine], [r.classed for r in mine]),
                "" if mode == MODES[0] else f"{np.mean([r.novel for r in mine]):.1%}",
            ]
            lines.append(f"| {source} | {mode} | {' | '.join(cells)} |")
    return "\n".join(lines)


def share(parts: list[int], wholes: list[int]) -> str:
    """``81.6 % (79.6 to 83.7), 40 of 49``, the counts being means over the draws."""
    if not sum(wholes):
        return "–"
    each = [part / whole for part, whole in zip(parts, wholes, strict=True) if whole]
    return (
        f"{100 * sum(parts) / sum(wholes):.1f} % ({100 * min(each):.1f} to {100 * max(each):.1f}), "
        f"{np.mean(parts):.1f} of {np.mean(wholes):.1f}"
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="lung-histology")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--original", type=Path, help="where MODEL keeps no statistics")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--organs", type=int, default=1, help="draws in which they are asked")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = given.data / "external-lung"
    if not folder.is_dir():
        raise SystemExit(f"{given.data} has no folder external-lung; name the data with --data.")
    card = find_model(given.model)
    source = source_of(card, moments_of(card, given.original), available_threads())
    kinds = organs_of(given.data, card) if given.organs else []
    rows, organs = measure(read_sources(folder), source, given.draws, kinds, given.organs)
    print(f"\nModel {card.name} {card.version}, SHA-256 {card.sha256[:12]}; {given.draws} draws\n")
    print(table(rows))
    if kinds:
        print(f"\n{organ_table(organs)}\n")
        print("\n".join(taken(kinds, source)))
    if given.json:
        found = {"rows": [vars(row) for row in rows], "organs": [vars(one) for one in organs]}
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
