"""The fields of a scanner that is not ideal: of the transmit coil, and of the main magnet."""

import numpy as np
from scipy import fft, ndimage

from pipeline_lib.phantom.grid import Grid, random_field, spline_sum

Array = np.ndarray

TRANSMIT_KNOTS = 130.0  # mm: half a wavelength in muscle at 128 MHz
# What differs from patient to patient, as SD beside a dome that falls by 1 to the body's edge.
TRANSMIT_VARIETY = 0.15
# Times the share: no flip angle is farther than this from the nominal one, in or out of the body.
FARTHEST_ANGLE = 0.75
MAIN_KNOTS = 100.0  # mm; what a shim leaves of itself varies over such lengths
MAIN_VARIETY = 0.3  # SD of that as a share of the SD of what the air causes
AIR_KNOTS = 5.0  # mm between the samples of the body that magnetise
AROUND = 100.0  # mm of air, and of body above and below, around the samples
TISSUE_IN_AIR = -9.4  # ppm: susceptibility of water (-9.05) less that of air (0.36)

PROTON = 42.577  # MHz/T
FAT_SHIFT = -3.4  # ppm of the main fat peak from water
FATTY = ("fat", "marrow")


def transmit_field(grid: Grid, body: Array, share: float, rng: np.random.Generator) -> Array:
    """Draw the field of the transmit coil: actual flip angle over the nominal one.

    At 3 T it is stronger in the middle than at the edge, where waves that enter from all sides add
    up (central brightening; Collins et al. 2005, J Magn Reson Imaging 21:192), and a trunk has a
    pattern of its own besides (in livers 0.59 to 1.13 of the nominal angle; Roberts et al. 2021,
    Magn Reson Med 85:2212). Here: a dome over the body's axial extent, plus smooth B-splines.

    Parameters
    ----------
    grid
        Where it is wanted.
    body
        Bool [x, y, z] of the scan.
    share
        Peak-to-peak over the body: 0.4 may be 0.8 to 1.2.
    rng
        Of what differs from patient to patient.

    Returns
    -------
        [x, y, fine z], float32, with mean 1 over the body; nowhere farther from it than 0.75 of
        the share.
    """
    places = np.nonzero(body.any(axis=2))
    dome = np.ones((), dtype=np.float32)
    for axis in range(2):
        positions = grid.axes[axis]
        inside = positions[places[axis]]
        # A filled ellipse has an SD of half its radius along each axis.
        away = (positions - inside.mean()) / np.maximum(2 * inside.std(), np.float32(1e-3))
        dome = dome - np.expand_dims(away**2, axis=1 - axis)
    raw = dome[:, :, None] + np.float32(TRANSMIT_VARIETY) * random_field(grid, TRANSMIT_KNOTS, rng)
    values = grid.averaged(raw)[body]
    scale = share / max(float(np.ptp(values)), 1e-6)
    field = 1 + scale * (raw - values.mean())
    farthest = FARTHEST_ANGLE * share
    return np.clip(field, 1 - farthest, 1 + farthest).astype(np.float32, copy=False)


def main_field(grid: Grid, body: Array, ppm: float, rng: np.random.Generator) -> Array:
    """Draw how far the main field is off, after a shim.

    What the border of tissue and air causes (rectal gas, sinuses, the surface; see `dipole_field`)
    plus smooth B-splines, less the linear field over the body, which a scanner shims away; scaled.

    Parameters
    ----------
    grid
        Where it is wanted.
    body
        Bool [x, y, z] of the scan.
    ppm
        The largest magnitude over the body.
    rng
        Of the smooth part.

    Returns
    -------
        ppm of the nominal field, [x, y, fine z], float32; the mean over the body is about 0.
    """
    if ppm == 0:
        return np.zeros(grid.fine_size, dtype=np.float32)
    raw = _field_of(grid, body)
    spread = np.float32(MAIN_VARIETY * grid.averaged(raw)[body].std())
    raw += spread * random_field(grid, MAIN_KNOTS, rng)
    raw -= _shim(grid, body, grid.averaged(raw))
    peak = float(np.abs(grid.averaged(raw)[body]).max())
    raw *= np.float32(ppm / max(peak, 1e-6))
    return raw


