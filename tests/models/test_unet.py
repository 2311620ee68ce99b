import pytest
import torch
from torch import nn

from pipeline_lib.models.sequence_features import sequence_features
from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.signal.sequences import Sequence
from tests.models.probes import convolutions, linears

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)
FLAIR = Sequence("IR-FSE", te=0.120, tr=9.0, ti=2.5, te_last=0.2)


def tiny(pixel_block: int = 2, conditioned: bool = True) -> UNet:
    torch.manual_seed(0)
    settings = UNetSettings(
        pixel_block=pixel_block, channels=[4, 8, 8], features=4, embedding=8,
        conditioned=conditioned,
    )  # fmt: skip
    return UNet(settings).eval()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (8, 9)])
@pytest.mark.parametrize("pixel_block", [1, 2])
@pytest.mark.parametrize("conditioned", [True, False])
def test_any_size_goes_in_and_comes_out(size, pixel_block, conditioned):
    model = tiny(pixel_block, conditioned)
    assert model.predict(torch.rand(2, 1, *size), PDW, T2W).shape == (2, 1, *size)


def test_padding_does_not_move_the_image():
    """Where the borders are out of reach, a padded image gives what it gives unpadded."""
    model = tiny()
    image = torch.rand(1, 1, 64, 64)
    whole = model.predict(image, PDW, T2W)
    cut = model.predict(image[..., :59], PDW, T2W)
    torch.testing.assert_close(cut[..., :12], whole[..., :12])


def test_both_sequences_change_the_prediction():
    model, image = tiny(), torch.rand(1, 1, 16, 16)
    asked = model.predict(image, PDW, T2W)
    assert not torch.allclose(asked, model.predict(image, PDW, FLAIR))
    assert not torch.allclose(asked, model.predict(image, FLAIR, T2W))


def test_several_targets_in_one_pass_are_those_asked_one_by_one():
    model, image = tiny(), torch.rand(2, 1, 16, 16)
    together = model.predict_all(image, PDW, [PDW, T2W, FLAIR])
    for index, target in enumerate((PDW, T2W, FLAIR)):
        torch.testing.assert_close(
            together[:, index : index + 1], model.predict(image, PDW, target)
        )


def test_each_image_of_a_batch_has_its_own_sequences():
    model, image = tiny(), torch.rand(2, 1, 16, 16)
    mixed = model(image, [PDW, T2W], [[T2W], [FLAIR]])
    torch.testing.assert_close(mixed[:1], model.predict(image[:1], PDW, T2W))
    torch.testing.assert_close(mixed[1:], model.predict(image[1:], T2W, FLAIR))


def test_times_are_described_on_a_log_scale():
    short, middle, long = sequence_features(
        [Sequence("SE", te=te, tr=4.5) for te in (0.01, 0.02, 0.04)]
    )
    torch.testing.assert_close(middle - short, long - middle)
    inverted = sequence_features([FLAIR])[0]
    assert inverted[3] == 1 and inverted[4] == 1 and inverted[2] != 0
    assert (short[2:] == 0).all()


def test_a_plain_regression_has_no_maps():
    assert tiny().maps(torch.rand(1, 1, 16, 16), PDW) is None


def test_without_conditioning_no_layer_reads_sequences():
    model = tiny(conditioned=False)
    assert linears(model) == [] and not hasattr(model, "embed") and not hasattr(model, "mix")
    assert {type(layer) for layer in model.modules() if not list(layer.children())} == {nn.Conv2d}
    assert len(linears(tiny())) > 0


@pytest.mark.parametrize("pixel_block", [1, 2])
def test_without_conditioning_the_last_layer_gives_one_image(pixel_block):
    last = convolutions(tiny(pixel_block, conditioned=False))[-1]
    assert last == ("conv", 4, pixel_block**2, 1, 1)


def test_without_conditioning_any_sequences_give_the_same_prediction():
    model, image = tiny(conditioned=False), torch.rand(2, 1, 16, 16)
    asked = model.predict(image, PDW, T2W)
    assert torch.equal(asked, model.predict(image, FLAIR, PDW))
    assert torch.equal(asked, model(image, [PDW, T2W], [[FLAIR], [PDW]]))
    assert not torch.equal(asked, image)
