"""Downloading image sets from a small OpenML on this machine."""

from __future__ import annotations

import errno
import os
import socket
import threading
from dataclasses import replace

import numpy as np
import pytest
from openml_server import OpenML, redirect, serving
from sklearn.datasets import _openml, load_sample_image

from hyperlib.files.inventory import occupied
from hyperlib.images import download
from hyperlib.images.files import PUBLISHED, Pixels, read_npz, write_npz
from hyperlib.images.images import load_images

TRAIN, TEST = 30, 20

PUBLISHED_MNIST = PUBLISHED["mnist"].sha256


def table(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images like photographs [n, height, width, channels] and labels, three of each class first."""
    channels, height, width = PUBLISHED[name].image
    photograph, random = load_sample_image("china.jpg"), np.random.default_rng(seed)
    corners = random.integers(0, [427 - height, 640 - width], (TRAIN + TEST, 2))
    images = np.stack([photograph[top : top + height, left : left + width] for top, left in corners])
    return images[..., :channels], np.arange(TRAIN + TEST) % 10


@pytest.fixture
def small(monkeypatch):
    """Published sets of 30 training images, of which a zoo takes 25, and 20 test images."""
    for name, published in list(PUBLISHED.items()):
        sizes = {"train_classes": (3,) * 10, "test_images": TEST, "zoo_train": 25, "sha256": None}
        monkeypatch.setitem(PUBLISHED, name, replace(published, **sizes))


@pytest.fixture
def openml(small, monkeypatch):
    """OpenML with a small MNIST."""
    images, labels = table("mnist")
    with serving(OpenML(554, "mnist_784", images.reshape(len(images), -1), labels)) as server:
        redirect(monkeypatch, server.port)
        yield server


@pytest.fixture
def refusing(small, monkeypatch):
    """A port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        redirect(monkeypatch, free.getsockname()[1])
        yield


def test_a_set_is_downloaded_once_and_then_read_from_its_file(openml, tmp_path, capsys):
    first = load_images("mnist", folder=tmp_path / "new", normalise=None)
    images, _ = table("mnist")
    wanted = {image.tobytes() for image in images[:TRAIN]}
    assert {(x * 255).round().byte().numpy().tobytes() for x in first.train_x} < wanted
    assert len(first.train_y) == 25 and len(first.test_y) == TEST
    assert "OpenML data set 554 (mnist_784), published split" in first.source
    said = capsys.readouterr().err
    assert "Downloading MNIST" in said and "120 MB" in said and f"Kept as {tmp_path / 'new' / 'mnist.npz'}" in said

    asked = len(openml.requests)
    again = load_images("mnist", folder=tmp_path / "new", normalise=None)
    assert len(openml.requests) == asked and openml.tables_sent == 1
    assert again.checksum == first.checksum and again.source == first.source
    assert capsys.readouterr().err == ""


def test_nothing_but_the_set_stays_in_the_folder(openml, tmp_path):
    left_behind = tmp_path / ".mnist.npz.partial-killed"
    left_behind.mkdir()
    load_images("mnist", folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"mnist.npz", ".mnist.npz.lock"}


def test_no_request_is_made_unless_downloading_is_allowed(openml, tmp_path):
    with pytest.raises(FileNotFoundError, match="downloading was not allowed"):
        load_images("mnist", folder=tmp_path, download=False)
    assert openml.requests == []


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_that_leads_nowhere_is_no_set(openml, tmp_path):
    (tmp_path / "mnist.npz").symlink_to(tmp_path / "gone.npz")
    with pytest.raises(FileNotFoundError, match="MNIST was not found at .*, and downloading was not allowed"):
        load_images("mnist", folder=tmp_path, download=False)
    load_images("mnist", folder=tmp_path)
    assert openml.tables_sent == 1 and load_images("mnist", folder=tmp_path, download=False).source


def test_two_that_want_the_same_set_download_it_once(openml, tmp_path):
    sums = []
    threads = [
        threading.Thread(target=lambda: sums.append(load_images("mnist", folder=tmp_path).checksum)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sums) == 3 and len(set(sums)) == 1
    assert openml.tables_sent == 1


def test_a_wrong_checksum_is_refused_and_nothing_kept(openml, tmp_path):
    openml.md5 = "0" * 32
    with pytest.raises(ValueError, match="the checksum that OpenML states") as refusal:
        load_images("mnist", folder=tmp_path)
    assert "was not kept" in str(refusal.value) and "try again" in str(refusal.value)
    assert not (tmp_path / "mnist.npz").exists()


def test_a_connection_cut_in_the_middle_is_refused_and_nothing_kept(openml, tmp_path):
    openml.cut = True
    with pytest.raises((ValueError, FileNotFoundError), match="not kept|broke off"):
        load_images("mnist", folder=tmp_path)
    assert not (tmp_path / "mnist.npz").exists()


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_server_in_trouble_ends_in_the_sentence_for_missing_sets(openml, status, tmp_path):
    openml.status = status
    with pytest.raises(FileNotFoundError, match=f"OpenML answered {status}") as missing:
        load_images("mnist", folder=tmp_path)
    assert str(tmp_path / "mnist.npz") in str(missing.value) and "HYPERLIB_DATA" in str(missing.value)


def test_a_set_that_openml_does_not_know_ends_in_a_sentence(openml, tmp_path):
    openml.status = 412  # how OpenML says that a number is unknown
    with pytest.raises(ValueError, match="data set 554.* not found"):
        load_images("mnist", folder=tmp_path)


def test_offline_ends_in_the_sentence_for_missing_sets(refusing, tmp_path):
    with pytest.raises(FileNotFoundError, match="OpenML could not be reached") as missing:
        load_images("mnist", folder=tmp_path)
    assert "mnist5k" in str(missing.value) and "\n" not in str(missing.value)


def test_waiting_for_the_server_is_limited_and_the_limit_undone(openml, tmp_path, monkeypatch):
    seen = []
    original = download.fetch_openml

    def watched(**arguments):
        seen.append(socket.getdefaulttimeout())
        return original(**arguments)

    monkeypatch.setattr(download, "fetch_openml", watched)
    socket.setdefaulttimeout(12.5)
    try:
        load_images("mnist", folder=tmp_path)
        assert seen == [download.PATIENCE] and socket.getdefaulttimeout() == 12.5
    finally:
        socket.setdefaulttimeout(None)


def test_another_set_under_the_same_number_is_refused(openml, tmp_path):
    openml.name = "mnist_replaced"
    with pytest.raises(ValueError, match="is 'mnist_replaced', expected 'mnist_784'"):
        load_images("mnist", folder=tmp_path)
    assert not (tmp_path / "mnist.npz").exists()


def test_a_folder_that_cannot_be_made_costs_a_line_but_no_images(openml, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    made = load_images("mnist", folder=tmp_path / "file" / "data")
    assert len(made.train_y) == 25
    said = capsys.readouterr().err
    assert "could not be written" in said and "set HYPERLIB_DATA" in said


def test_a_full_disk_while_keeping_costs_a_line_but_no_images(openml, tmp_path, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    made = load_images("mnist", folder=tmp_path)
    assert len(made.train_y) == 25
    assert "No space left on device" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".npz", ".partial")]


def test_a_full_disk_while_downloading_says_how_much_room_it_takes(openml, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_openml.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="disk is full: MNIST needs about 360 MB"):
        load_images("mnist", folder=tmp_path)


# -- what a table may look like ------------------------------------------------------------------------------


def test_a_set_whose_content_is_known_is_taken_by_that_alone(openml, tmp_path, monkeypatch):
    """OpenML's own checksum fits in both cases: it comes from where the table comes from."""
    images, labels = table("mnist")
    parts = images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:]
    known = Pixels(*parts, source="").sha256
    for sha256 in (PUBLISHED_MNIST, known):
        monkeypatch.setitem(PUBLISHED, "mnist", replace(PUBLISHED["mnist"], sha256=sha256))
        if sha256 == known:
            load_images("mnist", folder=tmp_path)
        else:
            with pytest.raises(ValueError, match="has other images or labels than those that were published"):
                load_images("mnist", folder=tmp_path)
        assert (tmp_path / "mnist.npz").exists() is (sha256 == known)


@pytest.mark.parametrize("layout", ["colours first", "colours last"])
@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_colours_come_back_in_either_layout(small, monkeypatch, tmp_path, name, layout):
    images, labels = table(name)
    rows = images.transpose(0, 3, 1, 2) if layout == "colours first" else images
    with serving(OpenML(*PUBLISHED[name].openml, rows.reshape(len(rows), -1), labels)) as server:
        redirect(monkeypatch, server.port)
        made = load_images(name, folder=tmp_path, normalise=None)
    wanted = {image.transpose(2, 0, 1).tobytes() for image in images[TRAIN:]}
    assert {(x * 255).round().byte().numpy().tobytes() for x in made.test_x} == wanted


def test_usps_floats_become_pixels_and_labels_start_at_zero(small, monkeypatch, tmp_path):
    images, labels = table("usps")
    rows = np.round(images.reshape(len(images), -1) / 127.5 - 1, 4)
    with serving(OpenML(*PUBLISHED["usps"].openml, rows, labels + 1)) as server:
        redirect(monkeypatch, server.port)
        made = load_images("usps", folder=tmp_path, normalise=None)
    wanted = {(image[..., 0].tobytes(), label) for image, label in zip(images[TRAIN:], labels[TRAIN:], strict=True)}
    pixels = (made.test_x[:, 0] * 255).round().byte().numpy()
    assert {(x.tobytes(), y) for x, y in zip(pixels, made.test_y.tolist(), strict=True)} == wanted


@pytest.mark.parametrize(("name", "first"), [("svhn", 0), ("stl10", 9)])
def test_label_ten_is_the_digit_zero_in_svhn_and_the_last_class_elsewhere(small, name, first):
    labels = download._labels(np.array([*range(1, 11), 10]), PUBLISHED[name])
    assert labels[9] == labels[10] == first


def test_a_table_in_another_order_gets_a_drawn_split_that_says_so(small, monkeypatch, tmp_path):
    images, labels = table("mnist")
    order = np.argsort(labels, kind="stable")
    rows = images.reshape(len(images), -1)
    with serving(OpenML(554, "mnist_784", rows[order], labels[order])) as server:
        redirect(monkeypatch, server.port)
        made = load_images("mnist", folder=tmp_path, normalise=None)
        again = load_images("mnist", folder=tmp_path, normalise=None)
    assert "published split" not in made.source and "our choice" in made.source
    assert again.source == made.source
    assert np.bincount(made.test_y, minlength=10).tolist() == [2] * 10
    stored = np.load(tmp_path / "mnist.npz")
    both = np.concatenate([stored["x_train"], stored["x_test"]]).reshape(len(rows), -1)
    assert sorted(both.tolist()) == sorted(rows.tolist())
    assert np.bincount(stored["y_train"]).tolist() == [3] * 10


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows, labels: (rows[:-1], labels[:-1]), r"shape \(49, 784\), expected \(50, 784\)"),
        (lambda rows, labels: (rows[:, :-1], labels), r"shape \(50, 783\)"),
        (lambda rows, labels: (rows, labels + 5), "expected 10 classes"),
        (lambda rows, labels: (rows + 1000, labels), "cannot be used"),
        (lambda rows, labels: (rows - 0.5, labels), "cannot be used"),
        (lambda rows, labels: (rows, np.maximum(np.arange(50) - 40, 0)), "too few images of some class"),
    ],
)
def test_a_table_of_another_kind_is_refused_and_not_kept(small, monkeypatch, tmp_path, spoil, words):
    images, labels = table("mnist")
    rows, labels = spoil(images.reshape(len(images), -1).astype(np.int64), labels)
    with serving(OpenML(554, "mnist_784", rows, labels)) as server:
        redirect(monkeypatch, server.port)
        with pytest.raises(ValueError, match=words) as refusal:
            load_images("mnist", folder=tmp_path)
    assert "not kept" in str(refusal.value)
    assert not (tmp_path / "mnist.npz").exists()


def test_usps_values_out_of_range_are_refused(small, monkeypatch, tmp_path):
    images, labels = table("usps")
    with serving(OpenML(*PUBLISHED["usps"].openml, images.reshape(len(images), -1) / 100, labels)) as server:
        redirect(monkeypatch, server.port)
        with pytest.raises(ValueError, match="values outside -1 to 1"):
            load_images("usps", folder=tmp_path)


def test_progress_counts_what_lies_in_the_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 24)
    assert occupied(tmp_path) == 1024


def test_kept_files_equal_what_was_given(tmp_path):
    random = np.random.default_rng(1)
    x, y = random.integers(0, 256, (20, 28, 28), dtype=np.uint8), (np.arange(20) % 10).astype(np.uint8)
    write_npz(tmp_path / "mnist.npz", Pixels(x[:12], y[:12], x[12:], y[12:], "a test"))
    back = read_npz(tmp_path / "mnist.npz", PUBLISHED["mnist"])
    assert np.array_equal(back.train_x, x[:12]) and np.array_equal(back.test_y, y[12:])
    assert back.source == "a test"
    assert np.array_equal(back.test_x, x[12:])
