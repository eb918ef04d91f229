"""The words that every report shares: results, flags, reasons; figures are in ``quantities``."""

from __future__ import annotations

import lungscan
from lungscan.errors import Code
from lungscan.modalities.table import modality_of
from lungscan.types import (
    UNPROVEN,
    CaseResult,
    CaseStatus,
    ModelStamp,
    NoResult,
    TileState,
)

_FIRST, _, _REST = lungscan.RESEARCH_USE.partition(".")
RESEARCH_USE = f"{_FIRST.upper()}.{_REST}"

REASONS = {
    NoResult.NOT_LUNG: "does not look like lung H&E",
    NoResult.UNCERTAIN: "too uncertain",
    NoResult.LITTLE_TISSUE: "too little tissue",
    NoResult.BLURRED: "too blurred",
    NoResult.SOME_TUMOUR: "some tumour, too little to count",
    NoResult.OTHER_STAIN: "another stain or scanner",
    NoResult.NOT_CHEST_CT: "does not look like axial chest CT",
    NoResult.NO_LUNG: "no lung in view",
}

# Reasons that a picture without a scale may have only because it was shown at another one.
_SCALE_MATTERS = frozenset(
    {NoResult.NOT_LUNG, NoResult.UNCERTAIN, NoResult.BLURRED, NoResult.OTHER_STAIN}
)

_ELSEWHERE = NoResult.OTHER_STAIN.value  # "{}" below: in the words of the modality

# Flags that make a given answer less certain, in a few words.
_DOUBTS = {
    _ELSEWHERE: "{}",
    "enlarged": "enlarged beyond its scale",
    "tumour_area_below_limit": "some tumour tiles",
    "tumour_outvoted": "tumour was outvoted",
    "lone_suspicious_slice": "single suspicious slices",
    "slices_missing": "slices are missing",
    "series_not_validated": "not measured on series",
}

STATUS_NAMES = {
    CaseStatus.OK: "Answered",
    CaseStatus.PARTIAL: "Partial",
    CaseStatus.NO_RESULT: "No result",
    CaseStatus.FAILED: "Failed",
    CaseStatus.SKIPPED: "Skipped",
}

STATE_NAMES = {
    TileState.USED: "used",
    TileState.BLURRED: "out of focus",
    TileState.PEN: "pen",
    TileState.BLANK: "blank",
    TileState.UNSCANNED: "not scanned",
    TileState.NOVEL: "unlike lung H&E",
    TileState.FAILED: "not readable",
    TileState.OTHER_STAIN: "of another stain or scanner",
}

_FLAGS = {
    "mpp_xy_differ": "Pixel width and height differ by more than 5 %.",
    "mpp_absurd": "The file's pixel size is implausible.",
    "mpp_option_differs": "The file states another pixel size than the one that was given (--mpp).",
    "tiles_unreadable": "Some tiles could not be read.",
    "tumour_area_below_limit": "Tumour tiles were found, but less area than counts as tumour.",
    "tumour_outvoted": "Part of it was seen as tumour, which the chosen rule lets the rest "
    "outvote; the rule tumour-aware asks for tumour first.",
    "deep_grey": "The picture has more than 8 bits of grey; its range was stretched.",
    "deep_colour": "The picture has more than 8 bits a colour; its range was stretched.",
    "icc_profile_ignored": "The file's colour profile was not applied: colours are as stored.",
    "scale_unknown": "Scale unknown: areas cannot be given.",
    "multi_page": "The file has several pages; the first was used.",
    "read_by_openslide": "Read by OpenSlide, more slowly: the direct reader saw other pixels.",
    "grey": "The picture is grey: colour could not be used.",
    "alpha": "The picture has transparent parts, shown on white.",
    "cmyk": "The picture was converted from CMYK.",
    "resized": "The field was resized to the network's input.",
    "enlarged": "At its scale the field shows less tissue than the network looks at; it was "
    "enlarged, so its cells look too large: less certain.",
    "unproven_model": "The model is unproven: it was not found to be better than chance.",
    "not_lung_he": "Does not look like lung H&E.",
    "too_uncertain": "Too uncertain.",
    "too_little_tissue": "Too little tissue.",
    "too_blurred": "Too blurred.",
    "some_tumour": "Some tumour was seen: too little to count, too much for another answer.",
    _ELSEWHERE: "{} than the model knows.",
    "not_axial_chest_ct": "Does not look like axial chest CT.",
    "no_lung_in_view": "No lung is in view.",
    "lone_suspicious_slice": "Single slices look like tumour, but no three neighbouring ones.",
    "series_not_validated": "The model was never measured on whole series, only on single slices "
    "of one collection; the probability of a series is therefore never above the share of these "
    "slices that it got right.",
    "localizers_left_out": "Localizers were left out of the series.",
    "other_planes_left_out": "Slices of another plane or tilt were left out of the series.",
    "other_sizes_left_out": "Slices of another size were left out of the series.",
    "duplicates_left_out": "Copies of slices, or second ones in the same place, were left out.",
    "slices_unreadable": "Some files of the series could not be read.",
    "slices_missing": "Slices are missing: gaps are twice the usual distance or more.",
    "spacing_uneven": "Slices do not lie at even distances.",
    "positions_unknown": "The files do not say where slices lie; they are in the scanner's order.",
}

