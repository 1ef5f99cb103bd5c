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
# # What is left of the thesis's claims when every control has had its say?
#
# The abstract of the thesis {cite}`thesis` makes five claims. (Not the five *contributions* of {doc}`/notebooks/01_introduction`: model zoos are a contribution and no claim, and generating is two claims, sampling and use.) All other pages of this book test parts of them. Here their {term}`verdicts <verdict>` are laid side by side:
# first of what the thesis and its papers say, then of the same thing beside the strongest control that we know. At whatever {term}`profile` this page is made,
# it reads the tables of the published run (profile `laptop`), and trains nothing.
#
# **You will see**
#
# - for each of the five claims how many of its cases hold here, with and without the control;
# - what an independent reader should believe, and what not, and what others have found beside and since;
# - the limits of this companion, and what is open.

# %% tags=["parameters"]
profile = "quick"  # the same at every profile: it reads the published run

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
import pandas as pd

from hyperlib.figures import style
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study.study import Study
from hyperlib.tasks import verdicts

study = Study(profile)

# %% tags=["hide-input"]
CLAIMED, CONTROL = "as claimed", "with the control"
EVIDENCE = {  # page, claim as it stands there, and in other words where it needs them; "not:" turns a verdict round
    "1 structure": {
        CLAIMED: [("02a", "models part before epochs in the tree"), ("02a", "distances give the order of epochs (τ above 0.9)"),
                  ("02a", "matrix entropy falls in networks of the caption's kind")],
        CONTROL: [("02a", "the tail is heavier than that of shuffled weights"), ("02a", "it falls in other networks, too", "matrix entropy falls in other networks, too"),
                  ("02b", "near in weight space means alike in answers (r of distance and CKA < -0.5)"),
                  ("02b", "a small angle means alike in answers (r of cosine and CKA > 0.5)")],
    },
    "2 properties": {
        CLAIMED: [("04b", "over all checkpoints ours tells accuracy better than s(W)"), ("04c", "ten properties: ours tells it better than W"),
                  ("04c", "ten properties: ours tells it better than s(W)"), ("06a", "SANE tells accuracy better than raw weights"),
                  ("06a", "SANE tells accuracy better than layer statistics")],
        CONTROL: [("04b", "over all checkpoints ours tells accuracy better than the clock"),
                  ("04b", "inside epochs, the best of ours: better on accuracy than the best statistics"),
                  ("04c", "ten properties: training helps", "ten properties: ours tells it better than untrained")],
    },
    "3 sampling": {
        CLAIMED: [("05a", "drawn with answers: at least .85 of the zoo's accuracy"), ("06b", "drawn jointly, they work"),
                  ("06b", "drawn token by token, networks work (half of the zoo's accuracy)"),
                  ("06b", "bootstrapping is better than as many networks at once")],
        CONTROL: [("05a", "drawn with answers: new and working, in every training"), ("05a", "drawn with answers: at least .7 as far apart as the zoo"),
                  ("05a", "not: the released sampler draws replicas of training networks"),
                  ("06b", "not: networks of the released sampler are replicas")],
    },
    "4 use": {
        CLAIMED: [("05b", "drawn with answers: ahead of scratch"), ("05b", "on other images, drawn networks: ahead of scratch"),
                  ("06b", "drawn networks are ahead of new ones after an epoch"),
                  ("06b", "on other images drawn networks are ahead of new ones after an epoch")],
        CONTROL: [("05b", "drawn with answers: ahead of the mean of all after one epoch"),
                  ("05b", "drawn with answers: ahead of the mean of all after more epochs"),
                  ("05b", "on other images, drawn networks: ahead of the mean of all"),
                  ("05b", "five drawn networks together: more accurate than the zoo's best network")],
    },
    "5 extension": {
        CLAIMED: [("06a", "SANE of all zoos tells accuracy no worse than of one"), ("06b", "in another architecture drawn networks are ahead of new ones after an epoch"),
                  ("06b", "a SANE of ResNets draws ResNets that are ahead of new ones after an epoch"),
                  ("06c", "the spread of embeddings orders layers as their spectral norms do")],
        CONTROL: [("06b", "not: and so are networks drawn around the prompts in raw weights",
                   "not: in another architecture networks drawn in raw weights are ahead, too"), ("06c", "SANE of CNNs tells more of transformers than untrained"),
                  ("06c", "it does so better than untrained, weights and random matrices",
                   "spread orders layers better than untrained, weights and random matrices"),
                  ("06a", "SANE of digits tells accuracy of ResNets, which it never saw, better than untrained")],
    },
}  # fmt: skip

