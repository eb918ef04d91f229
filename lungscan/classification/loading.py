"""Make a ``Classifier``, in the order of what has to be waited for longest.

Imports what classifies only while the network compiles: both take as long.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from lungscan.errors import MachineError
from lungscan.model.card import NOVELTY, ModelCard
from lungscan.model.checked import find_model
from lungscan.model.doubt import require_proven, stated
from lungscan.model.novelty import load_novelty
from lungscan.opening.choice import open_readers
from lungscan.opening.launch import Launched
from lungscan.opening.retrying import PatientReaders
from lungscan.options import ClassifierOptions
from lungscan.results.provenance import settings_of
from lungscan.runtimes import load_runtime
from lungscan.runtimes.fallback import FallbackRuntime
from lungscan.runtimes.runtime import import_ahead
from lungscan.types import InputFile
from lungscan.workers import available_threads

if TYPE_CHECKING:
    from lungscan.classification.classifier import Classifier


def wanted_model(options: ClassifierOptions) -> ModelCard:
    """The card of the model that ``options`` name, with what is doubtful about it stated.

    Raises:
        ModelError: there is none, it is damaged, or unproven and not wanted so.
    """
    card = stated(find_model(options.model))
    require_proven(card, unproven=options.unproven)
    return card


@dataclass(frozen=True)
class Loading:
    """A classifier in the making."""

    options: ClassifierOptions
    card: ModelCard
    ending: Event
    readers: PatientReaders
    network: Future[FallbackRuntime]
    _stack: ExitStack

    def classifier(self) -> Classifier:
        """Wait for the network. Once only; what it made lives as long as ``begin_loading``."""
        from lungscan.classification.case_record import RunContext
        from lungscan.classification.classifier import Classifier
        from lungscan.classification.scoring import Scorer
        from lungscan.explaining import load_explainer
        from lungscan.workers import Workers

        options, card = self.options, self.card
        runtime = self.network.result()
        novelty = load_novelty(card.folder / NOVELTY)
        run = RunContext(options, card, runtime.device, *settings_of(options, card))
        workers = self._stack.enter_context(Workers(_jobs(options), self.ending, self.readers.stop))
        explainer = load_explainer(options.explain, card, runtime)
        return Classifier(run, Scorer(card, runtime, novelty, explainer), workers, self.readers)

    def notices(self) -> Iterator[str]:
        """Sentences about what has changed since this was asked last: a GPU was lost."""
        return self.network.result().notices()


@contextmanager
def begin_loading(
    options: ClassifierOptions,
    card: ModelCard,
    *,
    launched: Launched | None = None,
    stop: Event | None = None,
    first: InputFile | None = None,
) -> Iterator[Loading]:
    """Start the readers and compile the network beside; whoever leaves the block ends both.

    Args:
        options: what is wanted.
        card: of the model, see ``wanted_model``.
        launched: a reader process that was started beforehand, see ``lungscan.opening.launch``.
        stop: set it, from any thread, to end whatever is waited for.
        first: the slide to open meanwhile.

    Raises:
        MachineError: memory ran out.
    """
    ending = stop or Event()
    with ExitStack() as stack:
        opened = stack.enter_context(open_readers(options, card, _jobs(options), launched))
        readers = PatientReaders(opened, ending)
        if first:
            readers.begin(first)
        import_ahead(options.device)  # two threads that import at once only wait for each other
        network = stack.enter_context(_compiling(card, options))
        try:
            yield Loading(options, card, ending, readers, network, stack)
        except MemoryError as error:
            raise MachineError(
                "This machine ran out of memory. Close other programs, or try a smaller batch "
                "(--batch-size) or fewer threads (--threads)."
            ) from error


@contextmanager
def load_classifier(
    options: ClassifierOptions, *, launched: Launched | None = None, stop: Event | None = None
) -> Generator[Classifier, None, None]:
    """A classifier, ready for cases.

    Raises:
        ModelError, MachineError, UsageProblem: model or device are not to be had.
    """
    card = wanted_model(options)
    with begin_loading(options, card, launched=launched, stop=stop) as loading:
        yield loading.classifier()


@contextmanager
def _compiling(card: ModelCard, options: ClassifierOptions) -> Iterator[Future[FallbackRuntime]]:
    """The network, loaded by a thread of its own."""
    load: Callable[..., FallbackRuntime] = partial(FallbackRuntime, partial(load_runtime, card))
    threads = options.threads or available_threads()
    with ThreadPoolExecutor(1, "loading") as beside:
        yield beside.submit(load, options.device, threads, options.batch_size)


def _jobs(options: ClassifierOptions) -> int:
    """Threads that read and score: one waits for its reader while the others use the cores."""
    return (options.threads or available_threads()) + 1
