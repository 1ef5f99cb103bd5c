"""What the page 04b says of the published run, and what that rests on."""

from __future__ import annotations

from functools import partial

from readings import says as _says

from hyperlib.thesis.book_representations import representation_recipe

says = partial(_says, "04b")
SEED_ZOOS = ["tetris_seed", "digits_seed", "mnist_seed"]
TWO_IMAGE_SETS = ["digits_seed", "mnist_seed"]
_UNTRAINED = "the same encoder, untrained"
NUMBERS = ["epoch", "test_accuracy", "gap", "log_lr", "log_l2", "dropout", "train_fraction"]


def means(table, target):
    """Means over seeds: methods by seed zoos."""
    return table("hr-seed-property-prediction.summary").pivot(index="method", columns="zoo", values=target)[SEED_ZOOS]


def against(table, second, column="difference"):
    """E_cD against another reading: targets by seed zoos."""
    rows = table("hr-seed-property-prediction.differences")
    return rows[rows["second"] == second].pivot(index="target", columns="zoo", values=column)[SEED_ZOOS]


def verdicts(table, second):
    return against(table, second, "verdict")


def published(table):
    rows = table("hr-seed-property-prediction.published").set_index(["method", "metric"])
    return rows.rename(index={"s(W) as printed in NeurIPS 2021": "s(W)", "E_c+D (NeurIPS 2021)": "E_c+D"}, level=0)


def kinds(table):
    return table("hr-tetris-baselines").pivot(index="features", columns="target", values="value")


def tetris_hyp(table):
    return table("hr-tetris-baselines.hyp").pivot(index="features", columns="target", values="value")


def fixed_seeds(table, target="test_accuracy"):
    rows = table("hr-generating-factors")
    rows = rows[rows["target"] == target].assign(zoo=rows["zoo"].str.removeprefix("digits_"))
    return rows.pivot(index="features", columns="zoo", values="value")


def ten(table):
    return table("hr-hyp-property-prediction.ours").pivot(index="target", columns="features", values="value")


def transfer(table, to, column="value"):
    rows = table("hr-ood")
    return rows[rows["to"] == to].pivot(index="features", columns="target", values=column)


# -- the epoch, and what is known beyond it ----------------------------------------------------------------------------


def inside(table, method, target="test_accuracy"):
    """R² inside epochs beside the clock, means over seeds, by seed zoo."""
    rows = table("hr-seed-property-prediction").query("probe == 'beside the clock' and target == @target")
    names = rows["features"].str.replace(r" \d$", "", regex=True)
    return rows[names == method].groupby("zoo")["within"].mean()[SEED_ZOOS]


@says("In seed zoos most of what a linear probe tells of accuracy is how long a network was trained.")
def _(table):
    scores = means(table, "test_accuracy")
    return (scores.loc["clock"] > 0.9 * scores.drop(index="clock").filter(regex="^(?!.*trees)", axis=0).max()).all()


@says(
    "Beyond that, no difference in accuracy between our embedding and statistics made by hand could be shown, nor between the trained and the untrained encoder."
)
def _(table):
    card = table("disc-scorecard.04b").set_index("claim")
    claims = [f"inside an epoch E_cD tells accuracy better than {name}" for name in ("pooled rows", _UNTRAINED)]
    return bool((card.loc[claims, "verdict"] == "undecided").all())


@says("tells accuracy with an $R^2$ of .90, .98 and 1.00 (Tetris, digits, MNIST). The embedding has .90, .96 and .94")
def _(table):
    return 2, *means(table, "test_accuracy").loc["clock"], *means(table, "test_accuracy").loc["E_cD"]  # of R²


@says(
    "Inside epochs the embedding has .36, .10 and -.05, and {term}`pooled rows`, which its encoder reads before any training, .33, .16 and -.05"
)
def _(table):
    return *inside(table, "E_cD"), *inside(table, "pooled rows")


@says("On MNIST no linear reading beside the clock tells networks of one epoch apart.")
def _(table):
    methods = "E_cD", "untrained", "pooled rows", "s(W)", "random features"
    scores = [inside(table, method, target)["mnist_seed"] for method in methods for target in ("test_accuracy", "gap")]
    return max(scores) < 0.01


