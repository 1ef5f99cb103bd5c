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
# # What does an auto-encoder of networks learn?
#
# **Overview**
#
# - A *hyper-representation* is what an auto-encoder makes of weight vectors when it has to do two things: tell two views of one network
#   from all other networks, and write the weights out again. Nobody tells it how good a network is.
# - We train one, look at it beside raw weights and layer statistics, and take it apart: which views, which encoder, how many latents,
#   and which of our own choices matter.
# - We ask what reconstruction is worth: do networks that come out still do what they did?
#
# Which properties can be read off it, and against which baselines, is the [next page](04b_model_properties).

# %% tags=["parameters"]
profile = "laptop"

# %%
import matplotlib.pyplot as plt
import pandas as pd

import hyperlib
from hyperlib.figures import interactive, plots, style
from hyperlib.figures.movable import movable
from hyperlib.figures.tables import show_table
from hyperlib.representations.maps import pick_rows, umap_map
from hyperlib.study.representations import representation, representations
from hyperlib.tasks.reconstruction import reconstruction_table
from hyperlib.thesis import published
from hyperlib.thesis.book_representations import names

study = hyperlib.Study(profile)

# %% [markdown]
# ## Which networks does chapter 4 learn from?
#
# > Zoos that vary the seed alone, and zoos that vary hyper-parameters, of networks from 100 to 4,970 weights.
# > — in our words, after {cite}`schuerholt2021self` and the thesis's list of zoos (the table's layout is *inferred*)

# %% tags=["output_scroll"]
zoos = published.zoos()
thesis_zoos = zoos[zoos["chapter"] == 4][["id", "dataset", "architecture", "weights", "models", "epochs", "varied", "confidence"]]
study.publish("hr-zoo-overview", thesis_zoos)
show_table(thesis_zoos.drop(columns="varied"), precision=2)

# %% [markdown]
# And ours, most of them smaller; what is our choice stands in the last column of the table in `book/results`:

# %%
ours = ["tetris_seed", "tetris_hyp", "digits_seed", "mnist_seed", *(f"digits_{n}_{m}" for n in (1, 5) for m in ("fix", "rand")), "mnist_drawn"]
recipes = {name: study.recipe(name) for name in ours}
grown = pd.DataFrame(
    {"zoo": name, "images": recipe.images.name, "weights": recipe.architecture.num_weights, "models": len(recipe.design),
     "epochs": recipe.epochs, "checkpoints used": min(16, recipe.epochs + 1), "choices": recipe.choices}
    for name, recipe in recipes.items()
)
study.publish("hr-zoo-overview", grown, "grown")
show_table(grown.drop(columns="choices"))

# %% [markdown]
# **Reading.** Seed zoos ask what can be read off networks that differ by chance alone; the others mix in how a network was made. Every
# zoo is divided 70/15/15 by model, and 16 evenly spaced epochs of each model are used (*our choice*).
#
# ## How is a network read?
#
# > A neuron's incoming weights and its bias are one token; a transformer reads the tokens of a network, and a bottleneck keeps a few numbers.
# > — in our words, after {cite}`schuerholt2021self`
#
# The mathematics in two lines. The encoder $g$ makes latents $z = g(w)$, the decoder $h$ writes weights again, and a head $p$, which is thrown away
# after training, gives $\bar z = p(z)$ for the contrast. With two views $i, j$ of each network and temperature $\tau$,
#
# $$\mathcal{L} = \gamma\, \mathcal{L}_c + (1 - \gamma)\, \mathcal{L}_{rec}, \qquad \mathcal{L}_{rec} = \frac{1}{N} \lVert h(g(w)) - w \rVert^2,$$
#
# $$\mathcal{L}_c = -\log \frac{\exp(\cos(\bar z_i, \bar z_j)/\tau)}{\sum_{k \ne i} \exp(\cos(\bar z_i, \bar z_k)/\tau)} .$$
#
# A *view* is the network with its hidden units in another order, with noise, or with a block of weights erased. The thesis's encoder puts a learned
# *summary token* (its "compression token") before the others and keeps a linear map and tanh of that token's output: these latents are the
# embedding. Ours is *pooled*: every unit's token keeps a few latents for the decoder, and the embedding, which probes and the contrast see, is
# mean and deviation of the encoder's outputs over the units of each layer. Beside its row, a token reads mean, deviation and log size of the unit's
# weights and of its bias (*statistics of rows*, hand-made; both are *our choice*). In code:

