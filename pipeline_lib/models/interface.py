"""What every system that transfers contrasts can be asked for, however it works inside."""

from abc import abstractmethod
from collections.abc import Sequence as Listing

import torch
from torch import Tensor, nn

from pipeline_lib.signal.sequences import Sequence


class TransferModel(nn.Module):
    """A network that predicts what a slice would have looked like with another sequence.

    A system implements `predict`; one that estimates tissue properties on its way gives them
    through `maps`, and one that shares work between targets does so in `predict_all`. What it
    wants to be shown of a slice besides the slice itself, it says in `neighbours` and `tissues`.
    """

    neighbours: int = 0
    """Slices on each side that follow the slice itself among the channels."""

    tissues: tuple[str, ...] = ()
    """Tissues whose masks (-1, +1), after the mask of them all, are the last channels."""

    channels_last: bool = False
    """Whether the network is faster with channels last on a CPU too, as plain stacks are."""

    @abstractmethod
    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast.

        Parameters
        ----------
        source_image
            float32 [batch, channel, row, column], on the patient's scale, of any height and
            width; the slice itself is channel 0.
        source, target
            The sequence of the image and the one asked for. A system of one pair of contrasts
            reads neither.

        Returns
        -------
            float32 [batch, 1, row, column], on the same scale.
        """

    def predict_all(
        self, source_image: Tensor, source: Sequence, targets: Listing[Sequence]
    ) -> Tensor:
        """Predict several contrasts of the same images, [batch, target, row, column]."""
        predicted = [self.predict(source_image, source, target) for target in targets]
        return torch.cat(predicted, dim=1)

    def maps(self, source_image: Tensor, source: Sequence) -> Tensor | None:
        """Give PD, T1 and T2 (seconds), [batch, 3, row, column], if the system has them."""
        return None
