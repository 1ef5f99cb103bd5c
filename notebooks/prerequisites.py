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
# # What should one know before? Five ideas in brief
#
# The book leans on five ideas from elsewhere. Each has a formula here, some lines of code that run, and a question that shows whether it is clear. Beside them you need
# PyTorch, linear regression, and what cross-entropy and a transformer are.
#
# **You will see**
#
# - what the eigenvalues of a random matrix look like, and what two views of one network have to do with a soft-max;
# - how a density is drawn from, and how units of two networks are paired;
# - why $R^2$ can be negative, and what Kendall's $\tau$ sees instead.

# %% tags=["parameters"]
profile = "quick"  # seconds; this page is the same at every profile

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
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import kendalltau
from sklearn.metrics import r2_score

import hyperlib
from hyperlib.figures import plots
from hyperlib.figures.words import say
from hyperlib.representations.losses import nt_xent
from hyperlib.weightspace.spectral_laws import MarchenkoPastur

study = hyperlib.Study(profile)

# %% [markdown]
# ## What is the spectrum of a layer?
#
# A layer is a matrix $W$; let $n$ be its larger side and $m$ its smaller one. Its {term}`spectrum <ESD>` is the set of eigenvalues of
#
# $$ X = \frac{1}{n} W W^\top $$
#
# (of $W^\top W$ if $W$ has more rows than columns).
#
# If the entries are independent random numbers of variance $\sigma^2$, the eigenvalues fill an interval whose ends are known, by the
# {term}`Marchenko-Pastur law` {cite}`marchenko1967`:
#
# $$ \lambda_\pm = \sigma^2 \left(1 \pm \sqrt{m / n}\right)^2 . $$
#
# `MarchenkoPastur` takes $\sigma^2$ and $n / m$. What training adds stands out of it.

# %%
random = torch.Generator().manual_seed(0)
noise = torch.randn(200, 600, generator=random)
direction = torch.outer(*(torch.randn(side, generator=random) for side in noise.shape))
layer = noise + 0.1 * direction
spectrum = torch.linalg.eigvalsh(layer @ layer.T / layer.shape[1])
law = MarchenkoPastur(float(noise.var()), noise.shape[1] / noise.shape[0])

# %% tags=["hide-input"] mystnb={"image": {"alt": "A histogram of eigenvalues under the curve of the Marchenko-Pastur law, with one eigenvalue far to the right of it."}, "figure": {"name": "fig-prerequisites-spectrum", "caption": "Eigenvalues of a random matrix to which one direction was added, and the law of the random part. One eigenvalue stands out."}}
fig, ax = plt.subplots(figsize=(8, 2.4))
plots.spectrum_against(spectrum.numpy(), law, ax, "one planted direction")
plt.show()

# %% [markdown]
# ```{exercise} Where does the bulk end?
# :label: ex-recap-spectrum
# For a matrix of 200 rows and 600 columns with independent entries of variance 4, where does the bulk of eigenvalues end? Answer by the formula, and check
# by a random matrix: give its largest eigenvalue.
# ```
#
# ```{solution-start} ex-recap-spectrum
# :class: dropdown
# ```

# %% tags=["solution"] asks={"edge": "where the bulk ends, by the formula", "largest": "largest eigenvalue of a random matrix of this kind"} hints=["The upper edge is the variance times (1 + √(m/n))², with m = 200 and n = 600.", "The largest eigenvalue should lie near the edge: is it of W Wᵀ / 600, with entries of deviation 2?"]
import torch

edge = 4 * (1 + (200 / 600) ** 0.5) ** 2
matrix = 2 * torch.randn(200, 600, generator=torch.Generator().manual_seed(1))
largest = torch.linalg.eigvalsh(matrix @ matrix.T / 600).max()
assert abs(edge / 4 - (1 + (1 / 3) ** 0.5) ** 2) < 1e-3
assert 0.9 < float(largest) / edge < 1.1

# %% [markdown]
# The edge is about 9.95, and the largest eigenvalue is near it. A direction must push an eigenvalue beyond the edge to be seen; one that is weaker drowns in the bulk.
# ```{solution-end}
# ```
#
# ## What does a contrastive loss ask?
#
# Take two views $z_i$, $z_j$ of the same network, among all other views $z_k$, its partner $z_j$ and those of others. The loss is that of a classifier that shall find the partner by its cosine,
# at {term}`temperature` $T$ {cite}`chen2020`:
#
# $$ \mathcal{L}_c = -\log \frac{\exp(\cos(z_i, z_j)/T)}{\sum_{k \ne i} \exp(\cos(z_i, z_k)/T)} . $$

# %%
views = torch.randn(64, 16, generator=random)
nearby = views + 0.1 * torch.randn(64, 16, generator=random)
strangers = torch.randn(64, 16, generator=random)
losses = {"partners": nt_xent(views, nearby), "strangers": nt_xent(views, strangers)}

