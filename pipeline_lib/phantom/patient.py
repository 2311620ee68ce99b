"""One virtual patient: an anatomy, and tissue values of its own."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline_lib.phantom.grid import Grid, random_field
from pipeline_lib.signal.tissues import Tissue

Array = np.ndarray

BETWEEN_PATIENTS = 0.08  # SD of the logarithm of PD, T1 and T2
TEXTURE = 0.03  # SD of the same within a tissue
TEXTURE_KNOTS = 12.0  # mm


@dataclass(frozen=True)
class TissueVoxels:
    """The voxels that hold some of a tissue.

    Attributes
    ----------
    where
        Their places in the flattened fine grid.
    share
        How much of each is this tissue, 0 to 1.
    pd, t1, t2
        Values there, with texture; seconds.
    """

    where: Array
    share: Array
    pd: Array
    t1: Array
    t2: Array


@dataclass(frozen=True)
class VirtualPatient:
    """What there is to be scanned, on the fine grid.

    Attributes
    ----------
    grid
        Of the anatomy.
    tissues
        This patient's mean values.
    voxels
        Of each tissue, in the order of `tissues`.
    """

    grid: Grid
    tissues: Mapping[str, Tissue]
    voxels: Mapping[str, TissueVoxels]


def draw_tissues(table: Mapping[str, Tissue], seed: list[int]) -> dict[str, Tissue]:
    """Draw a patient's tissue values: log-normal around the table, 8 % between patients.

    Each tissue draws from its own stream, so that a tissue more in the table changes no other.
    PD stays at or below 1.1 (water is 1).
    """
    drawn = {}
    for name, tissue in table.items():
        rng = np.random.default_rng([*seed, zlib.crc32(name.encode())])
        pd, t1, t2 = np.exp(rng.normal(0, BETWEEN_PATIENTS, 3)) * [tissue.pd, tissue.t1, tissue.t2]
        drawn[name] = Tissue(float(min(pd, 1.1)), float(t1), float(t2))
    return drawn


def make_patient(
    grid: Grid, fractions: Mapping[str, Array], tissues: Mapping[str, Tissue], seed: list[int]
) -> VirtualPatient:
    """Fill an anatomy with tissue values and their texture.

    Texture multiplies PD, T1 and T2 by smooth fields of 3 %; T1 follows PD (both rise with the
    water content), T2 has its own.

    Parameters
    ----------
    grid
        Of the anatomy.
    fractions
        Share of each tissue in each fine voxel.
    tissues
        The patient's values; those without a voxel are left out.
    seed
        Of the texture.
    """
    rng = np.random.default_rng(seed)
    water, other = (
        np.exp(TEXTURE * random_field(grid, TEXTURE_KNOTS, rng)).ravel() for _ in range(2)
    )
    voxels = {}
    for name, fraction in fractions.items():
        share = fraction.ravel()
        where = np.flatnonzero(share > 1e-3)
        if len(where):
            tissue = tissues[name]
            voxels[name] = TissueVoxels(
                where,
                share[where],
                np.float32(tissue.pd) * water[where],
                np.float32(tissue.t1) * water[where],
                np.float32(tissue.t2) * other[where],
            )
    return VirtualPatient(grid, {name: tissues[name] for name in voxels}, voxels)


def body_of(patient: VirtualPatient) -> Array:
    """Where at least half of a voxel of the scan is tissue, bool [x, y, z]."""
    total = np.zeros(int(np.prod(patient.grid.fine_size)), dtype=np.float32)
    for tissue in patient.voxels.values():
        total[tissue.where] += tissue.share
    return patient.grid.averaged(total.reshape(patient.grid.fine_size)) > 0.5
