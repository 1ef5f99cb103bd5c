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
# # What do weights tell about a network?
#
# We read accuracy, epoch, {term}`generalization gap` and hyper-parameters off {term}`hyper-representations <hyper-representation>` with a
# {term}`linear probe`, and set them beside everything that could do as well. How the representations are made, and what each of their parts
# is good for, is the page before, {doc}`/notebooks/04a_hyper_representations`.
#
# **You will see**
#
# - what training adds to {term}`layer statistics` and to the {term}`untrained encoder`, with intervals for every difference and the
#   published values where there are any;
# - what {term}`fixed seeds` give away, and how little carries over to another {term}`zoo`;
# - ten properties of a zoo of drawn hyper-parameters, and which method tells each of them best, published and here.

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
import numpy as np
import pandas as pd

import hyperlib
from hyperlib.figures import plots
from hyperlib.figures.dot_panels import dot_panels
from hyperlib.figures.pictures import dot_plot
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study.representations import representation, representations
from hyperlib.tasks.verdicts import counted, scorecard, summary, tested, verdict
from hyperlib.thesis import published

study = hyperlib.Study(profile)
targets, seeds = ["test_accuracy", "epoch", "gap"], list(range(5 if profile == "paper" else 3))
ZOOS = {"tetris_seed": "Tetris", "digits_seed": "digits", "mnist_seed": "MNIST"}
seed_zoos = list(ZOOS)
PROPERTIES = {"test_accuracy": "accuracy", "epoch": "epoch", "gap": "gap", "log_lr": "learning rate", "log_l2": "l2", "dropout": "dropout"}
PROPERTIES |= {"train_fraction": "training data", "activation": "activation", "init": "start", "optimizer": "optimizer"}

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **In seed zoos most of what a linear probe tells of accuracy is how long a network was trained. Beyond that, no difference in accuracy between
# our embedding and statistics made by hand could be shown, nor between the trained and the untrained encoder.**
#
# - The {term}`clock`, which knows the epoch alone, tells accuracy with an $R^2$ of .90, .98 and 1.00 (Tetris, digits, MNIST). The embedding has
#   .90, .96 and .94 ({numref}`tab-hr-seed-scores`).
# - Inside epochs the embedding has .36, .10 and -.05, and {term}`pooled rows`, which its encoder reads before any training, .33, .16 and -.05
#   ({numref}`tab-hr-inside`). On MNIST no linear reading beside the clock tells networks of one epoch apart.
# - These scores weigh epochs by how much networks differ at them; the first checkpoints, before and just after the start, count much.
# :::
#
# ## Does training beat statistics, or no training?
#
# > Embeddings predict accuracy, epoch and generalization gap better than raw weights, and as well as or better than layer statistics.
# > — in our words, after {cite}`schuerholt2021self` (zoos and targets *(seen)*; of the numbers only those of MNIST were found)
#
# Each {term}`seed zoo` is {term}`split by model`; the representation has several seeds, and their mean counts. The probe is the published one: ridge
# on features as they are, with a penalty that is chosen on validation models (names are read by a linear soft-max on standardised features
# *(our choice)*). What is probed:
#
# - the **clock**, which knows the epoch and nothing else; **pooled rows**, the statistics of rows that our encoder reads, mean and deviation over a
#   layer's units, without the encoder; **random features**, as many as E_cD has, made of s(W) without any training: controls, all ours;
# - **W**, the {term}`raw weights`, and **s(W)**, {term}`layer statistics`; *products* adds all pairwise products of these;
# - **E_cD**, our representation, trained by contrast (with negatives) and reconstruction; **untrained** is the same encoder with the same
#   read-out and the same statistics of rows before its first step;
# - **outputs**, a network's answers on a few images, which are no function of the weights alone;
# - *trees* are {term}`boosted trees` in place of the linear probe.
#
# **What was chosen on which data.** Sizes, mix, learning rate and length were chosen on validation models of these zoos. The pooled read-out,
# the contrast on it, statistics of rows, small positions and several epochs of a model in a batch come from earlier trials on Tetris and digits zoos of
# the same recipe, which had looked at their test models. `mnist_seed` was not among them, so it is the cleanest of the three tests. The gap is the
# *running* one: early in training it says in part how fast a network learns.


# %% tags=["hide-input"]
def features_of(zoo):
    """What is probed in a zoo: baselines, and three seeds of the representation, untrained and trained."""
    trained = representations(study, [(zoo, seed) for seed in seeds])
    untrained = representations(study, [(f"{zoo}-untrained", seed) for seed in seeds])
    return {
        "clock": hyperlib.Clock(), "pooled rows": hyperlib.PooledRows(), "random features": hyperlib.RandomFeatures(trained[0].dimensions_),
        "W": hyperlib.RawWeights(), "s(W)": hyperlib.LayerStatistics(), "s(W) products": hyperlib.LayerStatistics(products=True),
        "outputs": hyperlib.Probing(study.recipe(zoo).images.load()),
        **{f"untrained {seed}": rep for seed, rep in zip(seeds, untrained, strict=True)},
        **{f"E_cD {seed}": rep for seed, rep in zip(seeds, trained, strict=True)},
    }  # fmt: skip


