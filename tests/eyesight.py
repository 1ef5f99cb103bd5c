"""What eyes make of colours: contrast by WCAG 2.1, simulated colour blindness, and distance in Oklab.

Source: relative luminance and contrast ratio of WCAG 2.1; matrices of Machado, Oliveira and Fernandes (2009) at full
severity, for linear light; Oklab by Ottosson (2020), here times 100.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

SEEING = {
    "as most": np.eye(3),
    "without green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "without red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "without blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _light(colour) -> np.ndarray:
    """Linear light of an sRGB colour."""
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other) -> float:
    """Ratio of WCAG 2.1, from 1 to 21."""
    dark, light = sorted(float(_light(colour) @ (0.2126, 0.7152, 0.0722)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def distance(one, other, seeing: str = "as most") -> float:
    """How far apart two colours look to an eye of `SEEING`; about 2 can just be told apart side by side."""
    seen = (np.clip(SEEING[seeing] @ _light(colour), 0, 1) for colour in (one, other))
    first, second = (100 * _OPPONENTS @ np.cbrt(_CONES @ light) for light in seen)
    return float(np.linalg.norm(first - second))
