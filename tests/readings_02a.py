"""What page 02a says of the published runs."""

from __future__ import annotations

from readings import says as _says


def says(phrase):
    return _says("02a", phrase)


def runs(t):
    return t("ws-trajectories-dendrogram.recovered").set_index("zoo").loc[["mnist_seed", "tetris_seed"]]


def changes(t, population, definition="matrix"):
    rows = t("ws-entropy.changes")
    rows = rows[(rows["population"] == population) & (rows["definition"] == definition)]
    return rows.set_index("layer")


# -- runs --------------------------------------------------------------------------------------------------------------


@says("Distances give all models back without an error, and the order of the epochs of every run")
def _(t):
    return bool((runs(t)[["rand_ward", "rand_average", "tau_radius", "tau_path"]] == 1).all(axis=None))


@says("training takes them farther: from 13.9 to 20.3 on MNIST and from 6.0 to 13.6 on Tetris")
def _(t):
    return runs(t)[["first_apart", "last_apart"]].to_numpy().ravel()


@says("On MNIST models are 17.7 apart and a run is 12.6 long")
def _(t):
    return runs(t).loc["mnist_seed", ["apart", "length"]]


@says("on Tetris a run is as long as the models are apart, 9.4 against 9.3")
def _(t):
    return runs(t).loc["tetris_seed", ["length", "apart"]]


@says("on MNIST to 14 % of the first and on Tetris to 41 %")
def _(t):
    return 100 * runs(t)["last_step"]


@says("But only 88 and 65 % are shorter")
def _(t):
    return 100 * runs(t)["shrinking_steps"]


@says("a step turns by 47 degrees (median) on MNIST and by 16 on Tetris")
def _(t):
    return runs(t)["median_turn"]


@says("The height of the first step is near the blog's, 1.8 against 2. Our models join twice as high (17.4 against 8)")
def _(t):
    rows = t("ws-trajectories-dendrogram").set_index("metric")
    first, between = (rows.loc[rows.index.str.startswith(word)].iloc[0] for word in ("first", "between"))
    assert 1.8 < between["ours"] / between["published"] < 2.3
    return first["ours"], first["published"], between["ours"], between["published"]


@says("longer (.26 against .1)")
def _(t):
    late = t("ws-trajectories-dendrogram").set_index("metric").loc["late-step merge height"]
    return late["ours"], late["published"]


# -- entropy -----------------------------------------------------------------------------------------------------------


@says("by .17 in the large CNN with weight decay, and by .02 without")
def _(t):
    return [-changes(t, name).loc["mean", "change"] for name in ("large CNN, weight decay", "large CNN")]


@says("67 against 57 % of the test images are right")
def _(t):
    rows = t("ws-entropy.populations").set_index("population")["test_accuracy"]
    return 100 * rows[["large CNN, weight decay", "large CNN"]]


@says("The MiniAlexNets fall by .002, nearly all of it in two epochs; they are two models")
def _(t):
    rows = t("ws-entropy").query("population == 'MiniAlexNet' and layer == 'mean'").set_index("epoch")["matrix_mean"]
    epoch = next(epoch for epoch in rows.index if rows[0] - rows[epoch] > 0.9 * (rows[0] - rows.iloc[-1]))
    return rows[0] - rows.iloc[-1], epoch, changes(t, "MiniAlexNet").loc["mean", "models"]


@says("The small CNN is undecided. It rises for some epochs before it falls")
def _(t):
    mean = changes(t, "small CNN").loc["mean"]
    return bool(mean["low"] < 0 < mean["high"] and 1 < mean["highest_at"] < 10)


@says("falls in every model, the last layer rises in 97 %")
def _(t):
    rows = changes(t, "small CNN")
    assert rows.loc["fc1", "fell"] == 1
    return 100 * (1 - rows.loc["fc2", "fell"])


@says("it rises in all models")
def _(t):
    return bool(changes(t, "small CNN from U(0, 1)").loc["mean", "fell"] == 0)


@says("three quarters of their power in one direction")
def _(t):
    return 0.5**2 / (0.5**2 + 1 / 12) == 0.75


@says("From $U(0, 1)$, where")
def _(t):
    return 0, 1


@says("the two definitions disagree in many layers")
def _(t):
    wide = t("ws-entropy.changes").pivot(index=["population", "layer"], columns="definition", values="verdict")
    return bool((wide["matrix"] != wide["histogram"]).mean() > 0.3)


# -- tails -------------------------------------------------------------------------------------------------------------


def tails(t):
    return t("ws-esd-phases.tails").set_index(["layer", "batch"])


@says(
    "Only the smallest batch makes a tail that shuffled weights do not have, and it is clear in the first layer alone."
)
def _(t):
    rows = t("disc-scorecard.02a")
    rows = rows[rows["claim"] == "the tail is heavier than that of shuffled weights"].set_index("case")
    held = rows[rows["verdict"] == "holds"]
    return set(held.index) == {"fc1, batch 8", "fc2, batch 8"} and set(held.index[held["holm"] == "stands"]) == {
        "fc1, batch 8"
    }


@says("At the start every spectrum ends where the law says.")
def _(t):
    return bool((t("ws-esd-phases").query("epoch == 0")["outside"] == 0).all())


@says("nothing has left the law at batch size 256")
def _(t):
    rows = t("ws-esd-phases")
    assert (rows[(rows["epoch"] == rows["epoch"].max()) & (rows["batch"] == 256)]["outside"] == 0).all()
    return 256


@says("At 32 the edge frays (1.1 % of the first layer's values are beyond), and at 8 it dissolves")
def _(t):
    return 32, 100 * tails(t).loc[("fc1", 32), "outside"], 8


@says("into a tail (7.0 %) 3.5 times as long")
def _(t):
    row = tails(t).loc[("fc1", 8)]
    return 100 * row["outside"], row["largest"]


@says("The exponent of that tail is 2.6, and of shuffled weights 4.4 or more; {cite}`martin2021` find 2 to 4")
def _(t):
    return *tails(t).loc[("fc1", 8), ["alpha", "null_low"]], 2, 4


@says("it is 3.6 against 4.4, which does not stand")
def _(t):
    return tails(t).loc[("fc2", 8), ["alpha", "null_low"]]


@says("Exponents of 6.7 and 12.4 at the larger batches say nothing: those of shuffled weights go up to 22.")
def _(t):
    rows = tails(t).loc["fc1"]
    assert (rows.loc[[32, 256], "alpha"] > rows.loc[[32, 256], "null_low"]).all()
    return *rows.loc[[32, 256], "alpha"], rows.loc[256, "null_high"]


@says("at equal steps 5.8 % of the first layer's values lie beyond the law at batch size 8 and 1.1 % at 32.")
def _(t):
    rows = t("ws-esd-phases.equal_steps").query("layer == 'fc1' and pair == '8 and 32'")
    outside = 100 * rows.groupby("batch")["outside"].mean()
    return outside[8], 8, outside[32], 32
