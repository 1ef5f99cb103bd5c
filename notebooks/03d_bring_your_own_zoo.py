# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Can a zoo from somewhere else be read?
#
# The thesis's {term}`zoos <zoo>`, and others', are published: trained at a cost that nobody has to pay again. They come in
# folders of other people's making, and so do your own. First comes a folder of your own. Then the three {term}`forms <published form>`
# that others publish are made on the spot, opened in a line each, and read by the probes of chapter 3 ({doc}`/notebooks/03_model_zoos`).
# We have no published file here: the layouts are imitated, as their sources describe them.
#
# **You will see**
#
# - how a folder, yours or a download, becomes one tensor and one table;
# - whether the same networks in three wrappings tell a probe the same;
# - what you are told when something is missing, broken or hostile.

# %% tags=["parameters"]
profile = "quick"  # minutes; "laptop" is what the book publishes

# %% tags=["remove-input", "colab"]
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if "google.colab" in sys.modules and find_spec("hyperlib") is None:
    address = "https://github.com/hyper-representations/companion"
    git = ["git", "clone", "-q", "--depth=1", address, "companion"]
    if not Path("companion").exists():
        subprocess.run(git, check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "-e", "companion"]
    subprocess.run([*pip, "plotly>=6.1,<8"], check=True)
    sys.path.insert(0, str(Path("companion").resolve()))

# %% tags=["hide-input"]
import json
import os
import shutil
import tempfile
import time
import warnings
from itertools import count
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import nn

import hyperlib
from hyperlib.figures import plots
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.tasks import verdicts

study = hyperlib.Study(profile)
MODELS, EPOCHS, TRAIN, DRAWS = (48, 3, 500, 300) if profile == "quick" else (150, 6, 2000, 1000)
scratch = tempfile.TemporaryDirectory()  # gone with this page's process
downloads = Path(scratch.name)

# %% [markdown]
# ## A folder of your own
#
# You have trained a network several times, with any program, and kept files of its weights. Here such a folder is made by a plain PyTorch loop (folded), with the network
# that follows and a table of what is known of each file:

