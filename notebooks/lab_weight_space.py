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
# # What can one see in weights? A lab
#
# You train networks, and then never look at their images again: all that follows is read from their *weights*. The lab takes ninety minutes and begins
# with nothing; all that it needs is some PyTorch. Each part shows something and then asks you for the next step.
#
# **You will see**
#
# - a population of networks ({term}`zoo`) grow, and what its training looks like in accuracy and in weight space;
# - how two different weight vectors can be one function, and how well weights tell how good a network is, beside the controls that such a claim needs;
# - why it is easy to write down a network that works, and harder to write down a new one.

# %% tags=["parameters"]
profile = "quick"  # minutes; this page is the same at every profile

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
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor

import hyperlib
from hyperlib.figures import pictures, plots
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.representations.maps import umap_map

study = hyperlib.Study(profile)
began = {"grow a zoo": perf_counter()}

# %% [markdown]
# ## How is a zoo grown?
#
# The images are of the book's own small set, {term}`Tetris`: noisy tetrominoes of four shapes. They are so small that a network of one
# hidden layer can tell them apart, and so few weights train in moments.

# %%
images, network = hyperlib.load_images("tetris"), hyperlib.tetris_mlp()
design = hyperlib.grid(seeds=150, lr=3e-3)
zoo = hyperlib.train_population(network, images, design, epochs=30, progress=False)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four small images of tetrominoes of different shapes, with noise."}, "figure": {"name": "fig-lab-images", "caption": "An image of every class."}}
pictures.image_samples({"tetris": images})
plt.show()

# %% tags=["remove-input"]
say(
    f"These are {len(zoo)} networks of {network.num_weights} weights each, kept at the start and after each of {zoo.epochs[-1]} epochs: "
    f"`zoo.weights` is {list(zoo.weights.shape)}, that is `[models, epochs, params]`, and `zoo.table` has a row for each model and epoch."
)

# %% [markdown]
# They differ in nothing but the seed: the start of the weights, and the order of the images. That is a {term}`seed zoo`. What is put into the
# design varies.
#
# ```{exercise} Two rates, 8 minutes
# :label: ex-lab-rates
# Grow a zoo of your own: ten seeds at each of two learning rates, 1e-3 and 1e-2, for ten epochs. Which rate is ahead in mean test accuracy
# at the end, and by how much? (`mine.samples(10).table` has the rows of epoch 10.)
# ```
#
# ```{solution-start} ex-lab-rates
# :class: dropdown
# ```

# %% tags=["solution"] asks={"mine": "your zoo", "ahead": "the better rate, a number", "lead": "by how much, as a fraction"} hints=["There should be ten seeds at each of two rates: `grid(seeds=10, lr=[..., ...])`.", "Ten epochs and the start make eleven checkpoints of each model: `epochs=10`.", "The other rate is ahead: group the rows of the last epoch by `lr` and take the mean of `test_accuracy`.", "The lead is the difference of the two means, as a fraction and positive."] note="Who writes `seeds=20` gets twice as many networks; who reads `mine.table` without picking the last epoch averages over training. Ask before it runs: is a faster network a better one?"
two = hyperlib.grid(seeds=10, lr=[1e-3, 1e-2])
mine = hyperlib.train_population(network, images, two, epochs=10, progress=False)
means = mine.samples(10).table.groupby("lr")["test_accuracy"].mean()
ahead, lead = means.idxmax(), means.max() - means.min()
assert len(mine) == 20 and {*mine.design["lr"]} == {1e-3, 1e-2}
assert mine.weights.shape[1] == 11
assert ahead == mine.samples(10).table.groupby("lr")["test_accuracy"].mean().idxmax()
assert np.isclose(
    lead, np.ptp(mine.samples(10).table.groupby("lr")["test_accuracy"].mean())
)

# %% [markdown]
# So early the faster rate is ahead. A zoo that varies its settings is a {term}`hyp zoo`: in it the settings explain part of the accuracy, and a reader of
# weights must be compared with one who knows the settings ({doc}`/notebooks/03_model_zoos`).
# ```{solution-end}
# ```
#
# ## What does training look like?

