"""A book of small chapters in a folder of the test's own, to execute, break and build."""

from __future__ import annotations

from pathlib import Path

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

MOVES = """# %%
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
live.update_layout(sliders=[{"steps": steps, "currentvalue": {"prefix": "rate "}}], updatemenus=[{"buttons": buttons}])
live.update_layout(xaxis_title="time in s", yaxis_title="height </script><b>m</b>")
movable(live, still, name="fig-wave", alt="A wave that rises and falls once.", caption="A wave, with $a^2 < 1$.")

# %% [markdown]
# A slider changes the rate in {numref}`fig-wave`.
"""

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
