"""Click classes: help that begins with examples, and sub-commands imported when needed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

Examples = tuple[tuple[str, str], ...]  # (what to type, what it does)


def path_of(ctx: click.Context) -> tuple[str, ...]:
    """The names that lead to a context's command, without the program's."""
    above = ctx.parent
    return () if above is None else (*path_of(above), str(ctx.info_name))


class ExamplesCommand(click.Command):
    """A command whose ``--help`` shows examples first, then the usage and the options."""

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As Click does, with what the files of options say in the place of defaults."""
        if parent is not None and not parent.resilient_parsing and "default_map" not in extra:
            from lungscan_cli.settings import kept_for

            path = (*path_of(parent), str(info_name))
            kept = kept_for(self, path, parent.find_root().command)
            extra["default_map"] = {name: found.value for name, found in kept.items()}
        return super().make_context(info_name, args, parent, **extra)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples in front of Click's own help."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(self.examples, col_max=60)
            formatter.write_paragraph()
        super().format_help(ctx, formatter)


class LazyGroup(ExamplesCommand, click.Group):
    """A group that imports the module of a sub-command when that one is asked for.

    ``commands_at`` maps each name to ``module:attribute``. Order is the order of the help.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = dict(commands_at)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  Click's signature
        """Names in the order of the help."""
        return list(self.commands_at)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  Click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return one sub-command, or None when there is none of that name."""
        where = self.commands_at.get(cmd_name)
        if where is None:
            return None
        module, attribute = where.split(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{where} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command; a misspelt name is answered with the nearest one."""
        name = args[0]
        if name not in self.commands_at and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.NoSuchCommand(name, possibilities=self.commands_at, ctx=ctx)
        return super().resolve_command(ctx, args)
