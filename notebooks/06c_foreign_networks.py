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
# # Does it work on networks that nobody trained for it?
#
# All networks of the chapters before are lists of layers that this library knows. Chapter 6 of the thesis {cite}`thesis` embeds
# networks of other people. What that takes before any learning is shown here, on ordinary PyTorch modules: a perceptron, a CNN with {term}`batch norms <batch norm>`, a
# {term}`transformer` and an LSTM, trained on this page by an ordinary loop.
#
# **You will see**
#
# - how a module becomes a network whose symmetries are known, without a word on its layers;
# - whether two transformers, or two LSTMs, are one network in another order;
# - a {term}`zoo` of transformers, read by the same probes as the zoos of chapter 4.

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
from math import lgamma, log

import numpy as np
import pandas as pd
import torch

import hyperlib
from hyperlib.figures import interactive, plots
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study import foreign
from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import mean_over_pairs
from hyperlib.zoos.gathered import SUFFIXES

study = hyperlib.Study(profile)
quick = profile == "quick"
digits = hyperlib.load_images("digits")
SEEDS, EPOCHS = (3, 3) if quick else (8, 20)
zoos = {kind: foreign.foreign_zoo(kind, digits, seeds=SEEDS, epochs=EPOCHS) for kind in foreign.DIGITS}

# %% [markdown]
# ## What does it take?
#
# A module and something to call it with. `from_module` runs the module once and notes every elementary operation; from these follows which units
# have to move together. Then each move is tried in double precision, and what changes an output is not offered.

# %%
model, random = foreign.Transformer(), torch.Generator().manual_seed(0)
network = hyperlib.from_module(model, digits.test_x[:2])
weights = network.layout.flatten(model.state_dict())
orders = hyperlib.random_permutations(network, 5, random)
index = hyperlib.permutation_index(network, orders)
copies = weights.expand(5, -1).gather(-1, index)  # other weights, same function
laid = hyperlib.align(network, weights, copies)
tokens = hyperlib.Tokenizer(network.layout, 32).encode(weights)
spectra = hyperlib.spectral_table(weights, network.layout)

# %% tags=["remove-input"]
before, after = (network.logits(rows, digits.test_x[:50]) for rows in (weights[None], copies))
back = hyperlib.Tokenizer(network.layout, 32).decode(tokens)
say(
    f"The transformer has {network.num_weights:,} weights. Its copies are {float((copies - weights).norm(dim=1).mean()):.1f} away (euclidean) and answer the same, "
    f"but for {float((after - before).abs().max()):.0e}; alignment finds the way back in {int((laid.distance < 1e-4).sum())} of {len(copies)} cases. "
    f"As {tokens.shape[0]} tokens of width {tokens.shape[1]} the weights come back {'to the bit' if torch.equal(back, weights) else 'with errors'}. "
    f"Spectra of {len(spectra)} matrices come with it."
)

# %% [markdown]
# ## Which units can change places?
#
# In a perceptron every hidden layer is a group. Elsewhere it takes more thought, and a wrong guess changes the function without a word. In the
# transformer whole heads can change places, and inside of each head there are two orders, one that queries and keys share, another that values share with the projection
# behind them; both are free for every head by itself *(our derivation; each is checked by numbers here)*:

# %% tags=["hide-input"] table={"name": "tab-foreign-groups", "caption": "Groups of units that can change places in the transformer, with how many units each has, and in how many blocks it stands, each with an order of its own."}
transformer = zoos["transformer"].architecture
structure = transformer.structure
called = {
    "place": "stream (what layers add to)", "encoder.self_attn[0:32]#1": "heads",
    "encoder.self_attn[0:32]#2": "inside a head: queries and keys", "encoder.self_attn[64:96]#2": "inside a head: values",
    "encoder.linear1": "feed-forward",
}  # fmt: skip
groups = pd.DataFrame({"group": list(structure.groups), "units": list(structure.groups.values())})
groups["blocks"] = groups["group"].map(structure.blocks)
groups["units of"] = groups["group"].replace(called)
groups = study.publish("sane-foreign", groups, "groups")
show_table(groups[["units of", "units", "blocks"]])

