"""Embeddings that are made once: what scikit-learn's unions give, with one call for each estimator and part."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import FeatureUnion

from hyperlib.representations.baselines import FACTORS, LayerStatistics, RawWeights
from hyperlib.representations.controls import PooledRows
from hyperlib.representations.estimator import Representation
from hyperlib.tasks.features import Embeddings
from hyperlib.tasks.probing import run_probes
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.zoos.zoo import Samples

PARTS = ("train", "val", "test")


class Counting(TransformerMixin, BaseEstimator):
    """The first few weights, in units of what `fit` saw; notes every call of `transform` by how many samples it got."""

    def __init__(self, width=2, dtype=np.float32):
        self.width = width
        self.dtype = dtype

    def fit(self, samples, y=None):
        self.unit_ = float(samples.weights.abs().max())
        self.calls_ = []
        return self

    def transform(self, samples):
        self.calls_.append(len(samples))
        return (samples.weights[:, : self.width].numpy() / self.unit_).astype(self.dtype)


def some(models: int, first: int) -> Samples:
    table = pd.DataFrame({"model": np.repeat(np.arange(first, first + models), 3), "epoch": np.tile(range(3), models)})
    random = np.random.default_rng(first)
    table["test_accuracy"], table["gap"] = random.uniform(size=(2, 3 * models))
    table = table.assign(**dict.fromkeys(FACTORS, 0.1) | {"activation": "tanh"})
    return Samples(torch.from_numpy(random.normal(size=(len(table), 100))).float(), table, tetris_mlp())


@pytest.fixture
def parts() -> dict[str, Samples]:
    return dict(zip(PARTS, (some(30, 0), some(9, 100), some(10, 200)), strict=True))


@pytest.fixture
def vectors_made(monkeypatch) -> dict[str, list[Representation]]:
    """Who embedded, one entry per call, by the name of its class."""
    made = {}
    for kind in (LayerStatistics, PooledRows, RawWeights):
        seen, plain = made.setdefault(kind.__name__, []), kind._vectors
        monkeypatch.setattr(
            kind, "_vectors", lambda self, samples, seen=seen, plain=plain: seen.append(self) or plain(self, samples)
        )
    return made


def expected(embedder, parts) -> list[np.ndarray]:
    return [embedder.transform(parts[part]).astype(np.float64) for part in PARTS]


def equal(found: dict[str, np.ndarray], wanted: list[np.ndarray]) -> bool:
    return [*found] == [*PARTS] and all(map(np.array_equal, found.values(), wanted))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_members_of_any_union_embed_once_and_stand_where_scikit_learn_puts_them(parts, dtype):
    kinds = ((1, np.float32), (3, dtype), (2, np.float32))
    one, two, three = (Counting(width, kind).fit(parts["train"]) for width, kind in kinds)
    pair = FeatureUnion([("a", two), ("b", one)])
    asked = {"one": one, "pair": pair, "nested": FeatureUnion([("pair", pair), ("c", three)]), "three": three}
    asked["twice"] = FeatureUnion([("a", one), ("b", one), ("c", pair)])
    wanted = {name: expected(embedder, parts) for name, embedder in asked.items()}
    for member in (one, two, three):
        member.calls_.clear()

    embeddings = Embeddings(parts)
    for name, embedder in asked.items():
        assert equal(embeddings.features(name, embedder), wanted[name]), name
    assert all(member.calls_ == [len(parts[part]) for part in PARTS] for member in (one, two, three))


def test_whatever_weighs_or_drops_members_is_left_to_scikit_learn(parts):
    one, two = (Counting(width).fit(parts["train"]) for width in (1, 3))
    weighted = FeatureUnion([("a", one), ("b", two)], transformer_weights={"a": 3.0})
    without = FeatureUnion([("a", one), ("b", "drop")])
    for union in (weighted, without):
        assert equal(Embeddings(parts).features("union", union), expected(union, parts))


def test_a_union_with_a_member_that_is_not_fitted_is_fitted_as_a_whole_and_a_copy(parts):
    fitted, fresh = Counting(1).fit(parts["val"]), Counting(3)
    for union in (FeatureUnion([("a", fresh)]), FeatureUnion([("a", fitted), ("b", fresh)])):
        wanted = expected(clone(union).fit(parts["train"]), parts)
        assert equal(Embeddings(parts).features("union", union), wanted)
    assert not hasattr(fresh, "unit_") and fitted.calls_ == []
    embeddings = Embeddings(parts)  # what is fitted in a union of its own is another one alone
    embeddings.features("union", union)
    assert equal(embeddings.features("fitted", fitted), expected(fitted, parts))


def test_an_unfitted_estimator_is_fitted_and_embeds_once_however_often_it_is_asked(parts, vectors_made):
    fresh, embeddings = LayerStatistics(), Embeddings(parts)
    for _ in range(2):
        embeddings.features("s(W)", fresh)
    assert len(vectors_made["LayerStatistics"]) == len(PARTS) and not hasattr(fresh, "architecture_")


def test_an_estimator_that_is_gone_leaves_nothing_to_one_in_its_place(parts):
    embeddings = Embeddings(parts)
    for width in range(1, 30):  # without a name, so that Python may use its place again
        assert embeddings.features("one", Counting(width).fit(parts["train"]))["val"].shape[1] == width


def test_features_that_are_not_finite_are_named_after_what_was_asked_for(parts):
    one = Counting(2).fit(parts["train"])
    one.unit_ = np.nan
    with pytest.raises(ValueError, match=r"features of both \(train\) are not finite in row 0"):
        Embeddings(parts).features("both", FeatureUnion([("a", one)]))


def test_probes_embed_once_for_all_rows_controls_among_them(parts, vectors_made):
    train, how = parts["train"], {"columns": ["test_accuracy", "gap"], "controls": 20, "bootstrap": 10}
    one, two = RawWeights().fit(train), Counting(5).fit(train)
    shared = {"one": one, "both": FeatureUnion([("one", one), ("two", two)])}
    apart = {"one": RawWeights(), "both": FeatureUnion([("one", RawWeights()), ("two", Counting(5))])}
    found = run_probes(shared, *parts.values(), probes=["linear", "beside the clock"], **how).table

    for name, objects in (("RawWeights", {one}), ("PooledRows", None)):
        assert len(vectors_made[name]) == len(PARTS) and objects in (None, {*vectors_made[name]})
    statistics = Counter(vectors_made["LayerStatistics"])  # the control, and what random features are made of
    assert sorted(statistics.values()) == [len(PARTS), len(PARTS) + 1]
    others = run_probes(apart, *parts.values(), probes=["linear", "beside the clock"], **how).table
    pd.testing.assert_frame_equal(found, others, check_exact=True)
