"""The book's one look: colours, and matplotlib's defaults.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers and in grey; backgrounds are
transparent and text mid-grey, so that a figure is legible on a light and on a dark page.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import seaborn as sns

INK = "#767676"  # 4.5 to 1 on white, and as much on near-black
COLOURS = {
    "W": "#999999",
    "s(W)": "#0072B2",
    "hyper-parameters": "#E69F00",
    "thesis": "#D55E00",
    "untrained": "#E69F00",
    "E_cD": "#009E73",
}
CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999"]
ZOO = "#009E73"  # populations; the colours above stand for methods
PAIR = ["#56B4E9", "#CC79A7"]  # two readings of one thing


def use_house_style() -> None:
    """Set matplotlib's defaults for the book."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.4),
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
            "axes.facecolor": "none",
            "axes.prop_cycle": mpl.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "font.size": 10,
            "image.cmap": "viridis",
            **dict.fromkeys(
                ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), INK
            ),
        }
    )


def model_colours(models: np.ndarray) -> dict[int, tuple[float, float, float]]:
    """One colour per model, for figures in which models are told apart and not compared."""
    names = list(dict.fromkeys(models.tolist()))
    return dict(zip(names, sns.husl_palette(len(names), s=0.9, l=0.55), strict=True))
