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
# {term}`transformer` and an {term}`LSTM`, trained while this page is made by an ordinary loop of Adam. They stand in for networks of other people: none is downloaded.
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
import inspect
from math import lgamma, log

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import hyperlib
from hyperlib import SaneReader
from hyperlib.figures import interactive, plots, style
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study import foreign, foreign_modules, sane_layers
from hyperlib.study.representations import representations
from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import between, jackknife, mean_of, mean_over_both, mean_over_pairs
from hyperlib.thesis.book_sane import sane_recipe
from hyperlib.zoos.gathered import SUFFIXES

study = hyperlib.Study(profile)
quick, repeats = profile == "quick", {"quick": 1, "laptop": 3, "paper": 3}[profile]
trained_sanes = {f"{name} {k}": (sane_recipe(recipe, profile), k)
                 for name, recipe in (("CNNs", "all"), ("untrained", "untrained")) for k in range(repeats)}  # fmt: skip
digits = hyperlib.load_images("digits")
SEEDS, EPOCHS = (3, 3) if quick else (8, 20)
zoos = {kind: foreign.foreign_zoo(kind, digits, seeds=SEEDS, epochs=EPOCHS) for kind in foreign_modules.DIGITS}
beside = {kind: foreign.twins(kind, zoo, digits) for kind, zoo in zoos.items()}

# %% [markdown]
# ## What does it take?
#
# A module and something to call it with. `from_module` runs the module once and notes every elementary operation; from these follows which units
# have to move together. A move is another *order* of units, a *sign* (units write the negative, and what reads them takes it back) or a *scaling* (the same with positive factors). Each is tried in double precision, and what changes an output is not offered.

# %%
model = foreign_modules.made(foreign_modules.Transformer, seed=0)
network = hyperlib.from_module(model, digits.test_x[:2])
weights = network.layout.flatten(model.state_dict())
generator = torch.Generator().manual_seed(0)
orders = hyperlib.random_permutations(network, 5, generator)
index = hyperlib.permutation_index(network, orders)
copies = weights.expand(5, -1).gather(-1, index)  # other weights, same function

# %% tags=["remove-input"]
before, after = (network.logits(rows, digits.test_x[:50]) for rows in (weights[None], copies))
say(
    f"The transformer has {network.num_weights:,} weights and {len(network.structure.groups)} groups of units that move together. Its copies are "
    f"{float((copies - weights).norm(dim=1).mean()):.1f} away (euclidean) and answer the same, but for {float((after - before).abs().max()):.0e}, which is rounding."
)

# %% [markdown]
# The module is ordinary, and the bridge knows no more of it than what it does:

# %%
print(inspect.getsource(foreign_modules.Transformer))

# %% [markdown]
# ## Which units can change places?
#
# A {term}`group` is a set of units that must move together. In a perceptron every hidden layer is one. Elsewhere it takes more thought, and a wrong guess changes the function
# without a word. In a transformer whole heads can change places, and inside of each head there are two orders: of the numbers in which queries and keys are compared, and of those that
# values hand on to the projection behind them. Both are free for every head by itself, as known from work on merging transformers {cite}`verma2024` *(here they are derived from the run)*:

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
groups["what they are"] = groups["group"].replace(called)
groups = study.publish("sane-foreign", groups, "groups")
show_table(groups[["what they are", "group", "units", "blocks"]])

# %% [markdown]
# Here are networks as people write them. Some are traps that earlier versions of this library fell into:
#
# - an *actor and critic* with two outputs: whoever looks at the last one alone takes the action units for hidden ones, and permutes actions;
# - a *ResNet that pads* its shortcuts with zeros, half before and half behind: channels of both streams are tied, one to one, but not at the same numbers;
# - a layer of which nothing is known (a *Fourier transform*): a {term}`wall`. Units that touch it stay, and all others move;
# - a decoder layer with *grouped queries*: several heads of queries share one of keys and values, and can only move together.

# %% tags=["hide-input"]
traced = {kind: (zoo.architecture, digits.test_x[:2]) for kind, zoo in zoos.items()} | foreign_modules.traced()


def log10_of_orbit(structure):
    """Logarithm of the number of orders of all units, to base 10."""
    each = ((width, structure.blocks[name]) for name, width in structure.groups.items())
    return sum(blocks * lgamma(width + 1) for width, blocks in each) / log(10)


