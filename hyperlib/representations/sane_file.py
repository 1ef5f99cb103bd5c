"""What a file of a `Sane` says, and what it asks for; see `safe_file`.

The zoos that were fitted stand there with their architectures, as records where these have no name in our list.

Source: our choice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import torch
from torch import Tensor

from hyperlib.files.reading import decoded
from hyperlib.representations import safe_file
from hyperlib.representations.window_zoos import ZOOS_LIMIT
from hyperlib.weightspace.architecture_record import RECORD_LIMIT, network_of, record_of
from hyperlib.weightspace.values import device_called

Rep = TypeVar("Rep")  # Sane, which comes by argument: it imports this file
Kept = list[tuple[str, str, str, dict[str, Any] | None]]  # zoos: name; its network's name, activation and record
FORMAT = "hyperlib-sane-1"
BLOCK_TENSORS = 12


@dataclass(frozen=True)
class _Header:
    """What the file says of itself; `settings` and `zoos` are JSON."""

    format: Literal["hyperlib-sane-1"]
    settings: Annotated[str, msgspec.Meta(max_length=safe_file.SETTINGS_LIMIT)]
    zoos: Annotated[str, msgspec.Meta(max_length=RECORD_LIMIT)]
    checksum: str


def save_sane(rep: Rep, path: Path) -> Path:
    """Write the fitted representation to a new file; raises as `safe_file.write`, and ValueError for architectures
    that could not be read back."""
    zoos = []
    safe_file.check_size(*(zoo.architecture for zoo in rep.zoos_))
    for zoo in rep.zoos_:
        record = record_of(zoo.architecture)
        zoos.append([zoo.name, zoo.architecture.name, zoo.architecture.activation, record])
    tensors = safe_file.modules(rep) | safe_file.history_of(rep)
    for number, zoo in enumerate(rep.zoos_):
        tensors |= {f"scale.{number}.mean": zoo.scale.mean, f"scale.{number}.deviation": zoo.scale.deviation}
    words = {"format": FORMAT, "settings": safe_file.settings_of(rep, but=("device",)), "zoos": json.dumps(zoos)}
    if len(words["zoos"]) > RECORD_LIMIT:
        raise ValueError(f"The architectures of its zoos take {len(words['zoos'])} characters; a file takes 2**22.")
    return safe_file.write(path, words, tensors)


def load_sane(kind: type[Rep], fitted: type, path: Path, device: str) -> Rep:
    """Read a file that `save_sane` wrote of this kind. Raises FileNotFoundError or ValueError in one sentence."""
    device_called(device)

    def unfitted(header: _Header, tensors: int) -> tuple[Rep, safe_file.Shapes]:
        rep = kind(device=device, **safe_file.settings_from(header.settings, ("projection", "asked", "tables")))
        zoos = decoded(header.zoos, Kept, "what it says of its zoos")
        if 2 * BLOCK_TENSORS * rep.depth + rep.projection[0] + 2 * len(zoos) > tensors or len(zoos) > ZOOS_LIMIT:
            raise ValueError("its networks or zoos ask for more tensors than it has")
        with torch.device("meta"):
            rep.build()
        shapes = {name: tuple(value.shape) for name, value in safe_file.modules(rep).items()}
        rep.zoos_ = []
        for number, (name, architecture, activation, record) in enumerate(zoos):
            network = network_of(architecture, activation, record)
            safe_file.check_size(network, *(zoo.architecture for zoo in rep.zoos_))
            rep.zoos_.append(fitted(name, network, None))
            layers = (len(rep.tokenizer(network).layers),)
            shapes |= {f"scale.{number}.{part}": layers for part in ("mean", "deviation")}
        return rep, shapes

    def fill(rep: Rep, header: _Header, tensors: dict[str, Tensor]) -> None:
        del header
        for number, zoo in enumerate(rep.zoos_):
            parts = (tensors[f"scale.{number}.{part}"] for part in ("mean", "deviation"))
            scale = safe_file.scale_from(rep.tokenizer(zoo.architecture), *parts)
            rep.zoos_[number] = replace(zoo, scale=scale)
        rep.build()
        safe_file.fill_modules(rep, tensors)

    return safe_file.read(path, _Header, unfitted, fill, kind.__name__, FORMAT)
