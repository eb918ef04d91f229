"""``lungscan completion``: the script that lets a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand
from lungscan_cli.shells import SHELLS

INSTALL = "install"


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan completion install", "for the shell in use, from its next start on"),
        ("lungscan completion install fish", "for another one"),
        ('eval "$(lungscan completion bash)"', "for this session only"),
    ),
    context_settings=SETTINGS,
)
@click.argument("what", metavar="install|bash|zsh|fish", type=click.Choice([INSTALL, *SHELLS]))
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, what: str, shell: str | None) -> int:
    """Complete commands in bash, zsh or fish.

    install puts the script where the shell looks for it; a shell's name prints it.
    """
    from lungscan_cli import shells

    if what != INSTALL:
        if shell is not None:
            raise click.UsageError(f"Did you mean `lungscan completion install {shell}`?", ctx)
        click.echo(_script(ctx, what))
        return 0
    name = shell or shells.shell_in_use()
    done = shells.install(name, _script(ctx, name))
    click.echo(f"Written: {done.script}", err=True)
    if done.start_file is not None:
        click.echo(f"Told to read it: {done.start_file}", err=True)
    click.echo(f"Start {name} anew to use it.", err=True)
    return 0


def _script(ctx: click.Context, shell: str) -> str:
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"This version of Click knows no completion for {shell}.")
    return maker(ctx.find_root().command, {}, "lungscan", "_LUNGSCAN_COMPLETE").source()
