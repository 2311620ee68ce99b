import pytest
import torch

from pipeline_lib.models.unet import UNet, UNetSettings, sequence_features
from pipeline_lib.signal.sequences import Sequence

PDW = Sequence("SE", te=0.008, tr=4.5)
T2W = Sequence("SE", te=0.120, tr=4.5)
FLAIR = Sequence("IR-FSE", te=0.120, tr=9.0, ti=2.5, te_last=0.2)


def tiny(pixel_block: int = 2) -> UNet:
    torch.manual_seed(0)
    settings = UNetSettings(pixel_block=pixel_block, channels=[4, 8, 8], features=4, embedding=8)
    return UNet(settings).eval()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (8, 9)])
@pytest.mark.parametrize("pixel_block", [1, 2])
def test_any_size_goes_in_and_comes_out(size, pixel_block):
    assert tiny(pixel_block).predict(torch.rand(2, 1, *size), PDW, T2W).shape == (2, 1, *size)


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