every_move, rows = study.publish("sane-foreign", foreign.every_move(traced), "moves"), []
for kind, (one, _) in traced.items():
    kinds = every_move.query("offered and network == @kind").groupby("symmetry")["holds"]
    offered = {f"{name}s": f"{int(held.sum())} of {len(held)}" for name, held in kinds}
    rows.append({"network": kind, "weights": one.num_weights, **offered, "walls": len(one.walls),
                 "orders (log10)": log10_of_orbit(one.structure)})  # fmt: skip
bridged = study.publish("sane-foreign", pd.DataFrame(rows).fillna("none"), "bridge")

# %% tags=["hide-input"] table={"name": "tab-foreign-bridge", "caption": "Moves that are offered and leave all outputs as they are when tried again, of those offered (one permutation per group; one sign and one scaling for all numbers that can only be multiplied together), operations that are walls, and the decimal logarithm of the number of orders of the units."}
show_table(bridged[["network", "weights", "permutations", "signs", "scalings", "walls", "orders (log10)"]], precision=0)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **All 106 moves that are offered keep all outputs when tried again, and all 58 signs and scalings that were refused change them.**
#
# - The padded ResNet keeps its free groups: the inner ones, and the streams with what their shortcuts tie.
# - Fourier transform and real part are walls: a single group is left behind them, since a transform mixes what it reads.
# - An LSTM's units can change their signs: turn the sign of what a unit would write, and its cell and output turn; weights that read the output, also those of the next step's gates, turn back.
# :::
#
# What is *not* done: inside of a head, queries and keys have an invertible matrix free, values and projection another; a residual stream can be rotated; a bias of the keys changes nothing at
# all. No order finds these {cite}`theus2025`. Alignment uses orders and signs alone, and activations can be matched for lists of layers only.
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
# Chapter 2 laid CNNs on each other ({doc}`/notebooks/02b_symmetries`). The same question for networks that are no lists of layers: on the straight line between two that
# differ by their seed there is a {term}`barrier`. Is it only the order of their units {cite}`ainsworth2023`? For transformers, permutations lower it {cite}`verma2024`, and more
# symmetries than permutations remove it {cite}`theus2025`.
#
# First the tool. An order is hidden, and alignment must find it: in the *own copy* of a network, and in its *twin*, which began as the same network and saw the training images in another
# order, so that it is another function.

# %% tags=["hide-input"]
planted = study.publish("sane-foreign", foreign.planted_orders(zoos, beside), "planted")
undone = planted.assign(found=[f"{row.found} of {row.copies}" for row in planted.itertuples()])
wide = undone.pivot(index="network", columns="moved", values="found").reindex(list(zoos))
wide["distance of a twin"] = planted.query("moved == 'twin'").set_index("network")["distance"]

# %% tags=["hide-input"] table={"name": "tab-foreign-planted", "caption": "Random orders, with random signs where they are free, that alignment undoes exactly, by what was moved, and how far a network and its twin are apart."}
show_table(wide.reset_index(), precision=1, of=planted)

# %% tags=["hide-input"]
pairs = torch.combinations(torch.arange(SEEDS), 2)
lines, heights = foreign.lines_between_seeds(zoos, beside, digits, pairs)
study.publish("sane-foreign", heights, "barriers")
ways = ["same start", "two seeds", "aligned", "with signs"]

# %% tags=["hide-input"] mystnb={"image": {"alt": "A panel for each of MLP, CNN with norms, transformer, wide transformer and LSTM: test loss on the way between two networks of one start, of two seeds, and of two seeds aligned by order, and by order and signs."}, "figure": {"name": "fig-foreign-lines", "caption": "Test loss on the straight line between two networks: of one start with other batches, of two seeds as trained, and laid on each other by the order of their units, and by order and signs: median over pairs, bands from the 5th to the 95th and from the 25th to the 75th percentile; each panel has its own scale. The CNN's norms are measured anew on the way. Buttons bring one setting to the front."}}
movable(interactive.barrier_lines(lines, ways), plots.panels_of_lines(lines, ways))

