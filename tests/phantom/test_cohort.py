"""Patients and scans of a virtual dataset, on grids small enough to draw many."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import io, ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.patient import (
    TissueVoxels,
    VirtualPatient,
    draw_tissues,
)
from pipeline_lib.phantom.scanner import Motion, Scanner, body_of, measure, signed_image
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import Tissue, tissues_at

PELVIS = VirtualSettings(
    "pelvis", 3.0, (64, 48, 8), (6.0, 6.0, 12.0), "exact", 0.01, 0.3, Motion(5.0, 5.0), None
)
BRAIN = replace(PELVIS, anatomy="brain", size=(48, 56, 8), spacing=(4.0, 4.0, 16.0))
T1W, T2W, PDW = Sequence("SE", 0.012, 0.5), Sequence("SE", 0.1, 4.5), Sequence("SE", 0.012, 4.5)
REAL_LABELS = Path(__file__).parents[3] / "shared/data/mrilab/BrainModel.mat"


def patient(settings=PELVIS, name="sub-001", seed=3):
    return virtual_patient(settings, streams(seed, "cohort", name))


@pytest.fixture(scope="module")
def pelvis():
    return patient()


@pytest.fixture(scope="module")
def brain():
    return patient(BRAIN)


def test_a_patient_repeats_exactly_and_two_differ(pelvis):
    again, other = patient(), patient(name="sub-002")
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


def test_tissues_of_opposite_sign_cancel_before_the_magnitude():
    grid = Grid((8, 8, 2), (1.0, 1.0, 1.0))
    one = np.ones(1, dtype=np.float32)
    flair = Sequence("IR-SE", 0.01, 5.0, 0.5)

    def half(t1):
        return TissueVoxels(np.array([0]), one / 2, one, one * t1, one * 1000)

    both = VirtualPatient(grid, {}, {"fast": half(0.2), "slow": half(3.0)})
    alone = [VirtualPatient(grid, {}, {"one": half(t1)}) for t1 in (0.2, 3.0)]
    fast, slow = (float(signed_image(p, flair, "exact").ravel()[0]) for p in alone)
    assert fast > 0 > slow
    assert signed_image(both, flair, "exact").ravel()[0] == pytest.approx(fast + slow)


def test_one_more_contrast_changes_no_other(pelvis):
    seed = [1, 2]
    few = measure(pelvis, {"T1w": T1W, "PDw": PDW}, "PDw", PELVIS.scanner, seed)
    more = measure(pelvis, {"T2w": T2W, "T1w": T1W, "PDw": PDW}, "PDw", PELVIS.scanner, seed)
    for contrast in few.images:
        np.testing.assert_array_equal(few.images[contrast], more.images[contrast])
    np.testing.assert_array_equal(few.field, more.field)


def test_the_motion_carries_the_reference_onto_the_scan():
    # Slices thin enough that interpolating back across them costs less than the motion.
    thin = patient(replace(PELVIS, size=(96, 64, 20), spacing=(4.0, 4.0, 4.0)))
    still = Scanner("exact", 0.0, 0.0, Motion(5.0, 5.0))
    session = measure(thin, {"a": PDW, "b": PDW}, "a", still, [9])
    assert np.array_equal(session.motion["a"], np.eye(4))
    reference, scan = session.images["a"], session.images["b"]
    affine = thin.grid.affine
    push = np.linalg.inv(affine) @ session.motion["b"] @ affine
    back = ndimage.affine_transform(scan, push[:3, :3], push[:3, 3], order=1)
    inner = ndimage.binary_erosion(body_of(thin), iterations=2)
    inner[:, :, :4] = inner[:, :, -4:] = (
        False  # what moved in from beyond the last slice is not there
    )
    error = np.abs(back - reference)[inner].mean()
    assert error < 0.6 * np.abs(scan - reference)[inner].mean()


def test_the_field_spans_what_was_asked_over_the_body(pelvis):
    session = measure(pelvis, {"PDw": PDW}, "PDw", PELVIS.scanner, [4])
    body = body_of(pelvis)
    assert session.field[body].min() == pytest.approx(0.85, abs=1e-3)
    assert session.field[body].max() == pytest.approx(1.15, abs=1e-3)


def test_noise_is_the_asked_share_of_the_brightest_tissue(pelvis):
    session = measure(pelvis, {"PDw": PDW}, "PDw", PELVIS.scanner, [4])
    corner = session.images["PDw"][:4, :4]
    assert session.sigma == pytest.approx(10.0)
    assert corner.mean() == pytest.approx(1.253 * session.sigma, rel=0.1)


def test_without_noise_field_and_motion_a_scan_is_the_anatomys_signal(pelvis):
    clean = Scanner("exact", 0.0, 0.0, Motion(0.0, 0.0))
    far = Sequence("SE", 1.0, 1.2)
    session = measure(pelvis, {"PDw": PDW, "T1w": T1W, "far": far}, "PDw", clean, [4])
    np.testing.assert_array_equal(session.field, 1)
    for contrast, sequence in (("T1w", T1W), ("far", far)):
        np.testing.assert_array_equal(session.motion[contrast], np.eye(4))
        fine = signed_image(pelvis, sequence, "exact")
        expected = session.gain * np.abs(pelvis.grid.averaged(fine))
        np.testing.assert_allclose(session.images[contrast], expected, rtol=1e-5)
        assert session.images[contrast].dtype == np.float32
    assert session.images["T1w"][0, 0, 0] == 0
    assert 0 < session.images["far"].max() < 0.2 * session.images["PDw"].max()


def test_white_matter_is_brighter_than_grey_in_t1w_and_darker_in_t2w(brain):
    truth = truth_of(brain)
    label = {name: number for number, name in truth.names.items()}
    clean = Scanner("exact", 0.0, 0.0, Motion(0.0, 0.0))
    images = measure(brain, {"T1w": T1W, "T2w": T2W}, "T1w", clean, [1]).images

    def mean(contrast, tissue):
        return images[contrast][truth.labels == label[tissue]].mean()

    assert mean("T1w", "white_matter") > 1.1 * mean("T1w", "grey_matter")
    assert mean("T2w", "white_matter") < 0.95 * mean("T2w", "grey_matter")
    assert mean("T2w", "csf") > 1.5 * mean("T2w", "grey_matter")


def test_the_truth_of_a_pure_voxel_is_its_tissues(pelvis):
    truth = truth_of(pelvis)
    for label, name in truth.names.items():
        inside = truth.labels == label
        if inside.sum() > 100:
            assert truth.t1[inside].mean() == pytest.approx(pelvis.tissues[name].t1, rel=0.12)
    assert truth.t1[0, 0, 0] == 0
    assert truth.labels[0, 0, 0] == 0


def test_a_reference_without_any_signal_is_refused(pelvis):
    nothing = replace(pelvis, tissues={"fat": Tissue(0.0, 1.0, 1.0)})
    with pytest.raises(InputError, match="choose another reference"):
        measure(nothing, {"PDw": PDW}, "PDw", PELVIS.scanner, [1])


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
