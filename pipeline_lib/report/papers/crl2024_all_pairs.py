"""Xiong et al. 2024, Table 3: PSNR from each of nine sequences to each."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline_lib.report.numbers import number
from pipeline_lib.report.papers.chapter import PaperPart
from pipeline_lib.report.papers.measured import Material, formula_rows, spread_cell
from pipeline_lib.report.papers.published import (
    CRL_NAMES,
    CRL_TABLE_3,
    CRL_TABLE_3_AVERAGES,
    CRL_UNSEEN,
    Spread,
)
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table

HEADING = "Table 3: all pairs"
SEQUENCES = tuple(CRL_TABLE_3)
# (source, target) as the paper numbers them -> PSNR in dB.
Values = Mapping[tuple[int, int], float]


def part(material: Material, experiment: Experiment, models: Sequence[str]) -> PaperPart:
    """Give a table of nine by nine for each model, the published numbers in it."""
    if not models:
        return PaperPart(
            HEADING,
            "The run has no network of CRL for all pairs of sequences, so there is no Table 3.",
        )
    measured = {model: _measured(material, experiment, model) for model in models}
    averages = ", ".join(
        f"{average:.2f} in row {source}, whose mean is {row_mean(source):.2f}"
        for source, average in CRL_TABLE_3_AVERAGES.items()
    )
    text = (
        f"{' '.join(_sentences(experiment, measured))} The last column is the mean of the cells: "
        f"what the paper prints as average is so in no row ({averages}). Row 6 lacks its cell for "
        "target 5."
    )
    tables = (_table(experiment, model, values) for model, values in measured.items())
    return PaperPart(HEADING, text, tuple(tables))


def contrasts_of(pair: tuple[int, int]) -> tuple[str, str]:
    """Give source and target of a pair of the paper as the configuration names them."""
    return f"seq{pair[0]}", f"seq{pair[1]}"


def _measured(material: Material, experiment: Experiment, model: str) -> Values:
    rows = formula_rows(material, experiment, model, "crl2024_psnr")
    means = rows.groupby(["source", "target"])["value"].mean()
    return {
        (source, target): float(means[contrasts_of((source, target))])
        for source in SEQUENCES
        for target in SEQUENCES
        if source != target and contrasts_of((source, target)) in means
    }


def _table(experiment: Experiment, model: str, measured: Values) -> Table:
    rows, records = [], []
    for source in SEQUENCES:
        cells = []
        for target in SEQUENCES:
            if source == target:
                cells.append(Cell("–", None))
                continue
            stated, found = published_cell(source, target), measured.get((source, target), np.nan)
            cells.append(
                spread_cell(Spread(found), 2, "" if np.isnan(stated) else number(stated, 2))
            )
            records.append({"source": source, "target": target, "published": stated,
                            "measured": found})  # fmt: skip
        own = [value for (of, _), value in measured.items() if of == source]
        average = spread_cell(
            Spread(float(np.mean(own)) if own else np.nan), 2, f"{row_mean(source):.2f}"
        )
        label = f"{_named(source)}{_star(experiment, source)}"
        rows.append((Cell(label, source), *cells, average))
    return Table(
        name=f"paper-crl2024-table-3-{model}",
        caption=(
            f"PSNR (dB) of {model} by the paper's formula, from the row's sequence to the "
            "column's; the published number below. A star: no training image has it."
        ),
        columns=(
            "From ↓ to →",
            *(f"{target}{_star(experiment, target)}" for target in SEQUENCES),
            "Mean of the cells",
        ),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )


def _named(sequence: int) -> str:
    """Write a sequence as `5 (PD)`."""
    name = CRL_NAMES.get(sequence)
    return f"{sequence} ({name})" if name else str(sequence)


def _sentences(experiment: Experiment, measured: Mapping[str, Values]) -> Iterator[str]:
    """Say for each model how seen and unseen sequences compare, here and in the paper."""
    unseen = {sequence for sequence in SEQUENCES if _star(experiment, sequence)}
    for model, values in measured.items():
        if not values:
            yield f"No PSNR of {model} by the paper's formula was found in {experiment.name}."
            continue
        published = {pair: published_cell(*pair) for pair in values}
        here, there = _seen_and_unseen(values, unseen), _seen_and_unseen(published, set(CRL_UNSEEN))
        yield (
            f"{model}: between seen sequences the mean PSNR is {number(here[0], 2)} dB (published "
            f"{number(there[0], 2)}), with an unseen one as source or target {number(here[1], 2)} "
            f"dB (published {number(there[1], 2)})."
        )


def _seen_and_unseen(values: Values, unseen: set[int]) -> tuple[float, float]:
    """Means over the pairs without and with an unseen sequence."""
    parts: tuple[list[float], list[float]] = ([], [])
    for pair, value in values.items():
        if not np.isnan(value):
            parts[bool(set(pair) & unseen)].append(value)
    first, second = (float(np.mean(part)) if part else np.nan for part in parts)
    return first, second


def published_cell(source: int, target: int) -> float:
    """Give a cell of the paper's Table 3 in dB; NaN where it has none."""
    return CRL_TABLE_3[source][target - 1]


def row_mean(source: int) -> float:
    """Mean of the cells that a row of the paper's Table 3 has, in dB."""
    return float(np.nanmean(CRL_TABLE_3[source]))


def _star(experiment: Experiment, sequence: int) -> str:
    return "*" if f"seq{sequence}" in experiment.unseen else ""
