"""Proton density and relaxation times of tissues at 1.5 and 3 T.

Sources, by the letters beside the values: Ga, Gach's fits T1 = A B0^C as in phantominator; St,
Stanisz 2005 (Magn Reson Med 54:507); dB, de Bazelaire 2004 (Radiology 230:652); XC, the table of
Fetal-XCMR (Stanisz, Portnoy, IT'IS); ML, MRiLab's parameter table; Oe, water content of Front
Neurol 2019;10:1333; RO, Radiat Oncol 2013;8:51. Guesses are called so. Published values of one
tissue differ by tens of percent; virtual patients are therefore drawn around these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_lib.errors import InputError


@dataclass(frozen=True)
class Tissue:
    """Proton density (water = 1) and relaxation times in seconds."""

    pd: float
    t1: float
    t2: float


# name: PD, (T1, T2) at 1.5 T, (T1, T2) at 3 T, in seconds
_TABLE: dict[str, tuple[float, tuple[float, float], tuple[float, float]]] = {
    "csf": (1.00, (4.200, 1.990), (4.500, 2.200)),  # Ga; ML
    "grey_matter": (0.84, (0.998, 0.100), (1.295, 0.100)),  # Oe; Ga
    "white_matter": (0.69, (0.681, 0.080), (0.887, 0.080)),  # Oe; Ga
    "fat": (0.90, (0.343, 0.070), (0.382, 0.068)),  # Ga; dB
    "muscle": (0.80, (1.008, 0.044), (1.412, 0.050)),  # PD a guess; St
    "marrow": (0.75, (0.549, 0.049), (0.586, 0.049)),  # PD a guess; XC; dB
    "cortical_bone": (0.05, (0.200, 0.00045), (0.302, 0.00045)),  # ML's PD; RO; XC
    "prostate": (0.85, (1.317, 0.088), (1.597, 0.074)),  # PD a guess; XC; dB
    "bladder": (1.00, (3.000, 1.000), (3.000, 1.000)),  # urine, a guess
    "rectum": (0.80, (0.576, 0.046), (0.900, 0.050)),  # wall; XC; a guess
    "blood": (0.90, (1.441, 0.290), (1.932, 0.275)),  # PD a guess; St
    "cartilage": (0.75, (1.024, 0.030), (1.168, 0.027)),  # PD a guess; XC
    "skin": (0.60, (0.300, 0.030), (0.300, 0.030)),  # ML
    "connective": (0.75, (1.000, 0.042), (1.000, 0.042)),  # ML
}

# MRiLab's own values of its brain (sheet Brain, water protons); fat has none.
MRILAB: Mapping[str, Tissue] = {
    "csf": Tissue(1.00, 4.5, 2.2),
    "grey_matter": Tissue(0.80, 0.95, 0.100),
    "white_matter": Tissue(0.65, 0.60, 0.080),
    "muscle": Tissue(0.70, 1.1, 0.035),
    "skin": Tissue(0.60, 0.3, 0.030),
    "cortical_bone": Tissue(0.05, 0.1, 0.010),
    "glia": Tissue(0.80, 0.95, 0.100),
    "connective": Tissue(0.75, 1.0, 0.042),
}

FIELD_STRENGTHS = (1.5, 3.0)


def tissues_at(field_strength: float) -> dict[str, Tissue]:
    """Give the tissue table at a field strength in tesla.

    Raises
    ------
    InputError
        If the field strength is not 1.5 or 3.
    """
    if field_strength not in FIELD_STRENGTHS:
        raise InputError(
            f"there are no tissue values at {field_strength} T; set field_strength to 1.5 or 3."
        )
    column = 1 + FIELD_STRENGTHS.index(field_strength)
    return {
        name: Tissue(row[0], *row[column])  # type: ignore[misc]
        for name, row in _TABLE.items()
    }
