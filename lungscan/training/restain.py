"""Pictures as another laboratory would have stained them and another scanner seen them.

Laboratories differ in their stains' own colours, not only in strength: in LC25000 both absorb
hardly any blue (0.1 to 0.2 of a unit vector), elsewhere 0.3 to 0.45. And colour must not tell the
classes apart: there tumour is bluer than benign tissue, which is the laboratory's way, not the
tissue's. So the vectors of both stains are drawn anew for each picture (Macenko et al. 2009 for the
vectors; Tellez et al. 2018 for the augmentation).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Mean optical density of haematoxylin and eosin per red, green, blue in LC25000's lung.
OWN = ((0.640, 0.745, 0.180), (0.360, 0.920, 0.130))
# What is added to a vector's red, green and blue: other laboratories lie inside.
RED = ((-0.16, 0.06), (-0.24, 0.18))  # of haematoxylin, of eosin
GREEN = 0.05  # standard deviation
BLUE = (-0.05, 0.34)  # of both alike, and
BLUE_EACH = 0.06  # so much of each by itself
STRENGTH = (0.2, 0.3)  # standard deviation of the logarithm: of both stains alike, and of each
CAST = 0.035  # standard deviation of the density of a channel, and of all: lamp and white balance
GLASS = 0.15  # most optical density of the palest place that a scanner's white balance takes away
PALEST_PX = 8  # side of that place
PARTS = 4  # of a batch, each with its own loss of resolution


def restain(fields: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Give a ``share`` of the pictures stains of another colour and strength, and other glass.

    ``fields`` is ``(b, 3, h, w)`` float, 0 to 255; so is the result.
    """
    count, device = fields.shape[0], fields.device
    own = F.normalize(torch.tensor(OWN), dim=1)
    base = _with_residual(own[None])[0]

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, 1).uniform_(low, high, generator=generator)

    def normal(sigma: float, width: int = 1) -> Tensor:
        return torch.randn(count, width, generator=generator) * sigma

    blue = uniform(*BLUE)
    moved = [torch.cat([uniform(*red), normal(GREEN), blue + normal(BLUE_EACH)], 1) for red in RED]
    vectors = _with_residual(F.normalize(own + torch.stack(moved, 1), dim=2))
    both = normal(STRENGTH[0])
    strength = torch.exp(
        normal(STRENGTH[1], 3) + torch.cat([both, both, torch.zeros_like(both)], 1)
    )
    mix = torch.linalg.inv(base) @ torch.diag_embed(strength) @ vectors
    cast = normal(CAST, 3) + normal(CAST)
    chosen = (torch.rand(count, 1, generator=generator) < share).float()
    mix = mix * chosen[:, :, None] + torch.eye(3) * (1 - chosen[:, :, None])
    shift = (cast * chosen)[:, :, None]
    density = -torch.log((fields + 1.0) / 256.0)
    turned = torch.baddbmm(shift.to(device), mix.transpose(1, 2).to(device), density.flatten(2))
    turned = turned.view_as(fields)
    white = (uniform(0, 1) * chosen).to(device)[:, :, None, None]
    palest = F.avg_pool2d(turned, PALEST_PX).amin((2, 3), keepdim=True).clamp(-GLASS, GLASS)
    return (256.0 * torch.exp(palest * white - turned) - 1.0).clamp(0, 255)


def _with_residual(stains: Tensor) -> Tensor:
    """Two unit vectors ``(b, 2, 3)`` and a third at right angles to both: ``(b, 3, 3)``."""
    residual = F.normalize(torch.linalg.cross(stains[:, 0], stains[:, 1]), dim=1)
    return torch.cat([stains, residual[:, None]], 1)


def coarsen(fields: Tensor, share: float, most: float, generator: torch.Generator) -> Tensor:
    """Take the resolution of up to ``most`` times larger pixels, as of a scan at a lower power.

    The batch is taken in parts; a ``share`` of them loses resolution, each its own.
    """
    side, result = fields.shape[-1], fields.clone()
    for part in torch.chunk(result, PARTS):
        drawn = torch.rand(2, generator=generator).tolist()
        if drawn[0] < share:
            size = max(8, round(side / math.exp(drawn[1] * math.log(most))))
            small = F.interpolate(part, size=size, mode="bilinear", antialias=True)
            part.copy_(F.interpolate(small, size=side, mode="bicubic").clamp(0, 255))
    return result