# %% [markdown]
# Here are eight networks as people write them. Three of them are traps that earlier versions of this library fell into:
#
# - an *actor and critic* with two heads: who looks at the last output alone takes the other's units for hidden and permutes actions;
# - a *ResNet that pads* its shortcuts with zeros, half before and half behind: channels of both streams are tied, one to one, but not at the same numbers;
# - a layer of which nothing is known (a *Fourier transform*): a {term}`wall`. Units that touch it stay, and all others move.

# %% tags=["hide-input"]
traced = {kind: (zoo.architecture, digits.test_x[:2]) for kind, zoo in zoos.items()}
for kind, make in foreign.TRACED.items():
    module, inputs = foreign.made(lambda make=make: make()[0], 0), make()[1]
    traced[kind] = hyperlib.from_module(module, inputs, name=kind), inputs


def log10_of_orbit(structure):
    """Logarithm of the number of orders of all units, to base 10."""
    each = ((width, structure.blocks[name]) for name, width in structure.groups.items())
    return sum(blocks * lgamma(width + 1) for width, blocks in each) / log(10)


every_move, rows = study.publish("sane-foreign", foreign.every_move(traced), "moves"), []
for kind, (one, _) in traced.items():
    kinds = every_move.query("offered and network == @kind").groupby("symmetry")["holds"]
    offered = {f"{name}s": f"{int(held.sum())} of {len(held)}" for name, held in kinds}
    rows.append({"network": kind, "weights": one.num_weights, **offered, "walls": len(one.walls),
                 "log10 of the orbit": log10_of_orbit(one.structure)})  # fmt: skip
bridged = study.publish("sane-foreign", pd.DataFrame(rows).fillna("none"), "bridge")

# %% tags=["hide-input"] table={"name": "tab-foreign-bridge", "caption": "Eight modules: offered moves that leave all outputs as they are, of those offered (one permutation per group of units, one sign and one scaling per signal), operations that are walls, and the logarithm of the number of orders of the units."}
show_table(bridged[["network", "weights", "permutations", "signs", "scalings", "walls", "log10 of the orbit"]], precision=0)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Every move that is offered holds, in networks of eight kinds.**
#
# - The padded ResNet keeps its free groups: the inner ones, and the streams with what their shortcuts tie.
# - The Fourier transform is a wall: a single group is left, behind it, since a transform mixes what it reads.
# - An LSTM's units can change their signs: its gates stay, and its cell turns with the reading layers.
# :::
#
# What is *not* done: continuous symmetries of attention (queries times any invertible matrix, keys times its inverse) are of no finite number, and no
# order finds them; of these only signs and scales are offered.
#
# ### A checkpoint is more than weights
#
# Files hold an epoch, an accuracy, an optimiser. Read as it stands, the following would be a network of one weight:

# %%
checkpoint = {"state_dict": model.state_dict(), "best_acc1": torch.tensor(76.1)}
found = hyperlib.find_state_dict(checkpoint)
found.remark

# %% [markdown]
# ## Are two trained transformers one network in another order?
#
# Chapter 2 laid CNNs on each other ({doc}`/notebooks/02b_symmetries`). The same question for networks that are not ours: on the straight line between two that
# differ by their seed there is a {term}`barrier`. Is it only the order of their units {cite}`ainsworth2023`?
#
# First the tool. Each network gets random orders (and signs where they are free), and alignment must find the way back. The control has one start
# and no {term}`canonical form`:

# %% tags=["hide-input"]
planted = study.publish("sane-foreign", foreign.planted_copies(zoos), "planted")

# %% tags=["hide-input"] table={"name": "tab-foreign-planted", "caption": "Copies in random order and with random signs that alignment lays exactly on their original, by how it starts."}
show_table(planted.pivot(index="network", columns="way", values="found").reindex(list(zoos)).reset_index(), of=planted)

# %% tags=["hide-input"]
pairs = torch.combinations(torch.arange(SEEDS), 2)
lines, heights = foreign.lines_between_seeds(zoos, digits, pairs)
study.publish("sane-foreign", heights, "barriers")
ways = ["two seeds", "aligned", "with signs"]

