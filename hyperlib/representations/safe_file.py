"""A fitted representation as one file of tensors and words, which nothing in it can harm.

The file is safetensors, so that reading it runs nothing. What it says of itself is read into a record whose fields have
types and limits; tensors are read only after their names and shapes were found to be those that the record asks for, so
a file cannot ask for more memory than it takes itself. A checksum of words and tensors tells a damaged file.

Source: our choice.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from hyperlib.files.plain import Damaged, Unreadable, opened
from hyperlib.files.reading import decoded
from hyperlib.files.tensors import checksum, read_head, read_tensors
from hyperlib.files.writing import Occupied, appearing
from hyperlib.representations.augment import Augment
from hyperlib.representations.training import HISTORY
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.tokens import Scale, Tokenizer

SETTINGS_LIMIT = 2**16  # characters
TENSORS_LIMIT = 10_000
WEIGHTS_LIMIT = 2**27  # of all networks, for which reading takes eight bytes each, whatever the file's size
Shapes = dict[str, tuple[int, ...]]
Header, Fitted = TypeVar("Header"), TypeVar("Fitted")
_UNREADABLE = (  # whatever a file that somebody has tampered with can raise
    *(SafetensorError, KeyError, ValueError, TypeError, AttributeError),
    *(RuntimeError, IndexError, RecursionError, OverflowError, MemoryError),
)


def write(path: Path, words: dict[str, str], tensors: dict[str, Tensor]) -> Path:
    """Words and tensors as a new file, with a checksum.

    Raises FileExistsError when the file exists, and OSError when the disk is full or refuses; nothing is left behind.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    words = words | {"checksum": sealed(words, tensors)}
    try:
        with appearing(path, new=True) as aside:
            save_file(tensors, aside, words)
    except Occupied:
        raise
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise OSError(
            f"The representation cannot be written to {str(path)[:300]!r} ({why}); free some space there, or choose "
            "another folder that you may write."
        ) from error
    return path


def read(
    path: Path,
    header: type[Header],
    unfitted: Callable[[Header, int], tuple[Fitted, Shapes]],
    fill: Callable[[Fitted, Header, dict[str, Tensor]], None],
    kind: str,
    form: str,
) -> Fitted:
    """What `write` wrote, made in two steps: without tensors, of which only the number is known, then filled with them.

    Messages call the class `kind` and its format `form`. `unfitted` says which shapes it asks for; a history comes on
    top. Raises FileNotFoundError, Unreadable, and ValueError in one sentence for anything that is damaged or was
    not written so.
    """
    try:
        file = opened(path)
    except (FileNotFoundError, Damaged):
        raise FileNotFoundError(f"There is no representation at {str(path)[:300]!r}; {kind}.save writes one.") from None
    try:
        with file:
            head = read_head(file)
            words, shapes = head.words, head.shapes
            own = msgspec.convert(words, header)
            if len(shapes) > TENSORS_LIMIT:
                raise ValueError("it has too many tensors")
            fitted, expected = unfitted(own, len(shapes))
            history = shapes.pop("history", ())
            if len(history) != 2 or history[1] != len(HISTORY) or expected != shapes:
                raise ValueError("its tensors are not those of its settings")
            tensors = read_tensors(file)
        if words["checksum"] != sealed(words, tensors):
            raise ValueError("what it holds is not what was written")
        if not all(torch.isfinite(value).all() for name, value in tensors.items() if name != "history"):
            raise ValueError("some of its numbers are not finite")
        fill(fitted, own, tensors)
    except OSError as error:
        raise Unreadable(path, error) from error
    except _UNREADABLE as error:
        said = str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
        raise ValueError(
            f"{path} is damaged or not of the format {form} ({said}); make or download it again."
        ) from None
    return fitted


def sealed(words: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Tells a damaged file from a whole one (no defence against intent; nothing here is executed)."""
    text = json.dumps(sorted(item for item in words.items() if item[0] != "checksum"))
    return f"{zlib.crc32(text.encode()):08x}{checksum(tensors)}"


# -- what representations have in common -------------------------------------------------------------------------------


def settings_of(rep: Any, but: tuple[str, ...]) -> str:
    """The arguments of a representation's constructor as JSON, but for some."""
    settings = {name: value for name, value in rep.get_params(deep=False).items() if name not in but}
    settings |= {"augment": None if rep.augment is None else asdict(rep.augment)}
    return json.dumps(settings, default=_plain)


def settings_from(text: str, triples: tuple[str, ...]) -> dict[str, Any]:
    """The inverse of `settings_of`; `triples` are tuples, which JSON does not know. ValueError for other text."""
    settings = decoded(text, dict[str, Any], "what it says of its settings")
    if settings["augment"] is not None:
        settings["augment"] = Augment(**settings["augment"] | {"erased": tuple(settings["augment"]["erased"])})
    return settings | {name: tuple(settings[name]) for name in triples}


def _plain(scalar: np.generic) -> bool | int | float:
    """A setting that came out of a NumPy array, as JSON knows it."""
    return scalar.item()


def check_size(*networks: BaseArchitecture) -> None:
    """ValueError for networks whose scales would take more memory than a file's reader grants."""
    if (weights := sum(network.layout.size for network in networks)) > WEIGHTS_LIMIT:
        names = ", ".join(dict.fromkeys(network.name for network in networks))
        raise ValueError(f"{names} have {weights} weights in all; a representation's file takes 2**27.")


def modules(rep: Any) -> dict[str, Tensor]:
    """The tensors of its network and its head."""
    parts = {"network": rep.network_, "head": rep.head_}
    return {f"{whose}.{name}": value for whose, part in parts.items() for name, value in part.state_dict().items()}


def fill_modules(rep: Any, tensors: dict[str, Tensor]) -> None:
    """The file's tensors into its network and its head, ready for use, and its history."""
    parts: dict[str, nn.Module] = {"network.": rep.network_, "head.": rep.head_}
    for whose, module in parts.items():
        module.load_state_dict({n.removeprefix(whose): v for n, v in tensors.items() if n.startswith(whose)})
        module.to(rep.device).eval()
    rep.history_ = pd.DataFrame(tensors["history"].numpy(), columns=list(HISTORY)).astype({"step": int})


def history_of(rep: Any) -> dict[str, Tensor]:
    """The history as a tensor."""
    return {"history": torch.tensor(rep.history_.to_numpy(dtype="float64"))}


def scale_from(tokenizer: Tokenizer, mean: Tensor, deviation: Tensor) -> Scale:
    """A scale of these layers; ValueError for a deviation that divides by nothing."""
    if not (deviation > 0).all():
        raise ValueError("a layer's deviation is not above 0")
    return Scale(tokenizer.layers, mean.float(), deviation.float(), tokenizer.layer_of)
