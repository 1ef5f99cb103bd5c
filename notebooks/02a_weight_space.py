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
# # Is there structure in weight space?
#
# **Overview**
#
# - A training run is a path of weight vectors. We ask whether the paths of a population stay apart, and whether they tell in which
#   order they were walked.
# - A layer's matrix has a spectrum. We measure its entropy over training in five populations, from 2,464 to 1.9 million weights,
#   and set the eigenvalues of a wide layer against those of random weights, at three batch sizes.
# - The full text of this chapter was not open to us: we know it from its captions and from the papers behind it. For every claim
#   we say where it was seen; what is ours is called so.

# %% tags=["parameters"]
profile = "laptop"

# %%
import matplotlib.pyplot as plt
import pandas as pd

import hyperlib
from hyperlib.figures import interactive, plots, style
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.representations.maps import umap_map
from hyperlib.tasks import spectral_training, trajectories

study = hyperlib.Study(profile)

# %% [markdown]
# ## Do training runs keep apart?
#
# > Trajectories of one network from different seeds are smooth curves that do not mix.
# > — in our words, after {cite}`schuerholt2020investigation` (*seen* in the group's blog; that chapter 2 shows it is *inferred*)
#
# Thirty networks that differ in nothing but the seed, with a checkpoint after every epoch, on two image sets. First a picture: all
# checkpoints of 20 Tetris networks in one map of three dimensions. The settings of UMAP behind the thesis's picture were not found;
# ours are those of the later generative code (*our choice*).

# %%
runs = {name: study.zoo(name).take(slice(0, 30)) for name in ("mnist_seed", "tetris_seed")}
mapped = runs["tetris_seed"].take(slice(0, 20)).samples()
points = umap_map(mapped.weights.numpy(), dimensions=3)
located = mapped.table[["model", "epoch", "test_accuracy"]].assign(**dict(zip("xyz", points.T, strict=True)))
study.publish("ws-trajectories-umap", located);

# %%
still, axes = plt.subplots(1, 2, figsize=(8, 3.8), subplot_kw={"projection": "3d"})
models, epochs = located["model"].to_numpy(), located["epoch"].to_numpy()
one = models == models[0]
plots.trajectories(points, models, None, axes[0], "20 models, a colour for each")
plots.trajectories(points[one], models[one], epochs[one], axes[1], "one of them, enlarged")
movable(
    interactive.turning_trajectories(points, located), still, name="fig-ws-trajectories-umap",
    alt="Left: a map in three dimensions with 20 short, smooth curves that lie apart. Right: one of them enlarged; its "
    "points follow each other by epoch.",
    caption="UMAP of all checkpoints of 20 Tetris networks (15 neighbours, minimal distance 0.01, seed 42): one curve "
    "per training run. Drag to turn it. The still enlarges one.",
)

# %% [markdown]
# **Reading.** Every run is a strand of its own, and along a strand the epochs follow each other. UMAP is made to keep neighbours
# together and says little about distances between strands, so this is a picture and no proof. The distances have to show it.
#
# ## Do distances tell models and epochs?
#
# > In the tree of all checkpoints models part first, and inside each the epochs are in order; steps get shorter as training goes on.
# > — in our words, after {cite}`schuerholt2020investigation` (*seen* in the group's blog)
#
# We cluster the checkpoints by euclidean distance with average linkage (*our choice*; theirs is not known). Twelve models, every
# third epoch, so that it can be read:

# %% mystnb={"image": {"alt": "Dendrogram of checkpoints: twelve coloured branches, one per model, join only far above the height at which the epochs of a model join each other."}, "figure": {"name": "fig-ws-trajectories-dendrogram", "caption": "Tree of the checkpoints of 12 small CNNs (mnist_seed, every third epoch), average linkage. A branch has its model's colour as long as it is of one model, and is grey above."}}
few = runs["mnist_seed"].take(slice(0, 12))
weights = few.weights[:, ::3]
fig, ax = plt.subplots(figsize=(8, 3.2))
plots.tree(trajectories.checkpoint_tree(weights, "average"), few.models.repeat(weights.shape[1]), ax)
ax.set_ylabel("euclidean distance")
plt.show()

