"""The ICBM 152 brain (2009a, 1 mm) that nilearn's wheel holds, without importing nilearn."""

import importlib.util
from pathlib import Path

from pipeline_lib.errors import InputError

MAPS = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"


def template_map(kind: str) -> Path:
    """Path of an ICBM 152 map in nilearn's wheel: `gm`, `wm`, or `t1` (the brain alone).

    Raises
    ------
    InputError
        If nilearn is not installed.
    """
    found = importlib.util.find_spec("nilearn")
    if found is None or found.origin is None:
        raise InputError(
            "nilearn is not installed; its wheel holds the brain maps: run make setup."
        )
    return Path(found.origin).parent / "datasets" / "data" / MAPS.format(kind)
