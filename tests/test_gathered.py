"""Checkpoints of other people become a zoo: whatever kind of file, whatever stands beside the weights."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.gathered import gather
from hyperlib.zoos.zoo import Zoo


def model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).eval()


@pytest.fixture(scope="module")
def network():
    return from_module(model(0), torch.rand(2, 4))


def weights_of(network, module: nn.Module) -> torch.Tensor:
    return network.layout.flatten(module.state_dict())


def write(folder, kinds: int = 12) -> list[nn.Module]:
    """Checkpoints of all kinds; those that `torch.save` writes sometimes in a wrapper."""
    models = [model(seed) for seed in range(kinds)]
    for number, one in enumerate(models):
        state = one.state_dict()
        match number % 4:
            case 0:
                save_file(state, folder / f"model_{number}.safetensors")
            case 1:
                torch.save(state, folder / f"model_{number}.pt")
            case 2:
                wrapped = {"state_dict": state, "epoch": 3, "best": torch.tensor(76.1)}
                torch.save(wrapped, folder / f"model_{number}.pth")
            case _:
                torch.save({f"module.{name}": value for name, value in state.items()}, folder / f"model_{number}.bin")
    return models


@pytest.mark.filterwarnings("ignore:The state dict taken is")
def test_a_folder_is_a_zoo_in_the_order_of_its_numbers(network, tmp_path):
    models = write(tmp_path)
    (tmp_path / "notes.txt").write_text("no checkpoint")

    zoo = gather(network, tmp_path)

    assert list(zoo.table["file"].str.extract(r"(\d+)")[0].astype(int)) == list(range(12))
    for row, one in enumerate(models):
        assert torch.equal(zoo.weights[row, 0], weights_of(network, one))
        inputs = torch.rand(5, 4)
        assert torch.allclose(zoo.module(row, 0)(inputs), one(inputs))


def test_files_state_dicts_modules_and_vectors_are_the_same_networks(network, tmp_path):
    models = [model(seed) for seed in range(4)]
    torch.save(models[0].state_dict(), tmp_path / "first.pt")
    mixed = [tmp_path / "first.pt", models[1].state_dict(), models[2], weights_of(network, models[3])]

    zoo = gather(network, mixed)

    assert torch.equal(zoo.weights[:, 0], torch.stack([weights_of(network, one) for one in models]))
    assert class_scores(network, zoo.weights[:, 0], torch.rand(7, 4)).shape == (4, 7, 3)


@pytest.mark.filterwarnings("ignore:The state dict taken is")
def test_properties_are_matched_by_file_and_what_is_not_known_is_missing(network, tmp_path):
    write(tmp_path, 4)
    table = pd.DataFrame({"file": ["model_2", "model_0.safetensors"], "accuracy": [0.5, 0.25]})

    zoo = gather(network, str(tmp_path), table)

    np.testing.assert_array_equal(zoo.table["accuracy"], [0.25, np.nan, 0.5, np.nan])


def test_models_and_epochs_of_a_table_become_axes_whatever_the_order(network):
    rows = [(model_number, epoch) for epoch in (4, 0, 2) for model_number in (7, 3)]
    states = [model(10 * number + epoch).state_dict() for number, epoch in rows]
    table = pd.DataFrame(rows, columns=["model", "epoch"]).assign(loss=range(6))

    zoo = gather(network, states, table)

    assert zoo.weights.shape[:2] == (2, 3) and list(zoo.models) == [3, 7] and list(zoo.epochs) == [0, 2, 4]
    for (number, epoch), state, loss in zip(rows, states, table["loss"], strict=True):
        place = [3, 7].index(number), [0, 2, 4].index(epoch)
        assert torch.equal(zoo.weights[place], network.layout.flatten(state))
        assert zoo.table["loss"].to_numpy().reshape(2, 3)[place] == loss


def test_a_gathered_zoo_is_saved_and_read_and_its_networks_run_again_with_their_class(network, tmp_path):
    zoo = gather(network, [model(seed) for seed in range(3)])
    read = Zoo.load(zoo.save(tmp_path / "zoo"))

    assert torch.equal(read.weights, zoo.weights)
    assert read.architecture.structure.groups == network.structure.groups
    with pytest.raises(ValueError, match="loaded without the code of its class"):
        read.module(0, 0)
    inputs = torch.rand(2, 4)
    again = read.architecture.with_module(model(9))
    assert torch.allclose(again.logits(read.weights[1, 0], inputs), model(1)(inputs))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_kept_in_float32(network, dtype):
    zoo = gather(network, [model(0).to(dtype)])
    assert zoo.weights.dtype == torch.float32
    assert torch.equal(zoo.weights[0, 0], weights_of(network, model(0).to(dtype)).float())


def test_a_network_inside_of_something_larger_is_taken_out(network, tmp_path):
    """As training frameworks save it: the network's name before each of its own, other parts beside it."""
    one = model(3)
    state = {f"model.{name}": value for name, value in one.state_dict().items()} | {"loss.scale": torch.ones(3, 3)}
    torch.save({"state_dict": state, "epoch": 4}, tmp_path / "it.ckpt")

    zoo = gather(network, tmp_path)
    assert torch.equal(zoo.weights[0, 0], weights_of(network, one))
    twice = state | {f"ema.{name}": value for name, value in one.state_dict().items()}
    with pytest.raises(ValueError, match=r"holds several networks of this layout, ema\., model\."):
        gather(network, [twice])


