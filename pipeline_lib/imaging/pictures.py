"""Pictures for quality control: edges of the reference over a scan, before and after."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage

from pipeline_lib.files import written_whole
from pipeline_lib.imaging.scans import spacing_of, to_orientation

BACKGROUND, TEXT, EDGES = "#111418", "#e6e6e6", "#ffb000"
# Planes as (fixed axis, title) of an array in RAS order.
PLANES = ((2, "axial"), (1, "coronal"), (0, "sagittal"))

MOST = 6  # contrasts in a picture


def pictured(contrasts: Collection[str]) -> list[str]:
    """Choose the contrasts to draw: all, or six spread evenly over their order."""
    names = list(contrasts)
    if len(names) <= MOST:
        return names
    return [names[round(place)] for place in np.linspace(0, len(names) - 1, MOST)]


def save_registration_picture(
    path: str | Path,
    reference: tuple[str, np.ndarray],
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray, str]],
    mask: np.ndarray,
    affine: np.ndarray,
) -> None:
    """Draw the reference's edges over scans, unregistered and registered, in three planes.

    Parameters
    ----------
    path
        PNG file.
    reference
        Name and image [x, y, z] of the reference contrast.
    pairs
        For each contrast to draw the scan before and after its registration, on the reference's
        grid, and a note to print beside it.
    mask, affine
        The body and [4, 4] (mm RAS+) of the reference's grid.
    """
    name, image = reference
    image, turned = to_orientation(image, affine)
    mask, _ = to_orientation(mask, affine)
    edges = edge_map(image, mask, spacing_of(turned))
    rows = max(len(pairs), 1)
    figure = Figure(figsize=(12, 0.5 + 2.1 * rows), facecolor=BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 6, squeeze=False)
    for row, (contrast, (before, after, note)) in zip(axes, pairs.items(), strict=False):
        scans = [to_orientation(scan, affine)[0] for scan in (before, after)]
        for side, scan in enumerate(scans):
            for column, (axis, plane) in enumerate(PLANES):
                panel = row[3 * side + column]
                _draw(panel, scan, edges, mask, spacing_of(turned), axis)
                when = ("before", "after")[side]
                panel.set_title(f"{contrast} {when}, {plane}", color=TEXT, fontsize=7)
        row[0].set_ylabel(note, color=TEXT, fontsize=7)
    if not pairs:
        axes[0, 0].set_title(f"{name} alone: nothing to register", color=TEXT, fontsize=8)
    for panel in axes.ravel():
        panel.set(xticks=[], yticks=[], facecolor=BACKGROUND)
        panel.spines[:].set_visible(False)
    figure.suptitle(f"edges of {name} over other scans", color=TEXT, fontsize=9)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=85, format="png")


def edge_map(
    image: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Find the strongest edges within a body: the upper eighth of the smoothed gradient.

    Returns
    -------
        bool [x, y, z].
    """
    smooth = ndimage.gaussian_filter(image, [1.5 / size for size in spacing])
    gradient = np.gradient(smooth, *spacing)
    steepness = np.sqrt(sum(part**2 for part in gradient))
    near = ndimage.binary_dilation(mask, iterations=2)
    return near & (steepness > np.percentile(steepness[near], 87))


def _draw(
    panel: Axes,
    scan: np.ndarray,
    edges: np.ndarray,
    mask: np.ndarray,
    spacing: tuple[float, float, float],
    axis: int,
) -> None:
    index = int(np.median(np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))))
    across, up = (other for other in range(3) if other != axis)
    flat, lines = scan.take(index, axis=axis).T, edges.take(index, axis=axis).T
    extent = (0, flat.shape[1] * spacing[across], 0, flat.shape[0] * spacing[up])
    brightest = float(np.percentile(scan[mask], 99.5))
    panel.imshow(flat, cmap="gray", vmin=0, vmax=brightest, origin="lower", extent=extent)
    panel.contour(lines, levels=[0.5], colors=EDGES, linewidths=0.35, origin="lower", extent=extent)
