"""What the window shows of the chosen case: image, map, evidence, result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungscan.types import CaseResult
from lungscan_gui.cases import Case
from lungscan_gui.engine import ViewedImage
from lungscan_gui.thumbnail import thumbnail_of
from lungscan_gui.viewer.marker import Marker
from lungscan_gui.viewer.opener import Opener
from lungscan_gui.viewer.overlay import Overlay
from lungscan_gui.viewer.picture import Picture
from lungscan_gui.viewer.viewer import Layer

if TYPE_CHECKING:
    from lungscan.types import Explanation, TilePicture
    from lungscan_gui.window import MainWindow

EVIDENCE_POWER = 20.0
OTHER_IMAGE = (
    "{path} has another size than the image that was analysed, so only the overview that the "
    "result keeps is shown."
)
AGAIN = "What was read stays on the screen; F5 reads the image again."
ONLY_OVERVIEW = (
    "The image itself was not found, so only its overview is shown. Drop the file here to look "
    "at it closely."
)


class Display:
    """Follows the chosen case."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.case: Case | None = None
        self.overlay: Overlay | None = None
        self.marker = Marker()
        self.over: list[Layer] = []  # what else is drawn over the image, such as regions
        self.opener = Opener()
        self.opener.opened.connect(self._opened)
        self.opener.failed.connect(self._failed)
        window.queue.chosen.connect(self.show)
        window.evidence.visited.connect(self._visit)
        window.result.explained.visited.connect(self._visit)
        window.viewer.opacity_asked.connect(window.result.map.nudge)
        window.result.map.changed.connect(self._look)
        window.viewbar.profile.setChecked(window.settings.by_profile)
        window.viewbar.profile_asked.connect(self._recolour)

    def prepare(self) -> None:
        """Have a reader process ready."""
        self.opener.prepare()

    def close(self) -> None:
        """Let go of the image."""
        self.opener.close()
        self.opener.forget()
        if self._window.viewer.picture is not None:
            self._window.viewer.picture.close()

    def show(self, case: Case | None) -> None:
        """Show another case."""
        if case is self.case and case is not None:
            return
        self.case, self.marker.box = case, None
        viewer = self._window.viewer
        self._window.message.hide()
        self.opener.forget()
        viewer.show_picture(None, None, "")
        self._window.viewbar.show_profile("")
        self._window.viewbar.name.setText(case.name if case else "")
        if case is None:
            self.refresh()
            return
        if case.path is not None and case.path.exists():
            viewer.say(f"Opening {case.name} ...")
            self.opener.open(case.path, case.mpp)
        else:
            self._show_overview(case)
        self.refresh()

    def reopen(self) -> None:
        """Open the image again, because its scale is known now."""
        case, self.case = self.case, None
        self.show(case)

    def refresh(self) -> None:
        """The chosen case has another state or result."""
        window, case = self._window, self.case
        window.reviewing.show(case)
        model = window.analysis.runner.model
        window.result.show_case(case, model)
        window.evidence.show_case(case)
        self.set_map()
        window.analysis.show_state()

    def set_map(self, rows: slice | None = None) -> None:
        """Take over the map of the chosen case, or what changed in it."""
        window, case = self._window, self.case
        tiles = case.maps.get(0) if case else None
        model = case.result.model if case and case.result else window.analysis.runner.model
        if tiles is None or model is None or len(model.class_names) != tiles.classes:
            self.overlay = None
        elif self.overlay is None or self.overlay.tiles is not tiles:
            self.overlay = Overlay(tiles, model)
            look = window.result.map.look
            if len(look.shown) != tiles.classes:
                window.result.map.set_shown((True,) * tiles.classes)
            self.overlay.look = window.result.map.look
        elif rows is not None:
            self.overlay.redraw(rows)
        below: list[Layer] = [self.overlay] if self.overlay else []
        window.viewer.layers = window.beside.layers([*below, *self.over, self.marker])
        window.readout.map = tiles if self.overlay else None
        window.readout.names = model.display_names if model else ()
        window.viewer.update()

    def _opened(self, image: ViewedImage) -> None:
        info, case = image.info, self.case
        name = case.name if case else ""
        if case and case.result and not _is_of(image, case.result):
            image.close()
            self._show_overview(case)
            self._window.message.say(OTHER_IMAGE.format(path=image.path))
            return
        if case is not None:
            case.unscaled = image.kind == "slide" and info.scale.mpp_um is None
        overview = image.overview
        picture = Picture((info.width, info.height), overview.rgb, overview.downsample, image)
        picture.broken.connect(lambda words: self._window.message.say(f"{words} {AGAIN}"))
        self._window.viewer.show_picture(picture, info.scale.mpp_um, name)
        self._window.viewbar.show_profile(picture.profile)
        picture.recolour(self._window.settings.by_profile)
        self._window.minimap.follow()
        self.refresh()

    def _failed(self, message: str) -> None:
        case = self.case
        if case is not None and not self._show_overview(case):
            self._window.viewer.say(message)
        self._window.message.say(message)

    def _show_overview(self, case: Case) -> bool:
        """Show what the result keeps of the image; whether there was anything."""
        found = thumbnail_of(case.result) if case.result else None
        if found is None:
            if case.result is None or case.path is not None:
                self._window.viewer.say(f"{case.path or case.name} is not there any more.")
            return False
        size, rgb, step, um = found
        self._window.viewer.show_picture(Picture(size, rgb, step, None), um, case.name)
        self._window.minimap.follow()
        self._window.message.say(ONLY_OVERVIEW, error=False)
        return True

    def _visit(self, picture: TilePicture | Explanation) -> None:
        self.marker.box = picture.box
        x, y, width, height = picture.box
        self._window.viewer.go_to(x + width / 2, y + height / 2, EVIDENCE_POWER)

    def _recolour(self, by_profile: bool) -> None:
        self._window.settings.by_profile = by_profile
        if self._window.viewer.picture is not None:
            self._window.viewer.picture.recolour(by_profile)

    def _look(self, look: object) -> None:
        if self.overlay is not None:
            self.overlay.look = look  # type: ignore[assignment]
            self._window.viewer.update()


def _is_of(image: ViewedImage, result: CaseResult) -> bool:
    """Whether an image can be the one of a result, by its size; to hash a slide takes too long."""
    if not result.files:
        return True
    info = result.files[0].info
    return (info.width, info.height) == (image.info.width, image.info.height)
