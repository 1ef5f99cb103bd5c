"""What a file of a `HyperRep` says, and what it asks for; see `safe_file`.

Settings are checked before anything is built, and networks are built only after their shapes were found in the file. A
network that is not in our list stands there as a record (see `architecture_record`).

Source: our choice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import torch
from torch import Tensor

from hyperlib.files.reading import decoded
from hyperlib.representations import safe_file
from hyperlib.representations.estimator import Representation
from hyperlib.weightspace.architecture_record import RECORD_LIMIT, network_of, record_of
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.weightspace.values import device_called

Rep = TypeVar("Rep", bound=Representation)  # HyperRep, which comes by argument: it imports this file
FORMAT = "hyperlib-representation-2"
BLOCK_TENSORS, HEAD_TENSORS = 12, 7  # at least, of a block of a transformer and of a layer of the head
LAYER_TENSORS = 4  # at least, that read and write a layer of the network whose tokens are neurons


@dataclass(frozen=True)
class _Header:
    """What the file says of itself; `settings` are JSON."""

    format: Literal["hyperlib-representation-2"]
    architecture: str
    activation: str
    fitted_activation: str
    settings: Annotated[str, msgspec.Meta(max_length=safe_file.SETTINGS_LIMIT)]
    checksum: str
    record: Annotated[str, msgspec.Meta(max_length=RECORD_LIMIT)] | None = None  # of a network not found by its name


def save_hyper_rep(rep: Rep, path: Path) -> Path:
    """Write the fitted representation to a new file.

    Raises FileExistsError when the file exists, ValueError for an architecture that could not be read back, and
    OSError when the disk is full or refuses; nothing is left behind then.
    """
    if rep.architecture.layout != rep.architecture_.layout:
        raise ValueError(f"Its network was changed to {rep.architecture.name} since it was fitted; fit it again.")
    record = record_of(rep.architecture)
    safe_file.check_size(rep.architecture)
    words = {
        "format": FORMAT,
        "architecture": rep.architecture.name,
        "activation": rep.architecture.activation,
        "fitted_activation": rep.architecture_.activation,
        "settings": safe_file.settings_of(rep, but=("architecture", "device")),
    }
    words |= {} if record is None else {"record": json.dumps(record)}
    tensors = safe_file.modules(rep) | safe_file.history_of(rep)
    if rep.scale_ is not None:
        tensors |= {"scale.mean": rep.scale_.mean, "scale.deviation": rep.scale_.deviation}
    return safe_file.write(path, words, tensors)


def load_hyper_rep(kind: type[Rep], path: Path, device: str) -> Rep:
    """Read a file that `save_hyper_rep` wrote of this kind. Raises FileNotFoundError or ValueError in one sentence."""
    device_called(device)

    def unfitted(header: _Header, tensors: int) -> tuple[Rep, safe_file.Shapes]:
        settings = safe_file.settings_from(header.settings, ("projection", "asked"))
        record = None if header.record is None else decoded(header.record, dict[str, Any], "its network")
        network = network_of(header.architecture, header.activation, record)
        safe_file.check_size(network)
        rep = kind(network, device=device, **settings)
        blocks = 0 if rep.encoding == "dense" else 2 * rep.depth
        layers = len(network.layout.layers) if rep.encoding == "neuron" else 0
        if BLOCK_TENSORS * blocks + HEAD_TENSORS * rep.projection[0] + LAYER_TENSORS * layers > tensors:
            raise ValueError("its networks ask for more tensors than it has")
        with torch.device("meta"):
            rep.build(None)
        shapes = {name: tuple(value.shape) for name, value in safe_file.modules(rep).items()}
        if rep.normalise:
            shapes |= dict.fromkeys(("scale.mean", "scale.deviation"), (len(Tokenizer(network.layout).layers),))
        return rep, shapes

    def fill(rep: Rep, header: _Header, tensors: dict[str, Tensor]) -> None:
        scale = None
        if rep.normalise:
            tokenizer = Tokenizer(rep.architecture.layout)
            scale = safe_file.scale_from(tokenizer, tensors["scale.mean"], tensors["scale.deviation"])
        rep.build(scale)
        safe_file.fill_modules(rep, tensors)
        rep.architecture_ = rep.architecture.with_activation(header.fitted_activation)

    return safe_file.read(path, _Header, unfitted, fill, kind.__name__, FORMAT)
