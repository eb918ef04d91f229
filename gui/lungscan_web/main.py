"""Start the page: bind, build, serve, and clean up."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lungscan import DISTRIBUTION
from lungscan.errors import MachineError, UsageProblem
from lungscan_web.jobs.limits import Limits
from lungscan_web.server.settings import WebSettings

if TYPE_CHECKING:
    import uvicorn

    from lungscan_web.server.services import Services

NEEDED = ("jinja2", "python_multipart", "starlette", "uvicorn")
CONNECTIONS = 400  # at once; more are told that the page is busy
BACKLOG = 128
HEAD_BYTES = 16 << 10  # of a request
KEEP_ALIVE_S = 10
END_S = 2  # for open streams, when the page closes


def start(
    say: Callable[[str], None],
    *,
    kept_minutes: float,
    upload_gigabytes: float,
    model: str,
    host: str,
    port: int,
    auth: Path | None,
    names: tuple[str, ...],
    proxies: tuple[str, ...],
    certificate: Path | None,
    certificate_key: Path | None,
) -> int:
    """What ``lungscan web`` does; see ``WebSettings`` and ``run``."""
    _require_web()
    most = max(1, round(upload_gigabytes * 1e9))
    limits = Limits(kept_seconds=kept_minutes * 60, upload_bytes=most)
    settings = WebSettings(
        model, host, port, auth, names, certificate, certificate_key, limits, proxies
    )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    return run(settings, say)


def add_user(path: Path, name: str, password: str) -> None:
    """Add somebody to a password file; see ``lungscan_web.access.passwords``."""
    from lungscan_web.access.passwords import add_user as add

    add(path, name, password)


def _require_web() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MachineError(
            f"The page needs what is not installed here: {', '.join(missing)}. It comes with "
            f'`python -m pip install "{DISTRIBUTION}[web]"`.'
        )


def run(settings: WebSettings, say: Callable[[str], None]) -> int:
    """Serve until interrupted; the exit code. ``say`` tells people where the page is.

    Raises:
        UsageProblem: the password file, or the certificate.
        ModelError: the model.
        MachineError: the address is taken, or no folder can be made.
    """
    from lungscan_web.server.services import open_services

    require_certificate(settings)
    bound = bind(settings.host, settings.port)
    with bound:
        port: int = bound.getsockname()[1]
        services = open_services(settings)
        try:
            server = make_server(settings, port, services)
            for line in greeting(settings, port):
                say(line)
            with asyncio.Runner() as runner:
                runner.run(server.serve(sockets=[bound]))
        finally:
            services.close()  # also where the server never came to its end
    return 0


def require_certificate(settings: WebSettings) -> None:
    """See to it that certificate and key can be used. Raises UsageProblem."""
    if settings.certificate is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.certificate, settings.certificate_key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UsageProblem(
            f"--certificate {settings.certificate} and --certificate-key "
            f"{settings.certificate_key} cannot be used together ({why}). Give a certificate and "
            "the key that was made with it, both as PEM."
        ) from error


def make_server(settings: WebSettings, port: int, services: Services) -> uvicorn.Server:
    """The server, ready for a socket bound to ``port``."""
    import uvicorn

    from lungscan_web.server.app import build
    from lungscan_web.server.protocol import protocol

    config = uvicorn.Config(
        build(services, settings.hosts(port)),
        http=protocol(settings.limits.head_seconds),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=END_S,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.certificate_key,
    )
    return uvicorn.Server(config)


def greeting(settings: WebSettings, port: int) -> list[str]:
    """What to say when the page opens."""
    scheme = "https" if settings.secure else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"LungScan's page is open at {scheme}://{host}:{port}/"]
    if settings.behind_proxy:
        names = " and ".join(settings.names)
        lines.append(
            f"A proxy on this machine may bring others to it, as {names}. They need a password."
            if settings.auth
            else f"A proxy on this machine may bring others to it, as {names}. Nobody is asked for "
            "a password here: give --auth, unless the proxy itself asks for one."
        )
        lines.append("Press Ctrl+C to close it.")
        return lines
    if settings.is_local:
        lines.append("Only this machine reaches it. Press Ctrl+C to close it.")
        return lines
    lines.append("Everybody who reaches this machine can open it, and needs a password to get in.")
    if settings.proxies:
        lines.append(f"A proxy at {' or '.join(settings.proxies)} says from where visitors come.")
    if settings.proxies and not settings.secure:
        lines.append(
            "Between it and this page nothing is encrypted: keep others off that line and off this "
            "port, or give --certificate and --certificate-key."
        )
    elif not settings.secure:
        lines.append(
            "Passwords and pictures travel unencrypted: put a proxy with TLS before it, or give "
            "--certificate and --certificate-key."
        )
    lines.append("Press Ctrl+C to close it.")
    return lines


def bind(host: str, port: int) -> socket.socket:
    """A socket at the address. Raises MachineError."""
    try:
        (family, kind, proto, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound = socket.socket(family, kind, proto)
        try:
            # Where the first is known (Windows), the second lets another program take the port.
            alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
            bound.setsockopt(socket.SOL_SOCKET, alone, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise MachineError(
            f"The page cannot open at {host}, port {port} ({error.strerror or error}). Another "
            "program may use the port: choose one with --port, or 0 for any that is free."
        ) from error
    return bound
