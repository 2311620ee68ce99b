"""The losses of Alkan, CRL and Param-Net, worked out by hand (see test_gan.py for the GANs)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.models.paramnet import ParamNet, ParamNetSettings
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.slices.selection import Patches, Selection
from pipeline_lib.training.alkan import squared_error, training_mean
from pipeline_lib.training.crl import structure_loss
from pipeline_lib.training.paramnet import (
    AUTOENCODER,
    PARAMETERS,
    ParamNetTraining,
    ParamNetTrainingSettings,
)
from tests.training.steps import CPU, batch_of
from tests.training.stores import write_patient

PAIRS = {"all": [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
         "consecutive": [(0, 1), (1, 2), (2, 3)]}  # fmt: skip


def test_alkans_error_is_the_mean_square_of_the_first_target():
    batch = batch_of(torch.zeros(2, 1, 1, 2), torch.tensor([[[[1.0, 2]]], [[[3, 4]]]]), [0, 0],
                     [[1], [1]])  # fmt: skip
    predicted = torch.tensor([[[[1.0, 4]]], [[[2, 7]]]])
    assert squared_error(predicted, batch).item() == pytest.approx((0 + 4 + 1 + 9) / 4)


def test_the_training_mean_is_of_all_source_and_target_images_alike(tmp_path):
    """Of 3 slices with 1 and 3, and of 1 slice with 5 and 15; the third contrast is not asked."""
    for name, slices, value in (("sub-1", 3, 1.0), ("sub-2", 1, 5.0)):
        store = write_patient(tmp_path / "made", name, seed=0, slices=slices)
        images = np.full(store.images.shape, 1000.0)
        images[:, 0], images[:, 1] = value, 3 * value
        replace(store, images=images).write(tmp_path / name)
    folders = [tmp_path / "sub-1", tmp_path / "sub-2"]
    for patches in (None, Patches(16, stride=8)):
        dataset = PairedSlices(folders, 0, Selection((0,), (1,), patches=patches))
        assert training_mean(dataset) == pytest.approx((3 * 1 + 3 * 3 + 5 + 15) / 8)


@pytest.mark.parametrize("pairs", PAIRS)
def test_the_structure_term_is_minus_the_mean_correlation_of_feature_maps(pairs):
    common = torch.randn(2, 4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    common = common + common[:, :1]  # the others resemble the first
    expected = [
        np.corrcoef(common[image, one, channel].ravel(), common[image, other, channel].ravel())[
            0, 1
        ]
        for image in range(2)
        for channel in range(3)
        for one, other in PAIRS[pairs]
    ]
    assert structure_loss(common, pairs).item() == pytest.approx(-np.mean(expected), abs=1e-6)


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize(("sign", "expected"), [(1, -1), (-1, 1)])
def test_the_structure_term_lies_between_minus_1_and_1(pairs, sign, expected):
    image = torch.randn(1, 1, 2, 4, 4)
    both = torch.cat([image, 5 + 2 * sign * image], dim=1)
    assert structure_loss(both, pairs).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize("constant", [[0], [0, 1, 2, 3]])
def test_constant_feature_maps_have_no_correlation_and_finite_gradients(pairs, constant):
    common = torch.randn(2, 4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    common[:, constant] = 0.25
    common.requires_grad_(True)
    loss = structure_loss(common, pairs)
    loss.backward()
    assert common.grad.isfinite().all()
    counted = [pair for pair in PAIRS[pairs] if not set(pair) & set(constant)]
    alone = common.detach()[:, [1, 2, 3]] if counted else None
    share = len(counted) / len(PAIRS[pairs])
    expected = structure_loss(alone, pairs).item() * share if counted else 0
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def paramnet(default_source=""):
    settings = ParamNetSettings([4, 4], ["te", "tr"], default_source, "planes")
    return ParamNetTraining(ParamNet(settings), ParamNetTrainingSettings(3, 5, 0.1), CPU)


def loss_of(training, phase, batch):
    (update,) = training.updates(phase, 0)
    loss, named = update.losses(batch)
    assert [value.item() for value in named.values()] == [loss.item()]
    return loss.item()


def test_the_autoencoders_error_is_of_images_between_minus_1_and_1():
    """Sources of 0.25 and 1 are -0.5 and 1; what is given back is 0.5."""
    training = paramnet()
    training.model.autoencoder = constant(0.5)
    source = torch.tensor([0.25, 1.0])[:, None, None, None].expand(2, 1, 4, 4)
    batch = batch_of(source, None, [0, 1], [[1], [0]])
    assert loss_of(training, AUTOENCODER, batch) == pytest.approx((1 + 0.25) / 2)


def test_param_nets_error_is_of_images_between_minus_1_and_1():
    """A difference of 0.25 in units of the patient's scale is 0.5."""
    training = paramnet()
    given = []
    training.model.forward = lambda *what: given.append(what) or torch.full((2, 1, 4, 4), 0.75)
    source, target = torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.5)
    batch = batch_of(source, target, [0, 1], [[2], [0]])
    assert loss_of(training, PARAMETERS, batch) == pytest.approx(0.25)
    assert given[0][1] == batch.source_sequences
    assert list(given[0][2]) == [targets[0] for targets in batch.target_sequences]


def test_the_autoencoder_is_frozen_while_param_net_learns():
    training = paramnet()
    of = {"autoencoder": training.model.autoencoder, "blocks": training.model.blocks}
    batch = batch_of(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8), [0, 1], [[2], [0]])
    for phase, moved in ((AUTOENCODER, "autoencoder"), (PARAMETERS, "blocks")):
        before = {name: state_of(part) for name, part in of.items()}
        (update,) = training.updates(phase, 0)
        update.losses(batch)[0].backward()
        update.optimizer.step()
        after = {name: state_of(part) for name, part in of.items()}
        assert {name for name in of if not torch.equal(before[name], after[name])} == {moved}


def state_of(part: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().double().flatten() for value in part.state_dict().values()])


def constant(value: float) -> nn.Module:
    class Constant(nn.Module):
        def forward(self, image):
            return torch.full_like(image, value)

    return Constant()
