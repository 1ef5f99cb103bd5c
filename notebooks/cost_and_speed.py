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
# # Cost and speed: what will a zoo cost?
#
# **Overview**
#
# - A zoo is hundreds of small trainings. We compare the library's engines with the loop that one would write oneself, and with
#   what the same machine reaches when it multiplies matrices and does nothing else.
# - We look at how the cost of a zoo grows with its models, epochs, images and weights, and at what its files save.
# - We estimate what every zoo of the book and of the thesis would cost, and set the estimate beside what the zoos of
#   chapter 3 did cost.

# %% tags=["parameters"]
profile = "laptop"

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import hyperlib
from hyperlib.figures import style
from hyperlib.figures.tables import show_table
from hyperlib.thesis.estimate import beside_measured, benchmark, cost_table
from hyperlib.thesis.targets import targets
from hyperlib.weightspace.work import multiply_adds

study = hyperlib.Study(profile)

# %% [markdown]
# ## On which machine?
#
# The numbers of the first half of this page come from one run of `make bench`, and are the same at every profile. They lie in
# `book/results/benchmarks`. Rates depend on the machine; read the ratios, which compare things measured in turns in that
# run.

# %%
machine = benchmark("machine")
cores = int(machine.set_index("fact").loc["cores", "value"])


def three_digits(values):
    """Three significant digits, without exponents."""
    return ["–" if pd.isna(v) else f"{float(f'{v:.3g}'):,.10g}" for v in values]


show_table(machine)

# %% [markdown]
# ## How much faster than a plain loop?
#
# One *model-epoch* is one model trained once on the whole training split and evaluated afterwards. The contestants:
#
# - **plain loop**: what one would write. One model after the other, images in memory, PyTorch's fused Adam, one thread.
#   It evaluates the test split. This is the baseline of all ratios.
# - **plain loop, same measures**: it also evaluates the train split, as our engines do; so this row does the same work.
# - **plain loop, all cores**: as many such loops as there are cores, each in a process of its own.
# - **torch**: our engine that batches models, on any device. **numba**: our
#   compiled engine for the CPU.
#
# All train with batches of 32 images. The engines' times include the evaluation before the
# first epoch, in jobs of five (Tetris: ten).

# %%
training = benchmark("training")
networks = list(dict.fromkeys(training["network"]))
sizes = ["network", "images", "train_images", "test_images"]
show_table(training.drop_duplicates("network")[sizes])


# %%
def by_network(column):
    """One row per contestant, one column per network."""
    wide = training.pivot_table(column, "contestant", "network", sort=False)[networks]
    return wide.apply(three_digits).reset_index()


show_table(by_network("per_s"))

# %% [markdown]
# These were model-epochs per second of wall time. As multiples of the plain loop, per second of *processor* time, which hardly
# moves when the machine has other things to do:

# %%
show_table(by_network("per_cpu_s_ratio"))

# %% [markdown]
# And per second of wall time, where more cores count:

# %%
show_table(by_network("per_s_ratio"))

# %% [markdown]
# **Reading.** Two effects are in these rows. A plain loop pays a fixed price for each operation that it starts, and the smaller the
# network, the more of its time that is; so the small networks gain most. Batching over models spreads this price, which is what
# the torch engine lives on; for the larger networks there is little left to spread. Compiled code, one model per core, does not
# depend on it. (The torch engine's job of four small CNNs is one block of models, and so uses one core.)
#
# ## How near to the machine's limit?
#
# The limit is what the same number of cores reaches in the same run on products of large square matrices. What an engine
# reaches is *counted* work: the multiply-adds of all convolutions and linear layers, forward and backward, over the time of the
# whole job. Everything else (picking batches, activations, pooling, the optimiser, compiled or not) is in the time and not in the count.

# %%
peak = benchmark("peak")
makers = [hyperlib.tetris_mlp, hyperlib.digits_cnn, hyperlib.small_cnn, hyperlib.large_cnn]
built = {name: maker() for name, maker in zip(networks, makers, strict=True)}
work = {name: multiply_adds(network).training for name, network in built.items()}
peak["multiply-adds per image"] = peak["network"].map(work)
peak["% of peak"] = 100 * peak["fraction"]
shown = ["network", "engine", "cores", "multiply-adds per image", "gflops", "peak_gflops"]
show_table(peak[[*shown, "% of peak"]], precision=1)