# %% tags=["hide-input"] table={"name": "tab-foreign-barriers", "caption": "Mean barrier of loss over pairs; own copy: the same network in a random order; same start: a network and its twin. The last column is the mean accuracy of the ends."}
means = heights.pivot_table(index="network", columns="setting", values="barrier").reindex(list(zoos))
means["accuracy"] = heights[heights["setting"] == "two seeds"].groupby("network")["accuracy"].mean()
show_table(means[["own copy", *ways, "accuracy"]].reset_index(), precision=2, of=heights)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Order takes away nine tenths of the barrier in perceptrons, and on average more than half of it in CNNs, LSTMs and wide transformers.**
#
# - Aligned, the barrier is lower in the MLP (.36 to .03), the CNN (1.39 to .21), the LSTM (1.33 to .56) and the wide transformer (1.23 to .28). Signs lower it further in the LSTM (to .36, not after Holm), and nowhere else by .05 for sure. That a twentieth is left at most is sure in none.
# - In the narrow transformer it falls from 1.85 to 1.45, with signs to .91, each undecided. Its hidden orders are found in twins, but these are near each other: between seeds there may be better orders, and there are symmetries that are no orders.
# - Another order of batches makes next to no barrier (.01 at most; .06 in the wide transformer, undecided whether below .05). Another order of units does: an *own copy*, the same function, has one about as high as another seed's.
# :::
#
# ## Does a zoo of transformers tell how good its members are?
#
# Checkpoints of one module become a zoo in one call, from a folder, a list of files or of state dicts; nothing in a file is ever executed. A table says what is known of
# them:

# %% table={"name": "tab-foreign-gathered", "caption": "The table of the zoo: what was said of its checkpoints, the activation of the network (none that all units share), and whether weights are not finite."}
states = foreign.trained(foreign_modules.Transformer, digits, seed=0, epochs=2)
table = pd.DataFrame({"model": 0, "epoch": range(3)})
small = hyperlib.gather(network, states, table)  # or a folder's path
show_table(small.table)

# %% [markdown]
# Then the tools of the chapters before work as they are. Here are transformers that differ in seed and learning rate; a linear probe reads test accuracy off
# the statistics of their weights ({doc}`/notebooks/04b_model_properties` has the same for CNNs). The strongest control knows nothing of a network but its learning rate: it says the mean of
# the training models of that rate.

# %% tags=["hide-input"]
lrs = np.logspace(-4, -1.7, 4 if quick else 12).tolist()
many = foreign.foreign_zoo("transformer", digits, seeds=3 if quick else 6, epochs=3 if quick else 10, lrs=lrs)
parts = many.split()
last = [part.samples(part.epochs[-1]) for part in parts]
for samples in last:
    samples.table["rate"] = samples.table["lr"].map("{:.2e}".format)  # a word, so that every rate has a mean of its own
rate = hyperlib.Hyperparameters(columns=("rate",))
readers = {"learning rate": rate, "statistics": hyperlib.LayerStatistics(), "raw weights": hyperlib.RawWeights()}
told = hyperlib.probe_table(readers, *last, columns=["test_accuracy"], bootstrap=300 if quick else 1000)
told = study.publish("sane-foreign", told, "probes")

# %% tags=["hide-input"] table={"name": "tab-foreign-probes", "caption": "Test accuracy of transformers at their last epoch, read by a linear probe from models that it has not seen: R² with an interval over the test models, and rank correlation (tau)."}
show_table(told.rename(columns={"value": "R²"})[["features", "dimensions", "R²", "low", "high", "tau"]], precision=2, of=told)

# %% tags=["remove-input"]
spread = last[2].table["test_accuracy"]
say(f"The {len(last[2])} transformers of the test part have accuracies from {spread.min():.2f} to {spread.max():.2f}; {len(last[0])} are there to learn from.")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **It does (R² of .95), and so does the learning rate that made them (.97).**
#
# - Statistics may see what the learning rate does to the lengths of weights, which was not tested. They do not order these networks better than it does (tau .82 against .93).
# - By R² raw weights tell nothing that is sure (.00, interval from -1.36 to .24), though they order these few networks somewhat (tau .53).
# :::
#
# ## Spectra, in the conventions that others use
#
# `spectral_table` gives one row per matrix, with the numbers of WeightWatcher {cite}`martin2021,martin2021trends`: they agree with the release named in its docstring to the last digits, but for layers with few
# eigenvalues, which are left open here. A power law ({term}`exponent <power-law exponent>` of its tail) needs many of them, so of our small networks the perceptron alone has some. The control
# has each trained matrix's entries in random places: the same sizes, and no arrangement.

