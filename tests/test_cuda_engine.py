"""The engine for a card, in Numba's simulator: it trains what PyTorch trains, and falls back where it cannot.

The simulator has to be chosen before Numba is imported, so each job is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import hyperlib
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import ACTIVATIONS, Activation, Conv, Flatten, Linear
from hyperlib.zoos.engines.choice import resolve_engine
from hyperlib.zoos.engines.cuda.covering import unusable
from hyperlib.zoos.engines.cuda.plan import FIELDS, MOST_SIDE, Plan
from hyperlib.zoos.engines.cuda.proof import proof_network
from hyperlib.zoos.engines.trainer import Block

# The simulator takes its module away from a function of ours as soon as one thread of a block returns from it, while
# others may still be inside; here the last one to return does.
_JOB = """
import sys, threading, warnings
from contextlib import contextmanager
warnings.simplefilter("ignore")  # whole numbers of 64 bits overflow on purpose
from numba import cuda
from numba.cuda.simulator import kernel as simulator

turn, inside = threading.Lock(), {}

@contextmanager
def swapped(function, fake):
    names = function.__globals__
    with turn:
        count, before = inside.get(id(names), (0, ()))
        if not count:
            before = [name for name, value in names.items() if value is cuda]
            names.update(dict.fromkeys(before, fake))
        inside[id(names)] = count + 1, before
    try:
        yield
    finally:
        with turn:
            count, before = inside[id(names)]
            inside[id(names)] = count - 1, before
            if count == 1:
                names.update(dict.fromkeys(before, cuda))

simulator.swapped_cuda_module = swapped
import torch
import hyperlib
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import *
from hyperlib.zoos.engines.cuda.covering import unusable
from hyperlib.zoos.engines.cuda.proof import proof_network
unusable.cache_clear()
import hyperlib.zoos.engines.choice as choice
choice.unusable = lambda device: ""  # its own test is below and takes long

def images(network, train, test=5):
    generator = torch.Generator().manual_seed(1)
    parts = {}
    for part, count in (("train", train), ("test", test)):
        parts[f"{part}_x"] = torch.randn(count, *network.image, generator=generator)
        parts[f"{part}_y"] = torch.randint(network.num_classes, (count,), generator=generator)
    names = tuple(map(str, range(network.num_classes)))
    return Images("noise", **parts, classes=names, source="normal noise")

def zoo(network, some, design, engine, **how):
    how = {"epochs": 1, "batch_size": 4, "clean": "all", "progress": False} | how
    return hyperlib.train_population(network, some, design, engine=engine, **how)

def near(network, some, design, **how):
    fast, plain = (zoo(network, some, design, engine, **how) for engine in ("cuda", "torch"))
    assert choice.resolve_engine("cuda", network) == "cuda"
    sound = ~plain.table["diverged"].to_numpy()
    assert (fast.table["diverged"].to_numpy() == ~sound).all()
    first, second = fast.weights.flatten(0, 1)[sound], plain.weights.flatten(0, 1)[sound]
    adaptive = design["optimizer"].iloc[0] != "sgd"  # which makes whole steps of gradients that are only rounding
    apart = float((first - second).abs().quantile(0.98 if adaptive else 1.0))
    assert apart < 2e-5, apart
    for name in ("train_loss", "test_loss", "train_loss_clean", "test_accuracy"):
        torch.testing.assert_close(
            torch.tensor(fast.table[name][sound].to_numpy()), torch.tensor(plain.table[name][sound].to_numpy()),
            atol=1e-5, rtol=1e-4,
        )
    return fast
"""


def simulated(code: str, folder: Path) -> str:
    environ = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run([sys.executable, "-c", _JOB + code], env=environ, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_every_layer_and_activation_trains_as_in_pytorch(optimizer, tmp_path):
    kinds = list(ACTIVATIONS) if optimizer == "adam" else ["gelu"]
    simulated(
        f"""
for activation in {kinds}:
    design = hyperlib.grid(seeds=1, lr=1e-2, dropout=[0.0, 0.3], weight_decay=1e-2, optimizer="{optimizer}",
                           activation=activation)
    near(proof_network(), images(proof_network(), 7), design)