# %% tags=["remove-input"]
began["look at it"] = perf_counter()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left: median test accuracy over epochs with bands over models. Right: a map of checkpoints coloured by epoch."}, "figure": {"name": "fig-lab-curves-and-map", "caption": "Left: test accuracy over training, median over models with bands from the 5th to the 95th and the 25th to the 75th percentile. Right: a map of the checkpoints of some models by {term}`UMAP`, from their raw weights."}}
some = zoo.take(range(25)).spread(10)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2))
plots.bands_over_epochs(zoo.samples().table, "test_accuracy", axes[0], "zoo")
axes[0].set(ylabel="test accuracy in %", title=f"{len(zoo)} models")
plots.map_points(umap_map(some.weights.numpy()), some.table["epoch"].to_numpy(), axes[1], "raw weights", "epoch")
plt.show()

# %% [markdown]
# On the map every island is one network, seen over its training. So training goes less far than networks lie apart. Is that so, or does the map make it up?
#
# ```{exercise} How far does training go? 8 minutes
# :label: ex-lab-distance
# For each model of `zoo`: how far (euclidean) is its last checkpoint from its first? And how far apart are the last checkpoints of two models,
# on the mean over all pairs? (`torch.pdist` has the distances of all pairs of rows.)
# ```
#
# ```{solution-start} ex-lab-distance
# :class: dropdown
# ```

# %% tags=["solution"] asks={"travelled": "distance from first to last checkpoint, a tensor with one number for each model", "apart": "mean distance of two models at the last epoch, one number"} hints=["There should be one distance for each model of `zoo`.", "The distance goes from `zoo.weights[:, 0]` to `zoo.weights[:, -1]` of the same model: is the norm over weights (dim=1), with its square root?", "Two models end farther apart than one travels, but less than five times as far: is it the mean over pairs of different models, at the last epoch?"] note="The usual slip is a norm over all of the tensor, which gives one number. `torch.cdist` of the zoo with itself counts each model's distance to itself, which is zero, and lowers the mean a little."
first, final = zoo.weights[:, 0], zoo.weights[:, -1]
travelled = (final - first).norm(dim=1)
apart = torch.pdist(final).mean()
assert travelled.shape == (len(zoo),)
assert torch.isclose(
    (travelled**2).sum(), (zoo.weights[:, -1] - zoo.weights[:, 0]).square().sum()
)
assert travelled.mean() < apart < 5 * travelled.mean()

# %% tags=["remove-input"]
say(f"A model travels {travelled.mean():.1f} on the mean, and two models end {apart:.1f} apart.")

# %% [markdown]
# The map did not make it up. That far apart need not mean different: next come two vectors that are one function.
# ```{solution-end}
# ```
#
# ## Which weights are the same network?

# %% tags=["remove-input"]
began["find a symmetry"] = perf_counter()

# %%
one, seen = zoo.weights[0, -1], images.test_x
state = network.layout.unflatten(one)

# %% tags=["hide-input"] mystnb={"image": {"alt": "The two layers of a small network as coloured matrices, one row per unit and one column per incoming weight."}, "figure": {"name": "fig-lab-weights", "caption": "One network: a row for each unit, a column for each incoming weight. Its hidden units are the rows of the first layer, and the columns of the second."}}
pictures.weights_by_layer(network.layout, one)
plt.show()

# %% [markdown]
# `state` has both layers by name, `fc1.weight` and `fc2.weight`, and `network.layout.flatten` makes one vector of such a dictionary again. What the
# network says of images is `network.logits(vector, seen)`. Between the layers stands $\tanh$.
#
# ```{exercise} Other weights, same function, 12 minutes
# :label: ex-lab-symmetry
# Let the hidden units 0 and 3 change places: make the weight vector of a network in which each does the work of the other, and that
# answers as before. Then, from `one` again, find a second way to change the weights of unit 2 alone and keep all answers; $\tanh(-x) = -\tanh(x)$ helps.
# ```
#
# ```{solution-start} ex-lab-symmetry
# :class: dropdown
# ```

