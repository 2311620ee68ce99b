"""What the two discriminators of Simko et al. are taught, worked out by hand."""

import pytest
import torch

from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.training.simko_judges import (
    ClassJudge,
    RegressionJudge,
    patch_accuracy,
    patch_loss,
)
from tests.training.steps import batch_of
from tests.training.stores import CONTRASTS

SIZE = DiscriminatorSettings(2)
# Scaled: PDw is (0, 1), T2w is (1, 1), T1w is (0, 0).
ANSWERS = torch.tensor([[0.6, 1.0, 0.8], [0.1, 0.2, 0.4]])


@pytest.fixture
def batch():
    """A T2w and a T1w image, which are to become T1w and PDw."""
    return batch_of(torch.zeros(2, 1, 32, 32), None, [1, 2], [[2], [0]])


@pytest.fixture
def regression():
    return RegressionJudge(SimkoRegressor(SIZE), CONTRASTS)


def test_the_loss_is_the_mean_error_of_the_softmax_map_over_classes_and_valid_patches():
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])  # two patches, three classes
    logits = shares.log().T.reshape(1, 3, 1, 2)
    both, first = torch.tensor([[[True, True]]]), torch.tensor([[[True, False]]])
    label = torch.tensor([1])
    # |0.5| + |0.25 - 1| + |0.25| = 1.5 and 0.1 + 0.2 + 0.1 = 0.4, each over three classes
    assert patch_loss(logits, label, both).item() == pytest.approx((1.5 + 0.4) / 6)
    assert patch_loss(logits, label, first).item() == pytest.approx(1.5 / 3)
    assert patch_accuracy(logits, label, both).item() == 0.5
    assert patch_accuracy(logits, label, first).item() == 0


def test_no_valid_patch_is_no_loss():
    logits, none = torch.rand(1, 3, 2, 2), torch.zeros(1, 2, 2) > 0
    assert patch_loss(logits, torch.tensor([0]), none).item() == 0


@pytest.mark.parametrize(
    ("asked", "classes"),
    [("of_real", (0, 1)), ("of_deceiving", (1, 0)), ("of_generated", (2, 2))],
)
def test_classes_are_counted_over_the_contrasts_of_the_training_alone(asked, classes):
    """Of the contrasts 0, 1, 2 the second is unseen: 0 and 2 are the classes 0 and 1."""
    judge = ClassJudge(SimkoDiscriminator(SIZE, 2), (0, 2))
    batch = batch_of(torch.zeros(2, 1, 32, 32), None, [0, 2], [[2], [0]])
    logits = torch.full((2, 3, 1, 1), -40.0)
    for image, right in enumerate(classes):
        logits[image, right] = 40.0
    loss, accuracy = getattr(judge, asked)(logits, batch)
    assert loss.item() == pytest.approx(0, abs=1e-6) and accuracy.item() == 1
    loss, accuracy = getattr(judge, asked)(logits.roll(1, dims=1), batch)
    assert loss.item() == pytest.approx(2 / 3) and accuracy.item() == 0


def test_real_images_are_to_tell_their_times_and_that_they_are_real(regression, batch):
    loss, accuracy = regression.of_real(ANSWERS, batch)
    # (0.6 - 1)^2 + 0 + 0.1^2 + 0.2^2 over four, and 0.2^2 + 0.6^2 over two
    assert loss.item() == pytest.approx(0.21 / 4 + 0.4 / 2)
    assert accuracy.item() == 1


def test_generated_images_are_to_be_told_as_such_whatever_their_times(regression, batch):
    loss, accuracy = regression.of_generated(ANSWERS, batch)
    assert loss.item() == pytest.approx((0.8**2 + 0.4**2) / 2)
    assert accuracy.item() == 0.5


def test_the_generator_wants_the_times_of_its_target_and_to_look_real(regression, batch):
    loss, accuracy = regression.of_deceiving(ANSWERS, batch)
    # T1w is (0, 0) and PDw is (0, 1): 0.6^2 + 1 + 0.1^2 + 0.8^2 over four
    assert loss.item() == pytest.approx(2.01 / 4 + 0.4 / 2)
    assert accuracy.item() == 0


def test_an_answer_beyond_the_times_counts_as_the_nearest_contrast(regression, batch):
    beyond = torch.tensor([[9.0, 7.0, 1.0], [-3.0, -9.0, 1.0]])
    assert regression.of_real(beyond, batch)[1].item() == 1


def test_a_time_that_all_contrasts_share_is_0(batch):
    shared = {"PDw": Sequence("SE", te=0.008, tr=4.5), "T1w": Sequence("SE", te=0.008, tr=0.4)}
    judge = RegressionJudge(SimkoRegressor(SIZE), shared)
    batch = batch_of(torch.zeros(2, 1, 32, 32), None, [0, 2], [[2], [0]])
    loss, accuracy = judge.of_real(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), batch)
    assert loss.item() == pytest.approx(0, abs=1e-6) and accuracy.item() == 1
