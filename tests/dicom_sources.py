"""DICOM sources drawn for tests: a whole slide with its place on the glass, and a CT series.

They hold what a scanner or a hospital writes, names in odd places included.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from lungscan.types import RgbArray

TILE = 256
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
STUDY, FRAME = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
TURNED = (0.0, -1.0, 0.0, -1.0, 0.0, 0.0)  # the usual way in which slides lie
SECRET = "SECRETNAME"


def write_slide(
    path: Path,
    rgb: RgbArray,
    mpp: float,
    *,
    turned: Sequence[float] = TURNED,
    origin_mm: tuple[float, float] = (20.0, 40.0),
    series: str = "1.2.826.0.1.3680043.8.498.3",
) -> Dataset:
    """One level of a slide; ``origin_mm`` is where its first pixel lies on the glass."""
    height, width = rgb.shape[:2]
    data = _common(WHOLE_SLIDE, series, JPEGBaseline8Bit)
    data.Modality = "SM"
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.DimensionOrganizationType = "TILED_FULL"
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    data.ImagedVolumeDepth = 0.001
    data.ImageOrientationSlide = list(turned)
    data.TotalPixelMatrixOriginSequence = [_place(*origin_mm)]
    data.ContainerIdentifier = "S-1"
    data.SpecimenDescriptionSequence = [_specimen()]
    data.Rows = data.Columns = TILE
    _pixels(data, 3, 8, "YBR_FULL_422")
    measures, shared, optics = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [mpp / 1000, mpp / 1000]
    measures.SliceThickness = 0.001
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    optics.OpticalPathIdentifier, optics.ObjectiveLensPower = "1", 20
    data.OpticalPathSequence = [optics]
    frames = [_jpeg(rgb, left, top) for top in range(0, height, TILE) for left in
              range(0, width, TILE)]  # fmt: skip
    data.NumberOfFrames = len(frames)
    data.PixelData = encapsulate(frames)
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return data


def write_series(folder: Path, slices: int = 4) -> list[Dataset]:
    """A CT series of small slices, 5 mm apart."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(slices):
        data = _common(CT_IMAGE, "1.2.826.0.1.3680043.8.498.4", ExplicitVRLittleEndian)
        data.Modality = "CT"
        data.InstanceNumber = index + 1
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.Rows = data.Columns = 64
        data.PixelSpacing, data.SliceThickness = [0.7, 0.7], 5.0
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-100.0, -100.0, 5.0 * index]
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
        _pixels(data, 1, 16, "MONOCHROME2")
        data.PixelData = np.full((64, 64), 24 + index, np.uint16).tobytes()
        data.save_as(folder / f"{slices - index}.dcm", enforce_file_format=True)
        made.append(data)
    return made


def _common(kind: str, series: str, syntax: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = kind
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = STUDY, series, FRAME
    data.PatientName, data.PatientID, data.PatientSex = "DOE^JANE", "P-17", "F"
    data.PatientBirthDate, data.StudyDate, data.StudyTime = "19600101", "20260102", "101112"
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = "7", "A-9", "ROE^RICHARD"
    data.PositionReferenceIndicator = "SLIDE_CORNER" if kind == WHOLE_SLIDE else ""
    data.OtherPatientNames = data.PatientComments = data.StudyDescription = SECRET
    data.InstitutionName = data.OperatorsName = data.SeriesDescription = SECRET
    data.OtherPatientIDsSequence = [_other_id()]
    data.add_new(0x00110010, "LO", "A VENDOR")
    data.add_new(0x00111001, "LO", SECRET)
    data.InstanceNumber, data.SeriesNumber = 1, 1
    return data


def _other_id() -> Dataset:
    item = Dataset()
    item.PatientID, item.TypeOfPatientID = SECRET, "TEXT"
    return item


def _place(x_mm: float, y_mm: float) -> Dataset:
    item = Dataset()
    item.XOffsetInSlideCoordinateSystem, item.YOffsetInSlideCoordinateSystem = x_mm, y_mm
    item.ZOffsetInSlideCoordinateSystem = 0.0
    return item


def _specimen() -> Dataset:
    item = Dataset()
    item.SpecimenIdentifier, item.SpecimenUID = "S-1", "1.2.826.0.1.3680043.8.498.5"
    item.SpecimenShortDescription = SECRET
    return item


def _pixels(data: Dataset, samples: int, bits: int, kind: str) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation = samples, kind
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, 0
    if samples > 1:
        data.PlanarConfiguration = 0


def _jpeg(rgb: RgbArray, left: int, top: int) -> bytes:
    stream = io.BytesIO()
    box = (left, top, left + TILE, top + TILE)
    Image.fromarray(rgb).crop(box).save(stream, "JPEG", quality=95)
    return stream.getvalue()
