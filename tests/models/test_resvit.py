from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.resvit import ResVitGenerator, ResVitSettings
from pipeline_lib.models.vision_transformer import VisionTransformer
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import Calls, convolutions, linears, weights

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)
CHANNELS, WIDTH, LAYERS, HEADS, GRID = 4, 12, 2, 3, 3
TOKENS = 16 * CHANNELS
ATTENTION = "MultiHeadDotProductAttention_1"

Arrays = dict[str, np.ndarray]


def generator(width: int = WIDTH, heads: int = HEADS, grid: int = GRID) -> ResVitGenerator:
    torch.manual_seed(0)
    return ResVitGenerator(ResVitSettings(CHANNELS, width, LAYERS, heads, grid)).eval()


def lively() -> ResVitGenerator:
    """Give a generator whose normalisations know their input, so that it passes something on."""
    model = generator()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(2, 1, 48, 48))
    return model.eval()


def papers() -> ResVitGenerator:
    with torch.device("meta"):
        return ResVitGenerator(ResVitSettings(channels=64, width=768, layers=12, heads=12, grid=16))


def published(layers: int = LAYERS, grid: int = GRID) -> Arrays:
    """Fabricate a tiny checkpoint with the names and layouts of `R50+ViT-B_16.npz`."""
    draw = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return draw.normal(0, 0.3, shape).astype(np.float32)

    head = WIDTH // HEADS
    arrays = {
        "embedding/kernel": drawn(1, 1, TOKENS, WIDTH),
        "embedding/bias": drawn(WIDTH),
        "cls": drawn(1, 1, WIDTH),
        "Transformer/posembed_input/pos_embedding": drawn(1, 1 + grid**2, WIDTH),
        "Transformer/encoder_norm/scale": 1 + drawn(WIDTH),
        "Transformer/encoder_norm/bias": drawn(WIDTH),
    }
    for number in range(layers):
        root = f"Transformer/encoderblock_{number}"
        for name in ("query", "key", "value"):
            arrays[f"{root}/{ATTENTION}/{name}/kernel"] = drawn(WIDTH, HEADS, head)
            arrays[f"{root}/{ATTENTION}/{name}/bias"] = drawn(HEADS, head)
        arrays[f"{root}/{ATTENTION}/out/kernel"] = drawn(HEADS, head, WIDTH)
        arrays[f"{root}/{ATTENTION}/out/bias"] = drawn(WIDTH)
        for name, into, out in (("Dense_0", WIDTH, 4 * WIDTH), ("Dense_1", 4 * WIDTH, WIDTH)):
            arrays[f"{root}/MlpBlock_3/{name}/kernel"] = drawn(into, out)
            arrays[f"{root}/MlpBlock_3/{name}/bias"] = drawn(out)
        for name in ("LayerNorm_0", "LayerNorm_2"):
            arrays[f"{root}/{name}/scale"] = 1 + drawn(WIDTH)
            arrays[f"{root}/{name}/bias"] = drawn(WIDTH)
    return arrays


def written(folder: Path, arrays: Arrays) -> Path:
    path = folder / "R50+ViT-B_16.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, published())


def normalised(x: np.ndarray, arrays: Arrays, name: str) -> np.ndarray:
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    scaled = (x - x.mean(axis=-1, keepdims=True)) / spread
    return scaled * arrays[f"{name}/scale"] + arrays[f"{name}/bias"]