# %%
network = hyperlib.tetris_mlp()
tokens = hyperlib.Tokenizer(network.layout)
train, val, test = study.parts("tetris_seed")
print(f"{network.num_weights} weights are {tokens.shape[0]} tokens of up to {tokens.shape[1]}, {int(tokens.mask.sum())} cells of them real")
print(f"{len(train)} training, {len(val)} validation and {len(test)} test checkpoints")
small = hyperlib.HyperRep(network, latent=12, augment=hyperlib.Augment(permute="orbit"), steps=60, seed=0)
small.fit(train, groups=train.table["model"], validation=val)
show_table(small.history_.iloc[[0, 9, 19]])

# %% [markdown]
# **Reading.** `fit`, `embed` and `decode` are all there is; the contract is scikit-learn's, and `groups` says which checkpoints are of one
# model. The book's own representations train longer:

# %%
rep = representation(study, "tetris_seed")
own = [name for name, value in rep.get_params(deep=False).items() if name in ("latent", "width", "depth", "heads", "mix", "per_model", "steps", "batch_size", "rate")]
print(", ".join(f"{name} {getattr(rep, name)}" for name in own))
print(f"a network of {network.num_weights} weights: {rep.latents_} latents, an embedding of {rep.dimensions_} numbers")

# %% mystnb={"image": {"alt": "Two panels of loss over steps on logarithmic axes, contrast and reconstruction, for the book's Tetris representation: training and validation fall together, validation a little above."}, "figure": {"name": "fig-hr-losses", "caption": "Losses while the book's Tetris representation trains: contrast (nats) and reconstruction (squared error in units of each layer's variance). Thin: training, thick: validation models."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
plots.learning_curves({"tetris_seed": rep.history_}, axes)
plt.show()

# %% [markdown]
# ## What does it look like?
#
# > Weights, layer statistics and embeddings side by side, coloured by accuracy, epoch and gap.
# > — in our words (*recalled* as a type of figure)
#
# UMAP {cite}`mcinnes2018` of test checkpoints (settings as in chapter 3), three ways to see the same networks:

# %%
shown = pick_rows(test, 1200)
features = {"raw weights W": hyperlib.RawWeights().fit(train), "statistics s(W)": hyperlib.LayerStatistics().fit(train), "embedding": rep}
maps = {name: umap_map(feature.embed(shown)) for name, feature in features.items()}
located = shown.table[["model", "epoch", "test_accuracy", "gap"]].copy()
for short, points in zip(("W", "sW", "embedding"), maps.values(), strict=True):
    located[[f"{short}_x", f"{short}_y"]] = points
study.publish("hr-tetris-umap", located);

# %%
still, axes = plt.subplots(2, 3, figsize=(8, 5))
for column, (name, points) in enumerate(maps.items()):
    plots.map_points(points, 100 * shown.table["test_accuracy"].to_numpy(), axes[0, column], name, "test accuracy in %")
    plots.map_points(points, shown.table["epoch"].to_numpy(), axes[1, column], "", "epoch")
movable(
    interactive.latent_map(maps, shown.table, {"test_accuracy": "test accuracy", "epoch": "epoch", "gap": "generalization gap"}),
    still, name="fig-hr-umap",
    alt="Six scatter plots: UMAP of raw weights, layer statistics and embeddings of the same networks, coloured by accuracy "
    "above and by epoch below. Raw weights are separate islands; statistics and embeddings are connected and ordered by progress.",
    caption="UMAP of test checkpoints of tetris_seed, from raw weights, layer statistics and the embedding. Menus choose map and "
    "colour; hover over a point to see which model and epoch it is.",
)

