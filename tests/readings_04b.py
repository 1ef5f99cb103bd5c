"""What the page 04b says of the published run, and what that rests on."""

from __future__ import annotations

from functools import partial

from readings import says as _says

from hyperlib.thesis.book_representations import representation_recipe

says = partial(_says, "04b")
SEEDS = ["tetris_seed", "tetris_positive", "digits_seed", "mnist_seed"]
SETTINGS = ["tetris_hyp", "digits_hyp", "mnist_hyp"]
TETRIS = ["tetris_seed", "tetris_positive", "tetris_hyp"]
BESIDE, TREES = "beside the clock", "trees, beside the clock"


def scores(table, features, target="test_accuracy", probe=BESIDE, column="within"):
    """One reading's scores, by zoo."""
    rows = table("hr-seed-property-prediction").query("features == @features and probe == @probe and target == @target")
    return rows.set_index("zoo")[column]


def across(table, features, target="test_accuracy", probe="linear"):
    return scores(table, features, target, probe, "value")


def difference(table, first, second, target="test_accuracy", column="value"):
    """Inside epochs, by zoo."""
    rows = table("hr-seed-property-prediction.differences")
    return rows.query("first == @first and second == @second and target == @target").set_index("zoo")[column]


def unseen(table, first, second, column="value"):
    """In the zoo that was kept aside, by target."""
    rows = table("hr-seed-property-prediction.untouched_differences")
    return rows.query("first == @first and second == @second").set_index("target")[column]


def best(table, name, target="test_accuracy"):
    """R² inside epochs of the readings that are best on validation models, by zoo."""
    rows = table("hr-seed-property-prediction.best").query("features == @name and target == @target")
    return rows.set_index("zoo")["within"]


def verdicts(table, claim):
    """Rows of the scorecard, by case."""
    rows = table("disc-scorecard.04b")
    rows = rows[rows["claim"] == claim].set_index("case")
    assert len(rows), claim
    return rows


def inside(table, first, second, target):
    """Verdicts by zoo, which come in the order of the page's."""
    rows = verdicts(table, f"inside epochs, {WORDS[first]}: better on {target} than {WORDS[second]}")
    return rows.set_axis([*SEEDS, *SETTINGS])


WORDS = {"best": "the best of ours", "ours": "ours", "learned": "answers to learned inputs", "noise": "answers to noise", "statistics": "the best statistics"}
WORDS |= {"untrained": "the same encoder, untrained"}


# -- the answer -------------------------------------------------------------------------------------------------------


READ = ["s(W)", "pooled rows", "all statistics", "random features", "W", "untrained", "ours", "thesis"]


@says("In seed zoos the epoch alone tells accuracy to within .04 of any linear probe that reads weights, or better.")
def _(table):
    clock = across(table, "clock")[SEEDS]
    return max((across(table, name).reindex(SEEDS) - clock).max() for name in READ)  # "thesis" reads two of them


@says("beats the best statistics on accuracy in no zoo; answers to learned inputs do in two of seven, and on the gap in three.")
def _(table):
    assert not (inside(table, "best", "statistics", "accuracy")["verdict"] == "holds").any()
    held = inside(table, "learned", "statistics", "accuracy")["verdict"] == "holds"
    return held.sum(), len(held), (inside(table, "learned", "statistics", "gap")["verdict"] == "holds").sum()


@says("tells accuracy with an $R^2$ of .90, .90, .98 and 1.00 in the four seed zoos, and of .37, .09 and .02 where settings vary")
def _(table):
    clock = across(table, "clock")
    return 2, *clock[SEEDS], len(SEEDS), *clock[SETTINGS]


@says("the best of ours has .34 on Tetris and the best statistics .33; where settings vary statistics are ahead by .03, .14 and .17")
def _(table):
    own, other = (best(table, name)["tetris_seed"] for name in ("best of ours", "best statistics"))
    return own, other, *-difference(table, "best of ours", "best statistics")[SETTINGS]


@says("Answers to learned inputs have .55 on Tetris and .84 where its settings vary, .22 and .11 more than the best statistics.")
def _(table):
    two = ["tetris_seed", "tetris_hyp"]
    return *scores(table, "learned inputs")[two], *difference(table, "learned inputs", "best statistics")[two]


@says("Nothing in them is made by hand")
def _(table):
    return True  # by construction: answers of the network, see `Probing`


