"""JPEG's loss as an augmentation, in batches on the training device.

What harms is the rounding of 8 × 8 blocks' cosine coefficients (ITU-T T.81, annexes A and K); the
coding behind it is without loss, so it is left out. Quality scales the tables as libjpeg does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 8
# T.81 tables K.1 (luminance) and K.2 (chrominance).
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def compress(
    fields: Tensor, share: float, quality: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Give a random ``share`` of the batch the loss of JPEG at one quality between two.

    ``fields`` is ``(b, 3, h, w)`` float, 0 to 255; so is the result.
    """
    chosen = torch.rand(fields.shape[0], generator=generator) < share
    if not bool(chosen.any()):
        return fields
    low, high = quality
    value = int(torch.randint(low, high + 1, (1,), generator=generator))
    rows = chosen.nonzero()[:, 0].to(fields.device)
    result = fields.clone()
    result[rows] = as_jpeg(fields[rows], value)
    return result


def as_jpeg(fields: Tensor, quality: int) -> Tensor:
    """``(b, 3, h, w)`` float, 0 to 255, as JPEG of ``quality`` (1 to 100, 4:4:4) gives it back."""
    device = fields.device
    height, width = fields.shape[2:]
    turn = torch.tensor(TO_YCC, device=device)
    grey = torch.tensor((128.0, 0.0, 0.0), device=device).view(1, 3, 1, 1)
    padded = F.pad(fields, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    planes = torch.einsum("cd,bdhw->bchw", turn, padded) - grey
    blocks = planes.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)  # (b, 3, rows, columns, 8, 8)
    cosines, steps = _cosines(device), _steps(quality, device)
    coefficients = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    blocks = cosines.T @ coefficients @ cosines
    planes = blocks.transpose(3, 4).reshape(planes.shape) + grey
    back = torch.einsum("cd,bdhw->bchw", torch.linalg.inv(torch.tensor(TO_YCC)).to(device), planes)
    return back[:, :, :height, :width].clamp(0, 255)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal cosine transform of eight values, one frequency per row."""
    place = torch.arange(BLOCK, device=device, dtype=torch.float32)
    matrix = torch.cos(math.pi * place[:, None] * (2 * place[None] + 1) / (2 * BLOCK))
    matrix[0] /= math.sqrt(2)
    return matrix * math.sqrt(2 / BLOCK)


def _steps(quality: int, device: torch.device) -> Tensor:
    """Widths of the quantisation steps, ``(3, 1, 1, 8, 8)``, for Y, Cb and Cr."""
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    tables = torch.tensor((LUMINANCE, CHROMINANCE, CHROMINANCE), device=device)
    return torch.round(tables * scale).clamp(1, 255)[:, None, None]
