"""A representation that knows no architecture: many zoos, any length, the same numbers alone or among others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from long_training import walks
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

from hyperlib.files import state as checkpoint
from hyperlib.representations import window_views
from hyperlib.representations.augment import Augment
from hyperlib.representations.batches import Population, rows_by_group
from hyperlib.representations.controls import RandomFeatures
from hyperlib.representations.plan import plan_of
from hyperlib.representations.sane import Sane
from hyperlib.representations.sane_network import Mean
from hyperlib.representations.sane_reader import READS, SaneReader
from hyperlib.representations.window_views import WindowViews, joined, shares, windows_of
from hyperlib.representations.window_zoos import Preparation, WindowZoo
from hyperlib.tasks.generation import generate
from hyperlib.tasks.refinement import conditioned
from hyperlib.tasks.sampling import KDE
from hyperlib.thesis.book_sane import sane_recipe
from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.zoo import Samples

SMALL = {
    **{"token": 24, "window": 8, "latent": 3, "width": 16, "depth": 1, "steps": 6, "batch_size": 12, "validations": 3},
    **{"projection": (2, 8, 4), "precision": "float32"},
}
NAMES = ("tetris_mlp", "digits_cnn", "small_resnet_1ch")


def zoos(models: int = 4, seed: int = 0) -> dict[str, Samples]:
    return {name: walks(name, models=models, epochs=3, seed=seed) for name in NAMES}


def grouped(samples: dict[str, Samples]) -> dict[str, np.ndarray]:
    return {name: part.table["model"].to_numpy() for name, part in samples.items()}


def fitted(samples=None, **changes) -> Sane:
    samples = zoos() if samples is None else samples
    groups = grouped(samples) if isinstance(samples, dict) else samples.table["model"]
    return Sane(**SMALL | changes).fit(samples, groups=groups)


def weights_of(sane: Sane) -> dict[str, torch.Tensor]:
    parts = {"network": sane.network_, "head": sane.head_}
    return {f"{whose}.{name}": value for whose, part in parts.items() for name, value in part.state_dict().items()}


def same(first: Sane, second: Sane) -> bool:
    one, two = weights_of(first), weights_of(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def sane() -> Sane:
    return fitted()


# -- what it gives -----------------------------------------------------------------------------------------------------


def test_one_representation_embeds_all_of_its_zoos_and_networks_that_it_never_saw(sane):
    for name in (*NAMES, "wide_mlp"):
        samples = walks(name, models=2, epochs=2)
        tokens, means = sane.embed_tokens(samples), sane.embed(samples)

        assert tokens.shape == (4, len(sane.kept(samples.architecture)), 3) and means.shape == (4, 3)
        assert tokens.dtype == means.dtype == np.float32
        np.testing.assert_allclose(tokens.mean(1), means, atol=1e-5)
        back = sane.reconstruct(samples)
        assert back.weights.shape == samples.weights.shape and torch.isfinite(back.weights).all()


@pytest.mark.parametrize("halo", [0, 3])
def test_a_network_has_the_same_numbers_alone_and_among_others(halo):
    sane, samples = fitted(halo=halo), walks("digits_cnn", models=5, epochs=3)
    together = sane.embed_tokens(samples)

    for row in (0, 7, 14):
        np.testing.assert_array_equal(sane.embed_tokens(samples.take([row]))[0], together[row])
    np.testing.assert_array_equal(sane.embed_tokens(samples.take(slice(None, None, -1)))[::-1], together)


def test_statistics_of_norms_are_left_out_or_are_tokens():
    samples = walks("small_resnet_1ch", models=3)
    without, within = (fitted({"a": samples}, norms=norms) for norms in ("left_out", "tokens"))
    tokenizer = without.tokenizer(samples.architecture)

    assert len(without.kept(samples.architecture)) == int(tokenizer.learned.sum()) < tokenizer.shape[0]
    assert len(within.kept(samples.architecture)) == tokenizer.shape[0]
    running = ~samples.architecture.layout.learned
    rebuilt = without.reconstruct(samples).weights[:, running]
    assert torch.equal(rebuilt, rebuilt[:1].expand_as(rebuilt))  # the scale's means, the same for all


@pytest.mark.slow
def test_what_learns_enough_rebuilds_its_weights():
    samples = walks("tetris_mlp", models=12)
    sane = fitted({"a": samples}, steps=400, latent=24, width=32, mix=0.0, batch_size=24, rate=5e-3)
    rest = (sane.reconstruct(samples).weights - samples.weights).square().sum() / samples.weights.square().sum()

    assert rest < 0.05
    assert sane.history_["reconstruction"].iloc[-1] < 0.1 * sane.history_["reconstruction"].iloc[0]


def test_zoos_of_one_layout_need_to_be_told_apart():
    samples = {"a": walks(seed=0), "b": walks(seed=1)}
    sane = fitted(samples)

    with pytest.raises(ValueError, match="a, b have the same layout and a scale each; say scale="):
        sane.embed(samples["a"])
    given = sane.embed(samples["a"], scale=sane.scale(samples["a"]))
    np.testing.assert_array_equal(SaneReader(sane).fit(samples["a"]).embed(samples["a"]), given)


# -- how it learns -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    first, again, other = fitted(dropout=0.1), fitted(dropout=0.1), fitted(dropout=0.1, seed=1)

    assert same(first, again) and not same(first, other)
    assert first.history_.equals(again.history_)


def test_a_killed_training_goes_on_to_the_same_result(tmp_path, monkeypatch):
    settings = {"steps": 9, "dropout": 0.2, "patience": 50, "augment": Augment(fixed_views=1, noise=0.1)}
    samples, held = zoos(), zoos(2, seed=5)
    whole = Sane(**SMALL | settings).fit(samples, groups=grouped(samples), validation=held)

    class Killed(Exception):
        """As a kill would end it."""

    def kill(done: int, total: int) -> None:
        if done == 5:
            raise Killed

    monkeypatch.setattr(checkpoint.StateFile, "due", lambda self: True)
    known = {"groups": grouped(samples), "validation": held}
    with pytest.raises(Killed):
        Sane(**SMALL | settings).fit(samples, **known, checkpoint=tmp_path, progress=kill)
    resumed = Sane(**SMALL | settings).fit(samples, **known, checkpoint=tmp_path)

    assert same(whole, resumed) and whole.history_.equals(resumed.history_)
    with pytest.raises(ValueError, match="another"):
        Sane(**SMALL | settings | {"rate": 1e-3}).fit(samples, **known, checkpoint=tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"places": "tables", "tables": (900, 30, 80)},
        {"padding": "counted", "norms": "tokens", "spread": "total"},
        {"mix": 0.0},
        {"mix": 1.0},
        {"nonlinearity": "relu", "start": 0.02, "per_model": 2},
        {"precision": "bfloat16", "contrast": "nt_xent_models"},
        {"steps": 0},
    ],
)
def test_all_readings_train_and_are_kept(settings, tmp_path):
    sane = fitted(**settings)
    samples = walks("tetris_mlp", models=2)
    kept = Sane.load(sane.save(tmp_path / "sane"))

    assert same(sane, kept) and kept.get_params() == sane.get_params()
    assert len(sane.history_) == (0 if settings.get("steps") == 0 else 3)
    np.testing.assert_array_equal(kept.embed(samples), sane.embed(samples))
    assert torch.equal(kept.reconstruct(samples).weights, sane.reconstruct(samples).weights)


def test_padding_in_the_mean_makes_the_error_smaller_by_its_share():
    """Of a training without a step the losses differ by the share of cells that hold weights, and by nothing else."""
    samples = {"a": walks("digits_cnn")}
    out, within = (fitted(samples, padding=padding, steps=1, mix=0.0) for padding in ("left_out", "counted"))
    ratio = within.history_["reconstruction"][0] / out.history_["reconstruction"][0]

    mask = out.tokenizer(samples["a"].architecture).mask
    assert mask.float().mean(1).min() - 1e-6 <= ratio <= mask.float().mean(1).max() + 1e-6
    assert ratio < 0.999


def test_answers_can_be_learned_from():
    samples = {name: walks(name, models=3) for name in ("tetris_mlp", "digits_cnn")}
    for part in samples.values():
        part.table["activation"] = part.architecture.activation
    queries = {name: torch.rand(20, *part.architecture.image) for name, part in samples.items()}
    sane = Sane(**SMALL | {"behaviour": 1.0, "asked": (2, 5)}).fit(samples, groups=grouped(samples), queries=queries)

    assert sane.history_["behaviour"].notna().all() and (sane.history_["behaviour"] > 0).all()
    plain = Sane(**SMALL).fit(samples, groups=grouped(samples))
    assert not same(sane, plain)


def test_a_fit_that_fails_leaves_nothing_that_counts_as_fitted(tmp_path):
    samples = walks("tetris_mlp", models=3)
    sane = fitted({"a": samples})
    with pytest.raises(ValueError, match="groups has 1 entries"):
        sane.fit({"a": samples}, groups={"a": [1]})
    with pytest.raises(NotFittedError):
        sane.embed(samples)

    class Stopped(Exception):
        """As Ctrl-C would end it."""

    def stop(done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        sane.fit({"a": samples}, progress=stop)
    for use in (lambda: sane.embed(samples), lambda: sane.save(tmp_path / "it")):
        with pytest.raises(NotFittedError):
            use()


def test_another_training_does_not_go_on_from_a_checkpoint(tmp_path, monkeypatch):
    samples = walks("digits_cnn", models=3)
    samples.table["activation"] = "tanh"
    queries = [torch.rand(20, *samples.architecture.image, generator=torch.Generator().manual_seed(k)) for k in (0, 1)]
    settings = SMALL | {"behaviour": 1.0, "asked": (2, 5)}
    monkeypatch.setattr(checkpoint.StateFile, "due", lambda self: True)

    class Killed(Exception):
        """As a kill would end it."""

    def kill(done: int, total: int) -> None:
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        Sane(**settings).fit({"a": samples}, queries={"a": queries[0]}, checkpoint=tmp_path, progress=kill)
    moved = Samples(samples.weights.roll(1, 0), samples.table, samples.architecture)
    for zoo, asked in ({"a": samples}, queries[1]), ({"b": samples}, queries[0]), ({"a": moved}, queries[0]):
        with pytest.raises(ValueError, match="another"):
            Sane(**settings).fit(zoo, queries=dict.fromkeys(zoo, asked), checkpoint=tmp_path)
    Sane(**settings).fit({"a": samples}, queries={"a": queries[0]}, checkpoint=tmp_path)


# -- what a batch holds ------------------------------------------------------------------------------------------------


def window_zoo(sane: Sane, samples: Samples) -> WindowZoo:
    population = Population(samples.weights, rows_by_group(samples.table["model"], len(samples)))
    return WindowZoo("it", samples.architecture, population, sane.sequence(samples.architecture))


@pytest.mark.parametrize("name", ["tetris_mlp", "digits_cnn", "small_resnet_1ch"])
def test_a_window_holds_consecutive_tokens_of_the_view(sane, name):
    samples = walks(name, models=3)
    zoo, rows = window_zoo(sane, samples), torch.tensor([0, 5, 7, 11])
    found = windows_of(zoo, rows, 8, Augment(fixed_views=1), torch.Generator().manual_seed(0))

    network = samples.architecture
    tokens = sane.tokenizer(network).encode(samples.weights[rows])[:, sane.kept(network)]
    n, last = min(8, tokens.shape[1]), max(0, tokens.shape[1] - 8)
    for number, window in enumerate(found.inputs.chunk(2)[0]):  # the first view is as given
        starts = [s for s in range(last + 1) if torch.equal(tokens[number, s : s + n], window[:n])]
        assert starts, (name, number)
        assert not window[n:].any() and not found.mask[number, n:].any()
    assert torch.equal(found.inputs, found.targets)
    assert not found.inputs[~found.mask.repeat(2, 1, 1)].any()


def test_a_sequence_is_the_tokens_of_a_network_and_goes_back_to_it(sane):
    samples = walks("digits_cnn", models=2)
    network = samples.architecture
    orders = random_permutations(network, 1, torch.Generator().manual_seed(3))
    moved = samples.weights[:1].gather(1, permutation_index(network, orders, models=1))
    zoo = window_zoo(sane, Samples(samples.weights[:1], samples.table[:1], network))
    sequence = zoo.sequence

    tokens = sane.tokenizer(network).encode(moved)[:, sane.kept(network)]
    assert torch.equal(sequence.whole(moved)[:, : sequence.tokens], tokens)
    assert torch.equal(sequence.back(sequence.whole(moved), torch.zeros(network.layout.size)), moved)


def test_the_second_view_is_a_permuted_network_cut_at_the_same_place(sane):
    samples = walks("digits_cnn", models=3)
    zoo, rows, augment = window_zoo(sane, samples), torch.arange(6), Augment(fixed_views=1)
    found = windows_of(zoo, rows, 8, augment, torch.Generator().manual_seed(4))
    views = augment.views(zoo.architecture, samples.weights[rows], torch.Generator().manual_seed(4)).inputs
    assert not torch.equal(views[0], views[1])
    for view, windows in zip(views, found.inputs.chunk(2), strict=True):
        whole = zoo.sequence.whole(view)
        for number, window in enumerate(windows):
            start = int((found.places[number, 0] == zoo.sequence.places).all(1).nonzero()[0])
            assert torch.equal(whole[number, start : start + 8], window)


def test_views_made_some_at_a_time_are_those_of_their_rows(sane, monkeypatch):
    samples = walks("digits_cnn", models=4)
    zoo, rows = window_zoo(sane, samples), torch.arange(7)
    monkeypatch.setattr(window_views, "AT_ONCE", 2 * zoo.sequence.cells.numel() * 3)
    found = windows_of(zoo, rows, 8, Augment(fixed_views=2), torch.Generator().manual_seed(0))
    whole = zoo.sequence.whole(samples.weights)
    for views in found.inputs.chunk(2):
        for number, window in enumerate(views):
            start = int((found.places[number, 0] == zoo.sequence.places).all(1).nonzero()[0])
            assert torch.equal(whole[number, start : start + 8], window)


def test_a_batch_of_several_zoos_keeps_windows_with_their_places_and_masks(sane):
    parts = []
    for name in ("tetris_mlp", "digits_cnn", "small_resnet_1ch"):
        zoo = window_zoo(sane, walks(name, models=2))
        parts.append(windows_of(zoo, torch.arange(3), 8, Augment(fixed_views=1), torch.Generator().manual_seed(1)))
    batch = joined(parts)
    for number, part in enumerate(parts):
        own = slice(3 * number, 3 * number + 3)
        for name in ("places", "mask"):
            assert torch.equal(getattr(batch, name)[own], getattr(part, name))
        for name in ("inputs", "targets"):
            for view, of_part in zip(getattr(batch, name).chunk(2), getattr(part, name).chunk(2), strict=True):
                assert torch.equal(view[own], of_part)


def test_a_network_that_gives_back_what_it_reads_answers_as_it_did(sane):
    """So the loss of answers puts tokens back where they were, over all windows of a network."""
    samples = walks("digits_cnn", models=3)
    samples.table["activation"] = samples.architecture.activation
    queries = {"a": torch.rand(20, *samples.architecture.image)}
    same_again = Sane(**SMALL | {"token": 24, "latent": 24, "behaviour": 1.0, "asked": (4, 5), "steps": 0})
    same_again.fit({"a": samples}, queries=queries)
    preparation = Preparation(
        {"a": same_again.zoos_[0].scale}, same_again.sequence, plan_of(same_again, 1), torch.device("cpu")
    )
    (zoo,), _ = preparation.zoos({"a": samples}, {}, None, queries)
    network = same_again.network_
    network.encode = network.decode = lambda values, places, there=None: values
    views = WindowViews(
        network, same_again.head_, None, plan_of(same_again, 1), Augment(), [zoo], [],
        window=8, padding="left_out", device=torch.device("cpu"), half=False,
    )  # fmt: skip
    answers = views._answers(zoo, torch.arange(4), torch.Generator().manual_seed(0))
    assert abs(float(answers)) < 1e-5


def test_the_mean_of_a_window_does_not_count_what_fills_it_up(sane):
    latents = torch.rand(2, 8, 3)
    latents[1, 5:] = 0
    torch.testing.assert_close(Mean()(latents), torch.stack([latents[0].mean(0), latents[1, :5].mean(0)]))


@pytest.mark.parametrize(("batch", "of"), [(12, 3), (7, 3), (64, 9), (5, 2)])
def test_batches_are_shared_evenly_over_time(batch, of):
    all_shares = torch.tensor([shares(batch, of, step) for step in range(of)])

    assert (all_shares.sum(1) == batch).all()
    assert all_shares.max() - all_shares.min() <= 1
    assert (all_shares.sum(0) == batch).all()


# -- networks that it never saw ----------------------------------------------------------------------------------------


def test_a_traced_module_is_read_like_any_other_network(sane):
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 4))
    network = from_module(module.eval(), torch.rand(2, 1, 8, 8))
    table = pd.DataFrame({"model": range(5), "epoch": 0})
    samples = Samples(network.trial_weights(5).float(), table, network)

    assert sane.embed(samples).shape == (5, 3)
    rebuilt = sane.reconstruct(samples).weights
    assert rebuilt.shape == samples.weights.shape and torch.isfinite(rebuilt).all()
    within = fitted({"traced": samples}, norms="tokens", latent=24, steps=300, mix=0.0, batch_size=16, rate=5e-3)
    error = (within.reconstruct(samples).weights - samples.weights).square().sum()
    assert error < 0.2 * samples.weights.square().sum()


@pytest.mark.parametrize("name", ["wide_mlp", "small_resnet_1ch"])
def test_prompts_of_another_width_or_depth_make_networks_of_theirs(sane, name):
    prompts = walks(name, models=3, epochs=1)
    prompts.table["activation"] = prompts.architecture.activation
    reader = SaneReader(sane).fit(prompts)
    made = generate(reader, KDE("independent", 0.1, block=sane.latent), prompts, 4, torch.Generator().manual_seed(0))

    assert made.architecture.layout == prompts.architecture.layout and len(made) == 4
    network = prompts.architecture
    finished = conditioned(torch.rand(40, *network.image))(made)
    assert torch.isfinite(network.logits(finished.weights, torch.rand(2, *network.image))).all()


# -- as an estimator ---------------------------------------------------------------------------------------------------


def test_it_is_an_estimator_and_draws_nothing_from_the_global_generator():
    state = torch.get_rng_state()
    sane = fitted(dropout=0.1)
    copy = clone(sane)

    assert torch.equal(torch.get_rng_state(), state)
    assert copy.get_params() == sane.get_params() and not hasattr(copy, "zoos_")


def test_a_clone_of_a_reader_reads_with_the_same_sane(sane):
    samples = walks("digits_cnn", models=4)
    reader = SaneReader(sane, "mean").fit(samples)
    copy = clone(reader)
    with pytest.raises(NotFittedError):
        copy.embed(samples)
    np.testing.assert_array_equal(copy.fit(samples).embed(samples), reader.embed(samples))
    assert RandomFeatures(5, of=SaneReader(sane)).fit(samples).embed(samples).shape == (len(samples), 5)


def test_no_networks_are_read_and_written_as_none(sane):
    samples = walks("digits_cnn", models=2)
    none, network = samples.take([]), samples.architecture
    for read in READS:
        reader = SaneReader(sane, read).fit(samples)
        assert reader.embed(none).shape == (0, len(reader.get_feature_names_out()))
        assert reader.reconstruct(none).weights.shape == (0, network.layout.size)
    assert len(sane.reconstruct(none, scale=sane.scale(samples))) == 0


@pytest.mark.parametrize("read", READS)
def test_a_reader_names_what_it_gives(sane, read, tmp_path):
    samples = walks("digits_cnn", models=4)
    reader = SaneReader(sane, read).fit(samples)
    found = reader.embed(samples)

    assert found.shape == (len(samples), len(reader.get_feature_names_out()))
    assert len(set(reader.get_feature_names_out())) == found.shape[1]
    latents = reader.latents(samples)
    torch.testing.assert_close(reader.decode(latents), reader.reconstruct(samples).weights)
    np.testing.assert_array_equal(reader.embed(samples.take([2]))[0], found[2])


def test_the_spread_of_a_layer_is_that_of_its_tokens(sane):
    samples = walks("digits_cnn", models=2)
    reader, tokens = SaneReader(sane, "spread").fit(samples), None
    tokens = sane.embed_tokens(samples, scale=reader.scale_)
    layers = sane.tokenizer(samples.architecture).positions[sane.kept(samples.architecture), 1].numpy()

    for layer in np.unique(layers):
        own = tokens[:, layers == layer]
        np.testing.assert_allclose(reader.embed(samples)[:, layer], np.sqrt(own.var(1).mean(-1)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        *({name: 0} for name in ("token", "window", "latent", "width", "depth", "heads", "hidden", "batch_size")),
        *({name: "other"} for name in ("nonlinearity", "places", "norms", "spread", "padding", "contrast")),
        {"precision": "other"},
        *({"heads": 3}, {"halo": 4}, {"halo": -1}, {"tables": (1, 2)}, {"projection": (0, 1, 1)}, {"start": 0.0}),
        *({"mix": 2}, {"rate": 0}, {"dropout": 1.0}, {"seed": 0.5}, {"patience": 3}, {"batch_size": 5}),
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError):
        fitted(**settings)


def test_what_cannot_be_learned_from_is_refused(sane):
    samples, other = walks("tetris_mlp", models=3), walks("digits_cnn", models=3)
    broken = Samples(samples.weights.clone().fill_(torch.nan), samples.table, samples.architecture)

    with pytest.raises(TypeError, match="Several zoos are a dict, {name: samples}, not a list"):
        Sane(**SMALL).fit([samples, other])
    with pytest.raises(TypeError, match="Sane works on Samples, not on int"):
        Sane(**SMALL).fit(1)
    with pytest.raises(TypeError, match="in the zoo 'a', works on Samples"):
        Sane(**SMALL).fit({"a": samples.weights})
    with pytest.raises(ValueError, match="not finite"):
        Sane(**SMALL).fit(broken)
    with pytest.raises(ValueError, match="no samples"):
        Sane(**SMALL).fit({"a": samples.take([])})
    with pytest.raises(ValueError, match="groups are given by the name of each"):
        Sane(**SMALL).fit({"a": samples, "b": other}, groups=[1])
    with pytest.raises(ValueError, match="groups are of typo, and zoos are a, b"):
        Sane(**SMALL).fit({"a": samples, "b": other}, groups={"typo": [1]})
    with pytest.raises(ValueError, match="queries are of a, and zoos are a, b"):
        Sane(**SMALL).fit({"a": samples, "b": other}, queries={"a": samples.weights})
    with pytest.raises(TypeError, match="Zoos are called by words, not 0"):
        Sane(**SMALL).fit({0: samples, 1: other})
    with pytest.raises(ValueError, match="needs two checkpoints in every batch"):
        Sane(**SMALL).fit(samples.take([0]))
    with pytest.raises(ValueError, match="of zoos that are fitted; a has not"):
        Sane(**SMALL).fit({"a": samples}, validation={"a": other})
    with pytest.raises(ValueError, match="groups has 1 entries"):
        Sane(**SMALL).fit({"a": samples}, groups={"a": [1]})
    with pytest.raises(NotFittedError):
        Sane(**SMALL).embed(samples)
    with pytest.raises(NotFittedError):
        SaneReader(Sane(**SMALL)).fit(samples)
    with pytest.raises(ValueError, match="no read-out 'all'"):
        SaneReader(sane, "all").fit(samples)
    with pytest.raises(ValueError, match=r"are finite \[samples, 9, 3\], not \[2, 3\]"):
        sane.decode(np.zeros((2, 3)), samples.architecture, sane.scale(samples))


def test_tables_that_are_too_small_say_what_is_missing():
    with pytest.raises(ValueError, match=r"has \[\d+, \d+, \d+\] tokens, layers and units, and the tables"):
        fitted(places="tables", tables=(20, 3, 5))


def test_the_paper_sizes_make_the_published_number_of_weights():
    """202.5 million, of the released configuration for CNNs; nothing is computed."""
    with torch.device("meta"):
        sane = Sane(
            token=289, window=64, latent=128, width=1024, depth=8, heads=8, hidden=4096, places="tables",
            tables=(100, 10, 40), projection=(2, 30, 30), steps=0,
        )  # fmt: skip
        sane.build()
    count = sum(values.numel() for values in weights_of(sane).values())

    assert count == pytest.approx(202.5e6, rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn-released", "cnn-text"])
def test_the_published_sizes_take_a_step_and_are_kept(name, tmp_path):
    samples = walks("small_cnn_1ch", models=3)
    sane = sane_recipe(name, "paper").estimator(0).set_params(steps=1, validations=1, batch_size=4)
    sane.fit(samples, groups=samples.table["model"])
    loaded = Sane.load(sane.save(tmp_path / "sane"))

    assert same(sane, loaded) and np.isfinite(sane.history_["loss"]).all()
    few = samples.take([0])
    np.testing.assert_array_equal(sane.embed(few), loaded.embed(few))
