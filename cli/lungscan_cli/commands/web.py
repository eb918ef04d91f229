"""``lungscan web``: the page, where it is installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from lungscan.errors import UsageProblem
from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand

PAGE = "lungscan_web.main"  # found by name: front ends do not know each other


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan web", "for browsers on this machine"),
        ("lungscan web --auth users --add-user kim", "give somebody a password"),
        ("lungscan web --host 0.0.0.0 --auth users", "for a department"),
    ),
    context_settings=SETTINGS,
)
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    default="auto",
    help="The only model to offer. auto: all shipped ones, chosen by what is given.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="0: any that is free.")
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    help="Address to open the page at; another than this machine's own needs --auth.",
)
@click.option(
    "--auth",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="nobody has to log in",
    help="Names and hashed passwords of those who may log in.",
)
@click.option(
    "--add-user",
    metavar="NAME",
    show_default="none",
    help="Ask for a password, add it to the --auth file, and open nothing.",
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    show_default="the address, and this machine's names",
    help="Another name that browsers reach the page by, as behind a proxy. May be given again.",
)
@click.option(
    "--proxy",
    "proxies",
    metavar="ADDRESS",
    multiple=True,
    show_default="one on this machine, with --name",
    help="Address or network of a proxy whose word on visitors counts. May be given again.",
)
@click.option(
    "--certificate",
    metavar="PEM",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_default="not encrypted",
    help="Certificate for TLS.",
)
@click.option(
    "--certificate-key",
    metavar="PEM",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_default="none",
    help="Its private key.",
)
@click.option(
    "--keep", metavar="MINUTES", type=click.FloatRange(0, min_open=True), default=60.0,
    help="After so long a finished job is deleted with all its files.",
)  # fmt: skip
@click.option(
    "--largest",
    metavar="GB",
    type=click.FloatRange(0, min_open=True),
    default=8.0,
    help="The most that may be given at once, unpacked.",
)
def web(
    *,
    model: str,
    port: int,
    host: str,
    auth: Path | None,
    add_user: str | None,
    names: tuple[str, ...],
    proxies: tuple[str, ...],
    certificate: Path | None,
    certificate_key: Path | None,
    keep: float,
    largest: float,
) -> int:
    """Open a page to classify images in a browser.

    Nobody but this machine reaches it unless --host says so. What is given is deleted some time
    after it was answered, and when the page closes.
    """
    from lungscan_cli.console import people, plain, say

    page = import_module(PAGE)
    if add_user is not None:
        if auth is None:
            raise UsageProblem("--add-user needs --auth FILE, the file to write to.")
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        page.add_user(auth, add_user, password)
        say(people(), f"{add_user} can log in now, after the page is started anew.")
        return 0
    code: int = page.start(
        lambda line: say(people(), plain(line)),
        kept_minutes=keep,
        upload_gigabytes=largest,
        model=model,
        host=host,
        port=port,
        auth=auth,
        names=names,
        proxies=proxies,
        certificate=certificate,
        certificate_key=certificate_key,
    )
    return code
