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
# **Overview**
#
# - We read accuracy, epoch, generalization gap and hyper-parameters off hyper-representations with a linear probe, and set them beside
#   everything that could do as well: raw weights, principal components, layer statistics, the untrained encoder, boosted trees.
# - For every comparison we print the difference with an interval over models, and the published value where there is one.
# - We say who wins, here and there. Layer statistics are a strong baseline: the published tables themselves show them, or raw weights,
#   ahead in several places.
#
# How the representations are made, and what each of their parts is good for, is the [page before](04a_hyper_representations).

# %% tags=["parameters"]
profile = "laptop"

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import hyperlib
from hyperlib.figures import plots
from hyperlib.figures.tables import show_table
from hyperlib.study.representations import representation, representations

study = hyperlib.Study(profile)
targets, seeds = ["test_accuracy", "epoch", "gap"], list(range(5 if profile == "paper" else 3))
seed_zoos = ["tetris_seed", "digits_seed", "mnist_seed"]

# %% [markdown]
# ## Does training beat statistics, and does it beat no training?
#
# > Embeddings predict accuracy, epoch and generalization gap better than raw weights, and as well as or better than layer statistics.
# > — in our words, after {cite}`schuerholt2021self` (zoos and targets *seen*; of the numbers only those of MNIST were found)
#
# One split by model (70/15/15), 16 epochs of each model, three seeds of the representation. Sizes, mix, learning rate and length were chosen on the
# validation models of these zoos. That a pooled read-out, small positions and several epochs per model in a batch help, we knew from earlier trials on
# Tetris and digits zoos of the same recipe, which had looked at their test models; `mnist_seed` was not among them, so it is the cleanest of the three
# tests. The probe is the published one: ridge on features as they are, penalty chosen on validation models (names are read by a linear soft-max on
# standardised features, solved to its optimum: *our choice*).
#
# `gap` is the generalization gap of the released code, *running* train accuracy minus test accuracy: early in training it says in part how fast a
# network learns (the page on zoos shows both readings). `E_cD` is our representation, trained by contrast (NT-Xent) and reconstruction; `untrained`
# is the same encoder with the same read-out and the same statistics of rows, before its first step. `s(W) products` are
# the layer statistics with all their pairwise products. `outputs` runs the network on 32 images and is no function of the weights alone.

# %%
def rows_for(zoo):
    """What stands in the table of a zoo: baselines, and three seeds of the representation, trained and untrained."""
    trained = representations(study, [(zoo, seed) for seed in seeds])
    untrained = representations(study, [(f"{zoo}-untrained", seed) for seed in seeds])
    return {
        "W": hyperlib.RawWeights(), "s(W)": hyperlib.LayerStatistics(), "s(W) products": hyperlib.LayerStatistics(products=True),
        "outputs": hyperlib.Probing(study.recipe(zoo).images.load()),
        **{f"untrained {seed}": rep for seed, rep in zip(seeds, untrained, strict=True)},
        **{f"E_cD {seed}": rep for seed, rep in zip(seeds, trained, strict=True)},
    }


# %%
probed = {}
for zoo in seed_zoos:
    features = rows_for(zoo)
    probes = {"linear": list(features), "trees": ["s(W)"] if profile == "quick" else ["s(W)", "E_cD 0"]}
    probed[zoo] = hyperlib.run_probes(features, *study.parts(zoo), columns=targets, probes=probes)
every = pd.concat([result.table.assign(zoo=zoo) for zoo, result in probed.items()], ignore_index=True)
study.publish("hr-seed-property-prediction", every);

# %%
every["method"] = every["features"].str.replace(r" \d$", "", regex=True) + every["probe"].map({"linear": "", "trees": ", trees"})
by = ["zoo", "method", "target"]
mean = every.groupby(by, sort=False)["value"].mean().unstack()[targets]
spread = every.groupby(by, sort=False)["value"].agg(lambda one: one.max() - one.min()).unstack()[targets].add_suffix(" range")
sizes = every.groupby(by[:2], sort=False)["dimensions"].first()
summary = mean.join(spread).join(sizes).reset_index()
study.publish("hr-seed-property-prediction", summary, "summary")
show_table(summary[["zoo", "method", "dimensions", *targets, *spread.columns]])

