import numpy as np
import pytest

from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.patient import TissueVoxels, VirtualPatient
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.tissues import Tissue
from tests.phantom.patients import PELVIS, patient
from tests.phantom.plain import over_slices


@pytest.fixture(scope="module")
def pelvis():
    return patient(PELVIS)


def test_the_truth_of_a_pure_voxel_is_its_tissues(pelvis):
    truth = truth_of(pelvis)
    for label, name in truth.names.items():
        inside = truth.labels == label
        if inside.sum() > 100:
            assert truth.t1[inside].mean() == pytest.approx(pelvis.tissues[name].t1, rel=0.12)
    assert truth.t1[0, 0, 0] == 0
    assert truth.labels[0, 0, 0] == 0


def test_maps_are_means_over_the_slice(pelvis):
    truth, grid = truth_of(pelvis), pelvis.grid
    total, pd, t2 = (np.zeros(grid.fine_size) for _ in range(3))
    for voxels in pelvis.voxels.values():
        total.ravel()[voxels.where] += voxels.share
        pd.ravel()[voxels.where] += voxels.share * voxels.pd
        t2.ravel()[voxels.where] += voxels.share * voxels.t2
    total, pd, t2 = (over_slices(grid, values) for values in (total, pd, t2))
    np.testing.assert_allclose(truth.pd, pd, atol=1e-5)
    present = total > 0.02
    np.testing.assert_allclose(
        truth.t2[present], (t2 / np.maximum(total, 1e-9))[present], rtol=1e-4
    )


def test_the_truth_is_that_of_the_slices_as_thick_as_they_are():
    grid = Grid((1, 1, 1), (1.0, 1.0, 3.0))
    middle = grid.margin * 3 + 1
    one = np.ones(1, dtype=np.float32)
    spot = TissueVoxels(np.array([middle]), one, one, one, one * 0.1)
    made = VirtualPatient(grid, {"spot": Tissue(1, 1, 0.1)}, {"spot": spot})
    assert truth_of(made).pd.item() == pytest.approx(1 / 3)
    assert truth_of(made, 1.0).pd.item() == pytest.approx(1)
    assert truth_of(made, 1.0).labels.item() == 1
    assert truth_of(made, 6.0).pd.item() == pytest.approx(1 / 6)
