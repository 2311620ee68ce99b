"""The order in which patients are drawn, and the complaint about one that there is not."""

import hashlib
from collections.abc import Collection, Iterable

from pipeline_lib.errors import InputError, did_you_mean


def in_drawn_order(names: Iterable[str], seed: int) -> list[str]:
    """Shuffle names by their hash, so that each keeps its place among the others for good."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())


def unknown_patient(patient: str, patients: Collection[str]) -> InputError:
    """Give the complaint about a patient in the settings of a split."""
    return InputError(
        f"`split:` names {patient}, which the dataset does not have"
        f"{did_you_mean(patient, patients)}; correct it or take it out."
    )
