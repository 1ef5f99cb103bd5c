"""The book's one look: colours, and matplotlib's defaults.

Figures stand on a transparent ground, so every colour has a contrast of 3 to 1 or more against the white and against
the dark page (WCAG 2.1, criterion 1.4.11). That leaves a narrow band of lightness. In it six hues were searched for
that lie as far apart, and from the grey, as they can, also for readers with one of the three kinds of colour blindness
(our choice; the tests say how far). More than six things in one figure are grey with a few raised, or facets.
"""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_rgb, to_rgba

GROUNDS = ("#ffffff", "#14181e")  # of the page, light and dark
INK = "#767676"  # words, axes, and what is not raised: 4.5 to 1 on white, 3.9 on dark
HUES = BLUE, AMBER, GREEN, PURPLE, SKY, RED = ("#1a5ce5", "#cd7f14", "#16781a", "#8b509c", "#0a97ec", "#dd0c1b")
CYCLE = [*HUES, INK]
COLOURS = {  # methods, the same in the whole book
    "W": INK,
    "s(W)": BLUE,
    "best statistics": BLUE,
    "clock": INK,
    "+ statistics": BLUE,
    "+ untrained": AMBER,
    "+ ours": GREEN,
    "+ answers": PURPLE,
    "best of ours": GREEN,
    "untrained": AMBER,
    "ours": GREEN,
    "thesis": RED,
    "learned inputs": PURPLE,
    "noise inputs": SKY,
    "real images": INK,
    "accuracy": INK,  # properties, where methods are compared: told apart by shape
    "gap": INK,
}
ZOO = GREEN  # populations; the colours above stand for methods
PAIR = [SKY, PURPLE]  # two readings of one thing
RAISED = [BLUE, AMBER, GREEN]  # a few of many, the others grey
RAMP = ["#245fdc", "#6c58d4", "#9c4fbd", "#bf4d93", "#d0565f", "#d6692f", "#cf8114"]  # a number, low to high
RAMP_MAP = LinearSegmentedColormap.from_list("hyperlib", RAMP)
SIGNED_MAP = ListedColormap(  # from minus to plus, zero as clear as the page: on any ground the larger is the stronger
    [to_rgba(RED if place > 0 else BLUE, abs(place)) for place in np.linspace(-1, 1, 255)], "signed"
)


def use_house_style() -> None:
    """Set matplotlib's defaults for the book."""
    if RAMP_MAP.name not in mpl.colormaps:
        mpl.colormaps.register(RAMP_MAP)
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
            "image.cmap": RAMP_MAP.name,
            **dict.fromkeys(
                ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), INK
            ),
        }
    )


def model_colours(models: np.ndarray) -> dict[int, tuple[float, float, float]]:
    """One colour per model, for figures in which models are told apart and not compared.

    More than six models are grey but for three of them, spread evenly over the order in which they come. The three
    stand last, so that who draws in this order draws them on top.
    """
    names = list(dict.fromkeys(models.tolist()))
    if len(names) <= len(HUES):
        return dict(zip(names, map(to_rgb, HUES), strict=False))
    raised = [names[place] for place in (0, len(names) // 2, len(names) - 1)]
    grey = dict.fromkeys((name for name in names if name not in raised), to_rgb(INK))
    return grey | dict(zip(raised, map(to_rgb, RAISED), strict=True))


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour per method: that of `COLOURS`, also where a probe follows behind a comma; for others the hues left over.

    Raises ValueError where that takes more than six hues.
    """
    names = list(dict.fromkeys(methods))
    known = {name: COLOURS[_kind(name)] for name in names if _kind(name) in COLOURS}
    others = [name for name in names if name not in known]
    free = [hue for hue in HUES if hue not in known.values()]
    if len(others) > len(free):
        raise ValueError(f"A figure has six hues and grey, too few for {', '.join(names)}: show fewer, or facets.")
    return {name: known.get(name) or free[others.index(name)] for name in names}


def _kind(name: str) -> str:
    """`ours` of `ours, trees`."""
    return name.partition(",")[0]
