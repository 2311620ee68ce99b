"""Distances of sequences, and what a network of an experiment saw."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.likeness import (
    held_together,
    nearest_known,
    nearest_known_pair,
    seen_in_training,
    sequence_distances,
)
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import patient

SLICES = patient("sub-001")


def test_distances_computed_by_hand():
    contrasts = {
        "a": Sequence("SE", 0.02, 1.2),
        "b": Sequence("SE", 1.0, 1.2),
        "c": Sequence("SE", 0.02, 10.0),
        "d": Sequence("IR-SE", 0.02, 10.0, 4.4),
        "e": Sequence("FSE", 0.02, 1.2, te_last=0.1),
    }
    distances = sequence_distances(contrasts)
    # The whole span of TE, that of TR, and half of the latter in TI.
    assert distances[0, 1] == pytest.approx(1)
    assert distances[0, 2] == pytest.approx(1)
    assert distances[2, 3] == pytest.approx(0.5)
    assert distances[1, 3] == pytest.approx((1 + 1 + 0.25) ** 0.5)
    np.testing.assert_array_equal(distances, distances.T)


def test_contrasts_of_the_same_times_are_nearest_to_themselves():
    contrasts = {"a": Sequence("SE", 0.02, 1.2), "b": Sequence("FSE", 0.02, 1.2, te_last=0.1)}
    distances = sequence_distances(contrasts)
    assert distances.argmin(axis=1).tolist() == [0, 1]
    assert distances[0, 1] == pytest.approx(0, abs=1e-6)


def test_what_is_unknown_is_replaced_by_the_nearest():
    distances = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]])
    known = np.array([[True, True, True], [True, False, True], [False, False, True]])
    assert nearest_known(known, distances).tolist() == [[0, 1, 2], [0, 0, 2], [2, 2, 2]]


def test_the_distances_of_source_and_target_add_up():
    distances = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]])
    known = np.zeros((3, 3), dtype=bool)
    known[2, 1] = known[1, 0] = True
    assert nearest_known_pair((2, 1), known, distances) == (2, 1)
    assert nearest_known_pair((0, 2), known, distances) == (1, 0)  # 1 + 3 against 3 + 2
    assert nearest_known_pair((2, 0), known, distances) == (2, 1)  # 0 + 1 against 2 + 0


def test_pairs_are_held_together_in_the_same_slice_alone():
    held = np.array([[True, False, True], [False, True, False], [False, False, False]])
    together = held_together([Images(SLICES, held)])
    assert together.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    assert held_together([Images(SLICES, held), Images(SLICES)]).all()


def test_a_network_saw_no_image_of_an_unseen_contrast():
    (found,) = seen_in_training([Images(SLICES)], [(0, 1), (1, 0)], ["T1w"])
    assert found.held.tolist() == [[True, False, True]] * 3
    (found,) = seen_in_training([Images(SLICES)], [(0, 1), (1, 0)], [])
    assert found.held is None
    with pytest.raises(InputError, match="no training image of a contrast that is not `unseen:`"):
        seen_in_training([Images(SLICES)], [(0, 1)], ["T1w", "T2w", "PDw"])


def test_the_contrast_that_all_pairs_start_from_is_given_with_every_image():
    held = np.array([[False, True, False], [False, False, False], [True, True, False]])
    images = Images(SLICES, held)
    one, many = [(2, 0), (2, 1)], [(2, 0), (0, 1)]
    (found,) = seen_in_training([images], one, [])
    assert found.held.tolist() == [[False, True, True], [False] * 3, [True, True, True]]
    (found,) = seen_in_training([images], many, [])
    assert found.held.tolist() == held.tolist()
