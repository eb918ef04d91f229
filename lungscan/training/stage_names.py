"""The stages of a training run, and which options shape the weights of each."""

from __future__ import annotations

from typing import Literal

Stage = Literal["features", "teacher", "student", "finetune", "alone", "head"]
STAGES: tuple[Stage, ...] = ("features", "teacher", "student", "finetune", "alone", "head")
BUNDLE = "bundle"
STAGE_TEXTS = {
    "features": "the student learns the features of an ImageNet network, before any label",
    "teacher": "a larger network learns the labels",
    "student": "the network that ships learns from the teacher and the labels",
    "finetune": "the student again, by labels alone",
    "alone": "the student without a teacher, for comparison",
    "head": "the last layer anew by logistic regression, all else as it is",
    BUNDLE: "folded, calibrated, judged on unseen groups, written",
}

# What shapes a stage's weights: options of all stages, and those of its own.
SHARED_OPTIONS = (
    "data",
    "sources",
    "leave_out",
    "counter_examples",
    "counter_limit",
    "drawn_examples",
    "field_px",
    "split",
    "split_file",
    "fold",
    "protocol",
    "seed",
    "pretrained",
    "augment",
)
MORE = ("more_pictures", "more_in")
START = ("features_fit", "feature_teacher", "features", "features_of_fold", *MORE, "student")
TEACHING = ("teacher", "teacher_fit", "teacher_from")
STAGE_OPTIONS: dict[Stage, tuple[str, ...]] = {
    "features": START,
    "teacher": ("teacher", "teacher_fit"),
    "student": (*TEACHING, *START, "student_fit", "distil"),
    "finetune": (*TEACHING, *START, "student_fit", "distil", "finetune_fit"),
    "alone": (*START, "student_fit", "start_sha256"),
    "head": (*START, "start_sha256", "head_fit"),
}
