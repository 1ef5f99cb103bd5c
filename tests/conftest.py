"""What all tests share: shape checks on demand, and populations small enough to grow in a test.

`HYPERLIB_SHAPES=1` checks every annotation of weightspace and zoos while the tests run. `make check` sets it;
`HYPERLIB_SHAPES=1 make test-slow` does the same for the slow ones. It is off otherwise, because it makes training
tests half as slow again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch and scikit-learn: tests are small, threads only wait

import jaxtyping

if os.environ.get("HYPERLIB_SHAPES", "0") == "1":
    ROOT = Path(__file__).parents[1]
    ROOMS = ("zoos", "zoos/engines", "zoos/formats")  # not the kernels: Numba compiles no checks
    modules = [file.with_suffix("") for room in ROOMS for file in (ROOT / "hyperlib" / room).glob("[!_]*.py")]
    modules = [".".join(module.relative_to(ROOT).parts) for module in modules]
    jaxtyping.install_import_hook(["hyperlib.weightspace", "hyperlib.images", *modules], "shape_checks.checked")

import matplotlib as mpl  # noqa: E402  (the hook comes first)
import pytest  # noqa: E402
import torch  # noqa: E402
from toys import some_images  # noqa: E402

from hyperlib.images.images import Images  # noqa: E402
from hyperlib.weightspace.architecture import Architecture  # noqa: E402
from hyperlib.weightspace.architectures import ARCHITECTURES, tetris_mlp  # noqa: E402
from hyperlib.zoos.design import grid  # noqa: E402
from hyperlib.zoos.population import train_population  # noqa: E402
from hyperlib.zoos.zoo import Zoo  # noqa: E402

COMPILE = ("test_compiled_layers.py", "test_maps.py", "test_projections.py", "test_estimators.py", "test_sampling.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a card are left out without one, and files that compile go first.

    Of two workers one then compiles our kernels, the other UMAP, and the rest finds both. Otherwise both compile the
    same at the same time, half a minute each on a new machine.
    """
    for item in items if not torch.cuda.is_available() else ():
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))
    items.sort(key=lambda item: COMPILE.index(item.path.name) if item.path.name in COMPILE else len(COMPILE))


@pytest.fixture(autouse=True)
def plain_figures() -> Iterator[None]:
    """A test that opens a `Study` leaves its house style to no other, in whatever order they run."""
    with mpl.rc_context():
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window; a test that asks for it is skipped where none can be driven."""
    from in_browser import browser

    with browser() as running:
        yield running


@pytest.fixture
def generator() -> torch.Generator:
    """A stream of random numbers of the test's own."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def no_shape_checks() -> Iterator[None]:
    """As a reader runs the library: wrong shapes reach its own error messages."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    """Every architecture of the library in turn."""
    return ARCHITECTURES[request.param]()


@pytest.fixture(scope="session")
def tetris_images() -> Images:
    """40 training and 30 test images of 4x4 pixels in four classes that a model can tell apart a little."""
    return some_images((1, 4, 4), 4, train=40, test=30)


@pytest.fixture(scope="session")
def tiny_zoo(tetris_images: Images) -> Zoo:
    """20 models of 100 weights after 0 to 3 epochs; two activations, two optimisers, five seeds."""
    design = grid(seeds=5, seed_mode="fix", activation=["tanh", "relu"], optimizer=["adam", "sgd"], lr=0.01)
    return train_population(tetris_mlp(), tetris_images, design, epochs=3, batch_size=8, clean="all", progress=False)
