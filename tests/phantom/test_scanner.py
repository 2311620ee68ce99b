"""Sessions of virtual patients, their options one at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.phantom import scanner as scanner_module
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.motion import Motion, moved_anatomy
from pipeline_lib.phantom.patient import TissueVoxels, VirtualPatient, body_of
from pipeline_lib.phantom.scanner import Scanner, measure
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.signal.pulses import PulseModel
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import Tissue
from tests.phantom.patients import BRAIN, PELVIS, patient
from tests.phantom.plain import over_slices, signed_image

T1W, T2W, PDW = Sequence("SE", 0.012, 0.5), Sequence("SE", 0.1, 4.5), Sequence("SE", 0.012, 4.5)
STIR = Sequence("IR-SE", 0.02, 5.0, 0.2)
STILL = Motion(0.0, 0.0)
CLEAN = Scanner("exact", 0.0, 0.0, STILL)
FOUR = {"PDw": PDW, "T1w": T1W, "T2w": T2W, "STIR": STIR}
IMPERFECT = {
    "clean": CLEAN,
    "noise": replace(CLEAN, noise=0.01, bias_field=0.3),
    "motion": replace(CLEAN, noise=0.01, motion=Motion(5.0, 5.0)),
    "all": Scanner(
        "epg", 0.01, 0.3, Motion(5.0, 5.0), b1_field=0.3, b0_field=1.0, bandwidth=200.0,
        k_space=0.7, slice_thickness=6.0,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def pelvis():
    return patient(PELVIS)


def images(session, **more):
    return dict(session.scans(**more))


def block_of(tissue, values, size=(32, 32, 2), where=None, spacing=(1.0, 1.0, 6.0)):
    """A patient of one tissue that fills a box of the fine grid, from end to end along z."""
    grid = Grid(size, spacing)
    inside = np.zeros(grid.fine_size, dtype=bool)
    inside[(slice(8, 24), slice(8, 24)) if where is None else where] = True
    where = np.flatnonzero(inside)
    one = np.ones(len(where), dtype=np.float32)
    voxels = TissueVoxels(where, one, one * values.pd, one * values.t1, one * values.t2)
    return VirtualPatient(grid, {tissue: values}, {tissue: voxels})


def together(*patients):
    tissues = {name: one for each in patients for name, one in each.tissues.items()}
    voxels = {name: one for each in patients for name, one in each.voxels.items()}
    return VirtualPatient(patients[0].grid, tissues, voxels)


def test_a_session_is_the_plain_computation(pelvis):
    scanner = Scanner("exact", 0.01, 0.3, Motion(5.0, 5.0))
    session = measure(pelvis, FOUR, "PDw", scanner, [4])
    for contrast, image in session.scans():
        fine = signed_image(pelvis, FOUR[contrast])
        if contrast != "PDw":
            motion = session.motion[contrast]
            fine = moved_anatomy(torch.from_numpy(fine), pelvis.grid, motion).numpy()
        clean = session.gain * session.field * np.abs(over_slices(pelvis.grid, fine))
        seed = [4, scanner_module.zlib.crc32(contrast.encode())]
        rng = np.random.default_rng(seed)
        scanner_module.draw_motion(scanner.motion, rng)
        expected = with_rician_noise(clean, session.sigma, rng)
        np.testing.assert_allclose(image, expected, atol=2e-3)
        assert image.dtype == np.float32


@pytest.mark.parametrize("name", IMPERFECT)
def test_neither_blocks_nor_threads_nor_other_contrasts_change_a_bit(pelvis, name, monkeypatch):
    scanner = IMPERFECT[name]
    session = measure(pelvis, FOUR, "PDw", scanner, [1, 2])
    expected = images(session)
    assert list(expected) == list(FOUR)
    few = {contrast: FOUR[contrast] for contrast in ("T2w", "PDw")}
    for contrast, image in measure(pelvis, few, "PDw", scanner, [1, 2]).scans():
        np.testing.assert_array_equal(image, expected[contrast])
    before = torch.get_num_threads()
    try:
        for together, threads in ((1, 3), (3, 2)):
            monkeypatch.setattr(scanner_module, "BLOCK", together)
            torch.set_num_threads(threads)
            for contrast, image in session.scans():
                np.testing.assert_array_equal(image, expected[contrast])
    finally:
        torch.set_num_threads(before)


def test_images_are_made_as_they_are_asked_for(pelvis, monkeypatch):
    many = {f"{number}": Sequence("SE", 0.01 + 0.001 * number, 4.5) for number in range(40)}
    made = []
    summed = scanner_module.MixedSignals.of
    monkeypatch.setattr(
        scanner_module.MixedSignals,
        "of",
        lambda self, sequences, b1: made.extend(sequences) or summed(self, sequences, b1),
    )
    scans = measure(pelvis, many, "0", CLEAN, [1]).scans()
    assert not made
    next(scans)
    assert len(made) < len(many)


def test_tissues_of_opposite_sign_cancel_before_the_magnitude():
    flair = Sequence("IR-SE", 0.01, 5.0, 0.5)
    fast, slow = (block_of(name, Tissue(0.5, t1, 1.0)) for name, t1 in (("a", 0.2), ("b", 3.0)))
    middle = (16, 16, 1)
    alone = [
        images(session)["x"][middle] / session.gain
        for session in (measure(one, {"x": flair}, "x", CLEAN, [1]) for one in (fast, slow))
    ]
    session = measure(together(fast, slow), {"x": flair}, "x", CLEAN, [1])
    both = images(session)["x"][middle] / session.gain
    assert both == pytest.approx(abs(alone[0] - alone[1]), abs=1e-5)
    assert both < 0.8 * max(alone)


def test_the_motion_carries_the_reference_onto_the_scan():
    # Slices thin enough that interpolating back across them costs less than the motion.
    thin = patient(replace(PELVIS, size=(96, 64, 20), spacing=(4.0, 4.0, 4.0)))
    session = measure(thin, {"a": PDW, "b": PDW}, "a", replace(CLEAN, motion=Motion(5, 5)), [9])
    assert np.array_equal(session.motion["a"], np.eye(4))
    reference, scan = images(session).values()
    affine = thin.grid.affine
    push = np.linalg.inv(affine) @ session.motion["b"] @ affine
    back = ndimage.affine_transform(scan, push[:3, :3], push[:3, 3], order=1)
    inner = ndimage.binary_erosion(body_of(thin), iterations=2)
    # What moved in from beyond the last slice is not there.
    inner[:, :, :4] = inner[:, :, -4:] = False
    error = np.abs(back - reference)[inner].mean()
    assert error < 0.6 * np.abs(scan - reference)[inner].mean()


def test_the_field_spans_what_was_asked_over_the_body(pelvis):
    session = measure(pelvis, {"PDw": PDW}, "PDw", PELVIS.scanner, [4])
    body = body_of(pelvis)
    assert session.field[body].min() == pytest.approx(0.85, abs=1e-3)
    assert session.field[body].max() == pytest.approx(1.15, abs=1e-3)
    assert session.field.dtype == np.float32
    np.testing.assert_array_equal(measure(pelvis, FOUR, "PDw", CLEAN, [4]).field, 1)


def test_noise_is_the_asked_share_of_the_brightest_tissue(pelvis):
    session = measure(pelvis, {"PDw": PDW}, "PDw", PELVIS.scanner, [4])
    corner = images(session)["PDw"][:4, :4]
    assert session.sigma == pytest.approx(10.0)
    assert corner.mean() == pytest.approx(1.253 * session.sigma, rel=0.1)


def test_white_matter_is_brighter_than_grey_in_t1w_and_darker_in_t2w():
    brain = patient(BRAIN)
    truth = truth_of(brain)
    label = {name: number for number, name in truth.names.items()}
    made = images(measure(brain, {"T1w": T1W, "T2w": T2W}, "T1w", CLEAN, [1]))

    def mean(contrast, tissue):
        return made[contrast][truth.labels == label[tissue]].mean()

    assert mean("T1w", "white_matter") > 1.1 * mean("T1w", "grey_matter")
    assert mean("T2w", "white_matter") < 0.95 * mean("T2w", "grey_matter")
    assert mean("T2w", "csf") > 1.5 * mean("T2w", "grey_matter")


def test_a_reference_without_any_signal_is_refused(pelvis):
    nothing = replace(pelvis, tissues={"fat": Tissue(0.0, 1.0, 1.0)})
    with pytest.raises(InputError, match="choose another reference"):
        measure(nothing, {"PDw": PDW}, "PDw", PELVIS.scanner, [1])


@pytest.mark.parametrize("thickness", [0.0, -1.0, 100.0])
def test_an_impossible_slice_thickness_is_told(pelvis, thickness):
    with pytest.raises(InputError, match="set slice_thickness above 0 and below"):
        measure(pelvis, FOUR, "PDw", replace(CLEAN, slice_thickness=thickness), [1])


def test_thinner_slices_hold_less_of_two_tissues_and_thicker_ones_more():
    # A border at 30 degrees, which slices of 6 mm see across 3.5 columns.
    grid = Grid((48, 8, 4), (1.0, 8.0, 6.0))
    x, _, z = np.meshgrid(*grid.axes, indexing="ij")
    left = x < z * np.tan(np.deg2rad(30))
    water = Tissue(1.0, 1.0, 0.1)
    slanted = block_of("water", water, grid.size, left, grid.spacing)
    mixed = {}
    for thickness in (3.0, None, 6.0, 12.0):
        scanner = replace(CLEAN, slice_thickness=thickness)
        image = images(measure(slanted, {"x": PDW}, "x", scanner, [1]))["x"]
        share = image / image.max()
        mixed[thickness] = (share * (1 - share)).sum()
    assert mixed[3.0] < 0.8 * mixed[None]
    assert mixed[6.0] == pytest.approx(mixed[None])
    assert mixed[12.0] > 1.5 * mixed[None]


def test_fat_is_displaced_from_water_along_the_readout():
    values = Tissue(0.9, 0.4, 0.07)
    water = block_of("muscle", values, where=(slice(4, 16), slice(8, 24)))
    fat = block_of("fat", values, where=(slice(16, 28), slice(8, 24)))
    # -3.4 ppm of 42.577 MHz/T x 3 T are -434 Hz, 2 pixels of 217 Hz.
    shifted = replace(CLEAN, bandwidth=217.0, field_strength=3.0)
    session = measure(together(water, fat), {"x": PDW}, "x", shifted, [1])
    row = images(session)["x"][:, 16, 0] / session.gain
    plain = images(measure(together(water, fat), {"x": PDW}, "x", CLEAN, [1]))["x"][:, 16, 0]
    level = plain[10] / session.gain
    np.testing.assert_allclose(row[4:14], level, rtol=5e-3)
    np.testing.assert_allclose(row[14:16], 2 * level, rtol=1e-2)
    np.testing.assert_allclose(row[16:26], level, rtol=5e-3)
    np.testing.assert_allclose(row[26:], 0, atol=1e-2 * level)


def test_where_the_main_field_is_off_a_bandwidth_alone_shows_it(pelvis):
    off = replace(CLEAN, b0_field=2.0)
    still = measure(pelvis, {"PDw": PDW}, "PDw", off, [3])
    body = body_of(pelvis)
    assert np.abs(still.b0[body]).max() == pytest.approx(2.0, rel=1e-3)
    plain = images(measure(pelvis, {"PDw": PDW}, "PDw", CLEAN, [3]))["PDw"]
    np.testing.assert_array_equal(images(still)["PDw"], plain)
    narrow = measure(pelvis, {"PDw": PDW}, "PDw", replace(off, bandwidth=100.0), [3])
    np.testing.assert_array_equal(narrow.b0, still.b0)
    displaced = images(narrow)["PDw"]
    assert np.abs(displaced - plain).max() > 100
    # Along x signal goes elsewhere, but none is lost.
    np.testing.assert_allclose(displaced.sum(axis=0), plain.sum(axis=0), rtol=0.03, atol=50)


def test_a_finite_k_space_rings_beside_an_edge():
    box = block_of("water", Tissue(1.0, 1.0, 0.1), (256, 8, 1), (slice(64, 192),))
    ringing = replace(CLEAN, k_space=0.25)
    row = images(measure(box, {"x": PDW}, "x", ringing, [1]))["x"][:, 4, 0]
    assert row.max() / row[128] == pytest.approx(1.09, abs=0.01)
    outside = row[:60].max() / row[128]
    assert 0.05 < outside < 0.1


def test_a_transmit_field_changes_fast_spin_echoes_as_the_pulse_model_says():
    train = Sequence("FSE", 0.06, 2.0, te_last=0.08, echoes=4, refocusing=150.0)
    tissue = Tissue(0.9, 1.2, 0.08)
    box = block_of("muscle", tissue)
    scanner = replace(CLEAN, form="epg", b1_field=0.4)
    session = measure(box, {"x": train}, "x", scanner, [5])
    image = images(session)["x"] / session.gain
    body = body_of(box)
    b1 = torch.from_numpy(box.grid.averaged(session.b1)[body]).double()
    values = (torch.full_like(b1, value) for value in (tissue.pd, tissue.t1, tissue.t2))
    expected = PulseModel([train], torch.float64).signed_signals(*values, b1)[0].numpy()
    np.testing.assert_allclose(image[body], expected, rtol=2e-3)
    assert np.ptp(expected) > 0.03
    assert measure(box, {"x": train}, "x", replace(CLEAN, form="epg"), [5]).b1 is None


def test_the_transmit_field_stays_where_the_coil_is_when_the_patient_moves():
    train = Sequence("FSE", 0.06, 2.0, te_last=0.08, echoes=4, refocusing=150.0)
    tissue = Tissue(0.9, 1.2, 0.08)
    box = block_of("muscle", tissue, where=(slice(4, 28), slice(4, 28)))
    scanner = replace(CLEAN, form="epg", b1_field=0.4, motion=Motion(8.0, 0.0))
    session = measure(box, {"a": train, "b": train}, "a", scanner, [6])
    made = images(session)
    assert np.linalg.norm(session.motion["b"][:3, 3]) > 1
    # Deep inside, the same tissue lies at the same place before and after.
    inner = (slice(10, 22), slice(10, 22), 0)
    np.testing.assert_allclose(made["b"][inner], made["a"][inner], rtol=2e-3)
    assert np.ptp(made["a"][inner]) > 0.01 * made["a"][inner].mean()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", IMPERFECT)
def test_a_gpu_gives_the_same_images(pelvis, name):
    session = measure(pelvis, FOUR, "PDw", IMPERFECT[name], [1, 2])
    expected = images(session)
    for contrast, image in session.scans("cuda"):
        np.testing.assert_allclose(image, expected[contrast], atol=0.01)
