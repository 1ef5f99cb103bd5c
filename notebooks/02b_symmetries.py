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
# # Which weights are the same network?
#
# Two lists of weights can look nothing alike and still be the same function. Whoever learns from weights must know when that is so. This page follows chapter 2 of the thesis {cite}`thesis`; its full text was not open to us, so what it shows is *inferred* where we say so.
#
# Four zoos are asked: small multilayer perceptrons on {term}`Tetris`, and small CNNs, small ResNets and wide perceptrons on MNIST digits. In each the
# networks differ in nothing but the seed ({doc}`/notebooks/03_model_zoos` shows how such zoos are grown).
#
# **You will see**
#
# - which moves of the weights leave a network's answers alone, and a playground to try one;
# - the hill of loss between two trained networks, and how much of it is only the order of their units;
# - whether the distance of two weight vectors tells if two networks do the same.

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
from math import log10

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import hyperlib
from hyperlib.figures import interactive, plots, style
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.tasks import barriers, connectivity, playground, recovery, similarity_curves, verdicts
from hyperlib.tasks.estimates import between, mean_of, mean_over_pairs
from hyperlib.weightspace import architectures, layers

study = hyperlib.Study(profile)
quick = profile == "quick"
called = {"tetris_seed": "Tetris MLP", "mnist_seed": "small CNN", "resnet_seed": "small ResNet", "wide_middle_batch": "wide MLP"}
zoos = {name: study.zoo(name) for name in called}
images = {name: study.recipe(name).images.load() for name in called}

# %% [markdown]
# ## Which moves leave the function where it is?
#
# > The units of a hidden layer can be put in any order, if every layer that reads them follows: other weights, same function.
# > — in our words, after {cite}`hechtnielsen1990` *(that the thesis shows it in this chapter is inferred)*
#
# ```{figure} ../book/figures/unit-swap.svg
# :name: fig-unit-swap
# :alt: Two weight matrices of a small network before and after two hidden units change places: two rows of the first matrix, two entries of its bias and two columns of the second matrix move, all else stays.
#
# Two hidden units change places: their rows and biases in the layer that makes them, and their columns in the layer that reads them.
# The weight vector is another one, and the network answers as before.
# ```
#
# With $P_l$ the matrix that exchanges units of layer $l$:
#
# ```{math}
# :label: eq-permutation
# W_l \leftarrow P_l W_l, \qquad b_l \leftarrow P_l b_l, \qquad W_{l+1} \leftarrow W_{l+1} P_l^\top
# ```
#
# In code: {py:obj}`~hyperlib.weightspace.symmetry.permutation_index`.
#
# Such a reordering is a {term}`permutation of units`. In code it is one integer index into the whole weight vector, for a whole
# population at once. Here every model of a {term}`zoo` of small CNNs gets an order of its own:

# %%
zoo, generator = zoos["mnist_seed"], torch.Generator().manual_seed(0)
weights = zoo.samples(zoo.epochs[-1]).weights
orders = hyperlib.random_permutations(zoo.architecture, len(weights), generator)
moved = weights.gather(-1, hyperlib.permutation_index(zoo.architecture, orders))

# %% tags=["remove-input"]
some = images["mnist_seed"].test_x[:100]
before, after = (hyperlib.class_scores(zoo.architecture, vectors[:20], some) for vectors in (weights, moved))
say(
    f"The weight vectors are {weights.norm(dim=1).mean():.1f} long (euclidean norm) and moved by {(moved - weights).norm(dim=1).mean():.1f}. "
    f"The largest change of a class score is {(after - before).abs().max():.0e}, which is rounding."
)

# %% [markdown]
# Two more kinds of moves are our addition. Where the activation is odd, as tanh is ($\tanh(-x) = -\tanh x$), a unit may change its *sign* together with
# all that reads it {cite}`chen1993`. Where it is positively homogeneous, as ReLU is ($\max(0, ax) = a \max(0, x)$ for $a > 0$), a unit
# may be *scaled* and what reads it divided {cite}`neyshabur2015`. The library derives from the list of layers which moves a network has, and
# `verify_symmetry` makes every one of them, offered or refused, on random weights in double precision.

# %% tags=["hide-input"]
found = []
for make in architectures.ARCHITECTURES.values():
    for activation in ("tanh", "relu"):
        network = make().with_activation(activation)
        noise = torch.randn(4, *network.image, generator=torch.Generator().manual_seed(0))
        found.append(hyperlib.verify_symmetry(network, noise).assign(network=network.name, activation=activation))
moves = study.publish("ws-permutation-symmetry-check", pd.concat(found, ignore_index=True), "moves")
by = ["network", "activation"]
shares = moves.groupby([*by, "symmetry"])["offered"].agg(lambda tried: f"{tried.sum()} of {len(tried)}").unstack()
offered = moves[moves["offered"]].groupby(by)
held = offered.agg(offered=("holds", "size"), held=("holds", "sum"), difference=("difference", "max"))
checked = study.publish("ws-permutation-symmetry-check", shares.join(held).reset_index())

# %% tags=["hide-input"] table={"name": "tab-moves", "caption": "Moves offered of those tried (permutations: one per group of units that move together; scalings and signs: one per layer), how many of the offered ones left the answers alone, and the largest relative change of an answer."}
networks = {"small_cnn_1ch": "small CNN", "small_resnet_1ch": "small ResNet"}
some = checked.index[checked["network"].isin(networks)]
show_table(checked.replace({"network": networks}), rows=some, of=checked)

# %% [markdown]
# And the refused ones. They were made all the same:

# %% tags=["hide-cell"] table={"name": "tab-refused", "caption": "Refused moves of all networks that were checked (more than those above), by reason, and by how much the answers changed at least, relative to the largest answer."}
refused = moves[~moves["offered"]].groupby(["symmetry", "reason"])["difference"].agg(["size", "min"]).reset_index()
study.publish("ws-permutation-symmetry-check", refused, "refused")
labels = {"size": "moves", "min": "smallest change"}
show_table(refused.rename(columns=labels), of=refused)