# %% tags=["hide-input"]
TURNED = {verdicts.HOLDS: verdicts.FAILS, verdicts.FAILS: verdicts.HOLDS}
pages = sorted({page for sides in EVIDENCE.values() for those in sides.values() for page, *_ in those})
cards = {page: study.committed("disc-scorecard", page, profile="laptop") for page in pages}


def counted(page, claim, *words):
    """How many cases of a page's claim hold, fail and are undecided, and the least and most that was measured."""
    name = claim.removeprefix("not: ")
    cases = cards[page].query("claim == @name")
    assert len(cases), f"page {page} makes no claim {name!r}"
    found = cases["verdict"] if name == claim else cases["verdict"].replace(TURNED)
    decided = cases["holm"].isin(["stands", "falls"])
    row = {"": verdicts.symbol(found), "what": words[0] if words else claim, "page": page, "cases": len(cases), "source": cases["source"].iloc[0]}
    row |= {word: int((found == word).sum()) for word in verdicts.SYMBOLS}
    row |= {"least": cases["value"].min(), "most": cases["value"].max()}
    return row | {"stand after Holm": f"{int((cases['holm'] == 'stands').sum())} of {int(decided.sum())}" if decided.any() else "–"}


rows = [{"claim": claim, "side": side} | counted(*one) for claim, sides in EVIDENCE.items() for side, those in sides.items() for one in those]
evidence = study.publish("intro-contributions", pd.DataFrame(rows), "claims")
totals = evidence.groupby(["claim", "side"], sort=False)[["cases", *verdicts.SYMBOLS]].sum()


def of_claim(claim):
    """What a page shows of one claim: its evidence, claims first, controls below."""
    some = evidence[evidence["claim"] == claim].copy()
    some["holds in"] = [f"{held} of {cases}" for held, cases in zip(some["holds"], some["cases"], strict=True)]
    return show_table(some[["", "side", "what", "page", "holds in", "stand after Holm", "least", "most"]], of=evidence)


def in_numbers(claim):
    """Cases that hold, on both sides, in words."""
    sides = {side: totals.loc[(claim, side)] for side in (CLAIMED, CONTROL)}
    told = [f"{side} {held['holds']} of {held['cases']} cases hold ({held['fails']} fail)" for side, held in sides.items()]
    return say(f"**{told[0][0].upper()}{told[0][1:]}; {told[1]}.**")