# %% [markdown]
# Now all thirty runs of both zoos and every epoch. How well the tree gives the models back says the *adjusted Rand index* of its cut
# at the number of models: 1 where every branch is a model, around 0 for chance. The order of a run is recovered from its
# distances alone, in two ways (by distance to the start, which is found as the checkpoint with the farthest neighbour, and along
# the path of nearest neighbours), and compared with the truth by Kendall's tau-b. These measures are *our choice*.

# %%
measured = {}
for name, zoo in runs.items():
    spread = trajectories.path_distances(zoo.weights).set_index("distances")["mean"]
    orders = {"radius": trajectories.order_by_radius, "path": trajectories.order_by_path}
    taus = {f"tau_{key}": trajectories.recovered_order(zoo.weights, order).mean() for key, order in orders.items()}
    rands = {f"rand_{key}": trajectories.recovered_models(zoo.weights, key) for key in trajectories.LINKAGES}
    steps = trajectories.step_lengths(zoo.weights)
    shrinking = float((steps[:, 1:] < steps[:, :-1]).double().mean())
    turn = float(trajectories.curvature(zoo.weights).rad2deg().nanmedian())
    measured[name] = {"models": len(zoo), **spread, **rands, **taus, "shrinking_steps": shrinking, "median_turn": turn}
recovered = pd.DataFrame(measured).T.rename_axis("zoo")
show_table(study.publish("ws-trajectories-dendrogram", recovered.reset_index(), "recovered"))

# %% mystnb={"image": {"alt": "Two panels over epochs for the zoos mnist_seed and tetris_seed: the length of a training step falls, to a seventh in mnist_seed and to two fifths in tetris_seed; the angle between consecutive steps first falls and then grows beyond 60 degrees in mnist_seed, and stays between 10 and 20 in tetris_seed."}, "figure": {"name": "fig-ws-steps", "caption": "Length of the step of each epoch (left, as a multiple of the model's first step) and the angle between it and the step before (right; 0 goes straight on, 90 turns off). Median over 30 models, bands from the 25th to the 75th and from the 5th to the 95th percentile."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 3))
for (name, zoo), colour in zip(runs.items(), style.PAIR, strict=True):
    steps, turns = trajectories.step_lengths(zoo.weights), trajectories.curvature(zoo.weights).rad2deg()
    for values, ax in ((steps / steps[:, :1], axes[0]), (turns, axes[1])):
        table = pd.DataFrame(values.numpy(), columns=zoo.epochs[-values.shape[1] :]).melt(var_name="epoch")
        plots.bands_over_epochs(table.infer_objects(), "value", ax, name, colour, percent=False)
axes[0].set_ylabel("step / first step")
axes[1].set_ylabel("angle in degrees")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# And the three heights that could be read off the published tree (by eye, to a fifth or so, in a picture whose network and
# training are not said). Ours are of `mnist_seed`: the mean height at which branches of several models join, and the mean length of the
# first and of the last step, at which neighbouring epochs of one model would join. **Not like for like**: a distance grows with the
# number of weights and with where they begin.

# %%
zoo = runs["mnist_seed"]
merges = trajectories.merge_heights(trajectories.checkpoint_tree(zoo.weights, "average"), len(zoo.epochs))
first_step, *_, last_step = trajectories.step_lengths(zoo.weights).mean(0).tolist()
heights = {
    "between-trajectory merge height, zoomed dendrogram": merges.loc[~merges["within"], "height"].mean(),
    "first-step merge height": first_step,
    "late-step merge height": last_step,
}
ours = pd.DataFrame({"metric": list(heights), "value": list(heights.values())})
tree_heights = study.beside_thesis("ws-trajectories-dendrogram", ours, on=["metric"])
study.publish("ws-trajectories-dendrogram", tree_heights)
show_table(tree_heights[["metric", "ours", "published", "source"]])