# %% [markdown]
# With all signs turned, a maximum pool picks what was the smallest value. Before a norm layer (such as batch norm) it is wrong to divide what reads a scaled unit, because the layer has divided the factor out already (the first exercise makes the right move). Between a convolution and its norm stands no activation that could object, so units there may change sign in a ResNet with ReLU too.
#
# One kind of network has units that cannot even change places. A shortcut that pads channels with zeros has no weights that could follow
# {cite}`he2016`: it ties unit $k$ before to unit $k$ behind.
#
# ```{figure} ../book/figures/padding-shortcut.svg
# :name: fig-padding-shortcut
# :alt: A residual block whose shortcut copies the units of a narrow layer into the first units of a wide one and pads the rest with zeros; the copies have no weights.
#
# A shortcut that pads. Each of the first units behind it gets the unit of the same number before it, so neither can move alone.
# ```

# %% tags=["hide-input"]
stem = (layers.Conv("conv1", width=4), layers.Activation("before"))
block = (layers.Conv("conv2", units="wide", width=6, padding=1), layers.PadChannels("pad", "before", units="wide", width=6))
readout = (layers.Add(other="conv2"), layers.Activation(), layers.GlobalAveragePool())
classes = layers.Linear("fc", units="classes", width=3)
padded = hyperlib.Architecture("padded", (1, 8, 8), (*stem, *block, *readout, classes), "relu")

# %% tags=["remove-input"]
try:
    hyperlib.random_permutations(padded, 1, generator)
    refusal = "nothing"
except ValueError as error:
    refusal = error
tried = hyperlib.verify_symmetry(padded, torch.randn(4, 1, 8, 8, generator=generator))
largest = tried[tried["symmetry"] == "permutation"]["difference"].max()
say(f"Asked for such an order the library says: *{refusal}* Made all the same, it changes the answers by {largest:.2f} of the largest one.")

# %% [markdown]
# How many copies does a network have, and how far away are they? All of them together are its {term}`orbit`; their number is the product of the
# factorials of the widths.

# %% tags=["hide-input"]
rows = []
for name, zoo in zoos.items():
    network, weights = zoo.architecture, zoo.weights[:8, -1]
    orders = hyperlib.random_permutations(network, len(weights), generator)
    copies = weights.gather(-1, hyperlib.permutation_index(network, orders))
    widths = " · ".join(map(str, network.hidden.values()))
    row = {"zoo": name, "weights": network.num_weights, "hidden widths": widths}
    row["log10 of the orbit"] = log10(hyperlib.orbit_size(network))
    others = hyperlib.l2(weights)[*torch.triu_indices(len(weights), len(weights), 1)]
    rows.append(row | {"to own copy": float((copies - weights).norm(dim=1).mean()), "to another seed": float(others.mean())})
orbits = study.publish("ws-permutation-symmetry-check", pd.DataFrame(rows), "orbits")

# %% tags=["hide-cell"] table={"name": "tab-orbits", "caption": "Size of the orbit, and euclidean distances to a copy in random order and to a network from another seed (means over eight models, or all there are, at the last epoch)."}
show_table(orbits.replace({"zoo": called}).rename(columns={"zoo": "network"}), precision=1, of=orbits)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Every move that the library offers leaves the answers alone, and every one that it refuses changes them.**
#
# - The Tetris network has 120 copies, the wide one a number of them with 1,014 digits.
# - A copy is about as far away as a network from another seed (12.1 against 13.6 in the Tetris MLP, 46.9 against 46.8 in the wide one). By distance alone, a network with the very same function cannot be told from a stranger.
# :::
#
# ## A playground
#
# The smallest case that one can see: two inputs, four hidden ReLU units, two classes (inside or outside of a circle). Every unit
# switches along a line.

# %% tags=["hide-input"]
spots = torch.rand(600, 2, 1, 1, generator=torch.Generator().manual_seed(1)) * 3 - 1.5
inside = (spots.flatten(1).norm(dim=1) < 1).long()
disc = hyperlib.Images("disc", spots[:500], inside[:500], spots[500:], inside[500:], ("outside", "inside"), "drawn here")

# %%
hidden = (layers.Flatten(), layers.Linear("fc1", width=4), layers.Activation())
readout = layers.Linear("fc2", units="classes", width=2)
tiny = hyperlib.Architecture("playground", (2, 1, 1), (*hidden, readout), "relu")
design = hyperlib.grid(seeds=20, activation="relu", lr=1e-2)
trained = hyperlib.train_population(tiny, disc, design, epochs=120, progress=False)
best = trained.samples(120).table["train_accuracy_clean"].argmax()
one = trained.samples(120).weights[best]

# %% tags=["hide-input"]
side, ticks = 1.5, torch.linspace(-1.5, 1.5, 61)
order_names, copies, strips = playground.copies_in_all_orders(tiny, one)
answers = hyperlib.class_scores(tiny, copies, playground.points_of_the_plane(ticks))
margins = (answers[0, :, 1] - answers[0, :, 0]).view(61, 61).numpy()
strips["change"] = (answers - answers[0]).abs().amax((1, 2)).repeat_interleave(len(one)).numpy()
unit_lines = playground.switching_lines(tiny, one)
largest = pd.DataFrame({"orders": [len(order_names)], **strips[["distance", "change"]].max()})
study.publish("ws-permutation-symmetry-check", largest, "playground");

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left: a plane with four coloured lines, on each of which a unit switches, and the closed decision boundary that bends where it meets them. Right: the weights as rows of coloured bars, for some orders of the units: the same bars stand at other places in every row."}, "figure": {"name": "fig-playground", "caption": "Four ReLU units change places. In the plane: the line on which each unit switches and the decision boundary (grey). As bars: the weight vector, each weight in the colour of its unit (grey: biases of the classes). Move the slider: the boundary stays, the vector does not."}}
still, axes = plt.subplots(1, 2, figsize=(8, 3.6), width_ratios=[1, 1.3])
plots.unit_lines(ticks.numpy(), margins, unit_lines, axes[0])
plots.weight_strips(strips, order_names[::4], axes[1])
movable(interactive.playground(ticks.numpy(), margins, unit_lines, strips), still)

