"""Leaked splits: single slices or images are drawn, so that each patient is trained on and tested.

Narang et al. 2022 and Table 1 of Alkan et al. 2017 did so. A network may then recognise what it
was trained on, and its scores say nothing of a new patient: these splits are for comparing with
the papers' numbers alone.
"""

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Listing
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.slices.order import in_drawn_order, unknown_patient

UNITS = ("image", "slice")
Unit = tuple[int, str | None]


def is_leaked(split: Mapping[str, Any]) -> str | None:
    """Give the unit that a leaked split draws (image or slice); `None` of an honest split."""
    return split.get("leaked")


def check_leaked_settings(split: Mapping[str, Any], patients: Collection[str]) -> None:
    """Refuse a leaked split that can't be drawn, before there are slices to draw.

    Raises
    ------
    InputError
        If the unit, the share or a patient is wrong, or a setting of an honest split is beside
        them.
    """
    if split["leaked"] not in UNITS:
        raise InputError(f"`split: leaked` is image or slice, not {split['leaked']!r}.")
    share = split.get("train")
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise InputError(
            f"`split: leaked` draws the share `train` of all images, which is {share}; set it to a "
            "number between 0 and 1."
        )
    known = ("leaked", "train", "patients")
    others = [name for name, value in split.items() if value and name not in known]
    if others:
        raise InputError(f"`split: leaked` leaves no use for `{others[0]}`; take it out.")
    chosen = split.get("patients") or []
    for patient in chosen:
        if patient not in patients:
            raise unknown_patient(patient, patients)
    if len(set(chosen)) < len(chosen):
        raise InputError("`split: patients` names a patient twice; name each once.")


def drawn_units(
    patient: str,
    split: Mapping[str, Any],
    seed: int,
    images: Mapping[str, tuple[int, Listing[str]]],
) -> dict[str, list[Unit]]:
    """Draw the slices or images of one patient that are trained on and those that are tested.

    Each patient has at least one of both, and where images are drawn of several contrasts, each
    slice has.

    Parameters
    ----------
    patient
        Its name decides the draws, with the seed.
    split
        As `check_leaked_settings` lets pass.
    seed
        Of the draws.
    images
        Number of slices and names of the contrasts of each patient.

    Returns
    -------
        `{train: [...], test: [...]}` of slice and contrast (`None` where slices are drawn), in
        the order of the slices.

    Raises
    ------
    InputError
        If the patient has no slices, or only one to draw.
    """
    if patient not in images:
        raise InputError(f"{patient} has no slices that a leaked split could draw.")
    count, contrasts = images[patient]
    names = contrasts if split["leaked"] == "image" else [None]
    units = {f"{patient}/{row}/{name}": (row, name) for row in range(count) for name in names}
    if len(units) < 2:
        raise InputError(
            f"{patient} has {len(units)} of what a leaked split draws, but is trained on and "
            "tested; leave it out of `split: patients`."
        )
    order = [units[key] for key in in_drawn_order(units, seed)]
    # Of each of these groups the first is trained on and the last is tested, whatever the share.
    groups: dict[int, list[Unit]] = {}
    for unit in order:
        groups.setdefault(unit[0] if len(names) > 1 else 0, []).append(unit)
    first, last = ({group[place] for group in groups.values()} for place in (0, -1))
    rest = [unit for unit in order if unit not in first | last]
    train = first.union(rest[: max(round(split["train"] * len(order)) - len(first), 0)])
    return {
        "train": [unit for unit in units.values() if unit in train],
        "test": [unit for unit in units.values() if unit not in train],
    }
