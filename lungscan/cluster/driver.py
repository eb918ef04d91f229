"""The driver of a run on a cluster: hands out cases, takes in results, writes the tables."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event

from lungscan import __version__
from lungscan.classification.case_record import RunContext
from lungscan.classification.loading import wanted_model
from lungscan.cluster.address import parse_cluster
from lungscan.cluster.books import ClusterLedger
from lungscan.cluster.connecting import Link, connected
from lungscan.cluster.handing_out import ClusterRun
from lungscan.cluster.remote import device_of_worker
from lungscan.cluster.remote_tasks import Job
from lungscan.errors import LungScanError, MachineError, UsageProblem
from lungscan.events import ScanEvent
from lungscan.layout import STAGES
from lungscan.opening.launch import Launched
from lungscan.options import ScanOptions
from lungscan.report.write import FEW_FIELDS
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.provenance import settings_of
from lungscan.results.store import RunStore
from lungscan.scanning.deidentify import nameless_errors
from lungscan.scanning.part import Part
from lungscan.scanning.planning import check_options, find_inputs
from lungscan.types import Inputs
from lungscan.workers import Stopped


def scan_on_cluster(
    options: ScanOptions, launched: Launched | None = None, stop: Event | None = None
) -> Generator[ScanEvent, None, None]:
    """Classify everything that ``options`` point at on the workers of a cluster.

    Events, results and files are those of ``lungscan.scanning.scan.scan``; the largest cases come
    first. What is left when it is stopped is what any stopped run leaves: the same command goes on,
    with whatever workers there are then.

    Raises:
        As ``lungscan.scanning.scan.scan``; MachineError also when the scheduler goes away.
    """
    if launched is not None:
        launched.close()
    if options.cluster is None:
        raise UsageProblem("There is no --cluster to run on.")
    check_options(options)
    card = wanted_model(options)
    cluster = parse_cluster(options.cluster)
    part = Part(options, find_inputs(options))
    store, ending = RunStore(options.out), stop or Event()
    with ExitStack() as stack, suppress(Stopped):
        stack.enter_context(nameless_errors(part.inputs.hidden))
        stack.enter_context(part.lock())
        link = stack.enter_context(connected(cluster, options.device, ending))
        token = stack.enter_context(_stages(options.out))
        job = job_of(options, link, card.sha256, part.inputs, token)
        device = _device_of_a_worker(link, job)
        part.prepare(store)
        run = RunContext(options, card, device, *settings_of(options, card))
        ledger = ClusterLedger(options, run, store, part.inputs)
        yield from ClusterRun(link, job, run, store, part.inputs, ledger, ending).events()


def job_of(options: ScanOptions, link: Link, sha256: str, inputs: Inputs, token: str) -> Job:
    """What every worker has to know of the run."""
    fields = sum(file.kind == "field" for case in inputs.cases for file in case.files)
    return Job(
        options=options,
        model_sha256=sha256,
        version=__version__,
        few_fields=fields <= FEW_FIELDS,
        threads=options.threads or link.threads,
        neighbours=link.neighbours(),
        stages=(options.out / STAGES).resolve(),
        token=token,
    )


def _device_of_a_worker(link: Link, job: Job) -> str:
    """Have one worker load the model, so that what is wrong with it shows at once."""
    try:
        future = link.client.submit(
            device_of_worker, job, pure=False, resources=link.resources or None
        )
        return str(future.result())
    except LungScanError:
        raise
    except Exception as error:
        raise MachineError(
            f"A worker cannot work for LungScan ({type(error).__name__}: {error}). Install the "
            "same version of LungScan on every worker, and see `lungscan doctor` there."
        ) from error


@contextmanager
def _stages(out: Path) -> Iterator[str]:
    """The folder for what workers have finished, with a word in it by which they know it."""
    folder, token = out / STAGES, secrets.token_hex(16)
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        write_atomic(folder / "token", token.encode("ascii"), durable=False)
    except OSError as error:
        raise machine_error(error, folder) from error
    try:
        yield token
    finally:
        shutil.rmtree(folder, ignore_errors=True)
