"""The compiled engine as a whole: the same bits wherever and with whomever a model trains, and PyTorch's result.

What depends on how a process comes by its machine code is tried in processes of its own: with an empty cache, with the
cache of another network's process, with ordinary numbers in place of vectors, and with every access checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from elsewhere import elsewhere
from plain_training import ORDER, optimizer_of
from torch import Tensor
from toys import by_hand, network, some_images

from hyperlib.images.images import Images
from hyperlib.weightspace.randomness import key, orders
from hyperlib.zoos.design import OPTIMIZERS, grid
from hyperlib.zoos.engines.compiled import NumbaTrainer
from hyperlib.zoos.engines.kernels import compiling
from hyperlib.zoos.engines.kernels.training import run_epoch
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.population import train_population

HERE = Path(__file__).parent
NETS = ("digits_cnn", "compiled_net", "tetris_mlp")


def images_of(name: str) -> Images:
    net = network(name)
    return some_images(net.image, net.num_classes, train=45, test=10)


def design_of(name: str) -> pd.DataFrame:
    return grid(optimizer=OPTIMIZERS, activation=["tanh", "gelu"], dropout=[0.0, 0.3], lr=3e-3, weight_decay=1e-3)


def weights_of(name: str, design: pd.DataFrame | None = None, batch_size: int = 8) -> Tensor:
    design = design_of(name) if design is None else design
    settings = {"epochs": 2, "batch_size": batch_size, "engine": "numba", "progress": False}
    return train_population(network(name), images_of(name), design, **settings).weights


def checksum(weights: Tensor) -> str:
    return hashlib.sha256(weights.contiguous().numpy().tobytes()).hexdigest()[:16]


def checksums(names: Iterable[str]) -> list[str]:
    return [checksum(weights_of(name)) for name in names]


def checksums_elsewhere(*names: str, first: str = "", **environment: str) -> tuple[list[str], str]:
    """The same from a Python that ran the code `first` before it imported the library, and its log."""
    code = f"import torch; torch.set_num_threads(1)\n{first}\nfrom test_numba_engine import checksums\n"
    code += f"print(*checksums({names}))"
    path = os.pathsep.join([str(HERE), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


# -- the same to the bit -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_new_process_trains_the_same_models_to_the_bit():
    assert elsewhere(checksums, NETS) == checksums(NETS)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("batch_size", [1, 8, 45, 100])
def test_a_model_is_the_same_alone_in_any_order_and_in_any_company(name, batch_size):
    design = design_of(name)
    whole = weights_of(name, design, batch_size)
    order = np.random.default_rng(0).permutation(len(design))
    company = pd.concat([design.iloc[[4]], grid(seeds=3, lr=0.5, dropout=0.9), design.iloc[[1]]], ignore_index=True)

    assert torch.equal(weights_of(name, design, batch_size), whole)
    assert torch.equal(weights_of(name, design.iloc[order], batch_size), whole[order])
    assert torch.equal(weights_of(name, design.iloc[[5]], batch_size)[0], whole[5])
    assert torch.equal(weights_of(name, company, batch_size)[[0, -1]], whole[[4, 1]])


@pytest.mark.parametrize("name", NETS)
def test_a_model_without_dropout_is_the_same_beside_models_with_it(name):
    """One block's program draws factors for all its models; those of rate 0 are all 1."""
    net, images = network(name), images_of(name)
    mixed = grid(dropout=[0.0, 0.4], lr=0.01, seed_mode="fix", activation=net.activation)
    found = []
    for design in (mixed, mixed.iloc[[0]]):
        block = Block(net, images, design.reset_index(drop=True), 8, 0, torch.device("cpu"))
        trainer = NumbaTrainer(block, block.initial_weights())
        trainer.train_epoch(1)
        found.append(trainer.weights[0])

    assert block.drops is False
    assert torch.equal(*found)


def test_any_number_of_threads_trains_the_same_models():
    threads, found = torch.get_num_threads(), []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        try:
            found.append(checksum(weights_of("compiled_net")))
        finally:
            torch.set_num_threads(threads)

    assert len(set(found)) == 1


