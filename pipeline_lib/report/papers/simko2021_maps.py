"""Simko et al., Table 3: PD, T1 and T2 of four tissues, by least squares and by the model."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline_lib.report.map_tables import LARGEST_BOUND, with_unit
from pipeline_lib.report.numbers import number, signed
from pipeline_lib.report.papers.chapter import PaperPart
from pipeline_lib.report.papers.measured import Material, spread_cell
from pipeline_lib.report.papers.published import SIMKO_TABLE_3, Spread
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, numeric, words

HEADING = "Table 3: quantitative maps"
LEAST_SQUARES = "least squares"
# Of the interval that holds 95 % of normal differences (Bland and Altman, Lancet 1986).
AGREEMENT = 1.96
DIGITS = 3


def part(material: Material, experiment: Experiment) -> PaperPart:
    """Set least squares and each model that makes maps beside the truth, tissue by tissue."""
    fitted, predicted = _fitted(material, experiment), _predicted(material, experiment)
    if fitted.empty and not predicted:
        return PaperPart(
            HEADING, "Neither least-squares maps nor maps of a model were found for this run."
        )
    text = (
        "Least squares uses all five contrasts, a model a single one; the numbers of a model are "
        "over the maps from all five, each from one. ± is over all voxels of the tissue in the "
        "test patients, as in the paper. PD is on the patient's scale of intensities, in the paper "
        "on another, so only its ratios between tissues compare. Cells are greyed where the "
        f"Cramér-Rao bound of one voxel exceeds {LARGEST_BOUND:g} %: with these contrasts and "
        "this noise no unbiased estimate can be relied on there; the longest echo is too short "
        "for the T2 of urine. Only simulated patients have a truth. The limits of agreement are "
        "the mean difference from the truth ± 1.96 SD over patients, of each tissue's median."
    )
    if not predicted:
        text += " No model's maps were evaluated."
    tables = (
        _values(experiment, fitted, predicted),
        _agreement(experiment, fitted, predicted),
    )
    return PaperPart(HEADING, text, tables)


def _fitted(material: Material, experiment: Experiment) -> pd.DataFrame:
    """Least-squares rows of the patients that the experiment tests."""
    split = material.results.split(experiment)
    tested = set(split.loc[split["split"] == "test", "patient"])
    rows = material.tables.tissues
    return rows[(rows["dataset"] == experiment.dataset.name) & rows["patient"].isin(tested)]


def _predicted(material: Material, experiment: Experiment) -> dict[str, pd.DataFrame]:
    """Rows of each model that makes maps: those of all sources pooled."""
    rows = material.tables.maps
    rows = rows[(rows["experiment"] == experiment.name) & (rows["source"] == "all")]
    return {
        model: part
        for model in experiment.models
        if not (part := rows[rows["model"] == model]).empty
    }


def _of(rows: pd.DataFrame, tissue: str, parameter: str) -> pd.DataFrame:
    return rows[(rows["tissue"] == tissue) & (rows["parameter"] == parameter)]


def pooled_voxels(rows: pd.DataFrame) -> Spread | None:
    """Mean and SD over the voxels of several patients, from n, mean and SD of each.

    Returns
    -------
        None where there are no voxels.
    """
    counts, means = rows["n"].to_numpy(float), rows["mean"].to_numpy(float)
    total = counts.sum()
    if not total:
        return None
    mean = float(counts @ means / total)
    within = (counts - 1) @ np.nan_to_num(rows["sd"].to_numpy(float)) ** 2
    between = counts @ (means - mean) ** 2
    return Spread(mean, float(np.sqrt((within + between) / (total - 1))) if total > 1 else np.nan)


def _values(
    experiment: Experiment, fitted: pd.DataFrame, predicted: dict[str, pd.DataFrame]
) -> Table:
    body, records = [], []
    for tissue, parameter, lsq, model in _printed():
        of_fit = _of(fitted, tissue, parameter)
        # The median over patients: a single fit at a bound of its range has an infinite one.
        bound = 100 * of_fit["bound_relative"].median()
        faint = bool(bound > LARGEST_BOUND)
        truth = pd.to_numeric(of_fit["truth"]).mean()
        found = {LEAST_SQUARES: pooled_voxels(of_fit)} | {
            name: pooled_voxels(_of(rows, tissue, parameter)) for name, rows in predicted.items()
        }
        body.append(
            (
                words(tissue),
                words(with_unit(parameter)),
                spread_cell(lsq, 2),
                spread_cell(found[LEAST_SQUARES], DIGITS, faint=faint),
                Cell(number(bound, 1), None if pd.isna(bound) else bound, faint=faint),
                spread_cell(model, 2),
                *(spread_cell(found[name], DIGITS, faint=faint) for name in predicted),
                numeric(truth, DIGITS),
            )
        )
        record = {"tissue": tissue, "parameter": parameter, "truth": truth, "bound_percent": bound}
        everything = {"published_lsq": lsq, "published_model": model, **found}
        for name, spread in everything.items():
            record[f"{name}_mean"] = spread.mean if spread else np.nan
            record[f"{name}_sd"] = spread.sd if spread else np.nan
        records.append(record)
    return Table(
        name=f"paper-simko2021-table-3-{experiment.name}",
        caption="Mean ± SD over voxels; T1 and T2 in seconds.",
        columns=(
            "Tissue", "Parameter", "LSQ, published", "Least squares", "Bound (%)",
            "Model, published", *predicted, "Truth",
        ),
        rows=tuple(body),
        csv=pd.DataFrame(records).to_csv(index=False),
    )  # fmt: skip


def _agreement(
    experiment: Experiment, fitted: pd.DataFrame, predicted: dict[str, pd.DataFrame]
) -> Table:
    body, records = [], []
    for tissue, parameter, _, _ in _printed():
        of_fit = _of(fitted, tissue, parameter)
        faint = bool(100 * of_fit["bound_relative"].median() > LARGEST_BOUND)
        cells: list[Cell] = []
        for name, rows in {LEAST_SQUARES: fitted, **predicted}.items():
            found = bias_and_limits(_of(rows, tissue, parameter))
            cells.append(_limits_cell(*found, faint))
            records.append(
                dict(zip(("tissue", "parameter", "estimate", "n", "bias", "low", "high"),
                         (tissue, parameter, name, *found), strict=True))
            )  # fmt: skip
        body.append(
            (
                words(tissue),
                words(with_unit(parameter)),
                numeric(pd.to_numeric(of_fit["truth"]).mean(), DIGITS),
                *cells,
            )
        )
    return Table(
        name=f"paper-simko2021-agreement-{experiment.name}",
        caption=(
            "Bias against the truth, with the limits of agreement below (Bland-Altman, median of "
            "the tissue, n patients); one patient has no limits."
        ),
        columns=("Tissue", "Parameter", "Truth", "Least squares", *predicted),
        rows=tuple(body),
        csv=pd.DataFrame(records).to_csv(index=False),
    )


def bias_and_limits(rows: pd.DataFrame) -> tuple[int, float, float, float]:
    """Give n, the mean difference of the medians from the truth, and the limits of agreement.

    Bland and Altman, Lancet 1986: the mean difference ± 1.96 SD over patients. NaN where there is
    no truth, limits of NaN with fewer than two patients.
    """
    differences = (rows["median"] - pd.to_numeric(rows["truth"])).dropna()
    bias, half = differences.mean(), AGREEMENT * differences.std()
    return len(differences), float(bias), float(bias - half), float(bias + half)


def _limits_cell(n: int, bias: float, low: float, high: float, faint: bool) -> Cell:
    if not n:
        return Cell("–", None)
    limits = f"[{signed(low, DIGITS)}, {signed(high, DIGITS)}], " if n > 1 else ""
    return Cell(signed(bias, DIGITS), bias, f"{limits}n = {n}", faint=faint)


def _printed() -> Iterator[tuple[str, str, Spread, Spread]]:
    """Tissue, parameter, and what the paper prints for least squares and for its model."""
    for tissue, parameters in SIMKO_TABLE_3.items():
        for parameter, (lsq, model) in parameters.items():
            yield tissue, parameter, lsq, model
