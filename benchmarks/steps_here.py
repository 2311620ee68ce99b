"""The project's own training step of each system, on random data of given shapes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline_lib.models.simko_discriminator import DiscriminatorSettings, SimkoDiscriminator
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.alkan import AlkanTraining, AlkanTrainingSettings
from pipeline_lib.training.conditional_gan import ConditionalGan, ConditionalGanSettings
from pipeline_lib.training.crl import CrlTraining, CrlTrainingSettings
from pipeline_lib.training.machine import Machine, this_machine
from pipeline_lib.training.method import Method
from pipeline_lib.training.paramnet import ParamNetTraining, ParamNetTrainingSettings
from pipeline_lib.training.preflight import Preflight, preflight
from pipeline_lib.training.regression import Regression, RegressionSettings
from pipeline_lib.training.resvit import ResVitTraining, ResVitTrainingSettings
from pipeline_lib.training.settings import settings_of
from pipeline_lib.training.simko import SimkoTraining, SimkoTrainingSettings
from pipeline_lib.training.simko_judges import ClassJudge
from pipeline_lib.training.systems import build_model

CONTRASTS = 7
SIMKO_CONTRASTS = 5
TISSUES = tuple(f"tissue{number}" for number in range(7))


class RandomVgg(torch.nn.Module):
    """VGG16's first four convolutions with random weights, which cost what trained ones do."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 64), (64, 64), (64, 128), (128, 128))
        self.layers = torch.nn.ModuleList(
            torch.nn.Conv2d(into, out, kernel_size=3, padding=1) for into, out in widths
        )
        self.requires_grad_(False)

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Compare features."""
        return (self._features(predicted) - self._features(target)).abs().mean()

    def _features(self, image: Tensor) -> Tensor:
        x = image.expand(-1, 3, -1, -1)
        for place, layer in enumerate(self.layers):
            if place == 2:
                x = torch.nn.functional.max_pool2d(x, 2)
            x = torch.relu(layer(x))
        return x


def step_here(
    system: str, shapes: Mapping[str, torch.Size], settings: Mapping[str, Any], device: str
) -> tuple[Callable[[], None], Preflight, str]:
    """Give the step, what it was expected to cost, and its precision.

    Parameters
    ----------
    system
        As in `train_step.SYSTEMS`.
    shapes
        Of the plain side's batch.
    settings
        All settings of the system at paper scale.
    device
        `cpu` or `cuda`.
    """
    machine = this_machine("auto")
    batch = random_batch(system, shapes)
    expected = preflight(
        lambda m: only_phase(build(system, settings, m), system), batch, 1, machine
    )
    method = build(system, settings, machine)
    batch = batch.to(torch.device(device))
    phase = phase_of(method, system)

    def step() -> None:
        for update in method.updates(phase, 0):
            update.optimizer.zero_grad(set_to_none=True)
            loss, _ = update.losses(batch)
            loss.backward()
            update.optimizer.step()

    return step, expected, str(machine.precision).removeprefix("torch.")


def phase_of(method: Method, system: str) -> str:
    """Name of the phase that is measured."""
    return method.phases[0 if system == "autoencoder" else -1].name


def only_phase(method: Method, system: str) -> Method:
    """Leave a method the one phase whose cost is counted."""
    method.phases = tuple(p for p in method.phases if p.name == phase_of(method, system))
    return method


def build(system: str, settings: Mapping[str, Any], machine: Machine) -> Method:
    """Build networks and optimisers at paper scale."""
    family = {"autoencoder": "paramnet"}.get(system, system.partition("_")[0])
    model: Any = build_model(family, settings, TISSUES)
    if family == "crl":
        return CrlTraining(model, settings_of(CrlTrainingSettings, settings), machine)
    if family == "paramnet":
        return ParamNetTraining(model, settings_of(ParamNetTrainingSettings, settings), machine)
    if family == "alkan":
        return AlkanTraining(model, settings_of(AlkanTrainingSettings, settings), machine)
    if family == "unet":
        return Regression(model, settings_of(RegressionSettings, settings), machine)
    if family == "simko":
        size = settings_of(DiscriminatorSettings, settings)
        judge = ClassJudge(SimkoDiscriminator(size, SIMKO_CONTRASTS), range(SIMKO_CONTRASTS))
        of_training = settings_of(SimkoTrainingSettings, settings)
        return SimkoTraining(model, judge, of_training, machine)
    of_gan = settings_of(ConditionalGanSettings, settings)
    if family == "resvit":
        first = settings_of(ResVitTrainingSettings, settings)
        return ResVitTraining(model, first, of_gan, machine)
    return ConditionalGan(model, RandomVgg() if family == "pgan" else None, of_gan, machine)


def random_batch(system: str, shapes: Mapping[str, torch.Size]) -> Batch:
    """Random images of the plain side's sizes."""
    draws = torch.Generator().manual_seed(0)
    if system.startswith("crl"):
        images = next(iter(shapes.values()))
        source = (images[0], 1, *images[2:])
        targets = CONTRASTS
    else:
        source = shapes["source"] if "source" in shapes else next(iter(shapes.values()))
        targets = SIMKO_CONTRASTS if system == "unet" else 1
    count, _, rows, columns = source
    sequences = tuple(
        Sequence("SE", te=0.01 * (number + 1), tr=1.0 + number) for number in range(targets)
    )
    return Batch(
        source=torch.rand(source, generator=draws),
        body=torch.ones(count, 1, rows, columns, dtype=torch.bool),
        targets=torch.rand((count, targets, rows, columns), generator=draws),
        source_contrast=torch.zeros(count, dtype=torch.int64),
        target_contrasts=torch.arange(targets).expand(count, -1) + (system == "simko"),
        source_sequences=(sequences[0],) * count,
        target_sequences=(sequences,) * count,
    )
