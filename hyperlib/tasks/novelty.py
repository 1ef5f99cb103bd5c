"""A sampler drew networks: are they new?

Accuracy cannot say: a copy of a training model works. So generated networks are compared with their training models, in
weights, in answers and in errors, and so are strangers: real models that were grown apart and held out. What strangers
have too is no sign of copying.

One rule, our choice, stands behind every verdict. Of a single network:

- It is a *mixture* if it lies near the straight line between two training models, and each of the two has at least
  `INNER` of the nearest point on it. Means of a few models are near such a line too; the mean of a whole zoo is on
  the edge (about `NEAR`), and a network that is merely shorter than others is not.
- Else it is a *replica* if it is near a training model, or if it answers or errs as one does, whatever its weights
  (unless it chooses one class for all images, as all dead networks do).
- It has a *twin* if another generated network answers as it does, or is near it and agrees with it more than strangers
  do with their most alike model. (Untrained networks are near each other only because they are short.)

*Near* is a distance below `NEAR` of the strangers' mean distance, to a model or to a line; *as one does* is a highest
agreement (or overlap of errors) that has gone more than `ALIKE` of the way from the strangers' mean to 1. Both must
also lie beyond the `QUANTILE` of the strangers, so that a zoo with clusters of its own does not count as copied.
What `MOST` of its networks are is the verdict on a population, see `novelty_verdict`.

Weights are compared as given: lay all populations on one reference first (`aligned`). A replica that this misses
(another optimum, a rescaled ReLU) still gives itself away by its answers. Whether a decoder repeats what it makes of
its training models, as the audit asked, is told by reconstructions of training models and strangers in their places.

Source: overlap of errors and smallest distances after the memorisation audit of arXiv:2506.07998; strangers, lines,
twins, the rule and its constants are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.tasks.connectivity import soup
from hyperlib.tasks.diversity import mean_over_pairs
from hyperlib.tasks.estimates import Estimate, mean_of
from hyperlib.tasks.reconstruction import gain_over_strangers, labels
from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.similarity import agreement, l2
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.zoo import Samples, Zoo

VERDICTS = ("replica", "few networks", "new and broken", "interpolation", "new and working")
REPLICA, FEW, BROKEN, INTERPOLATION, NEW = VERDICTS
NEAR = 0.5  # of the strangers' distance: nearer is near
ALIKE = 0.8  # of the way from the strangers' agreement to that of a copy, 1
INNER = 0.25  # least share of both models in a mixture
QUANTILE = 0.95  # of the strangers, which a network must lie beyond
MOST = 0.5  # of the networks, for a verdict on the population
WORKING = 0.85  # of the training models' accuracy

Population = Samples | Zoo | Tensor


def novelty(generated: Population, train: Population, strangers: Population, images: Images) -> dict[str, float]:
    """One row about generated networks; every mean is over networks, every nearest model is a training model.

    generated: samples, a zoo of one epoch, or weights `[networks, params]` with the activation of `train`. train: the
    models that the sampler learned from, at the epoch whose networks it should draw. strangers: independent models of
    that epoch. Shares, accuracies and agreements are fractions of the test images, distances Euclidean.

    - `networks`; `accuracy` with its 95 % interval (`low`, `high`, `freedom`); `zoo_accuracy` of the training models
    - `nearest_l2`: distance to the nearest model; `segment`: to the line between two (see above); `near`: the highest
      agreement with a model; `nearest_iou`: the largest overlap of errors (see `error_overlap`); and all four for the
      strangers: `stranger_l2`, `stranger_segment`, `stranger_near`, `stranger_iou`
    - `own`, `iou`, `pair_l2`: agreement, overlap and distance of pairs of generated networks; the same for the training
      models: `zoo_own`, `zoo_iou`, `zoo_pair_l2`; `pair_share`: the ratio of the distances
    - `replicas`, `mixtures`, `twins`: shares of the networks, by the rule above

    NaN where nothing is defined: pairs of a single network, overlaps of networks without errors.

    Raises ValueError for fewer than two (different) training models or two strangers, a stranger that is a training
    model, populations of several epochs, and weights that are not finite or of another architecture.
    """
    return _row(as_samples(generated, like=as_samples(train)), *_real(train, strangers, images), images)


def novelty_table(
    populations: Mapping[str, Population], train: Population, strangers: Population, images: Images
) -> pd.DataFrame:
    """`novelty` of several populations by name, with columns `population` first and `verdict` last."""
    known, others = _real(train, strangers, images)
    found = {name: _row(as_samples(one, known.samples), known, others, images) for name, one in populations.items()}
    return pd.DataFrame({"population": name, **row, "verdict": novelty_verdict(row)} for name, row in found.items())


def novelty_verdict(row: Mapping[str, float]) -> str:
    """What a row of `novelty` says, the first that is true:

    - *replica*: at least `MOST` are replicas or mixtures, and no fewer replicas than mixtures. Whether they work or
      repeat each other is not asked.
    - *few networks*: `MOST` have a twin. One network written a hundred times, or five written twenty times.
    - *new and broken*: the accuracy is below `WORKING` of the training models'. Broken mixtures are among these.
    - *interpolation*: at least `MOST` are replicas or mixtures, more of these.
    - *new and working*: all others.
    """
    old = row["replicas"] + row["mixtures"] >= MOST
    if old and row["replicas"] >= row["mixtures"]:
        return REPLICA
    if row["twins"] >= MOST:
        return FEW
    if row["accuracy"] < WORKING * row["zoo_accuracy"]:
        return BROKEN
    return INTERPOLATION if old else NEW


def as_samples(population: Population, like: Samples | None = None) -> Samples:
    """Samples of one epoch, from samples, a zoo, or weights whose activation is the one of `like`; ValueError if not.

    A zoo's diverged models are left out.
    """
    if isinstance(population, Tensor):
        kinds = [] if like is None else like.table["activation"].unique()
        if len(kinds) != 1 or population.ndim != 2:
            raise ValueError("Weights alone are [networks, params] beside models of one activation; hand over Samples.")
        table = pd.DataFrame({"model": range(len(population)), "epoch": 0, "activation": kinds[0]})
        population = Samples(population, table, like.architecture)
    samples = population.samples() if isinstance(population, Zoo) else population
    if not len(samples) or ("epoch" in samples.table and samples.table["epoch"].nunique() > 1):
        raise ValueError("Novelty is asked of networks of one epoch, one at least: choose zoo.samples(epoch).")
    if like is not None and samples.architecture.layout != like.architecture.layout:
        raise ValueError(f"Networks of {samples.architecture.name} are not comparable with {like.architecture.name}.")
    return samples


def aligned(samples: Samples, reference: Float[Tensor, " params"], *, restarts: int = 2, seed: int = 0) -> Samples:
    """The same networks, each laid on the reference by weight matching with signs (where its activation has any).

    Generated, training and held-out networks need the same reference, for instance the first training model.
    """
    moved = torch.empty_like(samples.weights)
    for activation, rows in samples.table.groupby("activation").indices.items():
        network, rows = samples.architecture.with_activation(str(activation)), torch.from_numpy(rows)
        found = align(network, reference, samples.weights[rows], restarts=restarts, signs=True, seed=seed)
        moved[rows] = found.weights.to(moved.dtype)
    return Samples(moved, samples.table, samples.architecture)


def error_overlap(
    wrong: Bool[Tensor, "models images"], others: Bool[Tensor, "others images"] | None = None
) -> Float[Tensor, "models others"]:
    """Of the images that either of two networks gets wrong, the share that both do (intersection over union).

    NaN where neither errs. Raises ValueError for different numbers of images.
    """
    others = wrong if others is None else others
    if wrong.shape[1] != others.shape[1]:
        raise ValueError(f"Errors on {wrong.shape[1]} and {others.shape[1]} images; ask both sides the same images.")
    both = (wrong.float() @ others.float().T).double()  # whole numbers
    return both / (wrong.sum(1)[:, None] + others.sum(1) - both)


def to_segments(
    weights: Float[Tensor, "networks params"], train: Float[Tensor, "models params"]
) -> tuple[Float[Tensor, " networks"], Float[Tensor, " networks"]]:
    """Distance to the nearest straight line between two training models, and the share that the lesser of both has.

    The share is that of the nearest point on the line: 0 at a model, 1/2 in the middle. Lines are compared by the law
    of cosines, from distances alone, all lines that begin at one model at a time. Raises ValueError for one model.
    """
    if len(train) < 2:
        raise ValueError("A line needs two training models to lie between.")
    away, between = l2(weights, train).square(), l2(train).square()
    best, place = torch.full_like(away[:, 0], torch.inf), torch.zeros_like(away[:, 0])
    start, end = torch.zeros(2, len(weights), dtype=torch.int64)
    for first, lengths in enumerate(between):
        begin = away[:, first, None]
        along = (begin + lengths - away) / 2
        places = (along / lengths).nan_to_num(0).clamp(0, 1)
        nearest, other = (begin - places * (2 * along - places * lengths)).min(1)
        rows = (nearest < best).nonzero()[:, 0]
        best[rows], start[rows], end[rows] = nearest[rows], first, other[rows]
        place[rows] = places[rows, other[rows]]
    foot = torch.lerp(train[start].double(), train[end].double(), place[:, None])
    return (weights.double() - foot).norm(dim=1), torch.minimum(place, 1 - place)


def specificity(
    chosen_original: Int[Tensor, "models images"], chosen_rebuilt: Int[Tensor, "models images"]
) -> dict[str, float]:
    """How much more rebuilt networks agree with their own original than with the other originals, mean over models.

    `chosen_*` are classes (see `reconstruction.labels`) of models of one epoch, in the same order. `specificity` has a
    95 % interval, the jackknife over models of `gain_over_strangers` (`low`, `high`, `freedom`); `agreement` is that
    with the own original, `stranger` that with the others; `possible` is what a perfect rebuild would have, 1 minus the
    agreement among originals. For its `gain`, `reconstructed` asks the *original* about strangers; here the rebuilt
    network is asked, so a decoder that always writes one network gets 0, however good that is (our choice).

    Raises ValueError for different shapes and for fewer than two models.
    """
    if chosen_original.ndim != 2 or chosen_original.shape != chosen_rebuilt.shape or len(chosen_original) < 2:
        shapes = f"{list(chosen_original.shape)} and {list(chosen_rebuilt.shape)}"
        raise ValueError(f"Specificity needs classes [models, images] of the same 2 models at least, not {shapes}.")
    classes = int(max(chosen_original.max(), chosen_rebuilt.max())) + 1
    original, rebuilt = (F.one_hot(chosen, classes).float() for chosen in (chosen_original, chosen_rebuilt))
    alike = agreement(rebuilt, original)
    same = alike.diagonal().clone()
    strangers = pd.DataFrame(alike.fill_diagonal_(torch.nan).numpy())
    found = gain_over_strangers(same.numpy(), strangers, strangers.columns.to_numpy())
    return {
        "specificity": found.value,
        **{part: getattr(found, part) for part in ("low", "high", "freedom")},
        "agreement": float(same.mean()),
        "stranger": float(strangers.mean(axis=1).mean()),
        "possible": 1 - mean_over_pairs(agreement(original)),
    }


def noisy(
    weights: Float[Tensor, "models params"], share: float, generator: torch.Generator
) -> Float[Tensor, "models params"]:
    """The models plus Gaussian noise of `share` of each weight's standard deviation over the models: replicas."""
    _check_control(weights)
    if not 0 <= share < float("inf"):
        raise ValueError(f"Noise is a share of the spread, 0 or more, not {share}.")
    return weights + share * weights.std(0) * torch.randn(weights.shape, generator=generator, dtype=weights.dtype)


