"""Blocks of a job on a Ray cluster, each on one core (or GPU), the same to the bit as on one machine.

The cut into blocks and all randomness are the job's own, so where a block trains changes nothing. (On processors with
vectors of another width the compiled engine adds in another order; `HYPERLIB_LANES` makes them equal.) The images lie
once on each node. A worker holds one block: its models' epochs twice (the second time while they are written), at most
`8 x models x (epochs + 1) x params` bytes with the block's models (see `Job.blocks`), and nothing that grows with the
zoo. The caller holds the zoo, on disk where it is large and has a folder.

A block's state goes to the checkpoint folder where the worker sees that folder, or to an fsspec address
(`s3://bucket/zoo`), and whoever does a lost block again goes on from it. Where neither is, lost blocks begin anew; what
came whole is written to the folder by the caller. Source: our choice.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperlib.files.cluster import Heard, Tell, cluster
from hyperlib.files.writing import ASIDE, workplace
from hyperlib.images.images import Images
from hyperlib.zoos.blocks import Course, Kept, Shape, block_files, train_block
from hyperlib.zoos.checkpoint import BlockCheckpoint, Saved
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.job import Job, on_device

_LOG = logging.getLogger(__name__)
_PARTS = ("train_x", "train_y", "test_x", "test_y")
_TOLD = 0.2  # seconds between two words about one block
_NAMED = 4  # nodes that the bar names


def is_address(checkpoint: Path | str | None) -> bool:
    """Whether a checkpoint is an fsspec address and no folder."""
    return isinstance(checkpoint, str) and "://" in checkpoint


def train_on_cluster(job: Job, checkpoint: Path | str | None, hear: Callable[[int, str], None]) -> Course:
    """All blocks on the cluster that `cluster` finds; on one of this machine's cores if there is none.

    hear: gets the model-epochs done in all, and by which nodes. Raises what `cluster` and a block raise; Ctrl-C and
    errors end the blocks after their epoch, if it is short, and what they have is kept.
    """
    folder = None if checkpoint is None or is_address(checkpoint) else Path(checkpoint)
    if folder is None and checkpoint is not None:
        _check_address(str(checkpoint))
    seen = nullcontext() if folder is None else workplace(folder / "seen")
    hear(0, "starting Ray ...")
    with block_files(job, folder) as blocks, seen as mark, cluster(cores=torch.get_num_threads()) as there:
        course, far, kept_here = Course.empty(job, len(job.design), folder), Counter[int](), dict(enumerate(blocks))
        place = checkpoint if mark is None else _Folder(str(mark.parent.absolute()), mark.name)
        signature, images, calls = job.signature(), there.share(_packed(job.images)), {}
        for number, (rows, kept) in kept_here.items():
            if saved := _whole(job, rows, kept):
                course.put(rows, Course(saved.weights, saved.measures))
                far[number] = len(rows) * job.epochs
            else:
                calls[number] = (images, _part(job, rows), rows, number, signature, place)

        def take(number: Any, result: tuple[np.ndarray, np.ndarray, dict[str, np.ndarray] | None]) -> None:
            weights, measures, state = result
            rows, kept = kept_here[number]
            course.weights.numpy()[rows], course.measures[rows] = weights, measures
            far[number] = len(rows) * job.epochs
            if kept is not None and state is not None:
                kept.save(*course.head(rows, job.epochs + 1), {name: torch.tensor(one) for name, one in state.items()})

        def look(heard: Heard) -> None:
            for number, (model_epochs, _) in heard.items():
                far[number] = max(far[number], model_epochs)
            hear(far.total(), _by_node(heard))

        there.run(train_there, calls, take, gpus=float(job.device.type != "cpu"), hear=look)
        hear(far.total(), "")
    return course


def train_there(
    images: dict[str, Any],
    part: dict[str, Any],
    rows: np.ndarray,
    number: int,
    signature: str,
    place: str | _Folder | None,
    *,
    tell: Tell,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray] | None]:
    """One block in a worker: all its weights and measures, and its state where the worker could keep none."""
    torch.set_num_threads(1)
    job = Job(images=on_device(_unpacked(images), part["device"]), **part)
    course, all_rows, done, told = Course.empty(job, len(rows)), np.arange(len(rows)), 0, 0.0

    def advance(model_epochs: int) -> None:
        nonlocal done, told
        done += model_epochs
        if time.monotonic() - told > _TOLD:
            tell(done)
            told = time.monotonic()

    with TemporaryDirectory(prefix=ASIDE) as aside:
        kept = _kept(place, Path(aside), number, signature, rows)
        state = train_block(job, all_rows, kept, course, all_rows, advance, stopped)
    tell(done)
    lacking = None if kept is not None else {name: value.cpu().numpy() for name, value in state.items()}
    return course.weights.numpy(), course.measures, lacking


@dataclass(frozen=True)
class _Folder:
    """A checkpoint folder, and the name of what is in it now, by which a worker knows that it sees the same one."""

    path: str
    mark: str


class AtAddress:
    """A block's file at an fsspec address: fetched to the folder `aside` when the block begins, sent after every write.

    Raises ValueError where another job's file is there.
    """

    def __init__(self, address: str, aside: Path, number: int, signature: str, rows: np.ndarray) -> None:
        from fsspec.core import url_to_fs

        self.kept = BlockCheckpoint(aside, number, signature, rows)
        self.here = str(self.kept.file.path)
        self.files, place = url_to_fs(address)
        self.there = f"{place.rstrip('/')}/{self.kept.file.path.name}"
        if self.files.exists(self.there):
            self.files.get_file(self.there, self.here)
            self.kept = BlockCheckpoint(aside, number, signature, rows)

    def due(self) -> bool:
        """As of any block's file; what sending costs counts as writing."""
        return self.kept.due()

    def save(self, weights: Tensor, measures: np.ndarray, trainer: dict[str, Tensor]) -> None:
        """Write the file and send it. What a kill sent by halves is seen by its checksum, and begun anew."""
        self.kept.save(weights, measures, trainer)
        begun = time.monotonic()
        self.files.makedirs(self.there.rpartition("/")[0], exist_ok=True)
        self.files.put_file(self.here, self.there)
        self.kept.file.written = time.monotonic()
        self.kept.file.cost += self.kept.file.written - begun

    def load(self, weights: Shape, measures: Shape, trainer: dict[str, Tensor] | None = None) -> Saved | None:
        """What was there when the block began."""
        return self.kept.load(weights, measures, trainer)


