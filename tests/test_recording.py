"""Steps that are recorded once and played give what they give one by one; what cannot be recorded runs as it is."""

from __future__ import annotations

import gc
import logging
import weakref
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import tape
import torch
from long_training import COMBINATIONS, fit, learned, small, walks
from toys import network, some_images

from hyperlib import grid, magnitude_twins, train_population, variational_twins
from hyperlib.files import state as checkpoint_files
from hyperlib.representations.augment import Augment
from hyperlib.representations.plan import Plan
from hyperlib.weightspace import recording
from hyperlib.weightspace.recording import FORMS, WARM_UP, Recording, launch_by_launch
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.engines.variational import KAPPA, RATE, VariationalTorchTrainer

CPU = torch.device("cpu")


@pytest.fixture
def taped(monkeypatch):
    """Steps on the CPU are recorded too; gives the number of recordings made."""
    made = []

    def counted(*call):
        made.append(call)
        return tape.record(*call)

    monkeypatch.setitem(recording.RECORDERS, "cpu", counted)
    return made


def test_a_played_step_follows_its_inputs_and_what_it_keeps(taped):
    kept, steps = torch.zeros(3), Recording(CPU)

    def step(values, factor):
        kept.add_(values * factor)
        return kept * 2

    for number in range(6):
        given = steps.play(step, torch.full((3,), float(number)), torch.tensor(10.0))
        assert kept.tolist() == [10.0 * sum(range(number + 1))] * 3
        assert given.tolist() == (2 * kept).tolist()
    assert len(taped) == 1


@pytest.mark.usefixtures("rates_as_on_a_card")
def test_every_form_of_inputs_is_recorded_for_itself(taped):
    steps = Recording(CPU)
    for _ in range(WARM_UP + 2):
        for length in (2, 3):
            assert steps.play(lambda values: values.sum(), torch.ones(length)) == length
    assert len(taped) == 2


def test_what_python_counts_would_stand_still(taped):
    """The tape is as strict as a card: this is why steps take what varies as tensors."""
    steps, count = Recording(CPU), [0]

    def step(values):
        count[0] += 1
        return values + count[0]

    given = [float(steps.play(step, torch.zeros(()))) for _ in range(5)]
    assert given == [1, 2, 3, 3, 3]


@pytest.mark.parametrize(
    "asks", [lambda v: float(v.sum()), lambda v: v[v > 0], lambda v: v + torch.tensor(1.0), lambda v: bool(v.all())]
)
def test_what_cannot_be_recorded_runs_as_it_is_and_says_so_once(taped, asks, caplog):
    steps, values = Recording(CPU), torch.tensor([1.0, -1.0])
    with caplog.at_level(logging.WARNING):
        given = [steps.play(asks, values) for _ in range(WARM_UP + 3)]
    for each in given:
        np.testing.assert_array_equal(np.asarray(each), np.asarray(asks(values)))
    assert caplog.text.count("cannot be recorded") == 1 and len(taped) == 1


def test_a_recording_without_room_leaves_the_step_as_it_is(monkeypatch, caplog):
    """The step had room before, also where its recording comes after the first epoch of a training."""

    def without_room(step, held, generators):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setitem(recording.RECORDERS, "cpu", without_room)
    steps = Recording(CPU)
    with caplog.at_level(logging.WARNING):
        given = [float(steps.play(torch.sum, torch.ones(2))) for _ in range(WARM_UP + 3)]
    assert given == [2.0] * (WARM_UP + 3) and caplog.text.count("no room") == 1


def test_no_more_forms_are_recorded_than_memory_is_kept_for(taped):
    """Batches of models that have lost checkpoints differ in size from step to step."""
    steps = Recording(CPU)
    for _ in range(WARM_UP + 3):
        for length in range(1, 3 * FORMS):
            assert steps.play(torch.sum, torch.ones(length)) == length
    assert len(taped) == FORMS