# %% [markdown]
# (`range` is the largest value of three seeds minus the smallest.) Differences on the same test models, with 95 % intervals from a bootstrap over
# models; of three seeds the mean score counts. `ratio` compares what is left unexplained: $(1 - R^2)$ of the first over that of the second.

# %%
def compared(zoo, first, second, target, probes=("linear", "linear")):
    """One row: difference, interval, verdict and ratio of what is left to explain."""
    result, three = probed[zoo], lambda name: [f"{name} {seed}" for seed in seeds] if name in ("E_cD", "untrained") else name
    found = result.compare(three(first), three(second), target, probe=probes[0], second_probe=probes[1])
    words = [name + ("" if probe == "linear" else ", trees") for name, probe in zip((first, second), probes, strict=True)]
    left = [1 - mean.loc[(zoo, name), target] for name in words]
    row = {"zoo": zoo, "target": target, "first": words[0], "second": words[1]}
    return row | vars(found) | {"verdict": found.verdict, "ratio": left[0] / left[1]}


# %% tags=["output_scroll"]
linear, trees = ("linear", "linear"), ("linear", "trees")
against = [("s(W)", linear), ("untrained", linear), ("s(W) products", linear), ("W", linear), ("s(W)", trees)]
differences = pd.DataFrame(
    [compared(zoo, "E_cD", second, target, probes) for second, probes in against for zoo in seed_zoos for target in targets]
)
study.publish("hr-seed-property-prediction", differences, "differences")
show_table(differences)

# %% mystnb={"image": {"alt": "Three panels, one per zoo: bars of R squared for accuracy, epoch and gap from raw weights, layer statistics, the untrained encoder and the trained representation, with intervals."}, "figure": {"name": "fig-hr-seed-zoos", "caption": "R² of the linear probe on unseen models in three seed zoos (first of three seeds); lines are 95 % intervals from a bootstrap over models. The number of test models is in each title."}}
fig, axes = plt.subplots(1, 3, figsize=(8, 3.6), sharey=True)
for ax, zoo in zip(axes, seed_zoos, strict=True):
    one = probed[zoo].table
    one = one[(one["probe"] == "linear") & one["features"].isin(["W", "s(W)", "untrained 0", "E_cD 0"])]
    plots.intervals(one.assign(features=one["features"].str.removesuffix(" 0")), ax, by="features", label="target")
    ax.set_title(f"{zoo}\n{one['n_test_models'].iloc[0]} test models", fontsize=9)
    ax.set_xlabel("R²")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %% [markdown]
# And the published values of MNIST-seed, beside ours. **Not like for like**: their zoo has 1,000 models grown on all images with
# another start; ours has 300 on 5,000 images. Our embedding is another one (pooled, with statistics of rows), and so is its contrast: theirs pulls
# positives together without negatives.

# %%
names = {"s(W)": "s(W) as printed in NeurIPS 2021", "E_cD": "E_c+D (NeurIPS 2021)"}
metrics = {"test_accuracy": "R2: test accuracy", "epoch": "R2: epoch", "gap": "R2: generalization gap"}
ours = pd.DataFrame(
    {"dataset": "MNIST-seed (2021 zoo)", "method": printed, "metric": metric, "value": mean.loc[("mnist_seed", method), target]}
    for method, printed in names.items() for target, metric in metrics.items()
)
beside = study.beside_thesis("hr-seed-property-prediction", ours, on=["dataset", "method", "metric"])
study.publish("hr-seed-property-prediction", beside, "published")
show_table(beside[["method", "metric", "ours", "published", "source"]])

