"""Tables of the report: what a reader sees, what a click sorts by, and what the CSV holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.report.brief import number
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.verdict import (
    BASELINES,
    CEILINGS,
    METRICS,
    Score,
    below_look_up_table,
    label_of,
    metric_of,
    scores,
    short_label_of,
    winner,
)


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text
        What stands in it.
    sort
        What the column is sorted by; None is a missing value, which stays last.
    detail
        A second, smaller line.
    tag
        A remark in words, set off from the text.
    best
        Whether it is the best of its column.
    faint
        Whether it is greyed, because it can't be relied on.
    """

    text: str
    sort: float | str | None
    detail: str = ""
    tag: str = ""
    best: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes
    ----------
    name
        Unique within the page; id of the table and name of its CSV file.
    csv
        The same numbers at full precision, one a column.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    csv: str


def words(text: object) -> Cell:
    """Give a cell of text, sorted by it."""
    return Cell(str(text), str(text))


def numeric(value: float, digits: int, unit: str = "", tag: str = "") -> Cell:
    """Give a cell of a number; `–` where there is none."""
    missing = bool(pd.isna(value))
    text = number(value, digits)
    return Cell(text if missing else f"{text} {unit}".strip(), None if missing else value, tag=tag)


def mean_and_sd(mean: float, sd: float, digits: int) -> str:
    """Write `mean ± SD`, or the mean alone where the SD is undefined; `–` without a mean."""
    if pd.isna(mean):
        return "–"
    return f"{number(mean, digits)} ± {number(sd, digits)}"


def score_cell(score: Score | None, metric: str, best: bool = False) -> Cell:
    """Give a cell of mean ± SD with its 95 % interval below."""
    if score is None or pd.isna(score.mean):
        return Cell("–", None)
    digits = metric_of(metric).digits
    bounds = ""
    if score.n > 1 and not pd.isna(score.low):
        bounds = f"[{number(score.low, digits)}, {number(score.high, digits)}]"
    return Cell(mean_and_sd(score.mean, score.sd, digits), score.mean, bounds, best=best)


def systems(experiment: Experiment, summary: pd.DataFrame) -> list[tuple[str, str]]:
    """Name and kind (learned, baseline, ceiling) of all systems measured, learned ones first."""
    found = set(summary.loc[summary["experiment"] == experiment.name, "model"])
    ordered = [(name, "learned") for name in experiment.models]
    ordered += [(name, "baseline") for name in BASELINES if name in found]
    ordered += [(name, "ceiling") for name in CEILINGS if name in found]
    named = {name for name, _ in ordered}
    return ordered + [(name, "other") for name in sorted(found - named)]


def _metrics_in(rows: pd.DataFrame) -> list[str]:
    found = set(rows["metric"])
    return [name for name in METRICS if name in found] + sorted(found - set(METRICS))


def transfer_table(experiment: Experiment, summary: pd.DataFrame) -> Table | None:
    """Systems by metrics over the body: mean ± SD, 95 % interval and n patients."""
    rows = summary[
        (summary["experiment"] == experiment.name)
        & (summary["region"] == "body")
        & (summary["source"] == "all")
        & (summary["target"] == "all")
    ]
    if rows.empty:
        return None
    names = _metrics_in(rows)
    found = {name: scores(summary, experiment.name, name) for name in names}
    ranked = [
        name for name, kind in systems(experiment, summary) if kind in ("learned", "baseline")
    ]
    best = {name: winner(found[name], name, ranked) for name in names}
    best = {name: best[name] if metric_of(name).better else None for name in names}
    flags = below_look_up_table(summary, experiment.name, experiment.models)
    body = []
    for model, kind in systems(experiment, summary):
        tag = f"below the look-up table ({', '.join(flags[model])})" if model in flags else ""
        counts = [found[name][model].n for name in names if model in found[name]]
        cells = [Cell(label_of(model), label_of(model), tag=tag), words(kind)]
        cells += [numeric(max(counts) if counts else float("nan"), 0)]
        cells += [
            score_cell(found[name].get(model), name, best=best[name] == model) for name in names
        ]
        body.append(tuple(cells))
    return Table(
        name=f"transfer-{experiment.name}",
        caption=(
            f"{experiment.pair_words}: mean ± SD over patients, 95 % bootstrap interval below"
            f"{_pooling(experiment)}. The best value of each column, ceilings aside, is marked."
        ),
        columns=("System", "Kind", "Patients", *map(_heading, names)),
        rows=tuple(body),
        csv=rows.drop(columns=["source", "target"]).to_csv(index=False),
    )