# %% tags=["hide-input"]
class OwnNetwork(nn.Module):
    """A network that the library has never seen, with a shortcut."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x):
        hidden = self.first(x.flatten(1)).tanh()
        return self.last(hidden + self.middle(hidden).relu())


digits, own_folder, known = hyperlib.load_images("digits"), downloads / "my_runs", []
own_folder.mkdir()
for run, lr in enumerate((1e-3, 3e-3, 1e-2)):
    torch.manual_seed(run)
    model = OwnNetwork()
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in (1, 2):
        for rows in torch.randperm(len(digits.train_x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(digits.train_x[rows]), digits.train_y[rows].long()).backward()
            optimiser.step()
        with torch.no_grad():
            right = (model(digits.test_x).argmax(1) == digits.test_y).float().mean()
        torch.save({"epoch": epoch, "model": model.state_dict(), "optimiser": optimiser.state_dict()}, own_folder / f"run_{run}_{epoch}.pt")
        known.append({"file": f"run_{run}_{epoch}.pt", "model": run, "epoch": epoch, "learning_rate": lr, "test_acc": round(float(right), 4)})
own_rows = pd.DataFrame(known)
own_rows.to_csv(own_folder / "table.csv", index=False)

# %% [markdown]
# Two lines open it, a third takes its table. `from_module` traces your network: it runs it once and notes what it does, so it takes nearly every PyTorch module. For a network of the library's list the first line is not needed.

# %%
network = hyperlib.from_module(OwnNetwork(), digits.test_x[:2])
own = hyperlib.open_zoo(own_folder, architecture=network)
train_table = own.samples().table

# %% tags=["hide-input"] table={"name": "tab-formats-own", "caption": "The table of the zoo that was made of the folder. Columns that we have a name for got it; others would have kept theirs."}
own_table = study.publish("zoo-generating-factors", train_table[["path", "model", "epoch", "lr", "test_accuracy"]], "formats_own")
show_table(own_table)

# %% [markdown]
# The table is a file `table.csv` with a row for each file: its column `file` says which, `model` and `epoch` which files are of one training. Without a table every file is a model.
# What else `open_zoo` takes:
#
# | option | what it is for |
# |---|---|
# | `architecture` | the network, where the library's list does not have it |
# | `table` | a table that lies elsewhere, or a DataFrame |
# | `key` | which entry of every file has the state dict, where there are several: `key="ema"` |
# | `epochs` | keep these epochs alone; without, those that at least half of the models have |
# | `order` | for the form *one matrix*: a file with the numbers of its rows in another order, as published splits have it |
# | `cache` | a new folder in which the zoo is kept, so that it opens at once the next time |
#
# ## What lies in a download?
#
# **A folder per model**: the Model Zoos {cite}`schuerholt2022modelzoos` are as the program that trained them left them. `open_zoo` calls this form "model zoo":
#
# ```text
# zoo/
#   NN_tune_trainable_00000/
#     params.json                      settings: "model::nlin", "optim::lr", ...
#     result.json                      a line of measures for each epoch
#     checkpoint_000000/checkpoints    a state dict, by torch.save
#     checkpoint_000001/checkpoints
#   NN_tune_trainable_00001/
# ```
#
# **One matrix**: the Small CNN Zoo {cite}`unterthiner2020` has a row for each {term}`checkpoint`, in TensorFlow's order of axes. The form "small CNN zoo":
#
# ```text
# zoo/
#   weights.npy        a row of numbers for each checkpoint
#   metrics.csv.gz     its settings, its step (the epoch), its losses and accuracies
#   layout.csv         which numbers of a row are which tensor
# ```
#
# **Loose files**: a model hub gives files of state dicts, and, with luck, a table. The form "checkpoints", as your own folder above:
#
# ```text
# zoo/
#   table.csv                   file, model, epoch, test_accuracy, ...
#   seed_1/epoch_0.safetensors
#   seed_1/epoch_1.pt
# ```
#
# Each has its traps. A rate of dropout above zero puts layers into the list, and moves the number in each name behind them. Configurations of the Model Zoos name
# a number of outputs that the networks do not have, and say that there are no biases where there are *(seen in the released code)*. In TensorFlow a kernel has its outputs last. Runs stopped early, and some
# ended in NaN. So nothing is believed that can be looked at: shapes and the order of layers say which tensor is which.
#
# ## Three wrappings of the same networks
#
# First there must be trained networks. They have the form of those in the Small CNN Zoo, with settings drawn at random, and are grown by this library. Then each becomes a plain PyTorch module, written as others would write it:

# %%
def their_network(dropout, nonlinearity):
    """The small CNN of Unterthiner et al. in plain PyTorch."""
    layers = []
    for channels in (1, 16, 16):
        layers += [nn.Conv2d(channels, 16, 3, stride=2), nonlinearity()]
        layers += [nn.Dropout(dropout)] * (dropout > 0)
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]
    return nn.Sequential(*layers, *end).eval()


# %% tags=["hide-input"]
between = hyperlib.Between
images = hyperlib.load_images("mnist5k").subset(train=TRAIN, test=500)
design = hyperlib.draw(
    MODELS, seed=3, activation=["tanh", "relu"], optimizer=["adam", "rmsprop"], lr=between(5e-4, 2e-2, log=True), dropout=[0.0, 0.2],
    weight_decay=[0.0, 1e-4, 1e-3], init=["kaiming_normal", "xavier_normal", "orthogonal"], train_fraction=[0.25, 0.5, 1.0],
)  # fmt: skip
grown = hyperlib.train_population(hyperlib.unterthiner_cnn(), images, design, epochs=EPOCHS, progress=False)
NONLINEARITIES = {"tanh": nn.Tanh, "relu": nn.ReLU}
theirs = {}
for row, weights in zip(grown.table.to_dict("records"), grown.weights.flatten(0, 1), strict=True):
    network = their_network(row["dropout"], NONLINEARITIES[row["activation"]])
    nn.utils.vector_to_parameters(weights.clone(), network.parameters())  # of a part of a tensor torch.save writes all
    theirs[row["model"], row["epoch"]] = network, row

# %% tags=["remove-input"]
say(f"There are {MODELS} models at {EPOCHS + 1} epochs, {len(theirs):,} checkpoints of {grown.weights.shape[-1]:,} weights. PyTorch, NumPy and JSON alone write them into the three kinds of folder (the cells are folded).")

# %% tags=["hide-input"]
SETTINGS = {"seed": "seed", "model::nlin": "activation", "model::dropout": "dropout", "model::init_type": "init", "optim::optimizer": "optimizer",
            "optim::lr": "lr", "optim::wd": "weight_decay"}  # fmt: skip
MEASURES = {"train_loss": "train_loss", "train_acc": "train_accuracy", "test_loss": "test_loss", "test_acc": "test_accuracy"}


def as_a_model_zoo(folder):
    """A folder for each model; every second one was trained on several devices, whose wrapper has put a name before all names."""
    for (model, epoch), (network, row) in theirs.items():
        place = folder / f"NN_tune_trainable_{model:05d}"
        (place / f"checkpoint_{epoch:06d}").mkdir(parents=True)
        before = "module.module_list." if model % 2 else "module_list."
        torch.save({before + name: value for name, value in network.state_dict().items()}, place / f"checkpoint_{epoch:06d}" / "checkpoints")
        config = {key: row[name] for key, name in SETTINGS.items()} | {"model::o_dim": 4, "model::use_bias": False}  # both are untrue
        (place / "params.json").write_text(json.dumps(config))
        with (place / "result.json").open("a") as file:
            measured = {key: row[name] for key, name in MEASURES.items()}
            file.write(json.dumps({**measured, "training_iteration": epoch, "config": config}) + "\n")
    return folder


# %% tags=["hide-input"]
def as_a_small_cnn_zoo(folder):
    """One matrix: biases first, kernels as height x width x in x out, dense layers as in x out."""
    folder.mkdir()
    rows, metrics = [], []
    for (model, epoch), (network, row) in theirs.items():
        layers = [layer for layer in network if hasattr(layer, "weight")]
        axes = [(2, 3, 1, 0) if layer.weight.ndim == 4 else (1, 0) for layer in layers]
        kernels = [layer.weight.detach().permute(order).numpy() for layer, order in zip(layers, axes, strict=True)]
        tensors = [array for layer, kernel in zip(layers, kernels, strict=True) for array in (layer.bias.detach().numpy(), kernel)]
        rows.append(np.concatenate([array.ravel() for array in tensors]))
        config = {"activation": row["activation"], "learning_rate": row["lr"], "dropout": row["dropout"], "optimizer": row["optimizer"],
                  "l2reg": row["weight_decay"] / 2, "train_fraction": row["train_fraction"], "random_seed": row["seed"],
                  "w_init": {"kaiming_normal": "he_normal", "xavier_normal": "glorot_normal"}.get(row["init"], row["init"])}  # fmt: skip
        measured = {name: row[name] for name in MEASURES.values()}
        metrics.append({f"config.{key}": value for key, value in config.items()} | measured | {"modeldir": f"run/{model}", "step": epoch})
    np.save(folder / "weights.npy", np.stack(rows))
    pd.DataFrame(metrics).to_csv(folder / "metrics.csv.gz", index=False)
    ends = np.cumsum([array.size for array in tensors])
    names = [f"sequential/layer_{place}/{kind}:0" for place in range(len(layers)) for kind in ("bias", "kernel")]
    layout = {"varname": names, "start_idx": ends - [array.size for array in tensors], "end_idx": ends}
    pd.DataFrame({**layout, "shape": [str(array.shape) for array in tensors]}).to_csv(folder / "layout.csv", index=False)
    return folder


# %% tags=["hide-input"]
def as_checkpoints(folder):
    """Files of two kinds, in folders, with a table in another order than theirs."""
    known = []
    for (model, epoch), (network, row) in theirs.items():
        (folder / f"seed_{model}").mkdir(parents=True, exist_ok=True)
        name = f"seed_{model}/epoch_{epoch}"
        if model % 2:
            save_file(network.state_dict(), folder / f"{name}.safetensors")
        else:
            torch.save({"epoch": epoch, "state_dict": network.state_dict(), "best": torch.tensor(0.9)}, folder / f"{name}.pt")
        known.append({"file": name, **{key: row[key] for key in ("model", "epoch", *SETTINGS.values(), *MEASURES.values(), "gap")}})
    pd.DataFrame(known[::-1]).to_csv(folder / "table.csv", index=False)
    return folder


FOLDERS, MATRIX, FILES = "a folder per model", "one matrix", "loose files"
WRITERS = {FOLDERS: as_a_model_zoo, MATRIX: as_a_small_cnn_zoo, FILES: as_checkpoints}
folders = {form: write(downloads / form.replace(" ", "_")) for form, write in WRITERS.items()}

# %% [markdown]
# ## From a download to a probe table
#
# `open_zoo` looks at a folder and says what it found; the network is recognised by its tensors. Then everything of the chapters before works as it is:

# %%
zoos = {f: hyperlib.open_zoo(at, progress=False) for f, at in folders.items()}


# %%
def probed(zoo):
    """The probe table of a zoo, whatever folder it came from."""
    train, val, test = (part.spread(4) for part in zoo.split())
    embedders = {"W": hyperlib.RawWeights(), "s(W)": hyperlib.LayerStatistics()}
    settings = hyperlib.Hyperparameters(columns=("lr", "dropout", "optimizer", "init"))
    embedders |= {"settings": settings, "clock": hyperlib.Clock()}
    targets = ["test_accuracy", "epoch"]
    return hyperlib.probe_table(embedders, train, val, test, targets, bootstrap=DRAWS)


# %%
tables = {form: probed(zoo) for form, zoo in zoos.items()}
never_wrapped = probed(grown)

# %% tags=["hide-input"] table={"name": "tab-formats-opened", "caption": "What `open_zoo` makes of the three folders: what it calls the form, the network that it recognises, models, epochs and weights, and settings that it finds, by our names."}
rows = [
    {"folder": form, "form": hyperlib.form_of(folders[form]), "network": zoo.architecture.name, "models": len(zoo), "epochs": len(zoo.epochs),
     "weights": zoo.weights.shape[-1], "settings": ", ".join(name for name in zoo.design if name != "model")}
    for form, zoo in zoos.items()
]  # fmt: skip
opened = study.publish("zoo-generating-factors", pd.DataFrame(rows), "formats")
show_table(opened)

# %% tags=["hide-input"]
told = pd.concat([table.assign(form=form) for form, table in [("never wrapped", never_wrapped), *tables.items()]], ignore_index=True)
told = study.publish("zoo-property-benchmark", told, "formats")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels, one per form: bars of R squared for test accuracy and epoch from raw weights, layer statistics, settings and the clock, with intervals. The panels look the same."}, "figure": {"name": "fig-formats-probes", "caption": "The probe table of each folder: $R^2$ of a linear probe on unseen models, with 95 % intervals. The networks are the same, so the panels should be, too. Below zero is worse than guessing the mean; bars that end in an arrow go on."}}
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
for ax, (form, table) in zip(axes, tables.items(), strict=True):
    plots.intervals(table.replace({"target": {"test_accuracy": "accuracy"}}), ax, by="features", label="target")
    ax.set(title=form, xlabel="R²")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %% tags=["hide-input"] table={"name": "tab-formats-probes", "caption": "$R^2$ on unseen models, by what the probe sees (W: raw weights; s(W): statistics of layers; settings: what the design says; clock: the epoch alone), of the networks before they were wrapped and of each folder; the CSV has intervals and the other scores."}
wide = told.pivot(index=["target", "features"], columns="form", values="value").loc[["test_accuracy", "epoch"], ["never wrapped", *tables]]
show_table(wide.reset_index(), precision=3, of=told)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **The wrapping changes nothing: in all three forms the table has the same numbers as without any, to the last bit.**
#
# How good they are is not asked here: the networks are few and small.
# :::
#
# Three pictures that look alike prove little; so every weight is compared, every number of the tables, and the answers of the plain modules with those of the networks that were read.

# %% tags=["hide-input"] table={"name": "tab-formats-same", "caption": "Each folder against the networks that were wrapped: weights that differ in any bit, numbers of the probe table that differ in any bit from those of the networks before they were wrapped, and the largest difference of a class score between a plain module and the network that was read."}
some = images.test_x[:50]
with torch.no_grad():
    said = torch.stack([network(some) for network, _ in theirs.values()])
checks = []
for form, zoo in zoos.items():
    apart = int((zoo.weights.view(torch.int32) != grown.weights.view(torch.int32)).sum())
    numbers = tables[form].select_dtypes("number")
    before = never_wrapped[numbers.columns].to_numpy()
    other = int((~((numbers.to_numpy() == before) | (numbers.isna() & np.isnan(before)))).to_numpy().sum())
    networks = zip(zoo.weights.flatten(0, 1), zoo.table["activation"], strict=True)
    answers = torch.stack([zoo.architecture.with_activation(kind).logits(row, some) for row, kind in networks])
    checks.append({"form": form, "weights apart": apart, "numbers apart": other, "scores apart": float((answers - said).abs().max())})
same = study.publish("zoo-property-benchmark", pd.DataFrame(checks), "formats_same")
show_table(same)

# %% [markdown]
# ## A zoo larger than memory
#
# With `cache=` the zoo is written once, model by model, as a folder of ours. From then on it is *memory mapped*: the system fetches a piece of the file only when it is used, so opening reads no weights.

# %%
mine = downloads / "mine"
zoo = hyperlib.open_zoo(folders[FOLDERS], cache=mine, progress=False)  # written
zoo = hyperlib.open_zoo(folders[FOLDERS], cache=mine, progress=False)  # mapped

# %% tags=["hide-input"]
files, fresh = sorted(folders[FOLDERS].glob("*/checkpoint_*/checkpoints")), (downloads / f"cache_{number}" for number in count())


def seconds(action, times=3):
    """Shortest of a few runs."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


