"""Narang et al. 2022, Table 2: five pictures of another simulator, of a head seen in training."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline_lib.report.numbers import number
from pipeline_lib.report.papers.chapter import PaperPart
from pipeline_lib.report.papers.measured import Material, spread_cell
from pipeline_lib.report.papers.narang2022_scores import METRICS, records_of, scores_of
from pipeline_lib.report.papers.published import NARANG_TABLE_2, Spread
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table
from pipeline_lib.report.verdict import BASELINES, metric_of, short_label_of

HEADING = "Table 2: BrainWeb's pictures"
BRAINWEB = (
    "The five pictures are one sagittal slice of the very head that MRiLab ships as its phantom, "
    "which the paper's training shows in axial slices: another simulator, not another anatomy."
)


def part(material: Material, honest: Mapping[str, Experiment]) -> PaperPart:
    """Give the test on the pictures of another simulator.

    Parameters
    ----------
    honest
        Mode -> its experiment on the honest split.
    """
    external = material.tables.external
    found_in = {
        mode: experiment
        for mode, experiment in honest.items()
        if (external["experiment"] == experiment.name).any()
    }
    rows, records = [], []
    for mode, published in NARANG_TABLE_2.items():
        rows.append(_row(mode, "Param-Net, published", published))
        records += list(records_of(f"{mode}, Param-Net", published, {}))
        if mode not in found_in:
            continue
        experiment = found_in[mode]
        names = [*experiment.models, *BASELINES]
        measured = set(external.loc[external["experiment"] == experiment.name, "model"])
        for name in (name for name in names if name in measured):
            spreads = scores_of(material, experiment, name, "external")
            label = short_label_of(name)
            rows.append(_row(mode, label, spreads, _external_nrmse(external, experiment, name)))
            records += list(records_of(f"{mode}, {name}", (None, None), {"measured": spreads}))
    text = BRAINWEB
    if found_in:
        text += (
            " Trained here on the training heads of the honest split; ± is over the pictures, as "
            "in the paper. Whether the paper counts the default picture from itself is not stated; "
            "here it is left out."
        )
        text += "".join(_against_nothing(material, found_in))
    else:
        text += (
            " They are not in this run, so the published numbers stand alone: put the authors' "
            "pictures where the configuration looks for them to have them measured."
        )
    table = Table(
        name="paper-narang2022-table-2",
        caption="By the paper's formula, in grey values of 8 bits: mean ± SD over the pictures.",
        columns=(
            "System",
            "From",
            *(words for words, _ in METRICS.values()),
            "NRMSE over the body",
        ),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )
    return PaperPart(HEADING, text, (table,))


def _against_nothing(material: Material, found_in: Mapping[str, Experiment]) -> Iterator[str]:
    """Say where the published model does no better than the source picture itself."""
    for mode, experiment in found_in.items():
        published, nothing = (
            spreads[0]
            for spreads in (
                NARANG_TABLE_2[mode],
                scores_of(material, experiment, "do_nothing", "external"),
            )
        )
        if published and nothing and nothing.mean > published.mean:
            yield (
                f" {mode}: doing nothing reaches {number(nothing.mean, 2)} dB on these pictures, "
                f"more than the published model ({number(published.mean, 2)} dB)."
            )


def _row(
    mode: str, label: str, spreads: Sequence[Spread | None], nrmse: float = np.nan
) -> tuple[Cell, ...]:
    measures = [
        spread_cell(spread, digits)
        for spread, (_, digits) in zip(spreads, METRICS.values(), strict=True)
    ]
    return (
        Cell(label, f"{mode} {label}"),
        Cell(mode, mode),
        *measures,
        spread_cell(Spread(nrmse), metric_of("nrmse").digits),
    )


def _external_nrmse(external: pd.DataFrame, experiment: Experiment, name: str) -> float:
    rows = external[
        (external["experiment"] == experiment.name)
        & (external["model"] == name)
        & (external["metric"] == "nrmse")
        & (external["region"] == "body")
        & (external["source"] == "all")
    ]
    return float(rows["mean"].mean()) if len(rows) else np.nan