# %% tags=["hide-input"] mystnb={"image": {"alt": "A panel for each of MLP, CNN with norms, transformer and LSTM: test loss on the way between two networks, as trained, aligned by order, and aligned by order and signs."}, "figure": {"name": "fig-foreign-lines", "caption": "Test loss on the straight line between two networks that differ by their seed, as trained, laid on each other by the order of their units, and by order and signs: median over pairs, bands from the 5th to the 95th and from the 25th to the 75th percentile. The CNN's norms are measured anew on the way. Buttons bring one setting to the front."}}
movable(interactive.barrier_lines(lines, ways), plots.panels_of_lines(lines, ways))

# %% tags=["hide-input"] table={"name": "tab-foreign-barriers", "caption": "Mean barrier over pairs of seeds; own copy: the same network in a random order."}
means = heights.pivot_table(index="network", columns="setting", values="barrier").reindex(list(zoos))
accuracies = heights[heights["setting"] == "two seeds"].groupby("network")["accuracy"].mean()
means.insert(0, "accuracy of the ends", accuracies)
show_table(means[["accuracy of the ends", "own copy", *ways]].reset_index(), precision=2, of=heights)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Order is nearly the whole barrier in perceptrons, most of it in the CNN and more than half of it in the LSTM. In the transformer it is not.**
#
# - Laid on each other, networks have a lower barrier in the MLP (.36 to .03), the CNN (1.39 to .21) and the LSTM (1.33 to .57). Signs take more off in the LSTM (.35), and not surely elsewhere.
# - In the transformer alignment changes little that is sure (1.85 as trained, 1.89 aligned, 1.65 with signs). All its planted orders are found, so the search is not to blame: two
#   seeds differ by more than order. Attention has continuous symmetries, too, which no order undoes.
# - The *own copy* of a network, the same function, has a barrier as high as another seed's.
# :::
#
# ## Does a zoo of transformers tell how good its members are?
#
# Checkpoints of one module become a zoo in one call, from a folder, a list of files or of state dicts; nothing in a file is ever executed. A table says what is known of
# them:

# %%
states = foreign.trained(foreign.Transformer, digits, seed=0, epochs=2)
table = pd.DataFrame({"model": 0, "epoch": range(3)})
small = hyperlib.gather(network, states, table)  # or a folder's path

# %% [markdown]
# Then the tools of the chapters before work as they are. Here are transformers that differ in seed and learning rate; a linear probe reads test accuracy off
# the statistics of their weights ({doc}`/notebooks/04b_model_properties` has the same for CNNs). Controls: the *clock* knows the epoch alone, the *settings* the learning
# rate.

# %% tags=["hide-input"]
lrs = np.logspace(-4, -1.7, 4 if quick else 12).tolist()
many = foreign.foreign_zoo("transformer", digits, seeds=3 if quick else 6, epochs=3 if quick else 10, lrs=lrs)
parts = many.split()
last = [part.samples(part.epochs[-1]) for part in parts]
readers = {"settings": hyperlib.Hyperparameters(columns=("lr",)), "statistics": hyperlib.LayerStatistics(), "raw weights": hyperlib.RawWeights()}
told = hyperlib.probe_table(readers, *last, columns=["test_accuracy"], bootstrap=300 if quick else 1000)
told = study.publish("sane-foreign", told, "probes")

# %% tags=["hide-input"] table={"name": "tab-foreign-probes", "caption": "Test accuracy of transformers at their last epoch, read by a linear probe from models that it has not seen: R² with a 95 % interval over models."}
show_table(told[["features", "dimensions", "value", "low", "high"]], precision=2, of=told)

# %% tags=["remove-input"]
spread = last[2].table["test_accuracy"]
say(f"The {len(last[2])} transformers of the test part have accuracies from {spread.min():.2f} to {spread.max():.2f}; {len(last[0])} are there to learn from.")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **It does: statistics of weights tell the accuracy of a transformer that the probe has not seen (R² of .95), far better than its learning rate (.47).**
#
# - Raw weights are of no use (.00), as in the CNN zoos: with so many weights and so few models a linear probe has no hold.
# - Transformers of one zoo differ by learning rate first, and statistics see what it does to the lengths of weights.
# :::
#
# ## Spectra, in the conventions that others use
#
# `spectral_table` gives one row per matrix, with the numbers of WeightWatcher {cite}`martin2021,martin2021trends`: they agree with the release named in its docstring to the last digits, but for layers with few
# eigenvalues, which are left open here. A {term}`power law` needs many of them, so of our small networks the perceptron alone has some:

