"""The sentences of an experiment, from tables written by hand."""

import pandas as pd
import pytest

from pipeline_lib.report.brief import sentence_against, statements
from pipeline_lib.report.collect import Evaluated
from pipeline_lib.report.request import Request
from tests.report.fabricate import options, pelvis


def experiment(models):
    asked = options(
        {"pelvis": pelvis()}, {"e": {"dataset": "pelvis", "folds": 1, "models": models}}
    )
    return Request.from_options(asked).experiments[0]


def evaluated(nrmse, p_holm=None):
    """Tables of patients' NRMSE, {system: [values]}; compared is the first with all others."""
    metrics = pd.DataFrame(
        [
            {"experiment": "e", "group": "test", "model": model, "patient": f"p{i}", "value": value,
             "source": "T1w", "target": "T2w", "region": "body", "metric": "nrmse"}
            for model, values in nrmse.items()
            for i, value in enumerate(values)
        ]
    )  # fmt: skip
    summary = pd.DataFrame(
        [
            {"experiment": "e", "dataset": "pelvis", "model": model, "source": "all",
             "target": "all", "region": "body", "metric": "nrmse", "n": len(values),
             "mean": sum(values) / len(values), "sd": 0.1, "low": min(values), "high": max(values)}
            for model, values in nrmse.items()
        ]
    )  # fmt: skip
    first, *others = nrmse
    comparisons = pd.DataFrame(
        [
            {"experiment": "e", "metric": "nrmse", "first": first, "second": other,
             "n": len(nrmse[first]), "difference": -0.1, "low": -0.2, "high": 0.0, "effect": 1.0,
             "wins": 0, "p": p_holm, "p_holm": p_holm}
            for other in others
        ]
    )  # fmt: skip
    empty = pd.DataFrame()
    return Evaluated(summary, metrics, empty, empty, comparisons, empty, empty)


LOW, HIGH = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2, 0.2]


@pytest.mark.parametrize(
    ("ours", "theirs", "p", "sentence"),
    [
        (LOW, HIGH, 0.031, "a beats it in all 6 patients (p = 0.031 after Holm)"),
        (LOW, HIGH, 0.0004, "a beats it in all 6 patients (p < 0.001 after Holm)"),
        (LOW, [*HIGH[:5], 0.05], 0.2,
         "a is better in 5 of 6 patients (p = 0.2 after Holm: not told apart)"),
        (HIGH, LOW, 0.031, "a is better only in 0 of 6 patients (p = 0.031 after Holm)"),
        (LOW[:5], HIGH[:5], 0.01, "a is better in all 5 patients"),
        (LOW[:1], HIGH[:1], None, "a is better in 1 of 1 patient"),
    ],
)  # fmt: skip
def test_one_system_beats_another_only_where_a_test_allows_it(ours, theirs, p, sentence):
    tables = evaluated({"a": ours, "b": theirs}, p)
    assert sentence_against(experiment(["a", "b"]), tables, "nrmse", "a", "b") == sentence


def test_a_system_below_two_baselines_is_told_of_both():
    tables = evaluated({"a": HIGH, "look_up_table": LOW, "nearest_copy": LOW}, 0.03)
    warnings = [s.text for s in statements(experiment(["a"]), tables) if s.kind == "warning"]
    assert warnings[0].startswith("a is below the look-up table in NRMSE: a table from grey value")
    assert warnings[1].startswith("a is below the nearest training image in NRMSE: an image of a")


def test_the_oracle_is_never_the_best_baseline():
    tables = evaluated({"a": HIGH, "least_squares": [0.01] * 6, "training_mean": [0.3] * 6}, 0.03)
    said = statements(experiment(["a"]), tables)[0].text
    assert "the best baseline is the training mean with 0.300" in said
    assert "least squares" not in said.lower()
