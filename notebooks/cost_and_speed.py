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
# A {term}`zoo` is many small trainings. How long they take decides what one can ask, so this page measures it, against what one
# would write oneself and against what the machine can do at all.
#
# **You will see**
#
# - how much faster the library's engines are than a plain loop, and how near to the machine's limit;
# - how the cost grows with models, epochs, images and weights;
# - what every zoo of the book and of the thesis would cost, beside what some did cost.

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

import hyperlib
from hyperlib.figures import plots
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.tasks import verdicts
from hyperlib.thesis import sane_cost
from hyperlib.thesis.card_cost import card_costs
from hyperlib.thesis.estimate import beside_measured, benchmark, card_table, cost_table, growth_rates
from hyperlib.thesis.scaling import recipe_blocks, scaling_curve
from hyperlib.thesis.targets import targets
from hyperlib.thesis.whole_cost import whole_cost, with_total
from hyperlib.weightspace.work import multiply_adds

study = hyperlib.Study(profile)

# %% [markdown]
# ## On which machine?
#
# The numbers of the first half of this page come from one run of `make bench`, and are the same at every {term}`profile`. They lie in
# `book/results/benchmarks`. Rates depend on the machine; read the ratios, which compare things measured in turns in that run.

# %% tags=["hide-input"] table={"name": "tab-cost-machine", "caption": "The machine that ran the benchmarks."}
machine = benchmark("machine")
cores = int(machine.set_index("fact").loc["cores", "value"])
show_table(machine)

# %% [markdown]
# ## How much faster than a plain loop?
#
# One *model-epoch* is one model trained once on the whole training split and evaluated afterwards. The contestants:
#
# - **plain loop**: what one would write. One model after the other, images in memory, PyTorch's fused Adam, one thread.
#   It evaluates the test split. This is the baseline of all ratios.
# - **plain loop, same measures**: it also evaluates the train split after every epoch, as **numba, all clean** does; so these
#   two do the same work.
# - **plain loop, all cores**: as many such loops as there are cores, each in a process of its own.
# - **torch**: our engine that batches models, on any device. **numba**: our compiled engine for the CPU.
#
# The engines' times include the evaluation of both splits before the first epoch, and of the train split after the last.

# %% tags=["hide-input"]
training = benchmark("training")
networks = list(dict.fromkeys(training["network"]))


def by_network(column):
    """One row per contestant, one column per network."""
    return training.pivot_table(column, "contestant", "network", sort=False)[networks].reset_index()

# %% tags=["hide-input"] table={"name": "tab-cost-training", "caption": "Training as multiples of the plain loop, per second of *processor* time, which hardly moves when the machine has other things to do."}
show_table(by_network("per_cpu_s_ratio"), digits=3, of=training)

# %% tags=["hide-cell"] table={"name": "tab-cost-wall", "caption": "The same per second of wall time, where more cores count."}
show_table(by_network("per_s_ratio"), digits=3, of=training)

# %% [markdown]
# In model-epochs per second, and on which images:

# %% tags=["hide-input"] table={"name": "tab-cost-rates", "caption": "Model-epochs per second of wall time."}
show_table(by_network("per_s"), digits=3, of=training)

# %% [markdown]
# Two effects are in these rows. A plain loop pays a fixed price for each operation that it starts, and the smaller the network, the
# more of its time that is; so the small networks gain most. Batching over models spreads this price, which is what the torch engine
# lives on; for the larger networks there is little left to spread. Compiled code, one model per core, does not depend on it.
#
# ## How near to the machine's limit?
#
# Two limits are measured in the same run, on as many cores: what the processor does when it multiplies and adds numbers that lie in its
# registers, and nothing else; and what PyTorch reaches on products of large square matrices. What an engine
# reaches is *counted* work: the multiply-adds of all convolutions and linear layers, forward and backward, over the time of the
# whole job. Everything else (picking batches, activations, pooling, the optimiser) is in the time and not in the count.