# %% [markdown]
# **Reading.** Raw weights fall apart into models. Statistics and embedding order all networks along training, across models. A map is no
# measurement; the tables below are.
#
# ## Which views help?
#
# > The augmentations and the mix of the losses decide what an embedding knows.
# > — in our words, after the ablation grid of {cite}`schuerholt2021self` (grid *seen*, layout *recalled*; its numbers were not found)
#
# Thirteen of the 48 published combinations, one seed and the same number of steps for every row (nine passes over the checkpoints; published are
# 990, which the `paper` recipes have and nobody has run yet), so that **differences of one or two hundredths are noise**. The encoder is the thesis's in
# kind (summary token, tanh, 50 latents) and small (width 64). Two departures from the released code: the target is the clean network, so that erasing
# is a task of denoising here, and noise and erasing act on weights that were standardised per layer.
#
# Names of rows: `perm` or `fixed` order of units, `noise` or `clean` weights, a block of the vector `erase`d or the `whole` of it.
# Scores are $R^2$ of the published linear probe on test models; `rebuilt` is the $R^2$ of
# the weights themselves. `positive_released` is the loss as the released code computes it, which makes positives orthogonal;
# `positive_intended` pulls them together.

# %%
targets = ["test_accuracy", "epoch", "gap"]
tetris_images = study.recipe("tetris_seed").images.load()


def ablation(family):
    """Train all recipes of a family, and probe and rebuild with each of them."""
    wanted = names(family)
    reps = dict(zip(wanted, representations(study, [(name, 0) for name in wanted]), strict=True))
    scores = hyperlib.probe_table(reps, train, val, test, columns=targets).pivot(index="features", columns="target", values="value")
    rebuilt = reconstruction_table(reps.values(), train, test, tetris_images).assign(features=wanted).set_index("features")
    about = pd.DataFrame({"features": wanted, "dimensions": [r.dimensions_ for r in reps.values()], "steps": [r.steps for r in reps.values()]})
    table = about.set_index("features").join(scores[targets]).join(rebuilt[["latents", "r2", "agreement"]].rename(columns={"r2": "rebuilt"}))
    return reps, table.loc[wanted].reset_index()


# %% tags=["output_scroll"]
augment_reps, augmented = ablation("augment")
study.publish("hr-tetris-ablation-augment", augmented)
show_table(augmented.assign(features=augmented["features"].str.removeprefix("augment_")))

# %% mystnb={"image": {"alt": "Loss over steps for thirteen augmentation settings, contrast on the left and reconstruction on the right; contrast is lowest without permutation, and reconstruction where it is trained alone or with the released positive loss."}, "figure": {"name": "fig-hr-ablation-losses", "caption": "Learning curves of the augmentation runs (thin: training, thick: validation)."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 4))
plots.learning_curves({name.removeprefix("augment_"): one.history_ for name, one in augment_reps.items()}, axes)
fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
plt.show()

# %% [markdown]
# **Reading.** At `laptop`, permuted views help accuracy and epoch (means over four rows: .885 against .862 on accuracy), above all where blocks are
# erased. Noise helps by a hundredth or two, erasing costs more than that; without the released target it is no free lunch. Both losses
# together are best on accuracy and epoch by little; contrast alone cannot rebuild anything, of course, and reconstruction alone rebuilds four times
# as well and knows nearly as much. Positives without negatives are the worst row. The released positive loss leaves reconstruction nearly
# as it is without any contrast (its scale is a division by twice the batch), while the intended one costs reconstruction and gains nothing here.
# At `quick` all rows are hardly trained and close together.
#
# ## Which encoder helps?
#
# > Feed-forward, attention over single weights, attention over neurons; with and without compression token.
# > — in our words, after {cite}`schuerholt2021self` (five rows *seen*, their names FF, Att_W, Att_W+, Att_N, Att_N+ *recalled*)
#
# Here without pooling and without statistics of rows (what else is ours stays: standardised layers, small positions, several epochs per model in a
# batch), at about the same *time* per row. Attention over 100 single weights costs ten times as much per step as over 9 neurons and gets as many
# fewer: eighty steps are less than one pass over the checkpoints, so its rows say what this budget gives, not what the encoder can do.

