import pytest
import torch
from torch import nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.crl import CrlNetwork, CrlSettings, ResidualEncoder, SingleKeyAttention
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import Calls, convolutions, linears, weights

# Table 1 of the paper: sequences 1 (T1-FLAIR), 5 (PD) and 7 (T2).
FLAIR = Sequence("IR-FSE", te=0.00962, tr=2.479, ti=1.055)
PDW = Sequence("FSE", te=0.01042, tr=8.0)
T2W = Sequence("FSE", te=0.1042, tr=8.142)
UNSEEN = (Sequence("SE", te=0.0333, tr=1.234), Sequence("IR-SE", te=0.2, tr=20.0, ti=4.0))
BOTH = pytest.mark.parametrize("conditioning", ["attention", "product"])


def network(conditioning: str = "product", blocks: int = 2, channels: int = 16) -> CrlNetwork:
    torch.manual_seed(0)
    return CrlNetwork(CrlSettings(blocks, channels, conditioning)).eval()


def test_the_papers_encoder_has_38_4_million_weights():
    """By hand: 9 x 256 + 256 in, then 2 x 32 + 1 convolutions of 9 x 256 x 256 + 256."""
    with torch.device("meta"):
        encoder = network(blocks=32, channels=256).encoder
    assert weights(encoder) == 2_560 + 65 * 590_080 == 38_357_760
    assert convolutions(encoder) == [("conv", 1, 256, 3, 1), *[("conv", 256, 256, 3, 1)] * 65]


@pytest.mark.parametrize(
    ("conditioning", "of_code", "of_decoder"), [("attention", 3, 4), ("product", 4, 5)]
)
def test_code_and_decoder_are_perceptrons_of_four_hidden_layers(conditioning, of_code, of_decoder):
    """Section 2.2 of the paper: four layers from TR, TE, TI to 256, and [256, 256, 256, 256, 1].

    The published code, whose conditioning is the product, has one hidden layer more in both.
    """
    with torch.device("meta"):
        model = network(conditioning, blocks=0, channels=256)
    inside = (256, 256)
    assert linears(model.code) == [(3, 256), *[inside] * of_code]
    assert linears(model.decoder) == [*[inside] * of_decoder, (256, 1)]
    for perceptron, hidden in ((model.code, of_code), (model.decoder, of_decoder)):
        kinds = [type(layer) for layer in perceptron]
        assert kinds == [nn.Linear, nn.ReLU] * hidden + [nn.Linear]


def test_the_encoder_adds_its_beginning_to_its_end():
    encoder = network(blocks=0).encoder
    image = torch.rand(1, 1, 6, 7)
    first = encoder.head(image)
    torch.testing.assert_close(encoder(image), first + encoder.tail(first))


def test_each_residual_counts_a_tenth_as_in_the_published_code():
    """`res_scale: 0.1` of the published train_crl.yaml; so has EDSR with 256 channels."""
    torch.manual_seed(0)
    encoder, image = ResidualEncoder(blocks=1, channels=8), torch.rand(1, 1, 6, 7)
    first = encoder.head(image)
    expected = first + encoder.tail(first + 0.1 * encoder.body[0](first))
    torch.testing.assert_close(encoder(image), expected)


