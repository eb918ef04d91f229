"""After the bundle: the model folder is judged as classification will use it, tests held out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from lungscan.cards import read_card
from lungscan.evaluation.events import EvaluationFinished, JudgingStarted
from lungscan.evaluation.markdown import section
from lungscan.evaluation.material import load_material
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.run import evaluation_of
from lungscan.evaluation.writing import write_evaluation
from lungscan.training import wording
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.options import TrainOptions

FOLDER, SECTION = "evaluation", "section.md"


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
        material = load_material(DataOptions(data, work / "split.csv", "test"))
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
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    readme = wording.model_card(card) + ("\n" + text if text else "")
    (out / "README.md").write_text(readme, encoding="utf-8")
