"""Where the eye is: level-0 pixels of the image to points of the screen and back. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace

CLOSEST = 8.0  # points of the screen per level-0 pixel
FARTHEST = 0.5  # of the zoom at which the whole image fits
Box = tuple[float, float, float, float]  # left, top, width, height


@dataclass(frozen=True, slots=True)
class Camera:
    """A view of an image on a part of the screen. Screen sizes are points, not device pixels."""

    image: tuple[int, int]  # width, height of level 0
    screen: tuple[int, int]
    centre: tuple[float, float]  # in level-0 pixels
    zoom: float  # points per level-0 pixel

    @property
    def fit_zoom(self) -> float:
        """The zoom at which the whole image is seen."""
        return min(max(s, 1) / max(i, 1) for s, i in zip(self.screen, self.image, strict=True))

    @property
    def visible(self) -> Box:
        """The part of level 0 that the screen shows; it may stick out of the image."""
        width, height = (s / self.zoom for s in self.screen)
        return self.centre[0] - width / 2, self.centre[1] - height / 2, width, height

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a position of level 0 lies on the screen."""
        return (
            (x - self.centre[0]) * self.zoom + self.screen[0] / 2,
            (y - self.centre[1]) * self.zoom + self.screen[1] / 2,
        )

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Which position of level 0 lies at a point of the screen."""
        return (
            (x - self.screen[0] / 2) / self.zoom + self.centre[0],
            (y - self.screen[1] / 2) / self.zoom + self.centre[1],
        )

    def fitted(self) -> Camera:
        """The whole image."""
        centre = (self.image[0] / 2, self.image[1] / 2)
        return replace(self, centre=centre, zoom=min(self.fit_zoom, CLOSEST))

    def resized(self, screen: tuple[int, int]) -> Camera:
        """The same centre on a screen of another size; a fitted image stays fitted."""
        fits = abs(self.zoom / self.fit_zoom - 1) < 1e-6
        camera = replace(self, screen=screen)
        return camera.fitted() if fits else camera._kept()

    def zoomed(self, factor: float, at: tuple[float, float] | None = None) -> Camera:
        """Nearer or farther; the point ``at`` of the screen keeps its place."""
        return self.zoomed_to(self.zoom * factor, at)

    def zoomed_to(self, zoom: float, at: tuple[float, float] | None = None) -> Camera:
        """As ``zoomed``, to a given zoom."""
        at = at or (self.screen[0] / 2, self.screen[1] / 2)
        zoom = min(max(zoom, self.fit_zoom * FARTHEST), max(CLOSEST, self.fit_zoom))
        x, y = self.to_image(*at)
        moved = (
            x - (at[0] - self.screen[0] / 2) / zoom,
            y - (at[1] - self.screen[1] / 2) / zoom,
        )
        return replace(self, zoom=zoom, centre=moved)._kept()

    def panned(self, dx: float, dy: float) -> Camera:
        """The image moved by so many points of the screen."""
        centre = (self.centre[0] - dx / self.zoom, self.centre[1] - dy / self.zoom)
        return replace(self, centre=centre)._kept()

    def moved_to(self, x: float, y: float) -> Camera:
        """Another centre."""
        return replace(self, centre=(x, y))._kept()

    def _kept(self) -> Camera:
        """The centre never leaves the image."""
        x, y = (min(max(c, 0.0), float(i)) for c, i in zip(self.centre, self.image, strict=True))
        return replace(self, centre=(x, y))


def open_camera(image: tuple[int, int], screen: tuple[int, int]) -> Camera:
    """The whole of an image that was just opened."""
    return Camera(image, screen, (0.0, 0.0), 1.0).fitted()
