"""The site check finds what it says it finds, and passes a clean page."""

from __future__ import annotations

from pathlib import Path

import check_site
import pytest

GOOD = """<html><head><link rel="stylesheet" href="own.css"><link rel="canonical" href="https://a.org/"></head>
<body id="top"><h1 id="one">One</h1><a href="#one">up</a> <a href="other.html#there">on</a>
<a href="https://example.org/x">a work</a> <a href="mailto:a@b.c">mail</a>
<figure id="fig-a"><div class="cell_output"><img src="a.png" alt="A line that rises."></div>
<figcaption><p><span class="caption-number">Fig. 1 </span><span class="caption-text">A line.</span></p></figcaption>
</figure><script src="own.js"></script><script>const page = "https://example.org/edit"</script>
<a href="other.html"><img src="a.png" alt="">words</a></body></html>"""

SCRIPT = '<script src="_static/movable.js?v=1" defer></script>'
LIVE = """<figure class="movable" id="fig-m"><img src="a.png" alt="A wave."><div class="movable-live">
<script type="application/json">{"data":[{"type":"scatter","y":[1,2]}],"layout":{"title":{"text":"a // b"}}}</script>
</div><figcaption><p><span class="caption-text">A wave.</span></p></figcaption></figure>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text('<p id="there">There</p>')
    (tmp_path / "own.css").write_text("@import 'more.css'; p { background: url(a.png) }")
    (tmp_path / "_static").mkdir()
    for name in ("own.js", "a.png", "more.css", "_static/plotly.min.js", "_static/movable.js"):
        (tmp_path / name).write_text("")
    return tmp_path


def add(site: Path, html: str) -> list[str]:
    """The faults of the good page with one more element."""
    (site / "index.html").write_text(GOOD.replace("</body>", html + "</body>"))
    return check_site.faults(site)


def test_clean_site_has_no_fault(site):
    assert check_site.faults(site) == []
    assert check_site.main([str(site)]) == 0


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="gone.html">x</a>', "gone.html, which is not in the site"),
        ('<a href="../outside.html">x</a>', "which is not in the site"),
        ('<a href="#two">x</a>', "index.html has no such anchor"),
        ('<a href="other.html#two">x</a>', "other.html has no such anchor"),
        ('<img src="b.png" alt="A line.">', "b.png, which is not in the site"),
        ('<script src="lost.js"></script>', "lost.js, which is not in the site"),
        ('<img src="a.png">', "has no alt text"),
        ('<img src="a.png" alt="">', "has no alt text"),
        ('<img src="a.png" alt="../_images/0a1b2c.png">', "a path as alt text"),
        ('<img src="a.png" alt="_images/0a1b2c">', "a path as alt text"),
        ('<figure id="f"><img src="a.png" alt="A line."></figure>', "f has no caption"),
        ('<figure><figcaption><span class="caption-text"> </span></figcaption></figure>', "has no caption"),
        ('<div class="cell_output"><img src="a.png" alt="A line."></div>', "without figure number"),
        ("<table><thead><tr><th><p> </p></th><th>a</th></tr></thead></table>", "<th> without a word beside 'a'"),
        ('<script src="https://cdn.org/a.js"></script>', "<script> loads https://cdn.org/a.js"),
        ('<script src="//cdn.org/a.js"></script>', "<script> loads //cdn.org/a.js"),
        ('<script>load("https://cdn.org/a.js?v=1")</script>', "a script may load https://cdn.org/a.js"),
        ('<link rel="stylesheet" href="https://cdn.org/a.css">', "<link> loads https://cdn.org/a.css"),
        ('<link rel="preconnect" href="https://fonts.org">', "<link> loads https://fonts.org"),
        ('<img src="https://cdn.org/a.png" alt="A line.">', "<img> loads https://cdn.org/a.png"),
        ('<img src="a.png" srcset="a.png 1x, //cdn.org/b.png 2x" alt="A line.">', "<img> loads"),
        ('<iframe src="https://a.org/"></iframe>', "<iframe> loads https://a.org/"),
        ("<style>@import 'https://fonts.org/f.css';</style>", "a style loads https://fonts.org/f.css"),
        ('<p style="background: url(//cdn.org/p.png)">x</p>', "a style loads //cdn.org/p.png"),
    ],
)
def test_fault_is_found(site, html, fault):
    found = add(site, html)
    assert len(found) == 1 and fault in found[0] and found[0].startswith("index.html: ")
    assert check_site.main([str(site)]) == 1


def test_fonts_of_style_sheets_are_checked(site):
    (site / "own.css").write_text("@font-face { src: url('https://fonts.org/f.woff2') }")
    assert check_site.faults(site) == ["own.css: a style loads https://fonts.org/f.woff2"]


def test_clean_figure_that_moves_has_no_fault(site):
    assert add(site, SCRIPT + LIVE) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('<img src="a.png" alt="A wave.">', "", "fig-m moves and has no still"),
        (' alt="A wave."', "", "has no alt text"),
        ('<span class="caption-text">A wave.</span>', "", "fig-m has no caption"),
        ('<figure class="movable" id="fig-m">', '<figure id="fig-m">', "moves and has no still"),
        ('{"data"', '"data"', "no data that can be read"),
        ("application/json", "text/plain", "no data that can be read"),
        ('"scatter"', '"choropleth"', "fig-m has a map, choropleth,"),
        ('"scatter"', '"densitymap"', "fig-m has a map, densitymap,"),
        ('"a // b"', '"https://a.org/a.png"', "fig-m loads https://a.org/a.png"),
        ("_static/movable.js", "own.js", "movable.js, which draws it, is not loaded"),
        ("<script ", '<script src="_static/plotly.min.js"></script><script ', "plotly.min.js is loaded with the page"),
    ],
)
def test_fault_of_a_figure_that_moves_is_found(site, old, new, fault):
    page = SCRIPT + LIVE
    assert old in page
    found = add(site, page.replace(old, new, 1))
    assert len(found) == 1 and fault in found[0]


def test_site_with_a_figure_that_moves_brings_plotly(site):
    (site / "_static" / "plotly.min.js").unlink()
    (fault,) = add(site, SCRIPT + LIVE)
    assert "plotly.min.js, which draws it, is not in the site" in fault


def test_of_all_scripts_only_the_known_ones_name_addresses(site):
    names = 'const space = "http://www.w3.org/2000/svg", half = a // b;\nfetch("https://cdn.org/topology/" + kind)'
    (site / "_static" / "plotly.min.js").write_text(names)
    assert check_site.faults(site) == []
    (site / "own.js").write_text(names)
    (site / "_static" / "movable.js").write_text("load('//cdn.org/a')")
    assert check_site.faults(site) == [
        "_static/movable.js: a script names //cdn.org/a",
        "own.js: a script names https://cdn.org/topology/",
    ]


def test_folder_without_a_site_is_a_fault(tmp_path):
    assert "make html" in check_site.faults(tmp_path)[0]


def test_links_of_the_page_for_what_is_missing_begin_with_the_published_folder(site):
    head = '<link rel="canonical" href="https://a.org/book/404.html">'
    (site / "404.html").write_text(f'{head}<a href="/book/other.html#there">on</a>')
    assert check_site.faults(site) == []
    (site / "404.html").write_text(f'{head}<a href="/book/gone.html">on</a>')
    assert any("/book/gone.html, which is not in the site" in fault for fault in check_site.faults(site))


def test_the_list_of_pages_has_every_page_and_no_other(site):
    (site / "_sources").mkdir()
    (site / "_sources" / "other.md").write_text("")
    (site / "sitemap.xml").write_text("<loc>https://a.org/b/other.html</loc>")
    assert check_site.faults(site) == []
    (site / "sitemap.xml").write_text("<loc>https://a.org/b/none.html</loc>")
    assert set(check_site.faults(site)) == {
        "sitemap.xml: other.html is missing", "sitemap.xml: https://a.org/b/none.html is no page"
    }  # fmt: skip