def probes_of(features):
    """Which features each probe reads: all of them, those for trees, and those that stand beside the clock."""
    with_trees = ["s(W)", "pooled rows"] + ["E_cD 0"] * (profile != "quick")
    inside = [name for name in features if name not in ("clock", "W", "s(W) products", "outputs")]
    return {"linear": list(features), "trees": with_trees, "beside the clock": inside}


# %%
probed = {}
for zoo in seed_zoos:
    features, parts = features_of(zoo), study.parts(zoo)
    how = probes_of(features)
    probed[zoo] = hyperlib.run_probes(features, *parts, columns=targets, probes=how)

# %% mystnb={"image": {"alt": "Three panels, one per zoo: bars of R squared for accuracy, epoch and gap from the clock, layer statistics, pooled rows, the untrained encoder and the trained representation, with intervals."}, "figure": {"name": "fig-hr-seed-zoos", "caption": "R² of the linear probe on unseen models in three seed zoos (first seed of the representation), with 95 % intervals over models."}} tags=["hide-input"]
every = pd.concat([result.table.assign(zoo=zoo) for zoo, result in probed.items()], ignore_index=True)
published_scores, BESIDE = study.publish("hr-seed-property-prediction", every.copy()), " beside the clock"
ways = {"linear": "", "trees": ", trees", "beside the clock": BESIDE}
every["method"] = every["features"].str.replace(r" \d$", "", regex=True) + every["probe"].map(ways)
by = ["zoo", "method", "target"]
mixed = every[every["probe"] != "beside the clock"]
mean = mixed.groupby(by, sort=False)["value"].mean().unstack()[targets]
spread = mixed.groupby(by, sort=False)["value"].agg(lambda one: one.max() - one.min()).unstack()[targets].add_suffix(" range")
sizes = mixed.groupby(by[:2], sort=False)["dimensions"].first()
scores = study.publish("hr-seed-property-prediction", mean.join(spread).join(sizes).reset_index(), "summary")
fig, axes = plt.subplots(1, 3, figsize=(8, 3), sharey=True)
for ax, zoo in zip(axes, seed_zoos, strict=True):
    one = probed[zoo].table
    one = one[(one["probe"] == "linear") & one["features"].isin(["clock", "s(W)", "pooled rows", "untrained 0", "E_cD 0"])]
    plots.intervals(one.assign(features=one["features"].str.removesuffix(" 0"), target=one["target"].map(PROPERTIES)), ax, by="features", label="target")
    ax.set_title(f"{ZOOS[zoo]}\n{one['n_test_models'].iloc[0]} test models", fontsize=10)
    ax.set_xlabel("R²")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %% table={"name": "tab-hr-seed-scores", "caption": "R² on test models of three seed zoos: what decides, with all methods in the fold. Of several seeds it is the mean."} tags=["hide-input"]
order = list(dict.fromkeys(scores["method"]))
wide = scores.pivot(index="method", columns="zoo", values=targets).loc[order]
wide = wide[[(target, zoo) for target in targets for zoo in seed_zoos]]
wide.columns = [f"{PROPERTIES[target]}, {ZOOS[zoo]}" for target, zoo in wide]
wide.insert(0, "method", wide.index)
decisive = ["clock", "s(W)", "pooled rows", "random features", "untrained", "E_cD", "s(W), trees"]
show_table(wide, rows=decisive, of=scores)

# %% tags=["remove-input"]
largest = spread.rename(columns=lambda name: name.removesuffix(" range")).max()
say(f"""Between the {len(seeds)} seeds of a representation scores differ by up to {largest["test_accuracy"]:.3f} (accuracy),
{largest["epoch"]:.3f} (epoch) and {largest["gap"]:.3f} (gap). {{numref}}`fig-hr-differences` (numbers: {{numref}}`tab-hr-differences`, folded) compares on
the same test models, with 95 % {{term}}`intervals <interval>` over models: what another training would change is not in them.""")

# %% mystnb={"image": {"alt": "Three panels, for accuracy, epoch and gap: dots with intervals of the difference in R squared between the embedding and other readings, one line per reading and one colour per zoo, with a line at zero."}, "figure": {"name": "fig-hr-differences", "caption": "R² of E_cD with a linear probe minus that of another reading, on the same test models; to the right of the line E_cD is better. Raw weights and products of s(W), some of which are far off, are left out."}} tags=["hide-input"]
def compared(zoo, first, second, target, probes=("linear", "linear")):
    """One row: difference, interval, verdict and ratio of what is left to explain."""
    result, three = probed[zoo], lambda name: [f"{name} {seed}" for seed in seeds] if name in ("E_cD", "untrained") else name
    found = result.compare(three(first), three(second), target, probe=probes[0], second_probe=probes[1])
    words = [name + ("" if probe == "linear" else ", trees") for name, probe in zip((first, second), probes, strict=True)]
    left = [1 - mean.loc[(zoo, name), target] for name in words]
    row = {"zoo": zoo, "target": target, "first": words[0], "second": words[1]}
    ends = {"difference": found.value, "low": found.low, "high": found.high}
    return row | ends | {"verdict": verdict(found.low, found.high), "ratio": left[0] / left[1] if left[1] > 1e-6 else np.nan}