# %% [markdown]
# **Reading.** At `laptop` the linear probe reads accuracy better off the embedding than off $s(W)$ in all three zoos: two thirds or half of what $s(W)$ leaves
# unexplained remain. The epoch is told at least as well, the gap better in two zoos and undecided in Tetris. On `mnist_seed`, as on the others, our
# embedding beats our $s(W)$; in the published table $s(W)$ was ahead on accuracy by a hair (0.977 against 0.973), and behind on epoch and gap. Our $s(W)$
# tells accuracy worse than theirs, so our lead is one over a weaker opponent.
#
# What is architecture, and what is learned? On Tetris the untrained encoder has most of it: training adds a hundredth on accuracy and nothing on the gap.
# On digits and `mnist_seed` training adds .02 and .13 on accuracy, and more than .05 on the gap. Statistics of rows stand in both.
#
# And a linear probe is not all. Boosted trees on nothing but $s(W)$ tell accuracy and epoch better than the linear probe on the embedding in every zoo,
# and the gap in two; products of $s(W)$ do so on Tetris, where there are 14 statistics, and fail elsewhere, where products are many. So layer statistics
# *know* as much; the embedding lays it open for a linear reader. Trees on the embedding gain little over the linear probe, except on `mnist_seed`.
# The network's own answers on 32 images are hard to beat on Tetris. Who needs one number, and has $s(W)$, should try trees first.
#
# ## Which kind of hyper-representation, against which baseline?
#
# > W, principal components, kernel PCA, UMAP, s(W), and representations trained by reconstruction (E_D), contrast (E_c), positives (E_c+), and
# > both (E_cD, E_c+D).
# > — in our words, after {cite}`schuerholt2021self` (settings *seen*, names of the rows *recalled*; their numbers were not found)
#
# On `tetris_seed`. PCA, kernel PCA and UMAP are fitted on at most 5,000 training checkpoints (published: every second or third). The five
# kinds of representation are the short ones of the page before, one seed each.

# %%
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
show_table(rows.groupby("features", sort=False)["dimensions"].first().to_frame().join(wide).reset_index())

# %% [markdown]
# The same for `tetris_hyp`, whose hyper-parameters vary. Its seeds are fixed, so it is divided by model, as published, and models that began
# alike stand on both sides (the page on zoos says what that does to $W$):

# %%
hyp_parts = study.parts("tetris_hyp")
for part in hyp_parts:
    part.table["log_lr"] = np.log10(part.table["lr"])
hyp_targets = [*targets, "log_lr", "activation", "init"]
some = {name: classical[name] for name in ("W", "PCA", "s(W)")}
some |= {"untrained": representation(study, "tetris_hyp-untrained"), "E_cD": representation(study, "tetris_hyp")}
hyp_rows = hyperlib.probe_table(some, *hyp_parts, columns=hyp_targets)
study.publish("hr-tetris-baselines", hyp_rows, "hyp")
show_table(hyp_rows.pivot(index="features", columns="target", values="value").loc[list(some), hyp_targets].reset_index())

# %% [markdown]
# **Reading.** What raw weights and linear maps of them tell of a seed zoo is nothing at all, and UMAP and most kernels keep to that; a radial kernel, which sees
# lengths, finds accuracy and epoch. Of the short runs with 50 numbers both losses together are best, reconstruction alone is not far behind, and
# positives without negatives are last, which is not the order of the published names (E_c+D was the published winner on MNIST, by a loss
# whose released form is the row "as released"). Products of $s(W)$ beat all of these.
#
# In `tetris_hyp` the embedding tells accuracy and epoch better than $s(W)$ does, and so does the encoder before training, which is as good
# as the trained one in most columns. Learned is little here.
#
# ## Do seeds matter for what can be read off?
#
# > One or five seeds per combination of hyper-parameters, fixed or random.
# > — in our words, after {cite}`schuerholt2021self` (zoos and configurations *seen*; their numbers were not found)
#
# Four digits zoos of 256 models, divided by model. With *fixed* seeds that puts networks of one start on both sides, and raw weights, and
# whatever else can recognise a start, gain by it.

# %%
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
show_table(factors.pivot_table("value", ["zoo", "features"], "target", sort=False)[columns].reset_index())

# %% [markdown]
# **Reading.** With fixed seeds raw weights tell nearly everything: a probe recognises the start of a model that it has met with other settings, and reads
# off how far it has moved. With random seeds the same probe is far below zero. Embeddings lose much less (accuracy .99 and .98 with fixed seeds, .85 and
# .83 with random ones), statistics least, since they cannot recognise much. So a fixed seed is a leak, not a help, unless one means to predict for
# known starts. One or five seeds per setting make little difference. As in the zoo before, training adds little to the untrained encoder at this length
# (250 steps).
#
# ## Can ten properties be read off a zoo of drawn hyper-parameters?
#
# > On four zoos of the Unterthiner CNN, embeddings predict epoch, accuracy, gap and hyper-parameters better than W and s(W).
# > — in our words, after {cite}`schuerholt2021self`; all 120 numbers *seen*
#
# The original zoo has 30,000 networks per image set and is a download of many gigabytes; ours has the same network and 600 models on 2,000 images,
# with factors drawn at random. Learning rate and l2 are predicted in their logarithm (*our choice*; whether the published ones are was not found).
# So the comparison is one of order, not of size. For CIFAR-10 the released script trains with positives alone, although the published column is
# called E_cD (a known disagreement of the sources).

