import math

import pytest
import torch
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.performer import Performer, TransformerBlock, sinusoids
from pipeline_lib.models.ptnet import PtNet, PtNetSettings
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import Calls, weights

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)


def network(channels: int = 4) -> PtNet:
    torch.manual_seed(0)
    return PtNet(PtNetSettings(channels, width=8, global_width=16, layers=2, heads=2)).eval()


def papers() -> PtNet:
    with torch.device("meta"):
        return PtNet(PtNetSettings(channels=32, width=256, global_width=512, layers=9, heads=4))


def performer_by_hand(into: int, out: int) -> int:
    """Norm, key-query-value, projection, norm, two maps; linear layers with bias."""
    return 2 * into + 3 * (into * out + out) + (out * out + out) + 2 * out + 2 * (out * out + out)


def transformer_by_hand(width: int) -> int:
    """Norm, query-key-value without bias, out, norm, to twice the width and back."""
    attention = 2 * width + 3 * width**2 + (width**2 + width)
    return attention + 2 * width + (2 * width**2 + 2 * width) + (2 * width**2 + width)


def pyramid_by_hand(width: int, helped: int) -> int:
    into = [(49, 32), (9 * 32, 64), (9 * 64, 128)]
    out = [(128 // 4 + 128, 64), (64 // 4 + 64, 32), ((32 + helped) // 4 + 32, 32), (32 + 1, 32)]
    middle = (9 * 128 * width + width) + 9 * transformer_by_hand(width) + (128 * width + 128)
    return sum(performer_by_hand(*pair) for pair in into + out) + middle


def test_the_papers_network_has_25_million_weights():
    by_hand = pyramid_by_hand(512, helped=0) + pyramid_by_hand(256, helped=32) + 32 + 1
    assert weights(papers()) == by_hand == 25_469_401


def test_the_performers_are_those_of_the_authors_code():
    """PTNet_local: patches of 7 and 3; in the fine pyramid 8 channels of the coarse one join."""
    shared = [(49, 32), (288, 64), (576, 128), (160, 64), (80, 32)]
    for pyramid, joined in ((papers().coarse, 40), (papers().fine, 48)):
        found = [
            (part.norm.normalized_shape[0], part.project.out_features)
            for part in pyramid.modules()
            if isinstance(part, Performer)
        ]
        assert found == [*shared, (joined, 32), (33, 32)]
        assert len(pyramid.middle) == 9


def unbent(into: int, out: int, features: int) -> Performer:
    """Give a performer without norm and perceptron, of many features, for queries and keys of 1."""
    torch.manual_seed(0)
    performer = Performer(into, out)
    performer.norm = nn.Identity()
    performer.random = torch.randn(features, out)
    with torch.no_grad():
        performer.project.weight.copy_(torch.eye(out))
        performer.project.bias.zero_()
    for parameter in performer.perceptron[-1].parameters():
        nn.init.zeros_(parameter)
    return performer


def parts(performer: Performer, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    key, query, value = performer.key_query_value(tokens).chunk(3, dim=-1)
    return key, query, value


def test_many_features_approximate_softmax_attention_with_the_value_as_skip():
    """No score is divided by the root of the width, as in PTNet.

    A weight exp(q.k) has the relative standard error sqrt((exp(|q + k|^2) - 1) / features): with
    |q + k|^2 < 4 and 200,000 features at most 1.7 %, of which a mean over nine tokens leaves
    less. 1 % of the largest value is asked for.
    """
    performer, tokens = unbent(into=6, out=4, features=200_000), torch.randn(2, 9, 6) / 2
    key, query, value = parts(performer, tokens)
    scores = query @ key.transpose(1, 2)
    expected = scores.softmax(dim=-1) @ value
    assert (query[:, :, None] + key[:, None]).square().sum(dim=-1).max() < 4
    limit = 0.01 * value.abs().max().item()
    found = performer(tokens) - value
    torch.testing.assert_close(found, expected, rtol=0, atol=limit)
    scaled = (scores / 2).softmax(dim=-1) @ value
    assert (found - scaled).abs().max() > 2 * limit


def test_directions_are_orthogonal_and_as_long_as_in_the_authors_code():
    """Half as many as channels, each as long as the root of their number; not trained."""
    torch.manual_seed(0)
    performer = Performer(into=6, out=8)
    torch.testing.assert_close(performer.random @ performer.random.T, 4 * torch.eye(4))
    assert "random" in performer.state_dict()
    assert "random" not in dict(performer.named_parameters())


def test_a_performer_is_what_its_formula_says():
    torch.manual_seed(0)
    performer, tokens = Performer(into=6, out=8), torch.randn(1, 5, 6)
    key, query, value = parts(performer, performer.norm(tokens))
    directions = performer.random

    def positive(x: Tensor) -> Tensor:
        return torch.stack([(x @ w - x.square().sum(-1) / 2).exp() for w in directions], -1) / 2

    scores = positive(query) @ positive(key).transpose(1, 2)
    x = value + performer.project(scores / (scores.sum(-1, keepdim=True) + 1e-8) @ value)
    expected = x + performer.perceptron(performer.norm_perceptron(x))
    torch.testing.assert_close(performer(tokens), expected)


@pytest.mark.parametrize(
    "layer",
    [Performer(into=8, out=8), TransformerBlock(width=8, heads=2)],
    ids=lambda layer: type(layer).__name__,
)
def test_tokens_permuted_are_mixed_permuted(layer):
    torch.manual_seed(0)
    tokens, order = torch.randn(2, 11, 8), torch.randperm(11)
    torch.testing.assert_close(layer(tokens[:, order]), layer(tokens)[:, order])


def test_the_transformer_block_is_softmax_attention_worked_out_by_hand():
    torch.manual_seed(0)
    block, tokens = TransformerBlock(width=8, heads=2), torch.randn(2, 5, 8)
    normed = block.norm(tokens)
    query, key, value = (
        (normed @ weight.T).reshape(2, 5, 2, 4)
        for weight in block.query_key_value.weight.reshape(3, 8, 8)
    )
    weight = (torch.einsum("bqhd,bkhd->bhqk", query, key) / 4**0.5).softmax(dim=-1)
    mixed = torch.einsum("bhqk,bkhd->bqhd", weight, value).reshape(2, 5, 8)
    x = tokens + block.out(mixed)
    expected = x + block.perceptron(block.norm_perceptron(x))
    torch.testing.assert_close(block(tokens), expected)
    assert block.query_key_value.bias is None
    assert [type(part) for part in block.perceptron] == [nn.Linear, nn.GELU, nn.Linear]


def test_positions_are_sines_and_cosines():
    """By hand at a width of 4: rates 1 and 1/100, sine first."""
    expected = [
        [math.sin(place), math.cos(place), math.sin(place / 100), math.cos(place / 100)]
        for place in range(30)
    ]
    found = sinusoids(tokens=30, width=4, device=torch.device("cpu"))
    torch.testing.assert_close(found, torch.tensor(expected))


def test_the_middle_sees_an_eighth_of_the_resolution_with_positions():
    model = network()
    fine, coarse = Calls(model.fine.middle[0]), Calls(model.coarse.middle[0])
    fine_in, coarse_in = Calls(model.fine.inward), Calls(model.coarse.inward)
    model(torch.rand(1, 1, 32, 48))
    assert fine.given[0].shape == (1, 4 * 6, 8) and coarse.given[0].shape == (1, 2 * 3, 16)
    for calls, inward in ((fine, fine_in), (coarse, coarse_in)):
        tokens, width = calls.given[0].shape[1:]
        expected = inward.gave[0] + sinusoids(tokens, width, torch.device("cpu"))
        torch.testing.assert_close(calls.given[0], expected)


def test_the_coarse_pyramid_sees_half_the_resolution_and_helps_the_fine_one():
    model, image = network(), torch.rand(1, 1, 32, 48)
    coarse, doubled = Calls(model.coarse), Calls(model.fine.up[-1])
    before = model(image)
    assert coarse.given[0].shape == (1, 1, 16, 24)
    assert torch.equal(doubled.given[0][:, -4:], coarse.gave[0])
    with torch.no_grad():
        model.coarse.last.project.bias.add_(1)
    assert not torch.allclose(model(image), before)


def test_each_doubling_sees_what_was_unfolded_at_its_resolution():
    model = network()
    unfolded = [Calls(unfold) for unfold in model.fine.down]
    doubled = [Calls(doubling.performer) for doubling in model.fine.up]
    model(torch.rand(1, 1, 32, 48))
    for down, up in zip(reversed(unfolded), doubled, strict=True):
        skipped = down.gave[0].flatten(2).transpose(1, 2)
        assert torch.equal(up.given[0][..., -skipped.shape[2] :], skipped)


def test_the_source_itself_joins_before_the_last_layer():
    model, image = network(), torch.rand(1, 1, 16, 32)
    last = Calls(model.fine.last)
    model(image)
    torch.testing.assert_close(last.given[0][..., -1], 2 * image[:, 0].flatten(1) - 1)


def test_every_pixel_sees_the_whole_image():
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    network()(image)[0, 0, 0, 0].backward()
    assert (image.grad != 0).all()


def test_the_prediction_stays_within_0_and_1():
    model = network()
    with torch.no_grad():
        model.head.weight.mul_(1000)
    predicted = model.predict(torch.rand(1, 1, 32, 32), PDW, T2W)
    assert predicted.min() >= 0 and predicted.max() <= 1
    assert predicted.min() < 0.01 and predicted.max() > 0.99


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (5, 16)])
def test_any_size_goes_in_and_comes_out(size):
    predicted = network().predict(torch.rand(2, 1, *size), PDW, T2W)
    assert predicted.shape == (2, 1, *size)
    assert predicted.isfinite().all()


def test_channels_that_cannot_be_shuffled_are_refused():
    with pytest.raises(InputError, match="channels is 6; ptnet needs a multiple of 4"):
        PtNetSettings(channels=6, width=8, global_width=8, layers=1, heads=2)