def _kept(place: str | _Folder | None, aside: Path, number: int, signature: str, rows: np.ndarray) -> Kept | None:
    if isinstance(place, str):
        return AtAddress(place, aside, number, signature, rows)
    if place is not None and (Path(place.path) / place.mark).exists():
        return BlockCheckpoint(Path(place.path), number, signature, rows)
    if place is not None:
        _LOG.warning("This node does not see %s: a block that it loses begins anew.", place.path)
    return None


def _check_address(address: str) -> None:
    from fsspec.core import url_to_fs

    try:
        url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise ValueError(f"fsspec cannot write to the address {address} ({error}); name a folder instead.") from None


def _part(job: Job, rows: np.ndarray) -> dict[str, Any]:
    """What the job of these rows alone is, but for its images."""
    start = None if job.start is None else job.start[torch.from_numpy(rows)]
    own = {"design": job.design.iloc[rows].reset_index(drop=True), "start": start}
    return {name: value for name, value in vars(job).items() if name != "images"} | own


def _whole(job: Job, rows: np.ndarray, kept: BlockCheckpoint | None) -> Saved | None:
    """The state of a block that is done."""
    shape = (len(rows), job.epochs + 1)
    saved = None if kept is None else kept.load((*shape, job.architecture.layout.size), (*shape, len(PROPERTIES)))
    return saved if saved is not None and saved.epochs == shape[1] else None


def _packed(images: Images) -> dict[str, Any]:
    """All that images are, as arrays, which the workers of a node read from one place."""
    return vars(images) | {name: getattr(images, name).cpu().numpy() for name in _PARTS}


def _unpacked(packed: dict[str, Any]) -> Images:
    """The same images over these arrays: nobody may write to them. They were checked before they were packed."""
    images = Images.__new__(Images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that nobody may write to them
        vars(images).update(packed | {name: torch.from_numpy(packed[name]) for name in _PARTS})
    return images


def _by_node(heard: Heard) -> str:
    """Model-epochs by node, in words."""
    done = Counter[str]()
    for model_epochs, node in heard.values():
        done[node[:6]] += model_epochs
    shown = [f"{node} {count:,}" for node, count in done.most_common(_NAMED)]
    return f"{len(done)} nodes: {', '.join(shown)}{', ...' if len(done) > _NAMED else ''}" if len(done) > 1 else ""
