"""What a module does, as a graph of elementary operations.

The module runs once, on the example inputs and in float64, and every tensor operation below Python is noted
(`torch.fx`, at the level of ATen operators). So any Python code may stand in it; of a branch the one taken is noted,
and a loop as often as it ran: the graph is that of inputs of these shapes.

Source: our choice. The symbolic tracer of `torch.fx` stops at control flow, and `torch.export` takes seconds for guards
that are of no use here; both end in the same operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from hyperlib.weightspace.traced_module import arguments, outputs_of, plainly


@dataclass(frozen=True)
class Trace:
    """The graph of one run: its inputs are the tensors of the state by name, then those of the inputs."""

    graph: fx.GraphModule
    names: tuple[str, ...]
    state: Mapping[str, Tensor]
    inputs: tuple[Tensor, ...]


def traced(module: nn.Module, inputs: Any) -> Trace:
    """The operations that the module makes of these inputs, in evaluation mode; the module itself is left as it is.

    Raises ValueError, with PyTorch's reason, where the module does not run on them.
    """
    module = evaluated(module)
    state = tensors_of(module)
    leaves, form = tree_flatten(in_double(arguments(inputs)))
    tensors = tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))

    def run(*values: Tensor) -> list[Tensor]:
        given = iter(values[len(state) :])
        called = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        positional, named = tree_unflatten(called, form)
        outputs = outputs_of(functional_call(module, dict(zip(state, values, strict=False)), positional, named))
        if not outputs:
            raise ValueError("it gives no tensor of floating-point numbers")
        return outputs

    try:
        with torch.no_grad(), plainly(), torch.random.fork_rng(devices=[]):
            graph = _graph_of(run, (*state.values(), *tensors))
    except Exception as error:  # whatever a stranger's module raises
        raise ValueError(
            f"{type(module).__name__} cannot be traced on these inputs ({_first_line(error)}). They should be what the "
            "module is called with: a tensor, a tuple of positional or a dict of named arguments; and it should give "
            "tensors, and take no turn that depends on the numbers in them."
        ) from error
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return Trace(graph, tuple(state), state, tensors)


def _graph_of(run: Callable[..., list[Tensor]], values: Sequence[Tensor]) -> fx.GraphModule:
    """The operations of a run, none of which writes into a tensor."""
    try:
        graph = make_fx(functionalize(run, remove="mutations"))(*values)
    except RuntimeError:  # a function with a gradient of its own has to be traced first
        graph = make_fx(run)(*values)
    if _writes(graph):  # some operations write only when they are taken apart
        graph = make_fx(functionalize(graph, remove="mutations"))(*values)
    if _writes(graph):
        raise ValueError("it writes into its tensors in a way that cannot be followed")
    return graph


def _writes(graph: fx.GraphModule) -> bool:
    """Whether an operation changes what others read; inputs that are overwritten in the end do not count."""
    for node in graph.graph.nodes:
        schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
        if schema is not None and schema.is_mutable and (node.users or node.args[0].op != "placeholder"):
            return True
    return False


def in_double(values: Any) -> Any:
    """The same arguments with their floating-point tensors in float64, apart from the graph that made them."""
    return tree_map(lambda leaf: _double(leaf) if isinstance(leaf, Tensor) else leaf, values)


def evaluated(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode and float64, on the CPU. Raises TypeError for what is no module, ValueError where it
    cannot be copied."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"A network is traced from a torch.nn.Module, not from a {type(module).__name__}.")
    try:
        return deepcopy(module).to("cpu", torch.float64).eval()
    except Exception as error:
        raise ValueError(f"{type(module).__name__} cannot be copied ({_first_line(error)}).") from error


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of tied ones the first name."""
    return {name: value.detach() for name, value in (*module.named_parameters(), *module.named_buffers())}


def _double(value: Tensor) -> Tensor:
    value = value.detach().to("cpu")
    return value.double() if value.is_floating_point() else value


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return re.sub(r"\. \w{0,12}$", "", line).rstrip(". ")  # no sentence that a line's end cuts off at its beginning