# %% tags=["remove-input"]
by = f"by {largest['change'][0]:.0g} at most" if largest["change"][0] else "not at all"
say(
    f"The network is the best of {len(trained)} ({trained.samples(120).table['test_accuracy'][best]:.2f} of unseen points right). In its {len(order_names)} "
    f"orders the weights move by up to {largest['distance'][0]:.1f}, and the answers {by}. So there are "
    f"{len(order_names)} points of weight space and one picture in the plane. What a learner should know about this network is the picture; "
    "what it is given is one of the vectors."
)

# %% [markdown]
# ## Is there a barrier between two networks?
#
# Walk on the straight line from one weight vector to another and watch the loss. Where it rises above the line between its ends, there is a
# {term}`barrier`.
#
# ```{figure} ../book/figures/barrier-hill.svg
# :name: fig-barrier-hill
# :alt: A curve of loss over the way from one network to another that rises above the straight chord between its ends; an arrow marks the largest excess, the barrier; a lower curve stands for an aligned network.
#
# The barrier is the largest excess of the loss over the chord: the loss on the way minus what the two ends would give in proportion.
# ```
#
# The way is a straight line in weight space, from $A$ to $B$ as $\alpha$ goes from 0 to 1, and the barrier with the loss $L$ is the second of these:
#
# ```{math}
# :label: eq-line
# \theta_\alpha = (1 - \alpha)\, \theta_A + \alpha\, \theta_B
# ```
#
# In code: {py:obj}`~hyperlib.tasks.connectivity.along_line`.
#
# ```{math}
# :label: eq-barrier
# \max_\alpha \; L(\theta_\alpha) - \bigl[(1 - \alpha)\, L(\theta_A) + \alpha\, L(\theta_B)\bigr]
# ```
#
# In code: {py:obj}`~hyperlib.tasks.connectivity.Path.barrier`.
#
# > Barriers are shown within a run, between seeds, from a network to its permuted copy, and between seeds after alignment.
# > — in our words *(that the thesis shows these four is inferred)*; barriers after {cite}`frankle2020`, the idea that they are mostly
# > permutation after {cite}`entezari2022`
#
# {term}`Alignment <alignment>` puts the units of one network into the order in which it lies nearest to the other: by
# {term}`weight matching` {cite}`ainsworth2023`, with signs where the activation allows them, or by {term}`activation matching`
# {cite}`li2016`, which compares what units answer on training images. The same pairs of models are asked in every setting, on test images;
# *one run* goes from a network's last epoch back to its own first epoch of training; the *own copy* is the network with its units in random order.
#
# With $A$ and $B$ two weight vectors and $\Pi$ any order of hidden units:
#
# ```{math}
# :label: eq-alignment
# \pi(A, B) = \arg\min_\Pi \, \lVert A - \Pi(B) \rVert
# ```
#
# In code: {py:obj}`~hyperlib.weightspace.alignment.align`.

# %% tags=["hide-input"]
lines, heights, pairs_of = {}, {}, {}  # tables and pairs of models by label


def walk(name, label, pairs, settings=None, recalibrate=None):
    """Lines between pairs of a zoo's models in several settings, on at most 500 test images."""
    zoo, data = zoos[name], images[name].subset(test=min(500, len(images[name].test_x)))
    network = zoo.architecture.with_activation(zoo.design["activation"][0])
    drawn, first = barriers.some_pairs(len(zoo), pairs), data.train_x[:256]
    pairs_of[label] = drawn.numpy()
    ends = barriers.ends_of_lines(network, zoo.weights, drawn, first, earlier=1, restarts=5)
    ends = {setting: ends[setting] for setting in settings or ends}
    lines[label], heights[label] = barriers.compare_lines(network, ends, data.test_x, data.test_y, recalibrate=recalibrate)

# %%
for name, label in (("tetris_seed", "Tetris MLP"), ("mnist_seed", "small CNN")):
    walk(name, label, 6 if quick else 20)
walk("wide_middle_batch", "wide MLP", 6)
walk("resnet_seed", "small ResNet", 4 if quick else 15)

# %% [markdown]
# Norms need care: their running statistics belong to the ends of the line, not to the networks between. So we ask the small ResNet twice, as it
# stands and with {term}`the statistics of every point measured anew <remeasured norm statistics>` {cite}`jordan2023`.

# %% tags=["hide-input"]
again, anew = ["two seeds", "aligned", "matched activations"], "small ResNet, remeasured"
walk("resnet_seed", anew, 4 if quick else 15, again, images["resnet_seed"].train_x[:256])
every_line, every_height = (
    pd.concat([table.assign(network=label) for label, table in tables.items()], ignore_index=True)
    for tables in (lines, heights)
)
summary = barriers.quartiles(every_height, ["network", "setting"])
study.publish("ws-interpolation-lmc", summary)
study.publish("ws-interpolation-lmc", every_height, "pairs")
order = list(dict.fromkeys(summary["setting"]))
means = summary.pivot(index="network", columns="setting", values="barrier").loc[list(lines), order].reset_index()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five panels of test loss on the way between two networks, for two seeds as trained and after alignment by weights and by activations: Tetris MLP, small CNN, wide MLP, small ResNet as it stands and remeasured."}, "figure": {"name": "fig-barrier-lines", "caption": "Test loss on the straight line between two networks, as trained and after alignment by weights or by activations: median over pairs, bands from the 5th to the 95th and from the 25th to the 75th percentile. Buttons bring one setting to the front, with its pairs as thin lines."}}
movable(interactive.barrier_lines(every_line, again), plots.panels_of_lines(every_line, again))

