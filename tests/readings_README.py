"""What the README says that the book finds."""

from __future__ import annotations

from readings import committed, says

from hyperlib.thesis import published
from hyperlib.thesis.recipes import zoo_recipe

PROBES = "zoo-property-benchmark"
SEEDS = "hr-seed-property-prediction.summary"
TARGETS = ["test_accuracy", "epoch", "gap"]


@says("README", "yes, in 2 of 2 zoos: the tree of all checkpoints gives the models back without an error")
def _(t):
    found = t("ws-trajectories-dendrogram.recovered")
    return (found["rand_average"] == 1).sum(), len(found)


@says("README", "distances tell the order of epochs")
def _(t):
    return (t("ws-trajectories-dendrogram.recovered")[["tau_radius", "tau_path"]] > 0.99).all(axis=None)


def _entropy(t):
    changes = t("ws-entropy.changes").query("layer == 'mean' and definition == 'matrix'")
    return changes.set_index("population")


@says("README", "in every model of 4 of 6 populations")
def _(t):
    found = _entropy(t)
    return (found["fell"] == 1).sum(), len(found)


@says("README", "by far the most with the weight decay")
def _(t):
    change = _entropy(t)["change"]
    return change.idxmin() == "large CNN, weight decay" and change.min() < 4 * change.nsmallest(2).iloc[1]


@says("README", "in the small CNN it falls in some and rises in others, and where weights start at U(0, 1) it *rises*")
def _(t):
    found = _entropy(t)["verdict"]
    return found["small CNN"] == "mixed" and (found[found.index.str.contains("U\\(0")] == "rises").all()


def _verdicts(t, claim):
    return t("disc-scorecard.02b").query("claim == @claim").set_index("case")[["verdict", "holm"]].fillna("").agg(" ".join, axis=1)


@says("README", "weight matching lowers it in 3 of 4 networks (in the small CNN by a verdict that falls after Holm)")
def _(t):
    found = _verdicts(t, "weight matching lowers it").str.strip()
    assert found["small CNN"] == "holds falls" and found["small ResNet"] == "undecided"
    return found.str.startswith("holds").sum(), len(found)


@says(
    "README",
    "a fortieth is left in 1, the wide MLP, and whether that counts as vanished (less than a twentieth) is undecided",
)
def _(t):
    found = t("ws-interpolation-lmc").pivot(index="network", columns="setting", values="barrier")
    left = found["aligned"] / found["two seeds"]
    assert 1 / 45 < left["wide MLP"] < 1 / 35
    assert _verdicts(t, "weight matching leaves less than a twentieth of it")["wide MLP"].strip() == "undecided"
    return (left < 0.05).sum()


@says("README", "in the ResNet it takes matched activations, and norms measured anew")
def _(t):
    weights, activations = (f"with norms remeasured, {way} matching lowers it" for way in ("weight", "activation"))
    anew = [_verdicts(t, claim).iloc[0] for claim in (activations, weights)]
    as_it_stands = _verdicts(t, "activation matching lowers it")["small ResNet"].strip()
    return (*anew, as_it_stands) == ("holds stands", "holds falls", "undecided")


@says("README", "(correlation of .92 in size), until a permuted copy of each is added (.01); not among seeds (.03)")
def _(t):
    rows = t("ws-cka-l2").query("reading == 'all pairs'")
    size = rows.assign(size=rows["pearson"].abs()).groupby(["models", "permutations"])["size"].mean().unstack()
    one = size.loc[size.index.str.contains("one run")].iloc[0]
    return one[1], one[2], size.loc["15 seeds, last epoch", 1]


@says("README", "do the released scripts give the published 27 zoos, 50,360 models and 3,844,360 states? | exactly")
def _(t):
    totals = t("zoo-generating-factors.totals").set_index("metric")
    names = ["zoos", "models", "model states incl. sparse twins"]
    assert (totals.loc[names, "ours"] == totals.loc[names, "published"]).all()
    return totals.loc[names, "ours"]


@says(
    "README",
    "20.5, 83.2 and 91.1 % at epochs 1, 25 and 50, where 20.6, 83.3 and 91.1 % are published (first 128 of the 1,000 "
    "models",
)
def _(t):
    rows = t("paper/ghr-finetune.b_t").query("epoch > 0")
    models = t("paper/zoo-accuracy-over-epochs.mnist_seed")["count"].max()
    percent = 100 * rows[["ours", "published"]]
    every = published.zoo_record("mnist-seed")["models"]
    return [*percent["ours"], *rows["epoch"], *percent["published"], models, every]


@says("README", "in 5 of 5 zoos. Raw weights have an R² below zero in 4 of 5")
def _(t):
    better = t(f"{PROBES}.differences").query("second == 'W' and first == 's(W)' and target == 'test_accuracy'")
    raw = t(PROBES).query("features == 'W' and probe == 'linear' and target == 'test_accuracy'")
    return (better["low"] > 0).sum(), len(better), 0, (raw["value"] < 0).sum(), len(raw)


