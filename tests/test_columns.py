"""What is not read of a zoo of others is told with its count, and what is written comes back."""

from __future__ import annotations

import json
import re
import shutil
import warnings

import jaxtyping
import numpy as np
import pandas as pd
import published_forms as forms
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from hyperlib import Zoo, export_zoo, open_zoo, tetris_mlp
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.formats.columns import MODEL_ZOO, SMALL_CNN, named, translated
from hyperlib.zoos.formats.opening import FORMS

MODELS, EPOCHS = 3, 2
DAYS = pd.date_range("2020", periods=MODELS * EPOCHS)
WRITE = {
    "model zoo": lambda folder, models: forms.model_zoo(folder, models, [0.0] * MODELS),
    "small CNN zoo": forms.small_cnn_zoo,
    "checkpoints": forms.checkpoints,
}
some_examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.text("abdefgh", min_size=1, max_size=8).map("w_{}".format)  # none of which is a measure, as "acc" is
values = st.one_of(
    *(st.lists(one, min_size=MODELS * EPOCHS, max_size=MODELS * EPOCHS) for one in (
        st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53), st.booleans(), words,
    ))
)  # fmt: skip


@pytest.fixture(scope="module")
def models() -> list[list[nn.Sequential]]:
    return [[forms.plain_perceptron(10 * number + epoch) for epoch in range(EPOCHS)] for number in range(MODELS)]


@pytest.fixture
def folder_of(models, tmp_path):
    """A fresh folder of a form."""

    def made(form: str):
        shutil.rmtree(tmp_path / "zoo", ignore_errors=True)
        return WRITE[form](tmp_path / "zoo", models)

    return made


def zoo_with(**columns) -> Zoo:
    network = tetris_mlp().with_activation("tanh")
    weights = network.initialise(range(MODELS * EPOCHS)).unflatten(0, (MODELS, EPOCHS))
    place = {"model": np.repeat(range(MODELS), EPOCHS), "epoch": np.tile(range(EPOCHS), MODELS)}
    return Zoo(network, weights, pd.DataFrame({**place, "activation": "tanh", **columns}))


