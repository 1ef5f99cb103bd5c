"""Hyper-representations: what an auto-encoder of weights learns about networks without being told anything of them.

`HyperRep` has scikit-learn's verbs and two of its own: `latents` is what the decoder needs, `decode` makes networks of
latents. `embed` is what probes read; with the read-outs of the thesis it is the latents.

Our defaults are not the thesis's: small networks that train in a minute of one core, a read-out that pools tokens, a
contrast on that read-out with several epochs of each model in a batch, and the clean network as target. What each of
them does stands in the ablations of chapter 4, whose recipe `released` has the settings of the released code.

Source: Schürholt et al. (2021); the layer-wise loss of Schürholt et al. (2022), which standardising every layer gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hyperlib.files.tensors import checksum
from hyperlib.representations.augment import Augment
from hyperlib.representations.autoencoder import Autoencoder, Sizes, autoencoder, initialise, projection_head
from hyperlib.representations.batches import Population, rows_by_group
from hyperlib.representations.blocks import Source
from hyperlib.representations.cores import half_precision, halves, one_core
from hyperlib.representations.divergence import Judge, judge_of
from hyperlib.representations.estimator import Representation, Values, plain
from hyperlib.representations.hyper_rep_file import load_hyper_rep, save_hyper_rep
from hyperlib.representations.plan import Plan, plan_of
from hyperlib.representations.training import Progress, Trainer, run
from hyperlib.representations.whole_views import WholeViews
from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.recording import Recording
from hyperlib.weightspace.tokens import Scale, Tokenizer
from hyperlib.weightspace.values import device_called
from hyperlib.zoos.zoo import Samples

ROWS = 128  # networks per forward pass; always so many, so that a row's result does not depend on the others


class HyperRep(Representation):
    """An auto-encoder of weight vectors with a contrast between views, as a scikit-learn estimator.

    architecture: of the networks to learn from. latent: latents of a network, or per token where `readout="pooled"`.
    width, depth, heads, hidden: of the transformers on both sides (hidden: of their feed-forward part, twice the width
    by default). encoding: a token per "neuron" or per "weight", or "dense" for a feed-forward auto-encoder. readout:
    "pooled", "summary" or "latent", see `autoencoder`. mix: the contrast's share of the loss (gamma). contrast: a name
    of `losses.CONTRASTS`. projection: (layers, hidden, outputs) of the head that the contrast looks through.

    normalise: standardise every layer by its deviation over the training networks, which makes the error layer-wise.
    statistics: neuron tokens also read three statistics of their row. positions: deviation of position embeddings at
    the start. behaviour: weight, beside the error of weights, of the error of answers, in the reading `divergence` (see
    there), for `asked` = (networks, queries) of each step. per_model: so many checkpoints of each model in a batch, by
    `groups` of `fit`; None for any checkpoints. steps: of training; 0 leaves the encoder untrained. validations: rows
    of `history_`. patience: stop when so many of them were no better, and go back to the best. precision: "float32",
    "bfloat16", or "auto", which is bfloat16 on CUDA and on a CPU that has instructions for it. On a CPU one core
    trains, because sums depend on the number of cores in their last digits.

    Learned: `history_` (one row per validation: losses of training since the last row, and of validation models),
    `network_`, `scale_`, `latents_` and `dimensions_` (lengths of latents and embedding). `fit` raises ValueError for
    settings out of range; all else as in `Representation`.
    """

    def __init__(
        self,
        architecture: BaseArchitecture,
        *,
        latent: int = 16,
        width: int = 64,
        depth: int = 2,
        heads: int = 2,
        hidden: int | None = None,
        encoding: str = "neuron",
        readout: str = "pooled",
        contrast: str = "nt_xent",
        mix: float = 0.3,
        augment: Augment | None = None,
        projection: tuple[int, int, int] = (1, 128, 64),
        temperature: float = 0.1,
        normalise: bool = True,
        statistics: bool = False,
        positions: float = 0.1,
        dropout: float = 0.0,
        behaviour: float = 0.0,
        divergence: str = "kl",
        asked: tuple[int, int] = (48, 32),
        per_model: int | None = 8,
        steps: int = 1000,
        batch_size: int = 128,
        rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validations: int = 20,
        patience: int | None = None,
        precision: str = "auto",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.architecture = architecture
        self.latent = latent
        self.width = width
        self.depth = depth
        self.heads = heads
        self.hidden = hidden
        self.encoding = encoding
        self.readout = readout
        self.contrast = contrast
        self.mix = mix
        self.augment = augment
        self.projection = projection
        self.temperature = temperature
        self.normalise = normalise
        self.statistics = statistics
        self.positions = positions
        self.dropout = dropout
        self.behaviour = behaviour
        self.divergence = divergence
        self.asked = asked
        self.per_model = per_model
        self.steps = steps
        self.batch_size = batch_size
        self.rate = rate
        self.weight_decay = weight_decay
        self.validations = validations
        self.patience = patience
        self.precision = precision
        self.device = device
        self.seed = seed

    # -- learning ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        samples: Samples,
        y: Values | None = None,
        *,
        groups: Values | None = None,
        validation: Samples | None = None,
        queries: Tensor | None = None,
        checkpoint: Path | str | None = None,
        progress: Progress = False,
    ) -> HyperRep:
        """Train on checkpoints; `groups` says which are of one model (each its own without), `y` is not looked at.

        validation: checkpoints of other models, whose losses stand in `history_`; `patience` needs them. queries:
        images `[images, channels, height, width]` that networks answer, which `behaviour` needs. checkpoint: a
        folder for the state of the training; the same call after a kill goes on from there to the very same result.
        progress: a bar with the losses, silence, or a function that hears of (done, all) steps.

        Raises ValueError for another architecture, settings out of range, another training's checkpoint folder, a
        training that diverged, and where `behaviour` has no queries or meets networks of several activations.
        """
        require_architecture(self.architecture, type(self).__name__)
        self._check_fit(samples, y, groups)
        for part in (samples, *([] if validation is None else [validation])):
            self._check(part)
            if part.architecture.layout != self.architecture.layout:
                raise ValueError(
                    f"This representation is of {self.architecture.name} with {self.architecture.num_weights} weights, "
                    f"but these samples are of {part.architecture.name} with {part.architecture.num_weights}."
                )
        plan, device = plan_of(self, 0), device_called(self.device)
        if plan.patience is not None and (validation is None or not len(validation)):
            raise ValueError("patience needs validation samples to look at; give fit(..., validation=...).")
        with one_core(device):
            weights = plain(samples.weights)
            self.build(Tokenizer(self.architecture.layout).scale(weights) if self.normalise else None)
            train, seen = Population(self._scaled(weights), rows_by_group(groups, len(samples))), None
            _check_batches(plan, train)
            self.network_.measure(train.weights)
            if validation is not None and len(validation):
                models = validation.table.get("model")
                seen = Population(self._scaled(validation.weights), rows_by_group(models, len(validation)))
            known = [samples, *([] if seen is None else [validation])]
            asked = (plan.divergence, plan.asked, self.scale_, device)
            judge = judge_of(known, queries, *asked) if plan.behaviour else None
            views = WholeViews(
                self.architecture, self.network_, self.head_, self._source, plan, self.augment or Augment(), train,
                seen, judge, device=device, half=self.half,
            )  # fmt: skip
            self.history_ = run(Trainer(views), checkpoint, lambda: self._signature(train, seen, judge), progress)
        self.architecture_ = samples.architecture
        return self

    def build(self, scale: Scale | None) -> None:
        """Networks with their random start, as `fit` and `load` begin; nothing is drawn from the global generator.

        Raises ValueError for settings out of range.
        """
        sizes, plan = self._sizes(), plan_of(self, 0)
        self._source, self.scale_ = Source(), scale
        self.network_: Autoencoder = autoencoder(self.architecture.layout, sizes, self._source)
        self.head_ = projection_head(self.network_.embedding, *map(int, self.projection))
        if next(self.head_.parameters()).device.type != "meta":
            generator = plan.generator("start")
            initialise(self.network_, generator, sizes.positions)
            initialise(self.head_, generator, sizes.positions)
        self.latents_, self.dimensions_ = self.network_.latents, self.network_.embedding

    def _sizes(self) -> Sizes:
        return Sizes(
            self.encoding, self.readout, self.latent, self.width, self.depth, self.heads,
            2 * self.width if self.hidden is None else self.hidden, self.dropout, self.positions, self.statistics,
        )  # fmt: skip

    @property
    def half(self) -> bool:
        """Whether matrix products are in bfloat16; see `cores.halves`."""
        return halves(self.precision, self.device)

    def _signature(self, train: Population, seen: Population | None, judge: Judge | None) -> str:
        """All that decides the training, in words."""
        settings = {name: value for name, value in self.get_params(deep=False).items() if name != "architecture"}
        data = [self.architecture.layout, train.weights.sum(0).tolist(), train.rows.tolist()]
        data += [] if seen is None else [seen.weights.sum(0).tolist()]
        data += [] if judge is None else [judge.divergence.architecture.activation, checksum({"": judge.queries})]
        return f"{settings} {self.half} {data} {torch.__version__}"

    # -- what it gives ----------------------------------------------------------------------------------------------

    def latents(self, samples: Samples) -> Float[np.ndarray, "samples latents"]:
        """What `decode` needs, one vector per checkpoint. Errors as in `embed`."""
        return self._encoded(samples, "latents")

    @torch.no_grad()
    def decode(self, latents: Float[np.ndarray, "samples latents"] | Tensor) -> Float[Tensor, "samples params"]:
        """Weight vectors of latents, in the units of the networks that were fitted.

        Raises NotFittedError before `fit` and ValueError for latents of another length or that are not finite.
        """
        check_is_fitted(self, "architecture_")
        latents = latents.float() if isinstance(latents, Tensor) else torch.from_numpy(np.array(latents, np.float32))
        if latents.ndim != 2 or latents.shape[1] != self.latents_ or not torch.isfinite(latents).all():
            raise ValueError(
                f"This representation decodes finite latents [samples, {self.latents_}], not {list(latents.shape)}."
            )
        if not len(latents):
            return torch.empty(0, self.architecture.layout.size)
        weights = self._in_batches(latents, self.network_.decode)
        return weights if self.scale_ is None else self.scale_.restore(weights)

    def reconstruct(self, samples: Samples) -> Samples:
        """The same checkpoints after encoding and decoding; the table is theirs, accuracies included."""
        return Samples(self.decode(self.latents(samples)), samples.table, samples.architecture)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples embedding"]:
        return self._encoded(samples, "embedding")

    def _names(self) -> list[str]:
        if self.readout != "pooled":
            return [f"latent{number}" for number in range(self.dimensions_)]
        layers = Tokenizer(self.architecture_.layout).layers
        moments = [(layer, moment) for layer in layers for moment in ("mean", "std")]
        return [f"{layer}.{moment}{number}" for layer, moment in moments for number in range(self.width)]

    @torch.no_grad()
    def _encoded(self, samples: Samples, what: str) -> Float[np.ndarray, "samples _"]:
        check_is_fitted(self, "architecture_")
        self._check(samples)
        self._check_layout(samples)
        if not len(samples):
            return np.empty((0, self.latents_ if what == "latents" else self.dimensions_), np.float32)
        found = self._in_batches(self._scaled(samples.weights), lambda rows: getattr(self.network_.encode(rows), what))
        return found.numpy()

    def _in_batches(
        self, values: Float[Tensor, "samples _"], network: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "samples _"]:
        """What the network makes of batches of one size; the last one is filled up with its own first row."""
        device, found = device_called(self.device), []
        recording = Recording(device)
        with one_core(device), half_precision(device, self.half):
            for rows in values.split(ROWS):
                full = torch.cat([rows, rows[:1].expand(ROWS - len(rows), -1)])
                found.append(recording.play(network, full)[: len(rows)].to("cpu", torch.float32, copy=True))
        return torch.cat(found)

    def _scaled(self, weights: Tensor) -> Float[Tensor, "samples params"]:
        weights = plain(weights)
        return weights if self.scale_ is None else self.scale_.standardise(weights)

    # -- on disk ----------------------------------------------------------------------------------------------------

    def save(self, path: Path | str) -> Path:
        """Write everything to one new file (safetensors); see `hyper_rep_file`."""
        check_is_fitted(self, "architecture_")
        return save_hyper_rep(self, Path(path))

    @classmethod
    def load(cls, path: Path | str, *, device: str = "cpu") -> HyperRep:
        """Read what `save` wrote; FileNotFoundError where nothing is, ValueError for damaged or foreign files."""
        return load_hyper_rep(cls, Path(path), device)


def _check_batches(plan: Plan, train: Population) -> None:
    """ValueError where a batch could be too small for the contrast, before the first step."""
    least = train.smallest_batch(plan.batch_size, plan.per_model)
    if plan.steps and plan.mix and least < 2:
        raise ValueError(
            f"A contrast needs two checkpoints in every batch, and some batches would hold {least}; fit more "
            "checkpoints, raise batch_size, or set per_model=None."
        )
