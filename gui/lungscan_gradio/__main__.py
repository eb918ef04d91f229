"""``python -m lungscan_gradio``: serve the page, on this machine alone unless there are passwords."""

from __future__ import annotations

import os

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7860, show_default=True, help="Port to listen on.")
def main(host: str, port: int) -> None:
    """Serve LungScan's Gradio page. Research use only."""
    import uvicorn
    from lungscan_web.jobs.desk import Desk
    from lungscan_web.jobs.folder import PrivateFolder
    from lungscan_web.jobs.limits import Limits

    desk = Desk(Limits(), PrivateFolder())
    try:
        cache = desk.folder.path / "gradio"
        cache.mkdir(mode=0o700)
        # Gradio reads these at its import: its cache lies in the private folder, nothing is sent.
        os.environ.update(GRADIO_TEMP_DIR=str(cache), GRADIO_ANALYTICS_ENABLED="False")
        from lungscan_gradio.serving import application

        click.echo(f"http://{host}:{port}", err=True)
        uvicorn.run(application(desk), host=host, port=port, log_level="warning")
    finally:
        desk.close()


if __name__ == "__main__":
    main()
