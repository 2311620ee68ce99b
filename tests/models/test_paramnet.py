import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.paramnet import ParamNet, ParamNetSettings, with_constant_planes
from pipeline_lib.models.paramnet_autoencoder import Autoencoder
from pipeline_lib.models.sequence_features import sequence_features
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import Calls, convolutions, weights

PAPER = (64, 64, 128, 256, 512, 512, 512, 512)
DEFAULT = Sequence("SE", te=0.050, tr=4.5)
SHORT = Sequence("SE", te=0.020, tr=1.2)
LONG = Sequence("SE", te=0.398, tr=5.2)
FLAIR = Sequence("IR-SE", te=0.100, tr=9.0, ti=2.5)


def network(
    channels: tuple[int, ...] = (8, 8, 8),
    default: str = "",
    conditioning: str = "planes",
    parameters: tuple[str, ...] = ("te", "tr"),
    seed: int = 0,
) -> ParamNet:
    torch.manual_seed(seed)
    return ParamNet(ParamNetSettings(channels, parameters, default, conditioning)).eval()


def test_blocks_and_head_of_the_paper_have_59_9_million_weights():
    """By hand: into^2 (1 up + 2 mix + 2 tell) + into out taps of 9 a block; head 16 x 33 taps."""
    with torch.device("meta"):
        model = network(PAPER)
    wide, last = 3 * (5 * 512**2 + 512 * 512), 5 * 512**2 + 512 * 256
    rest = 5 * 256**2 + 256 * 128 + 5 * 128**2 + 128 * 64 + 5 * 64**2 + 64**2 + 5 * 64**2 + 64 * 32
    taps = wide + last + rest + 32 * 16 + 16
    count = weights(model.blocks) + weights(model.head)
    assert count == 9 * taps == 59_927_184
    assert f"{count / 1e6:.1f}" == "59.9"


def test_the_blocks_are_those_of_section_3_2():
    with torch.device("meta"):
        model = network(PAPER)
    outs = (512, 512, 512, 256, 128, 64, 64, 32)
    expected = [
        [
            ("up", into, into, 3, 2),
            ("conv", 2 * into, into, 3, 1),
            ("conv", 2 * into, into, 3, 1),
            ("conv", into, out, 3, 1),
        ]
        for into, out in zip(reversed(PAPER), outs, strict=True)
    ]
    assert [convolutions(block) for block in model.blocks] == expected
    assert convolutions(model.head) == [("conv", 32, 16, 3, 1), ("conv", 16, 1, 3, 1)]
    assert all(layer.bias is None for layer in model.modules() if isinstance(layer, nn.Conv2d))


def test_the_autoencoder_is_that_of_the_notebooks():
    """Stride 1, then seven times 2; seven transposed, one 3x3 and one 1x1; 17.3 M weights."""
    with torch.device("meta"):
        autoencoder = Autoencoder(PAPER)
    assert [convolutions(layer)[0] for layer in autoencoder.down] == [
        ("conv", 1, 64, 3, 1),
        ("conv", 64, 64, 3, 2),
        ("conv", 64, 128, 3, 2),
        ("conv", 128, 256, 3, 2),
        ("conv", 256, 512, 3, 2),
        *[("conv", 512, 512, 3, 2)] * 3,
    ]
    assert convolutions(autoencoder.up) == [
        *[("up", 512, 512, 3, 2)] * 3,
        ("up", 512, 256, 3, 2),
        ("up", 256, 128, 3, 2),
        ("up", 128, 64, 3, 2),
        ("up", 64, 32, 3, 2),
        ("conv", 32, 16, 3, 1),
        ("conv", 16, 1, 1, 1),
    ]
    assert weights(autoencoder) == 17_321_904


