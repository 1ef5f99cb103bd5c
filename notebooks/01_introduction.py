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
# # What can be learned from the weights of many networks?
#
# A trained network is usually asked for answers. This book asks its *weights*: how good is this network, for how long was it trained, with which settings, and
# can another one like it be written down without training? A large population of networks makes such questions a matter of learning: it is the data set. That is the
# subject of the thesis {cite}`thesis`, and this page is the way into it for anyone who can train a network in PyTorch.
#
# **You will see**
#
# - the question in a nutshell: a few lines that read the accuracy of networks off their weights, and what to ask of such a result;
# - where learning from weights stands among other ways to look at networks, and the five contributions of the thesis;
# - what to read for what.

# %% tags=["parameters"]
profile = "quick"  # seconds; "laptop" is what the book publishes

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
import matplotlib.pyplot as plt
import numpy as np
import torch

import hyperlib
from hyperlib.figures import style
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.tasks import verdicts

study = hyperlib.Study(profile)

# %% [markdown]
# ## Why weights?
#
# All that a network learned is in its weights: together with the architecture they fix what it answers to any input. So whatever is true of it (its accuracy, what it
# confuses, how it was trained) follows from them in principle. In practice nobody can read it off a list of numbers, and the usual way to know a network is to run it. But
# networks are published every day, often without their data or a word on their training. If weights could be read, a collection of networks could be searched, sorted and
# drawn from like one of images.
#
# What makes it hard *(known facts, our selection)*:
#
# - **Weights are many.** A network is one point in a {term}`weight space` with as many axes as it has weights, and a {term}`zoo` of points, however many, hardly fills it.
# - **Weights have symmetries.** Hidden units can change places without any change of what the network answers {cite}`hechtnielsen1990`. So one function is many points.
# - **Networks differ in shape.** Two architectures have different spaces, and no axis of one is an axis of the other.
# - **Small changes can matter.** A step that is short in weight space may ruin a network, and a long one may leave it as it was.
#
# The second can be seen at once, in a zoo of the smallest kind: networks that differ in nothing but their {term}`seed <seed zoo>`, kept after every epoch.

# %%
zoo = study.zoo("tetris_seed")  # weights: [models, epochs, weights of one network]
one, other = zoo.weights[0, -1], zoo.weights[1, -1]

network, images = zoo.architecture, hyperlib.load_images("tetris").test_x
orders = hyperlib.random_permutations(network, 1, torch.Generator().manual_seed(0))
index = hyperlib.permutation_index(network, orders)
copy = one[None].gather(-1, index)[0]  # the first network, its hidden units reordered

# %% tags=["remove-input"]
answers = {name: network.logits(w[None], images) for name, w in (("one", one), ("copy", copy), ("other", other))}
apart = {name: float((answers[name] - answers["one"]).abs().max()) for name in ("copy", "other")}
models, epochs, weights = zoo.weights.shape
say(
    f"The zoo holds {models} networks of {weights} weights at {epochs} epochs. Two of them are {float((one - other).norm()):.1f} apart, and their scores on the test "
    f"images differ by up to {apart['other']:.1f}. The first network and its reordered copy are {float((one - copy).norm()):.1f} apart, as if they had nothing to do with each "
    f"other, and their scores differ by {apart['copy']:.0e}, which is rounding: they are the same function."
)

# %% [markdown]
# {doc}`/notebooks/02b_symmetries` takes this up. It is also why a learner of weights has to be told, by its inputs, its training or its build, that order means nothing.
#
# ## Can accuracy be read off weights?
#
# Here is the whole experiment in a few lines. The networks are divided into training, validation and test networks ({term}`by model <split by model>`, so that no network is
# on two sides), a linear {term}`probe` learns to tell test accuracy from what it is shown, and is scored on networks that it never saw. It is shown three things: the
# {term}`raw weights`, seven {term}`layer statistics` such as mean and variance, and, as a control, nothing of the weights at all but the epoch, the {term}`clock`.

# %%
shown = {"raw weights": hyperlib.RawWeights(), "statistics": hyperlib.LayerStatistics()}
shown["the clock"] = hyperlib.Clock()  # knows the epoch and no weight
train, val, test = study.parts("tetris_seed")
result = hyperlib.run_probes(shown, train, val, test, columns=["test_accuracy"])

# %% tags=["hide-input"] table={"name": "tab-intro-probes", "caption": "How well a linear probe tells the accuracy of unseen networks: $R^2$ (one is perfect, zero is no better than their mean) with its 95 % interval, and the order that it gives them (Kendall's $\\tau$)."}
readings = study.publish("intro-landscape", result.table, "first_reading")
show_table(readings[["features", "dimensions", "value", "low", "high", "tau"]].rename(columns={"features": "shown", "value": "R²"}), of=readings)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels, one for each thing that the probe is shown: told over measured test accuracy of unseen networks, one point per checkpoint coloured by epoch, with a diagonal on which all would be right."}, "figure": {"name": "fig-intro-reading", "caption": "Accuracy of unseen networks as the probe tells it, over accuracy as measured; a point is a checkpoint, coloured by its epoch, and on the line the probe would be right."}}
fig, axes = plt.subplots(1, 3, figsize=(7, 2.7), sharex=True, sharey=True)
truth, low = 100 * result.truth["test_accuracy"], 100 * float(result.truth["test_accuracy"].min())
for ax, name in zip(axes, shown, strict=True):
    told = np.clip(100 * result.predictions[name, "linear", "test_accuracy"], 0, 110)
    points = ax.scatter(truth, told, c=result.epochs, s=5, linewidths=0)
    ax.plot([low, 100], [low, 100], color=style.INK, linewidth=0.8)
    ax.set(title=name, xlabel="measured, in %")
