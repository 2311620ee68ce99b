"""Make and measure the patients of a virtual dataset, each from its own seeds."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline_lib.phantom.brain import brain
from pipeline_lib.phantom.engine import ScannerForm
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.motion import Motion
from pipeline_lib.phantom.mrilab import mrilab
from pipeline_lib.phantom.patient import VirtualPatient, draw_tissues, make_patient
from pipeline_lib.phantom.pelvis import pelvis
from pipeline_lib.phantom.scanner import Scanner
from pipeline_lib.signal.tissues import MRILAB, tissues_at


@dataclass(frozen=True)
class VirtualSettings:
    """Section `virtual` of a dataset; see the manual of the configuration.

    Attributes
    ----------
    anatomy
        `brain`, `pelvis` or `mrilab`.
    field_strength
        Tesla; MRiLab's own tissue values have none.
    size, spacing
        Voxels, and mm, along x, y and z.
    signal
        Form of the signal equation.
    noise, bias_field, motion
        Of the virtual scanner.
    label_file
        MRiLab's BrainModel.mat.
    b1_field, b0_field, bandwidth, k_space, slice_thickness
        Imperfections of the virtual scanner; see `Scanner`.
    """

    anatomy: str
    field_strength: float
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    signal: ScannerForm
    noise: float
    bias_field: float
    motion: Motion
    label_file: str | None
    b1_field: float = 0.0
    b0_field: float = 0.0
    bandwidth: float | None = None
    k_space: float = 1.0
    slice_thickness: float | None = None

    @classmethod
    def from_options(cls, virtual: Mapping[str, Any]) -> "VirtualSettings":
        """Read the section as the configuration gives it."""
        values = dict(virtual)
        values["motion"] = Motion(**values["motion"])
        values["size"], values["spacing"] = tuple(values["size"]), tuple(values["spacing"])
        return cls(**values)

    @property
    def scanner(self) -> Scanner:
        """What the contrasts of a session have in common."""
        return Scanner(
            self.signal,
            self.noise,
            self.bias_field,
            self.motion,
            b1_field=self.b1_field,
            b0_field=self.b0_field,
            bandwidth=self.bandwidth,
            k_space=self.k_space,
            slice_thickness=self.slice_thickness,
            field_strength=self.field_strength,
        )


def streams(seed: int, dataset: str, patient: str) -> dict[str, list[int]]:
    """Give the seeds of a patient, one for each kind of draw.

    They depend on names alone, so that a patient or a contrast more changes no other.
    """
    root = [seed, zlib.crc32(dataset.encode()), zlib.crc32(patient.encode())]
    kinds = ("anatomy", "tissues", "texture", "scanner")
    return {kind: [*root, zlib.crc32(kind.encode())] for kind in kinds}


def virtual_patient(settings: VirtualSettings, seeds: Mapping[str, list[int]]) -> VirtualPatient:
    """Draw one patient.

    Raises
    ------
    InputError
        If there are no tissue values at this field strength, or MRiLab's file can't be read.
    """
    grid = Grid(settings.size, settings.spacing)
    rng = np.random.default_rng(seeds["anatomy"])
    if settings.anatomy == "mrilab":
        fractions = mrilab(grid, rng, settings.label_file or "")
        table: Mapping[str, Any] = MRILAB
    else:
        fractions = (brain if settings.anatomy == "brain" else pelvis)(grid, rng)
        table = tissues_at(settings.field_strength)
    return make_patient(grid, fractions, draw_tissues(table, seeds["tissues"]), seeds["texture"])