_CODES: dict[str, str] = {
    Code.OPEN: "cannot be opened",
    Code.FORMAT: "damaged or of no known format",
    Code.UNSUPPORTED: "of a kind that is not supported",
    Code.NAME: "name does not fit its data",
    Code.TOO_LARGE: "too large",
    Code.TOO_SMALL: "too small",
    Code.TOO_COARSE: "pixels too coarse",
    Code.IO: "drive or network error",
    Code.CHANGING: "still being written",
    Code.NO_MPP: "no µm per pixel",
    Code.BAD_MPP: "implausible µm per pixel",
    Code.TILE: "unreadable tiles",
    Code.MODALITY: "not what this model judges",
    Code.PLANE: "not the axial plane",
    Code.PERMISSION: "no permission to read",
    Code.NOT_FOUND: "not found",
    Code.CRASH: "a library crashed on it",
    Code.TIMEOUT: "reading stood still",
    Code.MEMORY: "needs too much memory",
    Code.UNEXPECTED: "unexpected error",
}

_CURES: dict[str, str] = {
    Code.OPEN: "Copy the file again from the scanner or archive and check that it opens elsewhere.",
    Code.FORMAT: "Copy the file again from its source, or export it as a slide that OpenSlide "
    "reads, or as JPEG, PNG, TIFF, BMP or WebP.",
    Code.UNSUPPORTED: "Export it as a slide of one scan and one focal plane, with 8 bits a colour, "
    "or as a CT series that is not encrypted.",
    Code.NAME: "Rename the file or folder as the message says, then classify it again.",
    Code.TOO_LARGE: "Export the picture as a pyramidal slide, or crop it.",
    Code.TOO_SMALL: "Export the picture at a higher resolution.",
    Code.TOO_COARSE: "Scan or export it at a higher magnification.",
    Code.IO: "Check the drive or network connection, then classify it again.",
    Code.CHANGING: "Classify it again when the copy is finished.",
    Code.NO_MPP: "Give the pixel size (--mpp; usual: 0.25 µm at 40x, 0.5 at 20x).",
    Code.BAD_MPP: "Give the true pixel size (--mpp; usual: 0.25 µm at 40x, 0.5 at 20x).",
    Code.TILE: "Copy the file again: parts of it cannot be read.",
    Code.MODALITY: "Choose a model for this kind of picture among the options (--model).",
    Code.PLANE: "Choose the series of axial slices.",
    Code.PERMISSION: "Ask for the right to read the file or folder, then classify it again.",
    Code.NOT_FOUND: "Check that the file is still there, then classify it again.",
    Code.CRASH: "Copy the file again: it is damaged in a way that a library does not survive. If "
    "all files end so, have the installation checked (`lungscan doctor`).",
    Code.TIMEOUT: "Check the drive, then classify it again (--timeout grants more time).",
    Code.MEMORY: "Close other programs or use fewer threads (--threads), then classify it again.",
}
_OTHER_CURE = (
    "Classify it again; if it ends so once more, have the installation checked (`lungscan doctor`)."
)


def display_name(model: ModelStamp, label: str) -> str:
    """The class as people read it; an unknown label is shown as it is."""
    if label in model.class_names:
        return model.display_names[model.class_names.index(label)]
    return label


def headline(result: CaseResult) -> str:
    """The answer in one line: a class name, ``No result: reason``, ``Failed`` or ``Skipped``."""
    prediction = result.prediction
    if prediction is None:
        return "Skipped" if result.status is CaseStatus.SKIPPED else "Failed"
    if prediction.label is not None:
        return display_name(result.model, prediction.label)
    if prediction.reason is None:
        return "No result"
    unscaled = prediction.reason in _SCALE_MATTERS and "scale_unknown" in result.flags
    return f"No result: {reason_words(result)}{' (scale unknown)' if unscaled else ''}"


