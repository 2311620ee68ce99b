"""Simko et al., MIDL 2021: contrast transfer without pairs, through maps of PD, T1 and T2."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline_lib.report.examples import transfer_examples
from pipeline_lib.report.numbers import number
from pipeline_lib.report.papers import simko2021_maps, simko2021_training
from pipeline_lib.report.papers.chapter import PaperChapter, PaperFigure, PaperPart
from pipeline_lib.report.papers.charts import heat_map
from pipeline_lib.report.papers.measured import (
    Material,
    by_formula,
    formula_rows,
    over_body,
    percent,
    percent_words,
    setting_sentences,
    spread_cell,
)
from pipeline_lib.report.papers.published import SIMKO_TABLE_2, Spread
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, score_cell
from pipeline_lib.report.verdict import short_label_of

CITATION = (
    "A. Simkó, T. Löfstedt, A. Garpebring, M. Bylund, T. Nyholm, J. Jonsson: Changing the "
    "contrast of magnetic resonance imaging signals using deep learning. MIDL 2021."
)
HEADINGS = {"mse": "MSE ↓", "nrmse": "NRMSE ↓", "psnr": "PSNR (dB) ↑", "ssim": "SSIM ↑"}
DIGITS = {"mse": 4, "nrmse": 3, "psnr": 2, "ssim": 3}
PRINTED_DIGITS = {**DIGITS, "mse": 3}
# The system that Table 2 calls `Model`.
PAPERS_OWN = "simko"


def chapter(material: Material) -> PaperChapter:
    """Give Tables 2 and 3 and Figures 1, 2, 3, 6 and 7, published and measured."""
    said = (
        "Simkó et al. trained a U-Net that takes a scan of the pelvis apart into PD, T1 and T2, "
        "from which the spin-echo equation makes any other contrast. It learned without pairs: "
        "from a discriminator that tells five contrasts and generated images apart.",
        "Their scans of 100 patients (90 for training, 5 for validation, 5 for test; five "
        "combinations of TE and TR at 3 T) are private. Simulated patients stand in for them, so "
        "levels differ and the order of the systems is what can be compared.",
        *setting_sentences(material, material.experiments),
    )
    parts: list[PaperPart] = []
    for experiment in material.experiments:
        parts += [
            _table_2(material, experiment),
            _figure_2(material, experiment),
            simko2021_maps.part(material, experiment),
            simko2021_training.boundaries(material, experiment),
            simko2021_training.accuracies(material, experiment),
            _examples(material, experiment),
        ]
    return PaperChapter(
        "simko2021",
        "Simkó 2021: any contrast of the pelvis through its maps",
        CITATION,
        said,
        tuple(parts),
    )


def _systems(material: Material, experiment: Experiment) -> list[str]:
    return ["do_nothing", *experiment.models]


def _table_2(material: Material, experiment: Experiment) -> PaperPart:
    heading = "Table 2: contrast transfer"
    rows, records = [], []
    for system in _systems(material, experiment):
        for kind, cells, values in _lines(material, experiment, system):
            label = f"{short_label_of(system)}: {kind}"
            rows.append((Cell(short_label_of(system), label, kind), *cells))
            records += [{"system": system, "numbers": kind, **each} for each in values]
    measured = any(record["numbers"] != "published" for record in records)
    if not measured:
        text = "Nothing of this experiment was evaluated, so only the published numbers stand here."
    else:
        text = (
            f"{' '.join(_direction(material, experiment))} "
            "The paper's formula: within an Otsu mask, and NRMSE over the norm of the prediction; "
            "its ± is over slices and pairs, the measured one over patients and pairs. Over the "
            "body, this project's own measure: mean ± SD over patients with the 95 % interval. "
            "The diagonal (a contrast from itself) is in none of the means, as doing nothing has "
            "no error there and an infinite PSNR, although the caption of Figure 2 calls Table 2 "
            "the sum of all."
        )
    table = Table(
        name=f"paper-simko2021-table-2-{experiment.name}",
        caption="Mean ± SD over pairs of different contrasts.",
        columns=("System", *HEADINGS.values()),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )
    return PaperPart(heading, text, (table,))


def _lines(
    material: Material, experiment: Experiment, system: str
) -> Iterator[tuple[str, list[Cell], list[dict[str, object]]]]:
    """Give up to three lines of a system: published, by the paper's formula, over the body."""
    column = _column(material, system)
    if column:
        spreads: dict[str, Spread | None] = {
            metric: SIMKO_TABLE_2[metric][column] for metric in HEADINGS
        }
        yield "published", *_spreads(spreads, PRINTED_DIGITS)
    spreads = {
        metric: by_formula(material, experiment, system, f"simko2021_{metric}")
        for metric in HEADINGS
    }
    if any(spreads.values()):
        yield "measured, the paper's formula", *_spreads(spreads, DIGITS)
    found = {metric: over_body(material.tables, experiment, system, metric) for metric in HEADINGS}
    if any(found.values()):
        cells = [score_cell(score, metric) for metric, score in found.items()]
        values: list[dict[str, object]] = [
            {"metric": metric, **vars(score)} for metric, score in found.items() if score
        ]
        yield "measured, over the body", cells, values


