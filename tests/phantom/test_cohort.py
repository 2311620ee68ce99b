"""Patients of a virtual dataset, on grids small enough to draw many."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import io

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.patient import draw_tissues
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.tissues import Tissue, tissues_at
from tests.phantom.patients import BRAIN, PELVIS, patient

REAL_LABELS = Path(__file__).parents[3] / "shared/data/mrilab/BrainModel.mat"


@pytest.fixture(scope="module")
def pelvis():
    return patient(PELVIS)


@pytest.fixture(scope="module")
def brain():
    return patient(BRAIN)


def test_a_patient_repeats_exactly_and_two_differ(pelvis):
    again, other = patient(PELVIS), patient(PELVIS, name="sub-002")
    for name, voxels in pelvis.voxels.items():
        np.testing.assert_array_equal(voxels.t1, again.voxels[name].t1)
        np.testing.assert_array_equal(voxels.share, again.voxels[name].share)
    assert pelvis.tissues["fat"] != other.tissues["fat"]
    assert len(pelvis.voxels["muscle"].where) != len(other.voxels["muscle"].where)


def test_shares_of_a_voxel_add_up_to_one_at_most(pelvis):
    total = np.zeros(int(np.prod(pelvis.grid.fine_size)))
    for voxels in pelvis.voxels.values():
        total[voxels.where] += voxels.share
    assert total.max() < 1.001
    assert (total > 0.999).mean() > 0.2


def test_the_anatomies_hold_their_tissues(pelvis, brain):
    organs = {"fat", "muscle", "marrow", "cortical_bone", "bladder", "prostate", "rectum"}
    assert organs <= set(pelvis.voxels)
    assert {"white_matter", "grey_matter", "csf", "fat", "marrow", "skin"} <= set(brain.voxels)
    white = brain.voxels["white_matter"].share.sum()
    assert 0.5 < white / brain.voxels["grey_matter"].share.sum() < 1.2


def test_tissue_values_vary_by_eight_percent_between_patients():
    table = tissues_at(3)
    t1 = [draw_tissues(table, [seed])["muscle"].t1 / table["muscle"].t1 for seed in range(400)]
    assert np.log(t1).std() == pytest.approx(0.08, rel=0.1)
    assert np.log(t1).mean() == pytest.approx(0, abs=0.015)


def test_one_more_tissue_in_the_table_changes_no_other():
    table = tissues_at(3)
    more = {"scar": Tissue(0.7, 1.0, 0.05), **table}
    assert draw_tissues(more, [5])["fat"] == draw_tissues(table, [5])["fat"]


def test_texture_within_a_tissue_is_three_percent(pelvis):
    muscle = pelvis.voxels["muscle"]
    assert (muscle.t1.std() / muscle.t1.mean()) == pytest.approx(0.03, rel=0.3)


def mrilab(label_file):
    return replace(
        PELVIS, anatomy="mrilab", size=(45, 54, 8), spacing=(4.0, 4.0, 16.0), label_file=label_file
    )


def test_mrilabs_labels_become_its_tissues(tmp_path):
    labels = np.zeros((216, 180, 180), dtype=np.uint8)
    labels[40:180, 30:150, 30:150] = 2
    labels[40:70, 30:150, 30:150] = 1  # the front: rows of the file run from front to back
    labels[70:180, 30:150, 30:60] = 6  # the top: its slices run from the crown downwards
    path = tmp_path / "BrainModel.mat"
    io.savemat(path, {"Anatomy": labels})
    made = patient(mrilab(str(path)))
    assert set(made.voxels) == {"csf", "grey_matter", "skin"}
    where = np.unravel_index(made.voxels["csf"].where, made.grid.fine_size)
    assert where[1].mean() > made.grid.size[1] / 2
    where = np.unravel_index(made.voxels["skin"].where, made.grid.fine_size)
    assert where[2].mean() > made.grid.fine_size[2] / 2
    assert 0.5 < made.tissues["grey_matter"].t1 / 0.95 < 1.5


@pytest.mark.parametrize("content", [None, {"Other": np.zeros(3)}])
def test_a_wrong_label_file_is_told(tmp_path, content):
    path = tmp_path / "BrainModel.mat"
    if content:
        io.savemat(path, content)
    with pytest.raises(InputError, match=r"BrainModel\.mat .*set virtual\.label_file"):
        patient(mrilab(str(path)))


@pytest.mark.real
@pytest.mark.skipif(not REAL_LABELS.exists(), reason=f"{REAL_LABELS} is absent")
def test_mrilabs_own_brain_is_read_upright():
    made = patient(mrilab(str(REAL_LABELS)))
    assert {"white_matter", "grey_matter", "csf", "skin"} <= set(made.voxels)
    truth = truth_of(made)
    white = truth.labels == next(k for k, v in truth.names.items() if v == "white_matter")
    # A head is longer from front to back than it is wide.
    wide, long = (np.ptp(np.flatnonzero(white.any(axis=axes))) for axes in ((1, 2), (0, 2)))
    assert long > wide
    # The crown is narrower than the base, above which the cerebellum lies, behind the face.
    head = truth.pd > 0.1
    assert head[:, :, -1].sum() < 0.75 * head[:, :, 0].sum()
    grey = truth.labels == next(k for k, v in truth.names.items() if v == "grey_matter")
    assert np.argwhere(grey[:, :, 0])[:, 1].mean() < made.grid.size[1] / 2 - 3