# %% tags=["hide-input"]
peak = benchmark("peak")
makers = [hyperlib.tetris_mlp, hyperlib.digits_cnn, hyperlib.small_cnn, hyperlib.large_cnn]
work = {name: multiply_adds(make()).training for name, make in zip(networks, makers, strict=True)}
peak["multiply-adds per image"] = peak["network"].map(work)
peak["% of processor"], peak["% of products"] = 100 * peak["processor_fraction"], 100 * peak["fraction"]
shown = ["network", "engine", "cores", "multiply-adds per image", "gflops", "% of processor", "% of products"]

# %% tags=["hide-input"] table={"name": "tab-cost-peak", "caption": "Counted work per second (billions of operations), and as a share of both limits on the same cores."}
show_table(peak[shown], precision=1)

# %% [markdown]
# The fraction rises with the work per image and then levels off. The smallest network has next to nothing to multiply, so no
# limit says much about it. PyTorch's product of square matrices is a yardstick that readers know, and can be passed: its
# vectors may be narrower than the processor's. The processor's own multiply-adds cannot. Where the remaining time goes was not profiled.
#
# ## What comes on top: compiling and memory
#
# Compiled code must be compiled once. The first job of two models, in a fresh process: with an empty cache, with the cache
# that this left, and for another network with the same cache.

# %% tags=["hide-input"] table={"name": "tab-cost-compile", "caption": "Seconds of the first job in a fresh process, and of the same job once more."}
compile_times = benchmark("compile")
show_table(compile_times.rename(columns={"first_s": "first", "again_s": "again"}), 2)

# %% [markdown]
# What there was before are Python and its libraries; the kept weights are the zoo itself.

# %% tags=["hide-input"] table={"name": "tab-cost-memory", "caption": "Memory at its peak while small CNNs grow, in GiB."}
show_table(benchmark("memory"), precision=2)

# %% [markdown]
# ## How does the cost grow?
#
# One job from a base setting, then with more models, epochs, images or weights. The dashed line is plain proportion.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Lines on logarithmic axes: seconds of a job against how many times larger the number of models, epochs, images or weights is than in the base job, with a dashed line of plain proportion."}, "figure": {"name": "fig-cost-growth", "caption": "Seconds of one job, as one quantity at a time grows from the base setting (medians over the repetitions of the run; {numref}`tab-cost-growth` has the base setting). The dashed line has the slope of plain proportion."}}
growth = benchmark("growth")
plots.growth(growth)
plt.show()

# %% tags=["hide-input"] table={"name": "tab-cost-growth", "caption": "By what factor the time grows where a quantity doubles (slope of the line in the figure), beside the factor of the counted work per image."}
rates = growth_rates(growth)
show_table(rates, precision=2, of=growth)

# %% [markdown]
# Where time doubles with a quantity, cost is in proportion, and an estimate by multiplication is safe on a quiet machine; on a shared
# one, plan for two to three times as much. Weights are the exception: what counts is not how many there are but how often each is used
# (the last column), and wider layers use the processor better.
#
# ## Which batched form is the fastest?
#
# The torch engine takes one step of many models at once, and there are three ways to write it: one grouped convolution for all of
# them, `torch.func.vmap` over one network, or unfolded images and batched matrix products. All three give the same gradients,
# which is checked before they are timed. Their speed depends on the device.

# %% tags=["hide-input"] table={"name": "tab-cost-forms", "caption": "One training step of many small CNNs in three forms: milliseconds, and the speed as a multiple of the grouped convolution's."}
forms = benchmark("batched_forms")
show_table(forms[["device", "models", "form", "step_ms", "speed_ratio"]], 2)

# %% [markdown]
# The engine uses grouped convolutions on every device. Where another form is faster above, the engine loses that much on such a
# device. A device that is not in the table was not measured; with a GPU, ask it: `python benchmarks/batched_forms.py --device cuda`.
#
# ## And on a graphics card?
#
# There is an engine for GPUs, **cuda**: a block of threads trains one model for a whole epoch without returning to the CPU. It is tested in a simulator, layer
# by layer against PyTorch; on a card it first trains a small network both ways, and if the results differ, PyTorch trains. PyTorch also trains what the engine does not
# cover, and all hyper-representations, there by steps that are recorded once and played. `make gpu` measures it, with the rest of what a card does here, in eight minutes.

