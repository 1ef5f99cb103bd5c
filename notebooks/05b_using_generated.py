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
# # What are generated networks good for?
#
# {doc}`The page before </notebooks/05a_generating>` draws networks and asks whether they are new. Here they are used: trained on, on their own images and on others, put into other
# architectures, and asked together. Each time something simpler could do as well, above all the mean of all training networks.
#
# **You will see**
#
# - whether a generated network is a better start than a new one, and than the mean of the {term}`zoo`;
# - whether that holds for other images and other architectures;
# - what an ensemble of generated networks knows, and how far latents can be disturbed.

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
import matplotlib.pyplot as plt
import pandas as pd
import torch

import hyperlib
from hyperlib.figures import style
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study.representations import parts_of, representations
from hyperlib.tasks import generation, novelty
from hyperlib.tasks.finetuning import accuracy_table, fine_tuned_zoos
from hyperlib.tasks.transplant import by_name, poured
from hyperlib.tasks.verdicts import scorecard, summary, tested
from hyperlib.thesis import published
from hyperlib.thesis.book_generators import generator_recipe
from hyperlib.thesis.other_architectures import OTHER_ARCHITECTURES
from hyperlib.zoos.engines.scoring import scores

study = hyperlib.Study(profile)
n, epochs = {"quick": (4, (0, 1, 2)), "laptop": (30, (0, 1, 5, 25)), "paper": (100, (0, 1, 5, 25, 50))}[profile]
recipe = study.recipe("mnist_seed")
images, design, batch = recipe.images.load(), recipe.design[:1], recipe.batch_size
other = study.recipe("photo_hyp").images.load()
recipes = {name: generator_recipe(name, profile) for name in ("layers", "answers")}
reps = dict(zip(recipes, representations(study, [(one, 0) for one in recipes.values()]), strict=True))
train, val, test = [part.take((part.table["epoch"] == part.table["epoch"].max()).to_numpy()) for part in parts_of(study, recipes["answers"])]
network = train.architecture
seed = torch.Generator().manual_seed(0)

# %% [markdown]
# ## Is a generated network a good start?
#
# > Sampled networks are ahead of new ones at every epoch of training; on MNIST after one epoch with 84 % against 21 %.
# > — in our words, after {cite}`schuerholt2022hyper` *(seen)*
#
# Populations are trained on with the settings of their zoo; network *k* of each has the same order of batches. The zoo, the representations and the samplers are those of the page before; the
# controls are the mean of all training networks after {term}`weight matching`, and samplers in {term}`raw weights`.

# %%
KDE = {"own": hyperlib.KDE("independent", "silverman"), "released": hyperlib.KDE("released")}
draw = {
    "KDE independent, with answers": (reps["answers"], KDE["own"]),
    "flow, with answers": (reps["answers"], hyperlib.Flow(steps=2000 if n > 4 else 100)),
    "KDE independent, by layers": (reps["layers"], KDE["own"]),
    "KDE released, by layers": (reps["layers"], KDE["released"]),
}

# %% tags=["hide-input"]
made = {name: generation.generate(rep, sampler, train, n, seed) for name, (rep, sampler) in draw.items()}
raw = {f"KDE {name}, in weights": novelty.as_samples(KDE[key].fit(train.weights).sample(n, seed), train) for name, key in (("independent", "own"), ("released", "released"))}
mean = {"mean of all": novelty.as_samples(novelty.mean_of_all(train.weights).expand(n, -1).clone(), train)}
starts = {"scratch": None} | mean | raw | made
zoos = fine_tuned_zoos(starts, network, images, design, epochs=epochs, batch_size=batch, progress=False)
tuned = study.publish("ghr-finetune", accuracy_table(zoos, against="scratch"))
beside_mean = study.publish("ghr-finetune", accuracy_table(zoos, against="mean of all"), "mean")

# %% table={"name": "tab-ghr-finetune", "caption": "Test accuracy before training and after some epochs of it: means over networks."} tags=["hide-input"]
wide = tuned.pivot(index="population", columns="epoch", values="mean").loc[list(starts)]
human = wide.rename(columns=lambda epoch: f"epoch {epoch}")
human.insert(0, "population", human.index)
show_table(human, 3, of=tuned)

