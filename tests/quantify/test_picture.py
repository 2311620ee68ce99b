"""The picture of fitted maps."""

import matplotlib.image
import numpy as np
import pytest

from pipeline_lib.quantify.derivatives import NAMES
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.picture import ENDINGS, draw_maps, middle_slice, relative_bound


def values(flag):
    slice_ = {name: np.full((20, 30), 0.5, dtype=np.float32) for name in NAMES}
    slice_ |= {name: np.full((20, 30), 0.05) for name in NAMES if name.endswith("bound")}
    slice_["flag"] = np.zeros((20, 30), dtype=np.uint8)
    slice_["flag"][4:16, 4:26] = flag
    return slice_


def colours(path):
    """The colours of a picture and how many pixels have each."""
    pixels = (255 * matplotlib.image.imread(path)[..., :3]).round().astype(int)
    found, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))


def test_the_middle_slice_is_the_one_of_those_that_were_fitted():
    flags = np.zeros((9, 3, 3), dtype=np.uint8)
    flags[[2, 6, 7], 1, 1] = Flag.CONVERGED
    assert middle_slice(flags) == 6


def test_a_bound_that_tells_little_is_left_out():
    value = np.array([1.0, 1.0, 2.0, 0.0, 1.0])
    bound = np.array([0.2, 0.21, 0.1, 0.1, np.inf])
    np.testing.assert_allclose(
        relative_bound(value, bound), [0.2, np.nan, 0.05, np.nan, np.nan], rtol=1e-12
    )


@pytest.mark.parametrize("flag", [Flag.AT_BOUND, Flag.BELOW_NOISE])
def test_voxels_have_the_colour_of_their_flag(tmp_path, flag):
    draw_maps(tmp_path / "a.png", values(flag), (2.0, 2.0), "sub-01")
    hexadecimal = ENDINGS[flag][0].removeprefix("#")
    rgb = tuple(int(hexadecimal[place : place + 2], 16) for place in (0, 2, 4))
    found = colours(tmp_path / "a.png")
    assert found[rgb] > 1000  # of the panel; the key is smaller


def test_a_large_bound_is_grey(tmp_path):
    grey = (140, 140, 140)
    slice_ = values(Flag.CONVERGED)
    draw_maps(tmp_path / "a.png", slice_, (2.0, 2.0), "sub-01")
    slice_["T2_bound"][:] = 0.4
    draw_maps(tmp_path / "b.png", slice_, (2.0, 2.0), "sub-01")
    found = [colours(tmp_path / name).get(grey, 0) for name in ("a.png", "b.png")]
    assert found[1] - found[0] > 5000


def test_a_slice_where_nothing_was_fitted_and_unknown_bounds_are_drawn(tmp_path):
    slice_ = values(Flag.NOT_FITTED)
    draw_maps(tmp_path / "a.png", slice_, (2.0, 4.0), "empty")
    slice_ = values(Flag.CONVERGED)
    slice_["T1_bound"][:] = np.nan
    draw_maps(tmp_path / "b.png", slice_, (2.0, 4.0), "unknown")
    assert (tmp_path / "a.png").exists() and (tmp_path / "b.png").exists()
