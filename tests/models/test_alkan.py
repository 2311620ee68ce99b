import pytest
import torch
from torch import nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.alkan import AlkanNetwork, AlkanSettings
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import convolutions, reach, weights

T1W = Sequence("SE", te=0.008, tr=0.6)
T2W = Sequence("SE", te=0.120, tr=4.5)
# The brain's mask is made by the network's owner of these seven: eight masks, as in the paper.
SEVEN = ("gm", "wm", "csf", "subcortical", "vessel", "cerebellum", "unknown")


def network(layers: int = 9, channels: int = 32, tissues: tuple[str, ...] = ()) -> AlkanNetwork:
    torch.manual_seed(0)
    settings = AlkanSettings(layers, channels, bool(tissues), batch_norm_momentum=0.01)
    return AlkanNetwork(settings, tissues).eval()


@pytest.mark.parametrize("layers", [9, 3])
@pytest.mark.parametrize(("tissues", "into"), [((), 1), (SEVEN, 9)])
def test_the_layers_are_those_of_section_4_1(layers, tissues, into):
    model = network(layers, tissues=tissues)
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * (layers - 1) + [nn.Conv2d]
    assert convolutions(model) == [
        ("conv", into, 32, 3, 1),
        *[("conv", 32, 32, 3, 1)] * (layers - 2),
        ("conv", 32, 1, 3, 1),
    ]
    assert all(layer.padding == (1, 1) for layer in model.layers if isinstance(layer, nn.Conv2d))


def test_normalisation_has_the_papers_momentum_and_epsilon():
    """0.99 of the old statistics are kept (Keras), so 0.01 of the new enter (PyTorch)."""
    norms = [layer for layer in network().layers if isinstance(layer, nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(0.001, 0.01)] * 8
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)


@pytest.mark.parametrize(
    ("layers", "tissues", "first"),
    [(9, (), 320), (9, SEVEN, 2_624), (3, (), 320), (3, SEVEN, 2_624)],
)
def test_weights_are_as_many_as_counted_by_hand(layers, tissues, first):
    """In: 9 x 32 + 32 or 9 x 9 x 32 + 32; inside 9,248 each; out 289; 64 each normalisation."""
    inside, norms = (layers - 2) * (9 * 32 * 32 + 32), (layers - 1) * 2 * 32
    assert weights(network(layers, tissues=tissues)) == first + inside + 9 * 32 + 1 + norms


def test_the_mean_is_taken_off_the_image_alone_and_put_back():
    """Worked out by hand for a pixel at a time: weights 1, 2, 4 for image and two masks.

    0.75 is 0.5 above the mean 0.25. Masks (+1, -1): 0.5 + 2 - 4 < 0, so the ReLU gives 0 and the
    mean comes out; masks (-1, +1): 0.5 - 2 + 4 = 2.5, divided by the normalisation's sqrt(1.001).
    """
    model = network(layers=2, channels=1, tissues=("gm",))
    first, last = model.layers[0], model.layers[-1]
    with torch.no_grad():
        model.mean.fill_(0.25)
        for layer, taps in ((first, (1.0, 2.0, 4.0)), (last, (1.0,))):
            layer.weight.zero_()
            layer.weight[0, :, 1, 1] = torch.tensor(taps)
    image = torch.tensor([[0.75, 0.75]])
    body, tissue = torch.tensor([[1.0, -1.0]]), torch.tensor([[-1.0, 1.0]])
    predicted = model.predict(torch.stack([image, body, tissue])[None], T1W, T2W)
    expected = torch.tensor([[[[0.25, 0.25 + 2.5 / 1.001**0.5]]]])
    torch.testing.assert_close(predicted, expected)


def test_the_mean_is_kept_with_the_weights():
    model = network(channels=2)
    model.mean.fill_(0.25)
    other = network(channels=2)
    other.load_state_dict(model.state_dict())
    assert other.mean == 0.25


def test_masks_are_asked_for_only_where_they_are_shown():
    assert network().tissues == () and network(tissues=SEVEN).tissues == SEVEN
    unshown = AlkanSettings(layers=2, channels=1, tissue_masks=False, batch_norm_momentum=0.01)
    assert AlkanNetwork(unshown, SEVEN).tissues == ()


@pytest.mark.parametrize(("layers", "size"), [(9, 19), (3, 7)])
def test_a_pixel_sees_a_square_around_it(layers, size):
    """Each 3 x 3 convolution adds a pixel on every side."""
    image = torch.rand(1, 1, 31, 33, requires_grad=True)
    network(layers).predict(image, T1W, T2W)[0, 0, 15, 14].backward()
    half = size // 2
    assert reach(image.grad[0, 0]) == (15 - half, 15 + half, 14 - half, 14 + half)


@pytest.mark.parametrize("size", [(31, 17), (8, 9), (1, 1)])
def test_any_size_goes_in_and_comes_out(size):
    assert network(channels=2).predict(torch.rand(2, 1, *size), T1W, T2W).shape == (2, 1, *size)


def test_settings_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="layers is 1"):
        AlkanSettings(layers=1, channels=1, tissue_masks=False, batch_norm_momentum=0.01)
    masked = AlkanSettings(layers=2, channels=1, tissue_masks=True, batch_norm_momentum=0.01)
    with pytest.raises(InputError, match="the dataset has no tissues"):
        AlkanNetwork(masked, ())
