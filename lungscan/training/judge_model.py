"""After the bundle: the model folder is judged as classification will use it, tests held out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np

from lungscan.compression.int8 import compress
from lungscan.compression.records import Bounds, CompressionJob
from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.errors import ModelError
from lungscan.evaluation.evaluate import evaluation_of
from lungscan.evaluation.events import EvaluationFinished, JudgingStarted
from lungscan.evaluation.labelled import Material as Judged
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.markdown import section
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import Coverage, Evaluation
from lungscan.evaluation.seen_groups import Identity
from lungscan.evaluation.wording import FEW
from lungscan.evaluation.writing import write_evaluation
from lungscan.model import folder
from lungscan.model.card import Metric, ModelCard
from lungscan.model.checked import read_card
from lungscan.model.doubt import doubt
from lungscan.training import wording
from lungscan.training.curve import draw_coverage
from lungscan.training.data import Material
from lungscan.training.dealing import SPLIT_FILE
from lungscan.training.drawn import draw_counter_examples
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.options import TrainOptions

FOLDER, SECTION = "evaluation", "section.md"
INT8_FOLDER = "int8"
CALIBRATION_TILES = 300  # of the training part, for the ranges of int8
CALIBRATION_DRAWINGS = 40  # ranges of tissue alone would make foreign pictures resemble tissue


def judge_bundle(
    options: TrainOptions, material: Material, root: Path, work: Path, out: Path
) -> Generator[TrainEvent, None, Evaluation]:
    """Judge the model folder on the test part, as classification will use it."""
    data = load_material(DataOptions(root / options.data, work / SPLIT_FILE, "test"))
    if options.sources:
        data = _of_sources(data, options, material)
    asked = JudgeOptions(robustness=options.robustness, threads=options.threads or None)
    for event in evaluation_of(read_card(out), data, asked):
        match event:
            case JudgingStarted(title=title, round=number, rounds=rounds) if rounds > 1:
                yield StageFinished("judge", f"{number} of {rounds}: {title}")
            case EvaluationFinished(evaluation=found):
                return found
    raise RuntimeError("the evaluation ended without saying so")


def _of_sources(data: Judged, options: TrainOptions, material: Material) -> Judged:
    """The fields with the scales of their sources, of data that the card will know."""
    scales = material.samples.scales
    return dataclasses.replace(
        data,
        fields=tuple(dataclasses.replace(f, um_px=scales[f.path]) for f in data.fields),
        folder=options.data_names,
        root=None,
        known=Identity(material.contents_sha256, material.data_sha256),
    )


def figures_of(found: Evaluation, others: Iterable[Metric]) -> tuple[Metric, ...]:
    """The card's figures: those of the evaluation and ``others``.

    The evaluation is the only judge of the model: its files and the card say the same.
    """
    classes = [m for c in found.classes for m in (c.precision, c.recall, c.f1, c.auc)]
    return tuple(_plain(metric) for metric in (*found.metrics, *others, *classes))


def _plain(metric: Metric) -> Metric:
    """The figure without NaN, which a card cannot hold: where nothing is measured, of nothing."""
    if math.isnan(metric.value):
        return Metric(metric.name, 0.0, None, None, 0, 0, metric.note)
    low, high = metric.low, metric.high
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return dataclasses.replace(metric, low=None, high=None)
    return metric


def points_of(curve: Coverage) -> tuple[tuple[float, float, float, float], ...]:
    """Accuracy against coverage as a card holds it: share answered, accuracy, its interval.

    An interval that nothing is known of reaches from 0 to 1.
    """
    low, high = np.nan_to_num(curve.low, nan=0.0), np.nan_to_num(curve.high, nan=1.0)
    columns = (curve.share, curve.accuracy, low, high)
    rows = np.stack(columns, 1).astype(np.float64).round(4).tolist()
    return tuple((share, accuracy, low, high) for share, accuracy, low, high in rows)


def with_figures(
    card: ModelCard,
    found: Evaluation,
    metrics: tuple[Metric, ...],
    facts: tuple[tuple[str, str], ...],
) -> ModelCard:
    """The card with all that an evaluation tells of the model.

    Args:
        card: of the model folder that was judged.
        found: the evaluation; calibration and coverage are its own.
        metrics: its figures and those of others, see ``figures_of``.
        facts: what reports show.
    """
    few = tuple(sentence for sentence in found.warnings if sentence.startswith(FEW))
    return dataclasses.replace(
        card,
        limits=(*few, *(limit for limit in card.limits if not limit.startswith(FEW))),
        metrics=metrics,
        reliability=tuple((b.confidence, b.accuracy, b.n) for b in found.reliability),
        coverage=points_of(found.coverage),
        facts=facts,
    )


def keep_evaluation(
    found: Evaluation, options: TrainOptions, root: Path, out: Path
) -> Generator[TrainEvent, None, None]:
    """Write the evaluation's files beside the model, as figures of the card that lies there."""
    found = dataclasses.replace(found, model=read_card(out).stamp())
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    written = write_evaluation(found, folder, root / options.data)
    (folder / SECTION).write_text(section(found, ()), encoding="utf-8", newline="\n")
    text = f"{', '.join(written.files)} lie in {out.name}/{FOLDER}. {written.note}".strip()
    yield StageFinished("judge", text)