# %%
_, encoders = ablation("arch")
thesis_names = {"dense": "FF", "weight": "Att_W", "weight_summary": "Att_W+", "neuron": "Att_N", "neuron_summary": "Att_N+"}
encoders.insert(1, "thesis", [thesis_names[name.removeprefix("arch_")] for name in encoders["features"]])
show_table(study.publish("hr-tetris-ablation-arch", encoders))

# %% [markdown]
# **Reading.** At this budget the flat vectors fare worst: feed-forward on the vector, and attention whose outputs are put side by side (Att_N, without a
# compression token), where the read-out has to learn every order of units. With a compression token neurons reach the level of the best rows.
# The rows of single weights have seen less than one pass, so that what they know is nearly all architecture, and it is as much as
# eight hundred steps give the neurons. That "neurons beat single weights" we cannot confirm; that they cost a tenth, we can.
#
# ## How far can weights be compressed?
#
# > 50, 33 and 20 latents, crossed with contrast alone, both losses, and reconstruction alone.
# > — in our words, after {cite}`schuerholt2021self` (*seen*; numbers not found)

# %%
_, compressed = ablation("compression")
compressed[["latent", "mix"]] = compressed["features"].str.extract(r"compression_(\d+)_(\d+)").to_numpy()
compressed["mix"] = compressed["mix"].map({"10": "contrast", "05": "both", "00": "reconstruction"})
show_table(study.publish("hr-tetris-ablation-compression", compressed).drop(columns=["features", "dimensions", "latents"]))

# %% [markdown]
# **Reading.** Fifty, 33 or 20 latents make little difference to what a probe reads (a hundredth or so with a contrast; two with reconstruction alone), and
# more to what can be rebuilt, if it is reconstruction alone that is trained. With both losses the summary token keeps hardly any weight apart:
# rebuilt weights explain a sixth of the variance at every size. These are properties without weights.
#
# ## What do our own choices do?
#
# Our configuration is not the thesis's. Each row changes one thing (`erasing_and_view_as_target` two: compare it with `erasing`). The last row is the
# thesis's own configuration (summary token, tanh, erased views as targets, width 256, batches of 500), for some minutes and at a higher
# learning rate than published. It was made for a training that is a hundred times as long, and is listed to show that gap, not to judge it.

# %%
_, parts = ablation("ours")
released = representation(study, "released")
as_released = hyperlib.probe_table({"released": released}, train, val, test, columns=targets).set_index("target")["value"]
last = {"features": "released", "dimensions": released.dimensions_, "steps": released.steps, **as_released[targets]}
rebuilt = reconstruction_table([released], train, test, tetris_images).iloc[0]
last |= {"latents": rebuilt["latents"], "rebuilt": rebuilt["r2"], "agreement": rebuilt["agreement"]}
parts = pd.concat([parts, pd.DataFrame([last])], ignore_index=True)
show_table(study.publish("hr-tetris-baselines", parts, "choices"))

# %% [markdown]
# **Reading.** At `laptop` our set-up as it is stands above each of its variations on accuracy, by hundredths that one seed cannot secure:
# statistics of rows, several epochs per model in a batch, and small positions give about one each. On the gap the order is another one. Where the read-out
# is a summary token the probe loses little, and reconstruction everything: a few hundred latents would be needed where one token has 95 in all, while
# latents that stay with their unit rebuild weights almost completely. Erasing, with either target, costs accuracy and helps the gap.
#
# The thesis's own configuration has seen nine passes over the checkpoints, where it was made for 990, and is far from done. Its row says that our
# budget is too small for it, and nothing else.
#
# ## Do reconstructed networks still work?
#
# The next chapter makes networks out of latents, so what comes out has to work. Error of the weights and agreement of the answers are two
# things: `agreement` is the share of test images that a network and its reconstruction put into the same class, `chance` the same
# against another network's reconstruction. Mostly reconstruction is trained here ($\gamma = 0.02$), by one block on each side and with more and more latents per token.