# %% [markdown]
# **Reading.** The fraction rises with the work per image and then levels off. A network of a hundred weights has next to nothing to multiply: its time
# goes to what the count leaves out, so the peak is no useful limit for it. A convolutional network of the thesis has enough, and
# there the fraction says how near training is to what matrix products reach. It can pass 100 %: PyTorch's product of square
# matrices is a yardstick that readers can measure, not the processor's own bound (its vectors may be wider than those that the
# product uses). Where the remaining time goes was not profiled.
#
# What several cores give over one, by wall time:

# %%
rates = training.pivot_table("per_s", "contestant", "network", sort=False)[networks]
engine = peak["engine"].iloc[0]
gain = rates.loc[engine] / rates.loc[f"{engine}, 1 thread"]
show_table(gain.rename(f"{cores} cores over 1").reset_index(), precision=2)

# %% [markdown]
# ## What comes on top: compiling and memory
#
# Compiled code must be compiled once. The first job of two models, in a fresh process: with an empty cache, with the cache
# that this left, and for another network with the same cache. `again_s` is the same job once more.

# %%
compile_times = benchmark("compile")
show_table(compile_times, precision=2)

# %% [markdown]
# And the memory that growing 500 small CNNs takes at its peak, in GiB. What there was before are Python and its libraries; the
# kept weights are the zoo itself.

# %%
memory = benchmark("memory")
show_table(memory, precision=2)

# %% [markdown]
# ## How does the cost grow?
#
# One job from a base setting, then with twice, four and eight times the models, epochs, images or weights. The dashed line is
# plain proportion.

# %% mystnb={"image": {"alt": "Four lines on logarithmic axes: seconds of a job against how many times larger the number of models, epochs, images or weights is than in the base job, from one to eight, with a dashed line of plain proportion."}, "figure": {"name": "fig-cost-growth", "caption": "Seconds of one job on a logarithmic scale, as one quantity at a time grows from the base setting (medians over the repetitions of the run; the base setting is in the table below). The dashed line has the slope of plain proportion."}}
growth = benchmark("growth")
fig, ax = plt.subplots(figsize=(6, 3.6))
for marker, (what, part) in zip("os^D", growth.groupby("grows", sort=False), strict=True):
    times_larger = part[what] / part[what].iloc[0]
    ax.plot(times_larger, part["seconds"], marker=marker, label=what)
base = growth["seconds"].iloc[0]
ax.plot([1, 8], [base, 8 * base], "--", color=style.INK, label="in proportion")
ax.set_xscale("log", base=2)
ax.set_yscale("log", base=2)
ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
ax.yaxis.set_major_formatter("{x:g}")
ax.set(xlabel="times the base setting", ylabel="seconds of the job")
ax.legend()
plt.show()

# %%
rows = []
for what, part in growth.groupby("grows", sort=False):
    logs = np.log2(part[[what, "seconds", "multiply_adds"]]).to_numpy()
    slope, work_slope = np.polyfit(logs[:, 0], logs[:, 1:], 1)[0]
    first, last = part[what].iloc[[0, -1]]
    rows.append({"grows": what, "from": first, "to": last})
    rows[-1] |= {"twice as much takes": 2**slope, "work per image": 2**work_slope}
show_table(pd.DataFrame(rows), precision=2)

# %% [markdown]
# **Reading.** Where the second column from the right says 2, the cost is in proportion, and an estimate by multiplication is safe on a quiet machine; on a shared one, plan for two
# to three times as much.
# Weights are the exception: what counts is not how many there are but how often each is used (the last column), and wider layers use
# the processor better.
#
# ## Which batched form is the fastest?
#
# The torch engine takes one step of many models at once, and there are three ways to write it: one grouped convolution for all of
# them, `torch.func.vmap` over one network, or unfolded images and batched matrix products. All three give the same gradients,
# which is checked before they are timed. Their speed depends on the device; the table says on which one they ran.