# %% tags=["solution"] asks={"swapped": "the vector in which units 0 and 3 have changed places, [params]", "flipped": "another vector, in which the weights of unit 2 are changed, [params]"} hints=["The vector has not moved: exchange rows 0 and 3 of `fc1.weight`.", "A swap moves numbers and changes none, so sorted both vectors should be equal.", "The answers have changed: what reads a unit must follow it, so columns 0 and 3 of `fc2.weight` change places with the rows.", "The second vector should differ from `one`: turn the sign of what comes into unit 2.", "The answers have changed: with the sign of what comes in, the sign of what unit 2 gives to the next layer must turn, too.", "Only unit 2 should have other weights: row 2 of `fc1.weight` and column 2 of `fc2.weight`."] note="Most groups move the rows and forget the columns; the hint says so, but let them look at the picture first. A common bug: `state` is changed in place, so `one` changes with it (`unflatten` gives views); let them clone."
order, signs = torch.tensor([3, 1, 2, 0, 4]), torch.tensor([1, 1, -1, 1, 1])
incoming, outgoing = state["fc1.weight"], state["fc2.weight"]
swap = {"fc1.weight": incoming[order], "fc2.weight": outgoing[:, order]}
flip = {"fc1.weight": incoming * signs[:, None], "fc2.weight": outgoing * signs}
swapped, flipped = network.layout.flatten(swap), network.layout.flatten(flip)
assert (swapped - one).norm() > 0.01
assert torch.equal(swapped.sort().values, one.sort().values)
assert torch.allclose(network.logits(swapped, seen), network.logits(one, seen), 0, 1e-4)
assert (flipped - one).norm() > 0.01
assert torch.allclose(network.logits(flipped, seen), network.logits(one, seen), 0, 1e-4)
assert not network.layout.unflatten(flipped - one)["fc1.weight"][[0, 1, 3, 4]].any()

# %% [markdown]
# With five hidden units there are $5! = 120$ orders and $2^5 = 32$ choices of signs, so $120 \cdot 32 = 3840$ weight vectors are the same function
# ({doc}`/notebooks/02b_symmetries`). Somebody who reads raw weights has to learn that they are one network.
# ```{solution-end}
# ```
#
# ## How good is a network, by its weights?

# %% tags=["remove-input"]
began["probe"] = perf_counter()

# %% [markdown]
# A {term}`linear probe` gets the accuracy of some networks and predicts that of others. It reads either all weights, $W$, or a few statistics of each layer, $s(W)$,
# which no reordering changes: mean, variance and five percentiles. The zoo is divided *by model*, into networks to learn from, to choose by, and to be tested on.

# %%
train, val, test = (part.spread(6) for part in zoo.split())
readers = {"s(W)": hyperlib.LayerStatistics(), "W": hyperlib.RawWeights()}
found = hyperlib.probe_table(readers, train, val, test, columns=["test_accuracy"])

# %% tags=["hide-input"] table={"name": "tab-lab-probes", "caption": "Test accuracy, read off checkpoints of networks never seen: $R^2$ (one is perfect, zero is as good as naming the mean) with a 95 % interval."}
show_table(found[["features", "dimensions", "value", "low", "high"]].rename(columns={"value": "R²"}), 2)

# %% [markdown]
# Statistics read accuracy well, so weights tell how good a network is. Or do they tell something else that goes with it? Somebody who knows only *how
# long* a network was trained knows something, too.
#
# ```{exercise} The clock, 10 minutes
# :label: ex-lab-clock
# Predict the accuracy of each checkpoint of `test` by the mean accuracy of the `train` checkpoints of the same epoch, and nothing else. What is
# the $R^2$ of that? (Tables are `train.table` and `test.table`; `r2_score(truth, predicted)`.)
# ```
#
# ```{solution-start} ex-lab-clock
# :class: dropdown
# ```