# %%
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
show_table(drawn.table.pivot(index="target", columns="features", values="value").loc[list(properties), list(some)].reset_index())

# %% tags=["output_scroll"]
ours = drawn.table[drawn.table["features"] != "untrained"]
ours = pd.DataFrame({"dataset": "MNIST-HYP", "method": ours["features"], "metric": ours["target"].map(properties), "value": ours["value"]})
beside_hyp = study.beside_thesis("hr-hyp-property-prediction", ours, on=["dataset", "method", "metric"])
study.publish("hr-hyp-property-prediction", beside_hyp)
order = pd.MultiIndex.from_product([beside_hyp["dataset"].unique(), properties.values()])
published = beside_hyp.pivot(index=["dataset", "metric"], columns="method", values=["ours", "published"]).loc[order]
published.columns = [f"{method}, {side}" for side, method in published.columns]
show_table(published.dropna(axis=1, how="all").rename_axis(["dataset", "metric"]).reset_index(), precision=2)

# %% [markdown]
# Who wins, target by target, there on four zoos and here on one (of the three methods that both have):

# %%
def winners(table, value):
    """The best method of each metric, and how often among the data sets."""
    best = table.dropna(subset=[value]).sort_values(value).groupby(["metric", "dataset"]).last()["method"]
    return best.groupby("metric").agg(lambda methods: ", ".join(f"{name} ({n})" for name, n in methods.value_counts().items()))


won = pd.DataFrame({"wins there": winners(beside_hyp, "published"), "wins here": winners(beside_hyp, "ours").str.removesuffix(" (1)")})
won = won.loc[list(properties.values())].reset_index()
show_table(study.publish("hr-hyp-property-prediction", won, "winners"))

# %% [markdown]
# **Reading.** Where seeds are random and everything varies, 420 training models are few: at `laptop` raw weights tell nothing, although in the published
# tables they win on initialisation and optimizer, with fifty times as many networks. Our embedding is ahead of $s(W)$ on accuracy (.77 against .55) and on
# the epoch, and level with it or behind on the rest; l2 and the fraction of training data nobody reads here. The untrained encoder does as well as the trained one
# in most rows, so what the embedding has over $s(W)$ is architecture in this zoo. Published, E_cD wins eight of ten targets on all four data sets, and W the
# other two.
#
# ## Does it carry over?
#
# > Encoder and probe of one zoo, tested on others.
# > — in our words, after {cite}`schuerholt2021self` (the experiment is *seen* in code, its numbers were not found). So this table is ours alone.
#
# Two cheap stand-ins (*our choice*): from `tetris_seed` to `tetris_hyp`, the same network with other settings (one of its 29 settings is that of
# `tetris_seed`, so its models are left out); and from the first half of training to the second. Kendall's tau beside $R^2$: a probe that is off by a constant still orders networks rightly.

# %%
reps = {"W": classical["W"], "s(W)": classical["s(W)"], "untrained": representation(study, "tetris_seed-untrained"), "E_cD": representation(study, "tetris_seed")}
hyp = study.parts("tetris_hyp")[2]
twins = hyp.table[["activation", "init", "lr"]].eq(["tanh", "kaiming_uniform", 1e-3]).all(axis=1)  # models of tetris_seed itself
to_hyp = hyperlib.run_probes(reps, train, val, hyp.take(~twins.to_numpy()), columns=targets, other_zoo=True).table
half = train.table["epoch"].max() // 2
early_train, early_val = (part.take((part.table["epoch"] <= half).to_numpy()) for part in (train, val))
late = test.take((test.table["epoch"] > half).to_numpy())
to_late = hyperlib.run_probes(reps, early_train, early_val, late, columns=["test_accuracy", "gap"]).table
carried = pd.concat([to_hyp.assign(to="tetris_hyp"), to_late.assign(to="later epochs")], ignore_index=True)
study.publish("hr-ood", carried)
show_table(carried[["to", "target", "features", "value", "low", "high", "tau"]])