def test_of_several_state_dicts_the_one_that_is_named_is_taken(network, tmp_path):
    one, mean = model(1), model(2)
    both = {"state_dict": one.state_dict(), "state_dict_ema": mean.state_dict(), "epoch": 3}
    torch.save(both, tmp_path / "it.pth")

    with pytest.raises(ValueError, match=r"could be meant: .*Pass the one that is, .*Or say it by key="):
        gather(network, tmp_path)
    for key, wanted in (("state_dict", one), ("state_dict_ema", mean)):
        assert torch.equal(gather(network, tmp_path, key=key).weights[0, 0], weights_of(network, wanted))
    with pytest.raises(ValueError, match="no state dict under the key 'epoch'; there are state_dict, state_dict_ema"):
        gather(network, tmp_path, key="epoch")


def test_what_asks_for_code_says_what_it_asks_for_and_what_to_do(network, tmp_path):
    torch.save({"state_dict": model(0).state_dict(), "best": np.float64(0.5)}, tmp_path / "it.pt")
    with pytest.raises(ValueError, match=r"it asks for numpy\._?core\.multiarray\.scalar\); where you trust it, load"):
        gather(network, tmp_path)


def test_a_single_file_is_told_to_be_one(network, tmp_path):
    torch.save(model(0).state_dict(), tmp_path / "it.pt")
    with pytest.raises(ValueError, match=r"it.pt is a file; a list of one is \['"):
        gather(network, tmp_path / "it.pt")


def test_networks_that_are_not_finite_count_as_diverged(network):
    broken = model(1).state_dict()
    broken["0.weight"][2, 1] = torch.inf
    zoo = gather(network, [model(0), broken])
    assert list(zoo.table["diverged"]) == [False, True] and len(zoo.samples()) == 1


# -- what is no checkpoint of this network -----------------------------------------------------------------------------


class Evil:
    """Would write a file if it were unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_with_code_is_refused_and_the_code_does_not_run(network, tmp_path):
    torch.save({"state_dict": model(0).state_dict(), "more": Evil(tmp_path / "ran")}, tmp_path / "evil.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    for name, why in (("evil.pt", "evil.pt is no checkpoint .* without running code"), ("old.pt", "since PyTorch 1.6")):
        with pytest.raises(ValueError, match=why):
            gather(network, [tmp_path / name])
    assert not (tmp_path / "ran").exists()


def test_a_file_that_unpacks_to_more_than_it_takes_is_refused(network, tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="bomb.pt .* it is compressed"):
        gather(network, [tmp_path / "bomb.pt"])


@pytest.mark.parametrize("cut", [0, 1, 30, 200, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_cut_file_is_named(network, tmp_path, suffix, cut):
    whole = tmp_path / f"whole{suffix}"
    (torch.save if suffix == ".pt" else save_file)(model(0).state_dict(), whole)
    content = whole.read_bytes()
    part = tmp_path / f"part{suffix}"
    part.write_bytes(content[: int(cut * len(content)) if isinstance(cut, float) else cut])
    with pytest.raises(ValueError, match=f"part{suffix} is no checkpoint of Sequential: it "):
        gather(network, [whole, part])


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_input_is_refused_in_one_sentence(network, tmp_path):
    states = [model(0).state_dict(), model(1).state_dict()]
    other = nn.Linear(4, 3)
    for arguments, kind, message in (
        ((network, tmp_path / "nothing"), FileNotFoundError, "no folder .*nothing"),
        ((network, tmp_path), FileNotFoundError, "no checkpoints in .*safetensors"),
        ((network, []), FileNotFoundError, "no checkpoints"),
        ((network, [tmp_path / "absent.pt"]), FileNotFoundError, "no file .*absent.pt"),
        ((network, states[0]), TypeError, "put a single one into a list"),
        ((network, [other]), ValueError, "checkpoint 0 is no checkpoint of Sequential: The state dict lacks"),
        ((network, [torch.zeros(3)]), ValueError, "checkpoint 0 .* Do they belong to another architecture"),
        ((network.layout, states), TypeError, "gather needs an Architecture, and got a Layout"),
        ((network, states, pd.DataFrame({"a": [1]})), ValueError, "1 rows for 2 checkpoints"),
        ((network, states, {"a": [1, 2]}), TypeError, "pandas DataFrame, not a dict"),
        ((network, states, pd.DataFrame({"model": [0, 0], "epoch": [1, 1]})), ValueError, "same epochs"),
        ((network, states, pd.DataFrame({"model": [0, 1], "epoch": [1, 2]})), ValueError, "number every checkpoint"),
        ((network, states, pd.DataFrame({"model": ["a", "b"]})), ValueError, "'model' says a whole number"),
    ):
        with pytest.raises(kind, match=message):
            gather(*arguments)


@pytest.mark.filterwarnings("ignore:The state dict taken is")
def test_a_table_that_names_files_wrongly_is_refused(network, tmp_path):
    write(tmp_path, 2)
    twice = ["model_0", "model_0.safetensors"]
    for files, message in ((twice, "several rows of model_0"), (["model_5"], "no such file")):
        with pytest.raises(ValueError, match=message):
            gather(network, tmp_path, pd.DataFrame({"file": files}))
