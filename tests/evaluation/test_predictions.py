"""Predictions on disk."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predictions import Predictions
from tests.evaluation.fabricate import patient, write_predictions

PATIENTS = [patient("sub-001"), patient("sub-002")]


def source_plus_target(slices, source, target):
    return slices.images[:, source] + target


@pytest.fixture
def folder(tmp_path):
    return write_predictions(tmp_path / "p", PATIENTS, source_plus_target)


def test_each_patient_gets_its_own_slices_source_and_target(folder):
    predictions = Predictions(folder)
    assert predictions.patients == ["sub-001", "sub-002"]
    found = predictions.answer(PATIENTS[1])(0, 2)
    np.testing.assert_allclose(found, PATIENTS[1].images[:, 0] + 2, atol=2e-3)


def test_slices_are_matched_by_the_index_and_not_by_their_place(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    values = np.load(folder / "predictions.npy")
    (folder / "index.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    np.save(folder / "predictions.npy", values[::-1])
    found = Predictions(folder).answer(PATIENTS[0])(1, 1)
    np.testing.assert_allclose(found, PATIENTS[0].images[:, 1] + 1, atol=2e-3)


def test_a_slice_that_was_not_predicted_is_told(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join(lines[:-1]))
    np.save(folder / "predictions.npy", np.load(folder / "predictions.npy")[:-1])
    with pytest.raises(InputError, match=r"sub-002 \(2 of 3 slices"):
        Predictions(folder).answer(PATIENTS[1])


def test_files_that_do_not_fit_are_told(folder):
    np.save(folder / "predictions.npy", np.load(folder / "predictions.npy")[:-1])
    with pytest.raises(InputError, match="names 6 slices"):
        Predictions(folder)
    (folder / "predictions.npy").unlink()
    with pytest.raises(InputError, match="is missing; predict again"):
        Predictions(folder)