def told(folder, **options) -> tuple[Zoo, str]:
    """The zoo of a folder, and what is said of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        zoo = open_zoo(folder, progress=False, **options)
    return zoo, " ".join(str(one.message) for one in said)


def count_of(sentence: str, words: str) -> int:
    """The number that a warning says behind some words, none where it does not say them."""
    found = re.search(rf"{sentence}[^()]*\((\d+)\)", words)
    return int(found[1]) if found else 0


# ---- names


@given(
    part=st.sampled_from(["train", "training", "test", "val", "valid", "validation"]),
    kind=st.sampled_from(["acc", "accuracy", "loss"]),
    between=st.sampled_from(["_", "/", " ", ".", "-", "::"]),
    turned=st.booleans(),
    case=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_a_measure_is_known_by_its_two_words(part, kind, between, turned, case):
    ours = {"tr": "train", "te": "test", "va": "val"}[part[:2]] + ("_loss" if kind == "loss" else "_accuracy")
    assert named(case(between.join([kind, part] if turned else [part, kind]))) == ours


@given(st.text(max_size=30))
def test_other_names_stay_but_for_slashes(name):
    ours = {*COLUMNS, *PROPERTIES, *MODEL_ZOO, *SMALL_CNN, "val_loss", "val_accuracy"}
    assert named(name) in ours or named(name) == name.replace("/", "_")
    assert named(named(name)) == named(name)


@pytest.mark.parametrize("name", ["acc5_test", "test_acc_std", "test", "loss", "test_test", "best_acc", "train_lossy"])
def test_a_name_that_may_mean_something_else_is_not_translated(name):
    assert named(name) == name


def add(folder, form: str, **columns) -> None:
    """Write more columns into what a form says of its checkpoints, a value for each."""
    if form == "model zoo":
        for number in range(MODELS):
            path = folder / f"NN_tune_trainable_{number}" / "result.json"
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            for epoch, line in enumerate(lines):
                line |= {name.replace("__", "/"): given[number * EPOCHS + epoch] for name, given in columns.items()}
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        path = folder / ("table.csv" if form == "checkpoints" else "metrics.csv.gz")
        table = pd.read_csv(path).assign(**columns)
        table.rename(columns=lambda name: name.replace("__", "/")).to_csv(path, index=False)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_translated_by_the_same_names(form, folder_of):
    numbers = [number / 8 for number in range(MODELS * EPOCHS)]
    theirs = {"val_acc": "val_accuracy", "Loss__validation": "val_loss", "config.learning_rate": "lr", "a__b": "a_b"}
    theirs |= {"config.l2reg": "weight_decay"}
    folder = folder_of(form)
    add(folder, form, **{name: numbers for name in theirs}, top1_acc=[93.0] * len(numbers), train_acc_=numbers)

    zoo, words = told(folder)

    for name, ours in theirs.items():
        if form != "model zoo" or ours != "lr":  # its settings have one
            scale = 2 if ours == "weight_decay" else 1
            assert zoo.table[ours].tolist() == [scale * number for number in numbers], name
    assert set(zoo.table["top1_acc"]) == {93}
    assert count_of("that look like measures, and keep their names", words) == 2 and "top1_acc" in words


@pytest.mark.parametrize("form", FORMS)
def test_accuracies_in_percent_are_told(form, folder_of):
    folder = folder_of(form)
    add(folder, form, **{"val_acc": [93.5] * (MODELS * EPOCHS)})
    zoo, words = told(folder)
    assert count_of("that are above 1, perhaps in percent", words) == 1 and set(zoo.table["val_accuracy"]) == {93.5}


# ---- cells, rows and files that are not read


@some_examples
@given(form=st.sampled_from([*FORMS]), empty=st.sets(st.integers(0, MODELS * EPOCHS - 1), max_size=4))
def test_empty_cells_do_not_make_numbers_of_texts(form, empty, folder_of):
    cells = [None if place in empty else f"w{place}" for place in range(MODELS * EPOCHS)]
    folder = folder_of(form)
    add(folder, form, word=cells)
    zoo, words = told(folder)
    assert zoo.table["word"].tolist() == [cell or "" for cell in cells] and not words


@some_examples
@given(form=st.sampled_from([*FORMS]), bad=st.sets(st.integers(0, MODELS * EPOCHS - 1)), known=st.booleans())
def test_texts_in_a_column_of_numbers_are_left_empty_and_counted(form, bad, known, folder_of):
    assume(known or len(bad) < MODELS)  # else it may be a column of texts
    cells = ["a" if place in bad else place / 8 for place in range(MODELS * EPOCHS)]
    folder = folder_of(form)
    add(folder, form, **{"val_loss" if known else "size": cells})

    zoo, words = told(folder)

    assert np.flatnonzero(zoo.table["val_loss" if known else "size"].isna()).tolist() == sorted(bad)
    assert count_of("that are no number, and left empty", words) == len(bad)


@pytest.mark.parametrize(("form", "lost"), [("model zoo", "*_1/*_000001/checkpoints"), ("checkpoints", "more/m1_1.*")])
def test_a_missing_checkpoint_has_the_settings_of_its_model_and_no_measure(form, lost, folder_of):
    folder = folder_of(form)
    cells = MODELS * EPOCHS
    add(folder, form, val_acc=[0.5] * cells, best_score=[1] * cells, size=[3] * cells, changing=[*range(cells)])
    next(folder.glob(lost)).unlink()

    table = told(folder)[0].table

    hole = table[table["missing"]]
    assert len(hole) == 1 and hole["size"].tolist() == [3] and table["size"].notna().all()
    assert hole[["val_accuracy", "best_score", "test_accuracy", "changing"]].isna().all(axis=None)
    assert table["val_accuracy"].notna().sum() == cells - 1


def test_what_no_table_holds_is_left_out_and_counted(folder_of):
    folder = folder_of("model zoo")
    path = folder / "NN_tune_trainable_1" / "params.json"
    config = json.loads(path.read_text())
    strange = {"layers": [1, 2], "model": 3, "diverged": True, "a\u0000b": 1, "": 2, "long": "a" * 201, "huge": 2**70}
    path.write_text(json.dumps(config | strange | {"deep": {"lr": 1}}))

    zoo, words = told(folder)

    assert count_of("Columns of params.json whose names or values no table holds", words) == 8
    assert zoo.table["note"].tolist()[::2] == ["run 0", "run 1", "run 2"] and not zoo.table["diverged"].any()


@some_examples
@given(model=st.integers(0, MODELS - 1), left=st.floats(0, 1))
@pytest.mark.slow
def test_results_cut_anywhere_lack_as_many_measures_as_are_told(model, left, folder_of):
    folder = folder_of("model zoo")
    path = folder / f"NN_tune_trainable_{model}" / "result.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: round(left * len(whole))])

    zoo, words = told(folder)

    without = int(zoo.table["test_accuracy"].isna().sum())
    assert count_of("Checkpoints without a whole line in result.json", words) == without
    assert without == (EPOCHS if left == 0 else without) and zoo.table["lr"].notna().all()
    path.unlink()
    assert count_of("Checkpoints without a whole line in result.json", told(folder)[1]) == EPOCHS


@some_examples
@given(renamed=st.sets(st.integers(0, MODELS * EPOCHS - 1), min_size=1), name=st.sampled_from(["a.pt", "state", "x"]))
def test_checkpoints_under_other_names_are_counted(renamed, name, folder_of):
    folder = folder_of("model zoo")
    files = sorted(folder.glob("*/*/checkpoints"))
    for place in renamed:
        files[place].rename(files[place].with_name(name))
    if len(renamed) == len(files):
        with pytest.raises(FileNotFoundError, match=f"almost a model zoo: 3 folders .* but 6 as NN_.*/{name}"):
            open_zoo(folder)
        return
    _, words = told(folder)
    assert count_of("look like weights under other names, and are not read", words) == len(renamed)


@some_examples
@given(kept=st.sets(st.integers(0, MODELS * EPOCHS - 1), min_size=1), more=st.integers(0, 3), placed=st.booleans())
def test_rows_without_files_and_files_without_rows_are_counted(kept, more, placed, folder_of):
    folder = folder_of("checkpoints")
    table = pd.read_csv(folder / "table.csv")
    gone = pd.DataFrame({"file": [f"gone_{number}" for number in range(more)], "model": 9, "epoch": 0})
    table = pd.concat([table.iloc[sorted(kept)], gone])
    (table if placed else table.drop(columns=["model", "epoch"])).to_csv(folder / "table.csv", index=False)

    zoo, words = told(folder)

    assert count_of("whose files are not there", words) == more
    assert count_of("Files without a row", words) == MODELS * EPOCHS - len(kept)
    if not placed:
        assert len(zoo) == MODELS * EPOCHS and zoo.table["test_accuracy"].notna().sum() == len(kept)
    elif not words:
        assert (~zoo.table["missing"]).sum() == len(kept)


def test_tables_and_files_that_are_not_read_are_counted(folder_of, models, tmp_path):
    folder = folder_of("checkpoints")
    for name in ("more.tsv", "old.xlsx", "keras.h5", "more/model", "weights.npz", "notes.txt", "optimizer"):
        (folder / name).write_text("a")
    zoo, words = told(folder)
    assert count_of("Tables that are not read", words) == 2 and count_of("Files that look like weights", words) == 3
    _, words = told(folder, table=zoo.table.rename(columns={"path": "file"}))
    assert count_of("Tables that are not read", words) == 3
    for path in [*folder.rglob("*.pt"), *folder.rglob("*.safetensors")]:
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"3 files that look like weights of a kind not read here \(keras.h5"):
        open_zoo(folder)


# ---- what is written


@some_examples
@given(form=st.sampled_from([*FORMS]), columns=st.dictionaries(words, values, max_size=3), by_model=st.booleans())
def test_all_columns_come_back(form, columns, by_model, tmp_path):
    columns |= {"sparsity": [0.5] * 6, "twin_of": [4, 4, 5, 5, 6, 6], "init_std": [0.1] * 6, "bias_init": [0.0] * 6}
    if by_model:
        columns = {name: np.repeat(given[:MODELS], EPOCHS) for name, given in columns.items()}
    zoo = zoo_with(test_accuracy=np.arange(6) / 8, **columns)
    shutil.rmtree(tmp_path / "zoo", ignore_errors=True)

    back, words = told(export_zoo(zoo, tmp_path / "zoo", form))

    assert not words and torch.equal(back.weights, zoo.weights)
    pd.testing.assert_frame_equal(back.table[[*zoo.table]], zoo.table, check_dtype=False)


@pytest.mark.parametrize(
    ("form", "columns", "lost"),
    [
        ("model zoo", {"model": np.repeat([2, 5, 7], 2)}, "model"),
        ("small CNN zoo", {"model": np.repeat([2, 5, 7], 2)}, "model"),
        ("checkpoints", {"model": np.repeat([2, 5, 7], 2)}, None),
        ("model zoo", {"size": [np.inf] * 6}, "size"),
        ("small CNN zoo", {"size": [np.inf] * 6}, None),
        ("model zoo", {"name": ["007"] * 6}, None),
        ("checkpoints", {"name": ["007"] * 6}, "name"),
        ("model zoo", {"text": ["a" * 300] * 6}, "text"),
        ("checkpoints", {"a/b": [1] * 6}, "a/b"),
        ("small CNN zoo", {"config.l2reg": [1.0] * 6}, "config.l2reg"),
        *((form, {"size": pd.array([1, None] * 3, "Int64"), "day": DAYS}, None) for form in FORMS),
        ("model zoo", {"date": [*"abcdef"]}, "date"),  # which Ray Tune notes for itself
        *((form, {"list": [[1]] * 6, "word": ["a", None] * 3}, None) for form in FORMS),
        *((form, {"file": ["a"] * 6}, "file") for form in FORMS),
    ],
)
def test_what_a_form_cannot_hold_is_told(form, columns, lost, tmp_path):
    zoo = zoo_with(**columns)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        export_zoo(zoo, tmp_path / "zoo", form)
    assert [str(one.message).rpartition(": ")[2] for one in said] == [f"{lost}."] * (lost is not None)
    assert {one.filename for one in said} <= {__file__, jaxtyping._decorator.__file__}  # of shape checks


@pytest.mark.parametrize("form", FORMS)
def test_names_that_are_no_texts_are_told(form, tmp_path):
    zoo = zoo_with()
    zoo.table[3] = 1
    with pytest.warns(UserWarning, match="1 columns are missing or have other values: 3"):
        export_zoo(zoo, tmp_path / "zoo", form)


def test_models_are_written_in_the_order_of_their_numbers(tmp_path):
    zoo = zoo_with().take([2, 0, 1])
    for form in FORMS:
        back = open_zoo(export_zoo(zoo, tmp_path / form, form))
        assert back.models.tolist() == [0, 1, 2] and torch.equal(back.weights, zoo.weights[[1, 2, 0]])


# ---- words


def test_a_key_is_found_where_all_was_wrapped_once_more_and_else_those_there_are_named(models, tmp_path):
    state = models[0][0].state_dict()
    (tmp_path / "zoo").mkdir()
    torch.save({"run": {"ema": {**state}, "net": state, "epoch": 3}, "epoch": 3}, tmp_path / "zoo" / "one.pt")
    assert len(open_zoo(tmp_path / "zoo", key="net")) == 1
    with pytest.raises(ValueError, match="no state dict under the key 'student'; there are ema, net"):
        open_zoo(tmp_path / "zoo", key="student")
    with pytest.raises(ValueError, match='could be meant: .*Say it by key="..."'):
        open_zoo(tmp_path / "zoo")
    torch.save(state, tmp_path / "zoo" / "one.pt")
    with pytest.raises(ValueError, match="'student'; it is a state dict itself; files of a zoo are of one form"):
        open_zoo(tmp_path / "zoo", key="student")


def test_a_whole_model_in_a_pickle_is_told_with_what_to_do(models, tmp_path):
    torch.save(models[0][0], tmp_path / "one.pt")
    with pytest.raises(ValueError, match=r"one.pt .*Sequential.*where you trust it, load it .*save its state dict"):
        open_zoo(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "table.npz", "weights.npy"])
def test_a_zoo_of_ours_without_one_of_its_files_is_named(name, tmp_path):
    folder = zoo_with().save(tmp_path / "zoo")
    (folder / name).unlink()
    with pytest.raises((FileNotFoundError, ValueError), match=name):
        open_zoo(folder)


def test_nobody_is_told_to_download_files_of_their_own(folder_of, tmp_path):
    folder = folder_of("checkpoints")
    for table in ("file,model,epoch\nm0_0,0,x\n", "name\na\n", "file\ngone\n", "file\nm0_0\nm0_0\n", "a,a\n1,2\n"):
        (folder / "table.csv").write_text(table)
        with pytest.raises(ValueError, match="table.csv") as said:
            open_zoo(folder)
        assert "download" not in str(said.value)


def test_a_table_that_names_a_column_twice_is_refused(folder_of):
    table = pd.DataFrame([["m0_0", 1, 2]], columns=["file", "lr", "lr"])
    with pytest.raises(ValueError, match="table given names the column 'lr' twice"):
        open_zoo(folder_of("checkpoints"), table=table)


def test_a_table_is_translated_row_by_row_whatever_it_holds():
    table = {"a": [None, [1], {}], "b": [1, None, "x"], 3: [1, 2, 3], "lr": [pd.NaT, "0.5", 1]}
    found, words = translated(pd.DataFrame(table, ["x", "y", "z"]), "t", spelled=True)
    assert [*found] == ["b", "lr"] and found["b"].tolist()[0] == 1 and found["lr"].tolist()[1:] == [0.5, 1]
    assert count_of("whose names or values no table holds", " ".join(words)) == 2


def test_columns_cost_the_same_each_however_many_there_are(monkeypatch):
    from hyperlib.zoos.formats import columns

    calls, name = [], columns.named
    monkeypatch.setattr(columns, "named", lambda theirs: calls.append(theirs) or name(theirs))
    translated(pd.DataFrame({f"metric_{number}": [1.0] for number in range(50)}), "a table")
    assert len(calls) == 50
