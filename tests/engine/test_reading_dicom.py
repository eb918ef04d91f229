"""A DICOM series of several files is one slide, from discovery to pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.inputs import discover
from lungscan.reading import open_source
from lungscan.types import RgbArray
from tests.drawing import draw_he

pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, generate_uid

TILE = 256
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def write_level(path: Path, rgb: RgbArray, mpp: float, number: int) -> None:
    """Write one pyramid level as a tiled VL Whole Slide Microscopy object."""
    height, width = rgb.shape[:2]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.PatientName = "DOE^JANE"
    data.Modality = "SM"
    data.SeriesInstanceUID = "1.2.3.4"
    data.InstanceNumber = number
    data.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    data.DimensionOrganizationType = "TILED_FULL"
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.Rows = data.Columns = TILE
    data.SamplesPerPixel = 3
    data.PhotometricInterpretation = "YBR_FULL_422"
    data.PlanarConfiguration = data.PixelRepresentation = 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    measures, shared, optics = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [mpp / 1000, mpp / 1000]  # mm
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    optics.ObjectiveLensPower = 20
    data.OpticalPathSequence = [optics]
    frames = jpeg_tiles(rgb)
    data.NumberOfFrames = len(frames)
    data.PixelData = encapsulate(frames)
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)


def jpeg_tiles(rgb: RgbArray) -> list[bytes]:
    height, width = rgb.shape[:2]
    frames = []
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            stream = io.BytesIO()
            tile = Image.fromarray(rgb).crop((left, top, left + TILE, top + TILE))
            tile.save(stream, "JPEG", quality=95)
            frames.append(stream.getvalue())
    return frames


def test_a_series_is_one_slide(tmp_path: Path) -> None:
    rgb = draw_he(1000, 800, 1)
    write_level(tmp_path / "1.dcm", np.asarray(Image.fromarray(rgb).reduce(4)), 2.0, 2)
    write_level(tmp_path / "2.dcm", rgb, 0.5, 1)
    (case,) = discover((tmp_path,)).cases
    assert len(case.files[0].parts) == 2
    source = open_source(case.files[0])
    assert (source.info.width, source.info.height, source.info.vendor) == (1000, 800, "dicom")
    assert source.info.scale.mpp_um == pytest.approx(0.5)
    assert "DOE" not in repr(source.info)
    tiles = source.read_tiles(np.array([(256, 0, TILE, TILE)], np.int32), TILE)
    assert np.abs(tiles.rgb[0].astype(int) - rgb[:TILE, TILE : 2 * TILE]).mean() < 6
    assert source.overview(250).rgb.shape == (200, 250, 3)
