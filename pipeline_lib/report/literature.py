"""Relaxation times from the literature, for the eye to compare with what was found."""

from collections.abc import Mapping
from typing import Any

from pipeline_lib.signal.tissues import MRILAB, tissues_at

# Of scans whose field strength the configuration does not tell.
USUAL_FIELD_STRENGTH = 3.0


def literature_of(dataset: Mapping[str, Any]) -> tuple[str, dict[str, dict[str, float]]]:
    """Choose the table of a dataset: that which its virtual patients were drawn around.

    PD has no entry: that of the maps is on each patient's own scale of intensities, so a number
    relative to water says nothing about it.

    Parameters
    ----------
    dataset
        Section of the configuration.

    Returns
    -------
        Words for the table, and tissue -> {"T1", "T2"} in seconds.
    """
    virtual = dataset.get("virtual") or {}
    if virtual.get("anatomy") == "mrilab":
        words, tissues = "MRiLab's table", dict(MRILAB)
    else:
        field_strength = float(virtual.get("field_strength", USUAL_FIELD_STRENGTH))
        words, tissues = f"published values at {field_strength:g} T", tissues_at(field_strength)
    return words, {name: {"T1": tissue.t1, "T2": tissue.t2} for name, tissue in tissues.items()}