# %% tags=["solution"] asks={"clock": "what the clock predicts, one number for each row of `test.table`", "clock_r2": "its R² on `test`"} hints=["There should be one prediction for each row of `test.table`.", "The clock knows nothing but the epoch, so it should say one number for each.", "The means should be those of `train`: who looks at `test` has seen the answers.", "Compare with `test.table[\"test_accuracy\"]`, truth first."] note="Many take the means over `test`: the check tells. When the clock is found to be as good as s(W), stop and ask what the table above has shown; then show inside-epoch scores in 04b."
by_epoch = train.table.groupby("epoch")["test_accuracy"].mean()
clock = test.table["epoch"].map(by_epoch).to_numpy()
clock_r2 = r2_score(test.table["test_accuracy"], clock)
assert np.shape(clock) == (len(test),)
assert test.table.assign(said=clock).groupby("epoch")["said"].nunique().max() == 1
assert np.isclose(np.mean(clock), train.table["test_accuracy"].mean(), rtol=0.02)
assert np.isclose(clock_r2, r2_score(test.table["test_accuracy"], np.asarray(clock)))

# %% tags=["remove-input"]
say(f"The clock has an $R^2$ of {clock_r2:.2f}, and $s(W)$ one of {found.set_index('features').loc['s(W)', 'value']:.2f}.")

# %% [markdown]
# So most of what is told of accuracy in a seed zoo is how long a network was trained. What weights know beyond that is a question *inside* epochs
# ({doc}`/notebooks/04b_model_properties`).
# ```{solution-end}
# ```
#
# The second control is the split. Raw weights read nothing above; a careless split makes them look splendid.
#
# ```{exercise} The leak, 8 minutes
# :label: ex-lab-leak
# Let a checkpoint have the accuracy of its nearest neighbour in raw weights (`KNeighborsRegressor(1)`, with `.fit(weights, accuracies)` and `.predict(weights)`). Put all
# checkpoints, `zoo.samples()`, into one bag, divide it at random into four fifths to learn from and a fifth to be tested on, and give $R^2$. Then do the same with
# the parts of `zoo.split()` that are divided by model. Which of the two says what the neighbour knows of networks never seen?
# ```
#
# ```{solution-start} ex-lab-leak
# :class: dropdown
# ```

