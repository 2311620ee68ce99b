"""Pictures of one slice become a patient's slices."""

import numpy as np
import pytest
from PIL import Image

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scale import ScaleSettings
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.pictures import fitted, picture_body, picture_slices, read_picture

SEQUENCES = {"T2w": Sequence("SE", 0.1, 4.5), "PDw": Sequence("SE", 0.01, 4.5)}
SCALE = ScaleSettings(100)


def save(path, grey):
    Image.fromarray(np.asarray(grey, dtype=np.uint8)).save(path)
    return path


def two(folder, first=200, second=100, shape=(20, 40)):
    """Pictures with a block of tissue that has a hole, beside a small bright speck."""
    paths = {}
    for name, level in (("T2w", first), ("PDw", second)):
        grey = np.zeros(shape)
        grey[4:16, 8:32] = level
        grey[9:11, 18:22] = 0
        grey[1, 38] = 255
        paths[name] = save(folder / f"{name}.png", grey)
    return paths


def test_a_slice_keeps_order_contrast_and_one_scale(tmp_path):
    made = picture_slices("sub-x", two(tmp_path), SEQUENCES, "PDw", (20, 40), SCALE)
    assert list(made.contrasts.items()) == list(SEQUENCES.items())
    assert made.images.shape == (1, 2, 20, 40)
    assert made.images.dtype == np.float32
    assert made.scale == 100
    np.testing.assert_allclose(made.images[0, :, 5, 10], [2, 1])
    expected = np.zeros((20, 40))
    expected[4:16, 8:32] = 1
    np.testing.assert_array_equal(made.body[0], expected)
    assert not made.tissues.any()
    assert (made.tissue_names, made.sessions, made.indices) == ({}, ("sub-x",), (0,))
    assert made.spacing == (1.0, 1.0)


def test_a_slice_is_resized_with_its_proportions_and_filled_with_zeros(tmp_path):
    made = picture_slices("sub-x", two(tmp_path), SEQUENCES, "PDw", (20, 20), SCALE)
    assert made.images.shape == (1, 2, 20, 20)
    assert made.spacing == (2.0, 2.0)
    assert not made.images[:, :, :5].any()
    assert not made.images[:, :, 15:].any()
    body = made.body[0]
    # 12 of 20 rows and 24 of 40 columns, about the middle, at half their number.
    assert [np.ptp(np.flatnonzero(body.any(axis=axis))) + 1 for axis in (1, 0)] == [6, 12]
    assert made.images[0, 0, 8, 6] == pytest.approx(2, abs=0.01)


def test_resizing_averages_what_a_pixel_covers():
    stripes = np.tile([0.0, 100.0], (16, 8)).astype(np.float32)
    small = fitted(stripes, (4, 4), 0.25)
    np.testing.assert_allclose(small[1:3, 1:3], 50, atol=8)
    np.testing.assert_array_equal(fitted(stripes, (16, 20), 1.0)[:, 2:18], stripes)


def test_colours_become_grey_levels(tmp_path):
    colours = np.zeros((4, 5, 3), dtype=np.uint8)
    colours[..., 1] = 100
    Image.fromarray(colours).save(tmp_path / "green.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "green.png"), np.full((4, 5), 59))
    grey = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(read_picture(save(tmp_path / "g.png", grey)), grey)


def test_a_file_that_is_no_8_bit_picture_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.png is missing"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.jpg cannot be read as a picture"):
        read_picture(tmp_path / "text.jpg")
    noise = np.random.default_rng(1).integers(0, 255, (60, 60))
    content = save(tmp_path / "whole.png", noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(content[:2000])
    with pytest.raises(InputError, match=r"cut\.png cannot be read as a picture"):
        read_picture(tmp_path / "cut.png")
    Image.fromarray(np.full((4, 4), 3000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png is no picture of 8 bits"):
        read_picture(tmp_path / "deep.png")


def test_pictures_of_different_size_are_refused(tmp_path):
    pictures = two(tmp_path) | {"T2w": save(tmp_path / "other.png", np.eye(20))}
    with pytest.raises(InputError, match=r"other\.png has 20 x 20 pixels and .*PDw\.png 20 x 40"):
        picture_slices("sub-x", pictures, SEQUENCES, "PDw", (20, 20), SCALE)


def test_an_even_picture_has_no_body(tmp_path):
    with pytest.raises(InputError, match="the same everywhere"):
        picture_body(np.full((4, 4), 7.0))
    pictures = two(tmp_path) | {"PDw": save(tmp_path / "even.png", np.full((20, 40), 9))}
    with pytest.raises(InputError, match=r"even\.png: the picture is the same everywhere"):
        picture_slices("sub-x", pictures, SEQUENCES, "PDw", (20, 40), SCALE)
