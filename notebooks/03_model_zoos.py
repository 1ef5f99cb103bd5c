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
# # Model zoos: what do we learn from?
#
# **Overview**
#
# - A *model zoo* is a population of networks with one architecture and every checkpoint kept. We grow five of them here,
#   on this machine.
# - We look at how a zoo spreads: over training, in accuracy, in behaviour and in weights.
# - We ask the first question of the book: do plain weights, or simple statistics of them, already tell how good a network
#   is, how long it was trained, and how?

# %% tags=["parameters"]
profile = "laptop"

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import hyperlib
from hyperlib.figures import plots, style
from hyperlib.figures.tables import show_table
from hyperlib.representations.maps import pick_rows, umap_map
from hyperlib.tasks.diversity import diversity
from hyperlib.thesis import published
from hyperlib.thesis.recipes import all_zoos

study = hyperlib.Study(profile)

# %% [markdown]
# ## How is a zoo made?
#
# > Generating factors are put on a grid, each point is trained with several seeds, and every epoch's state is kept.
# > — in our words, after {cite}`schuerholt2022modelzoos`
#
# ```{figure} ../book/figures/zoo-blueprint.svg
# :name: fig-zoo-blueprint
# :alt: Flow from an image set and an architecture over a grid of generating factors, with fixed or random seeds, to training with one checkpoint per epoch, measured properties, and a split by model.
#
# The generation blueprint of the Model Zoos paper, drawn anew: what varies is written down before training, what comes out
# is measured after every epoch, and models (never single checkpoints) are divided into training, validation and test parts.
# ```
#
# In code, a *design* has one row per model and `train_population` grows all of them in one job. Five models on 4x4 images:

# %%
tetris = hyperlib.load_images("tetris")
design = hyperlib.grid(seeds=5, init="kaiming_uniform", activation="tanh", optimizer="adam", lr=1e-3)
small = hyperlib.train_population(hyperlib.tetris_mlp(), tetris, design, epochs=3, progress=False)
show_table(small.table[["model", "epoch", "seed", "lr", "train_loss", "test_accuracy", "gap", "gap_clean"]].tail(4))

# %% [markdown]
# **Reading.** One row per model and epoch. The generalization gap stands there in two readings: `gap` uses the train accuracy
# that the released code logs, a running mean over the epoch with dropout at work; `gap_clean` evaluates after the epoch.
#
# ## Which zoos does the thesis use?
#
# The released generator scripts fix most of them. A check that our reading of the scripts is right: the numbers of zoos,
# models and states that follow from it must be the published ones. Every model also has a *sparse twin*, pruned over 25 further
# epochs, which the largest number counts.

# %%
zoos = all_zoos()
dense = zoos[(zoos.chapter == 3) & zoos.models.notna()].copy()
states = [published.zoo_record(name)["states_per_model"] for name in dense.id]
counts = {
    "zoos": len(dense),
    "models": int(dense.models.sum()),
    "model states": int((dense.models * states).sum()),
    "model states incl. sparse twins": int((dense.models * states).sum()) + 25 * int(dense.models.sum()),
    "image datasets": dense.dataset.nunique(),
}
ours = pd.DataFrame({"metric": list(counts), "value": list(counts.values())})
totals = study.beside_thesis("zoo-generating-factors", ours, on=["metric"])
study.publish("zoo-generating-factors", totals, "totals")
show_table(totals[["metric", "ours", "published", "source"]], precision=0)

# %% tags=["output_scroll"]
columns = ["id", "chapter", "dataset", "architecture", "weights", "models", "epochs", "varied", "fixed", "scale", "recipe"]
study.publish("zoo-generating-factors", zoos[[*columns, "confidence"]])
show_table(zoos[["id", "dataset", "weights", "models", "epochs", "confidence", "recipe"]], precision=2)

# %% [markdown]
# **Reading.** The whole table, with every factor's values, is in `book/results`. `confidence` is our chance that a record is right:
# where it is low, models and epochs are recalled and not read in a source (`book/thesis/zoos.yml` names the fields). Zoos with
# *yes* in the last column can be grown by name at the profile `paper`, for instance
# `hyperlib.Study("paper").zoo("fmnist-seed")`; for the others the table says what is missing.
#
# ## Five zoos grown here
#
# A *seed zoo* varies nothing but the seed; a *hyp zoo* varies hyper-parameters. The recipes, and what in them is our choice because
# no source says it:

# %%
names = ["tetris_seed", "tetris_hyp", "digits_seed", "digits_hyp", "mnist_seed"]
recipes = {name: study.recipe(name) for name in names}
grown = pd.DataFrame(
    {
        "zoo": name,
        "images": recipe.images.name,
        "weights": recipe.architecture.num_weights,
        "models": len(recipe.design),
        "epochs": recipe.epochs,
        "our choice": recipe.choices,
    }
    for name, recipe in recipes.items()
)
show_table(study.publish("zoo-generating-factors", grown, "grown"))

# %%
populations = {name: study.zoo(name) for name in names}
populations

# %% [markdown]
# ## How does accuracy spread over training?
#
# The seeds alone make a distribution of networks; the hyper-parameters make it wide.

# %% mystnb={"image": {"alt": "Five panels, one per zoo, of test accuracy in percent over epochs: median line with bands over models. Seed zoos have narrow rising bands, zoos with varied hyper-parameters spread over the whole range."}, "figure": {"name": "fig-zoo-accuracy-over-epochs", "caption": "Test accuracy over training, per zoo: median over models, bands from the 25th to the 75th and from the 5th to the 95th percentile. The number of models is in each title; diverged models are left out."}}
fig, axes = plt.subplots(2, 3, figsize=(8, 4.8), sharey=True)
for ax, (name, zoo) in zip(axes.flat, populations.items(), strict=False):
    plots.bands_over_epochs(zoo.samples().table, "test_accuracy", ax, name)
    ax.set_title(f"{name}\n{len(zoo)} models", fontsize=9)
axes[1, 2].remove()
fig.supylabel("test accuracy in %", fontsize=10)
plt.show()

# %% [markdown]
# The numbers behind the figure, at the first, middle and last epoch:

# %%
moments = {
    (name, epoch): zoo.samples(epoch).table["test_accuracy"].describe()
    for name, zoo in populations.items()
    for epoch in sorted({1, int(zoo.epochs[-1]) // 2, int(zoo.epochs[-1])})
}
spread = pd.DataFrame(moments).T.rename_axis(["zoo", "epoch"]).reset_index()
show_table(study.publish("zoo-accuracy-over-epochs", spread).drop(columns="count"))

# %% [markdown]
# And the published ones, with ours beside them where a zoo has the same name and epoch. These are **not like for like**: at
# `quick` and `laptop` our `mnist_seed` uses 5,000 of the images and another initialisation (see its recipe above), and its
# first epoch is far ahead for that reason. The [next page](03b_mnist_seed) grows it at the recorded settings.

# %% tags=["output_scroll", "hide-input"]
reported = published.as_fractions(published.accuracy_statistics()).assign(mean=lambda t: t["mean"].fillna(t["median"]))
named = {recipe.thesis: populations[name] for name, recipe in recipes.items() if recipe.thesis}
rows = [(zoo, epoch) for zoo, epoch in zip(reported["zoo"], reported["epoch"], strict=True) if zoo in named]
own = pd.DataFrame(
    {"zoo": zoo, "epoch": epoch, **named[zoo].samples(int(epoch)).table["test_accuracy"].agg(["mean", "std"])}
    for zoo, epoch in rows
    if epoch in named[zoo].epochs
)
both = published.beside(own, reported.drop(columns="unit"), on=["zoo", "epoch"], value="mean")
study.publish("zoo-accuracy-over-epochs", both, "published")
show_table(both[["zoo", "epoch", "ours", "ours_std", "published", "published_std", "source"]])

# %% [markdown]
# Published values are means over models (digitised ones are medians, read off a figure).
#
# **Reading.** A seed zoo is a band that moves as a whole; a hyp zoo spreads far wider, because some settings hardly learn in the
# given epochs. Accuracy in a hyp zoo therefore has more variance to explain, and part of it is explained by the settings alone:
# the benchmark below measures how much.
#
# ## The generalization gap, in two readings

# %% mystnb={"image": {"alt": "Two panels for the zoos tetris_seed and digits_seed: generalization gap in percent over epochs, once with running and once with clean train accuracy. The running reading falls below the clean one in the first epochs, and the two meet later."}, "figure": {"name": "fig-gap-readings", "caption": "Generalization gap over training in both readings: running train accuracy as in the released code (first), and evaluated after the epoch (second). Median and bands as in the figure before."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
readings = {"gap": "running (released code)", "gap_clean": "evaluated after the epoch"}
for ax, name in zip(axes, ["tetris_seed", "digits_seed"], strict=True):
    table = populations[name].samples().table
    for column, colour in zip(readings, style.PAIR, strict=True):
        plots.bands_over_epochs(table, column, ax, readings[column], colour)
    ax.set_title(f"{name}, {len(populations[name])} models", fontsize=9)
axes[0].set_ylabel("train minus test accuracy in %")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# **Reading.** While a network learns fast, the running reading lies below the clean one: it averages over weights that were worse
# than the ones tested. Early in training, the gap as the released code of these zoos logs it is in part a measure of speed; in a
# zoo with dropout it also tells whether dropout was on.
#
# ## How diverse is a zoo?
#
# Three views {cite}`schuerholt2022modelzoos`: performance, behaviour (do two models give the same answers?) and weights. The
# published diversity table was not found, so ours stands alone.

# %%
images = {name: recipe.images.load() for name, recipe in recipes.items()}
diverse = pd.DataFrame(
    {"zoo": name} | diversity(zoo, images[name]) for name, zoo in populations.items()
)
study.publish("zoo-stats-diversity", diverse)
shown = ["zoo", "models", "diverged", "test_accuracy_mean", "test_accuracy_std", "gap_mean", "gap_std"]
show_table(diverse[shown])

# %%
shown = ["zoo", "pairs", "agreement", "chance", "cka", "weight_std", "l2", "cosine"]
show_table(diverse[shown])

# %% [markdown]
# **Reading.** `agreement` is the share of test images that two models put into the same class, `chance` what it would be if their
# errors had nothing in common, `cka` compares their outputs (1 is the same up to rotation and scale), `l2` and `cosine` compare
# weight vectors: all means over `pairs` of models at the last epoch. `weight_std` is the spread of a weight over models, averaged
# over weights. Where models agree more than chance although their vectors are nearly orthogonal, different places in weight space
# hold similar functions; the thesis's chapter 2 asks why. That they are orthogonal is a matter of how they begin: ours start
# around zero, while the thesis's grey-image seed zoos start at U(0, 1), where all weights are positive.
#
# ## Do weights know what they can do?
#
# > Layer-wise statistics of the weights predict a network's accuracy.
# > — in our words, after {cite}`unterthiner2020` and {cite}`schuerholt2021self`
#
# We train simple probes on the models of one part of a zoo and read $R^2$ on models never seen (70/15/15 by model). Features are
# the raw weights $W$; the layer statistics $s(W)$, which are mean, variance and five percentiles of each layer's weights and of
# its biases; and, as a warning, the hyper-parameters alone. The linear probe is the published one: ridge on unstandardised
# features, penalty chosen on the validation models. Boosted trees (on at most 20,000 checkpoints), the thinning to 16 epochs per
# model and all intervals are ours.

# %%
def checkpoints(part):
    """At most 16 evenly spaced epochs per model."""
    return part.samples(sorted({round(e) for e in np.linspace(part.epochs[0], part.epochs[-1], 16)}))


# %%
embedders = {
    "W": hyperlib.RawWeights(),
    "s(W)": hyperlib.LayerStatistics(),
    "hyper-parameters": hyperlib.Hyperparameters(),
}

targets = ["test_accuracy", "epoch", "gap", "gap_clean"]
probes = {"linear": list(embedders), "trees": ["s(W)", "hyper-parameters"]}
probed = {}
for name, zoo in populations.items():
    parts = [checkpoints(part) for part in zoo.split()]
    probed[name] = hyperlib.run_probes(embedders, *parts, columns=targets, probes=probes)

# %%
benchmark = pd.concat([result.table.assign(zoo=name) for name, result in probed.items()], ignore_index=True)
study.publish("zoo-property-benchmark", benchmark)
rows, columns = ["zoo", "probe", "features", "dimensions"], ["target"]
wide = benchmark.pivot_table("value", rows, columns, sort=False)[targets]
show_table(wide.reset_index())

# %% mystnb={"image": {"alt": "Five panels, one per zoo: bars of R squared for accuracy, epoch and both readings of the gap from raw weights, layer statistics and hyper-parameters with the linear probe, with intervals. Layer statistics reach furthest on accuracy and epoch in the seed zoos and in tetris_hyp; in digits_hyp outliers can push both kinds of weight features below zero."}, "figure": {"name": "fig-zoo-property-benchmark", "caption": "R² of the linear probe on unseen models; lines are 95 % intervals from a bootstrap over models. An arrow marks a bar or an interval that goes on to the left. The number of test models is in each title."}}
fig, axes = plt.subplots(2, 3, figsize=(8, 5.6), sharey=True)
axes[1, 2].remove()
for ax, (name, result) in zip(axes.flat, probed.items(), strict=False):
    linear = result.table[result.table["probe"] == "linear"]
    plots.intervals(linear, ax, by="features", label="target")
    ax.set_title(f"{name}\n{linear['n_test_models'].iloc[0]} test models", fontsize=9)
    ax.set_xlabel("R²")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# Differences between two kinds of features on the *same* test models are surer than two separate intervals, because the same
# bootstrap draws of models serve both:

# %% tags=["output_scroll"]
pairs = [("s(W)", "W"), ("s(W)", "hyper-parameters")]
differences = pd.DataFrame(
    {"zoo": name, "target": target, "first": first, "second": second, **vars(result.compare(first, second, target))}
    for name, result in probed.items()
    for target in targets
    for first, second in pairs
)
study.publish("zoo-property-benchmark", differences, "differences")
show_table(differences)

# %% [markdown]
# **Reading.** In the seed zoos and in `tetris_hyp` layer statistics are a strong baseline, and raw weights hardly a representation at
# all: a linear probe on $W$ has no way to know that units can change places. The hyper-parameters score zero on the epoch by
# construction, since they are the same at every epoch. At `laptop` trees read more from $s(W)$ than the linear probe in most rows,
# so much of what it knows is not linear in it. The two readings of the gap are two different questions.
#
# The published table of this comparison (Model Zoos, Table 2) was not found, so these numbers stand alone here; the page on
# chapter 4, to come, has published values for MNIST. At `quick` few models are left for testing and intervals are wide: a
# difference is a finding only if its interval stays clear of zero.
#
# Two choices in this comparison change its numbers.
#
# **Which models may stand on both sides?** `tetris_hyp` has *fixed* seeds, so models of the training and of the test part began as the
# same network (the first exercise below). Divided by seed instead of by model:

# %%
def beside_benchmark(zoo, parts, name):
    """The linear rows of one zoo's benchmark beside another reading of the same comparison."""
    other = hyperlib.probe_table(embedders, *parts, columns=targets)
    study.publish("zoo-property-benchmark", other.assign(zoo=zoo), name.replace(" ", "_"))
    first = benchmark[(benchmark["zoo"] == zoo) & (benchmark["probe"] == "linear")]
    both = first.merge(other, on=["features", "target"], suffixes=(" above", f" {name}"))
    return both[["features", "target", "value above", f"value {name}"]]


by_seed = [checkpoints(part) for part in populations["tetris_hyp"].split(by="seed")]
show_table(beside_benchmark("tetris_hyp", by_seed, "by seed"))

# %% [markdown]
# **Which checkpoints count?** The loader of the Model Zoos drops checkpoints that have a weight beyond 5 in absolute value, the code
# of the hyper-representation papers drops none; above we drop none. A few runs of `digits_hyp` (unscaled initialisation, SGD at the
# higher rate) end with weights many times larger than all others. With the filter:

# %%
parts = [checkpoints(part) for part in populations["digits_hyp"].split()]
bounded = [part.take((part.weights.abs().amax(1) <= 5).numpy()) for part in parts]
print("kept", [f"{len(kept)} of {len(part)}" for kept, part in zip(bounded, parts, strict=True)])
show_table(beside_benchmark("digits_hyp", bounded, "filtered"))

# %% [markdown]
# **Reading.** What raw weights seemed to know about `tetris_hyp` was mostly which seed a model came from. And a linear probe is at
# the mercy of outliers: in `digits_hyp` at `laptop` a handful of models drags it units below zero. The filter takes them out and
# $s(W)$ recovers, as it does under trees; raw weights stay below zero, here as in `digits_seed` and `mnist_seed`, where no weight is
# large and the reason is another: hundreds or thousands of dimensions and few models.
#
# And the factors themselves, in the zoos that vary them: can they be read off the weights? Numbers by $R^2$ (learning rates in
# their logarithm), names by accuracy of a linear soft-max (standardised features, solved to its optimum: ours, the published one
# takes 50 epochs of Adam). `guess` is the accuracy of always naming the most frequent value.

# %%
factors, hyp_zoos = ["log_lr", "activation", "init"], ["tetris_hyp", "digits_hyp"]
rows = []
for name in hyp_zoos:
    parts = [checkpoints(part) for part in populations[name].split(by="seed" if name == "tetris_hyp" else "model")]
    for part in parts:
        part.table["log_lr"] = np.log10(part.table["lr"])
    weights_only = {key: embedders[key] for key in list(embedders)[:2]}
    rows.append(hyperlib.probe_table(weights_only, *parts, columns=factors).assign(zoo=name))
factor_table = pd.concat(rows, ignore_index=True)
shares = {(z, f): recipes[z].design[f].value_counts(normalize=True).max() for z in hyp_zoos for f in factors[1:]}
factor_table["guess"] = [shares.get(key) for key in zip(factor_table["zoo"], factor_table["target"], strict=True)]
study.publish("zoo-property-benchmark", factor_table, "factors")
show_table(factor_table[["zoo", "features", "target", "metric", "value", "low", "high", "guess"]])

# %% [markdown]
# ## What does a zoo look like?
#
# A map of the checkpoints by UMAP {cite}`mcinnes2018`, fitted on at most 5,000 of them: once of the raw weights, once of the
# layer statistics, coloured by accuracy and by epoch.

# %% mystnb={"image": {"alt": "Four scatter plots of checkpoints of the Tetris seed zoo: UMAP of raw weights and of layer statistics, coloured by test accuracy and by epoch."}, "figure": {"name": "fig-zoo-umap", "caption": "UMAP of checkpoints of tetris_seed (15 neighbours, minimal distance 0.01, seed 42), of 150 models: raw weights W (upper row) and layer statistics s(W) (lower row)."}}
mapped = pick_rows(checkpoints(populations["tetris_seed"].take(range(150))))
coordinates = {name: umap_map(embedders[name].fit(mapped).embed(mapped)) for name in list(embedders)[:2]}
fig, axes = plt.subplots(2, 2, figsize=(8, 6))
for place, (name, points) in enumerate(coordinates.items()):
    accuracy, epoch = 100 * mapped.table["test_accuracy"].to_numpy(), mapped.table["epoch"].to_numpy()
    plots.map_points(points, accuracy, axes[place, 0], name, "test accuracy in %")
    plots.map_points(points, epoch, axes[place, 1], name, "epoch")
plt.show()
located = mapped.table[["model", "epoch", "test_accuracy"]].copy()
for short, points in zip(["W", "sW"], coordinates.values(), strict=True):
    located[[f"{short}_x", f"{short}_y"]] = points
study.publish("zoo-umap", located);

# %% [markdown]
# **Reading.** In the map of raw weights every model is an island of its own: neighbours are epochs of one training run, and
# nothing tells a good island from a bad one. The layer statistics forget which unit is which, and the islands become one
# continent ordered by progress. This is the gap that the thesis's representations are meant to close: keep what the statistics
# know, and keep the weights themselves.
#
# ## Exercises
#
# ```{exercise} Fixed seeds
# :label: ex-fixed-seeds
# In a zoo with `seed_mode="fix"` the same seeds return at every grid point. Which weights do two models with the same seed and
# different learning rates share? What does that mean for a split by model?
# ```
#
# ```{solution-start} ex-fixed-seeds
# :class: dropdown
# ```

# %% tags=["solution"]
import torch

import hyperlib

design = hyperlib.grid(seeds=2, seed_mode="fix", lr=[1e-3, 1e-2])
zoo = hyperlib.train_population(
    hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), design, epochs=1, progress=False
)
first, other_seed, same_seed = (zoo.weights[row] for row in (0, 1, 2))
assert torch.equal(first[0], same_seed[0])  # epoch 0: the very same network
assert not torch.equal(first[0], other_seed[0])
assert not torch.equal(first[1], same_seed[1])  # epoch 1: they have parted

# %% [markdown]
# At epoch 0 they are the same network. A split by model then puts copies of training checkpoints into the test part; a split by
# seed (`zoo.split(by="seed")`) does not. It is one reason to have zoos with random seeds beside those with fixed ones.
# ```{solution-end}
# ```
#
# ```{exercise} Same function, other weights
# :label: ex-permuted
# Reverse the order of the five hidden units of a Tetris network: the rows of `fc1.weight`, and the columns of `fc2.weight`
# with them. What changes: the weights, the answers, the layer statistics?
# ```
#
# ```{solution-start} ex-permuted
# :class: dropdown
# ```

# %% tags=["solution"]
import torch

import hyperlib

network = hyperlib.tetris_mlp()
weights = network.initialise(seeds=[1])[0]
state = network.layout.unflatten(weights)
moved = network.layout.flatten(
    {"fc1.weight": state["fc1.weight"].flip(0), "fc2.weight": state["fc2.weight"].flip(1)}
)
images = hyperlib.load_images("tetris").test_x
statistics = [hyperlib.layer_statistics(one, network.layout) for one in (weights, moved)]
assert (weights - moved).norm() > 1  # far away
assert torch.allclose(network.logits(weights, images), network.logits(moved, images), atol=1e-5)
assert torch.allclose(*statistics, atol=1e-5)

# %% [markdown]
# The weights move far, the function stays, and so do the layer statistics. A probe on raw weights has to learn that all
# $5! = 120$ such copies are the same network; the statistics know it from the start.
# ```{solution-end}
# ```
#
# ```{exercise} The wrong split
# :label: ex-wrong-split
# Divide the checkpoints of a digits zoo at random instead of by model, and fit the linear probe for accuracy on raw weights.
# How much does $R^2$ rise, and why is the number worth nothing?
# ```
#
# ```{solution-start} ex-wrong-split
# :class: dropdown
# ```


# %% tags=["solution"]
import numpy as np
from sklearn.metrics import r2_score
import hyperlib

images, design = hyperlib.load_images("digits").subset(train=256), hyperlib.grid(seeds=30, lr=1e-2)
zoo = hyperlib.train_population(hyperlib.digits_cnn(), images, design, epochs=8, progress=False)
every, scores = zoo.samples(), {}
mixed = np.random.default_rng(0).permutation(len(every))
mixed_parts = [every.take(rows) for rows in np.split(mixed, [len(mixed) * 70 // 100, len(mixed) * 85 // 100])]
for name, parts in {"by model": [part.samples() for part in zoo.split()], "by checkpoint": mixed_parts}.items():
    train, val, test = [(part.weights.numpy(), part.table[["test_accuracy"]].to_numpy()) for part in parts]
    scores[name] = r2_score(test[1], hyperlib.LinearProbe().fit(*train, val).predict(test[0]))
assert scores["by checkpoint"] > scores["by model"]
scores

# %% [markdown]
# `hyperlib.probe_table` refuses such a split. The probe has met every test model at a neighbouring epoch: it recognises the model and interpolates. Nothing of that helps
# with a network that it has never seen.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Every row is computed from the tables above, and a claim that does not hold here stands here too. A comparison of two kinds of
# features *held* in a zoo if the whole interval of their difference is above zero, is *reversed* if it is below, and else
# *undecided*: with few test models, as at `quick`, that is a frequent verdict.

# %% tags=["hide-input"]
def row(claim, source, by_zoo):
    """A line of the scorecard; the claim has a verdict in every zoo that was asked."""
    kinds = list(by_zoo.values())
    return {"claim": claim, "source": source, "held in": f"{kinds.count('held')} of {len(kinds)}"} | by_zoo


def compared(first, second, target):
    """The verdict on "first beats second" in each zoo."""
    return {name: result.compare(first, second, target).verdict for name, result in probed.items()}


def measured(zoos, holds):
    """Verdicts on a plain condition."""
    return {name: "held" if holds(name) else "not held" for name in zoos}


# %% tags=["hide-input"]
s, w, h = "s(W)", "W", "hyper-parameters"
trees = benchmark.query("features == @h and target == 'test_accuracy' and probe == 'trees'").set_index("zoo")["value"]
last, seed_zoos = diverse.set_index("zoo"), ["tetris_seed", "digits_seed", "mnist_seed"]
rows = [row(f"s(W) tells {target} better than W", "ch. 3, 4", compared(s, w, target)) for target in targets]
rows += [
    row("s(W) tells accuracy better than the settings do", "ours", compared(s, h, "test_accuracy")),
    row("the settings explain half of the accuracy (trees)", "ours", measured(hyp_zoos, lambda n: trees[n] > 0.5)),
    row("models agree more than by chance", "ours", measured(seed_zoos, lambda n: last.agreement[n] > last.chance[n])),
    row("|cosine| of weight vectors < 0.1", "ours", measured(seed_zoos, lambda n: abs(last.cosine[n]) < 0.1)),
    row("scripts give the published totals", "ch. 3", measured(["all"], lambda _: not totals["difference"].dropna().any())),
]
show_table(study.publish("disc-scorecard", pd.DataFrame(rows), "03"))
