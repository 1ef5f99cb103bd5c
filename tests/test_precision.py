"""What PyTorch may round on a GPU is set for our own work alone, and put back after it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

import hyperlib
from hyperlib.weightspace import precision
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.evaluation import class_scores


def settings() -> list[object]:
    return [getattr(place, name) for place, name in precision._settings()]


def test_nothing_is_rounded_inside_unless_asked_and_all_is_as_before_after() -> None:
    before = settings()
    with precision.full_precision():
        assert set(settings()) <= {"ieee", False}
        with precision.tf32(), precision.full_precision():
            assert set(settings()) <= {"tf32", True}
        assert set(settings()) <= {"ieee", False}
    with pytest.raises(RuntimeError, match="inside"), precision.full_precision():
        raise RuntimeError("inside")
    assert settings() == before


def test_threads_that_end_first_take_nothing_from_others() -> None:
    before, first, second = settings(), threading.Event(), threading.Event()

    def short() -> None:
        with precision.full_precision():
            first.set()
            second.wait(5)

    thread = threading.Thread(target=short)
    thread.start()
    first.wait(5)
    with precision.full_precision():
        second.set()
        thread.join()
        assert set(settings()) <= {"ieee", False}
        with precision.tf32():
            assert set(settings()) <= {"tf32", True}
    assert settings() == before


def test_older_releases_have_two_truths(monkeypatch) -> None:
    class Old:
        allow_tf32 = True

    cudnn, products = Old(), Old()
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    monkeypatch.setattr(torch.backends.cuda, "matmul", products)
    with precision.full_precision():
        assert (cudnn.allow_tf32, products.allow_tf32) == (False, False)
    assert (cudnn.allow_tf32, products.allow_tf32) == (True, True)


def test_training_and_answers_are_in_full_precision(monkeypatch) -> None:
    seen, train, before = [], TorchTrainer.train_epoch, settings()
    network, images = hyperlib.tetris_mlp(), hyperlib.load_images("tetris").subset(8, 4)

    def noted(self: TorchTrainer, epoch: int):
        seen.append(settings())
        return train(self, epoch)

    logits = type(network).logits

    def answered(self, weights, given):
        seen.append(settings())
        return logits(self, weights, given)

    monkeypatch.setattr(TorchTrainer, "train_epoch", noted)
    monkeypatch.setattr(type(network), "logits", answered)
    zoo = hyperlib.train_population(network, images, hyperlib.grid(), epochs=1, engine="torch", progress=False)
    class_scores(network, zoo.weights[:, -1], images.test_x)
    assert len(seen) > 3 and all(set(one) <= {"ieee", False} for one in seen)
    assert settings() == before


def test_a_program_that_uses_the_old_names_can_go_on() -> None:
    code = (
        "import torch; from hyperlib.weightspace.precision import full_precision\n"
        "torch.backends.cudnn.allow_tf32 = True\n"
        "with full_precision(): pass\n"
        "assert torch.backends.cudnn.allow_tf32 is True and torch.backends.cuda.matmul.allow_tf32 is False"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
