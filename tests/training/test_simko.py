import pytest
import torch

from pipeline_lib.models.simko import SimkoGenerator, SimkoSettings
from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.training.simko import (
    ADVERSARIAL,
    IDENTITY,
    REAL,
    SimkoTraining,
    SimkoTrainingSettings,
)
from pipeline_lib.training.simko_judges import ClassJudge, RegressionJudge
from tests.models.probes import Calls
from tests.training.steps import CPU, batch_of, step
from tests.training.stores import CONTRASTS

# Images of these two contrasts of the stores.
SEEN = {name: CONTRASTS[name] for name in ("PDw", "T2w")}


def judge_of(kind):
    size = DiscriminatorSettings(4)
    if kind == "classes":
        return ClassJudge(SimkoDiscriminator(size, len(SEEN)), range(len(SEEN)))
    return RegressionJudge(SimkoRegressor(size), SEEN)


@pytest.fixture(params=["classes", "regressing"])
def training(request):
    torch.manual_seed(0)
    return SimkoTraining(
        SimkoGenerator(SimkoSettings(channels=4, signal="simko", batch_norm_momentum=0.1)),
        judge_of(request.param),
        SimkoTrainingSettings(
            discriminator=request.param,
            learning_rate=5e-3,
            discriminator_rate=2e-3,
            adversarial_rate=3e-3,
            identity_steps=1,
            real_steps=1,
            real_accuracy=0.8,
            adversarial_steps=1,
        ),
        CPU,
    )


@pytest.fixture
def batch():
    torch.manual_seed(1)
    bright = torch.tensor([0.8, 0.3])[:, None, None, None]
    return batch_of(bright + 0.05 * torch.rand(2, 1, 64, 64), None, [0, 1], [[1], [0]])


def weights(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_pre_training_of_one_network_leaves_the_other(training, batch):
    generator, discriminator = weights(training.model), weights(training.discriminator)
    step(training, IDENTITY, 0, batch)
    assert torch.equal(weights(training.discriminator), discriminator)
    moved = weights(training.model)
    assert not torch.equal(moved, generator)
    step(training, REAL, 0, batch)
    assert torch.equal(weights(training.model), moved)
    assert not torch.equal(weights(training.discriminator), discriminator)


def test_the_second_stage_updates_both_at_every_step(training, batch):
    generator, discriminator = weights(training.model), weights(training.discriminator)
    values = step(training, ADVERSARIAL, 0, batch)
    assert not torch.equal(weights(training.model), generator)
    assert not torch.equal(weights(training.discriminator), discriminator)
    assert {"d_real_accuracy", "d_fake_accuracy", "gan_accuracy"} < set(values)


def test_pre_training_gives_back_the_input(training, batch):
    first = step(training, IDENTITY, 0, batch)["g_loss"]
    for number in range(1, 60):
        last = step(training, IDENTITY, number, batch)["g_loss"]
    assert last < first / 2


def test_pre_training_tells_contrasts(training, batch):
    first = step(training, REAL, 0, batch)["d_loss"]
    for number in range(1, 80):
        last = step(training, REAL, number, batch)
    assert last["d_loss"] < first / 4
    if training.settings.discriminator == "classes":
        assert last["d_real_accuracy"] == 1


def test_both_updates_of_the_second_stage_share_one_pass_of_the_generator(training, batch):
    passed = Calls(training.model.head)
    step(training, ADVERSARIAL, 0, batch)
    assert len(passed) == 1
    step(training, ADVERSARIAL, 1, batch)
    assert len(passed) == 2


def test_the_first_stage_ends_at_the_accuracy_asked_for(training):
    assert training.is_reached(REAL, {"d_real_accuracy": 0.8})
    assert not training.is_reached(REAL, {"d_real_accuracy": 0.79})
    assert not training.is_reached(ADVERSARIAL, {"d_real_accuracy": 1.0})


def test_the_rates_of_the_stages_are_their_own(training):
    rates = {
        phase.name: [update.rate for update in training.updates(phase.name, 0)]
        for phase in training.phases
    }
    assert rates == {IDENTITY: [5e-3], REAL: [2e-3], ADVERSARIAL: [2e-3, 3e-3]}