# %% tags=["remove-input"]
on_card = card_table("rates")
if on_card is None:
    say("No run of it is committed with this version of the book: what this engine gains on a card is not measured.")
else:
    told = [f"{row.network} {row.per_s:,.0f} ({row.ratio:.0f} times the torch engine on the same card)" for row in on_card[on_card["engine"] == "cuda"].itertuples()]
    say(f"Model-epochs per second on the card of the committed run: {'; '.join(told)}. The whole run lies in `book/results/gpu`.")

# %% [markdown]
# What every recipe of the book would take on one such card at `paper`, the zoos and what learns from them, is arithmetic and no measurement: counted operations at a share of
# the peak of an H100 in float32 for zoos, in bfloat16 for representations, and no step of these shorter than one that was measured on such a card. The share is
# assumed *(our choice)*, or for zoos the measured one where a run is committed.

# %% tags=["hide-input"] table={"name": "tab-cost-card", "caption": "Every recipe at `paper` on one large GPU: counted operations, the share of the peak that it is taken to reach, whether that share was measured, and minutes. Without making views, reading files and probes."}
trials = study.committed("sane-trials", profile="laptop")
shortest = float(trials[trials["device"] != "cpu"]["milliseconds"].median())
by_card = study.publish("zoo-generating-factors", card_costs(shortest, on_card), "card")
shown = by_card.assign(operations=by_card["operations"] / 1e15).rename(columns={"operations": "10¹⁵ operations"})
show_table(shown, digits=3, rows=shown.groupby("kind")["minutes"].nlargest(4).index.get_level_values(1), of=by_card)

# %% tags=["remove-input"]
hours = by_card.groupby("kind")["minutes"].sum() / 60
say(f"Together {hours['zoo']:,.0f} hours for {(by_card['kind'] == 'zoo').sum()} zoos, and {hours['representation']:,.0f} for {(by_card['kind'] == 'representation').sum()} "
    "representations, one after the other.")

# %% [markdown]
# ## What do files, moves and comparisons cost?
#
# A zoo is one file of weights and one table. The usual alternative is one `torch.save` per model and epoch.

# %% tags=["hide-input"] table={"name": "tab-cost-files", "caption": "Seconds to write and read a zoo, and the same with one file per checkpoint."}
files = benchmark("files")
labels = {"zoo_s": "one zoo", "one_file_per_checkpoint_s": "a file per checkpoint"}
show_table(files.rename(columns=labels), digits=3)

# %% [markdown]
# What the pages on weight space do to populations: reorder units, {term}`align <alignment>` to a reference, compare all pairs. The other
# side is the same for one network or pair at a time, in a loop, timed on a part of them and counted up.

# %% tags=["hide-input"] table={"name": "tab-cost-moves", "caption": "Seconds to move and compare whole populations, and one network or pair at a time."}
moves = benchmark("weight_space")
labels = {"ours_s": "whole population", "one_by_one_s": "one by one"}
show_table(moves.rename(columns=labels), digits=3)

# %% [markdown]
# None of these is a matter of minutes, on either side, for networks of this size. Alignment gains least: most of its time is the exact
# solver of the assignments, which both sides call.
#
# ## What does learning from networks cost?
#
# A {term}`hyper-representation` sees two {term}`views <view>` of every network in a batch, cut into {term}`tokens <token>`. We make them for
# whole batches, in weight space. The other side does it to one network at a time. A network with its two views counts once.

# %% tags=["hide-input"] table={"name": "tab-cost-tokens", "caption": "Networks per second on one core, views and tokens made for whole batches or one by one."}
views = benchmark("tokens")
labels = {"ours_per_cpu_s": "whole batches", "one_by_one_per_cpu_s": "one by one"}
show_table(views.rename(columns=labels), digits=3)

