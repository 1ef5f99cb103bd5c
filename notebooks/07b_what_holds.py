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
# # What holds?
#
# {doc}`/notebooks/07_discussion` weighs the five claims of the thesis. This page is for looking things up: every figure, table and experiment that the book rebuilds has a row, with what was published, what we found, and a verdict. At whatever {term}`profile` the page is made, it reads the tables
# of the published run (profile `laptop`), which are kept with the sources, and runs nothing.
#
# **You will see**
#
# - the {term}`ledger`: where each {term}`artefact` is shown, what makes it, at which scale, and whether what is claimed of it holds;
# - where published numbers stand beside ours, and which of these can be compared at all;
# - what all verdicts of the book are worth when they are judged together, and which fall.

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

from hyperlib.figures import style
from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.study.study import Study
from hyperlib.tasks import verdicts
from hyperlib.thesis import claims, ledger

study = Study(profile)

# %% tags=["hide-input"]
rows = study.publish("disc-scorecard", ledger.ledger().reset_index())
every = claims.claims()
counts = rows["verdict"].value_counts().reindex(list(ledger.VERDICTS), fill_value=0)

# %% [markdown]
# ## Which verdicts are there?
#
# A page's {term}`claim` holds, fails or is undecided in each of its cases ({doc}`/book/how_to_read`). Claims speak of an artefact through the figure or table that shows
# them. Where the thesis, its papers or others claim something, only their claims count for its verdict; else ours do. A published number counts as one more
# case if it was measured as ours was: it holds if it lies in our {term}`interval`, or equals what was counted. Then the verdict is, by one rule *(our choice)*,
#
# - **✓ holds**: every case holds; and if the sources print numbers of it, one was measured as ours was, and ours agrees;
# - **≈ trend only**: more than half of the cases hold, but not all; or all do, and no published number could be compared like for like;
# - **✗ does not hold**: more than half of the cases fail (milder than at the top of a page, where it means every case);
# - **~ undecided at this size**: anything else;
# - **≠ not comparable**: there are published numbers and no case;
# - **– shown, no claim**: there are neither.

# %% tags=["remove-input"]
told = ", ".join(f"{number} {word}" for word, number in counts.items())
say(f"""Of {len(rows)} artefacts, {int((~rows["companion"]).sum())} are of the thesis or stand in its chapters, the others are experiments of later papers:
**{told}**. {(rows["scale"] == "full").sum()} are made at their full size here and {(rows["scale"] == "reduced").sum()} at a reduced one.""")