# %% table={"name": "tab-ghr-finetune-published", "caption": "Published: test accuracy in percent of MNIST networks, mean over networks; the fold has other data sets. B_T is training from scratch, B_KDE30 a KDE in raw weights, S_KDE30 in latents, both of the best 30 %."} tags=["hide-input"]
theirs = published.published("ghr-finetune")
theirs = theirs.pivot(index=["dataset", "method"], columns="epoch", values="value").reset_index()
theirs.columns = [f"epoch {int(name)}" if isinstance(name, (int, float)) else name for name in theirs.columns]
theirs.index = theirs["dataset"] + ", " + theirs["method"]
show_table(theirs, 1, rows=[row for row in theirs.index if row.startswith("MNIST")], of=theirs)

# %% [markdown]
# ## And for other images?
#
# > Networks sampled from a zoo of SVHN are a better start on MNIST than new ones, and than networks of SVHN.
# > — in our words, after {cite}`schuerholt2022hyper` *(seen)*
#
# Here from MNIST to {doc}`digits on photographs </notebooks/03_model_zoos>`.

# %% table={"name": "tab-ghr-transfer", "caption": "Test accuracy on digits on photographs, of networks that begin as new, as networks of the MNIST zoo, as their mean, or drawn."} tags=["hide-input"]
short = tuple(epoch for epoch in epochs if epoch <= 5) + ((10,) if n > 4 else ())
some = {name: starts[name] for name in ("scratch", "mean of all", "KDE independent, with answers", "flow, with answers")}
some |= {"networks of the zoo": train.take(range(n))}
moved = fine_tuned_zoos(some, network, other, design, epochs=short, batch_size=batch, progress=False)
transfer = study.publish("ghr-transfer", accuracy_table(moved, against="scratch"))
wide = transfer.pivot(index="population", columns="epoch", values="mean").loc[list(some)]
human = wide.rename(columns=lambda epoch: f"epoch {epoch}")
human.insert(0, "population", human.index)
show_table(human, 3, of=transfer)

# %% [markdown]
# ## And in other architectures?
#
# > Sampled weights help in networks with another convolution or with skips, which have as many weights.
# > — in our words, after {cite}`schuerholt2022hyper` *(seen)*; how the weights were put in is not said
#
# So there are two readings: the vector is **poured** in as it is, or layers are copied **by name** and the rest begins as new *(our choice)*.

# %% table={"name": "tab-ghr-architectures", "caption": "Test accuracy of other architectures, from scratch, and with drawn weights in two readings."} tags=["hide-input"]
few = n if n < 10 else 10
drawn = made["KDE independent, with answers"].weights[:few]
rows, copied = [], {}
for words, make in OTHER_ARCHITECTURES.items():
    target = make().with_activation(network.activation)
    named = by_name(drawn, network, target, range(1, few + 1))
    copied[words] = named.copied
    both = {"scratch": None, "poured": poured(drawn, target), "by name": named.weights}
    grown = fine_tuned_zoos(both, target, images, design, epochs=epochs[:3], batch_size=batch, progress=False)
    rows.append(accuracy_table(grown, against="scratch").assign(architecture=words))
architectures = study.publish("ghr-arch-generalisation", pd.concat(rows, ignore_index=True))
wide = architectures.pivot(index=["architecture", "population"], columns="epoch", values="mean").reset_index()
wide.columns = [f"epoch {name}" if isinstance(name, int) else name for name in wide.columns]
show_table(wide, 3, of=architectures)

# %% table={"name": "tab-ghr-architectures-published", "caption": "Published: test accuracy in percent of other architectures."} tags=["hide-cell"]
theirs = published.published("ghr-arch-generalisation").pivot_table("value", ["dataset", "method"], "epoch", sort=False).reset_index()
theirs.columns = [f"epoch {int(name)}" if isinstance(name, (int, float)) else name for name in theirs.columns]
show_table(theirs, 1, of=theirs)

# %% [markdown]
# ## What do several know together?
#
# Networks gain from each other where they err on different images; copies gain nothing.