@says("In the zoo that was kept aside this is not confirmed: on the gap statistics are ahead")
def _(table):
    assert (unseen(table, "learned inputs", "best statistics") < 0).all()
    return bool(unseen(table, "learned inputs", "best statistics", "high")["gap"] < 0)


# -- the clock --------------------------------------------------------------------------------------------------------


@says("In seed zoos the clock has nearly all that is told of accuracy; where settings vary, statistics have most.")
def _(table):
    clock, all_told = across(table, "clock"), across(table, "+ answers", probe=BESIDE)
    statistics = across(table, "all statistics", probe=BESIDE)
    most = (statistics - clock)[SETTINGS] / all_told[SETTINGS]
    return bool((clock[SEEDS] / all_told[SEEDS] > 0.9).all() and most["digits_hyp"] > 0.5 < most["mnist_hyp"] and most.min() > 0.45)


@says("Statistics add .03, .05, .00 and .00 to the clock in the seed zoos, and bring .37, .09 and .02 to .82, .76 and .77")
def _(table):
    clock, statistics = across(table, "clock"), across(table, "all statistics", probe=BESIDE)
    return *(statistics - clock)[SEEDS], *clock[SETTINGS], *statistics[SETTINGS]


@says("On digits and MNIST the clock has .77 and .89 of the gap, and nothing adds a hundredth.")
def _(table):
    two = ["digits_seed", "mnist_seed"]
    clock = across(table, "clock", "gap")[two]
    levels = [across(table, name, "gap", BESIDE)[two] for name in ("all statistics", "+ ours", "+ answers")]
    assert max((level - clock).max() for level in levels) < 0.01
    return clock


@says("In the three Tetris zoos the untrained encoder adds .02, .10 and .03 to statistics, and its training .02, .01 and .01.")
def _(table):
    levels = [across(table, f"+ {name}", "gap", BESIDE)[TETRIS] for name in ("statistics", "untrained", "ours")]
    return len(TETRIS), *(levels[1] - levels[0]), *(levels[2] - levels[1])


@says("behind the clock by .28 of accuracy on digits and by .39 on MNIST. On CNNs our encoder was trained for 800 and 600 steps only.")
def _(table):
    behind = (across(table, "clock") - across(table, "ours"))[["digits_seed", "mnist_seed"]]
    return *behind, *(dict(representation_recipe(zoo, "laptop").settings)["steps"] for zoo in ("digits_hyp", "mnist_hyp"))


# -- inside epochs ----------------------------------------------------------------------------------------------------


@says("hardly anything tells networks of the MNIST seed zoo apart but their answers to real images (.21 of accuracy).")
def _(table):
    rows = table("hr-seed-property-prediction").query("zoo == 'mnist_seed' and target == 'test_accuracy' and probe == @BESIDE")
    rows = rows.set_index("features")["within"]
    assert rows.drop("real images").max() < 0.05
    return rows["real images"]


@says("the ceiling is .91, .80, .70 and .59 in the seed zoos, and .97 or more in the others")
def _(table):
    tops = table("hr-seed-property-prediction.ceiling").set_index("zoo")["value"]
    return *tops[SEEDS], tops[SETTINGS].min()


@says("Of the gap statistics tell nothing in the seed zoos of Tetris (at most .01), answers to noise .16 and .20, to learned inputs .28 and .29.")
def _(table):
    two = ["tetris_seed", "tetris_positive"]
    told = best(table, "best statistics", "gap")[two]
    answers = [scores(table, name, "gap")[two] for name in ("noise inputs", "learned inputs")]
    assert told.max() <= 0.0149
    return 0.01, *answers[0], *answers[1]


@says("have .79, .83 and .77 of accuracy, trees on all statistics .73, .82 and .79. So most of what statistics tell may be how a network was made.")
def _(table):
    return *scores(table, "settings", probe=TREES)[SETTINGS], *scores(table, "all statistics", probe=TREES)[SETTINGS]


# -- is it learned ----------------------------------------------------------------------------------------------------


@says("on accuracy on Tetris (.22) and Tetris hyp (.11), and on the gap in all three Tetris zoos (.28, .28 and .26); all five stand after Holm.")
def _(table):
    accuracy, gap = (inside(table, "learned", "statistics", target) for target in ("accuracy", "gap"))
    stand = [one.index[(one["verdict"] == "holds") & (one["holm"] == "stands")].tolist() for one in (accuracy, gap)]
    assert stand == [["tetris_seed", "tetris_hyp"], TETRIS]
    return *accuracy.loc[stand[0], "value"], 3, *gap.loc[stand[1], "value"], len(stand[0]) + len(stand[1])


