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
# **Overview**
#
# - Hidden units can change places, and some can change sign or scale, and the function stays. We check every such move on every small
#   network of the book, and say which ones are refused and why.
# - Between two trained networks lies a barrier of loss. We measure how much of it is only the order of the units, by laying one network on
#   the other before we walk.
# - Does the distance of two weight vectors tell whether two networks do the same? The captions of two figures of the thesis pose
#   the question; we measure the answer. The full text of this chapter was not open to us, so for every claim we say where it
#   was *seen*, what is *inferred*, and what is *our choice*. No numbers are published for the figures of this page.

# %% tags=["parameters"]
profile = "quick"  # minutes; "laptop" is what the book publishes

# %% tags=["remove-input", "colab"]
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules and not Path("companion").exists():
    address = "https://github.com/hyper-representations/companion"
    git = ["git", "clone", "-q", "--depth=1", address, "companion"]
    subprocess.run(git, check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "-e", "companion"]
    subprocess.run([*pip, "plotly>=6.1,<8"], check=True)
    sys.path.insert(0, str(Path("companion").resolve()))

# %%
from math import log10

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import hyperlib
from hyperlib.figures import interactive, plots, style
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.tasks import barriers, connectivity, playground, recovery, similarity_curves
from hyperlib.weightspace import architectures, layers

study = hyperlib.Study(profile)

# %% [markdown]
# ## Which moves leave the function where it is?
#
# > The units of a hidden layer can be put in any order, if every layer that reads them follows: other weights, same function.
# > — in our words, after {cite}`hechtnielsen1990` (that the thesis shows it in this chapter is *inferred*)
#
# In code a reordering is one integer index into the whole weight vector, for a whole population at once. Here every model of a zoo
# of small CNNs gets an order of its own:

# %%
names, quick = ["tetris_seed", "mnist_seed", "resnet_seed", "wide_middle_batch"], profile == "quick"
zoos = {name: study.zoo(name) for name in names}
images = {name: study.recipe(name).images.load() for name in names}
zoo, generator = zoos["mnist_seed"], torch.Generator().manual_seed(0)
weights = zoo.samples(zoo.epochs[-1]).weights
orders = hyperlib.random_permutations(zoo.architecture, len(weights), generator)
moved = weights.gather(-1, hyperlib.permutation_index(zoo.architecture, orders))
some = images["mnist_seed"].test_x[:100]
before, after = (hyperlib.class_scores(zoo.architecture, vectors[:20], some) for vectors in (weights, moved))
print(f"weights moved by {(moved - weights).norm(dim=1).mean():.1f}, vectors are {weights.norm(dim=1).mean():.1f} long,")
print(f"largest change of a class score: {(after - before).abs().max():.0e}")

# %% [markdown]
# Two more kinds of moves are our addition (whether the thesis has them we do not know): where the activation is odd, as tanh is, a
# unit may change its sign together with all that reads it {cite}`chen1993`; where it is positively homogeneous, as ReLU is, it may be
# multiplied by a positive number and what reads it divided {cite}`neyshabur2015`. The library derives from the list of layers which
# moves a network has, and `verify_symmetry` makes every one of them, offered or refused, on random weights in float64. All small
# networks of the book, with both activations (`2 of 4`: two of four moves that were tried are offered; `held` counts those that left
# the function alone):

# %% tags=["output_scroll"]
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
show_table(checked.assign(difference=checked["difference"].map("{:.0e}".format)))

# %% [markdown]
# And the refused ones. They were made all the same, and `smallest change` is how much the answers changed at least (relative to
# the largest answer):

# %%
refused = moves[~moves["offered"]].groupby(["symmetry", "reason"])["difference"].agg(["size", "min"]).reset_index()
study.publish("ws-permutation-symmetry-check", refused, "refused")
show_table(refused.rename(columns={"size": "moves", "min": "smallest change"}))

# %% [markdown]
# **Reading.** Every offered move leaves the answers alone to the last digits of float64, every refused one changes them. A maximum does
# not commute with a sign. Scaling before a norm is refused for another reason: the norm has already divided the factor out, so what
# reads it must *not* be divided, and what then remains is the norm's $\varepsilon$ (the first exercise below measures it).
#
# One kind of network has units that cannot even change places. A shortcut that pads channels with zeros has no weights that
# could follow {cite}`he2016`; it ties unit $k$ before to unit $k$ behind:

