"""The page's own files, read once at the start: no request ever leads to a path on the disk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from lungscan_web.jobs.limits import NotHere

FOLDER = Path(__file__).parents[1] / "static"
MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class StaticFiles:
    """All of them, by the address below ``/static/``."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA and path.is_file()
        }
        self._tags = {name: _tag(data) for name, data in self._files.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """What there is."""
        return tuple(self._files)

    async def get(self, request: Request) -> Response:
        """One of them; the browser asks each time whether it has changed."""
        name = request.path_params["path"]
        data = self._files.get(name)
        if data is None:
            raise NotHere("There is no such file.")
        headers = {"cache-control": "no-cache", "etag": self._tags[name]}
        if request.headers.get("if-none-match") == self._tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=MEDIA[Path(name).suffix], headers=headers)


def _tag(data: bytes) -> str:
    return f'"{sha256(data).hexdigest()[:20]}"'