# %% tags=["hide-input"] table={"name": "tab-foreign-spectra", "caption": "Spectra of the perceptrons' layers before and after training, and after it with shuffled entries, means over seeds: decimal logarithm of the largest eigenvalue, exponent of the tail (alpha; a dash where there are too few eigenvalues), exponent weighted by that logarithm, distance of the tail from the law (ks), and stable rank."}
names = {f"{place}.weight": f"{word} layer" for place, word in zip((1, 3, 5), ("first", "second", "last"), strict=True)}
spectra = foreign.spectra_by_epoch(zoos["MLP"], (0, EPOCHS))
spectra = study.publish("sane-foreign", spectra.assign(layer=spectra["name"].map(names)), "spectra")
shown = spectra.rename(columns={"log_spectral_norm": "log of the largest", "weighted_alpha": "weighted alpha", "stable_rank": "stable rank"})
show_table(shown[["layer", "state", "log of the largest", "alpha", "weighted alpha", "ks", "stable rank"]].sort_values("layer", kind="stable"), rows=9, precision=2)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Training makes the tails of both hidden layers heavy, mostly by arrangement.**
#
# - The exponent falls from 5.8 to 1.8 and from 5.5 to 1.7; with the same weights in random places it is 5.1 and 4.3. The largest eigenvalue grows by size, too: its logarithm in the first layer from .09 to .91, shuffled .70. The stable rank falls by more than half, and in the last layer hardly (6.1 to 5.7).
# - With so few eigenvalues a fit always gives an exponent. How far the tail is from its law (ks) tells more: it falls with training from .15 to .09; shuffled it is .14 and .16.
# :::

# %% [markdown]
# ## What does a representation see in networks that it never saw?
#
# The SANE of all CNN {term}`zoos <zoo>` ({doc}`/notebooks/06a_sane`) reads any network, and it never saw a perceptron of this page, a transformer or an LSTM. It needs the layout of the weights, and a
# scale: mean and deviation, layer by layer, of some such networks. Nothing is trained for this section.

# %%
fitted = representations(study, trained_sanes.values())
sanes = dict(zip(trained_sanes, fitted, strict=True))
some = zoos["LSTM"].samples(EPOCHS)
sane = sanes["CNNs 0"]
sane.embed_tokens(some, scale=sane.scale(some)).shape  # networks, tokens, latents

# %% [markdown]
# > The spread of a layer's embeddings goes with the layer's spectral norm and weighted alpha, and its mean over layers with accuracy.
# > — in our words, after {cite}`schuerholt2024sane` (Figs. 3, 4 and 8 to 11, *seen*), of ResNets and VGGs from a hub
#
# *Spread* is how far the embeddings of a layer's tokens scatter: the root of their variance, mean over latents. Three controls ask what SANE adds: the same network untrained, the deviation of the weights themselves, and the spectral norm of a *random matrix* of that deviation and the layer's shape. For layers to be compared, all weights of a network are measured on one scale here; on each
# layer's own, as SANE learns, differences of size between layers would be gone *(our choice)*.

# %% tags=["hide-input"] table={"name": "tab-foreign-layers", "caption": "Rank correlation over a network's layers of their spread (of embeddings, of weights, and what a random matrix would have) with the spectral norm (decimal logarithm of the largest eigenvalue) and with weighted alpha; means over networks and trainings (perceptron, CNN and LSTM have three matrices each, so few values can be); weighted alpha where two layers or more have a tail."}
READS = {"SANE": [one for one in sanes if "CNNs" in one], "untrained": [one for one in sanes if "untrained" in one],
         "weights": [sane_layers.WEIGHTS], "random matrix": [sane_layers.RANDOM]}  # fmt: skip
EACH = {column: [column] for columns in READS.values() for column in columns}  # training by training
of_layers, correlations, rows = [], {}, []
for kind, zoo in zoos.items():
    table = sane_layers.layer_table(sanes, zoo.samples(EPOCHS), "one for all")
    of_layers.append(table.assign(network=kind))
    for metric in sane_layers.METRICS:
        correlations[kind, metric] = found = sane_layers.within_networks(table, EACH, metric)
        rows.append({"network": kind, "metric": metric} | {reader: found[columns].mean(axis=1).mean() for reader, columns in READS.items()})
