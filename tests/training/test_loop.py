"""The loop: parts of a batch, the average of the weights, patience, the weights that are kept."""

import pytest
import torch
from torch import nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.unet import UNet, UNetSettings
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.slices.selection import Channels, Selection
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.average import WeightAverage
from pipeline_lib.training.checkpoint import Checkpoint
from pipeline_lib.training.loop import Training
from pipeline_lib.training.method import Method
from pipeline_lib.training.processes import Processes
from pipeline_lib.training.regression import Regression, RegressionSettings
from pipeline_lib.training.settings import LoopSettings, settings_of
from pipeline_lib.training.validation import Validation
from tests.training.steps import CPU, Killed, die_at
from tests.training.stores import SIZE, write_patient
from tests.training.systems import losses, tiny


@pytest.fixture
def folders(tmp_path):
    """Patients whose bodies differ in size."""
    for number, radius in enumerate((SIZE / 3, SIZE / 6)):
        write_patient(tmp_path / "slices", f"sub-{number}", number, radius=radius)
    return [tmp_path / "slices" / f"sub-{number}" for number in range(2)]


class Told:
    """A validation of known errors, one after the other, that keeps the weights it is shown."""

    def __init__(self, errors):
        self.errors, self.seen = list(errors), []

    def error(self, model, machine):
        self.seen.append(weights_of(model))
        return self.errors.pop(0)


def training_of(tmp_path, folders, validation=None, name="run", **changes):
    """Give a training of a small U-Net of all contrasts, ready to run."""
    section = tiny("unet", **{"steps": 5, "log_every": 1, "validate_every": 1, **changes})
    torch.manual_seed(3)
    network = UNet(settings_of(UNetSettings, section))
    return Training(
        Regression(network, settings_of(RegressionSettings, section), CPU),
        PairedSlices(folders, 0, Selection((0, 1, 2), (0, 1, 2), augmentation="mirror")),
        validation,
        settings_of(LoopSettings, section),
        seed=1,
        checkpoint=Checkpoint(tmp_path / name, "digest"),
        machine=CPU,
        processes=Processes(),
    )


def weights_of(model: nn.Module) -> torch.Tensor:
    return flat({"model": model.state_dict()})


def flat(networks):
    """Give all weights of the model in one row; a U-Net has no buffers."""
    return torch.cat([tensor.flatten() for _, tensor in sorted(networks["model"].items())]).clone()


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("bodies", ["of one size", "of different sizes"])
def test_a_step_in_parts_is_the_step_of_the_whole_batch(tmp_path, folders, parts, bodies):
    patients = folders[:1] if bodies == "of one size" else folders
    whole = training_of(tmp_path, patients, name="whole")
    split = training_of(tmp_path, patients, name="parts", accumulate=parts)
    for each in (whole, split):  # Adam divides by tiny gradients, which makes much of rounding
        weights = each.method.model.parameters()
        each.method.optimizer = torch.optim.SGD(weights, lr=1.0, momentum=0.9)
    start = weights_of(whole.method.model)
    torch.testing.assert_close(flat(split.run()), flat(whole.run()), rtol=0, atol=1e-6)
    assert (weights_of(whole.method.model) - start).abs().max() > 1e-3
    logged, expected = (
        losses(each.checkpoint.folder, each.checkpoint.losses.name).value.to_numpy()
        for each in (split, whole)
    )
    assert logged == pytest.approx(expected, rel=1e-5) and len(logged) == 5


def test_without_a_decay_no_average_is_kept(tmp_path, folders):
    training = training_of(tmp_path, folders)
    kept = flat(training.run())
    assert training.average.weights == {} and training.average.updates == 0
    assert torch.equal(kept, weights_of(training.method.model))
    tensors, _ = training.checkpoint.load()
    assert not any(name.startswith("average.") for name in tensors)