# %% [markdown]
# (For the later epochs only the probes are fitted on the first half; the representation saw both halves of *other* models, without labels.)
#
# **Reading.** Nothing carries over well. To `tetris_hyp` the embeddings order networks by accuracy ($\tau$ of .6, as $s(W)$ nearly does) and predict it
# with an $R^2$ of about .4, twice that of $s(W)$; the epoch is off by a shift in every feature (other learning rates), which $R^2$ punishes and $\tau$ does not. To later
# epochs $s(W)$ extrapolates badly while the embeddings stay above zero on accuracy, and no feature predicts the gap. Training does not help here: the
# untrained encoder has the higher $R^2$ in both, the trained one the higher $\tau$.
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

design = hyperlib.grid(seeds=150, lr=3e-3)
zoo = hyperlib.train_population(hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), design, epochs=10, progress=False)
parts = [part.spread(6) for part in zoo.split()]
rep = hyperlib.HyperRep(zoo.architecture, steps=0)
both = {"s(W)": hyperlib.LayerStatistics(), "all": rep, "14 of them": make_pipeline(rep, PCA(14))}
scores = hyperlib.probe_table(both, *parts, columns=["test_accuracy"]).set_index("features")[["dimensions", "value"]]
assert scores.loc["s(W)", "dimensions"] == scores.loc["14 of them", "dimensions"] == 14
assert scores.loc["14 of them", "value"] > scores.loc["all", "value"] - 0.1
scores

# %% [markdown]
# A `Pipeline` is a representation like any other. With 105 training models and nothing learned the embedding is behind $s(W)$, and 14 of its
# components do as well as all 256: more dimensions are no advantage in themselves where models are few. Every table above has the
# dimensions beside the scores.
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

design = hyperlib.grid(seeds=150, lr=3e-3)
zoo = hyperlib.train_population(hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), design, epochs=10, progress=False)
parts = [part.spread(6) for part in zoo.split()]
both = {"s(W)": hyperlib.LayerStatistics(), "products": hyperlib.LayerStatistics(products=True)}
result = hyperlib.run_probes(both, *parts, columns=["test_accuracy"])
widths = result.table["high"] - result.table["low"]
found = result.compare("products", "s(W)", "test_accuracy")
assert found.high - found.low < (widths**2).sum() ** 0.5  # as if the two had been tested on different models
found

# %% [markdown]
# The same hard models pull both scores down together, and what both find hard cancels in the difference. So two methods can differ clearly where
# their separate intervals overlap. How much cancels depends on how alike the two methods err.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# A claim *held* if the whole interval of the difference is on its side, is *reversed* if it is on the other, and else *undecided*. The three
# goals with numbers are *our choice*; trials on Tetris and digits zoos had shown that they can be met.

# %% tags=["hide-input"]
scorecard = []
for second, words, source in (("s(W)", "s(W)", "2021 (inferred)"), ("untrained", "no training", "ours"), ("W", "W", "2021"), ("s(W) products", "products of s(W)", "ours")):
    for target in targets:
        found = differences[(differences["second"] == second) & (differences["target"] == target)].set_index("zoo")["verdict"]
        scorecard.append({"claim": f"E_cD tells {target} better than {words}", "source": source, **found[seed_zoos]})
beaten = differences[differences["second"] == "s(W), trees"]
for target in targets:
    found = beaten[beaten["target"] == target].set_index("zoo")["verdict"]
    scorecard.append({"claim": f"E_cD (linear) tells {target} better than trees on s(W)", "source": "ours", **found[seed_zoos]})

# %% tags=["hide-input"]
plain = differences[differences["second"] == "s(W)"].set_index(["target", "zoo"])
reached = {
    "accuracy: at most 0.7 of what s(W) leaves (mnist_seed: 1.0)": [
        plain.loc[("test_accuracy", zoo), "ratio"] <= (1.0 if zoo == "mnist_seed" else 0.7) for zoo in seed_zoos
    ],
    "epoch: at least s(W) - 0.01": [plain.loc[("epoch", zoo), "difference"] >= -0.01 for zoo in seed_zoos],
    "gap: at least s(W)": [plain.loc[("gap", zoo), "difference"] >= 0 for zoo in seed_zoos],
}
for claim, held in reached.items():
    scorecard.append({"claim": claim, "source": "ours", **{z: "held" if h else "not held" for z, h in zip(seed_zoos, held, strict=True)}})
show_table(study.publish("disc-scorecard", pd.DataFrame(scorecard), "04b"))
