import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.masks import body_mask, closed, dilated, eroded, filled, largest_component
from tests.imaging.heads import grid, head

SPACING = (3.0, 3.0, 6.0)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
def test_the_body_is_found_through_noise_and_a_bias_field(contrast):
    shape, affine = grid()
    clean = head(contrast, shape, affine)
    x = np.linspace(-1, 1, shape[0])[:, None, None]
    found = body_mask(head(contrast, shape, affine, noise=0.03) * (1 + 0.35 * x), SPACING)
    assert dice(found, filled(clean > 40)) > 0.97


def test_a_second_object_and_holes_are_no_part_of_the_shape():
    image = np.zeros((40, 40, 20), dtype=np.float32)
    image[5:30, 5:30, 3:17] = 100
    image[12:18, 12:18, 8:12] = 0
    image[34:38, 34:38, 3:8] = 100
    found = body_mask(image, SPACING)
    assert found[15, 15, 10]
    assert not found[36, 36, 5]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_an_empty_scan_is_refused(value):
    with pytest.raises(InputError, match=r"the same everywhere|no body was found"):
        body_mask(np.full((20, 20, 10), value, dtype=np.float32), SPACING)


def test_distances_are_in_millimetres():
    mask = np.zeros((21, 21, 11), dtype=bool)
    mask[10, 10, 5] = True
    grown = dilated(mask, SPACING, 6.0)
    assert grown[12, 10, 5] and grown[10, 10, 6]
    assert not grown[13, 10, 5]
    np.testing.assert_array_equal(eroded(grown, SPACING, 5.9), mask)


def test_closing_bridges_a_gap_and_keeps_the_border():
    mask = np.ones((20, 20, 10), dtype=bool)
    mask[9:11] = False
    assert closed(mask, SPACING, 6.0).all()


def test_the_largest_piece_is_kept():
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask[:2, :2, :2], mask[5:, 5:, 5:] = True, True
    kept = largest_component(mask)
    assert kept.sum() == 125
    assert ndimage.label(kept)[1] == 1