# %% tags=["solution"] asks={"leaked": "the two parts of the bag, a list of samples (`bag.take(rows)`)", "leaked_r2": "R² of the nearest neighbour on the second part", "honest_r2": "R² on the test models of `zoo.split()`, learned from its training models"} hints=["Together the two parts should hold every checkpoint of the bag.", "The split should leak: nearly all models of the second part have checkpoints in the first one, too. Was the bag shuffled?", "With the leak it should read nearly all: the nearest neighbour of a checkpoint is the same network an epoch earlier or later. Are there all epochs in the bag?", "Of models never seen it should read nothing at all: are the test models those of the third part of `zoo.split()`?"] note="The nearest neighbour recognises the model and interpolates between epochs. `probe_table` refuses such parts, which is why the exercise fits by hand. Let one group write down what a paper with this split would claim."
bag = zoo.samples()
mixed = np.random.default_rng(0).permutation(len(bag))
leaked = [bag.take(rows) for rows in np.split(mixed, [len(bag) * 4 // 5])]
divided = [part.samples() for part in zoo.split()]
r2_of = {}
for name, (known, asked) in {"leak": leaked, "honest": divided[::2]}.items():
    neighbour = KNeighborsRegressor(1).fit(known.weights, known.table["test_accuracy"])
    said = neighbour.predict(asked.weights)
    r2_of[name] = r2_score(asked.table["test_accuracy"], said)
leaked_r2, honest_r2 = r2_of["leak"], r2_of["honest"]
assert sum(len(part) for part in leaked) == len(zoo.samples())
assert np.isin(leaked[1].table["model"], leaked[0].table["model"]).mean() > 0.5
assert leaked_r2 > 0.8
assert honest_r2 < 0.2

# %% tags=["remove-input"]
say(f"With the leak $R^2$ is {leaked_r2:.2f}, divided by model {honest_r2:.2f}.")

# %% [markdown]
# The neighbour is the same network, an epoch earlier or later. Nothing of that helps with a network that it has never seen: only a {term}`split by model` is honest.
# ```{solution-end}
# ```
#
# ## Can one draw a network?

# %% tags=["remove-input"]
began["draw a network"] = perf_counter()

# %% [markdown]
# A {term}`kernel density estimate` draws new vectors from given ones. *Joint* means: take a given vector, and move it a little. *Independent* means: do so for each weight by
# itself, each time from another vector. `hyperlib.novelty` looks at what was drawn: how accurate it is, and how many are *replicas* of networks that were there before.

# %%
parts = [part.samples(30) for part in zoo.split()]
known_ones, strangers = parts[0], parts[2]
kernel = hyperlib.KDE("joint", 0.1).fit(known_ones.weights)
example = kernel.sample(5, torch.Generator().manual_seed(0))
report = hyperlib.novelty(example, known_ones, strangers, images)

# %% [markdown]
# ```{exercise} Does it work, and is it new? 12 minutes
# :label: ex-lab-draw
# Draw 60 networks with each of the two kernels, at a bandwidth of 0.1, from the weights of `known_ones`. Which kernel gives networks that work? Which one gives networks that are new?
# Look at `accuracy` and `replicas` of `hyperlib.novelty`, with the models of `strangers` for comparison.
# ```
#
# ```{solution-start} ex-lab-draw
# :class: dropdown
# ```

# %% tags=["solution"] asks={"drawn": "60 weight vectors for each of the keys \"joint\" and \"independent\", a dictionary", "works": "the kernel whose networks work, \"joint\" or \"independent\"", "new": "the kernel whose networks are new"} hints=["There should be 60 vectors for each of the two keys: `.sample(60, generator)`.", "Networks of the kernel that you name are not far from chance: compare `accuracy` with `zoo_accuracy`.", "Networks of the kernel that you name are replicas: `replicas` is the share that is near one that was there before."] note="Somebody will say that the task cannot be solved, since no kernel is both. That is the point: accuracy alone would have praised a copying machine. It leads to chapter 5, where a representation gives networks that are new and work."
drawn, reports = {}, {}
for kind in ("joint", "independent"):
    generator = torch.Generator().manual_seed(0)
    drawn[kind] = hyperlib.KDE(kind, 0.1).fit(known_ones.weights).sample(60, generator)
    reports[kind] = hyperlib.novelty(drawn[kind], known_ones, strangers, images)
works = max(reports, key=lambda kind: reports[kind]["accuracy"])
new = min(reports, key=lambda kind: reports[kind]["replicas"])
assert sorted((kind, len(those)) for kind, those in drawn.items()) == [
    ("independent", 60), ("joint", 60)
]
assert hyperlib.novelty(drawn[works], known_ones, strangers, images)["accuracy"] > 0.6
assert hyperlib.novelty(drawn[new], known_ones, strangers, images)["replicas"] < 0.2

# %% tags=["remove-input"]
said = [f"{kind}: accuracy {row['accuracy']:.2f}, replicas {row['replicas']:.0%}" for kind, row in reports.items()]
say(f"{'; '.join(said)}. The zoo's accuracy is {reports['joint']['zoo_accuracy']:.2f}, and guessing has {1 / len(images.classes):.2f}.")

# %% [markdown]
# What works is copied, and what is new does not work. To have both is what {term}`hyper-representations <hyper-representation>` are for: they learn what networks have in common, and draw there
# ({doc}`/notebooks/05a_generating`).
# ```{solution-end}
# ```
#
# ## What did it cost?

# %% tags=["hide-input"] table={"name": "tab-lab-seconds", "caption": "Seconds from the beginning of a part to that of the next, solutions included: of this page's run, time to run; of your own, time to think."}
began["end"] = perf_counter()
names, times = list(began)[:-1], np.diff(list(began.values()))
seconds = pd.DataFrame({"part": names, "seconds": times})
seconds = study.publish("zoo-generating-factors", seconds, "lab_seconds")
show_table(seconds, 1)

# %% [markdown]
# **Where to go from here.** {doc}`/notebooks/02b_symmetries` asks how much of the distance between networks is only their order, {doc}`/notebooks/04a_hyper_representations`
# learns what networks have in common, and {doc}`/book/teaching` puts this lab into six weeks.
