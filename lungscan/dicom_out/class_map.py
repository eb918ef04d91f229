"""The classes over a slide as a segmentation (PS3.3 A.51) in the slide's own coordinates.

A raster whose pixels are 2^n pixels of level 0 lies on the slide's pixel matrix, so that viewers
find it at the place of a level of the pyramid. The slide's axes may be turned against its frame of
reference; the raster takes over the direction, and its first pixel's middle is moved by half of the
difference in size, since DICOM places middles of pixels (PS3.3 C.8.12.4.1.4, C.7.6.2.1.1).
"""

from __future__ import annotations

from math import floor, log2
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lungscan.dicom_out.made_by import set_provenance
from lungscan.dicom_out.terms import (
    MANUFACTURER,
    RESEARCH,
    class_concept,
    series_description,
    uid,
)
from lungscan.errors import UnreadableFile
from lungscan.report.overlay import class_map, scores_of
from lungscan.types import CaseResult, TileScores

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.dataset import Dataset

PIXELS_A_TILE = 8  # of the raster, along a side, at the least
FRAME_PX = 256
_SERIES = 9002


def class_segmentation(
    result: CaseResult, file_index: int, source: Dataset, digest: str
) -> Segmentation | None:
    """A segment for each class that has won a tile; None where none has.

    Args:
        file_index: of a slide among the case's files.
        source: reduced header of its finest level, whose pixels are level 0.
        digest: SHA-256 of the case's record.

    Raises:
        UnreadableFile: the source does not say where on the slide it lies.
    """
    scores = scores_of(result, file_index)
    if scores is None or not len(scores.boxes):
        return None
    factor = raster_factor(scores)
    labels = class_raster(scores, _matrix_size(source), factor)
    if not labels.any():
        return None
    return _segmentation(result, source, labels, factor, f"{digest}-{file_index}")


def raster_factor(scores: TileScores) -> int:
    """How many pixels of level 0 lie along one of the raster: a power of two."""
    side = int(scores.boxes[:, 2:].min())
    return int(2 ** max(0, floor(log2(max(1, side // PIXELS_A_TILE)))))


def class_raster(scores: TileScores, size: tuple[int, int], factor: int) -> NDArray[np.uint8]:
    """Which class has won each place, counted from 1; 0 where no used tile lies.

    Args:
        size: width and height of level 0.

    Returns:
        ``(height / factor, width / factor)``, rounded up.
    """
    columns, rows = (-(-side // factor) for side in size)
    mapped = class_map(scores, (columns, rows), factor)
    winner = np.where(mapped.used, mapped.probs.argmax(axis=2) + 1, 0).astype(np.uint8)
    raster: NDArray[np.uint8] = mapped.at_pixels(winner)
    return raster


def _matrix_size(source: Dataset) -> tuple[int, int]:
    needed = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows", "ImageOrientationSlide",
              "TotalPixelMatrixOriginSequence", "FrameOfReferenceUID",
              "SharedFunctionalGroupsSequence", "ContainerIdentifier")  # fmt: skip
    lacking = [name for name in needed if not source.get(name)]
    if not lacking and not source.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence"):
        lacking = ["PixelMeasuresSequence"]
    if lacking:
        raise UnreadableFile(
            f"The slide's header lacks {', '.join(lacking)}, so no map can be laid on it."
        )
    return int(source.TotalPixelMatrixColumns), int(source.TotalPixelMatrixRows)


def _segmentation(
    result: CaseResult, source: Dataset, labels: NDArray[np.uint8], factor: int, name: str
) -> Segmentation:
    import highdicom as hd
    from highdicom.seg import Segmentation, SegmentationTypeValues

    present = sorted(set(np.unique(labels).tolist()) - {0})
    numbered = np.zeros(max(present) + 1, np.uint8)  # segments are counted without gaps
    numbered[present] = range(1, len(present) + 1)
    measures = source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    spacing = [float(value) * factor for value in measures.PixelSpacing]  # rows, columns, mm
    thickness = float(measures.get("SliceThickness") or 0.001)
    turned = [float(value) for value in source.ImageOrientationSlide]
    made = Segmentation(
        source_images=[source],
        pixel_array=numbered[labels][None],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(result, number, value - 1) for number, value in enumerate(present, 1)
        ],
        series_instance_uid=uid("maps", name),
        series_number=_SERIES,
        sop_instance_uid=uid("map", name),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=f"{result.model.name} {result.model.version}",
        software_versions=result.lungscan_version,
        device_serial_number=result.model.sha256[:16],
        content_description="Classes of tiles, research use only",
        content_label="LUNGSCAN_CLASSES",
        pixel_measures=hd.PixelMeasuresSequence(spacing, thickness),
        plane_orientation=hd.PlaneOrientationSequence("SLIDE", turned),
        plane_positions=[hd.PlanePositionSequence("SLIDE", _first_middle(source, factor), (1, 1))],
        tile_pixel_array=True,
        tile_size=(FRAME_PX, FRAME_PX),
        series_description=series_description(result, "class map"),
        content_qualification=RESEARCH,
    )
    made.PatientOrientation = ""  # type 2C; Image Orientation (Slide) stands for it
    set_provenance(made, result.finished_utc)
    return made


def _first_middle(source: Dataset, factor: int) -> list[float]:
    """Where the middle of the raster's first pixel lies on the slide: x, y, z in mm."""
    origin = source.TotalPixelMatrixOriginSequence[0]
    first = np.array([
        float(origin.XOffsetInSlideCoordinateSystem),
        float(origin.YOffsetInSlideCoordinateSystem),
        float(origin.get("ZOffsetInSlideCoordinateSystem") or 0.0),
    ])  # fmt: skip
    turned = np.array([float(value) for value in source.ImageOrientationSlide])
    along_row, along_column = turned[:3], turned[3:]
    measures = source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    down, across = (float(value) for value in measures.PixelSpacing)
    half = (factor - 1) / 2
    moved = first + half * (across * along_row + down * along_column)
    return [float(value) for value in moved]


def _description(result: CaseResult, number: int, index: int) -> SegmentDescription:
    import highdicom as hd
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    model = result.model
    return SegmentDescription(
        segment_number=number,
        segment_label=model.display_names[index][:64],
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=class_concept(model, index),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=model.name, family=codes.DCM.ArtificialIntelligence, version=model.version
        ),
    )
