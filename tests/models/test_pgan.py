import pytest
import torch
from torch import nn

from pipeline_lib.models.pgan import PganGenerator, PganSettings
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import convolutions, narrow, weights

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)


def generator(channels: int = 4, blocks: int = 2, slices: int = 3) -> PganGenerator:
    torch.manual_seed(0)
    return PganGenerator(PganSettings(channels, blocks, slices)).eval()


def papers() -> PganGenerator:
    with torch.device("meta"):
        return generator(channels=64, blocks=9, slices=3)


def test_the_papers_generator_has_11_4_million_weights():
    """By hand, with biases: 7x7 in and out, two strided, 18 of 256 channels, two transposed."""
    outer = (49 * 3 * 64 + 64) + (49 * 64 + 1)
    down = (9 * 64 * 128 + 128) + (9 * 128 * 256 + 256)
    up = (9 * 256 * 128 + 128) + (9 * 128 * 64 + 64)
    assert weights(papers()) == outer + down + 18 * (9 * 256 * 256 + 256) + up == 11_371_905


def test_the_layers_are_those_of_the_authors_code():
    assert convolutions(papers()) == [
        ("conv", 3, 64, 7, 1),
        ("conv", 64, 128, 3, 2),
        ("conv", 128, 256, 3, 2),
        *[("conv", 256, 256, 3, 1)] * 18,
        ("up", 256, 128, 3, 2),
        ("up", 128, 64, 3, 2),
        ("conv", 64, 1, 7, 1),
    ]


def test_what_lies_between_the_convolutions_is_that_of_the_authors_code():
    """Mirrored borders, instance normalisation without gains, dropout 0.5 in the blocks, tanh."""
    model = generator(blocks=1)
    kinds = [type(layer) for layer in model.modules() if not list(layer.children())]
    begin = [nn.ReflectionPad2d, nn.Conv2d, nn.InstanceNorm2d, nn.ReLU]
    block = [*begin, nn.Dropout, *begin[:-1]]
    up = [nn.ConvTranspose2d, nn.InstanceNorm2d, nn.ReLU]
    end = [nn.ReflectionPad2d, nn.Conv2d, nn.Tanh]
    assert kinds == [*begin, *begin[1:] * 2, *block, *up, *up, *end]
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            assert layer.p == 0.5
        if isinstance(layer, nn.InstanceNorm2d):
            assert not layer.affine and not layer.track_running_stats
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.bias is not None


def test_a_block_adds_to_what_goes_in():
    block, x = generator(blocks=1).layers[1], torch.rand(1, 16, 6, 7)
    torch.testing.assert_close(block(x), x + block.layers(x))


def test_dropout_acts_in_training_alone():
    model, image = generator(), torch.rand(1, 3, 32, 32)
    assert torch.equal(model(image), model(image))
    model.train()
    assert not torch.equal(model(image), model(image))


def test_all_weights_start_narrow():
    for layer in generator(channels=16, blocks=1).modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.weight.numel() >= 10_000:
            assert narrow(layer.weight, 0.02)


def test_the_neighbouring_slices_are_seen():
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    generator()(image)[0, 0, 16, 16].backward()
    assert (image.grad.abs().sum(dim=(2, 3)) > 0).all()


@pytest.mark.parametrize(("slices", "neighbours"), [(1, 0), (3, 1), (5, 2)])
def test_slices_are_one_and_its_neighbours_on_both_sides(slices, neighbours):
    model = generator(slices=slices)
    assert model.neighbours == neighbours
    assert model.predict(torch.rand(1, slices, 16, 16), PDW, T2W).shape == (1, 1, 16, 16)


def test_the_prediction_stays_within_0_and_1():
    model = generator()
    with torch.no_grad():
        model.layers[-1][-2].weight.mul_(1000)
    predicted = model.predict(torch.rand(1, 3, 32, 32), PDW, T2W)
    assert predicted.min() >= 0 and predicted.max() <= 1
    assert predicted.min() < 0.01 and predicted.max() > 0.99


def test_the_network_works_on_minus_1_to_1():
    """0 and 1 of the patient's scale go in as -1 and 1, and -1..1 comes out as 0..1."""
    model, image = generator(), torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(2 * model(image) - 1, model.layers(2 * image - 1))


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (9, 10)])
def test_any_size_goes_in_and_comes_out(size):
    assert generator().predict(torch.rand(2, 3, *size), PDW, T2W).shape == (2, 1, *size)
