"""What a system does beyond its training: other anatomy, other parameters, another dataset."""

import pandas as pd

from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import (
    Table,
    heading,
    leaked_caption,
    name_cell,
    score_cell,
    systems,
    systems_table,
)
from pipeline_lib.report.verdict import MAIN_METRICS, Score

CASES = {
    ("seen", "seen"): "seen anatomy, seen parameters",
    ("seen", "unseen"): "seen anatomy, unseen parameters",
    ("test", "seen"): "unseen anatomy, seen parameters",
    ("test", "unseen"): "unseen anatomy, unseen parameters",
}


def generalisation_table(
    experiment: Experiment, generalisation: pd.DataFrame, metric: str
) -> Table | None:
    """Systems by seen and unseen anatomy and parameters, for one metric over the body."""
    rows = generalisation[
        (generalisation["experiment"] == experiment.name) & (generalisation["metric"] == metric)
    ]
    if rows.empty:
        return None
    found = {
        (row["model"], row["group"], row["parameters"]): Score(
            int(row["n"]), *(float(row[name]) for name in ("mean", "sd", "low", "high"))
        )
        for row in rows.to_dict("records")
    }
    cases = {case: words for case, words in CASES.items() if any(key[1:] == case for key in found)}
    counts = {
        case: max(score.n for key, score in found.items() if key[1:] == case) for case in cases
    }
    order = [name for name, _ in systems(experiment, rows)]
    body = [
        (
            name_cell(model),
            *(score_cell(found.get((model, *case)), metric) for case in cases),
        )
        for model in order
        if any(key[0] == model for key in found)
    ]
    unseen = f"Unseen parameters: {', '.join(experiment.unseen)}. " if experiment.unseen else ""
    return Table(
        name=f"generalisation-{metric}-{experiment.name}",
        caption=(
            f"{leaked_caption(experiment)}{heading(metric)} over the body: mean ± SD over patients,"
            f" 95 % interval; a pair has unseen parameters where its source or its target was in "
            f"no training image. {unseen}Seen anatomy is that of training patients."
        ),
        columns=(
            "System",
            *(
                f"{words} (n = {counts[case]})".capitalize().replace("(N =", "(n =")
                for case, words in cases.items()
            ),
        ),
        rows=tuple(body),
        csv=rows.to_csv(index=False),
    )


def external_tables(experiment: Experiment, external: pd.DataFrame) -> list[Table]:
    """Systems by metrics, a table for each other dataset whose patients were predicted."""
    made = []
    rows = external[external["experiment"] == experiment.name]
    for dataset in dict.fromkeys(rows["dataset"]):
        table = systems_table(
            f"external-{experiment.name}-{dataset}",
            f"{leaked_caption(experiment)}Dataset {dataset}, of which nothing was in training: "
            "mean ± SD over its patients. The data range of PSNR and SSIM is 1, the patient's own "
            "scale.",
            experiment,
            rows[rows["dataset"] == dataset],
            MAIN_METRICS,
        )
        if table:
            made.append(table)
    return made
