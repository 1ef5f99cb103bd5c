"""Files of tensors and words as somebody would spoil them: a bit at a time, or sealed anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hyperlib.representations import safe_file

Metadata, Tensors = dict[str, str], dict[str, torch.Tensor]
Change = Callable[[Metadata, Tensors], None]


def rewrite(path: Path, change: Change) -> None:
    """The file with other contents, sealed anew as an attacker would."""
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(metadata, tensors)
    if "checksum" in metadata:
        metadata["checksum"] = safe_file.sealed(metadata, tensors)
    save_file(tensors, path, metadata)


def flips(path: Path, header: int, rest: int) -> Iterator[None]:
    """The file with one bit turned, at so many places of its header and of what follows; the same places always.

    Where a blank becomes another blank nothing is changed that counts, and the place is left out.
    """
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    end = 8 + int.from_bytes(whole[:8], "little")
    for place in [*generator.integers(end, size=header), *generator.integers(end, len(whole), size=rest)]:
        content = bytearray(whole)
        content[place] ^= 1 << int(generator.integers(8))
        if chr(content[place]).isspace() and chr(whole[place]).isspace():
            continue
        path.write_bytes(content)
        yield
