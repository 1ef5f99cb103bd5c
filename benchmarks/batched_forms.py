"""Which batched form of a population's training step is fastest: `python benchmarks/batched_forms.py --device cuda`.

Three ways to take one Adam step of many small CNNs at once: `torch.func.vmap` over one network's gradient; one grouped
convolution for all of them, which is what the torch engine does; and unfolded images with batched matrix products. All
three must give the same step before any is timed. Which one wins depends on the device, so anyone with a GPU can ask.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median

import pandas as pd
import torch
import torch.nn.functional as F
from settings import Options
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from hyperlib import Architecture, small_cnn
from hyperlib.weightspace.layers import Conv, Pass
from hyperlib.weightspace.precision import full_precision

BATCH = 32
TOLERANCE, ODD = 1e-4, 1e-3  # of a gradient of about 0.1; share of entries that a pool's near tie may move further
Gradient = Callable[[Tensor, Tensor, Tensor], Tensor]  # weights, images [batch, models, ...], labels [batch, models]


@full_precision()
def batched_forms(options: Options, device: str = "cpu", models: tuple[int, ...] = ()) -> pd.DataFrame:
    """One row per number of models and form: milliseconds per step, microseconds per model and image, ratio.

    Raises ValueError if PyTorch finds no such device, RuntimeError if two forms disagree.
    """
    place, network = _device(device), small_cnn()
    rows = []
    for count in models or ((2,) if options.quick else (8, 32) if place.type == "cpu" else (8, 64, 512)):
        x, y, weights = _inputs(network, count, place)
        forms = {name: make(network) for name, make in FORMS.items()}
        _check_equal(forms, weights, x, y)
        seconds = _seconds(forms, weights, x, y, options)
        for name, took in seconds.items():
            row = {"device": _name(place), "threads": torch.get_num_threads(), "models": count, "form": name}
            row |= {"step_ms": 1e3 * took, "us_per_model_image": 1e6 * took / (count * BATCH)}
            rows.append(row | {"speed_ratio": seconds[BASELINE] / took})
    return pd.DataFrame(rows)


# -- the three forms: gradients of every model's own mean loss, [models, params] ---------------------------------


def by_vmap(network: Architecture) -> Gradient:
    """vmap over the gradient of one ordinary network."""
    module: nn.Module = network.module(torch.zeros(network.layout.size)).train()

    def loss(row: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(module, network.layout.unflatten(row), (x,)), y)

    return vmap(grad(loss), in_dims=(0, 1, 1))


def by_grouped_convolution(network: Architecture) -> Gradient:
    """Gradient of the summed losses through the architecture's own forward pass for a population."""
    return _of_summed_losses(lambda weights, x: network.forward(weights, x, Pass(network.activation, training=True)))


def by_unfolding(network: Architecture) -> Gradient:
    """The same with every convolution as a batched product over unfolded windows."""

    def forward(weights: Tensor, x: Tensor) -> Tensor:
        state, now = network.layout.unflatten(weights), Pass(network.activation, training=True)
        for step in network.steps:  # this network is a chain
            own = {part: state[f"{step.layer.name}.{part}"] for part in step.layer.parameters(step.inputs)}
            unfolded = isinstance(step.layer, Conv)
            x = _unfolded(step.layer, step.outputs, x, own) if unfolded else step.layer.run(x, own, now)
        return x

    return _of_summed_losses(forward)


def _of_summed_losses(forward: Callable[[Tensor, Tensor], Tensor]) -> Gradient:
    def loss(weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
        scores = forward(weights, x)
        return F.cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="sum") / len(x)

    return grad(loss)


def _unfolded(layer: Conv, outputs: tuple[int, ...], x: Tensor, own: dict[str, Tensor]) -> Tensor:
    batch, models = x.shape[:2]
    windows = F.unfold(x.flatten(0, 1), layer.kernel, padding=layer.padding, stride=layer.stride)
    columns = windows.unflatten(0, (batch, models)).permute(1, 2, 0, 3).flatten(2)  # [models, window, batch places]
    y = torch.baddbmm(own["bias"][:, :, None], own["weight"].flatten(2), columns)
    return y.unflatten(2, (batch, *outputs[1:])).permute(2, 0, 1, 3, 4)


BASELINE = "grouped convolution"
FORMS: dict[str, Callable[[Architecture], Gradient]] = {
    BASELINE: by_grouped_convolution,
    "vmap": by_vmap,
    "unfold and bmm": by_unfolding,
}


# -- checking and timing ------------------------------------------------------------------------------------------


def adam_step(gradient: Gradient, weights: Tensor, moments: tuple[Tensor, Tensor], x: Tensor, y: Tensor) -> None:
    """One step of Adam on all rows at once, as in the torch engine (without its correction for early steps)."""
    slopes = gradient(weights, x, y)
    first, second = moments
    first.lerp_(slopes, 0.1)
    second.mul_(0.999).addcmul_(slopes, slopes, value=0.001)
    weights.addcdiv_(first, second.sqrt().add_(1e-8), value=-1e-3)


def _check_equal(forms: dict[str, Gradient], weights: Tensor, x: Tensor, y: Tensor) -> None:
    expected = forms[BASELINE](weights, x, y)
    for name, form in forms.items():
        apart = (form(weights, x, y) - expected).abs()
        if not float((~(apart <= TOLERANCE)).double().mean()) <= ODD:
            raise RuntimeError(f"{name} and {BASELINE} differ by {float(apart.max()):.1e}; they must be the same step.")


def _seconds(forms: dict[str, Gradient], weights: Tensor, x: Tensor, y: Tensor, options: Options) -> dict[str, float]:
    """Median seconds of one step; the forms take turns."""
    steps = 1 if options.quick else 5
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for repetition in range(options.repetitions + 1):
        for name, form in forms.items():
            own, moments = weights.clone(), (torch.zeros_like(weights), torch.zeros_like(weights))
            _wait(x.device)
            begun = time.perf_counter()
            for _ in range(steps):
                adam_step(form, own, moments, x, y)
            _wait(x.device)
            if repetition:  # the first one warms up
                taken[name].append((time.perf_counter() - begun) / steps)
    return {name: median(times) for name, times in taken.items()}


def _inputs(network: Architecture, models: int, place: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, models, *network.image, generator=generator)
    y = torch.randint(network.num_classes, (BATCH, models), generator=generator)
    return x.to(place), y.to(place), network.initialise(list(range(models))).to(place)


def _device(name: str) -> torch.device:
    if name not in ("cpu", "cuda"):
        raise ValueError(f"There is no device {name!r} to compare on; choose cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("PyTorch finds no CUDA device here; leave out --device to compare on the CPU.")
    return torch.device(name)


def _name(place: torch.device) -> str:
    return torch.cuda.get_device_name(place) if place.type == "cuda" else f"CPU ({platform.machine()})"


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)


def main() -> None:
    """Compare the forms on one device and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--models", type=int, nargs="+", default=(), help="how many models at once")
    parser.add_argument("--repetitions", type=int, default=5, help="medians count (default: 5)")
    chosen = parser.parse_args()
    try:
        table = batched_forms(Options(chosen.repetitions), chosen.device, tuple(chosen.models))
    except ValueError as error:
        parser.error(str(error))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
