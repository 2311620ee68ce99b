"""How the fit of a voxel ended."""

from enum import IntEnum


class Flag(IntEnum):
    """What to think of a voxel's PD, T1 and T2; where several are true, the last of them."""

    NOT_FITTED = 0
    """Outside the mask."""
    CONVERGED = 1
    """An estimate as good as its bound says."""
    UNIDENTIFIABLE = 2
    """Converged, but the bound of T1 or of T2 is larger than the value itself."""
    AT_BOUND = 3
    """T1 or T2 ended on a limit of the fit, where it is no estimate."""
    NOT_CONVERGED = 4
    """Still moving after the last iteration."""
    BELOW_NOISE = 5
    """No contrast shows a signal of three times the noise."""
