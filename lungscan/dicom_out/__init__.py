"""Answers as DICOM objects: a structured report of a case, and a map of classes over a slide.

Needs the extra ``dicom`` (pydicom, highdicom), which is imported where it is used.
"""

from __future__ import annotations

from lungscan.dicom_out.objects import write_dicom
from lungscan.dicom_out.source_headers import (
    has_source,
    read_sources,
    require_libraries,
    require_sources,
    sourceless,
)

__all__ = [
    "has_source",
    "read_sources",
    "require_libraries",
    "require_sources",
    "sourceless",
    "write_dicom",
]