@says(
    "On accuracy pooled rows have .89, .96 and .96, random features of s(W) .92, .96 and .97. The embedding is ahead of the first on Tetris alone, and of the second nowhere."
)
def _(table):
    assert (verdicts(table, "pooled rows").loc["test_accuracy"] == "holds").to_list() == [True, False, False]
    ahead = verdicts(table, "random features").loc["test_accuracy"] == "holds"
    scores = means(table, "test_accuracy")
    assert not ahead.any()
    return *scores.loc["pooled rows"], *scores.loc["random features"]


# -- seed zoos --------------------------------------------------------------------------------------------------------


@says("s(W) is ahead in the published table (.977 against .973)")
def _(table):
    rows = published(table)["published"]
    return rows["s(W)", "R2: test accuracy"], rows["E_c+D", "R2: test accuracy"]


@says("Our s(W) is .09 below theirs there")
def _(table):
    return -published(table)["difference"]["s(W)", "R2: test accuracy"]


@says("A linear probe tells accuracy better from the embedding than from s(W) in all three zoos")
def _(table):
    found = verdicts(table, "s(W)").loc["test_accuracy"]
    return (found == "holds").sum()


@says("boosted trees on s(W) tell it better still")
def _(table):
    return bool((verdicts(table, "s(W), trees").loc["test_accuracy"] == "fails").all())


@says("Of the variance of accuracy that s(W) leaves unexplained .66, .63 and .51 remain")
def _(table):
    return against(table, "s(W)", "ratio").loc["test_accuracy"]


@says("The epoch is told at least as well, the gap better in two zoos")
def _(table):
    found = verdicts(table, "s(W)")
    assert (found.loc["epoch"] != "fails").all() and (against(table, "s(W)").loc["epoch"] > 0).all()
    return (found.loc["gap"] == "holds").sum()


@says("Training adds .01, .02 and .13 of accuracy to the untrained encoder")
def _(table):
    return against(table, "untrained").loc["test_accuracy"]


@says("on Tetris nothing to the gap that could be shown")
def _(table):
    return verdicts(table, "untrained").loc["gap", "tetris_seed"] == "undecided"


@says("Statistics of rows stand in both")
def _(table):
    for zoo in SEED_ZOOS:
        trained, untrained = (representation_recipe(name, "laptop").estimator(0) for name in (zoo, f"{zoo}-untrained"))
        apart = {name for name, value in vars(trained).items() if value != vars(untrained)[name]}
        assert trained.statistics and untrained.statistics and apart == {"steps"}
    return True


@says("Trees on s(W) beat the linear probe on the embedding on accuracy and epoch in every zoo, and on the gap in two")
def _(table):
    found = verdicts(table, "s(W), trees") == "fails"
    assert found.loc[["test_accuracy", "epoch"]].all(axis=None)
    return found.loc["gap"].sum()


@says("Trees on the embedding reach .99 of accuracy on MNIST")
def _(table):
    return means(table, "test_accuracy").loc["E_cD, trees", "mnist_seed"]


@says(".72 on the digits' gap (linear .61)")
def _(table):
    rows = table("hr-seed-property-prediction")
    rows = rows[(rows["zoo"] == "digits_seed") & (rows["features"] == "E_cD 0") & (rows["target"] == "gap")]
    return rows.set_index("probe")["value"][["trees", "linear"]]


# -- kinds of representations -----------------------------------------------------------------------------------------

LINEAR = ["W", "PCA"]
KERNELS = ["kernel PCA, poly", "kernel PCA, sigmoid", "kernel PCA, cosine", "UMAP"]
SHORT = ["E_D", "E_c", "E_c+", "E_cD", "E_c+D", "E_c+D as released"]


@says("raw weights and linear maps of them tell next to nothing")
def _(table):
    return bool((kinds(table).loc[LINEAR] < 0.01).all(axis=None))


@says("UMAP and most kernels find no more ($R^2$ up to .01)")
def _(table):
    return 2, kinds(table).loc[KERNELS].max(axis=None)  # of R²