# %%
curves = []
for zoo in ("tetris_seed", "digits_seed", "mnist_seed"):
    wanted = [name for name in names("rebuild") if zoo in name]
    reps = representations(study, [(name, 0) for name in wanted])
    zoo_train, _, zoo_test = study.parts(zoo)
    images = study.recipe(zoo).images.load().subset(test=300)
    curves.append(reconstruction_table(reps, zoo_train, zoo_test, images).assign(zoo=zoo, latent=[one.latent for one in reps]))
curve = pd.concat(curves, ignore_index=True)[["zoo", "latent", *curves[0].columns.drop(["zoo", "latent"])]]
show_table(study.publish("ghr-lwln-accuracy", curve, "agreement"))

# %% mystnb={"image": {"alt": "Agreement of labels over the share of latents in the number of weights for three zoos; agreement rises with the latents, highest for the Tetris networks, lowest for the small CNN."}, "figure": {"name": "fig-hr-agreement", "caption": "Agreement of a network and its reconstruction over the latents' share of its weights, on test models. Dashed: agreement with the reconstruction of another network."}}
fig, ax = plt.subplots(figsize=(6, 3.2))
for (zoo, table), colour in zip(curve.groupby("zoo", sort=False), style.CYCLE, strict=False):
    ax.plot(table["share"], table["agreement"], color=colour, marker="o", label=zoo)
    ax.plot(table["share"], table["chance"], color=colour, linestyle="--", linewidth=1)
ax.set(xlabel="latents / weights", ylabel="agreement", ylim=(0, 1))
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# **Reading.** At `laptop` nine of ten labels survive on Tetris with 95 latents for 100 weights, which is a small squeeze: its output layer's rows of 5 are not
# squeezed at all. With 80 latents it is eight of ten, with 60 less. For the small CNN 1,642 latents for 2,464 weights keep 86 %, 1,350 still 74 %, after half
# a minute of training; the digits networks need nearly all their numbers for 72 %. `chance` is high because trained networks of one zoo agree with each
# other; what counts is the distance between the two lines, and it is small for digits. An $R^2$ of .95 of the weights is not enough for a network to
# behave as it did: errors that are small everywhere add up.
#
# ## Exercises
#
# ```{exercise} A loss that pushes positives apart
# :label: ex-positive-released
# The released "positive" loss is the mean of $(\cos/\tau)^2$, divided by twice the batch, with target 0. Let two vectors follow its
# gradient from a cosine of 0.5. Where do they go? And where do they go with the loss that is meant?
# ```
#
# ```{solution-start} ex-positive-released
# :class: dropdown
# ```

# %% tags=["solution"]
import torch
from hyperlib.representations.losses import CONTRASTS

ends = {}
for name in ("positive_released", "positive_intended"):
    angles = torch.tensor([0.0, torch.pi / 3]).requires_grad_()  # a cosine of one half
    for _ in range(400):
        first, second = torch.stack([angles.cos(), angles.sin()], 1)[:, None]
        (gradient,) = torch.autograd.grad(CONTRASTS[name](first, second, 0.1), angles)
        with torch.no_grad():
            angles -= 0.005 * gradient.clamp(-20, 20)
    ends[name] = float(torch.cos(angles[0] - angles[1]).detach())
assert abs(ends["positive_released"]) < 0.05 and ends["positive_intended"] > 0.9
ends

