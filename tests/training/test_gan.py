"""The losses of pGAN, ResViT and PTNet on networks whose answers are known."""

import pytest
import torch
from torch import nn

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.resvit import ResVitGenerator, ResVitSettings
from pipeline_lib.training.conditional_gan import (
    ConditionalGan,
    ConditionalGanSettings,
    feature_distance,
)
from pipeline_lib.training.resvit import (
    CONVOLUTIONAL,
    TRANSFORMING,
    ResVitTraining,
    ResVitTrainingSettings,
)
from pipeline_lib.training.settings import settings_of
from tests.models.probes import Calls
from tests.training.steps import CPU, batch_of, step
from tests.training.systems import tiny


class Level(TransferModel):
    """A generator of images of one learned level."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.75))

    def forward(self, source_image):
        return self.level + 0 * source_image

    def predict(self, source_image, source, target):
        return self(source_image)


class Mean(nn.Module):
    """A discriminator of two scales, whose features and verdicts are multiples of the target."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, image):
        second = self.gain * image[:, 1:]
        return [[2 * second, 3 * second, second], [4 * second, 0.5 * second]]


class Distance(nn.Module):
    def forward(self, predicted, target):
        return (predicted - target).abs().mean() * 2


def gan(perceptual=None, **changes):
    settings = tiny("pgan", **{"perceptual_weight": 0.0, **changes})
    made = ConditionalGan(Level(), perceptual, settings_of(ConditionalGanSettings, settings), CPU)
    made.discriminator = Mean()
    made.of_discriminator = torch.optim.SGD(made.discriminator.parameters(), lr=0.1)
    made.of_generator = torch.optim.SGD(made.model.parameters(), lr=0.1)
    return made


@pytest.fixture
def batch():
    """Targets of 1, which are 1 between -1 and 1; the generator's 0.75 is 0.5."""
    return batch_of(torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4), [0, 0], [[1], [1]])


def losses_of(made, batch):
    """Give loss and logged terms of each optimiser."""
    found = {}
    for update in made.updates("adversarial", 0):
        loss, named = update.losses(batch)
        name = "model" if update.optimizer is made.of_generator else "discriminator"
        found[name] = loss.item(), {key: value.item() for key, value in named.items()}
    return found


@pytest.mark.parametrize("first", [True, False])
def test_the_discriminator_is_to_say_1_of_targets_and_0_of_generated_images(batch, first):
    """Verdicts of the generated images are 0.5 and 0.25, of targets 1 and 0.5."""
    loss, terms = losses_of(gan(generator_first=first), batch)["discriminator"]
    fake, real = 0.5**2 + 0.25**2, (1 - 1) ** 2 + (0.5 - 1) ** 2
    assert terms == pytest.approx({"d_fake": fake, "d_real": real})
    assert loss == pytest.approx((fake + real) / 2)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("kind", "distance"), [("l1", 0.5), ("l2", 0.25)])
def test_the_generator_is_to_be_told_1_and_to_match_the_target(batch, first, kind, distance):
    made = gan(generator_first=first, reconstruction=kind, reconstruction_weight=100.0)
    loss, terms = losses_of(made, batch)["model"]
    adversarial = (0.5 - 1) ** 2 + (0.25 - 1) ** 2
    assert terms == pytest.approx({"g_adversarial": adversarial, kind: distance})
    assert loss == pytest.approx(adversarial + 100 * distance)


@pytest.mark.parametrize("first", [True, False])
def test_perceptual_and_feature_distances_count_by_their_weights(batch, first):
    made = gan(Distance(), generator_first=first, perceptual_weight=7.0, feature_weight=10.0)
    loss, terms = losses_of(made, batch)["model"]
    # Features differ by 2 and 3 times 0.5 on one scale, by 4 times 0.5 on the other.
    features = ((2 + 3) * 0.5 + 4 * 0.5) / 2
    assert terms["perceptual"] == pytest.approx(1.0)
    assert terms["features"] == pytest.approx(features)
    rest = terms["g_adversarial"] + 100 * terms["l1"]
    assert loss == pytest.approx(rest + 7 * 1.0 + 10 * features)


