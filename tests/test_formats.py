"""Zoos in other people's forms are read as what they are: the same networks, whoever wrapped them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import warnings
from dataclasses import replace

import jaxtyping
import numpy as np
import pandas as pd
import published_forms as forms
import pytest
import torch
from elsewhere import CONTEXT
from torch import nn

from hyperlib import (
    Zoo,
    class_scores,
    digits_cnn,
    export_zoo,
    form_of,
    from_module,
    grid,
    load_images,
    open_zoo,
    small_resnet,
    tetris_mlp,
    train_population,
    unterthiner_cnn,
)
from hyperlib.files.inventory import natural
from hyperlib.weightspace.layers import Activation
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.formats import caching, small_cnn_zoo
from hyperlib.zoos.formats.columns import MODEL_ZOO
from hyperlib.zoos.formats.networks import names_in, recognised
from hyperlib.zoos.formats.opening import FORMS

DROPOUTS = [0.0, 0.5, 0.0]
MODEL_ZOO_OURS = {theirs: ours for ours, theirs in MODEL_ZOO.items()}
WRITE = {
    "model zoo": lambda folder, models: forms.model_zoo(folder, models, DROPOUTS),
    "small CNN zoo": forms.small_cnn_zoo,
    "checkpoints": forms.checkpoints,
}


@pytest.fixture(scope="module")
def models() -> list[list[nn.Sequential]]:
    """Three digits CNNs at two epochs; one has layers of dropout, which move the numbers of those behind."""
    return [[forms.plain_cnn(10 * number + epoch, rate) for epoch in range(2)] for number, rate in enumerate(DROPOUTS)]


@pytest.fixture(scope="module")
def tetris_zoo() -> Zoo:
    """Four trained models of 100 weights at three epochs."""
    design = grid(seeds=2, lr=[1e-3, 1e-2])
    return train_population(tetris_mlp(), load_images("tetris"), design, epochs=2, engine="torch", progress=False)


@pytest.fixture
def images() -> torch.Tensor:
    return load_images("digits").test_x[:20]


@pytest.fixture
def model_zoo(models, tmp_path):
    return forms.model_zoo(tmp_path / "zoo", models, DROPOUTS)


@pytest.fixture
def keras_zoo(models, tmp_path):
    return forms.small_cnn_zoo(tmp_path / "zoo", models)


def open_quietly(*arguments, **options) -> Zoo:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open_zoo(*arguments, **options)


# ---- the same networks


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cached", [False, True])
def test_a_zoo_answers_as_the_modules_that_somebody_wrapped(form, cached, models, images, tmp_path):
    folder = WRITE[form](tmp_path / "zoo", models)

    zoo = open_zoo(folder, cache=tmp_path / "cache" if cached else None)

    assert form_of(folder) == form and zoo.architecture == digits_cnn().with_activation("tanh")
    answers = class_scores(zoo.architecture, zoo.weights.flatten(0, 1), images)
    with torch.no_grad():
        plain = torch.stack([model(images) for epochs in models for model in epochs])
    torch.testing.assert_close(answers, plain)
    assert zoo.table["test_accuracy"].tolist() == [n / 10 + e / 100 for n in range(3) for e in range(2)]
    assert not zoo.table["diverged"].any() and not zoo.table["missing"].any()


def test_axes_of_tensorflow_are_those_of_a_network_that_has_its_channels_last(models, images, keras_zoo):
    zoo = open_zoo(keras_zoo)

    answers = class_scores(zoo.architecture, zoo.weights.flatten(0, 1), images).numpy()

    plain = [forms.answers_of_keras(model, images.numpy()) for epochs in models for model in epochs]
    np.testing.assert_allclose(answers, np.stack(plain), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back_to_the_bit_with_holes_and_diverged_models(form, tetris_zoo, tmp_path):
    zoo = tetris_zoo.take(range(4))
    weights, table = zoo.weights.clone(), zoo.table.assign(missing=False, weight_decay=3e-4)
    weights[1, -1], weights[2, 1] = torch.nan, torch.nan
    last, hole = 2 * len(zoo.epochs) - 1, 2 * len(zoo.epochs) + 1
    table.loc[[last, hole], "diverged"], table.loc[hole, "missing"] = True, True
    table.loc[[last, hole], [*PROPERTIES]] = np.nan
    zoo = Zoo(zoo.architecture, weights, table)

    back = open_quietly(export_zoo(zoo, tmp_path / "zoo", form))

    assert torch.equal(back.weights.nan_to_num(7), weights.nan_to_num(7))
    shared = [name for name in zoo.table if name in back.table]
    assert {"lr", "weight_decay", "seed", "test_accuracy", "diverged", "missing", "activation", "gap"} <= {*shared}
    pd.testing.assert_frame_equal(back.table[shared], zoo.table[shared], check_dtype=False)
    assert len(back.samples()) == len(zoo.table) - 2


def test_only_convolutions_and_dense_layers_in_a_row_can_be_a_small_cnn_zoo(tmp_path):
    network = small_resnet(1)
    table = pd.DataFrame({"model": [0], "epoch": [0], "activation": ["relu"]})
    zoo = Zoo(network, network.initialise([0])[:, None], table)

    with pytest.raises(ValueError, match="in a row"):
        export_zoo(zoo, tmp_path / "zoo", "small CNN zoo")
    for form in ("model zoo", "checkpoints"):  # by its names
        assert torch.equal(open_zoo(export_zoo(zoo, tmp_path / form, form)).weights, zoo.weights)
    with pytest.raises(ValueError, match="There is no form 'zip'"):
        export_zoo(zoo, tmp_path / "zoo", "zip")


# ---- model zoos


def test_wrappers_around_a_state_dict_come_off(models, model_zoo):
    file = model_zoo / "NN_tune_trainable_1" / "checkpoint_000001" / "checkpoints"
    before = open_zoo(model_zoo).weights
    state = {f"module.{name}": value for name, value in torch.load(file, weights_only=True).items()}
    torch.save({"epoch": 3, "model": {"state_dict": state}, "best": torch.tensor(0.5)}, file)

    assert torch.equal(open_zoo(model_zoo).weights, before)


def test_settings_have_our_names_or_theirs_and_what_they_say_of_the_network_is_not_believed(model_zoo):
    zoo = open_zoo(model_zoo)

    assert zoo.design["dropout"].tolist() == DROPOUTS and zoo.design["seed"].tolist() == [0, 1, 2]
    assert set(zoo.table["init"]) == {"normal"} and set(zoo.table["lr"]) == {1e-3}
    assert zoo.table["note"].tolist()[::2] == ["run 0", "run 1", "run 2"]
    assert set(zoo.table["model::o_dim"]) == {4} and not zoo.table["model::use_bias"].any()  # kept, though untrue
    assert zoo.table["train_loss"].isna().tolist() == [True, False] * 3  # -999 before anything was trained
    assert zoo.architecture.num_classes == 10


@pytest.mark.usefixtures("no_shape_checks")
def test_epochs_that_most_models_lack_go_and_other_holes_are_rows_without_numbers(model_zoo):
    last = model_zoo / "NN_tune_trainable_2"
    shutil.copytree(last / "checkpoint_000001", last / "checkpoint_000007")
    shutil.rmtree(last / "checkpoint_000000")
    (model_zoo / "NN_tune_trainable_9").mkdir()
    (model_zoo / "NN_tune_trainable_9" / "params.json").write_text("{}")

    with pytest.warns(UserWarning, match="fewer than half .* 7.* 1 of 6 checkpoints are missing") as told:
        zoo = open_zoo(model_zoo)

    assert "NN_tune_trainable_9" in str(told[0].message)
    assert zoo.epochs.tolist() == [0, 1] and zoo.table["missing"].tolist() == [False] * 4 + [True, False]
    hole = zoo.table[zoo.table["missing"]].iloc[0]
    assert hole["diverged"] and np.isnan(hole["test_accuracy"]) and hole["dropout"] == 0 and hole["epoch"] == 0
    assert zoo.weights[2, 0].isnan().all() and len(zoo.samples()) == 5
    only = open_quietly(model_zoo, epochs=[7])
    assert len(only) == 1 and only.epochs.tolist() == [7]
    for wrong in (-1, 0.5, [], "last"):
        with pytest.raises(ValueError, match="Epochs are whole numbers"):
            open_zoo(model_zoo, epochs=wrong)
    with pytest.raises(ValueError, match="has epoch 3; it has 0, 1, 7"):
        open_zoo(model_zoo, epochs=3)


def test_a_model_that_is_no_number_any_more_has_diverged(model_zoo):
    file = model_zoo / "NN_tune_trainable_1" / "checkpoint_000001" / "checkpoints"
    state = torch.load(file, weights_only=True)
    state["module_list.0.weight"][0] = torch.inf
    torch.save(state, file)
    result = model_zoo / "NN_tune_trainable_1" / "result.json"
    result.write_text(result.read_text().replace('"test_loss": 2.0', '"test_loss": NaN') + '{"training_iter')

    zoo = open_zoo(model_zoo)

    assert zoo.table["diverged"].tolist() == [False] * 3 + [True] + [False] * 2
    assert zoo.weights[1, 1].isnan().all() and not zoo.table["missing"].any()
    assert zoo.table["test_loss"].isna().tolist() == [False, False, True, True, False, False]


def test_names_of_checkpoints_without_zeros_and_repeated_iterations_are_read(model_zoo):
    one = model_zoo / "NN_tune_trainable_0"
    (one / "checkpoint_000001").rename(one / "checkpoint_1")
    again = '{"training_iteration": 1, "test_acc": 0.75, "train_acc": 1}\n'
    with (one / "result.json").open("a") as file:
        file.write(again)

    table = open_zoo(model_zoo).table

    assert table["test_accuracy"][1] == 0.75 and table["gap"][1] == 0.25


# ---- small CNN zoos


def test_the_published_network_is_recognised_with_the_side_of_its_images(tmp_path):
    network = unterthiner_cnn(1, 32)
    table = pd.DataFrame({"model": [0], "epoch": [86], "activation": ["relu"], "dataset": ["cifar10"]})
    zoo = Zoo(network.with_activation("relu"), network.initialise([1])[:, None], table)
    back = open_zoo(export_zoo(zoo, tmp_path / "zoo", "small CNN zoo"))

    assert back.architecture.image == (1, 32, 32) and torch.equal(back.weights, zoo.weights)
    layout = pd.read_csv(tmp_path / "zoo" / "layout.csv")
    assert layout["end_idx"].tolist() == [16, 160, 176, 2480, 2496, 4800, 4810, 4970]  # as published
    assert layout["shape"].tolist()[1] == "(3, 3, 1, 16)"


def test_decay_of_keras_is_half_of_ours(keras_zoo):
    assert set(open_zoo(keras_zoo).table["weight_decay"]) == {0.5}


def test_a_list_of_rows_is_read_with_and_without_the_name_of_its_column(keras_zoo, tmp_path):
    order = tmp_path / "split.csv"
    order.write_text("5\n4\n0\n1\n2\n3\n")
    zoo = open_zoo(keras_zoo, order=order)
    assert zoo.table["test_accuracy"].tolist()[::2] == [0.2, 0.0, 0.1]
    order.write_text("0\n" + order.read_text())

    assert torch.equal(open_zoo(keras_zoo, order=order).weights, zoo.weights)
    assert zoo.models.tolist() == [0, 1, 2] and zoo.epochs.tolist() == [0, 1]
    for wrong in ("5\n4\n0\n1\n2\n2\n", "1\n", "a\n", "9" * 99):
        order.write_text(wrong)
        with pytest.raises(ValueError, match="split.csv"):
            open_zoo(keras_zoo, order=order)


# ---- checkpoints


def test_a_folder_without_a_table_has_a_model_per_file(models, tmp_path):
    folder = forms.checkpoints(tmp_path / "zoo", models)
    (folder / "table.csv").unlink()

    zoo = open_zoo(folder)

    assert len(zoo) == 6 and zoo.epochs.tolist() == [0]
    assert zoo.table["path"].tolist() == sorted(zoo.table["path"], key=natural)
    said = pd.DataFrame({"file": ["m0_0.pt"], "lr": [0.5]})
    with pytest.warns(UserWarning, match=r"Files without a row in the table given, and kept .* \(5\): m0_1.pt"):
        assert open_zoo(folder, table=said).table["lr"].notna().sum() == 1


def test_an_unknown_network_needs_its_module(tmp_path):
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    for number in range(2):
        torch.save({"ema": module.state_dict(), "net": module.state_dict()}, tmp_path / f"{number}.pt")
    with pytest.raises(ValueError, match="could be meant"):
        open_zoo(tmp_path)
    with pytest.raises(ValueError, match=r"No network of our list has these weights: 0.weight 5x3.*from_module"):
        open_zoo(tmp_path, key="net")

    zoo = open_zoo(tmp_path, key="net", architecture=from_module(module, torch.rand(2, 3)))

    assert torch.equal(zoo.weights[1, 0], zoo.architecture.layout.flatten(module.state_dict()))


def test_layers_of_one_shape_are_told_apart_by_their_numbers_or_not_at_all():
    network = unterthiner_cnn()
    state = network.layout.unflatten(network.initialise([0])[0])
    places = {"conv1": 9, "conv2": 10, "conv3": 100, "fc": 101}
    numbered = {f"net.{places[name.split('.')[0]]}.{name.split('.')[1]}": value for name, value in state.items()}
    shuffled = dict(sorted(numbered.items()))  # as safetensors sort: 10 before 9
    assert [shuffled[name].data_ptr() for name in names_in(network, shuffled)] == [v.data_ptr() for v in state.values()]
    words = {"conv1": "a", "conv2": "c", "conv3": "b", "fc": "d"}
    worded = {f"{words[name.split('.')[0]]}.{name.split('.')[1]}": value for name, value in state.items()}
    with pytest.raises(ValueError, match="in two orders"):
        names_in(network, worded)


@pytest.mark.parametrize("make", [tetris_mlp, digits_cnn, small_resnet, unterthiner_cnn])
def test_networks_of_the_list_are_known_by_their_own_names(make):
    network = make()
    assert recognised(network.layout.unflatten(network.initialise([0])[0])) == network


# ---- caches


def test_a_cache_is_read_again_until_its_source_changes_and_outlives_it(model_zoo, tmp_path, monkeypatch):
    made = open_zoo(model_zoo, cache=tmp_path / "cache")
    monkeypatch.setattr(caching, "gridded", None)  # nothing is read anew

    again = open_zoo(model_zoo, cache=tmp_path / "cache")

    assert torch.equal(again.weights, made.weights) and torch.equal(Zoo.load(tmp_path / "cache").weights, made.weights)
    pd.testing.assert_frame_equal(again.table, Zoo.load(tmp_path / "cache").table)
    with pytest.raises(ValueError, match="before something there changed"):
        open_zoo(model_zoo, cache=tmp_path / "cache", epochs=[1])
    with pytest.raises(ValueError, match="no cache that open_zoo made"):
        open_zoo(model_zoo, cache=model_zoo)
    with (model_zoo / "NN_tune_trainable_0" / "result.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match="before something there changed"):
        open_zoo(model_zoo, cache=tmp_path / "cache")
    shutil.rmtree(model_zoo)
    assert torch.equal(open_zoo(model_zoo, cache=tmp_path / "cache").weights, made.weights)


@pytest.mark.usefixtures("no_shape_checks")
def test_a_cache_of_a_zoo_that_was_completed_or_changed_is_refused(model_zoo, tmp_path):
    file = model_zoo / "NN_tune_trainable_1" / "checkpoint_000001" / "checkpoints"
    file.rename(tmp_path / "aside")
    assert open_quietly(model_zoo, cache=tmp_path / "cache").table["missing"].sum() == 1
    open_quietly(model_zoo, cache=tmp_path / "cache")
    (tmp_path / "aside").rename(file)
    with pytest.raises(ValueError, match="before something there changed"):
        open_zoo(model_zoo, cache=tmp_path / "cache")
    open_zoo(model_zoo, cache=tmp_path / "whole")
    os.utime(file, ns=(0, 0))
    with pytest.raises(ValueError, match="before something there changed"):
        open_zoo(model_zoo, cache=tmp_path / "whole")


def test_a_cache_notices_that_a_list_or_a_table_beside_the_zoo_changed(models, tmp_path):
    rows, told = tmp_path / "split.csv", tmp_path / "told.csv"
    rows.write_text("5\n4\n0\n1\n2\n3\n")
    told.write_text("file,lr\nm0_0.pt,0.5\n")
    for form, options, after in (
        ("small CNN zoo", {"order": rows}, "0\n1\n2\n3\n5\n4\n"),
        ("checkpoints", {"table": told}, "file,lr\nm0_0.pt,0.25\n"),
    ):
        folder, cache = WRITE[form](tmp_path / form, models), tmp_path / f"cache of {form}"
        open_quietly(folder, cache=cache, **options)
        open_quietly(folder, cache=cache, **options)
        path = next(iter(options.values()))
        path.write_text(after)
        with pytest.raises(ValueError, match="before something there changed"):
            open_zoo(folder, cache=cache, **options)
        path.unlink()
        with pytest.raises(FileNotFoundError, match=f"no file {path}"):
            open_zoo(folder, cache=cache, **options)


def test_a_cache_of_another_network_with_the_same_weights_is_refused(models, tmp_path):
    folder, network = forms.checkpoints(tmp_path / "zoo", models), digits_cnn()
    open_zoo(folder, cache=tmp_path / "cache", architecture=network)
    open_zoo(folder, cache=tmp_path / "cache", architecture=digits_cnn())
    last = max(place for place, layer in enumerate(network.layers) if isinstance(layer, Activation))
    other = replace(network, layers=network.layers[:last] + network.layers[last + 1 :])
    assert other.layout.slots == network.layout.slots and other != network
    with pytest.raises(ValueError, match="with other settings"):
        open_zoo(folder, cache=tmp_path / "cache", architecture=other)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("gone", [False, True])
def test_a_cache_says_again_what_was_left_out(gone, model_zoo, tmp_path):
    shutil.rmtree(model_zoo / "NN_tune_trainable_2" / "checkpoint_000000")
    with pytest.warns(UserWarning, match="1 of 6 checkpoints are missing") as first:
        open_zoo(model_zoo, cache=tmp_path / "cache")
    if gone:
        shutil.rmtree(model_zoo)
    with pytest.warns(UserWarning) as later:
        open_zoo(model_zoo, cache=tmp_path / "cache")
    assert [str(one.message) for one in later] == [str(one.message) for one in first]
    assert {one.filename for one in [*first, *later]} <= {__file__, jaxtyping._decorator.__file__}  # of shape checks


def test_options_count_where_the_source_is_gone_or_are_refused(models, tmp_path):
    folder, cache = forms.checkpoints(tmp_path / "zoo", models), tmp_path / "cache"
    made = open_zoo(folder, cache=cache)
    shutil.rmtree(folder)

    last = open_zoo(folder, cache=cache, epochs=1)

    assert last.epochs.tolist() == [1] and torch.equal(last.weights[:, 0], made.weights[:, 1])
    with pytest.raises(ValueError, match="Epoch 7 was not kept"):
        open_zoo(folder, cache=cache, epochs=7)
    network, table = digits_cnn(), pd.DataFrame({"file": []})
    for name, value in {"architecture": network, "key": "net", "table": table, "order": "a", "check": True}.items():
        with pytest.raises(ValueError, match=f"which is gone, for which '{name}' means nothing; leave it out"):
            open_zoo(folder, cache=cache, **{name: value})


def test_options_that_mean_nothing_for_a_form_are_refused(tetris_zoo, model_zoo, tmp_path):
    folder = tetris_zoo.save(tmp_path / "ours")
    for name, value in {"cache": tmp_path / "cache", "architecture": tetris_mlp(), "key": "net"}.items():
        with pytest.raises(ValueError, match=f"zoo of ours, for which '{name}' means nothing; leave it out"):
            open_zoo(folder, **{name: value})
    with pytest.raises(ValueError, match="model zoo, for which 'check' means nothing; leave it out"):
        open_zoo(model_zoo, check=True)


@pytest.mark.parametrize("name", ["weights", "weights.unsorted", "table", "origin.json"])
def test_a_cache_may_have_any_name(name, model_zoo, tmp_path):
    made = open_zoo(model_zoo, cache=tmp_path / name)
    assert torch.equal(made.weights, open_zoo(model_zoo).weights)
    assert torch.equal(open_zoo(model_zoo, cache=tmp_path / name).weights, made.weights)


def _killed(folder, cache):
    read, left = caching._read, iter(range(1))

    def read_once(*arguments):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(*arguments)

    caching._read = read_once
    open_zoo(folder, cache=cache, progress=False)


def test_a_killed_conversion_leaves_nothing_that_loads_and_starts_again(model_zoo, tmp_path):
    process = CONTEXT.Process(target=_killed, args=(model_zoo, tmp_path / "cache"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not (tmp_path / "cache").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".cache.partial-")]

    open_zoo(model_zoo, cache=tmp_path / "cache")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "zoo"]


def test_weights_beyond_memory_ask_for_a_cache(keras_zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(caching, "IN_MEMORY", 1000)
    with pytest.raises(ValueError, match="cache="):
        open_zoo(keras_zoo)
    assert len(open_zoo(keras_zoo, cache=tmp_path / "cache")) == 3


def test_a_zoo_of_ours_opens_the_same_whichever_way(tetris_zoo, tmp_path):
    folder = tetris_zoo.save(tmp_path / "zoo")

    quick, checked = open_zoo(folder), open_zoo(folder, check=True)

    assert form_of(folder) == "zoo of ours"
    assert torch.equal(quick.weights.nan_to_num(7), checked.weights.nan_to_num(7))
    pd.testing.assert_frame_equal(quick.table, checked.table)
    last = open_zoo(folder, epochs=tetris_zoo.epochs[-1])
    assert torch.equal(last.weights[:, 0].nan_to_num(7), tetris_zoo.weights[:, -1].nan_to_num(7))
    whole = (folder / "weights.npy").read_bytes()
    (folder / "weights.npy").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    open_zoo(folder)
    with pytest.raises(ValueError, match="damaged"):
        open_zoo(folder, check=True)
    (folder / "weights.npy").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="size"):
        open_zoo(folder)


def test_words_that_change_inside_a_model_are_read(tetris_zoo, tmp_path):
    words = [f"w{number % 5}" for number in range(len(tetris_zoo.table))]
    zoo = Zoo(tetris_zoo.architecture, tetris_zoo.weights, tetris_zoo.table.assign(word=words))
    assert open_zoo(zoo.save(tmp_path / "zoo")).table["word"].tolist() == words


# ---- doors


def test_where_there_is_no_zoo_the_door_says_what_lies_there(model_zoo, tmp_path):
    with pytest.raises(FileNotFoundError, match="zoo holds no zoo|but .*zoo is a model zoo; open that"):
        open_zoo(tmp_path)
    with pytest.raises(ValueError, match="is one model .* open the folder that holds it"):
        open_zoo(model_zoo / "NN_tune_trainable_0")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        open_zoo(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="nothing in it"):
        open_zoo(tmp_path / "empty")
    with pytest.raises(ValueError, match="'order' means nothing"):
        open_zoo(model_zoo, order="split.csv")
    with pytest.raises(TypeError, match="Architecture"):
        open_zoo(model_zoo, architecture=nn.Linear(2, 2))
    with pytest.raises(ValueError, match="not those of tetris_mlp"):
        open_zoo(model_zoo, architecture=tetris_mlp())


def test_a_small_cnn_zoo_without_one_of_its_files_is_named(keras_zoo):
    for name in small_cnn_zoo.FILES[1:]:
        content = (keras_zoo / name).read_bytes()
        (keras_zoo / name).unlink()
        with pytest.raises(FileNotFoundError, match=name):
            open_zoo(keras_zoo)
        (keras_zoo / name).write_bytes(content)


@pytest.mark.parametrize(
    ("key", "value"), [("optim::lr", "fast"), ("seed", [1]), ("model::nlin", 3), ("model::dropout", True)]
)
def test_settings_of_a_wrong_kind_are_told_with_their_file(key, value, model_zoo):
    path = model_zoo / "NN_tune_trainable_2" / "params.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    told = re.escape(f"Values of {key!r} in params.json that are no ")
    with pytest.warns(UserWarning, match=f"{told}.* left empty \\(1\\): '.*' of NN_tune_trainable_2"):
        table = open_zoo(model_zoo).table
    empty = table[MODEL_ZOO_OURS[key]].replace("", np.nan).isna()
    assert empty.tolist() == [False] * 4 + [True] * 2
