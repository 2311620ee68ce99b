"""What the physics alone would answer if it were shown everything."""

import numpy as np

from pipeline_lib.evaluation.pairs import Answer
from pipeline_lib.quantify.bounds import check_identifiable
from pipeline_lib.quantify.fit import fit
from pipeline_lib.signal.equations import Form, signal
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

# More contrasts make the fit slower and hardly better.
MOST_CONTRASTS = 32


def least_squares(slices: PatientSlices, form: Form = "exact") -> Answer:
    """Answer with the signal equation of maps that were fitted to all contrasts of the patient.

    An oracle and no rival: PD, T1 and T2 of each voxel of the body are fitted to all of the
    patient's contrasts, the target among them, where a model is given one other contrast. What it
    misses is noise, misregistration and what the signal equation leaves out. Of more than 32
    contrasts 32 are fitted, spread evenly over the list.

    Parameters
    ----------
    slices
        The patient.
    form
        The signal equation; see `pipeline_lib.signal.equations.longitudinal`.

    Returns
    -------
        The answer, 0 outside the body; it does not depend on the source.

    Raises
    ------
    InputError
        If the contrasts can't tell PD, T1 and T2 apart, or an image is not finite.
    """
    sequences = list(slices.contrasts.values())
    fitted = fitted_contrasts(slices)
    inside = np.asarray(slices.body) > 0
    signals = np.stack([slices.images[:, contrast][inside] for contrast in fitted], axis=1)
    maps = fit(signals, [sequences[contrast] for contrast in fitted], form)

    def predict(_: int, target: int) -> Array:
        prediction = np.zeros(inside.shape, dtype=np.float32)
        prediction[inside] = signal(sequences[target], maps.pd, maps.t1, maps.t2, form)
        return prediction

    return predict


def check_fitted(slices: PatientSlices, form: Form = "exact") -> None:
    """Refuse a patient whose contrasts `least_squares` can't fit.

    Raises
    ------
    InputError
        If they can't tell PD, T1 and T2 apart.
    """
    sequences = list(slices.contrasts.values())
    check_identifiable([sequences[contrast] for contrast in fitted_contrasts(slices)], form)


def fitted_contrasts(slices: PatientSlices) -> list[int]:
    """Give the indices of what is fitted: all contrasts, or 32 from the first to the last."""
    count = len(slices.contrasts)
    places = np.linspace(0, count - 1, min(count, MOST_CONTRASTS))
    return [int(place) for place in places.round()]