def test_the_autoencoder_normalises_and_bends_as_in_the_notebooks():
    autoencoder = Autoencoder((4, 4, 8))
    first, *others = autoencoder.down
    assert [type(layer) for layer in first] == [nn.Conv2d, nn.LeakyReLU]
    for layer in others:
        assert [type(part) for part in layer] == [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    kinds = {type(part) for layer in autoencoder.up[:-2] for part in layer}
    assert kinds == {nn.ConvTranspose2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU}
    assert isinstance(autoencoder.up[-1], nn.Tanh)
    for part in autoencoder.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.momentum == 0.5
        if isinstance(part, nn.LeakyReLU):
            assert part.negative_slope == 0.2
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            assert part.bias is None


def test_features_of_256_pixels_halve_down_to_2():
    with torch.device("meta"):
        autoencoder, image = Autoencoder(PAPER), torch.rand(1, 1, 256, 256)
    shapes = [tuple(feature.shape[1:]) for feature in autoencoder.features(image)]
    sizes = (256, 128, 64, 32, 16, 8, 4, 2)
    assert shapes == [(channels, size, size) for channels, size in zip(PAPER, sizes, strict=True)]
    assert autoencoder(image).shape == image.shape


def test_param_net_starts_from_one_pixel_at_256():
    with torch.device("meta"):
        model, image = network(PAPER), torch.rand(1, 1, 256, 256)
        started = Calls(model.blocks[0])
        features = model.autoencoder.features(image)
        x, told = torch.rand(1, 512, 1, 1), torch.rand(1, 4)
        for block, feature in zip(model.blocks, reversed(features), strict=True):
            x = block(x, feature, told)
    assert started.given[0].shape == (1, 512, 1, 1)
    assert model.head(x).shape == (1, 1, 256, 256)


@pytest.mark.parametrize("numbers", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 4), (3, 5), (16, 16)])
def test_constant_planes_convolve_as_real_ones_do(size, numbers):
    """Borders included, forward and backward, against planes that are made."""
    torch.manual_seed(0)
    channels, out = 6, 5
    x = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    told = torch.randn(2, numbers, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(out, 2 * channels, 3, 3, dtype=torch.float64, requires_grad=True)
    upward = torch.randn(2, out, *size, dtype=torch.float64)

    numbered = torch.stack([told[:, place % numbers] for place in range(channels)], dim=1)
    planes = numbered[:, :, None, None] * torch.ones(size, dtype=torch.float64)
    expected = F.conv2d(torch.cat([x, planes], dim=1), weight, padding=1)
    found = with_constant_planes(x, told, weight)

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    asked = (x, told, weight)
    for got, wanted in zip(
        torch.autograd.grad(found, asked, upward),
        torch.autograd.grad(expected, asked, upward),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


def test_planes_cycle_through_te_and_tr_of_the_target():
    model = network(default="DEFAULT")
    seen = Calls(model.blocks[0])
    model.predict(torch.rand(1, 1, 16, 24), DEFAULT, LONG)
    assert seen.given[0].shape == (1, 8, 2, 3)
    expected = torch.tensor([0.398, 5.2] * 4)[None, :, None, None]
    torch.testing.assert_close(seen.given[0], expected.expand(1, 8, 2, 3))


def test_param_to_param_cycles_through_the_sources_times_first():
    model = network()
    seen = Calls(model.blocks[0])
    model(torch.rand(2, 1, 8, 8), [SHORT, LONG], [LONG, DEFAULT])
    expected = torch.tensor([[0.020, 1.2, 0.398, 5.2] * 2, [0.398, 5.2, 0.050, 4.5] * 2])
    torch.testing.assert_close(seen.given[0][..., 0, 0], expected)


def test_an_inversion_time_is_told_where_it_is_asked_for():
    model = network(parameters=("te", "tr", "ti"), default="DEFAULT")
    expected = torch.tensor([[0.1, 9.0, 2.5], [0.05, 4.5, 0.0]])
    torch.testing.assert_close(model.parameters_of([SHORT] * 2, [FLAIR, DEFAULT]), expected)


def test_film_is_told_both_sequences_on_a_log_scale():
    expected = torch.cat([sequence_features([SHORT]), sequence_features([LONG])], dim=1)
    told = network(conditioning="film").parameters_of([SHORT], [LONG])
    torch.testing.assert_close(told, expected)


@pytest.mark.parametrize("default", ["DEFAULT", ""])
def test_the_source_counts_for_param_to_param_alone(default):
    model, image = network(default=default), torch.rand(1, 1, 16, 16)
    same = torch.equal(model.predict(image, SHORT, LONG), model.predict(image, DEFAULT, LONG))
    assert same == bool(default)


def change_of_a_block(conditioning: str, seed: int) -> tuple[float, float]:
    """Measure how TE and TR change a block's output, in the middle and in the border of 4 pixels.

    From (0.02, 1.2) to (0.1, 4.5) s, in standard deviations of the output. A block of its own,
    because the whole network also starts from the times, and what its first transposed
    convolution makes of them is a pattern, not a constant.
    """
    model = network((8, 8), default="DEFAULT", conditioning=conditioning, seed=seed)
    x, features = torch.randn(1, 8, 64, 64), torch.randn(1, 8, 128, 128)
    other = Sequence("SE", te=0.1, tr=4.5)
    with torch.no_grad():
        first, second = (
            model.blocks[-1](x, features, model.parameters_of([DEFAULT], [target]))
            for target in (SHORT, other)
        )
    change = (second - first).abs().mean(dim=(0, 1)) / first.std()
    border = torch.ones_like(change, dtype=torch.bool)
    border[4:-4, 4:-4] = False
    return change[48:-48, 48:-48].mean().item(), change[border].mean().item()


@pytest.mark.parametrize("seed", range(5))
def test_the_normalisation_cancels_planes_but_for_the_borders(seed):
    """Of constant planes it leaves what the borders of zeros make of them."""
    middle, border = change_of_a_block("planes", seed)
    assert border > 0.2
    assert middle < border / 4


@pytest.mark.parametrize("seed", range(5))
def test_the_normalisation_does_not_cancel_film(seed):
    middle, border = change_of_a_block("film", seed)
    assert middle > 0.1
    assert middle > border / 2


def test_the_encoder_gets_no_gradient():
    model = network()
    model.predict(torch.rand(1, 1, 16, 16), SHORT, LONG).sum().backward()
    assert all(weight.grad is None for weight in model.autoencoder.parameters())
    trained = [*model.blocks.parameters(), *model.head.parameters()]
    assert all(weight.grad is not None for weight in trained)


def test_the_encoder_does_not_change_while_the_decoder_is_trained():
    """Section 3.4: frozen; in the notebooks `end_model.eval()`, statistics and all."""
    model, image = network(), torch.rand(4, 1, 16, 16)
    before = {name: value.clone() for name, value in model.autoencoder.state_dict().items()}
    features = [feature.clone() for feature in model.autoencoder.features(image)]
    model.train()
    model(image, [SHORT] * 4, [LONG] * 4)
    for name, value in model.autoencoder.state_dict().items():
        torch.testing.assert_close(value, before[name], msg=f"{name} changed")
    model.eval()
    torch.testing.assert_close(model.autoencoder.features(image), features)


@pytest.mark.parametrize("conditioning", ["planes", "film"])
def test_the_output_is_linear_and_may_leave_0_to_1(conditioning):
    """The notebooks throw their tanh away: with 50 times the last weights, 50 times -1..1."""
    model, image = network(conditioning=conditioning), torch.rand(1, 1, 32, 32)
    plain = model.predict(image, SHORT, LONG)
    with torch.no_grad():
        model.head[-1].weight.mul_(50)
    stretched = model.predict(image, SHORT, LONG)
    torch.testing.assert_close(2 * stretched - 1, 50 * (2 * plain - 1), rtol=1e-4, atol=1e-4)
    assert stretched.min() < 0 and stretched.max() > 1


@pytest.mark.parametrize("conditioning", ["planes", "film"])
@pytest.mark.parametrize("size", [(8, 8), (33, 47), (5, 9)])
def test_any_size_goes_in_and_comes_out(size, conditioning):
    predicted = network(conditioning=conditioning).predict(torch.rand(2, 1, *size), SHORT, LONG)
    assert predicted.shape == (2, 1, *size)
    assert predicted.isfinite().all()


def test_settings_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="conditioning is planes or film"):
        ParamNetSettings(PAPER, ("te",), "", conditioning="sum")
    for parameters in ((), ("te", "fa")):
        with pytest.raises(InputError, match="parameters are some of te, tr, ti"):
            ParamNetSettings(PAPER, parameters, "", conditioning="planes")
