"""What every object made here says of how it was made."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lungscan.dicom_out.terms import MANUFACTURER, SCHEME, uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def set_provenance(made: Dataset, finished_utc: str) -> None:
    """Set times and identities to those of the case, and name our codes.

    So a repeated export gives the same bytes, and no archive takes it for a second object.
    """
    from pydicom.dataset import Dataset

    moment = datetime.fromisoformat(finished_utc)
    made.TimezoneOffsetFromUTC = "+0000"
    for name in ("Content", "InstanceCreation"):
        setattr(made, f"{name}Date", moment.strftime("%Y%m%d"))
        setattr(made, f"{name}Time", moment.strftime("%H%M%S"))
    for item in made.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S+0000")
    same = uid("dimensions", str(made.SOPInstanceUID))
    for element in made.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = same
    scheme = Dataset()
    scheme.CodingSchemeDesignator = SCHEME
    scheme.CodingSchemeName = f"{MANUFACTURER}, private codes"
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    made.CodingSchemeIdentificationSequence = [scheme]