one_by_one = seconds(lambda: [sum(v.sum() for v in torch.load(file, weights_only=True).values()) for file in files])
first = seconds(lambda: hyperlib.open_zoo(folders[FOLDERS], cache=next(fresh), progress=False).weights.sum())
mapped = seconds(lambda: hyperlib.open_zoo(folders[FOLDERS], cache=mine, progress=False).weights.sum())
ways = {"torch.load, file by file": one_by_one, "open_zoo, first opening, which writes the cache": first, "open_zoo, later openings, mapped": mapped}
took = pd.DataFrame({"way": [*ways], "files": [len(files), len(files), 1], "seconds": [*ways.values()]})
took = study.publish("zoo-generating-factors", took, "formats_seconds")

# %% tags=["hide-input"] table={"name": "tab-formats-seconds", "caption": "Seconds until all weights of the folder per model were read and summed up, shortest of a few times, files in memory."}
show_table(took, precision=3)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **The first opening costs more than reading file by file, 1.3 seconds and .63; every later one costs .05.**
# :::
#
# A folder that changed since is told from the one that the cache was made of, and a conversion that was killed leaves nothing that opens. How long a zoo larger than most memories takes to open is measured
# by `benchmarks/opening.py`.

# %% [markdown]
# ## What goes wrong, and what you are told
#
# A file from the net may hold anything. A *pickle*, the form inside of `torch.save`, may even hold orders to Python, and ordinary loading obeys. Here everything is read so that
# nothing is run. First what is no error. In a folder per model a checkpoint that is not there becomes a row without numbers, marked `missing`, and one with a weight that is no finite number a row that is marked
# `diverged`, as a diverged network of ours is. Rows of a table that name no file are left out. All but `diverged` is told in one warning, with counts and examples:

