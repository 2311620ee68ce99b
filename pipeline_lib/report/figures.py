"""Pictures as text that a page can hold: images, colour bars, line charts."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from PIL import Image, UnidentifiedImageError

from pipeline_lib.errors import InputError

# Drawn in this colour, which nothing else has; the page's own text colour takes its place, so
# that a chart follows the light and the dark scheme.
INK = "#010203"
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
# Told apart on white and on near-black, and by most colour-blind readers.
SERIES = ("#3b82c4", "#d9730d", "#2a9d6f", "#a566c4", "#d64545", "#8a8f98", "#b8860b", "#17a2b8")
LONGEST_EDGE = 1100
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Bar:
    """A colour bar: CSS colours from low to high, with the two values and what they measure."""

    colours: tuple[str, ...]
    low: str
    high: str
    label: str


def colour_bar(colormap: str, low: str, high: str, label: str) -> Bar:
    """Make the bar of a named matplotlib colour map."""
    steps = mpl.colormaps[colormap](np.linspace(0, 1, 9))
    return Bar(tuple(mpl.colors.to_hex(step) for step in steps), low, high, label)


def image_uri(
    image: np.ndarray,
    high: float,
    colormap: str = "gray",
    inside: np.ndarray | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    over: str | None = None,
) -> str:
    """Give an image as a PNG in a data URI.

    Parameters
    ----------
    image
        Any real values, [row, column]; what is not finite is drawn as 0.
    high
        The value drawn in the last colour, and what is above it; 0 is drawn in the first.
    colormap
        Name of a matplotlib colour map.
    inside
        Mask [row, column]; black elsewhere. All is inside if not given.
    spacing
        Distance of rows and of columns; the picture gets square pixels.
    over
        Colour of what is above `high`, infinity with it; the map's last colour if not given.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    # Entry 0 of the palette is black, for what is outside.
    levels = 1 + np.clip(np.rint(254 * values / max(high, 1e-12)), 0, 254).astype(np.uint8)
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[1:] = (255 * mpl.colormaps[colormap](np.linspace(0, 1, 255))[:, :3]).round()
    if over is not None:
        # The last entry is given up for the colour; what falls just short of `high` keeps one.
        levels = np.where(np.asarray(image) > high, 255, np.minimum(levels, 254)).astype(np.uint8)
        palette[255] = _colour(over)
    if inside is not None:
        levels[np.asarray(inside) == 0] = 0
    return _palette_uri(levels, palette, spacing)


def labels_uri(
    labels: np.ndarray,
    colours: Mapping[int, str],
    spacing: tuple[float, float] = (1.0, 1.0),
) -> str:
    """Give labels [row, column] as a PNG in a data URI; black where a label has no colour.

    Parameters
    ----------
    labels
        Whole numbers from 0 to 255.
    colours
        Colour of each label, as `#rrggbb`.
    spacing
        Distance of rows and of columns; the picture gets square pixels.
    """
    palette = np.zeros((256, 3), dtype=np.uint8)
    for label, colour in colours.items():
        palette[label] = _colour(colour)
    return _palette_uri(np.asarray(labels).astype(np.uint8), palette, spacing)


def _colour(name: str) -> np.ndarray:
    return np.rint(255 * np.array(mpl.colors.to_rgb(name))).astype(np.uint8)


def _palette_uri(levels: np.ndarray, palette: np.ndarray, spacing: tuple[float, float]) -> str:
    """Give indices [row, column] into a palette [256, 3] as a PNG in a data URI."""
    picture = Image.fromarray(levels, mode=None)
    rows, columns = levels.shape
    shortest = min(spacing)
    size = (round(columns * spacing[1] / shortest), round(rows * spacing[0] / shortest))
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.NEAREST)
    picture = picture.convert("P")
    picture.putpalette(palette.tobytes())
    return _uri(picture, "PNG", optimize=True)


def picture_uri(path: str | Path) -> str:
    """Give a picture file as a JPEG in a data URI, no edge longer than `LONGEST_EDGE` pixels.

    Raises
    ------
    InputError
        If the file is no picture.
    """
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path} is no picture ({error}); delete it and run again.") from None
    picture.thumbnail((LONGEST_EDGE, LONGEST_EDGE), Image.Resampling.LANCZOS)
    on_white = Image.new("RGBA", picture.size, "white")
    on_white.alpha_composite(picture)
    return _uri(on_white.convert("RGB"), "JPEG", quality=JPEG_QUALITY, optimize=True)


def _uri(picture: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{text}"


@dataclass(frozen=True)
class Line:
    """One line of a chart: points, which series (colour) it belongs to, and its name."""

    x: np.ndarray
    y: np.ndarray
    series: int
    name: str


def line_chart(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    description: str,
    key: str,
    log: bool = False,
    share: bool = False,
) -> Markup:
    """Draw lines as inline SVG that takes the page's text colour.

    Parameters
    ----------
    lines
        A name that comes again (another fold) is in the legend once.
    description
        What the chart shows, for those who can't see it.
    key
        Unique within the page; ids within the SVG start with it.
    log
        Logarithmic y axis.
    share
        y from 0 to 1.
    """
    style: dict[Any, Any] = {**STYLE, "svg.hashsalt": key}
    with mpl.rc_context(style):
        drawn = Figure(figsize=(4.6, 2.9), layout="constrained")
        axes = drawn.add_subplot()
        for line in lines:
            # A name that starts with an underscore would be left out of the legend.
            axes.plot(
                line.x,
                line.y,
                color=SERIES[line.series % len(SERIES)],
                linestyle=("-", "--")[line.series // len(SERIES) % 2],
                linewidth=1.3,
                alpha=0.8,
                label=line.name.lstrip("_"),
                marker="." if len(line.x) < 3 else None,
            )
        if log:
            axes.set_yscale("log")
            # The usual labels of a logarithmic axis are formulas, which are not parsed here.
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        if share:
            axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(color="#888888", alpha=0.25, linewidth=0.6)
        handles, names = axes.get_legend_handles_labels()
        first = dict(reversed(list(zip(names, handles, strict=True))))
        ordered = list(dict.fromkeys(names))
        drawn.legend(
            [first[name] for name in ordered], ordered, loc="outside upper left",
            ncols=3, fontsize=8, handlelength=1.4, columnspacing=1.0,
        )  # fmt: skip
        buffer = io.StringIO()
        drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return inline(buffer.getvalue(), key, description)


def inline(svg: str, key: str, description: str) -> Markup:
    """Make a stand-alone SVG fit to stand in a page beside others."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = svg.replace("url(#", f"url(#{key}-").replace('href="#', f'href="#{key}-')
    svg = svg.replace(INK, "currentColor")
    opening = Markup('<svg role="img" aria-label="{}" ').format(description)
    return Markup(opening + Markup(svg.removeprefix("<svg ")))
