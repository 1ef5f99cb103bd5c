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
# # Six misconceptions: what do numbers about weights not say?
#
# Six sentences that are easily said about populations of networks, and that the book's own results contradict. All numbers of the published run are read by this page
# from its tables (`book/results/laptop`); each has a link to the page that made it.
#
# **You will see**
#
# - the six in one picture: what a naive reading gives, and what is left of it beside its control;
# - the number behind each, and where it comes from;
# - two exercises that break a reading by hand.

# %% tags=["parameters"]
profile = "quick"  # this page reads published tables, which are the same at every profile

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
from sklearn.metrics import r2_score

import hyperlib
from hyperlib.figures import pictures
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say

study = hyperlib.Study(profile)


def published(artefact, part=None):
    """A table of the published run."""
    return study.committed(artefact, part, profile="laptop")


orbits = published("ws-permutation-symmetry-check", "orbits").set_index("zoo")
hills = published("ws-interpolation-lmc").set_index(["network", "setting"])["barrier"]
clocks = published("zoo-property-benchmark", "clock").set_index("zoo")
kept = published("ghr-lwln-accuracy", "agreement").groupby("zoo").last()
trade = published("ghr-diversity", "trade").set_index("representation")
zoo_accuracy = published("ghr-diversity")["zoo_accuracy"].mean()
on_w = "zoo == 'tetris_hyp' and features == 'W' and probe == 'linear' and target == 'test_accuracy'"
by_model = published("zoo-property-benchmark").query(on_w)["value"].item()
by_seed = published("zoo-property-benchmark", "by_seed").query(on_w)["value"].item()
seed_scores = published("hr-seed-property-prediction").query("target == 'test_accuracy' and zoo == 'mnist_seed'")
naive = seed_scores.query("features == 's(W)' and probe == 'linear'").iloc[0]
statistics = seed_scores.query("features == 's(W)' and probe == 'beside the clock'").iloc[0]

tetris = published("zoo-umap")


def between_epochs(table):
    """Share of the variance of accuracy that lies between epochs: R² of a clock that knows the mean of each."""
    means = table.groupby("epoch")["test_accuracy"].transform("mean")
    return r2_score(table["test_accuracy"], means)


# %% [markdown]
# ## What do the six look like in one picture?

# %% tags=["hide-input"]
copy, wide, best = orbits.loc["mnist_seed"], "wide MLP", trade.loc["another network as target"]
digits = kept.loc["digits_seed"]
pairs = {
    "a network and its permuted copy: one minus CKA,\ndistance of weights over that of strangers": (0.0, copy["to own copy"] / copy["to another seed"]),
    "barrier left by weight matching, of that of two seeds:\nResNet as it stands, norms measured anew": (
        hills["small ResNet", "aligned"] / hills["small ResNet", "two seeds"],
        hills["small ResNet, remeasured", "aligned"] / hills["small ResNet, remeasured", "two seeds"],
    ),
    "R² of accuracy, MNIST seed zoo:\nover all epochs, inside epochs": (naive["value"], statistics["within"]),
    "rebuilt digits networks:\nvariance of weights, answers kept": (digits["r2"], digits["agreement"]),
    "drawn networks:\naccuracy, share that is not one network": (best["kde_accuracy"], 1 - best["kde_twins"]),
    "R² of raw weights, Tetris hyp zoo:\ndivided by model, by seed": (by_model, by_seed),
}
rows = [{"what": what, "reading": name, "value": value} for what, both in pairs.items() for name, value in zip(("naive", "beside its control"), both, strict=True)]
shown = pd.DataFrame(rows)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Six lines, each with two dots: what a naive reading of a number gives, and the number beside its control."}, "figure": {"name": "fig-misconceptions", "caption": "Each line is one misconception: the naive reading, and the number beside its control, from the published run."}}
fig, ax = plt.subplots(figsize=(8, 4.2))
pictures.dot_plot(shown, ax, "value", "what", "reading")
ax.tick_params(axis="y", labelsize=8)
ax.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.3, 1), ncols=2)
plt.show()

# %% [markdown]
# ## Is CKA a distance?
#
# *What is said:* networks with a {term}`CKA` of one are the same network.