# %% tags=["remove-input"]
say(
    f"With true partners the loss is {losses['partners']:.2f}, with strangers in their place {losses['strangers']:.2f}. Guessing among {2 * len(views) - 1} others would cost "
    f"$\\ln {2 * len(views) - 1} = {np.log(2 * len(views) - 1):.2f}$; more than that is to be sure of the wrong one."
)

# %% [markdown]
# ```{exercise} The loss of someone who knows nothing
# :label: ex-recap-contrast
# If all views are the same vector, what is the loss for a batch of 32 networks with two views each? Answer by thinking, then check with
# `hyperlib.representations.losses.nt_xent`.
# ```
#
# ```{solution-start} ex-recap-contrast
# :class: dropdown
# ```

# %% tags=["solution"] asks={"thought": "the loss by thinking", "measured": "the loss by `nt_xent`"} hints=["All cosines are equal, so each of the other 63 views is as likely: the loss is the logarithm of their number.", "Give `nt_xent` two tensors [32, d] whose rows are all the same."]
import math

import torch
from hyperlib.representations.losses import nt_xent

thought = math.log(63)
same = torch.ones(32, 8)
measured = float(nt_xent(same, same))
assert abs(thought - math.log(63)) < 1e-3
assert abs(measured - math.log(63)) < 1e-3

# %% [markdown]
# It is $\ln 63$, whatever the temperature: an encoder that gives all networks one vector guesses. So the contrast cannot be won by collapse, unlike a loss that only pulls partners together.
# ```{solution-end}
# ```
#
# ## How does one draw from a density of points?
#
# A {term}`kernel density estimate` puts a small hill on every point $x_i$ that was seen,
#
# $$ p(x) = \frac{1}{N} \sum_{i=1}^{N} \mathcal{N}(x;\, x_i,\, h^2) , $$
#
# and drawing from it is simpler than the formula: pick a point, and add noise of deviation $h$ (the bandwidth). In many dimensions one may pick one point for all of them (*joint*), or
# one for each (*independent*), which forgets how dimensions hang together.

