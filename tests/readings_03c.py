"""What page 03c says of the published run."""

from __future__ import annotations

from readings import says

from hyperlib.thesis import published

NOISE, SIZE = "variational dropout", "magnitude"
BY_LAYER, TWICE, MASK = "magnitude, layer shares of dropout", "the same, twice the epochs", "mask of dropout, no noise"


def _middle(t, measure):
    return t("zoo-sparse-vd").query("measure == @measure").set_index("epoch")


def _swept(t, column="accuracy"):
    """A row per way, a column per price."""
    return t("zoo-sparse-magnitude").pivot_table(index="way", columns="price", values=column)


def _mnist(t, column="accuracy"):
    return t("zoo-sparse-magnitude.mnist").pivot_table(index="way", columns="epochs", values=column)


def _verdicts(t, claim):
    return t("disc-scorecard.03c").set_index(["claim", "case"]).loc[claim]


@says("03c", "Half-way (epoch 10) 64 % of the weights are gone, published 67 %; at the end 86 % against 79 %.")
def _(t):
    gone = _middle(t, "sparsity") * 1
    return 10, *(100 * gone.loc[epoch, side] for epoch in (10, 25) for side in ("ours", "published"))


@says("03c", "Until then accuracy falls from .936 to .881, published from .911 to .884. At the end ours have .808, theirs .874:")
def _(t):
    told = _middle(t, "test_accuracy")
    until = [told.loc[epoch, side] for side in ("ours", "published") for epoch in (0, 10)]
    return *until, *told.loc[25, ["ours", "published"]]


@says("03c", "when about 80 % were gone (epoch 20), ours had lost 10.6 points, not two.")
def _(t):
    row = _verdicts(t, "at about 80 % sparsity variational dropout has lost no more than 2 % of accuracy").iloc[0]
    gone = _middle(t, "sparsity").loc[20, "ours"]
    readme = published.published("zoo-sparse-vd", method="variational dropout")
    printed = readme[readme["metric"] == "accuracy loss %, 25 epochs"]["value"].iloc[0]
    return 100 * gone, 20, 100 * row["value"], printed


@says("03c", "the gap at the end is -.28, the published one -.04.")
def _(t):
    return tuple(_middle(t, "gap").loc[25, ["ours", "published"]])


@says("03c", "Ours see a tenth of the images and make a fortieth of the steps")
def _(t):
    theirs, ours = published.zoo_record("mnist-seed"), 4000
    return 8 < 50_000 / ours < 13 and theirs["batch_size"] == 10 and (50_000 / 10) / (ours / 32) == 40


@says("03c", "Both halves of the published claim hold.")
def _(t):
    below = _verdicts(t, "below 80 % sparsity magnitude keeps more accuracy than variational dropout")["verdict"]
    above = _verdicts(t, "above 80 % it keeps less")["verdict"]
    return (below == "holds").all() and (above == "holds").sum() >= 2 and not (above == "fails").any()


@says("03c", "But the mask of variational dropout, without its noise, is better than either.")
def _(t):
    ways = _swept(t)
    return (ways.loc[MASK] > ways.loc[[NOISE, SIZE]].max()).all()


@says("03c", "Below 80 % magnitude keeps more in all four cases: .921 against .878 at 64 % on digits, .924 against .878 on MNIST.")
def _(t):
    below = _verdicts(t, "below 80 % sparsity magnitude keeps more accuracy than variational dropout")["verdict"]
    digits, mnist, gone = _swept(t), _mnist(t), _swept(t, "sparsity").loc[SIZE, 1.0]
    held = (below == "holds").sum() if (below == "holds").all() else -1
    return 80, held, digits.loc[SIZE, 1.0], digits.loc[NOISE, 1.0], 100 * gone, mnist.loc[SIZE, 10], mnist.loc[NOISE, 10]


_ABOVE = "variational dropout keeps more on digits at 89 % (.494 against .320) and on MNIST at 86 % (.802 against .309)"