""",
        tmp_path,
    )


@pytest.mark.slow
def test_shapes_of_all_kinds_train_as_in_pytorch(tmp_path):
    """Kernels to their largest side, strides, rests of pools, no bias, features of an image, many channels."""
    simulated(
        """
nets = [
    ((1, 9, 8), (Conv("c", width=9, kernel=8, padding=2, stride=3, units="a"), Activation(), Flatten(),
                 Linear("f", width=3, units="classes"))),
    ((2, 5, 6), (MaxPool(kernel=2), Conv("c", width=10, kernel=2, bias=False, units="a"), Activation(),
                 Conv("d", width=2, kernel=1, stride=2, units="b"), Flatten(),
                 Linear("f", width=4, bias=False, units="classes"))),
    ((1, 4, 4), (Flatten(), Linear("a", width=9, units="a"), Activation(), Linear("b", width=3, units="classes"))),
    ((1, 6, 6), (Conv("c", width=2, kernel=3, units="a"), MaxPool("m", kernel=3, stride=1), Activation("x"),
                 Conv("d", width=2, kernel=1, units="a"), Add("s", other="x"), Add("t", other="m"),
                 GlobalAveragePool(), Linear("f", width=3, units="classes"))),
]
for shape, layers in nets:
    network = Architecture("net", shape, layers)
    near(network, images(network, 6), hyperlib.grid(seeds=2, lr=1e-2, optimizer="sgd"), batch_size=5)
""",
        tmp_path,
    )


@pytest.mark.slow
def test_a_model_is_the_same_in_any_company_after_a_kill_and_beside_one_that_diverges(tmp_path):
    simulated(
        f"""
network, design = hyperlib.tetris_mlp(), hyperlib.grid(seeds=3, lr=1e-2)
some = hyperlib.load_images("tetris").subset(10, 6)
whole = zoo(network, some, design, "cuda", epochs=3)
alone = zoo(network, some, design.iloc[[1]], "cuda", epochs=3)
assert torch.equal(whole.weights[1], alone.weights[0])

def kill(done, total):
    if done >= total / 2:
        raise RuntimeError("killed")
folder = {str(tmp_path / "job")!r}
try:
    zoo(network, some, design, "cuda", epochs=3, checkpoint=folder, progress=kill)
except RuntimeError as error:
    assert str(error) == "killed"
again = zoo(network, some, design, "cuda", epochs=3, checkpoint=folder)
assert torch.equal(again.weights, whole.weights) and again.table.equals(whole.table)
wild = near(network, some, hyperlib.grid(seeds=2, lr=[1e-2, 1e38]), epochs=2)
assert wild.table["diverged"].sum() == 4
""",
        tmp_path,
    )


@pytest.mark.slow
def test_first_jobs_prove_the_kernels(tmp_path):
    assert simulated("print(repr(unusable()))", tmp_path).strip() == "''"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "name", "jobs"),
    [
        ("training", "_KEPT", "tanh"),
        ("training", "_NEW_FIRST", "tanh relu"),
        ("training", "_NEW_SQUARE", "tanh relu sigmoid"),
        ("arithmetic", "_DENSITY", "gelu"),
        ("arithmetic", "_LEAK", "leaky_relu"),
    ],
)
def test_a_constant_that_is_a_tenth_off_is_found(place, name, jobs, tmp_path):
    """Of each optimiser and of an activation's slope; jobs: the first of the proof, as many as are needed."""
    said = simulated(
        f"""
from hyperlib.zoos.engines.cuda import {place}, proof
proof.ACTIVATIONS = {jobs.split()}
{place}.{name} *= 1.1
print(unusable())
""",
        tmp_path,
    )
    assert "apart from PyTorch's" in said


