"""The result of an experiment in a few sentences, each with its interval and its n."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline_lib.report.verdict import (
    BASELINES,
    FEW_PATIENTS,
    LABELS,
    Score,
    below_look_up_table,
    better_in,
    is_better,
    metric_of,
    per_patient,
    scores,
    short_label_of,
    winner,
)


@dataclass(frozen=True)
class Statement:
    """One sentence; a `warning` stands out, a `note` is a caution on how sure it is."""

    kind: Literal["result", "warning", "note"]
    text: str


def number(value: float, digits: int) -> str:
    """Write a number with fixed digits, `–` where there is none, `∞` where it is infinite."""
    if pd.isna(value):
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def with_unit(value: float, metric: str) -> str:
    """Write a value of a metric with its digits and unit."""
    how = metric_of(metric)
    return f"{number(value, how.digits)} {how.unit}".strip()


def interval(score: Score, metric: str) -> str:
    """Write the 95 % interval and n of a score."""
    count = f"n = {score.n} patient{'' if score.n == 1 else 's'}"
    if score.n < 2 or pd.isna(score.low):
        return f"{count}, so no interval"
    digits = metric_of(metric).digits
    low, high = number(score.low, digits), number(score.high, digits)
    return f"95 % interval {low} to {high}, {count}"


def statements(
    summary: pd.DataFrame, metrics: pd.DataFrame, experiment: str, models: Sequence[str]
) -> list[Statement]:
    """Say which learned system wins by NRMSE and PSNR, against what, and how sure that is."""
    said: list[Statement] = []
    if not scores(summary, experiment, "nrmse") and not scores(summary, experiment, "psnr"):
        return [Statement("warning", "There is no evaluation of this experiment.")]
    if not models:
        said.append(Statement("note", "No model was trained; only the baselines were measured."))
    for metric in ("nrmse", "psnr"):
        said += _by_metric(summary, metrics, experiment, models, metric)
    below: dict[str, list[str]] = {}
    for model, names in below_look_up_table(summary, experiment, models).items():
        below.setdefault(" and ".join(names), []).append(model)
    for metrics_below, found in below.items():
        said.append(
            Statement(
                "warning",
                f"{_enumeration(found)} {'is' if len(found) == 1 else 'are'} below the look-up "
                f"table in {metrics_below}: a table from grey value to grey value, which knows "
                "nothing of anatomy, does better.",
            )
        )
    return said + _cautions(summary, experiment)


def _by_metric(
    summary: pd.DataFrame,
    metrics: pd.DataFrame,
    experiment: str,
    models: Sequence[str],
    metric: str,
) -> list[Statement]:
    found = scores(summary, experiment, metric)
    patients = per_patient(metrics, experiment, metric)
    best = winner(found, metric, models)
    if best is None:
        best_baseline = winner(found, metric, BASELINES)
        if best_baseline is None:
            return []
        return [Statement("result", _best_sentence(found, metric, best_baseline, "baselines"))]
    group = "learned systems" if len(models) > 1 else "learned systems (the only one)"
    parts = [_best_sentence(found, metric, best, group)]
    rest = winner(found, metric, [model for model in models if model != best])
    if rest:
        parts.append(_against(found, patients, metric, best, rest, "next comes"))
    rival = winner(found, metric, BASELINES)
    if rival:
        parts.append(_against(found, patients, metric, best, rival, "the best baseline is"))
    return [Statement("result", "; ".join(parts) + ".")]


def _best_sentence(found: dict[str, Score], metric: str, best: str, group: str) -> str:
    word = "lowest" if metric_of(metric).better == "lower" else "highest"
    return (
        f"{_label(best)} has the {word} {metric_of(metric).name} of the {group}: "
        f"{with_unit(found[best].mean, metric)} ({interval(found[best], metric)})"
    )


def _against(
    found: dict[str, Score],
    patients: pd.DataFrame,
    metric: str,
    best: str,
    rival: str,
    words: str,
) -> str:
    wins, n = better_in(patients, metric, best, rival)
    text = f"{words} {_label(rival)} with {with_unit(found[rival].mean, metric)}"
    if n:
        text += f", and {best} is better in {wins} of {n} patient{'' if n == 1 else 's'}"
    ours, theirs = found[best], found[rival]
    if is_better(metric, theirs.mean, ours.mean):
        text += f", so {best} does not reach it"
    return text


def _enumeration(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _label(model: str) -> str:
    return short_label_of(model).lower() if model in LABELS else model


def _cautions(summary: pd.DataFrame, experiment: str) -> list[Statement]:
    n = max((score.n for score in scores(summary, experiment, "nrmse").values()), default=0)
    if n == 1:
        return [
            Statement("note", "One test patient: how much patients differ can't be told from it.")
        ]
    if 1 < n < FEW_PATIENTS:
        return [
            Statement(
                "note",
                f"Only {n} test patients: read the intervals as a rough guide to how sure this is.",
            )
        ]
    return []
