"""A hyper-representation is trained to the same bits whatever happens around it, and keeps scikit-learn's contract."""

from __future__ import annotations

import inspect
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from elsewhere import elsewhere, started
from long_training import (
    COMBINATIONS,
    digest,
    digest_with_threads,
    fit,
    learned,
    long_training,
    long_training_in_steps,
    small,
    walks,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from toys import network

from hyperlib.files import state as checkpoint_files
from hyperlib.representations.augment import Augment
from hyperlib.representations.batches import Population
from hyperlib.representations.blocks import NeuronTokens
from hyperlib.representations.cores import one_core
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.representations.losses import CONTRASTS, reconstruction
from hyperlib.representations.plan import Plan
from hyperlib.representations.training import HISTORY
from hyperlib.tasks.probing import run_probes
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.zoos.zoo import Samples, Zoo

CPU = torch.device("cpu")
every = pytest.mark.parametrize(("encoding", "readout"), COMBINATIONS)


def same(first: HyperRep, second: HyperRep) -> bool:
    ours, theirs = learned(first), learned(second)
    return (
        ours.keys() == theirs.keys()
        and all(torch.equal(value, theirs[name]) for name, value in ours.items())
        and first.history_.equals(second.history_)
        and digest(first) == digest(second)
    )


@pytest.fixture(scope="module")
def fitted() -> HyperRep:
    return fit(small())


@pytest.fixture(scope="module")
def parts(tiny_zoo: Zoo) -> tuple[Samples, ...]:
    return tuple(part.samples() for part in tiny_zoo.split((0.5, 0.2, 0.3)))


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


# -- scikit-learn's contract -------------------------------------------------------------------------------------------


def test_the_constructor_keeps_every_argument_as_it_was_given():
    names = [name for name in inspect.signature(HyperRep.__init__).parameters if name != "self"]
    given = {name: object() for name in names}

    rep = HyperRep(**given)

    assert set(rep.get_params(deep=False)) == set(names)
    assert all(getattr(rep, name) is given[name] for name in names)
    assert all(rep.get_params(deep=False)[name] is given[name] for name in names)


def test_a_clone_has_the_parameters_and_nothing_learned(fitted):
    samples, copied = walks(), clone(fitted)

    assert copied.get_params() == fitted.get_params()
    assert copied.set_params(latent=7, readout="summary").latent == 7 and fitted.latent == 3
    uses: list[Callable] = [copied.embed, copied.transform, copied.latents, copied.reconstruct]
    for use in (*uses, lambda _: copied.decode(np.zeros((1, 3))), lambda _: copied.get_feature_names_out()):
        with pytest.raises(NotFittedError):
            use(samples)
    with pytest.raises(NotFittedError):
        copied.save("nowhere")


def test_fitting_and_embedding_leave_samples_and_parameters_as_they_are():
    samples = walks()
    weights, table = samples.weights.clone(), samples.table.copy()
    rep = small()
    settings = dict(rep.get_params())

    assert fit(rep, samples) is rep
    latents = rep.embed(samples)
    latents[:] = 0  # the caller's own copy

    assert torch.equal(samples.weights, weights) and rep.get_params() == settings
    pd.testing.assert_frame_equal(samples.table, table)
    assert rep.embed(samples).any()


def test_fitting_again_forgets_the_first_fit(fitted):
    assert same(fitted, fit(fit(small(), walks("tetris_mlp", models=6, seed=9))))


def test_what_a_model_is_called_or_scores_has_no_part_in_it(fitted):
    samples = walks()

    assert same(fitted, small().fit(samples, y=np.arange(40.0), groups=[f"m{m:02}" for m in samples.table["model"]]))


def test_probes_read_it_in_a_pipeline(parts):
    train, val, test = parts
    pipeline = Pipeline([("rep", small(steps=2)), ("scale", StandardScaler())])

    found = run_probes({"alone": small(steps=2), "scaled": pipeline}, train, val, test, ["epoch"], bootstrap=10)

    alone = small(steps=2).fit(train).embed(test)
    assert found.table["dimensions"].tolist() == [alone.shape[1]] * 2
    assert found.table["value"].notna().all()


def test_a_grid_search_chooses_by_model(parts):
    train, groups = parts[0], parts[0].table["model"].to_numpy()
    pipeline = Pipeline([("rep", small(steps=1)), ("ridge", Ridge())])

    search = GridSearchCV(pipeline, {"rep__width": [4, 8]}, cv=GroupKFold(2), error_score="raise")
    search.fit(train, train.table["epoch"].to_numpy(), groups=groups)

    chosen = search.best_params_["rep__width"]
    assert search.best_estimator_["rep"].dimensions_ == 2 * chosen * 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_what_is_no_sample_of_this_network_is_refused(fitted, no_shape_checks):
    samples, other = walks(), walks("digits_cnn")
    broken = Samples(samples.weights.clone(), samples.table, samples.architecture)
    broken.weights[3, 5] = torch.nan

    for use in (small().fit, lambda samples: small().fit(walks(), validation=samples)):
        with pytest.raises(ValueError, match="of tetris_mlp with 100 weights, .* of digits_cnn with 988"):
            use(other)
    for use in (fitted.embed, fitted.latents, fitted.reconstruct):
        with pytest.raises(ValueError, match="fitted on tetris_mlp with 100 weights.*digits_cnn with 988"):
            use(other)
    for use in (small().fit, fitted.embed, fitted.latents, lambda samples: small().fit(walks(), validation=samples)):
        with pytest.raises(ValueError, match="Sample 3 has weights that are not finite"):
            use(broken)
        with pytest.raises(TypeError, match="works on Samples, not on Tensor"):
            use(samples.weights)
    with pytest.raises(ValueError, match="no samples to fit"):
        small().fit(samples.take([]))
    with pytest.raises(ValueError, match="groups has 3 entries"):
        small().fit(samples, groups=[0, 0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({"steps": value}, "^steps is a whole number from 0 on, not") for value in (-1, 1.0, None, True)),
        *(({"batch_size": value}, "^batch_size is a whole number from 1 on, not") for value in (0, 8.0)),
        *(({"validations": value}, "^validations is a whole number from 1 on, not") for value in (0, 2.5)),
        *(({"per_model": value}, "^per_model is a whole number from 1 on, or None, not") for value in (0, 2.0)),
        *(({"patience": value}, "^patience is a whole number from 1 on, or None, not") for value in (0, "2")),
        *(({"seed": value}, "^seed is a whole number of at most 64 bits, not") for value in (1.5, None, 2**64)),
        *(({"rate": value}, "^rate is above 0") for value in (0, -1, float("nan"), float("inf"))),
        *(({"weight_decay": value}, "weight_decay not below") for value in (-1, float("nan"), float("inf"))),
        *(({"temperature": value}, "^temperature is a number above 0, not") for value in (0, -1, float("nan"))),
        *(({"mix": value}, "^mix is the contrast's share of the loss, between 0 and 1") for value in (-0.1, 1.1)),
        ({"contrast": "simclr"}, "no contrast 'simclr'; choose from nt_xent, nt_xent_models, "),
        ({"batch_size": 1}, "A contrast needs a batch_size of 2 at least"),
        ({"precision": "half"}, "precision is 'auto', 'float32' or 'bfloat16', not 'half'"),
        *(
            ({"projection": value}, "^projection is .layers, hidden, outputs., three whole numbers from .0, 1, 1. on")
            for value in ((1, 2), (1, 2, 3, 4), (-1, 8, 4), (1, 0, 4), (1, 8, 0), (1, 8.0, 4), 3)
        ),
        ({"width": 9}, "2 heads share the width evenly; 9 is no multiple"),
        ({"encoding": "dense"}, "A dense auto-encoder has no tokens"),
        ({"positions": -1.0}, "positions is a standard deviation"),
        ({"patience": 3}, "patience needs validation samples to look at; give fit"),
        ({"device": "abacus"}, "no device 'abacus'; choose cpu or cuda"),
    ],
)
def test_settings_out_of_range_are_refused_before_any_step(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes).fit(walks(), progress=lambda done, total: pytest.fail("a step was made"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said():
    with pytest.raises(ValueError, match="finds no CUDA device here; leave out device"):
        small(device="cuda").fit(walks())


# -- what it gives -----------------------------------------------------------------------------------------------------


@every
def test_every_kind_trains_and_gives_what_it_says(encoding, readout):
    samples = walks("residual_net" if encoding == "neuron" else "tetris_mlp")
    rep = small(samples.architecture.name, encoding=encoding, readout=readout, steps=2, augment=Augment(noise=0.01))
    untrained = fit(clone(rep).set_params(steps=0), samples)
    fit(rep, samples)

    embedding, latents = rep.embed(samples), rep.latents(samples)
    assert embedding.shape == (40, rep.dimensions_) and latents.shape == (40, rep.latents_)
    assert embedding.dtype == latents.dtype == np.float32
    assert np.isfinite(embedding).all() and np.isfinite(latents).all()
    assert len(set(rep.get_feature_names_out())) == rep.dimensions_
    assert not np.array_equal(embedding, untrained.embed(samples))
    if readout != "pooled":
        np.testing.assert_array_equal(embedding, latents)
        assert rep.latents_ == rep.latent
    rebuilt = rep.reconstruct(samples)
    assert torch.equal(rep.decode(latents), rebuilt.weights) and torch.isfinite(rebuilt.weights).all()
    pd.testing.assert_frame_equal(rebuilt.table, samples.table)
    assert rep.history_["step"].tolist() == [1, 2] and np.isfinite(rep.history_.iloc[:, :4]).all(axis=None)


def test_names_of_a_pooled_embedding_say_layer_and_moment(fitted):
    names = fitted.get_feature_names_out().tolist()

    assert names == [f"{layer}.{moment}{n}" for layer in ("fc1", "fc2") for moment in ("mean", "std") for n in range(8)]
    samples = walks()
    tokens = fitted.network_.encoder(
        fitted.network_.tokens.embed(fitted.scale_.standardise(samples.weights)) + fitted.network_.places
    ).detach()
    column = names.index("fc2.mean3")
    np.testing.assert_allclose(fitted.embed(samples)[:, column], tokens[:, 5:9, 3].mean(1), rtol=1e-4, atol=1e-5)


def test_nothing_in_gives_nothing_out(fitted):
    none = walks().take([])

    assert fitted.embed(none).shape == (0, fitted.dimensions_)
    assert fitted.latents(none).shape == (0, fitted.latents_)
    assert fitted.decode(fitted.latents(none)).shape == fitted.reconstruct(none).weights.shape == (0, 100)


def test_latents_of_any_kind_of_array_are_decoded(fitted):
    latents = fitted.latents(walks())
    expected = fitted.decode(latents)
    latents.setflags(write=False)

    for given in (latents, torch.from_numpy(latents.copy()), latents.astype(np.float64), latents.tolist()):
        assert torch.equal(fitted.decode(given), expected)


def test_what_are_no_latents_is_refused(fitted):
    latents = fitted.latents(walks())
    message = rf"decodes finite latents \[samples, {fitted.latents_}\], not"
    broken = latents.copy()
    broken[1, 2] = np.nan

    for wrong in (
        latents[:, :-1],
        latents[0],
        latents[None],
        broken,
        np.where(latents == latents[0, 0], np.inf, latents),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.decode(wrong)


def test_layers_are_standardised_by_the_training_networks_and_weights_come_back_in_their_units():
    samples = walks()
    layer_of = Tokenizer(samples.architecture.layout).layer_of
    plain, scaled = (fit(small(normalise=normalise, steps=1), samples) for normalise in (False, True))

    assert plain.scale_ is None
    for layer in (0, 1):
        own = samples.weights[:, layer_of == layer]
        assert float(scaled.scale_.mean[layer]) == pytest.approx(float(own.mean()), abs=1e-6)
        assert float(scaled.scale_.deviation[layer]) == pytest.approx(float(own.std(correction=0)), rel=1e-5)
    with torch.no_grad():
        inside = scaled.network_.decode(torch.from_numpy(scaled.latents(samples)))
        expected = inside * scaled.scale_.deviation[layer_of] + scaled.scale_.mean[layer_of]
        torch.testing.assert_close(scaled.reconstruct(samples).weights, expected, rtol=1e-4, atol=1e-5)


def test_tokens_know_what_statistics_of_the_standardised_training_networks_are_like(fitted):
    expected = NeuronTokens(Tokenizer(network("tetris_mlp").layout), 8, statistics=True)
    expected.measure(fitted.scale_.standardise(walks().weights))

    assert expected.centre.any() and torch.equal(fitted.network_.tokens.centre, expected.centre)
    assert torch.equal(fitted.network_.tokens.spread, expected.spread)


def test_a_constant_shift_and_scale_of_a_layer_changes_no_embedding():
    samples = walks()
    other = Samples(samples.weights * 4 + 8, samples.table, samples.architecture)  # exact in binary, but for rounding

    found, moved = (fit(small(steps=0), part).embed(part) for part in (samples, other))

    np.testing.assert_allclose(found, moved, rtol=1e-3, atol=1e-3)
    assert np.abs(fit(small(steps=0, normalise=False), samples).embed(other) - found).max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_weights_of_another_precision_are_read_as_float32(dtype):
    samples = walks()
    given = Samples(samples.weights.half().to(dtype), samples.table, samples.architecture)
    plain = Samples(given.weights.float(), samples.table, samples.architecture)

    assert same(fit(small(), plain), fit(small(), given, validation=given.take([])))


def test_another_activation_is_the_same_kind_of_network(fitted):
    samples = walks()
    relu = Samples(samples.weights, samples.table, samples.architecture.with_activation("relu"))

    np.testing.assert_array_equal(fitted.embed(relu), fitted.embed(samples))
    assert fitted.reconstruct(relu).architecture.activation == "relu"


# -- a row and its neighbours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "encoding", "readout", "width"),
    [
        ("tetris_mlp", "neuron", "pooled", 18),
        ("tetris_mlp", "weight", "summary", 18),
        ("digits_cnn", "neuron", "summary", 8),
        ("digits_cnn", "dense", "latent", 8),
        ("residual_net", "neuron", "latent", 8),
    ],
)
def test_embedding_does_not_depend_on_neighbours(name, encoding, readout, width, precision):
    samples = walks(name, models=50, epochs=3)  # more than one batch
    settings = {"encoding": encoding, "readout": readout, "width": width, "heads": 1 if width == 8 else 3}
    rep = fit(small(name, steps=0, precision=precision, **settings), samples)
    order = np.random.default_rng(0).permutation(len(samples))

    for give in (rep.embed, rep.latents, lambda part: rep.reconstruct(part).weights.numpy()):
        found = give(samples)
        assert np.ptp(found, axis=0).any()  # rows differ, so a mixed-up order would show
        np.testing.assert_array_equal(give(samples.take(order)), found[order])
        for row in (0, 7, 127, 128, 149):
            np.testing.assert_array_equal(give(samples.take([row])), found[[row]])


def test_a_disturbed_neighbour_leaves_a_row_alone(fitted):
    samples = walks()
    other = Samples(samples.weights.clone(), samples.table, samples.architecture)
    other.weights[1:] *= 1e6

    np.testing.assert_array_equal(fitted.embed(other)[0], fitted.embed(samples)[0])


# -- the same bits -----------------------------------------------------------------------------------------------------


def test_a_seed_means_the_same_training_and_another_seed_another(fitted):
    assert same(fitted, fit(small()))
    assert not same(fitted, fit(small(seed=1)))


def test_the_global_generator_neither_matters_nor_moves(fitted):
    torch.manual_seed(99)
    np.random.seed(99)
    before = torch.get_rng_state()

    rep = fit(small(dropout=0.1, augment=Augment(noise=0.1)))
    rep.reconstruct(walks())

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert same(rep, fit(small(dropout=0.1, augment=Augment(noise=0.1))))
    assert not same(rep, fitted)


def test_another_process_with_more_threads_trains_to_the_same_bits(fitted):
    assert elsewhere(digest_with_threads, 2) == digest(fitted)


def test_the_number_of_threads_changes_nothing_and_stays(two_threads):
    many = walks(models=250, epochs=40)  # as many as PyTorch shares among threads
    heard = []

    rep = fit(small(steps=2), many, progress=lambda done, total: heard.append(torch.get_num_threads()))
    assert torch.get_num_threads() == 2 and set(heard) == {1}
    rep.reconstruct(many)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert same(rep, fit(small(steps=2), many))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_two_trainings_side_by_side_are_as_each_alone(precision, two_threads):
    """In bfloat16 PyTorch's casts of weights would be shared by threads, if its cache were on."""
    first, second = small(precision=precision), small(seed=1, dropout=0.1, precision=precision)
    fitted, other, found, start = fit(clone(first)), fit(clone(second)), {}, threading.Barrier(2)
    before = torch.get_rng_state()

    def train(name: str, rep: HyperRep) -> None:
        start.wait()
        found[name] = fit(rep), torch.get_num_threads()

    threads = [
        threading.Thread(target=train, args=arguments)
        for arguments in (("first", first), ("second", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert same(found["first"][0], fitted) and same(found["second"][0], other)
    assert found["first"][1] == found["second"][1] == torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_that_leave_one_after_the_other_find_their_cores_again(two_threads):
    """The first one in leaves first, while the second goes on with one."""
    inside, left, found = threading.Event(), threading.Event(), {}

    def second() -> None:
        with one_core(CPU):
            inside.set()
            left.wait(10)
            torch.ones(3).sum()
            found["second inside"] = torch.get_num_threads()
        found["second"] = torch.get_num_threads()

    def new() -> None:
        found["new"] = torch.get_num_threads()

    thread = threading.Thread(target=second)
    with one_core(CPU):
        thread.start()
        inside.wait(10)
    found["first"] = torch.get_num_threads()
    left.set()
    thread.join()
    thread = threading.Thread(target=new)
    thread.start()
    thread.join()

    assert found == {"first": 2, "second inside": 1, "second": 2, "new": 2}


def test_embedding_inside_a_training_leaves_it_on_one_core(fitted, two_threads):
    heard = []

    def listen(done: int, total: int) -> None:
        fitted.embed(walks())
        heard.append(torch.get_num_threads())

    assert same(fit(small(), progress=listen), fitted)
    assert set(heard) == {1} and torch.get_num_threads() == 2


def test_one_core_stays_one_whatever_is_set_below_it(two_threads):
    with one_core(CPU):
        with one_core(CPU):
            torch.set_num_threads(2)  # as Numba does
        assert torch.get_num_threads() == 1
        torch.set_num_threads(3)
    assert torch.get_num_threads() == 2


def test_a_device_that_is_no_cpu_keeps_its_cores(two_threads):
    with one_core(torch.device("meta")):
        assert torch.get_num_threads() == 2


def test_a_failed_call_leaves_threads_and_precision_as_they_were(two_threads, monkeypatch):
    rep = fit(small(precision="bfloat16", steps=0))
    monkeypatch.setattr(rep.network_, "encode", lambda rows: 1 / 0)

    with pytest.raises(ZeroDivisionError) as kept:  # as a notebook keeps the last error
        rep.embed(walks())
    assert kept.tb is not None
    assert torch.get_num_threads() == 2 and not torch.is_autocast_enabled("cpu")


# -- stop and resume ---------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """Stands for whatever ends a training."""


def stopping(step: int) -> Callable[[int, int], None]:
    def listen(done: int, total: int) -> None:
        if done == step:
            raise Stopped

    return listen


@pytest.fixture
def always_saving(monkeypatch) -> None:
    monkeypatch.setattr(checkpoint_files, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_files, "SHARE", 0)


def steps_of(rep: HyperRep, **arguments) -> list[int]:
    """The steps that a call makes."""
    heard = []
    fit(rep, progress=lambda done, total: heard.append(done), **arguments)
    return heard[:-1]  # the last one only says that all is done


STATES = {
    "plain": {},
    "one view of several epochs": {"mix": 0.0, "dropout": 0.2},
    "contrast alone": {"mix": 1.0, "augment": Augment(noise=0.1)},
    "halves": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("changes", STATES.values(), ids=STATES)
@pytest.mark.parametrize("step", [1, 2, 4, 6])
@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bits(changes, step, always_saving, tmp_path):
    whole = fit(small(**changes), validation=walks(seed=1))
    with pytest.raises(Stopped):
        fit(small(**changes), validation=walks(seed=1), checkpoint=tmp_path, progress=stopping(step))

    resumed = small(**changes)
    made = steps_of(resumed, validation=walks(seed=1), checkpoint=tmp_path)

    assert same(resumed, whole)
    assert made == list(range(step, 7))  # what was not yet saved is done again
    again = small(**changes)
    assert steps_of(again, validation=walks(seed=1), checkpoint=tmp_path) == [] and same(again, whole)


@pytest.mark.parametrize("step", [3, 9, 14])
@pytest.mark.slow
def test_a_stopped_training_with_patience_goes_back_to_the_same_best(step, always_saving, tmp_path):
    settings = {"steps": 40, "validations": 40, "patience": 4, "rate": 0.05, "dropout": 0.1}
    whole = fit(small(**settings), validation=walks(seed=1))
    assert 14 < len(whole.history_) < 40  # it stops early, but not before the steps above
    with pytest.raises(Stopped):
        fit(small(**settings), validation=walks(seed=1), checkpoint=tmp_path, progress=stopping(step))

    resumed = small(**settings)
    made = steps_of(resumed, validation=walks(seed=1), checkpoint=tmp_path)

    assert same(resumed, whole) and made == list(range(step, len(whole.history_) + 1))
    again = small(**settings)
    assert steps_of(again, validation=walks(seed=1), checkpoint=tmp_path) == [] and same(again, whole)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a kill that cannot be caught")
@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_bits(tmp_path):
    killed = started(long_training_in_steps, tmp_path)
    deadline = time.monotonic() + 120
    while not (tmp_path / "training.safetensors").exists() and killed.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    killed.kill()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL, "the training ended before it could be killed"

    made = []
    resumed = long_training(tmp_path, progress=lambda done, total: made.append(done))

    assert made[0] > 1, "nothing was resumed"
    assert same(resumed, long_training())


OTHERS = {
    "seed": ({"seed": 1}, {}),
    "steps": ({"steps": 7}, {}),
    "rate": ({"rate": 1e-3}, {}),
    "augmentation": ({"augment": Augment(noise=0.1)}, {}),
    "precision": ({"precision": "bfloat16"}, {}),
    "weights": ({}, {"samples": walks(seed=5)}),
    "groups": ({}, {"samples": Samples(walks().weights, walks().table.assign(model=0), walks().architecture)}),
    "validation": ({}, {"validation": walks(seed=1)}),
    "architecture": ({"architecture": network("digits_cnn")}, {"samples": walks("digits_cnn")}),
}


@pytest.mark.parametrize(("changes", "arguments"), OTHERS.values(), ids=OTHERS)
def test_another_trainings_state_is_refused(changes, arguments, always_saving, tmp_path):
    fit(small(), checkpoint=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(ValueError, match="holds the state of another training job; name another folder"):
        fit(small().set_params(**changes), checkpoint=tmp_path, **arguments)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_state_of_another_precision_is_refused_where_auto_means_another(always_saving, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fit(small(precision="auto"), checkpoint=tmp_path)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)

    with pytest.raises(ValueError, match="another training job"):
        fit(small(precision="auto"), checkpoint=tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_a_damaged_state_is_trained_again_with_a_word(damage, fitted, always_saving, tmp_path, capsys):
    fit(small(), checkpoint=tmp_path)
    path = tmp_path / "training.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes({"empty": b"", "cut": content[:-40], "flipped": bytes(content), "text": b"no tensors"}[damage])

    rep = small()
    made = steps_of(rep, checkpoint=tmp_path)

    assert same(rep, fitted) and made == list(range(1, 7))
    assert f"{path} is damaged; its models are trained again" in capsys.readouterr().err


def test_two_processes_do_not_share_a_state(tmp_path):
    with (
        checkpoint_files.job_folder(tmp_path),
        pytest.raises(ValueError, match=f"Another process is training in {tmp_path}; wait"),
    ):
        fit(small(), checkpoint=tmp_path)


# -- what stands in the history ----------------------------------------------------------------------------------------


def test_looking_at_validation_models_changes_no_weight(fitted):
    watched = fit(small(), validation=walks(seed=1))

    assert all(torch.equal(value, learned(watched)[name]) for name, value in learned(fitted).items())
    trained = ["step", "loss", "contrast", "reconstruction"]
    validated = [f"val_{name}" for name in trained[1:]]
    assert watched.history_[trained].equals(fitted.history_[trained])
    assert watched.history_[validated].notna().all(axis=None) and fitted.history_[validated].isna().all(axis=None)


@pytest.mark.parametrize(("steps", "validations", "rows"), [(6, 3, [2, 4, 6]), (7, 3, [3, 6, 7]), (2, 9, [1, 2])])
def test_the_history_has_a_row_per_validation_and_the_last_step(steps, validations, rows):
    history = fit(small(steps=steps, validations=validations)).history_

    assert list(history) == list(HISTORY) and history["step"].tolist() == rows


def test_every_step_draws_its_own_checkpoints_and_views():
    still = {"rate": 1e-12, "weight_decay": 0.0, "mix": 0.0, "validations": 6}
    plain, alone = Augment(permute=False), walks().take([0])

    of_batches = fit(small(**still, augment=plain)).history_["loss"]
    of_views = fit(small(**still), alone).history_["loss"]  # of one network

    for losses in (of_batches, of_views):
        assert np.ptp(losses) > 1e-4 and losses.nunique() == 6
    assert np.ptp(fit(small(**still, augment=plain), alone).history_["loss"]) < 1e-5  # nothing else differs


def test_a_row_of_history_is_the_mean_of_the_steps_since_the_last():
    each, pairs = (fit(small(steps=6, validations=number)).history_ for number in (6, 3))

    for name in ("loss", "contrast", "reconstruction"):
        expected = each[name].to_numpy().reshape(3, 2).mean(1)
        np.testing.assert_allclose(pairs[name], expected, rtol=1e-12)
    mixed = 0.3 * each["contrast"] + 0.7 * each["reconstruction"]
    np.testing.assert_allclose(each["loss"], mixed, rtol=1e-5)


def test_other_epochs_are_positives_of_validation_models_too():
    still = {"rate": 1e-12, "weight_decay": 0.0, "mix": 1.0, "batch_size": 40, "per_model": 4}
    names = ("nt_xent", "nt_xent_models")
    rows = [fit(small(contrast=name, **still), validation=walks()).history_.iloc[-1] for name in names]

    assert rows[1]["val_contrast"] > rows[0]["val_contrast"] + 0.5
    assert rows[1]["val_contrast"] == pytest.approx(rows[1]["contrast"], rel=0.2)


def test_validation_models_are_seen_in_the_same_views_every_time():
    still = {"rate": 1e-12, "weight_decay": 0.0, "augment": Augment(noise=0.3), "dropout": 0.3}
    history = fit(small(validations=6, mix=0.0, **still), validation=walks(seed=1)).history_

    assert np.ptp(history["val_loss"]) < 1e-5 < np.ptp(history["loss"])


def test_the_validation_loss_is_the_error_of_the_standardised_weights():
    val = walks(seed=1)
    rep = fit(small(mix=0.0, augment=Augment(permute=False)), validation=val)

    rebuilt = rep.scale_.standardise(rep.reconstruct(val).weights)
    expected = float(reconstruction(rebuilt, rep.scale_.standardise(val.weights)))
    assert rep.history_["val_reconstruction"].iloc[-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("mix", "absent"), [(0.0, "contrast"), (1.0, "reconstruction")])
def test_a_part_without_weight_is_not_computed(mix, absent):
    history = fit(small(mix=mix), validation=walks(seed=1)).history_

    missing = {absent, f"val_{absent}", "behaviour", "val_behaviour"}
    assert {name for name in history if history[name].isna().any()} == missing
    assert history[list(missing)].isna().all(axis=None)


def test_patience_goes_back_to_the_best_and_stops_so_many_rows_later():
    rep, kept = small(steps=40, validations=40, patience=3, rate=0.1), {}

    def listen(done: int, total: int) -> None:
        kept.setdefault(done, learned(rep))

    fit(rep, validation=walks(seed=1), progress=listen)

    losses = rep.history_["val_loss"].tolist()
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 40
    assert all(torch.equal(value, kept[best + 1][name]) for name, value in learned(rep).items())
    assert any(not torch.equal(value, kept[best + 4][name]) for name, value in learned(rep).items())


def test_an_untrained_encoder_has_its_random_start_and_an_empty_history(fitted):
    untrained = fit(small(steps=0), validation=walks(seed=1))

    assert len(untrained.history_) == 0 and list(untrained.history_) == list(HISTORY)
    assert untrained.history_.dtypes.equals(fitted.history_.dtypes)
    fresh = small()
    fresh.build(None)
    names = [name for name in learned(fresh) if "centre" not in name and "spread" not in name]
    assert all(torch.equal(learned(fresh)[name], learned(untrained)[name]) for name in names)
    assert any(not torch.equal(learned(fitted)[name], learned(untrained)[name]) for name in names)
    assert same(untrained, fit(small(steps=0), validation=walks(seed=1)))
    assert np.isfinite(untrained.embed(walks())).all()


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_training_lowers_the_loss(contrast, parts):
    train, val, _ = parts
    rep = small(steps=60, contrast=contrast, rate=5e-3, mix=0.5, validations=6)
    history = fit(rep, train, validation=val).history_

    for name in ("loss", "val_reconstruction"):
        assert history[name].iloc[-1] < 0.9 * history[name].iloc[0]


def test_a_listener_hears_every_step_and_the_end_and_a_reader_sees_a_bar(capsys):
    heard = []
    fit(small(), progress=lambda done, total: heard.append((done, total)))
    assert heard == [*((step, 6) for step in range(1, 7)), (6, 6)]
    assert capsys.readouterr().err == ""

    fit(small(), progress=True)
    assert "6/6" in (said := capsys.readouterr().err) and ", loss=" in said and "nan" not in said and "val_" not in said
    fit(small(validations=2), validation=walks(models=4, seed=1), progress=True)
    assert "val_loss=" in capsys.readouterr().err


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_zero_along_a_cosine():
    plan = Plan(100, 8, 4, 0.5, 0.0, 0.3, "nt_xent", 0.1, 10, None, 0)
    rates = [plan.rate_at(step) for step in range(100)]

    assert rates[:10] == pytest.approx([0.05 * step for step in range(1, 11)])
    assert rates[10] == pytest.approx(0.5) and rates[55] == pytest.approx(0.25) and 0 < rates[99] < 1e-3
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))


# -- batches -----------------------------------------------------------------------------------------------------------


def population(*counts: int) -> tuple[Population, np.ndarray]:
    """Models with so many checkpoints each, shuffled, whose weights are the row's number; and the model of each row."""
    model = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = torch.full((len(counts), max(counts)), -1)
    for number in range(len(counts)):
        own = np.flatnonzero(model == number)
        rows[number, : len(own)] = torch.from_numpy(own)
    return Population(torch.arange(float(len(model)))[:, None], rows), model


def drawn(population: Population, size: int, per_model: int | None, generator: torch.Generator) -> np.ndarray:
    return population.batch(size, per_model, generator).numpy()


@pytest.mark.parametrize("per_model", [1, 2, 3, 5])
def test_a_batch_holds_so_many_checkpoints_of_each_of_its_models(per_model, generator):
    every, model = population(5, 5, 5, 5, 5, 5, 5, 5)
    seen = set()
    for _ in range(50):
        rows = drawn(every, 12, per_model, generator)
        assert len(set(rows)) == len(rows) == per_model * min(12 // per_model, 8)
        counts = np.unique(model[rows], return_counts=True)[1]
        assert set(counts) == {per_model}
        seen |= set(rows.tolist())
    assert len(seen) == 40


def test_a_model_with_fewer_checkpoints_gives_all_of_its_own(generator):
    ragged, model = population(1, 2, 6, 6)
    for _ in range(30):
        rows = drawn(ragged, 16, 4, generator)
        counts = dict(zip(*np.unique(model[rows], return_counts=True), strict=True))
        assert counts == {0: 1, 1: 2, 2: 4, 3: 4} and len(set(rows)) == 11


def test_a_batch_of_any_checkpoints_asks_for_no_model(generator):
    ragged, model = population(1, 2, 6, 6)
    together = [drawn(ragged, 4, None, generator) for _ in range(200)]

    assert all(len(set(rows)) == 4 for rows in together)
    assert {len(set(model[rows])) for rows in together} >= {1, 2, 3}
    assert len(drawn(ragged, 99, None, generator)) == 15


@pytest.mark.parametrize("per_model", [None, 1, 4, 99])
def test_without_groups_every_checkpoint_counts_as_a_model_and_batches_are_full(per_model, generator):
    alone, _ = population(*[1] * 30)

    assert len(set(drawn(alone, 12, per_model, generator))) == 12


@pytest.mark.parametrize(("counts", "size", "per_model"), [((1, 2, 6, 6), 8, 4), ((1, 1, 5), 4, 4), ((3, 3), 2, None)])
def test_no_batch_is_smaller_than_the_smallest(counts, size, per_model, generator):
    some, _ = population(*counts)
    sizes = [len(drawn(some, size, per_model, generator)) for _ in range(200)]

    assert min(sizes) == some.smallest_batch(size, per_model)


def test_a_batch_of_one_cannot_be_contrasted_and_is_refused_before_it_comes_up():
    samples = walks()
    groups = np.where(np.arange(40) == 0, -1, samples.table["model"])  # a model with one checkpoint

    with pytest.raises(ValueError, match="two checkpoints in every batch, and some batches would hold 1; .*per_model"):
        small(batch_size=4, per_model=4).fit(samples, groups=groups)
    with pytest.raises(ValueError, match="some batches would hold 1; fit more checkpoints"):
        small().fit(samples.take([0]))
    assert len(small(mix=0.0).fit(samples.take([0])).history_) == 3  # nothing is contrasted here
    assert len(small(steps=0).fit(samples.take([0])).history_) == 0


def test_groups_say_which_checkpoints_are_of_one_model():
    samples, seen = walks(), []
    place = {tuple(row.tolist()): number for number, row in enumerate(samples.weights)}

    class Watching(Augment):
        def views(self, architecture, weights, generator, **arguments):
            seen.append([place[tuple(row.tolist())] for row in weights])
            return super().views(architecture, weights, generator, **arguments)

    fit(small(normalise=False, augment=Watching()), samples)

    model = samples.table["model"].to_numpy()
    assert len(seen) == 6
    for rows in seen:
        assert len(set(rows)) == 16
        assert np.unique(model[rows], return_counts=True)[1].tolist() == [4, 4, 4, 4]


# -- precision and devices ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", ["pooled", "summary", "latent"])
def test_half_precision_embeds_close_to_full(readout):
    samples = walks("digits_cnn")
    full, half = (
        fit(small("digits_cnn", steps=0, readout=readout, precision=precision), samples)
        for precision in ("float32", "bfloat16")
    )

    for exact, rounded in ((full.embed(samples), half.embed(samples)), (full.latents(samples), half.latents(samples))):
        assert not np.array_equal(exact, rounded) and rounded.dtype == np.float32
        np.testing.assert_allclose(rounded, exact, atol=0.05 * np.abs(exact).max())


def test_half_precision_trains_close_to_full(fitted):
    half = fit(small(precision="bfloat16"))

    assert not same(half, fitted)
    np.testing.assert_allclose(half.history_["loss"], fitted.history_["loss"], rtol=0.05)
    assert all(value.dtype in (torch.float32, torch.int64) for value in learned(half).values())


def test_auto_is_half_precision_where_the_processor_has_it(monkeypatch):
    for able in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able)
        assert small(precision="auto").half is able
        assert small(precision="bfloat16").half and not small(precision="float32").half
    assert small(precision="auto", device="cuda").half


@pytest.mark.gpu
@every
def test_the_gpu_trains_and_embeds_as_the_cpu_does(encoding, readout, tmp_path, always_saving):
    samples, settings = walks(), {"encoding": encoding, "readout": readout}
    cpu, gpu = (fit(small(device=device, **settings), checkpoint=tmp_path / device) for device in ("cpu", "cuda"))

    np.testing.assert_allclose(gpu.history_.iloc[:, :4], cpu.history_.iloc[:, :4], rtol=1e-2)
    untrained = [fit(small(device=device, steps=0, **settings)) for device in ("cpu", "cuda")]
    for give in ("embed", "latents"):
        on_cpu, on_gpu = (getattr(rep, give)(samples) for rep in untrained)
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-3, atol=1e-3)
    assert steps_of(small(device="cuda", **settings), checkpoint=tmp_path / "cuda") == []
    loaded = HyperRep.load(gpu.save(tmp_path / "rep.safetensors"), device="cuda")
    np.testing.assert_array_equal(loaded.embed(samples), gpu.embed(samples))


def test_a_training_that_diverges_says_so():
    with pytest.raises(ValueError, match="diverged.*Lower rate"):
        fit(small(rate=1e38, mix=0.0, normalise=False, weight_decay=1e3))