# %% tags=["hide-input"] table={"name": "tab-foreign-spectra", "caption": "Spectra of the perceptrons' layers before and after training, means over seeds: decimal logarithm of the largest eigenvalue, exponent of the tail (only from fifty eigenvalues on), exponent weighted by that logarithm, and stable rank."}
perceptrons = zoos["MLP"]
wanted = ["log_spectral_norm", "alpha", "weighted_alpha", "stable_rank"]
by_epoch = []
for epoch in (0, EPOCHS):
    samples = perceptrons.samples(epoch)
    rows = hyperlib.spectral_table(samples.weights, samples.architecture.layout)
    by_epoch.append(rows.assign(epoch=epoch, matrix=rows["shape"].map(lambda shape: f"{shape[0]} x {shape[1]}")))
by_epoch = pd.concat(by_epoch)
spectra = study.publish("sane-foreign", by_epoch.groupby(["name", "matrix", "epoch"])[wanted].mean().reset_index(), "spectra")
show_table(spectra, precision=2)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Training makes the tails heavy.**
#
# - The exponent falls from 5.8 to 1.8 in the first layer and from 5.5 to 1.7 in the second; the largest eigenvalue grows, and the stable rank is halved at least.
# - Before training there is no power law: a fit always gives an exponent, and one as large as that says so.
# :::
#
# ## Your own folder
#
# Put checkpoints into a folder `checkpoints` of the data folder (`HYPERLIB_DATA`), of whatever networks, and run this page again: what a state dict alone tells needs no
# module.

# %% tags=["hide-input"]
folder = foreign.own_folder()
own = foreign.read_folder(folder)
if len(own):
    show_table(own, rows=min(8, len(own)))

# %% tags=["remove-input"]
said = f"{len(own)} checkpoints were read from it." if len(own) else f"There are none now (files ending in {', '.join(SUFFIXES)})."
say(said)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Two heads by hand
# :label: ex-foreign-heads
# Trace the actor and critic of this page (`foreign.ActorCritic`). Which units may move? Swap two of its actions by hand, and say why the library would not.
# ```
#
# ```{solution-start} ex-foreign-heads
# :class: dropdown
# ```

# %% tags=["solution"]
import torch

import hyperlib
from hyperlib.study.foreign import ActorCritic, made

agent, seen = made(ActorCritic, 0), torch.rand(5, 8)
its = hyperlib.from_module(agent, seen)
assert set(its.structure.groups) == {"trunk.0", "trunk.2"}
policy, value = agent(seen)
with torch.no_grad():
    for part in (agent.policy.weight, agent.policy.bias):
        part[[0, 1]] = part[[1, 0]]
swapped, same = agent(seen)
assert torch.equal(same, value)  # the last output shows nothing
assert not torch.allclose(swapped, policy)

# %% [markdown]
# Only the trunk's units are hidden. Both heads are outputs, and what they are connected to outside is not for a network to decide: action 0 would be action 1.
# ```{solution-end}
# ```
#
# ```{exercise} Heads in another order
# :label: ex-foreign-attention
# Give the four heads of the transformer another order, and nothing else. Does the function stay? Does alignment find that order?
# ```
#
# ```{solution-start} ex-foreign-attention
# :class: dropdown
# ```

# %% tags=["solution"]
import torch

import hyperlib
from hyperlib.study.foreign import Transformer, made

images = hyperlib.load_images("digits").test_x[:20]
module = made(Transformer, 3)
net = hyperlib.from_module(module, images)
own_weights = net.layout.flatten(module.state_dict())
heads = next(name for name in net.structure.groups if name.endswith("[0:32]#1"))
order = torch.tensor([[2, 0, 3, 1]])
places = hyperlib.permutation_index(net, {heads: order})
turned = own_weights[None].gather(-1, places)
answers = net.logits(torch.cat([own_weights[None], turned]), images)
assert torch.allclose(answers[0], answers[1], atol=1e-5)
found_back = hyperlib.align(net, own_weights, turned)
assert found_back.distance[0] == 0 and found_back.agreed[0]