# %%
forms = benchmark("batched_forms")
show_table(forms, precision=2)

# %%
best = forms.loc[forms.groupby(["device", "models"])["step_ms"].idxmin()]
show_table(best[["device", "models", "form"]])

# %% [markdown]
# **Reading.** The engine uses grouped convolutions on every device. Where another form wins in the table above, the engine loses that
# much on such a device. A device that is not in the table was not measured; with a GPU, ask it:
# `python benchmarks/batched_forms.py --device cuda`.
#
# ## What do the files save?
#
# A zoo is one file of weights and one table. The usual alternative is one `torch.save` per model and epoch.

# %%
files = benchmark("files")
seconds = files[["zoo_s", "one_file_per_checkpoint_s"]].apply(three_digits)
show_table(files[["action"]].join(seconds).assign(ratio=three_digits(files["ratio"])))

# %% [markdown]
# ## Moving and comparing networks
#
# What the pages on weight space do to populations: reorder units at random, align to a reference, compare all pairs. The other
# side is the same for one network or pair at a time, in a loop, timed on twenty networks and counted up.

# %%
moves = benchmark("weight_space")
seconds = moves[["ours_s", "one_by_one_s"]].apply(three_digits)
show_table(moves[["action", "networks"]].join(seconds).assign(ratio=three_digits(moves["ratio"])))

# %% [markdown]
# **Reading.** None of these is a matter of minutes, on either side, for networks of this size. Comparing all pairs gains most from
# being one matrix product. Alignment gains least: most of its time is the exact solver of the assignments, which both sides call.
#
# ## Learning from networks
#
# A hyper-representation sees two views of every network in a batch: units in another order, with noise, perhaps with a block
# erased, cut into tokens. We do this to whole batches, in weight space, and make tokens last. The other side does it to one
# network at a time. All rates are networks per second on one core; a network with its two views counts once.

# %%
views = benchmark("tokens")
per_second = views[["ours_per_cpu_s", "one_by_one_per_cpu_s"]].apply(three_digits)
show_table(views[["network", "action"]].join(per_second).assign(ratio=three_digits(views["ratio"])))

# %% [markdown]
# And one whole training step, views included, at the sizes that the released code of {cite}`schuerholt2021self` has for Tetris and
# MNIST networks. The other side is the same network and loss in the form of that code: one linear map per token, attention and
# norms written out, one view after the other, a contrast over all pairs of vectors, plain Adam. `ratio` is how many times as
# long *released* takes, which has dropout at the same places as ours. The released code drops attention weights, too, which is
# the last row of each network. Where `batch` is not `released_batch`, a step of the published size would take too long here.

# %%
step = benchmark("training_step")
numbers = {"seconds_per_step": three_digits(step["seconds_per_step"]), "ratio": three_digits(step["ratio"])}
show_table(step.assign(**numbers))

# %% [markdown]
# **Reading.** Making views gains most, because a network is small and each operation on it has a fixed price. A training step gains
# less: in float32 most of ours is matrix products, which the other side needs as well, and what we save lies between them and in
# the table of all pairs. Half precision (bfloat16) shortens the products themselves, on a processor that has instructions for it.
#
# ## What does each zoo cost?
#
# Since cost is in proportion, a price list needs one measurement per architecture: microseconds per training image and per
# evaluated image, on one core. (Batches of 10 are the thesis's, batches of 32 ours.) They are measured without dropout, whose
# random factors add to it.

# %%
per_image = benchmark("architectures")
microseconds = [name for name in per_image if "_us" in name]
per_image[microseconds] = per_image[microseconds].apply(three_digits)
names = {"forward": "multiply-adds to evaluate", "training": "to train"}
show_table(per_image.rename(columns=names))

# %% [markdown]
# The estimate of a zoo is models x epochs x images x microseconds, over the number of cores of the machine above. Minutes are wall time
# on that machine when it does nothing else, MB are the kept weights. The book's zoos at every profile:

