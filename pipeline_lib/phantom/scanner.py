"""The virtual scanner: it measures a virtual patient with any list of sequences."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.engine import MixedSignals, ScannerForm, signal_of
from pipeline_lib.phantom.fields import (
    chemical_shift,
    main_field,
    pixels_of,
    transmit_field,
)
from pipeline_lib.phantom.grid import Grid, spline_sum
from pipeline_lib.phantom.kspace import acquired, displaced
from pipeline_lib.phantom.mixture import Mixture
from pipeline_lib.phantom.motion import Motion, draw_motion, moved_anatomy
from pipeline_lib.phantom.patient import VirtualPatient, body_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.workers import in_order

Array = np.ndarray

BRIGHTEST = 1000.0  # raw units of the brightest tissue in the reference contrast
BIAS_KNOTS = 150.0  # mm; the sensitivity of receive coils varies over such lengths
# Contrasts measured together, at most, and numbers that their images may hold together.
BLOCK, HELD = 4, 1 << 23


@dataclass(frozen=True)
class Scanner:
    """What all contrasts of a session have in common.

    Attributes
    ----------
    form
        Of the signal equation: `exact`, `simko`, or `epg` for pulses that are not ideal.
    noise
        SD of the noise as a share of the brightest tissue's signal in the reference contrast.
    bias_field
        Peak-to-peak share over the body: 0.3 is a field of 0.85 to 1.15.
    motion
        Of all contrasts but the reference.
    b1_field
        Peak-to-peak share of the flip angles over the body; only form `epg` shows it.
    b0_field
        Largest magnitude over the body of what the main field is off, ppm; only a bandwidth shows
        it, because spin echoes refocus.
    bandwidth
        Of the readout along x, Hz a pixel: protons that are off resonance (fat, and where the main
        field is off) are displaced. None: they are not.
    k_space
        Share of the lines of k-space that are acquired along x, and of those along y.
    slice_thickness
        Millimetres; None where the slices touch.
    field_strength
        Tesla; with a bandwidth alone.
    """

    form: ScannerForm
    noise: float
    bias_field: float
    motion: Motion
    b1_field: float = 0.0
    b0_field: float = 0.0
    bandwidth: float | None = None
    k_space: float = 1.0
    slice_thickness: float | None = None
    field_strength: float = 3.0


@dataclass(frozen=True)
class Session:
    """One session of a virtual patient: what is fixed before the first image is made.

    Attributes
    ----------
    patient, sequences, scanner, seed
        See `measure`.
    field
        Bias field of the coil, [x, y, z], the same for all contrasts.
    motion
        4 x 4 of each contrast: world mm of a point in the reference -> where it is in the scan.
    sigma, gain
        SD of the noise, and raw units of a signal of 1.
    b1
        Actual flip angle over the nominal one, [x, y, fine z]; None where there is no such field.
    b0
        ppm that the main field is off, [x, y, z], or None.
    """

    patient: VirtualPatient
    sequences: Mapping[str, Sequence]
    scanner: Scanner
    seed: list[int]
    field: Array
    motion: Mapping[str, Array]
    sigma: float
    gain: float
    b1: Array | None
    b0: Array | None

    def scans(self, device: torch.device | str = "cpu") -> Iterator[tuple[str, Array]]:
        """Make the raw magnitude images one after the other, a few contrasts ahead.

        1. The signed signals of the tissues that share a voxel of the scan, or of the fine grid if
           patients move, add up.
        2. The anatomy moves, rigidly about the middle of the scan, between contrasts; grid and
           coils stay. The signed signal is interpolated linearly on the fine grid, before noise,
           so noise stays white. (The reference does not move and is not interpolated.)
        3. A slice is the mean over its thickness; it is weighted by the coil's field and amplified.
        4. Protons off resonance are displaced; k-space is cut; Rician noise, and the magnitude.

        Parameters
        ----------
        device
            That adds up the signals and moves them; as many threads as torch is set to.

        Yields
        ------
            Name of a contrast, and its image [x, y, z], float32. The same every time.
        """
        parts = self._parts(device)
        most = max(sum(len(mixed.mixture.places) for mixed, _ in parts), 1)
        # Each contrast alone, where the patient's motion gives each its own flip angles.
        alone = self.b1 is not None and self.scanner.motion.moves
        together = 1 if alone else max(min(BLOCK, HELD // most), 1)
        names = list(self.sequences)
        blocks = [names[start : start + together] for start in range(0, len(names), together)]
        threads = torch.get_num_threads() if torch.device(device).type == "cpu" else 1
        for images in in_order(lambda block: list(self._images(block, parts)), blocks, threads):
            yield from images

    def _parts(self, device: torch.device | str) -> list[tuple[MixedSignals, Array | float]]:
        """Tissues that are displaced alike, and by how many pixels."""
        scanner, grid = self.scanner, self.patient.grid
        shifts: dict[float, list[str]] = {0.0: list(self.patient.voxels)}
        if scanner.bandwidth is not None:
            shifts = {}
            for name in self.patient.voxels:
                shifts.setdefault(chemical_shift(name), []).append(name)
        parts = []
        for ppm, names in shifts.items():
            tissues = [self.patient.voxels[name] for name in names]
            if scanner.motion.moves:
                mixture = Mixture.of_anatomy(grid, tissues, self.b1 is not None)
            else:
                weight = np.float32(self.gain) * self.field
                mixture = Mixture.of_scan(
                    grid, tissues, scanner.slice_thickness, weight, self.b1 is not None
                )
            shift: Array | float = 0.0
            if scanner.bandwidth is not None:
                off = ppm if self.b0 is None else ppm + self.b0
                shift = pixels_of(off, scanner.field_strength, scanner.bandwidth)
            parts.append((MixedSignals(mixture.to(device), scanner.form), shift))
        return parts

    def _images(
        self, block: list[str], parts: list[tuple[MixedSignals, Array | float]]
    ) -> Iterator[tuple[str, Array]]:
        sequences = [self.sequences[name] for name in block]
        sums = [mixed.of(sequences, self._flip_angles(mixed.mixture, block)) for mixed, _ in parts]
        for contrast, name in enumerate(block):
            image: Array | None = None
            for (mixed, shift), values in zip(parts, sums, strict=True):
                part = self._on_scan(mixed.mixture.image(values[contrast]), name)
                if np.any(shift):
                    part = displaced(part, shift)
                image = part if image is None else np.add(image, part, out=image)
            assert image is not None
            yield name, self._read(name, image)

    def _on_scan(self, image: Tensor, name: str) -> Array:
        """Move a fine image, average it over the slices and amplify it; one of the scan has it."""
        if not self.scanner.motion.moves:
            return image.cpu().numpy()
        grid, motion = self.patient.grid, self.motion[name]
        if not np.array_equal(motion, np.eye(4)):
            wanted = grid.parts_on_scan(self.scanner.slice_thickness)
            image = moved_anatomy(image, grid, motion, wanted)
        averaged = grid.averaged(image.cpu().numpy(), self.scanner.slice_thickness)
        averaged *= np.float32(self.gain) * self.field
        return averaged

    def _flip_angles(self, mixture: Mixture, block: list[str]) -> Tensor | None:
        """Look up the transmit field of each portion of a mixture, where it has moved to."""
        if self.b1 is None or mixture.fine is None:
            return None
        b1, motion = torch.from_numpy(self.b1).to(mixture.pd.device), self.motion[block[0]]
        if not np.array_equal(motion, np.eye(4)):
            # Beyond the field the angle is the nominal one.
            b1 = moved_anatomy(b1 - 1, self.patient.grid, np.linalg.inv(motion)) + 1
        return b1.flatten()[mixture.fine]

    def _read(self, name: str, image: Array) -> Array:
        """Cut k-space, add noise, and take the magnitude of a signed image."""
        if self.scanner.k_space == 1:
            image = np.abs(image, out=image)
            if self.sigma == 0:
                return image
        rng = _stream(self.seed, name)
        draw_motion(self.scanner.motion, rng)
        return acquired(image, self.sigma, self.scanner.k_space, rng)


def measure(
    patient: VirtualPatient,
    sequences: Mapping[str, Sequence],
    reference: str,
    scanner: Scanner,
    seed: list[int],
) -> Session:
    """Prepare to measure a patient with each sequence; `Session.scans` does it.

    Parameters
    ----------
    patient
        Anatomy and tissue values.
    sequences
        By name of contrast.
    reference
        The contrast in which the patient has not moved, and which sets gain and noise.
    scanner
        See `Scanner`.
    seed
        Of fields, motion and noise. Each field and each contrast has its own stream.

    Raises
    ------
    InputError
        If the reference shows no tissue, or if slices can't be as thick as asked.
    """
    grid = patient.grid
    grid.parts_of_a_slice(scanner.slice_thickness)
    brightest = max(
        signal_of(sequences[reference], tissue, scanner.form) for tissue in patient.tissues.values()
    )
    if not brightest > 0:
        raise InputError(
            f"no tissue gives a signal in {reference}; choose another reference or other times."
        )
    motion = {
        name: np.eye(4) if name == reference else draw_motion(scanner.motion, _stream(seed, name))
        for name in sequences
    }
    field, b1, b0 = np.ones(grid.size, dtype=np.float32), None, None
    if scanner.bias_field or scanner.b1_field or scanner.b0_field:
        body = body_of(patient)
        if scanner.bias_field:
            field = bias_field(grid, body, scanner.bias_field, np.random.default_rng(seed))
        if scanner.b1_field:
            b1 = transmit_field(grid, body, scanner.b1_field, _stream(seed, "transmit field"))
        if scanner.b0_field:
            fine = main_field(grid, body, scanner.b0_field, _stream(seed, "main field"))
            b0 = grid.averaged(fine)
    return Session(
        patient, sequences, scanner, seed, field, motion,
        scanner.noise * BRIGHTEST, BRIGHTEST / brightest, b1, b0,
    )  # fmt: skip


def bias_field(grid: Grid, body: Array, share: float, rng: np.random.Generator) -> Array:
    """Draw a smooth field that runs from 1 - share / 2 to 1 + share / 2 over the body.

    Outside the body it goes on, down to 0.1 at least. Float32 [x, y, z].
    """
    lengths = [abs(axis[-1] - axis[0]) for axis in grid.axes]
    shape = [int(np.ceil(length / BIAS_KNOTS)) + 4 for length in lengths]
    raw = spline_sum(rng.standard_normal(shape), grid, BIAS_KNOTS, on_scan=True)
    low, high = raw[body].min(), raw[body].max()
    return np.maximum(1 + share * ((raw - low) / (high - low) - 0.5), 0.1).astype(np.float32)


def _stream(seed: list[int], name: str) -> np.random.Generator:
    return np.random.default_rng([*seed, zlib.crc32(name.encode())])
