"""``lungscan export``: a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan.door import jobs
from lungscan_cli.choices import SETTINGS, json_option, model_argument, out_option
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan export lung-histology --out lung.onnx", "for programs that run ONNX"),
        ("lungscan export my-model --out my-model.onnx", "the same of a model folder"),
        ("lungscan export lung-histology --form wsinfer --out lung", "for QuPath"),
    ),
    context_settings=SETTINGS,
    epilog="The ONNX file takes uint8 RGB fields of the model's size and gives calibrated "
    "probabilities and features. The folder for QuPath goes into the folder `user` of the WSInfer "
    "extension's model directory. What LungScan does around the network is in neither: finding "
    "tissue, and refusing what does not look like lung.",
)
@model_argument()
@out_option(
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write, whose name ends with .onnx; of wsinfer the folder.",
)
@click.option(
    "--form",
    type=click.Choice(jobs.EXPORT_FORMS),
    default="onnx",
    help="onnx: one file. wsinfer: a model folder for QuPath's WSInfer extension.",
)
@json_option
def export(*, model: str, out: Path, form: jobs.ExportForm, as_json: bool) -> int:
    """Write a model for other programs.

    MODEL is a shipped model's name or a model folder. Needs torch (the extra train).
    """
    import lungscan
    from lungscan import RESEARCH_USE
    from lungscan_cli.console import answers, people, plain, say, write_json

    (finished,) = lungscan.export(jobs.ExportOptions(model, out, form))
    done = finished.export
    if as_json:
        write_json(
            {
                "schema_version": 1,
                "file": str(done.path),
                "bytes": done.bytes,
                "worst_difference": done.worst_difference,
            }
        )
        return 0
    say(
        answers(),
        f"{plain(str(done.path))}, {done.bytes / 1e6:.1f} MB; repeats the golden answers "
        f"(largest difference of a probability {done.worst_difference:.1e}).",
    )
    say(people(), RESEARCH_USE, style="bold")
    return 0