@pytest.mark.usefixtures("no_shape_checks")
def test_one_signature_serves_all_networks_batches_and_optimisers():
    for name in NETS:
        weights_of(name)
    weights_of("tetris_mlp", batch_size=np.int64(7))
    some = images_of("tetris_mlp").subset(train=20)
    train_population(network("tetris_mlp"), some, grid(seeds=2), epochs=1, engine="numba", progress=False)

    assert len(run_epoch.signatures) == 1


# -- the same as plain PyTorch -------------------------------------------------------------------------------------


def train_in_double_precision(name: str, images: Images, row: pd.Series, epochs: int) -> list[Tensor]:
    """The weights after every epoch of the model that the design's row describes, in a plain loop."""
    net, own = network(name), key([int(row["seed"])], 0)
    start = net.initialise(own.tolist(), row["init"], std=row["init_std"], bias=row["bias_init"])[0]
    model = by_hand(name, row["activation"]).load(net.layout.unflatten(start)).double()
    optimizer, found = optimizer_of(row, model), [net.layout.flatten(model.state())]
    for epoch in range(1, epochs + 1):
        for places in orders(key(own, ORDER, epoch), len(images.train_x))[0].split(8):
            loss = F.cross_entropy(model(images.train_x[places].double()), images.train_y[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append(net.layout.flatten(model.state()))
    return found


@pytest.mark.parametrize("name", ["tetris_mlp", "digits_cnn", "unterthiner_cnn_1ch_28", "image_residual_net"])
def test_single_precision_costs_a_millionth_of_a_weight_per_epoch(name):
    """In the median over models of the weight that is furthest off, for smooth activations."""
    images = images_of(name)
    design = grid(seeds=2, optimizer=OPTIMIZERS, activation=["tanh", "sigmoid", "silu"], lr=1e-3)
    settings = {"epochs": 3, "batch_size": 8, "engine": "numba", "progress": False}
    found = train_population(network(name), images, design, **settings).weights.double()
    exact = torch.stack([torch.stack(train_in_double_precision(name, images, row, 3)) for _, row in design.iterrows()])
    furthest = (found - exact).abs().amax(-1).median(0).values

    assert furthest[0] == 0
    assert (furthest[1:] <= 1e-6 * torch.arange(1, 4)).all(), furthest


# -- how a process comes by its machine code ---------------------------------------------------------------------------


def test_the_version_follows_every_source_file(tmp_path, monkeypatch):
    copy = tmp_path / "kernels"
    shutil.copytree(Path(compiling.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = compiling.version()
    monkeypatch.setattr(compiling, "__file__", str(copy / "compiling.py"))
    assert compiling.version() == before
    seen = {before}
    for path in sorted(copy.glob("*.py")):
        path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        seen.add(compiling.version())

    assert len(seen) == 1 + len(list(copy.glob("*.py")))
    monkeypatch.setattr(compiling, "LANES", 1 + compiling.LANES)
    assert compiling.version() not in seen


def test_what_is_cached_is_named_by_the_version():
    assert run_epoch.py_func.__name__ == f"run_epoch_{compiling.version()}"


CALL_KERNELS_FIRST = """
import numpy as np
from numba import njit
from hyperlib.zoos.engines.kernels import random, tiles
from hyperlib.zoos.engines.kernels.lanes import LANES
places = np.zeros(9, np.int64)
random.shuffle(np.uint64(3), places, np.zeros(9, np.uint64), np.zeros(16, np.int64))
assert sorted(places) == list(range(9))
add_up = njit(lambda values, weights, jobs: tiles.add_up(values, weights, jobs[0]))
job = np.zeros(1, tiles.SUM)
job["channels"] = job["rows"] = job["columns"] = job["outputs"] = job["places"] = job["y"] = 1
job["bias"] = tiles.NONE
values = np.ones(2 * LANES, np.float32)
add_up(values, np.full(1, 3, np.float32), job)
assert (values[LANES:] == 3).all()
"""


@pytest.mark.slow
def test_code_from_the_cache_is_that_of_its_own_kernels(tmp_path):
    """Compiled with one network only, loaded by a process that trains others, after single kernels compiled there."""
    here = checksums(NETS)
    caches = {"NUMBA_CACHE_DIR": str(tmp_path / "one")}

    assert checksums_elsewhere(NETS[2], **caches)[0] == here[2:]
    kept = list(tmp_path.rglob("*.nbc"))
    assert checksums_elsewhere(*NETS, **caches)[0] == here
    assert checksums_elsewhere(*NETS, first=CALL_KERNELS_FIRST, **caches)[0] == here
    assert list(tmp_path.rglob("*.nbc")) == kept and len(kept) == 1
    alone = {"NUMBA_CACHE_DIR": str(tmp_path / "other")}
    assert checksums_elsewhere(*NETS, first=CALL_KERNELS_FIRST, **alone)[0] == here


IN_NUMBERS = """
import logging; logging.basicConfig(level=logging.WARNING)
from hyperlib.zoos.engines.kernels import lanes, scalars
assert lanes._LANES is scalars and lanes.LANES == 1
"""
CHECKED = """
import numpy as np
from numba import njit
from hyperlib.zoos.engines.kernels import scalars
beyond = njit(lambda values: scalars.load(values, len(values)))
try:
    beyond(np.zeros(3, np.float32))
except IndexError:
    pass
else:
    raise SystemExit("bounds are not checked")
"""
AGREE = """
from test_numba_engine import NETS, assert_agrees_with_torch
for name in (*NETS, "unterthiner_cnn_1ch_28", "image_residual_net"): assert_agrees_with_torch(name)
"""


def assert_agrees_with_torch(name: str) -> None:
    design = grid(optimizer=OPTIMIZERS, activation="tanh", dropout=[0.0, 0.3], lr=1e-3)
    settings = {"epochs": 2, "batch_size": 10, "progress": False}
    one, other = (
        train_population(network(name), images_of(name), design, engine=engine, **settings).weights
        for engine in ("numba", "torch")
    )
    difference = (one - other).abs()
    assert float(difference.median()) < 1e-6 and float(difference.mean()) < 1e-5, name


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays(tmp_path):
    """With one lane, arrays are Numba's own, which check every index; a cache of its own, as that is not in its key."""
    settings = {"HYPERLIB_LANES": "1", "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    _, log = checksums_elsewhere(first=IN_NUMBERS + CHECKED + AGREE, **settings)

    assert "one lane" not in log, "asking for one lane is no fault"


CHANGES = {
    "no vector type": "from llvmlite import ir; ir.VectorType = None",
    "no shuffles": "from llvmlite import ir; del ir.IRBuilder.shuffle_vector",
    "no single lanes": "from llvmlite import ir; del ir.IRBuilder.extract_element",
    "no constants of vectors": """
from llvmlite import ir
right = ir.Constant.__init__
def wrong(self, typ, constant):
    if isinstance(typ, ir.VectorType): raise TypeError("vectors have changed")
    right(self, typ, constant)
ir.Constant.__init__ = wrong
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_numba_without_vectors_still_trains_and_says_so(change, tmp_path_factory):
    kept = tmp_path_factory.getbasetemp() / "one-lane"  # compiled once for all these processes
    _, log = checksums_elsewhere(first=change + "\n" + IN_NUMBERS + AGREE, NUMBA_CACHE_DIR=str(kept))

    assert "Numba cannot compile vectors here" in log and "runs with one lane" in log


@pytest.mark.slow
def test_without_a_folder_to_write_to_only_the_cache_is_lost():
    first = """
import logging; logging.basicConfig(level=logging.WARNING)
from numba.core import caching
caching.CacheImpl._locator_classes = []
"""
    found, log = checksums_elsewhere("tetris_mlp", first=first)

    assert found == checksums(["tetris_mlp"])
    assert "Compiled kernels cannot be kept" in log and "every process compiles them anew" in log
