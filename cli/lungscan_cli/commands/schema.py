"""``lungscan schema``: what the files for other programs hold, as JSON Schemas."""

from __future__ import annotations

import click

from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand


@click.command(cls=ExamplesCommand, context_settings=SETTINGS)
def schema() -> int:
    """Print the JSON Schema of a file that LungScan writes."""
    return 0
