"""The three other networks of chapter 5, into which weights of the small CNN were put.

All read images of one channel and 28x28 pixels and have exactly the small CNN's 2,464 weights, because several layers
have no bias: so a generated vector can be poured into them as it is, or copied by layer name (`tasks.transplant`).

Source: `CNN_more_layers`, `CNN_residual` and `CNN_more_layers_residual` in the released code of Schürholt et al.
(2022, arXiv:2209.14733). Widths, kernels, places of pools and skips, and which layers have a bias are seen there; layer
names are those of `book/thesis/zoos.yml`. That a row of the published table is the network of the same description is
inferred. What the code does not hold is how weights were put into them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Add, Conv, Flatten, Layer, Linear, MaxPool

_IMAGE = (1, 28, 28)


def cnn_4conv() -> Architecture:
    """Four convolutions and one pool, the last three convolutions without biases."""
    return Architecture("cnn_4conv", _IMAGE, _four_convolutions())


def cnn_4conv_idskip() -> Architecture:
    """`cnn_4conv` with a skip without weights: every second pixel of the second convolution's answers, from the second
    on, is added to those of the fourth.

    It has a `Crop`, which the compiled engine does not know: on a CPU it trains some seven times slower than others.
    """
    skip = (Crop("skip", "act2", border=1, stride=2), Add(other="act4"))
    return Architecture("cnn_4conv_idskip", _IMAGE, _four_convolutions(skip))


def cnn_3conv_resskip() -> Architecture:
    """The small CNN with a skip from the first convolution's answers to those of the third.

    The skip is a 1x1 convolution that takes every fourth pixel; `conv1`, `conv3` and `fc1` have no biases, which makes
    room for its 32 weights.
    """
    layers = (
        *(Conv("conv1", width=8, kernel=5, bias=False), MaxPool(), Activation("act1")),
        *(Conv("conv2", width=6, kernel=5), MaxPool(), Activation()),
        *(Conv("conv3", units="stream", width=4, kernel=2, bias=False), Activation("act3")),
        Conv("skip", source="act1", units="stream", width=4, kernel=1, stride=4, bias=False),
        *(Add(other="act3"), Flatten(), Linear("fc1", width=20, bias=False), Activation()),
        Linear("fc2", units="classes", width=10),
    )
    return Architecture("cnn_3conv_resskip", _IMAGE, layers)


OTHER_ARCHITECTURES: Mapping[str, Callable[[], Architecture]] = {  # by the words of the published table
    "4-conv": cnn_4conv,
    "3-conv + res-skip": cnn_3conv_resskip,
    "4-conv + id.-skip": cnn_4conv_idskip,
}


def _four_convolutions(skip: tuple[Layer, ...] = ()) -> tuple[Layer, ...]:
    """The deeper network; `conv2` and `conv4` share their units where a skip joins them."""
    units = "stream" if skip else ""
    return (
        *(Conv("conv1", width=8, kernel=5), MaxPool(), Activation()),
        *(Conv("conv2", units=units, width=4, kernel=5, bias=False), Activation("act2")),
        *(Conv("conv3", width=6, kernel=4, bias=False), Activation()),
        *(Conv("conv4", units=units, width=4, kernel=3, bias=False), Activation("act4"), *skip),
        *(Flatten(), Linear("fc1", width=18), Activation(), Linear("fc2", units="classes", width=10)),
    )


@dataclass(frozen=True)
class Crop(Layer):
    """An image without its border, and of what is left every `stride`-th pixel per direction.

    It stands beside the one network that needs it: pools and strides of the other layers all begin at an image's edge.
    Raises ValueError where no pixel is left, and for a negative border or a stride below one.
    """

    by_channel: ClassVar[bool] = True

    border: int = 0
    stride: int = 1

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        if len(inputs) != 3 or self.border < 0 or self.stride < 1 or min(inputs[1:]) <= 2 * self.border:
            raise ValueError(f"Crop {self.name} cannot take {self.border} pixels off each side of {inputs}.")
        return (inputs[0], *(len(range(self.border, side - self.border, self.stride)) for side in inputs[1:]))

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: object) -> Tensor:
        rows, columns = (slice(self.border, side - self.border, self.stride) for side in x.shape[-2:])
        return x[..., rows, columns]

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return _Cropped(self)


class _Cropped(nn.Module):
    """`Crop` of one network."""

    def __init__(self, layer: Crop) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer.run(x, {}, None)