@says("README", "for the published MNIST-seed, whose weights begin at U(0, 1), it is .923 and .965 in two papers")
def _(_t):
    known = published.as_fractions(published.published(method="W"))
    known = known[known["metric"] == "R2: test accuracy"].set_index(["paper", "dataset"])["value"]
    first, second = known["2209.14764", "mnist-seed"], known["2406.09997", "MNIST CNN"]
    return 0, 1, first, second, 2


ZOOS = {"Tetris-seed": "tetris_seed", "digits-seed": "digits_seed", "MNIST-seed on 5,000 images": "mnist_seed"}
METHODS = ["clock", "s(W)", "pooled rows", "untrained", "E_cD", "s(W), trees"]


def _seeds(t, zoo):
    table = t(SEEDS)
    return table[table["zoo"] == zoo].set_index("method")[TARGETS]


@says("README", "means of three seeds where something is trained")
def _(t):
    seeds = t("hr-seed-property-prediction")["features"].str.extract(r"^E_cD.*?(\d+)$")[0].dropna()
    return seeds.nunique()


for _label, _zoo in ZOOS.items():  # the table itself is made anew from the CSV, and must stand in the README
    _found = _seeds(committed, _zoo).loc[METHODS].to_numpy()
    _cells = [" / ".join(f"{value:.3f}".lstrip("0") for value in row) for row in _found]
    says("README", " | ".join([_label, *_cells]))(lambda t: True)


@says("README", "tells a linear probe more about accuracy than s(W) does, in all three zoos")
def _(t):
    accuracy = [_seeds(t, zoo)["test_accuracy"] for zoo in ZOOS.values()]
    return sum(one["E_cD"] > one["s(W)"] for one in accuracy)


@says("README", "better still, in all three, and the gap in two")
def _(t):
    more = [_seeds(t, zoo).loc["s(W), trees"] > _seeds(t, zoo).loc["E_cD"] for zoo in ZOOS.values()]
    return sum(one[["test_accuracy", "epoch"]].all() for one in more), sum(one["gap"] for one in more)


@says("README", "most of what is told there is how long a network was trained.")
def _(t):
    scores = [_seeds(t, zoo)["test_accuracy"] for zoo in ZOOS.values()]
    return all(one["clock"] > 0.9 * one[["s(W)", "pooled rows", "E_cD"]].max() for one in scores)


@says("README", "it is level with the embedding on Tetris and ahead in the other two zoos")
def _(t):
    rows = t("hr-seed-property-prediction.differences").query("second == 'clock' and target == 'test_accuracy'")
    assert rows.set_index("zoo")["verdict"]["tetris_seed"] == "undecided"
    return (rows["verdict"] == "fails").sum()


@says("README", "and more than *pooled rows*, the hand-made statistics that its encoder reads, in 1 of 3")
def _(t):
    rows = t("hr-seed-property-prediction.differences").query("second == 'pooled rows' and target == 'test_accuracy'")
    return (rows["verdict"] == "holds").sum(), len(rows)


@says("README", "no difference between these, nor between trained and untrained, could be shown there")
def _(t):
    others = ("pooled rows", "the same encoder, untrained")
    claims = [f"inside an epoch E_cD tells accuracy better than {name}" for name in others]
    return bool((t("disc-scorecard.04b").set_index("claim").loc[claims, "verdict"] == "undecided").all())


@says("README", "its R² is .36, .10 and -.05, that of pooled rows .33, .16 and -.05")
def _(t):
    rows = t("hr-seed-property-prediction").query("probe == 'beside the clock' and target == 'test_accuracy'")
    names = rows["features"].str.partition(" ")[0]
    found = [rows[names == name].groupby("zoo")["within"].mean()[list(ZOOS.values())] for name in ("E_cD", "pooled")]
    return *found[0], *found[1]


@says("README", "91 % of their labels on Tetris (95 latents for 100 weights)")
def _(t):
    return _written(t, "tetris_seed")


@says("README", "86 % for the small CNN (1,642 for 2,464; a stranger of the same epoch agrees on 83 %)")
def _(t):
    return *_written(t, "mnist_seed"), _stranger(t, "mnist_seed")


@says("README", "72 % on digits (914 for 988), where a stranger agrees on 75 %")
def _(t):
    return *_written(t, "digits_seed"), _stranger(t, "digits_seed")


def _stranger(t, zoo):
    return 100 * t("ghr-lwln-accuracy.agreement").query("zoo == @zoo").iloc[-1]["stranger"]


def _written(t, zoo):
    best = t("ghr-lwln-accuracy.agreement").query("zoo == @zoo").iloc[-1]
    return 100 * best["agreement"], best["latents"], round(best["latents"] / best["share"])


@says("README", "our MNIST zoo has 5,000 images")
def _(_t):
    images = zoo_recipe("mnist_seed", "laptop").images.load()
    return len(images.train_x) + len(images.test_x)


@says("README", "at 66 % after one epoch where the published one is at 21 %")
def _(t):
    rows = t("zoo-accuracy-over-epochs.published").dropna(subset=["ours", "published"])
    row = rows.query("zoo == 'mnist-seed' and epoch == 1").iloc[0]
    return 100 * row["ours"], 100 * row["published"]
