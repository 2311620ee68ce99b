import pytest
import torch

from pipeline_lib.models.simko_discriminator import (
    RECEPTIVE_FIELD,
    DiscriminatorSettings,
    SimkoDiscriminator,
    valid_patches,
)


def discriminator(channels: int = 2, contrasts: int = 5) -> SimkoDiscriminator:
    torch.manual_seed(0)
    return SimkoDiscriminator(DiscriminatorSettings(channels), contrasts).eval()


def test_the_papers_discriminator_has_8_6_million_parameters():
    """Counted by hand: 1,280 + 295,168 + 1,180,160 + 3 x 2,359,808 + 27,654."""
    count = sum(weight.numel() for weight in discriminator(channels=128).parameters())
    assert count == 8_583_686
    assert f"{count / 1e6:.2g}" == "8.6"


def test_the_map_is_8_by_8_with_a_class_more_than_contrasts():
    assert discriminator()(torch.rand(1, 1, 256, 256)).shape == (1, 6, 8, 8)
    assert discriminator(contrasts=3)(torch.rand(1, 1, 128, 100)).shape == (1, 4, 4, 4)


def test_a_cell_sees_191_pixels_around_its_own():
    image = torch.rand(1, 1, 320, 320, requires_grad=True)
    discriminator()(image)[0, :, 5, 4].sum().backward()
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    for seen, centre in ((rows, 5 * 32), (columns, 4 * 32)):
        assert seen.min() == centre - 95 and seen.max() == centre + 95
        assert seen.max() - seen.min() + 1 == RECEPTIVE_FIELD


def test_noise_is_added_in_training_alone():
    model, image = discriminator(), torch.rand(1, 1, 64, 64)
    assert torch.equal(model(image), model(image))
    model.train()
    assert not torch.equal(model(image), model(image))


@pytest.mark.parametrize("size", [(256, 256), (100, 128)])
def test_patches_count_only_if_they_reach_the_body(size):
    body = torch.zeros(2, 1, *size, dtype=torch.bool)
    body[1, 0, 0, 0] = True
    valid = valid_patches(body)
    assert valid.shape[1:] == discriminator()(body.float()).shape[2:]
    assert not valid[0].any()
    reached = torch.arange(valid.shape[1]) * 32 <= 95
    assert torch.equal(valid[1, :, 0], reached)