# %%
costs = cost_table(benchmark("architectures"), cores)
costs["minutes"], costs["hours"] = costs["estimated_s"] / 60, costs["estimated_s"] / 3600
costs["MB"] = costs["bytes"] / 1e6
own = costs["profile"] != "paper"
shown = ["zoo", "profile", "models", "epochs", "train_images", "weights"]
book = costs[own | costs["zoo"].isin(costs.loc[own, "zoo"])]
show_table(book[[*shown, "minutes", "MB"]], precision=1)

# %% [markdown]
# And every other zoo of the thesis that has a recipe, at its published size:

# %% tags=["output_scroll"]
rest = costs.drop(book.index)
show_table(rest[["zoo", "architecture", *shown[2:], "hours", "MB"]], precision=0)

# %%
paper = costs[costs["profile"].str.contains("paper")]
days, size = paper["hours"].sum() / 24, paper["MB"].sum() / 1e3
print(f"{len(paper)} zoos at paper: {days:,.1f} days on {cores} cores, {size:,.0f} GB")

# %% [markdown]
# ## Does the estimate hold?
#
# The store writes down how long the making of a zoo took. Beside it the estimate for this profile, of the machine above:

# %%
names = ["tetris_seed", "tetris_hyp", "digits_seed", "digits_hyp", "mnist_seed"]
for name in names:
    study.zoo(name)
recipes = [study.recipe(name) for name in names]
compared = beside_measured(study.store, recipes, benchmark("architectures"), cores)
show_table(compared, precision=2)

# %%
low, high = compared["ratio"].min(), compared["ratio"].max()
print(f"Growing these zoos took {low:.1f} to {high:.1f} times the estimate.")

# %% [markdown]
# **Reading.** The two columns may be of two machines: the estimate is of the one that ran `make bench`, with nothing else to
# do; the measured seconds are of the machine that grew the zoos, and the store does not know what else it did. The build
# executes chapters side by side, each with its share of the cores, so a zoo grown in a build may have had half of the machine.
# The measured seconds also hold what the estimate leaves out: compiling, if it was the first job, writing the files and
# flushing them to the disk. For a zoo of seconds that can be most of it; for a zoo of hours it is nothing.
#
# ## Run it yourself
#
# ```bash
# make bench                                                    # all tables, minutes; on a machine that is quiet
# .venv/bin/python benchmarks/run.py --only training peak       # some of them, printed
# .venv/bin/python benchmarks/batched_forms.py --device cuda    # the three forms, where there is a GPU
# make results                                                  # a whole run, into book/results/benchmarks
# ```
#
# ## Exercise
#
# ```{exercise} Before you grow it
# :label: ex-before-you-grow-it
# You want 200 large CNNs on CIFAR-10 for 30 epochs, with batches of 32. How many times the work of the laptop profile's
# `mnist_seed` is that, counted before anything runs, and how much disk do its weights need?
# ```
#
# ```{solution-start} ex-before-you-grow-it
# :class: dropdown
# ```

# %% tags=["solution"]
from hyperlib import large_cnn
from hyperlib.thesis.estimate import image_counts
from hyperlib.thesis.recipes import zoo_recipe
from hyperlib.weightspace.work import multiply_adds

def work(network, models, epochs, image_set):
    (train, test), one = image_counts(image_set), multiply_adds(network)
    evaluated = (epochs + 1) * (train + test) * one.forward
    return models * (epochs * train * one.training + evaluated)

known, large = zoo_recipe("mnist_seed", "laptop"), large_cnn()
ours = work(known.architecture, len(known.design), known.epochs, known.images)
factor = work(large, 200, 30, zoo_recipe("cifar10-large-seed", "paper").images) / ours
assert factor > 200 * 30 / (len(known.design) * known.epochs)  # larger, more images
assert 4 * 200 * 31 * large.num_weights == 269_154_400  # bytes, epoch 0 included

# %% [markdown]
# The disk is the smaller worry. Times the seconds that `mnist_seed` took, the factor says what you would have to wait on the
# same machine, if the larger network used the processor as well as the small one does; the table *How near to the machine's
# limit?* tells whether it does.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# Before each of these was written we set targets: a floor that makes it worth having, and an aim (both are our choice).
# Ratios of training are per second of processor time: over the plain loop, and over the one that does as much work as ours.

# %%
show_table(targets(), precision=1)
