"""The contract of all representations. A new one joins the list below and nothing else here."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from long_training import walks
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from toys import some_images

from hyperlib.representations.baselines import Hyperparameters, LayerStatistics, RawWeights
from hyperlib.representations.behaviour import Probing
from hyperlib.representations.controls import Clock, PooledRows, RandomFeatures, RandomTokens
from hyperlib.representations.estimator import Representation
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.representations.projections import PrincipalComponents, Umap
from hyperlib.representations.sane import Sane
from hyperlib.representations.sane_reader import SaneReader
from hyperlib.study.trials import Averaged, Canonical
from hyperlib.weightspace.architectures import digits_cnn, tetris_mlp
from hyperlib.weightspace.statistics import layer_statistics
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.zoo import Samples

ESTIMATORS = [
    RawWeights(),
    Clock(),
    PooledRows(),
    RandomFeatures(dimension=9),
    RandomFeatures(dimension=9, of=PooledRows(), seed=1),
    RandomTokens(dimension=7, token=8),
    LayerStatistics(),
    LayerStatistics(products=True),
    LayerStatistics(reading="quintiles"),
    Hyperparameters(columns=("init", "activation", "lr", "weight_decay")),
    PrincipalComponents(dimensions=3),
    PrincipalComponents(dimensions=3, kernel="rbf", rows=50),
    Umap(dimensions=2, neighbours=3, rows=50),
    HyperRep(tetris_mlp(), latent=4, width=8, depth=1, steps=2, validations=1),
    Probing(some_images((1, 4, 4), 4, train=20, test=1).train_x, probes=5),
    Averaged(RawWeights(), copies=3),
    Canonical(LayerStatistics()),
    SaneReader(Sane(token=8, window=4, latent=3, width=8, depth=1, steps=0).fit(walks(models=2))),
]

every = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)


@pytest.fixture
def samples(tiny_zoo) -> Samples:
    samples = tiny_zoo.samples()
    samples.table["weight_decay"] = samples.table["model"] % 3 * 1e-3
    return samples


def of_another_network(samples: Samples) -> Samples:
    return Samples(digits_cnn().initialise(range(len(samples)), "kaiming_uniform"), samples.table, digits_cnn())


def settings(estimator: Representation) -> dict:
    """Parameters as values that can be compared."""
    kinds = dict.fromkeys((PooledRows, RawWeights, LayerStatistics, Sane), repr)
    plain = {torch.Tensor: lambda value: value.tolist()} | kinds
    return {name: plain.get(type(value), lambda same: same)(value) for name, value in estimator.get_params().items()}


@every
def test_contract_of_a_representation(estimator, samples):
    groups = samples.table["model"].to_numpy()
    before = (samples.weights.clone(), samples.table.copy(), copy.deepcopy(settings(estimator)))
    fitted = clone(estimator)
    assert fitted.fit(samples, groups=groups) is fitted
    latents = fitted.embed(samples)

    assert latents.dtype == np.float32 and latents.ndim == 2 and len(latents) == len(samples)
    assert np.isfinite(latents).all()
    np.testing.assert_array_equal(fitted.transform(samples), latents)
    np.testing.assert_array_equal(fitted.embed(samples), latents)
    assert len(set(fitted.get_feature_names_out())) == latents.shape[1]
    assert fitted.embed(samples.take(slice(0, 0))).shape == (0, latents.shape[1])

    latents[:] = 0  # the caller's own copy
    assert torch.equal(samples.weights, before[0])
    pd.testing.assert_frame_equal(samples.table, before[1])
    assert settings(fitted) == before[2]


@every
def test_embedding_does_not_depend_on_neighbours(estimator, samples):
    fitted = clone(estimator).fit(samples)
    latents = fitted.embed(samples)
    order = np.random.default_rng(0).permutation(len(samples))

    assert np.ptp(latents, axis=0).any()  # rows differ, so a mixed-up order would show
    np.testing.assert_allclose(fitted.embed(samples.take(order)), latents[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.embed(samples.take([7])), latents[[7]], rtol=1e-5, atol=1e-6)


@every
def test_fitting_again_forgets_the_first_fit_and_gives_the_same(estimator, samples):
    once = clone(estimator).fit(samples)
    twice = clone(estimator).fit(samples.take(slice(0, 9))).fit(samples)

    np.testing.assert_array_equal(once.embed(samples), twice.embed(samples))


@every
def test_parameters_are_kept_as_given_and_a_clone_is_not_fitted(estimator, samples):
    fitted = clone(estimator).fit(samples)
    copied = clone(fitted)

    assert settings(copied) == settings(fitted) == settings(estimator)
    assert settings(type(copied)(**copied.get_params(deep=False))) == settings(copied)
    assert settings(clone(copied).set_params(**copied.get_params())) == settings(copied)
    for use in (copied.embed, copied.transform, lambda _: copied.get_feature_names_out()):
        with pytest.raises(NotFittedError):
            use(samples)


@every
def test_samples_of_another_network_are_refused(estimator, samples):
    with pytest.raises(ValueError, match="fitted on tetris_mlp with 100 weights.*digits_cnn with 988; fit it again"):
        clone(estimator).fit(samples).embed(of_another_network(samples))


@every
def test_what_is_no_sample_is_refused(estimator, samples, tiny_zoo, no_shape_checks):
    broken = Samples(samples.weights.clone(), samples.table, samples.architecture)
    broken.weights[3, 5] = torch.nan

    for fit_or_embed in (clone(estimator).fit, clone(estimator).fit(samples).embed):
        with pytest.raises(TypeError, match=r"works on Samples, not on Zoo; a zoo gives them with `zoo.samples\(\)`"):
            fit_or_embed(tiny_zoo)
        with pytest.raises(ValueError, match="Sample 3 has weights that are not finite"):
            fit_or_embed(broken)
    with pytest.raises(ValueError, match="no samples to fit"):
        clone(estimator).fit(samples.take([]))
    with pytest.raises(ValueError, match="groups has 3 entries"):
        clone(estimator).fit(samples, groups=[0, 0, 1])


@every
def test_representation_stands_in_a_scikit_learn_pipeline(estimator, samples):
    accuracy, model = samples.table["test_accuracy"].to_numpy(), samples.table["model"].to_numpy()
    pipeline = Pipeline([("rep", clone(estimator)), ("ridge", Ridge())])

    predictions = pipeline.fit(samples, accuracy, rep__groups=model).predict(samples)
    by_hand = clone(estimator).fit(samples, groups=model).embed(samples)
    scores = cross_val_score(pipeline, samples, accuracy, groups=model, cv=GroupKFold(3), error_score="raise")

    assert np.isfinite(scores).all()
    np.testing.assert_allclose(predictions, Ridge().fit(by_hand, accuracy).predict(by_hand), rtol=1e-5)
    named = clone(estimator).set_output(transform="pandas").fit_transform(samples)
    assert list(named.columns) == list(clone(estimator).fit(samples).get_feature_names_out())


def test_the_list_of_estimators_is_complete():
    def below(kind: type) -> set[type]:
        return {kind} | {name for child in kind.__subclasses__() for name in below(child)}

    library = {kind for kind in below(Representation) - {Representation} if kind.__module__.startswith("hyperlib.")}

    assert library == {type(estimator) for estimator in ESTIMATORS}


# -- what each baseline sees -----------------------------------------------------------------------------------


def test_raw_weights_are_the_weights(samples):
    raw = RawWeights().fit(samples)

    np.testing.assert_array_equal(raw.embed(samples), samples.weights.numpy())
    assert list(raw.get_feature_names_out()[[0, 79, 80, 99]]) == [
        *("fc1.weight.0", "fc1.weight.79"),
        *("fc2.weight.0", "fc2.weight.19"),
    ]


def test_layer_statistics_are_those_of_the_layout(samples):
    found = LayerStatistics().fit_transform(samples)

    np.testing.assert_array_equal(found, layer_statistics(samples.weights, tetris_mlp().layout).numpy())


def test_quintiles_are_another_reading_of_layer_statistics_which_products_can_follow(samples):
    layout = tetris_mlp().layout
    borders = LayerStatistics(reading="quintiles").fit(samples)

    np.testing.assert_array_equal(
        borders.embed(samples), layer_statistics(samples.weights, layout, reading="quintiles").numpy()
    )
    assert borders.get_feature_names_out()[:2].tolist() == ["fc1.weight.percentile_0", "fc1.weight.percentile_20"]
    assert LayerStatistics(products=True, reading="quintiles").fit_transform(samples).shape[1] == 12 + 12 * 13 // 2
    with pytest.raises(ValueError, match="no reading 'deciles'"):
        LayerStatistics(reading="deciles").fit(samples)


def test_products_of_statistics_are_all_pairs_of_standardised_ones(samples):
    train, other = samples.take(slice(0, 50)), samples.take(slice(50, 80))
    plain, squared = LayerStatistics().fit(train), LayerStatistics(products=True).fit(train)

    seen = plain.embed(train).astype(np.float64)
    scaled = (plain.embed(other) - seen.mean(0)) / seen.std(0)
    names, products = list(plain.get_feature_names_out()), {}
    for a, first in enumerate(names):
        for b, second in enumerate(names):
            if b >= a:
                products[f"{first}*{second}"] = scaled[:, a] * scaled[:, b]

    assert list(squared.get_feature_names_out()) == names + list(products)
    expected = np.column_stack([scaled, *products.values()])
    np.testing.assert_allclose(squared.embed(other), expected, rtol=1e-4, atol=1e-5)


def test_a_statistic_that_never_changed_in_fit_keeps_its_unit(samples):
    same = samples.weights.clone()
    same[:, 80:] = 0.1
    other = same.clone()
    other[:, 80:] = 0.6
    fitted = LayerStatistics(products=True).fit(Samples(same, samples.table, samples.architecture))

    mean, square = (
        list(fitted.get_feature_names_out()).index(name)
        for name in ("fc2.weight.mean", "fc2.weight.mean*fc2.weight.mean")
    )
    assert not fitted.embed(Samples(same, samples.table, samples.architecture))[:, [mean, square]].any()
    moved = fitted.embed(Samples(other, samples.table, samples.architecture))
    np.testing.assert_allclose(moved[:, mean], 0.5, rtol=1e-5)
    np.testing.assert_allclose(moved[:, square], 0.25, rtol=1e-5)


def with_factors(samples: Samples, **factors) -> Samples:
    rows = len(next(iter(factors.values())))
    table = samples.table.head(rows).reset_index(drop=True).assign(**factors)
    return Samples(samples.weights[:rows], table, samples.architecture)


def test_hyperparameters_are_encoded_by_kind(samples):
    given = with_factors(
        samples, dropout=[0.0, 0.2, 0.5], lr=[1.0, 0.1, 0.01], weight_decay=[0, 1e-3, 1e-1], init=["a", "b", "a"]
    )
    factors = Hyperparameters(columns=["dropout", "lr", "weight_decay", "init"]).fit(given)

    assert factors.get_feature_names_out().tolist() == [
        *("dropout", "log10(lr)", "log10(weight_decay)", "weight_decay=0", "init=a", "init=b"),
    ]
    np.testing.assert_allclose(
        factors.embed(given),
        [[0, 0, -3, 1, 1, 0], [0.2, -1, -3, 0, 0, 1], [0.5, -2, -1, 0, 1, 0]],
        atol=1e-6,
    )


def test_hyperparameters_of_another_zoo_are_encoded_as_in_fit(samples):
    factors = Hyperparameters(columns=["lr", "init"]).fit(with_factors(samples, lr=[1.0, 0.1], init=["a", "b"]))

    other = factors.embed(with_factors(samples, lr=[0.0, 10.0, 1.0], init=["c", "b", "b"]))

    np.testing.assert_allclose(other, [[-1, 0, 0], [1, 0, 1], [0, 0, 1]], atol=1e-6)


def test_hyperparameters_take_all_factors_of_a_design_and_no_measured_property(samples):
    names = " ".join(Hyperparameters().fit(samples).get_feature_names_out())

    assert "optimizer=adam" in names and "train_fraction" in names
    assert not any(word in names for word in ("accuracy", "loss", "gap", "epoch", "seed", "model"))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"lr": [0.1, np.nan]}, "'lr' is missing or infinite in row 1"),
        ({"lr": [0.1, np.inf]}, "'lr' is missing or infinite in row 1"),
        ({"lr": [0.1, -0.1]}, "lr holds -0.1, and negative values have no logarithm"),
        ({"init": ["a", None]}, "'init' is missing or infinite in row 1"),
    ],
)
def test_hyperparameters_without_a_meaning_are_refused(samples, factors, message):
    with pytest.raises(ValueError, match=message):
        Hyperparameters(columns=list(factors)).fit(with_factors(samples, **factors))


def test_hyperparameters_that_a_table_lacks_or_that_change_kind_are_refused(samples):
    with pytest.raises(ValueError, match="lacks the factor 'momentum'; it has model"):
        Hyperparameters(columns=["momentum"]).fit(samples)
    fitted = Hyperparameters(columns=["lr"]).fit(samples)
    with pytest.raises(ValueError, match="'lr' held numbers in fit and holds 'high' now"):
        fitted.embed(with_factors(samples, lr=["high", "low"]))


def test_pooled_rows_are_what_loops_over_units_give(samples):
    features = PooledRows().fit(samples).set_output(transform="pandas").transform(samples)
    weights = samples.architecture.layout.unflatten(samples.weights)
    for layer in ("fc1.weight", "fc2.weight"):
        rows = weights[layer].flatten(2).double().numpy()  # [samples, units, length]
        found = {"mean": rows.mean(2), "std": rows.std(2), "log rms": np.log(np.sqrt((rows**2).mean(2)))}
        for part, values in found.items():
            name = f"{layer} {part} of rows"
            assert features[f"mean of {name}"].to_numpy() == pytest.approx(values.mean(1), abs=1e-4)
            assert features[f"std of {name}"].to_numpy() == pytest.approx(values.std(1), abs=1e-4)
    assert features.shape[1] == 12


def test_pooled_rows_do_not_see_the_order_of_units(samples, generator):
    network = samples.architecture
    orders = random_permutations(network, len(samples), generator)
    moved = samples.weights.gather(-1, permutation_index(network, orders, models=len(samples)))
    fitted = PooledRows().fit(samples)
    np.testing.assert_allclose(
        fitted.embed(Samples(moved, samples.table, network)), fitted.embed(samples), rtol=1e-4, atol=1e-5
    )


def test_random_features_hang_on_their_seed_and_never_fall_below_zero(samples):
    one, same, other = (RandomFeatures(20, seed=seed).fit(samples).embed(samples) for seed in (0, 0, 1))
    assert (one == same).all() and not (one == other).all() and (one >= 0).all() and one.shape[1] == 20
    with pytest.raises(ValueError, match="dimension is a whole number from 1 on, not 0"):
        RandomFeatures(0).fit(samples)


def test_random_tokens_do_not_see_the_order_of_units_inside_of_a_layer(samples, generator):
    """The last layer's tokens are read by units of the layer before, in their order; a first layer's are only moved."""
    network = samples.architecture
    one, same, other = (RandomTokens(20, 8, seed=seed).fit(samples).embed(samples) for seed in (0, 0, 1))
    assert (one == same).all() and not (one == other).all() and (one >= 0).all() and one.shape[1] == 20
    fitted, slot = RandomTokens(20, 4).fit(samples), network.layout["fc1.weight"]
    moved = samples.weights.clone()
    moved[:, slot.start : slot.stop] = moved[:, slot.start : slot.stop].unflatten(1, slot.shape).flip(1).flatten(1)
    np.testing.assert_allclose(
        fitted.embed(Samples(moved, samples.table, network)), fitted.embed(samples), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match="dimension is a whole number from 1 on, not 0"):
        RandomTokens(0).fit(samples)


def test_a_linear_probe_on_the_clock_predicts_the_mean_of_every_epoch(samples):
    clock = Clock().fit(samples)
    accuracy = samples.table["test_accuracy"].to_numpy()
    predicted = Ridge(alpha=1e-8).fit(clock.transform(samples), accuracy).predict(clock.transform(samples))
    means = samples.table.groupby("epoch")["test_accuracy"].transform("mean")
    assert predicted == pytest.approx(means.to_numpy(), abs=1e-5)