# %%
stem = (layers.Conv("conv1", width=4), layers.Activation("before"))
block = (layers.Conv("conv2", units="wide", width=6, padding=1), layers.PadChannels("pad", "before", units="wide", width=6))
head = (layers.Add(other="conv2"), layers.Activation(), layers.GlobalAveragePool())
classes = layers.Linear("fc", units="classes", width=3)
padded = hyperlib.Architecture("padded", (1, 8, 8), (*stem, *block, *head, classes), "relu")
try:
    hyperlib.random_permutations(padded, 1, generator)
except ValueError as refusal:
    print(refusal)
tried = hyperlib.verify_symmetry(padded, torch.randn(4, 1, 8, 8, generator=generator))
show_table(tried[tried["symmetry"] == "permutation"][["units", "width", "offered", "holds", "difference"]])

# %% [markdown]
# How many copies does a network have, and how far away are they? The orbit is the product of the factorials of the widths; distances
# are euclidean, means over eight models (or all there are) at the last epoch.

# %%
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
show_table(orbits, precision=1)

# %% [markdown]
# **Reading.** The Tetris network has $5! = 120$ copies, the small CNN $8! \cdot 6! \cdot 4! \cdot 20!$, and the wide network a number
# with a thousand digits. A copy is about as far away as a network that was trained from another seed: by its distance alone, a network
# with the very same function cannot be told from a stranger.
#
# ## A playground
#
# The smallest case that one can see: two inputs, four hidden ReLU units, two classes (inside or outside of a circle). Every unit
# switches along a line. We train twenty of them and take the best.

# %%
spots = torch.rand(600, 2, 1, 1, generator=torch.Generator().manual_seed(1)) * 3 - 1.5
inside = (spots.flatten(1).norm(dim=1) < 1).long()
disc = hyperlib.Images("disc", spots[:500], inside[:500], spots[500:], inside[500:], ("outside", "inside"), "drawn here")
hidden = (layers.Flatten(), layers.Linear("fc1", width=4), layers.Activation())
tiny = hyperlib.Architecture("playground", (2, 1, 1), (*hidden, layers.Linear("fc2", units="classes", width=2)), "relu")
design = hyperlib.grid(seeds=20, activation="relu", lr=1e-2)
trained = hyperlib.train_population(tiny, disc, design, epochs=120, progress=False)
best = trained.samples(120).table["train_accuracy_clean"].argmax()
one = trained.samples(120).weights[best]
print(f"accuracy of the best: {trained.samples(120).table['test_accuracy'][best]:.2f} on 100 unseen points")

# %% [markdown]
# All 24 orders of its units, each from the one before by exchanging two neighbours; the answers of every copy on a grid of points;
# and one row per order and place of the weight vector, with the unit whose weight stands there.

# %%
side, ticks = 1.5, torch.linspace(-1.5, 1.5, 61)
order_names, copies, strips = playground.copies_in_all_orders(tiny, one)
answers = hyperlib.class_scores(tiny, copies, playground.points_of_the_plane(ticks))
margins = (answers[0, :, 1] - answers[0, :, 0]).view(61, 61).numpy()
strips["change"] = (answers - answers[0]).abs().amax((1, 2)).repeat_interleave(len(one)).numpy()
unit_lines = playground.switching_lines(tiny, one)
largest = pd.DataFrame({"orders": [len(order_names)], **strips[["distance", "change"]].max()})
show_table(study.publish("ws-permutation-symmetry-check", largest, "playground"), precision=8)

# %%
still, axes = plt.subplots(1, 2, figsize=(8, 3.6), width_ratios=[1, 1.3])
plots.unit_lines(ticks.numpy(), margins, unit_lines, axes[0])
plots.weight_strips(strips, order_names[::4], axes[1])
movable(
    interactive.playground(ticks.numpy(), margins, unit_lines, strips), still, name="fig-playground",
    alt="Left: a plane with four coloured lines, on each of which a unit switches, and the closed decision boundary that "
    "bends where it meets them. Right: the 22 weights as rows of coloured bars, for six of the 24 orders of the units: the "
    "same bars stand at other places in every row.",
    caption="Four ReLU units change places. In the plane: the line on which each unit switches and the decision boundary "
    "(grey). As bars: the weight vector, each weight in the colour of its unit (grey: biases of the classes); hollow "
    "bars show the first order. Move the slider: the boundary stays, the vector does not.",
)

