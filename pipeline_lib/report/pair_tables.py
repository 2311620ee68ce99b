"""Tables of an experiment in more detail: pair by pair, and within each tissue."""

from collections.abc import Sequence

import pandas as pd

from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import (
    Cell,
    Table,
    heading,
    leaked_caption,
    name_cell,
    pooling,
    score_cell,
    systems,
    words,
)
from pipeline_lib.report.verdict import (
    CEILINGS,
    ORACLES,
    metric_of,
    scores,
    short_label_of,
    winner,
)


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
    ranked = [name for name in order if name not in (*ORACLES, *CEILINGS)]
    columns = []
    for source, target in experiment.transfers:
        found = scores(summary, experiment.name, metric, "body", source, target)
        best = winner(found, metric, ranked)
        columns.append([score_cell(found.get(name), metric, best=name == best) for name in order])
    pairs = [f"{source} → {target}" for source, target in experiment.transfers]
    if len(pairs) <= len(order):
        corner, across = "System", pairs
        cells = [list(row) for row in zip(*columns, strict=True)]
        down = [name_cell(name) for name in order]
    else:
        corner, across, cells = "Source → target", list(map(short_label_of, order)), columns
        down = [words(pair) for pair in pairs]
    return Table(
        name=f"pairs-{metric}-{experiment.name}",
        caption=(
            f"{leaked_caption(experiment)}{heading(metric)} of each pair over the body: mean ± SD, "
            "95 % interval."
        ),
        columns=(corner, *across),
        rows=tuple((name, *made) for name, made in zip(down, cells, strict=True)),
        csv=rows.to_csv(index=False),
    )


def region_table(
    experiment: Experiment, summary: pd.DataFrame, names: Sequence[str] = ("nrmse", "bias")
) -> Table | None:
    """Tissues by systems: NRMSE and signed bias, mean over all pairs."""
    rows = summary[
        (summary["experiment"] == experiment.name)
        & ~summary["region"].isin(["body", "paper"])
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
            f"{leaked_caption(experiment)}Within each tissue: mean ± SD over patients, 95 % "
            f"interval{pooling(experiment)}."
        ),
        columns=("Tissue", *map(short_label_of, order)),
        rows=tuple(body),
        csv=rows.drop(columns=["source", "target"]).to_csv(index=False),
    )
