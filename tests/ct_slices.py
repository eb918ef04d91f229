"""Drawn CT slices, and DICOM files of them as scanners and archives write them; needs pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

Hounsfield = NDArray[np.int16]

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
SECRET = "Zaphod^Beeblebrox"  # stands in every field that names a person or a place


def draw_chest(seed: int = 0, side: int = 128, nodule: bool = False) -> Hounsfield:
    """An axial slice in Hounsfield units: air, body, two lungs, spine, perhaps a nodule."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side

    def oval(cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        return inside

    hounsfield = np.full((side, side), -1000.0)
    hounsfield[oval(0.5, 0.5, 0.40, 0.27)] = 40
    for centre in (0.33, 0.67):
        hounsfield[oval(centre, 0.49, 0.12, 0.18)] = -860
    hounsfield[oval(0.5, 0.66, 0.05, 0.06)] = 600
    if nodule:
        hounsfield[oval(0.34, 0.45, 0.035, 0.035)] = 30
    noisy = hounsfield + rng.normal(0, 6, hounsfield.shape)
    return np.maximum(noisy, -1024).astype(np.int16)


def dataset(hounsfield: Hounsfield, z: float = 0.0, **fields: Any) -> FileDataset:
    """One slice as a scanner writes it, 12 bits and an intercept; ``fields`` replace elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = fields.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = fields.get("SOPClassUID", CT)
    uid = fields.pop("uid", None) or generate_uid()
    meta.MediaStorageSOPInstanceUID = uid
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = CT, uid
    made.Modality = "CT"
    made.SeriesInstanceUID = "1.2.3.4"
    made.StudyInstanceUID = "1.2.3"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PatientName = made.PatientID = made.InstitutionName = SECRET
    made.StudyDescription = made.SeriesDescription = SECRET
    made.InstanceNumber = 1
    made.Rows, made.Columns = hounsfield.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelSpacing = [2.5, 2.5]
    made.ImageOrientationPatient = AXIAL
    made.ImagePositionPatient = [-160.0, -160.0, z]
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = (np.clip(hounsfield, -1024, 3071) + 1024).astype("<u2").tobytes()
    for name, value in fields.items():
        if value is None:
            if name in made:
                delattr(made, name)
        else:
            setattr(made, name, value)
    return made


def write(path: Path, made: FileDataset) -> Path:
    """Put it on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, count: int = 6, step: float = 2.0, **fields: Any) -> list[Path]:
    """A series whose names say nothing of its order."""
    names = [f"{(index * 11) % count:03d}.dcm" for index in range(count)]
    return [
        write(folder / name, dataset(draw_chest(index), index * step, **fields))
        for index, name in enumerate(names)
    ]


def multi_frame(slices: list[Hounsfield], slopes: list[float] | None = None) -> FileDataset:
    """An enhanced CT file: all slices as frames, places and rescaling by frame."""
    stack = np.stack(slices)
    given_by_frame = ("ImagePositionPatient", "RescaleSlope", "RescaleIntercept",
                     "ImageOrientationPatient", "PixelSpacing")  # fmt: skip
    made = dataset(stack, SOPClassUID=ENHANCED_CT, **dict.fromkeys(given_by_frame))
    made.NumberOfFrames = len(slices)
    shared, frames = pydicom.Dataset(), []
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=AXIAL)
    shared.PixelMeasuresSequence = _item(PixelSpacing=[2.5, 2.5])
    for index in range(len(slices)):
        slope = slopes[index] if slopes else 1.0
        frame = pydicom.Dataset()
        frame.PlanePositionSequence = _item(ImagePositionPatient=[0.0, 0.0, 30.0 - 3 * index])
        frame.PixelValueTransformationSequence = _item(RescaleSlope=slope, RescaleIntercept=-1024)
        frames.append(frame)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return made


def _item(**fields: Any) -> Any:
    made = pydicom.Dataset()
    for name, value in fields.items():
        setattr(made, name, value)
    return Sequence([made])