def test_the_product_of_a_code_and_its_own_inverse_is_no_conditioning():
    model, image = network(), torch.rand(2, 1, 9, 8)
    code = model.codes([PDW, T2W], image.device)
    assert code.abs().min() > 1e-3
    plain = model.decoder(model.encoder(image).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(model.render(model.common(image, code), code), plain)


def test_the_product_divides_by_the_source_and_multiplies_by_the_target():
    model, image = network(), torch.rand(1, 1, 5, 4)
    source, target = model.codes([PDW, T2W], image.device)
    seen = Calls(model.decoder)
    model.predict(image, PDW, T2W)
    expected = model.encoder(image) / source[:, None, None] * target[:, None, None]
    torch.testing.assert_close(seen.given[0], expected.permute(0, 2, 3, 1))


def test_codes_are_made_of_tenths_of_seconds_and_milliseconds():
    model = network()
    seen = Calls(model.code)
    model.codes([FLAIR, PDW], torch.device("cpu"))
    expected = torch.tensor([[24.79, 9.62, 10.55], [80.0, 10.42, 0.0]])
    torch.testing.assert_close(seen.given[0], expected)


def test_a_code_of_0_does_not_divide_by_0():
    model, image = network(), torch.rand(1, 1, 4, 5)
    features = model.encoder(image)
    torch.testing.assert_close(model.common(image, torch.zeros(1, 16)), features / 1e-4)
    torch.testing.assert_close(model.common(image, torch.full((1, 16), -1e-9)), -features / 1e-4)
    assert model.render(model.common(image, torch.zeros(1, 16)), torch.ones(1, 16)).isfinite().all()


def transparent() -> SingleKeyAttention:
    """Give attention whose output less its input is its weights: 8 heads of one channel."""
    attention = SingleKeyAttention(channels=8)
    with torch.no_grad():
        for layer in (attention.query, attention.out):
            layer.weight.copy_(torch.eye(8)[..., None, None])
            layer.bias.zero_()
        for layer in (attention.key, attention.value):
            layer.weight.zero_()
            layer.bias.fill_(1)
    return attention


def test_weights_of_attention_are_a_softmax_over_pixels_times_their_number():
    """By hand: exp(0), exp(0), exp(log 2), exp(log 4) are 1/8, 1/8, 2/8, 4/8 of their sum."""
    scores = torch.tensor([[1.0, 1.0], [2.0, 4.0]]).log()
    features = scores.expand(1, 8, 2, 2)
    found = transparent()(features, torch.rand(1, 8)) - features
    expected = 4 * torch.tensor([[1.0, 1.0], [2.0, 4.0]]) / 8
    torch.testing.assert_close(found, expected.expand(1, 8, 2, 2))


def test_scores_of_attention_are_divided_by_the_root_of_a_heads_channels():
    torch.manual_seed(0)
    attention = SingleKeyAttention(channels=32)
    features, code = torch.rand(1, 32, 3, 2), torch.rand(1, 32)
    query = attention.query(features)[0].reshape(8, 4, 6)
    key, value = attention.key(code).reshape(8, 4), attention.value(code).reshape(8, 4)
    weight = ((query * key[..., None]).sum(dim=1) / 4**0.5).softmax(dim=1) * 6
    attended = (value[:, :, None] * weight[:, None]).reshape(1, 32, 3, 2)
    torch.testing.assert_close(attention(features, code), features + attention.out(attended))


def test_weights_of_attention_sum_to_the_number_of_pixels():
    torch.manual_seed(0)
    features = torch.randn(2, 8, 5, 7)
    weight = transparent()(features, torch.rand(2, 8)) - features
    torch.testing.assert_close(weight.sum(dim=(2, 3)), torch.full((2, 8), 35.0))
    assert weight.std() > 0.1


def test_the_size_of_a_patch_does_not_change_the_attention_to_a_constant_image():
    torch.manual_seed(0)
    attention, code, value = SingleKeyAttention(16), torch.rand(1, 16), torch.rand(1, 16, 1, 1)
    small = attention(value.expand(1, 16, 2, 2), code)
    large = attention(value.expand(1, 16, 9, 11), code)
    torch.testing.assert_close(large, small[..., :1, :1].expand_as(large))


def test_heads_attend_on_their_own_to_each_image_of_a_batch():
    torch.manual_seed(0)
    attention, features, codes = SingleKeyAttention(16), torch.rand(2, 16, 4, 4), torch.rand(2, 16)
    together = attention(features, codes)
    for index in range(2):
        alone = attention(features[index : index + 1], codes[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone)


@BOTH
def test_all_targets_cost_one_pass_of_the_encoder(conditioning):
    model, image = network(conditioning), torch.rand(2, 1, 12, 10)
    targets = [PDW, T2W, FLAIR]
    encoded = Calls(model.encoder)
    together = model.predict_all(image, PDW, targets)
    assert len(encoded) == 1 and together.shape == (2, 3, 12, 10)
    for index, target in enumerate(targets):
        alone = model.predict(image, PDW, target)
        torch.testing.assert_close(together[:, index : index + 1], alone)


@BOTH
def test_both_sequences_change_the_prediction(conditioning):
    model, image = network(conditioning), torch.rand(1, 1, 12, 10)
    asked = model.predict(image, PDW, T2W)
    assert not torch.allclose(asked, model.predict(image, PDW, FLAIR))
    assert not torch.allclose(asked, model.predict(image, FLAIR, T2W))


def test_the_decoder_sees_one_pixel_at_a_time():
    model, common = network(), torch.rand(1, 16, 4, 4)
    changed = common.clone()
    changed[..., 1, 2] += 1
    code = torch.ones(1, 16)
    difference = (model.render(changed, code) - model.render(common, code))[0, 0]
    assert difference.nonzero().tolist() == [[1, 2]]


@BOTH
@pytest.mark.parametrize("size", [(16, 16), (13, 7)])
def test_sequences_never_trained_and_any_size_give_finite_images(conditioning, size):
    predicted = network(conditioning).predict_all(torch.rand(2, 1, *size), UNSEEN[0], UNSEEN)
    assert predicted.shape == (2, 2, *size)
    assert predicted.isfinite().all()


def test_settings_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="conditioning is attention or product"):
        CrlSettings(blocks=1, channels=8, conditioning="sum")
    with pytest.raises(InputError, match="channels is 12"):
        CrlSettings(blocks=1, channels=12, conditioning="product")