@says("finds accuracy (.82) and epoch (.93)")
def _(table):
    return kinds(table).loc["kernel PCA, rbf", ["test_accuracy", "epoch"]]


@says("Of the short runs with 50 numbers both losses together are best (.885 on accuracy; one seed, undecided on the page before)")
def _(table):
    assert set(table("hr-tetris-baselines").set_index("features").loc[SHORT, "dimensions"]) == {50}
    rows = kinds(table).loc[SHORT]
    assert (rows.idxmax() == "E_cD").all()
    return 50, rows.loc["E_cD", "test_accuracy"]


@says("contrast alone (.879) and reconstruction alone (.868) are not far behind")
def _(table):
    return kinds(table).loc[["E_c", "E_D"], "test_accuracy"]


@says("positives without negatives are last")
def _(table):
    return bool((kinds(table).loc[SHORT].idxmin() == "E_c+").all())


@says("Products of s(W) beat these on accuracy and epoch, not on the gap")
def _(table):
    ahead = kinds(table).loc["s(W) products"] > kinds(table).loc[SHORT].max()
    return bool(ahead["test_accuracy"] and ahead["epoch"] and not ahead["gap"])


@says("the embedding tells accuracy (.82 against .69) and epoch (.36 against .23) better than s(W)")
def _(table):
    rows = tetris_hyp(table)
    return [rows.loc[name, target] for target in ("test_accuracy", "epoch") for name in ("E_cD", "s(W)")]


@says("The untrained encoder is level or ahead in four of six columns, behind on epoch and learning rate")
def _(table):
    rows = tetris_hyp(table)
    ahead = rows.loc["untrained"] > rows.loc["E_cD"]
    assert not ahead["epoch"] and not ahead["log_lr"]
    return ahead.sum(), len(ahead)


# -- fixed and random seeds -------------------------------------------------------------------------------------------


@says("With one fixed seed raw weights tell accuracy (1.00) and epoch (.93)")
def _(table):
    return [fixed_seeds(table, target).loc["W", "1_fix"] for target in ("test_accuracy", "epoch")]


@says("With random seeds the same probe is below −1 on both")
def _(table):
    scores = [fixed_seeds(table, target).loc["W", f"{n}_rand"] for target in ("test_accuracy", "epoch") for n in (1, 5)]
    assert max(scores) < -1
    return -1


@says("Embeddings lose less (accuracy .99 and .98 with fixed seeds, .85 and .83 with random ones)")
def _(table):
    return fixed_seeds(table).loc["E_cD", ["1_fix", "5_fix", "1_rand", "5_rand"]]


@says("so does s(W) (.94 and .88, then .75 and .72)")
def _(table):
    return fixed_seeds(table).loc["s(W)", ["1_fix", "5_fix", "1_rand", "5_rand"]]


@says("From one fixed seed to five, raw weights fall from .93 to .36 on the epoch and from .80 to .50 on the gap")
def _(table):
    scores = [fixed_seeds(table, target).loc["W", f"{n}_fix"] for target in ("epoch", "gap") for n in (1, 5)]
    return 5, *scores


@says("the untrained encoder is within .02 of the trained one on accuracy, in all four zoos")
def _(table):
    rows = fixed_seeds(table)
    apart = (rows.loc["E_cD"] - rows.loc["untrained"]).abs()
    assert apart.max() < 0.02
    return 0.02, len(apart)


# -- ten properties ---------------------------------------------------------------------------------------------------

BEHIND = ["activation", "gap", "log_l2", "train_fraction", "init", "optimizer"]


@says("The embedding tells accuracy (.77 against .55) and the epoch (.27 against .16) better than s(W)")
def _(table):
    return [ten(table).loc[target, name] for target in ("test_accuracy", "epoch") for name in ("E_cD", "s(W)")]


@says("on the rest the two are close")
def _(table):
    apart = (ten(table)["E_cD"] - ten(table)["s(W)"]).drop(["test_accuracy", "epoch"]).abs()
    assert apart.max() <= 0.051
    return 2


