"""From stored pixels to the floats a network sees: size, grey, scale.

Only the chosen rows are turned to float, a chunk at a time, so a large set is held once as bytes and once as
the floats asked for, whatever is done to it in between.

Source: resizing, grey and normalisation as by torchvision in the released zoo scripts, except that pixels are
not rounded to bytes between the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in PIL
CHUNK = 1024  # images


@dataclass(frozen=True)
class Preparation:
    """What is done to images: `size` x `size`, grey, and (value - mean) / std for `scale` = (mean, std)."""

    size: int | None = None
    grey: bool = False
    scale: tuple[float, float] | None = None
    crop: bool = False  # get smaller by cutting the border instead of resizing

    def floats(
        self, images: np.ndarray, rows: np.ndarray, white: float
    ) -> Float[Tensor, "images channels height width"]:
        """The chosen rows of [n, height, width] or [n, height, width, channels], where `white` becomes 1."""
        mean, std = self.scale or (0.0, 1.0)
        images = images if images.ndim == 4 else images[..., None]
        side = (self.size, self.size) if self.size else images.shape[1:3]
        result = torch.empty(len(rows), 1 if self.grey else images.shape[3], *side)
        for start in range(0, len(rows), CHUNK):
            chunk = torch.from_numpy(images[rows[start : start + CHUNK]]).float().permute(0, 3, 1, 2) / white
            if self.grey and chunk.shape[1] == 3:
                chunk = torch.einsum("nchw,c->nhw", chunk, torch.tensor(LUMA))[:, None]
            result[start : start + CHUNK] = (self._resized(chunk, *side) - mean) / std
        return result

    def _resized(
        self, images: Float[Tensor, "images channels _ _"], height: int, width: int
    ) -> Float[Tensor, "images channels {height} {width}"]:
        now = images.shape[-2:]
        if now == (height, width):
            return images
        if self.crop and height <= now[0] and width <= now[1]:
            top, left = round((now[0] - height) / 2), round((now[1] - width) / 2)
            return images[..., top : top + height, left : left + width]
        return torch.nn.functional.interpolate(images, (height, width), mode="bilinear", antialias=True)

    def in_words(self, original: tuple[int, ...]) -> str:
        """What was done to images of shape [height, width] or [height, width, channels]."""
        height, width = original[:2]
        words = []
        if self.size and (height, width) != (self.size, self.size):
            verb = "cut" if self.crop and self.size < height else "resized"
            words.append(f"{verb} from {height}x{width} to {self.size}x{self.size}")
        if self.grey and original[2:] == (3,):
            words.append("grey")
        scaled = "mean {:g} std {:g}".format(*self.scale) if self.scale else "values in [0, 1]"
        return "; ".join([*words, scaled])
