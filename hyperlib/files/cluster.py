"""Other machines: calls handed to a Ray cluster, each to one core or GPU, their results taken as they come.

What is lost with a machine is done again; what is stopped, by Ctrl-C or by an error, leaves no call running. Ray is an
extra of the library (`ray`) and imported when it is asked for. A cluster that was started here sends no usage
statistics. Whoever may use a Ray cluster runs code on it (Ray talks pickle): it is to be trusted like a login.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import socket
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hyperlib.files.ending import asked_to_end
from hyperlib.files.paths import VARIABLES, settle_variables

_LOG = logging.getLogger(__name__)
ADDRESS = "RAY_ADDRESS"  # Ray's own name for the cluster that a program shall use
_PATIENCE = 10.0  # seconds that a cluster has to answer, and a call to end
_BEAT = 0.2  # seconds between two looks at what is done
_RETRIES = 16  # of one call whose machine is lost; one that ends every worker must end itself some day
_COMPARED = ("torch", "numpy", "numba")  # with Python and our own code: what decides the bits of a result

Tell = Callable[[int], None]
Heard = Mapping[Any, tuple[int, str]]


def raised(key: Hashable, error: Exception) -> None:
    """What becomes of an error of a call to which nobody listens."""
    raise error


@contextmanager
def cluster(address: str | None = None, cores: int | None = None) -> Iterator[Cluster]:
    """A Ray cluster, connected to while the block runs, and left as it was found.

    It is the one that this program is connected to already, or that at `address` ("auto" finds one on this machine),
    or that of the variable RAY_ADDRESS; else one of this machine with so many cores (all), which ends with the block.

    Raises ModuleNotFoundError without Ray and ConnectionError where no cluster answers; both say what to do.
    """
    ray = _ray()
    if ray.is_initialized():
        yield Cluster(ray)
        return
    address = address or os.environ.get(ADDRESS) or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    of_own = {"num_cpus": cores, "include_dashboard": False} if address == "local" else {}
    try:
        if named := re.fullmatch(r"([^:/]+):(\d+)", address):  # Ray itself would try for minutes
            socket.create_connection((named[1], int(named[2])), timeout=_PATIENCE).close()
        ray.init(address=address, logging_level="ERROR", **of_own)
    except (OSError, ValueError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise ConnectionError(
            f"No Ray cluster answers at {address!r} ({why}); start one with `ray start --head`, or unset {ADDRESS} to "
            "use this machine alone."
        ) from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


class Cluster:
    """A connection to Ray, made by `cluster`."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray

    def share(self, value: Any) -> Any:
        """What many calls take as an argument: copied once to each machine; arrays are not copied by its workers."""
        return self.ray.put(value)

    def run(
        self,
        function: Callable[..., Any],
        calls: Mapping[Hashable, tuple[Any, ...]],
        take: Callable[[Hashable, Any], None],
        miss: Callable[[Hashable, Exception], None] = raised,
        *,
        gpus: float = 0,
        hear: Callable[[Heard], None] | None = None,
    ) -> None:
        """Call `function(*arguments)` for each of `calls`, and `take(key, result)` as soon as one is done.

        A call whose machine is lost is done again, on another one. hear: gets, now and then, how far each call is and
        on which node; `function` gets two arguments then: `tell`, which takes the number, and `stopped`, which says
        whether to end. A call that does not within some seconds is ended.

        What a call raises, RuntimeError where one is lost again and again, goes to `miss(key, error)`. Without `miss`
        it is raised here, and the others end.
        """
        ray, here = self.ray, ray_node(self.ray)
        near = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=True)
        board = None if hear is None else ray.remote(_Board).options(num_cpus=0, scheduling_strategy=near).remote()
        called = ray.remote(_called).options(num_cpus=1, num_gpus=gpus, max_retries=_RETRIES)
        if gpus and not ray.cluster_resources().get("GPU"):
            _LOG.warning("The cluster has no GPU now; calls that ask for one wait until it has.")
        settle_variables()
        setting = (_facts(), {name: os.environ[name] for name in VARIABLES if name in os.environ})
        waiting: dict[Any, Hashable] = {}
        try:
            for key, arguments in calls.items():
                waiting[called.remote(function, key, setting, board, *arguments)] = key
            while waiting:
                for done in ray.wait([*waiting], timeout=_BEAT)[0]:
                    key = waiting.pop(done)
                    try:
                        result = _result(ray, done)
                    except Exception as error:
                        miss(key, error)
                    else:
                        take(key, result)
                if hear is not None:
                    with suppress(ray.exceptions.RayError):  # the board comes back, if its machine does
                        hear(ray.get(board.read.remote(), timeout=10 * _BEAT))
        finally:
            try:
                for reference in waiting:
                    ray.cancel(reference)
                if waiting:
                    ray.wait([*waiting], num_returns=len(waiting), timeout=_PATIENCE, fetch_local=False)
            finally:
                for reference in waiting:
                    ray.cancel(reference, force=True)
                if board is not None:
                    ray.kill(board)


class _Board:
    """Where calls write how far they are; lives beside whoever reads it."""

    def __init__(self) -> None:
        self.heard: dict[Hashable, tuple[int, str]] = {}

    def tell(self, key: Hashable, number: int, node: str) -> None:
        """One call is that far."""
        self.heard[key] = (number, node)

    def read(self) -> dict[Hashable, tuple[int, str]]:
        """How far every call is that began."""
        return self.heard


def _called(
    function: Callable[..., Any], key: Hashable, setting: tuple[dict[str, str], dict[str, str]], board: Any, *given: Any
) -> Any:
    """One call, in a worker: with the caller's folders, and only where code and libraries are the caller's."""
    facts, variables = setting
    os.environ.update(variables)
    if wrong := [f"{name} {ours}, not {facts[name]}" for name, ours in _facts().items() if ours != facts[name]]:
        raise RuntimeError(
            f"The worker on {platform.node()} has {', '.join(wrong)}; install the same environment on every machine of "
            "the cluster."
        )
    if board is None:
        return function(*given)
    node = ray_node(_ray())
    with asked_to_end() as stopped:
        return function(*given, tell=lambda number: board.tell.remote(key, number, node), stopped=stopped)


def ray_node(ray: Any) -> str:
    """The id of the node that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise RuntimeError(
            f"A call was lost {_RETRIES + 1} times with its worker ({type(error).__name__}); its machine may lack "
            "memory. What was done before is kept, and the same command goes on from it."
        ) from error


def _ray() -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Work on a cluster needs Ray, which is not installed here; in the clone, "
            '`.venv/bin/python -m pip install -c constraints.txt -e ".[ray]"` adds it.'
        ) from error
    return ray


@cache
def _facts() -> dict[str, str]:
    """What must be equal on all machines for a result to be the same wherever it is made."""
    code, room = 0, Path(__file__).parents[1]
    for file in sorted(room.rglob("*.py")):
        code = zlib.crc32(file.read_bytes(), zlib.crc32(file.relative_to(room).as_posix().encode(), code))
    own = {"Python": platform.python_version(), "hyperlib's code": f"{code:08x}"}
    return own | {name: version(name) for name in _COMPARED}
