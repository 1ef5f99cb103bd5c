"""A population trains as each of its models would alone, whatever is beside it and whatever goes wrong."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from elsewhere import started
from plain_training import train_alone
from safetensors.torch import load_file, save_file
from toys import TOYS, network, some_images

from hyperlib.files import state as checkpoint_files
from hyperlib.files.state import job_folder
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES, digits_cnn, small_cnn, tetris_mlp
from hyperlib.weightspace.initialisation import INITIALISATIONS
from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.zoos import job as jobs
from hyperlib.zoos.checkpoint import BlockCheckpoint
from hyperlib.zoos.design import OPTIMIZERS, grid
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.choice import ENGINES, resolve_engine
from hyperlib.zoos.engines.compiled import NumbaTrainer
from hyperlib.zoos.engines.sequential import SequentialTrainer
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo

TRAINERS = {"sequential": SequentialTrainer, "torch": TorchTrainer, "numba": NumbaTrainer}
WITH_NORMS = ("sequential", "torch")  # what has norms, these engines train

HERE = [name for name in ENGINES if name != "cuda"]  # see test_cuda_engine for that
MEASURES = ("train_loss", "test_loss", "train_loss_clean")
ACCURACIES = ("train_accuracy", "test_accuracy", "train_accuracy_clean")


def images_for(net: Architecture, train: int = 42, test: int = 20) -> Images:
    return some_images(net.image, net.num_classes, train=train, test=test)


def grow(net: Architecture, images: Images, design: pd.DataFrame, **settings) -> Zoo:
    usual = {"epochs": 2, "batch_size": 8, "clean": "all", "progress": False}
    return train_population(net, images, design, **usual | settings)


def same(one: Zoo, other: Zoo) -> bool:
    """Bit for bit, with NaN equal to NaN."""
    weights = np.array_equal(one.weights.numpy(), other.weights.numpy(), equal_nan=True)
    return weights and one.table.equals(other.table)


def assert_near(one: Zoo, other: Zoo) -> None:
    """Up to rounding, which single gradients near zero can amplify."""
    difference = (one.weights - other.weights).abs()
    assert float(difference.median()) < 1e-6 and float(difference.quantile(0.99)) < 1e-4
    for name in MEASURES:
        np.testing.assert_allclose(one.table[name], other.table[name], rtol=1e-3, atol=1e-4)
    for name in ACCURACIES:
        assert np.abs(one.table[name] - other.table[name]).mean() < 0.01


# -- the same as alone ---------------------------------------------------------------------------------------


def assert_each_trains_as_alone(
    net: Architecture, design: pd.DataFrame, engine: str, epochs: int = 2, batch_size: int = 8
) -> None:
    images = images_for(net)
    zoo = grow(net, images, design, engine=engine, epochs=epochs, batch_size=batch_size, seed=5)
    tables, means = zoo.table.groupby("model"), []
    for model, row in design.iterrows():
        course = train_alone(net, images, row, epochs=epochs, batch_size=batch_size, zoo_seed=5)
        assert torch.equal(zoo.weights[model, 0], course.weights[0])
        difference = (zoo.weights[model] - torch.stack(course.weights)).abs()
        # rounding in a gradient near zero becomes a whole step of Adam and RMSprop, in few weights only; where it
        # decides a window's maximum, or which side of zero a unit is on, more weights of that model follow
        assert float(difference.median()) < 1e-6 and float(difference.mean()) < 1e-3, row.to_dict()
        means.append(float(difference.mean()))
        table = tables.get_group(model)
        for part, found in (("train_{}", course.train), ("train_{}_clean", course.clean), ("test_{}", course.test)):
            loss, accuracy = np.array(found).T
            np.testing.assert_allclose(table[part.format("loss")], loss, rtol=5e-3, atol=1e-3)
            assert np.abs(table[part.format("accuracy")] - accuracy).max() < 1.5 / 20
    assert np.median(means) < 5e-7 * epochs


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_model_trains_as_it_would_alone(engine, optimizer):
    design = grid(
        optimizer=optimizer,
        activation=["tanh", "relu"],
        lr=[1e-3, 1e-2],
        dropout=[0.0, 0.3],
        weight_decay=[0.0, 1e-2],
    )
    assert_each_trains_as_alone(digits_cnn(), design, engine)


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("batch_size", [8, 33])
@pytest.mark.slow
def test_a_network_of_all_compiled_layers_trains_as_alone(engine, batch_size):
    net = network("compiled_net")
    design = grid(optimizer=["adam", "sgd"], activation=["tanh", "silu"], dropout=[0.0, 0.4], lr=3e-3)
    assert_each_trains_as_alone(net, design, engine, batch_size=batch_size)


@pytest.mark.parametrize("engine", WITH_NORMS)
@pytest.mark.parametrize("name", ["residual_net", "branching_net"])
def test_norms_and_residual_streams_train_as_alone_and_their_statistics_move(engine, name):
    net = network(name)
    design = grid(optimizer=["adam", "sgd"], activation=net.activation, dropout=[0.0, 0.4], weight_decay=1e-3, lr=0.01)
    assert_each_trains_as_alone(net, design, engine)
    zoo = grow(net, images_for(net), design, engine=engine)
    assert bool((zoo.weights[:, 2] != zoo.weights[:, 0])[:, ~net.layout.learned].all())


@pytest.mark.slow
@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("name", [*ARCHITECTURES, *TOYS])
def test_every_architecture_trains_as_alone_with_everything(name, engine):
    design = grid(activation=list(ACTIVATIONS), optimizer=OPTIMIZERS, dropout=[0.0, 0.3], weight_decay=1e-3)
    starts = grid(init=["xavier_normal", "truncated_normal", "orthogonal"], init_std=0.2, train_fraction=[0.5, 1.0])
    both = pd.concat([design, starts], ignore_index=True)
    assert_each_trains_as_alone(network(name), both, engine, epochs=1)


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_engines_agree_on_a_whole_design(engine, tetris_images):
    design = grid(init=INITIALISATIONS, activation=list(ACTIVATIONS), optimizer=OPTIMIZERS, lr=3e-3)
    zoo, oracle = (grow(tetris_mlp(), tetris_images, design, engine=name) for name in (engine, "sequential"))

    assert_near(zoo, oracle)
    pd.testing.assert_frame_equal(zoo.design, oracle.design)


# -- whatever stands beside it -------------------------------------------------------------------------------

MIXED = pd.concat(
    [
        grid(seeds=4, activation=["tanh", "gelu"], dropout=[0.0, 0.2], train_fraction=0.5),
        grid(seeds=2, optimizer=OPTIMIZERS, lr=0.01),
    ],
    ignore_index=True,
)


@pytest.mark.parametrize("engine", HERE)
def test_the_order_of_rows_does_not_matter(engine):
    net, order = digits_cnn(), np.random.default_rng(0).permutation(len(MIXED))
    images = images_for(net)

    one, moved = grow(net, images, MIXED, engine=engine), grow(net, images, MIXED.iloc[order], engine=engine)

    back = moved.take(np.argsort(order))
    assert_near(one, back)
    if engine != "torch":
        assert torch.equal(one.weights, back.weights)


@pytest.mark.parametrize("engine", HERE)
def test_a_model_does_not_depend_on_the_size_of_its_population(engine):
    net = digits_cnn()
    images, few = images_for(net), [3, 11, 20]

    whole, part = grow(net, images, MIXED, engine=engine), grow(net, images, MIXED.iloc[few], engine=engine)

    assert_near(whole.take(few), part)
    if engine != "torch":
        assert torch.equal(whole.take(few).weights, part.weights)


@pytest.mark.parametrize("engine", HERE)
def test_the_number_of_threads_changes_nothing_at_all(engine):
    net, threads = digits_cnn(), torch.get_num_threads()
    zoos = []
    for number in (1, 3):
        torch.set_num_threads(number)
        try:
            zoos.append(grow(net, images_for(net), MIXED, engine=engine))
            assert torch.get_num_threads() == number
        finally:
            torch.set_num_threads(threads)

    assert same(*zoos)


@pytest.mark.parametrize("engine", HERE)
def test_the_cut_into_blocks_does_not_matter(engine, monkeypatch):
    net = digits_cnn()
    images, whole = images_for(net), grow(digits_cnn(), images_for(net), MIXED, engine=engine)
    monkeypatch.setattr(jobs, "_BLOCK_MODELS", 1)

    assert_near(whole, grow(net, images, MIXED, engine=engine))


def test_blocks_hold_every_model_once_and_only_like_with_like():
    net = small_cnn()
    job = jobs.checked_job(net, images_for(net), MIXED, 1, 32, None, 0, "torch", None)
    blocks = list(job.blocks())

    assert sorted(np.concatenate(blocks).tolist()) == list(range(len(MIXED)))
    for rows in blocks:
        one = MIXED.iloc[rows]
        assert len(one[list(jobs.GROUPED)].drop_duplicates()) == 1 and (one["dropout"] > 0).nunique() == 1


def test_seeds_tell_models_and_zoos_apart(tetris_images):
    design = grid(seeds=3)
    zoo, again = grow(tetris_mlp(), tetris_images, design), grow(tetris_mlp(), tetris_images, design)
    other = grow(tetris_mlp(), tetris_images, design, seed=1)

    assert same(zoo, again)
    assert len(torch.cat([zoo.weights[:, 0], other.weights[:, 0]]).unique(dim=0)) == 6


def test_the_callers_design_and_images_stay_as_they_are(tetris_images):
    design = grid(seeds=2).set_index(pd.Index([7, 3]))
    before, checksum = design.copy(), tetris_images.checksum
    grow(tetris_mlp(), tetris_images, design)

    pd.testing.assert_frame_equal(design, before)
    assert type(tetris_images)(**{k: v for k, v in vars(tetris_images).items() if k != "checksum"}).checksum == checksum


# -- what the table says -------------------------------------------------------------------------------------


def test_epoch_zero_is_the_untrained_network(tiny_zoo):
    first = tiny_zoo.table[tiny_zoo.table["epoch"] == 0]

    for column in ("loss", "accuracy"):
        assert (first[f"train_{column}"] == first[f"train_{column}_clean"]).all()
    assert not torch.equal(tiny_zoo.weights[:, 0], tiny_zoo.weights[:, 1])


def test_measures_are_those_of_the_stored_weights(tiny_zoo, tetris_images):
    for place, row in tiny_zoo.table.iterrows():
        module = tiny_zoo.module(place // 4, row["epoch"])
        for part, loss, accuracy in (
            ("train", "train_loss_clean", "train_accuracy_clean"),
            ("test", "test_loss", "test_accuracy"),
        ):
            x, y = getattr(tetris_images, f"{part}_x"), getattr(tetris_images, f"{part}_y")
            scores = module(x).detach()
            np.testing.assert_allclose(
                row[loss], float(torch.nn.functional.cross_entropy(scores, y)), rtol=1e-4, atol=1e-5
            )
            assert abs(row[accuracy] - float((scores.argmax(1) == y).double().mean())) < 1e-9


def test_both_gaps_are_train_minus_test_accuracy(tiny_zoo):
    table = tiny_zoo.table

    np.testing.assert_allclose(table["gap"], table["train_accuracy"] - table["test_accuracy"])
    np.testing.assert_allclose(table["gap_clean"], table["train_accuracy_clean"] - table["test_accuracy"])
    assert (table["gap"] != table["gap_clean"]).any()


@pytest.mark.parametrize("engine", HERE)
def test_running_accuracy_is_measured_before_each_step(engine):
    """One batch per epoch: the running measures of an epoch are the clean ones of the epoch before."""
    net = tetris_mlp()
    table = grow(net, images_for(net, train=40), grid(seeds=2, lr=0.1), batch_size=40, engine=engine).table

    for column in ("loss", "accuracy"):
        before = table.loc[table["epoch"] < 2, f"train_{column}_clean"].to_numpy()
        after = table.loc[table["epoch"] > 0, f"train_{column}"]
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def test_models_learn(tiny_zoo):
    table = tiny_zoo.table

    assert table[table["epoch"] == 3]["train_loss_clean"].mean() < 0.9 * table[table["epoch"] == 0]["train_loss"].mean()


def test_a_fraction_of_the_data_is_its_first_part(tetris_images):
    half = tetris_images.subset(train=20)
    design = grid(seeds=2)

    part = grow(tetris_mlp(), tetris_images, design.assign(train_fraction=0.5), engine="sequential")
    alone = grow(tetris_mlp(), half, design, engine="sequential")

    assert torch.equal(part.weights, alone.weights)
    assert part.table["train_loss_clean"].equals(alone.table["train_loss_clean"])


def test_a_tiny_fraction_still_sees_one_image(tetris_images):
    table = grow(tetris_mlp(), tetris_images, grid(train_fraction=1e-6, lr=0.1), epochs=1).table

    assert set(table["train_accuracy_clean"]) <= {0.0, 1.0}


@pytest.mark.parametrize("engine", HERE)
def test_training_may_start_from_given_weights(engine, tetris_images, generator):
    start = torch.randn(3, 100, generator=generator, dtype=torch.float64).requires_grad_()
    zoo = grow(tetris_mlp(), tetris_images, grid(seeds=3), start=start, engine=engine)

    assert torch.equal(zoo.weights[:, 0], start.detach().float())
    assert not torch.equal(zoo.weights[:, 1], zoo.weights[:, 0])


def test_a_zoo_is_fine_tuned_from_its_own_table(tiny_zoo, tetris_images):
    last = tiny_zoo.samples(3)
    for design in (tiny_zoo.design, last.table):
        zoo = grow(tetris_mlp(), tetris_images, design, start=last.weights, epochs=0)
        assert torch.equal(zoo.weights[:, 0], last.weights)
        np.testing.assert_allclose(zoo.table["test_loss"], last.table["test_loss"], rtol=1e-5)


def test_columns_of_ones_own_travel_along(tetris_images):
    design = grid(seeds=2).assign(origin=["a", "b"])

    assert grow(tetris_mlp(), tetris_images, design, epochs=1).table["origin"].tolist() == ["a", "a", "b", "b"]


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("clean, evaluated", [("all", range(6)), ("last", [0, 5]), (2, [0, 2, 4, 5]), (7, [0, 5])])
def test_training_images_are_evaluated_when_wished_and_change_nothing_else(clean, evaluated, engine, tetris_images):
    design = grid(seeds=2, lr=[1e-2, 1e30])
    whole, zoo = (grow(tetris_mlp(), tetris_images, design, epochs=5, engine=engine, clean=c) for c in ("all", clean))
    assert np.array_equal(whole.weights, zoo.weights, equal_nan=True)
    columns = ["train_loss_clean", "train_accuracy_clean", "gap_clean"]
    pd.testing.assert_frame_equal(zoo.table.drop(columns=columns), whole.table.drop(columns=columns))
    there = zoo.table["epoch"].isin(evaluated)
    pd.testing.assert_frame_equal(zoo.table.loc[there, columns], whole.table.loc[there, columns])
    assert zoo.table.loc[~there, columns].isna().all(axis=None)


@pytest.mark.parametrize("clean", ["first", 0, -1, 1.5, True, None, ""])
def test_when_to_evaluate_is_named_in_words(clean, tetris_images):
    with pytest.raises(ValueError, match='clean is "all", "last" or a number of epochs'):
        grow(tetris_mlp(), tetris_images, grid(), clean=clean)


def test_a_job_that_evaluates_seldom_goes_on_after_a_kill(tmp_path, tetris_images):
    how = {"epochs": 6, "clean": "last"}

    def kill(done: int, total: int) -> None:
        if done >= total / 2:
            raise RuntimeError("killed")

    whole = grow(tetris_mlp(), tetris_images, grid(seeds=3), **how)
    with pytest.raises(RuntimeError, match="killed"):
        grow(tetris_mlp(), tetris_images, grid(seeds=3), **how, checkpoint=tmp_path / "job", progress=kill)
    assert same(grow(tetris_mlp(), tetris_images, grid(seeds=3), **how, checkpoint=tmp_path / "job"), whole)
    with pytest.raises(ValueError, match="another training job"):
        grow(tetris_mlp(), tetris_images, grid(seeds=3), epochs=6, checkpoint=tmp_path / "job")


# -- divergence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", HERE)
def test_a_diverging_model_is_recorded_and_leaves_its_neighbours_alone(engine, tetris_images):
    design = grid(seeds=6, optimizer="sgd", activation="relu", lr=0.01, init="kaiming_normal")
    sound = grow(tetris_mlp(), tetris_images, design, engine=engine, epochs=4)
    design.loc[2, "lr"] = 1e20
    zoo = grow(tetris_mlp(), tetris_images, design, engine=engine, epochs=4)

    others = [0, 1, 3, 4, 5]
    assert torch.equal(zoo.weights[others], sound.weights[others])
    lost = zoo.table["diverged"].to_numpy().reshape(6, 5)
    assert not lost[others].any() and not lost[2, 0] and lost[2, 1:].all()
    table = zoo.table[zoo.table["diverged"]]
    assert table[list(PROPERTIES)].isna().all(axis=None) and bool(zoo.weights[2, 1:].isnan().all())
    assert zoo.table.loc[~zoo.table["diverged"], list(PROPERTIES)].notna().all(axis=None)


def test_a_model_that_diverges_later_keeps_its_sound_epochs(tetris_images):
    design = grid(seeds=3, optimizer="sgd", activation="relu", init="kaiming_normal", weight_decay=[0.0, 1e4], lr=0.1)
    zoo = grow(tetris_mlp(), tetris_images, design, epochs=9, batch_size=40)
    lost = zoo.table["diverged"].to_numpy().reshape(6, 10)

    assert lost[3:, 9].all() and not lost[:3].any()
    assert not lost[:, :3].any()
    assert (np.diff(lost.astype(int), axis=1) >= 0).all()


def test_a_network_too_large_from_the_start_is_diverged_at_epoch_zero(tetris_images):
    design = grid(seeds=2, init="normal", init_std=[1.0, 1e30], activation="relu")
    zoo = grow(tetris_mlp(), tetris_images, design)

    assert zoo.table["diverged"].tolist() == [False] * 6 + [True] * 6
    assert len(zoo.samples()) == 6


# -- kill and resume -----------------------------------------------------------------------------------------


def six_blocks(engine: str, folder: Path | None) -> Zoo:
    """Of two models each, with norms where the engine knows them; six epochs under three optimisers."""
    net = network("compiled_net" if engine == "numba" else "residual_net")
    design = grid(seeds=4, optimizer=OPTIMIZERS, activation="relu", lr=0.01)
    return grow(net, images_for(net), design, engine=engine, epochs=6, checkpoint=folder)


def die_in_the_second_block(engine: str, folder: Path) -> None:
    """Writes its state after every epoch, and is killed when the fourth begins."""

    class Dying(TRAINERS[engine]):
        def train_epoch(self, epoch: int):
            if epoch == 4 and (folder / "block-0001.safetensors").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            return super().train_epoch(epoch)

    ENGINES[engine] = Dying
    checkpoint_files.SECONDS, checkpoint_files.SHARE, jobs._BLOCK_MODELS = 0.0, 0, 2
    torch.set_num_threads(1)  # one block after the other
    six_blocks(engine, folder)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a kill that cannot be caught")
@pytest.mark.parametrize("engine", HERE)
@pytest.mark.slow
def test_a_killed_job_resumes_to_the_identical_zoo(engine, tmp_path, monkeypatch):
    killed = started(die_in_the_second_block, engine, tmp_path)
    killed.join(240)  # the first use of the compiled engine compiles it
    assert killed.exitcode == -signal.SIGKILL
    monkeypatch.setattr(jobs, "_BLOCK_MODELS", 2)
    trained = count_epochs(monkeypatch, engine)

    resumed = six_blocks(engine, tmp_path)

    assert len(trained) == 3 + 4 * 6, "it goes on in the middle of the second block"
    assert same(six_blocks(engine, None), resumed)


class Stopped(Exception):
    """Stands for whatever ends a job."""


def stop_in_epoch(monkeypatch: pytest.MonkeyPatch, engine: str, epoch: int) -> None:
    class Stopping(TRAINERS[engine]):
        def train_epoch(self, now: int):
            if now == epoch:
                raise Stopped
            return super().train_epoch(now)

    monkeypatch.setitem(ENGINES, engine, Stopping)


@pytest.mark.parametrize(
    ("engine", "name"),
    [*((engine, "tetris_mlp") for engine in HERE), *((engine, "residual_net") for engine in WITH_NORMS)]
    + [("numba", "compiled_net")],
)
@pytest.mark.slow
def test_a_stopped_job_goes_on_where_it_was(engine, name, tmp_path, monkeypatch):
    net = network(name)
    images, design = images_for(net), grid(seeds=2, optimizer=OPTIMIZERS, activation=net.activation, dropout=0.1)
    whole = grow(net, images, design, engine=engine, epochs=4)
    monkeypatch.setattr(checkpoint_files, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_files, "SHARE", 0)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_in_epoch(patch, engine, 3)
        grow(net, images, design, engine=engine, epochs=4, checkpoint=tmp_path)
    trained = count_epochs(monkeypatch, engine)

    resumed = grow(net, images, design, engine=engine, epochs=4, checkpoint=tmp_path)

    assert same(whole, resumed)
    assert 3 * 4 > len(trained) >= 2
    trained.clear()
    assert same(whole, grow(net, images, design, engine=engine, epochs=4, checkpoint=tmp_path)) and not trained


def count_epochs(monkeypatch: pytest.MonkeyPatch, engine: str) -> list[int]:
    seen: list[int] = []

    class Counting(TRAINERS[engine]):
        def train_epoch(self, epoch: int):
            seen.append(epoch)
            return super().train_epoch(epoch)

    monkeypatch.setitem(ENGINES, engine, Counting)
    return seen


def test_a_job_stopped_by_hand_keeps_the_epochs_it_has_done(tetris_images, tmp_path, monkeypatch):
    """Even where the next regular write was far away."""
    design, slow = grid(seeds=1, activation=["tanh", "relu"]), threading.Event()

    class Interrupted(TorchTrainer):
        def train_epoch(self, epoch: int):
            if self.block.architecture.activation == "relu":
                slow.wait(10)
                raise KeyboardInterrupt
            if epoch == 3:
                slow.set()
                time.sleep(0.5)
            return super().train_epoch(epoch)

    monkeypatch.setitem(ENGINES, "torch", Interrupted)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            grow(tetris_mlp(), tetris_images, design, epochs=50, engine="torch", checkpoint=tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert 3 <= load_file(tmp_path / "block-0001.safetensors")["weights"].shape[1] < 51


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"epochs": 3},
        {"batch_size": 9},
        {"engine": "sequential"},
        {"start": torch.zeros(4, 100)},
        {"design": grid(seeds=4, lr=0.02)},
        {"images": some_images((1, 4, 4), 4, train=40, test=30, seed=1)},
        {"net": tetris_mlp().with_activation("relu")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_jobs_state_is_refused(change, tetris_images, tmp_path):
    arguments = {"net": tetris_mlp(), "images": tetris_images, "design": grid(seeds=4), "checkpoint": tmp_path}
    grow(**arguments)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(ValueError, match="holds the state of another training job; name another folder"):
        grow(**arguments | change)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_a_damaged_state_is_trained_again_with_a_word(damage, tetris_images, tmp_path, capsys):
    design = grid(seeds=3)
    whole = grow(tetris_mlp(), tetris_images, design, checkpoint=tmp_path)
    path = tmp_path / "block-0000.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(
        {"empty": b"", "cut": content[:-40], "flipped": bytes(content), "text": b"no tensors here"}[damage]
    )

    assert same(whole, grow(tetris_mlp(), tetris_images, design, checkpoint=tmp_path))
    assert f"{path} is damaged; its models are trained again" in capsys.readouterr().err


def test_two_processes_do_not_share_a_state(tetris_images, tmp_path):
    with (
        checkpoint_files.job_folder(tmp_path),
        pytest.raises(ValueError, match=f"Another process is training in {tmp_path}; wait"),
    ):
        grow(tetris_mlp(), tetris_images, grid(), checkpoint=tmp_path)


def test_a_full_disk_ends_the_job_with_a_remedy_and_keeps_the_last_state(tetris_images, tmp_path, monkeypatch):
    design = grid(seeds=3)
    monkeypatch.setattr(checkpoint_files, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint_files, "SHARE", 0)
    saved, arguments = checkpoint_files.save_file, (tetris_mlp(), tetris_images, design)
    whole = grow(*arguments, epochs=4)

    def full(tensors: dict, path: Path, metadata: dict) -> None:
        if tensors["weights"].shape[1] == 3:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        saved(tensors, path, metadata=metadata)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "save_file", full)
        with pytest.raises(OSError, match=r"cannot be written to .*No space left on device.*free some space"):
            grow(*arguments, epochs=4, checkpoint=tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.name != ".lock") == [".safetensors"]
    trained = count_epochs(monkeypatch, "numba")
    assert same(whole, grow(*arguments, epochs=4, checkpoint=tmp_path))
    assert trained == [2, 3, 4]


def test_a_real_write_error_of_safetensors_is_one_sentence(tetris_images, monkeypatch, tmp_path):
    def save_nowhere(tensors, path, **more):
        return save_file(tensors, path.with_name("gone") / path.name, **more)

    monkeypatch.setattr(checkpoint_files, "save_file", save_nowhere)
    kept = BlockCheckpoint(tmp_path / "job", 0, "job", np.arange(1))
    with pytest.raises(OSError, match="cannot be written to .*job .*; name another folder as checkpoint") as caught:
        kept.save(torch.zeros(1, 1, 2), np.zeros((1, 1, 8)), {})
    assert "\n" not in str(caught.value)


def test_a_place_that_cannot_be_a_folder_is_refused(tetris_images, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"is kept in a folder, and [^ ]*/file is a file; name a folder\.$"):
            grow(tetris_mlp(), tetris_images, grid(), checkpoint=folder)


def test_whoever_stops_a_training_is_told_from_where_it_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt) as stopped, job_folder(tmp_path / "job"):
        raise KeyboardInterrupt
    assert stopped.value.__notes__ == [f"Stopped; the same call goes on from {tmp_path / 'job'}."]


# -- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_a_fault_in_one_block_stops_the_others_and_comes_through(error, tetris_images, monkeypatch):
    threads, seen = torch.get_num_threads(), []

    class Failing(TorchTrainer):
        def train_epoch(self, epoch: int):
            if self.block.architecture.activation == "relu":
                raise error("broken")
            seen.append(epoch)
            time.sleep(0.01)
            return super().train_epoch(epoch)

    monkeypatch.setitem(ENGINES, "torch", Failing)
    torch.set_num_threads(2)
    try:
        with pytest.raises(error, match="broken"):
            design = grid(activation=["relu", "tanh", "sigmoid"])
            grow(tetris_mlp(), tetris_images, design, epochs=400, engine="torch")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert len(seen) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": some_images((1, 5, 5), 4, train=8, test=4)},
            r"reads images of \(1, 4, 4\).* has \(1, 5, 5\); resize",
        ),
        ({"images": some_images((1, 4, 4), 5, train=8, test=4)}, "has 5 classes, but tetris_mlp tells only 4 apart"),
        ({"engine": "jax"}, "no engine 'jax'; choose auto, sequential, torch, numba"),
        ({"epochs": -1}, "epochs is a whole number from 0 on, not -1"),
        ({"batch_size": 0}, "batch_size is a whole number from 1 on, not 0"),
        ({"start": torch.zeros(2, 100)}, r"start has shape \(2, 100\); 3 models of this network need \(3, 100\)"),
        ({"start": torch.zeros(3, 99)}, "start has shape"),
        ({"design": grid().drop(columns="lr")}, "lacks the column 'lr'"),
        ({"design": grid().assign(lr=np.nan)}, "no value for 'lr'"),
        ({"device": "tpu9"}, "no device 'tpu9'; choose cpu or cuda"),
        ({"device": "meta"}, "on cpu or cuda, not on meta"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(change, message, tetris_images):
    arguments = {"net": tetris_mlp(), "images": tetris_images, "design": grid(seeds=3)}
    with pytest.raises(ValueError, match=message):
        grow(**arguments | change)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said(tetris_images):
    with pytest.raises(ValueError, match="finds no CUDA device here; leave out device"):
        grow(tetris_mlp(), tetris_images, grid(), device="cuda")


@pytest.mark.parametrize("batch_size", [1, 41])
def test_a_batch_of_one_image_is_refused_where_a_norm_needs_more(batch_size):
    net = network("branching_net")
    with pytest.raises(ValueError, match="norm would see a batch of one image .42 images .*choose a batch_size"):
        grow(net, images_for(net), grid(), batch_size=batch_size)
    assert len(grow(net, images_for(net), grid(), batch_size=batch_size + 1, epochs=1)) == 1


def test_every_engine_has_the_trainer_that_is_tested_here(tetris_images):
    job = jobs.checked_job(tetris_mlp(), tetris_images, grid(), 1, 8, None, 0, "torch", None)
    block = Block(job.architecture, job.images, job.design, 8, 0, job.device)
    made = {name: type(ENGINES[name](block, block.initial_weights())) for name in HERE}

    assert made == TRAINERS


def test_auto_is_an_engine():
    assert resolve_engine("auto", digits_cnn()) == "numba"
    assert resolve_engine("auto", network("residual_net")) == resolve_engine("auto", digits_cnn(), "cuda") == "torch"
    assert [resolve_engine(name, digits_cnn()) for name in HERE] == HERE
    assert resolve_engine("cuda", digits_cnn()) == "torch"  # without a card


@pytest.mark.parametrize(
    ("name", "device", "why"), [("residual_net", "cpu", "Norm"), ("digits_cnn", "cuda", "on cuda")]
)
def test_what_the_numba_engine_does_not_cover_falls_back_with_a_note(name, device, why, caplog):
    assert resolve_engine("numba", network(name), device) == "torch"
    assert why in caplog.text and "the torch engine trains it" in caplog.text


def test_no_epochs_give_the_initial_weights(tetris_images):
    zoo = grow(tetris_mlp(), tetris_images, grid(seeds=2), epochs=0)

    assert zoo.weights.shape == (2, 1, 100) and zoo.table["epoch"].tolist() == [0, 0]


def test_progress_counts_model_epochs(tetris_images, capsys, tmp_path):
    grow(tetris_mlp(), tetris_images, grid(seeds=5), epochs=3, progress=True, checkpoint=tmp_path)
    first = capsys.readouterr().err
    grow(tetris_mlp(), tetris_images, grid(seeds=5), epochs=3, progress=True, checkpoint=tmp_path)

    assert "15/15" in first and "model-epochs/s" in first
    assert "15/15" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["digits_cnn", "residual_net"])
def test_the_gpu_grows_the_same_zoo(name):
    net = network(name)
    design = grid(seeds=2, activation=["tanh", "gelu"], optimizer=OPTIMIZERS, dropout=[0.0, 0.2])
    cpu, gpu = (grow(net, images_for(net), design, device=device) for device in ("cpu", "cuda"))

    assert torch.equal(cpu.weights[:, 0], gpu.weights[:, 0])
    difference = (cpu.weights - gpu.weights).abs()
    assert float(difference.median()) < 1e-4
    for measure in MEASURES:
        np.testing.assert_allclose(cpu.table[measure], gpu.table[measure], rtol=2e-2, atol=1e-2)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 1.5}, "epochs is a whole number"),
        ({"epochs": "3"}, "epochs is a whole number"),
        ({"batch_size": 8.5}, "batch_size is a whole number"),
        ({"seed": 1.5}, "seed is a whole number"),
    ],
)
def test_numbers_of_the_wrong_kind_are_refused(tetris_images, settings, message):
    settings = {"epochs": 1, "progress": False} | settings
    with pytest.raises(ValueError, match=message):
        train_population(tetris_mlp(), tetris_images, grid(seeds=2), **settings)


@pytest.mark.usefixtures("no_shape_checks")
def test_a_table_of_checkpoints_is_no_design(tiny_zoo, tetris_images):
    with pytest.raises(ValueError, match="take zoo.design instead"):
        train_population(tetris_mlp(), tetris_images, tiny_zoo.table, epochs=1, progress=False)
    with pytest.raises(ValueError, match="one row per model"):
        train_population(tetris_mlp(), tetris_images, {"seed": [1]}, epochs=1, progress=False)


def test_a_listener_hears_every_step_and_the_end(tetris_images):
    heard = []
    train_population(
        tetris_mlp(), tetris_images, grid(seeds=3), epochs=2, progress=lambda done, total: heard.append((done, total))
    )

    assert heard[-1] == (6, 6)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