# %% [markdown]
# It does both. A head is a block: its queries, keys and values and the columns of the projection move together, whatever order they have inside.
# ```{solution-end}
# ```
#
# ```{exercise} Build a wall
# :label: ex-foreign-wall
# Write a module with three linear layers that sorts the units of the second one. Predict which groups are left before you trace it.
# ```
#
# ```{solution-start} ex-foreign-wall
# :class: dropdown
# ```

# %% tags=["solution"]
import torch
from torch import nn

import hyperlib


class Sorting(nn.Module):
    """Three layers; the second one's units are sorted by what they say."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 8), nn.Linear(8, 8)
        self.three = nn.Linear(8, 2)

    def forward(self, x):
        hidden = self.two(torch.tanh(self.one(x)))
        return self.three(torch.tanh(hidden).sort(-1).values)


sorting = hyperlib.from_module(Sorting(), torch.rand(3, 4))
assert list(sorting.structure.groups) == ["one"]

# %% [markdown]
# The first layer's units are free. The second one's could be permuted as well, since sorting undoes any order, but then its reader must *not* follow: that is no move of
# this library, which keeps such units where they are rather than guess.
# ```{solution-end}
# ```
#
# ## What held, what did not

# %% tags=["hide-input"]
held = {kind: (bool(part["holds"].all()), f"{int(part['holds'].sum())} of {len(part)} moves")
        for kind, part in every_move[every_move["offered"]].groupby("network", sort=False)}  # fmt: skip
sure = planted[planted["way"] == foreign.DEFAULT].set_index("network")
exact = {kind: (row["found"] == row["copies"], f"{row['found']} of {row['copies']}") for kind, row in sure.iterrows()}
height = heights.pivot(index=["network", "pair"], columns="setting", values="barrier")
MARGIN = 0.05  # of loss, as in chapter 2


def over_pairs(measured):
    """Mean over pairs of something measured on each, with an interval over models."""
    return {kind: mean_over_pairs(measured(height.loc[kind]).to_numpy(), pairs.numpy()) for kind in zoos}


told_by = told.set_index("features")
better = told_by.loc["statistics"], told_by.loc["settings"]
claims = [
    verdicts.counted("offered moves keep all outputs", held, source="ours", shown="tab-foreign-bridge", headline=True),
    verdicts.counted("planted orders and signs are found by default", exact, source="ours", shown="tab-foreign-planted", headline=True),
    verdicts.tested("there is a barrier between two seeds", over_pairs(lambda t: t["two seeds"]), source="ch. 2 (inferred)",
                    shown="fig-foreign-lines", margin=MARGIN),
    verdicts.tested("the order of units lowers it", over_pairs(lambda t: t["two seeds"] - t["aligned"]),
                    source="Ainsworth et al. 2023, for CNNs and MLPs", shown="fig-foreign-lines", margin=MARGIN, headline=True),
    verdicts.tested("signs lower it further", over_pairs(lambda t: t["aligned"] - t["with signs"]), source="ours",
                    shown="tab-foreign-barriers", margin=MARGIN),
    verdicts.tested("order and signs leave less than a twentieth of it", over_pairs(lambda t: 0.05 * t["two seeds"] - t["with signs"]),
                    source="Entezari et al. 2022, for CNNs and MLPs", shown="tab-foreign-barriers"),
    verdicts.tested("statistics of transformers tell their accuracy (R² > 0)",
                    {"transformer": tuple(better[0][["value", "low", "high"]])}, source="ch. 4, for CNNs", shown="tab-foreign-probes",
                    headline=True),
]  # fmt: skip
card = study.publish("disc-scorecard", verdicts.scorecard(claims), "06c")

# %% tags=["hide-input"] table={"name": "tab-foreign-scorecard", "caption": "The page's claims; a case is a network."}
show_table(verdicts.summary(card), rows=7, of=card)

# %% [markdown]
# **Back to the thesis.** Chapter 6 learns from networks of all sizes, and trains on aligned ones. Here is what it can rely on for networks of other people, and what not. Their
# embeddings come with that chapter.