@says("On the gap of digits hyp and MNIST hyp they are behind by .46 and .54.")
def _(table):
    return -difference(table, "learned inputs", "best statistics", "gap")[["digits_hyp", "mnist_hyp"]]


@says("Noise, of which nothing was learned, beats the best statistics on the gap in the same three zoos (.16, .19 and .09), on accuracy nowhere.")
def _(table):
    accuracy, gap = (inside(table, "noise", "statistics", target) for target in ("accuracy", "gap"))
    held = gap.index[(gap["verdict"] == "holds") & (gap["holm"] == "stands")].tolist()
    assert held == TETRIS and not (accuracy["verdict"] == "holds").any()
    return len(held), *gap.loc[held, "value"]


@says("worth .30, .14 and .10 of accuracy on Tetris, Tetris hyp and MNIST hyp (these stand)")
def _(table):
    rows = inside(table, "learned", "noise", "accuracy")
    stand = rows[(rows["verdict"] == "holds") & (rows["holm"] == "stands")]
    assert stand.index.tolist() == ["tetris_seed", "tetris_hyp", "mnist_hyp"]
    return stand["value"]


@says("On digits and MNIST it wins nowhere.")
def _(table):
    others = ["digits_seed", "mnist_seed", "digits_hyp", "mnist_hyp"]
    rows = [inside(table, first, "statistics", target) for first in ("learned", "noise") for target in ("accuracy", "gap")]
    return not any((one.loc[others, "verdict"] == "holds").any() for one in rows)


@says("One gain of training our encoder stands, .29 of accuracy on digits hyp. Others that an interval decides, .14 of accuracy on MNIST hyp, .16 and .19 of the gap on digits hyp and MNIST hyp, fall after Holm.")
def _(table):
    accuracy, gap = (inside(table, "ours", "untrained", target) for target in ("accuracy", "gap"))
    stand, fall, more = (
        rows[(rows["verdict"] == "holds") & (rows["holm"] == word)]["value"]
        for rows, word in ((accuracy, "stands"), (accuracy, "falls"), (gap, "falls"))
    )
    assert not (gap["holm"] == "stands").any() and stand.index.tolist() == ["digits_hyp"]
    assert fall.index.tolist() == ["mnist_hyp"] and more.index.tolist() == ["digits_hyp", "mnist_hyp"]
    return *stand, *fall, *more


# -- the zoo that was kept aside --------------------------------------------------------------------------------------


@says("Nothing is confirmed there: statistics are ahead of learned inputs by .31 on the gap, and of ours by .43 on accuracy and .35 on the gap.")
def _(table):
    rows = table("disc-scorecard.04b")
    rows = rows[rows["claim"].str.startswith("in the zoo that was kept aside")]
    assert not (rows["verdict"] == "holds").any()
    found = rows[rows["verdict"] == "fails"]["value"]
    assert len(found) == 3
    return -found


@says("Those of the gap stand after Holm, that of accuracy falls.")
def _(table):
    rows = table("disc-scorecard.04b")
    rows = rows[rows["claim"].str.startswith("in the zoo that was kept aside") & (rows["verdict"] == "fails")]
    return bool(((rows["holm"] == "stands") == (rows["case"] == "gap")).all())


@says("On accuracy learned inputs against statistics are undecided, and so is learned against noise.")
def _(table):
    rows = [unseen(table, "learned inputs", second, "low")["test_accuracy"] for second in ("best statistics", "noise inputs")]
    tops = [unseen(table, "learned inputs", second, "high")["test_accuracy"] for second in ("best statistics", "noise inputs")]
    return max(rows) < 0 < min(tops)


@says("Answers to real images have .69 of accuracy and .53 of the gap there, learned inputs .10 and .13")
def _(table):
    rows = table("hr-seed-property-prediction.untouched").query("probe == @BESIDE")
    rows = rows.pivot(index="features", columns="target", values="within")[["test_accuracy", "gap"]]
    return *rows.loc["real images"], *rows.loc["learned inputs"]


