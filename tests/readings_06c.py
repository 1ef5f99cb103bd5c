"""What page 06c says of the published run."""

from __future__ import annotations

from readings import says


def _barriers(t):
    return t("sane-foreign.barriers").pivot_table(index="network", columns="setting", values="barrier")


def _verdicts(t, claim):
    return t("disc-scorecard.06c").set_index(["claim", "case"]).loc[claim]


@says("06c", "Order is nearly the whole barrier in perceptrons, most of it in the CNN and more than half of it in the LSTM.")
def _(t):
    left = _barriers(t)["with signs"] / _barriers(t)["two seeds"]
    return left["MLP"] < 0.1 and 0.1 < left["CNN with norms"] < 0.25 and 0.2 < left["LSTM"] < 0.5


@says("06c", "In the transformer it is not.")
def _(t):
    lowered = _verdicts(t, "the order of units lowers it")
    return lowered.loc["transformer", "verdict"] == "undecided" and (lowered["verdict"] == "holds").sum() == 3


@says("06c", "a lower barrier in the MLP (.36 to .03), the CNN (1.39 to .21) and the LSTM (1.33 to .57)")
def _(t):
    means = _barriers(t).loc[["MLP", "CNN with norms", "LSTM"], ["two seeds", "aligned"]]
    return means.to_numpy().ravel().tolist()


@says("06c", "Signs take more off in the LSTM (.35), and not surely elsewhere.")
def _(t):
    further = _verdicts(t, "signs lower it further")["verdict"]
    assert further["LSTM"] == "holds" and set(further.drop("LSTM")) == {"undecided"}
    return [_barriers(t).loc["LSTM", "with signs"]]


@says("06c", "(1.85 as trained, 1.89 aligned, 1.65 with signs)")
def _(t):
    return _barriers(t).loc["transformer", ["two seeds", "aligned", "with signs"]].tolist()


@says("06c", "All its planted orders are found")
def _(t):
    planted = t("sane-foreign.planted").query("network == 'transformer'")
    return (planted["found"] == planted["copies"]).all()


@says("06c", "two seeds differ by more than order")
def _(t):
    return _barriers(t).loc["transformer", "with signs"] > 0.5 * _barriers(t).loc["transformer", "two seeds"]


@says("06c", "has a barrier as high as another seed's")
def _(t):
    means = _barriers(t)
    return (means["own copy"] > 0.9 * means["two seeds"]).all()


@says("06c", "(R² of .95), far better than its learning rate (.47)")
def _(t):
    told = t("sane-foreign.probes").set_index("features")["value"]
    return told["statistics"], told["settings"]


@says("06c", "Raw weights are of no use (.00)")
def _(t):
    return [t("sane-foreign.probes").set_index("features")["value"]["raw weights"]]


@says("06c", "from 5.8 to 1.8 in the first layer and from 5.5 to 1.7 in the second")
def _(t):
    rows = t("sane-foreign.spectra").set_index(["name", "epoch"])["alpha"]
    return [rows[layer][epoch] for layer in ("1.weight", "3.weight") for epoch in (0, 20)]


@says("06c", "the stable rank is halved at least")
def _(t):
    rows = t("sane-foreign.spectra").set_index(["name", "epoch"])["stable_rank"].unstack().loc[["1.weight", "3.weight"]]
    return (rows[20] < 0.5 * rows[0]).all()


_OTHERS = "nearly all of it in a perceptron, most in a CNN and an LSTM (1.39 to .20, 1.33 to .35), not in a transformer (1.85 to 1.65)"


@says("README", _OTHERS)
def _(t):
    means = _barriers(t).loc[["CNN with norms", "LSTM", "transformer"], ["two seeds", "with signs"]]
    assert _barriers(t).loc["MLP", "with signs"] < 0.1 * _barriers(t).loc["MLP", "two seeds"]
    return means.to_numpy().ravel().tolist()


@says("README", "R² of .95 from statistics of their weights")
def _(t):
    return [t("sane-foreign.probes").set_index("features")["value"]["statistics"]]


@says("06c", "Every move that is offered holds, in networks of eight kinds.")
def _(t):
    moves = t("sane-foreign.moves").query("offered")
    assert moves["holds"].astype(bool).all()
    return [moves["network"].nunique()]
