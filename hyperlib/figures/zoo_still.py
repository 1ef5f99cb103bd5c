"""The still of the zoo that grows in a page: the same pictures, of a zoo that Python grew at the same settings."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from hyperlib.figures.style import INK, RAISED, RAMP_MAP, ZOO
from hyperlib.tasks.probes import LinearProbe
from hyperlib.thesis.browser_zoo import SPREAD, parts_of
from hyperlib.weightspace.statistics import layer_statistics
from hyperlib.zoos.zoo import Samples, Zoo


def zoo_still(zoo: Zoo) -> Figure:
    """Accuracy over epochs, the map of the weights, and accuracy as a probe reads it off statistics. Close it."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.1))
    _curves(zoo, axes[0])
    _map(zoo, axes[1], figure)
    _guesses(zoo, axes[2])
    return figure


def _curves(zoo: Zoo, ax: Axes) -> None:
    accuracy = 100 * zoo.table["test_accuracy"].to_numpy().reshape(len(zoo), -1)
    ax.plot(zoo.epochs, accuracy.T, color=INK, alpha=0.35, linewidth=0.7)
    ax.plot(zoo.epochs, np.median(accuracy, axis=0), color=ZOO, linewidth=3)
    ax.plot(zoo.epochs, accuracy[0], color=RAISED[0], linestyle="--")
    ax.set(xlabel="epoch", ylabel="test accuracy in %", ylim=(0, 100), title=f"{len(zoo)} models")


def _map(zoo: Zoo, ax: Axes, figure: Figure) -> None:
    seen = zoo.spread(SPREAD)
    weights = seen.weights.double().numpy()
    plane = PCA(2, svd_solver="covariance_eigh").fit(weights)  # the default may draw at random
    ways = plane.transform(weights).reshape(len(zoo), -1, 2)
    accuracy = 100 * zoo.samples([zoo.epochs[-1]]).table["test_accuracy"].to_numpy()
    ax.add_collection(LineCollection(list(ways), colors=INK, alpha=0.25, linewidths=0.7))
    dots = ax.scatter(*ways[:, -1].T, c=accuracy, cmap=RAMP_MAP, vmin=0, vmax=100, s=14, zorder=3)
    figure.colorbar(dots, ax=ax, label="test accuracy in %")
    shares = 100 * plane.explained_variance_ratio_
    ax.set(xlabel=f"PC 1 ({shares[0]:.1f} %)", ylabel=f"PC 2 ({shares[1]:.1f} %)", title="map of the weights")
    ax.set_aspect("equal", adjustable="datalim")


def _guesses(zoo: Zoo, ax: Axes) -> None:
    parts = [part.spread(SPREAD) for part in parts_of(zoo)]
    features = [layer_statistics(part.weights, zoo.architecture).double().numpy() for part in parts]
    truth = [_accuracy(part) for part in parts]
    probe = LinearProbe().fit(features[0], truth[0], (features[1], truth[1]))
    ax.plot([0, 100], [0, 100], color=INK, linewidth=1)
    ax.plot(100 * truth[2], 100 * probe.predict(features[2]), "o", color=ZOO, alpha=0.75, markersize=3)
    ax.set(xlabel="test accuracy in %", ylabel="predicted in %", title="read off statistics")


def _accuracy(samples: Samples) -> np.ndarray:
    return samples.table["test_accuracy"].to_numpy()[:, None]