@says("Trees on the settings have .74 of accuracy and trees on all statistics .56")
def _(table):
    rows = table("hr-seed-property-prediction.untouched").query("probe == @TREES and target == 'test_accuracy'")
    return rows.set_index("features")["within"][["settings", "all statistics"]]


# -- published --------------------------------------------------------------------------------------------------------


def published(table):
    return table("hr-seed-property-prediction.published").set_index("method")


@says("they tell .41 of accuracy and .44 of the epoch where weights begin in U(0, 1), as published, and -.02 of both from our start")
def _(table):
    accuracy, epoch = (across(table, "W", target) for target in ("test_accuracy", "epoch"))
    assert round(epoch["tetris_seed"], 2) == -0.02
    return accuracy["tetris_positive"], epoch["tetris_positive"], 0, 1, accuracy["tetris_seed"]


@says("Published, W has .97 and .92 of accuracy, and s(W) .98 to .99. Our s(W) has .88 there, and .91 in the zoo with the published start.")
def _(table):
    rows = published(table)["test_accuracy"]
    theirs = rows[["s(W), 2021", "s(W), SANE", "s(W), Model Zoos"]]
    return *rows[["W, SANE", "W, Model Zoos"]], theirs.min(), theirs.max(), *rows[["s(W), mnist_seed", "s(W), tetris_positive"]]


@says("The clock has 1.00 of accuracy in our MNIST zoo, and W -3.42")
def _(table):
    return published(table).loc[["clock, mnist_seed", "W, mnist_seed"], "test_accuracy"]


@says("On MNIST our encoder has .60 of accuracy, far behind the published .97 and .98; it is small, and trained for 600 steps.")
def _(table):
    rows = published(table)["test_accuracy"]
    steps = dict(representation_recipe("mnist_seed", "laptop").settings)["steps"]
    return *rows[["ours, mnist_seed", "E_c+D, 2021", "SANE, SANE"]], steps


# -- trials -----------------------------------------------------------------------------------------------------------

VARIATIONS = ["four times as long", "contrast alone", "reconstruction alone", "any checkpoints in a batch"]
VARIATIONS += ["parts erased, clean target", "noise of 0.2", "twice as wide", "summary token"]
VARIATIONS += ["mean over 8 orders of units", "canonical order, no permutations"]


def trials(table, zoo):
    return table("hr-trials").query("zoo == @zoo").set_index("trial")[["test_accuracy", "gap"]]


@says("On Tetris no change of the training tells much more than our configuration does")
def _(table):
    rows = trials(table, "tetris_seed")
    return bool((rows.loc[VARIATIONS].max() - rows.loc["ours"] < 0.03).all())


@says("on digits more steps, more width and above all statistics made by hand help. Answers to 64 learned inputs tell more of accuracy than all of them.")
def _(table):
    rows = trials(table, "digits_hyp")["test_accuracy"]
    helped = rows[["four times as long", "twice as wide", "with statistics of rows"]]
    assert (helped > rows["ours"] + 0.05).all() and helped.idxmax() == "with statistics of rows"
    answers = [trials(table, zoo).loc["answers to 64 learned inputs", "test_accuracy"] for zoo in ("tetris_seed", "digits_hyp")]
    others = [trials(table, zoo).loc[[*VARIATIONS, "ours", "all statistics"], "test_accuracy"].max() for zoo in ("tetris_seed", "digits_hyp")]
    assert answers[0] > others[0] and answers[1] > others[1]
    return 64


@says("On Tetris ours has .31 of accuracy and .07 of the gap, all statistics .30 and .01. Variations of ours reach .33 and .07 at most.")
def _(table):
    rows = trials(table, "tetris_seed")
    return *rows.loc["ours"], *rows.loc["all statistics"], *rows.loc[VARIATIONS].max()


@says("training four times as long brings accuracy from .46 to .58; statistics of rows in the input bring it to .73, and all statistics have .76 without an encoder.")
def _(table):
    rows = trials(table, "digits_hyp")["test_accuracy"]
    return 4, *rows[["ours", "four times as long", "with statistics of rows", "all statistics"]]


@says("Answers to 16 noise inputs have .81 there, to 64 learned ones .87; on Tetris .09 and .53.")
def _(table):
    names = ["answers to 16 noise inputs", "answers to 64 learned inputs"]
    first, second = (trials(table, zoo).loc[names, "test_accuracy"] for zoo in ("digits_hyp", "tetris_seed"))
    return 16, first.iloc[0], 64, first.iloc[1], *second
