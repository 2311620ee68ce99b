"""One intensity scale a patient, the same for all contrasts and sessions."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline_lib.errors import InputError


@dataclass(frozen=True)
class ScaleSettings:
    """Section `scale` of a dataset.

    Attributes
    ----------
    percentile
        Of the reference contrast within the body: what becomes 1.
    """

    percentile: float


def patient_scale(
    sessions: Iterable[tuple[np.ndarray, np.ndarray]], settings: ScaleSettings
) -> float:
    """Give the raw units that become 1.

    Dividing every contrast by its own maximum would make T1 and T2 unrecoverable; one number a
    patient keeps the ratios between contrasts, and can be undone.

    Parameters
    ----------
    sessions
        Reference scan [x, y, z] and body [x, y, z] of each session; their voxels are pooled.
    settings
        Which percentile.

    Raises
    ------
    InputError
        If the reference contrast has no signal there.
    """
    values = np.concatenate([image[body > 0] for image, body in sessions])
    scale = float(np.percentile(values, settings.percentile)) if values.size else 0.0
    if not scale > 0:
        raise InputError(
            "the reference contrast has no signal within the body; look at its scan, or exclude it."
        )
    return scale
