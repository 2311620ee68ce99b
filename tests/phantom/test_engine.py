"""Mixtures and the sums of their signals, held against a plain computation in NumPy."""

import numpy as np
import pytest
import torch

from pipeline_lib.phantom import engine
from pipeline_lib.phantom.engine import MixedSignals
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.mixture import Mixture
from pipeline_lib.phantom.patient import TissueVoxels, VirtualPatient
from pipeline_lib.signal.pulses import PulseModel
from pipeline_lib.signal.sequences import Sequence
from tests.phantom.plain import over_slices, signed_image

GRID = Grid((20, 16, 3), (3.0, 3.0, 9.0))
SEQUENCES = [
    Sequence("SE", 0.012, 0.5),
    Sequence("SE", 1.0, 1.2),
    Sequence("FSE", 0.1, 4.0, te_last=0.2),
    Sequence("IR-SE", 0.01, 3.0, 0.4),
    Sequence("IR-FSE", 0.02, 5.0, 2.0, te_last=0.1),
]
TRAINS = [
    Sequence("FSE", 0.06, 3.0, te_last=0.08, echoes=4, refocusing=140.0),
    Sequence("SE", 0.012, 0.5),
]


def some_patient(tissues=4, share_of_voxels=0.3):
    """Tissues strewn over the fine grid, some voxels with many and most with none."""
    rng = np.random.default_rng(7)
    voxels = {}
    for number in range(tissues):
        where = np.flatnonzero(rng.uniform(size=np.prod(GRID.fine_size)) < share_of_voxels)
        share, pd, t1, t2 = rng.uniform((0.1, 0.5, 0.2, 0.0004), (0.25, 1, 4, 2), (len(where), 4)).T
        values = (part.astype(np.float32) for part in (share, pd, t1, t2))
        voxels[str(number)] = TissueVoxels(where, *values)
    return VirtualPatient(GRID, {}, voxels)


@pytest.fixture(scope="module")
def patient():
    return some_patient()


@pytest.fixture(scope="module")
def mixture(patient):
    return Mixture.of_scan(GRID, patient.voxels.values())


def images_of(mixture, sequences, form="exact", **more):
    return [mixture.image(row).numpy() for row in MixedSignals(mixture, form).of(sequences, **more)]


@pytest.mark.parametrize("on_scan", [True, False])
def test_a_sum_of_long_vectors_is_the_plain_sum(patient, on_scan):
    kind = Mixture.of_scan if on_scan else Mixture.of_anatomy
    images = images_of(kind(GRID, patient.voxels.values()), SEQUENCES)
    for image, sequence in zip(images, SEQUENCES, strict=True):
        plain = signed_image(patient, sequence)
        expected = over_slices(GRID, plain) if on_scan else plain
        np.testing.assert_allclose(image, expected, atol=2e-6)
    assert min(image.min() for image in images) < -0.01


def test_simkos_equation_is_another(patient, mixture):
    image = images_of(mixture, SEQUENCES[:1], "simko")[0]
    expected = over_slices(GRID, signed_image(patient, SEQUENCES[0], "simko"))
    np.testing.assert_allclose(image, expected, atol=2e-6)
    assert np.abs(image - images_of(mixture, SEQUENCES[:1])[0]).max() > 1e-3


def test_voxels_come_by_how_many_portions_they_hold(patient, mixture):
    held = np.zeros(GRID.size, dtype=int)
    for tissue in patient.voxels.values():
        there = np.zeros(GRID.fine_size)
        there.ravel()[tissue.where] = 1
        held += np.rint(3 * over_slices(GRID, there)).astype(int)
    assert len(mixture.places) == (held > 0).sum()
    assert list(mixture.counts) == [(held > rank).sum() for rank in range(held.max())]
    assert (np.diff(held.ravel()[mixture.places.numpy()]) <= 0).all()


@pytest.mark.parametrize(("form", "sequences"), [("exact", SEQUENCES), ("epg", TRAINS)])
def test_neither_blocks_nor_threads_nor_other_contrasts_change_a_bit(
    mixture, form, sequences, monkeypatch
):
    expected = MixedSignals(mixture, form).of(sequences)
    alone = [MixedSignals(mixture, form).of([one])[0] for one in sequences]
    assert torch.equal(torch.stack(alone), expected)
    for elements in (1, 500, 1001, 4096):
        monkeypatch.setitem(engine.ELEMENTS, "cpu", elements)
        assert torch.equal(MixedSignals(mixture, form).of(sequences), expected)


def test_imperfect_pulses_follow_the_transmit_field(patient):
    mixture = Mixture.of_scan(GRID, patient.voxels.values(), keep_fine=True)
    b1 = np.linspace(0.7, 1.2, int(np.prod(GRID.fine_size)), dtype=np.float32)
    images = images_of(mixture, TRAINS, "epg", b1=torch.from_numpy(b1)[mixture.fine])
    model = PulseModel(TRAINS, dtype=torch.float64)
    expected = np.zeros((2, len(b1)))
    for tissue in patient.voxels.values():
        values = (tissue.pd, tissue.t1, tissue.t2, b1[tissue.where])
        signals = model.signed_signals(*(torch.from_numpy(part).double() for part in values))
        expected[:, tissue.where] += tissue.share * signals.numpy()
    for image, fine in zip(images, expected, strict=True):
        np.testing.assert_allclose(
            image, over_slices(GRID, fine.reshape(GRID.fine_size)), atol=1e-4
        )
    nominal = images_of(mixture, TRAINS, "epg")
    assert np.abs(images[0] - nominal[0]).max() > 0.01


def test_an_image_without_any_tissue_is_dark():
    mixture = Mixture.of_scan(GRID, [])
    assert not images_of(mixture, SEQUENCES[:1])[0].any()