# %% [markdown]
# **Reading.** Twenty-four points of weight space, and one picture in the plane. What a learner that reads weights should know about this
# network is the picture; what it is given is one of the vectors.
#
# ## Is there a barrier between two networks?
#
# > Loss along $\theta_\alpha = (1 - \alpha)\,\theta_A + \alpha\,\theta_B$: between two checkpoints of one run, two seeds, a network and
# > its permuted copy, and two seeds after alignment.
# > — in our words; that the thesis shows these four is *inferred*. Barriers after {cite}`frankle2020`, the idea that they are mostly
# > permutation after {cite}`entezari2022`
#
# The barrier is the largest excess of the loss over the straight line between the losses at the ends; we measure it on test images, at
# eleven points of each line. Alignment is by the weights {cite}`ainsworth2023` (best of five starts), with signs where the
# activation allows them, or by matching the activations of units on 256 training images {cite}`li2016`. The same pairs of models
# are asked in every setting. `one run` goes from the last epoch back to the first.

# %%
lines, heights = {}, {}  # tables by label


def walk(name, label, pairs, settings=None, recalibrate=None):
    """Lines between pairs of a zoo's models in several settings, on at most 500 test images."""
    zoo, data = zoos[name], images[name].subset(test=min(500, len(images[name].test_x)))
    network = zoo.architecture.with_activation(zoo.design["activation"][0])
    drawn, first = barriers.some_pairs(len(zoo), pairs), data.train_x[:256]
    ends = barriers.ends_of_lines(network, zoo.weights, drawn, first, earlier=1, restarts=5)
    ends = {setting: ends[setting] for setting in settings or ends}
    lines[label], heights[label] = barriers.compare_lines(network, ends, data.test_x, data.test_y, recalibrate=recalibrate)


# %%
for name, label in (("tetris_seed", "Tetris MLP"), ("mnist_seed", "small CNN")):
    walk(name, label, 6 if quick else 20)
walk("wide_middle_batch", "wide MLP", 6)

# %% [markdown]
# Norms need care: their running statistics belong to the ends of the line, not to the networks between. We ask the small ResNet twice,
# as it stands and with the statistics of every point measured anew on 256 training images {cite}`jordan2023`.

# %%
walk("resnet_seed", "small ResNet", 4 if quick else 8)
again = ["two seeds", "aligned", "matched activations"]
walk("resnet_seed", "small ResNet, remeasured", 4 if quick else 8, again, images["resnet_seed"].train_x[:256])
every_line, every_height = (
    pd.concat([table.assign(network=label) for label, table in tables.items()], ignore_index=True)
    for tables in (lines, heights)
)
summary = barriers.quartiles(every_height, ["network", "setting"])
study.publish("ws-interpolation-lmc", summary)
study.publish("ws-interpolation-lmc", every_height, "pairs")
middle = every_line[np.isclose(every_line["alpha"], 0.5)].groupby(["network", "setting"])["accuracy"].mean()
summary = summary.merge(middle.rename("accuracy halfway").reset_index())
show_table(summary.drop(columns=["accuracy_barrier", "loss"]))

# %%
still = plots.panels_of_lines(every_line, again)
movable(
    interactive.barrier_lines(every_line, again), still, name="fig-barrier-lines",
    alt="Five panels of test loss on the way between two networks: Tetris MLP, small CNN, wide MLP, small ResNet as it "
    "stands and remeasured. Between two seeds the loss rises everywhere; alignment lowers the hill, flattens it in the "
    "wide MLP alone; by weights it does not help the ResNet before its norms are measured anew, by activations a little.",
    caption="Test loss on the straight line between two networks, as trained and after alignment by weights or by "
    "activations. Still: median over pairs, bands over the middle half and the middle nine tenths of them. Buttons choose "
    "the setting, the slider the network; thin lines are pairs, the thick one is their median.",
)