linear, trees = ("linear", "linear"), ("linear", "trees")
against = [("clock", linear), ("pooled rows", linear), ("random features", linear), ("s(W)", linear), ("untrained", linear)]
against += [("s(W) products", linear), ("W", linear), ("s(W)", trees), ("pooled rows", trees)]
differences = pd.DataFrame(
    compared(zoo, "E_cD", second, target, probes) for second, probes in against for zoo in seed_zoos for target in targets
)
study.publish("hr-seed-property-prediction", differences, "differences")
drawn = differences[~differences["second"].isin(["W", "s(W) products"])]
drawn = drawn.assign(zoo=drawn["zoo"].map(ZOOS), target=drawn["target"].map(PROPERTIES), second="minus " + drawn["second"])
look = {"low": "low", "high": "high", "label": "difference in R²", "zero": True, "height": 3.2}
dot_panels(drawn, "target", "difference", "second", "zoo", **look)
plt.show()

# %% table={"name": "tab-hr-differences", "caption": "E_cD minus another reading, with 95 % interval. Unexplained: what E_cD leaves of the variance, divided by what the other leaves."} tags=["hide-cell"]
human = differences.assign(
    zoo=differences["zoo"].map(ZOOS), target=differences["target"].map(PROPERTIES), interval=[f"[{low:.3f}, {high:.3f}]" for low, high in differences[["low", "high"]].to_numpy()]
)[["zoo", "target", "second", "difference", "interval", "ratio"]]  # fmt: skip
decisive = differences.index[(differences["second"] == "s(W)") & (differences["target"] != "epoch")]
human = human.rename(columns={"target": "property", "second": "against", "interval": "95 % interval", "ratio": "unexplained"})
show_table(human, rows=decisive, of=differences)

# %% [markdown]
# ## What is known beyond the epoch?
#
# Nearly all variance of accuracy in a seed zoo lies *between* epochs, so who knows the epoch scores high. Now every probe gets the {term}`clock` for nothing
# (its features beside the reading's own, and no penalty on them) and is scored *inside* epochs: zero is an epoch's mean, one is perfect *(our choice)*.

# %% table={"name": "tab-hr-inside", "caption": "R² inside epochs, on test models, of linear probes beside the clock: zero is each epoch's mean. Of several seeds it is the mean."} tags=["hide-input"]
known, clock = ["test_accuracy", "gap"], (every["features"] == "clock") & (every["probe"] == "linear")
within = every[(every["probe"] == "beside the clock") | clock].assign(method=lambda one: one["method"].str.removesuffix(BESIDE))
wide = within[within["target"].isin(known)].groupby(["method", "target", "zoo"], sort=False)["within"].mean().unstack(["target", "zoo"])
wide = wide[[(target, zoo) for target in known for zoo in seed_zoos]]
wide.columns = [f"{PROPERTIES[target]}, {ZOOS[zoo]}" for target, zoo in wide]
show_table(wide.round(2).reset_index(), precision=2, of=published_scores)

# %% tags=["remove-input"]
theirs, recipe = published.zoos().set_index("id").loc["mnist-seed-2021"], study.recipe("mnist_seed")
say(f"""{{numref}}`tab-hr-published` has the published values of MNIST-seed beside ours. **Not like for like:** their zoo has
{int(theirs["models"]):,} models, grown on all images with another start; ours has {len(recipe.design)}, on {len(recipe.images.load().train_x):,}
images. Our embedding is another one (pooled, with statistics of rows), and maybe so is the contrast: by its name, $E_{{c+}}D$, theirs pulls positives together
without negatives, while the released script for MNIST uses negatives, as ours. The sources disagree *(seen)*.""")