of_layers = study.publish("sane-embedding-layers", pd.concat(of_layers, ignore_index=True))
ranked = study.publish("sane-embedding-layers", pd.DataFrame(rows), "ranks")
names = {"log_spectral_norm": "spectral norm", "weighted_alpha": "weighted alpha"}
wide = ranked.dropna(subset="SANE").assign(metric=ranked["metric"].map(names)).sort_values("metric", kind="stable")
show_table(wide.rename(columns={"metric": "with"}), precision=2, of=ranked)

# %% [markdown]
# **Of whole networks.** The transformers above differ in learning rate and seed. Does the mean spread of their layers order them by accuracy? And what does a {term}`linear probe` read off the mean of the tokens?

# %% tags=["hide-input"] table={"name": "tab-foreign-accuracy", "caption": "Rank correlation of the mean spread over layers with test accuracy, over all transformers of the zoo at their last epoch, on each layer's own scale and on one for all, with intervals over models."}
everything = many.samples(many.epochs[-1])
rows, over = [], {}
for units in sane_layers.UNITS:
    table = sane_layers.layer_table(sanes, everything, units)
    table = table.merge(everything.table[["model", "test_accuracy"]], on="model")
    over[units] = sane_layers.over_networks(table, READS, "test_accuracy")
    for reader in READS:
        value, low, high, _ = between(jackknife(over[units][reader][0], over[units][reader][1:]))
        rows.append({"spread of": reader, "units": units, "correlation": value, "low": low, "high": high})
by_spread = study.publish("sane-embedding-accuracy", pd.DataFrame(rows))
show_table(by_spread, precision=2, rows=4, of=by_spread)

# %% tags=["hide-input"] table={"name": "tab-foreign-embedded", "caption": "Test accuracy of transformers that training did not see, read by a linear probe on standardised numbers (so R² differs a little from the table above): R², rank correlation; means over trainings of SANE."}
LINEAR, results = "linear-standardised", []
for k in range(repeats):
    readers = {"SANE, of CNNs": SaneReader(sanes[f"CNNs {k}"]), "untrained": SaneReader(sanes[f"untrained {k}"])}
    readers = {name: reader.fit(last[0]) for name, reader in readers.items()}
    readers |= {"random tokens": hyperlib.RandomTokens(sane.latent, seed=k), "statistics": hyperlib.LayerStatistics(), "learning rate": rate}
    results.append(hyperlib.run_probes(readers, *last, ["test_accuracy"], [LINEAR], bootstrap=300 if quick else 1000))
embedded = hyperlib.Repeats.of(results)
read_off = study.publish("sane-embedding-accuracy", embedded.table, "probes")
show_table(read_off.rename(columns={"value": "R²"})[["features", "dimensions", "R²", "tau"]], precision=2, of=read_off)

# %% [markdown]
# **Do distances between embeddings see how a network was trained?** A layer's spectrum tells the size of the batches ({doc}`/notebooks/02a_weight_space`). The paper sets distances between the
# layer's token embeddings beside it (its Fig. 7, *seen*). Here are the wide perceptrons of chapter 2.

# %% tags=["hide-input"]
wide_zoos = {size: study.zoo(f"wide_{size}_batch") for size in ("small", "middle", "large")}
parts, drawn = [], {}
for size, zoo in wide_zoos.items():
    for stage, epoch in (("start", 0), ("end", zoo.epochs[-1])):
        table, apart = sane_layers.token_distances({"SANE": sane, "untrained": sanes["untrained 0"]}, zoo.samples(int(epoch)), "fc1")
        parts.append(table.assign(batch=size, stage=stage))
        drawn[size, stage] = apart
