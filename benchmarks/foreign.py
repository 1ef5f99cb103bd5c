"""What it costs to bring networks of one's own, each work against a plain one that it cannot do without.

Tracing a ResNet-18 against running it once; its tokens and back against copying its state dict; alignment with several
starts against one; a population of transformers by one call against one module after the other; a folder of checkpoints
against reading the files; statistics of many layouts against NumPy's percentiles. Wall seconds, on all cores. Source:
our choice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from clock import Contestant, measured, repeated, say
from safetensors.torch import load_file, save_file
from settings import Options
from torch import nn

from hyperlib import (
    Architecture,
    Layout,
    StateTokenizer,
    align,
    from_module,
    gather,
    layer_statistics,
    permutation_index,
    random_permutations,
    random_signs,
    resnet18,
    small_cnn,
    unit_factors,
)
from hyperlib.weightspace.layers import Activation, Flatten, Linear

Job = tuple[str, str, int, Callable[[], object], Callable[[], object]]


def foreign(options: Options) -> pd.DataFrame:
    """One row per `work`: its `baseline`, how many `networks`, seconds of both, and `ratio`, ours by the baseline's."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for work, baseline, networks, ours, plain in _jobs(options.quick, Path(folder)):
            say(f"  {work}")
            sides = [Contestant(name, 1, repeated(one), one) for name, one in (("ours", ours), ("plain", plain))]
            times = measured(sides, options.repetitions)
            seconds = times["ours"].wall, times["plain"].wall
            rows.append((work, baseline, networks, *seconds, seconds[0] / seconds[1]))
    return pd.DataFrame(rows, columns=["work", "baseline", "networks", "ours_s", "baseline_s", "ratio"])


def _jobs(quick: bool, folder: Path) -> list[Job]:
    network = resnet18() if not quick else small_cnn()
    module = network.module(network.initialise([0])[0])
    state, images = module.state_dict(), torch.rand(2, *network.image)
    tokenizer, double = StateTokenizer.of(state, 288), module.double()
    module = network.module(network.initialise([0])[0])
    count = 4 if quick else 100
    transformer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    traced, tokens = from_module(transformer, torch.rand(2, 6, 32)), torch.rand(16, 6, 32)
    weights = traced.trial_weights(count).float()
    modules = [traced.module(row) for row in weights]
    for number, one in enumerate(modules):
        save_file(one.state_dict(), folder / f"{number}.safetensors")
    files = sorted(folder.iterdir())
    vectors = [_vector(number, 10 if quick else 300) for number in range(count)]
    return [
        ("trace ResNet-18", "run it once", 1, lambda: from_module(module, images), lambda: double(images.double())),
        ("its tokens", "copy the state dict", 1, lambda: tokenizer.encode(state), lambda: _copied(state)),
        *_alignments(8 if quick else 512, 6 if quick else 200),
        (
            "run transformers", "one module after the other", count,
            lambda: traced.logits(weights, tokens), lambda: [one(tokens) for one in modules],
        ),
        (
            "gather a folder", "read its files", count,
            lambda: gather(traced, folder), lambda: list(map(load_file, files)),
        ),
        (
            "statistics of many layouts", "NumPy's percentiles", count,
            lambda: [layer_statistics(vector, layout) for layout, vector in vectors],
            lambda: [_plain_statistics(layout, vector.numpy()) for layout, vector in vectors],
        ),
    ]  # fmt: skip


def _alignments(copies: int, others: int) -> list[Job]:
    """An orbit of a sine network of 1,185 weights, and unrelated small CNNs."""
    layers = (Flatten(), Linear("a", width=32), Activation(), Linear("b", width=32), Activation())
    siren = Architecture("siren", (2, 1, 1), (*layers, Linear("c", units="out", width=1)), "sine")
    random, one = torch.Generator().manual_seed(0), siren.initialise([0])
    index = permutation_index(siren, random_permutations(siren, copies, random))
    orbit = (one * unit_factors(siren, random_signs(siren, copies, random))).gather(-1, index)
    cnn = small_cnn()
    cnns = cnn.initialise(range(others))
    return [
        (
            "align copies with signs", "one start", copies,
            lambda: align(siren, one[0], orbit, signs=True),
            lambda: align(siren, one[0], orbit, signs=True, restarts=1),
        ),
        (
            "align small CNNs", "one start", others,
            lambda: align(cnn, cnns[0], cnns), lambda: align(cnn, cnns[0], cnns, restarts=1),
        ),
    ]  # fmt: skip


def _vector(number: int, width: int) -> tuple[Layout, torch.Tensor]:
    """A perceptron's layout, another one for every number up to 70, with weights."""
    shapes = [(width, 64 + number % 70), (width, width), (10, width)]
    state = {f"{place}.weight": torch.randn(*shape) for place, shape in enumerate(shapes)}
    layout = Layout.from_state_dict(state)
    return layout, layout.flatten(state)


def _plain_statistics(layout: Layout, vector: np.ndarray) -> list[np.ndarray]:
    parts = [vector[slot.start : slot.stop] for slot in layout]
    return [np.array([part.mean(), part.var(), *np.percentile(part, (1, 25, 50, 75, 99))]) for part in parts]


def _copied(state: dict[str, torch.Tensor]) -> None:
    {name: value.clone() for name, value in state.items()}
