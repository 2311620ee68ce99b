"""Tables of maps: what was fitted in each tissue, how the fits ended, and what models predict."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from pipeline_lib.report.numbers import mean_and_sd, number
from pipeline_lib.report.papers.published import SIMKO_TABLE_1, SIMKO_TABLE_3
from pipeline_lib.report.request import Dataset, Experiment
from pipeline_lib.report.tables import Cell, Table, csv_of, leaked_caption, numeric, words

PARAMETER_UNITS = {"PD": "", "T1": "s", "T2": "s"}
# In per cent; a value with a larger Cramér-Rao bound is greyed.
LARGEST_BOUND = 20.0
ALL_TISSUES = "all that was fitted"
DIGITS = 3


def with_unit(parameter: str) -> str:
    """Write a parameter with its unit, such as `T1 (s)`."""
    unit = PARAMETER_UNITS.get(parameter, "")
    return f"{parameter} ({unit})" if unit else parameter


def signed_percent(value: float) -> str:
    """Write a relative error in per cent with its sign."""
    if pd.isna(value):
        return "–"
    return f"{'+' if value > 0 else ''}{number(value, 1)} %"


def share_words(count: int, total: int) -> str:
    """Write a share in per cent; one that would round to nothing as `< 0.1 %`."""
    share = 100 * count / total
    return "< 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"


def contrasts_of_simko(sequences: pd.DataFrame) -> bool:
    """Whether a dataset was scanned with the five contrasts of Simko et al. 2021.

    Parameters
    ----------
    sequences
        As from `collect.Results.sequences`, times in seconds.
    """
    times = sequences[["te", "tr"]].astype(float).round(4)
    return set(times.itertuples(index=False, name=None)) == set(SIMKO_TABLE_1)


def tissue_table(
    dataset: Dataset,
    tissues: pd.DataFrame,
    literature: Mapping[str, Mapping[str, float]],
    beside_simko: bool = False,
) -> Table | None:
    """Least-squares PD, T1 and T2 of each tissue beside the truth and the literature.

    Rows whose Cramér-Rao bound exceeds `LARGEST_BOUND` are greyed: with these contrasts and this
    noise no unbiased estimate of one voxel can be relied on.

    Parameters
    ----------
    tissues
        As from `collect.Evaluated.tissues`.
    literature
        Tissue -> {"PD", "T1", "T2"} with times in seconds; a tissue or parameter may be absent.
    beside_simko
        Whether the least-squares column of Table 3 of Simko et al. 2021 stands beside; see
        `contrasts_of_simko`.
    """
    rows = tissues[tissues["dataset"] == dataset.name]
    if rows.empty:
        return None
    body = []
    for names, group in rows.groupby(["tissue", "parameter"], sort=False):
        tissue, parameter = map(str, names)
        book = literature.get(tissue, {}).get(parameter, float("nan"))
        beside: tuple[Cell, ...] = (numeric(book, DIGITS),)
        if beside_simko:
            beside += (_simko_cell(tissue, parameter),)
        body.append(
            (
                Cell(tissue, f"{tissue} {parameter}", with_unit(parameter)),
                _count_cell(group),
                *_found(group),
                *beside,
            )
        )
    csv, left_out = csv_of(rows, "evaluation/tissues.csv")
    return Table(
        name=f"tissues-{dataset.name}",
        caption=(
            "Least squares over the core of each tissue. Median: of its voxels, then mean ± SD "
            "over patients, with the mean error below where the truth is known. Bound: the "
            "Cramér-Rao bound of one voxel as a share of the value, median over patients. Mean: "
            "of its voxels, with their SD below; both are means over patients, as is the truth."
            + left_out
        ),
        columns=(
            "Tissue", "Voxels", "Median", "Bound (%)", "Mean", "Truth", "Literature",
            *(("Simkó 2021, LSQ",) if beside_simko else ()),
        ),
        rows=tuple(body),
        csv=csv,
    )  # fmt: skip


def _found(group: pd.DataFrame) -> tuple[Cell, ...]:
    """Cells of one tissue and parameter that a large bound greys."""
    truth = pd.to_numeric(group["truth"])
    middle = group["median"]
    error = (100 * (middle - truth) / truth).mean()
    # The median over patients: a single fit at a bound of its range has an infinite one.
    bound = 100 * group["bound_relative"].median()
    poor = bool(bound > LARGEST_BOUND)
    within = group["sd"].mean()
    cells = (
        Cell(
            mean_and_sd(middle.mean(), middle.std(), DIGITS),
            _known(middle.mean()),
            detail="" if pd.isna(error) else signed_percent(error),
        ),
        Cell(number(bound, 1), _known(bound), detail="too uncertain" if poor else ""),
        Cell(
            number(group["mean"].mean(), DIGITS),
            _known(group["mean"].mean()),
            detail="" if pd.isna(within) else f"± {number(within, DIGITS)}",
        ),
        numeric(truth.mean(), DIGITS),
    )
    return tuple(replace(cell, faint=poor) for cell in cells)


def _count_cell(group: pd.DataFrame) -> Cell:
    voxels, patients = group["n"].sum(), len(group)
    return Cell(f"{voxels:,.0f}", float(voxels), f"{patients} patient{'s' * (patients > 1)}")


def _simko_cell(tissue: str, parameter: str) -> Cell:
    published = SIMKO_TABLE_3.get(tissue, {}).get(parameter)
    if published is None:
        return Cell("–", None)
    least_squares = published[0]
    return Cell(mean_and_sd(least_squares.mean, least_squares.sd, 2), least_squares.mean)


def _known(value: float) -> float | None:
    return None if pd.isna(value) else value


def flags_table(dataset: Dataset, counts: pd.DataFrame) -> Table | None:
    """Tissues by how their voxels' fits ended, as shares of the voxels fitted.

    Parameters
    ----------
    counts
        A row a patient and tissue: `patient`, `tissue` (`ALL_TISSUES`: every voxel fitted), and
        how many voxels ended in each way, one column each.
    """
    if counts.empty:
        return None
    ways = [name for name in counts.columns if name not in ("patient", "tissue")]
    body = []
    for tissue, group in counts.groupby("tissue", sort=False):
        ended = group[ways].sum()
        total = int(ended.sum())
        if total:
            shares = [
                Cell(share_words(int(ended[way]), total), float(ended[way] / total)) for way in ways
            ]
            body.append((words(tissue), Cell(f"{total:,.0f}", float(total)), *shares))
    csv, left_out = csv_of(counts, f"fit_maps/{dataset.name}")
    return Table(
        name=f"map-flags-{dataset.name}",
        caption=(
            f"How the fits ended, as shares of the voxels, {counts['patient'].nunique()} "
            "patients together; whole tissues, their rims included." + left_out
        ),
        columns=("Tissue", "Voxels", *(way.capitalize() for way in ways)),
        rows=tuple(body),
        csv=csv,
    )


def maps_table(experiment: Experiment, maps: pd.DataFrame, tissues: pd.DataFrame) -> Table | None:
    """Tissues and parameters by systems: the median within the tissue, over patients.

    Parameters
    ----------
    maps
        As from `collect.Evaluated`; of each patient those of all sources pooled are shown.
    tissues
        Least-squares values, as from `collect.Evaluated`.
    """
    rows = maps[(maps["experiment"] == experiment.name) & (maps["source"] == "all")]
    if rows.empty:
        return None
    tested = set(rows["patient"])
    fitted = tissues[
        (tissues["dataset"] == experiment.dataset.name) & tissues["patient"].isin(tested)
    ]
    models = [name for name in experiment.models if name in set(rows["model"])]
    body = []
    for names, group in rows.groupby(["tissue", "parameter"], sort=False):
        tissue, parameter = map(str, names)
        squares = fitted[(fitted["tissue"] == tissue) & (fitted["parameter"] == parameter)]
        body.append(
            (
                Cell(tissue, f"{tissue} {parameter}", with_unit(parameter)),
                numeric(pd.to_numeric(group.drop_duplicates("patient")["truth"]).mean(), DIGITS),
                _value(squares),
                *(_value(group[group["model"] == model]) for model in models),
            )
        )
    csv, left_out = csv_of(rows, "evaluation/maps.csv")
    return Table(
        name=f"maps-{experiment.name}",
        caption=(
            f"{leaked_caption(experiment)}Median over the voxels of a tissue, then mean ± SD over "
            f"the {len(tested)} test patients, with the mean relative error below where the truth "
            "is known. Least squares has all contrasts of a patient, a model one at a time."
            + left_out
        ),
        columns=("Tissue", "Truth", "Least squares", *models),
        rows=tuple(body),
        csv=csv,
    )


def _value(rows: pd.DataFrame) -> Cell:
    middle = rows["median"].astype(float)
    if middle.dropna().empty:
        return Cell("–", None)
    truth = pd.to_numeric(rows["truth"])
    error = (100 * (middle - truth) / truth).mean()
    detail = "" if pd.isna(error) else signed_percent(error)
    return Cell(mean_and_sd(middle.mean(), middle.std(), DIGITS), float(middle.mean()), detail)
