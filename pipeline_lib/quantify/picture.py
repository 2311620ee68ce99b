"""A picture of fitted maps: each beside its bound, and how the fits ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pipeline_lib.files import written_whole
from pipeline_lib.quantify.flags import Flag

Array = np.ndarray

# Above this share of the value a bound is greyed out: the value tells little.
LARGEST_BOUND = 0.20
GREY = "0.55"
ROWS = {"T1": "T1 (s)", "T2": "T2 (s)", "PD": "PD"}
# In seconds, so that pictures of different patients compare; of PD the slice's own.
BRIGHTEST = {"T1": 3.0, "T2": 0.25}
MAP_COLOURS = {"T1": "magma", "T2": "magma", "PD": "gray"}
BOUND_COLOURS = "viridis"  # no grey among them
# Colours that most colour-blind readers tell apart (Okabe and Ito 2008).
ENDINGS = {
    Flag.NOT_FITTED: ("black", "not fitted"),
    Flag.CONVERGED: ("#d9dcdf", "converged"),
    Flag.UNIDENTIFIABLE: ("#0072b2", "unidentifiable"),
    Flag.AT_BOUND: ("#e69f00", "at a limit of T1 or T2"),
    Flag.NOT_CONVERGED: ("#d55e00", "not converged"),
    Flag.BELOW_NOISE: ("#cc79a7", "below the noise"),
}


def middle_slice(flags: Array) -> int:
    """Give the middle one of the slices [slice, row, column] with a voxel that was fitted."""
    fitted = np.flatnonzero((flags != Flag.NOT_FITTED).any(axis=(1, 2)))
    return int(fitted[len(fitted) // 2])


def relative_bound(value: Array, bound: Array) -> Array:
    """Give a bound as a share of the value; NaN where it is unknown or more than 20 %.

    Parameters
    ----------
    value, bound
        Of one shape, in one unit.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = bound / value
    return np.where(share <= LARGEST_BOUND, share, np.nan)


def draw_maps(
    path: str | Path, values: Mapping[str, Array], spacing: tuple[float, float], title: str
) -> None:
    """Draw one slice: rows T1, T2 and PD; columns map, relative bound, and how the fits ended.

    Parameters
    ----------
    path
        PNG to write.
    values
        `T1`, `T2`, `PD`, the bound of each, `residual` and `flag`, each [row, column].
    spacing
        Distance of rows and of columns, mm.
    title
        Of the picture.
    """
    inside = values["flag"] != Flag.NOT_FITTED
    cut = _around(inside)
    shown = {name: value[cut] for name, value in values.items()}
    inside = inside[cut]
    rows, columns = inside.shape
    aspect = spacing[0] / spacing[1]
    height = 3.2 * min(2.0, max(0.5, aspect * rows / columns))
    figure = Figure(figsize=(12, 3 * height + 0.6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(3, 3)
    for (left, middle, _), (name, label) in zip(panels, ROWS.items(), strict=True):
        value = np.where(inside, shown[name], np.nan)
        high = BRIGHTEST.get(name) or _high(value)
        _panel(figure, left, value, label, aspect, cmap=MAP_COLOURS[name], vmax=high)
        share = 100 * relative_bound(shown[name], shown[f"{name}_bound"])
        about = f"bound of {name} (% of its value; grey: above {100 * LARGEST_BOUND:.0f} %)"
        _panel(figure, middle, share, about, aspect, cmap=BOUND_COLOURS, vmax=100 * LARGEST_BOUND)
        # What was not fitted is black, unlike a bound that is too large.
        middle.imshow(np.ma.masked_array(inside, inside), cmap=ListedColormap(["black"]),
                      aspect=aspect)  # fmt: skip
        left.set_facecolor("black")
        middle.set_facecolor(GREY)
    top, key, bottom = panels[:, 2]
    colours = ListedColormap([ENDINGS[flag][0] for flag in Flag])
    top.imshow(shown["flag"], cmap=colours, vmin=-0.5, vmax=len(Flag) - 0.5, aspect=aspect,
               interpolation="nearest")  # fmt: skip
    top.set_title("how the fit ended")
    top.set_axis_off()
    _legend(key, shown["flag"][inside])
    residual = np.where(inside, shown["residual"], np.nan)
    bottom.set_facecolor("black")
    about = "residual (unit of PD)"
    _panel(figure, bottom, residual, about, aspect, cmap="magma", vmax=_high(residual))
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _panel(
    figure: Figure, axes: Any, image: Array, label: str, aspect: float, **colours: Any
) -> None:
    drawn = axes.imshow(image, aspect=aspect, interpolation="nearest", vmin=0, **colours)
    axes.set_title(label)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(drawn, ax=axes, shrink=0.85, extend="max")


def _legend(axes: Any, flags: Array) -> None:
    """List the flags that occur, with the share of the slice's voxels."""
    counts = {flag: int((flags == flag).sum()) for flag in ENDINGS}
    patches = [
        Patch(
            facecolor=colour,
            edgecolor="black",
            label=f"{text}, {100 * counts[flag] / len(flags):.2f} %",
        )
        for flag, (colour, text) in ENDINGS.items()
        if counts[flag]
    ]
    axes.legend(handles=patches, loc="upper center", frameon=False, fontsize="large")
    axes.set_axis_off()


def _high(image: Array) -> float:
    """Give the value that the brightest colour stands for; a few voxels are brighter."""
    known = image[np.isfinite(image)]
    return float(np.percentile(known, 98)) if known.size and known.max() > 0 else 1.0


def _around(inside: Array) -> tuple[slice, slice]:
    """Cut a slice to what was fitted, and a margin of two pixels."""
    if not inside.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(rows[0] - 2, 0), rows[-1] + 3),
        slice(max(columns[0] - 2, 0), columns[-1] + 3),
    )
