"""The zoo that grows in a page: its figure, its still, its scripts, and what they must know of the library.

`{browser-zoo}` is an ordinary figure, whose picture Python draws of a zoo that it grows when the page is read. Our
scripts (`book/_static/zoo`) put the live zoo in its place. They are loaded on such pages only, with a script beside
them that holds the images, the settings and the colours, so that nothing is typed twice; a script, because a browser
reads no data file from a page that was opened from disk.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure

from hyperlib.figures import style
from hyperlib.figures.zoo_still import zoo_still
from hyperlib.files.writing import appearing
from hyperlib.thesis.browser_zoo import Settings, browser_recipe, grown

CLASS = "browser-zoo"  # of its figure, also in page.js and zoo.css
STILL = "_build/browser_zoo/still.png"
RECIPE, STYLE = "zoo/recipe.js", "zoo/zoo.css"
SCRIPTS = (RECIPE, *(f"zoo/{name}.js" for name in ("growing", "reading", "worker", "plots", "page")))  # in this order


def connect(app: Sphinx) -> None:
    """Register the directive, and the hook that brings what its pages load."""
    app.add_directive("browser-zoo", BrowserZoo)
    app.connect("html-page-context", bring_scripts)


class BrowserZoo(Figure):
    """A figure without an address: its picture is the still. Caption and legend are the directive's content."""

    required_arguments, optional_arguments = 0, 0

    def run(self) -> list[nodes.Node]:
        draw_still(Path(self.state.document.settings.env.app.srcdir) / STILL)
        self.arguments = [f"/{STILL}"]
        made = super().run()
        for figure in [node for node in made if isinstance(node, nodes.figure)]:
            figure["classes"].append(CLASS)
        return made


def draw_still(file: Path) -> None:
    """Grow the zoo at the settings with which the page begins, and draw it."""
    with plt.rc_context():
        style.use_house_style()
        still = zoo_still(grown(Settings(), engine="auto"))
        with appearing(file) as aside:
            still.savefig(aside, format="png", dpi=150)
        plt.close(still)


def bring_scripts(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write what the scripts must know into the site, and load all of it on pages with such a figure only."""
    if doctree is None or not any(CLASS in figure["classes"] for figure in doctree.findall(nodes.figure)):
        return
    target = Path(app.outdir) / "_static" / RECIPE
    with appearing(target) as aside:
        aside.write_text(recipe_script(), encoding="utf-8")
    app.add_css_file(STYLE)
    for script in SCRIPTS:
        app.add_js_file(script, loading_method="defer")


def recipe_script() -> str:
    """The script that says all that the others must know."""
    colours = {
        **{"ink": style.INK, "zoo": style.ZOO, "raised": style.RAISED[0], "ramp": style.RAMP},
        "signed": [style.BLUE, style.RED],
    }
    return f"const zooRecipe = {json.dumps(browser_recipe() | {'colours': colours}, separators=(',', ':'))};\n"