# %% tags=["hide-input"] table={"name": "tab-barriers", "caption": "Mean barrier over pairs, by network and setting; a dash where it was not asked. The CSV has quartiles, accuracies and distances."}
show_table(means, precision=2, of=summary)

# %% [markdown]
# Numbers in brackets are, in what follows, the mean barrier before and after alignment, or only what alignment leaves of it.
#
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Yes, between seeds. Part of it is the order of units. Only in the wide network is it nearly all of it.**
#
# - Within one run the mean barrier is below .05; to a network's *own copy*, with the same function, there is one nearly as high as to another seed. So the line does not measure how alike functions are.
# - Weight matching lowers the barrier in the Tetris MLP (.87 to .53) and the small CNN (2.05 to 1.62; this verdict falls after {term}`Holm <Holm's method>`) and removes it in neither.
#   Signs take more off in the Tetris MLP (.34), matched activations in the small CNN (1.14). In the wide MLP weight matching leaves a thirtieth (.45 to .02), as
#   {cite}`entezari2022` expect (its interval reaches past a twentieth).
# - In the ResNet as it stands both ways are undecided (3.63 to 3.43 and to 2.59). Running statistics fit no network between. Measured anew, matched activations lower the barrier (2.15 to 1.14); so do matched weights (1.39), which falls after Holm.
# :::
#
# **Another way round.** A quadratic Bézier curve between the same ends {cite}`garipov2018`, bent towards a third vector that is learned on training
# images, goes around most of it without alignment *(steps and rate are our choice)*:

# %% tags=["hide-input"]
zoo, data = zoos["mnist_seed"], images["mnist_seed"]
network, ends = zoo.architecture, (zoo.weights[[0, 2], -1], zoo.weights[[1, 3], -1])
bend = connectivity.bezier(network, *ends, data.train_x, data.train_y, steps=300)
test = data.test_x[:500], data.test_y[:500]
straight = connectivity.along_line(network, *ends, *test, points=11)
curved = connectivity.along_curve(network, ends[0], bend, ends[1], *test, points=11)
detour = pd.DataFrame({"pair": [1, 2], "barrier of the line": straight.barrier, "barrier of the curve": curved.barrier})
detour["accuracy halfway, line"], detour["accuracy halfway, curve"] = straight.accuracy[:, 5], curved.accuracy[:, 5]

# %% tags=["remove-input"]
study.publish("ws-interpolation-lmc", detour, "bezier")
over = {way: ", ".join(f"{value:.2f}" for value in detour[f"barrier of the {way}"]) for way in ("line", "curve")}
half = {way: ", ".join(f"{value:.2f}" for value in detour[f"accuracy halfway, {way}"]) for way in ("line", "curve")}
say(
    f"In two pairs of small CNNs the barrier of the line is {over['line']}, that of the curve {over['curve']}. Halfway the accuracy is "
    f"{half['line']} on the line and {half['curve']} on the curve. The networks are connected; it is straightness that fails."
)

# %% [markdown]
# ## What does alignment do to a population?
#
# > Models are aligned to one reference before anything is learned from them.
# > — in our words; {cite}`schuerholt2024sane` does so with the method of {cite}`ainsworth2023` *(seen)*; a figure of it in this chapter is
# > *(inferred)*
#
# The mean of several weight vectors is called a {term}`soup` {cite}`wortsman2022`. It shows whether networks lie in one place: if they do, their
# mean is a good network too.

# %% tags=["hide-input"]
zoo, network = zoos["mnist_seed"], zoos["mnist_seed"].architecture
trained = zoo.samples(zoo.epochs[-1]).weights[:200]
reference, rest, first = trained[0], trained[1:], images["mnist_seed"].train_x[:256]
ways = {"activations": {"method": "activations", "images": first}}
ways |= {f"weights, {starts} start{'s' * (starts > 1)}": {"restarts": starts} for starts in (1, 2, 5, 10)}
ways |= {"weights and signs, 10 starts": {"restarts": 10, "signs": True}}
populations = {"as trained": trained}
for way, how in ways.items():
    populations[way] = torch.cat([trained[:1], hyperlib.align(network, reference, rest, **how).weights])

# %% tags=["hide-input"]
test_x, test_y = images["mnist_seed"].test_x[:500], images["mnist_seed"].test_y[:500]
above = torch.triu_indices(len(trained), len(trained), 1)
distances = {way: hyperlib.l2(vectors)[*above] for way, vectors in populations.items()}
angles = {way: hyperlib.cosine(vectors)[*above] for way, vectors in populations.items()}
aligned = pd.DataFrame({"way": way, "to reference": float((vectors[1:] - reference).norm(dim=1).mean())}
                       for way, vectors in populations.items())  # fmt: skip
aligned["between all"] = [float(values.mean()) for values in distances.values()]
aligned["cosine"] = [float(values.mean()) for values in angles.values()]
soups = torch.stack([connectivity.soup(vectors) for vectors in populations.values()])
aligned["soup loss"], aligned["soup accuracy"] = hyperlib.evaluate(network, soups, test_x, test_y)
study.publish("ws-rebasin-alignment", aligned);

# %% tags=["remove-input"]
say(f"The first {len(trained)} small CNNs, laid on the first of them in several ways (a *start* is one more try of the search):")

# %% tags=["hide-cell"] table={"name": "tab-aligned", "caption": "A population after alignment: mean distance to the reference and between all pairs, mean cosine, and the soup of all."}
show_table(aligned.round({"cosine": 2}), precision=2, of=aligned)

# %% [markdown]
# How many fit into one soup? Models are added to the reference in the order of the zoo, and wide MLPs likewise.

