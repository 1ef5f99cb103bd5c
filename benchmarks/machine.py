"""The machine and the versions that a run of the benchmarks is of."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from hyperlib.files.cost import cores
from hyperlib.zoos.engines.choice import ENGINES


def machine(repetitions: int) -> pd.DataFrame:
    """One row per fact, as text; the load is what others asked of the machine in the minute before."""
    facts = {
        "processor": _processor(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "load average before": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown",
        "system": platform.system(),
        "Python": platform.python_version(),
        "torch": version("torch"),
        "numba": version("numba"),
        "engines": " ".join(ENGINES),
        "repetitions": repetitions,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return pd.DataFrame({"fact": facts.keys(), "value": [str(value) for value in facts.values()]})


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
