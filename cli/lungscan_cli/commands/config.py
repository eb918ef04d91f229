"""``lungscan config``: which value each option has, and where it comes from."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import click
from click.core import ParameterSource

from lungscan_cli.choices import SETTINGS, json_option
from lungscan_cli.groups import ExamplesCommand, LazyGroup
from lungscan_cli.settings import (
    SettingsFile,
    commands_below,
    kept_for,
    key_of,
    options_of,
    read_files,
    variable_of,
)

DEBUG = "LUNGSCAN_DEBUG"  # no option: see ``lungscan_cli.border``


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of one command."""

    command: str
    option: str
    value: Any  # None: nothing was given, and what ``shown`` says holds
    shown: str
    source: str  # "default", a variable's name, or a file
    problem: str = ""  # why the value cannot be used


@click.group(
    cls=LazyGroup,
    commands_at={"show": "lungscan_cli.commands.config:show"},
    examples=(("lungscan config show", "every option, its value, and where that comes from"),),
    context_settings=SETTINGS,
)
def config() -> None:
    """Show which options are set, and where."""


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan config show", "every command's options"),
        ("lungscan config show classify", "those of one"),
        ("lungscan config show --changed", "only what is no default"),
    ),
    context_settings=SETTINGS,
    epilog="A value comes from the command line, else from LUNGSCAN_*, else from ./lungscan.toml, "
    "else from the user's lungscan.toml, else it is the default. A file holds the options' names: "
    'device = "cpu" for every command that has --device, and those of one command in a table of '
    "its name, such as [classify].",
)
@click.argument("command", metavar="[COMMAND]...", nargs=-1)
@click.option("--changed", is_flag=True, show_default="off", help="Leave out what has its default.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, command: tuple[str, ...], changed: bool, as_json: bool) -> int:
    """Print each option's value and where it comes from.

    COMMAND is the name of a command, such as classify or data audit.
    """
    from lungscan_cli.console import write_json

    root = ctx.find_root().command
    chosen = [(path, one) for path, one in commands_below(root) if path[: len(command)] == command]
    if not chosen:
        raise click.UsageError(f"There is no command {' '.join(command)!r}.", ctx)
    files, unknown = read_files(), _unknown_variables(root)
    settings = [setting for path, one in chosen for setting in _settings(one, path, root)]
    if changed:
        settings = [setting for setting in settings if setting.source != "default"]
    if as_json:
        write_json(
            {
                "schema_version": 1,
                "files": [{"path": str(file.path), "there": file.there} for file in files],
                "unknown_variables": unknown,
                "settings": [asdict(setting) for setting in settings],
            }
        )
    else:
        _print(files, settings, unknown)
    return 2 if any(setting.problem for setting in settings) else 0


def _settings(command: click.Command, path: tuple[str, ...], root: click.Command) -> list[Setting]:
    kept = kept_for(command, path, root)
    defaults = {name: found.value for name, found in kept.items()}
    ctx = click.Context(command, default_map=defaults, **command.context_settings)
    found = []
    for option in options_of(command):
        given, source = option.consume_value(ctx, {})
        name, problem = str(option.name), ""
        value = option.to_info_dict()["default"]
        where = {
            ParameterSource.ENVIRONMENT: variable_of(option),
            ParameterSource.DEFAULT_MAP: str(kept[name].file) if name in kept else "",
        }.get(source, "default")
        if where != "default":
            value = given
            try:
                value = option.type_cast_value(ctx, given)
            except click.BadParameter as error:
                problem = error.message
        known = _plain(value)
        shown = _shown(option, known, ctx) if where == "default" else str(known)
        found.append(Setting(" ".join(path), key_of(option), known, shown, where, problem))
    return found


def _plain(value: Any) -> Any:
    """The value as JSON can have it."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _shown(option: click.Option, value: Any, ctx: click.Context) -> str:
    """A default, in the words of ``--help``."""
    extra = option.get_help_extra(ctx)
    if "required" in extra:
        return "must be given"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(extra.get("default", "none" if value is None else value)).strip("()")


def _unknown_variables(root: click.Command) -> list[str]:
    """Variables that look like ours, and are read by no command."""
    known = {variable_of(option) for _, one in commands_below(root) for option in options_of(one)}
    known.add(DEBUG)
    return sorted(name for name in os.environ if name.startswith("LUNGSCAN_") and name not in known)


def _print(files: tuple[SettingsFile, ...], settings: list[Setting], unknown: list[str]) -> None:
    from lungscan_cli.console import answers, people, plain, say

    out = answers()
    for file in files:
        say(out, f"{plain(str(file))}: {'read' if file.there else 'not there'}", style="dim")
    wide = max((len(setting.option) for setting in settings), default=0)
    command = None
    for setting in settings:
        if setting.command != command:
            command = setting.command
            say(out, f"\n{command}", style="bold")
        line = f"  {setting.option:<{wide}}  {plain(setting.shown)}"
        if setting.source != "default":
            line += f"  ({plain(setting.source)})"
        say(out, line, style="" if setting.source == "default" else "cyan")
        if setting.problem:
            say(people(), f"  {setting.option}: {plain(setting.problem)}", style="red")
    for name in unknown:
        say(people(), f"{plain(name)} is set, but no command knows it.", style="yellow")
