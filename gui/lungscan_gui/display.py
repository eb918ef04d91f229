"""What the window shows of the chosen case: image, map, evidence, result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungscan.types import CaseResult, CaseStatus
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.engine import ViewedImage
from lungscan_gui.fitting import Unfit, unfit
from lungscan_gui.thumbnail import thumbnail_of
from lungscan_gui.viewer.comparing import Comparing
from lungscan_gui.viewer.marker import Marker
from lungscan_gui.viewer.opener import Opener
from lungscan_gui.viewer.overlay import Overlay
from lungscan_gui.viewer.picture import Picture
from lungscan_gui.viewer.viewer import Layer

if TYPE_CHECKING:
    from lungscan.types import Explanation, SeriesInfo, TilePicture
    from lungscan_gui.window import MainWindow

EVIDENCE_POWER = 20.0
BUSY = (CaseState.QUEUED, CaseState.RUNNING)
ANSWERED = (CaseStatus.OK, CaseStatus.PARTIAL)
OTHER_IMAGE = (
    "{path} {how} than the image that was analysed, so only the overview that the result keeps is "
    "shown."
)
OTHER_SIZE = "has another size"
OTHER_CONTENT = "has another content"
AGAIN = "What was read stays on the screen; F5 reads the image again."
NOT_FOUND = (
    "The image of this case was not found. Drop it here, or the folder that it lies in, to look at "
    "it. The answer is that of the earlier run."
)
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
        self._goal: TilePicture | Explanation | None = None
        self.over: list[Layer] = []  # what else is drawn over the image, such as regions
        self.opener = Opener()
        self.opener.opened.connect(self._opened)
        self.opener.failed.connect(self._failed)
        self.comparing = Comparing()
        self.comparing.compared.connect(self._compared)
        window.queue.chosen.connect(self.show)
        window.evidence.visited.connect(self._visit)
        window.result.explained.visited.connect(self._visit)
        window.viewer.opacity_asked.connect(window.result.map.nudge)
        window.result.map.changed.connect(self._look)
        window.options.boxes["model"].currentTextChanged.connect(lambda _: self.refresh())
        window.viewbar.profile.setChecked(window.settings.by_profile)
        window.viewbar.profile_asked.connect(self._recolour)
        window.viewbar.file_asked.connect(self.show_file)

    def prepare(self) -> None:
        """Have a reader process ready."""
        self.opener.prepare()

    def close(self) -> None:
        """Let go of the image."""
        self.comparing.forget()
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
        self.comparing.forget()
        self._measure(None)
        viewer.show_picture(None, None, "")
        self._window.slices.show_series(None)
        self._window.viewbar.show_profile("")
        self._window.viewbar.name.say(case.name if case else "")
        self._window.viewbar.show_files((), 0)
        if case is None:
            self.refresh()
            return
        self._window.viewbar.show_files(case.files, case.file)
        image = case.image
        if image is not None and image.exists():
            viewer.say(f"Opening {image.name if case.others else case.name} ...")
            self.opener.open(image, case.mpp)
        else:
            self._show_overview(case)
        self.refresh()

    def show_file(self, file: int) -> None:
        """Show another image of the case."""
        case = self.case
        if case is not None and file != case.file and 0 <= file < len(case.files):
            case.file = file
            self.reopen()

    def step_file(self, by: int) -> None:
        """The next image of the case, or the one before."""
        if self.case is not None:
            self.show_file(self.case.file + by)

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
        window.result.show_unfit(self._unfit())
        window.evidence.show_case(case)
        self.set_map()
        window.analysis.show_state()

    def _unfit(self) -> Unfit | None:
        """What to offer where the chosen model judges nothing in the case."""
        case, options = self.case, self._window.options
        if case is None or case.state in BUSY or (case.result and case.result.status in ANSWERED):
            return None
        return unfit(case, options.boxes["model"].currentText(), options.models)

    def set_map(self, rows: slice | None = None) -> None:
        """Take over the map of the chosen case, or what changed in it."""
        window, case = self._window, self.case
        tiles = case.maps.get(case.file) if case else None
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
        window.viewer.layers.append(window.slices)
        window.readout.map = tiles if self.overlay else None
        window.readout.names = model.display_names if model else ()
        window.readout.words = case.words if case else None
        window.slices.show_map(window.readout.map, window.readout.names)
        window.viewer.update()

    def _opened(self, image: ViewedImage) -> None:
        info, case = image.info, self.case
        name = case.name if case else ""
        if case and case.result and not _is_of(image, case.result, case.file):
            image.close()
            self._show_overview(case)
            self._window.message.say(OTHER_IMAGE.format(path=image.path, how=OTHER_SIZE))
            return
        if case is not None:
            case.unscaled = image.kind == "slide" and info.scale.mpp_um is None
        overview = image.overview
        picture = Picture((info.width, info.height), overview.rgb, overview.downsample, image)
        picture.broken.connect(lambda words: self._window.message.say(f"{words} {AGAIN}"))
        self._measure(info.series)
        self._window.viewer.show_picture(picture, info.scale.mpp_um, name)
        self._window.slices.show_series(info.series)
        self._window.viewbar.show_profile(picture.profile)
        picture.recolour(self._window.settings.by_profile)
        self._window.minimap.follow()
        self.refresh()
        self._arrive()
        if case is not None:
            self.comparing.ask(case, case.file, image.path)
        self._window.analysis.prepare()

    def _compared(self, case: Case, file: int, same: bool) -> None:
        """Take an image away again that only had the name and the size of the analysed one."""
        if same:
            case.proven.add(file)
        elif case is self.case and case.file == file:
            self._show_overview(case)
            self._window.message.say(OTHER_IMAGE.format(path=case.image, how=OTHER_CONTENT))

    def _failed(self, message: str, code: str) -> None:
        case = self.case
        if case is not None and not self._show_overview(case):
            self._window.viewer.say(message)
        self._window.message.say(message, code)

    def _show_overview(self, case: Case) -> bool:
        """Show what the result keeps of the image; whether there was anything."""
        found = thumbnail_of(case.result, case.file) if case.result else None
        if found is None:
            gone = f"{case.image or case.name} is not there any more."
            self._window.viewer.say(NOT_FOUND if case.result and case.image is None else gone)
            return False
        size, rgb, step, um = found
        self._measure(case.result.files[case.file].info.series if case.result else None)
        self._window.viewer.show_picture(Picture(size, rgb, step, None), um, case.name)
        self._window.minimap.follow()
        self._window.message.say(ONLY_OVERVIEW, error=False)
        self._arrive()
        return True

    def _visit(self, picture: TilePicture | Explanation) -> None:
        if self.case is not None and picture.file_index != self.case.file:
            self._goal = picture  # once the other image of the case is open
            self.show_file(picture.file_index)
            return
        if self._window.slices.show_box(picture.box):  # a frame around a whole slice says nothing
            return
        self.marker.box = picture.box
        x, y, width, height = picture.box
        self._window.viewer.go_to(x + width / 2, y + height / 2, EVIDENCE_POWER)

    def _measure(self, series: SeriesInfo | None) -> None:
        """Places in a series are its slices' own, and no objective looked at them."""
        self._window.readout.series = series
        self._window.viewer.objectives = series is None

    def _arrive(self) -> None:
        """Go where somebody wanted to go before this image was open."""
        goal, self._goal = self._goal, None
        if goal is not None and self.case is not None and goal.file_index == self.case.file:
            self._visit(goal)

    def _recolour(self, by_profile: bool) -> None:
        self._window.settings.by_profile = by_profile
        if self._window.viewer.picture is not None:
            self._window.viewer.picture.recolour(by_profile)

    def _look(self, look: object) -> None:
        if self.overlay is not None:
            self.overlay.look = look  # type: ignore[assignment]
            self._window.viewer.update()


def _is_of(image: ViewedImage, result: CaseResult, file: int) -> bool:
    """Whether an image can be the one of a result, by its size; its content is compared later."""
    if file >= len(result.files):
        return True
    info = result.files[file].info
    return (info.width, info.height) == (image.info.width, image.info.height)
