"""Options and value types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from lungscan.options import (
    ANY_CUDA,
    DEFAULT_MODEL,
    DEVICES,
    MAX_MPP_UM,
    MIN_MPP_UM,
    is_device,
)
from lungscan_cli.border import Wanted

F = TypeVar("F", bound=Callable[..., Any])

# Every option may also be set by LUNGSCAN_<FIELD>, such as LUNGSCAN_DEVICE=cpu.
SETTINGS = {
    "auto_envvar_prefix": "LUNGSCAN",
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "show_default": True,
}
ENVIRONMENT_NOTE = "Each option can also be set in the environment, as in LUNGSCAN_DEVICE=cpu."

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(exists=True, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


class DeviceType(click.ParamType[str]):
    """A device by name; whether this machine has it, the engine finds out."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or end with the list of possible ones."""
        name = str(value)
        if not is_device(name):
            self.fail(f"{name!r} is none of {', '.join(DEVICES)}.", param, ctx)
        return name

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  Click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Offer the names that begin so."""
        names = [name.replace(ANY_CUDA, "cuda:0") for name in DEVICES]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Micrometres(click.FloatRange):
    """µm per pixel, as far as there are any."""

    def __init__(self) -> None:
        super().__init__(MIN_MPP_UM, MAX_MPP_UM)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or say why it is none."""
        text = str(value)
        if "," in text:
            point = text.replace(",", ".")
            self.fail(f"{text!r} has a comma; write it with a point: {point}", param, ctx)
        number: float = super().convert(value, param, ctx)
        return number


MICROMETRES = Micrometres()


def complete_model(
    ctx: click.Context,  # noqa: ARG001  Click's signature
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[CompletionItem]:
    """Offer shipped models by folder name, without loading any; else folders."""
    from lungscan_models import shipped_models

    names = sorted(card.parent.name for card in shipped_models().glob("*/card.json"))
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="dir")]


def model_argument(name: str = "model") -> Callable[[F], F]:
    """A model that must be named."""
    return click.argument(name, metavar=name.upper(), shell_complete=complete_model)


def out_option(*names: str, **settings: Any) -> Callable[[F], F]:
    """``--out`` of a command that writes no results of cases: LUNGSCAN_OUT is meant for those."""
    return click.option("--out", "-o", *names, allow_from_autoenv=False, **settings)


def answer_options(command: F) -> F:
    """Add ``--json`` and ``--quiet``."""
    return json_option(quiet_option(command))


data_argument = click.argument("data", metavar="DATA", type=FOLDER)
folder_argument = click.argument("folder", metavar="DIR", type=FOLDER)
model_option = click.option(
    "--model",
    default=DEFAULT_MODEL,
    shell_complete=complete_model,
    help="A shipped model's name (see `lungscan models list`), or a model folder.",
)
device_option = click.option(
    "--device",
    type=DeviceType(),
    default="auto",
    help=f"{', '.join(DEVICES[:-1])} or {DEVICES[-1]}; auto takes the fastest here.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), show_default="all cores", help="Threads to compute with."
)


def _note_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    """Tell the border, which also has to say an error as JSON."""
    wanted = ctx.find_object(Wanted)
    if wanted is not None:
        wanted.json = value
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,  # before another option is refused
    callback=_note_json,
    envvar="LUNGSCAN_JSON",
    show_default="off",
    help="Print one JSON object on stdout.",
)
quiet_option = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    show_default="off",
    help="Print nothing but errors.",
)
