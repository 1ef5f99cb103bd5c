"""A step that is recorded once on a graphics card and then played: the same kernels, handed over as one.

A step of many small kernels waits for their launches rather than for the card. A CUDA graph has them in one launch.
Recording does not compute; it notes which kernels would run on which places in memory. So a step that is to be recorded
keeps what it changes in tensors that stay where they are, takes what varies as tensors, makes none of Python's numbers
and asks the card nothing. Source: PyTorch's notes on CUDA graphs. When to record and what to do without are our choice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_LOG = logging.getLogger(__name__)
_LOCK = threading.Lock()  # one recording at a time in a process
WARM_UP = 2  # calls of each form that run as they are: libraries choose their kernels in them
FORMS = 4  # at most, of one step: each recording keeps memory of its own for all that the step makes
_refused = 0

Step = Callable[..., Any]


class Recording:
    """Steps of a device, the first forms of their inputs (shapes and types) recorded once: `play(step, *inputs)`.

    generators: of the device, whose random numbers the step draws; they are seeded before a call, never inside. On
    other devices than CUDA, inside `launch_by_launch`, and for more than `FORMS` forms a step runs as it is, as it does
    where recording fails or has no room, which is said once. One object is for one step.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator] = ()) -> None:
        self.device, self.generators = device, tuple(generators)
        self._calls: dict[tuple[Any, ...], int] = {}
        self._played: dict[tuple[Any, ...], tuple[list[Tensor], Step, Any]] = {}
        self._failed = False
        self._aside: Any = None

    @property
    def records(self) -> bool:
        """Whether steps are recorded here at all."""
        return self.device.type in RECORDERS and not _refused

    def play(self, step: Step, *inputs: Tensor) -> Any:
        """What the step gives for these inputs; the next call may write over it."""
        form = tuple((tuple(value.shape), value.dtype) for value in inputs)
        if self.records and form not in self._played:
            self._calls[form] = self._calls.get(form, 0) + 1
            if self._calls[form] <= WARM_UP:
                with self._beside():
                    return step(*(value.to(self.device) for value in inputs))
            self._record(form, step, inputs)
        if not self.records or form not in self._played:
            return step(*(value.to(self.device) for value in inputs))
        held, again, given = self._played[form]
        for place, value in zip(held, inputs, strict=True):
            place.copy_(value, non_blocking=True)
        again()
        return given

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """On a card, a stream of its own: what backward passes keep of theirs must not be of the one that plays."""
        if self.device.type != "cuda":
            yield
            return
        with torch.cuda.device(self.device):
            self._aside = self._aside or torch.cuda.Stream()
            own = torch.cuda.current_stream()
            self._aside.wait_stream(own)
            with torch.cuda.stream(self._aside):
                yield
            own.wait_stream(self._aside)

    def _record(self, form: tuple[Any, ...], step: Step, inputs: Sequence[Tensor]) -> None:
        if self._failed or len(self._played) == FORMS:
            return
        try:
            held = [value.to(self.device, copy=True) for value in inputs]
            with _LOCK, self._beside():
                self._played[form] = (held, *RECORDERS[self.device.type](step, held, self.generators))
        except RuntimeError as error:  # one that there is no room, too: the step itself has had room
            _LOG.warning("A step cannot be recorded, so its kernels are launched one by one: %s", error)
            self._failed = True


@contextmanager
def launch_by_launch() -> Iterator[None]:
    """Inside, nothing is recorded or played: for comparison."""
    global _refused
    with _LOCK:
        _refused += 1
    try:
        yield
    finally:
        with _LOCK:
            _refused -= 1


def _cuda_graph(step: Step, held: Sequence[Tensor], generators: Sequence[torch.Generator]) -> tuple[Step, Any]:
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
        given = step(*held)
    return graph.replay, given


RECORDERS: dict[str, Callable[..., tuple[Step, Any]]] = {"cuda": _cuda_graph}  # by the type of the device