def _pooling(experiment: Experiment) -> str:
    return "; mean over all pairs within each patient first" if len(experiment.pairs) > 1 else ""


def range_words(experiment: Experiment, metrics: pd.DataFrame) -> str:
    """Say R, the data range of PSNR and SSIM, of each target: a span where folds differ.

    The training patients set R, so that each fold has its own.
    """
    rows = metrics[metrics["experiment"] == experiment.name]
    parts = []
    for contrast in experiment.dataset.contrasts:
        values = rows.loc[rows["target"] == contrast, "data_range"].dropna()
        if values.empty:
            continue
        low, high = number(values.min(), 3), number(values.max(), 3)
        parts.append(f"{contrast} {low}" if low == high else f"{contrast} {low} to {high}")
    return ", ".join(parts)


def _heading(metric: str) -> str:
    how = metric_of(metric)
    arrow = {"lower": " ↓", "higher": " ↑", None: ""}[how.better]
    unit = f" ({how.unit})" if how.unit else ""
    return f"{how.name}{unit}{arrow}"


def pair_table(experiment: Experiment, summary: pd.DataFrame, metric: str) -> Table | None:
    """Systems by pairs of contrasts, for one metric over the body; pairs go down if they are more.

    The best system for each pair, ceilings aside, is marked.
    """
    rows = summary[
        (summary["experiment"] == experiment.name)
        & (summary["region"] == "body")
        & (summary["metric"] == metric)
        & (summary["source"] != "all")
        & (summary["source"] != summary["target"])
    ]
    if rows.empty:
        return None
    order = [name for name, _ in systems(experiment, summary)]
    ranked = [name for name in order if name not in CEILINGS]
    columns = []
    for source, target in experiment.transfers:
        found = scores(summary, experiment.name, metric, "body", source, target)
        best = winner(found, metric, ranked)
        columns.append([score_cell(found.get(name), metric, best=name == best) for name in order])
    pairs = [f"{source} → {target}" for source, target in experiment.transfers]
    if len(pairs) <= len(order):
        heading, across = "System", pairs
        cells = [list(row) for row in zip(*columns, strict=True)]
        down = [label_of(name) for name in order]
    else:
        heading, across, cells = "Source → target", list(map(short_label_of, order)), columns
        down = pairs
    return Table(
        name=f"pairs-{metric}-{experiment.name}",
        caption=f"{_heading(metric)} of each pair over the body: mean ± SD, 95 % interval.",
        columns=(heading, *across),
        rows=tuple((words(name), *made) for name, made in zip(down, cells, strict=True)),
        csv=rows.to_csv(index=False),
    )


def region_table(
    experiment: Experiment, summary: pd.DataFrame, names: Sequence[str] = ("nrmse", "bias")
) -> Table | None:
    """Tissues by systems: NRMSE and signed bias, mean over all pairs."""
    rows = summary[
        (summary["experiment"] == experiment.name)
        & (summary["region"] != "body")
        & (summary["source"] == "all")
        & summary["metric"].isin(names)
    ]
    if rows.empty:
        return None
    shown = [name for name in names if name in set(rows["metric"])]
    order = [name for name, _ in systems(experiment, summary) if name in set(rows["model"])]
    body = []
    for region in dict.fromkeys(rows["region"]):
        for metric in shown:
            found = scores(summary, experiment.name, metric, region)
            # In one cell, which stays in sight when a table of many systems is scrolled.
            named = metric_of(metric).name
            cells = [Cell(str(region), f"{region} {named}", detail=named)]
            cells += [score_cell(found.get(name), metric) for name in order]
            body.append(tuple(cells))
    return Table(
        name=f"regions-{experiment.name}",
        caption=(
            f"Within each tissue: mean ± SD over patients, 95 % interval{_pooling(experiment)}."
        ),
        columns=("Tissue", *map(short_label_of, order)),
        rows=tuple(body),
        csv=rows.drop(columns=["source", "target"]).to_csv(index=False),
    )