def means_of_two(
    weights: Float[Tensor, "models params"], n: int, generator: torch.Generator
) -> Float[Tensor, "n params"]:
    """Means of `n` random pairs of different models (with repeats): mixtures."""
    _check_control(weights)
    if not is_whole(n, 1):
        raise ValueError(f"The number of means is a whole number from 1 on, not {n!r}.")
    first = torch.randint(len(weights), (n,), generator=generator)
    second = (first + torch.randint(1, len(weights), (n,), generator=generator)) % len(weights)
    return (weights[first] + weights[second]) / 2


def mean_of_all(weights: Float[Tensor, "models params"]) -> Float[Tensor, "1 params"]:
    """The mean of all models, as a population of one network."""
    return soup(weights)[None]


def _check_control(weights: Tensor) -> None:
    if weights.ndim != 2 or len(weights) < 2:
        raise ValueError(f"Controls are made of [models, params], 2 models at least, not of {list(weights.shape)}.")


_NEAREST = {"nearest_l2": "l2", "segment": "segment", "near": "near", "nearest_iou": "iou"}


@dataclass(frozen=True)
class _Networks:
    """Networks, the classes that they choose for the test images (one-hot), and where they err."""

    samples: Samples
    chosen: Float[Tensor, "networks images classes"]
    wrong: Bool[Tensor, "networks images"]

    @classmethod
    def of(cls, samples: Samples, images: Images) -> _Networks:
        chosen = labels(samples, samples.weights, images.test_x)
        return cls(samples, F.one_hot(chosen, samples.architecture.num_classes).float(), chosen != images.test_y)

    def pairs(self) -> dict[str, Float[Tensor, "networks networks"]]:
        return {"own": agreement(self.chosen), "iou": error_overlap(self.wrong), "pair_l2": l2(self.samples.weights)}

    def nearest(self, known: _Networks) -> dict[str, Tensor]:
        """How near each network comes to a training model, and to a line; `inner`: not near the ends of that."""
        segment, lesser = to_segments(self.samples.weights, known.samples.weights)
        overlap = error_overlap(self.wrong, known.wrong).nan_to_num(-1).amax(1)
        return {
            "l2": l2(self.samples.weights, known.samples.weights).amin(1),
            "segment": segment,
            "near": agreement(self.chosen, known.chosen).amax(1),
            "iou": overlap.masked_fill(overlap < 0, torch.nan),
            "inner": lesser >= INNER,
        }


