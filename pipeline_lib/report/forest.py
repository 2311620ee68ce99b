"""Means and intervals of all systems on one axis, for the eye to compare."""

from dataclasses import dataclass

import pandas as pd

from pipeline_lib.report.numbers import number
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import systems
from pipeline_lib.report.verdict import label_of, metric_of, scores


@dataclass(frozen=True)
class ForestRow:
    """One system: places are in per cent of the axis."""

    label: str
    kind: str
    text: str
    place: float
    start: float
    width: float


@dataclass(frozen=True)
class Forest:
    """All systems, best first, on an axis from 0 to `high`; `name` is that of its CSV file."""

    name: str
    metric: str
    direction: str
    rows: tuple[ForestRow, ...]
    high: str
    csv: str


def forest(experiment: Experiment, summary: pd.DataFrame, metric: str) -> Forest | None:
    """Place each system's mean and 95 % interval on an axis from 0 to the largest of them."""
    found = {
        name: score
        for name, score in scores(summary, experiment.name, metric).items()
        if pd.notna(score.mean)
    }
    if not found:
        return None
    how = metric_of(metric)
    ends = [end for score in found.values() for end in (score.mean, score.high) if pd.notna(end)]
    high = max(ends) or 1.0
    kinds = dict(systems(experiment, summary))
    rows = []
    for name, score in sorted(found.items(), key=lambda item: item[1].mean):
        low = score.mean if pd.isna(score.low) else score.low
        top = score.mean if pd.isna(score.high) else score.high
        text = number(score.mean, how.digits)
        if score.n > 1 and pd.notna(score.low):
            text += f" [{number(low, how.digits)}, {number(top, how.digits)}]"
        rows.append(
            ForestRow(
                label=label_of(name),
                kind=kinds[name],
                text=text,
                place=round(100 * score.mean / high, 2),
                start=round(100 * low / high, 2),
                width=round(100 * (top - low) / high, 2),
            )
        )
    if how.better == "higher":
        rows.reverse()
    table = pd.DataFrame(
        [{"model": name, "kind": kinds[name], **vars(score)} for name, score in found.items()]
    )
    return Forest(
        name=f"forest-{metric}-{experiment.name}",
        metric=how.name,
        direction=f"{how.better} is better",
        rows=tuple(rows),
        high=number(high, how.digits),
        csv=table.to_csv(index=False),
    )
