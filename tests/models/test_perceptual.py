from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.models.perceptual import EdgeDistance, VggDistance, read_vgg16
from tests.models.probes import weights

SHAPES = {
    "features.0": (64, 3),
    "features.2": (64, 64),
    "features.5": (128, 64),
    "features.7": (128, 128),
}


def fabricated() -> dict[str, Tensor]:
    torch.manual_seed(0)
    tensors = {"classifier.0.weight": torch.rand(2, 2)}
    for name, (out, into) in SHAPES.items():
        tensors[f"{name}.weight"] = torch.randn(out, into, 3, 3) * (2 / (9 * into)) ** 0.5
        tensors[f"{name}.bias"] = torch.randn(out) / 10
    return tensors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vgg16.safetensors"
    save_file(fabricated(), path)
    return path


def test_edges_of_one_bright_pixel_are_as_counted_by_hand():
    """A corner of 16: of 56 differences along rows one is 16; then 1 of 12 is 4; then 1 of 2 is 1.

    The same along columns; the mean of the three resolutions is the distance.
    """
    predicted, target = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    predicted[..., 0, 0] = 16
    expected = (2 * 16 / 56 + 2 * 4 / 12 + 2 * 1 / 2) / 3
    torch.testing.assert_close(EdgeDistance()(predicted, target), torch.tensor(expected))
    torch.testing.assert_close(EdgeDistance()(target, predicted), torch.tensor(expected))


def test_edges_of_equal_and_of_offset_images_are_the_same():
    target = torch.rand(2, 1, 16, 12)
    assert EdgeDistance()(target, target) == 0
    assert EdgeDistance()(target + 0.25, target) < 1e-6
    assert EdgeDistance()(target.flip(-1), target) > 0.1


def test_edges_have_a_gradient_towards_the_target():
    torch.manual_seed(0)
    target, predicted = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16, requires_grad=True)
    distance = EdgeDistance()(predicted, target)
    (gradient,) = torch.autograd.grad(distance, predicted)
    assert EdgeDistance()(predicted - 0.1 * gradient, target) < distance


def test_vgg_compares_the_layer_relu2_2(file):
    """By hand: two convolutions of three equal channels, pooling, two more, a ReLU after each."""
    tensors = fabricated()

    def features(image: Tensor) -> Tensor:
        x = torch.cat([image] * 3, dim=1)
        for name in SHAPES:
            if name == "features.5":
                x = F.max_pool2d(x, kernel_size=2, stride=2)
            x = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1)
            x = x.clamp(min=0)
        return x

    predicted, target = torch.rand(2, 1, 12, 10), torch.rand(2, 1, 12, 10)
    expected = (features(predicted) - features(target)).abs().mean()
    assert expected > 0.01
    torch.testing.assert_close(VggDistance(read_vgg16(file))(predicted, target), expected)


def test_vgg_is_not_trained_but_passes_the_gradient_on(file):
    distance = VggDistance(read_vgg16(file))
    assert weights(distance) == 260_160
    assert not any(weight.requires_grad for weight in distance.parameters())
    predicted = torch.rand(1, 1, 8, 8, requires_grad=True)
    distance(predicted, torch.rand(1, 1, 8, 8)).backward()
    assert predicted.grad.abs().sum() > 0


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.safetensors"
    with pytest.raises(InputError, match=r"absent\.safetensors can't be read") as error:
        read_vgg16(path)
    assert str(path) in str(error.value)


def test_a_file_of_another_format_is_named(tmp_path):
    path = tmp_path / "vgg16.pth"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match="can't be read") as error:
        read_vgg16(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("change", ["absent", "another shape", "other names"])
def test_a_file_without_the_tensors_is_named(file, change):
    tensors = fabricated()
    name = "features.7.weight"
    if change == "absent":
        del tensors[name]
    elif change == "another shape":
        tensors[name] = torch.rand(128, 128, 1, 1)
    else:
        tensors = {f"vgg.{key}": value for key, value in tensors.items()}
    save_file(tensors, file)
    with pytest.raises(InputError, match="holds no vgg16") as error:
        read_vgg16(file)
    assert str(file) in str(error.value)
