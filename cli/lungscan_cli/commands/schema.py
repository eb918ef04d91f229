"""``lungscan schema``: what the files for other programs hold, as JSON Schemas."""

from __future__ import annotations

import click

from lungscan.schemas import FILES, schema_of
from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan schema case.json", "one file's schema"),
        ("lungscan schema > lungscan-schemas.json", "all of them, by the file's name"),
    ),
    context_settings=SETTINGS,
)
@click.argument("file", required=False, type=click.Choice(FILES))
def schema(*, file: str | None) -> int:
    """Print JSON Schemas of the files for other programs.

    FILE is one that LungScan writes; without it all are printed as one object, by their names.
    """
    from lungscan_cli.console import write_json

    write_json({name: schema_of(name) for name in FILES} if file is None else schema_of(file))
    return 0