def _column(material: Material, system: str) -> str | None:
    """Column of the paper's Table 2 that a system stands in."""
    if system == "do_nothing":
        return "baseline"
    return "model" if material.request.system_of(system) == PAPERS_OWN else None


def _spreads(
    spreads: dict[str, Spread | None], digits: dict[str, int]
) -> tuple[list[Cell], list[dict[str, object]]]:
    cells = [spread_cell(spread, digits[metric]) for metric, spread in spreads.items()]
    values: list[dict[str, object]] = [
        {"metric": metric, "mean": spread.mean, "sd": spread.sd}
        for metric, spread in spreads.items()
        if spread
    ]
    return cells, values


def _direction(material: Material, experiment: Experiment) -> Iterator[str]:
    """Say for each model how its NRMSE compares with doing nothing, here and in the paper."""
    metric = "simko2021_nrmse"
    nothing = by_formula(material, experiment, "do_nothing", metric)
    published = SIMKO_TABLE_2["nrmse"]
    paper = percent_words(percent(published["model"].mean, published["baseline"].mean))
    for model in experiment.models:
        found = by_formula(material, experiment, model, metric)
        if not (found and nothing):
            continue
        beside = f" (the paper's: {paper})" if _column(material, model) else ""
        change = percent_words(percent(found.mean, nothing.mean))
        yield f"{model} against doing nothing, NRMSE by the paper's formula: {change}{beside}."


def _figure_2(material: Material, experiment: Experiment) -> PaperPart:
    heading = "Figure 2: from each contrast to each"
    names = experiment.dataset.contrasts
    matrices = {
        system: matrix
        for system in _systems(material, experiment)
        if np.isfinite(matrix := _matrix(material, experiment, system)).any()
    }
    if not matrices:
        return PaperPart(heading, "No NRMSE by the paper's formula was found.")
    different = ~np.eye(len(names), dtype=bool)
    high = max(np.nanmax(matrix, where=different, initial=0.0) for matrix in matrices.values())
    figures = tuple(
        PaperFigure(
            heat_map(
                matrix, names, high, 3,
                f"Matrix of NRMSE of {short_label_of(system)}, source by target, from 0 to "
                f"{number(high, 3)}",
                f"paper-simko2021-figure-2-{experiment.name}-{place}",
            ),
            f"{short_label_of(system)}: NRMSE by the paper's formula, mean over patients; colours "
            f"from 0 to {number(high, 3)}",
            f"Matrix of NRMSE of {short_label_of(system)}",
        )
        for place, (system, matrix) in enumerate(matrices.items())
    )  # fmt: skip
    text = (
        "The diagonal is a contrast from itself: doing nothing is perfect there, and any error is "
        "the model's own. In the paper the model is better than doing nothing for all pairs of "
        f"different contrasts. {' '.join(_better_pairs(matrices, different))}"
    )
    return PaperPart(heading, text, figures=figures)


def _matrix(material: Material, experiment: Experiment, system: str) -> np.ndarray:
    """NRMSE by the paper's formula, [source, target], mean over patients; NaN where none is."""
    names = experiment.dataset.contrasts
    rows = formula_rows(material, experiment, system, "simko2021_nrmse")
    means = rows.groupby(["source", "target"])["value"].mean()
    return np.array([[means.get((a, b), np.nan) for b in names] for a in names], dtype=float)


def _better_pairs(matrices: dict[str, np.ndarray], different: np.ndarray) -> Iterator[str]:
    nothing = matrices.get("do_nothing")
    if nothing is None:
        return
    for system, matrix in matrices.items():
        both = different & np.isfinite(matrix) & np.isfinite(nothing)
        if system != "do_nothing" and both.any():
            wins = int((matrix < nothing)[both].sum())
            yield f"Here {system} is better for {wins} of {int(both.sum())}."


def _examples(material: Material, experiment: Experiment) -> PaperPart:
    heading = "Figures 1 and 7: an example"
    shown = transfer_examples(material.results, experiment, material.tables.tested)[:1]
    if not shown:
        return PaperPart(heading, "There are no predictions to show.")
    text = (
        "Chosen by rule, not by eye. The maps that the models made on the way stand with the "
        "experiment, beside those of least squares."
    )
    return PaperPart(heading, text, examples=tuple(shown))