axes[0].set(ylabel="told, in %")
fig.colorbar(points, ax=axes, label="epoch")
plt.show()

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Yes, but a clock does as well.**
#
# - Seven numbers per layer tell unseen networks' accuracy (R² of .85); raw weights by a straight line tell nothing of it (-.02).
# - Whoever knows the epoch alone, and no weight at all, tells it better (.90) than a *straight line* from statistics; trees on the same statistics have .93
#   ({doc}`/notebooks/03_model_zoos`). In this zoo most of what there is to tell is how long a network was trained.
# :::
#
# So a high score is not yet knowledge of a network. Every page of this book sets its findings beside such controls: the clock, the settings, an {term}`untrained encoder`,
# the mean of all networks. This is most of what the companion adds to the thesis, and {doc}`/notebooks/07_discussion` tells what is left when all of them have had their say.
#
# ## What has been learned from weights?
#
# A network can be looked at from several sides, and for two ends: to *analyse* it, or to *generate* one. The thesis takes the weights, for both.
#
# ```{figure} ../book/figures/intro-landscape.svg
# :name: fig-intro-landscape
# :alt: Grid with three rows, what one can look at in a network (weights, activations, behaviour), and two columns, what for (analysis, generation). The row of weights is highlighted, with accuracy, epoch and hyper-parameters under analysis and sampled networks under generation.
#
# What one can look at in a network, and what for. The thesis takes the weights, for analysis and for generation
# (after Fig. 1.0.1 of the thesis, drawn anew; the entries outside the row of weights are our own examples).
# ```
#
# - **Weights.** Statistics of weights tell the accuracy of small networks {cite}`unterthiner2020`. The spectra of weight matrices tell of the quality of large published ones, without
#   any data {cite}`martin2021trends`. Representations can be learned from zoos without labels {cite}`schuerholt2021self`, and new networks drawn from them {cite}`schuerholt2022hyper`. Others build the
#   symmetry into the learner {cite}`kofinas2024`, or generate weights by diffusion {cite}`wang2024pdiff`.
# - **Activations.** Layers of two networks are compared by what inputs evoke in them {cite}`kornblith2019`, and units of two networks matched {cite}`li2016`.
# - **Behaviour.** Answers are compared, on real images or on inputs that were learned to be telling {cite}`kahana2025`.
#
# The rows are not apart: {doc}`/notebooks/04b_model_properties` finds zoos in which answers to a few learned inputs tell more than the best statistics of weights, and
# {doc}`/notebooks/05a_generating` that networks drawn by a decoder work if it also learned from answers.
#
# ## What does the thesis contribute?
#
# ```{figure} ../book/figures/intro-contributions.svg
# :name: fig-intro-contributions
# :alt: Five boxes in the order of the thesis's chapters: a, the weight space; b, model zoos; c, hyper-representations; d, generative hyper-representations; e, scalable hyper-representations.
#
# The thesis in five contributions (after Fig. 1.0.2, drawn anew).
# ```
#
# | part | contribution of the thesis *(seen, in our words)* | what it asks | here |
# |---|---|---|---|
# | a | structure of the weight space, and work on weights directly | Where do trainings go, and what do distances mean? | {doc}`/notebooks/02a_weight_space`, {doc}`/notebooks/02b_symmetries` |
# | b | model zoos, diverse populations to learn from | Which networks does one need, and how different are they? | {doc}`/notebooks/03_model_zoos`, {doc}`/notebooks/03b_mnist_seed`, {doc}`/notebooks/03c_sparse_twins`, {doc}`/notebooks/03d_bring_your_own_zoo` |
# | c | hyper-representations, learned from weights without labels | What do they know of a network? | {doc}`/notebooks/04a_hyper_representations`, {doc}`/notebooks/04b_model_properties`, {doc}`/notebooks/04c_other_properties` |
# | d | generative hyper-representations | Can networks be drawn, and are they new, and useful? | {doc}`/notebooks/05a_generating`, {doc}`/notebooks/05b_using_generated` |
# | e | scalable hyper-representations | One representation for any architecture? | {doc}`/notebooks/06a_sane`, {doc}`/notebooks/06b_sane_sampling`, {doc}`/notebooks/06c_foreign_networks` |
#
# The full text of the thesis was not at hand when this companion was made: what its chapters hold was rebuilt from its abstract, five captions, the papers behind the chapters and the released code. How we know
# something stands behind it as a badge ({doc}`/book/how_to_read`).
#
# ## What to read for what?
#
# You need PyTorch, linear regression, and what cross-entropy and a transformer are; five more ideas are recalled in {doc}`/notebooks/prerequisites`. Words of this field are linked to the {doc}`/book/glossary`, symbols are in {doc}`/book/notation`.
#
# | you want to | read |
# |---|---|
# | begin by doing, in ninety minutes | {doc}`/notebooks/lab_weight_space` |
# | watch a zoo grow, without installing anything | {doc}`/book/zoo_in_the_browser` |
# | see the idea in an hour | this page, the answers at the head of all others, {doc}`/notebooks/07_discussion` |
# | understand why two equal networks look different, and how to align them | {doc}`/notebooks/02b_symmetries` |
# | train a population of networks, and know what it is worth | {doc}`/notebooks/03_model_zoos`, then {doc}`/notebooks/cost_and_speed` |
# | learn a representation of weights and judge it fairly | {doc}`/notebooks/04a_hyper_representations`, {doc}`/notebooks/04b_model_properties` |
# | draw networks without training them, and tell whether they are copies | {doc}`/notebooks/05a_generating` |
# | use them: fine-tuning, transfer, ensembles | {doc}`/notebooks/05b_using_generated` |
# | bring networks of your own, or somebody else's | {doc}`/notebooks/06c_foreign_networks`, {doc}`/notebooks/03d_bring_your_own_zoo` |
# | look up a function | {doc}`/book/api` |
#
# Chapters build on each other in their order, but every page says at its head what it needs, and runs by itself. Afterwards you will have grown zoos, and will be able to say of a
# claim about weights what it was measured against, to align networks before comparing them, to train and to sample a representation, and to tell a new network from a copy.
#
# ```{exercise} One function, how many points?
# :label: ex-one-function
# A Tetris network has a single hidden layer. Show on random weights that *every* order of its hidden units leaves the answers as they are, count how many different points of
# weight space are the same function, and compare their distances to the original with that to an independent network. (`permutation_index` takes a
# dictionary from the name of a group of units, here the only key of `network.structure.groups`, to orders, `[orders, units]`.)
# ```
#
# ```{solution-start} ex-one-function
# :class: dropdown
# ```