distances = study.publish("sane-esd-vs-embedding", pd.concat(parts, ignore_index=True))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels, SANE, untrained and the tokens themselves: outlined histograms of distances inside the first layer before training and after it with small and large batches."}, "figure": {"name": "fig-foreign-distances", "caption": "Distances between the tokens of the first layer of wide perceptrons, in units of their mean: of embeddings by SANE, by the same network untrained, and of the tokens themselves."}}
fig, axes = plt.subplots(1, 3, figsize=(8, 2.2), sharex=True, sharey=True)
SHOWN = {"before training": ("small", "start"), "large batches": ("large", "end"), "small batches": ("small", "end")}
for ax, (reader, title) in zip(axes, {"SANE": "SANE", "untrained": "untrained", sane_layers.WEIGHTS: "tokens themselves"}.items(), strict=True):
    for (label, key), colour in zip(SHOWN.items(), (style.INK, *style.CYCLE), strict=False):
        plots.outlined_histogram(drawn[key][reader].ravel(), np.linspace(0, 2.5, 60), ax, label, colour, density=True)
    ax.set(title=title, xlabel="distance / mean")
axes[0].set_ylabel("density")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
plt.show()

# %% tags=["hide-input"] table={"name": "tab-foreign-distances", "caption": "Deviation of the distances, in units of their mean, by batch size, at the start and at the end; means over models. Last column: share of the layer's eigenvalues beyond the law of random weights."}
means = distances.pivot_table(index=["batch", "stage"], columns="reader", values="width", sort=False)[["SANE", "untrained", sane_layers.WEIGHTS]]
means["eigenvalues beyond"] = distances.groupby(["batch", "stage"])["outside"].mean()
show_table(means.reset_index(), precision=3, of=distances)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Of accuracy SANE shows no more than simple controls do; of layers, it depends on the network.**
#
# - Over a network's layers spread goes with spectral norm in all trainings in CNN and LSTM (1.00, .87). In MLP and transformers trainings differ too much (means .17, .43, .16). It beats all controls in the LSTM alone; in the wide transformer a random matrix beats it (.47, not after Holm). With weighted alpha spread falls, against the publication (-1.00 in the MLP, of two layers, -.32 in the wide transformer); that of all controls rises.
# - Over transformers the mean spread goes with accuracy (.86 or .85, by scale), as do the untrained network's and the deviation of the weights (.87).
# - A probe on mean tokens tells .85 of their accuracy; untrained .81, not surely less, random tokens .66, statistics .92, learning rate .98.
# - After small batches distances spread more than after large ones: by .060 for SANE, .068 untrained, .115 for tokens themselves, which alone stands after Holm.
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
# Trace the actor and critic of this page (`foreign_modules.ActorCritic`). Which units may move? Swap two of its actions by hand, and say why the library would not.
# ```
#
# ```{solution-start} ex-foreign-heads
# :class: dropdown
# ```

# %% tags=["solution"] asks={"its": "the traced actor and critic", "policy": "first output before the swap", "value": "second output before it", "swapped": "first output after two actions changed places", "same": "second output after it"} hints=["Only the two hidden layers may move, since outputs have fixed places.", "The critic does not read the actions, so its output should stay as it was.", "Two actions have changed places, so the policy should be another one: were rows of the weight and of the bias swapped?"]
import torch

import hyperlib
from hyperlib.study.foreign_modules import ActorCritic, made

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
# ```{exercise} A bias that nobody hears
# :label: ex-foreign-keys
# Add random numbers to the biases of the keys in the transformer's attention (the middle third of `encoder.self_attn.in_proj_bias`). What changes, and why?
# ```
#
# ```{solution-start} ex-foreign-keys
# :class: dropdown
# ```

# %% tags=["solution"] asks={"as_it_was": "outputs before", "with_keys": "outputs after random numbers came to the biases of the keys", "with_queries": "outputs after they came to those of the queries, too"} hints=["A bias of the keys adds the same number to all scores of a query, and a soft-max does not hear that: did you change the middle third alone?", "A bias of the queries should change the outputs: it is the first third."]
import torch

import hyperlib
from hyperlib.study.foreign_modules import Transformer, made

images = hyperlib.load_images("digits").test_x[:20]
module = made(Transformer, 3).eval()
biases = module.encoder.self_attn.in_proj_bias
with torch.no_grad():
    as_it_was = module(images)
    biases[32:64] += torch.randn(32)
    with_keys = module(images)
    biases[:32] += torch.randn(32)  # of the queries
    with_queries = module(images)
assert torch.allclose(with_keys, as_it_was, atol=1e-5)
assert not torch.allclose(with_queries, as_it_was, atol=1e-2)

