"""SANE: one representation for networks of any architecture, which reads them token by token.

A network is a sequence of tokens of one width, and what is learned of sequences holds for longer ones. So a `Sane` is
fitted on one zoo or on several of different architectures, and embeds, without another fit, networks that it never saw.
Weights are standardised per layer by a scale that is measured, not learned, so another zoo brings its own.

Where the paper and its released code differ, both readings have a name: `augment` (one view aligned, or both),
`padding` (in the mean of the loss or not), `norms` (running statistics as tokens or not).

Source: Schürholt et al. (2024). Waves for positions and batches of several zoos are our choice; our defaults are small
networks that train in a minute of one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hyperlib.files.tensors import checksum
from hyperlib.representations.augment import Augment
from hyperlib.representations.autoencoder import initialise
from hyperlib.representations.blocks import Source
from hyperlib.representations.cores import half_precision, halves, one_core
from hyperlib.representations.estimator import Values, check_samples, plain
from hyperlib.representations.plan import plan_of
from hyperlib.representations.sane_file import load_sane, save_sane
from hyperlib.representations.sane_network import SaneNetwork, SaneSizes, window_head
from hyperlib.representations.training import Progress, Trainer, run
from hyperlib.representations.window_views import WindowViews
from hyperlib.representations.window_zoos import Fitted, Preparation, Sequenced, Zoos, by_name, check_zoos
from hyperlib.representations.windows import through
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.tokens import Scale, Tokenizer
from hyperlib.weightspace.values import device_called
from hyperlib.zoos.zoo import Samples

AT_ONCE = 2**21  # numbers in the widest part of a block, of all windows that go through at once; our choice
ALIGNED = Augment(fixed_views=1)  # the paper's views, for zoos that were aligned: one as it is, one permuted


@dataclass(kw_only=True, eq=False, repr=False)
class Sane(BaseEstimator):
    """An auto-encoder of windows of tokens, which knows no architecture.

    For instance `sane = Sane(steps=1000).fit({"digits": digits, "mine": mine})` with the samples of two zoos, whose
    networks are best aligned before (`align`; with networks as they are, the view that is not permuted says nothing of
    an order). Then `SaneReader(sane).fit(train)` is an estimator of one zoo, that of `train`.

    token: width of a token in weights; longer rows are cut. window: tokens of a window; halo: of those, the context on
    each side that embedding and decoding throw away. latent: numbers of each token. width, depth, heads, hidden,
    nonlinearity: of the transformers on both sides (hidden: of their feed-forward part, twice the width by default).
    places: positions as "waves" (any length) or as learned "tables", of the sizes `tables` = (tokens, layers, units);
    positions: deviation of their embeddings at the start.
    norms: whether tokens of running statistics are "left_out", as in the paper, or are "tokens" like others, as in the
    released code. spread: deviations "within" networks, as published, or in "total" (see `Tokenizer.scale`).

    augment: views, `Augment(fixed_views=1)` by default: one as given, one permuted, the paper's for aligned zoos
    (`fixed_views=2` is what the released code does). mix, contrast, temperature: of the loss; projection: (layers,
    hidden, outputs) of the head, which reads the latents of a "window" side by side, or their "mean". padding:
    "left_out" of the mean of errors, or "counted", as released. start: deviation of initial weights, biases
    beginning at 0; None for PyTorch's. All else as in `HyperRep`: behaviour (all windows of some networks of one zoo
    per step), precision, per_model, steps, batch_size (windows, evenly of all zoos), rate, patience, seed.

    Learned: `zoos_` (a `Fitted` each), `history_`, `network_`. `fit` raises ValueError for settings out of range.
    """

    token: int = 64
    window: int = 32
    halo: int = 0
    latent: int = 16
    width: int = 64
    depth: int = 2
    heads: int = 2
    hidden: int | None = None
    nonlinearity: str = "gelu"
    places: Literal["waves", "tables"] = "waves"
    tables: tuple[int, int, int] = (100, 10, 40)
    positions: float = 0.02
    norms: Literal["left_out", "tokens"] = "left_out"
    spread: Literal["within", "total"] = "within"
    augment: Augment = ALIGNED
    contrast: str = "nt_xent"
    mix: float = 0.05
    projection: tuple[int, int, int] = (2, 64, 30)
    temperature: float = 0.1
    head: Literal["window", "mean"] = "window"
    padding: Literal["left_out", "counted"] = "left_out"
    dropout: float = 0.0
    start: float | None = None
    behaviour: float = 0.0
    divergence: str = "kl"
    asked: tuple[int, int] = (16, 32)
    per_model: int | None = None
    steps: int = 1000
    batch_size: int = 64
    rate: float = 2e-3
    weight_decay: float = 1e-2
    validations: int = 20
    patience: int | None = None
    precision: str = "auto"
    device: str = "cpu"
    seed: int = 0

    # -- learning ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        zoos: Zoos,
        y: Values | None = None,
        *,
        groups: Values | Mapping[str, Values] | None = None,
        validation: Zoos | None = None,
        queries: Tensor | Mapping[str, Tensor] | None = None,
        checkpoint: Path | str | None = None,
        progress: Progress = False,
    ) -> Sane:
        """Train on the checkpoints of one zoo, or of several by name; `groups`, `validation` and `queries` likewise.

        All arguments mean what they do in `HyperRep.fit`; `y` is not looked at.

        Raises TypeError for anything but samples, and ValueError for none, for weights that are not finite, for
        validation samples of an architecture that was not in training, for settings out of range, another training's
        checkpoint folder, and a training that diverged.
        """
        vars(self).pop("zoos_", None)  # what fails now is not fitted, whatever it was before
        train, known = by_name(zoos), {} if validation is None else by_name(validation)
        plan, device = plan_of(self, 1), device_called(self.device)
        check_zoos(train, known, plan)
        with one_core(device):
            self.build()
            scales = {name: self.scale(part) for name, part in train.items()}
            learned, seen = Preparation(scales, self.sequence, plan, device).zoos(train, known, groups, queries)
            views = WindowViews(
                self.network_, self.head_, self._source, plan, self.augment, learned, seen, window=self.window,
                padding=self.padding, device=device, half=self.half,
            )  # fmt: skip
            self.history_ = run(Trainer(views), checkpoint, lambda: self._signature(views), progress)
        self.zoos_ = [Fitted(name, part.architecture, scales[name]) for name, part in train.items()]
        return self

    def build(self) -> None:
        """Networks with their random start, as `fit` and `load` begin. Raises ValueError for settings out of range."""
        sizes, plan = self._sizes(), plan_of(self, 1)
        self._source = Source()
        self.network_ = SaneNetwork(sizes, self._source)
        self.head_ = window_head(sizes, *map(int, self.projection))
        if next(self.head_.parameters()).device.type != "meta":
            generator = plan.generator("start")
            for part in (self.network_, self.head_):
                initialise(part, generator, sizes.positions, self.start)

    def _sizes(self) -> SaneSizes:
        if not isinstance(self.augment, Augment):
            raise TypeError(f"augment is an Augment, which says how views are made, not {self.augment!r}.")
        return SaneSizes(
            self.token, self.latent, self.width, self.depth, self.heads,
            2 * self.width if self.hidden is None else self.hidden, self.dropout, self.places, self.tables,
            self.nonlinearity, self.start, self.window, self.halo, self.norms, self.spread, self.padding, self.head,
            self.positions,
        )  # fmt: skip

    @property
    def half(self) -> bool:
        """Whether matrix products are in bfloat16; see `cores.halves`."""
        return halves(self.precision, self.device)

    def _signature(self, views: WindowViews) -> str:
        """All that decides the training, in words."""
        data = []
        for zoo in (*views.train, *views.validation):
            asked = {} if zoo.judge is None else {"queries": zoo.judge.queries}
            seen = checksum({"weights": zoo.population.weights, "rows": zoo.population.rows} | asked)
            data.append([zoo.name, zoo.architecture.activation, zoo.architecture.layout, seen])
        return f"{self.get_params(deep=False)} {self.half} {data} {torch.__version__}"

    # -- what it gives ----------------------------------------------------------------------------------------------

    def scale(self, samples: Samples) -> Scale:
        """Mean and deviation of each layer of these networks, in which they are read; errors as `Tokenizer.scale`."""
        check_samples(samples, type(self).__name__)
        return self.tokenizer(samples.architecture).scale(plain(samples.weights), spread=self.spread)

    def scale_of(self, samples: Samples) -> Scale:
        """The scale of the fitted zoo of this layout, or else, for a layout that was not fitted, of these samples.

        Raises NotFittedError before `fit`, and ValueError where zoos of one layout were fitted with different scales.
        """
        check_is_fitted(self, "zoos_")
        own = [zoo for zoo in self.zoos_ if zoo.architecture.layout == samples.architecture.layout]
        if len(own) > 1:
            raise ValueError(
                f"{', '.join(zoo.name for zoo in own)} have the same layout and a scale each; say scale=..., for "
                "instance sane.scale(training_samples), or read through a SaneReader."
            )
        return own[0].scale if own else self.scale(samples)

    def tokenizer(self, architecture: BaseArchitecture) -> Tokenizer:
        """How this representation cuts the weights of an architecture."""
        return Tokenizer(architecture.layout, self.token)

    def kept(self, architecture: BaseArchitecture) -> Tensor:
        """The tokens that are read, as places among those of the tokenizer."""
        tokenizer = self.tokenizer(architecture)
        everything = torch.arange(tokenizer.shape[0])
        return everything[tokenizer.learned] if self.norms == "left_out" else everything

    def embed_tokens(
        self, samples: Samples, *, scale: Scale | None = None
    ) -> Float[np.ndarray, "samples tokens latent"]:
        """The latents of every token that is read (see `kept`), in haloed windows.

        scale: in which networks are read, `scale_of(samples)` without. Raises as `scale_of`, and TypeError and
        ValueError for anything but finite samples.
        """
        parts = list(self._encoded(samples, scale))
        if not parts:
            return np.empty((0, len(self.kept(samples.architecture)), self.latent), np.float32)
        return torch.cat(parts).numpy()

    def embed(self, samples: Samples, *, scale: Scale | None = None) -> Float[np.ndarray, "samples latent"]:
        """One vector per network, of one length for all architectures: the mean of its tokens. As `embed_tokens`."""
        means = [part.mean(1) for part in self._encoded(samples, scale)]
        return torch.cat(means).numpy() if means else np.empty((0, self.latent), np.float32)

    @torch.no_grad()
    def _encoded(self, samples: Samples, scale: Scale | None) -> Iterator[Float[Tensor, "some tokens latent"]]:
        """Token latents of some networks at a time, as many as fit into `AT_ONCE`, at least one."""
        check_is_fitted(self, "zoos_")
        check_samples(samples, type(self).__name__)
        if not len(samples):
            return
        scale = scale or self.scale_of(samples)
        tokenizer, kept = self.tokenizer(samples.architecture), self.kept(samples.architecture)
        places = self._places(tokenizer, kept)
        for weights in samples.weights.split(self._at_once(tokenizer)):
            tokens = tokenizer.encode(scale.standardise(plain(weights)))[:, kept]
            yield self._through(self.network_.encode, tokens, places)

    @torch.no_grad()
    def decode(
        self, latents: Float[np.ndarray, "samples tokens latent"] | Tensor, architecture: BaseArchitecture, scale: Scale
    ) -> Float[Tensor, "samples params"]:
        """Weight vectors of one architecture from the latents of its tokens, in the units that the scale says.

        Running statistics that are left out of the tokens get their mean in the scale; those that are tokens come out
        as the decoder guesses them, a variance perhaps below 0. So measure them on images afterwards, in both readings
        (`refinement.conditioned`). Raises NotFittedError before `fit`, and ValueError for latents of another shape or
        not finite.
        """
        check_is_fitted(self, "zoos_")
        latents = latents.float() if isinstance(latents, Tensor) else torch.from_numpy(np.array(latents, np.float32))
        tokenizer, kept = self.tokenizer(architecture), self.kept(architecture)
        if latents.ndim != 3 or latents.shape[1:] != (len(kept), self.latent) or not torch.isfinite(latents).all():
            raise ValueError(
                f"Latents of {architecture.name} are finite [samples, {len(kept)}, {self.latent}], not "
                f"{list(latents.shape)}."
            )
        places, found = self._places(tokenizer, kept), [torch.empty(0, architecture.layout.size)]
        for some in latents.split(self._at_once(tokenizer)) if len(latents) else ():
            tokens = torch.zeros(len(some), *tokenizer.shape)
            tokens[:, kept] = self._through(self.network_.decode, some, places)
            found.append(scale.restore(tokenizer.decode(tokens)))
        return torch.cat(found)

    def reconstruct(self, samples: Samples, *, scale: Scale | None = None) -> Samples:
        """The same checkpoints after encoding and decoding; the table is theirs, accuracies included."""
        scale = scale or self.scale_of(samples)
        weights = self.decode(self.embed_tokens(samples, scale=scale), samples.architecture, scale)
        return Samples(weights, samples.table, samples.architecture)

    def save(self, path: Path | str) -> Path:
        """Write everything to one new file (safetensors); see `sane_file`."""
        check_is_fitted(self, "zoos_")
        return save_sane(self, Path(path))

    @classmethod
    def load(cls, path: Path | str, *, device: str = "cpu") -> Sane:
        """Read what `save` wrote; FileNotFoundError where nothing is, ValueError for damaged or foreign files."""
        return load_sane(cls, Fitted, Path(path), device)

    def _at_once(self, tokenizer: Tokenizer) -> int:
        """So many networks are tokens at a time."""
        return max(1, AT_ONCE // (tokenizer.shape[0] * self.token))

    def _places(self, tokenizer: Tokenizer, kept: Tensor) -> Float[Tensor, "tokens features"]:
        return self.network_.place.features(tokenizer.positions[kept])

    def sequence(self, architecture: BaseArchitecture) -> Sequenced:
        """How training reads vectors of this architecture."""
        tokenizer, kept = self.tokenizer(architecture), self.kept(architecture)
        cells = tokenizer.encode(torch.arange(1, architecture.layout.size + 1))[kept]
        return Sequenced(cells, self._places(tokenizer, kept), len(kept)).filled(self.window)

    def _through(self, network: object, values: Tensor, places: Tensor) -> Tensor:
        device = device_called(self.device)
        length = min(self.window, len(places))
        widest = max(2 * self.width if self.hidden is None else self.hidden, 3 * self.width)
        at_once = max(1, AT_ONCE // (length * widest))
        with one_core(device), half_precision(device, self.half):
            found = through(
                network, values.to(device), places.to(device), window=self.window, halo=self.halo, at_once=at_once,
                fill=True,
            )  # fmt: skip
        return found.float().cpu()