def attended(x: np.ndarray, arrays: Arrays, root: str) -> np.ndarray:
    """Self-attention in the layout of the checkpoint: [width, heads, head_dim] and its bias."""
    query, key, value = (
        np.einsum("btw,whd->bthd", x, arrays[f"{root}/{name}/kernel"])
        + arrays[f"{root}/{name}/bias"]
        for name in ("query", "key", "value")
    )
    scores = np.exp(np.einsum("bqhd,bkhd->bhqk", query, key) / (WIDTH // HEADS) ** 0.5)
    weight = scores / scores.sum(axis=-1, keepdims=True)
    mixed = np.einsum("bhqk,bkhd->bqhd", weight, value)
    out = np.einsum("bqhd,hdw->bqw", mixed, arrays[f"{root}/out/kernel"])
    return out + arrays[f"{root}/out/bias"]


def perceived(x: np.ndarray, arrays: Arrays, root: str) -> np.ndarray:
    hidden = x @ arrays[f"{root}/Dense_0/kernel"] + arrays[f"{root}/Dense_0/bias"]
    bent = F.gelu(torch.from_numpy(hidden)).numpy()
    return bent @ arrays[f"{root}/Dense_1/kernel"] + arrays[f"{root}/Dense_1/bias"]


def test_the_papers_transformer_has_85_million_weights():
    """By hand: 4 maps of 768 with bias, 768 to 3072 and back, two norms; 12 layers and a norm."""
    layer = 4 * (768**2 + 768) + (768 * 3072 + 3072) + (3072 * 768 + 768) + 4 * 768
    assert weights(papers().transformer) == 12 * layer + 2 * 768 == 85_056_000


def test_the_papers_generator_has_123_million_weights():
    """By hand; each normalisation has a gain and an offset a channel and stands for a bias."""
    outer = (49 * 64 + 128) + (49 * 64 + 1)
    down = (9 * 64 * 128 + 256) + (9 * 128 * 256 + 512)
    up = (9 * 256 * 128 + 256) + (9 * 128 * 64 + 128)
    residual = 18 * (9 * 256 * 256 + 512)
    narrower = (9 * 256 * 512 + 1_024) + (9 * 512 * 1_024 + 2_048)
    embedded = (1_024 * 768 + 768) + 768 * 16 * 16
    wider = (9 * 768 * 512 + 1_024) + (9 * 512 * 256 + 512)
    compressed = (512 * 256 + 512) + (9 * 512 * 256 + 512) + (9 * 256 * 256 + 512)
    aggregation = 2 * (narrower + embedded + wider + compressed)
    by_hand = outer + down + up + residual + aggregation + 85_056_000
    assert weights(papers()) == by_hand == 123_441_537


def test_the_layers_are_those_of_the_authors_code():
    model = papers()
    assert convolutions(model.encoder) == [
        ("conv", 1, 64, 7, 1),
        ("conv", 64, 128, 3, 2),
        ("conv", 128, 256, 3, 2),
    ]
    assert convolutions(model.residual) == [("conv", 256, 256, 3, 1)] * 18
    assert convolutions(model.decoder) == [
        ("up", 256, 128, 3, 2),
        ("up", 128, 64, 3, 2),
        ("conv", 64, 1, 7, 1),
    ]
    for part in model.aggregation:
        assert convolutions(part.down) == [("conv", 256, 512, 3, 2), ("conv", 512, 1024, 3, 2)]
        assert convolutions(part.embed) == [("conv", 1024, 768, 1, 1)]
        assert convolutions(part.up) == [("up", 768, 512, 3, 2), ("up", 512, 256, 3, 2)]
        assert convolutions(part.compress.skip) == [("conv", 512, 256, 1, 1)]
        assert convolutions(part.compress.layers) == [
            ("conv", 512, 256, 3, 1),
            ("conv", 256, 256, 3, 1),
        ]
    layer = [*[(768, 768)] * 4, (768, 3072), (3072, 768)]
    assert linears(model.transformer) == layer * 12
    assert not any(isinstance(part, nn.InstanceNorm2d) for part in model.modules())


def test_dropout_of_a_tenth_is_in_the_transformer_alone():
    """Of the tokens once, of the perceptron twice a layer; none in the residual blocks."""
    model = generator()
    everywhere = [part.p for part in model.modules() if isinstance(part, nn.Dropout)]
    assert everywhere == [0.1] * (1 + LAYERS)
    dropped = Calls(model.transformer.layers[0].drop)
    model(torch.rand(1, 1, 48, 48))
    assert len(dropped) == 2 * 2


def test_two_of_nine_blocks_transform_and_share_one_transformer():
    model = generator()
    transformed, first, second = (Calls(part) for part in (model.transformer, *model.aggregation))
    blocks = [Calls(block) for block in model.residual]
    model(torch.rand(1, 1, 48, 48))
    assert len(blocks) == 9 and len(transformed) == 2
    assert torch.equal(blocks[0].given[0], first.gave[0])
    assert torch.equal(blocks[5].given[0], second.gave[0])
    for place in (1, 2, 3, 4, 6, 7, 8):
        assert torch.equal(blocks[place].given[0], blocks[place - 1].gave[0])


def test_the_first_stage_never_calls_the_transformer():
    model, image = lively(), torch.rand(1, 1, 48, 48)
    whole = model(image)
    model.transforming = False
    calls = [Calls(part) for part in (model.transformer, *model.aggregation)]
    assert not torch.allclose(model(image), whole)
    assert [len(call) for call in calls] == [0, 0, 0]


def test_what_the_transformer_saw_joins_the_features_as_channels():
    model = generator()
    part, x = model.aggregation[0], torch.rand(2, 16, 12, 12)
    seen, compressed = Calls(part.up), Calls(part.compress)
    changed = part(x, model.transformer)
    assert torch.equal(compressed.given[0], torch.cat([seen.gave[0], x], dim=1))
    both = part.compress.layers(compressed.given[0]) + part.compress.skip(compressed.given[0])
    torch.testing.assert_close(changed, both.clamp(min=0))


def test_convolutions_start_as_in_the_authors_code():
    """Their define_G starts no generator anew, so PyTorch's own start stays; gains are 1."""
    for layer in generator().residual.modules():
        if isinstance(layer, nn.Conv2d):
            fan = layer.in_channels * 9
            expected = torch.tensor((3 * fan) ** -0.5)
            torch.testing.assert_close(layer.weight.std(), expected, rtol=0.1, atol=0)
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all() and (layer.bias == 0).all()


def test_attention_is_that_of_the_published_layout(file):
    """An array put in the wrong order of heads, or not transposed, would give other numbers."""
    model = generator()
    model.load_transformer(file)
    x = np.random.default_rng(1).normal(size=(2, 7, WIDTH)).astype(np.float32)
    for number, layer in enumerate(model.transformer.layers):
        expected = attended(x, published(), f"Transformer/encoderblock_{number}/{ATTENTION}")
        layer.norm_attention = nn.Identity()
        nn.init.zeros_(layer.narrow.weight)
        nn.init.zeros_(layer.narrow.bias)
        found = layer(torch.from_numpy(x)).detach().numpy() - x
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_whole_transformer_is_that_of_the_published_arrays(file):
    model, arrays = generator(), published()
    model.load_transformer(file)
    x = np.random.default_rng(1).normal(size=(2, 7, WIDTH)).astype(np.float32)
    found = model.transformer(torch.from_numpy(x)).detach().numpy()
    for number in range(LAYERS):
        root = f"Transformer/encoderblock_{number}"
        x = x + attended(
            normalised(x, arrays, f"{root}/LayerNorm_0"), arrays, f"{root}/{ATTENTION}"
        )
        x = x + perceived(
            normalised(x, arrays, f"{root}/LayerNorm_2"), arrays, f"{root}/MlpBlock_3"
        )
    expected = normalised(x, arrays, "Transformer/encoder_norm")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def tokens_of(part: nn.Module, features: Tensor) -> Tensor:
    """Give what the transformer is shown."""
    shown: list[Tensor] = []

    def transformer(tokens: Tensor) -> Tensor:
        shown.append(tokens)
        return tokens

    part(features, transformer)
    return shown[0]


def test_tokens_are_embedded_and_placed_by_the_published_arrays(file):
    """Row by row, each with its position; the first position is the class token's, left out."""
    model, arrays = generator(), published()
    model.load_transformer(file)
    features = torch.rand(1, 4 * CHANNELS, 12, 12)
    kernel = torch.from_numpy(arrays["embedding/kernel"][0, 0])
    bias = torch.from_numpy(arrays["embedding/bias"])
    places = torch.from_numpy(arrays["Transformer/posembed_input/pos_embedding"][0, 1:])
    for part in model.aggregation:
        small = part.down(features)
        expected = small[0].flatten(1).T @ kernel + bias + places
        torch.testing.assert_close(tokens_of(part, features)[0], expected)


def test_positions_of_another_grid_are_interpolated_as_in_the_authors_code(tmp_path):
    """By scipy's zoom of order 1, which leaves the corners where they are."""
    model, arrays = generator(grid=5), published(grid=3)
    model.load_transformer(written(tmp_path, arrays))
    places = arrays["Transformer/posembed_input/pos_embedding"][0, 1:].reshape(3, 3, WIDTH)
    expected = torch.from_numpy(ndimage.zoom(places, (5 / 3, 5 / 3, 1), order=1))
    for part in model.aggregation:
        torch.testing.assert_close(part.positions[0].permute(1, 2, 0), expected)


def test_positions_start_at_0_and_are_trained_by_each_block_on_its_own():
    first, second = (part.positions for part in generator().aggregation)
    assert first is not second
    assert first.shape == (1, WIDTH, GRID, GRID)
    assert (first == 0).all() and first.requires_grad


def test_a_prediction_follows_the_weights_that_were_loaded(file):
    model, image = lively(), torch.rand(1, 1, 48, 48)
    before = model.predict(image, PDW, T2W)
    model.load_transformer(file)
    assert not torch.allclose(model.predict(image, PDW, T2W), before)
    assert all(weight.requires_grad for weight in model.parameters())


def refused(model: ResVitGenerator, path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint of a vision transformer") as error:
        model.load_transformer(path)
    assert str(path) in str(error.value)


def test_a_transformer_of_another_width_is_refused(file):
    refused(generator(width=2 * WIDTH), file)


def test_a_transformer_of_other_heads_is_refused(file):
    """The maps would have the right number of weights, in heads that were not trained so."""
    refused(generator(heads=HEADS + 1), file)


def test_a_transformer_of_fewer_layers_is_refused(tmp_path):
    refused(generator(), written(tmp_path, published(layers=LAYERS - 1)))


def test_a_transformer_of_more_layers_is_refused(tmp_path):
    refused(generator(), written(tmp_path, published(layers=LAYERS + 1)))


@pytest.mark.parametrize("content", ["nothing", "text", "half", "one array"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = written(tmp_path, published())
    if content == "one array":
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
    else:
        whole = path.read_bytes()
        path.write_bytes(
            {"nothing": b"", "text": b"weights", "half": whole[: len(whole) // 2]}[content]
        )
    refused(generator(), path)


def test_a_missing_file_is_refused(tmp_path):
    refused(generator(), tmp_path / "absent.npz")


def test_the_prediction_stays_within_0_and_1():
    model = lively()
    with torch.no_grad():
        model.decoder[-2].weight.mul_(1000)
    predicted = model.predict(torch.rand(1, 1, 48, 48), PDW, T2W)
    assert predicted.min() >= 0 and predicted.max() <= 1
    assert predicted.min() < 0.01 and predicted.max() > 0.99


@pytest.mark.parametrize("transforming", [True, False])
@pytest.mark.parametrize("size", [(48, 48), (33, 70), (16, 9)])
def test_any_size_goes_in_and_comes_out(size, transforming):
    model = generator()
    model.transforming = transforming
    predicted = model.predict(torch.rand(2, 1, *size), PDW, T2W)
    assert predicted.shape == (2, 1, *size)
    assert predicted.isfinite().all()


def test_heads_divide_the_width():
    with pytest.raises(InputError, match="width 10 is no multiple of the 3 heads"):
        ResVitSettings(channels=4, width=10, layers=1, heads=3, grid=2)


def test_tokens_permuted_are_encoded_permuted():
    torch.manual_seed(0)
    transformer, order = VisionTransformer(WIDTH, LAYERS, HEADS).eval(), torch.randperm(9)
    tokens = torch.randn(1, 9, WIDTH)
    torch.testing.assert_close(transformer(tokens[:, order]), transformer(tokens)[:, order])
