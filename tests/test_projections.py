"""Principal components and UMAP of raw weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import KernelPCA

from hyperlib import PrincipalComponents, Samples, Umap, tetris_mlp
from hyperlib.representations import projections
from hyperlib.representations.maps import pick_rows
from hyperlib.representations.projections import KERNELS, neighbour_weights


def of_weights(weights: np.ndarray) -> Samples:
    """Samples of the tetris network with these weights."""
    return Samples(torch.from_numpy(weights).float(), pd.DataFrame({"model": range(len(weights))}), tetris_mlp())


@pytest.fixture(scope="module")
def clouds() -> Samples:
    """60 networks in two clouds far apart, every other one in the second; ten of them occur twice."""
    weights = np.random.default_rng(0).normal(size=(60, 100)) + 30 * (np.arange(60) % 2)[:, None]
    return of_weights(np.concatenate([weights, weights[:10]]))


def assert_same_up_to_sign(found: np.ndarray, expected: np.ndarray) -> None:
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


# -- principal components --------------------------------------------------------------------------------------


def test_linear_components_are_right_singular_vectors_of_the_centred_weights(clouds):
    train, test = clouds.take(slice(0, 40)), clouds.take(slice(40, 60))
    components = PrincipalComponents(dimensions=4).fit(train)

    seen = train.weights.double().numpy()
    _, lengths, directions = np.linalg.svd(seen - seen.mean(0), full_matrices=False)

    assert components.rows_ == 40
    np.testing.assert_allclose(components.variances_, lengths[:4] ** 2 / 40, rtol=1e-6)
    assert_same_up_to_sign(components.embed(test), (test.weights.double().numpy() - seen.mean(0)) @ directions[:4].T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_components_are_those_of_kernel_pca_on_the_rows_drawn(clouds, kernel):
    found = PrincipalComponents(dimensions=3, kernel=kernel, rows=30, seed=5).fit(clouds)

    drawn = pick_rows(clouds, 30, 5).weights.double().numpy()
    reference = KernelPCA(3, kernel=kernel, eigen_solver="dense").fit(drawn)

    assert found.rows_ == 30
    np.testing.assert_allclose(found.variances_, reference.eigenvalues_ / 30, rtol=1e-6)
    assert_same_up_to_sign(found.embed(clouds), reference.transform(clouds.weights.double().numpy()))


@pytest.mark.parametrize("kernel", KERNELS)
def test_components_of_many_rows_and_in_pieces_are_the_same(clouds, kernel, monkeypatch):
    components = PrincipalComponents(dimensions=3, kernel=kernel)
    at_once = components.fit(clouds).embed(clouds)

    monkeypatch.setattr(projections, "DENSE", 5)
    monkeypatch.setattr(projections, "PIECE", 7)

    assert_same_up_to_sign(components.fit(clouds).embed(clouds), at_once)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dimensions", [60, 1000])
def test_more_components_than_the_samples_vary_in_are_refused(clouds, kernel, dimensions):
    with pytest.raises(
        ValueError, match=f"70 training samples do not vary in {dimensions} dim.*{kernel}.*ask for fewer"
    ):
        PrincipalComponents(dimensions=dimensions, kernel=kernel).fit(clouds)  # 60 of them differ


def test_samples_in_a_plane_have_two_components():
    plane = np.random.default_rng(1).normal(size=(20, 2)) @ np.random.default_rng(2).normal(size=(2, 100))

    assert PrincipalComponents(dimensions=2).fit(of_weights(plane)).embed(of_weights(plane)).shape == (20, 2)
    with pytest.raises(ValueError, match="do not vary in 3 dimensions"):
        PrincipalComponents(dimensions=3).fit(of_weights(plane))


def test_samples_that_are_all_equal_have_no_component(clouds):
    with pytest.raises(ValueError, match="3 training samples do not vary in 1 dimensions"):
        PrincipalComponents(dimensions=1).fit(clouds.take([4, 4, 4]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "gauss"}, "no kernel 'gauss'; choose one of linear, poly, rbf, sigmoid, cosine"),
        ({"dimensions": 0}, "dimensions is a whole number from 1 on, not 0"),
        ({"dimensions": 0.9}, "dimensions is a whole number from 1 on, not 0.9"),
        ({"rows": 0}, "rows is a whole number from 1 on, not 0"),
    ],
)
def test_components_out_of_range_are_refused(clouds, settings, message):
    with pytest.raises(ValueError, match=message):
        PrincipalComponents(**settings).fit(clouds)


# -- UMAP ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(clouds) -> Umap:
    return Umap(dimensions=3, neighbours=6).fit(clouds)


def test_a_checkpoint_is_at_the_weighted_mean_of_its_nearest_fitted_rows(clouds, mapped):
    new = of_weights(np.random.default_rng(7).normal(size=(12, 100)) * 2)
    fitted = clouds.weights[:60].numpy().astype(np.float64)

    for samples in (new, clouds.take(slice(0, 8))):
        found = mapped.embed(samples)
        for row, weights in enumerate(samples.weights.double().numpy()):
            distances = np.sqrt(((fitted - weights) ** 2).sum(1))
            nearest = np.argsort(distances)[:6]
            shares = neighbour_weights(distances[nearest][None])[0]
            expected = sum(share * mapped.coordinates_[place] for share, place in zip(shares, nearest, strict=True))
            np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-4)


def test_weights_that_occur_twice_are_fitted_once(mapped):
    assert mapped.rows_ == len(mapped.coordinates_) == 60


def test_checkpoints_of_two_far_clouds_stay_apart(clouds, mapped):
    new = np.random.default_rng(8).normal(size=(20, 100)) + 30 * (np.arange(20) % 2)[:, None]

    points = mapped.embed(of_weights(new))

    centres = [mapped.coordinates_[cloud::2].mean(0) for cloud in (0, 1)]
    distances = np.stack([np.linalg.norm(points - centre, axis=1) for centre in centres], 1)
    assert np.array_equal(distances.argmin(1), np.arange(20) % 2)


def test_fitting_leaves_the_number_of_threads(clouds):
    before = torch.get_num_threads()

    Umap(dimensions=2, neighbours=4, rows=20).fit(clouds)

    assert torch.get_num_threads() == before


def test_neighbour_weights_are_those_that_umap_starts_from():
    from umap.umap_ import smooth_knn_dist

    distances = np.sort(np.random.default_rng(0).gamma(5, size=(50, 15)), axis=1)
    scales, _ = smooth_knn_dist(distances.astype(np.float32), 15.0, local_connectivity=0.0)

    expected = np.exp(-distances / scales[:, None])

    np.testing.assert_allclose(neighbour_weights(distances), expected / expected.sum(1, keepdims=True), rtol=1e-4)


def test_neighbour_weights_depend_on_ratios_of_distances_alone_and_are_finite_at_the_edge():
    distances = np.sort(np.random.default_rng(0).gamma(5, size=(20, 9)), axis=1)
    edge = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1e-30, 1.0, 1e6]])

    np.testing.assert_allclose(neighbour_weights(distances * 1e4), neighbour_weights(distances), rtol=1e-9)
    np.testing.assert_allclose(neighbour_weights(edge).sum(1), 1)
    assert (np.diff(neighbour_weights(edge)) <= 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 0}, "dimensions is a whole number from 1 on, not 0"),
        ({"rows": -1}, "rows is a whole number from 1 on, not -1"),
        ({"neighbours": 1}, "neighbours is a whole number from 2 on, not 1"),
        ({"min_dist": -0.1}, "min_dist lies between 0 and 1, not at -0.1"),
        ({"min_dist": float("nan")}, "min_dist lies between 0 and 1, not at nan"),
        ({"neighbours": 60}, "60 neighbours in 50 dimensions needs 61 different .* there are 60; lower both"),
        ({"dimensions": 59}, "25 neighbours in 59 dimensions needs 61 different .* there are 60; lower both"),
        ({"rows": 40}, "needs 52 different training samples"),
    ],
)
def test_maps_out_of_range_are_refused(clouds, settings, message):
    with pytest.raises(ValueError, match=message):
        Umap(**settings).fit(clouds)