# %% tags=["hide-input"]
shown = ["as trained", "weights, 10 starts", "weights and signs, 10 starts"]
sizes = [size for size in (1, 2, 3, 5, 10, 20, 50, 100, 200) if size <= len(trained)]
wide, (x, y) = zoos["wide_middle_batch"], (images["wide_middle_batch"].test_x[:500], images["wide_middle_batch"].test_y[:500])
four = wide.samples(wide.epochs[-1]).weights
lying = torch.cat([four[:1], hyperlib.align(wide.architecture, four[0], four[1:], restarts=2).weights])
kinds = {("small CNN", way): (network, populations[way], sizes) for way in [*shown, "activations"]}
kinds |= {("wide MLP", way): (wide.architecture, vectors, range(1, len(four) + 1))
          for way, vectors in (("as trained", four), ("weights, 2 starts", lying))}  # fmt: skip
rows = []
for (kind, way), (net, vectors, counts) in kinds.items():
    means = torch.stack([connectivity.soup(vectors[:count]) for count in counts])
    accuracy = hyperlib.evaluate(net, means, x, y)[1]
    rows.append(pd.DataFrame({"network": kind, "way": way, "models": counts, "accuracy": accuracy}))
soup_sizes = study.publish("ws-rebasin-alignment", pd.concat(rows, ignore_index=True), "soups")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Test accuracy of the mean of several models over their number on a logarithmic axis: small CNNs as solid lines, wide MLPs as dashed ones, as trained and after several ways of alignment."}, "figure": {"name": "fig-soups", "caption": "Test accuracy of the mean of the first so many models' weights, as trained and after alignment to the first: small CNNs (solid) and wide MLPs (dashed). There is one order of models, so no spread is shown."}}
fig, ax = plt.subplots(figsize=(8, 2.5))
for ((kind, way), part), colour in zip(soup_sizes.groupby(["network", "way"], sort=False), style.HUES, strict=True):
    marks = {"linestyle": "--" if kind == "wide MLP" else "-", "marker": "o", "markersize": 3, "color": colour}
    ax.plot(part["models"], 100 * part["accuracy"], label=f"{kind}, {way}", **marks)
ax.set(xscale="log", xlabel="models in the mean", ylabel="test accuracy in %")
ax.set_xticks(sizes, sizes, minor=False)
ax.minorticks_off()
fig.legend(loc="outside right upper", fontsize=8)
plt.show()

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Alignment moves networks nearer to each other on average, and does not bring small ones into one place.**
#
# - The soup of 200 small CNNs is at chance as trained (8 %) and between 14 and 29 % after alignment, where one of them has 94 %.
# - Of the wide MLPs, between two of which hardly a barrier is left, the soup of four loses 8 points after alignment, and 55 points without.
# :::
#
# **Does the search find what is there?** Between trained networks nobody knows the best order. So we hide one: networks of two residual
# blocks with random weights and nothing before and behind them, and their copies in random order *(our choice)*. The *stream* is what the blocks read and add to, *inner* the
# layer inside of a block.

# %% table={"name": "tab-planted", "caption": "Share of copies whose order is found exactly, by widths of the stream and of the inner layers and by starts of the search."}
trials = 10 if quick else 50
sides = [(3, 5), (30, 50)]
planted = recovery.planted_recovery(sides, restarts=(1, 2, 10), trials=trials)
study.publish("ws-rebasin-alignment", planted, "planted")
show_table(planted.rename(columns={"restarts": "starts"}), precision=2, of=planted)

# %% [markdown]
# The search improves the order of one layer after another until nothing gains. Started from the order as it is, it finds few of the wide ones, because the units that all blocks share and those inside of a block have to be found together. The second start sorts the weights of every unit by size, and pairs units whose sorted weights are most alike. So the order of other layers, which is still unknown, does not matter. It finds them all.
#
# ## Does distance tell about function?
#
# > Shown is the absolute correlation between pairwise CKA and pairwise l2 similarity, over the number of permutations of 15 models. With more
# > permutations there are more pairs, and they reach farther across weight space (so, we infer, distance tells less).
# > — in our words, caption of Fig. 2.6.1 {cite}`thesis` *(seen; that the curve falls is inferred, no values are given)*
#
# {term}`CKA` {cite}`kornblith2019` is a number from 0 to 1 for how alike two networks answer the same images (one: their class scores differ by a
# rotation, a shift and a scale at most); no permutation changes it. We correlate it with euclidean (l2) distance over all pairs of models and
# their copies in random order: once with and once without the pairs of a model and its own copy, whose
# CKA is one by construction. The same is done with the checkpoints of *one* run, which lie close together; the claim is judged on more runs, each by
# itself *(our choice)*.
#
# With $X$ and $Y$ the class scores of two networks, one row per image and each column centred, in Frobenius norms:
#
# ```{math}
# :label: eq-cka
# \mathrm{CKA}(X, Y) = \frac{\lVert Y^\top X \rVert^2}{\lVert X^\top X \rVert \, \lVert Y^\top Y \rVert}
# ```
#
# In code: {py:obj}`~hyperlib.weightspace.similarity.cka`.

# %% tags=["hide-input"]
scored, counts = images["mnist_seed"].test_x[:500], [1, 2, 4, 8, 16] if quick else [1, 2, 4, 8, 16, 32, 64]
latest = zoo.samples(zoo.epochs[-1]).weights
taken = np.isin(zoo.epochs, np.linspace(1, zoo.epochs[-1], 15).round())
runs = zoo.weights[:20, taken]
run = runs[0]
sources = {"15 seeds, last epoch": latest[:15], f"{len(run)} checkpoints of one run": run}
by_copies = pd.concat(
    similarity_curves.l2_against_cka(network, vectors, scored, permutations=counts, draws=10, seed=0).assign(models=kind)
    for kind, vectors in sources.items()
)
study.publish("ws-cka-l2", by_copies)
by_run = similarity_curves.l2_against_cka_of_runs(network, runs, scored, permutations=[1, 2, counts[-1]])
study.publish("ws-cka-l2", by_run, "runs");