# %% [markdown]
# **Reading.** Both zoos give their models back without an error, with either linkage, and the order of the epochs of every run. The
# reason is simpler than it sounds: the seeds begin far from each other, for among so many directions random weights are nearly
# orthogonal, and training moves less far than that (the first exercise below takes this reason away). Steps do shrink, at `laptop` to
# a seventh in `mnist_seed` and to two fifths in `tetris_seed`, but not every single one is shorter than the one before. The
# curves are smooth: a step turns off by less than a right angle, in `mnist_seed` by more and more after the first few epochs, as
# the steps get short. Of the published heights that of the first step is near ours; our models lie twice as far apart, and our last
# steps are more than twice as long.

# %% [markdown]
# ## Does the entropy of the weights fall with training?
#
# > Weight entropy over epochs, for populations of CNNs, AlexNet and ResNet-18 on CIFAR-10: it falls with training.
# > — in our words, caption of Fig. 2.3.1 {cite}`thesis` (*seen*; no values are given)
#
# The caption names the empirical spectral density and no formula. Our working definition is the *matrix entropy* of
# {cite}`martin2021` (that the thesis means it is *inferred*): with singular values $s_i$ of a layer's matrix and
# $p_i = s_i^2 / \sum_j s_j^2$,
#
# $$H = -\sum_i p_i \ln p_i \;/\; \ln \mathrm{rank},$$
#
# which is 1 where all directions are equally strong and 0 where there is a single one. A kernel counts as a matrix with one row per
# output channel. The mean over layers, in which each counts the same, and the bands are *our choice*.

# %%
names = {
    "small CNN": "mnist_seed",
    "small CNN from U(0, 1)": "mnist_steps",
    "large CNN": "rgb_large",
    "wide MLP": "wide_small_batch",
    "MiniAlexNet": "alexnet",
}
populations = {kind: study.zoo(name).take(slice(0, 30)) for kind, name in names.items()}

# %%
grown = []
for kind, name in names.items():
    zoo, recipe = populations[kind], study.recipe(name)
    ends = {"epochs": int(zoo.epochs[-1]), "test_accuracy": zoo.samples(zoo.epochs[-1]).table["test_accuracy"].mean()}
    setting = zoo.design.iloc[0][["init", "activation", "optimizer", "lr", "weight_decay"]].to_dict()
    size = {"weights": zoo.architecture.num_weights, "models": len(zoo)}
    trained = {"images": recipe.images.load().name, "batch_size": recipe.batch_size}
    grown.append({"population": kind, "zoo": name} | size | trained | ends | setting)
show_table(study.publish("ws-entropy", pd.DataFrame(grown), "populations"))

# %%
entropies = {kind: spectral_training.entropy_over_training(zoo.samples()) for kind, zoo in populations.items()}
over_epochs = pd.concat([table.assign(population=kind) for kind, table in entropies.items()], ignore_index=True)
columns, values = ["population", "layer", "epoch"], ["matrix", "histogram", "stable_rank"]
moments = over_epochs.groupby(columns, sort=False)[values].agg(["mean", "std"])
moments.columns = [f"{value}_{moment}" for value, moment in moments.columns]
study.publish("ws-entropy", moments.reset_index());

# %% mystnb={"image": {"alt": "Five panels of matrix entropy over epochs, one per population. With weights that start around zero it begins above 0.9, and it falls in the large CNN, the wide MLP and the MiniAlexNet; in the small CNN it rises for some epochs before it falls; from positive weights it starts below one half and rises."}, "figure": {"name": "fig-ws-entropy", "caption": "Matrix entropy over training, mean over layers: median over models, bands from the 25th to the 75th and from the 5th to the 95th percentile. Five populations, each with an axis of its own. After Fig. 2.3.1 of the thesis, with other networks and images (table above)."}}
fig, axes = plt.subplots(2, 3, figsize=(8, 4.6))
axes[1, 2].remove()
for ax, (kind, table) in zip(axes.flat, entropies.items(), strict=False):
    plots.bands_over_epochs(table[table["layer"] == "mean"], "matrix", ax, kind, percent=False)
    ax.set_title(f"{kind}\n{len(populations[kind])} models", fontsize=9)
fig.supylabel("matrix entropy", fontsize=10)
plt.show()

# %% [markdown]
# The axes differ because the changes are small against the differences between populations. So we look at the change of every model
# since its own start, layer by layer:

# %% mystnb={"image": {"alt": "Five panels of the change of matrix entropy since the start, one line per layer with bands. In the small CNN fc1 falls while the last layer rises; in the large CNN and the wide MLP nearly all layers fall; from positive weights all but the first rise."}, "figure": {"name": "fig-ws-entropy-layers", "caption": "Change of the matrix entropy since the first checkpoint, per layer and for the mean over layers (dashed): mean over models, bands of one standard deviation."}}
fig, axes = plt.subplots(2, 3, figsize=(8, 5.8))
axes[1, 2].remove()
for ax, (kind, table) in zip(axes.flat, entropies.items(), strict=False):
    plots.lines_over_epochs(spectral_training.since_start(table, "matrix"), "matrix", ax, by="layer")
    ax.set_title(kind, fontsize=9)
    ax.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.22), columnspacing=1)
fig.supylabel("change of the matrix entropy", fontsize=10)
plt.show()

# %% [markdown]
# And in numbers, for both definitions. The *histogram entropy* is the other reading of "entropy of the spectral density": Shannon
# entropy of the histogram of eigenvalues, with as many bins of equal width as there are eigenvalues, divided by its largest value
# (*our choice*). A population *falls* or *rises* where nine of ten models do, and is *mixed* otherwise.

# %% tags=["output_scroll"]
definitions = ["matrix", "histogram"]
verdicts = [
    spectral_training.change_over_training(table, definition).assign(population=kind, definition=definition)
    for kind, table in entropies.items()
    for definition in definitions
]
changes = pd.concat(verdicts, ignore_index=True)
study.publish("ws-entropy", changes, "changes")
shown = ["population", "definition", "layer", "first", "last", "change", "std", "fell", "highest_at", "verdict"]
show_table(changes[shown])

# %%
overall = changes[changes["layer"] == "mean"].pivot(index="population", columns="definition", values="verdict")
show_table(overall.loc[list(names), definitions].reset_index())

# %% [markdown]
# **Reading.** At `laptop` the mean over layers falls in every model of the three larger populations: the large CNN, which is the
# architecture that the thesis's figure most likely shows (*inferred*), the wide MLP, and the MiniAlexNet, there by little and nearly
# all of it in two epochs (two models, which few images teach little). The small CNN is mixed: it rises for some epochs before it
# falls, and while `fc1` falls, the last layer rises. And from $U(0, 1)$, which is where the thesis's own grey-image seed zoos begin,
# the entropy *rises*: weights with mean $1/2$ and variance $1/12$ have three quarters of their power in one direction, so their
# entropy begins low, and training spreads it. So in our runs the claim is one about networks that start around zero and have some
# width; "training lowers entropy" without these words is wrong.
#
# How far it falls is a matter of how training goes. The CIFAR-10 zoos of the thesis were trained with a weight decay of 0.01
# (*seen* in the code that made them), ours here with none; the second exercise below tries what that does, and with it even a
# small network's entropy falls. Batch size does much, too (next section).
#
# The two definitions disagree in many layers, for a histogram of 4 to 20 eigenvalues is mostly chance. Absolute numbers belong to
# shapes: of two random matrices the squarer one has the lower entropy.
#
# ## Do small batches make heavy tails?
#
# > MiniAlexNets trained at several batch sizes pass through phases: random-like spectra, a bulk with spikes, heavy tails.
# > — in our words, after {cite}`schuerholt2024sane` (Fig. 7, *seen*) and {cite}`martin2021`; that chapter 2 shows it is *inferred*
#
# The eigenvalues of $X = W^\top W / N$ of independent weights with variance $\sigma^2$ fill the interval
# $\sigma^2 (1 \pm \sqrt{M/N})^2$, with the density of Marchenko and Pastur ($N$ is the larger side of $W$, $M$ the smaller one).
# What stands outside was put there by training. We train the wide MLP (784-256-256-10, *our choice*: a small CNN has 4 to 20
# eigenvalues per layer, too few for a density) at three batch sizes and the same learning rate, and look at its first layer.