# %% tags=["remove-input"]
say(
    f"**No: CKA compares answers, and says nothing of where weights lie.** A permuted copy of a small CNN gives the same answers, so its CKA with the original is one; in weight space it lies {copy['to own copy']:.1f} from the original (euclidean), a "
    f"network of another seed {copy['to another seed']:.1f} ({{numref}}`tab-orbits`, {{doc}}`/notebooks/02b_symmetries`). And one minus CKA is no distance of answers either, as you can show:"
)

# %% [markdown]
# ```{exercise} The detour that is shorter
# :label: ex-cka-triangle
# A distance never grows by a detour. Write down answers of three networks for a few images, such that one minus their CKA is larger from the first to the
# third than from the first to the second and on to the third. What about the angle, the arc cosine of CKA?
# ```
#
# ```{solution-start} ex-cka-triangle
# :class: dropdown
# ```

# %% tags=["solution"] asks={"answers": "answers of three networks, [3, images, classes], floats", "apart": "one minus their CKA, [3, 3]"} hints=["There should be answers of three networks, as one tensor.", "The matrix should be one minus `hyperlib.cka(answers)`.", "The detour is not shorter yet: let the first and the third know different things of the images, and the second both."]
import torch

import hyperlib

one, other = torch.tensor([[1.0, -1, 1, -1], [1, 1, -1, -1]])
nothing = torch.zeros(4)
networks = [(one, nothing), (one, other), (nothing, other)]
answers = torch.stack([torch.stack(pair, 1) for pair in networks])
apart = 1 - hyperlib.cka(answers)
assert answers.ndim == 3 and len(answers) == 3
assert torch.allclose(apart, 1 - hyperlib.cka(answers), atol=1e-5)
assert apart[0, 2] > apart[0, 1] + apart[1, 2] + 0.01

# %% [markdown]
# The first and the third have nothing in common, so one minus CKA is one; the one between shares half with each, at $1 - 1/\sqrt{2} \approx 0.29$. CKA is the cosine of an
# angle between two matrices of similarities, and the *angle* is a distance: here twice 45 degrees are 90.
# ```{solution-end}
# ```
#
# ## Is the barrier of a network with batch norm what its weights say?
#
# *What is said:* matching did nothing, the barrier is as high as before.

# %% tags=["remove-input"]
stands, anew = hills["small ResNet"], hills["small ResNet, remeasured"]
say(
    f"**Not before its norms are measured anew.** On the way between two networks the running statistics fit neither. As they stand, the ResNet's {{term}}`barrier` of {stands['two seeds']:.2f} becomes {stands['aligned']:.2f} by weight matching; "
    f"with {{term}}`remeasured norm statistics` it goes from {anew['two seeds']:.2f} to {anew['aligned']:.2f}, and to {anew['matched activations']:.2f} by matched activations ({{numref}}`tab-barriers`, {{doc}}`/notebooks/02b_symmetries`). "
    f"So a barrier of such a network counts only after that; the wide MLP, which has no norms, needs none of it ({hills[wide, 'two seeds']:.2f} to {hills[wide, 'aligned']:.3f})."
)

# %% [markdown]
# ## Does a high $R^2$ mean that weights tell how good a network is?
#
# *What is said:* the probe reads accuracy with an $R^2$ near one.

# %% tags=["remove-input"]
say(
    f"**Not in a seed zoo, where the epoch tells it, and epoch 0 helps.** Of the variance of accuracy over checkpoints {clocks.loc['mnist_seed', 'between epochs']:.1%} lies between epochs in the MNIST seed zoo, so a {{term}}`clock` that knows nothing but "
    f"the epoch has an R² of {clocks.loc['mnist_seed', 'clock']:.3f} ({{numref}}`tab-zoo-clock`, {{doc}}`/notebooks/03_model_zoos`). Statistics of weights alone have {naive['value']:.2f}, less than the clock; told the epoch as well they have {statistics['value']:.3f}, and {{term}}`inside epochs <inside an epoch>` "
    f"{statistics['within']:.2f} ({{numref}}`tab-hr-inside`, {{doc}}`/notebooks/04b_model_properties`). Where nobody has learned anything yet, the clock is right for free: in the Tetris zoo of {{numref}}`fig-zoo-umap` it has "
    f"{between_epochs(tetris):.3f}, and without epoch 0 {between_epochs(tetris[tetris['epoch'] > 0]):.3f}."
)

# %% [markdown]
# ```{exercise} Without the start
# :label: ex-without-start
# Grow 100 Tetris networks for ten epochs. What is the $R^2$ of the clock, which says for each checkpoint the mean accuracy of its epoch, over all checkpoints,
# and what is it without epoch 0, where nobody has learned anything? (To keep it short, let the clock be of the same models.)
# ```
#
# ```{solution-start} ex-without-start
# :class: dropdown
# ```