# %% [markdown]
# And one whole training step at the sizes that the released code of {cite}`schuerholt2021self` has for Tetris and MNIST networks. The
# other side, *released*, is the same network and loss in the form of that code: one linear map per token, attention and norms written
# out, one view after the other, a {term}`contrast` over all pairs of vectors, plain Adam. Where the batch is smaller than the released one, a
# step of the published size would take too long here.

# %% tags=["hide-input"] table={"name": "tab-cost-step", "caption": "Seconds per training step, and how many times as long the released form takes."}
step = benchmark("training_step")
show_table(step.rename(columns={"seconds_per_step": "seconds"}), digits=3)

# %% [markdown]
# Making views gains most, because a network is small and each operation on it has a fixed price. A training step gains less: in float32
# most of ours is matrix products, which the other side needs as well. Half precision (bfloat16) shortens the products themselves, on a
# processor that has instructions for it.
#
# **Token by token.** SANE ({doc}`/notebooks/06a_sane`) has settings of its own that are too large for a laptop. What they would take on one H100 is arithmetic here, and no measurement: six operations per weight
# and token, at an assumed share of the card's peak *(our choice)*. No step is taken to be shorter than those of small ones that were measured on such a card.

# %% tags=["hide-input"] table={"name": "tab-cost-sane", "caption": "SANE at its published sizes, estimated on one large GPU: parameters, tokens and operations of a step, its milliseconds, the recipe's steps and their minutes, and gigabytes of parameters, gradients and moments. Without making windows, and without growing the zoos."}
sane_costs = study.publish("sane-arch-table", sane_cost.cost_table(shortest), "costs")
in_words = {"parameters": "million parameters", "operations": "10¹² operations"}
shown = sane_costs.assign(parameters=sane_costs["parameters"] / 1e6, operations=sane_costs["operations"] / 1e12)
show_table(shown.rename(columns=in_words), digits=3, of=sane_costs)

# %% [markdown]
# ## What does each zoo cost?
#
# Since cost is in proportion, a price list needs one measurement per architecture: microseconds per training image and per evaluated
# image, on one core, without dropout, whose random factors add to it. Small batches are the thesis's, larger ones ours.

# %% tags=["hide-input"] table={"name": "tab-cost-architectures", "caption": "Microseconds per image on one core, by architecture, beside the multiply-adds of one image."}
per_image = benchmark("architectures")
names = {"forward": "to evaluate", "training": "to train", "evaluate_us": "evaluate µs",
         "train_us_batch_32": "train µs, batch 32", "train_us_batch_10": "train µs, batch 10"}  # fmt: skip
show_table(per_image.rename(columns=names), digits=3)

# %% [markdown]
# The estimate of a zoo is models x epochs x images x microseconds, over the number of cores of the machine above: wall time on that
# machine when it does nothing else.

# %% tags=["hide-input"]
costs = cost_table(per_image, cores)
costs["minutes"], costs["hours"] = costs["estimated_s"] / 60, costs["estimated_s"] / 3600
costs["MB"] = costs["bytes"] / 1e6
study.publish("zoo-generating-factors", costs, "costs")
own = costs["profile"] != "paper"
shown = ["zoo", "profile", "models", "epochs", "train_images", "weights"]
book = costs[own | costs["zoo"].isin(costs.loc[own, "zoo"])]
rest = costs.drop(book.index)

# %% tags=["hide-input"] table={"name": "tab-cost-book", "caption": "What the book's zoos cost at every profile: minutes of the machine above, and megabytes of weights."}
dearest = book[book["profile"] == "laptop"].nlargest(8, "minutes").index
show_table(book[[*shown, "minutes", "MB"]], 1, rows=dearest, of=costs)

# %% tags=["hide-input"] table={"name": "tab-cost-thesis", "caption": "What every other zoo of the thesis that has a recipe would cost at its published size, in hours and megabytes."}
dearest = rest.nlargest(8, "hours").index
show_table(rest[["zoo", *shown[2:], "hours", "MB"]], 0, rows=dearest, of=costs)

