"""The three sizes at which every experiment of the book can be run.

`quick` is real but small (minutes; continuous integration, a lecture), `laptop` is what the book publishes (two cores,
no GPU, no network), `paper` has the thesis's own sizes. A page never mixes profiles.
"""

from __future__ import annotations

PROFILES = ("quick", "laptop", "paper")


def check_profile(profile: str) -> str:
    """The profile itself, if it exists; ValueError with the known names if not."""
    if profile not in PROFILES:
        raise ValueError(f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}.")
    return profile
