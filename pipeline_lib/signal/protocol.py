"""Many sequences at once: signals of tissue in all contrasts of a protocol, as tensors."""

from collections.abc import Sequence as Series
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline_lib.signal.equations import Form, recovery_terms, terms_of
from pipeline_lib.signal.sequences import Kind, Sequence


@dataclass(frozen=True)
class Protocol:
    """The times of a list of contrasts, as tensors on one device.

    The signal is PD (1 + sum_k w_k exp(-t_k / T1)) exp(-TE / T2); see `signal.equations`. All of
    it is differentiable, in the tissue and in the times.

    Attributes
    ----------
    te
        Echo times in seconds, [contrast].
    times, weights
        t_k in seconds and w_k, [contrast, term]; a term that a contrast has not has weight 0.
    """

    te: Tensor
    times: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        sequences: Series[Sequence],
        form: Form = "exact",
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> "Protocol":
        """Gather sequences of any kinds, one a contrast.

        Raises
        ------
        ValueError
            If form `simko` is asked of a sequence with inversion.
        """
        terms = [terms_of(sequence, form) for sequence in sequences]
        most = max(map(len, terms))
        padded = torch.tensor(
            [each + [(0.0, 0.0)] * (most - len(each)) for each in terms], dtype=dtype, device=device
        )
        te = torch.tensor([sequence.te for sequence in sequences], dtype=dtype, device=device)
        return cls(te, padded[..., 0], padded[..., 1])

    @classmethod
    def of_times(
        cls,
        kind: Kind,
        te: Tensor,
        tr: Tensor,
        ti: Tensor | None = None,
        te_last: Tensor | None = None,
        form: Form = "exact",
    ) -> "Protocol":
        """Make a protocol of one kind of sequence from times that may carry gradients.

        Parameters
        ----------
        kind
            Of all contrasts.
        te, tr, ti, te_last
            Seconds, [contrast]; `ti` for IR kinds, `te_last` for FSE kinds (`te` if left out).
        form
            See `pipeline_lib.signal.equations.recovery_terms`.
        """
        terms = recovery_terms(kind, te, tr, ti, te if te_last is None else te_last, form)
        times = torch.stack([time for time, _ in terms], dim=-1)
        weights = times.new_tensor([weight for _, weight in terms]).expand_as(times)
        return cls(te, times, weights)

    def __len__(self) -> int:
        return len(self.te)

    def longitudinal(self, t1: Tensor) -> Tensor:
        """Longitudinal magnetisation at the excitation, signed, [contrast, *space].

        Parameters
        ----------
        t1
            Seconds, positive, [*space].
        """
        recovered = torch.ones((), dtype=t1.dtype, device=t1.device)
        for time, weight in zip(self.times.unbind(-1), self.weights.unbind(-1), strict=True):
            recovered = recovered + _along(weight, t1) * torch.exp(-_along(time, t1) / t1)
        return recovered

    def signed_signals(self, pd: Tensor, t1: Tensor, t2: Tensor) -> Tensor:
        """Signals before the magnitude is taken, [contrast, *space].

        Parameters
        ----------
        pd, t1, t2
            Proton density (water = 1) and seconds (positive), [*space], broadcast together.
        """
        pd, t1, t2 = torch.broadcast_tensors(pd, t1, t2)
        return pd * self.longitudinal(t1) * torch.exp(-_along(self.te, t2) / t2)

    def signals(self, pd: Tensor, t1: Tensor, t2: Tensor) -> Tensor:
        """Magnitudes of `signed_signals`, as a scanner writes them; same arguments."""
        return self.signed_signals(pd, t1, t2).abs()


def _along(values: Tensor, space: Tensor) -> Tensor:
    """Values [contrast] so that they broadcast over [contrast, *space]."""
    return values.reshape(-1, *[1] * space.dim())
