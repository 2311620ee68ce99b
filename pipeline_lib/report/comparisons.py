"""Paired comparisons of two systems over the same patients, as a table and in words."""

from dataclasses import dataclass

import pandas as pd

from pipeline_lib.report.numbers import number, p_value, signed
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, leaked_caption, numeric, words
from pipeline_lib.report.verdict import FEW_PATIENTS, METRICS, metric_of, short_label_of

NO_P = f"n < {FEW_PATIENTS}: no p value"
# A larger p value does not tell the two systems apart.
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """The first system against the second over n patients.

    Attributes
    ----------
    difference, low, high
        Mean of first minus second, with its 95 % interval.
    p_holm
        Of a paired test, after Holm's correction; None where n is below `FEW_PATIENTS`.
    """

    n: int
    difference: float
    low: float
    high: float
    p_holm: float | None

    @property
    def sure(self) -> bool:
        """Whether a test tells the two apart."""
        return self.p_holm is not None and self.p_holm < LEVEL

    def interval(self, metric: str) -> str:
        """Write the difference with its interval, where there is one."""
        digits = metric_of(metric).digits
        text = signed(self.difference, digits)
        if pd.isna(self.low) or pd.isna(self.high):
            return text
        return f"{text} [{signed(self.low, digits)}, {signed(self.high, digits)}]"


def compare(
    comparisons: pd.DataFrame, experiment: str, metric: str, first: str, second: str
) -> Comparison | None:
    """Find a comparison of two systems, whichever of them the table names first."""
    rows = comparisons[
        (comparisons["experiment"] == experiment) & (comparisons["metric"] == metric)
    ]
    there = rows[(rows["first"] == first) & (rows["second"] == second)]
    back = rows[(rows["first"] == second) & (rows["second"] == first)]
    if there.empty and back.empty:
        return None
    row = (there if not there.empty else back).iloc[0]
    n = int(row["n"])
    tested = n >= FEW_PATIENTS and pd.notna(row["p_holm"])
    p_holm = float(row["p_holm"]) if tested else None
    if there.empty:
        return Comparison(n, -row["difference"], -row["high"], -row["low"], p_holm)
    return Comparison(n, row["difference"], row["low"], row["high"], p_holm)


def comparison_table(experiment: Experiment, comparisons: pd.DataFrame) -> Table | None:
    """Pairs of systems by metrics: difference, effect, wins, and p after Holm's correction."""
    rows = comparisons[(comparisons["experiment"] == experiment.name) & (comparisons["n"] > 0)]
    if rows.empty:
        return None
    order = {name: place for place, name in enumerate(METRICS)}
    rows = rows.sort_values(
        "metric", key=lambda names: names.map(order).fillna(len(order)), kind="stable"
    )
    body = []
    for row in rows.to_dict("records"):
        metric, n = str(row["metric"]), int(row["n"])
        first, second = (short_label_of(str(row[name])) for name in ("first", "second"))
        how = metric_of(metric)
        bounds = [number(row[name], how.digits) for name in ("low", "high")]
        # Below that, the smallest p that a signed-rank test can give is no evidence.
        p = Cell(NO_P, None)
        if n >= FEW_PATIENTS and pd.notna(row["p_holm"]):
            p = Cell(p_value(row["p_holm"]).removeprefix("p = "), float(row["p_holm"]))
        body.append(
            (
                Cell(f"{first} − {second}", f"{first} − {second}"),
                words(how.name),
                numeric(n, 0),
                Cell(
                    signed(row["difference"], how.digits),
                    float(row["difference"]),
                    "" if pd.isna(row["low"]) else f"[{bounds[0]}, {bounds[1]}]",
                ),
                numeric(row["effect"], 2),
                Cell(f"{int(row['wins'])} of {n}", int(row["wins"]) / max(n, 1)),
                p,
            )
        )
    return Table(
        name=f"comparisons-{experiment.name}",
        caption=(
            f"{leaked_caption(experiment)}Two systems on the same patients: mean difference, first "
            "minus second, with its 95 % interval. Effect is the rank-biserial correlation: +1 "
            "where the first is better in every patient, 0 where neither is, −1 where it is worse "
            "in every one. Wins are patients in whom the first is better; p is that of a paired "
            f"test after Holm's correction, given from {FEW_PATIENTS} patients on."
        ),
        columns=(
            "First − second", "Metric", "Patients", "Difference", "Effect", "Wins of the first",
            "p after Holm",
        ),
        rows=tuple(body),
        csv=rows.to_csv(index=False),
    )  # fmt: skip
