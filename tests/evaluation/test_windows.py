"""Windowed means beside scipy's, and which slices are neighbours."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline_lib.evaluation import windows
from pipeline_lib.evaluation.windows import GAUSSIAN, UNIFORM


def volume(seed=0, shape=(3, 20, 17)):
    return np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize("weights", [GAUSSIAN, UNIFORM])
@pytest.mark.parametrize("size", [3, 20, 75])
def test_a_window_over_rows_and_columns_is_scipys_with_its_mirrored_border(weights, size):
    images = volume(shape=(2, size, 17))
    expected = ndimage.correlate1d(
        ndimage.correlate1d(images, weights, axis=1), weights, axis=2, mode="reflect"
    )
    found = windows.smoothed(windows.tensor(images), weights).cpu().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("count", [1, 2, 9, 80])
def test_slices_are_smoothed_as_scipy_does_with_mirrored_ends(count):
    images = volume(shape=(count, 7))
    found = windows.smoothed_along_slices(windows.tensor(images), GAUSSIAN).cpu().numpy()
    expected = ndimage.correlate1d(images, GAUSSIAN, axis=0, mode="reflect")
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_neighbours_are_of_one_session_and_have_consecutive_indices():
    sessions = ["a", "a", "a", "a", "b", "b"]
    runs = windows.neighbouring(sessions, [3, 4, 6, 7, 8, 9])
    assert runs == [slice(0, 2), slice(2, 4), slice(4, 6)]
    assert windows.neighbouring(["a"], [5]) == [slice(0, 1)]


def test_the_pieces_are_all_items_in_order():
    found = list(windows.pieces(1001, windows.CACHED // 10))
    assert [number for piece in found for number in range(1001)[piece]] == list(range(1001))
    assert found[-1].stop == 1001
    assert list(windows.pieces(2, 2 * windows.GPU_PIXELS)) == [slice(0, 1), slice(1, 2)]


def test_numbers_become_float32_but_for_bool_and_float64():
    for kind, expected in (("f2", "float32"), ("u1", "float32"), ("f8", "float64"), ("?", "bool")):
        array = np.ones((2, 3), dtype=kind)
        array.flags.writeable = False
        assert str(windows.tensor(array).dtype) == f"torch.{expected}"


def test_products_are_of_full_precision_whatever_a_training_chose(monkeypatch):
    seen = []
    multiply = torch.mm

    def watched(*arguments, **settings):
        seen.append(torch.get_float32_matmul_precision())
        return multiply(*arguments, **settings)

    monkeypatch.setattr(torch, "mm", watched)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        windows.smoothed(windows.tensor(volume()), GAUSSIAN)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest"]
