"""After the bundle: the model folder is judged as classification will use it, tests held out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from lungscan.cards import read_card
from lungscan.compression.int8 import compress
from lungscan.compression.records import Bounds, CompressionJob, LabelledTiles
from lungscan.errors import ModelError
from lungscan.evaluation.events import EvaluationFinished, JudgingStarted
from lungscan.evaluation.markdown import section
from lungscan.evaluation.material import load_material
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.run import evaluation_of
from lungscan.evaluation.writing import write_evaluation
from lungscan.training import wording
from lungscan.training.drawn import draw_counter_example
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.material import SPLIT_FILE, Material
from lungscan.training.options import TrainOptions

FOLDER, SECTION = "evaluation", "section.md"
INT8_FOLDER = "int8"
CALIBRATION_TILES = 300  # of the training part, for the ranges of int8
CALIBRATION_DRAWINGS = 40  # ranges of tissue alone would make foreign pictures resemble tissue


def judge_bundle(
    options: TrainOptions, root: Path, work: Path, out: Path, *, tested: bool
) -> Generator[TrainEvent, None, None]:
    """Evaluate the model folder on the test part and add the figures to its card for people.

    Without a test part the section of the twin that lends its figures is taken.
    """
    card = read_card(out)
    text = ""
    if tested:
        yield StageStarted("judge", "the model folder, on the test part")
        data = root / options.data
        material = load_material(DataOptions(data, work / SPLIT_FILE, "test"))
        judging = JudgeOptions(robustness=options.robustness, threads=options.threads or None)
        for event in evaluation_of(card, material, judging):
            match event:
                case JudgingStarted(title=title, round=number, rounds=rounds) if rounds > 1:
                    yield StageFinished("judge", f"{number} of {rounds}: {title}")
                case EvaluationFinished(evaluation=found):
                    (out / FOLDER).mkdir(exist_ok=True)
                    written = write_evaluation(found, out / FOLDER, data)
                    text = section(found, ())
                    (out / FOLDER / SECTION).write_text(text, encoding="utf-8")
                    files = ", ".join(written.files)
                    yield StageFinished("judge", f"{files} lie in {FOLDER}. {written.note}".strip())
    elif options.figures_from:
        path = Path(options.figures_from) / FOLDER / SECTION
        if path.exists():
            text = "The twin, judged on its test groups:\n\n" + path.read_text(encoding="utf-8")
    readme = wording.model_card(card) + ("\n" + text if text else "")
    (out / "README.md").write_text(readme, encoding="utf-8")


def compress_bundle(
    options: TrainOptions, material: Material, out: Path, command: str
) -> Generator[TrainEvent, None, None]:
    """Make the int8 model in ``out/int8``; a bound that no method keeps is told, not raised.

    Args:
        material: every field at the size of the network's input.
    """
    yield StageStarted("int8", f"within {100 * options.int8_bound:.1f} points on validation")
    rng = np.random.default_rng(options.seed)
    train = rng.permutation(material.split.train)[:CALIBRATION_TILES]
    side = material.pixels.shape[1]
    drawn = np.stack([draw_counter_example(rng, side) for _ in range(CALIBRATION_DRAWINGS)])
    rows = material.split.validation
    tiles = LabelledTiles(
        material.pixels[rows],
        material.samples.labels[rows],
        tuple(material.samples.groups[row] for row in rows),
    )
    others = [f.pixels[f.split.validation] for f in material.foreign]
    job = CompressionJob(
        source=read_card(out),
        calibration=np.concatenate([material.pixels[train], drawn]),
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
    lost = 100 * result.agreement.lost
    yield StageFinished("int8", f"{INT8_FOLDER}: {lost:+.1f} points lost on validation")