# %% tags=["hide-input"]
def broken(form, spoil):
    """A copy of a folder in which something was spoilt, and what opening it says: an error, a warning, or nothing."""
    folder = downloads / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folders[form], folder)
    spoil(folder)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            read, error = hyperlib.open_zoo(folder, progress=False), ""
        except (ValueError, FileNotFoundError) as refused:
            read, error = None, str(refused)
    words = error or " ".join(str(one.message) for one in warned)
    return read, words.replace(str(folder.absolute()), "zoo"), str(folder) in words


FIRST, LAST = Path("NN_tune_trainable_00000"), Path("checkpoint_000001", "checkpoints")


def without_number(folder):
    """A checkpoint with a weight that is infinite."""
    state = torch.load(folder / FIRST / LAST, weights_only=True)
    next(iter(state.values()))[0] = torch.inf
    torch.save(state, folder / FIRST / LAST)


def changed(name, before, after):
    """A change of a file's text."""
    return lambda folder: (folder / name).write_text((folder / name).read_text().replace(before, after))


# %% tags=["hide-input"] table={"name": "tab-formats-holes", "caption": "Folders with holes: what was done to them, how many rows of the zoo's table are missing and diverged, and the warning."}
holes = {
    "a checkpoint is lost": (FOLDERS, lambda folder: (folder / FIRST / LAST).unlink()),
    "a checkpoint has another name": (FOLDERS, lambda folder: (folder / FIRST / LAST).rename(folder / FIRST / LAST.with_name("model.pt"))),
    "a weight is infinite": (FOLDERS, without_number),
    "the settings are lost": (FOLDERS, lambda folder: (folder / FIRST / "params.json").unlink()),
    "a setting is no number": (FOLDERS, changed(FIRST / "params.json", '"optim::lr": ', '"optim::lr": "fast", "x": ')),
    "the results are lost": (FOLDERS, lambda folder: (folder / FIRST / "result.json").unlink()),
    "a line of results is cut off": (FOLDERS, lambda folder: (folder / FIRST / "result.json").write_bytes((folder / FIRST / "result.json").read_bytes()[:-9])),
    "rows name files that are not there": (FILES, changed("table.csv", "seed_1/", "../seed_1/")),
    "a second table": (FILES, lambda folder: (folder / "more.tsv").write_text("file\tnote\n")),
}  # fmt: skip
rows = []
for name, (form, spoil) in holes.items():
    read, words, _ = broken(form, spoil)
    lost, ended = (read.table[kind].to_numpy() for kind in ("missing", "diverged"))
    empty = bool(read.weights.flatten(0, 1)[lost | ended].isnan().all()) and len(read.samples()) == (~lost & ~ended).sum()
    rows.append({"done": name, "form": form, "missing": int(lost.sum()), "diverged": int((ended & ~lost).sum()), "without numbers": empty, "warning": words or "none"})