# %% table={"name": "tab-hr-published", "caption": "R² on MNIST seed zoos: ours, and those of the NeurIPS paper of 2021, as a later paper quotes them (the CSV says where)."} tags=["hide-input"]
names = {"s(W)": "s(W) as printed in NeurIPS 2021", "E_cD": "E_c+D (NeurIPS 2021)"}
metrics = {"test_accuracy": "R2: test accuracy", "epoch": "R2: epoch", "gap": "R2: generalization gap"}
ours = pd.DataFrame(
    {"dataset": "MNIST-seed (2021 zoo)", "method": printed, "metric": metric, "value": mean.loc[("mnist_seed", method), target]}
    for method, printed in names.items() for target, metric in metrics.items()
)  # fmt: skip
beside = study.beside_thesis("hr-seed-property-prediction", ours, on=["dataset", "method", "metric"])
study.publish("hr-seed-property-prediction", beside, "published")
wide = beside.pivot(index="method", columns="metric", values=["ours", "published"])
sides = {"s(W), ours": ("ours", "s(W)"), "s(W), published": ("published", "s(W)"), "E_cD, ours": ("ours", "E_cD"), "E_c+D, published": ("published", "E_cD")}
human = pd.DataFrame([wide.loc[names[name], side] for side, name in sides.values()])[list(metrics.values())]
human.columns = [PROPERTIES[target] for target in metrics]
human.insert(0, "method", list(sides))
show_table(human, of=beside)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **On MNIST our embedding leads where the published one is behind: on accuracy, where s(W) is ahead in the published table (.977 against .973). Our
# s(W) is .09 below theirs there, so our lead is one over a weaker opponent.**
# :::
#
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **A linear probe tells accuracy better from the embedding than from s(W) in all three zoos, and boosted trees on s(W) tell it better still.**
#
# - Of the variance of accuracy that s(W) leaves unexplained .66, .63 and .51 remain. The epoch is told at least as well, the gap better in two
#   zoos.
# - Training adds .01, .02 and .13 of accuracy to the untrained encoder, and on Tetris nothing to the gap that could be shown. Statistics of rows stand in both.
# - Trees on s(W) beat the linear probe on the embedding on accuracy and epoch in every zoo, and on the gap in two. So s(W) *knows* as much.
#   Trees on the embedding reach .99 of accuracy on MNIST, and .72 on the digits' gap (linear .61).
# - On accuracy pooled rows have .89, .96 and .96, random features of s(W) .92, .96 and .97. The embedding is ahead of the first on Tetris alone, and of
#   the second nowhere.
# :::
#
# ## Which kind of representation does best?
#
# > W, principal components, kernel PCA, UMAP, s(W), and representations trained by reconstruction (E_D), contrast (E_c), positives (E_c+), and
# > both (E_cD, E_c+D).
# > — in our words, after {cite}`schuerholt2021self` (settings *(seen)*, names of the rows *(recalled)*; their numbers were not found)
#
# On the Tetris seed zoo. The five kinds are the short runs of {numref}`tab-hr-views`, one seed each: not the E_cD of the tables above. Projections are
# fitted on a part of the training checkpoints, as published.

# %% table={"name": "tab-hr-kinds", "caption": "R² on test models of the Tetris seed zoo: kinds of representations, trained shortly, and the baselines that come near them; the fold has all."} tags=["hide-input"]
train, val, test = study.parts("tetris_seed")
kinds = {"E_D": "augment_reconstruction_only", "E_c": "augment_contrast_only", "E_c+": "augment_positive_only",
         "E_cD": "augment_perm_clean_whole", "E_c+D": "augment_positive_intended", "E_c+D as released": "augment_positive_released"}  # fmt: skip
learned = dict(zip(kinds, representations(study, [(name, 0) for name in kinds.values()]), strict=True))
classical = {
    "W": hyperlib.RawWeights(), "PCA": hyperlib.PrincipalComponents(),
    **{f"kernel PCA, {kernel}": hyperlib.PrincipalComponents(kernel=kernel) for kernel in ("poly", "rbf", "sigmoid", "cosine")},
    "UMAP": hyperlib.Umap(), "s(W)": hyperlib.LayerStatistics(), "s(W) products": hyperlib.LayerStatistics(products=True),
}  # fmt: skip
rows = hyperlib.probe_table(classical | learned, train, val, test, columns=targets)
study.publish("hr-tetris-baselines", rows)
wide = rows.pivot(index="features", columns="target", values="value").loc[[*classical, *learned], targets]
wide = rows.groupby("features", sort=False)["dimensions"].first().to_frame().join(wide).rename(columns=PROPERTIES)
wide.insert(0, "method", wide.index)
few = ["kernel PCA, rbf", "s(W)", "s(W) products", "E_D", "E_c", "E_c+", "E_cD", "E_c+D"]
show_table(wide.rename(columns={"dimensions": "numbers"}), rows=few, of=rows)

# %% [markdown]
# The same for `tetris_hyp`, a {term}`hyp zoo`. Its seeds are fixed, so models that began alike stand on both sides of the split:

# %% table={"name": "tab-hr-tetris-hyp", "caption": "What can be told of Tetris networks whose hyper-parameters vary: R² of the linear probe, for activation and start the share of right answers."} tags=["hide-input"]
hyp_parts = study.parts("tetris_hyp")
for part in hyp_parts:
    part.table["log_lr"] = np.log10(part.table["lr"])
hyp_targets = [*targets, "log_lr", "activation", "init"]
some = {name: classical[name] for name in ("W", "PCA", "s(W)")}
some |= {"untrained": representation(study, "tetris_hyp-untrained"), "E_cD": representation(study, "tetris_hyp")}
hyp_rows = hyperlib.probe_table(some, *hyp_parts, columns=hyp_targets)
study.publish("hr-tetris-baselines", hyp_rows, "hyp")
wide = hyp_rows.pivot(index="features", columns="target", values="value").loc[list(some), hyp_targets].rename(columns=PROPERTIES)
wide.insert(0, "method", wide.index)
show_table(wide, rows=["W", "s(W)", "untrained", "E_cD"], of=hyp_rows)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **From the starts that our Tetris seed zoo has, raw weights and linear maps of them tell next to nothing; an encoder that learned tells much.**
#
# - UMAP and most kernels find no more ($R^2$ up to .01). A radial kernel, which sees lengths, finds accuracy (.82) and epoch (.93).
# - Of the short runs with 50 numbers both losses together are best (.885 on accuracy; one seed, undecided on the page before), contrast alone (.879) and reconstruction alone
#   (.868) are not far behind, and positives without negatives are last. Products of s(W) beat these on accuracy and epoch, not on the gap.
# - In `tetris_hyp` the embedding tells accuracy (.82 against .69) and epoch (.36 against .23) better than s(W). The untrained encoder is level or
#   ahead in four of six columns, behind on epoch and learning rate: little is learned here.
# :::
#
# ## Do seeds matter for what can be read off?
#
# > One or five seeds per combination of hyper-parameters, fixed or random.
# > — in our words, after {cite}`schuerholt2021self` (zoos and configurations *(seen)*; their numbers were not found)
#
# Four digits zoos of the same size, divided by model. With {term}`fixed seeds` that puts networks of one start on both sides, and raw weights, and
# whatever else can recognise a start, gain by it. Zoos with five seeds per setting have fewer learning
# rates. {numref}`fig-hr-fixed-seeds` has the scores, {numref}`tab-hr-fixed-seeds`, folded, their numbers.

