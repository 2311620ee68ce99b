"""The nearest training image: of a leaked split the same slice, of patients the most alike."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.evaluation import nearest
from pipeline_lib.evaluation.likeness import seen_in_training
from pipeline_lib.evaluation.nearest import NearestCopy, block_means
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.images import Images
from tests.evaluation.fabricate import EVERY_PAIR, patient

# As Narang et al. 2022: many pairs of TE and TR of one head.
MANY = {
    f"c{number}": Sequence("SE", te, tr)
    for number, (te, tr) in enumerate(
        [(0.02, 1.2), (0.021, 1.25), (0.2, 3.0), (0.21, 3.1), (0.5, 9.0), (0.52, 9.1)]
    )
}


def distinct(name, slices=4, noise=0.005, contrasts=None):
    """A patient whose slices differ, as those of a head do."""
    made = patient(name, noise=noise, slices=slices, contrasts=contrasts)
    images = made.images.copy()
    for row in range(slices):
        images[row, :, 20 : 24 + 3 * row, 10:30] *= 0.3
    return replace(made, images=images)


def test_of_a_leaked_split_it_is_the_same_slice_under_nearly_the_same_parameters():
    head = distinct("head", contrasts=MANY)
    held = np.zeros((4, 6), dtype=bool)
    held[:, [0, 3, 4]] = True  # of each pair of neighbours one
    copies = NearestCopy([Images(head, held)])
    answer = copies.answer(head)
    for source in (1, 2):
        for target, neighbour in ((2, 3), (5, 4)):
            np.testing.assert_array_equal(answer(source, target), head.images[:, neighbour])


def test_of_a_patient_split_it_is_the_most_alike_training_slice():
    training = [distinct("sub-001"), distinct("sub-002"), distinct("sub-003")]
    test = distinct("sub-004")
    test = replace(test, images=test.images[[2, 0, 3, 1]])
    copies = NearestCopy([Images(slices) for slices in training])
    answer = copies.answer(test)(2, 0)
    # By brute force, at the size of the search.
    stacked = np.concatenate([slices.images for slices in training])
    theirs, ours = (block_means(images) for images in (stacked[:, 2], test.images[:, 2]))
    nearest = ((ours[:, None] - theirs[None]) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(answer, stacked[nearest, 0])
    assert (nearest % 4).tolist() == [2, 0, 3, 1]


def test_a_training_patient_gets_itself():
    training = [distinct("sub-001"), distinct("sub-002")]
    answer = NearestCopy([Images(slices) for slices in training]).answer(training[1])
    for source, target in EVERY_PAIR:
        np.testing.assert_array_equal(answer(source, target), training[1].images[:, target])


def test_an_image_of_an_unseen_contrast_is_never_given():
    training = [distinct("sub-001")]
    known = seen_in_training([Images(slices) for slices in training], EVERY_PAIR, ["PDw"])
    answer = NearestCopy(known).answer(training[0])
    # T2w (75 ms, 4.5 s) is 0.57 from PDw (8 ms, 4.5 s), T1w (8 ms, 0.4 s) 0.47.
    np.testing.assert_array_equal(answer(0, 2), training[0].images[:, 1])
    np.testing.assert_array_equal(answer(2, 0), training[0].images[:, 0])


def test_slices_without_a_held_image_are_no_candidates():
    slices = distinct("sub-001")
    held = np.zeros((4, 3), dtype=bool)
    held[1] = True
    answer = NearestCopy([Images(slices, held)]).answer(slices)(0, 1)
    np.testing.assert_array_equal(answer, slices.images[[1, 1, 1, 1], 1])


def test_block_means_by_hand():
    images = np.arange(2 * 66 * 64, dtype=np.float32).reshape(2, 66, 64)
    means = block_means(images).reshape(2, 33, 32)
    assert means[1, 3, 5] == images[1, 6:8, 10:12].mean()
    odd = block_means(np.ones((1, 65, 64)))
    assert odd.reshape(33, 32)[-1] == pytest.approx(0.5)  # filled up with zeros
    assert block_means(np.ones((1, 20, 24))).shape == (1, 20 * 24)


def test_of_many_training_slices_some_of_each_patient_are_searched(monkeypatch):
    training = [distinct(f"sub-00{number}", noise=0) for number in range(4)]
    monkeypatch.setattr(nearest, "MOST_SLICES", 8)
    copies = NearestCopy([Images(slices) for slices in training])
    assert len(copies.rows) == 8
    assert np.bincount(copies.patients).tolist() == [2, 2, 2, 2]
    answer = copies.answer(training[1])(0, 1)
    stacked = [training[p].images[r, 1] for p, r in zip(copies.patients, copies.rows, strict=True)]
    assert all(any(np.array_equal(image, other) for other in stacked) for image in answer)