# %%
line = torch.linspace(-1, 1, 300)
seen = torch.stack([line, line], 1)
drawn = {
    reading: hyperlib.KDE(reading, 0.05).fit(seen).sample(300, random)
    for reading in ("joint", "independent")
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels of points: drawn jointly they lie along a diagonal line, drawn independently they fill a square."}, "figure": {"name": "fig-prerequisites-kde", "caption": "Points drawn by a kernel density estimate of points on a diagonal: joint, and independent in each dimension."}}
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for ax, (name, points) in zip(axes, drawn.items(), strict=True):
    ax.scatter(*points.T, s=4)
    ax.set(title=name, xlabel="first dimension", aspect="equal")
axes[0].set_ylabel("second dimension")
plt.show()

# %% [markdown]
# ```{exercise} What independence forgets
# :label: ex-recap-kde
# Points lie on the diagonal, $x_1 = x_2$, between -1 and 1. What is the correlation of the two dimensions of points that are drawn jointly, and
# of those drawn independently, at a bandwidth of 0.05?
# ```
#
# ```{solution-start} ex-recap-kde
# :class: dropdown
# ```

# %% tags=["solution"] asks={"joint": "correlation of the two dimensions, drawn jointly", "independent": "the same, drawn independently"} hints=["Drawn jointly, both dimensions come from one point, so the correlation stays near one.", "Drawn independently, the second dimension knows nothing of the first: near zero, with some hundred points."]
import hyperlib
import torch

line = torch.linspace(-1, 1, 500)
seen, random = torch.stack([line, line], 1), torch.Generator().manual_seed(0)
correlations = {}
for reading in ("joint", "independent"):
    points = hyperlib.KDE(reading, 0.05).fit(seen).sample(500, random)
    correlations[reading] = float(torch.corrcoef(points.T)[0, 1])
joint, independent = correlations["joint"], correlations["independent"]
assert joint > 0.9
assert abs(independent) < 0.2

# %% [markdown]
# Weights of one network hang together as closely as the two dimensions here. That is why independent draws of weights give no network that works, and joint ones with a small bandwidth
# little else but copies ({doc}`/notebooks/05a_generating`).
# ```{solution-end}
# ```
#
# ## How are units of two networks paired?
#
# Let $G_{ij}$ say how well unit $i$ of one network fits unit $j$ of another. The *assignment problem* looks for the order $\pi$ that fits best in all,
#
# $$ \max_\pi \; \sum_i G_{i\,\pi(i)} . $$
#
# It has $n!$ candidates and is solved exactly in about $n^3$ steps. {term}`Weight matching <weight matching>` solves one for each group of units, until nothing improves {cite}`ainsworth2023`.

# %%
units = torch.randn(6, 20, generator=random)
order = torch.randperm(6, generator=random)
gains = (units @ units[order].T).numpy()
_, found = linear_sum_assignment(gains, maximize=True)

# %% tags=["remove-input"]
say(f"The planted order is {order.tolist()}. The assignment says where each unit has gone, {found.tolist()}; read backwards that is {np.argsort(found).tolist()}.")

# %% [markdown]
# ```{exercise} Greedy is not best
# :label: ex-recap-assignment
# Write down a matrix of gains, two by two, in which taking the largest entry first leads to a smaller sum than the best assignment.
# ```
#
# ```{solution-start} ex-recap-assignment
# :class: dropdown
# ```

# %% tags=["solution"] asks={"gains": "a matrix of gains, [2, 2]", "sums": "of the diagonal, and of the other assignment, a list", "greedy": "the sum if the largest entry is taken first", "best": "the sum of the best assignment"} hints=["The matrix should be two by two.", "Greedy takes the largest entry, and then must take the one that shares no row and no column with it.", "There are only two assignments, the diagonal and the other one: the best is the larger sum.", "Greedy is as good as the best here: let the largest entry stand beside a very small one, across."]
import numpy as np

gains = np.array([[10.0, 9.0], [9.0, 1.0]])
row, column = np.unravel_index(gains.argmax(), gains.shape)
greedy = gains[row, column] + gains[1 - row, 1 - column]
best = max(gains.trace(), gains[0, 1] + gains[1, 0])
assert np.shape(gains) == (2, 2)
sums = [np.trace(gains), np.sum(gains) - np.trace(gains)]
assert greedy == (sums[0] if np.argmax(gains) in (0, 3) else sums[1])
assert best == max(sums)
assert greedy < best

# %% [markdown]
# Who takes the 10 is left with the 1 and has 11; the two nines give 18. Units that look alike at first sight can stand in each other's way in the same manner.
# ```{solution-end}
# ```
#
# ## What do $R^2$ and $\tau$ measure?
#
# For true values $y_i$ with mean $\bar y$ and predictions $\hat y_i$,
#
# $$ R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2} , \qquad \tau = \frac{\text{pairs in the right order} - \text{pairs in the wrong order}}{\text{all pairs}} . $$
#
# The first asks for the values: one is perfect, zero is as good as always saying the mean, and below zero is worse. The second, {term}`Kendall's tau <Kendall's tau-b>`, asks for the order alone (with ties it is divided by fewer pairs).

# %%
truth = np.linspace(0.2, 0.9, 50)
predicted = {"exact": truth, "too high": truth + 0.4, "mean": np.full(50, truth.mean())}
r2 = {name: r2_score(truth, values) for name, values in predicted.items()}
tau = {name: kendalltau(truth, values).statistic for name, values in predicted.items()}

# %% tags=["remove-input"]
say(
    f"Predictions that are all too high by the same have $\\tau$ = {tau['too high']:.0f} and $R^2$ = {r2['too high']:.1f}: the order is right and the values are not. "
    f"Saying the mean has $R^2$ = {r2['mean']:.0f}, and no $\\tau$ at all, since it orders nothing."
)

# %% [markdown]
# ```{exercise} A good order, bad values
# :label: ex-recap-r2
# Give predictions for the truth 0.1, 0.2, 0.3, 0.4, 0.5 that have the order right, $\tau = 1$, and an $R^2$ below zero.
# ```
#
# ```{solution-start} ex-recap-r2
# :class: dropdown
# ```

# %% tags=["solution"] asks={"predictions": "five numbers"} hints=["There should be five predictions, each larger than the one before.", "$R^2$ is not below zero yet: move all predictions away from the truth, farther than it spreads."]
import numpy as np
from sklearn.metrics import r2_score

predictions = np.array([0.1, 0.2, 0.3, 0.4, 0.5]) + 1
assert np.shape(predictions) == (5,) and (np.diff(predictions) > 0).all()
assert r2_score([0.1, 0.2, 0.3, 0.4, 0.5], predictions) < 0

# %% [markdown]
# Any shift, and any stretch by a positive factor, keeps the order. In this book $R^2$ counts, since a reader of weights should know *how* good a network is; where $\tau$ is high and $R^2$ is not, the probe has the order and not the scale.
# ```{solution-end}
# ```
#
# **Where to go from here.** The lab ({doc}`/notebooks/lab_weight_space`) uses two of the five, $R^2$ and the kernel density. Spectra
# come back in {doc}`/notebooks/02a_weight_space`, pairing in {doc}`/notebooks/02b_symmetries`, the contrast in {doc}`/notebooks/04a_hyper_representations`.
