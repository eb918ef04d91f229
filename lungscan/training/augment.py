"""Augmentation in batches, on the device that trains.

Geometry: any angle, either mirror image, a random crop and scale: tissue has no up or left.
Colour: each stain's strength changes in optical density, where stains add up (Ruifrok and
Johnston 2001; as augmentation: Tellez et al. 2018), then the lamp's brightness. Focus: a mild blur.
Storage: JPEG's loss. A CT slice has an up and no stains: small turns, and its window.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lungscan.training import jpeg
from lungscan.training.optics import blurred, grain, sharpen
from lungscan.training.options import Augment
from lungscan.training.restain import coarsen, restain

# Optical density of haematoxylin, eosin and the residual, per red, green, blue; rows have length 1.
STAINS = ((0.650, 0.704, 0.286), (0.072, 0.990, 0.105), (0.268, 0.570, 0.776))


def crop_and_turn(
    fields: Tensor,
    crop_px: int,
    span_px: tuple[int, int],
    generator: torch.Generator,
    degrees: float = 180.0,
) -> Tensor:
    """Cut a turned, mirrored, scaled square from each field.

    Args:
        fields: ``(b, 3, s, s)`` float, 0 to 255.
        crop_px: side of the result.
        span_px: least and most side of the square in the field's pixels.
        degrees: at most turned so far to either side; below 180 only left and right are mirrored.

    Returns:
        ``(b, 3, crop_px, crop_px)`` float; what lies outside the field is mirrored in.
    """
    count, _, side, _ = fields.shape
    low, high = (math.log(s / side) for s in span_px)
    scale = torch.exp(torch.empty(count).uniform_(low, high, generator=generator))
    most = math.radians(degrees)  # the second bound is 360 degrees where all angles are drawn
    first = 0.0 if degrees >= 180 else -most
    angle = torch.empty(count).uniform_(first, first + 2 * most, generator=generator)
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1.0
    room = (1 - scale).clamp_min(0)
    shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * room[:, None]
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack(
        [
            torch.stack([cos * mirror, -sin, shift[:, 0]], 1),
            torch.stack([sin * mirror, cos, shift[:, 1]], 1),
        ],
        1,
    ).to(fields.device)
    grid = F.affine_grid(theta, [count, 3, crop_px, crop_px], align_corners=False)
    return F.grid_sample(fields, grid, padding_mode="reflection", align_corners=False)


def stain_shift(fields: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Change each stain's strength by a factor near 1 (standard deviation ``sigma``).

    ``fields`` is ``(b, 3, h, w)`` float, 0 to 255; so is the result.
    """
    count = fields.shape[0]
    stains = torch.tensor(STAINS)
    unmix = torch.linalg.inv(stains)
    factors = torch.exp(torch.randn(count, 3, generator=generator) * sigma)
    offset = torch.randn(count, 3, generator=generator) * sigma * 0.15
    lamp = torch.randn(count, 1, generator=generator) * sigma * 0.2
    mix = unmix @ torch.diag_embed(factors) @ stains  # (b, 3, 3): density in, density out
    shift = offset @ stains + lamp
    density = -torch.log((fields + 1.0) / 256.0)
    flat = density.flatten(2)
    turned = torch.baddbmm(
        shift.to(fields.device)[:, :, None], mix.transpose(1, 2).to(fields.device), flat
    )
    return (256.0 * torch.exp(-turned) - 1.0).clamp(0, 255).view_as(fields)


def soften(fields: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blur a random ``share`` of the batch slightly (Gaussian, sigma 0.5 to 1.5 px)."""
    chosen = torch.rand(fields.shape[0], generator=generator) < share
    if not bool(chosen.any()):
        return fields
    sigma = torch.empty(1).uniform_(0.5, 1.5, generator=generator)
    rows = chosen.nonzero()[:, 0].to(fields.device)
    result = fields.clone()
    result[rows] = blurred(fields[rows], sigma.expand(len(rows)))
    return result


def greyed(fields: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Show a random ``share`` of ``(b, 3, h, w)`` without colour."""
    chosen = (torch.rand(fields.shape[0], generator=generator) < share).to(fields.device)
    grey = fields.mean(1, keepdim=True).expand_as(fields)
    return torch.where(chosen[:, None, None, None], grey, fields)


def window(fields: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Change brightness and contrast of ``(b, 3, h, w)`` float, 0 to 255, as a CT's window does.

    The logarithm of the contrast has the standard deviation ``sigma``, and what is added has two
    thirds of it, as a share of the whole range.
    """
    count = fields.shape[0]
    factor = torch.exp(torch.randn(count, generator=generator) * sigma).to(fields.device)
    added = (torch.randn(count, generator=generator) * sigma * 170.0).to(fields.device)
    middle = fields.mean((1, 2, 3), keepdim=True)
    changed = (fields - middle) * factor[:, None, None, None] + middle
    return (changed + added[:, None, None, None]).clamp(0, 255)


def augment(
    fields: Tensor,
    crop_px: int,
    span_px: tuple[int, int],
    how: Augment,
    generator: torch.Generator,
) -> Tensor:
    """The whole augmentation: ``(b, s, s, 3)`` uint8 in, ``(b, 3, crop_px, crop_px)`` float out."""
    picture = fields.permute(0, 3, 1, 2).float()
    picture = crop_and_turn(picture, crop_px, span_px, generator, how.turn_degrees)
    if how.grey_share > 0:
        picture = greyed(picture, how.grey_share, generator)
    if how.stain_sigma > 0:
        picture = stain_shift(picture, how.stain_sigma, generator)
    if how.window_sigma > 0:
        picture = window(picture, how.window_sigma, generator)
    if how.restain_share > 0:
        picture = restain(picture, how.restain_share, generator)
    if how.coarsen_share > 0:
        picture = coarsen(picture, how.coarsen_share, how.coarsen_most, generator)
    picture = soften(picture, how.blur_share, generator)
    if how.grain_share > 0:
        picture = grain(picture, how.grain_share, generator)
    if how.sharpen_share > 0:
        picture = sharpen(picture, how.sharpen_share, generator)
    if how.jpeg_share > 0:
        picture = jpeg.compress(picture, how.jpeg_share, how.jpeg_quality, generator)
    return picture


VIEWS_AT_ONCE = 64
VIEW_SPAN = 0.75  # of a picture's side, at least, in a view of it


def views(pixels: NDArray[np.uint8], how: Augment, seed: int) -> NDArray[np.uint8]:
    """Pictures ``(n, s, s, 3)``, each changed once as in training; of the same size and number."""
    generator, side = torch.Generator().manual_seed(seed), pixels.shape[1]
    span = (round(VIEW_SPAN * side), side)
    changed = [
        augment(part, side, span, how, generator).round().clamp(0, 255).byte()
        for part in torch.split(torch.from_numpy(pixels), VIEWS_AT_ONCE)
    ]
    return torch.cat(changed).permute(0, 2, 3, 1).contiguous().numpy()
