import pytest
import torch
from torch import nn

from pipeline_lib.models.simko_discriminator import DiscriminatorSettings
from pipeline_lib.models.simko_regressor import SimkoRegressor
from tests.models.probes import Calls, convolutions, linears, narrow, weights


def regressor(channels: int = 2, noise: float = 1e-4) -> SimkoRegressor:
    torch.manual_seed(0)
    return SimkoRegressor(DiscriminatorSettings(channels), noise).eval()


def undropped(model: SimkoRegressor) -> SimkoRegressor:
    model.drop.p = 0.0
    return model


def test_the_layers_are_those_of_the_authors_code():
    with torch.device("meta"):
        model = regressor(channels=32)
    assert convolutions(model) == [
        ("conv", 1, 4, 3, 1),
        ("conv", 4, 16, 3, 1),
        ("conv", 16, 32, 3, 2),
        ("conv", 32, 64, 3, 2),
        ("conv", 64, 128, 3, 2),
        ("conv", 128, 128, 3, 2),
        ("conv", 128, 128, 3, 2),
        ("conv", 128, 6, 3, 1),
    ]
    assert linears(model) == [(384, 256), (256, 128), (128, 32), (32, 3)]
    assert [type(layer) for layer in model.dense] == [nn.Linear] * 4
    assert model.drop.p == 0.4 and model.noise == 1e-4


def test_weights_are_as_many_as_counted_by_hand():
    """Convolutions 40 + 592 + 4,640 + 18,496 + 73,856 + 2 x 147,584 + 6,918; dense 135,683."""
    dense = (384 * 256 + 256) + (256 * 128 + 128) + (128 * 32 + 32) + (32 * 3 + 3)
    with torch.device("meta"):
        model = regressor(channels=32)
    assert weights(model.dense) == dense == 135_683
    assert weights(model) == 399_710 + dense == 535_393


def test_convolutions_start_narrow_and_their_biases_at_0():
    for layer in regressor(channels=32).modules():
        if isinstance(layer, nn.Conv2d):
            assert (layer.bias == 0).all()
            if layer.weight.numel() >= 10_000:
                assert narrow(layer.weight, 0.02)


def test_dense_layers_start_as_keras_starts_them():
    """Their code names no start of Dense: uniform to sqrt(6 / (in + out)), biases 0."""
    for layer in regressor().dense:
        bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert 0.8 * bound < layer.weight.abs().max() <= bound
        assert (layer.bias == 0).all()


def test_256_pixels_give_the_map_of_8_by_8_and_three_answers():
    model = regressor()
    mapped, pooled = Calls(model.map), Calls(model.pool)
    assert model(torch.rand(2, 1, 256, 256)).shape == (2, 3)
    assert mapped.gave[0].shape == (2, 6, 8, 8)
    assert torch.equal(pooled.gave[0], mapped.gave[0])


def test_an_answer_in_evaluation_is_always_the_same():
    model, image = regressor(noise=1.0), torch.rand(1, 1, 64, 64)
    assert torch.equal(model(image), model(image))


def test_noise_and_dropout_are_all_that_training_changes():
    model, image = undropped(regressor(noise=0.0)), torch.rand(1, 1, 64, 64)
    evaluated = model(image)
    torch.testing.assert_close(model.train()(image), evaluated)


def test_noise_acts_in_training():
    model, image = undropped(regressor(noise=0.1)).train(), torch.rand(1, 1, 64, 64)
    assert not torch.equal(model(image), model(image))


def test_dropout_acts_in_training():
    model, image = regressor(channels=8, noise=0.0).train(), torch.rand(1, 1, 64, 64)
    assert not torch.equal(model(image), model(image))


def test_noise_is_on_the_image_and_after_each_dropout():
    """`build_discriminator`: not after the stem and the first strided layer; before LeakyReLU."""
    model = undropped(regressor(noise=1e-2)).train()
    stem, first = Calls(model.stem[0]), Calls(model.strided[0])
    dropped = Calls(model.drop)
    strided = [Calls(layer) for layer in model.strided[1:]]
    mapped = Calls(model.map)
    image = torch.rand(1, 1, 64, 64)
    model(image)
    assert (stem.given[0] - image).std().item() == pytest.approx(1e-2, rel=0.1)
    bent = nn.functional.leaky_relu(first.gave[0], 0.2)
    assert torch.equal(strided[0].given[0], bent)
    assert len(dropped) == 4
    for place, layer in enumerate(strided):
        assert torch.equal(dropped.given[place], layer.gave[0])
        after = (strided[place + 1] if place < 3 else mapped).given[0]
        bent = nn.functional.leaky_relu(layer.gave[0], 0.2)
        assert not torch.allclose(after, bent, atol=1e-4)
        torch.testing.assert_close(after, bent, rtol=0, atol=0.06)


def test_answers_are_a_linear_function_of_the_map_and_not_cut():
    """The cut to 0..1 is left to those who read them; beyond it there would be no gradient."""
    model, image = regressor(), torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        model.dense[-1].bias.copy_(torch.tensor([-5.0, 0.5, 5.0]))
    image.requires_grad_()
    answers = model(image)
    assert answers[0, 0] < -1 and answers[0, 2] > 2
    answers[0, 0].backward()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(256, 256), (100, 130), (33, 9)])
def test_any_size_gives_three_answers(size):
    answers = regressor()(torch.rand(2, 1, *size))
    assert answers.shape == (2, 3)
    assert answers.isfinite().all()
