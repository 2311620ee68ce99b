import numpy as np
import pytest

from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.shapes import Ellipsoid, Painting

GRID = Grid((60, 60, 20), (2.0, 2.0, 6.0))


@pytest.fixture
def painting():
    return Painting(GRID, tuple(np.meshgrid(*GRID.axes, indexing="ij")))


def volume(fraction):
    return float(fraction.sum()) * 2.0 * 2.0 * 2.0


def test_a_painted_ellipsoid_has_its_volume(painting):
    painting.paint("fat", Ellipsoid((3, -2, 4), (30, 22, 26), turn=0.4))
    assert volume(painting.fractions["fat"]) == pytest.approx(
        4 / 3 * np.pi * 30 * 22 * 26, rel=0.02
    )


def test_what_is_painted_first_covers_what_comes_later(painting):
    small, large = Ellipsoid((0, 0, 0), (15, 15, 15)), Ellipsoid((0, 0, 0), (30, 30, 30))
    painting.paint("marrow", small)
    painting.paint("muscle", large)
    shell = 4 / 3 * np.pi * (30**3 - 15**3)
    assert volume(painting.fractions["muscle"]) == pytest.approx(shell, rel=0.02)
    total = sum(painting.fractions.values())
    assert total.max() <= 1 + 1e-5
    middle = tuple(n // 2 for n in GRID.fine_size)
    assert painting.fractions["marrow"][middle] == pytest.approx(1)


def test_air_takes_room_and_is_no_tissue(painting):
    painting.paint(None, Ellipsoid((0, 0, 0), (10, 10, 10)))
    painting.paint("muscle", Ellipsoid((0, 0, 0), (20, 20, 20)))
    assert set(painting.fractions) == {"muscle"}
    middle = tuple(n // 2 for n in GRID.fine_size)
    assert painting.fractions["muscle"][middle] == pytest.approx(0, abs=1e-6)


def test_a_voxel_on_the_border_is_shared(painting):
    painting.paint("fat", Ellipsoid((0, 0, 0), (30, 30, 30)))
    shares = painting.fractions["fat"]
    assert np.any((shares > 0.2) & (shares < 0.8))