# %% [markdown]
# Nothing. The bias adds to all scores of one query the same number, and softmax does not see what is added to all. It is a direction in weight space along which the function is constant, no
# order, and so not among the library's moves. A bias of the queries is not free: it meets every key.
# ```{solution-end}
# ```
#
# ```{exercise} A hidden order in a twin
# :label: ex-foreign-attention
# Train two transformers from one start that see their batches in another order. Give the heads of the second another order, and nothing else. Does alignment find it, though both are different
# functions? (`foreign.trained` has an argument `batches`; the group of the heads is named in the table of groups.)
# ```
#
# ```{solution-start} ex-foreign-attention
# :class: dropdown
# ```

# %% tags=["solution"] asks={"b": "weight vector of the second transformer as it was trained", "found_back": "what `align` finds for the turned second one, laid on the first"} hints=["Alignment should give the twin's own order back exactly: were the heads alone turned, and the turned one aligned to the first?", "The first and the twin are different networks, so a distance should be left: did the second see its batches in another order?"]
import torch

import hyperlib
from hyperlib.study import foreign, foreign_modules

data = hyperlib.load_images("digits")
how = {"seed": 3, "epochs": 3}
one = foreign.trained(foreign_modules.Transformer, data, **how)[-1]
twin = foreign.trained(foreign_modules.Transformer, data, **how, batches=99)[-1]
net = hyperlib.from_module(foreign_modules.Transformer(), data.test_x[:2])
a, b = net.layout.flatten(one), net.layout.flatten(twin)
heads = {"encoder.self_attn[0:32]#1": torch.tensor([[2, 0, 3, 1]])}
turned = b[None].gather(-1, hyperlib.permutation_index(net, heads))
found_back = hyperlib.align(net, a, turned)
assert torch.equal(found_back.weights[0], b)  # exactly the twin's own order
assert found_back.distance[0] > 1  # which is another network

# %% [markdown]
# It does. A head is a block: its queries, keys and values and the columns of the projection move together, whatever order they have inside. Twins have kept the order of their start.
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

# %% tags=["solution"] asks={"sorting": "your module, traced by `from_module`"} hints=["Units that are sorted lose their names, so only the first layer's can move: is the sort behind the second layer?"]
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
# The first layer's units are free. Of the second one the rows alone could be permuted, and nothing would change: sorting undoes it, and the reader must *not* follow. The library has no such
# move, and keeps these units where they are rather than guess.
# ```{solution-end}
# ```
#
# ## What held, what did not

# %% tags=["hide-input"]
held = {kind: (bool(part["holds"].all()), f"{int(part['holds'].sum())} of {len(part)} moves")
        for kind, part in every_move[every_move["offered"]].groupby("network", sort=False)}  # fmt: skip
exact = {f"{row.network}, {row.moved}": (row.found == row.copies, f"{row.found} of {row.copies}") for row in planted.itertuples()}
refused = every_move[~every_move["offered"].astype(bool) & every_move["difference"].notna()]
broken = {kind: (not part["holds"].astype(bool).any(), f"{int((~part['holds'].astype(bool)).sum())} of {len(part)} moves")
          for kind, part in refused.groupby("network", sort=False)}  # fmt: skip
height = heights.pivot(index=["network", "pair"], columns="setting", values="barrier")
MARGIN = 0.05  # of loss, as in chapter 2


def over_pairs(measured):
    """Mean over pairs of something measured on each, with an interval over models."""
    return {kind: mean_over_pairs(measured(height.loc[kind]).to_numpy(), pairs.numpy()) for kind in zoos}


told_by = told.set_index("features")

# %% tags=["hide-input"]
LAYERS = {kind: correlations[kind, "log_spectral_norm"] for kind in zoos}


def beyond(*readers):
    """By how much each training of SANE orders layers better than the best of others, of untrained ones their mean."""
    best = {kind: pd.concat([one[READS[reader]].mean(axis=1) for reader in readers], axis=1).max(axis=1) for kind, one in LAYERS.items()}
    return {kind: mean_over_both(one[READS["SANE"]].sub(best[kind], axis=0).to_numpy()) for kind, one in LAYERS.items()}


def by_units(*readers):
    """The same for whole networks and their accuracy, whichever way they are ordered; without readers SANE's own."""
    sizes = {units: one["SANE"].abs() - (one[list(readers)].abs().max(axis=1) if readers else 0) for units, one in over.items()}
    found = {units: jackknife(size[0], size[1:]) for units, size in sizes.items()}
    return found if readers else {units: between(one) for units, one in found.items()}  # the rest are differences