# %% [markdown]
# **Reading.** Within one run there is no barrier to speak of, and to the *own copy* of a network, with the very same function, there is
# one as high as to another seed. So the straight line does not measure how alike two functions are. At `laptop` alignment lowers the
# barrier in the Tetris MLP and the small CNN by a third or more and removes it in neither; only in the wide MLP, with 256 units per
# layer, it is gone (about a fiftieth of what it was, or less). That is what {cite}`entezari2022` expect of width, and a
# warning for zoos of small networks: *their* seeds differ by more than an order of units. Signs help the Tetris MLP beyond permutations;
# in the small CNN they bring the networks nearer and the barrier no lower, for nearer is not yet connected. Matching activations
# does as well as matching weights or better, although it leaves the weights farther apart.
#
# The small ResNet as it stands gets no better by matching weights (its median is a little higher than before), for the interpolated
# running statistics fit no network on the way. Matching activations lowers its barrier by less than a third. With statistics measured
# anew the order is as in the small CNN. (Its ends change too, since four epochs leave running statistics that lag behind.)
#
# **Another way round.** A barrier on the straight line is no wall. A quadratic Bézier curve {cite}`garipov2018` between the same two
# ends, whose bend is learned in 300 steps on training images, goes around it without any alignment (two pairs of small CNNs; steps
# and rate are *our choice*):

# %%
zoo, data = zoos["mnist_seed"], images["mnist_seed"]
network, ends = zoo.architecture, (zoo.weights[[0, 2], -1], zoo.weights[[1, 3], -1])
bend = connectivity.bezier(network, *ends, data.train_x, data.train_y, steps=300)
test = data.test_x[:500], data.test_y[:500]
straight = connectivity.along_line(network, *ends, *test, points=11)
curved = connectivity.along_curve(network, ends[0], bend, ends[1], *test, points=11)
detour = pd.DataFrame({"pair": [1, 2], "barrier of the line": straight.barrier, "barrier of the curve": curved.barrier})
detour["accuracy halfway, line"], detour["accuracy halfway, curve"] = straight.accuracy[:, 5], curved.accuracy[:, 5]
show_table(study.publish("ws-interpolation-lmc", detour, "bezier"))

# %% [markdown]
# **Reading.** The curve does not remove the barrier entirely either, but it is lower by a factor of ten and more than the line's, and the
# network halfway is nearly as good as the ends. The two networks are connected; it is straightness that fails.
#
# ## What does alignment do to a population?
#
# > Models are aligned to one reference before anything is learned from them.
# > — in our words, {cite}`schuerholt2024sane` does so with the method of {cite}`ainsworth2023` (*seen*); a figure of it in this
# > chapter is *inferred*
#
# Two hundred small CNNs (or all there are), laid on the first of them. The mean of the weights, also called a *soup*
# {cite}`wortsman2022`, shows whether they are then in one place.

# %%
zoo, network = zoos["mnist_seed"], zoos["mnist_seed"].architecture
trained = zoo.samples(zoo.epochs[-1]).weights[:200]
reference, rest, first = trained[0], trained[1:], images["mnist_seed"].train_x[:256]
ways = {"activations": {"method": "activations", "images": first}}
ways |= {f"weights, {starts} starts": {"restarts": starts} for starts in (1, 2, 5, 10)}
ways |= {"weights and signs, 10 starts": {"restarts": 10, "signs": True}}
populations = {"as trained": trained}
for way, how in ways.items():
    populations[way] = torch.cat([trained[:1], hyperlib.align(network, reference, rest, **how).weights])

# %%
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
show_table(study.publish("ws-rebasin-alignment", aligned))

# %% mystnb={"image": {"alt": "Two histograms over pairs of models. Distances: as trained around the largest values, after alignment by weights smaller, with signs smaller still. Cosines: as trained around zero, after alignment above it, with signs highest."}, "figure": {"name": "fig-aligned-distances", "caption": "Distances and cosines of all pairs of up to 200 small CNNs (mnist_seed, last epoch): as trained, and after all were laid on the first one, without and with signs."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
shown = ["as trained", "weights, 10 starts", "weights and signs, 10 starts"]
for ax, values, label in zip(axes, (distances, angles), ("distance of two models", "cosine of two models"), strict=True):
    for way, colour in zip(shown, [style.COLOURS["W"], *style.PAIR], strict=True):
        ax.hist(values[way], 60, color=colour, alpha=0.6, label=way)
    ax.set(xlabel=label, yticks=[])
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
plt.show()

