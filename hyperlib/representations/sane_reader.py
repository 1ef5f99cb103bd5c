"""A `Sane` as seen by one zoo: an estimator like others, whose `fit` measures a scale and trains nothing.

So a representation that was trained elsewhere, or on many zoos, stands in every table, probe and sampler beside those
that were trained on the very zoo.

Source: the mean of token embeddings is the published read-out, spreads per layer are those of its layer-wise analysis,
all tokens those of its comparison with earlier work (Schürholt et al. 2024); "layers" is our choice.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hyperlib.representations.estimator import Representation, Values
from hyperlib.representations.sane import Sane
from hyperlib.zoos.zoo import Samples

READS = ("mean", "layers", "spread", "tokens")


def spread(tokens: Float[np.ndarray, "samples tokens latent"]) -> Float[np.ndarray, " samples"]:
    """How far token embeddings scatter: the root of their variance over tokens, mean over latents."""
    return np.sqrt(tokens.var(1).mean(-1))


class SaneReader(Representation):
    """Reads the networks of one zoo with a fitted `Sane`.

    read: "mean" of all token latents; "layers": mean and deviation over the tokens of each layer; "spread": the
    deviations alone, one number per layer (the root of the mean variance over latents); "tokens": all of them.

    Learned: `scale_`, the zoo's own. `fit` raises ValueError for another `read`, NotFittedError for a `Sane` that was
    not fitted.
    """

    def __init__(self, sane: Sane, read: str = "mean") -> None:
        self.sane = sane
        self.read = read

    def __sklearn_clone__(self) -> SaneReader:
        """A reader that is not fitted, of the same `Sane`, which keeps what it learned."""
        return type(self)(self.sane, self.read)

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        check_is_fitted(self.sane, "zoos_")
        if self.read not in READS:
            raise ValueError(f"There is no read-out {self.read!r}; choose from {', '.join(READS)}.")
        self.scale_ = self.sane.scale(samples)
        kept, tokenizer = self.sane.kept(samples.architecture), self.sane.tokenizer(samples.architecture)
        _, self.sizes_ = tokenizer.positions[kept, 1].unique_consecutive(return_counts=True)
        self.tokens_, self.latents_ = len(kept), len(kept) * self.sane.latent

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples embedding"]:
        if self.read == "mean":
            return self.sane.embed(samples, scale=self.scale_)
        tokens = self.sane.embed_tokens(samples, scale=self.scale_)
        if self.read == "tokens":
            return tokens.reshape(len(tokens), self.latents_)
        found = []
        for layer in np.split(tokens, self.sizes_.cumsum(0)[:-1].tolist(), axis=1):
            found += [layer.mean(1), layer.std(1)] if self.read == "layers" else [spread(layer)[:, None]]
        return np.concatenate(found, 1)

    def _names(self) -> list[str]:
        latents = [f"latent{number}" for number in range(self.sane.latent)]
        if self.read == "mean":
            return latents
        if self.read == "tokens":
            return [f"token{token}.{name}" for token in range(self.tokens_) for name in latents]
        layers = range(len(self.sizes_))
        if self.read == "spread":
            return [f"layer{layer}.spread" for layer in layers]
        return [f"layer{layer}.{what}.{name}" for layer in layers for what in ("mean", "std") for name in latents]

    # -- there and back, as samplers want it ------------------------------------------------------------------------

    def latents(self, samples: Samples) -> Float[np.ndarray, "samples latents"]:
        """The latents of all tokens, side by side; errors as in `embed`."""
        check_is_fitted(self, "architecture_")
        self._check(samples)
        self._check_layout(samples)
        return self.sane.embed_tokens(samples, scale=self.scale_).reshape(len(samples), self.latents_)

    def decode(self, latents: Float[np.ndarray, "samples latents"] | Tensor) -> Float[Tensor, "samples params"]:
        """Weight vectors of the zoo's architecture, in the units of its networks; errors as in `Sane.decode`."""
        check_is_fitted(self, "architecture_")
        latents = torch.as_tensor(latents)
        if latents.ndim != 2 or latents.shape[1] != self.latents_:
            raise ValueError(f"This zoo's latents are [samples, {self.latents_}], not {list(latents.shape)}.")
        return self.sane.decode(latents.unflatten(1, (self.tokens_, -1)), self.architecture_, self.scale_)

    def reconstruct(self, samples: Samples) -> Samples:
        """The same checkpoints after encoding and decoding; the table is theirs, accuracies included."""
        return Samples(self.decode(self.latents(samples)), samples.table, samples.architecture)
