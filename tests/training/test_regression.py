import pytest
import torch

from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.training.regression import Regression, RegressionSettings, masked_loss
from pipeline_lib.training.settings import settings_of
from tests.training.steps import CPU
from tests.training.systems import tiny


@pytest.mark.parametrize(("kind", "expected"), [("l1", 1.5 + 0.1 * 4), ("l2", 2.5 + 0.1 * 16)])
def test_the_loss_is_the_mean_within_the_body_and_a_little_of_the_rest(kind, expected):
    target = torch.zeros(1, 1, 2, 2)
    predicted = torch.tensor([[[[1.0, -2.0], [4.0, -4.0]]]])
    body = torch.tensor([[[[True, True], [False, False]]]])
    assert masked_loss(predicted, target, body, kind, 0.1).item() == pytest.approx(expected)


def test_a_slice_that_is_all_body_has_no_background():
    error = masked_loss(
        torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2), torch.ones(1, 1, 2, 2) > 0, "l1", 9
    )
    assert error.item() == 1


def test_the_rate_rises_then_falls_to_nothing():
    settings = tiny("unet", steps=100, learning_rate=1e-3, warm_up=0.1)
    training = Regression(
        UNet(settings_of(UNetSettings, settings)), settings_of(RegressionSettings, settings), CPU
    )
    rates = [training.updates("descent", step)[0].rate for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates[55] == pytest.approx(5e-4)
    assert rates[100] == pytest.approx(0)