# %% mystnb={"image": {"alt": "Four panels, for one or five seeds per setting, fixed or random: dots with intervals of the scores of six properties, one colour and shape per method, cut at the left where scores are far below zero."}, "figure": {"name": "fig-hr-fixed-seeds", "caption": "What is told of digits networks with one or five seeds per setting, fixed or random: R² of the linear probe, for activation and start the share of right answers. Arrows mark what lies further left; lines are 95 % intervals."}} tags=["hide-input"]
factor_rows = []
for count in (1, 5):
    for mode in ("fix", "rand"):
        zoo = f"digits_{count}_{mode}"
        parts = study.parts(zoo)
        for part in parts:
            part.table["log_lr"] = np.log10(part.table["lr"])
        columns = [*targets, "log_lr", "activation", "init"]
        some = {"W": classical["W"], "s(W)": classical["s(W)"], "untrained": representation(study, f"{zoo}-untrained"), "E_cD": representation(study, zoo)}
        factor_rows.append(hyperlib.probe_table(some, *parts, columns=columns).assign(zoo=zoo))
factors = pd.concat(factor_rows, ignore_index=True)
study.publish("hr-generating-factors", factors)
WITH_SEEDS = {f"digits_{n}_{mode}": f"{many}, {words}" for n, many in ((1, "one seed"), (5, "five seeds")) for mode, words in (("fix", "fixed"), ("rand", "random"))}
drawn = factors.assign(zoo=factors["zoo"].map(WITH_SEEDS), target=factors["target"].map(PROPERTIES))
look = {"low": "low", "high": "high", "left": -0.25, "columns": 2, "height": 2.5, "label": "score"}
dot_panels(drawn, "zoo", "value", "target", "features", **look)
plt.show()

# %% table={"name": "tab-hr-fixed-seeds", "caption": "What is told of digits networks with one or five seeds per setting, fixed or random: R² of the linear probe, for activation and start the share of right answers."} tags=["hide-cell"]
wide = factors.pivot_table("value", ["zoo", "features"], "target", sort=False)[columns].rename(columns=PROPERTIES).reset_index()
wide["zoo"] = wide["zoo"].map(WITH_SEEDS)
show_table(wide.rename(columns={"features": "method"}), of=factors)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **A fixed seed is a leak, not a help, unless one means to predict for known starts.**
#
# - With one fixed seed raw weights tell accuracy (1.00) and epoch (.93): a probe recognises a start that it has met with other settings, and reads off how
#   far the model has moved. With random seeds the same probe is below −1 on both.
# - Embeddings lose less (accuracy .99 and .98 with fixed seeds, .85 and .83 with random ones), and so does s(W) (.94 and .88, then .75 and .72).
# - From one fixed seed to five, raw weights fall from .93 to .36 on the epoch and from .80 to .50 on the gap.
# - At this short training the untrained encoder is within .02 of the trained one on accuracy, in all four zoos.
# :::
#
# ## Which of ten properties can be read off?
#
# > On four zoos of the Unterthiner CNN, embeddings predict epoch, accuracy, gap and hyper-parameters better than W and s(W).
# > — in our words, after {cite}`schuerholt2021self`; all 120 numbers *(seen)*
#
# The original zoos are far larger and a download of many gigabytes; ours has the same network, fewer models on fewer images, and factors drawn at
# random. Learning rate and l2 are predicted in their logarithm *(our choice)*; whether the published ones are was not found. So the comparison is one
# of order, not of size. For CIFAR-10 the released script trains with positives alone, although the published column is called E_cD: the sources
# disagree *(seen)*.

# %% mystnb={"image": {"alt": "Ten lines, one per property: filled dots with intervals for raw weights, layer statistics, the untrained encoder and the embedding of our zoo, hollow marks for the published values of the first two and the last, cut at the left where scores are far below zero."}, "figure": {"name": "fig-hr-ten-properties", "caption": "Ten properties of networks on MNIST with drawn hyper-parameters: R² of the linear probe, for the last three the share of right answers. Filled: ours, with 95 % intervals; hollow: published, from a far larger zoo. Arrows mark what lies further left."}} tags=["hide-input"]
drawn_parts = study.parts("mnist_drawn")
for part in drawn_parts:
    part.table["log_lr"], part.table["log_l2"] = np.log10(part.table["lr"]), np.log10(part.table["weight_decay"])
