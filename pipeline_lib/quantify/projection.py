"""The least-squares problem in T1 and T2 alone: PD, which is linear, is projected out."""

from typing import NamedTuple

import torch
from torch import Tensor

from pipeline_lib.quantify.model import UnitSignal

# A curvature below this share of its parts is rounding: the signals do not show the parameter.
ROUNDING = 1e-12


class Information(NamedTuple):
    """What the signals tell of log T1 and log T2 when PD is unknown; each [voxel].

    Attributes
    ----------
    power
        Sum over contrasts of the squared signal per unit of PD.
    along
        Product of the signal with its derivatives by log T1 and log T2 as a share of `power`,
        [2, voxel].
    curvature, coupling
        Diagonal [2, voxel] and off-diagonal of J^T (1 - s s^T / s^T s) J, per unit of PD squared.
    seen
        What the diagonal would be if PD were known, [2, voxel].
    """

    power: Tensor
    along: Tensor
    curvature: Tensor
    coupling: Tensor
    seen: Tensor


def information(unit: UnitSignal) -> Information:
    """Project PD out of the normal equations (Golub and Pereyra 1973, Kaufman 1975)."""
    value, by1, by2 = unit
    power = _dot(value, value).clamp_(min=torch.finfo(value.dtype).tiny)
    product1, product2 = _dot(value, by1), _dot(value, by2)
    along = torch.stack([product1, product2]).div_(power)
    seen = torch.stack([_dot(by1, by1), _dot(by2, by2)])
    curvature = (seen - along * torch.stack([product1, product2])).clamp_(min=0.0)
    coupling = _dot(by1, by2).sub_(along[0] * product2)
    return Information(power, along, curvature, coupling, seen)


def bounds(told: Information, pd: Tensor) -> Tensor:
    """Cramér-Rao bounds of PD, log T1 and log T2 for noise of SD 1, [3, voxel].

    Square roots of the diagonal of the inverse Fisher matrix (Kay 1993, eq. 3.31), whose part for
    log T1 and log T2 is the inverse of the projected curvature. Infinite where the signals do not
    show a parameter, or only a combination of it with others.

    Parameters
    ----------
    told
        Of the signals per unit of PD, at the estimate.
    pd
        [voxel], in units of the noise.
    """
    first, second = told.curvature
    blind1, blind2 = told.curvature <= ROUNDING * told.seen
    mixed = first * second - told.coupling**2 <= ROUNDING * first * second
    mixed = mixed & ~blind1 & ~blind2
    determinant = first * second - told.coupling**2
    alone = blind1 | blind2
    ones = torch.ones_like(first)
    safe = torch.where(mixed | alone, ones, determinant)
    infinite = torch.full_like(first, torch.inf)
    variance1 = torch.where(alone, 1 / torch.where(blind1, ones, first), second / safe)
    variance2 = torch.where(alone, 1 / torch.where(blind2, ones, second), first / safe)
    covariance = torch.where(alone, torch.zeros_like(first), -told.coupling / safe)
    lost1, lost2 = blind1 | mixed, blind2 | mixed
    along1, along2 = told.along
    # PD takes part in what is not seen if the lost parameter changes the signal along itself.
    taken = (lost1 & (along1 != 0)) | (lost2 & (along2 != 0))
    of_pd = (
        1 / told.power
        + along1**2 * torch.where(lost1, 0.0, variance1)
        + along2**2 * torch.where(lost2, 0.0, variance2)
        + 2 * along1 * along2 * covariance
    )
    squares = torch.stack(
        [
            torch.where(taken, infinite, of_pd),
            torch.where(lost1, infinite, variance1) / pd**2,
            torch.where(lost2, infinite, variance2) / pd**2,
        ]
    )
    return squares.sqrt()


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(dim=0)
