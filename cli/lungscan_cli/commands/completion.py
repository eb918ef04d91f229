"""``lungscan completion``: the script that lets a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ('eval "$(lungscan completion bash)"', "in ~/.bashrc"),
        ('eval "$(lungscan completion zsh)"', "in ~/.zshrc"),
        ("lungscan completion fish | source", "in ~/.config/fish/config.fish"),
    ),
    context_settings=SETTINGS,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> int:
    """Print the completion script of a shell."""
    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"This version of Click knows no completion for {shell}.")
    root = ctx.find_root().command
    click.echo(maker(root, {}, "lungscan", "_LUNGSCAN_COMPLETE").source())
    return 0