@says("03c", _ABOVE)
def _(t):
    digits, mnist = _swept(t), _mnist(t)
    gone = _swept(t, "sparsity").loc[SIZE, 3.0], _mnist(t, "sparsity").loc[SIZE, 25]
    first = 100 * gone[0], digits.loc[NOISE, 3.0], digits.loc[SIZE, 3.0]
    return *first, 100 * gone[1], mnist.loc[NOISE, 25], mnist.loc[SIZE, 25]


@says("03c", "with dropout's shares of the layers it has .559, more than dropout itself.")
def _(t):
    ways = _swept(t)[3.0]
    return [ways[BY_LAYER] if ways[BY_LAYER] > ways[NOISE] else -1]


@says("03c", "has .785 at 89 %. Magnitude in the same shares and with twice the epochs has .622.")
def _(t):
    ways = _swept(t)[3.0]
    return ways[MASK], 100 * _swept(t, "sparsity").loc[MASK, 3.0], ways[TWICE]


def _layers(t):
    return t("zoo-sparse-layerwise").query("epoch == 25").set_index("way").drop(columns="epoch")


@says("03c", "Both ways empty the largest layer of weights, the second convolution, first.")
def _(t):
    return (_layers(t).idxmax(axis=1) == "conv2").all()


@says("03c", "variational dropout has taken 94 % of its weights, magnitude 99.95 %: next to nothing")
def _(t):
    return [100 * _layers(t).loc[way, "conv2"] for way in (NOISE, SIZE)]


@says("03c", "The last layer keeps most: 53 % of it are gone by variational dropout, 34 % by magnitude.")
def _(t):
    layers = _layers(t)
    assert (layers.idxmin(axis=1) == "fc2").all()
    return [100 * layers.loc[way, "fc2"] for way in (NOISE, SIZE)]


def _alike(t):
    return t("zoo-sparse-agreement.means").set_index(["zoo", "way"])


@says("03c", "twins call .940 of the digits and .939 of MNIST as their originals do; other originals agree with them on .910 and .912.")
def _(t):
    rows = [_alike(t).loc[zoo, SIZE] for zoo in ("digits", "MNIST")]
    return *(row["agreement"] for row in rows), *(row["others"] for row in rows)


@says("03c", "Variational dropout leaves .908 and .893, against .888 and .879.")
def _(t):
    rows = [_alike(t).loc[zoo, NOISE] for zoo in ("digits", "MNIST")]
    return *(row["agreement"] for row in rows), *(row["others"] for row in rows)


@says("03c", "a twin agrees with its original on .554 and .571, with others on .192 and .173.")
def _(t):
    rows = [_alike(t).loc["digits hyp", way] for way in (NOISE, SIZE)]
    return *(row["agreement"] for row in rows), *(row["others"] for row in rows)


@says("03c", "Accuracies are highly correlated there (.84 and .96).")
def _(t):
    return [_alike(t).loc["digits hyp", way]["correlation"] for way in (NOISE, SIZE)]


@says("03c", "they are not (.09 to .55).")
def _(t):
    found = _alike(t).loc[["digits", "MNIST"], "correlation"]
    return found.min(), found.max()


def _known(t, column):
    rows = t("zoo-sparse-agreement.representations")
    return rows.pivot_table(index=["way", "features"], columns="price", values=column)


@says("03c", "raw weights never do.")
def _(t):
    return bool((_known(t, "found").xs("W", level="features") == 1).all().all())


@says("03c", "raw weights find every twin. An untrained network finds .53 (variational dropout) and .91 (magnitude) of them, ours .04 and .44.")
def _(t):
    found = _known(t, "found")[3.0]
    assert (found.xs("W", level="features") == 1).all()
    return [found[way, reader] for reader in ("untrained", "ours") for way in (NOISE, SIZE)]


@says("03c", "the probe on it predicts .98, .86, .74, .63 and .52 from the lowest price to the dearest, in truth they have .94, .88, .79, .68 and .49.")
def _(t):
    told, true = (_known(t, column).loc[NOISE, "ours"] for column in ("predicted", "accuracy"))
    return *told, *true


@says("03c", ".85 predicted at the dearest price, .32 in truth.")
def _(t):
    return [_known(t, column).loc[(SIZE, "ours"), 3.0] for column in ("predicted", "accuracy")]
