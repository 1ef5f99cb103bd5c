"""The ledger: a row for every artefact, a run or a reason behind it, and verdicts that their numbers bear out."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import jupytext
import numpy as np
import pandas as pd
import pytest

from hyperlib.files.paths import committed_folder, root
from hyperlib.press.pages import ledger as page
from hyperlib.press.pages.sources import address_of
from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import Estimate
from hyperlib.thesis import claims, ledger
from hyperlib.thesis.published import artefacts, thesis_data

CARDS = sorted(committed_folder("laptop").glob("disc-scorecard.*.csv"))
SCORECARDS = [file for file in CARDS if ".07" not in file.name]
assert claims.scorecards() == SCORECARDS and len(CARDS) > len(SCORECARDS) > 10
NAMES = list(artefacts(companions=True).index)
PLACES = re.compile(r'"name": "([\w-]+)"|:name: ([\w-]+)|\{ledger\} ([\w-]+)')


@cache
def the_ledger() -> pd.DataFrame:
    return ledger.ledger()


@cache
def labels() -> list[str]:
    """Names of all figures and tables of the book."""
    files = [*(root() / "notebooks").glob("*.py"), root() / "book" / "index.md"]
    found = [names for file in files for names in PLACES.findall(file.read_text(encoding="utf-8"))]
    return [name for names in found for name in names if name]


# ---- every artefact


def test_every_artefact_and_companion_has_one_row_in_the_order_of_the_thesis():
    assert list(the_ledger().index) == [entry["id"] for entry in thesis_data("ledger.yml")["artefacts"]] == NAMES


def test_a_list_that_lacks_an_artefact_is_refused(monkeypatch):
    whole = thesis_data("ledger.yml")
    short = whole | {"artefacts": whole["artefacts"][1:]}
    monkeypatch.setattr(ledger, "thesis_data", lambda name: short)
    with pytest.raises(ValueError, match=f"do not list the same artefacts: {whole['artefacts'][0]['id']}"):
        ledger.records()


def test_two_entries_of_one_artefact_are_refused(monkeypatch):
    whole = thesis_data("ledger.yml")
    double = whole | {"artefacts": [*whole["artefacts"], whole["artefacts"][0]]}
    monkeypatch.setattr(ledger, "thesis_data", lambda name: double)
    with pytest.raises(ValueError, match="two entries of one artefact"):
        ledger.records()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_has_a_run_and_a_figure_or_its_scale_says_why(name):
    row, scales = the_ledger().loc[name], thesis_data("ledger.yml")["meta"]["scales"]
    assert row["scale"] in scales
    assert row["why"] or row["scale"] == "full", "a scale that is not full says why"
    if row["scale"] in ("full", "reduced", "recipe only"):
        assert row["tables"] > 0 and row["shown"]
    elif row["scale"] == "diagram":
        assert row["shown"].startswith("fig-")
    else:
        assert row["numbers"] > 0 and not row["shown"]


def test_a_scale_is_not_larger_than_what_a_laptop_can_do():
    planned = artefacts(companions=True)["scale"]
    full = the_ledger().index[the_ledger()["scale"] == "full"]
    assert (planned[full] == "cpu-full").all()
    assert (the_ledger().index[the_ledger()["scale"] == "diagram"] == planned.index[planned == "diagram"]).all()


@pytest.mark.parametrize("made_by", sorted({entry["made_by"] for entry in thesis_data("ledger.yml")["artefacts"]}))
def test_what_makes_an_artefact_is_in_the_library(made_by):
    assert "#L" in address_of(made_by, root())


# ---- every figure and table


@pytest.mark.parametrize("label", sorted({*labels(), *ledger.shown_by()}))
def test_every_figure_and_table_shows_an_artefact_or_is_the_companions_own(label):
    assert label in labels(), "the ledger names it, and no page has it"
    own = any(fnmatch(label, pattern) for pattern in thesis_data("ledger.yml")["others"])
    assert own != (label in ledger.shown_by())


def test_every_claim_speaks_of_an_artefact_or_of_the_companion():
    table, subjects = claims.claims(), ledger.claims_by_artefact(claims.claims())
    heard = {place for cases in subjects.values() for place in cases.index}
    silent = table.drop(index=list(heard))
    told = silent[["page", "claim", "shown"]].drop_duplicates().to_string()
    assert set(silent["page"]) == {"01", "03d", "cost"}, told


def test_claims_that_an_entry_names_are_claims():
    named = {claim for entry in ledger.records().values() for claim in entry.get("claims", ())}
    assert named and named <= set(claims.claims()["claim"])


# ---- verdicts


@pytest.mark.parametrize("file", SCORECARDS, ids=lambda file: file.name.split(".")[1])
def test_no_verdict_of_a_claim_contradicts_its_numbers(file):
    """Each is made once more from value, interval, threshold and margin as committed (to eight digits)."""
    table = claims.scorecard_in(file)
    measured = table[table["margin"].notna()]
    for row in measured.itertuples():
        case = {row.case: Estimate(row.value, row.low, row.high, row.freedom)}
        how = {"less": row.less, "threshold": row.threshold, "margin": row.margin}
        (again,) = verdicts.tested("", case, source="", shown="", **how).itertuples()
        assert again.verdict == row.verdict, f"{row.claim}, {row.case}"
        assert again.p == pytest.approx(row.p, rel=1e-2, abs=1e-12, nan_ok=True) or min(again.p, row.p) < 1e-12
    facts = table[table["margin"].isna()]
    assert facts["verdict"].isin([verdicts.HOLDS, verdicts.FAILS]).all() and (facts["holm"] == "").all()


def test_what_stands_in_the_book_is_counted_by_another_implementation():
    """Holm's step-down rule as adjusted p-values: the running maximum of p times how many are left."""
    table = claims.claims()
    known = table.dropna(subset=["p"]).sort_values("p", kind="stable")
    adjusted = np.maximum.accumulate(known["p"].to_numpy() * np.arange(len(known), 0, -1))
    stands = set(known.index[adjusted <= 0.05]) - set(table.index[table["verdict"] == "undecided"])
    assert set(table.index[table["book"] == "stands"]) == stands
    assert not ((table["book"] == "stands") & (table["holm"] == "falls") & (table["page"] != "04b")).any()


