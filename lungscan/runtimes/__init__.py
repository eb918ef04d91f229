"""Runtimes: uint8 batches in, calibrated probabilities and features out."""

from __future__ import annotations

import sys

# OpenVINO and NNCF report their use to their makers unless this module cannot be imported. Nothing
# leaves this machine: both then take the silent stand-in that they bring along.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

from lungscan.runtimes.runtime import Runtime, load_runtime  # noqa: E402

__all__ = ["Runtime", "load_runtime"]