# %% tags=["hide-input"] mystnb={"image": {"alt": "Absolute correlation of CKA and l2 distance over the number of permuted copies, two panels: seeds, and checkpoints of one run; each with and without pairs of a model and its own copy."}, "figure": {"name": "fig-ws-cka-l2", "caption": "Absolute Pearson correlation of pairwise CKA and pairwise l2 distance over the number of copies per model (one is the model alone). Median over draws of the random orders, bands from the 25th to the 75th and from the 5th to the 95th percentile. After Fig. 2.6.1 of the thesis."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 2.5), sharey=True)
for ax, kind in zip(axes, sources, strict=True):
    for (reading, part), colour in zip(by_copies[by_copies["models"] == kind].groupby("reading"), style.PAIR, strict=True):
        plots.bands(part.assign(absolute=part["pearson"].abs()), "permutations", "absolute", ax, reading, colour)
    ax.set(xscale="log", xlabel="permuted copies per model", ylabel="", ylim=(0, 1))
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.set_title(kind, fontsize=10)
axes[0].set_ylabel("|correlation| of CKA and l2")
axes[1].legend(fontsize=9)
plt.show()

# %% tags=["hide-cell"] table={"name": "tab-cka-l2", "caption": "Mean correlation of CKA and l2 distance, with its sign, by how many permuted copies stand beside every model."}
signed = by_copies.groupby(["models", "reading", "permutations"], sort=False)["pearson"].mean().unstack()
columns = {1: "models alone", 2: "one copy each", counts[-1]: f"{counts[-1] - 1} copies each"}
show_table(signed[list(columns)].rename(columns=columns).round(2).reset_index(), precision=2, of=by_copies)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Along a run, distance tells about function; among independent seeds it says next to nothing.**
#
# - For checkpoints of one run the correlation is strong (.92 in size; .86 to .92 in 20 runs) until there is a copy of each (.01; by ranks .28). With more copies it rises again
#   (.44), with the other sign. We think that is construction: copies of long vectors in random order are farther apart than those of short ones; late checkpoints are long, and answer alike; so distance and CKA grow together.
# - For seeds it is too small to fall (.03). With own copies it rises (.23), against what we infer from the caption, because every pair of
#   own copies has a CKA of one; without them it stays at .02.
# - So the direction of the curve depends on the population and on the reading, and both need to be named.
# :::
#
# > Shown is the correlation between pairwise CKA and cosine similarity, over the number of models. More models cover weight space more
# > globally.
# > — in our words, caption of Fig. 2.6.2 {cite}`thesis` *(seen; direction inferred, no values given)*
#
# Here random subsets of the zoo grow, and nothing is permuted *(our choice)*; they overlap, so the band narrows by itself.

# %% tags=["hide-input"]
sizes = sorted({size for size in (3, 5, 10, 20, 50, 100, 200) if size < len(latest)} | {len(latest)})
by_models = similarity_curves.cosine_against_cka(network, latest, scored, sizes=sizes, subsets=20, seed=0)
study.publish("ws-cka-cos", by_models)
spread = by_models.groupby("models")["pearson"].quantile([0.05, 0.5, 0.95]).unstack()
spread.columns = ["5th percentile", "median", "95th percentile"]
study.publish("ws-cka-cos", spread.reset_index(), "percentiles")
alike = hyperlib.cka(hyperlib.class_scores(network, latest, scored)).numpy()
interval = similarity_curves.bootstrapped_correlation(hyperlib.cosine(latest).numpy(), alike, draws=200)
study.publish("ws-cka-cos", interval, "bootstrap");

# %% tags=["hide-cell"] mystnb={"image": {"alt": "Correlation of CKA and cosine over the number of models on a logarithmic axis, Pearson and Spearman, as median lines with bands."}, "figure": {"name": "fig-ws-cka-cos", "caption": "Correlation of pairwise CKA and pairwise cosine over the number of models, Pearson and Spearman: median over random subsets, bands from the 25th to the 75th and from the 5th to the 95th percentile (all models are one subset). After Fig. 2.6.2 of the thesis."}}
fig, ax = plt.subplots(figsize=(8, 2.3))
for column, colour in zip(("pearson", "spearman"), style.PAIR, strict=True):
    plots.bands(by_models, "models", column, ax, column.capitalize(), colour)
ax.axhline(0, color=style.INK, linewidth=0.8)
ax.set(xscale="log", xlabel="models", ylabel="correlation of CKA and cosine", ylim=(-1, 1))
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(fontsize=9)
plt.show()

# %% tags=["remove-input"]
every = interval.set_index("statistic").loc["pearson"]
say(
    f"Among all {len(latest)} models the correlation is {every['value']:.3f}, with a 95 % interval from {every['low']:.3f} to {every['high']:.3f}."
)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Among independent seeds, the angle between two weight vectors says nothing about what the networks compute.**
#
# - Three models show almost any correlation (nine of ten draws are between -.88 and .96); for the whole zoo it is 0.00, with an interval from -.02 to .01.
# :::
#
# ## Exercises
#
# ```{exercise} Scaling before a norm
# :label: ex-scale-norm
# There is a right way to scale before a norm, which the library does not offer because of the norm's $\varepsilon$.
# Make it by hand: filters and running means times 3, running variances times 9, all else as it was. How much do the
# answers of a small ResNet change, and why does the change grow when the factor is small?
# ```
#
# ```{solution-start} ex-scale-norm
# :class: dropdown
# ```

# %% tags=["solution"] asks={"changes": "for each factor (0.01 and 3.0) the largest change of an answer over the largest answer"} hints=["At 3 the change should be tiny and at 0.01 not: filters and running means times the factor, running variances times its square, and biases as they were."]
import hyperlib

