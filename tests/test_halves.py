"""A block that has no room goes on as several smaller ones, with the same result."""

from __future__ import annotations

import pytest
import torch

import hyperlib
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.compiled import NumbaTrainer

HOW = {"epochs": 3, "batch_size": 8, "clean": "all", "progress": False, "engine": "numba"}


class Room:
    """A device on which so many models can be made, trained and evaluated; None: any number."""

    def __init__(self, monkeypatch, made=None, trained=None, evaluated=None, from_epoch=0) -> None:
        self.sizes: list[int] = []
        room, (begin, train, evaluate) = self, (NumbaTrainer.__init__, NumbaTrainer.train_epoch, NumbaTrainer.evaluate)

        def check(count: int, most: int | None, error: type[Exception]) -> None:
            if most is not None and count > most:
                raise error("no room")

        def made_here(self, block, weights) -> None:
            check(len(weights), made, torch.OutOfMemoryError)
            begin(self, block, weights)

        def trained_here(self, epoch):
            told = train(self, epoch)  # what it moved before it failed must not stay
            check(len(self.held), trained if epoch > from_epoch else None, torch.OutOfMemoryError)
            room.sizes.append(len(self.held))
            return told

        def evaluated_here(self, x, y):
            check(len(self.held), evaluated, MemoryError)
            return evaluate(self, x, y)

        monkeypatch.setattr(NumbaTrainer, "__init__", made_here)
        monkeypatch.setattr(NumbaTrainer, "train_epoch", trained_here)
        monkeypatch.setattr(NumbaTrainer, "evaluate", evaluated_here)


@pytest.fixture
def whole(tetris_images):
    return grown(tetris_images)


def grown(images, models=7, **more):
    return hyperlib.train_population(hyperlib.tetris_mlp(), images, hyperlib.grid(seeds=models), **HOW | more)


@pytest.mark.parametrize("room", [{"made": 3}, {"trained": 2}, {"evaluated": 1}, {"made": 5, "trained": 2}])
@pytest.mark.slow
def test_smaller_parts_give_the_same_zoo_and_it_is_said(room, whole, tetris_images, monkeypatch, caplog):
    place = Room(monkeypatch, **room)
    zoo = grown(tetris_images)
    assert torch.equal(zoo.weights, whole.weights) and zoo.table.equals(whole.table)
    assert max(place.sizes) <= min(room.values()) and "have no room" in caplog.text


@pytest.mark.slow
def test_a_killed_job_of_parts_goes_on(whole, tetris_images, monkeypatch, tmp_path):
    Room(monkeypatch, trained=2)

    def kill(done: int, total: int) -> None:
        if done >= total / 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        grown(tetris_images, checkpoint=tmp_path / "job", progress=kill)
    zoo = grown(tetris_images, checkpoint=tmp_path / "job")
    assert torch.equal(zoo.weights, whole.weights) and zoo.table.equals(whole.table)


@pytest.mark.parametrize("room", [{"made": 0}, {"trained": 0}, {"evaluated": 0}])
@pytest.mark.slow
def test_a_model_that_has_no_room_by_itself_is_an_error(room, tetris_images, monkeypatch):
    Room(monkeypatch, **room)
    with pytest.raises((torch.OutOfMemoryError, MemoryError), match="no room"):
        grown(tetris_images)


def test_what_fails_later_is_an_error_and_not_begun_again(tetris_images, monkeypatch):
    Room(monkeypatch, trained=2, from_epoch=1)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        grown(tetris_images)


class Memory:
    """What a device holds: so much for each object that lives, and no more than there is."""

    room, held = 0, 0

    def __init__(self, size: int) -> None:
        if Memory.held + size > Memory.room:
            raise torch.OutOfMemoryError("no room")
        self.size, Memory.held = size, Memory.held + size

    def __del__(self) -> None:
        Memory.held -= getattr(self, "size", 0)


@pytest.mark.parametrize("kind", [NumbaTrainer, TorchTrainer])
@pytest.mark.parametrize("verb", ["__init__", "train_epoch", "evaluate"])
@pytest.mark.slow
def test_what_had_no_room_is_given_back_before_smaller_parts_are_made(kind, verb, tetris_images, monkeypatch):
    """Half of the models fit beside what the other half keeps, if nothing of the whole is left."""
    begin, sizes = kind.__init__, []

    def made_here(self, block, weights) -> None:
        begin(self, block, weights)
        self.memory = Memory(len(weights))

    def worked_here(self, *given):
        some = [Memory(len(given[1] if verb == "__init__" else self.weights)) for _ in range(9)]
        told = work(self, *given)
        sizes.append(len(self.weights))
        del some
        return told

    monkeypatch.setattr(Memory, "room", 44)
    monkeypatch.setattr(kind, "__init__", made_here)
    work = getattr(kind, verb)
    monkeypatch.setattr(kind, verb, worked_here)
    grown(tetris_images, models=8, engine="torch" if kind is TorchTrainer else "numba")
    assert set(sizes) == {4}
