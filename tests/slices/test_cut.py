from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import read_scan
from pipeline_lib.slices.cut import (
    SessionVolumes,
    SliceSettings,
    common_sequences,
    cut_session,
    join_sessions,
)

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ms_longitudinal"
AXIAL = SliceSettings(size=(24, 20), spacing=None, orientation="axial", minimum_body=0.02)
SPACING = np.array([2.0, 1.5, 4.0])


def position(shape, affine):
    """Place in millimetres of every voxel, [x, y, z, 3]."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def a_session(name="sub-01_ses-1", turn=None, spacing=SPACING):
    """A body off the middle of its volume, whose images are its x, y and z in millimetres."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-31, 12, -7]
    if turn is not None:
        affine = affine @ turn
    shape = (30, 28, 9)
    body = np.zeros(shape, np.uint8)
    body[13:29, 5:25, 2:8] = 1
    places = position(shape, affine).astype(np.float32)
    return SessionVolumes(
        session=name,
        images={axis: places[..., i] for i, axis in enumerate("xyz")},
        body=body,
        tissues=body * 3,
        affine=affine,
    )


def places_of(cut, size):
    """Millimetres that `geometry` gives each pixel that was cut, [slice, row, column, 3]."""
    affine = np.array(cut.geometry["affine"])
    places = position((cut.geometry["slices"], *size), affine)
    return places[list(cut.indices)]


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("spacing", [None, (1.1, 1.7), (3.0, 2.0)])
def test_every_pixel_lies_where_the_geometry_says(orientation, spacing):
    settings = SliceSettings((32, 48), spacing, orientation, 0.02)
    cut = cut_session(a_session(), settings, scale=2.0)
    places = places_of(cut, (32, 48))
    # Where pixels get coarser their images are smoothed, which bends a ramp at the volume's edge.
    inside = (cut.body > 0) & (np.roll(cut.body, 4, 1) > 0) & (np.roll(cut.body, -4, 2) > 0)
    assert inside.sum() > 100
    for axis in range(3):
        np.testing.assert_allclose(
            cut.images[:, axis][inside] * 2.0, places[..., axis][inside], atol=1e-3
        )


def test_axial_slices_have_the_front_on_top_and_the_patients_right_on_the_left():
    places = places_of(cut_session(a_session(), AXIAL, 1.0), AXIAL.size)
    assert (np.diff(places[..., 1], axis=1) < 0).all(), "rows run to the back"
    assert (np.diff(places[..., 0], axis=2) < 0).all(), "columns run to the patient's left"
    assert (np.diff(places[..., 2], axis=0) > 0).all(), "slices run to the head"


@pytest.mark.parametrize(("orientation", "column"), [("coronal", 0), ("sagittal", 1)])
def test_upright_slices_have_the_head_on_top(orientation, column):
    settings = SliceSettings((16, 40), None, orientation, 0.02)
    places = places_of(cut_session(a_session(), settings, 1.0), settings.size)
    assert (np.diff(places[..., 2], axis=1) < 0).all()
    assert (np.diff(places[..., column], axis=2) < 0).all()


def test_the_order_of_axes_in_the_file_makes_no_difference():
    turn = np.array([[0, -1, 0, 29], [1, 0, 0, 0], [0, 0, -1, 8], [0, 0, 0, 1.0]])
    straight = a_session()
    turned_shape = (28, 30, 9)
    index = position(turned_shape, turn).round().astype(int)

    def carried(array):
        return array[tuple(np.moveaxis(index, -1, 0))]

    turned = replace(
        straight,
        images={name: carried(image) for name, image in straight.images.items()},
        body=carried(straight.body),
        tissues=carried(straight.tissues),
        affine=straight.affine @ turn,
    )
    one, other = cut_session(straight, AXIAL, 1.0), cut_session(turned, AXIAL, 1.0)
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_allclose(one.geometry["affine"], other.geometry["affine"])


def test_the_body_is_in_the_middle_and_whole():
    cut = cut_session(a_session(), AXIAL, 1.0)
    for axis, length in ((1, 24), (2, 20)):
        covered = np.flatnonzero(cut.body.any(axis=tuple({0, 1, 2} - {axis})))
        assert abs(covered[0] - (length - 1 - covered[-1])) <= 1
    assert cut.body.sum() == a_session().body.sum()
    assert set(np.unique(cut.tissues)) == {0, 3}