@pytest.mark.parametrize("decay", [0.05, 0.25, 0.9])
@pytest.mark.parametrize("validated", [True, False])
def test_the_average_is_validated_and_kept(tmp_path, folders, monkeypatch, decay, validated):
    """The first decays are 1/10, 2/11, 3/12 ... but no more than the one asked for."""
    validation = Told([5.0, 4.0, 3.0, 2.0, 1.0]) if validated else None
    training = training_of(tmp_path, folders, validation, average=decay)
    live = []
    monkeypatch.setattr(
        training.progress, "add", lambda values: live.append(weights_of(training.method.model))
    )
    monkeypatch.setattr(training.progress, "means", dict)
    mean, expected = weights_of(training.method.model), []
    kept = flat(training.run())
    for number, weights in enumerate(live):
        share = min(decay, (1 + number) / (10 + number))
        mean = share * mean + (1 - share) * weights
        expected.append(mean)
    torch.testing.assert_close(kept, expected[-1], rtol=0, atol=1e-6)
    assert (kept - live[-1]).abs().max() > 1e-5
    assert torch.equal(weights_of(training.method.model), live[-1])
    for seen, wanted in zip(validation.seen if validated else [], expected, strict=validated):
        torch.testing.assert_close(seen, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("at", [1, 6, 11])
def test_a_resumed_training_goes_on_with_its_average(tmp_path, folders, monkeypatch, at):
    store = PatientSlices.open(folders[1])
    validation = Validation([store], [(0, 1), (2, 0)], Channels(), 2)
    run = {"validation": validation, "average": 0.9, "steps": 12, "log_every": 5}
    whole = training_of(tmp_path, folders, name="whole", **run)
    expected = flat(whole.run())
    die_at([at], monkeypatch)
    with pytest.raises(Killed):
        training_of(tmp_path, folders, name="killed", **run).run()
    resumed = training_of(tmp_path, folders, name="killed", **run)
    assert resumed.checkpoint.load()[1]["step"] == at
    assert torch.equal(flat(resumed.run()), expected)
    assert resumed.average.updates == whole.average.updates == 12
    for name, average in whole.average.weights.items():
        assert torch.equal(resumed.average.weights[name], average)


@pytest.mark.parametrize(
    ("patience", "errors", "steps"),
    [
        (2, [3, 2, 2.5, 2.1, 1, 0, 0, 0], 4),  # the third and fourth are no better
        (2, [3, 2, 2.5, 1, 2, 0.5, 3, 3], 8),  # never two in a row before the end
        (1, [3, 3, 1, 0, 0, 0, 0, 0], 2),  # an equal error is no better one
        (0, [1, 2, 3, 4, 5, 6, 7, 8], 8),
    ],
)
def test_a_phase_ends_after_so_many_validations_without_a_better_one(
    tmp_path, folders, patience, errors, steps
):
    training = training_of(tmp_path, folders, Told(errors), patience=patience, steps=8)
    training.run()
    assert training.progress.step == steps
    assert training.progress.best_error == min(errors[:steps])


def test_the_weights_of_the_best_validation_are_kept(tmp_path, folders):
    validation = Told([3.0, 1.0, 2.0, 1.0, 5.0])
    training = training_of(tmp_path, folders, validation)
    kept = flat(training.run())
    assert torch.equal(kept, validation.seen[1])
    assert not torch.equal(kept, validation.seen[-1])
    assert training.progress.best_step == 2


def test_without_validation_the_last_weights_are_kept(tmp_path, folders):
    training = training_of(tmp_path, folders)
    assert torch.equal(flat(training.run()), weights_of(training.method.model))
    assert training.progress.best_step is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_longer_finite_is_told(tmp_path, folders, monkeypatch, value):
    training = training_of(tmp_path, folders, log_every=2)
    method: Method = training.method
    given = method.losses

    def spoiled(batch):
        loss, _ = given(batch)
        return loss, {"loss": loss * value}

    monkeypatch.setattr(method, "losses", spoiled)
    with pytest.raises(InputError, match=r"loss of descent .* at step 2; .* learning_rate"):
        training.run()


def test_applying_the_average_leaves_weights_and_average_as_they_were():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    average = WeightAverage(network, decay=0.7)
    for _ in range(3):
        for weight in network.parameters():
            weight.data += torch.randn_like(weight)
        average.update()
    live = {name: value.clone() for name, value in network.state_dict().items()}
    mean = {name: value.clone() for name, value in average.weights.items()}
    with average.applied():
        applied = dict(network.named_parameters())
        assert all(torch.equal(applied[name], value) for name, value in mean.items())
        assert not any(torch.equal(applied[name], live[name]) for name in mean)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in live.items())
    assert all(torch.equal(average.weights[name], value) for name, value in mean.items())
