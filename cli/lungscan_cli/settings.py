"""Options that are kept in files: ``lungscan.toml`` here, and one of the user's.

An option's value comes from the command line, else from ``LUNGSCAN_*``, else from
``./lungscan.toml``, else from the user's file, else it is the default. A file holds the options'
names as the command line has them; those of one command stand in a table of its name::

    device = "cpu"        # for every command that has --device

    [classify]
    pdf = "cases"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

NAME = "lungscan.toml"
PROGRAM = "lungscan"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file of options and what it holds; nothing where there is none."""

    path: Path
    there: bool
    values: Mapping[str, Any]

    def __str__(self) -> str:
        """Its name for people: the one here without its folder."""
        return f"./{NAME}" if self.path == Path.cwd() / NAME else str(self.path)


@dataclass(frozen=True, slots=True)
class Kept:
    """An option's value in a file."""

    key: str  # as the file has it
    value: Any
    file: SettingsFile


def places() -> tuple[Path, Path]:
    """Where such files may lie, the one that wins first."""
    return Path.cwd() / NAME, Path(click.get_app_dir(PROGRAM)) / NAME


def read_files() -> tuple[SettingsFile, ...]:
    """Both files, the one that wins first. Raises UsageError for one that is no TOML."""
    return tuple(_read(path) for path in places())


def kept_for(command: click.Command, path: Sequence[str], root: click.Command) -> dict[str, Kept]:
    """What the files say of a command's options, by the option's name in Python.

    Args:
        command: the command.
        path: the names that lead to it, such as ``("data", "audit")``.
        root: ``lungscan`` itself, whose commands are the tables that a file may have.

    Raises:
        UsageError: a key that is no option, or a value that is none of its.
    """
    found: dict[str, Kept] = {}
    for file in reversed(read_files()):  # what comes later wins
        if not file.values:
            continue
        general, own = _general(file), _table(file, path, root)
        by_key = {key_of(option): option for option in options_of(command)}
        for key, value in general.items():
            option = by_key.get(_spelt(key))
            if option is not None and option.allow_from_autoenv:
                found[str(option.name)] = _checked(Kept(key, value, file), option, command)
        for key, value in own.items():
            option = by_key.get(_spelt(key))
            if option is None:
                if isinstance(value, dict) and isinstance(command, click.Group):
                    continue
                where = f"[{'.'.join(path)}] "
                raise _unknown(file, f"{where}{key}", key, by_key)
            found[str(option.name)] = _checked(Kept(key, value, file), option, command)
        _require_known((key for key in general if _spelt(key) not in by_key), file, root)
    return found


def options_of(command: click.Command) -> list[click.Option]:
    """The options that can be kept: not ``--help`` and the like."""
    return [
        param for param in command.params if isinstance(param, click.Option) and param.expose_value
    ]


def key_of(option: click.Option) -> str:
    """The option's name in a file: its long form on the command line, without dashes in front."""
    return max(option.opts, key=len).lstrip("-")


def variable_of(option: click.Option) -> str:
    """The option's name in the environment; "" where it has none."""
    if isinstance(option.envvar, str):
        return option.envvar
    return f"LUNGSCAN_{str(option.name).upper()}" if option.allow_from_autoenv else ""


def commands_below(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the names that lead to it."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield from commands_below(command, (*path, name))


def _read(path: Path) -> SettingsFile:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return SettingsFile(path, False, {})
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read ({error.strerror}).") from error
    import tomllib

    try:
        return SettingsFile(path, True, tomllib.loads(text.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is no TOML file: {error}.") from error


def _general(file: SettingsFile) -> dict[str, Any]:
    return {key: value for key, value in file.values.items() if not isinstance(value, dict)}


def _require_known(keys: Iterable[str], file: SettingsFile, root: click.Command) -> None:
    """Keys that one command has no use for are another's. Raises UsageError for those of none."""
    left = sorted(keys)
    if not left:
        return
    known = {key_of(option) for _, one in commands_below(root) for option in options_of(one)}
    for key in left:
        if _spelt(key) not in known:
            raise _unknown(file, key, key, known)


def _table(file: SettingsFile, path: Sequence[str], root: click.Command) -> Mapping[str, Any]:
    """The table of one command. Raises UsageError for a table that no command has."""
    names = root.list_commands(click.Context(root)) if isinstance(root, click.Group) else []
    for key, value in file.values.items():
        if isinstance(value, dict) and key not in names:
            raise _unknown(file, f"[{key}]", key, names)
    table: Mapping[str, Any] = file.values
    for name in path:
        inner: object = table.get(name, {})
        if not isinstance(inner, dict):
            return {}
        table = inner
    return table


def _spelt(key: str) -> str:
    return key.replace("_", "-")


def _checked(kept: Kept, option: click.Option, command: click.Command) -> Kept:
    """The same. Raises UsageError where the option cannot have this value."""
    value, problem = kept.value, ""
    if not isinstance(value, (bool, int, float, str, list)):
        problem = "a table or a date is no value of an option"
    elif isinstance(value, bool) != option.is_flag:
        problem = "true or false is wanted" if option.is_flag else "true or false is not wanted"
    elif isinstance(value, list) and not option.multiple:
        problem = "one value is wanted, not a list"
    else:
        try:
            option.type_cast_value(click.Context(command), value)
        except click.BadParameter as error:
            problem = error.message
    if problem:
        raise click.UsageError(f"{kept.file}: {kept.key} = {value!r}: {problem.rstrip('.')}.")
    return kept


def _unknown(
    file: SettingsFile, shown: str, key: str, known: Mapping[str, Any] | Sequence[str] | set[str]
) -> click.UsageError:
    near = get_close_matches(_spelt(key), list(known), 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return click.UsageError(f"{file}: {shown} is no option of LungScan.{hint}")
