"""A hyper-representation in one file: tensors, and the settings that it was made with, as text.

The file is safetensors, so that reading it runs nothing. Settings are checked before anything is built, and networks
are built only after their shapes were found in the file: it cannot ask for more memory than it takes itself. A checksum
of settings and tensors tells a damaged file. A network that is not in our list stands there as a record (see
`architecture_record`).

Source: our choice.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hyperlib.files.reading import decoded
from hyperlib.files.writing import Occupied, appearing
from hyperlib.representations.augment import Augment
from hyperlib.representations.estimator import Representation
from hyperlib.representations.training import HISTORY
from hyperlib.weightspace.architecture_record import RECORD_LIMIT, network_of, record_of
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.tokens import Scale, Tokenizer
from hyperlib.weightspace.values import device_called
from hyperlib.zoos.checkpoint import checksum

Rep = TypeVar("Rep", bound=Representation)  # HyperRep, which comes by argument: it imports this file
FORMAT = "hyperlib-representation-2"
METADATA_LIMIT = 2**16  # characters
TENSORS_LIMIT = 10_000
WEIGHTS_LIMIT = 2**27  # of a network, for which reading takes eight bytes each, whatever the file's size
BLOCK_TENSORS, HEAD_TENSORS = 12, 7  # at least, of a block of a transformer and of a layer of the head
LAYER_TENSORS = 4  # at least, that read and write a layer of the network whose tokens are neurons
_ELSEWHERE = ("architecture", "device")  # settings that are kept by name, or said where the file is read
_UNREADABLE = (  # whatever a file that somebody has tampered with can raise
    *(SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError),
    *(RuntimeError, IndexError, RecursionError, OverflowError, MemoryError),
)


@dataclass(frozen=True)
class _Header:
    """What the file says of itself; `settings` are JSON."""

    format: Literal["hyperlib-representation-2"]
    architecture: str
    activation: str
    fitted_activation: str
    settings: Annotated[str, msgspec.Meta(max_length=METADATA_LIMIT)]
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
    _check_size(rep.architecture)
    settings = {name: value for name, value in rep.get_params(deep=False).items() if name not in _ELSEWHERE}
    settings |= {"augment": None if rep.augment is None else asdict(rep.augment)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(rep).items()}
    metadata = {
        "format": FORMAT,
        "architecture": rep.architecture.name,
        "activation": rep.architecture.activation,
        "fitted_activation": rep.architecture_.activation,
        "settings": json.dumps(settings, default=_plain),
    }
    metadata |= {} if record is None else {"record": json.dumps(record)}
    metadata["checksum"] = _checksum(metadata, tensors)
    try:
        with appearing(path, new=True) as aside:
            save_file(tensors, aside, metadata)
    except Occupied:
        raise
    except (OSError, SafetensorError) as error:
        raise OSError(f"The representation cannot be written to {path} ({error}); free some space there.") from error
    return path


def _plain(scalar: np.generic) -> bool | int | float:
    """A setting that came out of a NumPy array, as JSON knows it."""
    return scalar.item()


def _checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Tells a damaged file from a whole one (no defence against intent; nothing here is executed)."""
    words = json.dumps(sorted(item for item in metadata.items() if item[0] != "checksum"))
    return f"{zlib.crc32(words.encode()):08x}{checksum(tensors)}"


def _tensors(rep: Rep) -> dict[str, Tensor]:
    tensors = {f"network.{name}": value for name, value in rep.network_.state_dict().items()}
    tensors |= {f"head.{name}": value for name, value in rep.head_.state_dict().items()}
    tensors["history"] = torch.tensor(rep.history_.to_numpy(dtype="float64"))
    if rep.scale_ is not None:
        tensors |= {"scale.mean": rep.scale_.mean, "scale.deviation": rep.scale_.deviation}
    return tensors