def width_of(stage, reader):
    """Deviation of distances by batch size, a column each."""
    some = distances[(distances["stage"] == stage) & (distances["reader"] == reader)]
    return some.pivot(index="model", columns="batch", values="width")


at = {"shown": "fig-foreign-lines", "margin": MARGIN}
claims = [
    verdicts.tested("the order of units lowers the barrier between two seeds", over_pairs(lambda t: t["two seeds"] - t["aligned"]),
                    source="Ainsworth et al. 2023; Verma and Elbayad 2024", **at, headline=True),
    verdicts.tested("signs lower it further", over_pairs(lambda t: t["aligned"] - t["with signs"]), source="ours", **at),
    verdicts.tested("order and signs leave less than a twentieth of it", over_pairs(lambda t: 0.05 * t["two seeds"] - t["with signs"]),
                    source="Entezari et al. 2022 (conjecture, for wide networks)", shown="tab-foreign-barriers", headline=True),
    verdicts.tested("there is a barrier between two seeds", over_pairs(lambda t: t["two seeds"]), source="ch. 2 (inferred)", **at),
    verdicts.tested("there is none between networks of one start", over_pairs(lambda t: t["same start"]), source="ours",
                    shown="fig-foreign-lines", less=True, threshold=MARGIN, headline=True),
    verdicts.counted("hidden orders and signs are found", exact, source="ours", shown="tab-foreign-planted", headline=True),
    verdicts.counted("derived moves keep all outputs", held, source="ours", shown="tab-foreign-bridge"),
    verdicts.counted("refused signs and scalings change them", broken, source="ours", shown="tab-foreign-bridge"),
    verdicts.tested("statistics of transformers tell their accuracy (R² > 0)",
                    {"transformer": tuple(told_by.loc["statistics", ["value", "low", "high"]])}, source="ch. 4, for CNNs",
                    shown="tab-foreign-probes", headline=True),
    verdicts.counted("they tell more than the learning rate does",
                     {"transformer": (told_by.loc["statistics", "low"] > told_by.loc["learning rate", "value"],
                                      f"R² {told_by.loc['statistics', 'value']:.2f} against {told_by.loc['learning rate', 'value']:.2f}")},
                     source="ours", shown="tab-foreign-probes"),
    verdicts.tested("the spread of embeddings orders layers as their spectral norms do", {kind: between(mean_over_both(one[READS["SANE"]].to_numpy())) for kind, one in LAYERS.items()},
                    source="SANE", shown="tab-foreign-layers", headline=True),
    verdicts.tested("it does so better than untrained, weights and random matrices", beyond("untrained", "weights", "random matrix"), source="ours",
                    shown="tab-foreign-layers", headline=True),
    verdicts.tested("the mean spread over layers goes with accuracy", by_units(), source="SANE", shown="tab-foreign-accuracy"),
    verdicts.tested("it does so better than untrained and weights", by_units("untrained", "weights"), source="ours",
                    shown="tab-foreign-accuracy"),
    verdicts.tested("SANE of CNNs tells more of transformers than untrained",
                    {"transformer": embedded.compare(("SANE, of CNNs", LINEAR), ("untrained", LINEAR), "test_accuracy", within=False)},
                    source="ours", shown="tab-foreign-embedded", headline=True),
    verdicts.tested("distances between embeddings are wider after small batches than after large ones",
                    {reader: mean_of(width_of("end", reader)["small"] - width_of("end", reader)["large"]) for reader in distances["reader"].unique()},
                    source="SANE (in pictures)", shown="fig-foreign-distances"),
]  # fmt: skip
card = study.publish("disc-scorecard", verdicts.scorecard(claims), "06c")

# %% tags=["hide-input"] table={"name": "tab-foreign-scorecard", "caption": "The page's claims; a case is a network, a scale, or who reads. Claims on the order of layers count trainings of SANE, all others models alone."}
show_table(verdicts.summary(card), rows=8, of=card)

# %% [markdown]
# **Back to the thesis.** Chapter 6 learns from networks of all sizes, and trains on aligned ones. Here is what it can rely on for networks of other people, and what its embeddings of them add to what weights say without it.