properties = {
    "epoch": "R2: epoch", "test_accuracy": "R2: test accuracy", "gap": "R2: generalization gap", "log_lr": "R2: learning rate",
    "log_l2": "R2: l2 regularisation", "dropout": "R2: dropout", "train_fraction": "R2: train fraction",
    "activation": "accuracy: activation", "init": "accuracy: initialisation", "optimizer": "accuracy: optimizer",
}  # fmt: skip
some = {"W": classical["W"], "s(W)": classical["s(W)"], "untrained": representation(study, "mnist_drawn-untrained"), "E_cD": representation(study, "mnist_drawn")}
drawn = hyperlib.run_probes(some, *drawn_parts, columns=list(properties))
study.publish("hr-hyp-property-prediction", drawn.table, "ours")
ours = drawn.table[drawn.table["features"] != "untrained"]
ours = pd.DataFrame({"dataset": "MNIST-HYP", "method": ours["features"], "metric": ours["target"].map(properties), "value": ours["value"]})
beside_hyp = study.beside_thesis("hr-hyp-property-prediction", ours, on=["dataset", "method", "metric"])
study.publish("hr-hyp-property-prediction", beside_hyp)
theirs = beside_hyp[beside_hyp["dataset"] == "MNIST-HYP"].set_index(["method", "metric"])["published"]
one = drawn.table.assign(metric=drawn.table["target"].map(properties), target=drawn.table["target"].map(PROPERTIES))
one["published"] = theirs.reindex(pd.MultiIndex.from_frame(one[["features", "metric"]])).to_numpy()
fig, ax = plt.subplots(figsize=(8, 4.6))
dot_plot(one, ax, "value", "target", "features", low="low", high="high", published="published", left=-0.5)
ax.set_xlabel("R², or share of right answers")
fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %% tags=["hide-input"]
def winners(table, value):
    """The best method of each metric, and how often among the data sets."""
    best = table.dropna(subset=[value]).sort_values(value).groupby(["metric", "dataset"]).last()["method"]
    return best.groupby("metric").agg(lambda methods: ", ".join(f"{name} ({n})" for name, n in methods.value_counts().items()))


won = pd.DataFrame({"wins there": winners(beside_hyp, "published"), "wins here": winners(beside_hyp, "ours").str.removesuffix(" (1)")})
won = study.publish("hr-hyp-property-prediction", won.loc[list(properties.values())].reset_index(), "winners")
human = {metric: PROPERTIES[target] for target, metric in properties.items()}
here = won.groupby("wins here")["metric"].agg(lambda metrics: ", ".join(human[metric] for metric in metrics))

# %% tags=["remove-input"]
said = "; ".join(f"{name} on {metrics}" for name, metrics in here.sort_index().items())
everywhere = (won["wins there"] == "E_cD (4)").sum()
say(f"""The highest score here is that of {said}, however small its lead. Published, E_cD is highest on all four image sets for
{everywhere} of {len(won)} properties; {{numref}}`tab-hr-published-properties`, folded, has these numbers.""")

# %% table={"name": "tab-hr-published-properties", "caption": "Published scores of linear probes on four zoos, a column each."} tags=["hide-cell"]
wide = beside_hyp.pivot(index=["metric", "method"], columns="dataset", values="published")
wide = wide.loc[pd.MultiIndex.from_product([properties.values(), ["W", "s(W)", "E_cD"]])].rename_axis(["property", "method"]).reset_index()
wide["property"] = wide["property"].map(human)
show_table(wide, rows=6, of=beside_hyp)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **The embedding tells accuracy (.77 against .55) and the epoch (.27 against .16) better than s(W); on the rest the two are close.**
#
# - It is ahead by .05 on the learning rate and by .03 on dropout, and level or behind, by at most .03, on the other six. Nobody reads l2 or
#   the fraction of training data here ($R^2$ below .1).
# - The untrained encoder is within .04 of the trained one on nine of ten properties, and has most of the lead on accuracy and epoch.
# - From 420 training models raw weights tell nothing of any number. Published, with fifty times as many networks, they are best on start
#   and optimizer, and E_cD on the other eight, on all four image sets.
# :::
#
# ## Does it carry over?
#
# > Encoder and probe of one zoo, tested on others.
# > — in our words, after {cite}`schuerholt2021self` (the experiment is *(seen)* in code, its numbers were not found). So this is ours alone.
#
# Two cheap stand-ins *(our choice)*: from `tetris_seed` to `tetris_hyp`, the same network with other settings (models with the settings of `tetris_seed`
# itself are left out), and from the first half of training to the second. There only the probes are fitted on the first half; the representation
# saw both halves of *other* models, without labels. Beside $R^2$ stands {term}`Kendall's tau-b`, $\tau$: a probe that is off by a constant still orders
# networks rightly.

# %% tags=["hide-input"]
reps = {"W": classical["W"], "s(W)": classical["s(W)"], "untrained": representation(study, "tetris_seed-untrained"), "E_cD": representation(study, "tetris_seed")}

