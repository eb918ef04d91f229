"""``python -m lungscan_gradio``: the page, for this machine alone unless there are passwords."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Another needs --auth.")
@click.option("--port", default=7860, show_default=True, help="Port to listen at.")
@click.option("--name", "names", multiple=True, help="Name that browsers reach the page by.")
@click.option(
    "--auth",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Password file, made by `lungscan web --auth FILE --add-user NAME`.",
)
def main(host: str, port: int, names: tuple[str, ...], auth: Path | None) -> None:
    """Serve LungScan's Gradio page. Research use only. Not for use in diagnostic procedures."""
    import uvicorn

    from lungscan.errors import LungScanError
    from lungscan_web.access.passwords import Passwords
    from lungscan_web.access.tries import Tries
    from lungscan_web.jobs.desk import Desk
    from lungscan_web.jobs.folder import PrivateFolder
    from lungscan_web.server.settings import WebSettings

    try:
        settings = WebSettings(host=host, port=port, auth=auth, names=names)
        passwords, tries = Passwords(auth) if auth else None, Tries()
        desk = Desk(settings.limits, PrivateFolder())
    except LungScanError as error:
        raise click.ClickException(str(error)) from error

    def accept(name: str, password: str) -> bool:
        # Gradio does not say from where somebody logs in, so tries are counted by name alone.
        if passwords is None or tries.begin(name, name) or not passwords.accept(name, password):
            return False
        tries.right(name, name)
        return True

    try:
        cache = desk.folder.path / "gradio"
        cache.mkdir(mode=0o700)
        # Gradio reads these at its import: its cache lies in the private folder, nothing is sent.
        os.environ.update(GRADIO_TEMP_DIR=str(cache), GRADIO_ANALYTICS_ENABLED="False")
        from lungscan_gradio.serving import THIS_MACHINE, application

        click.echo(f"LungScan's Gradio page is open at http://{host}:{port}/", err=True)
        app = application(desk, {*THIS_MACHINE, host, *names}, accept if passwords else None)
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
    finally:
        desk.close()


if __name__ == "__main__":
    main()
