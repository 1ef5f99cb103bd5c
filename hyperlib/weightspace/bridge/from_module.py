"""Any PyTorch module as a network whose units are known.

Source: our choice. What is written by hand for one kind of network elsewhere (permutation specifications of Ainsworth
et al., 2023) follows here from what a run did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from hyperlib.weightspace.bridge.tracing import in_double, traced
from hyperlib.weightspace.bridge.trying import tried
from hyperlib.weightspace.bridge.walking import walked
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.traced_module import TracedModule, bare


def from_module(
    module: nn.Module, example_inputs: Any, *, name: str | None = None, unlearned: Sequence[str] = ()
) -> TracedModule:
    """Any PyTorch module as a network whose units are known.

    example_inputs: what the module is called with: a tensor, a tuple of positional or a dict of named arguments; a
    batch of two is enough. unlearned: names or patterns of parameters that are not learned. The module is traced as it
    runs on these inputs, in evaluation mode and float64, and is left as it is.

    Linear and convolutional layers of every kind, norms, nonlinearities, pools, attention, recurrent layers, embeddings
    and all that moves numbers are known; what is not is a wall, and units that touch it keep their places. Every group
    and every signal is tried on numbers, and dropped with the reason where the outputs change.

    Raises ValueError where the module cannot be traced on the inputs, and TypeError for what is no module.
    """
    trace = traced(module, example_inputs)
    layout = Layout.from_state_dict(module, unlearned=unlearned)
    walk = walked(trace, layout)
    network = TracedModule(
        name or type(module).__name__,
        layout,
        walk.structure,
        kind=f"{type(module).__module__}.{type(module).__qualname__}",
        outputs=walk.outputs,
        activations=walk.activations,
        walls=walk.walls,
        module=bare(module),
    )
    return tried(network, in_double(example_inputs), walk.together)