# %% tags=["hide-input"] mystnb={"image": {"alt": "Ten stacked bars in five pairs, one pair for each claim of the thesis: the share of cases that hold, are undecided and fail, as claimed and with the control beside it; the number of cases stands at the end of each bar."}, "figure": {"name": "fig-disc-claims", "caption": "The five claims of the thesis's abstract in the published run: shares of our cases that hold, are undecided, and fail. The upper bar of a pair is what the thesis and its papers claim, the lower one are claims that only hold if a control is beaten. At the end of a bar stands the number of its cases."}}
fig, ax = plt.subplots(figsize=(7, 4))
hues = dict(zip(verdicts.SYMBOLS, (style.GREEN, style.AMBER, style.RED), strict=True))
for place, counts in enumerate(totals.itertuples()):
    at, left = place + 0.5 * (place // 2), 0.0
    for word, hue in hues.items():
        share = getattr(counts, word) / counts.cases
        ax.barh(at, share, left=left, color=hue, height=0.75, label=None if place else word)
        left += share
    ax.text(1.01, at, counts.cases, va="center")
places = [place + 0.5 * (place // 2) for place in range(len(totals))]
ax.set_yticks(places, [f"{claim}, {side}" for claim, side in totals.index])
ax.set(xlim=(0, 1), xlabel="share of cases")
ax.invert_yaxis()
ax.grid(visible=False)
fig.legend(loc="outside lower center", ncols=3)
plt.show()

# %% tags=["remove-input"]
def most(claim, side):
    """Whether more than half of the cases hold, and how many do."""
    counts = totals.loc[(claim, side)]
    return bool(2 * counts["holds"] > counts["cases"]), f"{counts['holds']} of {counts['cases']} cases"


as_claimed, beside_controls = (sum(most(claim, side)[0] for claim in EVIDENCE) for side in (CLAIMED, CONTROL))
say(f"""As the thesis and its papers put them, {as_claimed} of the {len(EVIDENCE)} claims hold in more than half of our cases; beside a {{term}}`control` {beside_controls} do.""")

# %% [markdown]
# How to read it: the claims of the pages are sorted under the five of the thesis, and into two kinds, by us *(our choice; the list is in the folded cell above)*. Cases are not independent, and their
# number says how often a thing was asked and not how much it matters. *Not:* marks a claim that counts against the thesis if it holds, so its verdict is turned round.
# In the tables below *least* and *most* are the smallest and the largest value that was measured in a case, mostly a difference.
#
# ## Does weight space have a structure that can be learned?
#
# > Trained networks lie in weight space in a structure that is meaningful, and can be learned.
# > — abstract of the thesis, in our words *(seen)*

# %% tags=["remove-input"]
in_numbers("1 structure")

# %% tags=["hide-input"] table={"name": "tab-disc-structure", "caption": "Structure: claims, and controls against which the structure is to mean something."}
of_claim("1 structure")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Within one training yes; between trainings we did not find one.**
#
# - *Believe* that a training is a smooth path: distances alone give the networks back, and the order of their epochs, without an error in either zoo.
# - *Believe* that distance means function within one training: the correlation of distance and likeness of answers is -.89 there.
# - *Don't believe* that it does between trainings (.03), or after units changed places. Alignment shortens distances between seeds by 7 to 20 % only.
# - *Don't believe* that falling entropy is a law of training: in other networks than those of the thesis it holds in one of 3 populations.
# :::
#
# **What others found.** That two trainings can be one up to the order of their units was conjectured by Entezari et al. {cite}`entezari2022` and made practical by Ainsworth et al. {cite}`ainsworth2023`; our barriers shrink and
# seldom vanish ({doc}`/notebooks/02b_symmetries`). Transformers have symmetries beyond order {cite}`theus2025` *(recalled)*. Learners that have the symmetry built in read weights without any alignment
# {cite}`navon2023,zhou2023,kofinas2024,lim2024` *(recalled)*; we have none, so this book does not say how much of its missing structure they would find.
#
# ## Do embeddings reveal what a network is?
#
# > Embeddings of weights reveal performance, state of training and hyper-parameters.
# > — abstract of the thesis, in our words *(seen)*

# %% tags=["remove-input"]
in_numbers("2 properties")

# %% tags=["hide-input"] table={"name": "tab-disc-properties", "caption": "Properties: better than raw weights and layer statistics (as claimed), and than what needs no training or no weights (controls). Values are differences of R² or accuracy."}
of_claim("2 properties")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **They reveal it, but most of it can be had for less.**
#
# - *Believe* that weights tell some settings, such as the activation (.83 of 90 unseen networks from statistics, .74 from ours), and the accuracy in a zoo whose
#   settings vary (R² of .55 from both, where the encoder untrained has .63). Of dropout and weight decay they tell little or nothing, whoever reads them.
# - *Don't believe* scores that mix the epochs of a seed zoo: our embedding is ahead of the clock, which sees no weight, in only 4 of 7 zoos.
# - *Don't believe* that what is learned beats what is made by hand: inside epochs our best is ahead of the best statistics in 0 of 7 zoos, and behind in 3.
# - Training helps little: of ten properties 4 are told better than by the same encoder, untrained.
# :::
#
# **What others found.** That statistics of weights tell accuracy was found before anything was learned from weights {cite}`unterthiner2020`. Running a network on a few learned inputs can tell more than reading it {cite}`kahana2025`: it does in some of our zoos,
# and not in the one that was kept aside ({doc}`/notebooks/04b_model_properties`). Graph networks over units are reported to be better than statistics {cite}`kofinas2024` *(recalled)*; nothing here tests that.
#
# ## Can networks with given properties be drawn?
#
# > Regions of the embedding have known properties, and networks can be drawn from them.
# > — abstract of the thesis, in our words *(seen)*

# %% tags=["remove-input"]
in_numbers("3 sampling")

# %% tags=["hide-input"] table={"name": "tab-disc-sampling", "caption": "Sampling: do drawn networks work (as claimed), and are they new, and as different as trained ones (controls)?"}
of_claim("3 sampling")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Networks that work can be drawn; working and new is rarer.**
#
# - *Believe* that networks come out which work untrained: with .91 to .96 of the zoo's accuracy in the zoo of small CNNs, where the decoder learned from answers.
# - *Don't believe* results of the sampler as released: in raw weights and by a decoder that learned from weights it draws networks that it was trained on, slightly moved; by one that
#   learned from answers, points between them; in chapter 6 replicas in 6 of 6 cases.
# - *Don't believe* accuracy alone: drawn networks are closer together than the zoo (.67 to .71 of its distances, by how they are drawn), and a decoder that always writes one good network is accurate, too.
# :::
#
# **What others found.** An audit found the released networks to be near copies {cite}`zeng2025memorization` *(seen: code and project page)*; that its sampler shares one random state among all dimensions stands in the code *(seen)*, and
# {doc}`/notebooks/05a_generating` draws with and without that. Learning from answers beside weights is the group's own later work {cite}`meynent2025`. Others draw weights by diffusion over checkpoints
# {cite}`peebles2022,wang2024pdiff` *(recalled)*; of some of these, too, the audit says that they copy *(recalled)*.
#
# ## Are drawn networks of use?
#
# > Drawn networks are better starts than random ones, for fine-tuning and for transfer.
# > — abstract of the thesis, in our words *(seen)*

# %% tags=["remove-input"]
in_numbers("4 use")

# %% tags=["hide-input"] table={"name": "tab-disc-use", "caption": "Use: ahead of networks trained from scratch (as claimed), and of the aligned mean of all networks, which needs no representation (control). Values are differences of accuracy."}
of_claim("4 use")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **Better than random starts in every case; better than the mean of the zoo on the same images and early only.**
#
# - *Believe* that they are ahead of new networks: in 6 of 6 cases on their own images, and in 6 of 6 on other ones.
# - *Believe* that on their own images they are ahead of the mean of the zoo at first (6 of 6 cases after one epoch); after more epochs in 2 of 4.
# - *Don't believe* that a representation is needed on other images. The mean of all networks, aligned, is as good there or better: drawn ones are ahead in 0 of 6 cases.
# - What the zoo itself cost is in neither account. Whoever has to train it first is not faster.
# :::
#
# **What others found.** That means of networks are strong is known from model soups {cite}`wortsman2022`, whose parts share a start; here they share none, and alignment takes its place. We know of no paper of this line that has
# the aligned mean as a baseline *(our reading is not complete)*.
#
# ## Does it reach beyond size, architecture and task?
#
# > Sequences of tokens lift the bounds of size, architecture and task.
# > — abstract of the thesis, in our words *(seen)*

# %% tags=["remove-input"]
in_numbers("5 extension")

# %% tags=["hide-input"] table={"name": "tab-disc-extension", "caption": "Extension: one representation for several kinds of networks (as claimed), and what the same takes without one, or without training it (controls)."}
of_claim("5 extension")

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **The form reaches that far; what is learned hardly does.**
#
# - *Believe* that tokens make one model out of many: one SANE reads zoos of several architectures, and draws networks of architectures that it never saw.
# - *Don't believe* that this shows what it learned. Networks drawn around the same prompts in raw weights are ahead of new ones, too, in three of 3 architectures.
# - *Don't believe* that the spread of embeddings is learned: it orders layers better than untrained encoders, the weights themselves and random matrices do in one of 5 families.
# - Our networks are far smaller than the paper's ResNets, and the claim is about size.
# :::
#
# **What others found.** Graph metanetworks take any architecture by its graph of computation {cite}`lim2024` *(recalled)*. The thesis ends with an outlook to foundation models of networks *(seen)*; what such a model has to beat is in
# the lower bars of {numref}`fig-disc-claims`.
#
# ## What are the limits of this companion?
#
# - **Small.** Nearly all networks are trained on a laptop's processor, on small images. A control that wins here may lose on zoos of ResNets, where statistics may say less and means be harder to align.
# - **Not the text.** The thesis itself was not at hand. Its claims are those of the abstract, its experiments those of the papers; what stands in it beyond these we can't judge.
# - **Our controls.** Margins, cases and controls were chosen by the authors of this companion, some after results were seen. One zoo was kept aside until all was settled ({doc}`/notebooks/04b_model_properties`).
# - **Our code.** Everything was written anew. Where the released code has faults, both versions were run; other differences nobody has counted.
# - **Many verdicts.** Holm's method is applied page by page here, and to the whole book at once in {doc}`/notebooks/07b_what_holds`, which has a row for every figure, table and experiment that this book rebuilds. Some that are to be believed above, such as the accuracy of drawn networks, fall there. Cases share zoos, so neither it nor a count of cases is a test of the thesis as a whole.
#
# ## What is open?
#
# - Does a representation tell anything of a network that neither statistics of its weights nor a few of its answers do?
# - Which zoo is diverse enough that new networks drawn from it are more than mixtures, and how would one know before training on it?
# - What do equivariant readers make of the same zoos, splits and controls? {doc}`/notebooks/03d_bring_your_own_zoo` opens the published ones.
# - Is there a use for which a drawn network beats the aligned mean, at the price of the zoo?
# - At which size of networks do learned tokens part from untrained ones?
#
# ```{exercise} How much of this is luck?
# :label: ex-luck-by-page
# Imagine a thousand books of 15 pages with 48 verdicts each, in which nothing is true: every p-value is drawn evenly from 0 to 1. How many verdicts of a book are decided at 5 %, and in
# how many books does a single one stand after Holm's method, page by page and over the whole book? (`hyperlib.tasks.verdicts.holm` takes p-values and says which stand.)
# ```
#
# ```{solution-start} ex-luck-by-page
# :class: dropdown
# ```

# %% tags=["solution"] asks={"decided": "of each of many books, how many p-values are below five per cent", "by_page": "of each book, whether one stands on some page, yes or no", "whole": "the same, with all p-values of the book judged together"} hints=["About one in twenty is below five per cent; over the whole book hardly one book in twenty has a verdict that stands, by page many more: are p-values drawn evenly, and does `holm` see a page, or a whole book, at once?"]
import numpy as np

from hyperlib.tasks.verdicts import holm

random = np.random.default_rng(0)
books = random.random((1000, 15, 48))  # books, pages, verdicts of a page
decided = (books < 0.05).sum((1, 2))
by_page = np.array([any(holm(page).any() for page in book) for book in books])
whole = np.array([holm(book.ravel()).any() for book in books])
assert 30 < decided.mean() < 42 and whole.mean() < 0.08 < by_page.mean()
shares = f"{by_page.mean():.0%} of the books by page, {whole.mean():.0%} over all"
print(f"{decided.mean():.0f} decided; one stands in {shares}")

# %% [markdown]
# Page by page, about half of such books have a finding that stands. So a single verdict of one page is a reason to look, and no more.
#
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# A claim of the thesis is counted as held where more than half of its cases hold; undecided ones do not *(our choice)*.

# %% tags=["hide-input"]
card = verdicts.scorecard(
    verdicts.counted(f"the claims of the abstract, {side}, hold in most cases", {claim: most(claim, side) for claim in EVIDENCE},
                     source=source, shown="fig-disc-claims", headline=True)
    for side, source in ((CLAIMED, "abstract (seen, in our words)"), (CONTROL, "ours"))
)  # fmt: skip
card = study.publish("disc-scorecard", card, "07")

# %% tags=["hide-input"] table={"name": "tab-disc-scorecard", "caption": "The page's claims and whether they held."}
show_table(verdicts.summary(card), of=card)

# %% [markdown]
# **The thesis in one sentence, as we find it.** Weights are worth reading and networks can be written, and what the learned representation adds to simple statistics, a clock and a mean is, at our size, less than its
# first papers say. {doc}`/notebooks/07b_what_holds` looks a figure or table up, and {doc}`/notebooks/03d_bring_your_own_zoo` is where an open question can be begun.