def test_all_that_a_kernel_gets_is_on_its_device_and_in_pytorchs_stream(monkeypatch):
    """On a device without memory: what is left on the CPU would be copied at every launch, there and back."""
    from hyperlib.zoos.engines.cuda import trainer

    where, launches = [], []

    class Launched(Exception):
        pass

    class Kernel:
        def __getitem__(self, configuration):
            def launch(*given):
                launches.append((configuration, list(where), given))
                raise Launched

            return launch

    @contextmanager
    def device(named):
        where.append(named)
        try:
            yield
        finally:
            where.pop()

    there = torch.device("meta")
    monkeypatch.setattr(trainer, "run", Kernel())
    monkeypatch.setattr(trainer, "_as_array", lambda value: value)
    monkeypatch.setattr(trainer.cuda, "external_stream", lambda handle: handle)
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=7))
    images = hyperlib.load_images("tetris").subset(10, 6)
    block = Block(hyperlib.tetris_mlp(), images, hyperlib.grid(seeds=3, dropout=0.3), 4, 0, there)
    for work in (lambda one: one.train_epoch(1), lambda one: one.evaluate(images.test_x, images.test_y)):
        with suppress(Launched):
            work(trainer.CudaTrainer(block, block.initial_weights()))
    assert len(launches) == 2
    for (_, _, stream), inside, given in launches:
        tensors = [value for value in given if isinstance(value, torch.Tensor)]
        assert len(tensors) > 10 and all(one.device == there and one.is_contiguous() for one in tensors)
        assert not any(isinstance(value, np.ndarray) for value in given)
        assert inside == [there] and stream == 7


@pytest.mark.gpu
def test_a_card_trains_as_pytorch_does():
    """On the card itself, every layer and optimiser."""
    assert unusable() == ""
    network, generator = proof_network(), torch.Generator().manual_seed(0)
    x, y = torch.randn(70, *network.image, generator=generator), torch.randint(3, (70,), generator=generator)
    images = hyperlib.Images("noise", x, y, x[:20], y[:20], ("a", "b", "c"), "normal noise")
    design = hyperlib.grid(seeds=2, dropout=[0.0, 0.3], optimizer=["sgd", "adam", "rmsprop"], lr=3e-3)
    how = {"epochs": 3, "device": "cuda", "progress": False}
    fast, plain = (hyperlib.train_population(network, images, design, engine=e, **how) for e in ("cuda", "torch"))
    assert float((fast.weights - plain.weights).abs().median()) < 1e-6
    np.testing.assert_allclose(fast.table["test_loss"], plain.table["test_loss"], rtol=1e-3)
    alone = hyperlib.train_population(network, images, design.iloc[[3]], engine="cuda", **how)
    assert torch.equal(alone.weights[0], fast.weights[3])


def test_what_the_engine_does_not_cover_falls_back_with_a_note(caplog):
    wide = Architecture("wide", (1, 20, 20), (Conv("c", width=2, kernel=MOST_SIDE + 1, units="a"), Activation(),
                                              Flatten(), Linear("f", width=3, units="classes")))  # fmt: skip
    assert resolve_engine("cuda", wide, "cuda") == "torch"
    assert "more than 8 places" in caplog.text
    assert resolve_engine("cuda", hyperlib.small_resnet(), "cuda") == "torch" and "Norm" in caplog.text
    assert resolve_engine("cuda", hyperlib.digits_cnn()) == "torch" and "not on the CPU" in caplog.text
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="needs a CUDA device and PyTorch finds none"):
            hyperlib.train_population(
                hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), hyperlib.grid(), epochs=1, engine="cuda"
            )


_NAMES = ["tetris_mlp", "digits_cnn", "small_cnn_1ch", "large_cnn_3ch", "unterthiner_cnn_1ch_28"]


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("batch_size", [1, 32, 33])
def test_places_of_a_plan_do_not_overlap_and_its_chunks_fit(name, batch_size):
    network = hyperlib.architecture(name)
    plan = Plan(network, batch_size, drops=True)
    row = dict(zip(FIELDS, plan.rows.T, strict=True))
    sizes = row["out_channels"] * row["out_height"] * row["out_width"]
    places = sorted({(0, plan.pixels)} | {(int(a), int(n)) for a, n in zip(row["target"], sizes, strict=True)})
    assert all(start + size <= after for (start, size), (after, _) in pairwise(places))
    assert max(start + size for start, size in places) <= plan.numbers
    assert 1 <= plan.chunk <= batch_size and (plan.chunk == 1 or 4 * plan.chunk * plan.numbers <= 128 * 2**10)
    assert row["learns"].all() and not row["passes"][0]
