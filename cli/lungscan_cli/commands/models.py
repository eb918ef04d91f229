"""``lungscan models``: what is shipped, and what each model can and cannot do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click

from lungscan.options import DEFAULT_MODEL
from lungscan_cli.choices import SETTINGS, complete_model, json_option
from lungscan_cli.groups import ExamplesCommand, LazyGroup

if TYPE_CHECKING:
    from lungscan.model.card import ModelCard

HERE = "lungscan_cli.commands.models"
PICTURE = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)  # of Markdown: no terminal shows it


@click.group(
    cls=LazyGroup,
    commands_at={"list": f"{HERE}:list_models", "show": f"{HERE}:show_model"},
    examples=(
        ("lungscan models list", "the shipped models"),
        ("lungscan models show lung-histology", "a model's card: data, accuracy, limits"),
    ),
    context_settings=SETTINGS,
)
def models() -> None:
    """List the shipped models, or show one model's card."""


@click.command("list", cls=ExamplesCommand, context_settings=SETTINGS)
@json_option
def list_models(*, as_json: bool) -> int:
    """List the shipped models."""
    from rich import box
    from rich.table import Table

    import lungscan
    from lungscan_cli.console import answers, write_json

    found = lungscan.models()
    if as_json:
        write_json({"schema_version": 1, "models": [_card_data(card) for card in found]})
        return 0
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Model", "Version", "Classes", "Summary"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "Model")
    for card in found:
        table.add_row(card.name, card.version, ", ".join(card.display_names), card.summary)
    answers().print(table)
    return 0


@click.command("show", cls=ExamplesCommand, context_settings=SETTINGS)
@click.argument("model", metavar="MODEL", default=DEFAULT_MODEL, shell_complete=complete_model)
@json_option
def show_model(*, model: str, as_json: bool) -> int:
    """Show a model's card: what it was made from, how good it is, what it cannot know.

    MODEL is a shipped model's name or a model folder.
    """
    from rich.markdown import Markdown
    from rich.table import Table
    from rich.text import Text

    from lungscan.model.checked import find_model
    from lungscan_cli.console import answers, write_json

    card = find_model(model)
    if as_json:
        write_json(_card_data(card))
        return 0
    console, fields = answers(), _main_fields(card)
    readme = card.folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if console.is_terminal:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(max_width=36)  # an adapted model has long names; their values need room
        grid.add_column(overflow="fold")
        for name, value in fields:
            grid.add_row(Text(name), Text(value))
        console.print(grid)
        console.print()
        console.print(Markdown(PICTURE.sub("", text)))
        return 0
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        console.print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)
    console.print(f"\n{text}", markup=False, soft_wrap=True)
    return 0


def _main_fields(card: ModelCard) -> tuple[tuple[str, str], ...]:
    size, spacing = card.patch_size_pixels, card.spacing_um_px
    return (
        ("Model", f"{card.name} {card.version}"),
        ("Classes", ", ".join(card.display_names)),
        ("Input", f"{size} x {size} px at {spacing:g} µm/px"),
        ("Licence", card.licence),
        ("SHA-256", card.sha256),
        ("Folder", str(card.folder)),
        *card.facts,
    )


def _card_data(card: ModelCard) -> object:
    """Return ``card.json`` as it stands; it is data already."""
    return json.loads((card.folder / "card.json").read_text(encoding="utf-8"))
