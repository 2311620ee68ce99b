import pytest
import torch

from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.datasets import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.simko import (
    ADVERSARIAL,
    IDENTITY,
    REAL,
    SimkoTraining,
    SimkoTrainingSettings,
    patch_accuracy,
    patch_loss,
)

CONTRASTS = (Sequence("SE", te=0.008, tr=4.5), Sequence("SE", te=0.120, tr=4.5))


@pytest.fixture
def training():
    torch.manual_seed(0)
    return SimkoTraining(
        SimkoGenerator(SimkoSettings(channels=4, signal="simko", batch_norm_momentum=0.1)),
        SimkoDiscriminator(DiscriminatorSettings(4), contrasts=2),
        SimkoTrainingSettings(
            learning_rate=5e-3,
            discriminator_rate=5e-3,
            adversarial_rate=5e-3,
            identity_steps=1,
            real_steps=1,
            real_accuracy=0.8,
            adversarial_steps=1,
        ),
        Machine(torch.device("cpu"), torch.float32),
    )


@pytest.fixture
def batch():
    torch.manual_seed(1)
    bright = torch.tensor([0.8, 0.3])[:, None, None, None]
    return Batch(
        source=bright + 0.05 * torch.rand(2, 1, 64, 64),
        targets=None,
        body=torch.ones(2, 1, 64, 64) > 0,
        source_contrast=torch.tensor([0, 1]),
        target_contrasts=torch.tensor([[1], [0]]),
        source_sequences=CONTRASTS,
        target_sequences=(CONTRASTS[1:], CONTRASTS[:1]),
    )


def weights(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


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


def test_pre_training_of_one_network_leaves_the_other(training, batch):
    generator, discriminator = weights(training.model), weights(training.discriminator)
    training.step(IDENTITY, 0, batch)
    assert torch.equal(weights(training.discriminator), discriminator)
    moved = weights(training.model)
    assert not torch.equal(moved, generator)
    training.step(REAL, 0, batch)
    assert torch.equal(weights(training.model), moved)
    assert not torch.equal(weights(training.discriminator), discriminator)


def test_the_second_stage_updates_both_at_every_step(training, batch):
    generator, discriminator = weights(training.model), weights(training.discriminator)
    values = training.step(ADVERSARIAL, 0, batch)
    assert not torch.equal(weights(training.model), generator)
    assert not torch.equal(weights(training.discriminator), discriminator)
    assert {"d_real_accuracy", "d_fake_accuracy", "gan_accuracy"} < set(values)


def test_pre_training_gives_back_the_input_and_tells_contrasts(training, batch):
    first = float(training.step(IDENTITY, 0, batch)["g_loss"].detach())
    for step in range(1, 60):
        last = float(training.step(IDENTITY, step, batch)["g_loss"].detach())
    assert last < first / 2
    for step in range(40):
        values = training.step(REAL, step, batch)
    assert values["d_real_accuracy"] == 1


def test_the_first_stage_ends_at_the_accuracy_asked_for(training):
    assert training.is_reached(REAL, {"d_real_accuracy": 0.8})
    assert not training.is_reached(REAL, {"d_real_accuracy": 0.79})
    assert not training.is_reached(ADVERSARIAL, {"d_real_accuracy": 1.0})
