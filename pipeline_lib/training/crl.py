"""Training of CRL (Xiong et al. 2024): every contrast from every other, one encoder pass each."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.optim import Adam
from torch.utils.checkpoint import checkpoint

from pipeline_lib.errors import check_choice
from pipeline_lib.models.crl import CrlNetwork
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Descent, Losses
from pipeline_lib.training.schedules import halved

Structure = Literal["all", "consecutive"]
# Keeps the correlation of a constant feature map, which has none, at 0.
FLOOR = 1e-8


@dataclass(frozen=True)
class CrlTrainingSettings:
    """Length, rate, patches and the weight of the structure term.

    Attributes
    ----------
    steps
        Number of steps.
    learning_rate
        First rate of Adam, 1e-4 in the paper.
    halve_every
        Steps after which it is halved, 200 epochs in the paper.
    structure_weight
        Lambda of Eq. 5, 0.1.
    structure
        Which pairs of common features are compared: `all` (Eq. 4), or `consecutive` contrasts
        as in the published code.
    patch_size, patch_margin
        Of the patches, 64 pixels and at least 20 from the border in the published code.
    """

    steps: int
    learning_rate: float
    halve_every: int
    structure_weight: float
    structure: Structure
    patch_size: int
    patch_margin: int

    def __post_init__(self) -> None:
        check_choice("structure", self.structure, get_args(Structure))


class CrlTraining(Descent):
    """A method (see `training.method`).

    The published code passes every ordered pair of the n contrasts through the whole network,
    n (n - 1) encoder passes a step (42 for its 7). But the features of a source are the same for
    all its targets: n passes give the same loss and the same gradients.
    """

    def __init__(self, model: CrlNetwork, settings: CrlTrainingSettings, machine: Machine) -> None:
        self.settings = settings
        self.machine = machine
        self.network = machine.place(model)
        optimizer = Adam(self.network.parameters(), lr=settings.learning_rate, fused=True)
        super().__init__(self.network, optimizer, settings.steps)

    def rate(self, step: int) -> float:
        """Halve the rate as the settings say."""
        return halved(step, self.settings.learning_rate, self.settings.halve_every)

    def losses(self, batch: Batch) -> Losses:
        """Give Equation 5; its two terms are logged too."""
        images = batch.targets
        assert images is not None  # paired data always have it
        count, contrasts = images.shape[:2]
        codes = self.network.codes(
            [s for each in batch.target_sequences for s in each], images.device
        )
        with self.machine.autocast():
            common = self.network.common(images.flatten(0, 1)[:, None], codes)
        common = common.unflatten(0, (count, contrasts))
        codes = codes.unflatten(0, (count, contrasts))
        absolute = torch.stack(
            [self._from(source, common, codes, images) for source in range(contrasts)]
        ).mean()
        structure = structure_loss(common.float(), self.settings.structure)
        loss = absolute + self.settings.structure_weight * structure
        return loss, {"loss": loss, "l1": absolute, "structure": structure}

    def _from(self, source: int, common: Tensor, codes: Tensor, images: Tensor) -> Tensor:
        """Mean absolute error of all targets from one source.

        What lies between the common features and the error is computed again in the backward
        pass: the decoder is a twentieth of the work, but most of the memory.
        """
        others = [target for target in range(images.shape[1]) if target != source]

        def error(common: Tensor, codes: Tensor) -> Tensor:
            with self.machine.autocast():
                errors = [
                    (self.network.render(common, codes[:, target]) - images[:, target, None])
                    .abs()
                    .mean()
                    for target in others
                ]
            return torch.stack(errors).mean()

        return checkpoint(
            error, common[:, source], codes, use_reentrant=False, preserve_rng_state=False
        )


def structure_loss(common: Tensor, pairs: Structure) -> Tensor:
    """Minus the mean structural similarity of the common features of pairs of contrasts.

    The structure term of SSIM (Wang et al. 2004, Eq. 10) is the correlation of two images; as in
    the published code it is taken over the whole feature map, image by image and channel by
    channel. Eq. 4 of the paper is a sum over pairs; the mean of the published code keeps the
    weight of the term apart from the number of contrasts.

    Parameters
    ----------
    common
        float32 [batch, contrast, channel, row, column].
    pairs
        `all`: every pair of two contrasts; `consecutive`: each contrast and the next.

    Returns
    -------
        A scalar between -1 and 1.
    """
    values = common.flatten(3)
    centred = values - values.mean(dim=-1, keepdim=True)
    covariance = torch.einsum("bicp,bjcp->bcij", centred, centred) / values.shape[-1]
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    spread = variance.clamp(min=FLOOR**2).sqrt()
    correlation = covariance / (spread[..., :, None] * spread[..., None, :] + FLOOR)
    count = common.shape[1]
    if pairs == "all":
        first, second = torch.triu_indices(count, count, offset=1)
    else:
        first = torch.arange(count - 1)
        second = first + 1
    return -correlation[..., first, second].mean()
