"""Runtimes: uint8 batches in, calibrated probabilities and features out."""

from __future__ import annotations

from lungscan.runtimes.base import Runtime, load_runtime

__all__ = ["Runtime", "load_runtime"]
