"""Ask a model of labelled fields, by the same functions that ``lungscan classify`` uses."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from lungscan.classification.aggregate import gather
from lungscan.classification.case_record import RunContext
from lungscan.classification.classifier import Classifier
from lungscan.classification.decide import decide
from lungscan.classification.scoring import Scorer
from lungscan.classification.small_cases import field_jobs
from lungscan.errors import CaseError
from lungscan.evaluation.events import FieldsJudged
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.evaluation.shifts import Shift
from lungscan.model.card import NOVELTY, ModelCard
from lungscan.model.novelty import load_novelty
from lungscan.opening.local import LocalReaders
from lungscan.options import AnswerOptions, ClassifierOptions
from lungscan.reading import open_field
from lungscan.report.wording import reason_words
from lungscan.results.provenance import settings_of
from lungscan.runtimes import load_runtime
from lungscan.types import CaseInput, CaseResult, CaseStatus, InputFile, MppSource, Prediction
from lungscan.workers import Workers, available_threads

_IS_SLIDE = "This is a whole slide; an evaluation judges field images."


@dataclass(frozen=True)
class Judge:
    """A loaded model."""

    run: RunContext
    scorer: Scorer
    options: ClassifierOptions

    def ask(
        self, fields: Sequence[LabelledField], shift: Shift | None = None
    ) -> Generator[FieldsJudged, None, tuple[FieldAnswer, ...]]:
        """Judge fields as they are, or each changed by ``shift``; returns one answer per field.

        A field that cannot be read costs only its own answer.

        Raises:
            MachineError: the network or the disk failed.
        """
        cases = [_case(index, field) for index, field in enumerate(fields)]
        answers: list[FieldAnswer] = []
        card = self.run.card

        def work(job: Sequence[CaseInput]) -> list[CaseResult | None]:
            with _changed(job, shift) if shift else nullcontext(job) as inputs:
                return classifier.small(inputs, picture=False)

        with ExitStack() as stack:
            workers = stack.enter_context(Workers(self.options.threads or available_threads()))
            readers = LocalReaders(self.options, card)
            classifier = Classifier(self.run, self.scorer, workers, readers)
            jobs = stack.enter_context(workers.in_order(work, field_jobs(cases)))
            for results in jobs:
                for result in results:
                    answers.append(_answer(fields[len(answers)], result, card))
                yield FieldsJudged(len(answers))
        return tuple(answers)

    def answers(self, fields: Sequence[LabelledField]) -> tuple[FieldAnswer, ...]:
        """As ``ask``, for whoever does not show how far it is."""
        steps = self.ask(fields)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: tuple[FieldAnswer, ...] = end.value
                return found


def load_judge(card: ModelCard, options: JudgeOptions) -> Judge:
    """Load the model of ``card``.

    Raises:
        UsageProblem, MachineError, ModelError: see ``lungscan.runtimes.load_runtime``.
    """
    chosen = options.classifier(card.name)
    runtime = load_runtime(card, options.device, chosen.threads or available_threads(), None)
    scorer = Scorer(card, runtime, load_novelty(card.folder / NOVELTY))
    run = RunContext(chosen, card, runtime.device, *settings_of(chosen, card))
    return Judge(run, scorer, chosen)


def _case(index: int, field: LabelledField) -> CaseInput:
    file = InputFile(field.path, field.file, kind="field", um_px=field.um_px)
    return CaseInput(f"field-{index}", field.file, (file,))


@contextmanager
def _changed(cases: Sequence[CaseInput], shift: Shift) -> Iterator[list[CaseInput]]:
    """The cases with changed copies of their files, which live as long as the block.

    Copies on the disk, because then everything after is classification as it stands.
    """
    with tempfile.TemporaryDirectory(prefix="lungscan-", ignore_cleanup_errors=True) as folder:
        yield [
            replace(case, files=(changed_copy(case.files[0], shift, Path(folder) / name),))
            for case in cases
            for name in [f"{case.key}.tif"]
        ]


def changed_copy(file: InputFile, shift: Shift, path: Path) -> InputFile:
    """A copy at ``path`` changed by ``shift``; the file itself where it cannot be read."""
    try:
        source = open_field(file)
    except CaseError:
        return file  # judging it will tell
    info, scale = source.info, source.info.scale
    picture = Image.fromarray(shift.apply(source.overview(max(info.width, info.height)).rgb))
    if scale.source is MppSource.FILE and scale.x_um and scale.y_um:
        per_cm = {"x_resolution": 10_000 / scale.x_um, "y_resolution": 10_000 / scale.y_um}
        picture.save(path, "TIFF", resolution_unit=3, **per_cm)
    else:
        picture.save(path, "TIFF")
    return replace(file, path=path)


def _answer(field: LabelledField, result: CaseResult | None, card: ModelCard) -> FieldAnswer:
    if result is None:
        return _unread(field, CaseStatus.SKIPPED, _IS_SLIDE)
    prediction = result.prediction
    if prediction is None:
        return _unread(field, CaseStatus.FAILED, result.error_message)
    forced = _forced(result, card)
    return FieldAnswer(
        field.file,
        field.label,
        field.group,
        result.status,
        prediction.label,
        forced.label,
        forced.confidence,
        forced.probs,
        reason_words(result),
        result.flags,
    )


def _unread(field: LabelledField, status: CaseStatus, why: str) -> FieldAnswer:
    return FieldAnswer(field.file, field.label, field.group, status, None, None, None, (), why)


def _forced(result: CaseResult, card: ModelCard) -> Prediction:
    """The same evidence judged again by the policy that never withholds a label."""
    areas = [file.tissue_mm2 for file in result.files]
    evidence = gather(result.scores, areas, len(card.class_names))
    rule = result.prediction.rule if result.prediction else AnswerOptions().rule
    return decide(evidence, card, rule, "never")[0]
