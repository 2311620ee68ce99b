import pytest
import torch
from torch import nn

from pipeline_lib.models.patch_discriminator import (
    MultiScaleDiscriminator,
    PatchDiscriminator,
    paired,
    squared_verdict,
)
from tests.models.probes import Calls, convolutions, narrow, reach, weights


def discriminator(width: int = 4, channels: int = 2, padding: int = 1) -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(channels, width, padding)


def test_pgans_discriminator_has_2_8_million_weights():
    """By hand for 3 slices and a target: 16 taps and a bias of 4, 64, 128, 256, 512 channels."""
    channels = (4, 64, 128, 256, 512, 1)
    by_hand = sum(
        16 * channels[place] * channels[place + 1] + channels[place + 1] for place in range(5)
    )
    with torch.device("meta"):
        judge = discriminator(width=64, channels=4)
    assert weights(judge) == by_hand == 2_765_761
    assert convolutions(judge) == [
        ("conv", 4, 64, 4, 2),
        ("conv", 64, 128, 4, 2),
        ("conv", 128, 256, 4, 2),
        ("conv", 256, 512, 4, 1),
        ("conv", 512, 1, 4, 1),
    ]


def test_channels_stop_growing_at_512():
    with torch.device("meta"):
        judge = discriminator(width=128)
    assert [out for _, _, out, _, _ in convolutions(judge)] == [128, 256, 512, 512, 1]


def test_layers_between_the_first_and_the_last_are_normalised():
    first, *inner, last = discriminator().layers
    assert [type(part) for part in first] == [nn.Conv2d, nn.LeakyReLU]
    for layer in inner:
        assert [type(part) for part in layer] == [nn.Conv2d, nn.InstanceNorm2d, nn.LeakyReLU]
        assert not layer[1].affine
        assert layer[2].negative_slope == 0.2
    assert [type(part) for part in last] == [nn.Conv2d]


@pytest.mark.parametrize(("padding", "size"), [(1, 30), (2, 35)])
def test_the_map_of_256_pixels_has_as_many_patches_as_published(padding, size):
    """1 pixel of padding: 256, 128, 64, 32, 31, 30; 2 pixels: 256, 129, 65, 33, 34, 35."""
    with torch.device("meta"):
        verdict = discriminator(padding=padding)(torch.rand(1, 2, 256, 256))[-1]
    assert verdict.shape == (1, 1, size, size)


@pytest.mark.parametrize("padding", [1, 2])
def test_a_patch_is_70_pixels_wide(padding):
    """Measured without the normalisation, whose mean and variance see the whole image."""
    judge = discriminator(padding=padding)
    for layer in judge.layers[1:-1]:
        layer[1] = nn.Identity()
    image = torch.rand(1, 2, 160, 168, requires_grad=True)
    verdict = judge(image)[-1]
    verdict[0, 0, verdict.shape[2] // 2, verdict.shape[3] // 2].backward()
    top, bottom, left, right = reach(image.grad[0].sum(dim=0))
    assert bottom - top + 1 == 70 and right - left + 1 == 70


def test_features_of_every_layer_come_before_the_verdict():
    features = discriminator()(torch.rand(1, 2, 64, 64))
    assert [feature.shape[1] for feature in features] == [4, 8, 16, 32, 1]


def test_all_weights_start_narrow():
    for layer in discriminator(width=32).layers[1:-1]:
        assert narrow(layer[0].weight, 0.02)


def test_two_scales_give_the_features_of_five_layers_each():
    torch.manual_seed(0)
    judges = MultiScaleDiscriminator(channels=2, width=4)
    first, second = (Calls(judge.layers[0]) for judge in judges.judges)
    scales = judges(torch.rand(1, 2, 64, 48))
    assert [len(features) for features in scales] == [5, 5]
    assert first.given[0].shape == (1, 2, 64, 48) and second.given[0].shape == (1, 2, 32, 24)
    assert all(
        layer.padding == (2, 2) for layer in judges.modules() if isinstance(layer, nn.Conv2d)
    )


def test_the_coarser_scale_is_the_mean_of_3_by_3_pixels():
    """By hand: at a corner 4 pixels lie within the image, at a border 6, inside 9."""
    torch.manual_seed(0)
    judges, image = MultiScaleDiscriminator(channels=1, width=4), torch.rand(1, 1, 16, 16)
    seen = Calls(judges.judges[1].layers[0])
    judges(image)
    pixels, half = image[0, 0], seen.given[0][0, 0]
    torch.testing.assert_close(half[0, 0], pixels[:2, :2].mean())
    torch.testing.assert_close(half[0, 3], pixels[:2, 5:8].mean())
    torch.testing.assert_close(half[2, 3], pixels[3:6, 5:8].mean())


def test_each_further_scale_halves_the_one_before():
    torch.manual_seed(0)
    judges = MultiScaleDiscriminator(channels=1, width=4, scales=3)
    seen = [Calls(judge.layers[0]) for judge in judges.judges]
    judges(torch.rand(1, 1, 64, 48))
    assert [tuple(calls.given[0].shape[2:]) for calls in seen] == [(64, 48), (32, 24), (16, 12)]
    corner = seen[1].given[0][0, 0, :2, :2].mean()
    torch.testing.assert_close(seen[2].given[0][0, 0, 0, 0], corner)


def test_scales_have_judges_of_their_own():
    torch.manual_seed(0)
    judges = MultiScaleDiscriminator(channels=2, width=4)
    assert weights(judges) == 2 * weights(discriminator())
    first, second = (judge.layers[0][0].weight for judge in judges.judges)
    assert not torch.equal(first, second)


def test_the_verdict_is_squared_from_1_for_real_and_from_0_for_predicted():
    """By hand of 0, 0.5, 1, 2: (1 + 0.25 + 0 + 1) / 4 and (0 + 0.25 + 1 + 4) / 4."""
    verdict = torch.tensor([[[[0.0, 0.5], [1.0, 2.0]]]])
    assert squared_verdict(verdict, real=True).item() == 0.5625
    assert squared_verdict(verdict, real=False).item() == 1.3125


def test_a_pair_is_source_then_target():
    source, target = torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5)
    pair = paired(source, target)
    assert torch.equal(pair[:, :3], source) and torch.equal(pair[:, 3:], target)