def load_hyper_rep(kind: type[Rep], path: Path, device: str) -> Rep:
    """Read a file that `save_hyper_rep` wrote of this kind. Raises FileNotFoundError or ValueError in one sentence."""
    if path.is_symlink() or not path.is_file():
        raise FileNotFoundError(f"There is no representation at {path}; HyperRep.save writes one.")
    device_called(device)
    try:
        with safe_open(path, framework="pt") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            header = msgspec.convert(metadata, _Header)
            rep = _unfitted(kind, header, len(names), device)
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            _check_shapes(rep, shapes)
            tensors = {name: file.get_tensor(name) for name in names}
        if header.checksum != _checksum(metadata, tensors):
            raise ValueError("what it holds is not what was written")
        _fill(rep, tensors)
        rep.architecture_ = rep.architecture.with_activation(header.fitted_activation)
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} is damaged or not of the format {FORMAT} ({_first_sentence(error)}); make or download it again."
        ) from None
    return rep


def _unfitted(kind: type[Rep], header: _Header, tensors: int, device: str) -> Rep:
    """The estimator as its header says; ValueError for anything that cannot be."""
    settings = decoded(header.settings, dict[str, Any], "what it says of its settings")
    if settings["augment"] is not None:
        settings["augment"] = Augment(**settings["augment"] | {"erased": tuple(settings["augment"]["erased"])})
    settings |= {name: tuple(settings[name]) for name in ("projection", "asked")}
    record = None if header.record is None else decoded(header.record, dict[str, Any], "what it says of its network")
    network = network_of(header.architecture, header.activation, record)
    _check_size(network)
    rep = kind(network, device=device, **settings)
    blocks = 0 if rep.encoding == "dense" else 2 * rep.depth
    layers = len(network.layout.layers) if rep.encoding == "neuron" else 0
    least = BLOCK_TENSORS * blocks + HEAD_TENSORS * rep.projection[0] + LAYER_TENSORS * layers
    if tensors > TENSORS_LIMIT or least > tensors:
        raise ValueError("it has too many tensors, or its networks ask for more")
    return rep


def _check_size(network: BaseArchitecture) -> None:
    if network.layout.size > WEIGHTS_LIMIT:
        raise ValueError(f"{network.name} has {network.layout.size} weights; a representation's file takes 2**27.")


def _check_shapes(rep: Rep, shapes: dict[str, tuple[int, ...]]) -> None:
    """ValueError unless the file holds exactly the tensors that the settings ask for, which are not made for this."""
    with torch.device("meta"):
        rep.build(None)
    expected = {name: tuple(value.shape) for name, value in _modules(rep).items()}
    layers = (len(Tokenizer(rep.architecture.layout).layers),)
    if rep.normalise:
        expected |= {"scale.mean": layers, "scale.deviation": layers}
    history = shapes.pop("history", ())
    if len(history) != 2 or history[1] != len(HISTORY) or expected != shapes:
        raise ValueError("its tensors are not those of its settings")


def _modules(rep: Rep) -> dict[str, Tensor]:
    modules = {"network": rep.network_, "head": rep.head_}
    return {f"{whose}.{name}": value for whose, part in modules.items() for name, value in part.state_dict().items()}


def _fill(rep: Rep, tensors: dict[str, Tensor]) -> None:
    """Networks with the file's weights, the scale and the history."""
    if not all(torch.isfinite(value).all() for name, value in tensors.items() if name != "history"):
        raise ValueError("some of its numbers are not finite")
    scale, tokenizer = None, Tokenizer(rep.architecture.layout)
    if rep.normalise:
        mean, deviation = tensors["scale.mean"].float(), tensors["scale.deviation"].float()
        if not (deviation > 0).all():
            raise ValueError("a layer's deviation is not above 0")
        scale = Scale(tokenizer.layers, mean, deviation, tokenizer.layer_of)
    rep.build(scale)
    for whose, module in (("network.", rep.network_), ("head.", rep.head_)):
        module.load_state_dict({n.removeprefix(whose): v for n, v in tensors.items() if n.startswith(whose)})
        module.to(rep.device).eval()
    rep.history_ = pd.DataFrame(tensors["history"].numpy(), columns=list(HISTORY)).astype({"step": int})


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