def test_what_was_recorded_is_played_on_where_another_form_cannot_be(taped):
    steps = Recording(CPU)

    def step(values):
        return values.sum() if len(values) == 2 else torch.tensor(float(values.sum()))

    for _ in range(WARM_UP + 3):
        for length in (2, 3):
            assert steps.play(step, torch.ones(length)) == length
    assert len(taped) == 2 and len(steps._played) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_step_is_recorded_on_a_stream_of_its_card_which_is_left_again(fails, monkeypatch):
    """PyTorch's own side stream is of the first card alone, and a recording that fails does not leave it."""
    cards, streams = ["cuda:0"], [SimpleNamespace(card="cuda:0", wait_stream=lambda other: None)]

    @contextmanager
    def inside(stack, value):
        before = list(stack)
        stack.append(value)
        try:
            yield
        finally:
            stack[:] = before

    def recorded(step, held, generators):
        streams[-1:] = [streams[-1]] * 2  # entered, and never left
        if fails:
            raise RuntimeError("the recording ended")
        return step, streams[-1].card

    monkeypatch.setattr(torch.cuda, "device", lambda device: inside(cards, str(device)))
    monkeypatch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(card=cards[-1], wait_stream=lambda other: None))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: inside(streams, stream))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: streams[-1])
    monkeypatch.setitem(recording.RECORDERS, "cuda", recorded)
    steps = Recording(torch.device("cuda:1"))
    value = SimpleNamespace(to=lambda device, copy=False: None)
    steps._record((), lambda held: None, [value])
    assert fails or steps._played[()][2] == "cuda:1"
    assert cards == ["cuda:0"] and [stream.card for stream in streams] == ["cuda:0"]


def test_nothing_is_recorded_launch_by_launch(taped):
    steps = Recording(CPU)
    with launch_by_launch():
        for _ in range(WARM_UP + 2):
            steps.play(torch.sum, torch.ones(2))
        assert not taped
    for _ in range(WARM_UP + 1):
        steps.play(torch.sum, torch.ones(2))
    assert len(taped) == 1


# -- what is recorded ----------------------------------------------------------------------------------------------


def _grow(name, checkpoint=None, progress=False, epochs=3, **factors):
    net = network(name)
    images = some_images(net.image, net.num_classes, train=42, test=20)  # the last batch of an epoch is smaller
    design = grid(seeds=2, **factors)
    how = {"epochs": epochs, "batch_size": 8, "engine": "torch", "checkpoint": checkpoint, "progress": progress}
    return images, train_population(net, images, design, **how)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("name", ["digits_cnn", "residual_net"])
@pytest.mark.slow
def test_a_played_training_gives_the_same_bits(name, optimizer, taped):
    factors = {"optimizer": optimizer, "dropout": [0.0, 0.3], "weight_decay": 1e-3, "lr": 1e-3}
    _, played = _grow(name, **factors)
    assert taped
    with launch_by_launch():
        _, alone = _grow(name, **factors)
    assert torch.equal(played.weights, alone.weights) and played.table.equals(alone.table)


@pytest.mark.parametrize("kind", [TorchTrainer, VariationalTorchTrainer])
def test_a_trainer_gives_its_memory_back_without_the_garbage_collector(kind):
    """Else the recording of a block takes room from the next one."""
    net = network("digits_cnn")
    images = some_images(net.image, net.num_classes, train=42, test=20)
    design = grid(seeds=2).assign(**{RATE: 0.3, KAPPA: 0.1})
    block = Block(net, images, design, 8, 0, CPU)
    trainer = kind(block, block.initial_weights())
    trainer.train_epoch(1)
    gc.collect()  # what steps left behind
    gc.disable()
    try:
        alive = weakref.ref(trainer)
        del trainer
        assert alive() is None
    finally:
        gc.enable()


class Stopped(Exception):
    """What ends a training in the middle."""


def test_a_stopped_training_is_played_on(taped, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint_files, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_files, "SHARE", 0)

    def stop(done, total):
        if done >= total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        _grow("digits_cnn", tmp_path, stop, dropout=0.2)
    _, gone_on = _grow("digits_cnn", tmp_path, dropout=0.2)
    with launch_by_launch():
        _, alone = _grow("digits_cnn", dropout=0.2)
    assert torch.equal(gone_on.weights, alone.weights)


@pytest.mark.parametrize(
    "twins",
    [
        lambda zoo, images, how: magnitude_twins(zoo, images, 0.5, **how),
        lambda zoo, images, how: magnitude_twins(zoo, images, 0.7, over=2, **how),
        lambda zoo, images, how: variational_twins(zoo, images, rate=0.3, **how),
    ],
    ids=["magnitude", "gradual", "variational"],
)
def test_played_twins_are_the_same_bits(twins, taped):
    with launch_by_launch():
        images, zoo = _grow("digits_cnn")
        how = {"epochs": 3, "batch_size": 8, "engine": "torch", "progress": False}
        alone = twins(zoo, images, how)
    assert not taped
    played = twins(zoo, images, how)
    assert taped and torch.equal(played.weights, alone.weights)


