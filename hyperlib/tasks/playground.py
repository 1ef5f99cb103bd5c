"""A network small enough to be drawn: all orders of its hidden units, and where in the plane each unit switches.

With two inputs and one hidden layer a function is a picture, and the whole orbit of the weights under permutation fits
behind one slider. Works for networks of one hidden layer named `fc1` that read points of the plane.

Source: our choice.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.symmetry import permutation_index

REACH = 10.0  # half the length of a drawn line; a plot cuts it


def exchanges(units: list[int]) -> list[list[int]]:
    """All orders of the units, each from the one before by exchanging two neighbours (plain changes)."""
    if not units:
        return [[]]
    *others, last = units
    found = []
    for number, order in enumerate(exchanges(others)):
        places = range(len(units)) if number % 2 else reversed(range(len(units)))
        found += [[*order[:place], last, *order[place:]] for place in places]
    return found


def copies_in_all_orders(
    architecture: Architecture, weights: Float[Tensor, " params"]
) -> tuple[list[str], Float[Tensor, "orders params"], pd.DataFrame]:
    """Every order of the hidden units: its name, the weight vector, and a table of which weight stands where.

    Names list the units by number, from 1. The table has one row per order and place of the vector: `order`, `place`,
    `value`, `unit` (from 0; whose weight it is, -1 for biases of classes) and `distance` to the first order. Raises
    ValueError for other networks than the module is about.
    """
    width = _width(architecture)
    architecture.layout.check(weights, architecture.name)
    orders = torch.tensor(exchanges(list(range(width))))
    index = permutation_index(architecture, {"fc1": orders})
    copies, owners = weights[index], _owners(architecture, width)[index]
    names = ["".join(str(unit + 1) for unit in order) for order in orders.tolist()]
    count, params = index.shape
    table = pd.DataFrame(
        {
            "order": pd.Series(names).repeat(params).to_numpy(),
            "place": torch.arange(params).repeat(count),
            "value": copies.flatten(),
            "unit": owners.flatten(),
            "distance": (copies - weights).norm(dim=1).repeat_interleave(params),
        }
    )
    return names, copies, table


def switching_lines(architecture: Architecture, weights: Float[Tensor, " params"]) -> pd.DataFrame:
    """Two points of the line on which each hidden unit's input is zero: `unit`, `x0`, `y0`, `x1`, `y1`.

    They lie `REACH` to both sides of the line's point nearest to the origin.
    """
    _width(architecture)
    state = architecture.layout.unflatten(weights)
    normals, offsets = state["fc1.weight"].double(), state["fc1.bias"].double()
    nearest = -offsets[:, None] * normals / normals.square().sum(1, keepdim=True)
    along = torch.stack([-normals[:, 1], normals[:, 0]], 1) / normals.norm(dim=1, keepdim=True)
    start, end = nearest - REACH * along, nearest + REACH * along
    ends = {"x0": start[:, 0], "y0": start[:, 1], "x1": end[:, 0], "y1": end[:, 1]}
    return pd.DataFrame({"unit": range(len(normals)), **ends})


def points_of_the_plane(ticks: Float[Tensor, " ticks"]) -> Float[Tensor, "points 2 1 1"]:
    """A square grid of points as images of two channels, row by row (the second coordinate is the row's)."""
    return torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(-1, 2, 1, 1)


def _owners(architecture: Architecture, width: int) -> Tensor:
    """The number of the unit that every weight belongs to."""
    number = torch.arange(float(width))
    owners = {slot.name: torch.full(slot.shape, -1.0) for slot in architecture.slots}
    for slot in architecture.slots:
        if slot.layer == "fc1":
            owners[slot.name] = number[:, None].expand(slot.shape) if len(slot.shape) == 2 else number
        elif len(slot.shape) == 2:
            owners[slot.name] = number.expand(slot.shape)
    return architecture.layout.flatten(owners).long()


def _width(architecture: Architecture) -> int:
    if list(architecture.hidden) != ["fc1"] or architecture.image != (2, 1, 1):
        raise ValueError(
            f"The playground draws networks that read images of (2, 1, 1) and have one hidden layer, fc1; "
            f"{architecture.name} reads {architecture.image} and has {', '.join(architecture.hidden) or 'none'}."
        )
    return architecture.hidden["fc1"]
