"""What Numba compiles for on this machine, and the sizes that follow from it: lanes of a vector, registers of a tile.

`LANES` images stand side by side in one vector: 16 with AVX-512, 8 with AVX, 4 elsewhere, which is one register of the
processor. A tile of accumulators (`tiles`) has at most `TILE` rows and columns, so that it stays in registers beside
what is being multiplied. Our choice, by measurement (page *Cost and speed*).
"""

from __future__ import annotations

from numba import config
from numba.core.registry import cpu_target


def _features() -> str:
    """The processor that Numba compiles for, such as "znver4,+avx2,+fma"."""
    try:
        return ",".join(str(part) for part in cpu_target.target_context.codegen().magic_tuple())
    except AttributeError:  # not a public name; numba's own configuration says less
        return f"{config.CPU_NAME},{config.CPU_FEATURES}"


FEATURES = _features()
LANES = 16 if "+avx512f" in FEATURES else 8 if "+avx" in FEATURES else 4
ACCUMULATORS = 24 if "+avx512vl" in FEATURES else 12  # of 32 or 16 registers