def test_slices_without_enough_body_are_left_out():
    assert cut_session(a_session(), AXIAL, 1.0).indices == (2, 3, 4, 5, 6, 7)
    everything = replace(AXIAL, minimum_body=0.0)
    assert cut_session(a_session(), everything, 1.0).indices == tuple(range(9))


def test_a_body_that_fits_exactly_is_taken_whole():
    exact = replace(AXIAL, size=(20, 16))
    assert cut_session(a_session(), exact, 1.0).body.all()


def test_a_body_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"sub-01_ses-1 covers 20 x 16 pixels.*larger size"):
        cut_session(a_session(), replace(AXIAL, size=(20, 15)), 1.0)
    with pytest.raises(InputError, match="coarser"):
        cut_session(a_session(), replace(AXIAL, spacing=(0.5, 0.5)), 1.0)


def test_no_slice_with_enough_body_is_refused():
    with pytest.raises(InputError, match="set `slices: minimum_body` lower"):
        cut_session(a_session(), replace(AXIAL, minimum_body=0.9), 1.0)


def test_an_empty_body_is_refused():
    session = a_session()
    with pytest.raises(InputError, match="body mask of sub-01_ses-1 is empty"):
        cut_session(replace(session, body=session.body * 0), AXIAL, 1.0)


def test_coarser_pixels_keep_the_mean_instead_of_picking():
    session = a_session()
    checks = (np.indices(session.body.shape).sum(axis=0) % 2).astype(np.float32)
    settings = replace(AXIAL, spacing=(4.5, 6.0))
    cut = cut_session(replace(session, images={"x": checks}), settings, 1.0)
    inside = cut.body > 0
    assert cut.images[:, 0][inside].mean() == pytest.approx(0.5, abs=0.05)
    assert cut.images[:, 0][inside].std() < 0.25


def test_sessions_follow_one_another():
    first = cut_session(a_session(), AXIAL, 2.0)
    second = cut_session(a_session("sub-01_ses-2"), AXIAL, 2.0)
    sequences = common_sequences({"sub-01_ses-1": checked()})
    joined = join_sessions("sub-01", [first, second], sequences, {3: "fat"}, 2.0)
    assert joined.images.shape == (12, 3, 24, 20)
    assert joined.images.dtype == np.float32
    assert joined.sessions == ("sub-01_ses-1",) * 6 + ("sub-01_ses-2",) * 6
    assert joined.indices == first.indices + second.indices
    assert joined.spacing == (1.5, 2.0)
    assert set(joined.geometry) == {"sub-01_ses-1", "sub-01_ses-2"}


def test_sessions_of_different_pixels_are_refused():
    first = cut_session(a_session(), AXIAL, 1.0)
    other = cut_session(a_session("sub-01_ses-2", spacing=SPACING * 1.2), AXIAL, 1.0)
    with pytest.raises(InputError, match=r"sub-01_ses-2 1\.8 x 2\.4 mm; set `slices: spacing`"):
        join_sessions("sub-01", [first, other], {}, {}, 1.0)


def checked(te=0.015):
    return {axis: {"sequence": "SE", "te": te, "tr": 0.6, "path": "a"} for axis in "xyz"}


def test_sessions_measured_alike_share_their_sequences():
    common = common_sequences({"ses-1": checked(), "ses-2": checked(0.01501)})
    assert list(common) == ["x", "y", "z"]
    assert common["x"].te == 0.015


def test_sessions_measured_differently_are_refused():
    with pytest.raises(InputError, match=r"x of ses-2 was measured with.*`exclude:`"):
        common_sequences({"ses-1": checked(), "ses-2": checked(0.02)})


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real scans are not beside the project")
def test_a_real_scans_voxels_are_found_where_the_geometry_says():
    scan, affine = read_scan(REAL / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_FLAIR.nii.gz")
    body = (scan > 40).astype(np.uint8)
    session = SessionVolumes("sub-01_ses-1", {"FLAIR": scan}, body, body, affine)
    settings = replace(AXIAL, size=(320, 320))
    cut = cut_session(session, settings, 2.0)
    assert len(cut.indices) == 36
    index = np.rint(
        (places_of(cut, settings.size) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    ).astype(int)
    within = ((index >= 0) & (index < scan.shape)).all(axis=-1) & (cut.body > 0)
    assert within.sum() == body.sum()
    np.testing.assert_array_equal(
        cut.images[:, 0][within] * 2, scan[tuple(np.moveaxis(index[within], -1, 0))]
    )
