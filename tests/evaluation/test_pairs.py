"""Pairs of contrasts and the slices that they are scored over."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.pairs import always_given, by_target, index_pairs, scored_rows
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import NAMES, patient


def test_pairs_of_names_become_indices_and_an_unknown_name_is_told():
    assert index_pairs([["PDw", "T2w"], ["T2w", "T1w"]], NAMES) == [(2, 0), (0, 1)]
    with pytest.raises(InputError, match="the pair PDw → FLAIR is not of the contrasts T2w, T1w"):
        index_pairs([["PDw", "FLAIR"]], NAMES)


def test_pairs_are_grouped_by_target_in_their_order():
    assert by_target([(2, 0), (0, 1), (1, 0)]) == {0: [2, 1], 1: [0]}


def test_the_source_of_all_pairs_is_given_and_needs_no_held_image():
    assert always_given([(2, 0), (2, 1)]) == [2]
    assert always_given([(2, 0), (0, 1)]) == []
    held = np.array([[True, False, False], [True, False, True], [False, True, True]])
    images = Images(patient("sub-001"), held)
    assert scored_rows(images, 2, 0, [2]).tolist() == [0, 1]
    assert scored_rows(images, 2, 0, []).tolist() == [1]
