"""A network's weights in another architecture, in two readings.

The thesis puts generated weights of the small CNN into three other networks (chapter 5). Its released code does not
hold this step, and since all four have equally many weights two readings are possible. *Poured*, the flat vector is cut
anew, wherever layers begin; *by name*, layers that both networks have are copied and all others begin as new. The
published table calls the skip of "3-conv (gen.) + res-skip (r.i.)" randomly initialised, which speaks for names there;
of "4-conv (gen.)" names would leave 208 of 2,464 weights.

Source: the question is that of Schürholt et al. (2022, arXiv:2209.14733); both readings are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture


class Transplant(NamedTuple):
    """Networks of the new architecture, and the names of the tensors that were copied into them."""

    weights: Float[Tensor, "networks params"]
    copied: tuple[str, ...]


def poured(
    weights: Float[Tensor, "networks params"], architecture: Architecture
) -> Float[Tensor, "networks params"]:
    """The same vectors, all numbers in their places, as networks of `architecture`.

    Raises ValueError where that has not as many weights.
    """
    if weights.ndim != 2 or weights.shape[1] != architecture.layout.size:
        raise ValueError(
            f"Only weights [networks, {architecture.layout.size}] can be poured into {architecture.name}, and these "
            f"are {list(weights.shape)}; copy layers by name instead."
        )
    return weights.clone()


def by_name(
    weights: Float[Tensor, "networks params"],
    source: Architecture,
    target: Architecture,
    seeds: Sequence[int],
    how: str = "kaiming_uniform",
) -> Transplant:
    """Networks of `target` with the layers that `source` has too; all else as `target.initialise(seeds, how)` has it.

    A layer is copied if both have one of that name with a weight of the same shape. Its other tensors (a bias, say) go
    with it where both have them; otherwise they are left out, or begin as new.

    Raises ValueError for weights that are not the source's, another number of seeds, and where no layer can be copied.
    """
    if weights.ndim != 2 or len(weights) != len(seeds):
        raise ValueError(f"Give [networks, params] and a seed for each, not {list(weights.shape)}, {len(seeds)} seeds.")
    source.layout.check(weights, source.name)
    old = {slot.name: slot for slot in source.slots}
    same = [slot for slot in target.slots if slot.name in old and old[slot.name].shape == slot.shape]
    layers = {slot.layer for slot in same if slot.part == "weight"}
    if not layers:
        raise ValueError(
            f"{target.name} has no layer of the same name and shape as one of {source.name}, so nothing of these "
            "networks would be left; pour them instead."
        )
    moved = target.initialise(seeds, how)
    copied = [slot for slot in same if slot.layer in layers]
    for slot in copied:
        was = old[slot.name]
        moved[:, slot.start : slot.stop] = weights[:, was.start : was.stop]
    return Transplant(moved, tuple(slot.name for slot in copied))
