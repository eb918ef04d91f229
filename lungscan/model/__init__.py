"""A model folder: card, network, limits of novelty, and what may be believed of it."""

from __future__ import annotations

import sys

# OpenVINO reports its use to its makers unless this module cannot be imported; see also
# ``lungscan.runtimes``, since either package may be the first to load OpenVINO.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