# %% tags=["solution"] asks={"network": "the Tetris network, from `hyperlib.tetris_mlp`", "copies": "one network with its hidden units in every order, [orders, params]", "same": "class scores of the copies minus those of the network itself, on the same images"} hints=["Every copy must answer as the network does, to rounding: was each reordered by an index from `permutation_index`, and were scores compared on the same images?", "There are as many different points as orders, the factorial of the hidden units: is every order there once?"]
from itertools import permutations

import torch

import hyperlib

network = hyperlib.tetris_mlp()
one, other = network.initialise(seeds=[1, 2])
(group,), (units,) = network.structure.groups, network.structure.groups.values()
orders = {group: torch.tensor(list(permutations(range(units))))}  # all of them
index = hyperlib.permutation_index(network, orders)
copies = one.expand(len(index), -1).gather(-1, index)
images = hyperlib.load_images("tetris").test_x
same = network.logits(copies, images) - network.logits(one[None], images)
assert same.abs().max() < 1e-4
assert len(copies.unique(dim=0)) == hyperlib.orbit_size(network) == len(copies)
moved = (copies - one).norm(dim=1)[1:]  # the first order is the one it has
far = (other - one).norm()
print(f"{len(copies)} points, at most {moved.max():.1f} away; another: {far:.1f}")

# %% [markdown]
# The farthest copies are nearly as far away as an unrelated network. So without alignment a distance says little about functions.
#
# ```{solution-end}
# ```
#
# ## What held, what did not

# %% tags=["hide-input"]
rows = result.table.assign(case=result.table["features"])
weights_only = rows[rows["features"] != "the clock"]
told = verdicts.tested(
    "weights tell the accuracy of unseen networks (R² above zero)", weights_only, source="ch. 4", shown="tab-intro-probes", headline=True
)
beyond = {name: result.compare(name, "the clock", "test_accuracy") for name in shown if name != "the clock"}
better = verdicts.tested(
    "a linear probe of them tells it better than the epoch alone does", beyond, source="ours", shown="fig-intro-reading", margin=0.02, headline=True
)
words = f"scores {apart['copy']:.0e} apart, weights {float((one - copy).norm()):.1f}"
moved = verdicts.counted(
    "a reordered network is another point and the same function", {"Tetris": (apart["copy"] < 1e-4 < float((one - copy).norm()), words)},
    source="ch. 2 (inferred)", shown="tab-intro-scorecard",
)  # fmt: skip
card = study.publish("disc-scorecard", verdicts.scorecard([told, better, moved]), "01")

# %% tags=["hide-input"] table={"name": "tab-intro-scorecard", "caption": "The page's claims and whether they held."}
show_table(verdicts.summary(card), of=card)

# %% [markdown]
# **On to the thesis.** Chapter 2 looks at the points themselves, before anything is learned from them: {doc}`/notebooks/02a_weight_space`.
