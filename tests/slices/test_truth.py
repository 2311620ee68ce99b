"""True maps are cut like the scans that they are the truth of."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.cut import SessionVolumes, SliceSettings, cut_session, join_sessions
from pipeline_lib.slices.truth import TrueMaps, gain_of, read_true_maps

CONTRASTS = {"PDw": Sequence("SE", 0.008, 4.5), "T2w": Sequence("SE", 0.1, 4.5)}
# Axes of the file run to the left, front and top, so that the cut has to turn them.
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 3.0, 0, -20], [0, 0, 4.0, -10], [0, 0, 0, 1]])
NAMES = ("PD", "T1", "T2")


@pytest.fixture
def volumes():
    rng = np.random.default_rng(0)
    body = np.zeros((24, 20, 5), dtype=np.uint8)
    body[4:20, 5:15, 1:] = 1
    return body, {name: (body * rng.uniform(0.5, 1.5, body.shape)).astype("f4") for name in NAMES}


def slices_of(body, images, spacing=None):
    """Cut the maps as if they were scans, so that each has its own slices to compare with."""
    session = SessionVolumes("sub-1", images, body, body, AFFINE)
    settings = SliceSettings((24, 24), spacing, "axial", 0.01)
    sequences = {name: Sequence("SE", 0.01, 1.0) for name in images}
    return join_sessions("sub-1", [cut_session(session, settings, 1.0)], sequences, {1: "a"}, 1.0)


def write(folder, maps):
    for name, values in maps.items():
        write_scan(folder / f"sub-1_{name}map.nii.gz", values, AFFINE)


def test_maps_are_cut_like_the_scans(tmp_path, volumes):
    body, maps = volumes
    write(tmp_path, maps)
    slices = slices_of(body, maps)
    found = read_true_maps(tmp_path, slices, [2, 0])
    assert slices.indices == (1, 2, 3, 4)
    inside = slices.body[[2, 0]] > 0
    for index, values in enumerate((found.pd, found.t1, found.t2)):
        np.testing.assert_allclose(values[inside], slices.images[[2, 0], index][inside], rtol=1e-5)
    assert (found.pd[~inside] == 0).all()
    assert (found.t1[~inside] == 1).all()


def test_resampled_maps_have_the_relaxation_times_of_tissue_alone(tmp_path, volumes):
    body, maps = volumes
    maps["T1"], maps["T2"] = body * np.float32(1.2), body * np.float32(0.08)
    write(tmp_path, maps)
    slices = slices_of(body, maps, spacing=(4.5, 4.5))
    found = read_true_maps(tmp_path, slices, [1])
    np.testing.assert_allclose(found.pd[0], slices.images[1, 0], atol=1e-5)
    # At the border the scan itself shows T1 mixed with the air's 0.
    np.testing.assert_allclose(found.t1[found.pd > 0.01], 1.2, rtol=1e-3)
    np.testing.assert_allclose(found.t2[found.pd > 0.01], 0.08, rtol=1e-3)


def test_a_missing_map_is_told(tmp_path, volumes):
    with pytest.raises(InputError, match=r"sub-1_PDmap\.nii\.gz is missing"):
        read_true_maps(tmp_path, slices_of(*volumes), [0])


def measured(gain, pd):
    maps = TrueMaps(pd, np.full_like(pd, 1.0), np.full_like(pd, 0.08))
    images = np.stack([gain * maps.measured(s, "exact") for s in CONTRASTS.values()], axis=1)
    return maps, images


def test_the_gain_ignores_what_moved(volumes):
    body, _ = volumes
    slices = slices_of(body, dict.fromkeys(CONTRASTS, body.astype(np.float32)))
    pd = (slices.body > 0) * np.random.default_rng(1).uniform(0.5, 1, slices.body.shape)
    maps, images = measured(1.7, pd)
    images += np.random.default_rng(2).normal(0, 0.01, images.shape)
    images[:, :, 14:, :] = 0.0
    shown = slices.__class__(**{**slices.__dict__, "contrasts": CONTRASTS, "images": images})
    moved = (images[:, 0] < 0.1)[slices.body > 0].mean()
    assert 0.1 < moved < 0.4
    gain = gain_of(maps, shown, range(len(slices)), CONTRASTS, "exact")
    assert gain == pytest.approx(1.7, rel=0.03)


def test_maps_beside_the_body_are_refused(volumes):
    body, _ = volumes
    slices = slices_of(body, dict.fromkeys(CONTRASTS, body.astype(np.float32)))
    maps, _ = measured(1, np.zeros(slices.body.shape))
    with pytest.raises(InputError, match="show nothing"):
        gain_of(maps, slices, range(len(slices)), CONTRASTS, "exact")