holed = study.publish("zoo-generating-factors", pd.DataFrame(rows), "formats_holes")
show_table(holed[["done", "form", "missing", "diverged", "warning"]], of=holed)

# %% [markdown]
# And here is what is refused, each by a sentence that names the place and says what to do:

# %% tags=["hide-input"]
class Order:
    """A pickle that asks Python to make a folder."""

    def __reduce__(self):
        return os.mkdir, (str(downloads / "it_ran"),)


def replaced(name, change):
    """A change of a file's bytes."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def linked(folder):
    """A link to a file outside."""
    (folder / FIRST / LAST).unlink()
    (folder / FIRST / LAST).symlink_to(Path.home() / "secrets")


def unknown(folder):
    """Files of a network that is not in the library's list."""
    for path in folder.glob("seed_*/*"):
        path.unlink()
    (folder / "table.csv").unlink()
    torch.save(nn.Linear(3, 2).state_dict(), folder / "one.pt")


breaks = {
    "a pickle that gives orders": (FOLDERS, lambda folder: torch.save({"weights": Order()}, folder / FIRST / LAST)),
    "a whole model, pickled": (FILES, lambda folder: torch.save(next(iter(theirs.values()))[0], folder / "seed_0" / "epoch_0.pt")),
    "a checkpoint cut in the middle": (FOLDERS, replaced(FIRST / LAST, lambda whole: whole[: len(whole) // 2])),
    "a link to a file outside": (FOLDERS, linked),
    "checkpoints that all have other names": (FOLDERS, lambda folder: [path.rename(path.with_name("model.pt")) for path in folder.glob("*/*/checkpoints")]),
    "no table of metrics": (MATRIX, lambda folder: (folder / "metrics.csv.gz").unlink()),
    "a matrix cut short": (MATRIX, replaced("weights.npy", lambda whole: whole[:-4])),
    "a layout that skips weights": (MATRIX, replaced("layout.csv", lambda whole: whole[: whole.rindex(b"sequential")])),
    "a table without the column `file`": (FILES, replaced("table.csv", lambda whole: whole.replace(b"file,", b"name,", 1))),
    "a network that nobody told of": (FILES, unknown),
}  # fmt: skip
rows = []
for name, (form, spoil) in breaks.items():
    read, words, named = broken(form, spoil)
    rows.append({"done": name, "form": form, "refused": read is None, "names the place": named, "told": words})
refused = study.publish("zoo-generating-factors", pd.DataFrame(rows), "formats_broken")
ran = (downloads / "it_ran").exists()

# %% tags=["hide-input"] table={"name": "tab-formats-broken", "caption": "Folders that were really broken, and what is told."}
show_table(refused[["done", "form", "told"]], of=refused)

# %% [markdown]
# What neither shapes nor order tell stays open, and then you are asked: layers of one shape whose names have no order, a residual network under other names, a module that is not in the library's
# list. For that there is `architecture=`, as with your own folder above; {doc}`/notebooks/06c_foreign_networks` has more of it. The other way round, `hyperlib.export_zoo` writes a zoo of yours in each of the three
# forms, with all its columns, and warns of those that a form cannot give back.
#
# ```{exercise} A kernel of another order
# :label: ex-formats-axes
# Write a zoo of two networks as a small CNN zoo and take the kernel of the second convolution out of the matrix by hand, with the help of `layout.csv`. Which order of axes gives the
# tensor that PyTorch has? Why would no error tell if you took another?
# ```
#
# ```{solution-start} ex-formats-axes
# :class: dropdown
# ```

# %% tags=["solution"] asks={"tensor": "the second network's kernel of the second convolution as it lies in the matrix, in the shape that `layout.csv` names", "wanted": "the same as PyTorch has it, from the zoo itself", "wrong": "the tensor with its axes in another order, which has the same shape"} hints=["The matrix has height, width, input and output channels, PyTorch output, input, height and width: was the right stretch cut out, of the right network?", "Another order should fit the shape and have other numbers, which is why no error would tell."]
import tempfile
from ast import literal_eval
from pathlib import Path

import numpy as np
import pandas as pd

import hyperlib

cnn = hyperlib.unterthiner_cnn()
both = pd.DataFrame({"model": [0, 1], "epoch": 0, "activation": "relu"})
two = hyperlib.Zoo(cnn, cnn.initialise([0, 1])[:, None], both)
with tempfile.TemporaryDirectory() as there:
    written = hyperlib.export_zoo(two, Path(there) / "zoo", "small CNN zoo")
    matrix = np.load(written / "weights.npy")
    places = pd.read_csv(written / "layout.csv")
kernel = places[places["varname"].str.contains("conv2/kernel")].iloc[0]
tensor = matrix[1, kernel["start_idx"] : kernel["end_idx"]]
tensor = tensor.reshape(literal_eval(kernel["shape"]))
wanted = cnn.layout.unflatten(two.weights[1, 0])["conv2.weight"].numpy()
assert np.array_equal(tensor.transpose(3, 2, 0, 1), wanted)
wrong = tensor.transpose(2, 3, 0, 1)
assert wrong.shape == wanted.shape and not np.array_equal(wrong, wanted)

# %% [markdown]
# Out, in, height, width: axes 3, 2, 0, 1 of theirs. The layer has as many inputs as outputs, so exchanging them gives the same shape and another network. Statistics of the whole layer are
# the same, too, since they know no order; only running the network, or knowing the form, tells.
# ```{solution-end}
# ```
#
# ## What held, what did not

# %% tags=["hide-input"]
by_form = same.set_index("form")
claims = [
    verdicts.counted("the same networks are read, to the bit", {form: (one["weights apart"] == 0, f"{one['weights apart']:.0f} weights apart") for form, one in by_form.iterrows()},
                     source="ours", shown="tab-formats-same", headline=True),
    verdicts.counted("the probe table is the same, to the bit", {form: (one["numbers apart"] == 0, f"{one['numbers apart']:.0f} numbers apart") for form, one in by_form.iterrows()},
                     source="ours", shown="tab-formats-same", headline=True),
    verdicts.counted("networks answer as the plain modules do", {form: (one["scores apart"] < 1e-4, f"scores {one['scores apart']:.0e} apart") for form, one in by_form.iterrows()},
                     source="ours", shown="tab-formats-same"),
    verdicts.counted("what is broken is refused, and its place named", {one["done"]: (one["refused"] and one["names the place"], f"{'refused' if one['refused'] else 'read'}, place {'named' if one['names the place'] else 'not named'}") for _, one in refused.iterrows()},
                     source="ours", shown="tab-formats-broken", headline=True),
    verdicts.counted("nothing in a file was run", {"a pickle that gives orders": (not ran, "its folder was made" if ran else "no folder was made")}, source="ours",
                     shown="tab-formats-broken"),
    verdicts.counted("holes are rows without numbers", {one["done"]: (one["without numbers"], f"{one['missing']} missing, {one['diverged']} diverged") for _, one in holed.iterrows() if one["missing"] + one["diverged"]},
                     source="ours", shown="tab-formats-holes"),
    verdicts.counted("what is left out or left empty is told", {one["done"]: (one["warning"] != "none", "told" if one["warning"] != "none" else "not told") for _, one in holed.iterrows() if not one["diverged"]},
                     source="ours", shown="tab-formats-holes", headline=True),
    verdicts.counted("opened again, a zoo is read three times as fast as file by file", {FOLDERS: (3 * mapped <= one_by_one, "three times, at least" if 3 * mapped <= one_by_one else "less")},
                     source="ours", shown="tab-formats-seconds"),
]  # fmt: skip
card = study.publish("disc-scorecard", verdicts.scorecard(claims), "03d")

# %% tags=["hide-input"] table={"name": "tab-formats-scorecard", "caption": "The page's claims and whether they held; a case is a form, or a way to break one."}
show_table(verdicts.summary(card), of=card)

# %% [markdown]
# **Back to the thesis.** Its zoos and those of others were published so that nobody has to train them again. What the next chapters ask of zoos that were grown here can be asked of those. Whether
# the answers are the published ones is not shown on this page: its folders have the published forms, not the published networks.