def reason_words(result: CaseResult) -> str:
    """The reason against an answer in a few words of the model's modality; "" for none."""
    reason = result.prediction.reason if result.prediction else None
    if reason is NoResult.OTHER_STAIN:
        return modality_of(result.model.modality).words.elsewhere
    return REASONS[reason] if reason else ""


def answer_line(result: CaseResult) -> str:
    """As ``headline``, with the reserve of a label that was given all the same."""
    prediction = result.prediction
    if prediction is None or prediction.label is None:
        return headline(result)
    reserve = reason_words(result) or doubt(result)
    return f"{headline(result)} ({reserve})" if reserve else headline(result)


def doubt(result: CaseResult) -> str:
    """What makes a given answer less certain, in a few words; "" for nothing."""
    if result.prediction is None or result.prediction.label is None:
        return ""
    elsewhere = modality_of(result.model.modality).words.elsewhere
    doubts = (text for flag, text in _DOUBTS.items() if flag in result.flags)
    return ", ".join(text.format(elsewhere) for text in doubts)


def explanation(result: CaseResult) -> str:
    """Why there is no plain answer, in sentences; "" when there is one.

    Of a case that was read in part: what is missing, and the reserve of what was answered. Of an
    answer that is less certain than others: why.
    """
    return " ".join(text for text in (result.error_message, reserve_of(result)) if text)


def others_title(result: CaseResult) -> str:
    """What the pictures are called that do not speak for the answer."""
    words, model = modality_of(result.model.modality).words, result.model
    label = result.prediction.label if result.prediction else None
    if label not in model.class_names or model.tumour[model.class_names.index(label)]:
        return words.others
    named = (picture.likeliest for picture in result.pictures if picture.role == "uncertain")
    return words.against if any(model.tumour[index] for index in named) else words.others


def reserve_of(result: CaseResult) -> str:
    """Why an answer is withheld, or given with reserve, in sentences; "" for a plain one."""
    reserve = result.prediction.reason_text if result.prediction else ""
    if reserve or not doubt(result):
        return reserve
    doubts = (flag for flag in result.flags if flag in _DOUBTS)
    return " ".join(flag_text(flag, result.model.modality) for flag in doubts)


def further_flags(result: CaseResult) -> list[str]:
    """The flags as sentences, but for those that the answer's reason or reserve says already."""
    reason, said = result.prediction.reason if result.prediction else None, reserve_of(result)
    texts = (flag_text(flag, result.model.modality) for flag in result.flags if flag != reason)
    return [text for text in texts if text not in said]


def unspoken(result: CaseResult) -> str:
    """Which class a withheld answer would have named; "" where there is none to withhold."""
    prediction = result.prediction
    if prediction is None or prediction.label is not None or prediction.suggested is None:
        return ""
    name = display_name(result.model, prediction.suggested)
    return f"The rule would have named {name}. This is not an answer."


def why_in_short(result: CaseResult) -> str:
    """The kind of trouble in a few words, for counting; "" for a plain answer."""
    code = result.error_code
    words = (_CODES.get(code, code) if code else "", reason_words(result) or doubt(result))
    if result.status is CaseStatus.SKIPPED and not code:
        return result.error_message  # a few words already
    return ", ".join(filter(None, words))


def ending(result: CaseResult) -> str:
    """As ``answer_line``; of a case without any answer with the reason: it may stand alone."""
    reason = why_in_short(result) if result.prediction is None else ""
    return f"{headline(result)}: {reason}" if reason else answer_line(result)


def failure(code: str) -> str:
    """What an error code means and what to do, in words that know nothing of the file."""
    why = _CODES.get(code, code)
    return f"{why[:1].upper()}{why[1:]}. {_CURES.get(code, _OTHER_CURE)}"


def flag_text(flag: str, modality: str | None = None) -> str:
    """A flag's code as a sentence; an unknown code is shown in plain letters."""
    if flag == _ELSEWHERE:
        return _FLAGS[flag].format(modality_of(modality).words.elsewhere.capitalize())
    return _FLAGS.get(flag) or f"{flag.replace('_', ' ').strip().capitalize()}."


def standing(model: ModelStamp) -> str:
    """What to say behind a model's name: "" of a proven one that LungScan ships."""
    if any(name == UNPROVEN for name, _ in model.facts):
        return " (UNPROVEN)"
    return "" if model.official else " (not an official model)"