@pytest.mark.parametrize("name", NAMES)
def test_no_verdict_of_an_artefact_contradicts_its_cases(name):
    """Counted from the committed files alone, by the rule in the page's words."""
    row, entry = the_ledger().loc[name], ledger.records()[name]
    cases = pd.concat([pd.read_csv(file, keep_default_na=False, dtype=str) for file in SCORECARDS])
    named = {claim for one in ledger.records().values() for claim in one.get("claims", ())}
    mine = cases["claim"].isin(entry["claims"]) if "claims" in entry else (
        cases["shown"].isin(entry["shown"]) & ~cases["claim"].isin(named)
    )  # fmt: skip
    cases = cases[mine]
    theirs = cases[~cases["source"].str.startswith("ours")]
    found = (theirs if len(theirs) else cases)["verdict"].tolist()
    compared = row["alike"] == "yes"
    if compared:
        same = row["low"] <= row["published"] <= row["high"] or row["published"] == row["ours"]
        found.append("holds" if same else "fails")
    share = {word: found.count(word) / max(len(found), 1) for word in ("holds", "fails")}
    assert found.count("holds") == row["holds"] and found.count("fails") == row["fails"]
    if not found:
        right = "not comparable" if row["numbers"] else "shown, no claim"
    elif share["fails"] > 0.5:
        right = "does not hold"
    elif share["holds"] == 1 and (compared or not row["numbers"]):
        right = "holds"
    else:
        right = "trend only" if share["holds"] > 0.5 else "undecided at this size"
    assert row["verdict"] == right


@pytest.mark.parametrize(
    ("votes", "numbers", "compared", "right"),
    [
        ("", 0, False, "shown, no claim"), ("", 3, False, "not comparable"), ("h", 0, False, "holds"),
        ("hh", 3, False, "trend only"), ("hh", 3, True, "holds"), ("hhf", 0, False, "trend only"),
        ("hf", 0, False, "undecided at this size"), ("hu", 0, False, "undecided at this size"),
        ("hff", 9, True, "does not hold"), ("uuu", 0, False, "undecided at this size"), ("f", 1, True, "does not hold"),
    ],
)  # fmt: skip
def test_the_rule(votes, numbers, compared, right):
    words = {"h": "holds", "f": "fails", "u": "undecided"}
    assert ledger.verdict_of([words[vote] for vote in votes], numbers, compared) == right


def test_a_number_agrees_where_it_lies_in_the_interval_or_equals_a_count():
    def agrees(published, *ours):
        return ledger.agreement(ledger.Beside("", published, Estimate(*ours), alike=True))

    assert agrees(0.911, 0.912, 0.910, 0.914) == "holds" and agrees(0.911, 0.92, 0.915, 0.925) == "fails"
    assert agrees(27, 27) == "holds" and agrees(27, 26) == "fails"


def test_numbers_beside_each_other_are_in_fractions():
    rows = the_ledger().dropna(subset=["published", "ours"])
    sizes = rows[["published", "ours"]].drop(index=["zoo-generating-factors", "ws-trajectories-dendrogram"])
    assert len(sizes) > 20 and sizes["published"].between(0, 1).all() and (sizes["ours"] <= 1).all()


@pytest.mark.parametrize("part", ["published", "ours"])
def test_a_choice_that_picks_no_row_or_several_is_refused(part):
    entry = ledger.records()["ghr-finetune"]
    picks = {side: dict(entry["beside"][side]) for side in ("published", "ours")}
    where = picks[part] if part == "published" else (picks[part].setdefault("where", {}))
    for change, told in (({"epoch": 7}, "picks 0 rows"), ({"colour": 1}, "no column")):
        wrong = picks | {part: where | change if part == "published" else picks[part] | {"where": where | change}}
        with pytest.raises(ValueError, match=told):
            ledger.beside_of("ghr-finetune", {"beside": entry["beside"] | wrong})