# %% mystnb={"image": {"alt": "Accuracy of ensembles over the number of their members, one line per population: networks of the zoo, drawn ones, and drawn ones after an epoch of training."}, "figure": {"name": "fig-ghr-ensembles", "caption": "Accuracy of ensembles (mean of class probabilities) over the number of members, mean over draws of members."}} tags=["hide-input"]
members = {"networks of the zoo": test.weights, "KDE independent": made["KDE independent, with answers"].weights, "flow": made["flow, with answers"].weights}
members |= {f"{name}, one epoch": zoos[f"{name}, with answers"].weights[:, 1] for name in ("KDE independent", "flow")}
sizes = [size for size in (1, 2, 3, 5, 10, 20) if size <= min(n, len(test))]
curves = [hyperlib.ensemble_curve(scores(network, weights, images.test_x), images.test_y, sizes, seed).assign(population=name) for name, weights in members.items()]
ensembles = study.publish("ghr-ensembles", pd.concat(curves, ignore_index=True))
fig, ax = plt.subplots(figsize=(6.4, 3.4))
for (name, part), colour in zip(ensembles[ensembles["how"] == "probabilities"].groupby("population", sort=False), style.HUES, strict=False):
    ax.plot(part["n"], part["accuracy"], marker="o", color=colour, label=name)
ax.set(xlabel="members", ylabel="test accuracy")
fig.legend(loc="outside lower center", ncols=3, fontsize=9)
plt.show()

# %% table={"name": "tab-ghr-ensembles", "caption": "Ensembles of five: accuracy, what it is beyond the mean member, and on how many images two members disagree."} tags=["hide-input"]
five = ensembles[(ensembles["n"] == min(5, max(sizes))) & (ensembles["how"] == "probabilities")]
show_table(five[["population", "accuracy", "member", "gain", "disagreement"]], 3, of=ensembles)

# %% [markdown]
# ## How far can latents be disturbed?

# %% mystnb={"image": {"alt": "Accuracy of decoded test networks over the strength of noise on their latents, one line per representation, and one for the same noise on raw weights."}, "figure": {"name": "fig-ghr-noise", "caption": "Accuracy of test networks decoded from disturbed latents, and of disturbed weights: noise in units of each number's deviation over networks."}} tags=["hide-input"]
rows = []
for share in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6):
    ways = {name: generation.disturbed(rep, test, share, seed) for name, rep in (("latents, by layers", reps["layers"]), ("latents, with answers", reps["answers"]))}
    ways["weights"] = novelty.as_samples(novelty.noisy(test.weights, share, seed), train)
    rows += [{"where": name, "share": share, "accuracy": generation.accuracies(one, images).mean()} for name, one in ways.items()]
noise = study.publish("ghr-diversity", pd.DataFrame(rows), "noise")
fig, ax = plt.subplots(figsize=(6.4, 2.8))
for (name, part), colour in zip(noise.groupby("where", sort=False), style.HUES, strict=False):
    ax.plot(part["share"], part["accuracy"], marker="o", color=colour, label=name)
ax.set(xlabel="noise", ylabel="test accuracy", ylim=(0, 1))
ax.legend()
plt.show()

# %% [markdown]
# ## Exercises
#
# ```{exercise} The mean as a start
# :label: ex-mean-start
# Grow a small Tetris zoo, lay all networks on the first one, and train on their mean for one epoch. Where is it beside a new network after one epoch?
# ```
#
# ```{solution-start} ex-mean-start
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from hyperlib.figures.words import say
from hyperlib.tasks.finetuning import fine_tuned
from hyperlib.tasks.novelty import mean_of_all

mlp, tetris = hyperlib.tetris_mlp(), hyperlib.load_images("tetris")
one = hyperlib.grid(seeds=1, lr=3e-3)
zoo = hyperlib.train_population(mlp, tetris, hyperlib.grid(seeds=40, lr=3e-3), epochs=30, progress=False)
ends = zoo.samples(30).weights
laid = hyperlib.align(mlp, ends[0], ends, restarts=2, signs=True).weights
starts_ = {"new": None, "mean": mean_of_all(laid).repeat(20, 1)}
table = fine_tuned(starts_, mlp, tetris, one, against="new", epochs=(0, 1), progress=False)
after = table[table["epoch"] == 1].set_index("population")["mean"]
assert after["mean"] > after["new"]
say(f"After one epoch: new {after['new']:.2f}, mean {after['mean']:.2f}.")

# %% [markdown]
# The mean is worth many epochs, and needs no representation. A generator that does not beat it as a start has to be good for something else: for diversity, since there is but one mean.
# ```{solution-end}
# ```
#
# ```{exercise} An ensemble of one
# :label: ex-ensemble
# How much does an ensemble of five copies of a network gain, and one of five networks of a zoo? What explains the difference?
# ```
#
# ```{solution-start} ex-ensemble
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
import torch
from hyperlib.figures.words import say

