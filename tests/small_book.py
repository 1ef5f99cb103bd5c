"""A book of small chapters in a folder of the test's own, to execute, break and build."""

from __future__ import annotations

import shutil
from pathlib import Path

from hyperlib.files.paths import root

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does it add up?
# A sentence before the code.

# %% tags=["parameters"]
profile = "laptop"

"""

PUBLISHES = """# %%
import os
from pathlib import Path
from hyperlib.store.record import record_result, record_seeds

folder = Path(os.environ["HYPERLIB_RESULTS"]) / profile
folder.mkdir(parents=True, exist_ok=True)
(folder / "sum.csv").write_text("a,sum\\n1,2\\n")
record_result(folder / "sum.csv")
record_seeds("sums", "1 to 3")

# %%
print("one and one is", 1 + 1)
"""

WORDS = """{"image": {"alt": "A wave that rises and falls once."}, \
"figure": {"name": "fig-wave", "caption": "A wave, with $a^2 < 1$."}}"""

MOVES = """# %% mystnb={WORDS}
import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from hyperlib.figures.movable import movable

x, rates = np.linspace(0, 6, 40), [1, 2, 3]
still, ax = plt.subplots(figsize=(7, 3.4))
ax.plot(x, np.sin(x))
live = go.Figure([go.Scatter(x=x, y=wave(x), name=name) for name, wave in {"sine": np.sin, "cosine": np.cos}.items()])
steps = [{"label": f"{rate}", "method": "restyle", "args": [{"y": [np.sin(rate * x)]}, [0]]} for rate in rates]
buttons = [{"label": f"{sign} sign", "method": "restyle", "args": [{"y": [factor * np.sin(x)]}, [0]]}
           for sign, factor in {"plus": 1, "minus": -1}.items()]
colours = [{"label": colour, "method": "restyle", "args": [{"line.color": colour}, [0]]} for colour in ("blue", "red")]
live.update_layout(sliders=[{"steps": steps, "currentvalue": {"prefix": "rate: "}}])
live.update_layout(updatemenus=[{"buttons": buttons, "name": "Sign"}, {"buttons": colours, "type": "dropdown"}])
live.update_layout(xaxis_title="time in s", yaxis_title="height </script><b>m</b>")
live.update_layout(meta={"narrow": {"height": 380}})
movable(live, still)

# %% [markdown]
# A slider changes the rate in {numref}`fig-wave`.
""".replace("{WORDS}", WORDS)

TURNS = """# %% mystnb={WORDS}
import matplotlib.pyplot as plt
import plotly.graph_objects as go
from hyperlib.figures.movable import movable

still, ax = plt.subplots(subplot_kw={"projection": "3d"})
ax.plot([0, 1, 0], [0, 1, 1], [0, 1, 2])
movable(go.Figure(go.Scatter3d(x=[0, 1, 0], y=[0, 1, 1], z=[0, 1, 2], mode="lines")), still)
""".replace("{WORDS}", WORDS.replace("wave", "curve"))

FILLS = "\n# %% [markdown]\n" + "# A sentence that fills the page, so that what follows is far below.\n#\n" * 60 + "\n"

FAILS = """# %%
before = 1

# %%
# a comment first
raise ValueError("two and two is five")
"""


def make_book(folder: Path, **chapters: str) -> Path:
    """Write `_toc.yml`, an index and the chapters' sources: names, and cells behind the parameters or all of them."""
    (folder / "book").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    (folder / "book" / "index.md").write_text("# A small book\n\nWith an index.\n", encoding="utf-8")
    lines = ["format: jb-book", "root: book/index", "chapters:"]
    for name, cells in chapters.items():
        lines.append(f"  - file: notebooks/{name}")
        source = cells if cells.startswith("# ---") else HEADER + cells
        (folder / "notebooks" / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "_toc.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def dress(folder: Path) -> None:
    """Give a small book what the site's own configuration asks for: style, scripts, a list of references."""
    shutil.copytree(root() / "book" / "_static", folder / "book" / "_static")
    shutil.copy(root() / "_config.yml", folder)
    reference = "@misc{one, title={One}, author={A. Person}, year={2020}}\n"
    (folder / "book" / "references.bib").write_text(reference, encoding="utf-8")
