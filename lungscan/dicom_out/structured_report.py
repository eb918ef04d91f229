"""A case as a Comprehensive 3D SR (PS3.3 A.35.13) by TID 1500, Measurement Report (PS3.16)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lungscan.dicom_out.made_by import set_provenance
from lungscan.dicom_out.terms import (
    MANUFACTURER,
    RESEARCH,
    answer_concept,
    class_concept,
    concept,
    flag_concepts,
    reason_concept,
    series_description,
    uid,
)
from lungscan.types import CaseResult

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        Comprehensive3DSR,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
    )
    from pydicom.dataset import Dataset

_SERIES = 9001  # numbers of our series in a study; only people read them


def structured_report(
    result: CaseResult, sources: Sequence[Dataset], digest: str
) -> Comprehensive3DSR:
    """The report of a case.

    Args:
        sources: headers of the images that it rests on, of one study, reduced to what may be
            copied by ``lungscan.dicom_out.source_headers.reduced``; all are referenced.
        digest: SHA-256 of the case's record, from which the report gets its identity.

    Returns:
        An object that says of itself RESEARCH, PRELIMINARY and UNVERIFIED.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    content = MeasurementReport(
        observation_context=_observer(result),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=_groups(result, sources),
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = Comprehensive3DSR(
        evidence=list(sources),
        content=content,
        series_instance_uid=uid("series", digest),
        series_number=_SERIES,
        sop_instance_uid=uid("report", digest),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        series_description=series_description(result, "report"),
        content_qualification=RESEARCH,
    )
    set_provenance(report, result.finished_utc)
    return report


def _observer(result: CaseResult) -> ObservationContext:
    """The device that observed: this program with this model."""
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    model = result.model
    device = DeviceObserverIdentifyingAttributes(
        uid=uid("model", model.sha256),
        name=f"{MANUFACTURER} {result.lungscan_version}",
        manufacturer_name=MANUFACTURER,
        model_name=f"{model.name} {model.version}",
    )
    context = ObserverContext(codes.DCM.Device, device)
    return ObservationContext(observer_device_context=context)


def _algorithm(result: CaseResult) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    model = result.model
    items = [
        f"model SHA-256: {model.sha256}",
        f"official model: {'yes' if model.official else 'no'}",
        f"classes: {', '.join(model.class_names)}",
        f"settings hash: {result.settings_hash}",
        *(f"{name}: {value}" for name, value in result.settings),
        f"LungScan: {result.lungscan_version}",
    ]
    return AlgorithmIdentification(
        name=model.name, version=model.version, parameters=items, manufacturer=MANUFACTURER
    )


def _groups(
    result: CaseResult, sources: Sequence[Dataset]
) -> list[MeasurementsAndQualitativeEvaluations]:
    """The answer; then each class with its probability, and its area where that is known.

    The images are named by the answer. An image library would describe them, too, but wants
    attributes that many headers lack.
    """
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    subject = _subject(result, sources)
    items = [QualitativeEvaluation(concept("ANSWER", "Model output"), answer_concept(result))]
    reason = reason_concept(result)
    if reason is not None:
        items.append(QualitativeEvaluation(concept("REASON", "Reason or reserve"), reason))
    noted = concept("NOTED", "Noted beside the answer")
    items += [QualitativeEvaluation(noted, flag) for flag in flag_concepts(result)]
    use = concept("RESEARCH-ONLY", "Research use only, not for diagnosis")
    items.append(QualitativeEvaluation(concept("USE", "Intended use"), use))
    groups = [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid("answer", subject), "Answer"),
            finding_type=concept("CASE", "Answer of a classification model"),
            algorithm_id=_algorithm(result),
            qualitative_evaluations=items,
            source_images=[
                SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)
                for source in sources
            ],
        )
    ]
    classes = len(result.prediction.probs) if result.prediction is not None else 0
    return [*groups, *(_class_group(result, index, subject) for index in range(classes))]


def _subject(result: CaseResult, sources: Sequence[Dataset]) -> str:
    """What is tracked: these very images as this model sees them, whatever their files are called.

    Two patients' folders may have one name, and an archive takes what has one Tracking Unique
    Identifier for one thing.
    """
    images = sorted(
        f"{part.StudyInstanceUID} {part.SeriesInstanceUID} {part.SOPInstanceUID}"
        for part in sources
    )
    return "\n".join([result.model.sha256, *images])


def _class_group(
    result: CaseResult, index: int, subject: str
) -> MeasurementsAndQualitativeEvaluations:
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    prediction, model = result.prediction, result.model
    if prediction is None:
        raise ValueError("a case that failed has no classes")
    found = [Measurement(codes.DCM.Probability, prediction.probs[index], codes.UCUM.NoUnits)]
    if prediction.area_mm2 is not None:
        unit = codes.UCUM.SquareMillimeter
        found.append(Measurement(codes.SCT.Area, prediction.area_mm2[index], unit))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid("class", str(index), subject), model.display_names[index]
        ),
        finding_type=class_concept(model, index),
        measurements=found,
    )
