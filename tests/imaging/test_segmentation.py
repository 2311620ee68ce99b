import json

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging import segmentation
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scale import ScaleSettings, patient_scale
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.imaging.segmentation import (
    SegmentSettings,
    session_body,
    tissues_of_dseg,
    tissues_of_truth,
)
from pipeline_lib.imaging.tissue_quality import carried_labels, evenness
from tests.imaging.heads import grid, head

SHAPE, AFFINE = grid()
SPACING = (3.0, 3.0, 6.0)


def test_the_body_is_what_most_contrasts_show_where_all_were_measured():
    image = head("T1w", SHAPE, AFFINE, noise=0.02)
    dark = np.where(np.indices(SHAPE)[1] < 36, 1.0, image)  # tissues that one does not show
    half = image.copy()
    half[:32] = 0  # a scan with half the field of view
    body = session_body({"T1w": image, "T2w": image, "PDw": dark, "FLAIR": half}, SPACING)
    whole = body_mask(image, SPACING)[32:]
    assert not body[:32].any()
    assert (body[32:] & whole).sum() > 0.97 * whole.sum()


def test_two_hundred_contrasts_can_vote(monkeypatch):
    image = head("T1w", SHAPE, AFFINE)
    image += 1.0  # all of it was measured
    whole = body_mask(image, SPACING)
    monkeypatch.setattr(segmentation, "body_mask", lambda image, spacing: whole)
    body = session_body({f"c{number}": image for number in range(200)}, SPACING)
    assert (body & whole).sum() > 0.99 * whole.sum()


def test_what_shows_the_body_is_one_of_two():
    with pytest.raises(InputError, match=r"segment\.body is contrasts or reference, not 'first'"):
        SegmentSettings("none", "first")


def test_a_contrast_without_a_body_is_named():
    image = head("T1w", SHAPE, AFFINE)
    with pytest.raises(InputError, match="contrast T2w: "):
        session_body({"T1w": image, "T2w": np.zeros_like(image)}, SPACING)


def test_contrasts_that_share_no_place_are_refused():
    image = head("T1w", SHAPE, AFFINE)
    left, right = image.copy(), image.copy()
    left[32:], right[:32] = 0, 0
    with pytest.raises(InputError, match="no part of the body in common"):
        session_body({"T1w": left, "T2w": right}, SPACING)


@pytest.fixture
def labels(tmp_path):
    values = np.zeros((10, 10, 6), dtype=np.uint8)
    values[2:5, 3:7, 1:4] = 2
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    write_scan(tmp_path / "sub-1_dseg.nii.gz", values, affine, dtype=np.uint8)
    (tmp_path / "sub-1_dseg.json").write_text(json.dumps({"2": "muscle"}))
    return tmp_path, values, affine


def test_the_truth_is_taken_as_it_is(labels):
    folder, values, _ = labels
    tissues = tissues_of_truth(folder, "sub-1", values.shape)
    np.testing.assert_array_equal(tissues.labels, values)
    assert tissues.names == {2: "muscle"}
    with pytest.raises(InputError, match=r"sub-1_dseg\.nii\.gz has the shape"):
        tissues_of_truth(folder, "sub-1", (3, 3, 3))


def test_a_segmentation_is_carried_to_the_reference_grid(labels):
    folder, values, affine = labels
    shifted = affine.copy()
    shifted[0, 3] = 2.0  # the reference begins one voxel further to the right
    tissues = tissues_of_dseg(folder / "sub-1_dseg.nii.gz", shifted, values.shape)
    np.testing.assert_array_equal(tissues.labels[:-1], values[1:])


def test_a_segmentation_of_another_place_is_refused(labels):
    folder, values, affine = labels
    far = affine.copy()
    far[0, 3] = 500.0
    with pytest.raises(InputError, match=r"sub-1_dseg\.nii\.gz has no label on the grid"):
        tissues_of_dseg(folder / "sub-1_dseg.nii.gz", far, values.shape)


def test_the_scale_is_a_percentile_over_the_bodies_of_all_sessions():
    first, second = np.arange(101.0), np.arange(100.0, 201.0)
    body = np.ones(101, dtype=bool)
    assert patient_scale([(first, body)], ScaleSettings(90.0)) == pytest.approx(90.0)
    both = patient_scale([(first, body), (second, body)], ScaleSettings(50.0))
    assert both == pytest.approx(100.0)
    lower = patient_scale([(first, first < 51)], ScaleSettings(100.0))
    assert lower == pytest.approx(50.0)


def test_a_reference_without_signal_has_no_scale():
    with pytest.raises(InputError, match="no signal within the body"):
        patient_scale([(np.zeros(5), np.ones(5, dtype=bool))], ScaleSettings(99.9))


def test_labels_follow_the_transform_to_the_scan():
    labels = np.zeros((12, 12, 6), dtype=np.uint8)
    labels[4:7, 5, 2] = 1
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    transform = np.eye(4)
    transform[:3, 3] = [4.0, -2.0, 5.0]  # points of the reference lie there in the scan
    carried = carried_labels(labels, affine, transform, affine, labels.shape)
    np.testing.assert_array_equal(np.argwhere(carried), np.argwhere(labels) + np.array([2, -1, 1]))


def test_evenness_is_the_coefficient_of_variation_of_each_tissue():
    labels = np.repeat([1, 2], 60)
    raw = np.tile([1.0, 3.0], 60)
    corrected = np.full(120, 2.0)
    first, second = evenness(raw, corrected, labels, {1: "fat", 2: "muscle"})
    assert (first.tissue, second.tissue) == ("fat", "muscle")
    assert (first.n, first.cv_raw, first.cv_corrected) == (60, 0.5, 0.0)


def test_a_tissue_of_a_few_voxels_is_left_out():
    assert not evenness(np.ones(20), np.ones(20), np.ones(20), {1: "fat"})