# %%
hyp = study.parts("tetris_hyp")[2]
same = {"activation": "tanh", "init": "kaiming_uniform", "lr": 1e-3}
twins = hyp.table[list(same)].eq(list(same.values())).all(axis=1).to_numpy()
others = hyp.take(~twins)
to_hyp = hyperlib.run_probes(
    reps, train, val, others, columns=targets, other_zoo=True
).table

# %% mystnb={"image": {"alt": "Two panels, to other settings and to later epochs: dots with intervals of R squared for each property, one colour and shape per method, cut at the left where values are far below zero."}, "figure": {"name": "fig-hr-transfer", "caption": "R² where a probe was fitted on the Tetris seed zoo and tested on networks with other settings, or fitted on early epochs and tested on later ones. Arrows mark what lies further left; lines are 95 % intervals over models."}} tags=["hide-input"]
half = train.table["epoch"].max() // 2
early = [part.take((part.table["epoch"] <= half).to_numpy()) for part in (train, val)]
late = test.take((test.table["epoch"] > half).to_numpy())
to_late = hyperlib.run_probes(reps, *early, late, columns=["test_accuracy", "gap"]).table
carried = pd.concat([to_hyp.assign(to="tetris_hyp"), to_late.assign(to="later epochs")], ignore_index=True)
study.publish("hr-ood", carried)
TO = {"tetris_hyp": "to other settings", "later epochs": "to later epochs"}
drawn = carried.assign(to=carried["to"].map(TO), target=carried["target"].map(PROPERTIES))
look = {"low": "low", "high": "high", "left": -1.25, "columns": 2, "height": 2, "label": "R²"}
dot_panels(drawn, "to", "value", "target", "features", **look)
plt.show()

# %% table={"name": "tab-hr-transfer", "caption": "Test accuracy where a probe is carried over: R² and Kendall's tau-b; the other properties are in the CSV."} tags=["hide-input"]
accuracy = carried[carried["target"] == "test_accuracy"].pivot(index="features", columns="to", values=["value", "tau"])
human = pd.DataFrame({f"{TO[to]}, {words}": accuracy[kind, to] for to in TO for kind, words in (("value", "R²"), ("tau", "τ"))})
human = human.loc[list(reps)]
human.insert(0, "method", human.index)
show_table(human, of=carried)

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Nothing carries over well: no $R^2$ of any reading reaches .5.**
#
# - To other settings the embedding orders networks by accuracy ($\tau$ of .63; s(W) has .56) and predicts it with an $R^2$ of .40, twice that of s(W).
#   On the epoch every $R^2$ is below zero.
# - To later epochs s(W) extrapolates badly ($R^2$ of −3.4 on accuracy), while both encoders stay above zero there; no reading predicts the gap.
# - Training does not help here: on accuracy the untrained encoder has the higher $R^2$ in both (.43 and .32 against .40 and .19), the trained one
#   the higher $\tau$.
# :::
#
# ## Exercises
#
# ```{exercise} A fair number of dimensions
# :label: ex-dimensions
# The embedding has more numbers than $s(W)$. Take principal components of the embedding of a small zoo, as many as $s(W)$ has, and probe again.
# Is it the number of dimensions that makes the difference?
# ```
#
# ```{solution-start} ex-dimensions
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from hyperlib.figures.words import say

network, images = hyperlib.tetris_mlp(), hyperlib.load_images("tetris")
design = hyperlib.grid(seeds=150, lr=3e-3)
zoo = hyperlib.train_population(network, images, design, epochs=10, progress=False)
parts = [part.spread(6) for part in zoo.split()]
rep = hyperlib.HyperRep(network, steps=0)
both = {"s(W)": hyperlib.LayerStatistics(), "all": rep}
both["14 of them"] = make_pipeline(rep, PCA(14))
found = hyperlib.probe_table(both, *parts, columns=["test_accuracy"])
found = found.set_index("features")
dimensions, value = found["dimensions"], found["value"]
assert dimensions["s(W)"] == dimensions["14 of them"] == 14
assert value["14 of them"] > value["all"] - 0.1
say("; ".join(f"{name} ({dimensions[name]}): R² = {value[name]:.2f}" for name in both))

# %% [markdown]
# A `Pipeline` is a representation like any other. With 105 training models and nothing learned the embedding is behind $s(W)$, and 14 of its
# components do as well as all 256: more dimensions are no advantage in themselves where models are few. The CSVs of all tables above
# have the dimensions beside the scores.
# ```{solution-end}
# ```
#
# ```{exercise} The interval of a difference
# :label: ex-difference
# Two methods have $R^2$ of 0.95 and 0.94 with intervals of plus and minus 0.02. Is the first better? Compare the interval of the difference on
# the same test models with what two *independent* scores of these intervals would give.
# ```
#
# ```{solution-start} ex-difference
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from hyperlib.figures.words import say