def write_readme(options: TrainOptions, out: Path, *, tested: bool) -> None:
    """The card for people, its curve, and the evaluation: its own or its held-out run's."""
    text, path = "", out / FOLDER / SECTION
    if not tested:
        path = Path(options.figures_from) / FOLDER / SECTION
        text = "The held-out run, judged on its test groups:\n\n"
    known = tested or (options.figures_from and path.exists())
    text = text + path.read_text(encoding="utf-8") if known else ""
    card = read_card(out)
    if card.coverage:
        (out / wording.CURVE_FILE).write_text(
            draw_coverage(card.coverage), encoding="utf-8", newline="\n"
        )
    folder.write_readme(out, wording.model_card(card) + ("\n" + text if text else ""))


def round_off(
    card: ModelCard,
    options: TrainOptions,
    material: Material,
    out: Path,
    command: str,
    *,
    tested: bool,
) -> Generator[TrainEvent, None, None]:
    """The last steps of every bundle: its figures, card for people, doubts and int8 form."""
    for metric in card.metrics:
        yield StageFinished("bundle", wording.metric_line(metric))
    write_readme(options, out, tested=tested)
    yield StageFinished("bundle", f"SHA-256 of the model: {read_card(out).sha256[:12]}…")
    for sentence in filter(None, (wording.few(card), doubt(card))):
        yield StageFinished("bundle", sentence)
    if options.int8:
        yield from compress_bundle(options, material, out, command)


def compress_bundle(
    options: TrainOptions, material: Material, out: Path, command: str
) -> Generator[TrainEvent, None, None]:
    """Make the int8 model in ``out/int8``; a bound that no method keeps is reported, not raised.

    Args:
        material: every square at the size of the network's input.
    """
    yield StageStarted("int8", f"within {100 * options.int8_bound:.1f} points on validation")
    rng = np.random.default_rng(options.seed)
    squares, side = material.squares, material.squares.size_px
    train = rng.permutation(squares.rows(material.split.train))[:CALIBRATION_TILES]
    drawn = draw_counter_examples(rng, CALIBRATION_DRAWINGS, side)
    rows = material.split.validation
    counts = squares.counts[rows]
    tiles = LabelledTiles(
        squares.of(rows),
        np.repeat(material.samples.labels[rows], counts),
        tuple(material.samples.groups[row] for row in np.repeat(rows, counts)),
        pictures=len(rows),
    )
    others = [f.squares.of(f.split.validation) for f in material.foreign]
    job = CompressionJob(
        source=read_card(out),
        calibration=np.concatenate([squares.pixels[train], drawn]),
        tiles=tiles,
        foreign=np.concatenate(others) if others else None,
        bounds=Bounds(options.int8_bound, max(Bounds().refusals, options.int8_bound)),
        threads=options.threads or None,
        command=command,
    )
    try:
        result = compress(job, out / INT8_FOLDER)
    except ModelError as error:
        yield StageFinished("int8", str(error))
        return
    lost = f"{INT8_FOLDER}: {100 * result.agreement.lost:+.1f} points lost on validation"
    yield StageFinished("int8", f"{lost}. {result.caution}" if result.caution else lost)
