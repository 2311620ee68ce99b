"""Source-by-target matrices of a metric, as tables with coloured cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd

from pipeline_lib.report.figures import Bar, colour_bar
from pipeline_lib.report.numbers import number
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.verdict import label_of, metric_of, scores

COLORMAP = "YlOrRd"


@dataclass(frozen=True)
class HeatCell:
    """One cell: its text and colours, what it says at length, and whether it is framed."""

    text: str
    background: str
    ink: str
    title: str
    framed: bool


@dataclass(frozen=True)
class Matrix:
    """Matrix of one system; `rows` are (source, cells) in the order of `contrasts`."""

    model: str
    label: str
    contrasts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


@dataclass(frozen=True)
class MatrixSet:
    """Matrices of several systems on one colour scale.

    Attributes
    ----------
    name
        Unique within the page; name of their CSV file.
    diagonal
        Whether contrasts from themselves were tested.
    """

    name: str
    metric: str
    diagonal: bool
    matrices: tuple[Matrix, ...]
    bar: Bar
    csv: str


def matrix_set(
    summary: pd.DataFrame, experiment: Experiment, models: Sequence[str], metric: str = "nrmse"
) -> MatrixSet | None:
    """Make the matrices of the systems that have values, on a common scale from 0.

    The scale ends at the largest value of any pair of different contrasts in them. Of an
    experiment with no more than half of the possible pairs there are none: they would be holes,
    and the table of pairs says it all.

    Parameters
    ----------
    models
        Order of the matrices; systems without a value are left out.
    """
    if 2 * len(experiment.transfers) <= experiment.possible:
        return None
    contrasts = experiment.dataset.contrasts
    values: dict[str, dict[tuple[str, str], float]] = {model: {} for model in models}
    counts: dict[tuple[str, str, str], int] = {}
    for source in contrasts:
        for target in contrasts:
            found = scores(summary, experiment.name, metric, "body", source, target)
            for model in set(models) & set(found):
                values[model][source, target] = found[model].mean
                counts[model, source, target] = found[model].n
    shown = [model for model in models if values[model]]
    off_diagonal = [
        value
        for model in shown
        for (source, target), value in values[model].items()
        if source != target and pd.notna(value)
    ]
    if not off_diagonal:
        return None
    high = max(off_diagonal)
    matrices = [
        Matrix(
            model=model,
            label=label_of(model),
            contrasts=contrasts,
            rows=tuple(
                (
                    source,
                    tuple(
                        _cell(values[model].get((source, target)), high, metric, source, target,
                              counts.get((model, source, target), 0))
                        for target in contrasts
                    ),
                )
                for source in contrasts
            ),
        )
        for model in shown
    ]  # fmt: skip
    digits = metric_of(metric).digits
    bar = colour_bar(COLORMAP, "0", number(high, digits), metric_of(metric).name)
    diagonal = any(source == target for model in shown for source, target in values[model])
    table = pd.DataFrame(
        [
            {"model": model, "source": source, "target": target, metric: value,
             "n": counts[model, source, target]}
            for model in shown
            for (source, target), value in values[model].items()
        ]
    )  # fmt: skip
    return MatrixSet(
        name=f"matrices-{metric}-{experiment.name}",
        metric=metric_of(metric).name,
        diagonal=diagonal,
        matrices=tuple(matrices),
        bar=bar,
        csv=table.to_csv(index=False),
    )


def _cell(
    value: float | None, high: float, metric: str, source: str, target: str, n: int
) -> HeatCell:
    if value is None or pd.isna(value):
        return HeatCell("–", "transparent", "inherit", f"{source} to {target}: no value", False)
    share = min(max(value / high, 0.0), 1.0) if high > 0 else 0.0
    red, green, blue, _ = mpl.colormaps[COLORMAP](share)
    # Relative luminance (WCAG 2): the ink with the higher contrast ratio.
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    ink = "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"
    text = number(value, metric_of(metric).digits)
    title = f"{source} to {target}: {metric_of(metric).name} {text}, n = {n}"
    return HeatCell(text, mpl.colors.to_hex((red, green, blue)), ink, title, source == target)
