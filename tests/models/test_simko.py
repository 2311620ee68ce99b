import numpy as np
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.models.simko import BOUNDS, SimkoGenerator, SimkoSettings, _convolution
from pipeline_lib.signal.sequences import Sequence

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)


def generator(channels: int = 2, signal: str = "simko") -> SimkoGenerator:
    torch.manual_seed(0)
    settings = SimkoSettings(channels=channels, signal=signal, batch_norm_momentum=0.01)
    return SimkoGenerator(settings).eval()


def test_the_papers_generator_has_19_6_million_parameters():
    """Counted by hand from the layer list: convolutions 19,636,619, normalisations 4,928."""
    count = sum(weight.numel() for weight in generator(channels=32).parameters())
    assert count == 19_636_619 + 4_928
    assert f"{count / 1e6:.3g}" == "19.6"


def test_borders_are_padded_as_numpy_pads_symmetrically():
    layer = _convolution(1, 1)
    image = torch.rand(1, 1, 7, 5)
    padded = np.pad(image[0, 0].numpy(), 1, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    expected = np.einsum("yxab,ab->yx", windows, layer.weight.detach().numpy()[0, 0])
    np.testing.assert_allclose(layer(image).detach().numpy()[0, 0], expected, atol=1e-6)


def test_maps_stay_within_their_bounds():
    model = generator()
    with torch.no_grad():
        model.head.weight.mul_(1000)
    maps = model.maps(torch.rand(2, 1, 32, 32), PDW)
    for index, (low, high) in enumerate(BOUNDS):
        assert maps[:, index].min() >= low and maps[:, index].max() <= high
    assert maps[:, 1].unique().numel() > 1


def test_the_last_layer_is_equation_1():
    model, image = generator(), torch.rand(2, 1, 32, 32)
    pd, t1, t2 = model.maps(image, PDW).split(1, dim=1)
    expected = pd * (1 - torch.exp(-4.5 / t1)) * torch.exp(-0.120 / t2)
    torch.testing.assert_close(model.predict(image, PDW, T2W), expected)


def test_the_exact_signal_is_lower_by_the_refocusing_pulse():
    image = torch.rand(1, 1, 32, 32)
    simko, exact = generator(), generator(signal="exact")
    assert (exact.predict(image, PDW, T2W) < simko.predict(image, PDW, T2W)).all()


@pytest.mark.parametrize("size", [(64, 64), (45, 70)])
def test_any_size_goes_in_and_comes_out(size):
    assert generator().predict(torch.rand(1, 1, *size), PDW, T2W).shape == (1, 1, *size)


def test_all_targets_come_from_the_same_maps():
    model, image = generator(), torch.rand(2, 1, 32, 32)
    together = model.predict_all(image, PDW, [PDW, T2W])
    torch.testing.assert_close(together[:, 1:], model.predict(image, PDW, T2W))
    torch.testing.assert_close(together[:, 1:], model(image, [T2W, T2W]))


def test_an_inversion_is_refused_where_equation_1_is_asked_for():
    flair = {"FLAIR": Sequence("IR-SE", te=0.1, tr=9.0, ti=2.5)}
    SimkoSettings(channels=2, signal="exact", batch_norm_momentum=0.01).check(flair)
    with pytest.raises(InputError, match="FLAIR has an inversion pulse"):
        SimkoSettings(channels=2, signal="simko", batch_norm_momentum=0.01).check(flair)
    with pytest.raises(InputError, match="signal is exact or simko"):
        SimkoSettings(channels=2, signal="eq1", batch_norm_momentum=0.01)