network = hyperlib.small_resnet(1)
weights = network.initialise([1])[0].double()
images = hyperlib.load_images("mnist5k").test_x[:20].double()
before, changes = network.logits(weights, images), {}
for factor in (0.01, 3.0):
    parts = network.layout.unflatten(weights).items()
    state = {name: values.clone() for name, values in parts}
    powers = {"conv1.weight": 1, "norm1.running_mean": 1, "norm1.running_var": 2}
    for name, power in powers.items():
        state[name] *= factor**power
    change = network.logits(network.layout.flatten(state), images) - before
    changes[factor] = float(change.abs().max() / before.abs().max())
assert 0 < changes[3.0] < 1e-4 < changes[0.01]
changes

# %% [markdown]
# The norm divides by $\sqrt{v + \varepsilon}$ with $\varepsilon = 10^{-5}$. Scaled by $a$, the variance is $a^2 v$, as if
# $\varepsilon$ were $\varepsilon / a^2$: nothing to speak of at $a = 3$, as large as a tenth of the variance at $a = 0.01$. During
# training the move is nearly free as well, which is why weights before norms may grow as they like.
# ```{solution-end}
# ```
#
# ```{exercise} The mean of the orbit
# :label: ex-orbit-mean
# Take the mean of all 120 permuted copies of a Tetris network. What do its hidden units look like, and how many different answers can
# such a network give? Why is a soup of networks in random order doomed?
# ```
#
# ```{solution-start} ex-orbit-mean
# :class: dropdown
# ```

# %% tags=["solution"] asks={"copies": "all permuted copies of one network, [copies, params]", "units": "`fc1.weight` of their mean, a row for each hidden unit", "scores": "class scores of the mean network for all test images"} hints=["There should be 120 different copies, one for each order of five units.", "In the mean every hidden unit has been at every place equally often, so all rows should be equal: is it the mean over copies?", "Units that are equal give scores that are multiples of one vector, which is a matrix of rank one."]
from itertools import permutations

import torch

import hyperlib

network = hyperlib.tetris_mlp()
weights = network.initialise(seeds=[1])[0]
orders = torch.tensor(list(permutations(range(5))))
copies = weights[hyperlib.permutation_index(network, {"fc1": orders})]
mean = network.layout.unflatten(copies.mean(0))
assert len(copies.unique(dim=0)) == 120
units = mean["fc1.weight"]
assert torch.allclose(units, units[:1].expand(5, -1), atol=1e-6)
scores = network.logits(copies.mean(0), hyperlib.load_images("tetris").test_x)
assert torch.linalg.matrix_rank(scores, rtol=1e-4) == 1

# %% [markdown]
# All five units are the same unit, so the scores of all images are multiples of one vector: two answers, one for each sign. The
# mean of an orbit forgets everything that makes units differ; a mean over networks in random order tends there.
# ```{solution-end}
# ```
#
# ```{exercise} A canonical order is no alignment
# :label: ex-canonical
# `canonical_index` sorts the units of a network, so that all its copies become one vector. Does sorting two *different* networks bring
# them as near to each other as aligning them does?
# ```
#
# ```{solution-start} ex-canonical
# :class: dropdown
# ```

# %% tags=["solution"] asks={"first": "both networks, each sorted to its canonical order, [2, params]", "second": "the same of permuted copies of the two", "found": "what `align` finds when it lays the second network on the first", "as_trained": "distance of the two networks as trained", "sorted_": "their distance when both are sorted"} hints=["All copies of a network are sorted to one vector: was each permuted by `permutation_index`, and sorted by its own `canonical_index`?", "Alignment should bring the two nearer than sorting, and nearer than they were."]
import torch

import hyperlib

network, generator = hyperlib.small_cnn(), torch.Generator().manual_seed(0)
images = hyperlib.load_images("mnist5k").subset(train=1000, test=100)
design = hyperlib.grid(seeds=2, lr=1e-3)
zoo = hyperlib.train_population(network, images, design, epochs=3, progress=False)
pair, orders = zoo.weights[:, -1], hyperlib.random_permutations(network, 2, generator)
copy = pair.gather(-1, hyperlib.permutation_index(network, orders))
first, second = (
    vectors.gather(-1, hyperlib.canonical_index(network, vectors))
    for vectors in (pair, copy)
)
assert torch.equal(first, second)  # all copies of a network are sorted to one vector
as_trained, sorted_ = (float(hyperlib.l2(*vectors)) for vectors in (pair, first))
found = hyperlib.align(network, pair[0], pair[1:], restarts=10)
assert found.distance[0] < min(as_trained, sorted_)
{"as trained": as_trained, "sorted": sorted_, "aligned": float(found.distance[0])}

# %% [markdown]
# Sorting removes the orbit of each network, but puts unit 3 of one beside unit 3 of the other for no better reason than their length.
# Alignment compares them. Its price is that it needs a reference, and that what it finds need not be the best.
# ```{solution-end}
# ```
#
# ## What held, what did not

# %% tags=["hide-input"]
plain = [label for label in lines if label != anew]
sign = every_height.pivot(index=["network", "pair"], columns="setting", values="barrier")
MARGIN = 0.05  # of loss: a lower hill is no barrier


def over_pairs(measured, labels=plain):
    """Mean over pairs of something measured on each of a network's pairs, with an interval over its models."""
    return {label: mean_over_pairs(measured(sign.loc[label]), pairs_of[label]) for label in labels}


def lowered(way, labels):
    """By how much a way of alignment lowers the barrier of the same pairs."""
    return over_pairs(lambda t: t["two seeds"] - t[way], labels)

# %% tags=["hide-input"]
kept, broken = (moves[moves["offered"] == side].groupby("symmetry")["holds"] for side in (True, False))
stays = {kind: (bool(all_.all()), f"{all_.sum()} of {len(all_)} moves") for kind, all_ in kept}
changes = {kind: (not all_.any(), f"{(~all_).sum()} of {len(all_)} moves") for kind, all_ in broken}
far = {called[r["zoo"]]: (r["to own copy"] > 0.8 * r["to another seed"], f"{r['to own copy']:.1f} against {r['to another seed']:.1f}")
       for _, r in orbits.iterrows()}  # fmt: skip