# %% [markdown]
# The square is smallest at a cosine of 0, so the released loss makes the two views of a network *orthogonal*; with the intended
# one they meet.
# ```{solution-end}
# ```
#
# ```{exercise} What is architecture?
# :label: ex-untrained
# Take an *untrained* representation (`steps=0`) of a Tetris zoo and read the accuracy off its embedding with the linear probe. Compare with
# raw weights. Where does the difference come from, when nothing was learned?
# ```
#
# ```{solution-start} ex-untrained
# :class: dropdown
# ```

# %% tags=["solution"]
import hyperlib

design = hyperlib.grid(seeds=120, lr=3e-3)
zoo = hyperlib.train_population(hyperlib.tetris_mlp(), hyperlib.load_images("tetris"), design, epochs=10, progress=False)
pieces = [part.spread(6) for part in zoo.split()]
both = {"W": hyperlib.RawWeights(), "untrained": hyperlib.HyperRep(zoo.architecture, steps=0)}
scores = hyperlib.probe_table(both, *pieces, columns=["test_accuracy"]).set_index("features")["value"]
assert scores["untrained"] > scores["W"] + 0.3
scores

# %% [markdown]
# Mean and deviation over units forget which token gave what, and sizes of weights and biases survive in them. (They are not invariant: tokens have
# positions, and the rows of the next layer are read in the order as it comes. Training has to take that away.) That much is architecture, and it
# has to be told apart from what training adds.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Every row is computed from the tables above: one seed, one split, so a difference of less than two hundredths is *undecided*
# (*our choice*).

# %% tags=["hide-input"]
def verdict(first, second, margin=0.02):
    """Whether the first score is higher by more than noise."""
    return "undecided" if abs(first - second) < margin else ("held" if first > second else "reversed")


def average(table, mask, column):
    return float(table.loc[mask, column].mean())


# %% tags=["hide-input"]
rows, name_of = [], augmented["features"]
perm, erase, noise = (name_of.str.contains(word) for word in ("_perm_", "_erase", "_noise_"))
grid = name_of.str.contains("_perm_|_fixed_")
for words, mask in (("permuted views help", perm), ("noise helps", noise), ("erasing helps", erase)):
    for target in targets:
        with_it, without = average(augmented, grid & mask, target), average(augmented, grid & ~mask, target)
        rows.append({"claim": words, "source": "2021 (inferred)", "target": target, "measured": f"{with_it:.3f} against {without:.3f}", "verdict": verdict(with_it, without)})

# %% tags=["hide-input"]
by_name = pd.concat([augmented, encoders, parts]).drop_duplicates("features").set_index("features")
pairs = [("both losses beat reconstruction alone", "augment_perm_clean_whole", "augment_reconstruction_only", "2021 (inferred)"),
         ("both losses beat contrast alone", "augment_perm_clean_whole", "augment_contrast_only", "2021 (inferred)"),
         ("the intended positive loss beats the released one", "augment_positive_intended", "augment_positive_released", "ours"),
         ("neurons beat single weights", "arch_neuron", "arch_weight", "2021 (inferred)"),
         ("attention over neurons beats feed-forward", "arch_neuron", "arch_dense", "2021 (inferred)"),
         ("a compression token helps", "arch_neuron_summary", "arch_neuron", "2021 (inferred)"),
         ("pooling beats a compression token", "ours_without_statistics", "ours_summary_without_statistics", "ours"),
         ("statistics of rows help", "ours_as_is", "ours_without_statistics", "ours")]

# %% tags=["hide-input"]
for words, first, second, source in pairs:
    for target in targets:
        one, other = by_name.loc[first, target], by_name.loc[second, target]
        rows.append({"claim": words, "source": source, "target": target, "measured": f"{one:.3f} against {other:.3f}", "verdict": verdict(one, other)})
for zoo, table in curve.groupby("zoo", sort=False):
    best = table[table["share"] < 1]["agreement"].max()
    rows.append({"claim": "agreement of 0.9 with fewer latents than weights", "source": "ours", "target": zoo, "measured": f"{best:.3f}", "verdict": "held" if best >= 0.9 else "not held"})
show_table(study.publish("disc-scorecard", pd.DataFrame(rows), "04a"))
