"""What page 03b says of the published runs."""

from __future__ import annotations

from readings import says

from hyperlib.thesis import published

CURVE, STEPS = "paper/ghr-finetune.b_t", "zoo-accuracy-over-epochs.mnist_steps"


def _steps(t):
    return t(STEPS).set_index("epoch")


@says("03b", "near chance (12 % on average)")
def _(t):
    return 100 * _steps(t).loc[1, "mean"]


@says("03b", "After one epoch on few images all models are near chance")
def _(t):
    return bool(_steps(t).loc[1, "max"] < 0.2)


@says("03b", "20.1 % against 20.6 %, on a twelfth of the images")
def _(t):
    found = _steps(t)
    near = found.loc[(found["steps"] - 5000).abs().idxmin()]
    return 100 * near["mean"], 100 * t(CURVE).set_index("epoch").loc[1, "published"]


@says("03b", "within 0.2 points of the published ones at all three epochs")
def _(t):
    rows = t(CURVE).query("epoch > 0")
    return bool(len(rows) == 3 and (100 * rows["difference"].abs() < 0.25).all())


@says("03b", "At epochs 1, 25 and 50: 20.5, 83.2 and 91.1 % against 20.6, 83.3 and 91.1 %.")
def _(t):
    rows = t(CURVE).query("epoch > 0")
    return [*rows["epoch"], *(100 * rows["ours"]), *(100 * rows["published"])]


@says("03b", "at epoch 8 (standard deviation of 7.6 points)")
def _(t):
    table = t("paper/zoo-accuracy-over-epochs.mnist_seed").set_index("epoch")
    return table["std"].idxmax(), 100 * table["std"].max()


@says(
    "03b",
    "Of the two standard deviations that are printed for epoch 50, 1.0 and 2.6 points, ours (0.9) is near the first.",
)
def _(t):
    last = t(CURVE).set_index("epoch").loc[50]
    other = published.published("ghr-transfer", dataset="SVHN -> MNIST", method="B_T").set_index("epoch").loc[50, "std"]
    return 2, 50, other, 100 * last["published_std"], 100 * last["ours_std"]