# %% [markdown]
# How many can be put into one soup? From one model (the reference) on, in the order of the zoo; and the four wide MLPs beside them,
# for which alignment left no barrier.

# %%
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

# %% mystnb={"image": {"alt": "Test accuracy of the mean of several models over their number, on a logarithmic axis. Small CNNs: it falls from the second model on, as trained to chance and after alignment to between a fifth and three fifths. Wide MLPs: it falls slowly after alignment and fast without."}, "figure": {"name": "fig-soups", "caption": "Test accuracy of the mean of the first so many models' weights, as trained and after alignment to the first. One population of small CNNs (solid) and four wide MLPs (dashed); no spread, since there is one order of models."}}
fig, ax = plt.subplots(figsize=(7, 3))
for (kind, way), part in soup_sizes.groupby(["network", "way"], sort=False):
    marks = {"linestyle": "--" if kind == "wide MLP" else "-", "marker": "o", "markersize": 3}
    ax.plot(part["models"], 100 * part["accuracy"], label=f"{kind}, {way}", **marks)
ax.set(xscale="log", xlabel="models in the mean", ylabel="test accuracy in %")
ax.set_xticks(sizes, sizes, minor=False)
ax.minorticks_off()
fig.legend(loc="outside right upper", fontsize=8)
plt.show()

# %% [markdown]
# **Reading.** As trained, cosines scatter around zero and the mean of all models is at chance: it is nearly the zero vector.
# Alignment moves all pairs nearer to each other, not only to the reference, and more starts find nearer places, by little after the
# second. The mean then knows something, but stays far below any single small CNN. Of the wide MLPs, between two of which no barrier
# was left, a mean of four loses eight points at `laptop`, and more than half of its accuracy without alignment. (One order of models,
# 500 test images: wiggles of the curves are no finding.)
#
# **Does the search find what is there?** Between trained networks nobody knows the best order. So we hide one: networks of two residual
# blocks in which only the blocks tell units apart (standard-normal weights, stream and inner widths as given, *our choice*), and
# their copies in random order. `found` is the share of copies that are put back exactly.

# %%
planted = recovery.planted_recovery([(3, 5), (30, 50)], restarts=(1, 2, 10), trials=10 if quick else 50)
show_table(study.publish("ws-rebasin-alignment", planted, "planted"))

# %% [markdown]
# **Reading.** One descent from the networks as given finds most of the small ones and few of the wide ones; stream and inner units have to
# be found together, and the search stops at a wrong pair of orders. The second start, which puts each group into the best order that
# it could have whatever the others do, finds them all. On trained networks that start helps only a little (the table of the
# population; so does every further one), because there is no exact answer to be found.
#
# ## Does distance tell about function?
#
# > The absolute correlation between pairwise CKA and pairwise l2 similarity, over the number of permutations of 15 models: with more
# > permutations there are more pairs, and they cover weight space more globally.
# > — in our words, caption of Fig. 2.6.1 {cite}`thesis` (*seen*; the direction of the curve is *inferred*, no values are given)
#
# *Linear CKA* {cite}`kornblith2019` compares the answers of two networks to the same images, and no permutation changes it. Per model
# we take up to 64 vectors, the model itself and copies in random order, and correlate over all pairs of them: once with and once
# without the pairs of a model and its own copy, whose CKA is 1 by construction. Answers are class scores on 500 test images; ten
# draws of the orders; all *our choice*. Fifteen seeds at their last epoch, and, beside them, fifteen checkpoints of *one* run:
# vectors that lie close together.