def _real(train: Population, strangers: Population, images: Images) -> tuple[_Networks, dict[str, Tensor]]:
    """The training models, and how near strangers come to them."""
    train = as_samples(train)
    strangers = as_samples(strangers, like=train)
    if min(counts := (len(train), len(strangers))) < 2:
        raise ValueError("Novelty needs 2 training models and 2 strangers; here are {} and {}.".format(*counts))
    if not l2(train.weights).any():
        raise ValueError("All training models are one network, so nothing can lie between them; hand over a zoo.")
    known = _Networks.of(train, images)
    others = _Networks.of(strangers, images).nearest(known)
    if (others["l2"] == 0).any():
        raise ValueError("A stranger has the weights of a training model; split the zoo by model (or by seed).")
    return known, others


def _row(generated: Samples, known: _Networks, others: dict[str, Tensor], images: Images) -> dict[str, float]:
    new = _Networks.of(generated, images)
    found, pairs, zoo = new.nearest(known), new.pairs(), known.pairs()
    mixture = found["inner"] & _near(found["segment"], others["segment"])
    behaves = _alike(found["near"], others["near"]) | _alike(found["iou"], others["iou"])
    constant = (new.chosen == new.chosen[:, :1]).all(2).all(1)  # one class for all images: so do all dead networks
    replica = _near(found["l2"], others["l2"]) | behaves & ~constant
    return {
        "networks": len(generated),
        **dict(zip(("accuracy", *Estimate._fields[1:]), mean_of(1 - new.wrong.double().mean(1)), strict=True)),
        "zoo_accuracy": float((~known.wrong).double().mean()),
        **{name: float(found[key].nanmean()) for name, key in _NEAREST.items()},
        **{f"stranger_{key}": float(others[key].nanmean()) for key in _NEAREST.values()},
        **{name: mean_over_pairs(matrix) for name, matrix in pairs.items()},
        **{f"zoo_{name}": mean_over_pairs(matrix) for name, matrix in zoo.items()},
        "pair_share": mean_over_pairs(pairs["pair_l2"]) / mean_over_pairs(zoo["pair_l2"]),
        "replicas": float((replica & ~mixture).double().mean()),
        "mixtures": float(mixture.double().mean()),
        "twins": float(_twins(pairs["own"], pairs["pair_l2"], others).double().mean()),
    }


def _twins(same: Tensor, apart: Tensor, strangers: dict[str, Tensor]) -> Bool[Tensor, " networks"]:
    twin = _near(apart, strangers["l2"]) & (same > strangers["near"].mean()) | _alike(same, strangers["near"])
    return twin.fill_diagonal_(False).any(1)


def _near(distance: Tensor, strangers: Float[Tensor, " models"]) -> Bool[Tensor, "..."]:
    return (distance < NEAR * strangers.mean()) & (distance < strangers.quantile(1 - QUANTILE))


def _alike(value: Tensor, strangers: Float[Tensor, " models"]) -> Bool[Tensor, "..."]:
    """False for undefined values (NaN), and where no stranger has one."""
    level = strangers.nanmean()
    return (value > level + ALIKE * (1 - level)) & (value > strangers.nanquantile(QUANTILE))