# %% tags=["remove-input"]
paper = costs[costs["profile"].str.contains("paper")]
days, size = paper["hours"].sum() / 24, paper["MB"].sum() / 1e3
say(f"All {len(paper)} zoos at `paper` together: {days:,.1f} days on {cores} cores, and {size:,.0f} GB of weights.")

# %% [markdown]
# ## What does the whole thesis cost?
#
# Not every zoo of the thesis has a recipe here. For the sum of all we also count the populations of ResNet-18, by their published
# models and epochs, and a {term}`sparse twin` of every model, as so many more epochs of the same network *(our choice)*. Core-hours follow from
# the measured rates above. GPU-hours are arithmetic and no measurement: the counted operations at an assumed share of one H100's peak in
# float32 *(our choice)*, which small networks will hardly reach.

# %% tags=["hide-input"] table={"name": "tab-cost-whole", "caption": "The zoos of chapter 3 with their sparse twins: models, states, hours of one core and of one large GPU, gigabytes of weights."}
whole = study.publish("zoo-generating-factors", whole_cost(per_image), "whole")
whole_rows = with_total(whole).assign(GB=lambda table: table["bytes"] / 1e9)
shown = ["zoo", "models", "states", "core_hours", "gpu_hours", "GB"]
show_table(whole_rows[shown].rename(columns=lambda name: name.replace("_", " ")), 1,
           rows=whole_rows.nlargest(8, "core_hours").index, of=whole)

# %% tags=["remove-input"]
total = whole.sum(numeric_only=True)
small = whole[~whole["zoo"].str.startswith("resnet")].sum(numeric_only=True)
say(f"Together {len(whole)} zoos with {total['models']:,.0f} models and {total['states']:,.0f} states: "
    f"{total['core_hours']:,.0f} core-hours, or {total['gpu_hours']:,.0f} GPU-hours, and "
    f"{total['bytes'] / 1e12:,.1f} TB. Without the ResNets it is {small['core_hours']:,.0f} core-hours and "
    f"{small['bytes'] / 1e9:,.0f} GB.")

# %% [markdown]
# ## What do more machines bring?
#
# A zoo can be grown on a Ray cluster: `train_population(..., engine="ray")` hands blocks of models to all machines, and the zoo is
# the same to the bit. What it brings was measured with two local nodes of one core each, on a machine that has no more. Everything
# beyond two nodes in the figure is a model: what a job does once, and the blocks of the node that has the most of them.

# %% tags=["hide-input"]
by_nodes = benchmark("nodes")
large = recipe_blocks("mnist-hyp-fix", per_image)
nodes = [2**power for power in range(11)]
curve = scaling_curve(by_nodes, {"mnist_hyp_fix": large}, nodes)
study.publish("zoo-generating-factors", curve, "scaling");

# %% tags=["hide-input"] table={"name": "tab-cost-nodes", "caption": "Seconds of one job without a cluster (no nodes) and on one and two local nodes of one core, those of the same job without training, and times as fast as one node. The load is what else the machine had to do before."}
show_table(by_nodes[["nodes", "load", "blocks", "seconds", "empty_s", "speedup"]].rename(columns={"empty_s": "empty"}), 2, of=by_nodes)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Lines on logarithmic axes: times as fast as one node against the number of nodes, for the job of the benchmark, which levels off early, and for a whole zoo of the thesis, which follows plain proportion longer; dots at one and two nodes."}, "figure": {"name": "fig-cost-scaling", "caption": "Times as fast as one node of one core. Dots are measured, lines modelled; a job stops gaining when each node has one block. The dashed line through the origin is plain proportion."}}
plots.scaling(curve)
plt.show()

# %% [markdown]
# The model leaves out the network between machines, a shared disk and the one process that puts the zoo together; with many nodes one of
# them will be the limit sooner.
#
# ## Does the estimate hold?
#
# The {term}`store` writes down how long the making of a zoo took. Beside it the estimate for this profile, of the machine above:

