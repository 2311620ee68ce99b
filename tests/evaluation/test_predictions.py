"""Predictions on disk."""

import json

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.slices.images import Images
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
    found = predictions.answer(Images(PATIENTS[1]))(0, 2)
    np.testing.assert_allclose(found, PATIENTS[1].images[:, 0] + 2, atol=2e-3)


def test_slices_are_matched_by_the_index_and_not_by_their_place(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    values = np.load(folder / "predictions.npy")
    (folder / "index.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    np.save(folder / "predictions.npy", values[::-1])
    found = Predictions(folder).answer(Images(PATIENTS[0]))(1, 1)
    np.testing.assert_allclose(found, PATIENTS[0].images[:, 1] + 1, atol=2e-3)


def test_a_slice_that_was_not_predicted_is_told(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join(lines[:-1]))
    np.save(folder / "predictions.npy", np.load(folder / "predictions.npy")[:-1])
    with pytest.raises(InputError, match=r"sub-002 \(2 of 3 slices"):
        Predictions(folder).answer(Images(PATIENTS[1]))


def test_files_that_do_not_fit_are_told(folder):
    np.save(folder / "predictions.npy", np.load(folder / "predictions.npy")[:-1])
    with pytest.raises(InputError, match="names 6 slices"):
        Predictions(folder)
    (folder / "predictions.npy").unlink()
    with pytest.raises(InputError, match="is missing; predict again"):
        Predictions(folder)


def test_the_pairs_are_found_by_name_and_not_by_their_place(tmp_path):
    folder = write_predictions(tmp_path / "p", PATIENTS, source_plus_target, [(2, 0), (0, 1)])
    predictions = Predictions(folder)
    assert predictions.pairs == [("PDw", "T2w"), ("T2w", "T1w")]
    found = predictions.answer(Images(PATIENTS[0]))(0, 1)
    np.testing.assert_allclose(found, PATIENTS[0].images[:, 0] + 1, atol=2e-3)


def describe(folder, **changes):
    path = folder / "predictions.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (None, "does not list contrasts and pairs"),
        ([["T1w"]], "does not list contrasts and pairs"),
        ([["T1w", "T2w"]], r"the shape \(6, 9, 48, 48\), but .* 1 pairs"),
        ([["T1w", "FLAIR"]], "names FLAIR, but its contrasts are T2w, T1w, PDw"),
        ([["T1w", "T2w"]] * 9, "names a pair twice"),
    ],
)
def test_pairs_that_do_not_fit_are_told(folder, pairs, message):
    describe(folder, pairs=pairs)
    with pytest.raises(InputError, match=message):
        Predictions(folder)


def test_maps_have_the_sources_that_are_named(folder):
    assert Predictions(folder).maps is None
    np.save(folder / "maps.npy", np.zeros((6, 1, 3, 48, 48), dtype=np.float16))
    with pytest.raises(InputError, match="for maps from no contrast"):
        Predictions(folder)
    describe(folder, map_sources=["T1w"])
    assert Predictions(folder).maps.shape == (6, 1, 3, 48, 48)
    describe(folder, map_sources=["T1w", "PDw"])
    with pytest.raises(InputError, match=r"maps\.npy has the shape .* for maps from T1w, PDw"):
        Predictions(folder)