def chemical_shift(tissue: str) -> float:
    """Give the resonance of a tissue's protons from that of water, ppm: fat and marrow -3.4."""
    return FAT_SHIFT if tissue in FATTY else 0.0


def pixels_of(ppm: Array | float, field_strength: float, bandwidth: float) -> Array | float:
    """Give how many pixels protons at `ppm` are pushed along the readout.

    Parameters
    ----------
    ppm
        From the frequency that the scanner is tuned to.
    field_strength
        Tesla.
    bandwidth
        Of the readout, Hz a pixel.
    """
    return ppm * (PROTON * field_strength / bandwidth)


def dipole_field(susceptibility: Array) -> Array:
    """Give the field that magnetised matter makes, B0 along z.

    A convolution with the unit dipole, in k-space chi(k) (1/3 - kz^2 / k^2) (Salomir et al. 2003,
    Concepts Magn Reson B 19:26; Marques & Bowtell 2005, Concepts Magn Reson B 25:65); what is
    beyond the border repeats what is within.

    Parameters
    ----------
    susceptibility
        ppm, [x, y, z], voxels as long as wide and high.

    Returns
    -------
        ppm of B0, same shape; the mean over all is 0.
    """
    *across, last = susceptibility.shape
    frequencies = [*map(fft.fftfreq, across), fft.rfftfreq(last)]
    kx, ky, kz = np.meshgrid(*frequencies, indexing="ij", sparse=True)
    square = kx**2 + ky**2 + kz**2
    square[0, 0, 0] = 1.0
    dipole = (1 / 3 - kz**2 / square).astype(np.float32)
    dipole[0, 0, 0] = 0.0
    spectrum = fft.rfftn(susceptibility, workers=1)
    return fft.irfftn(spectrum * dipole, s=susceptibility.shape, workers=1)


def _field_of(grid: Grid, body: Array) -> Array:
    """Field that a magnetised body [x, y, z] makes in itself, ppm, [x, y, fine z], float32.

    On samples of the body 5 mm apart. Above and below the scan the body goes on as its last
    slices. The step at its surface is none that its protons feel: in air, and in samples that hold
    some, the field goes on as in the nearest tissue.
    """
    lengths = [float(abs(axis[-1] - axis[0])) for axis in grid.axes]
    count = [int(np.ceil((length + 2 * AROUND) / AIR_KNOTS)) + 1 for length in lengths]
    width = [max(round(AIR_KNOTS / step), 1) for step in grid.spacing]
    tissue = ndimage.uniform_filter(body.astype(np.float32), size=width, mode="nearest")
    places = [
        (np.arange(n) - (n - 1) / 2) * AIR_KNOTS / step + (size - 1) / 2
        for n, step, size in zip(count, grid.spacing, grid.size, strict=True)
    ]
    samples = ndimage.map_coordinates(
        tissue, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest"
    )
    field = dipole_field(TISSUE_IN_AIR * samples)
    not_tissue = samples < 0.99 * samples.max()
    nearest = ndimage.distance_transform_edt(
        not_tissue, return_distances=False, return_indices=True
    )
    return spline_sum(field[tuple(nearest)], grid, AIR_KNOTS)


def _shim(grid: Grid, body: Array, field: Array) -> Array:
    """Constant and linear part of a field [x, y, z] over the body, on [x, y, fine z]."""
    across = (np.arange(grid.size[2]) - (grid.size[2] - 1) / 2) * grid.spacing[2]
    axes = (grid.axes[0], grid.axes[1], across)
    inside = np.nonzero(body)
    away = [axis[index] for axis, index in zip(axes, inside, strict=True)]
    middle = [float(positions.mean()) for positions in away]
    away = [positions - mean for positions, mean in zip(away, middle, strict=True)]
    # No matrix product over the voxels: the last digits of one differ with the number of threads.
    spread = [[float((one * other).mean(dtype=float)) for other in away] for one in away]
    along = [float((one * field[body]).mean(dtype=float)) for one in away]
    # One slice alone tells no slope along z: the shortest solution has none.
    slopes = np.linalg.pinv(spread, hermitian=True) @ along
    constant = np.float32(field[body].mean(dtype=float) - slopes @ middle)
    slopes = slopes.astype(np.float32)
    x, y, z = np.meshgrid(*grid.axes, indexing="ij", sparse=True)
    return constant + slopes[0] * x + slopes[1] * y + slopes[2] * z
