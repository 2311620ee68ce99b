"""Training curves: losses and accuracies over steps, one chart a phase, one line a training."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipeline_lib.report.collect import Training
from pipeline_lib.report.figures import Line, line_chart

# Longer curves are drawn as means over this many stretches of steps.
POINTS = 50


@dataclass(frozen=True)
class Chart:
    """A chart with its heading."""

    heading: str
    svg: Markup


def training_charts(trainings: Iterable[Training], model: str, key: str) -> list[Chart]:
    """Draw the curves of one model: all folds, and all pairs that it was trained anew for.

    Parameters
    ----------
    trainings
        Those of all models.
    key
        Unique within the page and fit for an id.
    """
    tables = [
        training.losses.assign(training=f"{training.run.folder} {training.fold}")
        for training in trainings
        if training.run.model == model and not training.losses.empty
    ]
    if not tables:
        return []
    losses = pd.concat(tables, ignore_index=True)
    accuracy = losses["name"].str.contains("accuracy", case=False)
    charts: list[Chart] = []
    for phase in dict.fromkeys(losses["phase"]):
        in_phase = losses["phase"] == phase
        for kind, rows in (
            ("losses", losses[in_phase & ~accuracy]),
            ("accuracies", losses[in_phase & accuracy]),
        ):
            if not rows.empty:
                heading = f"{phase}: {kind}"
                svg = _chart(rows, f"{model}, {heading}", f"{key}-{len(charts)}", kind)
                charts.append(Chart(heading, svg))
    return charts


def _chart(rows: pd.DataFrame, title: str, key: str, kind: str) -> Markup:
    names = list(dict.fromkeys(rows["name"]))
    lines = []
    for (name, _), line in rows.groupby(["name", "training"], sort=True):
        thinned = thin(line)
        lines.append(
            Line(
                thinned["step"].to_numpy(),
                thinned["value"].to_numpy(),
                names.index(name),
                str(name),
            )
        )
    values = rows["value"].dropna()
    last = rows.sort_values("step", kind="stable").groupby(["name", "training"])["value"].last()
    ends = ", ".join(f"{name} ends at {last[name].mean():.3g}" for name in names)
    spread = bool((values > 0).all()) and values.max() > 20 * values.min()
    accuracies = kind == "accuracies"
    count = rows["training"].nunique()
    trainings = f"{count} training{'' if count == 1 else 's'}"
    return line_chart(
        lines,
        x_label="step",
        y_label="accuracy" if accuracies else "loss",
        description=f"Line chart of {title} of {trainings}: {ends}.",
        key=key,
        log=spread and not accuracies,
        share=accuracies,
    )


def thin(line: pd.DataFrame) -> pd.DataFrame:
    """Give a curve with at most `POINTS` points: means over as many equal stretches of it."""
    line = line.sort_values("step", kind="stable")
    if len(line) <= POINTS:
        return line[["step", "value"]]
    stretch = np.arange(len(line)) * POINTS // len(line)
    return line[["step", "value"]].groupby(stretch).mean()