# %%
scored, counts = images["mnist_seed"].test_x[:500], [1, 2, 4, 8, 16] if quick else [1, 2, 4, 8, 16, 32, 64]
latest = zoo.samples(zoo.epochs[-1]).weights
run = zoo.take([0]).samples(sorted({round(e) for e in np.linspace(1, zoo.epochs[-1], 15)})).weights
sources = {"15 seeds, last epoch": latest[:15], f"{len(run)} checkpoints of one run": run}
by_copies = pd.concat(
    similarity_curves.l2_against_cka(network, vectors, scored, permutations=counts, draws=10, seed=0).assign(models=kind)
    for kind, vectors in sources.items()
)
study.publish("ws-cka-l2", by_copies);

# %% mystnb={"image": {"alt": "Absolute correlation of CKA and l2 distance over the number of permuted copies, two panels. 15 seeds: near zero without own copies, and rising to about a quarter with them. Checkpoints of one run: above 0.9 without copies, near zero with two, and rising again to about one half."}, "figure": {"name": "fig-ws-cka-l2", "caption": "Absolute Pearson correlation of pairwise CKA and pairwise l2 distance over the number of copies per model (1: the model alone), for 15 seeds and for checkpoints of one run. Both readings: all pairs, and without pairs of a model and its own copy. Median over ten draws, bands from the 25th to the 75th and from the 5th to the 95th percentile. After Fig. 2.6.1 of the thesis."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
for ax, kind in zip(axes, sources, strict=True):
    for (reading, part), colour in zip(by_copies[by_copies["models"] == kind].groupby("reading"), style.PAIR, strict=True):
        plots.bands(part.assign(absolute=part["pearson"].abs()), "permutations", "absolute", ax, reading, colour)
    ax.set(xscale="log", xlabel="permuted copies per model", ylabel="", ylim=(0, 1))
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.set_title(kind, fontsize=10)
axes[0].set_ylabel("|correlation| of CKA and l2")
axes[1].legend(fontsize=8)
plt.show()

# %%
signed = by_copies.groupby(["models", "reading", "permutations"], sort=False)[["pearson", "spearman"]].mean().reset_index()
ends = signed[signed["permutations"].isin([1, 2, counts[-1]])]
show_table(ends)

# %% [markdown]
# **Reading.** What the caption suggests, that distance tells about function near by and less and less as pairs cover more of the
# space, holds in our run for one kind of population: for checkpoints of *one* run the correlation is strong as long as there
# are no copies, and collapses with the first one. For fifteen *seeds* there is nothing that could fall: the seeds are already everywhere,
# and distance says next to nothing about CKA from the start.
#
# And where copies of the seeds are added, the two readings part. With own copies the absolute correlation *rises*, against the
# caption's direction, because every pair of own copies has a CKA of exactly 1 and is a little nearer than strangers are: the number
# measures the construction. Without own copies it stays near zero. For the one run it rises again in both readings, and its sign
# turns, which is construction, too: two random orders of long vectors are farther apart than those of short ones, and late checkpoints
# are long and alike. So the direction depends on the population and on the reading, and a curve of this kind needs both to be named.
#
# > The correlation between pairwise CKA and cosine similarity, over the number of models: more models cover weight space more
# > globally.
# > — in our words, caption of Fig. 2.6.2 {cite}`thesis` (*seen*; direction *inferred*, no values given)
#
# Here nothing is permuted: random subsets of the zoo of growing size, twenty of each (*our choice*).

# %%
sizes = sorted({size for size in (3, 5, 10, 20, 50, 100, 200) if size < len(latest)} | {len(latest)})
by_models = similarity_curves.cosine_against_cka(network, latest, scored, sizes=sizes, subsets=20, seed=0)
study.publish("ws-cka-cos", by_models);

# %% mystnb={"image": {"alt": "Correlation of CKA and cosine over the number of models on a logarithmic axis: a wide band around zero at three models narrows to a line at zero for the whole zoo."}, "figure": {"name": "fig-ws-cka-cos", "caption": "Correlation of pairwise CKA and pairwise cosine over the number of models, Pearson and Spearman: median over 20 random subsets, bands from the 25th to the 75th and from the 5th to the 95th percentile (all models are one subset). After Fig. 2.6.2 of the thesis."}}
fig, ax = plt.subplots(figsize=(6, 3))
for column, colour in zip(("pearson", "spearman"), style.PAIR, strict=True):
    plots.bands(by_models, "models", column, ax, column.capitalize(), colour)
