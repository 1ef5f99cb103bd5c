"""A cluster grows the zoo of one machine, whatever is lost on the way, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import on_workers
import pytest
import torch
from on_workers import notes_beside
from toys import some_images

from hyperlib.files import cluster as clusters
from hyperlib.weightspace.architectures import digits_cnn, tetris_mlp
from hyperlib.zoos import blocks, distributed
from hyperlib.zoos import job as jobs
from hyperlib.zoos.design import grid
from hyperlib.zoos.distributed import AtAddress
from hyperlib.zoos.engines.choice import ENGINES, resolve_engine
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo

EPOCHS, BLOCKS = 8, 8


def grow(engine: str = "auto", **settings) -> Zoo:
    """A zoo of eight blocks of two models."""
    images, design = some_images((1, 8, 8), 10, train=30, test=20), grid(seeds=8, activation=["tanh", "relu"], lr=0.01)
    settings = {"epochs": EPOCHS, "batch_size": 8, "progress": False} | settings
    return train_population(digits_cnn(), images, design, engine=engine, **settings)


def same(one: Zoo, other: Zoo) -> bool:
    """Bit for bit."""
    return torch.equal(one.weights, other.weights) and one.table.equals(other.table)


@pytest.fixture(autouse=True)
def eight_blocks(monkeypatch):
    monkeypatch.setattr(jobs, "_BLOCK_MODELS", 2)


@pytest.fixture
def two_nodes(monkeypatch):
    """A local cluster of two nodes with one core each, beside a head without any."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # where workers find the tests' own modules
    memory = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | memory)
    made.workers = [made.add_node(num_cpus=1, object_store_memory=memory["object_store_memory"]) for _ in range(2)]
    monkeypatch.setenv(clusters.ADDRESS, made.address)
    yield made
    made.shutdown()


def epochs_trained(folder: Path) -> Counter[str]:
    """How often the workers trained each epoch of each block."""
    return Counter(notes_beside(folder).read_text().splitlines())


# -- on a real cluster ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(two_nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "train_there", on_workers.slow_and_noted)
    heard, names = [], []
    reached = distributed._by_node

    def listen(done: int, total: int) -> None:
        heard.append((done, total))
        if done > total // 4 and len(two_nodes.workers) == 2:
            two_nodes.remove_node(two_nodes.workers.pop(), allow_graceful=False)

    monkeypatch.setattr(distributed, "_by_node", lambda said: names.append(reached(said)) or names[-1])
    zoo = grow("ray", checkpoint=tmp_path / "job", progress=listen)

    assert same(zoo, grow())
    assert not two_nodes.workers[1:] and heard[-1] == (16 * EPOCHS, 16 * EPOCHS)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert any(name.startswith("2 nodes: ") for name in names)
    trained = epochs_trained(tmp_path / "job")
    assert len(trained) == BLOCKS * EPOCHS and sum(trained.values()) <= BLOCKS * EPOCHS + 1, "it went on, not anew"
    assert same(zoo, grow(checkpoint=tmp_path / "job")), "one machine finds the same state"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "address"])
def test_what_a_lost_worker_had_done_is_not_done_again(place, two_nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "train_there", on_workers.dying_once)
    folder = tmp_path / "job"

    zoo = grow("ray:numba", checkpoint=folder if place == "folder" else f"file://{folder}")

    assert notes_beside(folder).with_suffix(".died").exists() and same(zoo, grow())
    assert Counter(epochs_trained(folder).values()) == {1: BLOCKS * EPOCHS - 1, 2: 1}
    assert not list(folder.glob(".seen*"))


@pytest.mark.slow
def test_a_folder_that_no_worker_sees_is_filled_from_here(two_nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "train_there", on_workers.far_from_the_folder)
    zoo = grow("ray:torch", checkpoint=tmp_path, epochs=2)

    assert len(list(tmp_path.glob("block-*.safetensors"))) == BLOCKS
    monkeypatch.setattr(distributed, "train_there", on_workers.fail)
    assert same(zoo, grow("ray:torch", checkpoint=tmp_path, epochs=2)) and same(zoo, grow("torch", epochs=2))