mlp, tetris = hyperlib.tetris_mlp(), hyperlib.load_images("tetris")
zoo = hyperlib.train_population(mlp, tetris, hyperlib.grid(seeds=20, lr=3e-3), epochs=15, progress=False)
ends = zoo.samples(15).weights
gains = {}
for name, weights in {"copies": ends[:1].repeat(20, 1), "zoo": ends}.items():
    answers = hyperlib.class_scores(mlp, weights, tetris.test_x)
    curve = hyperlib.ensemble_curve(answers, tetris.test_y, [5], torch.Generator().manual_seed(0))
    gains[name] = curve.set_index("how").loc["probabilities", ["gain", "disagreement"]]
assert gains["copies"]["gain"] == 0 < gains["zoo"]["disagreement"]
say("; ".join(f"{name}: gain {row['gain']:.3f}, disagreement {row['disagreement']:.3f}" for name, row in gains.items()))

# %% [markdown]
# Copies agree on every image, so nothing is averaged out. Disagreement is the room that a gain has.
# ```{solution-end}
# ```
#
# ```{exercise} What is copied by name?
# :label: ex-by-name
# Which layers of the small CNN find a layer of their name and shape in a network with one more convolution, and how many of its weights are these?
# ```
#
# ```{solution-start} ex-by-name
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from hyperlib.figures.words import say
from hyperlib.tasks.transplant import by_name
from hyperlib.thesis.other_architectures import cnn_4conv

small, deeper = hyperlib.small_cnn(), cnn_4conv()
named = by_name(small.initialise([0]), small, deeper, [1])
share = sum(slot.size for slot in deeper.slots if slot.name in named.copied) / deeper.num_weights
assert named.copied == ("conv1.weight", "conv1.bias") and share < 0.1
say(f"{', '.join(named.copied)}: {100 * share:.0f} % of the weights.")

# %% [markdown]
# By name hardly anything is left of the network, and poured everything stands in a wrong place but for the first layer. Either way a gain comes mostly from the first convolution.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Cases are epochs, populations or architectures; intervals are over networks.

# %% tags=["hide-input"]
NEW = ["KDE independent, with answers", "flow, with answers"]


def ahead(table, names, claim, source, shown, headline=False, at=None):
    """Verdicts on "more accurate than what the table compares with", population by population and epoch by epoch."""
    rows = table[table["population"].isin(names) & (table["epoch"].isin(at) if at else True)]
    cases = {f"{row.population}, epoch {row.epoch}": (row.difference, row.difference_low, row.difference_high) for row in rows.itertuples()}
    return tested(claim, cases, source=source, shown=shown, headline=headline)


cards = [
    ahead(tuned, NEW, "drawn with answers: ahead of scratch", "2022", "tab-ghr-finetune", True),
    ahead(tuned, ["KDE independent, by layers", "KDE released, by layers"], "drawn by layers: ahead of scratch", "2022", "tab-ghr-finetune", True),
    ahead(beside_mean, NEW, "drawn with answers: ahead of the mean of all", "ours", "tab-ghr-finetune", True, [epoch for epoch in epochs if epoch]),
    ahead(transfer, NEW, "on other images: drawn networks ahead of scratch", "2022", "tab-ghr-transfer", True, [epoch for epoch in short if epoch]),
    ahead(transfer, ["networks of the zoo"], "on other images: networks of the zoo ahead of scratch", "2022", "tab-ghr-transfer", False, [epoch for epoch in short if epoch]),
    *(
        tested(
            f"in other architectures, {how}: ahead of scratch",
            {f"{row.architecture}, epoch {row.epoch}": (row.difference, row.difference_low, row.difference_high) for row in architectures[(architectures["population"] == how) & (architectures["epoch"] > 0)].itertuples()},
            source="2022", shown="tab-ghr-architectures", headline=True,
        )
        for how in ("poured", "by name")
    ),
]  # fmt: skip
card = study.publish("disc-scorecard", scorecard(cards), "05b")

# %% table={"name": "tab-ghr-used-verdicts", "caption": "Verdicts of this page, the most important first: ✓ holds in all cases, ✗ fails in all, ~ is undecided or mixed."} tags=["hide-input"]
show_table(summary(card), of=card)