# %% mystnb={"image": {"alt": "Stacked bars, one for each chapter of the thesis and one for later papers: how many artefacts have which of the six verdicts."}, "figure": {"name": "fig-ledger-verdicts", "caption": "Artefacts by chapter and verdict, in the published run."}} tags=["hide-input"]
where = rows["chapter"].map("chapter {}".format).mask(rows["companion"], "later papers")
by_chapter = rows.groupby([where, "verdict"]).size().unstack(fill_value=0).reindex(columns=list(ledger.VERDICTS), fill_value=0)
fig, ax = plt.subplots(figsize=(7, 3.2))
hues = [style.GREEN, style.SKY, style.RED, style.AMBER, style.PURPLE, style.INK]
by_chapter.plot.barh(stacked=True, ax=ax, color=hues, width=0.7, legend=False)
ax.set(xlabel="artefacts", ylabel="")
ax.invert_yaxis()
ax.grid(axis="y", visible=False)
fig.legend(loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# ## The ledger
#
# A row leads to the figure or table to look at first, and to the code that makes it; the link *ledger* behind the caption of each leads back to its row. *Ours* stands with its
# 95 % interval where one was measured. Where a published number is *not like for like*, the column *scale here* says why.
#
# ```{ledger} tab-ledger
# The artefacts of the thesis and of later papers, by chapter, from the published run.
# ```
#
# ## Which published numbers can be compared?
#
# Of most artefacts the sources print far more numbers than can stand in a row. One was picked beforehand for each, in `book/thesis/ledger.yml`, where we have a counterpart at all *(our choice)*.
# It counts for the verdict where it was measured at the same settings.

# %% table={"name": "tab-ledger-published", "caption": "One published number of each artefact beside ours, with the 95 % interval where one was measured; all of them are in the fold."} tags=["hide-input"]
both = rows.dropna(subset=["published", "ours"])
inside = both["published"].between(both["low"], both["high"]) | (both["published"] == both["ours"])
both = both.assign(inside=inside)[["id", "measures", "published", "ours", "low", "high", "inside", "scale"]]
show_table(both.rename(columns={"inside": "published in ours"}), rows=5, of=rows)

# %% [markdown]
# ## What is not in it?
#
# The full text of the thesis could not be opened when this companion was made. Its listing counts figures, tables, equations and algorithms; which is which is known for those few whose caption
# stands in the listing. All other artefacts were rebuilt from the papers behind the chapters, and carry a paper's number where one is known. So a row for every item of the thesis is more than we can promise.

# %% table={"name": "tab-ledger-items", "caption": "What the thesis counts, and what of it is known by its number in the thesis."} tags=["hide-input"]
items = study.publish("disc-scorecard", ledger.items_of_the_thesis(), "07b_items")
show_table(items)

# %% tags=["remove-input"]
of_thesis = rows[~rows["companion"]]
known = of_thesis[of_thesis["number"].str.match("Figs? \\d")]
papers = (of_thesis["number"] != "").sum() - len(known)
say(f"""Known by number are {", ".join(known["number"])} (`{"`, `".join(known["id"])}`); {papers} more artefacts have the number of a figure or table in a paper,
and {(of_thesis["number"] == "").sum()} are known by their content alone, or are ours. None of the equations and algorithms is known by number.""")

# %% [markdown]
# ## What are all verdicts worth together?
#
# With so many verdicts some come out by luck. {term}`Holm's method` bounds the chance that even one of them does. Pages judge their own verdicts together; here all
# of the book are one family, which asks for more.

# %% tags=["remove-input"]
decided = every["book"].isin(["stands", "falls"])
by_source = every.groupby("published")["verdict"].value_counts().unstack(fill_value=0)
words = {True: "the thesis's, its papers' or others'", False: "ours"}
of_each = "; ".join(f"of those that are {words[kind]}, {one['holds']} hold, {one['fails']} fail and {one['undecided']} are undecided" for kind, one in by_source[::-1].iterrows())
say(f"""The pages have {len(every)} verdicts on {every.groupby(["page", "claim"]).ngroups} claims: {of_each}. An interval decides {decided.sum()} of them. Judged page by page
{(every["holm"] == "stands").sum()} of these stand, judged together {(every["book"] == "stands").sum()}.""")

# %% table={"name": "tab-ledger-pages", "caption": "Verdicts of the book and of its pages: how many hold, fail or are undecided, how many an interval decides, and how many of these stand when judged with the page's, and with the book's."} tags=["hide-input"]
show_table(study.publish("disc-scorecard", claims.by_page(every), "07b_pages"), rows=6)

# %% table={"name": "tab-ledger-claims", "caption": "All claims of all pages, those first that lose most verdicts when the book is judged at once; counts as in the table before."} tags=["hide-input"]
of_claims = study.publish("disc-scorecard", claims.by_claim(every), "07b_claims")
cases = of_claims[["holds", "fails", "undecided"]].astype(str).agg(" / ".join, axis=1)
told = of_claims[["", "claim", "page"]].assign(page=of_claims["page"].map(claims.page_names()), **{"holds / fails / undecided": cases}).join(of_claims.loc[:, "stand on the page":"source"])
show_table(told, of=of_claims)

# %% [markdown]
# A headline is a claim that stands at the top of its page. These verdicts on headlines stand there and fall here; what they say may still be so, but the book as a whole does not show it.

# %% table={"name": "tab-ledger-fallen", "caption": "Verdicts on headlines that stand on their page and fall in the book, with the p-value that was judged."} tags=["hide-input"]
falls = study.publish("disc-scorecard", claims.fallen(every), "07b_fallen")
show_table(falls.assign(page=falls["page"].map(claims.page_names())), 4, rows=5, of=falls)

# %% [markdown]
# ## Exercises
#
# ```{exercise} Luck in seven hundred verdicts
# :label: ex-luck
# Let there be nothing to find: p-values that are even between zero and one, as many as a book has verdicts. How many are below five per cent, and how many stand by Holm's method? Then
# let a tenth of them be real, with p-values a thousand times as small. How many of these are lost?
# ```
#
# ```{solution-start} ex-luck
# :class: dropdown
# ```

# %% tags=["solution"] asks={"lucky": "how many p-values of nothing are below five per cent", "stand": "how many of them stand by Holm's method", "real": "which verdicts are of something real, yes or no for each", "kept": "which ones stand by Holm's method when a tenth are real, yes or no for each"} hints=["Five per cent of hundreds are dozens, and none of them should stand: were the p-values drawn evenly, from 0 to 1, and given to `holm` all together?", "None of nothing should stand and some of the seventy real ones be lost: are their p-values a thousand times as small, and judged together with all others?"]
import numpy as np
from hyperlib.figures.words import say
from hyperlib.tasks.verdicts import LEVEL, holm

chances = np.random.default_rng(0).random(700)
lucky, stand = int((chances < LEVEL).sum()), int(holm(chances).sum())
real = np.arange(700) < 70
mixed = np.where(real, chances / 1000, chances)
kept = holm(mixed)
assert lucky > 20 and stand == 0
assert not (kept & ~real).any() and kept.sum() < real.sum() == 70
say(f"By luck {lucky} are below {LEVEL}, {stand} stand; of 70 real ones {kept.sum()}.")

# %% [markdown]
# Without a correction a book of this size has dozens of findings where there is nothing. Holm's method lets none through, and its price is that it loses real ones too: a verdict that falls is
# not shown to be wrong.
# ```{solution-end}
# ```
#
# ## What held, what did not
#
# The claims below are about the ledger itself. They are counted, and none of them is among the claims that it collects.

# %% tags=["hide-input"]
spoken = counts[[ledger.HOLDS, ledger.TREND, ledger.FAILS, ledger.UNDECIDED]]
some, most = int(spoken[[ledger.HOLDS, ledger.TREND]].sum()), int(spoken.sum())
run = (rows["tables"] > 0) | (rows["why"] != "")
stands, asked = int((every["book"] == "stands").sum()), int(decided.sum())
headlines = every[every["headline"] & decided]
tops = int((headlines["book"] == "stands").sum())
spread = ", ".join(f"{number} {word}" for word, number in spoken.items())
cards = [
    verdicts.counted(claim, {"the book": (held, found)}, source="ours", shown=shown, headline=True)
    for claim, held, found, shown in (
        ("every artefact has a run, or the reason why there is none", bool(run.all()), f"{run.sum()} of {len(rows)}", "tab-ledger"),
        ("what is claimed of an artefact holds, or its trend does, more often than not", 2 * some > most, f"{some} of {most} ({spread})", "fig-ledger-verdicts"),
        ("what is claimed of an artefact holds in every case, with its number, more often than not", 2 * spoken[ledger.HOLDS] > most, f"{spoken[ledger.HOLDS]} of {most}", "fig-ledger-verdicts"),
        ("most verdicts that an interval decides stand when the whole book is judged at once", 2 * stands > asked, f"{stands} of {asked}", "tab-ledger-pages"),
        ("every verdict on a headline that an interval decides does so", tops == len(headlines), f"{tops} of {len(headlines)}", "tab-ledger-fallen"),
    )
]
card = study.publish("disc-scorecard", verdicts.scorecard(cards), "07b")

# %% table={"name": "tab-ledger-scorecard", "caption": "The claims of this page."} tags=["hide-input"]
show_table(card[["verdict", "claim", "measured"]].assign(verdict=card["verdict"].map(verdicts.SYMBOLS)), of=card)
