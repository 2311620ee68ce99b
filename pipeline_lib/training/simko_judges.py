"""What the two discriminators of Simko et al. are taught, and how the generator deceives them."""

from collections.abc import Mapping
from collections.abc import Sequence as Listing
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.models.simko_discriminator import SimkoDiscriminator, valid_patches
from pipeline_lib.models.simko_regressor import SimkoRegressor
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.batch import Batch

Judged = tuple[Tensor, Tensor]
"""A loss, and the share that was told right."""


class Judge(Protocol):
    """A discriminator with its losses, which take what it answers to images of a batch."""

    @property
    def network(self) -> nn.Module:
        """Give the discriminator."""

    def of_real(self, answers: Tensor, batch: Batch) -> Judged:
        """Judge answers to real images: their contrast is to be told."""

    def of_generated(self, answers: Tensor, batch: Batch) -> Judged:
        """Judge answers to generated images: they are to be told as such."""

    def of_deceiving(self, answers: Tensor, batch: Batch) -> Judged:
        """Judge answers to generated images as the generator wants them: real, of the target."""


class ClassJudge:
    """The paper's: patches are one of the contrasts, or generated."""

    def __init__(self, network: SimkoDiscriminator, contrasts: Listing[int]) -> None:
        self.network = network
        self.class_of = {contrast: place for place, contrast in enumerate(contrasts)}

    def of_real(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        return _judged(answers, self._classes(batch.source_contrast), batch)

    def of_generated(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        label = torch.full_like(batch.source_contrast, self.network.generated)
        return _judged(answers, label, batch)

    def of_deceiving(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        return _judged(answers, self._classes(batch.target_contrasts[:, 0]), batch)

    def _classes(self, contrasts: Tensor) -> Tensor:
        table = torch.zeros(max(self.class_of) + 1, dtype=torch.int64)
        table[list(self.class_of)] = torch.tensor(list(self.class_of.values()))
        return table.to(contrasts.device)[contrasts]


class RegressionJudge:
    """The later code's: TE, TR and realness of the whole image, squared errors.

    Parameters
    ----------
    network
        See `SimkoRegressor`.
    contrasts
        Sequences of the training; the shortest and longest times are 0 and 1.
    """

    def __init__(self, network: SimkoRegressor, contrasts: Mapping[str, Sequence]) -> None:
        self.network = network
        times = torch.tensor([[sequence.te, sequence.tr] for sequence in contrasts.values()])
        self.lowest = times.amin(dim=0)
        self.span = (times.amax(dim=0) - self.lowest).clamp(min=1e-9)
        self.known = (times - self.lowest) / self.span

    def of_real(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        return self._of_times(answers, batch.source_sequences)

    def of_generated(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        return _realness(answers, real=False), (answers[:, 2] < 0.5).float().mean()

    def of_deceiving(self, answers: Tensor, batch: Batch) -> Judged:
        """See `Judge`."""
        return self._of_times(answers, [targets[0] for targets in batch.target_sequences])

    def nearest(self, answers: Tensor) -> Tensor:
        """Tell which of the known contrasts lies nearest to each answer: int64 [batch]."""
        known = self.known.to(answers.device)
        return torch.cdist(answers[:, :2].detach().clamp(0, 1), known).argmin(dim=1)

    def _of_times(self, answers: Tensor, sequences: Listing[Sequence]) -> Judged:
        wanted = self._scaled(sequences, answers)
        loss = ((answers[:, :2] - wanted) ** 2).mean() + _realness(answers, real=True)
        return loss, self._nearest_is_right(answers, wanted)

    def _scaled(self, sequences: Listing[Sequence], like: Tensor) -> Tensor:
        times = torch.tensor([[sequence.te, sequence.tr] for sequence in sequences])
        return ((times - self.lowest) / self.span).to(like.device)

    def _nearest_is_right(self, answers: Tensor, wanted: Tensor) -> Tensor:
        """Share of the images whose answer lies nearest to their own contrast of all known."""
        return (self.nearest(answers) == self.nearest(wanted)).float().mean()


def _judged(answers: Tensor, label: Tensor, batch: Batch) -> Judged:
    valid = valid_patches(batch.body)
    return patch_loss(answers, label, valid), patch_accuracy(answers, label, valid)


def _realness(answers: Tensor, real: bool) -> Tensor:
    return ((answers[:, 2] - float(real)) ** 2).mean()


def patch_loss(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error between the softmax map and the one-hot map of the label.

    Parameters
    ----------
    logits
        float32 [batch, class, y, x].
    label
        int64 [batch], the class of all patches of an image.
    valid
        bool [batch, y, x], the patches that count.

    Returns
    -------
        A scalar: the mean over classes and an image's valid patches, then over images, so that a
        batch in parts has the loss of the whole.
    """
    shares = logits.softmax(dim=1)
    wanted = F.one_hot(label, logits.shape[1]).to(shares.dtype)[:, :, None, None]
    error = (shares - wanted).abs().mean(dim=1)
    return _mean_of_valid(error, valid)


def patch_accuracy(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Share of the valid patches whose likeliest class is the label; arguments as `patch_loss`."""
    right = logits.argmax(dim=1) == label[:, None, None]
    return _mean_of_valid(right.float(), valid)


def _mean_of_valid(values: Tensor, valid: Tensor) -> Tensor:
    count = valid.sum(dim=(1, 2)).clamp(min=1)
    return ((values * valid).sum(dim=(1, 2)) / count).mean()
