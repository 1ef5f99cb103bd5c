"""The mean over few models and how sure it is.

A zoo of two or four models is too small for a bootstrap: its draws never leave the range of what was seen. Student's
interval knows how little that is.

Source: Student (1908); that a verdict over few models takes it is our choice.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import t


def mean_interval(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean of one value per model and its 95 % interval by Student's t; the ends are NaN for a single model.

    Raises ValueError where there is no value or one is not finite.
    """
    values = np.asarray(list(values), dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("A mean needs finite values, one per model; leave out diverged models.")
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan, np.nan
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half