# %%
batches = {name: study.zoo(name) for name in ("wide_small_batch", "wide_middle_batch", "wide_large_batch")}
sizes = {name: study.recipe(name).batch_size for name in batches}
last = int(batches["wide_small_batch"].epochs[-1])
stages = {"start": 0, "middle": last // 2, "end": last}
reached = ["train_accuracy_clean", "test_accuracy"]
ends = {size: batches[name].samples(last).table[reached].mean() for name, size in sizes.items()}
show_table(pd.DataFrame(ends).T.rename_axis("batch").reset_index())

# %% mystnb={"image": {"alt": "Nine histograms of eigenvalues of the first layer on logarithmic axes: rows are batch sizes, columns start, middle and end of training, each with the Marchenko-Pastur density. At the start all follow the law; at the end the large batch still does, the middle one has a frayed edge, and the small one a long tail."}, "figure": {"name": "fig-ws-esd-phases", "caption": "Eigenvalues of the first layer (256 per model, all models together) of the wide MLP at three batch sizes, at start, middle and end of training. Grey: the Marchenko-Pastur density of independent weights with the same variance; dotted: its upper edge. Both axes are logarithmic."}}
fig, axes = plt.subplots(3, 3, figsize=(8, 6.8), sharex=True, sharey=True)
for row, (name, zoo) in zip(axes, batches.items(), strict=True):
    for ax, (stage, epoch) in zip(row, stages.items(), strict=True):
        samples = zoo.samples(epoch)
        values = spectral_training.eigenvalues_of(samples, "fc1")["eigenvalue"].to_numpy()
        law = spectral_training.random_law(samples, "fc1")
        plots.spectrum_against(values, law, ax, f"batch {sizes[name]}, {stage} (epoch {epoch})")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
fig.supxlabel("eigenvalue of $W^\\top W / N$", fontsize=10)
fig.supylabel("density", fontsize=10)
plt.show()

# %% [markdown]
# Per layer: the share of eigenvalues outside of the law, the largest one in units of the law's edge, the entropy, and the exponent
# $\alpha$ of a power law {cite}`clauset2009`, the smaller the heavier the tail. Means over the models. An exponent needs 50
# eigenvalues; where there are fewer, the library refuses and says why.

# %%
compared = [
    spectral_training.against_random(zoo.samples(list(stages.values())), layer).assign(batch=sizes[name])
    for name, zoo in batches.items()
    for layer in ("fc1", "fc2", "fc3")
]
against = pd.concat(compared, ignore_index=True)
study.publish("ws-esd-phases", against)
measures = ["outside", "largest", "entropy", "alpha", "tail", "ks"]
means = against.groupby(["layer", "epoch", "batch"])[measures].mean().reset_index()
for reason, rows in against[against["refused"] != ""].groupby("refused"):
    print(f"{', '.join(rows['layer'].unique())}: {reason}")
show_table(means)

# %% [markdown]
# An epoch of small batches has more steps, though, so that a small batch is also a longer training. The same rows again where two
# runs have made (nearly) as many *steps*: each batch size at its end beside the next smaller one at the epoch that comes nearest.

# %%
images = study.recipe("wide_small_batch").images.load()
steps = {name: -(-len(images.train_x) // size) for name, size in sizes.items()}
rows = []
for smaller, larger in zip(list(batches)[:-1], list(batches)[1:], strict=True):
    nearest = max(1, round(last * steps[larger] / steps[smaller]))
    for name, epoch in ((smaller, nearest), (larger, last)):
        one = [spectral_training.against_random(batches[name].samples(epoch), layer) for layer in ("fc1", "fc2")]
        rows.append(pd.concat(one).assign(pair=f"{sizes[smaller]}, {sizes[larger]}", batch=sizes[name], steps=epoch * steps[name]))
equal = pd.concat(rows, ignore_index=True)
study.publish("ws-esd-phases", equal, "equal_steps")
show_table(equal.groupby(["pair", "layer", "batch", "steps"], sort=False)[measures].mean().reset_index())

# %% [markdown]
# **Reading.** At the start all spectra end where the law says. At `laptop` three phases follow. With the large batch nothing leaves
# the law, though the networks fit their training images as well as the others; with the middle one the edge frays and a few values go
# beyond it; with the small one the edge dissolves into a tail that reaches three to four times as far, and the law, drawn with the
# whole variance, no longer fits the bulk either. The exponent of that tail lies between 2 and 4, where {cite}`martin2021` find
# well-trained large networks; one of 6 and more says that there is no heavy tail, and its value means little (few eigenvalues in the
# tail, a large distance `ks`). A phase of clear spikes beside an intact bulk we do not see as one of its own.
#
# Part of this is length of training, and not all: at equal numbers of steps the smaller batch still has the heavier tail, by far
# between the small and the middle one. Between the middle and the large one there is hardly a tail to compare: one or two of the
# first layer's 256 values beyond the law against none, and exponents that mean little. Learning rate and batch size act together
# here: with a rate four times as high, the middle batch ends where the small one does here (tried on one seed, not shown), so the
# batch sizes at which the phases show are those of one learning rate.

# %% [markdown]
# ## Exercises
#
# ```{exercise} Runs that begin together
# :label: ex-same-start
# Train Tetris networks with *fixed* seeds at two learning rates, so that every seed begins twice as the same network. Cut the tree of
# all checkpoints at the number of seeds and at the number of models. Which of the two does it give back?
# ```
#
# ```{solution-start} ex-same-start
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

design = hyperlib.grid(seeds=8, seed_mode="fix", lr=[1e-3, 3e-3])
zoo = hyperlib.train_population(
    hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), design, epochs=30, progress=False
)
tree = linkage(zoo.weights.flatten(0, 1).numpy(), "average")
by_seed = adjusted_rand_score(zoo.table["seed"], fcluster(tree, 8, "maxclust"))
by_model = adjusted_rand_score(zoo.table["model"], fcluster(tree, 16, "maxclust"))
assert by_seed == 1 and by_model < 0.9
by_seed, by_model

# %% [markdown]
# The tree knows the beginnings: it gives all seeds back and mixes up the models that share one. That runs keep apart says first
# of all that initial weights are far from each other, in a space with many directions, and that training moves less far than that.
# ```{solution-end}
# ```
#
# ```{exercise} What pulls the entropy down?
# :label: ex-weight-decay
# Train the same digits networks with and without weight decay, and compare how the matrix entropy changes. In which layers does
# it make a difference, and what does it do to the accuracy?
# ```
#
# ```{solution-start} ex-weight-decay
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib
from hyperlib.tasks.spectral_training import change_over_training, entropy_over_training

design = hyperlib.grid(seeds=8, seed_mode="fix", weight_decay=[0.0, 1e-2], lr=1e-2)
zoo = hyperlib.train_population(hyperlib.digits_cnn(), hyperlib.load_images("digits"), design, epochs=20, progress=False)
change = {}
for decay in (0.0, 1e-2):
    half = zoo.take((zoo.design["weight_decay"] == decay).to_numpy())
    change[decay] = change_over_training(entropy_over_training(half.samples()), "matrix").set_index("layer")
    print(decay, half.samples(20).table["test_accuracy"].mean(), change[decay]["change"].round(3).to_dict())
assert change[1e-2].loc["mean", "verdict"] == "falls" and change[0.0].loc["mean", "verdict"] != "falls"

# %% [markdown]
# Without weight decay the layers go different ways and the mean stays where it was; with it every layer but the first falls, and so
# does the mean in all models, at the same accuracy. Decay takes away what the loss doesn't hold, and the loss holds few directions.
# (It is the decay of plain Adam, which is added to the gradient.)
# ```{solution-end}
# ```
#
# ```{exercise} A spectrum without its order
# :label: ex-shuffled-layer
# Plant one strong direction in a random matrix, as training does, and then shuffle all entries of the matrix. Which of these
# change: the variance, the largest eigenvalue, the matrix entropy? Why is the shuffled matrix a good control?
# ```
#
# ```{solution-start} ex-shuffled-layer
# :class: dropdown
# ```

# %% tags=["solution"]
import torch
from hyperlib import Layout
from hyperlib.weightspace.spectra import spectra
from hyperlib.weightspace.spectral_laws import MarchenkoPastur

random = torch.Generator().manual_seed(0)
left, right = (torch.randn(side, generator=random) for side in (200, 600))
trained = torch.randn(200, 600, generator=random) + 0.2 * torch.outer(left, right)
shuffled = trained.flatten()[torch.randperm(trained.numel(), generator=random)]
both = torch.stack([trained.flatten(), shuffled])
(spectrum,) = spectra(both, Layout.of_shapes({"layer.weight": (200, 600)}))
law = MarchenkoPastur(float(spectrum.variance[0]), spectrum.aspect)
largest = spectrum.eigenvalues[:, 0] / law.high
assert torch.isclose(*spectrum.variance) and largest[0] > 3 and abs(largest[1] - 1) < 0.1
assert spectrum.entropy()[0] < spectrum.entropy()[1]

# %% [markdown]
# The variance stays, and with it the law; the planted direction is gone, so the largest eigenvalue falls to the edge and the entropy
# rises to that of a random matrix. A shuffled layer has the same weights, heavy or not, without their structure: it
# tells a tail that comes from a few large weights from one that comes from directions.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Every row is computed from the tables above. *Seen* means that we read the claim in the source named; *ours* are questions that
# no source asks.

# %% tags=["hide-input"]
def line(claim, source, where, measured, held):
    """A row of the scorecard: whose claim, asked of which zoo, what was measured, and whether it holds."""
    verdict = "held" if held else "not held"
    return {"claim": claim, "source": source, "where": where, "measured": measured, "verdict": verdict}


# %% tags=["hide-input"]
rows, blog = [], "seen (blog on 2006.10424)"
for name, one in recovered.iterrows():
    rand, apart = f"adjusted Rand index {one['rand_average']:.2f}", f"{one['between']:.1f} against {one['within']:.1f}"
    order, shrink = f"tau-b {one['tau_radius']:.2f}, {one['tau_path']:.2f}", f"{one['shrinking_steps']:.0%} of the steps"
    rows += [
        line("models part before epochs in the tree", blog, name, rand, one["rand_average"] == 1),
        line("runs are farther apart than they are long (mean)", blog, name, apart, one["between"] > one["within"]),
        line("distances give the order of epochs (tau-b > 0.9)", blog, name, order, one[["tau_radius", "tau_path"]].min() > 0.9),
        line("curves are smooth (median turn < 90)", blog, name, f"{one['median_turn']:.0f} degrees", one["median_turn"] < 90),
        line("every step is shorter than the one before", blog, name, shrink, one["shrinking_steps"] == 1),
    ]

# %% tags=["hide-input"]
for _, one in tree_heights.dropna(subset=["difference"]).iterrows():
    values = f"{one['ours']:.2f} against {one['published']:.2f}"
    close = abs(one["difference"]) <= 0.2 * one["published"]
    rows.append(line(f"{one['metric']} (within a fifth)", "digitised by eye", "mnist_seed", values, close))
for definition in definitions:
    for _, one in changes[(changes["layer"] == "mean") & (changes["definition"] == definition)].iterrows():
        measured = f"{one['first']:.3f} to {one['last']:.3f}, falls in {one['fell']:.0%}"
        source = "seen (Fig. 2.3.1)" if definition == "matrix" else "ours (other definition)"
        rows.append(line(f"{definition} entropy falls", source, one["population"], measured, one["verdict"] == "falls"))

# %% tags=["hide-input"]
finals = means[means["epoch"] == last].pivot(index="layer", columns="batch", values="alpha").dropna()
for layer, alphas in finals.iterrows():
    measured = ", ".join(f"{alpha:.1f}" for alpha in alphas)
    rows.append(line("smaller batch, heavier tail (exponents)", "seen (SANE, MiniAlexNet)", layer, measured, alphas.is_monotonic_increasing))
for (pair, layer), one in equal.groupby(["pair", "layer"], sort=False):
    smaller, larger = one.groupby("batch")["outside"].mean()
    beyond = f"{smaller:.1%}, {larger:.1%} of the values"
    rows.append(line("so too at equal steps (beyond the law)", "ours", f"{layer}, batch {pair}", beyond, smaller > larger))
start = against[against["epoch"] == 0]
rows.append(line("random at the start", "ours", "all layers", f"{start['outside'].max():.3f} outside", not start["outside"].any()))
show_table(study.publish("disc-scorecard", pd.DataFrame(rows), "02a"))