soup = aligned.set_index("way")["soup accuracy"]
better = {way: (soup[way] > soup["as trained"], f"{soup[way]:.2f} against {soup['as trained']:.2f}") for way in ways}
ends = soup_sizes[soup_sizes["way"] != "as trained"].groupby(["network", "way"], sort=False)["accuracy"].agg(["first", "last"])
within = {", ".join(name): (last > first - 0.05, f"{last:.2f} after {first:.2f}") for name, first, last in ends.itertuples()}
found = planted.set_index(["stream", "inner", "restarts"])["found"]
twice = {f"widths {a}, {b}": (found[a, b, 2] >= 0.95, f"{found[a, b, 2]:.0%}") for a, b in sides}

moduli = by_run.assign(size=by_run["pearson"].abs()).pivot(index=["reading", "run"], columns="permutations", values="size")
moduli = moduli.loc["all pairs"]  # without own copies the figure shows the same
of_runs = f"checkpoints of {len(moduli)} runs"
collapse = {of_runs: mean_of(moduli[2] / moduli[1])}
fall = {of_runs: mean_of(moduli[2] - moduli[counts[-1]])}
near, same = hyperlib.l2(latest[:15]).numpy(), alike[:15, :15]
r = similarity_curves.bootstrapped_correlation(near, same, draws=500).set_index("statistic").loc["pearson"]
alone = by_run[(by_run["permutations"] == 1) & (by_run["reading"] == "all pairs")]["pearson"]
tells = {"15 seeds, last epoch": tuple(r[["value", "low", "high"]]), of_runs: between(mean_of(alone))}
angle = {"small CNN": tuple(interval.set_index("statistic").loc["pearson", ["value", "low", "high"]])}

# %% tags=["hide-input"]
inferred, idea = "ch. 2 (inferred)", "ch. 2 (inferred), Entezari et al. 2022"
at, is_ours = {"shown": "tab-barriers"}, {"source": "ours", "shown": "tab-moves"}
claims = [
    verdicts.counted("allowed changes of the weights keep the answers", stays, source=f"{inferred}; signs, scales ours", shown="tab-moves",
                     headline=True),
    verdicts.tested("there is a barrier between two seeds", over_pairs(lambda t: t["two seeds"]), source=inferred, **at,
                    margin=MARGIN, headline=True),
    verdicts.tested("weight matching lowers it", lowered("aligned", plain), source=idea, **at, margin=MARGIN, headline=True),
    verdicts.tested("weight matching leaves less than a twentieth of it",
                    over_pairs(lambda t: 0.05 * t["two seeds"] - t["aligned"]), source=idea, **at, headline=True),
    verdicts.tested("near in weight space means alike in answers (r of distance and CKA < -0.5)", tells, source="ch. 2, caption (inferred; 0.5 ours)",
                    shown="fig-ws-cka-l2", less=True, threshold=-0.5, headline=True),
    verdicts.tested("a barrier to the own copy", over_pairs(lambda t: t["own copy"]), source=inferred, **at, margin=MARGIN),
    verdicts.tested("no barrier within one run", over_pairs(lambda t: t["one run"]), source=inferred, **at, less=True,
                    threshold=MARGIN),
    verdicts.tested("with norms remeasured, weight matching lowers it", lowered("aligned", [anew]), source="ours", **at,
                    margin=MARGIN),
    verdicts.tested("with norms remeasured, activation matching lowers it", lowered("matched activations", [anew]), source="ours",
                    **at, margin=MARGIN),
    verdicts.tested("activation matching lowers it", lowered("matched activations", plain), source="ours", **at, margin=MARGIN),
]  # fmt: skip
claims += [
    verdicts.tested("|r| of l2 and CKA falls to less than half at the first copy", collapse, source="ours", shown="tab-cka-l2",
                    less=True, threshold=0.5),
    verdicts.tested("|r| of l2 and CKA falls further with more copies", fall, source="ch. 2, caption (direction inferred)",
                    shown="tab-cka-l2"),
    verdicts.tested("a small angle means alike in answers (r of cosine and CKA > 0.5)", angle, source="ch. 2, caption (inferred; 0.5 ours)",
                    shown="fig-ws-cka-cos", threshold=0.5),
    verdicts.counted("changes that are not allowed change the answers", changes, source="ours", shown="tab-refused"),
    verdicts.counted("an own copy is nearly as far as another seed", far, source=inferred, shown="tab-orbits"),
    verdicts.counted("the soup of aligned models beats that of models as trained", better, source="ours", shown="tab-aligned"),
    verdicts.counted("the soup of all is within 5 points of one model", within, source="Wortsman et al. 2022, aligned: ours",
                     shown="fig-soups"),
    verdicts.counted("two starts find 95 % of planted orders", twice, source="ours", shown="tab-planted"),
]  # fmt: skip
card = study.publish("disc-scorecard", verdicts.scorecard(claims), "02b")

# %% tags=["remove-input"]
decided = card[card["holm"] != ""]
say(
    f"A barrier is more than {MARGIN} of loss, and lowered means by more than {MARGIN}: all of the 95 % interval of the mean over pairs lies "
    f"beyond *(our choice)*. There are {len(card)} verdicts (a claim in one case); an interval decides {len(decided)}, yes or no, and "
    f"{(decided['holm'] == 'stands').sum()} of these stand when all are judged together by {{term}}`Holm's method`."
)

# %% tags=["hide-input"] table={"name": "tab-symmetry-scorecard", "caption": "The page's main claims, the others in the fold; a case is a kind of move, a network or a way of alignment."}
show_table(verdicts.summary(card), rows=6, of=card)

# %% [markdown]
# **Back to the thesis.** Permutation is why a learner needs help with raw weights: chapter 4 shows it permuted copies of every network
# ({doc}`/notebooks/04a_hyper_representations`), and chapter 6 aligns the networks first.
