"""What the options of a training may be, all in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from lungscan.errors import UsageProblem
from lungscan.inputs import show
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
    _require_own_names(options.counter_examples)
    require_read(options)
    return options


def _require_own_names(folders: Sequence[str]) -> None:
    """Refuse two folders of counter-examples with one last name: cards and tables know no other."""
    names = [PurePath(folder).name for folder in folders]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageProblem(
            f"Two folders of counter_examples are called {show(twice[0])}, and reports could not "
            "tell them apart. Rename one of them, or name it once."
        )


def require_read(options: TrainOptions) -> None:
    """Refuse settings that this recipe would never read.

    Raises:
        UsageProblem: which.
    """
    fitted = replace(options, features_of_fold=0).stages  # with those that only its folds fit
    if options.more_pictures and not set(options.more_in) & set(fitted):
        raise UsageProblem(
            f"No stage would learn from more_pictures: more_in names {', '.join(options.more_in)}, "
            f"and this recipe fits {', '.join(fitted)}. Name one of these in more_in, or leave "
            "more_pictures out."
        )
    dealt_otherwise = options.folds or options.fold or options.leave_out or options.split_file
    if options.figures_from and options.split[2] and not dealt_otherwise:
        raise UsageProblem(
            "figures_from lends figures to a model without a test share, and this recipe keeps one "
            "(split), so its own figures would stand. Leave figures_from out, or say "
            "split=[0.9, 0.1, 0.0]."
        )


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