def test_the_distance_of_features_leaves_the_verdicts_out():
    generated = [[torch.tensor([1.0, 3.0]), torch.tensor([2.0]), torch.tensor([99.0])]]
    target = [[torch.tensor([0.0, 0.0]), torch.tensor([-1.0]), torch.tensor([0.0])]]
    assert feature_distance(generated, target).item() == pytest.approx(2 + 3)
    coarse = [torch.tensor([1.0]), torch.tensor([5.0])]
    assert feature_distance([*generated, coarse], [*target, coarse]).item() == pytest.approx(2.5)


def test_the_distance_of_features_moves_the_generator_alone():
    generated, target = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    feature_distance([[generated, generated]], [[target, target]]).backward()
    assert generated.grad is not None and target.grad is None


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("feature_weight", [0.0, 10.0])
def test_a_step_passes_the_generator_once_and_updates_both(batch, first, feature_weight):
    made = gan(generator_first=first, feature_weight=feature_weight)
    passed = Calls(made.model)
    order = [update.optimizer for update in made.updates("adversarial", 0)]
    assert order == [made.of_generator, made.of_discriminator][:: 1 if first else -1]
    step(made, "adversarial", 0, batch)
    assert len(passed) == 1
    assert made.model.level.item() != 0.75 and made.discriminator.gain.item() != 1


def test_the_generators_loss_leaves_no_gradient_in_the_discriminator(batch):
    made = gan(generator_first=True, feature_weight=10.0)
    update = made.updates("adversarial", 0)[0]
    update.losses(batch)[0].backward()
    assert made.model.level.grad is not None and made.discriminator.gain.grad is None
    assert made.discriminator.gain.requires_grad


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("feature_weight", [0.0, 10.0])
def test_a_step_in_parts_is_the_step_of_the_whole_batch(first, feature_weight):
    torch.manual_seed(0)
    batch = batch_of(torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), [0, 0], [[1], [1]])
    whole, parts = (gan(generator_first=first, feature_weight=feature_weight) for _ in range(2))
    step(whole, "adversarial", 0, batch)
    step(parts, "adversarial", 0, batch, accumulate=2)
    assert parts.model.level.item() == pytest.approx(whole.model.level.item(), rel=1e-6)
    gains = parts.discriminator.gain.item(), whole.discriminator.gain.item()
    assert gains[0] == pytest.approx(gains[1], rel=1e-6)


def test_resvit_learns_without_its_transformers_first():
    settings = tiny("resvit", convolutional_steps=4, convolutional_falling_steps=2, steps=8,
                    falling_steps=3, convolutional_rate=1.0, learning_rate=5.0)  # fmt: skip
    generator = ResVitGenerator(settings_of(ResVitSettings, settings))
    parts = [
        settings_of(part, settings) for part in (ResVitTrainingSettings, ConditionalGanSettings)
    ]
    training = ResVitTraining(generator, *parts, CPU)
    assert [(phase.name, phase.steps, phase.selects) for phase in training.phases] == [
        (CONVOLUTIONAL, 4, False), (TRANSFORMING, 8, True),
    ]  # fmt: skip
    batch = batch_of(torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32), [0, 0], [[1], [1]])
    seen = Calls(generator.transformer)
    for phase, passes in ((CONVOLUTIONAL, 0), (TRANSFORMING, 2)):
        step(training, phase, 0, batch)
        assert len(seen) == passes
    rates = [[update.rate for update in training.updates(CONVOLUTIONAL, at)] for at in range(4)]
    assert rates == [[1.0] * 2, [1.0] * 2, pytest.approx([2 / 3] * 2), pytest.approx([1 / 3] * 2)]
    assert [update.rate for update in training.updates(TRANSFORMING, 7)] == [5.0 / 4] * 2
