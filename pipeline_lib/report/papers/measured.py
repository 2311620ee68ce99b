"""What was measured, as a paper measured it and as this project does, in cells and in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from pipeline_lib.report.collect import Evaluated, Results
from pipeline_lib.report.numbers import mean_and_sd, number, signed
from pipeline_lib.report.papers.published import Spread
from pipeline_lib.report.request import Experiment, Request
from pipeline_lib.report.tables import Cell
from pipeline_lib.report.verdict import Score, scores

SCALE_WORDS = {
    "smoke": "small networks trained for a minute or two, so that only the direction of a "
    "difference can be compared with the paper",
    "reduced": "the systems' own networks trained for a fraction of their schedule, so that the "
    "direction of a difference can be compared with the paper, its size hardly",
    "paper": "the paper's own networks and schedule",
}


@dataclass(frozen=True)
class Material:
    """What a chapter is made of: the run, and the experiments of one paper in it."""

    request: Request
    results: Results
    tables: Evaluated
    experiments: tuple[Experiment, ...]

    @cached_property
    def formula_rows(self) -> pd.DataFrame:
        """Rows of the metrics that are of a paper's own formula, of these experiments alone."""
        rows = self.tables.metrics
        names = [experiment.name for experiment in self.experiments]
        return rows[(rows["region"] == "paper") & rows["experiment"].isin(names)]

    def setting(self, model: str, key: str) -> object:
        """Give a setting of a model as the configuration has it; None if it is not told."""
        return self.request.configuration.get("models", {}).get(model, {}).get(key)

    def systems_of(self, experiment: Experiment, baselines: Sequence[str]) -> list[str]:
        """Give the models of an experiment, then those of the baselines that were measured."""
        rows = self.tables.tested
        found = set(rows.loc[rows["experiment"] == experiment.name, "model"])
        return [*experiment.models, *(name for name in baselines if name in found)]


def by_formula(
    material: Material,
    experiment: Experiment,
    model: str,
    metric: str,
    pair: tuple[str, str] | None = None,
    group: str = "test",
) -> Spread | None:
    """Mean ± SD of a paper's own formula over patients and pairs of different contrasts.

    The SD is over a patient's pairs too, as the papers take it over slices or images of all pairs.

    Parameters
    ----------
    metric
        Such as `simko2021_psnr`.
    pair
        Only this source and target.
    group
        `test`, `seen` or `external`.

    Returns
    -------
        None where nothing was measured.
    """
    rows = formula_rows(material, experiment, model, metric, group)
    rows = rows[rows["source"] != rows["target"]]
    if pair is not None:
        rows = rows[(rows["source"] == pair[0]) & (rows["target"] == pair[1])]
    return spread_of(rows["value"])


def formula_rows(
    material: Material, experiment: Experiment, model: str, metric: str, group: str = "test"
) -> pd.DataFrame:
    """Rows of a paper's own formula: one a patient and pair, a contrast from itself among them."""
    rows = material.formula_rows
    return rows[
        (rows["experiment"] == experiment.name)
        & (rows["model"] == model)
        & (rows["metric"] == metric)
        & (rows["group"] == group)
    ]


def spread_of(values: pd.Series) -> Spread | None:
    """Mean and sample SD of what is known; None where nothing is."""
    known = values.dropna()
    if known.empty:
        return None
    return Spread(float(known.mean()), float(known.std()))


def over_body(
    tables: Evaluated,
    experiment: Experiment,
    model: str,
    metric: str,
    pair: tuple[str, str] = ("all", "all"),
) -> Score | None:
    """Mean over patients within the body, by this project's own convention."""
    return scores(tables.summary, experiment.name, metric, "body", *pair).get(model)


def spread_words(spread: Spread, digits: int) -> str:
    """Write mean ± SD, or the mean alone where there is no SD."""
    if pd.isna(spread.sd):
        return number(spread.mean, digits)
    return mean_and_sd(spread.mean, spread.sd, digits)


def spread_cell(spread: Spread | None, digits: int, detail: str = "", faint: bool = False) -> Cell:
    """Give a cell of mean ± SD; `–` where there is none."""
    if spread is None or pd.isna(spread.mean):
        return Cell("–", None, detail)
    return Cell(spread_words(spread, digits), spread.mean, detail, faint=faint)


def percent(after: float, before: float) -> float:
    """Give the change from one value to another in per cent of it."""
    return 100 * (after / before - 1)


def percent_words(change: float) -> str:
    """Write a change in per cent with its sign."""
    return "–" if pd.isna(change) else f"{signed(change, 0)} %"


def test_patients(material: Material, experiment: Experiment) -> int:
    """Number of patients that the experiment was tested on, all folds together."""
    rows = material.tables.tested
    return int(rows.loc[rows["experiment"] == experiment.name, "patient"].nunique())


def counted(n: int, word: str) -> str:
    """Write a number of things, such as `1 patient` and `2 patients`."""
    return f"{n} {word}{'' if n == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """Write an enumeration: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def setting_sentences(material: Material, experiments: Iterable[Experiment]) -> Iterator[str]:
    """Say what the numbers of a chapter were measured on, and with networks of what scale."""
    experiments = list(experiments)
    for dataset in {each.dataset.name: each.dataset for each in experiments}.values():
        tested = [
            f"{counted(test_patients(material, experiment), 'test patient')} in {experiment.name}"
            for experiment in experiments
            if experiment.dataset.name == dataset.name
        ]
        yield f"Measured here on {dataset.name}, {dataset.kind_words}: {listed(tested)}."
    scales: dict[str, list[str]] = {}
    default = material.request.configuration.get("scale", "")
    for model in dict.fromkeys(model for each in experiments for model in each.models):
        scale = str(material.setting(model, "scale") or default)
        scales.setdefault(scale, []).append(model)
    for scale, models in scales.items():
        if scale in SCALE_WORDS:
            yield f"Scale {scale} ({', '.join(models)}): {SCALE_WORDS[scale]}."
