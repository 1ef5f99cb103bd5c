"""What page 07 says of the published runs."""

from __future__ import annotations

from functools import partial

from readings import says as _says

says = partial(_says, "07_discussion")


def cases(t, page, claim):
    """Verdicts and what was measured of a claim, by case."""
    table = t(f"disc-scorecard.{page}")
    return table[table["claim"] == claim].set_index("case")


def held(t, page, claim):
    """In how many cases a claim holds, of how many."""
    found = cases(t, page, claim)["verdict"]
    return int((found == "holds").sum()), len(found)


NEAR = "near in weight space means alike in answers (r of distance and CKA < -0.5)"


@says("distances alone give the networks back, and the order of their epochs, without an error in either zoo")
def _(t):
    table = t("ws-trajectories-dendrogram.recovered").set_index("zoo").loc[["mnist_seed", "tetris_seed"]]
    order = cases(t, "02a", "distances give the order of epochs (τ above 0.9)")
    return bool((order["value"].round(3) == 1).all() and len(table) == len(order))


@says("the correlation of distance and likeness of answers is -.89 there")
def _(t):
    return cases(t, "02b", NEAR).loc["checkpoints of 20 runs", "value"]


@says("*Don't believe* that it does between trainings (.03), or after units changed places. There the distance is mostly that of")
def _(t):
    copies = held(t, "02b", "|r| of l2 and CKA falls to less than half at the first copy")
    assert copies[0] == copies[1]
    return cases(t, "02b", NEAR).loc["15 seeds, last epoch", "value"]


@says("in other networks than those of the thesis it holds in one of 3 populations")
def _(t):
    return held(t, "02a", "it falls in other networks, too")


def told(t, features, target):
    rows = t("hr-hyp-property-prediction.ours")
    return rows[(rows["features"] == features) & (rows["target"] == target) & (rows["probe"] == "linear")].iloc[0]


@says("such as the activation (.83 of 90 unseen networks from statistics, .74 from ours)")
def _(t):
    first, ours = (told(t, name, "activation") for name in ("s(W)", "ours"))
    return first["value"], first["n_test_models"], ours["value"]


@says("the accuracy of zoos whose settings vary (R² of .55 from both)")
def _(t):
    first, ours = (told(t, name, "test_accuracy")["value"] for name in ("s(W)", "ours"))
    assert abs(first - ours) < 0.01
    return (first + ours) / 2


@says("Of dropout and weight decay they tell little or nothing, whoever reads them.")
def _(t):
    readers = ("W", "s(W)", "untrained", "ours")
    return all(told(t, name, target)["value"] < 0.15 for name in readers for target in ("dropout", "log_l2"))


@says("**They reveal it, but most of it can be had for less.**")
def _(t):
    better, of = held(t, "04c", "ten properties: ours tells it better than s(W)")
    return better < of / 2


@says("is behind our embedding in four of 7 zoos only")
def _(t):
    return held(t, "04b", "over all checkpoints ours tells accuracy better than the clock")


@says("inside epochs our best is ahead of the best statistics in zero of 7 zoos, and behind in 3")
def _(t):
    found = cases(t, "04b", "inside epochs, the best of ours: better on accuracy than the best statistics")["verdict"]
    return (found == "holds").sum(), len(found), (found == "fails").sum()


@says("of ten properties 4 are told better than by the same encoder, untrained")
def _(t):
    better, of = held(t, "04c", "ten properties: training helps")
    return of, better


@says("with .91 of the zoo's accuracy in the zoo of small CNNs")
def _(t):
    return cases(t, "05a", "drawn with answers: at least .85 of the zoo's accuracy").loc["KDE independent", "value"]


@says("with two of 3 decoders here, with the third points between them")
def _(t):
    found = cases(t, "05a", "the released sampler draws replicas of training networks")
    assert found["measured"].iloc[-1].startswith("interpolation")
    return (found["verdict"] == "holds").sum(), len(found)


@says("in chapter 6 replicas in 6 of 6 cases")
def _(t):
    return held(t, "06b", "networks of the released sampler are replicas")


@says("drawn networks are closer together than the zoo (.71 of its distances)")
def _(t):
    return cases(t, "05a", "drawn with answers: at least .7 as far apart as the zoo").loc["KDE independent", "value"]


@says("in 6 of 6 cases on their own images, and in 6 of 6 on other ones")
def _(t):
    own, other = "drawn with answers: ahead of scratch", "on other images, drawn networks: ahead of scratch"
    return *held(t, "05b", own), *held(t, "05b", other)


@says("**Better than random starts in every case; better than the mean of the zoo early in training only.**")
def _(t):
    scratch = held(t, "05b", "drawn with answers: ahead of scratch")
    after = cases(t, "05b", "drawn with answers: ahead of the mean of all after more epochs")["verdict"]
    first = held(t, "05b", "drawn with answers: ahead of the mean of all after one epoch")
    late = after[after.index.str.endswith("epoch 25")]
    return bool(scratch[0] == scratch[1] and first[0] == first[1] and len(late) and (late == "fails").all())


@says("The mean of all networks, aligned, is as good on other images or better: drawn ones are ahead in zero of 6 cases.")
def _(t):
    return held(t, "05b", "on other images, drawn networks: ahead of the mean of all")


@says("What the zoo itself cost is in neither account.")
def _(t):
    return not [column for column in t("ghr-finetune") if "second" in column or "cost" in column]


@says("are ahead of new ones, too, in three of 3 architectures")
def _(t):
    return held(t, "06b", "and so are networks drawn around the prompts in raw weights")


@says("it orders layers better than untrained encoders and the weights themselves do in two of 5 families")
def _(t):
    return held(t, "06c", "it does so better than untrained, weights and random matrices")
