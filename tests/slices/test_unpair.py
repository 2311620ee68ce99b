import csv
from collections import Counter

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.split import make_split
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import UnpairSettings, draw_unpaired, shift_image, write_draws

SHIFTED = UnpairSettings(mode="random_shift", max_shift=10)
DISJOINT = UnpairSettings(mode="disjoint", max_shift=10)


def a_store(patient, slices=40, contrasts=("T1w", "T2w", "PDw")):
    shape = (slices, len(contrasts), 4, 4)
    return PatientSlices(
        patient=patient,
        contrasts={name: Sequence("SE", 0.01, 1.0) for name in contrasts},
        images=np.zeros(shape, np.float32),
        body=np.zeros((slices, 4, 4), np.uint8),
        tissues=np.zeros((slices, 4, 4), np.uint8),
        tissue_names={},
        sessions=(patient,) * slices,
        indices=tuple(range(slices)),
        scale=1.0,
        spacing=(1.0, 1.0),
        geometry={},
    )


def patients(count):
    return [f"sub-{number:02d}" for number in range(count)]


def test_shifts_are_uniform_whole_numbers_up_to_the_longest_in_both_directions():
    draws = list(draw_unpaired([a_store("sub-01", slices=3000)], SHIFTED, seed=1))
    for shifts in ([d.shift_rows for d in draws], [d.shift_columns for d in draws]):
        counts = Counter(shifts)
        assert set(counts) == set(range(-10, 11))
        assert max(counts.values()) < 1.3 * min(counts.values())
    assert all(draw.kept for draw in draws)


def test_shifts_are_independent_for_each_slice_and_contrast():
    draws = draw_unpaired([a_store("sub-01", slices=2000)], SHIFTED, seed=1)
    shifts = np.array([[d.shift_rows, d.shift_columns] for d in draws]).reshape(3, 2000, 2)
    series = np.concatenate([shifts[..., 0], shifts[..., 1]])
    correlation = np.corrcoef(series) - np.eye(6)
    assert np.abs(correlation).max() < 0.1
    assert abs(np.corrcoef(series[0, 1:], series[0, :-1])[0, 1]) < 0.1


def test_another_patient_or_contrast_changes_no_draw():
    alone = set(draw_unpaired([a_store("sub-01", contrasts=("T1w", "T2w"))], SHIFTED, seed=1))
    among = draw_unpaired([a_store("sub-00"), a_store("sub-01")], SHIFTED, seed=1)
    assert alone <= set(among)
    assert set(draw_unpaired([a_store("sub-01")], SHIFTED, seed=2)).isdisjoint(alone)


def test_one_contrast_a_patient_is_kept_and_contrasts_are_balanced_in_every_fold():
    names = patients(12)
    draws = draw_unpaired([a_store(name, slices=2) for name in names], DISJOINT, seed=5)
    kept = {}
    for draw in draws:
        if draw.kept:
            kept.setdefault(draw.patient, set()).add(draw.contrast)
    assert all(len(contrasts) == 1 for contrasts in kept.values())
    assert set(kept) == set(names)
    rows = make_split(names, {}, {"folds": 4}, seed=5)
    for fold in range(4):
        training = [row.patient for row in rows if row.fold == fold and row.split == "train"]
        counts = Counter(next(iter(kept[patient])) for patient in training)
        assert sorted(counts.values()) == [3, 3, 3]


def test_too_few_patients_for_one_contrast_each_are_refused():
    with pytest.raises(InputError, match="there are 2 patients; use random_shift"):
        draw_unpaired([a_store("sub-01"), a_store("sub-02")], DISJOINT, seed=1)


def test_patients_of_different_contrasts_are_refused():
    with pytest.raises(InputError, match="sub-02 has the contrasts T1w"):
        draw_unpaired([a_store("sub-01"), a_store("sub-02", contrasts=("T1w",))], SHIFTED, seed=1)


def test_the_table_has_the_columns_that_training_reads(tmp_path):
    write_draws(tmp_path / "unpaired.csv", draw_unpaired([a_store("sub-01")], SHIFTED, seed=1))
    with (tmp_path / "unpaired.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    assert list(rows[0]) == ["patient", "slice", "contrast", "shift_rows", "shift_columns", "kept"]


def test_a_shifted_image_is_zero_where_nothing_moved_in():
    image = np.arange(1, 13).reshape(3, 4)
    expected = np.array([[0, 0, 0, 0], [2, 3, 4, 0], [6, 7, 8, 0]])
    np.testing.assert_array_equal(shift_image(image, 1, -1), expected)
    np.testing.assert_array_equal(shift_image(image, 0, 0), image)
    assert not shift_image(image, 3, 0).any()
    assert not shift_image(image, 0, -7).any()


def test_all_leading_axes_move_alike_and_nothing_is_written_to_the_source():
    images = np.arange(24.0).reshape(2, 3, 4)
    images.flags.writeable = False
    shifted = shift_image(images, -2, 1)
    np.testing.assert_array_equal(shifted[1], shift_image(images[1], -2, 1))
    assert shifted.dtype == images.dtype
