"""The result of an experiment in a few sentences, each with its interval and its n."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline_lib.report.collect import Evaluated
from pipeline_lib.report.comparisons import compare
from pipeline_lib.report.numbers import interval, p_value, with_unit
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.verdict import (
    BASELINES,
    FEW_PATIENTS,
    LABELS,
    RIVALS,
    Score,
    below,
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


def statements(experiment: Experiment, tables: Evaluated) -> list[Statement]:
    """Say which learned system wins by NRMSE and PSNR, against what, and how sure that is."""
    summary, name, models = tables.summary, experiment.name, experiment.models
    said: list[Statement] = []
    if not scores(summary, name, "nrmse") and not scores(summary, name, "psnr"):
        return [Statement("warning", "There is no evaluation of this experiment.")]
    if not models:
        said.append(Statement("note", "No model was trained; only the baselines were measured."))
    for metric in ("nrmse", "psnr"):
        said += _by_metric(experiment, tables, metric)
    for rival in RIVALS:
        said += _below(summary, name, models, rival)
    return said + _cautions(summary, name)


def _below(
    summary: pd.DataFrame, experiment: str, models: Sequence[str], rival: str
) -> list[Statement]:
    name, why = RIVALS[rival]
    found: dict[str, list[str]] = {}
    for model, metrics in below(summary, experiment, models, rival).items():
        found.setdefault(" and ".join(metrics), []).append(model)
    return [
        Statement(
            "warning",
            f"{_enumeration(named)} {'is' if len(named) == 1 else 'are'} below {name} in "
            f"{metrics}: {why}.",
        )
        for metrics, named in found.items()
    ]


def _by_metric(experiment: Experiment, tables: Evaluated, metric: str) -> list[Statement]:
    models = experiment.models
    found = scores(tables.summary, experiment.name, metric)
    best = winner(found, metric, models)
    if best is None:
        best_baseline = winner(found, metric, BASELINES)
        if best_baseline is None:
            return []
        return [Statement("result", _best_sentence(found, metric, best_baseline, "baselines"))]
    group = "learned systems" if len(models) > 1 else "learned systems (the only one)"
    parts = [_best_sentence(found, metric, best, group)]
    rest = winner(found, metric, [model for model in models if model != best])
    rival = winner(found, metric, BASELINES)
    for other, words in ((rest, "next comes"), (rival, "the best baseline is")):
        if other:
            text = f"{words} {_label(other)} with {with_unit(found[other].mean, metric)}"
            sure = sentence_against(experiment, tables, metric, best, other)
            parts.append(f"{text}{', and ' if sure else ''}{sure}")
            if is_better(metric, found[other].mean, found[best].mean):
                parts[-1] += f", so {best} does not reach it"
    return [Statement("result", "; ".join(parts) + ".")]


def _best_sentence(found: dict[str, Score], metric: str, best: str, group: str) -> str:
    word = "lowest" if metric_of(metric).better == "lower" else "highest"
    label = _label(best)
    if best in LABELS:
        label = label[0].upper() + label[1:]
    return (
        f"{label} has the {word} {metric_of(metric).name} of the {group}: "
        f"{with_unit(found[best].mean, metric)} ({interval(found[best], metric)})"
    )


def sentence_against(
    experiment: Experiment, tables: Evaluated, metric: str, first: str, second: str
) -> str:
    """Say in how many patients a system is better, with the p value where a test was allowed.

    Only a test that tells the two apart lets one system beat the other; empty where no patient
    has both.
    """
    patients = per_patient(tables.tested, experiment.name, metric)
    wins, n = better_in(patients, metric, first, second)
    if not n:
        return ""
    many = "" if n == 1 else "s"
    every = f"{wins} of {n} patient{many}"
    if wins == n > 1:
        every = "both patients" if n == 2 else f"all {n} patients"
    made = compare(tables.comparisons, experiment.name, metric, first, second)
    if made is None or made.p_holm is None:
        return f"{first} is better in {every}"
    test = f"{p_value(made.p_holm)} after Holm"
    if made.sure:
        return f"{first} {'beats it' if 2 * wins > n else 'is better only'} in {every} ({test})"
    return f"{first} is better in {every} ({test}: not told apart)"


def _enumeration(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _label(model: str) -> str:
    if model == "do_nothing":
        return "doing nothing"
    return f"the {short_label_of(model).lower()}" if model in LABELS else model


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
                f"Only {n} test patients: read the intervals as a rough guide to how sure this is; "
                "a p value would say nothing.",
            )
        ]
    return []
