"""A network as a list of layers that name the groups of units they read and write.

From the list follow where every weight stands (`layout`), how one model or a whole population runs (`logits`), how it
begins (`initialise`), which units may change places (`hidden`) and the same network as ordinary PyTorch (`module`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.initialisation import BIAS, INITIALISATIONS, initial_weight
from hyperlib.weightspace.layers import ACTIVATIONS, Layer, Pass
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.randomness import key
from hyperlib.weightspace.steps import Step, heads_of, wired
from hyperlib.weightspace.units.layer_units import layer_units
from hyperlib.weightspace.units.structure import UnitStructure
from hyperlib.weightspace.values import as_tensor, generator, is_whole, usual_precision

_INITIAL = 1  # stream number of the initial weights, see zoos.population for the others


@dataclass(frozen=True, repr=False)
class Architecture(BaseArchitecture):
    """A feed-forward network over images of shape `image` = (channels, height, width).

    The last layer's group are the classes. A network with several outputs names the layers that give them, `heads`;
    its scores are theirs, side by side. `activation` fills every `Activation()` layer that has no kind of its own.
    Raises ValueError at construction when widths contradict each other, a source is unknown, a layer does not fit, or
    nobody reads a layer that is no output.
    """

    name: str
    image: tuple[int, int, int]
    layers: tuple[Layer, ...]
    activation: str = "tanh"
    heads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"There is no activation {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}.")
        if len(self.image) != 3 or not all(is_whole(side, 1) for side in self.image):
            raise ValueError(f"{self.name} reads images of (channels, height, width), not of {self.image}.")
        object.__setattr__(self, "image", tuple(map(int, self.image)))  # a NumPy number of few bits would overflow
        if not self.layers:
            raise ValueError(f"{self.name} has no layers; the last one must give one row of classes.")
        object.__setattr__(self, "heads", tuple(self.heads))
        _ = self.ends  # checks the wiring

    def __repr__(self) -> str:
        """What stores know a network by; heads only where there are some, because they came later."""
        heads = f", heads={self.heads!r}" if self.heads else ""
        shown = f"name={self.name!r}, image={self.image!r}, layers={self.layers!r}, activation={self.activation!r}"
        return f"Architecture({shown}{heads})"

    # -- structure --------------------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The layers with their sources, shapes and unit groups, checked."""
        return wired(self.name, self.image, self.layers)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Places of the steps that are outputs: the last one, or the heads."""
        return heads_of(self.name, self.steps, self.heads)

    @property
    def structure(self) -> UnitStructure:
        """Groups, signals and pieces, derived from the layers."""
        return _structure(self)

    @cached_property
    def layout(self) -> Layout:
        """Where every weight stands in the flat vector."""
        shapes = {
            f"{step.layer.name}.{part}": shape
            for step in self.steps
            for part, shape in step.layer.parameters(step.inputs).items()
        }
        return Layout.of_shapes(shapes, frozenset(name for name in shapes if ".running_" in name))

    @property
    def num_classes(self) -> int:
        """Width of the last layer, or of all heads together."""
        return sum(self.steps[place].outputs[0] for place in self.ends)

    @cached_property
    def activations_per_input(self) -> int:
        """Numbers that one image's forward pass makes in one model."""
        return sum(torch.Size(step.outputs).numel() for step in self.steps)

    @cached_property
    def hidden(self) -> dict[str, int]:
        """Width of every group of hidden units: all but the image's channels and the classes."""
        fixed = {"image", *(self.steps[place].group for place in self.ends)}
        return {step.group: step.outputs[0] for step in self.steps if step.layer.writes and step.group not in fixed}

    def with_activation(self, activation: str) -> Architecture:
        """The same network with another nonlinearity."""
        return self if activation == self.activation else replace(self, activation=activation)

    # -- running ----------------------------------------------------------------------------------------------------

    def logits(self, weights: Float[Tensor, "..."], images: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Class scores in evaluation mode.

        weights: `[params]` for one model, `[models, params]` for a population; images: `[batch, channels, height,
        width]`, or `[models, batch, ...]` where every model sees its own. Gives `[batch, classes]` or
        `[models, batch, classes]`, computed in the type of the weights, in float32 where that is a half one. Raises
        ValueError when a shape does not belong to this architecture.
        """
        self.layout.check(weights, self.name)
        if weights.ndim > 2:
            raise ValueError(
                f"These weights have shape {tuple(weights.shape)}; give [params] or [models, params], "
                "for instance weights.flatten(0, 1)."
            )
        if tuple(images.shape[-3:]) != self.image or images.ndim not in (4, 5):
            raise ValueError(
                f"{self.name} reads images of {self.image} (channels, height, width), but these are "
                f"{tuple(images.shape)}; choose another data set or architecture, or resize the images."
            )
        shared = images.ndim == 4
        if not shared and (weights.ndim == 1 or images.shape[0] != weights.shape[0]):
            raise ValueError(
                f"Images of {images.shape[0]} models meet weights of shape {tuple(weights.shape)}; "
                "both need the same number of models, or the images none."
            )
        weights = usual_precision(weights)
        images = images.to(weights.dtype)
        population = weights if weights.ndim == 2 else weights[None]
        batch = images.shape[-4]
        if not len(population) or not batch:  # convolutions refuse to compute nothing
            return weights.new_zeros(*weights.shape[:-1], batch, self.num_classes)
        result = self.forward(population, images[:, None] if shared else images.transpose(0, 1), Pass(self.activation))
        return result.transpose(0, 1) if weights.ndim == 2 else result[:, 0]

    def forward(
        self, weights: Float[Tensor, "models params"], images: Float[Tensor, "batch _ c h w"], now: Pass
    ) -> Float[Tensor, "batch models classes"]:
        """The one forward pass of all engines; images `[batch, 1 or models, ...]`. See `Pass` for training."""
        given = self.outputs(weights, images, now)
        ends = [given[place].expand(-1, weights.shape[0], -1) for place in self.ends]
        return ends[0] if len(ends) == 1 else torch.cat(ends, -1)

    def outputs(
        self, weights: Float[Tensor, "models params"], images: Float[Tensor, "batch _ c h w"], now: Pass
    ) -> list[Float[Tensor, "batch _ ..."]]:
        """What every step gives, in the order of `steps`: `[batch, models, ...]`.

        The axis of models has length 1 where nothing before depends on weights and the images are shared.
        """
        # split, not sliced as in `unflatten`: a slice's gradient is as long as all weights, once per slot
        parts = weights.split([slot.size for slot in self.slots], -1)
        state = {slot.name: part.unflatten(-1, slot.shape) for slot, part in zip(self.slots, parts, strict=True)}
        outputs: list[Tensor] = []
        for place, step in enumerate(self.steps):
            x = outputs[step.source] if step.source >= 0 else images
            if step.other is not None:
                outputs.append(x + (outputs[step.other] if step.other >= 0 else images))
                continue
            now.place = place
            own = {part: state[f"{step.layer.name}.{part}"] for part in step.layer.parameters(step.inputs)}
            given = step.layer.run(x, own, now)
            outputs.append(given if now.after is None else now.after(step.layer, x, own, given))
        return outputs

    def initialise(
        self,
        seeds: Sequence[int],
        how: str | Sequence[str] = "kaiming_uniform",
        *,
        std: float | Sequence[float] = 1.0,
        bias: float | Sequence[float] = BIAS,
    ) -> Float[Tensor, "models params"]:
        """Initial weights, one row per seed; a row depends on its own seed, `how`, `std` and `bias` alone.

        `how` is one of `INITIALISATIONS`, for all rows or one for each; see `initialisation` for their scales. The
        bias constant 0.01 is that of the thesis's zoos. Norms begin as the identity, slopes of PReLU at 1/4.
        """
        seeds = list(seeds)
        hows = [how] * len(seeds) if isinstance(how, str) else list(how)
        if unknown := sorted(set(hows) - set(INITIALISATIONS)):
            raise ValueError(f"There is no initialisation {unknown[0]!r}; choose one of {', '.join(INITIALISATIONS)}.")
        stds, biases = (as_tensor(values, torch.float64) for values in (std, bias))
        for name, count in (("how", len(hows)), ("std", stds.numel()), ("bias", biases.numel())):
            if count != len(seeds) and (name == "how" or count != 1):
                raise ValueError(f"{name} has {count} values for {len(seeds)} seeds; give one, or one for each seed.")
        stds, biases = stds.expand(len(seeds)), biases.expand(len(seeds))
        weights = torch.empty(len(seeds), self.layout.size, dtype=torch.float32)
        constants = {f"{step.layer.name}.{part}": v for step in self.steps for part, v in step.layer.starts.items()}
        for number, slot in enumerate(self.slots):
            place = slice(slot.start, slot.stop)
            if slot.name in constants:
                weights[:, place] = constants[slot.name]
            elif slot.part == "bias":
                weights[:, place] = biases[:, None].float()
            else:
                keys = key(seeds, _INITIAL, number)
                for name in dict.fromkeys(hows):
                    rows = torch.tensor([index for index, one in enumerate(hows) if one == name])
                    weights[rows, place] = initial_weight(slot, keys[rows], name, stds[rows]).float()
        return weights

    def trial_weights(self, models: int, seed: int = 0) -> Float[Tensor, "models params"]:
        """Random float64 weights in which no part is trivial: biases and norms are positive numbers around one."""
        weights = self.initialise([seed + model for model in range(models)], "kaiming_normal").double()
        random = generator(seed)
        constants = {f"{step.layer.name}.{part}" for step in self.steps for part in step.layer.starts}
        for slot in self.slots:
            if len(slot.shape) == 1 or slot.name in constants:
                drawn = torch.rand(models, slot.size, generator=random, dtype=torch.float64)
                weights[:, slot.start : slot.stop] = 0.5 + drawn
        return weights

    # -- the same network in plain PyTorch -------------------------------------------------------------------------

    def module(self, weights: Float[Tensor, " params"], *, dropout: float = 0.0) -> Network:
        """One model as an ordinary `torch.nn.Module` with the usual state dict (layer names as given here)."""
        self.layout.check(weights, self.name)
        if weights.ndim != 1:
            raise ValueError(f"A module is one model; these weights have shape {tuple(weights.shape)}, take one row.")
        network = Network(self, dropout)
        network.load_state_dict({n: v.clone() for n, v in self.layout.unflatten(weights).items()}, strict=False)
        return network.eval()


class Network(nn.Module):
    """An `Architecture` in plain PyTorch, built from `torch.nn` layers."""

    def __init__(self, architecture: Architecture, dropout: float = 0.0) -> None:
        super().__init__()
        self.architecture = architecture
        self.names: list[str] = []
        for place, step in enumerate(architecture.steps):
            self.names.append(step.layer.name or f"{type(step.layer).__name__.lower()}_{place}")
            if step.other is None:
                self._place(self.names[-1], step.layer.module(step.inputs, architecture.activation, dropout))

    def _place(self, name: str, module: nn.Module) -> None:
        """Put a layer where its dotted name says ("stage1.conv2"), so that the state dict has the names given."""
        *folders, leaf = name.split(".")
        parent: nn.Module = self
        for folder in folders:
            if folder not in parent._modules:
                parent.add_module(folder, nn.Module())
            parent = parent.get_submodule(folder)
        parent.add_module(leaf, module)

    def forward(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch classes"]:
        """Class scores of one model."""
        outputs: list[Tensor] = []
        for name, step in zip(self.names, self.architecture.steps, strict=True):
            x = outputs[step.source] if step.source >= 0 else images
            if step.other is None:
                outputs.append(self.get_submodule(name)(x))
            else:
                outputs.append(x + (outputs[step.other] if step.other >= 0 else images))
        ends = [outputs[place] for place in self.architecture.ends]
        return ends[0] if len(ends) == 1 else torch.cat(ends, -1)


@lru_cache(maxsize=64)
def _structure(architecture: Architecture) -> UnitStructure:
    return layer_units(
        architecture.steps, architecture.ends, architecture.image, architecture.layout, architecture.activation
    )
