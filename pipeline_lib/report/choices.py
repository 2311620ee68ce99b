"""Which patients and pairs are shown as examples: chosen by rule, not by eye."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.report.verdict import per_patient


@dataclass(frozen=True)
class Choice:
    """A patient with the fold that tests it, and the words for why it was chosen."""

    patient: str
    fold: int
    why: str


def choose_patients(metrics: pd.DataFrame, experiment: str, models: Sequence[str]) -> list[Choice]:
    """Choose the median and the worst test patient by the learned systems' mean NRMSE.

    `metrics` are those of the test, as from `collect.Evaluated.tested`.

    Of an even number of patients the lower of the two in the middle is the median; names break
    ties, so that the choice is the same in every run.
    """
    table = per_patient(metrics, experiment, "nrmse")
    known = [model for model in models if model in table]
    means = table[known].mean(axis=1).dropna() if known else pd.Series(dtype=float)
    ranked = sorted(means.index, key=lambda patient: (means[patient], patient))
    if not ranked:
        return []
    rows = metrics[(metrics["experiment"] == experiment) & metrics["model"].isin(known)]
    folds = rows.groupby("patient")["fold"].min()
    middle, last = ranked[(len(ranked) - 1) // 2], ranked[-1]
    chosen = [Choice(middle, int(folds[middle]), "median patient by NRMSE")]
    if last != middle:
        chosen.append(Choice(last, int(folds[last]), "worst patient by NRMSE"))
    elif len(ranked) == 1:
        chosen = [Choice(middle, int(folds[middle]), "the only test patient")]
    return chosen


def choose_pairs(
    metrics: pd.DataFrame, experiment: str, models: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Choose the easiest, the median and the hardest pair by the learned systems' mean NRMSE."""
    rows = metrics[
        (metrics["experiment"] == experiment)
        & (metrics["metric"] == "nrmse")
        & (metrics["region"] == "body")
        & (metrics["source"] != metrics["target"])
        & metrics["model"].isin(models)
    ]
    means = rows.groupby(["source", "target"])["value"].mean().dropna()
    ranked = sorted(means.index, key=lambda pair: (means[pair], pair))
    if not ranked:
        return []
    places = {0: "easiest", (len(ranked) - 1) // 2: "median", len(ranked) - 1: "hardest"}
    if len(ranked) < 3:
        places = dict.fromkeys(range(len(ranked)), "")
    return [
        (*ranked[place], f"{word} pair by NRMSE" if word else "")
        for place, word in sorted(places.items())
    ]
