"""Extended phase graphs of spin-echo type sequences whose pulses are not ideal.

After Hennig 1988 (J Magn Reson 78:397) and Weigel 2015 (J Magn Reson Imaging 41:266). Excitation
and refocusing are pulses without duration, of b1 times their nominal angle, 90 degrees apart in
phase (CPMG); inversion is adiabatic, so b1 does not change it. Crushers beside each refocusing
pulse dephase what it excites. Between two repetitions all is spoilt but the undephased
longitudinal magnetisation.

Transverse states whose dephasing is odd at the pulses, in units of half an echo spacing, come from
the excitation and form the echoes. The even ones come from the refocusing pulses; they form no
echo, but carry longitudinal magnetisation. The two never mix, and after the change of signs in
`_pulse` both are real and obey the same equations.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline_lib.signal.sequences import Sequence

EXCITATION = 90.0  # degrees


@dataclass(frozen=True)
class Train:
    """What a train of refocusing pulses makes of the magnetisation, each [*space].

    Attributes
    ----------
    echo
        Amplitude of one echo as a share of the transverse magnetisation after the excitation;
        [echo, *space] where all echoes are asked for.
    kept
        Longitudinal magnetisation at the last echo, as a share of that after the excitation.
    recovered
        Longitudinal magnetisation at the last echo that has recovered during the train, as a
        share of equilibrium.
    """

    echo: Tensor
    kept: Tensor
    recovered: Tensor


def train(t1: Tensor, t2: Tensor, angle: Tensor, spacing: float, echoes: int) -> Train:
    """Simulate a train of equal refocusing pulses; differentiable in all tensors.

    Parameters
    ----------
    t1, t2
        Seconds, positive, [*space], broadcast with `angle`.
    angle
        Actual angle of the refocusing pulses, radians.
    spacing
        Time between two echoes, seconds; the first pulse comes half of it after the excitation.
    echoes
        Pulses of the train, and echoes.

    Returns
    -------
        With all echoes, [echo, *space].
    """
    t1, t2, angle = torch.broadcast_tensors(t1, t2, angle)
    half = torch.exp(-spacing / 2 / t1)
    whole, decay = half.square(), torch.exp(-spacing / t2)
    none = torch.zeros_like(t1)

    odd = (decay.sqrt()[None], none[None], none[None])
    # Two runs side by side: of what the excitation left, and of what recovers from nothing.
    flat = torch.stack([none, none])[None]
    even = (flat, flat, torch.stack([half, 1 - half])[None])
    recovery = torch.stack([none, 1 - whole])
    amplitudes = []
    for pulse in range(1, echoes + 1):
        forward, backward, longitudinal = _pulse(*odd, angle)
        amplitudes.append(backward[0] * decay.sqrt())
        useful = min(pulse + 1, echoes - pulse)
        odd = (
            torch.cat([backward[:1], forward])[:useful] * decay,
            _next(backward, useful) * decay,
            _kept(longitudinal, useful) * whole,
        )

        forward, backward, longitudinal = _pulse(*even, angle)
        if pulse == echoes:
            kept, recovered = longitudinal[0] * half + torch.stack([none, 1 - half])
            break
        turned = _next(backward, useful)
        longitudinal = _kept(longitudinal, useful) * whole
        even = (
            torch.cat([-turned[:1], forward])[:useful] * decay,
            turned * decay,
            torch.cat([longitudinal[:1] + recovery, longitudinal[1:]]),
        )
    return Train(torch.stack(amplitudes), kept, recovered)


def single(t1: Tensor, t2: Tensor, angle: Tensor, te: float) -> Train:
    """Give the closed form of `train` for one pulse: a spin echo; same arguments."""
    half = torch.exp(-te / 2 / t1)
    echo = torch.sin(angle / 2).square() * torch.exp(-te / t2)
    turned = torch.cos(angle) * half
    return Train(echo, turned * half, 1 - half + turned * (1 - half))


def excited(sequence: Sequence, t1: Tensor, b1: Tensor, kept: Tensor, recovered: Tensor) -> Tensor:
    """Longitudinal magnetisation at the excitation in steady state, signed, share of equilibrium.

    Over one repetition the longitudinal magnetisation m at the excitation becomes, at the last
    echo, cos(90 b1) kept m + recovered, and after the delays (and an inversion) a linear function
    of that; the value that returns to itself is given here. For a spin echo of angles a and b, with
    E1 = exp(-(TR - TE/2) / T1) and E2 = exp(-TE/2 / T1), that is
    [1 - E1 + cos(b) E1 (1 - E2)] / [1 - cos(a) cos(b) E1 E2].

    Parameters
    ----------
    sequence
        Of any kind.
    t1
        Seconds, positive, [*space].
    b1
        Actual over nominal flip angle, broadcast with `t1`.
    kept, recovered
        Of `Train`.
    """
    left = torch.cos(torch.deg2rad(EXCITATION * b1)) * kept
    rest = torch.exp(-(sequence.tr - sequence.last_echo) / t1)
    if sequence.ti is None:
        return (1 - rest * (1 - recovered)) / (1 - rest * left)
    inverted = 2 * torch.exp(-sequence.ti / t1)
    return (1 - inverted + rest * (1 - recovered)) / (1 + rest * left)


def signed_signal(sequence: Sequence, pd: Tensor, t1: Tensor, t2: Tensor, b1: Tensor) -> Tensor:
    """Signal of tissue before the magnitude is taken, simulated pulse by pulse, [*space].

    Parameters
    ----------
    sequence
        Of any kind; FSE kinds with their number of `echoes`, else one.
    pd, t1, t2
        Proton density (water = 1) and seconds (positive), [*space], broadcast together.
    b1
        Actual over nominal flip angle.
    """
    angle = torch.deg2rad(sequence.refocusing * b1)
    made = train(t1, t2, angle, sequence.spacing, sequence.echoes or 1)
    longitudinal = excited(sequence, t1, b1, made.kept, made.recovered)
    transverse = torch.sin(torch.deg2rad(EXCITATION * b1)) * made.echo[sequence.echo - 1]
    return pd * longitudinal * transverse


def _pulse(
    forward: Tensor, backward: Tensor, longitudinal: Tensor, angle: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Apply a refocusing pulse to the states [order, *space] (Weigel 2015, Eq. 15).

    In that equation's terms, for states of odd dephasing the arguments are F(k), F*(-k) and iZ(k),
    for those of even dephasing -iF(k), -iF*(-k) and Z(k). They are real.
    """
    through, turned = torch.cos(angle / 2).square(), torch.sin(angle / 2).square()
    exchanged = torch.sin(angle) * longitudinal
    return (
        through * forward + turned * backward - exchanged,
        turned * forward + through * backward + exchanged,
        torch.sin(angle) / 2 * (forward - backward) + torch.cos(angle) * longitudinal,
    )


def _next(states: Tensor, useful: int) -> Tensor:
    """Move each state one order down, [useful, *space]; orders above are empty."""
    return _kept(states[1:], useful)


def _kept(states: Tensor, useful: int) -> Tensor:
    """Give as many orders as can still come back before the train ends, [useful, *space]."""
    missing = useful - len(states)
    if missing <= 0:
        return states[:useful]
    return torch.cat([states, states.new_zeros(missing, *states.shape[1:])])
