"""Pictures of segmentations and of bias correction, for quality control."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pipeline_lib.files import written_whole
from pipeline_lib.imaging.pictures import BACKGROUND, TEXT
from pipeline_lib.imaging.scans import spacing_of, to_orientation

BODY = "#00d0ff"
PLACES = (0.2, 0.4, 0.6, 0.8)  # of the body's height
COLOURS = colormaps["tab10"]


def save_segmentation_picture(
    path: Path,
    image: np.ndarray,
    body: np.ndarray,
    labels: np.ndarray,
    names: Mapping[int, str],
    affine: np.ndarray,
) -> None:
    """Draw the body's outline and the tissues over four axial slices of the reference scan.

    Parameters
    ----------
    path
        PNG file.
    image, body, labels
        [x, y, z].
    names
        Tissue of each label.
    affine
        Of their grid, mm RAS+.
    """
    image, turned = to_orientation(image, affine)
    body, labels = (to_orientation(mask, affine)[0] for mask in (body, labels))
    figure, axes = _panels(2, len(PLACES))
    for column, index in enumerate(_indices(body)):
        for row in range(2):
            _show(
                axes[row, column], image[:, :, index], spacing_of(turned), _brightest(image, body)
            )
        outline = body[:, :, index].T
        if outline.any():
            extent = axes[0, column].images[0].get_extent()
            axes[0, column].contour(
                outline, levels=[0.5], colors=BODY, linewidths=0.8, origin="lower", extent=extent
            )
        colours = _coloured(labels[:, :, index].T, names)
        axes[1, column].imshow(
            colours, origin="lower", extent=axes[1, column].images[0].get_extent()
        )
    handles = [Patch(color=COLOURS(i % 10), label=name) for i, name in enumerate(names.values())]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=6, fontsize=7,
            labelcolor=TEXT, facecolor=BACKGROUND, edgecolor=BACKGROUND,
        )  # fmt: skip
    _save(figure, path)


def save_bias_picture(
    path: Path,
    scans: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    """Draw the middle slice of contrasts: raw, corrected, and the field.

    Parameters
    ----------
    path
        PNG file.
    scans
        By contrast: raw scan, corrected scan, field, body mask (all [x, y, z]) and affine.
    """
    figure, axes = _panels(3, len(scans))
    for column, (contrast, (raw, corrected, field, body, affine)) in enumerate(scans.items()):
        volumes = [to_orientation(volume, affine) for volume in (raw, corrected, field, body)]
        spacing = spacing_of(volumes[0][1])
        (raw, _), (corrected, _), (field, _), (body, _) = volumes
        index = _indices(body)[1]
        brightest = _brightest(raw, body)
        _show(axes[0, column], raw[:, :, index], spacing, brightest)
        _show(axes[1, column], corrected[:, :, index], spacing, brightest)
        inside = np.where(body > 0, field, np.nan)[:, :, index]
        _show(axes[2, column], inside, spacing, 1.4, 0.6, "RdBu_r")
        for row, what in enumerate(("raw", "corrected", "field, 0.6 to 1.4")):
            axes[row, column].set_title(f"{contrast}: {what}", color=TEXT, fontsize=7)
    _save(figure, path)


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(
        figsize=(2.2 * columns, 2.0 * rows + 0.3), facecolor=BACKGROUND, layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.ravel():
        panel.set_axis_off()
    return figure, axes


def _indices(body: np.ndarray) -> list[int]:
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    return [int(slices[int(place * (len(slices) - 1))]) for place in PLACES]


def _brightest(image: np.ndarray, body: np.ndarray) -> float:
    return float(np.percentile(image[body > 0], 99.5))


def _show(
    panel: Axes, flat: np.ndarray, spacing: tuple[float, float, float], high: float,
    low: float = 0.0, colours: str = "gray",
) -> None:  # fmt: skip
    extent = (0, flat.shape[0] * spacing[0], 0, flat.shape[1] * spacing[1])
    panel.imshow(flat.T, cmap=colours, vmin=low, vmax=high, origin="lower", extent=extent)


def _coloured(labels: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    picture = np.zeros((*labels.shape, 4))
    for index, label in enumerate(names):
        picture[labels == label] = (*COLOURS(index % 10)[:3], 0.55)
    return picture


def _save(figure: Figure, path: Path) -> None:
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")