ax.axhline(0, color=style.INK, linewidth=0.8)
ax.set(xscale="log", xlabel="models", ylabel="correlation of CKA and cosine", ylim=(-1, 1))
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(fontsize=8)
plt.show()

# %%
spread = by_models.groupby("models")["pearson"].quantile([0.05, 0.5, 0.95]).unstack()
spread.columns = ["5th percentile", "median", "95th percentile"]
show_table(study.publish("ws-cka-cos", spread.reset_index(), "percentiles"))

# %% [markdown]
# Subsets of one zoo overlap, so the band of the figure narrows by itself where they grow. An interval for all models together, from a
# bootstrap over models and not over pairs (*our choice*):

# %%
near, alike = hyperlib.cosine(latest).numpy(), hyperlib.cka(hyperlib.class_scores(network, latest, scored)).numpy()
interval = similarity_curves.bootstrapped_correlation(near, alike, draws=200)
show_table(study.publish("ws-cka-cos", interval, "bootstrap"))

# %% [markdown]
# **Reading.** Three models can show any correlation, from nearly -1 to nearly 1; the more models, the nearer to zero it gets, and for the
# whole zoo the interval says how near. A zoo whose seeds start independently covers weight space globally from the start, and there the
# angle between two weight vectors says nothing about what the networks compute. At `quick` the models are less alike and fewer.
#
# ## Exercises
#
# ```{exercise} Scaling before a norm
# :label: ex-scale-norm
# The move that multiplies a convolution's filters by 3 and lets its norm divide again is refused, because of the norm's
# $\varepsilon$. Make it by hand: filters and running means times 3, running variances times 9, all else as it was. How much do the
# answers of a small ResNet change, and why does the change grow when the factor is small?
# ```
#
# ```{solution-start} ex-scale-norm
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib

network = hyperlib.small_resnet(1)
weights = network.initialise([1])[0].double()
images = hyperlib.load_images("mnist5k").test_x[:20].double()
before, changes = network.logits(weights, images), {}
for factor in (0.01, 3.0):
    state = {name: values.clone() for name, values in network.layout.unflatten(weights).items()}
    for name, power in {"conv1.weight": 1, "norm1.running_mean": 1, "norm1.running_var": 2}.items():
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

# %% tags=["solution"]
from itertools import permutations

import torch

import hyperlib

network = hyperlib.tetris_mlp()
weights = network.initialise(seeds=[1])[0]
orders = torch.tensor(list(permutations(range(5))))
copies = weights[hyperlib.permutation_index(network, {"fc1": orders})]
mean = network.layout.unflatten(copies.mean(0))
assert len(copies.unique(dim=0)) == 120
assert torch.allclose(mean["fc1.weight"], mean["fc1.weight"][:1].expand(5, -1), atol=1e-6)
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

# %% tags=["solution"]
import torch

import hyperlib

network, generator = hyperlib.small_cnn(), torch.Generator().manual_seed(0)
images = hyperlib.load_images("mnist5k").subset(train=1000, test=100)
zoo = hyperlib.train_population(network, images, hyperlib.grid(seeds=2, lr=1e-3), epochs=3, progress=False)
pair, orders = zoo.weights[:, -1], hyperlib.random_permutations(network, 2, generator)
copy = pair.gather(-1, hyperlib.permutation_index(network, orders))
first, second = (vectors.gather(-1, hyperlib.canonical_index(network, vectors)) for vectors in (pair, copy))
assert torch.equal(first, second)  # all copies of a network are sorted to one vector
as_trained, sorted_ = (float(hyperlib.l2(*vectors)) for vectors in (pair, first))
found = hyperlib.align(network, pair[0], pair[1:], restarts=10)
assert found.distance[0] < min(as_trained, sorted_)
print(f"as trained {as_trained:.2f}, sorted {sorted_:.2f}, aligned {float(found.distance[0]):.2f}")

# %% [markdown]
# Sorting removes the orbit of each network, but puts unit 3 of one beside unit 3 of the other for no better reason than their length.
# Alignment compares them. Its price is that it needs a reference, and that what it finds need not be the best.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Every row is computed from the tables above. A barrier is *there* if three of four pairs have more than 0.05, and it *vanishes* if
# its median falls below a twentieth of what it was between the same seeds before (*our choice*). `ch. 2 (inferred)`: we conclude
# that the thesis says so; `caption`: its direction is inferred from a caption; years: the source that the idea is from. A correlation *falls* with
# copies only if it begins above 0.1.


