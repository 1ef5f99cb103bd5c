"""Larger trainings of the generator: what is in the table is not run again, and one that fails ends no other."""

from functools import partial

import pandas as pd
import pytest
import torch
from toys import sweep_here

from hyperlib.study import generator_trials
from hyperlib.study.generator_trials import Larger
from hyperlib.study.study import Study
from hyperlib.tasks import generators

SIZES = ["--models", "32", "--steps", "4", "--batch-size", "8", "--asked", "4", "5", "--latent", "4"]
SMALL = ["--zoo", "tetris_positive", "--device", "cpu", *SIZES]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Where the command writes; it grows its zoo in a folder of the test."""
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    return tmp_path / "results" / "paper" / "ghr-diversity.scale.csv"


@pytest.fixture
def here(monkeypatch):
    """No other process (each takes seconds to start), and few networks, drawn by a flow that has hardly learned."""
    monkeypatch.setattr(generator_trials, "judged", partial(generators.judged, drawn=4, flow_steps=2))
    monkeypatch.setattr(generator_trials, "sweep", sweep_here)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)


@pytest.mark.slow
def test_what_is_in_the_table_is_not_run_again(table, here, capsys):
    generator_trials.main([*SMALL, "--behaviour", "0.1", "0", "0.1"])
    first, said = pd.read_csv(table), capsys.readouterr().out
    generator_trials.main([*SMALL, "--behaviour", "0.1", "0"])

    assert "grown and aligned" in said and "behaviour 0.1, latent 4: step 4 of 4" in said
    assert not capsys.readouterr().out
    assert first["behaviour"].tolist() == [0, 0.1] and first["passes"].tolist() == [0, 4 * 4 * 5]
    assert set(first["train_models"]) == {22} and set(first["test_models"]) == {5} and set(first["device"]) == {"cpu"}
    asked = ["milliseconds", "r2", "specificity", "low", "high", "stranger", "possible"]
    drawn = [f"{name}_{what}" for name in ("kde", "flow") for what in generators.OF_DRAWN]
    assert first[[*asked, *drawn, "seconds", "latents", "accuracy", "accuracy_before"]].notna().all(axis=None)
    generator_trials.main([*SMALL, "--behaviour", "0.3"])
    again = pd.read_csv(table)
    pd.testing.assert_frame_equal(again.head(2), first)
    assert again["behaviour"].tolist() == [0, 0.1, 0.3]


@pytest.mark.slow
def test_a_training_that_fails_is_a_line_and_no_row(table, here, monkeypatch, capsys):
    row = generator_trials._row

    def failing(variant, *given):
        if variant.behaviour:
            raise torch.OutOfMemoryError("no memory\nleft")
        return row(variant, *given)

    monkeypatch.setattr(generator_trials, "_row", failing)
    generator_trials.main([*SMALL, "--behaviour", "1", "0"])
    assert pd.read_csv(table)["behaviour"].tolist() == [0]
    assert "failed: OutOfMemoryError, no memory left\n" in capsys.readouterr().out


def test_a_larger_zoo_begins_with_the_models_of_the_book():
    book, larger = (study.recipe("mnist_seed") for study in (Study("laptop"), Larger(2000)))
    assert len(larger.design) == 2000 and larger.design.head(len(book.design)).equals(book.design)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--models", "20"], "models are 30 at least"),
        (["--steps", "0"], "other counts 1"),
        (["--behaviour", "-1"], "a weight from 0 on"),
        (["--behaviour", "nan"], "a weight from 0 on"),
        (["--zoo", "digits_seed"], "no generators for the zoo 'digits_seed'"),
        (["--device", "abacus"], "no device 'abacus'"),
        ([], "no table of these trials; move it away"),
    ],
)
def test_wrong_input_ends_in_a_sentence(table, capsys, wrong, sentence):
    table.parent.mkdir(parents=True)
    table.write_text("x,y\n1,2\n")
    with pytest.raises(SystemExit):
        generator_trials.main([*SMALL, *wrong])
    assert sentence in " ".join(capsys.readouterr().err.split())
