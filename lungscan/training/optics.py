"""What scanners do to a picture after the lens: they sharpen it, and their sensors add noise.

Our training pictures are soft (one camera, scaled down from 768 px); scanners of other laboratories
sharpen theirs by unsharp masking, most of them more than one would notice.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH_PX = 4  # of the blur's kernel to each side
RADIUS_PX = (0.6, 1.8)  # sigma of the blur whose difference is added, drawn for each picture
AMOUNT = 2.5  # most times that the difference is added
NOISE = (1.0, 8.0)  # standard deviation, of 255 grey levels
GRAIN = 0.5  # most share of the noise that all three channels have in common


def sharpen(fields: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Sharpen a ``share`` of the pictures by unsharp masking, each with its own radius and amount.

    ``fields`` is ``(b, 3, h, w)`` float, 0 to 255; so is the result.
    """
    count, device = fields.shape[0], fields.device
    chosen = torch.rand(count, generator=generator) < share
    amount = torch.rand(count, generator=generator) * AMOUNT * chosen
    sigma = torch.empty(count).uniform_(*RADIUS_PX, generator=generator)
    detail = fields - blurred(fields, sigma)
    return (fields + amount.to(device)[:, None, None, None] * detail).clamp(0, 255)


def blurred(fields: Tensor, sigma: Tensor) -> Tensor:
    """Each picture under a Gaussian of its own, ``sigma`` ``(b,)`` pixels, drawn on the CPU."""
    count, channels = fields.shape[:2]
    place = torch.arange(-REACH_PX, REACH_PX + 1, dtype=torch.float32)
    kernel = torch.exp(-(place**2) / (2 * sigma[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(fields.device)
    kernel = kernel.repeat_interleave(channels, 0)[:, None]  # (b * channels, 1, taps)
    # One group of the convolution per plane: every picture has its own kernel.
    planes = F.pad(fields, (REACH_PX,) * 4, mode="reflect").flatten(0, 1)[None]
    planes = F.conv2d(planes, kernel[:, :, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, :, None, :], groups=count * channels)
    return planes.reshape(fields.shape)


def grain(fields: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Add a sensor's noise to a ``share`` of the pictures, each with its own strength.

    It is drawn on the device that holds them: only its seed comes from ``generator``.
    """
    count, device = fields.shape[0], fields.device
    chosen = torch.rand(count, generator=generator) < share
    strength = torch.empty(count).uniform_(*NOISE, generator=generator) * chosen
    common = torch.rand(count, generator=generator) * GRAIN
    seed = int(torch.randint(0, 2**31, (1,), generator=generator))
    own = torch.Generator(device).manual_seed(seed)
    noise = torch.randn(fields.shape, generator=own, device=device)
    grey = torch.randn(fields[:, :1].shape, generator=own, device=device)
    shares = torch.stack([1 - common, common]).sqrt() * strength
    each, alike = shares.to(device)[:, :, None, None, None].unbind()
    noisy: Tensor = fields + each * noise + alike * grey
    return noisy.clamp(0, 255)
