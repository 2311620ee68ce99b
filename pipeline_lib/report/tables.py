"""Tables of the report: what a reader sees, what a click sorts by, and what the CSV holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from pipeline_lib.report.numbers import mean_and_sd, number
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.verdict import (
    BASELINES,
    CEILINGS,
    MAIN_METRICS,
    METRICS,
    ORACLES,
    RIVALS,
    Score,
    below,
    label_of,
    metric_of,
    scores,
    winner,
)

# A page of any number of patients stays small: rows that a table shows, and that its CSV holds.
MOST_ROWS = 100
MOST_IN_CSV = 1000


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
    href
        Where its text leads to, within the page.
    """

    text: str
    sort: float | str | None
    detail: str = ""
    tag: str = ""
    best: bool = False
    faint: bool = False
    href: str = ""


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


def csv_of(rows: pd.DataFrame, place: str) -> tuple[str, str]:
    """Give the CSV of a table that grows with the patients, and what its caption says of it.

    Parameters
    ----------
    rows
        All rows; of very many the first are taken.
    place
        Where all of them are, within the results folder.

    Returns
    -------
        The second is empty if nothing is left out.
    """
    said = ""
    if len(rows) > MOST_IN_CSV:
        said = f" The CSV has {MOST_IN_CSV:,} of {len(rows):,} rows; all lie in {place}."
    return rows.head(MOST_IN_CSV).to_csv(index=False), said


def name_cell(model: str) -> Cell:
    """Name a system, with what explains it on a second line."""
    name, _, explained = label_of(model).partition(" (")
    return Cell(name, name, detail=explained.removesuffix(")"))


def words(text: object) -> Cell:
    """Give a cell of text, sorted by it."""
    return Cell(str(text), str(text))


def numeric(value: float, digits: int, unit: str = "", tag: str = "") -> Cell:
    """Give a cell of a number; `–` where there is none."""
    missing = bool(pd.isna(value))
    text = number(value, digits)
    return Cell(text if missing else f"{text} {unit}".strip(), None if missing else value, tag=tag)


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
    """Name and kind of all systems measured: learned, baseline, oracle, ceiling, in that order."""
    found = set(summary.loc[summary["experiment"] == experiment.name, "model"])
    ordered = [(name, "learned") for name in experiment.models]
    for kind, names in (("baseline", BASELINES), ("oracle", ORACLES), ("ceiling", CEILINGS)):
        ordered += [(name, kind) for name in names if name in found]
    named = {name for name, _ in ordered}
    return ordered + [(name, "other") for name in sorted(found - named)]


def pooled(experiment: Experiment, summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of a summary of an experiment: the body, all pairs together."""
    return summary[
        (summary["experiment"] == experiment.name)
        & (summary["region"] == "body")
        & (summary["source"] == "all")
        & (summary["target"] == "all")
    ]


def transfer_table(experiment: Experiment, summary: pd.DataFrame) -> Table | None:
    """Systems by the main metrics over the body: mean ± SD, 95 % interval and n patients."""
    rows = pooled(experiment, summary)
    names = [name for name in MAIN_METRICS if name in set(rows["metric"])]
    blur = " Blur is the answer's over the target's; 1: as sharp as the target, more: blurrier."
    caption = (
        f"{leaked_caption(experiment)}{experiment.pair_words}: mean ± SD over patients, 95 % "
        f"bootstrap interval below{pooling(experiment)}. The best value of each column, oracle "
        f"and ceilings aside, is marked.{blur if 'blur' in names else ''}"
    )
    return systems_table(f"transfer-{experiment.name}", caption, experiment, summary, names)


def more_table(experiment: Experiment, summary: pd.DataFrame) -> Table | None:
    """Systems by what the first table leaves out, such as SSIM in three dimensions."""
    found = set(pooled(experiment, summary)["metric"]) - set(MAIN_METRICS)
    names = [name for name in METRICS if name in found] + sorted(found - set(METRICS))
    caption = f"{leaked_caption(experiment)}Mean ± SD over patients, 95 % bootstrap interval below."
    return systems_table(f"more-{experiment.name}", caption, experiment, summary, names)


def systems_table(
    name: str, caption: str, experiment: Experiment, summary: pd.DataFrame, names: Sequence[str]
) -> Table | None:
    """Systems by metrics over the body and all pairs; None where no system has any of them."""
    rows = pooled(experiment, summary)
    rows = rows[rows["metric"].isin(names)]
    if rows.empty:
        return None
    found = {metric: scores(summary, experiment.name, metric) for metric in names}
    shown = [each for each in systems(experiment, summary) if each[0] in set(rows["model"])]
    ranked = [model for model, kind in shown if kind in ("learned", "baseline")]
    best = {
        metric: winner(found[metric], metric, ranked) if metric_of(metric).better else None
        for metric in names
    }
    flags = _flags(experiment, summary)
    body = []
    for model, kind in shown:
        counts = [found[metric][model].n for metric in names if model in found[metric]]
        cells = [replace(name_cell(model), tag=flags.get(model, "")), words(kind)]
        cells += [numeric(max(counts) if counts else float("nan"), 0)]
        cells += [
            score_cell(found[metric].get(model), metric, best=best[metric] == model)
            for metric in names
        ]
        body.append(tuple(cells))
    return Table(
        name=name,
        caption=caption,
        columns=("System", "Kind", "Patients", *map(heading, names)),
        rows=tuple(body),
        csv=rows.drop(columns=["source", "target"]).to_csv(index=False),
    )


def _flags(experiment: Experiment, summary: pd.DataFrame) -> dict[str, str]:
    """Learned system -> below which of the baselines it is, and in which metrics."""
    flags: dict[str, list[str]] = {}
    for rival, (name, _) in RIVALS.items():
        for model, metrics in below(summary, experiment.name, experiment.models, rival).items():
            flags.setdefault(model, []).append(f"below {name} ({', '.join(metrics)})")
    return {model: "; ".join(said) for model, said in flags.items()}


def pooling(experiment: Experiment) -> str:
    """Say how pairs are pooled, where there is more than one."""
    return "; mean over all pairs within each patient first" if len(experiment.pairs) > 1 else ""


def leaked_caption(experiment: Experiment) -> str:
    """Warn at the head of a caption of a leaked experiment; empty for an honest one."""
    return "Leaked split, not evidence of generalisation. " if experiment.leaked else ""


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


def heading(metric: str) -> str:
    """Head a column of a metric: name, unit, and an arrow to where it is better."""
    how = metric_of(metric)
    arrow = {"lower": " ↓", "higher": " ↑", None: ""}[how.better]
    unit = f" ({how.unit})" if how.unit else ""
    return f"{how.name}{unit}{arrow}"