@pytest.mark.slow
def test_what_a_call_raises_ends_the_others_and_is_raised_here(two_nodes):
    taken = []
    with clusters.cluster() as there:
        there.run(on_workers.square, {n: (n,) for n in range(20)}, lambda *pair: taken.append(pair))
        with pytest.raises(ValueError, match=r"^all is wrong$"):
            there.run(on_workers.fail, {0: ("all",)}, lambda *pair: None)

    assert sorted(taken) == [(n, n * n) for n in range(20)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's list of processes")
def test_ctrl_c_keeps_what_was_done_and_leaves_nothing_running(tmp_path):
    pytest.importorskip("ray")
    mark, began = f"HYPERLIB_TEST_MARK={tmp_path}", tmp_path / "began"
    environ = {**os.environ, **dict([mark.split("=")]), "PYTHONPATH": os.pathsep.join(sys.path)}
    environ.pop(clusters.ADDRESS, None)
    process = subprocess.Popen([sys.executable, on_workers.__file__, began], env=environ, stderr=subprocess.PIPE)
    wait_for(began.exists, 240)
    assert len(marked(mark)) > 3, "Ray has processes of its own"

    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()

    assert process.returncode == 130 and re.fullmatch(r"\nStopped\. What is finished is kept; [^\n]*\n", said), said
    wait_for(lambda: not marked(mark), 20)
    assert list((tmp_path / "began.job").glob("block-*")), "what was done before the first write that was due"
    assert not list((tmp_path / "began.job").glob(".seen*"))


def marked(mark: str) -> list[str]:
    """Processes that have this in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def wait_for(fact, seconds: float) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)


# -- without one ---------------------------------------------------------------------------------------------


def test_without_ray_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs Ray, which is not installed here; .*pip install.*\[ray\]"):
        grow("ray", checkpoint=tmp_path)
    assert same(grow(checkpoint=tmp_path), grow()), "and the folder is free"


def test_a_cluster_that_does_not_answer_is_named():
    pytest.importorskip("ray")
    sentence = r"No Ray cluster answers at '127.0.0.1:1' .*unset RAY_ADDRESS"
    with pytest.raises(ConnectionError, match=sentence), clusters.cluster("127.0.0.1:1"):
        pass


def test_where_a_block_trains_is_no_part_of_what_it_is(tetris_images):
    known = {name: resolve_engine(f"ray:{name}", digits_cnn()) for name in ENGINES}
    assert known == {name: name for name in ENGINES} | {"cuda": "torch"}  # without a card
    assert resolve_engine("ray", digits_cnn()) == "numba"
    assert resolve_engine("ray", digits_cnn(), "cuda") == "torch"
    one, other = (
        jobs.checked_job(tetris_mlp(), tetris_images, grid(seeds=2), 1, 8, None, 0, engine, None)
        for engine in ("ray:numba", "numba")
    )
    assert one.signature() == other.signature()


def test_the_bar_says_that_ray_starts(capsys, monkeypatch):
    monkeypatch.setattr(distributed, "cluster", lambda **how: (_ for _ in ()).throw(ConnectionError("no")))
    for progress in (True, False):
        with pytest.raises(ConnectionError):
            grow("ray", progress=progress)
        assert ("starting Ray ..." in capsys.readouterr().err) == progress


@pytest.mark.parametrize("folder", [True, False])
def test_what_a_kill_left_in_the_folder_goes_with_the_next_run(folder, tmp_path, monkeypatch):
    """And nothing else, whatever its name: a link, or what somebody holds."""
    left, theirs = tmp_path / ".seen.partial-12345678", tmp_path / "theirs"
    left.mkdir()
    theirs.mkdir()
    (tmp_path / ".seen.partial-00000000").symlink_to(theirs)
    monkeypatch.setattr(distributed, "cluster", lambda **how: (_ for _ in ()).throw(ConnectionError("no")))
    with pytest.raises(ConnectionError):
        grow("ray", checkpoint=tmp_path if folder else None)
    assert left.exists() != folder and theirs.is_dir()
    assert len(list(tmp_path.glob(".seen*"))) == 2 - folder


@pytest.mark.parametrize(
    "wrong", ["ray:jax", "ray:", "ray:quick", "ray://head:10001", "ray:ray", "Ray", "jax", "", None, 3]
)
def test_an_engine_that_does_not_exist_is_named_with_those_that_do(wrong):
    sentence = rf"no engine {re.escape(repr(wrong))}; choose auto, .*ray:torch.*address goes into .* RAY_ADDRESS\.$"
    with pytest.raises(ValueError, match=sentence):
        resolve_engine(wrong, digits_cnn())
    with pytest.raises(ValueError, match=sentence):
        grow(wrong)


class Asked:
    """Enough of Ray to see what is asked of it: a call is done when it is asked for."""

    def __init__(self, gpus: float) -> None:
        self.gpus, self.options_seen = gpus, []
        self.util = self.scheduling_strategies = self

    def __getattr__(self, name):
        return lambda *given, **named: self

    def cluster_resources(self):
        return {"CPU": 2.0} | ({"GPU": self.gpus} if self.gpus else {})

    def options(self, **asked):
        self.options_seen.append(asked)
        return self

    def remote(self, function, *arguments):
        return self if not arguments else object()

    def wait(self, references, **how):
        return references, []

    def get(self, reference):
        return "done"


@pytest.mark.parametrize(("gpus", "there"), [(0.0, 0), (1.0, 0), (1.0, 2)])
def test_a_call_asks_for_a_core_and_for_the_gpu_that_it_uses(gpus, there, caplog):
    fake, taken = Asked(there), []
    clusters.Cluster(fake).run(on_workers.square, {7: (3,)}, lambda *pair: taken.append(pair), gpus=gpus)

    assert taken == [(7, "done")] and {"num_cpus": 1, "num_gpus": gpus}.items() <= fake.options_seen[-1].items()
    assert ("no GPU now" in caplog.text) == (gpus > there)


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0.0), ("cuda", 1.0)])
def test_a_block_on_a_gpu_asks_for_one(device, gpus, monkeypatch):
    images, asked = some_images((1, 8, 8), 10, train=30, test=20), []
    job = jobs.checked_job(digits_cnn(), images, grid(seeds=4), 2, 8, None, 0, "torch", None)
    here = SimpleNamespace(share=lambda value: value, run=lambda *given, **how: asked.append(how["gpus"]))
    monkeypatch.setattr(distributed, "cluster", lambda **how: nullcontext(here))
    distributed.train_on_cluster(replace(job, device=torch.device(device)), None, lambda done, where: None)
    assert asked == [gpus]


@pytest.mark.parametrize(
    ("engine", "address", "sentence"),
    [
        ("numba", "s3://bucket/zoo", "an address, which engine='ray' writes to; 'numba' needs a folder"),
        ("ray", "abacus://bucket/zoo", "fsspec cannot write to the address abacus://bucket/zoo .*name a folder"),
    ],
)
def test_an_address_that_nobody_can_write_to_is_refused(engine, address, sentence):
    with pytest.raises(ValueError, match=sentence):
        grow(engine, checkpoint=address)


ROOM = (2, 9, 5), (2, 9, 8)  # weights and measures


def test_a_state_at_an_address_is_found_refused_or_begun_anew(capsys, tmp_path):
    rows, tries = np.arange(2), iter(range(9))

    def at(number: int, job: str) -> AtAddress:
        (aside := tmp_path / str(next(tries))).mkdir()
        return AtAddress("memory://zoo/job", aside, number, job, rows)

    weights, measures = torch.rand(2, 3, 5), np.random.default_rng(0).random((2, 3, 8))
    trainer = {"steps": torch.tensor(3), "weights": weights[:, -1]}
    at(7, "a job").save(weights, measures, trainer)
    found = at(7, "a job").load(*ROOM)

    assert torch.equal(found.weights, weights) and np.array_equal(found.measures, measures) and found.epochs == 3
    assert at(8, "a job").load(*ROOM) is None
    with pytest.raises(ValueError, match="state of another training job"):
        at(7, "another job")
    files = fsspec.filesystem("memory")
    (name,) = files.ls("zoo/job", detail=False)
    files.pipe_file(name, files.cat_file(name)[:-9])  # as a kill leaves it
    assert at(7, "a job").load(*ROOM) is None and "is damaged" in capsys.readouterr().err


def test_a_worker_with_other_libraries_or_code_refuses():
    facts = clusters._facts()
    assert clusters._called(on_workers.square, 0, (facts, {}), None, 3) == 9
    for name in ("torch", "hyperlib's code"):
        with pytest.raises(RuntimeError, match=rf"has {re.escape(name)} .*, not 0; install the same environment"):
            clusters._called(on_workers.square, 0, (facts | {name: "0"}, {}), None, 3)


def test_a_block_in_a_worker_needs_no_row_of_another(monkeypatch):
    """The worker's part of a job has its own rows alone, and its images cannot be written to."""
    images, design = some_images((1, 8, 8), 10, train=30, test=20), grid(seeds=8)
    job = jobs.checked_job(digits_cnn(), images, design, 2, 8, torch.rand(8, 988), 0, "numba", None)
    rows, told = np.array([2, 5]), []
    packed = distributed._packed(job.images)
    for name in distributed._PARTS:
        packed[name].flags.writeable = False
    part = distributed._part(job, rows)
    weights, measures, state = distributed.train_there(packed, part, rows, 0, "", None, tell=told.append)
    whole = train_population(digits_cnn(), images, design, epochs=2, batch_size=8, start=job.start, progress=False)

    assert "images" not in part and len(part["design"]) == len(part["start"]) == 2
    assert np.array_equal(weights, whole.take(rows).weights.numpy()) and measures.shape == (2, 3, 8)
    assert told[-1] == 4 and {"weights", "steps"} <= set(state)


def test_large_results_stand_on_disk_and_leave_nothing_there(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_LARGE", 0)
    zoo = grow(checkpoint=tmp_path)

    assert same(zoo, grow())
    assert {path.suffix for path in tmp_path.iterdir() if path.name != ".lock"} == {".safetensors"}
    assert same(Zoo.load(zoo.save(tmp_path / "zoo")), zoo)