# %% tags=["hide-input"]
def row(claim, source, measured):
    """A line of the scorecard; `measured` says of each case whether the claim held there."""
    missed = [case for case, held in measured.items() if not held]
    share = f"{len(measured) - len(missed)} of {len(measured)}"
    return {"claim": claim, "source": source, "held in": share, "not in": ", ".join(missed) or "–"}


def barrier(holds, networks=tuple(lines)):
    """A condition on the barriers of every network, by setting."""
    rows = summary.set_index(["network", "setting"])
    return {network: bool(holds(rows.loc[network])) for network in networks}


# %% tags=["hide-input"]
plain = [label for label in lines if label != "small ResNet, remeasured"]
kept, broken = (moves[moves["offered"] == side].groupby("symmetry")["holds"] for side in (True, False))
far = orbits.set_index("zoo").eval("`to own copy` > 0.8 * `to another seed`")
rows = [
    row("offered moves keep the function", "ch. 2 (inferred); signs, scales ours", kept.all()),
    row("refused moves change it", "ours", ~broken.any()),
    row("an own copy is nearly as far as another seed", "ch. 2 (inferred)", far),
    row("no barrier within one run", "ch. 2 (inferred)", barrier(lambda t: t.q75["one run"] < 0.05, plain)),
    row("a barrier between two seeds", "ch. 2 (inferred)", barrier(lambda t: t.q25["two seeds"] > 0.05)),
    row("a barrier to the own copy", "ch. 2 (inferred)", barrier(lambda t: t.q25["own copy"] > 0.05, plain)),
]
for way in again[1:]:
    for verb, part in (("lowers the barrier", 1), ("makes it vanish", 0.05)):
        held = barrier(lambda t, way=way, part=part: t["median"][way] < part * t["median"]["two seeds"])
        rows.append(row(f"{way}: {verb}", "ch. 2 (inferred), Entezari et al. 2022", held))

# %% tags=["hide-input"]
soup, found = aligned.set_index("way")["soup accuracy"], planted.set_index(["stream", "inner", "restarts"])["found"]
ends = soup_sizes[soup_sizes["way"] != "as trained"].groupby(["network", "way"], sort=False)["accuracy"].agg(["first", "last"])
within = {", ".join(name): last > first - 0.05 for name, first, last in ends.itertuples()}
moduli = by_copies.assign(size=by_copies["pearson"].abs()).groupby(["models", "reading", "permutations"])["size"].mean().unstack()
falls = {f"{kind}, {reading}": 0.1 < size.iloc[0] > size.iloc[-1] for (kind, reading), size in moduli.iterrows()}
tells = {kind: size[1] > 0.5 for (kind, reading), size in moduli.iterrows() if reading == "all pairs"}
rows += [
    row("the mean of aligned models beats that of models as trained", "ours", soup[list(ways)] > soup["as trained"]),
    row("the mean of all is within 5 points of one model", "Wortsman et al. 2022, aligned: ours", within),
    row("two starts find 95 % of planted orders", "ours", {f"({a}, {b})": found[a, b, 2] >= 0.95 for a, b in ((3, 5), (30, 50))}),
    row("l2 tells CKA without copies (|r| > 0.5)", "ch. 2, caption", tells),
    row("|r| of l2 and CKA falls with copies", "ch. 2, caption", falls),
    row("cosine tells CKA among all models (|r| > 0.5)", "ch. 2, caption", {"small CNN": abs(spread["median"].iloc[-1]) > 0.5}),
]
show_table(study.publish("disc-scorecard", pd.DataFrame(rows), "02b"))

# %% [markdown]
# **Back to the thesis.** Permutation is why a learner needs help with raw weights: chapter 4 shows it permuted copies of every network, and
# chapter 6 aligns the networks first. This page says what alignment can and cannot do for small networks: it brings them nearer, and
# leaves them apart. What the two captions mean by "global coverage" depends on the population: among independent seeds neither
# distance nor angle tells about function, at any number of models or copies.