network, images = hyperlib.tetris_mlp(), hyperlib.load_images("tetris")
design = hyperlib.grid(seeds=150, lr=3e-3)
zoo = hyperlib.train_population(network, images, design, epochs=10, progress=False)
parts = [part.spread(6) for part in zoo.split()]
both = {"s(W)": hyperlib.LayerStatistics()}
both["products"] = hyperlib.LayerStatistics(products=True)
result = hyperlib.run_probes(both, *parts, columns=["test_accuracy"])
widths = result.table["high"] - result.table["low"]
found = result.compare("products", "s(W)", "test_accuracy")
independent = (widths**2).sum() ** 0.5  # as if they had been tested on different models
assert found.high - found.low < independent
say(f"The interval is {found.high - found.low:.3f} wide, not {independent:.3f}.")

# %% [markdown]
# The same hard models pull both scores down together, and what both find hard cancels in the difference. So two methods can differ clearly where
# their separate intervals overlap. How much cancels depends on how alike the two methods err.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# A case is a zoo. A claim holds there if the whole {term}`interval` of the difference is on its side; there is no {term}`margin`. The three goals with
# numbers are *(our choice)* and have no intervals; trials on Tetris and digits zoos had shown that they can be met.


# %% tags=["hide-input"]
def better(target, second, headline=False):
    """Verdicts on "the embedding tells it better than ...", zoo by zoo."""
    rows = differences[(differences["second"] == second) & (differences["target"] == target)]
    cases = rows.assign(case=rows["zoo"].map(ZOOS), value=rows["difference"])
    words, source = OTHERS[second]
    claim = f"E_cD tells {PROPERTIES[target]} better than {words}"
    shown = "tab-hr-seed-scores" if second == "W" else "fig-hr-differences"
    return tested(claim, cases, source=source, shown=shown, headline=headline)


OTHERS = {
    "clock": ("the clock", "ours"), "pooled rows": ("pooled rows", "ours"), "random features": ("random features of s(W)", "ours"),
    "pooled rows, trees": ("trees on pooled rows", "ours"),
    "s(W)": ("s(W)", "2021 (inferred)"), "s(W), trees": ("trees on s(W)", "ours"), "untrained": ("the same encoder, untrained", "ours"),
    "W": ("W", "2021"), "s(W) products": ("products of s(W)", "ours"),
}  # fmt: skip
first = [("test_accuracy", name) for name in ("clock", "s(W)", "pooled rows", "random features", "untrained")] + [("gap", "clock")]
second = [("test_accuracy", "s(W), trees"), ("gap", "s(W)")]
rest = [(target, name) for name in OTHERS for target in targets if (target, name) not in [*first, *second, ("epoch", "clock")]]
cards = [better(*pair, headline=pair in first) for pair in first + second + rest]


def inside_epochs(target, second, headline=False):
    """Verdicts on "beside the clock, the embedding tells more inside an epoch than ...", zoo by zoo."""
    three, other = ([f"{name} {seed}" for seed in seeds] if name in ("E_cD", "untrained") else name for name in ("E_cD", second))
    how = {"probe": "beside the clock", "second_probe": "linear" if second == "clock" else "beside the clock", "within": True}
    cases = {ZOOS[zoo]: probed[zoo].compare(three, other, target, **how) for zoo in seed_zoos}
    claim = f"inside an epoch E_cD tells {PROPERTIES[target]} better than {OTHERS[second][0]}"
    return tested(claim, cases, source="ours", shown="tab-hr-inside", headline=headline)


beyond = [(target, name) for name in ("clock", "pooled rows", "s(W)", "random features", "untrained") for target in known]
cards[len(first):len(first)] = [inside_epochs(*pair, headline=pair[0] == "test_accuracy" and pair[1] in ("clock", "pooled rows")) for pair in beyond]
plain = differences[differences["second"] == "s(W)"].set_index(["target", "zoo"])


def reached(claim, target, column, met):
    """Verdicts on a goal with a number, which has no interval."""
    values = {zoo: float(plain.loc[(target, zoo), column]) for zoo in seed_zoos}
    cases = {ZOOS[zoo]: (bool(met(zoo, value)), f"{value:.3f}") for zoo, value in values.items()}
    return counted(claim, cases, source="ours", shown="tab-hr-differences")


limit = {"mnist_seed": 1.0}
cards += [
    reached("accuracy: at most 0.7 of what s(W) leaves (MNIST: 1.0)", "test_accuracy", "ratio", lambda zoo, value: value <= limit.get(zoo, 0.7)),
    reached("epoch: at least s(W) - 0.01", "epoch", "difference", lambda zoo, value: value >= -0.01),
    reached("gap: at least s(W)", "gap", "difference", lambda zoo, value: value >= 0),
]
card = study.publish("disc-scorecard", scorecard(cards), "04b")

# %% tags=["remove-input"]
decided = card["holm"].isin(["stands", "falls"])
say(f"""These are {len(card)} verdicts. Of the {decided.sum()} that an interval decides, {(card["holm"] == "stands").sum()} stand when
all are judged together ({{term}}`Holm's method`).""")

# %% table={"name": "tab-hr-properties-verdicts", "caption": "Verdicts of this page, the most important first: ✓ holds in all zoos, ✗ fails in all, ~ is undecided or mixed."} tags=["hide-input"]
show_table(summary(card), of=card)
