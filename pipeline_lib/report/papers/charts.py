"""Charts that only the papers' chapters have: matrices in colour, and shares of classes."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

from pipeline_lib.report import figures
from pipeline_lib.report.matrices import COLORMAP
from pipeline_lib.report.numbers import number

SIZE = (4.6, 3.3)
# Above this relative luminance (WCAG 2) black has the higher contrast ratio, below it white.
DARK_INK_ABOVE = 0.179
# What is neither of the contrasts.
NEUTRAL = "#8a8f98"
# Width of a bar at a single point, as a share of the decades that the axis spans.
BAR_SHARE = 0.05


@dataclass(frozen=True)
class Shares:
    """How an image is classified along one setting of the scanner.

    Attributes
    ----------
    x
        [point], ascending and positive.
    shares
        Class -> share [point], from 0 to 1; those of all classes add up to 1.
    marks
        Where contrasts of the training lie.
    continuous
        Whether what is between the points may be filled: areas, else bars.
    """

    x: np.ndarray
    shares: Mapping[str, np.ndarray]
    marks: Sequence[float]
    continuous: bool


def heat_map(
    values: np.ndarray, names: Sequence[str], high: float, digits: int, description: str, key: str
) -> Markup:
    """Draw a source-by-target matrix with its numbers.

    Parameters
    ----------
    values
        [source, target]; NaN is left empty.
    high
        The value in the last colour; 0 is in the first.
    description
        What the chart shows, for those who can't see it.
    key
        Unique within the page.
    """

    def draw(axes: Axes) -> None:
        shares = np.clip(values / max(high, 1e-12), 0, 1)
        axes.pcolormesh(np.ma.masked_invalid(shares), cmap=COLORMAP, vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                axes.text(
                    column + 0.5, row + 0.5, number(value, digits), ha="center", va="center",
                    fontsize=8, color=_ink_on(float(shares[row, column])),
                )  # fmt: skip
        places = np.arange(len(names)) + 0.5
        axes.set_xticks(places, names, fontsize=8)
        axes.set_yticks(places, names, fontsize=8)
        axes.tick_params(length=0)
        axes.invert_yaxis()
        axes.set_xlabel("target")
        axes.set_ylabel("source")
        for spine in axes.spines.values():
            spine.set_visible(False)

    return _svg(draw, description, key)


def _ink_on(share: float) -> str:
    """Give the ink that is read best on a colour of the map."""
    colour = mpl.colormaps[COLORMAP](share)[:3]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > DARK_INK_ABOVE else "#ffffff"


def share_chart(made: Shares, neutral: str, x_label: str, description: str, key: str) -> Markup:
    """Draw the shares of the classes, stacked, over a logarithmic axis.

    Parameters
    ----------
    neutral
        The class that is drawn in grey.
    description
        What the chart shows, for those who can't see it.
    key
        Unique within the page.
    """
    contrasts = [name for name in made.shares if name != neutral]
    colours = dict(zip(contrasts, figures.SERIES, strict=False)) | {neutral: NEUTRAL}

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        if made.continuous and len(made.x) > 1:
            axes.stackplot(
                made.x, *made.shares.values(), labels=made.shares, alpha=0.8,
                colors=[colours[name] for name in made.shares],
            )  # fmt: skip
            axes.set_xlim(made.x[0], made.x[-1])
        else:
            _stacked_bars(axes, made, colours)
        for mark in made.marks:
            axes.axvline(mark, color=figures.INK, linewidth=0.9, linestyle=":")
        axes.xaxis.set_major_locator(NullLocator())
        axes.set_xticks(list(made.marks) or [made.x[0], made.x[-1]])
        # The usual labels of a logarithmic axis are formulas, which are not parsed here.
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(0, 1)
        axes.set_xlabel(x_label)
        axes.set_ylabel("share")
        axes.figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8,
            handlelength=1.2, columnspacing=1.0,
        )  # fmt: skip

    return _svg(draw, description, key)


def _stacked_bars(axes: Axes, made: Shares, colours: Mapping[str, str]) -> None:
    decades = np.log(made.x)
    half = max(BAR_SHARE * (decades[-1] - decades[0]), 0.02)
    left, right = np.exp(decades - half), np.exp(decades + half)
    bottom = np.zeros(len(made.x))
    for name, share in made.shares.items():
        axes.bar(
            left, share, right - left, bottom, align="edge", color=colours[name], alpha=0.8,
            label=name,
        )  # fmt: skip
        bottom = bottom + share


def _svg(draw: Callable[[Axes], None], description: str, key: str) -> Markup:
    """Draw on axes in the page's style and give the chart as inline SVG."""
    style: dict[Any, Any] = {**figures.STYLE, "svg.hashsalt": key}
    with mpl.rc_context(style):
        drawn = Figure(figsize=SIZE, layout="constrained")
        draw(drawn.add_subplot())
        buffer = io.StringIO()
        drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return figures.inline(buffer.getvalue(), key, description)