# %% tags=["solution"] asks={"with_start": "R² of the clock over all checkpoints", "without_start": "R² of the clock without those of epoch 0"} hints=["Epoch 0 is far below all others, so leaving it out should lower R²: is the clock the mean of each epoch, and are both scored on their own checkpoints?"]
import hyperlib
from sklearn.metrics import r2_score

network, images = hyperlib.tetris_mlp(), hyperlib.load_images("tetris")
design = hyperlib.grid(seeds=100, lr=3e-3)
zoo = hyperlib.train_population(network, images, design, epochs=10, progress=False)
scores = []
for table in (zoo.table, zoo.table[zoo.table["epoch"] > 0]):
    clock = table.groupby("epoch")["test_accuracy"].transform("mean")
    scores.append(r2_score(table["test_accuracy"], clock))
with_start, without_start = scores
assert without_start < with_start - 0.01
scores

# %% [markdown]
# The same clock knows less as soon as the start is left out: it raised $R^2$ for free. So say which epochs a score is over, and give it inside epochs too.
# ```{solution-end}
# ```
#
# ## Does a small error of reconstruction mean that the network works?
#
# *What is said:* the decoder rebuilds nearly all of the weights' variance, so it rebuilds the network.

# %% tags=["remove-input"]
rebuilt = published("ghr-lwln-accuracy", "rebuilt").set_index("loss").loc["with answers, as released"]
say(
    f"**Not by itself.** Digits networks that are rebuilt to {digits['r2']:.2f} of the variance keep {digits['agreement']:.0%} of their labels, fewer than the {digits['stranger']:.0%} on which strangers agree; in {(kept['agreement'] > kept['stranger']).sum()} of {len(kept)} zoos they keep more ({{numref}}`tab-hr-agreement`, "
    f"{{doc}}`/notebooks/04a_hyper_representations`). And accuracy is no proof either: a decoder that learned from answers has an R² of weights of {rebuilt['r2']:.2f}, and its networks have {rebuilt['accuracy']:.2f} of the images right ({{numref}}`tab-ghr-losses`, {{doc}}`/notebooks/05a_generating`), "
    f"but it writes one good network, whichever it is shown."
)

# %% [markdown]
# ## Is a generator good if its networks are accurate?
#
# *What is said:* drawn networks are as accurate as the zoo.

# %% tags=["remove-input"]
say(
    f"**Accuracy without diversity means nothing.** A decoder that was shown one network and asked for another draws networks with {best['kde_accuracy']:.3f} of the images right, where the zoo has {zoo_accuracy:.3f}; {best['kde_twins']:.0%} of them have a twin, and the "
    f"verdict is *{best['kde_verdict']}* ({{numref}}`tab-ghr-trade`, {{doc}}`/notebooks/05a_generating`). One good network, written a hundred times, would score the same."
)

# %% [markdown]
# ## May checkpoints of one model stand on both sides of a split?
#
# *What is said:* the split is random, so it is fair.

# %% tags=["remove-input"]
say(
    f"**No: a probe recognises whom it has met.** Even models can share too much: in `tetris_hyp` the same start returns at every setting, and raw weights read accuracy with an R² of {by_model:.2f} divided by model and {by_seed:.2f} divided by seed "
    f"({{numref}}`tab-zoo-by-seed`, {{doc}}`/notebooks/03_model_zoos`). Checkpoints of one model share more."
)

# %% [markdown]
# How much a split by checkpoint adds you can measure by hand: in the lab ({doc}`/notebooks/lab_weight_space`, the leak) or in the exercises of {doc}`/notebooks/03_model_zoos` (the wrong split).
# `hyperlib.probe_table` refuses such a split: it is good for nothing but showing the mistake.

# %% tags=["hide-input"] table={"name": "tab-misconceptions", "caption": "The numbers of the figure."}
show_table(shown.assign(what=shown["what"].str.replace("\n", " ")).pivot(index="what", columns="reading", values="value")[["naive", "beside its control"]].reset_index(), 2)

# %% [markdown]
# **Where to go from here.** {doc}`/notebooks/03_model_zoos` has the splits and the clock, {doc}`/notebooks/07_discussion` what is left of the thesis's claims.