REPRESENTATIONS = {
    "dropout and noise": {"dropout": 0.2, "augment": Augment(noise=0.1, erase=0.5)},
    "contrast alone": {"mix": 1.0, "contrast": "nt_xent_models"},
    "one form alone": {"mix": 0.0, "normalise": False},
    "answers": {"behaviour": 0.5, "asked": (6, 5)},
    "answers as released": {"behaviour": 9.0, "divergence": "squares", "asked": (6, 5)},
    "halves": {"precision": "bfloat16"},
}


def _learn(changes, checkpoint=None, progress=False, **form):
    how = {"steps": 12, "validations": 4, **form, **changes}
    samples, seen = (tanh(walks(seed=seed)) for seed in (0, 1))
    queries = some_images((1, 4, 4), 4, train=12, test=1).train_x if "behaviour" in changes else None
    rep = small(**how)
    fit(rep, samples, validation=seen, queries=queries, checkpoint=checkpoint, progress=progress)
    return rep, rep.embed(seen), rep.decode(rep.latents(seen))


def tanh(samples):
    samples.table["activation"] = "tanh"
    return samples


@pytest.mark.parametrize("changes", REPRESENTATIONS.values(), ids=list(REPRESENTATIONS))
@pytest.mark.usefixtures("rates_as_on_a_card")
@pytest.mark.slow
def test_a_played_representation_learns_the_same(changes, taped, monkeypatch):
    """Embeddings are of many batches, so that they are played too."""
    from hyperlib.representations import hyper_rep

    monkeypatch.setattr(hyper_rep, "ROWS", 6)
    played = _learn(changes)
    assert len(taped) >= 2 + ("behaviour" not in changes)
    with launch_by_launch():
        alone = _learn(changes)
    _assert_alike(played, alone)


@pytest.mark.parametrize(("encoding", "readout"), COMBINATIONS)
@pytest.mark.usefixtures("rates_as_on_a_card")
@pytest.mark.slow
def test_every_form_of_representation_is_recorded(encoding, readout, taped, caplog):
    played = _learn({}, encoding=encoding, readout=readout)
    assert taped and "cannot be recorded" not in caplog.text
    with launch_by_launch():
        alone = _learn({}, encoding=encoding, readout=readout)
    _assert_alike(played, alone)


def _assert_alike(played, alone):
    """To the bit, for Adam makes whole steps of the rounding where a weight has no gradient."""
    for name, value in learned(alone[0]).items():
        assert torch.equal(learned(played[0])[name], value), name
    assert played[0].history_.equals(alone[0].history_)
    for ours, theirs in zip(played[1:], alone[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def rates_as_on_a_card(monkeypatch):
    """A card keeps the rate in float32; so do these trainings, played or not."""
    rate_at = Plan.rate_at
    monkeypatch.setattr(Plan, "rate_at", lambda plan, step: float(np.float32(rate_at(plan, step))))


@pytest.mark.usefixtures("rates_as_on_a_card")
def test_a_stopped_representation_is_played_on(taped, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint_files, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_files, "SHARE", 0)

    def stop(done, total):
        if done >= 7:
            raise Stopped

    changes = REPRESENTATIONS["dropout and noise"]
    with pytest.raises(Stopped):
        _learn(changes, tmp_path, stop)
    gone_on = _learn(changes, tmp_path)
    _assert_alike(gone_on, _learn(changes))


# -- on a card -----------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["digits_cnn", "residual_net"])
def test_a_card_records_a_training_and_gives_what_it_gives_launch_by_launch(name, caplog):
    net = network(name)
    images = some_images(net.image, net.num_classes, train=42, test=20)
    design = grid(seeds=2, optimizer="adam", dropout=[0.0, 0.2], lr=1e-3)
    how = {"epochs": 3, "batch_size": 8, "engine": "torch", "device": "cuda", "progress": False}
    with caplog.at_level(logging.WARNING):
        played = train_population(net, images, design, **how)
    assert "cannot be recorded" not in caplog.text
    with launch_by_launch():
        alone = train_population(net, images, design, **how)
    assert float((played.weights - alone.weights).abs().median()) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("changes", REPRESENTATIONS.values(), ids=list(REPRESENTATIONS))
def test_a_card_records_a_representation_and_learns_the_same(changes, caplog):
    with caplog.at_level(logging.WARNING):
        played = _learn(changes | {"device": "cuda"})
    assert "cannot be recorded" not in caplog.text
    with launch_by_launch():
        alone = _learn(changes | {"device": "cuda"})
    np.testing.assert_allclose(played[0].history_, alone[0].history_, rtol=2e-2, atol=1e-3)
