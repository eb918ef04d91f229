"""Changed views of grey pictures, such as CT slices, in batches on the device that trains.

Small turns, crops and shifts, either mirror image, and the window's brightness and contrast: a
patient lies a little turned, nearer or further, and readers choose windows. Nothing of the stains
of ``lungscan.training.augment``: grey stays grey.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lungscan.studies.options import Changes


def changed(pictures: Tensor, how: Changes, generator: torch.Generator) -> Tensor:
    """Other views of pictures.

    Args:
        pictures: ``(b, s, s, 3)`` uint8.
        how: how much they may differ.
        generator: of the same device.

    Returns:
        ``(b, 3, s, s)`` float, 0 to 255; what lies outside a picture is black.
    """
    fields = pictures.permute(0, 3, 1, 2).float()
    count, device = len(fields), fields.device

    def even(low: float, high: float) -> Tensor:
        return torch.rand(count, device=device, generator=generator) * (high - low) + low

    angle = even(-math.radians(how.degrees), math.radians(how.degrees))
    scale = even(*how.zoom)
    mirror = torch.where(even(0, 1) < 0.5, -1.0, 1.0) if how.mirror else torch.ones_like(scale)
    # A smaller square may lie anywhere in the picture; all may be moved by ``shift``.
    room = (1 - scale).clamp_min(0) + 2 * how.shift
    across, down = even(-1, 1) * room, even(-1, 1) * room
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = (cos * mirror, -sin, across, sin * mirror, cos, down)
    theta = torch.stack(rows, 1).view(count, 2, 3)
    grid = F.affine_grid(theta, list(fields.shape), align_corners=False)
    fields = F.grid_sample(fields, grid, padding_mode="zeros", align_corners=False)

    def normal(sigma: float) -> Tensor:
        drawn = torch.randn(count, 1, 1, 1, device=device, generator=generator)
        return drawn * sigma

    factor, added = torch.exp(normal(how.contrast)), normal(how.brightness) * 255.0
    middle = fields.mean((1, 2, 3), keepdim=True)
    return ((fields - middle) * factor + middle + added).clamp(0, 255)