# %% tags=["hide-input"] table={"name": "tab-cost-measured", "caption": "Seconds that zoos took to grow, and their estimate."}
names = ["tetris_seed", "tetris_hyp", "digits_seed", "digits_hyp", "mnist_seed"]
for name in names:
    study.zoo(name)
recipes = [study.recipe(name) for name in names]
compared = beside_measured(study.store, recipes, per_image, cores)
study.publish("zoo-generating-factors", compared, "measured-costs")
show_table(compared, precision=2)

# %% [markdown]
# The two columns may be of two machines: the estimate is of the one that ran `make bench`, with nothing else to do; the measured seconds
# are of the machine that grew the zoos, and the store does not know what else it did. The build executes chapters side by side, so a
# zoo grown in a build may have had half of the machine. The measured seconds also hold what the estimate leaves out: compiling, if it
# was the first job, writing the files and flushing them to the disk. For a zoo of seconds that can be most of it.
#
# ## How can I measure it myself?
#
# ```bash
# # all tables, in minutes, on a machine that is quiet
# make bench
# # some of them, printed
# .venv/bin/python benchmarks/run.py --only training peak
# # the three forms, where there is a GPU
# .venv/bin/python benchmarks/batched_forms.py --device cuda
# # a whole run, into book/results/benchmarks
# make results
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

# %% tags=["solution"] asks={"factor": "how many times the work of `mnist_seed`", "known": "the recipe of `mnist_seed` at profile laptop", "large": "the large CNN"} hints=["It should be more than models times epochs alone say, because network and images are larger: does one model's work come from `multiply_adds`?", "Four bytes for each weight of each model at each epoch, the start included."]
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
# Before each part of the library was written we set targets: a floor that makes it worth having, and an aim (both are our choice).
# Ratios of training are per second of processor time: over the plain loop, and over the one that does as much work as ours.

# %% tags=["hide-input"] table={"name": "tab-cost-targets", "caption": "Targets and what was measured; those missed come first."}
aims = targets()
missed = [*aims.index[aims["verdict"] == "missed"], *aims.index[aims["verdict"] != "missed"]]
show_table(aims.set_index("verdict").reset_index(), 1, rows=missed[:8])

# %% tags=["hide-input"]
cpu = training.pivot(index="network", columns="contestant", values="per_cpu_s")
gain = cpu["numba, all clean"] / cpu["plain loop, same measures"]
measured = compared.set_index("zoo")["ratio"]
fastest = forms.loc[forms.groupby(["device", "models"])["step_ms"].idxmin()]
card = verdicts.scorecard(
    [
        verdicts.counted(
            "compiled training is at least twice as fast as a plain loop of the same work",
            {name: (value >= 2, f"{value:.1f} times") for name, value in gain.items()},
            source="ours", shown="tab-cost-training", headline=True,
        ),
        verdicts.counted(
            "cost is in proportion (a doubling costs 1.8 to 2.2 times as much)",
            {row["grows"]: (1.8 <= row["time"] <= 2.2, f"{row['time']:.2f} times") for _, row in rates.iterrows()},
            source="ours", shown="tab-cost-growth", headline=True,
        ),
        verdicts.counted(
            "the estimate of a zoo is right within a factor of two",
            {name: (0.5 <= value <= 2, f"{value:.2f} times the estimate") for name, value in measured.items()},
            source="ours", shown="tab-cost-measured",
        ),
        verdicts.counted(
            "the form that the torch engine uses is the fastest",
            {f"{one.device}, {one.models} models": (one.form == "grouped convolution", one.form)
             for one in fastest.itertuples()},
            source="ours", shown="tab-cost-forms",
        ),
    ]
)  # fmt: skip
study.publish("disc-scorecard", card, "cost");

# %% tags=["hide-input"] table={"name": "tab-cost-scorecard", "caption": "The page's claims and whether they held; none has an interval, since a benchmark is one run."}
show_table(verdicts.summary(card).drop(columns="stand after Holm"), of=card)
