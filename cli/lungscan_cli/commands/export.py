"""``lungscan export``: a model as one ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import NEW_FILE, SETTINGS, json_option, model_argument, out_option
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan export lung-histology --out lung.onnx", "for programs that run ONNX"),
        ("lungscan export my-model --out my-model.onnx", "the same of a model folder"),
    ),
    context_settings=SETTINGS,
    epilog="The file takes uint8 RGB fields of the model's size and gives calibrated "
    "probabilities and features. What LungScan does around the network is not in it: finding "
    "tissue, and refusing what does not look like lung.",
)
@model_argument()
@out_option(
    required=True,
    type=NEW_FILE,
    help="The file to write; its name ends with .onnx.",
)
@json_option
def export(*, model: str, out: Path, as_json: bool) -> int:
    """Write a model as one ONNX file.

    MODEL is a shipped model's name or a model folder. Needs torch (the extra train).
    """
    import lungscan
    from lungscan import RESEARCH_USE
    from lungscan.jobs import ExportOptions
    from lungscan_cli.console import answers, people, plain, say, write_json

    (finished,) = lungscan.export(ExportOptions(model, out))
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
