"""What the options of a training may be, all in one place."""

from __future__ import annotations

from lungscan.errors import UsageProblem
from lungscan.training.options import FITS, Augment, Fit, Head, TrainOptions
from lungscan.training.ranges import (
    COUNT,
    PART,
    POSITIVE,
    SHARE,
    SOME,
    Span,
    require_choice,
    require_order,
    require_ranges,
    require_split,
)
from lungscan.training.stage_names import STAGES

PROTOCOLS = ("grouped", "random")

_RUN = {
    "counter_limit": COUNT,
    "drawn_examples": COUNT,
    "field_px": SOME,
    "input_px": COUNT,
    "spacing_um_px": POSITIVE,
    "minimum_tissue_mm2": COUNT,
    "tumour_limit_mm2": COUNT,
    "tumour_limit_share": SHARE,
    "seed": COUNT,
    "threads": COUNT,
    "int8_bound": SHARE,
}
_FIT = {
    "batch_size": SOME,
    "learning_rate": COUNT,  # 0 holds a stage still
    "weight_decay": COUNT,
    "warmup_epochs": COUNT,
    "label_smoothing": PART,
    "drop_path": PART,
    "ema_decay": PART,
    "mixup": COUNT,
    "balance": COUNT,
    "frozen_stages": COUNT,
}
_PHASE = {"epochs": SOME, "crop_px": SOME, "span_px": SOME}
_HEAD = {
    "views": COUNT,
    "span_px": SOME,
    "penalties": POSITIVE,
    "inner_folds": Span(2),
    "balance": COUNT,
}
_AUGMENT = {
    "stain_sigma": COUNT,
    "blur_share": SHARE,
    "jpeg_share": SHARE,
    "jpeg_quality": Span(1, 100),
    "restain_share": SHARE,
    "coarsen_share": SHARE,
    "coarsen_most": SOME,
    "sharpen_share": SHARE,
    "grain_share": SHARE,
    "turn_degrees": Span(0, 180),
    "grey_share": SHARE,
    "window_sigma": COUNT,
}
_DISTIL = {"temperature": POSITIVE, "soft_share": SHARE}
_FEATURES = {"feature_weight": COUNT, "label_weight": COUNT}


def checked(options: TrainOptions) -> TrainOptions:
    """The options, if they can be meant.

    Raises:
        UsageProblem: which one cannot, and what it may be.
    """
    require_choice("protocol", options.protocol, PROTOCOLS)
    for stage in options.more_in:
        require_choice("more_in", stage, STAGES)
    require_ranges(options, _RUN)
    require_split(options.split, {0: "train on"})
    for name in FITS:
        _check_fit(getattr(options, name), f"{name}.")
    _check_head(options.head_fit)
    _check_augment(options.augment)
    require_ranges(options.distil, _DISTIL, "distil.")
    require_ranges(options.features, _FEATURES, "features.")
    return options


def _check_fit(fit: Fit | None, where: str) -> None:
    if fit is None:
        return
    require_ranges(fit, _FIT, where)
    if not fit.phases:
        raise UsageProblem(
            f"{where}phases is empty, so nothing would be learnt. Give one phase at least, such as "
            "[{epochs = 8, crop_px = 192, span_px = [150, 224]}]."
        )
    for phase in fit.phases:
        require_ranges(phase, _PHASE, f"{where}phases.")
        require_order(f"{where}phases.span_px", phase.span_px)


def _check_head(head: Head | None) -> None:
    if head is None:
        return
    require_choice("head_fit.on", head.on, ("start", "fitted"))
    require_ranges(head, _HEAD, "head_fit.")
    require_order("head_fit.span_px", head.span_px)
    if not head.penalties:
        raise UsageProblem(
            "head_fit.penalties is empty, so there is none to choose. Give one at least, such as "
            "[0.1, 0.01]."
        )


def _check_augment(augment: Augment) -> None:
    require_ranges(augment, _AUGMENT, "augment.")
    require_order("augment.jpeg_quality", augment.jpeg_quality)
