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


@says("*Don't believe* that it does between trainings (.03), or after units changed places.")
def _(t):
    copies = held(t, "02b", "|r| of l2 and CKA falls to less than half at the first copy")
    assert copies[0] == copies[1]
    return cases(t, "02b", NEAR).loc["15 seeds, last epoch", "value"]


@says("Alignment shortens distances between seeds by 7 to 20 % only.")
def _(t):
    table = t("ws-interpolation-lmc").pivot(index="network", columns="setting", values="distance")
    shorter = 100 * (1 - table["aligned"] / table["two seeds"])
    return shorter.min(), shorter.max()


@says("**Within one training yes; between trainings we did not find one.**")
def _(t):
    found = cases(t, "02b", NEAR)["verdict"]
    return bool(found["checkpoints of 20 runs"] == "holds" and found["15 seeds, last epoch"] != "holds")


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


@says("settings vary (R² of .55 from both, where the encoder untrained has .63)")
def _(t):
    first, ours, start = (told(t, name, "test_accuracy")["value"] for name in ("s(W)", "ours", "untrained"))
    assert abs(first - ours) < 0.01
    return (first + ours) / 2, start


@says("Of dropout and weight decay they tell little or nothing, whoever reads them.")
def _(t):
    readers = ("W", "s(W)", "untrained", "ours")
    return all(told(t, name, target)["value"] < 0.15 for name in readers for target in ("dropout", "log_l2"))


@says("**They reveal it, but most of it can be had for less.**")
def _(t):
    better, of = held(t, "04c", "ten properties: ours tells it better than s(W)")
    return better < of / 2


@says("our embedding is ahead of the clock, which sees no weight, in only 4 of 7 zoos")
def _(t):
    return held(t, "04b", "over all checkpoints ours tells accuracy better than the clock")


@says("inside epochs our best is ahead of the best statistics in 0 of 7 zoos, and behind in 3")
def _(t):
    found = cases(t, "04b", "inside epochs, the best of ours: better on accuracy than the best statistics")["verdict"]
    return (found == "holds").sum(), len(found), (found == "fails").sum()


@says("of ten properties 4 are told better than by the same encoder, untrained")
def _(t):
    better, of = held(t, "04c", "ten properties: training helps")
    return of, better


@says("with .91 to .96 of the zoo's accuracy in the zoo of small CNNs")
def _(t):
    found = cases(t, "05a", "drawn with answers: at least .85 of the zoo's accuracy")["value"]
    return found.min(), found.max()


@says("in raw weights and by a decoder that learned from weights it draws networks that it was trained on, slightly moved; by one that learned")
def _(t):
    found = cases(t, "05a", "the released sampler draws replicas of training networks")["measured"]
    return found.str.split(",").str[0].tolist() == ["replica", "replica", "interpolation"]


@says("in chapter 6 replicas in 6 of 6 cases")
def _(t):
    return held(t, "06b", "networks of the released sampler are replicas")


@says("drawn networks are closer together than the zoo (.67 to .71 of its distances, by how they are drawn)")
def _(t):
    found = cases(t, "05a", "drawn with answers: at least .7 as far apart as the zoo")["value"]
    return found.min(), found.max()


@says("on their own images they are ahead of the mean of the zoo at first (6 of 6 cases after one epoch); after more epochs in 2 of 4.")
def _(t):
    first, later = (f"drawn with answers: ahead of the mean of all after {when}" for when in ("one epoch", "more epochs"))
    return *held(t, "05b", first), *held(t, "05b", later)


@says("in 6 of 6 cases on their own images, and in 6 of 6 on other ones")
def _(t):
    own, other = "drawn with answers: ahead of scratch", "on other images, drawn networks: ahead of scratch"
    return *held(t, "05b", own), *held(t, "05b", other)


@says("**Better than random starts in every case; better than the mean of the zoo on the same images and early only.**")
def _(t):
    scratch = held(t, "05b", "drawn with answers: ahead of scratch")
    after = cases(t, "05b", "drawn with answers: ahead of the mean of all after more epochs")["verdict"]
    first = held(t, "05b", "drawn with answers: ahead of the mean of all after one epoch")
    late = after[after.index.str.endswith("epoch 25")]
    return bool(scratch[0] == scratch[1] and first[0] == first[1] and len(late) and (late == "fails").all())


@says("The mean of all networks, aligned, is as good there or better: drawn ones are ahead in 0 of 6 cases.")
def _(t):
    return held(t, "05b", "on other images, drawn networks: ahead of the mean of all")


@says("What the zoo itself cost is in neither account.")
def _(t):
    return not [column for column in t("ghr-finetune") if "second" in column or "cost" in column]


@says("are ahead of new ones, too, in three of 3 architectures")
def _(t):
    return held(t, "06b", "and so are networks drawn around the prompts in raw weights")


@says("it orders layers better than untrained encoders, the weights themselves and random matrices do in one of 5 families")
def _(t):
    return held(t, "06c", "it does so better than untrained, weights and random matrices")