@pytest.mark.parametrize("damage", [None, b"", b"\xff\xfe", b'a,b\n"1,2\n'], ids=["missing", "empty", "bytes", "cut"])
def test_a_lost_or_damaged_table_is_refused_with_a_remedy(monkeypatch, tmp_path, damage):
    monkeypatch.setattr(ledger, "committed_folder", lambda profile: tmp_path)
    if damage is not None:
        (tmp_path / "ghr-finetune.csv").write_bytes(damage)
    with pytest.raises((FileNotFoundError, ValueError), match="git checkout") as caught:
        ledger.beside_of("ghr-finetune", ledger.records()["ghr-finetune"])
    assert "\n" not in str(caught.value)


def test_items_of_the_thesis_are_those_of_its_listing():
    items = ledger.items_of_the_thesis().set_index("kind")
    assert items["in the thesis"].to_dict() == {"figures": 53, "tables": 48, "equations": 28, "algorithms": 3}
    assert items["known by number"].to_dict() == {"figures": 5, "tables": 0, "equations": 0, "algorithms": 0}


# ---- what is committed, and what a page makes of it


def test_the_committed_ledger_is_that_of_the_committed_tables():
    """Else: `make run CHAPTER=07b_what_holds PROFILE=laptop`, then `make results` with the same words."""
    committed = pd.read_csv(committed_folder("laptop") / "disc-scorecard.csv", keep_default_na=False, na_values={
        name: [""] for name in ("published", "ours", "low", "high")}).set_index("id")  # fmt: skip
    pd.testing.assert_frame_equal(committed, the_ledger(), check_dtype=False, rtol=1e-7)


def test_the_rule_stands_on_the_page():
    text = (root() / "notebooks" / "07b_what_holds.py").read_text(encoding="utf-8")
    assert all(f"**{page.SYMBOLS[word]} {word}**" in text for word in ledger.VERDICTS)
    assert page.PAGE == "notebooks/07b_what_holds" and "07b".startswith(claims.OWN)


def test_cells_of_a_row_name_its_figure_its_code_and_whose_claims_these_are():
    name = "zoo-property-benchmark"
    (about, scale, theirs, ours, verdict) = page.cells(name, the_ledger().loc[name])
    assert "`zoo-property-benchmark` · chapter 3" in about and "{source}`tasks.probing.run_probes`" in about
    assert "\n\n{numref}`fig-zoo-property-benchmark`, " in about and scale.startswith("reduced\n\n")
    assert "not like for like" in theirs and re.match(r"\.?\d\.\d+ \[", ours) and "ch. 3, 4" in verdict


def test_words_of_a_table_are_no_markup():
    assert page.plain("a [b](c) *d* {e}`f` <g>") == r"a \[b\](c) \*d\* \{e\}\`f\` \<g\>"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("claim,case\na,b\n", "is no scorecard"),
        ("", "is no table"),
        ("=cmd|' /C calc'!A0\n", "is no scorecard"),
        ("\x00\x00", "is no scorecard"),
        (",".join(verdicts.COLUMNS) + "\n" + ",".join(["x"] * len(verdicts.COLUMNS)) + "\n", "is no scorecard"),
        (",".join(verdicts.COLUMNS) + "\na,ours,c,1,,,,,,,,perhaps,,,fig,True\n", "'perhaps' is no verdict"),
        (",".join(verdicts.COLUMNS) + "\na,ours,c,1,,,,,,,,holds,,,fig,true\n", "'true' is no headline"),
        (",".join(verdicts.COLUMNS) + "\na,ours,c,1,,,,,yes,,,holds,,,fig,True\n", "'yes' is no less"),
    ],
)
def test_a_damaged_scorecard_is_refused_with_a_remedy(tmp_path, content, told):
    file = tmp_path / "disc-scorecard.02a.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match=told) as caught:
        claims.scorecard_in(file)
    assert "git checkout" in str(caught.value) and "\n" not in str(caught.value)


def test_a_book_without_scorecards_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "committed_folder", lambda profile: Path(tmp_path))
    with pytest.raises(FileNotFoundError, match="git checkout"):
        claims.claims()


def test_headlines_that_fall_stood_on_their_page():
    falls = claims.fallen(claims.claims())
    assert len(falls) and (falls["p"] < 0.05).all() and falls["verdict"].isin(["holds", "fails"]).all()


def test_counts_of_claims_and_pages_add_up_to_all_verdicts():
    table = claims.claims()
    for rows in (claims.by_claim(table), claims.by_page(table).iloc[1:]):
        assert rows[["holds", "fails", "undecided"]].sum().sum() == len(table)
    whole = claims.by_page(table).iloc[0]
    assert whole["page"] == "all" and whole["claims"] == len(claims.by_claim(table))


def test_the_page_takes_every_number_from_the_ledger():
    cells = jupytext.read(root() / "notebooks" / "07b_what_holds.py", fmt="py:percent").cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert "ledger.ledger()" in code and ".zoo(" not in code and "train_population" not in code  # it trains nothing


def test_every_page_with_claims_has_a_name():
    names = claims.page_names()
    assert set(claims.claims()["page"]) <= set(names) and names["02b"] == "02b symmetries"