@says("It is ahead by .05 on the learning rate and by .03 on dropout")
def _(table):
    return (ten(table)["E_cD"] - ten(table)["s(W)"])[["log_lr", "dropout"]]


@says("level or behind, by at most .03, on the other six")
def _(table):
    leads = (ten(table)["E_cD"] - ten(table)["s(W)"])[BEHIND]
    assert leads.max() < 0.01
    return -leads.min(), len(leads)


@says("Nobody reads l2 or the fraction of training data here ($R^2$ below .1)")
def _(table):
    assert ten(table).loc[["log_l2", "train_fraction"]].max(axis=None) < 0.1
    return 2, 0.1  # of l2 there is no digit that stands alone, of R² there is


@says("The untrained encoder is within .04 of the trained one on nine of ten properties")
def _(table):
    apart = (ten(table)["E_cD"] - ten(table)["untrained"]).abs()
    near = apart.round(2) <= 0.04
    return 0.04, near.sum(), len(near)


@says("has most of the lead on accuracy and epoch")
def _(table):
    rows = ten(table).loc[["test_accuracy", "epoch"]]
    share = (rows["untrained"] - rows["s(W)"]) / (rows["E_cD"] - rows["s(W)"])
    return bool((share > 0.5).all())


@says("From 420 training models raw weights tell nothing of any number")
def _(table):
    assert (ten(table).loc[NUMBERS, "W"] < 0).all()
    return table("hr-hyp-property-prediction.ours")["n_train_models"].unique()


@says("Published, with fifty times as many networks, they are best on start and optimizer")
def _(table):
    theirs, ours = table("hr-zoo-overview").set_index("id"), table("hr-zoo-overview.grown").set_index("zoo")
    assert theirs.loc["unterthiner-mnist", "models"] / ours.loc["mnist_drawn", "models"] == 50
    won = table("hr-hyp-property-prediction.winners").set_index("metric")["wins there"]
    return bool((won[["accuracy: initialisation", "accuracy: optimizer"]] == "W (4)").all())


@says("E_cD on the other eight, on all four image sets")
def _(table):
    won = table("hr-hyp-property-prediction.winners")["wins there"]
    return (won == "E_cD (4)").sum(), 4


# -- carried over -----------------------------------------------------------------------------------------------------


@says("Nothing carries over well: no $R^2$ of any reading reaches .5")
def _(table):
    assert table("hr-ood")["value"].max() < 0.5
    return 2, 0.5  # of R²


@says("orders networks by accuracy ($\\tau$ of .63; s(W) has .56)")
def _(table):
    return transfer(table, "tetris_hyp", "tau").loc[["E_cD", "s(W)"], "test_accuracy"]


@says("predicts it with an $R^2$ of .40, twice that of s(W)")
def _(table):
    rows = transfer(table, "tetris_hyp")["test_accuracy"]
    assert round(rows["E_cD"] / rows["s(W)"]) == 2
    return 2, rows["E_cD"]  # of R²


@says("On the epoch every $R^2$ is below zero")
def _(table):
    assert transfer(table, "tetris_hyp")["epoch"].max() < 0
    return 2, 0  # of R²


@says("To later epochs s(W) extrapolates badly ($R^2$ of −3.4 on accuracy)")
def _(table):
    return 2, transfer(table, "later epochs").loc["s(W)", "test_accuracy"]  # of R²


@says("both encoders stay above zero there; no reading predicts the gap")
def _(table):
    rows = transfer(table, "later epochs")
    assert rows["gap"].max() < 0 < rows.loc[["untrained", "E_cD"], "test_accuracy"].min()
    return 0


@says("the untrained encoder has the higher $R^2$ in both (.43 and .32 against .40 and .19)")
def _(table):
    scores = [transfer(table, to).loc[name, "test_accuracy"] for name in ("untrained", "E_cD") for to in TO]
    return 2, *scores  # of R²


@says("the trained one the higher")
def _(table):
    taus = [transfer(table, to, "tau")["test_accuracy"] for to in TO]
    return all(tau["E_cD"] > tau["untrained"] for tau in taus)


TO = ("tetris_hyp", "later epochs")
